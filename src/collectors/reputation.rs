//! What block lists say of addresses and domain names (RFC 5782).
//!
//! A list is believed only when it passes the self-test of RFC 5782 section 5: it must hold its test entry and must not
//! hold the entry that no list may hold. A dead list answers "not listed" to everything, a resolver that rewrites
//! answers makes everything look listed, and lists refuse resolvers they do not want to serve with a code that looks
//! like a listing. In all these cases what the list says of the target is unknown; only an answer of a working list is a
//! fact. All questions are asked at once, as none depends on the answer to another. Files hold no block lists, so
//! without the network nothing is collected.

use std::net::{IpAddr, Ipv4Addr};

use crate::diag::Span;
use crate::facts::domain::{List, ReputationFacts};
use crate::facts::host::{ListHealth, ListingFacts};
use crate::facts::{Cause, Fact, Observed, Proof};
use crate::mail::Name;
use crate::mail::reverse::reverse_labels;
use crate::sources::{RData, RecordType};

use super::Context;
use super::context::Missing;

/// A list that is asked when the inventory names none. None of them needs registration; all follow RFC 5782.
struct KnownList {
    zone: &'static str,
    /// Whether it holds IPv6 addresses.
    ipv6: bool,
}

/// Lists of addresses that are asked when the inventory names none.
const HOST_LISTS: &[KnownList] = &[
    // The list that most receivers use: spam sources, exploited machines, and ranges that should not send mail directly.
    KnownList { zone: "zen.spamhaus.org", ipv6: true },
    // Built from reports of recipients, so it shows what leaves a host now; entries expire by themselves.
    KnownList { zone: "bl.spamcop.net", ipv6: false },
    // Built from traps only, and owners may remove entries themselves, so a listing is recent and seldom an error.
    KnownList { zone: "psbl.surriel.com", ipv6: false },
];

/// Lists of domain names that are asked when the inventory names none.
const DOMAIN_LISTS: &[KnownList] = &[
    // Domains of spam, phishing and malware, with codes of their own for legitimate domains that were abused.
    KnownList { zone: "dbl.spamhaus.org", ipv6: false },
];

/// What the lists say of one target.
pub(super) struct Listings {
    pub(super) lists: Fact<List<ListingFacts>>,
    pub(super) listed_on: Fact<Vec<String>>,
}

/// Facts from domain lists.
pub(super) fn collect(context: &Context<'_>, name: &Name) -> ReputationFacts {
    let declared = context.inventory.and_then(|inventory| inventory.block_lists.as_ref()?.domains.as_deref());
    // RFC 5782 section 5: lists of names hold TEST and do not hold INVALID.
    let test = Test { listed: "test".to_owned(), unlisted: "invalid".to_owned(), other_family: None };
    let Listings { lists, listed_on } = ask(context, zones(declared, DOMAIN_LISTS, false), &test, name.as_str());
    ReputationFacts { lists, listed_on }
}

/// Facts from address lists.
pub(super) fn address(context: &Context<'_>, address: IpAddr) -> Listings {
    let declared = context.inventory.and_then(|inventory| inventory.block_lists.as_ref()?.hosts.as_deref());
    let address = address.to_canonical();
    // RFC 5782 section 5: lists of addresses hold 127.0.0.2 and do not hold 127.0.0.1.
    let v4 = |last: u8| reverse_labels(Ipv4Addr::new(127, 0, 0, last).into());
    let test = if address.is_ipv4() {
        Test { listed: v4(2), unlisted: v4(1), other_family: None }
    } else {
        // RFC 5782 section 5: ::FFFF:7F00:2 and ::FFFF:7F00:1, digit by digit, not as the IPv4 addresses they stand for.
        let v6 = |last: u128| {
            let digits = format!("{:032x}", 0xffff_7f00_0000 | last);
            digits.chars().rev().map(String::from).collect::<Vec<_>>().join(".")
        };
        Test { listed: v6(2), unlisted: v6(1), other_family: Some(v4(2)) }
    };
    // RFC 5782 sections 2.1 and 2.4: octets or hexadecimal digits in reverse, below the zone of the list.
    ask(context, zones(declared, HOST_LISTS, address.is_ipv6()), &test, &reverse_labels(address))
}

