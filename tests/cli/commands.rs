//! The commands beside `check`.

use serde_json::Value;

use super::{BAD, Folder, GOOD};
use crate::check::PACK;

#[test]
fn explain_tells_rules_and_facts() {
    let folder = Folder::with(&[("own/pack.yaml", PACK)]);
    let page = folder.run(&["explain", "spoofing/dmarc-not-enforced"]).exits(0);
    assert_eq!(folder.run(&["explain", "dmarc-not-enforced"]).exits(0).out, page.out);
    page.prints(&["# DMARC does not reject forged mail", "## Why", "## Fix", "RFC 9989"]);
    folder.run(&["explain", "dmarc.policy"]).exits(0).prints(&[
        "DMARC policy",
        "Read by: ",
        "spoofing/dmarc-not-enforced",
    ]);
    folder.run(&["explain", "dns.mx[].host"]).exits(0).prints(&["target: domain"]);
    folder.run(&["explain", "own/dmarc-soft", "--pack", "own"]).exits(0).prints(&["DMARC is soft"]);
    folder.run(&["explain", "own/dmarc-soft"]).exits(2);
    folder.run(&["explain", "dmarc.polcy"]).exits(2).says(&["did you mean `dmarc.policy`?"]);
    folder
        .run(&["explain", "spoofing/dmarc-not-enforce"])
        .exits(2)
        .says(&["did you mean `spoofing/dmarc-not-enforced`?"]);
    folder.run(&["explain", "zzzzzz"]).exits(2).says(&["no rule or fact is called `zzzzzz`", "mailvet pack list"]);
}

#[test]
fn every_schema_is_printed() {
    let folder = Folder::new();
    let list = folder.run(&["schema"]).exits(0).out;
    let names: Vec<&str> = list.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(
        names,
        [
            "inventory",
            "pack",
            "profile",
            "waivers",
            "answers",
            "facts",
            "snapshot",
            "assessment",
            "difference",
            "catalogue"
        ]
    );
    for name in names {
        let run = folder.run(&["schema", name]).exits(0);
        if name == "catalogue" {
            run.prints(&["dmarc.policy"]);
        } else {
            let schema = run.json();
            jsonschema::validator_for(&schema).unwrap();
        }
    }
    folder.run(&["schema", "inventry"]).exits(2).says(&["did you mean `inventory`?"]);
    folder.run(&["schema", "zzz"]).exits(2).says(&["no schema is called `zzz`; `mailvet schema` lists them"]);
}

