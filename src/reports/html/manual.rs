//! Manual controls: what a person has to answer, with room for the answer.

use super::page::{Column, Page};
use super::{Report, coverage};
use crate::findings::Verdict;
use crate::policy::Check;

pub(super) fn write(report: &Report<'_>, page: &mut Page) {
    page.html("<p>These rules ask a person. No answer is taken for granted: they count neither as passed nor as failed.</p>\n");
    page.table(
        "Questions that await an answer",
        &[
            Column("Rule", 20),
            Column("Question", 25),
            Column("Evidence to show", 20),
            Column("Targets", 15),
            Column("Answer, by whom, when", 20),
        ],
    );
    for (index, rule) in report.assessment.policy.rules.iter().enumerate() {
        let Check::Manual(manual) = &rule.check else { continue };
        let asked = |verdicts: &[Option<Verdict>]| verdicts.get(index).copied().flatten() == Some(Verdict::Manual);
        let targets: Vec<&str> = report
            .assessment
            .targets
            .iter()
            .filter(|target| asked(&target.verdicts))
            .map(|target| target.name.as_str())
            .collect();
        if targets.is_empty() {
            continue;
        }
        page.row(&rule.id).html("<td>").sentence(&manual.ask).html(" (good for ").number(manual.valid_days as usize);
        page.html(" days)").cell(&manual.evidence.join("; ")).cell(&coverage::listed(&targets));
        page.html("<td class=\"blank\">\n");
    }
    page.end_table();
}
