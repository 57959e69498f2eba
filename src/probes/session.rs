//! One connection: lines out, lines in, a transcript of both, and the step into TLS.
//!
//! The transcript is the evidence of a session and reads like one: `C:` before what we sent, `S:` before what the server
//! sent, `--` before what happened otherwise (connected, TLS established, the wait that ended without answer). Octets
//! that are not printable are written as `\xNN` and a backslash as `\\`, so the octets of the session can be told from
//! it. Secrets never enter it. A line, a session and a transcript have limits; reaching one is a cause like any other.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;

use super::tls::{self, Handshake};
use super::{Endpoint, Failure, Noted, Settings};
use crate::diag::{FileId, Span};
use crate::facts::domain::Time;
use crate::facts::{Artefact, ArtefactKind, Cause, Recorder};

/// How many octets are read at a time.
const READ: usize = 4096;

/// One connection to a service. [`Session::close`] or [`Session::abandon`] must end it, or its transcript stays empty.
pub struct Session<'a> {
    endpoint: &'a Endpoint,
    settings: &'a Settings,
    recorder: &'a Recorder,
    stream: Option<Stream>,
    /// Octets received and not read as a line yet.
    received: Vec<u8>,
    transcript: Transcript,
    /// When the session must have ended.
    deadline: Instant,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl<'a> Session<'a> {
    /// Connects. `purpose` tells the sessions with one service apart, such as `smtp` or `smtp-injection`; it is the first
    /// part of the transcript's path. `deadline` is when all sessions with the service must have ended.
    ///
    /// # Errors
    /// No connection: refused, no answer in time, no route. The transcript says so.
    pub async fn open(
        endpoint: &'a Endpoint,
        settings: &'a Settings,
        recorder: &'a Recorder,
        purpose: &str,
        deadline: Instant,
    ) -> Result<Session<'a>, Failure> {
        let file = recorder.reserve(&format!("{purpose}/{}", endpoint.name()));
        let mut session = Session {
            endpoint,
            settings,
            recorder,
            stream: None,
            received: Vec::new(),
            transcript: Transcript::new(file, settings.max_transcript),
            deadline,
        };
        match session.connect().await {
            Ok(stream) => {
                session.note(&format!("connected to {}", endpoint.address));
                session.stream = Some(Stream::Plain(stream));
                Ok(session)
            }
            Err((cause, text)) => {
                let failure = session.failure(cause, &text);
                session.abandon();
                Err(failure)
            }
        }
    }

    async fn connect(&self) -> Result<TcpStream, (Cause, String)> {
        let address = self.endpoint.address;
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(described)?;
        if let Some(source) = self.settings.source_address.filter(|source| source.is_ipv4() == address.is_ipv4()) {
            socket.bind((source, 0).into()).map_err(described)?;
        }
        let by = self.by(self.settings.connect_timeout);
        match timeout_at(by, socket.connect(address)).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                Ok(stream)
            }
            Ok(Err(error)) => Err(described(error)),
            Err(_) => {
                let seconds = self.settings.connect_timeout.as_secs_f32();
                Err((Cause::TcpTimeout, format!("no connection to {address} within {seconds} s")))
            }
        }
    }

    /// The service.
    pub fn endpoint(&self) -> &'a Endpoint {
        self.endpoint
    }

    /// The settings.
    pub fn settings(&self) -> &'a Settings {
        self.settings
    }

    /// Reads one line, without its end. A line that ends in a lone LF is taken, too.
    ///
    /// # Errors
    /// No line in time, the connection ended, or the line is longer than the limit.
    pub async fn line(&mut self) -> Result<Noted<String>, Failure> {
        let by = self.by(self.settings.reply_timeout);
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.received) {
                let mut line: Vec<u8> = self.received.drain(..=end).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                let span = self.transcript.write("S: ", &line);
                if self.transcript.full {
                    return Err(self.failure(Cause::LimitReached, "the server sends more than the transcript may hold"));
                }
                return Ok(Noted { value: String::from_utf8_lossy(&line).into_owned(), span });
            }
            if self.received.len() > self.settings.max_line {
                let start: Vec<u8> = self.received.drain(..).take(200).collect();
                self.transcript.write("S: ", &start);
                let text = format!("the server sends a line longer than {} octets", self.settings.max_line);
                return Err(self.failure(Cause::Protocol, &text));
            }
            self.fill(by).await?;
        }
    }

    /// Waits for more octets.
    async fn fill(&mut self, by: Instant) -> Result<(), Failure> {
        let mut chunk = [0; READ];
        let read = async {
            match self.stream.as_mut() {
                Some(Stream::Plain(stream)) => stream.read(&mut chunk).await,
                Some(Stream::Tls(stream)) => stream.read(&mut chunk).await,
                None => Ok(0),
            }
        };
        match timeout_at(by, read).await {
            Ok(Ok(0)) => {
                self.partial();
                Err(self.failure(Cause::Protocol, "the server closed the connection"))
            }
            Ok(Ok(length)) => {
                self.received.extend_from_slice(&chunk[..length]);
                Ok(())
            }
            Ok(Err(error)) => {
                self.partial();
                let (cause, text) = broken(&error);
                Err(self.failure(cause, &text))
            }
            Err(_) => {
                self.partial();
                Err(self.failure(Cause::TcpTimeout, "the server sent no complete line in time"))
            }
        }
    }

    /// Writes what was received of an unfinished line into the transcript.
    fn partial(&mut self) {
        if !self.received.is_empty() {
            let rest: Vec<u8> = self.received.drain(..).take(200).collect();
            self.transcript.write("S: ", &rest);
        }
    }

    /// Sends one line.
    ///
    /// # Errors
    /// The connection ended or does not take the line in time.
    pub async fn send(&mut self, line: &str) -> Result<Span, Failure> {
        self.send_lines(&[line]).await
    }

    /// Sends several lines in one packet.
    ///
    /// # Errors
    /// As [`Session::send`].
    pub async fn send_lines(&mut self, lines: &[&str]) -> Result<Span, Failure> {
        let mut bytes = Vec::new();
        let mut span: Option<Span> = None;
        for line in lines {
            let at = self.transcript.write("C: ", line.as_bytes());
            span = Some(span.map_or(at, |span| span.join(at)));
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        self.put(&bytes).await?;
        Ok(span.unwrap_or_else(|| self.transcript.end()))
    }

    async fn put(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let by = self.by(self.settings.reply_timeout);
        let write = async {
            match self.stream.as_mut() {
                Some(Stream::Plain(stream)) => stream.write_all(bytes).await,
                Some(Stream::Tls(stream)) => {
                    stream.write_all(bytes).await?;
                    stream.flush().await
                }
                None => Err(io::ErrorKind::NotConnected.into()),
            }
        };
        match timeout_at(by, write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                let (cause, text) = broken(&error);
                Err(self.failure(cause, &text))
            }
            Err(_) => Err(self.failure(Cause::TcpTimeout, "the server does not read what is sent")),
        }
    }

    /// Whether the server sends anything within a time, without being asked.
    pub async fn speaks_within(&mut self, wait: Duration) -> bool {
        if !self.received.is_empty() {
            return true;
        }
        let by = self.by(wait);
        let Some(Stream::Plain(stream)) = self.stream.as_mut() else { return false };
        let mut octet = [0; 1];
        matches!(timeout_at(by, stream.peek(&mut octet)).await, Ok(Ok(1..)))
    }

    /// Octets that were received and not read as lines: what a server sent after its answer.
    pub fn unread(&self) -> usize {
        self.received.len()
    }

    /// Forgets what was received and not read, and says in the transcript how much it was.
    pub fn discard_unread(&mut self) -> usize {
        let length = self.received.len();
        if length > 0 {
            self.partial();
            self.received.clear();
        }
        length
    }

    /// Steps into TLS as a client of today's standards. What was received before and not read is not carried over.
    ///
    /// # Errors
    /// The handshake was not completed; the session cannot be used any more.
    pub async fn start_tls(&mut self) -> Result<(Handshake, Span), Failure> {
        let Some(Stream::Plain(stream)) = self.stream.take() else {
            return Err(self.failure(Cause::TlsHandshake, "the connection cannot step into TLS"));
        };
        self.discard_unread();
        let by = self.by(self.settings.reply_timeout);
        match timeout_at(by, tls::handshake(stream, &self.endpoint.host, &self.settings.trust)).await {
            Ok(Ok((stream, handshake))) => {
                self.stream = Some(Stream::Tls(Box::new(stream)));
                let span = self.note(&format!("{} established with {}", handshake.version, handshake.cipher));
                Ok((handshake, span))
            }
            Ok(Err(text)) => Err(self.failure(Cause::TlsHandshake, &format!("the TLS handshake failed: {text}"))),
            Err(_) => Err(self.failure(Cause::TlsHandshake, "the TLS handshake was not completed in time")),
        }
    }

    /// Gives the connection away for a handshake that somebody else conducts, such as a ClientHello of our own.
    pub fn take_plain(&mut self) -> Option<TcpStream> {
        match self.stream.take() {
            Some(Stream::Plain(stream)) => Some(stream),
            _ => None,
        }
    }

    /// Writes something that happened into the transcript.
    pub fn note(&mut self, text: &str) -> Span {
        self.transcript.write("-- ", text.as_bytes())
    }

    /// A failure, noted in the transcript.
    pub fn failure(&mut self, cause: Cause, text: &str) -> Failure {
        let span = self.note(text);
        Failure { cause, note: text.to_owned(), span }
    }

    /// The file of the transcript.
    pub fn file(&self) -> FileId {
        self.transcript.file
    }

    /// Says goodbye with a command, waits a moment for the answer, and ends the session.
    pub async fn close(mut self, goodbye: &str) {
        if self.stream.is_some() && self.send(goodbye).await.is_ok() {
            self.deadline = self.deadline.min(Instant::now() + Duration::from_secs(2));
            let _ = self.line().await;
            match self.stream.take() {
                Some(Stream::Plain(mut stream)) => drop(timeout_at(self.deadline, stream.shutdown()).await),
                Some(Stream::Tls(mut stream)) => drop(timeout_at(self.deadline, stream.shutdown()).await),
                None => {}
            }
        }
        self.abandon();
    }

    /// Ends the session without a goodbye, and registers its transcript.
    pub fn abandon(self) {
        let raw = self.transcript.text;
        let time = Time(jiff::Timestamp::now().as_second());
        let title = format!("session with {}", self.endpoint.name());
        let artefact = Artefact { kind: ArtefactKind::Transcript, title, time, raw: raw.clone() };
        self.recorder.fill(self.transcript.file, raw, artefact);
    }

    /// The earlier of a time from now and the end of the session.
    fn by(&self, wait: Duration) -> Instant {
        self.deadline.min(Instant::now() + wait)
    }
}

