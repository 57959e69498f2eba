//! One octoDNS value -> record data.
//!
//! Values are read as octoDNS reads them, from texts and from mappings of fields. A value that is not of the form its type
//! needs becomes [`RData::Malformed`] with the characters that are wrong, so that it is neither lost nor taken for good.

use std::net::{Ipv4Addr, Ipv6Addr};

use granit_parser::ScalarStyle;

use super::scalar::{self, TextRules};
use super::yaml::{NodeId, NodeKind, Tag, Yaml};
use crate::diag::{Diagnostic, Files, Span};
use crate::mail::Name;
use crate::sources::record::{RDATA_LIMIT, RData};

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueError {
    /// The value does not follow the grammar of its type.
    Malformed(String, Span),
    /// The value is made up when octoDNS runs.
    Computed(String, Span),
}

/// Reads values of one zone.
pub struct Values<'a> {
    /// The tree.
    pub yaml: &'a Yaml,
    /// The files, for the raw text of scalars.
    pub files: &'a Files,
    /// How texts are escaped.
    pub text: TextRules,
    /// Whether unescaped semicolons are known to be refused.
    pub strict_semicolons: bool,
    /// Whether a template processor replaces `{...}` in values.
    pub templated: bool,
}

type Read<T> = Result<T, ValueError>;

/// Fields of types whose data is kept as text, in the order of their presentation form.
const FIELDS: &[(&str, &[&str])] = &[
    ("SRV", &["priority", "weight", "port", "target"]),
    ("DS", &["key_tag", "algorithm", "digest_type", "digest"]),
    ("SSHFP", &["algorithm", "fingerprint_type", "fingerprint"]),
    ("NAPTR", &["order", "preference", "flags", "service", "regexp", "replacement"]),
    ("URI", &["priority", "weight", "target"]),
    (
        "LOC",
        &[
            "lat_degrees",
            "lat_minutes",
            "lat_seconds",
            "lat_direction",
            "long_degrees",
            "long_minutes",
            "long_seconds",
            "long_direction",
            "altitude",
            "size",
            "precision_horz",
            "precision_vert",
        ],
    ),
    ("SVCB", &["svcpriority", "targetname", "svcparams"]),
    ("HTTPS", &["svcpriority", "targetname", "svcparams"]),
];

