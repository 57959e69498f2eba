//! GitHub workflow commands: annotations on the lines at fault, the worst first.
//!
//! Failures without waiver and what could not be determined are annotated. GitHub shows at most ten of each kind per step
//! and fifty per job, so at most [`SHOWN`] are written; a first notice counts the rest.

use std::io::{self, Write};

use super::explanation::explanation;
use super::place::{Evidence, home, home_file, located};
use super::tally::Tally;
use super::text::zone_line;
use super::{Context, answers, escape, is_notable, is_reported, plural, worst};
use crate::findings::{Assessment, Finding, Verdict};
use crate::policy::Severity;

/// How many findings are annotated.
const SHOWN: usize = 49;
/// The longest line of a message, in characters.
const TEXT: usize = 500;

pub(super) fn render(assessment: &Assessment, context: &Context<'_>, out: &mut dyn Write) -> io::Result<()> {
    let tally = Tally::of(assessment);
    if let Some(why) = tally.nothing_judged(assessment) {
        writeln!(out, "::error title=mailvet%3A nothing was judged::{}", escape::workflow_message([why.as_str()]))?;
    }
    let reported = worst(assessment, SHOWN, is_notable, |finding| is_reported(finding, context));
    if reported.omitted() > 0 {
        writeln!(
            out,
            "::notice title=mailvet::{} are not annotated; {} in all, the worst are shown. Use --format markdown or \
             --format json for all of them",
            plural(reported.omitted(), "more finding"),
            reported.total
        )?;
    }
    // Without any file, an annotation stands beside the job; a path that does not exist would lead nowhere.
    let home = if assessment.coverage.live.is_some() {
        home_file(assessment, context)
    } else {
        Some(home(assessment, context))
    };
    for finding in reported.keys.iter().filter_map(|key| key.finding(assessment)) {
        annotation(assessment, context, &finding, home.as_deref(), out)?;
    }
    // The first word keeps the line from being read as a command.
    writeln!(out, "mailvet: {}", tally.words())
}

fn annotation(
    assessment: &Assessment,
    context: &Context<'_>,
    finding: &Finding<'_>,
    home: Option<&str>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let level = match (finding.verdict, finding.severity()) {
        (Verdict::Fail, Severity::Critical | Severity::High) => "error",
        (Verdict::Fail, Severity::Low | Severity::Info) => "notice",
        _ => "warning",
    };
    let located = located(context, finding, home.unwrap_or_default());
    let place = &located.place;
    let title = format!("{}: {} ({})", finding.severity(), finding.rule.title, finding.target.name);
    let title = if finding.verdict == Verdict::Fail { title } else { format!("{}, {title}", finding.verdict) };
    let columns = if place.line == place.end_line && place.end_column > place.column {
        // Columns of annotations include the last character.
        format!(",col={},endColumn={}", place.column, place.end_column - 1)
    } else {
        String::new()
    };
    let at = if located.exact || home.is_some() {
        let file = escape::workflow_property(&place.file);
        format!("file={file},line={},endLine={}{columns},", place.line, place.end_line)
    } else {
        String::new()
    };
    let lines = message(assessment, context, finding);
    let lines: Vec<_> = lines.iter().map(|line| escape::cut(line, TEXT)).collect();
    writeln!(
        out,
        "::{level} {at}title={}::{}",
        escape::workflow_property(&escape::cut(&title, TEXT)),
        escape::workflow_message(lines.iter().map(AsRef::as_ref))
    )
}

fn message(assessment: &Assessment, context: &Context<'_>, finding: &Finding<'_>) -> Vec<String> {
    let mut lines: Vec<String> = explanation(finding)
        .into_iter()
        .take(10)
        .map(|line| if line.also { format!("also: {}", line.sentence) } else { line.sentence })
        .collect();
    if finding.verdict == Verdict::Error {
        lines.insert(0, "a defect of the pack or of mailvet, not of the target".to_owned());
    }
    lines.extend(answers::sentence(assessment, finding));
    lines.extend(Evidence::of(context, finding).map(|evidence| format!("seen in {}", evidence.sentence())));
    if !finding.rule.why.is_empty() {
        lines.push(format!("why: {}", finding.rule.why));
    }
    match finding.detail.and_then(|detail| detail.record.as_deref()) {
        Some(record) => lines.push(format!("fix: publish {}", zone_line(record))),
        None if finding.rule.fix.text.is_empty() => {}
        None => lines.push(format!("fix: {}", finding.rule.fix.text)),
    }
    lines.push(format!("rule: {}", finding.rule.id));
    lines
}
