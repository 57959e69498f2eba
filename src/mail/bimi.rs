//! BIMI assertion records (BIMI draft): where a domain's indicator and its evidence are.

use std::ops::Range;

use super::tags::{Problem, tags};

/// A record as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Value of `l`, if there is one; may be empty.
    pub location: Option<(String, Range<usize>)>,
    /// Value of `a`, if there is one; may be empty.
    pub evidence: Option<(String, Range<usize>)>,
    /// Whether the record declines to publish an indicator: `l` and `a` empty or missing, with `l` stated.
    pub declined: bool,
    /// What does not follow the grammar.
    pub problems: Vec<Problem>,
}

/// Whether a text is a BIMI record: its first tag is `v=BIMI1`.
pub fn is_bimi(text: &str) -> bool {
    tags(text).first().is_some_and(|tag| tag.name == "v" && tag.value == "BIMI1")
}

/// Reads a record.
pub fn parse(text: &str) -> Record {
    let mut record = Record { location: None, evidence: None, declined: false, problems: Vec::new() };
    for tag in tags(text) {
        let slot = match tag.name {
            "l" => &mut record.location,
            "a" => &mut record.evidence,
            // Unknown tags are ignored, as are the optional preferences.
            _ => continue,
        };
        if slot.is_some() {
            record.problems.push(Problem::new(format!("`{}` stands twice", tag.name), tag.range()));
            continue;
        }
        if !tag.value.is_empty() && !tag.value.get(..8).is_some_and(|lead| lead.eq_ignore_ascii_case("https://")) {
            record
                .problems
                .push(Problem::new(format!("`{}` must be an https: URI", tag.name), tag.value_range.clone()));
        }
        *slot = Some((tag.value.to_owned(), tag.value_range));
    }
    let empty = |slot: &Option<(String, Range<usize>)>| slot.as_ref().is_none_or(|(value, _)| value.is_empty());
    match &record.location {
        None => record.problems.push(Problem::new("the tag `l` is missing", 0..text.len())),
        Some(_) if empty(&record.location) && empty(&record.evidence) => record.declined = true,
        Some(_) => {}
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_82_an_empty_location_declines() {
        let record = parse("v=BIMI1; l=; a=;");
        assert!(record.declined && record.problems.is_empty());
        let record = parse("v=BIMI1; l=https://example.org/i.svg; a=");
        assert!(!record.declined && record.problems.is_empty());
        assert!(is_bimi("v=BIMI1;l=") && !is_bimi("v=bimi1; l=") && !is_bimi("l=; v=BIMI1"));
    }

    #[test]
    fn locations_are_https() {
        let text = "v=BIMI1; l=http://example.org/i.svg";
        let problem = &parse(text).problems[0];
        assert_eq!(
            (problem.reason.as_str(), &text[problem.range.clone()]),
            ("`l` must be an https: URI", "http://example.org/i.svg")
        );
        assert_eq!(parse("v=BIMI1").problems.len(), 1);
    }
}
