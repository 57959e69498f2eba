//! Facts about authentication and capabilities of IMAP and POP3 services, from what sessions showed.

use crate::collectors::service::{imap, pop3};
use crate::diag::{Files, Span};
use crate::facts::domain::Time;
use crate::facts::service::{AuthFacts, ImapFacts, Pop3Facts, Protocol, TlsVersion};
use crate::facts::{Cause, Fact, Observed};
use crate::mail::Name;
use crate::probes::imap::ImapProbe;
use crate::probes::pop3::Pop3Probe;
use crate::probes::tls::Handshake;
use crate::probes::{Endpoint, Failure, Noted, Opening, Seen};

fn span() -> Span {
    Span::new(Files::default().add("transcript", Vec::new()), 3, 9)
}

fn noted<T>(value: T) -> Seen<T> {
    Ok(Noted { value, span: span() })
}

fn failure() -> Failure {
    Failure { cause: Cause::RateLimited, note: "later".to_owned(), span: span() }
}

fn endpoint(protocol: Protocol) -> Endpoint {
    Endpoint {
        host: Name::parse("mx1.example.org").unwrap(),
        address: "192.0.2.1:993".parse().unwrap(),
        protocol,
        claimed: true,
        domains: Vec::new(),
    }
}

/// A service with which a handshake completed.
fn opening(offered: bool) -> Opening {
    let handshake = Handshake {
        version: TlsVersion::TlsV13,
        cipher: "TLS_AES_256_GCM_SHA384".to_owned(),
        suite: 0x1302,
        chain: Vec::new(),
        ocsp: None,
        distrust: None,
        complete: true,
        time: Time(0),
    };
    Opening {
        reached: noted(()),
        starttls_offered: noted(offered),
        handshake: Ok((handshake, span())),
        ..Opening::failed(&failure())
    }
}

