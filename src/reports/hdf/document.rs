//! The parts of the Heimdall Data Format that mailvet writes, in the words of its schema (`exec-json` of InSpec).

use std::collections::BTreeMap;

use serde::Serialize;

/// The document.
#[derive(Serialize)]
pub(super) struct Exec<'a, Profiles> {
    pub(super) platform: Platform<'a>,
    pub(super) version: &'a str,
    pub(super) statistics: Statistics,
    pub(super) profiles: Profiles,
}

#[derive(Serialize)]
pub(super) struct Platform<'a> {
    pub(super) name: &'a str,
    pub(super) release: &'a str,
    pub(super) target_id: String,
}

#[derive(Serialize)]
pub(super) struct Statistics {
    pub(super) controls: Totals,
}

#[derive(Serialize)]
pub(super) struct Totals {
    pub(super) passed: Total,
    pub(super) failed: Total,
    pub(super) error: Total,
    pub(super) skipped: Total,
}

#[derive(Serialize)]
pub(super) struct Total {
    total: usize,
}

impl From<usize> for Total {
    fn from(total: usize) -> Self {
        Total { total }
    }
}

/// A pack. The empty lists are required.
#[derive(Serialize)]
pub(super) struct Profile<Controls> {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    pub(super) sha256: String,
    pub(super) title: String,
    pub(super) status: &'static str,
    pub(super) supports: [(); 0],
    pub(super) attributes: [(); 0],
    pub(super) groups: [(); 0],
    pub(super) controls: Controls,
}

/// A finding.
#[derive(Serialize)]
pub(super) struct Control<'a> {
    pub(super) id: String,
    pub(super) title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) desc: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) descriptions: Vec<Description>,
    pub(super) impact: f64,
    pub(super) refs: Vec<Reference>,
    pub(super) tags: Tags<'a>,
    pub(super) source_location: SourceLocation,
    pub(super) results: [ControlResult; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) waiver_data: Option<Waiver>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attestation_data: Option<Attestation>,
}

#[derive(Serialize)]
pub(super) struct Description {
    pub(super) label: &'static str,
    pub(super) data: String,
}

#[derive(Serialize)]
pub(super) struct Reference {
    #[serde(rename = "ref")]
    pub(super) text: String,
}

/// Tags are free; Heimdall reads `nist` and `severity`.
#[derive(Default, Serialize)]
pub(super) struct Tags<'a> {
    pub(super) nist: Vec<String>,
    pub(super) severity: &'a str,
    pub(super) rule: String,
    pub(super) verdict: &'a str,
    pub(super) target_kind: &'a str,
    pub(super) target: String,
    pub(super) fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) evidence: Option<String>,
    /// Identifiers of every framework.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) controls: BTreeMap<String, Vec<String>>,
}

#[derive(Default, Serialize)]
pub(super) struct SourceLocation {
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<u32>,
}

#[derive(Serialize)]
pub(super) struct ControlResult {
    pub(super) status: &'static str,
    pub(super) code_desc: String,
    pub(super) start_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) skip_message: Option<String>,
}

/// A person's answer. The schema knows `passed` and `failed` only.
#[derive(Serialize)]
pub(super) struct Attestation {
    pub(super) control_id: String,
    pub(super) explanation: String,
    pub(super) frequency: String,
    pub(super) status: &'static str,
    pub(super) updated: String,
    pub(super) updated_by: String,
}

#[derive(Serialize)]
pub(super) struct Waiver {
    pub(super) justification: String,
    pub(super) expiration_date: String,
    pub(super) message: String,
    pub(super) run: bool,
    pub(super) skipped_due_to_waiver: bool,
}
