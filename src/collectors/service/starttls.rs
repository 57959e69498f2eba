//! STARTTLS of a service: offered, negotiated, injectable, required.

use crate::facts::service::StarttlsFacts;
use crate::probes::{Endpoint, Opening};

/// Facts about STARTTLS.
pub(super) fn collect(_endpoint: &Endpoint, _opening: &Opening) -> StarttlsFacts {
    StarttlsFacts::default()
}
