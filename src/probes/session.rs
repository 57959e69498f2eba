//! One connection: lines out, lines in, a transcript of both, and the step into TLS.
//!
//! The transcript is the evidence of a session and reads like one: `C:` before what we sent, `S:` before what the server
//! sent, `--` before what happened otherwise (connected, TLS established, the wait that ended without answer). Octets
//! that are not printable are written as `\xNN` and a backslash as `\\`, so the octets of a line can be told from it.
//! Secrets never enter it. A line, a session and a transcript have limits; reaching one is a cause like any other. What a
//! reply means is for the protocols; this module knows lines only.

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

/// Most octets of an unfinished line that enter the transcript.
const REST: usize = 200;

/// One connection to a service. [`Session::close`] ends it politely; dropped, it ends without a goodbye. Either way its
/// transcript is registered.
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
    /// Where in the transcript the connection was made.
    connected: Span,
    /// Whether the server ended the connection.
    ended_by_server: bool,
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
        let transcript = Transcript::new(file, settings.max_transcript);
        let mut session = Session {
            endpoint,
            settings,
            recorder,
            stream: None,
            received: Vec::new(),
            connected: transcript.end(),
            transcript,
            deadline,
            ended_by_server: false,
        };
        match session.connect().await {
            Ok(stream) => {
                session.connected = session.note(&format!("connected to {}", endpoint.address));
                session.stream = Some(Stream::Plain(stream));
                Ok(session)
            }
            Err((cause, text)) => Err(session.failure(cause, &text)),
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
                Err(self.late(Cause::TcpTimeout, &format!("no connection to {address} within {seconds} s")))
            }
        }
    }

    /// The service.
    pub fn endpoint(&self) -> &'a Endpoint {
        self.endpoint
    }

    /// Where in the transcript the connection was made.
    pub fn connected(&self) -> Span {
        self.connected
    }

    /// Whether the server ended the connection, as far as was read or written.
    pub fn is_ended_by_server(&self) -> bool {
        self.ended_by_server
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
            let end = memchr::memchr(b'\n', &self.received);
            if end.unwrap_or(self.received.len()) > self.settings.max_line {
                self.partial();
                let text = format!("the server sends a line longer than {} octets", self.settings.max_line);
                return Err(self.failure(Cause::Protocol, &text));
            }
            if let Some(end) = end {
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
            self.fill(by).await?;
        }
    }

    /// Waits for more octets.
    async fn fill(&mut self, by: Instant) -> Result<(), Failure> {
        match timeout_at(by, self.read()).await {
            Ok(Ok(0)) => {
                self.ended_by_server = true;
                self.partial();
                Err(self.failure(Cause::Protocol, "the server closed the connection"))
            }
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                self.partial();
                Err(self.broken(&error))
            }
            Err(_) => {
                self.partial();
                let (cause, text) = self.late(Cause::TcpTimeout, "the server sent no complete line in time");
                Err(self.failure(cause, &text))
            }
        }
    }

    /// Reads some octets and says how many; none at the end of the connection.
    async fn read(&mut self) -> io::Result<usize> {
        let mut chunk = [0; READ];
        let length = match self.stream.as_mut() {
            Some(Stream::Plain(stream)) => stream.read(&mut chunk).await?,
            Some(Stream::Tls(stream)) => stream.read(&mut chunk).await?,
            None => 0,
        };
        self.received.extend_from_slice(chunk.get(..length).unwrap_or_default());
        Ok(length)
    }

    /// Writes what was received of an unfinished line into the transcript.
    fn partial(&mut self) {
        let rest = std::mem::take(&mut self.received);
        if !rest.is_empty() {
            self.transcript.write("S: ", rest.get(..REST).unwrap_or(&rest));
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
            Ok(Err(error)) => Err(self.broken(&error)),
            Err(_) => {
                let (cause, text) = self.late(Cause::TcpTimeout, "the server does not read what is sent");
                Err(self.failure(cause, &text))
            }
        }
    }

    /// Whether the server sends anything within a time, without being asked. What it sent is read by the next call of
    /// [`Session::line`]; a connection that ends is not an answer.
    pub async fn speaks_within(&mut self, wait: Duration) -> bool {
        if !self.received.is_empty() {
            return true;
        }
        let by = self.by(wait);
        matches!(timeout_at(by, self.read()).await, Ok(Ok(1..)))
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
            self.note(&format!("{length} octets that nobody asked for were discarded"));
        }
        length
    }

    /// Steps into TLS as a client of today's standards. What was received before and not read is not carried over.
    ///
    /// # Errors
    /// The handshake was not completed; the session cannot be used any more. [`Cause::TlsHandshake`] when the server broke
    /// it off, whether with an alert, with something that is not TLS or by closing; another cause when it fell silent.
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
            Err(_) => {
                let (cause, text) = self.late(Cause::TcpTimeout, "the TLS handshake was not completed in time");
                Err(self.failure(cause, &text))
            }
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

    /// Ends the session without a goodbye.
    pub fn abandon(self) {
        drop(self);
    }

    /// Why a wait ended: its own cause, or the end of the time that all sessions with the service have together.
    fn late(&self, cause: Cause, text: &str) -> (Cause, String) {
        if Instant::now() < self.deadline {
            return (cause, text.to_owned());
        }
        let seconds = self.settings.service_timeout.as_secs_f32();
        (Cause::LimitReached, format!("the {seconds} s that one service may take were used up: {text}"))
    }

    /// What an error on an open connection means.
    fn broken(&mut self, error: &io::Error) -> Failure {
        let text = match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
                self.ended_by_server = true;
                "the server broke the connection off".to_owned()
            }
            io::ErrorKind::UnexpectedEof => {
                self.ended_by_server = true;
                "the server closed the connection inside TLS".to_owned()
            }
            _ => format!("the connection failed: {error}"),
        };
        self.failure(Cause::Protocol, &text)
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

