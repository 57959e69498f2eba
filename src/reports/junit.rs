//! JUnit XML: one suite per target, one case per rule, every finding of every verdict.
//!
//! There is no standard; this holds to the XML Schema that Jenkins publishes (junit-10.xsd), which has no `skipped` on the
//! root. GitLab identifies a case by class name and name and drops twins: the class is the rule, the name is the target.

use std::io::{self, Write};

use super::explanation::explanation;
use super::place::Evidence;
use super::tally::Tally;
use super::text::zone_line;
use super::{Context, answers, escape};
use crate::findings::{AssessedTarget, Assessment, Finding, Verdict};
use crate::policy::Check;

/// The longest name of a case, in characters; longer ones end in a part of their fingerprint.
const NAME: usize = 300;
/// The longest text in a case, in characters.
const TEXT: usize = 2000;

pub(super) fn render(assessment: &Assessment, context: &Context<'_>, out: &mut dyn Write) -> io::Result<()> {
    let tally = Tally::of(assessment);
    let counts = &tally.counts;
    let nothing = tally.nothing_judged(assessment);
    let errors = counts.unknown + counts.error - waived_unknown(assessment) + usize::from(nothing.is_some());
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        out,
        "<testsuites name=\"mailvet {}\" tests=\"{}\" failures=\"{}\" errors=\"{errors}\">",
        escape::xml(context.version),
        tally.total() + usize::from(nothing.is_some()),
        counts.fail
    )?;
    if let Some(why) = nothing {
        let why = escape::xml(&why);
        writeln!(out, "<testsuite name=\"mailvet\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\">")?;
        writeln!(out, "<testcase classname=\"mailvet\" name=\"nothing was judged\">")?;
        writeln!(out, "<error type=\"nothing-judged\" message=\"{why}\">{why}</error>")?;
        writeln!(out, "</testcase>\n</testsuite>")?;
    }
    let mut names = Names::default();
    for target in &assessment.targets {
        suite(assessment, context, target, &mut names, out)?;
    }
    writeln!(out, "</testsuites>")
}

fn waived_unknown(assessment: &Assessment) -> usize {
    let undetermined = |verdict| matches!(verdict, Verdict::Unknown | Verdict::Error);
    assessment.findings().filter(|finding| undetermined(finding.verdict) && finding.is_waived()).count()
}

fn suite(
    assessment: &Assessment,
    context: &Context<'_>,
    target: &AssessedTarget,
    names: &mut Names,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
    for finding in assessment.findings_of(target) {
        tests += 1;
        match outcome(&finding) {
            Outcome::Passed => {}
            Outcome::Failure => failures += 1,
            Outcome::Error => errors += 1,
            Outcome::Skipped => skipped += 1,
        }
    }
    let name = names.unique(target);
    writeln!(
        out,
        "<testsuite name=\"{} {name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" \
         skipped=\"{skipped}\">",
        target.kind
    )?;
    for finding in assessment.findings_of(target) {
        case(assessment, context, &finding, &name, out)?;
    }
    writeln!(out, "</testsuite>")
}

enum Outcome {
    Passed,
    Failure,
    Error,
    Skipped,
}

fn outcome(finding: &Finding<'_>) -> Outcome {
    match finding.verdict {
        Verdict::Pass => Outcome::Passed,
        _ if finding.is_waived() => Outcome::Skipped,
        Verdict::Fail => Outcome::Failure,
        Verdict::Unknown | Verdict::Error => Outcome::Error,
        Verdict::NotApplicable | Verdict::NotChecked | Verdict::Manual => Outcome::Skipped,
    }
}

fn case(
    assessment: &Assessment,
    context: &Context<'_>,
    finding: &Finding<'_>,
    name: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let class = escape::xml(&finding.rule.id);
    let element = match outcome(finding) {
        Outcome::Passed => return passed(assessment, finding, &class, name, out),
        Outcome::Failure => "failure",
        Outcome::Error => "error",
        Outcome::Skipped => "skipped",
    };
    writeln!(out, "<testcase classname=\"{class}\" name=\"{name}\">")?;
    let message = escape::xml(&escape::cut(&message(assessment, finding), TEXT));
    if element == "skipped" {
        writeln!(out, "<skipped message=\"{message}\"/>")?;
    } else {
        let kind = if element == "failure" { finding.severity().as_str() } else { finding.verdict.as_str() };
        writeln!(out, "<{element} type=\"{kind}\" message=\"{message}\">")?;
        for line in details(assessment, context, finding) {
            writeln!(out, "{}", escape::log_line(&escape::xml(&escape::cut(&line, TEXT))))?;
        }
        writeln!(out, "</{element}>")?;
    }
    writeln!(out, "</testcase>")
}

