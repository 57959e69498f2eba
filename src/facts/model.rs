//! Observation, provenance, and the macro that turns a documented struct into facts.
//!
//! Rules read facts through [`Group`] and [`View`] without allocation: a path such as `dns.mx[].host` is resolved once
//! into field indices, and reading it is one indirect call per step.

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::diag::Span;
use crate::mail::Name;

/// What a collector found out about one fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed<T> {
    /// The source answered, and the value exists.
    Present(T),
    /// The source answered, and there is no value.
    Absent(Proof),
    /// No answer that supports a conclusion.
    Unknown(Cause),
}

impl<T> Observed<T> {
    /// The present value, if there is one.
    pub fn present(&self) -> Option<&T> {
        match self {
            Observed::Present(value) => Some(value),
            Observed::Absent(_) | Observed::Unknown(_) => None,
        }
    }

    /// The same observation of a value computed from the present one.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Observed<U> {
        match self {
            Observed::Present(value) => Observed::Present(f(value)),
            Observed::Absent(proof) => Observed::Absent(proof),
            Observed::Unknown(cause) => Observed::Unknown(cause),
        }
    }

    /// The same observation, borrowing the present value.
    pub fn as_ref(&self) -> Observed<&T> {
        match self {
            Observed::Present(value) => Observed::Present(value),
            Observed::Absent(proof) => Observed::Absent(*proof),
            Observed::Unknown(cause) => Observed::Unknown(*cause),
        }
    }
}

/// Defines a fieldless enum whose variants have fixed words in YAML, JSON and reports.
///
/// `ordered` words compare by their position in the list; `unordered` ones only by equality.
macro_rules! words {
    (@flag ordered) => { true };
    (@flag unordered) => { false };
    ($(#[$meta:meta])* pub enum $name:ident $order:ident { $( $(#[$vmeta:meta])* $variant:ident = $word:literal ),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
            schemars::JsonSchema)]
        pub enum $name { $( $(#[$vmeta])* #[serde(rename = $word)] $variant ),+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [$name] = &[ $( $name::$variant ),+ ];

            /// The words of this enum, in order.
            pub const WORDS: &'static $crate::facts::Words = &$crate::facts::Words {
                name: stringify!($name),
                ordered: words!(@flag $order),
                words: &[ $( $word ),+ ],
            };

            /// The word for this value in YAML, JSON and reports.
            pub const fn as_str(self) -> &'static str {
                match self { $( $name::$variant => $word ),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::facts::FactValue for $name {
            const KIND: $crate::facts::Kind = $crate::facts::Kind::Word($name::WORDS);
            fn view(&self) -> $crate::facts::View<'_> {
                $crate::facts::View::Word { rank: *self as u8, words: $name::WORDS }
            }
        }
    };
}

words! {
    /// Why a fact is unknown. It is about our sight; what the target did wrong is a fact of its own.
    pub enum Cause unordered {
        /// This run does not collect the fact, or the name lies outside what it reads.
        NotCollected = "not-collected",
        /// No DNS answer in time.
        DnsTimeout = "dns-timeout",
        /// The DNS server failed (SERVFAIL), which says nothing about the record.
        DnsServfail = "dns-servfail",
        /// The DNS server refused to answer.
        DnsRefused = "dns-refused",
        /// DNSSEC validation failed.
        DnssecBogus = "dnssec-bogus",
        /// No TCP connection in time.
        TcpTimeout = "tcp-timeout",
        /// The TCP connection was refused.
        TcpRefused = "tcp-refused",
        /// The network or host could not be reached.
        Unreachable = "unreachable",
        /// The TLS handshake failed.
        TlsHandshake = "tls-handshake",
        /// The peer did not speak the protocol.
        Protocol = "protocol",
        /// The peer asked to come back later (421, 450, greylisting).
        RateLimited = "rate-limited",
        /// A limit of this tool was reached before the answer was complete.
        LimitReached = "limit-reached",
        /// The value is computed (a template, variable or provider feature) and is known only when it is deployed.
        NotEvaluated = "not-evaluated",
        /// The source could not be parsed, so what it says is not known.
        Parse = "parse",
        /// Reading was not permitted.
        Permission = "permission",
        /// The evidence is older than it may be.
        Stale = "stale",
        /// Two sources contradict each other.
        Conflict = "conflict",
    }
}

words! {
    /// How it is known that a value does not exist.
    pub enum Proof unordered {
        /// The name does not exist (NXDOMAIN, RFC 2308 section 2.1).
        Nxdomain = "nxdomain",
        /// The name exists without records of the type (NODATA, RFC 2308 section 2.2).
        Nodata = "nodata",
        /// The record that would hold the value was read, and does not say it.
        NotStated = "not-stated",
        /// Records of the type exist, none of them is of the wanted kind.
        NotPublished = "not-published",
        /// The inventory does not declare it.
        NotDeclared = "not-declared",
    }
}

words! {
    /// How a fact was obtained.
    pub enum Method unordered {
        /// Not obtained.
        None = "none",
        /// Read from DNS-as-code files.
        DnsFile = "dns-file",
        /// Answered by a DNS server.
        Dns = "dns",
        /// Declared in the inventory.
        Inventory = "inventory",
        /// Computed from other facts of the same run.
        Derived = "derived",
    }
}

#[expect(clippy::derivable_impls, reason = "the enum comes from a macro that knows no defaults")]
impl Default for Method {
    fn default() -> Self {
        Method::None
    }
}

/// Where a fact came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Provenance {
    /// How the fact was obtained.
    pub method: Method,
    /// The characters it was read from. For an absent fact, the record that proves the absence (the zone's SOA).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// What a reader should know beside the value, for example which name lies outside the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Box<str>>,
    /// Ids of the raw artefacts behind the fact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Box<[String]>>,
}

