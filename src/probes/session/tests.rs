//! Sessions with servers that misbehave: each ends in bounded time and memory, with a cause and a transcript.

use std::time::Duration;

use tokio::time::Instant;

use super::super::testing::{self, Server, Step, expect, send};
use super::super::{Failure, Settings};
use super::Session;
use crate::facts::service::Protocol;
use crate::facts::{Cause, Recorder};

/// Reads lines from a server until it ends, at most 10,000.
async fn exhaust(script: Vec<Step>, settings: &Settings) -> (usize, Failure, Recorder) {
    let server = Server::start(vec![script]).await;
    let endpoint = server.endpoint(Protocol::Smtp);
    let recorder = testing::recorder();
    let deadline = Instant::now() + settings.service_timeout;
    let mut session = Session::open(&endpoint, settings, &recorder, "test", deadline).await.unwrap();
    for count in 0..10_000 {
        if let Err(failure) = session.line().await {
            session.abandon();
            return (count, failure, recorder);
        }
    }
    panic!("the server is never at its end");
}

fn short() -> Settings {
    Settings { reply_timeout: Duration::from_millis(200), ..testing::settings() }
}

#[tokio::test]
async fn servers_that_misbehave_end_in_a_cause() {
    let (settings, short) = (testing::settings(), short());
    let small = Settings { max_transcript: 4100, ..testing::settings() };
    let table: Vec<(&str, Vec<Step>, &Settings, usize, Cause, &str)> = vec![
        ("tarpit", vec![Step::Hang], &short, 0, Cause::TcpTimeout, "no complete line in time"),
        (
            "drip",
            vec![Step::Drip(b"x".repeat(100), Duration::from_millis(50))],
            &short,
            0,
            Cause::TcpTimeout,
            "in time",
        ),
        ("endless line", vec![Step::Flood(vec![b'x'; 1000])], &settings, 0, Cause::Protocol, "longer than 8192 octets"),
        (
            "long line",
            vec![Step::Raw([vec![b'x'; 9000], b"\r\n".to_vec()].concat())],
            &settings,
            0,
            Cause::Protocol,
            "longer",
        ),
        ("endless lines", vec![Step::Flood(b"220-hello\r\n".to_vec())], &small, 313, Cause::LimitReached, "transcript"),
        (
            "half closed",
            vec![send("220 hello"), Step::HalfClose],
            &settings,
            1,
            Cause::Protocol,
            "closed the connection",
        ),
        ("closed within a line", vec![Step::Raw(b"220 he".to_vec())], &settings, 0, Cause::Protocol, "closed"),
        (
            "reset",
            vec![send("220 hello"), Step::Pause(Duration::from_millis(50)), Step::Reset],
            &settings,
            1,
            Cause::Protocol,
            "broke",
        ),
    ];
    for (what, script, settings, lines, cause, note) in table {
        let (count, failure, recorder) = exhaust(script, settings).await;
        assert_eq!((count, failure.cause), (lines, cause), "{what}");
        assert!(failure.note.contains(note), "{what}: {}", failure.note);
        assert_eq!(testing::text_at(&recorder, failure.span), failure.note, "{what}");
        let length = testing::transcripts(&recorder).len();
        assert!(length < settings.max_transcript + 1000, "{what}: the transcript has {length} octets");
    }
}

#[tokio::test]
async fn the_time_for_a_service_ends_every_wait() {
    let settings = Settings { service_timeout: Duration::from_millis(300), ..testing::settings() };
    let (count, failure, _) =
        exhaust(vec![Step::Drip(b"a\r\n".repeat(500), Duration::from_millis(20))], &settings).await;
    assert!(count < 100);
    assert_eq!(failure.cause, Cause::LimitReached);
    assert!(failure.note.starts_with("the 0.3 s that one service may take were used up"), "{}", failure.note);
}

#[tokio::test]
async fn a_closed_port_is_refused_and_the_transcript_says_so() {
    let (settings, recorder) = (testing::settings(), testing::recorder());
    let endpoint = crate::probes::Endpoint {
        address: testing::closed_port().await,
        ..Server::start(vec![vec![]]).await.endpoint(Protocol::Smtp)
    };
    let deadline = Instant::now() + settings.service_timeout;
    let Err(failure) = Session::open(&endpoint, &settings, &recorder, "smtp", deadline).await else {
        panic!("connected")
    };
    assert_eq!(failure.cause, Cause::TcpRefused);
    assert_eq!(
        testing::transcripts(&recorder),
        format!("smtp/mx1.example.org[127.0.0.1]:{}\n-- the connection was refused\n", endpoint.address.port())
    );
}

