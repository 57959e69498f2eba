//! The tracing pass: which leaves explain a verdict.
//!
//! From the root it goes down only into the parts that have the verdict themselves (the contrary below `not` and
//! `none`), and blames the leaves it arrives at. On the way it notes, as `also`, the parts that could not be determined
//! and did not decide. Every value it needs comes from the fast pass, so the two agree by construction.

use std::fmt::Write as _;

use super::evaluate::{AsOf, DEFECT, Elements, Evaluator, read, sides};
use super::lists::{self, Lookup, Many, Room, Slot};
use super::truth::{Lack, Truth};
use crate::diag::Span;
use crate::facts::{Cause, FactView, Group, Kind, Observed, View};
use crate::findings::words::{duration, quote};
use crate::findings::{Blame, BlameValue, Verdict};
use crate::policy::{Check, Condition, Leaf, LeafId, Operator, Quantifier, Right, Rule};

/// Longest printed value, in characters.
const VALUE_LIMIT: usize = 300;

/// Longest printed label of a list element, in characters.
const LABEL_LIMIT: usize = 100;

/// Most leaves in either part of an explanation; the last one then says how many more there are.
const LEAF_LIMIT: usize = 100;

/// Most values of a list that are named beside their number; of longer lists the number must do.
const COUNTED_LIMIT: usize = 5;

/// Most values named in a difference between lists; the rest is counted.
const NAMED_LIMIT: usize = 20;

/// Why a verdict is what it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The smallest set of leaves that explains the verdict.
    pub blame: Vec<Blame>,
    /// Leaves that could not be determined and did not decide the verdict.
    pub also: Vec<Blame>,
}

/// Explains the verdict that the fast pass gave. Nothing is blamed for verdicts about nothing (`not-applicable`,
/// `manual`).
pub fn explain(rule: &Rule, facts: &dyn Group, as_of: AsOf) -> Explanation {
    let Check::Automatic(check) = &rule.check else { return Explanation::default() };
    if facts.schema().name != rule.applies_to.schema().name {
        return Explanation::default();
    }
    let evaluator = Evaluator { rule, facts, as_of };
    let mut tracer = Tracer { evaluator, found: Explanation::default(), beyond: [0, 0] };
    match (evaluator.applies(), &rule.when) {
        (Truth::Pass, _) => {
            let truth = evaluator.truth(check, None);
            if truth != Truth::NotApplicable {
                tracer.walk(check, None, truth, Step { negated: false, part: Part::Blame });
            }
        }
        (unknown @ Truth::Unknown(_), Some(when)) => {
            tracer.walk(when, None, unknown, Step { negated: false, part: Part::Blame });
        }
        _ => {}
    }
    tracer.finish()
}

/// Whether an explanation of this verdict is worth keeping.
pub fn is_explained(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Fail | Verdict::Unknown | Verdict::Error | Verdict::NotChecked)
}

/// Which part of the explanation a leaf goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Blame,
    Also,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    negated: bool,
    part: Part,
}

/// An element of a list and where it stands.
#[derive(Clone, Copy)]
struct Element<'a> {
    row: &'a dyn Group,
    index: usize,
}

struct Tracer<'a> {
    evaluator: Evaluator<'a>,
    found: Explanation,
    beyond: [usize; 2],
}

/// Whether a part with value `part` takes part in the explanation of `whole`.
fn explains(part: Truth, whole: Truth) -> bool {
    match whole {
        Truth::Unknown(Lack::Defect) => part == DEFECT,
        Truth::Unknown(_) => part.is_unknown(),
        decided => part == decided,
    }
}

impl<'a> Tracer<'a> {
    fn walk(&mut self, condition: &'a Condition, element: Option<Element<'a>>, truth: Truth, step: Step) {
        match condition {
            Condition::Leaf(id) => self.blame(*id, element, truth, step),
            Condition::Not(part) => {
                self.walk(part, element, truth.negate(), Step { negated: !step.negated, ..step });
            }
            Condition::All(parts) | Condition::Any(parts) => {
                for part in parts {
                    let value = self.evaluator.truth(part, element.map(|element| element.row));
                    if let Some(step) = onward(value, truth, step) {
                        self.walk(part, element, value, step);
                    }
                }
            }
            Condition::Quantified { quantifier, list, filter, body, .. } => {
                self.quantified(*quantifier, *list, filter.as_deref(), body, truth, step);
            }
        }
    }

