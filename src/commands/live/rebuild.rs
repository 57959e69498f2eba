//! The facts of a live run, rebuilt from what it received: `mailvet evaluate BUNDLE --from-raw`.
//!
//! DNS messages are read again as they were when they came, into a source that asks nobody, and the collectors run over
//! it. MTA-STS policies and certificates are read again, too, and hosts and services follow from the rebuilt facts as
//! they did. What sessions showed (greetings, replies, TLS versions and suites) stands in transcripts that are kept but
//! not read again: these facts are taken from the snapshot, and their number is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Parser as _;

use super::plan::{self, Plan};
use super::run::{addresses, of_service};
use super::targets::{self, Exchanger};
use crate::bundle::Opened;
use crate::cli::{Cli, Command, NetworkArgs, ScopeArgs};
use crate::collectors::{self, Cache, Context, HostInput};
use crate::commands::input::LoadedInventory;
use crate::commands::rebuild::{Difference, Raw, Rebuilt, compare, inventory, taken};
use crate::diag::{FileId, Files};
use crate::facts::stored::{Header, StoredCoverage, StoredTarget};
use crate::facts::{ArtefactKind, Cause, Method, Recorder, ServiceFacts, TargetFacts};
use crate::inventory::Inventory;
use crate::mail::Name;
use crate::probes::https::PolicyFetch;
use crate::probes::tls::{Certificates, TrustStore};
use crate::probes::{Endpoint, Failure, ServiceProbe};
use crate::sources::live::{self, KeptMessage};
use crate::sources::{Live, RecordSource};

/// Rebuilds the facts of a live run. `files` are those of the snapshot; texts that come to light are added.
pub(in crate::commands) fn rebuild(
    bundle: &Opened,
    (header, coverage): (&Header, &StoredCoverage),
    stored: Vec<StoredTarget>,
    files: &mut Files,
) -> anyhow::Result<Rebuilt> {
    let loaded = inventory(header, files)?;
    let plan = planned(bundle, loaded.as_ref())?;
    let raw = Raw::read(bundle, files)?;
    let mut rebuilt = Rebuilt::default();
    let recorder = Arc::new(Recorder::new(std::mem::take(files), true));
    let live = Live::replay(plan.dns.clone(), Arc::clone(&recorder))?;
    let inventory = loaded.map(|loaded| loaded.inventory);
    let mut run = Run { plan, inventory, live, raw, again: BTreeMap::new(), rebuilt: &mut rebuilt };
    run.remember();
    let runtime = tokio::runtime::Builder::new_current_thread().build().context("cannot start the runtime")?;
    let (targets, missing) = runtime.block_on(run.targets(&stored));
    drop(run);
    (*files, _) = recorder.close();
    let known = |name: &String| {
        let live = coverage.live.as_ref();
        live.is_some_and(|live| {
            live.interrupted.contains(name) || live.not_reached.iter().any(|one| one.target == *name)
        })
    };
    for target in missing.into_iter().filter(|name| !known(name)) {
        rebuilt.differences.push(Difference::of_target(&target, "not in the snapshot", "follows from the evidence"));
    }
    for (old, new) in stored.iter().zip(&targets) {
        compare(old, new, files, files, &mut rebuilt.differences);
    }
    rebuilt.targets = targets;
    Ok(rebuilt)
}

/// What the run was asked to do, with the files that it read taken from the bundle.
fn planned(bundle: &Opened, loaded: Option<&LoadedInventory>) -> anyhow::Result<Plan> {
    let (mut scope, mut network) = arguments(bundle)?;
    let read = |path: &Path| crate::commands::rebuild::input(bundle, &path.to_string_lossy());
    if let Some(path) = scope.domains_file.take() {
        let text = String::from_utf8(read(&path)?).with_context(|| path.display().to_string())?;
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        scope.domains.extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
    }
    let anchors = network.trust_anchor.take().map(|path| read(&path)).transpose()?;
    let authorities = network.ca_file.take().map(|path| read(&path)).transpose()?;
    let mut plan = plan::plan(&scope, &network, loaded)?;
    if let Some(anchors) = anchors {
        plan.dns.trust_anchors = Some(String::from_utf8(anchors).context("the trust anchors are not UTF-8")?);
    }
    if let Some(authorities) = authorities {
        plan.settings.trust = Arc::new(TrustStore::from_pem(&authorities)?);
    }
    Ok(plan)
}

/// The arguments of the run.
fn arguments(bundle: &Opened) -> anyhow::Result<(ScopeArgs, NetworkArgs)> {
    let program = std::iter::once("mailvet".to_owned());
    let cli = Cli::try_parse_from(program.chain(bundle.record.arguments.iter().cloned()))
        .context("the arguments of the run cannot be used")?;
    match cli.command {
        Command::Audit(args) => Ok((args.scope, args.network)),
        Command::Collect(args) => Ok((args.scope, args.network)),
        _ => bail!("its run was neither `audit` nor `collect`"),
    }
}

