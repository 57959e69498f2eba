//! Report addresses of a DMARC record, and the record by which another organisation accepts reports (RFC 9990 section 4).
//!
//! An address that cannot be used stays in the list with its reason and place. Whether an address lies in another
//! organisation is not decided here: that needs the organisational domains of both (RFC 9990 section 4).

use std::ops::Range;

use super::record::{is_dmarc, parse};
use crate::mail::{Name, NameError};

/// One element of `rua` or `ruf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportUri {
    /// The element as written, without surrounding white space and with its size suffix.
    pub text: String,
    /// Byte range of the element in the record text.
    pub range: Range<usize>,
    /// Byte range of an obsolete size limit such as `!10m`, which is ignored (RFC 9989 section 4.6).
    pub size_suffix: Option<Range<usize>>,
    /// Where it points.
    pub target: ReportTarget,
}

/// Where a report address points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportTarget {
    /// A mailbox (`mailto:`).
    Mailbox {
        /// The address with percent-encoding decoded.
        address: String,
        /// The domain of the mailbox.
        domain: Name,
    },
    /// A URI of another scheme: syntactically valid, but only `mailto:` must be supported (RFC 9989 section 4.7).
    OtherScheme,
    /// Not a URI.
    Invalid {
        /// What is wrong.
        reason: &'static str,
    },
}

impl ReportUri {
    /// Whether the element is a syntactically valid URI, of whatever scheme (RFC 9989 section 4.10.1).
    pub fn is_valid(&self) -> bool {
        !matches!(self.target, ReportTarget::Invalid { .. })
    }

    /// The domain of the mailbox, when the element is a usable `mailto:` URI.
    pub fn mailbox_domain(&self) -> Option<&Name> {
        match &self.target {
            ReportTarget::Mailbox { domain, .. } => Some(domain),
            ReportTarget::OtherScheme | ReportTarget::Invalid { .. } => None,
        }
    }
}

/// What an authorisation record says about where reports go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportOverride {
    /// Nothing: reports go to the address of the policy record.
    Absent,
    /// Reports go to these addresses instead.
    Addresses(Vec<ReportUri>),
    /// The record names another host, which it may not (RFC 9990 section 4); the addresses as written.
    OtherHost(Vec<ReportUri>),
}

/// Reads the comma-separated list in `text[list]`; ranges are in `text` (RFC 9989 section 4.8).
pub fn report_uris(text: &str, list: Range<usize>) -> Vec<ReportUri> {
    let Some(value) = text.get(list.clone()) else { return Vec::new() };
    let mut start = list.start;
    let mut uris = Vec::new();
    for part in value.split(',') {
        let trimmed = part.trim_matches(is_white);
        let begin = start + (part.len() - part.trim_start_matches(is_white).len());
        uris.push(report_uri(trimmed, begin));
        start += part.len() + 1;
    }
    uris
}

/// The name whose TXT record lets `report_host` receive the reports of `policy_domain`.
pub fn report_authorisation_name(policy_domain: &Name, report_host: &Name) -> Result<Name, NameError> {
    // RFC 9990 section 4: `<policy-domain>._report._dmarc.<host>`.
    report_host.child("_report._dmarc")?.child(policy_domain.as_str())
}

/// Whether a TXT record authorises reports: a version is enough, with or without semicolon (RFC 9990 section 4).
pub fn is_report_authorisation(text: &str) -> bool {
    is_dmarc(text)
}

/// Where an authorisation record redirects the reports that `report_host` receives.
pub fn report_override(text: &str, report_host: &Name) -> ReportOverride {
    let Some(list) = parse(text).rua.filter(|list| list.is_usable()) else { return ReportOverride::Absent };
    // RFC 9990 section 4: the override must use the same destination host.
    if list.uris.iter().filter_map(ReportUri::mailbox_domain).all(|domain| domain == report_host) {
        ReportOverride::Addresses(list.uris)
    } else {
        ReportOverride::OtherHost(list.uris)
    }
}

