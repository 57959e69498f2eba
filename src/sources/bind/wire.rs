//! Data on the wire (`\# length hex`, RFC 3597) to presentation text, by the table in [`super::fields`].

use std::net::{Ipv4Addr, Ipv6Addr};

use super::fields::{self, Field, quote};
use super::rdata::{Position, Raw};
use crate::diag::{FileId, Span};
use crate::sources::names::{Names, ROOT};
use crate::sources::record::{RData, RecordType};

/// The presentation text of data as received, and the canonical text that the reader of zone files makes of it, when
/// that is wanted. `None` when the octets do not fit the type.
pub(in crate::sources) fn wire_text(rtype: RecordType, octets: &[u8], canonical: bool) -> Option<(String, String)> {
    let text = to_text(rtype, octets)?;
    if !canonical {
        return Some((text, String::new()));
    }
    let (bytes, end) = (text.as_bytes(), text.len());
    let names = &Names::new();
    let file = Span::new(FileId(0), 0, 0);
    let raw = Raw { bytes, start: 0, end, position: Position::Fixed(file), names, origin: ROOT };
    match raw.decode(rtype) {
        RData::Other(canonical) => Some((text, canonical)),
        _ => None,
    }
}

/// The presentation text of data, `\# length hex` for types without a table, `None` when the octets do not fit the type.
pub(super) fn to_text(rtype: RecordType, octets: &[u8]) -> Option<String> {
    let Some(table) = fields::of(rtype).filter(|table| !table.contains(&Field::Tokens)) else {
        let hex = data_encoding::HEXUPPER.encode(octets);
        return Some(format!("\\# {} {hex}", octets.len()).trim_end().to_owned());
    };
    let mut rest = octets;
    let mut parts = Vec::new();
    for field in table {
        parts.push(field_text(*field, &mut rest)?);
    }
    rest.is_empty().then(|| parts.join(" "))
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    Some(head)
}

fn unsigned(rest: &mut &[u8], width: usize) -> Option<u64> {
    Some(take(rest, width)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = unsigned(rest, 1)? as usize;
    take(rest, length)
}

fn all<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    std::mem::take(rest)
}

fn quoted(bytes: &[u8]) -> String {
    let mut out = String::new();
    quote(bytes, &mut out);
    out
}

fn field_text(field: Field, rest: &mut &[u8]) -> Option<String> {
    Some(match field {
        Field::Name => name(rest)?,
        Field::U8 | Field::Algorithm => unsigned(rest, 1)?.to_string(),
        Field::U16 | Field::CertificateType => unsigned(rest, 2)?.to_string(),
        Field::U32 | Field::Duration | Field::Time => unsigned(rest, 4)?.to_string(),
        Field::Ip4 => Ipv4Addr::from(<[u8; 4]>::try_from(take(rest, 4)?).ok()?).to_string(),
        Field::Ip6 => Ipv6Addr::from(<[u8; 16]>::try_from(take(rest, 16)?).ok()?).to_string(),
        Field::String => quoted(string(rest)?),
        Field::Tag => {
            let tag = string(rest)?;
            (!tag.is_empty() && tag.iter().all(u8::is_ascii_alphanumeric))
                .then(|| String::from_utf8_lossy(tag).into_owned())?
        }
        Field::Strings | Field::MoreStrings => {
            let mut parts = Vec::new();
            while !rest.is_empty() {
                parts.push(quoted(string(rest)?));
            }
            parts.join(" ")
        }
        Field::LongString => quoted(all(rest)),
        Field::Salt => match string(rest)? {
            [] => "-".to_owned(),
            salt => data_encoding::HEXUPPER.encode(salt),
        },
        Field::Base32 => data_encoding::BASE32HEX_NOPAD.encode(string(rest)?),
        Field::Hex => data_encoding::HEXUPPER.encode(all(rest)),
        Field::Base64 => data_encoding::BASE64.encode(all(rest)),
        Field::Type => RecordType(u16::try_from(unsigned(rest, 2)?).ok()?).to_string(),
        Field::Types => bitmap(rest)?,
        Field::Names => {
            let mut parts = Vec::new();
            while !rest.is_empty() {
                parts.push(name(rest)?);
            }
            parts.join(" ")
        }
        Field::Parameters => parameters(rest)?,
        Field::Tokens => return None,
    })
}

/// A name without compression (RFC 3597 section 4).
fn name(rest: &mut &[u8]) -> Option<String> {
    let mut out = String::new();
    loop {
        let label = match unsigned(rest, 1)? {
            0 => break,
            length @ 1..=63 => take(rest, length as usize)?,
            _ => return None,
        };
        for byte in label {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => out.push(*byte as char),
                _ => out.push_str(&format!("\\{byte:03}")),
            }
        }
        out.push('.');
    }
    Some(if out.is_empty() { ".".to_owned() } else { out })
}

/// RFC 4034 section 4.1.2.
fn bitmap(rest: &mut &[u8]) -> Option<String> {
    let mut words = Vec::new();
    while !rest.is_empty() {
        let window = u16::try_from(unsigned(rest, 1)?).ok()?;
        for (at, byte) in (0u16..).zip(string(rest)?) {
            for bit in (0..8u16).filter(|bit| byte & (0x80 >> bit) != 0) {
                words.push(RecordType(window << 8 | (at << 3) | bit).to_string());
            }
        }
    }
    Some(words.join(" "))
}

/// Parameters of unknown meaning keep their octets: `key7="\001"`.
fn parameters(rest: &mut &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let key = unsigned(rest, 2)?;
        let length = unsigned(rest, 2)? as usize;
        parts.push(format!("key{key}={}", quoted(take(rest, length)?)));
    }
    Some(parts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wire_data_become_text() {
        for (rtype, octets, expected) in [
            (RecordType::A, &[192, 0, 2, 1][..], Some("192.0.2.1")),
            (RecordType::A, &[192, 0, 2], None),
            (RecordType::MX, b"\0\x0a\x02mx\0", Some("10 mx.")),
            (RecordType::NSEC, b"\0\0\x01\x40", Some(". A")),
            (RecordType(65280), b"\x01", Some("\\# 1 01")),
        ] {
            assert_eq!(to_text(rtype, octets).as_deref(), expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_octets_are_survived(rtype in 0u16..300, octets in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = to_text(RecordType(rtype), &octets);
        }
    }
}
