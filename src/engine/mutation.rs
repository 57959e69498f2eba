//! Small wrong changes to a rule. A change that no test of the rule notices points at a case that is not tested.
//!
//! Only changes that a test can be expected to notice are made: the default `if_absent` is left alone, as is a bound that
//! would leave its closed set of words. A bound on a length of time moves by the unit it is written in.

use crate::findings::words::{duration, literal, quote};
use crate::policy::model::Bound;
use crate::policy::{Check, Condition, IfAbsent, IfNone, Leaf, LeafId, Literal, Operator, Quantifier, Right, Rule};

/// One wrong change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutation {
    /// What was changed, for people.
    pub text: String,
    edit: Edit,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Edit {
    DropWhen,
    /// A change of the node at this position of a walk through `when` and `check`.
    Node(usize, NodeEdit),
    Leaf(LeafId, LeafEdit),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NodeEdit {
    Negate,
    SwapAllAny,
    SwapQuantifier,
    DropWhere,
    IfNone(IfNone),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum LeafEdit {
    /// Move the right side at this position.
    Move(usize, i64),
    /// Leave out a member of a set.
    Remove(usize),
    Replace(usize, Literal),
    IfAbsent(IfAbsent),
}

/// All wrong changes to a rule.
pub fn mutations(rule: &Rule) -> Vec<Mutation> {
    let mut found = Vec::new();
    if rule.when.is_some() {
        found.push(Mutation { text: "`when` is dropped".to_owned(), edit: Edit::DropWhen });
    }
    let mut position = 0;
    for condition in conditions(rule) {
        nodes(rule, condition, &mut position, &mut found);
    }
    for (id, leaf) in (0u16..).zip(&rule.leaves) {
        leaf_mutations(LeafId(id), leaf, &mut found);
    }
    found
}

impl Mutation {
    /// The changed rule; `None` when the change does not fit, for example because a parameter moved a bound to its limit.
    pub fn apply(&self, rule: &Rule) -> Option<Rule> {
        let mut changed = rule.clone();
        match &self.edit {
            Edit::DropWhen => changed.when = None,
            Edit::Node(position, edit) => {
                let mut at = 0;
                let Check::Automatic(check) = &mut changed.check else { return None };
                let done = changed.when.as_mut().is_some_and(|when| edit_node(when, *position, *edit, &mut at))
                    || edit_node(check, *position, *edit, &mut at);
                done.then_some(())?;
            }
            Edit::Leaf(id, edit) => edit_leaf(changed.leaves.get_mut(usize::from(id.0))?, edit)?,
        }
        Some(changed)
    }
}

fn conditions(rule: &Rule) -> impl Iterator<Item = &Condition> {
    let check = match &rule.check {
        Check::Automatic(check) => Some(check),
        Check::Manual(_) => None,
    };
    rule.when.iter().chain(check)
}

fn nodes(rule: &Rule, condition: &Condition, position: &mut usize, found: &mut Vec<Mutation>) {
    let at = *position;
    *position += 1;
    let mut add = |text: String, edit: NodeEdit| found.push(Mutation { text, edit: Edit::Node(at, edit) });
    match condition {
        Condition::Leaf(id) => {
            if let Some(leaf) = rule.leaves.get(usize::from(id.0)) {
                add(format!("the comparison of {} is negated", quote(&leaf.path.text)), NodeEdit::Negate);
            }
        }
        Condition::Not(part) => nodes(rule, part, position, found),
        Condition::All(parts) | Condition::Any(parts) => {
            if parts.len() > 1 {
                let text = match condition {
                    Condition::All(_) => "`all` becomes `any`",
                    _ => "`any` becomes `all`",
                };
                add(text.to_owned(), NodeEdit::SwapAllAny);
            }
            for part in parts {
                nodes(rule, part, position, found);
            }
        }
        Condition::Quantified { quantifier, list, filter, body, if_none } => {
            let list = rule.leaves.get(usize::from(list.0)).map_or("", |leaf| &leaf.path.text);
            let (from, to) = match quantifier {
                Quantifier::Every => ("every", "some"),
                Quantifier::Some => ("some", "every"),
                Quantifier::None => ("none", "not every"),
            };
            add(format!("`{from}: {list}` becomes `{to}`"), NodeEdit::SwapQuantifier);
            let other = opposite(*if_none);
            add(format!("`if_none` of {} changes", quote(list)), NodeEdit::IfNone(other));
            if filter.is_some() {
                add(format!("`where` of {} is dropped", quote(list)), NodeEdit::DropWhere);
            }
            for part in filter.iter().chain([body]) {
                nodes(rule, part, position, found);
            }
        }
    }
}

fn opposite(if_none: IfNone) -> IfNone {
    match if_none {
        IfNone::Fail | IfNone::Unknown => IfNone::Pass,
        IfNone::Pass | IfNone::NotApplicable => IfNone::Fail,
    }
}

/// Changes the node at a position of the walk; says whether it was found.
fn edit_node(condition: &mut Condition, position: usize, edit: NodeEdit, at: &mut usize) -> bool {
    let here = *at;
    *at += 1;
    if here == position {
        apply_node(condition, edit);
        return true;
    }
    match condition {
        Condition::Leaf(_) => false,
        Condition::Not(part) => edit_node(part, position, edit, at),
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter_mut().any(|part| edit_node(part, position, edit, at))
        }
        Condition::Quantified { filter, body, .. } => {
            filter.as_mut().is_some_and(|filter| edit_node(filter, position, edit, at))
                || edit_node(body, position, edit, at)
        }
    }
}

fn apply_node(condition: &mut Condition, edit: NodeEdit) {
    let old = std::mem::replace(condition, Condition::All(Vec::new()));
    *condition = match (old, edit) {
        (Condition::All(parts), NodeEdit::SwapAllAny) => Condition::Any(parts),
        (Condition::Any(parts), NodeEdit::SwapAllAny) => Condition::All(parts),
        (Condition::Quantified { quantifier, list, filter, body, if_none }, edit) => {
            quantified(quantifier, list, filter, body, if_none, edit)
        }
        (other, _) => Condition::Not(Box::new(other)),
    };
}

fn quantified(
    quantifier: Quantifier,
    list: LeafId,
    filter: Option<Box<Condition>>,
    body: Box<Condition>,
    if_none: IfNone,
    edit: NodeEdit,
) -> Condition {
    match (edit, quantifier) {
        (NodeEdit::SwapQuantifier, Quantifier::Every) => {
            Condition::Quantified { quantifier: Quantifier::Some, list, filter, body, if_none }
        }
        (NodeEdit::SwapQuantifier, Quantifier::Some) => {
            Condition::Quantified { quantifier: Quantifier::Every, list, filter, body, if_none }
        }
        (NodeEdit::SwapQuantifier, Quantifier::None) => {
            let body = Box::new(Condition::Not(body));
            Condition::Quantified { quantifier: Quantifier::Some, list, filter, body, if_none }
        }
        (NodeEdit::DropWhere, _) => Condition::Quantified { quantifier, list, filter: None, body, if_none },
        (NodeEdit::IfNone(if_none), _) => Condition::Quantified { quantifier, list, filter, body, if_none },
        (NodeEdit::Negate | NodeEdit::SwapAllAny, _) => {
            Condition::Not(Box::new(Condition::Quantified { quantifier, list, filter, body, if_none }))
        }
    }
}

fn leaf_mutations(id: LeafId, leaf: &Leaf, found: &mut Vec<Mutation>) {
    let path = quote(&leaf.path.text);
    let mut add = |text: String, edit: LeafEdit| found.push(Mutation { text, edit: Edit::Leaf(id, edit) });
    if leaf.if_absent != IfAbsent::Fail && !matches!(leaf.operator, Operator::Is(_) | Operator::Elements) {
        add(format!("`if_absent` of {path} becomes `fail`"), LeafEdit::IfAbsent(IfAbsent::Fail));
    }
    for (side, value) in bounds(&leaf.operator).into_iter().enumerate() {
        let Some(value) = value else { continue };
        for direction in [-1, 1] {
            if let Some(moved) = moved(value, direction, leaf) {
                let text = format!("the bound of {path} moves from `{}` to `{}`", shown(value), shown(&moved));
                add(text, LeafEdit::Move(side, direction));
            }
        }
    }
    for (index, member) in members(&leaf.operator).iter().enumerate() {
        if members(&leaf.operator).len() > 1 {
            add(format!("{path} loses its member `{}`", shown(member)), LeafEdit::Remove(index));
        } else if let Some(other) = another(member) {
            let text = format!("{path} compares with `{}` instead of `{}`", shown(&other), shown(member));
            add(text, LeafEdit::Replace(index, other));
        }
    }
}

fn shown(value: &Literal) -> String {
    match value {
        Literal::Duration(seconds) => duration(*seconds),
        other => literal(other),
    }
}

/// The literals on the right side that are bounds.
fn bounds(operator: &Operator) -> [Option<&Literal>; 2] {
    fn value(side: &Right) -> Option<&Literal> {
        match side {
            Right::Literal(value) => Some(value),
            Right::Set(_) | Right::Fact(_) => None,
        }
    }
    match operator {
        Operator::AtLeast(side) | Operator::AtMost(side) | Operator::OlderThan(side) => [value(side), None],
        Operator::Between(low, high) => [value(low), value(high)],
        Operator::Count(bound) | Operator::Distinct(bound) | Operator::DaysLeft(bound) => match bound {
            Bound::Equals(side) | Bound::AtLeast(side) | Bound::AtMost(side) => [value(side), None],
            Bound::Between(low, high) => [value(low), value(high)],
        },
        _ => [None, None],
    }
}

fn bounds_mut(operator: &mut Operator) -> [Option<&mut Literal>; 2] {
    fn value(side: &mut Right) -> Option<&mut Literal> {
        match side {
            Right::Literal(value) => Some(value),
            Right::Set(_) | Right::Fact(_) => None,
        }
    }
    match operator {
        Operator::AtLeast(side) | Operator::AtMost(side) | Operator::OlderThan(side) => [value(side), None],
        Operator::Between(low, high) => [value(low), value(high)],
        Operator::Count(bound) | Operator::Distinct(bound) | Operator::DaysLeft(bound) => match bound {
            Bound::Equals(side) | Bound::AtLeast(side) | Bound::AtMost(side) => [value(side), None],
            Bound::Between(low, high) => [value(low), value(high)],
        },
        _ => [None, None],
    }
}

/// A bound moved by one step; `None` where that changes nothing.
fn moved(value: &Literal, direction: i64, leaf: &Leaf) -> Option<Literal> {
    let is_count = matches!(leaf.operator, Operator::Count(_) | Operator::Distinct(_));
    Some(match value {
        // No list has fewer than zero elements, so a bound of at least zero says as much as one of at least minus one.
        Literal::Int(0) if is_count && direction < 0 && !matches!(upper(&leaf.operator), Some(true)) => return None,
        Literal::Int(number) => Literal::Int(number.checked_add(direction)?),
        Literal::Duration(seconds) => {
            let unit = [86_400, 3_600, 60].into_iter().find(|unit| *seconds != 0 && seconds % unit == 0).unwrap_or(1);
            Literal::Duration(seconds.checked_add(direction * unit)?)
        }
        Literal::Time(seconds) => Literal::Time(seconds.checked_add(direction * 86_400)?),
        Literal::Word { rank, words } => {
            let rank = u8::try_from(i64::from(*rank) + direction).ok()?;
            (usize::from(rank) < words.words.len()).then_some(())?;
            Literal::Word { rank, words }
        }
        Literal::Bool(_) | Literal::Text(_) | Literal::Name(_) | Literal::Address(_) => return None,
    })
}

/// Whether a count has an upper bound.
fn upper(operator: &Operator) -> Option<bool> {
    match operator {
        Operator::Count(bound) | Operator::Distinct(bound) => Some(!matches!(bound, Bound::AtLeast(_))),
        _ => None,
    }
}

fn members(operator: &Operator) -> &[Literal] {
    match operator {
        Operator::In(set) | Operator::NotIn(set) => set,
        Operator::SameSetAs(Right::Set(set)) | Operator::SubsetOf(Right::Set(set)) => set,
        Operator::Equals(Right::Literal(value @ Literal::Word { .. }))
        | Operator::NotEquals(Right::Literal(value @ Literal::Word { .. })) => std::slice::from_ref(value),
        _ => &[],
    }
}

/// Another value of the same closed set.
fn another(value: &Literal) -> Option<Literal> {
    match value {
        Literal::Word { rank, words } if words.words.len() > 1 => {
            let rank = (usize::from(*rank) + 1) % words.words.len();
            Some(Literal::Word { rank: u8::try_from(rank).ok()?, words })
        }
        Literal::Int(number) => Some(Literal::Int(number.checked_add(1)?)),
        _ => None,
    }
}

fn edit_leaf(leaf: &mut Leaf, edit: &LeafEdit) -> Option<()> {
    match edit {
        LeafEdit::IfAbsent(if_absent) => leaf.if_absent = *if_absent,
        LeafEdit::Move(side, direction) => {
            let value = moved(bounds(&leaf.operator).get(*side).copied().flatten()?, *direction, leaf)?;
            let [low, high] = bounds_mut(&mut leaf.operator);
            *(if *side == 0 { low } else { high })? = value;
        }
        LeafEdit::Remove(index) => match &mut leaf.operator {
            Operator::In(set)
            | Operator::NotIn(set)
            | Operator::SameSetAs(Right::Set(set))
            | Operator::SubsetOf(Right::Set(set)) => {
                (*index < set.len()).then(|| set.remove(*index))?;
            }
            _ => return None,
        },
        LeafEdit::Replace(index, literal) => match &mut leaf.operator {
            Operator::In(set)
            | Operator::NotIn(set)
            | Operator::SameSetAs(Right::Set(set))
            | Operator::SubsetOf(Right::Set(set)) => *set.get_mut(*index)? = literal.clone(),
            Operator::Equals(Right::Literal(value)) | Operator::NotEquals(Right::Literal(value)) => {
                *value = literal.clone();
            }
            _ => return None,
        },
    }
    Some(())
}
