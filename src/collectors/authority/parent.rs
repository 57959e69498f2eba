//! What the parent zone says about a delegation: its NS records and the addresses beside them (glue).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{RecordSet, names, silent};
use crate::collectors::Context;
use crate::collectors::context::{Addresses, Missing};
use crate::diag::Span;
use crate::facts::{Cause, Fact, Observed, Proof};
use crate::mail::Name;
use crate::sources::{Ask, RData, RecordType, Reply};

/// Servers of the parent that are asked; they serve the same zone, so a few do.
const ASKED: usize = 2;

/// The delegation of a zone, or why it is not known.
pub(super) struct Parent {
    delegation: Result<Delegation, Missing>,
}

struct Delegation {
    hosts: BTreeSet<Name>,
    glue: BTreeMap<Name, BTreeSet<IpAddr>>,
    span: Span,
}

/// Asks servers of the parent for the delegation.
pub(super) fn ask(context: &Context<'_>, zone: &Name) -> Parent {
    Parent { delegation: delegation(context, zone) }
}

fn delegation(context: &Context<'_>, zone: &Name) -> Result<Delegation, Missing> {
    let Some(above) = zone.parent() else {
        return Err(Missing::absent(Proof::NotStated, None));
    };
    let Some((parent, _)) = context.source.zone_of(&above) else {
        let soa = context.records(&above, RecordType::SOA);
        let why = soa.err().filter(|missing| missing.cause().is_some());
        return Err(why.unwrap_or_else(|| {
            Missing::unknown(Cause::NotCollected, format!("the zone above {zone} is not known"), None)
        }));
    };
    let servers = context.records(&parent, RecordType::NS)?;
    let mut unknown = None;
    let mut addresses = Vec::new();
    for host in names(&servers).iter().take(ASKED) {
        match context.addresses(host) {
            // One address of each server, so that two networks are tried.
            Ok(found) => addresses.extend(found.list.first().copied()),
            Err(missing) => {
                unknown.get_or_insert(missing);
            }
        }
    }
    let mut found = None;
    for address in addresses {
        match context.source.ask(address, zone, RecordType::NS, Ask::Iterative) {
            Ok(reply) => match read(&reply, zone) {
                Ok(delegation) => found = found.or(Some(delegation)),
                Err(missing) => {
                    unknown.get_or_insert(missing);
                }
            },
            Err(no_reply) => {
                unknown.get_or_insert(silent(no_reply));
            }
        }
    }
    let nobody = || Missing::unknown(Cause::NotCollected, format!("no server of {parent} has an address"), None);
    found.ok_or_else(|| unknown.unwrap_or_else(nobody))
}

/// Reads a referral (RFC 1034 section 4.3.2). A server that holds the zone as well answers for the zone, not the parent.
fn read(reply: &Reply, zone: &Name) -> Result<Delegation, Missing> {
    let at = Some(reply.span);
    let unknown = |cause, note: String| Err(Missing::unknown(cause, note, at));
    match reply.rcode {
        0 => {}
        3 if reply.authoritative => return Err(Missing::absent(Proof::Nxdomain, at)),
        2 => return unknown(Cause::DnsServfail, "the parent's server fails (SERVFAIL)".to_owned()),
        5 => return unknown(Cause::DnsRefused, "the parent's server refuses to answer".to_owned()),
        rcode => return unknown(Cause::Protocol, format!("the parent's server answers with response code {rcode}")),
    }
    let ns = reply.authority.iter().filter(|record| record.owner == *zone).filter_map(|record| match &record.data {
        RData::Ns(host, _) => Some(host.clone()),
        _ => None,
    });
    let hosts: BTreeSet<Name> = ns.collect();
    if hosts.is_empty() {
        return match (reply.authoritative, reply.answers.is_empty()) {
            (true, true) => Err(Missing::absent(Proof::Nodata, at)),
            (true, false) => {
                unknown(Cause::NotCollected, format!("the parent's server also serves {zone}, and answers for it"))
            }
            (false, _) => unknown(Cause::Protocol, format!("the parent's server does not delegate {zone}")),
        };
    }
    let mut glue: BTreeMap<Name, BTreeSet<IpAddr>> = BTreeMap::new();
    for record in &reply.additional {
        let address = match record.data {
            RData::A(address, _) => IpAddr::V4(address),
            RData::Aaaa(address, _) => IpAddr::V6(address),
            _ => continue,
        };
        glue.entry(record.owner.clone()).or_default().insert(address);
    }
    Ok(Delegation { hosts, glue, span: reply.span })
}

impl Parent {
    /// The servers that the parent delegates to, as far as known.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &Name> {
        self.delegation.iter().flat_map(|delegation| &delegation.hosts)
    }

    pub(super) fn names(&self, context: &Context<'_>) -> Fact<Vec<Name>> {
        match &self.delegation {
            Ok(delegation) => context.present(delegation.hosts.iter().cloned().collect(), Some(delegation.span)),
            Err(missing) => missing.fact(context.method),
        }
    }

    /// RFC 1034 section 4.2.2: both name the same servers.
    pub(super) fn agrees(&self, context: &Context<'_>, served: &RecordSet) -> Fact<bool> {
        match (&self.delegation, served.doubt()) {
            (Err(missing), _) => missing.fact(context.method),
            (Ok(_), Some(doubt)) => doubt.fact(context.method),
            (Ok(delegation), None) => context.present(delegation.hosts == names(served), Some(delegation.span)),
        }
    }

    /// Servers inside the zone whose glue is not what the zone says (RFC 1034 section 4.2.1). A family of addresses that
    /// the parent leaves out is not compared: the additional section need not be complete (RFC 9471 section 2.1).
    pub(super) fn stale_glue(&self, context: &Context<'_>, zone: &Name, served: &RecordSet) -> Fact<Vec<Name>> {
        let delegation = match &self.delegation {
            Ok(delegation) => delegation,
            Err(missing) => return missing.fact(context.method),
        };
        let mut inside: BTreeSet<Name> = names(served);
        inside.extend(delegation.hosts.iter().cloned());
        inside.retain(|host| host.is_within(zone));
        if inside.is_empty() {
            return Missing::absent(Proof::NotStated, Some(delegation.span)).fact(context.method);
        }
        let mut stale = Vec::new();
        let mut unknown = None;
        for host in inside {
            let Some(glue) = delegation.glue.get(&host) else { continue };
            let own = match context.addresses(&host) {
                Ok(Addresses { list, incomplete: None, .. }) => list,
                Ok(Addresses { incomplete: Some(missing), .. }) => {
                    unknown.get_or_insert(missing);
                    continue;
                }
                Err(missing) if matches!(missing.observed, Observed::Absent(_)) => Vec::new(),
                Err(missing) => {
                    unknown.get_or_insert(missing);
                    continue;
                }
            };
            let differs = |v4: bool| {
                let of_family = |list: &mut dyn Iterator<Item = &IpAddr>| -> BTreeSet<IpAddr> {
                    list.filter(|address| address.is_ipv4() == v4).copied().collect()
                };
                let glue = of_family(&mut glue.iter());
                !glue.is_empty() && glue != of_family(&mut own.iter())
            };
            if differs(true) || differs(false) {
                stale.push(host);
            }
        }
        match unknown {
            Some(missing) if stale.is_empty() => missing.fact(context.method),
            _ => context.present(stale, Some(delegation.span)),
        }
    }
}
