//! POP3 behaviour and authentication, from the capabilities before and inside TLS.

use super::imap::{before, inside, not_asked, takes_passwords};
use super::seen;
use crate::facts::service::{AuthFacts, Pop3Facts};
use crate::facts::{Cause, Fact, Observed, Proof};
use crate::probes::Endpoint;
use crate::probes::pop3::Pop3Probe;

/// Facts about POP3.
pub(super) fn collect(endpoint: &Endpoint, probe: &Pop3Probe) -> Pop3Facts {
    let opening = &probe.opening;
    let none = || Observed::Absent(Proof::NotOffered);
    Pop3Facts {
        capabilities: told(before(endpoint, opening, &probe.capabilities, Clone::clone), none(), |list| list),
        capabilities_tls: told(inside(endpoint, opening, &probe.capabilities_tls, Clone::clone), none(), |list| list),
        apop: seen(&probe.apop, |apop| *apop),
    }
}

/// Facts about authentication.
pub(super) fn auth(endpoint: &Endpoint, probe: &Pop3Probe) -> AuthFacts {
    let opening = &probe.opening;
    let plain = before(endpoint, opening, &probe.capabilities, |list| list.as_deref().map(mechanisms));
    let after = inside(endpoint, opening, &probe.capabilities_tls, |list| list.as_deref().map(mechanisms));
    // Only a login would tell, and none is tried.
    let undecided = Cause::NotCollected;
    AuthFacts {
        cleartext: told(plain.clone(), Observed::Unknown(undecided), |list| takes_passwords(&list)),
        before_tls: told(plain, Observed::Unknown(undecided), |list| list),
        after_tls: told(after, Observed::Unknown(undecided), |list| list),
        required: not_asked(opening),
    }
}

/// Ways to log in: the mechanisms of SASL (RFC 5034 section 3), and USER where it is announced (RFC 2449 section 6.3).
fn mechanisms(capabilities: &[String]) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    for capability in capabilities {
        let mut words = capability.split(' ');
        let offered: Vec<&str> = match words.next() {
            Some("SASL") => words.collect(),
            Some("USER") => vec!["USER"],
            _ => Vec::new(),
        };
        for mechanism in offered {
            if !list.iter().any(|known| known == mechanism) {
                list.push(mechanism.to_owned());
            }
        }
    }
    list
}

/// A fact from the answer to CAPA, or `silent` when the server does not know CAPA.
fn told<T, U>(fact: Fact<Option<T>>, silent: Observed<U>, value: impl FnOnce(T) -> U) -> Fact<U> {
    let mut from = fact.from;
    let observed = match fact.observed {
        Observed::Absent(proof) => Observed::Absent(proof),
        Observed::Unknown(cause) => Observed::Unknown(cause),
        Observed::Present(Some(found)) => Observed::Present(value(found)),
        Observed::Present(None) => {
            from.note = Some("the server does not know CAPA, so it does not say, and no login is tried".into());
            silent
        }
    };
    Fact { observed, from }
}
