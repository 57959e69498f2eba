//! What becomes of a question: which servers are asked in which order, how often, and what is registered of it.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::batch;
use super::convert::{self, Page, Shown, Unshown};
use super::exchange::{Heard, Miss, Path, Transport};
use super::outcome::{self, NOERROR, NXDOMAIN, SERVFAIL, Said};
use super::pool::Pool;
use super::validate::Plain;
use super::wire::{self, Question, Section, Wish};
use super::{Live, Message, Upstream};
use crate::diag::{FileId, Span};
use crate::facts::domain::Time;
use crate::facts::{Artefact, ArtefactKind, Cause, Held, HeldText, Origin};
use crate::mail::Name;
use crate::sources::record::{Answer, Ask, NoReply, Outcome, RData, Record, RecordType, Reply};

/// What the text of a question that nobody answered begins with.
pub(super) const NO_ANSWER: &str = ";; no answer to ";

/// A whole zone as type of a question (RFC 5936 section 2.1).
pub(super) const AXFR: RecordType = RecordType(252);

/// Whom a question goes to, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Route {
    /// To the resolvers.
    Resolvers,
    /// To the resolvers, for data that they cannot validate, too (CD, RFC 4035 section 3.2.2).
    Unchecked,
    /// To the second resolver.
    Second,
}

/// What is known of one question.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) said: Said,
    /// The message, where validation needs it.
    pub(super) message: Option<Arc<Message>>,
    /// The text of the message or of the attempts.
    pub(super) span: Span,
    /// The text, where it is not in the table of files.
    pub(super) text: Option<HeldText>,
    /// Keeps a text that is in the table of files.
    _held: Option<Held>,
}

impl Known {
    /// What follows from a message.
    pub(super) fn heard(said: Said, message: Option<Arc<Message>>, span: Span, text: Option<HeldText>) -> Known {
        Known { said, message, span, text, _held: None }
    }

    /// What follows from the lack of one.
    pub(super) fn silent(silence: Silence, held: Option<Held>) -> Known {
        let NoReply { cause, note, span } = silence.no_reply;
        let outcome = Outcome::Unknown { cause, note, span };
        let answer = Answer { aliases: Vec::new(), outcome, wildcard: false, incomplete: None };
        Known {
            said: Said { answer, onward: None, zone: None },
            message: None,
            span: silence.span,
            text: None,
            _held: held,
        }
    }

    /// Whether data came, or the proof that there are none.
    pub(super) fn gives_data(&self) -> bool {
        self.said.onward.is_some() || !matches!(self.said.answer.outcome, Outcome::Unknown { .. })
    }
}

/// What came of asking several servers: the reply that counts, and what else happened.
struct Rounds {
    heard: Option<Heard>,
    misses: Vec<Miss>,
}

impl Live {
    /// What a reply to the first attempt says, if it is a complete answer; otherwise the reply.
    pub(super) fn take(&self, name: &Name, rtype: RecordType, reply: batch::Outcome) -> Result<Known, batch::Outcome> {
        let complete = |octets: &[u8]| !wire::is_truncated(octets) && matches!(rcode(octets), NOERROR | NXDOMAIN);
        match (reply, self.resolvers.first()) {
            (Ok(octets), Some(resolver)) if complete(&octets) => {
                let heard = Some(Heard { octets, server: resolver.address, transport: Transport::Udp });
                Ok(self.register(String::new(), name, rtype, Rounds { heard, misses: Vec::new() }))
            }
            (reply, _) => Err(reply),
        }
    }