/// What a connection error means.
fn described(error: io::Error) -> (Cause, String) {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => (Cause::TcpRefused, "the connection was refused".to_owned()),
        io::ErrorKind::TimedOut => (Cause::TcpTimeout, "no connection in time".to_owned()),
        io::ErrorKind::PermissionDenied => (Cause::Permission, format!("connecting is not permitted: {error}")),
        _ => (Cause::Unreachable, format!("cannot connect: {error}")),
    }
}

/// What an error on an open connection means.
fn broken(error: &io::Error) -> (Cause, String) {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            (Cause::Protocol, "the server broke the connection off".to_owned())
        }
        io::ErrorKind::UnexpectedEof => (Cause::Protocol, "the server closed the connection inside TLS".to_owned()),
        _ => (Cause::Protocol, format!("the connection failed: {error}")),
    }
}

/// The text of a session.
struct Transcript {
    file: FileId,
    text: Vec<u8>,
    limit: usize,
    full: bool,
}

impl Transcript {
    fn new(file: FileId, limit: usize) -> Transcript {
        Transcript { file, text: Vec::new(), limit, full: false }
    }

    /// Writes one line and returns the place of its content, without the prefix.
    fn write(&mut self, prefix: &str, octets: &[u8]) -> Span {
        if self.text.len() + octets.len() > self.limit && prefix == "S: " {
            self.full = true;
        }
        // Beside the limit of what servers may fill, our own lines are few and short.
        self.text.extend_from_slice(prefix.as_bytes());
        let start = self.text.len();
        let room = if self.full { 0 } else { octets.len() };
        for character in String::from_utf8_lossy(&octets[..room]).chars() {
            match character {
                '\\' => self.text.extend_from_slice(b"\\\\"),
                control if control.is_control() || control == char::REPLACEMENT_CHARACTER => {
                    let mut buffer = [0; 4];
                    for octet in control.encode_utf8(&mut buffer).bytes() {
                        self.text.extend_from_slice(format!("\\x{octet:02x}").as_bytes());
                    }
                }
                other => {
                    let mut buffer = [0; 4];
                    self.text.extend_from_slice(other.encode_utf8(&mut buffer).as_bytes());
                }
            }
        }
        let end = self.text.len();
        self.text.push(b'\n');
        self.span(start, end)
    }

    /// The place after the last line.
    fn end(&self) -> Span {
        self.span(self.text.len(), self.text.len())
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let at = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Span::new(self.file, at(start), at(end))
    }
}
