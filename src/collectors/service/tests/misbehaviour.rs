//! Servers that misbehave: each ends in bounded time and memory, with the right cause and nothing made up.

use std::time::{Duration, Instant};

use super::{Found, found, plain, probed, secure};
use crate::facts::service::Protocol;
use crate::probes::testing::{self, Step, send, serve, settings};
use crate::probes::{Endpoint, Settings};

/// Settings with which servers that fall silent cost little.
fn impatient() -> Settings {
    Settings {
        reply_timeout: Duration::from_millis(300),
        service_timeout: Duration::from_secs(3),
        max_transcript: 16 * 1024,
        ..settings()
    }
}

async fn impatiently(script: Vec<Step>) -> Found {
    probed(vec![script], Protocol::Smtp, |_| {}, &impatient()).await
}

#[tokio::test]
async fn servers_that_misbehave_end_in_bounded_time_and_memory_with_the_right_cause() {
    let table: Vec<(&str, Vec<Step>, &str, &str)> = vec![
        ("tarpit", vec![Step::Hang], "greeting.text", "unknown tcp-timeout: the server sent no complete line in time"),
        (
            "endless banner",
            vec![Step::Flood(vec![b'x'; 512])],
            "greeting.text",
            "unknown protocol: the server sends a line longer than 8192 octets",
        ),
        (
            "endless lines",
            vec![Step::Flood(b"220-hello\r\n".to_vec())],
            "greeting.text",
            "unknown limit-reached: the server sends a reply without end",
        ),
        (
            "endless long lines",
            vec![Step::Flood([b"220-".to_vec(), vec![b'x'; 500], b"\r\n".to_vec()].concat())],
            "greeting.text",
            "unknown limit-reached: the server sends more than the transcript may hold",
        ),
        ("half closed", vec![Step::HalfClose], "greeting.text", "unknown protocol: the server closed the connection"),
        (
            "half closed after the greeting",
            vec![send("220 mx1.example.org"), Step::HalfClose],
            "smtp.ehlo",
            "unknown protocol: the server closed the connection",
        ),
        (
            "reset",
            vec![Step::Pause(Duration::from_millis(50)), Step::Reset],
            "greeting.text",
            "unknown protocol: the server broke the connection off",
        ),
        (
            "slow drip",
            vec![Step::Drip(b"220 mx1.example.org ESMTP\r\n".to_vec(), Duration::from_millis(100))],
            "greeting.text",
            "unknown tcp-timeout: the server sent no complete line in time",
        ),
        (
            "drip of lines",
            vec![Step::Drip(b"220-\r\n".repeat(200), Duration::from_millis(5))],
            "greeting.text",
            "unknown limit-reached: the 3 s that one service may take were used up: the server sent no complete line in time",
        ),
        (
            "SSH",
            vec![send("SSH-2.0-OpenSSH_9.2p1"), Step::Hang],
            "greeting.text",
            "unknown protocol: not a reply of SMTP, but a line of SSH: \"SSH-2.0-OpenSSH_9.2p1\"",
        ),
        (
            "HTTP",
            vec![send("HTTP/1.1 400 Bad Request"), Step::Close],
            "greeting.text",
            "unknown protocol: not a reply of SMTP, but a line of HTTP: \"HTTP/1.1 400 Bad Request\"",
        ),
        (
            "IMAP",
            vec![send("* OK IMAP4rev1 ready"), Step::Hang],
            "smtp.ehlo",
            "unknown protocol: not a reply of SMTP, but a line of IMAP: \"* OK IMAP4rev1 ready\"",
        ),
        (
            "POP3",
            vec![send("+OK ready"), Step::Hang],
            "smtp.open_relay",
            "unknown protocol: not a reply of SMTP, but a line of POP3: \"+OK ready\"",
        ),
        (
            "garbage",
            vec![Step::Raw(b"\xff\xfe\x00\x01\r\n".to_vec()), Step::Hang],
            "starttls.offered",
            "unknown protocol: not a reply of SMTP, but a line: \"\u{fffd}\u{fffd}\\0\\u{1}\"",
        ),
    ];
    for (what, script, path, expected) in table {
        let begun = Instant::now();
        let found = impatiently(script).await;
        assert_eq!(found.line(path), expected, "{what}");
        assert!(found.line("smtp.vrfy_confirms").starts_with("unknown "), "{what}");
        assert!(found.line("smtp.early_talk").starts_with("unknown "), "{what}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{what} took {:?}", begun.elapsed());
        let length = testing::transcripts(&found.recorder).len();
        assert!(length < 20_000, "{what}: the transcripts have {length} octets");
    }
}

#[tokio::test]
async fn garbage_inside_tls_spoils_nothing_that_was_seen_before() {
    let rubbish = vec![Step::Raw(b"\x00\x01garbage\r\n".to_vec()), Step::Hang];
    let mut script = secure(&[], Step::Tls, &[]);
    script.pop();
    script.extend(rubbish);
    let found = impatiently(script).await;
    assert!(found.line("starttls.negotiated").starts_with("true «TLSv1.3 established"));
    let why = "unknown protocol: not a reply of SMTP, but a line: \"\\0\\u{1}garbage\"";
    found.check(&[
        ("starttls.offered", "true «250 STARTTLS»"),
        ("smtp.keywords", "[STARTTLS] «250-mx1.example.org\nS: 250 STARTTLS»"),
        ("smtp.keywords_tls", why),
        ("auth.after_tls", why),
        ("starttls.injection", why),
        ("smtp.postmaster", why),
    ]);
}

