//! Markdown for `$GITHUB_STEP_SUMMARY` and merge request notes: counts, then one section per failed rule with its targets,
//! then what could not be determined and what was not checked.
//!
//! GitHub rejects a summary above 1 MiB, so sections that no longer fit are counted instead of written. Waived,
//! not-applicable and passed findings are only counted.

pub(super) mod difference;

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::explanation::explanation;
use super::place::place;
use super::tally::Tally;
use super::text::zone_line;
use super::{
    Context, Key, LIVE_PLACES, answers, days_until, entries, escape, history_sentence, is_open_failure,
    is_undetermined, live_sentence, plural, seen_sentence,
};
use crate::findings::{Assessment, Finding, Verdict, WaiverState};
use crate::policy::{Check, Rule, Severity};

/// What GitHub accepts is 1 MiB; the difference holds the closing lines.
const LIMIT: usize = (1 << 20) - 16 * 1024;
/// How many targets of one rule are listed.
const ROWS: usize = 200;
/// How many rules that await an answer are listed.
const FORMS: usize = 20;
/// The longest cell, in characters.
const CELL: usize = 400;

pub(super) fn render(assessment: &Assessment, context: &Context<'_>, out: &mut dyn Write) -> io::Result<()> {
    let tally = Tally::of(assessment);
    let mut page = Page { out, written: 0, omitted: 0 };
    page.block(&head(assessment, context, &tally), 0)?;
    for (title, keep) in [
        ("Failed", is_open_failure as fn(&Finding<'_>) -> bool),
        ("Could not be determined", is_undetermined as fn(&Finding<'_>) -> bool),
    ] {
        let rules = by_rule(assessment, keep);
        if rules.is_empty() {
            continue;
        }
        page.block(&format!("\n### {title}\n"), 0)?;
        for (_, group) in rules {
            page.block(&section(assessment, context, &group), group.total)?;
        }
    }
    let (ended, count) = ended(assessment);
    page.block(&ended, count)?;
    page.block(&not_checked(assessment, &tally), 0)?;
    page.block(&awaiting(assessment), 0)?;
    page.block(&answered(assessment, context), 0)?;
    page.block(&attention(assessment), 0)?;
    page.finish()
}

/// Writes blocks until the limit is reached.
struct Page<'a> {
    out: &'a mut dyn Write,
    written: usize,
    omitted: usize,
}

impl Page<'_> {
    /// Writes a block whole or, when it does not fit, counts its findings as omitted.
    fn block(&mut self, text: &str, findings: usize) -> io::Result<()> {
        if self.written + text.len() > LIMIT {
            self.omitted += findings;
            return Ok(());
        }
        self.written += text.len();
        self.out.write_all(text.as_bytes())
    }

    fn finish(self) -> io::Result<()> {
        match self.omitted {
            0 => Ok(()),
            more => writeln!(self.out, "\n… {} did not fit; use `--format json`.", plural(more, "more finding")),
        }
    }
}

fn head(assessment: &Assessment, context: &Context<'_>, tally: &Tally) -> String {
    let counts = &tally.counts;
    let title = match tally.nothing_judged(assessment) {
        Some(_) => "nothing was judged".to_owned(),
        None => format!("{} failed, {} unknown", counts.fail, counts.unknown + counts.error),
    };
    let mut out = format!("## mailvet: {title}\n\n");
    if let Some(why) = tally.nothing_judged(assessment) {
        out.push_str(&format!("**Nothing was judged: {}.** This is not a good result.\n\n", escape::markdown(&why)));
    }
    let profile = if assessment.policy.profile.is_empty() { "default" } else { &assessment.policy.profile };
    out.push_str(&format!(
        "Profile {}, as of {}, {}, mailvet {}.\n",
        escape::markdown(profile),
        assessment.as_of,
        plural(assessment.targets.len(), "target"),
        escape::markdown(context.version)
    ));
    if let Some(base) = &assessment.base {
        out.push_str(&format!(
            "Compared with {}: {} unchanged, {} resolved; only what differs is shown.\n",
            escape::markdown(&base.revision),
            base.unchanged,
            base.resolved
        ));
    }
    if let Some(history) = assessment.history.as_deref() {
        out.push_str(&format!("\nAs {}.\n", escape::markdown(&history_sentence(history))));
    }
    out.push_str("\n| Verdict | Findings |\n| --- | ---: |\n");
    for (word, count) in [
        ("failed", counts.fail),
        ("waived", counts.waived),
        ("unknown", counts.unknown),
        ("error", counts.error),
        ("passed", counts.pass),
        ("not applicable", counts.not_applicable),
        ("not checked", counts.not_checked),
        ("awaiting an answer", counts.manual),
    ] {
        out.push_str(&format!("| {word} | {count} |\n"));
    }
    let severities: Vec<String> = Severity::DESCENDING
        .iter()
        .filter_map(|severity| tally.failed.get(severity).map(|count| format!("{count} {severity}")))
        .collect();
    if !severities.is_empty() {
        out.push_str(&format!("\nFailures by severity: {}.\n", severities.join(", ")));
    }
    out
}

/// Findings of one rule: the first of them, and how many there are.
struct Group<'a> {
    rule: &'a Rule,
    keys: Vec<Key>,
    total: usize,
}

/// Rules with findings of a kind, the worst severity first.
fn by_rule<'a>(
    assessment: &'a Assessment,
    keep: fn(&Finding<'_>) -> bool,
) -> BTreeMap<(std::cmp::Reverse<Severity>, u16), Group<'a>> {
    let mut rules = BTreeMap::new();
    for (key, finding) in entries(assessment) {
        if keep(&finding) {
            let group = rules.entry((key.severity, key.rule)).or_insert_with(|| Group {
                rule: finding.rule,
                keys: Vec::new(),
                total: 0,
            });
            group.total += 1;
            if group.keys.len() < ROWS {
                group.keys.push(key);
            }
        }
    }
    rules
}

