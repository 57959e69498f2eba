use jiff::civil::{Date, date};
use serde_json::json;

use crate::diag::Level;
use crate::engine::Assembler;
use crate::engine::support::{SPAN, facts, policy, rule};
use crate::facts::{Coverage, Target};
use crate::findings::{AnswerState, Assessment, Verdict};
use crate::policy::{Answer, AnswerEvidence, AnswerWord, BrokenAnswer, Check, Condition, LeafId, Manual, Rule, Waiver};

const AS_OF: Date = date(2026, 11, 21);

/// A manual rule whose answers are good for a year, for domains that send mail.
fn ask() -> Rule {
    let mut rule = rule(
        Target::Domain,
        json!({
            "id": "test/ask", "when": { "fact": "mail.sends", "equals": true },
            "check": { "fact": "mail.sends", "equals": true }
        }),
    );
    rule.check = Check::Manual(Manual { ask: "Is it so?".to_owned(), evidence: Vec::new(), valid_days: 365 });
    rule
}

fn answer(target: &str, word: AnswerWord, given: Date, until: Option<Date>) -> Answer {
    Answer {
        id: format!("{word}-{given}"),
        rule: "test/ask".to_owned(),
        targets: vec![target.to_owned()],
        answer: word,
        by: "Anna Smith".to_owned(),
        role: None,
        date: given,
        until,
        note: None,
        evidence: Vec::new(),
        links: Vec::new(),
        span: SPAN,
    }
}

fn pass(given: Date) -> Answer {
    answer("a.example", AnswerWord::Pass, given, None)
}

fn fail(given: Date) -> Answer {
    answer("a.example", AnswerWord::Fail, given, None)
}

fn unsupported(answer: Answer) -> Answer {
    let problem = Some("it is not there".to_owned());
    let evidence = AnswerEvidence { file: "x".to_owned(), path: "x".to_owned(), sha256: None, problem };
    Answer { evidence: vec![evidence], ..answer }
}

fn assess_with(answers: Vec<Answer>, broken: Vec<BrokenAnswer>, waivers: Vec<Waiver>) -> Assessment {
    let automatic =
        rule(Target::Domain, json!({ "id": "test/fact", "check": { "fact": "spf.lookups", "at_most": 10 } }));
    let service = rule(Target::Service, json!({ "id": "test/port", "check": { "fact": "port", "equals": 25 } }));
    let mut policy = policy(vec![ask(), automatic, service]);
    (policy.answers.answers, policy.answers.broken, policy.waivers) = (answers, broken, waivers);
    let mut assembler = Assembler::new(policy, AS_OF);
    for (name, sends) in [
        ("a.example", json!(true)),
        ("b.example", json!({ "$unknown": "dns-timeout" })),
        ("parked.example", json!(false)),
    ] {
        let facts = facts(Target::Domain, json!({ "mail.sends": sends, "spf.lookups": 11 }));
        assembler.assess(Target::Domain, name, None, facts.group());
    }
    assembler.finish(Coverage::default())
}

fn assess(answers: Vec<Answer>) -> Assessment {
    assess_with(answers, Vec::new(), Vec::new())
}

fn verdict(assessment: &Assessment, target: &str, rule: &str) -> Verdict {
    assessment
        .findings()
        .find(|finding| finding.target.name == target && finding.rule.id == rule)
        .map(|finding| finding.verdict)
        .unwrap()
}

fn asked(assessment: &Assessment) -> Verdict {
    verdict(assessment, "a.example", "test/ask")
}

fn states(assessment: &Assessment) -> Vec<AnswerState> {
    assessment.answers.iter().map(|note| note.state).collect()
}

#[test]
fn without_an_answer_a_manual_rule_awaits_one_unless_it_does_not_apply() {
    let assessment = assess(vec![]);
    assert_eq!(asked(&assessment), Verdict::Manual);
    assert_eq!(verdict(&assessment, "b.example", "test/ask"), Verdict::Manual, "nobody knows whether it applies");
    assert_eq!(verdict(&assessment, "parked.example", "test/ask"), Verdict::NotApplicable);
    assert_eq!((assessment.counts().manual, assessment.answer_problems.len()), (2, 0));
}

#[test]
fn an_answer_holds_from_its_day_to_its_last_day() {
    let until = |day: Date| Some(day);
    let cases = [
        (date(2026, 11, 21), None, Verdict::Pass, AnswerState::InForce(365)),
        (date(2026, 11, 22), None, Verdict::Manual, AnswerState::NotYet(1)),
        (date(2025, 11, 21), None, Verdict::Pass, AnswerState::Expiring(0)),
        (date(2025, 11, 20), None, Verdict::Manual, AnswerState::Expired(1)),
        (date(2025, 12, 21), None, Verdict::Pass, AnswerState::Expiring(30)),
        (date(2025, 12, 22), None, Verdict::Pass, AnswerState::InForce(31)),
        (date(2026, 11, 1), until(date(2026, 11, 21)), Verdict::Pass, AnswerState::Expiring(0)),
        (date(2026, 11, 1), until(date(2026, 11, 20)), Verdict::Manual, AnswerState::Expired(1)),
        // No answer outlives what the rule allows.
        (date(2025, 11, 20), until(date(2030, 1, 1)), Verdict::Manual, AnswerState::Expired(1)),
        (date(2026, 11, 21), until(date(2030, 1, 1)), Verdict::Pass, AnswerState::InForce(365)),
    ];
    for (given, until, expected, state) in cases {
        let assessment = assess(vec![answer("A.Example.", AnswerWord::Pass, given, until)]);
        assert_eq!((asked(&assessment), states(&assessment)), (expected, vec![state]), "{given} {until:?}");
        let finding = assessment.findings().find(|finding| finding.rule.id == "test/ask").unwrap();
        assert_eq!(assessment.answer(&finding).is_some(), expected == Verdict::Pass);
        assert_eq!(assessment.stale_answer(&finding).is_some(), matches!(state, AnswerState::Expired(_)));
    }
}

