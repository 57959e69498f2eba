//! TLS of a service: versions, suites and the certificate.

use super::{ServiceInput, seen, unseen};
use crate::diag::Span;
use crate::facts::domain::List;
use crate::facts::service::{CertificateFacts, CipherFacts, CipherStrength, TlsFacts, TlsVersion};
use crate::facts::{Cause, Fact, Method, Proof};
use crate::mail::{Name, certificate};
use crate::probes::tls::{AcceptedSuite, Certificates, Handshake, TlsProbe, suites};
use crate::probes::{Failure, Noted, Seen, is_implicit_tls};

/// Facts about TLS.
pub(super) fn collect(input: &ServiceInput<'_>) -> TlsFacts {
    let endpoint = &input.probe.endpoint;
    let opening = input.probe.session.opening();
    if let (false, Ok(Noted { value: false, span })) = (is_implicit_tls(endpoint.protocol), &opening.starttls_offered) {
        return not_offered(*span);
    }
    let facts = match &input.probe.tls {
        Ok(probe) => accepted(probe, &endpoint.host),
        Err(failure) => unknown(failure),
    };
    match (&opening.handshake, &opening.starttls_negotiated) {
        // What the session saw stands where the scan saw nothing.
        (Ok((handshake, span)), _) => with_handshake(facts, input, handshake, *span),
        (Err(_), Ok(Noted { value: false, span })) if input.probe.tls.is_err() => {
            TlsFacts { offered: Fact::present(false, Method::Session, Some(*span)), ..facts }
        }
        _ => facts,
    }
}

/// The certificates of a service, from the scan or from the session.
pub(super) fn certificates(input: &ServiceInput<'_>) -> Result<Certificates, Failure> {
    let scanned = match &input.probe.tls {
        Ok(probe) => probe.certificates.clone(),
        Err(failure) => Err(failure.clone()),
    };
    match (&scanned, &input.probe.session.opening().handshake) {
        (Err(_), Ok((handshake, span))) => Ok(Certificates::noted_at(handshake, *span)),
        _ => scanned,
    }
}

/// The service has no TLS: it was asked, and does not offer it.
fn not_offered(span: Span) -> TlsFacts {
    fn absent<T>(span: Span) -> Fact<T> {
        Fact::absent(Proof::NotOffered, Method::Session, Some(span))
    }
    TlsFacts {
        offered: Fact::present(false, Method::Session, Some(span)),
        version: absent(span),
        versions: absent(span),
        negotiated: absent(span),
        cipher: absent(span),
        ciphers: absent(span),
        weak_ciphers: absent(span),
        forward_secrecy: absent(span),
        server_preference: absent(span),
        compression: absent(span),
        secure_renegotiation: absent(span),
        ocsp_stapled: absent(span),
        cert: CertificateFacts {
            trusted: absent(span),
            error: absent(span),
            name_matches: absent(span),
            names: absent(span),
            common_name_only: absent(span),
            wildcard: absent(span),
            subject: absent(span),
            issuer: absent(span),
            not_before: absent(span),
            not_after: absent(span),
            lifetime_days: absent(span),
            key_type: absent(span),
            key_bits: absent(span),
            signature: absent(span),
            sha1: absent(span),
            self_signed: absent(span),
            chain_length: absent(span),
            chain_complete: absent(span),
            chain_not_after: absent(span),
            fingerprint: absent(span),
        },
    }
}

/// Nothing is known of the TLS, for one reason.
fn unknown(failure: &Failure) -> TlsFacts {
    TlsFacts {
        offered: unseen(failure),
        version: unseen(failure),
        versions: unseen(failure),
        negotiated: unseen(failure),
        cipher: unseen(failure),
        ciphers: unseen(failure),
        weak_ciphers: unseen(failure),
        forward_secrecy: unseen(failure),
        server_preference: unseen(failure),
        compression: unseen(failure),
        secure_renegotiation: unseen(failure),
        ocsp_stapled: unseen(failure),
        cert: unknown_certificate(failure),
    }
}

