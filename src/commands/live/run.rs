//! The run: domains, then hosts and services, each target collected, judged, stored and dropped.
//!
//! Targets are looked at by tasks, a bounded number at a time; what they find out comes back through one channel, so that
//! only one place writes. An interruption drops the tasks: what they had finished is kept, and what was planned and not
//! finished is listed. The order in which targets finish shows nowhere, because the assessment sorts them.

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::interrupt::Interrupt;
use super::plan::{Domain, Plan};
use super::progress::Progress;
use super::targets::{self, Exchanger, Service, Work};
use crate::collectors::{self, Cache, Context, Families, ServiceInput};
use crate::commands::store::Store;
use crate::diag::{FileId, Files, Level, Span};
use crate::engine;
use crate::facts::DomainFacts;
use crate::facts::stored::{SnapshotLine, StoredCoverage, StoredMessage, StoredTarget, line};
use crate::facts::{Artefact, Cause, LiveCoverage, LiveMessage, Method, NotReached, Recorder, Target, TargetFacts};
use crate::findings::{AssessedTarget, Shared};
use crate::inventory::Inventory;
use crate::mail::Name;
use crate::policy::Policy;
use crate::probes::https::{PolicyFetch, fetch_policy};
use crate::probes::{self, ServiceProbe};
use crate::reports::dossier::picture::{Gallery, Part};
use crate::sources::live::{Settled, Used};
use crate::sources::{Live, Outcome, RData, RecordSource, RecordType, live};

/// How often is looked whether something is due to be written while nothing happens.
const TICK: Duration = Duration::from_secs(1);

/// What a run is for.
pub(super) struct Job {
    /// What it does.
    pub(super) plan: Plan,
    /// What the organisation says about itself.
    pub(super) inventory: Option<Inventory>,
    /// By what targets are judged; `None` to collect only.
    pub(super) judge: Option<Judge>,
    /// What an earlier run, which was not finished, has looked at.
    pub(super) kept: Kept,
}

/// Targets that need not be looked at again.
#[derive(Default)]
pub(super) struct Kept {
    names: BTreeSet<String>,
    /// Whether the organisation is among them. Its name may be that of a domain.
    organisation: bool,
    targets: Vec<AssessedTarget>,
    gallery: Gallery,
    exchangers: Vec<Exchanger>,
    /// How many there are of each kind, and how many services were not reached.
    counts: LiveCoverage,
}

impl Kept {
    /// Judges a target that is in the snapshot already, and notes what follows from it.
    pub(super) fn take(&mut self, judge: Option<&Judge>, target: StoredTarget) {
        let StoredTarget { name, anchor, facts } = target;
        match &facts {
            TargetFacts::Domain(facts) => {
                self.counts.domains += 1;
                let name = Name::parse(&name).ok();
                self.exchangers.extend(name.map(|name| targets::exchangers(&name, facts)).unwrap_or_default());
            }
            TargetFacts::Host(_) => self.counts.hosts += 1,
            TargetFacts::Service(facts) => {
                self.counts.services += 1;
                self.counts.unreachable += u64::from(facts.reached.observed.present().is_none());
            }
            TargetFacts::Organisation(_) => self.organisation = true,
        }
        if let Some(judge) = judge {
            let judged = judge.assess(&name, anchor, &facts);
            judge.part(&name, &facts).into_iter().for_each(|part| self.gallery.add(part, &judged));
            self.targets.push(judged);
        }
        if facts.kind() != Target::Organisation {
            self.names.insert(name);
        }
    }
}

/// By what targets are judged.
pub(super) struct Judge {
    /// The rules.
    pub(super) policy: Policy,
    /// The date for which dates are judged.
    pub(super) as_of: jiff::civil::Date,
    /// Whether a report shows pictures of domains.
    pub(super) draws: bool,
}

impl Judge {
    fn part(&self, name: &str, facts: &TargetFacts) -> Option<Part> {
        self.draws.then(|| Part::of(name, facts)).flatten()
    }

    fn assess(&self, name: &str, anchor: Option<Span>, facts: &TargetFacts) -> AssessedTarget {
        engine::assess_target(&self.policy, facts.kind(), name, anchor, facts.group(), self.as_of)
    }
}

