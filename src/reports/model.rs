//! The documents of the JSON formats. The JSON Schema of an assessment is generated from these types, so every field is
//! documented here. Values are exact: nothing is shortened or escaped beyond what JSON needs.

pub mod answers;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::ser::{Serialize, Serializer};

use answers::{AnswerDocument, GivenAnswerDocument};

use super::explanation::{Line, explanation};
use super::place::{evidence_id, place};
use super::{Context, days_until};
use crate::diag::{Diagnostic, Level, Place};
use crate::facts::{Cause, Coverage, Ignored, LiveCoverage, Proof, SourceRead, Target, View};
use crate::findings::history::{Baseline, Ended, History, HistoryCounts};
use crate::findings::{Assessment, Blame, BlameValue, Counts, FilledRecord, Finding, Verdict, WaiverState};
use crate::policy::model::Bound;
use crate::policy::{Check, Leaf, Literal, NotSelected, Operator, PackRef, Reference, Right, Rule, Severity, Waiver};

/// Version of the documents. It changes when a reader of the old one would misread the new one.
pub const SCHEMA_VERSION: u32 = 1;

/// The outcome of one run: what was judged, by which rules, with which verdicts, and what was not looked at.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct AssessmentDocument<Targets = Vec<TargetDocument>, Findings = Vec<FindingDocument>> {
    /// Version of this format; 1.
    pub schema_version: u32,
    /// The tool that wrote the document.
    pub tool: ToolDocument,
    /// The date for which dates were judged, as `YYYY-MM-DD`.
    pub as_of: String,
    /// Name of the profile.
    pub profile: String,
    /// Packs in use, with version and digest.
    pub packs: Vec<PackRef>,
    /// What was compared with, when only changes are reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseDocument>,
    /// What an earlier run said of the same findings, when one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousDocument>,
    /// Whether at least one rule passed or failed. When `false`, nothing can be concluded from the absence of failures.
    pub judged: bool,
    /// Why nothing was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_judged_because: Option<String>,
    /// Number of findings by verdict; waived failures are counted apart.
    pub counts: Counts,
    /// Number of failures without waiver by severity.
    pub failed_by_severity: BTreeMap<Severity, usize>,
    /// Selected rules, sorted by id.
    pub rules: Vec<RuleDocument>,
    /// Every target with the verdict of every rule about it.
    pub targets: Targets,
    /// Findings with the verdicts `fail`, `unknown`, `error` and `manual`, and those that a person answered whatever the
    /// verdict, in order of targets and rules. The others are in `targets`; the reasons for `not-checked` are in `not_checked`.
    pub findings: Findings,
    /// Rules that this run could not check for some targets, with the reasons.
    pub not_checked: Vec<NotCheckedDocument>,
    /// Rules that were not selected, with the reason.
    pub not_selected: Vec<NotSelected>,
    /// Waivers, with their state for each target.
    pub waivers: Vec<WaiverDocument>,
    /// Answers to manual rules, with their state for each target.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<AnswerDocument>,
    /// What is wrong with answers. An error keeps an answer from being used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answer_problems: Vec<DiagnosticDocument>,
    /// What was read, and what was not.
    pub coverage: CoverageDocument,
}

/// The tool that wrote a document.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct ToolDocument {
    /// `mailvet`.
    pub name: &'static str,
    /// Its version.
    pub version: String,
}

/// The revision that a run was compared with.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct BaseDocument {
    /// The revision as given.
    pub revision: String,
    /// How many findings that did not pass are the same in both.
    pub unchanged: usize,
    /// How many findings of the base are gone.
    pub resolved: usize,
}

/// The earlier run that findings were compared with.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct PreviousDocument {
    /// The day of that run, UTC, as `YYYY-MM-DD`.
    pub date: String,
    /// How many findings have which history.
    pub counts: HistoryCounts,
    /// Findings that failed or were unknown then, and are neither now.
    pub ended: Vec<EndedDocument>,
}

