//! Findings: each failed rule with its criteria, the condition at every target with the quoted evidence, cause, effect and
//! recommendation with the exact records to publish.
//!
//! What is the same for many targets is said once: the texts of a rule, and sentences that several targets share. Each
//! finding is still a row of its own.

use std::collections::{BTreeSet, HashMap};

use super::super::explanation::explanation;
use super::super::text::zone_line;
use super::super::{Key, answers, days_until, plural};
use super::page::Page;
use super::survey::Group;
use super::{Audience, Report, history, quote, severity};
use crate::findings::{BlameValue, Finding};
use crate::policy::{Rule, Waiver};

/// From how many rows on a table is folded.
const FOLD: usize = 60;

/// Up to how many rows a finding stays on one printed page.
const SHORT: usize = 4;

/// From how many records on they are folded.
const RECORDS: usize = 12;

pub(super) fn write(report: &Report<'_>, page: &mut Page) {
    let groups = &report.survey.groups;
    if groups.is_empty() {
        page.html("<p>No rule failed").html(match report.tally.nothing_judged(report.assessment) {
            Some(_) => ", because nothing was judged.</p>\n",
            None => ". What this means is limited by <a href=\"#coverage\">what could not be looked at</a>.</p>\n",
        });
        return;
    }
    let counts = &report.survey.counts;
    page.html("<p>").count(groups.len(), "rule").html(" failed: ").count(counts.fail, "finding");
    page.html(" without a waiver, ")
        .number(counts.waived)
        .html(" with one. The reason behind a finding is for its owner to ");
    page.html("state; under <i>Cause</i> stands only what the evidence shows.</p>\n");
    for group in groups {
        article(report, page, group);
    }
}

fn article(report: &Report<'_>, page: &mut Page, group: &Group) {
    let Some(rule) = report.rule(group.rule) else { return };
    let short = group.open.len() + group.waived.len() <= SHORT;
    page.html(if short { "<article class=\"finding short\" id" } else { "<article class=\"finding\" id" });
    page.html("=\"r-").slug(&rule.id).html("\" data-severity=\"").html(rule.severity.as_str());
    page.html("\">\n<h3>");
    severity(page, rule.severity);
    page.html(" ").cut(&rule.title, 300).html("</h3>\n<p class=\"ref\"><code>").text(&rule.id).html("</code>, ");
    page.count(group.open.len(), "target").html(" failed");
    if !group.waived.is_empty() {
        page.html(", ").number(group.waived.len()).html(" waived");
    }
    page.html("</p>\n<dl>");
    if report.dossier.audience == Audience::Executive {
        page.entry("Since", &history::shared(report, &group.open).unwrap_or_default());
    }
    criteria(page, rule);
    page.html("</dl>\n");
    if report.dossier.audience == Audience::Executive {
        names(report, page, group);
    } else {
        condition(report, page, group);
    }
    page.html("<dl>");
    cause(report, page, group);
    page.entry("Effect", &rule.why);
    page.entry("Recommendation", &rule.fix.text);
    page.html("</dl>\n");
    if report.dossier.audience != Audience::Executive {
        records(report, page, group);
    }
    page.html("</article>\n");
}

/// What is required, and where that comes from.
fn criteria(page: &mut Page, rule: &Rule) {
    page.html("<dt>Criteria<dd>");
    for (index, reference) in rule.references.iter().enumerate() {
        page.html(if index > 0 { "; " } else { "" }).link(&reference.title, reference.url.as_deref());
    }
    if rule.references.is_empty() {
        page.html("a requirement of the pack ").text(&rule.pack.name);
    }
    for (name, param) in &rule.params {
        page.html("; ").text(&param.title).html(": <code>").text(&param.value.to_string()).html("</code> (<code>");
        page.text(&rule.pack.name).html(".").text(name).html("</code>)");
    }
    let controls: Vec<String> =
        rule.maps.iter().map(|(framework, controls)| format!("{framework} {}", controls.join(" "))).collect();
    if !controls.is_empty() {
        page.html("<dt>Controls<dd>").text(&controls.join("; "));
    }
    page.html("\n");
}