impl Drop for Session<'_> {
    /// Registers the transcript, also of a session that was cut short from outside.
    fn drop(&mut self) {
        let raw = std::mem::take(&mut self.transcript.text);
        let time = Time(jiff::Timestamp::now().as_second());
        let title = format!("session with {}", self.endpoint.name());
        let artefact = Artefact { kind: ArtefactKind::Transcript, title, time, raw: raw.clone() };
        self.recorder.fill(self.transcript.file, raw, artefact);
    }
}

/// The text of a session.
struct Transcript {
    file: FileId,
    text: Vec<u8>,
    /// How long the text may become by what the server sends. Our own lines are few and short.
    limit: usize,
    /// Whether the server sent more than that.
    full: bool,
}

impl Transcript {
    fn new(file: FileId, limit: usize) -> Transcript {
        Transcript { file, text: Vec::new(), limit, full: false }
    }

    /// Writes one line and returns the place of its content, without the prefix. What does not fit any more is left out.
    fn write(&mut self, prefix: &str, octets: &[u8]) -> Span {
        let line = readable(octets);
        if prefix == "S: " && self.text.len() + line.len() > self.limit {
            self.full = true;
        }
        self.text.extend_from_slice(prefix.as_bytes());
        let start = self.text.len();
        if !(self.full && prefix == "S: ") {
            self.text.extend_from_slice(line.as_bytes());
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

/// The octets of a line as text: what is not printable, or not UTF-8, as `\xNN`.
fn readable(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                control if control.is_control() => {
                    let mut buffer = [0; 4];
                    escape(&mut text, control.encode_utf8(&mut buffer).as_bytes());
                }
                other => text.push(other),
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text
}

fn escape(text: &mut String, octets: &[u8]) {
    for octet in octets {
        text.push_str(&format!("\\x{octet:02x}"));
    }
}

#[cfg(test)]
mod tests;
