//! Verdicts, findings and the assessment: what the engine says and every report renders.
//!
//! An assessment of a large repository has millions of verdicts, so verdicts are one byte each in a row per target and
//! only what did not pass carries details. Reports read it through [`Assessment::findings`]; none of them decides
//! anything. The sentences of explanations are in [`words`], so that every report says the same.

pub mod difference;
pub mod history;
mod shared;
pub mod words;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diag::{Diagnostic, Span};
use crate::facts::{Cause, Coverage, Proof, Target};
use crate::policy::{Answer, LeafId, Policy, Rule, RuleIndex, Severity};

pub use shared::Shared;

/// What a rule says about a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The target satisfies the rule.
    Pass,
    /// The target does not satisfy the rule.
    Fail,
    /// Evidence is missing.
    Unknown,
    /// A defect of the pack or of the tool.
    Error,
    /// The rule does not apply to the target.
    NotApplicable,
    /// This run does not collect what the rule needs.
    NotChecked,
    /// The rule awaits a person's answer.
    Manual,
}

impl Verdict {
    /// Every verdict, in the order in which reports count them.
    pub const ALL: [Verdict; 7] = [
        Verdict::Pass,
        Verdict::Fail,
        Verdict::Unknown,
        Verdict::Error,
        Verdict::NotApplicable,
        Verdict::NotChecked,
        Verdict::Manual,
    ];

    /// The word in YAML and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Unknown => "unknown",
            Verdict::Error => "error",
            Verdict::NotApplicable => "not-applicable",
            Verdict::NotChecked => "not-checked",
            Verdict::Manual => "manual",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The outcome of one run: all targets, all verdicts, what was not looked at.
#[derive(Debug)]
pub struct Assessment {
    /// The rules and waivers that were applied.
    pub policy: Policy,
    /// The date for which dates were judged.
    pub as_of: jiff::civil::Date,
    /// Targets, sorted by kind and name.
    pub targets: Vec<AssessedTarget>,
    /// What was read, and what was not.
    pub coverage: Coverage,
    /// Waivers that need attention: expired, expiring, unused, no longer needed.
    pub waivers: Vec<WaiverNote>,
    /// The register of answers: what each says about each of its targets, and whether it counts.
    pub answers: Vec<AnswerNote>,
    /// What is wrong with answers. An error keeps an answer from being used.
    pub answer_problems: Vec<Diagnostic>,
    /// What was compared with, when only changes are reported: findings already in the base are left out of `targets`.
    pub base: Option<Base>,
    /// What an earlier run said of the same findings, when one was given.
    pub history: Option<Box<history::History>>,
}

/// The revision that a run was compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The revision as given.
    pub revision: String,
    /// How many findings that did not pass are the same in both.
    pub unchanged: usize,
    /// How many findings of the base are gone.
    pub resolved: usize,
}

/// One target with all its verdicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssessedTarget {
    /// Kind.
    pub kind: Target,
    /// Name as reports show it.
    pub name: String,
    /// Where the target stands in the files: the zone's SOA, or the first record of the name. Findings without a more
    /// exact position are located here.
    pub anchor: Option<Span>,
    /// One verdict for each rule of the policy, by [`RuleIndex`]. Rules about other kinds of target are `None`.
    /// Targets with the same row share it ([`Shared`]).
    pub verdicts: Arc<[Option<Verdict>]>,
    /// Details of the verdicts that need them, sorted by rule.
    pub details: Box<[Detail]>,
    /// For rules with the verdict `not-checked`: the leaves whose facts this run does not collect, sorted. They stand for
    /// details, which would say the same for every target; those with the same row share it.
    pub not_collected: Arc<[(RuleIndex, LeafId)]>,
}

/// Why a verdict is what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// The rule.
    pub rule: RuleIndex,
    /// The smallest set of leaves that explains the verdict.
    pub blame: Box<[Blame]>,
    /// Leaves that could not be determined and did not decide the verdict.
    pub also: Box<[Blame]>,
    /// The waiver that covers the finding, as a position in [`Policy::waivers`].
    pub waived: Option<u32>,
    /// A waiver for this finding that has expired, as a position in [`Policy::waivers`].
    pub expired_waiver: Option<u32>,
    /// The answer that gave the verdict of a manual rule, as a position in the answers of the policy.
    pub answer: Option<u32>,
    /// An answer that would have given the verdict, had it not expired or lost its evidence, as a position in the answers of
    /// the policy. The rule awaits another.
    pub stale_answer: Option<u32>,
    /// The record that mends the finding, filled in.
    pub record: Option<Box<FilledRecord>>,
}

