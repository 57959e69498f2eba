//! One address of a mail host: its reverse DNS, networks and reputation.

use std::net::IpAddr;

use crate::facts::HostFacts;
use crate::mail::Name;

use super::Context;

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
pub fn collect(_context: &Context<'_>, _input: &HostInput) -> HostFacts {
    HostFacts::default()
}
