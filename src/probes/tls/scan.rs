//! Which versions and suites a service accepts, found out by connections that end after the server's first message.
//!
//! One connection at a time, never more than the settings allow. What the server was not asked for lack of connections or
//! time, or because it asked to be left alone, is not known, and says why. A server that closes the connection has refused
//! an offer only if it still answers another one afterwards: otherwise it may have had enough of us.

use std::collections::BTreeSet;

use rustls::crypto::ring;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::answer::{self, Answer, ServerHello};
use super::hello::Offer;
use super::{Certificates, Handshake, alert, preamble, suites};
use crate::diag::{FileId, Files, Span};
use crate::facts::domain::Time;
use crate::facts::service::{CipherStrength, TlsVersion};
use crate::facts::{Artefact, ArtefactKind, Cause, Recorder};
use crate::probes::session::Session;
use crate::probes::{Endpoint, Failure, Noted, Seen, Settings};

/// Connections that are kept for the questions that follow the enumeration of suites in the order of the server.
const KEPT: usize = 8;

/// Silences after which a service is asked no more.
const MOST_SILENCES: usize = 2;

/// What the TLS of a service accepts.
#[derive(Debug, Clone)]
pub struct TlsProbe {
    /// The handshake of a client of today's standards, and where it was noted.
    pub handshake: Result<(Handshake, Span), Failure>,
    /// Whether each version is accepted, from oldest to newest.
    pub versions: Vec<(TlsVersion, Seen<bool>)>,
    /// Suites that are accepted, in the order in which the server chooses them, newest version first.
    pub suites: Vec<AcceptedSuite>,
    /// Why there may be more suites.
    pub more_suites: Option<Failure>,
    /// Why there may be more suites that are weak, broken or without forward secrecy; asked for first when connections
    /// run short.
    pub more_weak: Option<Failure>,
    /// Whether the server imposes its own order; `None` when it accepts fewer than two suites below TLS 1.3.
    pub server_preference: Seen<Option<bool>>,
    /// Whether compression is accepted.
    pub compression: Seen<bool>,
    /// Whether secure renegotiation is supported; `None` when only TLS 1.3 is spoken.
    pub secure_renegotiation: Seen<Option<bool>>,
    /// The certificates, from the handshake or, where a client of today gets none, from an older one.
    pub certificates: Result<Certificates, Failure>,
}

/// A suite that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedSuite {
    /// Its number.
    pub number: u16,
    /// The lowest version with which it was accepted.
    pub version: Seen<TlsVersion>,
    /// Where it was accepted.
    pub span: Span,
}

/// Finds out which versions and suites a service accepts, by connections of its own.
///
/// # Errors
/// The service could not be reached, or offers no TLS.
pub async fn probe(endpoint: &Endpoint, settings: &Settings, recorder: &Recorder) -> Result<TlsProbe, Failure> {
    let file = recorder.reserve(&format!("tls/{}", endpoint.name()));
    let mut scan = Scan {
        endpoint,
        settings,
        log: Log { file, text: String::new() },
        deadline: Instant::now() + settings.service_timeout,
        left: settings.max_connections,
        opened: false,
        silences: 0,
        stopped: None,
    };
    let result = scan.run(recorder).await;
    let raw = scan.log.text.into_bytes();
    let time = Time(jiff::Timestamp::now().as_second());
    let title = format!("TLS of {}", endpoint.name());
    recorder.fill(file, raw.clone(), Artefact { kind: ArtefactKind::Transcript, title, time, raw });
    result
}

/// What came of one offer.
enum Outcome {
    /// The server chose from it.
    Accepted(ServerHello, Span),
    /// The server refused it.
    Refused(Span),
    /// The server closed the connection: a refusal, if it still answers others.
    Closed(Span),
}

struct Scan<'a> {
    endpoint: &'a Endpoint,
    settings: &'a Settings,
    log: Log,
    deadline: Instant,
    /// Connections that may still be made.
    left: usize,
    /// Whether a connection was made before.
    opened: bool,
    silences: usize,
    /// Why nothing more is asked.
    stopped: Option<Failure>,
}

