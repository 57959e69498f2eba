//! DANE of a service: TLSA records against the chain that was sent (RFC 7672).

use super::tls::certificates;
use super::{ServiceInput, unseen};
use crate::collectors::Context;
use crate::collectors::context::{Missing, RecordSet};
use crate::collectors::transport::associations;
use crate::diag::Span;
use crate::facts::domain::Security;
use crate::facts::service::{Protocol, ServiceDaneFacts};
use crate::facts::{Cause, Fact, Method, Observed, Proof, Provenance};
use crate::mail::{Name, certificate, tlsa};
use crate::probes::tls::Certificates;
use crate::probes::tls::trust::verify_against;
use crate::sources::{RData, RecordType, Validation};

/// Facts about DANE.
pub(super) fn collect(context: &Context<'_>, input: &ServiceInput<'_>) -> ServiceDaneFacts {
    let endpoint = &input.probe.endpoint;
    let port = endpoint.address.port();
    let found = associations(context, &endpoint.host, port);
    // All states are asked for at once: what is not known yet is asked in one round.
    let mail = mail_security(context, input);
    let addresses = address_security(context, &endpoint.host);
    match found {
        Ok((owner, set)) => {
            let records = context.source.validate(&owner, RecordType::TLSA);
            let usable: Vec<Association> = set.records.iter().filter_map(usable).collect();
            let applies = applies(context, &mail, &addresses, &records, &usable, &set);
            let facts = matched(context, input, &owner, &set, &usable);
            ServiceDaneFacts {
                applies,
                owner: context.present(owner, set.first()),
                security: state(context, &records),
                ..facts
            }
        }
        Err(missing) => unpublished(context, &endpoint.host, port, &missing),
    }
}

/// There are no TLSA records, or it is not known whether there are.
fn unpublished(context: &Context<'_>, host: &Name, port: u16, missing: &Missing) -> ServiceDaneFacts {
    let applies = match missing.cause() {
        None => context.present(false, missing.span),
        Some(_) => missing.fact(context.method),
    };
    let security = match host.child(&format!("_{port}._tcp")) {
        Ok(owner) => state(context, &context.source.validate(&owner, RecordType::TLSA)),
        Err(_) => missing.fact(context.method),
    };
    ServiceDaneFacts {
        applies,
        owner: missing.fact(context.method),
        security,
        matches: missing.fact(context.method),
        unmatched: missing.fact(context.method),
        matching: missing.fact(context.method),
        error: missing.fact(context.method),
    }
}

/// A record that SMTP clients can use.
struct Association {
    usage: u8,
    selector: u8,
    matching_type: u8,
    data: Vec<u8>,
    span: Span,
}

impl Association {
    /// The record as it is written in zone files, its data shortened.
    fn words(&self) -> String {
        let digits = data_encoding::HEXLOWER.encode(self.data.get(..8).unwrap_or(&self.data));
        let rest = if self.data.len() > 8 { "..." } else { "" };
        format!("{} {} {} {digits}{rest}", self.usage, self.selector, self.matching_type)
    }
}

fn usable(record: &crate::sources::Record) -> Option<Association> {
    match &record.data {
        RData::Tlsa { usage, selector, matching_type, data, span } => {
            // RFC 7672 section 3.1.3: usages 0 and 1 are unusable.
            tlsa::check(*usage, *selector, *matching_type, data).ok()?;
            let (usage, selector, matching_type) = (*usage, *selector, *matching_type);
            Some(Association { usage, selector, matching_type, data: data.clone(), span: *span })
        }
        _ => None,
    }
}

/// A DNSSEC state as a fact.
fn state(context: &Context<'_>, validation: &Validation) -> Fact<Security> {
    Fact {
        observed: validation.state.clone(),
        from: Provenance {
            method: context.method,
            span: validation.span,
            note: validation.reason.as_deref().map(Into::into),
            evidence: None,
        },
    }
}

/// The state of the MX records that lead to the host: secure when those of one domain are (RFC 7672 section 2.2.1).
fn mail_security(context: &Context<'_>, input: &ServiceInput<'_>) -> Option<Validation> {
    // RFC 7673 section 3: other protocols than SMTP between servers do not start from MX records.
    if input.probe.endpoint.protocol != Protocol::Smtp {
        return None;
    }
    let states: Vec<_> = input.mx_for.iter().map(|domain| context.source.validate(domain, RecordType::MX)).collect();
    let best = |validation: &&Validation| match validation.state {
        Observed::Present(Security::Secure) => 0,
        Observed::Present(Security::Bogus) | Observed::Unknown(_) | Observed::Absent(_) => 1,
        Observed::Present(Security::Insecure | Security::Indeterminate) => 2,
    };
    states.iter().min_by_key(best).cloned().or_else(|| {
        let note = "no domain of this run names the host in an MX record";
        Some(Validation::unknown(Cause::NotCollected, note, None))
    })
}

/// The state of the address records: of both families, the worse one that has records (RFC 7672 section 2.2.2).
fn address_security(context: &Context<'_>, host: &Name) -> Validation {
    let v4 = context.source.validate(host, RecordType::A);
    let v6 = context.source.validate(host, RecordType::AAAA);
    if v4.state == Observed::Present(Security::Secure) { v6 } else { v4 }
}

