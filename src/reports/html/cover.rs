//! The cover: whose report it is, what it is about, and the outcome in one sentence.

use super::Report;
use super::page::Page;
use crate::policy::Severity;

use super::super::plural;

pub(super) fn write(report: &Report<'_>, page: &mut Page) {
    page.html("<a class=\"skip\" href=\"#main\">Skip to the report</a>\n<header class=\"cover\">\n");
    if let Some(logo) = &report.dossier.logo {
        let name = report.organisation().map_or("", |organisation| organisation.name.as_str());
        page.html("<img class=\"logo\" alt=\"").text(name).html("\" src=\"").png(logo.bytes()).html("\">\n");
    }
    if let Some(class) = report.organisation().and_then(|organisation| organisation.classification.as_deref()) {
        page.html("<p class=\"class\">").cut(class, 80).html("</p>\n");
    }
    page.html("<h1>")
        .text(&report.title())
        .html("</h1>\n<p class=\"outcome\">")
        .text(&outcome(report))
        .html("</p>\n<dl>\n");
    particulars(report, page);
    page.html("</dl>\n</header>\n");
}

/// The outcome in one sentence. It counts; it rates nothing.
pub(super) fn outcome(report: &Report<'_>) -> String {
    if let Some(why) = report.tally.nothing_judged(report.assessment) {
        return format!("Nothing was judged: {why}. This is not a good result.");
    }
    let counts = &report.survey.counts;
    let severities: Vec<String> = Severity::DESCENDING
        .iter()
        .filter_map(|severity| report.tally.failed.get(severity).map(|count| format!("{count} {severity}")))
        .collect();
    let targets = report.assessment.targets.len();
    let failed = match counts.fail {
        0 => "No rule failed".to_owned(),
        some => format!(
            "{} ({}) on {} of {}",
            plural(some, "failure"),
            severities.join(", "),
            report.survey.failing_targets(),
            plural(targets, "target")
        ),
    };
    match counts.unknown + counts.error {
        0 => format!("{failed}."),
        some => format!("{failed}; {} could not be determined.", plural(some, "result")),
    }
}

fn particulars(report: &Report<'_>, page: &mut Page) {
    let assessment = report.assessment;
    if let Some(organisation) = report.organisation() {
        page.entry("Organisation", &organisation.name);
        page.entry("Engagement", organisation.engagement.as_deref().unwrap_or_default());
        page.entry("Classification", organisation.classification.as_deref().unwrap_or_default());
        page.entry("Distribution", &organisation.distribution.join(", "));
    }
    if let Some(run) = &report.dossier.run {
        page.entry("Collected", &format!("from {}, by mailvet {}", time(run.started), run.version));
    }
    page.html("<dt>Assessed as of<dd><time>").text(&assessment.as_of.to_string()).html("</time> (UTC)\n");
    let profile = if assessment.policy.profile.is_empty() { "default" } else { &assessment.policy.profile };
    page.entry("Profile", profile);
    if let Some(base) = &assessment.base {
        let (revision, unchanged, resolved) = (&base.revision, base.unchanged, base.resolved);
        let text = format!("{revision}; only what differs is shown: {unchanged} unchanged, {resolved} resolved");
        page.entry("Compared with", &text);
    }
    page.entry("Status", "draft until it is signed");
    page.entry("Depth", report.dossier.audience.as_str());
    page.entry("Made by", &format!("mailvet {}", report.context.version));
    if let Some(origin) = &report.dossier.origin {
        page.html("<dt>Made from<dd>").text(origin.kind).html(" <code>").text(&origin.name);
        page.html("</code>, SHA-256 <code class=\"hash\">").text(&origin.sha256).html("</code>\n");
    }
}

/// A point in time as people and programs read it: RFC 3339 in UTC.
pub(super) fn time(time: crate::facts::domain::Time) -> String {
    jiff::Timestamp::from_second(time.0).map_or_else(|_| time.0.to_string(), |time| time.to_string())
}
