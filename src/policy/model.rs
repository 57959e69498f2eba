//! The resolved policy: rules whose paths, types and parameters have been checked, ready to be evaluated.
//!
//! These types are what the engine walks and what reports quote. What people write is in the loader's own types.

use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diag::Span;
use crate::facts::{Path, Target};

/// Severity of a failed rule. The meaning of each word is defined once, in `docs/severities.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing has to be done.
    Info,
    /// Hygiene: no direct consequence.
    Low,
    /// Weakens a protection or hides a failure.
    Medium,
    /// A protection is missing or does not work.
    High,
    /// Mail is lost, or can be read or forged by anyone, now.
    Critical,
}

impl Severity {
    /// All severities, from the worst down.
    pub const DESCENDING: [Severity; 5] =
        [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];

    /// The word in YAML and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::High => "high",
            Severity::Medium => "medium",
            Severity::Low => "low",
            Severity::Info => "info",
        }
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which pack a rule comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PackRef {
    /// Name of the pack.
    pub name: String,
    /// Version of the pack.
    pub version: String,
    /// SHA-256 over the pack's files in order of their names, in hexadecimal.
    pub sha256: String,
}

/// A loaded pack.
#[derive(Debug, Clone)]
pub struct Pack {
    /// Identity.
    pub reference: PackRef,
    /// Title.
    pub title: String,
    /// What the pack is about, in one paragraph.
    pub description: String,
    /// Framework names by identifier, for control mappings.
    pub frameworks: BTreeMap<String, String>,
    /// Parameters by name, with the values where nobody sets them.
    pub params: BTreeMap<String, super::document::Param>,
    /// The rules, in the order of the files.
    pub rules: Vec<Rule>,
}

/// Position of a rule in [`Policy::rules`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub u16);

/// Position of a leaf in [`Rule::leaves`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafId(pub u16);

/// The rules that are evaluated, in order of their ids, and what was left out.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Name of the profile.
    pub profile: String,
    /// Packs in use.
    pub packs: Vec<PackRef>,
    /// Framework names by identifier.
    pub frameworks: BTreeMap<String, String>,
    /// Selected rules, sorted by id.
    pub rules: Vec<Rule>,
    /// Rules that were not selected, with the reason.
    pub not_selected: Vec<NotSelected>,
    /// Waivers as loaded, valid ones only; in order of the files.
    pub waivers: Vec<Waiver>,
    /// Answers to manual rules, and what is wrong with those that cannot be used.
    pub answers: super::answers::LoadedAnswers,
}

/// A rule that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotSelected {
    /// Id of the rule.
    pub rule: String,
    /// Why it was left out.
    pub reason: String,
}

/// One requirement.
#[derive(Debug, Clone)]
pub struct Rule {
    /// `pack/smell`, such as `spoofing/dmarc-not-enforced`.
    pub id: String,
    /// The pack it comes from.
    pub pack: PackRef,
    /// What is wrong when the rule fails, in one line without a final full stop.
    pub title: String,
    /// How much a failure matters, after the profile's overrides.
    pub severity: Severity,
    /// Severity in the pack and the reason for the change, when the profile re-rates the rule.
    pub rerated: Option<(Severity, String)>,
    /// Kind of target.
    pub applies_to: Target,
    /// Applicability.
    pub when: Option<Condition>,
    /// What is checked.
    pub check: Check,
    /// All leaves of `when` and `check`, by [`LeafId`].
    pub leaves: Vec<Leaf>,
    /// Parameters that the conditions use, by name.
    pub params: BTreeMap<String, UsedParam>,
    /// What can happen when the rule fails.
    pub why: String,
    /// How to mend it.
    pub fix: Fix,
    /// Where the requirement comes from.
    pub references: Vec<Reference>,
    /// Control identifiers by framework.
    pub maps: BTreeMap<String, Vec<String>>,
    /// Tests.
    pub tests: Vec<RuleTest>,
    /// Position of the rule in the pack.
    pub span: Span,
}

/// A parameter that a rule uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedParam {
    /// What it means, in one line.
    pub title: String,
    /// Its value in this policy.
    pub value: super::document::ParamValue,
}

/// What is checked.
#[derive(Debug, Clone)]
pub enum Check {
    /// A condition on facts.
    Automatic(Condition),
    /// A question to a person.
    Manual(Manual),
}

/// A question to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manual {
    /// What is asked.
    pub ask: String,
    /// What has to be shown.
    pub evidence: Vec<String>,
    /// For how many days an answer is good.
    pub valid_days: u32,
}