impl<'a> Scan<'a> {
    async fn run(&mut self, recorder: &Recorder) -> Result<TlsProbe, Failure> {
        let handshake = self.modern().await;
        if let Some(failure) = &self.stopped {
            return Err(failure.clone());
        }
        let versions = self.versions(handshake.is_ok()).await;
        let order = self.suites(&versions).await;
        let preference = self.preference(&versions, &order).await;
        let suites = self.lowest_versions(&versions, order.found).await;
        Ok(TlsProbe {
            compression: compression(&versions),
            secure_renegotiation: secure_renegotiation(&versions),
            server_preference: preference,
            certificates: self.certificates(recorder, &handshake, &versions),
            versions: versions.into_iter().map(|tried| (tried.version, tried.seen)).collect(),
            suites,
            more_suites: order.more,
            more_weak: order.more_weak,
            handshake,
        })
    }

    /// The handshake of a client of today's standards.
    async fn modern(&mut self) -> Result<(Handshake, Span), Failure> {
        let scratch = Recorder::new(Files::default(), false);
        let mut session = self.connect(&scratch).await?;
        let done = session.start_tls().await;
        match done {
            Ok((handshake, _)) => {
                let goodbye = goodbye(self.endpoint.protocol);
                session.close(goodbye).await;
                let chain = handshake.chain.len();
                let text = format!(
                    "handshake of today's standards: {} {}, {chain} certificates",
                    handshake.version, handshake.cipher
                );
                let span = self.log.line(&text);
                Ok((handshake, span))
            }
            Err(failure) => {
                session.abandon();
                let span = self.log.line(&format!("handshake of today's standards: {}", failure.note));
                Err(Failure { span, ..failure })
            }
        }
    }

