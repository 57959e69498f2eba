//! One record line: owner, TTL, class and type in any allowed order, then data.

use super::rdata::{self, Position, Raw};
use super::scan::{Kind, Open, Rest};
use super::{Frame, Reader, class, record_type, template};
use crate::diag::Diagnostic;
use crate::facts::Cause;
use crate::sources::names::NONE;
use crate::sources::record::{RData, RecordType};
use crate::sources::store::{Entry, NO_TTL};

/// Where a record stands: its first byte, the first byte of its data, and its end.
#[derive(Clone, Copy)]
struct Extent {
    start: usize,
    data: usize,
    end: usize,
}

/// What stands between owner and data.
pub(super) struct Header {
    pub(super) ttl: Option<u32>,
    pub(super) class: Option<u16>,
    pub(super) kind: HeaderKind,
    /// Where a template marker stands.
    pub(super) marker: Option<usize>,
}

/// The type as it was written.
pub(super) enum HeaderKind {
    Type(RecordType),
    /// A pseudo type of a provider, and the types that it answers.
    Dialect {
        word: String,
        answers: Vec<RecordType>,
    },
    /// Not a type: the place of the word, or of the end when it is missing.
    Unreadable {
        start: usize,
        end: usize,
        message: String,
    },
}

/// Pseudo types of providers: gdnsd's DYNA and DYNC, PowerDNS's ALIAS, LUA and old redirects.
fn dialect(word: &str) -> Option<&'static [RecordType]> {
    Some(match word {
        "DYNA" | "ALIAS" | "ANAME" => &[RecordType::A, RecordType::AAAA],
        "DYNC" => &[RecordType::CNAME],
        "URL" | "CURL" => &[RecordType::A, RecordType::AAAA],
        "MBOXFW" => &[RecordType::MX],
        _ => return None,
    })
}

/// gdnsd writes a TTL with a lower limit: `300/30`.
fn ttl_with_minimum(text: &[u8]) -> Option<u32> {
    let slash = memchr::memchr(b'/', text)?;
    rdata::ttl(&text[slash + 1..])?;
    rdata::ttl(&text[..slash])
}

impl Reader<'_, '_> {
    /// RFC 1035 section 5.1: TTL and class may be left out and may stand in either order.
    pub(super) fn header(&mut self, frame: &mut Frame<'_>) -> Header {
        let mut header = Header { ttl: None, class: None, kind: HeaderKind::Type(RecordType::A), marker: None };
        loop {
            let token = frame.scanner.token();
            let text = frame.text(token);
            if token.kind != Kind::Word {
                let message = "the record has no type".to_owned();
                header.kind = HeaderKind::Unreadable { start: token.start, end: token.end, message };
                return header;
            }
            if text[0].is_ascii_digit() && header.ttl.is_none() {
                header.ttl = rdata::ttl(text).or_else(|| ttl_with_minimum(text));
                if header.ttl.is_some() {
                    continue;
                }
            }
            if let Some(rtype) = record_type(text) {
                header.kind = HeaderKind::Type(rtype);
                return header;
            }
            if header.class.is_none() {
                header.class = class(text);
                if header.class.is_some() {
                    continue;
                }
            }
            if let Some(at) = template::find(frame.scanner.bytes, token.start, token.end) {
                header.marker.get_or_insert(at);
                let bytes = frame.scanner.bytes;
                let line = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
                frame.scanner.at = template::close(bytes, at, line).max(token.end);
                continue;
            }
            header.kind = self.other_type(frame, token.start, token.end);
            return header;
        }
    }

    fn other_type(&mut self, frame: &mut Frame<'_>, start: usize, end: usize) -> HeaderKind {
        let word = String::from_utf8_lossy(&frame.scanner.bytes[start..end]).to_ascii_uppercase();
        if word == "LUA" {
            // PowerDNS: the type that the script answers follows.
            let inner = frame.scanner.token();
            let answers = record_type(frame.text(inner)).into_iter().collect();
            return HeaderKind::Dialect { word, answers };
        }
        if let Some(answers) = dialect(&word) {
            return HeaderKind::Dialect { word, answers: answers.to_vec() };
        }
        let message = "this is not a record type, and neither a TTL nor a class that fits here".to_owned();
        HeaderKind::Unreadable { start, end, message }
    }

