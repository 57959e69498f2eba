//! What is known, as a [`RecordSource`]: answers from memory, and notes what is missing.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::{Equivalent, HashMap};

use super::cache::Cache;
use super::keys::{AskKey, Asked, Questioned};
use super::outcome::runs_away;
use super::resolve::{Known, Route};
use super::{Live, QuestionKey, Replied, Request, Validated, cell};
use crate::diag::{FileId, Span};
use crate::facts::{Cause, Recorder};
use crate::mail::Name;
use crate::sources::record::{Answer, Ask, NoReply, Outcome, RecordSource, RecordType, Reply, Validation};

/// Answers that a view has room for at first: those of a usual target.
const USED: usize = 28;

/// What is known, as a source of records.
pub struct View<'a> {
    live: &'a Live,
    missing: RefCell<BTreeSet<Request>>,
    /// How often an answer was missing.
    missed: Cell<usize>,
    /// Apart, because a view is part of every task.
    used: RefCell<Box<Used>>,
    last: Cell<bool>,
}

/// The answers that a view gave, kept for as long as facts point at their texts. A view finds them here again without
/// asking what all targets share.
#[derive(Debug, Default)]
pub struct Used {
    questions: HashMap<Questioned, Arc<cell::Cell<Known>>>,
    validations: HashMap<Questioned, Arc<cell::Cell<Validated>>>,
    asked: HashMap<Asked, Arc<cell::Cell<Replied>>>,
}

impl Used {
    /// Keeps those texts among the ones of these answers that something points at.
    pub fn quote(&self, recorder: &Recorder, files: impl IntoIterator<Item = FileId>) {
        let mut files: Vec<FileId> = files.into_iter().collect();
        files.sort_unstable();
        files.dedup();
        recorder.quote(files.iter().copied());
        let validations = self.validations.values().filter_map(|cell| cell.get());
        let validated = validations.flat_map(|validated| validated.answers.iter().flatten());
        for cell in self.questions.values().chain(validated) {
            let text = cell.get().and_then(|known| known.text.as_ref());
            if let Some(text) = text.filter(|text| files.binary_search(&text.file()).is_ok()) {
                recorder.quote_text(text);
            }
        }
    }
}

/// What is known of a question: what the view used before, or else what all targets share.
fn known<K, V, Q>(
    used: &mut HashMap<K, Arc<cell::Cell<V>>>,
    shared: &Cache<K, V>,
    question: &Q,
    key: impl FnOnce() -> K,
) -> Option<Arc<cell::Cell<V>>>
where
    K: Eq + Hash,
    Q: Hash + Equivalent<K>,
{
    if let Some(cell) = used.get(question) {
        return Some(Arc::clone(cell));
    }
    let cell = shared.known(question)?;
    used.insert(key(), Arc::clone(&cell));
    Some(cell)
}

impl<'a> View<'a> {
    pub(super) fn new(live: &'a Live) -> View<'a> {
        let used = Used {
            questions: HashMap::with_capacity(USED),
            validations: HashMap::with_capacity(USED),
            asked: HashMap::new(),
        };
        let (missing, missed) = (RefCell::default(), Cell::new(0));
        View { live, missing, missed, used: RefCell::new(Box::new(used)), last: Cell::new(false) }
    }
}

impl View<'_> {
    /// What was asked for and is not known; empty when every answer given is final.
    pub fn take_missing(&self) -> BTreeSet<Request> {
        self.missing.take()
    }

    /// From now on, what is missing is unknown for good: a limit of rounds was reached.
    pub(super) fn end(&self) {
        self.last.set(true);
    }

    /// The answers that were given.
    pub(super) fn used(&self) -> Used {
        *self.used.take()
    }

    /// What is known of a question.
    fn known(&self, question: &QuestionKey<'_>) -> Option<Arc<cell::Cell<Known>>> {
        let used = &mut self.used.borrow_mut().questions;
        known(used, &self.live.questions, question, || (*question).to_owned())
    }

    fn missing(&self, request: Request) -> (Cause, String) {
        self.missing.borrow_mut().insert(request);
        self.missed.set(self.missed.get() + 1);
        match self.last.get() {
            true => (Cause::LimitReached, "the chain of questions is too long".to_owned()),
            // Facts of this round are dropped, so nobody reads why.
            false => (Cause::NotCollected, String::new()),
        }
    }