/// A finding of the earlier run that is no finding now.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct EndedDocument {
    /// Identity across runs: SHA-256 over rule id, kind and name of the target, in hexadecimal.
    pub fingerprint: String,
    /// Rule id.
    pub rule: String,
    /// Kind of the target.
    pub target_kind: Target,
    /// Name of the target.
    pub target: String,
    /// The verdict then.
    pub before: Verdict,
    /// The verdict now; missing when there is no such target or rule any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Verdict>,
    /// Whether it was mended. Otherwise it is not judged any more, which is no remedy.
    pub fixed: bool,
    /// The day on which it was first seen to fail, as `YYYY-MM-DD`, if it ever did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<String>,
    /// The day on which it was last seen to fail, as `YYYY-MM-DD`, if it ever did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
}

/// How a finding stands to the earlier run.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct HistoryDocument {
    /// Whether it was there before, in the words of SARIF's `baselineState`.
    pub state: Baseline,
    /// For failures: the day on which it was first seen, as `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<String>,
    /// For failures: the day on which it was last seen, as `YYYY-MM-DD`; that of this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    /// Whether it had been mended and is back.
    pub regressed: bool,
}

/// A rule as it was applied.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct RuleDocument {
    /// `pack/smell`.
    pub id: String,
    /// What is wrong when the rule fails.
    pub title: String,
    /// Severity after the profile.
    pub severity: Severity,
    /// Severity in the pack, when the profile re-rates the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rerated_from: Option<Severity>,
    /// Why the profile re-rates the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rerated_because: Option<String>,
    /// Kind of target.
    pub applies_to: Target,
    /// What can happen when the rule fails.
    pub why: String,
    /// How to mend it.
    pub fix: String,
    /// What a person is asked, for manual rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask: Option<String>,
    /// What has to be shown with an answer, for manual rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ask_evidence: Vec<String>,
    /// For how many days an answer is good at most, for manual rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_valid_days: Option<u32>,
    /// Where the requirement comes from.
    pub references: Vec<Reference>,
    /// Control identifiers by framework.
    pub maps: BTreeMap<String, Vec<String>>,
}

/// A target and its verdicts.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct TargetDocument {
    /// Kind.
    pub kind: Target,
    /// Name.
    pub name: String,
    /// Where the target stands in the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Verdict by rule id. Rules about other kinds of target are missing.
    pub verdicts: BTreeMap<String, Verdict>,
}

/// One rule's verdict on one target.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct FindingDocument {
    /// Identity across runs: SHA-256 over rule id, kind and name of the target, in hexadecimal.
    pub fingerprint: String,
    /// Rule id.
    pub rule: String,
    /// Severity after the profile.
    pub severity: Severity,
    /// Kind of the target.
    pub target_kind: Target,
    /// Name of the target.
    pub target: String,
    /// The verdict. A waived failure is still `fail`, and `waiver` says so.
    pub verdict: Verdict,
    /// Where the finding stands: the first blamed fact with a position, else the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Id of the raw artefact that `place` points into, when that was observed on the network and is no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// The facts that explain the verdict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<ReasonDocument>,
    /// Facts that could not be determined and did not decide the verdict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<ReasonDocument>,
    /// The record that mends the finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<FilledRecord>,
    /// The waiver that covers the finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiver: Option<String>,
    /// A waiver for this finding that has expired, so that the finding counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expired_waiver: Option<String>,
    /// What a person answered, when that gave the verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<GivenAnswerDocument>,
    /// Id of the answer that the finding had and that counts no longer, so that the rule awaits another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_answer: Option<String>,
    /// How it stands to an earlier run, when one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryDocument>,
}

/// One fact of an explanation.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct ReasonDocument {
    /// What was observed and what was expected, in one sentence.
    pub sentence: String,
    /// The fact, with the list element it belongs to: `smtp.vrfy[root].code`.
    pub path: String,
    /// Label of the list element.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub element: Option<String>,
    /// What was observed.
    pub observed: ObservationDocument,
    /// What was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<ExpectationDocument>,
    /// Whether the comparison holding is what is wrong.
    pub negated: bool,
    /// What a reader should know beside the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The characters the fact was read from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Id of the raw artefact that `place` points into, when that was observed on the network and is no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// An observation.
