//! Two runs against a name server in this process: what changed, since when, and what the exit codes say.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::live::{A, MX, Server, TXT, Table, arguments, lines_are_as_their_schema_says, mx, text, zone};
use super::{FORMATS, Folder};

/// The zone before: one mail exchanger, and a DMARC policy that rejects.
fn before() -> Table {
    zone("v=spf1 mx ~all")
}

/// The zone after: SPF is strict and includes somebody, there is a second mail exchanger, DMARC rejects nothing.
fn after() -> Table {
    let mut table = zone("v=spf1 mx include:_spf.example.org -all");
    table.insert(("_spf.example.org".to_owned(), TXT), vec![text("v=spf1 ip4:192.0.2.0/24 -all")]);
    table.insert(("_dmarc.example.org".to_owned(), TXT), vec![text("v=DMARC1; p=none; rua=mailto:d@example.org")]);
    table.insert(("example.org".to_owned(), MX), vec![mx(10, "mx1.example.org"), mx(20, "mx2.example.org")]);
    table.insert(("mx2.example.org".to_owned(), A), vec![vec![127, 0, 0, 2]]);
    table
}

/// Writes a snapshot of a zone, as if collected on a day.
fn collect(folder: &Folder, table: Table, name: &str, day: &str) {
    let server = Server::start(table);
    folder.run(&arguments("collect", &server, &["example.org", "--no-probe", "--snapshot", name])).exits(0);
    date(folder, name, day);
}

/// Makes a snapshot one of another day, with a last line that fits.
fn date(folder: &Folder, name: &str, day: &str) {
    let whole = folder.read(name);
    let mut lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let mut header: Value = serde_json::from_str(lines[0]).unwrap();
    let mut end: Value = serde_json::from_str(lines.pop().unwrap()).unwrap();
    header["header"]["started"] = format!("{day}T08:00:00Z").into();
    let body = format!("{header}\n{}", lines[1..].concat());
    end["end"]["sha256"] = data_encoding::HEXLOWER.encode(&Sha256::digest(body.as_bytes())).into();
    folder.write(name, format!("{body}{end}\n"));
}

fn two() -> Folder {
    let folder = Folder::new();
    collect(&folder, before(), "old", "2026-10-01");
    collect(&folder, after(), "new", "2026-11-01");
    folder
}

/// `change rule target` of every finding, sorted.
fn changes(difference: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let items = difference["findings"].as_array().unwrap().iter();
    let mut changes: Vec<String> = items
        .map(|item| format!("{} {} {}", text(&item["change"]), text(&item["rule"]), text(&item["name"])))
        .collect();
    changes.sort();
    changes
}

/// Every fact that changed, by path.
fn fact<'a>(difference: &'a Value, path: &str) -> &'a Value {
    let all = difference["facts"].as_array().unwrap().iter().flat_map(|target| target["changes"].as_array().unwrap());
    let mut found = all.filter(|change| change["path"] == path);
    found.next().unwrap_or_else(|| panic!("{path} is missing in {:#}", difference["facts"]))
}

#[test]
fn findings_targets_and_facts_are_compared() {
    let folder = two();
    let args =
        ["diff", "old", "new", "--format", "json", "--output", "markdown=out/diff.md", "--output", "text=diff.txt"];
    let run = folder.run(&args).exits(1);
    let difference = run.json();
    let schema = mailvet::schema::generated().into_iter().find(|file| file.name == "difference").unwrap();
    let validator = jsonschema::draft202012::new(&serde_json::from_str(&schema.contents).unwrap()).unwrap();
    let errors: Vec<String> = validator.iter_errors(&difference).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());

    let found = changes(&difference);
    for expected in ["new spoofing/dmarc-not-enforced example.org", "fixed spoofing/spf-not-enforced example.org"] {
        assert!(found.contains(&expected.to_owned()), "{expected} is missing in {found:#?}");
    }
    assert_eq!(fact(&difference, "dmarc.policy")["before"], "reject");
    assert_eq!(fact(&difference, "dmarc.policy")["after"], "none");
    assert_eq!(fact(&difference, "dns.mx[mx2.example.org]")["change"], "added");
    assert_eq!(fact(&difference, "spf.includes[_spf.example.org]")["change"], "added");
    assert_eq!(difference["targets_appeared"][0]["name"], "mx2.example.org[127.0.0.2]");
    assert_eq!(
        (&difference["old"]["collected"], &difference["old"]["as_of"]),
        (&"2026-10-01".into(), &"2026-10-01".into())
    );
    assert_eq!(difference["new"]["as_of"], "2026-11-01");
    assert_eq!(difference["profile"], "default");

    let text = folder.read("diff.txt");
    for part in [
        "New (",
        "Fixed (",
        "dmarc.policy: reject -> none",
        "Targets that appeared (1)",
        "old: old, collected on 2026-10-01",
    ] {
        assert!(text.contains(part), "`{part}` is missing in:\n{text}");
    }
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let markdown = folder.read("out/diff.md");
    for part in ["### New (", "| Target | Fact | Before | After |", "dmarc.policy | reject | none |"] {
        assert!(markdown.contains(part), "`{part}` is missing in:\n{markdown}");
    }
}

