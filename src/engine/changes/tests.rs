use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::engine::support::facts;
use crate::facts::{Catalogue, Target};

/// Each change as `path: before -> after`, with marks: `+`, `-`, `?` for became known, `!` for became unknown, `~` for volatile.
fn told(kind: Target, before: &Value, after: &Value) -> Vec<String> {
    let found = changes(&facts(kind, before.clone()), &facts(kind, after.clone()));
    found.iter().map(tell).collect()
}

fn tell(change: &FactChange) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_default();
    let (before, after) = (value(&change.before), value(&change.after));
    let text = match change.change {
        FactMove::Changed => format!("{}: {before} -> {after}", change.path),
        FactMove::Added => format!("+ {}: {after}", change.path),
        FactMove::Removed => format!("- {}: {before}", change.path),
        FactMove::BecameKnown => format!("? {}: {after}", change.path),
        FactMove::BecameUnknown => format!("! {}: {before}", change.path),
    };
    if change.volatile { format!("~{text}") } else { text }
}

#[test]
fn facts_are_compared_by_value_and_lists_by_label() {
    let mx = |host: &str, preference: i64| json!({ "host": host, "preference": preference, "null": false });
    let key = |data: &str| json!({ "dkim.keys": [{ "selector": "s1", "text": format!("v=DKIM1; p={data}") }] });
    let include = |domains: &[&str]| json!({ "spf.includes": domains.iter().map(|domain| json!({ "domain": domain, "depth": 1 })).collect::<Vec<_>>() });
    let unknown = || json!({ "$unknown": "dns-timeout" });
    let cases = [
        (json!({ "dmarc.policy": "none" }), json!({ "dmarc.policy": "reject" }), vec!["dmarc.policy: none -> reject"]),
        (json!({ "dmarc.policy": null }), json!({ "dmarc.policy": "reject" }), vec!["+ dmarc.policy: reject"]),
        (json!({ "dmarc.policy": "none" }), json!({ "dmarc.policy": null }), vec!["- dmarc.policy: none"]),
        (json!({ "dmarc.policy": unknown() }), json!({ "dmarc.policy": "none" }), vec!["? dmarc.policy: none"]),
        (json!({ "dmarc.policy": unknown() }), json!({ "dmarc.policy": null }), vec!["? dmarc.policy: "]),
        (json!({ "dmarc.policy": "none" }), json!({ "dmarc.policy": unknown() }), vec!["! dmarc.policy: none"]),
        (json!({ "dmarc.policy": unknown() }), json!({ "dmarc.policy": { "$unknown": "dns-servfail" } }), vec![]),
        (
            json!({ "dns.mx": [mx("a.example", 10), mx("b.example", 20)] }),
            json!({ "dns.mx": [mx("b.example", 20), mx("a.example", 5), mx("c.example", 30)] }),
            vec!["dns.mx[a.example].preference: 10 -> 5", "+ dns.mx[c.example]: MX preference 30"],
        ),
        (
            include(&["x.example"]),
            include(&["x.example", "y.example"]),
            vec!["+ spf.includes[y.example]: depth of the include 1"],
        ),
        (
            include(&["x.example"]),
            json!({ "spf.includes": null }),
            vec!["- spf.includes[x.example]: depth of the include 1"],
        ),
        (include(&["x.example"]), json!({ "spf.includes": unknown() }), vec!["! spf.includes: [x.example]"]),
        (
            json!({ "dns.addresses": ["192.0.2.1", "192.0.2.2"] }),
            json!({ "dns.addresses": ["192.0.2.2", "192.0.2.3"] }),
            vec!["- dns.addresses[]: 192.0.2.1", "+ dns.addresses[]: 192.0.2.3"],
        ),
        (
            json!({ "dns.addresses": ["192.0.2.1", "192.0.2.2"] }),
            json!({ "dns.addresses": ["192.0.2.2", "192.0.2.1"] }),
            vec![],
        ),
        (json!({ "dns.soa.serial": 1 }), json!({ "dns.soa.serial": 2 }), vec!["~dns.soa.serial: 1 -> 2"]),
        (json!({ "dns.soa.refresh": 7200 }), json!({ "dns.soa.refresh": 90 }), vec!["dns.soa.refresh: 2h -> 90s"]),
        (key("AAAA"), key("BBBB"), vec!["dkim.keys[s1].text: v=DKIM1; p=AAAA -> v=DKIM1; p=BBBB"]),
    ];
    for (before, after, expected) in cases {
        assert_eq!(told(Target::Domain, &before, &after), expected, "{before} then {after}");
    }
}

