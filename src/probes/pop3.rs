//! POP3 sessions (RFC 1939, with CAPA of RFC 2449 and STLS of RFC 2595).
//!
//! One session reads the greeting and the capabilities, steps into TLS and reads the capabilities again; where STLS
//! works, a second one finds out whether a command can be injected before it. Nobody logs in: whether a password could
//! be sent is told from the capabilities USER and SASL. Sessions end with QUIT.

mod response;
#[cfg(test)]
mod tests;

use tokio::time::Instant;

use self::response::{Status, parse, timestamp, unstuffed};
use super::progress::{MOST_LINES, Progress, is_transient, shortened, tls_comes_first};
use super::session::Session;
use super::{Endpoint, Failure, Noted, Opening, Seen, Settings, is_implicit_tls};
use crate::diag::Span;
use crate::facts::{Cause, Recorder};

/// What was seen of one POP3 service.
#[derive(Debug, Clone)]
pub struct Pop3Probe {
    /// Connection, greeting and the step into TLS.
    pub opening: Opening,
    /// Whether the greeting holds a timestamp for APOP (RFC 1939 section 7).
    pub apop: Seen<bool>,
    /// Capabilities before TLS, one line each, in upper case; `None` when the server does not know CAPA.
    pub capabilities: Seen<Option<Vec<String>>>,
    /// Capabilities inside TLS, one line each, in upper case; `None` when the server does not know CAPA.
    pub capabilities_tls: Seen<Option<Vec<String>>>,
}

impl Pop3Probe {
    /// Nothing was seen, for one reason.
    pub fn failed(failure: &Failure) -> Pop3Probe {
        Pop3Probe {
            opening: Opening::failed(failure),
            apop: Err(failure.clone()),
            capabilities: Err(failure.clone()),
            capabilities_tls: Err(failure.clone()),
        }
    }
}

