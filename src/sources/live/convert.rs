//! A message as text in the form of zone files, and its records with their places in that text.
//!
//! The text is written once, and every position is taken while it is written, so that a place inside an SPF record in
//! a chunked TXT is exact. Records are sorted: a server that rotates its answers does not change the text. Data that do
//! not fit their type are written in the generic form of RFC 3597 and are malformed, never dropped.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::exchange::Transport;
use super::wire::{self, Broken, CLASS_IN, Head, Message, Section};
use crate::diag::{FileId, Span};
use crate::mail::Name;
use crate::sources::bind::wire_text;
use crate::sources::record::{RData, Record, RecordType, Run, Soa, Text};

/// Most bytes of text that one message may become: compression can make a message hundred times as long.
const TEXT_LIMIT: usize = 1 << 20;

/// A text under construction, and the file it will be.
#[derive(Debug)]
pub(super) struct Page {
    file: FileId,
    text: String,
    /// Where names are put together.
    room: Vec<u8>,
}

impl Page {
    pub(super) fn new(file: FileId) -> Page {
        Page { file, text: String::with_capacity(256), room: Vec::with_capacity(64) }
    }

    /// Adds a line.
    pub(super) fn line(&mut self, line: std::fmt::Arguments<'_>) -> Span {
        let start = self.at();
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(line);
        let span = self.since(start);
        self.text.push('\n');
        span
    }

    /// Adds the first line: what came from whom. Every message has it, so it is put together without formatting.
    pub(super) fn heading(
        &mut self,
        word: &str,
        count: usize,
        plural: &str,
        from: SocketAddr,
        over: Transport,
    ) -> Span {
        let start = self.at();
        self.words(&[";; ", word, ", "]);
        self.number(u32::try_from(count).unwrap_or(u32::MAX));
        self.words(&[" answer", plural, ", from "]);
        match from {
            SocketAddr::V4(from) => {
                self.octets(from.ip().octets());
                self.words(&[":"]);
                self.number(from.port());
            }
            SocketAddr::V6(_) => _ = self.put(from),
        }
        self.words(&[" over ", over.as_str()]);
        let span = self.since(start);
        self.words(&["\n"]);
        span
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        // A copy into less room pays only where much of it is empty.
        if self.text.capacity() > 2 * self.text.len() {
            self.text.shrink_to_fit();
        }
        self.text.into_bytes()
    }

    fn at(&self) -> u32 {
        u32::try_from(self.text.len()).unwrap_or(u32::MAX)
    }

    fn since(&self, start: u32) -> Span {
        Span::new(self.file, start, self.at())
    }

    fn put(&mut self, value: impl std::fmt::Display) -> Span {
        let start = self.at();
        let _ = write!(self.text, "{value}");
        self.since(start)
    }

    /// A number in decimal digits. Texts have many of them, and formatting them in the general way takes longer.
    fn number(&mut self, number: impl Into<u32>) -> Span {
        let (start, mut rest) = (self.at(), number.into());
        let (mut digits, mut first) = ([b'0'; 10], 9);
        while rest >= 10 {
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
            first -= 1;
        }
        digits[first] = b'0' + rest as u8;
        self.text.extend(digits[first..].iter().copied().map(char::from));
        self.since(start)
    }

    /// An IPv4 address.
    fn octets(&mut self, octets: [u8; 4]) -> Span {
        let start = self.at();
        for (index, octet) in octets.into_iter().enumerate() {
            self.words(if index == 0 { &[] } else { &["."] });
            self.number(octet);
        }
        self.since(start)
    }

    /// Adds words without formatting.
    pub(super) fn words(&mut self, words: &[&str]) {
        words.iter().for_each(|word| self.text.push_str(word));
    }

    /// A name with its final dot. Characters that mean something else in zone files are escaped (RFC 1035 section 5.1).
    fn name(&mut self, name: &Name) -> Span {
        let start = self.at();
        let text = name.as_str();
        if has_special(text) {
            let mut escaped = false;
            for character in text.chars() {
                if !escaped && "\"();@$".contains(character) {
                    self.text.push('\\');
                }
                escaped = !escaped && character == '\\';
                self.text.push(character);
            }
        } else {
            self.text.push_str(text);
        }
        if !name.is_root() {
            self.text.push('.');
        }
        self.since(start)
    }

