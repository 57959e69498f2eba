//! JSON Lines: a header, one line for every finding of every verdict, a summary. The header is the document of
//! [`super::model`] with empty lists of targets and findings, so that each line can be read on its own.

use std::io::{self, Write};

use serde::Serialize;

use super::model::{AssessmentDocument, FindingDocument, TargetDocument};
use super::tally::Tally;
use super::{Context, escape, json};
use crate::findings::{Assessment, Counts};

#[derive(Serialize)]
struct Header {
    #[serde(rename = "type")]
    kind: &'static str,
    assessment: AssessmentDocument<[TargetDocument; 0], [FindingDocument; 0]>,
}

#[derive(Serialize)]
struct FindingLine {
    #[serde(rename = "type")]
    kind: &'static str,
    finding: FindingDocument,
}

#[derive(Serialize)]
struct Summary {
    #[serde(rename = "type")]
    kind: &'static str,
    findings: usize,
    judged: bool,
    counts: Counts,
}

pub(super) fn render(assessment: &Assessment, context: &Context<'_>, out: &mut dyn Write) -> io::Result<()> {
    let header = Header { kind: "header", assessment: json::document(assessment, context, [], []) };
    line(out, &header)?;
    for finding in assessment.findings() {
        line(out, &FindingLine { kind: "finding", finding: FindingDocument::new(assessment, context, &finding) })?;
    }
    let tally = Tally::of(assessment);
    let judged = tally.nothing_judged(assessment).is_none();
    line(out, &Summary { kind: "summary", findings: tally.total(), judged, counts: tally.counts })
}

fn line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    escape::compact_json(out, value)?;
    out.write_all(b"\n")
}
