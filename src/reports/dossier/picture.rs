//! How mail flows to and from a domain, in words short enough for a picture.
//!
//! A picture is drawn from facts and judges nothing: what is unknown is called unknown with its cause, what is absent is
//! called none. Texts are cut, because a drawing has limits that a record has not; the findings quote records in full.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::facts::domain::Security;
use crate::facts::service::Protocol;
use crate::facts::{DomainFacts, Fact, FactValue, Observed, ServiceFacts, TargetFacts};
use crate::findings::{AssessedTarget, Verdict};

/// The most entries of a list in a picture.
const ENTRIES: usize = 6;

/// The longest text in a picture, in characters.
const LENGTH: usize = 38;

/// What a drawing of one domain shows. Texts are untrusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// The domain.
    pub domain: String,
    /// What it does with mail: `sends and receives`.
    pub uses: String,
    /// Its name servers.
    pub name_servers: Vec<String>,
    /// Its mail exchangers, in the order in which senders try them.
    pub exchangers: Vec<Exchanger>,
    /// What protects mail to the domain: protocol and state.
    pub inbound: Vec<(&'static str, String)>,
    /// What protects against mail in the domain's name: protocol and state.
    pub outbound: Vec<(&'static str, String)>,
    /// Who may send in the domain's name: terms of SPF and DKIM selectors.
    pub senders: Vec<String>,
}

/// A mail exchanger in a picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exchanger {
    /// Preference and name: `10 mx1.example.org`.
    pub name: String,
    /// Its host name.
    pub host: String,
    /// Its addresses, each with what was seen there.
    pub addresses: Vec<String>,
}

impl Picture {
    /// The picture of a domain.
    pub fn of(name: &str, facts: &DomainFacts) -> Picture {
        Picture {
            domain: name.to_owned(),
            uses: uses(facts),
            name_servers: name_servers(facts),
            exchangers: exchangers(facts),
            inbound: inbound(facts),
            outbound: outbound(facts),
            senders: senders(facts),
        }
    }
}

/// How many domains are drawn: those with the most failures.
pub const DRAWN: usize = 50;

/// Pictures of domains, put together while the facts of targets pass by in any order. It holds a bounded number of them,
/// because there may be very many domains.
#[derive(Debug, Default)]
pub struct Gallery {
    /// The pictures that are kept, those with the most failures first.
    pictures: BTreeMap<(Reverse<usize>, String), Picture>,
    /// What was seen where mail servers talk to each other, by host and address.
    services: BTreeMap<(String, String), String>,
}

/// What pictures show of one target.
#[derive(Debug)]
pub enum Part {
    /// A domain.
    Domain(Box<Picture>),
    /// Host and address of a mail exchanger, and what was seen there.
    Service(String, String, String),
}

impl Part {
    /// What pictures show of a target's facts; `None` where they show nothing of it.
    pub fn of(name: &str, facts: &TargetFacts) -> Option<Part> {
        match facts {
            TargetFacts::Domain(facts) => Some(Part::Domain(Box::new(Picture::of(name, facts)))),
            TargetFacts::Service(facts) => {
                let host = facts.host.observed.present()?.as_str().to_owned();
                let address = facts.address.observed.present()?.to_string();
                let is_exchange = facts.protocol.observed.present() == Some(&Protocol::Smtp);
                is_exchange.then(|| Part::Service(host, address, service(facts)))
            }
            TargetFacts::Host(_) | TargetFacts::Organisation(_) => None,
        }
    }
}

impl Gallery {
    /// Takes a part of a target that was judged.
    pub fn add(&mut self, part: Part, judged: &AssessedTarget) {
        match part {
            Part::Domain(picture) => {
                let failures = judged.verdicts.iter().filter(|verdict| **verdict == Some(Verdict::Fail)).count();
                self.pictures.insert((Reverse(failures), picture.domain.clone()), *picture);
                if self.pictures.len() > DRAWN {
                    self.pictures.pop_last();
                }
            }
            Part::Service(host, address, seen) => {
                self.services.insert((host, address), seen);
            }
        }
    }

