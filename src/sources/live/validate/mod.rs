//! DNSSEC validation of answers by ourselves (RFC 4035 section 5): the resolver's word (AD) is not validation.
//!
//! An answer is **secure** when signatures lead from a trust anchor to it, **insecure** when it is proven that no such
//! chain exists, **bogus** when there should be a chain and it does not hold, and **indeterminate** when nobody can say
//! whether there should be one (RFC 4033 section 5). A question that was not answered, of the answer itself or of the
//! keys above it, leaves the state unknown with the cause: what could not be looked at is not called broken.
//!
//! All questions are asked with checking disabled, so that a validating resolver hands over bogus data instead of
//! SERVFAIL. The cryptography is that of hickory; here stand only the rules of which signature and which proof counts.

mod anchors;
mod chain;
mod denial;
mod names;
mod plain;
mod signature;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future;
use hashbrown::HashMap;
use hickory_proto::op::{Message as WireMessage, ResponseCode};
use hickory_proto::rr::{Name as WireName, RData, Record, RecordType as WireType};

use super::{Live, Message};
use crate::diag::Span;
use crate::facts::domain::Security;
use crate::facts::{Cause, Observed};
use crate::mail::Name;
use crate::sources::{NoReply, RecordType, Validation};
use anchors::Anchor;
use chain::{Step, Trust, Zone};
use denial::{Denial, Proven};
use names::{to_name, to_wire};
use signature::RrSet;

pub(super) use plain::Plain;

/// Most aliases that are followed, and questions for what stands behind them.
const MOST_STEPS: usize = 24;

/// Who hands over messages: the network, or a test.
trait Messages: Sync {
    /// The message that answers a question, asked with DO and CD set (RFC 4035 sections 3.2.1 and 3.2.2).
    fn message(&self, name: &Name, rtype: RecordType) -> impl Future<Output = Result<Arc<Message>, NoReply>> + Send;
}

impl Messages for Live {
    async fn message(&self, name: &Name, rtype: RecordType) -> Result<Arc<Message>, NoReply> {
        Live::message(self, name, rtype, true).await
    }
}

/// The trust anchors, and what was validated before.
#[derive(Debug)]
pub(super) struct Validator {
    anchors: Vec<Anchor>,
    /// What is known of the way down to a name: whether a zone begins there, and its keys.
    steps: Mutex<HashMap<Name, Step>>,
    /// The time in seconds since 1970, which decides whether a signature is valid.
    now: fn() -> i64,
    /// The time that is used instead where answers of an earlier run are judged; 0 for none.
    as_of: AtomicI64,
}

impl Validator {
    /// A validator with the root's published keys, or with anchors in zone-file form (DS or DNSKEY records).
    ///
    /// # Errors
    /// What is wrong with the anchors.
    pub(super) fn new(anchors: Option<&str>) -> Result<Validator, String> {
        let anchors = match anchors {
            Some(text) => anchors::read(text)?,
            None => anchors::root(),
        };
        Ok(Validator {
            anchors,
            steps: Mutex::default(),
            now: || jiff::Timestamp::now().as_second(),
            as_of: AtomicI64::new(0),
        })
    }

    /// Judges signatures by the time at which an answer was received, if one is given.
    pub(super) fn judge_as_of(&self, received: Option<i64>) {
        if let Some(received) = received {
            self.as_of.store(received, Ordering::Relaxed);
        }
    }

