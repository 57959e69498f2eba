//! IMAP sessions (RFC 9051, and RFC 3501 where servers still speak it).
//!
//! One session reads the greeting and the capabilities, steps into TLS and reads the capabilities again; where STARTTLS
//! works, a second one finds out whether a command can be injected before it. Nobody logs in: whether a password could
//! be sent is told from LOGINDISABLED and the SASL mechanisms. Sessions end with LOGOUT.

mod response;
#[cfg(test)]
mod tests;

use tokio::time::Instant;

use self::response::{Response, Status, literal, parse};
use super::progress::{MOST_LINES, Progress, is_transient, shortened, tls_comes_first};
use super::session::Session;
use super::{Endpoint, Failure, Noted, Opening, Seen, Settings, is_implicit_tls};
use crate::diag::Span;
use crate::facts::{Cause, Recorder};

/// Longest literal that is read, in octets. Nothing that is asked here needs one.
const MOST_LITERAL: usize = 16 * 1024;

/// What was seen of one IMAP service.
#[derive(Debug, Clone)]
pub struct ImapProbe {
    /// Connection, greeting and the step into TLS.
    pub opening: Opening,
    /// Whether the greeting was PREAUTH (RFC 9051 section 7.1.4).
    pub preauth: Seen<bool>,
    /// Capabilities before TLS, in upper case, in the order of the server.
    pub capabilities: Seen<Vec<String>>,
    /// Capabilities inside TLS, in upper case, in the order of the server.
    pub capabilities_tls: Seen<Vec<String>>,
}

impl ImapProbe {
    /// Nothing was seen, for one reason.
    pub fn failed(failure: &Failure) -> ImapProbe {
        ImapProbe {
            opening: Opening::failed(failure),
            preauth: Err(failure.clone()),
            capabilities: Err(failure.clone()),
            capabilities_tls: Err(failure.clone()),
        }
    }
}

/// Holds the sessions.
pub async fn probe(endpoint: &Endpoint, settings: &Settings, recorder: &Recorder) -> ImapProbe {
    let deadline = Instant::now() + settings.service_timeout;
    let mut session = match Session::open(endpoint, settings, recorder, "imap", deadline).await {
        Ok(session) => session,
        Err(failure) => return ImapProbe::failed(&failure),
    };
    let mut steps = Steps::default();
    let end = match steps.walk(&mut session).await {
        // Nothing went wrong, so the transcript says nothing of it.
        Ok(()) => Failure {
            cause: Cause::NotCollected,
            note: "the session did not get to it".to_owned(),
            span: session.connected(),
        },
        Err(failure) => failure,
    };
    let connected = session.connected();
    session.close("m9 LOGOUT").await;
    let or = |seen: Option<_>| seen.unwrap_or_else(|| Err(end.clone()));
    let mut probe = ImapProbe {
        preauth: steps.preauth.unwrap_or_else(|| Err(end.clone())),
        capabilities: or(steps.capabilities),
        capabilities_tls: or(steps.capabilities_tls),
        opening: steps.opening.end(connected, &end),
    };
    if matches!(probe.opening.starttls_negotiated, Ok(Noted { value: true, .. })) {
        tokio::time::sleep(settings.pause).await;
        probe.opening.injection = injection(endpoint, settings, recorder, deadline).await;
    }
    probe
}

/// What the first session showed so far.
#[derive(Default)]
struct Steps {
    opening: Progress,
    preauth: Option<Seen<bool>>,
    capabilities: Option<Seen<Vec<String>>>,
    capabilities_tls: Option<Seen<Vec<String>>>,
}

