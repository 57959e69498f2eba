//! MTA-STS, TLS-RPT, BIMI and CAA records.

mod policy_fetch;

use crate::diag::Span;
use crate::facts::domain::{BimiFacts, CaaFacts, CaaRecordFacts, DnsFacts, List, MtaStsFacts, TlsRptFacts};
use crate::facts::{Fact, Proof};
use crate::mail::tags::Problem;
use crate::mail::{Name, bimi, caa, mta_sts, tls_rpt};
use crate::sources::{RData, RecordType};

use super::Context;
use super::context::{Missing, RecordSet, TextRecord, Texts, malformed};

/// How many TXT records of a kind stand at a name, and the only one if there is exactly one.
struct Published {
    count: Fact<i64>,
    text: Fact<String>,
    /// The record, when there is exactly one.
    only: Option<TextRecord>,
    /// Why nothing more follows, when there is not exactly one.
    missing: Missing,
    /// What is wrong with the number of records.
    surplus: Option<String>,
    /// Why there may be more records.
    incomplete: Option<Missing>,
}

/// Reads the TXT records at `labels` below a domain and keeps those of a kind.
fn published(context: &Context<'_>, name: &Name, labels: &str, kind: &str, is_kind: fn(&str) -> bool) -> Published {
    let of_kind = |text: &TextRecord| is_kind(&text.lossy());
    let texts = context.child(name, labels).and_then(|at| context.texts(&at, RecordType::TXT));
    let (mut texts, others, incomplete) = match texts.and_then(Texts::all_read).and_then(|texts| texts.holding(of_kind))
    {
        Ok(texts) => {
            let other = texts.list.first().map(|text| text.record);
            (texts.list.into_iter().filter(of_kind).collect::<Vec<_>>(), other, texts.incomplete)
        }
        Err(missing) => {
            let count = match missing.cause() {
                None => context.present(0, missing.span),
                Some(_) => missing.fact(context.method),
            };
            let text = missing.fact(context.method);
            return Published { count, text, only: None, missing, surplus: None, incomplete: None };
        }
    };
    let count = texts.len();
    let first = texts.first().map(|text| text.text.span);
    let fact = match &incomplete {
        Some(missing) if count < 2 => missing.fact(context.method),
        _ => context.present(i64::try_from(count).unwrap_or(i64::MAX), first.or(others)),
    };
    match count {
        0 => {
            let missing = Missing::absent(Proof::NotPublished, others);
            Published {
                count: fact,
                text: missing.fact(context.method),
                only: None,
                missing,
                surplus: None,
                incomplete,
            }
        }
        1 => {
            let only = texts.remove(0);
            let text = context.present(only.lossy(), first);
            let missing = Missing::absent(Proof::NotStated, first);
            Published { count: fact, text, only: Some(only), missing, surplus: None, incomplete }
        }
        _ => {
            let second = texts[1].text.span;
            let text = context.present(texts[0].lossy(), first);
            let missing = Missing::absent(Proof::NotStated, Some(second));
            let surplus = Some(format!("{count} {kind} records at one name"));
            Published { count: fact, text, only: None, missing, surplus, incomplete }
        }
    }
}

impl Published {
    /// Whether exactly one record is published and follows the grammar, and what is wrong.
    fn validity(&self, context: &Context<'_>, problems: &[Problem]) -> (Fact<bool>, Fact<String>) {
        match (&self.only, &self.surplus, problems.first()) {
            (Some(_), _, None) if let Some(missing) = &self.incomplete => {
                (missing.fact(context.method), missing.fact(context.method))
            }
            (Some(text), _, None) => (
                context.present(true, Some(text.text.span)),
                Missing::absent(Proof::NotStated, Some(text.text.span)).fact(context.method),
            ),
            (Some(text), _, Some(problem)) => {
                let at = Some(text.text.place(problem.range.clone()));
                (context.present(false, at), context.present(problem.reason.clone(), at))
            }
            (None, Some(surplus), _) => {
                (context.present(false, self.missing.span), context.present(surplus.clone(), self.missing.span))
            }
            (None, None, _) => (self.missing.fact(context.method), self.missing.fact(context.method)),
        }
    }

