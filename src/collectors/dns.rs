//! MX, NS, SOA, address and wildcard records of a domain.

use std::net::IpAddr;
use std::sync::Arc;

use crate::diag::Span;
use crate::facts::domain::{DnsFacts, List, MxFacts, NsFacts, Seconds, SoaFacts};
use crate::facts::{Cause, Fact, Observed, Proof};
use crate::mail::{Name, mx, special, spf};
use crate::sources::{Outcome, RData, Record, RecordType};

use super::context::{Addresses, Missing, RecordSet, TextRecord, ZoneFacts, malformed, split};
use super::{Context, dnssec};

/// Record types whose presence beside a CNAME is looked for (RFC 1034 section 3.6.2).
const BESIDE_CNAME: [RecordType; 6] =
    [RecordType::A, RecordType::AAAA, RecordType::MX, RecordType::NS, RecordType::TXT, RecordType::CAA];

/// Which parts of the facts no later round changes: they need different questions, and the hosts of the MX records are
/// waited for longest.
#[derive(Debug, Default)]
pub(super) struct Settled {
    own: bool,
    zone: bool,
    wildcards: bool,
}

/// Facts about the domain's own records, but for what is settled. The TTL of the mail records is collected apart
/// ([`mail_ttl`]). All facts are named here, so that one that is not collected is an unused variable.
pub(super) fn collect(context: &Context<'_>, name: &Name, facts: &mut DnsFacts, settled: &mut Settled) {
    let DnsFacts {
        mx,
        null_mx,
        null_mx_mixed,
        implicit_mx,
        undotted: undotted_hosts,
        addresses: own,
        cname: alias,
        cname_mixed,
        ns,
        soa,
        wildcard_txt,
        wildcard_mx,
        mail_ttl: _,
    } = facts;
    until_settled(context, &mut settled.own, || {
        *own = addresses(context, name);
        (*alias, *cname_mixed) = cname(context, name);
    });
    until_settled(context, &mut settled.zone, || {
        let zone = context.source.zone_of(name).map(|(origin, _)| origin);
        ZoneFacts { ns: *ns, soa: *soa, .. } = zone_facts(context, zone.as_ref().unwrap_or(name));
    });
    until_settled(context, &mut settled.wildcards, || {
        *wildcard_txt = wildcard(context, name, |star| context.records(star, RecordType::TXT));
        *wildcard_mx = wildcard(context, name, |star| context.records_after(RecordType::TXT, star, RecordType::MX));
    });
    let zone = context.source.zone_of(name).map(|(origin, _)| origin);
    let exchangers = context.records(name, RecordType::MX);
    let rows = exchangers.as_ref().map(|set| mx_rows(context, set, zone.as_ref()));
    *null_mx = self::null_mx(context, &exchangers);
    *null_mx_mixed = self::null_mx_mixed(context, &exchangers);
    *implicit_mx = self::implicit_mx(context, &exchangers, own);
    *undotted_hosts = undotted(context, &rows);
    *mx = match rows {
        Ok(rows) => context.present(List(rows), exchangers.as_ref().ok().and_then(RecordSet::first)),
        Err(missing) => missing.fact(context.method),
    };
}

fn until_settled(context: &Context<'_>, settled: &mut bool, collect: impl FnOnce()) {
    if !*settled {
        let missed = context.source.missed();
        collect();
        *settled = context.source.missed() == missed;
    }
}

/// One row per MX record, in order of preference and name. Records that cannot be read, and those that may exist beside
/// the ones that were read, are rows without known facts at the end.
fn mx_rows(context: &Context<'_>, set: &RecordSet, zone: Option<&Name>) -> Vec<MxFacts> {
    let mut rows: Vec<(u16, MxFacts)> = Vec::with_capacity(set.records.len());
    let mut hidden = Vec::new();
    for record in set.records.iter() {
        match &record.data {
            RData::Mx { preference, exchange, span, relative } => {
                rows.push((*preference, mx_row(context, *preference, exchange, *span, *relative, zone)));
            }
            _ => hidden.extend(malformed(record).map(|missing| unknown_mx(context, &missing))),
        }
    }
    hidden.extend(set.incomplete.iter().map(|missing| unknown_mx(context, missing)));
    rows.sort_by(|(a, left), (b, right)| {
        a.cmp(b).then_with(|| left.host.observed.present().cmp(&right.host.observed.present()))
    });
    rows.into_iter().map(|(_, row)| row).chain(hidden).collect()
}

