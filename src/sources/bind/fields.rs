//! The fields of every record type, and canonical presentation text made by that table.
//!
//! Canonical means: names absolute and lower case, numbers in decimal, times in seconds, hexadecimal and Base64 without
//! blanks, strings quoted. Two records are the same when their canonical texts are. Types whose text has a syntax of its
//! own and that mail does not use (LOC, WKS, APL, ...) keep their tokens, separated by single spaces.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::rdata::{FieldReader, Flaw, decimal};
use super::scan::Kind;
use crate::sources::record::{RData, Record, RecordType, Text};

/// One field, or all remaining ones, of a record's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Name,
    U8,
    U16,
    U32,
    /// Seconds, with units.
    Duration,
    Ip4,
    Ip6,
    /// One character-string.
    String,
    /// One or more character-strings.
    Strings,
    /// Character-strings up to the end, maybe none.
    MoreStrings,
    /// A word as it stands, on the wire a character-string.
    Tag,
    /// The rest of the data as text in one character-string without length (URI, CAA).
    LongString,
    /// One word of hexadecimal digits, or `-`, on the wire with a length octet.
    Salt,
    /// One word of Base32hex, on the wire with a length octet.
    Base32,
    /// Hexadecimal digits up to the end.
    Hex,
    /// Base64 up to the end.
    Base64,
    /// A record type.
    Type,
    /// Record types up to the end.
    Types,
    /// A DNSSEC algorithm: number or mnemonic.
    Algorithm,
    /// A certificate type: number or mnemonic (RFC 4398 section 2.1).
    CertificateType,
    /// A time of a signature: `YYYYMMDDHHmmSS` or seconds.
    Time,
    /// Names up to the end, maybe none.
    Names,
    /// Parameters of SVCB and HTTPS.
    Parameters,
    /// Tokens up to the end, as they stand.
    Tokens,
}

/// The fields of a type; `None` for types without a table.
pub(super) fn of(rtype: RecordType) -> Option<&'static [Field]> {
    use Field::*;
    use RecordType as T;
    Some(match rtype {
        T::A => &[Ip4],
        T::AAAA => &[Ip6],
        T::NS | T::MD | T::MF | T::CNAME | T::MB | T::MG | T::MR | T::PTR | T::DNAME | T::NSAP_PTR => &[Name],
        T::SOA => &[Name, Name, U32, Duration, Duration, Duration, Duration],
        T::MINFO | T::RP | T::TALINK => &[Name, Name],
        T::HINFO => &[String, String],
        T::MX | T::AFSDB | T::RT | T::KX | T::LP => &[U16, Name],
        T::TXT | T::SPF | T::NINFO | T::AVC | T::RESINFO | T::WALLET => &[Strings],
        T::X25 => &[String],
        T::ISDN => &[String, MoreStrings],
        T::KEY | T::DNSKEY | T::CDNSKEY | T::RKEY => &[U16, U8, Algorithm, Base64],
        T::SIG | T::RRSIG => &[Type, Algorithm, U8, Duration, Time, Time, U16, Name, Base64],
        T::PX => &[U16, Name, Name],
        T::GPOS => &[String, String, String],
        T::NXT | T::NSEC => &[Name, Types],
        T::SRV => &[U16, U16, U16, Name],
        T::NAPTR => &[U16, U16, String, String, String, Name],
        T::CERT => &[CertificateType, U16, Algorithm, Base64],
        T::DS | T::CDS | T::DLV | T::TA => &[U16, Algorithm, U8, Hex],
        T::SSHFP => &[U8, U8, Hex],
        T::DHCID | T::OPENPGPKEY => &[Base64],
        T::NSEC3 => &[U8, U8, U16, Salt, Base32, Types],
        T::NSEC3PARAM => &[U8, U8, U16, Salt],
        T::TLSA | T::SMIMEA => &[U8, U8, U8, Hex],
        T::CSYNC => &[U32, U16, Types],
        T::ZONEMD => &[U32, U8, U8, Hex],
        T::SVCB | T::HTTPS => &[U16, Name, Parameters],
        T::L32 => &[U16, Ip4],
        T::URI => &[U16, U16, LongString],
        T::CAA => &[U8, Tag, LongString],
        T::EID | T::NIMLOC => &[Hex],
        T::DSYNC => &[Type, Tokens, U16, Name],
        T::HIP => &[U8, Tokens, Tokens, Names],
        _ => return None,
    })
}

/// The canonical text of data of a type without a value of its own.
pub(super) fn text(rtype: RecordType, mut reader: FieldReader<'_>) -> Result<String, Flaw> {
    let mut out = String::new();
    let fields = of(rtype).unwrap_or(&[Field::Tokens]);
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        let last = index + 1 == fields.len();
        one(*field, last, &mut reader, &mut out)?;
    }
    reader.finish()?;
    let length = out.trim_end().len();
    out.truncate(length);
    Ok(out)
}

