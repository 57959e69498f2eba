//! The text of a DMARC record (RFC 9989 sections 4.7 and 4.8).
//!
//! [`parse`] never fails: what cannot be used is discarded, as receivers do, and listed in [`Record::errors`] with its
//! place. What only receivers of RFC 7489 notice is listed in [`Record::notes`]. [`is_dmarc`] decides beforehand whether
//! a TXT record counts as DMARC at all, and [`near_miss`] says why one that was meant to does not.

use std::ops::Range;

use super::report::{ReportUri, report_uris};
use crate::mail::tags::{Tag, tags};

/// What receivers are asked to do with mail that fails DMARC (RFC 9989 section 4.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// Deliver as usual.
    None,
    /// Treat as suspicious.
    Quarantine,
    /// Refuse.
    Reject,
}

impl Policy {
    /// The word in the record.
    pub fn word(self) -> &'static str {
        match self {
            Policy::None => "none",
            Policy::Quarantine => "quarantine",
            Policy::Reject => "reject",
        }
    }

    /// One level less, as `t=y` asks for (RFC 9989 section 4.7).
    pub fn lower(self) -> Policy {
        match self {
            Policy::Reject => Policy::Quarantine,
            Policy::Quarantine | Policy::None => Policy::None,
        }
    }
}

/// How closely an authenticated domain must match the author's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Alignment {
    /// The same organisational domain.
    #[default]
    Relaxed,
    /// The same domain.
    Strict,
}

/// Whether the domain is a public suffix domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PublicSuffix {
    /// `psd=y`: it is.
    Yes,
    /// `psd=n`: it is not, and is the organisational domain of what lies below.
    No,
    /// `psd=u` or nothing: the tree walk decides.
    #[default]
    Undeclared,
}

/// When failure reports are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureOptions {
    /// `0`: when all mechanisms fail to give an aligned pass.
    pub all_fail: bool,
    /// `1`: when any mechanism fails to give an aligned pass.
    pub any_fails: bool,
    /// `d`: when a DKIM signature fails.
    pub dkim: bool,
    /// `s`: when SPF fails.
    pub spf: bool,
}

/// A tag that was present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<T> {
    /// Byte range from the name to the end of the value.
    pub range: Range<usize>,
    /// Byte range of the value.
    pub value_range: Range<usize>,
    /// What it says.
    pub reading: Reading<T>,
}

/// What a tag says, if that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading<T> {
    /// A value that the standard defines.
    Valid(T),
    /// Anything else, or a tag that is repeated. [`Record::errors`] says why.
    Invalid,
}

impl<T: Copy> Field<T> {
    /// The value, when it is valid.
    pub fn value(&self) -> Option<T> {
        match self.reading {
            Reading::Valid(value) => Some(value),
            Reading::Invalid => None,
        }
    }

    /// Whether the value is valid.
    pub fn is_valid(&self) -> bool {
        self.value().is_some()
    }
}

/// A list of report addresses, `rua` or `ruf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportList {
    /// Byte range from the name to the end of the value.
    pub range: Range<usize>,
    /// Byte range of the value.
    pub value_range: Range<usize>,
    /// The elements in order, with those that cannot be used.
    pub uris: Vec<ReportUri>,
    /// Whether the tag is repeated, so that the list is discarded.
    pub repeated: bool,
}

impl ReportList {
    /// Whether at least one element is a syntactically valid URI (RFC 9989 section 4.10.1).
    pub fn is_usable(&self) -> bool {
        !self.repeated && self.uris.iter().any(ReportUri::is_valid)
    }
}

/// A tag that RFC 9989 does not define.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownTag {
    /// Its name in lower case.
    pub name: String,
    /// Byte range from the name to the end of the value.
    pub range: Range<usize>,
    /// Whether RFC 7489 defined it: `pct`, `rf` and `ri` (RFC 9989 appendix C.5).
    pub obsolete: bool,
}

