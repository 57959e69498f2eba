//! From facts to the assessment: a row of verdicts for each target, details for what did not pass, waivers.
//!
//! Targets stream in one by one. A row costs one byte for each rule; only what did not pass costs more.

use std::collections::BTreeMap;

use super::answers;
use super::evaluate::{AsOf, read, verdict};
use super::explain::{explain, is_explained};
use crate::diag::Span;
use crate::facts::{Catalogue, Cause, Coverage, Group, Kind, Node, Observed, Target, View};
use crate::findings::{AssessedTarget, Assessment, Detail, FilledRecord, Verdict, WaiverNote, WaiverState};
use crate::policy::{Leaf, LeafId, Operator, Policy, Rule, RuleIndex, Waiver};

/// Days before its end from which on a waiver or an answer is "expiring".
pub(super) const EXPIRING_DAYS: i32 = 30;

/// Longest data of a record to publish, in bytes.
const RECORD_LIMIT: usize = 4096;

/// Judges one target by all rules of the policy. Waivers are applied later, by [`Assembler::finish`].
pub fn assess_target(
    policy: &Policy,
    kind: Target,
    name: &str,
    anchor: Option<Span>,
    facts: &dyn Group,
    as_of: jiff::civil::Date,
) -> AssessedTarget {
    let as_of = AsOf::date(as_of);
    let mut verdicts = vec![None; policy.rules.len()];
    let mut details = Vec::new();
    let mut not_collected = Vec::new();
    for (index, rule) in policy.rules.iter().enumerate().filter(|(_, rule)| rule.applies_to == kind) {
        let verdict = verdict(rule, facts, as_of);
        verdicts[index] = Some(verdict);
        let Ok(index) = u16::try_from(index).map(RuleIndex) else { continue };
        if verdict == Verdict::NotChecked {
            not_collected.extend(uncollected(rule, facts).map(|leaf| (index, leaf)));
        } else if is_explained(verdict) {
            details.push(detail(rule, index, verdict, name, facts, as_of));
        }
    }
    AssessedTarget {
        kind,
        name: name.to_owned(),
        anchor,
        verdicts: verdicts.into(),
        details: details.into_boxed_slice(),
        not_collected: not_collected.into(),
    }
}

/// Leaves of a rule whose facts this run does not collect. For leaves of list elements, the list stands.
fn uncollected<'a>(rule: &'a Rule, facts: &'a dyn Group) -> impl Iterator<Item = LeafId> + 'a {
    let is_uncollected = |leaf: &Leaf| {
        let Some(fact) = read(facts, &leaf.path.steps) else { return false };
        match (fact.observed, &leaf.path.item) {
            (Observed::Unknown(cause), _) => cause == Cause::NotCollected,
            (Observed::Present(View::Rows(rows)), Some(item)) => (0..rows.count()).any(|row| {
                read(rows.row(row), item)
                    .is_some_and(|fact| matches!(fact.observed, Observed::Unknown(Cause::NotCollected)))
            }),
            (Observed::Present(View::Rows(rows)), None) if leaf.operator == Operator::Elements => {
                (0..rows.count()).any(|row| has_uncollected(rows.row(row)))
            }
            _ => false,
        }
    };
    let numbered = rule.leaves.iter().zip(0u16..);
    numbered.filter(move |(leaf, _)| !leaf.element && is_uncollected(leaf)).map(|(_, index)| LeafId(index))
}

/// Whether any fact of a list element is not collected.
fn has_uncollected(row: &dyn Group) -> bool {
    (0..row.schema().fields.len()).any(|field| match row.node(field) {
        Node::Fact(fact) => matches!(fact.observed, Observed::Unknown(Cause::NotCollected)),
        Node::Group(group) => has_uncollected(group),
    })
}

