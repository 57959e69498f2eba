//! SPF (RFC 7208): grammar, evaluation, and what can be said about a record without a message.
//!
//! - [`parse`] reads a record text into [`Record`]: every part with its byte range, broken terms kept, every error listed.
//! - [`check_host`] is the function of section 4 over a pluggable supplier of DNS data, [`SpfDns`]; each step is kept as data.
//! - [`reach`] walks `include` and `redirect` without a message and counts the worst case.
//!
//! Nothing here judges, reads files or asks a network. A name that the supplier cannot see stays unknown: it becomes
//! neither "no record" nor a temporary error.

#[cfg(test)]
mod cases;
mod dns;
mod evaluate;
mod evaluation;
#[cfg(test)]
mod fake;
mod macros;
mod parse;
mod reach;
mod record;
mod walk;

pub use dns::{Lookup, Obstacle, SpfDns, fit_name, is_queryable, query_name};
pub use evaluate::check_host;
pub use evaluation::{Evaluation, Limits, Reason, Request, SpfResult, Step, StepOutcome, Trace};
pub use macros::{DomainSpec, Expansion, Letter, MacroString, Part, PartKind};
pub use parse::parse;
pub use reach::{
    AllInEffect, Certainty, Count, Gap, GapReason, LOOKUP_CEILING, Network, Place, Reach, Reached, ReachedState, Route,
    reach,
};
pub use record::{
    DualPrefix, Ip4Network, Ip6Network, Mechanism, Modifier, Note, NoteKind, Prefix, Problem, Qualifier, Record,
    SyntaxError, Term, TermKind,
};

/// Most terms that may cause DNS lookups in one evaluation (RFC 7208 section 4.6.4).
pub const MAX_LOOKUPS: u32 = 10;

/// Most MX hosts, and most reverse names, whose addresses are looked up (RFC 7208 section 4.6.4).
pub const MAX_NAMES: usize = 10;

/// Number of octets of `v=spf1`.
const VERSION_LENGTH: usize = 6;

/// Whether a TXT value is an SPF record: it begins with `v=spf1`, followed by a space or the end.
pub fn is_spf_version(text: &[u8]) -> bool {
    // RFC 7208 section 4.5: the version is matched without regard to case and ends at a space or the end of the record.
    text.get(..VERSION_LENGTH).is_some_and(|version| version.eq_ignore_ascii_case(b"v=spf1"))
        && matches!(text.get(VERSION_LENGTH), None | Some(b' '))
}

/// Which of the TXT values at one name is the SPF record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// None of them.
    Nothing,
    /// The value at this index.
    One(usize),
    /// So many, which is a permanent error; `first` is the index of the first.
    Several {
        /// Index of the first record.
        first: usize,
        /// How many there are.
        count: usize,
    },
}

/// Selects the SPF record among the TXT values of one name (RFC 7208 section 4.5).
pub fn select<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> Selection {
    let mut selection = Selection::Nothing;
    for (index, text) in texts.into_iter().enumerate() {
        if is_spf_version(text.as_ref()) {
            selection = match selection {
                Selection::Nothing => Selection::One(index),
                Selection::One(first) => Selection::Several { first, count: 2 },
                Selection::Several { first, count } => Selection::Several { first, count: count + 1 },
            };
        }
    }
    selection
}

/// Why a TXT value that looks like SPF is not an SPF record (RFC 7208 section 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NearMiss {
    /// White space stands before the version.
    #[error("white space stands before `v=spf1`")]
    LeadingSpace,
    /// A byte order mark stands before the version.
    #[error("a byte order mark stands before `v=spf1`")]
    ByteOrderMark,
    /// A quotation mark stands before the version.
    #[error("a quotation mark is part of the text and stands before `v=spf1`")]
    Quoted,
    /// Something else stands before the version.
    #[error("other text stands before `v=spf1`")]
    PrecededByText,
    /// The version is not followed by a space.
    #[error("`v=spf1` is not followed by a space")]
    VersionNotEnded,
    /// The version has another number.
    #[error("the version is not `v=spf1`")]
    OtherVersion,
    /// The version is written with spaces, or with another sign than `=`.
    #[error("the version is not written `v=spf1`")]
    MisspeltVersion,
    /// The text begins with `spf1`, without `v=`.
    #[error("`v=` is missing before `spf1`")]
    NoVersionTag,
}

/// How far into a text a displaced `v=spf1` is looked for.
const NEAR_MISS_WINDOW: usize = 64;

/// Says why a TXT value that looks like an SPF record is none; `None` when it is one, or when it does not look like one.
pub fn near_miss(text: &[u8]) -> Option<NearMiss> {
    if is_spf_version(text) {
        return None;
    }
    let start = &text[..text.len().min(NEAR_MISS_WINDOW)];
    let (displaced, rest) = strip_junk(start);
    let lower = rest.to_ascii_lowercase();
    if let Some(after) = lower.strip_prefix(b"v=spf1") {
        return match (displaced, after.first()) {
            (Some(displaced), None | Some(b' ')) => Some(displaced),
            (_, Some(b'0'..=b'9')) => Some(NearMiss::OtherVersion),
            _ => Some(NearMiss::VersionNotEnded),
        };
    }
    if lower.starts_with(b"v=spf") {
        // The same letters without a version of their own, such as `v=spf2`, `v=spf`, `v=spfl`, `v=spf 1`.
        return Some(if lower.get(5) == Some(&b' ') { NearMiss::MisspeltVersion } else { NearMiss::OtherVersion });
    }
    if lower.strip_prefix(b"spf1").or_else(|| lower.strip_prefix(b"=spf1")).is_some_and(ends_word) {
        return Some(NearMiss::NoVersionTag);
    }
    let squeezed: Vec<u8> = lower.iter().copied().filter(|byte| *byte != b' ').collect();
    if [&b"v=spf1"[..], b"v:spf1", b"vspf1", b"v-spf1", b"v=sfp1", b"v=psf1"]
        .iter()
        .any(|form| squeezed.starts_with(form))
    {
        return Some(NearMiss::MisspeltVersion);
    }
    lower.windows(7).any(|window| window == b"v=spf1 ").then_some(NearMiss::PrecededByText)
}

