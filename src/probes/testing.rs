//! Servers on loopback that play a script, well behaved or not: what the tests of all sessions connect to.
//!
//! A [`Server`] plays one list of [`Step`]s for each connection, the last list for all further ones, and remembers every
//! line that it heard. It knows no mail protocol: [`Step::Serve`] answers lines by their first words.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::tls::TrustStore;
use super::{Endpoint, Settings};
use crate::diag::{Files, Span};
use crate::facts::Recorder;
use crate::facts::service::Protocol;
use crate::mail::Name;

/// Name of the host that all tests talk to; the servers' certificate is for it.
pub(crate) const HOST: &str = "mx1.example.org";

/// One thing that a server does.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Sends lines, each with CRLF; `{tag}` stands for the first word of the line heard last.
    Send(String),
    /// Sends octets as they are.
    Raw(Vec<u8>),
    /// Sends octets one by one, with a pause before each.
    Drip(Vec<u8>, Duration),
    /// Sends octets again and again until the client is gone.
    Flood(Vec<u8>),
    /// Reads a line, which must begin with these words in any case (the tag of an IMAP command may come first).
    /// The connection ends when it does not.
    Expect(String),
    /// Answers lines: the steps of the first entry whose words the line begins with. An unknown line ends the connection.
    Serve(Vec<(String, Vec<Step>)>),
    /// Ends the nearest [`Step::Serve`].
    Leave,
    /// Steps into TLS as RFC 3207 section 4.2 wants it: what was received before is forgotten.
    Tls,
    /// Steps into TLS and keeps what was received before: the fault of CVE-2011-0411.
    CarelessTls,
    /// Reads the ClientHello and answers with the alert `handshake_failure`.
    Alert,
    /// Waits.
    Pause(Duration),
    /// Sends nothing any more and reads nothing, with the connection open.
    Hang,
    /// Ends its sending side and goes on reading until the client is gone.
    HalfClose,
    /// Ends the connection.
    Close,
    /// Breaks the connection off (RST).
    Reset,
}

/// Sends lines.
pub(crate) fn send(lines: &str) -> Step {
    Step::Send(lines.to_owned())
}

/// Reads a line that begins with these words.
pub(crate) fn expect(words: &str) -> Step {
    Step::Expect(words.to_owned())
}

/// Answers lines by their first words.
pub(crate) fn serve(table: &[(&str, &[Step])]) -> Step {
    Step::Serve(table.iter().map(|(words, steps)| ((*words).to_owned(), steps.to_vec())).collect())
}

/// A server on a port of its own. It ends when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Vec<String>>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts a server that plays one script for each connection, and the last one for all further connections.
    pub(crate) async fn start(scripts: Vec<Vec<Step>>) -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard: Arc<Mutex<Vec<Vec<String>>>> = Arc::default();
        let ears = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            let tls = tls_config(&[HOST]);
            let mut players = tokio::task::JoinSet::new();
            for number in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                ears.lock().unwrap().push(Vec::new());
                let Some(script) = scripts.get(number).or(scripts.last()).cloned() else { return };
                let mut player = Player {
                    stream: Some(Stream::Plain(stream)),
                    received: Vec::new(),
                    tag: String::new(),
                    heard: Arc::clone(&ears),
                    number,
                    tls: Arc::clone(&tls),
                };
                players.spawn(async move {
                    player.play(&script).await;
                });
            }
        });
        Server { address, heard, task }
    }

    /// Every line that it heard, by connection.
    pub(crate) fn heard(&self) -> Vec<Vec<String>> {
        self.heard.lock().unwrap().clone()
    }

    /// This server as something to probe.
    pub(crate) fn endpoint(&self, protocol: Protocol) -> Endpoint {
        Endpoint {
            host: Name::parse(HOST).unwrap(),
            address: self.address,
            protocol,
            claimed: true,
            domains: vec![Name::parse("example.org").unwrap()],
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Settings with waits that suit tests: long enough for a busy machine, short enough for servers that fall silent.
pub(crate) fn settings() -> Settings {
    Settings {
        connect_timeout: Duration::from_secs(5),
        reply_timeout: Duration::from_secs(5),
        service_timeout: Duration::from_secs(60),
        active: true,
        ..Settings::new(Arc::new(TrustStore::bundled()))
    }
}

/// A recorder without files.
pub(crate) fn recorder() -> Recorder {
    Recorder::new(Files::default(), true)
}

/// The characters of a span.
pub(crate) fn text_at(recorder: &Recorder, span: Span) -> String {
    recorder.files(|files| {
        let bytes = &files.get(span.file).bytes;
        String::from_utf8_lossy(&bytes[span.start as usize..span.end as usize]).into_owned()
    })
}

/// All transcripts, one after the other, each under its path.
pub(crate) fn transcripts(recorder: &Recorder) -> String {
    recorder.files(|files| {
        files.iter().map(|(_, file)| format!("{}\n{}", file.path, String::from_utf8_lossy(&file.bytes))).collect()
    })
}

/// An address of loopback on which nobody listens.
pub(crate) async fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await.unwrap();
    listener.local_addr().unwrap()
}

/// A configuration with a certificate for these names that nobody signed but itself.
pub(crate) fn tls_config(names: &[&str]) -> Arc<ServerConfig> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let certified = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(vec![certified.cert.der().clone()], key).unwrap())
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

