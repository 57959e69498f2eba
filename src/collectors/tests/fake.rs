//! Live DNS without a network: answers, states and replies of single servers, written as text.
//!
//! A record is written in one line, `owner TYPE data`. Each line and each reply is a text of its own, to which the facts
//! point. What is not written does not exist, is secure, and does not reply.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{compare, line, name};
use crate::collectors::{self, Cache, Context};
use crate::diag::{Files, Span};
use crate::facts::domain::Security;
use crate::facts::{Cause, DomainFacts, Method, Observed, Proof};
use crate::mail::Name;
use crate::sources::{
    Alias, Answer, Ask, NoReply, Outcome, RData, Record, RecordSource, RecordType, Reply, Soa, Text, Validation,
};

#[derive(Default)]
pub(super) struct Fake {
    files: Files,
    zones: Vec<Name>,
    records: Vec<Record>,
    failures: BTreeMap<(Name, RecordType), Cause>,
    states: BTreeMap<(Name, RecordType), Validation>,
    replies: BTreeMap<(IpAddr, Name, RecordType, Ask), Reply>,
    /// What the second resolver knows instead; `None` when there is no second resolver.
    second: Option<Box<Fake>>,
    pub(super) asked: RefCell<Vec<(IpAddr, Name, RecordType, Ask)>>,
    looked_up: RefCell<Vec<(Name, RecordType)>>,
}

impl Fake {
    /// A source that knows these zones and records.
    pub(super) fn new(zones: &[&str], records: &str) -> Fake {
        let mut fake = Fake { zones: zones.iter().map(|zone| name(zone)).collect(), ..Fake::default() };
        fake.records = fake.read(records);
        fake
    }

    pub(super) fn fail(mut self, at: &str, rtype: RecordType, cause: Cause) -> Fake {
        self.failures.insert((name(at), rtype), cause);
        self
    }

    /// The DNSSEC state of an answer, with its reason and the end of its signatures.
    pub(super) fn state(
        mut self,
        at: &str,
        rtype: RecordType,
        state: Security,
        why: &str,
        expires: Option<i64>,
    ) -> Fake {
        let span = Some(self.text(format!("validated {at} {rtype}")));
        let reason = (!why.is_empty()).then(|| why.to_owned());
        let validation = Validation { state: Observed::Present(state), reason: reason.map(Into::into), span, expires };
        self.states.insert((name(at), rtype), validation);
        self
    }

    pub(super) fn unvalidated(mut self, at: &str, rtype: RecordType, cause: Cause) -> Fake {
        self.states.insert((name(at), rtype), Validation::unknown(cause, "no answer", None));
        self
    }

    /// A reply: flags and response code (`aa`, `ra`, `rcode=5`), then records. `;` begins the authority section, a second
    /// one the additional section; sections hold records separated by `|`.
    pub(super) fn reply(
        mut self,
        server: &str,
        at: &str,
        rtype: RecordType,
        mode: Ask,
        flags: &str,
        text: &str,
    ) -> Fake {
        let span = self.text(format!("{server} {rtype} {at} {flags}"));
        let mut sections = text.split(';').map(|section| section.replace('|', "\n"));
        let mut next = |fake: &mut Fake| sections.next().map(|section| fake.read(&section)).unwrap_or_default();
        let rcode = flags.split_whitespace().find_map(|flag| flag.strip_prefix("rcode=")).unwrap_or("0");
        let reply = Reply {
            rcode: rcode.parse().unwrap(),
            authoritative: flags.contains("aa"),
            recursion_available: flags.contains("ra"),
            answers: next(&mut self),
            authority: next(&mut self),
            additional: next(&mut self),
            span,
        };
        self.replies.insert((server.parse().unwrap(), name(at), rtype, mode), reply);
        self
    }

    /// A second resolver with other records.
    pub(super) fn second(mut self, records: &str) -> Fake {
        let mut second = Fake::default();
        second.files = std::mem::take(&mut self.files);
        second.records = second.read(records);
        self.files = std::mem::take(&mut second.files);
        self.second = Some(Box::new(second));
        self
    }

    pub(super) fn second_fails(mut self, at: &str, rtype: RecordType, cause: Cause) -> Fake {
        let second = self.second.take().unwrap();
        self.second = Some(Box::new(second.fail(at, rtype, cause)));
        self
    }

    fn text(&mut self, text: String) -> Span {
        let length = u32::try_from(text.len()).unwrap();
        Span::new(self.files.add(text.clone(), text), 0, length)
    }

    fn read(&mut self, text: &str) -> Vec<Record> {
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines.iter().map(|line| self.record(line)).collect()
    }