    /// Forgets what was validated before.
    pub(super) fn forget(&self) {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The time in seconds since 1970.
    fn time(&self) -> i64 {
        match self.as_of.load(Ordering::Relaxed) {
            0 => (self.now)(),
            received => received,
        }
    }

    /// Whether the state of a plain answer follows from what is known already.
    pub(super) fn knows_end(&self, name: &Name, rtype: RecordType) -> bool {
        self.known_end(&home_of(name, rtype), |_, _| ()).is_some()
    }

    /// The state of an answer where nothing needs to be asked for it: it is plain, and where the chain of keys ends above
    /// it is known.
    pub(super) fn at_once(&self, message: &Message, name: &Name, rtype: RecordType) -> Option<Validation> {
        let plain = message.plain.as_ref()?;
        let judgement =
            self.known_end(&home_of(name, rtype), |cut, judgement| plain.is_below(cut).then(|| judgement.clone()));
        judgement.flatten().map(|judgement| judgement.of(message.span))
    }

    /// The DNSSEC state of the answer to a question. Asks for the keys it needs through [`Live::message`], those of all
    /// ancestors at the same time.
    pub(super) async fn validate(&self, live: &Live, name: &Name, rtype: RecordType) -> Validation {
        self.judge(live, name, rtype).await
    }

    async fn judge(&self, messages: &impl Messages, name: &Name, rtype: RecordType) -> Validation {
        let message = match self.knows_end(name, rtype) {
            true => messages.message(name, rtype).await,
            false => future::join(messages.message(name, rtype), self.ask_ahead(messages, name, rtype)).await.0,
        };
        let message = match message {
            Ok(message) => message,
            Err(no_reply) => return Validation::unknown(no_reply.cause, no_reply.note, no_reply.span),
        };
        if let Some(validation) = self.at_once(&message, name, rtype) {
            return validation;
        }
        match Parsed::read(&message) {
            Ok(answer) => self.follow(messages, answer, name, rtype).await.of(message.span),
            Err(no_reply) => Validation::unknown(no_reply.cause, no_reply.note, no_reply.span),
        }
    }

    /// Judges every alias and the end of the chain; the weakest decides (RFC 7672 section 2.1.3).
    async fn follow(&self, messages: &impl Messages, answer: Parsed, name: &Name, rtype: RecordType) -> Judgement {
        let Ok(mut at) = to_wire(name) else { return Judgement::unknown(Cause::Parse, "the name cannot be asked for") };
        let mut asked = at.clone();
        let mut answer = answer;
        let mut whole = Judgement::secure(None);
        for _ in 0..MOST_STEPS {
            match answer.link(&at, rtype) {
                Link::Records(set) => return whole.and(self.records(messages, &answer, &set).await),
                Link::Nothing if at == asked => return whole.and(self.absence(messages, &answer, &at, rtype).await),
                Link::Alias(set, target) => {
                    whole = whole.and(self.records(messages, &answer, &set).await);
                    at = target;
                }
                // Proofs about the end of an alias are often left out; the answer to the question for it has them.
                Link::Nothing => {
                    let next = match to_name(&at) {
                        Some(target) => messages.message(&target, rtype).await,
                        None => Err(unreadable(answer.span)),
                    };
                    match next.and_then(|message| Parsed::read(&message)) {
                        Ok(next) => (answer, asked) = (next, at.clone()),
                        Err(no_reply) => return whole.and(no_reply.into()),
                    }
                }
            }
        }
        whole.and(Judgement::unknown(Cause::LimitReached, "the chain of aliases is too long"))
    }

    /// The state of records that an answer holds (RFC 4035 section 5.3).
    async fn records(&self, messages: &impl Messages, answer: &Parsed, set: &RrSet<'_>) -> Judgement {
        let Some(home) = home(&set.owner, set.rtype) else {
            return Judgement::unknown(Cause::Parse, "an owner name cannot be read");
        };
        let signer = set.deepest_signer().and_then(|signer| to_name(&signer));
        let upto = signer.unwrap_or_else(|| home.clone());
        let zone = match self.zone_of(messages, &upto).await {
            Trust::Zone(zone) => zone,
            Trust::Not(judgement) => return judgement,
        };
        match self.check(answer, set, &zone) {
            Ok(judgement) => judgement,
            Err(reason) => self.insecure_or_bogus(messages, &home, &zone, reason).await,
        }
    }

    fn check(&self, answer: &Parsed, set: &RrSet<'_>, zone: &Zone) -> Result<Judgement, String> {
        let verified = signature::verify(set, zone, self.time())?;
        if !verified.wildcard {
            return Ok(Judgement::secure(Some(verified.expires)));
        }
        // RFC 4035 section 5.3.4: records of a wildcard count only if the name itself is proven not to exist.
        let denial = Denial::gather(&answer.message.authorities, zone, self.time());
        let proven = denial.no_closer_match(&set.owner, verified.labels);
        match proven.map_err(|why| format!("{} comes from a wildcard, and {why}", set.title()))? {
            Proven::Secure => Ok(Judgement::secure(Some(verified.expires))),
            Proven::Insecure(reason) => Ok(Judgement::insecure(reason)),
        }
    }

    /// The state of an answer without records (RFC 4035 section 5.4, RFC 5155 section 8).
    async fn absence(&self, messages: &impl Messages, answer: &Parsed, at: &WireName, rtype: RecordType) -> Judgement {
        let wire_type = WireType::from(rtype.0);
        let Some(home) = home(at, wire_type) else {
            return Judgement::unknown(Cause::Parse, "a name cannot be read");
        };
        let upto = answer.speaker(at, wire_type).and_then(|zone| to_name(&zone)).unwrap_or_else(|| home.clone());
        let zone = match self.zone_of(messages, &upto).await {
            Trust::Zone(zone) => zone,
            Trust::Not(judgement) => return judgement,
        };
        let denial = Denial::gather(&answer.message.authorities, &zone, self.time());
        let proven = match answer.nxdomain() {
            true => denial.no_name(at),
            false => denial.no_type(at, wire_type),
        };
        match proven {
            Ok(Proven::Secure) => Judgement::secure(denial.expires()),
            Ok(Proven::Insecure(reason)) => Judgement::insecure(reason),
            Err(why) => {
                let shown = names::shown(at);
                let reason = match answer.nxdomain() {
                    true => format!("that {shown} does not exist is not proven: {why}"),
                    false => format!("that {shown} has no {rtype} record is not proven: {why}"),
                };
                self.insecure_or_bogus(messages, &home, &zone, reason).await
            }
        }
    }

    /// What does not hold in the zone that claims to speak may lie in an unsigned zone further down.
    async fn insecure_or_bogus(&self, messages: &impl Messages, home: &Name, zone: &Zone, reason: String) -> Judgement {
        if *home == zone.name {
            return Judgement::bogus(reason);
        }
        match self.zone_of(messages, home).await {
            Trust::Not(judgement) if judgement.state != Ok(Security::Bogus) => judgement,
            _ => Judgement::bogus(reason),
        }
    }
}

/// The name whose zone holds a record: a DS record stands above the cut (RFC 4035 section 2.4).
fn home(owner: &WireName, rtype: WireType) -> Option<Name> {
    to_name(owner).map(|name| home_of(&name, RecordType(rtype.into())).into_owned())
}

fn home_of(name: &Name, rtype: RecordType) -> Cow<'_, Name> {
    match rtype {
        RecordType::DS => name.parent().map_or(Cow::Borrowed(name), Cow::Owned),
        _ => Cow::Borrowed(name),
    }
}