/// Something about the text that its owner should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A short clause, with the section that decides.
    pub reason: String,
    /// Byte range in the record text.
    pub range: Range<usize>,
}

/// The policy that follows from a record (RFC 9989 sections 4.7 and 4.10.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The record states it.
    Stated(Policy),
    /// `p` is missing or invalid, or `sp` or `np` is invalid, but a report address is valid: receivers act as if the record were `p=none`.
    TreatedAsNone,
    /// The same without a valid report address: receivers do no DMARC processing (RFC 9989 section 4.10.1), although section 4.7 would read it as `p=none`.
    NoProcessing,
}

impl Applied {
    /// The policy, when DMARC applies.
    pub fn policy(self) -> Option<Policy> {
        match self {
            Applied::Stated(policy) => Some(policy),
            Applied::TreatedAsNone => Some(Policy::None),
            Applied::NoProcessing => None,
        }
    }
}

/// A DMARC record. Fields have the names of their tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Policy for the domain.
    pub p: Option<Field<Policy>>,
    /// Policy for existing subdomains.
    pub sp: Option<Field<Policy>>,
    /// Policy for subdomains that do not exist.
    pub np: Option<Field<Policy>>,
    /// DKIM alignment.
    pub adkim: Option<Field<Alignment>>,
    /// SPF alignment.
    pub aspf: Option<Field<Alignment>>,
    /// Test mode.
    pub t: Option<Field<bool>>,
    /// Whether the domain is a public suffix domain.
    pub psd: Option<Field<PublicSuffix>>,
    /// Failure report options.
    pub fo: Option<Field<FailureOptions>>,
    /// Addresses for aggregate reports.
    pub rua: Option<ReportList>,
    /// Addresses for failure reports.
    pub ruf: Option<ReportList>,
    /// Obsolete: percentage of mail the policy is applied to.
    pub pct: Option<Field<u8>>,
    /// Obsolete: whether a failure report format (`afrf`) is asked for.
    pub rf: Option<Field<()>>,
    /// Obsolete: seconds between aggregate reports.
    pub ri: Option<Field<u32>>,
    /// Whether `p` stands directly after `v`, as RFC 7489 section 6.3 wants it.
    pub p_is_second: bool,
    /// Tags that RFC 9989 does not define, obsolete ones among them, in order.
    pub unknown: Vec<UnknownTag>,
    /// What receivers discard, in order of position.
    pub errors: Vec<Problem>,
    /// What only receivers of RFC 7489 notice, or has no effect, in order of position.
    pub notes: Vec<Problem>,
}

/// Whether a TXT record is a DMARC record: `v=DMARC1` comes first (RFC 9989 section 4.7).
pub fn is_dmarc(text: &str) -> bool {
    // RFC 9989 section 4.8: tag names ignore case, the version does not, and nothing precedes it.
    let version = |text: &str| {
        let value = text.strip_prefix(['v', 'V'])?.trim_start_matches(is_space).strip_prefix('=')?;
        let rest = value.trim_start_matches(is_space).strip_prefix("DMARC1")?.trim_start_matches(is_space);
        (rest.is_empty() || rest.starts_with(';')).then_some(())
    };
    version(text).is_some()
}

/// What a record says about public suffixes, without reading the rest of it.
pub fn declared_suffix(text: &str) -> PublicSuffix {
    let mentioned = text.as_bytes().windows(3).any(|word| word.eq_ignore_ascii_case(b"psd"));
    if mentioned { parse(text).public_suffix() } else { PublicSuffix::default() }
}

/// Why a TXT record that was meant as DMARC is none. `None` for DMARC records and for texts about something else.
pub fn near_miss(text: &str) -> Option<&'static str> {
    if is_dmarc(text) {
        return None;
    }
    let start = text.trim_start_matches(|character: char| {
        character.is_whitespace() || matches!(character, '\u{feff}' | '\u{200b}' | '"' | '\'' | '\u{201c}')
    });
    if start.len() < text.len() && (is_dmarc(start) || near_miss_of_version(start).is_some()) {
        return Some("something precedes `v=DMARC1` (RFC 9989 section 4.7)");
    }
    near_miss_of_version(text).or_else(|| near_miss_of_order(text))
}

