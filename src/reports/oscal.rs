//! OSCAL 1.2 assessment results, for tools of governance, risk and compliance.
//!
//! Every finding is an observation about an inventory item; a rule is an assessment objective and an activity that supports the
//! controls it is mapped to. What OSCAL calls a finding says whether an objective is satisfied, and knows two answers:
//!
//! | verdict | state | reason |
//! | --- | --- | --- |
//! | pass | satisfied | pass |
//! | fail, waived or not | not-satisfied | fail |
//! | unknown, error, not-checked, manual | not-satisfied | other, with remarks |
//! | not-applicable | no OSCAL finding, only the observation | |
//!
//! `not-satisfied` means "not completely satisfied", and NIST SP 800-53A counts to "other than satisfied" what an assessor had not
//! enough information to determine. To leave it out would make the rest look complete. What does not apply is neither, so
//! nothing is determined. No verdict is drawn together for a control: that would be a decision.
//!
//! A waiver is a risk with an approved deviation; the finding it covers stays not satisfied. A person who
//! answers a manual rule is a party and the origin of the observation, which then is of the day of the answer. There is no clock: every
//! other time is midnight (UTC) of the assessment date. The back matter lists each file that was read, and each piece of evidence that an observation
//! rests on, with its SHA-256. Evidence is named by its hash (RFC 6920), because a report does not know where it is kept.

mod controls;
mod document;
mod resources;

use std::collections::BTreeMap;
use std::io::{self, Write};

use document::{
    Activities, Activity, Actor, AssessmentResults, Assets, BackMatter, Component, Definitions, Determination,
    Document, FindingItem, ImportAp, InventoryItem, Markup, Metadata, ObjectiveStatus, Observation, Origin, Party,
    Plain, Platform, Property, RelatedObservation, RelatedRisk, RelevantEvidence, Risk, RiskEntry, RiskLog, RunResult,
    State, Subject, Uses,
};
use resources::Resources;

use super::explanation::{explanation, not_collected};
use super::identity::{self, uuid};
use super::model::Lazy;
use super::place::{Evidence, place};
use super::tally::Tally;
use super::text::zone_line;
use super::{Context, Key, answers, entries, escape, live_sentence, plural};
use crate::findings::words::last_day;
use crate::findings::{AnswerState, AssessedTarget, Assessment, Finding, Verdict};
use crate::policy::{Answer, Check, Rule, Waiver};

/// The version of OSCAL that the document is written in.
const OSCAL_VERSION: &str = "1.2.2";

/// How many lines of the coverage statement are written; the JSON report has all.
const LINES: usize = 200;

/// How many pieces of evidence an observation refers to.
const PIECES: usize = 20;

pub(super) fn render(assessment: &Assessment, context: &Context<'_>, out: &mut dyn Write) -> io::Result<()> {
    let tally = Tally::of(assessment);
    let resources = Resources::of(assessment, context);
    let run = identity::of_run(assessment);
    let tool = uuid(&[b"tool", context.version.as_bytes()]);
    let time = format!("{}T00:00:00Z", assessment.as_of);
    let writer = Writer { assessment, context, tally: &tally, resources: &resources, run, tool, time };
    let items = Lazy(|| assessment.targets.iter().map(inventory_item));
    let observations = Lazy(|| entries(assessment).map(|(key, finding)| writer.observation(key, &finding)));
    let determined = || entries(assessment).filter(|(_, finding)| finding.verdict != Verdict::NotApplicable);
    let findings = Lazy(|| determined().filter_map(|(_, finding)| writer.finding(&finding)));
    let any = determined().next().is_some();
    let document = Document {
        assessment_results: AssessmentResults {
            uuid: writer.uuid(b"assessment-results"),
            metadata: writer.metadata(),
            import_ap: ImportAp {
                href: format!("#{}", resources.profile()),
                remarks: Markup::new("There is no plan in OSCAL; the profile says which rules are assessed."),
            },
            local_definitions: writer.activities(),
            results: [RunResult {
                uuid: writer.uuid(b"result"),
                title: Markup::new(&format!("mailvet, profile {}", assessment.policy.profile)),
                description: Markup::new(&tally.words()),
                start: writer.time.clone(),
                props: writer.counts(),
                local_definitions: Definitions {
                    inventory_items: (!assessment.targets.is_empty()).then_some(items),
                    assessment_assets: writer.assets(),
                },
                reviewed_controls: controls::reviewed(assessment),
                observations: (tally.total() > 0).then_some(observations),
                risks: writer.risks(),
                findings: any.then_some(findings),
                remarks: writer.coverage(),
            }],
            back_matter: BackMatter { resources: Lazy(|| resources.documents()) },
        },
    };
    escape::compact_json(out, &document)?;
    out.write_all(b"\n")
}

