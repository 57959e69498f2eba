//! Messages about files that people wrote, and the positions they point at.
//!
//! Every input mailvet reads from a repository (zone files, octoDNS YAML, packs, profiles, waivers, inventories) is
//! registered once in [`Files`]. A [`Span`] then names a byte range in one of them in twelve bytes, and is turned into
//! path, line and column only when somebody looks at it. A [`Diagnostic`] is a message about such a range.
//!
//! This module knows nothing about mail, facts or rules, and never prints: callers decide where the text goes.

pub mod fields;
pub mod yaml;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

/// Index of a file in [`Files`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct FileId(pub u32);

/// A byte range `start..end` in one registered file. Files are limited to 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The file the range lies in.
    pub file: FileId,
    /// First byte of the range.
    pub start: u32,
    /// First byte after the range.
    pub end: u32,
}

impl Span {
    /// A span over `start..end` of `file`.
    pub fn new(file: FileId, start: u32, end: u32) -> Self {
        Self { file, start, end: end.max(start) }
    }

    /// The smallest span that covers both, or `self` when they lie in different files.
    pub fn join(self, other: Span) -> Self {
        if self.file != other.file {
            return self;
        }
        Self { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A span resolved for people: 1-based lines, and 1-based columns that count Unicode characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Place {
    /// Path as given or found, with `/` between folders.
    pub file: String,
    /// First line, counted from 1.
    pub line: u32,
    /// First column, counted in characters from 1.
    pub column: u32,
    /// Last line, counted from 1.
    pub end_line: u32,
    /// Column after the last character, counted in characters from 1.
    pub end_column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One registered file: its path as people know it and its bytes as read.
#[derive(Debug)]
pub struct SourceFile {
    /// Path as given or found, with `/` between folders.
    pub path: String,
    /// The bytes as read. Zone files need not be UTF-8. Shared, so that a reader may hold them while it adds files.
    pub bytes: Arc<Vec<u8>>,
    /// Id of the raw artefact that the text renders, for what was observed on the network; `None` for files as such.
    pub evidence: Option<Box<str>>,
    lines: OnceLock<Vec<u32>>,
}

/// Bytes before a place among which lines are counted each time.
const SHORT_TEXT: usize = 1024;

impl SourceFile {
    /// Byte offsets at which lines start; computed on first use.
    fn line_starts(&self) -> &[u32] {
        self.lines.get_or_init(|| {
            std::iter::once(0)
                .chain(memchr::memchr_iter(b'\n', &self.bytes).map(|at| u32::try_from(at + 1).unwrap_or(u32::MAX)))
                .collect()
        })
    }

    /// 0-based line index and byte offset of that line's start.
    fn line_of(&self, offset: u32) -> (usize, u32) {
        // A table of lines pays where there are many, and not in the text of one message.
        let before = self.bytes.get(..offset as usize).filter(|before| before.len() <= SHORT_TEXT);
        if let (Some(before), None) = (before, self.lines.get()) {
            let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
            return (memchr::memchr_iter(b'\n', before).count(), u32::try_from(start).unwrap_or(u32::MAX));
        }
        let starts = self.line_starts();
        let index = starts.partition_point(|start| *start <= offset).saturating_sub(1);
        (index, starts[index])
    }

    /// 1-based line and column (in characters) of a byte offset.
    pub fn line_column(&self, offset: u32) -> (u32, u32) {
        let offset = offset.min(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
        let (index, start) = self.line_of(offset);
        let before = &self.bytes[start as usize..offset as usize];
        let characters = if before.is_ascii() { before.len() } else { String::from_utf8_lossy(before).chars().count() };
        let column = u32::try_from(characters).unwrap_or(u32::MAX - 1) + 1;
        (u32::try_from(index).unwrap_or(u32::MAX - 1) + 1, column)
    }

    /// The text of a 1-based line without its line ending; invalid UTF-8 is replaced. Untrusted: escape before printing.
    pub fn line_text(&self, line: u32) -> Cow<'_, str> {
        let starts = self.line_starts();
        let index = (line as usize).saturating_sub(1);
        let Some(&start) = starts.get(index) else { return Cow::Borrowed("") };
        let end = starts.get(index + 1).map_or(self.bytes.len(), |next| *next as usize);
        let mut bytes = &self.bytes[start as usize..end];
        while let [rest @ .., b'\n' | b'\r'] = bytes {
            bytes = rest;
        }
        String::from_utf8_lossy(bytes)
    }
}

/// All files read in this run, in the order in which they were read.
#[derive(Debug)]
pub struct Files {
    /// The files before the first id that was skipped.
    files: Vec<SourceFile>,
    /// Those after it: of the many messages that a live run receives, few get a text here.
    later: BTreeMap<FileId, SourceFile>,
    /// The next id.
    next: u32,
    /// What an id without a file shows.
    nothing: SourceFile,
}

impl Default for Files {
    fn default() -> Files {
        let nothing = SourceFile {
            path: String::new(),
            bytes: Arc::default(),
            // Evidence without a byte: it must not be taken for a file of the repository.
            evidence: Some(Box::default()),
            lines: OnceLock::new(),
        };
        Files { files: Vec::new(), later: BTreeMap::new(), next: 0, nothing }
    }
}

impl Files {
    /// Registers a file and returns its id.
    pub fn add(&mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> FileId {
        let bytes = bytes.into();
        let bytes = if bytes.is_empty() { Arc::clone(&self.nothing.bytes) } else { Arc::new(bytes) };
        let file = SourceFile { path: path.into(), bytes, evidence: None, lines: OnceLock::new() };
        let is_next = self.files.len() == self.next as usize;
        let id = self.skip();
        if is_next {
            self.files.push(file);
        } else {
            self.later.insert(id, file);
        }
        id
    }

    /// An id for a text of evidence that may follow ([`Files::fill`]), and mostly does not.
    pub fn skip(&mut self) -> FileId {
        let id = FileId(self.next);
        self.next = self.next.saturating_add(1);
        id
    }

    fn entry(&mut self, id: FileId) -> &mut SourceFile {
        match self.files.get_mut(id.0 as usize) {
            Some(file) => file,
            None => self.later.entry(id).or_insert_with(|| SourceFile {
                path: String::new(),
                bytes: Arc::clone(&self.nothing.bytes),
                evidence: None,
                lines: OnceLock::new(),
            }),
        }
    }

    /// Replaces the text of a file and says which artefact it renders: for observations that are still going on when
    /// their id is needed. Spans made before must lie in the new text.
    pub fn fill(&mut self, id: FileId, bytes: impl Into<Vec<u8>>, evidence: impl Into<Box<str>>) {
        let file = self.entry(id);
        file.bytes = Arc::new(bytes.into());
        file.lines = OnceLock::new();
        file.evidence = Some(evidence.into());
    }

    /// Names a file whose text stands already, and says which artefact it renders.
    pub fn name(&mut self, id: FileId, path: impl Into<String>, evidence: impl Into<Box<str>>) {
        let file = self.entry(id);
        file.path = path.into();
        file.evidence = Some(evidence.into());
    }

    /// Drops the text and the path of a file that nothing points at. Its id is not given to another.
    pub fn clear(&mut self, id: FileId) {
        match self.files.get_mut(id.0 as usize) {
            Some(file) => {
                *file = SourceFile {
                    path: String::new(),
                    bytes: Arc::clone(&self.nothing.bytes),
                    evidence: self.nothing.evidence.clone(),
                    lines: OnceLock::new(),
                };
            }
            None => _ = self.later.remove(&id),
        }
    }

    /// The file behind an id made by this table.
    pub fn get(&self, id: FileId) -> &SourceFile {
        self.files.get(id.0 as usize).or_else(|| self.later.get(&id)).unwrap_or(&self.nothing)
    }

    /// The number of ids given out.
    pub fn len(&self) -> usize {
        self.next as usize
    }

    /// Whether no file is registered.
    pub fn is_empty(&self) -> bool {
        self.next == 0
    }

    /// All files with their ids, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        let files = self.files.iter().zip(0..).map(|(file, id)| (FileId(id), file));
        files.chain(self.later.iter().map(|(id, file)| (*id, file)))
    }

    /// Resolves a span to path, lines and columns.
    pub fn place(&self, span: Span) -> Place {
        let file = self.get(span.file);
        let (line, column) = file.line_column(span.start);
        let (end_line, end_column) = file.line_column(span.end);
        Place { file: file.path.clone(), line, column, end_line, end_column }
    }
}

/// How much a diagnostic matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Worth knowing; nothing was lost.
    Note,
    /// Something could not be read or is not judged; the run goes on.
    Warning,
    /// The input cannot be used as it is.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Error => "error",
        })
    }
}

