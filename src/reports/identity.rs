//! Identifiers that follow from content: equal runs have equal ones, and a random one would make them differ.

use sha2::{Digest, Sha256};

use crate::findings::Assessment;

/// Digest of what was judged, by what, for which date, with which verdicts.
pub(super) fn of_run(assessment: &Assessment) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(assessment.as_of.to_string());
    for pack in &assessment.policy.packs {
        hasher.update([0x1e]);
        hasher.update(&pack.sha256);
    }
    for target in &assessment.targets {
        hasher.update([0x1e]);
        hasher.update(target.kind.as_str());
        hasher.update([0x1f]);
        hasher.update(&target.name);
        let verdicts: Vec<u8> =
            target.verdicts.iter().map(|verdict| verdict.map_or(u8::MAX, |verdict| verdict as u8)).collect();
        hasher.update([0x1f]);
        hasher.update(&verdicts);
    }
    hasher.finalize().into()
}

/// A UUID from the SHA-256 of the parts.
///
/// It is marked as version 5, the version of names under a hash (RFC 9562 section 5.5): OSCAL admits versions 4 and 5 only, and
/// nothing about these UUIDs is random. Version 8, which RFC 9562 made for other hashes than SHA-1, would be refused.
pub(super) fn uuid(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(b"mailvet");
    for part in parts {
        // With its length before it, no part can pass for two.
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x50;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let digits = data_encoding::HEXLOWER.encode(&bytes);
    let (a, b, c, d, e) = (&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]);
    format!("{a}-{b}-{c}-{d}-{e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_parts_give_equal_uuids_and_borders_between_parts_count() {
        assert_eq!(uuid(&[b"a", b"b"]), uuid(&[b"a", b"b"]));
        assert_ne!(uuid(&[b"ab"]), uuid(&[b"a", b"b"]));
        let uuid = uuid(&[b"x"]);
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "5"), "{uuid}");
        assert!(["8", "9", "a", "b"].contains(&&uuid[19..20]), "{uuid}");
    }
}