    /// The pictures, sorted by domain.
    pub fn finish(self) -> Vec<Picture> {
        let mut pictures: Vec<Picture> = self.pictures.into_values().collect();
        pictures.sort_by(|one, other| one.domain.cmp(&other.domain));
        for exchanger in pictures.iter_mut().flat_map(|picture| &mut picture.exchangers) {
            for line in &mut exchanger.addresses {
                if let Some(seen) = self.services.get(&(exchanger.host.clone(), line.clone())) {
                    *line = format!("{line}  {seen}");
                }
            }
        }
        pictures
    }
}

/// What was seen at a service, in a word or two.
fn service(facts: &ServiceFacts) -> String {
    match (&facts.reached.observed, &facts.tls.negotiated.observed) {
        (Observed::Unknown(cause), _) => cause.to_string(),
        (_, Observed::Present(version)) => version.to_string(),
        (_, Observed::Absent(_)) => "no TLS".to_owned(),
        (_, Observed::Unknown(cause)) => format!("TLS {cause}"),
    }
}

fn uses(facts: &DomainFacts) -> String {
    let holds = |fact: &Fact<bool>| fact.observed.present() == Some(&true);
    match (holds(&facts.mail.parked), holds(&facts.mail.sends), holds(&facts.mail.receives)) {
        (true, ..) => "parked".to_owned(),
        (_, true, true) => "sends and receives".to_owned(),
        (_, true, false) => "sends".to_owned(),
        (_, false, true) => "receives".to_owned(),
        _ => "use of mail not known".to_owned(),
    }
}

fn name_servers(facts: &DomainFacts) -> Vec<String> {
    match &facts.dns.ns.observed {
        Observed::Present(servers) => listed(servers.0.iter().map(|server| word(&server.host)).collect()),
        other => vec![state(other)],
    }
}

fn exchangers(facts: &DomainFacts) -> Vec<Exchanger> {
    if facts.dns.null_mx.observed.present() == Some(&true) {
        return vec![Exchanger { name: "null MX: accepts no mail".to_owned(), ..Exchanger::default() }];
    }
    let Observed::Present(records) = &facts.dns.mx.observed else {
        let name = match facts.dns.implicit_mx.observed.present() {
            Some(true) => "no MX; the domain's own address".to_owned(),
            _ => format!("MX: {}", state(&facts.dns.mx.observed)),
        };
        return vec![Exchanger { name, ..Exchanger::default() }];
    };
    let mut records: Vec<_> = records.0.iter().collect();
    records.sort_by_key(|record| (record.preference.observed.present().copied(), word(&record.host)));
    let missing = records.len().saturating_sub(ENTRIES);
    let mut exchangers: Vec<Exchanger> = records
        .into_iter()
        .take(ENTRIES)
        .map(|record| Exchanger {
            name: cut(&format!("{} {}", word(&record.preference), word(&record.host))),
            host: record.host.observed.present().map(|host| host.as_str().to_owned()).unwrap_or_default(),
            addresses: match &record.addresses.observed {
                Observed::Present(addresses) => listed(addresses.iter().map(ToString::to_string).collect()),
                other => vec![format!("addresses: {}", state(other))],
            },
        })
        .collect();
    if missing > 0 {
        exchangers.push(Exchanger { name: format!("and {missing} more"), ..Exchanger::default() });
    }
    exchangers
}

fn inbound(facts: &DomainFacts) -> Vec<(&'static str, String)> {
    let tlsa = match &facts.dane.tlsa.observed {
        Observed::Present(records) if records.0.is_empty() => "none".to_owned(),
        Observed::Present(records) => format!("{} TLSA", records.0.len()),
        other => state(other),
    };
    let policy = &facts.mta_sts;
    let mta_sts = match (&policy.policy.mode.observed, &policy.valid.observed) {
        (Observed::Present(mode), _) => mode.to_string(),
        (_, Observed::Present(true)) => "record; policy not seen".to_owned(),
        (_, Observed::Present(false)) => "malformed".to_owned(),
        (_, other) => state(other),
    };
    let tls_rpt = match &facts.tls_rpt.valid.observed {
        Observed::Present(true) => "yes".to_owned(),
        Observed::Present(false) => "malformed".to_owned(),
        other => state(other),
    };
    vec![("DNSSEC", security(&facts.dnssec.status)), ("DANE", tlsa), ("MTA-STS", mta_sts), ("TLS-RPT", tls_rpt)]
}

