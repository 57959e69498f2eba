//! Which versions and suites a service accepts, found out by connections that end after the server's first message.
//!
//! One connection at a time, never more than the settings allow. What the server was not asked for lack of connections or
//! time, or because it asked to be left alone, is not known, and says why. A server that closes the connection has refused
//! an offer only if it still answers another one afterwards: otherwise it may have had enough of us.

mod attempt;

use std::collections::BTreeSet;

use tokio::time::Instant;

use self::attempt::{Log, Outcome, Scan};
use super::answer::ServerHello;
use super::{Certificates, Handshake, suites};
use crate::diag::{FileId, Span};
use crate::facts::domain::Time;
use crate::facts::service::{CipherStrength, TlsVersion};
use crate::facts::{Artefact, ArtefactKind, Cause, Recorder};
use crate::probes::{Endpoint, Failure, Noted, Seen, Settings};

/// Connections that are kept for the questions that follow the enumeration of suites in the order of the server.
const KEPT: usize = 8;

/// Suites of a short offer: one that fits into 256 octets with everything around it.
const SHORT: usize = 24;

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

impl TlsProbe {
    /// What is known by the certificates alone; `unread` says why nothing else is.
    pub(in crate::probes) fn of_certificates(certificates: Certificates, unread: &Failure) -> TlsProbe {
        TlsProbe {
            handshake: Err(unread.clone()),
            versions: Vec::new(),
            suites: Vec::new(),
            more_suites: Some(unread.clone()),
            more_weak: Some(unread.clone()),
            server_preference: Err(unread.clone()),
            compression: Err(unread.clone()),
            secure_renegotiation: Err(unread.clone()),
            certificates: Ok(certificates),
        }
    }
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

impl Scan<'_> {
    async fn run(&mut self, recorder: &Recorder) -> Result<TlsProbe, Failure> {
        let handshake = self.modern().await;
        if let Some(failure) = &self.stopped {
            return Err(failure.clone());
        }
        let versions = self.versions(&handshake).await;
        let mut order = self.suites(&versions, &handshake).await;
        let preference = self.preference(&versions, &order).await;
        self.lowest_versions(&versions, &mut order).await;
        Ok(TlsProbe {
            compression: compression(&versions),
            secure_renegotiation: secure_renegotiation(&versions),
            server_preference: preference,
            certificates: self.certificates(recorder, &handshake, &versions),
            versions: versions.into_iter().map(|tried| (tried.version, tried.seen)).collect(),
            suites: order.found,
            more_suites: order.more,
            more_weak: order.more_weak,
            handshake,
        })
    }