/// What a run gave.
pub(super) struct Collected {
    /// The targets, judged, in no order.
    pub(super) targets: Vec<AssessedTarget>,
    /// Pictures of domains, where a report shows them.
    pub(super) gallery: Gallery,
    /// What was looked at, and what was not.
    pub(super) coverage: StoredCoverage,
    /// Files and the texts of evidence.
    pub(super) files: Files,
    /// Artefacts that are not in the snapshot yet.
    pub(super) artefacts: Vec<(FileId, Artefact)>,
    /// The snapshot, not finished.
    pub(super) store: Option<Store>,
}

/// Runs a job. `files` are those that were read before; texts of evidence come after them.
pub(super) async fn collect(
    mut job: Job,
    files: Files,
    store: Option<Store>,
    quiet: bool,
) -> anyhow::Result<Collected> {
    let mut interrupt = Interrupt::listen();
    let recorder = Arc::new(Recorder::new(files, store.is_some()));
    let live = Live::new(job.plan.dns.clone(), Arc::clone(&recorder)).await?;
    let kept = std::mem::take(&mut job.kept);
    let run = Arc::new(Run { job, live, recorder, stores: store.is_some() });
    let canary = tokio::select! {
        () = interrupt.wait() => None,
        canary = run.live.canary() => canary,
    };
    let mut hub = Hub::new(Arc::clone(&run), interrupt, store, Progress::new(quiet), kept);
    hub.messages.extend(canary.map(|message| StoredMessage {
        level: Level::Error,
        code: LiveMessage::ResolverRewrites,
        message,
    }));
    hub.organisation()?;
    hub.domains().await?;
    hub.hosts().await?;
    Ok(hub.end())
}

/// What all tasks of a run share.
struct Run {
    job: Job,
    live: Live,
    recorder: Arc<Recorder>,
    /// Whether a snapshot is written.
    stores: bool,
}

/// What a task found out.
enum Seen {
    /// A domain and its mail exchangers.
    Domain(Finished, Vec<Exchanger>),
    /// The addresses of a host that the inventory declares.
    Addresses(Exchanger),
    /// One address of a host.
    Host(Finished),
    /// A service, and whether it could be reached.
    Service(Finished, bool),
    /// A port without a service that anybody declares.
    Nothing(NotReached),
}

/// A target whose facts are no longer needed.
struct Finished {
    name: String,
    judged: Option<AssessedTarget>,
    part: Option<Part>,
    line: Option<io::Result<Vec<u8>>>,
}

type Sender = mpsc::UnboundedSender<Seen>;

