//! What is said in clear before a TLS handshake can begin: STARTTLS in SMTP, IMAP and STLS in POP3.

use crate::facts::Cause;
use crate::facts::service::Protocol;
use crate::probes::session::Session;
use crate::probes::{Failure, is_implicit_tls};

/// Most lines of one reply.
const MOST_LINES: usize = 100;

/// What [`ready`] says when the server does not advertise the command.
pub(super) const NOT_OFFERED: &str = "STARTTLS is not offered";

/// Leads a fresh connection to the point where a ClientHello is expected.
///
/// # Errors
/// The server does not offer TLS, refuses it, asks to come back later, or the connection failed.
pub(super) async fn ready(session: &mut Session<'_>) -> Result<(), Failure> {
    let protocol = session.endpoint().protocol;
    if is_implicit_tls(protocol) {
        return Ok(());
    }
    match protocol {
        Protocol::Imap | Protocol::Imaps => imap(session).await,
        Protocol::Pop3 | Protocol::Pop3s => pop3(session).await,
        Protocol::Smtp | Protocol::Submission | Protocol::Submissions => smtp(session).await,
    }
}

/// RFC 3207 section 4.
async fn smtp(session: &mut Session<'_>) -> Result<(), Failure> {
    expect_smtp(session, "the greeting").await?;
    session.send(&format!("EHLO {}", session.settings().ehlo_name)).await?;
    let lines = expect_smtp(session, "EHLO").await?;
    // RFC 5321 section 4.1.1.1: the first line is the name of the server.
    if !lines.iter().skip(1).any(|keyword| keyword.trim().eq_ignore_ascii_case("STARTTLS")) {
        return Err(session.failure(Cause::Protocol, NOT_OFFERED));
    }
    session.send("STARTTLS").await?;
    expect_smtp(session, "STARTTLS").await.map(drop)
}

/// Reads a reply (RFC 5321 section 4.2.1) that must be positive, and returns its lines without the code.
async fn expect_smtp(session: &mut Session<'_>, what: &str) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    while lines.len() < MOST_LINES {
        let line = session.line().await?.value;
        let code = line.get(..3).unwrap_or_default().to_owned();
        let rest = line.get(3..).unwrap_or_default();
        if code.len() != 3 || !code.bytes().all(|octet| octet.is_ascii_digit()) {
            return Err(session.failure(Cause::Protocol, "the server does not speak SMTP"));
        }
        lines.push(rest.get(1..).unwrap_or_default().to_owned());
        if rest.starts_with('-') {
            continue;
        }
        return match code.as_bytes() {
            [b'2', ..] => Ok(lines),
            // RFC 5321 section 4.2.1: negative for now.
            [b'4', ..] => Err(session.failure(Cause::RateLimited, &format!("the server answers {what} with {line}"))),
            _ => Err(session.failure(Cause::Protocol, &format!("the server answers {what} with {line}"))),
        };
    }
    Err(session.failure(Cause::LimitReached, "the reply has too many lines"))
}

/// RFC 9051 section 6.2.1.
async fn imap(session: &mut Session<'_>) -> Result<(), Failure> {
    let greeting = session.line().await?.value;
    if !starts(&greeting, "* OK") {
        let cause = if starts(&greeting, "* BYE") { Cause::RateLimited } else { Cause::Protocol };
        return Err(session.failure(cause, &format!("the server greets with {greeting}")));
    }
    session.send("a STARTTLS").await?;
    for _ in 0..MOST_LINES {
        let line = session.line().await?.value;
        if starts(&line, "a OK") {
            return Ok(());
        }
        if starts(&line, "* BYE") {
            return Err(session.failure(Cause::RateLimited, &format!("the server answers STARTTLS with {line}")));
        }
        if starts(&line, "a ") {
            return Err(session.failure(Cause::Protocol, &format!("the server answers STARTTLS with {line}")));
        }
    }
    Err(session.failure(Cause::LimitReached, "the reply has too many lines"))
}

/// RFC 2595 section 4.
async fn pop3(session: &mut Session<'_>) -> Result<(), Failure> {
    let greeting = session.line().await?.value;
    if !starts(&greeting, "+OK") {
        return Err(session.failure(Cause::RateLimited, &format!("the server greets with {greeting}")));
    }
    session.send("STLS").await?;
    let line = session.line().await?.value;
    if starts(&line, "+OK") {
        return Ok(());
    }
    Err(session.failure(Cause::Protocol, &format!("the server answers STLS with {line}")))
}

fn starts(line: &str, with: &str) -> bool {
    line.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
}
