//! Sentences of explanations: what was observed, and what the rule expects.
//!
//! Everything is plain text. Values come from strangers, stand between backticks and are not escaped: each report escapes
//! the whole sentence for its sink. Authors of packs write no messages, so all findings read alike.

use std::fmt::Write as _;

use super::{Blame, BlameValue};
use crate::facts::{Kind, View};
use crate::policy::model::Bound;
use crate::policy::{Answer, Check, Expected, Leaf, Literal, Operator, Right, Rule};

/// One sentence, without a final full stop, that says why a leaf has its verdict: "SPF `all` qualifier is `softfail`;
/// expected `fail`". The note of the blame is part of it.
pub fn sentence(rule: &Rule, blame: &Blame) -> String {
    rule.leaves.get(usize::from(blame.leaf.0)).map(|leaf| of_leaf(leaf, blame)).unwrap_or_default()
}

fn of_leaf(leaf: &Leaf, blame: &Blame) -> String {
    let subject = subject(leaf, blame);
    match &blame.observed {
        BlameValue::Unknown(cause) => match &blame.note {
            Some(note) => format!("{subject} could not be determined ({cause}: {note})"),
            None => format!("{subject} could not be determined ({cause})"),
        },
        BlameValue::Absent(_) => with_note(absent(leaf, blame, &subject), blame),
        BlameValue::Present(value) => present(leaf, blame, &subject, value),
    }
}

/// What a person answered, in one sentence: "answered `pass` by Anna Smith (mail operations) on 2026-06-12, good until
/// 2027-06-12: keys s1 and s2 were changed".
pub fn answered(rule: &Rule, answer: &Answer) -> String {
    let role = answer.role.as_deref().map(|role| format!(" ({role})")).unwrap_or_default();
    let note = answer.note.as_deref().map(|note| format!(": {note}")).unwrap_or_default();
    let Answer { answer: word, by, date, .. } = answer;
    format!("answered `{word}` by {by}{role} on {date}, good until {}{note}", last_day(rule, answer))
}

/// The last day on which an answer to a rule holds, UTC.
pub fn last_day(rule: &Rule, answer: &Answer) -> jiff::civil::Date {
    match &rule.check {
        Check::Manual(question) => answer.last_day(question),
        Check::Automatic(_) => answer.until.unwrap_or(answer.date),
    }
}

/// The blamed fact as tests of packs name it: `spf.all`, `dns.mx[].host`, `smtp.vrfy[root].code`.
pub fn fact_path(rule: &Rule, blame: &Blame) -> String {
    let Some(leaf) = rule.leaves.get(usize::from(blame.leaf.0)) else { return String::new() };
    match (&leaf.list, &blame.element) {
        (Some(list), Some(element)) if leaf.element => format!("{list}[{element}].{}", field(leaf)),
        (Some(list), None) if leaf.element => format!("{list}[].{}", field(leaf)),
        _ => leaf.path.text.clone(),
    }
}

/// What a leaf expects: "expected at least `2048`", or, when the comparison must not hold, "must not be `none`".
pub fn expectation(leaf: &Leaf, expected: Option<&str>, negated: bool) -> String {
    let right = |side: &Right| right(side, expected);
    let choose = |plain: String, contrary: String| if negated { contrary } else { plain };
    match &leaf.operator {
        Operator::Equals(side) => choose(format!("expected {}", right(side)), format!("must not be {}", right(side))),
        Operator::NotEquals(side) => {
            choose(format!("must not be {}", right(side)), format!("expected {}", right(side)))
        }
        Operator::In(set) => choose(one_of("expected", set), one_of("must not be", set)),
        Operator::NotIn(set) => choose(one_of("must not be", set), one_of("expected", set)),
        // Nothing is above the highest word of an ordered set.
        Operator::AtLeast(side) if is_highest(side) => {
            choose(format!("expected {}", right(side)), format!("must not be {}", right(side)))
        }
        Operator::AtLeast(side) => {
            choose(format!("expected at least {}", right(side)), format!("expected less than {}", right(side)))
        }
        Operator::AtMost(side) => {
            choose(format!("expected at most {}", right(side)), format!("expected more than {}", right(side)))
        }
        Operator::Between(low, high) => choose(
            format!("expected between {} and {}", right(low), right(high)),
            format!("must not lie between {} and {}", right(low), right(high)),
        ),
        Operator::Matches(pattern) => choose(
            format!("expected to match {}", quote(&pattern.text)),
            format!("must not match {}", quote(&pattern.text)),
        ),
        Operator::Contains(side) => {
            choose(format!("expected to contain {}", right(side)), format!("must not contain {}", right(side)))
        }
        Operator::SameSetAs(side) => {
            choose(format!("expected the same as {}", right(side)), format!("must not be the same as {}", right(side)))
        }
        Operator::SubsetOf(side) => {
            choose(format!("expected nothing but {}", right(side)), format!("expected more than {}", right(side)))
        }
        Operator::Count(limit) | Operator::Distinct(limit) => bound(limit, expected, negated, ""),
        Operator::DaysLeft(limit) => bound(limit, expected, negated, " days left"),
        Operator::OlderThan(side) => {
            choose(format!("expected older than {}", right(side)), format!("must not be older than {}", right(side)))
        }
        Operator::Is(wanted) => {
            let present = (*wanted == Expected::Present) != negated;
            if present { "there must be one".to_owned() } else { "there must be none".to_owned() }
        }
        Operator::Elements => "nothing to check".to_owned(),
    }
}