/// Reads a record. The result says nothing useful about a text that [`is_dmarc`] refuses.
pub fn parse(text: &str) -> Record {
    let mut record = Record::default();
    let mut names = Vec::new();
    for (index, tag) in tags(text).into_iter().enumerate() {
        if index == 0 && tag.name.eq_ignore_ascii_case("v") {
            names.push("v");
            continue;
        }
        record.read(text, &tag, index, &mut names);
    }
    record.conclude(text);
    record
}

impl Record {
    /// Policy for the domain itself.
    pub fn policy(&self) -> Applied {
        let stated = self.p.as_ref().and_then(Field::value);
        match stated {
            Some(policy) if !self.has_invalid_subdomain_policy() => Applied::Stated(policy),
            // RFC 9989 section 4.10.1: no valid `p`, or an invalid `sp` or `np`, changes what the record as a whole means.
            _ if self.rua.as_ref().is_some_and(ReportList::is_usable) => Applied::TreatedAsNone,
            _ => Applied::NoProcessing,
        }
    }

    /// Policy for existing subdomains without a record of their own: `sp`, else `p` (RFC 9989 section 4.7). It counts
    /// only at an organisational domain or public suffix domain.
    pub fn subdomain_policy(&self) -> Applied {
        self.policy_by(&[&self.sp])
    }

    /// Policy for subdomains that do not exist: `np`, else `sp`, else `p` (RFC 9989 section 4.7).
    pub fn nonexistent_policy(&self) -> Applied {
        self.policy_by(&[&self.np, &self.sp])
    }

    /// The policy after test mode: one level less with `t=y` (RFC 9989 section 4.7).
    pub fn lower(&self, policy: Policy) -> Policy {
        if self.is_testing() { policy.lower() } else { policy }
    }

    /// Whether `t=y` asks for test mode. The default is `n`.
    pub fn is_testing(&self) -> bool {
        self.t.as_ref().and_then(Field::value).unwrap_or(false)
    }

    /// What the record says about being a public suffix domain. The default is `u`.
    pub fn public_suffix(&self) -> PublicSuffix {
        self.psd.as_ref().and_then(Field::value).unwrap_or_default()
    }

    /// DKIM alignment. The default is relaxed.
    pub fn dkim_alignment(&self) -> Alignment {
        self.adkim.as_ref().and_then(Field::value).unwrap_or_default()
    }

    /// SPF alignment. The default is relaxed.
    pub fn spf_alignment(&self) -> Alignment {
        self.aspf.as_ref().and_then(Field::value).unwrap_or_default()
    }

    fn policy_by(&self, choices: &[&Option<Field<Policy>>]) -> Applied {
        match self.policy() {
            Applied::Stated(own) => {
                let chosen = choices.iter().find_map(|field| field.as_ref().and_then(Field::value));
                Applied::Stated(chosen.unwrap_or(own))
            }
            other => other,
        }
    }

    fn has_invalid_subdomain_policy(&self) -> bool {
        [&self.sp, &self.np].into_iter().flatten().any(|field| !field.is_valid())
    }

    fn read(&mut self, text: &str, tag: &Tag<'_>, index: usize, names: &mut Vec<&'static str>) {
        if !tag.has_value || !is_tag_name(tag.name) {
            return self.error("this is not a tag and a value (RFC 9989 section 4.8)", tag.range());
        }
        let Some(name) = known(tag.name) else {
            let name = tag.name.to_ascii_lowercase();
            return self.unknown.push(UnknownTag { name, range: tag.range(), obsolete: false });
        };
        if names.contains(&name) {
            return self.repeat(name, tag);
        }
        names.push(name);
        self.assign(name, text, tag, index);
    }

