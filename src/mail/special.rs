//! Special-purpose address ranges (RFC 6890 and the IANA registries): addresses that are not reachable from the Internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 ranges: network, prefix length, name in the registry.
const V4: &[(Ipv4Addr, u32, &str)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private use"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared address space"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private use"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "protocol assignments"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "deprecated 6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private use"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// IPv6 ranges: network, prefix length, name in the registry.
const V6: &[(Ipv6Addr, u32, &str)] = &[
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified"),
    (Ipv6Addr::LOCALHOST, 128, "loopback"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "local-use translation"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "discard only"),
    (Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48, "benchmarking"),
    (Ipv6Addr::new(0x2001, 0x10, 0, 0, 0, 0, 0, 0), 28, "deprecated ORCHID"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "unique local"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link local"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast"),
];

/// The special-purpose range an address lies in, by its name in the registry.
pub fn special_range(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(address) => V4
            .iter()
            .find(|(network, length, _)| (u32::from(address) ^ u32::from(*network)) >> (32 - length) == 0)
            .map(|(_, _, name)| *name),
        IpAddr::V6(address) => V6
            .iter()
            .find(|(network, length, _)| (u128::from(address) ^ u128::from(*network)) >> (128 - length) == 0)
            .map(|(_, _, name)| *name),
    }
}

/// Whether an address lies in a special-purpose range.
pub fn is_special(address: IpAddr) -> bool {
    special_range(address).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_89_special_addresses_are_told_one_by_one() {
        for (text, expected) in [
            ("10.1.2.3", Some("private use")),
            ("172.31.255.255", Some("private use")),
            ("172.32.0.0", None),
            ("127.0.0.1", Some("loopback")),
            ("100.127.0.1", Some("shared address space")),
            ("192.0.2.25", Some("documentation")),
            ("8.8.8.8", None),
            ("::1", Some("loopback")),
            ("::ffff:10.0.0.1", Some("private use")),
            ("2001:db8::1", Some("documentation")),
            ("2606:4700::1", None),
            ("fe80::1", Some("link local")),
            ("fd00::1", Some("unique local")),
        ] {
            assert_eq!(special_range(text.parse().unwrap()), expected, "{text}");
        }
    }
}