fn unknown_mx(context: &Context<'_>, missing: &Missing) -> MxFacts {
    let method = context.method;
    MxFacts {
        host: missing.fact(method),
        preference: missing.fact(method),
        null: missing.fact(method),
        address_literal: missing.fact(method),
        cname: missing.fact(method),
        undotted: missing.fact(method),
        addresses: missing.fact(method),
        special_addresses: missing.fact(method),
        security: if context.source.is_live() { missing.fact(method) } else { Fact::default() },
    }
}

fn mx_row(
    context: &Context<'_>,
    preference: u16,
    exchange: &Name,
    span: Span,
    relative: bool,
    zone: Option<&Name>,
) -> MxFacts {
    let at = Some(span);
    // RFC 7505 section 3: a single dot as exchange is the null MX.
    let null = exchange.is_root();
    let literal = mx::is_address_literal(exchange);
    let (cname, addresses, special_addresses) = if null || literal {
        let nothing = || Missing::absent(Proof::NotStated, at);
        (context.present(false, at), nothing().fact(context.method), nothing().fact(context.method))
    } else {
        target_addresses(context, exchange, span)
    };
    let security = match (context.source.is_live(), null || literal) {
        (false, _) => Fact::default(),
        (true, true) => Missing::absent(Proof::NotStated, at).fact(context.method),
        (true, false) => dnssec::security(context, &dnssec::of_addresses(context, exchange)),
    };
    let undotted = relative && !null && zone.is_some_and(|zone| mx::seems_undotted(exchange, zone));
    MxFacts {
        host: context.present(exchange.clone(), at),
        preference: context.present(i64::from(preference), at),
        null: context.present(null, at),
        address_literal: context.present(literal, at),
        cname,
        undotted: context.present(undotted, at),
        addresses,
        special_addresses,
        security,
    }
}

/// Whether a mail exchanger is an alias, its addresses, and which of them are special (RFC 6890).
fn target_addresses(
    context: &Context<'_>,
    host: &Name,
    span: Span,
) -> (Fact<bool>, Fact<Vec<IpAddr>>, Fact<Vec<IpAddr>>) {
    // RFC 2181 section 10.3, RFC 5321 section 5.1: the name in an MX record must not be an alias.
    let answer = context.source.lookup(host, RecordType::A);
    let cname = match (&answer.aliases.first(), &answer.outcome) {
        (Some(alias), _) => context.present(true, Some(alias.span)),
        (None, Outcome::Unknown { cause, note, .. }) => {
            Missing::unknown(*cause, Arc::clone(note), Some(span)).fact(context.method)
        }
        (None, Outcome::Records(_) | Outcome::Absent { .. }) => context.present(false, Some(span)),
    };
    match context.addresses_with(host, split(answer).1) {
        Ok(Addresses { list, span: at, incomplete }) => {
            let special: Vec<IpAddr> = list.iter().copied().filter(|ip| special::is_special(*ip)).collect();
            let special = match incomplete {
                Some(missing) if special.is_empty() => missing.fact(context.method),
                _ => context.present(special, at),
            };
            (cname, context.present(list, at), special)
        }
        Err(mut missing) => {
            missing.span = Some(span);
            (cname, missing.fact(context.method), missing.fact(context.method))
        }
    }
}

fn null_mx(context: &Context<'_>, exchangers: &Result<RecordSet, Missing>) -> Fact<bool> {
    match exchangers {
        Ok(set) => match (null_record(set), set.doubt()) {
            (Some(span), _) => context.present(true, Some(span)),
            (None, Some(missing)) => missing.fact(context.method),
            (None, None) => context.present(false, set.first()),
        },
        Err(missing) if missing.cause().is_none() => context.present(false, missing.span),
        Err(missing) => missing.fact(context.method),
    }
}

/// RFC 7505 section 3: a domain that publishes a null MX must not publish any other MX record.
fn null_mx_mixed(context: &Context<'_>, exchangers: &Result<RecordSet, Missing>) -> Fact<bool> {
    match exchangers {
        Ok(set) => match (null_record(set), set.doubt()) {
            (Some(span), _) if set.records.len() > 1 => context.present(true, Some(span)),
            // One record that is there alone is not beside another, whatever it says.
            (null, Some(missing)) if set.incomplete.is_some() || (null.is_none() && set.records.len() > 1) => {
                missing.fact(context.method)
            }
            (null, _) => context.present(false, null.or(set.first())),
        },
        Err(missing) if missing.cause().is_none() => context.present(false, missing.span),
        Err(missing) => missing.fact(context.method),
    }
}

fn null_record(set: &RecordSet) -> Option<Span> {
    let is_null = |record: &&Record| matches!(&record.data, RData::Mx { exchange, .. } if exchange.is_root());
    set.records.iter().find(is_null).map(|record| record.span)
}

