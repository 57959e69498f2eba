//! What reports count: verdicts, severities, rules that were not checked and why. One pass over the assessment.

use std::collections::{BTreeMap, BTreeSet};

use super::entries_of;
use crate::facts::Cause;
use crate::findings::{Assessment, Counts, Finding, Verdict};
use crate::policy::{LeafId, Severity};

/// Counts of one assessment.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) counts: Counts,
    /// Failures without waiver by severity.
    pub(super) failed: BTreeMap<Severity, usize>,
    /// Rules with the verdict `not-checked`, by position.
    pub(super) not_checked: BTreeMap<u16, NotChecked>,
    /// Number of targets that await an answer, by position of the rule.
    pub(super) manual: BTreeMap<u16, usize>,
    /// Number of rules with at least one target.
    pub(super) rules_with_targets: usize,
}

/// Why a rule was not checked.
#[derive(Default)]
pub(super) struct NotChecked {
    /// How many targets.
    pub(super) targets: usize,
    /// Causes with the leaves that could not be read.
    pub(super) causes: BTreeMap<Cause, BTreeSet<LeafId>>,
}

impl Tally {
    pub(super) fn of(assessment: &Assessment) -> Tally {
        let mut tally = Tally { counts: assessment.counts(), ..Tally::default() };
        let mut seen = vec![false; assessment.policy.rules.len()];
        for target in &assessment.targets {
            for (verdict, seen) in target.verdicts.iter().zip(&mut seen) {
                *seen |= verdict.is_some();
            }
        }
        let counted = |verdict: Verdict| matches!(verdict, Verdict::Fail | Verdict::NotChecked | Verdict::Manual);
        for (key, finding) in entries_of(assessment, counted) {
            match finding.verdict {
                Verdict::Fail if !finding.is_waived() => *tally.failed.entry(finding.severity()).or_default() += 1,
                Verdict::NotChecked => tally.not_checked.entry(key.rule).or_default().add(&finding, key.rule),
                Verdict::Manual => *tally.manual.entry(key.rule).or_default() += 1,
                _ => {}
            }
        }
        tally.rules_with_targets = seen.into_iter().filter(|seen| *seen).count();
        tally
    }

    /// All findings together.
    pub(super) fn total(&self) -> usize {
        let counts = &self.counts;
        let decided = counts.pass + counts.fail + counts.waived;
        decided + counts.unknown + counts.error + counts.not_applicable + counts.not_checked + counts.manual
    }

    /// Why the outcome says nothing about any target, if so. Silence must not look like success.
    pub(super) fn nothing_judged(&self, assessment: &Assessment) -> Option<String> {
        // An inventory alone decides a few rules; they say nothing about what the files were to show.
        let coverage = &assessment.coverage;
        let read_nothing = coverage.sources.is_empty() && coverage.live.is_none();
        if read_nothing && assessment.base.is_none() && self.total() > 0 {
            return Some("no DNS source was read".to_owned());
        }
        if self.counts.pass + self.counts.fail + self.counts.waived > 0 {
            return None;
        }
        if let Some(base) = &assessment.base
            && (base.unchanged + base.resolved > 0 || !assessment.coverage.sources.is_empty())
        {
            return None;
        }
        Some(if assessment.policy.rules.is_empty() {
            "no rule was selected".to_owned()
        } else if assessment.targets.is_empty() {
            "no target was found".to_owned()
        } else if self.total() == 0 {
            "no selected rule is about any of the targets".to_owned()
        } else {
            format!("none of {} results is a pass or a failure", self.total())
        })
    }

    /// `3 failed (1 critical, 2 high), 1 waived, 0 unknown, …`.
    pub(super) fn words(&self) -> String {
        let severities: Vec<String> = Severity::DESCENDING
            .iter()
            .filter_map(|severity| self.failed.get(severity).map(|count| format!("{count} {severity}")))
            .collect();
        let severities = if severities.is_empty() { String::new() } else { format!(" ({})", severities.join(", ")) };
        let counts = &self.counts;
        format!(
            "{} failed{severities}, {} waived, {} unknown, {}, {} passed, {} not applicable, {} not checked, \
             {} awaiting an answer",
            counts.fail,
            counts.waived,
            counts.unknown,
            super::plural(counts.error, "error"),
            counts.pass,
            counts.not_applicable,
            counts.not_checked,
            counts.manual
        )
    }
}

/// The leaves whose facts this run does not collect for a target, for the verdict `not-checked`.
pub(super) fn not_collected<'a>(finding: &Finding<'a>, rule: u16) -> impl Iterator<Item = LeafId> + 'a {
    let leaves = &finding.target.not_collected;
    let first = leaves.partition_point(|(index, _)| index.0 < rule);
    leaves[first..].iter().take_while(move |(index, _)| index.0 == rule).map(|(_, leaf)| *leaf)
}

impl NotChecked {
    fn add(&mut self, finding: &Finding<'_>, rule: u16) {
        self.targets += 1;
        for leaf in not_collected(finding, rule) {
            self.causes.entry(Cause::NotCollected).or_default().insert(leaf);
        }
    }

    /// `not-collected: smtp.starttls, tls.version`.
    pub(super) fn words(&self, rule: &crate::policy::Rule) -> String {
        let causes: Vec<String> = self
            .causes
            .iter()
            .map(|(cause, leaves)| {
                let paths: BTreeSet<&str> = leaves
                    .iter()
                    .filter_map(|leaf| rule.leaves.get(leaf.0 as usize))
                    .map(|leaf| leaf.list.as_deref().unwrap_or(&leaf.path.text))
                    .collect();
                let mut shown: Vec<&str> = paths.iter().copied().take(3).collect();
                if paths.len() > 3 {
                    shown.push("…");
                }
                format!("{cause}: {}", shown.join(", "))
            })
            .collect();
        if causes.is_empty() { "this run does not collect what it needs".to_owned() } else { causes.join("; ") }
    }
}
