//! The types of a parsed SPF record: terms, mechanisms, modifiers, networks, errors and notes.
//!
//! A broken record stays a record: its readable terms are listed beside its errors. Whether it may be evaluated is a
//! question of [`Record::is_valid`] only, for any error anywhere makes the whole record a permanent error.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::macros::{DomainSpec, MacroString};

/// An SPF record as read. Ranges are byte ranges of [`Record::text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'t> {
    /// The text it was read from.
    pub text: &'t [u8],
    /// Range of the version.
    pub version: Range<usize>,
    /// Every term in order, broken ones too.
    pub terms: Vec<Term>,
    /// Every error, in order of position. Any of them makes the record a permanent error (RFC 7208 section 4.6).
    pub errors: Vec<SyntaxError>,
}

/// One directive or modifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The whole term.
    pub range: Range<usize>,
    /// The name of the mechanism or modifier. What stands before it is the qualifier.
    pub name: Range<usize>,
    /// What it is.
    pub kind: TermKind,
}

/// What a term is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TermKind {
    /// A mechanism with its qualifier.
    Directive {
        /// What a match means.
        qualifier: Qualifier,
        /// What matches.
        mechanism: Mechanism,
    },
    /// A modifier.
    Modifier(Modifier),
    /// A term with a syntax error; [`Record::errors`] says which.
    Broken,
}

/// What a match of a mechanism means (RFC 7208 section 4.6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Qualifier {
    /// `+`, also when nothing is written.
    Pass,
    /// `?`
    Neutral,
    /// `~`
    Softfail,
    /// `-`
    Fail,
}

/// A mechanism (RFC 7208 section 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mechanism {
    /// `all`
    All,
    /// `include`
    Include(DomainSpec),
    /// `a`
    A {
        /// The domain, if it is not the current one.
        domain: Option<DomainSpec>,
        /// Prefix lengths.
        prefix: DualPrefix,
    },
    /// `mx`
    Mx {
        /// The domain, if it is not the current one.
        domain: Option<DomainSpec>,
        /// Prefix lengths.
        prefix: DualPrefix,
    },
    /// `ptr`
    Ptr(Option<DomainSpec>),
    /// `ip4`
    Ip4(Ip4Network),
    /// `ip6`
    Ip6(Ip6Network),
    /// `exists`
    Exists(DomainSpec),
}

/// A modifier (RFC 7208 section 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Modifier {
    /// `redirect`
    Redirect(DomainSpec),
    /// `exp`
    Exp(DomainSpec),
    /// Any other, which is ignored.
    Unknown(MacroString),
}

/// A written prefix length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    /// Number of bits.
    pub length: u8,
    /// Range of the digits and the slashes before them.
    pub range: Range<usize>,
}

/// Prefix lengths of `a` and `mx`, one for each address family.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DualPrefix {
    /// After one slash; 32 when not written.
    pub ip4: Option<Prefix>,
    /// After two slashes; 128 when not written.
    pub ip6: Option<Prefix>,
}

impl DualPrefix {
    /// The prefix length for IPv4 (RFC 7208 section 5.6).
    pub fn ip4_length(&self) -> u8 {
        self.ip4.as_ref().map_or(32, |prefix| prefix.length)
    }

    /// The prefix length for IPv6 (RFC 7208 section 5.6).
    pub fn ip6_length(&self) -> u8 {
        self.ip6.as_ref().map_or(128, |prefix| prefix.length)
    }
}

/// The network of `ip4`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ip4Network {
    /// The address as written, host bits included.
    pub address: Ipv4Addr,
    /// Range of the address.
    pub address_range: Range<usize>,
    /// The prefix length, if one is written.
    pub prefix: Option<Prefix>,
}

impl Ip4Network {
    /// The prefix length; 32 when not written (RFC 7208 section 5.6).
    pub fn prefix_length(&self) -> u8 {
        self.prefix.as_ref().map_or(32, |prefix| prefix.length)
    }

    /// Whether the network holds the address.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        ip4_within(address, self.address, self.prefix_length())
    }
}

/// The network of `ip6`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ip6Network {
    /// The address as written, host bits included.
    pub address: Ipv6Addr,
    /// Range of the address.
    pub address_range: Range<usize>,
    /// The prefix length, if one is written.
    pub prefix: Option<Prefix>,
}

impl Ip6Network {
    /// The prefix length; 128 when not written (RFC 7208 section 5.6).
    pub fn prefix_length(&self) -> u8 {
        self.prefix.as_ref().map_or(128, |prefix| prefix.length)
    }

    /// Whether the network holds the address.
    pub fn contains(&self, address: Ipv6Addr) -> bool {
        ip6_within(address, self.address, self.prefix_length())
    }
}