fn outbound(facts: &DomainFacts) -> Vec<(&'static str, String)> {
    let spf = match (&facts.spf.valid.observed, &facts.spf.all.observed) {
        (Observed::Present(false), _) => "malformed".to_owned(),
        (Observed::Present(true), Observed::Present(all)) => format!("others: {all}"),
        (Observed::Present(true), _) => "no `all`".to_owned(),
        (other, _) => state(other),
    };
    let keys = match &facts.dkim.keys.observed {
        Observed::Present(keys) => format!("{} known", keys.0.len()),
        other => state(other),
    };
    let dmarc = match &facts.dmarc.effective_policy.observed {
        Observed::Present(policy) => policy.to_string(),
        other => state(other),
    };
    vec![("SPF", spf), ("DKIM keys", keys), ("DMARC", dmarc)]
}

fn senders(facts: &DomainFacts) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(text) = facts.spf.text.observed.present() {
        let terms = text.split_ascii_whitespace().skip(1);
        lines.extend(
            terms.filter(|term| !term.trim_start_matches(['+', '-', '~', '?']).eq_ignore_ascii_case("all")).map(cut),
        );
    }
    if let Some(keys) = facts.dkim.keys.observed.present() {
        lines.extend(keys.0.iter().map(|key| cut(&format!("DKIM {}", word(&key.selector)))));
    }
    listed(lines)
}

fn security(fact: &Fact<Security>) -> String {
    state(&fact.observed)
}

/// A value in a word, or why there is none.
fn word<T: FactValue>(fact: &Fact<T>) -> String {
    state(&fact.observed)
}

fn state<T: FactValue>(observed: &Observed<T>) -> String {
    match observed {
        Observed::Present(value) => cut(&value.view().to_string()),
        Observed::Absent(_) => "none".to_owned(),
        Observed::Unknown(cause) => format!("unknown: {cause}"),
    }
}

/// The first entries of a list, and how many there are beside them.
fn listed(mut lines: Vec<String>) -> Vec<String> {
    let missing = lines.len().saturating_sub(ENTRIES);
    lines.truncate(ENTRIES);
    if missing > 0 {
        lines.push(format!("and {missing} more"));
    }
    lines
}

/// A text that fits into a picture.
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(LENGTH) {
        None => text.to_owned(),
        Some(_) => text.chars().take(LENGTH - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::domain::{DmarcPolicy, List, MxFacts};
    use crate::facts::{Cause, Method, Name, Proof};

    fn present<T>(value: T) -> Fact<T> {
        Fact::present(value, Method::Dns, None)
    }

    #[test]
    fn what_is_unknown_is_not_drawn_as_none() {
        let mut facts = DomainFacts::default();
        facts.dnssec.status = Fact::unknown(Cause::DnsTimeout, None, None);
        facts.tls_rpt.valid = Fact::absent(Proof::Nxdomain, Method::Dns, None);
        facts.dmarc.effective_policy = present(DmarcPolicy::Reject);
        let picture = Picture::of("example.org", &facts);
        assert_eq!(picture.inbound[0], ("DNSSEC", "unknown: dns-timeout".to_owned()));
        assert_eq!(picture.inbound[3], ("TLS-RPT", "none".to_owned()));
        assert_eq!(picture.outbound[2], ("DMARC", "reject".to_owned()));
        assert_eq!(picture.exchangers[0].name, "MX: unknown: not-collected");
    }

    #[test]
    fn exchangers_stand_in_the_order_of_their_preference_and_long_lists_are_counted() {
        let record = |preference: i64| MxFacts {
            host: present(Name::parse(&format!("mx{preference}.example.org")).unwrap()),
            preference: present(preference),
            ..MxFacts::default()
        };
        let mut facts = DomainFacts::default();
        facts.dns.mx = present(List((0..9).rev().map(record).collect()));
        let picture = Picture::of("example.org", &facts);
        let names: Vec<&str> = picture.exchangers.iter().map(|exchanger| exchanger.name.as_str()).collect();
        assert_eq!(names[..2], ["0 mx0.example.org", "1 mx1.example.org"]);
        assert_eq!(names.last(), Some(&"and 3 more"));
    }
}
