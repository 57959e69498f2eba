//! Types and values of facts, and how rules read them without allocation: a path such as `dns.mx[].host` is resolved once
//! into field indices, and reading it is one indirect call per step.

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::model::{Fact, Observed, Provenance};
use crate::mail::Name;

/// The words an enum fact may have.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// Name of the Rust enum.
    pub name: &'static str,
    /// Its documentation.
    pub doc: &'static str,
    /// Whether `at_least`, `at_most` and `between` make sense.
    pub ordered: bool,
    /// The words; the position of a word is its rank.
    pub words: &'static [&'static str],
    /// Documentation of each word.
    pub docs: &'static [&'static str],
}

/// The type of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// A length of time in seconds; written `14d`, `2h` or as a number of seconds.
    Duration,
    /// A point in time or a date, kept as seconds since 1970-01-01 UTC.
    Time,
    /// Text, compared exactly.
    Text,
    /// A domain name, compared without regard to case and final dot.
    Name,
    /// An IP address.
    Address,
    /// One of a closed set of words.
    Word(&'static Words),
    /// A list of elements that have facts of their own.
    List(&'static GroupSchema),
    /// A list of plain values.
    ListOf(&'static Kind),
}

/// A borrowed value of a fact.
#[derive(Clone, Copy)]
pub enum View<'a> {
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Seconds.
    Duration(i64),
    /// Seconds since 1970-01-01 UTC.
    Time(i64),
    /// Text.
    Text(&'a str),
    /// A canonical domain name.
    Name(&'a str),
    /// An IP address.
    Address(IpAddr),
    /// A word of a closed set, by its position.
    Word {
        /// Position in `words`.
        rank: u8,
        /// The closed set.
        words: &'static Words,
    },
    /// A list of elements.
    Rows(&'a dyn Rows),
    /// A list of plain values.
    Values(&'a dyn Values),
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The value as it is written in YAML and reports; text is not escaped for any sink.
impl fmt::Display for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            View::Bool(value) => write!(f, "{value}"),
            View::Int(value) | View::Duration(value) => write!(f, "{value}"),
            View::Time(value) => match jiff::Timestamp::from_second(*value) {
                Ok(time) => write!(f, "{time}"),
                Err(_) => write!(f, "{value}"),
            },
            View::Text(value) | View::Name(value) => f.write_str(value),
            View::Address(value) => write!(f, "{value}"),
            View::Word { rank, words } => f.write_str(words.words[*rank as usize]),
            View::Rows(rows) => write!(f, "{} elements", rows.count()),
            View::Values(values) => {
                f.write_str("[")?;
                for index in 0..values.count() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{}", values.value(index))?;
                }
                f.write_str("]")
            }
        }
    }
}

/// A Rust type that can be the value of a fact.
pub trait FactValue: DeserializeOwned {
    /// Its type in the rule language.
    const KIND: Kind;
    /// Borrows the value.
    fn view(&self) -> View<'_>;
}

impl FactValue for bool {
    const KIND: Kind = Kind::Bool;
    fn view(&self) -> View<'_> {
        View::Bool(*self)
    }
}

impl FactValue for i64 {
    const KIND: Kind = Kind::Int;
    fn view(&self) -> View<'_> {
        View::Int(*self)
    }
}

impl FactValue for String {
    const KIND: Kind = Kind::Text;
    fn view(&self) -> View<'_> {
        View::Text(self)
    }
}

impl FactValue for Name {
    const KIND: Kind = Kind::Name;
    fn view(&self) -> View<'_> {
        View::Name(self.as_str())
    }
}

impl FactValue for IpAddr {
    const KIND: Kind = Kind::Address;
    fn view(&self) -> View<'_> {
        View::Address(*self)
    }
}

/// A length of time in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Seconds(pub i64);

impl FactValue for Seconds {
    const KIND: Kind = Kind::Duration;
    fn view(&self) -> View<'_> {
        View::Duration(self.0)
    }
}

/// A point in time, as seconds since 1970-01-01 UTC. Written in JSON and YAML as an RFC 3339 time or a date (midnight UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl FactValue for Time {
    const KIND: Kind = Kind::Time;
    fn view(&self) -> View<'_> {
        View::Time(self.0)
    }
}

impl Time {
    /// Reads an RFC 3339 time, or a date, which means midnight UTC at its start.
    pub fn parse(text: &str) -> Option<Time> {
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Some(Time(time.as_second()));
        }
        let date: jiff::civil::Date = text.parse().ok()?;
        Some(Time(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second()))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&View::Time(self.0))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Time::parse(&text).ok_or_else(|| serde::de::Error::custom("expected a date or an RFC 3339 time"))
    }
}

impl JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "An RFC 3339 time, or a date (midnight UTC)." })
    }
}

