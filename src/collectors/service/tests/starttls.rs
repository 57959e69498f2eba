//! STARTTLS: offered, negotiated, injectable, required; and services with TLS from the first byte.

use super::{Found, found, plain, probed, replies, secure, submission};
use crate::facts::service::Protocol;
use crate::probes::testing::{Step, send, settings};

#[tokio::test]
async fn case_112_starttls_offered_and_negotiated_are_two_facts() {
    let offer = ("EHLO", "250-mx1.example.org\n250 STARTTLS");
    let refused = found(plain(&[offer, ("STARTTLS", "454 4.7.0 TLS not available")])).await;
    let why = "unknown tls-handshake: the server offers STARTTLS and refuses it: 454 4.7.0 TLS not available";
    refused.check(&[
        ("starttls.offered", "true «250 STARTTLS»"),
        ("starttls.negotiated", "false «454 4.7.0 TLS not available»"),
        ("starttls.injection", why),
        ("smtp.keywords_tls", why),
        ("smtp.postmaster", "true «250 2.1.5 Ok»"),
    ]);
    let broken = found(secure(&[], Step::Alert, &[])).await;
    assert!(broken.line("starttls.negotiated").starts_with("false «the TLS handshake failed: "));
    assert!(broken.line("auth.after_tls").starts_with("unknown tls-handshake: the TLS handshake failed: "));
    // A service whose TLS is broken still takes mail from most servers, so the questions go on without it.
    broken.check(&[("starttls.offered", "true «250 STARTTLS»"), ("smtp.postmaster", "true «250 2.1.5 Ok»")]);
    let works = found(secure(&[], Step::Tls, &[])).await;
    assert!(works.line("starttls.negotiated").starts_with("true «TLSv1.3 established with "));
    works.check(&[("starttls.offered", "true «250 STARTTLS»"), ("smtp.postmaster", "true «250 2.1.5 Ok»")]);
    let short = crate::probes::Settings { reply_timeout: std::time::Duration::from_millis(300), ..settings() };
    let silent = probed(vec![secure(&[], Step::Hang, &[])], Protocol::Smtp, |_| {}, &short).await;
    silent.check(&[("starttls.negotiated", "unknown tcp-timeout: the TLS handshake was not completed in time")]);
}

#[tokio::test]
async fn tls_does_not_come_first_where_it_never_came() {
    // A port where TLS should come first speaks in the clear.
    let found = probed(vec![plain(&[])], Protocol::Submissions, |_| {}, &settings()).await;
    for path in ["auth.cleartext", "auth.before_tls", "smtp.keywords", "starttls.offered", "starttls.required"] {
        let line = found.line(path);
        assert!(line.starts_with("unknown tls-handshake: the TLS handshake failed: "), "{path}: {line}");
    }
}

#[tokio::test]
async fn a_server_without_starttls_was_asked_for_it() {
    let found = found(plain(&[])).await;
    let whole = "«250-mx1.example.org\nS: 250-PIPELINING\nS: 250 SIZE 1000»";
    found.check(&[
        ("starttls.offered", &format!("false {whole}")),
        ("starttls.negotiated", &format!("absent not-offered {whole}")),
        ("starttls.injection", &format!("absent not-offered {whole}")),
        ("smtp.keywords_tls", &format!("absent not-offered {whole}")),
        ("auth.after_tls", &format!("absent not-offered {whole}")),
        ("smtp.keywords", &format!("[PIPELINING, SIZE] {whole}")),
    ]);
}

#[tokio::test]
async fn case_113_the_list_before_tls_is_discarded_and_both_are_kept() {
    let before = ("EHLO", "250-mx1.example.org\n250-SIZE 5\n250-AUTH PLAIN\n250 STARTTLS");
    let inside = ("EHLO", "250-mx1.example.org\n250-LIMITS RCPTMAX=50\n250-SIZE 10\n250 AUTH SCRAM-SHA-256");
    let found = found(secure(&[before], Step::Tls, &[inside])).await;
    let whole = "«250-mx1.example.org\nS: 250-SIZE 5\nS: 250-AUTH PLAIN\nS: 250 STARTTLS»";
    found.check(&[
        ("smtp.keywords", &format!("[SIZE, AUTH, STARTTLS] {whole}")),
        ("auth.before_tls", "[PLAIN] «250-AUTH PLAIN»"),
        ("auth.cleartext", "true «250-AUTH PLAIN»"),
        ("smtp.size", "10 «250-SIZE 10»"),
        ("smtp.recipient_limit", "50 «250-LIMITS RCPTMAX=50»"),
    ]);
    assert!(found.line("smtp.keywords_tls").starts_with("[LIMITS, SIZE, AUTH]"));
    assert!(found.line("auth.after_tls").starts_with("[SCRAM-SHA-256]"));
}

