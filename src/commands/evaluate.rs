//! `mailvet evaluate`: judge a bundle or a stored snapshot, without any network.
//!
//! A bundle is judged by what it holds unless other rules are named, and then the results are compared with those that it
//! holds: that they are the same bytes proves that they follow from the evidence.

use std::fs::File;
use std::io::{BufReader, Read, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use jiff::civil::Date;

use super::input::{PackSource, PolicySources, Source};
use super::{check, exit, input, keep, output};
use crate::bundle::record::{Judged, Stored};
use crate::bundle::{self, Opened};
use crate::cli::EvaluateArgs;
use crate::diag::Files;
use crate::engine::{self, Assembler};
use crate::facts::stored::{self, Checked};
use crate::findings::Assessment;
use crate::policy::Policy;
use crate::reports::{self, Format};

/// Reads, judges and reports. What is judged is proven whole before any of it is.
pub(super) fn run(args: &EvaluateArgs) -> anyhow::Result<u8> {
    output::validate(&args.report)?;
    if bundle::is_bundle(&args.snapshot) {
        return replay(args);
    }
    let mut judging = Judging::check(&args.snapshot, || open(&args.snapshot))?;
    let policy = policy(args, &mut judging.files)?;
    let assessment = judging.judge(policy, args.policy.as_of.unwrap_or_else(check::today))?;
    judging.report(args, &assessment)
}

/// Judges a bundle.
fn replay(args: &EvaluateArgs) -> anyhow::Result<u8> {
    let opened = bundle::open::open(&args.snapshot)?;
    let mut judging = Judging::check(&args.snapshot, || Ok(opened.snapshot()?))?;
    let judged = opened.record.judged.as_ref();
    let stored = judged.filter(|_| !names_rules(args));
    let policy = match stored {
        Some(judged) => {
            let mut sources = sources(&opened, judged).context("the rules of the bundle cannot be read")?;
            if !args.policy.only.is_empty() || !args.policy.skip.is_empty() {
                (sources.only, sources.skip) = (args.policy.only.clone(), args.policy.skip.clone());
            }
            input::build(&mut judging.files, &sources)?
        }
        None => policy(args, &mut judging.files)?,
    };
    let as_of = args.policy.as_of.or(judged.map(|judged| judged.as_of)).unwrap_or_else(check::today);
    let assessment = judging.judge(policy, as_of)?;
    let same_rules = stored.filter(|_| args.policy.only.is_empty() && args.policy.skip.is_empty());
    let differ = match same_rules.filter(|judged| judged.as_of == as_of) {
        Some(judged) => judging.compare(args, &opened, judged, &assessment)?,
        None => false,
    };
    let code = judging.report(args, &assessment)?;
    // Results that do not follow from their evidence must not look like a success.
    Ok(if differ && code == exit::GOOD { exit::INCOMPLETE } else { code })
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

fn policy(args: &EvaluateArgs, files: &mut Files) -> anyhow::Result<Policy> {
    let inventory = input::inventory(files, args.inventory.as_deref(), args.no_inventory)?;
    input::policy(files, &args.policy, inventory.as_ref())
}

/// What the policy of the bundle was built from.
fn sources(opened: &Opened, judged: &Judged) -> anyhow::Result<PolicySources> {
    let read = |stored: &Stored| -> anyhow::Result<Source> {
        Ok((stored.path.clone(), opened.read(&stored.file).with_context(|| stored.file.clone())?))
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

/// A snapshot that is whole, and how to read its facts.
struct Judging<'a, O> {
    path: &'a Path,
    open: O,
    /// Those of the snapshot come first, because spans in the facts name them by their ids; those of the policy follow.
    files: Files,
    coverage: stored::StoredCoverage,
    home: Option<String>,
}

impl<'a, R: Read, O: Fn() -> anyhow::Result<R>> Judging<'a, O> {
    fn check(path: &'a Path, open: O) -> anyhow::Result<Judging<'a, O>> {
        let checked = stored::check(buffered(open()?)).with_context(|| format!("{} cannot be used", path.display()))?;
        let Checked { header, files, coverage } = checked;
        Ok(Judging { path, open, files, coverage, home: header.inventory })
    }

    fn judge(&self, policy: Policy, as_of: Date) -> anyhow::Result<Assessment> {
        let mut targets = Vec::new();
        stored::targets(buffered((self.open)()?), |target| {
            let (kind, facts) = (target.facts.kind(), target.facts.group());
            targets.push(engine::assess_target(&policy, kind, &target.name, target.anchor, facts, as_of));
        })
        .with_context(|| format!("{} cannot be used", self.path.display()))?;
        let mut assembler = Assembler::new(policy, as_of);
        assembler.extend(targets);
        Ok(assembler.finish(self.coverage.coverage()))
    }

    /// Findings without a place in a file are located where the collecting run located them.
    fn report(&self, args: &EvaluateArgs, assessment: &Assessment) -> anyhow::Result<u8> {
        output::write(&args.report, assessment, &self.files, self.home.as_deref().map(Path::new))?;
        Ok(output::exit_code(&args.report, assessment, &[]))
    }

    /// Compares the results with those of the bundle, says so, and says whether any differ.
    fn compare(
        &self,
        args: &EvaluateArgs,
        opened: &Opened,
        judged: &Judged,
        assessment: &Assessment,
    ) -> anyhow::Result<bool> {
        let mut differ = Vec::new();
        let mut same = Vec::new();
        for result in &judged.results {
            let Ok(format) = result.format.parse::<Format>() else { continue };
            let mut bytes = Vec::new();
            reports::render(format, assessment, &keep::context(&self.files, self.home.as_deref()), &mut bytes)?;
            let is_same = opened.read(&result.file)? == bytes;
            (if is_same { &mut same } else { &mut differ }).push(format.as_str());
        }
        let text = if differ.is_empty() {
            format!("note: byte-identical to the results of the bundle ({})", same.join(", "))
        } else {
            let version = &opened.record.tool.version;
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
}

fn buffered<R: Read>(input: R) -> BufReader<R> {
    BufReader::with_capacity(1 << 16, input)
}

fn open(path: &Path) -> anyhow::Result<File> {
    // Opening a pipe waits for a writer that may never come, and a snapshot is read twice.
    if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
        bail!("cannot read {}: it is not a regular file", path.display());
    }
    File::open(path).with_context(|| format!("cannot read {}", path.display()))
}