struct Run<'a> {
    plan: Plan,
    inventory: Option<Inventory>,
    live: Live,
    raw: Raw,
    /// Messages that answer a question that another one answers, too, by their names.
    again: BTreeMap<String, Vec<usize>>,
    rebuilt: &'a mut Rebuilt,
}

impl Run<'_> {
    /// Takes in all DNS messages, those that were asked for without checking first.
    fn remember(&mut self) {
        let mut order: Vec<usize> = (0..self.raw.pieces.len()).collect();
        order.retain(|at| self.raw.pieces.get(*at).is_some_and(|piece| piece.kind == ArtefactKind::DnsMessage));
        order.sort_by_key(|at| self.raw.pieces.get(*at).is_some_and(|piece| !piece.message.path.ends_with("+cd")));
        for at in order {
            let Some(piece) = self.raw.pieces.get(at) else { continue };
            self.again.entry(piece.message.path.clone()).or_default().push(at);
            self.rebuilt.messages += 1;
            self.rebuilt.unanswered += usize::from(piece.message.title.ends_with(", not answered"));
            if let Err(note) = self.live.remember(&piece.message) {
                self.rebuilt.differences.push(Difference::of_evidence(&piece.message.path, &note));
            }
        }
        self.again.retain(|_, places| places.len() > 1);
    }

    /// A run that was gone on with, or was long, may have asked a question twice: the answer that a target points into is
    /// the one that it saw.
    fn choose(&self, seen: &BTreeSet<FileId>) {
        for places in self.again.values() {
            let pieces = places.iter().filter_map(|at| self.raw.pieces.get(*at));
            if let Some(piece) = pieces.into_iter().find(|piece| seen.contains(&piece.message.file)) {
                // What is wrong with it has been said.
                let _ = self.live.remember(&piece.message);
            }
        }
    }

    async fn settle<T>(&self, fetches: &[PolicyFetch], collect: impl Fn(&Context<'_>) -> T) -> T {
        let run = |view: &live::View<'_>| collect(&self.context(view, fetches));
        live::settle(&self.live, run).await.value
    }

    fn context<'b>(&'b self, source: &'b dyn RecordSource, fetches: &'b [PolicyFetch]) -> Context<'b> {
        let (inventory, cache) = (self.inventory.as_ref(), Cache::default());
        Context { source, method: Method::Dns, inventory, policies: &[], fetches, cache }
    }

    /// All targets in the order of the snapshot, and the names of those that it lacks.
    async fn targets(&mut self, stored: &[StoredTarget]) -> (Vec<StoredTarget>, Vec<String>) {
        let mut rebuilt: BTreeMap<usize, StoredTarget> = BTreeMap::new();
        let mut exchangers = Vec::new();
        for (at, target) in stored.iter().enumerate() {
            let (TargetFacts::Domain(_), Ok(name)) = (&target.facts, Name::parse(&target.name)) else { continue };
            let seen = seen(target);
            self.choose(&seen);
            let facts = self.domain(&name, &seen).await;
            exchangers.extend(targets::exchangers(&name, &facts));
            let anchor = self.plan.domains.iter().find(|(known, _)| *known == name).and_then(|(_, anchor)| *anchor);
            let facts = TargetFacts::Domain(facts);
            rebuilt.insert(at, StoredTarget { name: target.name.clone(), anchor, facts });
        }
        let (declared, unknown) = targets::declared(&self.plan, self.inventory.as_ref());
        exchangers.extend(declared);
        for host in unknown {
            let addresses = self.settle(&[], |context| addresses(context.source, &host)).await;
            exchangers.push(Exchanger { domain: None, host, addresses });
        }
        let (work, _) = targets::work(&self.plan, self.inventory.as_ref(), &exchangers);
        let mut hosts: BTreeMap<String, HostInput> = BTreeMap::new();
        let mut services: BTreeMap<String, Endpoint> = BTreeMap::new();
        for item in work {
            hosts.extend(item.hosts.into_iter().map(|host| (host.name(), host)));
            services.extend(item.services.into_iter().map(|service| (service.endpoint.name(), service.endpoint)));
        }
        let mut all = Vec::new();
        for (at, target) in stored.iter().enumerate() {
            let again = match rebuilt.remove(&at) {
                Some(again) => Some(again),
                None => self.other(target, &mut hosts, &mut services).await,
            };
            all.push(again.unwrap_or_else(|| {
                let (is, wanted) = ("in the snapshot", "does not follow from the evidence");
                self.rebuilt.differences.push(Difference::of_target(&target.name, is, wanted));
                target.clone()
            }));
        }
        let known: BTreeSet<&str> = stored.iter().map(|target| target.name.as_str()).collect();
        let names = self.plan.domains.iter().map(|(name, _)| name.as_str().to_owned());
        let all_names = names.chain(hosts.into_keys()).chain(services.into_keys());
        (all, all_names.filter(|name| !known.contains(name.as_str())).collect())
    }

    async fn domain(&mut self, name: &Name, seen: &BTreeSet<FileId>) -> Box<crate::facts::DomainFacts> {
        let facts = self.settle(&[], |context| collectors::domain(context, name)).await;
        if !self.plan.probes || facts.mta_sts.valid.observed.present() != Some(&true) {
            return facts;
        }
        let path = format!("https/mta-sts.{}/.well-known/mta-sts.txt", name.as_str());
        let Some(at) = self.raw.find(&path, seen) else { return facts };
        let Some(piece) = self.raw.pieces.get(at).map(|piece| piece.message.clone()) else { return facts };
        let fetch = PolicyFetch::again(name, piece.file, &piece.raw, |of| {
            let path = format!("certificates/{of}");
            // They were received while the policy was fetched, so they stand after it.
            let found = self.raw.pieces.iter().map(|piece| &piece.message);
            let found = found.filter(|kept| kept.path == path).find(|kept| kept.file > piece.file)?.clone();
            Some(self.certificates(of, &found))
        });
        self.rebuilt.policies += 1;
        self.settle(&[fetch], |context| collectors::domain(context, name)).await
    }

    fn certificates(&mut self, name: &str, kept: &KeptMessage) -> Certificates {
        let trust = Arc::clone(&self.plan.settings.trust);
        let (certificates, text) = Certificates::again(kept.file, name, (&kept.raw, &kept.text), &trust, kept.time);
        self.rebuilt.chains += 1;
        if text != kept.text {
            let note = "its text is not what the certificates say";
            self.rebuilt.differences.push(Difference::of_evidence(&kept.path, note));
        }
        certificates
    }

    /// A host or a service, if one of that name follows from the evidence.
    async fn other(
        &mut self,
        target: &StoredTarget,
        hosts: &mut BTreeMap<String, HostInput>,
        services: &mut BTreeMap<String, Endpoint>,
    ) -> Option<StoredTarget> {
        let seen = seen(target);
        self.choose(&seen);
        let (host, facts) = match &target.facts {
            TargetFacts::Host(_) => {
                let input = hosts.remove(&target.name)?;
                let facts = self.settle(&[], |context| collectors::host(context, &input)).await;
                (input.host, TargetFacts::Host(Box::new(facts)))
            }
            TargetFacts::Service(stored) => {
                let endpoint = services.remove(&target.name)?;
                let host = endpoint.host.clone();
                let facts = self.service(endpoint, stored, &seen).await;
                (Some(host), TargetFacts::Service(Box::new(facts)))
            }
            TargetFacts::Organisation(_) => {
                let named = self.inventory.as_ref()?.organisation.as_ref()?;
                (None, TargetFacts::Organisation(Box::new(collectors::organisation(named))))
            }
            TargetFacts::Domain(_) => return None,
        };
        let anchor = host.and_then(|host| self.inventory.as_ref()?.host(&host)?.span);
        Some(StoredTarget { name: target.name.clone(), anchor, facts })
    }

    /// The certificate, what DNS says of it, and what was asked for are rebuilt; what the sessions showed is taken.
    async fn service(&mut self, endpoint: Endpoint, stored: &ServiceFacts, seen: &BTreeSet<FileId>) -> ServiceFacts {
        let name = endpoint.name();
        let found = self.raw.find(&format!("certificates/{name}"), seen);
        let found = found.and_then(|at| Some(self.raw.pieces.get(at)?.message.clone()));
        let certificates = found.map(|kept| self.certificates(&name, &kept));
        let unread = Failure {
            cause: Cause::NotCollected,
            note: "transcripts are not read again".to_owned(),
            span: crate::diag::Span::new(FileId(0), 0, 0),
        };
        let has_certificates = certificates.is_some();
        let probe = ServiceProbe::of_certificates(endpoint, certificates.ok_or_else(|| unread.clone()), &unread);
        let new = self.settle(&[], |context| of_service(context, &probe)).await;
        let mut facts = stored.clone();
        (facts.host, facts.address, facts.port) = (new.host, new.address, new.port);
        (facts.protocol, facts.claimed, facts.mx_for) = (new.protocol, new.claimed, new.mx_for);
        let mut again = vec!["host", "address", "port", "protocol", "claimed", "mx_for"];
        if has_certificates {
            facts.tls.cert = new.tls.cert;
            again.push("tls.cert");
        }
        if has_certificates || new.dane.owner.observed.present().is_none() {
            facts.dane = new.dane;
            again.push("dane");
        } else {
            // Without certificates, what they match was told by a transcript.
            (facts.dane.applies, facts.dane.owner, facts.dane.security) =
                (new.dane.applies, new.dane.owner, new.dane.security);
            again.extend(["dane.applies", "dane.owner", "dane.security"]);
        }
        self.rebuilt.taken += taken(&facts, &again);
        facts
    }
}

/// The texts that the facts of a target point into.
fn seen(target: &StoredTarget) -> BTreeSet<FileId> {
    let mut found = BTreeSet::new();
    let value = serde_json::to_value(&target.facts).unwrap_or_default();
    crate::commands::rebuild::spans(&value, &mut |file| {
        found.insert(file);
    });
    found
}
