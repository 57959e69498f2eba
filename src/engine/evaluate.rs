//! The fast pass: the verdict of one rule on one target, without allocation.
//!
//! What decides where evidence is incomplete:
//!
//! - An unknown fact is unknown under every operator. An absent fact is what the leaf's `if_absent` says, under every
//!   operator but `is`. The same holds for a right side that is another fact.
//! - A list that could not be read makes its quantifier unknown. A list that is proven absent counts as empty, so
//!   `if_none` decides. An element whose `where` is unknown contributes unknown; one whose `where` is not applicable
//!   does not count.
//! - Lists compared as sets are described in `lists.rs`.
//!
//! A comparison that does not fit the types is a defect of the pack; the loader excludes it, and here it becomes
//! `error`, never a panic and never a verdict about the target.

use std::cmp::Ordering;
use std::ops::RangeInclusive;

use super::lists::{self, Many};
use super::truth::{Lack, Truth};
use crate::facts::{Cause, FactView, Group, Node, Observed, View, Words};
use crate::findings::Verdict;
use crate::policy::model::Bound;
use crate::policy::{Check, Condition, Expected, IfNone, Leaf, LeafId, Literal, Operator, Quantifier, Right, Rule};

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;

/// A comparison that the types do not allow.
pub(super) const DEFECT: Truth = Truth::Unknown(Lack::Defect);

/// The start of the assessment date in UTC, as seconds since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsOf(i64);

impl AsOf {
    /// Midnight UTC at the start of a date.
    pub fn date(date: jiff::civil::Date) -> AsOf {
        let days = date.duration_since(jiff::civil::date(1970, 1, 1)).as_secs() / DAY;
        AsOf(days * DAY)
    }

    /// Seconds since 1970-01-01 UTC.
    pub fn seconds(self) -> i64 {
        self.0
    }

    /// Whole days from the date to a time, rounded down; negative when the time has passed.
    pub fn days_until(self, time: i64) -> i64 {
        time.saturating_sub(self.0).div_euclid(DAY)
    }
}

/// What a rule says about a target.
pub fn verdict(rule: &Rule, facts: &dyn Group, as_of: AsOf) -> Verdict {
    // The paths of a rule are positions in the schema of its kind of target and mean nothing in another one.
    let (given, needed) = (facts.schema(), rule.applies_to.schema());
    if !std::ptr::eq(given, needed) && given.name != needed.name {
        return Verdict::Error;
    }
    let evaluator = Evaluator { rule, facts, as_of };
    let Check::Automatic(check) = &rule.check else {
        // A person can tell whether a rule applies where facts do not.
        let excluded = matches!(evaluator.applies(), Truth::Fail | Truth::NotApplicable);
        return if excluded { Verdict::NotApplicable } else { Verdict::Manual };
    };
    match evaluator.applies() {
        Truth::Pass => verdict_of(evaluator.truth(check, None)),
        Truth::Fail | Truth::NotApplicable => Verdict::NotApplicable,
        unknown @ Truth::Unknown(_) => verdict_of(unknown),
    }
}

fn verdict_of(truth: Truth) -> Verdict {
    match truth {
        Truth::Pass => Verdict::Pass,
        Truth::Fail => Verdict::Fail,
        Truth::NotApplicable => Verdict::NotApplicable,
        Truth::Unknown(Lack::NotCollected) => Verdict::NotChecked,
        Truth::Unknown(Lack::Evidence) => Verdict::Unknown,
        Truth::Unknown(Lack::Defect) => Verdict::Error,
    }
}

/// The truth of "could not be determined" for a cause.
#[inline]
pub(super) fn unknown(cause: Cause) -> Truth {
    Truth::Unknown(if cause == Cause::NotCollected { Lack::NotCollected } else { Lack::Evidence })
}

