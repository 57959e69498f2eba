//! Zone files as BIND, NSD and Knot read them (RFC 1035 section 5, RFC 2308 section 4, RFC 3597 section 5).
//!
//! The reader is tolerant: one bad line is a diagnostic, and the rest of the file is still read. It is also honest. What
//! it cannot know is left in the [`Store`] as not evaluated: templates, features of single providers, and everything an
//! `$INCLUDE` could have added that was not found. What it cannot read is left there as unreadable. Nothing is resolved
//! from disk here; the caller supplies included files.
//!
//! Only the places of records are kept; `rdata` decodes their data when somebody asks.

mod fields;
mod generate;
pub(in crate::sources) mod rdata;
mod record;
mod scan;
mod template;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;

pub use fields::presentation;
pub(in crate::sources) use wire::wire_text;

use self::scan::{Kind, Open, Scanner, Token};
use super::names::Base;
use super::record::RecordType;
use super::store::{Context, Source, Store, ZoneId};
use crate::diag::{Diagnostic, FileId, Files, Span};
use crate::facts::Cause;
use crate::mail::Name;

/// How deep files may include one another.
const INCLUDE_DEPTH: usize = 16;
/// Files that one zone may include, counted with repetition.
const INCLUDE_LIMIT: usize = 1_000;
/// Bytes that one zone may include, counted with repetition.
const INCLUDE_BYTES: usize = 1 << 30;
/// Messages about one zone; the others are only counted.
const MESSAGE_LIMIT: usize = 1_000;
/// Marks of one zone; beyond, one mark for the whole zone replaces them.
const MARK_LIMIT: usize = 100_000;

/// Finds the file of an `$INCLUDE`: the path as it is written, and the file it is written in. An error says why not.
pub type Include<'a> = dyn FnMut(&mut Files, &str, FileId) -> Result<FileId, String> + 'a;

/// Reads a zone file into the store.
///
/// Without `origin` the name of the zone is taken from the owner of its SOA record or its first `$ORIGIN`. When neither
/// tells it, the file is not read: a diagnostic says so, and the result is `None`.
///
/// An `$INCLUDE` that cannot be resolved marks its origin and everything below as not evaluated, because the file could
/// have added any record there: records that were read are still found, and what is not found is unknown.
pub fn read_zone(
    store: &mut Store,
    files: &mut Files,
    file: FileId,
    origin: Option<Name>,
    include: &mut Include<'_>,
) -> Option<ZoneId> {
    let Some(origin) = origin.or_else(|| find_origin(&files.get(file).bytes)) else {
        let message =
            "the name of the zone is not known: there is neither a SOA record with an absolute name nor `$ORIGIN`";
        store.diagnostic(Diagnostic::error("zone-origin", message).at(Span::new(file, 0, 0)));
        return None;
    };
    // Most records stand on a line of their own. A file may be nothing but ends of lines, too.
    let bytes = &files.get(file).bytes;
    store.expect(memchr::memchr_iter(b'\n', bytes).count().min(bytes.len() / 24));
    let path = files.get(file).path.clone();
    let zone = store.add_zone(origin, "bind", &path, Span::new(file, 0, 0));
    let origin = store.zones[zone.0 as usize].origin;
    let base = store.names.base(origin);
    let first_mark = store.mark_count();
    let mut reader = Reader {
        store,
        files,
        include,
        zone: zone.0,
        zone_origin: origin,
        default_ttl: None,
        last_ttl: None,
        class: None,
        stack: Vec::new(),
        includes: 0,
        included_bytes: 0,
        messages: 0,
        first_mark,
        whole_zone_marked: false,
        block_depth: 0,
        after_date: false,
        address_limit: [false; 2],
        checked_owner: origin,
    };
    reader.file(file, Some(base), Owner::None);
    reader.summary(file);
    Some(zone)
}

/// The owner of lines that name none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// No record yet.
    None,
    Known(u32),
    /// The owner above is a template; the zone is marked.
    Template,
    /// The owner above could not be read.
    Bad,
}

