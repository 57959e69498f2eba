//! Observation, provenance, and the macros that turn documented enums and structs into facts.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diag::Span;

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
    ($(#[doc = $doc:literal])* pub enum $name:ident $order:ident {
        $( $(#[doc = $vdoc:literal])* $variant:ident = $word:literal ),+ $(,)?
    }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $( $(#[doc = $vdoc])* $variant ),+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [$name] = &[ $( $name::$variant ),+ ];

            /// The words of this enum, in order.
            pub const WORDS: &'static $crate::facts::Words = &$crate::facts::Words {
                name: stringify!($name),
                doc: concat!($($doc, "\n"),*),
                ordered: words!(@flag $order),
                words: &[ $( $word ),+ ],
                docs: &[ $( concat!($($vdoc, "\n"),*) ),+ ],
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

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let rank = $crate::facts::document::rank(deserializer, $name::WORDS)?;
                Ok($name::ALL[rank])
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::facts::document::words_schema($name::WORDS)
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
        /// The service was asked and does not have it.
        NotOffered = "not-offered",
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
        /// Observed in a session with a mail service.
        Session = "session",
        /// Fetched over HTTPS.
        Https = "https",
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
    pub note: Option<Arc<str>>,
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
    pub fn unknown(cause: Cause, note: Option<Arc<str>>, span: Option<Span>) -> Self {
        Fact {
            observed: Observed::Unknown(cause),
            from: Provenance { method: Method::None, span, note, evidence: None },
        }
    }

    /// The same fact with a note.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<Arc<str>>) -> Self {
        self.from.note = Some(note.into());
        self
    }
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
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
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
            fn read(value: serde_json::Value) -> Result<Self, String> {
                let mut fields = $crate::facts::document::Fields::of(value, stringify!($name))?;
                let group = $name { $( $field: fields.take(stringify!($field))? ),+ };
                fields.end(<$name as $crate::facts::Schema>::SCHEMA)?;
                Ok(group)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::facts::document::Tree(self).serialize(serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = serde_json::Value::deserialize(deserializer)?;
                <$name as $crate::facts::Field>::read(value).map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::facts::document::group_schema(<$name as $crate::facts::Schema>::SCHEMA, generator)
            }
        }
    )+};
}
