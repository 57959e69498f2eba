//! MTA-STS: the DNS record (RFC 8461 section 3.1), the policy document (section 3.2) and its MX patterns (section 4.1).

use std::ops::Range;

use super::Name;
use super::tags::{Problem, empty_field, extension_problem, is_extension_name, tags};

/// Longest cache time in seconds (RFC 8461 section 3.2).
const MAX_AGE: u64 = 31_557_600;

/// The DNS record as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Value of `id`, if there is one.
    pub id: Option<String>,
    /// Byte range of the value of `id`.
    pub id_range: Option<Range<usize>>,
    /// What does not follow the grammar.
    pub problems: Vec<Problem>,
}

/// Whether a text is an MTA-STS record: it begins with `v=STSv1` followed by a semicolon or its end
/// (RFC 8461 section 3.1: other TXT records are discarded).
pub fn is_sts(text: &str) -> bool {
    text.strip_prefix("v=STSv1")
        .is_some_and(|rest| rest.trim_start_matches([' ', '\t']).starts_with(';') || rest.is_empty())
}

/// Whether a text that is no MTA-STS record seems meant to be one, and why it is not.
pub fn near_miss(text: &str) -> Option<&'static str> {
    let lead: String = text.trim_start().chars().take(7).collect();
    (!is_sts(text) && lead.eq_ignore_ascii_case("v=stsv1"))
        .then_some("the record must begin with `v=STSv1;`, in this case and without leading space")
}

/// Reads the DNS record.
pub fn parse(text: &str) -> Record {
    let mut record = Record { id: None, id_range: None, problems: Vec::new() };
    record.problems.extend(empty_field(text));
    for tag in tags(text) {
        match tag.name {
            "id" if record.id.is_some() => record.problems.push(Problem::new("`id` stands twice", tag.range())),
            "id" => {
                // RFC 8461 section 3.1: sts-id = 1*32(ALPHA / DIGIT).
                if tag.value.is_empty()
                    || tag.value.len() > 32
                    || !tag.value.bytes().all(|byte| byte.is_ascii_alphanumeric())
                {
                    record
                        .problems
                        .push(Problem::new("`id` must be 1 to 32 letters and digits", tag.value_range.clone()));
                }
                record.id = Some(tag.value.to_owned());
                record.id_range = Some(tag.value_range);
            }
            "v" => {}
            // RFC 8461 section 3.1: extension fields are ignored, but must follow the grammar.
            _ => record.problems.extend(extension_problem(&tag)),
        }
    }
    if record.id.is_none() {
        record.problems.push(Problem::new("the field `id` is missing", 0..text.len()));
    }
    record
}

/// Mode of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Withdrawn.
    None,
    /// Reported only.
    Testing,
    /// Enforced.
    Enforce,
}

/// The policy document as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Mode, if it is stated and known.
    pub mode: Option<Mode>,
    /// Byte range of the value of `mode`.
    pub mode_range: Option<Range<usize>>,
    /// Cache time in seconds, if it is stated and a number.
    pub max_age: Option<u64>,
    /// Byte range of the value of `max_age`.
    pub max_age_range: Option<Range<usize>>,
    /// Patterns of `mx`, with their byte ranges.
    pub mx: Vec<(String, Range<usize>)>,
    /// What does not follow the grammar.
    pub problems: Vec<Problem>,
}

