//! Domain names: case, escapes, internationalised labels and the final dot (RFC 1034, RFC 1035, RFC 4343, RFC 5890).
//!
//! A [`Name`] is always absolute and canonical: lower case, A-labels, no final dot, `.` for the root. It does not judge
//! whether a name is a good host name.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

/// An absolute domain name in canonical presentation form: lower case, without final dot, the root as `.`.
///
/// Dots and backslashes inside labels are written `\.` and `\\`; other octets outside printable ASCII as `\DDD`. The text
/// is shared: a name is copied to many places, and each copy costs no more than a count.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(Arc<str>);

static ROOT: LazyLock<Name> = LazyLock::new(|| Name(".".into()));

/// Why a text is not a domain name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("the name is empty")]
    Empty,
    /// Two dots follow each other, or the name starts with one.
    #[error("the name has an empty label")]
    EmptyLabel,
    /// A label is longer than 63 octets (RFC 1035 section 2.3.4).
    #[error("a label is longer than 63 octets")]
    LabelTooLong,
    /// The name is longer than 255 octets on the wire (RFC 1035 section 2.3.4).
    #[error("the name is longer than 255 octets")]
    TooLong,
    /// A backslash is followed by neither three digits up to 255 nor a character.
    #[error("the name has a broken escape")]
    BadEscape,
    /// The internationalised form cannot be converted (RFC 5891).
    #[error("the internationalised name cannot be converted to A-labels")]
    BadIdn,
}

impl Name {
    /// The root, `.`.
    pub fn root() -> Name {
        ROOT.clone()
    }

    /// Reads an absolute name; a final dot may be given or not, case does not matter, U-labels are converted.
    pub fn parse(text: &str) -> Result<Name, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text == "." {
            return Ok(Name::root());
        }
        let ascii: Cow<'_, str> = if text.is_ascii() {
            Cow::Borrowed(text)
        } else {
            // RFC 5891 section 4: the whole name is converted before any label is looked at.
            Cow::Owned(idna::domain_to_ascii(text).map_err(|_| NameError::BadIdn)?)
        };
        canonical(ascii.as_bytes())
    }

    /// Reads a name of a master file, relative to `origin` unless it ends in a dot (RFC 1035 section 5.1). Bytes outside
    /// ASCII are kept as `\DDD`, as a name server would.
    pub fn from_master(text: &[u8], origin: &Name) -> Result<Name, NameError> {
        match text {
            b"" => Err(NameError::Empty),
            b"@" => Ok(origin.clone()),
            b"." => Ok(Name::root()),
            _ if ends_in_dot(text) => canonical(text),
            _ => {
                let relative = canonical(text)?;
                relative.within(origin)
            }
        }
    }

    /// A name from text that is canonical already, such as labels of other names joined again.
    pub(crate) fn from_canonical(text: &str) -> Name {
        debug_assert_eq!(Name::parse(text).as_ref().map(Name::as_str), Ok(text));
        Name(text.into())
    }

    /// This name with all labels of `origin` appended.
    pub fn within(&self, origin: &Name) -> Result<Name, NameError> {
        let joined = match (self.is_root(), origin.is_root()) {
            (true, _) => return Ok(origin.clone()),
            (_, true) => return Ok(self.clone()),
            _ => [self.as_str(), ".", origin.as_str()].concat(),
        };
        joined_name(joined)
    }

    /// A name below this one, such as `_dmarc` below a domain. `labels` must be canonical (lower case, no final dot).
    pub fn child(&self, labels: &str) -> Result<Name, NameError> {
        if self.is_root() || !is_plain(labels) {
            return canonical(labels.as_bytes())?.within(self);
        }
        let mut joined = String::with_capacity(labels.len() + 1 + self.0.len());
        joined.push_str(labels);
        joined.push('.');
        joined.push_str(&self.0);
        joined_name(joined)
    }

    /// The canonical text: lower case, no final dot, `.` for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The canonical text with its final dot, as written in zone files.
    pub fn to_dotted(&self) -> String {
        if self.is_root() { ".".to_owned() } else { format!("{}.", self.0) }
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        &*self.0 == "."
    }

    /// The labels from left to right, without the root.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        let mut rest = if self.is_root() { None } else { Some(&*self.0) };
        std::iter::from_fn(move || {
            let text = rest?;
            match first_dot(text) {
                Some(dot) => {
                    rest = Some(&text[dot + 1..]);
                    Some(&text[..dot])
                }
                None => rest.take(),
            }
        })
    }

    /// The number of labels, without the root.
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// The name without its leftmost label; `None` for the root.
    pub fn parent(&self) -> Option<Name> {
        if self.is_root() {
            return None;
        }
        Some(first_dot(&self.0).map_or_else(Name::root, |dot| Name(self.0[dot + 1..].into())))
    }

    /// The texts of the name itself and of all names above it, up to the root.
    pub fn upwards(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.as_str()), |text| match first_dot(text) {
            _ if *text == "." => None,
            Some(dot) => text.get(dot + 1..),
            None => Some("."),
        })
    }

    /// Whether this name equals `other` or lies below it.
    pub fn is_within(&self, other: &Name) -> bool {
        if other.is_root() || self.0 == other.0 {
            return true;
        }
        self.0.len() > other.0.len()
            && self.0.ends_with(&*other.0)
            && self
                .labels()
                .any(|label| label.as_ptr() as usize - self.0.as_ptr() as usize == self.0.len() - other.0.len())
    }

    /// Whether any label is an A-label (`xn--`).
    pub fn is_internationalised(&self) -> bool {
        self.labels().any(|label| label.starts_with("xn--"))
    }

    /// The name with its A-labels shown as U-labels, for people. Untrusted: escape before printing.
    pub fn to_unicode(&self) -> String {
        let (text, result) = idna::domain_to_unicode(&self.0);
        if result.is_ok() { text } else { self.0.to_string() }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Name {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Name, NameError> {
        Name::parse(text)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Name::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Name {
    fn schema_name() -> Cow<'static, str> {
        "Name".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "minLength": 1,
            "description": "A domain name. Case and final dot do not matter; internationalised labels may be given as U-labels or A-labels."
        })
    }
}

