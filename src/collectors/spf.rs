//! SPF: the record of a domain, what it reaches, and the result for a sending address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::diag::Span;
use crate::facts::domain::{List, SpfFacts, SpfIncludeFacts, SpfQualifier, SpfVerdict};
use crate::facts::{Cause, Fact, Method, Observed, Proof};
use crate::mail::Name;
use crate::mail::spf::{
    self, AllInEffect, Certainty, Count, GapReason, Lookup, Network, Obstacle, Qualifier, Reach, Reached, ReachedState,
    Reason, Record, Selection, SpfDns, SpfResult,
};
use crate::sources::{RData, RecordType};

use super::Context;
use super::context::{Missing, TextRecord, Texts};

/// Facts about the SPF record of a domain.
pub(super) fn collect(context: &Context<'_>, name: &Name) -> SpfFacts {
    let type99 = type99(context, name);
    let texts = match context.texts(name, RecordType::TXT).and_then(|texts| texts.holding(is_spf)) {
        Ok(texts) => texts,
        Err(missing) if missing.cause().is_some() => return all_missing(context, &missing, &missing, type99),
        Err(missing) => return without_record(context, &missing, Vec::new(), type99),
    };
    let near_misses: Vec<&TextRecord> =
        texts.list.iter().filter(|text| spf::near_miss(&text.text.bytes).is_some()).collect();
    match spf::select(texts.list.iter().map(|text| &text.text.bytes)) {
        Selection::Nothing => {
            let proof = Missing::absent(Proof::NotPublished, texts.list.first().map(|text| text.record));
            without_record(context, &proof, near_misses, type99)
        }
        Selection::One(index) => {
            let facts = with_record(context, name, &texts.list[index], &near_misses, type99);
            beside_others(context, facts, &texts)
        }
        Selection::Several { first, count } => {
            // RFC 7208 section 4.5: more than one record is a permanent error, so nothing follows from either.
            let record = &texts.list[first];
            let second = texts.list[first + 1..].iter().find(|text| spf::is_spf_version(&text.text.bytes));
            let at = second.or(Some(record)).map(|text| text.text.span);
            let nothing = Missing::absent(Proof::NotStated, at);
            let mut facts = all_missing(context, &nothing, &nothing, type99);
            facts.record_count = context.present(i64::try_from(count).unwrap_or(i64::MAX), at);
            facts.text = context.present(record.lossy(), Some(record.text.span));
            facts.valid = context.present(false, at);
            facts.error = context.present(format!("{count} SPF records at one name"), at);
            facts.near_misses = near(context, &near_misses, at);
            facts.length = context.present(length(record), Some(record.text.span));
            facts
        }
    }
}

/// Takes back what does not follow from one record when there may be another.
fn beside_others(context: &Context<'_>, mut facts: SpfFacts, texts: &Texts) -> SpfFacts {
    let Some(missing) = texts.unread.as_ref().or(texts.incomplete.as_ref()) else { return facts };
    facts.record_count = missing.fact(context.method);
    if facts.near_misses.observed.present().is_some_and(Vec::is_empty) {
        facts.near_misses = missing.fact(context.method);
    }
    // RFC 7208 section 4.5: a second record makes both void, and one that is there and cannot be read may be one.
    if let Some(unread) = &texts.unread
        && facts.valid.observed == Observed::Present(true)
    {
        facts.valid = unread.fact(context.method);
        facts.error = unread.fact(context.method);
        return without_effect(context, facts, unread);
    }
    facts
}