fn detail(rule: &Rule, index: RuleIndex, verdict: Verdict, name: &str, facts: &dyn Group, as_of: AsOf) -> Detail {
    let explanation = explain(rule, facts, as_of);
    let record = (verdict == Verdict::Fail).then(|| filled_record(rule, name, facts)).flatten();
    Detail {
        rule: index,
        blame: explanation.blame.into_boxed_slice(),
        also: explanation.also.into_boxed_slice(),
        waived: None,
        expired_waiver: None,
        answer: None,
        stale_answer: None,
        record: record.map(Box::new),
    }
}

/// The record that mends a failure, when every placeholder of it is known.
pub fn filled_record(rule: &Rule, name: &str, facts: &dyn Group) -> Option<FilledRecord> {
    let record = rule.fix.record.as_ref()?;
    let mut owner = filled(&record.name, rule.applies_to, name, facts)?;
    if !owner.ends_with('.') {
        owner.push('.');
    }
    Some(FilledRecord {
        name: owner,
        rtype: record.rtype.clone(),
        value: filled(&record.value, rule.applies_to, name, facts)?,
    })
}

/// A text with its placeholders replaced. A brace that is not closed stands for itself.
fn filled(template: &str, kind: Target, name: &str, facts: &dyn Group) -> Option<String> {
    let mut out = String::with_capacity(template.len() + name.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((placeholder, after)) = after.split_once('}') else { break };
        out.push_str(before);
        out.push_str(&placeholder_value(placeholder, kind, name, facts)?);
        rest = after;
    }
    out.push_str(rest);
    // A value from a fact may hold anything; what is published is one line of visible text.
    let clean: String = out.chars().filter(|character| !character.is_control()).collect();
    (clean.len() <= RECORD_LIMIT).then_some(clean)
}

fn placeholder_value(placeholder: &str, kind: Target, name: &str, facts: &dyn Group) -> Option<String> {
    if placeholder == "domain" {
        return (kind == Target::Domain).then(|| name.strip_suffix('.').unwrap_or(name).to_owned());
    }
    let path = Catalogue::resolve_in(facts.schema(), placeholder).ok()?;
    if path.item.is_some() || matches!(path.kind, Kind::List(_) | Kind::ListOf(_)) {
        return None;
    }
    match read(facts, &path.steps)?.observed {
        Observed::Present(view) => Some(view.to_string()),
        Observed::Absent(_) | Observed::Unknown(_) => None,
    }
}

/// Collects judged targets and finishes the assessment.
#[derive(Debug)]
pub struct Assembler {
    policy: Policy,
    as_of: jiff::civil::Date,
    targets: Vec<AssessedTarget>,
}

impl Assembler {
    /// An assessment without targets yet.
    pub fn new(policy: Policy, as_of: jiff::civil::Date) -> Assembler {
        Assembler { policy, as_of, targets: Vec::new() }
    }

    /// The policy, for [`assess_target`].
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The date for which dates are judged.
    pub fn as_of(&self) -> jiff::civil::Date {
        self.as_of
    }

    /// Judges a target and adds it.
    pub fn assess(&mut self, kind: Target, name: &str, anchor: Option<Span>, facts: &dyn Group) {
        let target = assess_target(&self.policy, kind, name, anchor, facts, self.as_of);
        self.targets.push(target);
    }

    /// Adds a target that was judged elsewhere by the same policy and date.
    pub fn push(&mut self, target: AssessedTarget) {
        self.targets.push(target);
    }

    /// Adds targets that were judged already.
    pub fn extend(&mut self, targets: Vec<AssessedTarget>) {
        match self.targets.is_empty() {
            true => self.targets = targets,
            false => self.targets.extend(targets),
        }
    }