/// What all parts of the document share.
struct Writer<'a> {
    assessment: &'a Assessment,
    context: &'a Context<'a>,
    tally: &'a Tally,
    resources: &'a Resources<'a>,
    /// Digest of the run, for the identifiers of what exists once in it.
    run: [u8; 32],
    /// UUID of mailvet as the tool that observed.
    tool: String,
    /// The assessment date.
    time: String,
}

impl Writer<'_> {
    /// Identifier of something that exists once in a run.
    fn uuid(&self, what: &[u8]) -> String {
        let profile = self.assessment.policy.profile.as_bytes();
        let mut parts = vec![what, &self.run, self.context.version.as_bytes(), profile];
        parts.extend(self.assessment.policy.waivers.iter().map(|waiver| waiver.id.as_bytes()));
        parts.extend(self.assessment.policy.answers.answers.iter().map(|answer| answer.id.as_bytes()));
        uuid(&parts)
    }

    fn metadata(&self) -> Metadata {
        Metadata {
            title: Markup::new("E-mail infrastructure: assessment results of mailvet"),
            last_modified: self.time.clone(),
            version: self.assessment.as_of.to_string(),
            oscal_version: OSCAL_VERSION,
            props: vec![
                Property::new("tool-version", self.context.version),
                Property::new("profile", &self.assessment.policy.profile),
            ],
            parties: self.parties(),
            remarks: Markup::new(
                "Every time in this document is midnight (UTC) of the date for which was judged, not the time of an observation, but \
                 those of the answers of persons. \
                 UUIDs follow from content.",
            ),
        }
    }

    /// Everybody whose answer gave a verdict.
    fn parties(&self) -> Vec<Party> {
        let mut parties = BTreeMap::new();
        for note in &self.assessment.answers {
            if !matches!(note.state, AnswerState::InForce(_) | AnswerState::Expiring(_)) {
                continue;
            }
            let Some(answer) = self.assessment.policy.answers.answers.get(note.answer as usize) else { continue };
            let role = answer.role.as_deref().unwrap_or("no role is stated");
            let uuid = party_uuid(answer);
            let (name, remarks) = (Plain::new(&answer.by), Markup::new(&format!("Answers manual rules: {role}.")));
            parties.entry(uuid.clone()).or_insert(Party { uuid, kind: "person", name, remarks });
        }
        parties.into_values().collect()
    }

    /// The rules, as activities that support controls.
    fn activities(&self) -> Option<Activities> {
        let activities: Vec<Activity> = self.assessment.policy.rules.iter().map(activity).collect();
        (!activities.is_empty()).then_some(Activities { activities })
    }

    fn assets(&self) -> Assets {
        Assets {
            components: [Component {
                uuid: self.tool.clone(),
                kind: "software",
                title: Markup::new(&format!("mailvet {}", self.context.version)),
                description: Markup::new("Collects facts about e-mail infrastructure and evaluates rules on them."),
                status: State { state: "operational" },
            }],
            assessment_platforms: [Platform {
                uuid: uuid(&[b"platform", self.context.version.as_bytes()]),
                uses_components: [Uses { component_uuid: self.tool.clone() }],
            }],
        }
    }

    fn counts(&self) -> Vec<Property> {
        let counts = &self.tally.counts;
        let judged = if self.tally.nothing_judged(self.assessment).is_none() { "yes" } else { "no" };
        let counts = [
            ("pass", counts.pass),
            ("fail", counts.fail),
            ("waived", counts.waived),
            ("unknown", counts.unknown),
            ("error", counts.error),
            ("not-applicable", counts.not_applicable),
            ("not-checked", counts.not_checked),
            ("manual", counts.manual),
        ];
        let judged = std::iter::once(Property::new("judged", judged));
        judged.chain(counts.map(|(name, count)| Property::new(name, &count.to_string()))).collect()
    }

    /// What was read, and what was not: an assessment is worth what it looked at.
    fn coverage(&self) -> Markup {
        let coverage = &self.assessment.coverage;
        let nothing = self.tally.nothing_judged(self.assessment).map(|why| format!("Nothing was judged: {why}"));
        let live = coverage.live.as_deref();
        let sources = coverage.sources.iter().map(|source| {
            let records = usize::try_from(source.records).unwrap_or(usize::MAX);
            format!("read {} ({}, zone {}, {})", source.path, source.format, source.zone, plural(records, "record"))
        });
        let not_evaluated =
            coverage.not_evaluated.iter().map(|item| format!("not evaluated: {}: {}", item.name, item.reason));
        let ignored = coverage.ignored.iter().map(|item| format!("not read: {}: {}", item.path, item.reason));
        let messages = coverage.diagnostics.iter().map(|item| format!("{}: {}", item.code, item.message));
        let not_reached = live
            .into_iter()
            .flat_map(|live| &live.not_reached)
            .map(|item| format!("not reached: {}: {}", item.target, item.reason));
        let interrupted =
            live.into_iter().flat_map(|live| &live.interrupted).map(|name| format!("interrupted: {name}"));
        let left_out = live.into_iter().flat_map(|live| &live.left_out).map(|what| format!("left out: {what}"));
        let lines: Vec<String> = nothing
            .into_iter()
            .chain(live.map(live_sentence))
            .chain(left_out)
            .chain(interrupted)
            .chain(not_evaluated)
            .chain(not_reached)
            .chain(messages)
            .chain(ignored)
            .chain(sources)
            .collect();
        let more = lines.len().saturating_sub(LINES);
        let more = (more > 0).then(|| format!("{} in the JSON report", plural(more, "more line")));
        Markup::list("What was looked at, and what was not:", lines.into_iter().take(LINES).chain(more))
    }

    fn origin(&self) -> Origin {
        Origin { actors: [Actor { kind: "tool", actor_uuid: self.tool.clone() }] }
    }

    /// Who says so: mailvet, or the person who answered.
    fn origin_of(&self, finding: &Finding<'_>) -> Origin {
        match self.assessment.answer(finding) {
            Some(answer) => Origin { actors: [Actor { kind: "party", actor_uuid: party_uuid(answer) }] },
            None => self.origin(),
        }
    }

    fn observation(&self, key: Key, finding: &Finding<'_>) -> Observation {
        let target = &finding.target.name;
        let answer = self.assessment.answer(finding);
        Observation {
            uuid: observation_uuid(finding),
            title: Markup::new(&format!("{} of {} {target}", finding.rule.id, finding.target.kind)),
            description: Markup::new(&self.description(key, finding)),
            props: vec![Property::new("verdict", finding.verdict.as_str())],
            methods: self.methods(finding),
            types: ["control-objective"],
            origins: [self.origin_of(finding)],
            subjects: [Subject {
                subject_uuid: target_uuid(finding.target),
                kind: "inventory-item",
                title: Markup::new(target),
            }],
            relevant_evidence: self.relevant_evidence(finding),
            collected: answer.map_or(self.time.clone(), |answer| format!("{}T00:00:00Z", answer.date)),
            expires: answer.map(|answer| format!("{}T23:59:59Z", last_day(finding.rule, answer))),
        }
    }

    fn description(&self, key: Key, finding: &Finding<'_>) -> String {
        let mut sentences: Vec<String> = match (finding.verdict, &finding.rule.check) {
            (Verdict::Pass, _) => vec!["the rule passes".to_owned()],
            (Verdict::NotApplicable, _) => vec!["the rule does not apply".to_owned()],
            (Verdict::NotChecked, _) => {
                let facts: Vec<&str> = not_collected(finding, key.rule).into_iter().collect();
                vec![format!("this run does not collect what the rule needs: {}", facts.join(", "))]
            }
            (Verdict::Manual, Check::Manual(manual)) => vec![format!("awaits an answer: {}", manual.ask)],
            _ => Vec::new(),
        };
        sentences.extend(answers::sentence_with_evidence(self.assessment, finding));
        let line = |line: super::explanation::Line<'_>| {
            if line.also { format!("also: {}", line.sentence) } else { line.sentence }
        };
        sentences.extend(explanation(finding).into_iter().take(PIECES).map(line));
        sentences
            .extend(Evidence::of(self.context, finding).map(|evidence| format!("seen in {}", evidence.sentence())));
        if sentences.is_empty() {
            sentences.push(finding.verdict.as_str().to_owned());
        }
        sentences.join("; ")
    }

    /// NIST SP 800-53A: looking at documents is to examine, asking people to interview, exercising a service to test.
    fn methods(&self, finding: &Finding<'_>) -> Vec<&'static str> {
        match finding.verdict {
            Verdict::Manual => return vec!["INTERVIEW"],
            _ if self.assessment.answer(finding).is_some() => return vec!["INTERVIEW"],
            // Nothing was done.
            Verdict::NotChecked => return vec!["UNKNOWN"],
            _ => {}
        }
        let blame = finding.detail.into_iter().flat_map(|detail| detail.blame.iter().chain(&detail.also));
        let spans = blame.filter_map(|blame| blame.span);
        let (mut tested, mut examined) = (false, false);
        for span in spans.filter(|span| (span.file.0 as usize) < self.context.files.len()) {
            match self.context.files.get(span.file).evidence {
                Some(_) => tested = true,
                None => examined = true,
            }
        }
        if !tested && !examined {
            tested = self.assessment.coverage.live.is_some();
            examined = !tested;
        }
        [(examined, "EXAMINE"), (tested, "TEST")].into_iter().filter(|(done, _)| *done).map(|(_, word)| word).collect()
    }

    fn relevant_evidence(&self, finding: &Finding<'_>) -> Vec<RelevantEvidence> {
        let mut pieces: BTreeMap<String, RelevantEvidence> = BTreeMap::new();
        let shown = self.assessment.answer(finding).into_iter().flat_map(|answer| &answer.evidence);
        for item in shown.take(PIECES) {
            let Some(resource) = resources::shown_uuid(item) else { continue };
            let description = Markup::new(&format!("shown with the answer: {}", item.file));
            let piece = RelevantEvidence { href: format!("#{resource}"), description };
            pieces.entry(item.path.clone()).or_insert(piece);
        }
        for span in resources::spans(finding) {
            if pieces.len() >= PIECES {
                break;
            }
            let Some(resource) = self.resources.get(span.file) else { continue };
            let Some(place) = place(self.context, span) else { continue };
            let piece = RelevantEvidence { href: format!("#{resource}"), description: Markup::new(&place.to_string()) };
            pieces.entry(place.to_string()).or_insert(piece);
        }
        pieces.into_values().collect()
    }

    fn finding(&self, finding: &Finding<'_>) -> Option<FindingItem> {
        let waiver = finding.detail.and_then(|detail| detail.waived.or(detail.expired_waiver));
        let waiver = waiver.and_then(|index| self.assessment.policy.waivers.get(index as usize));
        let record = finding.detail.and_then(|detail| detail.record.as_deref());
        let waived = if finding.is_waived() { "yes" } else { "no" };
        Some(FindingItem {
            uuid: uuid(&[b"finding", finding.fingerprint().as_bytes()]),
            title: Markup::new(&format!("{} ({})", finding.rule.id, finding.target.name)),
            description: Markup::new(match finding.verdict {
                Verdict::Pass => "The rule passes.",
                _ => &finding.rule.title,
            }),
            props: vec![
                Property::new("verdict", finding.verdict.as_str()),
                Property::new("severity", finding.severity().as_str()),
                Property::new("waived", waived),
                Property::new("fingerprint", &finding.fingerprint()),
            ],
            origins: [self.origin_of(finding)],
            target: ObjectiveStatus {
                kind: "objective-id",
                target_id: controls::objective(finding.rule),
                status: determination(finding.verdict)?,
            },
            related_observations: [RelatedObservation { observation_uuid: observation_uuid(finding) }],
            related_risks: waiver.into_iter().map(|waiver| RelatedRisk { risk_uuid: risk_uuid(waiver) }).collect(),
            remarks: record.map(|record| Markup::new(&format!("Publish: {}", zone_line(record)))),
        })
    }

    /// One risk for each waiver, with the observations it covers.
    fn risks(&self) -> Vec<Risk> {
        let waivers = &self.assessment.policy.waivers;
        let mut covered: Vec<Vec<RelatedObservation>> = waivers.iter().map(|_| Vec::new()).collect();
        let mut counts: Vec<bool> = waivers.iter().map(|_| false).collect();
        for target in self.assessment.targets.iter().filter(|target| !target.details.is_empty()) {
            for finding in self.assessment.findings_of(target) {
                let Some(detail) = finding.detail else { continue };
                let Some(index) = detail.waived.or(detail.expired_waiver) else { continue };
                if let (Some(list), Some(counts)) = (covered.get_mut(index as usize), counts.get_mut(index as usize)) {
                    list.push(RelatedObservation { observation_uuid: observation_uuid(&finding) });
                    *counts |= detail.waived.is_none();
                }
            }
        }
        waivers
            .iter()
            .zip(covered)
            .zip(counts)
            .map(|((waiver, covered), counts)| self.risk(waiver, covered, counts))
            .collect()
    }

    /// A waiver that no longer holds leaves its risk open; one that covers nothing in this run has none to bear.
    fn risk(&self, waiver: &Waiver, covered: Vec<RelatedObservation>, counts: bool) -> Risk {
        let status = match (covered.is_empty(), counts) {
            (true, _) => "closed",
            (false, true) => "open",
            (false, false) => "deviation-approved",
        };
        let mut props = vec![
            Property::new("waiver", &waiver.id),
            Property::new("approved-by", &waiver.approved_by),
            Property::new("expires", &waiver.expires.to_string()),
        ];
        props.extend(waiver.ticket.as_deref().map(|ticket| Property::new("ticket", ticket)));
        let id = waiver.id.as_bytes();
        let mut entries = vec![RiskEntry {
            uuid: uuid(&[b"approval", id]),
            title: Markup::new("Deviation approved"),
            description: Markup::new(&format!("{} approved by {}", waiver.id, waiver.approved_by)),
            start: format!("{}T00:00:00Z", waiver.created),
            status_change: "deviation-approved",
        }];
        if status != "deviation-approved" {
            let why = if status == "open" {
                format!("the waiver expired on {}", waiver.expires)
            } else {
                "no finding of this run is covered by the waiver".to_owned()
            };
            entries.push(RiskEntry {
                uuid: uuid(&[b"state", id, &self.run]),
                title: Markup::new(&format!("State on {}", self.assessment.as_of)),
                description: Markup::new(&why),
                start: self.time.clone(),
                status_change: status,
            });
        }
        Risk {
            uuid: risk_uuid(waiver),
            title: Markup::new(&format!("Waiver {}", waiver.id)),
            description: Markup::new(&format!("{} for {}", waiver.rule, waiver.targets.join(", "))),
            statement: Markup::new(&waiver.reason),
            props,
            status,
            deadline: format!("{}T23:59:59Z", waiver.expires),
            risk_log: RiskLog { entries },
            related_observations: covered,
        }
    }
}