/// Whether the first `length` bits of two IPv4 addresses are equal.
pub(super) fn ip4_within(address: Ipv4Addr, network: Ipv4Addr, length: u8) -> bool {
    let mask = u32::MAX.checked_shl(32 - u32::from(length.min(32))).unwrap_or(0);
    (u32::from(address) ^ u32::from(network)) & mask == 0
}

/// Whether the first `length` bits of two IPv6 addresses are equal.
pub(super) fn ip6_within(address: Ipv6Addr, network: Ipv6Addr, length: u8) -> bool {
    let mask = u128::MAX.checked_shl(128 - u32::from(length.min(128))).unwrap_or(0);
    (u128::from(address) ^ u128::from(network)) & mask == 0
}

/// A violation of the grammar and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct SyntaxError {
    /// The octets that are wrong; empty where something is missing.
    pub range: Range<usize>,
    /// What is wrong.
    pub problem: Problem,
}

impl SyntaxError {
    pub(super) fn new(range: Range<usize>, problem: Problem) -> Self {
        Self { range, problem }
    }
}

/// What can be wrong in a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text does not begin with the version.
    #[error("the text does not begin with `v=spf1` and a space (RFC 7208 section 4.5)")]
    Version,
    /// An octet outside ASCII.
    #[error("a character outside ASCII (RFC 7208 section 3.1)")]
    NonAscii,
    /// A control character, for example a tab or a line break.
    #[error("a control character; only spaces separate terms (RFC 7208 section 4.6.1)")]
    ControlCharacter,
    /// The term has no name.
    #[error("a term must begin with the name of a mechanism or modifier (RFC 7208 section 4.6.1)")]
    NameMissing,
    /// The name is followed by a character that cannot follow a name.
    #[error("a name is followed by `:`, `/`, `=` or a space only (RFC 7208 section 4.6.1)")]
    AfterName,
    /// No such mechanism.
    #[error("`{name}` is no mechanism (RFC 7208 section 4.6){}", meant.map(|meant| format!("; {meant} was probably meant")).unwrap_or_default())]
    UnknownMechanism {
        /// The name as written.
        name: String,
        /// What was probably meant.
        meant: Option<&'static str>,
    },
    /// A modifier with a qualifier, such as `?redirect=example.org`.
    #[error("a modifier has no qualifier (RFC 7208 section 4.6.1)")]
    QualifiedModifier,
    /// The mechanism needs a value after `:`.
    #[error("`{0}` needs `:` and a value (RFC 7208 section 5)")]
    ValueMissing(&'static str),
    /// The mechanism takes no value, or not after this sign.
    #[error("`{0}` does not take this (RFC 7208 section 5)")]
    ValueNotAllowed(&'static str),
    /// `ip4` with something that is no IPv4 address.
    #[error("not an IPv4 address of four numbers up to 255 (RFC 7208 section 5.6)")]
    Ip4Address,
    /// `ip4` with an IPv6 address.
    #[error("an IPv6 address belongs into `ip6` (RFC 7208 section 5.6)")]
    Ip6InIp4,
    /// `ip6` with something that is no IPv6 address.
    #[error("not an IPv6 address (RFC 7208 section 5.6)")]
    Ip6Address,
    /// `ip6` with an IPv4 address.
    #[error("an IPv4 address belongs into `ip4` (RFC 7208 section 5.6)")]
    Ip4InIp6,
    /// A prefix length that is no number, too large, or begins with a zero.
    #[error("a prefix length is a number from 0 to {0}, without leading zero (RFC 7208 section 5.6)")]
    PrefixLength(u8),
    /// A domain is missing after `:` or `=`.
    #[error("the domain is missing (RFC 7208 section 7.1)")]
    DomainEmpty,
    /// An IP address where a domain is expected.
    #[error("an address where a domain is expected; `ip4` was probably meant (RFC 7208 section 7.1)")]
    AddressAsDomain,
    /// A domain without any dot before its last label.
    #[error("a domain must hold a dot before its last label (RFC 7208 section 7.1)")]
    LoneTopLabel,
    /// A domain that ends in two dots.
    #[error("the last label of the domain is empty (RFC 7208 section 7.1)")]
    TopLabelEmpty,
    /// The last label is not one of a domain name.
    #[error("the last label holds letters, digits and inner hyphens, and is not a number (RFC 7208 section 7.1)")]
    TopLabel,
    /// A percent sign that starts no macro.
    #[error("`%` must be followed by `{{`, `%`, `_` or `-` (RFC 7208 section 7.1)")]
    StrayPercent,
    /// `%{` without `}`.
    #[error("the macro is not closed by `}}` (RFC 7208 section 7.1)")]
    MacroNotClosed,
    /// `%{}`.
    #[error("the macro has no letter (RFC 7208 section 7.1)")]
    MacroEmpty,
    /// An unknown macro letter.
    #[error("`{}` is no macro letter (RFC 7208 section 7.2)", .0.escape_default())]
    MacroLetter(char),
    /// A letter that is allowed in explanations only.
    #[error("the macro letter `{0}` is allowed in explanations only (RFC 7208 section 7.2)")]
    MacroOnlyInExplanation(char),
    /// A number of parts that is zero.
    #[error("a macro must keep at least one part (RFC 7208 section 7.3)")]
    MacroZero,
    /// Something else than digits, `r` and delimiters after the letter.
    #[error("after a macro letter stand digits, `r` and delimiters only, in this order (RFC 7208 section 7.1)")]
    MacroTransformer,
    /// `redirect` or `exp` for the second time.
    #[error("`{0}` stands twice (RFC 7208 section 6)")]
    Duplicate(&'static str),
}

/// Something that follows the grammar but hardly does what was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The octets it is about.
    pub range: Range<usize>,
    /// What it is.
    pub kind: NoteKind,
}

/// Kinds of notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteKind {
    /// A term seems to begin inside another: a space was lost, often between two character-strings.
    #[error("a space seems to be missing before this; character-strings are joined without one (RFC 7208 section 3.3)")]
    SpaceMissing,
    /// A mechanism written with `=`, which makes it an unknown modifier.
    #[error("a mechanism takes `:`; with `=` this is an unknown modifier and is ignored (RFC 7208 section 6)")]
    MechanismAsModifier,
}

