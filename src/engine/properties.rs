//! Properties of the engine on random conditions and random states of evidence.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::evaluate::{AsOf, verdict};
use super::explain::explain;
use super::support::{facts, rule};
use crate::facts::Target;
use crate::findings::{BlameValue, Verdict};
use crate::policy::{Check, Condition, IfAbsent, Operator, Rule};

const WORDS: [&str; 4] = ["pass", "fail", "unknown", "not-applicable"];
const VERSIONS: [&str; 3] = ["TLSv1.1", "TLSv1.2", "TLSv1.3"];

fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&WORDS[..])
}

/// A known state of a number, a yes-or-no and a version: a value, or absent.
fn known_number() -> BoxedStrategy<Value> {
    prop_oneof![4 => (0i64..4).prop_map(Value::from), 1 => Just(Value::Null)].boxed()
}

fn known_bool() -> BoxedStrategy<Value> {
    prop_oneof![4 => any::<bool>().prop_map(Value::from), 1 => Just(Value::Null)].boxed()
}

fn known_version() -> BoxedStrategy<Value> {
    prop_oneof![4 => prop::sample::select(&VERSIONS[..]).prop_map(Value::from), 1 => Just(Value::Null)].boxed()
}

fn known_row() -> BoxedStrategy<Value> {
    (known_number(), known_bool()).prop_map(|(code, confirms)| json!({ "code": code, "confirms": confirms })).boxed()
}

fn known_list() -> BoxedStrategy<Value> {
    prop_oneof![5 => prop::collection::vec(known_row(), 0..4).prop_map(Value::from), 1 => Just(Value::Null)].boxed()
}

fn maybe(known: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let unknown =
        prop::sample::select(vec!["tcp-timeout", "not-collected"]).prop_map(|cause| json!({ "$unknown": cause }));
    prop_oneof![3 => known, 1 => unknown].boxed()
}

fn row() -> BoxedStrategy<Value> {
    (maybe(known_number()), maybe(known_bool()))
        .prop_map(|(code, confirms)| json!({ "code": code, "confirms": confirms }))
        .boxed()
}

fn list() -> BoxedStrategy<Value> {
    maybe(prop_oneof![5 => prop::collection::vec(row(), 0..4).prop_map(Value::from), 1 => Just(Value::Null)].boxed())
}

/// Facts with holes.
fn state() -> impl Strategy<Value = Value> {
    (maybe(known_number()), maybe(known_bool()), maybe(known_version()), list()).prop_map(
        |(port, offered, version, vrfy)| {
            json!({ "port": port, "tls.offered": offered, "tls.version": version, "smtp.vrfy": vrfy })
        },
    )
}

/// What could fill the holes of a state.
fn filling() -> impl Strategy<Value = Vec<Value>> {
    let rows = (known_number(), known_bool(), known_version(), known_list(), prop::collection::vec(known_row(), 4));
    rows.prop_map(|(number, boolean, version, list, rows)| [vec![number, boolean, version, list], rows].concat())
}

fn is_hole(value: &Value) -> bool {
    value.get("$unknown").is_some()
}

/// The state with every hole filled.
fn completed(state: &Value, filling: &[Value]) -> Value {
    let mut whole = state.clone();
    for (index, path) in ["port", "tls.offered", "tls.version", "smtp.vrfy"].into_iter().enumerate() {
        if is_hole(&whole[path]) {
            whole[path] = filling[index].clone();
        }
    }
    if let Some(rows) = whole["smtp.vrfy"].as_array_mut() {
        for (index, row) in rows.iter_mut().enumerate() {
            for field in ["code", "confirms"] {
                if is_hole(&row[field]) {
                    row[field] = filling[4 + index % 4][field].clone();
                }
            }
        }
    }
    whole
}

fn leaf(element: bool) -> BoxedStrategy<Value> {
    let (number, boolean) = if element { ("it.code", "it.confirms") } else { ("port", "tls.offered") };
    let numbers = prop_oneof![
        (0i64..4).prop_map(|value| json!({ "equals": value })),
        (0i64..4).prop_map(|value| json!({ "not_equals": value })),
        (0i64..4).prop_map(|value| json!({ "at_least": value })),
        (0i64..4).prop_map(|value| json!({ "at_most": value })),
        (0i64..4, 0i64..4).prop_map(|(low, high)| json!({ "between": [low, high] })),
        prop::collection::vec(0i64..4, 1..3).prop_map(|set| json!({ "in": set })),
        prop::collection::vec(0i64..4, 1..3).prop_map(|set| json!({ "not_in": set })),
        Just(json!({ "at_most": { "fact": "port" } })),
        prop::sample::select(vec!["present", "absent"]).prop_map(|word| json!({ "is": word })),
    ]
    .prop_map(move |operator| with_fact(operator, number));
    let booleans = any::<bool>().prop_map(move |value| json!({ "fact": boolean, "equals": value }));
    let versions =
        prop::sample::select(&VERSIONS[..]).prop_map(|word| json!({ "fact": "tls.version", "at_least": word }));
    let whole = prop_oneof![
        (0i64..3).prop_map(|number| json!({ "fact": "smtp.vrfy", "count": { "at_least": number } })),
        (0i64..3).prop_map(|number| json!({ "fact": "smtp.vrfy[].code", "count": { "at_most": number } })),
        (0i64..3).prop_map(|number| json!({ "fact": "smtp.vrfy[].code", "distinct": { "at_least": number } })),
        (0i64..3).prop_map(|number| json!({ "fact": "smtp.vrfy[].code", "distinct": { "equals": number } })),
        (0i64..4).prop_map(|number| json!({ "fact": "smtp.vrfy[].code", "contains": number })),
        Just(json!({ "fact": "smtp.vrfy[].code", "contains": { "fact": "port" } })),
        prop::collection::vec(0i64..4, 1..4).prop_map(|set| json!({ "fact": "smtp.vrfy[].code", "subset_of": set })),
        prop::collection::vec(0i64..4, 1..4).prop_map(|set| json!({ "fact": "smtp.vrfy[].code", "same_set_as": set })),
    ];
    let leaf = if element {
        prop_oneof![numbers, booleans, versions].boxed()
    } else {
        prop_oneof![numbers, booleans, versions, whole].boxed()
    };
    (leaf, word())
        .prop_map(|(mut leaf, if_absent)| {
            leaf["if_absent"] = json!(if_absent);
            leaf
        })
        .boxed()
}