/// The state that OSCAL has for a verdict; `None` where nothing is determined.
fn determination(verdict: Verdict) -> Option<Determination> {
    let (state, reason, remarks) = match verdict {
        Verdict::Pass => ("satisfied", "pass", None),
        Verdict::Fail => ("not-satisfied", "fail", None),
        Verdict::Unknown => ("not-satisfied", "other", Some("Could not be determined: evidence is missing.")),
        Verdict::Error => {
            ("not-satisfied", "other", Some("Could not be determined: a defect of the rule pack or of mailvet."))
        }
        Verdict::NotChecked => {
            ("not-satisfied", "other", Some("Not assessed: this run does not collect what the rule needs."))
        }
        Verdict::Manual => ("not-satisfied", "other", Some("Not assessed: the rule awaits an answer of a person.")),
        Verdict::NotApplicable => return None,
    };
    Some(Determination { state, reason, remarks })
}

fn activity(rule: &Rule) -> Activity {
    let ask = match &rule.check {
        Check::Automatic(_) => None,
        Check::Manual(manual) => Some(Markup::new(&format!("A person answers: {}", manual.ask))),
    };
    Activity {
        uuid: uuid(&[b"activity", rule.id.as_bytes(), rule.pack.sha256.as_bytes()]),
        title: Markup::new(&rule.title),
        description: Markup::new(&format!("{} {}", rule.why, rule.fix.text)),
        props: vec![
            Property::new("rule", &rule.id),
            Property::new("severity", rule.severity.as_str()),
            Property::new("pack", &format!("{} {}", rule.pack.name, rule.pack.version)),
        ],
        related_controls: controls::of_rule(rule),
        remarks: ask,
    }
}

fn inventory_item(target: &AssessedTarget) -> InventoryItem {
    InventoryItem {
        uuid: target_uuid(target),
        description: Markup::new(&format!("{} {}", target.kind, target.name)),
        props: vec![Property::new("target-kind", target.kind.as_str()), Property::new("target", &target.name)],
    }
}

fn target_uuid(target: &AssessedTarget) -> String {
    uuid(&[b"target", target.kind.as_str().as_bytes(), target.name.as_bytes()])
}

/// Identifier of a person, by name and role.
fn party_uuid(answer: &Answer) -> String {
    uuid(&[b"party", answer.by.as_bytes(), answer.role.as_deref().unwrap_or_default().as_bytes()])
}

fn observation_uuid(finding: &Finding<'_>) -> String {
    uuid(&[b"observation", finding.fingerprint().as_bytes()])
}

fn risk_uuid(waiver: &Waiver) -> String {
    uuid(&[b"waiver", waiver.id.as_bytes(), waiver.rule.as_bytes()])
}