/// The state of a set of records, why, and how long its signatures hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Judgement {
    state: Result<Security, Cause>,
    reason: Option<Arc<str>>,
    expires: Option<i64>,
}

impl Judgement {
    fn secure(expires: Option<i64>) -> Judgement {
        Judgement { state: Ok(Security::Secure), reason: None, expires }
    }

    fn because(state: Result<Security, Cause>, reason: impl Into<Arc<str>>) -> Judgement {
        Judgement { state, reason: Some(reason.into()), expires: None }
    }

    fn insecure(reason: impl Into<Arc<str>>) -> Judgement {
        Judgement::because(Ok(Security::Insecure), reason)
    }

    fn bogus(reason: impl Into<Arc<str>>) -> Judgement {
        Judgement::because(Ok(Security::Bogus), reason)
    }

    fn indeterminate(reason: impl Into<Arc<str>>) -> Judgement {
        Judgement::because(Ok(Security::Indeterminate), reason)
    }

    fn unknown(cause: Cause, reason: impl Into<Arc<str>>) -> Judgement {
        Judgement::because(Err(cause), reason)
    }

    /// The validation of the answer whose text is at a place.
    fn of(self, span: Span) -> Validation {
        let state = match self.state {
            Ok(security) => Observed::Present(security),
            Err(cause) => Observed::Unknown(cause),
        };
        Validation { state, reason: self.reason, span: Some(span), expires: self.expires }
    }

    /// The weaker of two, with the earlier expiry.
    fn and(self, other: Judgement) -> Judgement {
        let expires = match (self.expires, other.expires) {
            (Some(left), Some(right)) => Some(left.min(right)),
            (left, right) => left.or(right),
        };
        let weaker = if other.weakness() > self.weakness() { other } else { self };
        Judgement { expires, ..weaker }
    }

