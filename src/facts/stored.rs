//! The snapshot as a file: JSON Lines, one line for each part, so that it is written and read as a stream.
//!
//! The first line is the header; then come targets with their facts, files (the texts that spans point into), raw
//! artefacts and the coverage statement in any order; the last line counts them and holds a SHA-256 over all bytes before
//! it, so that a file that was cut or changed is recognised. Ids of files are those of the run that wrote them, so that
//! spans keep their meaning; ids without a line belonged to packs and waivers, which are no part of a snapshot.
//!
//! A reader goes through the file twice: [`check`] reads everything but the facts and proves that the file is whole;
//! [`targets`] hands over the facts target by target. A key that this version does not know is an error: to drop it
//! would be to judge less than was collected.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::domain::Time;
use super::evidence::base64_bytes;
use super::{
    Artefact, ArtefactKind, Coverage, Ignored, LiveCoverage, LiveMessage, NotEvaluated, SourceRead, TargetFacts,
};
use crate::diag::{Diagnostic, FileId, Files, Level, SourceFile, Span, stored_code};

/// Version of the format. It changes when a reader of the old one would misread the new one.
pub const FORMAT: u32 = 1;

/// Longest line that is read, in bytes.
const MAX_LINE: u64 = 64 << 20;

/// Most ids of files without a line: files of policy that the run had read.
const MAX_GAPS: u32 = 1 << 16;

/// One line of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotLine {
    /// The first line: who collected, when, and from where.
    Header(Header),
    /// A target with its facts.
    Target(StoredTarget),
    /// A text that spans point into.
    File(StoredFile),
    /// A raw artefact.
    Evidence(StoredArtefact),
    /// What was looked at, and what was not.
    Coverage(StoredCoverage),
    /// The last line: what the file holds.
    End(End),
}

/// Who collected, when, and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Version of the format; 1.
    pub format: u32,
    /// Version of mailvet that collected.
    pub version: String,
    /// When the collection started.
    pub started: Time,
    /// The inventory that was used; findings without a place in a file are located there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<String>,
    /// From where and how was looked.
    pub vantage: Vantage,
}

/// From where and how a run looked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vantage {
    /// Resolvers, as `address:port`.
    pub resolvers: Vec<String>,
    /// Name that was given in EHLO.
    pub ehlo: String,
    /// Address that was sent from, when one was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_address: Option<String>,
    /// Whether mail services were connected to.
    pub probed: bool,
    /// Whether claimed hosts were probed actively.
    pub active: bool,
}

/// A target with its facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredTarget {
    /// Name as reports show it.
    pub name: String,
    /// Where the target stands in the files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Span>,
    /// Its facts, by the kind of the target. A missing fact was not collected.
    pub facts: TargetFacts,
}

/// A text that spans point into. Exactly one of `text` and `base64` is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredFile {
    /// Its id in spans.
    pub id: FileId,
    /// Its path, or for evidence the name it goes by.
    pub path: String,
    /// Its text, when it is UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Its bytes in base64, when they are not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// Id of the artefact that the text renders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// A raw artefact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredArtefact {
    /// SHA-256 of the bytes, in hexadecimal digits.
    pub id: String,
    /// The file that renders it.
    pub file: FileId,
    /// Its kind.
    pub kind: ArtefactKind,
    /// What it is, in words.
    pub title: String,
    /// When it was received.
    pub time: Time,
    /// The bytes as received, in base64.
    #[serde(with = "base64_bytes")]
    #[schemars(with = "String")]
    pub raw: Vec<u8>,
}

/// What was looked at, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredCoverage {
    /// What was asked on the network; absent for a run that read files only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveCoverage>,
    /// Messages of the run about itself.
    pub messages: Vec<StoredMessage>,
    /// What was read from files; absent for a run that asked the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<StoredSources>,
}

/// What was read from files, and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredSources {
    /// Files and zones that were read.
    pub sources: Vec<SourceRead>,
    /// Files that were found and not read as DNS data.
    pub ignored: Vec<Ignored>,
    /// Names whose records are not known from the files.
    pub not_evaluated: Vec<NotEvaluated>,
    /// Messages about the sources.
    pub diagnostics: Vec<StoredDiagnostic>,
}

