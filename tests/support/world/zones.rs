//! Zones in memory, some of them signed: what the name servers of the world serve.

use std::collections::BTreeSet;
use std::time::Duration;

use hickory_proto::dnssec::crypto::Ed25519SigningKey;
use hickory_proto::dnssec::rdata::sig::SigInput;
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS, NSEC, RRSIG};
use hickory_proto::dnssec::{DigestType, DnssecSigner, SigningKey as _, TBS};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::NULL;
use hickory_proto::rr::rdata::name::CNAME;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType, SerialNumber};
use hickory_proto::serialize::binary::BinEncodable as _;

const DAY: i64 = 86_400;

/// A name with or without final dot.
pub(crate) fn name(text: &str) -> Name {
    Name::from_ascii(format!("{}.", text.trim_end_matches('.'))).unwrap()
}

/// A record from `owner TYPE data`, names in the data absolute.
fn record(line: &str) -> Record {
    let mut words = line.split_whitespace();
    let (owner, rtype) = (words.next().unwrap(), words.next().unwrap());
    let rest = line[line.find(rtype).unwrap() + rtype.len()..].trim();
    let encoded = |text: &str| name(text).to_bytes().unwrap();
    let (code, data) = match rtype {
        "A" => (1, rest.parse::<std::net::Ipv4Addr>().unwrap().octets().to_vec()),
        "AAAA" => (28, rest.parse::<std::net::Ipv6Addr>().unwrap().octets().to_vec()),
        "CNAME" => return Record::from_rdata(name(owner), 300, RData::CNAME(CNAME(name(rest)))),
        "NS" => (2, encoded(rest)),
        "PTR" => (12, encoded(rest)),
        "SOA" => {
            let mut data = [encoded("ns1.good.org"), encoded("hostmaster.good.org")].concat();
            for number in [rest.parse::<u32>().unwrap(), 7200, 3600, 1_209_600, 300] {
                data.extend(number.to_be_bytes());
            }
            (6, data)
        }
        "MX" => {
            let (preference, host) = rest.split_once(' ').unwrap();
            (15, [preference.parse::<u16>().unwrap().to_be_bytes().to_vec(), encoded(host)].concat())
        }
        "TXT" => {
            let chunks = rest.as_bytes().chunks(255);
            (16, chunks.flat_map(|chunk| [&[u8::try_from(chunk.len()).unwrap()], chunk].concat()).collect())
        }
        "TLSA" => {
            let words: Vec<&str> = rest.split(' ').collect();
            let mut data: Vec<u8> = words[..3].iter().map(|word| word.parse().unwrap()).collect();
            data.extend(data_encoding::HEXLOWER.decode(words[3].as_bytes()).unwrap());
            (52, data)
        }
        "CAA" => {
            let (tag, value) = rest.split_once(' ').unwrap();
            (257, [&[0, u8::try_from(tag.len()).unwrap()], tag.as_bytes(), value.as_bytes()].concat())
        }
        other => panic!("no {other} records here"),
    };
    Record::from_rdata(name(owner), 300, RData::Unknown { code: RecordType::from(code), rdata: NULL::with(data) })
}

/// One zone.
pub(crate) struct Zone {
    pub(crate) name: Name,
    signer: Option<DnssecSigner>,
    records: Vec<Record>,
    /// Validity of the signatures.
    valid: (i64, i64),
}

impl Zone {
    /// A zone from lines `owner TYPE data`.
    pub(crate) fn new(origin: &str, signed: bool, text: &str) -> Zone {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut records: Vec<Record> = lines.map(record).collect();
        let signer = signed.then(|| {
            let key = Ed25519SigningKey::from_pkcs8(&Ed25519SigningKey::generate_pkcs8().unwrap()).unwrap();
            let dnskey = DNSKEY::with_flags(257, key.to_public_key().unwrap());
            DnssecSigner::new(dnskey, Box::new(key), name(origin), Duration::from_secs(1))
        });
        if let Some(signer) = &signer {
            let key = RData::DNSSEC(DNSSECRData::DNSKEY(signer.to_dnskey()));
            records.push(Record::from_rdata(name(origin), 300, key));
        }
        let now = jiff::Timestamp::now().as_second();
        Zone { name: name(origin), signer, records, valid: (now - DAY, now + 30 * DAY) }
    }

    fn key(&self) -> Option<DS> {
        let signer = self.signer.as_ref()?;
        let key = signer.to_dnskey();
        let digest = key.to_digest(&self.name, DigestType::SHA256).unwrap();
        let tag = key.calculate_key_tag().unwrap();
        Some(DS::new(tag, signer.key().algorithm(), DigestType::SHA256, digest.as_ref().to_vec()))
    }

    /// The trust anchor of the zone, as a line of a zone file.
    pub(crate) fn anchor(&self) -> String {
        let ds = self.key().unwrap();
        format!("{} DS {} 15 2 {}", self.name, ds.key_tag(), data_encoding::HEXUPPER.encode(ds.digest()))
    }

    /// Publishes the DS record of a zone below.
    pub(crate) fn trust(&mut self, below: &Zone) {
        let key = below.key().unwrap();
        self.records.push(Record::from_rdata(below.name.clone(), 300, RData::DNSSEC(DNSSECRData::DS(key))));
    }