/// One rule on one target.
#[derive(Clone, Copy)]
pub(super) struct Evaluator<'a> {
    pub(super) rule: &'a Rule,
    pub(super) facts: &'a dyn Group,
    pub(super) as_of: AsOf,
}

/// What a quantifier finds before its body is looked at.
pub(super) enum Elements<'a> {
    /// The list could not be read, or is no list.
    Undetermined(Truth),
    /// The elements; none for a list that is proven absent.
    Rows(Option<&'a dyn crate::facts::Rows>),
}

impl<'a> Evaluator<'a> {
    /// Whether the rule applies.
    pub(super) fn applies(&self) -> Truth {
        self.rule.when.as_ref().map_or(Truth::Pass, |when| self.truth(when, None))
    }

    /// The value of a condition; `element` is the element of the enclosing quantifier.
    pub(super) fn truth(&self, condition: &Condition, element: Option<&'a dyn Group>) -> Truth {
        match condition {
            Condition::Leaf(id) => self.leaf(*id, element),
            Condition::All(parts) => {
                let mut all = Truth::NotApplicable;
                for part in parts {
                    all = all.and(self.part(part, element));
                    if all == Truth::Fail {
                        break;
                    }
                }
                all
            }
            Condition::Any(parts) => {
                let mut any = Truth::NotApplicable;
                for part in parts {
                    any = any.or(self.part(part, element));
                    if any == Truth::Pass {
                        break;
                    }
                }
                any
            }
            Condition::Not(part) => self.truth(part, element).negate(),
            Condition::Quantified { quantifier, list, filter, body, if_none } => {
                self.quantified(*quantifier, *list, filter.as_deref(), body, *if_none)
            }
        }
    }

    /// One part of a condition; mostly a leaf, which needs no further call.
    #[inline]
    fn part(&self, part: &Condition, element: Option<&'a dyn Group>) -> Truth {
        match part {
            Condition::Leaf(id) => self.leaf(*id, element),
            other => self.truth(other, element),
        }
    }

    fn quantified(
        &self,
        quantifier: Quantifier,
        list: LeafId,
        filter: Option<&Condition>,
        body: &Condition,
        if_none: IfNone,
    ) -> Truth {
        let rows = match self.elements(list) {
            Elements::Undetermined(truth) => return truth,
            Elements::Rows(None) => return if_none.into(),
            Elements::Rows(Some(rows)) => rows,
        };
        let mut counted = false;
        let mut result = Truth::NotApplicable;
        for index in 0..rows.count() {
            let row = rows.row(index);
            let Some(value) = self.contribution(quantifier, filter, body, row) else { continue };
            counted = true;
            result = match quantifier {
                Quantifier::Every | Quantifier::None => result.and(value),
                Quantifier::Some => result.or(value),
            };
            let decided = if quantifier == Quantifier::Some { Truth::Pass } else { Truth::Fail };
            if result == decided {
                return result;
            }
        }
        if counted { result } else { if_none.into() }
    }

    /// What one element adds to a quantifier; `None` when the element does not count.
    pub(super) fn contribution(
        &self,
        quantifier: Quantifier,
        filter: Option<&Condition>,
        body: &Condition,
        row: &'a dyn Group,
    ) -> Option<Truth> {
        match filter.map_or(Truth::Pass, |filter| self.truth(filter, Some(row))) {
            Truth::Pass => {}
            Truth::Fail | Truth::NotApplicable => return None,
            // The element might have to be checked, so nothing may be concluded as if it did not.
            unknown @ Truth::Unknown(_) => return Some(unknown),
        }
        let value = self.truth(body, Some(row));
        Some(if quantifier == Quantifier::None { value.negate() } else { value })
    }