/// A message about a place in a file: what is wrong, where, and what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it matters.
    pub level: Level,
    /// Stable kebab-case identifier of the kind of message.
    pub code: &'static str,
    /// One sentence without a final full stop; may quote untrusted text, so printers escape it.
    pub message: String,
    /// The characters it is about.
    pub span: Option<Span>,
    /// A few words beside the underlined characters.
    pub label: Option<String>,
    /// What to change, for example "did you mean `dmarc.policy`?".
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic without position.
    pub fn new(level: Level, code: &'static str, message: impl Into<String>) -> Self {
        Self { level, code, message: message.into(), span: None, label: None, help: None }
    }

    /// An error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Level::Error, code, message)
    }

    /// A warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Level::Warning, code, message)
    }

    /// A note.
    pub fn note(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Level::Note, code, message)
    }

    /// The same diagnostic, pointing at `span`.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// The same diagnostic with words beside the underlined characters.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// The same diagnostic with a hint what to change.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Renders the message with its place and snippet as plain text, ending in a line feed.
    pub fn render(&self, files: &Files) -> String {
        let mut out = format!("{}[{}]: {}\n", self.level, self.code, visible(&self.message));
        if let Some(span) = self.span {
            out.push_str(&snippet(files, span, self.label.as_deref()));
        }
        if let Some(help) = &self.help {
            out.push_str(&format!("  help: {}\n", visible(help)));
        }
        out
    }
}

