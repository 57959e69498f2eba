//! What the target of an MX record is: a host, an address written as a name, or a name that lacks its final dot.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Name, suffix};

/// Whether a target is an IP address written as a name. RFC 1035 section 3.3.9 asks for a domain name; an address
/// parses as one, but never resolves.
pub fn is_address_literal(target: &Name) -> bool {
    let text = target.as_str();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let bare = bare.strip_prefix("ipv6:").unwrap_or(bare);
    bare.parse::<Ipv4Addr>().is_ok() || bare.parse::<Ipv6Addr>().is_ok()
}

/// Whether a name that was written relative to `zone` looks as if its final dot was forgotten (RFC 1035 section 5.1):
/// without the zone's labels it is an address, ends in the zone's own name, or has two labels or more and ends in a
/// top-level domain.
pub fn seems_undotted(target: &Name, zone: &Name) -> bool {
    let Some(written) = target.as_str().strip_suffix(zone.as_str()).and_then(|rest| rest.strip_suffix('.')) else {
        return false;
    };
    let Ok(written) = Name::parse(written) else { return false };
    if is_address_literal(&written) || written.is_within(zone) {
        return true;
    }
    written.label_count() >= 2 && suffix::ends_in_listed_suffix(&written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn case_83_the_null_mx_target_is_the_root() {
        assert!(name(".").is_root() && !is_address_literal(&name(".")));
    }

    #[test]
    fn case_88_an_address_is_not_a_host_name() {
        for text in ["192.0.2.1.", "[192.0.2.1]", "2001:db8::1", "[IPv6:2001:db8::1]"] {
            assert!(is_address_literal(&name(text)), "{text}");
        }
        for text in ["mx1.example.org", "1.2.3.4.5", "a.192.0.2.1"] {
            assert!(!is_address_literal(&name(text)), "{text}");
        }
    }

    #[test]
    fn case_143_a_doubled_origin_is_suspicious() {
        let zone = name("example.com");
        for text in [
            "mail.example.com.example.com",
            "example.com.example.com",
            "mx.other.net.example.com",
            "192.0.2.1.example.com",
        ] {
            assert!(seems_undotted(&name(text), &zone), "{text}");
        }
        for text in ["mail.example.com", "mx1.mail.example.com", "mail.example.org", "com.example.com"] {
            assert!(!seems_undotted(&name(text), &zone), "{text}");
        }
    }
}
