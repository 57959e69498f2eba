//! Since when a finding is there: what an earlier run said of it.
//!
//! [`Past`] is what one run leaves for the next: its verdicts, and for every finding that ever failed the days on which
//! it was first and last seen and whether it was mended in between. A snapshot holds the past of its own run, so that
//! judging it again tells the same history. [`History`] is that past beside the present. The engine fills both; reports
//! read them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;

use super::{Finding, Verdict};
use crate::facts::Target;
use crate::facts::stored::{StoredFinding, StoredHistory, StoredVerdicts};

/// What one run leaves for the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// The day of the run, UTC.
    pub date: Date,
    /// Ids of the rules, with their positions in rows.
    pub rules: BTreeMap<String, usize>,
    /// The verdicts on every target, one for each rule.
    pub targets: BTreeMap<(Target, String), Arc<[Option<Verdict>]>>,
    /// Findings that failed in that run or earlier, by fingerprint.
    pub records: BTreeMap<String, Record>,
}

/// A finding that failed at least once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Rule id.
    pub rule: String,
    /// Kind of the target.
    pub kind: Target,
    /// Name of the target.
    pub target: String,
    /// The day on which it was first seen to fail.
    pub first_seen: Date,
    /// The day on which it was last seen to fail.
    pub last_seen: Date,
    /// The day on which it was seen to be mended; `None` while it was not.
    pub fixed: Option<Date>,
    /// Whether it came back after it had been mended.
    pub regressed: bool,
    /// Whether a waiver covered it when it was last seen.
    pub waived: bool,
    /// Digest of what was observed when it was last seen.
    pub observed: String,
}

/// How a finding stands to the earlier run, in the words of SARIF 2.1.0 section 3.27.24.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Baseline {
    /// It was not there.
    New,
    /// It was there and is the same.
    Unchanged,
    /// It was there and says something else now.
    Updated,
    /// It was there and is not.
    Absent,
}

impl Baseline {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Baseline::New => "new",
            Baseline::Unchanged => "unchanged",
            Baseline::Updated => "updated",
            Baseline::Absent => "absent",
        }
    }
}

/// The past beside the present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// What the earlier run left.
    pub past: Past,
    /// What the present run leaves.
    pub present: Past,
    /// Findings that failed or were unknown in the earlier run and are neither now, sorted by rule and target.
    pub ended: Vec<Ended>,
    /// How many findings have which history.
    pub counts: HistoryCounts,
}

/// A finding of the earlier run that the present one does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Identity, as of [`Finding::fingerprint`].
    pub fingerprint: String,
    /// Rule id.
    pub rule: String,
    /// Kind of the target.
    pub kind: Target,
    /// Name of the target.
    pub target: String,
    /// The verdict then.
    pub before: Verdict,
    /// The verdict now; `None` when there is no such target or rule any more.
    pub now: Option<Verdict>,
    /// The day on which it was first seen to fail, if it ever did.
    pub first_seen: Option<Date>,
    /// The day on which it was last seen to fail, if it ever did.
    pub last_seen: Option<Date>,
}

impl Ended {
    /// Whether it was mended. Otherwise it is not judged any more, which is no remedy.
    pub fn is_fixed(&self) -> bool {
        matches!(self.now, Some(Verdict::Pass | Verdict::NotApplicable))
    }
}

/// How many findings have which history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct HistoryCounts {
    /// Failures that no earlier run had.
    pub new: usize,
    /// Failures that had been mended and are back since the earlier run.
    pub regressed: usize,
    /// Failures that an earlier run had and that were never seen to be mended since.
    pub persisting: usize,
    /// Findings of the earlier run that were mended.
    pub fixed: usize,
    /// Findings of the earlier run that are not judged any more.
    pub not_judged: usize,
}

impl History {
    /// Since when a finding that fails now has been seen; `None` for other findings.
    pub fn record(&self, finding: &Finding<'_>) -> Option<&Record> {
        if finding.verdict != Verdict::Fail {
            return None;
        }
        self.present.records.get(&finding.fingerprint())
    }