    /// The elements of a quantifier's list.
    pub(super) fn elements(&self, list: LeafId) -> Elements<'a> {
        let Some(leaf) = self.leaf_of(list) else { return Elements::Undetermined(DEFECT) };
        let elements = visit(self.facts, &leaf.path.steps, |fact| match &fact.observed {
            Observed::Present(View::Rows(rows)) => Elements::Rows(Some(*rows)),
            Observed::Absent(_) => Elements::Rows(None),
            Observed::Unknown(cause) => Elements::Undetermined(unknown(*cause)),
            Observed::Present(_) => Elements::Undetermined(DEFECT),
        });
        elements.unwrap_or(Elements::Undetermined(DEFECT))
    }

    #[inline]
    pub(super) fn leaf_of(&self, id: LeafId) -> Option<&'a Leaf> {
        self.rule.leaves.get(usize::from(id.0))
    }

    /// The fact on the left side of a leaf.
    #[inline]
    pub(super) fn left(&self, leaf: &Leaf, element: Option<&'a dyn Group>) -> Option<FactView<'a>> {
        let base = if leaf.element { element? } else { self.facts };
        read(base, &leaf.path.steps)
    }

    /// The value of one comparison. Out of line, so that walking the tree stays small.
    #[inline(never)]
    pub(super) fn leaf(&self, id: LeafId, element: Option<&'a dyn Group>) -> Truth {
        let Some(leaf) = self.leaf_of(id) else { return DEFECT };
        let base = if leaf.element { element } else { Some(self.facts) };
        let compared = base.and_then(|base| {
            visit(base, &leaf.path.steps, |fact| match (&fact.observed, &leaf.operator) {
                (Observed::Unknown(cause), _) => unknown(*cause),
                (Observed::Absent(_), Operator::Is(expected)) => Truth::of(*expected == Expected::Absent),
                (Observed::Absent(_), _) => leaf.if_absent.into(),
                (Observed::Present(_), Operator::Is(expected)) => Truth::of(*expected == Expected::Present),
                (Observed::Present(view), operator) => self.present(leaf, operator, view, element),
            })
        });
        compared.unwrap_or(DEFECT)
    }

    /// The comparison of a value that is there. The usual ones, with a literal, are decided here.
    #[inline]
    fn present(
        &self,
        leaf: &'a Leaf,
        operator: &'a Operator,
        view: &View<'a>,
        element: Option<&'a dyn Group>,
    ) -> Truth {
        let result = match (view, operator) {
            (View::Rows(_) | View::Values(_), _) => self.compare_list(leaf, *view, element),
            (_, Operator::Equals(Right::Literal(literal))) => return equal(view, literal),
            (_, Operator::In(literals)) => return member(view, literals),
            (_, Operator::AtLeast(Right::Literal(literal))) => return ordered(view, literal, Ordering::is_ge),
            (_, Operator::AtMost(Right::Literal(literal))) => return ordered(view, literal, Ordering::is_le),
            (_, Operator::Between(Right::Literal(low), Right::Literal(high))) => {
                return ordered(view, low, Ordering::is_ge).and(ordered(view, high, Ordering::is_le));
            }
            _ => self.compare(leaf, view, element),
        };
        result.unwrap_or_else(|instead| instead)
    }

    /// A comparison of one value. `Err` is the value of the leaf when the right side decides it.
    #[inline(never)]
    fn compare(&self, leaf: &'a Leaf, left: &View<'a>, element: Option<&'a dyn Group>) -> Result<Truth, Truth> {
        let right = |side: &'a Right| self.right(leaf, side, element);
        Ok(match &leaf.operator {
            Operator::Equals(side) => same(left, &right(side)?),
            Operator::NotEquals(side) => same(left, &right(side)?).negate(),
            Operator::In(literals) => member(left, literals),
            Operator::NotIn(literals) => member(left, literals).negate(),
            Operator::AtLeast(side) => in_order(left, &right(side)?, Ordering::is_ge),
            Operator::AtMost(side) => in_order(left, &right(side)?, Ordering::is_le),
            Operator::Between(low, high) => {
                let (low, high) = self.pair(leaf, low, high, element)?;
                in_order(left, &low, Ordering::is_ge).and(in_order(left, &high, Ordering::is_le))
            }
            Operator::Matches(pattern) => match left {
                View::Text(text) | View::Name(text) => Truth::of(pattern.regex.is_match(text)),
                _ => DEFECT,
            },
            Operator::Contains(side) => match (left, right(side)?) {
                (View::Text(text) | View::Name(text), View::Text(part) | View::Name(part)) => {
                    Truth::of(text.contains(part))
                }
                _ => DEFECT,
            },
            Operator::DaysLeft(bound) => match left {
                View::Time(time) => {
                    let days = self.as_of.days_until(*time);
                    within(&(days..=days), &self.bound(leaf, bound, DAY, element)?)
                }
                _ => DEFECT,
            },
            Operator::OlderThan(side) => match (left, right(side)?) {
                (View::Time(time), View::Duration(age) | View::Int(age)) => {
                    Truth::of(self.as_of.seconds().saturating_sub(*time) > age)
                }
                _ => DEFECT,
            },
            _ => DEFECT,
        })
    }

    /// A comparison of many values.
    #[inline(never)]
    fn compare_list(&self, leaf: &'a Leaf, left: View<'a>, element: Option<&'a dyn Group>) -> Result<Truth, Truth> {
        let item = leaf.path.item.as_deref();
        if let (Operator::Count(bound), View::Rows(rows), None) = (&leaf.operator, left, item) {
            let count = lists::as_number(rows.count());
            return Ok(within(&(count..=count), &self.bound(leaf, bound, 1, element)?));
        }
        let Some(many) = Many::of(left, item) else { return Ok(DEFECT) };
        Ok(match &leaf.operator {
            Operator::Count(bound) => lists::counted(many, &self.bound(leaf, bound, 1, element)?),
            Operator::Distinct(bound) => lists::distinct(many, &self.bound(leaf, bound, 1, element)?),
            Operator::Contains(side) => lists::contains(many, self.right(leaf, side, element)?, leaf.if_absent),
            Operator::SameSetAs(side) => lists::same_set(many, self.right_many(leaf, side, element)?, leaf.if_absent),
            Operator::SubsetOf(side) => lists::subset(many, self.right_many(leaf, side, element)?, leaf.if_absent),
            _ => DEFECT,
        })
    }

    /// The fact on the right side. Inside a quantifier a path that begins with `it.` reads the element.
    pub(super) fn right_fact(&self, path: &crate::facts::Path, element: Option<&'a dyn Group>) -> Option<FactView<'a>> {
        let base = if path.text.starts_with("it.") { element? } else { self.facts };
        read(base, &path.steps)
    }

    /// One value on the right side.
    fn right(&self, leaf: &Leaf, side: &'a Right, element: Option<&'a dyn Group>) -> Result<View<'a>, Truth> {
        match side {
            Right::Literal(literal) => Ok(view_of(literal)),
            Right::Set(_) => Err(DEFECT),
            Right::Fact(path) => match self.right_fact(path, element).map(|fact| fact.observed) {
                Some(Observed::Present(view)) => Ok(view),
                Some(Observed::Absent(_)) => Err(leaf.if_absent.into()),
                Some(Observed::Unknown(cause)) => Err(unknown(cause)),
                None => Err(DEFECT),
            },
        }
    }

    /// Two values on the right side. An absent one decides before an unknown one does.
    fn pair(
        &self,
        leaf: &Leaf,
        low: &'a Right,
        high: &'a Right,
        element: Option<&'a dyn Group>,
    ) -> Result<(View<'a>, View<'a>), Truth> {
        match (self.right(leaf, low, element), self.right(leaf, high, element)) {
            (Ok(low), Ok(high)) => Ok((low, high)),
            (Err(Truth::Unknown(_)), Err(high)) => Err(high),
            (Err(low), _) => Err(low),
            (_, Err(high)) => Err(high),
        }
    }

    /// Many values on the right side.
    pub(super) fn right_many(
        &self,
        leaf: &Leaf,
        side: &'a Right,
        element: Option<&'a dyn Group>,
    ) -> Result<Many<'a>, Truth> {
        match side {
            Right::Literal(literal) => Ok(Many::Literals(std::slice::from_ref(literal))),
            Right::Set(literals) => Ok(Many::Literals(literals)),
            Right::Fact(path) => Many::of(self.right(leaf, side, element)?, path.item.as_deref()).ok_or(DEFECT),
        }
    }

    /// The range of numbers that satisfy a bound. `unit` is what a number counts, in seconds, for durations.
    fn bound(
        &self,
        leaf: &Leaf,
        bound: &'a Bound,
        unit: i64,
        element: Option<&'a dyn Group>,
    ) -> Result<RangeInclusive<i64>, Truth> {
        let number = |side: &'a Right| match self.right(leaf, side, element)? {
            View::Int(number) => Ok(number),
            View::Duration(seconds) => Ok(seconds.div_euclid(unit)),
            _ => Err(DEFECT),
        };
        Ok(match bound {
            Bound::Equals(side) => {
                let exactly = number(side)?;
                exactly..=exactly
            }
            Bound::AtLeast(side) => number(side)?..=i64::MAX,
            Bound::AtMost(side) => i64::MIN..=number(side)?,
            Bound::Between(low, high) => match (number(low), number(high)) {
                (Ok(low), Ok(high)) => low..=high,
                (Err(Truth::Unknown(_)), Err(high)) => return Err(high),
                (Err(low), _) => return Err(low),
                (_, Err(high)) => return Err(high),
            },
        })
    }
}