#[derive(Debug, serde::Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum ObservationDocument {
    /// The value exists.
    Present {
        /// The value, printed.
        value: String,
    },
    /// There is no value.
    Absent {
        /// How that is known.
        proof: Proof,
    },
    /// The value is not known.
    Unknown {
        /// Why.
        cause: Cause,
    },
}

/// A comparison.
#[derive(Debug, PartialEq, Eq, serde::Serialize, JsonSchema)]
pub struct ExpectationDocument {
    /// The operator as in the rule language, such as `at_least` or `count.at_least`.
    pub operator: String,
    /// The right side, printed; two values for `between`, any number for sets.
    pub values: Vec<String>,
}

/// Why a rule was not checked.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct NotCheckedDocument {
    /// Rule id.
    pub rule: String,
    /// How many targets.
    pub targets: usize,
    /// Causes with the facts that could not be read.
    pub causes: BTreeMap<Cause, Vec<String>>,
}

/// A waiver.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct WaiverDocument {
    /// Identifier.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// From when on it holds, as `YYYY-MM-DD`.
    pub created: String,
    /// Last day on which it holds, as `YYYY-MM-DD`.
    pub expires: String,
    /// Days from the assessment date to the last day; negative when it has expired.
    pub days_left: i64,
    /// Whether it covers `unknown` beside `fail`.
    pub covers_unknown: bool,
    /// State for each target, where the engine notes one.
    pub states: Vec<WaiverStateDocument>,
    /// Where it stands in the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// State of a waiver for one target.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct WaiverStateDocument {
    /// The target.
    pub target: String,
    /// The state, with a number of days where it has one.
    pub state: WaiverState,
}

/// What a run looked at, and what it could not look at.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct CoverageDocument {
    /// Files and zones that were read.
    pub sources: Vec<SourceRead>,
    /// Files that were found and not read as DNS data.
    pub ignored: Vec<Ignored>,
    /// Names whose records are not known.
    pub not_evaluated: Vec<NotEvaluatedDocument>,
    /// Messages about the sources.
    pub diagnostics: Vec<DiagnosticDocument>,
    /// What was asked on the network, and what was not reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveCoverage>,
}

/// A name, or all names below one, whose records are not known.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct NotEvaluatedDocument {
    /// The name.
    pub name: String,
    /// Why.
    pub reason: String,
    /// Where in the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// A message about a place in a file.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct DiagnosticDocument {
    /// How much it matters.
    pub level: Level,
    /// Kind of message.
    pub code: &'static str,
    /// What is the matter.
    pub message: String,
    /// What to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The characters it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// A sequence that is made while it is written, so that millions of elements need no memory.
pub(super) struct Lazy<F>(pub(super) F);

impl<F, I> Serialize for Lazy<F>
where
    F: Fn() -> I,
    I: Iterator,
    I::Item: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// What a leaf expects, printed. `None` for the list of a quantifier, which is no comparison.