impl Run {
    /// Runs a collector until no answer is missing, and gives the facts of that round. The texts that they point at are
    /// kept until the result is dropped: after the target was judged.
    async fn settle<T>(&self, mut collect: impl FnMut(&Context<'_>) -> T, fetches: &[PolicyFetch]) -> Settled<T> {
        live::settle(&self.live, move |view| collect(&self.context(view, fetches))).await
    }

    /// Collects the facts about a domain, each family until all its questions are answered.
    /// The facts are large, and tasks that wait must stay small, so they are apart.
    async fn settle_domain(&self, name: &Name, fetches: &[PolicyFetch]) -> Settled<Box<DomainFacts>> {
        let mut families = Box::<Families>::default();
        let Settled { used, rounds, .. } = self.settle(|context| families.collect(context, name), fetches).await;
        Settled { value: families.facts(), used, rounds }
    }

    /// What a collector needs for one round.
    fn context<'a>(&'a self, source: &'a dyn RecordSource, fetches: &'a [PolicyFetch]) -> Context<'a> {
        Context {
            source,
            method: Method::Dns,
            inventory: self.job.inventory.as_ref(),
            // What the world is served counts, not what a file of the repository says.
            policies: &[],
            fetches,
            cache: Cache::default(),
        }
    }

    /// Judges a target and writes its line; its facts end here, and with them the texts that no finding quotes.
    fn finished(&self, name: &str, anchor: Option<Span>, (facts, used): (TargetFacts, Used)) -> Finished {
        let judged = self.job.judge.as_ref().map(|judge| judge.assess(name, anchor, &facts));
        let part = self.job.judge.as_ref().and_then(|judge| judge.part(name, &facts));
        used.quote(&self.recorder, judged.iter().flat_map(AssessedTarget::spans).map(|span| span.file));
        let stored = || line(&SnapshotLine::Target(StoredTarget { name: name.to_owned(), anchor, facts }));
        Finished { name: name.to_owned(), judged, part, line: self.stores.then(stored) }
    }

    /// Looks at one domain.
    async fn domain(self: Arc<Self>, (name, anchor): Domain, seen: Sender) {
        let mut settled = self.settle_domain(&name, &[]).await;
        if self.job.plan.probes && settled.value.mta_sts.valid.observed.present() == Some(&true) {
            let fetches: Vec<PolicyFetch> = self.policy(&name).await.into_iter().collect();
            if !fetches.is_empty() {
                settled = self.settle_domain(&name, &fetches).await;
            }
        }
        let exchangers = targets::exchangers(&name, &settled.value);
        let facts = TargetFacts::Domain(settled.value);
        let finished = self.finished(name.as_str(), anchor, (facts, settled.used));
        let _ = seen.send(Seen::Domain(finished, exchangers));
    }

    /// Fetches the MTA-STS policy of a domain, where its policy host has an address (RFC 8461 section 3.3).
    async fn policy(&self, domain: &Name) -> Option<PolicyFetch> {
        let host = domain.child("mta-sts").ok()?;
        let addresses = self.settle(|context| addresses(context.source, &host), &[]).await.value.ok()?;
        let plan = &self.job.plan;
        let usable = addresses.into_iter().filter(|address| plan.family.holds(*address));
        let usable: Vec<SocketAddr> = usable.map(|address| SocketAddr::new(address, plan.https_port)).collect();
        if usable.is_empty() {
            return None;
        }
        Some(fetch_policy(domain, &usable, &plan.settings, &self.recorder).await)
    }

    /// Finds the addresses of a host that the inventory declares without them.
    async fn resolve(self: Arc<Self>, host: Name, seen: Sender) {
        let found = self.settle(|context| addresses(context.source, &host), &[]).await.value;
        let _ = seen.send(Seen::Addresses(Exchanger { domain: None, host, addresses: found }));
    }

    /// Looks at one address: its names and reputation, and beside that its services.
    async fn address(self: Arc<Self>, work: Work, seen: Sender) {
        let Work { hosts, services } = work;
        // What probes a service is large, and most runs without probes have none.
        let services: Vec<_> =
            services.into_iter().map(|service| Box::pin(Arc::clone(&self).service(service, seen.clone()))).collect();
        let hosts = async {
            for input in &hosts {
                let settled = self.settle(|context| collectors::host(context, input), &[]).await;
                let anchor = self.anchor(input.host.as_ref());
                let facts = TargetFacts::Host(Box::new(settled.value));
                let finished = self.finished(&input.name(), anchor, (facts, settled.used));
                let _ = seen.send(Seen::Host(finished));
            }
        };
        if services.is_empty() {
            return hosts.await;
        }
        let services =
            futures_util::stream::iter(services).for_each_concurrent(self.job.plan.per_host, |service| service);
        tokio::join!(hosts, services);
    }

    /// Probes one service.
    async fn service(self: Arc<Self>, service: Service, seen: Sender) {
        let endpoint = &service.endpoint;
        let probe = probes::probe(endpoint, &self.job.plan.settings, &self.recorder).await;
        let failure = probe.session.opening().reached.as_ref().err();
        if let Some(failure) = failure.filter(|failure| !service.declared && is_closed(failure.cause)) {
            let reason = format!("nobody declares this service, and {}", failure.note);
            let _ = seen.send(Seen::Nothing(NotReached { target: endpoint.name(), reason }));
            return;
        }
        let reached = failure.is_none();
        let settled = self.settle(|context| of_service(context, &probe), &[]).await;
        let anchor = self.anchor(Some(&endpoint.host));
        let facts = TargetFacts::Service(Box::new(settled.value));
        let finished = self.finished(&endpoint.name(), anchor, (facts, settled.used));
        let _ = seen.send(Seen::Service(finished, reached));
    }

    /// Where the inventory declares a host.
    fn anchor(&self, host: Option<&Name>) -> Option<Span> {
        self.job.inventory.as_ref()?.host(host?)?.span
    }
}

pub(super) fn of_service(context: &Context<'_>, probe: &ServiceProbe) -> crate::facts::ServiceFacts {
    collectors::service(context, &ServiceInput { probe, mx_for: &probe.endpoint.domains })
}

/// Whether nothing answers at a port.
fn is_closed(cause: Cause) -> bool {
    matches!(cause, Cause::TcpRefused | Cause::TcpTimeout | Cause::Unreachable)
}