    fn set(&self, owner: &Name, rtype: RecordType) -> Vec<Record> {
        self.records.iter().filter(|r| r.name == *owner && r.record_type() == rtype).cloned().collect()
    }

    fn is_cut(&self, owner: &Name) -> bool {
        *owner != self.name && !self.set(owner, RecordType::NS).is_empty()
    }

    fn signed(&self, mut set: Vec<Record>) -> Vec<Record> {
        let (Some(signer), Some(first)) = (&self.signer, set.first().cloned()) else { return set };
        let rtype = first.record_type();
        if self.is_cut(&first.name) && !matches!(rtype, RecordType::DS | RecordType::NSEC) {
            return set;
        }
        let input = SigInput {
            type_covered: rtype,
            algorithm: signer.key().algorithm(),
            num_labels: first.name.num_labels(),
            original_ttl: 300,
            sig_expiration: SerialNumber::new(u32::try_from(self.valid.1).unwrap()),
            sig_inception: SerialNumber::new(u32::try_from(self.valid.0).unwrap()),
            key_tag: signer.calculate_key_tag().unwrap(),
            signer_name: self.name.clone(),
        };
        let signed = TBS::from_input(&first.name, DNSClass::IN, &input, set.iter()).unwrap();
        let signature = RRSIG::from_sig(input, signer.sign(&signed).unwrap());
        set.push(Record::from_rdata(first.name, 300, RData::DNSSEC(DNSSECRData::RRSIG(signature))));
        set
    }

    /// All names of the zone, with those that exist only because others lie below them.
    fn names(&self) -> BTreeSet<Name> {
        let mut names = BTreeSet::new();
        for record in &self.records {
            let mut name = record.name.clone();
            while self.name.zone_of(&name) && names.insert(name.clone()) && name != self.name {
                name = name.base_name();
            }
        }
        names
    }

    fn types(&self, owner: &Name) -> Vec<RecordType> {
        let types: BTreeSet<RecordType> =
            self.records.iter().filter(|record| record.name == *owner).map(Record::record_type).collect();
        let mut types: Vec<RecordType> = types.into_iter().collect();
        if !types.is_empty() {
            types.extend([RecordType::NSEC, RecordType::RRSIG]);
        }
        types
    }

    fn denial(&self, about: &[Name]) -> Vec<Record> {
        if self.signer.is_none() {
            return Vec::new();
        }
        let owners: Vec<Name> = self.names().into_iter().filter(|name| !self.types(name).is_empty()).collect();
        let places =
            about.iter().map(|name| owners.iter().rposition(|owner| owner <= name).unwrap_or(owners.len() - 1));
        let places: BTreeSet<usize> = places.collect();
        let record = |at: usize| {
            let nsec = NSEC::new(owners[(at + 1) % owners.len()].clone(), self.types(&owners[at]));
            Record::from_rdata(owners[at].clone(), 300, RData::DNSSEC(DNSSECRData::NSEC(nsec)))
        };
        places.into_iter().flat_map(|at| self.signed(vec![record(at)])).collect()
    }

    /// Adds what the zone says about a name; the name to go on with when an alias stands there.
    pub(crate) fn answer(&self, at: &Name, rtype: RecordType, message: &mut Message) -> Option<Name> {
        let (set, alias) = (self.set(at, rtype), self.set(at, RecordType::CNAME));
        if !set.is_empty() {
            message.add_answers(self.signed(set));
            return None;
        }
        if let Some(RData::CNAME(CNAME(target))) = alias.first().map(|record| record.data.clone()) {
            message.add_answers(self.signed(alias));
            return Some(target);
        }
        message.add_authorities(self.signed(self.set(&self.name, RecordType::SOA)));
        let names = self.names();
        let mut encloser = at.clone();
        while !names.contains(&encloser) {
            encloser = encloser.base_name();
        }
        if encloser == *at {
            message.add_authorities(self.denial(std::slice::from_ref(at)));
        } else {
            let wildcard = encloser.prepend_label("*").unwrap();
            message.add_authorities(self.denial(&[encloser, at.clone(), wildcard]));
            message.metadata.response_code = ResponseCode::NXDomain;
        }
        None
    }

    /// Refers to the servers of a zone below, with the addresses that stand beside the delegation.
    pub(crate) fn refer(&self, at: &Name, message: &mut Message) -> bool {
        let mut cut = at.clone();
        while cut != self.name && !self.is_cut(&cut) {
            cut = cut.base_name();
        }
        let servers = self.set(&cut, RecordType::NS);
        if cut == self.name || servers.is_empty() {
            return false;
        }
        let glue = self.records.iter().filter(|record| record.name != cut && cut.zone_of(&record.name));
        message.add_additionals(glue.cloned());
        message.add_authorities(servers);
        true
    }

    /// The whole zone, its SOA record first and last.
    pub(crate) fn transfer(&self, message: &mut Message) {
        let soa = self.set(&self.name, RecordType::SOA);
        message.add_answers(soa.clone());
        message.add_answers(self.records.iter().filter(|record| record.record_type() != RecordType::SOA).cloned());
        message.add_answers(soa);
    }
}
