//! TLS of a service: versions, suites and the certificate.

use super::ServiceInput;
use crate::facts::service::TlsFacts;

/// Facts about TLS.
pub(super) fn collect(_input: &ServiceInput<'_>) -> TlsFacts {
    TlsFacts::default()
}
