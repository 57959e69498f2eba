//! Runs the tests of a pack, and asks whether they would notice a wrong rule or missing evidence.
//!
//! Beside the tests themselves: every fact of a passing case is made unknown and every list emptied, and a verdict that
//! is still `pass` must be sound, that is, no value of the fact may make the rule fail; and every small wrong change of a
//! rule must be noticed by one of its tests. All results are data; [`render`] makes them text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::evaluate::{AsOf, DAY, sides, verdict};
use super::explain::explain;
use super::fixture::{Fixture, Slot, unknown_value};
use super::mutation::mutations;
use crate::diag::Span;
use crate::facts::{Kind, TargetFacts, View};
use crate::findings::Verdict;
use crate::findings::words::{fact_path, literal, sentence};
use crate::policy::{Check, Condition, IfAbsent, IfNone, Literal, Operator, Pack, Right, Rule, RuleTest, TestExpect};

/// Date of the cases that do not fix one.
const DEFAULT_DATE: jiff::civil::Date = jiff::civil::date(2026, 1, 1);

/// Resolves a rule again with the parameters of a test. The loader of packs does it; the message says what is wrong.
pub type Resolve<'a> = dyn Fn(&Rule, &RuleTest) -> Result<Rule, String> + 'a;

/// What the tests of a pack say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackReport {
    /// Name and version of the pack.
    pub pack: String,
    /// Number of rules that are evaluated automatically.
    pub rules: usize,
    /// One for each test, in the order of the pack.
    pub results: Vec<TestResult>,
    /// Number of wrong changes that were tried.
    pub mutants: usize,
    /// Wrong changes that no test noticed.
    pub survivors: Vec<Survivor>,
    /// Rules that lack a test of some kind.
    pub missing: Vec<MissingTest>,
    /// Number of facts that were made unknown or emptied.
    pub injections: usize,
    /// Injections after which a rule still passed.
    pub still_passing: Vec<StillPassing>,
}

/// The outcome of one test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResult {
    /// Id of the rule.
    pub rule: String,
    /// Name of the test.
    pub test: String,
    /// Position of the test.
    pub span: Span,
    /// What is wrong, if anything.
    pub failure: Option<TestFailure>,
}

/// Why a test does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TestFailure {
    /// The facts cannot be read.
    #[error("{0}")]
    Facts(String),
    /// The parameters cannot be set.
    #[error("{0}")]
    Params(String),
    /// Another verdict came out.
    #[error("expected {expected}, got {got}{}", because.iter().map(|line| format!("; {line}")).collect::<String>())]
    Verdict {
        /// As written.
        expected: &'static str,
        /// As judged.
        got: Verdict,
        /// The explanation.
        because: Vec<String>,
    },
    /// Other facts are to blame.
    #[error("blame differs: not blamed: [{}]; blamed beside: [{}]", missing.join(", "), surplus.join(", "))]
    Because {
        /// Named by the test and not blamed.
        missing: Vec<String>,
        /// Blamed and not named by the test.
        surplus: Vec<String>,
    },
}

/// A wrong change that no test noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivor {
    /// Id of the rule.
    pub rule: String,
    /// What was changed.
    pub change: String,
    /// Position of the rule.
    pub span: Span,
}

/// A rule without a kind of test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingTest {
    /// Id of the rule.
    pub rule: String,
    /// The verdicts of which one should be expected.
    pub expects: &'static str,
    /// Position of the rule.
    pub span: Span,
}

/// A rule that passes although a fact was made unknown, or a list emptied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StillPassing {
    /// Id of the rule.
    pub rule: String,
    /// Name of the test.
    pub test: String,
    /// The fact.
    pub fact: String,
    /// What was done to it.
    pub broken: Broken,
    /// For an unsound pass: the value with which the rule does not pass, or what makes the empty list matter.
    pub contradiction: Option<String>,
}

/// What was done to a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It was made unknown.
    Unknown,
    /// Its list was emptied.
    Emptied,
}

/// What becomes of a rule's passing tests when evidence is taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokenEvidence {
    /// How many times something was taken away.
    pub injections: usize,
    /// After which the rule still passed.
    pub still_passing: Vec<StillPassing>,
}