fn section(assessment: &Assessment, context: &Context<'_>, group: &Group<'_>) -> String {
    let rule = group.rule;
    let mut out = format!(
        "\n#### {}: {} ({})\n\n",
        rule.severity,
        escape::markdown(&escape::cut(&rule.title, CELL)),
        plural(group.total, "target")
    );
    out.push_str(&format!("Rule {}", escape::markdown(&rule.id)));
    let references: Vec<String> = rule.references.iter().map(reference).collect();
    if !references.is_empty() {
        out.push_str(&format!("; {}", references.join(", ")));
    }
    out.push_str("\n\n");
    for (word, text) in [("Why", &rule.why), ("Fix", &rule.fix.text)] {
        if !text.is_empty() {
            out.push_str(&format!("{word}: {}\n\n", escape::markdown(&escape::cut(text, 4 * CELL))));
        }
    }
    out.push_str("| Target | Where | Finding |\n| --- | --- | --- |\n");
    let findings: Vec<Finding<'_>> = group.keys.iter().filter_map(|key| key.finding(assessment)).collect();
    for finding in &findings {
        out.push_str(&row(assessment, context, finding));
    }
    if group.total > findings.len() {
        out.push_str(&format!("\n… {} of this rule.\n", plural(group.total - findings.len(), "more target")));
    }
    out.push_str(&records(&findings));
    out
}

fn row(assessment: &Assessment, context: &Context<'_>, finding: &Finding<'_>) -> String {
    let at = finding.span().and_then(|span| place(context, span)).map(|place| place.to_string()).unwrap_or_default();
    let lines = explanation(finding);
    let mut sentences: Vec<String> = lines
        .iter()
        .take(5)
        .map(|line| {
            let sentence = escape::markdown(&escape::cut(&line.sentence, CELL));
            if line.also { format!("also: {sentence}") } else { sentence }
        })
        .collect();
    if finding.verdict == Verdict::Error {
        sentences.insert(0, "a defect of the pack or of mailvet, not of the target".to_owned());
    }
    if lines.len() > 5 {
        sentences.push(format!("… {}", plural(lines.len() - 5, "more reason")));
    }
    let answer = answers::sentence_with_evidence(assessment, finding);
    sentences.extend(answer.map(|sentence| escape::markdown(&escape::cut(&sentence, 2 * CELL))));
    sentences.extend(seen_sentence(assessment, finding).map(|sentence| escape::markdown(&sentence)));
    format!(
        "| {} | {} | {} |\n",
        escape::markdown(&escape::cut(&finding.target.name, CELL)),
        escape::markdown(&escape::cut(&at, CELL)),
        sentences.join("<br>")
    )
}

