//! What an SMTP server announces: extensions and authentication.

use super::starttls::{once_offered, without_starttls};
use super::{not_offered, observed, seen, smtp_behaviour as behaviour, unseen};
use crate::diag::Span;
use crate::facts::service::{AuthFacts, Protocol, SmtpFacts};
use crate::facts::{Cause, Fact, Method, Proof};
use crate::probes::smtp::{Hello, Keyword, SmtpProbe};
use crate::probes::{Endpoint, Failure, Noted, Seen, is_implicit_tls};

/// Facts about SMTP.
pub(super) fn collect(endpoint: &Endpoint, probe: &SmtpProbe) -> SmtpFacts {
    let announced = announced(endpoint, probe);
    SmtpFacts {
        ehlo: seen(announced, |hello| hello.is_extended),
        keywords: if is_implicit_tls(endpoint.protocol) {
            without_starttls(&probe.opening)
        } else {
            extended(&probe.plain, |hello, span| observed(names(hello), span))
        },
        keywords_tls: if is_implicit_tls(endpoint.protocol) {
            seen(&probe.inside, names)
        } else {
            once_offered(&probe.opening, &probe.inside, names)
        },
        size: extended(announced, size),
        pipelining: extended(announced, |hello, span| {
            let keyword = hello.keyword("PIPELINING");
            observed(keyword.is_some(), keyword.map_or(span, |keyword| keyword.span))
        }),
        early_talk: seen(&probe.early_talk, |served| *served),
        vrfy: behaviour::answers(&probe.vrfy),
        vrfy_confirms: behaviour::vrfy_confirms(&probe.vrfy),
        expn: behaviour::answers(&probe.expn),
        expn_expands: behaviour::expn_expands(&probe.expn),
        relay: behaviour::relay(&probe.relay),
        open_relay: behaviour::open_relay(&probe.relay),
        postmaster: behaviour::postmaster(endpoint, &probe.recipients),
        abuse: behaviour::abuse(endpoint, &probe.recipients),
        greylisting: behaviour::greylisting(&probe.recipients),
        recipient_limit: extended(announced, recipient_limit),
    }
}

/// Facts about authentication. Nothing is tried: a mechanism that is announced counts as offered.
pub(super) fn auth(endpoint: &Endpoint, probe: &SmtpProbe) -> AuthFacts {
    let before = mechanisms(&probe.plain);
    let after = mechanisms(&probe.inside);
    // RFC 4954 section 4, RFC 8314 section 4.1
    let is_plaintext = |mechanism: &String| matches!(mechanism.as_str(), "PLAIN" | "LOGIN");
    let required = required(endpoint, probe);
    if is_implicit_tls(endpoint.protocol) {
        return AuthFacts {
            before_tls: without_starttls(&probe.opening),
            after_tls: seen(&after, Clone::clone),
            cleartext: without_starttls(&probe.opening),
            required,
        };
    }
    AuthFacts {
        before_tls: seen(&before, Clone::clone),
        after_tls: once_offered(&probe.opening, &after, Clone::clone),
        cleartext: seen(&before, |mechanisms| mechanisms.iter().any(is_plaintext)),
        required,
    }
}

/// SASL mechanisms and where they stand; where there are none, the whole reply shows it.
fn mechanisms(hello: &Seen<Hello>) -> Seen<Vec<String>> {
    let Noted { value: hello, span } = hello.as_ref().map_err(Clone::clone)?;
    Ok(Noted { value: hello.mechanisms(), span: hello.mechanisms_span().unwrap_or(*span) })
}

/// Whether a submission server wants to know who sends. Servers on port 25 take mail of strangers for their own domains;
/// there the fact does not apply.
fn required(endpoint: &Endpoint, probe: &SmtpProbe) -> Fact<bool> {
    if endpoint.protocol == Protocol::Smtp {
        return match &probe.opening.reached {
            Ok(reached) => not_offered(reached.span).with_note("port 25 takes mail from servers that do not log in"),
            Err(failure) => unseen(failure),
        };
    }
    behaviour::authentication_required(&probe.submission)
}

/// The list of extensions that counts: the one inside TLS once there is one (RFC 3207 section 4.2).
fn announced<'a>(endpoint: &Endpoint, probe: &'a SmtpProbe) -> &'a Seen<Hello> {
    if is_implicit_tls(endpoint.protocol) || probe.inside.is_ok() { &probe.inside } else { &probe.plain }
}

/// A fact about extensions, which a server has only when it knows EHLO.
fn extended<T>(hello: &Seen<Hello>, fact: impl FnOnce(&Hello, Span) -> Fact<T>) -> Fact<T> {
    match hello {
        Ok(Noted { value: hello, span }) if hello.is_extended => fact(hello, *span),
        Ok(Noted { span, .. }) => not_offered(*span).with_note("the server knows HELO only"),
        Err(failure) => unseen(failure),
    }
}

/// The keywords, each once.
fn names(hello: &Hello) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for keyword in &hello.keywords {
        if !names.contains(&keyword.name) {
            names.push(keyword.name.clone());
        }
    }
    names
}

/// Parameter of SIZE (RFC 1870 section 4).
fn size(hello: &Hello, span: Span) -> Fact<i64> {
    match hello.keyword("SIZE") {
        None => not_offered(span),
        Some(Keyword { parameters, span, .. }) => match parameters.first() {
            None => Fact::absent(Proof::NotStated, Method::Session, Some(*span)),
            Some(text) => number(text, *span),
        },
    }
}

/// `RCPTMAX` of LIMITS (RFC 9422 section 4.2).
fn recipient_limit(hello: &Hello, span: Span) -> Fact<i64> {
    let Some(Keyword { parameters, span, .. }) = hello.keyword("LIMITS") else { return not_offered(span) };
    let limit = parameters.iter().find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.eq_ignore_ascii_case("RCPTMAX").then_some(value)
    });
    match limit {
        None => Fact::absent(Proof::NotStated, Method::Session, Some(*span)),
        Some(text) => number(text, *span),
    }
}

/// A number of at most 20 digits as the grammar has it; what does not fit 63 bits is as good as no limit.
fn number(text: &str, span: Span) -> Fact<i64> {
    if text.is_empty() || text.len() > 20 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return unseen(&Failure { cause: Cause::Parse, note: format!("not a number: {text:?}"), span });
    }
    observed(text.parse().unwrap_or(i64::MAX), span)
}
