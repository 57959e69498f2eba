//! What the RFCs say about mail records: grammar and types of SPF, DKIM, DMARC, MTA-STS, TLS-RPT, TLSA, BIMI, CAA, MX
//! and names.
//!
//! Every parsed part knows its byte range in the record text. Malformed is a value with a reason and a position, never
//! "absent". No I/O and no judgement: a parser never says that something is weak, only what it says.

pub mod bimi;
pub mod caa;
pub mod certificate;
pub mod dkim;
pub mod dmarc;
pub mod mta_sts;
pub mod mx;
pub mod name;
pub mod reverse;
pub mod special;
pub mod spf;
pub mod suffix;
pub mod tags;
pub mod tls_rpt;
pub mod tlsa;

pub use name::{Name, NameError};
pub use reverse::reverse_name;
