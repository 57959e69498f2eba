//! The tag list that DMARC, DKIM, MTA-STS, TLS-RPT and BIMI records share: `name=value` pairs separated by semicolons.
//!
//! The reader keeps everything with its byte range: unknown tags, duplicates, empty parts. It does not know which tags a
//! protocol has, nor which of the protocols' small differences in white space matter: those decide in their own modules.

use std::ops::Range;

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
