//! Trust anchors: where chains of signatures begin (RFC 4033 section 2).

use data_encoding::{BASE64, HEXUPPER};
use hickory_proto::dnssec::rdata::{DNSKEY, DS};
use hickory_proto::dnssec::{Algorithm, DigestType, PublicKey as _, PublicKeyBuf, TrustAnchors};

use crate::mail::Name;

/// Flags of a key that signs keys: zone key and secure entry point (RFC 4034 section 2.1.1).
const KEY_SIGNING_KEY: u16 = 257;

/// What is trusted to begin a chain at one zone.
#[derive(Debug, Clone)]
pub(super) struct Anchor {
    pub(super) zone: Name,
    pub(super) digests: Vec<DS>,
    pub(super) keys: Vec<DNSKEY>,
}

/// The keys of the root that IANA publishes.
pub(super) fn root() -> Vec<Anchor> {
    let published = TrustAnchors::default();
    let keys = (0..published.len()).filter_map(|index| published.get(index));
    let keys = keys.map(|key| DNSKEY::with_flags(KEY_SIGNING_KEY, key.clone())).collect();
    vec![Anchor { zone: Name::root(), digests: Vec::new(), keys }]
}

/// Reads anchors in zone-file form: DS and DNSKEY records with absolute owner names.
pub(super) fn read(text: &str) -> Result<Vec<Anchor>, String> {
    let mut anchors: Vec<Anchor> = Vec::new();
    for (number, words) in entries(text) {
        let at = |why: String| format!("line {number}: {why}");
        let (zone, data) = entry(&words).map_err(at)?;
        let index = anchors.iter().position(|anchor| anchor.zone == zone).unwrap_or_else(|| {
            anchors.push(Anchor { zone, digests: Vec::new(), keys: Vec::new() });
            anchors.len() - 1
        });
        let Some(anchor) = anchors.get_mut(index) else { continue };
        match data {
            Data::Digest(digest) => anchor.digests.push(digest),
            Data::Key(key) => anchor.keys.push(key),
        }
    }
    match anchors.is_empty() {
        true => Err("they hold no DS or DNSKEY record".to_owned()),
        false => Ok(anchors),
    }
}

/// The words of each record with the line it begins on; parentheses join lines (RFC 1035 section 5.1).
fn entries(text: &str) -> Vec<(usize, Vec<String>)> {
    let mut entries: Vec<(usize, Vec<String>)> = Vec::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.split(';').next().unwrap_or_default().replace('(', " ( ").replace(')', " ) ");
        if !open {
            entries.push((index + 1, Vec::new()));
        }
        for word in line.split_whitespace() {
            match (word, entries.last_mut()) {
                ("(", _) => open = true,
                (")", _) => open = false,
                (word, Some((_, words))) => words.push(word.to_owned()),
                (_, None) => {}
            }
        }
    }
    entries.retain(|(_, words)| !words.is_empty());
    entries
}

enum Data {
    Digest(DS),
    Key(DNSKEY),
}

fn entry(words: &[String]) -> Result<(Name, Data), String> {
    let Some((owner, rest)) = words.split_first() else { return Err("the record is empty".to_owned()) };
    let zone = Name::parse(owner).map_err(|error| format!("{owner}: {error}"))?;
    let ttl_or_class =
        |word: &&String| word.eq_ignore_ascii_case("IN") || word.bytes().all(|byte| byte.is_ascii_digit());
    let skipped = rest.iter().take_while(ttl_or_class).count();
    let Some((rtype, [first, second, third, last @ ..])) = rest.get(skipped..).and_then(|rest| rest.split_first())
    else {
        return Err("expected a DS or DNSKEY record".to_owned());
    };
    let number = |word: &str| word.parse::<u16>().map_err(|_| format!("`{word}` is not a number of 16 bits"));
    let octet = |word: &str| word.parse::<u8>().map_err(|_| format!("`{word}` is not a number of 8 bits"));
    let joined = last.concat();
    if rtype.eq_ignore_ascii_case("DS") {
        let digest = HEXUPPER.decode(joined.to_ascii_uppercase().as_bytes());
        let digest = digest.map_err(|_| "the digest is not hexadecimal".to_owned())?;
        let (algorithm, kind) = (Algorithm::from_u8(octet(second)?), DigestType::from(octet(third)?));
        return Ok((zone, Data::Digest(DS::new(number(first)?, algorithm, kind, digest))));
    }
    if !rtype.eq_ignore_ascii_case("DNSKEY") {
        return Err(format!("expected a DS or DNSKEY record, found `{rtype}`"));
    }
    // RFC 4034 section 2.1.2: the protocol is always 3.
    if octet(second)? != 3 {
        return Err(format!("the protocol of a DNSKEY record is 3, not {second}"));
    }
    let key = BASE64.decode(joined.as_bytes()).map_err(|_| "the key is not in base64".to_owned())?;
    let key = PublicKeyBuf::new(key, Algorithm::from_u8(octet(third)?));
    Ok((zone, Data::Key(DNSKEY::with_flags(number(first)?, key))))
}

impl Anchor {
    /// Whether a key of the zone is trusted by itself.
    pub(super) fn trusts(&self, key: &DNSKEY) -> bool {
        let same = |known: &DNSKEY| {
            known.public_key().public_bytes() == key.public_key().public_bytes()
                && known.public_key().algorithm() == key.public_key().algorithm()
        };
        self.keys.iter().any(same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_anchors_are_the_published_keys() {
        let anchors = root();
        let tags: Vec<u16> = anchors[0].keys.iter().map(|key| key.calculate_key_tag().unwrap()).collect();
        assert_eq!(tags, [20326, 38696]);
    }

    #[test]
    fn anchors_are_read_from_zone_file_lines() {
        let text = "; comment\n. 172800 IN DS 20326 8 2 ( E06D44B80B8F1D39A95C0B0D7C65D084\n 58E880409BBC683457104237C7F8EC8D ) ; KSK\n\
            Example.org. DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=\n";
        let anchors = read(text).unwrap();
        assert_eq!(anchors.len(), 2);
        assert_eq!((anchors[0].zone.as_str(), anchors[0].digests[0].key_tag()), (".", 20326));
        assert_eq!(anchors[0].digests[0].digest().len(), 32);
        assert_eq!((anchors[1].zone.as_str(), anchors[1].keys[0].flags()), ("example.org", 257));
        for (bad, why) in [
            ("", "no DS or DNSKEY"),
            ("\n. A 192.0.2.1", "line 2: expected a DS or DNSKEY"),
            (". DS 1 8 2 XY", "line 1: the digest is not hexadecimal"),
            (". DNSKEY 257 4 8 AAAA", "protocol"),
            (". DS 70000 8 2 00", "16 bits"),
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
