//! `mailvet evaluate`: judge a bundle or a stored snapshot, without any network.
//!
//! A bundle is judged by what it holds unless other rules are named, and then the results are compared with those that it
//! holds: that they are the same bytes proves that they follow from the evidence.

use std::io::Write as _;
use std::path::Path;

use super::replay::{Question, Replay};
use super::{exit, keep, output};
use crate::bundle::Opened;
use crate::bundle::record::Judged;
use crate::cli::EvaluateArgs;
use crate::reports::{self, Format};

/// Reads, judges and reports.
pub(super) fn run(args: &EvaluateArgs) -> anyhow::Result<u8> {
    output::validate(&args.report)?;
    let mut replay = Replay::of(&Question {
        input: &args.snapshot,
        inventory: args.inventory.as_deref(),
        no_inventory: args.no_inventory,
        previous: args.previous.as_deref(),
        policy: &args.policy,
        audience: args.report.audience,
        from_raw: args.from_raw,
        quiet: args.report.quiet,
    })?;
    let differ = match replay.same_rules() {
        Some((bundle, judged)) => compare(args, bundle, judged, &replay)?,
        None => false,
    };
    // The audit that wrote a snapshot did not name it in its reports, and these are the same bytes.
    if replay.stored.bundle.is_some() {
        replay.name_origin();
    }
    let home = replay.home().map(Path::new);
    output::write(&args.report, &replay.assessment, &replay.files, home, &replay.dossier)?;
    let code = output::exit_code(&args.report, &replay.assessment, &[]);
    // Facts or results that do not follow from their evidence must not look like a success.
    Ok(if (differ || replay.unlike) && code == exit::GOOD { exit::INCOMPLETE } else { code })
}

/// Compares the results with those of the bundle, says so, and says whether any differ.
fn compare(args: &EvaluateArgs, bundle: &Opened, judged: &Judged, replay: &Replay) -> anyhow::Result<bool> {
    let stored = &replay.stored;
    let dossier = keep::dossier(&replay.dossier, &stored.sha256, stored.artefacts.clone());
    let context = keep::context(&replay.files, replay.home(), &dossier);
    let mut differ = Vec::new();
    let mut same = Vec::new();
    for result in &judged.results {
        let Ok(format) = result.format.parse::<Format>() else { continue };
        let mut bytes = Vec::new();
        reports::render(format, &replay.assessment, &context, &mut bytes)?;
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