/// One fact: an observation and where it came from. The default is "not collected".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact<T> {
    /// What was found out.
    pub observed: Observed<T>,
    /// Where it came from.
    pub from: Provenance,
}

impl<T> Default for Fact<T> {
    fn default() -> Self {
        Fact { observed: Observed::Unknown(Cause::NotCollected), from: Provenance::default() }
    }
}

impl<T> Fact<T> {
    /// A present value.
    pub fn present(value: T, method: Method, span: Option<Span>) -> Self {
        Fact { observed: Observed::Present(value), from: Provenance { method, span, ..Provenance::default() } }
    }

    /// A proven absence; `span` is the record that proves it.
    pub fn absent(proof: Proof, method: Method, span: Option<Span>) -> Self {
        Fact { observed: Observed::Absent(proof), from: Provenance { method, span, ..Provenance::default() } }
    }

    /// An unknown value, with a note that says what could not be looked at.
    pub fn unknown(cause: Cause, note: Option<Box<str>>, span: Option<Span>) -> Self {
        Fact {
            observed: Observed::Unknown(cause),
            from: Provenance { method: Method::None, span, note, evidence: None },
        }
    }

    /// The same fact with a note.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<Box<str>>) -> Self {
        self.from.note = Some(note.into());
        self
    }
}

/// Full form of a fact in a snapshot.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound(deserialize = "T: Deserialize<'de>"))]
struct FactDocument<T> {
    /// `present`, `absent` or `unknown`.
    state: State,
    /// The value, when present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<T>,
    /// How the absence is known, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof: Option<Proof>,
    /// Why the value is unknown, when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    /// Where the fact came from.
    #[serde(default)]
    from: Provenance,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    Present,
    Absent,
    Unknown,
}

impl<T: Serialize> Serialize for Fact<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let from = self.from.clone();
        let document = match &self.observed {
            Observed::Present(value) => {
                FactDocument { state: State::Present, value: Some(value), proof: None, cause: None, from }
            }
            Observed::Absent(proof) => {
                FactDocument { state: State::Absent, value: None, proof: Some(*proof), cause: None, from }
            }
            Observed::Unknown(cause) => {
                FactDocument { state: State::Unknown, value: None, proof: None, cause: Some(*cause), from }
            }
        };
        document.serialize(serializer)
    }
}

