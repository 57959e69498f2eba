//! CSV for spreadsheets: one row for every finding of every verdict, in the order of targets and rules.
//!
//! RFC 4180 with every cell quoted, so that no text can end its cell. UTF-8 with a byte order mark: without it Excel reads
//! the system's legacy encoding and shows names in other scripts as rubbish; LibreOffice reads UTF-8 from either and takes the
//! mark for proof. No cell is a formula. Cells are cut at what Excel holds, and say so.

use std::io::{self, Write};

use super::explanation::{explanation, not_collected};
use super::place::{Evidence, place};
use super::tally::Tally;
use super::text::zone_line;
use super::{Context, Key, answers, entries, escape};
use crate::findings::{Assessment, Finding, Verdict};
use crate::policy::Check;

/// The first row.
const COLUMNS: [&str; 14] = [
    "verdict",
    "severity",
    "rule",
    "title",
    "target kind",
    "target",
    "place",
    "observed",
    "expected",
    "evidence id",
    "fix",
    "waived",
    "controls",
    "answer",
];

/// The longest text of a cell, in characters. Excel holds 32,767, and an escape makes nine characters of one.
const CELL: usize = 3500;

pub(super) fn render(assessment: &Assessment, context: &Context<'_>, out: &mut dyn Write) -> io::Result<()> {
    out.write_all("\u{feff}".as_bytes())?;
    row(out, &COLUMNS.map(str::to_owned))?;
    if let Some(why) = Tally::of(assessment).nothing_judged(assessment) {
        row(out, &nothing_judged(&why))?;
    }
    for (key, finding) in entries(assessment) {
        row(out, &cells(assessment, context, key, &finding))?;
    }
    Ok(())
}

/// RFC 4180 section 2: cells are separated by commas, rows end in CR LF.
fn row(out: &mut dyn Write, cells: &[String; COLUMNS.len()]) -> io::Result<()> {
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        out.write_all(escape::csv(&escape::cut(cell, CELL)).as_bytes())?;
    }
    out.write_all(b"\r\n")
}

/// A table without a failure looks like success, so a run that says nothing has a row of its own.
fn nothing_judged(why: &str) -> [String; COLUMNS.len()] {
    let mut cells = [const { String::new() }; COLUMNS.len()];
    cells[0] = Verdict::Error.as_str().to_owned();
    cells[2] = "mailvet/nothing-judged".to_owned();
    cells[3] = format!("Nothing was judged: {why}");
    cells
}

fn cells(assessment: &Assessment, context: &Context<'_>, key: Key, finding: &Finding<'_>) -> [String; COLUMNS.len()] {
    let rule = finding.rule;
    let lines = explanation(finding);
    let mut observed: Vec<String> = lines.iter().map(|line| line.observed()).collect();
    let mut expected: Vec<String> = lines.iter().filter(|line| !line.also).filter_map(|line| line.expected()).collect();
    expected.dedup();
    match (finding.verdict, &rule.check) {
        (Verdict::NotChecked, _) => {
            observed.extend(not_collected(finding, key.rule).into_iter().map(|fact| format!("{fact}: not collected")));
        }
        (Verdict::Manual, Check::Manual(manual)) => expected.push(manual.ask.clone()),
        _ => {}
    }
    let mends = matches!(finding.verdict, Verdict::Fail | Verdict::Unknown | Verdict::Error);
    let mut fix = if mends { rule.fix.text.clone() } else { String::new() };
    if let Some(record) = finding.detail.and_then(|detail| detail.record.as_deref()) {
        let space = if fix.is_empty() { "" } else { " " };
        fix.push_str(&format!("{space}publish {}", zone_line(record)));
    }
    let controls: Vec<String> =
        rule.maps.iter().flat_map(|(framework, ids)| ids.iter().map(move |id| format!("{framework} {id}"))).collect();
    [
        finding.verdict.as_str().to_owned(),
        finding.severity().as_str().to_owned(),
        rule.id.clone(),
        rule.title.clone(),
        finding.target.kind.as_str().to_owned(),
        finding.target.name.clone(),
        finding.span().and_then(|span| place(context, span)).map(|place| place.to_string()).unwrap_or_default(),
        observed.join("; "),
        expected.join("; "),
        // With the name of the hash before them, digits are no number that a spreadsheet would round.
        Evidence::of(context, finding).map(|evidence| format!("sha256:{}", evidence.id)).unwrap_or_default(),
        fix,
        waived(assessment, finding),
        controls.join("; "),
        answers::sentence_with_evidence(assessment, finding).unwrap_or_default(),
    ]
}

/// `W-1 until 2026-12-01, approved by …: reason`. The verdict of a waived failure is still `fail`.
fn waived(assessment: &Assessment, finding: &Finding<'_>) -> String {
    let waiver = |index: Option<u32>| assessment.policy.waivers.get(index? as usize);
    let Some(detail) = finding.detail else { return String::new() };
    if let Some(waiver) = waiver(detail.waived) {
        let (id, until, by) = (&waiver.id, waiver.expires, &waiver.approved_by);
        return format!("{id} until {until}, approved by {by}: {}", waiver.reason);
    }
    waiver(detail.expired_waiver)
        .map(|waiver| format!("{} expired on {}", waiver.id, waiver.expires))
        .unwrap_or_default()
}