/// The names of the targets, for readers who need no evidence.
fn names(report: &Report<'_>, page: &mut Page, group: &Group) {
    let name = |key: &Key| report.finding(*key).map(|finding| finding.target.name.as_str());
    let open: Vec<&str> = group.open.iter().filter_map(name).collect();
    let waived: Vec<&str> = group.waived.iter().filter_map(name).collect();
    page.html("<dl>");
    for (term, names) in [("Condition: failed at", open), ("Waived at", waived)] {
        if !names.is_empty() {
            let shown = names[..names.len().min(12)].join(", ");
            let more = names.len().saturating_sub(12);
            let text = if more > 0 { format!("{shown} and {more} more") } else { shown };
            page.html("<dt>").html(term).html("<dd>").text(&text).html("\n");
        }
    }
    page.html("</dl>\n");
}

/// One line of an explanation as the table groups it.
#[derive(PartialEq, Eq, Hash)]
struct Reason {
    sentence: String,
    path: String,
    also: bool,
}

/// Findings with the same reasons.
struct Alike<'a> {
    reasons: Vec<Reason>,
    /// How many reasons are not shown.
    more: usize,
    findings: Vec<Finding<'a>>,
}

/// Findings by their reasons, in the order of their first target.
fn alike<'a>(report: &Report<'a>, group: &Group) -> Vec<Alike<'a>> {
    let limit = if report.is_large() { 2 } else { 6 };
    let engineer = report.dossier.audience == Audience::Engineer;
    let mut out: Vec<Alike<'a>> = Vec::new();
    let mut known: HashMap<Vec<(String, bool)>, usize> = HashMap::new();
    let keys = group.open.iter().chain(&group.waived).take(report.rows_of_rule());
    for finding in keys.filter_map(|key| report.finding(*key)) {
        let lines = explanation(&finding);
        let more = lines.len().saturating_sub(limit);
        let reasons: Vec<Reason> = lines
            .into_iter()
            .take(limit)
            .map(|line| Reason {
                sentence: line.sentence,
                path: if engineer { line.path } else { String::new() },
                also: line.also,
            })
            .collect();
        let identity = reasons.iter().map(|reason| (reason.sentence.clone(), reason.also)).collect();
        let next = out.len();
        match out.get_mut(*known.entry(identity).or_insert(next)) {
            Some(alike) => alike.findings.push(finding),
            None => out.push(Alike { reasons, more, findings: vec![finding] }),
        }
    }
    out
}

fn condition(report: &Report<'_>, page: &mut Page, group: &Group) {
    let rows = group.open.len() + group.waived.len();
    if rows > FOLD {
        page.html("<details class=\"fold\"><summary>Condition at ").count(rows, "target").html("</summary>\n");
    }
    let rule = report.rule(group.rule).map_or("", |rule| rule.id.as_str());
    page.html("<div class=\"rows\"><table class=\"condition\"><caption>Condition: <code>").text(rule);
    page.html("</code></caption><thead><tr><th scope=col>Target<th scope=col>Observed, and where</thead>\n");
    for alike in alike(report, group) {
        page.html("<tbody>");
        let shared = alike.findings.len() > 1;
        if shared {
            page.html("<tr class=g><th scope=rowgroup colspan=2>");
            reasons(page, &alike);
            page.html(" <span class=\"times\">at ").count(alike.findings.len(), "target").html("</span>\n");
        }
        for finding in &alike.findings {
            row(report, page, finding, (!shared).then_some(&alike));
        }
        page.html("</tbody>\n");
    }
    page.html("</table></div>\n");
    let more = rows.saturating_sub(report.rows_of_rule());
    if more > 0 {
        page.html("<p>").count(more, "more target").html(" fail this rule; the JSON report lists them.</p>\n");
    }
    if rows > FOLD {
        page.html("</details>\n");
    }
}

fn reasons(page: &mut Page, alike: &Alike<'_>) {
    for (index, reason) in alike.reasons.iter().enumerate() {
        page.html(if index > 0 { "; " } else { "" }).html(if reason.also { "also: " } else { "" });
        page.sentence(&super::super::escape::cut(&reason.sentence, 600));
        if !reason.path.is_empty() {
            page.html(" <code class=\"fact\">").text(&reason.path).html("</code>");
        }
    }
    if alike.more > 0 {
        page.html("; and ").count(alike.more, "more reason");
    }
}

