//! Packs that are green, and packs whose tests miss something.

use std::collections::BTreeMap;

use super::*;
use crate::engine::support::{pack as reference, rule};
use crate::facts::Target;

fn no_params(_: &Rule, _: &RuleTest) -> Result<Rule, String> {
    Err("no parameters".to_owned())
}

fn pack(rules: Vec<Rule>) -> Pack {
    Pack {
        reference: reference(),
        title: String::new(),
        description: String::new(),
        frameworks: BTreeMap::new(),
        params: BTreeMap::new(),
        rules,
    }
}

fn run(target: Target, document: Value) -> PackReport {
    test_pack(&pack(vec![rule(target, document)]), &no_params)
}

/// The rules of the language's example, with its tests.
fn example() -> Vec<(Target, Value)> {
    vec![
        (
            Target::Domain,
            json!({ "id": "example/dmarc", "check": { "all": [
                    { "fact": "dmarc.policy", "equals": "reject" },
                    { "fact": "dmarc.percent", "equals": 100, "if_absent": "pass" } ] },
                "tests": [
                    { "name": "reject", "facts": { "dmarc.policy": "reject", "dmarc.percent": null }, "expect": "pass" },
                    { "name": "half", "facts": { "dmarc.policy": "reject", "dmarc.percent": 50 }, "expect": "fail", "because": ["dmarc.percent"] },
                    { "name": "monitoring", "facts": { "dmarc.policy": "none", "dmarc.percent": null }, "expect": "fail", "because": ["dmarc.policy"] },
                    { "name": "no record", "facts": { "dmarc.policy": null, "dmarc.percent": null }, "expect": "fail", "because": ["dmarc.policy"] },
                    { "name": "DNS broken", "facts": { "dmarc": { "$unknown": "dns-servfail" } }, "expect": "unknown" },
                ] }),
        ),
        (
            Target::Domain,
            json!({ "id": "example/spf", "check": { "all": [
                    { "fact": "spf.all", "equals": "fail" }, { "fact": "spf.lookups", "at_most": 10 } ] },
                "tests": [
                    { "facts": { "spf.all": "fail", "spf.lookups": 10 }, "expect": "pass" },
                    { "facts": { "spf.all": "softfail", "spf.lookups": 3 }, "expect": "fail", "because": ["spf.all"] },
                    { "facts": { "spf.all": "fail", "spf.lookups": 11 }, "expect": "fail", "because": ["spf.lookups"] },
                    { "facts": { "spf.all": "softfail", "spf.lookups": { "$unknown": "dns-timeout" } }, "expect": "fail", "because": ["spf.all"] },
                    { "facts": { "spf.all": "fail" }, "expect": "unknown", "because": ["spf.lookups"] },
                ] }),
        ),
        (
            Target::Domain,
            json!({ "id": "example/mx", "check": { "fact": "dns.mx[].host", "same_set_as": { "fact": "inventory.mx[]" } },
                "tests": [
                    { "facts": { "dns.mx": [{ "host": "MX1.Example.org." }], "inventory.mx": ["mx1.example.org"] }, "expect": "pass" },
                    { "facts": { "dns.mx": [{ "host": "mx1.example.org" }, { "host": "rogue.example.net" }], "inventory.mx": ["mx1.example.org"] },
                      "expect": "fail", "because": ["dns.mx[].host"] },
                    { "facts": { "dns.mx": [{ "host": "mx1.example.org" }], "inventory.mx": ["mx1.example.org", "mx2.example.org"] },
                      "expect": "fail", "because": ["dns.mx[].host"] },
                    { "facts": { "dns.mx": [{ "host": "mx1.example.org" }] }, "expect": "unknown" },
                ] }),
        ),
        (
            Target::Domain,
            json!({ "id": "example/backup", "check": { "fact": "dns.mx[].preference", "distinct": { "at_least": 2 } },
                "tests": [
                    { "facts": { "dns.mx": [{ "preference": 10 }, { "preference": 20 }] }, "expect": "pass" },
                    { "facts": { "dns.mx": [{ "preference": 10 }, { "preference": 10 }] }, "expect": "fail", "because": ["dns.mx[].preference"] },
                    { "facts": {}, "expect": "unknown" },
                ] }),
        ),
        (
            Target::Service,
            json!({ "id": "example/tls", "when": { "fact": "port", "in": [465, 993, 995] },
                "check": { "all": [
                    { "fact": "tls.offered", "equals": true },
                    { "fact": "tls.version", "at_least": "TLSv1.2" },
                    { "fact": "tls.cert.not_after", "days_left": { "at_least": 21 } } ] },
                "tests": [
                    { "name": "good", "now": "2026-11-21", "facts": { "port": 993, "tls.offered": true, "tls.version": "TLSv1.2", "tls.cert.not_after": "2026-12-12" }, "expect": "pass" },
                    { "name": "20 days", "now": "2026-11-21", "facts": { "port": 993, "tls.offered": true, "tls.version": "TLSv1.3", "tls.cert.not_after": "2026-12-11" }, "expect": "fail", "because": ["tls.cert.not_after"] },
                    { "name": "old TLS", "now": "2026-11-21", "facts": { "port": 465, "tls.offered": true, "tls.version": "TLSv1.1", "tls.cert.not_after": "2027-06-01" }, "expect": "fail", "because": ["tls.version"] },
                    { "name": "plain", "now": "2026-11-21", "facts": { "port": 465, "tls.offered": false, "tls.version": null, "tls.cert.not_after": null }, "expect": "fail", "because": ["tls.offered", "tls.version", "tls.cert.not_after"] },
                    { "name": "other port", "facts": { "port": 25 }, "expect": "not-applicable" },
                    { "name": "timed out", "facts": { "port": 995, "tls": { "$unknown": "tcp-timeout" } }, "expect": "unknown" },
                ] }),
        ),
        (
            Target::Service,
            json!({ "id": "example/vrfy", "when": { "fact": "port", "in": [25, 587] },
                "check": { "none": "smtp.vrfy", "if_none": "unknown", "match": { "any": [
                    { "fact": "it.code", "equals": 250 },
                    { "all": [{ "fact": "it.code", "equals": 252 }, { "fact": "it.confirms", "equals": true }] } ] } },
                "tests": [
                    { "name": "refused", "facts": { "port": 25, "smtp.vrfy": [{ "asked": "root", "code": 502, "confirms": false }] }, "expect": "pass" },
                    { "name": "noncommittal", "facts": { "port": 587, "smtp.vrfy": [{ "asked": "root", "code": 252, "confirms": false }] }, "expect": "pass" },
                    { "name": "confirms", "facts": { "port": 25, "smtp.vrfy": [{ "asked": "root", "code": 252, "confirms": true }] }, "expect": "fail", "because": ["smtp.vrfy[root].code", "smtp.vrfy[root].confirms"] },
                    { "name": "250", "facts": { "port": 25, "smtp.vrfy": [{ "asked": "zzz", "code": 550, "confirms": false }, { "asked": "root", "code": 250, "confirms": true }] }, "expect": "fail", "because": ["smtp.vrfy[root].code"] },
                    { "name": "nothing was asked", "facts": { "port": 25, "smtp.vrfy": [] }, "expect": "unknown" },
                    { "name": "not SMTP", "facts": { "port": 993, "smtp.vrfy": [] }, "expect": "not-applicable" },
                ] }),
        ),
        (
            Target::Domain,
            json!({ "id": "example/senders", "check": { "every": "inventory.senders", "if_none": "fail", "must": { "fact": "it.spf", "equals": "pass" } },
                "tests": [
                    { "facts": { "inventory.senders": [{ "ip": "192.0.2.1", "spf": "pass" }] }, "expect": "pass" },
                    { "facts": { "inventory.senders": [{ "ip": "192.0.2.1", "spf": "pass" }, { "ip": "198.51.100.7", "spf": "softfail" }] }, "expect": "fail", "because": ["inventory.senders[198.51.100.7].spf"] },
                    { "facts": { "inventory.senders": [] }, "expect": "fail", "because": ["inventory.senders"] },
                    { "facts": {}, "expect": "unknown" },
                ] }),
        ),
    ]
}

