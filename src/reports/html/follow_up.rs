//! Follow-up: one line for each finding, with room for what its owner says and for the retest.

use super::page::{Column, Page};
use super::{Audience, Report, history, severity};
use crate::facts::Target;
use crate::findings::AssessedTarget;

/// Up to how many findings each has a line of its own; beyond that each rule has one.
const LINES: usize = 250;

pub(super) fn write(report: &Report<'_>, page: &mut Page) {
    history::write(report, page);
    if report.dossier.audience == Audience::Engineer || report.survey.counts.fail == 0 {
        return;
    }
    page.html("<p>To be filled in by those who answer for the targets; a retest closes a line.</p>\n");
    let columns = &[
        Column("No.#", 5),
        Column("Finding", 20),
        Column("Severity", 15),
        Column("Target", 20),
        Column("Owner", 10),
        Column("Cause and response", 10),
        Column("Due", 10),
        Column("Retest: date, result", 10),
    ];
    page.table("Follow-up of findings", columns);
    let mut number = 0;
    let each = report.survey.counts.fail <= LINES;
    for group in report.survey.groups.iter().filter(|group| !group.open.is_empty()) {
        let Some(rule) = report.rule(group.rule) else { continue };
        let targets = group.open.iter().filter_map(|key| report.finding(*key)).map(|finding| finding.target);
        let lines: Vec<Option<&AssessedTarget>> = if each { targets.map(Some).collect() } else { vec![None] };
        for target in lines {
            number += 1;
            page.html("<tr><td class=n>").number(number).html("<th scope=row><a href=\"#r-").slug(&rule.id).html("\">");
            page.name(&rule.id).html("</a><td>");
            severity(page, rule.severity);
            match target {
                Some(target) => page.html("<td>").name(&target.name).html("<td>").text(owner(report, target)),
                None => page.html("<td>").count(group.open.len(), "target").html("<td>"),
            };
            page.html("<td class=\"blank\"><td class=\"blank\"><td class=\"blank\">\n");
        }
    }
    page.end_table();
}

/// Who answers for a target, by the inventory.
fn owner<'a>(report: &Report<'a>, target: &AssessedTarget) -> &'a str {
    let Some(inventory) = &report.dossier.inventory else { return "" };
    let owner = match target.kind {
        Target::Domain => {
            inventory.domains.iter().find(|domain| domain.name.as_str() == target.name).map(|domain| &domain.owner)
        }
        _ => {
            let host = target.name.split('[').next().unwrap_or_default();
            inventory.hosts.iter().find(|other| other.name.as_str() == host).map(|host| &host.owner)
        }
    };
    owner.and_then(|owner| owner.as_deref()).unwrap_or_default()
}
