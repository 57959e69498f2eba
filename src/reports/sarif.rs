//! SARIF 2.1.0 in three dialects.
//!
//! | dialect | results |
//! | --- | --- |
//! | full | every finding of every verdict, with kind, level, suppressions, control mappings, `baselineState` |
//! | github | failures without waiver and what could not be determined; the 5,000 worst |
//! | gitlab | the same with rank; findings of one rule on the same lines are one result that names the other targets |
//!
//! GitHub shows every result as an open alert, whatever its kind or suppressions, closes alerts that are no longer
//! reported, keeps 5,000 results, and rejects a file in which one result has no physical location. GitLab identifies a
//! finding by rule, file and lines and drops twins silently; giving twins other lines would be untrue, so they are merged.
//! What a dialect leaves out is counted in notifications and in `properties.counts` of the run.

mod descriptors;
mod document;
mod notifications;

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write};

use document::{
    AnswerEvidenceProperties, AnswerProperties, Artifact, ArtifactLocation, AutomationDetails, Driver, Fingerprints,
    Invocation, LevelWord, Location, Log, LogicalLocation, Message, PhysicalLocation, Region, ResultProperties,
    Results, Run, RunProperties, SarifResult, Suppression, SuppressionProperties, Tool, UriBase, UriBases,
};

use super::explanation::explanation;
use super::model::Lazy;
use super::place::{Evidence, Located, home, home_file, located, relative};
use super::tally::Tally;
use super::text::zone_line;
use super::{Context, Key, Worst, answers, entries, escape, identity, is_notable, is_reported, plural, worst};
use crate::facts::Target;
use crate::findings::history::{Baseline, Ended, History};
use crate::findings::words::last_day;
use crate::findings::{Assessment, Finding, Verdict};
use crate::policy::{Answer, Severity};

/// Which reader the log is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Everything.
    Full,
    /// GitHub code scanning.
    Github,
    /// GitLab.
    Gitlab,
}

/// How many results GitHub keeps and GitLab accepts.
const RESULTS: usize = 5000;
/// The longest message of a result, in characters.
const MESSAGE: usize = 1000;

pub(super) fn render(
    dialect: Dialect,
    assessment: &Assessment,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let tally = Tally::of(assessment);
    let reported = match dialect {
        Dialect::Full => Worst { keys: Vec::new(), total: 0 },
        Dialect::Github | Dialect::Gitlab => {
            worst(assessment, RESULTS, is_notable, |finding| is_reported(finding, context))
        }
    };
    let log = Writer::new(dialect, assessment, context, &tally, &reported);
    let groups = if dialect == Dialect::Gitlab { log.merged(&reported.keys) } else { Vec::new() };
    let results = Lazy(|| log.results(&reported.keys, &groups));
    escape::compact_json(out, &log.document(results))?;
    out.write_all(b"\n")
}

/// What all parts of the log share.
struct Writer<'a> {
    dialect: Dialect,
    assessment: &'a Assessment,
    context: &'a Context<'a>,
    tally: &'a Tally,
    /// How many results were left out for the limit, by rule.
    omitted: HashMap<u16, usize>,
    nothing_judged: Option<String>,
    home: String,
    /// Whether `home` is a file of this run. Where it is not, only readers that insist on a file are given one.
    has_home: bool,
    /// Position in `artifacts` by URI.
    artifacts: HashMap<String, usize>,
}

/// Findings of one rule on the same lines.
struct Merged {
    first: Key,
    others: Vec<Key>,
}

impl<'a> Writer<'a> {
    fn new(
        dialect: Dialect,
        assessment: &'a Assessment,
        context: &'a Context<'a>,
        tally: &'a Tally,
        reported: &Worst,
    ) -> Self {
        let mut omitted: HashMap<u16, usize> = HashMap::new();
        if reported.omitted() > 0 {
            for (key, _) in entries(assessment).filter(|(_, finding)| is_reported(finding, context)) {
                *omitted.entry(key.rule).or_default() += 1;
            }
            for key in &reported.keys {
                omitted.entry(key.rule).and_modify(|count| *count -= 1);
            }
        }
        Writer {
            dialect,
            assessment,
            context,
            tally,
            omitted,
            nothing_judged: tally.nothing_judged(assessment),
            home: home(assessment, context),
            has_home: home_file(assessment, context).is_some() || assessment.coverage.live.is_none(),
            artifacts: HashMap::new(),
        }
        .with_artifacts()
    }

