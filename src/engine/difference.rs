//! What became of the findings of an earlier run.
//!
//! A finding is the same when rule and target are. What is no longer judged is not fixed, and what could not be
//! determined is neither fixed nor new: [`Change`] keeps these apart, so that a run that saw less never looks like
//! progress. Both runs should be judged by the same rules; rules that only one of them has are listed.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::{State, detail_of, worse};
use crate::facts::Target;
use crate::findings::difference::{Change, ChangeCounts, FindingChange, FindingState, TargetName};
use crate::findings::words::{answered, sentence};
use crate::findings::{AssessedTarget, Assessment, Finding, Verdict};
use crate::policy::Rule;

/// Most sentences of one explanation.
const SENTENCES: usize = 10;

/// What became of targets, rules and findings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// How many findings changed, and how many did not.
    pub counts: ChangeCounts,
    /// Targets that only the later run has, sorted.
    pub targets_appeared: Vec<TargetName>,
    /// Targets that only the earlier run has, sorted.
    pub targets_vanished: Vec<TargetName>,
    /// Rules that only the later run has, sorted.
    pub rules_appeared: Vec<String>,
    /// Rules that only the earlier run has, sorted.
    pub rules_gone: Vec<String>,
    /// Findings that changed, sorted by change, severity, target and rule.
    pub findings: Vec<FindingChange>,
}

/// Compares two runs.
pub fn difference(old: &Assessment, new: &Assessment) -> Compared {
    let (old_side, new_side) = (Indexed::of(old), Indexed::of(new));
    let mut compared = Compared {
        targets_appeared: new_side.targets_without(&old_side),
        targets_vanished: old_side.targets_without(&new_side),
        rules_appeared: new_side.rules_without(&old_side),
        rules_gone: old_side.rules_without(&new_side),
        ..Compared::default()
    };
    let keys: BTreeSet<(Target, &str)> = old_side.targets.keys().chain(new_side.targets.keys()).copied().collect();
    let rules: BTreeSet<&str> = old_side.rules.keys().chain(new_side.rules.keys()).copied().collect();
    for key in keys {
        for rule in &rules {
            compared.take(old_side.state(key, rule), new_side.state(key, rule));
        }
    }
    compared.findings.sort_by(|one, other| {
        let key = |item: &FindingChange| (item.change, std::cmp::Reverse(item.severity));
        (key(one), &one.target, &one.rule).cmp(&(key(other), &other.target, &other.rule))
    });
    compared
}

/// A run that is looked up by names.
struct Indexed<'a> {
    assessment: &'a Assessment,
    targets: BTreeMap<(Target, &'a str), &'a AssessedTarget>,
    rules: BTreeMap<&'a str, usize>,
}

/// One finding of one run.
struct Seen<'a> {
    assessment: &'a Assessment,
    target: &'a AssessedTarget,
    state: State<'a>,
}

impl<'a> Indexed<'a> {
    fn of(assessment: &'a Assessment) -> Indexed<'a> {
        let targets = assessment.targets.iter().map(|target| ((target.kind, target.name.as_str()), target)).collect();
        let rules = assessment.policy.rules.iter().enumerate().map(|(index, rule)| (rule.id.as_str(), index)).collect();
        Indexed { assessment, targets, rules }
    }

    fn targets_without(&self, other: &Indexed<'_>) -> Vec<TargetName> {
        let only = self.targets.keys().filter(|key| !other.targets.contains_key(*key));
        only.map(|(kind, name)| TargetName { kind: *kind, name: (*name).to_owned() }).collect()
    }

    fn rules_without(&self, other: &Indexed<'_>) -> Vec<String> {
        self.rules.keys().filter(|rule| !other.rules.contains_key(*rule)).map(|rule| (*rule).to_owned()).collect()
    }

    fn state(&self, key: (Target, &str), rule: &str) -> Option<Seen<'a>> {
        let (target, index) = (*self.targets.get(&key)?, *self.rules.get(rule)?);
        let verdict = (*target.verdicts.get(index)?)?;
        let rule: &'a Rule = self.assessment.policy.rules.get(index)?;
        Some(Seen {
            assessment: self.assessment,
            target,
            state: State { rule, verdict, detail: detail_of(target, index) },
        })
    }
}

