//! Facts about addresses and block lists, from answers that are written as text.
//!
//! A record is written `name TYPE value`; the values `SERVFAIL`, `TIMEOUT` and `REFUSED` make the question fail.

use std::cell::RefCell;

use super::*;
use crate::collectors::Cache;
use crate::diag::{FileId, Files, Span};
use crate::facts::HostFacts;
use crate::facts::domain::ReputationFacts;
use crate::facts::host::{ListHealth, ListingFacts};
use crate::inventory::Inventory;
use crate::sources::{Answer, Outcome, Record, RecordSource, Text};

struct Fake<'a> {
    records: &'a [&'a str],
    file: FileId,
    live: bool,
    asked: RefCell<Vec<String>>,
}

impl<'a> Fake<'a> {
    fn new(records: &'a [&'a str]) -> Fake<'a> {
        let file = Files::default().add("answers", Vec::new());
        Fake { records, file, live: true, asked: RefCell::default() }
    }
}

impl RecordSource for Fake<'_> {
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer {
        self.asked.borrow_mut().push(format!("{name} {rtype}"));
        let span = Span::new(self.file, 1, 2);
        let here = self.records.iter().filter_map(|line| {
            let mut words = line.splitn(3, ' ');
            (words.next()? == name.as_str()).then_some((RecordType::parse(words.next()?)?, words.next()?))
        });
        let mut exists = false;
        let mut records = Vec::new();
        let mut failure = None;
        for (found, value) in here.inspect(|_| exists = true).filter(|(found, _)| *found == rtype) {
            let data = match (found, value) {
                (_, "SERVFAIL") => {
                    failure = Some(Cause::DnsServfail);
                    continue;
                }
                (_, "TIMEOUT") => {
                    failure = Some(Cause::DnsTimeout);
                    continue;
                }
                (_, "REFUSED") => {
                    failure = Some(Cause::DnsRefused);
                    continue;
                }
                (RecordType::A, _) => RData::A(value.parse().unwrap(), span),
                (RecordType::AAAA, _) => RData::Aaaa(value.parse().unwrap(), span),
                (RecordType::PTR, _) => RData::Ptr(Name::parse(value).unwrap(), span),
                _ => RData::Txt(Text::plain(value.as_bytes().to_vec(), self.file, 1).into()),
            };
            records.push(Record { owner: name.clone(), rtype, ttl: Some(60), data, span });
        }
        let proof = if exists { Proof::Nodata } else { Proof::Nxdomain };
        let outcome = match (failure, records.is_empty()) {
            (Some(cause), _) => Outcome::Unknown { cause, note: format!("{name}: {cause}").into(), span: Some(span) },
            (None, true) => Outcome::Absent { proof, span: Some(span) },
            (None, false) => Outcome::Records(records.into()),
        };
        Answer { aliases: Vec::new(), outcome, wildcard: false, incomplete: None }
    }

    fn zone_of(&self, _name: &Name) -> Option<(Name, Span)> {
        None
    }

    fn names_below(&self, _name: &Name) -> Option<Vec<Name>> {
        None
    }

    fn is_live(&self) -> bool {
        self.live
    }
}

fn inventory(yaml: &str) -> Inventory {
    Inventory::load(&mut Files::default(), "mailvet.yaml", yaml.as_bytes()).unwrap()
}

fn with<T>(fake: &Fake<'_>, yaml: &str, collect: impl FnOnce(&Context<'_>) -> T) -> T {
    let inventory = inventory(yaml);
    let context = Context {
        source: fake,
        method: Method::Dns,
        inventory: Some(&inventory),
        policies: &[],
        fetches: &[],
        cache: Cache::default(),
    };
    collect(&context)
}

const OFF: &str = "block_lists: { hosts: [], domains: [] }";

fn host_of(records: &[&str], yaml: &str, host: Option<&str>, address: &str) -> HostFacts {
    let input = HostInput {
        host: host.map(|host| Name::parse(host).unwrap()),
        address: address.parse().unwrap(),
        claimed: true,
        inbound: true,
        outbound: false,
    };
    with(&Fake::new(records), yaml, |context| collect(context, &input))
}

/// A fact in one word.
fn shown<T: std::fmt::Debug>(fact: &Fact<T>) -> String {
    match &fact.observed {
        Observed::Present(value) => format!("{value:?}"),
        Observed::Absent(proof) => format!("absent {proof}"),
        Observed::Unknown(cause) => format!("unknown {cause}"),
    }
}

