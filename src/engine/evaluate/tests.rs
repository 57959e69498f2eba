//! Every operator on every state of a fact.

use serde_json::{Value, json};

use super::*;
use crate::engine::support::{facts, rule};
use crate::facts::{Fact, Target, TargetFacts};

fn judge(target: Target, document: Value, with: Value) -> &'static str {
    let as_of = AsOf::date(jiff::civil::date(2026, 11, 21));
    verdict(&rule(target, document), facts(target, with).group(), as_of).as_str()
}

fn domain(check: Value, with: Value) -> &'static str {
    judge(Target::Domain, json!({ "check": check }), with)
}

#[test]
fn every_operator_decides_present_values() {
    let timeout = || json!({ "$unknown": "dns-timeout" });
    let mx = |hosts: &[&str]| {
        json!({ "dns.mx": hosts.iter().map(|host| json!({ "host": host })).collect::<Vec<_>>(),
                    "inventory.mx": ["mx1.example.org", "mx2.example.org"] })
    };
    let cases = [
        (json!({ "fact": "dmarc.policy", "equals": "reject" }), json!({ "dmarc.policy": "reject" }), "pass"),
        (json!({ "fact": "dmarc.policy", "not_equals": "none" }), json!({ "dmarc.policy": "none" }), "fail"),
        (json!({ "fact": "dmarc.policy", "at_least": "quarantine" }), json!({ "dmarc.policy": "reject" }), "pass"),
        (json!({ "fact": "dmarc.policy", "at_most": "none" }), json!({ "dmarc.policy": "reject" }), "fail"),
        (json!({ "fact": "spf.lookups", "in": [1, 2] }), json!({ "spf.lookups": 2 }), "pass"),
        (json!({ "fact": "spf.lookups", "not_in": [1, 2] }), json!({ "spf.lookups": 2 }), "fail"),
        (json!({ "fact": "spf.lookups", "between": [1, 2] }), json!({ "spf.lookups": 1 }), "pass"),
        (json!({ "fact": "spf.lookups", "between": [1, 2] }), json!({ "spf.lookups": 3 }), "fail"),
        (json!({ "fact": "spf.text", "matches": "v=spf1 .*" }), json!({ "spf.text": "v=spf1 -all" }), "pass"),
        (json!({ "fact": "spf.text", "matches": "-all" }), json!({ "spf.text": "v=spf1 -all" }), "fail"),
        (json!({ "fact": "spf.text", "contains": "ptr" }), json!({ "spf.text": "v=spf1 ptr" }), "pass"),
        (json!({ "fact": "spf.text", "equals": "V=spf1" }), json!({ "spf.text": "v=spf1" }), "fail"),
        (json!({ "fact": "spf.redirect", "equals": "A.Example" }), json!({ "spf.redirect": "a.EXAMPLE." }), "pass"),
        (json!({ "fact": "inventory.mx", "contains": "mx1.example.org" }), mx(&[]), "pass"),
        (json!({ "fact": "inventory.mx[]", "distinct": { "equals": 2 } }), mx(&[]), "pass"),
        (json!({ "fact": "dns.mx", "count": { "between": [1, 2] } }), mx(&["a.example"]), "pass"),
        (json!({ "fact": "dns.mx", "count": { "at_least": 1 } }), mx(&[]), "fail"),
        (
            json!({ "fact": "dns.mx[].host", "subset_of": { "fact": "inventory.mx" } }),
            mx(&["MX1.example.org."]),
            "pass",
        ),
        (json!({ "fact": "dns.mx[].host", "subset_of": ["a.example"] }), mx(&["b.example"]), "fail"),
        (
            json!({ "fact": "dns.mx[].host", "same_set_as": { "fact": "inventory.mx" } }),
            mx(&["mx2.example.org", "mx1.example.org", "mx1.example.org"]),
            "pass",
        ),
        (
            json!({ "fact": "dns.mx[].host", "same_set_as": { "fact": "inventory.mx" } }),
            mx(&["mx2.example.org"]),
            "fail",
        ),
        (
            json!({ "fact": "spf.redirect", "equals": { "fact": "dmarc.org_domain" } }),
            json!({ "spf.redirect": "a.example", "dmarc.org_domain": "a.example" }),
            "pass",
        ),
        (
            json!({ "fact": "spf.redirect", "equals": { "fact": "dmarc.org_domain" } }),
            json!({ "spf.redirect": "a.example", "dmarc.org_domain": timeout() }),
            "unknown",
        ),
        (
            json!({ "fact": "spf.redirect", "equals": { "fact": "dmarc.org_domain" } }),
            json!({ "spf.redirect": "a.example", "dmarc.org_domain": null }),
            "fail",
        ),
        (
            json!({ "fact": "spf.lookups", "not_equals": 3, "if_absent": "not-applicable" }),
            json!({ "spf.lookups": null }),
            "not-applicable",
        ),
        (json!({ "fact": "spf.lookups", "not_equals": 3 }), json!({ "spf.lookups": null }), "fail"),
        (json!({ "fact": "spf.lookups", "is": "absent" }), json!({ "spf.lookups": null }), "pass"),
        (json!({ "fact": "spf.lookups", "is": "absent" }), json!({ "spf.lookups": timeout() }), "unknown"),
        (json!({ "fact": "spf.lookups", "is": "present" }), json!({ "spf.lookups": 0 }), "pass"),
        (
            json!({ "fact": "spf.lookups", "at_most": 10, "if_absent": "unknown" }),
            json!({ "spf.lookups": null }),
            "unknown",
        ),
        (json!({ "fact": "spf.lookups", "at_most": 10 }), json!({}), "not-checked"),
    ];
    for (check, with, expected) in cases {
        assert_eq!(domain(check.clone(), with.clone()), expected, "{check} on {with}");
    }
}

