//! From domains and inventory to hosts and services: which addresses are looked at, and which ports on them.
//!
//! Every address of every host is a target of its own, and each of its ports is one. The unit of work is an address:
//! what is done there is done by one task, so that one address never sees more connections than it may.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::plan::Plan;
use crate::collectors::HostInput;
use crate::facts::domain::MxFacts;
use crate::facts::service::Protocol;
use crate::facts::{DomainFacts, NotReached, Observed};
use crate::inventory::Inventory;
use crate::mail::Name;
use crate::probes::Endpoint;

/// A host and what is known of its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exchanger {
    /// The domain that names it in an MX record; `None` for hosts that the inventory alone declares.
    pub(super) domain: Option<Name>,
    /// Its name.
    pub(super) host: Name,
    /// Its addresses, or why they are not known.
    pub(super) addresses: Result<Vec<IpAddr>, String>,
}

/// Everything that is done at one address.
#[derive(Debug)]
pub(super) struct Work {
    /// The hosts that have the address.
    pub(super) hosts: Vec<HostInput>,
    /// The services to probe.
    pub(super) services: Vec<Service>,
}

/// A service to probe.
#[derive(Debug)]
pub(super) struct Service {
    /// Where it is.
    pub(super) endpoint: Endpoint,
    /// Whether somebody says that it exists: an MX record or the inventory.
    pub(super) declared: bool,
}

/// The mail exchangers of a domain. A null MX has none; without MX records the domain itself is one (RFC 5321 section 5.1).
pub(super) fn exchangers(domain: &Name, facts: &DomainFacts) -> Vec<Exchanger> {
    if facts.dns.implicit_mx.observed.present() == Some(&true) {
        let host = domain.clone();
        return exchanger(domain, host, &facts.dns.addresses.observed).into_iter().collect();
    }
    let records = facts.dns.mx.observed.present().map(|list| list.0.as_slice()).unwrap_or_default();
    let usable = records
        .iter()
        .filter(|mx| mx.null.observed.present() != Some(&true) && mx.address_literal.observed.present() != Some(&true));
    let named = usable.filter_map(|mx: &MxFacts| Some((mx.host.observed.present()?.clone(), &mx.addresses.observed)));
    named.filter_map(|(host, addresses)| exchanger(domain, host, addresses)).collect()
}

/// A host; `None` when it is proven that it has no address, which is a fact about the domain.
fn exchanger(domain: &Name, host: Name, addresses: &Observed<Vec<IpAddr>>) -> Option<Exchanger> {
    let addresses = match addresses {
        Observed::Present(addresses) => Ok(addresses.clone()),
        Observed::Absent(_) => return None,
        Observed::Unknown(cause) => Err(format!("its addresses are not known ({cause})")),
    };
    Some(Exchanger { domain: Some(domain.clone()), host, addresses })
}

/// Hosts of the inventory that belong to the run: those with addresses as they are, and those whose addresses must be found out.
pub(super) fn declared(plan: &Plan, inventory: Option<&Inventory>) -> (Vec<Exchanger>, Vec<Name>) {
    let inventory = inventory.filter(|_| plan.whole_inventory);
    let (known, unknown): (Vec<_>, Vec<_>) =
        inventory.into_iter().flat_map(|inventory| &inventory.hosts).partition(|host| host.addresses.is_some());
    let known = known.into_iter().map(|host| Exchanger {
        domain: None,
        host: host.name.clone(),
        addresses: Ok(host.addresses.clone().unwrap_or_default()),
    });
    (known.collect(), unknown.into_iter().map(|host| host.name.clone()).collect())
}

/// What is known of one address of one host.
#[derive(Default)]
struct Use {
    /// Domains that name the host in an MX record.
    domains: BTreeSet<Name>,
}

/// The work, by address, and what is no target because no address of it is known.
pub(super) fn work(plan: &Plan, inventory: Option<&Inventory>, found: &[Exchanger]) -> (Vec<Work>, Vec<NotReached>) {
    let mut uses: BTreeMap<(IpAddr, Name), Use> = BTreeMap::new();
    let mut unresolved = BTreeSet::new();
    for exchanger in found {
        match &exchanger.addresses {
            Ok(addresses) => {
                for address in addresses.iter().filter(|address| plan.family.holds(**address)) {
                    let used = uses.entry((*address, exchanger.host.clone())).or_default();
                    used.domains.extend(exchanger.domain.clone());
                }
            }
            Err(reason) => {
                let target = exchanger.host.as_str().trim_end_matches('.').to_owned();
                unresolved.insert(NotReached { target, reason: reason.clone() });
            }
        }
    }
    let mut by_address: BTreeMap<IpAddr, Work> = BTreeMap::new();
    for ((address, host), used) in uses {
        let work = by_address.entry(address).or_insert_with(|| Work { hosts: Vec::new(), services: Vec::new() });
        work.hosts.push(HostInput {
            host: Some(host.clone()),
            address,
            claimed: claims(inventory, &host, address) || owns(inventory, address),
            inbound: !used.domains.is_empty(),
            outbound: inventory.is_some_and(|inventory| inventory.is_sender(address)),
        });
        if plan.probes {
            work.services.extend(services(plan, inventory, address, &host, &used));
        }
    }
    for (address, name) in senders(plan, inventory) {
        by_address.entry(address).or_insert_with(|| {
            let host = HostInput { host: name, address, claimed: true, inbound: false, outbound: true };
            Work { hosts: vec![host], services: Vec::new() }
        });
    }
    (by_address.into_values().collect(), unresolved.into_iter().collect())
}