    /// Connects and leads the session to the point where a ClientHello is expected. A failure ends the scan.
    async fn connect<'s>(&mut self, scratch: &'s Recorder) -> Result<Session<'s>, Failure>
    where
        'a: 's,
    {
        if let Some(failure) = &self.stopped {
            return Err(failure.clone());
        }
        if self.left == 0 || Instant::now() >= self.deadline {
            let text = if self.left == 0 {
                format!("{} connections were made, no more are allowed", self.settings.max_connections)
            } else {
                format!("the time for the service, {} s, is over", self.settings.service_timeout.as_secs())
            };
            return Err(self.stop(Failure { cause: Cause::LimitReached, note: text, span: self.log.end() }));
        }
        self.left -= 1;
        if std::mem::replace(&mut self.opened, true) {
            tokio::time::sleep(self.settings.pause).await;
        }
        let opened = Session::open(self.endpoint, self.settings, scratch, "tls", self.deadline).await;
        let mut session = match opened {
            Ok(session) => session,
            Err(failure) => return Err(self.stop(failure)),
        };
        match preamble::ready(&mut session).await {
            Ok(()) => Ok(session),
            Err(failure) => {
                session.close(goodbye(self.endpoint.protocol)).await;
                Err(self.stop(failure))
            }
        }
    }

    /// Ends the scan for a reason, which is noted.
    fn stop(&mut self, failure: Failure) -> Failure {
        let span = self.log.line(&format!("stopped: {}", failure.note));
        let failure = Failure { span, ..failure };
        self.stopped = Some(failure.clone());
        failure
    }

    /// Makes one offer on a connection of its own.
    async fn attempt(&mut self, offer: &Offer, certificate: bool) -> Result<Outcome, Failure> {
        let scratch = Recorder::new(Files::default(), false);
        let by = self.settings.reply_timeout;
        let deadline = self.deadline;
        let mut session = self.connect(&scratch).await?;
        let Some(stream) = session.take_plain() else {
            let failure = session.failure(Cause::Protocol, "the connection is gone");
            return Err(self.stop(failure));
        };
        session.abandon();
        let answer = exchange(stream, offer, certificate, deadline.min(Instant::now() + by)).await;
        let offered = format!("{} with {} suites", offer.version, offer.suites.len());
        Ok(match answer {
            Ok(Answer::Hello(hello)) => {
                let span = self.log.line(&format!("{offered}: {}", words(&hello)));
                Outcome::Accepted(hello, span)
            }
            Ok(Answer::Alert(number)) => {
                let text = format!("{offered}: alert {}", alert::name(number));
                let span = self.log.line(&text);
                if number == UNRECOGNIZED_NAME {
                    // RFC 6066 section 3: it is about the name, not about the offer.
                    return Err(Failure { cause: Cause::TlsHandshake, note: text, span });
                }
                Outcome::Refused(span)
            }
            Ok(Answer::Broken(why)) => {
                let span = self.log.line(&format!("{offered}: {why}"));
                return Err(Failure { cause: Cause::Protocol, note: why.to_owned(), span });
            }
            Ok(Answer::Incomplete) => Outcome::Closed(self.log.line(&format!("{offered}: connection closed"))),
            Err(Silent) => {
                let note = format!("{offered}: no answer in time");
                let failure = Failure { cause: Cause::TcpTimeout, span: self.log.line(&note), note };
                self.silences += 1;
                if self.silences >= MOST_SILENCES {
                    self.stop(Failure { note: "the server stays silent".to_owned(), ..failure.clone() });
                }
                return Err(failure);
            }
        })
    }

    fn offer(&self, version: TlsVersion, suites: Vec<u16>, deflate: bool) -> Offer {
        let host = self.endpoint.host.as_str();
        let host =
            (!self.endpoint.host.is_root() && host.parse::<std::net::IpAddr>().is_err()).then(|| host.to_owned());
        Offer { version, suites, host, deflate }
    }

    /// Offers each version, the newest first.
    async fn versions(&mut self, modern: bool) -> Vec<Tried> {
        let mut tried: Vec<Tried> = Vec::new();
        let mut closed = Vec::new();
        for version in TlsVersion::ALL.iter().rev().copied() {
            let newest = version == TlsVersion::TlsV13;
            let suites = if newest { suites::of_tls13() } else { suites::of_version(version) };
            let offer = self.offer(version, suites, !newest);
            let (seen, hello) = match self.attempt(&offer, true).await {
                Ok(Outcome::Accepted(hello, span)) => {
                    closed.clear();
                    (Ok(Noted { value: hello.version == version, span }), Some((hello, span)))
                }
                Ok(Outcome::Refused(span)) => (Ok(Noted { value: false, span }), None),
                Ok(Outcome::Closed(span)) => {
                    closed.push(version);
                    (Ok(Noted { value: false, span }), None)
                }
                Err(failure) => (Err(failure), None),
            };
            tried.push(Tried { version, seen, hello });
        }
        self.confirm_versions(&mut tried, &closed, modern).await;
        // A server that answers an offer with an older version speaks that one.
        let lower: Vec<_> = tried.iter().filter_map(|tried| tried.hello.clone()).collect();
        for tried in &mut tried {
            if let Some((hello, span)) = lower.iter().find(|(hello, _)| hello.version == tried.version)
                && !matches!(&tried.seen, Ok(seen) if seen.value)
            {
                tried.seen = Ok(Noted { value: true, span: *span });
                tried.hello = Some((hello.clone(), *span));
            }
        }
        tried.reverse();
        tried
    }

    /// Closed connections are refusals only when the server still answers afterwards.
    async fn confirm_versions(&mut self, tried: &mut [Tried], closed: &[TlsVersion], modern: bool) {
        if closed.is_empty() {
            return;
        }
        let known = tried.iter().find_map(|tried| tried.hello.as_ref()).map(|(hello, _)| hello.clone());
        let doubt = match (known, modern) {
            (Some(hello), _) => self.control(&hello).await.err(),
            (None, true) => self.modern().await.err(),
            (None, false) => Some(Failure {
                cause: Cause::TlsHandshake,
                note: "the server closes every connection when it is offered TLS".to_owned(),
                span: self.log.end(),
            }),
        };
        let Some(failure) = doubt else { return };
        for tried in tried.iter_mut().filter(|tried| closed.contains(&tried.version)) {
            if let Ok(seen) = &tried.seen {
                tried.seen = Err(Failure { span: seen.span, ..failure.clone() });
            }
        }
    }

    /// Offers again what was accepted before.
    async fn control(&mut self, hello: &ServerHello) -> Result<(), Failure> {
        let offer = self.offer(hello.version, vec![hello.suite], false);
        match self.attempt(&offer, false).await? {
            Outcome::Accepted(..) => Ok(()),
            Outcome::Refused(span) | Outcome::Closed(span) => {
                let note = "the server no longer accepts what it accepted before".to_owned();
                Err(self.stop(Failure { cause: Cause::RateLimited, note, span }))
            }
        }
    }

    /// Takes one suite after the other away from an offer until the server accepts none. Returns the suites in the order
    /// in which they were chosen, and why there may be more.
    async fn enumerate(
        &mut self,
        version: TlsVersion,
        mut offered: Vec<u16>,
        found: &mut Vec<AcceptedSuite>,
        keep: usize,
    ) -> Option<Failure> {
        offered.retain(|suite| found.iter().all(|accepted| accepted.number != *suite));
        while !offered.is_empty() {
            if self.left <= keep {
                let note = "more connections would be needed to ask for all suites".to_owned();
                return Some(Failure { cause: Cause::LimitReached, note, span: self.log.end() });
            }
            let offer = self.offer(version, offered.clone(), false);
            match self.attempt(&offer, false).await {
                Ok(Outcome::Accepted(hello, span)) if hello.version == version => {
                    if !offered.contains(&hello.suite) {
                        // The server insists on a suite that it was not offered: nothing more follows from asking.
                        let note = format!("the server chose {}, which was not offered", suites::name(hello.suite));
                        return Some(Failure { cause: Cause::Protocol, note, span });
                    }
                    offered.retain(|suite| *suite != hello.suite);
                    let version = Ok(Noted { value: version, span });
                    found.push(AcceptedSuite { number: hello.suite, version, span });
                }
                Ok(Outcome::Accepted(..) | Outcome::Refused(_)) => return None,
                Ok(Outcome::Closed(_)) => {
                    let known = found.last().map(|accepted| accepted.number)?;
                    let hello = ServerHello::plain(version, known);
                    return self.control(&hello).await.err();
                }
                Err(failure) => return Some(failure),
            }
        }
        None
    }

    /// The suites of TLS 1.3 and of the highest version below it, in the order of the server.
    async fn suites(&mut self, versions: &[Tried]) -> Order {
        let mut order = Order::default();
        let unseen = versions.iter().find_map(|tried| tried.seen.as_ref().err().cloned());
        if let Some((hello, span)) = accepted(versions, TlsVersion::TlsV13) {
            order.take(hello, span);
            order.more = self.enumerate(TlsVersion::TlsV13, suites::of_tls13(), &mut order.found, KEPT).await;
        }
        if let Some((version, hello, span)) = highest_old(versions) {
            order.take(hello, span);
            let all = suites::of_version(version);
            let more = self.enumerate(version, all.clone(), &mut order.found, KEPT).await;
            if more.as_ref().is_some_and(|more| more.cause == Cause::LimitReached) {
                let weak = |suite: &u16| {
                    suites::strength(*suite).is_none_or(|strength| strength <= CipherStrength::Weak)
                        || suites::forward_secrecy(*suite) == Some(false)
                };
                let weak: Vec<u16> = all.into_iter().filter(weak).collect();
                order.more_weak = self.enumerate(version, weak, &mut order.found, 1).await;
            } else {
                order.more_weak.clone_from(&more);
            }
            order.more = order.more.or(more);
        }
        // A version that could not be seen may bring suites of its own.
        order.more = order.more.or(unseen.clone());
        order.more_weak = order.more_weak.or(unseen);
        order
    }

    /// Offers two accepted suites in both orders.
    async fn preference(&mut self, versions: &[Tried], order: &Order) -> Seen<Option<bool>> {
        let nothing = |span| Ok(Noted { value: None, span });
        let Some((version, _, span)) = highest_old(versions) else {
            return match versions.iter().find_map(|tried| tried.seen.as_ref().err()) {
                Some(failure) => Err(failure.clone()),
                None => nothing(
                    versions
                        .first()
                        .and_then(|tried| tried.seen.as_ref().ok())
                        .map_or(self.log.end(), |seen| seen.span),
                ),
            };
        };
        let old: Vec<_> = order.found.iter().filter(|suite| suite.number >> 8 != 0x13).collect();
        let [first, .., last] = old.as_slice() else {
            return match &order.more {
                Some(failure) => Err(failure.clone()),
                None => nothing(span),
            };
        };
        // The first was chosen while both were offered: the server prefers it, or it stood first in our offer.
        let offer = self.offer(version, vec![last.number, first.number], false);
        match self.attempt(&offer, false).await? {
            Outcome::Accepted(hello, span) => Ok(Noted { value: Some(hello.suite == first.number), span }),
            Outcome::Refused(span) | Outcome::Closed(span) => {
                let note = "the server no longer accepts what it accepted before".to_owned();
                Err(Failure { cause: Cause::Protocol, note, span })
            }
        }
    }

    /// The lowest version with which each suite is accepted.
    async fn lowest_versions(&mut self, versions: &[Tried], mut found: Vec<AcceptedSuite>) -> Vec<AcceptedSuite> {
        let highest = highest_old(versions).map(|(version, ..)| version);
        let lower = versions.iter().filter(|tried| Some(tried.version) < highest && tried.is_accepted());
        let mut settled: BTreeSet<u16> = found
            .iter()
            .map(|suite| suite.number)
            .filter(|suite| suite >> 8 == 0x13 || suites::needs_tls12(*suite))
            .collect();
        for tried in lower {
            let Some((hello, span)) = &tried.hello else { continue };
            let mut here = vec![AcceptedSuite::new(hello, *span)];
            let offered =
                suites::of_version(tried.version).into_iter().filter(|suite| !settled.contains(suite)).collect();
            let doubt = self.enumerate(tried.version, offered, &mut here, 0).await;
            for suite in here {
                if !settled.insert(suite.number) {
                    continue;
                }
                match found.iter_mut().find(|known| known.number == suite.number) {
                    Some(known) => known.version = suite.version,
                    None => found.push(suite),
                }
            }
            if let Some(failure) = doubt {
                for suite in found.iter_mut().filter(|suite| !settled.contains(&suite.number)) {
                    suite.version = Err(failure.clone());
                }
                break;
            }
        }
        found
    }

    fn certificates(
        &mut self,
        recorder: &Recorder,
        handshake: &Result<(Handshake, Span), Failure>,
        versions: &[Tried],
    ) -> Result<Certificates, Failure> {
        let name = self.endpoint.name();
        let failure = match handshake {
            Ok((handshake, _)) => return Ok(Certificates::record(recorder, &name, handshake)),
            Err(failure) => failure,
        };
        let sent =
            versions.iter().rev().filter_map(|tried| tried.hello.as_ref()).find_map(|(hello, _)| hello.chain.as_ref());
        match sent {
            Some(chain) => {
                let time = self.settings.trust.now();
                let verdict = self.settings.trust.judge(chain, time);
                Ok(Certificates::record_chain(recorder, &name, chain, &verdict, time))
            }
            None => Err(failure.clone()),
        }
    }
}

