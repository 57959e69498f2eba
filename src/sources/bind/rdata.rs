//! The text of record data to [`RData`], on demand, with the place of every character.
//!
//! The types that mail needs become values of their own; all others become their canonical presentation form by the
//! table in [`super::fields`]. Data that break the grammar of their type are [`RData::Malformed`], never an error.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use super::scan::{Kind, Token, Tokens};
use super::{fields, wire};
use crate::diag::{FileId, Span};
use crate::mail::Name;
use crate::sources::names::Names;
use crate::sources::record::{RDATA_LIMIT, RData, RecordType, Run, Soa, Text};

/// Where the bytes of a record stand.
#[derive(Debug, Clone, Copy)]
pub(in crate::sources) enum Position {
    /// In a file, byte by byte.
    File(FileId),
    /// Nowhere: they were made, for example by the directive at this place.
    Fixed(Span),
}

/// The data of one record as text: `bytes[start..end]`, relative to an origin.
#[derive(Clone, Copy)]
pub(in crate::sources) struct Raw<'a> {
    pub(in crate::sources) bytes: &'a [u8],
    pub(in crate::sources) start: usize,
    pub(in crate::sources) end: usize,
    pub(in crate::sources) position: Position,
    pub(in crate::sources) names: &'a Names,
    pub(in crate::sources) origin: u32,
}

/// Why data do not follow the grammar, and the bytes that are wrong.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) reason: Cow<'static, str>,
    pub(super) span: Span,
}

impl<'a> Raw<'a> {
    /// The span of a range of bytes.
    pub(in crate::sources) fn span(&self, start: usize, end: usize) -> Span {
        match self.position {
            Position::File(file) => {
                Span::new(file, u32::try_from(start).unwrap_or(u32::MAX), u32::try_from(end).unwrap_or(u32::MAX))
            }
            Position::Fixed(span) => span,
        }
    }

    /// The data as typed value.
    pub(in crate::sources) fn decode(&self, rtype: RecordType) -> RData {
        match self.try_decode(rtype) {
            Ok(data) => data,
            Err(flaw) => RData::Malformed { reason: flaw.reason.into_owned(), span: flaw.span },
        }
    }

    /// Whether a TXT value begins with a text in any case; decodes only when the first token does not tell.
    pub(in crate::sources) fn text_begins(&self, text: &[u8]) -> bool {
        let begins = |bytes: &[u8]| bytes.get(..text.len()).is_some_and(|head| head.eq_ignore_ascii_case(text));
        let Ok(Some(token)) = Tokens::new(self.bytes, self.start, self.end).next() else { return false };
        let first = &self.bytes[token.start..token.end];
        let tells = first.len() >= text.len() && !first[..text.len()].contains(&b'\\');
        if tells {
            return begins(first);
        }
        matches!(self.decode(RecordType::TXT), RData::Txt(value) if begins(&value.bytes))
    }

