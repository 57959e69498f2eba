//! POP3 sessions with servers that behave and servers that do not.

use std::time::Duration;

use super::*;
use crate::facts::service::Protocol;
use crate::probes::testing::{self, Server, Step, expect, send, serve, text_at, transcripts};

const PLAIN: &str = "+OK list\nstls\nUIDL\n..dotted\n.";
const INSIDE: &str = "+OK list\nUSER\nSASL PLAIN login\n.";

/// The commands that a server answers beside STLS.
fn answers(capabilities: &str) -> Step {
    serve(&[
        ("CAPA", &[send(capabilities)]),
        ("NOOP", &[send("-ERR not now")]),
        ("STLS", &[send("+OK begin"), Step::Leave]),
        ("QUIT", &[send("+OK bye"), Step::Close]),
    ])
}

fn server(step: &Step) -> Vec<Step> {
    vec![send("+OK Dovecot ready. <1.2@mx1.example.org>"), answers(PLAIN), step.clone(), answers(INSIDE)]
}

struct Run {
    probe: Pop3Probe,
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

fn words(list: &[&str]) -> Option<Option<Vec<String>>> {
    Some(Some(list.iter().map(|word| (*word).to_owned()).collect()))
}

#[tokio::test]
async fn case_129_stls_and_tls_from_the_first_byte() {
    let stls = run(Protocol::Pop3, vec![server(&Step::Tls)]).await;
    assert_eq!(value(&stls.probe.capabilities), words(&["STLS", "UIDL", ".DOTTED"]), "{}", stls.transcripts);
    assert_eq!(value(&stls.probe.capabilities_tls), words(&["USER", "SASL PLAIN LOGIN"]));
    let opening = &stls.probe.opening;
    assert_eq!((value(&opening.starttls_offered), value(&opening.starttls_negotiated)), (Some(true), Some(true)));
    assert_eq!(value(&opening.injection), Some(false), "{}", stls.transcripts);
    // APOP is a way to log in without TLS.
    assert_eq!((value(&stls.probe.apop), value(&opening.tls_required)), (Some(true), Some(false)));
    assert_eq!(stls.server.heard()[0], ["CAPA", "STLS", "CAPA", "QUIT"]);
    assert_eq!(stls.server.heard()[1], ["STLS", "QUIT"]);

    let script = vec![Step::Tls, send("+OK ready"), answers(INSIDE)];
    let implicit = run(Protocol::Pop3s, vec![script]).await;
    assert_eq!(value(&implicit.probe.capabilities_tls), words(&["USER", "SASL PLAIN LOGIN"]));
    assert!(implicit.probe.opening.handshake.is_ok(), "{}", implicit.transcripts);
    assert_eq!(value(&implicit.probe.apop), Some(false));
    assert_eq!(implicit.server.heard(), [["CAPA", "QUIT"]]);
}

#[tokio::test]
async fn a_command_kept_across_the_handshake_is_seen() {
    let run = run(Protocol::Pop3, vec![server(&Step::Tls), server(&Step::CarelessTls)]).await;
    let injection = run.probe.opening.injection.as_ref().unwrap();
    assert!(injection.value, "{}", run.transcripts);
    assert_eq!(text_at(&run.recorder, injection.span), "-ERR not now");
}

#[tokio::test]
async fn refusing_the_second_command_is_no_injection() {
    let greeting = send("+OK ready");
    for second in [
        vec![greeting.clone(), expect("STLS"), send("-ERR no pipelining"), answers(PLAIN)],
        vec![greeting.clone(), expect("STLS"), Step::Close],
        vec![greeting.clone(), expect("STLS"), send("+OK begin"), Step::Alert],
    ] {
        let run = run(Protocol::Pop3, vec![server(&Step::Tls), second]).await;
        assert_eq!(value(&run.probe.opening.injection), Some(false), "{}", run.transcripts);
    }
    let run = run(Protocol::Pop3, vec![server(&Step::Tls), vec![send("-ERR too many"), Step::Close]]).await;
    assert_eq!(cause(&run.probe.opening.injection), Some(Cause::RateLimited), "{}", run.transcripts);
}

#[tokio::test]
async fn a_server_without_capa_leaves_open_what_only_a_login_would_tell() {
    let script = vec![send("+OK ready"), answers("-ERR unknown command")];
    let run = run(Protocol::Pop3, vec![script]).await;
    assert_eq!(value(&run.probe.capabilities), Some(None), "{}", run.transcripts);
    assert_eq!(value(&run.probe.opening.starttls_offered), Some(false));
    assert_eq!(cause(&run.probe.opening.tls_required), Some(Cause::NotCollected));
    assert_eq!(run.server.heard(), [["CAPA", "QUIT"]]);
}

#[tokio::test]
async fn every_end_has_its_cause() {
    let begin = |step: Step| vec![send("+OK ready"), expect("CAPA"), step];
    for (script, expected) in [
        (vec![send("-ERR overloaded"), Step::Close], Cause::RateLimited),
        (vec![send("-ERR [SYS/TEMP] later"), Step::Close], Cause::RateLimited),
        (vec![send("* OK ready"), Step::Hang], Cause::Protocol),
        (vec![send("220 mx.example.org ESMTP"), Step::Hang], Cause::Protocol),
        (vec![Step::Close], Cause::Protocol),
        (vec![Step::Hang], Cause::TcpTimeout),
        (vec![Step::Drip(vec![b'+'; 100], Duration::from_millis(50))], Cause::TcpTimeout),
        (vec![Step::Flood(vec![b'x'; 1000])], Cause::Protocol),
        (vec![send("+OK ready"), Step::HalfClose], Cause::Protocol),
        (begin(Step::Flood(b"+OK on and on\r\n".to_vec())), Cause::LimitReached),
        (begin(send("-ERR [IN-USE] later")), Cause::RateLimited),
        (begin(send("what")), Cause::Protocol),
        (begin(Step::Raw(b"\xff\xfe\x00\r\n".to_vec())), Cause::Protocol),
        (begin(Step::Hang), Cause::TcpTimeout),
    ] {
        let shown = format!("{script:?}");
        let run = run_with(Protocol::Pop3, vec![script], &settings(expected)).await;
        assert!(run.probe.opening.reached.is_ok());
        assert_eq!(cause(&run.probe.capabilities), Some(expected), "{shown}\n{}", run.transcripts);
        assert_eq!(cause(&run.probe.opening.starttls_offered), Some(expected), "{shown}");
    }
}

#[tokio::test]
async fn what_stls_comes_to() {
    let plain = serve(&[("CAPA", &[send(PLAIN), Step::Leave])]);
    for (steps, negotiated, inside) in [
        (vec![send("-ERR not today"), Step::Hang], Ok(false), Cause::TlsHandshake),
        (vec![send("-ERR [SYS/TEMP] later"), Step::Hang], Err(Cause::RateLimited), Cause::RateLimited),
        (vec![Step::Close], Err(Cause::Protocol), Cause::Protocol),
        (vec![Step::Hang], Err(Cause::TcpTimeout), Cause::TcpTimeout),
        (vec![send("+OK begin"), Step::Alert], Ok(false), Cause::TlsHandshake),
        (vec![send("+OK begin"), Step::Hang], Err(Cause::TcpTimeout), Cause::TcpTimeout),
        (vec![send("+OK begin"), Step::Tls, Step::Flood(b"garbage\r\n".to_vec())], Ok(true), Cause::Protocol),
    ] {
        let shown = format!("{steps:?}");
        let mut script = vec![send("+OK ready"), plain.clone(), expect("STLS")];
        script.extend(steps);
        let run = run_with(Protocol::Pop3, vec![script], &settings(inside)).await;
        let seen = run.probe.opening.starttls_negotiated.clone().map(|noted| noted.value);
        assert_eq!(seen.map_err(|failure| failure.cause), negotiated, "{shown}\n{}", run.transcripts);
        assert_eq!(cause(&run.probe.capabilities_tls), Some(inside), "{shown}\n{}", run.transcripts);
    }
}
