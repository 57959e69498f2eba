//! Kleene logic with four values: pass, fail, unknown, and not applicable.
//!
//! "Unknown" stays unknown until another part decides, so a pass is never owed to missing evidence. "Not applicable" is
//! neutral. An unknown keeps what it lacks, so that "this run does not collect it" is told apart from "could not look"
//! without a second walk; that refinement never changes which of the four values results.

use crate::policy::{IfAbsent, IfNone};

/// What an unknown lacks. The greater one prevails when unknowns meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lack {
    /// Only facts that this run does not collect.
    NotCollected,
    /// Evidence that was looked for, or that the rule says is missing.
    Evidence,
    /// A defect of the rule: it compares what cannot be compared.
    Defect,
}

/// Value of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Truth {
    /// The condition holds.
    Pass,
    /// The condition does not hold.
    Fail,
    /// It cannot be told.
    Unknown(Lack),
    /// The condition says nothing about this target.
    NotApplicable,
}

impl Truth {
    /// The value of a comparison that can be made.
    pub fn of(holds: bool) -> Truth {
        if holds { Truth::Pass } else { Truth::Fail }
    }

    /// Both hold. `NotApplicable` is neutral, so it is where a fold starts.
    #[must_use]
    #[inline]
    pub fn and(self, other: Truth) -> Truth {
        match (self, other) {
            (Truth::NotApplicable, other) => other,
            (Truth::Fail, _) => Truth::Fail,
            (Truth::Pass, Truth::NotApplicable) => Truth::Pass,
            (Truth::Pass, other) => other,
            (Truth::Unknown(_), Truth::Fail) => Truth::Fail,
            (Truth::Unknown(one), Truth::Unknown(two)) => Truth::Unknown(one.max(two)),
            (Truth::Unknown(_), Truth::Pass | Truth::NotApplicable) => self,
        }
    }

    /// At least one holds. `NotApplicable` is neutral, so it is where a fold starts.
    #[must_use]
    #[inline]
    pub fn or(self, other: Truth) -> Truth {
        match (self, other) {
            (Truth::NotApplicable, other) => other,
            (Truth::Pass, _) => Truth::Pass,
            (Truth::Fail, Truth::NotApplicable) => Truth::Fail,
            (Truth::Fail, other) => other,
            (Truth::Unknown(_), Truth::Pass) => Truth::Pass,
            (Truth::Unknown(one), Truth::Unknown(two)) => Truth::Unknown(one.max(two)),
            (Truth::Unknown(_), Truth::Fail | Truth::NotApplicable) => self,
        }
    }

    /// The contrary.
    #[must_use]
    #[inline]
    pub fn negate(self) -> Truth {
        match self {
            Truth::Pass => Truth::Fail,
            Truth::Fail => Truth::Pass,
            other => other,
        }
    }

    /// Whether it cannot be told.
    pub fn is_unknown(self) -> bool {
        matches!(self, Truth::Unknown(_))
    }
}

impl From<IfNone> for Truth {
    fn from(if_none: IfNone) -> Truth {
        match if_none {
            IfNone::Pass => Truth::Pass,
            IfNone::Fail => Truth::Fail,
            IfNone::Unknown => Truth::Unknown(Lack::Evidence),
            IfNone::NotApplicable => Truth::NotApplicable,
        }
    }
}

impl From<IfAbsent> for Truth {
    fn from(if_absent: IfAbsent) -> Truth {
        match if_absent {
            IfAbsent::Pass => Truth::Pass,
            IfAbsent::Fail => Truth::Fail,
            IfAbsent::Unknown => Truth::Unknown(Lack::Evidence),
            IfAbsent::NotApplicable => Truth::NotApplicable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Truth = Truth::Pass;
    const F: Truth = Truth::Fail;
    const U: Truth = Truth::Unknown(Lack::Evidence);
    const N: Truth = Truth::NotApplicable;
    const ALL: [Truth; 4] = [P, F, U, N];
    const EVERY: [Truth; 6] = [P, F, U, N, Truth::Unknown(Lack::NotCollected), Truth::Unknown(Lack::Defect)];

    #[test]
    fn the_tables_are_those_of_the_language() {
        let and = [[P, F, U, P], [F, F, F, F], [U, F, U, U], [P, F, U, N]];
        let or = [[P, P, P, P], [P, F, U, F], [P, U, U, U], [P, F, U, N]];
        let not = [F, P, U, N];
        for (row, one) in ALL.into_iter().enumerate() {
            assert_eq!(one.negate(), not[row]);
            for (column, two) in ALL.into_iter().enumerate() {
                assert_eq!(one.and(two), and[row][column], "{one:?} and {two:?}");
                assert_eq!(one.or(two), or[row][column], "{one:?} or {two:?}");
            }
        }
    }

    #[test]
    fn the_laws_of_de_morgan_hold() {
        for one in EVERY {
            for two in EVERY {
                assert_eq!(one.or(two), one.negate().and(two.negate()).negate());
            }
        }
    }

    #[test]
    fn folding_is_commutative_and_associative() {
        for one in EVERY {
            for two in EVERY {
                assert_eq!(one.and(two), two.and(one));
                assert_eq!(one.or(two), two.or(one));
                for three in EVERY {
                    assert_eq!(one.and(two).and(three), one.and(two.and(three)));
                    assert_eq!(one.or(two).or(three), one.or(two.or(three)));
                }
            }
        }
    }

    #[test]
    fn replacing_an_unknown_never_changes_a_decided_value() {
        for other in EVERY {
            for known in [P, F, N] {
                for unknown in EVERY.into_iter().filter(|truth| truth.is_unknown()) {
                    let pairs = [(unknown.and(other), known.and(other)), (unknown.or(other), known.or(other))];
                    for (before, after) in pairs {
                        assert!(before.is_unknown() || before == after, "{unknown:?} {known:?} {other:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_graver_lack_prevails() {
        let collected = Truth::Unknown(Lack::NotCollected);
        assert_eq!(collected.and(U), U);
        assert_eq!(collected.or(collected), collected);
        assert_eq!(U.or(Truth::Unknown(Lack::Defect)), Truth::Unknown(Lack::Defect));
    }
}
