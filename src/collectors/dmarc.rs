//! DMARC: which record applies to a domain, what it says, and whether its report addresses are authorised.
//!
//! The tree walk of RFC 9989 asks every ancestor, up to the top-level domain. A source of files rarely holds the names of
//! a registry, so `_dmarc.<public suffix>` stays unknown there. That matters only where the walk finds nothing below the
//! suffix: a record one label below is the organisational domain's whatever the suffix publishes. Where it does matter,
//! the facts are unknown, with a note.

use std::cell::RefCell;
use std::ops::Range;

use crate::diag::Span;
use crate::facts::domain::{Alignment, DmarcFacts, DmarcPolicy, List, ReportAddressFacts};
use crate::facts::{Cause, Fact, Method, Observed, Proof};
use crate::mail::dmarc::record::{self, Field, PublicSuffix, ReportList};
use crate::mail::dmarc::report::{self, ReportUri};
use crate::mail::dmarc::walk::{OrgDomain, Own};
use crate::mail::dmarc::{self, Applied, Discovery, DmarcDns, DmarcLookup, Outcome, Policy, ReportTarget};
use crate::mail::{Name, suffix};
use crate::sources::RecordType;

use super::Context;
use super::context::{Missing, TextRecord, Texts};

/// Facts about the DMARC record that applies to a domain.
pub(super) fn collect(context: &Context<'_>, name: &Name) -> DmarcFacts {
    let missed = context.source.missed();
    let dns = Dns::new(context, name);
    let discovery = dmarc::discover(name, &dns);
    let own = own(context, name, &dns, &discovery);
    let org_domain = org_domain(context, &dns, &discovery);
    remember_organisation(context, name, &org_domain, missed);
    let mut facts = match applied(&dns, name, &discovery.applied) {
        Ok(applied) => with_record(context, name, &dns, &discovery, &applied),
        Err(missing) => without_record(context, &missing),
    };
    facts.record_count = own.0;
    facts.near_misses = own.1;
    facts.org_domain = org_domain;
    facts.org_domain_psl = org_domain_psl(context, name);
    facts.org_domains_agree = match (&facts.org_domain.observed, &facts.org_domain_psl.observed) {
        (Observed::Present(walk), Observed::Present(psl)) => {
            Fact::present(walk == psl, Method::Derived, facts.org_domain.from.span)
        }
        (Observed::Unknown(cause), _) | (_, Observed::Unknown(cause)) => {
            Fact { observed: Observed::Unknown(*cause), from: facts.org_domain.from.clone() }
        }
        (Observed::Absent(_), _) | (_, Observed::Absent(_)) => {
            Fact::present(false, Method::Derived, facts.org_domain.from.span)
        }
    };
    facts
}

/// A record that applies, with its place in the files.
struct AppliedRecord {
    domain: Name,
    text: String,
    source: TextRecord,
    inherited: bool,
}

/// The record of an outcome; without one, why there is none.
fn applied(dns: &Dns<'_, '_>, name: &Name, outcome: &Outcome) -> Result<AppliedRecord, Missing> {
    match outcome {
        Outcome::Found { domain, index, text, inherited } => {
            if *inherited && let Some(missing) = dns.doubt(domain) {
                return Err(missing);
            }
            let source = dns.text(domain, *index).ok_or_else(|| Missing::absent(Proof::NotPublished, None))?;
            Ok(AppliedRecord { domain: domain.clone(), text: text.clone(), source, inherited: *inherited })
        }
        Outcome::None => Err(dns.assumed_missing().unwrap_or_else(|| dns.absence(name))),
        Outcome::Unknown { name, reason } => Err(dns.missing(name, reason)),
    }
}

/// Number of records at the domain itself, and those that almost are DMARC.
fn own(context: &Context<'_>, name: &Name, dns: &Dns<'_, '_>, discovery: &Discovery) -> (Fact<i64>, Fact<Vec<String>>) {
    let absence = dns.absence(name);
    let records = match &discovery.own {
        Own::Unknown { reason } => {
            let missing = name.child("_dmarc").map_or_else(|_| absence.clone(), |at| dns.missing(&at, reason));
            return (missing.fact(context.method), missing.fact(context.method));
        }
        Own::Known(records) => records,
    };
    let span = |index: &usize| dns.text(name, *index).map(|text| text.text.span);
    let last = records.records.last().and_then(span).or(absence.span);
    let incomplete = dns.incomplete(name);
    let count = match &incomplete {
        // More records would not change the verdict on two.
        Some(missing) if records.records.len() < 2 => missing.fact(context.method),
        _ => context.present(i64::try_from(records.records.len()).unwrap_or(i64::MAX), last),
    };
    let texts = records.near_misses.iter().filter_map(|miss| dns.text(name, miss.index)).map(|text| text.lossy());
    let first = records.near_misses.first();
    let near = context.present(texts.collect(), first.and_then(|miss| span(&miss.index)).or(last));
    match (first, incomplete) {
        (Some(miss), _) => (count, near.with_note(miss.reason)),
        (None, Some(missing)) => (count, missing.fact(context.method)),
        (None, None) => (count, near),
    }
}