    /// A proven fault outweighs what is not known, which outweighs the states without a fault.
    fn weakness(&self) -> u8 {
        match self.state {
            Ok(Security::Secure) => 0,
            Ok(Security::Insecure) => 1,
            Ok(Security::Indeterminate) => 2,
            Err(_) => 3,
            Ok(Security::Bogus) => 4,
        }
    }
}

impl From<NoReply> for Judgement {
    fn from(no_reply: NoReply) -> Judgement {
        Judgement::unknown(no_reply.cause, no_reply.note)
    }
}

/// A message that answers, as records.
#[derive(Debug)]
struct Parsed {
    message: WireMessage,
    span: Span,
}

/// What an answer says about one name of its chain.
enum Link<'m> {
    Records(RrSet<'m>),
    Alias(RrSet<'m>, WireName),
    Nothing,
}

impl Parsed {
    /// Reads a message; one that does not answer is no reply.
    fn read(message: &Message) -> Result<Parsed, NoReply> {
        let span = message.span;
        let message = WireMessage::from_vec(&message.heard.octets).map_err(|_| unreadable(span))?;
        let cause = match message.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => return Ok(Parsed { message, span }),
            ResponseCode::ServFail => Cause::DnsServfail,
            ResponseCode::Refused => Cause::DnsRefused,
            _ => Cause::Protocol,
        };
        let asked = message.queries.first().map(|query| format!("{} {}", query.query_type, names::shown(&query.name)));
        let code = message.metadata.response_code.to_str();
        let note = format!("the question for {} ends in \"{code}\"", asked.unwrap_or_default());
        Err(NoReply { cause, note: note.into(), span: Some(span) })
    }

    fn nxdomain(&self) -> bool {
        self.message.metadata.response_code == ResponseCode::NXDomain
    }

    /// The records at a name, the alias that stands there, or nothing.
    fn link(&self, at: &WireName, rtype: RecordType) -> Link<'_> {
        let wanted = RrSet::select(&self.message.answers, at, WireType::from(rtype.0));
        if !wanted.is_empty() {
            return Link::Records(wanted);
        }
        let alias = RrSet::select(&self.message.answers, at, WireType::CNAME);
        let Some(RData::CNAME(target)) = alias.records.first().map(|record| &record.data) else {
            return Link::Nothing;
        };
        let target = target.0.clone();
        // RFC 6672 section 5.3.1: a CNAME made from a DNAME has no signature of its own; that of the DNAME counts.
        match self.dname_above(at, &target) {
            Some(dname) if alias.signatures.is_empty() => Link::Alias(dname, target),
            _ => Link::Alias(alias, target),
        }
    }

    /// The DNAME that turns a name into a target (RFC 6672 section 2.2).
    fn dname_above(&self, at: &WireName, target: &WireName) -> Option<RrSet<'_>> {
        let makes = |record: &&Record| {
            let RData::Unknown { rdata, .. } = &record.data else { return false };
            let Some(substitute) = names::read_name(&rdata.anything) else { return false };
            record.name != *at
                && record.name.zone_of(at)
                && names::replaced(at, &record.name, &substitute).as_ref() == Some(target)
        };
        let record = self.message.answers.iter().find(makes)?;
        Some(RrSet::select(&self.message.answers, &record.name, record.record_type()))
    }

    /// The zone that claims to say that there are no records: the signer of the proof, or the owner of the SOA record.
    fn speaker(&self, at: &WireName, rtype: WireType) -> Option<WireName> {
        let may_speak = |zone: &WireName| zone.zone_of(at) && (rtype != WireType::DS || zone != at || at.is_root());
        let authorities = &self.message.authorities;
        let signers = signature::signatures(authorities).map(|(_, signature)| signature.input().signer_name.clone());
        let deepest = |names: &mut dyn Iterator<Item = WireName>| {
            names.filter(|zone| may_speak(zone)).max_by_key(WireName::num_labels)
        };
        let soa = authorities.iter().filter(|record| record.record_type() == WireType::SOA);
        deepest(&mut signers.into_iter()).or_else(|| deepest(&mut soa.map(|record| record.name.clone())))
    }
}

fn unreadable(span: Span) -> NoReply {
    NoReply { cause: Cause::Parse, note: "the reply cannot be read".into(), span: Some(span) }
}
