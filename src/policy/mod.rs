//! Packs, profiles, waivers and answers as data: load them, check them against the fact catalogue, select rules.
//!
//! Everything is checked at load time: an unknown path, a wrong type, a value outside an enum, an operator that does not
//! fit are errors with file, line, snippet and suggestion. Nothing is evaluated here.

pub mod model;

pub use model::{
    Check, Condition, Expected, Fix, IfAbsent, IfNone, Leaf, LeafId, Literal, Manual, NotSelected, Operator, Pack,
    PackRef, Policy, Quantifier, RecordFix, Reference, Right, Rule, RuleIndex, RuleTest, Severity, TestExpect, Waiver,
};
