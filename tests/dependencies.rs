//! Each direct dependency has its reason in `docs/dependencies.md`, and the document names no other crate.

#![allow(clippy::unwrap_used, reason = "a test whose own files cannot be read has nothing to go on with")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn document(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The crates of one table of `Cargo.toml`.
fn manifest(table: &str) -> BTreeSet<String> {
    document("Cargo.toml")
        .lines()
        .skip_while(|line| *line != format!("[{table}]"))
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.to_owned())
        .collect()
}

#[test]
fn each_dependency_has_its_reason() {
    let text = document("docs/dependencies.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")).skip(1);
    let documented = rows.filter_map(|row| row.split_once(" |")).flat_map(|(names, _)| names.split(", "));
    assert_eq!(documented.map(str::to_owned).collect::<BTreeSet<_>>(), manifest("dependencies"));
}

#[test]
fn each_dependency_of_tests_has_its_reason() {
    let text = document("docs/dependencies.md");
    let sentence = text.split_once("For tests only: ").unwrap().1.split_whitespace().collect::<Vec<_>>().join(" ");
    let documented = sentence.split("), ").map(|part| part.split_once(" (").unwrap().0.to_owned());
    assert_eq!(documented.collect::<BTreeSet<_>>(), manifest("dev-dependencies"));
}
