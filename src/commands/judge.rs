//! Collect and evaluate target by target, on all cores, without holding the facts of more than a few at a time.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZero;
use std::sync::{Mutex, PoisonError};

use jiff::civil::Date;

use super::store::Store as Snapshot;
use crate::collectors::{self, Cache, Context, PolicyFile};
use crate::diag::{Files, Span};
use crate::engine;
use crate::facts::stored::{SnapshotLine, StoredTarget, line};
use crate::facts::{Method, Target, TargetFacts};
use crate::findings::{AssessedTarget, Shared};
use crate::inventory::{Inventory, Organisation};
use crate::mail::Name;
use crate::policy::Policy;
use crate::reports::dossier::picture::{Gallery, Part};
use crate::sources::Store;

/// How many domains a thread takes at a time.
const BATCH: usize = 256;

/// What is judged, and by what.
pub(super) struct Job<'a, 'b> {
    pub(super) store: &'a Store,
    pub(super) files: &'a Files,
    pub(super) inventory: Option<&'a Inventory>,
    pub(super) policies: &'a [PolicyFile],
    pub(super) policy: &'a Policy,
    pub(super) as_of: Date,
    /// Where the facts are kept, when they are.
    pub(super) kept: Option<&'a InOrder<'b>>,
    /// Where pictures are collected, when a report shows them.
    pub(super) gallery: Option<&'a Mutex<Gallery>>,
}

/// Writes the facts of batches to a snapshot in their order, whichever is judged first.
pub(super) struct InOrder<'a>(Mutex<Ordered<'a>>);

struct Ordered<'a> {
    snapshot: &'a mut Snapshot,
    next: usize,
    waiting: BTreeMap<usize, Vec<io::Result<Vec<u8>>>>,
    result: io::Result<()>,
}

impl<'a> InOrder<'a> {
    pub(super) fn new(snapshot: &'a mut Snapshot) -> InOrder<'a> {
        InOrder(Mutex::new(Ordered { snapshot, next: 0, waiting: BTreeMap::new(), result: Ok(()) }))
    }

    fn take(&self, batch: usize, lines: Vec<io::Result<Vec<u8>>>) {
        let ordered = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ordered.waiting.insert(batch, lines);
        while let Some(lines) = ordered.waiting.remove(&ordered.next) {
            ordered.next += 1;
            if ordered.result.is_ok() {
                ordered.result = lines.into_iter().try_for_each(|line| ordered.snapshot.target(&line?));
            }
        }
    }

    /// Whether all was written.
    pub(super) fn finish(self) -> io::Result<()> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).result
    }
}

/// Judges every domain; the result is in the order of `domains`, whatever the number of threads.
pub(super) fn domains(job: &Job<'_, '_>, domains: &[(Name, Option<Span>)]) -> Vec<AssessedTarget> {
    let threads =
        std::thread::available_parallelism().map_or(1, NonZero::get).min(domains.len().div_ceil(BATCH)).max(1);
    // Every domain has its place from the start, so that no result is ever moved: there may be very many.
    let mut places: Vec<Option<AssessedTarget>> = domains.iter().map(|_| None).collect();
    let batches = Mutex::new(domains.chunks(BATCH).zip(places.chunks_mut(BATCH)).enumerate());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let source = job.store.view(job.files);
                let context = Context {
                    source: &source,
                    method: Method::DnsFile,
                    inventory: job.inventory,
                    policies: job.policies,
                    fetches: &[],
                    cache: Cache::default(),
                };
                let mut shared = Shared::default();
                let next = || batches.lock().unwrap_or_else(PoisonError::into_inner).next();
                while let Some((number, (batch, places))) = next() {
                    let mut lines = Vec::new();
                    for ((name, anchor), place) in batch.iter().zip(places) {
                        *place = Some(shared.share(one(job, &context, name, *anchor, &mut lines)));
                    }
                    if let Some(kept) = job.kept {
                        kept.take(number, lines);
                    }
                }
            });
        }
    });
    #[expect(clippy::filter_map_identity, reason = "unlike `flatten`, this collects in place, without a second list")]
    places.into_iter().filter_map(|place| place).collect()
}

/// Judges the organisation that the inventory names, after all its domains.
pub(super) fn organisation(
    named: &Organisation,
    policy: &Policy,
    as_of: Date,
    kept: Option<&mut Snapshot>,
) -> io::Result<AssessedTarget> {
    let facts = collectors::organisation(named);
    let judged = engine::assess_target(policy, Target::Organisation, &named.name, None, &facts, as_of);
    if let Some(kept) = kept {
        let facts = TargetFacts::Organisation(Box::new(facts));
        kept.target(&line(&SnapshotLine::Target(StoredTarget { name: named.name.clone(), anchor: None, facts }))?)?;
    }
    Ok(judged)
}

fn one(
    job: &Job<'_, '_>,
    context: &Context<'_>,
    name: &Name,
    anchor: Option<Span>,
    lines: &mut Vec<io::Result<Vec<u8>>>,
) -> AssessedTarget {
    let facts = collectors::domain(context, name);
    let judged = engine::assess_target(job.policy, Target::Domain, name.as_str(), anchor, &*facts, job.as_of);
    if job.kept.is_none() && job.gallery.is_none() {
        return judged;
    }
    let facts = TargetFacts::Domain(facts);
    if let Some((gallery, part)) = job.gallery.zip(Part::of(name.as_str(), &facts)) {
        gallery.lock().unwrap_or_else(PoisonError::into_inner).add(part, &judged);
    }
    if job.kept.is_some() {
        let name = name.as_str().to_owned();
        lines.push(line(&SnapshotLine::Target(StoredTarget { name, anchor, facts })));
    }
    judged
}
