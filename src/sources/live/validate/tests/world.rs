//! Signed zones in memory, answered for as a resolver would. Every message is built anew, so a test can spoil a zone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_proto::dnssec::crypto::Ed25519SigningKey;
use hickory_proto::dnssec::rdata::sig::SigInput;
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS, NSEC, NSEC3, RRSIG};
use hickory_proto::dnssec::{DigestType, DnssecSigner, Nsec3HashAlgorithm, SigningKey as _, TBS};
use hickory_proto::op::{Message as WireMessage, OpCode, ResponseCode};
use hickory_proto::rr::rdata::name::{CNAME, NS};
use hickory_proto::rr::rdata::{A, MX, NULL, SOA};
use hickory_proto::rr::{DNSClass, Name as WireName, RData, Record, RecordType as WireType, SerialNumber};

use hickory_proto::serialize::binary::BinEncodable as _;

use super::super::super::exchange::{Heard, Transport};
use super::super::super::wire;
use super::super::{Message, Messages, Plain, Validator};
use crate::diag::{Files, Span};
use crate::facts::Cause;
use crate::mail::Name;
use crate::sources::{NoReply, RecordType};

/// The time of all tests: 2026-11-21 00:00 UTC.
pub(super) const NOW: i64 = 1_795_219_200;
pub(super) const DAY: i64 = 86_400;

pub(super) fn wire(text: &str) -> WireName {
    WireName::from_ascii(if text == "." { ".".to_owned() } else { format!("{text}.") }).unwrap()
}

pub(super) fn a(owner: &str) -> Record {
    Record::from_rdata(wire(owner), 300, RData::A(A::new(9, 9, 9, 9)))
}

pub(super) fn mx(owner: &str, host: &str) -> Record {
    Record::from_rdata(wire(owner), 300, RData::MX(MX::new(10, wire(host))))
}

pub(super) fn cname(owner: &str, target: &str) -> Record {
    Record::from_rdata(wire(owner), 300, RData::CNAME(CNAME(wire(target))))
}

pub(super) fn dname(owner: &str, target: &str) -> Record {
    let rdata = NULL::with(wire(target).to_bytes().unwrap());
    Record::from_rdata(wire(owner), 300, RData::Unknown { code: WireType::DNAME, rdata })
}

pub(super) fn ns(owner: &str) -> Record {
    Record::from_rdata(wire(owner), 300, RData::NS(NS(wire("ns.example.net"))))
}

/// How a zone proves that something does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proofs {
    /// The zone is not signed.
    Unsigned,
    Nsec,
    Nsec3 {
        iterations: u16,
        opt_out: bool,
    },
}

pub(super) struct TestZone {
    pub(super) name: WireName,
    pub(super) signer: DnssecSigner,
    pub(super) records: Vec<Record>,
    pub(super) proofs: Proofs,
    /// Validity of the signatures.
    pub(super) valid: (i64, i64),
}

pub(super) fn signer(name: &str) -> DnssecSigner {
    let key = Ed25519SigningKey::from_pkcs8(&Ed25519SigningKey::generate_pkcs8().unwrap()).unwrap();
    let dnskey = DNSKEY::with_flags(257, key.to_public_key().unwrap());
    DnssecSigner::new(dnskey, Box::new(key), wire(name), Duration::from_secs(1))
}

impl TestZone {
    pub(super) fn new(name: &str, proofs: Proofs, records: Vec<Record>) -> TestZone {
        let signer = signer(name);
        let soa = SOA::new(wire("ns.example.net"), wire("host.example.net"), 1, 7200, 900, 1_209_600, 300);
        let mut all = vec![Record::from_rdata(wire(name), 300, RData::SOA(soa)), ns(name)];
        if proofs != Proofs::Unsigned {
            let key = RData::DNSSEC(DNSSECRData::DNSKEY(signer.to_dnskey()));
            all.push(Record::from_rdata(wire(name), 300, key));
        }
        all.extend(records);
        TestZone { name: wire(name), signer, records: all, proofs, valid: (NOW - DAY, NOW + 10 * DAY) }
    }

