//! The types of an evaluation: what is asked, what came out, and every step on the way, as data.

use std::net::IpAddr;
use std::ops::Range;

use serde::Serialize;

use super::record::{Qualifier, SyntaxError};
use super::{MAX_LOOKUPS, MAX_NAMES, Obstacle};

/// Result of an evaluation: the words of RFC 7208 section 2.6, and one of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SpfResult {
    /// No record was found, or no domain that could hold one.
    None,
    /// The domain makes no assertion.
    Neutral,
    /// The client is authorised.
    Pass,
    /// The client is not authorised.
    Fail,
    /// The client is probably not authorised.
    Softfail,
    /// A transient error.
    TempError,
    /// The records could not be interpreted.
    PermError,
    /// The result depends on a name that this run does not collect.
    Unknown,
}

impl SpfResult {
    /// The word for this result in YAML, JSON and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            SpfResult::None => "none",
            SpfResult::Neutral => "neutral",
            SpfResult::Pass => "pass",
            SpfResult::Fail => "fail",
            SpfResult::Softfail => "softfail",
            SpfResult::TempError => "temperror",
            SpfResult::PermError => "permerror",
            SpfResult::Unknown => "unknown",
        }
    }
}

impl From<Qualifier> for SpfResult {
    fn from(qualifier: Qualifier) -> Self {
        match qualifier {
            Qualifier::Pass => SpfResult::Pass,
            Qualifier::Neutral => SpfResult::Neutral,
            Qualifier::Softfail => SpfResult::Softfail,
            Qualifier::Fail => SpfResult::Fail,
        }
    }
}

/// What is checked.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Address of the client.
    pub ip: IpAddr,
    /// MAIL FROM; empty for the null sender, whose identity is `postmaster` at the HELO name (RFC 7208 section 2.4).
    pub mail_from: &'a str,
    /// HELO or EHLO name.
    pub helo: &'a str,
    /// Name of the receiving host, for `%{r}`; empty when there is none.
    pub receiver: &'a str,
    /// Seconds since 1970, for `%{t}`.
    pub time: u64,
}

/// Limits that an implementation may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most terms whose lookups find nothing.
    pub void_lookups: u32,
}

impl Default for Limits {
    fn default() -> Self {
        // RFC 7208 section 4.6.4: a default of two is RECOMMENDED.
        Self { void_lookups: 2 }
    }
}

/// Why an evaluation ended with an error, with `none`, or without a known result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The domain is not one that can hold a record.
    #[error("`{0}` is not a domain name of several labels (RFC 7208 section 4.3)")]
    Domain(String),
    /// The domain does not exist, or holds no SPF record.
    #[error("{0} publishes no SPF record (RFC 7208 section 4.5)")]
    NoRecord(String),
    /// The domain holds several SPF records.
    #[error("{0} publishes {1} SPF records (RFC 7208 section 4.5)")]
    SeveralRecords(String, usize),
    /// The record breaks the grammar.
    #[error("the SPF record of {domain} is malformed: {error}")]
    Syntax {
        /// Where the record stands.
        domain: String,
        /// Its first error.
        error: SyntaxError,
    },
    /// More than ten terms that cause lookups.
    #[error("more than {MAX_LOOKUPS} terms cause DNS lookups (RFC 7208 section 4.6.4)")]
    LookupLimit,
    /// Too many terms whose lookups find nothing.
    #[error("more than {0} terms look up what does not exist (RFC 7208 section 4.6.4)")]
    VoidLimit(u32),
    /// A domain with more than ten MX hosts.
    #[error("{0} has more than {MAX_NAMES} MX hosts (RFC 7208 section 4.6.4)")]
    MxLimit(String),
    /// An `include` of a domain without record.
    #[error("the included domain {0} publishes no SPF record (RFC 7208 section 5.2)")]
    IncludeWithoutRecord(String),
    /// A `redirect` to a domain without record.
    #[error("the domain {0} of `redirect` publishes no SPF record (RFC 7208 section 6.1)")]
    RedirectWithoutRecord(String),
    /// A lookup failed for the time being.
    #[error("{name} could not be looked up ({})", .obstacle.cause)]
    Dns {
        /// The name that was asked for.
        name: String,
        /// Why there is no answer.
        obstacle: Obstacle,
    },
    /// A name that this run does not collect.
    #[error("{name} is not known to this run ({})", .obstacle.cause)]
    NotSeen {
        /// The name that would have to be asked for.
        name: String,
        /// Why there is no answer.
        obstacle: Obstacle,
    },
}

/// The evaluation of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// The result.
    pub result: SpfResult,
    /// Why, for results other than those of a match.
    pub reason: Option<Reason>,
    /// The explanation of the domain, for `fail` (RFC 7208 section 6.2).
    pub explanation: Option<String>,
    /// Terms that caused lookups, up to the end of the evaluation.
    pub lookups: u32,
    /// Terms whose lookups found nothing, up to the end of the evaluation.
    pub void_lookups: u32,
    /// What was done.
    pub trace: Trace,
}

/// The evaluation of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Where the record stands.
    pub domain: String,
    /// The record as read; `None` when there was none to read.
    pub record: Option<String>,
    /// The terms that were evaluated, in order.
    pub steps: Vec<Step>,
    /// The result of this record.
    pub result: SpfResult,
    /// Why, for results other than those of a match.
    pub reason: Option<Reason>,
}

/// The evaluation of one term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The term as written.
    pub term: String,
    /// Its range in the record.
    pub range: Range<usize>,
    /// The name that it led to, if it has one.
    pub target: Option<String>,
    /// Terms that caused lookups so far, this one included.
    pub lookups: u32,
    /// Terms whose lookups found nothing so far, this one included.
    pub void_lookups: u32,
    /// What came out.
    pub outcome: StepOutcome,
    /// The evaluation of the record that `include` or `redirect` led to.
    pub inner: Option<Box<Trace>>,
}

/// Outcome of one term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepOutcome {
    /// The mechanism matched.
    Match,
    /// The mechanism did not match.
    NoMatch,
    /// The `redirect` was followed.
    Followed,
    /// The evaluation ended here.
    Ended(SpfResult, Reason),
}