impl Values<'_> {
    /// Reads one value of a type. Oddities that do not change the data are put into `notes`.
    pub fn read(&self, rtype: &str, id: NodeId, notes: &mut Vec<Diagnostic>) -> Read<RData> {
        match rtype {
            "A" => self.address(id, |text| text.parse::<Ipv4Addr>().ok(), "an IPv4 address", RData::A),
            "AAAA" => self.address(id, |text| text.parse::<Ipv6Addr>().ok(), "an IPv6 address", RData::Aaaa),
            "CNAME" => self.target(id, notes).map(|(name, span, _)| RData::Cname(name, span)),
            "NS" => self.target(id, notes).map(|(name, span, _)| RData::Ns(name, span)),
            "PTR" => self.target(id, notes).map(|(name, span, _)| RData::Ptr(name, span)),
            "DNAME" => self.target(id, notes).map(|(name, _, _)| RData::Other(name.to_dotted())),
            "MX" => self.mx(id, notes),
            "TXT" | "SPF" => self.txt(id, notes),
            "CAA" => self.caa(id),
            "TLSA" => self.tlsa(id),
            _ => self.other(rtype, id),
        }
    }

    /// Where a node stands.
    pub fn span(&self, id: NodeId) -> Span {
        self.yaml.node(self.yaml.resolve(id)).span
    }

    fn malformed<T>(&self, reason: impl Into<String>, id: NodeId) -> Read<T> {
        Err(ValueError::Malformed(reason.into(), self.span(id)))
    }

    /// A scalar's text and place.
    fn scalar(&self, id: NodeId) -> Read<(&str, Span)> {
        match self.yaml.text(id) {
            Some(text) if !self.yaml.is_null(id) => Ok((text, self.span(id))),
            Some(_) => self.malformed("the value is empty", id),
            None => self.malformed("the value must be a text", id),
        }
    }

    /// A field of a mapping under the first of its names that is there.
    fn field(&self, id: NodeId, names: &[&str]) -> Read<NodeId> {
        if self.yaml.items(id).is_some() || self.yaml.text(id).is_some() {
            return self.malformed(format!("the value must be a mapping with `{}`", names[0]), id);
        }
        match names.iter().find_map(|name| self.yaml.get(id, name)) {
            Some(field) => Ok(field),
            None => self.malformed(format!("the field `{}` is missing", names[0]), id),
        }
    }

    fn number<T: std::str::FromStr>(&self, id: NodeId, what: &str) -> Read<T> {
        let (text, _) = self.scalar(id)?;
        match text.trim().parse() {
            Ok(number) => Ok(number),
            Err(_) => self.malformed(format!("{what} must be a whole number in its range"), id),
        }
    }

    fn address<T>(
        &self,
        id: NodeId,
        parse: impl Fn(&str) -> Option<T>,
        what: &str,
        data: impl Fn(T, Span) -> RData,
    ) -> Read<RData> {
        let (text, span) = self.scalar(id)?;
        match parse(text) {
            Some(address) => Ok(data(address, span)),
            None => self.malformed(format!("the value is not {what}"), id),
        }
    }

    /// A name in a value: always meant to be absolute. Returns whether its final dot is missing.
    fn target(&self, id: NodeId, notes: &mut Vec<Diagnostic>) -> Read<(Name, Span, bool)> {
        let (text, span) = self.scalar(id)?;
        if text.contains('{') && text.contains('}') {
            return Err(ValueError::Computed("the name is a template".to_owned(), span));
        }
        let name = match Name::parse(text) {
            Ok(name) => name,
            Err(error) => return self.malformed(format!("the value is not a domain name: {error}"), id),
        };
        // RFC 1035 section 5.1: a name without final dot is relative to the origin. Some providers add the origin, some
        // do not; the name is kept as written.
        let relative = !text.ends_with('.');
        if relative {
            let diagnostic = Diagnostic::warning("octodns-final-dot", "the name has no final dot")
                .at(span)
                .help(format!("octoDNS expects fully qualified names: write `{}`", name.to_dotted()));
            notes.push(diagnostic);
        }
        Ok((name, span, relative))
    }

    fn mx(&self, id: NodeId, notes: &mut Vec<Diagnostic>) -> Read<RData> {
        let preference = self.number(self.field(id, &["preference", "priority"])?, "the preference")?;
        let (exchange, span, relative) = self.target(self.field(id, &["exchange", "value"])?, notes)?;
        Ok(RData::Mx { preference, exchange, span, relative })
    }

    fn caa(&self, id: NodeId) -> Read<RData> {
        let tag = self.field(id, &["tag"])?;
        let value = self.field(id, &["value"])?;
        let flags = self.yaml.get(id, "flags").map_or(Ok(0), |flags| self.number(flags, "`flags`"))?;
        let span = self.span(tag).join(self.span(value));
        let (tag, value) = (self.scalar(tag)?.0.to_owned(), self.scalar(value)?.0.to_owned());
        Ok(RData::Caa { flags, tag, value, span })
    }

    fn tlsa(&self, id: NodeId) -> Read<RData> {
        let data = self.field(id, &["certificate_association_data"])?;
        let number =
            |name: &str| self.yaml.get(id, name).map_or(Ok(0), |field| self.number(field, &format!("`{name}`")));
        let (usage, selector, matching_type) =
            (number("certificate_usage")?, number("selector")?, number("matching_type")?);
        let hex: String = self.scalar(data)?.0.chars().filter(|character| !character.is_whitespace()).collect();
        match data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()) {
            Ok(bytes) => Ok(RData::Tlsa { usage, selector, matching_type, data: bytes, span: self.span(id) }),
            Err(_) => self.malformed("the certificate association data is not hexadecimal", data),
        }
    }

    fn txt(&self, id: NodeId, notes: &mut Vec<Diagnostic>) -> Read<RData> {
        let node = self.yaml.node(self.yaml.resolve(id));
        let NodeKind::Scalar(value, style) = &node.kind else { return self.malformed("the value must be a text", id) };
        if self.yaml.is_null(id) {
            return self.malformed("the value is empty", id);
        }
        if let Some(what) = not_a_text(value, *style, &node.tag) {
            return self.malformed(format!("octoDNS reads {what} here and refuses it; quote the value"), id);
        }
        if self.templated && value.contains('{') && value.contains('}') {
            return Err(ValueError::Computed("the value is a template".to_owned(), node.span));
        }
        let mut note = |code, message: &str, help: &str| {
            notes.push(Diagnostic::warning(code, message).at(node.span).help(help));
        };
        if value.ends_with('\n') {
            note(
                "octodns-line-feed",
                "the value ends in a line feed, which becomes part of the record",
                "use `|-` or `>-`",
            );
        }
        if !value.is_ascii() {
            note("octodns-not-ascii", "the value has characters outside ASCII, which octoDNS refuses", "");
        }
        if self.strict_semicolons && has_unescaped_semicolon(value) {
            note(
                "octodns-semicolon",
                "the value has an unescaped semicolon, which octoDNS refuses with this configuration",
                "write `\\;` or set `escaped_semicolons: false`",
            );
        }
        let source = &self.files.get(node.span.file).bytes;
        // An octet is written with four characters at most.
        if value.len() > 4 * RDATA_LIMIT {
            return self.malformed("a record holds 65535 octets at most", id);
        }
        let text = scalar::text(source, node.span, *style, value, self.text);
        // Each string has an octet for its length.
        if text.bytes.len() + text.chunks.len() > RDATA_LIMIT {
            return self.malformed("a record holds 65535 octets at most", id);
        }
        Ok(RData::Txt(text.into()))
    }

    fn other(&self, rtype: &str, id: NodeId) -> Read<RData> {
        if self.yaml.text(id).is_some() {
            return self.scalar(id).map(|(text, _)| RData::Other(text.to_owned()));
        }
        let Some(entries) = self.yaml.entries(id, &mut |_, _| {}) else {
            return self.malformed("the value must be a text or a mapping", id);
        };
        let mut words = Vec::new();
        match FIELDS.iter().find(|(name, _)| *name == rtype) {
            Some((_, fields)) => {
                for field in *fields {
                    match self.yaml.get(id, field) {
                        Some(value) => self.word(rtype, field, value, &mut words)?,
                        None if *field == "svcparams" => {}
                        None => return self.malformed(format!("the field `{field}` is missing"), id),
                    }
                }
            }
            None => {
                for entry in entries {
                    self.word(rtype, "", entry.value, &mut words)?;
                }
            }
        }
        Ok(RData::Other(words.join(" ")))
    }

    /// Adds the presentation form of one field.
    fn word(&self, rtype: &str, field: &str, id: NodeId, words: &mut Vec<String>) -> Read<()> {
        if field == "svcparams" {
            for entry in self.yaml.entries(id, &mut |_, _| {}).unwrap_or_default() {
                let key = self.yaml.text(entry.key).unwrap_or("");
                let values: Vec<&str> = match self.yaml.items(entry.value) {
                    Some(items) => items.iter().filter_map(|item| self.yaml.text(*item)).collect(),
                    None => {
                        self.yaml.text(entry.value).filter(|_| !self.yaml.is_null(entry.value)).into_iter().collect()
                    }
                };
                words.push(if values.is_empty() { key.to_owned() } else { format!("{key}={}", values.join(",")) });
            }
            return Ok(());
        }
        let Some(text) = self.yaml.text(id) else { return self.malformed("the value must be a text", id) };
        words.push(match (rtype, field) {
            ("NAPTR", "flags" | "service" | "regexp") => format!("\"{text}\""),
            ("URI", "target") => format!("\"{text}\""),
            ("LOC", "lat_seconds" | "long_seconds") => float(text),
            ("LOC", "altitude" | "size" | "precision_horz" | "precision_vert") => format!("{}m", float(text)),
            ("DS", "digest") | ("SSHFP", "fingerprint") => text.to_lowercase(),
            ("SRV", "target") | ("SVCB" | "HTTPS", "targetname") => text.to_lowercase(),
            _ => text.to_owned(),
        });
        Ok(())
    }
}