/// Hands the fact at the end of a path of field positions to `then`. It is lent, not copied: the fast
/// pass spends its time here, and copies of values are what costs most.
#[inline]
fn visit<'a, T>(group: &'a dyn Group, steps: &[u8], then: impl FnOnce(&FactView<'a>) -> T) -> Option<T> {
    let mut group = group;
    for step in steps {
        match &group.node(usize::from(*step)) {
            Node::Group(inner) => group = *inner,
            Node::Fact(fact) => return Some(then(fact)),
        }
    }
    None
}

/// Reads the fact at the end of a path of field positions.
pub(super) fn read<'a>(group: &'a dyn Group, steps: &[u8]) -> Option<FactView<'a>> {
    visit(group, steps, |fact| *fact)
}

/// Hands what was observed to `then`, like [`read`] without copying it.
#[inline]
pub(super) fn observe<'a, T>(
    group: &'a dyn Group,
    steps: &[u8],
    then: impl FnOnce(&Observed<View<'a>>) -> T,
) -> Option<T> {
    visit(group, steps, |fact| then(&fact.observed))
}

/// A literal as a value.
pub(super) fn view_of(literal: &Literal) -> View<'_> {
    match literal {
        Literal::Bool(value) => View::Bool(*value),
        Literal::Int(value) => View::Int(*value),
        Literal::Duration(value) => View::Duration(*value),
        Literal::Time(value) => View::Time(*value),
        Literal::Text(value) => View::Text(value),
        Literal::Name(value) => View::Name(value),
        Literal::Address(value) => View::Address(*value),
        Literal::Word { rank, words } => View::Word { rank: *rank, words },
    }
}

