//! `mailvet audit` and `mailvet collect`: look at domains, mail hosts and services over the network.
//!
//! All arguments are checked before a packet is sent ([`plan`]). Then domains are looked at, from them follow hosts and
//! services ([`targets`]), and each target is judged, written to the snapshot and forgotten at once ([`run`]): a run over
//! many domains holds verdicts, not facts. An interrupted run reports what it has and lists what it has not.

mod interrupt;
mod plan;
mod progress;
mod rebuild;
mod run;
mod targets;

use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Parser as _;
use jiff::civil::Date;

use super::input::{self, LoadedInventory, PolicySources, Source};
use super::keep::{self, Keep, Left};
use super::store::{self, Store};
use super::{check, dossier, exit, output, stored};
use crate::bundle;
use crate::bundle::ssh::SigningKey;
use crate::cli::{AuditArgs, CheckArgs, Cli, CollectArgs, Command, NetworkArgs, OutArgs, ScopeArgs};
use crate::diag::{Files, SourceFile};
use crate::engine::{self, Assembler};
use crate::facts::stored::{Header, Vantage};
use crate::findings::Assessment;
use crate::findings::history::Past;
use crate::reports::{Audience, Dossier};

pub(super) use rebuild::rebuild;
use run::{Collected, Judge, Kept};

/// Looks, judges and reports.
pub(super) fn audit(args: &AuditArgs) -> anyhow::Result<u8> {
    audit_or_resume(args, false)
}

fn audit_or_resume(args: &AuditArgs, resume: bool) -> anyhow::Result<u8> {
    output::validate(&args.report)?;
    let mut setup = Setup::read(&args.scope, &args.out, resume)?;
    if let Some(offline) = offline(args, setup.inventory.as_ref())? {
        let wanted = keep::Wanted { out: args.out.clone(), previous: args.previous.as_deref(), resume };
        return check::keeping(&offline, &wanted);
    }
    let before = setup.files.len();
    let sources = input::sources(&args.policy, setup.inventory.as_ref())?;
    let policy = input::build(&mut setup.files, &sources)?;
    setup.of_policy = before..setup.files.len();
    let as_of = args.policy.as_of.unwrap_or_else(check::today);
    let draws = args.out.out.is_some() || output::has_page(&args.report);
    let judge = Judge { policy: policy.clone(), as_of, draws };
    let mut dossier = dossier::dossier(args.report.audience, setup.inventory.as_ref())?;
    let mut run = setup.run(&args.scope, &args.network, Some(judge))?;
    dossier.run = Some(run.header.clone());
    run.past = args.previous.as_deref().map(|path| stored::previous(path, &policy, run.date()?)).transpose()?;
    run.start(args.snapshot.as_deref(), &args.out, resume)?;
    let mut done = run.collect(args.report.quiet)?;
    let mut assembler = Assembler::new(policy, as_of);
    assembler.extend(std::mem::take(&mut done.collected.targets));
    let mut assessment = assembler.finish(done.collected.coverage.coverage());
    assessment.history = done.past.take().map(|past| Box::new(engine::history::history(past, &assessment, done.date)));
    let home = done.home.clone();
    dossier.pictures = std::mem::take(&mut done.collected.gallery).finish();
    let judged = Some((&sources, &assessment));
    let (files, kept) = done.keep(&args.scope, &args.network, judged, &dossier, args.report.quiet)?;
    if let Some(kept) = kept {
        (dossier.origin, dossier.artefacts) = (Some(kept.origin), kept.artefacts);
    }
    output::write(&args.report, &assessment, &files, home.as_deref().map(Path::new), &dossier)?;
    let code = output::exit_code(&args.report, &assessment, &[]);
    // The process ends here. Giving back the findings and texts of many domains one by one would only delay it.
    std::mem::forget((assessment, files));
    Ok(code)
}

/// Looks, and writes the snapshot or the bundle.
pub(super) fn collect(args: &CollectArgs) -> anyhow::Result<u8> {
    match &args.resume {
        Some(bundle) => resume(bundle, args.quiet),
        None => collect_or_resume(args, false),
    }
}

