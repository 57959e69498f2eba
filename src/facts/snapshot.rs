//! The snapshot: what one run collected, as one document between the world and the judgement.
//!
//! Targets are streamed through collection and evaluation one by one, so the snapshot of a large repository need not
//! exist in memory as a whole; what accompanies all targets (files, coverage) does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DomainFacts, Group, HostFacts, Schema, ServiceFacts};
use crate::diag::{Diagnostic, Span};

words! {
    /// Kinds of things that are assessed.
    pub enum Target unordered {
        /// A mail domain.
        Domain = "domain",
        /// A host.
        Host = "host",
        /// A service: one port of one host.
        Service = "service",
        /// A message.
        Message = "message",
        /// A server whose configuration or logs were handed over.
        System = "system",
        /// The organisation as a whole.
        Organisation = "organisation",
    }
}

facts! {
    /// Facts about an organisation. Rules about it are manual in this version; only its name is known.
    pub struct OrganisationFacts {
        /// Name of the organisation in the inventory.
        "name of the organisation" name: super::Fact<String>,
    }
}

impl Target {
    /// The facts that exist for this kind; kinds without facts yet share the organisation's.
    pub fn schema(self) -> &'static super::GroupSchema {
        match self {
            Target::Domain => DomainFacts::SCHEMA,
            Target::Host => HostFacts::SCHEMA,
            Target::Service => ServiceFacts::SCHEMA,
            Target::Message | Target::System | Target::Organisation => OrganisationFacts::SCHEMA,
        }
    }
}

/// The facts of one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetFacts {
    /// A mail domain.
    Domain(Box<DomainFacts>),
    /// One address of a host.
    Host(Box<HostFacts>),
    /// A service.
    Service(Box<ServiceFacts>),
    /// An organisation.
    Organisation(Box<OrganisationFacts>),
}

impl TargetFacts {
    /// The kind of the target.
    pub fn kind(&self) -> Target {
        match self {
            TargetFacts::Domain(_) => Target::Domain,
            TargetFacts::Host(_) => Target::Host,
            TargetFacts::Service(_) => Target::Service,
            TargetFacts::Organisation(_) => Target::Organisation,
        }
    }

    /// The facts, for reading by path.
    pub fn group(&self) -> &dyn Group {
        match self {
            TargetFacts::Domain(facts) => facts.as_ref(),
            TargetFacts::Host(facts) => facts.as_ref(),
            TargetFacts::Service(facts) => facts.as_ref(),
            TargetFacts::Organisation(facts) => facts.as_ref(),
        }
    }
}

/// What a run looked at, and what it could not look at. Nothing disappears: every path, name and record that was not
/// judged is listed here with a reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Files and zones that were read.
    pub sources: Vec<SourceRead>,
    /// Files that were found and not read as DNS data.
    pub ignored: Vec<Ignored>,
    /// Names whose records are not known from the files, with the reason.
    pub not_evaluated: Vec<NotEvaluated>,
    /// Messages about the sources: lines that could not be read, suspicious names.
    pub diagnostics: Vec<Diagnostic>,
    /// What was asked on the network; `None` for a run that read files only.
    pub live: Option<Box<LiveCoverage>>,
}

/// What a live run asked, and what it did not reach.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LiveCoverage {
    /// Resolvers that were asked, as `address:port`.
    pub resolvers: Vec<String>,
    /// The resolver that was asked for second opinions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared_with: Option<String>,
    /// Number of domains that were looked at.
    pub domains: u64,
    /// Number of addresses of hosts that were looked at.
    pub hosts: u64,
    /// Number of services that are targets.
    pub services: u64,
    /// How many of these services could not be reached.
    pub unreachable: u64,
    /// What was tried and is no target: ports without a service that anybody declares, hosts without a known address.
    pub not_reached: Vec<NotReached>,
    /// Targets that were planned and not finished when the run was interrupted.
    pub interrupted: Vec<String>,
    /// What the options of the run left out, in words.
    pub left_out: Vec<String>,
}

/// Something that was tried and is no target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotReached {
    /// The host or service.
    pub target: String,
    /// Why it is no target.
    pub reason: String,
}

words! {
    /// Kinds of messages that a live run has about itself. A closed set, so that stored messages are read back exactly.
    pub enum LiveMessage unordered {
        /// The resolver answers for names that cannot exist.
        ResolverRewrites = "resolver-rewrites",
        /// The run was interrupted before it had looked at everything.
        Interrupted = "interrupted",
        /// A defect of the tool kept a target from being looked at.
        Defect = "defect",
    }
}

/// A zone that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceRead {
    /// Path of the file or folder.
    pub path: String,
    /// Format, such as `bind` or `octodns`.
    pub format: String,
    /// Name of the zone.
    pub zone: String,
    /// Number of records read.
    pub records: u64,
}

/// A file that was not read as DNS data.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Ignored {
    /// Path of the file.
    pub path: String,
    /// Why it was ignored.
    pub reason: String,
}

/// A name, or all names below one, whose records are not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotEvaluated {
    /// The name; `*.example.org` for everything below a name; the zone when a name cannot be told.
    pub name: String,
    /// Why, such as "$INCLUDE of a file that is not in the repository".
    pub reason: String,
    /// Where in the files.
    pub span: Option<Span>,
}
