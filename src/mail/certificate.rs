//! Names in certificates (RFC 9525) and TLSA records against certificates (RFC 6698, RFC 7671, RFC 7672). Octets in, result
//! out: nothing here knows where a chain came from.

use sha2::{Digest as _, Sha256, Sha512};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::Name;

/// The DNS name of a certificate that is for a host, an exact one before a wildcard (RFC 9525 section 6.3). Common names are
/// none of the names.
pub fn matching_name<'n>(names: impl IntoIterator<Item = &'n str> + Clone, host: &Name) -> Option<&'n str> {
    let host = host.as_str();
    let exact = names.clone().into_iter().find(|name| name.trim_end_matches('.').eq_ignore_ascii_case(host));
    exact.or_else(|| names.into_iter().find(|name| is_wildcard_for(name, host)))
}

/// Whether a name of a certificate is a wildcard.
pub fn is_wildcard(name: &str) -> bool {
    name.starts_with("*.")
}

/// RFC 9525 section 6.3: the wildcard is the whole leftmost label, and stands for exactly one.
fn is_wildcard_for(name: &str, host: &str) -> bool {
    let Some(parent) = name.trim_end_matches('.').strip_prefix("*.") else { return false };
    match host.split_once('.') {
        Some((_, above)) => !parent.contains('*') && parent.eq_ignore_ascii_case(above),
        None => false,
    }
}

/// The part of a certificate that a TLSA selector means (RFC 6698 section 2.1.2); `None` when it cannot be read, or the
/// selector is not defined.
fn selected(der: &[u8], selector: u8) -> Option<&[u8]> {
    match selector {
        0 => Some(der),
        1 => X509Certificate::from_der(der).ok().map(|(_, certificate)| certificate.tbs_certificate.subject_pki.raw),
        _ => None,
    }
}

/// Whether the data of a TLSA record are those of a certificate (RFC 6698 section 2.1.3).
pub fn tlsa_matches(der: &[u8], selector: u8, matching_type: u8, data: &[u8]) -> bool {
    let Some(part) = selected(der, selector) else { return false };
    match matching_type {
        0 => part == data,
        1 => Sha256::digest(part).as_slice() == data,
        2 => Sha512::digest(part).as_slice() == data,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_119_a_wildcard_is_the_leftmost_label_only() {
        for (names, host, expected) in [
            (&["mx.example.org"][..], "mx.example.org", Some("mx.example.org")),
            (&["MX.Example.ORG"], "mx.example.org", Some("MX.Example.ORG")),
            (&["*.example.org"], "mx.example.org", Some("*.example.org")),
            (&["*.example.org", "mx.example.org"], "mx.example.org", Some("mx.example.org")),
            (&["*.example.org"], "a.mx.example.org", None),
            (&["*.example.org"], "example.org", None),
            (&["m*.example.org"], "mx.example.org", None),
            (&["mx.*.org"], "mx.example.org", None),
            (&["*"], "example", None),
            (&["*.*.org"], "mx.example.org", None),
            (&["other.example.org"], "mx.example.org", None),
            (&[], "mx.example.org", None),
        ] {
            let host = Name::parse(host).unwrap();
            assert_eq!(matching_name(names.iter().copied(), &host), expected, "{names:?} {host}");
        }
    }

    #[test]
    fn matching_types_compare_the_whole_or_a_digest() {
        let der = b"not a certificate";
        assert!(tlsa_matches(der, 0, 0, der));
        assert!(tlsa_matches(der, 0, 1, &Sha256::digest(der)));
        assert!(tlsa_matches(der, 0, 2, &Sha512::digest(der)));
        assert!(!tlsa_matches(der, 0, 1, &Sha512::digest(der)));
        assert!(!tlsa_matches(der, 0, 3, der));
        // The key of what is no certificate is not known.
        assert!(!tlsa_matches(der, 1, 0, der));
        assert!(!tlsa_matches(der, 2, 0, der));
    }
}