fn unknown_certificate(failure: &Failure) -> CertificateFacts {
    CertificateFacts {
        trusted: unseen(failure),
        error: unseen(failure),
        name_matches: unseen(failure),
        names: unseen(failure),
        common_name_only: unseen(failure),
        wildcard: unseen(failure),
        subject: unseen(failure),
        issuer: unseen(failure),
        not_before: unseen(failure),
        not_after: unseen(failure),
        lifetime_days: unseen(failure),
        key_type: unseen(failure),
        key_bits: unseen(failure),
        signature: unseen(failure),
        sha1: unseen(failure),
        self_signed: unseen(failure),
        chain_length: unseen(failure),
        chain_complete: unseen(failure),
        chain_not_after: unseen(failure),
        fingerprint: unseen(failure),
    }
}

/// What the scan showed.
fn accepted(probe: &TlsProbe, host: &Name) -> TlsFacts {
    let facts = TlsFacts {
        offered: offered(probe),
        version: lowest(probe),
        versions: versions(probe),
        negotiated: Fact::default(),
        cipher: Fact::default(),
        ciphers: ciphers(probe),
        weak_ciphers: weak_ciphers(probe),
        forward_secrecy: forward_secrecy(probe),
        server_preference: stated(&probe.server_preference),
        compression: seen(&probe.compression, |accepted| *accepted),
        secure_renegotiation: stated(&probe.secure_renegotiation),
        ocsp_stapled: Fact::default(),
        cert: match &probe.certificates {
            Ok(certificates) => certificate_facts(certificates, host),
            Err(failure) => unknown_certificate(failure),
        },
    };
    match &probe.handshake {
        Ok((handshake, span)) => negotiated(facts, handshake, *span),
        Err(failure) => {
            TlsFacts { negotiated: unseen(failure), cipher: unseen(failure), ocsp_stapled: unseen(failure), ..facts }
        }
    }
}

/// The facts of a handshake.
fn negotiated(facts: TlsFacts, handshake: &Handshake, span: Span) -> TlsFacts {
    fn present<T>(value: T, span: Span) -> Fact<T> {
        Fact::present(value, Method::Session, Some(span))
    }
    TlsFacts {
        offered: present(true, span),
        negotiated: present(handshake.version, span),
        cipher: present(handshake.cipher.clone(), span),
        ocsp_stapled: present(handshake.ocsp.is_some(), span),
        ..facts
    }
}

fn with_handshake(facts: TlsFacts, input: &ServiceInput<'_>, handshake: &Handshake, span: Span) -> TlsFacts {
    let scanned = input.probe.tls.as_ref().ok();
    let facts = match scanned.map(|probe| &probe.certificates) {
        Some(Ok(_)) => facts,
        _ => TlsFacts {
            cert: certificate_facts(&Certificates::noted_at(handshake, span), &input.probe.endpoint.host),
            ..facts
        },
    };
    if scanned.is_some_and(|probe| probe.handshake.is_ok()) { facts } else { negotiated(facts, handshake, span) }
}

/// Whether TLS is offered: a handshake completed, or a server that is too old for it answered an older offer.
fn offered(probe: &TlsProbe) -> Fact<bool> {
    if let Some(span) = accepted_versions(probe).map(|(_, span)| span).next() {
        return Fact::present(true, Method::Session, Some(span));
    }
    let failure = probe.versions.iter().find_map(|(_, seen)| seen.as_ref().err());
    match (failure, probe.versions.last()) {
        (None, Some((_, Ok(refused)))) => Fact::present(false, Method::Session, Some(refused.span)),
        (Some(failure), _) => unseen(failure),
        (None, _) => Fact::default(),
    }
}

fn accepted_versions(probe: &TlsProbe) -> impl Iterator<Item = (TlsVersion, Span)> {
    probe.versions.iter().filter_map(|(version, seen)| match seen {
        Ok(Noted { value: true, span }) => Some((*version, *span)),
        _ => None,
    })
}

