//! One address of a mail host: its reverse DNS, networks and reputation.
//!
//! Each address is judged by itself: an IPv6 address without PTR record is not excused by an IPv4 address that has one.
//! A host that receives mail need not be one that sends, and receivers look at the reverse DNS and the block lists of
//! senders only; so what is found is said of every address, and `inbound` and `outbound` say which kind it is.

mod generic;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use crate::facts::domain::List;
use crate::facts::host::PtrFacts;
use crate::facts::{Cause, Fact, HostFacts, Method, Observed, Proof};
use crate::mail::{Name, reverse_name, special};
use crate::sources::{RData, RecordType};

use super::Context;
use super::context::{Missing, malformed};
use super::reputation::{self, Listings};

/// Most PTR names whose addresses are looked up. RFC 7208 section 4.6.4 takes as many.
const MOST_PTR: usize = 10;

/// What is known of an address before DNS is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostInput {
    /// The host's name; `None` for an address of the inventory without a name.
    pub host: Option<Name>,
    /// The address.
    pub address: IpAddr,
    /// Whether the inventory claims the host or address.
    pub claimed: bool,
    /// Whether a domain of this run names the host in an MX record.
    pub inbound: bool,
    /// Whether the inventory says that the address sends mail.
    pub outbound: bool,
}

impl HostInput {
    /// Name of the target in reports: `mx1.example.org[192.0.2.1]`, or `[192.0.2.1]` without a name.
    pub fn name(&self) -> String {
        let host = self.host.as_ref().map_or("", |host| host.as_str().trim_end_matches('.'));
        format!("{host}[{}]", self.address)
    }
}

/// Facts about one address.
pub fn collect(context: &Context<'_>, input: &HostInput) -> HostFacts {
    let declared = input.host.as_ref().and_then(|host| context.inventory?.host(host)?.span);
    let known = |value| Fact::present(value, Method::Derived, declared);
    let Listings { lists, listed_on } = reputation::address(context, input.address);
    let ptr = ptr(context, input.address);
    let in_networks = context.inventory.and_then(|inventory| inventory.in_networks(input.address));
    HostFacts {
        host: host(input, &ptr),
        address: Fact::present(input.address, Method::Derived, declared),
        claimed: known(input.claimed),
        inbound: known(input.inbound),
        outbound: known(input.outbound),
        in_networks: match in_networks {
            Some(inside) => Fact::present(inside, Method::Inventory, None),
            None => Fact::absent(Proof::NotDeclared, Method::Inventory, None),
        },
        special: Fact::present(special::is_special(input.address), Method::Derived, None),
        forward_confirmed: confirmed(&ptr),
        generic_ptr: of_names(&ptr, |names| names.iter().all(|name| generic::is_generic(name, input.address))),
        ptr_is_host: match &input.host {
            Some(host) => is_host(&ptr, host),
            None => Fact::absent(Proof::NotDeclared, Method::Inventory, None),
        },
        ptr,
        lists,
        listed_on,
    }
}

/// The name of the host; without one, that of its PTR record, or the address.
fn host(input: &HostInput, ptr: &Fact<List<PtrFacts>>) -> Fact<String> {
    if let Some(host) = &input.host {
        return Fact::present(host.as_str().to_owned(), Method::Derived, None);
    }
    match names(ptr).first() {
        Some(name) => Fact::present(name.as_str().to_owned(), Method::Dns, ptr.from.span),
        None => Fact::present(input.address.to_string(), Method::Derived, None),
    }
}

/// PTR records of an address, in the order of their names (RFC 1912 section 2.1; RFC 3596 section 2.5).
fn ptr(context: &Context<'_>, address: IpAddr) -> Fact<List<PtrFacts>> {
    let set = match context.records(&reverse_name(address), RecordType::PTR) {
        Ok(set) => set,
        Err(missing) => return missing.fact(context.method),
    };
    let mut found: Vec<_> = set
        .records
        .iter()
        .filter_map(|record| match &record.data {
            RData::Ptr(name, span) => Some((name.clone(), *span)),
            _ => None,
        })
        .collect();
    found.sort();
    found.dedup_by(|a, b| a.0 == b.0);
    let hidden = set.records.iter().filter_map(malformed).chain(set.incomplete.clone());
    let rows = found.into_iter().enumerate().map(|(at, (name, span))| PtrFacts {
        confirms: if at < MOST_PTR {
            confirms(context, &name, address)
        } else {
            let note = format!("addresses are looked up for {MOST_PTR} PTR names at most");
            Missing::unknown(Cause::LimitReached, note, Some(span)).fact(context.method)
        },
        name: context.present(name, Some(span)),
    });
    let hidden =
        hidden.map(|missing| PtrFacts { name: missing.fact(context.method), confirms: missing.fact(context.method) });
    context.present(List(rows.chain(hidden).collect()), set.first())
}