#[test]
fn case_92_one_ptr_name_that_confirms_is_enough() {
    const V4: &str = "1.2.0.192.in-addr.arpa";
    for (records, confirmed, is_host) in [
        (&[][..], "absent nxdomain", "absent nxdomain"),
        (&[&format!("{V4} PTR mx.example.org"), "mx.example.org A 192.0.2.1"], "true", "true"),
        (
            &[
                &format!("{V4} PTR a.example.org"),
                &format!("{V4} PTR mx.example.org"),
                "a.example.org A 192.0.2.9",
                "mx.example.org A 192.0.2.8",
                "mx.example.org A 192.0.2.1",
            ],
            "true",
            "true",
        ),
        (&[&format!("{V4} PTR a.example.org"), "a.example.org A 192.0.2.9"], "false", "false"),
        (&[&format!("{V4} PTR a.example.org")], "false", "false"),
        (&[&format!("{V4} PTR a.example.org"), "a.example.org A SERVFAIL"], "unknown dns-servfail", "false"),
        (
            &[
                &format!("{V4} PTR a.example.org"),
                &format!("{V4} PTR mx.example.org"),
                "a.example.org A TIMEOUT",
                "mx.example.org A 192.0.2.1",
            ],
            "true",
            "true",
        ),
        (&[&format!("{V4} PTR SERVFAIL")], "unknown dns-servfail", "unknown dns-servfail"),
        (&[&format!("{V4} PTR REFUSED")], "unknown dns-refused", "unknown dns-refused"),
        // Only addresses of the same family can confirm.
        (&[&format!("{V4} PTR mx.example.org"), "mx.example.org AAAA 2001:db8::1"], "false", "true"),
    ] as [(&[&str], &str, &str); 10]
    {
        let facts = host_of(records, OFF, Some("mx.example.org"), "192.0.2.1");
        assert_eq!((shown(&facts.forward_confirmed), shown(&facts.ptr_is_host)), (confirmed.into(), is_host.into()));
        assert!(facts.forward_confirmed.from.span.is_some() && facts.ptr.from.span.is_some(), "{records:?}");
    }
}

#[test]
fn case_93_each_address_is_judged_by_itself() {
    let reverse = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR mx.example.org";
    let records = [reverse, "mx.example.org AAAA 2001:db8::1", "mx.example.org A 192.0.2.1"];
    let v6 = host_of(&records, OFF, Some("mx.example.org"), "2001:db8::1");
    let v4 = host_of(&records, OFF, Some("mx.example.org"), "192.0.2.1");
    assert_eq!((shown(&v6.forward_confirmed), shown(&v4.forward_confirmed)), ("true".into(), "absent nxdomain".into()));
}

#[test]
fn case_94_receiving_does_not_make_a_sender() {
    let input = |inbound, outbound| HostInput {
        host: None,
        address: "192.0.2.1".parse().unwrap(),
        claimed: false,
        inbound,
        outbound,
    };
    for (inbound, outbound) in [(true, false), (false, true), (true, true)] {
        let facts = with(&Fake::new(&[]), OFF, |context| collect(context, &input(inbound, outbound)));
        assert_eq!((shown(&facts.inbound), shown(&facts.outbound)), (inbound.to_string(), outbound.to_string()));
    }
}

#[test]
fn names_and_networks() {
    let records = ["1.2.0.192.in-addr.arpa PTR static-192-0-2-1.example.net"];
    let facts = host_of(&records, "networks: [192.0.2.0/24]", None, "192.0.2.1");
    assert_eq!(shown(&facts.host), "\"static-192-0-2-1.example.net\"");
    assert_eq!((shown(&facts.generic_ptr), shown(&facts.in_networks)), ("true".into(), "true".into()));
    assert_eq!((shown(&facts.special), shown(&facts.ptr_is_host)), ("true".into(), "absent not-declared".into()));
    let facts = host_of(&[], OFF, None, "9.9.9.9");
    assert_eq!((shown(&facts.host), shown(&facts.in_networks)), ("\"9.9.9.9\"".into(), "absent not-declared".into()));
    assert_eq!((shown(&facts.special), shown(&facts.generic_ptr)), ("false".into(), "absent nxdomain".into()));
    let many: Vec<String> = (0..40).map(|n| format!("9.9.9.9.in-addr.arpa PTR n{n:02}.example.net")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let facts = host_of(&many, OFF, None, "9.9.9.9");
    assert_eq!(shown(&facts.forward_confirmed), "unknown limit-reached");
}

const ONE: &str = "block_lists: { hosts: [l.example], domains: [d.example] }";
const WORKS: &str = "2.0.0.127.l.example A 127.0.0.2";

/// Health, `listed` and `listed_on` of the first list for 192.0.2.1.
fn one(records: &[&str]) -> (String, String, String) {
    let facts = host_of(records, ONE, None, "192.0.2.1");
    let row = first(&facts.lists);
    for span in
        [row.list.from.span, row.health.from.span, row.listed.from.span, row.codes.from.span, row.reason.from.span]
    {
        assert!(span.is_some(), "{records:?}");
    }
    assert!(facts.listed_on.from.span.is_some() && facts.lists.from.span.is_some(), "{records:?}");
    (shown(&row.health), shown(&row.listed), shown(&facts.listed_on))
}

fn first(lists: &Fact<List<ListingFacts>>) -> &ListingFacts {
    &lists.observed.present().unwrap().0[0]
}

/// Records, and what they come to: health, `listed` and `listed_on`.
type Case<'a> = (&'a [&'a str], (&'a str, &'a str, &'a str));

