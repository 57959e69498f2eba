//! Collect and evaluate target by target, on all cores, without holding the facts of more than a few at a time.

use std::num::NonZero;
use std::sync::{Mutex, PoisonError};

use jiff::civil::Date;

use crate::collectors::{self, Cache, Context, PolicyFile};
use crate::diag::{Files, Span};
use crate::engine;
use crate::facts::{Method, Target};
use crate::findings::AssessedTarget;
use crate::inventory::Inventory;
use crate::mail::Name;
use crate::policy::Policy;
use crate::reports::dossier::Picture;
use crate::sources::{RecordSource, Store};

/// How many domains a thread takes at a time.
const BATCH: usize = 256;

/// What is judged, and by what.
pub(super) struct Job<'a> {
    pub(super) store: &'a Store,
    pub(super) files: &'a Files,
    pub(super) inventory: Option<&'a Inventory>,
    pub(super) policies: &'a [PolicyFile],
    pub(super) policy: &'a Policy,
    pub(super) as_of: Date,
}

/// Judges every domain; the result is in the order of `domains`, whatever the number of threads.
pub(super) fn domains(job: &Job<'_>, domains: &[(Name, Option<Span>)]) -> Vec<AssessedTarget> {
    let threads =
        std::thread::available_parallelism().map_or(1, NonZero::get).min(domains.len().div_ceil(BATCH)).max(1);
    // Every domain has its place from the start, so that no result is ever moved: there may be very many.
    let mut places: Vec<Option<AssessedTarget>> = domains.iter().map(|_| None).collect();
    let batches = Mutex::new(domains.chunks(BATCH).zip(places.chunks_mut(BATCH)));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let source = job.store.view(job.files);
                let context = context(job, &source);
                let next = || batches.lock().unwrap_or_else(PoisonError::into_inner).next();
                while let Some((batch, places)) = next() {
                    for ((name, anchor), place) in batch.iter().zip(places) {
                        *place = Some(one(job, &context, name, *anchor));
                    }
                }
            });
        }
    });
    #[expect(clippy::filter_map_identity, reason = "unlike `flatten`, this collects in place, without a second list")]
    places.into_iter().filter_map(|place| place).collect()
}

/// Draws the domains. Facts are collected anew, because those that were judged are gone; only reports for people ask for it.
pub(super) fn pictures(job: &Job<'_>, domains: &[(Name, Option<Span>)]) -> Vec<Picture> {
    let source = job.store.view(job.files);
    let context = context(job, &source);
    domains.iter().map(|(name, _)| Picture::of(name.as_str(), &collectors::domain(&context, name))).collect()
}

fn context<'a>(job: &Job<'a>, source: &'a dyn RecordSource) -> Context<'a> {
    Context {
        source,
        method: Method::DnsFile,
        inventory: job.inventory,
        policies: job.policies,
        fetches: &[],
        cache: Cache::default(),
    }
}

fn one(job: &Job<'_>, context: &Context<'_>, name: &Name, anchor: Option<Span>) -> AssessedTarget {
    let facts = collectors::domain(context, name);
    engine::assess_target(job.policy, Target::Domain, name.as_str(), anchor, &facts, job.as_of)
}
