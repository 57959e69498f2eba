//! What an SPF evaluation needs from DNS, and which names can be asked for at all.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::mail::{Name, NameError};

/// Why an answer is not known.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Obstacle {
    /// One fixed word, such as `not-collected` or `dns-timeout`.
    pub cause: &'static str,
    /// What a reader should know beside it, such as "_spf.example.net is outside this repository"; may be empty.
    pub note: String,
}

impl Obstacle {
    /// An obstacle without a note.
    pub fn new(cause: &'static str) -> Self {
        Self { cause, note: String::new() }
    }

    /// An obstacle with a note for the reader.
    pub fn with_note(cause: &'static str, note: impl Into<String>) -> Self {
        Self { cause, note: note.into() }
    }
}

/// Outcome of one DNS lookup. The states are never folded into one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<T> {
    /// At least one record.
    Found(T),
    /// The name exists without records of the type (RCODE 0, no answer).
    NoData,
    /// The name does not exist (RCODE 3).
    NxDomain,
    /// The question was asked and failed: timeout, SERVFAIL, REFUSED, bogus DNSSEC.
    TempError(Obstacle),
    /// The question cannot be answered by this run, for example because the name is outside the repository.
    Unknown(Obstacle),
}

/// The supplier of DNS data for SPF.
///
/// Names are raw: a backslash is an octet like any other, there is no final dot, and labels may hold any character that
/// a macro expands to ([`query_name`] turns them into a [`Name`]). They have been checked with [`is_queryable`].
/// Aliases are followed by the supplier.
pub trait SpfDns {
    /// TXT values, each with its character-strings joined without separator (RFC 7208 section 3.3).
    fn txt(&self, name: &str) -> Lookup<Vec<Vec<u8>>>;
    /// IPv4 addresses.
    fn a(&self, name: &str) -> Lookup<Vec<Ipv4Addr>>;
    /// IPv6 addresses.
    fn aaaa(&self, name: &str) -> Lookup<Vec<Ipv6Addr>>;
    /// Mail exchangers in order of preference; a null MX is the empty string or `.`.
    fn mx(&self, name: &str) -> Lookup<Vec<String>>;
    /// Names that a reverse name such as `1.2.0.192.in-addr.arpa` points to.
    fn ptr(&self, name: &str) -> Lookup<Vec<String>>;
}

/// Longest name that can be queried, in the notation without final dot (RFC 7208 section 7.3).
const MAX_NAME: usize = 253;

/// Longest label (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;

/// Whether a DNS question can be composed from a raw name without final dot.
pub fn is_queryable(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME
        && name.split('.').all(|label| !label.is_empty() && label.len() <= MAX_LABEL)
}

/// Removes the final dot, and labels from the left until the name has at most 253 characters.
pub fn fit_name(name: &str) -> &str {
    let mut name = name.strip_suffix('.').unwrap_or(name);
    // RFC 7208 section 7.3: labels are removed from the left until the name fits.
    while name.len() > MAX_NAME {
        match name.find('.') {
            Some(dot) => name = &name[dot + 1..],
            None => break,
        }
    }
    name
}

/// The [`Name`] of a raw name: backslashes are octets, and so are bytes outside ASCII.
pub fn query_name(raw: &str) -> Result<Name, NameError> {
    if raw.contains('\\') {
        Name::from_master(raw.replace('\\', "\\\\").as_bytes(), &Name::root())
    } else if raw.is_empty() || raw == "@" {
        // `@` has a meaning of its own in master files only.
        Name::parse(raw)
    } else {
        Name::from_master(raw.as_bytes(), &Name::root())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_34_long_names_lose_labels_on_the_left() {
        let label = "a".repeat(62);
        let long = format!("first.{label}.{label}.{label}.{label}.example");
        let fitted = fit_name(&long);
        assert!(fitted.len() <= 253 && fitted.ends_with(".example") && !fitted.starts_with("first"));
        assert_eq!(fit_name("example.org."), "example.org");
        assert!(!is_queryable(&format!("{}.example", "a".repeat(64))));
        assert!(!is_queryable("a..b"));
        assert!(!is_queryable(""));
        assert!(is_queryable("macro%percent  space.example"));
    }

    #[test]
    fn raw_names_keep_their_backslashes() {
        assert_eq!(query_name("a\\.b").unwrap().as_str(), "a\\\\.b");
        assert_eq!(query_name("Example.ORG").unwrap().as_str(), "example.org");
        assert_eq!(query_name("a b.example").unwrap().as_str(), "a\\032b.example");
        assert!(query_name("").is_err());
    }
}
