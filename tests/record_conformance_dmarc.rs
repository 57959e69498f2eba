//! DMARC record vectors of another implementation, which judges by RFC 7489. Each verdict agrees with ours, or stands in
//! the ledger with the section that makes us differ.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on panics, and one that skips says so"
)]

use mailvet::mail::dmarc::{is_dmarc, parse};

mod support;

/// Record, what the vectors say, and why we say the opposite.
const LEDGER: &[(&str, bool, &str)] = &[
    (
        "v=DMARC1; p=reject; sp=invalid; rua=mailto:mjl@mox.example",
        true,
        "RFC 9989 section 4.10.1: an invalid sp turns the record into p=none, which its owner must hear of",
    ),
    (
        "V = DMARC1 ; P = reject ;\tSP=none; unknown \t=\t ignored-future-value \t ; adkim=s; aspf=s; \
         rua=mailto:dmarc-feedback@example.com  ,\t\tmailto:tld-test@thirdparty.example.net!10m; \
         RUF=mailto:auth-reports@example.com  ,\t\tmailto:tld-test@thirdparty.example.net!0G; RI = 123; \
         FO = 0:1:d:s ; RF= afrf : other; Pct = 0",
        true,
        "RFC 9989 section 4.7: 0 and 1 of fo exclude each other",
    ),
    ("v=DMARC1; sp=reject; p=reject", false, "RFC 9989 section 4.7: the order of tags after v is free"),
    (
        "v=DMARC1; rua=mailto:dmarc-feedback@example.com!99999999999999999999999999999999999999999999999",
        false,
        "RFC 9989 section 4.6: size limits are ignored, however large",
    ),
];

#[test]
fn the_vectors_agree_or_stand_in_the_ledger() {
    let Some(data) = support::shared_data() else { return };
    let Ok(text) = std::fs::read_to_string(data.join("conformance/dmarc/mox-dmarc-record.json")) else {
        eprintln!("skipped: real inputs not present");
        return;
    };
    let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut differences = Vec::new();
    let mut seen = 0;
    for case in vectors["cases"].as_array().unwrap() {
        let (input, valid) = (case["input"].as_str().unwrap(), case["valid"].as_bool().unwrap());
        let ours = is_dmarc(input) && parse(input).errors.is_empty();
        if ours != valid {
            differences.push((input, valid));
        }
        seen += 1;
    }
    assert!(seen > 40, "only {seen} vectors were read");
    let mut ledger: Vec<_> = LEDGER.iter().map(|(input, valid, _)| (*input, *valid)).collect();
    ledger.sort_unstable();
    differences.sort_unstable();
    assert_eq!(differences, ledger);
}