/// The right sides of an operator.
pub(super) fn sides(operator: &Operator) -> [Option<&Right>; 2] {
    match operator {
        Operator::Equals(side)
        | Operator::NotEquals(side)
        | Operator::AtLeast(side)
        | Operator::AtMost(side)
        | Operator::Contains(side)
        | Operator::SameSetAs(side)
        | Operator::SubsetOf(side)
        | Operator::OlderThan(side) => [Some(side), None],
        Operator::Between(low, high) => [Some(low), Some(high)],
        Operator::Count(bound) | Operator::Distinct(bound) | Operator::DaysLeft(bound) => match bound {
            Bound::Equals(side) | Bound::AtLeast(side) | Bound::AtMost(side) => [Some(side), None],
            Bound::Between(low, high) => [Some(low), Some(high)],
        },
        Operator::In(_) | Operator::NotIn(_) | Operator::Matches(_) | Operator::Is(_) | Operator::Elements => {
            [None, None]
        }
    }
}

/// Whether a value equals a literal of its type. Names are canonical, so their bytes decide.
#[inline]
fn equals(left: &View<'_>, right: &Literal) -> Option<bool> {
    Some(match (left, right) {
        (View::Bool(one), Literal::Bool(two)) => one == two,
        (View::Int(one), Literal::Int(two))
        | (View::Duration(one), Literal::Duration(two))
        | (View::Time(one), Literal::Time(two)) => one == two,
        (View::Text(one), Literal::Text(two)) | (View::Name(one), Literal::Name(two)) => **one == **two,
        (View::Address(one), Literal::Address(two)) => one == two,
        (View::Word { rank: one, words: first }, Literal::Word { rank: two, words: second }) => {
            same_word(*one, first, *two, second)
        }
        _ => return None,
    })
}

