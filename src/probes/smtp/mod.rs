//! Sessions with SMTP servers and submission servers (RFC 5321, RFC 3207, RFC 4954, RFC 6409, RFC 8314).
//!
//! At most five connections, one after the other: the conversation itself, a test of injection across STARTTLS, and with
//! `--active` two for relaying and one for talking too early. The replies are handed on as they came; what follows from
//! them is for collectors. No message is ever begun (DATA, BDAT), no password is ever sent (AUTH). VRFY, EXPN, mail to
//! `postmaster` and attempts to relay go only to hosts that the inventory claims.

mod ask;
mod hello;
mod opening;
mod relay;
mod reply;
#[cfg(test)]
mod tests;

use tokio::time::Instant;

pub use ask::{MOST_DOMAINS, Mailbox, Probed, Question, Recipient, Transaction};
pub use hello::{Hello, Keyword};
pub use relay::Attempt;
pub use reply::Reply;

use super::session::Session;
use super::{Endpoint, Failure, Opening, Seen, Settings, is_implicit_tls};
use crate::diag::Span;
use crate::facts::service::Protocol;
use crate::facts::{Cause, Recorder};
use crate::mail::Name;
use reply::Dialogue;

/// What was seen of one SMTP service.
#[derive(Debug, Clone)]
pub struct SmtpProbe {
    /// Connection, greeting and the step into TLS.
    pub opening: Opening,
    /// The answer to EHLO before TLS. For submission over TLS a failure: collectors look at the protocol first.
    pub plain: Seen<Hello>,
    /// The answer to EHLO inside TLS (RFC 3207 section 4.2: what was said before no longer counts).
    pub inside: Seen<Hello>,
    /// Answers to VRFY.
    pub vrfy: Probed<Vec<Question>>,
    /// Answers to EXPN.
    pub expn: Probed<Vec<Question>>,
    /// MAIL and RCPT without authentication; for submission only.
    pub submission: Probed<Transaction>,
    /// Mail for `postmaster`, `abuse` and an invented mailbox of domains that the host takes mail for; port 25 only.
    pub recipients: Probed<Vec<Recipient>>,
    /// Attempts to relay.
    pub relay: Probed<Vec<Attempt>>,
    /// Whether a command sent before the greeting was carried out.
    pub early_talk: Seen<bool>,
}

impl SmtpProbe {
    /// Nothing was seen, for one reason.
    fn failed(failure: &Failure) -> SmtpProbe {
        SmtpProbe {
            opening: Opening::failed(failure),
            plain: Err(failure.clone()),
            inside: Err(failure.clone()),
            vrfy: Err(failure.clone()),
            expn: Err(failure.clone()),
            submission: Err(failure.clone()),
            recipients: Err(failure.clone()),
            relay: Err(failure.clone()),
            early_talk: Err(failure.clone()),
        }
    }
}

/// Holds the sessions.
pub async fn probe(endpoint: &Endpoint, settings: &Settings, recorder: &Recorder) -> SmtpProbe {
    let deadline = Instant::now() + settings.service_timeout;
    let mut run = Run { endpoint, settings, recorder, deadline, connections: 0, first: None };
    let dialogue = match run.connect("smtp").await {
        Ok(dialogue) => dialogue,
        Err(failure) => return SmtpProbe::failed(&failure),
    };
    let opening::Main { mut opening, plain, inside, answers, sent_away } = opening::hold(&mut run, dialogue).await;
    // A server that sent us away, or is gone, is left alone.
    let (injection, relay, early_talk) = match sent_away {
        Some(failure) => (Err(failure.clone()), Err(failure.clone()), Err(failure)),
        None => (
            opening::injection(&mut run, &opening).await,
            relay::attempts(&mut run, &opening).await,
            relay::early_talk(&mut run, &opening).await,
        ),
    };
    opening.injection = injection;
    let ask::Answers { vrfy, expn, submission, recipients } = answers;
    SmtpProbe { opening, plain, inside, vrfy, expn, submission, recipients, relay, early_talk }
}

/// Whether the service takes messages from users rather than from servers (RFC 6409, RFC 8314 section 3.3).
fn is_submission(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Submission | Protocol::Submissions)
}

/// The sessions with one service.
struct Run<'a> {
    endpoint: &'a Endpoint,
    settings: &'a Settings,
    recorder: &'a Recorder,
    deadline: Instant,
    /// Connections made so far.
    connections: usize,
    /// Where the first one was made.
    first: Option<Span>,
}

impl<'a> Run<'a> {
    /// Makes a connection of its own purpose.
    async fn connect(&mut self, purpose: &str) -> Result<Dialogue<'a>, Failure> {
        if let Some(span) = self.first {
            if self.connections >= self.settings.max_connections {
                let note = format!("no more than {} connections to one service", self.settings.max_connections);
                return Err(Failure { cause: Cause::LimitReached, note, span });
            }
            tokio::time::sleep(self.settings.pause).await;
        }
        self.connections += 1;
        let session = Session::open(self.endpoint, self.settings, self.recorder, purpose, self.deadline).await?;
        self.first.get_or_insert(session.connected());
        Ok(Dialogue::new(session))
    }

    /// Makes a connection and comes as far as a conversation can: greeting, TLS where the service has it, EHLO.
    async fn converse(&mut self, purpose: &str, opening: &Opening) -> Result<Dialogue<'a>, Failure> {
        let mut dialogue = self.connect(purpose).await?;
        if self.is_implicit_tls() {
            dialogue.session().start_tls().await?;
        }
        let greeting = dialogue.reply().await?;
        if !greeting.value.is_positive() {
            return Err(hello::refusal(&greeting));
        }
        hello::say_hello(&mut dialogue).await?;
        if !self.is_implicit_tls() && opening.handshake.is_ok() {
            let go = dialogue.command("STARTTLS").await?;
            if !go.value.is_positive() {
                return Err(hello::refusal(&go));
            }
            dialogue.session().start_tls().await?;
            hello::say_hello(&mut dialogue).await?;
        }
        Ok(dialogue)
    }

    fn is_implicit_tls(&self) -> bool {
        is_implicit_tls(self.endpoint.protocol)
    }

    /// The address in whose name we try to send.
    fn probe_address(&self) -> String {
        format!("mailvet-probe@{}", self.own_domain())
    }

    /// The domain in whose name we ask: one that the host takes mail for, or the host itself.
    fn own_domain(&self) -> &'a Name {
        self.endpoint.domains.first().unwrap_or(&self.endpoint.host)
    }
}