/// The zones to ask: those of the inventory, or those that are known.
fn zones(declared: Option<&[Name]>, known: &[KnownList], ipv6: bool) -> Vec<Name> {
    match declared {
        Some(zones) => zones.to_vec(),
        None => known.iter().filter(|list| !ipv6 || list.ipv6).filter_map(|list| Name::parse(list.zone).ok()).collect(),
    }
}

/// The entries of the self-test.
struct Test {
    /// Every list holds it.
    listed: String,
    /// No list holds it.
    unlisted: String,
    /// Every list of addresses of the other family holds it: tells a list without IPv6 from a dead one.
    other_family: Option<String>,
}

/// What the lists say of the entry `labels`.
fn ask(context: &Context<'_>, zones: Vec<Name>, test: &Test, labels: &str) -> Listings {
    if !context.source.is_live() {
        return Listings { lists: Fact::default(), listed_on: Fact::default() };
    }
    if zones.is_empty() {
        let off = Missing::unknown(Cause::NotCollected, "the inventory switches these block lists off", None);
        return Listings { lists: off.fact(context.method), listed_on: off.fact(context.method) };
    }
    let rows: Vec<ListingFacts> = zones.iter().map(|zone| row(context, zone, test, labels)).collect();
    let listed_on = listed_on(context, &rows);
    let first = rows.first().and_then(|row| row.listed.from.span);
    Listings { lists: context.present(List(rows), first), listed_on }
}

/// Names of the working lists that list the target. One listing is enough to know; for "none", every list that may work must
/// have said so. A list that answers and fails its self-test says nothing (RFC 5782 section 5).
fn listed_on(context: &Context<'_>, rows: &[ListingFacts]) -> Fact<Vec<String>> {
    let name = |row: &ListingFacts| row.list.observed.present().cloned();
    let is = |row: &ListingFacts, listed: bool| row.listed.observed == Observed::Present(listed);
    let listing: Vec<&ListingFacts> = rows.iter().filter(|row| is(row, true)).collect();
    let unknown: Vec<&ListingFacts> =
        rows.iter().filter(|row| matches!(row.listed.observed, Observed::Unknown(_))).collect();
    let note = (!unknown.is_empty()).then(|| {
        let names: Vec<String> = unknown.iter().filter_map(|row| name(row)).collect();
        format!("{} of {} lists say nothing: {}", unknown.len(), rows.len(), names.join(", "))
    });
    let answered = rows.iter().find(|row| is(row, false));
    let fails = |row: &ListingFacts| {
        let health = row.health.observed.present();
        matches!(health, Some(ListHealth::Dead | ListHealth::ListsEverything))
    };
    let doubtful = unknown.iter().find(|row| !fails(row)).or(unknown.first().filter(|_| answered.is_none()));
    let fact = match (listing.first(), doubtful) {
        (Some(first), _) => {
            let names = listing.iter().filter_map(|row| name(row)).collect();
            context.present(names, first.listed.from.span)
        }
        (None, Some(row)) => {
            let Observed::Unknown(cause) = row.listed.observed else { return Fact::default() };
            Missing::unknown(cause, "", row.listed.from.span).fact(context.method)
        }
        (None, None) => context.present(Vec::new(), answered.and_then(|row| row.listed.from.span)),
    };
    match note {
        Some(note) => fact.with_note(note),
        None => fact,
    }
}