    fn try_decode(&self, rtype: RecordType) -> Result<RData, Flaw> {
        let mut reader = FieldReader::new(*self);
        if reader.peek()?.is_some_and(|token| token.kind == Kind::Word && reader.text(token) == b"\\#") {
            return self.generic(rtype, reader);
        }
        let data = match rtype {
            RecordType::A => {
                let token = reader.word("an IPv4 address")?;
                let address = reader.parse::<Ipv4Addr>(token, "this is not an IPv4 address")?;
                RData::A(address, reader.span(token))
            }
            RecordType::AAAA => {
                let token = reader.word("an IPv6 address")?;
                let address = reader.parse::<Ipv6Addr>(token, "this is not an IPv6 address")?;
                RData::Aaaa(address, reader.span(token))
            }
            RecordType::CNAME => reader.name().map(|(name, token)| RData::Cname(name, reader.span(token)))?,
            RecordType::NS => reader.name().map(|(name, token)| RData::Ns(name, reader.span(token)))?,
            RecordType::PTR => reader.name().map(|(name, token)| RData::Ptr(name, reader.span(token)))?,
            RecordType::MX => {
                let preference = reader.number(u16::MAX.into(), "a preference")? as u16;
                let (exchange, token) = reader.name()?;
                let relative = !self.bytes[token.start..token.end].ends_with(b".") && reader.text(token) != b"@";
                RData::Mx { preference, exchange, span: reader.span(token), relative }
            }
            RecordType::TXT | RecordType::SPF => return reader.strings().map(|text| RData::Txt(text.into())),
            RecordType::SOA => reader.soa()?,
            RecordType::CAA => {
                let flags = reader.number(255, "flags")? as u8;
                let tag = reader.word("a tag")?;
                let (value, token) = reader.string("a value")?;
                // The range of a quoted token excludes its quotes.
                let end = token.end + usize::from(token.kind == Kind::Quoted);
                RData::Caa {
                    flags,
                    tag: String::from_utf8_lossy(reader.text(tag)).into_owned(),
                    value: String::from_utf8_lossy(&value).into_owned(),
                    span: self.span(tag.start, end),
                }
            }
            RecordType::TLSA => {
                let usage = reader.number(255, "a certificate usage")? as u8;
                let first = reader.last;
                let selector = reader.number(255, "a selector")? as u8;
                let matching_type = reader.number(255, "a matching type")? as u8;
                let data = reader.hex()?;
                RData::Tlsa { usage, selector, matching_type, data, span: self.span(first.0, reader.last.1) }
            }
            _ => return fields::text(rtype, reader).map(RData::Other),
        };
        reader.finish()?;
        Ok(data)
    }

    /// RFC 3597 section 5: `\# length hex`.
    fn generic(&self, rtype: RecordType, mut reader: FieldReader<'a>) -> Result<RData, Flaw> {
        reader.word("data")?;
        let length = reader.number(65_535, "a length")? as usize;
        let (mut octets, mut places) = (Vec::new(), Vec::new());
        let mut half: Option<u8> = None;
        let first = reader.position();
        while let Some(token) = reader.optional()? {
            for at in token.start..token.end {
                let digit = (self.bytes[at] as char)
                    .to_digit(16)
                    .ok_or_else(|| reader.flaw("this is not a hexadecimal digit", at, at + 1))?
                    as u8;
                match half.take() {
                    Some(high) => octets.push(high << 4 | digit),
                    None => {
                        half = Some(digit);
                        places.push(at);
                    }
                }
            }
        }
        if half.is_some() || octets.len() != length {
            let reason = format!("the length is {length}, but {} octets follow", octets.len());
            return Err(reader.flaw(reason, self.start, self.end));
        }
        if matches!(rtype, RecordType::TXT | RecordType::SPF) {
            return self
                .generic_strings(&octets, &places)
                .ok_or_else(|| reader.flaw("the octets are not character-strings", first.min(self.end), self.end));
        }
        let Some(text) = wire::to_text(rtype, &octets) else {
            return Err(reader.flaw(format!("the octets are not data of type {rtype}"), self.start, self.end));
        };
        if text.starts_with("\\#") {
            return Ok(RData::Other(text));
        }
        let fixed = Raw {
            bytes: text.as_bytes(),
            start: 0,
            end: text.len(),
            position: Position::Fixed(self.span(self.start, self.end)),
            names: self.names,
            origin: crate::sources::names::ROOT,
        };
        fixed.try_decode(rtype)
    }

    /// Octets on the wire to a TXT value; `places` says where the first digit of each octet stands.
    fn generic_strings(&self, octets: &[u8], places: &[usize]) -> Option<RData> {
        let mut text = Building::new(self);
        let mut at = 0;
        while at < octets.len() {
            let end = at + 1 + usize::from(octets[at]);
            text.begin();
            for index in at + 1..end {
                text.push(*octets.get(index)?, *places.get(index)?, 2);
            }
            at = end;
        }
        (!text.chunks.is_empty()).then(|| RData::Txt(text.finish(self.start, self.end).into()))
    }
}

/// A TXT value under construction.
struct Building<'a> {
    raw: Raw<'a>,
    bytes: Vec<u8>,
    chunks: Vec<usize>,
    runs: Vec<Run>,
}