/// Facts read from the record that applies.
fn with_record(
    context: &Context<'_>,
    name: &Name,
    dns: &Dns<'_, '_>,
    discovery: &Discovery,
    applied: &AppliedRecord,
) -> DmarcFacts {
    let record = dmarc::parse(&applied.text);
    let place = |range: &Range<usize>| Some(applied.source.text.place(range.clone()));
    let whole = Some(applied.source.text.span);
    let inherit_note = |fact: Fact<DmarcPolicy>| match applied.inherited {
        true => fact.with_note(format!("inherited from {}", applied.domain)),
        false => fact,
    };
    let policy = if applied.inherited { record.subdomain_policy() } else { record.policy() };
    let tag = if applied.inherited { [record.sp.as_ref(), record.p.as_ref()] } else { [record.p.as_ref(), None] };
    let policy_span = tag.into_iter().flatten().next().and_then(|field| place(&field.range)).or(whole);
    let effective = policy.policy().map(|policy| record.lower(policy));
    let effective_span = match record.is_testing() {
        true => record.t.as_ref().and_then(|field| place(&field.range)).or(policy_span),
        false => policy_span,
    };
    let (valid, error) = match record.errors.first() {
        None => (context.present(true, whole), Missing::absent(Proof::NotStated, whole).fact(context.method)),
        Some(problem) => {
            let at = place(&problem.range).or(whole);
            (context.present(false, at), context.present(problem.reason.clone(), at))
        }
    };
    let (subdomain_policy, nonexistent_policy) = below(context, dns, name, discovery);
    let stated = |field: Option<Range<usize>>| field.as_ref().and_then(place).or(whole);
    DmarcFacts {
        record_count: Fact::default(),
        near_misses: Fact::default(),
        org_domain: Fact::default(),
        org_domain_psl: Fact::default(),
        org_domains_agree: Fact::default(),
        text: context.present(applied.text.clone(), whole),
        valid,
        error,
        policy: inherit_note(policy_fact(context, policy, policy_span)),
        subdomain_policy,
        nonexistent_policy,
        effective_policy: match effective {
            Some(policy) => inherit_note(context.present(word(policy), effective_span)),
            None => Missing::absent(Proof::NotStated, policy_span).fact(context.method),
        },
        inherited: context.present(applied.inherited, whole),
        record_domain: context.present(applied.domain.clone(), whole),
        testing: context.present(record.is_testing(), stated(record.t.as_ref().map(|field| field.range.clone()))),
        percent: match record.pct.as_ref().and_then(|field| Some((field.value()?, field.range.clone()))) {
            Some((percent, range)) => context.present(i64::from(percent), place(&range)),
            None => Missing::absent(Proof::NotStated, whole).fact(context.method),
        },
        adkim: alignment(
            context,
            record.dkim_alignment(),
            stated(record.adkim.as_ref().map(|field| field.range.clone())),
        ),
        aspf: alignment(context, record.spf_alignment(), stated(record.aspf.as_ref().map(|field| field.range.clone()))),
        psd: context.present(
            record.public_suffix() == PublicSuffix::Yes,
            stated(record.psd.as_ref().map(|field| field.range.clone())),
        ),
        rua: addresses(context, applied, record.rua.as_ref(), whole),
        ruf: addresses(context, applied, record.ruf.as_ref(), whole),
        unknown_tags: context.present(
            record.unknown.iter().map(|tag| tag.name.clone()).collect(),
            record.unknown.first().and_then(|tag| place(&tag.range)).or(whole),
        ),
        policy_second: context.present(record.p_is_second, stated(record.p.as_ref().map(|field| field.range.clone()))),
    }
}

