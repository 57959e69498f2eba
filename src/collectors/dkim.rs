//! DKIM keys of the selectors that are known: those the source can enumerate and those of the inventory.

use std::collections::BTreeSet;

use crate::diag::Span;
use crate::facts::domain::{DkimFacts, DkimKeyFacts, DkimKeyType, List};
use crate::facts::{Cause, Fact, Method, Observed, Proof};
use crate::mail::Name;
use crate::mail::dkim::{self, Key, KeyType};
use crate::sources::RecordType;

use super::Context;
use super::context::{Missing, TextRecord, Texts};

/// Facts about the DKIM keys of a domain.
pub(super) fn collect(context: &Context<'_>, name: &Name) -> DkimFacts {
    let declared = context.entry(name).and_then(|entry| entry.dkim_selectors.as_ref());
    let expected: BTreeSet<String> =
        declared.into_iter().flatten().map(|selector| selector.to_ascii_lowercase()).collect();
    let Ok(parent) = name.child("_domainkey") else {
        // A name that is too long for DNS has no records, so every expected selector is missing.
        let facts = missing_all(context, &Missing::absent(Proof::Nxdomain, None));
        let missing_selectors = match declared {
            Some(_) => context.present(expected.into_iter().collect(), None),
            None => Missing::absent(Proof::NotDeclared, None).fact(Method::Inventory),
        };
        return DkimFacts { missing_selectors, ..facts };
    };
    let enumerated = enumerate(context, &parent);
    let mut selectors = expected.clone();
    if let Ok(found) = &enumerated {
        selectors.extend(found.iter().cloned());
    }
    let mut rows = Vec::with_capacity(selectors.len());
    let mut missing_selectors = Vec::new();
    let mut unknown_selector = None;
    for selector in selectors {
        match key(context, &parent, &selector) {
            Selector::Key(row) => rows.push(*row),
            Selector::Nothing if expected.contains(&selector) => missing_selectors.push(selector),
            Selector::Nothing => {}
            Selector::Unknown { missing, alias } => {
                rows.push(unknown_row(context, Some(&selector), alias, &missing));
                if expected.contains(&selector) {
                    unknown_selector.get_or_insert(missing);
                }
            }
        }
    }
    // Files that hold the zone and cannot list its names hide selectors.
    if let Err(missing) = &enumerated
        && context.method == Method::DnsFile
        && !rows.is_empty()
        && context.source.zone_of(&parent).is_some()
    {
        rows.push(unknown_row(context, None, None, missing));
    }
    let anchor = rows.iter().find_map(|row| row.selector.from.span).or(soa_span(context, name));
    DkimFacts {
        usable: usable(context, &rows, &enumerated, anchor),
        missing_selectors: match unknown_selector {
            _ if declared.is_none() => Missing::absent(Proof::NotDeclared, None).fact(Method::Inventory),
            Some(missing) if missing_selectors.is_empty() => missing.fact(context.method),
            _ => context.present(missing_selectors, anchor),
        },
        wildcard: wildcard(context, &parent),
        keys: match (&enumerated, rows.is_empty()) {
            // RFC 6376 section 3.1: selectors cannot be discovered, so none found proves nothing unless the source can
            // enumerate its names.
            (Err(missing), true) => missing.fact(context.method),
            _ => context.present(List(rows), anchor),
        },
    }
}

/// What stands at a selector.
enum Selector {
    Key(Box<DkimKeyFacts>),
    Nothing,
    /// The alias is known even where its target is not.
    Unknown {
        missing: Missing,
        alias: Option<(Name, Span)>,
    },
}

/// Labels of the selectors below `_domainkey`, as far as the source can enumerate them.
fn enumerate(context: &Context<'_>, parent: &Name) -> Result<Vec<String>, Missing> {
    let Some(names) = context.source.names_below(parent) else {
        let note = "selectors cannot be enumerated, and the inventory names none that is published";
        return Err(Missing::unknown(Cause::NotCollected, note, None));
    };
    let suffix = format!(".{parent}");
    let mut selectors: Vec<String> = names
        .iter()
        .filter_map(|name| name.as_str().strip_suffix(&suffix))
        .filter(|selector| *selector != "*" && !selector.starts_with("*."))
        .map(str::to_owned)
        .collect();
    selectors.sort();
    selectors.dedup();
    Ok(selectors)
}