/// Longest code of a message that is taken from a file, in bytes, and how many different ones are.
const STORED_CODES: (usize, usize) = (64, 512);

/// A code that was read from a stored message. Codes live as long as the program, so what a file can add is bounded; what
/// is beyond that, or is no code, becomes `stored-message`.
pub fn stored_code(text: &str) -> &'static str {
    static CODES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let (length, count) = STORED_CODES;
    let mut codes = CODES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = codes.get(text) {
        return known;
    }
    let is_code = text.len() <= length && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    if !is_code || codes.len() >= count {
        return "stored-message";
    }
    let code: &'static str = Box::leak(text.to_owned().into_boxed_str());
    codes.insert(code);
    code
}

/// The longest part of a source line that a snippet shows, in characters.
const SNIPPET_WIDTH: usize = 160;

/// A snippet in plain text: `  path:line:column`, the line, and carets under the characters of `span`.
///
/// Long lines are cut to a window around the span; control and bidirectional characters are made visible.
pub fn snippet(files: &Files, span: Span, label: Option<&str>) -> String {
    let place = files.place(span);
    let text = files.get(span.file).line_text(place.line);
    let chars: Vec<char> = text.chars().collect();
    let first = (place.column as usize - 1).min(chars.len());
    let last = if place.end_line == place.line { place.end_column as usize - 1 } else { chars.len() };
    let last = last.clamp(first, chars.len());
    let from = if chars.len() > SNIPPET_WIDTH { first.saturating_sub(SNIPPET_WIDTH / 3) } else { 0 };
    let to = (from + SNIPPET_WIDTH).min(chars.len());
    let show = |range: std::ops::Range<usize>| -> String {
        let part: String = chars[range.start.min(to).max(from)..range.end.min(to).max(from)].iter().collect();
        visible(&part.replace('\t', " ")).into_owned()
    };
    let lead = if from > 0 { "…" } else { "" };
    let tail = if to < chars.len() { "…" } else { "" };
    let before = format!("{lead}{}", show(from..first));
    let marked = show(first..last);
    let after = format!("{}{tail}", show(last..to));
    let number = place.line.to_string();
    let mut out = format!("  {place}\n  {number} | {before}{marked}{after}\n");
    let pad = " ".repeat(2 + number.len() + 3 + before.chars().count());
    let carets = "^".repeat(marked.chars().count().max(1));
    match label {
        Some(label) => out.push_str(&format!("{pad}{carets} {}\n", visible(label))),
        None => out.push_str(&format!("{pad}{carets}\n")),
    }
    out
}

