//! Bytes to tokens: blanks, comments, quotes, escapes, parentheses and line ends (RFC 1035 section 5.1).
//!
//! The scanner never fails. What is broken (a quote that is not closed on its line, a parenthesis that is not closed
//! before the end of the file) is noted with its place, and the reader decides. It knows nothing of names and types.

use memchr::{memchr, memchr2, memchr3};

use super::template;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Characters without quotes.
    Word,
    /// Characters between quotes; the range excludes the quotes.
    Quoted,
    /// End of the entry.
    End,
}

/// A token: its kind and its bytes `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Something that is not closed, with the place of its opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    /// `"` without a second one on the line.
    Quote(usize),
    /// `(` without `)`.
    Parenthesis(usize),
    /// `)` without `(`.
    Stray(usize),
}

/// The data of a record: everything after its type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rest {
    /// First byte that is neither blank nor comment.
    pub(super) start: usize,
    /// Byte after the last one that is neither blank nor comment.
    pub(super) end: usize,
    /// Where a template marker stands.
    pub(super) marker: Option<usize>,
    /// Whether there are no escapes and every quoted string is at most 255 bytes long, all strings being quoted.
    pub(super) simple: bool,
}

/// Ends a word outside quotes.
const DELIMITER: u8 = 1;
/// Needs a look while the data of a record are skipped.
const STOP: u8 = 2;

const CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let delimiters = b" \t\r\n;()\"";
    let mut index = 0;
    while index < delimiters.len() {
        class[delimiters[index] as usize] |= DELIMITER;
        index += 1;
    }
    let stops = b"\n;()\"\\{<";
    index = 0;
    while index < stops.len() {
        class[stops[index] as usize] |= STOP;
        index += 1;
    }
    class
};

/// Whether a byte separates tokens without meaning of its own.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