fn list(words: &str) -> Vec<String> {
    words.split(';').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn imap_probe(offered: bool, plain: Option<&str>, inside: Option<&str>, preauth: bool) -> ImapProbe {
    let seen = |words: Option<&str>| words.map_or_else(|| Err(failure()), |words| noted(list(words)));
    ImapProbe {
        opening: opening(offered),
        preauth: noted(preauth),
        capabilities: seen(plain),
        capabilities_tls: seen(inside),
    }
}

fn shown<T: std::fmt::Debug>(fact: &Fact<T>) -> String {
    assert!(fact.from.span.is_some(), "{fact:?}");
    match &fact.observed {
        Observed::Present(value) => format!("{value:?}"),
        Observed::Absent(proof) => format!("absent {proof}"),
        Observed::Unknown(cause) => format!("unknown {cause}"),
    }
}

fn all(facts: &AuthFacts) -> [String; 3] {
    assert_eq!(shown(&facts.required), "absent not-offered");
    [shown(&facts.before_tls), shown(&facts.after_tls), shown(&facts.cleartext)]
}

#[test]
fn case_128_login_is_told_from_logindisabled_and_mechanisms() {
    let imap = Protocol::Imap;
    for (protocol, probe, expected) in [
        (
            imap,
            imap_probe(true, Some("IMAP4REV1;LOGINDISABLED"), Some("AUTH=PLAIN;AUTH=XOAUTH2"), false),
            ["[]", r#"["PLAIN", "XOAUTH2", "LOGIN"]"#, "false"],
        ),
        (imap, imap_probe(true, Some("IMAP4REV1"), None, false), [r#"["LOGIN"]"#, "unknown rate-limited", "true"]),
        (
            imap,
            imap_probe(false, Some("LOGINDISABLED;AUTH=PLAIN"), None, false),
            [r#"["PLAIN"]"#, "absent not-offered", "true"],
        ),
        (
            imap,
            imap_probe(false, Some("LOGINDISABLED;AUTH=SCRAM-SHA-256"), None, false),
            [r#"["SCRAM-SHA-256"]"#, "absent not-offered", "false"],
        ),
        (imap, imap_probe(false, Some("IMAP4REV1"), None, true), ["[]", "absent not-offered", "false"]),
        (imap, imap_probe(true, None, None, false), ["unknown rate-limited"; 3]),
        (
            Protocol::Imaps,
            imap_probe(false, None, Some("AUTH=PLAIN;AUTH=LOGIN"), false),
            ["absent not-offered", r#"["PLAIN", "LOGIN"]"#, "absent not-offered"],
        ),
    ] {
        assert_eq!(all(&imap::auth(&endpoint(protocol), &probe)), expected, "{probe:?}");
    }
}

#[test]
fn capabilities_of_imap() {
    let seen = |facts: ImapFacts| {
        [
            shown(&facts.capabilities),
            shown(&facts.capabilities_tls),
            shown(&facts.login_disabled),
            shown(&facts.preauth),
        ]
    };
    let probe = imap_probe(true, Some("LOGINDISABLED"), Some("IDLE"), false);
    let expected = [r#"["LOGINDISABLED"]"#, r#"["IDLE"]"#, "true", "false"];
    assert_eq!(seen(imap::collect(&endpoint(Protocol::Imap), &probe)), expected);
    let expected = ["absent not-offered", r#"["IDLE"]"#, "absent not-offered", "false"];
    assert_eq!(seen(imap::collect(&endpoint(Protocol::Imaps), &probe)), expected);
}

#[test]
fn case_129_login_over_pop3_is_told_from_capa() {
    let probe = |offered, plain: Option<Option<&str>>, inside: Option<Option<&str>>| {
        let seen = |words: Option<Option<&str>>| words.map_or_else(|| Err(failure()), |words| noted(words.map(list)));
        Pop3Probe {
            opening: opening(offered),
            apop: noted(true),
            capabilities: seen(plain),
            capabilities_tls: seen(inside),
        }
    };
    for (protocol, probe, expected) in [
        (
            Protocol::Pop3,
            probe(true, Some(Some("STLS;UIDL")), Some(Some("USER;SASL PLAIN LOGIN"))),
            ["[]", r#"["USER", "PLAIN", "LOGIN"]"#, "false"],
        ),
        (Protocol::Pop3, probe(false, Some(Some("USER")), None), [r#"["USER"]"#, "absent not-offered", "true"]),
        (
            Protocol::Pop3,
            probe(false, Some(Some("SASL CRAM-MD5")), None),
            [r#"["CRAM-MD5"]"#, "absent not-offered", "false"],
        ),
        (
            Protocol::Pop3,
            probe(false, Some(None), None),
            ["unknown not-collected", "absent not-offered", "unknown not-collected"],
        ),
        (Protocol::Pop3, probe(true, None, None), ["unknown rate-limited"; 3]),
        (
            Protocol::Pop3s,
            probe(false, None, Some(Some("SASL PLAIN"))),
            ["absent not-offered", r#"["PLAIN"]"#, "absent not-offered"],
        ),
        (
            Protocol::Pop3s,
            probe(false, None, Some(None)),
            ["absent not-offered", "unknown not-collected", "absent not-offered"],
        ),
    ] {
        assert_eq!(all(&pop3::auth(&endpoint(protocol), &probe)), expected, "{probe:?}");
    }
    let facts: Pop3Facts = pop3::collect(&endpoint(Protocol::Pop3), &probe(false, Some(None), None));
    assert_eq!([shown(&facts.capabilities), shown(&facts.apop)], ["absent not-offered", "true"]);
    assert!(facts.capabilities.from.note.is_some());
}

#[test]
fn a_host_that_was_not_reached_has_no_facts() {
    let facts = imap::auth(&endpoint(Protocol::Imap), &ImapProbe::failed(&failure()));
    assert_eq!(shown(&facts.required), "unknown rate-limited");
    // A service with which no handshake completed is not one that was asked and has nothing.
    let facts = imap::auth(&endpoint(Protocol::Imaps), &ImapProbe::failed(&failure()));
    assert_eq!([shown(&facts.before_tls), shown(&facts.cleartext)], ["unknown rate-limited"; 2]);
}
