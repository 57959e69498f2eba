//! The snapshot as a file: JSON Lines, one line for each part, so that it is written and read as a stream.
//!
//! The first line is the header; then come targets with their facts, files (the texts that spans point into), raw
//! artefacts, the coverage statement and what an earlier run had found in any order; the last line counts them and holds a
//! SHA-256 over all bytes before it, so that a file that was cut or changed is recognised. Ids of files are those of the run
//! that wrote them, so that spans keep their meaning; ids without a line belonged to packs and waivers, which are no part of
//! a snapshot.
//!
//! A reader goes through the file twice: [`check`] reads everything but the facts and proves that the file is whole;
//! [`targets`] hands over the facts target by target. A key that this version does not know is an error: to drop it
//! would be to judge less than was collected.

mod read;

use std::collections::BTreeMap;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::domain::Time;
use super::evidence::base64_bytes;
use super::{
    Artefact, ArtefactKind, Coverage, Ignored, LiveCoverage, LiveMessage, NotEvaluated, SourceRead, Target, TargetFacts,
};
use crate::diag::{Diagnostic, FileId, Level, SourceFile, Span, stored_code};

pub use read::{Checked, Partial, Salvaged, SnapshotError, artefacts, check, salvage, targets};

/// Version of the format. It changes when a reader of the old one would misread the new one.
pub const FORMAT: u32 = 1;

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
    /// What the run before this one had found, when it was given.
    History(StoredHistory),
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

/// What is known of a raw artefact beside its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtefactHead {
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
    /// How many bytes it has.
    pub size: usize,
}

impl From<&StoredArtefact> for ArtefactHead {
    fn from(stored: &StoredArtefact) -> ArtefactHead {
        let StoredArtefact { id, file, kind, title, time, raw } = stored;
        ArtefactHead { id: id.clone(), file: *file, kind: *kind, title: title.clone(), time: *time, size: raw.len() }
    }
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

/// What the run before the one that wrote the snapshot had found, so that findings are told with their history when the
/// snapshot is judged again, and when the next run is compared with it. Words and dates are checked when it is used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredHistory {
    /// The day of that run, UTC, as `YYYY-MM-DD`.
    pub date: String,
    /// Ids of the rules that it was judged by.
    pub rules: Vec<String>,
    /// Every target with its verdicts.
    pub targets: Vec<StoredVerdicts>,
    /// Every finding that failed then or earlier.
    pub findings: Vec<StoredFinding>,
}

/// The verdicts on one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredVerdicts {
    /// Kind of the target.
    pub kind: Target,
    /// Name of the target.
    pub name: String,
    /// Positions in `rules`, by verdict.
    pub verdicts: BTreeMap<String, Vec<u32>>,
}

/// A finding that failed in an earlier run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredFinding {
    /// Rule id.
    pub rule: String,
    /// Kind of the target.
    pub kind: Target,
    /// Name of the target.
    pub target: String,
    /// The day on which it was first seen to fail, as `YYYY-MM-DD`.
    pub first_seen: String,
    /// The day on which it was last seen to fail, as `YYYY-MM-DD`.
    pub last_seen: String,
    /// The day on which it was seen to be mended, as `YYYY-MM-DD`; missing while it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed: Option<String>,
    /// Whether it came back after it had been mended.
    pub regressed: bool,
    /// Whether a waiver covered it.
    pub waived: bool,
    /// Digest of what was observed, by which a changed finding is told from an unchanged one.
    pub observed: String,
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

    /// Adds what the run before had found.
    ///
    /// # Errors
    /// Writing failed.
    pub fn history(&mut self, history: StoredHistory) -> io::Result<()> {
        self.write(&line(&SnapshotLine::History(history))?)
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

#[cfg(test)]
mod tests;