impl BrokenEvidence {
    /// The passes that are not sound. There must be none.
    pub fn false_passes(&self) -> impl Iterator<Item = &StillPassing> {
        self.still_passing.iter().filter(|case| case.contradiction.is_some())
    }
}

impl PackReport {
    /// Whether all tests hold and no pass is owed to missing evidence.
    pub fn is_green(&self) -> bool {
        self.failures().next().is_none() && self.still_passing.iter().all(|case| case.contradiction.is_none())
    }

    /// Whether the pack meets the gate for bundled packs: green, a test of each kind for every rule, no survivor.
    pub fn meets_gate(&self) -> bool {
        self.is_green() && self.survivors.is_empty() && self.missing.is_empty()
    }

    /// The tests that do not hold.
    pub fn failures(&self) -> impl Iterator<Item = (&TestResult, &TestFailure)> {
        self.results.iter().filter_map(|result| result.failure.as_ref().map(|failure| (result, failure)))
    }
}

/// Runs the tests of a pack.
pub fn test_pack(pack: &Pack, resolve: &Resolve<'_>) -> PackReport {
    let mut report = PackReport {
        pack: format!("{} {}", pack.reference.name, pack.reference.version),
        rules: 0,
        results: Vec::new(),
        mutants: 0,
        survivors: Vec::new(),
        missing: Vec::new(),
        injections: 0,
        still_passing: Vec::new(),
    };
    for rule in &pack.rules {
        let cases: Vec<_> = rule.tests.iter().map(|test| (test, Case::new(rule, test, resolve))).collect();
        for (test, case) in &cases {
            report.results.push(TestResult {
                rule: rule.id.clone(),
                test: test.name.clone(),
                span: test.span,
                failure: case.as_ref().map_or_else(|failure| Some(failure.clone()), |case| case.failure(&case.rule)),
            });
        }
        if matches!(rule.check, Check::Manual(_)) {
            continue;
        }
        report.rules += 1;
        let cases: Vec<Case<'_>> = cases.into_iter().filter_map(|(_, case)| case.ok()).collect();
        missing_tests(rule, &mut report.missing);
        mutate(rule, &cases, &mut report);
        let broken = break_evidence(rule, &cases);
        report.injections += broken.injections;
        report.still_passing.extend(broken.still_passing);
    }
    report
}

/// Takes away, one at a time, every fact that the passing tests of a rule mention, and empties every list.
pub fn broken_evidence(rule: &Rule, resolve: &Resolve<'_>) -> BrokenEvidence {
    let cases: Vec<Case<'_>> = rule.tests.iter().filter_map(|test| Case::new(rule, test, resolve).ok()).collect();
    break_evidence(rule, &cases)
}

/// One test, ready to run.
struct Case<'a> {
    test: &'a RuleTest,
    rule: Rule,
    fixture: Fixture,
    facts: TargetFacts,
    as_of: AsOf,
}

impl<'a> Case<'a> {
    fn new(rule: &Rule, test: &'a RuleTest, resolve: &Resolve<'_>) -> Result<Case<'a>, TestFailure> {
        let rule =
            if test.params.is_empty() { rule.clone() } else { resolve(rule, test).map_err(TestFailure::Params)? };
        let facts_error = |error: super::fixture::FixtureError| TestFailure::Facts(error.to_string());
        let fixture = Fixture::new(rule.applies_to, &test.facts).map_err(facts_error)?;
        let facts = fixture.facts().map_err(facts_error)?;
        Ok(Case { test, rule, fixture, facts, as_of: AsOf::date(test.now.unwrap_or(DEFAULT_DATE)) })
    }

    fn verdict(&self, facts: &TargetFacts) -> Verdict {
        verdict(&self.rule, facts.group(), self.as_of)
    }

    /// What is wrong when the case is judged by this rule or a mutant of it.
    fn failure(&self, rule: &Rule) -> Option<TestFailure> {
        let got = verdict(rule, self.facts.group(), self.as_of);
        let explanation = explain(rule, self.facts.group(), self.as_of);
        if !meets(got, self.test.expect) {
            let because = explanation.blame.iter().map(|blame| sentence(rule, blame)).collect();
            return Some(TestFailure::Verdict { expected: expected_word(self.test.expect), got, because });
        }
        let wanted: BTreeSet<String> = self.test.because.as_ref()?.iter().cloned().collect();
        let blamed: BTreeSet<String> = match got {
            Verdict::Pass | Verdict::NotApplicable => BTreeSet::new(),
            _ => explanation.blame.iter().map(|blame| fact_path(rule, blame)).collect(),
        };
        (wanted != blamed).then(|| TestFailure::Because {
            missing: wanted.difference(&blamed).cloned().collect(),
            surplus: blamed.difference(&wanted).cloned().collect(),
        })
    }
}

