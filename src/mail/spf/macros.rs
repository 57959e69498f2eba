//! Macros (RFC 7208 section 7): grammar with byte ranges, and expansion.
//!
//! Expansion asks its caller for the value of each letter, so that an evaluation can look up `%{p}` and a static walk
//! can refuse letters that depend on the message.

use std::borrow::Cow;
use std::ops::Range;

use super::record::{Problem, SyntaxError};

/// A `domain-spec`: a macro string that ends in a top label or in a macro.
pub type DomainSpec = MacroString;

/// A text with macros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacroString {
    /// Range in the text it was read from.
    pub range: Range<usize>,
    /// Its parts from left to right; empty when the whole range is literal.
    pub parts: Vec<Part>,
}

/// One part of a macro string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Range in the text it was read from.
    pub range: Range<usize>,
    /// What it stands for.
    pub kind: PartKind,
}

/// What a part of a macro string stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartKind {
    /// Itself.
    Literal,
    /// `%%`: a percent sign.
    Percent,
    /// `%_`: a space.
    Space,
    /// `%-`: `%20`.
    UrlSpace,
    /// `%{...}`.
    Expand(Expansion),
}

/// The inside of `%{...}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expansion {
    /// Which value.
    pub letter: Letter,
    /// Whether the letter is in upper case, so that the value is URL-escaped.
    pub url_escape: bool,
    /// How many right-hand parts are kept; 0 stands for all, as the digit 0 is not allowed.
    pub keep: u32,
    /// Whether the parts are reversed.
    pub reverse: bool,
    /// Range of the delimiters; empty for the default, a dot.
    pub delimiters: Range<usize>,
}

/// A macro letter (RFC 7208 section 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Letter {
    /// `s`: the sender.
    Sender,
    /// `l`: the local-part of the sender.
    LocalPart,
    /// `o`: the domain of the sender.
    SenderDomain,
    /// `d`: the domain whose record is evaluated.
    Domain,
    /// `i`: the address, dotted.
    Address,
    /// `p`: the validated reverse name of the address.
    ValidatedName,
    /// `v`: `in-addr` or `ip6`.
    Version,
    /// `h`: the HELO or EHLO name.
    Helo,
    /// `c`: the address for people; only in explanations.
    ReadableAddress,
    /// `r`: the name of the receiving host; only in explanations.
    Receiver,
    /// `t`: seconds since 1970; only in explanations.
    Timestamp,
}

impl Letter {
    fn from_byte(byte: u8) -> Option<Letter> {
        Some(match byte.to_ascii_lowercase() {
            b's' => Letter::Sender,
            b'l' => Letter::LocalPart,
            b'o' => Letter::SenderDomain,
            b'd' => Letter::Domain,
            b'i' => Letter::Address,
            b'p' => Letter::ValidatedName,
            b'v' => Letter::Version,
            b'h' => Letter::Helo,
            b'c' => Letter::ReadableAddress,
            b'r' => Letter::Receiver,
            b't' => Letter::Timestamp,
            _ => return None,
        })
    }

    /// Whether the letter is allowed in explanations only (RFC 7208 section 7.2).
    pub fn only_in_explanation(self) -> bool {
        matches!(self, Letter::ReadableAddress | Letter::Receiver | Letter::Timestamp)
    }
}

/// Where a macro string stands, which decides what it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    /// A `domain-spec`.
    Domain,
    /// The value of a modifier that is not known.
    UnknownModifier,
    /// The text that `exp` points to.
    Explanation,
}

/// An expansion grew beyond what this tool follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

/// Longest expansion that is followed, in octets. Names end at 253, explanations at what a reply can carry.
const MAX_EXPANSION: usize = 65_536;

impl MacroString {
    /// Whether any part is a macro, including `%%`, `%_` and `%-`.
    pub fn has_macros(&self) -> bool {
        !self.parts.is_empty()
    }