#[test]
fn a_snapshot_does_not_differ_from_itself_and_directions_mirror() {
    let folder = two();
    let own = folder.run(&["diff", "new", "new", "--format", "json"]).exits(0).json();
    assert_eq!((&own["findings"], &own["facts"]), (&serde_json::json!([]), &serde_json::json!([])));
    folder.run(&["diff", "new", "new"]).exits(0).prints(&["0 new, 0 worse, 0 fixed, "]);
    let there = folder.run(&["diff", "old", "new", "--format", "json"]).exits(1).json();
    let back = folder.run(&["diff", "new", "old", "--format", "json"]).exits(1);
    assert!(back.err.contains("are they in the right order?"), "{}", back.err);
    let back = back.json();
    let of = |difference: &Value, change: &str| -> Vec<String> {
        let found = changes(difference);
        found.iter().filter_map(|item| item.strip_prefix(&format!("{change} "))).map(str::to_owned).collect()
    };
    for (one, other) in [("fixed", "new"), ("gone", "appeared"), ("new", "fixed"), ("appeared", "gone")] {
        assert_eq!(of(&there, one), of(&back, other));
    }
    assert!(!of(&there, "new").is_empty() && !of(&there, "fixed").is_empty());
}

#[test]
fn the_exit_code_tells_new_from_unknown_from_nothing() {
    let folder = two();
    let only = |rule: &'static str, more: &[&'static str]| {
        let args = [&["diff", "old", "new", "--only", rule][..], more].concat();
        folder.run(&args).code
    };
    assert_eq!(only("spoofing/spf-not-enforced", &[]), 0, "what is fixed is nothing new");
    assert_eq!(only("spoofing/dmarc-not-enforced", &[]), 1);
    assert_eq!(only("spoofing/dmarc-not-enforced", &["--exit-zero"]), 0);
    assert_eq!(only("spoofing/dmarc-not-enforced", &["--fail-on", "critical"]), 0);
    let more = ["silent.example", "example.org", "--no-probe", "--snapshot", "dead", "--timeout", "0.2"];
    let resolver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = resolver.local_addr().unwrap().to_string();
    let args = [&["collect", "--resolver", &address, "--no-authorities", "--no-validate"][..], &more].concat();
    folder.run(&args);
    let run = folder.run(&["diff", "new", "dead", "--only", "spoofing", "--format", "json"]).exits(3);
    let found = changes(&run.json());
    assert!(found.iter().any(|item| item.starts_with("became-unknown ")), "{found:?}");
    assert!(!found.iter().any(|item| item.starts_with("fixed ")), "what cannot be looked at is not fixed: {found:?}");
}

#[test]
fn wrong_usage_is_told() {
    let folder = two();
    folder.write("torn", &folder.read("old")[..500]);
    for (args, message) in [
        (&["diff", "old", "torn"][..], "torn cannot be used"),
        (&["diff", "nowhere", "new"], "cannot read nowhere"),
        (&["diff", "old"], "NEW"),
        (&["diff", "old", "new", "--format", "sarif"], "sarif"),
        (&["diff", "old", "new", "--output", "sarif=x"], "no such format `sarif`"),
        (&["diff", "old", "new", "--output", "json"], "expected FORMAT=FILE"),
        (&["evaluate", "old", "--previous", "new"], "after this run (2026-10-01)"),
        (&["evaluate", "new", "--previous", "torn"], "--previous torn"),
    ] {
        folder.run(args).exits(2).says(&[message]);
    }
}

/// The history of one rule's finding in a JSON report.
fn history(report: &Value, rule: &str) -> Value {
    let found = report["findings"].as_array().unwrap().iter().find(|item| item["rule"] == rule);
    found.unwrap_or_else(|| panic!("{rule} is missing"))["history"].clone()
}

