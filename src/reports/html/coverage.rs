//! Method and coverage: how it was looked, and everything that could not be looked at, with the reason.
//!
//! It stands before the findings, because what was not seen limits what they mean.

use std::collections::BTreeMap;

use super::super::explanation::explanation;
use super::super::place::place;
use super::super::{LIVE_PLACES, live_sentence, plural};
use super::page::{Column, Page};
use super::survey::Class;
use super::{Audience, Report, cover};
use crate::diag::Span;
use crate::facts::LiveCoverage;
use crate::findings::Finding;

/// How many entries of a list are printed; JSON has all.
const ENTRIES: usize = 1_000;

/// How many targets of one reason are named.
const TARGETS: usize = 200;

pub(super) fn write(report: &Report<'_>, page: &mut Page) {
    method(report, page);
    if let Some(why) = report.tally.nothing_judged(report.assessment) {
        page.html("<p class=\"alarm\">Nothing was judged: ").text(&why).html(". This is not a good result.</p>\n");
    }
    undetermined(report, page);
    not_checked(report, page);
    if report.dossier.audience != Audience::Executive {
        not_read(report, page);
    }
}

fn method(report: &Report<'_>, page: &mut Page) {
    let coverage = &report.assessment.coverage;
    page.html("<h3 id=\"method\">Method</h3>\n");
    if let Some(live) = &coverage.live {
        let sentence = live_sentence(live);
        page.paragraph(&format!(
            "DNS and mail services were examined and tested over the network: mailvet {sentence}."
        ));
        page.paragraph(&format!("Here, {LIVE_PLACES}."));
    }
    if !coverage.sources.is_empty() {
        let mut formats: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
        for source in &coverage.sources {
            let entry = formats.entry(&source.format).or_default();
            *entry = (entry.0 + 1, entry.1 + source.records);
        }
        let formats: Vec<String> = formats
            .iter()
            .map(|(format, (zones, records))| format!("{} ({format}, {records} records)", plural(*zones, "zone")))
            .collect();
        let text = "DNS-as-code files were examined, offline: what a server that served them would answer. Read";
        page.paragraph(&format!("{text}: {}.", formats.join(", ")));
    }
    if coverage.live.is_none() && coverage.sources.is_empty() {
        page.html("<p class=\"alarm\">No DNS source was read.</p>\n");
    }
    if let Some(run) = &report.dossier.run {
        page.html("<dl>");
        page.entry("Started", &cover::time(run.started));
    }
    if let Some(run) = report.dossier.run.as_ref().filter(|_| coverage.live.is_some()) {
        let vantage = &run.vantage;
        page.entry("Resolvers", &vantage.resolvers.join(", "));
        page.entry("Sent from", vantage.source_address.as_deref().unwrap_or("the address that the system chooses"));
        page.entry("Name in EHLO", &vantage.ehlo);
        let probed = match (vantage.probed, vantage.active) {
            (false, _) => "not connected to; DNS only",
            (true, false) => "connected to; no active tests",
            (true, true) => "connected to, with active tests on hosts that the inventory claims",
        };
        page.entry("Mail services", probed);
    }
    if report.dossier.run.is_some() {
        page.html("</dl>\n");
    }
    page.html(
        "<p>Rules are evaluated on facts. A fact that could not be observed is unknown, never taken for good or bad: ",
    );
    page.html(
        "the rule is then <i>not determined</i>. A rule whose facts this kind of run does not collect is <i>not ",
    );
    page.html("checked</i>.</p>\n");
}

/// Why results could not be determined: findings with the same reasons on the same rules are one row.
fn undetermined(report: &Report<'_>, page: &mut Page) {
    page.html("<h3 id=\"undetermined\">Could not be determined</h3>\n");
    let total = report.survey.undetermined.len();
    if total == 0 {
        page.html("<p>Every rule whose facts this run collects was decided.</p>\n");
        return;
    }
    page.html("<p>")
        .count(total, "result")
        .html(" could not be determined; they are neither passes nor failures.</p>\n");
    let groups = by_reason(report);
    page.table(
        "Results that could not be determined",
        &[Column("Reason", 35), Column("Results#", 10), Column("Rules", 30), Column("Targets", 25)],
    );
    for ((reason, rules), targets) in groups.iter().take(ENTRIES) {
        page.html("<tr class=\"u\"><th scope=row>").sentence(reason).cell_number(rules.len() * targets.len());
        page.html("<td>");
        for (index, rule) in rules.iter().enumerate() {
            let Some(rule) = report.rule(*rule) else { continue };
            page.html(if index > 0 { ", <code>" } else { "<code>" }).text(&rule.id).html("</code>");
        }
        page.html("<td>").text(&listed(targets)).html("\n");
    }
    page.end_table();
    if groups.len() > ENTRIES {
        let rest: usize = groups.iter().skip(ENTRIES).map(|((_, rules), targets)| rules.len() * targets.len()).sum();
        page.html("<p>").count(rest, "more result").html(" for other reasons; the JSON report lists them.</p>\n");
    }
}

/// Reasons with the rules they leave undecided, and the targets for which both are the same.
type ByReason<'a> = BTreeMap<(String, Vec<u16>), Vec<&'a str>>;

fn by_reason<'a>(report: &Report<'a>) -> ByReason<'a> {
    let mut out = ByReason::new();
    for of_target in report.survey.undetermined.chunk_by(|one, other| one.target == other.target) {
        let mut reasons: BTreeMap<String, Vec<u16>> = BTreeMap::new();
        let mut name = "";
        for (key, finding) in of_target.iter().filter_map(|key| Some((key, report.finding(*key)?))) {
            name = &finding.target.name;
            reasons.entry(reason(&finding)).or_default().push(key.rule);
        }
        for (reason, rules) in reasons {
            out.entry((reason, rules)).or_default().push(name);
        }
    }
    out
}