/// The facts that say what a record does, missing for one reason; what it says remains. Every fact is named, so that the
/// compiler asks of a new one on which side it stands.
fn without_effect(context: &Context<'_>, facts: SpfFacts, missing: &Missing) -> SpfFacts {
    SpfFacts {
        record_count: facts.record_count,
        text: facts.text,
        valid: facts.valid,
        error: facts.error,
        near_misses: facts.near_misses,
        all: missing.fact(context.method),
        redirect: missing.fact(context.method),
        none_authorised: missing.fact(context.method),
        lookups_direct: missing.fact(context.method),
        lookups: missing.fact(context.method),
        lookups_at_least: missing.fact(context.method),
        void_lookups: missing.fact(context.method),
        void_lookups_at_least: missing.fact(context.method),
        includes: missing.fact(context.method),
        widest_ip4: missing.fact(context.method),
        widest_ip6: missing.fact(context.method),
        widest_ip4_at_most: missing.fact(context.method),
        widest_ip6_at_most: missing.fact(context.method),
        ptr: missing.fact(context.method),
        terms_after_all: facts.terms_after_all,
        redirect_ignored: facts.redirect_ignored,
        macros: facts.macros,
        type99: facts.type99,
        length: facts.length,
    }
}

fn is_spf(text: &TextRecord) -> bool {
    spf::is_spf_version(&text.text.bytes)
}

/// The SPF result of a client address with the domain as MAIL FROM and HELO (RFC 7208 section 4).
pub(super) fn check_sender(context: &Context<'_>, name: &Name, ip: IpAddr) -> Fact<SpfVerdict> {
    let sender = format!("postmaster@{name}");
    let request = spf::Request { ip, mail_from: &sender, helo: name.as_str(), receiver: "", time: 0 };
    let evaluation = spf::check_host(&request, spf::Limits::default(), &Dns { context });
    let span = context
        .texts(name, RecordType::TXT)
        .ok()
        .and_then(|texts| texts.list.into_iter().find(is_spf).map(|text| text.text.span));
    let verdict = match evaluation.result {
        SpfResult::None => SpfVerdict::None,
        SpfResult::Neutral => SpfVerdict::Neutral,
        SpfResult::Pass => SpfVerdict::Pass,
        SpfResult::Fail => SpfVerdict::Fail,
        SpfResult::Softfail => SpfVerdict::Softfail,
        SpfResult::PermError => SpfVerdict::Permerror,
        // What this run could not look up says nothing about what a receiver gets (RFC 7208 section 2.6.6).
        SpfResult::TempError | SpfResult::Unknown => {
            let missing = match evaluation.reason {
                Some(Reason::Dns { name, obstacle } | Reason::NotSeen { name, obstacle }) => {
                    obstacle_missing(&obstacle, &name, span)
                }
                Some(reason) => Missing::unknown(Cause::NotCollected, reason.to_string(), span),
                None => Missing::unknown(Cause::NotCollected, "a name that decides was not looked up", span),
            };
            return missing.fact(Method::Derived);
        }
    };
    Fact::present(verdict, Method::Derived, span)
}