fn collect_or_resume(args: &CollectArgs, resume: bool) -> anyhow::Result<u8> {
    let setup = Setup::read(&args.scope, &args.out, resume)?;
    // The picture of the organisation is evidence, too, and a judgement of the bundle shows it.
    let dossier = dossier::dossier(Audience::default(), setup.inventory.as_ref())?;
    let mut run = setup.run(&args.scope, &args.network, None)?;
    run.start(args.snapshot.as_deref(), &args.out, resume)?;
    let done = run.collect(args.quiet)?;
    let messages = done.collected.coverage.messages.clone();
    done.keep(&args.scope, &args.network, None, &dossier, args.quiet)?;
    for message in &messages {
        let text = crate::diag::visible(&message.message);
        let _ = writeln!(anstream::stderr(), "{}[{}]: {text}", message.level, message.code);
    }
    Ok(if messages.is_empty() { exit::GOOD } else { exit::INCOMPLETE })
}

/// Goes on with the run that left a bundle incomplete, be it an audit or a collection, with the arguments it had.
fn resume(root: &Path, quiet: bool) -> anyhow::Result<u8> {
    let arguments = bundle::open::incomplete(root)?.arguments;
    let shown = arguments.join(" ");
    let program = std::iter::once("mailvet".to_owned());
    let cli = Cli::try_parse_from(program.chain(arguments))
        .with_context(|| format!("{}: the arguments of the run cannot be used: {shown}", root.display()))?;
    if !quiet {
        let _ = writeln!(anstream::stderr(), "note: goes on with: mailvet {}", crate::diag::visible(&shown));
    }
    // The folder may have been moved since.
    let out = |out: OutArgs| OutArgs { out: Some(root.to_owned()), ..out };
    match cli.command {
        Command::Audit(mut args) => {
            args.out = out(args.out);
            args.report.quiet |= quiet;
            audit_or_resume(&args, true)
        }
        Command::Collect(mut args) => {
            args.out = out(args.out);
            args.quiet |= quiet;
            collect_or_resume(&args, true)
        }
        _ => bail!("{}: its run was neither `audit` nor `collect`", root.display()),
    }
}

/// What a run reads before it is planned.
struct Setup {
    files: Files,
    /// Number of files that an unfinished snapshot gave; they come first, because spans name them by their ids.
    salvaged: usize,
    inventory: Option<LoadedInventory>,
    of_policy: Range<usize>,
    key: Option<SigningKey>,
}

impl Setup {
    fn read(scope: &ScopeArgs, out: &OutArgs, resume: bool) -> anyhow::Result<Setup> {
        let key = Keep::key(out)?;
        let root = out.out.as_deref().filter(|_| resume);
        let mut files = root
            .and_then(|root| store::unfinished(&bundle::open::folder(root).join(bundle::SNAPSHOT)))
            .unwrap_or_default();
        let salvaged = files.len();
        let inventory = input::inventory(&mut files, scope.inventory.as_deref(), scope.no_inventory)?;
        Ok(Setup { files, salvaged, inventory, of_policy: 0..0, key })
    }

    /// What an unfinished run has looked at fits the inventory that it had, and no other.
    fn check_unchanged(&self) -> anyhow::Result<()> {
        let Some(path) = self.inventory.as_ref().map(|loaded| loaded.path.to_string_lossy()) else { return Ok(()) };
        let of_that_path = |file: &&SourceFile| file.evidence.is_none() && file.path == path;
        let files = || self.files.iter().map(|(_, file)| file);
        let now = files().skip(self.salvaged).find(of_that_path);
        if files().take(self.salvaged).filter(of_that_path).any(|old| now.is_none_or(|now| now.bytes != old.bytes)) {
            bail!("{path} is not as it was when the run started, so the run cannot be gone on with");
        }
        Ok(())
    }

    fn run(self, scope: &ScopeArgs, network: &NetworkArgs, judge: Option<Judge>) -> anyhow::Result<Run> {
        self.check_unchanged()?;
        let plan = plan::plan(scope, network, self.inventory.as_ref())?;
        let header = plan.header(keep::home(self.inventory.as_ref().map(|loaded| loaded.path.as_path())));
        Ok(Run { setup: self, plan, header, judge, kept: Kept::default(), keep: None, store: None, past: None })
    }
}

