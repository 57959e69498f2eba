//! The greeting of a service, and what DNS and the certificate say of the name in it.

use super::ServiceInput;
use crate::collectors::Context;
use crate::facts::service::{GreetingFacts, TlsFacts};

/// Facts about the greeting.
pub(super) fn collect(_context: &Context<'_>, _input: &ServiceInput<'_>, _tls: &TlsFacts) -> GreetingFacts {
    GreetingFacts::default()
}
