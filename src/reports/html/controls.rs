//! Control mapping: for each framework, which rules stand for a control and what they said. It maps and claims no level of
//! compliance: that is for the auditor, and some frameworks do not allow a tool to claim it.

use std::collections::BTreeMap;

use super::Report;
use super::page::{Column, Page};
use super::survey::{ByClass, Class};

/// Up to how many rules without a failure are named beside a control.
const NAMED: usize = 12;

pub(super) fn write(report: &Report<'_>, page: &mut Page) {
    page.html(
        "<p>Rules give evidence for controls; none of them is the control. Controls that no selected rule maps to are ",
    );
    page.html("not listed, and nothing here states conformance with a framework.</p>\n");
    let policy = &report.assessment.policy;
    let mut frameworks: BTreeMap<&str, BTreeMap<&str, Vec<usize>>> = BTreeMap::new();
    for (index, rule) in policy.rules.iter().enumerate() {
        for (framework, controls) in &rule.maps {
            for control in controls {
                frameworks.entry(framework).or_default().entry(control).or_default().push(index);
            }
        }
    }
    for (framework, controls) in &frameworks {
        let name = policy.frameworks.get(*framework).map_or(*framework, String::as_str);
        page.html("<h3 id=\"k-").slug(framework).html("\">").cut(name, 120).html("</h3>\n");
        page.table(
            "Controls, and what their rules said",
            &[
                Column("Control", 15),
                Column("State", 15),
                Column("Failed, waived, passed, open", 15),
                Column("Rules", 55),
            ],
        );
        for (control, rules) in controls {
            of_control(report, page, control, rules);
        }
        page.end_table();
    }
    page.html("<p><i>Open</i> counts what was not determined, not checked, or awaits an answer.</p>\n");
}

fn of_control(report: &Report<'_>, page: &mut Page, control: &str, rules: &[usize]) {
    let mut sum = ByClass::default();
    for classes in rules.iter().filter_map(|rule| report.survey.rules.get(*rule)) {
        for (sum, count) in sum.iter_mut().zip(classes) {
            *sum += count;
        }
    }
    let count = |class: Class| sum[class as usize];
    let open = [Class::Unknown, Class::Error, Class::NotChecked, Class::Manual].into_iter().map(count).sum();
    let state = match (count(Class::Failed), count(Class::Waived), count(Class::Passed), open) {
        (1.., ..) => "failure found",
        (0, 1.., ..) => "waived failure",
        (0, 0, 1.., 0) => "no failure found",
        (0, 0, 1.., _) => "no failure found, partly assessed",
        (0, 0, 0, _) => "not assessed",
    };
    page.row(control).html("<td>").html(state).html("<td>").number(count(Class::Failed)).html(", ");
    page.number(count(Class::Waived)).html(", ").number(count(Class::Passed)).html(", ").number(open).html("<td>");
    names(report, page, rules);
    page.html("\n");
}

/// The rules behind a control: those that failed by name, and the others too where they are few, else counted by pack.
fn names(report: &Report<'_>, page: &mut Page, rules: &[usize]) {
    let failed =
        |rule: &usize| report.survey.rules.get(*rule).is_some_and(|classes| classes[Class::Failed as usize] > 0);
    let (bad, others): (Vec<usize>, Vec<usize>) = rules.iter().copied().partition(failed);
    let all = &report.assessment.policy.rules;
    for (index, rule) in bad.iter().filter_map(|rule| all.get(*rule)).enumerate() {
        page.html(if index > 0 { ", " } else { "failed: " }).html("<a href=\"#r-").slug(&rule.id).html("\">");
        page.name(&rule.id).html("</a>");
    }
    if others.is_empty() {
        return;
    }
    page.html(if bad.is_empty() { "" } else { "; others: " });
    let mut packs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for rule in others.iter().filter_map(|rule| all.get(*rule)) {
        let (pack, name) = rule.id.split_once('/').unwrap_or((&rule.pack.name, &rule.id));
        packs.entry(pack).or_default().push(name);
    }
    for (index, (pack, names)) in packs.iter().enumerate() {
        page.html(if index > 0 { "; " } else { "" }).html("<b>").text(pack).html("</b> ");
        if others.len() > NAMED {
            page.count(names.len(), "rule");
        } else {
            page.text(&names.join(", "));
        }
    }
}