/// A case that passes says nothing unless a person says so.
fn passed(
    assessment: &Assessment,
    finding: &Finding<'_>,
    class: &str,
    name: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Some(sentence) = answers::sentence_with_evidence(assessment, finding) else {
        return writeln!(out, "<testcase classname=\"{class}\" name=\"{name}\"/>");
    };
    let shown = escape::xml(&escape::cut(&sentence, TEXT));
    writeln!(out, "<testcase classname=\"{class}\" name=\"{name}\">")?;
    writeln!(out, "<system-out>\n{}\n</system-out>\n</testcase>", escape::log_line(&shown))
}

fn message(assessment: &Assessment, finding: &Finding<'_>) -> String {
    let waiver = finding.detail.and_then(|detail| assessment.policy.waivers.get(detail.waived? as usize));
    if let Some(waiver) = waiver {
        return format!("waived by {} until {}: {}", waiver.approved_by, waiver.expires, waiver.reason);
    }
    let answer = answers::sentence(assessment, finding).map(|sentence| format!("; {sentence}")).unwrap_or_default();
    match (finding.verdict, &finding.rule.check) {
        (Verdict::Unknown, _) => format!("could not be determined: {}", finding.rule.title),
        (Verdict::Error, _) => format!("defect of the pack or of mailvet: {}", finding.rule.title),
        (Verdict::NotApplicable, _) => format!("not applicable{answer}"),
        (Verdict::NotChecked, _) => "not checked: this run does not collect what the rule needs".to_owned(),
        (Verdict::Manual, Check::Manual(manual)) => format!("awaits an answer: {}{answer}", manual.ask),
        (Verdict::Manual, Check::Automatic(_)) => "awaits an answer".to_owned(),
        (Verdict::Pass | Verdict::Fail, _) => finding.rule.title.clone(),
    }
}

fn details(assessment: &Assessment, context: &Context<'_>, finding: &Finding<'_>) -> Vec<String> {
    let mut lines: Vec<String> = explanation(finding)
        .into_iter()
        .take(20)
        .map(|line| if line.also { format!("also: {}", line.sentence) } else { line.sentence })
        .collect();
    lines.extend(answers::sentence_with_evidence(assessment, finding));
    lines.extend(Evidence::of(context, finding).map(|evidence| format!("seen in {}", evidence.sentence())));
    for (word, text) in [("why", &finding.rule.why), ("fix", &finding.rule.fix.text)] {
        if !text.is_empty() {
            lines.push(format!("{word}: {text}"));
        }
    }
    if let Some(record) = finding.detail.and_then(|detail| detail.record.as_deref()) {
        lines.push(format!("publish: {}", zone_line(record)));
    }
    lines
}

/// Escaped names of targets. Escaping or cutting may make two names equal, and a twin would be dropped.
#[derive(Default)]
struct Names {
    previous: Option<(crate::facts::Target, String)>,
    repeated: usize,
}

impl Names {
    fn unique(&mut self, target: &AssessedTarget) -> String {
        let shown = escape::xml(&escape::cut(&target.name, NAME));
        // Targets are sorted, so targets of the same name follow each other.
        let same = self.previous.as_ref().is_some_and(|(kind, name)| *kind == target.kind && *name == target.name);
        self.repeated = if same { self.repeated + 1 } else { 0 };
        self.previous = Some((target.kind, target.name.clone()));
        let mut name = shown;
        if name != target.name {
            use sha2::{Digest, Sha256};
            let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(target.name.as_bytes())[..6]);
            name = format!("{name} [{digest}]");
        }
        if self.repeated > 0 {
            name = format!("{name} ({})", self.repeated + 1);
        }
        name
    }
}
