//! The shipped files of every kind are valid by the generated schemas, and common mistakes are not.

#![allow(clippy::unwrap_used, reason = "a test whose own files cannot be read has nothing to go on with")]

use std::path::Path;

use mailvet::policy::embedded::{PACKS, PROFILES};
use serde_json::{Value, json};

fn validator(name: &str) -> jsonschema::Validator {
    let schema = mailvet::schema::generated().into_iter().find(|file| file.name == name).unwrap();
    jsonschema::draft202012::new(&serde_json::from_str(&schema.contents).unwrap()).unwrap()
}

fn value(bytes: &[u8]) -> Value {
    serde_saphyr::from_slice(bytes).unwrap()
}

fn assert_valid(validator: &jsonschema::Validator, path: &str, value: &Value) {
    let problems: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(problems.is_empty(), "{path}:\n{}", problems.join("\n"));
}

fn repository_file(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn shipped_packs_are_valid() {
    let validator = validator("pack");
    for pack in PACKS {
        for (path, bytes) in pack.files {
            assert_valid(&validator, path, &value(bytes));
        }
    }
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/packs/sample")).unwrap() {
        let path = entry.unwrap().path();
        assert_valid(&validator, &path.to_string_lossy(), &value(&std::fs::read(&path).unwrap()));
    }
}

#[test]
fn shipped_profiles_are_valid() {
    let validator = validator("profile");
    for (path, bytes) in PROFILES {
        assert_valid(&validator, path, &value(bytes));
    }
}

#[test]
fn the_example_is_valid() {
    for (name, path) in [("inventory", "examples/acme/mailvet.yaml"), ("waivers", "examples/acme/waivers.yaml")] {
        assert_valid(&validator(name), path, &value(&repository_file(path)));
    }
}

/// A rule with this condition in place of its check.
fn rule(check: &Value) -> Value {
    json!({ "rules": [ {
        "id": "a-rule", "title": "A title", "severity": "low", "applies_to": "domain", "why": "A reason", "fix": "A way",
        "check": check, "tests": [ { "name": "one", "facts": {}, "expect": "unknown" } ]
    } ] })
}

/// An editor that follows the schema shows the mistakes that the loader refuses.
#[test]
fn mistakes_in_packs_are_not_valid() {
    let validator = validator("pack");
    let good = [
        json!({ "fact": "dmarc.policy", "at_least": { "param": "least" }, "if_absent": "unknown" }),
        json!({ "fact": "dns.mx[].host", "same_set_as": { "fact": "inventory.mx[]" } }),
        json!({ "fact": "inventory.mx", "count": { "at_least": 1 } }),
        json!({ "some": "dns.mx", "must": { "fact": "it.null", "equals": false } }),
        json!({ "none": "dns.mx", "match": { "fact": "it.cname", "equals": true }, "if_none": "pass" }),
        json!({ "every": "inventory.senders", "must": { "fact": "it.spf", "equals": "pass" }, "if_none": "fail" }),
        json!({ "not": { "fact": "dmarc.rua", "is": "absent" } }),
    ];
    for check in good {
        assert_valid(&validator, "good", &rule(&check));
    }
    let bad = [
        json!({ "fact": "dmarc.polcy", "equals": "reject" }),
        json!({ "fact": "dmarc.policy", "equls": "reject" }),
        json!({ "fact": "dmarc.policy", "equals": "reject", "at_least": "none" }),
        json!({ "fact": "dmarc.policy" }),
        json!({ "every": "dns.mx", "must": { "fact": "it.null", "equals": false } }),
        json!({ "every": "dns.mxx", "must": { "fact": "it.null", "equals": false }, "if_none": "pass" }),
        json!({ "fact": "dns.mx", "count": { "at_least": 1, "at_most": 2 } }),
        json!({ "none": "dns.mx", "must": { "fact": "it.cname", "equals": true }, "if_none": "pass" }),
        json!({ "some": "dns.mx", "must": { "fact": "it.cname", "equals": true }, "match": { "fact": "it.null", "equals": true } }),
        json!({ "all": [] }),
        json!({ "any": [], "all": [] }),
    ];
    for check in bad {
        assert!(!validator.is_valid(&rule(&check)), "{check}");
    }
}

#[test]
fn a_rule_has_a_check_with_tests_or_a_question_without() {
    let validator = validator("pack");
    let automatic = rule(&json!({ "fact": "spf.valid", "equals": true }));
    let mut untested = automatic.clone();
    untested["rules"][0].as_object_mut().unwrap().remove("tests");
    assert!(!validator.is_valid(&untested));
    let mut both = automatic.clone();
    both["rules"][0]["manual"] = json!({ "ask": "Is it so?", "valid_for": "365d" });
    assert!(!validator.is_valid(&both));
    let mut manual = both.clone();
    manual["rules"][0].as_object_mut().unwrap().remove("check");
    assert!(!validator.is_valid(&manual), "a question has no tests");
    manual["rules"][0].as_object_mut().unwrap().remove("tests");
    assert_valid(&validator, "manual", &manual);
}

fn answers_are_checked() {
    let answer = json!({
        "rule": "operations/keys-not-rotated", "target": "HQ", "answer": "pass", "by": "somebody", "date": "2026-06-12",
        "valid_for": "90d", "evidence": ["a.txt", { "file": "b.pdf", "sha256": "ab".repeat(32) }],
        "links": ["https://tickets.example.org/1"]
    });
    let answers = validator("answers");
    assert_valid(&answers, "good", &json!({ "answers": [ answer ] }));
    for key in ["rule", "target", "answer", "by", "date"] {
        let mut broken = answer.clone();
        broken.as_object_mut().unwrap().remove(key);
        assert!(!answers.is_valid(&json!({ "answers": [ broken ] })), "{key}");
    }
    for (key, value) in [
        ("answer", json!("passed")),
        ("answer", json!("not-applicable")),
        ("rule", json!("operations/*")),
        ("valid_until", json!("2026-12-31")),
        ("evidence", json!([{ "file": "a", "sha256": "ab" }])),
        ("links", json!(["ftp://x"])),
        ("whom", json!("x")),
    ] {
        let mut broken = answer.clone();
        broken[key] = value;
        assert!(!answers.is_valid(&json!({ "answers": [ broken ] })), "{key}");
    }
}

#[test]
fn mistakes_in_profiles_and_waivers_are_not_valid() {
    let good = json!({ "profile": "ours", "use": [ { "pack": "spoofing", "version": "^1.0" } ] });
    let with = |key: &str, value: Value| {
        let mut document = good.clone();
        document[key] = value;
        document
    };
    let profile = validator("profile");
    assert_valid(&profile, "good", &good);
    assert!(!profile.is_valid(&with("description", json!("is not read"))));
    assert!(!profile.is_valid(&with("override", json!({ "spoofing/spf-missing": { "severity": "low" } }))));
    assert!(!profile.is_valid(&with("select", json!({ "exclude": [ { "rule": "spoofing/spf-missing" } ] }))));
    let waiver = json!({
        "rule": "spoofing/spf-missing", "target": "example.org", "reason": "A reason", "approved_by": "somebody",
        "created": "2026-01-01", "expires": "2026-06-01"
    });
    let waivers = validator("waivers");
    assert_valid(&waivers, "good", &json!({ "waivers": [ waiver ] }));
    answers_are_checked();
    for key in ["target", "reason", "approved_by", "created", "expires"] {
        let mut broken = waiver.clone();
        broken.as_object_mut().unwrap().remove(key);
        assert!(!waivers.is_valid(&json!({ "waivers": [ broken ] })), "{key}");
    }
}