/// Facts when exactly one record is published.
fn with_record(
    context: &Context<'_>,
    name: &Name,
    text: &TextRecord,
    near_misses: &[&TextRecord],
    type99: Fact<bool>,
) -> SpfFacts {
    let record = spf::parse(&text.text.bytes);
    let reach = spf::reach(name.as_str(), &record, &Dns { context });
    let whole = Some(text.text.span);
    let place = |range: std::ops::Range<usize>| Some(text.text.place(range));
    let flag = |range: &Option<std::ops::Range<usize>>| {
        let at = range.clone().and_then(place).or(whole);
        context.present(range.is_some(), at)
    };
    let (valid, error) = validity(context, &record, text);
    let broken = record.errors.first().map(|error| text.text.place(error.range.clone()));
    let facts = SpfFacts {
        record_count: context.present(1, whole),
        text: context.present(text.lossy(), whole),
        valid,
        error,
        near_misses: near(context, near_misses, whole),
        all: all_qualifier(context, name, text, &reach),
        redirect: match reach.redirect.as_deref().and_then(|target| spf::query_name(target).ok()) {
            Some(target) => context.present(target, record.redirect().and_then(|(term, _)| place(term.range.clone()))),
            None => Missing::absent(Proof::NotStated, whole).fact(context.method),
        },
        none_authorised: match reach.none_authorised {
            Certainty::Yes => context.present(true, whole),
            Certainty::No => context.present(false, whole),
            Certainty::Unknown => gap(&reach, whole).fact(context.method),
        },
        lookups_direct: context.present(i64::from(reach.lookups_direct), whole),
        lookups: count(context, reach.lookups, &reach, whole),
        lookups_at_least: context.present(i64::from(reach.lookups.at_least), whole),
        void_lookups: count(context, reach.void_lookups, &reach, whole),
        void_lookups_at_least: context.present(i64::from(reach.void_lookups.at_least), whole),
        includes: context.present(List(includes(context, &reach, whole)), whole),
        widest_ip4: widest(context, name, text, &reach, reach.widest_ip4.as_ref()),
        widest_ip6: widest(context, name, text, &reach, reach.widest_ip6.as_ref()),
        widest_ip4_at_most: widest_seen(context, name, text, reach.widest_ip4.as_ref()),
        widest_ip6_at_most: widest_seen(context, name, text, reach.widest_ip6.as_ref()),
        ptr: match (&reach.ptr, &reach.ptr_reached) {
            (Some(_), _) => flag(&reach.ptr),
            (None, Some(place)) => context.present(true, whole).with_note(format!("in the record of {}", place.domain)),
            (None, None) if reach.lookups.complete => context.present(false, whole),
            (None, None) => gap(&reach, whole).fact(context.method),
        },
        terms_after_all: flag(&reach.terms_after_all),
        redirect_ignored: flag(&reach.redirect_ignored),
        macros: flag(&reach.macros),
        type99,
        length: context.present(length(text), whole),
    };
    match broken {
        // RFC 7208 section 4.6: an error anywhere ends the check before any term is evaluated, so the record does nothing.
        Some(at) => {
            let nothing =
                Missing::absent(Proof::NotStated, Some(at)).noted("receivers do not evaluate a malformed record");
            without_effect(context, facts, &nothing)
        }
        None => facts,
    }
}

/// Whether the record follows the grammar, and what is wrong first.
fn validity(context: &Context<'_>, record: &Record<'_>, text: &TextRecord) -> (Fact<bool>, Fact<String>) {
    let whole = Some(text.text.span);
    let Some(error) = record.errors.first() else {
        return (context.present(true, whole), Missing::absent(Proof::NotStated, whole).fact(context.method));
    };
    let at = Some(text.text.place(error.range.clone()));
    (context.present(false, at), context.present(error.problem.to_string(), at))
}

fn all_qualifier(context: &Context<'_>, name: &Name, text: &TextRecord, reach: &Reach) -> Fact<SpfQualifier> {
    let whole = Some(text.text.span);
    match &reach.all {
        AllInEffect::Stated { qualifier, place, .. } => {
            let word = match qualifier {
                Qualifier::Pass => SpfQualifier::Pass,
                Qualifier::Neutral => SpfQualifier::Neutral,
                Qualifier::Softfail => SpfQualifier::Softfail,
                Qualifier::Fail => SpfQualifier::Fail,
            };
            if place.domain == name.as_str() {
                context.present(word, Some(text.text.place(place.range.clone())))
            } else {
                let at = record_span(context, &place.domain, place.range.clone()).or(whole);
                context.present(word, at).with_note(format!("in the record of {}", place.domain))
            }
        }
        AllInEffect::NotStated { .. } => Missing::absent(Proof::NotStated, whole).fact(context.method),
        AllInEffect::Broken(reason) => {
            let missing = Missing::absent(Proof::NotStated, whole);
            missing.fact::<SpfQualifier>(context.method).with_note(reason.to_string())
        }
        AllInEffect::Unknown(gap) => gap_reason(&gap.reason, &gap.name, whole).fact(context.method),
    }
}

