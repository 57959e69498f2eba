//! IMAP sessions with servers that behave and servers that do not.

use std::time::Duration;

use super::*;
use crate::facts::service::Protocol;
use crate::probes::testing::{self, Server, Step, closed_port, expect, send, serve, text_at, transcripts};

const PLAIN: &str = "* CAPABILITY IMAP4rev1 StartTLS LOGINDISABLED\n{tag} OK done";
const INSIDE: &str = "* CAPABILITY IMAP4rev1 AUTH=PLAIN auth=login\n{tag} OK done";

/// The commands that a server answers beside STARTTLS.
fn answers(capabilities: &str) -> Step {
    serve(&[
        ("CAPABILITY", &[send(capabilities)]),
        ("NOOP", &[send("{tag} OK nothing")]),
        ("STARTTLS", &[send("{tag} OK begin"), Step::Leave]),
        ("LOGOUT", &[send("* BYE bye\n{tag} OK done"), Step::Close]),
    ])
}

/// A server that offers STARTTLS and steps into TLS as told.
fn server(step: &Step) -> Vec<Step> {
    vec![send("* OK [CAPABILITY IMAP4rev1] Dovecot ready."), answers(PLAIN), step.clone(), answers(INSIDE)]
}

struct Run {
    probe: ImapProbe,
    transcripts: String,
    recorder: Recorder,
    server: Server,
}

async fn run_with(protocol: Protocol, scripts: Vec<Vec<Step>>, settings: &Settings) -> Run {
    let server = Server::start(scripts).await;
    let recorder = testing::recorder();
    let probe = probe(&server.endpoint(protocol), settings, &recorder).await;
    Run { probe, transcripts: transcripts(&recorder), recorder, server }
}

async fn run(protocol: Protocol, scripts: Vec<Vec<Step>>) -> Run {
    run_with(protocol, scripts, &testing::settings()).await
}

/// Short waits where silence is the point, long ones everywhere else.
fn settings(expected: Cause) -> Settings {
    match expected {
        Cause::TcpTimeout => Settings { reply_timeout: Duration::from_secs(1), ..testing::settings() },
        _ => testing::settings(),
    }
}

fn value<T: Clone>(seen: &Seen<T>) -> Option<T> {
    seen.as_ref().ok().map(|noted| noted.value.clone())
}

fn cause<T>(seen: &Seen<T>) -> Option<Cause> {
    seen.as_ref().err().map(|failure| failure.cause)
}

fn words(list: &[&str]) -> Option<Vec<String>> {
    Some(list.iter().map(|word| (*word).to_owned()).collect())
}

#[tokio::test]
async fn case_128_capabilities_are_asked_before_and_inside_tls() {
    let run = run(Protocol::Imap, vec![server(&Step::Tls)]).await;
    let probe = &run.probe;
    assert_eq!(value(&probe.capabilities), words(&["IMAP4REV1", "STARTTLS", "LOGINDISABLED"]), "{}", run.transcripts);
    assert_eq!(value(&probe.capabilities_tls), words(&["IMAP4REV1", "AUTH=PLAIN", "AUTH=LOGIN"]));
    let opening = &probe.opening;
    let seen = [&opening.starttls_offered, &opening.starttls_negotiated, &opening.injection, &opening.tls_required];
    assert_eq!(seen.map(value), [Some(true), Some(true), Some(false), Some(true)], "{}", run.transcripts);
    assert_eq!(value(&probe.preauth), Some(false));
    let greeting = opening.greeting.as_ref().unwrap();
    assert_eq!((greeting.value.code, greeting.value.lines.as_slice()), (None, &["Dovecot ready.".to_owned()][..]));
    assert_eq!(text_at(&run.recorder, greeting.span), "* OK [CAPABILITY IMAP4rev1] Dovecot ready.");
    assert!(opening.handshake.is_ok());
    let heard = run.server.heard();
    assert_eq!(heard[0], ["m1 CAPABILITY", "m2 STARTTLS", "m3 CAPABILITY", "m9 LOGOUT"]);
    // RFC 3207 section 4.2: what came before the handshake is forgotten.
    assert_eq!(heard[1], ["m1 STARTTLS", "m3 NOOP", "m9 LOGOUT"]);
}