/// The alert that says that the server has no such name (RFC 6066 section 3).
const UNRECOGNIZED_NAME: u8 = 112;

/// The offer of one version and what came of it.
struct Tried {
    version: TlsVersion,
    seen: Seen<bool>,
    /// What the server chose, of this version or an older one.
    hello: Option<(ServerHello, Span)>,
}

impl Tried {
    fn is_accepted(&self) -> bool {
        matches!(&self.seen, Ok(seen) if seen.value)
    }
}

/// Suites in the order of the server.
#[derive(Default)]
struct Order {
    found: Vec<AcceptedSuite>,
    more: Option<Failure>,
    more_weak: Option<Failure>,
}

impl Order {
    fn take(&mut self, hello: &ServerHello, span: Span) {
        self.found.push(AcceptedSuite::new(hello, span));
    }
}

impl AcceptedSuite {
    fn new(hello: &ServerHello, span: Span) -> AcceptedSuite {
        AcceptedSuite { number: hello.suite, version: Ok(Noted { value: hello.version, span }), span }
    }
}

impl ServerHello {
    /// What is needed to make an offer again.
    fn plain(version: TlsVersion, suite: u16) -> ServerHello {
        ServerHello { version, suite, compression: 0, secure_renegotiation: false, retry: false, chain: None }
    }
}

