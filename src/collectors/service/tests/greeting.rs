//! Greetings, refusals at the door, early talk, extensions, and names compared with DNS.

use std::time::Duration;

use super::{Found, collected, found, plain, probed, replies};
use crate::facts::service::Protocol;
use crate::probes::smtp;
use crate::probes::testing::{self, Server, Step, expect, send, settings};

#[tokio::test]
async fn case_115_a_refusal_at_the_door_is_not_tested_and_keeps_its_text() {
    for (greeting, why) in [
        (
            "554 5.7.1 blocked using zen.spamhaus.org",
            "unknown protocol: the server refuses us: 554 5.7.1 blocked using zen.spamhaus.org",
        ),
        ("421 4.3.2 too busy", "unknown rate-limited: the server asks to come back later: 421 4.3.2 too busy"),
        ("450 come back", "unknown rate-limited: the server asks to come back later: 450 come back"),
    ] {
        let found = found(vec![send(greeting), Step::HalfClose]).await;
        let (code, text) = greeting.split_at(3);
        let cause = if code.starts_with('4') { "rate-limited" } else { "protocol" };
        let away = format!("unknown {cause}: the server sends us away with the code {code}");
        found.check(&[
            ("greeting.code", &format!("{code} «{greeting}»")),
            ("greeting.text", &format!("{} «{greeting}»", text.trim())),
            ("greeting.name", &away),
            ("greeting.name_resolves", &away),
            ("greeting.version", &away),
            ("smtp.ehlo", why),
            ("starttls.offered", why),
            ("auth.before_tls", why),
            ("smtp.vrfy_confirms", why),
            ("smtp.open_relay", why),
            ("smtp.early_talk", why),
            ("smtp.postmaster", why),
            ("smtp.greylisting", why),
        ]);
        assert_eq!(found.heard.len(), 1, "a server that sends us away is left alone");
        assert!(found.line("reached").starts_with("true"));
    }
    let at_ehlo =
        found(plain(&[("EHLO", "550 5.7.1 your address is listed"), ("HELO", "550 5.7.1 your address is listed")]))
            .await;
    at_ehlo.check(&[
        ("greeting.code", "220 «220 mx1.example.org ESMTP»"),
        ("smtp.ehlo", "unknown protocol: the server refuses us: 550 5.7.1 your address is listed"),
        ("starttls.offered", "unknown protocol: the server refuses us: 550 5.7.1 your address is listed"),
    ]);
}

#[tokio::test]
async fn case_130_a_greeting_of_several_lines_is_read_to_its_end() {
    let script = vec![
        send("220-mx1.example.org ESMTP Postfix 3.4.13\n220-no spam"),
        Step::Pause(Duration::from_millis(1100)),
        send("220 please"),
        replies(&[]),
    ];
    let found = found(script).await;
    let whole = "«220-mx1.example.org ESMTP Postfix 3.4.13\nS: 220-no spam\nS: 220 please»";
    found.check(&[
        ("greeting.text", &format!("mx1.example.org ESMTP Postfix 3.4.13\nno spam\nplease {whole}")),
        ("greeting.name", &format!("mx1.example.org {whole}")),
        ("greeting.version", &format!("Postfix 3.4.13 {whole}")),
        ("smtp.ehlo", "true «250-mx1.example.org\nS: 250-PIPELINING\nS: 250 SIZE 1000»"),
    ]);
    let seconds = found.facts.greeting.delay.observed.present().unwrap().0;
    assert!((1..30).contains(&seconds), "{seconds}");
    // Nothing is said before the last line of the greeting, but in the test of early talking.
    let transcript = testing::transcripts(&found.recorder);
    assert!(transcript.contains("S: 220 please\nC: EHLO mailvet.invalid\n"), "{transcript}");
}

#[tokio::test]
async fn case_130_early_talkers_are_served_or_sent_away() {
    let patient = vec![Step::Pause(Duration::from_millis(200)), send("220 mx1.example.org ESMTP"), replies(&[])];
    found(patient)
        .await
        .check(&[("smtp.early_talk", "true «250-mx1.example.org\nS: 250-PIPELINING\nS: 250 SIZE 1000»")]);
    let (ordinary, active) = (plain(&[]), settings());
    for (early, expected) in [
        (
            vec![expect("EHLO"), send("554 5.5.1 you talk too early"), Step::HalfClose],
            "false «554 5.5.1 you talk too early»",
        ),
        (vec![expect("EHLO"), Step::Close], "false «the server closed the connection»"),
        (
            vec![send("220 mx1.example.org"), expect("EHLO"), send("503 5.5.1 too early"), expect("QUIT")],
            "false «503 5.5.1 too early»",
        ),
        (
            vec![expect("EHLO"), send("421 too many"), Step::HalfClose],
            "unknown rate-limited: the server ended the session: 421 too many",
        ),
    ] {
        // The conversation, and two connections for attempts to relay, come before.
        let scripts = vec![ordinary.clone(), ordinary.clone(), ordinary.clone(), early, ordinary.clone()];
        let found = probed(scripts, Protocol::Smtp, |_| {}, &active).await;
        found.check(&[("smtp.early_talk", expected)]);
    }
}

