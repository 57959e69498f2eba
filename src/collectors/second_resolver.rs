//! The same questions to a second resolver, compared.

use crate::facts::domain::SecondResolverFacts;
use crate::mail::Name;

use super::Context;

/// Facts from the comparison.
pub(super) fn collect(
    _context: &Context<'_>,
    _name: &Name,
    _dns: &crate::facts::domain::DnsFacts,
) -> SecondResolverFacts {
    SecondResolverFacts::default()
}