    /// The written text. `text` is what it was read from.
    pub fn written<'t>(&self, text: &'t [u8]) -> Cow<'t, str> {
        String::from_utf8_lossy(text.get(self.range.clone()).unwrap_or_default())
    }

    /// The expanded text. `text` is what it was read from, `value` yields the value of a letter.
    pub(super) fn expand<'v, E: From<TooLong>>(
        &self,
        text: &[u8],
        mut value: impl FnMut(Letter) -> Result<Cow<'v, str>, E>,
    ) -> Result<String, E> {
        if self.parts.is_empty() {
            return Ok(self.written(text).into_owned());
        }
        let mut out = String::new();
        for part in &self.parts {
            match &part.kind {
                PartKind::Literal => out.push_str(&String::from_utf8_lossy(&text[part.range.clone()])),
                PartKind::Percent => out.push('%'),
                PartKind::Space => out.push(' '),
                PartKind::UrlSpace => out.push_str("%20"),
                PartKind::Expand(expansion) => expansion.append(text, &value(expansion.letter)?, &mut out),
            }
            if out.len() > MAX_EXPANSION {
                return Err(E::from(TooLong));
            }
        }
        Ok(out)
    }
}

impl Expansion {
    /// Appends the transformed value (RFC 7208 section 7.3).
    fn append(&self, text: &[u8], value: &str, out: &mut String) {
        let start = out.len();
        if self.keep == 0 && !self.reverse && self.delimiters.is_empty() {
            out.push_str(value);
        } else {
            let delimiters = match &text[self.delimiters.clone()] {
                b"" => &b"."[..],
                written => written,
            };
            let is_delimiter = |character: char| u8::try_from(character).is_ok_and(|byte| delimiters.contains(&byte));
            let mut parts: Vec<&str> = value.split(is_delimiter).collect();
            if self.reverse {
                parts.reverse();
            }
            // RFC 7208 section 7.3: the right-hand parts are kept after the reversal, and are joined with dots.
            let keep = if self.keep == 0 { parts.len() } else { parts.len().min(self.keep as usize) };
            for (index, part) in parts[parts.len() - keep..].iter().enumerate() {
                if index > 0 {
                    out.push('.');
                }
                out.push_str(part);
            }
        }
        if self.url_escape {
            let plain = out.split_off(start);
            url_escape(&plain, out);
        }
    }
}

/// Appends `text` with everything outside the unreserved set escaped (RFC 7208 section 7.3, RFC 3986 section 2.3).
fn url_escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// Reads `text[range]` as a macro string. Errors are appended; `None` when there was one.
pub(super) fn parse_macro_string(
    text: &[u8],
    range: Range<usize>,
    context: Context,
    errors: &mut Vec<SyntaxError>,
) -> Option<MacroString> {
    let before = errors.len();
    let mut parts = Vec::new();
    let bytes = &text[..range.end];
    let mut at = range.start;
    let mut literal = at;
    let has_macros = bytes[at..].contains(&b'%');
    while at < bytes.len() {
        if bytes[at] != b'%' {
            if let Some(problem) = literal_problem(bytes[at], context) {
                errors.push(SyntaxError::new(at..at + 1, problem));
            }
            at += 1;
            continue;
        }
        if literal < at {
            parts.push(Part { range: literal..at, kind: PartKind::Literal });
        }
        let (end, kind) = read_macro(bytes, at, context);
        match kind {
            Ok(kind) => parts.push(Part { range: at..end, kind }),
            Err(problem) => errors.push(SyntaxError::new(at..end, problem)),
        }
        at = end;
        literal = end;
    }
    if has_macros && literal < at {
        parts.push(Part { range: literal..at, kind: PartKind::Literal });
    }
    (errors.len() == before).then_some(MacroString { range, parts })
}

/// What is wrong with a literal octet, if anything.
fn literal_problem(byte: u8, context: Context) -> Option<Problem> {
    match byte {
        b' ' if context == Context::Explanation => None,
        0x21..=0x7e => None,
        0x80.. => Some(Problem::NonAscii),
        _ => Some(Problem::ControlCharacter),
    }
}

