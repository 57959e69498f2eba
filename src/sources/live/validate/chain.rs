//! The way down from a trust anchor: which zone holds a name, and with which keys (RFC 4035 section 5.2).
//!
//! Each label below the anchor is one step. The DS question at it, answered by the zone above, says whether a zone
//! begins there, whether it is signed, and with which key. What was found out is remembered for the run.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use futures_util::future;
use hickory_proto::dnssec::Verifier as _;
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS};
use hickory_proto::dnssec::{Algorithm, DigestType};
use hickory_proto::rr::{Name as WireName, RData, RecordType as WireType};

use super::anchors::Anchor;
use super::denial::{Delegation, Denial};
use super::names::to_wire;
use super::signature::{self, RrSet};
use super::{Judgement, Messages, Parsed, Validator};
use crate::facts::Cause;
use crate::mail::Name;
use crate::sources::RecordType;

/// Most steps below an anchor.
const MOST_STEPS: usize = 40;

/// Most keys of a zone that are looked at; a change of keys and algorithm needs four.
const MOST_KEYS: usize = 32;

/// Most names that are remembered.
const MOST_REMEMBERED: usize = 20_000;

/// A zone whose keys are validated.
#[derive(Debug)]
pub(super) struct Zone {
    pub(super) name: Name,
    pub(super) wire: WireName,
    pub(super) keys: Vec<DNSKEY>,
}

/// Whether the zone that holds a name has validated keys.
pub(super) enum Trust {
    Zone(Arc<Zone>),
    Not(Judgement),
}

/// What one label on the way down means.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// No zone begins here.
    Same,
    /// A signed zone begins here.
    Zone(Arc<Zone>),
    /// The chain ends here.
    Stop(Judgement),
}

impl Validator {
    /// The zone that holds a name.
    pub(super) async fn zone_of(&self, messages: &impl Messages, name: &Name) -> Trust {
        let Some(anchor) = self.anchor_above(name) else {
            return Trust::Not(Judgement::indeterminate(format!("no trust anchor lies above {name}")));
        };
        let mut zone = match self.step(messages, None, &anchor.zone).await {
            Step::Zone(zone) => zone,
            Step::Stop(judgement) => return Trust::Not(judgement),
            Step::Same => return Trust::Not(Judgement::indeterminate("the trust anchor has no keys")),
        };
        let path = path(name, &anchor.zone);
        if path.len() > MOST_STEPS {
            return Trust::Not(Judgement::unknown(Cause::LimitReached, format!("{name} has too many labels")));
        }
        for cut in &path {
            match self.step(messages, Some(&zone), cut).await {
                Step::Same => {}
                Step::Zone(below) => zone = below,
                Step::Stop(judgement) => return Trust::Not(judgement),
            }
        }
        Trust::Zone(zone)
    }

    /// Asks for the keys between the anchor and a name before they are needed, all at the same time. The answers are
    /// remembered by whoever hands them over.
    pub(super) async fn ask_ahead(&self, messages: &impl Messages, name: &Name, rtype: RecordType) {
        // Where answers of an earlier run are judged, there is no time to win, and what was not needed was not kept.
        if self.as_of.load(Ordering::Relaxed) != 0 {
            return;
        }
        let Some(anchor) = self.anchor_above(name) else { return };
        // Hosts and names with an underscore are hardly ever zones.
        let host = matches!(rtype, RecordType::A | RecordType::AAAA | RecordType::TLSA | RecordType::CNAME);
        let mut questions = Vec::new();
        if self.remembered(&anchor.zone).is_none() {
            questions.push((anchor.zone.clone(), RecordType::DNSKEY));
        }
        for cut in path(name, &anchor.zone).into_iter().take(MOST_STEPS) {
            if cut.as_str().starts_with('_') || (host && cut == *name) {
                break;
            }
            match self.remembered(&cut) {
                Some(Step::Stop(_)) => break,
                Some(_) => {}
                None => questions.extend([(cut.clone(), RecordType::DS), (cut, RecordType::DNSKEY)]),
            }
        }
        future::join_all(questions.iter().map(|(name, rtype)| messages.message(name, *rtype))).await;
    }

