//! Which byte of the file each octet of a YAML scalar comes from, and the text octoDNS makes of a scalar.
//!
//! The YAML parser gives a scalar's value and range. To point at one tag inside a DMARC record the way back is needed for
//! every octet, so the raw text is decoded here once more with its positions and compared with the parser's value. Where
//! the two differ, no octet has a place of its own and the whole scalar stands for each of them.

use granit_parser::ScalarStyle;

use crate::diag::Span;
use crate::sources::record::{Run, Text};

/// Longest scalar that is mapped octet by octet.
const MAP_LIMIT: usize = 1 << 20;

/// One octet of a value and the bytes of the file that it was written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Octet {
    /// The octet.
    pub byte: u8,
    /// First byte in the file.
    pub at: u32,
    /// Number of bytes in the file.
    pub width: u8,
}

/// The octets of a scalar with their places, or `None` where they cannot be told exactly.
///
/// `source` is the whole file, `span` the scalar in it, `value` what the YAML parser made of it.
pub fn octets(source: &[u8], span: Span, style: ScalarStyle, value: &str) -> Option<Vec<Octet>> {
    if value.len() > MAP_LIMIT {
        return None;
    }
    let raw = source.get(span.start as usize..span.end as usize)?;
    let mut mapped = match style {
        ScalarStyle::Plain => flow(raw, span.start, Escapes::None)?,
        ScalarStyle::SingleQuoted => flow(inside(raw, b'\'')?, span.start + 1, Escapes::Single)?,
        ScalarStyle::DoubleQuoted => flow(inside(raw, b'"')?, span.start + 1, Escapes::Double)?,
        ScalarStyle::Literal | ScalarStyle::Folded => block(source, span, style == ScalarStyle::Folded)?,
    };
    if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) && mapped.len() > value.len() {
        // Chomping has removed final line feeds.
        let rest = mapped.split_off(value.len());
        if rest.iter().any(|octet| octet.byte != b'\n') {
            return None;
        }
    }
    (mapped.len() == value.len() && mapped.iter().zip(value.bytes()).all(|(octet, byte)| octet.byte == byte))
        .then_some(mapped)
}

/// How octoDNS turns the value of a TXT record into octets. Settings of the YAML provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextRules {
    /// Whether `\;` stands for a semicolon.
    pub escaped_semicolons: bool,
}

/// The text of a TXT value as octoDNS publishes it: outer quotes removed, `" "` joined, `\;` unescaped, cut into
/// character-strings of 255 octets.
pub fn text(source: &[u8], span: Span, style: ScalarStyle, value: &str, rules: TextRules) -> Text {
    let mapped = octets(source, span, style, value);
    let exact = mapped.is_some();
    let mapped = mapped.unwrap_or_else(|| {
        let width = u8::try_from(span.end - span.start).unwrap_or(u8::MAX);
        value.bytes().map(|byte| Octet { byte, at: span.start, width }).collect()
    });
    let published = publish(mapped, rules);
    let bytes: Vec<u8> = published.iter().map(|octet| octet.byte).collect();
    // RFC 1035 section 3.3: a character-string holds 255 octets at most. octoDNS cuts longer values itself.
    let chunks = if bytes.is_empty() { vec![0] } else { bytes.chunks(255).map(<[u8]>::len).collect() };
    let runs = if exact || published.len() <= 1 << 16 { runs(&published) } else { coarse(span) };
    Text { bytes, chunks, runs, span }
}

/// One run for a value too long to map.
fn coarse(span: Span) -> Vec<Run> {
    vec![Run { at: 0, file_at: span.start, width: 0 }]
}

/// The steps of octoDNS's chunked values, on octets with places.
fn publish(mut octets: Vec<Octet>, rules: TextRules) -> Vec<Octet> {
    if octets.first().is_some_and(|first| first.byte == b'"') {
        // octoDNS cuts the last character too, whatever it is.
        let last = octets.iter().rposition(|octet| octet.byte & 0xc0 != 0x80).unwrap_or(0);
        octets.truncate(last.max(1));
        octets.remove(0);
    }
    let octets = substitute(octets, b"\" \"", None);
    if rules.escaped_semicolons { substitute(octets, b"\\;", Some(b';')) } else { octets }
}

