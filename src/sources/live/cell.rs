//! A value that one finds out and all wait for.
//!
//! Who claims an empty cell must fill it; when the claim is dropped without a value, another one may claim it. Those who
//! wait are woken in both cases.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

/// A value that is known, or that somebody may be finding out.
#[derive(Debug)]
pub(super) struct Cell<V> {
    value: OnceLock<V>,
    claimed: AtomicBool,
    /// Tells those who wait that there is a value, or that nobody finds it out any more.
    changed: Notify,
}

impl<V> Default for Cell<V> {
    fn default() -> Cell<V> {
        Cell { value: OnceLock::new(), claimed: AtomicBool::new(false), changed: Notify::new() }
    }
}

/// The task of filling a cell.
#[derive(Debug)]
pub(super) struct Claim<V>(Arc<Cell<V>>);

impl<V> Claim<V> {
    /// The cell that is to be filled.
    pub(super) fn cell(&self) -> Arc<Cell<V>> {
        Arc::clone(&self.0)
    }

    /// Fills the cell.
    pub(super) fn fill(self, value: V) {
        // Only a claim fills a cell, and there is only one.
        let _ = self.0.value.set(value);
    }
}

impl<V> Drop for Claim<V> {
    fn drop(&mut self) {
        self.0.claimed.store(false, Ordering::Release);
        self.0.changed.notify_waiters();
    }
}

impl<V> Cell<V> {
    /// A cell whose value is known.
    pub(super) fn filled(value: V) -> Cell<V> {
        Cell { value: OnceLock::from(value), ..Cell::default() }
    }

    /// The value, if it is known.
    pub(super) fn get(&self) -> Option<&V> {
        self.value.get()
    }

    /// Takes on the task of filling the cell, unless it is filled or somebody else does.
    pub(super) fn claim(self: &Arc<Self>) -> Option<Claim<V>> {
        if self.value.get().is_some() || self.claimed.swap(true, Ordering::AcqRel) {
            return None;
        }
        let claim = Claim(Arc::clone(self));
        // Whoever had claimed it before may have filled it in between.
        self.value.get().is_none().then_some(claim)
    }

    /// Waits for the value, or finds it out if nobody else does.
    pub(super) async fn fill_with(self: &Arc<Self>, find_out: impl AsyncFnOnce() -> V) {
        while self.value.get().is_none() {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(claim) = self.claim() {
                claim.fill(find_out().await);
                return;
            }
            if self.value.get().is_none() {
                changed.await;
            }
        }
    }
}