impl Steps {
    /// The first session, until it ends or a step fails.
    async fn walk(&mut self, session: &mut Session<'_>) -> Result<(), Failure> {
        let start = Instant::now();
        let implicit = is_implicit_tls(session.endpoint().protocol);
        if implicit {
            self.opening.implicit_tls(session).await?;
        }
        let greeting = greeting(session).await?;
        self.opening.greeted(greeting.text.clone(), start.elapsed(), greeting.span);
        if greeting.status == Status::Bye {
            let text = format!("the server does not serve us now: {}", shortened(&greeting.text));
            return Err(session.failure(Cause::RateLimited, &text));
        }
        let preauth = greeting.status == Status::Preauth;
        self.preauth = Some(Ok(Noted { value: preauth, span: greeting.span }));
        if implicit {
            self.capabilities = Some(Err(tls_comes_first(greeting.span)));
            self.capabilities_tls = Some(Ok(capabilities(session, "m1").await?));
            return Ok(());
        }
        let plain = capabilities(session, "m1").await?;
        self.opening.required(Ok(Noted { value: needs_tls(&plain.value, preauth), span: plain.span }));
        let offered = plain.value.iter().any(|capability| capability == "STARTTLS");
        self.opening.offered(offered, plain.span);
        self.capabilities = Some(Ok(plain));
        if offered && preauth {
            // RFC 9051 section 6.2.1: STARTTLS is for sessions in which nobody is authenticated yet.
            let text = "the server takes us for authenticated, where STARTTLS is not allowed";
            let failure = session.failure(Cause::Protocol, text);
            self.opening.no_starttls(failure.clone());
            return Err(failure);
        }
        if offered {
            self.starttls(session).await?;
            // RFC 9051 section 6.2.1: what was known of the server before TLS is to be forgotten and asked for again.
            self.capabilities_tls = Some(Ok(capabilities(session, "m3").await?));
        }
        Ok(())
    }

    async fn starttls(&mut self, session: &mut Session<'_>) -> Result<(), Failure> {
        session.send("m2 STARTTLS").await?;
        let reply = reply(session, "m2").await?;
        if reply.status == Status::Ok {
            return self.opening.start_tls(session).await;
        }
        reply.come_back_later(session)?;
        Err(self.opening.refused(session, reply.span, &reply.text))
    }
}

/// Whether nobody can log in before TLS: the LOGIN command is switched off and no mechanism is offered.
fn needs_tls(capabilities: &[String], preauth: bool) -> bool {
    let login_disabled = capabilities.iter().any(|capability| capability == "LOGINDISABLED");
    !preauth && login_disabled && !capabilities.iter().any(|capability| capability.starts_with("AUTH="))
}

/// Sends a command in one packet with STARTTLS, and looks inside TLS for its answer (RFC 3207 section 6 describes the
/// fault for SMTP; RFC 9051 section 6.2.1 forbids it). A command of ours after the handshake tells where to stop looking.
async fn injection(endpoint: &Endpoint, settings: &Settings, recorder: &Recorder, deadline: Instant) -> Seen<bool> {
    let mut session = Session::open(endpoint, settings, recorder, "imap-injection", deadline).await?;
    let seen = inject(&mut session).await;
    session.close("m9 LOGOUT").await;
    seen
}

async fn inject(session: &mut Session<'_>) -> Seen<bool> {
    let greeting = greeting(session).await?;
    if greeting.status != Status::Ok {
        let text = format!("the server does not serve us now: {}", shortened(&greeting.text));
        return Err(session.failure(Cause::RateLimited, &text));
    }
    let sent = session.send_lines(&["m1 STARTTLS", "m2 NOOP"]).await?;
    // The server took STARTTLS alone a moment ago: refusing it now, or ending the connection, is how it refuses the
    // command behind it.
    let reply = match reply(session, "m1").await {
        Ok(reply) => reply,
        Err(_) if session.is_ended_by_server() => return Ok(Noted { value: false, span: sent }),
        Err(failure) => return Err(failure),
    };
    if reply.status != Status::Ok {
        reply.come_back_later(session)?;
        return Ok(Noted { value: false, span: reply.span });
    }
    match session.start_tls().await {
        Ok(_) => {}
        Err(failure) if failure.cause == Cause::TlsHandshake => return Ok(Noted { value: false, span: failure.span }),
        Err(failure) => return Err(failure),
    }
    session.send("m3 NOOP").await?;
    let reply = self::reply(session, "m3").await?;
    let injected = reply
        .before
        .iter()
        .find(|(response, _)| matches!(response, Response::Condition { tag: Some(tag), .. } if tag == "m2"));
    Ok(Noted { value: injected.is_some(), span: injected.map_or(reply.span, |(_, span)| *span) })
}

