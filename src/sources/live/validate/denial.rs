//! Proofs that something does not exist: NSEC (RFC 4035 section 5.4) and NSEC3 (RFC 5155 section 8).
//!
//! Only records whose signatures hold take part. A proof by NSEC3 may leave room for unsigned delegations (opt-out) or
//! ask for more hashing than a validator should do (RFC 9276 section 3.2); what it proves is then insecure.

use hickory_proto::dnssec::Nsec3HashAlgorithm;
use hickory_proto::dnssec::rdata::{DNSSECRData, NSEC, NSEC3};
use hickory_proto::rr::{Name as WireName, RData, Record, RecordType as WireType};

use super::chain::Zone;
use super::names::shown;
use super::signature::{self, RrSet};

/// Most additional iterations that are computed (RFC 9276 section 3.2 lets validators choose a limit).
pub(super) const MOST_ITERATIONS: u16 = 150;

/// Most records of a proof that are looked at; complete proofs need three.
const MOST_RECORDS: usize = 12;

/// The validated denial records of an answer.
pub(super) struct Denial<'m> {
    zone: &'m Zone,
    nsec: Vec<(&'m WireName, &'m NSEC)>,
    nsec3: Vec<Hashed<'m>>,
    expires: Option<i64>,
    /// Why a record does not take part.
    fault: Option<String>,
}

/// An NSEC3 record with the hash that is its owner.
struct Hashed<'m> {
    hash: Vec<u8>,
    record: &'m NSEC3,
}

/// How far a proof goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proven {
    Secure,
    /// The proof holds, but leaves it open whether there is an unsigned delegation.
    Insecure(String),
}

/// What the absence of a DS record means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Delegation {
    /// No zone begins at the name.
    None,
    /// A zone that is not signed begins there, or may begin there.
    Unsigned(String),
}

type Result<T> = std::result::Result<T, String>;

