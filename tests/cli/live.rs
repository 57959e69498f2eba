//! Live runs against a name server in this process, on loopback: what is asked, reported, stored and replayed.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use super::{FORMATS, Folder, findings};

pub(super) const A: u16 = 1;
const NS: u16 = 2;
const SOA: u16 = 6;
pub(super) const MX: u16 = 15;
pub(super) const TXT: u16 = 16;

/// A name server that follows a table, and never answers about names that hold `silent`.
pub(super) struct Server {
    pub(super) address: String,
    /// Names that were asked for.
    asked: mpsc::Receiver<String>,
}

pub(super) type Table = BTreeMap<(String, u16), Vec<Vec<u8>>>;

impl Server {
    pub(super) fn start(table: Table) -> Server {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let (sender, asked) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let (name, end) = question(&buffer[..length]);
                let silent = name.contains("silent");
                if !silent {
                    let _ = socket.send_to(&reply(&table, &buffer[..length], &name, end), from);
                }
                let _ = sender.send(name);
            }
        });
        Server { address, asked }
    }

    /// The names that were asked for since the last call.
    pub(super) fn forget(&self) -> Vec<String> {
        self.asked.try_iter().collect()
    }
}

/// The name that is asked for in lower case, and where it ends.
fn question(query: &[u8]) -> (String, usize) {
    let (mut at, mut labels) = (12, Vec::new());
    while query[at] != 0 {
        let length = usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..=at + length]).to_lowercase());
        at += length + 1;
    }
    (labels.join("."), at + 1)
}

fn reply(table: &Table, query: &[u8], name: &str, end: usize) -> Vec<u8> {
    let rtype = u16::from_be_bytes([query[end], query[end + 1]]);
    let records = table.get(&(name.to_owned(), rtype)).map(Vec::as_slice).unwrap_or_default();
    let exists = table.keys().any(|(known, _)| known == name || known.ends_with(&format!(".{name}")));
    let mut out = query[..2].to_vec();
    out.extend([
        0x80 | (query[2] & 1),
        if exists { 0x80 } else { 0x83 },
        0,
        1,
        0,
        u8::try_from(records.len()).unwrap(),
    ]);
    out.extend([0, u8::from(records.is_empty()), 0, 0]);
    out.extend(&query[12..end + 4]);
    for data in records {
        out.extend(record(&encoded(name), rtype, data));
    }
    if records.is_empty() {
        let zone = if name.ends_with("example.org") { "example.org" } else { "" };
        out.extend(record(&encoded(zone), SOA, &soa()));
    }
    out
}

fn record(owner: &[u8], rtype: u16, data: &[u8]) -> Vec<u8> {
    let mut out = owner.to_vec();
    out.extend(rtype.to_be_bytes());
    out.extend([0, 1, 0, 0, 14, 16]);
    out.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    out.extend(data);
    out
}

fn encoded(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        out.push(u8::try_from(label.len()).unwrap());
        out.extend(label.as_bytes());
    }
    out.push(0);
    out
}

fn soa() -> Vec<u8> {
    let mut data = [encoded("ns1.example.org"), encoded("hostmaster.example.org")].concat();
    [1u32, 7200, 3600, 1_209_600, 3600].iter().for_each(|number| data.extend(number.to_be_bytes()));
    data
}

pub(super) fn text(value: &str) -> Vec<u8> {
    [&[u8::try_from(value.len()).unwrap()], value.as_bytes()].concat()
}

pub(super) fn mx(preference: u16, host: &str) -> Vec<u8> {
    [preference.to_be_bytes().to_vec(), encoded(host)].concat()
}

/// example.org, which receives mail on loopback and has this SPF record.
pub(super) fn zone(spf: &str) -> Table {
    let at = |name: &str, rtype, data| ((name.to_owned(), rtype), vec![data]);
    BTreeMap::from([
        at("example.org", SOA, soa()),
        at("example.org", NS, encoded("ns1.example.org")),
        at("example.org", MX, mx(10, "mx1.example.org")),
        at("example.org", TXT, text(spf)),
        at("_dmarc.example.org", TXT, text("v=DMARC1; p=reject; sp=reject; rua=mailto:d@example.org")),
        at("mx1.example.org", A, vec![127, 0, 0, 1]),
        at("ns1.example.org", A, vec![127, 0, 0, 1]),
    ])
}

/// Arguments that keep a run on loopback.
const CALM: [&str; 4] = ["--no-authorities", "--no-validate", "--timeout", "1"];