#[tokio::test]
async fn a_command_kept_across_the_handshake_is_seen() {
    let run = run(Protocol::Imap, vec![server(&Step::Tls), server(&Step::CarelessTls)]).await;
    let injection = run.probe.opening.injection.as_ref().unwrap();
    assert!(injection.value, "{}", run.transcripts);
    assert_eq!(text_at(&run.recorder, injection.span), "m2 OK nothing");
}

#[tokio::test]
async fn refusing_the_second_command_is_no_injection() {
    let greeting = send("* OK ready");
    for second in [
        vec![greeting.clone(), expect("STARTTLS"), send("{tag} BAD no pipelining"), answers(PLAIN)],
        vec![greeting.clone(), expect("STARTTLS"), Step::Close],
        vec![greeting.clone(), expect("STARTTLS"), send("{tag} OK begin"), Step::Alert],
    ] {
        let run = run(Protocol::Imap, vec![server(&Step::Tls), second]).await;
        assert_eq!(value(&run.probe.opening.injection), Some(false), "{}", run.transcripts);
    }
    // A connection that is not served says nothing of it.
    let run = run(Protocol::Imap, vec![server(&Step::Tls), vec![send("* BYE too many"), Step::Close]]).await;
    assert_eq!(cause(&run.probe.opening.injection), Some(Cause::RateLimited), "{}", run.transcripts);
}

#[tokio::test]
async fn tls_from_the_first_byte() {
    let script = vec![Step::Tls, send("* OK ready"), answers(INSIDE)];
    let run = run(Protocol::Imaps, vec![script]).await;
    assert_eq!(value(&run.probe.capabilities_tls), words(&["IMAP4REV1", "AUTH=PLAIN", "AUTH=LOGIN"]));
    assert!(run.probe.opening.handshake.is_ok(), "{}", run.transcripts);
    assert_eq!(run.server.heard(), [["m1 CAPABILITY", "m9 LOGOUT"]]);
    assert_eq!(cause(&run.probe.capabilities), Some(Cause::NotCollected));
}

#[tokio::test]
async fn without_starttls_nothing_is_negotiated() {
    let script = vec![send("* OK ready"), answers(INSIDE)];
    let run = run(Protocol::Imap, vec![script]).await;
    let opening = &run.probe.opening;
    assert_eq!((value(&opening.starttls_offered), value(&opening.tls_required)), (Some(false), Some(false)));
    assert_eq!(cause(&opening.starttls_negotiated), Some(Cause::NotCollected));
    assert_eq!(run.server.heard(), [["m1 CAPABILITY", "m9 LOGOUT"]]);
}

#[tokio::test]
async fn preauth_takes_no_starttls() {
    let script = vec![send("* PREAUTH welcome"), answers(PLAIN)];
    let run = run(Protocol::Imap, vec![script]).await;
    assert_eq!((value(&run.probe.preauth), value(&run.probe.opening.starttls_offered)), (Some(true), Some(true)));
    assert_eq!(cause(&run.probe.opening.starttls_negotiated), Some(Cause::Protocol), "{}", run.transcripts);
    assert_eq!(run.server.heard(), [["m1 CAPABILITY", "m9 LOGOUT"]]);
}

