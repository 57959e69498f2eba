//! JSON Lines: a header, one line for every finding of every verdict, a summary. The header is the document of
//! [`super::model`] with empty lists of targets and findings, so that each line can be read on its own.

use std::io::{self, Write};
use std::rc::Rc;

use hashbrown::HashMap;
use serde::Serialize;

use super::explanation::Line;
use super::model::{AssessmentDocument, FindingDocument, ReasonDocument, TargetDocument};
use super::place::{evidence_id, place};
use super::tally::Tally;
use super::{Context, escape, finding, json};
use crate::diag::{Place, Span};
use crate::facts::Target;
use crate::findings::{AssessedTarget, Assessment, Blame, BlameValue, Counts, Detail, Finding, FingerprintStart};
use crate::policy::{LeafId, Rule, Severity};

/// Bytes that are handed over at once, at least.
const TOGETHER: usize = 1 << 16;

/// Places of one target that are remembered at most: they are looked through one by one.
const MOST_PLACES: usize = 64;

/// Reasons that are remembered at most.
const MOST_REASONS: usize = 4096;

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
    let mut lines = Vec::new();
    line(&mut lines, &header)?;
    let rules = assessment.policy.rules.iter().map(OfRule::of).collect::<io::Result<Vec<OfRule>>>()?;
    let (mut room, mut reasons) = (Vec::new(), Reasons::default());
    for target in &assessment.targets {
        let mut of_target = OfTarget::of(target, context)?;
        for (of_rule, rule) in rules.iter().zip(0u16..) {
            let Some(finding) = finding(assessment, target, rule) else { continue };
            if is_usual(assessment, &finding) {
                of_rule.line(&mut lines, &finding, &mut of_target, &mut reasons, &mut room)?;
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

/// Whether a finding says nothing but what its facts say. The few others are written without haste.
fn is_usual(assessment: &Assessment, finding: &Finding<'_>) -> bool {
    let others = |detail: &Detail| {
        let Detail { rule: _, blame: _, also: _, record: _, waived, expired_waiver, answer, stale_answer } = detail;
        waived.or(*expired_waiver).or(*answer).or(*stale_answer).is_some()
    };
    assessment.history.is_none() && !finding.detail.is_some_and(others)
}

/// What the lines of a rule have in common.
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

    /// The line of a usual finding, which is what [`FindingDocument`] would give. Of most lines, only fingerprint and
    /// verdict are to be written anew; of the others, little more.
    fn line<'a>(
        &self,
        out: &mut Vec<u8>,
        finding: &Finding<'a>,
        target: &mut OfTarget<'_>,
        reasons: &mut Reasons<'a>,
        room: &mut Vec<u8>,
    ) -> io::Result<()> {
        let mut put = |text: &str| out.extend_from_slice(text.as_bytes());
        put("{\"type\":\"finding\",\"finding\":{\"fingerprint\":\"");
        self.fingerprint.write(&finding.target.name, room, &mut put);
        put(&self.fields);
        put(&target.name);
        put(",\"verdict\":\"");
        put(finding.verdict.as_str());
        put("\"");
        target.place(out, finding.span())?;
        if let Some(detail) = finding.detail {
            for (name, blamed) in [("because", &detail.blame), ("also", &detail.also)] {
                reasons.list(out, name, finding.rule, blamed, target)?;
            }
            if let Some(record) = &detail.record {
                out.extend_from_slice(b",\"record\":");
                escape::append_json(out, record)?;
            }
        }
        out.extend_from_slice(b"}}\n");
        Ok(())
    }
}

/// What the lines of a target have in common.
struct OfTarget<'a> {
    context: &'a Context<'a>,
    /// The field of its name.
    name: String,
    /// The fields of the places that its findings stand at, with a comma before each.
    places: Vec<(Option<Span>, String)>,
}