/// Replaces every occurrence of `pattern` by one octet that spans it, or by nothing.
fn substitute(octets: Vec<Octet>, pattern: &[u8], by: Option<u8>) -> Vec<Octet> {
    let mut out = Vec::with_capacity(octets.len());
    let mut at = 0;
    while at < octets.len() {
        let found = octets.get(at..at + pattern.len()).filter(|part| part.iter().map(|octet| &octet.byte).eq(pattern));
        let Some(part) = found else {
            out.push(octets[at]);
            at += 1;
            continue;
        };
        if let (Some(byte), Some(first), Some(last)) = (by, part.first(), part.last()) {
            let end = last.at + u32::from(last.width);
            out.push(Octet { byte, at: first.at, width: u8::try_from(end - first.at).unwrap_or(u8::MAX) });
        }
        at += pattern.len();
    }
    out
}

/// Joins neighbouring octets of equal width.
fn runs(octets: &[Octet]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (index, octet) in octets.iter().enumerate() {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let continues = runs.last().is_some_and(|run| {
            run.width == octet.width && run.file_at + (index - run.at) * u32::from(run.width) == octet.at
        });
        if !continues {
            runs.push(Run { at: index, file_at: octet.at, width: octet.width });
        }
    }
    runs
}

/// What a backslash or quote means inside a flow scalar.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    None,
    Single,
    Double,
}

fn inside(raw: &[u8], quote: u8) -> Option<&[u8]> {
    raw.strip_prefix(&[quote])?.strip_suffix(&[quote])
}

fn plain(out: &mut Vec<Octet>, byte: u8, at: usize, base: u32) {
    out.push(Octet { byte, at: base + u32::try_from(at).unwrap_or(u32::MAX), width: 1 });
}

/// Decodes plain and quoted scalars, folding line breaks (YAML 1.2 section 6.5).
fn flow(raw: &[u8], base: u32, escapes: Escapes) -> Option<Vec<Octet>> {
    let mut out = Vec::with_capacity(raw.len());
    // Octets before this index came from escapes and are not trimmed at a line break.
    let mut kept = 0;
    let mut at = 0;
    while at < raw.len() {
        match raw[at] {
            b'\'' if escapes == Escapes::Single => {
                if raw.get(at + 1) != Some(&b'\'') {
                    return None;
                }
                out.push(Octet { byte: b'\'', at: base + u32::try_from(at).ok()?, width: 2 });
                at += 2;
            }
            b'\\' if escapes == Escapes::Double => {
                at = escape(raw, at, base, &mut out)?;
                kept = out.len();
            }
            b'\n' | b'\r' => {
                while out.len() > kept && matches!(out.last().map(|octet| octet.byte), Some(b' ' | b'\t')) {
                    out.pop();
                }
                let first = at;
                let mut breaks = 0;
                while let Some(byte) = raw.get(at) {
                    match byte {
                        b'\n' => breaks += 1,
                        b'\r' if raw.get(at + 1) != Some(&b'\n') => breaks += 1,
                        b' ' | b'\t' | b'\r' => {}
                        _ => break,
                    }
                    at += 1;
                }
                if breaks == 1 {
                    plain(&mut out, b' ', first, base);
                } else {
                    (1..breaks).for_each(|_| plain(&mut out, b'\n', first, base));
                }
                kept = out.len();
            }
            byte => {
                plain(&mut out, byte, at, base);
                at += 1;
            }
        }
    }
    Some(out)
}

/// Decodes one escape of a double-quoted scalar (YAML 1.2 section 5.7) and returns the position after it.
fn escape(raw: &[u8], at: usize, base: u32, out: &mut Vec<Octet>) -> Option<usize> {
    let letter = *raw.get(at + 1)?;
    let digits = match letter {
        b'x' => 2,
        b'u' => 4,
        b'U' => 8,
        b'\n' | b'\r' => {
            // An escaped line break joins two lines without a space.
            let mut next = at + 1;
            while matches!(raw.get(next), Some(b'\n' | b'\r' | b' ' | b'\t')) {
                next += 1;
            }
            return Some(next);
        }
        _ => 0,
    };
    let character = if digits > 0 {
        let hex = std::str::from_utf8(raw.get(at + 2..at + 2 + digits)?).ok()?;
        char::from_u32(u32::from_str_radix(hex, 16).ok()?)?
    } else {
        match letter {
            b'0' => '\0',
            b'a' => '\u{7}',
            b'b' => '\u{8}',
            b't' | b'\t' => '\t',
            b'n' => '\n',
            b'v' => '\u{b}',
            b'f' => '\u{c}',
            b'r' => '\r',
            b'e' => '\u{1b}',
            b' ' | b'"' | b'/' | b'\\' => letter as char,
            b'N' => '\u{85}',
            b'_' => '\u{a0}',
            b'L' => '\u{2028}',
            b'P' => '\u{2029}',
            _ => return None,
        }
    };
    let width = u8::try_from(2 + digits).ok()?;
    let place = base + u32::try_from(at).ok()?;
    let mut buffer = [0; 4];
    for byte in character.encode_utf8(&mut buffer).bytes() {
        out.push(Octet { byte, at: place, width });
    }
    Some(at + 2 + digits)
}

