//! TLS as a server offers it: one handshake of today's standards inside a session, and what else it accepts.
//!
//! The handshake completes whatever the certificate is: what a strict client would object to is an observation, not an
//! obstacle. Nothing here judges a version, a suite or a certificate.

pub mod alert;
pub mod answer;
pub mod certificate;
pub mod hello;
mod preamble;
mod scan;
pub mod suites;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod trust;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, ProtocolVersion, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use self::certificate::Certificates;
pub use self::scan::{AcceptedSuite, TlsProbe, probe};
pub use self::trust::{TrustError, TrustStore, Verdict};
use crate::facts::domain::Time;
use crate::facts::service::TlsVersion;
use crate::mail::Name;

/// Why a chain is not trusted whose key the server may not hold.
const UNPROVEN: &str = "the server's signature does not fit the certificate, so it may not hold the key";

/// One completed handshake.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// Version negotiated.
    pub version: TlsVersion,
    /// Cipher suite negotiated, by its IANA name.
    pub cipher: String,
    /// Number of the cipher suite.
    pub suite: u16,
    /// Certificates as sent, in DER.
    pub chain: Vec<Vec<u8>>,
    /// OCSP response that was stapled.
    pub ocsp: Option<Vec<u8>>,
    /// Why the chain is not trusted; `None` when it is. The name is not part of it.
    pub distrust: Option<String>,
    /// Whether the certificates sent lead up to a trusted authority or a root.
    pub complete: bool,
    /// When the chain was judged.
    pub time: Time,
}

/// Why a handshake was not completed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct NoHandshake {
    /// What the server did instead.
    pub text: String,
    /// Whether the server said so, by an alert or by something that is no TLS. A connection that merely ended may have
    /// ended for another reason.
    pub is_said: bool,
}

/// Performs a handshake as a client of today's standards. It completes whatever the certificate is; what a strict client
/// would object to is part of the result.
///
/// # Errors
/// The handshake was not completed: what the server did instead.
pub async fn handshake(
    stream: TcpStream,
    host: &Name,
    trust: &TrustStore,
) -> Result<(TlsStream<TcpStream>, Handshake), NoHandshake> {
    let provider = Arc::new(ring::default_provider());
    let witness = Arc::new(Witness { provider: Arc::clone(&provider), seen: Mutex::default() });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| NoHandshake { text: error.to_string(), is_said: false })?
        .dangerous()
        .with_custom_certificate_verifier(Arc::<Witness>::clone(&witness))
        .with_no_client_auth();
    // A resumed session would show no certificate.
    config.resumption = Resumption::disabled();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = connector.connect(server_name(host), stream).await.map_err(|error| described(&error))?;
    let seen = std::mem::take(&mut *witness.seen.lock().unwrap_or_else(PoisonError::into_inner));
    let (_, connection) = stream.get_ref();
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => TlsVersion::TlsV13,
        Some(ProtocolVersion::TLSv1_2) => TlsVersion::TlsV12,
        other => {
            let text = format!("the server chose the version {other:?}, which was not offered");
            return Err(NoHandshake { text, is_said: true });
        }
    };
    let suite = connection.negotiated_cipher_suite().map_or(0, |suite| u16::from(suite.suite()));
    let time = trust.now();
    let Verdict { distrust, complete } = trust.judge(&seen.chain, time);
    let handshake = Handshake {
        version,
        cipher: suites::name(suite),
        suite,
        chain: seen.chain,
        ocsp: seen.ocsp,
        // Without its signature, the server has not shown that the certificate is its own.
        distrust: seen.unproven.or(distrust),
        complete,
        time,
    };
    Ok((stream, handshake))
}

/// The name for the server name indication (RFC 6066 section 3): without final dot, and none where the host has no name
/// that can be indicated.
fn server_name(host: &Name) -> ServerName<'static> {
    // RFC 7672 section 8.1: the name of the MX host is indicated.
    ServerName::try_from(host.as_str().to_owned()).unwrap_or(ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into()))
}

/// Why a handshake was not completed, in words.
fn described(error: &std::io::Error) -> NoHandshake {
    use rustls::Error;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let text = match (inner, error.kind()) {
        (Some(Error::AlertReceived(description)), _) => {
            format!("the server sent the alert {}", alert::name(u8::from(*description)))
        }
        (Some(Error::InvalidMessage(_) | Error::InappropriateMessage { .. }), _) => {
            "the server sent something that is not TLS".to_owned()
        }
        (Some(Error::PeerIncompatible(_)), _) => {
            "the server speaks no version or suite that clients of today speak".to_owned()
        }
        (Some(other), _) => other.to_string(),
        (None, std::io::ErrorKind::UnexpectedEof) => "the server closed the connection".to_owned(),
        (None, std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe) => {
            "the server broke the connection off".to_owned()
        }
        (None, _) => format!("the connection failed: {error}"),
    };
    NoHandshake { text, is_said: inner.is_some() }
}

/// Lets every handshake complete and keeps what it saw.
#[derive(Debug)]
struct Witness {
    provider: Arc<CryptoProvider>,
    seen: Mutex<Shown>,
}

/// What a server showed of itself.
#[derive(Debug, Default)]
struct Shown {
    chain: Vec<Vec<u8>>,
    ocsp: Option<Vec<u8>>,
    /// Why the signature of the handshake does not prove that the server holds the key.
    unproven: Option<String>,
}

impl Witness {
    fn with(&self, act: impl FnOnce(&mut Shown)) {
        act(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Keeps why a signature is not good. Keys and algorithms that are too weak to be verified here are facts of the
    /// certificate; they do not contradict it.
    fn keep(&self, result: Result<HandshakeSignatureValid, rustls::Error>) {
        if let Err(rustls::Error::InvalidCertificate(rustls::CertificateError::BadSignature)) = result {
            self.with(|shown| shown.unproven = Some(UNPROVEN.to_owned()));
        }
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.with(|shown| {
            shown.chain = std::iter::once(end_entity).chain(intermediates).map(|der| der.to_vec()).collect();
            shown.ocsp = (!ocsp_response.is_empty()).then(|| ocsp_response.to_vec());
        });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.keep(verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms));
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.keep(verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms));
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