/// State of one zone, across its files.
struct Reader<'a, 'i> {
    store: &'a mut Store,
    files: &'a mut Files,
    include: &'a mut Include<'i>,
    zone: u32,
    zone_origin: u32,
    default_ttl: Option<u32>,
    last_ttl: Option<u32>,
    class: Option<u16>,
    /// Files being read, outermost first.
    stack: Vec<FileId>,
    includes: usize,
    included_bytes: usize,
    messages: usize,
    first_mark: usize,
    whole_zone_marked: bool,
    /// Template blocks that are open.
    block_depth: i32,
    /// `$DATE` was seen.
    after_date: bool,
    /// gdnsd's limits on the number of addresses in an answer: IPv4, IPv6.
    address_limit: [bool; 2],
    /// The last owner that was found to lie in the zone.
    checked_owner: u32,
}

/// State of one file.
struct Frame<'b> {
    file: FileId,
    scanner: Scanner<'b>,
    /// The current origin; `None` when it is a template or could not be read.
    origin: Option<Base>,
    owner: Owner,
    context: u32,
    /// The owner token read last, to recognise repetitions.
    owner_token: (usize, usize),
    /// Bytes read twice because of parentheses that were not closed.
    reread: usize,
}

impl<'b> Frame<'b> {
    fn text(&self, token: Token) -> &'b [u8] {
        &self.scanner.bytes[token.start..token.end]
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.file, u32::try_from(start).unwrap_or(u32::MAX), u32::try_from(end).unwrap_or(u32::MAX))
    }
}

impl Reader<'_, '_> {
    /// Reads one file. Afterwards the TTLs it stated stay in force, its origin and owner do not (RFC 1035 section 5.1).
    fn file(&mut self, file: FileId, origin: Option<Base>, owner: Owner) {
        let bytes = Arc::clone(&self.files.get(file).bytes);
        if u32::try_from(bytes.len()).is_err() {
            self.message(
                Diagnostic::error("zone-too-large", "the file is larger than 4 GiB").at(Span::new(file, 0, 0)),
            );
            self.mark(self.zone_origin, true, Cause::LimitReached, "a file is too large", Span::new(file, 0, 0));
            return;
        }
        self.stack.push(file);
        let mut frame =
            Frame { file, scanner: Scanner::new(&bytes), origin, owner, context: 0, owner_token: (0, 0), reread: 0 };
        if bytes.starts_with(b"\xef\xbb\xbf") {
            frame.scanner.at = 3;
        }
        self.renew_context(&mut frame);
        while frame.scanner.at < bytes.len() {
            self.entry(&mut frame);
        }
        self.stack.pop();
    }

    fn renew_context(&mut self, frame: &mut Frame<'_>) {
        let origin = frame.origin.map_or(self.zone_origin, |base| base.id);
        frame.context = self.store.context(Context { zone: self.zone, origin, source: Source::File(frame.file) });
    }

    /// One line, or several when parentheses join them.
    fn entry(&mut self, frame: &mut Frame<'_>) {
        frame.scanner.reset();
        let start = frame.scanner.at;
        match frame.scanner.bytes[start] {
            b'\n' => frame.scanner.at += 1,
            b';' => frame.scanner.next_line(),
            byte if scan::is_blank(byte) => {
                while frame.scanner.peek().is_some_and(scan::is_blank) {
                    frame.scanner.at += 1;
                }
                match frame.scanner.peek() {
                    None => {}
                    Some(b'\n' | b';') => frame.scanner.next_line(),
                    Some(_) => {
                        let first = frame.scanner.at;
                        self.line_without_owner(frame, first);
                    }
                }
            }
            b'$' if frame.scanner.bytes.get(start + 1) != Some(&b'{') => {
                self.directive(frame);
                self.end_entry(frame, start);
            }
            _ => self.line_with_owner(frame),
        }
    }

