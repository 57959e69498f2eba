//! Passed checks: what was looked for and not found, by rule. Folded on a screen, open on paper.

use super::page::{Column, Page};
use super::survey::Class;
use super::{LARGE, Report, coverage, severity};
use crate::findings::Verdict;

pub(super) fn write(report: &Report<'_>, page: &mut Page) {
    let total = report.survey.class(Class::Passed);
    if total == 0 {
        page.html("<p>No check passed.</p>\n");
        return;
    }
    page.html("<p>").count(total, "check").html(" passed.</p>\n<details><summary>By rule</summary>\n");
    page.table(
        "Looked for and not found",
        &[
            Column("Rule", 25),
            Column("What was looked for", 20),
            Column("Severity", 10),
            Column("Passed#", 10),
            Column("Targets", 35),
        ],
    );
    for (index, (rule, classes)) in report.assessment.policy.rules.iter().zip(&report.survey.rules).enumerate() {
        let passed = classes[Class::Passed as usize];
        if passed == 0 {
            continue;
        }
        page.row(&rule.id).html("<td>").cut(&rule.title, 300).html("<td>");
        severity(page, rule.severity);
        page.cell_number(passed).html("<td>");
        // In a large report, the results by target say where a pack has failed; all else of it passed or did not apply.
        if total <= LARGE {
            let passes = |verdict: Option<&Option<Verdict>>| verdict.copied().flatten() == Some(Verdict::Pass);
            let targets: Vec<&str> = report
                .assessment
                .targets
                .iter()
                .filter(|target| passes(target.verdicts.get(index)))
                .map(|target| target.name.as_str())
                .collect();
            page.text(&coverage::listed(&targets));
        } else {
            page.html("not listed here");
        }
        page.html("\n");
    }
    page.end_table().html("</details>\n");
}
