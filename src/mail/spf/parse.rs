//! The grammar of SPF records (RFC 7208 section 12): from octets to terms with byte ranges.
//!
//! Nothing is skipped: every term of the text becomes a [`Term`], and every violation an error with its octets.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::macros::{Context, DomainSpec, parse_domain_spec, parse_macro_string};
use super::record::{
    DualPrefix, Ip4Network, Ip6Network, Mechanism, Modifier, Prefix, Problem, Qualifier, Record, SyntaxError, Term,
    TermKind,
};
use super::{VERSION_LENGTH, is_spf_version};

/// Reads a record. The text should be one for which [`is_spf_version`] holds; otherwise that is the first error.
pub fn parse<T: AsRef<[u8]> + ?Sized>(text: &T) -> Record<'_> {
    let text = text.as_ref();
    let (version, mut errors) = match is_spf_version(text) {
        true => (0..VERSION_LENGTH, Vec::new()),
        false => {
            let end = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
            (0..end, vec![SyntaxError::new(0..end, Problem::Version)])
        }
    };
    let mut terms = Vec::with_capacity(memchr::memchr_iter(b' ', text).count());
    let mut at = version.end;
    while at < text.len() {
        // RFC 7208 section 4.6.1: terms are separated by one or more spaces, and by nothing else.
        if text[at] == b' ' {
            at += 1;
            continue;
        }
        let end = memchr::memchr(b' ', &text[at..]).map_or(text.len(), |length| at + length);
        terms.push(term(text, at..end, &mut errors));
        at = end;
    }
    reject_duplicates(&terms, &mut errors);
    Record { text, version, terms, errors }
}

/// RFC 7208 section 6: `redirect` and `exp` must not stand more than once each.
fn reject_duplicates(terms: &[Term], errors: &mut Vec<SyntaxError>) {
    let before = errors.len();
    let (mut redirect, mut exp) = (false, false);
    for term in terms {
        let (seen, name) = match term.kind {
            TermKind::Modifier(Modifier::Redirect(_)) => (&mut redirect, "redirect"),
            TermKind::Modifier(Modifier::Exp(_)) => (&mut exp, "exp"),
            _ => continue,
        };
        if std::mem::replace(seen, true) {
            errors.push(SyntaxError::new(term.range.clone(), Problem::Duplicate(name)));
        }
    }
    if errors.len() > before {
        errors.sort_by_key(|error| error.range.start);
    }
}

/// Reads one term.
fn term(text: &[u8], range: Range<usize>, errors: &mut Vec<SyntaxError>) -> Term {
    let start = range.start + usize::from(matches!(text[range.start], b'+' | b'-' | b'?' | b'~'));
    let name_length = text[start..range.end].iter().take_while(|byte| is_name_byte(**byte)).count();
    let name = start..start + name_length;
    let before = errors.len();
    check_characters(text, range.clone(), errors);
    let kind = if errors.len() > before { None } else { term_kind(text, &range, &name, errors) };
    Term { range, name, kind: kind.unwrap_or(TermKind::Broken) }
}

/// Octets of `name` in RFC 7208 section 12.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

/// One error for each run of octets that no term may hold.
fn check_characters(text: &[u8], range: Range<usize>, errors: &mut Vec<SyntaxError>) {
    let mut at = range.start;
    while at < range.end {
        let length = match text[at] {
            0x80.. => text[at..range.end].iter().take_while(|byte| **byte >= 0x80).count(),
            0x00..=0x1f | 0x7f => {
                text[at..range.end].iter().take_while(|byte| matches!(byte, 0x00..=0x1f | 0x7f)).count()
            }
            _ => {
                at += 1;
                continue;
            }
        };
        let problem = if text[at] >= 0x80 { Problem::NonAscii } else { Problem::ControlCharacter };
        errors.push(SyntaxError::new(at..at + length, problem));
        at += length;
    }
}