    fn quantified(
        &mut self,
        quantifier: Quantifier,
        list: LeafId,
        filter: Option<&'a Condition>,
        body: &'a Condition,
        truth: Truth,
        step: Step,
    ) {
        let evaluator = self.evaluator;
        let Elements::Rows(Some(rows)) = evaluator.elements(list) else {
            return self.blame(list, None, truth, step);
        };
        let mut counted = false;
        for index in 0..rows.count() {
            let row = rows.row(index);
            let element = Some(Element { row, index });
            let Some(value) = evaluator.contribution(quantifier, filter, body, row) else { continue };
            counted = true;
            let Some(step) = onward(value, truth, step) else { continue };
            match filter.map(|filter| (filter, evaluator.truth(filter, Some(row)))) {
                Some((filter, value)) if value.is_unknown() => self.walk(filter, element, value, step),
                _ if quantifier == Quantifier::None => {
                    self.walk(body, element, value.negate(), Step { negated: !step.negated, ..step });
                }
                _ => self.walk(body, element, value, step),
            }
        }
        if !counted {
            self.blame(list, None, truth, step);
        }
    }

    fn blame(&mut self, id: LeafId, element: Option<Element<'a>>, truth: Truth, step: Step) {
        let part = match step.part {
            Part::Blame => &mut self.found.blame,
            Part::Also => &mut self.found.also,
        };
        if part.len() >= LEAF_LIMIT {
            self.beyond[step.part as usize] += 1;
            return;
        }
        let blame = self.evaluator.leaf_of(id).map(|leaf| describe(self.evaluator, leaf, id, element, truth, step));
        match step.part {
            Part::Blame => self.found.blame.extend(blame),
            Part::Also => self.found.also.extend(blame),
        }
    }

    fn finish(mut self) -> Explanation {
        for (part, beyond) in [&mut self.found.blame, &mut self.found.also].into_iter().zip(self.beyond) {
            if let (Some(last), true) = (part.last_mut(), beyond > 0) {
                let more = format!("and {beyond} more like this");
                last.note = Some(join_notes(last.note.as_deref(), Some(&more)).unwrap_or(more).into());
            }
        }
        self.found
    }
}

/// How to go on into a part: with the blame, into `also`, or not at all.
fn onward(value: Truth, whole: Truth, step: Step) -> Option<Step> {
    if explains(value, whole) {
        return Some(step);
    }
    (value.is_unknown() && step.part == Part::Blame).then_some(Step { part: Part::Also, ..step })
}

fn describe(
    evaluator: Evaluator<'_>,
    leaf: &Leaf,
    id: LeafId,
    element: Option<Element<'_>>,
    truth: Truth,
    step: Step,
) -> Blame {
    let row = element.map(|element| element.row);
    let mut blame = Blame {
        leaf: id,
        element: element.filter(|_| leaf.element).map(label),
        observed: BlameValue::Unknown(Cause::NotCollected),
        expected: None,
        negated: step.negated,
        span: None,
        note: None,
    };
    let Some(fact) = evaluator.left(leaf, row) else {
        blame.note = Some("defect of the pack: the path does not lead to a fact".into());
        return blame;
    };
    blame.span = fact.from.span;
    blame.note = fact.from.note.clone();
    let (expected, problem) = right_side(evaluator, leaf, row);
    blame.expected = expected;
    match fact.observed {
        Observed::Unknown(cause) => blame.observed = BlameValue::Unknown(cause),
        Observed::Absent(proof) => blame.observed = BlameValue::Absent(proof),
        Observed::Present(view) => {
            describe_value(evaluator, leaf, fact, view, row, truth, &mut blame);
            if truth == DEFECT {
                blame.note = Some("defect of the pack: the comparison does not fit the type".into());
            } else if let Some(problem) = problem {
                blame.note = join_notes(blame.note.as_deref(), Some(&problem)).map(Into::into);
            }
        }
    }
    blame
}

