//! The name of a zone, told from the name of its file or folder.

use crate::mail::{Name, suffix};

/// Words that people put before the zone.
const PREFIXES: &[&str] = &[
    "db.",
    "db-",
    "db_",
    "named.",
    "pri.",
    "zone.",
    "zone-",
    "zone_",
    "master.",
    "primary.",
    "sec.",
    "slave.",
    "secondary.",
    "fwd.",
    "forward.",
    "rev.",
    "reverse.",
    "hosts.",
];

/// Words that people put after the zone.
const SUFFIXES: &[&str] = &[
    ".zone",
    ".db",
    ".txt",
    ".dns",
    ".hosts",
    ".bind",
    ".zonefile",
    ".signed",
    ".fwd",
    ".rev",
    ".master",
    ".conf",
    ".external",
    ".internal",
    ".public",
    ".private",
];

/// Extensions of octoDNS folders that hold one zone in several files.
const SPLIT_EXTENSIONS: &[&str] = &[".zone", ".tst", ".split", ".yaml", ".d"];

/// The zone that a file name of zone text names, if it names one.
pub fn from_file_name(name: &str) -> Option<Name> {
    let lower = name.to_lowercase();
    // DNSControl and others write one file for each view: `example.org!inside.zone`.
    let mut text = match lower.split_once('!') {
        Some((zone, _)) => zone,
        None => &lower,
    };
    if let Some(absolute) = text.strip_suffix('.') {
        return domain(strip_prefix(absolute));
    }
    // A suffix is stripped only while a zone remains, since `.zone` and others are top-level domains too.
    while let Some(rest) = SUFFIXES.iter().find_map(|suffix| text.strip_suffix(suffix)) {
        if domain(strip_prefix(rest)).is_none() {
            break;
        }
        text = rest;
    }
    // `internal.zone` is far more often a zone file called "internal" than a domain below the top-level domain.
    domain(strip_prefix(text)).filter(|name| !(lower.ends_with(".zone") && name.label_count() < 3 && text == lower))
}

/// The zone that the name of a folder with split octoDNS files names.
pub fn from_split_folder(name: &str) -> Option<Name> {
    let lower = name.to_lowercase();
    if let Some(absolute) = lower.strip_suffix('.') {
        return Name::parse(absolute).ok();
    }
    let rest = SPLIT_EXTENSIONS.iter().find_map(|extension| lower.strip_suffix(extension))?;
    rest.contains('.').then(|| Name::parse(rest).ok())?
}

/// The zone that a stem names when it ends in a public suffix or in a name reserved for tests and private use.
pub fn domain(text: &str) -> Option<Name> {
    if !text.contains('.') {
        return None;
    }
    let name = Name::parse(text).ok()?;
    let plausible = name
        .labels()
        .all(|label| label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/')));
    let last = name.labels().last()?.to_owned();
    let private = matches!(
        last.as_str(),
        "arpa"
            | "test"
            | "tests"
            | "tst"
            | "example"
            | "invalid"
            | "local"
            | "localhost"
            | "lan"
            | "internal"
            | "home"
            | "corp"
            | "intranet"
            | "private"
    );
    (plausible && (private || is_public(&last))).then_some(name)
}

fn is_public(top: &str) -> bool {
    Name::parse(top).is_ok_and(|top| suffix::ends_in_listed_suffix(&top))
}

fn strip_prefix(text: &str) -> &str {
    PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)).filter(|rest| rest.contains('.')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_name_zones() {
        for (name, expected) in [
            ("db.example.org", Some("example.org")),
            ("example.org.zone", Some("example.org")),
            ("example.zone", None),
            ("www.example.zone.", Some("www.example.zone")),
            ("example.org.db", Some("example.org")),
            ("Example.ORG.txt", Some("example.org")),
            ("example.org.", Some("example.org")),
            ("example.org", Some("example.org")),
            ("named.example.org", Some("example.org")),
            ("pri.example.org", Some("example.org")),
            ("zone.example.org", Some("example.org")),
            ("db.226.229.169.in-addr.arpa", Some("226.229.169.in-addr.arpa")),
            ("0-63.2.0.192.in-addr.arpa.zone", Some("0-63.2.0.192.in-addr.arpa")),
            ("example.com!inside.zone", Some("example.com")),
            ("db.ocf", None),
            ("root.hints", None),
            ("internal.zone", None),
            ("zones", None),
            ("münchen.de.zone", Some("xn--mnchen-3ya.de")),
            ("example.org.signed", Some("example.org")),
            ("notes.txt", None),
        ] {
            assert_eq!(from_file_name(name).as_ref().map(Name::as_str), expected, "{name}");
        }
    }

    #[test]
    fn folder_names_name_zones() {
        for (name, expected) in [
            ("example.org.", Some("example.org")),
            ("pydis.com.zone", Some("pydis.com")),
            ("unit.tests.tst", Some("unit.tests")),
            ("zones", None),
            ("conf.d", None),
        ] {
            assert_eq!(from_split_folder(name).as_ref().map(Name::as_str), expected, "{name}");
        }
    }
}