    /// The name at a place of data without compression, written like [`Page::name`]; where it ends.
    fn wire_name(&mut self, data: &[u8], at: usize) -> Option<usize> {
        let (name, end) = wire::name_text(data, at, &mut self.room).ok()?;
        if has_special(name) {
            let name = Name::from_canonical(name);
            self.name(&name);
        } else {
            self.text.push_str(name);
            self.text.push('.');
        }
        Some(end)
    }

    /// Writes the name at a place of data without compression: the name, its place, and where it ends.
    fn named(&mut self, data: &[u8], at: usize) -> Option<(Name, Span, usize)> {
        let (name, end) = wire::read_name(data, at, None, &mut self.room).ok()?;
        let span = self.name(&name);
        Some((name, span, end))
    }
}

/// Whether a name has characters that mean something else in zone files.
fn has_special(name: &str) -> bool {
    name.bytes().any(|byte| b"\"();@$".contains(&byte))
}

/// Why a message cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unshown {
    /// It is not a DNS message.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// It is longer than what is looked at.
    #[error("the message is too long to be looked at")]
    TooLong,
}

/// What a message holds.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Records of class IN, sorted.
    pub(super) records: Vec<(Section, Record)>,
    /// The first start of authority: its section, owner and place.
    pub(super) authority: Option<(Section, Name, Span)>,
    /// Whether a signature says that the records of the wanted type were made from a wildcard (RFC 4035 section 5.3.4).
    pub(super) wildcard: bool,
}

/// Writes the records of a message. With `wanted`, only records of this type and aliases come back as values; the text has
/// all but those of the additional section, which nobody asked for.
///
/// # Errors
/// A name cannot be read, or the text would be too long.
pub(super) fn show(message: &Message<'_>, wanted: Option<RecordType>, page: &mut Page) -> Result<Shown, Unshown> {
    let mut rows = Vec::with_capacity(message.records.len());
    for head in &message.records {
        if wanted.is_none() || head.section != Section::Additional {
            let data = message.data(head);
            rows.push((head, data.is_ok(), data.unwrap_or_else(Cow::Borrowed)));
        }
    }
    // A server may give the records of a set in any order (RFC 2181 section 5); a set holds each record once.
    rows.sort_by(|(one, _, data), (other, _, other_data)| order(one, other).then_with(|| data.cmp(other_data)));
    rows.dedup_by(|(one, _, data), (other, _, other_data)| order(one, other) == Ordering::Equal && data == other_data);
    let mut shown = Shown::default();
    let mut section = None;
    for (head, sound, data) in rows {
        if section.replace(head.section) != Some(head.section) {
            let word = match head.section {
                Section::Answer => "answer",
                Section::Authority => "authority",
                Section::Additional => "additional",
            };
            page.line(format_args!(";; {word}"));
        }
        if page.text.len() + 4 * data.len() > TEXT_LIMIT {
            return Err(Unshown::TooLong);
        }
        let kept = wanted.is_none_or(|wanted| [wanted, RecordType::CNAME].contains(&head.rtype));
        shown.wildcard |= wanted.is_some_and(|wanted| is_from_wildcard(head, wanted, &data));
        let (span, value) = record(head, sound.then_some(&*data).ok_or(&*data), kept, page);
        let is_sound = !matches!(value, Some(RData::Malformed { .. }));
        if (head.rtype, head.class) == (RecordType::SOA, CLASS_IN) && is_sound && shown.authority.is_none() {
            shown.authority = Some((head.section, head.owner.clone(), span));
        }
        if let (Some(data), true, CLASS_IN) = (value, kept, head.class) {
            let (owner, rtype, ttl) = (head.owner.clone(), head.rtype, Some(head.ttl));
            shown.records.push((head.section, Record { owner, rtype, ttl, data, span }));
        }
    }
    Ok(shown)
}

fn order(one: &Head, other: &Head) -> Ordering {
    let key = |head: &Head| (head.rtype, head.class);
    one.section.cmp(&other.section).then_with(|| one.owner.cmp(&other.owner)).then_with(|| key(one).cmp(&key(other)))
}

/// RFC 4035 section 5.3.4: a signature over fewer labels than its owner has was made for a wildcard.
fn is_from_wildcard(head: &Head, wanted: RecordType, data: &[u8]) -> bool {
    let [t0, t1, _, labels, ..] = data else { return false };
    head.rtype == RecordType::RRSIG
        && head.section == Section::Answer
        && u16::from_be_bytes([*t0, *t1]) == wanted.0
        && usize::from(*labels) < head.owner.labels().filter(|label| *label != "*").count()
}

