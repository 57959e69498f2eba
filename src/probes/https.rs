//! The fetch of an MTA-STS policy over HTTPS (RFC 8461 section 3.3).
//!
//! One request, no redirects, nothing kept but what came back. The handshake completes whatever the certificate is, so that
//! what is wrong with it can be said; senders would stop there. What is read is bounded in time and length.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;

use super::tls::{self, Certificates};
use super::{Failure, Settings};
use crate::diag::{FileId, Span};
use crate::facts::domain::Time;
use crate::facts::{Artefact, ArtefactKind, Cause, Recorder};
use crate::mail::{Name, certificate};

/// Longest policy that is read, in octets (RFC 8461 section 3.3 lets senders stop at 64 KiB).
pub const MOST_OCTETS: usize = 64 * 1024;

/// What is said of a certificate that senders take.
const VALID: &str = "valid for the policy host";

/// How long a fetch may take altogether (RFC 8461 section 3.3 advises one minute).
const LONGEST: Duration = Duration::from_secs(60);

/// Most addresses that are tried.
const MOST_ADDRESSES: usize = 4;

/// The fetch of one domain's policy.
#[derive(Debug, Clone)]
pub struct PolicyFetch {
    /// The domain whose policy it is.
    pub domain: Name,
    /// What came back, or why nothing did. A failure of cause `tls-handshake` is the server's: it was reached, and no
    /// handshake completed.
    pub result: Result<PolicyResponse, Failure>,
}

/// An HTTP response to the request for a policy.
#[derive(Debug, Clone)]
pub struct PolicyResponse {
    /// Status code.
    pub status: u16,
    /// Target of a redirect, which is not followed.
    pub location: Option<String>,
    /// Value of `Content-Type`.
    pub content_type: Option<String>,
    /// Why the certificate is not valid for the policy host; `None` when it is.
    pub certificate_error: Option<String>,
    /// The body; cut at the limit of RFC 8461 section 3.3 (64 KiB).
    pub body: Vec<u8>,
    /// Whether the body was longer than the limit.
    pub cut: bool,
    /// The head of the response in its file.
    pub head: Span,
    /// The body in its file.
    pub body_span: Span,
}

impl PolicyFetch {
    /// Reads a fetch again from the text that was kept of it. `certificates` are those that the policy host sent from an
    /// address, if they were kept.
    pub fn again(
        domain: &Name,
        file: FileId,
        text: &[u8],
        certificates: impl FnOnce(&str) -> Option<Certificates>,
    ) -> PolicyFetch {
        PolicyFetch { domain: domain.clone(), result: Lines { file, text, at: 0 }.read(domain, certificates) }
    }
}

/// The text of a fetch, line by line.
struct Lines<'a> {
    file: FileId,
    text: &'a [u8],
    at: usize,
}

