//! mailvet judges e-mail infrastructure by rules written as data.
//!
//! Data flows one way. An **inventory** says what an organisation owns; **sources** read DNS; **collectors** turn what
//! was read into **facts**, each with its provenance; the **engine** evaluates **policy** (packs, profile, waivers) on
//! the facts and yields an assessment of **findings**; **reports** turn that into bytes. Left of the facts there are
//! files and networks; right of them everything is pure and deterministic: the same facts, packs, waivers and date give
//! the same bytes. A **bundle** keeps all of it on disk, so that others can check it. A collector never says good or bad, a rule never does I/O, a report never decides anything.
//!
//! The honesty rule holds everywhere: "could not look" is neither "is fine" nor "is missing". See [`facts::Observed`].
//!
//! `tests/layering.rs` holds the table of which module may use which.

pub mod diag;
pub mod mail;
#[macro_use]
pub mod facts;
pub mod inventory;

pub mod collectors;
pub mod probes;
pub mod sources;

pub mod engine;
pub mod findings;
pub mod policy;

pub mod bundle;
pub mod reports;
pub mod schema;

pub mod cli;
pub mod commands;