/// Why a finding could not be determined, in the words of the causes; two at the most.
fn reason(finding: &Finding<'_>) -> String {
    let mut causes: Vec<String> = Vec::new();
    for line in explanation(finding).iter().filter(|line| !line.also) {
        let cause = match (&line.blame.observed, &line.blame.note) {
            (crate::findings::BlameValue::Unknown(cause), Some(note)) => format!("{cause}: {note}"),
            (crate::findings::BlameValue::Unknown(cause), None) => cause.to_string(),
            _ => line.sentence.clone(),
        };
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    let more = causes.len().saturating_sub(2);
    causes.truncate(2);
    if more > 0 {
        causes.push(format!("{more} more"));
    }
    let waived = if finding.is_waived() { "; covered by a waiver" } else { "" };
    let text = if causes.is_empty() { "no reason was recorded".to_owned() } else { causes.join("; ") };
    match Class::of(finding) {
        Class::Error => format!("a defect of the pack or of mailvet, not of the target: {text}{waived}"),
        _ => format!("{}{waived}", super::super::escape::cut(&text, 400)),
    }
}

/// Names in a cell, and how many are left out.
pub(super) fn listed(names: &[&str]) -> String {
    let shown =
        names.iter().take(TARGETS).map(|name| super::super::escape::cut(name, 120)).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(TARGETS) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn not_checked(report: &Report<'_>, page: &mut Page) {
    let not_checked = &report.tally.not_checked;
    page.html("<h3 id=\"not-checked\">Not checked</h3>\n");
    if not_checked.is_empty() {
        page.html("<p>This run collects what every selected rule needs.</p>\n");
        return;
    }
    let results: usize = not_checked.values().map(|reasons| reasons.targets).sum();
    page.html("<p>").count(results, "result").html(" of ").count(not_checked.len(), "rule");
    page.html(": this kind of run does not collect what they need.</p>\n");
    if report.dossier.audience == Audience::Executive {
        return;
    }
    page.table(
        "Rules that were not checked",
        &[Column("Rule", 40), Column("Targets#", 10), Column("Facts that are missing", 50)],
    );
    for (index, reasons) in not_checked {
        let Some(rule) = report.rule(*index) else { continue };
        page.row(&rule.id).cell_number(reasons.targets).cell(&reasons.words(rule)).html("\n");
    }
    page.end_table();
}

/// What was found and not read, not reached or not finished.
fn not_read(report: &Report<'_>, page: &mut Page) {
    let coverage = &report.assessment.coverage;
    let at = |span: Option<Span>| span.and_then(|span| place(report.context, span)).map(|place| place.to_string());
    if let Some(live) = &coverage.live {
        not_reached(page, live);
    }
    let names: Vec<[String; 3]> = coverage
        .not_evaluated
        .iter()
        .map(|item| [item.name.clone(), item.reason.clone(), at(item.span).unwrap_or_default()])
        .collect();
    list(
        page,
        "Names that were not evaluated",
        &[Column("Name", 30), Column("Reason", 45), Column("Place", 25)],
        &names,
    );
    let ignored: Vec<[String; 2]> =
        coverage.ignored.iter().map(|item| [item.path.clone(), item.reason.clone()]).collect();
    list(page, "Files that were not read as DNS data", &[Column("File", 40), Column("Reason", 60)], &ignored);
    let mut diagnostics: Vec<_> = coverage.diagnostics.iter().collect();
    diagnostics.sort_by_key(|item| std::cmp::Reverse(item.level));
    let messages: Vec<[String; 3]> = diagnostics
        .into_iter()
        .map(|item| [item.message.clone(), format!("{} {}", item.level, item.code), at(item.span).unwrap_or_default()])
        .collect();
    list(
        page,
        "Messages about the sources",
        &[Column("Message", 50), Column("Kind", 20), Column("Place", 30)],
        &messages,
    );
}

fn not_reached(page: &mut Page, live: &LiveCoverage) {
    let not_reached: Vec<[String; 2]> =
        live.not_reached.iter().map(|item| [item.target.clone(), item.reason.clone()]).collect();
    list(
        page,
        "Hosts and services that are no targets",
        &[Column("Host or service", 40), Column("Reason", 60)],
        &not_reached,
    );
    let interrupted: Vec<[String; 1]> = live.interrupted.iter().map(|item| [item.clone()]).collect();
    list(
        page,
        "Targets that were not finished, because the run was interrupted",
        &[Column("Target", 100)],
        &interrupted,
    );
    let left_out: Vec<[String; 1]> = live.left_out.iter().map(|item| [item.clone()]).collect();
    list(page, "Left out by the options of the run", &[Column("Part", 100)], &left_out);
}

fn list<const N: usize>(page: &mut Page, title: &'static str, columns: &[Column; N], rows: &[[String; N]]) {
    if rows.is_empty() {
        return;
    }
    page.table(title, columns);
    for row in rows.iter().take(ENTRIES) {
        page.html("<tr>");
        for (index, cell) in row.iter().enumerate() {
            page.html(if index == 0 { "<th scope=row>" } else { "<td>" }).cut(cell, 400);
        }
        page.html("\n");
    }
    page.end_table();
    if rows.len() > ENTRIES {
        page.html("<p>").number(rows.len() - ENTRIES).html(" more are in the JSON report.</p>\n");
    }
}
