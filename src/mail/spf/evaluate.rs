//! `check_host()` (RFC 7208 section 4): the result for one client and sender, with every step kept as data.
//!
//! A name that the supplier cannot see ends the evaluation with [`SpfResult::Unknown`], for a receiver would see it and
//! could come to any result. It is never folded into `temperror`, which is what a receiver itself would say.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use super::evaluation::{Evaluation, Limits, Reason, Request, SpfResult, Step, StepOutcome, Trace};
use super::macros::{Context, Letter, MacroString, TooLong, parse_macro_string};
use super::record::{DualPrefix, Mechanism, Record, Term, ip4_within, ip6_within};
use super::{Lookup, MAX_LOOKUPS, MAX_NAMES, Obstacle, Selection, SpfDns, fit_name, is_queryable, parse, select};
use crate::mail::Name;

/// Evaluates a request (RFC 7208 section 4).
pub fn check_host(request: &Request<'_>, limits: Limits, dns: &dyn SpfDns) -> Evaluation {
    // RFC 7208 section 2.4: the null sender stands for postmaster at the HELO name.
    let (local_part, domain) = match request.mail_from.rsplit_once('@') {
        Some((local_part, domain)) => (local_part, domain),
        None if request.mail_from.is_empty() => ("", request.helo),
        None => ("", request.mail_from),
    };
    // RFC 7208 section 4.3: a sender without local-part gets `postmaster`.
    let local_part = if local_part.is_empty() { "postmaster" } else { local_part };
    let domain = initial_domain(domain);
    let mut check = Check {
        // RFC 7208 section 5: an IPv4-mapped IPv6 address is an IPv4 address.
        ip: request.ip.to_canonical(),
        sender: format!("{local_part}@{domain}"),
        local_part,
        sender_domain: &domain,
        request,
        limits,
        dns,
        lookups: 0,
        void_lookups: 0,
        validated: None,
    };
    let ended = if is_initial_domain(&domain) {
        check.record(&domain, true)
    } else {
        Ended::without_record(&domain, SpfResult::None, Reason::Domain(domain.to_string()))
    };
    Evaluation {
        result: ended.trace.result,
        reason: ended.trace.reason.clone(),
        explanation: ended.explanation,
        lookups: check.lookups,
        void_lookups: check.void_lookups,
        trace: ended.trace,
    }
}

/// The domain without final dot, internationalised labels as A-labels (RFC 7208 section 4.3).
fn initial_domain(domain: &str) -> Cow<'_, str> {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    if domain.is_ascii() {
        return Cow::Borrowed(domain);
    }
    Name::parse(domain).map_or(Cow::Borrowed(domain), |name| Cow::Owned(name.as_str().to_owned()))
}

/// Whether a domain can hold a record: several labels, each of a legal length, no address literal.
fn is_initial_domain(domain: &str) -> bool {
    // RFC 7208 section 4.3: malformed and single-label domains are `none`.
    domain.is_ascii() && is_queryable(domain) && domain.contains('.') && !domain.starts_with('[')
}

/// What ends an evaluation before a match.
struct Stop(SpfResult, Reason);

impl Stop {
    fn permanent(reason: Reason) -> Self {
        Stop(SpfResult::PermError, reason)
    }

    fn not_seen(name: &str, obstacle: Obstacle) -> Self {
        Stop(SpfResult::Unknown, Reason::NotSeen { name: name.to_owned(), obstacle })
    }
}

/// Why a macro string was not expanded.
enum ExpandStop {
    TooLong,
    Stop(Stop),
}

impl From<TooLong> for ExpandStop {
    fn from(_: TooLong) -> Self {
        ExpandStop::TooLong
    }
}

/// The end of the evaluation of one record.
struct Ended {
    trace: Trace,
    explanation: Option<String>,
}

impl Ended {
    fn without_record(domain: &str, result: SpfResult, reason: Reason) -> Self {
        let trace = Trace { domain: domain.to_owned(), record: None, steps: Vec::new(), result, reason: Some(reason) };
        Ended { trace, explanation: None }
    }
}