    /// Moves to the line after the entry; after a parenthesis that is never closed, to the line after its first one.
    fn end_entry(&mut self, frame: &mut Frame<'_>, start: usize) {
        if let Some(open) = frame.scanner.broken {
            self.broken(frame, open);
            if let Open::Parenthesis(_) = open {
                let reached = frame.scanner.at;
                frame.scanner.at = start;
                frame.scanner.next_line();
                frame.reread += reached.saturating_sub(frame.scanner.at);
                // A text full of open parentheses must not be read again and again.
                if frame.reread > frame.scanner.bytes.len().saturating_mul(2) {
                    frame.scanner.multiline = false;
                }
                return;
            }
        }
        frame.scanner.next_line();
    }

    fn broken(&mut self, frame: &Frame<'_>, open: Open) {
        let (at, message) = match open {
            Open::Quote(at) => (at, "the quote that opens here is not closed on its line"),
            Open::Parenthesis(at) => (at, "the parenthesis that opens here is never closed"),
            Open::Stray(at) => (at, "this parenthesis closes nothing"),
        };
        self.message(Diagnostic::error("zone-syntax", message).at(frame.span(at, at + 1)));
    }

    fn line_without_owner(&mut self, frame: &mut Frame<'_>, start: usize) {
        if template::is_marker(frame.scanner.bytes, start) || frame.scanner.bytes[start..].starts_with(b"${") {
            self.template_line(frame, start);
            return;
        }
        match frame.owner {
            Owner::Known(owner) if frame.origin.is_some() => self.record(frame, start, owner),
            Owner::Known(_) | Owner::Template => {
                // The zone is marked already where the owner or the origin stands.
                frame.scanner.rest();
                self.end_entry(frame, start);
            }
            Owner::None | Owner::Bad => {
                let rest = frame.scanner.rest();
                let (message, origin) = match frame.owner {
                    Owner::Bad => ("the record has no owner, because the one above could not be read", false),
                    _ => ("the first record has no owner", true),
                };
                let span = frame.span(start, rest.end);
                self.message(Diagnostic::error("zone-owner", message).at(span));
                if origin {
                    self.mark(self.zone_origin, false, Cause::Parse, message, span);
                }
                self.end_entry(frame, start);
            }
        }
    }

    fn line_with_owner(&mut self, frame: &mut Frame<'_>) {
        let start = frame.scanner.at;
        if frame.scanner.bytes[start..].starts_with(b"{#") {
            // A comment of the template language.
            let line =
                memchr::memchr(b'\n', &frame.scanner.bytes[start..]).map_or(frame.scanner.bytes.len(), |at| start + at);
            if frame.scanner.bytes[start..line].trim_ascii_end().ends_with(b"#}") {
                frame.scanner.next_line();
                return;
            }
        }
        let token = frame.scanner.token();
        if token.kind == Kind::End {
            self.end_entry(frame, start);
            return;
        }
        let text = frame.text(token);
        let dialect = text.ends_with(b"@Z") || text.ends_with(b"@F");
        if memchr::memchr2(b'{', b'<', text).is_some()
            && template::find(frame.scanner.bytes, token.start, token.end).is_some()
        {
            self.template_line(frame, start);
            return;
        }
        let Some(origin) = frame.origin else {
            frame.owner = Owner::Template;
            frame.scanner.rest();
            self.end_entry(frame, start);
            return;
        };
        if dialect && text.len() != 1 {
            let span = frame.span(token.start, token.end);
            self.mark(self.zone_origin, true, Cause::NotEvaluated, "`@Z` and `@F` are names of gdnsd", span);
            frame.owner = Owner::Template;
            frame.scanner.rest();
            self.end_entry(frame, start);
            return;
        }
        let before = &frame.scanner.bytes[frame.owner_token.0..frame.owner_token.1];
        if let (Owner::Known(owner), true) = (frame.owner, before == text && !text.is_empty()) {
            self.record(frame, start, owner);
            return;
        }
        match self.store.names.intern_master(text, origin) {
            Ok(owner) => {
                frame.owner = Owner::Known(owner);
                frame.owner_token = (token.start, token.end);
                self.record(frame, start, owner);
            }
            Err(error) => {
                frame.owner = Owner::Bad;
                let message = format!("the owner cannot be read: {error}");
                self.message(Diagnostic::error("zone-owner", message).at(frame.span(token.start, token.end)));
                frame.scanner.rest();
                self.end_entry(frame, start);
            }
        }
    }