/// Decodes literal and folded block scalars (YAML 1.2 section 8.1) with automatic indentation, without chomping.
fn block(source: &[u8], span: Span, folded: bool) -> Option<Vec<Octet>> {
    let lines = block_lines(source, span)?;
    let mut out = Vec::new();
    let mut pending: Vec<usize> = Vec::new();
    let mut previous_is_text = false;
    for (start, line) in lines {
        let is_text = !matches!(line.first(), None | Some(b' ' | b'\t'));
        if folded && !line.is_empty() && !pending.is_empty() {
            // Line folding: one break between two lines of text is a space, of several breaks the first is dropped.
            if previous_is_text && is_text {
                if let [only] = pending[..] {
                    plain(&mut out, b' ', only, 0);
                }
                pending.iter().skip(1).for_each(|place| plain(&mut out, b'\n', *place, 0));
            } else {
                pending.iter().for_each(|place| plain(&mut out, b'\n', *place, 0));
            }
            pending.clear();
        } else if !folded {
            pending.drain(..).for_each(|place| plain(&mut out, b'\n', place, 0));
        }
        for (index, byte) in line.iter().enumerate() {
            plain(&mut out, *byte, start + index, 0);
        }
        if !line.is_empty() {
            previous_is_text = is_text;
        }
        pending.push(start + line.len());
    }
    pending.iter().for_each(|place| plain(&mut out, b'\n', *place, 0));
    Some(out)
}

/// The lines of a block scalar without indentation and line ending, each with its offset in the file.
fn block_lines(source: &[u8], span: Span) -> Option<Vec<(usize, &[u8])>> {
    let end = (span.end as usize).min(source.len());
    let mut at = span.start as usize;
    if matches!(source.get(at), Some(b'|' | b'>')) {
        at += memchr::memchr(b'\n', &source[at..end])? + 1;
    } else {
        at -= source[..at].iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        if at > 0 && source[at - 1] != b'\n' {
            return None;
        }
    }
    let mut lines = Vec::new();
    let mut indent = None;
    while at < end {
        let stop = memchr::memchr(b'\n', &source[at..]).map_or(source.len(), |length| at + length);
        let line = source[at..stop].strip_suffix(b"\r").unwrap_or(&source[at..stop]);
        let spaces = line.iter().take_while(|byte| **byte == b' ').count();
        if spaces < line.len() && indent.is_none() {
            indent = Some(spaces);
        }
        let skip = indent.unwrap_or(spaces).min(spaces);
        lines.push((at + skip, &line[skip..]));
        at = stop + 1;
    }
    Some(lines)
}

#[cfg(test)]
mod tests {
    use super::super::yaml::{NodeKind, Yaml};
    use super::*;
    use crate::diag::FileId;
    use proptest::prelude::*;

    /// The first scalar that is the value of `k`, read as TXT.
    fn scalar(document: &str) -> (Text, Option<Vec<Octet>>, String) {
        let mut yaml = Yaml::default();
        let root = yaml.parse(FileId(0), document.as_bytes()).unwrap().unwrap();
        let node = yaml.node(yaml.get(root, "k").unwrap());
        let NodeKind::Scalar(value, style) = &node.kind else { panic!("not a scalar") };
        let rules = TextRules { escaped_semicolons: true };
        let text = text(document.as_bytes(), node.span, *style, value, rules);
        (text, octets(document.as_bytes(), node.span, *style, value), value.to_string())
    }

