//! Every sink's escaping in one place: terminal and CI log, Markdown, XML, workflow commands, SARIF messages, URIs, JSON,
//! cells of spreadsheets, the markup of OSCAL, texts that Heimdall shows.
//!
//! Names, records, paths, snippets, packs and waivers are written by others. What each of them could do differs by sink:
//! move a cursor, start a workflow command, mention a person, open an element, end a string. A report passes every text
//! it did not write itself through exactly one function of this module. Escapes are visible: nothing is dropped silently.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

use serde_json::ser::Formatter;

use crate::diag::{is_hostile, visible};

/// Cuts a text after `limit` characters and says how many bytes are missing.
pub(super) fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    match text.char_indices().nth(limit) {
        None => Cow::Borrowed(text),
        Some((at, _)) => Cow::Owned(format!("{}… (+{} bytes)", &text[..at], text.len() - at)),
    }
}

/// Text for a terminal or a CI log: hostile characters become visible, and the marks of Azure, TeamCity and older GitHub
/// log commands (`##vso[`, `##teamcity[`, `##[`), which count anywhere in a line, are broken. See [`log_line`].
pub(super) fn terminal(text: &str) -> Cow<'_, str> {
    let shown = visible(text);
    if !shown.contains("##") {
        return shown;
    }
    let mut out = String::with_capacity(shown.len() + 8);
    let mut previous = ' ';
    let mut characters = shown.chars().peekable();
    while let Some(character) = characters.next() {
        if starts_log_command(previous, character, characters.peek().copied()) {
            out.push_str("\\x23");
        } else {
            out.push(character);
        }
        previous = character;
    }
    Cow::Owned(out)
}

/// Whether `character` is the second `#` of a mark such as `##[` or `##vso[`.
pub(super) fn starts_log_command(previous: char, character: char, next: Option<char>) -> bool {
    previous == '#' && character == '#' && next.is_some_and(|next| next == '[' || next.is_alphabetic())
}

/// A whole line of a CI log: GitHub reads a line that starts with `::` after any white space as a command.
pub(super) fn log_line(line: &str) -> Cow<'_, str> {
    let text = line.trim_start();
    if !text.starts_with("::") {
        return Cow::Borrowed(line);
    }
    let indent = &line[..line.len() - text.len()];
    Cow::Owned(format!("{indent}\\x3a{}", &text[1..]))
}

/// Text inside Markdown: no markup, HTML, link, automatic link, mention or reference comes out of it.
pub(super) fn markdown(text: &str) -> String {
    let shown = visible(text);
    let mut out = String::with_capacity(shown.len() + 16);
    for (at, character) in shown.char_indices() {
        let rest = &shown[at + character.len_utf8()..];
        match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '{' | '}' | '~' | '+' | '=' => {
                out.push('\\');
                out.push(character);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' => out.push_str("&#124;"),
            '$' => out.push_str("&#36;"),
            // Mentions, addresses and references are recognised after entities have been decoded; a comment parts the text.
            '@' => out.push_str("&#64;<!-- -->"),
            '#' => out.push_str("\\#<!-- -->"),
            '!' => out.push_str("\\!<!-- -->"),
            ':' if rest.starts_with("//") => out.push_str("&#58;<!-- -->"),
            '.' if ends_with_www(&shown[..at]) => out.push_str("&#46;<!-- -->"),
            '-' if out.is_empty() => out.push_str("\\-"),
            plain => out.push(plain),
        }
    }
    out
}

fn ends_with_www(text: &str) -> bool {
    text.len() >= 3 && text.as_bytes()[text.len() - 3..].eq_ignore_ascii_case(b"www")
}

/// One line inside a fenced code block, together with [`fence`].
pub(super) fn code_line(text: &str) -> String {
    log_line(&terminal(text)).into_owned()
}