/// A literal as it is written in packs, without backticks.
pub fn literal(value: &Literal) -> String {
    match value {
        Literal::Bool(value) => value.to_string(),
        Literal::Int(value) => value.to_string(),
        Literal::Duration(seconds) => duration(*seconds),
        Literal::Time(value) => View::Time(*value).to_string(),
        Literal::Text(value) | Literal::Name(value) => value.to_string(),
        Literal::Address(value) => value.to_string(),
        Literal::Word { rank, words } => words.words.get(usize::from(*rank)).copied().unwrap_or("?").to_owned(),
    }
}

/// A length of time as packs write it: the largest unit that divides it.
pub fn duration(seconds: i64) -> String {
    for (unit, name) in [(86_400, 'd'), (3_600, 'h'), (60, 'm')] {
        if seconds != 0 && seconds % unit == 0 {
            return format!("{}{name}", seconds / unit);
        }
    }
    format!("{seconds}s")
}

/// Text between backticks.
pub fn quote(text: &str) -> String {
    format!("`{text}`")
}

fn field(leaf: &Leaf) -> &str {
    leaf.path.text.strip_prefix("it.").unwrap_or(&leaf.path.text)
}

fn subject(leaf: &Leaf, blame: &Blame) -> String {
    match &blame.element {
        Some(element) => format!("{} for {}", leaf.path.title, quote(element)),
        None => leaf.path.title.to_owned(),
    }
}

fn absent(leaf: &Leaf, blame: &Blame, subject: &str) -> String {
    match &leaf.operator {
        Operator::Elements => format!("there are no {subject}"),
        _ if matches!(leaf.path.kind, Kind::List(_) | Kind::ListOf(_)) => {
            format!("there are no {subject}; {}", expectation(leaf, blame.expected.as_deref(), blame.negated))
        }
        // Titles of yes-or-no facts are statements, and those of numbers are often plurals, so they do not take "is".
        _ if matches!(leaf.path.kind, Kind::Bool | Kind::Int) => {
            format!("{subject}: nothing there; {}", expectation(leaf, blame.expected.as_deref(), blame.negated))
        }
        _ => format!("there is no {subject}; {}", expectation(leaf, blame.expected.as_deref(), blame.negated)),
    }
}

fn present(leaf: &Leaf, blame: &Blame, subject: &str, value: &str) -> String {
    let expectation = || expectation(leaf, blame.expected.as_deref(), blame.negated);
    match &leaf.operator {
        // For sets the note says which values are too many and which are missing, which is what has to be mended.
        Operator::SameSetAs(_) | Operator::SubsetOf(_) if !blame.negated => match &blame.note {
            Some(note) => format!("{subject}: {note}"),
            None => format!("{subject}: {}; {}", quote(value), expectation()),
        },
        Operator::Elements if value == "0" => with_note(format!("there are no {subject}"), blame),
        Operator::Elements => with_note(format!("none of the {value} {subject} is one that the rule is about"), blame),
        // The note names what was counted, so it stands beside the number.
        Operator::Count(_) => {
            let counted = with_note(format!("number of {subject} is {}", quote(value)), blame);
            format!("{counted}; {}", expectation())
        }
        Operator::Distinct(_) => with_note(format!("{subject}: {value} distinct; {}", expectation()), blame),
        _ if matches!(leaf.path.kind, Kind::Bool | Kind::Int) => {
            with_note(format!("{subject}: {}; {}", quote(value), expectation()), blame)
        }
        _ => with_note(format!("{subject} is {}; {}", quote(value), expectation()), blame),
    }
}

fn with_note(mut text: String, blame: &Blame) -> String {
    if let Some(note) = &blame.note {
        let _ = write!(text, " ({note})");
    }
    text
}

/// A right side in a sentence: its value, or the other fact's title with its value.
fn right(side: &Right, expected: Option<&str>) -> String {
    match (side, expected) {
        (Right::Literal(value), _) => quote(&literal(value)),
        (Right::Set(values), _) => list(values),
        (Right::Fact(path), Some(value)) => format!("{} ({})", path.title, quote(value)),
        (Right::Fact(path), None) => path.title.to_owned(),
    }
}

/// Whether a right side is the last word of an ordered set.
fn is_highest(side: &Right) -> bool {
    matches!(side, Right::Literal(Literal::Word { rank, words }) if usize::from(*rank) + 1 == words.words.len())
}

fn one_of(verb: &str, values: &[Literal]) -> String {
    match values {
        [value] => format!("{verb} {}", quote(&literal(value))),
        _ => format!("{verb} one of {}", list(values)),
    }
}

