//! The documents of answers: as they were read, and as they gave a verdict.

use schemars::JsonSchema;

use super::super::place::place;
use super::super::{Context, days_until};
use crate::diag::Place;
use crate::findings::words::last_day;
use crate::findings::{AnswerState, Assessment, Finding};
use crate::policy::{Answer, AnswerWord};

/// A person's answer, where it gave a verdict.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct GivenAnswerDocument {
    /// Identifier; the answer is in `answers`.
    pub id: String,
    /// What was answered.
    pub answer: AnswerWord,
    /// Who answers.
    pub by: String,
    /// In which role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// When it was answered, as `YYYY-MM-DD`.
    pub date: String,
    /// Last day on which it holds, UTC, as `YYYY-MM-DD`: no longer than the rule allows.
    pub valid_until: String,
    /// Days from the assessment date to that day.
    pub days_left: i64,
    /// What was found, or why the rule does not apply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Files that show it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<AnswerEvidenceDocument>,
    /// Where more can be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
}

/// A file that shows what an answer says.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct AnswerEvidenceDocument {
    /// Path as the file of answers has it.
    pub file: String,
    /// SHA-256 of what is there, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Why the answer cannot rest on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// An answer as it was read.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct AnswerDocument {
    /// Identifier.
    pub id: String,
    /// Exact rule id.
    pub rule: String,
    /// Exact target names.
    pub targets: Vec<String>,
    /// What was answered.
    pub answer: AnswerWord,
    /// Who answers.
    pub by: String,
    /// In which role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// When it was answered, as `YYYY-MM-DD`.
    pub date: String,
    /// Last day on which it holds by its own words, as `YYYY-MM-DD`; missing when it leaves that to the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// What was found, or why the rule does not apply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Files that show it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<AnswerEvidenceDocument>,
    /// Where more can be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// State for each target.
    pub states: Vec<AnswerStateDocument>,
    /// Where it stands in the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// State of an answer for one target.
#[derive(Debug, serde::Serialize, JsonSchema)]
pub struct AnswerStateDocument {
    /// The target.
    pub target: String,
    /// The state, with a number of days where it has one.
    pub state: AnswerState,
}

impl GivenAnswerDocument {
    pub(super) fn new(assessment: &Assessment, finding: &Finding<'_>, answer: &Answer) -> Self {
        let last = last_day(finding.rule, answer);
        GivenAnswerDocument {
            id: answer.id.clone(),
            answer: answer.answer,
            by: answer.by.clone(),
            role: answer.role.clone(),
            date: answer.date.to_string(),
            valid_until: last.to_string(),
            days_left: days_until(assessment, last),
            note: answer.note.clone(),
            evidence: AnswerEvidenceDocument::all(answer),
            links: answer.links.clone(),
        }
    }
}

impl AnswerEvidenceDocument {
    fn all(answer: &Answer) -> Vec<Self> {
        let evidence = answer.evidence.iter().map(|item| AnswerEvidenceDocument {
            file: item.file.clone(),
            sha256: item.sha256.clone(),
            problem: item.problem.clone(),
        });
        evidence.collect()
    }
}

impl AnswerDocument {
    /// The documents of all answers.
    pub(in crate::reports) fn all(assessment: &Assessment, context: &Context<'_>) -> Vec<Self> {
        // The notes are in the order of the answers, and there may be many of both.
        let mut notes = assessment.answers.iter().peekable();
        let answers = (0u32..).zip(&assessment.policy.answers.answers).map(|(index, answer)| {
            let mut states = Vec::new();
            while let Some(note) = notes.next_if(|note| note.answer <= index) {
                states.push(AnswerStateDocument { target: note.target.clone(), state: note.state });
            }
            AnswerDocument {
                id: answer.id.clone(),
                rule: answer.rule.clone(),
                targets: answer.targets.clone(),
                answer: answer.answer,
                by: answer.by.clone(),
                role: answer.role.clone(),
                date: answer.date.to_string(),
                valid_until: answer.until.map(|until| until.to_string()),
                note: answer.note.clone(),
                evidence: AnswerEvidenceDocument::all(answer),
                links: answer.links.clone(),
                states,
                place: place(context, answer.span),
            }
        });
        answers.collect()
    }
}
