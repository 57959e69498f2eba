//! GitLab Code Quality JSON: the widget of merge requests in every tier.
//!
//! Failures without waiver have their severity; what could not be determined is `info`. Other verdicts are left out: the
//! format knows only problems. An outcome that says nothing is itself a problem, because an empty list means "clean".

use std::io::{self, Write};

use serde::Serialize;

use super::explanation::explanation;
use super::model::Lazy;
use super::place::{Evidence, home, located};
use super::tally::Tally;
use super::{Context, answers, escape, is_reported};
use crate::findings::{Assessment, Finding, Verdict};
use crate::policy::Severity;

/// The longest description, in characters.
const TEXT: usize = 1000;

#[derive(Serialize)]
struct Issue<'a> {
    description: String,
    check_name: &'a str,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
    end: u32,
}

pub(super) fn render(assessment: &Assessment, context: &Context<'_>, out: &mut dyn Write) -> io::Result<()> {
    let home = home(assessment, context);
    let nothing = Tally::of(assessment).nothing_judged(assessment);
    let nothing = || nothing.as_deref().map(|why| nothing_judged(why, &home));
    let issues = Lazy(|| {
        let reported = assessment.findings().filter(|finding| is_reported(finding, context));
        nothing().into_iter().chain(reported.map(|finding| issue(assessment, context, finding, &home)))
    });
    escape::compact_json(out, &issues)?;
    out.write_all(b"\n")
}

fn nothing_judged<'a>(why: &str, home: &str) -> Issue<'a> {
    Issue {
        description: format!("Nothing was judged: {why}"),
        check_name: "mailvet/nothing-judged",
        fingerprint: "mailvet/nothing-judged".to_owned(),
        severity: "critical",
        location: Location { path: home.to_owned(), lines: Lines { begin: 1, end: 1 } },
    }
}

fn issue<'a>(assessment: &Assessment, context: &Context<'_>, finding: Finding<'a>, home: &str) -> Issue<'a> {
    let place = located(context, &finding, home).place;
    let severity = match (finding.verdict, finding.severity()) {
        (Verdict::Fail, Severity::Critical) => "blocker",
        (Verdict::Fail, Severity::High) => "critical",
        (Verdict::Fail, Severity::Medium) => "major",
        (Verdict::Fail, Severity::Low) => "minor",
        _ => "info",
    };
    let mut sentences: Vec<String> =
        explanation(&finding).into_iter().filter(|line| !line.also).take(5).map(|line| line.sentence).collect();
    sentences.extend(answers::sentence(assessment, &finding));
    sentences.extend(Evidence::of(context, &finding).map(|evidence| format!("seen in {}", evidence.sentence())));
    let undetermined = if finding.verdict == Verdict::Fail { "" } else { "could not be determined: " };
    let description =
        format!("{}: {undetermined}{}: {}", finding.target.name, finding.rule.title, sentences.join("; "));
    Issue {
        description: crate::diag::visible(&escape::cut(&description, TEXT)).into_owned(),
        check_name: &finding.rule.id,
        fingerprint: finding.fingerprint(),
        severity,
        location: Location { path: place.file, lines: Lines { begin: place.line, end: place.end_line } },
    }
}