/// Reads a policy document; lines end in CRLF or LF.
pub fn parse_policy(text: &str) -> Policy {
    let mut policy = Policy {
        mode: None,
        mode_range: None,
        max_age: None,
        max_age_range: None,
        mx: Vec::new(),
        problems: Vec::new(),
    };
    let mut version = false;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        let line_range = start..start + content.len();
        start += line.len();
        if content.trim().is_empty() {
            continue;
        }
        let Some(colon) = content.find(':') else {
            policy.problems.push(Problem::new("a line must be `key: value`", line_range));
            continue;
        };
        let key = content[..colon].trim();
        let value = content[colon + 1..].trim();
        let value_start =
            line_range.start + colon + 1 + (content[colon + 1..].len() - content[colon + 1..].trim_start().len());
        let range = value_start..value_start + value.len();
        match key {
            "version" if value == "STSv1" && !version => version = true,
            "version" => policy.problems.push(Problem::new("the version must be STSv1, once", range)),
            "mode" if policy.mode_range.is_none() => {
                policy.mode = match value {
                    "enforce" => Some(Mode::Enforce),
                    "testing" => Some(Mode::Testing),
                    "none" => Some(Mode::None),
                    _ => {
                        policy.problems.push(Problem::new("`mode` must be enforce, testing or none", range.clone()));
                        None
                    }
                };
                policy.mode_range = Some(range);
            }
            "max_age" if policy.max_age_range.is_none() => {
                policy.max_age = value.parse().ok().filter(|_| value.bytes().all(|byte| byte.is_ascii_digit()));
                // RFC 8461 section 3.2: up to 31557600 seconds.
                if policy.max_age.is_none_or(|age| age > MAX_AGE) {
                    policy.problems.push(Problem::new(
                        format!("`max_age` must be a number of seconds up to {MAX_AGE}"),
                        range.clone(),
                    ));
                }
                policy.max_age_range = Some(range);
            }
            "mx" => {
                if !is_host(value.strip_prefix("*.").unwrap_or(value)) {
                    policy.problems.push(Problem::new("`mx` must be a host name or `*.` and a domain", range.clone()));
                }
                policy.mx.push((value.to_owned(), range));
            }
            "mode" | "max_age" => policy.problems.push(Problem::new(format!("`{key}` stands twice"), line_range)),
            // RFC 8461 section 3.2: unknown keys are ignored, but must follow the grammar.
            _ if !is_extension_name(key) => {
                policy.problems.push(Problem::new("a key is 1 to 32 letters, digits, `_`, `-` and `.`", line_range));
            }
            _ if value.is_empty() => policy.problems.push(Problem::new(format!("`{key}` has no value"), line_range)),
            _ => {}
        }
    }
    let whole = 0..text.len();
    let mut missing =
        |what: &str| policy.problems.push(Problem::new(format!("the field `{what}` is missing"), whole.clone()));
    if !version {
        missing("version");
    }
    if policy.mode_range.is_none() {
        missing("mode");
    }
    if policy.max_age_range.is_none() {
        missing("max_age");
    }
    // RFC 8461 section 3.2: at least one mx unless the mode is none.
    if policy.mx.is_empty() && policy.mode != Some(Mode::None) {
        missing("mx");
    }
    policy
}

/// What one look at a domain showed: the `id` of the record, and the text of the policy document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation<'a> {
    /// Value of `id`.
    pub id: &'a str,
    /// The policy document.
    pub policy: &'a str,
}

/// How record and policy moved from one observation to a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Neither changed.
    None,
    /// Both changed, as they should (RFC 8461 section 3.1).
    Announced,
    /// The policy changed and the `id` did not: senders that have the old policy keep it until it expires.
    Unannounced,
    /// The `id` changed and the policy did not: senders fetch again what they have.
    Needless,
}

/// Compares two observations of a domain. Documents are the same when they state the same: the way in which lines end
/// and space around keys and values do not count.
pub fn change(before: Observation<'_>, after: Observation<'_>) -> Change {
    // RFC 8461 section 3.1: the `id` is what tells senders that the policy has changed.
    match (stated(before.policy).eq(stated(after.policy)), before.id == after.id) {
        (true, true) => Change::None,
        (false, false) => Change::Announced,
        (false, true) => Change::Unannounced,
        (true, false) => Change::Needless,
    }
}

/// Keys and values of a document, line by line.
fn stated(policy: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = policy.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| line.split_once(':').map_or((line, ""), |(key, value)| (key.trim_end(), value.trim_start())))
}