    /// Where the way down to a name ends, if that is known already: `take` gets the name of the last step, and the state
    /// of all that lies below.
    pub(super) fn known_end<T>(&self, name: &Name, take: impl FnOnce(&Name, &Judgement) -> T) -> Option<T> {
        let anchor = self.anchor_above(name)?;
        let below = name.label_count() - anchor.zone.label_count();
        if below > MOST_STEPS {
            return None;
        }
        let steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        // The way down ends at the uppermost of these.
        let ends = name.upwards().take(below + 1).filter_map(|cut| match steps.get_key_value(cut) {
            Some((cut, Step::Stop(judgement))) => Some((cut, judgement)),
            _ => None,
        });
        ends.last().map(|(cut, judgement)| take(cut, judgement))
    }

    fn anchor_above(&self, name: &Name) -> Option<&Anchor> {
        let above = self.anchors.iter().filter(|anchor| name.is_within(&anchor.zone));
        above.max_by_key(|anchor| anchor.zone.label_count())
    }

    fn remembered(&self, name: &Name) -> Option<Step> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// One step, remembered unless a question was not answered. Without a zone above, the name is that of an anchor.
    async fn step(&self, messages: &impl Messages, above: Option<&Zone>, name: &Name) -> Step {
        if let Some(known) = self.remembered(name) {
            return known;
        }
        let step = match above {
            Some(above) => self.delegation(messages, above, name).await,
            None => self.anchored(messages, name).await,
        };
        let step = step.unwrap_or_else(Step::Stop);
        let answered = !matches!(&step, Step::Stop(judgement) if judgement.state.is_err());
        if answered {
            let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
            if steps.len() >= MOST_REMEMBERED {
                steps.clear();
            }
            steps.insert(name.clone(), step.clone());
        }
        step
    }

    /// The keys of a zone with a trust anchor (RFC 4035 section 5.2). `Err` ends the chain, too.
    async fn anchored(&self, messages: &impl Messages, name: &Name) -> Result<Step, Judgement> {
        let Some(anchor) = self.anchors.iter().find(|anchor| anchor.zone == *name) else {
            return Err(Judgement::indeterminate(format!("{name} has no trust anchor")));
        };
        let answer = ask(messages, name, RecordType::DNSKEY).await?;
        let wire = wire(name)?;
        let set = RrSet::select(&answer.message.answers, &wire, WireType::DNSKEY);
        if set.is_empty() || set.signatures.is_empty() {
            // A resolver or a box on the way that knows nothing of DNSSEC drops them: then nothing can be said.
            let reason = format!("no signed DNSKEY records of {name} are handed over, so nothing can be validated");
            return Err(Judgement::indeterminate(reason));
        }
        let keys = zone_keys(&set);
        let digests = usable(anchor.digests.iter());
        let trusted = |key: &&DNSKEY| anchor.trusts(key) || matches(key, &digests, &wire);
        let entries: Vec<DNSKEY> = keys.iter().filter(trusted).cloned().collect();
        if entries.is_empty() {
            return Err(Judgement::bogus(format!("no DNSKEY of {name} matches the trust anchor")));
        }
        signature::verify_with(&set, &wire, &entries, self.time()).map_err(Judgement::bogus)?;
        Ok(Step::Zone(Arc::new(Zone { name: name.clone(), wire, keys })))
    }

    /// What the zone above says about a name (RFC 4035 section 5.2, RFC 6840 section 4.4).
    async fn delegation(&self, messages: &impl Messages, above: &Zone, name: &Name) -> Result<Step, Judgement> {
        let now = self.time();
        let answer = ask(messages, name, RecordType::DS).await?;
        let wire = wire(name)?;
        let answers = &answer.message.answers;
        let set = RrSet::select(answers, &wire, WireType::DS);
        if !set.is_empty() {
            let verified = signature::verify(&set, above, now).map_err(Judgement::bogus)?;
            if verified.wildcard {
                return Err(Judgement::bogus(format!("the DS records of {name} come from a wildcard")));
            }
            return self.child(messages, above, name, wire, &set).await;
        }
        // An alias stands here, or a DNAME above: then no zone begins here (RFC 2181 section 10.1, RFC 6672 section 2.4).
        for record in answers {
            let alias = record.record_type() == WireType::CNAME && record.name == wire;
            let dname = record.record_type() == WireType::DNAME && record.name.zone_of(&wire);
            if alias || dname {
                let set = RrSet::select(answers, &record.name, record.record_type());
                if !set.signatures.is_empty() || !answers.iter().any(|other| other.record_type() == WireType::DNAME) {
                    return signature::verify(&set, above, now).map(|_| Step::Same).map_err(Judgement::bogus);
                }
            }
        }
        let denial = Denial::gather(&answer.message.authorities, above, now);
        match denial.no_delegation_signer(&wire, answer.nxdomain()) {
            Ok(Delegation::None) => Ok(Step::Same),
            Ok(Delegation::Unsigned(reason)) => Err(Judgement::insecure(reason)),
            Err(why) => {
                let zone = &above.name;
                Err(Judgement::bogus(format!("{zone} does not prove that {name} has no DS record: {why}")))
            }
        }
    }