/// Whether a master-file name ends in an unescaped dot.
fn ends_in_dot(text: &[u8]) -> bool {
    let Some(rest) = text.strip_suffix(b".") else { return false };
    let backslashes = rest.iter().rev().take_while(|byte| **byte == b'\\').count();
    backslashes % 2 == 0
}

/// Position of the first dot that separates labels.
fn first_dot(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'.' => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// Whether labels are canonical as they stand: nothing to fold, decode or escape, and each of a length DNS allows.
fn is_plain(labels: &str) -> bool {
    let mut length = 0;
    for byte in labels.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'*' if length < 63 => length += 1,
            b'.' if length > 0 => length = 0,
            _ => return false,
        }
    }
    length > 0
}

/// A name of labels that are canonical, unless it is too long (RFC 1035 section 2.3.4).
fn joined_name(joined: String) -> Result<Name, NameError> {
    // A text is never shorter than what it stands for on the wire, but for two octets.
    if joined.len() + 2 > 255 && wire_length(&joined) > 255 {
        return Err(NameError::TooLong);
    }
    Ok(Name(joined.into()))
}

/// Length on the wire: one length octet per label, the octets, and the root. A dot stands for the length octet after it.
fn wire_length(canonical: &str) -> usize {
    octets(canonical.as_bytes()) + 2
}

/// Octets that canonical text stands for, an escape being one.
pub(crate) fn octets(canonical: &[u8]) -> usize {
    let (mut count, mut at) = (0, 0);
    while at < canonical.len() {
        at += match canonical[at] {
            b'\\' if canonical.get(at + 1).is_some_and(u8::is_ascii_digit) => 4,
            b'\\' => 2,
            _ => 1,
        };
        count += 1;
    }
    count
}

