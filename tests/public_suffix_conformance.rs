//! The public suffix list's own test vectors.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on panics, and one that skips says so"
)]

use mailvet::mail::Name;
use mailvet::mail::suffix::organisational_domain;

mod support;

#[test]
fn the_vectors_of_the_list_agree() {
    let Some(data) = support::shared_data() else { return };
    let Ok(text) = std::fs::read_to_string(data.join("conformance/psl/tests.txt")) else {
        eprintln!("skipped: real inputs not present");
        return;
    };
    let mut seen = 0;
    for line in text.lines().filter(|line| !line.starts_with("//") && !line.trim().is_empty()) {
        let (input, expected) = line.split_once(' ').unwrap();
        // The vectors give U-labels, names are A-labels: both sides are compared as names. An invalid name has no domain.
        let found = Name::parse(input).ok().filter(|_| input != "null").and_then(|name| organisational_domain(&name));
        let expected = (expected != "null").then(|| Name::parse(expected).unwrap());
        assert_eq!(found, expected, "{input}");
        seen += 1;
    }
    assert!(seen > 60, "only {seen} vectors were read");
}
