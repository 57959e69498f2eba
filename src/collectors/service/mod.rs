//! From the sessions with one service to its facts; one file per family.

mod dane;
mod greeting;
mod imap;
mod pop3;
mod smtp;
mod smtp_behaviour;
mod starttls;
#[cfg(test)]
mod tests;
mod tls;

use crate::diag::Span;
use crate::facts::service::{ImapFacts, Pop3Facts, SmtpFacts};
use crate::facts::{Fact, Method, Observed, Proof, Provenance, ServiceFacts};
use crate::mail::Name;
use crate::probes::{Failure, Noted, Seen, ServiceProbe, SessionProbe};

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
pub fn collect(context: &Context<'_>, input: &ServiceInput<'_>) -> ServiceFacts {
    let endpoint = &input.probe.endpoint;
    let opening = input.probe.session.opening();
    let tls = tls::collect(input);
    let (auth, smtp, imap, pop3) = match &input.probe.session {
        SessionProbe::Smtp(probe) => {
            (smtp::auth(endpoint, probe), smtp::collect(endpoint, probe), ImapFacts::default(), Pop3Facts::default())
        }
        SessionProbe::Imap(probe) => {
            (imap::auth(endpoint, probe), SmtpFacts::default(), imap::collect(endpoint, probe), Pop3Facts::default())
        }
        SessionProbe::Pop3(probe) => {
            (pop3::auth(endpoint, probe), SmtpFacts::default(), ImapFacts::default(), pop3::collect(endpoint, probe))
        }
    };
    ServiceFacts {
        host: known(endpoint.host.clone()),
        address: known(endpoint.address.ip()),
        port: known(i64::from(endpoint.address.port())),
        protocol: known(endpoint.protocol),
        claimed: known(endpoint.claimed),
        mx_for: known(input.mx_for.to_vec()),
        reached: seen(&opening.reached, |()| true),
        greeting: greeting::collect(context, input, &tls),
        starttls: starttls::collect(endpoint, opening),
        dane: dane::collect(context, input),
        tls,
        auth,
        smtp,
        imap,
        pop3,
    }
}

/// A fact that follows from what was asked to be probed.
fn known<T>(value: T) -> Fact<T> {
    Fact::present(value, Method::Derived, None)
}

/// A fact from something that was seen, or unknown for the reason it was not.
fn seen<T, U>(seen: &Seen<T>, value: impl FnOnce(&T) -> U) -> Fact<U> {
    match seen {
        Ok(Noted { value: found, span }) => Fact::present(value(found), Method::Session, Some(*span)),
        Err(failure) => unseen(failure),
    }
}

/// A value that a session showed.
fn observed<T>(value: T, span: Span) -> Fact<T> {
    Fact::present(value, Method::Session, Some(span))
}

/// The service was asked, or needs no asking, and does not have it.
fn not_offered<T>(span: Span) -> Fact<T> {
    Fact::absent(Proof::NotOffered, Method::Session, Some(span))
}

/// A fact that is unknown because something could not be seen.
fn unseen<T>(failure: &Failure) -> Fact<T> {
    Fact {
        observed: Observed::Unknown(failure.cause),
        from: Provenance {
            method: Method::Session,
            span: Some(failure.span),
            note: Some(failure.note.as_str().into()),
            evidence: None,
        },
    }
}