/// Whether a text is a host name in A-label form (RFC 8461 section 3.2, by RFC 5321 section 4.1.2: `Domain`).
fn is_host(text: &str) -> bool {
    text.split('.').all(|label| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    })
}

/// Whether a pattern of the policy covers a host (RFC 8461 section 4.1): `*.` stands for exactly one label.
pub fn mx_matches(pattern: &str, host: &Name) -> bool {
    match pattern.strip_prefix("*.") {
        Some(domain) => Name::parse(domain).is_ok_and(|domain| host.parent() == Some(domain)),
        None => Name::parse(pattern).is_ok_and(|name| name == *host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reasons(problems: Vec<Problem>) -> Vec<String> {
        problems.into_iter().map(|problem| problem.reason).collect()
    }

    #[test]
    fn case_95_the_record_begins_with_its_version_and_has_an_id() {
        for (text, expected) in [
            ("v=STSv1; id=20160831085700Z;", true),
            ("v=STSv1;id=1", true),
            ("v=STSv1 ; id=1", true),
            ("v=stsv1; id=1", false),
            (" v=STSv1; id=1", false),
            ("v=STSv12; id=1", false),
            ("id=1; v=STSv1", false),
        ] {
            assert_eq!(is_sts(text), expected, "{text}");
        }
        assert_eq!(parse("v=STSv1; id=abc123;").id.as_deref(), Some("abc123"));
        assert_eq!(reasons(parse("v=STSv1; id=a-b").problems), ["`id` must be 1 to 32 letters and digits"]);
        assert_eq!(reasons(parse(&format!("v=STSv1; id={}", "a".repeat(33))).problems).len(), 1);
        assert_eq!(reasons(parse("v=STSv1").problems), ["the field `id` is missing"]);
    }

    #[test]
    fn case_96_a_policy_is_lines_of_keys_and_values() {
        let text = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\nx: y\r\n";
        let policy = parse_policy(text);
        assert_eq!(policy.problems, []);
        assert_eq!((policy.mode, policy.max_age, policy.mx.len()), (Some(Mode::Enforce), Some(604_800), 2));
        assert_eq!(&text[policy.mx[1].1.clone()], "*.example.net");
        assert_eq!(parse_policy("version: STSv1\nmode: none\nmax_age: 1\n").problems, []);
        assert_eq!(
            reasons(parse_policy("version: STSv1\nmode: enforce\nmax_age: 31557601\n").problems),
            ["`max_age` must be a number of seconds up to 31557600", "the field `mx` is missing"]
        );
    }

    #[test]
    fn case_98_a_wildcard_stands_for_one_label() {
        let host = |text| Name::parse(text).unwrap();
        assert!(mx_matches("*.example.com", &host("a.example.com")));
        assert!(!mx_matches("*.example.com", &host("a.b.example.com")));
        assert!(!mx_matches("*.example.com", &host("example.com")));
        assert!(mx_matches("MX.example.com", &host("mx.example.com")));
    }

    #[test]
    fn case_100_a_policy_that_changes_has_a_new_id() {
        let (old, new) = ("version: STSv1\r\nmode: testing\r\n", "version: STSv1\r\nmode: enforce\r\n");
        for (before, after, expected) in [
            (("1", old), ("1", old), Change::None),
            (("1", old), ("1", "version:STSv1\nmode:  testing"), Change::None),
            (("1", old), ("2", new), Change::Announced),
            (("1", old), ("1", new), Change::Unannounced),
            (("1", old), ("2", old), Change::Needless),
            (("a", old), ("A", old), Change::Needless),
        ] {
            let [before, after] = [before, after].map(|(id, policy)| Observation { id, policy });
            assert_eq!(change(before, after), expected, "{before:?} {after:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_text_is_read_with_ranges_inside(text in "[a-z:=;*. \r\nSTSv1é]{0,80}") {
            for problem in parse(&text).problems.into_iter().chain(parse_policy(&text).problems) {
                prop_assert!(text.get(problem.range).is_some());
            }
        }
    }
}