fn one(field: Field, last: bool, reader: &mut FieldReader<'_>, out: &mut String) -> Result<(), Flaw> {
    match field {
        Field::Name => out.push_str(&reader.name()?.0.to_dotted()),
        Field::U8 => push(out, reader.number(u8::MAX.into(), "this field")?),
        Field::U16 => push(out, reader.number(u16::MAX.into(), "this field")?),
        Field::U32 => push(out, reader.number(u32::MAX, "this field")?),
        Field::Duration => push(out, reader.duration("this field")?),
        Field::Ip4 => push(out, parsed::<Ipv4Addr>(reader, "an IPv4 address")?),
        Field::Ip6 => push(out, parsed::<Ipv6Addr>(reader, "an IPv6 address")?),
        Field::String | Field::LongString => quote(&reader.string("a text")?.0, out),
        Field::Strings => strings(&reader.strings()?, out),
        Field::MoreStrings => {
            if reader.peek()?.is_some() {
                strings(&reader.strings()?, out);
            }
        }
        Field::Tag | Field::Base32 | Field::Salt => {
            let token = reader.word("a word")?;
            out.push_str(&lossy(reader.text(token)).to_ascii_lowercase());
        }
        Field::Hex => data_encoding::HEXUPPER.encode_append(&reader.hex()?, out),
        Field::Base64 => {
            while let Some(token) = reader.optional()? {
                if !reader.text(token).iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte)) {
                    return Err(reader.wrong(token, "Base64 is expected"));
                }
                out.push_str(&lossy(reader.text(token)));
            }
        }
        Field::Type => {
            let token = reader.word("a record type")?;
            let found = RecordType::parse(&lossy(reader.text(token)));
            push(out, found.ok_or_else(|| reader.wrong(token, "this is not a record type"))?);
        }
        Field::Types => types(reader, out)?,
        Field::Algorithm => mnemonic(reader, ALGORITHMS, u8::MAX.into(), out)?,
        Field::CertificateType => mnemonic(reader, CERTIFICATES, u16::MAX.into(), out)?,
        Field::Time => {
            let token = reader.word("a time")?;
            let number = decimal(reader.text(token)).ok_or_else(|| reader.wrong(token, "this is not a time"))?;
            push(out, number);
        }
        Field::Names => {
            let mut first = true;
            while reader.peek()?.is_some() {
                if !std::mem::take(&mut first) {
                    out.push(' ');
                }
                out.push_str(&reader.name()?.0.to_dotted());
            }
        }
        Field::Parameters => parameters(reader, out)?,
        Field::Tokens => {
            while let Some(token) = reader.optional()? {
                if token.kind == Kind::Quoted {
                    quote(reader.text(token), out);
                } else {
                    out.push_str(&lossy(reader.text(token)));
                }
                if !last {
                    break;
                }
                out.push(' ');
            }
        }
    }
    Ok(())
}

fn push(out: &mut String, value: impl std::fmt::Display) {
    let _ = write!(out, "{value}");
}

fn lossy(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn parsed<T: std::str::FromStr>(reader: &mut FieldReader<'_>, what: &str) -> Result<T, Flaw> {
    let token = reader.word(what)?;
    lossy(reader.text(token)).parse().map_err(|_| reader.wrong(token, format!("this is not {what}")))
}

/// Types in ascending order, each once, as a bitmap holds them.
fn types(reader: &mut FieldReader<'_>, out: &mut String) -> Result<(), Flaw> {
    let mut all = Vec::new();
    while let Some(token) = reader.optional()? {
        let found = RecordType::parse(&lossy(reader.text(token)));
        all.push(found.ok_or_else(|| reader.wrong(token, "this is not a record type"))?);
    }
    all.sort_unstable();
    all.dedup();
    let words: Vec<String> = all.iter().map(RecordType::to_string).collect();
    out.push_str(&words.join(" "));
    Ok(())
}

const ALGORITHMS: &[(&str, u32)] = &[
    ("RSAMD5", 1),
    ("DH", 2),
    ("DSA", 3),
    ("ECC", 4),
    ("RSASHA1", 5),
    ("NSEC3DSA", 6),
    ("NSEC3RSASHA1", 7),
    ("RSASHA256", 8),
    ("RSASHA512", 10),
    ("ECCGOST", 12),
    ("ECDSAP256SHA256", 13),
    ("ECDSA256", 13),
    ("ECDSAP384SHA384", 14),
    ("ECDSA384", 14),
    ("ED25519", 15),
    ("ED448", 16),
    ("INDIRECT", 252),
    ("PRIVATEDNS", 253),
    ("PRIVATEOID", 254),
];

const CERTIFICATES: &[(&str, u32)] = &[
    ("PKIX", 1),
    ("SPKI", 2),
    ("PGP", 3),
    ("IPKIX", 4),
    ("ISPKI", 5),
    ("IPGP", 6),
    ("ACPKIX", 7),
    ("IACPKIX", 8),
    ("URI", 253),
    ("OID", 254),
];

fn mnemonic(reader: &mut FieldReader<'_>, words: &[(&str, u32)], limit: u32, out: &mut String) -> Result<(), Flaw> {
    let token = reader.word("a number")?;
    let text = lossy(reader.text(token));
    let number = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text)).map(|(_, number)| u64::from(*number));
    match number.or_else(|| decimal(text.as_bytes())) {
        Some(number) if number <= u64::from(limit) => push(out, number),
        _ => return Err(reader.wrong(token, "this is neither a number in range nor a known mnemonic")),
    }
    Ok(())
}