    /// The DS record that the zone above publishes.
    pub(super) fn ds(&self) -> Record {
        let key = self.signer.to_dnskey();
        let digest = key.to_digest(&self.name, DigestType::SHA256).unwrap();
        let tag = key.calculate_key_tag().unwrap();
        let ds = DS::new(tag, self.signer.key().algorithm(), DigestType::SHA256, digest.as_ref().to_vec());
        Record::from_rdata(self.name.clone(), 300, RData::DNSSEC(DNSSECRData::DS(ds)))
    }

    fn set(&self, owner: &WireName, rtype: WireType) -> Vec<Record> {
        self.records.iter().filter(|r| r.name == *owner && r.record_type() == rtype).cloned().collect()
    }

    fn cut(&self, owner: &WireName) -> bool {
        *owner != self.name && !self.set(owner, WireType::NS).is_empty()
    }

    /// A set with its signature, owned by another name when a wildcard answers.
    fn signed(&self, set: Vec<Record>, owner: &WireName) -> Vec<Record> {
        let Some(first) = set.first() else { return set };
        let unsigned = self.proofs == Proofs::Unsigned
            || (self.cut(&first.name) && !matches!(first.record_type(), WireType::DS | WireType::NSEC));
        let signature = self.signature(&first.name, first.record_type(), &set);
        let mut all: Vec<Record> = set;
        if !unsigned {
            all.push(signature);
        }
        all.iter_mut().for_each(|record| record.name = owner.clone());
        all
    }

    fn signature(&self, owner: &WireName, rtype: WireType, set: &[Record]) -> Record {
        let input = SigInput {
            type_covered: rtype,
            algorithm: self.signer.key().algorithm(),
            num_labels: owner.num_labels(),
            original_ttl: 300,
            sig_expiration: SerialNumber::new(u32::try_from(self.valid.1).unwrap()),
            sig_inception: SerialNumber::new(u32::try_from(self.valid.0).unwrap()),
            key_tag: self.signer.calculate_key_tag().unwrap(),
            signer_name: self.name.clone(),
        };
        let tbs = TBS::from_input(owner, DNSClass::IN, &input, set.iter()).unwrap();
        let signature = RRSIG::from_sig(input, self.signer.sign(&tbs).unwrap());
        Record::from_rdata(owner.clone(), 300, RData::DNSSEC(DNSSECRData::RRSIG(signature)))
    }

    /// All names of the zone, with those that exist only because others lie below them.
    fn names(&self) -> BTreeSet<WireName> {
        let mut names = BTreeSet::new();
        for record in &self.records {
            let mut name = record.name.clone();
            while self.name.zone_of(&name) && names.insert(name.clone()) && name != self.name {
                name = name.base_name();
            }
        }
        names
    }

    fn types(&self, owner: &WireName) -> Vec<WireType> {
        let mut types: Vec<WireType> =
            self.records.iter().filter(|record| record.name == *owner).map(Record::record_type).collect();
        if !types.is_empty() && (!self.cut(owner) || types.contains(&WireType::DS)) {
            types.push(WireType::RRSIG);
        }
        types
    }

    /// Denial records that say something about these names.
    fn denial(&self, about: &[WireName]) -> Vec<Record> {
        let mut found: Vec<Record> = Vec::new();
        for name in about {
            let record = match self.proofs {
                Proofs::Unsigned => continue,
                Proofs::Nsec => self.nsec(name),
                Proofs::Nsec3 { iterations, opt_out } => self.nsec3(name, iterations, opt_out),
            };
            if !found.iter().any(|known| known.name == record.name) {
                found.push(record);
            }
        }
        found.into_iter().flat_map(|record| self.signed(vec![record.clone()], &record.name)).collect()
    }

    fn nsec(&self, name: &WireName) -> Record {
        let owners: Vec<WireName> = self.names().into_iter().filter(|name| !self.types(name).is_empty()).collect();
        let at = owners.iter().rposition(|owner| owner <= name).unwrap_or(owners.len() - 1);
        let next = owners[(at + 1) % owners.len()].clone();
        let types = self.types(&owners[at]).into_iter().chain([WireType::NSEC, WireType::RRSIG]);
        Record::from_rdata(owners[at].clone(), 300, RData::DNSSEC(DNSSECRData::NSEC(NSEC::new(next, types))))
    }