/// Policies for subdomains without a record of their own: existing ones, and names that do not exist.
fn below(
    context: &Context<'_>,
    dns: &Dns<'_, '_>,
    name: &Name,
    discovery: &Discovery,
) -> (Fact<DmarcPolicy>, Fact<DmarcPolicy>) {
    let applied = match applied(dns, name, &discovery.applied_to_subdomains) {
        Ok(applied) => applied,
        Err(missing) => return (missing.fact(context.method), missing.fact(context.method)),
    };
    let record = dmarc::parse(&applied.text);
    let whole = Some(applied.source.text.span);
    let span = |fields: &[&Option<Field<Policy>>]| {
        let stated = fields.iter().find_map(|field| field.as_ref());
        stated.map(|field| applied.source.text.place(field.range.clone())).or(whole)
    };
    (
        policy_fact(context, record.subdomain_policy(), span(&[&record.sp, &record.p])),
        policy_fact(context, record.nonexistent_policy(), span(&[&record.np, &record.sp, &record.p])),
    )
}

fn policy_fact(context: &Context<'_>, applied: Applied, span: Option<Span>) -> Fact<DmarcPolicy> {
    match applied {
        Applied::Stated(policy) => context.present(word(policy), span),
        // RFC 9989 section 4.10.1: without a usable policy, reports are still wanted, so receivers apply none.
        Applied::TreatedAsNone => {
            context.present(DmarcPolicy::None, span).with_note("no usable policy is stated, so receivers apply none")
        }
        Applied::NoProcessing => {
            let missing = Missing::absent(Proof::NotStated, span);
            missing.fact::<DmarcPolicy>(context.method).with_note("no usable policy is stated, so receivers skip DMARC")
        }
    }
}

fn word(policy: Policy) -> DmarcPolicy {
    match policy {
        Policy::None => DmarcPolicy::None,
        Policy::Quarantine => DmarcPolicy::Quarantine,
        Policy::Reject => DmarcPolicy::Reject,
    }
}

fn alignment(context: &Context<'_>, alignment: dmarc::Alignment, span: Option<Span>) -> Fact<Alignment> {
    let word = match alignment {
        dmarc::Alignment::Relaxed => Alignment::Relaxed,
        dmarc::Alignment::Strict => Alignment::Strict,
    };
    context.present(word, span)
}

/// The addresses of `rua` or `ruf`. Absent where the tag is missing.
fn addresses(
    context: &Context<'_>,
    applied: &AppliedRecord,
    list: Option<&ReportList>,
    whole: Option<Span>,
) -> Fact<List<ReportAddressFacts>> {
    let Some(list) = list else { return Missing::absent(Proof::NotStated, whole).fact(context.method) };
    let rows = list.uris.iter().map(|uri| address(context, applied, uri)).collect();
    context.present(List(rows), Some(applied.source.text.place(list.range.clone())))
}

fn address(context: &Context<'_>, applied: &AppliedRecord, uri: &ReportUri) -> ReportAddressFacts {
    let at = Some(applied.source.text.place(uri.range.clone()));
    let valid = match &uri.target {
        ReportTarget::Mailbox { .. } => context.present(true, at),
        ReportTarget::OtherScheme => context.present(false, at).with_note("receivers must support `mailto:` only"),
        ReportTarget::Invalid { reason } => context.present(false, at).with_note(reason.to_string()),
    };
    let Some(domain) = uri.mailbox_domain() else {
        let nothing = Missing::absent(Proof::NotStated, at);
        return ReportAddressFacts {
            uri: context.present(uri.text.clone(), at),
            valid,
            domain: nothing.fact(context.method),
            external: nothing.fact(context.method),
            authorised: nothing.fact(context.method),
        };
    };
    let external = external(context, &applied.domain, domain, at);
    let authorised = match external.observed {
        // RFC 9990 section 4: within one organisational domain no authorisation is needed.
        Observed::Present(false) => Fact { observed: Observed::Present(true), from: external.from.clone() },
        Observed::Present(true) | Observed::Absent(_) => authorised(context, &applied.domain, domain, at),
        Observed::Unknown(cause) => Fact { observed: Observed::Unknown(cause), from: external.from.clone() },
    };
    ReportAddressFacts {
        uri: context.present(uri.text.clone(), at),
        valid,
        domain: context.present(domain.clone(), at),
        external,
        authorised,
    }
}

/// Whether an address lies in another organisational domain than the record (RFC 9990 section 4).
fn external(context: &Context<'_>, record_domain: &Name, domain: &Name, at: Option<Span>) -> Fact<bool> {
    if domain.is_within(record_domain) {
        return context.present(false, at);
    }
    Fact::present(organisation(context, record_domain) != organisation(context, domain), Method::Derived, at)
}

/// Most organisational domains that are remembered.
const MOST_ORGANISATIONS: usize = 1024;

