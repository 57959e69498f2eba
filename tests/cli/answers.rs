//! Answers to manual rules, from their file to every report, into a bundle and out of it again.

use std::fs;

use mailvet::bundle::verify;
use serde_json::Value;

use super::live::{Server, arguments, zone};
use super::{BAD, FORMATS, Folder, findings};

const PACK: &str = "\
pack: operations
version: 1.0.0
format: 1
title: Operations
license: MIT
requires: { facts: \"1\" }
rules:
  - id: keys-not-rotated
    title: DKIM keys are not rotated
    severity: medium
    applies_to: organisation
    manual: { ask: When were the keys changed?, evidence: [change ticket], valid_for: 365d }
    why: DNS does not show how old a key is.
    fix: Change the key of every selector at least once a year.
  - id: owner-unknown
    title: Nobody answers for the domain
    severity: high
    applies_to: domain
    manual: { ask: Who answers for the domain?, valid_for: 90d }
    why: Nobody acts on reports.
    fix: Name somebody.
";

const ANSWERS: &str = "\
answers:
  - id: A-1
    rule: operations/keys-not-rotated
    target: Acme
    answer: pass
    by: Anna Smith
    role: mail operations
    date: 2026-06-12
    note: s1 was replaced by s2
    evidence: [{ file: evidence/change.txt, sha256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad }]
    links: [\"https://tickets.example.org/CHG-991\"]
  - id: A-2
    rule: operations/owner-unknown
    target: example.com
    answer: fail
    by: Bob Jones
    date: 2026-11-01
    note: the mailbox of the owner bounces
  - id: A-3
    rule: operations/owner-unknown
    target: gone.example
    answer: pass
    by: Bob Jones
    date: 2026-11-01
";

fn organisation() -> Folder {
    Folder::with(&[
        (
            "mailvet.yaml",
            "format: 1\norganisation: { name: Acme }\nanswers: [answers/2026.yaml]\nprofile: profile.yaml\ndns: { files: [dns/] }\n\
             domains:\n  - { name: example.com, roles: [sends] }\n  - { name: example.net, roles: [parked] }\n",
        ),
        ("profile.yaml", "profile: ours\nuse:\n  - { pack: operations }\n  - { pack: spoofing }\n"),
        ("pack/pack.yaml", PACK),
        ("dns/example.com.zone", BAD),
        ("answers/2026.yaml", ANSWERS),
        ("answers/evidence/change.txt", "abc"),
    ])
}

const CHECK: [&str; 6] = ["check", "--pack", "pack", "--only", "operations", "--quiet"];

fn check<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&CHECK[..], &["--as-of", "2026-11-21"], more].concat()
}

/// `A-1 Acme {"in-force":203}` of every answer and target.
fn states(report: &Value) -> Vec<String> {
    let answers = report["answers"].as_array().cloned().unwrap_or_default();
    let state = |answer: &Value| {
        let id = answer["id"].as_str().unwrap().to_owned();
        let states = answer["states"].as_array().unwrap().clone();
        states.into_iter().map(move |item| format!("{id} {} {}", item["target"].as_str().unwrap(), item["state"]))
    };
    answers.iter().flat_map(state).collect()
}

