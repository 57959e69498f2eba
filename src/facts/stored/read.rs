//! Reading snapshots: whole ones, proven so before anything of them is used, and what can be used of unfinished ones.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::{
    ArtefactHead, End, FORMAT, Header, SnapshotLine, StoredArtefact, StoredCoverage, StoredFile, StoredHistory,
    StoredTarget,
};
use crate::diag::{FileId, Files};

/// Longest line that is read, in bytes.
const MAX_LINE: u64 = 64 << 20;

/// Most ids of files without a line: files of policy that the run had read.
const MAX_GAPS: u32 = 1 << 16;

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

/// Everything of a snapshot but the facts.
#[derive(Debug)]
pub struct Checked {
    /// The header.
    pub header: Header,
    /// The files, with the ids of the run that collected.
    pub files: Files,
    /// What was looked at, and what was not.
    pub coverage: StoredCoverage,
    /// What the run before had found, when it was given.
    pub history: Option<StoredHistory>,
    /// The raw artefacts without their bytes, in the order of their files.
    pub artefacts: Vec<ArtefactHead>,
    /// SHA-256 of the whole snapshot, in hexadecimal digits.
    pub sha256: String,
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
    checking.finish(header, &end, data_encoding::HEXLOWER.encode(&lines.hash.finalize()))
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
            // The end of a run that was killed before its bundle was sealed; these lines are written anew.
            Ok(SnapshotLine::Coverage(_) | SnapshotLine::History(_) | SnapshotLine::End(_)) => {}
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
    /// Artefacts by the file that renders them.
    artefacts: BTreeMap<FileId, ArtefactHead>,
    coverage: Option<StoredCoverage>,
    history: Option<StoredHistory>,
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
                self.artefacts.insert(artefact.file, ArtefactHead::from(&artefact));
            }
            SnapshotLine::Coverage(coverage) => {
                if self.coverage.replace(coverage).is_some() {
                    return Err(line.wrong("there is a second coverage statement"));
                }
            }
            SnapshotLine::History(history) => {
                if self.history.replace(history).is_some() {
                    return Err(line.wrong("there is a second history"));
                }
            }
            SnapshotLine::Header(_) => return Err(line.wrong("there is a second header")),
            SnapshotLine::Target(_) => return Err(line.wrong("a target must not stand here")),
        }
        Ok(None)
    }

    fn finish(self, header: Header, end: &End, sha256: String) -> Result<Checked, SnapshotError> {
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        if (self.targets, count(self.files.len())) != (end.targets, end.files) {
            return Err(SnapshotError::Changed("it holds another number of targets or files"));
        }
        if count(self.artefacts.len()) != end.evidence {
            return Err(SnapshotError::Changed("it holds another number of artefacts"));
        }
        for (file, artefact) in &self.artefacts {
            if self.files.get(file).and_then(|file| file.evidence.as_ref()) != Some(&artefact.id) {
                return Err(SnapshotError::Changed("an artefact belongs to no file"));
            }
        }
        let Some(coverage) = self.coverage else {
            return Err(SnapshotError::Changed("it has no coverage statement"));
        };
        let artefacts = self.artefacts.into_values().collect();
        Ok(Checked { header, files: table(self.files)?, coverage, history: self.history, artefacts, sha256 })
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