/// A message about a place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredDiagnostic {
    /// How much it matters.
    pub level: Level,
    /// Kind of message.
    pub code: String,
    /// What is the matter.
    pub message: String,
    /// The characters it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// A few words beside these characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl From<&Diagnostic> for StoredDiagnostic {
    fn from(item: &Diagnostic) -> Self {
        let Diagnostic { level, code, message, span, label, help } = item.clone();
        StoredDiagnostic { level, code: code.to_owned(), message, span, label, help }
    }
}

impl From<&StoredDiagnostic> for Diagnostic {
    fn from(item: &StoredDiagnostic) -> Self {
        let StoredDiagnostic { level, code, message, span, label, help } = item.clone();
        Diagnostic { level, code: stored_code(&code), message, span, label, help }
    }
}

/// A message of a run about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredMessage {
    /// How much it matters.
    pub level: Level,
    /// Kind of message.
    pub code: LiveMessage,
    /// What is the matter.
    pub message: String,
}

/// What a snapshot holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// Number of targets.
    pub targets: u64,
    /// Number of files.
    pub files: u64,
    /// Number of raw artefacts.
    pub evidence: u64,
    /// SHA-256 of all bytes before this line, in hexadecimal digits.
    pub sha256: String,
}

impl StoredCoverage {
    /// The coverage statement as the engine takes it.
    pub fn coverage(&self) -> Coverage {
        let diagnostic = |item: &StoredMessage| Diagnostic::new(item.level, item.code.as_str(), item.message.as_str());
        let files = self.files.clone().unwrap_or_default();
        let of_files = files.diagnostics.iter().map(Diagnostic::from);
        Coverage {
            sources: files.sources,
            ignored: files.ignored,
            not_evaluated: files.not_evaluated,
            diagnostics: self.messages.iter().map(diagnostic).chain(of_files).collect(),
            live: self.live.clone().map(Box::new),
        }
    }

    /// The coverage statement of a run that read files only.
    pub fn of_files(coverage: &Coverage) -> StoredCoverage {
        let files = StoredSources {
            sources: coverage.sources.clone(),
            ignored: coverage.ignored.clone(),
            not_evaluated: coverage.not_evaluated.clone(),
            diagnostics: coverage.diagnostics.iter().map(StoredDiagnostic::from).collect(),
        };
        StoredCoverage { live: None, messages: Vec::new(), files: Some(files) }
    }
}

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file cannot be read.
    #[error("cannot read the snapshot: {0}")]
    Io(#[from] io::Error),
    /// Another version wrote it.
    #[error("the snapshot has format {0}, which mailvet {version} does not know", version = env!("CARGO_PKG_VERSION"))]
    Format(u64),
    /// The last line is missing.
    #[error("the snapshot ends early: its last line is missing")]
    Cut,
    /// What the last line says is not what the file holds.
    #[error("the snapshot was changed after it was written: {0}")]
    Changed(&'static str),
    /// A line cannot be used.
    #[error("line {line}: {reason}")]
    Line {
        /// The line, counted from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
}

/// Writes a snapshot line by line.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    hash: Sha256,
    end: End,
}

/// One part as a line; for writers on other threads than the one that holds the [`Writer`].
///
/// # Errors
/// A value that JSON cannot hold; facts have none.
pub fn line(part: &SnapshotLine) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(part)?;
    bytes.push(b'\n');
    Ok(bytes)
}

impl<W: Write> Writer<W> {
    /// A snapshot that starts with its header.
    ///
    /// # Errors
    /// Writing failed.
    pub fn new(out: W, header: Header) -> io::Result<Writer<W>> {
        let mut writer = Writer { out, hash: Sha256::new(), end: End::default() };
        writer.write(&line(&SnapshotLine::Header(header))?)?;
        Ok(writer)
    }

    /// Adds a target that [`line`] has made a line of.
    ///
    /// # Errors
    /// Writing failed.
    pub fn target(&mut self, line: &[u8]) -> io::Result<()> {
        self.end.targets += 1;
        self.write(line)
    }

    /// Adds a raw artefact.
    ///
    /// # Errors
    /// Writing failed.
    pub fn artefact(&mut self, file: FileId, artefact: Artefact) -> io::Result<()> {
        self.end.evidence += 1;
        let id = artefact.id();
        let Artefact { kind, title, time, raw } = artefact;
        self.write(&line(&SnapshotLine::Evidence(StoredArtefact { id, file, kind, title, time, raw }))?)
    }

