//! Runs on real repositories, and findings that point at exactly the characters that are wrong.

use serde_json::Value;

use super::{Folder, run};
use crate::support::shared_data;

/// Every place in a value, at any depth.
fn places<'a>(value: &'a Value, out: &mut Vec<&'a Value>) {
    match value {
        Value::Object(map) => {
            if map.contains_key("file") && map.contains_key("line") && map.contains_key("column") {
                out.push(value);
            }
            map.values().for_each(|value| places(value, out));
        }
        Value::Array(items) => items.iter().for_each(|value| places(value, out)),
        _ => {}
    }
}

/// Fails unless every finding has a place, and every place lies within an existing file, line and column.
fn check_places(folder: &std::path::Path, report: &Value) {
    for finding in report["findings"].as_array().unwrap() {
        assert!(finding["place"].is_object(), "{finding}");
    }
    let mut found = Vec::new();
    places(&report["findings"], &mut found);
    places(&report["coverage"], &mut found);
    assert!(!found.is_empty());
    for place in found {
        let bytes = std::fs::read(folder.join(place["file"].as_str().unwrap())).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let number = |key: &str| usize::try_from(place[key].as_u64().unwrap()).unwrap();
        let line = |number: usize| {
            text.split('\n').nth(number - 1).unwrap_or_else(|| panic!("no such line: {place}")).chars().count()
        };
        assert!(number("line") >= 1 && number("column") >= 1, "{place}");
        assert!(number("column") <= line(number("line")) + 1, "{place}");
        assert!((number("line"), number("column")) <= (number("end_line"), number("end_column")), "{place}");
        assert!(number("end_column") <= line(number("end_line")) + 1, "{place}");
    }
}

#[test]
fn an_octodns_repository_is_judged() {
    let Some(data) = shared_data() else { return };
    let root = data.join("dns-repos");
    let folder = "python-discord-octodns-split";
    let report = run(&root, &["check", folder, "--format", "json"], b"").exits(1).json();
    check_places(&root, &report);
    let names: Vec<&str> = report["coverage"]["not_evaluated"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"grafana.pydis.wtf"), "{names:?}");
    run(&root, &["check", folder], b"").exits(1).prints(&["not evaluated", "the record is proxied"]);
}