/// Tells mechanisms from modifiers by the character after the name (RFC 7208 section 4.6.1).
fn term_kind(
    text: &[u8],
    range: &Range<usize>,
    name: &Range<usize>,
    errors: &mut Vec<SyntaxError>,
) -> Option<TermKind> {
    if !text[name.clone()].first().is_some_and(u8::is_ascii_alphabetic) {
        errors.push(SyntaxError::new(range.clone(), Problem::NameMissing));
        return None;
    }
    let rest = name.end..range.end;
    match text[rest.clone()].first() {
        Some(b'=') if range.start < name.start => {
            errors.push(SyntaxError::new(range.clone(), Problem::QualifiedModifier));
            None
        }
        Some(b'=') => modifier(text, name, rest.start + 1..rest.end, errors).map(TermKind::Modifier),
        None | Some(b':' | b'/') => {
            let qualifier = match text[range.start] {
                b'-' => Qualifier::Fail,
                b'~' => Qualifier::Softfail,
                b'?' => Qualifier::Neutral,
                // RFC 7208 section 4.6.2: the qualifier is optional and defaults to `+`.
                _ => Qualifier::Pass,
            };
            mechanism(text, name, rest, errors).map(|mechanism| TermKind::Directive { qualifier, mechanism })
        }
        Some(_) => {
            errors.push(SyntaxError::new(rest.start..rest.start + 1, Problem::AfterName));
            None
        }
    }
}

fn modifier(text: &[u8], name: &Range<usize>, value: Range<usize>, errors: &mut Vec<SyntaxError>) -> Option<Modifier> {
    let name = &text[name.clone()];
    if name.eq_ignore_ascii_case(b"redirect") {
        parse_domain_spec(text, value, errors).map(Modifier::Redirect)
    } else if name.eq_ignore_ascii_case(b"exp") {
        parse_domain_spec(text, value, errors).map(Modifier::Exp)
    } else {
        // RFC 7208 section 6: unknown modifiers are ignored, but their value must be a macro-string.
        parse_macro_string(text, value, Context::UnknownModifier, errors).map(Modifier::Unknown)
    }
}

/// Reads what follows the name of a mechanism: nothing, `:` and a value, `/` and prefix lengths.
fn mechanism(text: &[u8], name: &Range<usize>, rest: Range<usize>, errors: &mut Vec<SyntaxError>) -> Option<Mechanism> {
    let lower = text[name.clone()].to_ascii_lowercase();
    match lower.as_slice() {
        b"all" => nothing("all", rest, errors).map(|()| Mechanism::All),
        b"include" => needed_domain("include", text, rest, errors).map(Mechanism::Include),
        b"exists" => needed_domain("exists", text, rest, errors).map(Mechanism::Exists),
        b"a" => domain_and_prefix("a", text, rest, errors).map(|(domain, prefix)| Mechanism::A { domain, prefix }),
        b"mx" => domain_and_prefix("mx", text, rest, errors).map(|(domain, prefix)| Mechanism::Mx { domain, prefix }),
        b"ptr" if rest.is_empty() => Some(Mechanism::Ptr(None)),
        b"ptr" => needed_domain("ptr", text, rest, errors).map(|domain| Mechanism::Ptr(Some(domain))),
        b"ip4" => network4(text, rest, errors).map(Mechanism::Ip4),
        b"ip6" => network6(text, rest, errors).map(Mechanism::Ip6),
        // RFC 7208 section 4.6: an unknown mechanism is a syntax error.
        _ => {
            let shown = String::from_utf8_lossy(&text[name.clone()]).into_owned();
            let problem = Problem::UnknownMechanism { name: shown, meant: probably_meant(&lower) };
            errors.push(SyntaxError::new(name.clone(), problem));
            None
        }
    }
}

/// What people mean by names that do not exist.
fn probably_meant(name: &[u8]) -> Option<&'static str> {
    Some(match name {
        b"ipv4" | b"ip" | b"ip-4" | b"ip4." | b"i4" => "`ip4`",
        b"ipv6" | b"ip-6" | b"ip6." => "`ip6`",
        b"redirect" => "`redirect=`",
        b"exp" => "`exp=`",
        b"includes" | b"inlcude" | b"incude" | b"inclue" | b"includ" => "`include`",
        b"all." | b"al" | b"alll" => "`all`",
        b"exist" => "`exists`",
        b"mx." => "`mx`",
        b"aaaa" => "`a`",
        _ => return None,
    })
}

