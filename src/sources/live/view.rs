//! What is known, as a [`RecordSource`]: answers from memory, and notes what is missing.

use std::cell::{Cell, RefCell};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use hashbrown::{Equivalent, HashMap};

use super::cache::Cache;
use super::keys::{AskKey, Asked, Questioned};
use super::outcome::{Said, runs_away};
use super::resolve::{Known, Route};
use super::{Live, QuestionKey, Replied, Request, Validated, cell};
use crate::diag::{FileId, Span};
use crate::facts::{Cause, Recorder};
use crate::mail::Name;
use crate::sources::record::{Answer, Ask, NoReply, Outcome, RecordSource, RecordType, Reply, Validation};

/// Answers that a view has room for at first: those of a usual target.
const USED: usize = 28;

/// Said of every name server of every domain, where none is asked.
static NO_AUTHORITIES: LazyLock<Arc<str>> = LazyLock::new(|| "this run asks no name servers".into());

/// What is known, as a source of records.
pub struct View<'a> {
    live: &'a Live,
    missing: RefCell<Vec<Request>>,
    /// How often an answer was missing.
    missed: Cell<usize>,
    /// Which round of questions this is.
    round: Cell<u32>,
    /// Apart, because a view is part of every task.
    used: RefCell<Box<Used>>,
    last: Cell<bool>,
}

/// The answers that a view asked for, kept for as long as facts point at their texts. A view finds them here again
/// without asking what all targets share, and however little that remembers.
#[derive(Debug, Default)]
pub struct Used {
    questions: Seats<Questioned, Known>,
    validations: Seats<Questioned, Validated>,
    asked: Seats<Asked, Replied>,
}

/// Where answers are, or will be, by question.
type Seats<K, V> = HashMap<K, Seat<V>>;

#[derive(Debug)]
struct Seat<V> {
    cell: Arc<cell::Cell<V>>,
    /// The round in which it was last noted as missing; 0 for none.
    noted: u32,
}

impl Used {
    /// Keeps those texts among the ones of these answers that something points at.
    pub fn quote(&self, recorder: &Recorder, files: impl IntoIterator<Item = FileId>) {
        let mut files: Vec<FileId> = files.into_iter().collect();
        files.sort_unstable();
        files.dedup();
        recorder.quote(files.iter().copied());
        let validations = self.validations.values().filter_map(|seat| seat.cell.get());
        let validated = validations.flat_map(|validated| validated.answers.iter().flatten());
        for cell in self.questions.values().map(|seat| &seat.cell).chain(validated) {
            let text = cell.get().and_then(|known| known.text.as_ref());
            if let Some(text) = text.filter(|text| files.binary_search(&text.file()).is_ok()) {
                recorder.quote_text(text);
            }
        }
    }
}

/// The place of an answer: the one that the view has, or else the one that all targets share. Whether it is to be noted
/// as missing, which it is once in a round.
fn seat<K: Clone + Eq + Hash, V, Q: Hash + Equivalent<K>>(
    seats: &mut Seats<K, V>,
    shared: &Cache<K, V>,
    question: &Q,
    key: impl FnOnce() -> K,
    round: u32,
) -> (Arc<cell::Cell<V>>, bool) {
    if let Some(seat) = seats.get_mut(question) {
        let is_missing = seat.cell.get().is_none() && std::mem::replace(&mut seat.noted, round) != round;
        return (Arc::clone(&seat.cell), is_missing);
    }
    let key = key();
    let cell = shared.cell(question, || key.clone());
    seats.insert(key, Seat { cell: Arc::clone(&cell), noted: round });
    let is_missing = cell.get().is_none();
    (cell, is_missing)
}

/// Why an answer is not known.
type Reason = (Cause, Arc<str>);

