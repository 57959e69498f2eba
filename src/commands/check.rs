//! `mailvet check`: judge DNS-as-code files offline.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, anyhow, bail};

use super::input::{self, LoadedInventory};
use super::judge::{self, InOrder, Job};
use super::keep::{self, Keep, Left, Wanted};
use super::store::Store as Snapshot;
use super::{dossier, output, stored};
use crate::cli::CheckArgs;
use crate::collectors::PolicyFile;
use crate::diag::{Diagnostic, Files, Span};
use crate::engine::{self, Assembler};
use crate::facts::domain::Time;
use crate::facts::stored::{FORMAT, Header, StoredCoverage, Vantage};
use crate::findings::Assessment;
use crate::findings::history::Past;
use crate::inventory::Inventory;
use crate::mail::Name;
use crate::policy::Policy;
use crate::reports::dossier::picture::Gallery;
use crate::sources::{self, Store, Tree};

/// Reads, judges, compares and reports.
pub(super) fn run(args: &CheckArgs) -> anyhow::Result<u8> {
    keeping(args, &Wanted::default())
}

/// The same, with an evidence bundle and the history of findings when they are asked for.
pub(super) fn keeping(args: &CheckArgs, wanted: &Wanted<'_>) -> anyhow::Result<u8> {
    output::validate(&args.report)?;
    let key = Keep::key(&wanted.out)?;
    let started = Time(jiff::Timestamp::now().as_second());
    let mut files = Files::default();
    let inventory = input::inventory(&mut files, args.inventory.as_deref(), args.no_inventory)?;
    let before = files.len();
    let policy_sources = input::sources(&args.policy, inventory.as_ref())?;
    let policy = input::build(&mut files, &policy_sources)?;
    let of_policy = before..files.len();
    let policies = match &inventory {
        Some(loaded) => input::policy_files(&mut files, loaded)?,
        None => Vec::new(),
    };
    let paths = paths(args, inventory.as_ref())?;
    let scope = Scope {
        paths: &paths,
        // Folders that the inventory names are walked inside the repository only.
        within: inventory.as_ref().filter(|_| args.paths.is_empty()).map(|loaded| loaded.jail.folder()),
        origin: args.origin.as_deref().map(|text| parse_name("--origin", text)).transpose()?,
        only: args.domain.iter().map(|text| parse_name("--domain", text)).collect::<anyhow::Result<_>>()?,
        inventory: inventory.as_ref(),
        policies: &policies,
        as_of: args.policy.as_of.unwrap_or_else(today),
        policy: &policy,
        quiet: args.report.quiet,
    };
    let date = stored::day(started)?;
    let past = wanted.previous.map(|path| stored::previous(path, &policy, date)).transpose()?;
    let keep = Keep::begin(&wanted.out, key, wanted.resume)?;
    let home = keep::home(inventory.as_ref().map(|loaded| loaded.path.as_path()));
    let mut dossier = dossier::dossier(args.report.audience, inventory.as_ref())?;
    let mut snapshot = None;
    if let Some(keep) = &keep {
        let header = header(started, home.clone());
        snapshot = Some(open(keep, header.clone(), of_policy.clone())?);
        dossier.run = Some(header);
    }
    let gallery = (keep.is_some() || output::has_page(&args.report)).then(Mutex::<Gallery>::default);
    let mut assessment = scope.assess(&Tree::Disk, &mut files, snapshot.as_mut(), gallery.as_ref())?;
    if let Some(gallery) = gallery {
        dossier.pictures = gallery.into_inner().unwrap_or_else(PoisonError::into_inner).finish();
    }
    for wanted in &scope.only {
        if !assessment.targets.iter().any(|target| target.name == wanted.as_str()) {
            bail!("--domain {wanted}: no such mail domain in the files or the inventory");
        }
    }
    let before = past.as_ref().map(Past::stored);
    assessment.history = past.map(|past| Box::new(engine::history::history(past, &assessment, date)));
    if let Some((keep, snapshot)) = keep.zip(snapshot) {
        snapshot.finish(&files, Vec::new(), StoredCoverage::of_files(&assessment.coverage), before)?;
        let inputs = Vec::new();
        let judged = Some((&policy_sources, &assessment));
        let vantage = Vantage::default();
        let left = Left { files: &files, of_policy, inputs, vantage, home, judged, dossier: &dossier };
        let kept = keep.finish(&left, args.report.quiet)?;
        (dossier.origin, dossier.artefacts) = (Some(kept.origin), kept.artefacts);
    }
    let mut known = Vec::new();
    if let Some(revision) = &args.base {
        (assessment, known) = against_base(&scope, assessment, revision)?;
    }
    let home = inventory.as_ref().map(|loaded| loaded.path.as_path());
    output::write(&args.report, &assessment, &files, home, &dossier)?;
    let code = output::exit_code(&args.report, &assessment, &known);
    // The process ends here. Giving back the findings of a large repository one by one would only delay it.
    std::mem::forget(assessment);
    Ok(code)
}

/// What a snapshot says of a run over files.
fn header(started: Time, inventory: Option<String>) -> Header {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Header { format: FORMAT, version, started, inventory, vantage: Vantage::default() }
}

/// The snapshot of a bundle, of facts that files tell.
fn open(keep: &Keep, header: Header, of_policy: Range<usize>) -> anyhow::Result<Snapshot> {
    let path = keep.snapshot();
    let opened = Snapshot::open_to_stay(path.clone(), header, 0, of_policy);
    opened.with_context(|| format!("cannot write the snapshot {}", path.display()))
}

