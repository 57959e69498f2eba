//! Lists compared as sets, when single elements may lack evidence.
//!
//! - `same_set_as` and `subset_of`: each value is looked for on the other side. A value that is not among the known ones
//!   fails when the other side is fully known, and is unknown otherwise. An element whose field is unknown contributes
//!   unknown; one without the field contributes the leaf's `if_absent` on the left, and is no value on the right.
//!   `subset_of` with nothing on the left is `if_absent`: nothing is never good by itself.
//! - `contains`: one element that has the value decides; unknown fields contribute unknown, absent ones `if_absent`.
//! - `count` and `distinct` count values, and an absent field is none. Unknown fields widen the count to a range, and the
//!   bound decides when all or none of the range lies in it.
//!
//! Names compare without regard to case because both sides are canonical; text compares exactly.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::evaluate::{DEFECT, read, unknown, view_of, within};
use super::truth::{Lack, Truth};
use crate::facts::{Observed, Rows, Values, View};
use crate::policy::{IfAbsent, Literal};

/// Up to this many comparisons, two lists are compared pair by pair without allocation.
const PAIRS: usize = 4096;

/// Many values on one side of a comparison.
#[derive(Clone, Copy)]
pub(super) enum Many<'a> {
    /// One field of every element.
    Field(&'a dyn Rows, &'a [u8]),
    /// Plain values.
    Values(&'a dyn Values),
    /// Literals of the rule.
    Literals(&'a [Literal]),
}

/// A value that can be compared, hashed by nobody and sorted where lists are long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key<'a> {
    Bool(bool),
    Number(i64),
    Seconds(i64),
    Time(i64),
    Text(&'a str),
    Name(&'a str),
    Address(IpAddr),
    Word(&'static str),
}

impl<'a> Many<'a> {
    /// The values of a present list; `item` is the field inside its elements.
    pub(super) fn of(list: View<'a>, item: Option<&'a [u8]>) -> Option<Many<'a>> {
        match (list, item) {
            (View::Rows(rows), Some(item)) if !item.is_empty() => Some(Many::Field(rows, item)),
            (View::Values(values), None | Some([])) => Some(Many::Values(values)),
            _ => None,
        }
    }

    pub(super) fn count(self) -> usize {
        match self {
            Many::Field(rows, _) => rows.count(),
            Many::Values(values) => values.count(),
            Many::Literals(literals) => literals.len(),
        }
    }

    /// One value; `None` when the path does not end in a fact.
    pub(super) fn get(self, index: usize) -> Option<Observed<View<'a>>> {
        match self {
            Many::Field(rows, item) => read(rows.row(index), item).map(|fact| fact.observed),
            Many::Values(values) => Some(Observed::Present(values.value(index))),
            Many::Literals(literals) => Some(Observed::Present(view_of(&literals[index]))),
        }
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Slot<'a>> {
        (0..self.count()).map(move |index| match self.get(index) {
            Some(Observed::Present(view)) => Key::of(view).map_or(Slot::Defect, Slot::Value),
            Some(Observed::Absent(_)) => Slot::Nothing,
            Some(Observed::Unknown(cause)) => Slot::Unknown(unknown(cause)),
            None => Slot::Defect,
        })
    }
}

/// What one element holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot<'a> {
    /// A value.
    Value(Key<'a>),
    /// Proven to hold none.
    Nothing,
    /// Not known; the truth says what is lacking.
    Unknown(Truth),
    /// Not a comparable value.
    Defect,
}

impl<'a> Key<'a> {
    pub(super) fn of(view: View<'a>) -> Option<Key<'a>> {
        Some(match view {
            View::Bool(value) => Key::Bool(value),
            View::Int(value) => Key::Number(value),
            View::Duration(value) => Key::Seconds(value),
            View::Time(value) => Key::Time(value),
            View::Text(value) => Key::Text(value),
            View::Name(value) => Key::Name(value),
            View::Address(value) => Key::Address(value),
            View::Word { rank, words } => Key::Word(words.words.get(usize::from(rank))?),
            View::Rows(_) | View::Values(_) => return None,
        })
    }

    fn same_type(self, other: Key<'_>) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

/// A list in which values are looked up: pair by pair when short, sorted when long.
pub(super) struct Lookup<'a> {
    many: Many<'a>,
    sorted: Option<Vec<Key<'a>>>,
    /// What is lacking of this side, if anything: a value that is not found may be there.
    lack: Option<Truth>,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(many: Many<'a>, questions: usize) -> Lookup<'a> {
        let lack = many.iter().fold(None, |lack: Option<Truth>, slot| match slot {
            Slot::Unknown(truth) => Some(lack.map_or(truth, |lack| lack.and(truth))),
            Slot::Defect => Some(DEFECT),
            Slot::Value(_) | Slot::Nothing => lack,
        });
        let sorted = (many.count().saturating_mul(questions) > PAIRS).then(|| sorted_keys(many));
        Lookup { many, sorted, lack }
    }

    /// Whether the value is on this side.
    pub(super) fn has(&self, key: Key<'_>) -> Truth {
        let found = match &self.sorted {
            Some(keys) => keys.binary_search_by(|probe| probe.cmp(&key)).is_ok(),
            None => self.many.iter().any(|slot| slot == Slot::Value(key)),
        };
        if found { Truth::Pass } else { self.lack.unwrap_or(Truth::Fail) }
    }
}

fn sorted_keys(many: Many<'_>) -> Vec<Key<'_>> {
    let mut keys: Vec<Key<'_>> = many
        .iter()
        .filter_map(|slot| match slot {
            Slot::Value(key) => Some(key),
            Slot::Nothing | Slot::Unknown(_) | Slot::Defect => None,
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn first_value(many: Many<'_>) -> Option<Key<'_>> {
    many.iter().find_map(|slot| match slot {
        Slot::Value(key) => Some(key),
        Slot::Nothing | Slot::Unknown(_) | Slot::Defect => None,
    })
}

/// Whether both sides hold the same type; an empty side fits every other one.
fn comparable(left: Many<'_>, right: Many<'_>) -> bool {
    match (first_value(left), first_value(right)) {
        (Some(one), Some(two)) => one.same_type(two),
        _ => true,
    }
}

/// Every value on the left is on the right.
pub(super) fn subset(left: Many<'_>, right: Many<'_>, if_absent: IfAbsent) -> Truth {
    if left.count() == 0 {
        return if_absent.into();
    }
    if !comparable(left, right) {
        return DEFECT;
    }
    included(left, right, if_absent)
}

/// Both sides hold the same values, in any order and number.
pub(super) fn same_set(left: Many<'_>, right: Many<'_>, if_absent: IfAbsent) -> Truth {
    if !comparable(left, right) {
        return DEFECT;
    }
    // An absent field on the right is no value, so it takes nothing away from the other direction.
    Truth::Pass.and(included(left, right, if_absent)).and(included(right, left, IfAbsent::NotApplicable))
}

fn included(values: Many<'_>, among: Many<'_>, if_absent: IfAbsent) -> Truth {
    let lookup = Lookup::new(among, values.count());
    let mut all = Truth::NotApplicable;
    for slot in values.iter() {
        all = all.and(match slot {
            Slot::Value(key) => lookup.has(key),
            Slot::Nothing => if_absent.into(),
            Slot::Unknown(truth) => truth,
            Slot::Defect => DEFECT,
        });
        if all == Truth::Fail {
            break;
        }
    }
    all
}

/// One of the values equals the right side.
pub(super) fn contains(left: Many<'_>, right: View<'_>, if_absent: IfAbsent) -> Truth {
    let Some(wanted) = Key::of(right) else { return DEFECT };
    let mut any = Truth::Fail;
    for slot in left.iter() {
        any = any.or(match slot {
            Slot::Value(key) if key.same_type(wanted) => Truth::of(key == wanted),
            Slot::Value(_) | Slot::Defect => DEFECT,
            Slot::Nothing => if_absent.into(),
            Slot::Unknown(truth) => truth,
        });
        if any == Truth::Pass {
            break;
        }
    }
    any
}

/// The number of values satisfies the bound.
pub(super) fn counted(many: Many<'_>, bound: &RangeInclusive<i64>) -> Truth {
    let (numbers, lack) = count_range(many);
    settle(&numbers, bound, lack)
}

/// The number of different values satisfies the bound.
pub(super) fn distinct(many: Many<'_>, bound: &RangeInclusive<i64>) -> Truth {
    let (numbers, lack) = distinct_range(many);
    settle(&numbers, bound, lack)
}

fn settle(numbers: &RangeInclusive<i64>, bound: &RangeInclusive<i64>, lack: Truth) -> Truth {
    match within(numbers, bound) {
        Truth::Unknown(Lack::Evidence) => lack,
        decided => decided,
    }
}

/// How many values there are at least and at most, and what is lacking to know it exactly.
pub(super) fn count_range(many: Many<'_>) -> (RangeInclusive<i64>, Truth) {
    let (mut known, mut unknown, mut lack) = (0, 0, Truth::NotApplicable);
    for slot in many.iter() {
        match slot {
            Slot::Value(_) => known += 1,
            Slot::Nothing => {}
            Slot::Unknown(truth) => {
                unknown += 1;
                lack = lack.and(truth);
            }
            Slot::Defect => return (0..=i64::MAX, DEFECT),
        }
    }
    (known..=known + unknown, lack)
}

/// How many different values there are at least and at most, and what is lacking to know it exactly.
pub(super) fn distinct_range(many: Many<'_>) -> (RangeInclusive<i64>, Truth) {
    let (numbers, lack) = count_range(many);
    let unknown = numbers.end() - numbers.start();
    let distinct = if many.count().saturating_mul(many.count()) > PAIRS {
        as_number(sorted_keys(many).len())
    } else {
        let repeated = |at: usize, slot: Slot<'_>| many.iter().take(at).any(|earlier| earlier == slot);
        as_number(
            many.iter()
                .enumerate()
                .filter(|(at, slot)| matches!(slot, Slot::Value(_)) && !repeated(*at, *slot))
                .count(),
        )
    };
    (distinct..=distinct.saturating_add(unknown), lack)
}

pub(super) fn as_number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