/// A fence that no line of `text` can close.
pub(super) fn fence(text: &str) -> String {
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

/// Text of an XML element or of a quoted attribute. What XML 1.0 section 2.2 forbids is made visible.
pub(super) fn xml(text: &str) -> String {
    let shown = terminal(text);
    let mut out = String::with_capacity(shown.len() + 16);
    for character in shown.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(out, "\\u{{{:x}}}", character as u32);
            }
            plain => out.push(plain),
        }
    }
    out
}

/// A quoted cell of a CSV file (RFC 4180 section 2) that no spreadsheet takes for a formula.
///
/// A text that begins like a formula gets an apostrophe before it, which spreadsheets show and do not calculate. So does
/// what follows a semicolon: where lists are separated by semicolons, spreadsheets cut lines there, quoted or not.
pub(super) fn csv(text: &str) -> String {
    let shown = terminal(text);
    let mut out = String::with_capacity(shown.len() + 8);
    out.push('"');
    let mut begins = true;
    for character in shown.chars() {
        if begins && is_formula_mark(character) {
            out.push('\'');
        }
        // Spreadsheets may trim what stands before the mark.
        begins = character == ';' || (begins && (character.is_whitespace() || character == '"'));
        match character {
            '"' => out.push_str("\"\""),
            // Sheets are stored as XML 1.0, which has no such characters: spreadsheets would drop them silently.
            '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(out, "\\u{{{:x}}}", character as u32);
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
    out
}

/// Whether a cell that begins with the character is calculated. Spreadsheets also accept the full-width forms.
fn is_formula_mark(character: char) -> bool {
    matches!(character, '=' | '+' | '-' | '@' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}')
}

/// Text inside the markup of OSCAL, which is CommonMark with quotes, subscripts, superscripts, tables and insertions.
pub(super) fn oscal(text: &str) -> String {
    let shown = visible(text);
    let mut out = String::with_capacity(shown.len() + 16);
    for character in shown.chars() {
        match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '{' | '}' | '#' | '~' | '^' | '|' | '"' => {
                out.push('\\');
                out.push(character);
            }
            '-' | '+' | '=' if out.is_empty() => {
                out.push('\\');
                out.push(character);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            plain => out.push(plain),
        }
    }
    out
}

/// Text that Heimdall shows, in some places as HTML after removing what could run: no element comes out of it, and where it is
/// shown as plain text it reads the same.
pub(super) fn hdf(text: &str) -> String {
    visible(text).replace('<', "\\x3c")
}

/// A sentence with a capital at its start.
pub(super) fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// Appends text of an HTML element, or of a quoted attribute, in which quotes are escaped too. What is no character for
/// HTML (noncharacters; HTML Standard section 13.2.3.5) is made visible.
pub(super) fn html(text: &str, in_attribute: bool, out: &mut String) {
    let shown = terminal(text);
    let mut written = 0;
    for (at, character) in shown.char_indices() {
        let escape = match character {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' if in_attribute => "&quot;",
            '\'' if in_attribute => "&#39;",
            '\u{fffe}' => "\\u{fffe}",
            '\u{ffff}' => "\\u{ffff}",
            _ => continue,
        };
        out.push_str(&shown[written..at]);
        out.push_str(escape);
        written = at + character.len_utf8();
    }
    out.push_str(&shown[written..]);
}

/// A string of CSS without its quotes: everything but letters, digits, spaces and a few marks is an escape, with the one
/// space that ends it (CSS Syntax Level 3 section 4.3.7). So it ends neither the string nor the style element.
pub(super) fn css(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for character in terminal(text).chars() {
        if character.is_alphanumeric() || matches!(character, ' ' | '.' | ',' | '-') {
            out.push(character);
        } else {
            let _ = write!(out, "\\{:x} ", character as u32);
        }
    }
    out
}

/// Message of a workflow command, one line of the message per item.
pub(super) fn workflow_message<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    let lines: Vec<String> = lines.into_iter().map(|line| terminal(line).replace('%', "%25")).collect();
    lines.join("%0A")
}

/// Property of a workflow command.
pub(super) fn workflow_property(text: &str) -> String {
    terminal(text).replace('%', "%25").replace(':', "%3A").replace(',', "%2C")
}

/// Text of a SARIF message, in which brackets make links (SARIF 2.1.0 section 3.11.6).
pub(super) fn sarif(text: &str) -> String {
    let shown = visible(text);
    let mut out = String::with_capacity(shown.len() + 8);
    for character in shown.chars() {
        if matches!(character, '\\' | '[' | ']') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// A path as a relative URI reference (RFC 3986 section 3.3): everything but unreserved characters and `/` is encoded.
pub(super) fn uri_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            out.push(byte as char);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The address if it may be shown as a link: `https`, printable ASCII, nothing that ends a Markdown link or an attribute.
pub(super) fn link(url: &str) -> Option<&str> {
    let safe = |byte: u8| byte.is_ascii_graphic() && !b"<>()[]{}\"'`\\|^".contains(&byte);
    (url.len() > 8 && url.len() <= 2048 && url.starts_with("https://") && url.bytes().all(safe)).then_some(url)
}

/// A JSON formatter that writes hostile characters as `\u` escapes and breaks the marks of log commands, so that a JSON
/// report may be printed to a terminal or a CI log. The values are unchanged.
pub(super) struct SafeJson<F>(pub(super) F);

impl<F: Formatter> Formatter for SafeJson<F> {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        // Nearly every text is plain ASCII. All bytes are looked at, many at once, which takes less than stopping early.
        if fragment.bytes().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~') & (byte != b'#')) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut written = 0;
        let mut previous = ' ';
        for (at, character) in fragment.char_indices() {
            let end = at + character.len_utf8();
            let next = || fragment[end..].chars().next();
            if is_hostile(character) || (character == '#' && starts_log_command(previous, character, next())) {
                writer.write_all(&fragment.as_bytes()[written..at])?;
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
                written = end;
            }
            previous = character;
        }
        writer.write_all(&fragment.as_bytes()[written..])
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }
    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }
    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }
    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }
    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }
    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }
    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// Writes a value as compact JSON.
