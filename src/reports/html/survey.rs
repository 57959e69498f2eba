//! What the chapters count, in one pass over the assessment: verdicts by severity, by rule, and by target and pack.

use std::collections::BTreeMap;

use super::super::{Key, entries};
use crate::findings::{Assessment, Counts, Finding, Verdict};
use crate::policy::Severity;

/// How many findings of a kind there are, by [`Class`].
pub(super) type ByClass = [usize; Class::ALL.len()];

/// Verdicts as a reader of the report tells them apart: a waived failure is a class of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Failed,
    Waived,
    Unknown,
    Error,
    Passed,
    Manual,
    NotChecked,
    NotApplicable,
}

impl Class {
    pub(super) const ALL: [Class; 8] = [
        Class::Failed,
        Class::Waived,
        Class::Unknown,
        Class::Error,
        Class::Passed,
        Class::Manual,
        Class::NotChecked,
        Class::NotApplicable,
    ];

    pub(super) fn of(finding: &Finding<'_>) -> Class {
        match finding.verdict {
            Verdict::Fail if finding.is_waived() => Class::Waived,
            Verdict::Fail => Class::Failed,
            Verdict::Unknown => Class::Unknown,
            Verdict::Error => Class::Error,
            Verdict::Pass => Class::Passed,
            Verdict::Manual => Class::Manual,
            Verdict::NotChecked => Class::NotChecked,
            Verdict::NotApplicable => Class::NotApplicable,
        }
    }

    /// The words of the report.
    pub(super) fn words(self) -> &'static str {
        match self {
            Class::Failed => "Failed",
            Class::Waived => "Waived",
            Class::Unknown => "Not determined",
            Class::Error => "Error of the tool",
            Class::Passed => "Passed",
            Class::Manual => "Awaiting an answer",
            Class::NotChecked => "Not checked",
            Class::NotApplicable => "Not applicable",
        }
    }
}

/// The findings of one target on the rules of one pack.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cell {
    /// Counts by class.
    pub(super) classes: ByClass,
    /// The worst severity of what failed.
    pub(super) worst: Option<Severity>,
}

/// Failures of one rule.
#[derive(Debug)]
pub(super) struct Group {
    /// Position of the rule.
    pub(super) rule: u16,
    /// Failures without waiver, by target.
    pub(super) open: Vec<Key>,
    /// Failures with a waiver, by target.
    pub(super) waived: Vec<Key>,
}

/// Everything that is counted.
pub(super) struct Survey {
    pub(super) counts: Counts,
    /// By severity, from the worst down.
    pub(super) severities: [ByClass; Severity::DESCENDING.len()],
    /// By position of the rule.
    pub(super) rules: Vec<ByClass>,
    /// Names of packs with rules, sorted: the columns of the matrix.
    pub(super) packs: Vec<String>,
    /// By target, then by pack.
    pub(super) cells: Vec<Cell>,
    /// Rules with failures, the worst first.
    pub(super) groups: Vec<Group>,
    /// What could not be determined.
    pub(super) undetermined: Vec<Key>,
}

impl Survey {
    pub(super) fn of(assessment: &Assessment) -> Survey {
        let rules = &assessment.policy.rules;
        let mut packs: Vec<String> = rules.iter().map(|rule| rule.pack.name.clone()).collect();
        packs.sort();
        packs.dedup();
        let columns: Vec<usize> =
            rules.iter().map(|rule| packs.binary_search(&rule.pack.name).unwrap_or_default()).collect();
        let mut survey = Survey {
            counts: assessment.counts(),
            severities: Default::default(),
            rules: vec![ByClass::default(); rules.len()],
            cells: vec![Cell::default(); assessment.targets.len() * packs.len()],
            packs,
            groups: Vec::new(),
            undetermined: Vec::new(),
        };
        let mut groups: BTreeMap<_, Group> = BTreeMap::new();
        for (key, finding) in entries(assessment) {
            let (class, rule) = (Class::of(&finding), usize::from(key.rule));
            let severity = Severity::DESCENDING.iter().position(|other| *other == finding.severity());
            survey.severities[severity.unwrap_or_default()][class as usize] += 1;
            survey.rules[rule][class as usize] += 1;
            let cell = &mut survey.cells[key.target as usize * survey.packs.len() + columns[rule]];
            cell.classes[class as usize] += 1;
            let group = || Group { rule: key.rule, open: Vec::new(), waived: Vec::new() };
            match class {
                Class::Failed => {
                    cell.worst = cell.worst.max(Some(finding.severity()));
                    groups.entry((key.severity, key.rule)).or_insert_with(group).open.push(key);
                }
                Class::Waived => groups.entry((key.severity, key.rule)).or_insert_with(group).waived.push(key),
                Class::Unknown | Class::Error => survey.undetermined.push(key),
                _ => {}
            }
        }
        survey.groups = groups.into_values().collect();
        survey
    }

    /// The cells of one target, by pack.
    pub(super) fn row(&self, target: usize) -> &[Cell] {
        let width = self.packs.len();
        self.cells.get(target * width..(target + 1) * width).unwrap_or_default()
    }

    /// All findings together.
    pub(super) fn total(&self) -> usize {
        self.severities.iter().flatten().sum()
    }

    /// How many findings have a class.
    pub(super) fn class(&self, class: Class) -> usize {
        self.severities.iter().map(|classes| classes[class as usize]).sum()
    }

    /// How many targets fail a rule without waiver.
    pub(super) fn failing_targets(&self) -> usize {
        match self.packs.len() {
            0 => 0,
            width => self.cells.chunks(width).filter(|row| row.iter().any(|cell| cell.worst.is_some())).count(),
        }
    }

    /// Targets by what failed there, the worst first: severity by severity, then by name.
    pub(super) fn worst_targets(&self, targets: usize) -> Vec<usize> {
        let weight = |target: &usize| {
            let row = self.row(*target);
            let worst = row.iter().filter_map(|cell| cell.worst).max();
            let failed: usize = row.iter().map(|cell| cell.classes[Class::Failed as usize]).sum();
            let open: usize = row.iter().map(|cell| cell.classes[Class::Unknown as usize]).sum();
            std::cmp::Reverse((worst, failed, open))
        };
        let mut order: Vec<usize> = (0..targets).collect();
        order.sort_by_cached_key(weight);
        order
    }
}