#[test]
fn elements_of_one_label_are_told_apart_by_what_they_say() {
    let record = |tag: &str| json!({ "tag": tag, "value": "ca.example", "critical": false });
    let records = |tags: &[&str]| json!({ "caa.records": tags.iter().map(|tag| record(tag)).collect::<Vec<_>>() });
    let (one, other) = (records(&["issue", "issuewild"]), records(&["issuewild", "issue"]));
    assert_eq!(told(Target::Domain, &one, &other), Vec::<String>::new());
    let fewer = records(&["issuewild"]);
    assert_eq!(told(Target::Domain, &one, &fewer), ["- caa.records[ca.example]: CAA tag issue"]);
    let server = |address: &str, serial: i64| json!({ "host": "ns.example", "address": address, "serial": serial });
    let servers =
        |serial: i64| json!({ "authority.servers": [server("192.0.2.1", serial), server("192.0.2.2", serial)] });
    let serial = "~authority.servers[ns.example].serial: 1 -> 2";
    assert_eq!(told(Target::Domain, &servers(1), &servers(2)), [serial, serial]);
}

/// The remarks on the changes between two observations.
fn remarked(kind: Target, before: &Value, after: &Value) -> Vec<(String, String)> {
    let found = changes(&facts(kind, before.clone()), &facts(kind, after.clone()));
    found.into_iter().filter_map(|change| Some((change.path, change.remark?))).collect()
}

#[test]
fn case_100_the_policy_and_its_id_are_compared_over_two_runs() {
    let seen = |id: &str, mode: &str| json!({ "mta_sts.id": id, "mta_sts.policy.mode": mode, "mta_sts.policy.max_age": 86400, "mta_sts.policy.mx": ["a.example"] });
    let remark = |before: &Value, after: &Value| remarked(Target::Domain, before, after);
    let old = seen("1", "testing");
    assert_eq!(remark(&old, &seen("2", "enforce")), []);
    let found = remark(&old, &seen("1", "enforce"));
    assert_eq!(found[0].0, "mta_sts.policy.mode");
    assert!(found[0].1.contains("its id did not"));
    let found = remark(&old, &seen("2", "testing"));
    assert_eq!(found[0].0, "mta_sts.id");
    assert!(found[0].1.contains("the policy did not"));
}

#[test]
fn another_key_and_another_certificate_are_said_in_words() {
    let key = |text: &str| json!({ "dkim.keys": [{ "selector": "s1", "text": text }] });
    let found = remarked(Target::Domain, &key("v=DKIM1; p=AAAA"), &key("v=DKIM1; p=BBBB"));
    assert!(found[0].1.contains("another key"), "{found:?}");
    assert_eq!(remarked(Target::Domain, &key("v=DKIM1; p=AAAA"), &key("v=DKIM1; t=y; p=AAAA")), []);
    let print = |text: &str| json!({ "tls.cert.fingerprint": text, "tls.versions": ["TLSv1.2"] });
    let found = remarked(Target::Service, &print("aa"), &print("bb"));
    assert_eq!(found, [("tls.cert.fingerprint".to_owned(), "the certificate was replaced".to_owned())]);
    let newer = json!({ "tls.cert.fingerprint": "aa", "tls.versions": ["TLSv1.2", "TLSv1.3"] });
    assert_eq!(told(Target::Service, &print("aa"), &newer), ["+ tls.versions[]: TLSv1.3"]);
}

#[test]
fn every_volatile_fact_exists() {
    for path in VOLATILE {
        let known = |target: &&Target| Catalogue::resolve(**target, path).is_ok();
        assert!(Target::ALL.iter().find(known).is_some(), "{path}");
    }
}

#[test]
fn targets_of_different_kinds_have_nothing_to_compare() {
    let (domain, host) = (facts(Target::Domain, json!({ "dmarc.policy": "none" })), facts(Target::Host, json!({})));
    assert_eq!(changes(&domain, &host), []);
}

fn any_facts() -> impl Strategy<Value = Value> {
    let rows = prop::collection::vec(("[ab]", 0i64..3), 0..4);
    let mx = prop_oneof![
        Just(Value::Null),
        Just(json!({ "$unknown": "dns-timeout" })),
        rows.prop_map(|rows| {
            rows.into_iter().map(|(host, preference)| json!({ "host": host, "preference": preference })).collect()
        })
    ];
    let addresses = prop::collection::vec((1u8..4).prop_map(|last| format!("192.0.2.{last}")), 0..4);
    (mx, addresses).prop_map(|(mx, addresses)| json!({ "dns.mx": mx, "dns.addresses": addresses }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nothing_differs_from_itself_in_whatever_order(with in any_facts()) {
        let mut turned = with.clone();
        for path in ["dns.mx", "dns.addresses"] {
            if let Some(list) = turned[path].as_array_mut() {
                list.reverse();
            }
        }
        prop_assert_eq!(told(Target::Domain, &with, &with), Vec::<String>::new());
        prop_assert_eq!(told(Target::Domain, &with, &turned), Vec::<String>::new());
    }

    #[test]
    fn there_and_back_are_as_many_changes(before in any_facts(), after in any_facts()) {
        let (there, back) = (told(Target::Domain, &before, &after), told(Target::Domain, &after, &before));
        prop_assert_eq!(there.len(), back.len());
        let starting = |list: &[String], mark: char| list.iter().filter(|item| item.starts_with(mark)).count();
        prop_assert_eq!(starting(&there, '+'), starting(&back, '-'));
        prop_assert_eq!(starting(&there, '?'), starting(&back, '!'));
    }
}
