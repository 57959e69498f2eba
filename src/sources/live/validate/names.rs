//! Between the names of collectors (presentation form) and those of the wire format.

use hickory_proto::ProtoError;
use hickory_proto::rr::Name as WireName;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

use crate::mail::Name;

/// The name on the wire. Escapes are decoded here, because hickory reads `\DDD` as an octal number.
pub(super) fn to_wire(name: &Name) -> Result<WireName, ProtoError> {
    let labels = name.labels().map(|label| {
        let mut octets = Vec::with_capacity(label.len());
        let mut rest = label.as_bytes();
        while let Some((first, tail)) = rest.split_first() {
            (octets, rest) = match (first, tail) {
                (b'\\', [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', tail @ ..]) => {
                    let value = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
                    (pushed(octets, u8::try_from(value).unwrap_or(u8::MAX)), tail)
                }
                (b'\\', [escaped, tail @ ..]) => (pushed(octets, *escaped), tail),
                _ => (pushed(octets, *first), tail),
            };
        }
        octets
    });
    WireName::from_labels(labels.collect::<Vec<_>>())
}

fn pushed(mut octets: Vec<u8>, octet: u8) -> Vec<u8> {
    octets.push(octet);
    octets
}

/// The name in presentation form.
pub(super) fn to_name(wire: &WireName) -> Option<Name> {
    if wire.is_root() {
        return Some(Name::root());
    }
    let mut text = String::new();
    for label in wire.iter() {
        for octet in label {
            match octet {
                b'.' | b'\\' => text.extend(['\\', char::from(*octet)]),
                0x21..=0x7e => text.push(char::from(*octet)),
                _ => text.push_str(&format!("\\{octet:03}")),
            }
        }
        text.push('.');
    }
    Name::from_master(text.as_bytes(), &Name::root()).ok()
}

/// The name as reasons write it.
pub(super) fn shown(wire: &WireName) -> String {
    to_name(wire).map_or_else(|| wire.to_string(), |name| name.to_string())
}

/// An uncompressed name that fills the data of a record.
pub(super) fn read_name(data: &[u8]) -> Option<WireName> {
    WireName::read(&mut BinDecoder::new(data)).ok()
}

/// `name` with the labels of `suffix` at its end replaced by `substitute` (RFC 6672 section 2.2).
pub(super) fn replaced(name: &WireName, suffix: &WireName, substitute: &WireName) -> Option<WireName> {
    let kept = usize::from(name.num_labels().checked_sub(suffix.num_labels())?);
    let labels: Vec<&[u8]> = name.iter().take(kept).chain(substitute.iter()).collect();
    WireName::from_labels(labels).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_octets_both_ways() {
        for text in [".", "example.org", "a\\.b.example.org", "\\000\\255.example.org", "*.example.org", "_25._tcp.mx"]
        {
            let name = Name::parse(text).unwrap();
            let wire = to_wire(&name).unwrap();
            assert_eq!(to_name(&wire), Some(name), "{text}");
        }
        let wire = to_wire(&Name::parse("a\\.b.\\200.org").unwrap()).unwrap();
        assert_eq!(wire.iter().collect::<Vec<_>>(), [&b"a.b"[..], &[200], b"org"]);
    }
}