impl<'a> View<'a> {
    pub(super) fn new(live: &'a Live) -> View<'a> {
        let used = Used {
            questions: HashMap::with_capacity(USED),
            validations: HashMap::with_capacity(USED),
            asked: HashMap::new(),
        };
        let missing = RefCell::new(Vec::with_capacity(USED));
        let (missed, round) = (Cell::new(0), Cell::new(1));
        View { live, missing, missed, round, used: RefCell::new(Box::new(used)), last: Cell::new(false) }
    }
}

impl View<'_> {
    /// What was asked for and is not known, each once; empty when every answer given is final.
    pub(super) fn take_missing(&self) -> Vec<Request> {
        self.round.set(self.round.get() + 1);
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

    /// The place of the answer to a question, known or not.
    fn question(&self, question: &QuestionKey<'_>, round: u32) -> (Arc<cell::Cell<Known>>, bool) {
        let seats = &mut self.used.borrow_mut().questions;
        seat(seats, &self.live.questions, question, || (*question).to_owned(), round)
    }

    /// Looks at the answer to a question, which is known, or noted as missing.
    fn known<T>(&self, question: &QuestionKey<'_>, look: impl FnOnce(&Said) -> T) -> Result<T, Reason> {
        let (cell, is_missing) = self.question(question, self.round.get());
        if let Some(known) = cell.get() {
            return Ok(look(&known.said));
        }
        let QuestionKey { name, rtype, route } = *question;
        Err(self.missing(is_missing.then(|| Request::Question { name: name.clone(), rtype, route, cell })))
    }

    /// Notes that an answer is missing, and what to do about it unless that was noted before.
    fn missing(&self, request: Option<Request>) -> Reason {
        self.missing.borrow_mut().extend(request);
        self.missed.set(self.missed.get() + 1);
        match self.last.get() {
            true => (Cause::LimitReached, "the chain of questions is too long".into()),
            // Facts of this round are dropped, so nobody reads why.
            false => (Cause::NotCollected, Arc::default()),
        }
    }

    /// Follows a chain of aliases through what is known, up to a link that is missing.
    fn answer(&self, name: &Name, rtype: RecordType, route: Route) -> Result<Answer, Reason> {
        let (mut next, mut aliases) = (name.clone(), Vec::new());
        let note = loop {
            let key = QuestionKey { name: &next, rtype, route };
            let (answer, onward) = self.known(&key, |said| (said.answer.clone(), said.onward.clone()))?;
            let Some(onward) = onward else {
                aliases.extend(answer.aliases);
                return Ok(Answer { aliases, ..answer });
            };
            aliases.extend(answer.aliases);
            next = onward;
            if let Some(note) = runs_away(&aliases, &next) {
                break note;
            }
        };
        let span = aliases.last().map(|alias| alias.span);
        let outcome = Outcome::Unknown { cause: Cause::Protocol, note: note.into(), span };
        Ok(Answer { aliases, outcome, wildcard: false, incomplete: None })
    }
}

/// The answer that is not known.
fn unknown((cause, note): Reason) -> Answer {
    let outcome = Outcome::Unknown { cause, note, span: None };
    Answer { aliases: Vec::new(), outcome, wildcard: false, incomplete: None }
}

impl RecordSource for View<'_> {
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer {
        self.answer(name, rtype, Route::Resolvers).unwrap_or_else(unknown)
    }

    fn zone_of(&self, name: &Name) -> Option<(Name, Span)> {
        let mut name = name.clone();
        loop {
            let key = QuestionKey { name: &name, rtype: RecordType::SOA, route: Route::Resolvers };
            let is_alias = |said: &Said| !said.answer.aliases.is_empty();
            let (is_alias, zone) = self.known(&key, |said| (is_alias(said), said.zone.clone())).ok()?;
            if !is_alias {
                return zone;
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
        let (key, round) = (QuestionKey { name, rtype, route: Route::Resolvers }, self.round.get());
        let shared = &self.live.validations;
        // Nothing stays borrowed: the answer is looked for in the same place.
        let (cell, is_missing) = seat(&mut self.used.borrow_mut().validations, shared, &key, || key.to_owned(), round);
        if let Some(known) = cell.get() {
            return known.validation.clone();
        }
        let request = is_missing.then(|| {
            // The answer is asked for with its validation, and not noted on its own.
            let (answer, _) = self.question(&key, 0);
            Request::Validation { name: name.clone(), rtype, answer, cell }
        });
        let (cause, note) = self.missing(request);
        Validation::unknown(cause, note, None)
    }

    fn ask(&self, server: IpAddr, name: &Name, rtype: RecordType, mode: Ask) -> Result<Reply, NoReply> {
        if !self.live.options.authorities {
            let note = Arc::clone(&NO_AUTHORITIES);
            return Err(NoReply { cause: Cause::NotCollected, note, span: None });
        }
        let (key, round) = (AskKey { server, name, rtype, mode }, self.round.get());
        let shared = &self.live.asked;
        let (cell, is_missing) = seat(&mut self.used.borrow_mut().asked, shared, &key, || key.to_owned(), round);
        if let Some(known) = cell.get() {
            return known.reply.clone();
        }
        let request = is_missing.then(|| Request::Ask { server, name: name.clone(), rtype, mode, cell });
        let (cause, note) = self.missing(request);
        Err(NoReply { cause, note, span: None })
    }

    fn second_opinion(&self, name: &Name, rtype: RecordType) -> Option<Answer> {
        self.live.options.compare?;
        Some(self.answer(name, rtype, Route::Second).unwrap_or_else(unknown))
    }

    fn is_live(&self) -> bool {
        true
    }

    fn missed(&self) -> usize {
        self.missed.get()
    }
}
