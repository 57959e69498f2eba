//! What the name servers of a zone and of its parent say, asked one by one.
//!
//! A server that does not answer is unknown; one that answers and does not speak for the zone is lame. Every address of
//! every server is asked, those that the zone names and those that the parent delegates to. All questions go out as
//! early as possible; none depends on the answer to another.

mod parent;

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::diag::Span;
use crate::facts::domain::{AuthorityFacts, List, NameServerFacts};
use crate::facts::{Cause, Fact, Observed, Proof};
use crate::mail::Name;
use crate::sources::{Ask, NoReply, RData, RecordType, Reply};

use super::compare::Question;
use super::context::{Addresses, Missing, RecordSet};
use super::{Context, dnssec};

/// Names of others that a server is asked for, to see whether it recurses; the first that does not lie in the zone.
/// IANA keeps both for examples (RFC 6761 section 6.5), and they have addresses.
const FOREIGN: [&str; 2] = ["example.com", "example.org"];

/// The question for a whole zone (RFC 5936 section 2).
const AXFR: RecordType = RecordType(252);

/// Most addresses that are asked.
const MOST_ADDRESSES: usize = 40;

/// Facts from questions to single servers.
pub(super) fn collect(context: &Context<'_>, name: &Name) -> AuthorityFacts {
    if !context.source.is_live() {
        return AuthorityFacts::default();
    }
    let (zone, doubt) = dnssec::zone(context, name);
    let served = context.records(&zone, RecordType::NS);
    if let Some(missing) = doubt {
        // What the answers would be about is not known yet; the parent will be asked for soon.
        if let Some(above) = name.parent() {
            context.source.zone_of(&above);
        }
        return nothing(context, &missing);
    }
    let parent = parent::ask(context, &zone);
    let served = match served {
        Ok(served) => served,
        Err(missing) => return AuthorityFacts { parent_ns: parent.names(context), ..nothing(context, &missing) },
    };
    let hosts = hosts(&served, &parent);
    let servers = Servers::ask(context, name, &zone, &hosts);
    AuthorityFacts {
        lame: servers.hosts_where(context, |row| &row.authoritative, false),
        parent_ns: parent.names(context),
        parent_agrees: parent.agrees(context, &served),
        stale_glue: parent.stale_glue(context, &zone, &served),
        serials_agree: servers.serials_agree(context),
        differing: servers.differing(context, name),
        networks: servers.networks(context),
        open_recursion: servers.hosts_where(context, |row| &row.recursion, true),
        open_transfer: servers.hosts_where(context, |row| &row.transfer, true),
        servers: servers.rows(context, served.doubt()),
    }
}

/// All facts missing for one reason.
fn nothing(context: &Context<'_>, missing: &Missing) -> AuthorityFacts {
    let method = context.method;
    AuthorityFacts {
        servers: missing.fact(method),
        lame: missing.fact(method),
        parent_ns: missing.fact(method),
        parent_agrees: missing.fact(method),
        stale_glue: missing.fact(method),
        serials_agree: missing.fact(method),
        differing: missing.fact(method),
        networks: missing.fact(method),
        open_recursion: missing.fact(method),
        open_transfer: missing.fact(method),
    }
}

/// The servers that the zone names, and those that the parent delegates to.
fn hosts(served: &RecordSet, parent: &parent::Parent) -> BTreeSet<Name> {
    let mut hosts = names(served);
    hosts.extend(parent.hosts().cloned());
    hosts
}

/// Name servers in a set of NS records.
fn names(set: &RecordSet) -> BTreeSet<Name> {
    let host = |data: &RData| match data {
        RData::Ns(host, _) => Some(host.clone()),
        _ => None,
    };
    set.records.iter().filter_map(|record| host(&record.data)).collect()
}

/// One address of one server, and what it says.
struct Server {
    row: NameServerFacts,
    address: IpAddr,
    /// Answers to the questions about mail, where the server speaks for the zone.
    mail: Vec<Result<(Vec<String>, Span), Missing>>,
}

struct Servers {
    list: Vec<Server>,
    /// Why there may be more addresses.
    unknown: Option<Missing>,
}

