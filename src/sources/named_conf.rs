//! `named.conf`: which zone is in which file.
//!
//! Only `zone`, `file`, `type`, `directory`, `view` and `include` matter; everything else is skipped by its braces. A
//! statement that is not understood never hides the ones after it. It opens no file.

use crate::diag::{FileId, Span};
use crate::mail::Name;

/// Deepest nesting of braces that is looked into.
const DEPTH: usize = 64;

/// What a configuration says about zones.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct NamedConf {
    /// `directory` of `options`, as written.
    pub directory: Option<String>,
    /// Zones in file order.
    pub zones: Vec<NamedZone>,
    /// Files that are included.
    pub includes: Vec<(String, Span)>,
}

/// One `zone` statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedZone {
    /// Name of the zone.
    pub name: Name,
    /// Where the name stands.
    pub span: Span,
    /// `type` in lower case, if given.
    pub kind: Option<String>,
    /// `file` as written.
    pub file: Option<String>,
    /// The view that holds the zone.
    pub view: Option<String>,
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String, Span),
    Open,
    Close,
    End,
}

/// Reads a configuration.
pub fn parse(file: FileId, bytes: &[u8]) -> NamedConf {
    let tokens = tokens(file, bytes);
    let mut conf = NamedConf::default();
    // Each open brace with what it belongs to: a view, a zone (by its index), options or something else.
    let mut open: Vec<Block> = Vec::new();
    let mut statement: Vec<(String, Span)> = Vec::new();
    for token in tokens {
        match token {
            Token::Word(text, span) => statement.push((text, span)),
            Token::Open => {
                let block = if open.len() < DEPTH { begin(&statement, &open, &mut conf) } else { Block::Other };
                open.push(block);
                statement.clear();
            }
            Token::Close => {
                open.pop();
                statement.clear();
            }
            Token::End => {
                end(&statement, open.last(), &mut conf);
                statement.clear();
            }
        }
    }
    conf
}

#[derive(Debug, Clone)]
enum Block {
    View(String),
    Zone(usize),
    Options,
    Other,
}

fn begin(statement: &[(String, Span)], open: &[Block], conf: &mut NamedConf) -> Block {
    let Some((keyword, _)) = statement.first() else { return Block::Other };
    let outer = matches!(open.last(), None | Some(Block::View(_)));
    match (keyword.to_ascii_lowercase().as_str(), statement.get(1)) {
        ("zone", Some((name, span))) if outer => {
            let Ok(name) = Name::parse(name) else { return Block::Other };
            let view = open.iter().rev().find_map(|block| match block {
                Block::View(view) => Some(view.clone()),
                _ => None,
            });
            conf.zones.push(NamedZone { name, span: *span, kind: None, file: None, view });
            Block::Zone(conf.zones.len() - 1)
        }
        ("view", Some((name, _))) if open.is_empty() => Block::View(name.clone()),
        ("options", _) if open.is_empty() => Block::Options,
        _ => Block::Other,
    }
}

fn end(statement: &[(String, Span)], block: Option<&Block>, conf: &mut NamedConf) {
    let [(keyword, _), (value, span), ..] = statement else { return };
    match (keyword.to_ascii_lowercase().as_str(), block) {
        ("include", None | Some(Block::View(_))) => conf.includes.push((value.clone(), *span)),
        ("directory", Some(Block::Options)) => conf.directory = Some(value.clone()),
        ("file", Some(Block::Zone(index))) => conf.zones[*index].file = Some(value.clone()),
        ("type", Some(Block::Zone(index))) => conf.zones[*index].kind = Some(value.to_ascii_lowercase()),
        _ => {}
    }
}

/// Whether a text looks like a `named.conf`: a zone, options, view or include statement.
pub fn looks_like(bytes: &[u8]) -> bool {
    let mut statement: Vec<String> = Vec::new();
    let mut depth = 0usize;
    for token in tokens(FileId(0), bytes) {
        match token {
            Token::Word(text, _) => statement.push(text.to_ascii_lowercase()),
            Token::Open => {
                let words: Vec<&str> = statement.iter().map(String::as_str).collect();
                if depth == 0 && matches!(words[..], ["zone" | "view", _] | ["zone" | "view", _, "in"] | ["options"]) {
                    return true;
                }
                depth += 1;
                statement.clear();
            }
            Token::Close => {
                depth = depth.saturating_sub(1);
                statement.clear();
            }
            Token::End => statement.clear(),
        }
        if statement.len() > 8 {
            return false;
        }
    }
    false
}