pub(super) fn compact_json<W: io::Write + ?Sized>(out: &mut W, value: &impl serde::Serialize) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(out, SafeJson(serde_json::ser::CompactFormatter));
    Ok(value.serialize(&mut serializer)?)
}

/// Appends a value as compact JSON.
pub(super) fn append_json(out: &mut Vec<u8>, value: &impl serde::Serialize) -> io::Result<()> {
    compact_json(&mut Bytes(out), value)
}

/// Bytes in memory as the end of a serializer, which writes all punctuation byte by byte.
struct Bytes<'a>(&'a mut Vec<u8>);

impl io::Write for Bytes<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match bytes {
            [byte] => self.0.push(*byte),
            bytes => self.0.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a value as indented JSON.
pub(super) fn pretty_json(out: &mut dyn io::Write, value: &impl serde::Serialize) -> io::Result<()> {
    let formatter = SafeJson(serde_json::ser::PrettyFormatter::new());
    let mut serializer = serde_json::Serializer::with_formatter(out, formatter);
    Ok(value.serialize(&mut serializer)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Escape = fn(&str) -> String;

    #[test]
    fn each_sink_has_its_own_escapes() {
        let cases: &[(Escape, &str, &str)] = &[
            (|text| terminal(text).into_owned(), "a\u{1b}[0m ##vso[x] ## b", "a\\x1b[0m #\\x23vso[x] ## b"),
            (|text| terminal(text).into_owned(), "###[x]", "##\\x23[x]"),
            (|text| log_line(text).into_owned(), "  ::error::x", "  \\x3a:error::x"),
            (|text| log_line(text).into_owned(), "a::b", "a::b"),
            (markdown, "@me #1 ![a](b)", "&#64;<!-- -->me \\#<!-- -->1 \\!<!-- -->\\[a\\]\\(b\\)"),
            (markdown, "http://a WWW.b <i>|", "http&#58;<!-- -->//a WWW&#46;<!-- -->b &lt;i&gt;&#124;"),
            (xml, "]]>\u{0}\u{ffff}\"", "]]&gt;\\x00\\u{ffff}&quot;"),
            (|text| html_of(text, false), "<a \"b'>&\u{ffff}", "&lt;a \"b'&gt;&amp;\\u{ffff}"),
            (|text| html_of(text, true), "<a \"b'>", "&lt;a &quot;b&#39;&gt;"),
            (css, "a \"}</style>", "a \\22 \\7d \\3c \\2f style\\3e "),
            (workflow_property, "a:b,c%\n", "a%3Ab%2Cc%25\\n"),
            (|text| workflow_message([text, "b"]), "100%", "100%25%0Ab"),
            (sarif, "[x](http://y) \\", "\\[x\\](http://y) \\\\"),
            (csv, "=1+1", "\"'=1+1\""),
            (csv, " \t@SUM(1)", "\" \\t@SUM(1)\""),
            (csv, "say \"hi\", -all", "\"say \"\"hi\"\", -all\""),
            (csv, "v=spf1;=cmd|x; -1", "\"v=spf1;'=cmd|x; '-1\""),
            (csv, "\u{ffff}", "\"\\u{ffff}\""),
            (csv, "\"=1", "\"\"\"'=1\""),
            (
                oscal,
                "- a_b `c` <i> {{ insert: param, x }} \"q\"",
                "\\- a\\_b \\`c\\` &lt;i&gt; \\{\\{ insert: param, x \\}\\} \\\"q\\\"",
            ),
            (hdf, "<b>\n", "\\x3cb>\\n"),
            (uri_path, "dns/a b#ä:1.zone", "dns/a%20b%23%C3%A4%3A1.zone"),
            (|text| cut(text, 3).into_owned(), "aäbcd", "aäb… (+2 bytes)"),
            (fence, "a ``` b", "````"),
        ];
        for (escape, text, expected) in cases {
            assert_eq!(escape(text), *expected, "{text:?}");
        }
    }

    fn html_of(text: &str, in_attribute: bool) -> String {
        let mut out = String::new();
        html(text, in_attribute, &mut out);
        out
    }

    #[test]
    fn only_plain_https_addresses_become_links() {
        assert!(link("https://www.rfc-editor.org/rfc/rfc9989#section-4.7").is_some());
        for bad in ["http://a.example/", "javascript:x", "https://a/)[x](b", "https://a/\u{202e}", "https://a/ b"] {
            assert!(link(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn json_values_survive_and_nothing_hostile_is_written(text in any::<String>()) {
            let mut bytes = Vec::new();
            compact_json(&mut bytes, &text).unwrap();
            let written = String::from_utf8(bytes).unwrap();
            prop_assert!(!written.chars().any(is_hostile));
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }

        #[test]
        fn no_sink_panics_or_lets_hostile_characters_through(text in any::<String>(), limit in 0usize..20) {
            for escaped in [terminal(&text).into_owned(), markdown(&text), xml(&text), sarif(&text), uri_path(&text),
                csv(&text), oscal(&text), hdf(&text), html_of(&text, true), css(&text),
                workflow_property(&text), workflow_message([text.as_str()])] {
                prop_assert!(!escaped.chars().any(is_hostile));
            }
            let _ = (cut(&text, limit), log_line(&text), fence(&text), link(&text));
            prop_assert!(!markdown(&text).replace("<!-- -->", "").contains(['<', '>', '|', '@']));
            prop_assert!(!xml(&text).contains(['<', '>', '"']));
            prop_assert!(!html_of(&text, false).contains(['<', '>']));
            prop_assert!(!html_of(&text, true).contains(['<', '>', '"', '\'']));
            prop_assert!(!css(&text).contains(['"', '\'', '<', '\n']));
            prop_assert!(!oscal(&text).contains(['<', '>']) && !hdf(&text).contains('<'));
            let cell = csv(&text);
            prop_assert!(!cell[1..cell.len() - 1].replace("\"\"", "").contains('"'));
            prop_assert!(!cell[1..].trim_start().starts_with(['=', '+', '-', '@']));
        }
    }
}
