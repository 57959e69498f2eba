//! TLS as a server offers it: one handshake of today's standards inside a session, and what else it accepts.

use super::{Endpoint, Failure, Settings};
use crate::facts::Recorder;
use crate::facts::service::TlsVersion;
use crate::mail::Name;

/// The certification authorities that are trusted.
#[derive(Debug)]
pub struct TrustStore {}

impl TrustStore {
    /// The authorities of Mozilla's programme, as compiled in: the same on every machine.
    pub fn bundled() -> TrustStore {
        TrustStore {}
    }
}

/// One completed handshake.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// Version negotiated.
    pub version: TlsVersion,
    /// Cipher suite negotiated, by its IANA name.
    pub cipher: String,
    /// Certificates as sent, in DER.
    pub chain: Vec<Vec<u8>>,
    /// OCSP response that was stapled.
    pub ocsp: Option<Vec<u8>>,
    /// Why the chain is not trusted; `None` when it is. The name is not part of it.
    pub distrust: Option<String>,
}

/// What the TLS of a service accepts.
#[derive(Debug, Clone)]
pub struct TlsProbe {}

/// Performs a handshake as a client of today's standards. It completes whatever the certificate is; what a strict client
/// would object to is part of the result.
///
/// # Errors
/// The handshake was not completed: what the server did instead.
pub async fn handshake(
    _stream: tokio::net::TcpStream,
    _host: &Name,
    _trust: &TrustStore,
) -> Result<(tokio_rustls::client::TlsStream<tokio::net::TcpStream>, Handshake), String> {
    Err("not built yet".to_owned())
}

/// Finds out which versions and suites a service accepts, by connections of its own.
pub async fn probe(endpoint: &Endpoint, _settings: &Settings, recorder: &Recorder) -> Result<TlsProbe, Failure> {
    let file = recorder.reserve(&format!("tls/{}", endpoint.name()));
    let span = crate::diag::Span::new(file, 0, 0);
    Err(Failure { cause: crate::facts::Cause::NotCollected, note: "not probed".to_owned(), span })
}