/// Whether DANE applies. One link that is proven not to be secure decides; a link that is not known leaves it open.
fn applies(
    context: &Context<'_>,
    mail: &Option<Validation>,
    addresses: &Validation,
    records: &Validation,
    usable: &[Association],
    set: &RecordSet,
) -> Fact<bool> {
    let links = [("MX records", mail.as_ref()), ("address records", Some(addresses)), ("TLSA records", Some(records))];
    let mut open = None;
    for (what, validation) in links {
        let Some(validation) = validation else { continue };
        let span = validation.span.or(set.first());
        match validation.state {
            Observed::Present(Security::Secure) => {}
            // RFC 7672 section 2.1.1: without a chain of trust, DANE is not used.
            Observed::Present(state @ (Security::Insecure | Security::Indeterminate)) => {
                return context.present(false, span).with_note(format!("the {what} are {state}"));
            }
            // RFC 7672 section 2.1.1: senders that use DANE do not deliver at all.
            Observed::Present(Security::Bogus) => {
                let note = format!("the {what} are bogus");
                open = open.or(Some(Missing::unknown(Cause::DnssecBogus, note, span)));
            }
            Observed::Unknown(cause) => {
                let reason = validation.reason.as_deref().unwrap_or("not known");
                let note = format!("DNSSEC state of the {what}: {reason}");
                open = open.or(Some(Missing::unknown(cause, note, span)));
            }
            Observed::Absent(_) => {
                open = open.or(Some(Missing::unknown(Cause::NotCollected, format!("there are no {what}"), span)));
            }
        }
    }
    match (usable, set.doubt(), open) {
        ([], None, _) => context.present(false, set.first()).with_note("no TLSA record is usable for SMTP"),
        ([], Some(doubt), _) => doubt.fact(context.method),
        (_, _, Some(missing)) => missing.fact(context.method),
        ([first, ..], _, None) => context.present(true, Some(first.span)),
    }
}

/// The usable records against the chain.
fn matched(
    context: &Context<'_>,
    input: &ServiceInput<'_>,
    owner: &Name,
    set: &RecordSet,
    usable: &[Association],
) -> ServiceDaneFacts {
    let doubt = set.doubt();
    if usable.is_empty() {
        let missing = doubt.unwrap_or_else(|| Missing::absent(Proof::NotPublished, set.first()));
        return ServiceDaneFacts {
            matches: missing.fact(context.method),
            unmatched: missing.fact(context.method),
            matching: missing.fact(context.method),
            error: missing.fact(context.method),
            ..ServiceDaneFacts::default()
        };
    }
    let certificates = match certificates(input) {
        Ok(certificates) => certificates,
        Err(failure) => {
            return ServiceDaneFacts {
                matches: unseen(&failure),
                unmatched: unseen(&failure),
                matching: unseen(&failure),
                error: unseen(&failure),
                ..ServiceDaneFacts::default()
            };
        }
    };
    let host = &input.probe.endpoint.host;
    let results: Vec<_> = usable.iter().map(|record| (record, against(record, &certificates, host, owner))).collect();
    let good: Vec<_> = results.iter().filter(|(_, result)| result.is_ok()).map(|(record, _)| *record).collect();
    let bad: Vec<_> = results.iter().filter_map(|(record, result)| Some((*record, result.as_ref().err()?))).collect();
    let at = |records: &[&Association]| records.first().map(|record| record.span).or(set.first());
    let bad_records: Vec<_> = bad.iter().map(|(record, _)| *record).collect();
    let derived = |span| (Method::Derived, span);
    let (method, span) = derived(at(&good));
    let count = i64::try_from(good.len()).unwrap_or(i64::MAX);
    let unmatched = bad_records.iter().map(|record| record.words()).collect();
    match (good.is_empty(), &doubt) {
        // A record that could not be read may be the one that matches.
        (true, Some(missing)) => ServiceDaneFacts {
            matches: missing.fact(method),
            matching: missing.fact(method),
            error: missing.fact(method),
            unmatched: Fact::present(unmatched, method, at(&bad_records)),
            ..ServiceDaneFacts::default()
        },
        (none, _) => ServiceDaneFacts {
            matches: Fact::present(!none, method, span),
            unmatched: Fact::present(unmatched, method, at(&bad_records)),
            matching: Fact::present(count, method, span),
            error: match bad.first() {
                Some((record, reason)) if none => Fact::present((*reason).clone(), method, Some(record.span)),
                _ => Fact::absent(Proof::NotStated, method, span),
            },
            ..ServiceDaneFacts::default()
        },
    }
}

/// Whether one record matches the chain; otherwise why not.
fn against(record: &Association, certificates: &Certificates, host: &Name, owner: &Name) -> Result<(), String> {
    let matches = |der: &Vec<u8>| certificate::tlsa_matches(der, record.selector, record.matching_type, &record.data);
    let part = if record.selector == 0 { "certificate" } else { "key" };
    let Some((own, above)) = certificates.chain.split_first() else {
        return Err("no certificate was sent".to_owned());
    };
    if record.usage == 3 {
        // RFC 7672 section 3.1.1: names and dates of the certificate do not count.
        return if matches(own) { Ok(()) } else { Err(format!("the server's {part} is another one")) };
    }
    // RFC 7672 section 3.1.2: the authority must be among the certificates sent.
    let Some(authority) = above.iter().find(|der| matches(der)) else {
        return Err(format!("no certificate sent above the server's has this {part}"));
    };
    verify_against(own, above, authority, certificates.time)
        .map_err(|why| format!("the authority is in the chain, but the certificate does not hold: {why}"))?;
    // RFC 7672 section 3.2.3: the name of the TLSA records without port and protocol, or the MX host.
    let base = owner.parent().and_then(|name| name.parent());
    let names = match &certificates.own {
        Ok(own) => own.names.as_ref().ok().and_then(|names| names.value.as_deref()).unwrap_or_default(),
        Err(_) => &[],
    };
    let is_for = |name: &Name| certificate::matching_name(names.iter().map(String::as_str), name).is_some();
    if is_for(host) || base.as_ref().is_some_and(is_for) {
        Ok(())
    } else {
        Err(format!("the authority is in the chain, but the certificate is not for {}", host.as_str()))
    }
}