#[test]
fn a_finding_keeps_its_first_day_over_three_runs_and_regresses() {
    let folder = Folder::new();
    let audit = |table: Table, name: &str, day: &str, previous: Option<&str>| {
        let server = Server::start(table);
        let mut more = vec!["example.org", "--no-probe", "--only", "spoofing", "--snapshot", name, "--exit-zero"];
        more.extend(previous.into_iter().flat_map(|previous| ["--previous", previous]));
        folder.run(&arguments("audit", &server, &more)).exits(0);
        date(&folder, name, day);
    };
    audit(before(), "one", "2026-10-01", None);
    audit(after(), "two", "2026-10-15", Some("one"));
    audit(before(), "three", "2026-11-01", Some("two"));
    lines_are_as_their_schema_says(&folder.read("three"));

    let common = ["--only", "spoofing", "--as-of", "2026-11-01", "--exit-zero", "--format", "json"];
    let report = |name: &str| folder.run(&[&["evaluate", name][..], &common].concat()).exits(0).json();
    assert_eq!(history(&report("one"), "spoofing/spf-not-enforced"), Value::Null);
    let two = report("two");
    assert_eq!(two["previous"]["date"], "2026-10-01");
    let ended = two["previous"]["ended"].as_array().unwrap();
    let spf = ended.iter().find(|item| item["rule"] == "spoofing/spf-not-enforced").unwrap();
    assert_eq!((&spf["fixed"], &spf["first_seen"], &spf["now"]), (&true.into(), &"2026-10-01".into(), &"pass".into()));
    assert_eq!(history(&two, "spoofing/dmarc-not-enforced")["state"], "new");

    let three = report("three");
    let expected = serde_json::json!({
        "state": "new", "first_seen": "2026-10-01", "last_seen": "2026-11-01", "regressed": true
    });
    assert_eq!(history(&three, "spoofing/spf-not-enforced"), expected);
    assert!(three["previous"]["counts"]["regressed"].as_u64().unwrap() > 0);
    // What the snapshot holds of the earlier run, and the earlier run itself, say the same.
    let again = [&["evaluate", "three", "--previous", "two"][..], &common].concat();
    assert_eq!(folder.run(&again).json(), three);

    let more = ["--only", "spoofing", "--exit-zero", "--verbose"];
    let text = folder.run(&[&["evaluate", "three"][..], &more].concat());
    text.prints(&[
        "compared with the run of 2026-10-15",
        "first seen on 2026-10-01, mended since and back; new",
        "Fixed since",
    ]);
    let markdown = folder.run(&[&["evaluate", "three"][..], &more, &["--format", "markdown"]].concat());
    markdown.prints(&["first seen on 2026-10-01, mended since and back; new", "### Fixed since 2026-10-15"]);
}

#[test]
fn sarif_has_a_baseline_state_for_every_result() {
    let folder = two();
    let args = ["evaluate", "old", "--no-inventory", "--previous", "old", "--format", "sarif", "--exit-zero"];
    let states = |args: &[&str]| -> Vec<(String, String)> {
        let log = folder.run(args).exits(0).json();
        let results = log["runs"][0]["results"].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
        results
            .iter()
            .map(|result| {
                let target = text(&result["properties"]["target"]);
                (text(&result["baselineState"]), format!("{} {target}", text(&result["ruleId"])))
            })
            .collect()
    };
    let own = states(&args);
    assert!(!own.is_empty() && own.iter().all(|(state, _)| state == "unchanged"), "{own:?}");
    let later = states(&["evaluate", "new", "--previous", "old", "--format", "sarif", "--exit-zero"]);
    let has = |state: &str, result: &str| later.contains(&(state.to_owned(), result.to_owned()));
    assert!(has("new", "spoofing/dmarc-not-enforced example.org"), "{later:?}");
    assert!(has("updated", "spoofing/spf-not-enforced example.org"), "{later:?}");
    date(&folder, "new", "2026-09-01");
    let gone = states(&["evaluate", "old", "--previous", "new", "--format", "sarif", "--exit-zero"]);
    let absent: Vec<_> = gone.iter().filter(|(state, _)| state == "absent").collect();
    assert!(absent.iter().all(|(_, result)| result.ends_with("mx2.example.org[127.0.0.2]")), "{absent:?}");
    assert!(!absent.is_empty(), "{gone:?}");
}

#[test]
fn a_snapshot_with_a_history_gives_the_same_bytes_in_every_format() {
    let folder = Folder::new();
    collect(&folder, after(), "earlier", "2026-10-01");
    let server = Server::start(before());
    let outputs = |name: &str| FORMATS.map(|format| format!("--output={format}={name}/{format}"));
    let (first, second) = (outputs("audit"), outputs("evaluate"));
    let common = ["--as-of", "2026-11-21", "--verbose", "--exit-zero"];
    let more = ["example.org", "--no-probe", "--previous", "earlier", "--snapshot", "later"];
    let first: Vec<&str> = more.into_iter().chain(common).chain(first.iter().map(String::as_str)).collect();
    folder.run(&arguments("audit", &server, &first)).exits(0).prints(&["compared with the run of 2026-10-01"]);
    let second: Vec<&str> =
        ["evaluate", "later"].into_iter().chain(common).chain(second.iter().map(String::as_str)).collect();
    folder.run(&second).exits(0);
    for format in FORMATS {
        let [one, other] = ["audit", "evaluate"].map(|name| folder.read(&format!("{name}/{format}")));
        assert!(one == other, "{format}:\n{one}\n---\n{other}");
    }
}