/// The key record of one selector.
fn key(context: &Context<'_>, parent: &Name, selector: &str) -> Selector {
    let Ok(name) = parent.child(selector) else { return Selector::Nothing };
    let (alias, texts) = context.texts_with_aliases(&name, RecordType::TXT);
    let looks_like_key = |text: &TextRecord| dkim::looks_like_key(&text.text.lossy());
    let texts = match texts.and_then(Texts::all_read).and_then(|texts| texts.holding(looks_like_key)) {
        Ok(texts) => texts,
        Err(missing) if missing.cause().is_some() => return Selector::Unknown { missing, alias },
        Err(missing) => match alias {
            // An alias to a name that does not exist is published, and gives no key.
            Some((target, span)) => {
                return Selector::Key(Box::new(dangling(context, selector, target, span, &missing)));
            }
            None => return Selector::Nothing,
        },
    };
    // RFC 6376 section 3.6.2.2: several records give undefined results; other TXT records at the name count as well.
    let Some(text) = texts.list.iter().find(|text| looks_like_key(text)).or(texts.list.first()) else {
        return Selector::Nothing;
    };
    let record_count = match &texts.incomplete {
        Some(missing) if texts.list.len() == 1 => missing.fact(context.method),
        _ => context.present(i64::try_from(texts.list.len()).unwrap_or(i64::MAX), Some(text.record)),
    };
    Selector::Key(Box::new(row(context, selector, alias, text, record_count)))
}

fn row(
    context: &Context<'_>,
    selector: &str,
    alias: Option<(Name, Span)>,
    text: &TextRecord,
    record_count: Fact<i64>,
) -> DkimKeyFacts {
    let value = text.lossy();
    let key = dkim::parse(&value);
    let whole = Some(text.text.span);
    let at = |range: &Option<std::ops::Range<usize>>| {
        // An empty value has no characters to point at.
        let range = range.clone().filter(|range| !range.is_empty());
        range.map(|range| text.text.place(range)).or(whole)
    };
    let nothing = || Missing::absent(Proof::NotStated, whole);
    DkimKeyFacts {
        selector: context.present(selector.to_owned(), Some(text.record)),
        record_count,
        valid: context.present(key.problems.is_empty(), problem_span(&key, text).or(whole)),
        error: match key.problems.first() {
            Some(problem) => context.present(problem.reason.clone(), problem_span(&key, text)),
            None => nothing().fact(context.method),
        },
        key_type: context.present(
            match key.key_type {
                KeyType::Rsa => DkimKeyType::Rsa,
                KeyType::Ed25519 => DkimKeyType::Ed25519,
                KeyType::Other => DkimKeyType::Other,
            },
            at(&key.type_range),
        ),
        bits: match key.bits {
            Some(bits) => context.present(i64::from(bits), at(&key.key_range)),
            None => nothing().fact(context.method),
        },
        revoked: context.present(key.revoked, at(&key.key_range)),
        testing: context.present(key.testing, at(&key.flags_range)),
        sha1: context.present(key.names_sha1, at(&key.hash_range)),
        email: context.present(key.for_email, at(&key.service_range)),
        cname: match alias {
            Some((target, span)) => context.present(target, Some(span)),
            None => nothing().fact(context.method),
        },
        text: context.present(value, whole),
    }
}

fn problem_span(key: &Key, text: &TextRecord) -> Option<Span> {
    key.problems.first().map(|problem| text.text.place(problem.range.clone()))
}