pub(super) fn arguments<'a>(command: &'a str, server: &'a Server, more: &[&'a str]) -> Vec<&'a str> {
    [&[command, "--resolver", &server.address], &CALM[..], more].concat()
}

/// A port of loopback that nobody listens on.
pub(super) fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

#[test]
fn an_audit_judges_what_is_served_and_names_the_evidence() {
    let server = Server::start(zone("v=spf1 mx ~all"));
    let more = ["example.org", "--no-probe", "--only", "spoofing", "--format", "json"];
    let report = Folder::new().run(&arguments("audit", &server, &more)).exits(1).json();
    assert!(findings(&report).contains(&"spoofing/spf-not-enforced example.org fail".to_owned()), "{report:#}");
    let failed = report["findings"].as_array().unwrap().iter().find(|item| item["verdict"] == "fail").unwrap();
    let place = failed["place"]["file"].as_str().unwrap();
    assert!(place.starts_with("dns/example.org"), "{place}");
    assert_eq!(failed["evidence"].as_str().unwrap().len(), 64);
    assert_eq!(failed["because"][0]["evidence"], failed["evidence"]);
    let live = &report["coverage"]["live"];
    assert_eq!(live["resolvers"], serde_json::json!([server.address]));
    assert_eq!((live["domains"].as_u64(), live["services"].as_u64()), (Some(1), Some(0)));
    assert!(live["left_out"][0].as_str().unwrap().contains("--no-probe"));
}

#[test]
fn a_dead_resolver_lets_nothing_pass_or_fail() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let args = ["audit", "example.org", "--resolver", &address, "--no-probe", "--timeout", "0.3", "--format", "json"];
    let run = Folder::new().run(&args).exits(3);
    let report = run.json();
    assert_eq!((&report["counts"]["pass"], &report["counts"]["fail"]), (&0.into(), &0.into()), "{report:#}");
    assert!(report["counts"]["unknown"].as_u64().unwrap() > 0);
    assert_eq!(report["judged"], false);
}

#[test]
fn a_service_that_is_declared_is_unknown_when_closed_and_another_is_no_target() {
    let server = Server::start(zone("v=spf1 mx -all"));
    let port = closed_port();
    let more = ["example.org", "--smtp-port", &port, "--ports", "465", "--format", "json"];
    let report = Folder::new().run(&arguments("audit", &server, &more)).json();
    let live = &report["coverage"]["live"];
    let counts = ["hosts", "services", "unreachable"].map(|key| live[key].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 1], "{live:#}");
    assert_eq!(live["not_reached"][0]["target"], "mx1.example.org[127.0.0.1]:465", "{live:#}");
    let targets: Vec<&str> =
        report["targets"].as_array().unwrap().iter().map(|target| target["name"].as_str().unwrap()).collect();
    let service = format!("mx1.example.org[127.0.0.1]:{port}");
    assert_eq!(targets, ["example.org", "mx1.example.org[127.0.0.1]", &service]);
    for finding in report["findings"].as_array().unwrap().iter().filter(|item| item["target"] == service.as_str()) {
        assert_eq!(finding["verdict"], "unknown", "{finding:#}");
    }
}

#[test]
fn a_snapshot_gives_the_same_bytes_in_every_format() {
    let server = Server::start(zone("v=spf1 mx ~all"));
    let port = closed_port();
    for inventory in [false, true] {
        let folder = Folder::new();
        if inventory {
            folder.write("mailvet.yaml", "format: 1\ndomains:\n  - { name: example.org, roles: [receives, sends] }\n");
        }
        let outputs = |name: &str| FORMATS.map(|format| format!("--output={format}={name}/{format}"));
        let common = ["--as-of", "2026-11-21", "--verbose"];
        let (first, second) = (outputs("audit"), outputs("evaluate"));
        let more: Vec<&str> =
            ["example.org", "--smtp-port", &port, "--ports", "465", "--snapshot", "a.snapshot"].to_vec();
        let first: Vec<&str> = more.into_iter().chain(common).chain(first.iter().map(String::as_str)).collect();
        let audited = folder.run(&arguments("audit", &server, &first)).exits(1);
        let second: Vec<&str> =
            ["evaluate", "a.snapshot"].into_iter().chain(common).chain(second.iter().map(String::as_str)).collect();
        let evaluated = folder.run(&second).exits(1);
        assert_eq!(audited.out, evaluated.out);
        for format in FORMATS {
            let [one, other] = ["audit", "evaluate"].map(|name| folder.read(&format!("{name}/{format}")));
            assert!(one == other, "{format}:\n{one}\n---\n{other}");
        }
        assert!(audited.out.contains("evidence "), "{}", audited.out);
        assert!(!folder.path("a.snapshot.partial").exists());
        lines_are_as_their_schema_says(&folder.read("a.snapshot"));
        locations(&folder, inventory);
    }
}

