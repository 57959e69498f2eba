//! Charts as inline SVG. Every number of a chart stands in it as text as well, and in a table near it.

use super::super::escape;
use super::page::Page;
use super::survey::{Cell, Class};
use super::svg::{self, Letters, Paint};
use super::{Report, mark};
use crate::policy::Severity;

/// What the bars are made of, in order.
pub(super) const PARTS: [(Class, &str); 4] =
    [(Class::Failed, "fail"), (Class::Waived, "waived"), (Class::Unknown, "unknown"), (Class::Passed, "pass")];

/// How many targets the heat map shows.
const ROWS: usize = 24;

/// One bar for each severity, divided by verdict.
pub(super) fn by_severity(report: &Report<'_>, page: &mut Page) {
    let rows = Severity::DESCENDING.iter().zip(&report.survey.severities).map(|(severity, classes)| {
        let count = |class: Class| match class {
            Class::Unknown => classes[Class::Unknown as usize] + classes[Class::Error as usize],
            class => classes[class as usize],
        };
        (format!("{} {severity}", mark(*severity)), PARTS.map(|(class, _)| count(class)))
    });
    start(page, "Results by severity");
    svg::open(page, (640, 160), "c-severity");
    page.html("<title id=\"c-severity\">Number of failed, waived, undetermined and passed checks by severity; ");
    page.html("the table below has the numbers</title>\n");
    bars(page, rows);
    page.html("</svg></div>");
    legend(page);
}

/// The run before and this one.
pub(super) fn trend(page: &mut Page, rows: &[(String, [usize; PARTS.len()]); 2]) {
    start(page, "Results then and now");
    svg::open(page, (640, 66), "c-trend");
    page.html(
        "<title id=\"c-trend\">Number of failed, waived, undetermined and passed checks in the run before and in ",
    );
    page.html("this one</title>\n");
    bars(page, rows.iter().map(|(label, counts)| (label.clone(), *counts)));
    page.html("</svg></div>");
    legend(page);
}

/// One bar below the other, each with its label and its numbers.
fn bars(page: &mut Page, rows: impl Iterator<Item = (String, [usize; PARTS.len()])> + Clone) {
    const LEFT: u32 = 90;
    const WIDTH: u32 = 430;
    let longest = rows.clone().map(|(_, counts)| counts.iter().sum::<usize>()).max().unwrap_or(0).max(1);
    for ((label, counts), y) in rows.zip((6u32..).step_by(30)) {
        svg::text(page, Letters::Plain, (0, y + 15), &label);
        let mut x = LEFT;
        for (count, (_, class)) in counts.iter().zip(PARTS) {
            let width = scaled(*count, longest, WIDTH);
            if width > 0 {
                svg::rect(page, &Paint::bar(class), (x, y), (width, 22));
            }
            x += width;
        }
        let words: Vec<String> = counts.iter().map(ToString::to_string).collect();
        svg::text(page, Letters::Soft, (x + 8, y + 15), &words.join(" / "));
        page.html("\n");
    }
}

fn legend(page: &mut Page) {
    page.html("<figcaption><span class=\"key fail\"></span> failed / <span class=\"key waived\"></span> waived / ");
    page.html("<span class=\"key unknown\"></span> not determined / <span class=\"key pass\"></span> passed</figcaption></figure>\n");
}

/// The start of a chart, which can be scrolled by keyboard where the screen is narrow.
fn start(page: &mut Page, label: &'static str) {
    page.html("<figure class=\"chart\"><div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Chart: ");
    page.html(label).html("\">");
}

/// A length in proportion; what is there is at least seen.
fn scaled(count: usize, longest: usize, width: u32) -> u32 {
    if count == 0 {
        return 0;
    }
    let width = usize::try_from(width).unwrap_or(0);
    u32::try_from(count.saturating_mul(width) / longest).unwrap_or(0).max(3)
}

/// The worst targets by pack: how many failed, and how bad the worst is.
pub(super) fn heat_map(report: &Report<'_>, page: &mut Page) {
    let targets = &report.assessment.targets;
    let order = report.survey.worst_targets(targets.len());
    let shown = &order[..order.len().min(ROWS)];
    let packs = &report.survey.packs;
    let (left, top, cell) = (190, 96, 46);
    let count = |length: usize| u32::try_from(length).unwrap_or(0);
    let (width, height) = (left + count(packs.len()) * cell + 40, top + count(shown.len()) * 24 + 4);
    start(page, "Targets by topic");
    svg::open(page, (width, height), "c-heat");
    page.html("<title id=\"c-heat\">Failed checks by target and rule pack; ");
    page.html("the chapter Results by target has the numbers</title>\n");
    for (index, pack) in packs.iter().enumerate() {
        let x = left + count(index) * cell + cell / 2;
        svg::rising(page, (x, top - 8), &escape::cut(pack, 20));
    }
    for (index, target) in shown.iter().enumerate() {
        let y = top + count(index) * 24;
        let name = targets.get(*target).map_or("", |target| target.name.as_str());
        page.html("\n");
        svg::text(page, Letters::Plain, (0, y + 15), &tail(name, 26));
        for (column, of_pack) in report.survey.row(*target).iter().enumerate() {
            let x = left + count(column) * cell;
            svg::rect(page, &Paint::cell(shade(of_pack)), (x, y), (cell - 3, 21));
            svg::text(page, Letters::Centred, (x + cell / 2 - 1, y + 15), &label(of_pack));
        }
    }
    page.html("</svg></div><figcaption>Number of failed checks; the mark is that of the worst: ");
    for severity in Severity::DESCENDING {
        page.html(mark(severity)).html(" ").html(severity.as_str()).html(", ");
    }
    page.html("? not determined, ✓ nothing failed.");
    if order.len() > shown.len() {
        page.html(" The ").number(shown.len()).html(" worst of ").number(order.len()).html(" targets.");
    }
    page.html("</figcaption></figure>\n");
}

/// The class of a cell of the heat map.
fn shade(cell: &Cell) -> &'static str {
    let count = |class: Class| cell.classes[class as usize];
    match cell.worst {
        Some(severity) => severity.as_str(),
        None if count(Class::Unknown) + count(Class::Error) > 0 => "unknown",
        None if count(Class::Waived) > 0 => "waived",
        None if count(Class::Passed) > 0 => "pass",
        None => "none",
    }
}

fn label(cell: &Cell) -> String {
    let count = |class: Class| cell.classes[class as usize];
    match cell.worst {
        Some(severity) => format!("{} {}", mark(severity), count(Class::Failed)),
        None if count(Class::Unknown) + count(Class::Error) > 0 => "?".to_owned(),
        None if count(Class::Waived) > 0 => "W".to_owned(),
        None if count(Class::Passed) > 0 => "✓".to_owned(),
        None => String::new(),
    }
}

/// The end of a long name: what tells targets apart stands first in domains and last in services, so both ends stay.
fn tail(name: &str, limit: usize) -> String {
    let characters: Vec<char> = name.chars().collect();
    if characters.len() <= limit {
        return name.to_owned();
    }
    let half = (limit - 1) / 2;
    characters[..half].iter().chain(&['…']).chain(&characters[characters.len() - half..]).collect()
}