    /// What the resolvers say about one question, without following aliases out of the message. `first` is what came of
    /// the first attempt with the first resolver, if that was made already.
    pub(super) async fn find_out(
        &self,
        name: &Name,
        rtype: RecordType,
        route: Route,
        first: Option<batch::Outcome>,
    ) -> Known {
        let question = Arc::new(match route {
            Route::Unchecked => {
                Question::new(name, rtype, Wish { recursion: true, checking_disabled: true, signatures: true })
            }
            Route::Resolvers | Route::Second => question(name, rtype),
        });
        let servers = match route {
            Route::Second => self.second.as_slice(),
            Route::Resolvers | Route::Unchecked => self.resolvers.as_slice(),
        };
        let mut rounds = self.ask_around(servers, &question, first).await;
        let mut bogus = false;
        if route == Route::Resolvers && rounds.heard.as_ref().is_some_and(|heard| rcode(&heard.octets) == SERVFAIL) {
            (rounds, bogus) = Box::pin(self.doubt(name, rtype, &question, rounds)).await;
        }
        let suffix = match (route, servers.first()) {
            (Route::Unchecked, _) => "+cd".to_owned(),
            (Route::Second, Some(server)) => format!("@{}+second", server.address.ip()),
            _ => String::new(),
        };
        let mut known = self.register(suffix, name, rtype, rounds);
        if let (true, Outcome::Unknown { cause, note, .. }) = (bogus, &mut known.said.answer.outcome) {
            blame_validation(cause, note);
        }
        known
    }

    /// Tells data that fail validation from a resolver that is broken (RFC 4035 section 5.5): only the former come when
    /// checking is disabled. A failure that does not come again was neither.
    async fn doubt(&self, name: &Name, rtype: RecordType, question: &Arc<Question>, rounds: Rounds) -> (Rounds, bool) {
        let unchecked = Box::pin(self.known(name, rtype, Route::Unchecked)).await;
        if !unchecked.get().is_some_and(Known::gives_data) {
            return (rounds, false);
        }
        if rounds.heard.as_ref().is_some_and(blames_validation) {
            return (rounds, true);
        }
        let again = self.ask_around(&self.resolvers, question, None).await;
        match &again.heard {
            Some(heard) if rcode(&heard.octets) == SERVFAIL => (again, true),
            Some(_) => (again, false),
            None => (rounds, true),
        }
    }

    /// Asks servers in their order, in rounds that wait longer and longer, until one gives an answer.
    /// `first` is what came of the first attempt with the first server, if that was made already.
    async fn ask_around(
        &self,
        servers: &[Upstream],
        question: &Arc<Question>,
        mut first: Option<batch::Outcome>,
    ) -> Rounds {
        let mut rounds = Rounds { heard: None, misses: Vec::new() };
        let Ok(_permit) = self.permits.acquire().await else { return rounds };
        let mut given_up = vec![false; servers.len()];
        for attempt in 0..self.options.attempts.max(1) {
            if given_up.iter().all(|given_up| *given_up) {
                break;
            }
            if attempt > 0 && !rounds.misses.iter().any(|miss| miss.cause == Cause::DnsTimeout) {
                // Who fails at once is not asked again at once.
                tokio::time::sleep(self.wait(attempt).min(Duration::from_millis(50 << attempt.min(5)))).await;
            }
            for (server, given_up) in servers.iter().zip(&mut given_up).filter(|(_, given_up)| !**given_up) {
                match self.path(server.address, Some(&server.pool), attempt).await.ask(question, first.take()).await {
                    Ok(heard) if matches!(rcode(&heard.octets), NOERROR | NXDOMAIN) => {
                        rounds.heard = Some(heard);
                        return rounds;
                    }
                    Ok(heard) => {
                        // SERVFAIL may pass; what a server refuses or does not understand, it does the next time, too.
                        *given_up = attempt > 0 || rcode(&heard.octets) != SERVFAIL || blames_validation(&heard);
                        rounds.heard = Some(heard);
                    }
                    Err(miss) => {
                        *given_up = !matches!(miss.cause, Cause::DnsTimeout | Cause::Unreachable);
                        rounds.misses.push(miss);
                    }
                }
            }
        }
        rounds
    }

    /// A server, when it is its turn.
    async fn path<'a>(&'a self, server: SocketAddr, pool: Option<&'a Pool>, attempt: u32) -> Path<'a> {
        self.pace.turn(server).await;
        let source = self.options.source_address;
        Path { server, source, pool, random: &self.random, wait: self.wait(attempt) }
    }

    /// How long an attempt waits: half as long as the next one; the last one the whole time.
    pub(super) fn wait(&self, attempt: u32) -> Duration {
        let later = self.options.attempts.max(1).saturating_sub(attempt + 1).min(4);
        self.options.timeout / (1 << later)
    }

