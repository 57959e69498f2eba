//! IMAP behaviour and authentication, from the capabilities before and inside TLS.

#[cfg(test)]
mod tests;

use super::{seen, unseen};
use crate::diag::Span;
use crate::facts::service::{AuthFacts, ImapFacts};
use crate::facts::{Fact, Method, Proof};
use crate::probes::imap::ImapProbe;
use crate::probes::{Endpoint, Noted, Opening, Seen, is_implicit_tls};

/// Facts about IMAP.
pub(super) fn collect(endpoint: &Endpoint, probe: &ImapProbe) -> ImapFacts {
    let plain = Plain::of(endpoint, &probe.opening);
    ImapFacts {
        capabilities: plain.fact(&probe.capabilities, Clone::clone),
        capabilities_tls: inside(endpoint, &probe.opening, &probe.capabilities_tls, Clone::clone),
        login_disabled: plain.fact(&probe.capabilities, |list| is_login_disabled(list)),
        preauth: seen(&probe.preauth, |preauth| *preauth),
    }
}

/// Facts about authentication.
pub(super) fn auth(endpoint: &Endpoint, probe: &ImapProbe) -> AuthFacts {
    let plain = Plain::of(endpoint, &probe.opening);
    // Whoever is taken for authenticated has no LOGIN command any more (RFC 9051 section 6.2).
    let preauth = matches!(probe.preauth, Ok(Noted { value: true, .. }));
    AuthFacts {
        before_tls: plain.fact(&probe.capabilities, |list| mechanisms(list, preauth)),
        after_tls: inside(endpoint, &probe.opening, &probe.capabilities_tls, |list| mechanisms(list, preauth)),
        cleartext: plain.fact(&probe.capabilities, |list| takes_passwords(&mechanisms(list, preauth))),
        required: not_asked(&probe.opening),
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
pub(super) struct Plain {
    /// Where TLS was seen to come first.
    implicit: Option<Option<Span>>,
}

impl Plain {
    pub(super) fn of(endpoint: &Endpoint, opening: &Opening) -> Plain {
        Plain { implicit: is_implicit_tls(endpoint.protocol).then(|| place(opening)) }
    }

    pub(super) fn fact<T, U>(&self, before: &Seen<T>, value: impl FnOnce(&T) -> U) -> Fact<U> {
        match self.implicit {
            Some(span) => Fact::absent(Proof::NotOffered, Method::Session, span),
            None => seen(before, value),
        }
    }
}

/// What was seen inside TLS; absent when the service offers none.
pub(super) fn inside<T, U>(
    endpoint: &Endpoint,
    opening: &Opening,
    after: &Seen<T>,
    value: impl FnOnce(&T) -> U,
) -> Fact<U> {
    match &opening.starttls_offered {
        Ok(Noted { value: false, span }) if !is_implicit_tls(endpoint.protocol) => {
            Fact::absent(Proof::NotOffered, Method::Session, Some(*span))
        }
        _ => seen(after, value),
    }
}

/// The fact about messages without authentication: IMAP and POP3 take no messages.
pub(super) fn not_asked(opening: &Opening) -> Fact<bool> {
    match &opening.reached {
        Ok(_) => Fact::absent(Proof::NotOffered, Method::Session, place(opening)),
        Err(failure) => unseen(failure),
    }
}

/// Where the transcript begins.
fn place(opening: &Opening) -> Option<Span> {
    match &opening.reached {
        Ok(noted) => Some(noted.span),
        Err(failure) => Some(failure.span),
    }
}
