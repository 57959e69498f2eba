//! Sets of records and their signatures (RFC 4035 section 5.3).
//!
//! A signature counts when it is made by the zone, now valid, and verified with a key of the zone. Work is bounded: a
//! hostile zone may publish many keys with one tag and many signatures beside them.

use hickory_proto::dnssec::Verifier as _;
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, RRSIG};
use hickory_proto::rr::rdata::name::{CNAME, NS, PTR};
use hickory_proto::rr::{DNSClass, Name as WireName, RData, Record, RecordType as WireType};

use super::chain::Zone;
use super::names::shown;
use crate::facts::View;

/// Most cryptographic checks for one set of records.
const MOST_CHECKS: usize = 16;

/// The records of one type at one name, and their signatures.
#[derive(Debug)]
pub(super) struct RrSet<'m> {
    pub(super) owner: WireName,
    pub(super) rtype: WireType,
    pub(super) records: Vec<&'m Record>,
    pub(super) signatures: Vec<&'m RRSIG>,
}

/// What a valid signature says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verified {
    /// End of validity, in seconds since 1970.
    pub(super) expires: i64,
    /// Labels of the owner as signed (RFC 4034 section 3.1.3).
    pub(super) labels: u8,
    /// Whether the records were made from a wildcard.
    pub(super) wildcard: bool,
}

/// Why a signature does not count, from the least to the most informative.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    NoSignature,
    OtherSigner(String),
    Labels,
    Algorithm,
    NoKey,
    NotYet(i64),
    Expired(i64),
    TooMuch,
    Wrong,
}

impl<'m> RrSet<'m> {
    /// The set in a section of a message.
    pub(super) fn select(section: &'m [Record], owner: &WireName, rtype: WireType) -> RrSet<'m> {
        let here = |record: &&Record| record.dns_class == DNSClass::IN && record.name == *owner;
        RrSet {
            owner: owner.clone(),
            rtype,
            records: section.iter().filter(here).filter(|record| record.record_type() == rtype).collect(),
            signatures: signatures(section)
                .filter(|(record, signature)| here(record) && signature.input().type_covered == rtype)
                .map(|(_, signature)| signature)
                .collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How reasons name the set.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.rtype, shown(&self.owner))
    }

    /// The lowest zone that claims to have signed the set.
    pub(super) fn deepest_signer(&self) -> Option<WireName> {
        let signers = self.signatures.iter().map(|signature| &signature.input().signer_name);
        let own = signers
            .filter(|signer| signer.zone_of(&self.owner) && (self.rtype != WireType::DS || **signer != self.owner));
        own.max_by_key(|signer| signer.num_labels()).cloned()
    }
}

/// The signatures in a section, with the records that hold them.
pub(super) fn signatures(section: &[Record]) -> impl Iterator<Item = (&Record, &RRSIG)> {
    section.iter().filter_map(|record| match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(signature)) => Some((record, signature)),
        _ => None,
    })
}

/// Verifies a set with the keys of its zone.
///
/// # Errors
/// Why no signature counts.
pub(super) fn verify(set: &RrSet<'_>, zone: &Zone, now: i64) -> Result<Verified, String> {
    verify_with(set, &zone.wire, &zone.keys, now)
}

/// Verifies a set with given keys of a zone.
///
/// # Errors
/// Why no signature counts.
pub(super) fn verify_with(set: &RrSet<'_>, zone: &WireName, keys: &[DNSKEY], now: i64) -> Result<Verified, String> {
    let records = canonical(&set.records);
    let mut checks = 0;
    let mut fault = Fault::NoSignature;
    for signature in &set.signatures {
        match verify_one(set, &records, signature, zone, keys, now, &mut checks) {
            Ok(verified) => return Ok(verified),
            Err(found) => fault = fault.max(found),
        }
    }
    Err(fault.text(&set.title(), &shown(zone)))
}