    fn assign(&mut self, name: &'static str, text: &str, tag: &Tag<'_>, index: usize) {
        match name {
            "p" => {
                self.p_is_second = index == 1;
                self.p = Some(self.field(tag, policy, "`p` must be none, quarantine or reject (RFC 9989 section 4.7)"));
            }
            "sp" => {
                self.sp =
                    Some(self.field(tag, policy, "`sp` must be none, quarantine or reject (RFC 9989 section 4.7)"));
            }
            "np" => {
                self.np =
                    Some(self.field(tag, policy, "`np` must be none, quarantine or reject (RFC 9989 section 4.7)"));
            }
            "adkim" => self.adkim = Some(self.field(tag, alignment, "`adkim` must be r or s (RFC 9989 section 4.7)")),
            "aspf" => self.aspf = Some(self.field(tag, alignment, "`aspf` must be r or s (RFC 9989 section 4.7)")),
            "t" => self.t = Some(self.field(tag, testing, "`t` must be y or n (RFC 9989 section 4.7)")),
            "psd" => self.psd = Some(self.field(tag, public_suffix, "`psd` must be y, n or u (RFC 9989 section 4.7)")),
            "fo" => self.read_failure_options(tag),
            "rua" => self.rua = Some(self.report_list(text, tag)),
            "ruf" => self.ruf = Some(self.report_list(text, tag)),
            "pct" => self.pct = Some(self.obsolete(name, tag, percentage)),
            "rf" => self.rf = Some(self.obsolete(name, tag, report_format)),
            "ri" => self.ri = Some(self.obsolete(name, tag, number)),
            _ => self.error("`v` must come first and only once (RFC 9989 section 4.7)", tag.range()),
        }
    }

    fn field<T>(&mut self, tag: &Tag<'_>, read: impl Fn(&str) -> Option<T>, reason: &str) -> Field<T> {
        let reading = read(tag.value).map_or(Reading::Invalid, Reading::Valid);
        if matches!(reading, Reading::Invalid) {
            let range = if tag.value.is_empty() { tag.range() } else { tag.value_range.clone() };
            self.error(reason, range);
        }
        Field { range: tag.range(), value_range: tag.value_range.clone(), reading }
    }

    /// A tag of RFC 7489. Its value can be wrong only for receivers of that standard, so nothing here is an error.
    fn obsolete<T>(&mut self, name: &'static str, tag: &Tag<'_>, read: impl Fn(&str) -> Option<T>) -> Field<T> {
        let reading = read(tag.value).map_or(Reading::Invalid, Reading::Valid);
        let reason = match reading {
            Reading::Valid(_) => format!("`{name}` is obsolete and ignored (RFC 9989 appendix C.5)"),
            Reading::Invalid => format!("`{name}` is obsolete, and its value is not valid (RFC 7489 section 6.3)"),
        };
        self.note(reason, tag.range());
        self.unknown.push(UnknownTag { name: name.to_owned(), range: tag.range(), obsolete: true });
        Field { range: tag.range(), value_range: tag.value_range.clone(), reading }
    }

    fn read_failure_options(&mut self, tag: &Tag<'_>) {
        let field = self.field(tag, failure_options, "`fo` must be 0, 1, or d and s (RFC 9989 section 4.7)");
        if let Some(options) = field.value()
            && (options.all_fail || options.any_fails)
            && (options.dkim || options.spf)
        {
            self.note("`fo` mixes a number with letters (RFC 9989 section 4.7)", tag.value_range.clone());
        }
        self.fo = Some(field);
    }

    fn report_list(&mut self, text: &str, tag: &Tag<'_>) -> ReportList {
        let uris = report_uris(text, tag.value_range.clone());
        for uri in &uris {
            if let super::report::ReportTarget::Invalid { reason } = uri.target {
                let range = if uri.text.is_empty() { tag.range() } else { uri.range.clone() };
                self.error(&format!("{reason} (RFC 9989 section 4.8)"), range);
            }
            if let Some(range) = &uri.size_suffix {
                self.note("a size limit is obsolete and ignored (RFC 9989 section 4.6)", range.clone());
            }
        }
        ReportList { range: tag.range(), value_range: tag.value_range.clone(), uris, repeated: false }
    }