impl<'m> Denial<'m> {
    /// The NSEC and NSEC3 records of an authority section whose signatures hold.
    pub(super) fn gather(authorities: &'m [Record], zone: &'m Zone, now: i64) -> Denial<'m> {
        let mut denial = Denial { zone, nsec: Vec::new(), nsec3: Vec::new(), expires: None, fault: None };
        let proofs = authorities.iter().filter(|record| zone.wire.zone_of(&record.name));
        let proofs = proofs.filter(|record| matches!(record.record_type(), WireType::NSEC | WireType::NSEC3));
        for record in proofs.take(MOST_RECORDS) {
            let set = RrSet::select(authorities, &record.name, record.record_type());
            match signature::verify(&set, zone, now) {
                Ok(verified) if verified.wildcard => {
                    denial.fault = Some(format!("{} comes from a wildcard", set.title()));
                }
                Ok(verified) => {
                    denial.expires = Some(denial.expires.map_or(verified.expires, |known| known.min(verified.expires)));
                    denial.take(record);
                }
                Err(reason) => denial.fault = Some(reason),
            }
        }
        denial
    }

    fn take(&mut self, record: &'m Record) {
        match &record.data {
            RData::DNSSEC(DNSSECRData::NSEC(nsec)) => self.nsec.push((&record.name, nsec)),
            RData::DNSSEC(DNSSECRData::NSEC3(nsec3)) => {
                // RFC 5155 section 3: the owner is the hash, one label below the zone.
                let label = record.name.iter().next().map(<[u8]>::to_ascii_uppercase).unwrap_or_default();
                let hash = data_encoding::BASE32_DNSSEC.decode(&label.to_ascii_lowercase()).ok();
                if let Some(hash) = hash.filter(|_| record.name.base_name() == self.zone.wire) {
                    self.nsec3.push(Hashed { hash, record: nsec3 });
                }
            }
            _ => {}
        }
    }

    /// The earliest end of validity among the signatures of the proof.
    pub(super) fn expires(&self) -> Option<i64> {
        self.expires
    }

    fn fail<T>(&self, why: &str) -> Result<T> {
        Err(match &self.fault {
            Some(fault) => fault.clone(),
            None if self.nsec.is_empty() && self.nsec3.is_empty() => "there is no NSEC or NSEC3 record".to_owned(),
            None => why.to_owned(),
        })
    }

    /// That a name does not exist, nor a wildcard that would answer for it (RFC 4035 section 5.4, RFC 5155 section 8.4).
    pub(super) fn no_name(&self, name: &WireName) -> Result<Proven> {
        if let Some(too_many) = self.too_many_iterations() {
            return Ok(too_many);
        }
        if self.nsec3.is_empty() {
            let Some((owner, nsec)) = self.covering(name) else {
                return self.fail("no NSEC record covers the name");
            };
            if nsec.next_domain_name() != name && name.zone_of(nsec.next_domain_name()) {
                return self.fail("the NSEC record shows that names exist below it");
            }
            let Some(wildcard) = wildcard_of(&closest_encloser(name, owner, nsec.next_domain_name())) else {
                return self.fail("the wildcard cannot be written");
            };
            return match self.covering(&wildcard) {
                Some(_) => Ok(Proven::Secure),
                None => self.fail("a wildcard is not ruled out"),
            };
        }
        let (encloser, opt_out) = self.closest_encloser3(name)?;
        let Some(wildcard) = wildcard_of(&encloser) else { return self.fail("the wildcard cannot be written") };
        match self.covering3(&wildcard) {
            Some(_) => Ok(proven(name, opt_out)),
            None => self.fail("a wildcard is not ruled out"),
        }
    }

    /// That a name has no records of a type (RFC 4035 section 5.4, RFC 5155 sections 8.5 to 8.7).
    pub(super) fn no_type(&self, name: &WireName, rtype: WireType) -> Result<Proven> {
        if let Some(too_many) = self.too_many_iterations() {
            return Ok(too_many);
        }
        if self.nsec3.is_empty() {
            return self.no_type_nsec(name, rtype);
        }
        if let Some(found) = self.matching3(name) {
            let types = Types::of_nsec3(found.record);
            return types.lack(name, rtype).map(|()| Proven::Secure).or_else(|why| self.fail(&why));
        }
        let (encloser, opt_out) = self.closest_encloser3(name)?;
        let wildcard = wildcard_of(&encloser).and_then(|wildcard| self.matching3(&wildcard));
        if let Some(found) = wildcard {
            let types = Types::of_nsec3(found.record);
            return types.lack(name, rtype).map(|()| proven(name, opt_out)).or_else(|why| self.fail(&why));
        }
        // RFC 5155 section 8.6: an unsigned delegation may hide in a span with opt-out, and so may names above one.
        match opt_out {
            true => Ok(proven(name, true)),
            false => self.fail("the proof is that the name does not exist"),
        }
    }

    fn no_type_nsec(&self, name: &WireName, rtype: WireType) -> Result<Proven> {
        if let Some((_, nsec)) = self.nsec.iter().find(|(owner, _)| *owner == name) {
            let types = Types::of_nsec(nsec);
            return types.lack(name, rtype).map(|()| Proven::Secure).or_else(|why| self.fail(&why));
        }
        let Some((owner, nsec)) = self.covering(name) else { return self.fail("no NSEC record is about the name") };
        let next = nsec.next_domain_name();
        // RFC 4592 section 2.2.2: a name without records exists when others exist below it.
        if name.zone_of(next) {
            return Ok(Proven::Secure);
        }
        let wildcard = wildcard_of(&closest_encloser(name, owner, next));
        let Some((_, nsec)) = self.nsec.iter().find(|(owner, _)| Some(*owner) == wildcard.as_ref()) else {
            return self.fail("the proof is that the name does not exist");
        };
        Types::of_nsec(nsec).lack(name, rtype).map(|()| Proven::Secure).or_else(|why| self.fail(&why))
    }

    /// That no name closer to `name` exists than the wildcard with so many labels that answered for it (RFC 4035 section
    /// 5.3.4, RFC 5155 section 8.8).
    pub(super) fn no_closer_match(&self, name: &WireName, labels: u8) -> Result<Proven> {
        if let Some(too_many) = self.too_many_iterations() {
            return Ok(too_many);
        }
        if self.nsec3.is_empty() {
            return match self.covering(name) {
                Some((owner, nsec)) => {
                    let encloser = closest_encloser(name, owner, nsec.next_domain_name());
                    match encloser.num_labels() == labels {
                        true => Ok(Proven::Secure),
                        false => self.fail("the proof is for another wildcard"),
                    }
                }
                None => self.fail("nothing proves that the name itself does not exist"),
            };
        }
        let next_closer = name.trim_to(usize::from(labels) + 1);
        match self.covering3(&next_closer) {
            Some(covering) => Ok(proven(name, covering.record.opt_out())),
            None => self.fail("nothing proves that the name itself does not exist"),
        }
    }

    /// What the absence of a DS record at a name means (RFC 6840 section 4.4, RFC 5155 section 8.9).
    pub(super) fn no_delegation_signer(&self, name: &WireName, nxdomain: bool) -> Result<Delegation> {
        let proven = match nxdomain {
            true => self.no_name(name)?,
            false => self.no_type(name, WireType::DS)?,
        };
        if let Proven::Insecure(reason) = proven {
            return Ok(Delegation::Unsigned(reason));
        }
        let nsec = self.nsec.iter().find(|(owner, _)| *owner == name).map(|(_, nsec)| Types::of_nsec(nsec));
        let types = nsec.or_else(|| self.matching3(name).map(|found| Types::of_nsec3(found.record)));
        Ok(match types {
            Some(types) if types.delegation => {
                let (zone, name) = (&self.zone.name, shown(name));
                Delegation::Unsigned(format!("{zone} proves that {name} has no DS record"))
            }
            _ => Delegation::None,
        })
    }

    /// The NSEC record in whose span a name lies (RFC 4034 section 4.1.1). That of a cut or a DNAME above the name says
    /// nothing about it (RFC 6840 section 4.1).
    fn covering(&self, name: &WireName) -> Option<(&'m WireName, &'m NSEC)> {
        let covers = |(owner, nsec): &&(&WireName, &NSEC)| {
            let next = nsec.next_domain_name();
            let inside = match *owner < next {
                true => *owner < name && name < next,
                // The last record leads back to the top of the zone.
                false => *owner < name || name < next,
            };
            inside && !(owner.zone_of(name) && nsec.is_ancestor_delegation())
        };
        self.nsec.iter().find(covers).copied()
    }

    fn too_many_iterations(&self) -> Option<Proven> {
        let most = self.nsec3.iter().map(|hashed| hashed.record.iterations()).max()?;
        let reason = || format!("NSEC3 with {most} iterations is not evaluated (RFC 9276 section 3.2)");
        (most > MOST_ITERATIONS).then(|| Proven::Insecure(reason()))
    }

    fn hash(name: &WireName, like: &NSEC3) -> Option<Vec<u8>> {
        let algorithm: Nsec3HashAlgorithm = like.hash_algorithm();
        let digest = algorithm.hash(like.salt(), name, like.iterations()).ok()?;
        Some(digest.as_ref().to_vec())
    }

    fn matching3(&self, name: &WireName) -> Option<&Hashed<'m>> {
        self.nsec3.iter().find(|hashed| Self::hash(name, hashed.record).as_ref() == Some(&hashed.hash))
    }

    fn covering3(&self, name: &WireName) -> Option<&Hashed<'m>> {
        let covers = |hashed: &&Hashed<'_>| {
            let Some(hash) = Self::hash(name, hashed.record) else { return false };
            let (owner, next) = (hashed.hash.as_slice(), hashed.record.next_hashed_owner_name());
            match owner < next {
                true => owner < hash.as_slice() && hash.as_slice() < next,
                // The last record leads back to the first.
                false => owner < hash.as_slice() || hash.as_slice() < next,
            }
        };
        self.nsec3.iter().find(covers)
    }

    /// The closest encloser of a name, and whether the next closer name lies in a span with opt-out (RFC 5155 section
    /// 8.3).
    fn closest_encloser3(&self, name: &WireName) -> Result<(WireName, bool)> {
        let mut next_closer = name.clone();
        while next_closer != self.zone.wire && self.zone.wire.zone_of(&next_closer) {
            let encloser = next_closer.base_name();
            if let Some(found) = self.matching3(&encloser) {
                // RFC 5155 section 8.3: the zone must not be left through a DNAME or a delegation.
                if found.record.is_ancestor_delegation() {
                    return self.fail("the NSEC3 record is that of a delegation above the name");
                }
                return match self.covering3(&next_closer) {
                    Some(covering) => Ok((encloser, covering.record.opt_out())),
                    None => self.fail("no NSEC3 record covers the name"),
                };
            }
            next_closer = encloser;
        }
        self.fail("no NSEC3 record shows which part of the name exists")
    }
}