fn verify_one(
    set: &RrSet<'_>,
    records: &[Record],
    signature: &RRSIG,
    zone: &WireName,
    keys: &[DNSKEY],
    now: i64,
    checks: &mut usize,
) -> Result<Verified, Fault> {
    let input = signature.input();
    // RFC 4035 section 5.3.1: the signer is the zone that holds the set.
    if input.signer_name != *zone || !zone.zone_of(&set.owner) {
        return Err(Fault::OtherSigner(shown(&input.signer_name)));
    }
    // RFC 4035 section 5.3.1: not more labels than the owner has, the root and a leading asterisk not counted.
    let labels = set.owner.num_labels();
    if input.num_labels > labels {
        return Err(Fault::Labels);
    }
    let expires = near(now, input.sig_expiration.get());
    if expires < now {
        return Err(Fault::Expired(expires));
    }
    let begins = near(now, input.sig_inception.get());
    if begins > now {
        return Err(Fault::NotYet(begins));
    }
    if !input.algorithm.is_supported() {
        return Err(Fault::Algorithm);
    }
    let mut fault = Fault::NoKey;
    for key in keys {
        let fits = key.algorithm() == input.algorithm && key.calculate_key_tag().ok() == Some(input.key_tag);
        if !fits {
            continue;
        }
        *checks += 1;
        if *checks > MOST_CHECKS {
            return Err(Fault::TooMuch);
        }
        if key.verify_rrsig(&set.owner, DNSClass::IN, signature, records.iter()).is_ok() {
            return Ok(Verified { expires, labels: input.num_labels, wildcard: input.num_labels < labels });
        }
        fault = Fault::Wrong;
    }
    Err(fault)
}

impl Fault {
    fn text(&self, title: &str, zone: &str) -> String {
        match self {
            Fault::NoSignature => format!("{title} has no signature, and {zone} is signed"),
            Fault::OtherSigner(signer) => {
                format!("the signature of {title} is by {signer}, and the zone that holds it is {zone}")
            }
            Fault::Labels => format!("the signature of {title} is for a longer name"),
            Fault::Algorithm => format!("the signature of {title} uses an algorithm that cannot be checked"),
            Fault::NoKey => format!("no DNSKEY of {zone} fits the signature of {title}"),
            Fault::NotYet(at) => format!("the signature of {title} is valid only from {} on", date(*at)),
            Fault::Expired(at) => format!("the signature of {title} expired on {}", date(*at)),
            Fault::TooMuch => format!("{title} has too many signatures and keys to check"),
            Fault::Wrong => format!("the signature of {title} does not match its data"),
        }
    }
}

fn date(at: i64) -> String {
    View::Time(at).to_string()
}

/// A time of 32 bits as the one that is nearest to now (RFC 4034 section 3.1.5, RFC 1982 section 3.2).
fn near(now: i64, serial: u32) -> i64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "arithmetic modulo 2^32 is meant")]
    let distance = serial.wrapping_sub(now as u32).cast_signed();
    now + i64::from(distance)
}

/// Copies in the form that is signed, without duplicates (RFC 4034 sections 6.2 and 6.3). The TTL takes no part, and
/// names are lower case before the records are sorted.
fn canonical(records: &[&Record]) -> Vec<Record> {
    let mut copies: Vec<Record> = Vec::with_capacity(records.len());
    for record in records {
        let mut data = record.data.clone();
        match &mut data {
            RData::MX(mx) => mx.exchange = mx.exchange.to_lowercase(),
            RData::NS(NS(name)) | RData::CNAME(CNAME(name)) | RData::PTR(PTR(name)) => *name = name.to_lowercase(),
            RData::SRV(srv) => srv.target = srv.target.to_lowercase(),
            _ => {}
        }
        if !copies.iter().any(|copy| copy.data == data) {
            copies.push(Record::from_rdata(record.name.clone(), 0, data));
        }
    }
    copies
}
