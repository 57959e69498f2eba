//! What could not be determined, in the text report. One unreadable file leaves most rules of a target without an answer,
//! so the findings of a target that share places and causes are one block: the snippet once, then the rules.

use std::collections::BTreeMap;
use std::io;

use super::super::explanation::explanation;
use super::super::plural;
use super::{Key, LINES, Report, Verdict};
use crate::diag::Span;
use crate::facts::Cause;
use crate::findings::{BlameValue, Finding};
use crate::policy::Severity;

/// Where something is missing, why, and what was noted about it.
type Reason<'a> = (Option<Span>, Cause, Option<&'a str>);

impl<'a> Report<'a> {
    /// Prints findings that are sorted by target: each by itself, or in one block with those that share its reasons.
    pub(super) fn unknown_findings(&mut self, findings: &[(Key, Finding<'a>)]) -> io::Result<()> {
        for of_target in findings.chunk_by(|(one, _), (other, _)| one.target == other.target) {
            let mut groups: Vec<Vec<&Finding<'a>>> = Vec::new();
            let mut known: BTreeMap<Vec<Reason<'a>>, usize> = BTreeMap::new();
            for (_, finding) in of_target {
                match reasons(finding) {
                    Some(reasons) => {
                        let next = groups.len();
                        match groups.get_mut(*known.entry(reasons).or_insert(next)) {
                            Some(group) => group.push(finding),
                            None => groups.push(vec![finding]),
                        }
                    }
                    None => groups.push(vec![finding]),
                }
            }
            for group in groups {
                match group[..] {
                    [finding] => self.unknown_finding(finding)?,
                    _ => self.unknown_group(&group)?,
                }
            }
        }
        Ok(())
    }

    fn unknown_finding(&mut self, finding: &Finding<'a>) -> io::Result<()> {
        self.head(finding)?;
        if finding.verdict == Verdict::Error {
            self.page.wrapped("  error  ", "  ", "a defect of the pack or of mailvet, not of the target")?;
        }
        self.reasons(finding)?;
        self.waiver_state(finding)
    }

    fn unknown_group(&mut self, group: &[&Finding<'a>]) -> io::Result<()> {
        let Some(first) = group.first() else { return Ok(()) };
        let worst = group.iter().map(|finding| finding.severity()).max().unwrap_or(first.severity());
        let count = plural(group.len(), "rule");
        self.page.head(worst, &format!("  {}  {count} without an answer for the same reason", first.target.name))?;
        let reasons = reasons(first).unwrap_or_default();
        if reasons.iter().all(|(span, ..)| span.is_none()) {
            self.anchor(first)?;
        }
        for (span, cause, note) in reasons.iter().take(LINES) {
            let sentence = match note {
                Some(note) => format!("{cause}: {note}"),
                None => cause.to_string(),
            };
            match span {
                Some(span) => self.snippet(*span, &sentence)?,
                None => self.page.wrapped("  ", "  ", &sentence)?,
            }
        }
        match reasons.len().saturating_sub(LINES) {
            0 => {}
            more => self.page.line(&format!("  … and {}", plural(more, "more reason")))?,
        }
        for severity in Severity::DESCENDING {
            let of_severity = group.iter().filter(|finding| finding.severity() == severity);
            let rules: Vec<&str> = of_severity.map(|finding| finding.rule.id.as_str()).collect();
            self.page.list(&format!("  {:<8}  ", severity.as_str()), "            ", &rules)?;
        }
        Ok(())
    }
}

/// What a finding has in common with others, sorted; `None` when it must stand by itself.
fn reasons<'a>(finding: &Finding<'a>) -> Option<Vec<Reason<'a>>> {
    if finding.verdict != Verdict::Unknown || finding.detail.is_some_and(|detail| detail.expired_waiver.is_some()) {
        return None;
    }
    let mut reasons = Vec::new();
    for line in explanation(finding).into_iter().filter(|line| !line.also) {
        let BlameValue::Unknown(cause) = line.blame.observed else { return None };
        reasons.push((line.blame.span, cause, line.blame.note.as_deref()));
    }
    reasons.sort();
    reasons.dedup();
    (!reasons.is_empty()).then_some(reasons)
}
