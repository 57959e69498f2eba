//! What block lists of domain names say (RFC 5782 section 3).

use crate::facts::domain::ReputationFacts;
use crate::mail::Name;

use super::Context;

/// Facts from domain lists.
pub(super) fn collect(_context: &Context<'_>, _name: &Name) -> ReputationFacts {
    ReputationFacts::default()
}
