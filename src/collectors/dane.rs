//! TLSA records of the mail exchangers (RFC 7672), and whether DANE applies to them.
//!
//! Senders that use DANE need a secure chain of answers: the MX records, the addresses of the host, its TLSA records. A
//! host where it ends in an unsigned answer is one without DANE; a host where the question for TLSA records fails gets no
//! mail from them. Files know the records only; the rest is of live DNS.

use crate::diag::Span;
use crate::facts::domain::{DaneFacts, DnsFacts, List, MxFacts, Security, TlsaFacts};
use crate::facts::{Cause, Fact, Observed, Proof};
use crate::mail::{Name, tlsa};
use crate::sources::{RData, RecordType, Validation};

use super::context::{Missing, RecordSet, malformed};
use super::{Context, dnssec};

/// TLSA records at port 25 of every MX host (RFC 7672 section 2.2).
pub(super) fn collect(context: &Context<'_>, name: &Name, dns: &DnsFacts) -> DaneFacts {
    let missing = match &dns.mx.observed {
        Observed::Present(rows) => return of_hosts(context, name, &rows.0, dns),
        Observed::Absent(proof) => Missing::absent(*proof, dns.mx.from.span),
        Observed::Unknown(cause) => {
            let note = dns.mx.from.note.clone().unwrap_or_default();
            Missing::unknown(*cause, note, dns.mx.from.span)
        }
    };
    let facts = DaneFacts {
        tlsa: missing.fact(context.method),
        hosts_without: missing.fact(context.method),
        ..DaneFacts::default()
    };
    match context.source.is_live() {
        true => DaneFacts {
            broken_hosts: missing.fact(context.method),
            insecure_hosts: missing.fact(context.method),
            ..facts
        },
        false => facts,
    }
}

fn of_hosts(context: &Context<'_>, name: &Name, hosts: &[MxFacts], dns: &DnsFacts) -> DaneFacts {
    let live = context.source.is_live().then(|| context.source.validate(name, RecordType::MX));
    let mut rows = Vec::new();
    let mut without = Vec::new();
    let mut unknown: Option<Missing> = None;
    let mut unread: Option<Missing> = None;
    let mut broken = Hosts::default();
    let mut insecure = Hosts::default();
    for row in hosts {
        let host = match &row.host.observed {
            Observed::Present(host) if !host.is_root() => host,
            Observed::Present(_) | Observed::Absent(_) => continue,
            Observed::Unknown(cause) => {
                let note = row.host.from.note.clone().unwrap_or_default();
                let missing = Missing::unknown(*cause, note, row.host.from.span);
                broken.unknown.get_or_insert_with(|| missing.clone());
                insecure.unknown.get_or_insert_with(|| missing.clone());
                unknown.get_or_insert(missing);
                continue;
            }
        };
        let found = associations(context, host, 25);
        if let Some(exchangers) = &live {
            let chain = Chain::of(context, host, exchangers, &found);
            broken.take(host, chain.broken(&found));
            insecure.take(host, chain.insecure(&found));
        }
        match found.1 {
            Ok(set) => {
                let security = match live {
                    Some(_) => dnssec::security(context, &context.source.validate(&found.0, RecordType::TLSA)),
                    None => Fact::default(),
                };
                let row = |record| TlsaFacts { security: security.clone(), ..tlsa_row(context, &found.0, record) };
                rows.extend(set.records.iter().map(row));
                // A line that cannot be read is refused by name servers, so it may come to nothing.
                if set.records.iter().all(|record| malformed(record).is_some()) {
                    unread = unread.or(set.doubt());
                }
                if let Some(missing) = set.incomplete {
                    unknown.get_or_insert(missing);
                }
            }
            Err(missing) if missing.cause().is_none() => without.push((host.clone(), row.host.from.span)),
            Err(missing) => {
                unknown.get_or_insert(missing);
            }
        }
    }
    let anchor = dns.mx.from.span;
    let span = without.first().and_then(|(_, span)| *span).or(anchor);
    let without: Vec<Name> = without.into_iter().map(|(host, _)| host).collect();
    let (broken_hosts, insecure_hosts) = match live {
        Some(_) => (broken.fact(context, anchor), insecure.fact(context, anchor)),
        None => (Fact::default(), Fact::default()),
    };
    DaneFacts {
        hosts_without: match unknown.as_ref().or(unread.as_ref()) {
            Some(missing) if without.is_empty() => missing.fact(context.method),
            _ => context.present(without, span),
        },
        tlsa: match unknown {
            // A list that lacks the records of some hosts is not the list.
            Some(missing) => missing.fact(context.method),
            None => context.present(List(rows), anchor),
        },
        broken_hosts,
        insecure_hosts,
    }
}

/// Whether something is true of a host, and the text that shows it.
enum Finding {
    True(Option<Span>),
    False,
}

/// Hosts of which something is true.
#[derive(Default)]
struct Hosts {
    names: Vec<Name>,
    span: Option<Span>,
    /// Why it is not known of a host.
    unknown: Option<Missing>,
}

impl Hosts {
    fn take(&mut self, host: &Name, found: Result<Finding, Missing>) {
        match found {
            Ok(Finding::True(span)) => {
                self.names.push(host.clone());
                self.span = self.span.or(span);
            }
            Ok(Finding::False) => {}
            Err(missing) => {
                self.unknown.get_or_insert(missing);
            }
        }
    }

