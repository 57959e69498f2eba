//! DNS as served: questions to resolvers and to single name servers, each asked once per run.
//!
//! Collectors are plain functions that look records up in a [`RecordSource`]; the network is asynchronous. Both meet
//! in rounds: a [`View`] answers from what is known and notes what is not; [`Live::fetch`] asks everything that was
//! noted at the same time; the collector runs again. Facts of the round in which nothing was missing are the facts, so
//! a target costs as many round trips as its longest chain of questions, not as many as it has questions.
//!
//! Every message is registered with the [`Recorder`]: its bytes as evidence, and a text in the presentation form of
//! zone files, into which the records' positions point. The outcomes (records, NODATA, NXDOMAIN, SERVFAIL, REFUSED,
//! timeout) are never folded into one another.
//!
//! [`Recorder`]: crate::facts::Recorder

mod batch;
mod cache;
mod cell;
mod convert;
mod exchange;
mod fetch;
mod keys;
mod outcome;
mod pace;
mod pool;
mod random;
mod replay;
mod resolve;
mod settle;
mod system;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod validate;
mod view;
mod wire;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;

use self::cache::Cache;
use self::cell::Cell;
use self::exchange::Heard;
use self::keys::{Asked, QuestionKey, Questioned};
use self::pace::Pace;
use self::pool::Pool;
use self::random::Random;
use self::resolve::{Known, Route};
use self::validate::{Plain, Validator};
use super::record::{Ask, NoReply, Outcome, RecordType, Reply, Validation};
use crate::diag::{FileId, Span};
use crate::facts::{Cause, Held, Recorder};
use crate::mail::Name;

pub use self::replay::KeptMessage;
pub use self::settle::{Settled, settle};
pub use self::view::{Used, View};

/// Questions whose answers are remembered at least, in each of two generations: those of some hundred targets.
const REMEMBERED: usize = 8_000;

/// Questions whose answers are remembered for each target that is looked at, for others that ask the same. What a target
/// has asked for it keeps itself.
const REMEMBERED_EACH: usize = 24;

/// Questions to single servers whose answers are remembered for each target: a domain may have many servers.
const ASKED_EACH: usize = 32;

/// Most sockets for single questions to name servers at the same time.
const SINGLE_SOCKETS: usize = 256;

/// How to ask.
#[derive(Debug, Clone)]
pub struct Options {
    /// Resolvers, in the order in which they are tried. Empty: those of the system.
    pub resolvers: Vec<SocketAddr>,
    /// A resolver for second opinions.
    pub compare: Option<SocketAddr>,
    /// Port of name servers that are asked directly; 53 outside tests.
    pub authority_port: u16,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Attempts for each server.
    pub attempts: u32,
    /// Questions in flight at the same time.
    pub concurrency: usize,
    /// Targets looked at at the same time; what is known about them is remembered.
    pub targets: usize,
    /// Most questions to one server per second; `None` without limit (resolvers of one's own).
    pub rate: Option<u32>,
    /// Address that questions are sent from.
    pub source_address: Option<IpAddr>,
    /// Whether name servers are asked directly (lame servers, open recursion, open transfer).
    pub authorities: bool,
    /// Whether answers are validated; the messages are kept in memory for that.
    pub validate: bool,
    /// Trust anchors of the validation: DS or DNSKEY records in zone-file form; `None`: the root's as published by
    /// IANA.
    pub trust_anchors: Option<String>,
}

/// The resolvers of the system, asked patiently and without haste.
impl Default for Options {
    fn default() -> Options {
        Options {
            resolvers: Vec::new(),
            compare: None,
            authority_port: system::PORT,
            timeout: Duration::from_secs(5),
            attempts: 3,
            concurrency: 256,
            targets: 64,
            rate: None,
            source_address: None,
            authorities: true,
            validate: true,
            trust_anchors: None,
        }
    }
}

/// What is not known yet, and where it goes.
#[derive(Debug)]
enum Request {
    /// Records of a type at a name.
    Question { name: Name, rtype: RecordType, route: Route, cell: Arc<Cell<Known>> },
    /// The DNSSEC state of an answer.
    Validation { name: Name, rtype: RecordType, answer: Arc<Cell<Known>>, cell: Arc<Cell<Validated>> },
    /// A question to one server.
    Ask { server: IpAddr, name: Name, rtype: RecordType, mode: Ask, cell: Arc<Cell<Replied>> },
}