    /// Adds a file.
    ///
    /// # Errors
    /// Writing failed.
    pub fn file(&mut self, id: FileId, file: &SourceFile) -> io::Result<()> {
        self.end.files += 1;
        let (text, base64) = match std::str::from_utf8(&file.bytes) {
            Ok(text) => (Some(text.to_owned()), None),
            Err(_) => (None, Some(data_encoding::BASE64.encode(&file.bytes))),
        };
        let evidence = file.evidence.as_deref().map(str::to_owned);
        self.write(&line(&SnapshotLine::File(StoredFile { id, path: file.path.clone(), text, base64, evidence }))?)
    }

    /// Adds a line that [`salvage`] has found whole in a snapshot that was not finished.
    ///
    /// # Errors
    /// Writing failed.
    pub fn salvaged(&mut self, line: &Salvaged<'_>) -> io::Result<()> {
        let (count, bytes) = match line {
            Salvaged::Target(_, bytes) => (&mut self.end.targets, bytes),
            Salvaged::File(_, bytes) => (&mut self.end.files, bytes),
            Salvaged::Evidence(bytes) => (&mut self.end.evidence, bytes),
        };
        *count += 1;
        self.write(bytes)
    }

    /// Hands what is written on to the system, and gives the file behind the writer.
    ///
    /// # Errors
    /// Writing failed.
    pub fn flush(&mut self) -> io::Result<&mut W> {
        self.out.flush()?;
        Ok(&mut self.out)
    }

    /// Adds the coverage statement.
    ///
    /// # Errors
    /// Writing failed.
    pub fn coverage(&mut self, coverage: StoredCoverage) -> io::Result<()> {
        self.write(&line(&SnapshotLine::Coverage(coverage))?)
    }

    /// Writes the last line and gives the writer back.
    ///
    /// # Errors
    /// Writing failed.
    pub fn finish(mut self) -> io::Result<W> {
        let sha256 = data_encoding::HEXLOWER.encode(&self.hash.clone().finalize());
        let end = SnapshotLine::End(End { sha256, ..self.end.clone() });
        self.write(&line(&end)?)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.hash.update(line);
        self.out.write_all(line)
    }
}

/// Everything of a snapshot but the facts.
#[derive(Debug)]
pub struct Checked {
    /// The header.
    pub header: Header,
    /// The files, with the ids of the run that collected.
    pub files: Files,
    /// What was looked at, and what was not.
    pub coverage: StoredCoverage,
}

/// Reads a snapshot but its facts, and proves that it is whole.
///
/// # Errors
/// A file that is cut, changed, of another version, or not a snapshot.
pub fn check(input: impl BufRead) -> Result<Checked, SnapshotError> {
    let mut lines = Lines::new(input);
    let header = header(&mut lines)?;
    let mut checking = Checking::default();
    let end = loop {
        let before = lines.hash.clone();
        let Some(line) = lines.next()? else { return Err(SnapshotError::Cut) };
        if let Some(end) = checking.take(&line)? {
            let sha256 = data_encoding::HEXLOWER.encode(&before.finalize());
            if sha256 != end.sha256 {
                return Err(SnapshotError::Changed("its SHA-256 is another one"));
            }
            break end;
        }
    };
    if lines.next()?.is_some() {
        return Err(SnapshotError::Changed("something follows its last line"));
    }
    checking.finish(header, &end)
}

/// Hands over the facts of a snapshot, target by target.
///
/// # Errors
/// A line that cannot be read.
pub fn targets(input: impl BufRead, mut each: impl FnMut(StoredTarget)) -> Result<(), SnapshotError> {
    let mut lines = Lines::new(input);
    while let Some(line) = lines.next()? {
        if line.kind() == Some("target") {
            match line.parse()? {
                SnapshotLine::Target(target) => each(target),
                _ => return Err(line.wrong("this is no target")),
            }
        }
    }
    Ok(())
}

