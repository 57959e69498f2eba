//! What every collector needs, and the few steps they share: asking, and carrying an outcome over into a fact.

use std::net::IpAddr;

use crate::diag::{FileId, Span};
use crate::facts::{Cause, Fact, Method, Observed, Proof, Provenance};
use crate::inventory::{Domain, Inventory};
use crate::mail::Name;
use crate::sources::{Answer, Outcome, RData, Record, RecordSource, RecordType, Text};

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
    pub(super) note: Option<Box<str>>,
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

    /// The same reason with another proof of absence.
    pub(super) fn with_proof(mut self, proof: Proof) -> Missing {
        if let Observed::Absent(existing) = &mut self.observed {
            *existing = proof;
        }
        self
    }

    /// Absence that follows from records that were read.
    pub(super) fn absent(proof: Proof, span: Option<Span>) -> Missing {
        Missing { observed: Observed::Absent(proof), span, note: None }
    }

    /// Unknown, with a note.
    pub(super) fn unknown(cause: Cause, note: impl Into<Box<str>>, span: Option<Span>) -> Missing {
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
    pub(super) fn records(&self, name: &Name, rtype: RecordType) -> Result<Vec<Record>, Missing> {
        split(self.source.lookup(name, rtype)).1
    }

    /// The texts at a name with the record they came from. Malformed TXT data make the answer unknown, since what they
    /// would say is not known.
    pub(super) fn texts(&self, name: &Name, rtype: RecordType) -> Result<Vec<TextRecord>, Missing> {
        self.texts_with_aliases(name, rtype).1
    }

    /// Like [`Context::texts`], with the first alias that was followed.
    pub(super) fn texts_with_aliases(
        &self,
        name: &Name,
        rtype: RecordType,
    ) -> (Option<(Name, Span)>, Result<Vec<TextRecord>, Missing>) {
        let (alias, records) = split(self.source.lookup(name, rtype));
        let texts = records.and_then(|records| {
            let mut texts = Vec::with_capacity(records.len());
            for record in records {
                match record.data {
                    RData::Txt(text) => texts.push(TextRecord { text, record: record.span, ttl: record.ttl }),
                    RData::Malformed { reason, span } => {
                        return Err(Missing::unknown(Cause::Parse, reason, Some(span)));
                    }
                    _ => {}
                }
            }
            Ok(texts)
        });
        (alias, texts)
    }

    /// The name below `name`, or why it cannot exist: a name that would be too long has no records.
    pub(super) fn child(&self, name: &Name, labels: &str) -> Result<Name, Missing> {
        name.child(labels).map_err(|_| Missing::absent(Proof::Nxdomain, None))
    }

    /// IPv4 and IPv6 addresses of a name. Present when either family has records; absent only when both are proven
    /// absent; otherwise unknown.
    pub(super) fn addresses(&self, name: &Name) -> Result<(Vec<IpAddr>, Option<Span>), Missing> {
        let mut addresses = Vec::new();
        let mut span = None;
        let mut missing: Option<Missing> = None;
        for rtype in [RecordType::A, RecordType::AAAA] {
            match self.records(name, rtype) {
                Ok(records) => {
                    for record in &records {
                        match record.data {
                            RData::A(address, at) => {
                                addresses.push(IpAddr::V4(address));
                                span = span.or(Some(at));
                            }
                            RData::Aaaa(address, at) => {
                                addresses.push(IpAddr::V6(address));
                                span = span.or(Some(at));
                            }
                            _ => {}
                        }
                    }
                }
                Err(reason) if missing.as_ref().is_none_or(|known| known.cause().is_none()) => missing = Some(reason),
                Err(_) => {}
            }
        }
        match missing {
            Some(missing) if addresses.is_empty() => Err(missing),
            _ if addresses.is_empty() => Err(Missing::absent(Proof::Nodata, None)),
            _ => Ok((addresses, span)),
        }
    }
}

/// One TXT value and the record that holds it.
#[derive(Debug, Clone)]
pub(super) struct TextRecord {
    pub(super) text: Text,
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
pub(super) fn split(answer: Answer) -> (Option<(Name, Span)>, Result<Vec<Record>, Missing>) {
    let alias_span = answer.aliases.first().map(|alias| alias.span);
    let alias = answer.aliases.into_iter().next().map(|alias| (alias.target, alias.span));
    let records = match answer.outcome {
        Outcome::Records(records) => Ok(records),
        Outcome::Absent { proof, span } => Err(Missing::absent(proof, span)),
        Outcome::Unknown { cause, note, span } => Err(Missing::unknown(cause, note, span.or(alias_span))),
    };
    (alias, records)
}