fn is_white(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

fn report_uri(text: &str, start: usize) -> ReportUri {
    let size = size_suffix(text);
    let uri = &text[..size.unwrap_or(text.len())];
    ReportUri {
        text: text.to_owned(),
        range: start..start + text.len(),
        size_suffix: size.map(|at| start + at..start + text.len()),
        target: target(uri).unwrap_or_else(|reason| ReportTarget::Invalid { reason }),
    }
}

/// Where `!10m` starts: `"!" 1*DIGIT [ "k" / "m" / "g" / "t" ]` (RFC 7489 section 6.4).
fn size_suffix(text: &str) -> Option<usize> {
    let at = text.rfind('!')?;
    let size = &text[at + 1..];
    let digits = size.strip_suffix(['k', 'm', 'g', 't', 'K', 'M', 'G', 'T']).unwrap_or(size);
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(at)
}

fn target(uri: &str) -> Result<ReportTarget, &'static str> {
    if uri.is_empty() {
        return Err("there is no address");
    }
    // RFC 9989 section 4.8: commas and exclamation points must be encoded; a comma has already ended the element.
    if uri.contains('!') {
        return Err("`!` must be written `%21`");
    }
    // RFC 3986 section 2: only these characters, the rest percent-encoded.
    if let Some(odd) = uri.bytes().find(|byte| !is_uri_byte(*byte)) {
        return Err(if odd.is_ascii_whitespace() {
            "there is white space inside the URI"
        } else {
            "a character is not allowed in a URI"
        });
    }
    let Some((scheme, rest)) = uri.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
        return Err("the address lacks `mailto:`");
    };
    if !scheme.eq_ignore_ascii_case("mailto") {
        return if rest.is_empty() { Err("the URI ends after its scheme") } else { Ok(ReportTarget::OtherScheme) };
    }
    // RFC 6068 section 2: what follows `?` are header fields, and is not part of the address.
    let address = rest.split_once('?').map_or(rest, |(address, _)| address);
    mailbox(decode(address)?)
}

fn mailbox(address: String) -> Result<ReportTarget, &'static str> {
    let Some((local, domain)) = address.rsplit_once('@') else { return Err("the address lacks `@`") };
    if !is_local_part(local) {
        return Err("the part before `@` is not valid");
    }
    if !domain.chars().all(|character| character.is_alphanumeric() || matches!(character, '.' | '-' | '_')) {
        return Err("the part after `@` is not a domain name");
    }
    let domain = Name::parse(domain).map_err(|_| "the part after `@` is not a domain name")?;
    Ok(if domain.is_root() {
        ReportTarget::Invalid { reason: "the part after `@` is not a domain name" }
    } else {
        ReportTarget::Mailbox { address, domain }
    })
}

/// A dot-atom or a quoted string (RFC 5321 section 4.1.2, RFC 6531 section 3.3), within 64 octets. A comma may stand bare,
/// because RFC 9989 section 4.8 speaks of encoded commas without asking for quotes.
fn is_local_part(local: &str) -> bool {
    if local.is_empty() || local.len() > 64 || local.chars().any(char::is_control) {
        return false;
    }
    if let Some(quoted) = local.strip_prefix('"') {
        return quoted.len() > 1 && quoted.ends_with('"');
    }
    local.split('.').all(|atom| {
        !atom.is_empty()
            && atom.chars().all(|character| {
                character.is_alphanumeric() || !character.is_ascii() || "!#$%&'*+-/=?^_`{|}~,".contains(character)
            })
    })
}

/// RFC 3986 section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// RFC 3986 section 2: reserved, unreserved and `%`.
fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

/// Decodes percent-encoding (RFC 3986 section 2.1).
fn decode(text: &str) -> Result<String, &'static str> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let (Some(high), Some(low)) = (tail.first().and_then(hex), tail.get(1).and_then(hex)) else {
            return Err("`%` is not followed by two hexadecimal digits");
        };
        bytes.push(high * 16 + low);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| "the percent-encoded octets are not UTF-8")
}