    /// A template in the place of a name could add any record to the zone.
    fn template_line(&mut self, frame: &mut Frame<'_>, start: usize) {
        let bytes = frame.scanner.bytes;
        frame.scanner.at = start;
        let line = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |at| start + at);
        let at = template::find(bytes, start, line).unwrap_or(start);
        let end = template::close(bytes, at, line);
        self.block_depth = (self.block_depth + template::block_change(bytes, start, line)).max(0);
        frame.owner = Owner::Template;
        let reason = "a template stands where a name is expected, so any record may follow from it";
        self.mark(self.zone_origin, true, Cause::NotEvaluated, reason, frame.span(at, end));
        frame.scanner.rest();
        frame.scanner.broken = None;
        // The text between markers is no zone text; only complete lines are skipped.
        frame.scanner.at = line;
        frame.scanner.next_line();
    }

    fn directive(&mut self, frame: &mut Frame<'_>) {
        let token = frame.scanner.token();
        let word = frame.text(token).to_ascii_uppercase();
        let span = frame.span(token.start, token.end);
        match word.as_slice() {
            b"$ORIGIN" => self.origin(frame, span),
            b"$TTL" => self.default_ttl(frame, span),
            b"$INCLUDE" => self.include(frame, span),
            b"$GENERATE" => self.generate(frame, token),
            b"$DATE" => {
                frame.scanner.rest();
                self.after_date = true;
                let reason = "after `$DATE` it depends on the time of loading which records are served";
                self.mark(self.zone_origin, true, Cause::NotEvaluated, reason, span);
            }
            b"$ADDLIMIT_V4" | b"$ADDLIMIT_V6" => {
                let value = frame.scanner.token();
                let unlimited = value.kind == Kind::Word && frame.text(value) == b"0";
                self.address_limit[usize::from(word.ends_with(b"6"))] = !unlimited;
                frame.scanner.rest();
            }
            _ => {
                frame.scanner.rest();
                let word = String::from_utf8_lossy(&word).into_owned();
                let reason = format!("the directive `{word}` is not one of zone files; what it adds is not known");
                self.message(Diagnostic::warning("zone-directive", reason.clone()).at(span));
                self.mark(self.zone_origin, true, Cause::NotEvaluated, reason, span);
            }
        }
    }

    fn origin(&mut self, frame: &mut Frame<'_>, directive: Span) {
        let token = frame.scanner.token();
        let rest = frame.scanner.rest();
        let span = if token.kind == Kind::End { directive } else { frame.span(token.start, token.end) };
        let found = match (frame.origin, token.kind) {
            (_, Kind::End) => Err((Cause::Parse, "`$ORIGIN` needs a name".to_owned())),
            _ if template::find(frame.scanner.bytes, token.start, rest.end.max(token.end)).is_some() => {
                Err((Cause::NotEvaluated, "the origin is a template".to_owned()))
            }
            (Some(base), _) => self.absolute(frame.text(token), base),
            (None, _) if frame.text(token).ends_with(b".") => {
                let root = self.store.names.base(super::names::ROOT);
                self.absolute(frame.text(token), root)
            }
            (None, _) => return,
        };
        match found {
            Ok(base) => frame.origin = Some(base),
            Err((cause, reason)) => {
                if cause == Cause::Parse {
                    self.message(Diagnostic::error("zone-origin", reason.clone()).at(span));
                }
                self.mark(self.zone_origin, true, cause, reason, span);
                frame.origin = None;
            }
        }
        frame.owner_token = (0, 0);
        self.renew_context(frame);
    }

    fn absolute(&mut self, text: &[u8], base: Base) -> Result<Base, (Cause, String)> {
        match self.store.names.intern_master(text, base) {
            Ok(id) => Ok(self.store.names.base(id)),
            Err(error) => Err((Cause::Parse, format!("the origin cannot be read: {error}"))),
        }
    }

    /// RFC 2308 section 4.
    fn default_ttl(&mut self, frame: &mut Frame<'_>, directive: Span) {
        let token = frame.scanner.token();
        let rest = frame.scanner.rest();
        self.default_ttl = rdata::ttl(frame.text(token));
        if self.default_ttl.is_none() {
            let span = if token.kind == Kind::End { directive } else { frame.span(token.start, token.end) };
            let message = match template::find(frame.scanner.bytes, token.start, rest.end.max(token.end)) {
                Some(_) => Diagnostic::note("zone-template", "the default TTL is a template and is not evaluated"),
                None => Diagnostic::error("zone-ttl", "`$TTL` needs a number of seconds or a time like 1h30m"),
            };
            self.message(message.at(span));
        }
    }

    fn include(&mut self, frame: &mut Frame<'_>, directive: Span) {
        let path = frame.scanner.token();
        let name = frame.scanner.token();
        let rest = frame.scanner.rest();
        if path.kind == Kind::End {
            self.message(Diagnostic::error("zone-include", "`$INCLUDE` needs the path of a file").at(directive));
            self.mark(self.zone_origin, true, Cause::Parse, "an `$INCLUDE` names no file", directive);
            return;
        }
        let span = frame.span(path.start, path.end);
        let written = String::from_utf8_lossy(frame.text(path)).into_owned();
        let template = template::find(frame.scanner.bytes, path.start, rest.end.max(name.end)).is_some();
        // RFC 1035 section 5.1: the origin of the included file does not change that of this one.
        let origin = match (frame.origin, name.kind) {
            (Some(base), Kind::End) => Some(base),
            (Some(base), _) => self.absolute(frame.text(name), base).ok(),
            (None, _) => None,
        };
        let Some(base) = origin else {
            let reason = format!("the origin of the file \"{written}\" is not known");
            self.message(Diagnostic::error("zone-include", reason.clone()).at(span));
            self.mark(self.zone_origin, true, Cause::NotEvaluated, reason, span);
            return;
        };
        let found =
            if template { Err("its path is a template".to_owned()) } else { self.find_include(&written, frame.file) };
        match found {
            Ok(file) => {
                self.file(file, Some(base), frame.owner);
                self.renew_context(frame);
            }
            Err(why) => {
                let reason = format!("the file \"{written}\" could not be included: {why}");
                self.message(Diagnostic::warning("zone-include", reason.clone()).at(span));
                // The file could have set another origin, but not one outside the zone that would count.
                let touched =
                    if self.store.names.is_within(base.id, self.zone_origin) { base.id } else { self.zone_origin };
                self.mark(touched, true, Cause::NotEvaluated, reason, span);
            }
        }
    }

    fn find_include(&mut self, written: &str, from: FileId) -> Result<FileId, String> {
        self.includes += 1;
        if self.stack.len() > INCLUDE_DEPTH {
            return Err(format!("files include one another more than {INCLUDE_DEPTH} levels deep"));
        }
        if self.includes > INCLUDE_LIMIT {
            return Err(format!("the zone includes more than {INCLUDE_LIMIT} files"));
        }
        let file = (self.include)(self.files, written, from)?;
        if self.stack.contains(&file) {
            return Err("it is being read already and would include itself".to_owned());
        }
        self.included_bytes = self.included_bytes.saturating_add(self.files.get(file).bytes.len());
        if self.included_bytes > INCLUDE_BYTES {
            return Err(format!("the zone includes more than {INCLUDE_BYTES} bytes"));
        }
        Ok(file)
    }

    fn mark(&mut self, name: u32, subtree: bool, cause: Cause, reason: impl Into<String>, span: Span) {
        if self.whole_zone_marked || !self.store.names.is_within(name, self.zone_origin) {
            return;
        }
        if self.store.mark_count() - self.first_mark >= MARK_LIMIT {
            self.whole_zone_marked = true;
            self.store.forget_marks_from(self.first_mark);
            let reason = format!("more than {MARK_LIMIT} places of the zone could not be read");
            self.store.mark(self.zone, self.zone_origin, true, cause, reason, span);
            return;
        }
        self.store.mark(self.zone, name, subtree, cause, reason.into(), span);
    }

    fn message(&mut self, diagnostic: Diagnostic) {
        self.messages += 1;
        if self.messages <= MESSAGE_LIMIT {
            self.store.diagnostic(diagnostic);
        }
    }

    fn summary(&mut self, file: FileId) {
        if let Some(more) = self.messages.checked_sub(MESSAGE_LIMIT).filter(|more| *more > 0) {
            let message = format!("{more} more messages about this zone are not shown");
            self.store.diagnostic(Diagnostic::warning("zone-more-messages", message).at(Span::new(file, 0, 0)));
        }
    }
}

