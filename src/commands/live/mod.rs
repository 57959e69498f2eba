//! `mailvet audit` and `mailvet collect`: look at domains, mail hosts and services over the network.
//!
//! All arguments are checked before a packet is sent ([`plan`]). Then domains are looked at, from them follow hosts and
//! services ([`targets`]), and each target is judged, written to the snapshot and forgotten at once ([`run`]): a run over
//! many domains holds verdicts, not facts. An interrupted run reports what it has and lists what it has not.

mod interrupt;
mod plan;
mod progress;
mod run;
mod store;
mod targets;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::input::{self, LoadedInventory};
use super::{check, exit, output, stored};
use crate::cli::{AuditArgs, CheckArgs, CollectArgs};
use crate::diag::{FileId, Files};
use crate::engine::{self, Assembler};
use crate::facts::stored::Header;
use crate::findings::history::Past;

use run::{Collected, Judge};
use store::Store;

/// Looks, judges and reports.
pub(super) fn audit(args: &AuditArgs) -> anyhow::Result<u8> {
    output::validate(&args.report)?;
    let mut files = Files::default();
    let inventory = input::inventory(&mut files, args.scope.inventory.as_deref(), args.scope.no_inventory)?;
    if let Some(offline) = offline(args, inventory.as_ref())? {
        return check::run(&offline);
    }
    let before = files.len();
    let policy = input::policy(&mut files, &args.policy, inventory.as_ref())?;
    let of_policy = before..files.len();
    let plan = plan::plan(&args.scope, &args.network, inventory.as_ref())?;
    let as_of = args.policy.as_of.unwrap_or_else(check::today);
    let home = inventory.as_ref().map(|loaded| loaded.path.clone());
    let header = plan.header(home.as_deref().map(|path| path.to_string_lossy().replace('\\', "/")));
    let date = stored::day(header.started)?;
    let past = args.previous.as_deref().map(|path| stored::previous(path, &policy, date)).transpose()?;
    let store = open(args.snapshot.as_deref(), header)?;
    let runtime = runtime(plan.probes)?;
    let judge = Judge { policy: policy.clone(), as_of };
    let job = run::Job { plan, inventory: inventory.map(|loaded| loaded.inventory), judge: Some(judge) };
    let mut collected = run(&runtime, job, files, store, args.report.quiet)?;
    finish(&mut collected, past.as_ref(), |file| !of_policy.contains(&(file.0 as usize)))?;
    let mut assembler = Assembler::new(policy, as_of);
    assembler.extend(collected.targets);
    let mut assessment = assembler.finish(collected.coverage.coverage());
    assessment.history = past.map(|past| Box::new(engine::history::history(past, &assessment, date)));
    output::write(&args.report, &assessment, &collected.files, home.as_deref())?;
    let code = output::exit_code(&args.report, &assessment, &[]);
    runtime.shutdown_background();
    // The process ends here. Giving back the findings of many domains one by one would only delay it.
    std::mem::forget(assessment);
    Ok(code)
}

/// Looks, and writes the snapshot.
pub(super) fn collect(args: &CollectArgs) -> anyhow::Result<u8> {
    let mut files = Files::default();
    let inventory = input::inventory(&mut files, args.scope.inventory.as_deref(), args.scope.no_inventory)?;
    let plan = plan::plan(&args.scope, &args.network, inventory.as_ref())?;
    let home = inventory.as_ref().map(|loaded| loaded.path.clone());
    let header = plan.header(home.as_deref().map(|path| path.to_string_lossy().replace('\\', "/")));
    let store = open(Some(&args.snapshot), header)?;
    let runtime = runtime(plan.probes)?;
    let job = run::Job { plan, inventory: inventory.map(|loaded| loaded.inventory), judge: None };
    let mut collected = run(&runtime, job, files, store, args.quiet)?;
    finish(&mut collected, None, |_| true)?;
    runtime.shutdown_background();
    let complete = collected.coverage.messages.is_empty();
    for message in &collected.coverage.messages {
        let text = crate::diag::visible(&message.message);
        let _ = writeln!(anstream::stderr(), "{}[{}]: {text}", message.level, message.code);
    }
    Ok(if complete { exit::GOOD } else { exit::INCOMPLETE })
}

/// The arguments of `check`, where the inventory says that DNS comes from files and nothing asks for the network.
fn offline(args: &AuditArgs, inventory: Option<&LoadedInventory>) -> anyhow::Result<Option<CheckArgs>> {
    let asks_network = !args.scope.domains.is_empty()
        || args.scope.domains_file.is_some()
        || !args.network.resolver.is_empty()
        || args.network.compare_resolver.is_some();
    let from_files =
        inventory.and_then(|loaded| loaded.inventory.dns.as_ref()).is_some_and(|dns| !dns.files.is_empty());
    if asks_network || !from_files {
        return Ok(None);
    }
    for (option, given) in [("--snapshot", args.snapshot.is_some()), ("--previous", args.previous.is_some())] {
        if given {
            bail!(
                "{option}: the inventory says that DNS comes from files, so nothing is collected; name a domain or --resolver"
            );
        }
    }
    if !args.report.quiet {
        let _ = writeln!(
            anstream::stderr(),
            "note: DNS comes from the files of the inventory, and nothing is sent; name a domain or --resolver to look live"
        );
    }
    Ok(Some(CheckArgs {
        paths: Vec::new(),
        inventory: args.scope.inventory.clone(),
        no_inventory: false,
        origin: None,
        domain: Vec::new(),
        base: None,
        policy: args.policy.clone(),
        report: args.report.clone(),
    }))
}

/// Opens the snapshot before the run, so that a path that cannot be written is told before a packet is sent.
fn open(path: Option<&Path>, header: Header) -> anyhow::Result<Option<Store>> {
    let Some(path) = path else { return Ok(None) };
    let store = Store::open(PathBuf::from(path), header);
    store.map(Some).with_context(|| format!("cannot write the snapshot {}", path.display()))
}

/// Completes the snapshot with the files that are part of it, and what the run before had found.
fn finish(collected: &mut Collected, past: Option<&Past>, is_part: impl Fn(FileId) -> bool) -> anyhow::Result<()> {
    let Some(store) = collected.store.take() else { return Ok(()) };
    let path = store.path().to_owned();
    let artefacts = std::mem::take(&mut collected.artefacts);
    store
        .finish(&collected.files, artefacts, collected.coverage.clone(), past.map(Past::stored), is_part)
        .with_context(|| format!("cannot write the snapshot {}", path.display()))
}

/// DNS alone is asked by one thread: there is little to compute for each answer, and handing it to another thread would
/// cost more. With probes there are the handshakes of TLS, which take many threads.
fn runtime(probes: bool) -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if !probes {
        builder.worker_threads(1);
    }
    builder.enable_all().build().context("cannot start the network runtime")
}

/// Runs a job among the threads of the runtime, so that what tasks find out wakes no other thread.
fn run(
    runtime: &tokio::runtime::Runtime,
    job: run::Job,
    files: Files,
    store: Option<Store>,
    quiet: bool,
) -> anyhow::Result<Collected> {
    let collected = runtime.spawn(run::collect(job, files, store, quiet));
    runtime.block_on(collected).context("the run ended by a defect")?
}