pub(super) fn expectation(leaf: &Leaf, blame: &Blame) -> Option<ExpectationDocument> {
    let right = |right: &Right| match right {
        Right::Literal(literal) => vec![print(literal)],
        Right::Set(literals) => literals.iter().map(print).collect(),
        Right::Fact(path) => vec![blame.expected.as_deref().unwrap_or(&path.text).to_owned()],
    };
    let both = |low: &Right, high: &Right| right(low).into_iter().chain(right(high)).collect();
    let bound = |name: &str, bound: &Bound| match bound {
        Bound::Equals(value) => (format!("{name}.equals"), right(value)),
        Bound::AtLeast(value) => (format!("{name}.at_least"), right(value)),
        Bound::AtMost(value) => (format!("{name}.at_most"), right(value)),
        Bound::Between(low, high) => (format!("{name}.between"), both(low, high)),
    };
    let (operator, values) = match &leaf.operator {
        Operator::Equals(value) => ("equals".to_owned(), right(value)),
        Operator::NotEquals(value) => ("not_equals".to_owned(), right(value)),
        Operator::In(values) => ("in".to_owned(), values.iter().map(print).collect()),
        Operator::NotIn(values) => ("not_in".to_owned(), values.iter().map(print).collect()),
        Operator::AtLeast(value) => ("at_least".to_owned(), right(value)),
        Operator::AtMost(value) => ("at_most".to_owned(), right(value)),
        Operator::Between(low, high) => ("between".to_owned(), both(low, high)),
        Operator::Matches(pattern) => ("matches".to_owned(), vec![pattern.text.clone()]),
        Operator::Contains(value) => ("contains".to_owned(), right(value)),
        Operator::SameSetAs(value) => ("same_set_as".to_owned(), right(value)),
        Operator::SubsetOf(value) => ("subset_of".to_owned(), right(value)),
        Operator::Count(value) => bound("count", value),
        Operator::Distinct(value) => bound("distinct", value),
        Operator::DaysLeft(value) => bound("days_left", value),
        Operator::OlderThan(value) => ("older_than".to_owned(), right(value)),
        Operator::Is(crate::policy::Expected::Present) => ("is".to_owned(), vec!["present".to_owned()]),
        Operator::Is(crate::policy::Expected::Absent) => ("is".to_owned(), vec!["absent".to_owned()]),
        Operator::Elements => return None,
    };
    Some(ExpectationDocument { operator, values })
}

fn print(literal: &Literal) -> String {
    match literal {
        Literal::Bool(value) => value.to_string(),
        Literal::Int(value) | Literal::Duration(value) => value.to_string(),
        Literal::Time(value) => View::Time(*value).to_string(),
        Literal::Text(value) | Literal::Name(value) => value.to_string(),
        Literal::Address(value) => value.to_string(),
        Literal::Word { rank, words } => words.words.get(*rank as usize).copied().unwrap_or("?").to_owned(),
    }
}

impl FindingDocument {
    /// The document of a finding.
    pub(super) fn new(assessment: &Assessment, context: &Context<'_>, finding: &Finding<'_>) -> Self {
        let lines = explanation(finding);
        let reasons = |also| {
            lines.iter().filter(|line| line.also == also).map(|line| ReasonDocument::new(context, line)).collect()
        };
        let waiver = |index: Option<u32>| {
            index.and_then(|index| assessment.policy.waivers.get(index as usize)).map(|waiver| waiver.id.clone())
        };
        FindingDocument {
            fingerprint: finding.fingerprint(),
            rule: finding.rule.id.clone(),
            severity: finding.severity(),
            target_kind: finding.target.kind,
            target: finding.target.name.clone(),
            verdict: finding.verdict,
            place: finding.span().and_then(|span| place(context, span)),
            evidence: finding.span().and_then(|span| evidence_id(context, span)),
            because: reasons(false),
            also: reasons(true),
            record: finding.detail.and_then(|detail| detail.record.as_deref().cloned()),
            waiver: waiver(finding.detail.and_then(|detail| detail.waived)),
            expired_waiver: waiver(finding.detail.and_then(|detail| detail.expired_waiver)),
            answer: assessment.answer(finding).map(|answer| GivenAnswerDocument::new(assessment, finding, answer)),
            stale_answer: assessment.stale_answer(finding).map(|answer| answer.id.clone()),
            history: assessment.history.as_deref().map(|history| HistoryDocument::new(history, finding)),
        }
    }
}

impl HistoryDocument {
    fn new(history: &History, finding: &Finding<'_>) -> Self {
        let record = history.record(finding);
        HistoryDocument {
            state: history.baseline(finding),
            first_seen: record.map(|record| record.first_seen.to_string()),
            last_seen: record.map(|record| record.last_seen.to_string()),
            regressed: record.is_some_and(|record| record.regressed),
        }
    }
}

impl PreviousDocument {
    /// The document of the earlier run.
    pub(super) fn new(history: &History) -> Self {
        let ended = |item: &Ended| EndedDocument {
            fingerprint: item.fingerprint.clone(),
            rule: item.rule.clone(),
            target_kind: item.kind,
            target: item.target.clone(),
            before: item.before,
            now: item.now,
            fixed: item.is_fixed(),
            first_seen: item.first_seen.map(|date| date.to_string()),
            last_seen: item.last_seen.map(|date| date.to_string()),
        };
        PreviousDocument {
            date: history.past.date.to_string(),
            counts: history.counts,
            ended: history.ended.iter().map(ended).collect(),
        }
    }
}

