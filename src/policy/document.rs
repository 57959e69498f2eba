//! What people write in packs, with places: names, conditions and right sides as written, before types are checked.
//!
//! [`super::load`] fills these types, `check` turns them into [`super::model`]. They are kept apart because a
//! rule is checked again for every set of parameters: defaults, a profile's, a test's.

use std::collections::BTreeMap;

use super::model::{Expected, Fix, IfAbsent, IfNone, Manual, Quantifier, Reference, RuleTest, Severity};
use crate::diag::Span;
use crate::diag::yaml::{Node, Spanned};
use crate::facts::Target;

/// A pack as written. It has been checked with the defaults of its parameters.
#[derive(Debug, Clone)]
pub struct PackDocument {
    /// Name, in kebab case; the first part of every rule id.
    pub name: Spanned<String>,
    /// Version (semver).
    pub version: Spanned<semver::Version>,
    /// Title.
    pub title: Spanned<String>,
    /// What the pack is about, in one paragraph; empty when not given.
    pub description: String,
    /// Licence expression.
    pub license: Option<String>,
    /// Framework names by identifier.
    pub frameworks: BTreeMap<String, String>,
    /// Parameters by name.
    pub params: BTreeMap<String, Param>,
    /// Ids of rules that were removed, without the pack; they are never used again.
    pub removed: BTreeMap<String, Span>,
    /// Rules, in the order of the files.
    pub rules: Vec<RuleDocument>,
    /// SHA-256 over the pack's files, see [`super::digest`].
    pub sha256: String,
}

impl PackDocument {
    /// The full id of a rule of this pack.
    pub fn full_id(&self, rule: &RuleDocument) -> String {
        format!("{}/{}", self.name.value, rule.id.value)
    }
}

/// A parameter that a profile may set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Name.
    pub name: Spanned<String>,
    /// What it means, in one line.
    pub title: String,
    /// Type and bounds.
    pub kind: ParamKind,
    /// Value where nobody sets it.
    pub default: ParamValue,
}

/// Type and bounds of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParamKind {
    /// A whole number.
    Integer {
        /// Smallest value.
        min: Option<i64>,
        /// Largest value.
        max: Option<i64>,
    },
    /// A length of time in seconds, written `14d`.
    Duration {
        /// Smallest value.
        min: Option<i64>,
        /// Largest value.
        max: Option<i64>,
    },
    /// `true` or `false`.
    Boolean,
    /// Text.
    Text,
    /// One of these words.
    Word {
        /// The words.
        values: Vec<String>,
    },
}

impl ParamKind {
    /// The word for the type in packs.
    pub fn as_str(&self) -> &'static str {
        match self {
            ParamKind::Integer { .. } => "integer",
            ParamKind::Duration { .. } => "duration",
            ParamKind::Boolean => "boolean",
            ParamKind::Text => "text",
            ParamKind::Word { .. } => "word",
        }
    }
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParamValue {
    /// A whole number.
    Integer(i64),
    /// Seconds.
    Duration(i64),
    /// `true` or `false`.
    Boolean(bool),
    /// Text.
    Text(String),
    /// A word.
    Word(String),
}

impl std::fmt::Display for ParamValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ParamValue::Integer(value) => write!(f, "{value}"),
            ParamValue::Duration(seconds) => f.write_str(&super::literal::duration_text(*seconds)),
            ParamValue::Boolean(value) => write!(f, "{value}"),
            ParamValue::Text(text) | ParamValue::Word(text) => f.write_str(text),
        }
    }
}

/// Values of parameters by name; parameters that are not listed have their default.
pub type ParamValues = BTreeMap<String, ParamValue>;

/// A rule as written.
#[derive(Debug, Clone)]
pub struct RuleDocument {
    /// Id without the pack.
    pub id: Spanned<String>,
    /// What is wrong when the rule fails.
    pub title: Spanned<String>,
    /// How much a failure matters.
    pub severity: Severity,
    /// Kind of target.
    pub applies_to: Target,
    /// Applicability.
    pub when: Option<ConditionDocument>,
    /// What is checked.
    pub check: CheckDocument,
    /// What can happen.
    pub why: Spanned<String>,
    /// How to mend it.
    pub fix: Spanned<Fix>,
    /// Where the requirement comes from.
    pub references: Vec<Reference>,
    /// Control identifiers by framework.
    pub maps: BTreeMap<String, Vec<String>>,
    /// Tests.
    pub tests: Vec<RuleTest>,
}