fn nothing(name: &'static str, rest: Range<usize>, errors: &mut Vec<SyntaxError>) -> Option<()> {
    if rest.is_empty() {
        return Some(());
    }
    errors.push(SyntaxError::new(rest, Problem::ValueNotAllowed(name)));
    None
}

/// The value after `:`.
fn value(name: &'static str, text: &[u8], rest: Range<usize>, errors: &mut Vec<SyntaxError>) -> Option<Range<usize>> {
    match text[rest.clone()].first() {
        Some(b':') => Some(rest.start + 1..rest.end),
        None => {
            errors.push(SyntaxError::new(rest, Problem::ValueMissing(name)));
            None
        }
        Some(_) => {
            errors.push(SyntaxError::new(rest, Problem::ValueNotAllowed(name)));
            None
        }
    }
}

/// `:` and a domain without prefix lengths.
fn needed_domain(
    name: &'static str,
    text: &[u8],
    rest: Range<usize>,
    errors: &mut Vec<SyntaxError>,
) -> Option<DomainSpec> {
    let value = value(name, text, rest, errors)?;
    parse_domain_spec(text, value, errors)
}

/// An optional domain and optional prefix lengths, for `a` and `mx`.
fn domain_and_prefix(
    name: &'static str,
    text: &[u8],
    rest: Range<usize>,
    errors: &mut Vec<SyntaxError>,
) -> Option<(Option<DomainSpec>, DualPrefix)> {
    let (end, prefix) = dual_prefix(text, rest.clone(), errors)?;
    let domain = rest.start..end;
    match text[domain.clone()].first() {
        None => Some((None, prefix)),
        Some(b':') => parse_domain_spec(text, domain.start + 1..domain.end, errors).map(|spec| (Some(spec), prefix)),
        Some(_) => {
            errors.push(SyntaxError::new(domain, Problem::ValueNotAllowed(name)));
            None
        }
    }
}

/// Takes the prefix lengths off the end (RFC 7208 section 5.6, `dual-cidr-length`): where they begin, and what they are.
///
/// A slash may also stand in a domain, so only slashes that digits follow up to the end belong to a prefix length.
fn dual_prefix(text: &[u8], rest: Range<usize>, errors: &mut Vec<SyntaxError>) -> Option<(usize, DualPrefix)> {
    let mut prefix = DualPrefix::default();
    let mut end = rest.end;
    if let Some(slash) = trailing_prefix(&text[rest.start..end]).map(|at| rest.start + at) {
        if slash > rest.start && text[slash - 1] == b'/' {
            prefix.ip6 = Some(prefix_length(text, slash - 1..end, slash + 1, 128, errors)?);
            end = slash - 1;
        }
        if let Some(slash) = trailing_prefix(&text[rest.start..end]).map(|at| rest.start + at) {
            prefix.ip4 = Some(prefix_length(text, slash..end, slash + 1, 32, errors)?);
            end = slash;
        }
    }
    Some((end, prefix))
}

/// Where the last slash stands, if only digits follow it and at least one does.
fn trailing_prefix(text: &[u8]) -> Option<usize> {
    let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let slash = text.len().checked_sub(digits + 1)?;
    (digits > 0 && text[slash] == b'/').then_some(slash)
}

/// Reads the digits from `digits` to the end of `range` as a prefix length.
fn prefix_length(
    text: &[u8],
    range: Range<usize>,
    digits: usize,
    most: u8,
    errors: &mut Vec<SyntaxError>,
) -> Option<Prefix> {
    let length = match &text[digits..range.end] {
        b"0" => Some(0),
        // RFC 7208 section 5.6: the grammar has no leading zero.
        [b'1'..=b'9', rest @ ..] if rest.len() < 3 && rest.iter().all(u8::is_ascii_digit) => text[digits..range.end]
            .iter()
            .try_fold(0u8, |number, digit| number.checked_mul(10)?.checked_add(digit - b'0')),
        _ => None,
    };
    match length {
        Some(length) if length <= most => Some(Prefix { length, range }),
        _ => {
            errors.push(SyntaxError::new(range, Problem::PrefixLength(most)));
            None
        }
    }
}