/// The organisational domain by the tree walk; where the walk cannot be finished, by the public suffix list: both agree
/// for nearly all names.
fn organisation(context: &Context<'_>, name: &Name) -> Option<Name> {
    if let Some(known) = context.cache.organisations.borrow().get(name) {
        return known.clone();
    }
    let missed = context.source.missed();
    let dns = Dns::new(context, name);
    let discovery = dmarc::discover(name, &dns);
    remember_organisation(context, name, &org_domain(context, &dns, &discovery), missed)
}

/// Remembers the organisational domain of a name, and returns it. It is remembered only where nothing was missing since
/// `missed` was counted.
fn remember_organisation(context: &Context<'_>, name: &Name, walk: &Fact<Name>, missed: usize) -> Option<Name> {
    let found = match &walk.observed {
        Observed::Present(domain) => Some(domain.clone()),
        Observed::Absent(_) | Observed::Unknown(_) => context.listed_organisation(name),
    };
    if context.source.missed() != missed {
        return found;
    }
    let mut cache = context.cache.organisations.borrow_mut();
    if cache.len() >= MOST_ORGANISATIONS {
        cache.clear();
    }
    cache.insert(name.clone(), found.clone());
    found
}

/// Whether the other organisation says that it takes the reports (RFC 9990 section 4).
fn authorised(context: &Context<'_>, record_domain: &Name, domain: &Name, at: Option<Span>) -> Fact<bool> {
    let Ok(name) = report::report_authorisation_name(record_domain, domain) else {
        return context.present(false, at).with_note("the name of the authorisation record would be too long");
    };
    let is_authorisation = |text: &TextRecord| report::is_report_authorisation(&text.lossy());
    match context.texts(&name, RecordType::TXT).and_then(|texts| texts.holding(is_authorisation)) {
        Ok(texts) => {
            let found = texts.list.iter().any(is_authorisation);
            context.present(found, at).with_note(name.as_str())
        }
        Err(missing) if missing.cause().is_none() => context.present(false, at).with_note(name.as_str()),
        Err(missing) => Missing { span: at, ..missing }.fact(context.method),
    }
}

fn org_domain(context: &Context<'_>, dns: &Dns<'_, '_>, discovery: &Discovery) -> Fact<Name> {
    match &discovery.org_domain {
        OrgDomain::Known(name) => match dns.doubt(name) {
            Some(missing) => missing.fact(context.method),
            None => Fact::present(name.clone(), Method::Derived, dns.decisive(name)),
        },
        OrgDomain::Unknown { name, reason } => dns.missing(name, reason).fact(context.method),
    }
}

fn org_domain_psl(context: &Context<'_>, name: &Name) -> Fact<Name> {
    match context.listed_organisation(name) {
        Some(domain) => Fact::present(domain, Method::Derived, None),
        None => Missing::absent(Proof::NotStated, None).fact(Method::Derived),
    }
}

/// Every fact of a record missing for one reason.
fn without_record(context: &Context<'_>, missing: &Missing) -> DmarcFacts {
    DmarcFacts {
        record_count: Fact::default(),
        near_misses: Fact::default(),
        org_domain: Fact::default(),
        org_domain_psl: Fact::default(),
        org_domains_agree: Fact::default(),
        text: missing.fact(context.method),
        valid: missing.fact(context.method),
        error: missing.fact(context.method),
        policy: missing.fact(context.method),
        subdomain_policy: missing.fact(context.method),
        nonexistent_policy: missing.fact(context.method),
        effective_policy: missing.fact(context.method),
        inherited: missing.fact(context.method),
        record_domain: missing.fact(context.method),
        testing: missing.fact(context.method),
        percent: missing.fact(context.method),
        adkim: missing.fact(context.method),
        aspf: missing.fact(context.method),
        psd: missing.fact(context.method),
        rua: missing.fact(context.method),
        ruf: missing.fact(context.method),
        unknown_tags: missing.fact(context.method),
        policy_second: missing.fact(context.method),
    }
}

/// The record source as the tree walk sees it; remembers what was read, so that results find their records again.
struct Dns<'a, 'c> {
    context: &'a Context<'c>,
    /// The domain that the walk starts from.
    start: Name,
    asked: RefCell<Vec<(Name, Result<Texts, Missing>)>>,
    /// The public suffix whose record is not known, and why.
    suffix: RefCell<Option<(Name, Missing)>>,
}

impl<'a, 'c> Dns<'a, 'c> {
    fn new(context: &'a Context<'c>, start: &Name) -> Self {
        Dns { context, start: start.clone(), asked: RefCell::new(Vec::new()), suffix: RefCell::new(None) }
    }

