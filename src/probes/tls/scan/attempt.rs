//! One offer on a connection of its own, and the log of all offers.

use rustls::crypto::ring;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::super::answer::{self, Answer, ServerHello};
use super::super::hello::Offer;
use super::super::{Handshake, alert, preamble, suites};
use crate::diag::{FileId, Files, Span};
use crate::facts::service::{Protocol, TlsVersion};
use crate::facts::{Cause, Recorder};
use crate::probes::session::Session;
use crate::probes::{Endpoint, Failure, Settings};

/// Silences after which a service is asked no more.
const MOST_SILENCES: usize = 2;

/// The alert that says that the server has no such name (RFC 6066 section 3).
const UNRECOGNIZED_NAME: u8 = 112;

/// What came of one offer.
pub(super) enum Outcome {
    /// The server chose from it.
    Accepted(ServerHello, Span),
    /// The server refused it.
    Refused(Span),
    /// The server closed the connection: a refusal, if it still answers others.
    Closed(Span),
}

pub(super) struct Scan<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) settings: &'a Settings,
    pub(super) log: Log,
    pub(super) deadline: Instant,
    /// Connections that may still be made.
    pub(super) left: usize,
    /// Whether a connection was made before.
    pub(super) opened: bool,
    pub(super) silences: usize,
    /// Why nothing more is asked.
    pub(super) stopped: Option<Failure>,
}

impl<'a> Scan<'a> {
    /// The handshake of a client of today's standards.
    pub(super) async fn modern(&mut self) -> Result<(Handshake, Span), Failure> {
        let scratch = Recorder::new(Files::default(), false);
        let mut session = self.connect(&scratch).await?;
        let done = session.start_tls().await;
        match done {
            Ok((handshake, _)) => {
                let goodbye = goodbye(self.endpoint.protocol);
                session.close(goodbye).await;
                let chain = handshake.chain.len();
                let text = format!(
                    "handshake of today's standards: {} {}, certificates: {chain}",
                    handshake.version, handshake.cipher
                );
                let span = self.log.line(&text);
                Ok((handshake, span))
            }
            Err(failure) => {
                session.abandon();
                let span = self.log.line(&format!("handshake of today's standards: {}", failure.note));
                Err(Failure { span, ..failure })
            }
        }
    }

    /// Connects and leads the session to the point where a ClientHello is expected. A failure ends the scan.
    async fn connect<'s>(&mut self, scratch: &'s Recorder) -> Result<Session<'s>, Failure>
    where
        'a: 's,
    {
        if let Some(failure) = &self.stopped {
            return Err(failure.clone());
        }
        if self.left == 0 || Instant::now() >= self.deadline {
            let text = if self.left == 0 {
                format!("{} connections were made, no more are allowed", self.settings.max_connections)
            } else {
                format!("the time for the service, {} s, is over", self.settings.service_timeout.as_secs())
            };
            return Err(self.stop(Failure { cause: Cause::LimitReached, note: text, span: self.log.end() }));
        }
        self.left -= 1;
        if std::mem::replace(&mut self.opened, true) {
            tokio::time::sleep(self.settings.pause).await;
        }
        let opened = Session::open(self.endpoint, self.settings, scratch, "tls", self.deadline).await;
        let mut session = match opened {
            Ok(session) => session,
            Err(failure) => return Err(self.stop(failure)),
        };
        match preamble::ready(&mut session).await {
            Ok(()) => Ok(session),
            Err(failure) => {
                session.close(goodbye(self.endpoint.protocol)).await;
                Err(self.stop(failure))
            }
        }
    }

    /// Ends the scan for a reason, which is noted.
    pub(super) fn stop(&mut self, failure: Failure) -> Failure {
        let span = self.log.line(&format!("stopped: {}", failure.note));
        let failure = Failure { span, ..failure };
        self.stopped = Some(failure.clone());
        failure
    }

    /// Makes one offer on a connection of its own.
    pub(super) async fn attempt(&mut self, offer: &Offer, certificate: bool) -> Result<Outcome, Failure> {
        let scratch = Recorder::new(Files::default(), false);
        let by = self.settings.reply_timeout;
        let deadline = self.deadline;
        let mut session = self.connect(&scratch).await?;
        let Some(stream) = session.take_plain() else {
            let failure = session.failure(Cause::Protocol, "the connection is gone");
            return Err(self.stop(failure));
        };
        session.abandon();
        let answer = exchange(stream, offer, certificate, deadline.min(Instant::now() + by)).await;
        let offered = format!("{} with {} suites", offer.version, offer.suites.len());
        Ok(match answer {
            Ok(Answer::Hello(hello)) => {
                let span = self.log.line(&format!("{offered}: {}", words(&hello)));
                Outcome::Accepted(hello, span)
            }
            Ok(Answer::Alert(number)) => {
                let text = format!("{offered}: alert {}", alert::name(number));
                let span = self.log.line(&text);
                if number == UNRECOGNIZED_NAME {
                    // RFC 6066 section 3: it is about the name, not about the offer.
                    return Err(Failure { cause: Cause::TlsHandshake, note: text, span });
                }
                Outcome::Refused(span)
            }
            Ok(Answer::Broken(why)) => {
                let span = self.log.line(&format!("{offered}: {why}"));
                return Err(Failure { cause: Cause::Protocol, note: why.to_owned(), span });
            }
            Ok(Answer::Incomplete) => Outcome::Closed(self.log.line(&format!("{offered}: connection closed"))),
            Err(Silent) => {
                let note = format!("{offered}: no answer in time");
                let failure = Failure { cause: Cause::TcpTimeout, span: self.log.line(&note), note };
                self.silences += 1;
                if self.silences >= MOST_SILENCES {
                    self.stop(Failure { note: "the server stays silent".to_owned(), ..failure.clone() });
                }
                return Err(failure);
            }
        })
    }

    pub(super) fn offer(&self, version: TlsVersion, suites: Vec<u16>, deflate: bool) -> Offer {
        let host = self.endpoint.host.as_str();
        let host =
            (!self.endpoint.host.is_root() && host.parse::<std::net::IpAddr>().is_err()).then(|| host.to_owned());
        Offer { version, suites, host, deflate }
    }
}