/// A whole line of a snapshot that was not finished.
#[derive(Debug)]
pub enum Salvaged<'a> {
    /// A target, and its line.
    Target(Box<StoredTarget>, &'a [u8]),
    /// The id of a file, and its line.
    File(FileId, &'a [u8]),
    /// The line of an artefact.
    Evidence(&'a [u8]),
}

/// What can be used of a snapshot that was not finished.
#[derive(Debug)]
pub struct Partial {
    /// The header.
    pub header: Header,
    /// The files so far.
    pub files: Files,
}

/// Reads a snapshot that was not finished, up to its last whole line. Its writer puts files before the targets that point
/// into them, so that what is whole can be used.
///
/// # Errors
/// The header cannot be read, or `each` failed.
pub fn salvage(
    input: impl BufRead,
    mut each: impl FnMut(Salvaged<'_>) -> io::Result<()>,
) -> Result<Partial, SnapshotError> {
    let mut lines = Lines::new(input);
    let header = header(&mut lines)?;
    let mut files = BTreeMap::new();
    while let Ok(Some(line)) = lines.next() {
        match line.parse() {
            Ok(SnapshotLine::Target(target)) => each(Salvaged::Target(Box::new(target), &line.bytes))?,
            Ok(SnapshotLine::File(file)) => {
                each(Salvaged::File(file.id, &line.bytes))?;
                files.insert(file.id, file);
            }
            Ok(SnapshotLine::Evidence(_)) => each(Salvaged::Evidence(&line.bytes))?,
            // The end of a run that was killed before its bundle was sealed; both lines are written anew.
            Ok(SnapshotLine::Coverage(_) | SnapshotLine::End(_)) => {}
            Ok(SnapshotLine::Header(_)) | Err(_) => break,
        }
    }
    Ok(Partial { header, files: table(files)? })
}

/// Hands over the raw artefacts of a snapshot, one by one.
///
/// # Errors
/// A line that cannot be read, or `each` failed.
pub fn artefacts(
    input: impl BufRead,
    mut each: impl FnMut(StoredArtefact) -> Result<(), SnapshotError>,
) -> Result<(), SnapshotError> {
    let mut lines = Lines::new(input);
    while let Some(line) = lines.next()? {
        if line.kind() == Some("evidence") {
            match line.parse()? {
                SnapshotLine::Evidence(artefact) => each(artefact)?,
                _ => return Err(line.wrong("this is no artefact")),
            }
        }
    }
    Ok(())
}

/// The first line. Its format is looked at before anything else, because all else depends on it.
fn header(lines: &mut Lines<impl BufRead>) -> Result<Header, SnapshotError> {
    let Some(line) = lines.next()? else { return Err(SnapshotError::Cut) };
    let value: serde_json::Value =
        line.parse().map_err(|_| line.wrong("this is not a mailvet snapshot: the first line must be its header"))?;
    match value.pointer("/header/format").and_then(serde_json::Value::as_u64) {
        None => return Err(line.wrong("this is not a mailvet snapshot: the header with its format is missing")),
        Some(format) if format != u64::from(FORMAT) => return Err(SnapshotError::Format(format)),
        Some(_) => {}
    }
    match line.parse()? {
        SnapshotLine::Header(header) => Ok(header),
        _ => Err(line.wrong("the first line must be the header")),
    }
}

/// What the first reading has seen so far.
#[derive(Default)]
struct Checking {
    files: BTreeMap<FileId, StoredFile>,
    /// Ids of artefacts by the file that renders them.
    artefacts: BTreeMap<FileId, String>,
    coverage: Option<StoredCoverage>,
    targets: u64,
}

impl Checking {
    /// Takes one line; the last one ends the reading.
    fn take(&mut self, line: &RawLine) -> Result<Option<End>, SnapshotError> {
        if line.kind() == Some("target") {
            self.targets += 1;
            return Ok(None);
        }
        match line.parse()? {
            SnapshotLine::End(end) => return Ok(Some(end)),
            SnapshotLine::File(file) => {
                if file.text.is_some() == file.base64.is_some() {
                    return Err(line.wrong("a file has either `text` or `base64`"));
                }
                if self.files.insert(file.id, file).is_some() {
                    return Err(line.wrong("a file of this id was there already"));
                }
            }
            SnapshotLine::Evidence(artefact) => {
                let id = data_encoding::HEXLOWER.encode(&Sha256::digest(&artefact.raw));
                if id != artefact.id {
                    return Err(line.wrong("the id is not the SHA-256 of the bytes"));
                }
                self.artefacts.insert(artefact.file, id);
            }
            SnapshotLine::Coverage(coverage) => {
                if self.coverage.replace(coverage).is_some() {
                    return Err(line.wrong("there is a second coverage statement"));
                }
            }
            SnapshotLine::Header(_) => return Err(line.wrong("there is a second header")),
            SnapshotLine::Target(_) => return Err(line.wrong("a target must not stand here")),
        }
        Ok(None)
    }

    fn finish(self, header: Header, end: &End) -> Result<Checked, SnapshotError> {
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        if (self.targets, count(self.files.len())) != (end.targets, end.files) {
            return Err(SnapshotError::Changed("it holds another number of targets or files"));
        }
        if count(self.artefacts.len()) != end.evidence {
            return Err(SnapshotError::Changed("it holds another number of artefacts"));
        }
        for (file, id) in &self.artefacts {
            if self.files.get(file).and_then(|file| file.evidence.as_ref()) != Some(id) {
                return Err(SnapshotError::Changed("an artefact belongs to no file"));
            }
        }
        let Some(coverage) = self.coverage else {
            return Err(SnapshotError::Changed("it has no coverage statement"));
        };
        Ok(Checked { header, files: table(self.files)?, coverage })
    }
}

/// The table of files with the ids that spans use.
fn table(stored: BTreeMap<FileId, StoredFile>) -> Result<Files, SnapshotError> {
    let highest = stored.keys().next_back().map_or(0, |id| id.0);
    if highest > u32::try_from(stored.len()).unwrap_or(u32::MAX).saturating_add(MAX_GAPS) {
        return Err(SnapshotError::Changed("the ids of its files are too far apart"));
    }
    let mut files = Files::default();
    for (id, file) in stored {
        while files.len() < id.0 as usize {
            files.add("", Vec::new());
        }
        let bytes = match (file.text, file.base64) {
            (Some(text), _) => text.into_bytes(),
            (None, Some(base64)) => data_encoding::BASE64
                .decode(base64.as_bytes())
                .map_err(|_| SnapshotError::Changed("a file is not written in base64"))?,
            (None, None) => Vec::new(),
        };
        match file.evidence {
            Some(evidence) => {
                let id = files.add(file.path, Vec::new());
                files.fill(id, bytes, evidence);
            }
            None => {
                files.add(file.path, bytes);
            }
        }
    }
    Ok(files)
}

/// Lines within the limit, with the hash of all that were read.
struct Lines<R> {
    input: R,
    number: u64,
    hash: Sha256,
}

struct RawLine {
    number: u64,
    bytes: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    fn new(input: R) -> Lines<R> {
        Lines { input, number: 0, hash: Sha256::new() }
    }

    /// The next line, or `None` at the end of the file.
    fn next(&mut self) -> Result<Option<RawLine>, SnapshotError> {
        use io::Read as _;
        let mut bytes = Vec::new();
        let read = self.input.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        let line = RawLine { number: self.number, bytes };
        if line.bytes.last() != Some(&b'\n') {
            let too_long = line.bytes.len() as u64 > MAX_LINE;
            return Err(if too_long { line.wrong("the line is too long") } else { SnapshotError::Cut });
        }
        self.hash.update(&line.bytes);
        Ok(Some(line))
    }
}

impl RawLine {
    /// The only key of the line's object, without reading what it holds.
    fn kind(&self) -> Option<&str> {
        let text = self.bytes.trim_ascii_start().strip_prefix(b"{")?;
        let text = text.trim_ascii_start().strip_prefix(b"\"")?;
        let end = memchr::memchr(b'"', text)?;
        std::str::from_utf8(text.get(..end)?).ok()
    }

    fn parse<T: DeserializeOwned>(&self) -> Result<T, SnapshotError> {
        serde_json::from_slice(&self.bytes).map_err(|error| {
            let newer = if error.to_string().starts_with("unknown ") {
                "; a newer version of mailvet may have written the snapshot"
            } else {
                ""
            };
            self.wrong(&format!("{error}{newer}"))
        })
    }

    fn wrong(&self, reason: &str) -> SnapshotError {
        SnapshotError::Line { line: self.number, reason: reason.to_owned() }
    }
}

#[cfg(test)]
mod tests;
