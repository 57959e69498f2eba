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

use super::evaluate::{DEFECT, observe, read, unknown, view_of, within};
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

    /// What one element holds.
    #[inline]
    fn slot(self, index: usize) -> Slot<'a> {
        match self {
            Many::Field(rows, item) => observe(rows.row(index), item, Slot::of).unwrap_or(Slot::Defect),
            Many::Values(values) => Slot::of_value(&values.value(index)),
            Many::Literals(literals) => Slot::of_value(&view_of(&literals[index])),
        }
    }

    fn iter(self) -> impl Iterator<Item = Slot<'a>> {
        (0..self.count()).map(move |index| self.slot(index))
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
    #[inline]
    pub(super) fn of(view: &View<'a>) -> Option<Key<'a>> {
        Some(match *view {
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

    /// Number of the type; values of different types do not compare.
    pub(super) fn type_number(self) -> u8 {
        match self {
            Key::Bool(_) => 0,
            Key::Number(_) => 1,
            Key::Seconds(_) => 2,
            Key::Time(_) => 3,
            Key::Text(_) => 4,
            Key::Name(_) => 5,
            Key::Address(_) => 6,
            Key::Word(_) => 7,
        }
    }
}

impl<'a> Slot<'a> {
    #[inline]
    fn of(observed: &Observed<View<'a>>) -> Slot<'a> {
        match observed {
            Observed::Present(view) => Slot::of_value(view),
            Observed::Absent(_) => Slot::Nothing,
            Observed::Unknown(cause) => Slot::Unknown(unknown(*cause)),
        }
    }

    #[inline]
    fn of_value(view: &View<'a>) -> Slot<'a> {
        Key::of(view).map_or(Slot::Defect, Slot::Value)
    }

    #[inline]
    fn is_name(&self, text: &str) -> bool {
        matches!(self, Slot::Value(Key::Name(name)) if name.len() == text.len() && *name == text)
    }

    fn value(&self) -> Option<Key<'a>> {
        match self {
            Slot::Value(key) => Some(*key),
            Slot::Nothing | Slot::Unknown(_) | Slot::Defect => None,
        }
    }
}

/// Up to this many values are kept on the stack.
const FEW: usize = 8;

/// Room for the values of a list, read once: on the stack when they are few.
pub(super) struct Room<'a> {
    few: [Slot<'a>; FEW],
    many: Vec<Slot<'a>>,
}

impl<'a> Room<'a> {
    #[inline]
    pub(super) fn new() -> Room<'a> {
        Room { few: [Slot::Nothing; FEW], many: Vec::new() }
    }

    /// Reads all values.
    #[inline]
    pub(super) fn read(&mut self, values: Many<'a>) -> &[Slot<'a>] {
        let count = values.count();
        if let Some(few) = self.few.get_mut(..count) {
            match values {
                Many::Values(values) => {
                    for (index, slot) in few.iter_mut().enumerate() {
                        *slot = Slot::of_value(&values.value(index));
                    }
                }
                values => {
                    for (index, slot) in few.iter_mut().enumerate() {
                        *slot = values.slot(index);
                    }
                }
            }
            few
        } else {
            self.many.extend((0..count).map(|index| values.slot(index)));
            &self.many
        }
    }
}

/// A list in which values are looked up: one by one when short, sorted when long.
pub(super) struct Lookup<'s, 'a> {
    slots: &'s [Slot<'a>],
    sorted: Vec<Key<'a>>,
    /// What a value is that is not found: failed, or unknown where something of this side is lacking.
    otherwise: Truth,
}

impl<'s, 'a> Lookup<'s, 'a> {
    pub(super) fn new(slots: &'s [Slot<'a>], questions: usize) -> Lookup<'s, 'a> {
        let mut otherwise = Truth::NotApplicable;
        for slot in slots {
            match slot {
                Slot::Unknown(truth) => otherwise = otherwise.and(*truth),
                Slot::Defect => otherwise = DEFECT,
                Slot::Value(_) | Slot::Nothing => {}
            }
        }
        if otherwise == Truth::NotApplicable {
            otherwise = Truth::Fail;
        }
        let is_long = slots.len().saturating_mul(questions) > PAIRS;
        Lookup { slots, sorted: if is_long { sorted_keys(slots) } else { Vec::new() }, otherwise }
    }

    /// Whether the value is on this side.
    #[inline]
    pub(super) fn has(&self, key: Key<'_>) -> Truth {
        let found = if self.sorted.is_empty() {
            match key {
                // Names are most of what is compared; both sides have one type.
                Key::Name(text) => self.slots.iter().any(|slot| slot.is_name(text)),
                key => self.slots.contains(&Slot::Value(key)),
            }
        } else {
            self.sorted.binary_search_by(|probe| probe.cmp(&key)).is_ok()
        };
        if found { Truth::Pass } else { self.otherwise }
    }
}

fn sorted_keys<'a>(slots: &[Slot<'a>]) -> Vec<Key<'a>> {
    let mut keys: Vec<Key<'a>> = slots.iter().filter_map(|slot| slot.value()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Whether both sides hold the same type; an empty side fits every other one.
