//! `mailvet report`: what the document is made from, for whom, and what happens where nothing prints.

use std::fs;
use std::process::Command;

use mailvet::bundle::verify;

use super::{BAD, Folder};

/// The bundle `b` of an audit of DNS files by an inventory with a picture.
fn audited() -> Folder {
    let inventory = "format: 1\norganisation: { name: Example Ltd, engagement: IA-7, classification: Internal, logo: logo.png }\n\
                     dns: { files: [dns/] }\ndomains:\n  - { name: example.com, roles: [sends], owner: Mail Team }\n";
    let folder = Folder::with(&[("mailvet.yaml", inventory), ("dns/example.com.zone", BAD)]);
    folder.write("logo.png", LOGO);
    folder.run(&["audit", "--out", "b", "--as-of", "2026-11-21", "--quiet"]).exits(1);
    folder
}

/// The beginning of a PNG file.
const LOGO: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR";

#[test]
fn a_document_names_the_digest_of_the_bundle_it_was_made_from() {
    let folder = audited();
    let digest = verify(&folder.path("b"), None).unwrap().manifest_sha256.unwrap();
    folder.run(&["report", "b", "-o", "r.html"]).exits(0);
    let page = folder.read("r.html");
    assert!(page.contains(&format!("<meta name=\"mailvet-evidence-sha256\" content=\"{digest}\">")));
    for text in
        ["Example Ltd", "IA-7", "Internal", "Mail Team", "How mail flows: example.com", "data:image/png;base64,"]
    {
        assert!(page.contains(text), "{text}");
    }
    // The page inside the bundle cannot name the digest of the bundle, so it names that of the snapshot.
    let inside = folder.read("b/data/report.html");
    let snapshot = mailvet::bundle::sha256(&fs::read(folder.path("b/data/snapshot.jsonl")).unwrap());
    assert!(inside.contains(&snapshot) && !inside.contains(&digest));
    // Away from the inventory and its picture, the bundle says the same.
    let elsewhere = Folder::with(&[]);
    fs::rename(folder.path("b"), elsewhere.path("b")).unwrap();
    elsewhere.run(&["evaluate", "b"]).exits(1).says(&["byte-identical"]);
    assert_eq!(elsewhere.run(&["report", "b"]).exits(0).out, page);
}

#[test]
fn the_audience_chooses_the_depth() {
    let folder = audited();
    let page = |audience: &str| folder.run(&["report", "b", "--audience", audience]).exits(0).out;
    let (short, whole) = (page("executive"), page("auditor"));
    assert!(short.len() < whole.len());
    assert!(!short.contains("id=\"evidence\"") && whole.contains("id=\"evidence\""));
    assert!(!page("engineer").contains("id=\"sign-off\""));
    folder.run(&["report", "b", "--audience", "auditors"]).exits(2).says(&["auditors"]);
}

#[test]
fn any_other_format_is_the_same_as_that_of_evaluate() {
    let folder = audited();
    let evaluated = folder.run(&["evaluate", "b", "--format", "json", "--quiet"]).out;
    assert_eq!(folder.run(&["report", "b", "--format", "json"]).exits(0).out, evaluated);
}

#[test]
fn where_nothing_prints_one_line_says_how_to_get_it() {
    let folder = audited();
    folder.run(&["report", "b", "--format", "pdf"]).exits(2).says(&["a PDF needs a file: -o report.pdf"]);
    let output = Command::new(env!("CARGO_BIN_EXE_mailvet"))
        .args(["report", "b", "--format", "pdf", "-o", "r.pdf"])
        .current_dir(folder.path("."))
        .env_clear()
        .env("PATH", folder.path("."))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    assert!(said.contains("needs Chromium or WeasyPrint in the PATH"), "{said}");
    assert!(!folder.path("r.pdf").exists());
}

#[test]
fn a_picture_that_is_none_is_refused_before_anything_is_judged() {
    let folder = audited();
    folder.write("logo.png", "<svg onload=alert(1)>");
    folder.run(&["check", "--output", "html=r.html"]).exits(2).says(&["logo.png", "not a PNG file"]);
    assert!(!folder.path("r.html").exists());
}
