//! SARIF: valid against the published schema where this machine has it, and always against what readers insist on.
//!
//! The schema does not know the three mistakes for which GitHub rejects or misreads a whole file: a result without a
//! physical location, an absolute address as the location, and a level on a result that is no failure.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on panics, and one that skips says so"
)]

#[path = "support/assessment.rs"]
mod assessment;
#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeSet;

use assessment::{large, sample};
use mailvet::diag::Files;
use mailvet::findings::Assessment;
use mailvet::reports::{Context, Format, render};
use serde_json::Value;

const DIALECTS: [Format; 3] = [Format::Sarif, Format::SarifGithub, Format::SarifGitlab];

fn log(format: Format, files: &Files, assessment: &Assessment) -> Value {
    let mut out = Vec::new();
    render(format, assessment, &Context::new("1.0.0", files), &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// The sample after a run that had another target and another rule, at which everything failed.
fn with_history() -> (Files, Assessment) {
    let (_, mut earlier) = sample();
    earlier.policy.rules[0].id = "gone/rule".to_owned();
    earlier.targets[0].name = "gone.example.org".to_owned();
    for target in &mut earlier.targets {
        target.verdicts = vec![Some(mailvet::findings::Verdict::Fail); target.verdicts.len()].into();
    }
    let (files, mut assessment) = sample();
    let past = mailvet::engine::history::remember(None, &earlier, jiff::civil::date(2026, 10, 1));
    let history = mailvet::engine::history::history(past, &assessment, assessment.as_of);
    assessment.history = Some(Box::new(history));
    (files, assessment)
}

/// Logs of every dialect: every verdict, nothing at all, nothing known, more than fits, a version that is no semver.
fn logs() -> Vec<(String, Format, Value)> {
    let mut logs = Vec::new();
    for format in DIALECTS {
        let (files, assessment) = sample();
        logs.push((format!("{format}, sample"), format, log(format, &files, &assessment)));
        let (files, assessment) = with_history();
        logs.push((format!("{format}, with history"), format, log(format, &files, &assessment)));
        let (files, mut assessment) = sample();
        assessment.targets.clear();
        assessment.coverage = mailvet::facts::Coverage::default();
        logs.push((format!("{format}, empty"), format, log(format, &files, &assessment)));
        let (_, mut assessment) = sample();
        assessment.policy.rules.iter_mut().for_each(|rule| {
            rule.title.clear();
            rule.why.clear();
            rule.references.clear();
        });
        logs.push((format!("{format}, without files and texts"), format, log(format, &Files::default(), &assessment)));
        let (files, assessment) = large(5100);
        logs.push((format!("{format}, large"), format, log(format, &files, &assessment)));
    }
    logs
}

#[test]
fn every_dialect_is_valid_against_the_published_schema() {
    let path = support::shared_data().map(|folder| folder.join("conformance/sarif/sarif-schema-2.1.0.json"));
    let Some(text) = path.and_then(|path| std::fs::read_to_string(path).ok()) else {
        println!("skipped: real inputs not present");
        return;
    };
    // Some publications of the schema have a stray bracket in this pattern, which strict readers refuse.
    let text = text.replace("^[a-zA-Z]{2}|^[a-zA-Z]{2}-[a-zA-Z]{2}]?$", "^[a-zA-Z]{2}(-[a-zA-Z]{2})?$");
    let validator = jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap();
    for (name, _, log) in logs() {
        let errors: Vec<String> =
            validator.iter_errors(&log).take(5).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {}", errors.join("\n"));
    }
}

#[test]
fn every_log_has_what_readers_require() {
    for (name, format, log) in logs() {
        assert_eq!(log["version"], "2.1.0");
        assert!(log["$schema"].is_string());
        let runs = log["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 1, "GitHub refuses several runs of one category");
        let run = &runs[0];
        assert_eq!(run["columnKind"], "unicodeCodePoints");
        assert!(run["automationDetails"]["id"].as_str().unwrap().starts_with("mailvet/baseline/"));
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        check_rules(&name, rules);
        check_results(&name, format, rules, run["results"].as_array().unwrap());
        check_notifications(&name, run);
    }
}

fn check_rules(name: &str, rules: &[Value]) {
    let mut ids = BTreeSet::new();
    for rule in rules {
        assert!(ids.insert(rule["id"].as_str().unwrap()), "{name}: ids are unique");
        assert!(rule["name"].as_str().unwrap().bytes().all(|byte| byte.is_ascii_alphanumeric()));
        for part in ["shortDescription", "fullDescription", "help"] {
            let text = rule[part]["text"].as_str().unwrap();
            assert!(!text.is_empty() && text.len() <= 1024, "{name}: {part}");
        }
        let Some(properties) = rule.get("properties") else { continue };
        let tags = properties["tags"].as_array().unwrap();
        assert!(tags.len() <= 10);
        assert!(!tags.iter().any(|tag| tag.as_str().unwrap().to_lowercase().starts_with("cwe")), "{name}");
        if let Some(severity) = properties.get("security-severity") {
            let number: f64 = severity.as_str().expect("a number in a string").parse().unwrap();
            assert!((0.1..=10.0).contains(&number));
        }
    }
}

fn check_results(name: &str, format: Format, rules: &[Value], results: &[Value]) {
    let mut hashes = BTreeSet::new();
    let mut lines = BTreeSet::new();
    for result in results {
        let rule = result["ruleId"].as_str().unwrap();
        match result["ruleIndex"].as_u64() {
            Some(index) => assert_eq!(rules[usize::try_from(index).unwrap()]["id"], rule, "{name}"),
            None => assert_eq!(result["baselineState"], "absent", "{name}: only a rule of an earlier run is not here"),
        }
        let kind = result["kind"].as_str().unwrap();
        assert!(["pass", "fail", "open", "review", "notApplicable"].contains(&kind));
        assert_eq!(result["level"] == "none", kind != "fail", "{name}: a level only on failures");
        let text = result["message"]["text"].as_str().unwrap();
        assert!(!text.is_empty() && text.chars().count() <= 1000);
        let location = &result["locations"][0]["physicalLocation"];
        let uri = location["artifactLocation"]["uri"].as_str().unwrap();
        assert!(!uri.is_empty() && !uri.starts_with('/') && !uri.contains(':') && !uri.contains(".."), "{uri}");
        let region = &location["region"];
        let start = region["startLine"].as_u64().unwrap();
        assert!(start >= 1);
        assert!(region.get("endLine").is_none_or(|end| end.as_u64().unwrap() >= start));
        assert!(
            ["startColumn", "endColumn"]
                .iter()
                .all(|column| region.get(column).is_none_or(|at| at.as_u64() >= Some(1)))
        );
        let hash = result["partialFingerprints"]["primaryLocationLineHash"].as_str().unwrap();
        assert!(hashes.insert(hash), "{name}: one identity for each result");
        let identity = (rule, uri, start, region.get("endLine").and_then(Value::as_u64));
        let suppressions = result.get("suppressions");
        if format == Format::Sarif {
            assert!(suppressions.is_some_and(Value::is_array), "either all results have suppressions or none");
            continue;
        }
        assert_eq!(kind, "fail", "{name}: GitHub shows every result as an alert");
        assert!(suppressions.is_none(), "{name}: GitHub ignores suppressions");
        assert!(results.len() <= 5000);
        assert!(format == Format::SarifGithub || lines.insert(identity), "{name}: GitLab drops twins");
        assert!(result["rank"].is_number());
    }
}

fn check_notifications(name: &str, run: &Value) {
    let invocation = &run["invocations"][0];
    assert!(invocation["executionSuccessful"].is_boolean());
    let descriptors = run["tool"]["driver"]["notifications"].as_array().unwrap();
    for list in ["toolExecutionNotifications", "toolConfigurationNotifications"] {
        for item in invocation[list].as_array().into_iter().flatten() {
            let index = usize::try_from(item["descriptor"]["index"].as_u64().unwrap()).unwrap();
            assert_eq!(descriptors[index]["id"], item["descriptor"]["id"], "{name}");
            assert!(!item["message"]["text"].as_str().unwrap().is_empty());
        }
    }
}

#[test]
fn the_full_dialect_says_everything() {
    let (files, assessment) = sample();
    let log = log(Format::Sarif, &files, &assessment);
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    let kinds: BTreeSet<&str> = results.iter().map(|result| result["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from(["fail", "notApplicable", "open", "pass", "review"]));
    let suppressed: Vec<&Value> =
        results.iter().filter(|result| !result["suppressions"].as_array().unwrap().is_empty()).collect();
    assert_eq!(suppressed.len(), 1);
    assert_eq!(suppressed[0]["suppressions"][0]["status"], "accepted");
    assert_eq!(suppressed[0]["suppressions"][0]["properties"]["expires"], "2026-12-01");
    assert_eq!(run["taxonomies"][0]["taxa"][0]["id"], "SI-8");
    assert_eq!(run["tool"]["driver"]["rules"][1]["relationships"][0]["target"]["toolComponent"]["index"], 0);
    let notes = run["invocations"][0].to_string();
    for part in ["not-evaluated", "file-ignored", "missing-dot", "not-selected", "expired 21 days ago", "rule-defect"] {
        assert!(notes.contains(part), "{part}");
    }
}

#[test]
fn the_identity_of_a_run_follows_from_its_content() {
    let id = |assessment: &Assessment| {
        let log = log(Format::Sarif, &Files::default(), assessment);
        log["runs"][0]["automationDetails"]["id"].as_str().unwrap().to_owned()
    };
    let (_, first) = sample();
    let (_, mut second) = sample();
    assert_eq!(id(&first), id(&second));
    second.as_of = jiff::civil::date(2026, 11, 22);
    assert_ne!(id(&first), id(&second));
}