/// A run that is planned.
struct Run {
    setup: Setup,
    plan: plan::Plan,
    header: Header,
    judge: Option<Judge>,
    kept: Kept,
    keep: Option<Keep>,
    store: Option<Store>,
    past: Option<Past>,
}

impl Run {
    /// Opens what is written to before the run, so that a path that cannot be written is told before a packet is sent.
    fn start(&mut self, snapshot: Option<&Path>, out: &OutArgs, resume: bool) -> anyhow::Result<()> {
        self.keep = Keep::begin(out, self.setup.key.take(), resume)?;
        let Some(path) = self.keep.as_ref().map(Keep::snapshot).or(snapshot.map(PathBuf::from)) else { return Ok(()) };
        let header = self.header.clone();
        let (read, of_policy) = (self.setup.files.len(), self.setup.of_policy.clone());
        let (kept, judge) = (&mut self.kept, self.judge.as_ref());
        let store = if resume {
            let before = self.setup.salvaged;
            Store::resume(path.clone(), header, before, read, of_policy, |target| kept.take(judge, target))
        } else if self.keep.is_some() {
            Store::open_to_stay(path.clone(), header, read, of_policy)
        } else {
            Store::open(path.clone(), header, read, of_policy)
        };
        self.store = Some(store.with_context(|| format!("cannot write the snapshot {}", path.display()))?);
        Ok(())
    }

    /// The day on which it started, UTC.
    fn date(&self) -> anyhow::Result<Date> {
        stored::day(self.header.started)
    }

    /// Looks at everything, and completes the snapshot.
    fn collect(self, quiet: bool) -> anyhow::Result<Done> {
        let date = self.date()?;
        // A run that judges keeps the answers with its rules.
        let only_collects = self.keep.is_some() && self.judge.is_none();
        let answers = self.setup.inventory.as_ref().filter(|_| only_collects).map(input::answers).transpose()?;
        let runtime = runtime(self.plan.probes)?;
        let job = run::Job {
            plan: self.plan,
            inventory: self.setup.inventory.map(|loaded| loaded.inventory),
            judge: self.judge,
            kept: self.kept,
        };
        let mut collected = run(&runtime, job, self.setup.files, self.store, quiet)?;
        // Nothing is left to be done there. The memory of threads that end would have to be handed over to others.
        std::mem::forget(runtime);
        if let Some(store) = collected.store.take() {
            let path = store.path().to_owned();
            let artefacts = std::mem::take(&mut collected.artefacts);
            store
                .finish(&collected.files, artefacts, collected.coverage.clone(), self.past.as_ref().map(Past::stored))
                .with_context(|| format!("cannot write the snapshot {}", path.display()))?;
        }
        let (of_policy, answers) = (self.setup.of_policy, answers.unwrap_or_default());
        let Header { inventory: home, vantage, .. } = self.header;
        Ok(Done { collected, home, vantage, of_policy, answers, keep: self.keep, date, past: self.past })
    }
}

/// A run that has looked at everything.
struct Done {
    collected: Collected,
    home: Option<String>,
    vantage: Vantage,
    of_policy: Range<usize>,
    answers: Vec<Source>,
    keep: Option<Keep>,
    date: Date,
    past: Option<Past>,
}

impl Done {
    /// Completes the bundle, if there is one, and gives the files of the run.
    fn keep(
        self,
        scope: &ScopeArgs,
        network: &NetworkArgs,
        judged: Option<(&PolicySources, &Assessment)>,
        dossier: &Dossier,
        quiet: bool,
    ) -> anyhow::Result<(Files, Option<keep::Kept>)> {
        let files = self.collected.files;
        let Some(keep) = self.keep else { return Ok((files, None)) };
        let mut inputs = self.answers;
        for path in [&scope.domains_file, &network.ca_file, &network.trust_anchor].into_iter().flatten() {
            inputs.push((path.to_string_lossy().into_owned(), input::read(path)?));
        }
        let (vantage, home) = (self.vantage, self.home);
        let left = Left { files: &files, of_policy: self.of_policy, inputs, vantage, home, judged, dossier };
        let kept = keep.finish(&left, quiet)?;
        Ok((files, Some(kept)))
    }
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
    if args.snapshot.is_some() {
        bail!(
            "--snapshot: the inventory says that DNS comes from files, so nothing is collected; use --out, name a domain or \
             --resolver"
        );
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