/// What was observed of a present value, in the terms of the operator.
fn describe_value(
    evaluator: Evaluator<'_>,
    leaf: &Leaf,
    fact: FactView<'_>,
    view: View<'_>,
    row: Option<&dyn Group>,
    truth: Truth,
    blame: &mut Blame,
) {
    blame.observed = BlameValue::Present(printed(view, leaf));
    let many = Many::of(view, leaf.path.item.as_deref());
    match (&leaf.operator, view, many) {
        (Operator::Elements, View::Rows(rows), _) | (Operator::Count(_), View::Rows(rows), None) => {
            blame.observed = BlameValue::Present(rows.count().to_string().into());
        }
        (Operator::Count(_), _, Some(many)) => {
            number(&lists::count_range(many).0, blame);
            counted(many, blame);
        }
        (Operator::Distinct(_), _, Some(many)) => number(&lists::distinct_range(many).0, blame),
        (Operator::DaysLeft(_), View::Time(time), _) => {
            let days = match evaluator.as_of.days_until(time) {
                days @ ..0 => format!("{} days ago", days.saturating_neg()),
                days => format!("{days} days left"),
            };
            blame.note = join_notes(Some(&days), fact.from.note.as_deref()).map(Into::into);
        }
        (Operator::SameSetAs(side), _, Some(many)) => {
            if let Ok(right) = evaluator.right_many(leaf, side, row) {
                differences(many, right, side, true, blame);
            }
        }
        (Operator::SubsetOf(side), _, Some(many)) => {
            if let Ok(right) = evaluator.right_many(leaf, side, row) {
                differences(many, right, side, false, blame);
            }
        }
        _ => {}
    }
    if truth.is_unknown()
        && truth != DEFECT
        && let Some(Many::Field(rows, item)) = many
    {
        undetermined_field(rows, item, blame);
    }
}

/// A comparison of many values that is unknown because of one element's field: that field is what could not be looked at.
fn undetermined_field(rows: &dyn crate::facts::Rows, item: &[u8], blame: &mut Blame) {
    for index in 0..rows.count() {
        let row = rows.row(index);
        let Some(fact) = read(row, item) else { continue };
        if let Observed::Unknown(cause) = fact.observed {
            blame.observed = BlameValue::Unknown(cause);
            blame.span = fact.from.span.or(blame.span);
            let element = format!("in {}", quote(&label(Element { row, index })));
            blame.note = join_notes(Some(&element), fact.from.note.as_deref()).map(Into::into);
            return;
        }
    }
}

/// Names the values that were counted, where they are few.
fn counted(many: Many<'_>, blame: &mut Blame) {
    if (1..=COUNTED_LIMIT).contains(&many.count()) {
        let names = named(many, &(0..many.count()).collect::<Vec<_>>());
        if !names.is_empty() {
            blame.note = join_notes(Some(&names), blame.note.as_deref()).map(Into::into);
        }
    }
}

fn number(range: &std::ops::RangeInclusive<i64>, blame: &mut Blame) {
    let text = if range.start() == range.end() {
        range.start().to_string()
    } else {
        format!("{} to {}", range.start(), range.end())
    };
    blame.observed = BlameValue::Present(text.into());
}

/// Which values are too many and which are missing; the position becomes that of the first one too many.
fn differences(left: Many<'_>, right: Many<'_>, side: &Right, both: bool, blame: &mut Blame) {
    let among = match side {
        Right::Fact(path) => path.title.to_owned(),
        Right::Literal(_) | Right::Set(_) => "the expected values".to_owned(),
    };
    let mut parts = Vec::new();
    let surplus = missing_from(left, right);
    if !surplus.is_empty() {
        parts.push(format!("not in {among}: {}", named(left, &surplus)));
        if let Some(span) = span_of(left, surplus[0]) {
            blame.span = Some(span);
        }
    }
    if both {
        let missing = missing_from(right, left);
        if !missing.is_empty() {
            parts.push(format!("missing: {}", named(right, &missing)));
        }
    }
    if !parts.is_empty() {
        let text = parts.join("; ");
        blame.note = join_notes(Some(&text), blame.note.as_deref()).map(Into::into);
    }
}

/// Positions of the values that are certainly not on the other side.
fn missing_from(values: Many<'_>, among: Many<'_>) -> Vec<usize> {
    let (mut values_room, mut among_room) = (Room::new(), Room::new());
    let (values, among) = (values_room.read(values), among_room.read(among));
    let lookup = Lookup::new(among, values.len());
    let missing = |slot: &Slot<'_>| matches!(slot, Slot::Value(key) if lookup.has(*key) == Truth::Fail);
    values.iter().enumerate().filter(|(_, slot)| missing(slot)).map(|(index, _)| index).collect()
}

