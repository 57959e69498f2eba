//! From sources to facts; one file per family of facts.
//!
//! A collector never says good or bad, and never turns "could not look" into a value: an unknown answer becomes a fact
//! that is unknown for the same cause. Collectors are plain functions over a [`RecordSource`]; they do no I/O of their
//! own, so the same code serves files and, behind another source, live servers.
//!
//! [`RecordSource`]: crate::sources::RecordSource

mod authority;
mod compare;
mod context;
mod dane;
mod dkim;
mod dmarc;
mod dns;
mod dnssec;
mod families;
mod host;
mod inventory;
mod mail_use;
mod reputation;
mod second_resolver;
mod service;
mod spf;
#[cfg(test)]
mod tests;
mod transport;

pub use context::{Cache, Context, PolicyFile};
pub use families::Families;
pub use host::{HostInput, collect as host};
pub use service::{ServiceInput, collect as service};

use crate::facts::snapshot::OrganisationFacts;
use crate::facts::{DomainFacts, Fact, Method};
use crate::inventory::Organisation;
use crate::mail::Name;

/// What the inventory says about the organisation.
pub fn organisation(organisation: &Organisation) -> OrganisationFacts {
    OrganisationFacts { name: Fact::present(organisation.name.clone(), Method::Inventory, None) }
}

/// Collects all facts about one mail domain.
pub fn domain(context: &Context<'_>, name: &Name) -> Box<DomainFacts> {
    let mut families = Families::default();
    families.collect(context, name);
    families.facts()
}