/// A selector whose alias leads to a name without records.
fn dangling(context: &Context<'_>, selector: &str, target: Name, span: Span, missing: &Missing) -> DkimKeyFacts {
    let at = Some(span);
    let nothing = || Missing { span: at, ..missing.clone() };
    DkimKeyFacts {
        selector: context.present(selector.to_owned(), at),
        record_count: context.present(0, at),
        text: nothing().fact(context.method),
        valid: context.present(false, at),
        error: context.present(format!("the alias leads to {target}, which has no TXT record"), at),
        key_type: nothing().fact(context.method),
        bits: nothing().fact(context.method),
        revoked: nothing().fact(context.method),
        testing: nothing().fact(context.method),
        sha1: nothing().fact(context.method),
        email: nothing().fact(context.method),
        cname: context.present(target, at),
    }
}

/// A selector that may exist and whose record is not known; without a name, any selector.
fn unknown_row(
    context: &Context<'_>,
    selector: Option<&str>,
    alias: Option<(Name, Span)>,
    missing: &Missing,
) -> DkimKeyFacts {
    DkimKeyFacts {
        selector: match selector {
            Some(selector) => context.present(selector.to_owned(), missing.span),
            None => missing.fact(context.method),
        },
        record_count: missing.fact(context.method),
        text: missing.fact(context.method),
        valid: missing.fact(context.method),
        error: missing.fact(context.method),
        key_type: missing.fact(context.method),
        bits: missing.fact(context.method),
        revoked: missing.fact(context.method),
        testing: missing.fact(context.method),
        sha1: missing.fact(context.method),
        email: missing.fact(context.method),
        cname: match alias {
            Some((target, span)) => context.present(target, Some(span)),
            None => missing.fact(context.method),
        },
    }
}

/// Whether a key that can protect mail is published.
fn usable(
    context: &Context<'_>,
    rows: &[DkimKeyFacts],
    enumerated: &Result<Vec<String>, Missing>,
    anchor: Option<Span>,
) -> Fact<bool> {
    let mut unknown: Option<&DkimKeyFacts> = None;
    for row in rows {
        // RFC 6376 section 3.6.2.2: what verifiers do with several records is undefined, so none of them protects.
        if matches!(row.record_count.observed, Observed::Present(2..)) {
            continue;
        }
        if matches!(row.record_count.observed, Observed::Unknown(_)) {
            unknown.get_or_insert(row);
            continue;
        }
        match (&row.valid.observed, &row.revoked.observed, &row.testing.observed, &row.email.observed) {
            // RFC 6376 section 3.6.1: revoked keys and keys in test mode protect nothing.
            (Observed::Present(true), Observed::Present(false), Observed::Present(false), Observed::Present(true)) => {
                return context.present(true, row.selector.from.span);
            }
            (Observed::Unknown(_), ..) => {
                unknown.get_or_insert(row);
            }
            _ => {}
        }
    }
    match (unknown, enumerated) {
        (Some(row), _) => {
            let from = if matches!(row.valid.observed, Observed::Unknown(_)) {
                &row.valid.from
            } else {
                &row.record_count.from
            };
            let cause = match (&row.valid.observed, &row.record_count.observed) {
                (Observed::Unknown(cause), _) | (_, Observed::Unknown(cause)) => *cause,
                _ => Cause::NotCollected,
            };
            Fact { observed: Observed::Unknown(cause), from: from.clone() }
        }
        (None, Ok(_)) => context.present(false, anchor),
        (None, Err(missing)) => missing.fact(context.method),
    }
}

/// RFC 4592: a wildcard below `_domainkey` answers for every selector.
fn wildcard(context: &Context<'_>, parent: &Name) -> Fact<bool> {
    let Ok(star) = parent.child("*") else { return context.present(false, None) };
    match context.records(&star, RecordType::TXT) {
        Ok(set) => context.present(true, set.first()),
        Err(missing) if missing.cause().is_none() => context.present(false, missing.span),
        Err(missing) => missing.fact(context.method),
    }
}

fn soa_span(context: &Context<'_>, name: &Name) -> Option<Span> {
    context.source.zone_of(name).map(|(_, span)| span)
}

fn missing_all(context: &Context<'_>, missing: &Missing) -> DkimFacts {
    DkimFacts {
        keys: missing.fact(context.method),
        usable: missing.fact(context.method),
        missing_selectors: missing.fact(context.method),
        wildcard: missing.fact(context.method),
    }
}