    /// Sorts the targets and applies first the answers, then the waivers: an answer may say what a waiver excuses.
    pub fn finish(self, coverage: Coverage) -> Assessment {
        let Assembler { policy, as_of, mut targets } = self;
        // Every inventory with a name has an organisation; where no rule is about it, it is no target.
        let is_asked = |target: &AssessedTarget| target.verdicts.iter().any(Option::is_some);
        targets.retain(|target| target.kind != Target::Organisation || is_asked(target));
        targets.sort_by(|one, two| (one.kind, &one.name).cmp(&(two.kind, &two.name)));
        let (answers, answer_problems) = answers::apply(&policy, as_of, &mut targets);
        let waivers = apply_waivers(&policy, as_of, &mut targets);
        let (base, history) = (None, None);
        Assessment { policy, as_of, targets, coverage, waivers, answers, answer_problems, base, history }
    }
}

/// Marks waived findings, and says which waivers need attention.
fn apply_waivers(policy: &Policy, as_of: jiff::civil::Date, targets: &mut [AssessedTarget]) -> Vec<WaiverNote> {
    let rules: BTreeMap<&str, usize> =
        policy.rules.iter().enumerate().map(|(index, rule)| (rule.id.as_str(), index)).collect();
    let mut notes = Vec::new();
    for (position, waiver) in (0u32..).zip(&policy.waivers) {
        for target in &waiver.targets {
            let rule = rules.get(waiver.rule.as_str()).copied();
            let found = rule.and_then(|rule| find_target(targets, policy.rules[rule].applies_to, target));
            let state = match (rule, found) {
                (Some(rule), Some(at)) => apply_waiver(position, waiver, rule, as_of, &mut targets[at]),
                _ => WaiverState::Unused,
            };
            notes.push(WaiverNote { waiver: position, target: target.clone(), state });
        }
    }
    forget_replaced(targets);
    notes.sort_by(|one, two| (one.waiver, &one.target).cmp(&(two.waiver, &two.target)));
    notes
}

/// The exact target; names compare without regard to case and final dot.
pub(super) fn find_target(targets: &[AssessedTarget], kind: Target, name: &str) -> Option<usize> {
    let exact =
        |name: &str| targets.binary_search_by(|target| (target.kind, target.name.as_str()).cmp(&(kind, name))).ok();
    exact(name).or_else(|| match kind {
        Target::Domain | Target::Host | Target::Service => {
            exact(&name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase())
        }
        Target::Message | Target::System | Target::Organisation => None,
    })
}

fn apply_waiver(
    position: u32,
    waiver: &Waiver,
    rule: usize,
    as_of: jiff::civil::Date,
    target: &mut AssessedTarget,
) -> WaiverState {
    let Some(verdict) = target.verdicts[rule] else { return WaiverState::Unused };
    if as_of < waiver.created {
        return WaiverState::NotYet(days_between(as_of, waiver.created));
    }
    if matches!(verdict, Verdict::Pass | Verdict::NotApplicable) {
        return WaiverState::NotNeeded;
    }
    let covers = verdict == Verdict::Fail || (verdict == Verdict::Unknown && waiver.covers_unknown);
    let detail = target.details.iter_mut().find(|detail| usize::from(detail.rule.0) == rule).filter(|_| covers);
    // The last day counts as a whole, in UTC.
    if as_of > waiver.expires {
        if let Some(detail) = detail {
            detail.expired_waiver.get_or_insert(position);
        }
        return WaiverState::Expired(days_between(waiver.expires, as_of));
    }
    if let Some(detail) = detail {
        detail.waived.get_or_insert(position);
    }
    match days_between(as_of, waiver.expires) {
        days if days <= EXPIRING_DAYS => WaiverState::Expiring(days),
        days => WaiverState::Active(days),
    }
}

/// An expired waiver says nothing about a finding that another one covers.
fn forget_replaced(targets: &mut [AssessedTarget]) {
    for detail in targets.iter_mut().flat_map(|target| &mut target.details) {
        if detail.waived.is_some() {
            detail.expired_waiver = None;
        }
    }
}

