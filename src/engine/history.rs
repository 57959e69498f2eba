//! The history of findings: what a run adds to what an earlier one left.
//!
//! A finding keeps the day on which it was first seen, over any number of runs, until it is forgotten with its rule or
//! target. It regressed when it was seen to be mended and fails again. A run that could not look changes nothing: only a
//! verdict that passes mends.

use jiff::civil::Date;

use crate::findings::history::{Ended, History, HistoryCounts, Past, Record, is_problem};
use crate::findings::words::sentence;
use crate::findings::{Assessment, Finding, Verdict};

/// How many digits of a digest tell one observation from another.
const DIGITS: usize = 16;

/// What a run of this day leaves for the next, given what an earlier one left.
pub fn remember(past: Option<&Past>, assessment: &Assessment, date: Date) -> Past {
    let rules = assessment.policy.rules.iter().enumerate().map(|(index, rule)| (rule.id.clone(), index)).collect();
    let row = |target: &crate::findings::AssessedTarget| ((target.kind, target.name.clone()), target.verdicts.clone());
    let targets = assessment.targets.iter().map(row).collect();
    let mut records = past.map(|past| past.records.clone()).unwrap_or_default();
    for finding in assessment.findings() {
        match finding.verdict {
            Verdict::Fail => {
                let fingerprint = finding.fingerprint();
                let record = match records.remove(&fingerprint) {
                    Some(earlier) => Record {
                        last_seen: date,
                        fixed: None,
                        regressed: earlier.regressed || earlier.fixed.is_some(),
                        waived: finding.is_waived(),
                        observed: observed(assessment, &finding),
                        ..earlier
                    },
                    None => first(assessment, &finding, date),
                };
                records.insert(fingerprint, record);
            }
            Verdict::Pass | Verdict::NotApplicable if !records.is_empty() => {
                if let Some(record) = records.get_mut(&finding.fingerprint()) {
                    record.fixed.get_or_insert(date);
                }
            }
            _ => {}
        }
    }
    Past { date, rules, targets, records }
}

/// Puts what an earlier run left beside the present one.
pub fn history(past: Past, assessment: &Assessment, date: Date) -> History {
    let present = remember(Some(&past), assessment, date);
    let ended = ended(&past, &present);
    let mut counts = HistoryCounts {
        fixed: ended.iter().filter(|item| item.is_fixed()).count(),
        not_judged: ended.iter().filter(|item| !item.is_fixed()).count(),
        ..HistoryCounts::default()
    };
    for finding in assessment.findings().filter(|finding| finding.verdict == Verdict::Fail) {
        match past.records.get(&finding.fingerprint()) {
            None => counts.new += 1,
            Some(record) if record.fixed.is_some() => counts.regressed += 1,
            Some(_) => counts.persisting += 1,
        }
    }
    History { past, present, ended, counts }
}

fn first(assessment: &Assessment, finding: &Finding<'_>, date: Date) -> Record {
    Record {
        rule: finding.rule.id.clone(),
        kind: finding.target.kind,
        target: finding.target.name.clone(),
        first_seen: date,
        last_seen: date,
        fixed: None,
        regressed: false,
        waived: finding.is_waived(),
        observed: observed(assessment, finding),
    }
}

/// Digest of what explains a failure.
fn observed(assessment: &Assessment, finding: &Finding<'_>) -> String {
    use sha2::{Digest, Sha256};
    let mut hasher = Sha256::new();
    for blame in finding.detail.into_iter().flat_map(|detail| &detail.blame) {
        hasher.update(sentence(finding.rule, blame).as_bytes());
        hasher.update(b"\x1f");
    }
    // What a person found says more than that the rule fails; who renews the answer, and when, does not.
    if let Some(note) = assessment.answer(finding).and_then(|answer| answer.note.as_deref()) {
        hasher.update(note.as_bytes());
    }
    let mut digest = data_encoding::HEXLOWER.encode(&hasher.finalize());
    digest.truncate(DIGITS);
    digest
}

/// What the earlier run had and the present one has not.
fn ended(past: &Past, present: &Past) -> Vec<Ended> {
    let mut ended = Vec::new();
    for ((kind, target), row) in &past.targets {
        for (rule, index) in &past.rules {
            let Some(before) = row.get(*index).copied().flatten().filter(|verdict| is_problem(*verdict)) else {
                continue;
            };
            let now = present.verdict(*kind, target, rule);
            if now.is_some_and(is_problem) {
                continue;
            }
            let fingerprint = crate::findings::fingerprint(rule, *kind, target);
            let record = past.records.get(&fingerprint);
            ended.push(Ended {
                rule: rule.clone(),
                kind: *kind,
                target: target.clone(),
                before,
                now,
                first_seen: record.map(|record| record.first_seen),
                last_seen: record.map(|record| record.last_seen),
                fingerprint,
            });
        }
    }
    ended.sort_by(|one, other| (&one.rule, one.kind, &one.target).cmp(&(&other.rule, other.kind, &other.target)));
    ended
}

#[cfg(test)]
mod tests;
