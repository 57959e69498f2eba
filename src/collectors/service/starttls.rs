//! STARTTLS of a service: offered, negotiated, injectable, required.

use super::{not_offered, observed, seen, unseen};
use crate::facts::Fact;
use crate::facts::service::StarttlsFacts;
use crate::probes::{Endpoint, Noted, Opening, Seen, is_implicit_tls};

/// Facts about STARTTLS.
pub(super) fn collect(endpoint: &Endpoint, opening: &Opening) -> StarttlsFacts {
    if is_implicit_tls(endpoint.protocol) {
        return StarttlsFacts {
            offered: without_starttls(opening),
            negotiated: without_starttls(opening),
            injection: without_starttls(opening),
            required: match &opening.handshake {
                Ok((_, span)) => observed(true, *span).with_note("the service speaks TLS from the first byte"),
                Err(failure) => unseen(failure),
            },
        };
    }
    StarttlsFacts {
        offered: seen(&opening.starttls_offered, |offered| *offered),
        negotiated: once_offered(opening, &opening.starttls_negotiated, |negotiated| *negotiated),
        injection: once_offered(opening, &opening.injection, |injection| *injection),
        required: seen(&opening.tls_required, |required| *required),
    }
}

/// A fact that a service has only where TLS is a step: absent where TLS came first. Without a handshake nobody has seen
/// that it comes first: the port may well speak in the clear.
pub(super) fn without_starttls<T>(opening: &Opening) -> Fact<T> {
    match &opening.handshake {
        Ok((_, span)) => not_offered(*span).with_note("the service speaks TLS from the first byte"),
        Err(failure) => unseen(failure),
    }
}

/// A fact that a service can have only when it offers STARTTLS: absent when it was asked and does not (RFC 3207).
pub(super) fn once_offered<T, U>(opening: &Opening, what: &Seen<T>, value: impl FnOnce(&T) -> U) -> Fact<U> {
    match (&opening.starttls_offered, what) {
        (Ok(Noted { value: false, span }), Err(_)) => not_offered(*span).with_note("STARTTLS is not offered"),
        _ => seen(what, value),
    }
}