/// Writes one record; its place, and its value if the type has one or `others` asks for all. The data are an error when
/// a name in them could not be read.
fn record(head: &Head, data: Result<&[u8], &[u8]>, others: bool, page: &mut Page) -> (Span, Option<RData>) {
    let start = page.at();
    page.name(&head.owner);
    match head.class {
        CLASS_IN => {
            page.words(&[" "]);
            page.number(head.ttl);
            match head.rtype.mnemonic() {
                Some(rtype) => page.words(&[" IN ", rtype, " "]),
                None => _ = page.put(format_args!(" IN {} ", head.rtype)),
            }
        }
        class => _ = page.put(format_args!(" {} CLASS{class} {} ", head.ttl, head.rtype)),
    }
    let data_start = page.at();
    let value = match (head.class, data) {
        (CLASS_IN, Ok(data)) => typed(head.rtype, data, others, page),
        _ => None,
    };
    let (Ok(data) | Err(data)) = data;
    let value = value.or_else(|| {
        page.text.truncate(data_start as usize);
        page.put(format_args!("\\# {}", data.len()));
        if !data.is_empty() {
            page.put(format_args!(" {}", data_encoding::HEXUPPER.encode(data)));
        }
        let reason = format!("the octets are not data of type {}", head.rtype);
        Some(RData::Malformed { reason, span: page.since(data_start) })
    });
    let span = page.since(start);
    page.text.push('\n');
    (span, value)
}

/// Writes data and gives their value; `None` when they do not fit the type. What was written is then void.
fn typed(rtype: RecordType, data: &[u8], others: bool, page: &mut Page) -> Option<RData> {
    let only_name = |page: &mut Page| {
        let (name, span, end) = page.named(data, 0)?;
        (end == data.len()).then_some((span, name))
    };
    Some(match rtype {
        RecordType::A => {
            let octets = <[u8; 4]>::try_from(data).ok()?;
            RData::A(Ipv4Addr::from(octets), page.octets(octets))
        }
        RecordType::AAAA => {
            let address = Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?);
            RData::Aaaa(address, page.put(address))
        }
        RecordType::CNAME => only_name(page).map(|(span, name)| RData::Cname(name, span))?,
        RecordType::NS => only_name(page).map(|(span, name)| RData::Ns(name, span))?,
        RecordType::PTR => only_name(page).map(|(span, name)| RData::Ptr(name, span))?,
        RecordType::MX => {
            let (preference, rest) = data.split_first_chunk::<2>()?;
            let preference = u16::from_be_bytes(*preference);
            page.number(preference);
            page.text.push(' ');
            let (exchange, span, end) = page.named(rest, 0)?;
            if end != rest.len() {
                return None;
            }
            RData::Mx { preference, exchange, span, relative: false }
        }
        RecordType::TXT | RecordType::SPF => RData::Txt(Arc::new(text(data, page)?)),
        RecordType::SOA if !others => {
            soa_text(data, page)?;
            RData::Other(String::new())
        }
        RecordType::SOA => RData::Soa(Box::new(soa(data, page)?)),
        RecordType::CAA => caa(data, page)?,
        RecordType::TLSA => {
            let ([usage, selector, matching_type], association) = data.split_first_chunk::<3>()?;
            if association.is_empty() {
                return None;
            }
            let hex = data_encoding::HEXUPPER.encode(association);
            let span = page.put(format_args!("{usage} {selector} {matching_type} {hex}"));
            let (usage, selector, matching_type) = (*usage, *selector, *matching_type);
            RData::Tlsa { usage, selector, matching_type, data: association.to_vec(), span }
        }
        _ => {
            let (text, canonical) = wire_text(rtype, data, others)?;
            // A last field without octets leaves only the space before it.
            page.text.push_str(text.trim_end_matches(' '));
            RData::Other(canonical)
        }
    })
}