/// What a session that ends early leaves: the cause of what it did not get to.
#[tokio::test]
async fn every_end_has_its_cause() {
    let begin = |step: Step| vec![send("* OK ready"), expect("CAPABILITY"), step];
    for (script, expected) in [
        (vec![send("* BYE overloaded"), Step::Close], Cause::RateLimited),
        (vec![send("220 mx.example.org ESMTP"), Step::Hang], Cause::Protocol),
        (vec![send("+ OK"), Step::Hang], Cause::Protocol),
        (vec![Step::Close], Cause::Protocol),
        (vec![Step::Reset], Cause::Protocol),
        (vec![Step::Hang], Cause::TcpTimeout),
        (vec![Step::Drip(vec![b'*'; 100], Duration::from_millis(50))], Cause::TcpTimeout),
        (vec![Step::Flood(vec![b'x'; 1000])], Cause::Protocol),
        (vec![send("* OK {4000000000}"), Step::Hang], Cause::Protocol),
        (vec![send("* OK {99999999999999999999999999}"), Step::Hang], Cause::Protocol),
        (vec![send("* OK {10}"), Step::Flood(b"{10}\r\n".to_vec())], Cause::Protocol),
        (vec![send("* OK ready"), Step::HalfClose], Cause::Protocol),
        (begin(Step::Flood(b"* OK on and on\r\n".to_vec())), Cause::LimitReached),
        (begin(send("* BYE shutting down")), Cause::RateLimited),
        (begin(send("{tag} NO [UNAVAILABLE] later")), Cause::RateLimited),
        (begin(send("{tag} BAD what")), Cause::Protocol),
        (begin(send("{tag} OK done")), Cause::Protocol),
        (begin(send("+ go on")), Cause::Protocol),
        (begin(Step::Raw(b"\xff\xfe\x00\r\n".to_vec())), Cause::Protocol),
        (begin(Step::Hang), Cause::TcpTimeout),
    ] {
        let shown = format!("{script:?}");
        let run = run_with(Protocol::Imap, vec![script], &settings(expected)).await;
        let probe = &run.probe;
        assert!(probe.opening.reached.is_ok());
        assert_eq!(cause(&probe.capabilities), Some(expected), "{shown}\n{}", run.transcripts);
        assert_eq!(cause(&probe.opening.starttls_offered), Some(expected), "{shown}");
        assert_eq!(cause(&probe.opening.injection), Some(expected), "{shown}");
    }
}

#[tokio::test]
async fn a_literal_in_the_greeting_belongs_to_it() {
    let script = vec![send("* OK {7}\nred\nes now"), answers(INSIDE)];
    let run = run(Protocol::Imap, vec![script]).await;
    assert!(run.probe.capabilities.is_ok(), "{}", run.transcripts);
}

#[tokio::test]
async fn what_starttls_comes_to() {
    let plain = serve(&[("CAPABILITY", &[send(PLAIN), Step::Leave])]);
    let script = |steps: &[Step]| {
        let mut script = vec![send("* OK ready"), plain.clone(), expect("STARTTLS")];
        script.extend_from_slice(steps);
        script
    };
    let ok = send("{tag} OK begin");
    for (steps, negotiated, inside) in [
        (vec![send("{tag} NO not today"), Step::Hang], Ok(false), Cause::TlsHandshake),
        (vec![send("{tag} BAD unknown"), Step::Hang], Ok(false), Cause::TlsHandshake),
        (vec![send("{tag} NO [UNAVAILABLE] later"), Step::Hang], Err(Cause::RateLimited), Cause::RateLimited),
        (vec![send("* BYE later"), Step::Close], Err(Cause::RateLimited), Cause::RateLimited),
        (vec![Step::Close], Err(Cause::Protocol), Cause::Protocol),
        (vec![Step::Hang], Err(Cause::TcpTimeout), Cause::TcpTimeout),
        (vec![ok.clone(), Step::Alert], Ok(false), Cause::TlsHandshake),
        (vec![ok.clone(), Step::Close], Ok(false), Cause::TlsHandshake),
        (vec![ok.clone(), Step::Hang], Err(Cause::TcpTimeout), Cause::TcpTimeout),
        (vec![ok.clone(), Step::Tls, Step::Flood(b"garbage\r\n".to_vec())], Ok(true), Cause::Protocol),
    ] {
        let shown = format!("{steps:?}");
        let run = run_with(Protocol::Imap, vec![script(&steps)], &settings(inside)).await;
        let seen = run.probe.opening.starttls_negotiated.clone().map(|noted| noted.value);
        assert_eq!(seen.map_err(|failure| failure.cause), negotiated, "{shown}\n{}", run.transcripts);
        assert_eq!(cause(&run.probe.capabilities_tls), Some(inside), "{shown}\n{}", run.transcripts);
        assert!(run.probe.capabilities.is_ok(), "{shown}");
    }
}

#[tokio::test]
async fn nobody_listens() {
    let recorder = testing::recorder();
    let mut endpoint = Server::start(vec![vec![]]).await.endpoint(Protocol::Imaps);
    endpoint.address = closed_port().await;
    let probe = probe(&endpoint, &testing::settings(), &recorder).await;
    assert_eq!(cause(&probe.opening.reached), Some(Cause::TcpRefused));
    assert_eq!(cause(&probe.capabilities_tls), Some(Cause::TcpRefused));
}