#[test]
fn the_answer_gives_its_verdict() {
    for (word, expected) in [
        (AnswerWord::Pass, Verdict::Pass),
        (AnswerWord::Fail, Verdict::Fail),
        (AnswerWord::NotApplicable, Verdict::NotApplicable),
    ] {
        let assessment = assess(vec![answer("a.example", word, date(2026, 11, 1), None)]);
        assert_eq!(asked(&assessment), expected);
        assert_eq!(verdict(&assessment, "b.example", "test/ask"), Verdict::Manual, "only for its target");
    }
}

#[test]
fn the_latest_answer_decides_and_no_older_one_stands_in_for_it() {
    use AnswerState::{Conflicting, Doubtful, Expired, InForce, NotYet, Superseded, Unsupported};
    let (old, new, day) = (date(2026, 1, 1), date(2026, 11, 1), date(2027, 1, 1));
    let short = || answer("a.example", AnswerWord::Pass, new, Some(date(2026, 11, 2)));
    let cases = [
        (vec![fail(old), pass(new)], Verdict::Pass, vec![Superseded, InForce(345)]),
        (vec![pass(new), fail(old)], Verdict::Pass, vec![InForce(345), Superseded]),
        (vec![pass(old), fail(new)], Verdict::Fail, vec![Superseded, InForce(345)]),
        (vec![pass(old), fail(day)], Verdict::Pass, vec![InForce(41), NotYet(41)]),
        (vec![fail(old), short()], Verdict::Manual, vec![Superseded, Expired(19)]),
        (vec![pass(old), unsupported(fail(new))], Verdict::Manual, vec![Superseded, Unsupported]),
        (vec![pass(new), fail(new)], Verdict::Manual, vec![Conflicting, Conflicting]),
        (vec![pass(new), unsupported(fail(new))], Verdict::Manual, vec![Conflicting, Conflicting]),
        (vec![pass(new), pass(new)], Verdict::Pass, vec![InForce(345), Superseded]),
        (vec![unsupported(pass(new)), pass(new)], Verdict::Pass, vec![Unsupported, InForce(345)]),
        (vec![unsupported(pass(new))], Verdict::Manual, vec![Unsupported]),
    ];
    for (answers, expected, wanted) in cases {
        let shown: Vec<String> = answers.iter().map(|answer| answer.id.clone()).collect();
        let assessment = assess(answers);
        assert_eq!((asked(&assessment), states(&assessment)), (expected, wanted.clone()), "{shown:?}");
        let conflicts = assessment.answer_problems.iter().filter(|problem| problem.level == Level::Error).count();
        assert_eq!(conflicts, usize::from(wanted.contains(&Conflicting)), "{shown:?}");
    }
    let broken = BrokenAnswer { rule: "test/ask".to_owned(), targets: vec!["a.example".to_owned()], span: SPAN };
    let assessment = assess_with(vec![pass(new)], vec![broken], Vec::new());
    assert_eq!((asked(&assessment), states(&assessment)), (Verdict::Manual, vec![Doubtful]));
}

#[test]
fn what_facts_decide_no_answer_touches() {
    let to =
        |rule: &str, target: &str| Answer { rule: rule.to_owned(), ..answer(target, AnswerWord::Pass, AS_OF, None) };
    let cases = [
        (to("test/fact", "a.example"), AnswerState::NotManual),
        (to("test/port", "a.example"), AnswerState::NotManual),
        (to("test/gone", "a.example"), AnswerState::Unused),
        (to("test/ask", "gone.example"), AnswerState::Unused),
        (to("test/ask", "parked.example"), AnswerState::NotNeeded),
    ];
    let without = assess(vec![]);
    for (answer, state) in cases {
        let shown = format!("{} {}", answer.rule, answer.targets[0]);
        let assessment = assess(vec![answer]);
        assert_eq!(states(&assessment), [state], "{shown}");
        assert_eq!(assessment.targets, without.targets, "{shown}");
    }
}

#[test]
fn a_failed_answer_can_be_waived_like_any_failure() {
    let waiver = Waiver {
        id: "w".to_owned(),
        rule: "test/ask".to_owned(),
        targets: vec!["a.example".to_owned()],
        reason: "reason".to_owned(),
        approved_by: "B".to_owned(),
        ticket: None,
        created: date(2026, 1, 1),
        expires: date(2026, 12, 31),
        covers_unknown: false,
        span: SPAN,
    };
    let assessment = assess_with(vec![fail(date(2026, 11, 1))], Vec::new(), vec![waiver]);
    let finding = assessment.findings().find(|finding| finding.rule.id == "test/ask").unwrap();
    assert_eq!((finding.verdict, finding.is_waived()), (Verdict::Fail, true));
    assert_eq!(assessment.counts().waived, 1);
    assert!(assessment.answer(&finding).is_some());
    let details: Vec<u16> = assessment.targets[0].details.iter().map(|detail| detail.rule.0).collect();
    assert!(details.is_sorted(), "{details:?}");
    assert!(matches!(ask().when, Some(Condition::Leaf(LeafId(0)))));
}