/// Two closed sets may share a word: `pass` of a qualifier is `pass` of a result.
#[inline]
fn same_word(one: u8, first: &Words, two: u8, second: &Words) -> bool {
    if std::ptr::eq(first, second) {
        one == two
    } else {
        first.words.get(usize::from(one)) == second.words.get(usize::from(two))
    }
}

#[inline]
fn equal(left: &View<'_>, right: &Literal) -> Truth {
    equals(left, right).map_or(DEFECT, Truth::of)
}

#[inline]
fn member(left: &View<'_>, literals: &[Literal]) -> Truth {
    for literal in literals {
        match equals(left, literal) {
            Some(true) => return Truth::Pass,
            Some(false) => {}
            None => return DEFECT,
        }
    }
    Truth::Fail
}

#[inline]
fn ordered(left: &View<'_>, right: &Literal, holds: fn(Ordering) -> bool) -> Truth {
    let order = match (left, right) {
        (View::Int(one), Literal::Int(two))
        | (View::Duration(one), Literal::Duration(two))
        | (View::Time(one), Literal::Time(two)) => one.cmp(two),
        (View::Word { rank: one, words: first }, Literal::Word { rank: two, words: second })
            if first.ordered && first.name == second.name =>
        {
            one.cmp(two)
        }
        _ => return DEFECT,
    };
    Truth::of(holds(order))
}

/// Whether two facts have the same value.
fn same(left: &View<'_>, right: &View<'_>) -> Truth {
    match (lists::Key::of(left), lists::Key::of(right)) {
        (Some(one), Some(two)) if one.type_number() == two.type_number() => Truth::of(one == two),
        _ => DEFECT,
    }
}

/// Whether two facts stand in an order.
fn in_order(left: &View<'_>, right: &View<'_>, holds: fn(Ordering) -> bool) -> Truth {
    match *right {
        View::Int(value) => ordered(left, &Literal::Int(value), holds),
        View::Duration(value) => ordered(left, &Literal::Duration(value), holds),
        View::Time(value) => ordered(left, &Literal::Time(value), holds),
        View::Word { rank, words } => ordered(left, &Literal::Word { rank, words }, holds),
        _ => DEFECT,
    }
}

/// Whether a number, of which only the range is known, lies within a bound.
pub(super) fn within(number: &RangeInclusive<i64>, bound: &RangeInclusive<i64>) -> Truth {
    if bound.contains(number.start()) && bound.contains(number.end()) {
        Truth::Pass
    } else if number.end() < bound.start() || number.start() > bound.end() || bound.is_empty() {
        Truth::Fail
    } else {
        Truth::Unknown(Lack::Evidence)
    }
}

#[cfg(test)]
mod tests;