/// A node of the condition tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Every part holds.
    All(Vec<Condition>),
    /// At least one part holds.
    Any(Vec<Condition>),
    /// The part does not hold.
    Not(Box<Condition>),
    /// A statement about the elements of a list.
    Quantified {
        /// Which statement.
        quantifier: Quantifier,
        /// The list. Its kind is `List`.
        list: LeafId,
        /// Which elements count. Leaves inside read the element.
        filter: Option<Box<Condition>>,
        /// What must hold (`every`, `some`) or must not hold (`none`) of an element.
        body: Box<Condition>,
        /// Verdict when no element counts.
        if_none: IfNone,
    },
    /// A comparison of one fact.
    Leaf(LeafId),
}

/// A statement about the elements of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantifier {
    /// All elements satisfy the body.
    Every,
    /// At least one element satisfies the body.
    Some,
    /// No element satisfies the body.
    None,
}

/// Verdict of a quantifier over nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IfNone {
    /// Nothing to check is good.
    Pass,
    /// There must be something.
    Fail,
    /// Nothing can be concluded.
    Unknown,
    /// The rule does not apply.
    NotApplicable,
}

/// Verdict of a comparison with an absent fact. The default is `fail`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IfAbsent {
    /// Absence is good.
    Pass,
    /// Absence is bad.
    #[default]
    Fail,
    /// Nothing can be concluded.
    Unknown,
    /// The rule does not apply.
    NotApplicable,
}

/// One comparison, or the list of a quantifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The fact. Inside a quantifier, `element` says whether it reads the element.
    pub path: Path,
    /// Whether the path starts at the element of the enclosing quantifier (`it.`).
    pub element: bool,
    /// For element leaves: the path of the list they belong to, such as `smtp.vrfy`.
    pub list: Option<String>,
    /// The comparison.
    pub operator: Operator,
    /// Verdict when the fact is absent.
    pub if_absent: IfAbsent,
    /// Position in the pack.
    pub span: Span,
}

/// A comparison. Literals have been converted to the type of the fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operator {
    /// The value equals the right side.
    Equals(Right),
    /// The value differs from the right side.
    NotEquals(Right),
    /// The value is one of these.
    In(Vec<Literal>),
    /// The value is none of these.
    NotIn(Vec<Literal>),
    /// The value is at least the right side.
    AtLeast(Right),
    /// The value is at most the right side.
    AtMost(Right),
    /// The value lies between both, both included.
    Between(Right, Right),
    /// The whole text matches the regular expression. `contains` of a text is compiled to this as well.
    Matches(Pattern),
    /// The text contains the text, or the list contains the value.
    Contains(Right),
    /// The list has the same values, in any order.
    SameSetAs(Right),
    /// Every value of the list is among these.
    SubsetOf(Right),
    /// The number of values satisfies the bound.
    Count(Bound),
    /// The number of different values satisfies the bound.
    Distinct(Bound),
    /// Days from the assessment date to the time, rounded down, satisfy the bound.
    DaysLeft(Bound),
    /// The time lies longer ago than this many seconds.
    OlderThan(Right),
    /// The fact is present or absent.
    Is(Expected),
    /// The list of a quantifier: no comparison.
    Elements,
}

/// A bound on a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// Exactly.
    Equals(Right),
    /// At least.
    AtLeast(Right),
    /// At most.
    AtMost(Right),
    /// Between, both included.
    Between(Right, Right),
}

/// Whether a fact is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    /// The fact is present.
    Present,
    /// The fact is absent.
    Absent,
}

/// A compiled regular expression.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// As written; it must match the whole text.
    pub text: String,
    /// Anchored at both ends.
    pub regex: regex::Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

/// The right side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Right {
    /// A literal, or a parameter's value.
    Literal(Literal),
    /// Several literals, for set operators.
    Set(Vec<Literal>),
    /// Another fact of the same target.
    Fact(Path),
}

/// A value of the type of the fact it is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Seconds.
    Duration(i64),
    /// Seconds since 1970-01-01 UTC.
    Time(i64),
    /// Text.
    Text(Box<str>),
    /// A canonical name.
    Name(Box<str>),
    /// An IP address.
    Address(IpAddr),
    /// A word, by its position in the fact's closed set.
    Word {
        /// Position.
        rank: u8,
        /// The closed set.
        words: &'static crate::facts::Words,
    },
}

/// How to mend a failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fix {
    /// What to do, in words.
    pub text: String,
    /// The record to publish, where a record mends it.
    pub record: Option<RecordFix>,
}

/// A DNS record that mends a failure. `{domain}` in name and value stands for the target; `{fact.path}` for a fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordFix {
    /// Owner name, such as `_dmarc.{domain}`.
    pub name: String,
    /// Type, such as `TXT`.
    #[serde(rename = "type")]
    pub rtype: String,
    /// Data in zone file form without quotes for TXT.
    pub value: String,
}

