//! `$GENERATE`: records by counting, as in BIND 9 (`start-stop/step`, `$`, `${offset,width,base}`).
//!
//! The records have no text of their own in the file, so their text is kept in the store and every place is that of the
//! directive. The number of records is limited; beyond the limit the zone is not evaluated.

use super::record::{Header, HeaderKind};
use super::scan::{Kind, Rest, Token};
use super::{Frame, Reader, template};
use crate::diag::{Diagnostic, Span};
use crate::facts::Cause;
use crate::sources::names::NONE;
use crate::sources::record::RData;
use crate::sources::store::{Context, Entry, NO_TTL, Source};

/// Records of all `$GENERATE` directives of a run.
const RECORD_LIMIT: u64 = 1_000_000;
/// Bytes of their data.
const BYTE_LIMIT: usize = 256 << 20;
/// Digits of a number, as in BIND.
const WIDTH_LIMIT: u32 = 127;

/// Bounds and step.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    start: u32,
    stop: u32,
    step: u32,
}

fn range(text: &[u8]) -> Option<Range> {
    let text = std::str::from_utf8(text).ok()?;
    let (bounds, step) = text.split_once('/').map_or((text, "1"), |(bounds, step)| (bounds, step));
    let (start, stop) = bounds.split_once('-')?;
    let number = |text: &str| super::rdata::decimal(text.as_bytes())?.try_into().ok().filter(|n| *n <= i32::MAX as u32);
    let range = Range { start: number(start)?, stop: number(stop)?, step: number(step)? };
    (range.start <= range.stop && range.step > 0).then_some(range)
}

/// Replaces `$` by a number; `None` when a format cannot be read.
fn expand(text: &[u8], number: u32, out: &mut Vec<u8>) -> Option<()> {
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'$' if text.get(at + 1) == Some(&b'$') => {
                out.push(b'$');
                at += 2;
            }
            b'$' if text.get(at + 1) == Some(&b'{') => {
                let end = at + memchr::memchr(b'}', &text[at..])?;
                format(std::str::from_utf8(&text[at + 2..end]).ok()?, number, out)?;
                at = end + 1;
            }
            b'$' => {
                out.extend_from_slice(number.to_string().as_bytes());
                at += 1;
            }
            b'\\' => {
                out.extend_from_slice(&text[at..(at + 2).min(text.len())]);
                at += 2;
            }
            byte => {
                out.push(byte);
                at += 1;
            }
        }
    }
    Some(())
}

/// `offset[,width[,base]]`.
fn format(text: &str, number: u32, out: &mut Vec<u8>) -> Option<()> {
    let mut parts = text.split(',');
    let offset: i64 = parts.next()?.trim().parse().ok()?;
    let width: u32 = parts.next().map_or(Some(0), |width| width.trim().parse().ok())?;
    let base = parts.next().map_or("d", str::trim);
    if width > WIDTH_LIMIT || parts.next().is_some() {
        return None;
    }
    let value = i64::from(number).checked_add(offset)?;
    let signed = i32::try_from(value).ok()?;
    let width = width as usize;
    let digits = match base {
        "d" => format!("{signed:0width$}"),
        "o" => format!("{signed:0width$o}"),
        "x" => format!("{signed:0width$x}"),
        "X" => format!("{signed:0width$X}"),
        "n" | "N" => return nibbles(signed, width, base == "N", out),
        _ => return None,
    };
    out.extend_from_slice(digits.as_bytes());
    Some(())
}

/// Hexadecimal digits as labels in reverse; the width counts digits and dots.
fn nibbles(value: i32, mut width: usize, upper: bool, out: &mut Vec<u8>) -> Option<()> {
    let mut value = u32::try_from(value).ok()?;
    loop {
        let digit = char::from_digit(value & 15, 16)?;
        out.push(if upper { digit.to_ascii_uppercase() } else { digit } as u8);
        value >>= 4;
        width = width.saturating_sub(1);
        if value == 0 && width == 0 {
            return Some(());
        }
        out.push(b'.');
        width = width.saturating_sub(1);
        if value == 0 && width == 0 {
            // BIND ends with a dot when the width is even.
            return Some(());
        }
    }
}

impl Reader<'_, '_> {
    pub(super) fn generate(&mut self, frame: &mut Frame<'_>, directive: Token) {
        let bounds = frame.scanner.token();
        let owner = frame.scanner.token();
        if bounds.kind == Kind::End || owner.kind == Kind::End {
            frame.scanner.rest();
            let span = frame.span(directive.start, owner.end);
            self.generate_failed("`$GENERATE` needs a range, a name, a type and data", span);
            return;
        }
        let header = self.header(frame);
        let rest = frame.scanner.rest();
        let end = rest.end.max(directive.end);
        let whole = frame.span(directive.start, end);
        if has_template(frame.scanner.bytes, directive.start, end) || frame.origin.is_none() {
            let reason = "a `$GENERATE` holds a template";
            self.mark(self.zone_origin, true, Cause::NotEvaluated, reason, whole);
            return;
        }
        let Some(range) = range(frame.text(bounds)) else {
            let message = "a range like 1-10 or 0-20/2 is expected";
            self.generate_failed(message, frame.span(bounds.start, bounds.end));
            return;
        };
        if !matches!(header.kind, HeaderKind::Type(_)) {
            self.generate_failed("the type of a `$GENERATE` cannot be read", whole);
            return;
        }
        if self.block_depth > 0 || self.after_date {
            let reason = "a `$GENERATE` stands inside a block of a template or after `$DATE`";
            self.mark(self.zone_origin, true, Cause::NotEvaluated, reason, whole);
            return;
        }
        self.count(frame, directive, &range, owner, &header, rest);
    }

