//! `mailvet evaluate`: judge a stored snapshot, without any network.

use std::path::Path;

use super::stored::{previous, stored_input};
use super::{check, input, output};
use crate::cli::EvaluateArgs;
use crate::engine;

/// Reads, judges and reports. The snapshot is proven whole before any of it is judged.
pub(super) fn run(args: &EvaluateArgs) -> anyhow::Result<u8> {
    output::validate(&args.report)?;
    let mut stored = stored_input(&args.snapshot)?;
    // The files come first, because spans in the facts name them by their ids; those of the policy come after them.
    let mut files = std::mem::take(&mut stored.files);
    let inventory = input::inventory(&mut files, args.inventory.as_deref(), args.no_inventory)?;
    let policy = input::policy(&mut files, &args.policy, inventory.as_ref())?;
    let as_of = args.policy.as_of.unwrap_or_else(check::today);
    // A snapshot that was written beside an earlier run tells the same history again.
    let past = match &args.previous {
        Some(path) => Some(previous(path, &policy, stored.date)?),
        None => stored.past.take(),
    };
    let mut assessment = stored.assess(&policy, as_of, |_| ())?;
    assessment.history = past.map(|past| Box::new(engine::history::history(past, &assessment, stored.date)));
    // Findings without a place in a file are located where the collecting run located them.
    output::write(&args.report, &assessment, &files, stored.header.inventory.as_deref().map(Path::new))?;
    Ok(output::exit_code(&args.report, &assessment, &[]))
}