/// Addresses of a name, or why there are none.
pub(super) fn addresses(source: &dyn RecordSource, name: &Name) -> Result<Vec<IpAddr>, String> {
    let mut found = Vec::new();
    let mut missing = None;
    for rtype in [RecordType::A, RecordType::AAAA] {
        match source.lookup(name, rtype).outcome {
            Outcome::Records(records) => found.extend(records.iter().filter_map(|record| match &record.data {
                RData::A(address, _) => Some(IpAddr::V4(*address)),
                RData::Aaaa(address, _) => Some(IpAddr::V6(*address)),
                _ => None,
            })),
            Outcome::Absent { .. } => {}
            Outcome::Unknown { cause, .. } => missing = Some(format!("its addresses are not known ({cause})")),
        }
    }
    match (found.is_empty(), missing) {
        (false, _) => Ok(found),
        (true, Some(missing)) => Err(missing),
        (true, None) => Err("it has no address".to_owned()),
    }
}

/// Where everything comes together: one task owns the verdicts, the snapshot and the coverage statement.
struct Hub {
    run: Arc<Run>,
    interrupt: Interrupt,
    store: Option<Store>,
    progress: Progress,
    targets: Vec<AssessedTarget>,
    /// What targets have in common.
    shared: Shared,
    gallery: Gallery,
    exchangers: Vec<Exchanger>,
    live: LiveCoverage,
    messages: Vec<StoredMessage>,
    /// Targets that were planned and are not finished.
    pending: BTreeSet<String>,
    /// Whether a task ended by a defect.
    defect: bool,
    /// Names of targets that need not be looked at again.
    kept: BTreeSet<String>,
    /// Whether the organisation is done with.
    organisation: bool,
}

impl Hub {
    fn new(run: Arc<Run>, interrupt: Interrupt, store: Option<Store>, progress: Progress, kept: Kept) -> Hub {
        let dns = &run.job.plan.dns;
        let live = LiveCoverage {
            resolvers: run.live.resolvers().iter().map(ToString::to_string).collect(),
            compared_with: dns.compare.map(|server| server.to_string()),
            left_out: run.job.plan.left_out.clone(),
            ..kept.counts
        };
        Hub {
            run,
            interrupt,
            store,
            progress,
            targets: kept.targets,
            shared: Shared::default(),
            gallery: kept.gallery,
            exchangers: kept.exchangers,
            kept: kept.names,
            organisation: kept.organisation,
            live,
            messages: Vec::new(),
            pending: BTreeSet::new(),
            defect: false,
        }
    }

    /// Notes the organisation, where the run is about the whole inventory: nothing is looked up for it.
    fn organisation(&mut self) -> io::Result<()> {
        let run = Arc::clone(&self.run);
        let inventory = run.job.inventory.as_ref().filter(|_| run.job.plan.whole_inventory && !self.organisation);
        let Some(named) = inventory.and_then(|inventory| inventory.organisation.as_ref()) else { return Ok(()) };
        let facts = TargetFacts::Organisation(Box::new(collectors::organisation(named)));
        self.targets.extend(run.job.judge.as_ref().map(|judge| judge.assess(&named.name, None, &facts)));
        let stored = StoredTarget { name: named.name.clone(), anchor: None, facts };
        match self.store.as_mut() {
            Some(store) => store.target_with_files(line(&SnapshotLine::Target(stored))?, &run.recorder),
            None => Ok(()),
        }
    }

    /// Looks at all domains, and finds the addresses of hosts that the inventory declares.
    async fn domains(&mut self) -> io::Result<()> {
        let mut domains = self.run.job.plan.domains.clone();
        domains.retain(|(name, _)| !self.kept.contains(name.as_str()));
        self.pending.extend(domains.iter().map(|(name, _)| name.as_str().to_owned()));
        self.progress.start("domains", domains.len());
        self.drive(domains, Run::domain).await?;
        let declared = self.declared();
        self.pending.extend(declared.iter().map(|name| name.as_str().to_owned()));
        self.drive(declared, Run::resolve).await
    }

    /// Hosts of the inventory whose addresses must be found out; those with addresses are taken as they are.
    fn declared(&mut self) -> Vec<Name> {
        let (known, unknown) = targets::declared(&self.run.job.plan, self.run.job.inventory.as_ref());
        self.exchangers.extend(known);
        unknown
    }

