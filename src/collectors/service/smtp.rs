//! SMTP behaviour and authentication.

use crate::facts::service::{AuthFacts, SmtpFacts};
use crate::probes::Endpoint;
use crate::probes::smtp::SmtpProbe;

/// Facts about SMTP.
pub(super) fn collect(_probe: &SmtpProbe) -> SmtpFacts {
    SmtpFacts::default()
}

/// Facts about authentication.
pub(super) fn auth(_endpoint: &Endpoint, _probe: &SmtpProbe) -> AuthFacts {
    AuthFacts::default()
}