pub(super) fn lines_are_as_their_schema_says(snapshot: &str) {
    let schema = mailvet::schema::generated().into_iter().find(|file| file.name == "snapshot").unwrap();
    let validator = jsonschema::draft202012::new(&serde_json::from_str(&schema.contents).unwrap()).unwrap();
    for line in snapshot.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{}", &line[..line.len().min(300)]);
    }
}

/// No report leads a reader to a file that does not exist.
fn locations(folder: &Folder, inventory: bool) {
    let sarif: Value = serde_json::from_str(&folder.read("audit/sarif")).unwrap();
    let run = &sarif["runs"][0];
    let uris: Vec<&Value> = run["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
        .collect();
    let wanted = if inventory { Value::from("mailvet.yaml") } else { Value::Null };
    assert!(uris.iter().all(|uri| **uri == wanted), "{uris:?}");
    let artifacts = run["artifacts"].as_array().unwrap();
    assert!(!artifacts.iter().any(|artifact| artifact["location"]["uri"].as_str().unwrap().starts_with("dns/")));
    let failed = run["results"].as_array().unwrap().iter().find(|result| result["kind"] == "fail").unwrap();
    assert_eq!(failed["properties"]["evidence"].as_str().unwrap().len(), 64, "{failed:#}");
    assert_eq!(folder.read("audit/github").contains("file="), inventory);
}

#[test]
fn hosts_services_and_senders_of_the_inventory_belong_to_a_run_over_all_of_it() {
    let server = Server::start(zone("v=spf1 mx -all"));
    let port = closed_port();
    let folder = Folder::new();
    let service = format!("services: [{{ protocol: imap, port: {port} }}]");
    folder.write(
        "mailvet.yaml",
        format!(
            "format: 1\nsenders: [{{ ip: 127.0.0.9 }}]\nhosts:\n  - {{ name: mail.example.org, addresses: [127.0.0.2], \
             {service} }}\n  - {{ name: mx1.example.org, {service} }}\n  - {{ name: gone.example.org }}\ndomains:\n  \
             - {{ name: example.org }}\n"
        ),
    );
    let targets = |more: &[&str]| -> Vec<String> {
        let smtp = closed_port();
        let more = [&["--smtp-port", &smtp, "--format", "json"], more].concat();
        let report = folder.run(&arguments("audit", &server, &more)).json();
        let left = report["coverage"]["live"].to_string();
        let whole = report["coverage"]["live"]["not_reached"].to_string();
        assert_eq!(whole.contains("gone.example.org"), !left.contains("domains were named"), "{left}");
        let names = report["targets"].as_array().unwrap().iter().filter(|target| target["kind"] != "domain");
        names.map(|target| target["name"].as_str().unwrap().to_owned()).collect()
    };
    let all = targets(&[]);
    let imap = |host: &str| format!("{host}:{port}");
    let has = |names: &[String], name: &str| names.iter().any(|known| known == name);
    for name in ["[127.0.0.9]", "mail.example.org[127.0.0.2]", "mx1.example.org[127.0.0.1]"] {
        assert!(has(&all, name), "{name}: {all:?}");
    }
    assert!(
        has(&all, &imap("mail.example.org[127.0.0.2]")) && has(&all, &imap("mx1.example.org[127.0.0.1]")),
        "{all:?}"
    );
    let named = targets(&["example.org"]);
    assert!(has(&named, &imap("mx1.example.org[127.0.0.1]")) && has(&named, "[127.0.0.9]"), "{named:?}");
    assert!(!named.iter().any(|name| name.starts_with("mail.example.org")), "{named:?}");
}

#[test]
fn collect_judges_nothing_and_evaluate_judges_what_it_wrote() {
    let server = Server::start(zone("v=spf1 mx ~all"));
    let folder = Folder::new();
    let more = ["example.org", "--no-probe", "--snapshot", "out/a.snapshot"];
    let run = folder.run(&arguments("collect", &server, &more)).exits(0);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("", ""));
    let report = folder.run(&["evaluate", "out/a.snapshot", "--only", "spoofing", "--format", "json"]).exits(1).json();
    assert!(findings(&report).contains(&"spoofing/spf-not-enforced example.org fail".to_owned()));
    let other = ["evaluate", "out/a.snapshot", "--only", "spoofing/dmarc-missing", "--format", "json"];
    folder.run(&other).exits(0);
}

