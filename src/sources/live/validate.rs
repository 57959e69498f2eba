//! DNSSEC validation of answers by ourselves (RFC 4035 section 5): the resolver's word (AD) is not validation.

use super::Live;
use crate::facts::Cause;
use crate::mail::Name;
use crate::sources::{RecordType, Validation};

/// The trust anchors, and what was validated before.
#[derive(Debug)]
pub(super) struct Validator {}

impl Validator {
    /// A validator with the root's published keys, or with anchors in zone-file form (DS or DNSKEY records).
    ///
    /// # Errors
    /// What is wrong with the anchors.
    pub(super) fn new(_anchors: Option<&str>) -> Result<Validator, String> {
        Ok(Validator {})
    }

    /// The DNSSEC state of the answer to a question. Asks for the keys it needs through [`Live::message`], those of all
    /// ancestors at the same time.
    pub(super) async fn validate(&self, _live: &Live, _name: &Name, _rtype: RecordType) -> Validation {
        Validation::unknown(Cause::NotCollected, "not validated", None)
    }
}
