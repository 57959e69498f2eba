//! IMAP behaviour and authentication, from the capabilities before and inside TLS.

#[cfg(test)]
mod tests;

use super::starttls::{once_offered, without_starttls};
use super::{not_offered, seen, unseen};
use crate::facts::Fact;
use crate::facts::service::{AuthFacts, ImapFacts};
use crate::probes::imap::ImapProbe;
use crate::probes::{Endpoint, Noted, Opening, Seen, is_implicit_tls};

/// Facts about IMAP.
pub(super) fn collect(endpoint: &Endpoint, probe: &ImapProbe) -> ImapFacts {
    let opening = &probe.opening;
    ImapFacts {
        capabilities: before(endpoint, opening, &probe.capabilities, Clone::clone),
        capabilities_tls: inside(endpoint, opening, &probe.capabilities_tls, Clone::clone),
        login_disabled: before(endpoint, opening, &probe.capabilities, |list| is_login_disabled(list)),
        preauth: seen(&probe.preauth, |preauth| *preauth),
    }
}

/// Facts about authentication.
pub(super) fn auth(endpoint: &Endpoint, probe: &ImapProbe) -> AuthFacts {
    let opening = &probe.opening;
    // Whoever is taken for authenticated has no LOGIN command any more (RFC 9051 section 6.2).
    let preauth = matches!(probe.preauth, Ok(Noted { value: true, .. }));
    AuthFacts {
        before_tls: before(endpoint, opening, &probe.capabilities, |list| mechanisms(list, preauth)),
        after_tls: inside(endpoint, opening, &probe.capabilities_tls, |list| mechanisms(list, preauth)),
        cleartext: before(endpoint, opening, &probe.capabilities, |list| takes_passwords(&mechanisms(list, preauth))),
        required: not_asked(opening),
    }
}

fn is_login_disabled(capabilities: &[String]) -> bool {
    capabilities.iter().any(|capability| capability == "LOGINDISABLED")
}

/// Ways to log in: `AUTH=` capabilities, and the LOGIN command unless it is switched off (RFC 9051 section 6.2.3).
fn mechanisms(capabilities: &[String], preauth: bool) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    let offered = capabilities.iter().filter_map(|capability| capability.strip_prefix("AUTH="));
    let login = (!preauth && !is_login_disabled(capabilities)).then_some("LOGIN");
    for mechanism in offered.chain(login) {
        if !list.iter().any(|known| known == mechanism) {
            list.push(mechanism.to_owned());
        }
    }
    list
}

/// Whether a mechanism sends the password as it is.
pub(super) fn takes_passwords(mechanisms: &[String]) -> bool {
    mechanisms.iter().any(|mechanism| matches!(mechanism.as_str(), "PLAIN" | "LOGIN" | "USER"))
}

/// What was seen before TLS, which services that speak TLS from the first byte do not have.
pub(super) fn before<T, U>(
    endpoint: &Endpoint,
    opening: &Opening,
    plain: &Seen<T>,
    value: impl FnOnce(&T) -> U,
) -> Fact<U> {
    if is_implicit_tls(endpoint.protocol) {
        return without_starttls(opening);
    }
    seen(plain, value)
}

/// What was seen inside TLS; absent when the service offers none.
pub(super) fn inside<T, U>(
    endpoint: &Endpoint,
    opening: &Opening,
    tls: &Seen<T>,
    value: impl FnOnce(&T) -> U,
) -> Fact<U> {
    if is_implicit_tls(endpoint.protocol) {
        return seen(tls, value);
    }
    once_offered(opening, tls, value)
}

/// The fact about messages without authentication: IMAP and POP3 take no messages.
pub(super) fn not_asked(opening: &Opening) -> Fact<bool> {
    match &opening.reached {
        Ok(reached) => not_offered(reached.span),
        Err(failure) => unseen(failure),
    }
}