    /// Looks at all hosts and services.
    async fn hosts(&mut self) -> io::Result<()> {
        let exchangers = std::mem::take(&mut self.exchangers);
        let (mut work, unresolved) = targets::work(&self.run.job.plan, self.run.job.inventory.as_ref(), &exchangers);
        drop(exchangers);
        self.live.not_reached.extend(unresolved);
        for item in &mut work {
            item.hosts.retain(|host| !self.kept.contains(&host.name()));
            item.services.retain(|service| !self.kept.contains(&service.endpoint.name()));
            self.pending.extend(item.hosts.iter().map(|host| host.name()));
            self.pending.extend(item.services.iter().map(|service| service.endpoint.name()));
        }
        self.progress.start("hosts", work.iter().map(|item| item.hosts.len() + item.services.len()).sum());
        self.drive(work, Run::address).await
    }

    /// Runs a task for each item, a bounded number at a time, until all are done or the run is interrupted.
    async fn drive<T, F>(&mut self, items: Vec<T>, task: fn(Arc<Run>, T, Sender) -> F) -> io::Result<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, mut seen) = mpsc::unbounded_channel();
        let mut items = items.into_iter();
        let mut tasks = JoinSet::new();
        let mut tick = tokio::time::interval(TICK);
        loop {
            while tasks.len() < self.run.job.plan.concurrency && !self.interrupt.is_set() {
                let Some(item) = items.next() else { break };
                tasks.spawn(task(Arc::clone(&self.run), item, sender.clone()));
            }
            tokio::select! {
                () = self.interrupt.wait() => break,
                _ = tick.tick() => if let Some(store) = &mut self.store {
                    store.write_due(&self.run.recorder)?;
                },
                Some(found) = seen.recv() => self.take(found)?,
                ended = tasks.join_next() => match ended {
                    Some(ended) => self.defect |= ended.is_err_and(|error| error.is_panic()),
                    None => break,
                },
            }
            // What is there already needs no waiting.
            while let Ok(found) = seen.try_recv() {
                self.take(found)?;
            }
            while let Some(ended) = tasks.try_join_next() {
                self.defect |= ended.is_err_and(|error| error.is_panic());
            }
        }
        tasks.shutdown().await;
        drop(sender);
        while let Some(found) = seen.recv().await {
            self.take(found)?;
        }
        Ok(())
    }

    /// Takes in what a task found out.
    fn take(&mut self, seen: Seen) -> io::Result<()> {
        let live = &mut self.live;
        let finished = match seen {
            Seen::Domain(finished, exchangers) => {
                live.domains += 1;
                self.exchangers.extend(exchangers);
                finished
            }
            Seen::Host(finished) => {
                live.hosts += 1;
                finished
            }
            Seen::Service(finished, reached) => {
                live.services += 1;
                live.unreachable += u64::from(!reached);
                finished
            }
            Seen::Addresses(exchanger) => {
                self.pending.remove(exchanger.host.as_str());
                self.exchangers.push(exchanger);
                return Ok(());
            }
            Seen::Nothing(nothing) => {
                self.pending.remove(&nothing.target);
                live.not_reached.push(nothing);
                self.progress.step();
                return Ok(());
            }
        };
        self.pending.remove(&finished.name);
        if let Some(judged) = finished.judged {
            finished.part.into_iter().for_each(|part| self.gallery.add(part, &judged));
            self.targets.push(self.shared.share(judged));
        }
        self.progress.step();
        match (&mut self.store, finished.line) {
            (Some(store), Some(line)) => store.target_with_files(line?, &self.run.recorder),
            _ => Ok(()),
        }
    }

    /// The end: what was not finished is listed with its reason.
    fn end(mut self) -> Collected {
        self.progress.end();
        let mut message = |code, message: String| {
            self.messages.push(StoredMessage { level: Level::Error, code, message });
        };
        if self.interrupt.is_set() {
            let text = format!("the run was interrupted; {} targets were not finished", self.pending.len());
            message(LiveMessage::Interrupted, text);
        }
        if self.defect {
            message(LiveMessage::Defect, "a defect of mailvet kept targets from being looked at".to_owned());
        }
        self.live.interrupted = std::mem::take(&mut self.pending).into_iter().collect();
        self.live.not_reached.sort();
        let (files, artefacts) = self.run.recorder.close();
        let coverage = StoredCoverage { live: Some(self.live), messages: self.messages, files: None };
        Collected { targets: self.targets, gallery: self.gallery, coverage, files, artefacts, store: self.store }
    }
}