/// The network as a source of records. Shared by all tasks of a run.
#[derive(Debug)]
pub struct Live {
    options: Options,
    recorder: Arc<Recorder>,
    random: Random,
    pace: Pace,
    resolvers: Vec<Upstream>,
    /// The resolver for second opinions, if there is one.
    second: Vec<Upstream>,
    /// Questions to resolvers that are in flight.
    permits: Arc<Semaphore>,
    /// Sockets for single questions that are open.
    sockets: Semaphore,
    questions: Cache<Questioned, Known>,
    asked: Cache<Asked, Replied>,
    validations: Cache<Questioned, Validated>,
    validator: Validator,
    /// When each text was received, where answers are those of an earlier run and nobody is asked.
    replayed: Option<Mutex<HashMap<FileId, i64>>>,
}

/// A resolver, and the sockets to it.
#[derive(Debug)]
struct Upstream {
    address: SocketAddr,
    pool: Pool,
}

/// What a resolver said about a question, with the text that renders it.
#[derive(Debug)]
struct Message {
    name: Name,
    rtype: RecordType,
    /// What tells the question from others of the same name and type, in the path of the text.
    suffix: String,
    /// The bytes as received, from whom and how.
    heard: Heard,
    /// The text that renders it.
    span: Span,
    /// What validation needs to know of it, where nothing in it is signed.
    plain: Option<Plain>,
}

/// What one server said, and its text.
#[derive(Debug)]
struct Replied {
    reply: Result<Reply, NoReply>,
    /// Keeps the text.
    _held: Option<Held>,
}

/// The state of an answer, and the text that it points at.
#[derive(Debug)]
struct Validated {
    validation: Validation,
    /// The answers, into one of whose texts it points.
    answers: [Option<Arc<Cell<Known>>>; 2],
}

/// Why live DNS cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The system names no resolver.
    #[error("no resolver is configured on this system; name one with --resolver")]
    NoResolver,
    /// The trust anchors cannot be read.
    #[error("the trust anchors cannot be used: {0}")]
    TrustAnchors(String),
    /// A socket cannot be opened.
    #[error("cannot open a socket: {0}")]
    Socket(#[from] std::io::Error),
}

impl Live {
    /// Opens the sockets; asks nothing yet.
    ///
    /// # Errors
    /// No resolver, no socket, or trust anchors that cannot be read.
    pub async fn new(mut options: Options, recorder: Arc<Recorder>) -> Result<Live, LiveError> {
        if options.resolvers.is_empty() {
            options.resolvers = system::resolvers();
        }
        if options.resolvers.is_empty() {
            return Err(LiveError::NoResolver);
        }
        options.concurrency = options.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        let validator = Validator::new(options.trust_anchors.as_deref()).map_err(LiveError::TrustAnchors)?;
        let remembered = options.targets.saturating_mul(REMEMBERED_EACH).max(REMEMBERED);
        let mut resolvers = Vec::new();
        for address in &options.resolvers {
            resolvers.push(Upstream::open(*address, &options).await?);
        }
        let mut second = Vec::new();
        if let Some(address) = options.compare {
            second.push(Upstream::open(address, &options).await?);
        }
        Ok(Live {
            random: Random::new(),
            pace: Pace::new(options.rate),
            resolvers,
            second,
            permits: Arc::new(Semaphore::new(options.concurrency)),
            sockets: Semaphore::new(options.concurrency.min(SINGLE_SOCKETS)),
            questions: Cache::new(remembered),
            asked: Cache::new(options.targets.saturating_mul(ASKED_EACH).max(REMEMBERED)),
            validations: Cache::new(remembered),
            validator,
            replayed: None,
            options,
            recorder,
        })
    }

    async fn answer(&self, request: Request) {
        match request {
            Request::Question { name, rtype, route, cell } => self.look_up(name, rtype, route, cell).await,
            Request::Validation { name, rtype, cell, .. } => {
                cell.fill_with(async || Box::pin(self.validate(&name, rtype)).await).await;
            }
            Request::Ask { server, name, rtype, mode, cell } => {
                cell.fill_with(async || Box::pin(self.reply(server, &name, rtype, mode)).await).await;
            }
        }
    }

    async fn reply(&self, server: IpAddr, name: &Name, rtype: RecordType, mode: Ask) -> Replied {
        let reply = self.ask_server(server, name, rtype, mode).await;
        let span = match &reply {
            Ok(reply) => Some(reply.span),
            Err(no_reply) => no_reply.span,
        };
        Replied { reply, _held: span.and_then(|span| self.recorder.hold(span.file)) }
    }

