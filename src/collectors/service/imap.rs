//! IMAP behaviour and authentication.

use crate::facts::service::{AuthFacts, ImapFacts};
use crate::probes::Endpoint;
use crate::probes::imap::ImapProbe;

/// Facts about Imap.
pub(super) fn collect(_endpoint: &Endpoint, _probe: &ImapProbe) -> ImapFacts {
    ImapFacts::default()
}

/// Facts about authentication.
pub(super) fn auth(_endpoint: &Endpoint, _probe: &ImapProbe) -> AuthFacts {
    AuthFacts::default()
}