fn hex(byte: &u8) -> Option<u8> {
    char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn one(text: &str) -> ReportUri {
        let mut uris = report_uris(text, 0..text.len());
        assert_eq!(uris.len(), 1, "{text}");
        uris.remove(0)
    }

    #[test]
    fn case_65_sizes_are_ignored_and_commas_and_exclamation_points_are_encoded() {
        let sized = one("mailto:a@x.example!10m");
        assert_eq!(sized.mailbox_domain(), Some(&name("x.example")));
        assert_eq!(sized.size_suffix, Some(18..22));
        let encoded = one("mailto:a%2Cb%21c@x.example");
        let expected = ReportTarget::Mailbox { address: "a,b!c@x.example".into(), domain: name("x.example") };
        assert_eq!(encoded.target, expected);
        assert!(!one("mailto:a!b@x.example").is_valid());
        assert!(!one("mailto:a@x.example!").is_valid());
        assert!(!one("mailto:a@x.example!10p").is_valid());
    }

    #[test]
    fn addresses_are_read_or_refused_with_a_reason() {
        let cases: &[(&str, Result<&str, &str>)] = &[
            ("mailto:a@x.example", Ok("x.example")),
            ("MAILTO:a+b@X.Example", Ok("x.example")),
            ("mailto:a@x.example?subject=dmarc", Ok("x.example")),
            ("mailto:%C3%BC@m%C3%BCnchen.example", Ok("xn--mnchen-3ya.example")),
            ("mailto:%22a%20b%22@x.example", Ok("x.example")),
            ("a@x.example", Err("the address lacks `mailto:`")),
            ("", Err("there is no address")),
            ("mailto:", Err("the address lacks `@`")),
            ("mailto:x.example", Err("the address lacks `@`")),
            ("mailto:@x.example", Err("the part before `@` is not valid")),
            ("mailto:mailto:a@x.example", Err("the part before `@` is not valid")),
            ("mailto:a@", Err("the part after `@` is not a domain name")),
            ("mailto:a@.", Err("the part after `@` is not a domain name")),
            ("mailto:a@x..example", Err("the part after `@` is not a domain name")),
            ("mailto: a@x.example", Err("there is white space inside the URI")),
            ("<mailto:a@x.example>", Err("a character is not allowed in a URI")),
            ("mailto:a%2@x.example", Err("`%` is not followed by two hexadecimal digits")),
        ];
        for (text, expected) in cases {
            let found = one(text);
            match (&found.target, expected) {
                (ReportTarget::Mailbox { domain, .. }, Ok(expected)) => {
                    assert_eq!(domain.as_str(), *expected, "{text}")
                }
                (ReportTarget::Invalid { reason }, Err(expected)) => assert_eq!(reason, expected, "{text}"),
                (other, _) => panic!("{text}: {other:?}"),
            }
        }
        assert_eq!(one("https://x.example/report").target, ReportTarget::OtherScheme);
    }

    #[test]
    fn elements_keep_their_place() {
        let text = "rua=mailto:a@x.example ,\t mailto:b@y.example!1g,,z";
        let uris = report_uris(text, 4..text.len());
        let found: Vec<_> = uris.iter().map(|uri| (&text[uri.range.clone()], uri.is_valid())).collect();
        assert_eq!(found, [("mailto:a@x.example", true), ("mailto:b@y.example!1g", true), ("", false), ("z", false)]);
    }

    #[test]
    fn case_62_the_authorisation_name() {
        let found = report_authorisation_name(&name("example.org"), &name("reports.example.net"));
        assert_eq!(found, Ok(name("example.org._report._dmarc.reports.example.net")));
        let long = name(&[&*"a".repeat(63), &*"b".repeat(63), &*"c".repeat(63)].join("."));
        assert_eq!(
            report_authorisation_name(&long, &name(&format!("{}.example", "d".repeat(60)))),
            Err(NameError::TooLong)
        );
    }

    #[test]
    fn case_63_a_version_alone_authorises_and_an_override_stays_on_its_host() {
        for text in ["v=DMARC1", "v=DMARC1;", "v=DMARC1; rua=mailto:b@reports.example"] {
            assert!(is_report_authorisation(text), "{text}");
        }
        for text in ["v=dmarc1", "", "v=spf1 -all"] {
            assert!(!is_report_authorisation(text), "{text}");
        }
        let host = name("reports.example");
        assert_eq!(report_override("v=DMARC1", &host), ReportOverride::Absent);
        let same = report_override("v=DMARC1; rua=mailto:b@reports.example", &host);
        assert!(matches!(same, ReportOverride::Addresses(uris) if uris.len() == 1));
        let other = report_override("v=DMARC1; rua=mailto:b@elsewhere.example", &host);
        assert!(matches!(other, ReportOverride::OtherHost(_)));
    }
}