    /// Registers what came of a question to resolvers, and reads it.
    fn register(&self, suffix: String, name: &Name, rtype: RecordType, rounds: Rounds) -> Known {
        let Some(heard) = rounds.heard else {
            return self.register_silence(&path(name, rtype, &suffix), name, rtype, &rounds.misses);
        };
        let file = self.recorder.begin();
        let Rendered { said, plain, span, text } = rendered(file, (name, rtype), &heard, &rounds.misses);
        let message = Arc::new(Message { name: name.clone(), rtype, suffix, heard, span, plain });
        let kept = self.options.validate.then(|| Arc::clone(&message));
        Known::heard(said, kept, span, self.recorder.fill_held(file, text, message))
    }

    /// Registers that no reply came.
    fn register_silence(&self, path: &str, name: &Name, rtype: RecordType, misses: &[Miss]) -> Known {
        let silence = self.silence(path, name, rtype, misses);
        let held = self.recorder.hold(silence.span.file);
        Known::silent(silence, held)
    }

    /// Registers the attempts.
    fn silence(&self, path: &str, name: &Name, rtype: RecordType, misses: &[Miss]) -> Silence {
        let file = self.recorder.reserve(path);
        let mut silence = silence(file, name, rtype, misses);
        if self.replayed.is_some() {
            silence.no_reply.note = "the evidence of the run holds no answer to this question".into();
        }
        let (text, raw) = (silence.text.clone(), silence.text.clone());
        let title = format!("{}, not answered", subject(name, rtype));
        self.recorder.fill(file, text, Artefact { kind: ArtefactKind::DnsMessage, title, time: now(), raw });
        silence
    }

    /// What one server says, whatever its response code.
    pub(super) async fn ask_server(
        &self,
        address: IpAddr,
        name: &Name,
        rtype: RecordType,
        mode: Ask,
    ) -> Result<Reply, NoReply> {
        let server = SocketAddr::new(address, self.options.authority_port);
        let (rtype, path) = match mode {
            Ask::Iterative => (rtype, path(name, rtype, &format!("@{address}"))),
            Ask::Recursive => (rtype, path(name, rtype, &format!("@{address}+recursive"))),
            Ask::Transfer => (AXFR, path(name, AXFR, &format!("@{address}"))),
        };
        let wish = Wish { recursion: mode == Ask::Recursive, checking_disabled: false, signatures: false };
        let question = Arc::new(Question::new(name, rtype, wish));
        match self.ask_alone(server, &question, mode == Ask::Transfer).await {
            Ok(heard) => self.register_reply(&path, name, rtype, heard),
            Err(misses) => Err(self.silence(&path, name, rtype, &misses).no_reply),
        }
    }

    /// A name that surely does not exist.
    pub(super) fn canary_name(&self) -> Option<Name> {
        let mut label = "mailvet-".to_owned();
        for _ in 0..4 {
            let _ = write!(label, "{:04x}", self.random.number().ok()?);
        }
        Name::root().child(&format!("{label}.invalid")).ok()
    }

    /// The address that a resolver gives for a name that does not exist, if it does.
    pub(super) async fn made_up(&self, resolver: &Upstream, name: &Name) -> Option<IpAddr> {
        let rtype = RecordType::A;
        let wish = Wish { recursion: true, checking_disabled: false, signatures: true };
        let question = Arc::new(Question::new(name, rtype, wish));
        let rounds = self.ask_around(std::slice::from_ref(resolver), &question, None).await;
        let suffix = format!("@{}+canary", resolver.address.ip());
        match self.register(suffix, name, rtype, rounds).said.answer.outcome {
            Outcome::Records(records) => records.iter().find_map(|record| match record.data {
                RData::A(address, _) => Some(IpAddr::V4(address)),
                _ => None,
            }),
            _ => None,
        }
    }