/// The lowest version. It is known only where all lower ones are known to be refused.
fn lowest(probe: &TlsProbe) -> Fact<TlsVersion> {
    for (version, seen) in &probe.versions {
        match seen {
            Ok(Noted { value: true, span }) => return Fact::present(*version, Method::Session, Some(*span)),
            Ok(_) => {}
            Err(failure) => return unseen(failure),
        }
    }
    none_accepted(probe)
}

fn versions(probe: &TlsProbe) -> Fact<Vec<TlsVersion>> {
    if let Some(failure) = probe.versions.iter().find_map(|(_, seen)| seen.as_ref().err()) {
        return unseen(failure);
    }
    let list: Vec<_> = accepted_versions(probe).collect();
    match list.first() {
        Some((_, span)) => {
            Fact::present(list.iter().map(|(version, _)| *version).collect(), Method::Session, Some(*span))
        }
        None => none_accepted(probe),
    }
}

/// All versions were offered, and all refused.
fn none_accepted<T>(probe: &TlsProbe) -> Fact<T> {
    let refused = probe.versions.iter().find_map(|(_, seen)| seen.as_ref().ok());
    Fact::absent(Proof::NotOffered, Method::Session, refused.map(|noted| noted.span))
}

fn ciphers(probe: &TlsProbe) -> Fact<List<CipherFacts>> {
    let mut rows: Vec<CipherFacts> = probe.suites.iter().map(cipher_row).collect();
    let first = probe.suites.first().map(|suite| suite.span);
    match (&probe.more_suites, first) {
        (Some(failure), None) => unseen(failure),
        (None, None) => none_accepted(probe),
        (more, first) => {
            // Suites that were not asked for are a row of which nothing is known.
            rows.extend(more.as_ref().map(|failure| CipherFacts {
                name: unseen(failure),
                version: unseen(failure),
                strength: unseen(failure),
                forward_secrecy: unseen(failure),
            }));
            Fact::present(List(rows), Method::Session, first)
        }
    }
}

fn cipher_row(suite: &AcceptedSuite) -> CipherFacts {
    fn present<T>(value: Option<T>, span: Span) -> Fact<T> {
        match value {
            Some(value) => Fact::present(value, Method::Session, Some(span)),
            None => Fact::unknown(Cause::NotCollected, Some("the suite is not registered here".into()), Some(span)),
        }
    }
    let span = suite.span;
    CipherFacts {
        name: Fact::present(suites::name(suite.number), Method::Session, Some(span)),
        version: seen(&suite.version, |version| *version),
        strength: present(suites::strength(suite.number), span),
        forward_secrecy: present(suites::forward_secrecy(suite.number), span),
    }
}

fn weak_ciphers(probe: &TlsProbe) -> Fact<Vec<String>> {
    let is_weak = |suite: &&AcceptedSuite| {
        suites::strength(suite.number).is_some_and(|strength| strength <= CipherStrength::Weak)
    };
    let weak: Vec<_> = probe.suites.iter().filter(is_weak).collect();
    let names = || weak.iter().map(|suite| suites::name(suite.number)).collect();
    match (weak.first(), &probe.more_weak, probe.suites.first()) {
        (Some(first), None, _) => Fact::present(names(), Method::Session, Some(first.span)),
        // What was found is wrong whatever else there is.
        (Some(first), Some(failure), _) => Fact::present(names(), Method::Session, Some(first.span))
            .with_note(format!("there may be more: {}", failure.note)),
        (None, Some(failure), _) => unseen(failure),
        (None, None, Some(any)) => Fact::present(Vec::new(), Method::Session, Some(any.span)),
        (None, None, None) => none_accepted(probe),
    }
}