/// Splits `address[/prefix]`.
fn address_and_prefix(text: &[u8], value: Range<usize>) -> (Range<usize>, Option<Range<usize>>) {
    match text[value.clone()].iter().position(|byte| *byte == b'/') {
        Some(slash) => (value.start..value.start + slash, Some(value.start + slash..value.end)),
        None => (value, None),
    }
}

fn network4(text: &[u8], rest: Range<usize>, errors: &mut Vec<SyntaxError>) -> Option<Ip4Network> {
    let (address_range, prefix) = address_and_prefix(text, value("ip4", text, rest, errors)?);
    let Some(address) = parse_address::<Ipv4Addr>(&text[address_range.clone()]) else {
        let is_ip6 = parse_address::<Ipv6Addr>(&text[address_range.clone()]).is_some();
        let problem = if is_ip6 { Problem::Ip6InIp4 } else { Problem::Ip4Address };
        errors.push(SyntaxError::new(address_range, problem));
        return None;
    };
    let prefix = match prefix {
        Some(range) => Some(prefix_length(text, range.clone(), range.start + 1, 32, errors)?),
        None => None,
    };
    Some(Ip4Network { address, address_range, prefix })
}

fn network6(text: &[u8], rest: Range<usize>, errors: &mut Vec<SyntaxError>) -> Option<Ip6Network> {
    let (address_range, prefix) = address_and_prefix(text, value("ip6", text, rest, errors)?);
    let Some(address) = parse_address::<Ipv6Addr>(&text[address_range.clone()]) else {
        let is_ip4 = parse_address::<Ipv4Addr>(&text[address_range.clone()]).is_some();
        let problem = if is_ip4 { Problem::Ip4InIp6 } else { Problem::Ip6Address };
        errors.push(SyntaxError::new(address_range, problem));
        return None;
    };
    let prefix = match prefix {
        Some(range) => Some(prefix_length(text, range.clone(), range.start + 1, 128, errors)?),
        None => None,
    };
    Some(Ip6Network { address, address_range, prefix })
}

