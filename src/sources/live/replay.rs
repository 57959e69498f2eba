//! Answers that an earlier run kept, read again: a [`Live`] that knows them and has no network.
//!
//! The messages go through the same reading as when they were received, and the texts that this gives must be those that
//! were kept. What nobody answered was kept as a text that says what was tried; its words tell the cause. A question that
//! the run did not keep is unknown here, because there is nobody to ask. Signatures are judged by the time at which the
//! answer was received.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use super::exchange::{Heard, Miss, Transport};
use super::keys::{AskKey, QuestionKey};
use super::outcome::SERVFAIL;
use super::pace::Pace;
use super::random::Random;
use super::resolve::{self, AXFR, Known, Rendered, Route};
use super::validate::Validator;
use super::wire::{Question, Wish};
use super::{Cache, Live, LiveError, Message, Options, Replied, Semaphore};
use crate::diag::FileId;
use crate::facts::Recorder;
use crate::facts::domain::Time;
use crate::mail::Name;
use crate::sources::record::{Ask, Outcome, RecordType};

/// A message that a run kept.
#[derive(Debug, Clone)]
pub struct KeptMessage {
    /// The file of its text.
    pub file: FileId,
    /// The name of the text, such as `dns/example.org/MX`.
    pub path: String,
    /// What it is, in words; from whom it came stands there.
    pub title: String,
    /// When it was received.
    pub time: Time,
    /// The bytes as received, or the text, when nothing was received.
    pub raw: Vec<u8>,
    /// The text.
    pub text: Vec<u8>,
}

/// What a message answers.
enum Asked {
    Resolvers(Name, RecordType, Route),
    Server(IpAddr, Name, RecordType, Ask),
    /// The question whether a resolver makes names up: no fact follows from it.
    Canary,
}

impl KeptMessage {
    /// What it answers, as its name says.
    fn asked(&self) -> Option<Asked> {
        let (name, kind) = self.path.strip_prefix("dns/")?.rsplit_once('/')?;
        let (rtype, whom) = kind.split_at(kind.find(['@', '+']).unwrap_or(kind.len()));
        let name = Name::parse(name).ok()?;
        let rtype = if rtype == "AXFR" { AXFR } else { RecordType::parse(rtype)? };
        if let "" | "+cd" = whom {
            let route = if whom.is_empty() { Route::Resolvers } else { Route::Unchecked };
            return Some(Asked::Resolvers(name, rtype, route));
        }
        let (server, mode) = whom.strip_prefix('@')?.split_once('+').unwrap_or((whom.get(1..)?, ""));
        let server = server.parse().ok()?;
        Some(match mode {
            "second" => Asked::Resolvers(name, rtype, Route::Second),
            "canary" => Asked::Canary,
            "recursive" => Asked::Server(server, name, rtype, Ask::Recursive),
            "" if rtype == AXFR => Asked::Server(server, name, rtype, Ask::Transfer),
            "" => Asked::Server(server, name, rtype, Ask::Iterative),
            _ => return None,
        })
    }

    /// The message, and from whom it came; `None` when nobody answered.
    fn heard(&self) -> Result<Option<Heard>, String> {
        if self.title.ends_with(", not answered") {
            return Ok(None);
        }
        let from = || {
            let (server, transport) = self.title.rsplit_once(", asked of ")?.1.rsplit_once(" over ")?;
            let transport =
                [Transport::Udp, Transport::Tcp].into_iter().find(|known| known.to_string() == transport)?;
            Some((server.parse::<SocketAddr>().ok()?, transport))
        };
        let (server, transport) = from().ok_or_else(|| "it does not say from whom it came".to_owned())?;
        Ok(Some(Heard { octets: self.raw.clone(), server, transport }))
    }

    /// What was tried in vain: lines of the text after a prefix.
    fn misses(&self, prefix: &str) -> Vec<Miss> {
        let text = String::from_utf8_lossy(&self.text);
        let lines = text.lines().filter(|line| !line.starts_with(resolve::NO_ANSWER));
        lines.filter_map(|line| line.strip_prefix(prefix)).map(Miss::read).collect()
    }

    /// Whether the message answers the question that its name says.
    fn check(&self, name: &Name, rtype: RecordType) -> Result<(), String> {
        let wish = Wish { recursion: true, checking_disabled: false, signatures: true };
        match Question::new(name, rtype, wish).is_answered_by(&self.raw) {
            true => Ok(()),
            false => Err("the message does not answer the question that its name says".to_owned()),
        }
    }
}