    /// A fact read from the only record, or missing.
    fn fact<T>(&self, context: &Context<'_>, value: Option<(T, Option<Span>)>) -> Fact<T> {
        match value {
            Some((value, span)) => context.present(value, span),
            None => self.missing.fact(context.method),
        }
    }
}

/// MTA-STS record, policy host, and the policy where a file holds it.
pub(super) fn mta_sts(context: &Context<'_>, name: &Name, dns: &DnsFacts) -> MtaStsFacts {
    let published = published(context, name, "_mta-sts", "MTA-STS", mta_sts::is_sts);
    let record = published.only.as_ref().map(|text| (mta_sts::parse(&text.lossy()), text));
    let problems = record.as_ref().map(|(record, _)| record.problems.as_slice()).unwrap_or_default();
    let (valid, error) = published.validity(context, problems);
    let id = record.as_ref().and_then(|(record, text)| {
        let range = record.id_range.clone()?;
        Some((record.id.clone()?, Some(text.text.place(range))))
    });
    let policy_host = policy_host(context, name);
    MtaStsFacts {
        valid,
        error,
        id: published.fact(context, id),
        fetch: policy_fetch::fetch(context, name, &policy_host),
        policy: policy_fetch::policy(context, name, dns),
        policy_host,
        record_count: published.count,
        text: published.text,
    }
}

/// Whether `mta-sts.<domain>` resolves (RFC 8461 section 3.3). An alias alone is no address: its target may not exist.
fn policy_host(context: &Context<'_>, name: &Name) -> Fact<bool> {
    let Ok(host) = name.child("mta-sts") else { return context.present(false, None) };
    let alias = context.source.lookup(&host, RecordType::A).aliases.first().map(|alias| alias.span);
    match context.addresses_if_any(&host) {
        Ok(found) => context.present(true, alias.or(found.span)),
        Err(missing) if missing.cause().is_none() => context.present(false, alias.or(missing.span)),
        Err(missing) => missing.fact(context.method),
    }
}

/// TLS-RPT record.
pub(super) fn tls_rpt(context: &Context<'_>, name: &Name) -> TlsRptFacts {
    let published = published(context, name, "_smtp._tls", "TLS-RPT", tls_rpt::is_tls_rpt);
    let record = published.only.as_ref().map(|text| (tls_rpt::parse(&text.lossy()), text));
    let problems = record.as_ref().map(|(record, _)| record.problems.as_slice()).unwrap_or_default();
    let (valid, error) = published.validity(context, problems);
    let rua = record.as_ref().map(|(record, text)| {
        let at = record.rua.first().map(|(_, range)| text.text.place(range.clone()));
        (record.rua.iter().map(|(uri, _)| uri.clone()).collect(), at.or(Some(text.text.span)))
    });
    TlsRptFacts { valid, error, rua: published.fact(context, rua), record_count: published.count, text: published.text }
}

/// BIMI assertion record of the default selector.
pub(super) fn bimi(context: &Context<'_>, name: &Name) -> BimiFacts {
    let published = published(context, name, "default._bimi", "BIMI", bimi::is_bimi);
    let record = published.only.as_ref().map(|text| (bimi::parse(&text.lossy()), text));
    let problems = record.as_ref().map(|(record, _)| record.problems.as_slice()).unwrap_or_default();
    let (valid, error) = published.validity(context, problems);
    let stated = |slot: &Option<(String, std::ops::Range<usize>)>, text: &TextRecord| {
        slot.as_ref()
            .filter(|(value, _)| !value.is_empty())
            .map(|(value, range)| (value.clone(), Some(text.text.place(range.clone()))))
    };
    let location = record.as_ref().and_then(|(record, text)| stated(&record.location, text));
    let evidence = record.as_ref().and_then(|(record, text)| stated(&record.evidence, text));
    let declined = record.as_ref().map(|(record, text)| (record.declined, Some(text.text.span)));
    BimiFacts {
        valid,
        error,
        declined: published.fact(context, declined),
        location: published.fact(context, location),
        evidence: published.fact(context, evidence),
        record_count: published.count,
        text: published.text,
    }
}