/// What a ServerHello says, in words.
fn words(hello: &ServerHello) -> String {
    let mut text = format!("{} {}", hello.version, suites::name(hello.suite));
    if hello.compression != 0 {
        text.push_str(&format!(", compression {}", hello.compression));
    }
    if hello.secure_renegotiation {
        text.push_str(", secure renegotiation");
    }
    if hello.retry {
        text.push_str(", asks for another key share");
    }
    if let Some(chain) = &hello.chain {
        text.push_str(&format!(", certificates: {}", chain.len()));
    }
    text
}

/// How each protocol says goodbye.
fn goodbye(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Imap | Protocol::Imaps => "z LOGOUT",
        Protocol::Smtp | Protocol::Submission | Protocol::Submissions | Protocol::Pop3 | Protocol::Pop3s => "QUIT",
    }
}

/// The server said nothing until the time was over.
struct Silent;

/// Sends an offer and reads the answer; [`Answer::Incomplete`] when the connection was closed before it was complete.
async fn exchange(mut stream: TcpStream, offer: &Offer, certificate: bool, by: Instant) -> Result<Answer, Silent> {
    let mut random = [0; 64];
    // Without random values the message is as valid; nothing is encrypted with them.
    let _ = ring::default_provider().secure_random.fill(&mut random);
    let talk = async {
        if stream.write_all(&offer.to_record(&random)).await.is_err() {
            return Answer::Incomplete;
        }
        let mut received = Vec::new();
        let mut chunk = vec![0; 8192];
        while received.len() < answer::MOST_OCTETS {
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return answer::ended(&received, certificate),
                Ok(length) => received.extend(chunk.iter().take(length)),
            }
            match answer::read(&received, certificate) {
                Answer::Incomplete => {}
                answer => return answer,
            }
        }
        Answer::Broken("the server's first message is too long")
    };
    let answer = timeout_at(by, talk).await.map_err(|_| Silent)?;
    // RFC 5246 section 7.2.1: we end the connection in good order.
    let close = [21, 3, 1, 0, 2, 1, 0];
    let _ = timeout_at(by.min(Instant::now() + std::time::Duration::from_secs(1)), stream.write_all(&close)).await;
    Ok(answer)
}

/// The text of a scan: one line for each offer.
pub(super) struct Log {
    pub(super) file: FileId,
    pub(super) text: String,
}

impl Log {
    pub(super) fn line(&mut self, text: &str) -> Span {
        let start = self.text.len();
        for character in text.chars() {
            match character {
                control if control.is_control() => self.text.extend(control.escape_default()),
                other => self.text.push(other),
            }
        }
        let span = self.span(start, self.text.len());
        self.text.push('\n');
        span
    }

    pub(super) fn end(&self) -> Span {
        self.span(self.text.len(), self.text.len())
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let at = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Span::new(self.file, at(start), at(end))
    }
}