fn row(context: &Context<'_>, zone: &Name, test: &Test, labels: &str) -> ListingFacts {
    // Everything is asked before anything is looked at: no answer depends on another.
    let entry = entry(context, zone, labels);
    let reason = context.child(zone, labels).and_then(|name| context.texts_with_aliases(&name, RecordType::TXT).1);
    let listed_test = self::entry(context, zone, &test.listed);
    let unlisted_test = self::entry(context, zone, &test.unlisted);
    let other_family = test.other_family.as_ref().map(|labels| self::entry(context, zone, labels));

    let other_family_only = matches!(
        (&other_family, &listed_test, &unlisted_test),
        (Some(Entry::Listed { .. }), Entry::NotListed(_), Entry::NotListed(_))
    );
    let health = health(context, zone, &listed_test, &unlisted_test, other_family_only);
    let outcome = believed(&health, &entry, other_family_only);
    let list = context.present(zone.as_str().to_owned(), health.from.span);
    let method = context.method;
    match outcome {
        Ok(Some((codes, span))) => ListingFacts {
            list,
            health,
            listed: context.present(true, span),
            codes: context.present(codes, span),
            reason: match reason {
                Ok(texts) => {
                    let mut lines: Vec<String> = texts.list.iter().map(super::context::TextRecord::lossy).collect();
                    lines.sort();
                    context.present(lines.join("\n"), texts.list.first().map(|text| text.text.span))
                }
                Err(missing) => missing.fact(method),
            },
        },
        Ok(None) => {
            let absent = entry.absence();
            ListingFacts {
                list,
                health,
                listed: context.present(false, absent.span),
                codes: absent.fact(method),
                reason: absent.fact(method),
            }
        }
        Err(missing) => ListingFacts {
            list,
            health,
            listed: missing.fact(method),
            codes: missing.fact(method),
            reason: missing.fact(method),
        },
    }
}

/// What a list answers about one entry.
enum Entry {
    /// Codes within 127.0.0.0/8 that mean a listing (RFC 5782 section 2.1).
    Listed { codes: Vec<IpAddr>, span: Option<Span> },
    /// No address record.
    NotListed(Missing),
    /// A code that means an error or a refusal.
    Refused { code: IpAddr, span: Option<Span> },
    /// An address outside 127.0.0.0/8: not an answer of a block list.
    Foreign { address: IpAddr, span: Option<Span> },
    /// No answer.
    Unanswered(Missing),
}

impl Entry {
    /// The absence that was proven, for facts that are absent for it.
    fn absence(&self) -> Missing {
        match self {
            Entry::NotListed(missing) => missing.clone(),
            _ => Missing::absent(Proof::Nodata, None),
        }
    }

    fn span(&self) -> Option<Span> {
        match self {
            Entry::Listed { span, .. } | Entry::Refused { span, .. } | Entry::Foreign { span, .. } => *span,
            Entry::NotListed(missing) | Entry::Unanswered(missing) => missing.span,
        }
    }
}

fn entry(context: &Context<'_>, zone: &Name, labels: &str) -> Entry {
    let set = match context.child(zone, labels).and_then(|name| context.records(&name, RecordType::A)) {
        Ok(set) => set,
        Err(missing) if missing.cause().is_some() => return Entry::Unanswered(missing),
        Err(missing) => return Entry::NotListed(missing),
    };
    let span = set.first();
    let doubt = set.doubt();
    let mut codes: Vec<Ipv4Addr> = set
        .records
        .iter()
        .filter_map(|record| match record.data {
            RData::A(address, _) => Some(address),
            _ => None,
        })
        .collect();
    codes.sort_unstable();
    codes.dedup();
    if let Some(code) = codes.iter().find(|code| is_refusal(**code)) {
        return Entry::Refused { code: (*code).into(), span };
    }
    // RFC 5782 section 2.1: the codes of a list lie in 127.0.0.0/8.
    if let Some(address) = codes.iter().find(|code| !code.is_loopback()) {
        return Entry::Foreign { address: (*address).into(), span };
    }
    match (codes.is_empty(), doubt) {
        (false, _) => Entry::Listed { codes: codes.into_iter().map(IpAddr::from).collect(), span },
        (true, Some(missing)) => Entry::Unanswered(missing),
        (true, None) => Entry::NotListed(Missing::absent(Proof::Nodata, span)),
    }
}