    /// The artifacts of the full dialect; the others ignore them and count every byte.
    fn with_artifacts(mut self) -> Self {
        if self.dialect == Dialect::Full {
            // Evidence is named like a file, but nobody could open it in the repository.
            let files = self.context.files.iter().map(|(_, file)| file);
            let named = files.filter(|file| file.evidence.is_none() && !file.path.is_empty());
            let paths = named.filter_map(|file| Some(escape::uri_path(&relative(self.context, &file.path)?)));
            // In order of their names, because a replay has read them in another order.
            let paths: BTreeSet<String> = paths.collect();
            self.artifacts = paths.into_iter().zip(0..).collect();
        }
        self
    }

    fn document<R>(&self, results: R) -> Log<'_, R> {
        let notifications = self.notifications();
        Log {
            schema: "https://json.schemastore.org/sarif-2.1.0.json",
            version: "2.1.0",
            runs: [Run {
                tool: Tool { driver: self.driver() },
                taxonomies: self.taxonomies(),
                automation_details: AutomationDetails { id: self.automation_id() },
                original_uri_base_ids: UriBases {
                    root: UriBase { description: Message::new("The root of the repository.") },
                },
                artifacts: self.artifact_list(),
                invocations: [Invocation {
                    execution_successful: self.nothing_judged.is_none() && self.tally.counts.error == 0,
                    tool_configuration_notifications: notifications.configuration,
                    tool_execution_notifications: notifications.execution,
                }],
                column_kind: "unicodeCodePoints",
                properties: RunProperties {
                    as_of: self.assessment.as_of.to_string(),
                    profile: self.assessment.policy.profile.clone(),
                    packs: &self.assessment.policy.packs,
                    judged: self.nothing_judged.is_none(),
                    counts: self.tally.counts,
                },
                results: Results(results),
            }],
        }
    }

    fn driver(&self) -> Driver {
        Driver {
            name: "mailvet",
            full_name: format!("mailvet {}", self.context.version),
            version: self.context.version.to_owned(),
            semantic_version: semver::Version::parse(self.context.version).ok().map(|version| version.to_string()),
            rules: self.rules(),
            notifications: notifications::descriptors(),
            supported_taxonomies: self.supported_taxonomies(),
        }
    }

    fn artifact_list(&self) -> Option<Vec<Artifact>> {
        if self.dialect != Dialect::Full {
            return None;
        }
        let mut uris: Vec<(&String, usize)> = self.artifacts.iter().map(|(uri, index)| (uri, *index)).collect();
        uris.sort_by_key(|(_, index)| *index);
        Some(
            uris.into_iter()
                .map(|(uri, _)| Artifact {
                    location: ArtifactLocation { uri: uri.clone(), uri_base_id: "%SRCROOT%", index: None },
                    roles: ["analysisTarget"],
                })
                .collect(),
        )
    }

    /// `mailvet/<profile>/<digest>`: everything before the last `/` is the category on GitHub. The digest follows from what
    /// was judged, by what, with which verdicts; a random id would make equal runs differ.
    fn automation_id(&self) -> String {
        let digest = data_encoding::HEXLOWER.encode(&identity::of_run(self.assessment)[..16]);
        let profile =
            if self.assessment.policy.profile.is_empty() { "default" } else { &self.assessment.policy.profile };
        let profile = escape::uri_path(&escape::cut(profile, 100)).replace('/', "%2F");
        format!("mailvet/{profile}/{digest}")
    }

    /// All results, one by one.
    fn results<'b>(&'b self, keys: &'b [Key], groups: &'b [Merged]) -> impl Iterator<Item = SarifResult<'b>> {
        let nothing = self.nothing_judged.as_deref().map(|why| self.nothing_result(why));
        let all = (self.dialect == Dialect::Full).then(|| entries(self.assessment)).into_iter().flatten();
        let full = all.map(|(key, finding)| self.result(key, &finding, &[]));
        let github = if self.dialect == Dialect::Github { keys } else { &[] };
        let github = github.iter().filter_map(|key| Some(self.result(*key, &key.finding(self.assessment)?, &[])));
        let gitlab = groups
            .iter()
            .filter_map(|group| Some(self.result(group.first, &group.first.finding(self.assessment)?, &group.others)));
        nothing.into_iter().chain(full).chain(self.absent()).chain(github).chain(gitlab)
    }

    /// Findings by rule, file and lines, which is how GitLab tells them apart; in the order of their first finding, which is
    /// a failure if one of them is.
    fn merged(&self, keys: &[Key]) -> Vec<Merged> {
        let mut groups: Vec<Merged> = Vec::new();
        let mut known: HashMap<(u16, String, u32, u32), usize> = HashMap::new();
        for key in keys {
            let Some(finding) = key.finding(self.assessment) else { continue };
            let place = located(self.context, &finding, &self.home).place;
            let identity = (key.rule, place.file, place.line, place.end_line);
            match known.get(&identity) {
                Some(index) => groups[*index].others.push(*key),
                None => {
                    known.insert(identity, groups.len());
                    groups.push(Merged { first: *key, others: Vec::new() });
                }
            }
        }
        groups
    }

    fn result(&self, key: Key, finding: &Finding<'a>, others: &[Key]) -> SarifResult<'a> {
        let place = located(self.context, finding, &self.home);
        let (kind, level) = kind_and_level(finding);
        // GitHub and GitLab know only problems: what could not be determined is a note there, not an open question.
        let (kind, level) = match self.dialect {
            Dialect::Full => (kind, level),
            Dialect::Github | Dialect::Gitlab if kind == "fail" => (kind, level),
            Dialect::Github | Dialect::Gitlab => ("fail", LevelWord::Note),
        };
        let fingerprint = finding.fingerprint();
        let evidence = Evidence::of(self.context, finding);
        let full = self.dialect == Dialect::Full;
        let history = self.history();
        let record = history.and_then(|history| history.record(finding));
        SarifResult {
            rule_id: &finding.rule.id,
            rule_index: Some(key.rule as usize),
            kind,
            level,
            rank: (kind == "fail")
                .then(|| if finding.verdict == Verdict::Fail { rank(finding.severity()) } else { 5.0 }),
            message: Message { text: self.message(finding, &place, evidence.as_ref(), others) },
            locations: [self.location(place, Some((finding.target.kind, &finding.target.name)))],
            partial_fingerprints: Fingerprints { line_hash: format!("{}:1", &fingerprint[..16]), finding: fingerprint },
            suppressions: full.then(|| self.suppressions(finding)),
            baseline_state: history.map(|history| history.baseline(finding).as_str()),
            properties: ResultProperties {
                verdict: finding.verdict.as_str(),
                severity: finding.severity().as_str(),
                target: escape::cut(&finding.target.name, MESSAGE).into_owned(),
                target_kind: finding.target.kind.as_str(),
                evidence: evidence.map(|evidence| evidence.id),
                other_targets: others.len(),
                first_seen: record.map(|record| record.first_seen.to_string()),
                last_seen: record.map(|record| record.last_seen.to_string()),
                regressed: record.map(|record| record.regressed),
                answer: self.assessment.answer(finding).filter(|_| full).map(|answer| answered(finding, answer)),
            },
        }
    }

    fn nothing_result<'b>(&self, why: &str) -> SarifResult<'b> {
        let place = crate::diag::Place { file: self.home.clone(), line: 1, column: 1, end_line: 1, end_column: 1 };
        SarifResult {
            rule_id: descriptors::NOTHING_JUDGED,
            rule_index: Some(self.assessment.policy.rules.len()),
            kind: "fail",
            level: LevelWord::Error,
            rank: Some(rank(Severity::High)),
            message: Message::new(&format!("Nothing was judged: {why}")),
            locations: [self.location(Located { place, exact: false }, None)],
            partial_fingerprints: Fingerprints {
                line_hash: "0000000000000000:1".to_owned(),
                finding: descriptors::NOTHING_JUDGED.to_owned(),
            },
            suppressions: (self.dialect == Dialect::Full).then(Vec::new),
            baseline_state: None,
            properties: ResultProperties {
                verdict: "error",
                severity: "high",
                target: "mailvet".to_owned(),
                target_kind: "organisation",
                evidence: None,
                other_targets: 0,
                first_seen: None,
                last_seen: None,
                regressed: None,
                answer: None,
            },
        }
    }

    /// The history, for readers that know `baselineState`. Others would show what is gone as an open problem.
    fn history(&self) -> Option<&'a History> {
        self.assessment.history.as_deref().filter(|_| self.dialect == Dialect::Full)
    }

    /// Findings of the earlier run whose target or rule this run does not have. What passes now is a result of its own.
    fn absent(&self) -> impl Iterator<Item = SarifResult<'a>> {
        let ended = self.history().map(|history| history.ended.as_slice()).unwrap_or_default();
        ended.iter().filter(|item| item.now.is_none()).map(|item| self.absent_result(item))
    }

    fn absent_result(&self, item: &'a Ended) -> SarifResult<'a> {
        let rules = &self.assessment.policy.rules;
        let rule_index = rules.iter().position(|rule| rule.id == item.rule);
        let severity = rule_index.and_then(|index| rules.get(index)).map(|rule| rule.severity);
        let (kind, level) = match item.before {
            Verdict::Fail => ("fail", descriptors::level(severity.unwrap_or(Severity::Medium))),
            _ => ("open", LevelWord::None),
        };
        let place = crate::diag::Place { file: self.home.clone(), line: 1, column: 1, end_line: 1, end_column: 1 };
        let target = escape::cut(&item.target, MESSAGE).into_owned();
        SarifResult {
            rule_id: &item.rule,
            rule_index,
            kind,
            level,
            rank: None,
            message: Message::new(&format!(
                "{} is no longer judged for {}; the earlier run said {}.",
                escape::cut(&item.rule, 200),
                escape::cut(&item.target, 200),
                item.before
            )),
            locations: [self.location(Located { place, exact: false }, Some((item.kind, &item.target)))],
            partial_fingerprints: Fingerprints {
                line_hash: format!("{}:1", &item.fingerprint[..16]),
                finding: item.fingerprint.clone(),
            },
            suppressions: Some(Vec::new()),
            baseline_state: Some(Baseline::Absent.as_str()),
            properties: ResultProperties {
                verdict: item.before.as_str(),
                severity: severity.unwrap_or(Severity::Medium).as_str(),
                target,
                target_kind: item.kind.as_str(),
                evidence: None,
                other_targets: 0,
                first_seen: item.first_seen.map(|date| date.to_string()),
                last_seen: item.last_seen.map(|date| date.to_string()),
                regressed: None,
                answer: None,
            },
        }
    }

    fn location(&self, located: Located, target: Option<(Target, &str)>) -> Location {
        let place = located.place;
        let uri = escape::uri_path(&place.file);
        let region = if located.exact {
            Region {
                start_line: place.line.max(1),
                start_column: Some(place.column.max(1)),
                end_line: Some(place.end_line.max(place.line)),
                end_column: Some(place.end_column.max(1)),
            }
        } else {
            Region { start_line: 1, start_column: None, end_line: None, end_column: None }
        };
        let physical = located.exact || self.has_home || self.dialect != Dialect::Full;
        Location {
            physical_location: physical.then(|| PhysicalLocation {
                artifact_location: ArtifactLocation {
                    index: self.artifacts.get(&uri).copied(),
                    uri,
                    uri_base_id: "%SRCROOT%",
                },
                region,
            }),
            logical_locations: target.filter(|_| self.dialect == Dialect::Full).map(|(kind, name)| {
                let name = escape::cut(name, MESSAGE).into_owned();
                [LogicalLocation { fully_qualified_name: format!("{kind}:{name}"), name, kind: "resource" }]
            }),
        }
    }

    fn message(&self, finding: &Finding<'_>, place: &Located, evidence: Option<&Evidence>, others: &[Key]) -> String {
        let (title, target) = (&finding.rule.title, &finding.target.name);
        let target = escape::cut(target, 200);
        let mut parts = vec![match finding.verdict {
            Verdict::Fail => format!("{title} ({target})."),
            Verdict::Pass => format!("{target} passes {}.", finding.rule.id),
            Verdict::Unknown => format!("Could not be determined for {target}: {title}."),
            Verdict::Error => format!("A defect of the pack or of mailvet kept {target} from being judged: {title}."),
            Verdict::NotApplicable => format!("{} does not apply to {target}.", finding.rule.id),
            Verdict::NotChecked => format!("Not checked for {target}, because this run does not collect it: {title}."),
            Verdict::Manual => format!("{} awaits an answer for {target}.", finding.rule.id),
        }];
        if !others.is_empty() {
            parts.push(self.others(others));
        }
        if let Some(sentence) = answers::sentence(self.assessment, finding) {
            parts.push(format!("{}.", escape::cut(&sentence, 400)));
        }
        for line in explanation(finding).iter().take(10) {
            let sentence = escape::cut(&line.sentence, 300);
            parts.push(if line.also { format!("Also: {sentence}.") } else { format!("{sentence}.") });
        }
        if let Some(record) = finding.detail.and_then(|detail| detail.record.as_deref()) {
            parts.push(format!("Fix: publish {}", zone_line(record)));
        }
        if let Some(evidence) = evidence {
            parts.push(format!("Seen in {}.", evidence.sentence()));
        } else if !place.exact {
            parts.push("(No position in the repository.)".to_owned());
        }
        // Cut before escaping, so that no escape is torn; escaping at most doubles the length or makes it visible.
        let text = parts.join(" ");
        let mut limit = MESSAGE - 50;
        loop {
            let escaped = escape::sarif(&escape::cut(&text, limit));
            if escaped.chars().count() <= MESSAGE || limit < 10 {
                return escaped;
            }
            limit = limit * 3 / 4;
        }
    }

    /// `On the same lines also: a, b and 3 more.`
    fn others(&self, others: &[Key]) -> String {
        let name = |key: &Key| {
            let name = self.assessment.targets.get(key.target as usize).map_or("", |target| target.name.as_str());
            if key.undetermined { format!("{name} (could not be determined)") } else { name.to_owned() }
        };
        let names: Vec<String> = others.iter().take(5).map(name).collect();
        let more = others.len() - names.len();
        let more = if more > 0 { format!(" and {}", plural(more, "more target")) } else { String::new() };
        format!("On the same lines also: {}{more}.", escape::cut(&names.join(", "), 300))
    }

    fn suppressions(&self, finding: &Finding<'_>) -> Vec<Suppression> {
        let waived = finding.detail.and_then(|detail| detail.waived);
        let Some(waiver) = waived.and_then(|index| self.assessment.policy.waivers.get(index as usize)) else {
            return Vec::new();
        };
        vec![Suppression {
            kind: "external",
            status: "accepted",
            justification: crate::diag::visible(&waiver.reason).into_owned(),
            properties: SuppressionProperties {
                waiver: waiver.id.clone(),
                approved_by: waiver.approved_by.clone(),
                expires: waiver.expires.to_string(),
                ticket: waiver.ticket.clone(),
            },
        }]
    }
}