/// One connection, and what its script needs to know.
struct Player {
    stream: Option<Stream>,
    received: Vec<u8>,
    tag: String,
    heard: Arc<Mutex<Vec<Vec<String>>>>,
    number: usize,
    tls: Arc<ServerConfig>,
}

/// How a list of steps ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Step,
    Leave,
    End,
}

trait Octets: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Octets for T {}

impl Player {
    fn play<'a>(&'a mut self, steps: &'a [Step]) -> Pin<Box<dyn Future<Output = Next> + Send + 'a>> {
        Box::pin(async move {
            for step in steps {
                match self.step(step).await {
                    Some(Next::Step) => {}
                    Some(other) => return other,
                    None => return Next::End,
                }
            }
            Next::Step
        })
    }

    /// Plays one step; `None` when the connection is gone.
    async fn step(&mut self, step: &Step) -> Option<Next> {
        match step {
            Step::Send(lines) => {
                let text: String = lines.lines().map(|line| format!("{line}\r\n")).collect();
                self.put(text.replace("{tag}", &self.tag).as_bytes()).await?;
            }
            Step::Raw(octets) => self.put(octets).await?,
            Step::Drip(octets, pause) => {
                for octet in octets {
                    tokio::time::sleep(*pause).await;
                    self.put(&[*octet]).await?;
                }
            }
            Step::Flood(octets) => loop {
                self.put(octets).await?;
            },
            Step::Expect(words) => {
                let line = self.line().await?;
                if !begins(&line, words) {
                    return Some(Next::End);
                }
            }
            Step::Serve(table) => return self.serve(table).await,
            Step::Leave => return Some(Next::Leave),
            Step::Tls => {
                self.received.clear();
                self.start_tls().await?;
            }
            Step::CarelessTls => self.start_tls().await?,
            Step::Alert => {
                let _ = self.fill().await?;
                // RFC 8446 section 6: a fatal alert, handshake_failure.
                self.put(&[21, 3, 3, 0, 2, 2, 40]).await?;
                return None;
            }
            Step::Pause(time) => tokio::time::sleep(*time).await,
            Step::Hang => std::future::pending().await,
            Step::HalfClose => {
                self.octets()?.shutdown().await.ok()?;
                while self.fill().await? > 0 {}
            }
            Step::Close => return None,
            Step::Reset => {
                if let Some(Stream::Plain(stream)) = &self.stream {
                    stream.set_zero_linger().ok()?;
                }
                return None;
            }
        }
        Some(Next::Step)
    }

    async fn serve(&mut self, table: &[(String, Vec<Step>)]) -> Option<Next> {
        loop {
            let line = self.line().await?;
            let (_, steps) = table.iter().find(|(words, _)| begins(&line, words))?;
            match self.play(steps).await {
                Next::Step => {}
                Next::Leave => return Some(Next::Step),
                Next::End => return None,
            }
        }
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.received) {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                self.heard.lock().unwrap()[self.number].push(line.clone());
                self.tag = line.split(' ').next().unwrap_or_default().to_owned();
                return Some(line);
            }
            if self.fill().await? == 0 {
                return None;
            }
        }
    }

    async fn fill(&mut self) -> Option<usize> {
        let mut chunk = [0; 4096];
        let length = self.octets()?.read(&mut chunk).await.ok()?;
        self.received.extend_from_slice(&chunk[..length]);
        Some(length)
    }

    async fn put(&mut self, octets: &[u8]) -> Option<()> {
        let stream = self.octets()?;
        stream.write_all(octets).await.ok()?;
        stream.flush().await.ok()
    }

    async fn start_tls(&mut self) -> Option<()> {
        let Some(Stream::Plain(stream)) = self.stream.take() else { return None };
        let stream = TlsAcceptor::from(Arc::clone(&self.tls)).accept(stream).await.ok()?;
        self.stream = Some(Stream::Tls(Box::new(stream)));
        Some(())
    }

    fn octets(&mut self) -> Option<&mut dyn Octets> {
        match self.stream.as_mut()? {
            Stream::Plain(stream) => Some(stream),
            Stream::Tls(stream) => Some(stream.as_mut()),
        }
    }
}

/// Whether a line begins with words, in any case, with or without a tag before them.
fn begins(line: &str, words: &str) -> bool {
    let starts = |text: &str| text.get(..words.len()).is_some_and(|start| start.eq_ignore_ascii_case(words));
    starts(line) || line.split_once(' ').is_some_and(|(_, rest)| starts(rest))
}