/// Whether a code says that the question was refused: 127.255.255.0/24 by the convention of lists (252: the name of the
/// list is mistyped, 254: asked through a public resolver, 255: asked too often), and 127.0.0.1, with which other lists
/// say the same, and which RFC 5782 section 2.1 has nobody use for a listing.
fn is_refusal(code: Ipv4Addr) -> bool {
    matches!(code.octets(), [127, 255, 255, _] | [127, 0, 0, 1])
}

/// Whether the list can be believed (RFC 5782 section 5).
fn health(
    context: &Context<'_>,
    zone: &Name,
    listed: &Entry,
    unlisted: &Entry,
    other_family_only: bool,
) -> Fact<ListHealth> {
    let is = |health, entry: &Entry| context.present(health, entry.span());
    match (listed, unlisted) {
        (Entry::Refused { code, .. }, _) => is(ListHealth::Refused, listed).with_note(refused(*code)),
        (_, Entry::Refused { code, .. }) => is(ListHealth::Refused, unlisted).with_note(refused(*code)),
        (_, Entry::Listed { .. }) => {
            let note = format!("{zone} lists the entry that no list may hold");
            is(ListHealth::ListsEverything, unlisted).with_note(note)
        }
        (_, Entry::Foreign { address, .. }) => is(ListHealth::ListsEverything, unlisted).with_note(rewritten(*address)),
        (Entry::Foreign { address, .. }, _) => is(ListHealth::Dead, listed).with_note(rewritten(*address)),
        (Entry::NotListed(_), _) if other_family_only => {
            is(ListHealth::Dead, listed).with_note(format!("{zone} holds no IPv6 addresses, not even its test entry"))
        }
        (Entry::NotListed(_), _) => {
            is(ListHealth::Dead, listed).with_note(format!("{zone} does not hold the test entry that every list holds"))
        }
        (Entry::Unanswered(missing), _) | (_, Entry::Unanswered(missing)) => missing.fact(context.method),
        (Entry::Listed { .. }, Entry::NotListed(_)) => is(ListHealth::Working, listed),
    }
}

fn refused(code: IpAddr) -> String {
    format!("the list refused the resolver that asked (code {code})")
}

fn rewritten(address: IpAddr) -> String {
    format!("{address} is not the answer of a block list: the list is gone, or the resolver rewrites answers")
}

/// What the list says of the target, as far as it can be believed: codes when listed, or why it is unknown.
#[expect(clippy::type_complexity, reason = "three outcomes that are told apart once, right above")]
fn believed(
    health: &Fact<ListHealth>,
    entry: &Entry,
    other_family_only: bool,
) -> Result<Option<(Vec<IpAddr>, Option<Span>)>, Missing> {
    let (span, note) = (health.from.span, health.from.note.clone().unwrap_or_default());
    match (&health.observed, entry) {
        (Observed::Present(ListHealth::Refused), _) => Err(Missing::unknown(Cause::DnsRefused, note, span)),
        (Observed::Present(ListHealth::Dead), _) if other_family_only => {
            Err(Missing::unknown(Cause::NotCollected, note, span))
        }
        (Observed::Present(ListHealth::Dead | ListHealth::ListsEverything), _) => {
            Err(Missing::unknown(Cause::Protocol, note, span))
        }
        (Observed::Unknown(cause), _) => Err(Missing::unknown(*cause, note, span)),
        (_, Entry::Listed { codes, span }) => Ok(Some((codes.clone(), *span))),
        (_, Entry::NotListed(_)) => Ok(None),
        (_, Entry::Refused { code, span }) => Err(Missing::unknown(Cause::DnsRefused, refused(*code), *span)),
        (_, Entry::Foreign { address, span }) => Err(Missing::unknown(Cause::Protocol, rewritten(*address), *span)),
        (_, Entry::Unanswered(missing)) => Err(missing.clone()),
    }
}
