//! Why a verdict is what it is, as lines that every report shows in its own way.

use std::collections::BTreeSet;

use super::tally;
use crate::findings::{Blame, BlameValue, Finding, words};
use crate::policy::{Leaf, Rule};

/// One line of an explanation. Nothing in it is escaped for any sink.
pub(super) struct Line<'a> {
    /// What was observed and what was expected.
    pub(super) sentence: String,
    /// The fact, with the list element it belongs to: `smtp.vrfy[root].code`.
    pub(super) path: String,
    /// Whether the line did not decide the verdict: something beside it could not be determined.
    pub(super) also: bool,
    /// The observation.
    pub(super) blame: &'a Blame,
    /// What was expected.
    pub(super) leaf: Option<&'a Leaf>,
}

impl<'a> Line<'a> {
    /// The line of one fact.
    pub(super) fn of(rule: &'a Rule, blame: &'a Blame, also: bool) -> Line<'a> {
        let leaf = rule.leaves.get(usize::from(blame.leaf.0));
        Line { sentence: words::sentence(rule, blame), path: path(leaf, blame), also, blame, leaf }
    }

    /// The observation alone, for readers that keep it apart from the expectation: `spf.all: softfail`.
    pub(super) fn observed(&self) -> String {
        let note = self.blame.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
        let value = match &self.blame.observed {
            BlameValue::Present(value) => value.to_string(),
            BlameValue::Absent(proof) => format!("absent, {proof}"),
            BlameValue::Unknown(cause) => format!("unknown, {cause}"),
        };
        format!("{}{}: {value}{note}", if self.also { "also " } else { "" }, self.path)
    }

    /// The expectation alone: `spf.all: expected `fail``.
    pub(super) fn expected(&self) -> Option<String> {
        let expected = words::expectation(self.leaf?, self.blame.expected.as_deref(), self.blame.negated);
        Some(format!("{}: {expected}", self.path))
    }
}

/// The facts that a rule needs and this run does not collect for a target, for the verdict `not-checked`.
pub(super) fn not_collected<'a>(finding: &Finding<'a>, rule: u16) -> BTreeSet<&'a str> {
    let leaves = &finding.rule.leaves;
    tally::not_collected(finding, rule)
        .filter_map(|leaf| leaves.get(usize::from(leaf.0)))
        .map(|leaf| leaf.list.as_deref().unwrap_or(&leaf.path.text))
        .collect()
}

/// The explanation of a finding: first what decides the verdict, then what could not be determined beside it.
pub(super) fn explanation<'a>(finding: &Finding<'a>) -> Vec<Line<'a>> {
    let Some(detail) = finding.detail else { return Vec::new() };
    let line = |blame: &'a Blame, also| Line::of(finding.rule, blame, also);
    let decisive = detail.blame.iter().map(|blame| line(blame, false));
    let mut lines: Vec<Line<'a>> = decisive.chain(detail.also.iter().map(|blame| line(blame, true))).collect();
    // A rule may look at one fact twice, on two branches; readers learn nothing from the second time.
    let mut told = BTreeSet::new();
    lines.retain(|line| told.insert((line.also, line.sentence.clone(), line.blame.span)));
    lines
}

fn path(leaf: Option<&Leaf>, blame: &Blame) -> String {
    let Some(leaf) = leaf else { return String::new() };
    match (&leaf.list, &blame.element) {
        (Some(list), Some(element)) if leaf.path.text.is_empty() => format!("{list}[{element}]"),
        (Some(list), Some(element)) => format!("{list}[{element}].{}", leaf.path.text),
        (Some(list), None) if leaf.element => format!("{list}[].{}", leaf.path.text),
        _ => leaf.path.text.clone(),
    }
}
