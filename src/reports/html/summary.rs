//! The summary: the outcome, how much of it is certain, the worst findings, and two charts.

use super::page::Page;
use super::survey::Class;
use super::{Audience, Report, charts, cover, history, severity};
use crate::policy::Severity;

/// How many findings the summary names.
const TOP: usize = 5;

pub(super) fn write(report: &Report<'_>, page: &mut Page) {
    let counts = &report.survey.counts;
    page.html("<p class=\"lead\">").text(&cover::outcome(report)).html("</p>\n<dl class=\"tiles\">\n");
    for (class, count) in [
        (Class::Failed, counts.fail),
        (Class::Waived, counts.waived),
        (Class::Unknown, counts.unknown + counts.error),
        (Class::Passed, counts.pass),
        (Class::Manual, counts.manual),
    ] {
        page.html("<div><dt>").html(class.words()).html("<dd>").number(count).html("</div>\n");
    }
    page.html("</dl>\n");
    certainty(report, page);
    worst(report, page);
    history::summary(report, page);
    page.html("<h3 id=\"by-severity\">Results by severity</h3>\n");
    charts::by_severity(report, page);
    table(report, page);
    if !report.survey.packs.is_empty() && !report.assessment.targets.is_empty() {
        page.html("<h3 id=\"by-topic\">Targets by topic</h3>\n");
        charts::heat_map(report, page);
    }
}

/// What the numbers cover, and what they cannot say.
fn certainty(report: &Report<'_>, page: &mut Page) {
    let counts = &report.survey.counts;
    let decided = counts.pass + counts.fail + counts.waived;
    let applicable = report.survey.total() - counts.not_applicable;
    let share = (decided * 100).checked_div(applicable).unwrap_or(0);
    page.html("<p>")
        .number(decided)
        .html(" of ")
        .number(applicable)
        .html(" applicable checks were decided (")
        .number(share);
    page.html(" %). This is an automated test at one point in time: ").number(applicable - decided);
    page.html(
        " checks say nothing, because evidence is missing, the run does not collect it, or a person has to answer. ",
    );
    page.html("<a href=\"#coverage\">Method and coverage</a> says which. ");
    page.html("The counts are not a rating; the opinion is the auditor's.</p>\n");
}

fn worst(report: &Report<'_>, page: &mut Page) {
    let open: Vec<_> = report.survey.groups.iter().filter(|group| !group.open.is_empty()).collect();
    if open.is_empty() {
        return;
    }
    page.html("<h3 id=\"worst\">What matters most</h3>\n<ol class=\"worst\">\n");
    for group in open.iter().take(TOP) {
        let Some(rule) = report.rule(group.rule) else { continue };
        page.html("<li>");
        severity(page, rule.severity);
        page.html(" <a href=\"#r-").slug(&rule.id).html("\">").cut(&rule.title, 200).html("</a> on ");
        page.count(group.open.len(), "target").html(". ");
        page.html("<span class=\"why\">").sentence(&super::super::escape::cut(&rule.why, 400)).html("</span>\n");
    }
    page.html("</ol>\n");
    if open.len() > TOP {
        page.html("<p>")
            .count(open.len() - TOP, "more rule")
            .html(" failed; see <a href=\"#findings\">Findings</a>.</p>\n");
    }
}

/// The numbers behind the chart.
fn table(report: &Report<'_>, page: &mut Page) {
    if report.dossier.audience == Audience::Executive {
        page.html("<details><summary>The same as a table</summary>\n");
    }
    page.html("<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Results by severity and verdict\">");
    page.html(
        "<table id=\"counts\"><caption>Results by severity and verdict</caption><thead><tr><th scope=col>Severity",
    );
    for class in Class::ALL {
        page.html("<th scope=col class=n>").html(class.words());
    }
    page.html("</thead><tbody>\n");
    for (of_severity, classes) in Severity::DESCENDING.iter().zip(&report.survey.severities) {
        page.html("<tr><th scope=row>");
        severity(page, *of_severity);
        for count in classes {
            page.cell_number(*count);
        }
        page.html("\n");
    }
    page.html("</tbody><tfoot><tr><th scope=row>All");
    for class in Class::ALL {
        page.cell_number(report.survey.class(class));
    }
    page.html("</tfoot></table></div>\n");
    if report.dossier.audience == Audience::Executive {
        page.html("</details>\n");
    }
}