/// Canonicalises presentation text: decodes escapes, folds case, checks the limits of RFC 1035 section 2.3.4.
fn canonical(text: &[u8]) -> Result<Name, NameError> {
    let text = if ends_in_dot(text) { &text[..text.len() - 1] } else { text };
    if text.is_empty() {
        return Err(NameError::EmptyLabel);
    }
    let mut out = String::with_capacity(text.len());
    let (mut label, mut wire, mut at) = (0usize, 1usize, 0usize);
    while at < text.len() {
        let byte = match text[at] {
            b'.' => {
                if label == 0 {
                    return Err(NameError::EmptyLabel);
                }
                out.push('.');
                wire += 1;
                label = 0;
                at += 1;
                continue;
            }
            b'\\' => {
                let (byte, used) = escape(&text[at + 1..]).ok_or(NameError::BadEscape)?;
                at += 1 + used;
                byte
            }
            byte => {
                at += 1;
                byte
            }
        };
        label += 1;
        wire += 1;
        if label > 63 {
            return Err(NameError::LabelTooLong);
        }
        match byte.to_ascii_lowercase() {
            byte @ (b'.' | b'\\') => {
                out.push('\\');
                out.push(byte as char);
            }
            byte @ 0x21..=0x7e => out.push(byte as char),
            byte => out.push_str(&format!("\\{byte:03}")),
        }
    }
    if label == 0 {
        return Err(NameError::EmptyLabel);
    }
    if wire + 1 > 255 {
        return Err(NameError::TooLong);
    }
    Ok(Name(out.into()))
}

/// Decodes what follows a backslash (RFC 1035 section 5.1): the octet and how many characters were used.
fn escape(rest: &[u8]) -> Option<(u8, usize)> {
    match rest {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', ..] => {
            let value = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
            u8::try_from(value).ok().map(|octet| (octet, 3))
        }
        [b'0'..=b'9', ..] | [] => None,
        [byte, ..] => Some((*byte, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn the_way_upwards_is_that_of_the_parents() {
        for text in ["mx1.example.org", r"a\.b.c\\.org", "org", "."] {
            let name = Name::parse(text).unwrap();
            let parents: Vec<Name> = std::iter::successors(Some(name.clone()), Name::parent).collect();
            assert!(name.upwards().eq(parents.iter().map(Name::as_str)), "{text}");
        }
    }

    #[test]
    fn case_and_final_dot_do_not_matter() {
        assert_eq!(name("MX1.Example.org."), name("mx1.example.org"));
        assert_eq!(name(".").to_dotted(), ".");
        assert_eq!(name("a.b").to_dotted(), "a.b.");
    }

    #[test]
    fn u_labels_become_a_labels() {
        assert_eq!(name("münchen.example").as_str(), "xn--mnchen-3ya.example");
        assert_eq!(name("xn--mnchen-3ya.example").to_unicode(), "münchen.example");
    }

    #[test]
    fn master_names_are_relative_without_final_dot() {
        let origin = name("example.org");
        let cases: &[(&[u8], &str)] = &[
            (b"@", "example.org"),
            (b"www", "www.example.org"),
            (b"WWW.example.com.", "www.example.com"),
            (b"a\\.b", "a\\.b.example.org"),
            (b"a\\046b", "a\\.b.example.org"),
            (b"\\255", "\\255.example.org"),
            (b".", "."),
        ];
        for (text, expected) in cases {
            assert_eq!(Name::from_master(text, &origin).unwrap().as_str(), *expected);
        }
    }

    #[test]
    fn limits_of_rfc_1035_hold() {
        assert_eq!(Name::parse(&"a".repeat(64)), Err(NameError::LabelTooLong));
        assert_eq!(Name::parse("a..b"), Err(NameError::EmptyLabel));
        assert_eq!(Name::parse(".a"), Err(NameError::EmptyLabel));
        let label = "a".repeat(63);
        assert!(Name::parse(&format!("{label}.{label}.{label}.{}", "a".repeat(61))).is_ok());
        assert_eq!(Name::parse(&format!("{label}.{label}.{label}.{}", "a".repeat(62))), Err(NameError::TooLong));
    }

    #[test]
    fn ancestry_respects_label_borders() {
        assert!(name("a.example.org").is_within(&name("example.org")));
        assert!(!name("notexample.org").is_within(&name("example.org")));
        assert!(!name("x\\.example.org").is_within(&name("example.org")));
        assert_eq!(name("a.b.c").parent(), Some(name("b.c")));
        assert_eq!(name("c").parent(), Some(Name::root()));
    }
}