    fn nsec3(&self, name: &WireName, iterations: u16, opt_out: bool) -> Record {
        let hash =
            |name: &WireName| Nsec3HashAlgorithm::SHA1.hash(b"salt", name, iterations).unwrap().as_ref().to_vec();
        let kept = |name: &WireName| !(opt_out && self.cut(name) && self.set(name, WireType::DS).is_empty());
        let chain: BTreeMap<Vec<u8>, WireName> =
            self.names().into_iter().filter(kept).map(|name| (hash(&name), name)).collect();
        let hashes: Vec<&Vec<u8>> = chain.keys().collect();
        let wanted = hash(name);
        let at = hashes.iter().rposition(|hash| **hash <= wanted).unwrap_or(hashes.len() - 1);
        let next = hashes[(at + 1) % hashes.len()].clone();
        let types = self.types(&chain[hashes[at]]);
        let nsec3 = NSEC3::new(Nsec3HashAlgorithm::SHA1, opt_out, iterations, b"salt".to_vec(), next, types);
        let owner = self.name.prepend_label(data_encoding::BASE32_DNSSEC.encode(hashes[at]).as_str()).unwrap();
        Record::from_rdata(owner, 300, RData::DNSSEC(DNSSECRData::NSEC3(nsec3)))
    }

    /// Adds what the zone says about a name; the name to go on with when an alias stands there.
    fn answer(&self, name: &WireName, rtype: WireType, message: &mut WireMessage) -> Option<WireName> {
        let names = self.names();
        let mut encloser = name.clone();
        while !names.contains(&encloser) {
            encloser = encloser.base_name();
        }
        let wildcard = encloser.prepend_label("*").unwrap();
        let source = if encloser == *name { name } else { &wildcard };
        let depth = usize::from(encloser.num_labels()) + 1;
        let next_closer = name.trim_to(depth.min(name.iter().count()));
        let set = self.set(source, rtype);
        let alias = self.set(source, WireType::CNAME);
        let (found, target) = match (set.is_empty(), alias.first().map(|record| record.data.clone())) {
            (true, Some(RData::CNAME(CNAME(target)))) => (alias, Some(target)),
            _ => (set, None),
        };
        if !found.is_empty() {
            message.add_answers(self.signed(found, name));
            if encloser != *name {
                message.add_authorities(self.denial(&[next_closer]));
            }
            return target;
        }
        message.add_authorities(self.signed(self.set(&self.name, WireType::SOA), &self.name));
        let about = match encloser == *name {
            true => vec![name.clone()],
            false => vec![encloser, next_closer, name.clone(), wildcard.clone()],
        };
        message.add_authorities(self.denial(&about));
        // A span with opt-out has no record of the delegation itself: the closest encloser is proven instead.
        if self.cut(name) {
            message.add_authorities(self.denial(&[name.base_name()]));
        }
        if about.len() > 1 && !names.contains(&wildcard) {
            message.metadata.response_code = ResponseCode::NXDomain;
        }
        None
    }
}

/// What spoils a message before it is handed over.
pub(super) type Spoil = Box<dyn Fn(&mut WireMessage) + Sync + Send>;

/// Zones behind one resolver.
pub(super) struct World {
    pub(super) zones: Vec<TestZone>,
    pub(super) spoil: Vec<(Name, RecordType, Spoil)>,
    pub(super) silent: Vec<(Name, RecordType)>,
    /// Questions, and how many answers had come before they were asked first.
    pub(super) asked: Mutex<BTreeMap<(Name, u16), usize>>,
    answered: Mutex<usize>,
    span: Span,
}