fn proven(name: &WireName, opt_out: bool) -> Proven {
    match opt_out {
        true => Proven::Insecure(format!("{} lies in a span of names with opt-out", shown(name))),
        false => Proven::Secure,
    }
}

/// The longest existing ancestor of a name that lies between two names (RFC 4592 section 3.3.1).
fn closest_encloser(name: &WireName, owner: &WireName, next: &WireName) -> WireName {
    let common = |other: &WireName| {
        name.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
    };
    name.trim_to(common(owner).max(common(next)))
}

fn wildcard_of(encloser: &WireName) -> Option<WireName> {
    encloser.prepend_label("*").ok()
}

/// What a type bit map says (RFC 4034 section 4.1.2).
struct Types<'m> {
    has: Box<dyn Fn(WireType) -> bool + 'm>,
    /// Whether the record stands on the upper side of a zone cut.
    delegation: bool,
}

impl<'m> Types<'m> {
    fn of_nsec(nsec: &'m NSEC) -> Types<'m> {
        Types::new(Box::new(|rtype| nsec.type_set().contains(rtype)))
    }

    fn of_nsec3(nsec3: &'m NSEC3) -> Types<'m> {
        Types::new(Box::new(|rtype| nsec3.type_set().contains(rtype)))
    }

    fn new(has: Box<dyn Fn(WireType) -> bool + 'm>) -> Types<'m> {
        let delegation = has(WireType::NS) && !has(WireType::SOA);
        Types { has, delegation }
    }

    /// That neither the type nor an alias stands at the name, said by the right side of a zone cut.
    fn lack(&self, name: &WireName, rtype: WireType) -> Result<()> {
        if (self.has)(rtype) {
            return Err(format!("it says that there are {rtype} records"));
        }
        if (self.has)(WireType::CNAME) {
            return Err("it says that there is an alias".to_owned());
        }
        match rtype {
            // RFC 4035 section 5.2, RFC 5155 section 8.9: the zone below cannot speak about its DS record.
            WireType::DS if (self.has)(WireType::SOA) && !name.is_root() => Err("it is by the zone below".to_owned()),
            // RFC 6840 section 4.1: the zone above can speak about nothing but the DS record.
            rtype if rtype != WireType::DS && self.delegation => Err("it is by the zone above".to_owned()),
            _ => Ok(()),
        }
    }
}