pub(super) fn days_between(from: jiff::civil::Date, to: jiff::civil::Date) -> i32 {
    i32::try_from(to.duration_since(from).as_secs() / super::evaluate::DAY).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::engine::support::{SPAN, facts, policy, rule};
    use crate::findings::{BlameValue, Finding};
    use crate::policy::{Fix, RecordFix};

    const AS_OF: jiff::civil::Date = jiff::civil::date(2026, 11, 21);

    fn lookups() -> Rule {
        rule(Target::Domain, json!({ "id": "test/lookups", "check": { "fact": "spf.lookups", "at_most": 10 } }))
    }

    fn waiver(target: &str, created: &str, expires: &str) -> Waiver {
        Waiver {
            id: "w".to_owned(),
            rule: "test/lookups".to_owned(),
            targets: vec![target.to_owned()],
            reason: "reason".to_owned(),
            approved_by: "j.doe@example.org".to_owned(),
            ticket: None,
            created: created.parse().unwrap(),
            expires: expires.parse().unwrap(),
            covers_unknown: false,
            span: SPAN,
        }
    }

    fn assess(waivers: Vec<Waiver>, targets: &[(&str, Value)]) -> Assessment {
        let service = rule(Target::Service, json!({ "id": "test/port", "check": { "fact": "port", "equals": 25 } }));
        let mut policy = policy(vec![service, lookups()]);
        policy.waivers = waivers;
        let mut assembler = Assembler::new(policy, AS_OF);
        for (name, with) in targets {
            assembler.assess(Target::Domain, name, None, facts(Target::Domain, with.clone()).group());
        }
        assembler.finish(Coverage::default())
    }

    fn finding<'a>(assessment: &'a Assessment, target: &str) -> Finding<'a> {
        assessment.findings().find(|finding| finding.target.name == target).unwrap()
    }

    #[test]
    fn rows_hold_only_rules_about_the_kind_and_targets_are_sorted() {
        let assessment =
            assess(vec![], &[("b.example", json!({ "spf.lookups": 11 })), ("a.example", json!({ "spf.lookups": 1 }))]);
        let names: Vec<&str> = assessment.targets.iter().map(|target| target.name.as_str()).collect();
        assert_eq!(names, ["a.example", "b.example"]);
        assert_eq!(*assessment.targets[0].verdicts, [Some(Verdict::Pass), None]);
        assert!(assessment.targets[0].details.is_empty());
        let failed = finding(&assessment, "b.example").detail.unwrap();
        assert_eq!(failed.blame[0].observed, BlameValue::Present("11".into()));
        assert_eq!(assessment.counts().fail, 1);
    }

    #[test]
    fn a_waiver_holds_from_its_first_to_its_last_day() {
        let cases = [
            ("2026-10-01", "2027-01-31", true, WaiverState::Active(71)),
            ("2026-10-01", "2026-12-21", true, WaiverState::Expiring(30)),
            ("2026-10-01", "2026-12-22", true, WaiverState::Active(31)),
            ("2026-11-21", "2026-11-21", true, WaiverState::Expiring(0)),
            ("2026-03-01", "2026-11-20", false, WaiverState::Expired(1)),
            ("2026-03-01", "2026-10-31", false, WaiverState::Expired(21)),
            ("2026-11-22", "2027-01-31", false, WaiverState::NotYet(1)),
        ];
        for (created, expires, waived, state) in cases {
            let waivers = vec![waiver("Example.org.", created, expires)];
            let assessment = assess(waivers, &[("example.org", json!({ "spf.lookups": 11 }))]);
            let found = finding(&assessment, "example.org");
            assert_eq!((found.verdict, found.is_waived()), (Verdict::Fail, waived), "{created} {expires}");
            assert_eq!(assessment.waivers[0].state, state, "{created} {expires}");
            let expired = matches!(state, WaiverState::Expired(_)).then_some(0);
            assert_eq!(found.detail.unwrap().expired_waiver, expired);
        }
    }

    #[test]
    fn waivers_that_are_not_needed_or_meet_nothing_are_reported() {
        let mut other_rule = waiver("example.org", "2026-10-01", "2027-01-31");
        other_rule.rule = "test/gone".to_owned();
        let waivers = vec![
            waiver("example.org", "2026-10-01", "2027-01-31"),
            waiver("elsewhere.example", "2026-10-01", "2027-01-31"),
            other_rule,
        ];
        let assessment = assess(waivers, &[("example.org", json!({ "spf.lookups": 1 }))]);
        let states: Vec<WaiverState> = assessment.waivers.iter().map(|note| note.state).collect();
        assert_eq!(states, [WaiverState::NotNeeded, WaiverState::Unused, WaiverState::Unused]);
    }

    #[test]
    fn missing_evidence_is_covered_only_where_the_waiver_says_so() {
        for covers_unknown in [false, true] {
            let mut waiver = waiver("example.org", "2026-10-01", "2027-01-31");
            waiver.covers_unknown = covers_unknown;
            let unknown = json!({ "spf.lookups": { "$unknown": "dns-timeout" } });
            let assessment = assess(vec![waiver], &[("example.org", unknown)]);
            let found = finding(&assessment, "example.org");
            assert_eq!((found.verdict, found.is_waived()), (Verdict::Unknown, covers_unknown));
        }
    }

    #[test]
    fn an_expired_waiver_is_silent_where_another_one_holds() {
        let waivers =
            vec![waiver("example.org", "2026-01-01", "2026-10-31"), waiver("example.org", "2026-11-01", "2027-01-31")];
        let assessment = assess(waivers, &[("example.org", json!({ "spf.lookups": 11 }))]);
        let detail = finding(&assessment, "example.org").detail.unwrap();
        assert_eq!((detail.waived, detail.expired_waiver), (Some(1), None));
        assert_eq!(assessment.counts().waived, 1);
    }

    #[test]
    fn a_record_is_offered_only_when_all_of_it_is_known() {
        let record = |name: &str, value: &str, with: Value| {
            let mut rule = lookups();
            let record = RecordFix { name: name.to_owned(), rtype: "TXT".to_owned(), value: value.to_owned() };
            rule.fix = Fix { text: String::new(), record: Some(record) };
            filled_record(&rule, "example.org", facts(Target::Domain, with).group())
                .map(|record| format!("{} {} {}", record.name, record.rtype, record.value))
        };
        let text = |expected: &str| Some(expected.to_owned());
        let cases = [
            (
                "_dmarc.{domain}",
                "v=DMARC1; rua=mailto:d@{domain}",
                json!({}),
                text("_dmarc.example.org. TXT v=DMARC1; rua=mailto:d@example.org"),
            ),
            (
                "{domain}",
                "{spf.text} x",
                json!({ "spf.text": "v=spf1\n\u{1b}-all" }),
                text("example.org. TXT v=spf1-all x"),
            ),
            ("{domain}", "{spf.text}", json!({ "spf.text": null }), None),
            ("{domain}", "{spf.text}", json!({}), None),
            ("{domain}", "{dns.mx}", json!({ "dns.mx": [] }), None),
            ("{domain}", "{no.such}", json!({}), None),
            ("{domain}", "a { b", json!({}), text("example.org. TXT a { b")),
        ];
        for (name, value, with, expected) in cases {
            assert_eq!(record(name, value, with.clone()), expected, "{value} {with}");
        }
    }

    #[test]
    fn what_was_not_checked_keeps_the_leaves_that_are_not_collected() {
        let leaf = |path: &str| json!({ "fact": path, "is": "present" });
        let check = json!({ "all": [leaf("spf.lookups"), leaf("spf.text"), leaf("spf.all"), leaf("spf.valid")] });
        let policy = policy(vec![rule(Target::Domain, json!({ "check": check }))]);
        let with = facts(Target::Domain, json!({}));
        let target = assess_target(&policy, Target::Domain, "example.org", None, with.group(), AS_OF);
        assert_eq!(target.verdicts[0], Some(Verdict::NotChecked));
        assert!(target.details.is_empty());
        assert_eq!(target.not_collected.len(), 4);
    }
}
