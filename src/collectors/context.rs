//! What every collector needs, and the few steps they share: asking, and carrying an outcome over into a fact.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::diag::{FileId, Span};
use crate::facts::domain::{List, NsFacts, SoaFacts};
use crate::facts::{Cause, Fact, Method, Observed, Proof, Provenance};
use crate::inventory::{Domain, Inventory};
use crate::mail::{Name, suffix};
use crate::probes::https::PolicyFetch;
use crate::sources::{Answer, Outcome, RData, Record, RecordSource, RecordType, Text};

/// Most TXT lookups that are remembered.
const MOST_TEXTS: usize = 6;

/// The source of records and what the organisation says about itself.
pub struct Context<'a> {
    /// Where records come from.
    pub source: &'a dyn RecordSource,
    /// How facts from that source were obtained.
    pub method: Method,
    /// The inventory, if there is one.
    pub inventory: Option<&'a Inventory>,
    /// MTA-STS policy documents that the inventory names, by domain.
    pub policies: &'a [PolicyFile],
    /// Fetches of MTA-STS policies over HTTPS; empty when this run fetches none, or not yet.
    pub fetches: &'a [PolicyFetch],
    /// What is the same for many domains; start with `Cache::default()`.
    pub cache: Cache,
}

/// What is the same for many domains of a run, remembered from one domain to the next. Bounded; it changes no fact.
#[derive(Debug, Default)]
pub struct Cache {
    /// Name servers and SOA of the zone that was asked for last.
    pub(super) zone: RefCell<Option<ZoneFacts>>,
    /// TXT values that were asked for last, the latest first: several families read the same record.
    pub(super) texts: RefCell<Vec<(Name, Result<Texts, Missing>)>>,
    /// The organisational domain by the public suffix list of the name that was asked for last.
    listed: RefCell<Option<(Name, Option<Name>)>>,
    /// Organisational domains by name.
    pub(super) organisations: RefCell<BTreeMap<Name, Option<Name>>>,
}

/// Facts about a zone, which all domains in it share.
#[derive(Debug, Clone)]
pub(super) struct ZoneFacts {
    pub(super) zone: Name,
    pub(super) ns: Fact<List<NsFacts>>,
    pub(super) soa: SoaFacts,
}

/// An MTA-STS policy document that was handed over as a file.
#[derive(Debug, Clone)]
pub struct PolicyFile {
    /// The domain it is for.
    pub domain: Name,
    /// The file, in the run's table of files.
    pub file: FileId,
    /// Its text.
    pub text: String,
}

/// The end of a lookup without records: proven absence or unknown, with its position and note.
#[derive(Debug, Clone)]
pub(super) struct Missing {
    pub(super) observed: Observed<std::convert::Infallible>,
    pub(super) span: Option<Span>,
    pub(super) note: Option<Arc<str>>,
}

impl Missing {
    /// A fact of any type that is missing for this reason.
    pub(super) fn fact<T>(&self, method: Method) -> Fact<T> {
        let observed = match self.observed {
            Observed::Present(never) => match never {},
            Observed::Absent(proof) => Observed::Absent(proof),
            Observed::Unknown(cause) => Observed::Unknown(cause),
        };
        Fact { observed, from: Provenance { method, span: self.span, note: self.note.clone(), evidence: None } }
    }

    /// The cause, when the lookup was not answered; `None` when absence is proven.
    pub(super) fn cause(&self) -> Option<Cause> {
        match self.observed {
            Observed::Unknown(cause) => Some(cause),
            Observed::Present(_) | Observed::Absent(_) => None,
        }
    }

    /// The same reason with a note.
    pub(super) fn noted(mut self, note: impl Into<Arc<str>>) -> Missing {
        self.note = Some(note.into());
        self
    }

    /// Absence that follows from records that were read.
    pub(super) fn absent(proof: Proof, span: Option<Span>) -> Missing {
        Missing { observed: Observed::Absent(proof), span, note: None }
    }

    /// Unknown, with a note.
    pub(super) fn unknown(cause: Cause, note: impl Into<Arc<str>>, span: Option<Span>) -> Missing {
        Missing { observed: Observed::Unknown(cause), span, note: Some(note.into()) }
    }
}