/// Elements of a list fact.
pub trait Rows {
    /// How many there are.
    fn count(&self) -> usize;
    /// One element.
    fn row(&self, index: usize) -> &dyn Group;
}

/// Plain values of a list fact.
pub trait Values {
    /// How many there are.
    fn count(&self) -> usize;
    /// One value.
    fn value(&self, index: usize) -> View<'_>;
}

/// A list of elements. A type of its own, so that lists of elements and lists of plain values do not overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct List<T>(pub Vec<T>);

impl<T: JsonSchema> JsonSchema for List<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("{}List", T::schema_name()).into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Vec::<T>::json_schema(generator)
    }
}

impl<T: Group> Rows for List<T> {
    fn count(&self) -> usize {
        self.0.len()
    }
    fn row(&self, index: usize) -> &dyn Group {
        &self.0[index]
    }
}

impl<T: Group + Schema + DeserializeOwned> FactValue for List<T> {
    const KIND: Kind = Kind::List(T::SCHEMA);
    fn view(&self) -> View<'_> {
        View::Rows(self)
    }
}

impl<T: FactValue> Values for Vec<T> {
    fn count(&self) -> usize {
        self.len()
    }
    fn value(&self, index: usize) -> View<'_> {
        self[index].view()
    }
}

impl<T: FactValue> FactValue for Vec<T> {
    const KIND: Kind = Kind::ListOf(&T::KIND);
    fn view(&self) -> View<'_> {
        View::Values(self)
    }
}

/// What is known of a group of facts without an instance: names, titles, documentation, types.
#[derive(Debug, PartialEq, Eq)]
pub struct GroupSchema {
    /// Name of the Rust struct.
    pub name: &'static str,
    /// Its documentation.
    pub doc: &'static str,
    /// For elements of lists: the field that names an element in explanations; empty otherwise.
    pub label: &'static str,
    /// The fields, in order; a field's position is its index in paths.
    pub fields: &'static [FieldSchema],
}

/// One field of a group.
#[derive(Debug, PartialEq, Eq)]
pub struct FieldSchema {
    /// Its name in paths.
    pub name: &'static str,
    /// Its name in sentences.
    pub title: &'static str,
    /// Its documentation: definition, unit and source.
    pub doc: &'static str,
    /// Whether it is a fact or a group.
    pub kind: FieldKind,
}

/// Whether a field is a fact or a group of facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// A fact of a type.
    Fact(Kind),
    /// A group of facts.
    Group(&'static GroupSchema),
}

/// The static description of a group type.
pub trait Schema {
    /// Names, titles, documentation and types of the fields.
    const SCHEMA: &'static GroupSchema;
}

/// Anything that can be a field of a group: a fact or another group.
pub trait Field: Default {
    /// Whether it is a fact or a group.
    const FIELD: FieldKind;
    /// Borrows it.
    fn node(&self) -> Node<'_>;
    /// Reads it from its JSON form; what is not mentioned is not collected.
    ///
    /// # Errors
    /// What is wrong, in words.
    fn read(value: serde_json::Value) -> Result<Self, String>;
}

impl<T: FactValue> Field for Fact<T> {
    const FIELD: FieldKind = FieldKind::Fact(T::KIND);
    fn node(&self) -> Node<'_> {
        let observed = match &self.observed {
            Observed::Present(value) => Observed::Present(value.view()),
            Observed::Absent(proof) => Observed::Absent(*proof),
            Observed::Unknown(cause) => Observed::Unknown(*cause),
        };
        Node::Fact(FactView { observed, from: &self.from })
    }
    fn read(value: serde_json::Value) -> Result<Self, String> {
        let (observed, from) = super::document::unpack(value)?;
        let observed = match observed {
            Observed::Present(value) => {
                Observed::Present(serde_json::from_value(value).map_err(|error| error.to_string())?)
            }
            Observed::Absent(proof) => Observed::Absent(proof),
            Observed::Unknown(cause) => Observed::Unknown(cause),
        };
        Ok(Fact { observed, from })
    }
}

/// A borrowed field of a group.
#[derive(Clone, Copy)]
pub enum Node<'a> {
    /// A fact.
    Fact(FactView<'a>),
    /// A group of facts.
    Group(&'a dyn Group),
}

/// A borrowed fact.
#[derive(Debug, Clone, Copy)]
pub struct FactView<'a> {
    /// What was found out.
    pub observed: Observed<View<'a>>,
    /// Where it came from.
    pub from: &'a Provenance,
}

/// A group of facts, read by field index.
pub trait Group {
    /// Names, titles and types of the fields.
    fn schema(&self) -> &'static GroupSchema;
    /// The field at an index of the schema. Panics when the index is outside the schema.
    fn node(&self, index: usize) -> Node<'_>;
}