fn forward_secrecy(probe: &TlsProbe) -> Fact<bool> {
    let without = probe.suites.iter().find(|suite| suites::forward_secrecy(suite.number) == Some(false));
    match (without, &probe.more_weak, probe.suites.first()) {
        (Some(suite), _, _) => Fact::present(false, Method::Session, Some(suite.span)),
        (None, Some(failure), _) => unseen(failure),
        (None, None, Some(any)) => Fact::present(true, Method::Session, Some(any.span)),
        (None, None, None) => none_accepted(probe),
    }
}

/// Something that a service may not have.
fn stated<T: Copy>(seen: &Seen<Option<T>>) -> Fact<T> {
    match seen {
        Ok(Noted { value: Some(value), span }) => Fact::present(*value, Method::Session, Some(*span)),
        Ok(Noted { value: None, span }) => Fact::absent(Proof::NotOffered, Method::Session, Some(*span)),
        Err(failure) => unseen(failure),
    }
}

fn certificate_facts(certificates: &Certificates, host: &Name) -> CertificateFacts {
    fn noted<T: Clone>(noted: &Noted<T>) -> Fact<T> {
        Fact::present(noted.value.clone(), Method::Session, Some(noted.span))
    }
    let count = |length: &usize| i64::try_from(*length).unwrap_or(i64::MAX);
    let mut facts = CertificateFacts {
        chain_length: Fact::present(count(&certificates.length.value), Method::Session, Some(certificates.length.span)),
        chain_complete: noted(&certificates.complete),
        chain_not_after: seen(&certificates.earliest_expiry, |time| *time),
        sha1: seen(&certificates.weak_signature, |weak| *weak),
        fingerprint: noted(&certificates.fingerprint),
        ..match &certificates.own {
            Err(failure) => unknown_certificate(failure),
            Ok(_) => CertificateFacts::default(),
        }
    };
    let distrust = &certificates.distrust;
    facts.trusted = Fact::present(distrust.value.is_none(), Method::Session, Some(distrust.span));
    facts.error = match &distrust.value {
        Some(reason) => Fact::present(reason.clone(), Method::Session, Some(distrust.span)),
        None => Fact::absent(Proof::NotStated, Method::Session, Some(distrust.span)),
    };
    let Ok(own) = &certificates.own else { return facts };
    match &own.names {
        Ok(Noted { value, span }) => named(&mut facts, value.as_deref(), host, *span),
        Err(failure) => {
            facts.name_matches = unseen(failure);
            facts.names = unseen(failure);
            facts.common_name_only = unseen(failure);
            facts.wildcard = unseen(failure);
        }
    }
    facts.subject = noted(&own.subject);
    facts.issuer = noted(&own.issuer);
    facts.not_before = noted(&own.not_before);
    facts.not_after = noted(&own.not_after);
    let lifetime = (own.not_after.value.0 - own.not_before.value.0).div_euclid(24 * 60 * 60);
    facts.lifetime_days = Fact::present(lifetime, Method::Session, Some(own.not_before.span.join(own.not_after.span)));
    facts.key_type = noted(&own.key_type);
    facts.key_bits = seen(&own.key_bits, |bits| i64::from(*bits));
    facts.signature = noted(&own.signature);
    facts.self_signed = seen(&own.self_signed, |own| *own);
    facts
}

/// The facts that follow from the names in the certificate. Its common name is none of them (RFC 9525 section 6.3).
fn named(facts: &mut CertificateFacts, names: Option<&[String]>, host: &Name, span: Span) {
    let at = Some(span);
    let matching = names.and_then(|names| certificate::matching_name(names.iter().map(String::as_str), host));
    facts.name_matches = Fact::present(matching.is_some(), Method::Session, at);
    facts.common_name_only = Fact::present(names.is_none(), Method::Session, at);
    facts.names = match names {
        Some(names) => Fact::present(names.to_vec(), Method::Session, at),
        None => Fact::absent(Proof::NotStated, Method::Session, at),
    };
    facts.wildcard = match matching {
        Some(name) => Fact::present(certificate::is_wildcard(name), Method::Session, at),
        None => Fact::absent(Proof::NotStated, Method::Session, at),
    };
}
