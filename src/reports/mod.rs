//! Assessment in, bytes out; one file per format.
//!
//! A report decides nothing and loses nothing: every finding that goes in comes out, is counted, or is named as left out,
//! and untrusted text reaches each sink only through that sink's escaping (`escape`). Reports are written as a stream,
//! because an assessment may have millions of findings, and are deterministic: there is no clock here. What each format
//! leaves out by design is stated in the first lines of its file.

mod answers;
mod csv;
pub mod difference;
pub mod dossier;
mod escape;
mod explanation;
mod github;
mod gitlab;
mod hdf;
mod html;
mod identity;
mod json;
mod jsonl;
mod junit;
mod markdown;
pub mod model;
mod oscal;
mod place;
mod sarif;
mod tally;
mod text;

pub use difference::{DifferenceFormat, render_difference};

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

pub use dossier::{Audience, Dossier};

use crate::diag::{Files, suggest};
use crate::facts::LiveCoverage;
use crate::findings::history::History;
use crate::findings::{AssessedTarget, Assessment, Finding, Verdict};
use crate::policy::Severity;

/// The formats of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// For people at a terminal.
    Text,
    /// The complete result as one document; the schema is [`model::AssessmentDocument`].
    Json,
    /// The complete result as lines: a header, one line per finding, a summary.
    Jsonl,
    /// SARIF 2.1.0 with every verdict, waivers as suppressions, and control mappings.
    Sarif,
    /// SARIF for GitHub code scanning.
    SarifGithub,
    /// SARIF for GitLab.
    SarifGitlab,
    /// JUnit XML.
    Junit,
    /// Markdown for a job summary.
    Markdown,
    /// GitHub workflow commands that annotate lines.
    Github,
    /// GitLab Code Quality JSON.
    Gitlab,
    /// The audit report as one self-contained page, to be read in a browser or printed.
    Html,
    /// CSV for spreadsheets.
    Csv,
    /// OSCAL assessment results.
    Oscal,
    /// Heimdall Data Format.
    Hdf,
}

impl Format {
    /// Every format, in the order in which help lists them.
    pub const ALL: &'static [Format] = &[
        Format::Text,
        Format::Json,
        Format::Jsonl,
        Format::Sarif,
        Format::SarifGithub,
        Format::SarifGitlab,
        Format::Junit,
        Format::Markdown,
        Format::Github,
        Format::Gitlab,
        Format::Html,
        Format::Csv,
        Format::Oscal,
        Format::Hdf,
    ];

    /// The word that users type.
    pub const fn as_str(self) -> &'static str {
        match self {
            Format::Text => "text",
            Format::Json => "json",
            Format::Jsonl => "jsonl",
            Format::Sarif => "sarif",
            Format::SarifGithub => "sarif-github",
            Format::SarifGitlab => "sarif-gitlab",
            Format::Junit => "junit",
            Format::Markdown => "markdown",
            Format::Github => "github",
            Format::Gitlab => "gitlab",
            Format::Html => "html",
            Format::Csv => "csv",
            Format::Oscal => "oscal",
            Format::Hdf => "hdf",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such format `{word}`{}", .suggestion.map(|format| format!("; did you mean `{format}`?")).unwrap_or_default())]
pub struct UnknownFormat {
    /// The word as typed.
    pub word: String,
    /// The nearest format.
    pub suggestion: Option<&'static str>,
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Format::ALL.iter().copied().find(|format| format.as_str() == word).ok_or_else(|| UnknownFormat {
            word: word.to_owned(),
            suggestion: suggest(word, Format::ALL.iter().map(|format| format.as_str())),
        })
    }
}

/// What a report needs beside the assessment. Nothing in it depends on the time or the machine.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Version of the tool.
    pub version: &'a str,
    /// The files that spans point into.
    pub files: &'a Files,
    /// Whether the text report uses colour.
    pub colour: bool,
    /// Whether the text report lists what passed and every line of the coverage statement.
    pub verbose: bool,
    /// Columns of the text report.
    pub width: usize,
    /// How many findings of each section the text report prints, the worst first; 0 prints all.
    pub limit: usize,
    /// Absolute path of the repository's root with `/` between folders: absolute paths below it become relative to it.
    pub root: Option<&'a str>,
    /// Path from the repository's root to the folder that relative paths start from; empty when that is the root.
    pub prefix: &'a str,
    /// File at which findings without any position are located, such as the inventory or the profile.
    pub home: Option<&'a str>,
    /// Fingerprints that failed in the previous upload. Code scanning closes what is no longer reported, so what can no
    /// longer be determined is reported again: these, or with `None` everything that could not be determined.
    pub previous: Option<&'a BTreeSet<String>>,
    /// What reports for people say beside the assessment.
    pub dossier: Option<&'a Dossier>,
}