    /// The keys of a zone with DS records (RFC 4035 section 5.2).
    async fn child(
        &self,
        messages: &impl Messages,
        above: &Zone,
        name: &Name,
        wire: WireName,
        digests: &RrSet<'_>,
    ) -> Result<Step, Judgement> {
        let digests = digests.records.iter().filter_map(|record| match &record.data {
            RData::DNSSEC(DNSSECRData::DS(digest)) => Some(digest),
            _ => None,
        });
        let digests = usable(digests);
        if digests.is_empty() {
            // RFC 4035 section 5.2: a zone whose algorithms are all unknown is treated as unsigned.
            let reason = format!("no DS record of {name} has an algorithm and a digest type that can be checked");
            return Err(Judgement::insecure(reason));
        }
        let answer = ask(messages, name, RecordType::DNSKEY).await?;
        let set = RrSet::select(&answer.message.answers, &wire, WireType::DNSKEY);
        let keys = zone_keys(&set);
        if keys.is_empty() {
            let reason = format!("{} publishes a DS record for {name}, which has no DNSKEY record", above.name);
            return Err(Judgement::bogus(reason));
        }
        let entries: Vec<DNSKEY> = keys.iter().filter(|key| matches(key, &digests, &wire)).cloned().collect();
        if entries.is_empty() {
            let reason = format!("no DNSKEY of {name} matches its DS record at {}", above.name);
            return Err(Judgement::bogus(reason));
        }
        signature::verify_with(&set, &wire, &entries, self.time()).map_err(Judgement::bogus)?;
        Ok(Step::Zone(Arc::new(Zone { name: name.clone(), wire, keys })))
    }
}

/// The names from below an anchor down to a name.
fn path(name: &Name, anchor: &Name) -> Vec<Name> {
    let mut path: Vec<Name> =
        std::iter::successors(Some(name.clone()), Name::parent).take_while(|name| name != anchor).collect();
    path.reverse();
    path
}

async fn ask(messages: &impl Messages, name: &Name, rtype: RecordType) -> Result<Parsed, Judgement> {
    let message = messages.message(name, rtype).await;
    message.and_then(|message| Parsed::read(&message)).map_err(Judgement::from)
}

fn wire(name: &Name) -> Result<WireName, Judgement> {
    to_wire(name).map_err(|_| Judgement::unknown(Cause::Parse, format!("{name} cannot be asked for")))
}

/// Keys that may sign records: zone keys that are not revoked (RFC 4034 section 2.1.1, RFC 5011 section 2.1).
fn zone_keys(set: &RrSet<'_>) -> Vec<DNSKEY> {
    let keys = set.records.iter().filter_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::DNSKEY(key)) if key.zone_key() && !key.revoke() => Some(key.clone()),
        _ => None,
    });
    keys.take(MOST_KEYS).collect()
}

/// DS records that can be checked; those of SHA-1 only when there is no better one (RFC 4509 section 3).
fn usable<'d>(digests: impl Iterator<Item = &'d DS>) -> Vec<&'d DS> {
    let can_be_checked = |digest: &&DS| {
        let algorithm: Algorithm = digest.algorithm();
        algorithm.is_supported() && digest.digest_type().is_supported()
    };
    let mut digests: Vec<&DS> = digests.filter(can_be_checked).collect();
    if digests.iter().any(|digest| digest.digest_type() != DigestType::SHA1) {
        digests.retain(|digest| digest.digest_type() != DigestType::SHA1);
    }
    digests
}

/// Whether a key is the one that a DS record stands for (RFC 4034 section 5.2).
fn matches(key: &DNSKEY, digests: &[&DS], zone: &WireName) -> bool {
    let tag = key.calculate_key_tag().ok();
    digests.iter().any(|digest| {
        tag == Some(digest.key_tag())
            && key.algorithm() == digest.algorithm()
            && digest.covers(zone, key).unwrap_or(false)
    })
}
