//! One question to one server: over UDP, over TCP when the reply was cut, without EDNS when the server cannot read it.
//!
//! A reply is whatever the server says, also SERVFAIL or REFUSED; what it means is not decided here. No reply is a
//! [`Miss`] with its cause. Each transport has its own limit of time and size.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use super::batch::Outcome;
use super::pool::{self, Pool, Silence};
use super::random::Random;
use super::wire::{self, Question};
use crate::facts::Cause;

/// Response codes with which servers that do not know EDNS reply to it (RFC 6891 section 7).
const FORMERR: u8 = 1;
const NOTIMP: u8 = 4;

/// How a reply came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// Over UDP.
    Udp,
    /// Over TCP.
    Tcp,
}

impl Transport {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        }
    }
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A message that a server sent.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub(super) octets: Vec<u8>,
    pub(super) server: SocketAddr,
    pub(super) transport: Transport,
}

/// Why a server sent nothing of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Miss {
    pub(super) cause: Cause,
    /// What happened, as a predicate: `192.0.2.53:53 did not answer over UDP within 5 s`.
    pub(super) note: String,
}

impl Miss {
    /// Reads what happened from the words that were kept of it.
    pub(super) fn read(note: &str) -> Miss {
        let cause = if note.contains(" did not answer over ") {
            Cause::DnsTimeout
        } else if note.contains(" did not accept a TCP connection ") {
            Cause::TcpTimeout
        } else if note.contains(" cannot be reached over TCP: ") && note.contains("refused") {
            Cause::TcpRefused
        } else if note.contains(" ended the TCP connection ") {
            Cause::Protocol
        } else {
            Cause::Unreachable
        };
        Miss { cause, note: note.to_owned() }
    }
}

/// Where from and how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path<'a> {
    pub(super) server: SocketAddr,
    pub(super) source: Option<IpAddr>,
    /// Sockets kept for the server; `None` for a server that is asked little.
    pub(super) pool: Option<&'a Pool>,
    pub(super) random: &'a Random,
    pub(super) wait: Duration,
}

