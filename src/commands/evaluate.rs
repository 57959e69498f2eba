//! `mailvet evaluate`: judge a bundle or a stored snapshot, without any network.
//!
//! A bundle is judged by what it holds unless other rules are named, and then the results are compared with those that it
//! holds: that they are the same bytes proves that they follow from the evidence.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;

use super::input::{PackSource, PolicySources, Source};
use super::stored::{previous, stored_input};
use super::{check, exit, input, keep, output, rebuild};
use crate::bundle::Opened;
use crate::bundle::record::{Judged, Stored};
use crate::cli::EvaluateArgs;
use crate::diag::Files;
use crate::engine;
use crate::findings::Assessment;
use crate::policy::Policy;
use crate::reports::{self, Format};

/// Reads, judges and reports. What is judged is proven whole before any of it is.
pub(super) fn run(args: &EvaluateArgs) -> anyhow::Result<u8> {
    output::validate(&args.report)?;
    let mut stored = stored_input(&args.snapshot)?;
    // The files come first, because spans in the facts name them by their ids; those of the policy come after them.
    let mut files = std::mem::take(&mut stored.files);
    let unlike = args.from_raw && rebuild::from_raw(&mut stored, &mut files, args.report.quiet)?;
    let judged = stored.bundle.as_ref().and_then(|bundle| bundle.record.judged.as_ref());
    let own_rules = judged.filter(|_| !names_rules(args));
    let policy = match stored.bundle.as_ref().zip(own_rules) {
        Some((bundle, judged)) => stored_policy(args, bundle, judged, &mut files)?,
        None => named_policy(args, &mut files)?,
    };
    let as_of = args.policy.as_of.or(judged.map(|judged| judged.as_of)).unwrap_or_else(check::today);
    // A run that knew an earlier one tells the same history again.
    let past = match &args.previous {
        Some(path) => Some(previous(path, &policy, stored.date)?),
        None => stored.past.take(),
    };
    let mut assessment = stored.assess(&policy, as_of, |_| ())?;
    assessment.history = past.map(|past| Box::new(engine::history::history(past, &assessment, stored.date)));
    // Findings without a place in a file are located where the collecting run located them.
    let home = stored.header.inventory.as_deref();
    let same_rules = own_rules.filter(|judged| judged.as_of == as_of && !selects(args) && args.previous.is_none());
    let differ = match stored.bundle.as_ref().zip(same_rules) {
        Some((bundle, judged)) => compare(args, bundle, judged, &assessment, &keep::context(&files, home))?,
        None => false,
    };
    output::write(&args.report, &assessment, &files, home.map(Path::new))?;
    let code = output::exit_code(&args.report, &assessment, &[]);
    // Facts or results that do not follow from their evidence must not look like a success.
    Ok(if (differ || unlike) && code == exit::GOOD { exit::INCOMPLETE } else { code })
}

/// Whether the arguments name rules of their own, so that those of the bundle are not used.
fn names_rules(args: &EvaluateArgs) -> bool {
    let policy = &args.policy;
    args.inventory.is_some()
        || policy.profile.is_some()
        || !policy.pack.is_empty()
        || !policy.param.is_empty()
        || !policy.waivers.is_empty()
}

/// Whether the arguments choose some of the rules.
fn selects(args: &EvaluateArgs) -> bool {
    !args.policy.only.is_empty() || !args.policy.skip.is_empty()
}

fn named_policy(args: &EvaluateArgs, files: &mut Files) -> anyhow::Result<Policy> {
    let inventory = input::inventory(files, args.inventory.as_deref(), args.no_inventory)?;
    input::policy(files, &args.policy, inventory.as_ref())
}

/// The policy that the run of a bundle judged by.
fn stored_policy(args: &EvaluateArgs, bundle: &Opened, judged: &Judged, files: &mut Files) -> anyhow::Result<Policy> {
    let mut sources = sources(bundle, judged).context("the rules of the bundle cannot be read")?;
    if selects(args) {
        (sources.only, sources.skip) = (args.policy.only.clone(), args.policy.skip.clone());
    }
    input::build(files, &sources)
}

/// What the policy of the bundle was built from.
fn sources(bundle: &Opened, judged: &Judged) -> anyhow::Result<PolicySources> {
    let read = |stored: &Stored| -> anyhow::Result<Source> {
        Ok((stored.path.clone(), bundle.read(&stored.file).with_context(|| stored.file.clone())?))
    };
    let all = |stored: &[Stored]| stored.iter().map(read).collect::<anyhow::Result<Vec<Source>>>();
    let packs = judged.packs.iter().map(|pack| Ok(PackSource { own: pack.own, files: all(&pack.files)? }));
    Ok(PolicySources {
        packs: packs.collect::<anyhow::Result<_>>()?,
        profile: read(&judged.profile)?,
        built_in_profile: judged.built_in_profile,
        params: judged.params.clone(),
        only: judged.only.clone(),
        skip: judged.skip.clone(),
        waivers: all(&judged.waivers)?,
    })
}

/// Compares the results with those of the bundle, says so, and says whether any differ.
fn compare(
    args: &EvaluateArgs,
    bundle: &Opened,
    judged: &Judged,
    assessment: &Assessment,
    context: &reports::Context<'_>,
) -> anyhow::Result<bool> {
    let mut differ = Vec::new();
    let mut same = Vec::new();
    for result in &judged.results {
        let Ok(format) = result.format.parse::<Format>() else { continue };
        let mut bytes = Vec::new();
        reports::render(format, assessment, context, &mut bytes)?;
        let is_same = bundle.read(&result.file)? == bytes;
        (if is_same { &mut same } else { &mut differ }).push(format.as_str());
    }
    let text = if differ.is_empty() {
        format!("note: byte-identical to the results of the bundle ({})", same.join(", "))
    } else {
        let version = &bundle.record.tool.version;
        format!(
            "warning: not the results of the bundle, which mailvet {version} wrote; this is {}: {} differ",
            env!("CARGO_PKG_VERSION"),
            differ.join(", ")
        )
    };
    if !args.report.quiet || !differ.is_empty() {
        let _ = writeln!(anstream::stderr(), "{}", crate::diag::visible(&text));
    }
    Ok(!differ.is_empty())
}
