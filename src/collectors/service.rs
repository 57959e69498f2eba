//! From the sessions with one service to its facts.

use crate::facts::ServiceFacts;
use crate::mail::Name;
use crate::probes::ServiceProbe;

use super::Context;

/// What is known of a service: the probe, and which domains use it.
#[derive(Debug, Clone)]
pub struct ServiceInput<'a> {
    /// What the sessions showed.
    pub probe: &'a ServiceProbe,
    /// Domains of this run that name the host in an MX record.
    pub mx_for: &'a [Name],
}

/// Facts about one service. The DNS behind them (PTR, TLSA) is looked up in the context's source.
pub fn collect(_context: &Context<'_>, _input: &ServiceInput<'_>) -> ServiceFacts {
    ServiceFacts::default()
}