fn accepted(versions: &[Tried], version: TlsVersion) -> Option<(&ServerHello, Span)> {
    let tried = versions.iter().find(|tried| tried.version == version && tried.is_accepted())?;
    tried.hello.as_ref().map(|(hello, span)| (hello, *span))
}

/// The highest version below TLS 1.3 that is accepted.
fn highest_old(versions: &[Tried]) -> Option<(TlsVersion, &ServerHello, Span)> {
    let old = versions.iter().rev().filter(|tried| tried.version < TlsVersion::TlsV13 && tried.is_accepted());
    old.filter_map(|tried| tried.hello.as_ref().map(|(hello, span)| (tried.version, hello, *span))).next()
}

/// Whether any version below TLS 1.3 accepts compression; TLS 1.3 has none.
fn compression(versions: &[Tried]) -> Seen<bool> {
    let old = || versions.iter().filter(|tried| tried.version < TlsVersion::TlsV13);
    let hellos = || old().filter_map(|tried| tried.hello.as_ref());
    if let Some((_, span)) = hellos().find(|(hello, _)| hello.compression != 0) {
        return Ok(Noted { value: true, span: *span });
    }
    if let Some(failure) = old().find_map(|tried| tried.seen.as_ref().err()) {
        return Err(failure.clone());
    }
    let span = hellos().map(|(_, span)| *span).next().or_else(|| any_span(versions));
    match (span, versions.iter().find_map(|tried| tried.seen.as_ref().err())) {
        (Some(span), _) => Ok(Noted { value: false, span }),
        (None, Some(failure)) => Err(failure.clone()),
        (None, None) => Err(nothing_tried()),
    }
}

