//! SMTP TLS reporting records (RFC 8460 section 3).

use std::ops::Range;

use super::tags::{Problem, empty_field, extension_problem, tags};

/// A record as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Report addresses as published, with their byte ranges.
    pub rua: Vec<(String, Range<usize>)>,
    /// What does not follow the grammar.
    pub problems: Vec<Problem>,
}

/// Whether a text is a TLS-RPT record: it begins with `v=TLSRPTv1` followed by a semicolon
/// (RFC 8460 section 3: other TXT records are discarded).
pub fn is_tls_rpt(text: &str) -> bool {
    text.strip_prefix("v=TLSRPTv1")
        .is_some_and(|rest| rest.is_empty() || rest.trim_start_matches([' ', '\t']).starts_with(';'))
}

/// Whether a text that is no TLS-RPT record seems meant to be one, and why it is not.
pub fn near_miss(text: &str) -> Option<&'static str> {
    let lead: String = text.trim_start().chars().take(10).collect();
    (!is_tls_rpt(text) && lead.eq_ignore_ascii_case("v=tlsrptv1"))
        .then_some("the record must begin with `v=TLSRPTv1;`, in this case and without leading space")
}

/// Reads a record.
pub fn parse(text: &str) -> Record {
    let mut record = Record { rua: Vec::new(), problems: Vec::new() };
    record.problems.extend(empty_field(text));
    let mut seen = false;
    for tag in tags(text) {
        match tag.name {
            "rua" if seen => record.problems.push(Problem::new("`rua` stands twice", tag.range())),
            "rua" => {
                seen = true;
                let mut start = tag.value_range.start;
                for part in tag.value.split(',') {
                    let uri = part.trim();
                    let at = start + (part.len() - part.trim_start().len());
                    start += part.len() + 1;
                    let range = at..at + uri.len();
                    if let Some(reason) = uri_problem(uri) {
                        record.problems.push(Problem::new(reason, range.clone()));
                    }
                    record.rua.push((uri.to_owned(), range));
                }
            }
            "v" => {}
            // RFC 8460 section 3: extension fields are ignored, but must follow the grammar.
            _ => record.problems.extend(extension_problem(&tag)),
        }
    }
    if !seen {
        record.problems.push(Problem::new("the field `rua` is missing", 0..text.len()));
    }
    record
}

/// RFC 8460 section 3: `mailto:` or `https:`; comma, exclamation mark and semicolon are percent-encoded.
fn uri_problem(uri: &str) -> Option<&'static str> {
    let lower = uri.get(..8).unwrap_or(uri).to_ascii_lowercase();
    let rest = if lower.starts_with("mailto:") {
        let mailbox = &uri["mailto:".len()..];
        let domain = mailbox.split('?').next().and_then(|mailbox| mailbox.rsplit_once('@'));
        if !domain.is_some_and(|(local, domain)| !local.is_empty() && super::Name::parse(domain).is_ok()) {
            return Some("`mailto:` needs an address with a domain");
        }
        mailbox
    } else if lower.starts_with("https://") {
        let rest = &uri["https://".len()..];
        if rest.split(['/', '?', '#']).next().is_none_or(str::is_empty) {
            return Some("`https:` needs a host");
        }
        rest
    } else {
        return Some("a report address must be a mailto: or https: URI");
    };
    if rest.contains(['!', ' ']) {
        return Some("`!` and spaces must be percent-encoded");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn case_111_the_record_begins_with_its_version_and_has_addresses() {
        let good = "v=TLSRPTv1;rua=mailto:reports@example.com,https://reporting.example.com/v1/tlsrpt";
        assert!(is_tls_rpt(good));
        let record = parse(good);
        assert_eq!(record.problems, []);
        assert_eq!(record.rua.len(), 2);
        assert_eq!(&good[record.rua[1].1.clone()], "https://reporting.example.com/v1/tlsrpt");
        for text in ["v=tlsrptv1; rua=mailto:a@b", " v=TLSRPTv1; rua=mailto:a@b", "rua=mailto:a@b; v=TLSRPTv1"] {
            assert!(!is_tls_rpt(text), "{text}");
        }
        for (text, reason) in [
            ("v=TLSRPTv1;", "the field `rua` is missing"),
            ("v=TLSRPTv1; rua=a@b.example", "a report address must be a mailto: or https: URI"),
            ("v=TLSRPTv1; rua=http://b.example/", "a report address must be a mailto: or https: URI"),
            ("v=TLSRPTv1; rua=mailto:a@b.example!10m", "`!` and spaces must be percent-encoded"),
            ("v=TLSRPTv1; rua=mailto:", "`mailto:` needs an address with a domain"),
        ] {
            let reasons: Vec<_> = parse(text).problems.into_iter().map(|problem| problem.reason).collect();
            assert_eq!(reasons, [reason], "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_text_is_read_with_ranges_inside(text in "[vruamilto:,=;@. TLSRPTv1é]{0,80}") {
            let record = parse(&text);
            for range in record.problems.into_iter().map(|problem| problem.range).chain(record.rua.into_iter().map(|rua| rua.1)) {
                prop_assert!(text.get(range).is_some());
            }
        }
    }
}
