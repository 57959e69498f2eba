//! Evidence: the raw artefacts that facts rest on, and the recorder that keeps them during a run.
//!
//! An [`Artefact`] is what came over the network, byte for byte: a DNS message, the transcript of a session, a
//! certificate, an HTTP response. Its id is the SHA-256 of these bytes. Beside them stands a text that people can read;
//! the text is registered like a file, so that a fact points at the characters it was read from, wherever they came
//! from, and the file names the artefact behind it. Nothing here interprets an artefact.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::{HashMap, HashSet};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::domain::Time;
use crate::diag::{FileId, Files};

words! {
    /// What kind of thing an artefact is.
    pub enum ArtefactKind unordered {
        /// A DNS message as received (RFC 1035 section 4), or, when no answer came, a line of text that says so.
        DnsMessage = "dns-message",
        /// The lines of a session in both directions. Secrets are replaced before they are written.
        Transcript = "transcript",
        /// A certificate chain as sent: DER certificates one after the other.
        Certificates = "certificates",
        /// An HTTP response: head and body.
        HttpResponse = "http-response",
    }
}

/// An immutable raw artefact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Artefact {
    /// Its kind.
    pub kind: ArtefactKind,
    /// What it is, in words: `MX example.org, asked of 192.0.2.53:53 over UDP`.
    pub title: String,
    /// When it was received.
    pub time: Time,
    /// The bytes as received, in base64 when written as JSON.
    #[serde(with = "base64_bytes")]
    #[schemars(with = "String")]
    pub raw: Vec<u8>,
}

impl Artefact {
    /// The id: SHA-256 of the bytes, in hexadecimal digits.
    pub fn id(&self) -> String {
        id_of(&self.raw)
    }
}

fn id_of(raw: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(raw))
}

/// Keeps what a run observes: texts in the table of files, raw artefacts beside them. Shared by all tasks of a run.
#[derive(Debug)]
pub struct Recorder {
    inner: Mutex<Inner>,
    /// Whether raw artefacts are kept, and all texts with them.
    keep_raw: bool,
}

/// The text of a file, for as long as somebody may still point at it. When the last one is dropped and nothing quotes
/// the file ([`Recorder::quote`]), a run that keeps no raw artefacts drops the text: most messages of a large run say
/// what is expected, and no finding ever points at them.
#[derive(Debug)]
pub struct Held {
    recorder: Arc<Recorder>,
    file: FileId,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.recorder.with(|inner| inner.let_go(self.file));
    }
}

/// What a text renders, and under which path people find it. Asked for what is kept only: in a run without a snapshot
/// that is what findings quote, a small part of all messages.
pub trait Origin: fmt::Debug + Send + Sync {
    /// The path of the text.
    fn path(&self) -> String;

    /// The bytes of the artefact behind it.
    fn raw(&self) -> &[u8];

    /// The artefact behind it.
    fn artefact(&self) -> Artefact;
}

/// A text that is in the table of files only once something quotes it ([`Recorder::quote_text`]).
#[derive(Debug)]
pub struct HeldText {
    file: FileId,
    text: Vec<u8>,
    origin: Arc<dyn Origin>,
    /// Whether it is in the table.
    quoted: AtomicBool,
}

impl HeldText {
    /// The id by which spans name the text.
    pub fn file(&self) -> FileId {
        self.file
    }
}

#[derive(Debug)]
struct Inner {
    files: Files,
    artefacts: Vec<(FileId, Artefact)>,
    /// Files that were reserved and are not filled yet.
    unfilled: BTreeSet<FileId>,
    /// How many [`Held`] there are of each file whose text may be dropped.
    held: HashMap<FileId, usize>,
    /// Files that are pointed at by what outlives the targets.
    quoted: HashSet<FileId>,
    /// Whether the files have been taken: what comes later is dropped.
    closed: bool,
}

impl Recorder {
    /// A recorder that adds to `files`. Without `keep_raw`, the bytes of artefacts are dropped once they have an id.
    pub fn new(files: Files, keep_raw: bool) -> Recorder {
        Recorder {
            inner: Mutex::new(Inner {
                files,
                artefacts: Vec::new(),
                unfilled: BTreeSet::new(),
                held: HashMap::new(),
                quoted: HashSet::new(),
                closed: false,
            }),
            keep_raw,
        }
    }

    /// Keeps the text of a file while the result exists, and lets it be dropped afterwards; `None` where every text is
    /// kept. Texts that nobody ever held stay.
    pub fn hold(self: &Arc<Self>, file: FileId) -> Option<Held> {
        if self.keep_raw {
            return None;
        }
        self.with(|inner| *inner.held.entry(file).or_default() += 1);
        Some(Held { recorder: Arc::clone(self), file })
    }

    /// Keeps the texts of files for good: a finding points at them. They must be held while this is called.
    pub fn quote(&self, files: impl IntoIterator<Item = FileId>) {
        if !self.keep_raw {
            self.with(|Inner { held, quoted, .. }| {
                quoted.extend(files.into_iter().filter(|file| held.contains_key(file)));
            });
        }
    }