impl ReasonDocument {
    /// The document of a line of an explanation.
    pub(super) fn new(context: &Context<'_>, line: &Line<'_>) -> Self {
        let blame = line.blame;
        ReasonDocument {
            sentence: line.sentence.clone(),
            path: line.path.clone(),
            element: blame.element.as_deref().map(str::to_owned),
            observed: match &blame.observed {
                BlameValue::Present(value) => ObservationDocument::Present { value: value.to_string() },
                BlameValue::Absent(proof) => ObservationDocument::Absent { proof: *proof },
                BlameValue::Unknown(cause) => ObservationDocument::Unknown { cause: *cause },
            },
            expected: line.leaf.and_then(|leaf| expectation(leaf, blame)),
            negated: blame.negated,
            note: blame.note.as_deref().map(str::to_owned),
            place: blame.span.and_then(|span| place(context, span)),
            evidence: blame.span.and_then(|span| evidence_id(context, span)),
        }
    }
}

impl RuleDocument {
    /// The document of a rule.
    pub(super) fn new(rule: &Rule) -> Self {
        let (rerated_from, rerated_because) = rule.rerated.clone().unzip();
        let question = match &rule.check {
            Check::Automatic(_) => None,
            Check::Manual(question) => Some(question),
        };
        RuleDocument {
            id: rule.id.clone(),
            title: rule.title.clone(),
            severity: rule.severity,
            rerated_from,
            rerated_because,
            applies_to: rule.applies_to,
            why: rule.why.clone(),
            fix: rule.fix.text.clone(),
            ask: question.map(|question| question.ask.clone()),
            ask_evidence: question.map(|question| question.evidence.clone()).unwrap_or_default(),
            answer_valid_days: question.map(|question| question.valid_days),
            references: rule.references.clone(),
            maps: rule.maps.clone(),
        }
    }
}

impl WaiverDocument {
    /// The document of the waiver at a position of the policy.
    pub(super) fn new(assessment: &Assessment, context: &Context<'_>, index: usize, waiver: &Waiver) -> Self {
        let notes = assessment.waivers.iter().filter(|note| note.waiver as usize == index);
        WaiverDocument {
            id: waiver.id.clone(),
            rule: waiver.rule.clone(),
            targets: waiver.targets.clone(),
            reason: waiver.reason.clone(),
            approved_by: waiver.approved_by.clone(),
            ticket: waiver.ticket.clone(),
            created: waiver.created.to_string(),
            expires: waiver.expires.to_string(),
            days_left: days_until(assessment, waiver.expires),
            covers_unknown: waiver.covers_unknown,
            states: notes.map(|note| WaiverStateDocument { target: note.target.clone(), state: note.state }).collect(),
            place: place(context, waiver.span),
        }
    }
}

impl DiagnosticDocument {
    /// The document of a message.
    pub(super) fn new(context: &Context<'_>, item: &Diagnostic) -> Self {
        DiagnosticDocument {
            level: item.level,
            code: item.code,
            message: item.message.clone(),
            help: item.help.clone(),
            place: item.span.and_then(|span| place(context, span)),
        }
    }
}

impl CoverageDocument {
    /// The document of a coverage statement.
    pub(super) fn new(context: &Context<'_>, coverage: &Coverage) -> Self {
        let at = |span: Option<crate::diag::Span>| span.and_then(|span| place(context, span));
        CoverageDocument {
            sources: coverage.sources.clone(),
            ignored: coverage.ignored.clone(),
            not_evaluated: coverage
                .not_evaluated
                .iter()
                .map(|item| NotEvaluatedDocument {
                    name: item.name.clone(),
                    reason: item.reason.clone(),
                    place: at(item.span),
                })
                .collect(),
            diagnostics: coverage.diagnostics.iter().map(|item| DiagnosticDocument::new(context, item)).collect(),
            live: coverage.live.as_deref().cloned(),
        }
    }
}