    /// RFC 6376 section 3.2, whose syntax DMARC uses: a tag must not be repeated. Nobody can tell which one is meant, so
    /// the tag is discarded.
    fn repeat(&mut self, name: &'static str, tag: &Tag<'_>) {
        self.error(&format!("`{name}` is repeated (RFC 6376 section 3.2)"), tag.range());
        match name {
            "p" => discard(&mut self.p),
            "sp" => discard(&mut self.sp),
            "np" => discard(&mut self.np),
            "adkim" => discard(&mut self.adkim),
            "aspf" => discard(&mut self.aspf),
            "t" => discard(&mut self.t),
            "psd" => discard(&mut self.psd),
            "fo" => discard(&mut self.fo),
            "pct" => discard(&mut self.pct),
            "rf" => discard(&mut self.rf),
            "ri" => discard(&mut self.ri),
            "rua" => self.rua.iter_mut().for_each(|list| list.repeated = true),
            "ruf" => self.ruf.iter_mut().for_each(|list| list.repeated = true),
            _ => {}
        }
    }

    /// What only the record as a whole shows.
    fn conclude(&mut self, text: &str) {
        if self.p.is_none() && self.policy() == Applied::NoProcessing {
            self.error("`p` is missing and no report address is valid: receivers ignore the record (RFC 9989 section 4.10.1), though section 4.7 reads it as p=none", 0..text.len());
        }
        if let Some(p) = self.p.as_ref().filter(|_| !self.p_is_second) {
            let range = p.range.clone();
            self.note("receivers of RFC 7489 want `p` directly after `v` (RFC 7489 section 6.3)", range);
        }
        if let Some(fo) = self.fo.as_ref().filter(|_| self.ruf.is_none()) {
            let range = fo.range.clone();
            self.note("`fo` has no effect without `ruf` (RFC 9989 section 4.7)", range);
        }
        self.errors.sort_by_key(|problem| (problem.range.start, problem.range.end));
        self.notes.sort_by_key(|problem| (problem.range.start, problem.range.end));
    }

    fn error(&mut self, reason: &str, range: Range<usize>) {
        self.errors.push(Problem { reason: reason.to_owned(), range });
    }

    fn note(&mut self, reason: impl Into<String>, range: Range<usize>) {
        self.notes.push(Problem { reason: reason.into(), range });
    }
}

fn discard<T>(field: &mut Option<Field<T>>) {
    if let Some(field) = field {
        field.reading = Reading::Invalid;
    }
}

/// Space and tab, the WSP of RFC 5234.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

/// RFC 6376 section 3.2: a letter, then letters, digits and underscores.
fn is_tag_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// RFC 9989 section 4.8: tag names ignore case.
fn known(name: &str) -> Option<&'static str> {
    const NAMES: [&str; 14] =
        ["v", "p", "sp", "np", "rua", "ruf", "adkim", "aspf", "fo", "t", "psd", "pct", "rf", "ri"];
    NAMES.into_iter().find(|known| known.eq_ignore_ascii_case(name))
}

/// RFC 9989 section 4.8: the words of the grammar ignore case.
fn policy(value: &str) -> Option<Policy> {
    [Policy::None, Policy::Quarantine, Policy::Reject]
        .into_iter()
        .find(|policy| value.eq_ignore_ascii_case(policy.word()))
}

fn alignment(value: &str) -> Option<Alignment> {
    match value {
        "r" | "R" => Some(Alignment::Relaxed),
        "s" | "S" => Some(Alignment::Strict),
        _ => None,
    }
}

fn testing(value: &str) -> Option<bool> {
    match value {
        "y" | "Y" => Some(true),
        "n" | "N" => Some(false),
        _ => None,
    }
}

