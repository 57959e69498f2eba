//! The fact model: what can be known about a target, and how it is known.
//!
//! A [`Fact`] is one typed, documented, named value. It is [`Observed::Present`], [`Observed::Absent`] with a proof, or
//! [`Observed::Unknown`] with a [`Cause`]; there is no default, zero, empty list or `false` that stands for "unknown".
//! The fact structs in [`domain`] and [`service`] are the one source of type, schema and documentation: the `facts!`
//! macro derives from them the JSON Schema, the catalogue in `schemas/facts.md`, the text of `mailvet explain`, and the
//! table against which rules are type-checked.
//!
//! This module holds no parser, no judgement and no I/O.

#[macro_use]
mod model;
pub mod catalogue;
pub mod document;
pub mod domain;
pub mod evidence;
pub mod host;
pub mod meaning;
pub mod service;
pub mod snapshot;
pub mod stored;
mod value;

pub use catalogue::{Catalogue, Entry, Path, PathError};
pub use domain::DomainFacts;
pub use evidence::{Artefact, ArtefactKind, Held, HeldText, Origin, Recorder};
pub use host::HostFacts;
pub use model::{Cause, Fact, Method, Observed, Proof, Provenance};
pub use service::ServiceFacts;

/// The type of name facts, for those who compare them.
pub use crate::mail::Name;
pub use snapshot::{
    Coverage, Ignored, LiveCoverage, LiveMessage, NotEvaluated, NotReached, SourceRead, Target, TargetFacts,
};
pub use value::{
    FactValue, FactView, Field, FieldKind, FieldSchema, Group, GroupSchema, Kind, Node, Rows, Schema, Values, View,
    Words,
};
