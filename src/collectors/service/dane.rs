//! DANE of a service: TLSA records against the chain that was sent (RFC 7672).

use super::ServiceInput;
use crate::collectors::Context;
use crate::facts::service::ServiceDaneFacts;

/// Facts about DANE.
pub(super) fn collect(_context: &Context<'_>, _input: &ServiceInput<'_>) -> ServiceDaneFacts {
    ServiceDaneFacts::default()
}