fn list(values: &[Literal]) -> String {
    values.iter().map(|value| quote(&literal(value))).collect::<Vec<_>>().join(", ")
}

fn bound(limit: &Bound, expected: Option<&str>, negated: bool, unit: &str) -> String {
    let number = |side: &Right| match side {
        Right::Literal(Literal::Int(value)) => value.to_string(),
        other => right(other, expected),
    };
    match (limit, negated) {
        (Bound::Equals(side), false) => format!("expected {}{unit}", number(side)),
        (Bound::Equals(side), true) => format!("must not be {}{unit}", number(side)),
        (Bound::AtLeast(side), false) => format!("expected at least {}{unit}", number(side)),
        (Bound::AtLeast(side), true) => format!("expected less than {}{unit}", number(side)),
        (Bound::AtMost(side), false) => format!("expected at most {}{unit}", number(side)),
        (Bound::AtMost(side), true) => format!("expected more than {}{unit}", number(side)),
        (Bound::Between(low, high), false) => format!("expected between {} and {}{unit}", number(low), number(high)),
        (Bound::Between(low, high), true) => {
            format!("must not lie between {} and {}{unit}", number(low), number(high))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{FileId, Span};
    use crate::facts::{Catalogue, Cause, Proof, Target};
    use crate::policy::{IfAbsent, LeafId};

    fn leaf(path: &str, operator: Operator) -> Leaf {
        Leaf {
            path: Catalogue::resolve(Target::Domain, path).unwrap(),
            element: false,
            list: None,
            operator,
            if_absent: IfAbsent::Fail,
            span: Span::new(FileId(0), 0, 0),
        }
    }

    fn blame(observed: BlameValue, note: Option<&str>, negated: bool) -> Blame {
        let note = note.map(Into::into);
        Blame { leaf: LeafId(0), element: None, observed, expected: None, negated, span: None, note }
    }

    fn int(number: i64) -> Right {
        Right::Literal(Literal::Int(number))
    }

    #[test]
    fn expectations_have_both_polarities() {
        let text = |text: &str| Right::Literal(Literal::Text(text.into()));
        let set = || vec![Literal::Int(1), Literal::Int(2)];
        let pattern =
            || crate::policy::model::Pattern { text: "a+".to_owned(), regex: regex::Regex::new("^a+$").unwrap() };
        let cases = [
            (Operator::Equals(int(1)), "expected `1`", "must not be `1`"),
            (Operator::NotEquals(int(1)), "must not be `1`", "expected `1`"),
            (Operator::In(set()), "expected one of `1`, `2`", "must not be one of `1`, `2`"),
            (Operator::NotIn(set()), "must not be one of `1`, `2`", "expected one of `1`, `2`"),
            (Operator::AtLeast(int(1)), "expected at least `1`", "expected less than `1`"),
            (Operator::AtMost(int(1)), "expected at most `1`", "expected more than `1`"),
            (Operator::Between(int(1), int(2)), "expected between `1` and `2`", "must not lie between `1` and `2`"),
            (Operator::Matches(pattern()), "expected to match `a+`", "must not match `a+`"),
            (Operator::Contains(text("x")), "expected to contain `x`", "must not contain `x`"),
            (Operator::SubsetOf(Right::Set(set())), "expected nothing but `1`, `2`", "expected more than `1`, `2`"),
            (Operator::Count(Bound::Equals(int(1))), "expected 1", "must not be 1"),
            (
                Operator::DaysLeft(Bound::AtLeast(int(21))),
                "expected at least 21 days left",
                "expected less than 21 days left",
            ),
            (Operator::Is(Expected::Present), "there must be one", "there must be none"),
            (Operator::Is(Expected::Absent), "there must be none", "there must be one"),
        ];
        for (operator, plain, contrary) in cases {
            let leaf = leaf("spf.lookups", operator);
            assert_eq!(expectation(&leaf, None, false), plain);
            assert_eq!(expectation(&leaf, None, true), contrary);
        }
    }

    #[test]
    fn the_three_observations_are_three_sentences() {
        let leaf = leaf("spf.lookups", Operator::AtMost(int(10)));
        let cases = [
            (BlameValue::Present("11".into()), None, "SPF DNS lookups: `11`; expected at most `10`"),
            (BlameValue::Absent(Proof::Nxdomain), None, "SPF DNS lookups: nothing there; expected at most `10`"),
            (BlameValue::Unknown(Cause::DnsTimeout), None, "SPF DNS lookups could not be determined (dns-timeout)"),
            (
                BlameValue::Unknown(Cause::NotCollected),
                Some("_spf.example.net is outside this repository"),
                "SPF DNS lookups could not be determined (not-collected: _spf.example.net is outside this repository)",
            ),
        ];
        for (observed, note, expected) in cases {
            assert_eq!(of_leaf(&leaf, &blame(observed, note, false)), expected);
        }
    }

    #[test]
    fn lengths_of_time_use_the_largest_unit_that_divides_them() {
        let cases = [(0, "0s"), (45, "45s"), (90, "90s"), (120, "2m"), (7200, "2h"), (1_209_600, "14d")];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
        }
    }
}