/// Reads the full form of a snapshot and the short form of a pack's tests: a bare value is present, `null` is absent,
/// `{ $unknown: cause }` is unknown.
impl<'de, T: DeserializeOwned> Deserialize<'de> for Fact<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let value = serde_json::Value::deserialize(deserializer)?;
        match &value {
            serde_json::Value::Null => return Ok(Fact::absent(Proof::Nodata, Method::None, None)),
            serde_json::Value::Object(map) if map.contains_key("$unknown") => {
                let cause = Cause::deserialize(&map["$unknown"]).map_err(D::Error::custom)?;
                return Ok(Fact::unknown(cause, None, None));
            }
            serde_json::Value::Object(map) if map.contains_key("state") => {
                let document: FactDocument<T> = serde_json::from_value(value).map_err(D::Error::custom)?;
                let observed = match document.state {
                    State::Present => Observed::Present(
                        document.value.ok_or_else(|| D::Error::custom("a present fact needs `value`"))?,
                    ),
                    State::Absent => Observed::Absent(document.proof.unwrap_or(Proof::Nodata)),
                    State::Unknown => Observed::Unknown(
                        document.cause.ok_or_else(|| D::Error::custom("an unknown fact needs `cause`"))?,
                    ),
                };
                return Ok(Fact { observed, from: document.from });
            }
            _ => {}
        }
        let value = serde_json::from_value(value).map_err(D::Error::custom)?;
        Ok(Fact::present(value, Method::None, None))
    }
}

impl<T: JsonSchema> JsonSchema for Fact<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("{}Fact", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        FactDocument::<T>::json_schema(generator)
    }
}

/// The words an enum fact may have.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// Name of the Rust enum.
    pub name: &'static str,
    /// Whether `at_least`, `at_most` and `between` make sense.
    pub ordered: bool,
    /// The words; the position of a word is its rank.
    pub words: &'static [&'static str],
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
pub trait FactValue {
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

impl<T: Group + Schema> FactValue for List<T> {
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
pub trait Field {
    /// Whether it is a fact or a group.
    const FIELD: FieldKind;
    /// Borrows it.
    fn node(&self) -> Node<'_>;
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

/// Defines structs of facts. Each field is a documented title and a fact (or a group):
///
/// ```text
/// facts! {
///     /// What the group is.
///     pub struct MxFacts label host {
///         /// The definition, with unit and RFC section.
///         "MX host" host: Fact<Name>,
///     }
/// }
/// ```
macro_rules! facts {
    (@label) => { "" };
    (@label $label:ident) => { stringify!($label) };
    ($(
        $(#[doc = $sdoc:literal])*
        pub struct $name:ident $(label $label:ident)? {
            $( $(#[doc = $doc:literal])* $title:literal $field:ident : $ty:ty ),+ $(,)?
        }
    )+) => {$(
        $(#[doc = $sdoc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name { $( $(#[doc = $doc])* pub $field: $ty, )+ }

        impl $crate::facts::Schema for $name {
            const SCHEMA: &'static $crate::facts::GroupSchema = &$crate::facts::GroupSchema {
                name: stringify!($name),
                doc: concat!($($sdoc, "\n"),*),
                label: facts!(@label $($label)?),
                fields: &[ $( $crate::facts::FieldSchema {
                    name: stringify!($field),
                    title: $title,
                    doc: concat!($($doc, "\n"),*),
                    kind: <$ty as $crate::facts::Field>::FIELD,
                } ),+ ],
            };
        }

        impl $crate::facts::Group for $name {
            fn schema(&self) -> &'static $crate::facts::GroupSchema {
                <$name as $crate::facts::Schema>::SCHEMA
            }
            fn node(&self, index: usize) -> $crate::facts::Node<'_> {
                const NODES: &[for<'a> fn(&'a $name) -> $crate::facts::Node<'a>] =
                    &[ $( |group| $crate::facts::Field::node(&group.$field) ),+ ];
                NODES[index](self)
            }
        }

        impl $crate::facts::Field for $name {
            const FIELD: $crate::facts::FieldKind =
                $crate::facts::FieldKind::Group(<$name as $crate::facts::Schema>::SCHEMA);
            fn node(&self) -> $crate::facts::Node<'_> {
                $crate::facts::Node::Group(self)
            }
        }
    )+};
}
