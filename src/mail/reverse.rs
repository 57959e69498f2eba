//! Reverse names: where DNS keeps the names of an address (RFC 1035 section 3.5, RFC 3596 section 2.5).

use std::net::IpAddr;

use super::Name;

/// The name at which the PTR records of an address are. An IPv4 address in IPv6 form (`::ffff:192.0.2.1`) is taken as
/// the IPv4 address that it is.
pub fn reverse_name(address: IpAddr) -> Name {
    let mut text = reverse_labels(address);
    text.push_str(match address.to_canonical() {
        // RFC 1035 section 3.5
        IpAddr::V4(_) => ".in-addr.arpa",
        // RFC 3596 section 2.5
        IpAddr::V6(_) => ".ip6.arpa",
    });
    Name::from_canonical(&text)
}

/// The labels of an address in reverse order, without a zone: the four numbers of an IPv4 address, the 32 hexadecimal
/// digits of an IPv6 address. Block lists append their own zone (RFC 5782 sections 2.1 and 2.4).
pub fn reverse_labels(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let mut text = String::with_capacity(15);
            for octet in address.octets().into_iter().rev() {
                if !text.is_empty() {
                    text.push('.');
                }
                let digits = [octet / 100, octet / 10 % 10, octet % 10];
                let first = if octet >= 100 { 0 } else { usize::from(octet < 10) + 1 };
                text.extend(digits[first..].iter().map(|digit| char::from(b'0' + digit)));
            }
            text
        }
        IpAddr::V6(address) => {
            let mut text = String::with_capacity(63);
            for octet in address.octets().iter().rev() {
                for digit in [octet & 0xf, octet >> 4] {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.extend(char::from_digit(u32::from(digit), 16));
                }
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_reversed_by_numbers_and_by_digits() {
        let v6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        for (address, expected) in [
            ("192.0.2.1", "1.2.0.192.in-addr.arpa"),
            ("203.0.113.250", "250.113.0.203.in-addr.arpa"),
            ("10.99.100.9", "9.100.99.10.in-addr.arpa"),
            ("2001:db8::1", v6),
            ("::ffff:192.0.2.1", "1.2.0.192.in-addr.arpa"),
        ] {
            assert_eq!(reverse_name(address.parse().unwrap()).as_str(), expected);
        }
    }
}
