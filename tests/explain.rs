//! What `mailvet explain` says of a rule, a pack and a group of facts.

#![allow(clippy::unwrap_used, reason = "a test that cannot run the program has nothing to go on with")]

#[test]
fn rules_packs_and_groups_of_facts_are_explained() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("spoofing/spf-not-enforced", &["## Parameters", "| `spoofing.spf_all` | `fail` |"], &["## Tests"]),
        ("parked-domains", &["# Domains without mail say so", "parked-null-mx-missing"], &["spf-not-enforced"]),
        ("dane", &["# Facts of the group dane", "- dane.tlsa: TLSA records"], &["dmarc"]),
    ];
    for (name, shown, hidden) in cases {
        let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_mailvet")).args(["explain", name]).output().unwrap();
        assert!(output.status.success(), "{name}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(shown.iter().all(|part| text.contains(part)), "{name}:\n{text}");
        assert!(!hidden.iter().any(|part| text.contains(part)), "{name}:\n{text}");
    }
}
