//! What is blamed for which verdict.

use serde_json::{Value, json};

use super::*;
use crate::engine::evaluate::verdict;
use crate::engine::support::{facts, rule};
use crate::facts::Target;
use crate::findings::words::{fact_path, sentence};

/// Sentences of the explanation with the paths, one for each line; `also` is marked.
fn explained(target: Target, check: Value, with: Value) -> String {
    let rule = rule(target, json!({ "check": check }));
    let facts = facts(target, with);
    let as_of = AsOf::date(jiff::civil::date(2026, 11, 21));
    let explanation = explain(&rule, facts.group(), as_of);
    let mut text = verdict(&rule, facts.group(), as_of).to_string();
    for (prefix, part) in [("", &explanation.blame), ("also ", &explanation.also)] {
        for blame in part {
            let _ = write!(text, "\n{prefix}{}: {}", fact_path(&rule, blame), sentence(&rule, blame));
        }
    }
    text
}

fn domain(check: Value, with: Value) -> String {
    explained(Target::Domain, check, with)
}

#[test]
fn the_leaf_that_decides_is_blamed_and_the_unknown_one_is_noted() {
    let check = json!({ "all": [{ "fact": "spf.all", "equals": "fail" }, { "fact": "spf.lookups", "at_most": 10 },
            { "fact": "spf.valid", "equals": true }] });
    let with = json!({ "spf.all": "softfail", "spf.lookups": { "$unknown": "dns-timeout" }, "spf.valid": true });
    insta::assert_snapshot!(domain(check, with), @r"
        fail
        spf.all: SPF `all` qualifier is `softfail`; expected `fail`
        also spf.lookups: SPF DNS lookups could not be determined (dns-timeout)
        ");
}

#[test]
fn absent_facts_and_negations_are_told_as_they_are() {
    let check = json!({ "all": [
            { "fact": "dmarc.policy", "at_least": "quarantine" },
            { "not": { "fact": "spf.ptr", "equals": true } },
            { "not": { "any": [{ "fact": "spf.lookups", "at_least": 8 }, { "fact": "spf.redirect", "is": "present" }] } },
            { "fact": "dmarc.percent", "is": "absent" },
        ] });
    let with = json!({ "dmarc.policy": null, "spf.ptr": true, "spf.lookups": 9, "spf.redirect": "a.example", "dmarc.percent": 5 });
    insta::assert_snapshot!(domain(check, with), @r"
        fail
        dmarc.policy: there is no DMARC policy; expected at least `quarantine`
        spf.ptr: SPF uses `ptr`: `true`; must not be `true`
        spf.lookups: SPF DNS lookups: `9`; expected less than `8`
        spf.redirect: SPF redirect is `a.example`; there must be none
        dmarc.percent: DMARC percentage (pct=): `5`; there must be none
        ");
}

#[test]
fn sets_say_what_is_too_many_and_what_is_missing() {
    let check = json!({ "fact": "dns.mx[].host", "same_set_as": { "fact": "inventory.mx[]" } });
    let with = |inventory: Value| json!({ "dns.mx": [{ "host": "mx1.example.org" }, { "host": "rogue.example.net" }], "inventory.mx": inventory });
    insta::assert_snapshot!(domain(check.clone(), with(json!(["mx1.example.org", "mx2.example.org"]))), @r"
        fail
        dns.mx[].host: MX host: not in MX hosts in the inventory: `rogue.example.net`; missing: `mx2.example.org`
        ");
    insta::assert_snapshot!(domain(check.clone(), with(json!({ "$unknown": "permission" }))), @r"
        unknown
        dns.mx[].host: MX host: MX hosts in the inventory could not be determined (permission)
        ");
    insta::assert_snapshot!(domain(check, with(Value::Null)), @r"
        fail
        dns.mx[].host: MX host: no MX hosts in the inventory to compare with
        ");
}

#[test]
fn elements_have_labels_and_the_polarity_of_none_is_carried() {
    let check = json!({ "none": "smtp.vrfy", "if_none": "pass", "match": { "all": [
            { "fact": "it.code", "in": [250, 252] }, { "fact": "it.confirms", "equals": true }] } });
    let with = json!({ "smtp.vrfy": [
            { "asked": "root", "code": 250, "confirms": true },
            { "asked": "zzz", "code": 550, "confirms": false },
            { "code": 252, "confirms": { "$unknown": "tcp-timeout" } },
        ] });
    insta::assert_snapshot!(explained(Target::Service, check, with), @r"
        fail
        smtp.vrfy[root].code: reply code for `root`: `250`; must not be one of `250`, `252`
        smtp.vrfy[root].confirms: reply confirms the mailbox for `root`: `true`; must not be `true`
        also smtp.vrfy[2].confirms: reply confirms the mailbox for `2` could not be determined (tcp-timeout)
        ");
}

#[test]
fn numbers_of_values_and_days_are_told() {
    let count = json!({ "fact": "dns.mx", "count": { "at_least": 2 } });
    let distinct = json!({ "fact": "dns.mx[].preference", "distinct": { "at_least": 2 } });
    let with = json!({ "dns.mx": [{ "preference": 10 }] });
    let both = json!({ "all": [count, distinct] });
    insta::assert_snapshot!(domain(both, with), @r"
        fail
        dns.mx: number of MX records is `1`; expected at least 2
        dns.mx[].preference: MX preference: 1 distinct; expected at least 2
        ");
    let days = json!({ "fact": "tls.cert.not_after", "days_left": { "at_least": 21 } });
    insta::assert_snapshot!(explained(Target::Service, days, json!({ "tls.cert.not_after": "2026-12-11" })), @r"
        fail
        tls.cert.not_after: certificate expiry is `2026-12-11T00:00:00Z`; expected at least 21 days left (20 days left)
        ");
    let soa = json!({ "fact": "dns.soa.expire", "between": [1_209_600, 2_419_200] });
    insta::assert_snapshot!(domain(soa, json!({ "dns.soa.expire": 604_800 })), @r"
        fail
        dns.soa.expire: SOA expire is `7d`; expected between `14d` and `28d`
        ");
}

#[test]
fn what_was_counted_is_named_where_it_is_little() {
    let check = json!({ "fact": "reputation.listed_on", "count": { "equals": 0 } });
    let listed = |lists: &[&str]| domain(check.clone(), json!({ "reputation.listed_on": lists }));
    let said = "fail\nreputation.listed_on: number of block lists that list the domain is";
    assert_eq!(listed(&["b.example", "a.example"]), format!("{said} `2` (`a.example`, `b.example`); expected 0"));
    assert_eq!(listed(&["a", "b", "c", "d", "e", "f"]), format!("{said} `6`; expected 0"));
}

#[test]
fn a_list_with_nothing_that_counts_is_blamed_itself() {
    let check = json!({ "every": "dns.mx", "if_none": "fail", "where": { "fact": "it.null", "equals": false },
            "must": { "fact": "it.cname", "equals": false } });
    insta::assert_snapshot!(domain(check.clone(), json!({ "dns.mx": [{ "null": true }] })), @r"
        fail
        dns.mx: none of the 1 MX records is one that the rule is about
        ");
    insta::assert_snapshot!(domain(check.clone(), json!({ "dns.mx": [] })), @r"
        fail
        dns.mx: there are no MX records
        ");
    insta::assert_snapshot!(domain(check, json!({ "dns.mx": { "$unknown": "dns-servfail" } })), @r"
        unknown
        dns.mx: MX records could not be determined (dns-servfail)
        ");
}

#[test]
fn the_field_of_an_element_that_could_not_be_looked_at_is_named() {
    let check = json!({ "fact": "dns.mx[].preference", "distinct": { "at_least": 2 } });
    let with = json!({ "dns.mx": [{ "host": "a.example", "preference": 10 }, { "host": "b.example", "preference": { "$unknown": "parse" } }] });
    insta::assert_snapshot!(domain(check, with), @r"
        unknown
        dns.mx[].preference: MX preference could not be determined (parse: in `b.example`)
        ");
}

#[test]
fn long_values_and_long_explanations_are_cut_and_say_so() {
    let check = json!({ "fact": "spf.text", "equals": "x" });
    let rule_text = domain(check, json!({ "spf.text": "ä".repeat(400) }));
    assert!(rule_text.contains(&format!("{}… (+200 bytes)", "ä".repeat(300))), "{rule_text}");
    let rows: Vec<Value> =
        (0..150).map(|number| json!({ "host": format!("m{number}.example"), "cname": true })).collect();
    let every = json!({ "every": "dns.mx", "if_none": "fail", "must": { "fact": "it.cname", "equals": false } });
    let text = domain(every, json!({ "dns.mx": rows }));
    assert_eq!(text.lines().count(), 101);
    assert!(text.ends_with("(and 50 more like this)"));
}

#[test]
fn a_verdict_of_error_blames_the_comparison_that_does_not_fit() {
    let mut broken = rule(Target::Domain, json!({ "check": { "fact": "spf.lookups", "equals": 3 } }));
    broken.leaves[0].operator = Operator::Equals(Right::Literal(crate::policy::Literal::Bool(true)));
    let facts = facts(Target::Domain, json!({ "spf.lookups": 3 }));
    let explanation = explain(&broken, facts.group(), AsOf::date(jiff::civil::date(2026, 1, 1)));
    let note = explanation.blame[0].note.as_deref();
    assert_eq!(note, Some("defect of the pack: the comparison does not fit the type"));
}
