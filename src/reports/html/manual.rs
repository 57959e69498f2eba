//! Manual controls: what people answered and what became of it, and what still waits, with room for the answer.

use super::super::answers;
use super::page::{Column, Page};
use super::{Report, coverage};
use crate::findings::{Verdict, words};
use crate::policy::{Answer, Check};

/// Whether anything was asked or answered.
pub(super) fn has_any(report: &Report<'_>) -> bool {
    let assessment = report.assessment;
    report.survey.counts.manual > 0 || !assessment.answers.is_empty() || !assessment.answer_problems.is_empty()
}

pub(super) fn write(report: &Report<'_>, page: &mut Page) {
    page.html("<p>These rules ask a person. No answer is taken for granted: without one that counts, a rule is neither passed nor failed.</p>\n");
    register(report, page);
    questions(report, page);
}

/// Every answer with its state, target by target where it differs.
fn register(report: &Report<'_>, page: &mut Page) {
    let assessment = report.assessment;
    if !assessment.policy.answers.answers.is_empty() {
        page.table(
            "Answers",
            &[
                Column("Answer", 10),
                Column("Rule", 15),
                Column("Said", 10),
                Column("By", 15),
                Column("Day, and good until", 15),
                Column("Note and evidence", 20),
                Column("In this run", 15),
            ],
        );
        for (index, answer) in assessment.policy.answers.answers.iter().enumerate() {
            let Answer { id, rule, answer: word, by, role, date, note, .. } = answer;
            page.row(id).cell(rule).cell(&word.to_string()).cell(by);
            if let Some(role) = role {
                page.html(", ").cut(role, 120);
            }
            let question = assessment.policy.rules.iter().find(|known| known.id == *rule);
            let until = question.map(|rule| format!(" to {}", words::last_day(rule, answer))).unwrap_or_default();
            page.cell(&format!("{date}{until}"));
            let shown = note.iter().cloned().chain(answers::shown(answer)).collect::<Vec<_>>();
            page.cell(&shown.join("; ")).cell(&states(report, index)).html("\n");
        }
        page.end_table();
    }
    if !assessment.answer_problems.is_empty() {
        page.html("<p>Answers that cannot be used:</p>\n<ul>");
        for problem in &assessment.answer_problems {
            page.html("<li>").sentence(&problem.message);
        }
        page.html("</ul>\n");
    }
}

fn states(report: &Report<'_>, index: usize) -> String {
    let notes = report.assessment.answers.iter().filter(|note| usize::try_from(note.answer) == Ok(index));
    let states: Vec<String> = notes
        .map(|note| format!("{}: {}", super::super::escape::cut(&note.target, 120), answers::state(note.state)))
        .collect();
    states.join("; ")
}

fn questions(report: &Report<'_>, page: &mut Page) {
    if report.survey.counts.manual == 0 {
        return;
    }
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