fn public_suffix(value: &str) -> Option<PublicSuffix> {
    match value {
        "y" | "Y" => Some(PublicSuffix::Yes),
        "n" | "N" => Some(PublicSuffix::No),
        "u" | "U" => Some(PublicSuffix::Undeclared),
        _ => None,
    }
}

/// RFC 9989 section 4.7: `0` and `1` exclude each other. Mixed with letters they are common and harmless.
fn failure_options(value: &str) -> Option<FailureOptions> {
    let mut options = FailureOptions { all_fail: false, any_fails: false, dkim: false, spf: false };
    for option in value.split(':') {
        let flag = match option.trim_matches(is_space) {
            "0" => &mut options.all_fail,
            "1" => &mut options.any_fails,
            "d" | "D" => &mut options.dkim,
            "s" | "S" => &mut options.spf,
            _ => return None,
        };
        *flag = true;
    }
    (!(options.all_fail && options.any_fails)).then_some(options)
}

fn percentage(value: &str) -> Option<u8> {
    value.parse().ok().filter(|percent| *percent <= 100 && !value.starts_with('+'))
}

fn number(value: &str) -> Option<u32> {
    value.parse().ok().filter(|_| !value.starts_with('+'))
}

/// RFC 7489 section 6.3: a list of formats, of which only `afrf` was ever defined.
fn report_format(value: &str) -> Option<()> {
    value.split(':').any(|format| format.trim_matches(is_space).eq_ignore_ascii_case("afrf")).then_some(())
}

/// A version tag in the right place with something wrong in it, or one without its `v=`.
fn near_miss_of_version(text: &str) -> Option<&'static str> {
    let first = text.split(';').next().unwrap_or_default().trim();
    if starts_with_word(first, "DMARC1") {
        return Some("the record lacks `v=` (RFC 9989 section 4.7)");
    }
    let value = first.strip_prefix(['v', 'V'])?.trim_start();
    let Some(value) = value.strip_prefix(['=', ':']).map(str::trim_start) else {
        return starts_with_word(value, "DMARC")
            .then_some("the record lacks the `=` of `v=DMARC1` (RFC 9989 section 4.8)");
    };
    if !starts_with_word(value, "DMARC") {
        return None;
    }
    if first.len() > value.len() && first[..first.len() - value.len()].contains(':') {
        return Some("the version is written with `:` (RFC 9989 section 4.8)");
    }
    if value.eq_ignore_ascii_case("DMARC1") && !value.starts_with("DMARC1") {
        return Some("the version must be written `DMARC1` in upper case (RFC 9989 section 4.7)");
    }
    let version = value.split(|character: char| !character.is_ascii_alphanumeric()).next().unwrap_or_default();
    Some(if version.eq_ignore_ascii_case("DMARC1") {
        "`v=DMARC1` must be followed by `;` (RFC 9989 section 4.8)"
    } else {
        "the version is not `DMARC1` (RFC 9989 section 4.7)"
    })
}

/// A version tag that is not the first, or tags of DMARC without one.
fn near_miss_of_order(text: &str) -> Option<&'static str> {
    // Tags are read only for texts that can be meant as DMARC: most TXT records are about something else.
    let mut parts =
        text.split(';').filter_map(|part| part.split_once('=')).map(|(name, value)| (name.trim(), value.trim()));
    let mut policy_first = false;
    for (index, (name, value)) in parts.by_ref().enumerate() {
        if name.eq_ignore_ascii_case("v") {
            if starts_with_word(value, "DMARC1") {
                return Some("`v=DMARC1` is not the first tag (RFC 9989 section 4.7)");
            }
            return None;
        }
        policy_first |= index == 0 && name.eq_ignore_ascii_case("p") && policy(value).is_some();
    }
    policy_first.then_some("the record lacks `v=DMARC1` (RFC 9989 section 4.7)")
}

fn starts_with_word(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests;