impl Servers {
    fn ask(context: &Context<'_>, name: &Name, zone: &Name, hosts: &BTreeSet<Name>) -> Servers {
        let mut servers = Servers { list: Vec::new(), unknown: None };
        for host in hosts {
            let found = match context.addresses(host) {
                Ok(found) => found,
                // A server without address is not asked: it is a fault of the NS records, not of a server.
                Err(missing) if missing.cause().is_none() => continue,
                Err(missing) => {
                    servers.unknown.get_or_insert(missing);
                    continue;
                }
            };
            let Addresses { list, span, incomplete } = found;
            servers.unknown = servers.unknown.or(incomplete);
            for address in list {
                if servers.list.len() >= MOST_ADDRESSES {
                    let note = format!("only {MOST_ADDRESSES} addresses of name servers are asked");
                    servers.unknown.get_or_insert(Missing::unknown(Cause::LimitReached, note, span));
                    break;
                }
                servers.list.push(Server::ask(context, name, zone, host, address, span));
            }
        }
        servers
    }

    fn rows(self, context: &Context<'_>, doubt: Option<Missing>) -> Fact<List<NameServerFacts>> {
        let span = self.list.first().and_then(|server| server.row.authoritative.from.span);
        let mut rows: Vec<NameServerFacts> = self.list.into_iter().map(|server| server.row).collect();
        rows.extend(self.unknown.or(doubt).map(|missing| NameServerFacts {
            host: missing.fact(context.method),
            address: missing.fact(context.method),
            authoritative: missing.fact(context.method),
            serial: missing.fact(context.method),
            recursion: missing.fact(context.method),
            transfer: missing.fact(context.method),
        }));
        context.present(List(rows), span)
    }

    /// The hosts with an address of which something is true.
    fn hosts_where(
        &self,
        context: &Context<'_>,
        of: impl Fn(&NameServerFacts) -> &Fact<bool>,
        wanted: bool,
    ) -> Fact<Vec<Name>> {
        let mut hosts: Vec<Name> = Vec::new();
        let mut span = None;
        let mut unknown = self.unknown.clone();
        for server in &self.list {
            let fact = of(&server.row);
            match (&fact.observed, server.row.host.observed.present()) {
                (Observed::Present(found), Some(host)) if *found == wanted => {
                    span = span.or(fact.from.span);
                    if !hosts.contains(host) {
                        hosts.push(host.clone());
                    }
                }
                (Observed::Unknown(cause), _) => {
                    let note = fact.from.note.clone().unwrap_or_default();
                    unknown.get_or_insert(Missing::unknown(*cause, note, fact.from.span));
                }
                _ => {}
            }
        }
        let first = self.list.first().and_then(|server| of(&server.row).from.span);
        match unknown {
            Some(missing) if hosts.is_empty() => missing.fact(context.method),
            _ => context.present(hosts, span.or(first)),
        }
    }

    /// Serials are compared for equality only; their order has no meaning here (RFC 1982).
    fn serials_agree(&self, context: &Context<'_>) -> Fact<bool> {
        let mut first: Option<(i64, Option<Span>)> = None;
        let mut unknown = self.unknown.clone();
        for server in &self.list {
            let fact = &server.row.serial;
            match (&fact.observed, first) {
                (Observed::Present(serial), Some((known, _))) if *serial != known => {
                    return context.present(false, fact.from.span);
                }
                (Observed::Present(serial), None) => first = Some((*serial, fact.from.span)),
                (Observed::Unknown(cause), _) => {
                    let note = fact.from.note.clone().unwrap_or_default();
                    unknown.get_or_insert(Missing::unknown(*cause, note, fact.from.span));
                }
                _ => {}
            }
        }
        match (unknown, first) {
            (Some(missing), _) => missing.fact(context.method),
            (None, Some((_, span))) => context.present(true, span),
            (None, None) => Missing::absent(Proof::NotOffered, None).fact(context.method),
        }
    }

