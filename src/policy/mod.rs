//! Packs, profiles, waivers and answers as data: load them, check them against the fact catalogue, select rules.
//!
//! Everything is checked at load time: an unknown path, a wrong type, a value outside an enum, an operator that does not
//! fit are errors with file, line, snippet and suggestion. Nothing is evaluated here.

mod aim;
pub mod answers;
mod check;
pub mod docs;
pub mod document;
pub mod embedded;
mod fixtures;
pub mod lint;
pub mod literal;
pub mod load;
pub mod model;
pub mod profile;
mod read;
mod rules;
pub mod waivers;

pub use answers::{AnswersFile, LoadedAnswers, Shown, load_answers};
pub use docs::{pack_index, packs_index, rule_explanation, rule_page};
pub use document::{PackDocument, Param, ParamKind, ParamValue, ParamValues, RuleDocument};
pub use embedded::{embedded_packs, embedded_profile};
pub use lint::lint;
pub use load::{digest, param_from_text, parse_pack, resolve, resolve_for_test};

pub use model::{
    Answer, AnswerEvidence, AnswerWord, Bound, BrokenAnswer, Check, Condition, Expected, Fix, IfAbsent, IfNone, Leaf,
    LeafId, Literal, Manual, NotSelected, Operator, Pack, PackRef, Pattern, Policy, Quantifier, RecordFix, Reference,
    Right, Rule, RuleIndex, RuleTest, Severity, TestExpect, UsedParam, Waiver,
};
pub use profile::{ProfileDocument, Selection, build_policy, load_profile};
pub use waivers::{LoadedWaivers, MAX_WAIVER_DAYS, load_waivers};