impl Context<'_> {
    /// The inventory's entry of a domain.
    pub(super) fn entry(&self, name: &Name) -> Option<&Domain> {
        self.inventory.and_then(|inventory| inventory.domain(name))
    }

    /// A present fact from the source.
    pub(super) fn present<T>(&self, value: T, span: Option<Span>) -> Fact<T> {
        Fact::present(value, self.method, span)
    }

    /// The records of a type at a name, or why there are none.
    pub(super) fn records(&self, name: &Name, rtype: RecordType) -> Result<RecordSet, Missing> {
        split(self.source.lookup(name, rtype)).1
    }

    /// Like [`Context::records`], for a name that probably does not exist: another type is asked for before, because a
    /// name that does not exist has no records of any type (RFC 2308 section 5). Files are not asked in rounds, so for
    /// them there is nothing to save.
    pub(super) fn records_after(
        &self,
        first: RecordType,
        name: &Name,
        rtype: RecordType,
    ) -> Result<RecordSet, Missing> {
        if self.source.is_live() {
            let answer = self.source.lookup(name, first);
            match answer.outcome {
                // The response code is that of the end of a chain of aliases (RFC 6604 section 3).
                Outcome::Absent { proof: Proof::Nxdomain, span } if answer.aliases.is_empty() => {
                    return Err(Missing::absent(Proof::Nxdomain, span));
                }
                Outcome::Unknown { cause: Cause::NotCollected, note, span } => {
                    return Err(Missing::unknown(Cause::NotCollected, note, span));
                }
                _ => {}
            }
        }
        self.records(name, rtype)
    }

    /// Whether answers for other types say that a name is no alias. Servers answer every question for an alias with its
    /// CNAME record (RFC 1034 section 4.3.2). Both types of addresses are asked for anyway; where one of them is not
    /// known, nothing is said, and `Err` says why if that may still change.
    pub(super) fn no_alias(&self, name: &Name) -> Result<Option<Missing>, Missing> {
        let mut proven = None;
        for rtype in [RecordType::A, RecordType::AAAA] {
            let answer = self.source.lookup(name, rtype);
            let missing = match answer.outcome {
                Outcome::Unknown { cause: Cause::NotCollected, note, span } => {
                    return Err(Missing::unknown(Cause::NotCollected, note, span));
                }
                Outcome::Unknown { .. } => return Ok(None),
                _ if !answer.aliases.is_empty() => return Ok(None),
                Outcome::Absent { proof, span } => Missing::absent(proof, span),
                Outcome::Records(records) => Missing::absent(Proof::Nodata, records.first().map(|record| record.span)),
            };
            proven.get_or_insert(missing);
        }
        Ok(proven)
    }

    /// The organisational domain of a name by the public suffix list (RFC 7489 section 3.2).
    pub(super) fn listed_organisation(&self, name: &Name) -> Option<Name> {
        let mut listed = self.cache.listed.borrow_mut();
        if let Some((known, organisation)) = listed.as_ref()
            && known == name
        {
            return organisation.clone();
        }
        let organisation = suffix::organisational_domain(name);
        *listed = Some((name.clone(), organisation.clone()));
        organisation
    }

    /// The texts at a name with the record they came from.
    pub(super) fn texts(&self, name: &Name, rtype: RecordType) -> Result<Texts, Missing> {
        if rtype != RecordType::TXT {
            return self.texts_with_aliases(name, rtype).1;
        }
        let mut recent = self.cache.texts.borrow_mut();
        if let Some(at) = recent.iter().position(|(known, _)| known == name) {
            recent[..=at].rotate_right(1);
            return recent[0].1.clone();
        }
        let missed = self.source.missed();
        let texts = self.texts_with_aliases(name, rtype).1;
        if self.source.missed() != missed {
            return texts;
        }
        if recent.len() >= MOST_TEXTS {
            recent.pop();
        }
        recent.insert(0, (name.clone(), texts.clone()));
        texts
    }

    /// Like [`Context::texts`], with the first alias that was followed.
    pub(super) fn texts_with_aliases(
        &self,
        name: &Name,
        rtype: RecordType,
    ) -> (Option<(Name, Span)>, Result<Texts, Missing>) {
        let (alias, records) = split(self.source.lookup(name, rtype));
        (alias, records.and_then(Texts::new))
    }

    /// The name below `name`, or why it cannot exist: a name that would be too long has no records.
    pub(super) fn child(&self, name: &Name, labels: &str) -> Result<Name, Missing> {
        name.child(labels).map_err(|_| Missing::absent(Proof::Nxdomain, None))
    }

    /// IPv4 and IPv6 addresses of a name. Present when either family has records; absent only when both are proven
    /// absent; otherwise unknown.
    pub(super) fn addresses(&self, name: &Name) -> Result<Addresses, Missing> {
        self.addresses_with(name, self.records(name, RecordType::A))
    }

    /// Like [`Context::addresses`], where the IPv4 addresses have been asked for already.
    pub(super) fn addresses_with(&self, name: &Name, v4: Result<RecordSet, Missing>) -> Result<Addresses, Missing> {
        Addresses::of([v4, self.records(name, RecordType::AAAA)])
    }

    /// Like [`Context::addresses`], for a name that probably does not exist.
    pub(super) fn addresses_if_any(&self, name: &Name) -> Result<Addresses, Missing> {
        Addresses::of([self.records(name, RecordType::A), self.records_after(RecordType::A, name, RecordType::AAAA)])
    }
}

impl Addresses {
    fn of(answers: [Result<RecordSet, Missing>; 2]) -> Result<Addresses, Missing> {
        let mut found = Addresses { list: Vec::new(), span: None, incomplete: None };
        let mut absent = None;
        for answer in answers {
            match answer {
                Ok(set) => found.take(set),
                Err(missing) if missing.cause().is_some() => {
                    found.incomplete.get_or_insert(missing);
                }
                Err(missing) => absent = absent.or(Some(missing)),
            }
        }
        match (found.list.is_empty(), found.incomplete) {
            (true, Some(missing)) => Err(missing),
            (true, None) => Err(absent.unwrap_or_else(|| Missing::absent(Proof::Nodata, None))),
            (false, incomplete) => Ok(Addresses { incomplete, ..found }),
        }
    }
}

