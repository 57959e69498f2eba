//! `mailvet check`: exit codes and arguments.

use super::{BAD, Folder, GOOD, findings};

fn zones() -> Folder {
    Folder::with(&[("good.zone", GOOD), ("bad.zone", BAD)])
}

#[test]
fn each_exit_code_has_its_reason() {
    let folder = zones();
    folder.run(&["check", "good.zone"]).exits(0).prints(&["0 failed"]);
    folder.run(&["check", "bad.zone"]).exits(1).prints(&["spoofing/spf-not-enforced", "bad.zone:11:18"]);
    folder.run(&["check", "missing.zone"]).exits(2).says(&["missing.zone: no such file or folder"]);
    folder.write("open.zone", GOOD.replace("v=spf1 -all", "v=spf1 include:_spf.example.net -all"));
    let run = folder.run(&["check", "open.zone", "--only", "spoofing/spf-not-enforced,spoofing/spf-missing"]).exits(0);
    assert!(run.err.is_empty(), "{}", run.err);
    folder.write("broken.zone", format!("{GOOD}www A 9.9.9\n"));
    folder.run(&["check", "broken.zone"]).exits(3).prints(&["broken.zone:13:7"]);
}

#[test]
fn fail_on_and_exit_zero_change_the_exit_code_and_nothing_else() {
    let folder = zones();
    let text = folder.run(&["check", "bad.zone"]).exits(1).out;
    assert_eq!(folder.run(&["check", "bad.zone", "--fail-on", "high"]).exits(1).out, text);
    assert_eq!(folder.run(&["check", "bad.zone", "--fail-on", "critical"]).exits(0).out, text);
    assert_eq!(folder.run(&["check", "bad.zone", "--exit-zero"]).exits(0).out, text);
    folder.run(&["check", "missing.zone", "--exit-zero"]).exits(2);
    folder.run(&["check", "bad.zone", "--fail-on", "severe"]).exits(2).says(&["critical, high, medium, low, info"]);
}

/// A report that went to `/dev/null` as root replaced the device by a file.
#[test]
#[cfg(unix)]
fn a_report_written_to_a_device_does_not_replace_it() {
    let folder = zones();
    std::os::unix::fs::symlink("/dev/null", folder.path("nowhere")).unwrap();
    folder.run(&["check", "good.zone", "--output", "json=nowhere"]).exits(0);
    assert!(folder.path("nowhere").symlink_metadata().unwrap().is_symlink());
}

#[test]
fn a_run_that_judges_nothing_is_not_green() {
    let folder = zones();
    std::fs::create_dir(folder.path("empty")).unwrap();
    folder.run(&["check", "empty"]).exits(3).prints(&["NOTHING WAS JUDGED: no target was found"]);
    folder.write("texts/readme.txt", "hello\n");
    folder.run(&["check", "texts"]).exits(3).prints(&["NOTHING WAS JUDGED", "texts/readme.txt"]);
    folder.run(&["check"]).exits(2).says(&["say what to judge", "mailvet check dns/"]);
    // An inventory alone answers a few rules, but nothing was seen of its domains.
    folder.write("own.yaml", "domains:\n  - { name: example.net, roles: [parked] }\n");
    let run = folder.run(&["check", "empty", "--inventory", "own.yaml"]);
    run.exits(3).prints(&["NOTHING WAS JUDGED: no DNS source was read"]);
    // A selection of rules that are about none of the targets is no success either.
    let run = folder.run(&["check", "good.zone", "--only", "spoofing/dkim-sha1"]);
    assert!(run.code == 3 || run.out.contains(" 1 passed"), "{}", run.out);
}

#[test]
fn a_waiver_holds_until_it_expires() {
    let folder = zones();
    folder.write(
        "waivers.yaml",
        "waivers:\n  - rule: spoofing/spf-not-enforced\n    target: example.com\n    reason: migration of the newsletter\n    \
         approved_by: a@example.com\n    created: 2026-01-01\n    expires: 2026-06-30\n",
    );
    let only = ["check", "bad.zone", "--only", "spoofing/spf-not-enforced", "--waivers", "waivers.yaml", "--as-of"];
    let on = |day| folder.run(&[&only[..], &[day]].concat());
    on("2026-06-30").exits(0).prints(&["1 waived"]);
    on("2026-07-01").exits(1).prints(&["1 failed", "expired"]);
    on("yesterday").exits(2).says(&["--as-of"]);
}