impl Lines<'_> {
    /// The next line and its place.
    fn next(&mut self) -> Option<(String, Span)> {
        let rest = self.text.get(self.at..)?;
        let length = memchr::memchr(b'\n', rest)?;
        let span = self.span(self.at, self.at + length);
        self.at += length + 1;
        Some((String::from_utf8_lossy(&rest[..length]).into_owned(), span))
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let at = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Span::new(self.file, at(start), at(end))
    }

    fn read(
        mut self,
        domain: &Name,
        certificates: impl FnOnce(&str) -> Option<Certificates>,
    ) -> Result<PolicyResponse, Failure> {
        let (mut address, mut established, mut failure) = (None, None, None);
        let (status, mut last) = loop {
            let Some((line, span)) = self.next() else {
                let nothing = || Failure {
                    cause: Cause::Parse,
                    note: "the text of the fetch does not say what came of it".to_owned(),
                    span: self.span(0, self.text.len()),
                };
                return Err(failure.unwrap_or_else(nothing));
            };
            let Some(note) = line.strip_prefix("-- ") else { break (line, span) };
            match (note.strip_prefix("connected to "), note.split_once("; certificate: ")) {
                (Some(connected), _) => address = connected.parse::<SocketAddr>().ok(),
                (None, Some((_, verdict))) => established = Some((verdict.to_owned(), span)),
                (None, None) => failure = Some(Failure { cause: cause_of(note), note: note.to_owned(), span }),
            }
        };
        let head = established.as_ref().map_or(last, |(_, span)| *span);
        let host = domain.child("mta-sts").ok();
        let name = host.as_ref().zip(address);
        let name = name.map(|(host, address)| format!("{}[{}]:{}", host.as_str(), address.ip(), address.port()));
        let certificates = name.and_then(|name| certificates(&name));
        let certificate_error = match (host, certificates) {
            (Some(host), Some(certificates)) => {
                certificate_error(&host, certificates.distrust.value.as_deref(), &certificates)
            }
            // Without the certificates, the text says what was found of them.
            _ => established.map(|(verdict, _)| verdict).filter(|verdict| verdict != VALID),
        };
        let status = status.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        let (mut location, mut content_type) = (None, None);
        while let Some((line, span)) = self.next().filter(|(line, _)| !line.is_empty()) {
            last = span;
            let Some((name, value)) = line.split_once(": ") else { continue };
            match name {
                "location" if location.is_none() && (300..400).contains(&status) => location = Some(value.to_owned()),
                "content-type" if content_type.is_none() => content_type = Some(value.to_owned()),
                _ => {}
            }
        }
        let start = self.at.min(self.text.len());
        let rest = self.text.get(start..).unwrap_or_default();
        let cut =
            rest.len() > MOST_OCTETS && rest.ends_with(format!("\n-- cut after {MOST_OCTETS} octets\n").as_bytes());
        let body = if cut { rest.get(..MOST_OCTETS).unwrap_or_default() } else { rest };
        Ok(PolicyResponse {
            status,
            location,
            content_type,
            certificate_error,
            body: body.to_vec(),
            cut,
            head: head.join(last),
            body_span: self.span(start, start + body.len()),
        })
    }
}

/// The cause of a failure, by the words that were kept of it.
fn cause_of(note: &str) -> Cause {
    if note.ends_with(" refused the connection") {
        Cause::TcpRefused
    } else if note.starts_with("no connection to ") || note.ends_with(" in time") {
        Cause::TcpTimeout
    } else if let Some(why) = note.strip_prefix("the TLS handshake failed: ") {
        let is_said =
            !["the server closed", "the server broke", "the connection failed"].iter().any(|end| why.starts_with(end));
        if is_said { Cause::TlsHandshake } else { Cause::Protocol }
    } else if note.starts_with("no HTTP response: ") {
        Cause::Protocol
    } else {
        Cause::Unreachable
    }
}

/// Fetches `https://mta-sts.<domain>/.well-known/mta-sts.txt` from one of the addresses, tried in order.
pub async fn fetch_policy(
    domain: &Name,
    addresses: &[SocketAddr],
    settings: &Settings,
    recorder: &Recorder,
) -> PolicyFetch {
    let by = Instant::now() + settings.service_timeout.min(LONGEST);
    let host = domain.child("mta-sts");
    let path = format!("https/mta-sts.{}/.well-known/mta-sts.txt", domain.as_str());
    let mut page = Page { file: recorder.reserve(&path), text: Vec::new() };
    let result = match &host {
        Ok(host) => fetch(host, addresses, settings, recorder, &mut page, by).await,
        Err(_) => Err(page.failure(Cause::Unreachable, "the name of the policy host would be too long")),
    };
    let time = Time(jiff::Timestamp::now().as_second());
    let title = format!("MTA-STS policy of {}", domain.as_str());
    let artefact = Artefact { kind: ArtefactKind::HttpResponse, title, time, raw: page.text.clone() };
    recorder.fill(page.file, page.text, artefact);
    PolicyFetch { domain: domain.clone(), result }
}

async fn fetch(
    host: &Name,
    addresses: &[SocketAddr],
    settings: &Settings,
    recorder: &Recorder,
    page: &mut Page,
    by: Instant,
) -> Result<PolicyResponse, Failure> {
    let mut last = None;
    for address in addresses.iter().take(MOST_ADDRESSES) {
        match connect(*address, settings, by).await {
            Ok(stream) => {
                page.line(&format!("-- connected to {address}"));
                return ask(host, *address, stream, settings, recorder, page, by).await;
            }
            Err((cause, note)) => last = Some(page.failure(cause, &note)),
        }
    }
    Err(last.unwrap_or_else(|| page.failure(Cause::Unreachable, "the policy host has no address")))
}