fn secure_renegotiation(versions: &[Tried]) -> Seen<Option<bool>> {
    if let Some((_, hello, span)) = highest_old(versions) {
        return Ok(Noted { value: Some(hello.secure_renegotiation), span });
    }
    let failed = versions.iter().find_map(|tried| tried.seen.as_ref().err());
    match (failed, any_span(versions)) {
        (Some(failure), _) => Err(failure.clone()),
        (None, Some(span)) => Ok(Noted { value: None, span }),
        (None, None) => Err(nothing_tried()),
    }
}

fn any_span(versions: &[Tried]) -> Option<Span> {
    versions.iter().rev().find_map(|tried| tried.seen.as_ref().ok()).map(|seen| seen.span)
}

fn nothing_tried() -> Failure {
    Failure { cause: Cause::NotCollected, note: "no version was tried".to_owned(), span: Span::new(FileId(0), 0, 0) }
}

/// What a ServerHello says, in words.
fn words(hello: &ServerHello) -> String {
    let mut text = format!("{} {}", hello.version, suites::name(hello.suite));
    if hello.compression != 0 {
        text.push_str(&format!(", compression {}", hello.compression));
    }
    if hello.secure_renegotiation {
        text.push_str(", secure renegotiation");
    }
    if hello.retry {
        text.push_str(", asks for another key share");
    }
    if let Some(chain) = &hello.chain {
        text.push_str(&format!(", {} certificates", chain.len()));
    }
    text
}

/// How each protocol says goodbye.
fn goodbye(protocol: crate::facts::service::Protocol) -> &'static str {
    use crate::facts::service::Protocol;
    match protocol {
        Protocol::Imap | Protocol::Imaps => "z LOGOUT",
        Protocol::Smtp | Protocol::Submission | Protocol::Submissions | Protocol::Pop3 | Protocol::Pop3s => "QUIT",
    }
}

/// The server said nothing until the time was over.
struct Silent;

/// Sends an offer and reads the answer; [`Answer::Incomplete`] when the connection was closed before it was complete.
async fn exchange(mut stream: TcpStream, offer: &Offer, certificate: bool, by: Instant) -> Result<Answer, Silent> {
    let mut random = [0; 64];
    // Without random values the message is as valid; nothing is encrypted with them.
    let _ = ring::default_provider().secure_random.fill(&mut random);
    let talk = async {
        if stream.write_all(&offer.to_record(&random)).await.is_err() {
            return Answer::Incomplete;
        }
        let mut received = Vec::new();
        let mut chunk = vec![0; 8192];
        while received.len() < answer::MOST_OCTETS {
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return answer::ended(&received, certificate),
                Ok(length) => received.extend(chunk.iter().take(length)),
            }
            match answer::read(&received, certificate) {
                Answer::Incomplete => {}
                answer => return answer,
            }
        }
        Answer::Broken("the server's first message is too long")
    };
    let answer = timeout_at(by, talk).await.map_err(|_| Silent)?;
    // RFC 5246 section 7.2.1: we end the connection in good order.
    let close = [21, 3, 1, 0, 2, 1, 0];
    let _ = timeout_at(by.min(Instant::now() + std::time::Duration::from_secs(1)), stream.write_all(&close)).await;
    Ok(answer)
}

/// The text of a scan: one line for each offer.
struct Log {
    file: FileId,
    text: String,
}

impl Log {
    fn line(&mut self, text: &str) -> Span {
        let start = self.text.len();
        for character in text.chars() {
            match character {
                control if control.is_control() => self.text.extend(control.escape_default()),
                other => self.text.push(other),
            }
        }
        let span = self.span(start, self.text.len());
        self.text.push('\n');
        span
    }

    fn end(&self) -> Span {
        self.span(self.text.len(), self.text.len())
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let at = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Span::new(self.file, at(start), at(end))
    }
}
