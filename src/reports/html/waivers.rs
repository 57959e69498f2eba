//! The register of waivers: every exception with its reason, who approved it, until when, and what it does in this run.

use super::super::plural;
use super::page::{Column, Page};
use super::{Report, coverage};
use crate::findings::WaiverState;

pub(super) fn write(report: &Report<'_>, page: &mut Page) {
    let waivers = &report.assessment.policy.waivers;
    let waived = report.survey.counts.waived;
    page.html("<p>A waived rule still runs, and its failure is reported as waived: ").count(waived, "finding");
    page.html(" in this run. A waiver that has expired covers nothing.</p>\n");
    page.table(
        "Waivers",
        &[
            Column("Waiver", 10),
            Column("Rule", 15),
            Column("Targets", 15),
            Column("Reason", 20),
            Column("Approved by", 15),
            Column("In force", 10),
            Column("In this run", 15),
        ],
    );
    for (index, waiver) in waivers.iter().enumerate() {
        let targets: Vec<&str> = waiver.targets.iter().map(String::as_str).collect();
        page.row(&waiver.id).cell(&waiver.rule).cell(&coverage::listed(&targets)).cell(&waiver.reason);
        page.cell(&waiver.approved_by);
        if let Some(ticket) = &waiver.ticket {
            page.html(" (").cut(ticket, 120).html(")");
        }
        page.html("<td>").text(&waiver.created.to_string()).html(" to ").text(&waiver.expires.to_string());
        page.cell(&states(report, index)).html("\n");
    }
    page.end_table();
}

/// What a waiver does in this run, target by target where it differs.
fn states(report: &Report<'_>, index: usize) -> String {
    let notes = report.assessment.waivers.iter().filter(|note| usize::try_from(note.waiver) == Ok(index));
    let days = |days: i32| plural(usize::try_from(days).unwrap_or(0), "day");
    let states: Vec<String> = notes
        .map(|note| {
            let state = match note.state {
                WaiverState::Active(left) => format!("active, {} left", days(left)),
                WaiverState::Expiring(left) => format!("expires in {}", days(left)),
                WaiverState::Expired(ago) => format!("expired {} ago; the failure counts", days(ago)),
                WaiverState::NotYet(until) => format!("not in force for {}", days(until)),
                WaiverState::NotNeeded => "no longer needed: the rule does not fail".to_owned(),
                WaiverState::Unused => "unused: no such rule or target".to_owned(),
            };
            format!("{}: {state}", super::super::escape::cut(&note.target, 120))
        })
        .collect();
    if states.is_empty() { "active".to_owned() } else { states.join("; ") }
}
