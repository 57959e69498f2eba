//! The inventory: what an organisation owns and expects (`mailvet.yaml`).
//!
//! It declares domains with their use of mail, mail exchangers, sending addresses, DKIM selectors, hosts with their
//! services, networks, and where DNS data, profile and waivers are. It is written by people, so every mistake is answered
//! with place, snippet and help, and each domain and host keeps the position of its entry for reports. What it claims is
//! what may be probed actively, so nothing is claimed that it does not name. It reads no other file: commands resolve
//! the paths it names.

mod hosts;
mod load;

pub use hosts::{BlockLists, Host, ProbeIdentity, Service, ServiceDeclaration};

use std::net::IpAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diag::Span;
use crate::mail::Name;

/// What an organisation owns and expects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Inventory {
    /// Version of this format; 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<u32>,
    /// The organisation, as reports name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation: Option<Organisation>,
    /// Mail domains.
    pub domains: Vec<Domain>,
    /// Addresses that send mail for every domain that sends.
    pub senders: Vec<Sender>,
    /// The organisation's own networks.
    #[schemars(with = "Vec<String>")]
    pub networks: Vec<IpNet>,
    /// Mail hosts that the organisation owns. Only they, and the hosts that a domain's `mx` names, may be probed actively.
    pub hosts: Vec<Host>,
    /// Block lists to ask about addresses and domains. Without this key, the lists that mailvet knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_lists: Option<BlockLists>,
    /// How mailvet introduces itself to mail servers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeIdentity>,
    /// Where DNS data comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsInput>,
    /// Profile file, relative to the inventory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Waiver files, relative to the inventory.
    pub waivers: Vec<String>,
    /// Files of answers to manual rules, relative to the inventory.
    pub answers: Vec<String>,
}

/// The organisation, as reports name it, and what their cover says about the engagement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    /// Its name.
    pub name: String,
    /// Identifier of the audit engagement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engagement: Option<String>,
    /// Classification of reports, such as `TLP:AMBER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classification: Option<String>,
    /// Who receives reports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub distribution: Vec<String>,
    /// Picture for the cover: a PNG file, relative to the inventory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<String>,
}

/// Where DNS data comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsInput {
    /// Files and folders of DNS-as-code, relative to the inventory.
    pub files: Vec<String>,
}

/// What a domain does with mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The domain sends mail.
    Sends,
    /// The domain receives mail.
    Receives,
    /// The domain does neither.
    Parked,
}

/// One mail domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// Its name.
    pub name: Name,
    /// What it does with mail. `[parked]` excludes the others; an empty list says nothing.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// Mail exchangers that DNS must list, no more and no fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mx: Option<Vec<Name>>,
    /// Name servers that DNS must list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ns: Option<Vec<Name>>,
    /// DKIM selectors that must be published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dkim_selectors: Option<Vec<String>>,
    /// Addresses that send mail for this domain, beside those of all domains.
    #[serde(default)]
    pub senders: Vec<Sender>,
    /// File with the MTA-STS policy as served, relative to the inventory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mta_sts_policy: Option<String>,
    /// Who answers for the domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Position of the entry in the inventory file.
    #[serde(skip)]
    pub span: Option<Span>,
}

/// An address that sends mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// The address.
    pub ip: IpAddr,
    /// Host name that the address should have: its PTR record, and the name it gives itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Inventory {
    /// The entry of a domain.
    pub fn domain(&self, name: &Name) -> Option<&Domain> {
        self.domains.iter().find(|domain| domain.name == *name)
    }

    /// The entry of a host.
    pub fn host(&self, name: &Name) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name == *name)
    }

    /// Whether a host is the organisation's own: it has an entry, or a domain's `mx` names it.
    pub fn claims(&self, host: &Name) -> bool {
        self.host(host).is_some() || self.domains.iter().flat_map(|domain| &domain.mx).any(|mx| mx.contains(host))
    }

    /// Whether an address is the organisation's own: that of a host with an entry, or of a sender.
    pub fn claims_address(&self, address: IpAddr) -> bool {
        self.is_sender(address)
            || self.hosts.iter().flat_map(|host| &host.addresses).any(|addresses| addresses.contains(&address))
    }

    /// Addresses that send mail, those of all domains and those of single ones; an address may come twice.
    pub fn all_senders(&self) -> impl Iterator<Item = &Sender> {
        self.senders.iter().chain(self.domains.iter().flat_map(|domain| &domain.senders))
    }

    /// Whether an address sends mail.
    pub fn is_sender(&self, address: IpAddr) -> bool {
        self.all_senders().any(|sender| sender.ip == address)
    }

    /// Whether an address lies in the organisation's networks; `None` when the inventory lists none.
    pub fn in_networks(&self, address: IpAddr) -> Option<bool> {
        let networks = (!self.networks.is_empty()).then_some(&self.networks)?;
        Some(networks.iter().any(|network| network.contains(&address)))
    }
}