/// A record to publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FilledRecord {
    /// Owner name with final dot.
    pub name: String,
    /// Type.
    #[serde(rename = "type")]
    pub rtype: String,
    /// Data; for TXT without quotes.
    pub value: String,
}

/// One leaf of an explanation. What was expected is in the rule's leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blame {
    /// The leaf of the rule.
    pub leaf: LeafId,
    /// Label of the list element, such as a host name, when the leaf reads an element.
    pub element: Option<Box<str>>,
    /// What was observed.
    pub observed: BlameValue,
    /// The right side when it is another fact, printed.
    pub expected: Option<Box<str>>,
    /// Whether the leaf stands below a negation (`not`, `none`), so that the comparison holding is what is wrong.
    pub negated: bool,
    /// The characters the fact was read from.
    pub span: Option<Span>,
    /// What a reader should know beside the value.
    pub note: Option<Arc<str>>,
}

/// An observation inside an explanation, with its value printed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BlameValue {
    /// The value.
    Present(Box<str>),
    /// There is no value.
    Absent(Proof),
    /// The value is not known.
    Unknown(Cause),
}

/// A waiver that needs attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaiverNote {
    /// Position in [`Policy::waivers`].
    pub waiver: u32,
    /// The target it is about.
    pub target: String,
    /// What is the matter.
    pub state: WaiverState,
}

/// State of a waiver for one target on the assessment date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WaiverState {
    /// In force, for this many more days.
    Active(i32),
    /// In force, but for thirty days or fewer.
    Expiring(i32),
    /// Expired this many days ago: the failure counts.
    Expired(i32),
    /// Not yet in force.
    NotYet(i32),
    /// The rule passes: the waiver is no longer needed.
    NotNeeded,
    /// No such rule or target in this run.
    Unused,
}

/// What became of an answer about one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerNote {
    /// Position in the answers of the policy.
    pub answer: u32,
    /// The target it is about.
    pub target: String,
    /// What is the matter.
    pub state: AnswerState,
}

/// State of an answer for one target on the assessment date. Only the first two give a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerState {
    /// It gives the verdict, for this many more days.
    InForce(i32),
    /// It gives the verdict, but for thirty days or fewer.
    Expiring(i32),
    /// It expired this many days ago: the rule awaits another.
    Expired(i32),
    /// It is of a day to come, this many days ahead.
    NotYet(i32),
    /// A later answer, or another of the same day that says the same, stands for it.
    Superseded,
    /// Another answer of the same day says otherwise, so neither counts.
    Conflicting,
    /// A file that it rests on is missing or was changed.
    Unsupported,
    /// Another answer to the same question has errors, so it is not known which is the last word.
    Doubtful,
    /// Facts decide the rule, and nobody is asked.
    NotManual,
    /// The rule does not apply to the target.
    NotNeeded,
    /// No such rule or target in this run.
    Unused,
}

/// One rule's verdict on one target, with all that reports need.
#[derive(Debug, Clone, Copy)]
pub struct Finding<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// The target.
    pub target: &'a AssessedTarget,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, for what did not pass.
    pub detail: Option<&'a Detail>,
}

impl AssessedTarget {
    /// Every place that the verdicts and their details point at.
    pub fn spans(&self) -> impl Iterator<Item = Span> {
        let blamed = self.details.iter().flat_map(|detail| detail.blame.iter().chain(&detail.also));
        self.anchor.into_iter().chain(blamed.filter_map(|blame| blame.span))
    }
}

impl Assessment {
    /// All findings: targets in order, rules in order within a target.
    pub fn findings(&self) -> impl Iterator<Item = Finding<'_>> {
        self.targets.iter().flat_map(|target| self.findings_of(target))
    }

    /// The findings of one target, in order of rules.
    pub fn findings_of<'a>(&'a self, target: &'a AssessedTarget) -> impl Iterator<Item = Finding<'a>> {
        // Details are sorted by rule, as the verdicts are, so both are walked side by side.
        let mut details = target.details.iter().peekable();
        target.verdicts.iter().zip(&self.policy.rules).enumerate().filter_map(move |(index, (verdict, rule))| {
            let detail = details.next_if(|detail| detail.rule.0 as usize == index);
            Some(Finding { rule, target, verdict: (*verdict)?, detail })
        })
    }

    /// The answer that gave the verdict of a finding.
    pub fn answer(&self, finding: &Finding<'_>) -> Option<&Answer> {
        self.policy.answers.answers.get(finding.detail?.answer? as usize)
    }

    /// The answer that a finding had, and that counts no longer.
    pub fn stale_answer(&self, finding: &Finding<'_>) -> Option<&Answer> {
        self.policy.answers.answers.get(finding.detail?.stale_answer? as usize)
    }
}