    async fn validate(&self, name: &Name, rtype: RecordType) -> Validated {
        // The validation points at the text of the answer, which must not go while the keys are asked for.
        let cell = |route| {
            let key = QuestionKey { name, rtype, route };
            self.questions.cell(&key, || key.to_owned())
        };
        let checked = cell(Route::Resolvers);
        let is_answer = |known: &Known| !matches!(known.said.answer.outcome, Outcome::Unknown { .. });
        let unchecked = (!checked.get().is_some_and(is_answer)).then(|| cell(Route::Unchecked));
        let time = |cell: &Arc<Cell<Known>>| self.time_of(cell.get()?.span.file);
        self.validator.judge_as_of(time(&checked).or_else(|| time(unchecked.as_ref()?)));
        let validation = self.validator.validate(self, name, rtype).await;
        Validated { validation, answers: [Some(checked), unchecked] }
    }

    /// Finds out about a name, whose answer goes into a cell, and the aliases behind it, as far as one lookup goes.
    async fn look_up(&self, mut name: Name, rtype: RecordType, route: Route, mut cell: Arc<Cell<Known>>) {
        let mut aliases = Vec::new();
        loop {
            cell.fill_with(async || Box::pin(self.find_out(&name, rtype, route, None)).await).await;
            let Some(known) = cell.get() else { return };
            aliases.extend_from_slice(&known.said.answer.aliases);
            let Some(onward) = known.said.onward.clone().filter(|next| outcome::runs_away(&aliases, next).is_none())
            else {
                return;
            };
            name = onward;
            let key = QuestionKey { name: &name, rtype, route };
            cell = self.questions.cell(&key, || key.to_owned());
        }
    }

    /// What one question to resolvers brings, asked now or before.
    async fn known(&self, name: &Name, rtype: RecordType, route: Route) -> Arc<Cell<Known>> {
        let key = QuestionKey { name, rtype, route };
        let cell = self.questions.cell(&key, || key.to_owned());
        cell.fill_with(async || Box::pin(self.find_out(name, rtype, route, None)).await).await;
        cell
    }

    /// The message that answers a question, from what is known or from the resolvers: for validation, which needs the
    /// signatures. With `checking_disabled`, what the resolvers cannot validate is handed over, too (RFC 4035 section
    /// 3.2.2). It is asked for only then: where the resolvers give an answer, they give the same data with it.
    ///
    /// # Errors
    /// No reply, or one that is no answer (SERVFAIL, REFUSED, ...).
    async fn message(&self, name: &Name, rtype: RecordType, checking_disabled: bool) -> Result<Arc<Message>, NoReply> {
        let mut cell = self.known(name, rtype, Route::Resolvers).await;
        let failed = cell.get().is_some_and(|known| {
            let outcome = &known.said.answer.outcome;
            matches!(outcome, Outcome::Unknown { cause: Cause::DnsServfail | Cause::DnssecBogus, .. })
        });
        if checking_disabled && failed {
            cell = self.known(name, rtype, Route::Unchecked).await;
        }
        let known = cell.get();
        match known.map(|known| (&known.said.answer.outcome, &known.said.onward, &known.message)) {
            Some((Outcome::Unknown { cause, note, span }, None, _)) => {
                Err(NoReply { cause: *cause, note: note.clone(), span: *span })
            }
            Some((_, _, Some(message))) => Ok(Arc::clone(message)),
            _ => {
                let note = "this run does not keep messages for validation".into();
                Err(NoReply { cause: Cause::NotCollected, note, span: known.map(|known| known.span) })
            }
        }
    }

    /// Whether a resolver answers names that cannot exist (a canary below `.invalid`, RFC 6761 section 6.4); a sentence
    /// for the report if so.
    pub async fn canary(&self) -> Option<String> {
        for resolver in &self.resolvers {
            let name = self.canary_name()?;
            if let Some(address) = self.made_up(resolver, &name).await {
                return Some(format!(
                    "the resolver {} answers names that do not exist: for {name} it gave {address}, so what it says \
                     about absent names cannot be trusted",
                    resolver.address
                ));
            }
        }
        None
    }

    /// The resolvers in use.
    pub fn resolvers(&self) -> &[SocketAddr] {
        &self.options.resolvers
    }

    /// Where observations are registered.
    pub fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    /// Answers from what is known, and notes what is missing.
    pub fn view(&self) -> View<'_> {
        View::new(self)
    }
}

impl Upstream {
    /// More questions in flight need more sockets: the system keeps a few hundred packets for each, on both sides, and
    /// those that go out together share one.
    async fn open(address: SocketAddr, options: &Options) -> Result<Upstream, std::io::Error> {
        let sockets = (options.concurrency / 16).clamp(8, 64);
        Ok(Upstream { address, pool: Pool::open(address, options.source_address, sockets).await? })
    }
}
