//! Results by target: one row for each target, one column for each pack, with a word in every cell.

use super::Report;
use super::page::Page;
use super::survey::{Cell, Class};

/// How many targets have a row at the most; a browser shows no more in a table that anybody would read.
const ROWS: usize = 10_000;

pub(super) fn write(report: &Report<'_>, page: &mut Page) {
    let targets = &report.assessment.targets;
    if targets.is_empty() {
        page.html("<p>There is no target.</p>\n");
        return;
    }
    page.html("<p>A cell says how many rules of the pack failed and how severe the worst is; without a failure, how many could ");
    page.html("not be determined or are waived; otherwise <i>ok</i>. A dash: no rule of the pack was decided.</p>\n");
    page.html("<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Results by target and pack\">");
    page.html(
        "<table class=\"matrix sortable\"><caption>Results by target and pack</caption><thead><tr><th scope=col>Target",
    );
    for pack in &report.survey.packs {
        page.html("<th scope=col>").cut(pack, 40);
    }
    page.html("<th scope=col class=n>Failed</thead><tbody>\n");
    let rows = shown(report);
    for index in rows.iter().copied() {
        let Some(target) = targets.get(index) else { continue };
        page.html("<tr><th scope=row>").name(&target.name);
        let row = report.survey.row(index);
        for cell in row {
            of_pack(page, cell);
        }
        page.cell_number(row.iter().map(|cell| cell.classes[Class::Failed as usize]).sum()).html("\n");
    }
    page.end_table();
    if rows.len() < targets.len() {
        page.html("<p>The ").number(rows.len()).html(" worst of ").number(targets.len());
        page.html(" targets; the JSON report has all of them.</p>\n");
    }
}

/// The targets that have a row: all, or where there are very many the worst, in the order of the assessment.
fn shown(report: &Report<'_>) -> Vec<usize> {
    let count = report.assessment.targets.len();
    if count <= ROWS {
        return (0..count).collect();
    }
    let mut worst = report.survey.worst_targets(count);
    worst.truncate(ROWS);
    worst.sort_unstable();
    worst
}

fn of_pack(page: &mut Page, cell: &Cell) {
    let count = |class: Class| cell.classes[class as usize];
    let unknown = count(Class::Unknown) + count(Class::Error);
    match cell.worst {
        Some(severity) => {
            page.html("<td class=").html(severity.as_str()).html(">").number(count(Class::Failed)).html(" ");
            page.html(severity.as_str())
        }
        None if unknown > 0 => page.html("<td class=unknown>").number(unknown).html(" unknown"),
        None if count(Class::Waived) > 0 => page.html("<td class=waived>").number(count(Class::Waived)).html(" waived"),
        None if count(Class::Passed) > 0 => page.html("<td>ok"),
        None => page.html("<td>–"),
    };
}