/// What one run judges; the same for the working tree and for the base.
struct Scope<'a> {
    paths: &'a [PathBuf],
    /// Canonical folder that no link may lead out of.
    within: Option<&'a Path>,
    origin: Option<Name>,
    only: BTreeSet<Name>,
    inventory: Option<&'a LoadedInventory>,
    policies: &'a [PolicyFile],
    as_of: jiff::civil::Date,
    policy: &'a Policy,
    quiet: bool,
}

impl Scope<'_> {
    /// Reads the tree and judges every domain in it.
    fn assess(
        &self,
        tree: &Tree,
        files: &mut Files,
        mut kept: Option<&mut Snapshot>,
        gallery: Option<&Mutex<Gallery>>,
    ) -> anyhow::Result<Assessment> {
        let mut store = Store::new();
        let options = sources::Options { origin: self.origin.clone(), within: self.within.map(Path::to_owned) };
        let found = sources::discover(tree, self.paths, &options, files, &mut store)?;
        store.finish(files);
        let mut domains = mail_domains(&store, files, self.inventory.map(|loaded| &loaded.inventory));
        if !self.only.is_empty() {
            domains.retain(|(name, _)| self.only.contains(name));
        }
        let in_order = kept.as_deref_mut().map(InOrder::new);
        let job = Job {
            store: &store,
            files,
            inventory: self.inventory.map(|loaded| &loaded.inventory),
            policies: self.policies,
            policy: self.policy,
            as_of: self.as_of,
            kept: in_order.as_ref(),
            gallery,
        };
        let mut judged = judge::domains(&job, &domains);
        in_order.map(InOrder::finish).transpose().context("cannot write the snapshot")?;
        // Who asks for some domains does not ask about the organisation.
        let named = self.inventory.filter(|_| self.only.is_empty());
        if let Some(organisation) = named.and_then(|loaded| loaded.inventory.organisation.as_ref()) {
            let target = judge::organisation(organisation, self.policy, self.as_of, kept);
            judged.push(target.context("cannot write the snapshot")?);
        }
        let mut coverage = store.coverage();
        coverage.ignored.extend(found.ignored);
        coverage.ignored.sort();
        let mut assembler = Assembler::new(self.policy.clone(), self.as_of);
        assembler.extend(judged);
        Ok(assembler.finish(coverage))
    }
}

/// The domains to judge: those of the files and those of the inventory.
pub(super) fn mail_domains(store: &Store, files: &Files, inventory: Option<&Inventory>) -> Vec<(Name, Option<Span>)> {
    let mut domains: Vec<(Name, Option<Span>)> =
        store.mail_domains(files).into_iter().map(|(name, span)| (name, Some(span))).collect();
    if let Some(inventory) = inventory {
        let known: BTreeSet<Name> = domains.iter().map(|(name, _)| name.clone()).collect();
        let declared = inventory.domains.iter().filter(|domain| !known.contains(&domain.name));
        domains.extend(declared.map(|domain| (domain.name.clone(), domain.span)));
        domains.sort();
    }
    domains
}

/// Judges the base revision in the same way and keeps what is new or worse; with it, the messages about the base.
fn against_base(scope: &Scope<'_>, head: Assessment, revision: &str) -> anyhow::Result<(Assessment, Vec<Diagnostic>)> {
    if scope.paths.iter().any(|path| path == Path::new("-")) {
        bail!("--base needs paths inside a git repository, not standard input");
    }
    let near = scope.paths.first().map_or(Path::new("."), PathBuf::as_path);
    let tree = Tree::git(near, revision).with_context(|| format!("cannot read the base `{revision}`"))?;
    let mut files = Files::default();
    // A path that did not exist in the base is new as a whole.
    let existing: Vec<PathBuf> = scope.paths.iter().filter(|path| tree.kind(path).is_ok()).cloned().collect();
    let base = Scope {
        paths: &existing,
        within: scope.within,
        origin: scope.origin.clone(),
        only: scope.only.clone(),
        inventory: scope.inventory,
        policies: scope.policies,
        as_of: scope.as_of,
        policy: scope.policy,
        quiet: scope.quiet,
    };
    let base =
        base.assess(&tree, &mut files, None, None).with_context(|| format!("cannot judge the base `{revision}`"))?;
    let head = engine::compare(head, &base, revision);
    Ok((head, base.coverage.diagnostics))
}

/// The paths that were given, or those of the inventory.
fn paths(args: &CheckArgs, inventory: Option<&LoadedInventory>) -> anyhow::Result<Vec<PathBuf>> {
    if !args.paths.is_empty() {
        return Ok(args.paths.clone());
    }
    let declared: Vec<PathBuf> = inventory
        .and_then(|loaded| Some((loaded, loaded.inventory.dns.as_ref()?)))
        .map(|(loaded, dns)| dns.files.iter().map(|path| loaded.resolve(path)).collect())
        .unwrap_or_default();
    if declared.is_empty() {
        bail!("say what to judge: `mailvet check dns/`, or an inventory with `dns: {{ files: [dns/] }}`");
    }
    Ok(declared)
}

/// A domain name of the command line.
pub(super) fn parse_name(option: &str, text: &str) -> anyhow::Result<Name> {
    Name::parse(text).map_err(|error| anyhow!("{option} {text}: {error}"))
}

/// Today in UTC: the only place where a run asks the clock.
pub(super) fn today() -> jiff::civil::Date {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
}