/// Whether a name has an address. Only records of the address's family can say so.
fn confirms(context: &Context<'_>, name: &Name, address: IpAddr) -> Fact<bool> {
    let address = address.to_canonical();
    let rtype = if address.is_ipv4() { RecordType::A } else { RecordType::AAAA };
    let set = match context.records(name, rtype) {
        Ok(set) => set,
        Err(missing) if missing.cause().is_some() => return missing.fact(context.method),
        Err(missing) => return context.present(false, missing.span),
    };
    let same = |data: &RData| match data {
        RData::A(found, _) => address == IpAddr::from(*found),
        RData::Aaaa(found, _) => address == IpAddr::from(*found),
        _ => false,
    };
    match (set.records.iter().find(|record| same(&record.data)), set.doubt()) {
        (Some(record), _) => context.present(true, Some(record.span)),
        (None, Some(missing)) => missing.fact(context.method),
        (None, None) => context.present(false, set.first()),
    }
}

/// The PTR names that were read.
fn names(ptr: &Fact<List<PtrFacts>>) -> Vec<&Name> {
    ptr.observed.present().iter().flat_map(|rows| &rows.0).filter_map(|row| row.name.observed.present()).collect()
}

/// A row that is not known, for facts that need every row.
fn unknown_row<'p, T: 'p>(
    ptr: &'p Fact<List<PtrFacts>>,
    field: impl Fn(&'p PtrFacts) -> &'p Fact<T>,
) -> Option<Missing> {
    ptr.observed.present().iter().flat_map(|rows| &rows.0).map(field).find_map(missing)
}

/// Why a fact has no value.
fn missing<T>(fact: &Fact<T>) -> Option<Missing> {
    let observed = match fact.observed {
        Observed::Present(_) => return None,
        Observed::Absent(proof) => Observed::Absent(proof),
        Observed::Unknown(cause) => Observed::Unknown(cause),
    };
    Some(Missing { observed, span: fact.from.span, note: fact.from.note.clone() })
}

/// Whether any PTR name leads back to the address: one that does is enough, however many do not.
fn confirmed(ptr: &Fact<List<PtrFacts>>) -> Fact<bool> {
    if let Some(missing) = missing(ptr) {
        return missing.fact(ptr.from.method);
    }
    let rows = ptr.observed.present().map_or(&[][..], |rows| &rows.0);
    let confirming = rows.iter().find(|row| row.confirms.observed == Observed::Present(true));
    match (confirming, unknown_row(ptr, |row| &row.confirms)) {
        (Some(row), _) => Fact::present(true, ptr.from.method, row.confirms.from.span),
        (None, Some(missing)) => missing.fact(ptr.from.method),
        (None, None) => {
            let denied = rows.first().and_then(|row| row.name.from.span).or(ptr.from.span);
            Fact::present(false, ptr.from.method, denied)
        }
    }
}

/// A fact that follows from all PTR names.
fn of_names(ptr: &Fact<List<PtrFacts>>, value: impl FnOnce(&[&Name]) -> bool) -> Fact<bool> {
    match missing(ptr).or_else(|| unknown_row(ptr, |row| &row.name)) {
        Some(missing) => missing.fact(ptr.from.method),
        None => Fact::present(value(&names(ptr)), ptr.from.method, ptr.from.span),
    }
}

/// Whether the host's name is among the PTR names: one that was read and is equal decides, whatever else there may be.
fn is_host(ptr: &Fact<List<PtrFacts>>, host: &Name) -> Fact<bool> {
    if names(ptr).contains(&host) {
        return Fact::present(true, ptr.from.method, ptr.from.span);
    }
    of_names(ptr, |_| false)
}