#[tokio::test]
async fn a_server_that_drops_everybody_has_not_dropped_us_for_talking_early() {
    let scripts = vec![plain(&[]), plain(&[]), plain(&[]), vec![expect("EHLO"), Step::Close], vec![Step::Close]];
    let found = probed(scripts, Protocol::Smtp, |_| {}, &settings()).await;
    found.check(&[("smtp.early_talk", "unknown protocol: the server closed the connection")]);
}

#[tokio::test]
async fn helo_is_tried_where_ehlo_is_not_known() {
    let found = found(plain(&[("EHLO", "502 5.5.1 not known"), ("HELO", "250 mx1.example.org")])).await;
    found.check(&[
        ("smtp.ehlo", "false «250 mx1.example.org»"),
        ("smtp.keywords", "absent not-offered «250 mx1.example.org»"),
        ("smtp.size", "absent not-offered «250 mx1.example.org»"),
        ("starttls.offered", "false «250 mx1.example.org»"),
        ("smtp.postmaster", "true «250 2.1.5 Ok»"),
    ]);
}

#[tokio::test]
async fn parameters_of_extensions_are_stated_or_not() {
    for (line, size, limit) in [
        ("SIZE 0", "0 «250 SIZE 0»", "absent not-offered «250-x\nS: 250 SIZE 0»"),
        ("SIZE", "absent not-stated «250 SIZE»", "absent not-offered «250-x\nS: 250 SIZE»"),
        ("SIZE big", "unknown parse: not a number: \"big\"", "absent not-offered «250-x\nS: 250 SIZE big»"),
        (
            "limits MAILMAX=3",
            "absent not-offered «250-x\nS: 250 limits MAILMAX=3»",
            "absent not-stated «250 limits MAILMAX=3»",
        ),
        ("LIMITS rcptmax=7", "absent not-offered «250-x\nS: 250 LIMITS rcptmax=7»", "7 «250 LIMITS rcptmax=7»"),
    ] {
        let found = found(plain(&[("EHLO", &format!("250-x\n250 {line}"))])).await;
        found.check(&[("smtp.size", size), ("smtp.recipient_limit", limit)]);
    }
}

/// Facts of an ordinary server with this greeting, with DNS as in these zones.
async fn named(greeting: &str, zones: &[(&str, &str)]) -> Found {
    let server = Server::start(vec![vec![send(greeting), replies(&[])]]).await;
    let recorder = testing::recorder();
    let endpoint = server.endpoint(Protocol::Smtp);
    let passive = crate::probes::Settings { active: false, ..settings() };
    let probe = smtp::probe(&endpoint, &passive, &recorder).await;
    Found { facts: collected(endpoint, probe, zones), recorder, heard: server.heard() }
}

#[tokio::test]
async fn the_name_in_the_greeting_is_compared_with_dns() {
    let value = |found: &Found, ptr: bool| {
        let facts = &found.facts.greeting;
        if ptr { facts.name_is_ptr.observed } else { facts.name_resolves.observed }
    };
    use crate::facts::{Cause, Observed, Proof};
    let reverse = |target: &str| format!("1.0.0 PTR {target}\n");
    for (forward, pointer, resolves, is_ptr) in [
        ("mx1 A 127.0.0.1\n", reverse("mx1.example.org."), Observed::Present(true), Observed::Present(true)),
        (
            "mx1 A 192.0.2.1\nmx1 AAAA 2001:db8::1\n",
            reverse("other.example.org."),
            Observed::Present(false),
            Observed::Present(false),
        ),
        ("", String::new(), Observed::Present(false), Observed::Present(false)),
        (
            "mx1 A 192.0.2.1\nmx1 A 127.0.0.1\n",
            reverse("a.example.") + &reverse("mx1.example.org."),
            Observed::Present(true),
            Observed::Present(true),
        ),
    ] {
        let zones = [("example.org", forward), ("127.in-addr.arpa", &pointer)];
        let found = named("220 mx1.example.org ESMTP", &zones).await;
        assert_eq!((value(&found, false), value(&found, true)), (resolves, is_ptr), "{forward} {pointer}");
    }
    // What DNS does not say stays unknown, and without a name there is nothing to compare.
    let found = named("220 mx1.example.org ESMTP", &[]).await;
    assert_eq!(value(&found, false), Observed::Unknown(Cause::NotCollected));
    assert_eq!(value(&found, true), Observed::Unknown(Cause::NotCollected));
    let found = named("220 ready", &[]).await;
    assert_eq!(value(&found, false), Observed::Absent(Proof::NotStated));
    found.check(&[
        ("greeting.name", "absent not-stated «220 ready»"),
        ("greeting.version", "absent not-stated «220 ready»"),
    ]);
}
