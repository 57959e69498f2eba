//! Authorities, certificates and servers on loopback for tests.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test whose own server fails has nothing to go on with")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::facts::service::{Protocol, TlsVersion};
use crate::mail::Name;
use crate::probes::{Endpoint, Settings};

use super::{TrustStore, hello};

/// An authority.
pub(crate) struct Authority {
    pub(crate) der: Vec<u8>,
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) der: Vec<u8>,
    key: Vec<u8>,
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

impl Authority {
    pub(crate) fn root(name: &str) -> Authority {
        let (params, key) = (authority_params(name), KeyPair::generate().unwrap());
        let certificate = params.self_signed(&key).unwrap();
        Authority { der: certificate.der().to_vec(), pem: certificate.pem(), issuer: Issuer::new(params, key) }
    }

    pub(crate) fn below(&self, name: &str) -> Authority {
        let (params, key) = (authority_params(name), KeyPair::generate().unwrap());
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Authority { der: certificate.der().to_vec(), pem: certificate.pem(), issuer: Issuer::new(params, key) }
    }

    /// A certificate for names; `change` sets what else matters.
    pub(crate) fn leaf(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let (params, key) = leaf_params(names, change);
        Leaf { der: params.signed_by(&key, &self.issuer).unwrap().der().to_vec(), key: key.serialize_der() }
    }

    pub(crate) fn store(&self) -> TrustStore {
        TrustStore::from_pem(self.pem.as_bytes()).unwrap()
    }
}

fn leaf_params(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> (CertificateParams, KeyPair) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, "mx.example.org");
    change(&mut params);
    (params, KeyPair::generate().unwrap())
}

pub(crate) fn self_signed(names: &[&str]) -> Leaf {
    let (params, key) = leaf_params(names, |_| {});
    Leaf { der: params.self_signed(&key).unwrap().der().to_vec(), key: key.serialize_der() }
}

pub(crate) fn expired(params: &mut CertificateParams) {
    params.not_after = date_time_ymd(2020, 1, 2);
}

/// A TLS server of today's standards.
pub(crate) fn config(
    leaf: &Leaf,
    above: &[&[u8]],
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> ServerConfig {
    let chain = std::iter::once(leaf.der.as_slice()).chain(above.iter().copied());
    let chain: Vec<CertificateDer<'static>> = chain.map(|der| CertificateDer::from(der.to_vec())).collect();
    let key = PrivateKeyDer::try_from(leaf.key.clone()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert_with_ocsp(chain, key, b"staple".to_vec())
        .unwrap();
    config.ignore_client_order = true;
    config
}

pub(crate) const TODAY: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12, &rustls::version::TLS13];

/// Serves TLS from the first byte; `talk` is sent inside it once something was received, then the connection is closed.
pub(crate) async fn tls_server(config: ServerConfig, talk: &'static [u8]) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut seen = [0; 2048];
                if !talk.is_empty() {
                    let _ = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut seen)).await;
                    let _ = stream.write_all(talk).await;
                }
                let _ = stream.shutdown().await;
            }
        }
    });
    address
}

/// A server that accepts connections one after the other and plays each with a function.
pub(crate) async fn played<F, P>(play: P) -> std::net::SocketAddr
where
    P: Fn(usize, TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = AtomicUsize::new(0);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            play(count.fetch_add(1, Ordering::Relaxed), stream).await;
        }
    });
    address
}

/// A server of old TLS that never gets beyond its first messages.
#[derive(Clone)]
pub(crate) struct Old {
    pub(crate) versions: Vec<TlsVersion>,
    /// In the server's order.
    pub(crate) suites: Vec<u16>,
    pub(crate) imposes_order: bool,
    pub(crate) deflate: bool,
    pub(crate) renegotiation: bool,
    /// Whether it closes the connection instead of sending an alert.
    pub(crate) closes: bool,
    pub(crate) chain: Vec<Vec<u8>>,
    /// Longest offer that it can bear; it closes the connection at a longer one.
    pub(crate) longest: usize,
}