impl<'a> Context<'a> {
    /// A context with 80 columns, a limit of 1,000 findings, and no colour.
    pub fn new(version: &'a str, files: &'a Files) -> Self {
        Context {
            version,
            files,
            colour: false,
            verbose: false,
            width: 80,
            limit: 1000,
            root: None,
            prefix: "",
            home: None,
            previous: None,
            dossier: None,
        }
    }
}

/// Writes a report. The output is buffered here and flushed at the end.
pub fn render(format: Format, assessment: &Assessment, context: &Context<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut out = io::BufWriter::with_capacity(1 << 16, out);
    match format {
        Format::Text => text::render(assessment, context, &mut out)?,
        Format::Json => json::render(assessment, context, &mut out)?,
        Format::Jsonl => jsonl::render(assessment, context, &mut out)?,
        Format::Sarif => sarif::render(sarif::Dialect::Full, assessment, context, &mut out)?,
        Format::SarifGithub => sarif::render(sarif::Dialect::Github, assessment, context, &mut out)?,
        Format::SarifGitlab => sarif::render(sarif::Dialect::Gitlab, assessment, context, &mut out)?,
        Format::Junit => junit::render(assessment, context, &mut out)?,
        Format::Markdown => markdown::render(assessment, context, &mut out)?,
        Format::Github => github::render(assessment, context, &mut out)?,
        Format::Gitlab => gitlab::render(assessment, context, &mut out)?,
        Format::Html => html::render(assessment, context, &mut out)?,
        Format::Csv => csv::render(assessment, context, &mut out)?,
        Format::Oscal => oscal::render(assessment, context, &mut out)?,
        Format::Hdf => hdf::render(assessment, context, &mut out)?,
    }
    out.flush()
}

/// Why an outcome says nothing about any target, if so: reports say it, and a gate must not take it for success.
pub fn nothing_judged(assessment: &Assessment) -> Option<String> {
    tally::Tally::of(assessment).nothing_judged(assessment)
}

/// A finding's position in the assessment, in twelve bytes. Sorts what is decided before what is not, the worst first,
/// then by target, then by rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    undetermined: bool,
    severity: Reverse<Severity>,
    target: u32,
    rule: u16,
}

impl Key {
    /// The finding behind a key that [`entries`] made.
    fn finding<'a>(self, assessment: &'a Assessment) -> Option<Finding<'a>> {
        finding(assessment, assessment.targets.get(self.target as usize)?, self.rule)
    }
}

fn finding<'a>(assessment: &'a Assessment, target: &'a AssessedTarget, rule: u16) -> Option<Finding<'a>> {
    let verdict = (*target.verdicts.get(rule as usize)?)?;
    let at = target.details.binary_search_by_key(&rule, |detail| detail.rule.0);
    let detail = at.ok().map(|at| &target.details[at]);
    Some(Finding { rule: assessment.policy.rules.get(rule as usize)?, target, verdict, detail })
}

/// All findings with their keys, in the order of [`Assessment::findings`].
fn entries(assessment: &Assessment) -> impl Iterator<Item = (Key, Finding<'_>)> {
    entries_of(assessment, |_| true)
}

/// The findings with certain verdicts.
fn entries_of(
    assessment: &Assessment,
    wanted: impl Fn(Verdict) -> bool + Copy,
) -> impl Iterator<Item = (Key, Finding<'_>)> {
    assessment.targets.iter().zip(0u32..).flat_map(move |(target, index)| {
        let wanted = target.verdicts.iter().zip(0u16..).filter(move |(verdict, _)| verdict.is_some_and(wanted));
        wanted.filter_map(move |(_, rule)| {
            let finding = finding(assessment, target, rule)?;
            let undetermined = matches!(finding.verdict, Verdict::Unknown | Verdict::Error);
            Some((Key { undetermined, severity: Reverse(finding.severity()), target: index, rule }, finding))
        })
    })
}

/// Whether a verdict asks for somebody's attention.
fn is_notable(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Fail | Verdict::Unknown | Verdict::Error)
}

/// The worst findings of a kind, sorted, and how many there are in all.
struct Worst {
    keys: Vec<Key>,
    total: usize,
}