/// RFC 5321 section 5.1: without MX records, the domain's own address is treated as its mail exchanger.
fn implicit_mx(
    context: &Context<'_>,
    exchangers: &Result<RecordSet, Missing>,
    addresses: &Fact<Vec<IpAddr>>,
) -> Fact<bool> {
    match exchangers {
        Ok(set) => context.present(false, set.first()),
        Err(missing) if missing.cause().is_some() => missing.fact(context.method),
        Err(_) => Fact {
            observed: match &addresses.observed {
                Observed::Present(addresses) => Observed::Present(!addresses.is_empty()),
                Observed::Absent(_) => Observed::Present(false),
                Observed::Unknown(cause) => Observed::Unknown(*cause),
            },
            from: addresses.from.clone(),
        },
    }
}

fn undotted(context: &Context<'_>, rows: &Result<Vec<MxFacts>, &Missing>) -> Fact<Vec<Name>> {
    match rows {
        Ok(rows) => {
            let mut span = None;
            let mut names = Vec::new();
            let mut unknown = None;
            for row in rows {
                if let Observed::Unknown(cause) = row.undotted.observed {
                    unknown =
                        unknown.or(Some(Fact { observed: Observed::Unknown(cause), from: row.undotted.from.clone() }));
                }
                if row.undotted.observed.present() == Some(&true)
                    && let Some(host) = row.host.observed.present()
                {
                    names.push(host.clone());
                    span = span.or(row.host.from.span);
                }
            }
            match unknown {
                Some(fact) if names.is_empty() => fact,
                _ => context.present(names, span.or(rows.first().and_then(|row| row.host.from.span))),
            }
        }
        Err(missing) if missing.cause().is_none() => context.present(Vec::new(), missing.span),
        Err(missing) => missing.fact(context.method),
    }
}

fn addresses(context: &Context<'_>, name: &Name) -> Fact<Vec<IpAddr>> {
    match context.addresses(name) {
        Ok(found) => context.present(found.list, found.span),
        Err(missing) => missing.fact(context.method),
    }
}

/// The CNAME at the domain, and whether it stands beside other records.
fn cname(context: &Context<'_>, name: &Name) -> (Fact<Name>, Fact<bool>) {
    if context.source.is_live() {
        match context.no_alias(name) {
            Ok(Some(missing)) => return (missing.fact(context.method), context.present(false, missing.span)),
            Err(missing) => return (missing.fact(context.method), missing.fact(context.method)),
            Ok(None) => {}
        }
    }
    let set = match context.records(name, RecordType::CNAME) {
        Ok(set) => set,
        Err(missing) if missing.cause().is_none() => {
            return (missing.fact(context.method), context.present(false, missing.span));
        }
        Err(missing) => return (missing.fact(context.method), missing.fact(context.method)),
    };
    let target = set.records.iter().find_map(|record| match &record.data {
        RData::Cname(target, span) => Some((target.clone(), *span)),
        _ => None,
    });
    let Some((target, span)) = target else {
        let missing = Missing::unknown(Cause::Parse, "the CNAME record cannot be read", set.first());
        return (missing.fact(context.method), missing.fact(context.method));
    };
    (context.present(target, Some(span)), cname_mixed(context, name, &set, span))
}

fn cname_mixed(context: &Context<'_>, name: &Name, set: &RecordSet, span: Span) -> Fact<bool> {
    // RFC 2181 section 10.1: a second alias is another record, too.
    if let Some(second) = set.records.get(1) {
        return context.present(true, Some(second.span));
    }
    let mut unknown = set.incomplete.clone();
    for rtype in BESIDE_CNAME {
        // Where the type does not stand at the name itself, the alias is followed.
        let (None, beside) = split(context.source.lookup(name, rtype)) else { continue };
        match beside {
            Ok(beside) => return context.present(true, beside.first()),
            Err(missing) if missing.cause().is_some() => unknown = unknown.or(Some(missing)),
            Err(_) => {}
        }
    }
    match unknown {
        Some(missing) => missing.fact(context.method),
        None => context.present(false, Some(span)),
    }
}

/// Name servers and SOA of a zone. Domains come in order of their names, so the last zone is likely to be asked for again.
fn zone_facts(context: &Context<'_>, zone: &Name) -> ZoneFacts {
    if let Some(known) = context.cache.zone.borrow().as_ref().filter(|known| known.zone == *zone) {
        return known.clone();
    }
    let missed = context.source.missed();
    let facts = ZoneFacts { zone: zone.clone(), ns: name_servers(context, zone), soa: soa(context, zone) };
    if context.source.missed() == missed {
        *context.cache.zone.borrow_mut() = Some(facts.clone());
    }
    facts
}

