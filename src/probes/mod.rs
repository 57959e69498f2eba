//! Sessions with mail services, line by line, with full transcripts: SMTP, IMAP, POP3, the TLS beneath them, and the
//! HTTPS fetch of MTA-STS policies.
//!
//! A probe says what was sent and what came back, where in the transcript, and why something could not be seen. It does
//! not judge and does not decide what a fact is; collectors do. Every session is bounded in time, lines and bytes, so
//! that a server that drips, floods or falls silent costs a known amount and ends in a named cause. One connection to a
//! host at a time: callers probe the services of one host one after the other.

pub mod https;
pub mod imap;
pub mod pop3;
mod progress;
pub mod session;
pub mod smtp;
#[cfg(test)]
pub(crate) mod testing;
pub mod tls;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::diag::Span;
use crate::facts::service::Protocol;
use crate::facts::{Cause, Recorder};
use crate::mail::Name;

/// One service to probe.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// Name of the host: the TLS server name, and the name that certificates are compared with (RFC 7672 section 8.1).
    pub host: Name,
    /// Address and port to connect to.
    pub address: SocketAddr,
    /// What it is expected to speak.
    pub protocol: Protocol,
    /// Whether the inventory claims the host: only then may it be probed actively.
    pub claimed: bool,
    /// Domains of this run whose mail the host takes; probes of recipients use them.
    pub domains: Vec<Name>,
}

impl Endpoint {
    /// Name of the service in reports, as mail logs write it: `mx1.example.org[192.0.2.1]:25`.
    pub fn name(&self) -> String {
        format!("{}[{}]:{}", self.host.as_str().trim_end_matches('.'), self.address.ip(), self.address.port())
    }
}

/// How sessions are held.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long one reply or one handshake may take.
    pub reply_timeout: Duration,
    /// How long all sessions with one service may take together.
    pub service_timeout: Duration,
    /// Pause between two connections to the same service.
    pub pause: Duration,
    /// Name that we give ourselves in EHLO.
    pub ehlo_name: String,
    /// Address that connections come from.
    pub source_address: Option<IpAddr>,
    /// Whether relay attempts, early talking and the like are allowed, on claimed hosts only.
    pub active: bool,
    /// The certification authorities that are trusted.
    pub trust: Arc<tls::TrustStore>,
    /// Longest line that is read, in octets.
    pub max_line: usize,
    /// Longest transcript of one session, in octets.
    pub max_transcript: usize,
    /// Most connections to one service.
    pub max_connections: usize,
}

impl Settings {
    /// Cautious settings for the open Internet.
    pub fn new(trust: Arc<tls::TrustStore>) -> Settings {
        Settings {
            connect_timeout: Duration::from_secs(10),
            reply_timeout: Duration::from_secs(30),
            service_timeout: Duration::from_secs(180),
            pause: Duration::ZERO,
            ehlo_name: "mailvet.invalid".to_owned(),
            source_address: None,
            active: false,
            trust,
            max_line: 8192,
            max_transcript: 256 * 1024,
            max_connections: 48,
        }
    }
}

/// Why something could not be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The cause that facts carry.
    pub cause: Cause,
    /// What happened, in words, such as "the server closed the connection after STARTTLS".
    pub note: String,
    /// Where in the transcript.
    pub span: Span,
}

/// A value and the part of the transcript that shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted<T> {
    /// The value.
    pub value: T,
    /// Where it was seen.
    pub span: Span,
}

/// Something that was seen, or why not.
pub type Seen<T> = Result<Noted<T>, Failure>;

/// Everything that was seen of one service.
#[derive(Debug, Clone)]
pub struct ServiceProbe {
    /// The service.
    pub endpoint: Endpoint,
    /// The sessions in its protocol.
    pub session: SessionProbe,
    /// What the TLS beneath it accepts. `Err` when the service could not be reached or offers no TLS.
    pub tls: Result<tls::TlsProbe, Failure>,
}