impl<'a> Building<'a> {
    fn new(raw: &Raw<'a>) -> Building<'a> {
        Building { raw: *raw, bytes: Vec::new(), chunks: Vec::new(), runs: Vec::new() }
    }

    fn begin(&mut self) {
        self.chunks.push(0);
    }

    fn push(&mut self, octet: u8, place: usize, width: u8) {
        self.extend(&[octet], place, width);
    }

    /// Adds octets that stand from `place` on with `width` bytes each.
    fn extend(&mut self, octets: &[u8], place: usize, width: u8) {
        if octets.is_empty() {
            return;
        }
        let at = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        let file_at = u32::try_from(place).unwrap_or(u32::MAX);
        let continues = self.runs.last().is_some_and(|run| {
            let expected = u64::from(run.file_at) + u64::from(at - run.at) * u64::from(run.width);
            run.width == width && expected == u64::from(file_at)
        });
        if !continues && matches!(self.raw.position, Position::File(_)) {
            self.runs.push(Run { at, file_at, width });
        }
        self.bytes.extend_from_slice(octets);
        if let Some(chunk) = self.chunks.last_mut() {
            *chunk += octets.len();
        }
    }

    fn finish(self, start: usize, end: usize) -> Text {
        Text { span: self.raw.span(start, end), bytes: self.bytes, chunks: self.chunks, runs: self.runs }
    }
}

/// Reads the fields of one record's data.
pub(super) struct FieldReader<'a> {
    raw: Raw<'a>,
    tokens: Tokens<'a>,
    ahead: Option<Option<Token>>,
    /// Bytes of the token read last.
    pub(super) last: (usize, usize),
}

impl<'a> FieldReader<'a> {
    fn new(raw: Raw<'a>) -> FieldReader<'a> {
        FieldReader {
            raw,
            tokens: Tokens::new(raw.bytes, raw.start, raw.end),
            ahead: None,
            last: (raw.start, raw.start),
        }
    }

    pub(super) fn text(&self, token: Token) -> &'a [u8] {
        &self.raw.bytes[token.start..token.end]
    }

    fn span(&self, token: Token) -> Span {
        self.raw.span(token.start, token.end)
    }

    fn position(&self) -> usize {
        self.tokens.position()
    }

    pub(super) fn flaw(&self, reason: impl Into<Cow<'static, str>>, start: usize, end: usize) -> Flaw {
        Flaw { reason: reason.into(), span: self.raw.span(start, end) }
    }

    pub(super) fn wrong(&self, token: Token, reason: impl Into<Cow<'static, str>>) -> Flaw {
        self.flaw(reason, token.start, token.end)
    }

    fn pull(&mut self) -> Result<Option<Token>, Flaw> {
        self.tokens.next().map_err(|at| self.flaw("the quote is not closed on its line", at, at + 1))
    }

    pub(super) fn peek(&mut self) -> Result<Option<Token>, Flaw> {
        if self.ahead.is_none() {
            self.ahead = Some(self.pull()?);
        }
        Ok(self.ahead.flatten())
    }

    pub(super) fn optional(&mut self) -> Result<Option<Token>, Flaw> {
        let token = self.peek()?;
        self.ahead = None;
        if let Some(token) = token {
            self.last = (token.start, token.end);
        }
        Ok(token)
    }

    pub(super) fn word(&mut self, what: &str) -> Result<Token, Flaw> {
        match self.optional()? {
            Some(token) => Ok(token),
            None => Err(self.flaw(format!("{what} is missing"), self.raw.start, self.raw.end)),
        }
    }

    fn parse<T: std::str::FromStr>(&self, token: Token, reason: &'static str) -> Result<T, Flaw> {
        let text = std::str::from_utf8(self.text(token)).map_err(|_| self.wrong(token, reason))?;
        text.parse().map_err(|_| self.wrong(token, reason))
    }

    /// A number of decimal digits up to `limit`.
    pub(super) fn number(&mut self, limit: u32, what: &str) -> Result<u32, Flaw> {
        let token = self.word(what)?;
        match decimal(self.text(token)) {
            Some(number) if number <= u64::from(limit) => Ok(u32::try_from(number).unwrap_or(limit)),
            Some(_) => Err(self.wrong(token, format!("the number is greater than {limit}"))),
            None => Err(self.wrong(token, format!("{what} must be a number"))),
        }
    }