async fn connect(address: SocketAddr, settings: &Settings, by: Instant) -> Result<TcpStream, (Cause, String)> {
    let by = by.min(Instant::now() + settings.connect_timeout);
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::ConnectionRefused => (Cause::TcpRefused, format!("{address} refused the connection")),
        std::io::ErrorKind::TimedOut => (Cause::TcpTimeout, format!("no connection to {address} in time")),
        _ => (Cause::Unreachable, format!("cannot connect to {address}: {error}")),
    };
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(failed)?;
    if let Some(source) = settings.source_address.filter(|source| source.is_ipv4() == address.is_ipv4()) {
        socket.bind((source, 0).into()).map_err(failed)?;
    }
    match timeout_at(by, socket.connect(address)).await {
        Ok(result) => result.map_err(failed),
        Err(_) => Err((Cause::TcpTimeout, format!("no connection to {address} in time"))),
    }
}

/// Shakes hands and asks for the policy.
async fn ask(
    host: &Name,
    address: SocketAddr,
    stream: TcpStream,
    settings: &Settings,
    recorder: &Recorder,
    page: &mut Page,
    by: Instant,
) -> Result<PolicyResponse, Failure> {
    let soon = by.min(Instant::now() + settings.reply_timeout);
    let (stream, handshake) = match timeout_at(soon, tls::handshake(stream, host, &settings.trust)).await {
        Ok(Ok(done)) => done,
        Ok(Err(why)) => {
            let cause = if why.is_said { Cause::TlsHandshake } else { Cause::Protocol };
            return Err(page.failure(cause, &format!("the TLS handshake failed: {why}")));
        }
        Err(_) => return Err(page.failure(Cause::TcpTimeout, "the TLS handshake was not completed in time")),
    };
    let name = format!("{}[{}]:{}", host.as_str(), address.ip(), address.port());
    let certificates = Certificates::record(recorder, &name, &handshake);
    let certificate_error = certificate_error(host, handshake.distrust.as_deref(), &certificates);
    let verdict = certificate_error.as_deref().unwrap_or(VALID);
    let head =
        page.line(&format!("-- {} established with {}; certificate: {verdict}", handshake.version, handshake.cipher));
    match timeout_at(by, exchange(host, stream)).await {
        Ok(Ok(reply)) => Ok(page.reply(reply, certificate_error, head)),
        Ok(Err(why)) => Err(page.failure(Cause::Protocol, &format!("no HTTP response: {why}"))),
        Err(_) => Err(page.failure(Cause::TcpTimeout, "the HTTP response was not complete in time")),
    }
}

/// Why senders do not take the certificate (RFC 8461 section 3.3): not trusted, or not for the policy host.
fn certificate_error(host: &Name, distrust: Option<&str>, certificates: &Certificates) -> Option<String> {
    if let Some(distrust) = distrust {
        return Some(format!("not trusted: {distrust}"));
    }
    let own = match &certificates.own {
        Ok(own) => own,
        Err(failure) => return Some(failure.note.clone()),
    };
    match &own.names {
        Ok(names) => {
            let names = names.value.as_deref().unwrap_or_default();
            // RFC 8461 section 3.3: a DNS-ID, by the rules of RFC 9525.
            let matching = certificate::matching_name(names.iter().map(String::as_str), host);
            matching.is_none().then(|| match names {
                [] => format!("not for {}: it has no DNS name", host.as_str()),
                names => format!("not for {}, but for {}", host.as_str(), names.join(", ")),
            })
        }
        Err(failure) => Some(failure.note.clone()),
    }
}

/// What an HTTP server answered.
struct Reply {
    response: Response<()>,
    body: Vec<u8>,
    cut: bool,
}

async fn exchange(host: &Name, stream: TlsStream<TcpStream>) -> Result<Reply, String> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MOST_OCTETS)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let request = Request::get("/.well-known/mta-sts.txt")
        .header(header::HOST, host.as_str())
        .header(header::USER_AGENT, concat!("mailvet/", env!("CARGO_PKG_VERSION")))
        .header(header::ACCEPT, "text/plain")
        .header(header::CONNECTION, "close")
        .body(Empty::new())
        .map_err(|error| error.to_string())?;
    let talk = async {
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        read_body(response).await
    };
    // The connection must be driven until the body is read; nothing outlives this function.
    tokio::pin!(talk);
    tokio::pin!(connection);
    tokio::select! {
        biased;
        reply = &mut talk => reply,
        ended = &mut connection => match ended {
            Ok(()) => talk.await,
            Err(error) => Err(error.to_string()),
        },
    }
}

