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

mod validate;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::record::{Answer, Ask, NoReply, Outcome, RecordSource, RecordType, Reply, Validation};
use crate::diag::Span;
use crate::facts::{Cause, Recorder};
use crate::mail::Name;

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
    /// Most questions to one server per second; `None` without limit (resolvers of one's own).
    pub rate: Option<u32>,
    /// Address that questions are sent from.
    pub source_address: Option<IpAddr>,
    /// Whether name servers are asked directly (lame servers, open recursion, open transfer).
    pub authorities: bool,
    /// Whether answers are validated, and with which trust anchors: DS or DNSKEY records in zone-file form; `None`: the
    /// root's as published by IANA.
    pub trust_anchors: Option<String>,
}

/// Everything that can be asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Request {
    /// Records of a type at a name, from the resolvers.
    Lookup(Name, RecordType),
    /// The DNSSEC state of an answer.
    Validate(Name, RecordType),
    /// A question to one server.
    Ask(IpAddr, Name, RecordType, Ask),
    /// The same question to the second resolver.
    SecondOpinion(Name, RecordType),
}

/// The network as a source of records. Shared by all tasks of a run.
#[derive(Debug)]
pub struct Live {
    options: Options,
    recorder: Arc<Recorder>,
}

/// A message that a server sent, with the text that renders it.
#[derive(Debug)]
#[expect(dead_code)]
struct Message {
    /// The bytes as received.
    bytes: Vec<u8>,
    /// The text that renders it.
    span: Span,
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
    pub async fn new(options: Options, recorder: Arc<Recorder>) -> Result<Live, LiveError> {
        Ok(Live { options, recorder })
    }

    /// Asks what is not known yet, everything at the same time within the limits of the options. Every request is known
    /// afterwards, if only as unknown with its cause.
    pub async fn fetch(&self, _requests: BTreeSet<Request>) {}

    /// The message that answers a question, from what is known or from the resolvers: for validation, which needs the
    /// signatures. With `checking_disabled`, the resolver is asked to hand over what it cannot validate (RFC 4035
    /// section 3.2.2).
    ///
    /// # Errors
    /// No reply.
    #[expect(dead_code)]
    async fn message(
        &self,
        _name: &Name,
        _rtype: RecordType,
        _checking_disabled: bool,
    ) -> Result<Arc<Message>, NoReply> {
        Err(NoReply { cause: Cause::NotCollected, note: String::new(), span: None })
    }

    /// Whether the resolver answers names that cannot exist (a canary below `.invalid`); a note for the report if so.
    pub async fn canary(&self) -> Option<String> {
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
        View { live: self, missing: RefCell::default(), last: false }
    }

    /// Like [`Live::view`], but what is missing is unknown for good: a limit of rounds was reached.
    pub fn last_view(&self) -> View<'_> {
        View { live: self, missing: RefCell::default(), last: true }
    }
}

/// What is known, as a source of records.
pub struct View<'a> {
    #[expect(dead_code)]
    live: &'a Live,
    missing: RefCell<BTreeSet<Request>>,
    last: bool,
}

impl View<'_> {
    /// What was asked for and is not known; empty when every answer given is final.
    pub fn take_missing(&self) -> BTreeSet<Request> {
        self.missing.take()
    }

    fn missing(&self, request: Request) -> (Cause, String) {
        self.missing.borrow_mut().insert(request);
        match self.last {
            true => (Cause::LimitReached, "the chain of questions is too long".to_owned()),
            false => (Cause::NotCollected, "not asked yet".to_owned()),
        }
    }
}

impl RecordSource for View<'_> {
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer {
        let (cause, note) = self.missing(Request::Lookup(name.clone(), rtype));
        Answer {
            aliases: Vec::new(),
            outcome: Outcome::Unknown { cause, note, span: None },
            wildcard: false,
            incomplete: None,
        }
    }

    fn zone_of(&self, name: &Name) -> Option<(Name, Span)> {
        self.missing(Request::Lookup(name.clone(), RecordType::SOA));
        None
    }

    fn names_below(&self, _name: &Name) -> Option<Vec<Name>> {
        None
    }

    fn validate(&self, name: &Name, rtype: RecordType) -> Validation {
        let (cause, note) = self.missing(Request::Validate(name.clone(), rtype));
        Validation::unknown(cause, note, None)
    }

    fn ask(&self, server: IpAddr, name: &Name, rtype: RecordType, mode: Ask) -> Result<Reply, NoReply> {
        let (cause, note) = self.missing(Request::Ask(server, name.clone(), rtype, mode));
        Err(NoReply { cause, note, span: None })
    }

    fn second_opinion(&self, _name: &Name, _rtype: RecordType) -> Option<Answer> {
        None
    }

    fn is_live(&self) -> bool {
        true
    }
}