impl Old {
    /// A server that imposes its order and has no extras.
    pub(crate) fn new(versions: &[TlsVersion], suites: &[u16]) -> Old {
        Old {
            versions: versions.to_vec(),
            suites: suites.to_vec(),
            imposes_order: true,
            deflate: false,
            renegotiation: false,
            closes: false,
            chain: vec![self_signed(&["mx.example.org"]).der],
            longest: usize::MAX,
        }
    }

    /// Serves on loopback.
    pub(crate) async fn serve(self) -> std::net::SocketAddr {
        played(move |_, mut stream| {
            let old = self.clone();
            async move { old.answer(&mut stream).await }
        })
        .await
    }

    /// Answers one ClientHello.
    pub(crate) async fn answer(&self, stream: &mut TcpStream) {
        let mut head = [0; 5];
        if stream.read_exact(&mut head).await.is_err() {
            return;
        }
        let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        match self.choose(&body) {
            Some(reply) if body.len() <= self.longest => {
                let _ = stream.write_all(&reply).await;
                // The client closes first.
                let _ = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut head)).await;
            }
            _ if body.len() > self.longest => {}
            None if self.closes => {}
            _ => {
                let _ = stream.write_all(&[21, 3, 1, 0, 2, 2, 40]).await;
            }
        }
    }

    fn choose(&self, body: &[u8]) -> Option<Vec<u8>> {
        let offered = u16::from_be_bytes([body[4], body[5]]);
        let mut at = 38 + 1 + usize::from(body[38]);
        let length = usize::from(u16::from_be_bytes([body[at], body[at + 1]]));
        let suites: Vec<u16> =
            body[at + 2..at + 2 + length].chunks(2).map(|two| u16::from_be_bytes([two[0], two[1]])).collect();
        at += 2 + length;
        let methods = &body[at + 1..at + 1 + usize::from(body[at])];
        let version = *self.versions.iter().rev().find(|version| hello::wire(**version) <= offered)?;
        let suite = if self.imposes_order {
            *self.suites.iter().find(|suite| suites.contains(suite))?
        } else {
            *suites.iter().find(|suite| self.suites.contains(suite))?
        };
        let deflate = self.deflate && methods.contains(&1);
        let mut hello = hello::wire(version).to_be_bytes().to_vec();
        hello.extend([7; 32]);
        hello.push(0);
        hello.extend(suite.to_be_bytes());
        hello.push(u8::from(deflate));
        if self.renegotiation {
            hello.extend([0, 5, 0xff, 1, 0, 1, 0]);
        }
        let list: Vec<u8> = self.chain.iter().flat_map(|der| [&long(der.len())[..], der].concat()).collect();
        let certificates = [&long(list.len())[..], &list].concat();
        let messages = [(2, hello), (11, certificates), (14, Vec::new())]
            .map(|(kind, body)| [&[kind][..], &long(body.len()), &body].concat());
        // The messages are cut into small records, as servers may.
        let records = messages.concat();
        Some(
            records
                .chunks(300)
                .flat_map(|part| [&[22, 3, 1][..], &u16::try_from(part.len()).unwrap().to_be_bytes(), part].concat())
                .collect(),
        )
    }
}

fn long(length: usize) -> [u8; 3] {
    let [_, high, middle, low] = u32::try_from(length).unwrap().to_be_bytes();
    [high, middle, low]
}

pub(crate) fn endpoint(address: std::net::SocketAddr, protocol: Protocol) -> Endpoint {
    Endpoint { host: Name::parse("mx.example.org").unwrap(), address, protocol, claimed: false, domains: Vec::new() }
}

pub(crate) fn settings(trust: TrustStore) -> Settings {
    Settings {
        connect_timeout: Duration::from_secs(5),
        reply_timeout: Duration::from_secs(5),
        service_timeout: Duration::from_secs(60),
        ..Settings::new(Arc::new(trust))
    }
}