    /// Asks a server that no sockets are kept for.
    async fn ask_alone(&self, server: SocketAddr, question: &Arc<Question>, tcp: bool) -> Result<Heard, Vec<Miss>> {
        let mut misses = Vec::new();
        if self.replayed.is_some() {
            return Err(misses);
        }
        let Ok(_permit) = self.sockets.acquire().await else { return Err(misses) };
        for attempt in 0..self.options.attempts.max(1) {
            let path = self.path(server, None, attempt).await;
            let tried = match tcp {
                true => path.ask_over_tcp(question).await,
                false => path.ask(question, None).await,
            };
            match tried {
                Ok(heard) => return Ok(heard),
                Err(miss) => {
                    let lost = miss.cause == Cause::DnsTimeout && !tcp;
                    misses.push(miss);
                    if !lost {
                        break;
                    }
                }
            }
        }
        Err(misses)
    }

    fn register_reply(&self, path: &str, name: &Name, rtype: RecordType, heard: Heard) -> Result<Reply, NoReply> {
        let file = self.recorder.reserve(path);
        let (read, text) = reply(file, &heard);
        self.recorder.fill(file, text, artefact(name, rtype, heard));
        read
    }
}

impl Origin for Message {
    fn path(&self) -> String {
        path(&self.name, self.rtype, &self.suffix)
    }

    fn raw(&self) -> &[u8] {
        &self.heard.octets
    }

    fn artefact(&self) -> Artefact {
        artefact(&self.name, self.rtype, self.heard.clone())
    }
}

/// What a message of the resolvers says, its place, and its text.
pub(super) struct Rendered {
    pub(super) said: Said,
    pub(super) plain: Option<Plain>,
    pub(super) span: Span,
    pub(super) text: Vec<u8>,
}

/// Reads a message of the resolvers.
pub(super) fn rendered(file: FileId, (name, rtype): (&Name, RecordType), heard: &Heard, misses: &[Miss]) -> Rendered {
    let (mut page, mut plain) = (Page::new(file), None);
    let said = match wire::Message::read(&heard.octets, Some(name)) {
        Ok(message) => {
            plain = Plain::of(&message, name, rtype);
            let first = head(heard, &message, false, &mut page);
            for miss in misses.iter().filter(|_| !matches!(message.rcode, NOERROR | NXDOMAIN)) {
                page.line(format_args!(";; also: {}", miss.note));
            }
            match convert::show(&message, Some(rtype), &mut page) {
                Ok(shown) => outcome::read((heard, &message), shown, (name, rtype), first),
                Err(unshown) => unreadable(heard, unshown, &mut page),
            }
        }
        Err(broken) => unreadable(heard, broken.into(), &mut page),
    };
    let text = page.finish();
    let span = Span::new(file, 0, u32::try_from(text.len()).unwrap_or(u32::MAX));
    Rendered { said, plain, span, text }
}

/// What one server said, and its text.
pub(super) fn reply(file: FileId, heard: &Heard) -> (Result<Reply, NoReply>, Vec<u8>) {
    let mut page = Page::new(file);
    let read = wire::Message::read(&heard.octets, None).map_err(Unshown::from).and_then(|message| {
        head(heard, &message, true, &mut page);
        let Shown { records, .. } = convert::show(&message, None, &mut page)?;
        let mut reply = Reply {
            rcode: message.rcode,
            authoritative: message.authoritative(),
            recursion_available: message.recursion_available(),
            answers: Vec::new(),
            authority: Vec::new(),
            additional: Vec::new(),
            span: Span::new(file, 0, 0),
        };
        records.into_iter().for_each(|(section, record)| section_of(&mut reply, section).push(record));
        Ok(reply)
    });
    let read = read.map_err(|unshown| match unreadable(heard, unshown, &mut page).answer.outcome {
        Outcome::Unknown { cause, note, span } => NoReply { cause, note, span },
        _ => NoReply { cause: Cause::Protocol, note: unshown.to_string().into(), span: None },
    });
    let text = page.finish();
    let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
    (read.map(|reply| Reply { span: Span::new(file, 0, end), ..reply }), text)
}

/// What is kept of a question that nobody answered.
pub(super) struct Silence {
    pub(super) no_reply: NoReply,
    /// The first line of the text.
    pub(super) span: Span,
    pub(super) text: Vec<u8>,
}

