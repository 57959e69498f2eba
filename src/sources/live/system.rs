//! The resolvers that the system is configured to use.

use std::net::{IpAddr, SocketAddr};

/// The port of DNS (RFC 1035 section 4.2).
pub(super) const PORT: u16 = 53;

/// Most resolvers that are taken from the system, as its own library does (resolv.conf(5), MAXNS).
const LIMIT: usize = 3;

/// The resolvers of `/etc/resolv.conf`, in their order; none on systems that keep them elsewhere.
pub(super) fn resolvers() -> Vec<SocketAddr> {
    if !cfg!(unix) {
        return Vec::new();
    }
    std::fs::read("/etc/resolv.conf").map(|text| parse(&String::from_utf8_lossy(&text))).unwrap_or_default()
}

/// The lines `nameserver ADDRESS`. A scope behind an address (`fe80::1%eth0`) is left out.
fn parse(text: &str) -> Vec<SocketAddr> {
    let server = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and_then(|_| words.next())?;
        let address = address.split_once('%').map_or(address, |(address, _)| address);
        Some(SocketAddr::new(address.parse::<IpAddr>().ok()?, PORT))
    };
    text.lines().filter_map(server).take(LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_in_their_order() {
        let text = "# nameserver 192.0.2.9\nsearch example.org\nnameserver 192.0.2.1\n  nameserver fe80::1%eth0 # x\n\
                    nameserver broken\nnameserver\noptions edns0\nnameserver ::1\nnameserver 192.0.2.4\n";
        let expected = ["192.0.2.1:53", "[fe80::1]:53", "[::1]:53"];
        assert_eq!(parse(text).iter().map(SocketAddr::to_string).collect::<Vec<_>>(), expected);
    }
}