/// Place of a range in the SPF record of another domain of the repository.
fn record_span(context: &Context<'_>, domain: &str, range: std::ops::Range<usize>) -> Option<Span> {
    let name = spf::query_name(domain).ok()?;
    let texts = context.texts(&name, RecordType::TXT).ok()?;
    let text = texts.list.into_iter().find(is_spf)?;
    Some(text.text.place(range))
}

fn widest(
    context: &Context<'_>,
    name: &Name,
    text: &TextRecord,
    reach: &Reach,
    network: Option<&Network>,
) -> Fact<i64> {
    // A hidden record could hold a wider network, so what is seen is not the widest for certain.
    if !reach.lookups.complete {
        return gap(reach, Some(text.text.span)).fact(context.method);
    }
    widest_seen(context, name, text, network)
}

/// The widest network of the records that could be read.
fn widest_seen(context: &Context<'_>, name: &Name, text: &TextRecord, network: Option<&Network>) -> Fact<i64> {
    let whole = Some(text.text.span);
    match network {
        Some(network) => {
            let own = network.place.domain == name.as_str();
            let at = if own {
                Some(text.text.place(network.place.range.clone()))
            } else {
                record_span(context, &network.place.domain, network.place.range.clone()).or(whole)
            };
            context.present(i64::from(network.prefix), at)
        }
        None => Missing::absent(Proof::NotStated, whole).fact(context.method),
    }
}

fn includes(context: &Context<'_>, reach: &Reach, whole: Option<Span>) -> Vec<SpfIncludeFacts> {
    let mut rows: Vec<(&Reached, SpfIncludeFacts)> = Vec::with_capacity(reach.reached.len());
    for reached in &reach.reached {
        let Ok(domain) = spf::query_name(&reached.domain) else { continue };
        let valid = match &reached.state {
            ReachedState::Valid => context.present(true, whole),
            ReachedState::Invalid(reason) => context.present(false, whole).with_note(reason.to_string()),
            ReachedState::TempError(obstacle) | ReachedState::NotSeen(obstacle) => {
                obstacle_missing(obstacle, &reached.domain, whole).fact(context.method)
            }
            ReachedState::NotFollowed => {
                Missing::unknown(Cause::LimitReached, "the walk through the includes reached its ceiling", whole)
                    .fact(context.method)
            }
        };
        let row = SpfIncludeFacts {
            domain: context.present(domain, whole),
            valid,
            depth: context.present(i64::from(reached.depth), whole),
        };
        rows.push((reached, row));
    }
    rows.sort_by(|(left, _), (right, _)| (left.depth, &left.domain).cmp(&(right.depth, &right.domain)));
    rows.into_iter().map(|(_, row)| row).chain(hidden_includes(context, reach, whole)).collect()
}

/// Rows for the domains whose names are not known: those that depend on the message, and those beyond the ceiling.
fn hidden_includes(context: &Context<'_>, reach: &Reach, whole: Option<Span>) -> Vec<SpfIncludeFacts> {
    let unnamed = |gap: &&spf::Gap| {
        let named = reach.reached.iter().any(|reached| reached.domain.eq_ignore_ascii_case(&gap.name));
        gap.hides_record && !named
    };
    let row = |gap: &spf::Gap| {
        let missing = gap_reason(&gap.reason, &gap.name, whole);
        SpfIncludeFacts {
            domain: missing.fact(context.method),
            valid: missing.fact(context.method),
            depth: missing.fact(context.method),
        }
    };
    reach.gaps.iter().filter(unnamed).map(row).collect()
}

/// A count that is known, or unknown because something could not be looked at.
fn count(context: &Context<'_>, count: Count, reach: &Reach, whole: Option<Span>) -> Fact<i64> {
    if count.complete {
        return context.present(i64::from(count.at_least), whole);
    }
    let mut missing = gap(reach, whole);
    if let Some(note) = &mut missing.note {
        *note = format!("at least {}; {note}", count.at_least).into();
    }
    missing.fact(context.method)
}