#[tokio::test]
async fn starttls_stripped_on_the_way_is_a_server_that_does_not_offer_it() {
    let found = found(plain(&[("EHLO", "250-mx1.example.org\n250 XXXXXXXA")])).await;
    found.check(&[
        ("starttls.offered", "false «250-mx1.example.org\nS: 250 XXXXXXXA»"),
        ("smtp.keywords", "[XXXXXXXA] «250-mx1.example.org\nS: 250 XXXXXXXA»"),
    ]);
    assert!(!found.heard.concat().contains(&"STARTTLS".to_owned()));
}

#[tokio::test]
async fn what_comes_with_the_answer_to_starttls_does_not_enter_tls() {
    let mut script = secure(&[], Step::Tls, &[]);
    if let Some(Step::Serve(table)) = script.get_mut(1) {
        table.insert(0, ("STARTTLS".to_owned(), vec![send("220 go\n250 forged"), Step::Leave]));
    }
    let found = found(script).await;
    found.check(&[(
        "smtp.keywords_tls",
        "[PIPELINING, SIZE] «250-mx1.example.org\nS: 250-PIPELINING\nS: 250 SIZE 1000»",
    )]);
    assert!(testing::transcripts(&found.recorder).contains("octets that nobody asked for were discarded"));
}

#[tokio::test]
async fn a_421_at_any_step_ends_the_conversation_and_leaves_the_rest_unknown() {
    let gone = "421 4.7.0 too many errors";
    let why = format!("unknown rate-limited: the server ended the session: {gone}");
    // The command that is answered with 421; facts that are known before it and facts that are not known after it.
    let table: &[(&str, &[&str], &[&str])] = &[
        ("EHLO", &["greeting.code"], &["smtp.ehlo", "starttls.offered", "auth.before_tls", "smtp.postmaster"]),
        (
            "MAIL FROM:<>",
            &["smtp.ehlo", "starttls.offered"],
            &["starttls.required", "starttls.negotiated", "smtp.vrfy_confirms"],
        ),
        (
            "STARTTLS",
            &["starttls.offered", "starttls.required"],
            &["starttls.negotiated", "smtp.keywords_tls", "starttls.injection"],
        ),
        (
            "RCPT TO:<postmaster@",
            &["smtp.ehlo"],
            &["smtp.postmaster", "smtp.abuse", "smtp.greylisting", "smtp.expn_expands"],
        ),
        ("RCPT TO:<abuse@", &["smtp.postmaster"], &["smtp.abuse", "smtp.vrfy_confirms"]),
        (
            "VRFY mailvet",
            &["smtp.postmaster", "smtp.abuse"],
            &["smtp.vrfy_confirms", "smtp.expn_expands", "smtp.open_relay"],
        ),
        ("EXPN staff", &["smtp.vrfy_confirms"], &["smtp.expn_expands", "smtp.open_relay", "smtp.early_talk"]),
    ];
    for (command, known, unknown) in table {
        let offers = matches!(*command, "MAIL FROM:<>" | "STARTTLS");
        let hello = if offers { "250-mx1.example.org\n250 STARTTLS" } else { "250 mx1.example.org" };
        let found = found(plain(&[(command, gone), ("EHLO", hello)])).await;
        for path in *known {
            assert!(!found.line(path).starts_with("unknown"), "{command}: {path} {}", found.line(path));
        }
        for path in *unknown {
            assert_eq!(found.line(path), why, "{command}: {path}");
        }
        assert_eq!(found.heard.len(), 1, "{command}: a server that sends us away is left alone");
    }
}

#[tokio::test]
async fn a_421_inside_tls_and_before_a_command_is_understood() {
    let gone = "421 4.3.2 shutting down";
    let why = format!("unknown rate-limited: the server ended the session: {gone}");
    let inside = found(secure(&[], Step::Tls, &[("EHLO", gone)])).await;
    inside.check(&[("smtp.keywords_tls", &why), ("smtp.postmaster", &why), ("starttls.injection", &why)]);
    assert!(inside.line("starttls.negotiated").starts_with("true"));
    // It says so unasked and closes, while we say EHLO.
    let unasked = vec![send("220 mx1.example.org ESMTP\n421 4.3.2 shutting down"), Step::Reset];
    let unasked = found(unasked).await;
    assert!(unasked.line("smtp.ehlo").starts_with("unknown "), "{}", unasked.line("smtp.ehlo"));
}

#[tokio::test]
async fn a_closed_port_leaves_everything_unknown() {
    let closed = testing::closed_port().await;
    let change = |endpoint: &mut Endpoint| endpoint.address = closed;
    let found = probed(vec![vec![]], Protocol::Smtp, change, &settings()).await;
    let why = "unknown tcp-refused: the connection was refused";
    for path in [
        "reached",
        "greeting.text",
        "greeting.version",
        "starttls.offered",
        "smtp.ehlo",
        "smtp.open_relay",
        "smtp.vrfy",
        "auth.required",
    ] {
        assert_eq!(found.line(path), why, "{path}");
    }
    let implicit = probed(vec![vec![]], Protocol::Submissions, change, &settings()).await;
    for path in ["starttls.offered", "starttls.required", "auth.before_tls", "auth.cleartext", "auth.required"] {
        assert_eq!(implicit.line(path), why, "{path}");
    }
}

#[tokio::test]
async fn a_dialogue_without_rset_still_ends_well() {
    let table =
        serve(&[("EHLO", &[send("250 mx1.example.org")]), ("MAIL FROM", &[send("250 Ok")]), ("RSET", &[Step::Close])]);
    let found = found(vec![send("220 mx1.example.org"), table]).await;
    found.check(&[
        ("starttls.required", "false «250 Ok»"),
        ("smtp.postmaster", "unknown protocol: the server closed the connection"),
    ]);
}