impl Path<'_> {
    /// Asks a question once over UDP, and what must follow from the reply. With `asked`, it was asked already.
    ///
    /// # Errors
    /// Nothing of use was received.
    pub(super) async fn ask(&self, question: &Arc<Question>, asked: Option<Outcome>) -> Result<Heard, Miss> {
        let heard = self.ask_as_it_is(question, asked).await?;
        // RFC 6891 section 7: a server that does not implement EDNS says so, and is asked without it.
        match heard.octets.get(3).map(|flags| flags & 0x0f) {
            Some(FORMERR | NOTIMP) => Box::pin(self.ask_as_it_is(&Arc::new(question.plain()), None)).await,
            _ => Ok(heard),
        }
    }

    async fn ask_as_it_is(&self, question: &Arc<Question>, asked: Option<Outcome>) -> Result<Heard, Miss> {
        let octets = match (asked, self.pool) {
            (Some(outcome), _) => outcome,
            (None, Some(pool)) => pool.ask(question, self.random, self.wait).await,
            (None, None) => Box::pin(self.ask_once(question)).await,
        };
        let octets = octets.map_err(|silence| self.silent(&silence))?;
        // RFC 7766 section 5: a truncated reply is asked for again over TCP, and what came of it is not used.
        if wire::is_truncated(&octets) {
            // What is rare lives apart, so that what is frequent stays small.
            return Box::pin(self.ask_over_tcp(question)).await;
        }
        Ok(Heard { octets, server: self.server, transport: Transport::Udp })
    }

    /// Asks over a socket for this question alone.
    async fn ask_once(&self, question: &Question) -> Result<Vec<u8>, Silence> {
        let socket = pool::connect(self.server, self.source).await?;
        let id = self.random.number()?;
        socket.send(&question.with_id(id)).await?;
        let (mut buffer, mut ignored, until) = (vec![0; 4096], 0, Instant::now() + self.wait);
        loop {
            let received = tokio::time::timeout_at(until, socket.recv(&mut buffer)).await;
            let Ok(length) = received else { return Err(Silence::Timeout { ignored }) };
            let packet = buffer.get(..length?).unwrap_or(&[]);
            if wire::id(packet) == Some(id) && question.is_answered_by(packet) {
                return Ok(packet.to_vec());
            }
            ignored += 1;
        }
    }

    fn silent(&self, silence: &Silence) -> Miss {
        let (server, wait) = (self.server, Seconds(self.wait));
        match silence {
            Silence::Timeout { ignored: 0 } => {
                Miss { cause: Cause::DnsTimeout, note: format!("{server} did not answer over UDP within {wait}") }
            }
            Silence::Timeout { ignored } => Miss {
                cause: Cause::DnsTimeout,
                note: format!(
                    "{server} did not answer over UDP within {wait}; packets received that were no reply to the question: {ignored}"
                ),
            },
            Silence::Refused => {
                Miss { cause: Cause::Unreachable, note: format!("nothing listens on {server} over UDP (ICMP)") }
            }
            Silence::Io(error) => {
                Miss { cause: Cause::Unreachable, note: format!("{server} cannot be reached over UDP: {error}") }
            }
        }
    }

    /// Asks over a new TCP connection and reads one message (RFC 7766 section 8).
    ///
    /// # Errors
    /// Nothing of use was received.
    pub(super) async fn ask_over_tcp(&self, question: &Question) -> Result<Heard, Miss> {
        let server = self.server;
        let connection = match timeout(self.wait, self.dial()).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                let cause = match error.kind() {
                    ErrorKind::ConnectionRefused => Cause::TcpRefused,
                    _ => Cause::Unreachable,
                };
                return Err(Miss { cause, note: format!("{server} cannot be reached over TCP: {error}") });
            }
            Err(_) => {
                let note = format!("{server} did not accept a TCP connection within {}", Seconds(self.wait));
                return Err(Miss { cause: Cause::TcpTimeout, note });
            }
        };
        let octets = match timeout(self.wait, self.converse(connection, question)).await {
            Ok(Ok(octets)) => octets,
            Ok(Err(error)) => {
                let note = format!("{server} ended the TCP connection without an answer: {error}");
                return Err(Miss { cause: Cause::Protocol, note });
            }
            Err(_) => {
                let note = format!("{server} did not answer over TCP within {}", Seconds(self.wait));
                return Err(Miss { cause: Cause::DnsTimeout, note });
            }
        };
        Ok(Heard { octets, server, transport: Transport::Tcp })
    }

    async fn dial(&self) -> io::Result<TcpStream> {
        let socket = match self.server {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        if self.source.is_some() {
            socket.bind(pool::local(self.server, self.source))?;
        }
        socket.connect(self.server).await
    }

    /// RFC 1035 section 4.2.2: each message is preceded by its length.
    async fn converse(&self, mut connection: TcpStream, question: &Question) -> io::Result<Vec<u8>> {
        let id = self.random.number()?;
        let message = question.with_id(id);
        let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
        // RFC 7766 section 8: length and message in one write.
        let mut packet = length.to_be_bytes().to_vec();
        packet.extend_from_slice(&message);
        connection.write_all(&packet).await?;
        let length = connection.read_u16().await?;
        let mut octets = vec![0; usize::from(length)];
        connection.read_exact(&mut octets).await?;
        if wire::id(&octets) != Some(id) || !question.is_answered_by(&octets) {
            return Err(io::Error::new(ErrorKind::InvalidData, "it sent a message that is no reply to the question"));
        }
        Ok(octets)
    }
}

/// A time as people write it.
pub(super) struct Seconds(pub(super) Duration);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.subsec_millis() {
            0 => write!(f, "{} s", self.0.as_secs()),
            _ => write!(f, "{} ms", self.0.as_millis()),
        }
    }
}