/// Who says so, when, until when it holds, and on what it rests.
fn answered(finding: &Finding<'_>, answer: &Answer) -> AnswerProperties {
    let visible = |text: &str| crate::diag::visible(text).into_owned();
    let evidence = answer
        .evidence
        .iter()
        .filter_map(|item| Some(AnswerEvidenceProperties { file: visible(&item.file), sha256: item.sha256.clone()? }));
    AnswerProperties {
        id: visible(&answer.id),
        by: visible(&answer.by),
        role: answer.role.as_deref().map(visible),
        date: answer.date.to_string(),
        valid_until: last_day(finding.rule, answer).to_string(),
        note: answer.note.as_deref().map(visible),
        evidence: evidence.collect(),
        links: answer.links.iter().map(|link| visible(link)).collect(),
    }
}

/// SARIF 2.1.0 sections 3.27.9 and 3.27.10: `level` is `none` unless the kind is `fail`.
fn kind_and_level(finding: &Finding<'_>) -> (&'static str, LevelWord) {
    match finding.verdict {
        Verdict::Pass => ("pass", LevelWord::None),
        Verdict::Fail => ("fail", descriptors::level(finding.severity())),
        Verdict::NotApplicable => ("notApplicable", LevelWord::None),
        Verdict::Manual => ("review", LevelWord::None),
        Verdict::Unknown | Verdict::Error | Verdict::NotChecked => ("open", LevelWord::None),
    }
}

/// Importance from 0 to 100; GitLab calls 90 critical, 70 high, 40 medium, 10 low.
fn rank(severity: Severity) -> f64 {
    match severity {
        Severity::Critical => 95.0,
        Severity::High => 80.0,
        Severity::Medium => 55.0,
        Severity::Low => 20.0,
        Severity::Info => 5.0,
    }
}