    /// Offers each version, the newest first.
    async fn versions(&mut self, handshake: &Result<(Handshake, Span), Failure>) -> Vec<Tried> {
        let mut tried: Vec<Tried> = Vec::new();
        let mut closed = Vec::new();
        for version in TlsVersion::ALL.iter().rev().copied() {
            let newest = version == TlsVersion::TlsV13;
            let suites = if newest { suites::of_tls13() } else { suites::of_version(version) };
            let mut offer = self.offer(version, suites, !newest);
            let mut outcome = self.attempt(&offer, true).await;
            if matches!(outcome, Ok(Outcome::Closed(_))) && !newest && version > TlsVersion::SslV3 {
                // Some servers, and boxes before them, cannot bear long offers.
                offer.suites.truncate(SHORT);
                offer.deflate = false;
                outcome = self.attempt(&offer, true).await;
            }
            let short = offer.suites.len() == SHORT;
            let (seen, hello) = match outcome {
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
            tried.push(Tried { version, seen, hello, short });
        }
        self.confirm_versions(&mut tried, &closed, handshake.is_ok()).await;
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
        if let Ok((handshake, span)) = handshake
            && let Some(tried) =
                tried.iter_mut().find(|tried| tried.version == handshake.version && !tried.is_accepted())
        {
            tried.seen = Ok(Noted { value: true, span: *span });
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

    /// Enumerates the suites of a version, in short offers where the server cannot bear long ones.
    async fn all_suites(
        &mut self,
        versions: &[Tried],
        version: TlsVersion,
        offered: Vec<u16>,
        found: &mut Vec<AcceptedSuite>,
        keep: usize,
    ) -> Option<Failure> {
        let short = versions.iter().any(|tried| tried.short && tried.hello.is_some());
        let most = if short { SHORT } else { usize::MAX };
        let mut more = None;
        for part in offered.chunks(most) {
            more = self.enumerate(version, part.to_vec(), found, keep).await;
            if more.is_some() {
                break;
            }
        }
        more
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
    async fn suites(&mut self, versions: &[Tried], handshake: &Result<(Handshake, Span), Failure>) -> Order {
        let mut order = Order::default();
        let unseen = versions.iter().find_map(Tried::unasked);
        if let Some((hello, span)) = accepted(versions, TlsVersion::TlsV13) {
            order.take(hello, span);
            order.more = self.enumerate(TlsVersion::TlsV13, suites::of_tls13(), &mut order.found, KEPT).await;
        }
        if let Some((version, hello, span)) = highest_old(versions) {
            order.take(hello, span);
            let all = suites::of_version(version);
            let more = self.all_suites(versions, version, all.clone(), &mut order.found, KEPT).await;
            if more.as_ref().is_some_and(|more| more.cause == Cause::LimitReached) {
                let weak = |suite: &u16| {
                    suites::strength(*suite).is_none_or(|strength| strength <= CipherStrength::Weak)
                        || suites::forward_secrecy(*suite) == Some(false)
                };
                let weak: Vec<u16> = all.into_iter().filter(weak).collect();
                order.more_weak = self.all_suites(versions, version, weak, &mut order.found, 1).await;
            } else {
                order.more_weak.clone_from(&more);
            }
            order.more = order.more.or(more);
        }
        if let Ok((handshake, span)) = handshake
            && order.found.iter().all(|suite| suite.number != handshake.suite)
        {
            let version = Ok(Noted { value: handshake.version, span: *span });
            order.found.push(AcceptedSuite { number: handshake.suite, version, span: *span });
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
            return match versions.iter().find_map(Tried::unasked) {
                Some(failure) => Err(failure),
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

    /// Finds the lowest version with which each suite is accepted, and suites that only lower versions accept.
    async fn lowest_versions(&mut self, versions: &[Tried], order: &mut Order) {
        let highest = highest_old(versions).map(|(version, ..)| version);
        let lower = versions.iter().filter(|tried| Some(tried.version) < highest && tried.is_accepted());
        let is_new = |suite: &u16| suite >> 8 == 0x13 || suites::needs_tls12(*suite);
        let mut settled: BTreeSet<u16> = order.found.iter().map(|suite| suite.number).filter(is_new).collect();
        for tried in lower {
            let Some((hello, span)) = &tried.hello else { continue };
            let mut here = vec![AcceptedSuite::new(hello, *span)];
            let offered = suites::of_version(tried.version).into_iter().filter(|suite| !settled.contains(suite));
            let doubt = self.all_suites(versions, tried.version, offered.collect(), &mut here, 0).await;
            for suite in here {
                if !settled.insert(suite.number) {
                    continue;
                }
                match order.found.iter_mut().find(|known| known.number == suite.number) {
                    Some(known) => known.version = suite.version,
                    None => order.found.push(suite),
                }
            }
            if let Some(failure) = doubt {
                for suite in order.found.iter_mut().filter(|suite| !settled.contains(&suite.number)) {
                    suite.version = Err(failure.clone());
                }
                order.more.get_or_insert(failure.clone());
                order.more_weak.get_or_insert(failure);
                break;
            }
        }
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

/// The offer of one version and what came of it.
struct Tried {
    version: TlsVersion,
    seen: Seen<bool>,
    /// What the server chose, of this version or an older one.
    hello: Option<(ServerHello, Span)>,
    /// Whether the server closed the connection at a long offer, so that a short one was made.
    short: bool,
}

impl Tried {
    fn is_accepted(&self) -> bool {
        matches!(&self.seen, Ok(seen) if seen.value)
    }

    /// Why it is not known what the version brings: it was not seen, or only in a handshake that was not our own.
    fn unasked(&self) -> Option<Failure> {
        match &self.seen {
            Err(failure) => Some(failure.clone()),
            Ok(Noted { value: true, span }) if self.hello.is_none() => {
                let note = format!("{} is spoken, but offers of many suites are not answered", self.version);
                Some(Failure { cause: Cause::Protocol, note, span: *span })
            }
            Ok(_) => None,
        }
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
    if let Some(failure) = old().find_map(Tried::unasked) {
        return Err(failure);
    }
    let span = hellos().map(|(_, span)| *span).next().or_else(|| any_span(versions));
    span.map(|span| Noted { value: false, span }).ok_or_else(|| not_seen(versions))
}

fn secure_renegotiation(versions: &[Tried]) -> Seen<Option<bool>> {
    if let Some((_, hello, span)) = highest_old(versions) {
        return Ok(Noted { value: Some(hello.secure_renegotiation), span });
    }
    match (versions.iter().find_map(Tried::unasked), any_span(versions)) {
        (None, Some(span)) => Ok(Noted { value: None, span }),
        _ => Err(not_seen(versions)),
    }
}

fn any_span(versions: &[Tried]) -> Option<Span> {
    versions.iter().rev().find_map(|tried| tried.seen.as_ref().ok()).map(|seen| seen.span)
}

/// Why nothing of the versions was seen.
fn not_seen(versions: &[Tried]) -> Failure {
    versions.iter().find_map(Tried::unasked).unwrap_or_else(|| Failure {
        cause: Cause::NotCollected,
        note: "no version was tried".to_owned(),
        span: Span::new(FileId(0), 0, 0),
    })
}
