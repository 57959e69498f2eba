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
use crate::findings::{AssessedTarget, Assessment, Counts, FingerprintStart, Verdict};
use crate::policy::{Rule, Severity};

/// Bytes that are handed over at once, at least.
const TOGETHER: usize = 1 << 16;

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
    // Lines are put together here and handed over many at once: there are millions of them.
    let (mut lines, mut room) = (Vec::new(), Vec::new());
    line(&mut lines, &header)?;
    let rules = assessment.policy.rules.iter().map(OfRule::of).collect::<io::Result<Vec<OfRule>>>()?;
    for target in &assessment.targets {
        let ends = Ends::of(target, context)?;
        for (of_rule, rule) in rules.iter().zip(0u16..) {
            let Some(finding) = finding(assessment, target, rule) else { continue };
            if finding.detail.is_none() && assessment.history.is_none() {
                of_rule.short_line(&mut lines, finding.verdict, &target.name, &ends, &mut room);
            } else {
                let finding = FindingDocument::new(assessment, context, &finding);
                line(&mut lines, &FindingLine { kind: "finding", finding })?;
            }
        }
        if lines.len() >= TOGETHER {
            out.write_all(&lines)?;
            lines.clear();
        }
    }
    let tally = Tally::of(assessment);
    let judged = tally.nothing_judged(assessment).is_none();
    line(&mut lines, &Summary { kind: "summary", findings: tally.total(), judged, counts: tally.counts })?;
    out.write_all(&lines)
}

/// What the short lines of a rule have in common.
struct OfRule {
    fingerprint: FingerprintStart,
    /// The fields of the rule, with the punctuation around them.
    fields: String,
}

impl OfRule {
    fn of(rule: &Rule) -> io::Result<OfRule> {
        #[derive(Serialize)]
        struct Fields<'a> {
            rule: &'a str,
            severity: Severity,
            target_kind: Target,
        }
        let fields = fields(&Fields { rule: &rule.id, severity: rule.severity, target_kind: rule.applies_to })?;
        let fingerprint = FingerprintStart::new(&rule.id, rule.applies_to);
        Ok(OfRule { fingerprint, fields: format!("\",{fields},") })
    }

    /// The line of a finding without details, which is what [`FindingDocument`] would give. Most findings have none, and
    /// only fingerprint and verdict are to be written anew.
    fn short_line(&self, out: &mut Vec<u8>, verdict: Verdict, target: &str, ends: &Ends, room: &mut Vec<u8>) {
        let mut put = |text: &str| out.extend_from_slice(text.as_bytes());
        put("{\"type\":\"finding\",\"finding\":{\"fingerprint\":\"");
        self.fingerprint.write(target, room, &mut put);
        put(&self.fields);
        put(&ends.name);
        put(",\"verdict\":\"");
        put(verdict.as_str());
        put("\"");
        put(&ends.place);
        put("}}\n");
    }
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

fn line(out: &mut Vec<u8>, value: &impl Serialize) -> io::Result<()> {
    escape::compact_json(out, value)?;
    out.push(b'\n');
    Ok(())
}