/// A greeting.
struct Hello {
    status: Status,
    text: String,
    span: Span,
}

/// Reads the greeting: `* OK`, `* PREAUTH` or `* BYE` (RFC 9051 section 7.1).
async fn greeting(session: &mut Session<'_>) -> Result<Hello, Failure> {
    let (line, span) = line(session).await?;
    match parse(&line) {
        Some(Response::Condition {
            tag: None,
            status: status @ (Status::Ok | Status::Preauth | Status::Bye),
            text,
            ..
        }) => Ok(Hello { status, text, span }),
        _ => {
            let text = format!("the server does not greet as IMAP servers do: {}", shortened(&line));
            Err(session.failure(Cause::Protocol, &text))
        }
    }
}

/// Asks for the capabilities (RFC 9051 section 6.1.1).
async fn capabilities(session: &mut Session<'_>, tag: &str) -> Result<Noted<Vec<String>>, Failure> {
    session.send(&format!("{tag} CAPABILITY")).await?;
    let reply = reply(session, tag).await?;
    if reply.status != Status::Ok {
        reply.come_back_later(session)?;
        let text = format!("the server does not say its capabilities: {}", shortened(&reply.text));
        return Err(session.failure(Cause::Protocol, &text));
    }
    let listed = reply.before.iter().find_map(|(response, span)| match response {
        Response::Capabilities(list) => Some(Noted { value: list.clone(), span: *span }),
        _ => None,
    });
    match listed {
        Some(listed) => Ok(listed),
        None => Err(session.failure(Cause::Protocol, "the server answers CAPABILITY without capabilities")),
    }
}

/// The answer to a command.
struct Reply {
    status: Status,
    code: Option<String>,
    text: String,
    span: Span,
    /// What came before it.
    before: Vec<(Response, Span)>,
}

impl Reply {
    /// A failure when the server asks to come back at another time.
    fn come_back_later(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        if self.code.as_deref().is_some_and(is_transient) {
            let text = format!("the server asks to come back later: {}", shortened(&self.text));
            return Err(session.failure(Cause::RateLimited, &text));
        }
        Ok(())
    }
}

/// Reads until the line with our tag.
async fn reply(session: &mut Session<'_>, tag: &str) -> Result<Reply, Failure> {
    let mut before = Vec::new();
    for _ in 0..MOST_LINES {
        let (line, span) = line(session).await?;
        match parse(&line) {
            Some(Response::Condition { tag: Some(found), status, code, text }) if found == tag => {
                return Ok(Reply { status, code, text, span, before });
            }
            Some(Response::Condition { tag: None, status: Status::Bye, text, .. }) => {
                let text = format!("the server ends the session: {}", shortened(&text));
                return Err(session.failure(Cause::RateLimited, &text));
            }
            Some(Response::Continuation) => {
                return Err(session.failure(Cause::Protocol, "the server waits for more, where nothing is left to say"));
            }
            Some(response) => before.push((response, span)),
            None => {
                let text = format!("the server answers with something that is not IMAP: {}", shortened(&line));
                return Err(session.failure(Cause::Protocol, &text));
            }
        }
    }
    let text = format!("the server sends more than {MOST_LINES} lines for one command");
    Err(session.failure(Cause::LimitReached, &text))
}

/// Reads a line with the literals in it (RFC 9051 section 4.3): their octets belong to the line, line ends included.
async fn line(session: &mut Session<'_>) -> Result<(String, Span), Failure> {
    let Noted { value: mut text, mut span } = session.line().await?;
    let mut read = 0;
    while let Some(length) = literal(&text) {
        let target = read + length;
        if target > MOST_LITERAL {
            let note = format!("the server sends a literal of {length} octets where none belongs");
            return Err(session.failure(Cause::Protocol, &note));
        }
        // One more line than the literal fills: the rest of the response follows right after its last octet.
        loop {
            let next = session.line().await?;
            span = span.join(next.span);
            read += next.value.len() + "\r\n".len();
            text.push(' ');
            text.push_str(&next.value);
            if read > target {
                break;
            }
        }
    }
    Ok((text, span))
}