/// Where a requirement comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// What is cited, such as "RFC 9989 section 4.7".
    pub title: String,
    /// Where it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A test of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleTest {
    /// What the case is.
    pub name: String,
    /// Facts by path, in the short form.
    pub facts: BTreeMap<String, serde_json::Value>,
    /// The assessment date, if the case depends on it.
    pub now: Option<jiff::civil::Date>,
    /// Parameters of the case.
    pub params: BTreeMap<String, serde_json::Value>,
    /// Expected verdict.
    pub expect: TestExpect,
    /// Exactly the facts to blame, in the form of explanations (`smtp.vrfy[root].code`). `None`: not checked.
    pub because: Option<Vec<String>>,
    /// Position in the pack.
    pub span: Span,
}

/// Verdicts a test can expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TestExpect {
    /// The rule passes.
    Pass,
    /// The rule fails.
    Fail,
    /// Evidence is missing.
    Unknown,
    /// The rule does not apply.
    NotApplicable,
}

/// What a person answers to a manual rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerWord {
    /// The target satisfies the rule.
    Pass,
    /// The target does not satisfy the rule.
    Fail,
    /// The rule does not apply to the target.
    NotApplicable,
}

impl AnswerWord {
    /// The word in YAML and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            AnswerWord::Pass => "pass",
            AnswerWord::Fail => "fail",
            AnswerWord::NotApplicable => "not-applicable",
        }
    }
}

impl std::fmt::Display for AnswerWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A person's answer to a manual rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Identifier, unique in all files; generated from its position when not given.
    pub id: String,
    /// Exact rule id.
    pub rule: String,
    /// Exact target names.
    pub targets: Vec<String>,
    /// What is answered.
    pub answer: AnswerWord,
    /// Who answers.
    pub by: String,
    /// In which role.
    pub role: Option<String>,
    /// When it was answered, UTC.
    pub date: jiff::civil::Date,
    /// Until when the answer itself says that it is good. The rule bounds it, see [`Answer::last_day`].
    pub until: Option<jiff::civil::Date>,
    /// What was found, or why the rule does not apply.
    pub note: Option<String>,
    /// Files that show it.
    pub evidence: Vec<AnswerEvidence>,
    /// Where more can be read.
    pub links: Vec<String>,
    /// Position in the file.
    pub span: Span,
}

impl Answer {
    /// Last day on which the answer to a question holds, UTC, included: no longer than the rule allows.
    pub fn last_day(&self, question: &Manual) -> jiff::civil::Date {
        let allowed = days_after(self.date, question.valid_days);
        self.until.map_or(allowed, |until| until.min(allowed))
    }

    /// Whether every file that the answer rests on is there and as it was.
    pub fn is_supported(&self) -> bool {
        self.evidence.iter().all(|item| item.problem.is_none())
    }
}

/// A number of days later; the last day of the calendar when there is none.
pub(super) fn days_after(date: jiff::civil::Date, days: u32) -> jiff::civil::Date {
    let days = jiff::Span::new().try_days(i64::from(days)).unwrap_or_default();
    date.saturating_add(days)
}

/// A file that shows what an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerEvidence {
    /// Its path as written, relative to the file of answers.
    pub file: String,
    /// Its path as the run knows it.
    pub path: String,
    /// SHA-256 of what is there, in hexadecimal.
    pub sha256: Option<String>,
    /// Why the answer cannot rest on it, such as "it is not there".
    pub problem: Option<String>,
}

/// An answer that could not be read as a whole, and so answers nothing. What could be read of it keeps other answers to the
/// same question from being taken for the last word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenAnswer {
    /// Exact rule id.
    pub rule: String,
    /// Exact target names, as far as they could be read.
    pub targets: Vec<String>,
    /// Position in the file.
    pub span: Span,
}

/// A dated, approved exception.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// Identifier, unique in the file; generated from its position when not given.
    pub id: String,
    /// Exact rule id.
    pub rule: String,
    /// Exact target names.
    pub targets: Vec<String>,
    /// Why.
    pub reason: String,
    /// Who approved it.
    pub approved_by: String,
    /// Ticket.
    pub ticket: Option<String>,
    /// From when on it holds.
    pub created: jiff::civil::Date,
    /// Last day on which it holds, UTC, included.
    pub expires: jiff::civil::Date,
    /// Whether it covers `unknown` beside `fail`.
    pub covers_unknown: bool,
    /// Position in the file.
    pub span: Span,
}
