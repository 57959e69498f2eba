//! Answers of people: which of them gives a manual rule its verdict on the assessment date.
//!
//! The latest answer to a question decides, and when it cannot be used, no older one takes its place: the rule awaits an
//! answer. Nothing here makes a rule automatic, and no answer touches what facts decide.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;

use super::assess::{EXPIRING_DAYS, days_between, find_target};
use crate::diag::Diagnostic;
use crate::findings::{AnswerNote, AnswerState, AssessedTarget, Detail, Verdict};
use crate::policy::{Answer, AnswerWord, Check, Policy, RuleIndex};

/// A rule and a target, by their positions.
type Question = (usize, usize);

/// Gives manual rules the verdicts that people answered, and says what became of every answer and what is wrong.
pub(super) fn apply(
    policy: &Policy,
    as_of: Date,
    targets: &mut [AssessedTarget],
) -> (Vec<AnswerNote>, Vec<Diagnostic>) {
    let loaded = &policy.answers;
    let mut problems = loaded.diagnostics.clone();
    if loaded.answers.is_empty() {
        return (Vec::new(), problems);
    }
    let rules: BTreeMap<&str, usize> =
        policy.rules.iter().enumerate().map(|(index, rule)| (rule.id.as_str(), index)).collect();
    let question = |targets: &[AssessedTarget], rule: &str, target: &str| -> Option<Question> {
        let rule = *rules.get(rule)?;
        Some((rule, find_target(targets, policy.rules[rule].applies_to, target)?))
    };
    let broken =
        loaded.broken.iter().flat_map(|broken| broken.targets.iter().map(move |target| (&broken.rule, target)));
    let doubtful: BTreeSet<Question> = broken.filter_map(|(rule, target)| question(targets, rule, target)).collect();
    let mut asked: BTreeMap<Question, Vec<Claim<'_>>> = BTreeMap::new();
    let mut notes = Vec::new();
    for (position, answer) in (0u32..).zip(&loaded.answers) {
        for name in &answer.targets {
            let known = rules.get(answer.rule.as_str()).and_then(|rule| policy.rules.get(*rule));
            let is_manual = known.is_none_or(|rule| matches!(rule.check, Check::Manual(_)));
            let found = question(targets, &answer.rule, name);
            let verdict = found.and_then(|(rule, target)| targets[target].verdicts[rule]);
            match (found, verdict) {
                (Some(question), Some(Verdict::Manual)) if is_manual => {
                    asked.entry(question).or_default().push(Claim { position, answer, name });
                }
                (_, verdict) => {
                    let state = match verdict {
                        _ if !is_manual => AnswerState::NotManual,
                        Some(Verdict::NotApplicable) => AnswerState::NotNeeded,
                        _ => AnswerState::Unused,
                    };
                    notes.push(AnswerNote { answer: position, target: name.clone(), state });
                }
            }
        }
    }
    for (question, claims) in &asked {
        let (rule, target) = *question;
        let Some(Check::Manual(manual)) = policy.rules.get(rule).map(|rule| &rule.check) else { continue };
        let last_day = |answer: &Answer| answer.last_day(manual);
        let (deciding, states) = decide(claims, as_of, doubtful.contains(question), last_day);
        if let (Some((claim, state)), Ok(index)) = (deciding, u16::try_from(rule)) {
            give(&mut targets[target], RuleIndex(index), claim, state);
        }
        problems.extend(conflict(claims, &states));
        let noted = claims.iter().zip(states);
        notes.extend(noted.map(|(claim, state)| AnswerNote {
            answer: claim.position,
            target: claim.name.to_owned(),
            state,
        }));
    }
    notes.sort_by(|one, two| (one.answer, &one.target).cmp(&(two.answer, &two.target)));
    problems.sort_by(|one, two| (one.span, &one.message).cmp(&(two.span, &two.message)));
    (notes, problems)
}

/// An answer to one question.
#[derive(Clone, Copy)]
struct Claim<'a> {
    position: u32,
    answer: &'a Answer,
    name: &'a str,
}

