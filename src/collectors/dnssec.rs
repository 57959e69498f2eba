//! DNSSEC of a domain: the state of its records, keys and signatures.
//!
//! States come from our own validation; keys and DS records are shown as published, whether they validate or not.

use crate::facts::domain::{DnssecFacts, Security, Time};
use crate::facts::{Cause, Fact, Observed, Proof};
use crate::mail::Name;
use crate::sources::{RData, RecordType, Validation};

use super::Context;
use super::context::{Missing, RecordSet};

/// Facts from our own validation.
pub(super) fn collect(context: &Context<'_>, name: &Name) -> DnssecFacts {
    if !context.source.is_live() {
        return DnssecFacts::default();
    }
    let mx = context.source.validate(name, RecordType::MX);
    let spf = context.source.validate(name, RecordType::TXT);
    let dmarc = match context.child(name, "_dmarc") {
        Ok(at) => security(context, &context.source.validate(&at, RecordType::TXT)),
        Err(missing) => missing.fact(context.method),
    };
    let (zone, doubt) = zone(context, name);
    let soa = context.source.validate(&zone, RecordType::SOA);
    let keys = context.source.validate(&zone, RecordType::DNSKEY);
    let numbers = Numbers { context, zone: &zone, doubt: doubt.as_ref() };
    DnssecFacts {
        error: error(context, &soa),
        mx: security(context, &mx),
        spf: security(context, &spf),
        dmarc,
        ds: numbers.exists(RecordType::DS),
        algorithms: numbers.all(RecordType::DNSKEY, 2),
        digests: numbers.all(RecordType::DS, 2),
        nsec3_iterations: numbers.largest(RecordType::NSEC3PARAM, 2),
        signatures_expire: expiry(context, &[&soa, &mx, &keys]),
        status: security(context, &soa),
    }
}

/// The zone that holds a domain. Where it is not known, the domain itself and why what is true of it may not be true of
/// the zone: questions about it can then be asked early.
pub(super) fn zone(context: &Context<'_>, name: &Name) -> (Name, Option<Missing>) {
    if let Some((zone, _)) = context.source.zone_of(name) {
        return (zone, None);
    }
    let doubt = match context.records(name, RecordType::SOA) {
        Err(missing) if missing.cause().is_some() => missing,
        _ => Missing::unknown(Cause::NotCollected, format!("the zone that holds {name} is not known"), None),
    };
    (name.clone(), Some(doubt))
}

/// The state of an answer as a fact.
pub(super) fn security(context: &Context<'_>, validation: &Validation) -> Fact<Security> {
    let mut fact = Fact { observed: validation.state, from: context.present((), validation.span).from };
    fact.from.note = validation.reason.clone();
    fact
}

/// The weaker of two states: a proven fault outweighs what is not known, which outweighs the states without a fault.
pub(super) fn weaker(left: Validation, right: Validation) -> Validation {
    let weakness = |validation: &Validation| match validation.state {
        Observed::Present(Security::Secure) => 0,
        Observed::Present(Security::Insecure) => 1,
        Observed::Present(Security::Indeterminate) => 2,
        Observed::Absent(_) | Observed::Unknown(_) => 3,
        Observed::Present(Security::Bogus) => 4,
    };
    if weakness(&right) > weakness(&left) { right } else { left }
}

/// The state of a host's addresses, the weaker of both families (RFC 7672 section 2.2.1).
pub(super) fn of_addresses(context: &Context<'_>, host: &Name) -> Validation {
    let v4 = context.source.validate(host, RecordType::A);
    weaker(v4, context.source.validate(host, RecordType::AAAA))
}

/// Why a state is unknown, in the form of a lookup that failed.
pub(super) fn missing(validation: &Validation, cause: Cause) -> Missing {
    Missing::unknown(cause, validation.reason.as_deref().unwrap_or_default(), validation.span)
}

fn error(context: &Context<'_>, soa: &Validation) -> Fact<String> {
    match (soa.state, &soa.reason) {
        (Observed::Present(Security::Bogus | Security::Indeterminate), Some(reason)) => {
            context.present(reason.to_string(), soa.span)
        }
        (Observed::Unknown(cause), _) => missing(soa, cause).fact(context.method),
        _ => Missing::absent(Proof::NotStated, soa.span).fact(context.method),
    }
}