/// What is checked.
#[derive(Debug, Clone)]
pub enum CheckDocument {
    /// A condition on facts.
    Automatic(ConditionDocument),
    /// A question to a person.
    Manual(Manual),
}

/// A condition as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConditionDocument {
    /// Every part holds.
    All(Vec<ConditionDocument>),
    /// At least one part holds.
    Any(Vec<ConditionDocument>),
    /// The part does not hold.
    Not(Box<ConditionDocument>),
    /// A statement about the elements of a list.
    Quantified(Box<QuantifiedDocument>),
    /// A comparison.
    Leaf(LeafDocument),
}

/// A statement about the elements of a list, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuantifiedDocument {
    /// Which statement.
    pub quantifier: Quantifier,
    /// The list.
    pub list: Spanned<String>,
    /// Which elements count.
    pub filter: Option<ConditionDocument>,
    /// What must hold or must not hold.
    pub body: ConditionDocument,
    /// Verdict over nothing.
    pub if_none: Option<Spanned<IfNone>>,
    /// The whole statement.
    pub span: Span,
}

/// A comparison as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafDocument {
    /// The fact.
    pub fact: Spanned<String>,
    /// The operator.
    pub operator: Spanned<OperatorWord>,
    /// Its right side.
    pub right: Node,
    /// Verdict when the fact is absent.
    pub if_absent: Option<Spanned<IfAbsent>>,
    /// The whole comparison.
    pub span: Span,
}

macro_rules! operators {
    ($( $(#[$meta:meta])* $variant:ident = $word:literal ),+ $(,)?) => {
        /// The operators by their words in packs.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum OperatorWord { $( $(#[$meta])* $variant ),+ }

        impl OperatorWord {
            /// Every operator with its word.
            pub const ALL: &'static [(&'static str, OperatorWord)] = &[ $( ($word, OperatorWord::$variant) ),+ ];

            /// The word in packs.
            pub fn as_str(self) -> &'static str {
                match self { $( OperatorWord::$variant => $word ),+ }
            }
        }
    };
}

operators! {
    /// Equal values.
    Equals = "equals",
    /// Different values.
    NotEquals = "not_equals",
    /// One of a list.
    In = "in",
    /// None of a list.
    NotIn = "not_in",
    /// A lower bound.
    AtLeast = "at_least",
    /// An upper bound.
    AtMost = "at_most",
    /// Two bounds.
    Between = "between",
    /// A regular expression for the whole text.
    Matches = "matches",
    /// A part of a text, or a value of a list.
    Contains = "contains",
    /// The same values in any order.
    SameSetAs = "same_set_as",
    /// No other values.
    SubsetOf = "subset_of",
    /// Number of values.
    Count = "count",
    /// Number of different values.
    Distinct = "distinct",
    /// Days until a time.
    DaysLeft = "days_left",
    /// Time since a time.
    OlderThan = "older_than",
    /// Presence.
    Is = "is",
}

/// Words for `if_none`.
pub(super) const IF_NONE: &[(&str, IfNone)] = &[
    ("pass", IfNone::Pass),
    ("fail", IfNone::Fail),
    ("unknown", IfNone::Unknown),
    ("not-applicable", IfNone::NotApplicable),
];

/// Words for `if_absent`.
pub(super) const IF_ABSENT: &[(&str, IfAbsent)] = &[
    ("pass", IfAbsent::Pass),
    ("fail", IfAbsent::Fail),
    ("unknown", IfAbsent::Unknown),
    ("not-applicable", IfAbsent::NotApplicable),
];

/// Words for `is`.
pub(super) const EXPECTED: &[(&str, Expected)] = &[("present", Expected::Present), ("absent", Expected::Absent)];

/// Words for `severity`.
pub(super) const SEVERITIES: &[(&str, Severity)] = &[
    ("critical", Severity::Critical),
    ("high", Severity::High),
    ("medium", Severity::Medium),
    ("low", Severity::Low),
    ("info", Severity::Info),
];