#[test]
fn days_are_counted_from_the_start_of_the_date_and_rounded_down() {
    let days = |number: i64| json!({ "check": { "fact": "tls.cert.not_after", "days_left": { "equals": number } } });
    let cases = [
        ("2026-12-12", 21),
        ("2026-12-11T23:59:59Z", 20),
        ("2026-11-21", 0),
        ("2026-11-20T23:59:59Z", -1),
        ("2026-11-20", -1),
    ];
    for (time, number) in cases {
        assert_eq!(judge(Target::Service, days(number), json!({ "tls.cert.not_after": time })), "pass", "{time}");
    }
    let older = json!({ "check": { "fact": "tls.cert.not_after", "older_than": 86_400 } });
    assert_eq!(judge(Target::Service, older.clone(), json!({ "tls.cert.not_after": "2026-11-20" })), "fail");
    assert_eq!(judge(Target::Service, older, json!({ "tls.cert.not_after": "2026-11-19" })), "pass");
}

#[test]
fn quantifiers_fold_kleene_values_and_say_what_nothing_means() {
    let timeout = || json!({ "$unknown": "dns-timeout" });
    let rows = |values: Vec<Value>| json!({ "dns.mx": values.into_iter().map(|value| json!({ "cname": value, "null": false })).collect::<Vec<_>>() });
    let quantified = |quantifier: &str, if_none: &str| json!({ quantifier: "dns.mx", "if_none": if_none, "must": { "fact": "it.cname", "equals": false } });
    let cases = [
        ("every", "fail", rows(vec![json!(false), json!(false)]), "pass"),
        ("every", "pass", rows(vec![json!(true), timeout()]), "fail"),
        ("every", "pass", rows(vec![json!(false), timeout()]), "unknown"),
        ("some", "pass", rows(vec![json!(false), timeout()]), "pass"),
        ("some", "pass", rows(vec![json!(true), timeout()]), "unknown"),
        ("none", "pass", rows(vec![json!(true), timeout()]), "unknown"),
        ("none", "pass", rows(vec![json!(false), timeout()]), "fail"),
        ("none", "fail", rows(vec![json!(true)]), "pass"),
        ("every", "pass", rows(vec![]), "pass"),
        ("every", "unknown", rows(vec![]), "unknown"),
        ("none", "not-applicable", rows(vec![]), "not-applicable"),
        ("some", "fail", rows(vec![]), "fail"),
        ("every", "fail", json!({ "dns.mx": null }), "fail"),
        ("every", "pass", json!({ "dns.mx": null }), "pass"),
        ("every", "pass", json!({ "dns.mx": timeout() }), "unknown"),
        ("every", "pass", json!({}), "not-checked"),
    ];
    for (quantifier, if_none, with, expected) in cases {
        assert_eq!(domain(quantified(quantifier, if_none), with.clone()), expected, "{quantifier} {if_none} {with}");
    }
}

#[test]
fn an_element_that_might_count_is_unknown_and_one_that_does_not_is_left_out() {
    let check = json!({ "every": "dns.mx", "if_none": "not-applicable", "where": { "fact": "it.null", "equals": false },
            "must": { "fact": "it.cname", "equals": false } });
    let row = |is_null: Value, cname: Value| json!({ "dns.mx": [{ "null": is_null, "cname": cname }] });
    let timeout = json!({ "$unknown": "dns-timeout" });
    assert_eq!(domain(check.clone(), row(json!(true), json!(true))), "not-applicable");
    assert_eq!(domain(check.clone(), row(timeout, json!(false))), "unknown");
    assert_eq!(domain(check, row(json!(false), json!(true))), "fail");
}

#[test]
fn a_condition_of_applicability_is_never_dropped() {
    let document =
        json!({ "when": { "fact": "mail.sends", "equals": true }, "check": { "fact": "spf.lookups", "at_most": 1 } });
    let cases = [
        (json!({ "mail.sends": true, "spf.lookups": 1 }), "pass"),
        (json!({ "mail.sends": false, "spf.lookups": 9 }), "not-applicable"),
        (json!({ "mail.sends": { "$unknown": "dns-timeout" }, "spf.lookups": 1 }), "unknown"),
        (json!({ "spf.lookups": 9 }), "not-checked"),
    ];
    for (with, expected) in cases {
        assert_eq!(judge(Target::Domain, document.clone(), with.clone()), expected, "{with}");
    }
}