/// Writes the attempts down: the cause of the last one, a sentence, and the place.
pub(super) fn silence(file: FileId, name: &Name, rtype: RecordType, misses: &[Miss]) -> Silence {
    let mut page = Page::new(file);
    let span = page.line(format_args!("{NO_ANSWER}{}", subject(name, rtype)));
    for miss in misses {
        // The words are all that is kept of it.
        debug_assert_eq!(Miss::read(&miss.note), *miss);
        page.line(format_args!(";; {}", miss.note));
    }
    let (cause, mut note) = match misses.last() {
        Some(miss) => (miss.cause, miss.note.clone()),
        None => (Cause::NotCollected, "no server to ask".to_owned()),
    };
    if misses.len() > 1 {
        let _ = write!(note, ", {} attempts", misses.len());
    }
    Silence { no_reply: NoReply { cause, note: note.into(), span: Some(span) }, span, text: page.finish() }
}

/// Data that fail validation, not a resolver that is broken.
pub(super) fn blame_validation(cause: &mut Cause, note: &mut Arc<str>) {
    *cause = Cause::DnssecBogus;
    *note = format!("{note}; it hands the data over when it is told not to validate them").into();
}

/// The question for a resolver.
pub(super) fn question(name: &Name, rtype: RecordType) -> Question {
    Question::new(name, rtype, Wish { recursion: true, checking_disabled: false, signatures: true })
}

fn section_of(reply: &mut Reply, section: Section) -> &mut Vec<Record> {
    match section {
        Section::Answer => &mut reply.answers,
        Section::Authority => &mut reply.authority,
        Section::Additional => &mut reply.additional,
    }
}

/// The four bits of the response code in the header.
pub(super) fn rcode(octets: &[u8]) -> u16 {
    octets.get(3).map_or(u16::MAX, |flags| u16::from(flags & 0x0f))
}

fn blames_validation(heard: &Heard) -> bool {
    wire::Message::read(&heard.octets, None).is_ok_and(|message| outcome::blames_validation(&message))
}

/// The lines above the records.
fn head(heard: &Heard, message: &wire::Message<'_>, flags: bool, page: &mut Page) -> Span {
    let count = message.records.iter().filter(|head| head.section == Section::Answer).count();
    let (word, plural) = (wire::rcode_word(message.rcode), if count == 1 { "" } else { "s" });
    let first = page.heading(&word, count, plural, heard.server, heard.transport);
    if flags {
        let words: Vec<&str> = message.flags().collect();
        page.line(format_args!(";; flags: {}", words.join(" ")));
    }
    if let Some(error) = &message.extended {
        page.line(format_args!(";; extended error {}", outcome::extended_line(error.code, &error.text)));
    }
    first
}

/// A message that cannot be read.
fn unreadable(heard: &Heard, unshown: Unshown, page: &mut Page) -> Said {
    let (server, transport) = (heard.server, heard.transport);
    let span = page.line(format_args!(";; {server} sent a message over {transport} that cannot be read: {unshown}"));
    let (cause, what) = match unshown {
        Unshown::Broken(_) => (Cause::Protocol, "is not a DNS message"),
        Unshown::TooLong => (Cause::LimitReached, "is too large"),
    };
    let note = format!("the answer of {server} {what}: {unshown}").into();
    let outcome = Outcome::Unknown { cause, note, span: Some(span) };
    let answer = Answer { aliases: Vec::new(), outcome, wildcard: false, incomplete: None };
    Said { answer, onward: None, zone: None }
}

fn artefact(name: &Name, rtype: RecordType, heard: Heard) -> Artefact {
    let title = format!("{}, asked of {} over {}", subject(name, rtype), heard.server, heard.transport);
    Artefact { kind: ArtefactKind::DnsMessage, title, time: now(), raw: heard.octets }
}

/// Under which path people find what came of a question.
fn path(name: &Name, rtype: RecordType, suffix: &str) -> String {
    let of_type = |rtype: &str| ["dns/", name.as_str(), "/", rtype, suffix].concat();
    match rtype.mnemonic() {
        _ if rtype == AXFR => of_type("AXFR"),
        Some(mnemonic) => of_type(mnemonic),
        None => of_type(&rtype.to_string()),
    }
}

/// What is asked for, in words.
fn subject(name: &Name, rtype: RecordType) -> String {
    match rtype {
        AXFR => format!("the transfer of {name}"),
        _ => format!("{rtype} {name}"),
    }
}

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