async fn read_body(response: Response<Incoming>) -> Result<Reply, String> {
    let (parts, mut incoming) = response.into_parts();
    let mut body = Vec::new();
    let mut cut = false;
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| error.to_string())?;
        let Some(data) = frame.data_ref() else { continue };
        let room = MOST_OCTETS - body.len();
        body.extend(data.iter().take(room));
        if data.len() > room {
            cut = true;
            break;
        }
    }
    Ok(Reply { response: Response::from_parts(parts, ()), body, cut })
}

/// The text of a fetch: what happened, the head of the response, an empty line, the body as it came.
struct Page {
    file: FileId,
    text: Vec<u8>,
}

impl Page {
    fn line(&mut self, text: &str) -> Span {
        let start = self.text.len();
        self.text.extend(
            text.chars()
                .map(|character| if character.is_control() { ' ' } else { character })
                .collect::<String>()
                .bytes(),
        );
        let span = self.span(start, self.text.len());
        self.text.push(b'\n');
        span
    }

    fn failure(&mut self, cause: Cause, note: &str) -> Failure {
        // The words are all that is kept of it.
        debug_assert_eq!(cause_of(note), cause, "{note}");
        Failure { cause, note: note.to_owned(), span: self.line(&format!("-- {note}")) }
    }

    fn reply(&mut self, reply: Reply, certificate_error: Option<String>, head: Span) -> PolicyResponse {
        let status = reply.response.status();
        let mut last = self.line(&format!("{:?} {status}", reply.response.version()));
        for (name, value) in reply.response.headers() {
            last = self.line(&format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
        }
        let header = |name| {
            let value = reply.response.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let location = header(header::LOCATION).filter(|_| status.is_redirection());
        let content_type = header(header::CONTENT_TYPE);
        self.text.push(b'\n');
        let start = self.text.len();
        self.text.extend_from_slice(&reply.body);
        let body_span = self.span(start, self.text.len());
        if reply.cut {
            self.line("");
            self.line(&format!("-- cut after {MOST_OCTETS} octets"));
        }
        PolicyResponse {
            status: status.as_u16(),
            location,
            content_type,
            certificate_error,
            body: reply.body,
            cut: reply.cut,
            head: head.join(last),
            body_span,
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let at = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Span::new(self.file, at(start), at(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Files;
    use crate::probes::tls::TrustStore;
    use crate::probes::tls::testing::{
        Authority, Leaf, TODAY, config, expired, played, self_signed, settings, tls_server,
    };
    use tokio::io::AsyncWriteExt as _;

    const POLICY: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 16\r\n\r\nversion: STSv1\r\n";

    async fn fetched(addresses: &[SocketAddr], trust: TrustStore) -> (PolicyFetch, Files) {
        let recorder = Recorder::new(Files::default(), true);
        let domain = Name::parse("example.org").unwrap();
        let fetch = fetch_policy(&domain, addresses, &settings(trust), &recorder).await;
        let (files, artefacts) = recorder.finish();
        let kept = |(_, artefact): &&(FileId, Artefact)| artefact.kind == ArtefactKind::HttpResponse;
        let (file, artefact) = artefacts.iter().find(kept).unwrap();
        // What was kept says the same again, with or without the certificates.
        let again = PolicyFetch::again(&domain, *file, &artefact.raw, |_| None);
        assert_eq!(format!("{:?}", again.result), format!("{:?}", fetch.result));
        (fetch, files)
    }

    async fn served(leaf: &Leaf, talk: &'static [u8], trust: TrustStore) -> (PolicyFetch, Files) {
        let address = tls_server(config(leaf, &[], TODAY), talk).await;
        fetched(&[address], trust).await
    }

    fn at(files: &Files, span: Span) -> String {
        let bytes = &files.get(span.file).bytes;
        String::from_utf8_lossy(&bytes[span.start as usize..span.end as usize]).into_owned()
    }

    #[tokio::test]
    async fn case_96_the_body_is_kept_as_it_came() {
        let root = Authority::root("Root");
        let leaf = root.leaf(&["mta-sts.example.org"], |_| {});
        let (fetch, files) = served(&leaf, POLICY, root.store()).await;
        let response = fetch.result.unwrap();
        assert_eq!((response.status, response.certificate_error, response.cut), (200, None, false));
        assert_eq!(response.content_type.as_deref(), Some("text/plain; charset=utf-8"));
        assert_eq!(response.body, b"version: STSv1\r\n");
        assert_eq!(at(&files, response.body_span), "version: STSv1\r\n");
        assert_eq!(
            at(&files, response.head),
            "-- TLSv1.3 established with TLS_AES_256_GCM_SHA384; certificate: valid for the policy host\n\
             HTTP/1.1 200 OK\ncontent-type: text/plain; charset=utf-8\ncontent-length: 16"
        );
        assert_eq!(files.get(response.head.file).path, "https/mta-sts.example.org/.well-known/mta-sts.txt");
    }

    #[tokio::test]
    async fn case_97_redirects_are_told_and_not_followed() {
        let root = Authority::root("Root");
        let leaf = root.leaf(&["*.example.org"], |_| {});
        let redirect = b"HTTP/1.1 301 Moved\r\nLocation: https://other.example/\r\nContent-Length: 0\r\n\r\n";
        let response = served(&leaf, redirect, root.store()).await.0.result.unwrap();
        assert_eq!((response.status, response.location.as_deref()), (301, Some("https://other.example/")));
        let missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        let response = served(&leaf, missing, root.store()).await.0.result.unwrap();
        assert_eq!((response.status, response.location, response.content_type), (404, None, None));
    }

    #[tokio::test]
    async fn case_97_a_certificate_that_senders_refuse_is_told() {
        let root = Authority::root("Root");
        for (leaf, error) in [
            (self_signed(&["mta-sts.example.org"]), "not trusted: self-signed"),
            (root.leaf(&["mta-sts.example.org"], expired), "not trusted: expired on 2020-01-02"),
            (root.leaf(&["www.example.org"], |_| {}), "not for mta-sts.example.org, but for www.example.org"),
            (root.leaf(&[], |_| {}), "not for mta-sts.example.org: it has no DNS name"),
        ] {
            let response = served(&leaf, POLICY, root.store()).await.0.result.unwrap();
            assert_eq!(response.certificate_error.as_deref(), Some(error));
        }
    }

    #[tokio::test]
    async fn a_long_document_is_cut() {
        let root = Authority::root("Root");
        let leaf = root.leaf(&["mta-sts.example.org"], |_| {});
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n".to_vec();
        let talk: &'static [u8] = [head, vec![b'a'; 100_000]].concat().leak();
        let response = served(&leaf, talk, root.store()).await.0.result.unwrap();
        assert_eq!((response.body.len(), response.cut), (MOST_OCTETS, true));
    }

    #[tokio::test]
    async fn what_does_not_come_back_has_a_cause() {
        let root = Authority::root("Root");
        let leaf = root.leaf(&["mta-sts.example.org"], |_| {});
        let cause = |fetch: PolicyFetch| fetch.result.unwrap_err().cause;
        assert_eq!(cause(fetched(&[], root.store()).await.0), Cause::Unreachable);
        let alert = played(|_, mut stream| async move {
            let _ = stream.write_all(b"\x15\x03\x03\x00\x02\x02\x70").await;
        })
        .await;
        let (fetch, files) = fetched(&[alert], root.store()).await;
        let failure = fetch.result.unwrap_err();
        assert_eq!(failure.cause, Cause::TlsHandshake);
        assert_eq!(
            at(&files, failure.span),
            "-- the TLS handshake failed: the server sent the alert unrecognized_name (112)"
        );
        // A connection that ends may have ended for another reason than TLS.
        let ended = played(|_, stream| async move { drop(stream) }).await;
        assert_eq!(cause(fetched(&[ended], root.store()).await.0), Cause::Protocol);
        let broken = served(&leaf, b"nothing of HTTP\r\n\r\n", root.store()).await.0;
        assert_eq!(cause(broken), Cause::Protocol);
        let half = served(&leaf, b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\nversion", root.store()).await.0;
        assert_eq!(cause(half), Cause::Protocol);
        // A port that was free a moment ago, then the next address.
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        assert_eq!(cause(fetched(&[closed], root.store()).await.0), Cause::TcpRefused);
        let open = tls_server(config(&leaf, &[], TODAY), POLICY).await;
        assert!(fetched(&[closed, open], root.store()).await.0.result.is_ok());
    }
}
