//! What differs between two runs: findings, targets, rules and facts. Plain data, complete, and in its JSON form a
//! public format; the engine fills it, reports render it, nothing here decides.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Counts, Verdict};
use crate::facts::{Cause, Target};
use crate::policy::{PackRef, Severity};

/// Version of the document. It changes when a reader of the old one would misread the new one.
pub const DIFFERENCE_VERSION: u32 = 1;

/// What differs between two runs that were judged by the same rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Difference {
    /// Version of this format; 1.
    pub schema_version: u32,
    /// Version of mailvet that compared.
    pub version: String,
    /// Name of the profile by which both runs were judged.
    pub profile: String,
    /// Packs by which both runs were judged, with version and digest.
    pub packs: Vec<PackRef>,
    /// The earlier run.
    pub old: Side,
    /// The later run.
    pub new: Side,
    /// Number of findings by what became of them. Findings that are in no list are counted here all the same.
    pub counts: ChangeCounts,
    /// Targets that only the later run has.
    pub targets_appeared: Vec<TargetName>,
    /// Targets that only the earlier run has.
    pub targets_vanished: Vec<TargetName>,
    /// Rules that were applied to the later run only.
    pub rules_appeared: Vec<String>,
    /// Rules that were applied to the earlier run only.
    pub rules_gone: Vec<String>,
    /// Findings that changed: sorted by change, severity (the worst first), target and rule.
    pub findings: Vec<FindingChange>,
    /// Facts that changed, of targets that both runs have and of which at least one fact changed.
    pub facts: Vec<TargetChanges>,
}

/// One of the two runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Side {
    /// Where it was read from, as given.
    pub source: String,
    /// The day on which its collection started, UTC, as `YYYY-MM-DD`.
    pub collected: String,
    /// The date for which dates were judged, as `YYYY-MM-DD`.
    pub as_of: String,
    /// Version of mailvet that collected.
    pub version: String,
    /// Number of targets.
    pub targets: usize,
    /// Number of findings by verdict; waived failures are counted apart.
    pub counts: Counts,
    /// Why nothing was judged, if so: then nothing follows from the comparison.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_judged_because: Option<String>,
    /// What the run says about itself, such as that it was interrupted.
    pub messages: Vec<String>,
    /// What the options of the run left out, in words: what only one run looked at appears or vanishes for that reason.
    pub left_out: Vec<String>,
}

/// What became of a finding. The words before the dash in the documentation are those of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It fails now, and did not where rule and target were judged before.
    New,
    /// It fails or is unknown now, at a target or by a rule that was not judged before.
    Appeared,
    /// It failed or was unknown before, and is worse now: the severity was raised, a waiver no longer covers it, or the
    /// explanation blames a fact, an element or a value that it did not blame before.
    Worse,
    /// It passed or failed before, and could not be determined now.
    BecameUnknown,
    /// It could not be determined before, and passes or fails now.
    BecameKnown,
    /// It failed before, and is less bad now.
    Better,
    /// It failed before, and passes or no longer applies.
    Fixed,
    /// It failed or was unknown before, at a target or by a rule that is not judged now. That is no remedy.
    Gone,
}

impl Change {
    /// Every change, in the order in which reports show them.
    pub const ALL: [Change; 8] = [
        Change::New,
        Change::Appeared,
        Change::Worse,
        Change::BecameUnknown,
        Change::BecameKnown,
        Change::Better,
        Change::Fixed,
        Change::Gone,
    ];

    /// The change in words, as a heading.
    pub fn title(self) -> &'static str {
        match self {
            Change::New => "New",
            Change::Appeared => "New, where nothing was judged before",
            Change::Worse => "Worse",
            Change::BecameUnknown => "Became unknown",
            Change::BecameKnown => "Became known",
            Change::Better => "Better",
            Change::Fixed => "Fixed",
            Change::Gone => "No longer judged",
        }
    }
}

/// How many findings changed, and how many did not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ChangeCounts {
    /// Findings that changed, by what became of them.
    pub changed: BTreeMap<Change, usize>,
    /// Findings that fail as before.
    pub unchanged: usize,
    /// Findings that could not be determined, as before.
    pub still_unknown: usize,
    /// Findings that pass or do not apply, before and now.
    pub good: usize,
    /// Findings that passed or did not apply before and are not judged now.
    pub no_longer_judged: usize,
    /// Findings that pass or do not apply now and were not judged before.
    pub newly_judged: usize,
}

impl ChangeCounts {
    /// How many findings have this change.
    pub fn of(&self, change: Change) -> usize {
        self.changed.get(&change).copied().unwrap_or(0)
    }
}

/// A target by kind and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
pub struct TargetName {
    /// Kind.
    pub kind: Target,
    /// Name.
    pub name: String,
}

/// A finding that changed. Its identity is rule and target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FindingChange {
    /// Identity across runs: SHA-256 over rule id, kind and name of the target, in hexadecimal digits.
    pub fingerprint: String,
    /// What became of it.
    pub change: Change,
    /// Rule id.
    pub rule: String,
    /// What is wrong when the rule fails.
    pub title: String,
    /// Severity in the later run, else in the earlier one.
    pub severity: Severity,
    /// The target.
    #[serde(flatten)]
    pub target: TargetName,
    /// The finding in the earlier run, where the rule was applied to the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<FindingState>,
    /// The finding in the later run, where the rule was applied to the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<FindingState>,
}

/// A finding in one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FindingState {
    /// The verdict.
    pub verdict: Verdict,
    /// Severity after the profile.
    pub severity: Severity,
    /// Whether a waiver in force covers it.
    pub waived: bool,
    /// What was observed and what was expected, a sentence for each fact that explains the verdict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
}

impl FindingState {
    /// Whether it fails and no waiver covers it.
    pub fn is_open_failure(&self) -> bool {
        self.verdict == Verdict::Fail && !self.waived
    }

    /// Whether it could not be determined and no waiver covers it.
    pub fn is_undetermined(&self) -> bool {
        matches!(self.verdict, Verdict::Unknown | Verdict::Error) && !self.waived
    }
}

/// The facts of one target that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TargetChanges {
    /// The target.
    #[serde(flatten)]
    pub target: TargetName,
    /// Its facts that changed, in the order of the catalogue.
    pub changes: Vec<FactChange>,
}

/// How a fact changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FactMove {
    /// Another value.
    Changed,
    /// A value, or an element of a list, that was not there before.
    Added,
    /// A value, or an element of a list, that is no longer there.
    Removed,
    /// It could not be determined before.
    BecameKnown,
    /// It can no longer be determined.
    BecameUnknown,
}

/// A fact that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FactChange {
    /// The fact; elements of lists by their label: `dns.mx[mx1.example.org].preference`.
    pub path: String,
    /// The fact in words.
    pub title: String,
    /// How it changed.
    pub change: FactMove,
    /// The earlier value, printed; missing where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The later value, printed; missing where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Why it was, or is, unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Whether the fact changes by itself from run to run, such as a serial number. Reports show such changes apart.
    pub volatile: bool,
    /// What the change means, where that does not follow from the fact alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

impl FactChange {
    /// Whether something about the target changed, and not only our sight of it or what changes by itself.
    pub fn is_real(&self) -> bool {
        !self.volatile && matches!(self.change, FactMove::Changed | FactMove::Added | FactMove::Removed)
    }
}