/// Removes white space, byte order mark and quotation marks from the start, and names the first kind that was removed.
fn strip_junk(mut text: &[u8]) -> (Option<NearMiss>, &[u8]) {
    let mut first = None;
    loop {
        let (kind, rest) = match text {
            [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] => (NearMiss::LeadingSpace, rest),
            // A no-break space in UTF-8.
            [0xc2, 0xa0, rest @ ..] => (NearMiss::LeadingSpace, rest),
            [0xef, 0xbb, 0xbf, rest @ ..] => (NearMiss::ByteOrderMark, rest),
            [b'"' | b'\'' | b'`' | b'\\', rest @ ..] => (NearMiss::Quoted, rest),
            // Typographic quotation marks in UTF-8.
            [0xe2, 0x80, 0x98..=0x9f, rest @ ..] => (NearMiss::Quoted, rest),
            _ => return (first, text),
        };
        first = first.or(Some(kind));
        text = rest;
    }
}

/// Whether nothing of a word follows.
fn ends_word(rest: &[u8]) -> bool {
    !rest.first().is_some_and(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_02_split_that_loses_a_space_is_explained() {
        let joined = [&b"v=spf1 include:a.example"[..], b"include:b.example -all"].concat();
        let record = parse(&joined);
        assert!(record.is_valid(), "the glued term follows the grammar");
        assert_eq!(record.terms.len(), 2);
        let notes = record.notes();
        assert_eq!(notes.len(), 1);
        assert_eq!(notes[0].kind, NoteKind::SpaceMissing);
        assert_eq!(&joined[notes[0].range.clone()], b"include:b.example");
    }

    #[test]
    fn case_03_two_records_are_never_first_wins() {
        let texts: [&[u8]; 3] = [b"v=spf1 -all", b"other", b"V=SPF1 +all"];
        assert_eq!(select(texts), Selection::Several { first: 0, count: 2 });
        assert_eq!(select(&texts[1..]), Selection::One(1));
        assert_eq!(select(&texts[1..2]), Selection::Nothing);
    }

    #[test]
    fn case_04_version_must_end_with_space() {
        for text in ["v=spf10", "v=spf1;", "v=spf1\t-all", "v=spf1-all"] {
            assert!(!is_spf_version(text.as_bytes()), "{text}");
            assert!(near_miss(text.as_bytes()).is_some(), "{text}");
        }
        assert!(is_spf_version(b"v=spf1"));
        assert!(is_spf_version(b"v=spf1 -all"));
    }

    #[test]
    fn case_05_leading_space_or_byte_order_mark_is_no_record() {
        assert!(!is_spf_version(b" v=spf1 -all"));
        assert!(!is_spf_version(b"\xef\xbb\xbfv=spf1 -all"));
        assert_eq!(near_miss(b" v=spf1 -all"), Some(NearMiss::LeadingSpace));
        assert_eq!(near_miss(b"\xef\xbb\xbfv=spf1 -all"), Some(NearMiss::ByteOrderMark));
    }

    #[test]
    fn near_misses_are_told_from_other_texts() {
        use NearMiss::*;
        let cases: &[(&str, Option<NearMiss>)] = &[
            ("v=spf1 -all", None),
            ("V=SPF1", None),
            ("", None),
            ("v=DMARC1; p=none", None),
            ("google-site-verification=abc", None),
            ("spf2.0/pra -all", None),
            ("\"v=spf1 -all\"", Some(Quoted)),
            ("v=spf1;", Some(VersionNotEnded)),
            ("v=spf1include:a.example -all", Some(VersionNotEnded)),
            ("v=spf10", Some(OtherVersion)),
            ("v=spf2 -all", Some(OtherVersion)),
            ("v=spf -all", Some(MisspeltVersion)),
            ("v=spfl -all", Some(OtherVersion)),
            ("v = spf1 -all", Some(MisspeltVersion)),
            ("v:spf1 -all", Some(MisspeltVersion)),
            ("spf1 -all", Some(NoVersionTag)),
            ("SPF: v=spf1 -all", Some(PrecededByText)),
        ];
        for (text, expected) in cases {
            assert_eq!(near_miss(text.as_bytes()), *expected, "{text}");
        }
    }

    #[test]
    fn case_06_version_and_names_ignore_case() {
        let text = b"V=SPF1 MX A:Example.ORG Include:x.example -ALL";
        assert!(is_spf_version(text));
        let record = parse(text);
        assert_eq!(record.errors, []);
        assert_eq!(record.to_string(), "v=spf1 mx a:Example.ORG include:x.example -all");
    }
}