#[test]
fn not_checked_needs_that_nothing_else_was_missing() {
    let all =
        json!({ "all": [{ "fact": "spf.lookups", "at_most": 1 }, { "fact": "dmarc.policy", "equals": "reject" }] });
    assert_eq!(domain(all.clone(), json!({})), "not-checked");
    assert_eq!(domain(all.clone(), json!({ "spf.lookups": { "$unknown": "dns-timeout" } })), "unknown");
    assert_eq!(domain(all, json!({ "spf.lookups": 2 })), "fail");
}

#[test]
fn lists_with_missing_evidence_are_decided_only_by_what_is_known() {
    let timeout = || json!({ "$unknown": "dns-timeout" });
    let with = |hosts: Vec<Value>| json!({ "dns.mx": hosts.into_iter().map(|host| json!({ "host": host })).collect::<Vec<_>>(), "inventory.mx": ["a.example"] });
    let side = json!({ "fact": "inventory.mx[]" });
    let cases = [
        (json!({ "same_set_as": side }), vec![json!("a.example"), timeout()], "unknown"),
        (json!({ "same_set_as": side }), vec![json!("b.example"), timeout()], "fail"),
        (json!({ "subset_of": side }), vec![json!("a.example"), timeout()], "unknown"),
        (json!({ "subset_of": side }), vec![json!("b.example"), timeout()], "fail"),
        (json!({ "subset_of": side }), vec![json!("a.example"), Value::Null], "fail"),
        (json!({ "subset_of": side, "if_absent": "pass" }), vec![json!("a.example"), Value::Null], "pass"),
        // Nothing is never good by itself.
        (json!({ "subset_of": side }), vec![], "fail"),
        (json!({ "contains": "a.example" }), vec![json!("a.example"), timeout()], "pass"),
        (json!({ "contains": "a.example" }), vec![json!("b.example"), timeout()], "unknown"),
        (json!({ "distinct": { "at_least": 2 } }), vec![json!("a.example"), json!("b.example"), timeout()], "pass"),
        (json!({ "distinct": { "at_least": 2 } }), vec![json!("a.example"), timeout()], "unknown"),
        (json!({ "distinct": { "at_least": 3 } }), vec![json!("a.example"), timeout()], "fail"),
        (json!({ "distinct": { "at_most": 1 } }), vec![json!("a.example"), timeout()], "unknown"),
        (json!({ "count": { "at_most": 1 } }), vec![json!("a.example"), Value::Null], "pass"),
    ];
    for (mut operator, hosts, expected) in cases {
        operator["fact"] = json!("dns.mx[].host");
        assert_eq!(domain(operator.clone(), with(hosts.clone())), expected, "{operator} on {hosts:?}");
    }
}

#[test]
fn long_lists_are_decided_like_short_ones() {
    let names: Vec<String> = (0..300).map(|number| format!("mx{number}.example.org")).collect();
    let rows: Vec<Value> = names.iter().rev().map(|name| json!({ "host": name })).collect();
    let same = json!({ "fact": "dns.mx[].host", "same_set_as": { "fact": "inventory.mx" } });
    let distinct = json!({ "fact": "dns.mx[].host", "distinct": { "equals": 300 } });
    let with = json!({ "dns.mx": rows, "inventory.mx": names });
    assert_eq!((domain(same.clone(), with.clone()), domain(distinct, with)), ("pass", "pass"));
    let short = json!({ "dns.mx": rows, "inventory.mx": &names[1..] });
    assert_eq!(domain(same, short), "fail");
}

#[test]
fn what_cannot_be_compared_is_an_error_and_never_a_verdict_about_the_target() {
    let document = json!({ "check": { "fact": "spf.lookups", "equals": 3 } });
    let mut broken = rule(Target::Domain, document);
    broken.leaves[0].operator = Operator::Equals(Right::Literal(Literal::Bool(true)));
    let as_of = AsOf::date(jiff::civil::date(2026, 1, 1));
    let with = facts(Target::Domain, json!({ "spf.lookups": 3 }));
    assert_eq!(verdict(&broken, with.group(), as_of), Verdict::Error);
    // Facts of another kind of target have other positions.
    let service = facts(Target::Service, json!({ "port": 25 }));
    assert_eq!(verdict(&broken, service.group(), as_of), Verdict::Error);
    broken.leaves.clear();
    assert_eq!(verdict(&broken, with.group(), as_of), Verdict::Error);
}

#[test]
fn words_of_different_sets_are_equal_by_their_text() {
    let check = json!({ "some": "inventory.senders", "must": { "fact": "it.spf", "equals": { "fact": "spf.all" } } });
    let TargetFacts::Domain(mut facts) = facts(Target::Domain, json!({ "inventory.senders": [{ "spf": "softfail" }] }))
    else {
        panic!("a domain")
    };
    facts.spf.all = Fact::present(crate::facts::domain::SpfQualifier::Softfail, crate::facts::Method::None, None);
    let as_of = AsOf::date(jiff::civil::date(2026, 1, 1));
    assert_eq!(verdict(&rule(Target::Domain, json!({ "check": check })), facts.as_ref(), as_of), Verdict::Pass);
}