impl World {
    /// The root, `org` and `example.org`, all signed, and DS records of all zones but the root in the zone above.
    pub(super) fn new(proofs: Proofs, records: Vec<Record>) -> World {
        let example = TestZone::new("example.org", proofs, records);
        let org = TestZone::new("org", Proofs::Nsec, vec![ns("example.org"), example.ds()]);
        let root = TestZone::new(".", Proofs::Nsec, vec![ns("org"), org.ds()]);
        let mut files = Files::default();
        let span = Span::new(files.add("dns/answer", "text"), 0, 4);
        World {
            zones: vec![root, org, example],
            spoil: Vec::new(),
            silent: Vec::new(),
            asked: Mutex::default(),
            answered: Mutex::default(),
            span,
        }
    }

    /// Another zone, with a delegation in the zone above and, where it is signed, a DS record.
    pub(super) fn with(mut self, zone: TestZone) -> World {
        let above = self.zones.iter_mut().filter(|above| above.name.zone_of(&zone.name));
        let above = above.max_by_key(|above| above.name.num_labels()).unwrap();
        above.records.push(ns(zone.name.to_string().trim_end_matches('.')));
        if zone.proofs != Proofs::Unsigned {
            above.records.push(zone.ds());
        }
        self.zones.push(zone);
        self
    }

    pub(super) fn zone(&mut self, name: &str) -> &mut TestZone {
        self.zones.iter_mut().find(|zone| zone.name == wire(name)).unwrap()
    }

    pub(super) fn spoil(
        mut self,
        name: &str,
        rtype: RecordType,
        how: impl Fn(&mut WireMessage) + Sync + Send + 'static,
    ) -> World {
        self.spoil.push((Name::parse(name).unwrap(), rtype, Box::new(how)));
        self
    }

    pub(super) fn silent(mut self, name: &str, rtype: RecordType) -> World {
        self.silent.push((Name::parse(name).unwrap(), rtype));
        self
    }

    /// A validator that trusts the root of this world.
    pub(super) fn validator(&self) -> Validator {
        let RData::DNSSEC(DNSSECRData::DS(ds)) = self.zones[0].ds().data else { unreachable!() };
        let digest = data_encoding::HEXUPPER.encode(ds.digest());
        self.trusting(&format!(". DS {} 15 2 {digest}", ds.key_tag()))
    }

    pub(super) fn trusting(&self, anchors: &str) -> Validator {
        Validator { now: || NOW, ..Validator::new(Some(anchors)).unwrap() }
    }

    /// What the zones say, before it is spoiled.
    pub(super) fn respond(&self, name: &str, rtype: RecordType) -> WireMessage {
        let mut message = WireMessage::response(1, OpCode::Query);
        let rtype = WireType::from(rtype.0);
        let mut at = wire(name);
        for _ in 0..20 {
            let holds = |zone: &&TestZone| zone.name.zone_of(&at) && (rtype != WireType::DS || zone.name != at);
            let zone = self.zones.iter().filter(holds).max_by_key(|zone| zone.name.num_labels()).unwrap();
            match zone.answer(&at, rtype, &mut message) {
                Some(target) => at = target,
                None => break,
            }
        }
        message
    }
}

impl Messages for World {
    async fn message(&self, name: &Name, rtype: RecordType) -> Result<Arc<Message>, NoReply> {
        let before = *self.answered.lock().unwrap();
        self.asked.lock().unwrap().entry((name.clone(), rtype.0)).or_insert(before);
        tokio::task::yield_now().await;
        *self.answered.lock().unwrap() += 1;
        if self.silent.contains(&(name.clone(), rtype)) {
            return Err(NoReply { cause: Cause::DnsTimeout, note: "no answer within 5 s".into(), span: None });
        }
        let mut message = self.respond(name.as_str(), rtype);
        for (_, _, how) in self.spoil.iter().filter(|(at, asked, _)| at == name && *asked == rtype) {
            how(&mut message);
        }
        let octets = message.to_vec().unwrap();
        let plain = Plain::of(&wire::Message::read(&octets, None).unwrap(), name, rtype);
        let heard = Heard { octets, server: ([127, 0, 0, 1], 53).into(), transport: Transport::Udp };
        let (name, suffix) = (name.clone(), String::new());
        Ok(Arc::new(Message { name, rtype, suffix, heard, span: self.span, plain }))
    }
}