/// What a verdict says about the target, as far as two runs can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Not judged: no such target or rule, not checked, or waiting for a person.
    Nothing,
    Good,
    Unknown,
    Failed,
}

fn standing(seen: Option<&Seen<'_>>) -> Standing {
    match seen.map(|seen| seen.state.verdict) {
        None | Some(Verdict::NotChecked | Verdict::Manual) => Standing::Nothing,
        Some(Verdict::Pass | Verdict::NotApplicable) => Standing::Good,
        Some(Verdict::Unknown | Verdict::Error) => Standing::Unknown,
        Some(Verdict::Fail) => Standing::Failed,
    }
}

impl Compared {
    /// Takes in one rule on one target.
    fn take(&mut self, before: Option<Seen<'_>>, after: Option<Seen<'_>>) {
        use Standing::{Failed, Good, Nothing, Unknown};
        let counts = &mut self.counts;
        let change = match (standing(before.as_ref()), standing(after.as_ref())) {
            (Nothing, Nothing) => return,
            (Nothing, Good) => return counts.newly_judged += 1,
            (Good, Nothing) => return counts.no_longer_judged += 1,
            (Good, Good) => return counts.good += 1,
            (Nothing, Unknown | Failed) => Change::Appeared,
            (Unknown | Failed, Nothing) => Change::Gone,
            (Good, Failed) => Change::New,
            (Good | Failed, Unknown) => Change::BecameUnknown,
            (Unknown, Good | Failed) => Change::BecameKnown,
            (Failed, Good) => Change::Fixed,
            (Unknown, Unknown) => match moved(before.as_ref(), after.as_ref(), is_graver) {
                Some(change) => change,
                None => return counts.still_unknown += 1,
            },
            (Failed, Failed) => match moved(before.as_ref(), after.as_ref(), worse) {
                Some(change) => change,
                None => return counts.unchanged += 1,
            },
        };
        *counts.changed.entry(change).or_default() += 1;
        let Some(now) = after.as_ref().or(before.as_ref()) else { return };
        let rule = now.state.rule;
        self.findings.push(FindingChange {
            fingerprint: finding(now).fingerprint(),
            change,
            rule: rule.id.clone(),
            title: rule.title.clone(),
            severity: rule.severity,
            target: TargetName { kind: now.target.kind, name: now.target.name.clone() },
            before: before.as_ref().map(state),
            after: after.as_ref().map(state),
        });
    }
}

/// Whether a finding that stands as before is worse or better, by a comparison that says "worse".
fn moved(
    before: Option<&Seen<'_>>,
    after: Option<&Seen<'_>>,
    worse: fn(&State<'_>, &State<'_>) -> bool,
) -> Option<Change> {
    let (before, after) = (&before?.state, &after?.state);
    if worse(after, before) {
        Some(Change::Worse)
    } else if worse(before, after) {
        Some(Change::Better)
    } else {
        None
    }
}

/// What makes something worse that was and is unknown. Which facts are missing differs from run to run and says nothing.
fn is_graver(now: &State<'_>, then: &State<'_>) -> bool {
    let waived = |state: &State<'_>| state.detail.is_some_and(|detail| detail.waived.is_some());
    now.rule.severity > then.rule.severity || (waived(then) && !waived(now))
}

fn finding<'a>(seen: &Seen<'a>) -> Finding<'a> {
    let State { rule, verdict, detail } = seen.state;
    Finding { rule, target: seen.target, verdict, detail }
}

fn state(seen: &Seen<'_>) -> FindingState {
    let finding = finding(seen);
    let answer = seen.assessment.answer(&finding).map(|answer| answered(finding.rule, answer));
    let mut because: Vec<String> = answer.into_iter().collect();
    for blame in finding.detail.into_iter().flat_map(|detail| &detail.blame) {
        let sentence = sentence(finding.rule, blame);
        if because.len() < SENTENCES && !because.contains(&sentence) {
            because.push(sentence);
        }
    }
    FindingState { verdict: finding.verdict, severity: finding.severity(), waived: finding.is_waived(), because }
}

#[cfg(test)]
mod tests;