    fn record(&mut self, line: &str) -> Record {
        let span = self.text(line.to_owned());
        let mut parts = line.splitn(3, ' ');
        let (owner, rtype, data) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let rtype = RecordType::parse(rtype).unwrap();
        let words: Vec<&str> = data.split(' ').collect();
        let data = match rtype {
            RecordType::A => RData::A(data.parse().unwrap(), span),
            RecordType::AAAA => RData::Aaaa(data.parse().unwrap(), span),
            RecordType::NS => RData::Ns(name(data), span),
            RecordType::CNAME => RData::Cname(name(data), span),
            RecordType::MX => {
                RData::Mx { preference: words[0].parse().unwrap(), exchange: name(words[1]), span, relative: false }
            }
            RecordType::TXT => RData::Txt(Text::plain(data.as_bytes().to_vec(), span.file, 0).into()),
            RecordType::SOA => {
                let (mname, serial) = (name("ns"), data.parse().unwrap());
                let soa = Soa {
                    rname: mname.clone(),
                    mname,
                    serial,
                    refresh: 1,
                    retry: 1,
                    expire: 1,
                    minimum: 1,
                    spans: [span; 7],
                };
                RData::Soa(Box::new(soa))
            }
            RecordType::TLSA => RData::Tlsa {
                usage: words[0].parse().unwrap(),
                selector: words[1].parse().unwrap(),
                matching_type: words[2].parse().unwrap(),
                data: vec![7; 32],
                span,
            },
            _ => RData::Other(format!("{rtype} {data}")),
        };
        Record { owner: name(owner), rtype, ttl: Some(300), data, span }
    }

    pub(super) fn facts(&self, domain: &str) -> Box<DomainFacts> {
        let context = Context {
            source: self,
            method: Method::Dns,
            inventory: None,
            policies: &[],
            fetches: &[],
            cache: Cache::default(),
        };
        collectors::domain(&context, &name(domain))
    }

    #[track_caller]
    pub(super) fn check(&self, domain: &str, expected: &[(&str, &str)]) {
        compare(&self.files, &self.facts(domain), domain, expected);
    }

    /// Whether a question is asked for a domain.
    pub(super) fn asks(&self, domain: &str, at: &str, rtype: RecordType) -> bool {
        self.looked_up.borrow_mut().clear();
        self.facts(domain);
        self.looked_up.borrow().contains(&(name(at), rtype))
    }

    pub(super) fn line(&self, domain: &str, path: &str) -> String {
        line(&self.files, &self.facts(domain), path)
    }
}

impl RecordSource for Fake {
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer {
        self.looked_up.borrow_mut().push((name.clone(), rtype));
        let mut at = name.clone();
        let mut aliases = Vec::new();
        loop {
            let here: Vec<Record> =
                self.records.iter().filter(|r| r.owner == at && r.rtype == rtype).cloned().collect();
            let outcome = match self.failures.get(&(at.clone(), rtype)) {
                Some(cause) => {
                    Outcome::Unknown { cause: *cause, note: format!("{at} {rtype} failed").into(), span: None }
                }
                None if !here.is_empty() => Outcome::Records(here.into()),
                None => {
                    let alias = self.records.iter().find(|record| record.owner == at);
                    if let Some(Record { data: RData::Cname(target, span), .. }) = alias {
                        aliases.push(Alias { owner: at.clone(), target: target.clone(), span: *span });
                        at = target.clone();
                        continue;
                    }
                    let proof = if alias.is_some() { Proof::Nodata } else { Proof::Nxdomain };
                    Outcome::Absent { proof, span: None }
                }
            };
            return Answer { aliases, outcome, wildcard: false, incomplete: None };
        }
    }

    fn zone_of(&self, name: &Name) -> Option<(Name, Span)> {
        let zone = self.zones.iter().filter(|zone| name.is_within(zone)).max_by_key(|zone| zone.label_count())?;
        let span = self.records.first().map(|record| record.span)?;
        Some((zone.clone(), span))
    }

    fn names_below(&self, _name: &Name) -> Option<Vec<Name>> {
        None
    }

    fn validate(&self, name: &Name, rtype: RecordType) -> Validation {
        let secure =
            || Validation { state: Observed::Present(Security::Secure), reason: None, span: None, expires: None };
        self.states.get(&(name.clone(), rtype)).cloned().unwrap_or_else(secure)
    }

    fn ask(&self, server: IpAddr, name: &Name, rtype: RecordType, mode: Ask) -> Result<Reply, NoReply> {
        let question = (server, name.clone(), rtype, mode);
        self.asked.borrow_mut().push(question.clone());
        let silent =
            || NoReply { cause: Cause::DnsTimeout, note: format!("{server} did not answer").into(), span: None };
        self.replies.get(&question).cloned().ok_or_else(silent)
    }

    fn second_opinion(&self, name: &Name, rtype: RecordType) -> Option<Answer> {
        self.second.as_ref().map(|second| second.lookup(name, rtype))
    }

    fn is_live(&self) -> bool {
        true
    }
}
