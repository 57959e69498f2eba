//! What a change makes worse: an assessment compared with that of its base.
//!
//! Findings are matched by rule id and target, never by lines. A finding is kept when it is new or worse; `pass`,
//! `not-applicable`, `not-checked` and `manual` are kept as they are, since they accuse nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::facts::Kind;
use crate::findings::words::fact_path;
use crate::findings::{AssessedTarget, Assessment, Base, Blame, BlameValue, Detail, Verdict};
use crate::policy::model::Bound;
use crate::policy::{Leaf, Literal, Operator, Right, Rule};

/// Keeps of an assessment what is new or worse than in the base.
///
/// Worse is: it fails and did not; evidence is missing and was not; the severity was raised; a waiver no longer covers
/// it; or the explanation blames a fact, an element or a value that it did not blame before. A value that moved towards
/// its bound is not worse.
pub fn compare(mut head: Assessment, base: &Assessment, revision: &str) -> Assessment {
    let base_targets: BTreeMap<_, &AssessedTarget> =
        base.targets.iter().map(|target| ((target.kind, target.name.as_str()), target)).collect();
    let base_rules: BTreeMap<&str, usize> =
        base.policy.rules.iter().enumerate().map(|(index, rule)| (rule.id.as_str(), index)).collect();
    let mut unchanged = 0;
    let mut unresolved: BTreeSet<(crate::facts::Target, String, usize)> = BTreeSet::new();
    for target in &mut head.targets {
        let before = base_targets.get(&(target.kind, target.name.as_str())).copied();
        let mut dropped = Vec::new();
        for (index, rule) in head.policy.rules.iter().enumerate() {
            let Some(verdict) = target.verdicts[index].filter(|verdict| !is_good(*verdict)) else { continue };
            let now = State { rule, verdict, detail: detail_of(target, index) };
            let Some((base_index, then)) = before.and_then(|target| state_of(base, &base_rules, target, rule)) else {
                continue;
            };
            // What is no longer looked at is not resolved.
            unresolved.insert((target.kind, target.name.clone(), base_index));
            if is_problem(verdict) && !worse(&now, &then) {
                dropped.push(index);
            }
        }
        unchanged += dropped.len();
        leave_out(target, &dropped);
    }
    let resolved = base_problems(base)
        .filter(|(target, rule)| !unresolved.contains(&(target.kind, target.name.clone(), *rule)))
        .count();
    head.base = Some(Base { revision: revision.to_owned(), unchanged, resolved });
    head
}

/// One finding on one side.
pub(super) struct State<'a> {
    pub(super) rule: &'a Rule,
    pub(super) verdict: Verdict,
    pub(super) detail: Option<&'a Detail>,
}

fn state_of<'a>(
    assessment: &'a Assessment,
    rules: &BTreeMap<&str, usize>,
    target: &'a AssessedTarget,
    rule: &Rule,
) -> Option<(usize, State<'a>)> {
    let index = *rules.get(rule.id.as_str())?;
    let verdict = (*target.verdicts.get(index)?)?;
    Some((index, State { rule: &assessment.policy.rules[index], verdict, detail: detail_of(target, index) }))
}

pub(super) fn detail_of(target: &AssessedTarget, rule: usize) -> Option<&Detail> {
    target.details.iter().find(|detail| usize::from(detail.rule.0) == rule)
}

fn is_problem(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Fail | Verdict::Unknown | Verdict::Error)
}

fn is_good(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Pass | Verdict::NotApplicable)
}

fn base_problems(base: &Assessment) -> impl Iterator<Item = (&AssessedTarget, usize)> {
    base.targets.iter().flat_map(|target| {
        let problems = target.verdicts.iter().enumerate();
        problems.filter(|(_, verdict)| verdict.is_some_and(is_problem)).map(move |(index, _)| (target, index))
    })
}

fn leave_out(target: &mut AssessedTarget, rules: &[usize]) {
    let verdicts = Arc::make_mut(&mut target.verdicts);
    for rule in rules {
        verdicts[*rule] = None;
    }
    let kept = |detail: &Detail| rules.binary_search(&usize::from(detail.rule.0)).is_err();
    target.details = std::mem::take(&mut target.details).into_iter().filter(kept).collect();
}

pub(super) fn worse(now: &State<'_>, then: &State<'_>) -> bool {
    let waived = |state: &State<'_>| state.detail.is_some_and(|detail| detail.waived.is_some());
    if rank(now.verdict) > rank(then.verdict)
        || now.rule.severity > then.rule.severity
        || (waived(then) && !waived(now))
    {
        return true;
    }
    now.verdict == then.verdict && blames_more(now, then)
}

