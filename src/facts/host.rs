//! Facts about a mail host: one address of one host, its names and its reputation.

use std::net::IpAddr;

use super::Fact;
use super::value::List;
use crate::mail::Name;

words! {
    /// Whether a block list answers as RFC 5782 section 5 asks, so that its answers can be believed.
    pub enum ListHealth unordered {
        /// The test entry is listed and the test address that must not be is not.
        Working = "working",
        /// The test entry is not listed: the list is dead, or does not answer us.
        Dead = "dead",
        /// The address that must never be listed is: the list lists everything, or the resolver rewrites answers.
        ListsEverything = "lists-everything",
        /// The list refuses the resolver that asked (for example 127.255.255.254 for public resolvers).
        Refused = "refused",
    }
}

facts! {
    /// Everything that is known about one address of a mail host.
    pub struct HostFacts {
        /// Name of the host; for a sending address without one, its PTR name or the address.
        "host" host: Fact<String>,
        /// The address.
        "address" address: Fact<IpAddr>,
        /// Whether the inventory claims the host or the address.
        "host is in the inventory" claimed: Fact<bool>,
        /// Whether the host receives mail: it is named in an MX record of a domain of this run.
        "host receives mail" inbound: Fact<bool>,
        /// Whether the host sends mail: the inventory lists its address among the senders. Mail exchangers are not senders by themselves.
        "host sends mail" outbound: Fact<bool>,
        /// Whether the address lies in the networks that the inventory lists. Absent when it lists none.
        "address is in the organisation's networks" in_networks: Fact<bool>,
        /// Whether the address cannot be reached from the Internet (RFC 6890).
        "special-purpose address" special: Fact<bool>,
        /// Names in PTR records of the address (RFC 1912 section 2.1; IPv6: RFC 3596 section 2.5).
        "PTR names" ptr: Fact<List<PtrFacts>>,
        /// Whether at least one PTR name has the address among its addresses. Absent without PTR record.
        "reverse DNS is forward-confirmed" forward_confirmed: Fact<bool>,
        /// Whether every PTR name looks like one that a provider generates from the address. Absent without PTR record.
        "PTR name is generic" generic_ptr: Fact<bool>,
        /// Whether the host's name is one of the PTR names. Absent without PTR record, or for an address without a name.
        "host name is a PTR name" ptr_is_host: Fact<bool>,
        /// Block lists that were asked about the address (RFC 5782).
        "block lists asked" lists: Fact<List<ListingFacts>>,
        /// Names of the lists that list the address, of those that work: a list that fails its self-test says nothing. Unknown when no list lists it and one that may work could not be asked.
        "block lists that list the address" listed_on: Fact<Vec<String>>,
    }

    /// One PTR record.
    pub struct PtrFacts label name {
        /// The name.
        "PTR name" name: Fact<Name>,
        /// Whether an address record of the name has the address.
        "PTR name leads back to the address" confirms: Fact<bool>,
    }

    /// What one block list says.
    pub struct ListingFacts label list {
        /// Zone of the list.
        "block list" list: Fact<String>,
        /// Whether the list can be believed, by the self-test of RFC 5782 section 5.
        "health of the block list" health: Fact<ListHealth>,
        /// Whether it lists the address or domain. Unknown when the list failed its self-test, refused, or gave an error code (127.255.255.0/24) or an address outside 127.0.0.0/8.
        "listed" listed: Fact<bool>,
        /// Codes that it returned. Absent when not listed.
        "codes of the listing" codes: Fact<Vec<IpAddr>>,
        /// Reason that the list publishes as text. Absent when it gives none.
        "reason of the listing" reason: Fact<String>,
    }
}