/// The answer that speaks for the question, if one does, and the state of each.
fn decide<'a>(
    claims: &[Claim<'a>],
    as_of: Date,
    doubtful: bool,
    last_day: impl Fn(&Answer) -> Date,
) -> (Option<(Claim<'a>, AnswerState)>, Vec<AnswerState>) {
    let given = claims.iter().filter(|claim| claim.answer.date <= as_of);
    let latest = given.map(|claim| claim.answer.date).max();
    let is_latest = |claim: &&Claim<'_>| Some(claim.answer.date) == latest;
    let mut words: Vec<AnswerWord> = claims.iter().filter(is_latest).map(|claim| claim.answer.answer).collect();
    words.dedup();
    let mut deciding = None;
    let states = claims.iter().map(|claim| {
        if claim.answer.date > as_of {
            AnswerState::NotYet(days_between(as_of, claim.answer.date))
        } else if !is_latest(&claim) {
            AnswerState::Superseded
        } else if doubtful {
            AnswerState::Doubtful
        } else if words.len() > 1 {
            AnswerState::Conflicting
        } else if !claim.answer.is_supported() {
            AnswerState::Unsupported
        } else {
            // The last day counts as a whole, in UTC.
            let last = last_day(claim.answer);
            match days_between(as_of, last) {
                _ if as_of > last => AnswerState::Expired(days_between(last, as_of)),
                days if days <= EXPIRING_DAYS => AnswerState::Expiring(days),
                days => AnswerState::InForce(days),
            }
        }
    });
    let mut states: Vec<AnswerState> = states.collect();
    // Of answers that agree, the first that is in force speaks; without one, the first that was.
    for wanted in [is_in_force, is_stale] {
        for (claim, state) in claims.iter().zip(&mut states) {
            if !wanted(*state) {
                continue;
            }
            match deciding {
                None => deciding = Some((*claim, *state)),
                Some((_, speaks)) if is_in_force(speaks) && is_in_force(*state) => *state = AnswerState::Superseded,
                Some(_) => {}
            }
        }
    }
    (deciding, states)
}

fn is_in_force(state: AnswerState) -> bool {
    matches!(state, AnswerState::InForce(_) | AnswerState::Expiring(_))
}

fn is_stale(state: AnswerState) -> bool {
    matches!(state, AnswerState::Expired(_) | AnswerState::Unsupported)
}

/// Writes the answer into the row of the target.
fn give(target: &mut AssessedTarget, rule: RuleIndex, claim: Claim<'_>, state: AnswerState) {
    let (mut answer, mut stale_answer) = (None, None);
    if is_in_force(state) {
        answer = Some(claim.position);
        Arc::make_mut(&mut target.verdicts)[usize::from(rule.0)] = Some(match claim.answer.answer {
            AnswerWord::Pass => Verdict::Pass,
            AnswerWord::Fail => Verdict::Fail,
            AnswerWord::NotApplicable => Verdict::NotApplicable,
        });
    } else {
        stale_answer = Some(claim.position);
    }
    let detail = Detail {
        rule,
        blame: Box::default(),
        also: Box::default(),
        waived: None,
        expired_waiver: None,
        answer,
        stale_answer,
        record: None,
    };
    let mut details = std::mem::take(&mut target.details).into_vec();
    let at = details.partition_point(|known| known.rule < rule);
    details.insert(at, detail);
    target.details = details.into_boxed_slice();
}

/// The message about answers of one day that contradict each other.
fn conflict(claims: &[Claim<'_>], states: &[AnswerState]) -> Option<Diagnostic> {
    let mut disagreeing = claims.iter().zip(states).filter(|(_, state)| **state == AnswerState::Conflicting);
    let (first, _) = disagreeing.next()?;
    let (other, _) = disagreeing.find(|(claim, _)| claim.answer.answer != first.answer.answer)?;
    let (rule, target) = (&first.answer.rule, first.name);
    let message = format!(
        "`{rule}` is answered for `{target}` with `{}` and with `{}` on {}, so neither counts",
        first.answer.answer, other.answer.answer, other.answer.date
    );
    let problem = Diagnostic::error("answer-conflict", message).at(other.answer.span);
    Some(problem.help(format!("the other is {}; take one of them out, or answer anew", first.answer.id)))
}

#[cfg(test)]
mod tests;
