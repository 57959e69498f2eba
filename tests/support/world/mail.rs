//! Mail servers and a web server on loopback that can be told to fail. They know as much of their protocols as the
//! sessions ask for; a careless one does what a careful one refuses.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use mailvet::facts::service::Protocol;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What a server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// What it should.
    Well,
    /// It takes connections and says nothing.
    Silent,
    /// It sends clients away with its first line.
    Busy,
    /// It closes each connection at once.
    Closing,
    /// It closes each connection after its answer to the first command.
    Short,
    /// It takes this many connections, and closes further ones at once.
    Tired(usize),
    /// It takes this many connections, and says nothing in further ones.
    Numb(usize),
    /// It does not speak TLS.
    Plain,
}

/// Certificates of the world: an authority, and what it signed.
pub(crate) struct Certificates {
    issuer: Issuer<'static, KeyPair>,
    /// The certificate of the authority.
    pub(crate) pem: String,
}

impl Certificates {
    pub(crate) fn new() -> Certificates {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Authority of the world");
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Certificates { issuer: Issuer::new(params, key), pem }
    }

    /// A server's certificate for a name, and its SHA-256.
    pub(crate) fn leaf(&self, name: &str, trusted: bool) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let at = |days: i64| {
            let date = today.saturating_add(jiff::Span::new().days(days));
            rcgen::date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
        };
        (params.not_before, params.not_after) = (at(-10), at(80));
        let certificate = match trusted {
            true => params.signed_by(&key, &self.issuer).unwrap(),
            false => params.self_signed(&key).unwrap(),
        };
        Leaf { der: certificate.der().to_vec(), key: key.serialize_der() }
    }
}

/// A certificate and its key.
pub(crate) struct Leaf {
    der: Vec<u8>,
    key: Vec<u8>,
}

impl Leaf {
    /// TLSA data that match it: usage 3, the whole certificate, SHA-256.
    pub(crate) fn tlsa(&self) -> String {
        use sha2::Digest as _;
        format!("3 0 1 {}", data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(&self.der)))
    }

    fn config(&self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let chain = vec![CertificateDer::from(self.der.clone())];
        Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap())
    }
}

/// What a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    Mail(Protocol),
    /// Serves an MTA-STS policy for all hosts.
    Web(&'static str),
}

/// One port.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Inner {
    speaks: Speaks,
    careless: bool,
    mood: Mutex<Mood>,
    taken: AtomicUsize,
    tls: TlsAcceptor,
}

impl Server {
    pub(crate) async fn start(ip: IpAddr, speaks: Speaks, careless: bool, leaf: &Leaf) -> Server {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner {
            speaks,
            careless,
            mood: Mutex::new(Mood::Well),
            taken: AtomicUsize::new(0),
            tls: TlsAcceptor::from(leaf.config()),
        });
        let server = Server { address, inner, task: Mutex::new(None) };
        server.listen(listener);
        server
    }

    fn listen(&self, listener: TcpListener) {
        let inner = Arc::clone(&self.inner);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = inner.taken.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(Arc::clone(&inner).talk(stream, number));
            }
        });
        *self.task.lock().unwrap() = Some(task);
    }

    /// From now on, it does this.
    pub(crate) fn set(&self, mood: Mood) {
        *self.inner.mood.lock().unwrap() = mood;
        self.inner.taken.store(0, Ordering::SeqCst);
    }

    /// Nobody listens any more.
    pub(crate) async fn stop(&self) {
        let task = self.task.lock().unwrap().take();
        if let Some(task) = task {
            task.abort();
            let _ = task.await;
        }
    }
}

trait Octets: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Octets for T {}

/// What follows a line.
enum Then {
    Say(String),
    Tls(String),
    End(String),
}

