use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::engine::Assembler;
use crate::engine::support::{facts, policy, rule};
use crate::facts::Coverage;
use crate::policy::Severity;

fn rules() -> Vec<Rule> {
    let rules = [
        ("test/lookups", json!({ "fact": "spf.lookups", "at_most": 10 })),
        ("test/policy", json!({ "fact": "dmarc.policy", "equals": "reject" })),
    ];
    rules.map(|(id, check)| rule(Target::Domain, json!({ "id": id, "check": check }))).into()
}

fn assess(rules: Vec<Rule>, targets: &[(&str, Value)]) -> Assessment {
    let mut assembler = Assembler::new(policy(rules), jiff::civil::date(2026, 11, 21));
    for (name, with) in targets {
        assembler.assess(Target::Domain, name, None, facts(Target::Domain, with.clone()).group());
    }
    assembler.finish(Coverage::default())
}

/// `change rule target` of every finding that changed.
fn told(compared: &Compared) -> Vec<String> {
    let tell = |item: &FindingChange| format!("{:?} {} {}", item.change, item.rule, item.target.name);
    compared.findings.iter().map(tell).collect()
}

#[test]
fn each_pair_of_verdicts_has_one_change() {
    let lookups = || vec![rules().remove(0)];
    let one = |with: Value| [("example.org", with)];
    let number = |number: i64| json!({ "spf.lookups": number });
    let timeout = || json!({ "spf.lookups": { "$unknown": "dns-timeout" } });
    let cases = [
        (number(3), number(4), None),
        (number(3), number(11), Some(Change::New)),
        (number(3), timeout(), Some(Change::BecameUnknown)),
        (number(3), json!({}), None),
        (number(11), number(3), Some(Change::Fixed)),
        (number(11), number(11), None),
        (number(11), number(12), Some(Change::Worse)),
        (number(12), number(11), Some(Change::Better)),
        (number(11), timeout(), Some(Change::BecameUnknown)),
        (number(11), json!({}), Some(Change::Gone)),
        (timeout(), number(3), Some(Change::BecameKnown)),
        (timeout(), number(11), Some(Change::BecameKnown)),
        (timeout(), timeout(), None),
        (timeout(), json!({}), Some(Change::Gone)),
        (json!({}), number(3), None),
        (json!({}), number(11), Some(Change::Appeared)),
        (json!({}), timeout(), Some(Change::Appeared)),
        (json!({}), json!({}), None),
    ];
    for (before, after, expected) in cases {
        let compared = difference(&assess(lookups(), &one(before.clone())), &assess(lookups(), &one(after.clone())));
        let change = compared.findings.first().map(|item| item.change);
        assert_eq!(change, expected, "{before} then {after}");
        assert_eq!(compared.counts.changed.values().sum::<usize>(), usize::from(expected.is_some()));
    }
}

#[test]
fn what_is_no_longer_judged_is_not_fixed() {
    let bad = || json!({ "spf.lookups": 11, "dmarc.policy": "reject" });
    let old = assess(rules(), &[("a.example", bad()), ("b.example", bad())]);
    let new = assess(rules(), &[("b.example", bad()), ("c.example", bad())]);
    let compared = difference(&old, &new);
    assert_eq!(told(&compared), ["Appeared test/lookups c.example", "Gone test/lookups a.example"]);
    let names = |targets: &[TargetName]| targets.iter().map(|target| target.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&compared.targets_appeared), ["c.example"]);
    assert_eq!(names(&compared.targets_vanished), ["a.example"]);
    let counts = &compared.counts;
    assert_eq!((counts.unchanged, counts.good, counts.newly_judged, counts.no_longer_judged), (1, 1, 1, 1));
    let fewer = difference(&old, &assess(vec![rules().remove(1)], &[("a.example", bad()), ("b.example", bad())]));
    assert_eq!(fewer.rules_gone, ["test/lookups"]);
    assert_eq!(told(&fewer), ["Gone test/lookups a.example", "Gone test/lookups b.example"]);
}