/// Makes control, bidirectional and zero-width characters of untrusted text visible (`\x1b`, `\u{202e}`), so that no
/// byte of a fact reaches a terminal or a log as a command. Line feeds and tabs are shown as `\n` and `\t`.
pub fn visible(text: &str) -> Cow<'_, str> {
    // Most texts are plain ASCII, which is told byte by byte.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            hostile if is_hostile(hostile) && (hostile as u32) < 0x100 => {
                out.push_str(&format!("\\x{:02x}", hostile as u32));
            }
            hostile if is_hostile(hostile) => out.push_str(&format!("\\u{{{:x}}}", hostile as u32)),
            plain => out.push(plain),
        }
    }
    Cow::Owned(out)
}

/// Characters that change how following text is shown, or that cannot be seen.
#[inline]
pub fn is_hostile(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_control();
    }
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The candidate nearest to a mistyped word, if one is near enough to be what was meant.
pub fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().max(word.len()) / 4)
        .min_by_key(|(distance, candidate)| (*distance, candidate.len()))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> (Files, FileId) {
        let mut files = Files::default();
        let id = files.add("a.zone", text);
        (files, id)
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        let (files, id) = files("eins\nzwei ä drei\n");
        let at = "eins\nzwei ä ".len() as u32;
        assert_eq!(files.place(Span::new(id, at, at + 4)).to_string(), "a.zone:2:8");
    }

    #[test]
    fn a_span_at_the_end_of_the_file_has_a_place() {
        let (files, id) = files("x");
        assert_eq!(files.place(Span::new(id, 1, 1)).to_string(), "a.zone:1:2");
    }

    #[test]
    fn lines_are_counted_alike_in_short_and_long_texts() {
        let text = "one\ntwo\n\nfour".repeat(200);
        let (files, id) = files(&text);
        let places = || (0..=text.len() as u32).map(|at| files.get(id).line_column(at)).collect::<Vec<_>>();
        let counted = places();
        files.get(id).line_starts();
        assert_eq!(counted, places());
    }

    #[test]
    fn a_snippet_underlines_the_characters_and_hides_control_characters() {
        let (files, id) = files("a \u{1b}[31m ~all z");
        let start = "a \u{1b}[31m ".len() as u32;
        let text = snippet(&files, Span::new(id, start, start + 4), Some("soft"));
        assert_eq!(text, "  a.zone:1:9\n  1 | a \\x1b[31m ~all z\n                 ^^^^ soft\n");
    }

    #[test]
    fn an_id_whose_text_never_came_shows_evidence_without_a_byte() {
        let (mut files, first) = files("x");
        let [skipped, filled] = [files.skip(), files.skip()];
        let last = files.add("b.zone", "y");
        files.fill(filled, "z", "id");
        assert_eq!([first, skipped, filled, last].map(|id| id.0), [0, 1, 2, 3]);
        assert_eq!(files.len(), 4);
        let nothing = files.get(skipped);
        assert!(nothing.bytes.is_empty() && nothing.evidence.is_some(), "it is no file of the repository");
        let paths: Vec<(u32, &str)> = files.iter().map(|(id, file)| (id.0, file.path.as_str())).collect();
        assert_eq!(paths, [(0, "a.zone"), (2, ""), (3, "b.zone")]);
        assert_eq!(files.place(Span::new(last, 0, 1)).to_string(), "b.zone:1:1");
        files.clear(filled);
        assert_eq!(files.iter().count(), 2);
    }

    #[test]
    fn suggestions_are_near_or_absent() {
        assert_eq!(suggest("dmarc.polcy", ["dmarc.policy", "dmarc.testing"]), Some("dmarc.policy"));
        assert_eq!(suggest("zzz", ["dmarc.policy"]), None);
    }
}