/// How bad a verdict is; `error` stands with `unknown`, since neither says anything about the target.
fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass | Verdict::NotApplicable => 0,
        Verdict::NotChecked | Verdict::Manual => 1,
        Verdict::Unknown | Verdict::Error => 2,
        Verdict::Fail => 3,
    }
}

fn blames_more(now: &State<'_>, then: &State<'_>) -> bool {
    let blame = |detail: Option<&Detail>| detail.map(|detail| detail.blame.to_vec()).unwrap_or_default();
    let before = blame(then.detail);
    blame(now.detail).iter().any(|blame| {
        let path = fact_path(now.rule, blame);
        let same: Vec<&Blame> = before
            .iter()
            .filter(|other| fact_path(then.rule, other) == path && other.negated == blame.negated)
            .collect();
        let leaf = now.rule.leaves.get(usize::from(blame.leaf.0));
        same.is_empty() || !same.iter().any(|other| leaf.is_some_and(|leaf| covers(leaf, other, blame)))
    })
}

/// Whether the earlier blame already says what the present one says, or more.
fn covers(leaf: &Leaf, before: &Blame, now: &Blame) -> bool {
    match (&before.observed, &now.observed) {
        (BlameValue::Unknown(_), BlameValue::Unknown(_)) | (BlameValue::Absent(_), BlameValue::Absent(_)) => true,
        (BlameValue::Present(old), BlameValue::Present(new)) => match &leaf.operator {
            Operator::SameSetAs(_) | Operator::SubsetOf(_) if !now.negated => {
                let (old, new) = (before.note.as_deref(), now.note.as_deref());
                // Long differences name only some values, so nothing can be said about the rest.
                old == new || (!is_shortened(new) && quoted(new).is_subset(&quoted(old)))
            }
            _ => old == new || nearer(leaf, old, new, now.negated),
        },
        _ => false,
    }
}

/// The values that a difference between lists names.
fn quoted(note: Option<&str>) -> BTreeSet<&str> {
    note.unwrap_or_default().split('`').skip(1).step_by(2).collect()
}

fn is_shortened(note: Option<&str>) -> bool {
    note.is_some_and(|note| note.contains("` and "))
}

/// Whether a value moved towards its bound.
fn nearer(leaf: &Leaf, old: &str, new: &str, negated: bool) -> bool {
    let (Some(old), Some(new)) = (number(leaf, old), number(leaf, new)) else { return false };
    let (rising, bound) = match &leaf.operator {
        Operator::AtLeast(_) => (true, None),
        Operator::AtMost(_) => (false, None),
        Operator::Count(bound) | Operator::Distinct(bound) => match bound {
            Bound::AtLeast(_) => (true, None),
            Bound::AtMost(_) => (false, None),
            Bound::Equals(_) | Bound::Between(..) => return false,
        },
        Operator::Equals(Right::Literal(Literal::Word { rank, words })) if words.ordered => {
            (true, Some(i64::from(*rank)))
        }
        _ => return false,
    };
    match bound {
        Some(bound) => !negated && (new - bound).abs() <= (old - bound).abs(),
        None => (new >= old) == (rising != negated),
    }
}