impl Live {
    /// A source that knows what [`Live::remember`] is given, and asks nobody.
    ///
    /// # Errors
    /// Trust anchors that cannot be read.
    pub fn replay(options: Options, recorder: Arc<Recorder>) -> Result<Live, LiveError> {
        let validator = Validator::new(options.trust_anchors.as_deref()).map_err(LiveError::TrustAnchors)?;
        Ok(Live {
            random: Random::new(),
            pace: Pace::new(None),
            resolvers: Vec::new(),
            second: Vec::new(),
            permits: Arc::new(Semaphore::new(1)),
            sockets: Semaphore::new(1),
            questions: Cache::new(usize::MAX),
            asked: Cache::new(usize::MAX),
            validations: Cache::new(usize::MAX),
            validator,
            replayed: Some(Mutex::default()),
            options,
            recorder,
        })
    }

    /// Takes in a message that was kept. One that answers the same question as an earlier one takes its place. Those that were
    /// asked for without checking come before the others, because what a failure means follows from them.
    ///
    /// # Errors
    /// Why the message is not what it is said to be; what can be read of it is used all the same.
    pub fn remember(&self, kept: &KeptMessage) -> Result<(), String> {
        let asked = kept.asked().ok_or_else(|| "its name does not say what was asked".to_owned())?;
        if let Some(times) = &self.replayed {
            times.lock().unwrap_or_else(PoisonError::into_inner).insert(kept.file, kept.time.0);
        }
        let heard = kept.heard()?;
        let checked = |name: &Name, rtype| if heard.is_some() { kept.check(name, rtype) } else { Ok(()) };
        let (checked, text) = match asked {
            Asked::Canary => return Ok(()),
            Asked::Resolvers(name, rtype, route) => {
                let checked = checked(&name, rtype);
                let (known, text) = self.known_again(kept, heard, (&name, rtype), route);
                let key = QuestionKey { name: &name, rtype, route };
                if self.questions.put(key.to_owned(), known) {
                    self.forget_validations();
                }
                (checked, text)
            }
            Asked::Server(server, name, rtype, mode) => {
                let checked = checked(&name, rtype);
                let (reply, text) = match &heard {
                    Some(heard) => resolve::reply(kept.file, heard),
                    None => {
                        let silence = resolve::silence(kept.file, &name, rtype, &kept.misses(";; "));
                        (Err(silence.no_reply), silence.text)
                    }
                };
                let key = AskKey { server, name: &name, rtype, mode };
                self.asked.put(key.to_owned(), Replied { reply, _held: None });
                (checked, text)
            }
        };
        checked?;
        if text == kept.text { Ok(()) } else { Err("its text is not what the message says".to_owned()) }
    }

    /// What follows from a message to the resolvers, and its text.
    fn known_again(
        &self,
        kept: &KeptMessage,
        heard: Option<Heard>,
        (name, rtype): (&Name, RecordType),
        route: Route,
    ) -> (Known, Vec<u8>) {
        let Some(heard) = heard else {
            let silence = resolve::silence(kept.file, name, rtype, &kept.misses(";; "));
            let text = silence.text.clone();
            return (Known::silent(silence, None), text);
        };
        let Rendered { mut said, plain, span, text } =
            resolve::rendered(kept.file, (name, rtype), &heard, &kept.misses(";; also: "));
        let failed = resolve::rcode(&heard.octets) == SERVFAIL;
        if let (true, Outcome::Unknown { cause, note, .. }) =
            (failed && route == Route::Resolvers && self.gives_unchecked(name, rtype), &mut said.answer.outcome)
        {
            resolve::blame_validation(cause, note);
        }
        let message = || Message { name: name.clone(), rtype, suffix: String::new(), heard, span, plain };
        let message = self.options.validate.then(|| Arc::new(message()));
        (Known::heard(said, message, span, None), text)
    }

    /// Whether the resolvers handed the data over when they were told not to validate them.
    fn gives_unchecked(&self, name: &Name, rtype: RecordType) -> bool {
        let cell = self.questions.known(&QuestionKey { name, rtype, route: Route::Unchecked });
        cell.is_some_and(|cell| cell.get().is_some_and(Known::gives_data))
    }

    /// Forgets what followed from messages that others have taken the place of.
    fn forget_validations(&self) {
        self.validations.clear();
        self.validator.forget();
    }

    /// When the text of an answer was received, in a replay.
    pub(super) fn time_of(&self, file: FileId) -> Option<i64> {
        let times = self.replayed.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        times.get(&file).copied()
    }
}
