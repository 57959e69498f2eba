//! Record vectors of other projects: each agrees with our reader, or stands in a ledger with the section that makes us
//! differ. A ledger line that no longer differs fails as well.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on panics, and one that skips says so"
)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use mailvet::mail::{dkim, mta_sts, tls_rpt};
use serde_json::Value;

/// Input, and why our answer differs from the vector.
type Ledger = &'static [(&'static str, &'static str)];

const DKIM: Ledger = &[(
    "v=DKIM1; k=unknown; p=",
    "RFC 6376 section 3.6.1: unrecognised key types must be ignored; the grammar allows them, so `key_type` says other",
)];
const MTA_STS: Ledger = &[];
const TLS_RPT: Ledger = &[(
    "v=TLSRPTv1 ; rua=mailto:x@x.example; rua=mailto:y@x.example",
    "RFC 8460 section 3: the record has one `rua` field; further addresses stand in it, separated by commas",
)];
const DKIM_FILES: Ledger = &[(
    "badk.txt",
    "RFC 6376 section 3.6.1: unrecognised key types must be ignored; the grammar allows them, so `key_type` says other",
)];

fn cases(path: &Path) -> Vec<Value> {
    let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    document["cases"].as_array().unwrap().clone()
}

/// Compares all vectors and fails on every difference that the ledger does not list, and on stale ledger lines.
fn compare(vectors: Vec<(String, bool, bool)>, ledger: Ledger) {
    assert!(vectors.len() > 5, "the vectors must be found");
    let mut ledger: BTreeMap<&str, &str> = ledger.iter().copied().collect();
    let mut surprises = Vec::new();
    for (input, expected, ours) in &vectors {
        let listed = ledger.remove(input.as_str());
        match (expected == ours, listed) {
            (true, None) | (false, Some(_)) => {}
            (true, Some(_)) => surprises.push(format!("{input:?} is in the ledger but agrees")),
            (false, None) => surprises.push(format!("{input:?}: the vector says {expected}, we say {ours}")),
        }
    }
    surprises.extend(ledger.keys().map(|input| format!("{input:?} is in the ledger but not among the vectors")));
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    println!("{} vectors compared", vectors.len());
}

#[test]
fn dkim_key_vectors_agree() {
    let Some(data) = support::shared_data() else { return };
    let vectors = cases(&data.join("conformance/dkim/mox-dkim-keyrecord.json"));
    let vectors = vectors
        .iter()
        .map(|case| {
            let input = case["input"].as_str().unwrap().to_owned();
            // The vectors write tabs as backslash and `t`.
            let ours = dkim::parse(&input.replace("\\t", "\t")).problems.is_empty();
            (input, case["err"].is_null(), ours)
        })
        .collect();
    compare(vectors, DKIM);
}

#[test]
fn dkim_key_files_agree() {
    let Some(data) = support::shared_data() else { return };
    let mut vectors = Vec::new();
    let mut paths: Vec<_> = std::fs::read_dir(data.join("conformance/dkim/dkimpy-keyrecords"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        // The library these come from reads broken keys in the files whose names say so.
        let expected = !name.contains("bad");
        vectors.push((name, expected, dkim::parse(text.trim_end()).problems.is_empty()));
    }
    compare(vectors, DKIM_FILES);
}

#[test]
fn mta_sts_vectors_agree() {
    let Some(data) = support::shared_data() else { return };
    let vectors = cases(&data.join("conformance/mta-sts/mox-mtasts.json"));
    let vectors = vectors
        .iter()
        .map(|case| {
            let input = case["input"].as_str().unwrap().to_owned();
            let ours = if input.starts_with("v=") {
                mta_sts::is_sts(&input) && mta_sts::parse(&input).problems.is_empty()
            } else {
                mta_sts::parse_policy(&input).problems.is_empty()
            };
            (input, case["valid"].as_bool().unwrap(), ours)
        })
        .collect();
    compare(vectors, MTA_STS);
}

#[test]
fn tls_rpt_vectors_agree() {
    let Some(data) = support::shared_data() else { return };
    let vectors = cases(&data.join("conformance/tlsrpt/mox-tlsrpt-record.json"));
    let vectors = vectors
        .iter()
        .map(|case| {
            let input = case["input"].as_str().unwrap().to_owned();
            let ours = tls_rpt::is_tls_rpt(&input) && tls_rpt::parse(&input).problems.is_empty();
            (input, case["valid"].as_bool().unwrap(), ours)
        })
        .collect();
    compare(vectors, TLS_RPT);
}
