//! Heimdall Data Format: the JSON of an InSpec run, which Heimdall and the MITRE SAF tools read.
//!
//! Every finding is a control with one result. Heimdall gives a control one status from all its results: of a control with
//! one passed and one undetermined result it says "Passed", and a waiver or the impact 0 makes "Not Applicable" of all of them. So
//! findings of one rule about several targets must not share a control.
//!
//! | verdict | status | Heimdall shows |
//! | --- | --- | --- |
//! | pass | passed | Passed |
//! | fail, waived or not | failed | Failed; a waiver stands in `waiver_data` as one whose control still ran |
//! | unknown, error | error | Profile Error |
//! | manual, not-checked | skipped | Not Reviewed |
//! | not-applicable | skipped with impact 0 | Not Applicable |
//!
//! A pack is a profile. What no control can hold, the coverage statement, is left out.

mod document;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use document::{
    Attestation, Control, ControlResult, Description, Exec, Platform, Profile, Reference, SourceLocation, Statistics,
    Tags, Totals, Waiver,
};

use super::explanation::{explanation, not_collected};
use super::model::Lazy;
use super::place::{Evidence, place};
use super::tally::Tally;
use super::text::zone_line;
use super::{Context, Key, answers, entries, escape};
use crate::findings::words::last_day;
use crate::findings::{Assessment, Finding, Verdict};
use crate::policy::{AnswerWord, Check, PackRef, Severity};

/// The longest text, in characters.
const TEXT: usize = 2000;

/// The framework whose identifiers Heimdall draws its map from.
const NIST: &str = "nist-800-53r5";

pub(super) fn render(assessment: &Assessment, context: &Context<'_>, out: &mut dyn Write) -> io::Result<()> {
    let tally = Tally::of(assessment);
    let writer = Writer { assessment, context, time: format!("{}T00:00:00Z", assessment.as_of) };
    let counts = &tally.counts;
    let nothing = tally.nothing_judged(assessment);
    let nothing = nothing.as_deref();
    let profiles = Lazy(|| {
        // Packs of rules, not of the policy: none of the rules may be lost, whatever the policy lists.
        let packs: BTreeSet<&PackRef> = assessment.policy.rules.iter().map(|rule| &rule.pack).collect();
        let own = nothing.map(|why| writer.nothing_judged(why));
        own.into_iter().map(Either::Own).chain(packs.into_iter().map(|pack| Either::Pack(&writer, pack)))
    });
    let document = Exec {
        platform: Platform { name: "mailvet", release: context.version, target_id: hdf(&assessment.policy.profile) },
        version: context.version,
        statistics: Statistics {
            controls: Totals {
                passed: counts.pass.into(),
                failed: (counts.fail + counts.waived).into(),
                error: (counts.unknown + counts.error + usize::from(nothing.is_some())).into(),
                skipped: (counts.manual + counts.not_checked + counts.not_applicable).into(),
            },
        },
        profiles,
    };
    escape::compact_json(out, &document)?;
    out.write_all(b"\n")
}

/// Text as Heimdall may show it.
fn hdf(text: &str) -> String {
    escape::hdf(&escape::cut(text, TEXT))
}

/// A profile of the document.
enum Either<'a> {
    /// The profile of mailvet itself, for what is no rule's verdict.
    Own(Profile<Vec<Control<'a>>>),
    /// A pack, whose controls are written one by one.
    Pack(&'a Writer<'a>, &'a PackRef),
}

impl serde::Serialize for Either<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Either::Own(profile) => profile.serialize(serializer),
            Either::Pack(writer, pack) => writer.profile(pack).serialize(serializer),
        }
    }
}

/// What all controls share.
struct Writer<'a> {
    assessment: &'a Assessment,
    context: &'a Context<'a>,
    /// The assessment date. mailvet's verdicts have no time of their own.
    time: String,
}

impl<'a> Writer<'a> {
    fn profile(&'a self, pack: &'a PackRef) -> impl serde::Serialize + 'a {
        let controls = Lazy(move || {
            let own = move |(_, finding): &(Key, Finding<'_>)| finding.rule.pack == *pack;
            entries(self.assessment).filter(own).map(|(key, finding)| self.control(key, &finding))
        });
        Profile {
            name: hdf(&pack.name),
            version: Some(hdf(&pack.version)),
            sha256: hdf(&pack.sha256),
            title: format!("mailvet rule pack {}", hdf(&pack.name)),
            status: "loaded",
            supports: [],
            attributes: [],
            groups: [],
            controls,
        }
    }