    fn fact(self, context: &Context<'_>, anchor: Option<Span>) -> Fact<Vec<Name>> {
        match self.unknown {
            Some(missing) if self.names.is_empty() => missing.fact(context.method),
            _ => context.present(self.names, self.span.or(anchor)),
        }
    }
}

/// The states of the answers that lead to the TLSA records of a host.
struct Chain<'c> {
    exchangers: &'c Validation,
    addresses: Validation,
    associations: Validation,
}

impl<'c> Chain<'c> {
    fn of(context: &Context<'_>, host: &Name, exchangers: &'c Validation, found: &Found) -> Chain<'c> {
        Chain {
            exchangers,
            addresses: dnssec::of_addresses(context, host),
            associations: context.source.validate(&found.0, RecordType::TLSA),
        }
    }

    /// RFC 7672 sections 2.1.1 and 2.2: with secure addresses, a question for TLSA records that fails stops delivery.
    fn broken(&self, found: &Found) -> Result<Finding, Missing> {
        let bogus = self.associations.state == Observed::Present(Security::Bogus);
        let failed = match (&found.1, self.associations.state) {
            (Err(missing), _) if matches!(missing.cause(), Some(Cause::DnsServfail | Cause::DnssecBogus)) => {
                missing.span
            }
            _ if bogus => self.associations.span,
            (Err(missing), _) if missing.cause().is_some() => return Err(missing.clone()),
            (_, Observed::Unknown(cause)) => return Err(dnssec::missing(&self.associations, cause)),
            _ => return Ok(Finding::False),
        };
        match self.addresses.state {
            Observed::Present(Security::Secure) => Ok(Finding::True(failed)),
            Observed::Unknown(cause) => Err(dnssec::missing(&self.addresses, cause)),
            Observed::Present(Security::Indeterminate) => Err(dnssec::missing(&self.addresses, Cause::NotCollected)),
            // RFC 7672 section 2.2.2: nobody asks for TLSA records of a host whose addresses are not signed.
            Observed::Present(Security::Insecure | Security::Bogus) | Observed::Absent(_) => Ok(Finding::False),
        }
    }

    /// RFC 7672 section 2.2.1: DANE applies only where all answers on the way are secure.
    fn insecure(&self, found: &Found) -> Result<Finding, Missing> {
        match &found.1 {
            Ok(_) => {}
            Err(missing) if missing.cause().is_some() => return Err(missing.clone()),
            Err(_) => return Ok(Finding::False),
        }
        let steps = [self.exchangers, &self.addresses, &self.associations];
        let insecure = |step: &&&Validation| step.state == Observed::Present(Security::Insecure);
        if let Some(step) = steps.iter().find(insecure) {
            return Ok(Finding::True(step.span));
        }
        for step in steps {
            match step.state {
                Observed::Unknown(cause) => return Err(dnssec::missing(step, cause)),
                Observed::Present(Security::Indeterminate) => {
                    return Err(dnssec::missing(step, Cause::NotCollected));
                }
                Observed::Present(_) | Observed::Absent(_) => {}
            }
        }
        Ok(Finding::False)
    }
}

/// The name that was asked for TLSA records, and the records.
pub(super) type Found = (Name, Result<RecordSet, Missing>);

/// The TLSA records of a port of a host and the name at which they stand.
pub(super) fn associations(context: &Context<'_>, host: &Name, port: u16) -> Found {
    let at = |base: &Name| match context.child(base, &format!("_{port}._tcp")) {
        Ok(owner) => {
            let set = context.records(&owner, RecordType::TLSA);
            (owner, set)
        }
        Err(missing) => (base.clone(), Err(missing)),
    };
    // RFC 7672 section 2.2.2: the end of the aliases is asked first, then the name in the MX record.
    match context.source.lookup(host, RecordType::A).aliases.last() {
        Some(alias) => match at(&alias.target) {
            (_, Err(missing)) if missing.cause().is_none() => at(host),
            found => found,
        },
        None => at(host),
    }
}

fn tlsa_row(context: &Context<'_>, owner: &Name, record: &crate::sources::Record) -> TlsaFacts {
    let (usage, selector, matching_type, data, span) = match &record.data {
        RData::Tlsa { usage, selector, matching_type, data, span } => (*usage, *selector, *matching_type, data, *span),
        other => {
            let (reason, span) = match other {
                RData::Malformed { reason, span } => (reason.clone(), *span),
                _ => ("unexpected data".to_owned(), record.span),
            };
            let missing = Missing::unknown(Cause::Parse, reason.clone(), Some(span));
            return TlsaFacts {
                owner: context.present(owner.clone(), Some(record.span)),
                usage: missing.fact(context.method),
                selector: missing.fact(context.method),
                matching_type: missing.fact(context.method),
                usable: context.present(false, Some(span)),
                error: context.present(reason, Some(span)),
                security: Fact::default(),
            };
        }
    };
    let at = Some(span);
    let usable = tlsa::check(usage, selector, matching_type, data);
    TlsaFacts {
        owner: context.present(owner.clone(), Some(record.span)),
        usage: context.present(i64::from(usage), at),
        selector: context.present(i64::from(selector), at),
        matching_type: context.present(i64::from(matching_type), at),
        usable: context.present(usable.is_ok(), at),
        error: match usable {
            Ok(()) => Missing::absent(Proof::NotStated, at).fact(context.method),
            Err(reason) => context.present(reason, at),
        },
        security: Fact::default(),
    }
}