/// Why something about the record is not known: the first gap of the walk, preferring one that hides a record.
fn gap(reach: &Reach, whole: Option<Span>) -> Missing {
    let gap = reach.gaps.iter().find(|gap| gap.hides_record).or(reach.gaps.first());
    match gap {
        Some(gap) => gap_reason(&gap.reason, &gap.name, whole),
        None => Missing::unknown(Cause::LimitReached, "the walk through the includes reached its ceiling", whole),
    }
}

fn gap_reason(reason: &GapReason, name: &str, whole: Option<Span>) -> Missing {
    match reason {
        GapReason::NotSeen(obstacle) | GapReason::TempError(obstacle) => obstacle_missing(obstacle, name, whole),
        GapReason::DependsOnMessage => {
            Missing::unknown(Cause::NotCollected, format!("{name} depends on the message"), whole)
        }
        GapReason::Ceiling => {
            Missing::unknown(Cause::LimitReached, "the walk through the includes reached its ceiling", whole)
        }
    }
}

fn obstacle_missing(obstacle: &Obstacle, name: &str, whole: Option<Span>) -> Missing {
    let cause =
        Cause::ALL.iter().copied().find(|cause| cause.as_str() == obstacle.cause).unwrap_or(Cause::NotCollected);
    let note = if obstacle.note.is_empty() { name.to_owned() } else { obstacle.note.clone() };
    Missing::unknown(cause, note, whole)
}

/// Facts when TXT was answered and holds no SPF record.
fn without_record(
    context: &Context<'_>,
    missing: &Missing,
    near_misses: Vec<&TextRecord>,
    type99: Fact<bool>,
) -> SpfFacts {
    let mut facts = all_missing(context, missing, missing, type99);
    let span = near_misses.first().map(|text| text.text.span).or(missing.span);
    facts.record_count = context.present(0, span);
    facts.near_misses = near(context, &near_misses, missing.span);
    if let Some(reason) = near_misses.first().and_then(|text| spf::near_miss(&text.text.bytes)) {
        facts.record_count = facts.record_count.with_note(reason.to_string());
    }
    facts
}

fn near(context: &Context<'_>, near_misses: &[&TextRecord], fallback: Option<Span>) -> Fact<Vec<String>> {
    let texts: Vec<String> = near_misses.iter().map(|text| text.lossy()).collect();
    let fact = context.present(texts, near_misses.first().map(|text| text.text.span).or(fallback));
    match near_misses.first().and_then(|text| spf::near_miss(&text.text.bytes)) {
        Some(reason) => fact.with_note(reason.to_string()),
        None => fact,
    }
}

/// Every fact of the record missing for one reason, those of the count for another.
fn all_missing(context: &Context<'_>, missing: &Missing, counts: &Missing, type99: Fact<bool>) -> SpfFacts {
    let stated = SpfFacts {
        record_count: counts.fact(context.method),
        text: missing.fact(context.method),
        valid: missing.fact(context.method),
        error: missing.fact(context.method),
        near_misses: counts.fact(context.method),
        terms_after_all: missing.fact(context.method),
        redirect_ignored: missing.fact(context.method),
        macros: missing.fact(context.method),
        type99,
        length: missing.fact(context.method),
        ..SpfFacts::default()
    };
    without_effect(context, stated, missing)
}

/// RFC 7208 section 3.1: records of type SPF are obsolete.
fn type99(context: &Context<'_>, name: &Name) -> Fact<bool> {
    match context.records(name, RecordType::SPF) {
        Ok(set) => context.present(true, set.first()),
        Err(missing) if missing.cause().is_none() => context.present(false, missing.span),
        Err(missing) => missing.fact(context.method),
    }
}