    pub(super) fn duration(&mut self, what: &str) -> Result<u32, Flaw> {
        let token = self.word(what)?;
        ttl(self.text(token))
            .ok_or_else(|| self.wrong(token, format!("{what} must be a number of seconds or a time like 1h30m")))
    }

    pub(super) fn name(&mut self) -> Result<(Name, Token), Flaw> {
        let token = self.word("a name")?;
        let text = self.text(token);
        let origin;
        let origin = if text.ends_with(b".") && !text.ends_with(b"\\.") {
            &*ROOT_NAME
        } else {
            origin = self.raw.names.name(self.raw.origin);
            &origin
        };
        Name::from_master(text, origin).map(|name| (name, token)).map_err(|error| self.wrong(token, error.to_string()))
    }

    /// One character-string.
    pub(super) fn string(&mut self, what: &str) -> Result<(Vec<u8>, Token), Flaw> {
        let token = self.word(what)?;
        let mut text = Building::new(&self.raw);
        self.decode_string(token, &mut text)?;
        Ok((text.bytes, token))
    }

    /// All character-strings up to the end, at least one.
    pub(super) fn strings(&mut self) -> Result<Text, Flaw> {
        let mut text = Building::new(&self.raw);
        while let Some(token) = self.optional()? {
            text.begin();
            // An octet is written with four characters at most.
            let surely_too_long = token.end - token.start > 4 * RDATA_LIMIT;
            if !surely_too_long {
                self.decode_string(token, &mut text)?;
            }
            // Each string has an octet for its length.
            if surely_too_long || text.bytes.len() + text.chunks.len() > RDATA_LIMIT {
                return Err(self.wrong(token, "a record holds 65535 octets at most"));
            }
        }
        if text.chunks.is_empty() {
            return Err(self.flaw("a text is missing", self.raw.start, self.raw.end));
        }
        Ok(text.finish(self.raw.start, self.raw.end))
    }

    fn decode_string(&self, token: Token, text: &mut Building<'a>) -> Result<(), Flaw> {
        let mut at = token.start;
        while at < token.end {
            let plain = memchr::memchr(b'\\', &self.raw.bytes[at..token.end]).map_or(token.end, |found| at + found);
            text.extend(&self.raw.bytes[at..plain], at, 1);
            if plain >= token.end {
                break;
            }
            at = plain;
            let (octet, width) = escape(&self.raw.bytes[at + 1..token.end]).ok_or_else(|| {
                self.flaw("a backslash needs a character or three digits up to 255", at, (at + 4).min(token.end))
            })?;
            text.push(octet, at, width);
            at += usize::from(width);
        }
        Ok(())
    }

    /// Hexadecimal digits up to the end; blanks may stand between them.
    pub(super) fn hex(&mut self) -> Result<Vec<u8>, Flaw> {
        let mut digits = Vec::new();
        let start = self.position();
        while let Some(token) = self.optional()? {
            digits.extend_from_slice(self.text(token));
        }
        data_encoding::HEXLOWER_PERMISSIVE
            .decode(&digits)
            .ok()
            .filter(|data| !data.is_empty())
            .ok_or_else(|| self.flaw("hexadecimal digits in pairs are expected", start.min(self.raw.end), self.raw.end))
    }

    fn soa(&mut self) -> Result<RData, Flaw> {
        let (mname, first) = self.name()?;
        let (rname, second) = self.name()?;
        let mut spans = [self.span(first); 7];
        spans[1] = self.span(second);
        let mut numbers = [0; 5];
        let words = ["a serial number", "the refresh time", "the retry time", "the expire time", "the minimum"];
        for (index, word) in words.into_iter().enumerate() {
            numbers[index] = if index == 0 { self.number(u32::MAX, word)? } else { self.duration(word)? };
            spans[index + 2] = self.raw.span(self.last.0, self.last.1);
        }
        let [serial, refresh, retry, expire, minimum] = numbers;
        Ok(RData::Soa(Box::new(Soa { mname, rname, serial, refresh, retry, expire, minimum, spans })))
    }