    /// Follows a chain of aliases through what is known; `None` when a link is missing.
    fn answer(&self, name: &Name, rtype: RecordType, route: Route) -> Option<Answer> {
        let cell = self.known(&QuestionKey { name, rtype, route })?;
        let known = &cell.get()?.said;
        let Some(mut next) = known.onward.clone() else { return Some(known.answer.clone()) };
        let mut aliases = known.answer.aliases.clone();
        let note = loop {
            if let Some(note) = runs_away(&aliases, &next) {
                break note;
            }
            let cell = self.known(&QuestionKey { name: &next, rtype, route })?;
            let said = &cell.get()?.said;
            aliases.extend_from_slice(&said.answer.aliases);
            match &said.onward {
                Some(onward) => next = onward.clone(),
                None => return Some(Answer { aliases, ..said.answer.clone() }),
            }
        };
        let span = aliases.last().map(|alias| alias.span);
        let outcome = Outcome::Unknown { cause: Cause::Protocol, note, span };
        Some(Answer { aliases, outcome, wildcard: false, incomplete: None })
    }
}

impl RecordSource for View<'_> {
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer {
        self.answer(name, rtype, Route::Resolvers).unwrap_or_else(|| {
            let (cause, note) = self.missing(Request::Lookup(name.clone(), rtype));
            let outcome = Outcome::Unknown { cause, note, span: None };
            Answer { aliases: Vec::new(), outcome, wildcard: false, incomplete: None }
        })
    }

    fn zone_of(&self, name: &Name) -> Option<(Name, Span)> {
        let mut name = name.clone();
        loop {
            let key = QuestionKey { name: &name, rtype: RecordType::SOA, route: Route::Resolvers };
            let Some(cell) = self.known(&key) else {
                self.missing(Request::Lookup(name, RecordType::SOA));
                return None;
            };
            let said = &cell.get()?.said;
            if said.answer.aliases.is_empty() {
                return said.zone.clone();
            }
            // RFC 1034 section 3.6.2: the origin of a zone is no alias, so an alias lies in the zone of its parent.
            name = name.parent()?;
        }
    }

    fn names_below(&self, _name: &Name) -> Option<Vec<Name>> {
        None
    }

    fn validate(&self, name: &Name, rtype: RecordType) -> Validation {
        if !self.live.options.validate {
            return Validation::unknown(Cause::NotCollected, "this run does not validate answers", None);
        }
        let key = QuestionKey { name, rtype, route: Route::Resolvers };
        let used = &mut self.used.borrow_mut().validations;
        let cell = known(used, &self.live.validations, &key, || key.to_owned());
        cell.as_ref().and_then(|cell| cell.get()).map(|known| known.validation.clone()).unwrap_or_else(|| {
            let (cause, note) = self.missing(Request::Validate(name.clone(), rtype));
            Validation::unknown(cause, note, None)
        })
    }

    fn ask(&self, server: IpAddr, name: &Name, rtype: RecordType, mode: Ask) -> Result<Reply, NoReply> {
        if !self.live.options.authorities {
            let note = "this run asks no name servers".to_owned();
            return Err(NoReply { cause: Cause::NotCollected, note, span: None });
        }
        let key = AskKey { server, name, rtype, mode };
        let used = &mut self.used.borrow_mut().asked;
        let cell = known(used, &self.live.asked, &key, || key.to_owned());
        cell.as_ref().and_then(|cell| cell.get()).map(|known| known.reply.clone()).unwrap_or_else(|| {
            let (cause, note) = self.missing(Request::Ask(server, name.clone(), rtype, mode));
            Err(NoReply { cause, note, span: None })
        })
    }

    fn second_opinion(&self, name: &Name, rtype: RecordType) -> Option<Answer> {
        self.live.options.compare?;
        Some(self.answer(name, rtype, Route::Second).unwrap_or_else(|| {
            let (cause, note) = self.missing(Request::SecondOpinion(name.clone(), rtype));
            let outcome = Outcome::Unknown { cause, note, span: None };
            Answer { aliases: Vec::new(), outcome, wildcard: false, incomplete: None }
        }))
    }

    fn is_live(&self) -> bool {
        true
    }

    fn missed(&self) -> usize {
        self.missed.get()
    }
}