impl Inner {
    async fn talk(self: Arc<Self>, stream: TcpStream, number: usize) -> Option<()> {
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Closing => return None,
            Mood::Tired(most) if number >= most => return None,
            Mood::Numb(most) if number >= most => std::future::pending().await,
            Mood::Silent => std::future::pending().await,
            _ => {}
        }
        let implicit = matches!(
            self.speaks,
            Speaks::Web(_) | Speaks::Mail(Protocol::Submissions | Protocol::Imaps | Protocol::Pop3s)
        );
        if !implicit || mood == Mood::Plain {
            let mut stream = stream;
            self.session(&mut stream, mood, false).await?;
            let mut stream = self.tls.accept(stream).await.ok()?;
            self.session(&mut stream, mood, true).await
        } else {
            let mut stream = self.tls.accept(stream).await.ok()?;
            self.session(&mut stream, mood, true).await
        }
    }

    /// Talks until the connection ends (`None`) or is to go on inside TLS.
    async fn session(&self, stream: &mut dyn Octets, mood: Mood, inside: bool) -> Option<()> {
        let protocol = match self.speaks {
            Speaks::Mail(protocol) => protocol,
            Speaks::Web(policy) => return web(stream, policy).await,
        };
        let upgraded = inside && !matches!(protocol, Protocol::Submissions | Protocol::Imaps | Protocol::Pop3s);
        if !upgraded {
            let (greeting, busy) = match protocol {
                Protocol::Smtp | Protocol::Submission | Protocol::Submissions => {
                    let version = if self.careless { "Postfix 3.4.13" } else { "" };
                    (format!("220 mx1.good.org ESMTP {version}"), "421 4.3.2 come back later")
                }
                Protocol::Imap | Protocol::Imaps => ("* OK ready".to_owned(), "* BYE come back later"),
                Protocol::Pop3 | Protocol::Pop3s => ("+OK ready".to_owned(), "-ERR [SYS/TEMP] come back later"),
            };
            if mood == Mood::Busy {
                put(stream, busy).await?;
                return None;
            }
            put(stream, greeting.trim_end()).await?;
        }
        let mut received = Vec::new();
        for number in 0.. {
            let line = line(stream, &mut received).await?;
            let then = match protocol {
                Protocol::Smtp | Protocol::Submission | Protocol::Submissions => self.smtp(protocol, &line, inside),
                Protocol::Imap | Protocol::Imaps => self.imap(&line, inside),
                Protocol::Pop3 | Protocol::Pop3s => self.pop3(&line, inside),
            };
            match then {
                Then::Say(reply) => put(stream, &reply).await?,
                Then::Tls(reply) => {
                    put(stream, &reply).await?;
                    return Some(());
                }
                Then::End(reply) => {
                    put(stream, &reply).await?;
                    return None;
                }
            }
            if mood == Mood::Short && number == 0 {
                return None;
            }
        }
        None
    }

    fn smtp(&self, protocol: Protocol, line: &str, inside: bool) -> Then {
        let line = line.to_ascii_lowercase();
        let verb = line.split([' ', ':']).next().unwrap_or_default();
        let submission = protocol != Protocol::Smtp;
        let open = inside || self.careless;
        Then::Say(match verb {
            "ehlo" => {
                let mut reply = "250-mx1.good.org\n250-PIPELINING\n250-SIZE 10240000\n".to_owned();
                let bare = self.careless && protocol == Protocol::Smtp;
                if !inside && !bare {
                    reply.push_str("250-STARTTLS\n");
                }
                if submission && open {
                    reply.push_str("250-AUTH PLAIN LOGIN\n");
                }
                reply + "250 8BITMIME"
            }
            "helo" | "rset" | "noop" => "250 mx1.good.org".to_owned(),
            "starttls" => return Then::Tls("220 go ahead".to_owned()),
            "quit" => return Then::End("221 bye".to_owned()),
            "mail" if submission && !open => "530 5.7.0 Must issue a STARTTLS command first".to_owned(),
            "mail" if submission && !self.careless => "530 5.7.0 Authentication required".to_owned(),
            "mail" => "250 2.1.0 Ok".to_owned(),
            "rcpt" if self.careless => "250 2.1.5 Ok".to_owned(),
            "rcpt" if ["postmaster@good.org", "abuse@good.org"].iter().any(|known| line.contains(known)) => {
                "250 2.1.5 Ok".to_owned()
            }
            "rcpt" if line.contains("@good.org") && !line.contains(['%', '!']) => "550 5.1.1 User unknown".to_owned(),
            "rcpt" => "554 5.7.1 Relay access denied".to_owned(),
            "vrfy" | "expn" if self.careless && !line.contains("mailvet") => {
                format!("250 <{}@bad.org>", line.split(' ').nth(1).unwrap_or_default())
            }
            _ => "502 5.5.1 not implemented".to_owned(),
        })
    }

    fn imap(&self, line: &str, inside: bool) -> Then {
        let (tag, command) = line.split_once(' ').unwrap_or((line, ""));
        match command.to_ascii_uppercase().as_str() {
            "CAPABILITY" => {
                let login = match inside || self.careless {
                    true => "AUTH=PLAIN",
                    false => "LOGINDISABLED",
                };
                let starttls = if inside { "" } else { "STARTTLS " };
                Then::Say(format!("* CAPABILITY IMAP4rev1 {starttls}{login}\n{tag} OK done"))
            }
            "STARTTLS" => Then::Tls(format!("{tag} OK begin")),
            "LOGOUT" => Then::End(format!("* BYE\n{tag} OK bye")),
            "NOOP" => Then::Say(format!("{tag} OK")),
            _ => Then::Say(format!("{tag} BAD what")),
        }
    }

    fn pop3(&self, line: &str, inside: bool) -> Then {
        match line.to_ascii_uppercase().as_str() {
            "CAPA" => {
                let login = if inside || self.careless { "USER\nSASL PLAIN\n" } else { "" };
                let stls = if inside { "" } else { "STLS\n" };
                Then::Say(format!("+OK list\n{stls}{login}UIDL\n."))
            }
            "STLS" => Then::Tls("+OK begin".to_owned()),
            "QUIT" => Then::End("+OK bye".to_owned()),
            "NOOP" => Then::Say("+OK".to_owned()),
            _ => Then::Say("-ERR what".to_owned()),
        }
    }
}

async fn web(stream: &mut dyn Octets, policy: &str) -> Option<()> {
    let mut received = Vec::new();
    while !line(stream, &mut received).await?.is_empty() {}
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n", policy.len());
    stream.write_all((head + policy).as_bytes()).await.ok()?;
    stream.flush().await.ok()?;
    stream.shutdown().await.ok();
    None
}

async fn put(stream: &mut dyn Octets, lines: &str) -> Option<()> {
    let text: String = lines.lines().map(|line| format!("{line}\r\n")).collect();
    stream.write_all(text.as_bytes()).await.ok()?;
    stream.flush().await.ok()
}

async fn line(stream: &mut dyn Octets, received: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = received.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = received.drain(..=end).collect();
            return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).await.ok().filter(|length| *length > 0)?;
        received.extend_from_slice(&chunk[..length]);
    }
}