#[test]
fn rules_are_selected_and_misspelt_ones_are_refused() {
    let folder = zones();
    let ids = |args: &[&str]| {
        let report = folder.run(&[&["check", "bad.zone", "--format", "json"], args].concat()).json();
        report["rules"]
            .as_array()
            .unwrap()
            .iter()
            .map(|rule| rule["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&["--only", "spoofing/spf-not-enforced"]), ["spoofing/spf-not-enforced"]);
    assert!(ids(&["--only", "spoofing"]).iter().all(|id| id.starts_with("spoofing/")));
    assert!(!ids(&["--skip", "spoofing"]).iter().any(|id| id.starts_with("spoofing/")));
    assert_eq!(
        ids(&["--only", "spoofing/spf-not-enforced,spoofing/spf-missing", "--skip", "spoofing/spf-missing"]),
        ["spoofing/spf-not-enforced"]
    );
    folder
        .run(&["check", "bad.zone", "--only", "spoofing/spf-not-enforce"])
        .exits(2)
        .says(&["--only", "did you mean `spoofing/spf-not-enforced`?"]);
    folder.run(&["check", "bad.zone", "--skip", "spofing"]).exits(2).says(&["--skip", "did you mean `spoofing`?"]);
    let run = folder.run(&["check", "bad.zone", "--only", "zzzzzzzz"]).exits(2);
    assert!(!run.says(&["`zzzzzzzz`", "help: `mailvet pack list` lists them"]).err.contains("known:"));
}

#[test]
fn parameters_are_checked() {
    let folder = zones();
    let run = |param| folder.run(&["check", "bad.zone", "--param", param]);
    run("spoofing.min_rsa_bits=4096").exits(1);
    run("spoofing.min_rsa_bit=4096").exits(2).says(&["did you mean `min_rsa_bits`?", "nothing was judged"]);
    run("spofing.min_rsa_bits=4096").exits(2).says(&["did you mean `spoofing`?"]);
    run("spoofing.min_rsa_bits=many").exits(2).says(&["whole number", "`many`"]);
    run("spoofing.min_rsa_bits=1").exits(2).says(&["min_rsa_bits"]);
    run("spoofing").exits(2).says(&["expected PACK.NAME=VALUE"]);
}

#[test]
fn a_profile_is_a_name_or_a_file() {
    let folder = zones();
    folder.write("own.yaml", "profile: own\nuse: [{ pack: spoofing }]\nselect: { severity_at_least: high }\n");
    folder.run(&["check", "bad.zone", "--profile", "strict"]).exits(1).prints(&["profile strict"]);
    let run = folder.run(&["check", "bad.zone", "--profile", "own.yaml", "--format", "json"]).exits(1);
    let report = run.json();
    assert_eq!(report["profile"], "own");
    assert!(report["rules"].as_array().unwrap().iter().all(|rule| rule["severity"] != "low"));
    folder.run(&["check", "bad.zone", "--profile", "stric"]).exits(2).says(&["did you mean `strict`?", "default"]);
    folder.run(&["check", "bad.zone", "--profile", "missing.yaml"]).exits(2).says(&["cannot read missing.yaml"]);
}

/// A pack with one rule that fails where DMARC does not reject.
pub(crate) const PACK: &str = "pack: own\nversion: 1.0.0\nformat: 1\ntitle: House rules\n\
description: Rules of this house.\nlicense: MIT\nrequires: { facts: \"1\" }\nrules:\n  - id: dmarc-soft\n    \
title: DMARC is soft\n    severity: high\n    applies_to: domain\n    check: { fact: dmarc.policy, equals: reject }\n    \
why: Receivers accept mail that forges this domain.\n    fix: Publish a DMARC record with the policy reject.\n    tests:\n      \
- { name: reject, facts: { dmarc.policy: reject }, expect: pass }\n      \
- { name: monitoring, facts: { dmarc.policy: none }, expect: fail, because: [dmarc.policy] }\n";

#[test]
fn a_pack_of_ones_own_is_added() {
    let folder = zones();
    folder.write("own/pack.yaml", PACK);
    folder
        .run(&["check", "bad.zone", "--pack", "own"])
        .exits(1)
        .prints(&["own/dmarc-soft", "spoofing/spf-not-enforced"]);
    folder
        .run(&["check", "bad.zone", "--pack", "own", "--only", "own"])
        .exits(1)
        .prints(&["own/dmarc-soft", "1 failed"]);
    folder.run(&["check", "good.zone", "--pack", "own"]).exits(0);
    folder.run(&["check", "good.zone", "--pack", "missing"]).exits(2).says(&["cannot read the pack missing"]);
}

#[test]
fn domains_are_selected() {
    let folder = zones();
    folder.run(&["check", ".", "--domain", "example.org"]).exits(0).prints(&["1 target"]);
    folder.run(&["check", ".", "--domain", "EXAMPLE.com."]).exits(1).prints(&["1 target"]);
    folder.run(&["check", ".", "--domain", "example.net"]).exits(2).says(&["no such mail domain"]);
    folder.run(&["check", ".", "--domain", "a..b"]).exits(2).says(&["--domain a..b", "empty label"]);
}

#[cfg(unix)]
#[test]
fn a_zone_that_several_paths_lead_to_is_read_once() {
    let folder = zones();
    std::fs::create_dir(folder.path("links")).unwrap();
    std::os::unix::fs::symlink("../bad.zone", folder.path("links/again.zone")).unwrap();
    let once = folder.run(&["check", "bad.zone", "--format", "json"]).exits(1).json();
    for paths in [&["bad.zone", "links"][..], &["bad.zone", "bad.zone"], &["bad.zone", "./links/again.zone"]] {
        let run = folder.run(&[&["check", "--format", "json"], paths].concat()).exits(1);
        assert_eq!(run.json()["coverage"]["sources"], once["coverage"]["sources"], "{paths:?}");
        assert_eq!(run.json()["counts"], once["counts"], "{paths:?}");
    }
    let both = folder.run(&["check", "bad.zone", "good.zone", "--format", "json"]).exits(1).json();
    assert_eq!(both["targets"].as_array().unwrap().len(), 2);
}

#[test]
fn a_zone_comes_from_standard_input() {
    let folder = zones();
    folder.run_in("", &["check", "-"], GOOD).exits(0).prints(&["<stdin>"]);
    let nameless = GOOD.replace("$ORIGIN example.org.\n", "");
    folder.run_in("", &["check", "-", "--origin", "example.org"], &nameless).exits(0).prints(&["<stdin>"]);
    folder.run_in("", &["check", "-"], &nameless).exits(3).prints(&["it cannot be told which zone <stdin> is"]);
    folder.run_in("", &["check", "-"], "").exits(2).says(&["<stdin>: an empty file"]);
    folder.run_in("", &["check", "-", "--origin", "a..b"], GOOD).exits(2).says(&["--origin a..b"]);
    folder.run_in("", &["check", "-", "--base", "HEAD"], GOOD).exits(2).says(&["--base", "standard input"]);
}

const INVENTORY: &str = "format: 1\ndns: { files: [dns/] }\ndomains:\n  - { name: example.com, roles: [sends, receives] }\n  \
- { name: example.net, roles: [parked] }\n";

#[test]
fn the_inventory_of_the_folder_is_used_unless_told_otherwise() {
    let folder = Folder::with(&[("mailvet.yaml", INVENTORY), ("dns/example.com.zone", BAD)]);
    let run = folder.run(&["check", "--format", "json"]);
    let report = run.json();
    let names: Vec<&str> =
        report["targets"].as_array().unwrap().iter().map(|target| target["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["example.com", "example.net"]);
    // No file holds the second domain: that is neither good nor bad. What the inventory says decides four rules:
    // the domain is in it, and a wildcard at a parked domain does no harm.
    let verdicts = report["targets"][1]["verdicts"].as_object().unwrap();
    let judged = verdicts.iter().filter(|(_, verdict)| *verdict == "pass" || *verdict == "fail");
    let judged: Vec<&str> = judged.map(|(rule, _)| rule.as_str()).collect();
    assert_eq!(
        judged,
        [
            "dns-health/wildcard-mx",
            "dns-health/wildcard-txt",
            "mx-inventory/domain-not-in-inventory",
            "spoofing/dkim-wildcard"
        ],
        "{verdicts:?}"
    );
    assert!(verdicts.values().any(|verdict| verdict == "not-checked"), "{verdicts:?}");
    assert_eq!(report["targets"][1]["place"]["file"], "mailvet.yaml");
    assert_eq!(report["targets"][1]["place"]["line"], 5);
    folder.run(&["check", "dns", "--no-inventory"]).exits(1).prints(&["1 target,"]);
    folder.run(&["check", "--no-inventory"]).exits(2).says(&["say what to judge"]);
    folder.run(&["check", "--no-inventory", "--inventory", "mailvet.yaml"]).exits(2);
    // Paths of an inventory are relative to it.
    folder.write("other/readme", "");
    folder
        .run_in("other", &["check", "--inventory", "../mailvet.yaml"], "")
        .exits(1)
        .prints(&["../dns/example.com.zone:11:18"]);
    folder.run_in("other", &["check", "-i", "missing.yaml"], "").exits(2).says(&["cannot read missing.yaml"]);
}

#[test]
fn verdicts_agree_between_text_and_json() {
    let folder = zones();
    let report = folder.run(&["check", ".", "--format", "json"]).exits(1).json();
    let text = folder.run(&["check", "."]).exits(1).out;
    let failed: Vec<String> = findings(&report).into_iter().filter(|line| line.ends_with(" fail")).collect();
    assert_eq!(report["counts"]["fail"], failed.len());
    for line in failed {
        let rule = line.split(' ').next().unwrap();
        assert!(text.contains(rule), "{rule}");
    }
}