    /// A profile without a failure looks like success, so a run that says nothing has a control of its own.
    fn nothing_judged(&self, why: &str) -> Profile<Vec<Control<'a>>> {
        let message = format!("Nothing was judged: {}", hdf(why));
        let result = ControlResult {
            status: "error",
            code_desc: "At least one rule passes or fails".to_owned(),
            start_time: self.time.clone(),
            message: Some(message.clone()),
            skip_message: None,
        };
        Profile {
            name: "mailvet".to_owned(),
            version: Some(self.context.version.to_owned()),
            sha256: String::new(),
            title: "mailvet itself".to_owned(),
            status: "loaded",
            supports: [],
            attributes: [],
            groups: [],
            controls: vec![Control {
                id: "mailvet/nothing-judged".to_owned(),
                title: message.clone(),
                desc: Some(message),
                descriptions: Vec::new(),
                impact: impact(Severity::High),
                refs: Vec::new(),
                tags: Tags::default(),
                source_location: SourceLocation::default(),
                results: [result],
                waiver_data: None,
                attestation_data: None,
            }],
        }
    }

    fn control(&self, key: Key, finding: &Finding<'a>) -> Control<'a> {
        let rule = finding.rule;
        let target = hdf(&finding.target.name);
        let applies = finding.verdict != Verdict::NotApplicable;
        let asks_for_attention = !matches!(finding.verdict, Verdict::Pass | Verdict::NotApplicable);
        // Most findings pass or do not apply, and a reader of those looks up the rule.
        let descriptions = if asks_for_attention { descriptions(finding) } else { Vec::new() };
        let refs = rule.references.iter().filter(|_| asks_for_attention);
        let place = finding.span().and_then(|span| place(self.context, span));
        let id = format!("{} {target}", hdf(&rule.id));
        let texts = |ids: &Vec<String>| ids.iter().map(|id| hdf(id)).collect();
        let controls: BTreeMap<String, Vec<String>> =
            rule.maps.iter().map(|(framework, ids)| (hdf(framework), texts(ids))).collect();
        Control {
            id: id.clone(),
            // A title says what is wrong, which would be untrue of what passes.
            title: if asks_for_attention { format!("{}: {target}", hdf(&rule.title)) } else { id.clone() },
            desc: asks_for_attention.then(|| hdf(&rule.why)),
            descriptions,
            impact: if applies { impact(finding.severity()) } else { 0.0 },
            refs: refs.map(|reference| Reference { text: hdf(&reference.title) }).collect(),
            tags: Tags {
                nist: controls.get(NIST).cloned().unwrap_or_default(),
                rule: hdf(&rule.id),
                severity: finding.severity().as_str(),
                verdict: finding.verdict.as_str(),
                target: target.clone(),
                target_kind: finding.target.kind.as_str(),
                fingerprint: finding.fingerprint(),
                evidence: Evidence::of(self.context, finding).map(|evidence| evidence.id),
                controls,
            },
            source_location: SourceLocation {
                path: place.as_ref().map(|place| hdf(&place.file)),
                line: place.map(|place| place.line),
            },
            results: [self.result(key, finding, &target)],
            waiver_data: self.waiver(finding),
            attestation_data: self.attestation(finding, &id),
        }
    }

    fn result(&self, key: Key, finding: &Finding<'_>, target: &str) -> ControlResult {
        let answered = answers::sentence_with_evidence(self.assessment, finding);
        let (status, message) = match finding.verdict {
            Verdict::Pass => ("passed", answered.clone()),
            Verdict::Fail => ("failed", Some(self.because(finding))),
            Verdict::Unknown => ("error", Some(format!("Could not be determined. {}", self.because(finding)))),
            Verdict::Error => ("error", Some(format!("A defect of the pack or of mailvet. {}", self.because(finding)))),
            Verdict::NotApplicable => {
                let answered = answered.map(|sentence| format!(" {sentence}")).unwrap_or_default();
                ("skipped", Some(format!("The rule does not apply to the target.{answered}")))
            }
            Verdict::NotChecked => {
                let facts: Vec<&str> = not_collected(finding, key.rule).into_iter().collect();
                ("skipped", Some(format!("Not checked: this run does not collect {}", facts.join(", "))))
            }
            Verdict::Manual => match &finding.rule.check {
                Check::Manual(manual) => {
                    let stale = answered.map(|sentence| format!(" ({sentence})")).unwrap_or_default();
                    ("skipped", Some(format!("Awaits an answer: {}{stale}", manual.ask)))
                }
                Check::Automatic(_) => ("skipped", Some("Awaits an answer.".to_owned())),
            },
        };
        let message = message.map(|message| hdf(&message));
        let skipped = status == "skipped";
        ControlResult {
            status,
            code_desc: format!("{} of {} {target}", hdf(&finding.rule.id), finding.target.kind),
            start_time: self.time.clone(),
            message: message.clone().filter(|_| !skipped),
            skip_message: message.filter(|_| skipped),
        }
    }

    fn because(&self, finding: &Finding<'_>) -> String {
        let mut sentences: Vec<String> =
            answers::sentence_with_evidence(self.assessment, finding).into_iter().collect();
        let lines = explanation(finding)
            .into_iter()
            .take(20)
            .map(|line| if line.also { format!("also: {}", line.sentence) } else { line.sentence });
        sentences.extend(lines);
        sentences
            .extend(Evidence::of(self.context, finding).map(|evidence| format!("seen in {}", evidence.sentence())));
        sentences.join("; ")
    }

    /// The answer in the form of the MITRE SAF's attestations, which hold for a frequency from the day they were given.
    fn attestation(&self, finding: &Finding<'_>, id: &str) -> Option<Attestation> {
        let answer = self.assessment.answer(finding)?;
        let status = match answer.answer {
            AnswerWord::Pass => "passed",
            AnswerWord::Fail => "failed",
            AnswerWord::NotApplicable => return None,
        };
        let days = (last_day(finding.rule, answer) - answer.date).get_days();
        let role = answer.role.as_deref().map(|role| format!(", {role}")).unwrap_or_default();
        let shown = answers::shown(answer).into_iter();
        let explanation: Vec<String> = answer.note.iter().cloned().chain(shown).collect();
        Some(Attestation {
            control_id: id.to_owned(),
            explanation: hdf(&explanation.join("; ")),
            frequency: format!("{days}d"),
            status,
            updated: format!("{}T00:00:00Z", answer.date),
            updated_by: hdf(&format!("{}{role}", answer.by)),
        })
    }

    /// InSpec's `run: true`: the waived control still runs and its result stands. With `skipped_due_to_waiver` Heimdall would
    /// say that the control does not apply.
    fn waiver(&self, finding: &Finding<'_>) -> Option<Waiver> {
        let index = finding.detail?.waived?;
        let waiver = self.assessment.policy.waivers.get(index as usize)?;
        let ticket = waiver.ticket.as_ref().map(|ticket| format!(", {ticket}")).unwrap_or_default();
        Some(Waiver {
            justification: hdf(&waiver.reason),
            expiration_date: waiver.expires.to_string(),
            message: hdf(&format!("{} approved by {}{ticket}", waiver.id, waiver.approved_by)),
            run: true,
            skipped_due_to_waiver: false,
        })
    }
}

fn descriptions(finding: &Finding<'_>) -> Vec<Description> {
    let mut fix = finding.rule.fix.text.clone();
    if let Some(record) = finding.detail.and_then(|detail| detail.record.as_deref()) {
        fix.push_str(&format!(" Publish: {}", zone_line(record)));
    }
    let expected: Vec<String> = explanation(finding).iter().filter_map(|line| line.expected()).take(20).collect();
    [("check", expected.join("; ")), ("fix", fix)]
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(label, data)| Description { label, data: hdf(data.trim()) })
        .collect()
}

/// InSpec's scale, on which 0 means "does not apply"; so the lowest severity is above it.
fn impact(severity: Severity) -> f64 {
    match severity {
        Severity::Critical => 0.9,
        Severity::High => 0.7,
        Severity::Medium => 0.5,
        Severity::Low => 0.3,
        Severity::Info => 0.1,
    }
}