#[test]
fn reports_and_files_match_their_schemas() {
    let folder = Folder::with(&[("bad.zone", BAD), ("good.zone", GOOD)]);
    let validator = |name| jsonschema::validator_for(&folder.run(&["schema", name]).json()).unwrap();
    let report = folder.run(&["check", ".", "--format", "json"]).json();
    let errors: Vec<String> = validator("assessment")
        .iter_errors(&report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    folder.run(&["init", "bad.zone", "good.zone"]).exits(0);
    let inventory: Value = serde_saphyr::from_str(&folder.read("mailvet.yaml")).unwrap();
    assert!(validator("inventory").is_valid(&inventory), "{inventory}");
    let pack: Value = serde_saphyr::from_str(PACK).unwrap();
    assert!(validator("pack").is_valid(&pack));
}

#[test]
fn packs_are_listed_linted_tested_and_documented() {
    let folder = Folder::with(&[("own/pack.yaml", PACK)]);
    folder.run(&["pack", "list"]).exits(0).prints(&["spoofing 1.", "sha256 ", "spoofing/spf-not-enforced"]);
    folder.run(&["pack", "list", "own", "spoofing"]).exits(0).prints(&["own 1.0.0  House rules", "own/dmarc-soft"]);
    let run = folder.run(&["pack", "lint", "own"]);
    assert!(run.code == 0 || run.code == 1, "{}", run.err);
    run.prints(&["1 pack, 1 rule"]);
    folder.run(&["pack", "test", "own"]).prints(&["2 of 2 tests hold"]);
    folder.run(&["pack", "test"]).exits(0);
    folder.write(
        "wrong/pack.yaml",
        PACK.replace("dmarc.policy: reject }, expect: pass", "dmarc.policy: none }, expect: pass"),
    );
    folder.run(&["pack", "test", "wrong"]).exits(1).prints(&["reject"]);
    folder.run(&["pack", "docs", "own"]).exits(0).prints(&["# House rules", "dmarc-soft"]);
    folder.run(&["pack", "docs", "own", "--out", "site"]).exits(0);
    assert!(folder.read("site/own/README.md").contains("dmarc-soft"));
    assert!(folder.read("site/own/dmarc-soft.md").contains("# DMARC is soft"));
    folder.run(&["pack", "docs", "own", "--out", "own/pack.yaml"]).exits(2).says(&["cannot create"]);
    for command in ["list", "lint", "test", "docs"] {
        folder.run(&["pack", command, "spofing"]).exits(2).says(&["neither a folder nor a built-in pack", "spoofing"]);
    }
    folder.write("broken/pack.yaml", "pack: x\nversion: one\n");
    folder.run(&["pack", "lint", "broken"]).exits(2).says(&["broken/pack.yaml:2:10"]);
}

#[test]
fn init_writes_what_check_then_reads() {
    let folder = Folder::with(&[("dns/good.zone", GOOD), ("dns/bad.zone", BAD)]);
    folder.run(&["init", "dns"]).exits(0).says(&["mailvet.yaml", ".github/workflows/mailvet.yml"]);
    let text = folder.read("mailvet.yaml");
    let inventory: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(inventory["dns"]["files"][0], "dns");
    let domain = |name: &str| {
        inventory["domains"].as_array().unwrap().iter().find(|domain| domain["name"] == name).unwrap().clone()
    };
    assert_eq!(domain("example.org")["roles"][0], "parked");
    assert_eq!(domain("example.com")["mx"][0], "mx1.example.com");
    let workflow: Value = serde_saphyr::from_str(&folder.read(".github/workflows/mailvet.yml")).unwrap();
    let steps = workflow["jobs"]["check"]["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step["run"].as_str().is_some_and(|run| run.contains("mailvet check --base"))));
    folder.run(&["check"]).exits(1).prints(&["dns/bad.zone:11:18"]);

    folder.write("mailvet.yaml", "mine");
    folder.run(&["init", "dns"]).exits(2).says(&["mailvet.yaml exists", "--force"]);
    assert_eq!(folder.read("mailvet.yaml"), "mine");
    folder.run(&["init", "dns", "--force", "--ci", "gitlab"]).exits(0).says(&[".gitlab-ci.mailvet.yml"]);
    assert_eq!(folder.read("mailvet.yaml"), text);
    let pipeline: Value = serde_saphyr::from_str(&folder.read(".gitlab-ci.mailvet.yml")).unwrap();
    assert!(pipeline["mailvet-gate"]["script"].is_array());
    folder.run(&["init", "gone"]).exits(2).says(&["gone"]);
    std::fs::create_dir(folder.path("empty")).unwrap();
    folder.run(&["init", "empty", "--force"]).exits(2).says(&["no zone was found below empty"]);
    assert_eq!(folder.read("mailvet.yaml"), text);
}

#[test]
fn init_into_another_folder_names_paths_from_there() {
    let folder = Folder::with(&[("dns/good.zone", GOOD)]);
    folder.git(&["init", "--quiet"]);
    folder.run(&["init", "dns", "--out", "conf", "--ci", "none"]).exits(0);
    folder.run(&["check", "--inventory", "conf/mailvet.yaml"]).exits(0).prints(&["1 target"]);
    folder.run(&["init", "--out", "here", "--ci", "none"]).exits(0);
    folder.run(&["check", "--inventory", "here/mailvet.yaml"]).exits(0).prints(&["1 target"]);
}

#[test]
fn init_of_the_current_folder_triggers_on_every_file() {
    let folder = Folder::with(&[("good.zone", GOOD)]);
    folder.run(&["init"]).exits(0);
    folder.run(&["check"]).exits(0).prints(&["1 target"]);
    let workflow: Value = serde_saphyr::from_str(&folder.read(".github/workflows/mailvet.yml")).unwrap();
    // YAML 1.2 readers know `on` as a word.
    let paths = &workflow["on"]["pull_request"]["paths"];
    assert_eq!(paths[0], "**", "{paths}");
    let folder = Folder::with(&[("dns/good.zone", GOOD)]);
    folder.run(&["init", "./dns/good.zone"]).exits(0);
    let workflow: Value = serde_saphyr::from_str(&folder.read(".github/workflows/mailvet.yml")).unwrap();
    assert_eq!(workflow["on"]["pull_request"]["paths"][0], "dns/good.zone");
}

#[test]
fn shells_are_completed_and_the_manual_is_printed() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        folder.run(&["completions", shell]).exits(0).prints(&["mailvet", "fail-on", "sarif-github"]);
    }
    folder.run(&["completions", "csh"]).exits(2);
    folder.run(&["man"]).exits(0).prints(&[".TH mailvet"]);
}

#[test]
fn help_fits_and_is_finished() {
    let folder = Folder::new();
    for command in [
        &[][..],
        &["check"],
        &["explain"],
        &["pack"],
        &["pack", "list"],
        &["pack", "lint"],
        &["pack", "test"],
        &["pack", "docs"],
        &["schema"],
        &["init"],
        &["completions"],
        &["man"],
    ] {
        for flag in ["--help", "-h"] {
            let help = folder.run(&[command, &[flag]].concat()).exits(0).out;
            assert!(help.contains("Usage: mailvet"), "{help}");
            for line in help.lines() {
                assert!(line.chars().count() <= 100, "{command:?}: {line}");
                assert!(!["TODO", "FIXME", "lorem", "placeholder"].iter().any(|word| line.contains(word)), "{line}");
                // Every option and argument says what it is for.
                let bare = line.trim_start().starts_with("--") && !line.contains("  ") && line.starts_with("      --");
                assert!(!bare || help.contains(&format!("{line}\n          ")), "{command:?}: {line}");
            }
        }
    }
    folder.run(&["--version"]).exits(0).prints(&[concat!("mailvet ", env!("CARGO_PKG_VERSION"))]);
    folder.run(&[]).exits(2);
    folder.run(&["chek"]).exits(2).says(&["check"]);
}