/// Splits a configuration into tokens; comments are `//`, `#` and `/* */`.
fn tokens(file: FileId, bytes: &[u8]) -> impl Iterator<Item = Token> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = &bytes[at..];
            match rest {
                [] => return None,
                [b'/', b'/', ..] | [b'#', ..] => at += memchr::memchr(b'\n', rest).unwrap_or(rest.len()),
                [b'/', b'*', ..] => {
                    at += memchr::memmem::find(&rest[2..], b"*/").map_or(rest.len(), |length| length + 4);
                }
                [b'{', ..] => {
                    at += 1;
                    return Some(Token::Open);
                }
                [b'}', ..] => {
                    at += 1;
                    return Some(Token::Close);
                }
                [b';', ..] => {
                    at += 1;
                    return Some(Token::End);
                }
                [b'"', ..] => {
                    let length = memchr::memchr(b'"', &rest[1..]).unwrap_or(rest.len() - 1);
                    let token = word(file, &rest[1..=length], at + 1);
                    at = (at + length + 2).min(bytes.len());
                    return Some(token);
                }
                [byte, ..] if byte.is_ascii_whitespace() => at += 1,
                _ => {
                    let length = rest
                        .iter()
                        .position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'{' | b'}' | b';' | b'"'))
                        .unwrap_or(rest.len());
                    let token = word(file, &rest[..length], at);
                    at += length;
                    return Some(token);
                }
            }
        }
    })
}

fn word(file: FileId, text: &[u8], at: usize) -> Token {
    let fit = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Token::Word(String::from_utf8_lossy(text).into_owned(), Span::new(file, fit(at), fit(at + text.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zones_files_views_and_includes_are_found() {
        let text = "// zone \"no\" { file \"no\"; };\n# {\n/* { */ options { directory \"/var/named\"; recursion no; };\n\
            include \"/etc/bind/named.conf.local\";\nacl x { 192.0.2.0/24; };\n\
            zone \"Example.ORG\" IN { type MASTER; update-policy { grant a zonesub TXT; }; file \"db.a\"; };\n\
            view \"inside\" { match-clients { x; }; zone example.net { type primary; file inside/b; }; };\n\
            zone \".\" { type hint; file \"named.root\"; };\n";
        let conf = parse(FileId(0), text.as_bytes());
        assert_eq!(conf.directory.as_deref(), Some("/var/named"));
        assert_eq!(conf.includes[0].0, "/etc/bind/named.conf.local");
        let zones: Vec<_> = conf
            .zones
            .iter()
            .map(|zone| (zone.name.as_str(), zone.kind.as_deref(), zone.file.as_deref(), zone.view.as_deref()))
            .collect();
        assert_eq!(
            zones,
            [
                ("example.org", Some("master"), Some("db.a"), None),
                ("example.net", Some("primary"), Some("inside/b"), Some("inside")),
                (".", Some("hint"), Some("named.root"), None),
            ]
        );
        let span = conf.zones[0].span;
        assert_eq!(&text[span.start as usize..span.end as usize], "Example.ORG");
        assert!(looks_like(text.as_bytes()));
    }

    #[test]
    fn other_files_with_braces_are_not_taken_for_one() {
        for text in ["resource \"a\" \"b\" { zone = 1 }", "zone: {a: b}", "$ORIGIN a.\n@ SOA a b 1 2 3 4 5", "", "a {"]
        {
            assert!(!looks_like(text.as_bytes()), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_bytes_are_read(bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..80),
            "(zone|\"|file|\\{|\\}|;|/\\*|//|\n| |view|a){0,40}".prop_map(String::into_bytes),
        ]) {
            let conf = parse(FileId(0), &bytes);
            for zone in conf.zones {
                prop_assert!(zone.span.end as usize <= bytes.len());
            }
            looks_like(&bytes);
        }
    }
}
