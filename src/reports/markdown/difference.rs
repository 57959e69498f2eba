//! A difference as Markdown, within the same limit as other summaries.

use std::io::{self, Write};

use super::{CELL, Page, ROWS};
use crate::findings::difference::{Change, Difference, FactChange, FindingChange, TargetChanges, TargetName};
use crate::reports::difference::{apart_words, cautions, policy, sides, state, words};
use crate::reports::{escape, plural};

pub(in crate::reports) fn render(difference: &Difference, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page { out, written: 0, omitted: 0 };
    page.block(&head(difference), 0)?;
    for change in Change::ALL {
        let findings: Vec<&FindingChange> = difference.findings.iter().filter(|item| item.change == change).collect();
        if !findings.is_empty() {
            page.block(&section(change, &findings), findings.len())?;
        }
    }
    let named = |targets: &[TargetName]| -> Vec<String> {
        targets.iter().map(|target| format!("{} {}", target.kind, target.name)).collect()
    };
    for (title, names) in [
        ("Targets that appeared", named(&difference.targets_appeared)),
        ("Targets that vanished", named(&difference.targets_vanished)),
        ("Rules that were applied to the new run only", difference.rules_appeared.clone()),
        ("Rules that were applied to the old run only", difference.rules_gone.clone()),
    ] {
        page.block(&list(title, &names), names.len())?;
    }
    let (facts, count) = facts(difference);
    page.block(&facts, count)?;
    page.finish()
}

fn head(difference: &Difference) -> String {
    let counts = &difference.counts;
    let new = counts.of(Change::New) + counts.of(Change::Appeared);
    let mut out =
        format!("## mailvet: {new} new, {} worse, {} fixed\n\n", counts.of(Change::Worse), counts.of(Change::Fixed));
    for caution in cautions(difference) {
        out.push_str(&format!("**{}**\n\n", text(&caution)));
    }
    for side in sides(difference) {
        out.push_str(&format!("- {}\n", text(&side)));
    }
    out.push_str(&format!("- {}, mailvet {}\n", text(&policy(difference)), text(&difference.version)));
    out.push_str(&format!("\nFindings: {}.\n", words(difference)));
    out
}

fn section(change: Change, findings: &[&FindingChange]) -> String {
    let mut out = format!("\n### {} ({})\n\n", change.title(), findings.len());
    out.push_str("| Severity | Rule | Target | Before | After |\n| --- | --- | --- | --- | --- |\n");
    for item in findings.iter().take(ROWS) {
        out.push_str(&format!(
            "| {} | {}<br>{} | {} | {} | {} |\n",
            item.severity,
            text(&item.rule),
            text(&item.title),
            text(&item.target.name),
            text(&state(item.before.as_ref())),
            text(&state(item.after.as_ref()))
        ));
    }
    out.push_str(&more(findings.len().saturating_sub(ROWS), "finding"));
    out
}

fn list(title: &str, names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let mut out = format!("\n### {title} ({})\n\n", names.len());
    for name in names.iter().take(ROWS) {
        out.push_str(&format!("- {}\n", text(name)));
    }
    out.push_str(&more(names.len().saturating_sub(ROWS), "name"));
    out
}

/// The facts that changed, and how many they are.
fn facts(difference: &Difference) -> (String, usize) {
    let real: Vec<(&TargetChanges, &FactChange)> = difference
        .facts
        .iter()
        .flat_map(|target| target.changes.iter().filter(|change| change.is_real()).map(move |change| (target, change)))
        .collect();
    if difference.facts.is_empty() {
        return (String::new(), 0);
    }
    let mut out = format!("\n### Facts that changed ({})\n", real.len());
    if !real.is_empty() {
        out.push_str("\n| Target | Fact | Before | After |\n| --- | --- | --- | --- |\n");
    }
    let value = |value: &Option<String>| text(value.as_deref().unwrap_or("nothing"));
    for (target, change) in real.iter().take(ROWS) {
        let remark = change.remark.as_ref().map(|remark| format!("<br>{}", text(remark))).unwrap_or_default();
        out.push_str(&format!(
            "| {} | {}{remark} | {} | {} |\n",
            text(&target.target.name),
            text(&change.path),
            value(&change.before),
            value(&change.after)
        ));
    }
    out.push_str(&more(real.len().saturating_sub(ROWS), "fact"));
    if let Some(apart) = apart_words(difference) {
        out.push_str(&format!("\n{apart}\n"));
    }
    (out, real.len())
}

fn more(count: usize, word: &str) -> String {
    match count {
        0 => String::new(),
        count => format!("\n… {}.\n", plural(count, &format!("more {word}"))),
    }
}

fn text(text: &str) -> String {
    escape::markdown(&escape::cut(text, CELL))
}
