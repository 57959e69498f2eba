//! `mailvet evaluate`: judge a stored snapshot, without any network.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::{check, input, output};
use crate::cli::EvaluateArgs;
use crate::engine::{self, Assembler};
use crate::facts::stored;

/// Reads, judges and reports. The snapshot is proven whole before any of it is judged.
pub(super) fn run(args: &EvaluateArgs) -> anyhow::Result<u8> {
    output::validate(&args.report)?;
    let path = args.snapshot.as_path();
    let checked = stored::check(open(path)?).with_context(|| format!("{} cannot be used", path.display()))?;
    // The files come first, because spans in the facts name them by their ids; those of the policy come after them.
    let mut files = checked.files;
    let inventory = input::inventory(&mut files, args.inventory.as_deref(), args.no_inventory)?;
    let policy = input::policy(&mut files, &args.policy, inventory.as_ref())?;
    let as_of = args.policy.as_of.unwrap_or_else(check::today);
    let mut targets = Vec::new();
    stored::targets(open(path)?, |target| {
        let (kind, facts) = (target.facts.kind(), target.facts.group());
        targets.push(engine::assess_target(&policy, kind, &target.name, target.anchor, facts, as_of));
    })
    .with_context(|| format!("{} cannot be used", path.display()))?;
    let mut assembler = Assembler::new(policy, as_of);
    assembler.extend(targets);
    let assessment = assembler.finish(checked.coverage.coverage());
    // Findings without a place in a file are located where the collecting run located them.
    output::write(&args.report, &assessment, &files, checked.header.inventory.as_deref().map(Path::new))?;
    Ok(output::exit_code(&args.report, &assessment, &[]))
}

fn open(path: &Path) -> anyhow::Result<BufReader<File>> {
    // Opening a pipe waits for a writer that may never come, and a snapshot is read twice.
    if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
        bail!("cannot read {}: it is not a regular file", path.display());
    }
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(BufReader::with_capacity(1 << 16, file))
}