/// CAA records of the closest ancestor that has any (RFC 8659 section 3), and how many of them are the domain's own.
pub(super) fn caa(context: &Context<'_>, name: &Name) -> CaaFacts {
    let own = context.records(name, RecordType::CAA);
    let record_count = match &own {
        Ok(set) => match &set.incomplete {
            Some(missing) => missing.fact(context.method),
            None => context.present(i64::try_from(set.records.len()).unwrap_or(i64::MAX), set.first()),
        },
        Err(missing) if missing.cause().is_none() => context.present(0, missing.span),
        Err(missing) => missing.fact(context.method),
    };
    CaaFacts { record_count, ..applied_caa(context, name, own) }
}

/// The records that apply: the domain's own, or those of the closest ancestor that has any.
fn applied_caa(context: &Context<'_>, name: &Name, own: Result<RecordSet, Missing>) -> CaaFacts {
    let mut at = Some(name.clone());
    let mut own = Some(own);
    let mut absent: Option<Missing> = None;
    while let Some(candidate) = at.filter(|candidate| !candidate.is_root()) {
        match own.take().unwrap_or_else(|| context.records(&candidate, RecordType::CAA)) {
            Ok(set) => return caa_facts(context, candidate, &set),
            Err(missing) if missing.cause().is_some() => {
                // What the parents publish decides, and it is not known.
                return CaaFacts {
                    record_count: Fact::default(),
                    records: missing.fact(context.method),
                    record_domain: missing.fact(context.method),
                    issuemail: missing.fact(context.method),
                };
            }
            Err(missing) => absent = absent.or(Some(missing)),
        }
        at = candidate.parent();
    }
    let missing = absent.unwrap_or_else(|| Missing::absent(Proof::Nodata, None));
    CaaFacts {
        record_count: Fact::default(),
        records: missing.fact(context.method),
        record_domain: missing.fact(context.method),
        issuemail: context.present(false, missing.span),
    }
}

fn caa_facts(context: &Context<'_>, name: Name, set: &RecordSet) -> CaaFacts {
    let first = set.first();
    let mut rows = Vec::with_capacity(set.records.len());
    let mut issuemail = None;
    let unknown = |missing: &Missing| CaaRecordFacts {
        tag: missing.fact(context.method),
        value: missing.fact(context.method),
        critical: missing.fact(context.method),
        known: missing.fact(context.method),
    };
    for record in set.records.iter() {
        let RData::Caa { flags, tag, value, span } = &record.data else {
            rows.extend(malformed(record).as_ref().map(unknown));
            continue;
        };
        let at = Some(*span);
        // RFC 8659 section 4.1: tags are compared without regard to case.
        let tag = tag.to_ascii_lowercase();
        if tag == "issuemail" {
            issuemail = issuemail.or(at);
        }
        rows.push(CaaRecordFacts {
            known: context.present(caa::is_known_tag(&tag), at),
            tag: context.present(tag, at),
            value: context.present(value.clone(), at),
            // RFC 8659 section 4.1: bit 0, the most significant, is the critical flag.
            critical: context.present(flags & 0x80 != 0, at),
        });
    }
    rows.extend(set.incomplete.as_ref().map(unknown));
    CaaFacts {
        record_count: Fact::default(),
        records: context.present(List(rows), first),
        record_domain: context.present(name, first),
        issuemail: match (issuemail, set.doubt()) {
            (None, Some(missing)) => missing.fact(context.method),
            _ => context.present(issuemail.is_some(), issuemail.or(first)),
        },
    }
}