/// One finding.
fn row(report: &Report<'_>, page: &mut Page, finding: &Finding<'_>, own: Option<&Alike<'_>>) {
    let fingerprint = finding.fingerprint();
    let class = if finding.is_waived() { "w" } else { "f" };
    page.html("<tr class=")
        .html(class)
        .html(" id=f")
        .slug(super::super::place::short(&fingerprint))
        .html("><th scope=row>");
    page.name(&finding.target.name).html("<td>");
    if let Some(alike) = own {
        reasons(page, alike);
        page.html(" ");
    }
    if let Some(sentence) = answers::sentence_with_evidence(report.assessment, finding) {
        page.html("<span class=\"answer\">").sentence(&sentence).html("</span> ");
    }
    quote::quotes(report, page, finding);
    waiver(report, page, finding);
    if let Some(since) = history::since(report, finding) {
        page.html(" <span class=\"since\">").text(&since).html("</span>");
    }
    // A line end would be one more node of the page for each row.
    page.html(if report.is_large() { "" } else { "\n" });
}

fn waiver(report: &Report<'_>, page: &mut Page, finding: &Finding<'_>) {
    let Some(detail) = finding.detail else { return };
    let waiver =
        |index: Option<u32>| -> Option<&Waiver> { report.assessment.policy.waivers.get(usize::try_from(index?).ok()?) };
    if let Some(waiver) = waiver(detail.waived) {
        page.html(" <b class=\"waived\">waived</b> until ")
            .text(&waiver.expires.to_string())
            .html(" by ")
            .text(&waiver.id);
    } else if let Some(waiver) = waiver(detail.expired_waiver) {
        let ago = usize::try_from(-days_until(report.assessment, waiver.expires)).unwrap_or(0);
        page.html(" <b>waiver ").text(&waiver.id).html(" expired</b> ").count(ago, "day").html(" ago, so this counts");
    }
}

/// What the evidence shows about the cause: whether something is missing, or is there and says something else.
fn cause(report: &Report<'_>, page: &mut Page, group: &Group) {
    let (mut missing, mut other, mut answered) = (0, 0, 0);
    for finding in group.open.iter().chain(&group.waived).filter_map(|key| report.finding(*key)) {
        answered += usize::from(report.assessment.answer(&finding).is_some());
        let blamed = finding.detail.map(|detail| &detail.blame[..]).unwrap_or_default();
        match blamed.first().map(|blame| &blame.observed) {
            Some(BlameValue::Absent(_)) => missing += 1,
            Some(BlameValue::Present(_)) => other += 1,
            _ => {}
        }
    }
    let mut parts = Vec::new();
    if missing > 0 {
        parts.push(format!("nothing is there at {}", plural(missing, "target")));
    }
    if other > 0 {
        parts.push(format!("what is there differs from what is expected at {}", plural(other, "target")));
    }
    if answered > 0 {
        parts.push(format!("somebody answered so at {}", plural(answered, "target")));
    }
    let text = parts.join("; ");
    page.entry("Cause", &super::super::escape::capitalised(&text));
}

/// The records that mend the findings, as lines of a zone file.
fn records(report: &Report<'_>, page: &mut Page, group: &Group) {
    let mut told = BTreeSet::new();
    let lines: Vec<String> = group
        .open
        .iter()
        .take(report.rows_of_rule())
        .filter_map(|key| report.finding(*key))
        .filter_map(|finding| Some(zone_line(finding.detail?.record.as_deref()?)))
        .filter(|line| told.insert(line.clone()))
        .collect();
    if lines.is_empty() {
        return;
    }
    let folded = lines.len() > RECORDS;
    if folded {
        page.html("<details class=\"fold\"><summary>").count(lines.len(), "record").html(" to publish</summary>\n");
    } else {
        page.html("<p class=\"publish\">Publish:</p>\n");
    }
    page.html("<pre class=\"records\">");
    for line in &lines {
        page.line(&super::super::escape::cut(line, 5_000));
    }
    page.html("</pre>\n").html(if folded { "</details>\n" } else { "" });
}