#[tokio::test]
async fn case_113_a_command_injected_before_tls_is_answered_or_not() {
    let careless = found(secure(&[], Step::CarelessTls, &[])).await;
    careless.check(&[("starttls.injection", "true «250 2.0.0 Ok»")]);
    let careful = found(secure(&[], Step::Tls, &[])).await;
    careful.check(&[("starttls.injection", "false «no answer to the injected NOOP inside TLS within 1 s»")]);
    assert!(careful.heard.iter().any(|heard| heard.contains(&"STARTTLS".to_owned())));
    // A server that notices the command and refuses is careful, too.
    let strict = vec![
        send("220 mx1.example.org ESMTP"),
        replies(&[("EHLO", "250-mx1\n250 STARTTLS"), ("STARTTLS", "554 sync")]),
    ];
    let strict = probed(vec![secure(&[], Step::Tls, &[]), strict], Protocol::Smtp, |_| {}, &settings()).await;
    strict.check(&[("starttls.injection", "false «554 sync»")]);
}

#[tokio::test]
async fn case_114_tls_demanded_of_everybody_is_seen() {
    let demand = ("MAIL FROM", "530 5.7.0 Must issue a STARTTLS command first");
    let found = found(secure(&[demand], Step::Tls, &[])).await;
    found.check(&[("starttls.required", "true «530 5.7.0 Must issue a STARTTLS command first»")]);
    for (reply, expected) in [
        ("250 2.1.0 Ok", "false «250 2.1.0 Ok»"),
        ("530 5.7.0 Authentication required", "false «530 5.7.0 Authentication required»"),
        ("530 no", "true «530 no»"),
        ("550 5.7.1 sender rejected", "false «550 5.7.1 sender rejected»"),
        ("451 4.7.0 greylisted", "unknown rate-limited: the server asks to come back later: 451 4.7.0 greylisted"),
        ("451 4.7.0 use STARTTLS", "true «451 4.7.0 use STARTTLS»"),
    ] {
        submission(plain(&[("MAIL FROM", reply)])).await.check(&[("starttls.required", expected)]);
    }
}

#[tokio::test]
async fn case_116_each_address_of_a_host_has_facts_of_its_own() {
    let with: Found = found(secure(&[], Step::Tls, &[])).await;
    let without = found(plain(&[])).await;
    assert_eq!(with.line("host"), without.line("host"));
    assert_ne!(with.line("port"), without.line("port"));
    assert!(with.line("starttls.offered").starts_with("true"));
    assert!(without.line("starttls.offered").starts_with("false"));
}

#[tokio::test]
async fn case_127_submissions_speaks_tls_from_the_first_byte() {
    let hello = ("EHLO", "250-mx1.example.org\n250 AUTH PLAIN");
    let refused = ("RCPT", "554 5.7.1 relay access denied");
    let script = vec![
        Step::Tls,
        send("220 mx1.example.org ESMTP"),
        replies(&[hello, ("MAIL FROM", "530 5.7.0 Authentication required"), refused]),
    ];
    let found = probed(vec![script], Protocol::Submissions, |_| {}, &settings()).await;
    let established = found.line("starttls.required").replace("true ", "");
    assert!(established.starts_with("«TLSv1.3 established with "), "{established}");
    found.check(&[
        ("greeting.text", "mx1.example.org ESMTP «220 mx1.example.org ESMTP»"),
        ("starttls.offered", &format!("absent not-offered {established}")),
        ("starttls.injection", &format!("absent not-offered {established}")),
        ("auth.before_tls", &format!("absent not-offered {established}")),
        ("auth.cleartext", &format!("absent not-offered {established}")),
        ("auth.after_tls", "[PLAIN] «250 AUTH PLAIN»"),
        ("auth.required", "true «530 5.7.0 Authentication required»"),
        ("smtp.ehlo", "true «250-mx1.example.org\nS: 250 AUTH PLAIN»"),
    ]);
    // A server that speaks first in plain text is not a submission server over TLS.
    let talks = probed(vec![plain(&[])], Protocol::Submissions, |_| {}, &settings()).await;
    assert!(talks.line("greeting.text").starts_with("unknown tls-handshake: the TLS handshake failed"));
    assert!(talks.line("auth.required").starts_with("unknown tls-handshake"));
}
