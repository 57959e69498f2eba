//! POP3 behaviour and authentication.

use crate::facts::service::{AuthFacts, Pop3Facts};
use crate::probes::Endpoint;
use crate::probes::pop3::Pop3Probe;

/// Facts about Pop3.
pub(super) fn collect(_endpoint: &Endpoint, _probe: &Pop3Probe) -> Pop3Facts {
    Pop3Facts::default()
}

/// Facts about authentication.
pub(super) fn auth(_endpoint: &Endpoint, _probe: &Pop3Probe) -> AuthFacts {
    AuthFacts::default()
}