fn named(values: Many<'_>, positions: &[usize]) -> String {
    let mut texts: Vec<String> = positions
        .iter()
        .filter_map(|index| values.get(*index))
        .filter_map(|observed| observed.present().map(|view| quote(&capped(view, LABEL_LIMIT))))
        .collect();
    texts.sort();
    texts.dedup();
    let beyond = texts.len().saturating_sub(NAMED_LIMIT);
    texts.truncate(NAMED_LIMIT);
    let mut text = texts.join(", ");
    if beyond > 0 {
        let _ = write!(text, " and {beyond} more");
    }
    text
}

fn span_of(values: Many<'_>, index: usize) -> Option<Span> {
    match values {
        Many::Field(rows, item) => read(rows.row(index), item).and_then(|fact| fact.from.span),
        Many::Values(_) | Many::Literals(_) => None,
    }
}

/// The right side when it is another fact: its value, or what is the matter with it.
fn right_side(evaluator: Evaluator<'_>, leaf: &Leaf, row: Option<&dyn Group>) -> (Option<Box<str>>, Option<String>) {
    let (mut values, mut problem) = (Vec::new(), None);
    for side in sides(&leaf.operator).into_iter().flatten() {
        let Right::Fact(path) = side else { continue };
        let Some(fact) = evaluator.right_fact(path, row) else { continue };
        match fact.observed {
            Observed::Present(view) => values.push(print_many(view, path.item.as_deref())),
            Observed::Absent(_) => problem = Some(format!("no {} to compare with", path.title)),
            Observed::Unknown(cause) => {
                let note = fact.from.note.as_deref().map(|note| format!(": {note}")).unwrap_or_default();
                problem.get_or_insert(format!("{} could not be determined ({cause}{note})", path.title));
            }
        }
    }
    ((!values.is_empty()).then(|| values.join(" and ").into()), problem)
}

/// The label of an element: the field that its schema names, or its position.
fn label(element: Element<'_>) -> Box<str> {
    let schema = element.row.schema();
    let field = schema.fields.iter().position(|field| field.name == schema.label);
    let fact = field.and_then(|index| u8::try_from(index).ok()).and_then(|index| read(element.row, &[index]));
    match fact.map(|fact| fact.observed) {
        Some(Observed::Present(view)) => capped(view, LABEL_LIMIT).into(),
        _ => element.index.to_string().into(),
    }
}

fn printed(view: View<'_>, leaf: &Leaf) -> Box<str> {
    match (view, leaf.path.kind) {
        (View::Duration(seconds), Kind::Duration) => duration(seconds).into(),
        _ => print_many(view, leaf.path.item.as_deref()).into(),
    }
}

/// A value; of `list[].field`, the values of the field.
fn print_many(view: View<'_>, item: Option<&[u8]>) -> String {
    match Many::of(view, item) {
        Some(many @ Many::Field(..)) => capped(Listed(many), VALUE_LIMIT),
        _ => capped(view, VALUE_LIMIT),
    }
}

/// Prints the values of one field of every element.
struct Listed<'a>(Many<'a>);

impl std::fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[")?;
        for index in 0..self.0.count() {
            if index > 0 {
                f.write_str(", ")?;
            }
            match self.0.get(index) {
                Some(Observed::Present(view)) => write!(f, "{view}")?,
                Some(Observed::Absent(_)) => f.write_str("nothing")?,
                Some(Observed::Unknown(cause)) => write!(f, "unknown: {cause}")?,
                None => {}
            }
        }
        f.write_str("]")
    }
}

/// Prints without keeping more than a limit of characters, and says how many bytes were left out.
fn capped(value: impl std::fmt::Display, limit: usize) -> String {
    struct Capped {
        text: String,
        room: usize,
        beyond: usize,
    }
    impl std::fmt::Write for Capped {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            let end = text.char_indices().nth(self.room).map_or(text.len(), |(at, _)| at);
            self.text.push_str(&text[..end]);
            self.room -= text[..end].chars().count();
            self.beyond += text.len() - end;
            Ok(())
        }
    }
    let mut out = Capped { text: String::new(), room: limit, beyond: 0 };
    let _ = write!(out, "{value}");
    if out.beyond > 0 {
        let _ = write!(out.text, "… (+{} bytes)", out.beyond);
    }
    out.text
}

fn join_notes(one: Option<&str>, two: Option<&str>) -> Option<String> {
    match (one, two) {
        (Some(one), Some(two)) => Some(format!("{one}; {two}")),
        (one, two) => one.or(two).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests;