/// A number with a decimal point, as RFC 1876 section 3 shows metres and seconds.
fn float(text: &str) -> String {
    text.trim().parse::<f64>().map_or_else(|_| text.to_owned(), |number| format!("{number:?}"))
}

/// Whether a semicolon follows a word character, which is what octoDNS looks for.
fn has_unescaped_semicolon(value: &str) -> bool {
    let bytes = value.as_bytes();
    memchr::memchr_iter(b';', bytes)
        .any(|at| at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_'))
}

/// What YAML 1.1, which octoDNS uses, makes of a plain scalar that is not a text.
pub fn not_a_text(value: &str, style: ScalarStyle, tag: &Tag) -> Option<&'static str> {
    if style != ScalarStyle::Plain || *tag != Tag::None {
        return None;
    }
    if is_boolean(value).is_some() {
        return Some("a truth value");
    }
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    let hex = digits.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let whole =
        digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') && digits.starts_with(char::is_numeric);
    // YAML 1.1 wants a dot in a number with exponent.
    let float = digits.contains('.') && digits.len() > 1 && digits.parse::<f64>().is_ok();
    let sexagesimal = digits.contains(':')
        && digits
            .split(':')
            .all(|part| !part.is_empty() && part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_digit()));
    (hex || whole || float || sexagesimal).then_some("a number")
}

/// The truth values of YAML 1.1.
pub fn is_boolean(value: &str) -> Option<bool> {
    let lower = value.to_ascii_lowercase();
    let capital = value.starts_with(|first: char| first.is_ascii_uppercase());
    let regular = value == lower || value == value.to_ascii_uppercase() || (capital && value[1..] == lower[1..]);
    match lower.as_str() {
        "yes" | "true" | "on" if regular => Some(true),
        "no" | "false" | "off" if regular => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_that_are_no_texts_are_known() {
        for (value, expected) in [
            ("yes", true),
            ("On", true),
            ("yEs", false),
            ("123", true),
            ("1.5", true),
            ("1.2.3.4", false),
            ("0x1f", true),
            ("1e5", false),
            ("v=spf1", false),
            ("12:30", true),
            ("2001:db8::1", false),
            ("-", false),
            (".", false),
        ] {
            assert_eq!(not_a_text(value, ScalarStyle::Plain, &Tag::None).is_some(), expected, "{value}");
        }
        assert_eq!(not_a_text("123", ScalarStyle::SingleQuoted, &Tag::None), None);
    }
}
