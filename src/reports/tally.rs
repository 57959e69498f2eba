//! What reports count: verdicts, severities, rules that were not checked and why. One pass over the assessment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::finding;
use crate::facts::Cause;
use crate::findings::{AssessedTarget, Assessment, Counts, Finding, Verdict};
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
        // Millions of verdicts pass by here, so they are counted by the position of their rule first.
        let rules = &assessment.policy.rules;
        let (mut seen, mut failed, mut manual) = (vec![false; rules.len()], vec![0; rules.len()], vec![0; rules.len()]);
        let mut not_checked: Vec<NotChecked> = rules.iter().map(|_| NotChecked::default()).collect();
        let mut before: Option<&AssessedTarget> = None;
        for target in &assessment.targets {
            for (verdict, rule) in target.verdicts.iter().zip(0u16..) {
                let (Some(verdict), at) = (verdict, usize::from(rule)) else { continue };
                seen[at] = true;
                match verdict {
                    Verdict::Fail => {
                        let waived = finding(assessment, target, rule).is_some_and(|finding| finding.is_waived());
                        failed[at] += usize::from(!waived);
                    }
                    Verdict::NotChecked => not_checked[at].targets += 1,
                    Verdict::Manual => manual[at] += 1,
                    Verdict::Pass | Verdict::Unknown | Verdict::Error | Verdict::NotApplicable => {}
                }
            }
            // Most targets share their rows with the one before, whose leaves are noted already.
            let shares = |other: &AssessedTarget| {
                Arc::ptr_eq(&other.verdicts, &target.verdicts)
                    && Arc::ptr_eq(&other.not_collected, &target.not_collected)
            };
            if !before.replace(target).is_some_and(shares) {
                for (rule, leaf) in target.not_collected.iter() {
                    let at = usize::from(rule.0);
                    if target.verdicts.get(at) == Some(&Some(Verdict::NotChecked)) {
                        not_checked[at].add(*leaf);
                    }
                }
            }
        }
        let mut tally = Tally { counts: assessment.counts(), ..Tally::default() };
        for (rule, failed) in rules.iter().zip(failed).filter(|(_, failed)| *failed > 0) {
            *tally.failed.entry(rule.severity).or_default() += failed;
        }
        tally.not_checked = (0u16..).zip(not_checked).filter(|(_, why)| why.targets > 0).collect();
        tally.manual = (0u16..).zip(manual).filter(|(_, count)| *count > 0).collect();
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
    fn add(&mut self, leaf: LeafId) {
        self.causes.entry(Cause::NotCollected).or_default().insert(leaf);
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