/// The records of one type at one name; at least one.
#[derive(Debug, Clone)]
pub(super) struct RecordSet {
    pub(super) records: Arc<[Record]>,
    /// Why there may be more records than these.
    pub(super) incomplete: Option<Missing>,
}

impl RecordSet {
    /// Place of the first record.
    pub(super) fn first(&self) -> Option<Span> {
        self.records.first().map(|record| record.span)
    }

    /// Why not everything is known that the set holds: a record that cannot be read, or more records than were read.
    pub(super) fn doubt(&self) -> Option<Missing> {
        self.records.iter().find_map(malformed).or_else(|| self.incomplete.clone())
    }
}

/// Why the data of a record are not known, if they cannot be read.
pub(super) fn malformed(record: &Record) -> Option<Missing> {
    match &record.data {
        RData::Malformed { reason, span } => Some(Missing::unknown(Cause::Parse, reason.as_str(), Some(*span))),
        _ => None,
    }
}

/// The addresses of a name; at least one.
pub(super) struct Addresses {
    pub(super) list: Vec<IpAddr>,
    /// Place of the first one.
    pub(super) span: Option<Span>,
    /// Why there may be more addresses than these.
    pub(super) incomplete: Option<Missing>,
}

impl Addresses {
    fn take(&mut self, set: RecordSet) {
        if self.incomplete.is_none() {
            self.incomplete = set.doubt();
        }
        for record in set.records.iter() {
            let (address, at) = match record.data {
                RData::A(address, at) => (IpAddr::V4(address), at),
                RData::Aaaa(address, at) => (IpAddr::V6(address), at),
                _ => continue,
            };
            self.list.push(address);
            self.span = self.span.or(Some(at));
        }
    }
}

/// The TXT values at one name that can be read. There may be none, when the set is incomplete or not all can be read.
#[derive(Debug, Clone)]
pub(super) struct Texts {
    pub(super) list: Vec<TextRecord>,
    /// A record that is there and cannot be read.
    pub(super) unread: Option<Missing>,
    /// Why there may be more records than were read.
    pub(super) incomplete: Option<Missing>,
}

impl Texts {
    fn new(set: RecordSet) -> Result<Texts, Missing> {
        let mut texts = Texts { list: Vec::with_capacity(set.records.len()), unread: None, incomplete: set.incomplete };
        for record in set.records.iter() {
            if let Some(missing) = malformed(record) {
                texts.unread.get_or_insert(missing);
            } else if let RData::Txt(text) = &record.data {
                texts.list.push(TextRecord { text: Arc::clone(text), record: record.span, ttl: record.ttl });
            }
        }
        match texts.unread {
            Some(missing) if texts.list.is_empty() => Err(missing),
            _ => Ok(texts),
        }
    }

    /// The texts, where each of them can be read: at names that hold one kind of record, one that cannot be read is
    /// probably of that kind.
    pub(super) fn all_read(self) -> Result<Texts, Missing> {
        match self.unread {
            Some(missing) => Err(missing),
            None => Ok(self),
        }
    }

    /// The texts, where at least one is of a kind, or it is certain that none is.
    pub(super) fn holding(self, is_kind: impl Fn(&TextRecord) -> bool) -> Result<Texts, Missing> {
        if self.list.iter().any(is_kind) {
            return Ok(self);
        }
        match self.unread.clone().or_else(|| self.incomplete.clone()) {
            Some(missing) => Err(missing),
            None => Ok(self),
        }
    }
}

/// One TXT value and the record that holds it.
#[derive(Debug, Clone)]
pub(super) struct TextRecord {
    pub(super) text: Arc<Text>,
    pub(super) record: Span,
    pub(super) ttl: Option<u32>,
}

impl TextRecord {
    /// The value as a string; octets outside UTF-8 are replaced.
    pub(super) fn lossy(&self) -> String {
        self.text.lossy().into_owned()
    }
}

/// Splits an answer into the first alias followed, and the records or why there are none.
pub(super) fn split(answer: Answer) -> (Option<(Name, Span)>, Result<RecordSet, Missing>) {
    let alias_span = answer.aliases.first().map(|alias| alias.span);
    let alias = answer.aliases.into_iter().next().map(|alias| (alias.target, alias.span));
    let records = match answer.outcome {
        Outcome::Records(records) => {
            let incomplete = answer.incomplete.map(|why| Missing::unknown(why.cause, why.note, Some(why.span)));
            Ok(RecordSet { records, incomplete })
        }
        Outcome::Absent { proof, span } => Err(Missing::absent(proof, span)),
        Outcome::Unknown { cause, note, span } => Err(Missing::unknown(cause, note, span.or(alias_span))),
    };
    (alias, records)
}