    /// Puts a text into the table of files for good: a finding points at it.
    pub fn quote_text(&self, held: &HeldText) {
        if held.quoted.swap(true, Ordering::Relaxed) {
            return;
        }
        // Digests are computed outside the lock.
        let (path, evidence) = (held.origin.path(), id_of(held.origin.raw()));
        self.with(|inner| {
            if !inner.closed {
                inner.files.fill(held.file, held.text.clone(), "");
                inner.files.name(held.file, path, evidence);
            }
        });
    }

    /// An id for a text that follows at once, by [`Recorder::fill_held`].
    pub fn begin(&self) -> FileId {
        self.with(|inner| {
            if !self.keep_raw {
                return inner.files.skip();
            }
            let id = inner.files.add(String::new(), Vec::new());
            inner.unfilled.insert(id);
            id
        })
    }

    /// Gives the text of what was begun. Where everything is kept, it goes into the table of files; otherwise it comes
    /// back, to be kept for as long as somebody may quote it.
    pub fn fill_held(&self, id: FileId, text: Vec<u8>, origin: Arc<impl Origin + 'static>) -> Option<HeldText> {
        if !self.keep_raw {
            return Some(HeldText { file: id, text, origin, quoted: AtomicBool::new(false) });
        }
        let (path, artefact) = (origin.path(), origin.artefact());
        let evidence = artefact.id();
        self.with(|inner| {
            if !inner.closed {
                inner.unfilled.remove(&id);
                inner.files.fill(id, text, "");
                inner.files.name(id, path, evidence);
                inner.artefacts.push((id, artefact));
            }
        });
        None
    }

    /// Registers an artefact under a path that people can read, with the text that renders it.
    pub fn record(&self, path: &str, text: Vec<u8>, artefact: Artefact) -> FileId {
        let id = self.reserve(path);
        self.fill(id, text, artefact);
        id
    }

    /// Registers a path whose text is not complete yet, for spans into it. [`Recorder::fill`] must follow.
    pub fn reserve(&self, path: &str) -> FileId {
        self.with(|inner| {
            let id = inner.files.add(path, Vec::new());
            inner.unfilled.insert(id);
            id
        })
    }

    /// Completes what was reserved.
    pub fn fill(&self, id: FileId, text: Vec<u8>, artefact: Artefact) {
        let evidence = artefact.id();
        self.with(|inner| {
            if inner.closed {
                return;
            }
            inner.unfilled.remove(&id);
            inner.files.fill(id, text, evidence);
            if self.keep_raw {
                inner.artefacts.push((id, artefact));
            }
        });
    }

    /// Looks at the files registered so far.
    pub fn files<T>(&self, look: impl FnOnce(&Files) -> T) -> T {
        self.with(|inner| look(&inner.files))
    }

    /// Takes the raw artefacts kept so far, so that they can be written while the run goes on.
    pub fn take_artefacts(&self) -> Vec<(FileId, Artefact)> {
        self.with(|inner| std::mem::take(&mut inner.artefacts))
    }

    /// Ends the recording where others may still hold the recorder: what they observe from now on is dropped.
    pub fn close(&self) -> (Files, Vec<(FileId, Artefact)>) {
        self.with(|inner| {
            inner.closed = true;
            inner.end_unfilled(self.keep_raw);
            let mut artefacts = std::mem::take(&mut inner.artefacts);
            artefacts.sort_by_key(|(file, _)| *file);
            (std::mem::take(&mut inner.files), artefacts)
        })
    }

    /// Ends the recording: all files, and the raw artefacts in the order of their files.
    pub fn finish(self) -> (Files, Vec<(FileId, Artefact)>) {
        let mut inner = self.inner.into_inner().unwrap_or_else(PoisonError::into_inner);
        inner.end_unfilled(self.keep_raw);
        inner.artefacts.sort_by_key(|(file, _)| *file);
        (inner.files, inner.artefacts)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    fn let_go(&mut self, file: FileId) {
        let Some(count) = self.held.get_mut(&file) else { return };
        *count -= 1;
        if *count > 0 {
            return;
        }
        self.held.remove(&file);
        if !self.closed && !self.quoted.contains(&file) {
            self.files.clear(file);
        }
    }

    /// What was begun and dropped is evidence without a byte: it must not be taken for a file of the repository.
    fn end_unfilled(&mut self, keep_raw: bool) {
        for id in std::mem::take(&mut self.unfilled) {
            let title = format!("{}, dropped before its end", self.files.get(id).path);
            let artefact = Artefact { kind: ArtefactKind::Transcript, title, time: Time(0), raw: Vec::new() };
            self.files.fill(id, Vec::new(), artefact.id());
            if keep_raw {
                self.artefacts.push((id, artefact));
            }
        }
    }
}

/// Bytes as base64 in JSON.
pub(super) mod base64_bytes {
    use data_encoding::BASE64;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(in crate::facts) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(bytes))
    }

    pub(in crate::facts) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64.decode(text.as_bytes()).map_err(D::Error::custom)
    }
}