    /// The TXT record of an index that the walk returned.
    fn text(&self, domain: &Name, index: usize) -> Option<TextRecord> {
        let name = domain.child("_dmarc").ok()?;
        let asked = self.asked.borrow();
        let (_, texts) = asked.iter().find(|(known, _)| *known == name)?;
        texts.as_ref().ok()?.list.get(index).cloned()
    }

    /// Why a name that was asked for has no known answer.
    fn missing(&self, name: &Name, reason: &str) -> Missing {
        let asked = self.asked.borrow();
        match asked.iter().find(|(known, _)| known == name) {
            Some((_, Err(missing))) => missing.clone(),
            _ => Missing::unknown(Cause::NotCollected, reason, None),
        }
    }

    /// The proof that no record stands at the domain itself.
    fn absence(&self, name: &Name) -> Missing {
        let asked = self.asked.borrow();
        let at = name.child("_dmarc").ok();
        match asked.iter().find(|(known, _)| Some(known) == at.as_ref()) {
            Some((_, Err(missing))) => missing.clone(),
            Some((_, Ok(texts))) => Missing::absent(Proof::NotPublished, texts.list.first().map(|text| text.record)),
            None => Missing::absent(Proof::Nxdomain, None),
        }
    }

    /// The answer that makes a domain the organisational one: that at the domain itself, else the last one of the walk.
    fn decisive(&self, domain: &Name) -> Option<Span> {
        let at = domain.child("_dmarc").ok();
        let asked = self.asked.borrow();
        let (_, answer) = asked.iter().find(|(known, _)| Some(known) == at.as_ref()).or(asked.last())?;
        match answer {
            Ok(texts) => texts.list.first().map(|text| text.record),
            Err(missing) => missing.span,
        }
    }

    /// Why there may be more records at the domain than were read.
    fn incomplete(&self, domain: &Name) -> Option<Missing> {
        let name = domain.child("_dmarc").ok()?;
        let asked = self.asked.borrow();
        let (_, texts) = asked.iter().find(|(known, _)| *known == name)?;
        texts.as_ref().ok()?.incomplete.clone()
    }

    /// Why it is not known that no record applies: a public suffix may publish one for all its domains.
    fn assumed_missing(&self) -> Option<Missing> {
        self.suffix.borrow().as_ref().map(|(_, missing)| missing.clone())
    }

    /// Why an organisational domain found by the walk is not certain: the suffix above was not seen, and the domain is
    /// not the one directly below it, which would be the organisational domain in any case.
    fn doubt(&self, domain: &Name) -> Option<Missing> {
        let suffix = self.suffix.borrow();
        let (suffix, missing) = suffix.as_ref()?;
        (domain.parent().as_ref() != Some(suffix)).then(|| missing.clone())
    }
}

impl DmarcDns for Dns<'_, '_> {
    fn txt(&self, name: &Name) -> DmarcLookup {
        let is_dmarc = |text: &TextRecord| record::is_dmarc(&text.lossy());
        let answer = self.context.texts(name, RecordType::TXT).and_then(Texts::all_read);
        let answer = answer.and_then(|texts| texts.holding(is_dmarc));
        let lookup = match &answer {
            Ok(texts) => DmarcLookup::Found(texts.list.iter().map(TextRecord::lossy).collect()),
            Err(missing) => match missing.observed {
                Observed::Present(never) => match never {},
                Observed::Absent(Proof::Nxdomain) => DmarcLookup::NxDomain,
                Observed::Absent(_) => DmarcLookup::NoData,
                Observed::Unknown(Cause::NotCollected) if self.is_suffix_record(name, missing) => DmarcLookup::NoData,
                Observed::Unknown(cause) => {
                    DmarcLookup::Unknown(missing.note.as_deref().unwrap_or(cause.as_str()).to_owned())
                }
            },
        };
        self.asked.borrow_mut().push((name.clone(), answer));
        lookup
    }
}

impl Dns<'_, '_> {
    /// Whether a name is the DMARC name of a public suffix above the domain, outside the source; remembers the first one.
    fn is_suffix_record(&self, name: &Name, missing: &Missing) -> bool {
        let Some(domain) = name.parent() else { return false };
        // A suffix whose zone is at hand is like any other name: what stands there and cannot be read is not known.
        if domain == self.start || !suffix::is_public_suffix(&domain) || self.context.source.zone_of(&domain).is_some()
        {
            return false;
        }
        let mut remembered = self.suffix.borrow_mut();
        if remembered.is_none() {
            let note = format!("whether the public suffix `{domain}` publishes a DMARC record is not in the files");
            *remembered = Some((domain, Missing::unknown(Cause::NotCollected, note, missing.span)));
        }
        true
    }
}
