//! Reports: what goes in comes out, in every format, in the same bytes each time, and honestly when nothing was judged.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on panics, and one that skips says so"
)]

#[path = "support/assessment.rs"]
mod assessment;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use assessment::{answered, blame, detail, large, sample, span};
use mailvet::diag::{FileId, Files, Span};
use mailvet::facts::Cause;
use mailvet::findings::{Assessment, Base, BlameValue, Verdict};
use mailvet::reports::{Context, Format, render};
use serde_json::Value;

fn write_with(format: Format, assessment: &Assessment, context: &Context<'_>) -> String {
    let mut out = Vec::new();
    render(format, assessment, context, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn write(format: Format, assessment: &Assessment, files: &Files) -> String {
    write_with(format, assessment, &Context::new("1.0.0", files))
}

fn json(format: Format, assessment: &Assessment, files: &Files) -> Value {
    serde_json::from_str(&write(format, assessment, files)).unwrap()
}

fn results(log: &Value) -> &Vec<Value> {
    log["runs"][0]["results"].as_array().unwrap()
}

/// Only the second target's finding about SPF, as in the design.
fn one_finding() -> (Files, Assessment) {
    let (files, mut assessment) = sample();
    assessment.targets.remove(2);
    assessment.targets.remove(0);
    assessment.targets[0].verdicts = vec![None, None, Some(Verdict::Fail), None, None].into();
    assessment.targets[0].details = vec![assessment.targets[0].details[0].clone()].into();
    assessment.policy.not_selected.clear();
    assessment.policy.waivers.clear();
    assessment.waivers.clear();
    assessment.coverage.ignored.clear();
    assessment.coverage.not_evaluated.clear();
    assessment.coverage.diagnostics.clear();
    (files, assessment)
}

#[test]
fn a_finding_at_a_terminal() {
    let (files, assessment) = one_finding();
    insta::assert_snapshot!(write(Format::Text, &assessment, &files), @r#"
    mailvet 1.0.0  profile baseline; spoofing 1.0.0, transport 1.0.0; as of
      2026-11-21

    high  spoofing/spf-not-enforced  example.org  SPF does not end in -all
      dns/example.org.zone:3:48
      3 | @  IN TXT  "v=spf1 mx include:_spf.example.net ~all"
                                                         ^^^^
          SPF `all` qualifier is `softfail`; expected `fail`
      why  receivers accept mail that forges this domain
      fix  publish  example.org. TXT "v=spf1 mx include:_spf.example.net -all"
      also SPF `all` qualifier could not be determined (not-collected:
           _spf.example.net is outside this repository)

    What was read
      1 zone (1 bind), 2 records
        dns/example.org.zone  bind  example.org  2 records

    1 target, 5 rules: 1 failed (1 high), 0 waived, 0 unknown, 0 errors, 0 passed, 0
      not applicable, 0 not checked, 0 awaiting an answer
    4 selected rules had no target
    "#);
}

#[test]
fn findings_without_an_answer_for_one_reason_are_one_block() {
    let (files, mut assessment) = one_finding();
    let reason = || blame(BlameValue::Unknown(Cause::Parse), Some(span("~all")), Some("the file is no YAML"));
    let other = || blame(BlameValue::Unknown(Cause::Parse), Some(span("~all")), Some("another reason"));
    let target = &mut assessment.targets[0];
    target.verdicts = vec![None, Some(Verdict::Unknown), Some(Verdict::Unknown), Some(Verdict::Unknown), None].into();
    target.details =
        vec![detail(1, vec![reason(), reason()]), detail(2, vec![other()]), detail(3, vec![reason()])].into();
    let text = write(Format::Text, &assessment, &files);
    let start = text.find("Could not").unwrap();
    insta::assert_snapshot!(text[start..text.find("What was read").unwrap()], @r#"
    Could not be determined (3)
    critical  example.org  2 rules without an answer for the same reason
      dns/example.org.zone:3:48
      3 | @  IN TXT  "v=spf1 mx include:_spf.example.net ~all"
                                                         ^^^^
          parse: the file is no YAML
      critical  spoofing/dmarc-not-enforced
      medium    transport/mta-sts-missing
    high  spoofing/spf-not-enforced  example.org  SPF does not end in -all
      dns/example.org.zone:3:48
      3 | @  IN TXT  "v=spf1 mx include:_spf.example.net ~all"
                                                         ^^^^
          SPF `all` qualifier could not be determined (parse: another reason)
    "#);
    assert!(text.contains(" 3 unknown,"), "{text}");
}

#[test]
fn a_wide_terminal_has_the_sentence_beside_the_carets() {
    let (files, assessment) = one_finding();
    let context = Context { width: 120, ..Context::new("1.0.0", &files) };
    let text = write_with(Format::Text, &assessment, &context);
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.contains("^^^^")).unwrap();
    assert_eq!(lines[at].trim_start(), "^^^^ SPF `all` qualifier is `softfail`; expected `fail`");
    assert_eq!(lines[at].find('^'), lines[at - 1].find("~all"));
}

#[test]
fn a_terminal_of_80_columns_is_kept_except_for_places_and_records() {
    let (files, assessment) = sample();
    for line in write(Format::Text, &assessment, &files).lines() {
        assert!(line.chars().count() <= 80 || line.contains("publish"), "{line}");
    }
}

#[test]
fn colour_only_on_request() {
    let (files, assessment) = sample();
    assert!(!write(Format::Text, &assessment, &files).contains('\u{1b}'));
    let context = Context { colour: true, ..Context::new("1.0.0", &files) };
    let coloured = write_with(Format::Text, &assessment, &context);
    assert!(coloured.contains("\u{1b}["));
    let plain = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap().replace_all(&coloured, "").into_owned();
    assert_eq!(plain, write(Format::Text, &assessment, &files));
}

#[test]
fn equal_runs_give_equal_bytes() {
    for format in Format::ALL {
        let (files, assessment) = sample();
        let first = write(*format, &assessment, &files);
        let (files, assessment) = sample();
        assert_eq!(first, write(*format, &assessment, &files), "{format}");
    }
}

#[test]
fn every_verdict_is_counted_in_the_text() {
    let (files, assessment) = sample();
    let text = write(Format::Text, &assessment, &files).replace("\n  ", " ");
    let summary = "3 targets, 5 rules: 2 failed (1 critical, 1 high), 1 waived, 1 unknown, 1 error, 5 passed, 1 not \
                   applicable, 2 not checked, 2 awaiting an answer";
    assert!(text.contains(summary), "{text}");
    for part in [
        "Waived (1)",
        "Could not be determined (2)",
        "Awaiting an answer (2)",
        "Not checked in this run (1 rule)",
        "W-2  spoofing/dmarc-not-enforced  a.example.org  expired on 2026-10-31",
        "W-3  spoofing/gone",
        "*.lab.example.org  delegated to another server",
        "dns/README.md  not a zone file",
        "spoofing/bimi-missing",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn findings_in_are_findings_out() {
    let (files, assessment) = sample();
    let total = assessment.findings().count();
    let document = json(Format::Json, &assessment, &files);
    let verdicts: usize = document["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|target| target["verdicts"].as_object().unwrap().len())
        .sum();
    assert_eq!(verdicts, total);
    assert_eq!(document["findings"].as_array().unwrap().len(), 7, "fail, unknown, error, manual");
    assert_eq!(document["counts"], serde_json::to_value(assessment.counts()).unwrap());

    let lines: Vec<Value> =
        write(Format::Jsonl, &assessment, &files).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), total + 2);
    assert_eq!(lines[0]["type"], "header");
    assert_eq!(lines[total + 1]["findings"], total);

    assert_eq!(results(&json(Format::Sarif, &assessment, &files)).len(), total);
    // Two failures without waiver, one unknown, one error.
    assert_eq!(results(&json(Format::SarifGithub, &assessment, &files)).len(), 4);
    // One rule is unknown for one target and in error for another, on the same lines: one result.
    let gitlab = json(Format::SarifGitlab, &assessment, &files);
    let others: u64 =
        results(&gitlab).iter().map(|result| result["properties"]["otherTargets"].as_u64().unwrap_or(0)).sum();
    assert_eq!(results(&gitlab).len() as u64 + others, 4);

    let junit = write(Format::Junit, &assessment, &files);
    assert_eq!(junit.matches("<testcase ").count(), total);
    assert_eq!((junit.matches("<failure ").count(), junit.matches("<error ").count()), (2, 2));
    assert_eq!(junit.matches("<skipped ").count(), 6);
    assert!(junit.contains("tests=\"15\" failures=\"2\" errors=\"2\">"));

    let rows = assessment::csv(&write(Format::Csv, &assessment, &files));
    assert_eq!(rows.len(), total + 1);
    assert_eq!(verdicts_of(rows[1..].iter().map(|row| row[0].as_str())), verdicts_of_all(&assessment));

    let oscal = json(Format::Oscal, &assessment, &files);
    let result = &oscal["assessment-results"]["results"][0];
    let property = |item: &Value, name: &str| {
        let props = item["props"].as_array().unwrap();
        props.iter().find(|prop| prop["name"] == name).unwrap()["value"].as_str().unwrap().to_owned()
    };
    let observed: Vec<String> =
        result["observations"].as_array().unwrap().iter().map(|item| property(item, "verdict")).collect();
    assert_eq!(verdicts_of(observed.iter().map(String::as_str)), verdicts_of_all(&assessment));
    assert_eq!(result["findings"].as_array().unwrap().len(), total - 1, "what does not apply is not determined");
    assert_eq!(property(result, "fail"), "2");

    let hdf = json(Format::Hdf, &assessment, &files);
    let controls: Vec<&Value> = hdf["profiles"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|profile| profile["controls"].as_array().unwrap())
        .collect();
    let told = controls.iter().map(|control| control["tags"]["verdict"].as_str().unwrap());
    assert_eq!(verdicts_of(told), verdicts_of_all(&assessment));
    assert!(controls.iter().all(|control| control["results"].as_array().unwrap().len() == 1));
    let totals = hdf["statistics"]["controls"].as_object().unwrap();
    assert_eq!(totals.values().map(|total| total["total"].as_u64().unwrap()).sum::<u64>(), total as u64);

    let github = write(Format::Github, &assessment, &files);
    assert_eq!(github.lines().filter(|line| line.starts_with("::")).count(), 4);
    assert_eq!(json(Format::Gitlab, &assessment, &files).as_array().unwrap().len(), 4);
    let markdown = write(Format::Markdown, &assessment, &files);
    assert_eq!(markdown.lines().filter(|line| line.starts_with("| ") && line.contains("example.org ")).count(), 4);
}

/// Expects each line to say what the document says, to the byte. The document has no findings that pass, the lines have all.
fn lines_are_those_of_the_document(assessment: &mut Assessment, files: &Files) {
    for target in &mut assessment.targets {
        Arc::make_mut(&mut target.verdicts).iter_mut().flatten().for_each(|verdict| *verdict = Verdict::Fail);
    }
    let document = json(Format::Json, assessment, files);
    let lines = write(Format::Jsonl, assessment, files);
    let lines: Vec<&str> = lines.lines().filter(|line| line.starts_with(r#"{"type":"finding""#)).collect();
    let findings = document["findings"].as_array().unwrap();
    assert_eq!(lines.len(), findings.len());
    for (line, finding) in lines.iter().zip(findings) {
        assert_eq!(*line, serde_json::json!({ "type": "finding", "finding": finding }).to_string());
    }
}

#[test]
fn lines_of_findings_without_details_are_what_the_document_says() {
    let (files, mut assessment) = sample();
    assessment.targets.iter_mut().for_each(|target| target.details = Box::default());
    assert!(assessment.targets.iter().any(|target| target.anchor.is_some()));
    lines_are_those_of_the_document(&mut assessment, &files);
}

#[test]
fn lines_of_findings_with_details_are_what_the_document_says() {
    let (files, mut assessment) = sample();
    // The same reasons at other places, beside others, and twice for one finding.
    for mut twin in assessment.targets.clone() {
        twin.name.insert_str(0, "twin.");
        for detail in &mut twin.details {
            let mut blame = detail.blame.to_vec();
            blame.iter_mut().for_each(|blame| blame.span = twin.anchor.filter(|_| blame.span.is_none()));
            blame.extend(blame.clone());
            let other = mailvet::findings::Blame { negated: true, note: Some("\"so\"".into()), ..blame[0].clone() };
            blame.push(other);
            detail.also = [&detail.also[..], &blame[..1]].concat().into();
            detail.blame = blame.into();
            (detail.waived, detail.expired_waiver) = (None, None);
        }
        assessment.targets.push(twin);
    }
    assert!(assessment.targets.iter().flat_map(|target| &target.details).any(|detail| detail.waived.is_some()));
    assert!(assessment.targets.iter().flat_map(|target| &target.details).any(|detail| detail.record.is_some()));
    lines_are_those_of_the_document(&mut assessment, &files);
}

/// How often each verdict is there.
fn verdicts_of<'a>(verdicts: impl Iterator<Item = &'a str>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for verdict in verdicts {
        *counts.entry(verdict.to_owned()).or_default() += 1;
    }
    counts
}

fn verdicts_of_all(assessment: &Assessment) -> BTreeMap<String, usize> {
    verdicts_of(assessment.findings().map(|finding| finding.verdict.as_str()))
}

#[test]
fn a_row_of_the_sheet_says_what_was_seen_and_what_was_expected() {
    let (files, assessment) = sample();
    let rows = assessment::csv(&write(Format::Csv, &assessment, &files));
    let row = |target: &str, rule: &str| rows.iter().find(|row| row[5] == target && row[2] == rule).unwrap();
    insta::assert_json_snapshot!(row("example.org", "spoofing/spf-not-enforced"), @r#"
    [
      "fail",
      "high",
      "spoofing/spf-not-enforced",
      "SPF does not end in -all",
      "domain",
      "example.org",
      "dns/example.org.zone:3:48",
      "spf.all: softfail; also spf.all: unknown, not-collected (_spf.example.net is outside this repository)",
      "spf.all: expected `fail`",
      "",
      "publish example.org. TXT \"v=spf1 mx include:_spf.example.net -all\"",
      "",
      "nist-800-53r5 SI-8",
      ""
    ]
    "#);
    assert_eq!(row("a.example.org", "spoofing/spf-not-enforced")[..3], ["fail", "high", "spoofing/spf-not-enforced"]);
    assert_eq!(
        row("a.example.org", "spoofing/spf-not-enforced")[11],
        "W-1 until 2026-12-01, approved by j.doe@example.org: vendor appliance; replaced in spring"
    );
    assert_eq!(row("a.example.org", "spoofing/dmarc-not-enforced")[11], "W-2 expired on 2026-10-31");
    assert_eq!(row("example.org", "transport/tls-rpt-missing")[7], "tls_rpt.text: not collected");
    assert_eq!(row("example.org", "operations/no-owner")[8], "Who answers for the domain?");
}

#[test]
fn only_what_passes_is_satisfied_in_oscal() {
    let (files, assessment) = sample();
    let document = json(Format::Oscal, &assessment, &files);
    let result = &document["assessment-results"]["results"][0];
    let by_uuid: BTreeMap<&str, &Value> = result["observations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|observation| (observation["uuid"].as_str().unwrap(), observation))
        .collect();
    let mut told = BTreeSet::new();
    for finding in result["findings"].as_array().unwrap() {
        let observation = by_uuid[finding["related-observations"][0]["observation-uuid"].as_str().unwrap()];
        let verdict = observation["props"][0]["value"].as_str().unwrap();
        let status = &finding["target"]["status"];
        let state = (status["state"].as_str().unwrap(), status["reason"].as_str().unwrap());
        let expected = match verdict {
            "pass" => ("satisfied", "pass"),
            "fail" => ("not-satisfied", "fail"),
            _ => ("not-satisfied", "other"),
        };
        assert_eq!(state, expected, "{verdict}");
        assert_eq!(state.1 == "other", status["remarks"].is_string());
        told.insert((verdict, observation["methods"][0].as_str().unwrap()));
    }
    let expected = [
        ("error", "EXAMINE"),
        ("fail", "EXAMINE"),
        ("manual", "INTERVIEW"),
        ("not-checked", "UNKNOWN"),
        ("pass", "EXAMINE"),
        ("unknown", "EXAMINE"),
    ];
    assert_eq!(told, BTreeSet::from(expected));
    let risks: Vec<(&str, &str)> = result["risks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|risk| (risk["title"].as_str().unwrap(), risk["status"].as_str().unwrap()))
        .collect();
    assert_eq!(risks, [("Waiver W-1", "deviation-approved"), ("Waiver W-2", "open"), ("Waiver W-3", "closed")]);
}

#[test]
fn every_reference_of_oscal_leads_to_something_and_every_uuid_is_used_once() {
    for (files, assessment) in [sample(), answered()] {
        references_of_oscal(&files, &assessment);
    }
}

fn references_of_oscal(files: &Files, assessment: &Assessment) {
    let document = json(Format::Oscal, assessment, files);
    let (mut defined, mut referred) = (Vec::new(), BTreeSet::new());
    collect_uuids(&document, "", &mut defined, &mut referred);
    let unique: BTreeSet<&String> = defined.iter().collect();
    assert_eq!(unique.len(), defined.len(), "a UUID is defined once");
    assert!(referred.len() > 20);
    for uuid in &referred {
        assert!(unique.contains(uuid), "{uuid} is not defined");
    }
}

fn collect_uuids(value: &Value, key: &str, defined: &mut Vec<String>, referred: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if key == "uuid" => defined.push(text.clone()),
        Value::String(text) if key.ends_with("-uuid") => {
            referred.insert(text.clone());
        }
        Value::String(text) if key == "href" && text.starts_with('#') => {
            referred.insert(text[1..].to_owned());
        }
        Value::Array(items) => items.iter().for_each(|item| collect_uuids(item, key, defined, referred)),
        Value::Object(fields) => fields.iter().for_each(|(key, item)| collect_uuids(item, key, defined, referred)),
        _ => {}
    }
}

#[test]
fn heimdall_counts_what_mailvet_counts() {
    let (files, assessment) = sample();
    let document = json(Format::Hdf, &assessment, &files);
    let mut told: BTreeMap<(String, String, bool), usize> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for control in document["profiles"].as_array().unwrap().iter().flat_map(|item| item["controls"].as_array().unwrap())
    {
        assert!(ids.insert(control["id"].as_str().unwrap()), "one control for each finding");
        let result = &control["results"][0];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let key = (text(&control["tags"]["verdict"]), text(&result["status"]), control["impact"] == 0.0);
        *told.entry(key).or_default() += 1;
        assert_eq!(result["start_time"], "2026-11-21T00:00:00Z");
        if control["waiver_data"].is_object() {
            assert_eq!(control["waiver_data"]["skipped_due_to_waiver"], false, "a waived failure is no pass");
            assert_eq!(result["status"], "failed");
        }
    }
    let told: Vec<(&str, &str, bool, usize)> = told
        .iter()
        .map(|((verdict, status, zero), count)| (verdict.as_str(), status.as_str(), *zero, *count))
        .collect();
    let expected = [
        ("error", "error", false, 1),
        ("fail", "failed", false, 3),
        ("manual", "skipped", false, 2),
        ("not-applicable", "skipped", true, 1),
        ("not-checked", "skipped", false, 2),
        ("pass", "passed", false, 5),
        ("unknown", "error", false, 1),
    ];
    assert_eq!(told, expected);
}

#[test]
fn the_text_keeps_the_worst_and_says_how_many_are_missing() {
    let (files, assessment) = large(4000);
    let text = write(Format::Text, &assessment, &files);
    assert_eq!(text.lines().filter(|line| line.starts_with("critical  ")).count(), 1000);
    assert_eq!(text.lines().filter(|line| line.starts_with("high  ")).count(), 0);
    assert!(text.contains("\n… 3000 more findings; use --format json\n"));
    assert!(text.replace("\n  ", " ").contains("4000 failed (1000 critical, 1000 high, 1000 medium, 1000 info)"));
    let context = Context { limit: 0, ..Context::new("1.0.0", &files) };
    let all = write_with(Format::Text, &assessment, &context);
    assert_eq!(all.lines().filter(|line| line.contains("  d0")).count(), 4000);
    assert!(!all.contains("more finding"));
}

#[test]
fn github_keeps_the_worst_5000_and_the_log_says_so() {
    let (files, assessment) = large(12_000);
    let log = json(Format::SarifGithub, &assessment, &files);
    assert_eq!(results(&log).len(), 5000);
    let count = |severity: &str| results(&log).iter().filter(|item| item["properties"]["severity"] == severity).count();
    assert_eq!((count("critical"), count("high"), count("medium")), (3000, 2000, 0));
    let notifications = log["runs"][0]["invocations"][0]["toolExecutionNotifications"].to_string();
    assert!(notifications.contains("7000 findings are left out"), "{notifications}");
    let help = log["runs"][0]["tool"]["driver"]["rules"][2]["help"]["text"].as_str().unwrap();
    assert!(help.contains("1000 more findings of this rule"), "{help}");
    assert_eq!(log["runs"][0]["properties"]["counts"]["fail"], 12_000);
}

#[test]
fn annotations_are_capped_and_the_rest_is_told_first() {
    let (files, assessment) = large(200);
    let text = write(Format::Github, &assessment, &files);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("::notice title=mailvet::151 more findings are not annotated; 200 in all"));
    assert_eq!(lines.iter().filter(|line| line.starts_with("::")).count(), 50);
    assert!(
        lines[1].starts_with("::error file=dns/example.org.zone,line=3,endLine=3,col=48,endColumn=51,title=critical")
    );
}

#[test]
fn a_summary_stays_below_one_mebibyte_and_says_what_is_missing() {
    let (files, mut assessment) = large(4000);
    let long = "x".repeat(4000);
    for (index, rule) in assessment.policy.rules.iter_mut().enumerate() {
        rule.title = format!("{index} {long}");
    }
    for target in &mut assessment.targets {
        target.name = format!("{}.{long}", target.name);
        for detail in &mut target.details {
            let value = |index: usize| BlameValue::Present(format!("{index}{long}").into());
            detail.blame = (0..5).map(|index| blame(value(index), None, None)).collect();
        }
    }
    let text = write(Format::Markdown, &assessment, &files);
    assert!(text.len() < 1 << 20, "{}", text.len());
    assert!(text.contains("did not fit"), "{}", &text[text.len() - 300..]);
}

#[test]
fn nothing_judged_is_said_loudly_in_every_format() {
    let (files, mut assessment) = sample();
    assessment.targets.clear();
    for format in Format::ALL {
        let text = write(*format, &assessment, &files);
        assert!(text.contains("no target was found"), "{format}: {text}");
    }
    assert!(write(Format::Text, &assessment, &files).matches("NOTHING WAS JUDGED").count() == 2);
    let document = json(Format::Json, &assessment, &files);
    assert_eq!(document["judged"], false);
    let log = json(Format::SarifGithub, &assessment, &files);
    assert_eq!(log["runs"][0]["invocations"][0]["executionSuccessful"], false);
    assert_eq!(results(&log).len(), 1, "an empty list would close every alert as fixed");
    assert!(write(Format::Junit, &assessment, &files).contains("tests=\"1\" failures=\"0\" errors=\"1\""));

    let (files, mut assessment) = sample();
    for target in &mut assessment.targets {
        target.verdicts = vec![Some(Verdict::NotChecked); 5].into();
        target.details = Box::new([]);
    }
    for format in Format::ALL {
        let text = write(*format, &assessment, &files);
        assert!(text.contains("none of 15 results is a pass or a failure"), "{format}: {text}");
    }
}

#[test]
fn a_change_without_new_findings_is_a_judgement() {
    let (files, mut assessment) = sample();
    assessment.targets.clear();
    assessment.base = Some(Base { revision: "origin/main".into(), unchanged: 7, resolved: 1 });
    let text = write(Format::Text, &assessment, &files);
    assert!(!text.contains("NOTHING WAS JUDGED"));
    assert!(text.contains("compared with origin/main: only what differs is shown; 7 unchanged, 1 resolved"), "{text}");
    assert_eq!(json(Format::Json, &assessment, &files)["judged"], true);
}

#[test]
fn what_failed_before_and_is_unknown_now_stays_reported() {
    let (files, assessment) = sample();
    let unknown = assessment.findings().find(|finding| finding.verdict == Verdict::Unknown).unwrap().fingerprint();
    let previous = BTreeSet::from([unknown]);
    let context = Context { previous: Some(&previous), ..Context::new("1.0.0", &files) };
    let log: Value = serde_json::from_str(&write_with(Format::SarifGithub, &assessment, &context)).unwrap();
    let verdicts: Vec<&str> =
        results(&log).iter().map(|result| result["properties"]["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["fail", "fail", "unknown"]);
    assert_eq!(results(&log)[2]["level"], "note");
}

#[test]
fn a_merged_result_is_a_failure_if_one_of_its_findings_is() {
    let (files, mut assessment) = large(2);
    for (target, verdict) in assessment.targets.iter_mut().zip([Verdict::Unknown, Verdict::Fail]) {
        target.verdicts = vec![None, None, Some(verdict), None, None].into();
        target.details =
            Box::new([detail(2, vec![blame(BlameValue::Unknown(Cause::Parse), Some(span("~all")), None)])]);
    }
    let log = json(Format::SarifGitlab, &assessment, &files);
    assert_eq!(results(&log).len(), 1);
    assert_eq!(results(&log)[0]["properties"]["verdict"], "fail");
    let text = results(&log)[0]["message"]["text"].as_str().unwrap();
    assert!(text.contains("On the same lines also: d000000.example.org (could not be determined)."), "{text}");
}

#[test]
fn findings_without_a_place_in_the_repository_stand_at_the_home_file() {
    let (_, mut assessment) = sample();
    let mut files = Files::default();
    let outside = files.add("/etc/outside.zone", "x");
    for target in &mut assessment.targets {
        target.anchor = Some(Span::new(FileId(99), 0, 4));
        for detail in &mut target.details {
            for blame in &mut detail.blame {
                blame.span = Some(Span::new(outside, 0, 1));
            }
        }
    }
    let context = Context { home: Some("./mail vet.yaml"), ..Context::new("1.0.0", &files) };
    let log: Value = serde_json::from_str(&write_with(Format::SarifGithub, &assessment, &context)).unwrap();
    for result in results(&log) {
        let location = &result["locations"][0]["physicalLocation"];
        assert_eq!(location["artifactLocation"]["uri"], "mail%20vet.yaml");
        assert_eq!(location["region"]["startLine"], 1);
        assert!(result["message"]["text"].as_str().unwrap().ends_with("(No position in the repository.)"));
    }
    for format in Format::ALL {
        write_with(*format, &assessment, &context);
    }
}
