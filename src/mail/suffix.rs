//! The public suffix list, which RFC 7489 receivers use to find the organisational domain.
//!
//! The whole list counts, its ICANN section and its private section: RFC 7489 section 3.2 names the list without saying
//! which part, and DMARC software has always used both. The list is the one compiled into this program, so its age is
//! the age of the program. RFC 9989 receivers do not use it; [`super::dmarc::walk`] does what they do.

use psl::{List, Psl as _};

use super::Name;

/// The organisational domain of a name: the public suffix and one label more (RFC 7489 section 3.2). `None` when the name
/// itself is a public suffix, or the root.
pub fn organisational_domain(name: &Name) -> Option<Name> {
    let text = name.as_str();
    // The label directly before the suffix starts the organisational domain.
    let suffix_start = text.len() - suffix_length(name)?;
    let mut start = 0;
    for label in name.labels() {
        let next = start + label.len() + 1;
        if next == suffix_start {
            return Name::parse(&text[start..]).ok();
        }
        start = next;
    }
    None
}

/// Whether the name is a public suffix. A top-level domain that is not listed is one by the default rule `*`.
pub fn is_public_suffix(name: &Name) -> bool {
    suffix_length(name) == Some(name.as_str().len())
}

/// Whether the name ends in a suffix that is on the list, and not only in one by the default rule.
pub fn ends_in_listed_suffix(name: &Name) -> bool {
    find(name).typ.is_some()
}

/// Length in bytes of the public suffix at the end of the name.
fn suffix_length(name: &Name) -> Option<usize> {
    let length = find(name).len;
    (1..=name.as_str().len()).contains(&length).then_some(length)
}

/// The only call into the list: its code is large and is compiled anew for every type of iterator.
fn find(name: &Name) -> psl::Info {
    let labels: Vec<&str> = name.labels().collect();
    List.find(labels.iter().rev().map(|label| label.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organisational(text: &str) -> Option<String> {
        organisational_domain(&Name::parse(text).ok()?).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn the_suffix_and_one_label_more() {
        let cases = [
            ("example.org", Some("example.org")),
            ("a.b.Example.ORG.", Some("example.org")),
            ("org", None),
            (".", None),
            ("co.uk", None),
            ("a.b.co.uk", Some("b.co.uk")),
            ("www.ck", Some("www.ck")),
            ("b.test.ck", Some("b.test.ck")),
            ("unlisted", None),
            ("a.b.unlisted", Some("b.unlisted")),
            // The private section counts.
            ("github.io", None),
            ("a.b.github.io", Some("b.github.io")),
            ("a\\.b.example.org", Some("example.org")),
            ("x\\.org", None),
        ];
        for (name, expected) in cases {
            assert_eq!(organisational(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn a_suffix_is_a_name_without_organisational_domain() {
        for (name, expected) in [("org", true), ("co.uk", true), ("example.org", false), (".", false), ("ck", true)] {
            assert_eq!(is_public_suffix(&Name::parse(name).unwrap()), expected, "{name}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]
        #[test]
        fn the_organisational_domain_contains_the_name_and_is_stable(text in "[a-z.\\\\0-9]{0,40}(com|uk|co\\.uk|ck|jp|github\\.io)") {
            if let Ok(name) = Name::parse(&text) {
                if let Some(found) = organisational_domain(&name) {
                    assert!(name.is_within(&found));
                    assert_eq!(organisational_domain(&found), Some(found));
                } else {
                    assert!(name.is_root() || is_public_suffix(&name));
                }
            }
        }
    }
}