#[test]
fn a_raised_severity_is_worse_and_both_states_are_told() {
    let bad = || [("a.example", json!({ "spf.lookups": 11 }))];
    let raised = || vec![Rule { severity: Severity::Critical, ..rules().remove(0) }];
    let compared = difference(&assess(rules(), &bad()), &assess(raised(), &bad()));
    let item = &compared.findings[0];
    assert_eq!((item.change, item.severity), (Change::Worse, Severity::Critical));
    let before = item.before.as_ref().unwrap();
    assert_eq!((before.severity, before.verdict, before.waived), (Severity::High, Verdict::Fail, false));
    assert!(before.because[0].contains("`11`"), "{:?}", before.because);
    let back = difference(&assess(raised(), &bad()), &assess(rules(), &bad()));
    assert_eq!(back.findings[0].change, Change::Better);
}

/// One target's facts, of every standing.
fn any_facts() -> impl Strategy<Value = Value> {
    let lookups = prop_oneof![
        Just(None),
        Just(Some(json!({ "$unknown": "dns-timeout" }))),
        (0i64..20).prop_map(|number| Some(json!(number))),
    ];
    let policy = prop_oneof![
        Just(None),
        Just(Some(Value::Null)),
        Just(Some(json!("none"))),
        Just(Some(json!("reject"))),
        Just(Some(json!({ "$unknown": "dns-servfail" }))),
    ];
    (lookups, policy)
        .prop_map(|(lookups, policy)| {
            let known = [("spf.lookups", lookups), ("dmarc.policy", policy)];
            known
                .into_iter()
                .filter_map(|(path, value)| Some((path.to_owned(), value?)))
                .collect::<serde_json::Map<_, _>>()
        })
        .prop_map(Value::Object)
}

fn any_run() -> impl Strategy<Value = Assessment> {
    let targets = prop::collection::btree_map(
        prop::sample::select(vec!["a.example", "b.example", "c.example"]),
        any_facts(),
        0..4,
    );
    (targets, 0usize..3).prop_map(|(targets, without)| {
        let mut rules = rules();
        if without < rules.len() {
            rules.remove(without);
        }
        assess(rules, &targets.into_iter().collect::<Vec<_>>())
    })
}

fn of(compared: &Compared, change: Change) -> Vec<(String, String)> {
    let wanted = compared.findings.iter().filter(|item| item.change == change);
    wanted.map(|item| (item.rule.clone(), item.target.name.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nothing_differs_from_itself(run in any_run()) {
        let compared = difference(&run, &run);
        prop_assert_eq!(told(&compared), Vec::<String>::new());
        prop_assert!(compared.targets_appeared.is_empty() && compared.targets_vanished.is_empty());
        prop_assert!(compared.rules_appeared.is_empty() && compared.rules_gone.is_empty());
    }

    #[test]
    fn what_is_fixed_one_way_is_new_the_other_way(old in any_run(), new in any_run()) {
        let (there, back) = (difference(&old, &new), difference(&new, &old));
        for (one, other) in [(Change::Fixed, Change::New), (Change::Gone, Change::Appeared)] {
            prop_assert_eq!(of(&there, one), of(&back, other));
            prop_assert_eq!(of(&back, one), of(&there, other));
        }
    }

    #[test]
    fn every_finding_is_counted_once(old in any_run(), new in any_run()) {
        let compared = difference(&old, &new);
        let counts = &compared.counts;
        let judged = |run: &Assessment| run.findings().filter(|finding| finding.verdict != Verdict::NotChecked).count();
        let only_new = counts.of(Change::Appeared) + counts.newly_judged;
        let only_old = counts.of(Change::Gone) + counts.no_longer_judged;
        let both: usize = counts.unchanged + counts.still_unknown + counts.good
            + Change::ALL.iter().filter(|change| !matches!(change, Change::Appeared | Change::Gone)).map(|change| counts.of(*change)).sum::<usize>();
        prop_assert_eq!(both + only_new, judged(&new));
        prop_assert_eq!(both + only_old, judged(&old));
    }
}