impl<'t> Record<'t> {
    /// Whether the record may be evaluated.
    pub fn is_valid(&self) -> bool {
        // RFC 7208 section 4.6: a syntax error anywhere makes the whole record a permanent error.
        self.errors.is_empty()
    }

    /// The text of a range; bytes outside UTF-8 are replaced.
    pub fn written(&self, range: &Range<usize>) -> Cow<'t, str> {
        String::from_utf8_lossy(self.text.get(range.clone()).unwrap_or_default())
    }

    /// The directives, in order.
    pub fn directives(&self) -> impl Iterator<Item = (&Term, Qualifier, &Mechanism)> {
        self.terms.iter().filter_map(|term| match &term.kind {
            TermKind::Directive { qualifier, mechanism } => Some((term, *qualifier, mechanism)),
            _ => None,
        })
    }

    /// The first `all`, which is the one that is in effect.
    pub fn all(&self) -> Option<(&Term, Qualifier)> {
        self.directives()
            .find(|(_, _, mechanism)| matches!(mechanism, Mechanism::All))
            .map(|(term, qualifier, _)| (term, qualifier))
    }

    /// The `redirect`, whether or not it has an effect.
    pub fn redirect(&self) -> Option<(&Term, &DomainSpec)> {
        self.terms.iter().find_map(|term| match &term.kind {
            TermKind::Modifier(Modifier::Redirect(domain)) => Some((term, domain)),
            _ => None,
        })
    }

    /// The `exp`.
    pub fn exp(&self) -> Option<(&Term, &DomainSpec)> {
        self.terms.iter().find_map(|term| match &term.kind {
            TermKind::Modifier(Modifier::Exp(domain)) => Some((term, domain)),
            _ => None,
        })
    }

    /// What follows the grammar but hardly does what was meant; also hints at the cause of errors.
    pub fn notes(&self) -> Vec<Note> {
        let mut notes = Vec::new();
        for term in &self.terms {
            if let Some(range) = glued(self.text, &term.range) {
                notes.push(Note { range, kind: NoteKind::SpaceMissing });
            }
            let is_mechanism = [&b"include"[..], b"a", b"mx", b"ptr", b"ip4", b"ip6", b"exists", b"all"]
                .iter()
                .any(|name| self.text[term.name.clone()].eq_ignore_ascii_case(name));
            if matches!(term.kind, TermKind::Modifier(Modifier::Unknown(_))) && is_mechanism {
                notes.push(Note { range: term.range.clone(), kind: NoteKind::MechanismAsModifier });
            }
        }
        notes
    }
}