/// The name of a zone by its text: the owner of the first SOA record, else the first `$ORIGIN`.
pub fn find_origin(bytes: &[u8]) -> Option<Name> {
    let mut scanner = Scanner::new(bytes);
    if bytes.starts_with(b"\xef\xbb\xbf") {
        scanner.at = 3;
    }
    let root = Name::root();
    let (mut origin, mut first, mut owner): (Option<Name>, Option<Name>, Option<Name>) = (None, None, None);
    let absolute = |text: &[u8], origin: &Option<Name>| match origin {
        Some(origin) => Name::from_master(text, origin).ok(),
        None if text.ends_with(b".") => Name::from_master(text, &root).ok(),
        None => None,
    };
    while scanner.at < bytes.len() {
        scanner.reset();
        let start = scanner.at;
        let has_owner = !matches!(bytes[start], b' ' | b'\t' | b'\r' | b'\n' | b';');
        let token = if has_owner { scanner.token() } else { Token { kind: Kind::End, start, end: start } };
        let text = &bytes[token.start..token.end];
        if token.kind == Kind::Word && text.eq_ignore_ascii_case(b"$ORIGIN") {
            let name = scanner.token();
            origin = absolute(&bytes[name.start..name.end], &origin);
            first = first.or_else(|| origin.clone());
        } else if !text.starts_with(b"$") {
            if token.kind != Kind::End {
                owner = absolute(text, &origin);
            }
            for _ in 0..3 {
                let token = scanner.token();
                if token.kind == Kind::End {
                    break;
                }
                if bytes[token.start..token.end].eq_ignore_ascii_case(b"SOA") && owner.is_some() {
                    return owner;
                }
            }
        }
        scanner.rest();
        if matches!(scanner.broken, Some(Open::Parenthesis(_))) {
            scanner.multiline = false;
            scanner.at = start;
        }
        scanner.next_line();
    }
    first
}