#[tokio::test]
async fn the_transcript_tells_every_octet() {
    let script = vec![Step::Raw(b"caf\xc3\xa9 \xff\x00 \\x41 \x1b[0m\r\n".to_vec()), expect("bye"), send("so long")];
    let server = Server::start(vec![script]).await;
    let (settings, recorder) = (testing::settings(), testing::recorder());
    let endpoint = server.endpoint(Protocol::Smtp);
    let deadline = Instant::now() + settings.service_timeout;
    let mut session = Session::open(&endpoint, &settings, &recorder, "test", deadline).await.unwrap();
    let connected = session.connected();
    let line = session.line().await.unwrap();
    session.close("bye").await;
    let expected = "caf\u{e9} \\xff\\x00 \\\\x41 \\x1b[0m";
    assert_eq!(testing::text_at(&recorder, line.span), expected);
    assert_eq!(testing::text_at(&recorder, connected), format!("connected to {}", endpoint.address));
    let all = testing::transcripts(&recorder);
    assert!(all.ends_with(&format!("S: {expected}\nC: bye\nS: so long\n")), "{all}");
}

#[tokio::test]
async fn a_session_that_is_dropped_leaves_its_transcript() {
    let server = Server::start(vec![vec![send("220 hello"), Step::Hang]]).await;
    let (settings, recorder) = (testing::settings(), testing::recorder());
    let endpoint = server.endpoint(Protocol::Smtp);
    let deadline = Instant::now() + settings.service_timeout;
    let cut_short = async {
        let mut session = Session::open(&endpoint, &settings, &recorder, "test", deadline).await.unwrap();
        while session.line().await.is_ok() {}
    };
    assert!(tokio::time::timeout(Duration::from_millis(300), cut_short).await.is_err());
    assert!(testing::transcripts(&recorder).contains("S: 220 hello\n"));
}

#[tokio::test]
async fn a_handshake_that_the_server_breaks_off_is_told_from_silence() {
    let table: Vec<(&str, Vec<Step>, Settings, Cause)> = vec![
        ("alert", vec![Step::Alert], testing::settings(), Cause::TlsHandshake),
        ("closed", vec![Step::Close], testing::settings(), Cause::TlsHandshake),
        (
            "not TLS",
            vec![Step::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), Step::Hang],
            testing::settings(),
            Cause::TlsHandshake,
        ),
        ("silent", vec![Step::Hang], short(), Cause::TcpTimeout),
    ];
    for (what, script, settings, cause) in table {
        let server = Server::start(vec![script]).await;
        let recorder = testing::recorder();
        let endpoint = server.endpoint(Protocol::Submissions);
        let deadline = Instant::now() + settings.service_timeout;
        let mut session = Session::open(&endpoint, &settings, &recorder, "test", deadline).await.unwrap();
        let failure = session.start_tls().await.map(|_| ()).unwrap_err();
        assert_eq!(failure.cause, cause, "{what}: {}", failure.note);
    }
}

#[tokio::test]
async fn what_comes_unasked_is_noticed_inside_tls_too() {
    let talks = vec![Step::Tls, Step::Pause(Duration::from_millis(50)), send("250 unasked"), Step::Hang];
    for (script, expected) in [(talks, true), (vec![Step::Tls, Step::Hang], false), (vec![Step::Tls], false)] {
        let server = Server::start(vec![script]).await;
        let (settings, recorder) = (testing::settings(), testing::recorder());
        let endpoint = server.endpoint(Protocol::Submissions);
        let deadline = Instant::now() + settings.service_timeout;
        let mut session = Session::open(&endpoint, &settings, &recorder, "test", deadline).await.unwrap();
        session.start_tls().await.unwrap();
        let wait = if expected { Duration::from_secs(5) } else { Duration::from_millis(300) };
        assert_eq!(session.speaks_within(wait).await, expected);
        if expected {
            assert_eq!(session.line().await.unwrap().value, "250 unasked");
        }
    }
}