#[track_caller]
fn check(cases: &[Case<'_>]) {
    for (records, (health, listed, listed_on)) in cases {
        let expected = ((*health).to_owned(), (*listed).to_owned(), (*listed_on).to_owned());
        assert_eq!(one(records), expected, "{records:?}");
    }
}

#[test]
fn a_working_list_is_believed() {
    check(&[
        (&[WORKS], ("Working", "false", "[]")),
        (&[WORKS, "1.2.0.192.l.example A 127.0.0.4"], ("Working", "true", "[\"l.example\"]")),
        (&[WORKS, "1.2.0.192.l.example A SERVFAIL"], ("Working", "unknown dns-servfail", "unknown dns-servfail")),
        (&[WORKS, "1.2.0.192.l.example A TIMEOUT"], ("Working", "unknown dns-timeout", "unknown dns-timeout")),
        (
            &["2.0.0.127.l.example A TIMEOUT", "1.2.0.192.l.example A 127.0.0.4"],
            ("unknown dns-timeout", "unknown dns-timeout", "unknown dns-timeout"),
        ),
        (
            &[WORKS, "1.0.0.127.l.example A SERVFAIL"],
            ("unknown dns-servfail", "unknown dns-servfail", "unknown dns-servfail"),
        ),
    ]);
    let records =
        [WORKS, "1.2.0.192.l.example A 127.0.0.4", "1.2.0.192.l.example A 127.0.0.2", "1.2.0.192.l.example TXT why"];
    let facts = host_of(&records, ONE, None, "192.0.2.1");
    let row = first(&facts.lists);
    assert_eq!((shown(&row.codes), shown(&row.reason)), ("[127.0.0.2, 127.0.0.4]".into(), "\"why\"".into()));
}

#[test]
fn case_131_error_codes_are_not_listings() {
    for code in ["127.255.255.252", "127.255.255.254", "127.255.255.255", "127.0.0.1"] {
        let answer = format!("1.2.0.192.l.example A {code}");
        check(&[(&[WORKS, &answer], ("Working", "unknown dns-refused", "unknown dns-refused"))]);
    }
}

#[test]
fn case_132_lists_that_fail_their_test_are_not_believed() {
    check(&[
        (&["1.2.0.192.l.example A 127.0.0.2"], ("Dead", "unknown protocol", "unknown protocol")),
        (&[], ("Dead", "unknown protocol", "unknown protocol")),
        (
            &[WORKS, "1.0.0.127.l.example A 127.0.0.2", "1.2.0.192.l.example A 127.0.0.2"],
            ("ListsEverything", "unknown protocol", "unknown protocol"),
        ),
        (
            &["2.0.0.127.l.example A 198.51.100.1", "1.0.0.127.l.example A 198.51.100.1"],
            ("ListsEverything", "unknown protocol", "unknown protocol"),
        ),
        (&["2.0.0.127.l.example A 198.51.100.1"], ("Dead", "unknown protocol", "unknown protocol")),
        (&[WORKS, "1.2.0.192.l.example A 198.51.100.1"], ("Working", "unknown protocol", "unknown protocol")),
    ]);
}

#[test]
fn case_133_a_refused_resolver_learns_nothing() {
    let refused = "A 127.255.255.254";
    let names = ["2.0.0.127", "1.0.0.127", "1.2.0.192"].map(|labels| format!("{labels}.l.example {refused}"));
    check(&[
        (&names.each_ref().map(String::as_str), ("Refused", "unknown dns-refused", "unknown dns-refused")),
        (
            &["2.0.0.127.l.example A REFUSED", "1.0.0.127.l.example A REFUSED", "1.2.0.192.l.example A REFUSED"],
            ("unknown dns-refused", "unknown dns-refused", "unknown dns-refused"),
        ),
    ]);
    let facts = host_of(&names.each_ref().map(String::as_str), ONE, None, "192.0.2.1");
    assert!(first(&facts.lists).listed.from.note.as_deref().unwrap().contains("127.255.255.254"));
}

#[test]
fn case_134_ipv6_is_asked_digit_by_digit_of_lists_that_hold_it() {
    let zeros = "0.".repeat(20);
    let test = format!("2.0.0.0.0.0.f.7.f.f.f.f.{zeros}l.example A 127.0.0.2");
    let entry = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.l.example A 127.0.0.2";
    let seen = |records: &[&str]| {
        let facts = host_of(records, ONE, None, "2001:db8::1");
        let row = first(&facts.lists);
        (shown(&row.health), shown(&row.listed), shown(&facts.listed_on))
    };
    let words = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(seen(&[&test, entry]), words("Working", "true", "[\"l.example\"]"));
    assert_eq!(seen(&[&test]), words("Working", "false", "[]"));
    assert_eq!(seen(&[WORKS, entry]), words("Dead", "unknown not-collected", "unknown not-collected"));
    assert_eq!(seen(&[]), words("Dead", "unknown protocol", "unknown protocol"));
    // A list without IPv6 beside one that has it: what the other says is all there is to know.
    let both = "block_lists: { hosts: [v4.example, l.example] }";
    let facts = host_of(&["2.0.0.127.v4.example A 127.0.0.2", &test], both, None, "2001:db8::1");
    assert_eq!(shown(&facts.listed_on), "[]");
    assert!(facts.listed_on.from.note.as_deref().unwrap().contains("v4.example"));
    // The lists that are known are asked about IPv6 where they hold it.
    let fake = Fake::new(&[]);
    with(&fake, "format: 1", |context| reputation::address(context, "2001:db8::1".parse().unwrap()));
    assert!(fake.asked.borrow().iter().all(|asked| asked.contains(".zen.spamhaus.org ")));
}

#[test]
fn one_listing_is_enough_a_dead_list_says_nothing_and_one_that_refuses_is_missed() {
    let two = "block_lists: { hosts: [l.example, m.example] }";
    let other = "2.0.0.127.m.example A 127.0.0.2";
    let refuses = "2.0.0.127.m.example A 127.255.255.254";
    for (records, expected, note) in [
        (&[WORKS, other][..], "[]", None),
        (&[WORKS, other, "1.2.0.192.m.example A 127.0.0.3"], "[\"m.example\"]", None),
        (&[WORKS], "[]", Some("1 of 2 lists say nothing: m.example")),
        (&[WORKS, refuses], "unknown dns-refused", Some("1 of 2 lists say nothing: m.example")),
        (&[other, "1.2.0.192.m.example A 127.0.0.3"], "[\"m.example\"]", Some("1 of 2 lists say nothing: l.example")),
    ] {
        let facts = host_of(records, two, None, "192.0.2.1");
        assert_eq!((shown(&facts.listed_on).as_str(), facts.listed_on.from.note.as_deref()), (expected, note));
    }
}

#[test]
fn domain_lists_are_tested_by_names() {
    let seen = |records: &[&str]| -> ReputationFacts {
        let name = Name::parse("shop.example.org").unwrap();
        with(&Fake::new(records), ONE, |context| reputation::collect(context, &name))
    };
    let works = "test.d.example A 127.0.1.2";
    let facts = seen(&[works, "shop.example.org.d.example A 127.0.1.4"]);
    assert_eq!(shown(&facts.listed_on), "[\"d.example\"]");
    assert_eq!(shown(&seen(&[works]).listed_on), "[]");
    let facts = seen(&[works, "invalid.d.example A 127.0.1.2"]);
    assert_eq!(first(&facts.lists).health.observed, Observed::Present(ListHealth::ListsEverything));
    assert_eq!(shown(&facts.listed_on), "unknown protocol");
}

#[test]
fn nothing_is_asked_without_network_or_when_switched_off() {
    let mut fake = Fake::new(&[]);
    let address = "192.0.2.1".parse().unwrap();
    let off = with(&fake, OFF, |context| reputation::address(context, address));
    assert_eq!(shown(&off.listed_on), "unknown not-collected");
    fake.live = false;
    let offline = with(&fake, ONE, |context| reputation::address(context, address));
    assert_eq!((offline.listed_on, offline.lists), (Fact::default(), Fact::default()));
    assert!(fake.asked.borrow().is_empty());
}

#[test]
fn everything_is_asked_in_the_first_round() {
    let fake = Fake::new(&[]);
    with(&fake, ONE, |context| reputation::address(context, "192.0.2.1".parse().unwrap()));
    let mut asked = fake.asked.take();
    asked.sort();
    assert_eq!(
        asked,
        ["1.0.0.127.l.example A", "1.2.0.192.l.example A", "1.2.0.192.l.example TXT", "2.0.0.127.l.example A"]
    );
}