/// A printed number or ordered word as a number.
fn number(leaf: &Leaf, text: &str) -> Option<i64> {
    match leaf.path.kind {
        Kind::Word(words) if words.ordered => {
            words.words.iter().position(|word| *word == text).and_then(|rank| i64::try_from(rank).ok())
        }
        Kind::Duration => {
            let (digits, unit) = text.split_at(text.len().checked_sub(1)?);
            let unit = match unit {
                "d" => 86_400,
                "h" => 3_600,
                "m" => 60,
                _ => 1,
            };
            digits.parse::<i64>().ok()?.checked_mul(unit)
        }
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::engine::Assembler;
    use crate::engine::support::{facts, policy, rule};
    use crate::facts::{Coverage, Target};
    use crate::policy::Severity;

    fn assess(rules: Vec<Rule>, with: Value) -> Assessment {
        let mut assembler = Assembler::new(policy(rules), jiff::civil::date(2026, 11, 21));
        assembler.assess(Target::Domain, "example.org", None, facts(Target::Domain, with).group());
        assembler.finish(Coverage::default())
    }

    /// Verdict after the comparison (`-` when left out), unchanged and resolved.
    fn compared(check: &Value, before: Value, after: Value) -> (String, usize, usize) {
        let rules = || vec![rule(Target::Domain, json!({ "check": check }))];
        let result = compare(assess(rules(), after), &assess(rules(), before), "origin/main");
        let verdict = result.targets[0].verdicts[0].map_or("-".to_owned(), |verdict| verdict.to_string());
        assert_eq!(
            result.targets[0].details.is_empty(),
            matches!(verdict.as_str(), "-" | "pass" | "not-applicable" | "not-checked")
        );
        let base = result.base.unwrap();
        (verdict, base.unchanged, base.resolved)
    }

    #[test]
    fn only_what_is_new_or_worse_is_kept() {
        let lookups = json!({ "fact": "spf.lookups", "at_most": 10 });
        let policy = json!({ "fact": "dmarc.policy", "equals": "reject" });
        let all = json!({ "fact": "spf.all", "equals": "fail" });
        let mx = json!({ "fact": "dns.mx[].host", "subset_of": ["a.example"] });
        let cname = json!({ "every": "dns.mx", "if_none": "fail", "must": { "fact": "it.cname", "equals": false } });
        let hosts = |hosts: &[&str]| {
            let rows: Vec<Value> = hosts.iter().map(|host| json!({ "host": host, "cname": true })).collect();
            json!({ "dns.mx": rows })
        };
        let timeout = || json!({ "spf.lookups": { "$unknown": "dns-timeout" } });
        let number = |number: i64| json!({ "spf.lookups": number });
        let cases = [
            (&lookups, number(3), number(11), ("fail", 0, 0)),
            (&lookups, number(11), number(11), ("-", 1, 0)),
            (&lookups, number(12), number(11), ("-", 1, 0)),
            (&lookups, number(11), number(12), ("fail", 0, 0)),
            (&lookups, number(11), number(3), ("pass", 0, 1)),
            (&lookups, number(3), timeout(), ("unknown", 0, 0)),
            (&lookups, timeout(), timeout(), ("-", 1, 0)),
            (&lookups, number(11), timeout(), ("-", 1, 0)),
            (&lookups, timeout(), number(11), ("fail", 0, 0)),
            (&lookups, json!({}), timeout(), ("unknown", 0, 0)),
            (&lookups, number(11), json!({}), ("not-checked", 0, 0)),
            (&policy, json!({ "dmarc.policy": "none" }), json!({ "dmarc.policy": "quarantine" }), ("-", 1, 0)),
            (&policy, json!({ "dmarc.policy": "quarantine" }), json!({ "dmarc.policy": "none" }), ("fail", 0, 0)),
            (&policy, json!({ "dmarc.policy": "none" }), json!({ "dmarc.policy": null }), ("fail", 0, 0)),
            (&all, json!({ "spf.all": "softfail" }), json!({ "spf.all": "pass" }), ("fail", 0, 0)),
            (&mx, hosts(&["a.example", "b.example"]), hosts(&["b.example"]), ("-", 1, 0)),
            (&mx, hosts(&["b.example"]), hosts(&["b.example", "c.example"]), ("fail", 0, 0)),
            (&cname, hosts(&["a.example", "b.example"]), hosts(&["b.example"]), ("-", 1, 0)),
            (&cname, hosts(&["a.example"]), hosts(&["a.example", "b.example"]), ("fail", 0, 0)),
        ];
        for (check, before, after, (verdict, unchanged, resolved)) in cases {
            let expected = (verdict.to_owned(), unchanged, resolved);
            assert_eq!(compared(check, before.clone(), after.clone()), expected, "{check}: {before} then {after}");
        }
    }

    #[test]
    fn a_raised_severity_and_a_new_rule_count_as_worse() {
        let lookups = || rule(Target::Domain, json!({ "check": { "fact": "spf.lookups", "at_most": 10 } }));
        let with = || json!({ "spf.lookups": 11 });
        let raised = Rule { severity: Severity::Critical, ..lookups() };
        let result = compare(assess(vec![raised], with()), &assess(vec![lookups()], with()), "base");
        assert_eq!(result.targets[0].verdicts[0], Some(Verdict::Fail));
        let result = compare(assess(vec![lookups()], with()), &assess(vec![], with()), "base");
        assert_eq!(result.targets[0].verdicts[0], Some(Verdict::Fail));
    }

    #[test]
    fn a_target_that_is_gone_is_resolved() {
        let rules = || vec![rule(Target::Domain, json!({ "check": { "fact": "spf.lookups", "at_most": 10 } }))];
        let empty = Assembler::new(policy(rules()), jiff::civil::date(2026, 11, 21)).finish(Coverage::default());
        let result = compare(empty, &assess(rules(), json!({ "spf.lookups": 11 })), "base");
        assert_eq!(result.base, Some(Base { revision: "base".to_owned(), unchanged: 0, resolved: 1 }));
    }
}