/// The numbers of class words (RFC 1035 section 3.2.4, RFC 3597 section 5).
fn class(text: &[u8]) -> Option<u16> {
    match text.len() {
        2 if text.eq_ignore_ascii_case(b"IN") => Some(1),
        2 if text.eq_ignore_ascii_case(b"CH") => Some(3),
        2 if text.eq_ignore_ascii_case(b"HS") => Some(4),
        5 if text.eq_ignore_ascii_case(b"CHAOS") => Some(3),
        6 if text.eq_ignore_ascii_case(b"HESIOD") => Some(4),
        6.. if text[..5].eq_ignore_ascii_case(b"CLASS") => rdata::decimal(&text[5..])?.try_into().ok(),
        _ => None,
    }
}

/// A type word. The common ones are compared first.
fn record_type(text: &[u8]) -> Option<RecordType> {
    match text {
        b"A" => Some(RecordType::A),
        b"MX" => Some(RecordType::MX),
        b"TXT" => Some(RecordType::TXT),
        b"NS" => Some(RecordType::NS),
        b"CNAME" => Some(RecordType::CNAME),
        b"AAAA" => Some(RecordType::AAAA),
        _ if text.len() <= 10 => RecordType::parse(std::str::from_utf8(text).ok()?),
        _ => None,
    }
}