impl ServiceProbe {
    /// What is known of a service by its certificates alone; `unread` says why nothing else is.
    pub fn of_certificates(
        endpoint: Endpoint,
        certificates: Result<tls::Certificates, Failure>,
        unread: &Failure,
    ) -> ServiceProbe {
        let tls = certificates.map(|certificates| tls::TlsProbe::of_certificates(certificates, unread));
        // Which protocol it is stands in the endpoint; of a session nothing is known.
        let session = SessionProbe::Pop3(Box::new(pop3::Pop3Probe::failed(unread)));
        ServiceProbe { endpoint, session, tls }
    }
}

/// What every session has in common, whatever the protocol.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Whether a connection was made.
    pub reached: Seen<()>,
    /// The first lines that the server sent; inside TLS where TLS comes first.
    pub greeting: Seen<Greeting>,
    /// Whether STARTTLS (STLS) is advertised. For services that speak TLS from the first byte, `false` is not asked for:
    /// collectors look at the protocol first.
    pub starttls_offered: Seen<bool>,
    /// Whether the server took the command and the handshake completed. A refusal (454, NO, -ERR) and a handshake that
    /// the server broke off are seen, and `false`; silence, or a connection that ended otherwise, is a failure.
    pub starttls_negotiated: Seen<bool>,
    /// Whether a command sent in one packet with STARTTLS was answered inside TLS (RFC 3207 section 6).
    pub injection: Seen<bool>,
    /// Whether the server asks for TLS before anything else (SMTP 530, IMAP PRIVACYREQUIRED).
    pub tls_required: Seen<bool>,
    /// The handshake of the session, from the first byte or after STARTTLS; where in the transcript it was noted.
    pub handshake: Result<(tls::Handshake, Span), Failure>,
}

/// The first lines that a server sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// Reply code, SMTP only.
    pub code: Option<u16>,
    /// Text without the code, one item a line.
    pub lines: Vec<String>,
    /// Time from the connection until the last line.
    pub delay: Duration,
}

/// The sessions by protocol.
#[derive(Debug, Clone)]
pub enum SessionProbe {
    /// SMTP and submission.
    Smtp(Box<smtp::SmtpProbe>),
    /// IMAP.
    Imap(Box<imap::ImapProbe>),
    /// POP3.
    Pop3(Box<pop3::Pop3Probe>),
}

impl SessionProbe {
    /// What every session has in common.
    pub fn opening(&self) -> &Opening {
        match self {
            SessionProbe::Smtp(probe) => &probe.opening,
            SessionProbe::Imap(probe) => &probe.opening,
            SessionProbe::Pop3(probe) => &probe.opening,
        }
    }
}

impl Opening {
    /// Nothing was seen, for one reason.
    pub fn failed(failure: &Failure) -> Opening {
        Opening {
            reached: Err(failure.clone()),
            greeting: Err(failure.clone()),
            starttls_offered: Err(failure.clone()),
            starttls_negotiated: Err(failure.clone()),
            injection: Err(failure.clone()),
            tls_required: Err(failure.clone()),
            handshake: Err(failure.clone()),
        }
    }
}

/// Probes one service: the session in its protocol, then what its TLS accepts. Never fails: what could not be seen says
/// why.
pub async fn probe(endpoint: &Endpoint, settings: &Settings, recorder: &Recorder) -> ServiceProbe {
    let session = match endpoint.protocol {
        Protocol::Smtp | Protocol::Submission | Protocol::Submissions => {
            SessionProbe::Smtp(Box::new(smtp::probe(endpoint, settings, recorder).await))
        }
        Protocol::Imap | Protocol::Imaps => {
            SessionProbe::Imap(Box::new(imap::probe(endpoint, settings, recorder).await))
        }
        Protocol::Pop3 | Protocol::Pop3s => {
            SessionProbe::Pop3(Box::new(pop3::probe(endpoint, settings, recorder).await))
        }
    };
    let tls = tls::probe(endpoint, settings, recorder).await;
    ServiceProbe { endpoint: endpoint.clone(), session, tls }
}

/// Whether TLS comes from the first byte (RFC 8314 section 3).
pub fn is_implicit_tls(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Submissions | Protocol::Imaps | Protocol::Pop3s)
}
