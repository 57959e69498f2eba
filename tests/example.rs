//! The example, and what the documents say about it: its findings are those of the table in its README, and the report
//! at the top of the project's README is a piece of the real one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// Judges the example as the README of the project says, on a fixed day.
fn check(format: &str) -> String {
    let arguments = ["check", "--inventory", "examples/acme/mailvet.yaml", "--exit-zero", "--as-of", "2026-11-21"];
    let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_mailvet"))
        .args(arguments)
        .args(["--format", format])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn document(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Domain, rule, and whether a waiver covers it.
type Fault = (String, String, bool);

/// The rows of the table in the README of the example.
fn planted() -> BTreeSet<Fault> {
    document("examples/acme/README.md")
        .lines()
        .filter(|line| line.contains("` |"))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            (cells[1].to_owned(), cells[2].trim_matches('`').to_owned(), cells[3].contains("waived"))
        })
        .collect()
}

#[test]
fn the_findings_are_the_planted_faults() {
    let report: Value = serde_json::from_str(&check("json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let found: BTreeSet<Fault> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (text(&finding["target"]), text(&finding["rule"]), finding["waiver"].is_string()))
        .collect();
    assert_eq!(found, planted());
    assert_eq!(found.len(), 5);
    assert!(report["findings"].as_array().unwrap().iter().all(|finding| finding["verdict"] == "fail"));
}

/// The first command of the README, with another folder for the bundle.
#[test]
fn the_first_command_of_the_readme_leaves_a_bundle_that_verifies() {
    let readme = document("README.md");
    let command = readme.lines().find_map(|line| line.strip_prefix("    cargo run --release -- ")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("acme");
    let words: Vec<&str> = command.split(' ').collect();
    assert_eq!(words.iter().filter(|word| **word == "out/acme").count(), 1, "{command}");
    let words = words.iter().map(|word| if *word == "out/acme" { bundle.as_os_str() } else { word.as_ref() });
    let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_mailvet"))
        .args(words)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let verified = mailvet::bundle::verify(&bundle, None).unwrap();
    assert!(verified.problems.is_empty(), "{:?}", verified.problems);
    let report = fs::read_to_string(bundle.join("data/report.html")).unwrap();
    assert!(report.contains("E-mail infrastructure audit: Acme Corporation"));
    assert!(planted().iter().all(|(target, rule, _)| report.contains(target) && report.contains(rule)));
    let zone = fs::read(bundle.join("data/inputs/examples/acme/dns/bind/acme.example.zone")).unwrap();
    assert_eq!(zone, document("examples/acme/dns/bind/acme.example.zone").into_bytes());
}

#[test]
fn the_readme_shows_a_piece_of_the_real_report() {
    let report = check("text");
    let readme = document("README.md");
    let shown: Vec<&str> = readme
        .lines()
        .skip_while(|line| !line.starts_with("    high  "))
        .map_while(|line| line.strip_prefix("    "))
        .collect();
    assert!(shown.len() > 3, "the README shows no finding");
    assert!(report.contains(&shown.join("\n")), "the README shows\n{}\nbut the report is\n{report}", shown.join("\n"));
}
