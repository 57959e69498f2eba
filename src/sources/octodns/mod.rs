//! octoDNS: DNS as YAML mappings of names to records.
//!
//! [`config`] reads which zones octoDNS composes from which files, [`zone`] reads the files of one zone. What octoDNS or a
//! provider computes when it runs is "not evaluated"; what the files say keeps its position down to one octet of a text.
//! Neither judges what a record means for mail.

pub mod config;
pub mod load;
pub mod scalar;
pub mod value;
pub mod yaml;
pub mod zone;

pub use zone::{Settings, ZoneFile, read_zone};