    fn generate_failed(&mut self, message: &str, span: Span) {
        self.message(Diagnostic::error("zone-generate", message).at(span));
        self.mark(self.zone_origin, true, Cause::Parse, format!("a `$GENERATE` could not be read: {message}"), span);
    }

    fn count(
        &mut self,
        frame: &mut Frame<'_>,
        directive: Token,
        range: &Range,
        owner: Token,
        header: &Header,
        rest: Rest,
    ) {
        let HeaderKind::Type(rtype) = header.kind else { return };
        let Some(origin) = frame.origin else { return };
        let (first, end) = (directive.start, rest.end.max(directive.end));
        let whole = frame.span(first, end);
        if !self.fits_class(frame, header, first, end) {
            return;
        }
        let ttl = self.ttl(frame, rtype, header.ttl, Rest { marker: Some(0), ..rest });
        let context =
            self.store.context(Context { zone: self.zone, origin: origin.id, source: Source::Generated(whole) });
        let (name_text, data_text) = (frame.text(owner), data_of(frame.scanner.bytes, rest));
        let mut name = Vec::new();
        for number in (range.start..=range.stop).step_by(range.step as usize) {
            if self.store.generated_records >= RECORD_LIMIT || self.store.generated.len() >= BYTE_LIMIT {
                let reason = format!("all `$GENERATE` directives together make more than {RECORD_LIMIT} records");
                self.message(Diagnostic::warning("zone-generate", reason.clone()).at(whole));
                self.mark(self.zone_origin, true, Cause::NotEvaluated, reason, whole);
                break;
            }
            self.store.generated_records += 1;
            name.clear();
            let start = self.store.generated.len();
            let expanded = expand(name_text, number, &mut name)
                .and_then(|()| expand(data_text, number, &mut self.store.generated));
            let made = expanded.and_then(|()| self.store.names.intern_master(&name, origin).ok());
            let Some(made) = made else {
                self.store.generated.truncate(start);
                self.generate_failed("a name or format cannot be read", whole);
                break;
            };
            if !self.lies_in_zone(frame, made, first, end) {
                continue;
            }
            let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            let entry = Entry {
                owner: made,
                context,
                start: place(start),
                data: place(start),
                end: place(self.store.generated.len()),
                ttl: ttl.unwrap_or(NO_TTL),
                next: NONE,
                rtype,
                flags: 0,
            };
            self.store.push(entry);
            if let RData::Malformed { reason, .. } = self.store.data(&entry, self.files) {
                let message = format!("the data of a generated {rtype} record cannot be read: {reason}");
                self.message(Diagnostic::error("zone-data", message).at(whole));
            }
        }
        self.renew_context(frame);
    }
}

/// The data as BIND takes them: the content of a single token, quoted or not.
fn data_of(bytes: &[u8], rest: Rest) -> &[u8] {
    let mut tokens = super::scan::Tokens::new(bytes, rest.start, rest.end);
    match (tokens.next(), tokens.next()) {
        (Ok(Some(only)), Ok(None)) => &bytes[only.start..only.end],
        _ => &bytes[rest.start..rest.end.max(rest.start)],
    }
}

/// `${...}` is a format here, not a template.
fn has_template(bytes: &[u8], start: usize, end: usize) -> bool {
    let mut from = start;
    while let Some(at) = template::find(bytes, from, end) {
        if !(bytes[at] == b'{' && at > 0 && bytes[at - 1] == b'$' && bytes.get(at + 1) != Some(&b'{')) {
            return true;
        }
        from = at + 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_those_of_bind() {
        for (text, number, expected) in [
            ("host-$", 7, Some("host-7")),
            ("${0,3,d}", 7, Some("007")),
            ("${-5,0,x}", 31, Some("1a")),
            ("${0,2,X}", 171, Some("AB")),
            ("${1}", 1, Some("2")),
            ("$$x", 1, Some("$x")),
            ("\\$x", 1, Some("\\$x")),
            ("${0,0,n}", 0x1f, Some("f.1")),
            ("${0,7,n}", 0x1f, Some("f.1.0.0")),
            ("${0,3,N}", 0xa, Some("A.0")),
            ("${0,3,z}", 1, None),
            ("${0,200,d}", 1, None),
            ("${", 1, None),
        ] {
            let mut out = Vec::new();
            let result = expand(text.as_bytes(), number, &mut out).map(|()| String::from_utf8(out).unwrap());
            assert_eq!(result.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn ranges_are_checked() {
        assert_eq!(range(b"1-10/3"), Some(Range { start: 1, stop: 10, step: 3 }));
        for bad in ["10-1", "1-", "1-2/0", "x-2", "1", "0-4294967295"] {
            assert_eq!(range(bad.as_bytes()), None, "{bad}");
        }
    }
}
