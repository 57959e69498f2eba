//! Formats, files and the shape of the text report.

use std::process::Stdio;

use serde_json::Value;

use super::{BAD, FORMATS, Folder, GOOD};

fn zones() -> Folder {
    Folder::with(&[("dns/good.zone", GOOD), ("dns/bad.zone", BAD)])
}

#[test]
fn every_format_goes_to_standard_output_and_to_files() {
    let folder = zones();
    let mut args = vec!["check".to_owned(), "dns".to_owned()];
    for format in FORMATS {
        args.extend(["--output".to_owned(), format!("{format}=out/{format}.txt")]);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let text = folder.run(&args).exits(1).out;
    assert!(text.contains("spoofing/spf-not-enforced"));
    for format in FORMATS {
        let run = folder.run(&["check", "dns", "--format", format]).exits(1);
        assert!(run.err.is_empty(), "{format}: {}", run.err);
        assert_eq!(run.out, folder.read(&format!("out/{format}.txt")), "{format}");
        assert!(run.out.contains("spf-not-enforced"), "{format}");
        match format {
            "json" | "sarif" | "sarif-github" | "sarif-gitlab" | "gitlab" | "oscal" | "hdf" => {
                serde_json::from_str::<Value>(&run.out).unwrap();
            }
            "jsonl" => run.out.lines().for_each(|line| {
                serde_json::from_str::<Value>(line).unwrap();
            }),
            "junit" => assert!(run.out.starts_with("<?xml")),
            "csv" => assert!(run.out.starts_with("\u{feff}\"verdict\",\"severity\",\"rule\",")),
            "github" => assert!(run.out.contains("::error file=dns/bad.zone,line=11,")),
            _ => {}
        }
    }
    let left: Vec<_> = std::fs::read_dir(folder.path("out")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), FORMATS.len(), "{left:?}");
}

#[test]
fn wrong_formats_and_unwritable_files_are_told_apart() {
    let folder = zones();
    let run = |args: &[&str]| folder.run(&[&["check", "dns"], args].concat()).exits(2);
    run(&["--format", "sarf"]).says(&["sarf", "sarif"]);
    run(&["--output", "sarif-gihub=a"]).says(&["did you mean `sarif-github`?"]);
    run(&["--output", "report.sarif"]).says(&["expected FORMAT=FILE"]);
    run(&["--output", "sarif="]).says(&["the file name is missing"]);
    // A file stands where a folder is needed.
    run(&["--output", "sarif=dns/good.zone/x"]).says(&["cannot write the report dns/good.zone/x", "because:"]);
    run(&["--output", "sarif=dns"]).says(&["cannot write the report dns"]);
    assert_eq!(folder.read("dns/good.zone"), GOOD);
    assert!(!folder.path("dns.partial").exists());
}

#[test]
fn paths_are_as_typed_in_text_and_from_the_root_of_the_repository_in_sarif() {
    let folder = zones();
    folder.commit();
    let absolute = folder.path("dns/bad.zone");
    let absolute = absolute.to_str().unwrap();
    for (from, typed, shown) in [
        ("", "dns", "dns/bad.zone:11:18"),
        ("", "./dns/bad.zone", "dns/bad.zone:11:18"),
        ("dns", "bad.zone", "  bad.zone:11:18"),
        ("dns", "../dns", "../dns/bad.zone:11:18"),
        ("dns", absolute, &format!("{absolute}:11:18")),
    ] {
        folder.run_in(from, &["check", typed], "").exits(1).prints(&[shown]);
        for format in ["sarif", "sarif-github", "sarif-gitlab"] {
            let report = folder.run_in(from, &["check", typed, "--format", format], "").json();
            let results = report["runs"][0]["results"].as_array().unwrap();
            let result = results
                .iter()
                .find(|result| result["ruleId"] == "spoofing/spf-not-enforced" && result["kind"] != "pass")
                .unwrap_or_else(|| panic!("{format} {from} {typed}"));
            let uri = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
            assert_eq!(uri, "dns/bad.zone", "{format} {from} {typed}");
        }
        let github = folder.run_in(from, &["check", typed, "--format", "github"], "").out;
        assert!(github.contains("file=dns/bad.zone,line=11"), "{github}");
    }
}

#[test]
fn the_text_report_fits_eighty_columns() {
    let folder = zones();
    let shared = crate::support::shared_data();
    let mut outs = vec![folder.run(&["check", "dns", "--verbose"]).exits(1).out];
    if let Some(data) = shared {
        outs.push(super::run(&data.join("dns-repos"), &["check", "ocf-bind", "--verbose"], b"").exits(1).out);
    }
    for out in outs {
        let mut after_place = false;
        for line in out.lines() {
            let snippet = after_place;
            after_place = line.trim_start().split(' ').count() == 1 && line.contains(':');
            let unbreakable = line.split(' ').any(|word| word.chars().count() > 60) || line.contains("fix  publish");
            assert!(line.chars().count() <= 80 || snippet || unbreakable, "{line}");
        }
    }
}

#[test]
fn the_width_of_the_terminal_is_followed() {
    let folder = zones();
    let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_mailvet"))
        .args(["check", "dns"])
        .current_dir(folder.path(""))
        .env("COLUMNS", "200")
        .output()
        .unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().lines().any(|line| line.chars().count() > 90));
}

#[test]
fn colour_is_for_terminals_and_for_those_who_ask() {
    let folder = zones();
    assert!(!folder.run(&["check", "dns"]).out.contains('\u{1b}'));
    assert!(folder.run(&["check", "dns", "--color", "always"]).out.contains("\u{1b}["));
    assert!(!folder.run(&["check", "dns", "--color", "never"]).out.contains('\u{1b}'));
    // A file never holds colour.
    folder.run(&["check", "dns", "--color", "always", "--output", "text=out.txt"]);
    assert!(!folder.read("out.txt").contains('\u{1b}'));
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let folder = zones();
    for format in FORMATS {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_mailvet"))
            .args(["check", "dns", "--format", format])
            .current_dir(folder.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{format}");
        assert_eq!(output.status.code(), Some(1), "{format}");
    }
    for args in
        [&["pack", "list"][..], &["schema", "assessment"], &["man"], &["completions", "bash"], &["pack", "docs"]]
    {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_mailvet"))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
    }
}

#[test]
fn an_explanation_does_not_say_the_same_thing_twice() {
    let folder = zones();
    let report = folder.run(&["check", "dns", "--format", "json"]).json();
    for finding in report["findings"].as_array().unwrap() {
        for key in ["because", "also"] {
            let Some(reasons) = finding[key].as_array() else { continue };
            for (index, reason) in reasons.iter().enumerate() {
                let same = |other: &Value| other["sentence"] == reason["sentence"] && other["place"] == reason["place"];
                assert!(!reasons[..index].iter().any(same), "{finding}");
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let folder = zones();
    for format in FORMATS {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_mailvet"))
            .args(["check", "dns", "--format", format])
            .current_dir(folder.path(""))
            .stdout(std::fs::File::options().write(true).open("/dev/full").unwrap())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{format}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("No space left"), "{format}");
    }
}
