//! DMARC: the record, its report addresses and the DNS tree walk that finds it (RFC 9989, RFC 9990), with notes for
//! receivers that still follow RFC 7489.
//!
//! [`record`] reads a text, [`report`] its report addresses, [`walk`] decides which record applies to a domain and which
//! is its organisational domain. Nothing here asks DNS or judges a policy.

pub mod record;
pub mod report;
pub mod walk;

pub use record::{Alignment, Applied, Field, Policy, Problem, Record, is_dmarc, near_miss, parse};
pub use report::{ReportTarget, ReportUri};
pub use walk::{Discovery, DmarcDns, DmarcLookup, Outcome, discover};