/// Holds the sessions.
pub async fn probe(endpoint: &Endpoint, settings: &Settings, recorder: &Recorder) -> Pop3Probe {
    let deadline = Instant::now() + settings.service_timeout;
    let mut session = match Session::open(endpoint, settings, recorder, "pop3", deadline).await {
        Ok(session) => session,
        Err(failure) => return Pop3Probe::failed(&failure),
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
    session.close("QUIT").await;
    let or = |seen: Option<_>| seen.unwrap_or_else(|| Err(end.clone()));
    let mut probe = Pop3Probe {
        apop: steps.apop.unwrap_or_else(|| Err(end.clone())),
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
    apop: Option<Seen<bool>>,
    capabilities: Option<Seen<Option<Vec<String>>>>,
    capabilities_tls: Option<Seen<Option<Vec<String>>>>,
}

impl Steps {
    /// The first session, until it ends or a step fails.
    async fn walk(&mut self, session: &mut Session<'_>) -> Result<(), Failure> {
        let start = Instant::now();
        let implicit = is_implicit_tls(session.endpoint().protocol);
        if implicit {
            self.opening.implicit_tls(session).await?;
        }
        let greeting = reply(session, "the server does not greet as POP3 servers do").await?;
        self.opening.greeted(greeting.text.clone(), start.elapsed(), greeting.span);
        if greeting.status == Status::Err {
            return Err(not_now(session, &greeting));
        }
        let apop = timestamp(&greeting.text).is_some();
        self.apop = Some(Ok(Noted { value: apop, span: greeting.span }));
        if implicit {
            self.capabilities = Some(Err(tls_comes_first(greeting.span)));
            self.capabilities_tls = Some(Ok(capabilities(session).await?));
            return Ok(());
        }
        let plain = capabilities(session).await?;
        self.opening.required(needs_tls(&plain, apop));
        // RFC 2595 section 4: STLS is a capability, so a server that knows no CAPA does not offer it.
        let offered = plain.value.as_ref().is_some_and(|list| list.iter().any(|capability| capability == "STLS"));
        self.opening.offered(offered, plain.span);
        self.capabilities = Some(Ok(plain));
        if offered {
            self.stls(session).await?;
            // RFC 2595 section 4: what was known of the server before TLS is to be forgotten and asked for again.
            self.capabilities_tls = Some(Ok(capabilities(session).await?));
        }
        Ok(())
    }

    async fn stls(&mut self, session: &mut Session<'_>) -> Result<(), Failure> {
        session.send("STLS").await?;
        let reply = answer(session).await?;
        if reply.status == Status::Ok {
            return self.opening.start_tls(session).await;
        }
        reply.come_back_later(session)?;
        Err(self.opening.refused(session, reply.span, &reply.text))
    }
}

/// Whether nobody can log in before TLS: neither USER nor a mechanism is offered, nor APOP. Without CAPA the server says
/// nothing of it, and only a login would.
fn needs_tls(capabilities: &Noted<Option<Vec<String>>>, apop: bool) -> Seen<bool> {
    let span = capabilities.span;
    let Some(list) = &capabilities.value else {
        let note = "the server knows no CAPA, and no login is tried".to_owned();
        return Err(Failure { cause: Cause::NotCollected, note, span });
    };
    let login = list.iter().any(|line| matches!(line.split(' ').next(), Some("USER" | "SASL")));
    Ok(Noted { value: !login && !apop, span })
}

/// Sends a command in one packet with STLS, and looks inside TLS for its answer (RFC 3207 section 6 describes it for
/// SMTP). QUIT after the handshake has one answer; if there are two, the first is to the command.
async fn injection(endpoint: &Endpoint, settings: &Settings, recorder: &Recorder, deadline: Instant) -> Seen<bool> {
    let mut session = Session::open(endpoint, settings, recorder, "pop3-injection", deadline).await?;
    let seen = inject(&mut session).await;
    match seen {
        // The goodbye has been said.
        Ok(_) => session.abandon(),
        Err(_) => session.close("QUIT").await,
    }
    seen
}

async fn inject(session: &mut Session<'_>) -> Seen<bool> {
    let greeting = reply(session, "the server does not greet as POP3 servers do").await?;
    if greeting.status == Status::Err {
        return Err(not_now(session, &greeting));
    }
    let sent = session.send_lines(&["STLS", "NOOP"]).await?;
    // The server took STLS alone a moment ago: refusing it now, or ending the connection, is how it refuses the command
    // behind it.
    let reply = match answer(session).await {
        Ok(reply) => reply,
        Err(_) if session.is_ended_by_server() => return Ok(Noted { value: false, span: sent }),
        Err(failure) => return Err(failure),
    };
    if reply.status == Status::Err {
        reply.come_back_later(session)?;
        return Ok(Noted { value: false, span: reply.span });
    }
    match session.start_tls().await {
        Ok(_) => {}
        Err(failure) if failure.cause == Cause::TlsHandshake => return Ok(Noted { value: false, span: failure.span }),
        Err(failure) => return Err(failure),
    }
    session.send("QUIT").await?;
    let first = answer(session).await?;
    // Whoever answers two commands sends two answers; an end, or silence, after the first means that there was one.
    match answer(session).await {
        Err(failure) if failure.cause == Cause::LimitReached => Err(failure),
        second => Ok(Noted { value: second.is_ok(), span: first.span }),
    }
}

fn not_now(session: &mut Session<'_>, greeting: &Reply) -> Failure {
    let text = format!("the server does not serve us now: {}", shortened(&greeting.text));
    session.failure(Cause::RateLimited, &text)
}

/// Asks for the capabilities (RFC 2449 section 5).
async fn capabilities(session: &mut Session<'_>) -> Result<Noted<Option<Vec<String>>>, Failure> {
    session.send("CAPA").await?;
    let reply = answer(session).await?;
    if reply.status == Status::Err {
        reply.come_back_later(session)?;
        return Ok(Noted { value: None, span: reply.span });
    }
    let mut list: Vec<String> = Vec::new();
    let mut span = reply.span;
    for _ in 0..MOST_LINES {
        let line = session.line().await?;
        span = span.join(line.span);
        let Some(text) = unstuffed(&line.value) else { return Ok(Noted { value: Some(list), span }) };
        // RFC 2449 section 3: capabilities are compared without regard to case.
        let words: Vec<String> = text.split_ascii_whitespace().map(str::to_ascii_uppercase).collect();
        let text = words.join(" ");
        if !text.is_empty() && !list.contains(&text) {
            list.push(text);
        }
    }
    let text = format!("the server sends more than {MOST_LINES} lines for one command");
    Err(session.failure(Cause::LimitReached, &text))
}

/// The first line of an answer.
struct Reply {
    status: Status,
    code: Option<String>,
    text: String,
    span: Span,
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

async fn answer(session: &mut Session<'_>) -> Result<Reply, Failure> {
    reply(session, "the server answers with something that is not POP3").await
}

/// Reads the first line of an answer; `otherwise` is said when it is none.
async fn reply(session: &mut Session<'_>, otherwise: &str) -> Result<Reply, Failure> {
    let Noted { value: line, span } = session.line().await?;
    match parse(&line) {
        Some((status, code, text)) => Ok(Reply { status, code: code.map(str::to_owned), text: text.to_owned(), span }),
        None => {
            let text = format!("{otherwise}: {}", shortened(&line));
            Err(session.failure(Cause::Protocol, &text))
        }
    }
}
