//! JSON Lines: a header, one line for every finding of every verdict, a summary. The header is the document of
//! [`super::model`] with empty lists of targets and findings, so that each line can be read on its own.

use std::io::{self, Write};

use serde::Serialize;

use super::model::{AssessmentDocument, FindingDocument, TargetDocument};
use super::place::{evidence_id, place};
use super::tally::Tally;
use super::{Context, escape, finding, json};
use crate::diag::Place;
use crate::facts::Target;
use crate::findings::{AssessedTarget, Assessment, Counts, Finding};
use crate::policy::{Rule, Severity};

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
    let rules = assessment.policy.rules.iter().map(middle).collect::<io::Result<Vec<String>>>()?;
    for target in &assessment.targets {
        let ends = Ends::of(target, context)?;
        for (middle, rule) in rules.iter().zip(0u16..) {
            let Some(finding) = finding(assessment, target, rule) else { continue };
            if finding.detail.is_none() && assessment.history.is_none() {
                short_line(out, &finding, middle, &ends)?;
            } else {
                let finding = FindingDocument::new(assessment, context, &finding);
                line(out, &FindingLine { kind: "finding", finding })?;
            }
        }
    }
    let tally = Tally::of(assessment);
    let judged = tally.nothing_judged(assessment).is_none();
    line(out, &Summary { kind: "summary", findings: tally.total(), judged, counts: tally.counts })
}

/// What the short lines of a rule have in common: the fields of the rule.
fn middle(rule: &Rule) -> io::Result<String> {
    #[derive(Serialize)]
    struct OfRule<'a> {
        rule: &'a str,
        severity: Severity,
        target_kind: Target,
    }
    fields(&OfRule { rule: &rule.id, severity: rule.severity, target_kind: rule.applies_to })
}

/// What the short lines of a target have in common.
struct Ends {
    /// The field of its name.
    name: String,
    /// The fields of its place, with a comma before each.
    place: String,
}

impl Ends {
    fn of(target: &AssessedTarget, context: &Context<'_>) -> io::Result<Ends> {
        #[derive(Serialize)]
        struct Named<'a> {
            target: &'a str,
        }
        #[derive(Serialize)]
        struct Placed {
            #[serde(skip_serializing_if = "Option::is_none")]
            place: Option<Place>,
            #[serde(skip_serializing_if = "Option::is_none")]
            evidence: Option<String>,
        }
        let place = target.anchor.and_then(|span| place(context, span));
        let evidence = target.anchor.and_then(|span| evidence_id(context, span));
        let mut place = fields(&Placed { place, evidence })?;
        if !place.is_empty() {
            place.insert(0, ',');
        }
        Ok(Ends { name: fields(&Named { target: &target.name })?, place })
    }
}

/// The fields of an object, without its braces.
fn fields(object: &impl Serialize) -> io::Result<String> {
    let mut text = Vec::new();
    escape::compact_json(&mut text, object)?;
    let inner = text.strip_prefix(b"{").and_then(|text| text.strip_suffix(b"}")).unwrap_or(&text);
    String::from_utf8(inner.to_vec()).map_err(io::Error::other)
}

/// The line of a finding without details, which is what [`FindingDocument`] would give. Most findings have none, and of
/// millions of lines only fingerprint and verdict are to be written anew.
fn short_line(out: &mut dyn Write, finding: &Finding<'_>, middle: &str, ends: &Ends) -> io::Result<()> {
    out.write_all(b"{\"type\":\"finding\",\"finding\":{\"fingerprint\":\"")?;
    out.write_all(finding.fingerprint().as_bytes())?;
    out.write_all(b"\",")?;
    out.write_all(middle.as_bytes())?;
    out.write_all(b",")?;
    out.write_all(ends.name.as_bytes())?;
    out.write_all(b",\"verdict\":\"")?;
    out.write_all(finding.verdict.as_str().as_bytes())?;
    out.write_all(b"\"")?;
    out.write_all(ends.place.as_bytes())?;
    out.write_all(b"}}\n")
}

fn line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    escape::compact_json(out, value)?;
    out.write_all(b"\n")
}