fn name_servers(context: &Context<'_>, zone: &Name) -> Fact<List<NsFacts>> {
    let set = match context.records(zone, RecordType::NS) {
        Ok(set) => set,
        Err(missing) => return missing.fact(context.method),
    };
    let unknown = |missing: &Missing| NsFacts {
        host: missing.fact(context.method),
        cname: missing.fact(context.method),
        addresses: missing.fact(context.method),
    };
    let mut rows: Vec<NsFacts> = Vec::with_capacity(set.records.len());
    let mut hidden = Vec::new();
    for record in set.records.iter() {
        match &record.data {
            RData::Ns(host, at) => {
                let (cname, addresses, _) = target_addresses(context, host, *at);
                rows.push(NsFacts { host: context.present(host.clone(), Some(*at)), cname, addresses });
            }
            _ => hidden.extend(malformed(record).as_ref().map(unknown)),
        }
    }
    hidden.extend(set.incomplete.as_ref().map(unknown));
    rows.sort_by(|left, right| left.host.observed.present().cmp(&right.host.observed.present()));
    rows.extend(hidden);
    context.present(List(rows), set.first())
}

fn soa(context: &Context<'_>, zone: &Name) -> SoaFacts {
    let missing = match context.records(zone, RecordType::SOA) {
        Ok(RecordSet { records, .. }) => {
            if let Some(Record { data: RData::Soa(soa), .. }) = records.first() {
                let [mname, rname, serial, refresh, retry, expire, minimum] = soa.spans.map(Some);
                let seconds = |value: u32, span| context.present(Seconds(i64::from(value)), span);
                return SoaFacts {
                    mname: context.present(soa.mname.clone(), mname),
                    rname: context.present(soa.rname.clone(), rname),
                    serial: context.present(i64::from(soa.serial), serial),
                    refresh: seconds(soa.refresh, refresh),
                    retry: seconds(soa.retry, retry),
                    expire: seconds(soa.expire, expire),
                    minimum: seconds(soa.minimum, minimum),
                };
            }
            let span = records.first().map(|record| match &record.data {
                RData::Malformed { span, .. } => *span,
                _ => record.span,
            });
            Missing::unknown(Cause::Parse, "the SOA record cannot be read", span)
        }
        Err(missing) => missing,
    };
    SoaFacts {
        mname: missing.fact(context.method),
        rname: missing.fact(context.method),
        serial: missing.fact(context.method),
        refresh: missing.fact(context.method),
        retry: missing.fact(context.method),
        expire: missing.fact(context.method),
        minimum: missing.fact(context.method),
    }
}

/// Whether a wildcard record of a type stands directly below the domain (RFC 4592 section 2.1.1).
fn wildcard(context: &Context<'_>, name: &Name, records: impl Fn(&Name) -> Result<RecordSet, Missing>) -> Fact<bool> {
    let Ok(star) = name.child("*") else { return context.present(false, None) };
    match records(&star) {
        Ok(set) => context.present(true, set.first()),
        Err(missing) if missing.cause().is_none() => context.present(false, missing.span),
        Err(missing) => missing.fact(context.method),
    }
}

/// The smallest TTL among the MX, SPF and DMARC records.
pub(super) fn mail_ttl(context: &Context<'_>, name: &Name) -> Fact<Seconds> {
    let mut smallest: Option<(u32, Span)> = None;
    let mut note = |ttl: Option<u32>, span: Span| {
        if let Some(ttl) = ttl
            && smallest.is_none_or(|(known, _)| ttl < known)
        {
            smallest = Some((ttl, span));
        }
    };
    let mut unknown = None;
    match context.records(name, RecordType::MX) {
        Ok(set) => set.records.iter().for_each(|record| note(record.ttl, record.span)),
        Err(missing) => unknown = missing.cause().map(|_| missing),
    }
    match context.texts(name, RecordType::TXT).and_then(|texts| texts.holding(is_spf)) {
        Ok(texts) => texts.list.iter().filter(|text| is_spf(text)).for_each(|text| note(text.ttl, text.record)),
        Err(missing) => unknown = unknown.or(missing.cause().map(|_| missing)),
    }
    match context.child(name, "_dmarc").and_then(|at| context.texts(&at, RecordType::TXT)) {
        Ok(texts) => texts.list.iter().for_each(|text| note(text.ttl, text.record)),
        Err(missing) => unknown = unknown.or(missing.cause().map(|_| missing)),
    }
    match (smallest, unknown) {
        // The record that was not seen may have the smallest.
        (_, Some(missing)) => missing.fact(context.method),
        (Some((ttl, span)), None) => context.present(Seconds(i64::from(ttl)), Some(span)),
        (None, None) => Missing::absent(Proof::NotStated, None).fact(context.method),
    }
}

fn is_spf(text: &TextRecord) -> bool {
    spf::is_spf_version(&text.text.bytes)
}