/// Reads the macro that starts with the percent sign at `at`: where it ends, and what it is.
fn read_macro(bytes: &[u8], at: usize, context: Context) -> (usize, Result<PartKind, Problem>) {
    match bytes.get(at + 1) {
        Some(b'%') => (at + 2, Ok(PartKind::Percent)),
        Some(b'_') => (at + 2, Ok(PartKind::Space)),
        Some(b'-') => (at + 2, Ok(PartKind::UrlSpace)),
        Some(b'{') => match bytes[at..].iter().position(|byte| *byte == b'}') {
            Some(length) => {
                let end = at + length + 1;
                (end, read_expansion(bytes, at + 2..end - 1, context).map(PartKind::Expand))
            }
            None => (bytes.len(), Err(Problem::MacroNotClosed)),
        },
        // RFC 7208 section 7.1: a percent sign that starts no macro is a syntax error.
        _ => (at + 1, Err(Problem::StrayPercent)),
    }
}

/// Reads what stands between the braces.
fn read_expansion(bytes: &[u8], inside: Range<usize>, context: Context) -> Result<Expansion, Problem> {
    let Some((&byte, mut rest)) = bytes[inside.clone()].split_first() else { return Err(Problem::MacroEmpty) };
    let letter = Letter::from_byte(byte).ok_or(Problem::MacroLetter(char::from(byte)))?;
    // RFC 7208 section 7.2: c, r and t are allowed in explanations only.
    if letter.only_in_explanation() && context != Context::Explanation {
        return Err(Problem::MacroOnlyInExplanation(char::from(byte)));
    }
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let keep = rest[..digits]
        .iter()
        .fold(0u32, |number, digit| number.saturating_mul(10).saturating_add(u32::from(digit - b'0')));
    // RFC 7208 section 7.3: the number of parts must not be zero.
    if digits > 0 && keep == 0 {
        return Err(Problem::MacroZero);
    }
    rest = &rest[digits..];
    let reverse = matches!(rest.first(), Some(b'r' | b'R'));
    rest = &rest[usize::from(reverse)..];
    if !rest.iter().all(|byte| b".-+,/_=".contains(byte)) {
        return Err(Problem::MacroTransformer);
    }
    let delimiters = inside.end - rest.len()..inside.end;
    Ok(Expansion { letter, url_escape: byte.is_ascii_uppercase(), keep, reverse, delimiters })
}

/// Reads `text[range]` as a `domain-spec`.
pub(super) fn parse_domain_spec(text: &[u8], range: Range<usize>, errors: &mut Vec<SyntaxError>) -> Option<DomainSpec> {
    if range.is_empty() {
        errors.push(SyntaxError::new(range, Problem::DomainEmpty));
        return None;
    }
    let spec = parse_macro_string(text, range.clone(), Context::Domain, errors)?;
    let end = match spec.parts.last() {
        None => range,
        Some(Part { range, kind: PartKind::Literal }) => range.clone(),
        // RFC 7208 section 7.1: domain-end may be a macro.
        Some(_) => return Some(spec),
    };
    match domain_end_problem(text, end) {
        Some(error) => {
            errors.push(error);
            None
        }
        None => Some(spec),
    }
}

/// What is wrong with the literal end of a `domain-spec`, if anything (RFC 7208 section 7.1, `domain-end`).
fn domain_end_problem(text: &[u8], literal: Range<usize>) -> Option<SyntaxError> {
    let bytes = &text[literal.clone()];
    let bytes = bytes.strip_suffix(b".").unwrap_or(bytes);
    let Some(dot) = bytes.iter().rposition(|byte| *byte == b'.') else {
        return Some(SyntaxError::new(literal, Problem::LoneTopLabel));
    };
    let label = literal.start + dot + 1..literal.start + bytes.len();
    match &text[label.clone()] {
        good if is_top_label(good) => None,
        _ if std::str::from_utf8(bytes).is_ok_and(|text| text.parse::<std::net::Ipv4Addr>().is_ok()) => {
            Some(SyntaxError::new(literal, Problem::AddressAsDomain))
        }
        b"" => Some(SyntaxError::new(literal, Problem::TopLabelEmpty)),
        _ => Some(SyntaxError::new(label, Problem::TopLabel)),
    }
}