    /// The questions about mail that two servers of the zone answer differently.
    fn differing(&self, context: &Context<'_>, name: &Name) -> Fact<Vec<String>> {
        let mut differing = Vec::new();
        let mut span = None;
        let mut seen = None;
        let mut unknown = self.unknown.clone();
        for (index, question) in Question::of_mail(name).iter().enumerate() {
            let mut first: Option<&Vec<String>> = None;
            let mut differs = None;
            for answer in self.list.iter().filter_map(|server| server.mail.get(index)) {
                match (answer, first) {
                    (Ok((data, at)), Some(known)) if data != known => differs = differs.or(Some(*at)),
                    (Ok((data, at)), None) => {
                        first = Some(data);
                        seen = seen.or(Some(*at));
                    }
                    (Ok(_), Some(_)) => {}
                    (Err(missing), _) => {
                        unknown.get_or_insert(missing.clone());
                    }
                }
            }
            if let Some(at) = differs {
                differing.push(question.title());
                span = span.or(Some(at));
            }
        }
        match unknown {
            Some(missing) if differing.is_empty() => missing.fact(context.method),
            _ => context.present(differing, span.or(seen)),
        }
    }

    /// RFC 2182 section 3.1: servers on one network fail together.
    fn networks(&self, context: &Context<'_>) -> Fact<i64> {
        if let Some(missing) = &self.unknown {
            return missing.fact(context.method);
        }
        let network = |address: IpAddr| match address {
            IpAddr::V4(address) => Ipv4Net::new(address, 24).map(|network| IpNet::V4(network.trunc())),
            IpAddr::V6(address) => Ipv6Net::new(address, 48).map(|network| IpNet::V6(network.trunc())),
        };
        let networks: BTreeSet<IpNet> = self.list.iter().filter_map(|server| network(server.address).ok()).collect();
        let span = self.list.first().and_then(|server| server.row.address.from.span);
        context.present(i64::try_from(networks.len()).unwrap_or(i64::MAX), span)
    }
}

impl Server {
    fn ask(
        context: &Context<'_>,
        name: &Name,
        zone: &Name,
        host: &Name,
        address: IpAddr,
        span: Option<Span>,
    ) -> Server {
        let source = context.source;
        let soa = source.ask(address, zone, RecordType::SOA, Ask::Iterative).map_err(silent);
        let questions = Question::of_mail(name);
        let speaks = soa.as_ref().is_ok_and(|reply| serial(reply, zone).is_some());
        // Asked before it is known whether the server speaks for the zone, to save a round trip.
        let mail = questions.iter().map(|question| {
            let reply = source.ask(address, &question.name, question.rtype, Ask::Iterative);
            reply.map_err(silent).and_then(|reply| said(question, &reply))
        });
        let mail: Vec<_> = mail.collect();
        let row = NameServerFacts {
            host: context.present(host.clone(), span),
            address: context.present(address, span),
            authoritative: context
                .observed(soa.as_ref().map_err(Missing::clone).and_then(|reply| speaks_for(reply, zone))),
            serial: match &soa {
                Ok(reply) => match (serial(reply, zone), speaks_for(reply, zone)) {
                    (Some(serial), _) => context.present(i64::from(serial), Some(reply.span)),
                    (None, Ok(_)) => Missing::absent(Proof::NotOffered, Some(reply.span)).fact(context.method),
                    (None, Err(missing)) => missing.fact(context.method),
                },
                Err(missing) => missing.fact(context.method),
            },
            recursion: recursion(context, zone, address),
            transfer: transfer(context, zone, address),
        };
        Server { row, address, mail: if speaks { mail } else { Vec::new() } }
    }
}

fn silent(no_reply: NoReply) -> Missing {
    Missing::unknown(no_reply.cause, no_reply.note, no_reply.span)
}

/// The SOA serial in an authoritative answer.
fn serial(reply: &Reply, zone: &Name) -> Option<u32> {
    let own = reply.answers.iter().filter(|record| record.owner == *zone);
    let mut serials = own.filter_map(|record| match &record.data {
        RData::Soa(soa) => Some(soa.serial),
        _ => None,
    });
    serials.next().filter(|_| reply.rcode == 0 && reply.authoritative)
}