/// The validated reverse names of the client (RFC 7208 section 5.5).
#[derive(Default)]
struct Validated {
    names: Vec<String>,
    /// The reverse name does not exist.
    void: bool,
    /// A name that this run does not collect and that might be validated too.
    unseen: Option<(String, Obstacle)>,
}

/// What one lookup of addresses found.
enum Addresses {
    Match,
    NoMatch,
    Void,
    TempError(Obstacle),
    Unknown(Obstacle),
}

struct Check<'a> {
    ip: IpAddr,
    request: &'a Request<'a>,
    sender: String,
    local_part: &'a str,
    sender_domain: &'a str,
    limits: Limits,
    dns: &'a dyn SpfDns,
    lookups: u32,
    void_lookups: u32,
    validated: Option<Validated>,
}

impl Check<'_> {
    /// Evaluates the record of a domain. The depth is bounded by the number of lookups.
    fn record(&mut self, domain: &str, outermost: bool) -> Ended {
        let text = match self.select(domain, outermost) {
            Ok(text) => text,
            Err(Stop(result, reason)) => return Ended::without_record(domain, result, reason),
        };
        let record = parse(&text);
        let mut trace = Trace {
            domain: domain.to_owned(),
            record: Some(String::from_utf8_lossy(&text).into_owned()),
            steps: Vec::new(),
            result: SpfResult::PermError,
            reason: None,
        };
        // RFC 7208 section 4.6: a syntax error anywhere is a permanent error, before anything is evaluated.
        if let Some(error) = record.errors.first() {
            trace.reason = Some(Reason::Syntax { domain: domain.to_owned(), error: error.clone() });
            return Ended { trace, explanation: None };
        }
        for (term, qualifier, mechanism) in record.directives() {
            match self.step(&record, term, mechanism, domain, &mut trace) {
                StepOutcome::Match => {
                    trace.result = qualifier.into();
                    let explain = outermost && trace.result == SpfResult::Fail;
                    let explanation = if explain { self.explanation(&record, domain) } else { None };
                    return Ended { trace, explanation };
                }
                StepOutcome::NoMatch | StepOutcome::Followed => {}
                StepOutcome::Ended(result, reason) => {
                    trace.result = result;
                    trace.reason = Some(reason);
                    return Ended { trace, explanation: None };
                }
            }
        }
        self.after_directives(&record, domain, outermost, trace)
    }

    /// Nothing matched: `redirect`, or `neutral` (RFC 7208 sections 4.7 and 6.1).
    fn after_directives(&mut self, record: &Record<'_>, domain: &str, outermost: bool, mut trace: Trace) -> Ended {
        let Some((term, spec)) = record.redirect() else {
            // RFC 7208 section 4.7: the default is `neutral`.
            trace.result = SpfResult::Neutral;
            return Ended { trace, explanation: None };
        };
        let (target, followed) = match self.spend_lookup().and_then(|()| self.target(record, Some(spec), domain)) {
            Ok(Ok(target)) => {
                // RFC 7208 section 6.1: the explanation is that of the target, hence `outermost` is handed on.
                let ended = self.record(&target, outermost);
                (Some(target), Ok(ended))
            }
            // RFC 7208 section 6.1: a malformed target is a permanent error.
            Ok(Err(malformed)) => (None, Err(Stop::permanent(Reason::RedirectWithoutRecord(malformed)))),
            Err(stop) => (None, Err(stop)),
        };
        let (outcome, inner, explanation) = match followed {
            Ok(mut ended) => {
                (trace.result, trace.reason) = (ended.trace.result, ended.trace.reason.clone());
                // RFC 7208 section 6.1: no record at the target is a permanent error.
                if ended.trace.result == SpfResult::None {
                    trace.result = SpfResult::PermError;
                    trace.reason = Some(Reason::RedirectWithoutRecord(ended.trace.domain.clone()));
                    ended.explanation = None;
                }
                (StepOutcome::Followed, Some(Box::new(ended.trace)), ended.explanation)
            }
            Err(Stop(result, reason)) => {
                (trace.result, trace.reason) = (result, Some(reason.clone()));
                (StepOutcome::Ended(result, reason), None, None)
            }
        };
        let step = self.describe(record, term, target, outcome, inner);
        trace.steps.push(step);
        Ended { trace, explanation }
    }

    /// Evaluates a directive, appends the step, and returns its outcome.
    fn step(
        &mut self,
        record: &Record<'_>,
        term: &Term,
        mechanism: &Mechanism,
        domain: &str,
        trace: &mut Trace,
    ) -> StepOutcome {
        let (mut target, mut inner) = (None, None);
        let outcome = match self.matches(record, mechanism, domain, &mut target, &mut inner) {
            Ok(true) => StepOutcome::Match,
            Ok(false) => StepOutcome::NoMatch,
            Err(Stop(result, reason)) => StepOutcome::Ended(result, reason),
        };
        trace.steps.push(self.describe(record, term, target, outcome.clone(), inner));
        outcome
    }

    fn describe(
        &self,
        record: &Record<'_>,
        term: &Term,
        target: Option<String>,
        outcome: StepOutcome,
        inner: Option<Box<Trace>>,
    ) -> Step {
        Step {
            term: record.written(&term.range).into_owned(),
            range: term.range.clone(),
            target,
            lookups: self.lookups,
            void_lookups: self.void_lookups,
            outcome,
            inner,
        }
    }

    /// Whether a mechanism matches (RFC 7208 section 5).
    fn matches(
        &mut self,
        record: &Record<'_>,
        mechanism: &Mechanism,
        domain: &str,
        target_out: &mut Option<String>,
        inner: &mut Option<Box<Trace>>,
    ) -> Result<bool, Stop> {
        match (mechanism, self.ip) {
            (Mechanism::All, _) => return Ok(true),
            (Mechanism::Ip4(network), IpAddr::V4(ip)) => return Ok(network.contains(ip)),
            (Mechanism::Ip6(network), IpAddr::V6(ip)) => return Ok(network.contains(ip)),
            (Mechanism::Ip4(_) | Mechanism::Ip6(_), _) => return Ok(false),
            _ => {}
        }
        self.spend_lookup()?;
        let target = match self.target(record, mechanism.domain(), domain)? {
            Ok(target) => target_out.insert(target).clone(),
            // RFC 7208 section 4.8: a name that cannot be queried does not match; an include of it finds no record.
            Err(malformed) if matches!(mechanism, Mechanism::Include(_)) => {
                return Err(Stop::permanent(Reason::IncludeWithoutRecord(malformed)));
            }
            Err(_) => return Ok(false),
        };
        match mechanism {
            Mechanism::Include(_) => self.include(&target, inner),
            Mechanism::A { prefix, .. } => match self.addresses(&target, prefix) {
                Addresses::Match => Ok(true),
                Addresses::NoMatch => Ok(false),
                Addresses::Void => self.spend_void(),
                Addresses::TempError(obstacle) => Err(temporary(&target, obstacle)),
                Addresses::Unknown(obstacle) => Err(Stop::not_seen(&target, obstacle)),
            },
            Mechanism::Mx { prefix, .. } => self.mx(&target, prefix),
            Mechanism::Ptr(_) => self.ptr(&target),
            // RFC 7208 section 5.7: the lookup is of type A, whatever the client's family.
            Mechanism::Exists(_) => match self.dns.a(&target) {
                Lookup::Found(_) => Ok(true),
                Lookup::NoData | Lookup::NxDomain => self.spend_void(),
                Lookup::TempError(obstacle) => Err(temporary(&target, obstacle)),
                Lookup::Unknown(obstacle) => Err(Stop::not_seen(&target, obstacle)),
            },
            Mechanism::All | Mechanism::Ip4(_) | Mechanism::Ip6(_) => Ok(false),
        }
    }

    /// The table of RFC 7208 section 5.2.
    fn include(&mut self, target: &str, inner: &mut Option<Box<Trace>>) -> Result<bool, Stop> {
        let trace = inner.insert(Box::new(self.record(target, false).trace));
        let without_record = || Reason::IncludeWithoutRecord(target.to_owned());
        match trace.result {
            SpfResult::Pass => Ok(true),
            SpfResult::Fail | SpfResult::Softfail | SpfResult::Neutral => Ok(false),
            SpfResult::None => Err(Stop::permanent(without_record())),
            result @ (SpfResult::TempError | SpfResult::PermError | SpfResult::Unknown) => {
                Err(Stop(result, trace.reason.clone().unwrap_or_else(without_record)))
            }
        }
    }

    /// RFC 7208 section 5.4. There is no fall-back to the addresses of the domain itself.
    fn mx(&mut self, target: &str, prefix: &DualPrefix) -> Result<bool, Stop> {
        let hosts = match self.dns.mx(target) {
            Lookup::Found(hosts) => hosts,
            Lookup::NoData | Lookup::NxDomain => return self.spend_void(),
            Lookup::TempError(obstacle) => return Err(temporary(target, obstacle)),
            Lookup::Unknown(obstacle) => return Err(Stop::not_seen(target, obstacle)),
        };
        // RFC 7208 section 4.6.4: more than ten hosts are a permanent error.
        if hosts.len() > MAX_NAMES {
            return Err(Stop::permanent(Reason::MxLimit(target.to_owned())));
        }
        let mut unseen = None;
        for host in &hosts {
            let host = fit_name(host);
            // RFC 7505 section 3: the null MX has no addresses.
            if !is_queryable(host) {
                continue;
            }
            match self.addresses(host, prefix) {
                Addresses::Match => return Ok(true),
                // RFC 7208 section 4.6.4 counts terms: the one question of this term was answered.
                Addresses::NoMatch | Addresses::Void => {}
                Addresses::TempError(obstacle) => return Err(temporary(host, obstacle)),
                Addresses::Unknown(obstacle) => unseen = unseen.or(Some((host.to_owned(), obstacle))),
            }
        }
        match unseen {
            Some((name, obstacle)) => Err(Stop::not_seen(&name, obstacle)),
            None => Ok(false),
        }
    }

    /// RFC 7208 section 5.5.
    fn ptr(&mut self, target: &str) -> Result<bool, Stop> {
        let validated = self.validated();
        if validated.names.iter().any(|name| is_within(name, target)) {
            return Ok(true);
        }
        if let Some((name, obstacle)) = validated.unseen.clone() {
            return Err(Stop::not_seen(&name, obstacle));
        }
        if validated.void { self.spend_void() } else { Ok(false) }
    }

    /// Looks up the addresses of a name in the client's family and compares them (RFC 7208 section 5.3).
    fn addresses(&self, name: &str, prefix: &DualPrefix) -> Addresses {
        match self.ip {
            IpAddr::V4(ip) => compare(
                self.dns.a(name),
                |address| ip4_within(ip, *address, prefix.ip4_length()),
                || has_no_records(&self.dns.aaaa(name)),
            ),
            IpAddr::V6(ip) => compare(
                self.dns.aaaa(name),
                |address| ip6_within(ip, *address, prefix.ip6_length()),
                || has_no_records(&self.dns.a(name)),
            ),
        }
    }

    /// The reverse names of the client that lead back to it, looked up once for an evaluation.
    fn validated(&mut self) -> &Validated {
        if self.validated.is_none() {
            self.validated = Some(self.validate());
        }
        self.validated.get_or_insert_default()
    }

    fn validate(&self) -> Validated {
        let reverse = reverse_name(self.ip);
        let names = match self.dns.ptr(&reverse) {
            Lookup::Found(names) => names,
            Lookup::NoData | Lookup::NxDomain => return Validated { void: true, ..Validated::default() },
            // RFC 7208 section 5.5: with a DNS error the mechanism does not match.
            Lookup::TempError(_) => return Validated::default(),
            Lookup::Unknown(obstacle) => {
                return Validated { unseen: Some((reverse, obstacle)), ..Validated::default() };
            }
        };
        let mut validated = Validated::default();
        let exact = DualPrefix::default();
        // RFC 7208 section 4.6.4: names beyond the first ten are ignored.
        for name in names.iter().take(MAX_NAMES) {
            let name = fit_name(name);
            if !is_queryable(name) {
                continue;
            }
            match self.addresses(name, &exact) {
                Addresses::Match => validated.names.push(name.to_owned()),
                // RFC 7208 section 5.5: with a DNS error the name is skipped.
                Addresses::NoMatch | Addresses::Void | Addresses::TempError(_) => {}
                Addresses::Unknown(obstacle) => {
                    validated.unseen = validated.unseen.or(Some((name.to_owned(), obstacle)));
                }
            }
        }
        validated
    }

    /// Reads the record of a domain (RFC 7208 sections 4.4 and 4.5).
    fn select(&mut self, domain: &str, outermost: bool) -> Result<Vec<u8>, Stop> {
        let none = || Stop(SpfResult::None, Reason::NoRecord(domain.to_owned()));
        let mut texts = match self.dns.txt(domain) {
            Lookup::Found(texts) => texts,
            Lookup::NoData | Lookup::NxDomain => {
                // RFC 7208 section 4.6.4: only lookups of terms count, not that of the initial domain.
                self.void_lookups += u32::from(!outermost || self.lookups > 0);
                return Err(none());
            }
            Lookup::TempError(obstacle) => return Err(temporary(domain, obstacle)),
            Lookup::Unknown(obstacle) => return Err(Stop::not_seen(domain, obstacle)),
        };
        match select(&texts) {
            Selection::Nothing => Err(none()),
            Selection::One(index) => Ok(texts.swap_remove(index)),
            Selection::Several { count, .. } => Err(Stop::permanent(Reason::SeveralRecords(domain.to_owned(), count))),
        }
    }

    /// Counts a term that causes lookups.
    fn spend_lookup(&mut self) -> Result<(), Stop> {
        self.lookups += 1;
        // RFC 7208 section 4.6.4: the eleventh is a permanent error.
        if self.lookups > MAX_LOOKUPS { Err(Stop::permanent(Reason::LookupLimit)) } else { Ok(()) }
    }

    /// Counts a term whose lookup found nothing, which therefore does not match.
    fn spend_void(&mut self) -> Result<bool, Stop> {
        self.void_lookups += 1;
        let most = self.limits.void_lookups;
        if self.void_lookups > most { Err(Stop::permanent(Reason::VoidLimit(most))) } else { Ok(false) }
    }

    /// The name that a term is about; `Err` inside for one that cannot be queried.
    fn target(
        &mut self,
        record: &Record<'_>,
        spec: Option<&MacroString>,
        domain: &str,
    ) -> Result<Result<String, String>, Stop> {
        let Some(spec) = spec else { return Ok(Ok(domain.to_owned())) };
        let expanded = match spec.expand(record.text, |letter| self.value(letter, domain)) {
            Ok(expanded) => expanded,
            Err(ExpandStop::TooLong) => return Ok(Err(spec.written(record.text).into_owned())),
            Err(ExpandStop::Stop(stop)) => return Err(stop),
        };
        let name = fit_name(&expanded);
        Ok(if is_queryable(name) { Ok(name.to_owned()) } else { Err(name.to_owned()) })
    }

    /// The value of a macro letter (RFC 7208 section 7.2).
    fn value(&mut self, letter: Letter, domain: &str) -> Result<Cow<'static, str>, ExpandStop> {
        let value = match letter {
            Letter::Sender => self.sender.clone(),
            Letter::LocalPart => self.local_part.to_owned(),
            Letter::SenderDomain => self.sender_domain.to_owned(),
            Letter::Domain => domain.to_owned(),
            Letter::Address => dotted_address(self.ip),
            Letter::ValidatedName => return self.validated_name(domain).map(Cow::Owned).map_err(ExpandStop::Stop),
            Letter::Version => return Ok(Cow::Borrowed(if self.ip.is_ipv4() { "in-addr" } else { "ip6" })),
            Letter::Helo => self.request.helo.to_owned(),
            Letter::ReadableAddress => self.ip.to_string(),
            // RFC 7208 section 7.3: without a name of the receiver this is `unknown`.
            Letter::Receiver if self.request.receiver.is_empty() => return Ok(Cow::Borrowed("unknown")),
            Letter::Receiver => self.request.receiver.to_owned(),
            Letter::Timestamp => self.request.time.to_string(),
        };
        Ok(Cow::Owned(value))
    }

    /// `%{p}`: the domain itself, else a name below it, else any, else `unknown` (RFC 7208 section 7.3).
    fn validated_name(&mut self, domain: &str) -> Result<String, Stop> {
        let validated = self.validated();
        if let Some(name) = validated.names.iter().find(|name| name.eq_ignore_ascii_case(domain)) {
            return Ok(name.clone());
        }
        if let Some((name, obstacle)) = validated.unseen.clone() {
            return Err(Stop::not_seen(&name, obstacle));
        }
        let below = validated.names.iter().find(|name| is_within(name, domain));
        Ok(below.or(validated.names.first()).map_or_else(|| "unknown".to_owned(), String::clone))
    }

    /// The explanation (RFC 7208 section 6.2); whatever goes wrong, there is none.
    fn explanation(&mut self, record: &Record<'_>, domain: &str) -> Option<String> {
        let (_, spec) = record.exp()?;
        let name = self.target(record, Some(spec), domain).ok()?.ok()?;
        let Lookup::Found(texts) = self.dns.txt(&name) else { return None };
        // RFC 7208 section 6.2: with several records there is no explanation.
        let [text] = texts.as_slice() else { return None };
        let mut errors = Vec::new();
        let parsed = parse_macro_string(text, 0..text.len(), Context::Explanation, &mut errors)?;
        parsed.expand(text, |letter| self.value(letter, domain)).ok()
    }
}