/// Keys of SVCB parameters, by number (RFC 9460 section 14.3).
const KEYS: &[&str] = &[
    "mandatory",
    "alpn",
    "no-default-alpn",
    "port",
    "ipv4hint",
    "ech",
    "ipv6hint",
    "dohpath",
    "ohttp",
    "tls-supported-groups",
];

fn key_number(key: &str) -> Option<u16> {
    let known = KEYS.iter().position(|known| *known == key).and_then(|index| u16::try_from(index).ok());
    known.or_else(|| key.strip_prefix("key")?.parse().ok())
}

/// Parameters sorted by the number of their key.
fn parameters(reader: &mut FieldReader<'_>, out: &mut String) -> Result<(), Flaw> {
    let mut all = Vec::new();
    while let Some(token) = reader.optional()? {
        let text = lossy(reader.text(token)).into_owned();
        let (key, value) = text.split_once('=').map_or((text.as_str(), None), |(key, value)| (key, Some(value)));
        let key = key.to_ascii_lowercase();
        let number = key_number(&key).ok_or_else(|| reader.wrong(token, "this is not a service parameter"))?;
        let adjacent = match reader.peek()? {
            Some(next) if next.kind == Kind::Quoted && next.start == token.end + 1 && value == Some("") => {
                reader.optional()?.map(|next| lossy(reader.text(next)).into_owned())
            }
            _ => None,
        };
        let word = KEYS.get(usize::from(number)).map_or_else(|| format!("key{number}"), |known| (*known).to_owned());
        let value = adjacent.or(value.map(str::to_owned)).filter(|value| !value.is_empty());
        all.push((number, value.map_or(word.clone(), |value| format!("{word}=\"{value}\""))));
    }
    all.sort();
    let words: Vec<String> = all.into_iter().map(|(_, text)| text).collect();
    out.push_str(&words.join(" "));
    Ok(())
}

/// A character-string in quotes; what is not printable as `\DDD`.
pub(super) fn quote(bytes: &[u8], out: &mut String) {
    out.push('"');
    for byte in bytes {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(*byte as char);
            }
            0x20..=0x7e => out.push(*byte as char),
            _ => push(out, format_args!("\\{byte:03}")),
        }
    }
    out.push('"');
}

fn strings(text: &Text, out: &mut String) {
    let mut at = 0;
    for (index, length) in text.chunks.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        quote(text.bytes.get(at..at + length).unwrap_or(&[]), out);
        at += length;
    }
}

/// The canonical text of a record's data, without owner, TTL, class and type. Malformed data give `<malformed: why>`.
pub fn presentation(record: &Record) -> String {
    let mut out = String::new();
    match &record.data {
        RData::A(address, _) => push(&mut out, address),
        RData::Aaaa(address, _) => push(&mut out, address),
        RData::Cname(name, _) | RData::Ns(name, _) | RData::Ptr(name, _) => out.push_str(&name.to_dotted()),
        RData::Mx { preference, exchange, .. } => push(&mut out, format_args!("{preference} {}", exchange.to_dotted())),
        RData::Txt(text) => strings(text, &mut out),
        RData::Soa(soa) => push(
            &mut out,
            format_args!(
                "{} {} {} {} {} {} {}",
                soa.mname.to_dotted(),
                soa.rname.to_dotted(),
                soa.serial,
                soa.refresh,
                soa.retry,
                soa.expire,
                soa.minimum
            ),
        ),
        RData::Caa { flags, tag, value, .. } => {
            push(&mut out, format_args!("{flags} {} ", tag.to_ascii_lowercase()));
            quote(value.as_bytes(), &mut out);
        }
        RData::Tlsa { usage, selector, matching_type, data, .. } => {
            push(&mut out, format_args!("{usage} {selector} {matching_type} "));
            data_encoding::HEXUPPER.encode_append(data, &mut out);
        }
        RData::Other(text) => out.push_str(text),
        RData::Malformed { reason, .. } => push(&mut out, format_args!("<malformed: {reason}>")),
    }
    out
}