#[test]
fn a_snapshot_that_is_cut_changed_or_none_is_refused() {
    let server = Server::start(zone("v=spf1 mx ~all"));
    let folder = Folder::new();
    folder.run(&arguments("collect", &server, &["example.org", "--no-probe", "--snapshot", "a"])).exits(0);
    let whole = folder.read("a");
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    folder.write("cut", lines[..lines.len() - 1].concat());
    folder.run(&["evaluate", "cut"]).exits(2).says(&["cut cannot be used", "the snapshot ends early"]);
    folder.write("torn", &whole[..whole.len() - 30]);
    folder.run(&["evaluate", "torn"]).exits(2).says(&["the snapshot ends early"]);
    folder.write("changed", whole.replacen("p=reject", "p=none__", 1));
    folder.run(&["evaluate", "changed"]).exits(2).says(&["was changed after it was written"]);
    folder.write("newer", whole.replacen("\"format\":1", "\"format\":9", 1));
    folder.run(&["evaluate", "newer"]).exits(2).says(&["format 9"]);
    folder.write("zone", super::GOOD);
    folder.run(&["evaluate", "zone"]).exits(2).says(&["line 1: this is not a mailvet snapshot"]);
    folder.run(&["evaluate", "nowhere"]).exits(2).says(&["cannot read nowhere"]);
}

#[test]
fn arguments_are_checked_before_a_packet_is_sent() {
    let server = Server::start(Table::new());
    let folder = Folder::new();
    folder.write("list", "example.org\n# a comment\nnot a name..\n");
    folder.write("ca.pem", "no certificate");
    for (more, message) in [
        (&["example.org", "--ports", "26"][..], "--ports 26"),
        (&["example.org", "--ehlo", "a b"], "--ehlo a b"),
        (&["example.org", "--ca-file", "ca.pem"], "--ca-file ca.pem"),
        (&["example.org", "--profile", "nothing"], "no profile or file is called"),
        (&["example.org", "--output", "sarif"], "expected FORMAT=FILE"),
        (&["--domains-file", "list"], "list:3:"),
        (&["192.0.2.1"], "expected the name of a mail domain"),
        (&["example.org", "--ipv6", "--source-address", "192.0.2.1"], "--source-address 192.0.2.1"),
        (&["example.org", "--per-host", "0"], "0 is not in 1.."),
        (&["example.org", "--snapshot", "list/a"], "cannot write the snapshot list/a"),
        (&[], "say what to look at"),
    ] {
        folder.run(&arguments("audit", &server, more)).exits(2).says(&[message]);
    }
    assert!(server.asked.try_recv().is_err());
}

#[test]
fn an_inventory_with_dns_files_is_judged_offline_like_check() {
    let folder = Folder::with(&[
        ("mailvet.yaml", "format: 1\ndns: { files: [dns/] }\ndomains:\n  - { name: example.com, roles: [sends] }\n"),
        ("dns/example.com.zone", super::BAD),
    ]);
    let audited = folder.run(&["audit", "--format", "json"]).exits(1);
    let checked = folder.run(&["check", "--format", "json"]).exits(1);
    assert_eq!(audited.out, checked.out);
    assert!(audited.err.contains("DNS comes from the files of the inventory"));
    assert_eq!(audited.err.lines().count(), 1, "{}", audited.err);
    folder.run(&["audit", "--snapshot", "a"]).exits(2).says(&["nothing is collected"]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_reports_what_it_has_and_lists_what_it_has_not() {
    use std::io::Read as _;
    use std::process::{Command, Stdio};
    let server = Server::start(zone("v=spf1 mx -all"));
    let folder = Folder::new();
    let more =
        ["example.org", "silent.example", "--no-probe", "--only", "spoofing", "--format", "json", "--timeout", "300"];
    let args = [&["audit", "--resolver", &server.address, "--no-authorities", "--no-validate"][..], &more].concat();
    let mut child = Command::new(env!("CARGO_BIN_EXE_mailvet"))
        .args(&args)
        .current_dir(folder.path(""))
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !server.asked.recv_timeout(Duration::from_secs(60)).unwrap().contains("silent") {}
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3), "{out}\n{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    let interrupted = report["coverage"]["live"]["interrupted"].as_array().unwrap();
    assert!(interrupted.contains(&"silent.example".into()), "{interrupted:?}");
    assert_eq!(report["coverage"]["diagnostics"][0]["code"], "interrupted");
    assert!(err.contains("what was collected is kept"), "{err}");
}
