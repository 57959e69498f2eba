//! `mailvet diff`: what changed between two stored runs.
//!
//! Both are judged by the same rules, those of the later bundle unless others are named, each as of the day on which it was
//! collected unless `--as-of` says otherwise, and then compared: verdicts by [`engine::difference`], facts by
//! [`engine::changes`].

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use jiff::civil::Date;

use super::stored::{StoredInput, stored_input};
use super::{exit, input, output, replay};
use crate::cli::{DiffArgs, DiffReportArgs};
use crate::diag::{Diagnostic, Files, Level};
use crate::engine::difference::{Compared, difference};
use crate::engine::{self};
use crate::facts::{Target, TargetFacts};
use crate::findings::Assessment;
use crate::findings::difference::{
    Change, DIFFERENCE_VERSION, Difference, FindingChange, Side, TargetChanges, TargetName,
};
use crate::policy::Severity;
use crate::reports::{self, DifferenceFormat, render_difference};

/// Reads, judges, compares and reports.
pub(super) fn run(args: &DiffArgs) -> anyhow::Result<u8> {
    let outputs = outputs(&args.report)?;
    let (old, new) = (stored_input(&args.old)?, stored_input(&args.new)?);
    let mut files = Files::default();
    let policy = match replay::own_rules(new.bundle.as_ref(), &args.policy, args.inventory.as_deref()) {
        Some((bundle, judged)) => replay::stored_policy(bundle, judged, &args.policy, &mut files)?,
        None => {
            let inventory = input::inventory(&mut files, args.inventory.as_deref(), args.no_inventory)?;
            input::policy(&mut files, &args.policy, inventory.as_ref())?
        }
    };
    if old.date > new.date {
        let _ = writeln!(
            anstream::stderr(),
            "warning: the old run was collected on {}, after the new one ({}); are they in the right order?",
            old.date,
            new.date
        );
    }
    let as_of = |input: &StoredInput| args.policy.as_of.unwrap_or(input.date);

    // The facts of the old run stay until their target comes by in the new one.
    let mut before: BTreeMap<(Target, String), TargetFacts> = BTreeMap::new();
    let old_assessment = old.assess(&policy, as_of(&old), |target, _| {
        before.insert((target.facts.kind(), target.name), target.facts);
    })?;
    let mut facts = Vec::new();
    let new_assessment = new.assess(&policy, as_of(&new), |target, _| {
        let name = TargetName { kind: target.facts.kind(), name: target.name };
        let Some(earlier) = before.remove(&(name.kind, name.name.clone())) else { return };
        let changes = engine::changes(&earlier, &target.facts);
        if !changes.is_empty() {
            facts.push(TargetChanges { target: name, changes });
        }
    })?;
    facts.sort_by(|one, other| one.target.cmp(&other.target));

    let compared = difference(&old_assessment, &new_assessment);
    let Compared { counts, targets_appeared, targets_vanished, rules_appeared, rules_gone, findings } = compared;
    let difference = Difference {
        schema_version: DIFFERENCE_VERSION,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        profile: policy.profile.clone(),
        packs: policy.packs.clone(),
        old: side(&args.old, &old, &old_assessment, as_of(&old)),
        new: side(&args.new, &new, &new_assessment, as_of(&new)),
        counts,
        targets_appeared,
        targets_vanished,
        rules_appeared,
        rules_gone,
        findings,
        facts,
    };
    write(&args.report, &outputs, &difference)?;
    Ok(exit_code(&args.report, &difference, [&old_assessment, &new_assessment]))
}

fn side(path: &Path, input: &StoredInput, assessment: &Assessment, as_of: Date) -> Side {
    let messages = errors(assessment).map(|message| message.message.clone()).collect();
    Side {
        source: path.to_string_lossy().replace('\\', "/"),
        collected: input.date.to_string(),
        as_of: as_of.to_string(),
        version: input.header.version.clone(),
        targets: assessment.targets.len(),
        counts: assessment.counts(),
        not_judged_because: reports::nothing_judged(assessment),
        messages,
        left_out: input.coverage.live.as_ref().map(|live| live.left_out.clone()).unwrap_or_default(),
    }
}

fn errors(assessment: &Assessment) -> impl Iterator<Item = &Diagnostic> {
    assessment.coverage.diagnostics.iter().filter(|message| message.level == Level::Error)
}

/// The exit code that the difference asks for.
fn exit_code(args: &DiffReportArgs, difference: &Difference, runs: [&Assessment; 2]) -> u8 {
    if args.exit_zero {
        return exit::GOOD;
    }
    let threshold: Severity = args.fail_on.into();
    let weighty = || difference.findings.iter().filter(|item| item.severity >= threshold);
    if weighty().any(is_new_failure) {
        exit::FAILED
    } else if weighty().any(is_new_doubt)
        || runs.iter().any(|run| errors(run).next().is_some() || reports::nothing_judged(run).is_some())
    {
        exit::INCOMPLETE
    } else {
        exit::GOOD
    }
}

/// Whether it fails now without waiver, and did not, did so less, or was not known to.
fn is_new_failure(item: &FindingChange) -> bool {
    matches!(item.change, Change::New | Change::Appeared | Change::Worse | Change::BecameKnown)
        && item.after.as_ref().is_some_and(|state| state.is_open_failure())
}

/// Whether it could be determined before, or was not asked, and cannot be determined now.
fn is_new_doubt(item: &FindingChange) -> bool {
    matches!(item.change, Change::Appeared | Change::Worse | Change::BecameUnknown)
        && item.after.as_ref().is_some_and(|state| state.is_undetermined())
}

/// Reads `FORMAT=FILE` arguments.
fn outputs(args: &DiffReportArgs) -> anyhow::Result<Vec<(DifferenceFormat, PathBuf)>> {
    let read = |text: &String| {
        let Some((format, path)) = text.split_once('=') else {
            bail!("--output {text}: expected FORMAT=FILE, for example markdown=diff.md");
        };
        let format = format.parse::<DifferenceFormat>().map_err(|error| anyhow!("--output {text}: {error}"))?;
        if path.is_empty() {
            bail!("--output {text}: the file name is missing");
        }
        Ok((format, PathBuf::from(path)))
    };
    args.output.iter().map(read).collect()
}

fn write(
    args: &DiffReportArgs,
    outputs: &[(DifferenceFormat, PathBuf)],
    difference: &Difference,
) -> anyhow::Result<()> {
    let files = Files::default();
    let context = |colour, width| reports::Context {
        colour,
        width,
        verbose: args.verbose,
        limit: args.limit,
        ..reports::Context::new(env!("CARGO_PKG_VERSION"), &files)
    };
    for (format, path) in outputs {
        let width = output::file_width();
        output::write_file(path, |out| render_difference(*format, difference, &context(false, width), out))
            .with_context(|| format!("cannot write the report {}", path.display()))?;
    }
    output::write_stdout(|colour, width, out| render_difference(args.format, difference, &context(colour, width), out))
}