#[test]
fn the_example_pack_of_the_language_is_green_and_leaves_no_mutant() {
    let rules = example().into_iter().map(|(target, document)| rule(target, document)).collect();
    let report = test_pack(&pack(rules), &no_params);
    // Code 502 decides, whatever `confirms` is: the one pass that rightly survives a missing fact.
    insta::assert_snapshot!(render(&report), @r"
        note      example/vrfy: refused: passes while `smtp.vrfy[0].confirms` is unknown; it does not decide
        test 1.0.0: 7 rules, 33 of 33 tests hold, 43 of 43 mutants noticed, 30 injections
        ");
    assert!(report.meets_gate());
}

#[test]
fn no_rule_passes_without_the_evidence_it_needs() {
    for (target, document) in example() {
        let rule = rule(target, document);
        let broken = broken_evidence(&rule, &no_params);
        assert!(broken.injections > 0);
        assert_eq!(broken.false_passes().collect::<Vec<_>>(), Vec::<&StillPassing>::new(), "{}", rule.id);
    }
}

#[test]
fn wrong_tests_and_missing_boundaries_are_reported() {
    let report = run(
        Target::Domain,
        json!({ "id": "example/spf", "check": { "fact": "spf.lookups", "at_most": 10 }, "tests": [
                { "name": "few", "facts": { "spf.lookups": 3 }, "expect": "pass" },
                { "name": "many", "facts": { "spf.lookups": 30 }, "expect": "fail", "because": ["spf.all"] },
                { "name": "wrong", "facts": { "spf.lookups": 30 }, "expect": "pass" },
                { "name": "typo", "facts": { "spf.lokups": 30 }, "expect": "pass" },
            ] }),
    );
    insta::assert_snapshot!(render(&report), @r"
        FAIL      example/spf: many: blame differs: not blamed: [spf.all]; blamed beside: [spf.lookups]
        FAIL      example/spf: wrong: expected pass, got fail; SPF DNS lookups: `30`; expected at most `10`
        FAIL      example/spf: typo: no such fact `spf.lokups`; did you mean `spf.lookups`?
        SURVIVOR  example/spf: no test notices that the bound of `spf.lookups` moves from `10` to `9`
        SURVIVOR  example/spf: no test notices that the bound of `spf.lookups` moves from `10` to `11`
        MISSING   example/spf: no test expects unknown or not-applicable
        test 1.0.0: 1 rules, 1 of 4 tests hold, 1 of 3 mutants noticed, 1 injections
        ");
    assert!(!report.is_green());
}

#[test]
fn a_pass_that_an_unknown_could_overturn_would_be_found() {
    // The engine gives no such pass, so the search for a contradiction is shown on a fact that matters.
    let rule = rule(
        Target::Domain,
        json!({ "check": { "fact": "spf.lookups", "at_most": 10 },
                "tests": [{ "facts": { "spf.lookups": 3 }, "expect": "pass" }] }),
    );
    let case = Case::new(&rule, &rule.tests[0], &no_params).unwrap();
    let slot = &case.fixture.slots()[0];
    assert_eq!(contradiction(&case, &[], slot), Some("fail with the value null".to_owned()));
    assert!(candidates(&case, &[], slot).contains(&json!(11)));
}

#[test]
fn an_empty_list_passes_only_where_the_rule_says_so() {
    let document = |if_none: &str| {
        json!({ "check": { "every": "dns.mx", "if_none": if_none, "must": { "fact": "it.cname", "equals": false } },
                "tests": [{ "facts": { "dns.mx": [{ "cname": false }] }, "expect": "pass" }] })
    };
    let passing = |if_none: &str| broken_evidence(&rule(Target::Domain, document(if_none)), &no_params).still_passing;
    assert_eq!(passing("fail"), []);
    let said = passing("pass");
    assert_eq!((said.len(), said[0].broken, said[0].contradiction.clone()), (1, Broken::Emptied, None));
}