#[test]
fn answers_give_their_verdicts_in_every_format() {
    let folder = organisation();
    let report = folder.run(&check(&["--format", "json"])).exits(1).json();
    assert_eq!(
        findings(&report),
        [
            "operations/keys-not-rotated Acme pass",
            "operations/owner-unknown example.com fail",
            "operations/owner-unknown example.net manual",
        ]
    );
    assert_eq!(
        states(&report),
        ["A-1 Acme {\"in-force\":203}", "A-2 example.com {\"in-force\":70}", "A-3 gone.example \"unused\""]
    );
    let pass = report["findings"].as_array().unwrap().iter().find(|finding| finding["verdict"] == "pass").unwrap();
    assert_eq!(pass["answer"]["by"], "Anna Smith");
    assert_eq!((&pass["answer"]["valid_until"], &pass["answer"]["days_left"]), (&"2027-06-12".into(), &203.into()));
    assert_eq!(pass["answer"]["evidence"][0]["file"], "evidence/change.txt");
    assert_eq!(report["counts"]["pass"], 1);
    // Formats that show problems only have the failure; the others have both persons.
    let problems = ["sarif-github", "sarif-gitlab", "github", "gitlab"];
    for format in FORMATS {
        let run = folder.run(&check(&["--format", format])).exits(1);
        assert!(run.out.contains("Bob Jones"), "{format}:\n{}", run.out);
        let unwrapped = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(unwrapped.contains("the mailbox of the owner bounces"), "{format}:\n{}", run.out);
        assert_eq!(run.out.contains("Anna Smith"), !problems.contains(&format), "{format}:\n{}", run.out);
    }
    let out = |format: &str| folder.run(&check(&["--format", format])).exits(1).out;
    let sarif: Value = serde_json::from_str(&out("sarif")).unwrap();
    let kinds: Vec<&str> =
        sarif["runs"][0]["results"].as_array().unwrap().iter().map(|result| result["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["fail", "review", "pass"]);
    let oscal: Value = serde_json::from_str(&out("oscal")).unwrap();
    let result = &oscal["assessment-results"]["results"][0];
    let observation = |index: usize| &result["observations"][index];
    assert_eq!(observation(2)["methods"], serde_json::json!(["INTERVIEW"]));
    assert_eq!(observation(2)["origins"][0]["actors"][0]["type"], "party");
    assert_eq!(observation(2)["collected"], "2026-06-12T00:00:00Z");
    assert_eq!(observation(2)["expires"], "2027-06-12T23:59:59Z");
    assert_eq!(oscal["assessment-results"]["metadata"]["parties"].as_array().unwrap().len(), 2);
    let evidence = observation(2)["relevant-evidence"][0]["href"].as_str().unwrap().trim_start_matches('#').to_owned();
    let resources = oscal["assessment-results"]["back-matter"]["resources"].as_array().unwrap();
    let resource = resources.iter().find(|resource| resource["uuid"] == evidence.as_str()).unwrap();
    assert!(resource["rlinks"][0]["hashes"][0]["value"].as_str().unwrap().starts_with("ba7816bf"), "{resource}");
    let hdf: Value = serde_json::from_str(&out("hdf")).unwrap();
    let attested = hdf["profiles"][0]["controls"][2]["attestation_data"].clone();
    assert_eq!((&attested["status"], &attested["frequency"]), (&"passed".into(), &"365d".into()), "{attested}");
    assert!(out("junit").contains("<system-out>"), "{}", out("junit"));
}

#[test]
fn what_awaits_an_answer_comes_with_a_form_that_answers_once_it_is_filled_in() {
    let folder = organisation();
    let text = folder.run(&check(&[])).exits(1).out;
    let form: Vec<&str> = text
        .lines()
        .skip_while(|line| *line != "    answers:")
        .take_while(|line| line.starts_with("    "))
        .map(|line| &line[4..])
        .collect();
    assert!(form.iter().any(|line| line.trim() == "target: example.net"), "{text}");
    let more = |text: String| {
        folder.write("more.yaml", text);
        folder.run(&check(&["--answers", "more.yaml", "--format", "json"]))
    };
    let empty = more(form.join("\n")).says(&["error[missing-key]: `answer` of an answer is empty", "more.yaml:"]);
    assert_eq!(empty.json()["counts"]["manual"], 1);
    let filled = form.join("\n").replace("answer: ", "answer: pass ").replace("by: ", "by: Carol ");
    assert_eq!(more(filled).exits(1).json()["counts"]["manual"], 0);
    let explained = folder.run(&["explain", "operations/owner-unknown", "--pack", "pack"]).exits(0).out;
    assert!(explained.contains("  - rule: operations/owner-unknown"), "{explained}");
    folder.run(&["schema", "answers"]).exits(0).prints(&["mailvet answers"]);
}

#[test]
fn an_answer_that_cannot_be_used_is_told_and_leaves_the_rule_waiting() {
    let cases = [
        ("date: 2026-06-12", "date: 12.06.2026", "error[wrong-type]: `date` must be a date", 3),
        ("sha256: ba78", "sha256: ba79", "it is not what was shown: its SHA-256 is ba7816bf", 3),
        (
            "evidence/change.txt",
            "evidence/gone.txt",
            "the answer cannot rest on `evidence/gone.txt`: it is not there",
            3,
        ),
        ("evidence/change.txt", "../../../etc/passwd", "it leads outside the folder of the inventory", 3),
        ("evidence/change.txt", "evidence", "it is not a regular file", 3),
        ("keys-not-rotated", "keys-not-rotatd", "did you mean `operations/keys-not-rotated`?", 0),
        (
            "operations/keys-not-rotated",
            "spoofing/spf-missing",
            "`spoofing/spf-missing` asks nobody: facts decide it",
            0,
        ),
        ("id: A-2", "id: A-1", "two answers have the id `A-1`", 3),
    ];
    for (from, to, says, code) in cases {
        let folder = organisation();
        folder.write("answers/2026.yaml", ANSWERS.replacen(from, to, 1));
        let only: &[&str] = &["--only", "operations/keys-not-rotated,spoofing/spf-missing", "--format", "json"];
        let arguments = ["check", "--pack", "pack", "--quiet", "--as-of", "2026-11-21"];
        let run = folder.run(&[&arguments[..], only].concat()).says(&[says, "answers/2026.yaml:"]);
        let waits = from != "id: A-2";
        assert_eq!(run.json()["counts"]["manual"], usize::from(waits), "{to}:\n{}", run.err);
        run.exits(code);
    }
}

#[test]
fn an_answer_ends_with_its_last_day() {
    let folder = organisation();
    for (as_of, manual, state) in [
        ("2026-06-11", 3, "{\"not-yet\":1}"),
        ("2026-06-12", 2, "{\"in-force\":365}"),
        ("2027-06-12", 2, "{\"expiring\":0}"),
        ("2027-06-13", 3, "{\"expired\":1}"),
    ] {
        let run = folder.run(&[&CHECK[..], &["--as-of", as_of, "--format", "json", "--exit-zero"]].concat());
        let report = run.exits(0).json();
        assert_eq!(report["counts"]["manual"], manual, "{as_of}");
        assert_eq!(states(&report)[0], format!("A-1 Acme {state}"), "{as_of}");
    }
    let text = folder.run(&[&CHECK[..], &["--as-of", "2027-06-13"]].concat()).out;
    assert!(text.contains("Acme: the answer of Anna Smith of 2026-06-12 expired after 2027-06-12"), "{text}");
}

fn audit(folder: &Folder, out: &str) {
    let arguments =
        ["audit", "--pack", "pack", "--only", "operations", "--quiet", "--as-of", "2026-11-21", "--out", out];
    folder.run(&arguments).exits(1);
}

#[test]
fn a_bundle_holds_the_answers_and_their_evidence_and_is_judged_by_them_again() {
    let folder = organisation();
    audit(&folder, "b");
    assert_eq!(folder.read("b/data/answers/answers/evidence/change.txt"), "abc");
    let stored = folder.read("b/data/results.json");
    // Elsewhere, and with what it was made from gone.
    let elsewhere = Folder::new();
    fs::rename(folder.path("b"), elsewhere.path("b")).unwrap();
    drop(folder);
    let run = elsewhere.run(&["evaluate", "b", "--format", "json"]).exits(1);
    assert_eq!(run.out, stored);
    run.says(&["note: byte-identical to the results of the bundle"]);
    // Other answers, same rules.
    elsewhere.write("other.yaml", ANSWERS.replace("answer: fail", "answer: pass").replace("evidence/", ""));
    elsewhere.write("change.txt", "abc");
    let run = elsewhere.run(&["evaluate", "b", "--answers", "other.yaml", "--format", "json"]).exits(0);
    assert_eq!(run.json()["counts"]["pass"], 2);
    assert!(!run.err.contains("byte-identical"), "{}", run.err);
    // A file of evidence that is changed afterwards is noticed, and judged by no more.
    elsewhere.write("b/data/answers/answers/evidence/change.txt", "abd");
    let problems: Vec<String> =
        verify(&elsewhere.path("b"), None).unwrap().problems.into_iter().map(|problem| problem.path).collect();
    assert_eq!(problems, ["data/answers/answers/evidence/change.txt"]);
    elsewhere.run(&["evaluate", "b"]).exits(2);
}

#[test]
fn a_bundle_whose_evidence_was_missing_replays_that() {
    let folder = organisation();
    fs::remove_file(folder.path("answers/evidence/change.txt")).unwrap();
    audit(&folder, "b");
    let run = folder.run(&["evaluate", "b", "--format", "json"]).exits(1);
    assert_eq!(run.out, folder.read("b/data/results.json"));
    assert_eq!(states(&run.json())[0], "A-1 Acme \"unsupported\"");
    assert!(run.out.contains("it is not there"), "{}", run.out);
}

#[test]
fn a_difference_tells_what_was_answered_since() {
    let folder = organisation();
    audit(&folder, "old");
    audit(&folder, "new");
    let arguments = ["diff", "old", "new", "--pack", "pack", "--only", "operations", "--format", "json"];
    let same = folder.run(&arguments).exits(0).json();
    assert_eq!(same["findings"].as_array().unwrap().len(), 0);
    let before = ["--as-of", "2026-10-01", "--answers", "answers/2026.yaml", "--no-inventory"];
    let run = folder.run(&[&arguments[..], &before].concat()).exits(0);
    assert_eq!(run.json()["old"]["counts"]["pass"], 1, "{}", run.out);
}

#[test]
fn the_organisation_is_a_target_of_a_live_run_over_the_whole_inventory() {
    let server = Server::start(zone("v=spf1 mx -all"));
    let folder = organisation();
    // Its name may be that of a domain.
    let inventory = "format: 1\norganisation: { name: example.org }\nanswers: [answers/2026.yaml]\ndomains:\n  - { name: example.org }\n";
    folder.write("mailvet.yaml", inventory);
    folder.write("answers/2026.yaml", ANSWERS.replace("target: Acme", "target: example.org"));
    let rules = ["--pack", "pack", "--only", "operations", "--as-of", "2026-11-21", "--format", "json"];
    let more = [&rules[..], &["--no-probe", "--snapshot", "s"]].concat();
    let run = folder.run(&arguments("audit", &server, &more));
    let both = ["operations/keys-not-rotated example.org pass", "operations/owner-unknown example.org manual"];
    assert_eq!(findings(&run.json()), both);
    let again = folder.run(&[&["evaluate", "s"], &rules[..]].concat());
    assert_eq!((again.code, again.out), (run.code, run.out));
    let named = [&rules[..], &["--no-probe", "example.org"]].concat();
    assert_eq!(findings(&folder.run(&arguments("audit", &server, &named)).json()), both[1..]);
}