/// Where another term seems to begin inside a term.
fn glued(text: &[u8], range: &Range<usize>) -> Option<Range<usize>> {
    let term = &text[range.clone()];
    let inner = |at: usize| range.start + at..range.end;
    for at in 1..term.len() {
        let rest = &term[at..];
        let begins = |name: &[u8]| rest.len() >= name.len() && rest[..name.len()].eq_ignore_ascii_case(name);
        if [&b"include:"[..], b"exists:", b"ip4:", b"ip6:", b"redirect="].iter().any(|name| begins(name)) {
            // A qualifier before the name belongs to the term that begins here, unless it begins the outer one.
            let qualified = at > 1 && matches!(term[at - 1], b'+' | b'-' | b'~' | b'?');
            let whole = at == 1 && matches!(term[0], b'+' | b'-' | b'~' | b'?');
            if !whole {
                return Some(inner(at - usize::from(qualified)));
            }
        }
    }
    let all = term.len().checked_sub(4).filter(|at| *at > 0)?;
    let is_all = matches!(term[all], b'-' | b'~' | b'?' | b'+') && term[all + 1..].eq_ignore_ascii_case(b"all");
    is_all.then(|| inner(all))
}

impl Qualifier {
    /// The sign that stands for it; nothing for `+`, which is the default.
    pub fn sign(self) -> &'static str {
        match self {
            Qualifier::Pass => "",
            Qualifier::Neutral => "?",
            Qualifier::Softfail => "~",
            Qualifier::Fail => "-",
        }
    }

    /// The word of RFC 7208 section 4.6.2.
    pub fn as_str(self) -> &'static str {
        match self {
            Qualifier::Pass => "pass",
            Qualifier::Neutral => "neutral",
            Qualifier::Softfail => "softfail",
            Qualifier::Fail => "fail",
        }
    }
}

impl Mechanism {
    /// The name in lower case.
    pub fn name(&self) -> &'static str {
        match self {
            Mechanism::All => "all",
            Mechanism::Include(_) => "include",
            Mechanism::A { .. } => "a",
            Mechanism::Mx { .. } => "mx",
            Mechanism::Ptr(_) => "ptr",
            Mechanism::Ip4(_) => "ip4",
            Mechanism::Ip6(_) => "ip6",
            Mechanism::Exists(_) => "exists",
        }
    }

    /// Whether it causes DNS lookups (RFC 7208 section 4.6.4).
    pub fn causes_lookups(&self) -> bool {
        // RFC 7208 section 4.6.4: `all`, `ip4` and `ip6` do not count.
        !matches!(self, Mechanism::All | Mechanism::Ip4(_) | Mechanism::Ip6(_))
    }

    /// The domain it names.
    pub fn domain(&self) -> Option<&DomainSpec> {
        match self {
            Mechanism::Include(domain) | Mechanism::Exists(domain) => Some(domain),
            Mechanism::A { domain, .. } | Mechanism::Mx { domain, .. } | Mechanism::Ptr(domain) => domain.as_ref(),
            Mechanism::All | Mechanism::Ip4(_) | Mechanism::Ip6(_) => None,
        }
    }
}

/// The record in canonical form: single spaces, names in lower case, no `+`. Broken terms are written as they stand.
impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("v=spf1")?;
        for term in &self.terms {
            f.write_str(" ")?;
            term.write(self.text, f)?;
        }
        Ok(())
    }
}

impl Term {
    /// What is written before the name: empty when there is no qualifier.
    pub fn qualifier_range(&self) -> Range<usize> {
        self.range.start..self.name.start
    }

    fn write(&self, text: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TermKind::Directive { qualifier, mechanism } => {
                write!(f, "{}{}", qualifier.sign(), mechanism.name())?;
                mechanism.write_value(text, f)
            }
            TermKind::Modifier(Modifier::Redirect(domain)) => write!(f, "redirect={}", domain.written(text)),
            TermKind::Modifier(Modifier::Exp(domain)) => write!(f, "exp={}", domain.written(text)),
            TermKind::Modifier(Modifier::Unknown(_)) | TermKind::Broken => {
                f.write_str(&String::from_utf8_lossy(&text[self.range.clone()]))
            }
        }
    }
}

impl Mechanism {
    fn write_value(&self, text: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(domain) = self.domain() {
            write!(f, ":{}", domain.written(text))?;
        }
        match self {
            Mechanism::A { prefix, .. } | Mechanism::Mx { prefix, .. } => {
                write_prefix("/", prefix.ip4.as_ref(), f)?;
                write_prefix("//", prefix.ip6.as_ref(), f)
            }
            Mechanism::Ip4(network) => {
                write!(f, ":{}", network.address)?;
                write_prefix("/", network.prefix.as_ref(), f)
            }
            Mechanism::Ip6(network) => {
                write!(f, ":{}", network.address)?;
                write_prefix("/", network.prefix.as_ref(), f)
            }
            Mechanism::All | Mechanism::Include(_) | Mechanism::Ptr(_) | Mechanism::Exists(_) => Ok(()),
        }
    }
}

fn write_prefix(sign: &str, prefix: Option<&Prefix>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match prefix {
        Some(prefix) => write!(f, "{sign}{}", prefix.length),
        None => Ok(()),
    }
}