/// The services of one address of one host: what an MX record or the inventory declares, and the ports that were asked for.
fn services(plan: &Plan, inventory: Option<&Inventory>, address: IpAddr, host: &Name, used: &Use) -> Vec<Service> {
    let mut ports: BTreeMap<u16, (Protocol, bool)> = BTreeMap::new();
    if !used.domains.is_empty() {
        ports.extend(plan.ports.iter().map(|(port, protocol)| (*port, (*protocol, *port == plan.smtp_port))));
    }
    let entry = inventory.and_then(|inventory| inventory.host(host));
    for service in entry.and_then(|entry| entry.services.as_ref()).into_iter().flatten() {
        ports.insert(service.port, (Protocol::from(service.protocol), true));
    }
    let service = |(port, (protocol, declared))| Service {
        endpoint: Endpoint {
            host: host.clone(),
            address: SocketAddr::new(address, port),
            protocol,
            claimed: claims(inventory, host, address),
            domains: used.domains.iter().cloned().collect(),
        },
        declared,
    };
    ports.into_iter().map(service).collect()
}

/// Whether a host is claimed at an address. Where the inventory lists addresses, others are not claimed with the name:
/// DNS could lead the name to anybody's server.
fn claims(inventory: Option<&Inventory>, host: &Name, address: IpAddr) -> bool {
    let Some(inventory) = inventory.filter(|inventory| inventory.claims(host)) else { return false };
    let listed = inventory.host(host).and_then(|entry| entry.addresses.as_ref());
    listed.is_none_or(|listed| listed.contains(&address))
}

fn owns(inventory: Option<&Inventory>, address: IpAddr) -> bool {
    inventory.is_some_and(|inventory| inventory.claims_address(address))
}

/// Sending addresses of the run: those of the whole inventory, or of the domains that were named.
fn senders(plan: &Plan, inventory: Option<&Inventory>) -> BTreeMap<IpAddr, Option<Name>> {
    let Some(inventory) = inventory else { return BTreeMap::new() };
    let of_domains =
        plan.domains.iter().filter_map(|(name, _)| inventory.domain(name)).flat_map(|domain| &domain.senders);
    let known = plan.domains.iter().any(|(name, _)| inventory.domain(name).is_some());
    let of_all = inventory.senders.iter().filter(|_| plan.whole_inventory || known);
    let every = of_all.chain(of_domains).filter(|sender| plan.family.holds(sender.ip));
    every.map(|sender| (sender.ip, sender.name.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::domain::List;
    use crate::facts::{Cause, Fact, Method};

    fn present<T>(value: T) -> Fact<T> {
        Fact::present(value, Method::Dns, None)
    }

    fn mx(host: &str, addresses: Fact<Vec<IpAddr>>) -> MxFacts {
        MxFacts { host: present(Name::parse(host).unwrap()), addresses, ..MxFacts::default() }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_exchangers_of_a_domain_follow_its_records() {
        let domain = Name::parse("example.org").unwrap();
        let names = |facts: &DomainFacts| -> Vec<String> {
            exchangers(&domain, facts)
                .iter()
                .map(|found| format!("{} {:?}", found.host, found.addresses.as_ref().map(Vec::len).ok()))
                .collect()
        };
        let mut facts = DomainFacts::default();
        assert!(names(&facts).is_empty(), "nothing is known");
        facts.dns.addresses = present(vec![ip("192.0.2.1")]);
        facts.dns.implicit_mx = present(true);
        assert_eq!(names(&facts), ["example.org Some(1)"]);
        facts.dns.implicit_mx = present(false);
        let null = MxFacts { null: present(true), ..mx(".", Fact::default()) };
        let literal = MxFacts { address_literal: present(true), ..mx("192.0.2.9", Fact::default()) };
        let gone = mx("gone.example.org", Fact::absent(crate::facts::Proof::Nxdomain, Method::Dns, None));
        let dark = mx("mx2.example.org", Fact::unknown(Cause::DnsServfail, None, None));
        let good = mx("mx1.example.org", present(vec![ip("192.0.2.1"), ip("2001:db8::1")]));
        facts.dns.mx = present(List(vec![null, literal, gone, dark, good]));
        assert_eq!(names(&facts), ["mx2.example.org None", "mx1.example.org Some(2)"]);
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_not_claimed_there() {
        let mut files = crate::diag::Files::default();
        let text = "format: 1\nsenders: [{ ip: 192.0.2.7 }]\nhosts:\n  - name: mail.example.org\n    addresses: [192.0.2.1]\n  \
                    - name: open.example.org\ndomains:\n  - { name: example.org, mx: [mx.example.org] }\n";
        let inventory = Inventory::load(&mut files, "mailvet.yaml", text.as_bytes()).unwrap();
        for (host, address, wanted) in [
            ("mail.example.org", "192.0.2.1", true),
            ("mail.example.org", "198.51.100.1", false),
            ("open.example.org", "198.51.100.1", true),
            ("mx.example.org", "198.51.100.1", true),
            ("other.example.org", "192.0.2.1", false),
        ] {
            let host = Name::parse(host).unwrap();
            assert_eq!(claims(Some(&inventory), &host, ip(address)), wanted, "{host} {address}");
            assert!(!claims(None, &host, ip(address)));
        }
        assert!(owns(Some(&inventory), ip("192.0.2.7")) && !owns(None, ip("192.0.2.7")));
    }
}