fn comparable(left: &[Slot<'_>], right: &[Slot<'_>]) -> bool {
    let first = |slots: &[Slot<'_>]| slots.iter().find_map(Slot::value).map(|key| key.type_number());
    match (first(left), first(right)) {
        (Some(one), Some(two)) => one == two,
        _ => true,
    }
}

/// Every value on the left is on the right.
pub(super) fn subset(left: Many<'_>, right: Many<'_>, if_absent: IfAbsent) -> Truth {
    if left.count() == 0 {
        return if_absent.into();
    }
    let (mut left_room, mut right_room) = (Room::new(), Room::new());
    let (left, right) = (left_room.read(left), right_room.read(right));
    if comparable(left, right) { included(left, right, if_absent) } else { DEFECT }
}

/// Both sides hold the same values, in any order and number.
pub(super) fn same_set(left: Many<'_>, right: Many<'_>, if_absent: IfAbsent) -> Truth {
    let (mut left_room, mut right_room) = (Room::new(), Room::new());
    let (left, right) = (left_room.read(left), right_room.read(right));
    if !comparable(left, right) {
        return DEFECT;
    }
    if same_values(left, right) {
        return Truth::Pass;
    }
    match included(left, right, if_absent) {
        Truth::Fail => Truth::Fail,
        // An absent field on the right is no value, so it takes nothing away from the other direction.
        truth => Truth::Pass.and(truth).and(included(right, left, IfAbsent::NotApplicable)),
    }
}

/// Whether two short lists certainly hold the same values, the usual case, found in one direction: every value on the left
/// is on the right, and together they meet every position there.
fn same_values(left: &[Slot<'_>], right: &[Slot<'_>]) -> bool {
    if left.is_empty() || left.len() > FEW || right.len() > FEW {
        return false;
    }
    let mut met = 0u32;
    for slot in left {
        let Slot::Value(key) = slot else { return false };
        let position = match key {
            Key::Name(name) => right.iter().position(|other| other.is_name(name)),
            _ => right.iter().position(|other| other == slot),
        };
        let Some(position) = position else { return false };
        met |= 1 << position;
    }
    met.count_ones() as usize == right.len()
}

fn included(values: &[Slot<'_>], among: &[Slot<'_>], if_absent: IfAbsent) -> Truth {
    let lookup = Lookup::new(among, values.len());
    let mut all = Truth::NotApplicable;
    for slot in values {
        all = all.and(match slot {
            Slot::Value(key) => lookup.has(*key),
            Slot::Nothing => if_absent.into(),
            Slot::Unknown(truth) => *truth,
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
    let Some(wanted) = Key::of(&right) else { return DEFECT };
    let mut any = Truth::Fail;
    for slot in left.iter() {
        any = any.or(match slot {
            Slot::Value(key) if key.type_number() == wanted.type_number() => Truth::of(key == wanted),
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
    let unknown = numbers.end().saturating_sub(*numbers.start());
    let mut room = Room::new();
    let slots = room.read(many);
    let distinct = if slots.len().saturating_mul(slots.len()) > PAIRS {
        sorted_keys(slots).len()
    } else {
        let is_first = |at: usize| matches!(slots[at], Slot::Value(_)) && !slots[..at].contains(&slots[at]);
        (0..slots.len()).filter(|at| is_first(*at)).count()
    };
    let distinct = as_number(distinct);
    (distinct..=distinct.saturating_add(unknown), lack)
}

pub(super) fn as_number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
