//! What changed since the run before: a sentence and a chart in the summary, and a section of the follow-up.

use std::collections::BTreeMap;

use super::super::plural;
use super::charts;
use super::page::{Column, Page};
use super::survey::Class;
use super::{Key, Report};
use crate::findings::history::{Baseline, Ended, History, Past};
use crate::findings::{Finding, Verdict};

/// How many entries of a list are printed; JSON has all.
const ENTRIES: usize = 500;

/// Counts of a run, in the order of [`charts::PARTS`].
type Bar = [usize; charts::PARTS.len()];

/// The part of the summary.
pub(super) fn summary(report: &Report<'_>, page: &mut Page) {
    let Some(history) = report.assessment.history.as_deref() else { return };
    page.html("<h3 id=\"trend\">Since the run before</h3>\n<p>").text(&sentence(history)).html("</p>\n");
    let now = charts::PARTS.map(|(class, _)| match class {
        Class::Unknown => report.survey.class(Class::Unknown) + report.survey.class(Class::Error),
        class => report.survey.class(class),
    });
    let rows = [(history.past.date.to_string(), before(&history.past)), ("this run".to_owned(), now)];
    charts::trend(page, &rows);
}

fn sentence(history: &History) -> String {
    let counts = &history.counts;
    format!(
        "Compared with the run of {}: {} {} new, {} had been mended and came back, {} persist. {} of the earlier run \
         {} mended, {} {} no longer judged.",
        history.past.date,
        plural(counts.new, "failure"),
        if counts.new == 1 { "is" } else { "are" },
        counts.regressed,
        counts.persisting,
        plural(counts.fixed, "finding"),
        if counts.fixed == 1 { "was" } else { "were" },
        counts.not_judged,
        if counts.not_judged == 1 { "is" } else { "are" },
    )
}

/// What the earlier run found.
fn before(past: &Past) -> Bar {
    let [mut failed, mut unknown, mut passed] = [0; 3];
    for verdict in past.targets.values().flat_map(|row| row.iter().flatten()) {
        match verdict {
            Verdict::Fail => failed += 1,
            Verdict::Unknown | Verdict::Error => unknown += 1,
            Verdict::Pass => passed += 1,
            Verdict::Manual | Verdict::NotChecked | Verdict::NotApplicable => {}
        }
    }
    let of_that_run = past.records.values().filter(|record| record.fixed.is_none() && record.last_seen == past.date);
    let waived = of_that_run.filter(|record| record.waived).count().min(failed);
    charts::PARTS.map(|(class, _)| match class {
        Class::Failed => failed - waived,
        Class::Waived => waived,
        Class::Unknown => unknown,
        _ => passed,
    })
}

/// Since when a failure is there, in a few words.
pub(super) fn since(report: &Report<'_>, finding: &Finding<'_>) -> Option<String> {
    let history = report.assessment.history.as_deref()?;
    let record = history.record(finding)?;
    Some(match history.baseline(finding) {
        _ if record.regressed => format!("back after it was mended; first seen {}", record.first_seen),
        Baseline::New => "new".to_owned(),
        Baseline::Updated => format!("since {}, observed anew", record.first_seen),
        Baseline::Unchanged | Baseline::Absent => format!("since {}", record.first_seen),
    })
}

/// The section of the follow-up.
pub(super) fn write(report: &Report<'_>, page: &mut Page) {
    let Some(history) = report.assessment.history.as_deref() else { return };
    page.html("<h3 id=\"changed\">What changed since the run before</h3>\n<p>").text(&sentence(history)).html("</p>\n");
    arrived(report, page, history);
    let (fixed, gone): (Vec<&Ended>, Vec<&Ended>) = history.ended.iter().partition(|ended| ended.is_fixed());
    ended(page, "Mended", &fixed);
    ended(page, "No longer judged, which is no remedy", &gone);
    if !report.survey.groups.is_empty() {
        page.html("<h3 id=\"open\">Open findings</h3>\n");
    }
}

/// Failures that the earlier run had not.
fn arrived(report: &Report<'_>, page: &mut Page, history: &History) {
    let keys = report.survey.groups.iter().flat_map(|group| group.open.iter().chain(&group.waived));
    let is_new = |key: &&Key| {
        let Some(finding) = report.finding(**key) else { return false };
        let back = history.record(&finding).is_some_and(|record| record.regressed);
        history.baseline(&finding) == Baseline::New || (back && !was_failure(history, &finding))
    };
    let new: Vec<Key> = keys.filter(is_new).copied().collect();
    if new.is_empty() {
        return;
    }
    page.table(
        "New, or back",
        &[Column("Finding", 35), Column("Severity", 15), Column("Target", 30), Column("Since", 20)],
    );
    for finding in new.iter().take(ENTRIES).filter_map(|key| report.finding(*key)) {
        page.html("<tr><th scope=row><a href=\"#r-")
            .slug(&finding.rule.id)
            .html("\">")
            .name(&finding.rule.id)
            .html("</a><td>");
        super::severity(page, finding.severity());
        page.html("<td>").name(&finding.target.name).html("<td>");
        page.text(&since(report, &finding).unwrap_or_default()).html("\n");
    }
    page.end_table();
    more(page, new.len());
}

fn was_failure(history: &History, finding: &Finding<'_>) -> bool {
    history.past.verdict(finding.target.kind, &finding.target.name, &finding.rule.id) == Some(Verdict::Fail)
}

fn ended(page: &mut Page, caption: &'static str, ended: &[&Ended]) {
    if ended.is_empty() {
        return;
    }
    let columns = &[Column("Rule", 35), Column("Target", 30), Column("Then, and now", 20), Column("First seen", 15)];
    page.table(caption, columns);
    for item in ended.iter().take(ENTRIES) {
        let now = item.now.map_or_else(|| "not judged".to_owned(), |verdict| verdict.to_string());
        page.html("<tr><th scope=row>").name(&item.rule).html("<td>").name(&item.target).html("<td>");
        page.text(&item.before.to_string()).html(", then ").text(&now).html("<td>");
        page.text(&item.first_seen.map(|date| date.to_string()).unwrap_or_default()).html("\n");
    }
    page.end_table();
    more(page, ended.len());
}

fn more(page: &mut Page, count: usize) {
    if count > ENTRIES {
        page.html("<p>").number(count - ENTRIES).html(" more are in the JSON report.</p>\n");
    }
}

/// Findings that share a history, by its words; `None` without an earlier run.
pub(super) fn shared(report: &Report<'_>, keys: &[Key]) -> Option<String> {
    report.assessment.history.as_deref()?;
    let mut words: BTreeMap<String, usize> = BTreeMap::new();
    for finding in keys.iter().filter_map(|key| report.finding(*key)) {
        *words.entry(since(report, &finding)?).or_default() += 1;
    }
    let words: Vec<String> = if words.len() == 1 {
        words.into_keys().collect()
    } else {
        words.into_iter().map(|(word, count)| format!("{count} {word}")).collect()
    };
    Some(super::super::escape::cut(&words.join(", "), 300).into_owned())
}