fn meets(got: Verdict, expected: TestExpect) -> bool {
    match expected {
        TestExpect::Pass => got == Verdict::Pass,
        TestExpect::Fail => got == Verdict::Fail,
        TestExpect::Unknown => matches!(got, Verdict::Unknown | Verdict::NotChecked),
        TestExpect::NotApplicable => got == Verdict::NotApplicable,
    }
}

fn expected_word(expect: TestExpect) -> &'static str {
    match expect {
        TestExpect::Pass => "pass",
        TestExpect::Fail => "fail",
        TestExpect::Unknown => "unknown",
        TestExpect::NotApplicable => "not-applicable",
    }
}

fn missing_tests(rule: &Rule, missing: &mut Vec<MissingTest>) {
    let kinds: [(&'static str, &[TestExpect]); 3] = [
        ("pass", &[TestExpect::Pass]),
        ("fail", &[TestExpect::Fail]),
        ("unknown or not-applicable", &[TestExpect::Unknown, TestExpect::NotApplicable]),
    ];
    for (expects, kind) in kinds {
        if !rule.tests.iter().any(|test| kind.contains(&test.expect)) {
            missing.push(MissingTest { rule: rule.id.clone(), expects, span: rule.span });
        }
    }
}

fn mutate(rule: &Rule, cases: &[Case<'_>], report: &mut PackReport) {
    for mutation in mutations(rule) {
        let mutants: Vec<(&Case<'_>, Rule)> =
            cases.iter().filter_map(|case| mutation.apply(&case.rule).map(|mutant| (case, mutant))).collect();
        report.mutants += 1;
        // A case that fails already notices nothing.
        let noticed =
            mutants.iter().any(|(case, mutant)| case.failure(&case.rule).is_none() && case.failure(mutant).is_some());
        if !noticed {
            report.survivors.push(Survivor { rule: rule.id.clone(), change: mutation.text, span: rule.span });
        }
    }
}

fn break_evidence(rule: &Rule, cases: &[Case<'_>]) -> BrokenEvidence {
    let mut found = BrokenEvidence::default();
    for case in cases.iter().filter(|case| case.verdict(&case.facts) == Verdict::Pass) {
        let read = paths_read(&case.rule);
        for slot in case.fixture.slots().into_iter().filter(|slot| read.contains(slot.path.as_str())) {
            let unknown = case.fixture.with(&slot, unknown_value("dns-timeout"));
            let is_list = matches!(case.fixture.value(&slot), Some(Value::Array(values)) if !values.is_empty());
            let still_passing = |broken, contradiction| StillPassing {
                rule: rule.id.clone(),
                test: case.test.name.clone(),
                fact: slot.name.clone(),
                broken,
                contradiction,
            };
            found.injections += 1;
            let passes_unknown = passes(case, &unknown);
            if passes_unknown {
                let contradiction = contradiction(case, cases, &slot);
                found.still_passing.push(still_passing(Broken::Unknown, contradiction));
            }
            if is_list {
                found.injections += 1;
                if passes(case, &case.fixture.with(&slot, json!([]))) {
                    let unsaid = !passes_unknown && !says_what_empty_means(&case.rule, &slot.path);
                    let contradiction =
                        unsaid.then(|| "nothing in the rule says that an empty list is good".to_owned());
                    found.still_passing.push(still_passing(Broken::Emptied, contradiction));
                }
            }
        }
    }
    found
}

/// The catalogue paths that a rule reads: `dns.mx[].host`, and with it the list `dns.mx`.
fn paths_read(rule: &Rule) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for leaf in &rule.leaves {
        let mut texts = vec![match &leaf.list {
            Some(list) if leaf.element => format!("{list}[].{}", leaf.path.text.trim_start_matches("it.")),
            _ => leaf.path.text.clone(),
        }];
        texts.extend(right_paths(&leaf.operator).map(|path| match (&leaf.list, path.text.strip_prefix("it.")) {
            (Some(list), Some(field)) => format!("{list}[].{field}"),
            _ => path.text.clone(),
        }));
        for text in texts {
            if let Some((list, _)) = text.split_once("[]") {
                paths.insert(list.to_owned());
            }
            paths.insert(text);
        }
    }
    paths
}

/// The facts on the right side.
fn right_paths(operator: &Operator) -> impl Iterator<Item = &crate::facts::Path> {
    sides(operator).into_iter().flatten().filter_map(|side| match side {
        Right::Fact(path) => Some(path),
        Right::Literal(_) | Right::Set(_) => None,
    })
}

fn passes(case: &Case<'_>, fixture: &Fixture) -> bool {
    fixture.facts().is_ok_and(|facts| case.verdict(&facts) == Verdict::Pass)
}

/// A value of the fact with which the rule does not pass: then a pass without knowing it is unsound.
fn contradiction(case: &Case<'_>, cases: &[Case<'_>], slot: &Slot) -> Option<String> {
    candidates(case, cases, slot).into_iter().find_map(|value| {
        let facts = case.fixture.with(slot, value.clone()).facts().ok()?;
        match case.verdict(&facts) {
            Verdict::Fail | Verdict::NotApplicable | Verdict::Error => {
                Some(format!("{} with the value {value}", case.verdict(&facts)))
            }
            Verdict::Pass | Verdict::Unknown | Verdict::NotChecked | Verdict::Manual => None,
        }
    })
}

/// Values that stand for all that a fact may be: absent, every word, numbers around every bound, what other tests say.
fn candidates(case: &Case<'_>, cases: &[Case<'_>], slot: &Slot) -> Vec<Value> {
    let mut values = vec![Value::Null];
    values.extend(of_kind(case, slot.kind));
    for other in cases {
        let same = other.fixture.slots().into_iter().filter(|candidate| candidate.path == slot.path);
        values.extend(same.filter_map(|candidate| other.fixture.value(&candidate).cloned()));
    }
    values
}

fn of_kind(case: &Case<'_>, kind: Kind) -> Vec<Value> {
    let literals = || literals(&case.rule);
    let numbers = || literals().into_iter().filter_map(number).collect::<BTreeSet<i64>>();
    let around = |number: i64| [number.saturating_sub(1), number, number.saturating_add(1)];
    match kind {
        Kind::Bool => vec![json!(false), json!(true)],
        Kind::Int | Kind::Duration => {
            let edges = [i64::MIN, -1, 0, 1, i64::MAX];
            numbers().into_iter().flat_map(around).chain(edges).map(Value::from).collect()
        }
        Kind::Time => {
            let days =
                numbers().into_iter().filter(|days| days.abs() < 40_000).flat_map(around).chain([-36_500, 0, 36_500]);
            let time = |seconds: i64| json!(View::Time(seconds).to_string());
            days.map(|days| time(case.as_of.seconds() + days * DAY)).collect()
        }
        Kind::Text | Kind::Name => {
            let other = ["", "x", "unrelated.example"].map(str::to_owned);
            literals().into_iter().map(literal).chain(other).map(Value::from).collect()
        }
        Kind::Address => {
            let other = ["192.0.2.1", "2001:db8::1", "10.0.0.1"].map(str::to_owned);
            literals().into_iter().map(literal).chain(other).map(Value::from).collect()
        }
        Kind::Word(words) => words.words.iter().map(|word| json!(word)).collect(),
        Kind::List(schema) => {
            let absent: serde_json::Map<String, Value> =
                schema.fields.iter().map(|field| (field.name.to_owned(), Value::Null)).collect();
            vec![json!([]), json!([absent])]
        }
        Kind::ListOf(inner) => {
            let single = of_kind(case, *inner).into_iter().map(|value| json!([value]));
            std::iter::once(json!([])).chain(single).collect()
        }
    }
}

fn number(value: &Literal) -> Option<i64> {
    match value {
        Literal::Int(number) | Literal::Duration(number) | Literal::Time(number) => Some(*number),
        _ => None,
    }
}

/// Every literal of a rule.
fn literals(rule: &Rule) -> Vec<&Literal> {
    let mut found = Vec::new();
    for leaf in &rule.leaves {
        if let Operator::In(set) | Operator::NotIn(set) = &leaf.operator {
            found.extend(set);
        }
        found.extend(sides(&leaf.operator).into_iter().flatten().flat_map(side_literals));
    }
    found
}

fn side_literals(side: &Right) -> &[Literal] {
    match side {
        Right::Literal(value) => std::slice::from_ref(value),
        Right::Set(values) => values,
        Right::Fact(_) => &[],
    }
}

/// Whether the rule itself says that this list may be empty: by `if_none: pass`, or by an operator that is about the
/// list as a whole.
fn says_what_empty_means(rule: &Rule, list: &str) -> bool {
    let names_list = |text: &str| text.split("[]").next() == Some(list);
    let whole = rule.leaves.iter().any(|leaf| {
        names_list(&leaf.path.text)
            && match leaf.operator {
                Operator::Elements => false,
                Operator::SubsetOf(_) => leaf.if_absent == IfAbsent::Pass,
                _ => true,
            }
    });
    whole || rule.when.iter().chain(automatic(rule)).any(|condition| quantifier_passes(rule, condition, list, false))
}

fn automatic(rule: &Rule) -> Option<&Condition> {
    match &rule.check {
        Check::Automatic(check) => Some(check),
        Check::Manual(_) => None,
    }
}

fn quantifier_passes(rule: &Rule, condition: &Condition, list: &str, negated: bool) -> bool {
    match condition {
        Condition::Leaf(_) => false,
        Condition::Not(part) => quantifier_passes(rule, part, list, !negated),
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter().any(|part| quantifier_passes(rule, part, list, negated))
        }
        Condition::Quantified { list: id, if_none, .. } => {
            let good = if negated { IfNone::Fail } else { IfNone::Pass };
            (*if_none == good || *if_none == IfNone::NotApplicable) && is_list(rule, *id, list)
        }
    }
}

