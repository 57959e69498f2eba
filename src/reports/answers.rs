//! Answers of people, as lines that every report shows in its own way. Nothing here is escaped for any sink.

use std::collections::BTreeMap;

use super::{entries_of, plural};
use crate::findings::{AnswerNote, AnswerState, Assessment, Finding, Verdict, words};
use crate::policy::Answer;
use crate::policy::answers::form;

/// How many targets a form is for; the others get the same answer by hand.
const FORM_TARGETS: usize = 20;

/// What was answered, or that an answer counts no longer; nothing for what facts decide.
pub(super) fn sentence(assessment: &Assessment, finding: &Finding<'_>) -> Option<String> {
    if let Some(answer) = assessment.answer(finding) {
        return Some(words::answered(finding.rule, answer));
    }
    let answer = assessment.stale_answer(finding)?;
    let why = answer.evidence.iter().find_map(|item| Some((&item.file, item.problem.as_deref()?)));
    let why = match why {
        Some((file, problem)) => format!("cannot rest on {file}: {problem}"),
        None => format!("expired after {}", words::last_day(finding.rule, answer)),
    };
    Some(format!("the answer of {} of {} {why}", answer.by, answer.date))
}

/// What an answer rests on: files with their digests, then links.
pub(super) fn shown(answer: &Answer) -> Vec<String> {
    let files = answer.evidence.iter().map(|item| match (&item.sha256, &item.problem) {
        (_, Some(problem)) => format!("{}: {problem}", item.file),
        (Some(sha256), None) => format!("{} (SHA-256 {sha256})", item.file),
        (None, None) => item.file.clone(),
    });
    files.chain(answer.links.iter().cloned()).collect()
}

/// Both in one: what was answered, and what shows it.
pub(super) fn sentence_with_evidence(assessment: &Assessment, finding: &Finding<'_>) -> Option<String> {
    let sentence = sentence(assessment, finding)?;
    let shown = assessment.answer(finding).map(shown).unwrap_or_default();
    Some(if shown.is_empty() { sentence } else { format!("{sentence}; shown by {}", shown.join(", ")) })
}

/// `A-1  operations/keys-not-rotated  HQ  pass by Anna Smith on 2026-06-12: good for 203 more days`.
pub(super) fn register_line(assessment: &Assessment, note: &AnswerNote) -> Option<String> {
    let answer = assessment.policy.answers.answers.get(note.answer as usize)?;
    let Answer { id, rule, answer: word, by, date, .. } = answer;
    Some(format!("{id}  {rule}  {}  {word} by {by} on {date}: {}", note.target, state(note.state)))
}

/// The state of an answer in words.
pub(super) fn state(state: AnswerState) -> String {
    let days = |days: i32| plural(usize::try_from(days).unwrap_or(0), "day");
    match state {
        AnswerState::InForce(left) => format!("good for another {}", days(left)),
        AnswerState::Expiring(left) => format!("expires in {}", days(left)),
        AnswerState::Expired(ago) => format!("expired {} ago, so the rule awaits another", days(ago)),
        AnswerState::NotYet(until) => format!("of a day to come, in {}", days(until)),
        AnswerState::Superseded => "superseded by another answer".to_owned(),
        AnswerState::Conflicting => "contradicted by another answer of the same day, so neither counts".to_owned(),
        AnswerState::Unsupported => "its evidence is missing or was changed, so it does not count".to_owned(),
        AnswerState::Doubtful => "another answer to the same question has errors, so it does not count".to_owned(),
        AnswerState::NotManual => "the rule asks nobody: facts decide it".to_owned(),
        AnswerState::NotNeeded => "not needed: the rule does not apply".to_owned(),
        AnswerState::Unused => "unused: no such rule or target in this run".to_owned(),
    }
}

/// A question that nobody has answered.
pub(super) struct Awaiting<'a> {
    /// Position of the rule.
    pub(super) rule: u16,
    /// What waits, in order.
    pub(super) findings: Vec<Finding<'a>>,
}

/// All questions that nobody has answered, in the order of rules.
pub(super) fn awaiting(assessment: &Assessment) -> Vec<Awaiting<'_>> {
    let mut rules: BTreeMap<u16, Vec<Finding<'_>>> = BTreeMap::new();
    for (key, finding) in entries_of(assessment, |verdict| verdict == Verdict::Manual) {
        rules.entry(key.rule).or_default().push(finding);
    }
    rules.into_iter().map(|(rule, findings)| Awaiting { rule, findings }).collect()
}

impl Awaiting<'_> {
    /// An entry of a file of answers, to be filled in, for the first of the targets.
    pub(super) fn form(&self, assessment: &Assessment) -> String {
        let Some(first) = self.findings.first() else { return String::new() };
        let names = self.findings.iter().take(FORM_TARGETS).map(|finding| finding.target.name.as_str());
        form(&first.rule.id, &names.collect::<Vec<_>>(), &assessment.as_of.to_string())
    }
}