    pub(super) fn finish(&mut self) -> Result<(), Flaw> {
        match self.optional()? {
            Some(token) => Err(self.wrong(token, "nothing more is expected here")),
            None => Ok(()),
        }
    }
}

/// What absolute names are relative to.
static ROOT_NAME: LazyLock<Name> = LazyLock::new(Name::root);

/// Decimal digits, at most 18 of them.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    text.iter().try_fold(0u64, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))
}

/// A TTL: seconds, or numbers with the units of BIND (`1h30m`, `4w`).
pub(super) fn ttl(text: &[u8]) -> Option<u32> {
    let (mut total, mut number, mut digits, mut units) = (0u64, 0u64, 0, 0);
    for byte in text {
        if byte.is_ascii_digit() {
            number = number * 10 + u64::from(byte - b'0');
            digits += 1;
            if digits > 10 {
                return None;
            }
            continue;
        }
        let unit = match byte.to_ascii_lowercase() {
            b'w' => 604_800,
            b'd' => 86_400,
            b'h' => 3_600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        if digits == 0 {
            return None;
        }
        total += number * unit;
        (number, digits) = (0, 0);
        units += 1;
    }
    // BIND takes either a bare number or a unit behind every number.
    if (digits > 0) == (units > 0) {
        return None;
    }
    u32::try_from(total + number).ok()
}

/// What a backslash stands for (RFC 1035 section 5.1): the octet, and the bytes used with the backslash.
fn escape(rest: &[u8]) -> Option<(u8, u8)> {
    match rest {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', ..] => {
            let value = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
            u8::try_from(value).ok().map(|octet| (octet, 4))
        }
        [b'0'..=b'9', ..] | [] => None,
        [byte, ..] => Some((*byte, 2)),
    }
}

/// Whether data of a common type are surely sound, decided without allocation. `false` means "look closer".
pub(super) fn surely_sound(rtype: RecordType, raw: &Raw<'_>, simple: bool) -> bool {
    let data = raw.bytes.get(raw.start..raw.end).unwrap_or(&[]);
    match rtype {
        RecordType::TXT | RecordType::SPF => {
            simple && data.len() <= RDATA_LIMIT && data.starts_with(b"\"") && data.ends_with(b"\"") && only_quoted(data)
        }
        RecordType::A => ipv4(data),
        RecordType::AAAA => {
            data.len() < 46 && std::str::from_utf8(data).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
        }
        RecordType::CNAME | RecordType::NS | RecordType::PTR => plain_name(data),
        RecordType::MX => {
            let digits = data.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let blanks = data[digits..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            (1..=4).contains(&digits) && blanks > 0 && plain_name(&data[digits + blanks..])
        }
        _ => false,
    }
}

/// Quoted strings with only blanks between them; escapes were excluded before.
fn only_quoted(data: &[u8]) -> bool {
    let mut inside = false;
    data.iter().all(|byte| {
        if *byte == b'"' {
            inside = !inside;
            return true;
        }
        inside || matches!(byte, b' ' | b'\t')
    })
}

fn ipv4(data: &[u8]) -> bool {
    let (mut octets, mut value, mut digits) = (1, 0u16, 0);
    for byte in data {
        match byte {
            b'0'..=b'9' if digits < 3 && !(digits > 0 && value == 0) => {
                value = value * 10 + u16::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && value < 256 => {
                octets += 1;
                (value, digits) = (0, 0);
            }
            _ => return false,
        }
    }
    octets == 4 && digits > 0 && value < 256
}

/// A short name of ordinary characters without empty labels, so that no limit can be broken.
fn plain_name(data: &[u8]) -> bool {
    let (mut label, mut sound) = (0, data.len() <= 100);
    for byte in data {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'*' => label += 1,
            b'.' if label > 0 => label = 0,
            _ => return false,
        }
        sound &= label <= 63;
    }
    sound && !data.is_empty()
}