/// Whether a server speaks for the zone (RFC 1912 section 2.8). A server that fails, rather than refuses or refers to
/// others, may be the right one on a bad day.
fn speaks_for(reply: &Reply, zone: &Name) -> Result<(bool, Span), Missing> {
    match reply.rcode {
        0 => Ok((serial(reply, zone).is_some(), reply.span)),
        // NXDOMAIN, REFUSED and NOTAUTH (RFC 2136 section 2.2): it does not know the zone.
        3 | 5 | 9 => Ok((false, reply.span)),
        2 => Err(Missing::unknown(Cause::DnsServfail, "the name server fails (SERVFAIL)", Some(reply.span))),
        rcode => {
            let note = format!("the name server answers with response code {rcode}");
            Err(Missing::unknown(Cause::Protocol, note, Some(reply.span)))
        }
    }
}

/// What a server of the zone says about a mail record.
fn said(question: &Question, reply: &Reply) -> Result<(Vec<String>, Span), Missing> {
    match reply.rcode {
        0 | 3 => {
            let aliases = reply.answers.iter().filter_map(|record| match &record.data {
                RData::Cname(target, _) => Some(format!("alias of {target}")),
                _ => None,
            });
            let aliases: Vec<String> = aliases.collect();
            // What stands behind an alias may be another zone, which only some servers know.
            let data = if aliases.is_empty() { question.data(&reply.answers) } else { aliases };
            Ok((data, reply.span))
        }
        rcode => {
            let cause = match rcode {
                2 => Cause::DnsServfail,
                5 => Cause::DnsRefused,
                _ => Cause::Protocol,
            };
            let note = format!("the question for {} is answered with response code {rcode}", question.title());
            Err(Missing::unknown(cause, note, Some(reply.span)))
        }
    }
}

/// Whether a server looks up foreign names for strangers (RFC 5358 section 4).
fn recursion(context: &Context<'_>, zone: &Name, address: IpAddr) -> Fact<bool> {
    let foreign = FOREIGN.iter().filter_map(|name| Name::parse(name).ok()).find(|name| !name.is_within(zone));
    let Some(foreign) = foreign else {
        return Missing::absent(Proof::NotStated, None).fact(context.method);
    };
    match context.source.ask(address, &foreign, RecordType::A, Ask::Recursive) {
        // A resolver that could not find out has not said whether it does so for strangers.
        Ok(reply) if reply.rcode == 2 => {
            Missing::unknown(Cause::DnsServfail, "the name server fails (SERVFAIL)", Some(reply.span))
                .fact(context.method)
        }
        // A referral or an empty answer is no recursion, whatever the RA bit says.
        Ok(reply) => {
            let found = reply.answers.iter().any(|record| matches!(record.data, RData::A(..) | RData::Cname(..)));
            let recursed = reply.recursion_available && ((reply.rcode == 0 && found) || reply.rcode == 3);
            context.present(recursed, Some(reply.span))
        }
        Err(no_reply) => silent(no_reply).fact(context.method),
    }
}

/// Whether a server hands over the whole zone (RFC 5936 section 2.2): the first message begins with the SOA record. The
/// order of records is not kept, and nothing but a transfer has the SOA record among the answers to this question.
fn transfer(context: &Context<'_>, zone: &Name, address: IpAddr) -> Fact<bool> {
    match context.source.ask(address, zone, AXFR, Ask::Transfer) {
        // Who fails to hand the zone over has not said for whom it would.
        Ok(reply) if reply.rcode == 2 => {
            Missing::unknown(Cause::DnsServfail, "the name server fails (SERVFAIL)", Some(reply.span))
                .fact(context.method)
        }
        Ok(reply) => {
            let begun = reply.answers.iter().any(|record| record.rtype == RecordType::SOA && record.owner == *zone);
            context.present(reply.rcode == 0 && begun, Some(reply.span))
        }
        Err(no_reply) => silent(no_reply).fact(context.method),
    }
}

impl Context<'_> {
    /// A value with its place, or why it is not known.
    fn observed<T>(&self, found: Result<(T, Span), Missing>) -> Fact<T> {
        match found {
            Ok((value, span)) => self.present(value, Some(span)),
            Err(missing) => missing.fact(self.method),
        }
    }
}