impl Finding<'_> {
    /// Severity after the profile.
    pub fn severity(&self) -> Severity {
        self.rule.severity
    }

    /// Whether an active waiver covers the finding.
    pub fn is_waived(&self) -> bool {
        self.detail.is_some_and(|detail| detail.waived.is_some())
    }

    /// Where the finding stands: the first blamed fact that has a position, else the target.
    pub fn span(&self) -> Option<Span> {
        let blamed = self.detail.and_then(|detail| detail.blame.iter().find_map(|blame| blame.span));
        blamed.or(self.target.anchor)
    }

    /// Identity of the finding across runs: 64 hexadecimal digits of SHA-256 over rule id and target, independent of lines.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.rule.id, self.target.kind, &self.target.name)
    }
}

/// The fingerprint of a rule's finding on a target.
pub(crate) fn fingerprint(rule: &str, kind: Target, target: &str) -> String {
    FingerprintStart::new(rule, kind).of(target)
}

/// What the fingerprints of a rule's findings have in common.
#[derive(Debug, Clone)]
pub(crate) struct FingerprintStart(Vec<u8>);

impl FingerprintStart {
    pub(crate) fn new(rule: &str, kind: Target) -> FingerprintStart {
        FingerprintStart([rule.as_bytes(), b"\x1f", kind.as_str().as_bytes(), b"\x1f"].concat())
    }

    /// The fingerprint of the finding on a target.
    pub(crate) fn of(&self, target: &str) -> String {
        let mut digits = String::with_capacity(64);
        self.write(target, &mut Vec::new(), &mut |text| digits.push_str(text));
        digits
    }

    /// Hands the fingerprint over. `room` is emptied and used to put the parts together.
    pub(crate) fn write<T>(&self, target: &str, room: &mut Vec<u8>, take: &mut impl FnMut(&str) -> T) -> T {
        use sha2::{Digest, Sha256};
        room.clear();
        room.extend_from_slice(&self.0);
        room.extend_from_slice(target.as_bytes());
        // Most are short enough for one block of the digest, which is computed at once.
        let digest = Sha256::digest(&room);
        let mut digits = [0; 64];
        take(data_encoding::HEXLOWER.encode_mut_str(&digest, &mut digits))
    }
}

/// How many findings have each verdict; waived failures are counted apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Verdict `pass`.
    pub pass: usize,
    /// Verdict `fail` without waiver.
    pub fail: usize,
    /// Verdict `fail` with an active waiver.
    pub waived: usize,
    /// Verdict `unknown`.
    pub unknown: usize,
    /// Verdict `error`.
    pub error: usize,
    /// Verdict `not-applicable`.
    pub not_applicable: usize,
    /// Verdict `not-checked`.
    pub not_checked: usize,
    /// Verdict `manual`.
    pub manual: usize,
}

impl Assessment {
    /// Counts all findings.
    pub fn counts(&self) -> Counts {
        // Millions of verdicts pass by here, so they are counted as numbers first.
        let mut by_verdict = [0usize; Verdict::ALL.len()];
        let mut waived = 0;
        for target in &self.targets {
            for verdict in target.verdicts.iter().flatten() {
                by_verdict[*verdict as usize] += 1;
            }
            let is_fail = |detail: &&Detail| {
                detail.waived.is_some() && target.verdicts[usize::from(detail.rule.0)] == Some(Verdict::Fail)
            };
            waived += target.details.iter().filter(is_fail).count();
        }
        let of = |verdict: Verdict| by_verdict[verdict as usize];
        Counts {
            pass: of(Verdict::Pass),
            fail: of(Verdict::Fail) - waived,
            waived,
            unknown: of(Verdict::Unknown),
            error: of(Verdict::Error),
            not_applicable: of(Verdict::NotApplicable),
            not_checked: of(Verdict::NotChecked),
            manual: of(Verdict::Manual),
        }
    }
}
