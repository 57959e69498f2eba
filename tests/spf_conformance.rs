//! SPF against test suites that nobody of this project wrote: the openspf suite for RFC 7208, and syntax vectors.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on panics, and one that skips says so"
)]

mod support;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use mailvet::mail::spf::{Limits, Lookup, Obstacle, Request, SpfDns, check_host, is_spf_version, parse, reach};
use serde_json::Value;

/// Cases in release 2014.04 of the suite.
const OPENSPF_CASES: usize = 203;

/// One `zonedata` section of the suite.
struct Zone(BTreeMap<String, Vec<Value>>);

impl Zone {
    fn new(data: &Value) -> Zone {
        let names = data.as_object().expect("zonedata is a mapping");
        Zone(
            names
                .iter()
                .map(|(name, records)| (name.to_ascii_lowercase(), records.as_array().expect("a list").clone()))
                .collect(),
        )
    }

    fn look<T>(&self, name: &str, rtype: &str, value: impl Fn(&Value) -> T) -> Lookup<Vec<T>> {
        let mut name = name.trim_end_matches('.').to_ascii_lowercase();
        for _ in 0..8 {
            let Some(records) = self.0.get(&name) else { return Lookup::NxDomain };
            let of = |rtype: &str| records.iter().filter_map(|record| record.get(rtype)).collect::<Vec<_>>();
            let mut found = of(rtype);
            // The suite leaves it to its drivers to publish its SPF records as TXT, unless TXT is given.
            if rtype == "TXT" && found.is_empty() {
                found = of("SPF");
            }
            found.retain(|value| value.as_str() != Some("NONE"));
            if !found.is_empty() {
                return Lookup::Found(found.into_iter().map(value).collect());
            }
            if records.iter().any(|record| record.as_str() == Some("TIMEOUT")) {
                return Lookup::TempError(Obstacle::new("dns-timeout"));
            }
            match of("CNAME").first().and_then(|target| target.as_str()) {
                Some(target) => name = target.trim_end_matches('.').to_ascii_lowercase(),
                None => return Lookup::NoData,
            }
        }
        // RFC 1034 section 3.6.2: a circle of aliases is an error.
        Lookup::TempError(Obstacle::new("dns-servfail"))
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

fn read<T: FromStr>(value: &Value) -> T {
    text(value).parse().unwrap_or_else(|_| panic!("{value}"))
}

/// Character-strings joined; the suite writes octets as characters up to U+00FF.
fn octets(value: &Value) -> Vec<u8> {
    let joined = match value.as_array() {
        Some(strings) => strings.iter().map(text).collect(),
        None => text(value),
    };
    joined.chars().map(|character| u8::try_from(character).expect("an octet")).collect()
}

impl SpfDns for Zone {
    fn txt(&self, name: &str) -> Lookup<Vec<Vec<u8>>> {
        self.look(name, "TXT", octets)
    }
    fn a(&self, name: &str) -> Lookup<Vec<Ipv4Addr>> {
        self.look(name, "A", read)
    }
    fn aaaa(&self, name: &str) -> Lookup<Vec<Ipv6Addr>> {
        self.look(name, "AAAA", read)
    }
    fn mx(&self, name: &str) -> Lookup<Vec<String>> {
        let mut pairs = match self.look(name, "MX", |value| (value[0].as_i64(), text(&value[1]))) {
            Lookup::Found(pairs) => pairs,
            Lookup::NoData => return Lookup::NoData,
            Lookup::NxDomain => return Lookup::NxDomain,
            Lookup::TempError(obstacle) => return Lookup::TempError(obstacle),
            Lookup::Unknown(obstacle) => return Lookup::Unknown(obstacle),
        };
        pairs.sort();
        Lookup::Found(pairs.into_iter().map(|pair| pair.1).collect())
    }
    fn ptr(&self, name: &str) -> Lookup<Vec<String>> {
        self.look(name, "PTR", text)
    }
}

/// What the case expects: results, the preferred one first, and the explanation if it says one.
fn expected(case: &Value) -> (Vec<String>, Option<Option<String>>) {
    let results = match &case["result"] {
        Value::Array(results) => results.iter().map(text).collect(),
        result => vec![text(result)],
    };
    // `DEFAULT` stands for the receiver's own text, which is to say: the domain gives none.
    let explanation = case.get("explanation").map(|value| Some(text(value)).filter(|text| text != "DEFAULT"));
    (results, explanation)
}

#[test]
fn openspf_suite_agrees() {
    let Some(data) = support::shared_data() else { return };
    let suite = std::fs::read_to_string(data.join("conformance/spf/rfc7208-tests.json")).unwrap();
    let suite: Value = serde_json::from_str(&suite).unwrap();
    let (mut run, mut agreed, mut wrong) = (0, 0, Vec::new());
    for scenario in suite.as_array().unwrap() {
        let zone = Zone::new(&scenario["zonedata"]);
        for (name, case) in scenario["tests"].as_object().unwrap() {
            let (mail_from, helo) = (text(&case["mailfrom"]), text(&case["helo"]));
            let request = Request {
                ip: read(&case["host"]),
                mail_from: &mail_from,
                helo: &helo,
                receiver: "receiver.example",
                time: 0,
            };
            let evaluation = check_host(&request, Limits::default(), &zone);
            let (results, explanation) = expected(case);
            run += 1;
            let explained = explanation.as_ref().is_none_or(|explanation| *explanation == evaluation.explanation);
            if results.iter().any(|result| result == evaluation.result.as_str()) && explained {
                agreed += 1;
            } else {
                wrong.push(format!("{name}: expected {results:?} {explanation:?}, got {evaluation:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((run, agreed), (OPENSPF_CASES, OPENSPF_CASES));
}

#[test]
fn every_record_of_the_suite_can_be_walked() {
    let Some(data) = support::shared_data() else { return };
    let suite = std::fs::read_to_string(data.join("conformance/spf/rfc7208-tests.json")).unwrap();
    let suite: Value = serde_json::from_str(&suite).unwrap();
    let mut walked = 0;
    for scenario in suite.as_array().unwrap() {
        let zone = Zone::new(&scenario["zonedata"]);
        for domain in zone.0.keys() {
            let Lookup::Found(texts) = zone.txt(domain) else { continue };
            for text in texts.iter().filter(|text| is_spf_version(text)) {
                let record = parse(text);
                let reach = reach(domain, &record, &zone);
                assert!(reach.lookups_direct <= reach.lookups.at_least, "{domain}");
                walked += 1;
            }
        }
    }
    assert!(walked > 150, "{walked}");
}

/// Vectors of the other suite (by line) that we judge differently, with the section that makes us differ.
///
/// The `valid` member of the vectors is `true` throughout: it was lost when they were extracted. Most lines below
/// merely restore what the notes and the origin say.
const LEDGER: &[(u64, &str)] = &[
    (37, "RFC 7208 section 4.5: an empty text has no version, so it is no record"),
    (41, "RFC 7208 section 7.1: a domain-spec such as `x` lacks the dot before its last label"),
    (75, "RFC 7208 section 4.6.1: `!` begins no term"),
    (76, "RFC 7208 section 4.6.1: a modifier has no qualifier"),
    (77, "RFC 7208 section 6: redirect stands twice"),
    (78, "RFC 7208 section 6: exp stands twice"),
    (79, "RFC 7208 section 5.6: not an IPv4 address"),
    (80, "RFC 7208 section 5.6: not an IPv6 address"),
    (81, "RFC 7208 section 5.6: prefix length above 32"),
    (82, "RFC 7208 section 5.6: prefix length above 128"),
    (83, "RFC 7208 section 5.6: prefix length above 32"),
    (84, "RFC 7208 section 5.6: prefix length above 128"),
    (85, "RFC 7208 section 5.6: prefix length above 128"),
    (94, "RFC 7208 section 7.1: the last label is empty"),
    (95, "RFC 7208 section 7.1: `_` is no last label"),
    (96, "RFC 7208 section 7.1: a number is no last label"),
    (97, "RFC 7208 section 7.1: a last label does not end in a hyphen"),
    (98, "RFC 7208 section 7.1: a last label does not begin with a hyphen"),
    (99, "RFC 7208 section 7.1: `/` is no last label"),
    (100, "RFC 7208 section 7.2: `x` is no macro letter"),
    (101, "RFC 7208 section 7.3: a macro must keep at least one part"),
];

#[test]
fn syntax_vectors_agree_or_are_in_the_ledger() {
    let Some(data) = support::shared_data() else { return };
    let vectors = std::fs::read_to_string(data.join("conformance/spf/mox-spf-syntax.json")).unwrap();
    let vectors: Value = serde_json::from_str(&vectors).unwrap();
    let mut differing = Vec::new();
    let cases = vectors["cases"].as_array().unwrap();
    for case in cases {
        let input = text(&case["input"]);
        if parse(&input).is_valid() != case["valid"].as_bool().unwrap() {
            differing.push(case["line"].as_u64().unwrap());
        }
    }
    assert_eq!(cases.len(), 27);
    assert_eq!(differing, LEDGER.iter().map(|(line, _)| *line).collect::<Vec<_>>());
}