impl Worst {
    /// How many were left out.
    fn omitted(&self) -> usize {
        self.total - self.keys.len()
    }
}

/// The `limit` worst findings with a wanted verdict that `keep` accepts, sorted; all of them when `limit` is 0. Memory follows `limit`.
fn worst(
    assessment: &Assessment,
    limit: usize,
    wanted: impl Fn(Verdict) -> bool + Copy,
    keep: impl Fn(&Finding<'_>) -> bool,
) -> Worst {
    let mut keys: Vec<Key> = Vec::new();
    let mut total = 0;
    for (key, finding) in entries_of(assessment, wanted) {
        if !keep(&finding) {
            continue;
        }
        total += 1;
        keys.push(key);
        if limit > 0 && keys.len() >= limit.saturating_mul(2).max(1024) && keys.len() > limit {
            keys.select_nth_unstable(limit);
            keys.truncate(limit);
        }
    }
    keys.sort_unstable();
    if limit > 0 {
        keys.truncate(limit);
    }
    Worst { keys, total }
}

/// Whether a finding is a failure that no waiver covers.
fn is_open_failure(finding: &Finding<'_>) -> bool {
    finding.verdict == Verdict::Fail && !finding.is_waived()
}

/// Whether a finding could not be determined, for want of evidence or by a defect.
fn is_undetermined(finding: &Finding<'_>) -> bool {
    matches!(finding.verdict, Verdict::Unknown | Verdict::Error) && !finding.is_waived()
}

/// Whether a line-oriented CI format shows the finding: open failures, and what cannot be told apart from one.
fn is_reported(finding: &Finding<'_>, context: &Context<'_>) -> bool {
    is_open_failure(finding)
        || (is_undetermined(finding)
            && context.previous.is_none_or(|previous| previous.contains(&finding.fingerprint())))
}

/// Days from the assessment date to another one; negative when it has passed.
fn days_until(assessment: &Assessment, date: jiff::civil::Date) -> i64 {
    assessment.as_of.duration_until(date).as_hours() / 24
}

/// What the places in the findings of a live run are.
const LIVE_PLACES: &str =
    "places such as dns/… and smtp/… lie in answers and transcripts of the run, which --out and --snapshot keep";

/// What a live run asked, in one sentence: `asked 192.0.2.53:53 about 3 domains; …`.
fn live_sentence(live: &LiveCoverage) -> String {
    let count = |count: u64, word: &str| plural(usize::try_from(count).unwrap_or(usize::MAX), word);
    let resolvers = if live.resolvers.is_empty() { "no resolver".to_owned() } else { live.resolvers.join(", ") };
    let second = live.compared_with.as_ref().map(|second| format!(", compared with {second}")).unwrap_or_default();
    let unreachable = match live.unreachable {
        0 => String::new(),
        some => format!(" of which {some} could not be reached"),
    };
    format!(
        "asked {resolvers}{second} about {}; {}, {}{unreachable}",
        count(live.domains, "domain"),
        count(live.hosts, "host"),
        count(live.services, "service")
    )
}

/// What an earlier run says, in one sentence: `compared with the run of 2026-11-20: 1 new, 0 regressed, …`.
fn history_sentence(history: &History) -> String {
    let counts = &history.counts;
    format!(
        "compared with the run of {}: {} new, {} regressed, {} persisting, {} fixed, {} no longer judged",
        history.past.date, counts.new, counts.regressed, counts.persisting, counts.fixed, counts.not_judged
    )
}

/// Since when a failure is there: `first seen on 2026-11-01; regressed; unchanged`.
fn seen_sentence(assessment: &Assessment, finding: &Finding<'_>) -> Option<String> {
    let history = assessment.history.as_deref()?;
    let state = history.baseline(finding).as_str();
    Some(match history.record(finding) {
        Some(record) if record.regressed => {
            format!("first seen on {}, mended since and back; {state}", record.first_seen)
        }
        Some(record) => format!("first seen on {}; {state}", record.first_seen),
        None => state.to_owned(),
    })
}

/// `1 target`, `2 targets`.
fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_read_back_and_a_typo_is_answered() {
        for format in Format::ALL {
            assert_eq!(format.as_str().parse(), Ok(*format));
        }
        assert_eq!(
            "sarif-gihub".parse::<Format>().unwrap_err().to_string(),
            "no such format `sarif-gihub`; did you mean `sarif-github`?"
        );
    }
}