fn is_list(rule: &Rule, id: crate::policy::LeafId, list: &str) -> bool {
    rule.leaves.get(usize::from(id.0)).is_some_and(|leaf| leaf.path.text == list)
}

/// The report as text, one line for each thing to know.
pub fn render(report: &PackReport) -> String {
    let mut out = String::new();
    for (result, failure) in report.failures() {
        let _ = writeln!(out, "FAIL      {}: {}: {failure}", result.rule, result.test);
    }
    for case in &report.still_passing {
        let how = match case.broken {
            Broken::Unknown => "is unknown",
            Broken::Emptied => "is empty",
        };
        let _ = match &case.contradiction {
            Some(why) => {
                writeln!(out, "UNSOUND   {}: {}: passes while `{}` {how}: {why}", case.rule, case.test, case.fact)
            }
            None => writeln!(
                out,
                "note      {}: {}: passes while `{}` {how}; it does not decide",
                case.rule, case.test, case.fact
            ),
        };
    }
    for survivor in &report.survivors {
        let _ = writeln!(out, "SURVIVOR  {}: no test notices that {}", survivor.rule, survivor.change);
    }
    for missing in &report.missing {
        let _ = writeln!(out, "MISSING   {}: no test expects {}", missing.rule, missing.expects);
    }
    let failed = report.failures().count();
    let _ = writeln!(
        out,
        "{}: {} rules, {} of {} tests hold, {} of {} mutants noticed, {} injections",
        report.pack,
        report.rules,
        report.results.len() - failed,
        report.results.len(),
        report.mutants - report.survivors.len(),
        report.mutants,
        report.injections,
    );
    out
}

#[cfg(test)]
mod tests;
