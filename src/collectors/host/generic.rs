//! Whether a PTR name was made from its address, as providers name addresses that no server of its own name stands
//! behind: `static-192-0-2-1.example.net`, `1.2.0.192.dyn.example.net`, `c0000201.example.net`.
//!
//! All octets must be found. Names that hold only some of them exist, but so do `mx1-2.example.org` and the like, and a
//! name is not called generic on a guess.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::mail::Name;

/// Whether the whole address is written in the name.
pub(super) fn is_generic(name: &Name, address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => holds_v4(name.as_str(), address),
        IpAddr::V6(address) => holds_v6(name.as_str(), address),
    }
}

fn holds_v4(name: &str, address: Ipv4Addr) -> bool {
    let forward = address.octets();
    let mut backward = forward;
    backward.reverse();
    [forward, backward].iter().any(|octets| {
        let [a, b, c, d] = octets;
        holds_numbers(name, octets)
            || holds_run(name, &format!("{a:03}{b:03}{c:03}{d:03}"), |byte| byte.is_ascii_digit())
            || holds_run(name, &format!("{a:02x}{b:02x}{c:02x}{d:02x}"), |byte| byte.is_ascii_hexdigit())
    })
}

/// Whether the numbers in the name, leading zeros aside, include these four one after the other.
fn holds_numbers(name: &str, octets: &[u8; 4]) -> bool {
    let numbers: Vec<Option<u8>> = name
        .split(|character: char| !character.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .map(|digits| digits.parse().ok())
        .collect();
    numbers.windows(octets.len()).any(|window| window.iter().zip(octets).all(|(found, octet)| *found == Some(*octet)))
}

/// Whether a run of digits stands in the name by itself, so that it is not part of a longer number.
fn holds_run(name: &str, digits: &str, is_digit: fn(&u8) -> bool) -> bool {
    let bytes = name.as_bytes();
    name.match_indices(digits).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let after = bytes.get(at + digits.len());
        !before.is_some_and(is_digit) && !after.is_some_and(is_digit)
    })
}

fn holds_v6(name: &str, address: Ipv6Addr) -> bool {
    let digits = format!("{:032x}", u128::from(address));
    let reversed: String = digits.chars().rev().collect();
    // The digits with or without anything between them, in either order.
    let bare: String = name.chars().filter(|character| !matches!(character, '-' | '.' | '_')).collect();
    if bare.contains(&digits) || bare.contains(&reversed) {
        return true;
    }
    // The groups as addresses are written, with hyphens for colons: `2001-db8--1`, `2001-db8-0-0-0-0-0-1`.
    let groups = address.segments().map(|group| format!("{group:x}")).join("-");
    let short = address.to_string().replace(':', "-");
    holds_run(name, &groups, |byte| byte.is_ascii_hexdigit() || *byte == b'-')
        || holds_run(name, &short, |byte| byte.is_ascii_hexdigit())
        // The interface identifier alone, where it is not a small number that an administrator chose.
        || (u128::from(address) as u64 >> 32 != 0 && holds_run(name, &digits[16..], |byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_made_from_their_address_are_told_from_names_of_servers() {
        for (address, name, expected) in [
            ("192.0.2.1", "static-192-0-2-1.example.net", true),
            ("192.0.2.1", "1.2.0.192.dyn.example.net", true),
            ("192.0.2.1", "ip192.0.2.1.example.net", true),
            ("192.0.2.1", "host192000002001.example.net", true),
            ("192.0.2.1", "c0000201.example.net", true),
            ("192.0.2.1", "192-000-002-001.example.net", true),
            ("192.0.2.1", "mx1.example.org", false),
            ("192.0.2.1", "mx2-1.example.org", false),
            ("192.0.2.1", "192-0-2-10.example.net", false),
            ("192.0.2.1", "1192-0-2-1.example.net", false),
            ("192.0.2.1", "ac0000201.example.net", false),
            ("192.0.2.1", "999999999999999999999.example.net", false),
            ("::ffff:192.0.2.1", "192-0-2-1.example.net", true),
            ("2001:db8::1", "2001-db8--1.example.net", true),
            ("2001:db8::1", "2001-db8-0-0-0-0-0-1.example.net", true),
            ("2001:db8::1", "20010db8000000000000000000000001.example.net", true),
            ("2001:db8::1", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.dyn.example.net", true),
            ("2001:db8::a1b2:c3d4:e5f6:708", "h-a1b2c3d4e5f60708.example.net", true),
            ("2001:db8::1", "mx1.example.org", false),
            ("2001:db8::1", "0000000000000001.example.org", false),
            ("2001:db8::1", "2001-db8--12.example.net", false),
        ] {
            assert_eq!(is_generic(&Name::parse(name).unwrap(), address.parse().unwrap()), expected, "{address} {name}");
        }
    }
}