/// Reads one text.
pub(super) struct Scanner<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    /// Open parentheses.
    pub(super) depth: usize,
    opened: usize,
    /// What was found broken in this entry.
    pub(super) broken: Option<Open>,
    /// Whether parentheses continue an entry on the next line.
    pub(super) multiline: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Scanner<'a> {
        Scanner { bytes, at: 0, depth: 0, opened: 0, broken: None, multiline: true }
    }

    /// Forgets the previous entry.
    pub(super) fn reset(&mut self) {
        self.depth = 0;
        self.broken = None;
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn line_end(&self, from: usize) -> usize {
        memchr(b'\n', self.bytes.get(from..).unwrap_or(&[])).map_or(self.bytes.len(), |at| from + at)
    }

    /// Moves behind the end of the line.
    pub(super) fn next_line(&mut self) {
        self.at = (self.line_end(self.at) + 1).min(self.bytes.len());
    }

    /// Whether the entry ends at a line feed or at the end of the text; notes a parenthesis that is still open.
    fn ends_here(&mut self) -> bool {
        if self.depth > 0
            && self.multiline
            && self.at < self.bytes.len()
            && !matches!(self.broken, Some(Open::Quote(_)))
        {
            return false;
        }
        if self.depth > 0 {
            self.note(Open::Parenthesis(self.opened));
        }
        true
    }

    /// A quote matters more than a parenthesis, and both more than a stray one; of equal ones the first counts.
    fn note(&mut self, open: Open) {
        let rank = |open: &Open| match open {
            Open::Stray(_) => 0,
            Open::Parenthesis(_) => 1,
            Open::Quote(_) => 2,
        };
        if self.broken.is_none_or(|before| rank(&before) < rank(&open)) {
            self.broken = Some(open);
        }
    }

    fn parenthesis(&mut self, byte: u8) {
        if byte == b'(' {
            if self.depth == 0 {
                self.opened = self.at;
            }
            self.depth += 1;
        } else if self.depth > 0 {
            self.depth -= 1;
        } else {
            self.note(Open::Stray(self.at));
        }
        self.at += 1;
    }

    /// The next token of the entry. At its end the scanner stands on the line feed.
    pub(super) fn token(&mut self) -> Token {
        loop {
            let start = self.at;
            match self.peek() {
                Some(byte) if is_blank(byte) => self.at += 1,
                Some(b';') => self.at = self.line_end(self.at),
                Some(byte @ (b'(' | b')')) => self.parenthesis(byte),
                Some(b'"') => {
                    self.quoted();
                    let end = if self.broken == Some(Open::Quote(start)) { self.at } else { self.at - 1 };
                    return Token { kind: Kind::Quoted, start: start + 1, end };
                }
                Some(b'\n') | None => {
                    if self.ends_here() {
                        return Token { kind: Kind::End, start, end: start };
                    }
                    self.at += 1;
                }
                Some(_) => {
                    self.word();
                    return Token { kind: Kind::Word, start, end: self.at };
                }
            }
        }
    }

    fn word(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            if byte == b'\\' {
                // A line end is never escaped outside quotes, as in BIND.
                self.at += if matches!(self.bytes.get(self.at + 1), None | Some(b'\n' | b'\r')) { 1 } else { 2 };
            } else if CLASS[usize::from(byte)] & DELIMITER != 0 {
                break;
            } else {
                self.at += 1;
            }
        }
    }

    /// Moves behind a quoted string, or to the end of the line when it is not closed there.
    fn quoted(&mut self) {
        let open = self.at;
        self.at += 1;
        loop {
            let Some(found) = memchr3(b'"', b'\\', b'\n', &self.bytes[self.at..]) else {
                self.at = self.bytes.len();
                break;
            };
            self.at += found;
            match self.bytes[self.at] {
                b'"' => {
                    self.at += 1;
                    return;
                }
                b'\\' => self.at = (self.at + 2).min(self.bytes.len()),
                _ => break,
            }
        }
        self.note(Open::Quote(open));
    }

    /// Skips the rest of the entry. Afterwards the scanner stands on the line feed or the end of the text.
    pub(super) fn rest(&mut self) -> Rest {
        while let Some(byte) = self.peek() {
            match byte {
                byte if is_blank(byte) => self.at += 1,
                b';' => self.at = self.line_end(self.at),
                b'\n' if !self.ends_here() => self.at += 1,
                _ => break,
            }
        }
        let mut rest = Rest { start: self.at, end: self.at, marker: None, simple: true };
        let mut segment = self.at;
        let len = self.bytes.len();
        loop {
            while self.at < len && CLASS[usize::from(self.bytes[self.at])] & STOP == 0 {
                self.at += 1;
            }
            if self.at >= len {
                self.at = len;
                self.close(segment, &mut rest);
                self.ends_here();
                return rest;
            }
            match self.bytes[self.at] {
                b'\n' => {
                    self.close(segment, &mut rest);
                    if self.ends_here() {
                        return rest;
                    }
                    self.at += 1;
                    segment = self.at;
                }
                b';' => {
                    self.close(segment, &mut rest);
                    self.at = self.line_end(self.at);
                    segment = self.at;
                }
                b'"' => self.rest_quoted(&mut rest),
                b'\\' => {
                    rest.simple = false;
                    self.at += if self.bytes.get(self.at + 1) == Some(&b'\n') { 1 } else { 2 };
                }
                byte @ (b'(' | b')') => self.parenthesis(byte),
                _ => {
                    if rest.marker.is_none() && template::is_marker(self.bytes, self.at) {
                        rest.marker = Some(self.at);
                    }
                    self.at += 1;
                }
            }
        }
    }

    fn rest_quoted(&mut self, rest: &mut Rest) {
        let open = self.at;
        self.quoted();
        let content = &self.bytes[open..self.at];
        if self.at - open > 255 + 2 || self.broken.is_some() || memchr(b'\\', content).is_some() {
            rest.simple = false;
        }
        let mut from = open;
        while rest.marker.is_none() {
            let Some(found) = memchr2(b'{', b'<', &self.bytes[from..self.at]) else { break };
            if template::is_marker(self.bytes, from + found) {
                rest.marker = Some(from + found);
            }
            from += found + 1;
        }
    }

    /// Notes the end of what stands between `segment` and here.
    fn close(&self, segment: usize, rest: &mut Rest) {
        let part = &self.bytes[segment.min(self.at)..self.at];
        if let Some(last) = part.iter().rposition(|byte| !is_blank(*byte)) {
            rest.end = segment + last + 1;
        }
    }
}

/// Tokens of the data of one record. Line ends and parentheses only separate here: the range is known.
pub(super) struct Tokens<'a> {
    scanner: Scanner<'a>,
}

impl<'a> Tokens<'a> {
    /// Tokens of `bytes[start..end]`; positions refer to `bytes`.
    pub(super) fn new(bytes: &'a [u8], start: usize, end: usize) -> Tokens<'a> {
        let mut scanner = Scanner::new(&bytes[..end.min(bytes.len())]);
        scanner.at = start.min(scanner.bytes.len());
        Tokens { scanner }
    }

    /// The next token, `None` at the end; an error is the place of a quote that is not closed.
    pub(super) fn next(&mut self) -> Result<Option<Token>, usize> {
        loop {
            let token = self.scanner.token();
            if let Some(Open::Quote(at)) = self.scanner.broken {
                return Err(at);
            }
            if token.kind != Kind::End {
                return Ok(Some(token));
            }
            if self.scanner.at >= self.scanner.bytes.len() {
                return Ok(None);
            }
            self.scanner.at += 1;
        }
    }

    /// Where the next token is looked for.
    pub(super) fn position(&self) -> usize {
        self.scanner.at
    }
}