/// The records that mend the findings, in a block that can be copied.
fn records(findings: &[Finding<'_>]) -> String {
    let records = findings.iter().filter_map(|finding| finding.detail?.record.as_deref());
    let lines: Vec<String> = records.map(|record| escape::code_line(&zone_line(record))).collect();
    if lines.is_empty() {
        return String::new();
    }
    let text = lines.join("\n");
    let fence = escape::fence(&text);
    format!("\n<details><summary>Records to publish</summary>\n\n{fence}\n{text}\n{fence}\n\n</details>\n")
}

fn reference(reference: &crate::policy::Reference) -> String {
    let title = escape::markdown(&reference.title);
    match reference.url.as_deref().and_then(escape::link) {
        Some(url) => format!("[{title}](<{url}>)"),
        None => title,
    }
}

/// What an earlier run had and this one has not, and how many findings that are.
fn ended(assessment: &Assessment) -> (String, usize) {
    let Some(history) = assessment.history.as_deref() else { return (String::new(), 0) };
    let mut out = String::new();
    for (title, fixed) in [("Fixed", true), ("No longer judged", false)] {
        let items: Vec<_> = history.ended.iter().filter(|item| item.is_fixed() == fixed).collect();
        if items.is_empty() {
            continue;
        }
        out.push_str(&format!("\n### {title} since {}\n\n", history.past.date));
        for item in items.iter().take(ROWS) {
            let text = format!("{} on {}, was {}", item.rule, item.target, item.before);
            out.push_str(&format!("- {}\n", escape::markdown(&escape::cut(&text, CELL))));
        }
        if items.len() > ROWS {
            out.push_str(&format!("- … {} more\n", items.len() - ROWS));
        }
    }
    (out, history.ended.len())
}

fn not_checked(assessment: &Assessment, tally: &Tally) -> String {
    if tally.not_checked.is_empty() {
        return String::new();
    }
    let mut out = "\n### Not checked in this run\n\n| Rule | Targets | Why |\n| --- | ---: | --- |\n".to_owned();
    for (index, reasons) in &tally.not_checked {
        let Some(rule) = assessment.policy.rules.get(*index as usize) else { continue };
        let why = reasons.words(rule);
        out.push_str(&format!(
            "| {} | {} | {} |\n",
            escape::markdown(&rule.id),
            reasons.targets,
            escape::markdown(&why)
        ));
    }
    out
}

/// What awaits an answer, with a form for it.
fn awaiting(assessment: &Assessment) -> String {
    let awaiting = answers::awaiting(assessment);
    if awaiting.is_empty() {
        return String::new();
    }
    let mut out = "\n### Awaiting an answer\n\n| Rule | Targets | Question |\n| --- | ---: | --- |\n".to_owned();
    let mut form = "answers:\n".to_owned();
    for question in awaiting.iter().take(FORMS) {
        let Some(rule) = assessment.policy.rules.get(usize::from(question.rule)) else { continue };
        let ask = match &rule.check {
            Check::Manual(manual) => &manual.ask,
            Check::Automatic(_) => &rule.title,
        };
        let stale = question.findings.iter().filter_map(|finding| answers::sentence(assessment, finding)).next();
        let stale = stale.map(|sentence| format!("<br>{}", escape::markdown(&escape::cut(&sentence, CELL))));
        out.push_str(&format!(
            "| {} | {} | {}{} |\n",
            escape::markdown(&rule.id),
            question.findings.len(),
            escape::markdown(&escape::cut(ask, CELL)),
            stale.unwrap_or_default()
        ));
        form.push_str(&question.form(assessment));
    }
    if awaiting.len() > FORMS {
        out.push_str(&format!("\n… {}.\n", plural(awaiting.len() - FORMS, "more rule")));
    }
    let lines: Vec<String> = form.lines().map(escape::code_line).collect();
    let text = lines.join("\n");
    let fence = escape::fence(&text);
    out.push_str(&format!(
        "\n<details><summary>Form for the answers</summary>\n\n{fence}\n{text}\n{fence}\n\n</details>\n"
    ));
    out
}

/// The register of answers, and what is wrong with them.
fn answered(assessment: &Assessment, context: &Context<'_>) -> String {
    let notes = assessment.answers.iter().filter_map(|note| answers::register_line(assessment, note));
    let at = |span: Option<crate::diag::Span>| span.and_then(|span| place(context, span));
    let problems = assessment.answer_problems.iter().map(|problem| {
        let at = at(problem.span).map(|place| format!(" ({place})")).unwrap_or_default();
        format!("{}: {}{at}", problem.level, problem.message)
    });
    let entries: Vec<String> = notes.chain(problems).collect();
    if entries.is_empty() {
        return String::new();
    }
    let mut out = "\n### Answers\n\n".to_owned();
    for entry in entries.iter().take(ROWS) {
        out.push_str(&format!("- {}\n", escape::markdown(&escape::cut(entry, CELL))));
    }
    if entries.len() > ROWS {
        out.push_str(&format!("- … {} more\n", entries.len() - ROWS));
    }
    out
}

/// Waivers that need attention, and how much was not read.
fn attention(assessment: &Assessment) -> String {
    let mut out = String::new();
    let mut entries = Vec::new();
    for note in &assessment.waivers {
        let Some(waiver) = assessment.policy.waivers.get(note.waiver as usize) else { continue };
        let state = match note.state {
            WaiverState::Active(_) => continue,
            WaiverState::Expiring(_) => format!("expires in {} days", days_until(assessment, waiver.expires)),
            WaiverState::Expired(days) => format!("expired {days} days ago"),
            WaiverState::NotYet(days) => format!("not in force for {days} more days"),
            WaiverState::NotNeeded => "no longer needed".to_owned(),
            WaiverState::Unused => "unused".to_owned(),
        };
        let text = format!("{} for {} on {}: {state}", waiver.id, waiver.rule, note.target);
        entries.push(format!("- {}\n", escape::markdown(&escape::cut(&text, CELL))));
    }
    if !entries.is_empty() {
        let shown = entries.len().min(ROWS);
        out.push_str(&format!("\n### Waivers\n\n{}", entries[..shown].concat()));
        if entries.len() > shown {
            out.push_str(&format!("- … {} more\n", entries.len() - shown));
        }
    }
    let coverage = &assessment.coverage;
    if let Some(live) = &coverage.live {
        out.push_str(&format!("\n{}\n", escape::markdown(&format!("{}; {LIVE_PLACES}.", live_sentence(live)))));
        for (title, entries) in [("Left out", &live.left_out), ("Not finished, interrupted", &live.interrupted)] {
            if !entries.is_empty() {
                let shown = entries[..entries.len().min(ROWS)].join(", ");
                let more = entries.len().saturating_sub(ROWS);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                out.push_str(&format!("\n{}\n", escape::markdown(&format!("{title}: {shown}{more}."))));
            }
        }
    }
    out.push_str(&format!(
        "\n{} read, {} not read as DNS data, {} not evaluated, {} about the sources, {} not selected.\n",
        plural(coverage.sources.len(), "zone"),
        plural(coverage.ignored.len(), "file"),
        plural(coverage.not_evaluated.len(), "name"),
        plural(coverage.diagnostics.len(), "message"),
        plural(assessment.policy.not_selected.len(), "rule")
    ));
    out
}