/// Character-strings in quotes (RFC 1035 section 3.3.14), and where each octet stands.
fn text(data: &[u8], page: &mut Page) -> Option<Text> {
    let start = page.at();
    let mut value =
        Text { bytes: Vec::with_capacity(data.len()), chunks: Vec::new(), runs: Vec::new(), span: page.since(start) };
    let mut rest = data;
    while let [length, tail @ ..] = rest {
        let (chunk, tail) = tail.split_at_checked(usize::from(*length))?;
        if !value.chunks.is_empty() {
            page.text.push(' ');
        }
        value.chunks.push(chunk.len());
        page.text.push('"');
        for octet in chunk {
            let (file_at, width) = (page.at(), quoted(*octet, &mut page.text));
            let at = u32::try_from(value.bytes.len()).ok()?;
            let continues = value
                .runs
                .last()
                .is_some_and(|run| run.width == width && run.file_at + (at - run.at) * u32::from(run.width) == file_at);
            if !continues {
                value.runs.push(Run { at, file_at, width });
            }
            value.bytes.push(*octet);
        }
        page.text.push('"');
        rest = tail;
    }
    value.span = page.since(start);
    (!value.chunks.is_empty()).then_some(value)
}

/// Writes one octet as it stands between quotes; how many characters that took.
fn quoted(octet: u8, out: &mut String) -> u8 {
    match octet {
        b'"' | b'\\' => {
            out.push('\\');
            out.push(char::from(octet));
            2
        }
        0x20..=0x7e => {
            out.push(char::from(octet));
            1
        }
        _ => {
            out.push('\\');
            out.extend([octet / 100, octet / 10 % 10, octet % 10].map(|digit| char::from(b'0' + digit)));
            4
        }
    }
}

/// Writes what [`soa`] writes. Nearly every answer without records has one, of which only the place counts.
fn soa_text(data: &[u8], page: &mut Page) -> Option<()> {
    let at = page.wire_name(data, 0)?;
    page.words(&[" "]);
    let at = page.wire_name(data, at)?;
    let numbers: [u8; 20] = data.get(at..)?.try_into().ok()?;
    for octets in numbers.as_chunks::<4>().0 {
        page.words(&[" "]);
        page.number(u32::from_be_bytes(*octets));
    }
    Some(())
}

/// RFC 1035 section 3.3.13.
fn soa(data: &[u8], page: &mut Page) -> Option<Soa> {
    let (mname, span, at) = page.named(data, 0)?;
    page.text.push(' ');
    let mut spans = [span; 7];
    let (rname, span, at) = page.named(data, at)?;
    spans[1] = span;
    let numbers: [u8; 20] = data.get(at..)?.try_into().ok()?;
    let mut values = [0; 5];
    for ((value, octets), span) in values.iter_mut().zip(numbers.as_chunks::<4>().0).zip(&mut spans[2..]) {
        *value = u32::from_be_bytes(*octets);
        page.text.push(' ');
        *span = page.number(*value);
    }
    let [serial, refresh, retry, expire, minimum] = values;
    Some(Soa { mname, rname, serial, refresh, retry, expire, minimum, spans })
}

/// RFC 8659 section 4.1.
fn caa(data: &[u8], page: &mut Page) -> Option<RData> {
    let [flags, length, rest @ ..] = data else { return None };
    let (tag, value) = rest.split_at_checked(usize::from(*length))?;
    let tag = std::str::from_utf8(tag).ok().filter(|tag| !tag.is_empty())?;
    if !tag.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    page.put(format_args!("{flags} "));
    let start = page.at();
    page.put(format_args!("{tag} \""));
    for octet in value {
        quoted(*octet, &mut page.text);
    }
    page.text.push('"');
    let value = String::from_utf8_lossy(value).into_owned();
    Some(RData::Caa { flags: *flags, tag: tag.to_owned(), value, span: page.since(start) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of both writes a start of authority depends on what was asked for, and the text must not.
    #[test]
    fn a_start_of_authority_is_written_alike_with_and_without_its_value() {
        let names: [&[u8]; 4] = [b"\x02ns\x04EXAM\x00", b"\x00", b"\x04a.$b\x01\"\x00", b"\x03\x00\\;\x00"];
        for mname in names {
            for rname in names {
                let numbers = [0, 1, 4_294_967_295u32, 3600, 60].map(u32::to_be_bytes).concat();
                let data = [mname, rname, &numbers].concat();
                let [mut whole, mut text] = [Page::new(FileId(0)), Page::new(FileId(0))];
                assert!(soa(&data, &mut whole).is_some() && soa_text(&data, &mut text).is_some());
                assert_eq!(whole.text, text.text);
                for cut in 0..data.len() {
                    assert!(soa_text(&data[..cut], &mut Page::new(FileId(0))).is_none(), "{cut}");
                }
            }
        }
    }
}