impl<'a> OfTarget<'a> {
    fn of(target: &AssessedTarget, context: &'a Context<'a>) -> io::Result<OfTarget<'a>> {
        #[derive(Serialize)]
        struct Named<'a> {
            target: &'a str,
        }
        Ok(OfTarget { context, name: fields(&Named { target: &target.name })?, places: Vec::new() })
    }

    /// Writes the fields of a place.
    fn place(&mut self, out: &mut Vec<u8>, span: Option<Span>) -> io::Result<()> {
        if let Some((_, known)) = self.places.iter().find(|(known, _)| *known == span) {
            out.extend_from_slice(known.as_bytes());
            return Ok(());
        }
        #[derive(Serialize)]
        struct Placed {
            #[serde(skip_serializing_if = "Option::is_none")]
            place: Option<Place>,
            #[serde(skip_serializing_if = "Option::is_none")]
            evidence: Option<String>,
        }
        let place = span.and_then(|span| place(self.context, span));
        let evidence = span.and_then(|span| evidence_id(self.context, span));
        let mut text = fields(&Placed { place, evidence })?;
        if !text.is_empty() {
            text.insert(0, ',');
        }
        out.extend_from_slice(text.as_bytes());
        if self.places.len() < MOST_PLACES {
            self.places.push((span, text));
        }
        Ok(())
    }
}

/// Reasons as they were written before. Those of different targets mostly differ in nothing but their place.
#[derive(Default)]
struct Reasons<'a> {
    known: HashMap<Said<'a>, Rc<Reason>>,
}

/// What a reason says, without its place.
#[derive(PartialEq, Eq, Hash)]
struct Said<'a> {
    rule: &'a str,
    leaf: LeafId,
    element: Option<&'a str>,
    observed: &'a BlameValue,
    expected: Option<&'a str>,
    negated: bool,
    note: Option<&'a str>,
}

struct Reason {
    sentence: String,
    /// The object without its place, up to the brace that closes it.
    text: String,
}

impl<'a> Reasons<'a> {
    /// Writes the field of a list of reasons, unless it is empty. No sentence is said twice of one place.
    fn list(
        &mut self,
        out: &mut Vec<u8>,
        name: &str,
        rule: &'a Rule,
        blamed: &'a [Blame],
        target: &mut OfTarget<'_>,
    ) -> io::Result<()> {
        let mut told: Vec<(Rc<Reason>, Option<Span>)> = Vec::with_capacity(blamed.len());
        for blame in blamed {
            let reason = self.reason(rule, blame, target.context)?;
            if told.iter().any(|(other, span)| *span == blame.span && other.sentence == reason.sentence) {
                continue;
            }
            match told.is_empty() {
                true => _ = write!(out, ",\"{name}\":["),
                false => out.push(b','),
            }
            out.extend_from_slice(reason.text.as_bytes());
            target.place(out, blame.span)?;
            out.push(b'}');
            told.push((reason, blame.span));
        }
        if !told.is_empty() {
            out.push(b']');
        }
        Ok(())
    }

    fn reason(&mut self, rule: &'a Rule, blame: &'a Blame, context: &Context<'_>) -> io::Result<Rc<Reason>> {
        let Blame { leaf, element, observed, expected, negated, span: _, note } = blame;
        let said = Said {
            rule: &rule.id,
            leaf: *leaf,
            element: element.as_deref(),
            observed,
            expected: expected.as_deref(),
            negated: *negated,
            note: note.as_deref(),
        };
        if let Some(known) = self.known.get(&said) {
            return Ok(Rc::clone(known));
        }
        let document = ReasonDocument::new(context, &Line::of(rule, blame, false));
        let document = ReasonDocument { place: None, evidence: None, ..document };
        let text = format!("{{{}", fields(&document)?);
        let reason = Rc::new(Reason { sentence: document.sentence, text });
        if self.known.len() >= MOST_REASONS {
            self.known.clear();
        }
        self.known.insert(said, Rc::clone(&reason));
        Ok(reason)
    }
}

/// The fields of an object, without its braces.
fn fields(object: &impl Serialize) -> io::Result<String> {
    let mut text = Vec::new();
    escape::append_json(&mut text, object)?;
    let inner = text.strip_prefix(b"{").and_then(|text| text.strip_suffix(b"}")).unwrap_or(&text);
    String::from_utf8(inner.to_vec()).map_err(io::Error::other)
}

fn line(out: &mut Vec<u8>, value: &impl Serialize) -> io::Result<()> {
    escape::append_json(out, value)?;
    out.push(b'\n');
    Ok(())
}