fn with_fact(mut operator: Value, fact: &str) -> Value {
    operator["fact"] = json!(fact);
    operator
}

fn tree(leaf: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    leaf.prop_recursive(3, 12, 3, |inner| {
        let parts = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            parts.clone().prop_map(|parts| json!({ "all": parts })),
            parts.prop_map(|parts| json!({ "any": parts })),
            inner.prop_map(|part| json!({ "not": part })),
        ]
    })
    .boxed()
}

fn quantified() -> BoxedStrategy<Value> {
    let kinds = prop::sample::select(vec!["every", "some", "none"]);
    (kinds, prop::option::of(tree(leaf(true))), tree(leaf(true)), word())
        .prop_map(|(kind, filter, body, if_none)| {
            let mut condition = json!({ kind: "smtp.vrfy", "if_none": if_none, "must": body });
            if let Some(filter) = filter {
                condition["where"] = filter;
            }
            condition
        })
        .boxed()
}

fn random_rule() -> impl Strategy<Value = Rule> {
    let check = tree(prop_oneof![2 => leaf(false), 1 => quantified()].boxed());
    (check, prop::option::of(leaf(false))).prop_map(|(check, when)| {
        let mut document = json!({ "check": check });
        if let Some(when) = when {
            document["when"] = when;
        }
        rule(Target::Service, document)
    })
}

fn judge(rule: &Rule, state: &Value) -> Verdict {
    verdict(rule, facts(Target::Service, state.clone()).group(), as_of())
}

fn as_of() -> AsOf {
    AsOf::date(jiff::civil::date(2026, 1, 1))
}

fn is_decided(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Pass | Verdict::Fail | Verdict::NotApplicable)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// A verdict that is given although something is unknown holds whatever the unknown turns out to be.
    #[test]
    fn a_decided_verdict_holds_for_every_completion(
        rule in random_rule(),
        state in state(),
        fillings in prop::collection::vec(filling(), 12),
    ) {
        let before = judge(&rule, &state);
        prop_assert_ne!(before, Verdict::Error);
        if is_decided(before) {
            for filling in fillings {
                let whole = completed(&state, &filling);
                prop_assert_eq!(judge(&rule, &whole), before, "{} completed to {}", state, whole);
            }
        }
    }

    /// Where everything is known, only the rule itself can say unknown.
    #[test]
    fn full_evidence_decides_unless_the_rule_declines(rule in random_rule(), state in state(), filling in filling()) {
        let declines = rule.leaves.iter().any(|leaf| leaf.if_absent == IfAbsent::Unknown)
            || format!("{:?}", rule.check).contains("if_none: Unknown");
        if !declines {
            prop_assert!(is_decided(judge(&rule, &completed(&state, &filling))));
        }
    }

    /// The tracing pass blames something whenever the fast pass does not pass, and each blamed leaf alone has the verdict.
    #[test]
    fn both_passes_agree(rule in random_rule(), state in state()) {
        let facts = facts(Target::Service, state.clone());
        let whole = verdict(&rule, facts.group(), as_of());
        let explanation = explain(&rule, facts.group(), as_of());
        prop_assert_eq!(whole == Verdict::NotApplicable, explanation.blame.is_empty(), "{:?}", whole);
        for blame in &explanation.blame {
            let leaf = &rule.leaves[usize::from(blame.leaf.0)];
            if whole == Verdict::NotChecked {
                prop_assert!(!matches!(blame.observed, BlameValue::Absent(_)));
            }
            if leaf.element || leaf.operator == Operator::Elements {
                continue;
            }
            let condition = Condition::Leaf(blame.leaf);
            let condition = if blame.negated { Condition::Not(Box::new(condition)) } else { condition };
            let alone = Rule { when: None, check: Check::Automatic(condition), ..rule.clone() };
            let alone = verdict(&alone, facts.group(), as_of());
            let undetermined = |verdict| matches!(verdict, Verdict::Unknown | Verdict::NotChecked);
            prop_assert!(alone == whole || (undetermined(alone) && undetermined(whole)), "{:?} in {:?}", alone, whole);
        }
        for blame in &explanation.also {
            prop_assert!(!explanation.blame.contains(blame));
        }
    }
}
