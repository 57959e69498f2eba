//! DNSSEC of a domain: the state of its records, keys and signatures.

use crate::facts::domain::DnssecFacts;
use crate::mail::Name;

use super::Context;

/// Facts from our own validation.
pub(super) fn collect(_context: &Context<'_>, _name: &Name) -> DnssecFacts {
    DnssecFacts::default()
}
