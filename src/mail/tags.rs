//! The tag list that DMARC, DKIM, MTA-STS, TLS-RPT and BIMI records share: `name=value` pairs separated by semicolons.
//!
//! The reader keeps everything with its byte range: unknown tags, duplicates, empty parts. It does not know which tags a
//! protocol has, nor which of the protocols' small differences in white space matter: those decide in their own modules.

use std::ops::Range;

/// Something in a record that does not follow its grammar: what is wrong, and the characters it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, without a final full stop.
    pub reason: String,
    /// Byte range in the record text.
    pub range: Range<usize>,
}

impl Problem {
    /// A problem with a range of the record text.
    pub fn new(reason: impl Into<String>, range: Range<usize>) -> Problem {
        Problem { reason: reason.into(), range }
    }
}

/// One part of a tag list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag<'a> {
    /// Name as written, without surrounding white space.
    pub name: &'a str,
    /// Value as written, without surrounding white space.
    pub value: &'a str,
    /// Byte range of the name in the record text.
    pub name_range: Range<usize>,
    /// Byte range of the value in the record text; empty at its place when there is no value.
    pub value_range: Range<usize>,
    /// Whether there was a `=`.
    pub has_value: bool,
}

impl Tag<'_> {
    /// Byte range from the name to the end of the value.
    pub fn range(&self) -> Range<usize> {
        self.name_range.start..self.value_range.end.max(self.name_range.end)
    }
}

/// Reads the parts between semicolons, in order. Parts of white space only are skipped; a part without `=` is kept.
pub fn tags(text: &str) -> Vec<Tag<'_>> {
    let mut tags = Vec::new();
    let mut start = 0;
    for part in text.split(';') {
        if let Some(tag) = tag(text, start..start + part.len()) {
            tags.push(tag);
        }
        start += part.len() + 1;
    }
    tags
}

fn tag(text: &str, part: Range<usize>) -> Option<Tag<'_>> {
    let whole = trim(text, part);
    if whole.is_empty() {
        return None;
    }
    let (name_range, value_range, has_value) = match text[whole.clone()].find('=') {
        Some(at) => (trim(text, whole.start..whole.start + at), trim(text, whole.start + at + 1..whole.end), true),
        None => (whole.clone(), whole.end..whole.end, false),
    };
    Some(Tag { name: &text[name_range.clone()], value: &text[value_range.clone()], name_range, value_range, has_value })
}

/// What is wrong with a field that MTA-STS and TLS-RPT allow as an extension (RFC 8461 section 3.1, RFC 8460 section 3):
/// a name of at most 32 letters, digits, `_`, `-` and `.`, and a value of visible characters without `=` and `;`.
pub fn extension_problem(tag: &Tag<'_>) -> Option<Problem> {
    if !is_extension_name(tag.name) {
        return Some(Problem::new("a field name is 1 to 32 letters, digits, `_`, `-` and `.`", tag.name_range.clone()));
    }
    if tag.value.is_empty() {
        return Some(Problem::new(format!("`{}` has no value", tag.name), tag.range()));
    }
    let visible = tag.value.bytes().all(|byte| matches!(byte, 0x21..=0x3a | 0x3c | 0x3e..=0x7e));
    (!visible).then(|| {
        Problem::new("a field value has visible characters only, without `=` and spaces", tag.value_range.clone())
    })
}

/// Whether a word can be the name of an extension field (RFC 8461 section 3.1).
pub fn is_extension_name(name: &str) -> bool {
    name.len() <= 32
        && name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

/// The first empty field between two semicolons, which the grammars of MTA-STS and TLS-RPT do not allow.
pub fn empty_field(text: &str) -> Option<Problem> {
    let mut start = 0;
    let mut parts = text.split(';').peekable();
    while let Some(part) = parts.next() {
        if part.trim().is_empty() && parts.peek().is_some() {
            return Some(Problem::new("a field between two semicolons is empty", start..start + part.len() + 1));
        }
        start += part.len() + 1;
    }
    None
}

/// The range without white space at both ends: space, tab, carriage return and line feed (RFC 6376 section 2.8).
fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let white = |character: char| matches!(character, ' ' | '\t' | '\r' | '\n');
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start_matches(white).len());
    let end = (range.end - (part.len() - part.trim_end_matches(white).len())).max(start);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_ranges() {
        let text = "v = DMARC1 ; p=reject;;x; rua= ;";
        let found: Vec<_> = tags(text).into_iter().map(|tag| (tag.name, tag.value, tag.has_value)).collect();
        assert_eq!(found, [("v", "DMARC1", true), ("p", "reject", true), ("x", "", false), ("rua", "", true)]);
        for tag in tags(text) {
            assert_eq!(&text[tag.name_range.clone()], tag.name);
            assert_eq!(&text[tag.value_range.clone()], tag.value);
        }
    }
}
