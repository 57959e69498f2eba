//! What is known already: every question is asked once, however many ask it at the same time.
//!
//! An entry is a cell that the first who asks fills and all others wait for; if the first gives up, the next goes on.
//! Two generations bound the memory: when the young one is full, the old one is dropped and the young one becomes old.
//! What is used again moves back into the young one, so that what many targets ask for stays; what a target has asked for
//! it keeps itself.

use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::{Equivalent, HashMap};

use super::cell::Cell;

/// A bounded map from questions to cells.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    generations: Mutex<Generations<K, V>>,
    /// Most entries of one generation.
    limit: usize,
}

#[derive(Debug)]
struct Generations<K, V> {
    young: HashMap<K, Arc<Cell<V>>>,
    old: HashMap<K, Arc<Cell<V>>>,
    /// What is to be dropped, outside the lock.
    gone: HashMap<K, Arc<Cell<V>>>,
    /// The room of what was dropped, for the next generation.
    room: HashMap<K, Arc<Cell<V>>>,
}

impl<K: Eq + Hash, V> Cache<K, V> {
    pub(super) fn new(limit: usize) -> Cache<K, V> {
        let generations =
            Generations { young: HashMap::new(), old: HashMap::new(), gone: HashMap::new(), room: HashMap::new() };
        Cache { generations: Mutex::new(generations), limit }
    }

    /// The cell of a question, new or old.
    pub(super) fn cell<Q: Hash + Equivalent<K>>(&self, question: &Q, key: impl FnOnce() -> K) -> Arc<Cell<V>> {
        self.with(|generations| match generations.find(question, self.limit) {
            Some(cell) => cell,
            None => {
                let cell = Arc::<Cell<V>>::default();
                generations.insert(key(), Arc::clone(&cell), self.limit);
                cell
            }
        })
    }

    /// The cell of a question if it is filled.
    pub(super) fn known<Q: Hash + Equivalent<K>>(&self, question: &Q) -> Option<Arc<Cell<V>>> {
        self.with(|generations| generations.find(question, self.limit)).filter(|cell| cell.get().is_some())
    }

    /// Sets what is known of a question; whether something else was known before.
    pub(super) fn put(&self, key: K, value: V) -> bool {
        let cell = Arc::new(Cell::filled(value));
        self.with(|generations| generations.young.insert(key, cell)).is_some()
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.with(|generations| {
            generations.young.clear();
            generations.old.clear();
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Generations<K, V>) -> T) -> T {
        let lock = || self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let mut generations = lock();
        let result = act(&mut generations);
        if !generations.gone.is_empty() {
            let mut gone = std::mem::take(&mut generations.gone);
            drop(generations);
            gone.clear();
            lock().room = gone;
        }
        result
    }
}

impl<K: Eq + Hash, V> Generations<K, V> {
    fn find<Q: Hash + Equivalent<K>>(&mut self, question: &Q, limit: usize) -> Option<Arc<Cell<V>>> {
        if let Some(cell) = self.young.get(question) {
            return Some(Arc::clone(cell));
        }
        let (key, cell) = self.old.remove_entry(question)?;
        self.insert(key, Arc::clone(&cell), limit);
        Some(cell)
    }

    fn insert(&mut self, key: K, cell: Arc<Cell<V>>, limit: usize) {
        if self.young.len() >= limit {
            let room = std::mem::take(&mut self.room);
            let young = std::mem::replace(&mut self.young, room);
            self.gone = std::mem::replace(&mut self.old, young);
        }
        self.young.insert(key, cell);
    }
}
