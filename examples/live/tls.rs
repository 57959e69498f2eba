//! The certification authority of the example, the certificates it makes, and a connection that can step into TLS.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use jiff::{ToSpan as _, Zoned, tz::TimeZone};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

type Failed = Box<dyn Error>;

/// Longest line that is heard, in octets.
const LONGEST: u64 = 4096;

/// The authority that both organisations could use.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, for `--ca-file`.
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Result<Authority, Failed> {
        let mut params = valid(CertificateParams::new(Vec::new())?, -1, 3650)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Authority { issuer: Issuer::new(params, key), pem })
    }

    /// A certificate of today, for 90 days.
    pub(crate) fn good(&self, names: &[&str]) -> Result<TlsAcceptor, Failed> {
        self.signed(names, -1, 90)
    }

    /// A certificate that somebody forgot to renew.
    pub(crate) fn expired(&self, names: &[&str]) -> Result<TlsAcceptor, Failed> {
        self.signed(names, -100, -10)
    }

    fn signed(&self, names: &[&str], from: i64, until: i64) -> Result<TlsAcceptor, Failed> {
        let (params, key) = (valid(for_names(names)?, from, until)?, KeyPair::generate()?);
        acceptor(params.signed_by(&key, &self.issuer)?.der(), &key)
    }
}

/// A certificate that nobody vouches for.
pub(crate) fn self_signed(names: &[&str]) -> Result<TlsAcceptor, Failed> {
    let (params, key) = (valid(for_names(names)?, -1, 3650)?, KeyPair::generate()?);
    acceptor(params.self_signed(&key)?.der(), &key)
}

fn for_names(names: &[&str]) -> Result<CertificateParams, Failed> {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, names.first().copied().unwrap_or_default());
    Ok(params)
}

/// Validity in days from today.
fn valid(mut params: CertificateParams, from: i64, until: i64) -> Result<CertificateParams, Failed> {
    let today = Zoned::now().with_time_zone(TimeZone::UTC).date();
    let day = |date: Date| {
        Ok::<_, Failed>(date_time_ymd(date.year().into(), date.month().try_into()?, date.day().try_into()?))
    };
    params.not_before = day(today.checked_add(from.days())?)?;
    params.not_after = day(today.checked_add(until.days())?)?;
    Ok(params)
}

fn acceptor(certificate: &CertificateDer<'static>, key: &KeyPair) -> Result<TlsAcceptor, Failed> {
    let key = PrivateKeyDer::try_from(key.serialize_der())?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)?;
    config.ignore_client_order = true;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What a connection runs on.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A connection of lines.
pub(crate) struct Connection(BufReader<Box<dyn Wire>>);

impl Connection {
    /// The next line without its end; `None` when the client is gone.
    pub(crate) async fn hear(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let length = (&mut self.0).take(LONGEST).read_until(b'\n', &mut line).await?;
        Ok((length > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned()))
    }

    /// Sends lines; each gets its CRLF.
    pub(crate) async fn say(&mut self, lines: &str) -> io::Result<()> {
        let text: String = lines.lines().map(|line| format!("{line}\r\n")).collect();
        self.0.write_all(text.as_bytes()).await?;
        self.0.flush().await
    }

    /// Whether the client talks within a time in which it should listen.
    pub(crate) async fn is_impatient(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.0.fill_buf()).await.is_ok()
    }

    /// Steps into TLS. What was received before is forgotten (RFC 3207 section 4.2).
    pub(crate) async fn secure(self, tls: &TlsAcceptor) -> io::Result<Connection> {
        let stream = tls.accept(self.0.into_inner()).await?;
        Ok(Connection(BufReader::new(Box::new(stream))))
    }
}

/// Listens on a free port of loopback and talks to each client in a task of its own.
pub(crate) async fn listen<T, F>(talk: T) -> io::Result<SocketAddr>
where
    T: Fn(Connection) -> F + Send + 'static,
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(Connection(BufReader::new(Box::new(stream)))));
        }
    });
    Ok(address)
}

/// A web server with one page, for the MTA-STS policy (RFC 8461 section 3.3).
pub(crate) async fn serve_page(tls: TlsAcceptor, path: &'static str, page: String) -> io::Result<SocketAddr> {
    let (tls, page) = (Arc::new(tls), Arc::new(page));
    listen(move |connection| {
        let (tls, page) = (Arc::clone(&tls), Arc::clone(&page));
        async move {
            let mut connection = connection.secure(&tls).await?;
            let request = connection.hear().await?.unwrap_or_default();
            while connection.hear().await?.is_some_and(|line| !line.is_empty()) {}
            let status = if request == format!("GET {path} HTTP/1.1") { "200 OK" } else { "404 Not Found" };
            let length = page.lines().map(|line| line.len() + 2).sum::<usize>();
            let head =
                format!("HTTP/1.1 {status}\nContent-Type: text/plain\nContent-Length: {length}\nConnection: close\n");
            connection.say(&format!("{head}\n{page}")).await?;
            connection.0.shutdown().await
        }
    })
    .await
}
