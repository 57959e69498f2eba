use serde_json::{Value, json};

use super::*;
use crate::engine::Assembler;
use crate::engine::support::{facts, policy, rule};
use crate::facts::{Coverage, Target};
use crate::findings::history::Baseline;
use crate::policy::Rule;

fn day(day: usize) -> Date {
    jiff::civil::date(2026, 11, i8::try_from(day).unwrap())
}

fn rules() -> Vec<Rule> {
    vec![rule(Target::Domain, json!({ "id": "test/lookups", "check": { "fact": "spf.lookups", "at_most": 10 } }))]
}

fn assess(rules: Vec<Rule>, targets: &[(&str, &Value)]) -> Assessment {
    let mut assembler = Assembler::new(policy(rules), day(1));
    for (name, lookups) in targets {
        let facts = facts(Target::Domain, json!({ "spf.lookups": lookups }));
        assembler.assess(Target::Domain, name, None, facts.group());
    }
    assembler.finish(Coverage::default())
}

/// Runs on the days 1, 2, 3 and so on with these numbers of lookups: the last one with its history.
fn runs(lookups: &[Value]) -> (Assessment, History) {
    let (last, earlier) = lookups.split_last().unwrap();
    let mut past: Option<Past> = None;
    for (index, lookups) in earlier.iter().enumerate() {
        past = Some(remember(past.as_ref(), &assess(rules(), &[("a.example", lookups)]), day(index + 1)));
    }
    let assessment = assess(rules(), &[("a.example", last)]);
    let history = history(past.unwrap(), &assessment, day(lookups.len()));
    (assessment, history)
}

#[test]
fn a_finding_keeps_its_first_day_and_regresses_when_it_was_mended() {
    let unknown = || json!({ "$unknown": "dns-timeout" });
    let (good, bad, worse) = (json!(3), json!(11), json!(12));
    // First seen, last seen, regressed; and how it stands to the run before.
    let cases = [
        (vec![bad.clone(), bad.clone()], Some((1, 2, false)), Baseline::Unchanged),
        (vec![bad.clone(), worse.clone()], Some((1, 2, false)), Baseline::Updated),
        (vec![good.clone(), bad.clone()], Some((2, 2, false)), Baseline::New),
        (vec![bad.clone(), good.clone(), bad.clone()], Some((1, 3, true)), Baseline::New),
        (vec![bad.clone(), good.clone(), unknown(), bad.clone()], Some((1, 4, true)), Baseline::Updated),
        (vec![bad.clone(), unknown(), bad.clone()], Some((1, 3, false)), Baseline::Updated),
        (vec![bad.clone(), good.clone(), bad.clone(), bad.clone()], Some((1, 4, true)), Baseline::Unchanged),
        (vec![bad.clone(), good.clone()], None, Baseline::Updated),
        (vec![bad.clone(), unknown()], None, Baseline::Updated),
        (vec![good.clone(), unknown()], None, Baseline::New),
        (vec![unknown(), unknown()], None, Baseline::Unchanged),
        (vec![good.clone(), good.clone()], None, Baseline::Unchanged),
    ];
    for (lookups, expected, baseline) in cases {
        let (assessment, history) = runs(&lookups);
        let finding = assessment.findings().next().unwrap();
        let record = history.record(&finding).map(|record| (record.first_seen, record.last_seen, record.regressed));
        assert_eq!(record, expected.map(|(first, last, back)| (day(first), day(last), back)), "{lookups:?}");
        assert_eq!(history.baseline(&finding), baseline, "{lookups:?}");
    }
}

#[test]
fn what_ended_is_mended_only_when_it_passes() {
    let bad = json!(11);
    let old = assess(rules(), &[("a.example", &bad), ("b.example", &bad), ("c.example", &bad)]);
    let new = assess(rules(), &[("a.example", &json!(3)), ("b.example", &json!({ "$unknown": "not-collected" }))]);
    let history = history(remember(None, &old, day(1)), &new, day(2));
    let ended: Vec<_> = history.ended.iter().map(|item| (item.target.as_str(), item.is_fixed(), item.now)).collect();
    let expected = [
        ("a.example", true, Some(Verdict::Pass)),
        ("b.example", false, Some(Verdict::NotChecked)),
        ("c.example", false, None),
    ];
    assert_eq!(ended, expected);
    assert_eq!(history.ended[0].first_seen, Some(day(1)));
    let expected = HistoryCounts { fixed: 1, not_judged: 2, ..HistoryCounts::default() };
    assert_eq!(history.counts, expected);
}

#[test]
fn failures_are_counted_by_where_they_come_from() {
    let (good, bad) = (json!(3), json!(11));
    let first = assess(rules(), &[("back.example", &bad), ("old.example", &bad), ("new.example", &good)]);
    let second = assess(rules(), &[("back.example", &good), ("old.example", &bad), ("new.example", &good)]);
    let third = assess(rules(), &[("back.example", &bad), ("old.example", &bad), ("new.example", &bad)]);
    let past = remember(Some(&remember(None, &first, day(1))), &second, day(2));
    let expected = HistoryCounts { new: 1, regressed: 1, persisting: 1, ..HistoryCounts::default() };
    assert_eq!(history(past, &third, day(3)).counts, expected);
}

#[test]
fn the_past_is_stored_and_read_back() {
    let (_, history) = runs(&[json!(11), json!(3), json!({ "$unknown": "dns-timeout" }), json!(11)]);
    for past in [&history.past, &history.present] {
        assert_eq!(Past::from_stored(&past.stored()).as_ref(), Ok(past));
    }
    let stored = history.present.stored();
    let mut broken = [stored.clone(), stored.clone(), stored.clone(), stored.clone()];
    broken[0].date = "yesterday".to_owned();
    broken[1].targets[0].verdicts.insert("good".to_owned(), vec![0]);
    broken[2].targets[0].verdicts.insert("pass".to_owned(), vec![7]);
    broken[3].rules.push("test/lookups".to_owned());
    for (stored, word) in broken.iter().zip(["yesterday", "`good` is no verdict", "no rule 7", "twice"]) {
        let error = Past::from_stored(stored).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