fn temporary(name: &str, obstacle: Obstacle) -> Stop {
    // RFC 7208 section 5: a DNS error while evaluating a mechanism is a temporary error.
    Stop(SpfResult::TempError, Reason::Dns { name: name.to_owned(), obstacle })
}

/// Compares found addresses. A name without records in one family is void only if the other family has none either.
fn compare<T>(lookup: Lookup<Vec<T>>, matches: impl Fn(&T) -> bool, other_is_empty: impl Fn() -> bool) -> Addresses {
    match lookup {
        Lookup::Found(addresses) if addresses.iter().any(matches) => Addresses::Match,
        Lookup::Found(_) => Addresses::NoMatch,
        Lookup::NxDomain => Addresses::Void,
        Lookup::NoData if other_is_empty() => Addresses::Void,
        Lookup::NoData => Addresses::NoMatch,
        Lookup::TempError(obstacle) => Addresses::TempError(obstacle),
        Lookup::Unknown(obstacle) => Addresses::Unknown(obstacle),
    }
}

fn has_no_records<T>(lookup: &Lookup<T>) -> bool {
    matches!(lookup, Lookup::NoData | Lookup::NxDomain)
}

/// Whether `name` is `domain` or lies below it; case and final dots do not matter.
fn is_within(name: &str, domain: &str) -> bool {
    let Some(start) = name.len().checked_sub(domain.len()) else { return false };
    name.is_char_boundary(start)
        && name[start..].eq_ignore_ascii_case(domain)
        && (start == 0 || name[..start].ends_with('.'))
}

/// `%{i}`: dotted quad, or the nibbles of an IPv6 address separated by dots (RFC 7208 section 7.3).
fn dotted_address(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let digits = format!("{:032X}", u128::from(ip));
            let mut out = String::with_capacity(63);
            for digit in digits.chars() {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push(digit);
            }
            out
        }
    }
}

/// The name at which reverse names of an address stand (RFC 1035 section 3.5, RFC 3596 section 2.5).
fn reverse_name(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{}.in-addr.arpa", Ipv4Addr::new(d, c, b, a))
        }
        IpAddr::V6(_) => format!("{}.ip6.arpa", dotted_address(ip).chars().rev().collect::<String>()),
    }
}