    pub(super) fn record(&mut self, frame: &mut Frame<'_>, start: usize, owner: u32) {
        let header = self.header(frame);
        let rest = frame.scanner.rest();
        match header.kind {
            HeaderKind::Type(rtype) => {
                self.typed_record(frame, start, owner, rtype, &header, rest);
            }
            HeaderKind::Dialect { ref word, ref answers } => {
                let extent = Extent { start, data: rest.end, end: rest.end };
                self.dialect_record(frame, extent, owner, header.ttl, word, answers);
            }
            HeaderKind::Unreadable { start: from, end, message } => {
                let span = frame.span(from, end);
                let templated = header.marker.or(rest.marker);
                if templated.is_some() {
                    let reason = "a template stands where the type of the record is expected";
                    self.mark(owner, false, Cause::NotEvaluated, reason, frame.span(start, rest.end));
                } else {
                    let suggestion = std::str::from_utf8(&frame.scanner.bytes[from..end]).ok().and_then(near_type);
                    let mut diagnostic = Diagnostic::error("zone-type", message.clone()).at(span);
                    if let Some(near) = suggestion {
                        diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
                    }
                    self.message(diagnostic);
                    self.mark(owner, false, Cause::Parse, format!("a line could not be read: {message}"), span);
                }
            }
        }
        self.end_entry(frame, start);
    }

    fn dialect_record(
        &mut self,
        frame: &Frame<'_>,
        extent: Extent,
        owner: u32,
        ttl: Option<u32>,
        word: &str,
        answers: &[RecordType],
    ) {
        if !self.lies_in_zone(frame, owner, extent.start, extent.end) {
            return;
        }
        let reason = format!("`{word}` is a feature of one provider; its answers are computed");
        for rtype in answers {
            self.push(frame, extent, owner, *rtype, ttl);
            self.store.leave_unevaluated(reason.clone());
        }
        if answers.is_empty() {
            self.mark(owner, false, Cause::NotEvaluated, reason, frame.span(extent.start, extent.end));
        }
    }

    fn typed_record(
        &mut self,
        frame: &Frame<'_>,
        start: usize,
        owner: u32,
        rtype: RecordType,
        header: &Header,
        rest: Rest,
    ) {
        if let Some(Open::Parenthesis(_)) = frame.scanner.broken {
            let reason = "a line could not be read: its parenthesis is never closed";
            let line = memchr::memchr(b'\n', &frame.scanner.bytes[start..]).map_or(rest.end, |end| start + end);
            self.mark(owner, false, Cause::Parse, reason, frame.span(start, line));
            return;
        }
        let end = rest.end.max(rest.start);
        if !self.fits_class(frame, header, start, end) || !self.lies_in_zone(frame, owner, start, end) {
            return;
        }
        let ttl = self.ttl(frame, rtype, header.ttl, rest);
        self.push(frame, Extent { start, data: rest.start, end }, owner, rtype, ttl);
        let reason = if header.marker.or(rest.marker).is_some() {
            Some("the record holds a template")
        } else if self.block_depth > 0 {
            Some("the record stands inside a block of a template")
        } else if self.after_date {
            Some("after `$DATE` it depends on the time of loading which records are served")
        } else if (rtype == RecordType::A && self.address_limit[0])
            || (rtype == RecordType::AAAA && self.address_limit[1])
        {
            Some("`$ADDLIMIT` answers with a part of the addresses")
        } else {
            None
        };
        match reason {
            Some(reason) => self.store.leave_unevaluated(reason.to_owned()),
            None => self.check(frame, rtype, rest.start, end, rest.simple),
        }
    }