/// The earliest end of validity. What is not known may end earlier.
fn expiry(context: &Context<'_>, validations: &[&Validation]) -> Fact<Time> {
    let mut earliest: Option<(i64, &Validation)> = None;
    for validation in validations {
        match (validation.state, validation.expires) {
            (_, Some(expires)) if earliest.is_none_or(|(known, _)| expires < known) => {
                earliest = Some((expires, validation));
            }
            (_, Some(_)) | (Observed::Present(Security::Secure | Security::Insecure) | Observed::Absent(_), None) => {}
            (Observed::Unknown(cause), None) => return missing(validation, cause).fact(context.method),
            (Observed::Present(Security::Bogus), None) => {
                return missing(validation, Cause::DnssecBogus).fact(context.method);
            }
            (Observed::Present(Security::Indeterminate), None) => {
                return missing(validation, Cause::NotCollected).fact(context.method);
            }
        }
    }
    match earliest {
        Some((expires, validation)) => context.present(Time(expires), validation.span),
        None => {
            let span = validations.iter().find_map(|validation| validation.span);
            Missing::absent(Proof::NotStated, span).fact(context.method)
        }
    }
}

/// Numbers in the data of a zone's DNSSEC records.
struct Numbers<'c> {
    context: &'c Context<'c>,
    zone: &'c Name,
    /// Why the zone is not known.
    doubt: Option<&'c Missing>,
}

impl Numbers<'_> {
    fn set(&self, rtype: RecordType) -> Result<RecordSet, Missing> {
        let set = self.context.records(self.zone, rtype);
        match self.doubt {
            Some(doubt) => Err(doubt.clone()),
            None => set,
        }
    }

    fn exists(&self, rtype: RecordType) -> Fact<bool> {
        match self.set(rtype) {
            Ok(set) => self.context.present(true, set.first()),
            Err(missing) if missing.cause().is_none() => self.context.present(false, missing.span),
            Err(missing) => missing.fact(self.context.method),
        }
    }

    /// The numbers in a field of all records, each once and in ascending order.
    fn all(&self, rtype: RecordType, field: usize) -> Fact<Vec<i64>> {
        match self.set(rtype).and_then(|set| self.read(&set, rtype, field)) {
            Ok((mut numbers, span)) => {
                numbers.sort_unstable();
                numbers.dedup();
                self.context.present(numbers, span)
            }
            Err(missing) => missing.fact(self.context.method),
        }
    }

    fn largest(&self, rtype: RecordType, field: usize) -> Fact<i64> {
        let read = self.set(rtype).and_then(|set| self.read(&set, rtype, field));
        match read.map(|(numbers, span)| (numbers.into_iter().max(), span)) {
            Ok((Some(largest), span)) => self.context.present(largest, span),
            Ok((None, span)) => Missing::absent(Proof::NotPublished, span).fact(self.context.method),
            Err(missing) => missing.fact(self.context.method),
        }
    }

    fn read(
        &self,
        set: &RecordSet,
        rtype: RecordType,
        field: usize,
    ) -> Result<(Vec<i64>, Option<crate::diag::Span>), Missing> {
        if let Some(missing) = set.doubt() {
            return Err(missing);
        }
        let mut numbers = Vec::with_capacity(set.records.len());
        for record in set.records.iter() {
            let number = match &record.data {
                RData::Other(text) => number(text, rtype, field),
                _ => None,
            };
            match number {
                Some(number) => numbers.push(number),
                None => {
                    let note = format!("the {rtype} record cannot be read");
                    return Err(Missing::unknown(Cause::Parse, note, Some(record.span)));
                }
            }
        }
        Ok((numbers, set.first()))
    }
}

/// A field of data in presentation form, which may begin with the type.
fn number(text: &str, rtype: RecordType, field: usize) -> Option<i64> {
    let mut words = text.split_whitespace().peekable();
    words.next_if(|word| RecordType::parse(word) == Some(rtype));
    words.nth(field)?.parse().ok()
}