fn parse_address<A: std::str::FromStr>(text: &[u8]) -> Option<A> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::spf::NoteKind;

    /// The first error: its octets and its problem.
    fn error(text: &str) -> Option<(&str, Problem)> {
        let record = parse(text);
        record.errors.into_iter().next().map(|error| (&text[error.range], error.problem))
    }

    #[test]
    fn every_part_has_its_range() {
        let text = "v=spf1 -a:mail.example/24//64 ip4:192.0.2.0/25 ~mx include:%{d2}.x redirect=r.example x.y=z";
        let record = parse(text);
        assert_eq!(record.errors, []);
        let at = |range: &Range<usize>| &text[range.clone()];
        let terms: Vec<_> = record.terms.iter().map(|term| (at(&term.qualifier_range()), at(&term.name))).collect();
        let expected = [("-", "a"), ("", "ip4"), ("~", "mx"), ("", "include"), ("", "redirect"), ("", "x.y")];
        assert_eq!(terms, expected);
        let directives: Vec<_> = record.directives().collect();
        let Mechanism::A { domain: Some(domain), prefix } = directives[0].2 else { panic!("{directives:?}") };
        assert_eq!(at(&domain.range), "mail.example");
        assert_eq!(at(&prefix.ip4.as_ref().unwrap().range), "/24");
        assert_eq!(at(&prefix.ip6.as_ref().unwrap().range), "//64");
        let Mechanism::Ip4(network) = directives[1].2 else { panic!("{directives:?}") };
        assert_eq!(at(&network.address_range), "192.0.2.0");
        assert_eq!(at(&network.prefix.as_ref().unwrap().range), "/25");
        let Mechanism::Include(domain) = directives[3].2 else { panic!("{directives:?}") };
        assert_eq!(domain.parts.iter().map(|part| at(&part.range)).collect::<Vec<_>>(), ["%{d2}", ".x"]);
        assert_eq!(at(&record.redirect().unwrap().1.range), "r.example");
    }

    #[test]
    fn case_08_errors_after_all_are_found() {
        let text = "v=spf1 ip4:1.2.3.4 -all moo";
        assert_eq!(error(text), Some(("moo", Problem::UnknownMechanism { name: "moo".into(), meant: None })));
        assert_eq!(parse(text).terms.len(), 3);
    }

    #[test]
    fn case_23_redirect_or_exp_twice_is_an_error() {
        assert_eq!(
            error("v=spf1 redirect=a.example REDIRECT=b.example"),
            Some(("REDIRECT=b.example", Problem::Duplicate("redirect")))
        );
        assert_eq!(error("v=spf1 exp=a.x exp=b.x -all"), Some(("exp=b.x", Problem::Duplicate("exp"))));
    }

    #[test]
    fn case_24_unknown_modifiers_are_ignored() {
        let record = parse("v=spf1 foo=bar moo.cow-far_out=man:dog/cat default=+ -all");
        assert_eq!(record.errors, []);
        assert_eq!(record.directives().count(), 1);
        assert_eq!(error("v=spf1 foo=%abc"), Some(("%", Problem::StrayPercent)));
    }

    #[test]
    fn case_25_unknown_mechanism_is_an_error_with_a_hint() {
        let text = "v=spf1 ipv4:192.0.2.1 -all";
        assert_eq!(
            error(text),
            Some(("ipv4", Problem::UnknownMechanism { name: "ipv4".into(), meant: Some("`ip4`") }))
        );
        assert_eq!(
            parse(text).errors[0].to_string(),
            "`ipv4` is no mechanism (RFC 7208 section 4.6); `ip4` was probably meant"
        );
    }

    #[test]
    fn case_28_prefix_lengths_are_split_off_the_domain() {
        let cases = [
            ("a/24", None, 24, 128),
            ("a//64", None, 32, 64),
            ("mx:d.example/24//64", Some("d.example"), 24, 64),
            ("a:foo:bar/baz.example", Some("foo:bar/baz.example"), 32, 128),
            ("a:d.example/0//0", Some("d.example"), 0, 0),
            ("a:%{d/}/8", Some("%{d/}"), 8, 128),
        ];
        for (term, expected, ip4, ip6) in cases {
            let text = format!("v=spf1 {term}");
            let record = parse(&text);
            assert_eq!(record.errors, [], "{term}");
            let (_, _, mechanism) = record.directives().next().unwrap();
            let (Mechanism::A { domain, prefix } | Mechanism::Mx { domain, prefix }) = mechanism else {
                panic!("{term}")
            };
            assert_eq!(domain.as_ref().map(|domain| &text[domain.range.clone()]), expected, "{term}");
            assert_eq!((prefix.ip4_length(), prefix.ip6_length()), (ip4, ip6), "{term}");
        }
    }

    #[test]
    fn case_31_broken_networks_are_errors() {
        let cases = [
            ("ip4:192.0.2.1/33", "/33", Problem::PrefixLength(32)),
            ("ip4:192.0.2.1/032", "/032", Problem::PrefixLength(32)),
            ("ip4:192.0.2.1/", "/", Problem::PrefixLength(32)),
            ("ip4:192.0.2.1//32", "//32", Problem::PrefixLength(32)),
            ("ip4:2001:db8::1", "2001:db8::1", Problem::Ip6InIp4),
            ("ip4:192.0.2", "192.0.2", Problem::Ip4Address),
            ("ip4:192.0.2.256", "192.0.2.256", Problem::Ip4Address),
            ("ip4:192.0.2.01", "192.0.2.01", Problem::Ip4Address),
            ("ip4:192.0.2.1:8080", "192.0.2.1:8080", Problem::Ip4Address),
            ("ip4", "", Problem::ValueMissing("ip4")),
            ("ip4:", "", Problem::Ip4Address),
            ("ip6:2001:db8::/129", "/129", Problem::PrefixLength(128)),
            ("ip6:192.0.2.1", "192.0.2.1", Problem::Ip4InIp6),
            ("ip6::CAFE::BABE", ":CAFE::BABE", Problem::Ip6Address),
            ("a/33", "/33", Problem::PrefixLength(32)),
            ("a//129", "//129", Problem::PrefixLength(128)),
            ("a/24/64", "/64", Problem::PrefixLength(32)),
        ];
        for (term, octets, problem) in cases {
            assert_eq!(error(&format!("v=spf1 {term}")), Some((octets, problem)), "{term}");
        }
        for term in ["ip4:0.0.0.0/0", "ip6:::/0", "ip4:192.0.2.1/32", "ip6:::ffff:192.0.2.1/128"] {
            assert_eq!(error(&format!("v=spf1 {term}")), None, "{term}");
        }
    }

    #[test]
    fn other_errors_name_octets_and_reason() {
        let cases = [
            ("a:192.0.2.1", "192.0.2.1", Problem::AddressAsDomain),
            ("a:museum", "museum", Problem::LoneTopLabel),
            ("a:", "", Problem::DomainEmpty),
            ("a:example.com:8080", "com:8080", Problem::TopLabel),
            ("include", "", Problem::ValueMissing("include")),
            ("include/24", "/24", Problem::ValueNotAllowed("include")),
            ("ptr/0", "/0", Problem::ValueNotAllowed("ptr")),
            ("all:x", ":x", Problem::ValueNotAllowed("all")),
            ("-all.", "all.", Problem::UnknownMechanism { name: "all.".into(), meant: Some("`all`") }),
            (
                "redirect:x.y",
                "redirect",
                Problem::UnknownMechanism { name: "redirect".into(), meant: Some("`redirect=`") },
            ),
            ("?redirect=x.y", "?redirect=x.y", Problem::QualifiedModifier),
            ("1up=foo", "1up=foo", Problem::NameMissing),
            ("=all", "=all", Problem::NameMissing),
            ("-", "-", Problem::NameMissing),
            ("mx;", ";", Problem::AfterName),
            ("redirect=-all", "-all", Problem::LoneTopLabel),
            ("a:m\u{fc}nchen.example", "\u{fc}", Problem::NonAscii),
            ("a\tmx", "\t", Problem::ControlCharacter),
            ("exists:%{r}.x.y", "%{r}", Problem::MacroOnlyInExplanation('r')),
        ];
        for (term, octets, problem) in cases {
            assert_eq!(error(&format!("v=spf1 {term}")), Some((octets, problem)), "{term}");
        }
        assert_eq!(error("v=spf10 -all"), Some(("v=spf10", Problem::Version)));
    }

    #[test]
    fn notes_show_lost_spaces_and_modifiers_that_look_like_mechanisms() {
        let cases = [
            ("ip4:192.0.2.1ip4:192.0.2.2", "ip4:192.0.2.2", NoteKind::SpaceMissing),
            ("include:a.example-all", "-all", NoteKind::SpaceMissing),
            ("include:a.example~include:b.example", "~include:b.example", NoteKind::SpaceMissing),
            ("include=a.example", "include=a.example", NoteKind::MechanismAsModifier),
        ];
        for (term, octets, kind) in cases {
            let text = format!("v=spf1 {term}");
            let notes = parse(&text).notes();
            assert_eq!(notes.len(), 1, "{term} {notes:?}");
            assert_eq!((&text[notes[0].range.clone()], notes[0].kind), (octets, kind), "{term}");
        }
        assert_eq!(parse("v=spf1 -include:a.example ~all +ip4:192.0.2.1 -all").notes(), []);
    }

    mod properties {
        use proptest::prelude::*;

        use super::super::*;

        /// Octets that records are made of, so that random texts get past the first character.
        const ALPHABET: &[u8] =
            b"aamxptrincludexistsallipv4ip6redirectexp  ::==..//%%{{}}+-~?0123456789SLODIPVHrd_,;\x00\xff";

        fn near_spf() -> impl Strategy<Value = Vec<u8>> {
            proptest::collection::vec(0..ALPHABET.len(), 0..80)
                .prop_map(|picks| [&b"v=spf1 "[..], &picks.iter().map(|at| ALPHABET[*at]).collect::<Vec<_>>()].concat())
        }

        fn domain() -> impl Strategy<Value = String> {
            prop_oneof![
                "[a-z]{1,6}\\.[a-z]{2,4}\\.?",
                "%\\{[slodipvhSD][1-9]?r?[-.+,/_=]{0,2}\\}(\\.[a-z]{2,3})?",
                "[a-z:/]{1,5}%%\\.xn--a"
            ]
        }

        fn good_term() -> impl Strategy<Value = String> {
            let qualifier = prop_oneof![Just(""), Just("+"), Just("-"), Just("~"), Just("?")];
            let prefix = (proptest::option::of(0u8..=32), proptest::option::of(0u8..=128)).prop_map(|(four, six)| {
                format!(
                    "{}{}",
                    four.map(|length| format!("/{length}")).unwrap_or_default(),
                    six.map(|length| format!("//{length}")).unwrap_or_default()
                )
            });
            let mechanism = prop_oneof![
                Just("all".to_owned()),
                domain().prop_map(|domain| format!("include:{domain}")),
                domain().prop_map(|domain| format!("exists:{domain}")),
                domain().prop_map(|domain| format!("ptr:{domain}")),
                (domain(), prefix.clone()).prop_map(|(domain, prefix)| format!("a:{domain}{prefix}")),
                prefix.prop_map(|prefix| format!("mx{prefix}")),
                (any::<Ipv4Addr>(), 0u8..=32).prop_map(|(address, length)| format!("ip4:{address}/{length}")),
                (any::<Ipv6Addr>(), 0u8..=128).prop_map(|(address, length)| format!("ip6:{address}/{length}")),
            ];
            (qualifier, mechanism).prop_map(|(qualifier, mechanism)| format!("{qualifier}{mechanism}"))
        }

        fn check_ranges(text: &[u8]) {
            let record = parse(text);
            for term in &record.terms {
                assert!(term.range.start <= term.name.start && term.name.end <= term.range.end);
                assert!(term.range.end <= text.len());
            }
            for error in &record.errors {
                assert!(error.range.start <= error.range.end && error.range.end <= text.len());
                assert!(!error.to_string().is_empty());
            }
            for note in record.notes() {
                assert!(note.range.start <= note.range.end && note.range.end <= text.len());
            }
            assert_eq!(record.errors.is_empty(), record.is_valid());
            let broken = record.terms.iter().any(|term| term.kind == TermKind::Broken);
            assert!(!broken || !record.is_valid(), "a broken term comes with an error");
            let _ = (record.to_string(), crate::mail::spf::near_miss(text));
        }

        proptest! {
            #![proptest_config(ProptestConfig::with_cases(256))]

            #[test]
            fn random_octets_never_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
                check_ranges(&text);
            }

            #[test]
            fn octets_near_spf_never_panic(text in near_spf()) {
                check_ranges(&text);
            }

            #[test]
            fn good_terms_parse_and_round_trip(terms in proptest::collection::vec(good_term(), 0..8)) {
                let text = format!("v=spf1 {}", terms.join(" "));
                let record = parse(&text);
                prop_assert_eq!(&record.errors, &[]);
                prop_assert_eq!(record.terms.len(), terms.len());
                for (term, written) in record.terms.iter().zip(&terms) {
                    prop_assert_eq!(&text[term.range.clone()], written);
                }
                let canonical = record.to_string();
                let again = parse(&canonical);
                prop_assert!(again.is_valid());
                prop_assert_eq!(again.to_string(), canonical.clone());
                let summary = |record: &Record<'_>| -> Vec<_> {
                    record.directives().map(|(_, qualifier, mechanism)| (qualifier, mechanism.name())).collect()
                };
                prop_assert_eq!(summary(&again), summary(&record));
            }
        }
    }
}