    fn push(&mut self, frame: &Frame<'_>, extent: Extent, owner: u32, rtype: RecordType, ttl: Option<u32>) {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.store.push(Entry {
            owner,
            context: frame.context,
            start: place(extent.start),
            data: place(extent.data),
            end: place(extent.end),
            ttl: ttl.unwrap_or(NO_TTL),
            next: NONE,
            rtype,
            flags: 0,
        });
    }

    /// RFC 1035 section 5.2 (1): all records of a zone have one class.
    pub(super) fn fits_class(&mut self, frame: &Frame<'_>, header: &Header, start: usize, end: usize) -> bool {
        let Some(class) = header.class else { return true };
        match self.class {
            Some(before) if before != class => {
                let message = "the class of this record differs from that of the zone";
                self.message(Diagnostic::error("zone-class", message).at(frame.span(start, end)));
                false
            }
            Some(_) => true,
            None => {
                self.class = Some(class);
                if class != 1 {
                    let zone = &mut self.store.zones[self.zone as usize];
                    zone.internet = false;
                    let message = "the zone is not of class IN, so it has no mail and is not judged";
                    self.message(Diagnostic::note("zone-class", message).at(frame.span(start, end)));
                }
                true
            }
        }
    }

    pub(super) fn lies_in_zone(&mut self, frame: &Frame<'_>, owner: u32, start: usize, end: usize) -> bool {
        if self.checked_owner == owner {
            return true;
        }
        if self.store.names.is_within(owner, self.zone_origin) {
            self.checked_owner = owner;
            return true;
        }
        self.messages += 1;
        if self.messages <= super::MESSAGE_LIMIT {
            self.store.outside(self.zone, owner, frame.span(start, end));
        }
        false
    }

    /// The TTL that holds: the one stated, else that of `$TTL` (RFC 2308 section 4), else the last one stated (RFC 1035
    /// section 5.1). A SOA record without any takes its minimum, and so do the records that follow, as in BIND.
    pub(super) fn ttl(&mut self, frame: &Frame<'_>, rtype: RecordType, stated: Option<u32>, rest: Rest) -> Option<u32> {
        if stated.is_some() {
            self.last_ttl = stated;
            return stated;
        }
        let nothing_stated = self.default_ttl.is_none() && self.last_ttl.is_none() && rest.marker.is_none();
        if nothing_stated
            && rtype == RecordType::SOA
            && let RData::Soa(soa) = self.raw(frame, rest.start, rest.end).decode(rtype)
        {
            self.default_ttl = Some(soa.minimum);
        }
        self.last_ttl = self.default_ttl.or(self.last_ttl);
        self.last_ttl
    }

    fn raw<'r>(&'r self, frame: &'r Frame<'_>, start: usize, end: usize) -> Raw<'r> {
        Raw {
            bytes: frame.scanner.bytes,
            start,
            end: end.max(start),
            position: Position::File(frame.file),
            names: &self.store.names,
            origin: frame.origin.map_or(self.zone_origin, |base| base.id),
        }
    }

    /// Says what is wrong with the data of the record added last.
    fn check(&mut self, frame: &Frame<'_>, rtype: RecordType, start: usize, end: usize, simple: bool) {
        let raw = self.raw(frame, start, end);
        let short_origin = frame.origin.is_some_and(|base| base.wire <= 150);
        if short_origin && rdata::surely_sound(rtype, &raw, simple) {
            return;
        }
        match raw.decode(rtype) {
            RData::Malformed { reason, span } => {
                if rtype == RecordType::SOA && long_serial(&raw) {
                    let reason = "a serial number of more than 32 bits is rewritten by the provider";
                    self.store.leave_unevaluated(reason.to_owned());
                } else if frame.scanner.broken.is_none() {
                    let message = format!("the data of this {rtype} record cannot be read: {reason}");
                    self.message(Diagnostic::error("zone-data", message).at(span));
                }
            }
            // RFC 1035 section 3.3: a character-string has up to 255 octets. BIND refuses the zone.
            RData::Txt(text) => {
                let mut at = 0;
                for length in &text.chunks {
                    if *length > 255 {
                        let message =
                            format!("a string of {length} octets is longer than the 255 a zone file may have");
                        let help = "split it into several quoted strings; they are joined without blanks";
                        let place = text.place(at..at + length);
                        self.message(Diagnostic::error("zone-long-string", message).at(place).help(help));
                    }
                    at += length;
                }
            }
            _ => {}
        }
    }
}

/// Whether the serial number of a SOA record is a number that does not fit 32 bits.
fn long_serial(raw: &Raw<'_>) -> bool {
    let mut tokens = super::scan::Tokens::new(raw.bytes, raw.start, raw.end);
    let mut serial = None;
    for _ in 0..3 {
        serial = tokens.next().ok().flatten();
    }
    serial.is_some_and(|token| {
        let text = &raw.bytes[token.start..token.end];
        text.iter().all(u8::is_ascii_digit) && rdata::decimal(text).is_none_or(|number| number > u64::from(u32::MAX))
    })
}

fn near_type(word: &str) -> Option<&'static str> {
    let upper = word.to_ascii_uppercase();
    let common = ["A", "AAAA", "CAA", "CNAME", "DNAME", "DS", "MX", "NS", "PTR", "SOA", "SRV", "TLSA", "TXT"];
    crate::diag::suggest(&upper, common).filter(|near| near.len() > 1)
}