/// `toplabel` of RFC 7208 section 7.1: letters, digits and inner hyphens, not digits alone.
fn is_top_label(label: &[u8]) -> bool {
    label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        && !label.iter().all(u8::is_ascii_digit)
        && label.first().is_some_and(|byte| *byte != b'-')
        && label.last().is_some_and(|byte| *byte != b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    impl From<TooLong> for () {
        fn from(_: TooLong) -> Self {}
    }

    fn value(letter: Letter) -> Result<Cow<'static, str>, ()> {
        // The values of RFC 7208 section 7.4.
        Ok(match letter {
            Letter::Sender => "strong-bad@email.example.com",
            Letter::LocalPart => "strong-bad",
            Letter::SenderDomain | Letter::Domain => "email.example.com",
            Letter::Address => "192.0.2.3",
            Letter::Version => "in-addr",
            _ => "unknown",
        }
        .into())
    }

    fn expand(text: &str) -> String {
        let mut errors = Vec::new();
        let parsed = parse_macro_string(text.as_bytes(), 0..text.len(), Context::Domain, &mut errors);
        assert_eq!(errors, [], "{text}");
        parsed.unwrap().expand(text.as_bytes(), value).unwrap()
    }

    #[test]
    fn examples_of_section_7_4_expand() {
        let cases = [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d3}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr}", "strong-bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
            ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ];
        for (text, expected) in cases {
            assert_eq!(expand(text), expected, "{text}");
        }
    }

    #[test]
    fn case_32_macro_syntax_is_checked_and_upper_case_escapes() {
        assert_eq!(expand("%{S}"), "strong-bad%40email.example.com");
        assert_eq!(expand("a%%b%_c%-d"), "a%b c%20d");
        assert_eq!(expand("%{I}.%{D}"), "192.0.2.3.email.example.com");
        let cases = [
            ("%", Problem::StrayPercent, 0..1),
            ("a%(ir)", Problem::StrayPercent, 1..2),
            ("%{d", Problem::MacroNotClosed, 0..3),
            ("%{}", Problem::MacroEmpty, 0..3),
            ("%{x}", Problem::MacroLetter('x'), 0..4),
            ("%{d0}", Problem::MacroZero, 0..5),
            ("%{dx}", Problem::MacroTransformer, 0..5),
            ("%{c}", Problem::MacroOnlyInExplanation('c'), 0..4),
        ];
        for (text, problem, range) in cases {
            let mut errors = Vec::new();
            assert!(parse_macro_string(text.as_bytes(), 0..text.len(), Context::Domain, &mut errors).is_none());
            assert_eq!(errors, [SyntaxError::new(range, problem)], "{text}");
        }
    }

    #[test]
    fn domain_ends_follow_the_grammar() {
        let good =
            ["a.example", "a.example.", "%{d}", "a.%{d2}", "%{d}.example", "a.xn--zckzah", "foo:bar/b.example", "a%%"];
        let bad = ["example", "example.", "a.123", "a.-com", "a.com-", "%{d}.", "%{d}example", "a..", "192.0.2.1", ""];
        for text in good {
            let mut errors = Vec::new();
            assert!(parse_domain_spec(text.as_bytes(), 0..text.len(), &mut errors).is_some(), "{text} {errors:?}");
        }
        for text in bad {
            let mut errors = Vec::new();
            assert!(parse_domain_spec(text.as_bytes(), 0..text.len(), &mut errors).is_none(), "{text}");
            assert_eq!(errors.len(), 1, "{text}");
        }
    }

    #[test]
    fn expansions_are_bounded() {
        let text = "%{s}".repeat(5000);
        let parsed = parse_macro_string(text.as_bytes(), 0..text.len(), Context::Domain, &mut Vec::new()).unwrap();
        assert_eq!(parsed.expand(text.as_bytes(), value), Err(()));
    }
}