/// The file that the finding of a rule about a domain points into, and the text of the line.
fn places_of(folder: &std::path::Path, report: &Value, rule: &str, target: &str) -> (String, String) {
    let findings = report["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["rule"] == rule && finding["target"] == target).unwrap();
    let place = &finding["place"];
    let file = place["file"].as_str().unwrap();
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let line = text.lines().nth(usize::try_from(place["line"].as_u64().unwrap()).unwrap() - 1).unwrap();
    (file.to_owned(), line.trim().to_owned())
}

#[test]
fn what_an_octodns_name_lacks_is_shown_at_the_name() {
    let folder = Folder::with(&[(
        "example.org.yaml",
        "a: {type: A, value: 9.9.9.9}\n'': {type: MX, value: {preference: 1, exchange: a.example.org.}}\n\
         m:\n  type: MX\n  value: {preference: 1, exchange: a.example.org.}\n",
    )]);
    let report = folder.run(&["check", "example.org.yaml", "--format", "json"]).exits(1).json();
    for (target, expected) in [("example.org", "'': {type: MX"), ("m.example.org", "m:")] {
        let (_, line) = places_of(&folder.path(""), &report, "transport-dns/mta-sts-missing", target);
        assert!(line.starts_with(expected), "{target}: {line}");
    }
    let Some(data) = shared_data() else { return };
    let root = data.join("dns-repos");
    let report = run(&root, &["check", "python-discord-octodns-split", "--format", "json"], b"").json();
    let (file, line) = places_of(&root, &report, "transport-dns/mta-sts-missing", "int.pydis.wtf");
    assert!(!file.ends_with("box.yaml"), "{file}: {line}");
}

#[test]
fn a_bind_repository_is_judged() {
    let Some(data) = shared_data() else { return };
    let root = data.join("dns-repos");
    let report = run(&root, &["check", "ocf-bind", "--format", "json"], b"").exits(1).json();
    check_places(&root, &report);
    let ignored: Vec<&str> =
        report["coverage"]["ignored"].as_array().unwrap().iter().map(|item| item["path"].as_str().unwrap()).collect();
    assert!(ignored.contains(&"ocf-bind/templates/db.ocf.tmpl"), "{ignored:?}");
    run(&root, &["check", "ocf-bind"], b"").exits(1).prints(&["What was read", "a template"]);
}

/// Lines and columns of a file whose text `~all` a finding should cover: (start line, start column, end line, end column).
fn spf_region(folder: &Folder, file: &str, format: &str) -> (u64, u64, u64, u64) {
    let report = folder.run(&["check", file, "--format", format]).exits(1).json();
    let results = report["runs"][0]["results"].as_array().unwrap();
    let result = results
        .iter()
        .find(|result| {
            result["ruleId"] == "spoofing/spf-not-enforced" && result["kind"].as_str().is_none_or(|kind| kind == "fail")
        })
        .unwrap_or_else(|| panic!("{format} {file}: {}", folder.read(file)));
    let region = &result["locations"][0]["physicalLocation"]["region"];
    let number = |key: &str| region[key].as_u64();
    let line = number("startLine").unwrap();
    (line, number("startColumn").unwrap(), number("endLine").unwrap_or(line), number("endColumn").unwrap())
}

#[test]
fn a_finding_points_at_the_characters_of_all_in_chunks_and_escapes() {
    let start = "$ORIGIN example.org.\n$TTL 60\n@ IN SOA ns1 h 1 7200 3600 1209600 60\n@ NS ns1\n@ NS ns2.example.net.\nns1 A 9.9.9.9\n";
    // The marks are not part of the file: they stand around the characters that the finding must cover.
    let zones = [
        r#"@ TXT "v=spf1 ip4:9.9.9.9 «~all»""#,
        r#"@ TXT "v=spf1 ip4:9.9.9.9 " "«\126al" "l»""#,
        r#"@ TXT "v=spf1 ip4:9.9.9.9 «~" "all»""#,
        "@ TXT (\n  \"v=spf1 ip4:9.9.9.9\" ; one\n  \" «~a\" ; two\n  \"ll»\" )",
        r#"@ TXT "v=spf1 ip4:9.9.9.9 «\~\a\ll»""#,
        r"@ TXT v=spf1\032ip4:9.9.9.9\032«~all»",
    ];
    let yaml = [
        "'':\n  type: TXT\n  value: v=spf1 ip4:9.9.9.9 «~all»\n",
        "'':\n  type: TXT\n  value: \"v=spf1 ip4:9.9.9.9 «\\x7eal\\x6c»\"\n",
        "'':\n  type: TXT\n  value: '\"v=spf1 ip4:9.9.9.9 \" \"«~al\" \"l»\"'\n",
        "'':\n  type: TXT\n  value: \"\\\"v=spf1 ip4:9.9.9.9 \\\" \\\"«\\u007eal\\\" \\\"l»\\\"\"\n",
        "'':\n  - type: TXT\n    values:\n      - first\n      - >-\n        v=spf1 ip4:9.9.9.9\n        «~all»\n",
        "'': { type: TXT, values: [\u{e9}\u{4e2d}\u{1f4e7}, v=spf1 ip4:9.9.9.9 «~all»] }\n",
        "'':\n  type: TXT\n  value: \"v=spf1 \\\n    ip4:9.9.9.9 «~a\\\n    ll»\"\n",
    ];
    let zones = zones.iter().map(|text| ("example.org.zone", format!("{start}{text}\n")));
    let yaml = yaml.iter().map(|text| ("example.org.yaml", format!("---\n{text}")));
    for (file, marked) in zones.chain(yaml) {
        let place = |mark: char| {
            let before: String = marked.chars().take_while(|c| *c != mark).filter(|c| *c != '«').collect();
            let line = before.matches('\n').count() as u64 + 1;
            (line, before.rsplit('\n').next().unwrap().chars().count() as u64 + 1)
        };
        let (from, to) = (place('«'), place('»'));
        let folder = Folder::with(&[(file, &marked.replace(['«', '»'], ""))]);
        for format in ["sarif", "sarif-github", "sarif-gitlab"] {
            let expected = (from.0, from.1, to.0, to.1);
            assert_eq!(spf_region(&folder, file, format), expected, "{format}: {marked}");
        }
    }
}