    /// How a finding stands to the earlier run.
    pub fn baseline(&self, finding: &Finding<'_>) -> Baseline {
        let Some(before) = self.past.verdict(finding.target.kind, &finding.target.name, &finding.rule.id) else {
            return Baseline::New;
        };
        match (is_problem(before), is_problem(finding.verdict)) {
            (false, true) => Baseline::New,
            _ if before != finding.verdict => Baseline::Updated,
            (_, true) if finding.verdict == Verdict::Fail => {
                let fingerprint = finding.fingerprint();
                let (then, now) = (self.past.records.get(&fingerprint), self.present.records.get(&fingerprint));
                let said = |record: Option<&Record>| record.map(|record| (record.waived, record.observed.clone()));
                if said(then) == said(now) { Baseline::Unchanged } else { Baseline::Updated }
            }
            _ => Baseline::Unchanged,
        }
    }
}

/// Whether a verdict asks for somebody's attention.
pub fn is_problem(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Fail | Verdict::Unknown | Verdict::Error)
}

/// A stored history that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the history in the snapshot cannot be used: {0}")]
pub struct HistoryError(String);

impl Past {
    /// The verdict on a target, if it was judged by the rule.
    pub fn verdict(&self, kind: Target, target: &str, rule: &str) -> Option<Verdict> {
        let row = self.targets.get(&(kind, target.to_owned()))?;
        *row.get(*self.rules.get(rule)?)?
    }

    /// The form in which a snapshot holds it.
    pub fn stored(&self) -> StoredHistory {
        let mut rules = vec![String::new(); self.rules.len()];
        for (rule, index) in &self.rules {
            if let Some(place) = rules.get_mut(*index) {
                place.clone_from(rule);
            }
        }
        let row = |(kind, name): &(Target, String), row: &[Option<Verdict>]| {
            let mut verdicts: BTreeMap<String, Vec<u32>> = BTreeMap::new();
            for (verdict, index) in row.iter().zip(0u32..) {
                if let Some(verdict) = verdict {
                    verdicts.entry(verdict.to_string()).or_default().push(index);
                }
            }
            StoredVerdicts { kind: *kind, name: name.clone(), verdicts }
        };
        let finding = |record: &Record| StoredFinding {
            rule: record.rule.clone(),
            kind: record.kind,
            target: record.target.clone(),
            first_seen: record.first_seen.to_string(),
            last_seen: record.last_seen.to_string(),
            fixed: record.fixed.map(|date| date.to_string()),
            regressed: record.regressed,
            waived: record.waived,
            observed: record.observed.clone(),
        };
        StoredHistory {
            date: self.date.to_string(),
            rules,
            targets: self.targets.iter().map(|(target, verdicts)| row(target, verdicts)).collect(),
            findings: self.records.values().map(finding).collect(),
        }
    }

    /// Reads the form in which a snapshot holds it.
    ///
    /// # Errors
    /// A word, a date or a position that means nothing.
    pub fn from_stored(stored: &StoredHistory) -> Result<Past, HistoryError> {
        let rules: BTreeMap<String, usize> =
            stored.rules.iter().enumerate().map(|(index, rule)| (rule.clone(), index)).collect();
        if rules.len() != stored.rules.len() {
            return Err(HistoryError("a rule stands in it twice".to_owned()));
        }
        let mut targets = BTreeMap::new();
        for target in &stored.targets {
            let mut row = vec![None; rules.len()];
            for (word, positions) in &target.verdicts {
                let verdict = Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == word);
                let verdict = verdict.ok_or_else(|| HistoryError(format!("`{word}` is no verdict")))?;
                for position in positions {
                    let place = row.get_mut(*position as usize);
                    *place.ok_or_else(|| HistoryError(format!("it has no rule {position}")))? = Some(verdict);
                }
            }
            targets.insert((target.kind, target.name.clone()), row.into());
        }
        let record = |finding: &StoredFinding| -> Result<(String, Record), HistoryError> {
            let record = Record {
                rule: finding.rule.clone(),
                kind: finding.kind,
                target: finding.target.clone(),
                first_seen: date(&finding.first_seen)?,
                last_seen: date(&finding.last_seen)?,
                fixed: finding.fixed.as_deref().map(date).transpose()?,
                regressed: finding.regressed,
                waived: finding.waived,
                observed: finding.observed.clone(),
            };
            Ok((super::fingerprint(&record.rule, record.kind, &record.target), record))
        };
        let records = stored.findings.iter().map(record).collect::<Result<_, _>>()?;
        Ok(Past { date: date(&stored.date)?, rules, targets, records })
    }
}

fn date(text: &str) -> Result<Date, HistoryError> {
    text.parse().map_err(|_| HistoryError(format!("`{text}` is no date")))
}
