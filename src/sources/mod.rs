//! Where DNS data comes from: BIND zone text, octoDNS YAML, live servers; one file per format.
//!
//! Every format ends in the same [`Record`]s, whose positions reach down to the single characters of a TXT value. The
//! [`RecordSource`] is the seam behind which collectors look names up; the offline source answers like an authoritative
//! server. Nothing here judges, and nothing is dropped in silence: what is not read is a diagnostic, an ignored file or
//! a name that is "not evaluated".

pub mod bind;
pub mod discover;
pub mod live;
pub mod named_conf;
mod names;
pub mod octodns;
pub mod offline;
pub mod record;
pub mod store;
pub mod tree;

pub use discover::{DiscoverError, Discovery, Options, discover};
pub use live::Live;
pub use offline::Offline;
pub use record::{
    Alias, Answer, Ask, Incomplete, NoReply, Outcome, RData, Record, RecordSource, RecordType, Reply, Run, Soa, Text,
    Validation,
};
pub use store::{Store, Zone, ZoneId};
pub use tree::Tree;