fn length(text: &TextRecord) -> i64 {
    i64::try_from(text.text.bytes.len()).unwrap_or(i64::MAX)
}

/// The record source as SPF evaluation sees it.
struct Dns<'a, 'c> {
    context: &'a Context<'c>,
}

impl Dns<'_, '_> {
    fn ask<T>(&self, name: &str, rtype: RecordType, take: impl Fn(&RData) -> Option<T>) -> Lookup<Vec<T>> {
        // A name that cannot exist on the wire does not exist.
        let Ok(name) = spf::query_name(name) else { return Lookup::NxDomain };
        match self.context.records(&name, rtype) {
            Ok(set) => match set.doubt() {
                Some(missing) => lookup_without_records(missing),
                None => Lookup::Found(set.records.iter().filter_map(|record| take(&record.data)).collect()),
            },
            Err(missing) => lookup_without_records(missing),
        }
    }
}

fn lookup_without_records<T>(missing: Missing) -> Lookup<T> {
    match missing.observed {
        Observed::Present(never) => match never {},
        Observed::Absent(Proof::Nxdomain) => Lookup::NxDomain,
        Observed::Absent(_) => Lookup::NoData,
        Observed::Unknown(cause) => {
            let obstacle = Obstacle::with_note(cause.as_str(), &*missing.note.unwrap_or_default());
            match cause {
                Cause::DnsTimeout | Cause::DnsServfail | Cause::DnsRefused | Cause::DnssecBogus => {
                    Lookup::TempError(obstacle)
                }
                _ => Lookup::Unknown(obstacle),
            }
        }
    }
}

impl SpfDns for Dns<'_, '_> {
    fn txt(&self, name: &str) -> Lookup<Vec<Vec<u8>>> {
        // A name that cannot exist on the wire does not exist.
        let Ok(name) = spf::query_name(name) else { return Lookup::NxDomain };
        let texts = self.context.texts(&name, RecordType::TXT).and_then(Texts::all_read);
        match texts.and_then(|texts| texts.holding(is_spf)) {
            // One more record would make the ones that were read void.
            Ok(Texts { list, incomplete: Some(missing), .. })
                if list.iter().filter(|text| is_spf(text)).count() < 2 =>
            {
                lookup_without_records(missing)
            }
            Ok(texts) => Lookup::Found(texts.list.into_iter().map(|text| text.text.bytes.clone()).collect()),
            Err(missing) => lookup_without_records(missing),
        }
    }

    fn a(&self, name: &str) -> Lookup<Vec<Ipv4Addr>> {
        self.ask(name, RecordType::A, |data| match data {
            RData::A(address, _) => Some(*address),
            _ => None,
        })
    }

    fn aaaa(&self, name: &str) -> Lookup<Vec<Ipv6Addr>> {
        self.ask(name, RecordType::AAAA, |data| match data {
            RData::Aaaa(address, _) => Some(*address),
            _ => None,
        })
    }

    fn mx(&self, name: &str) -> Lookup<Vec<String>> {
        let found = self.ask(name, RecordType::MX, |data| match data {
            RData::Mx { preference, exchange, .. } => Some((*preference, exchange.clone())),
            _ => None,
        });
        match found {
            Lookup::Found(mut exchangers) => {
                exchangers.sort();
                Lookup::Found(exchangers.into_iter().map(|(_, exchange)| exchange.as_str().to_owned()).collect())
            }
            Lookup::NoData => Lookup::NoData,
            Lookup::NxDomain => Lookup::NxDomain,
            Lookup::TempError(obstacle) => Lookup::TempError(obstacle),
            Lookup::Unknown(obstacle) => Lookup::Unknown(obstacle),
        }
    }

    fn ptr(&self, name: &str) -> Lookup<Vec<String>> {
        self.ask(name, RecordType::PTR, |data| match data {
            RData::Ptr(target, _) => Some(target.as_str().to_owned()),
            _ => None,
        })
    }
}