    #[test]
    fn every_style_decodes_to_the_value_of_the_yaml_parser() {
        let cases = [
            "k: v=spf1 -all\n",
            "k: v=spf1\n  mx\n\n  -all # comment\n",
            "k: 'it''s'\n",
            "k: 'a\n\n  b  \n  c'\n",
            "k: \"a\\tb \\u00e4\\x41\\U0001F600 ä \\\\; \\\"q\\\"\"\n",
            "k: \"a \\\n   b\n  c\\  \n  d\"\n",
            "k: |\n  one\n    two\n\n  three\n",
            "k: |-\n  one\n  two\n",
            "k: >-\n  v=DKIM1;\n  k=rsa;\n\n  p=AB\n",
            "k: >\n  a\n    more\n  b\n\n\nz: 1\n",
            "k: >+\r\n  a\r\n  b\r\n",
            "z: [{k: x}]\nk: ä ö\n",
            "k: ''\n",
            "{\"k\": \"a; b\"}",
        ];
        for document in cases {
            let (_, octets, value) = scalar(document);
            let octets = octets.unwrap_or_else(|| panic!("no map for {document:?}, value {value:?}"));
            for octet in octets.iter().filter(|octet| octet.width == 1 && octet.byte > b' ') {
                assert_eq!(document.as_bytes()[octet.at as usize], octet.byte, "{document:?}");
            }
        }
    }

    #[test]
    fn a_place_inside_a_value_reaches_through_escapes() {
        let document = "k: \"v=DMARC1\\\\; p=none\\\\; fo=\\u0031\"\n";
        let (text, _, _) = scalar(document);
        assert_eq!(text.lossy(), "v=DMARC1; p=none; fo=1");
        let shown = |part: &str| {
            let at = text.lossy().find(part).unwrap();
            let place = text.place(at..at + part.len());
            document[place.start as usize..place.end as usize].to_owned()
        };
        assert_eq!(shown("p=none"), "p=none");
        assert_eq!(shown("; p"), "\\\\; p");
        assert_eq!(shown("fo=1"), "fo=\\u0031");
    }

    #[test]
    fn chunked_values_lose_their_quotes_as_in_octodns() {
        for (document, expected) in [
            (r#"k: '"v=DKIM1\; " "p=AB"'"#, "v=DKIM1; p=AB"),
            (r#"k: a" "b"#, "ab"),
            (r"k: a\;b;c", "a;b;c"),
            (r#"k: '"'"#, ""),
            (r"k: a\\;b", "a\\;b"),
        ] {
            assert_eq!(scalar(document).0.lossy(), expected, "{document}");
        }
    }

    #[test]
    fn case_144_a_value_longer_than_255_octets_is_cut_by_the_provider_and_is_no_error() {
        let (text, _, _) = scalar(&format!("k: {}\n", "a".repeat(600)));
        assert_eq!(text.chunks, [255, 255, 90]);
    }

    #[test]
    fn a_value_that_cannot_be_mapped_points_at_the_whole_scalar() {
        let source = b"k: &a value\n";
        let span = Span::new(FileId(0), 3, 11);
        let text = text(source, span, ScalarStyle::Plain, "value", TextRules { escaped_semicolons: true });
        assert_eq!(text.place(1..3), span);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn places_stay_inside_the_scalar(body in "[a-z;\\\\\"' :#\n\t>|-]{0,40}", quote in 0..3usize) {
            let document = match quote {
                0 => format!("k: {}\n", body.replace('\n', "\n  ")),
                1 => format!("k: '{}'\n", body.replace('\n', "\n  ")),
                _ => format!("k: >-\n  {}\n", body.replace('\n', "\n  ")),
            };
            let mut yaml = Yaml::default();
            let Ok(Some(root)) = yaml.parse(FileId(0), document.as_bytes()) else { return Ok(()) };
            let Some(id) = yaml.get(root, "k") else { return Ok(()) };
            let node = yaml.node(id);
            if let NodeKind::Scalar(value, style) = &node.kind {
                let rules = TextRules { escaped_semicolons: true };
                let text = text(document.as_bytes(), node.span, *style, value, rules);
                prop_assert_eq!(text.chunks.iter().sum::<usize>(), text.bytes.len());
                for at in 0..text.bytes.len() {
                    let place = text.place(at..at + 1);
                    prop_assert!(place.end as usize <= document.len());
                }
            }
        }
    }
}
