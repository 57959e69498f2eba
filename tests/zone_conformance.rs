//! Zone files that nobody of this project wrote: none makes the reader panic, and where BIND is installed and loads a
//! file, our records are those of `named-compilezone`.
//!
//! The output of BIND is split here by white space, not by our reader, so that a fault of the reader shows.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on panics, and one that skips says so"
)]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use mailvet::diag::Files;
use mailvet::mail::Name;
use mailvet::sources::{RecordType, Store, bind};

/// Types whose text has a syntax of its own that is not normalised; they are compared by owner, TTL and type only.
const LOOSE: &[&str] = &[
    "LOC", "WKS", "APL", "NSAP", "IPSECKEY", "AMTRELAY", "HIP", "NXT", "A6", "NID", "L64", "EUI48", "EUI64", "ATMA",
    "DOA", "SINK", "SVCB", "HTTPS", "X25", "GPOS", "UNSPEC", "KEY", "SIG",
];

/// Files that BIND loads in another way on purpose, with the reason.
const DIFFERENT: &[(&str, &str)] =
    &[("bind9-fuzz-master_load/date.db", "after `$DATE` it depends on the clock which records BIND serves")];

#[test]
fn records_equal_those_of_bind() {
    let Some(data) = support::shared_data() else {
        println!("skipped: real inputs not present");
        return;
    };
    let mut paths = Vec::new();
    for folder in ["conformance/zonefile", "dns-repos/ocf-bind/etc/zones", "conformance/octodns/octodns-bind-zones"] {
        files_below(&data.join(folder), &mut paths);
    }
    paths.sort();
    let compilezone = Command::new("named-compilezone").arg("-v").output().is_ok();
    if !compilezone {
        println!("skipped: named-compilezone is not installed; only panics are looked for");
    }
    let (mut read, mut loaded, mut records, mut wrong) = (0, 0, 0, Vec::new());
    for path in &paths {
        let bytes = std::fs::read(path).unwrap();
        let origin = bind::find_origin(&bytes).or_else(|| by_file_name(path));
        let Some(origin) = origin else { continue };
        let (_, class) = ours(path, &bytes, &origin);
        read += 1;
        if !compilezone || DIFFERENT.iter().any(|(name, _)| path.ends_with(name)) {
            continue;
        }
        let Some((bytes, theirs)) = theirs(path, bytes, &origin, class) else { continue };
        loaded += 1;
        records += theirs.values().sum::<usize>();
        let (ours, _) = ours(path, &bytes, &origin);
        let differences = differences(&ours, &theirs);
        if !differences.is_empty() {
            wrong.push(format!("{} as {origin}:\n{}", path.display(), differences.join("\n")));
        }
    }
    println!(
        "{} files, {read} read, {loaded} loaded by BIND with {records} records, {} differ",
        paths.len(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!compilezone || loaded > 100, "most files must be comparable");
}

/// The comparison itself can fail.
#[test]
fn a_missing_record_is_a_difference() {
    let one = BTreeMap::from([("a".to_owned(), 1)]);
    assert!(differences(&one, &one).is_empty());
    assert_eq!(differences(&one, &BTreeMap::new()).len(), 1);
    assert_eq!(differences(&BTreeMap::new(), &one).len(), 1);
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}

/// `db.example.org`, `example.org.zone`, `example.org.` and the like.
fn by_file_name(path: &Path) -> Option<Name> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_prefix("db.").unwrap_or(name);
    let name = name.strip_suffix(".zone").or_else(|| name.strip_suffix(".good")).unwrap_or(name);
    Name::parse(name).ok()
}

type Records = BTreeMap<String, usize>;

fn ours(path: &Path, bytes: &[u8], origin: &Name) -> (Records, &'static str) {
    let mut files = Files::default();
    let file = files.add(path.display().to_string(), bytes);
    let mut store = Store::new();
    let folder = path.parent().unwrap().to_owned();
    let mut include = |files: &mut Files, written: &str, _| {
        let found = folder.join(written);
        std::fs::read(&found)
            .map(|bytes| files.add(found.display().to_string(), bytes))
            .map_err(|error| error.to_string())
    };
    bind::read_zone(&mut store, &mut files, file, Some(origin.clone()), &mut include).unwrap();
    store.finish(&files);
    let mut records = Records::new();
    for (_, record) in store.records(&files) {
        let rdata = bind::presentation(&record);
        let rtype = record.rtype.to_string();
        let key = key(record.owner.as_str(), record.ttl, &rtype, &rdata);
        // Equal records are one record (RFC 2181 section 5); the SOA stands twice in zone transfers.
        records.insert(key, 1);
    }
    let coverage = store.coverage();
    for diagnostic in &coverage.diagnostics {
        assert!(!diagnostic.render(&files).is_empty());
    }
    let chaos = coverage
        .diagnostics
        .iter()
        .any(|message| message.code == "zone-class" && message.message.contains("not of class IN"));
    (records, if chaos { "CH" } else { "IN" })
}

/// The records as BIND writes them, and the bytes it read: many of the files are fragments, so what BIND misses at the
/// apex (SOA, NS, addresses of name servers) is appended until it loads the zone or complains about something else.
fn theirs(path: &Path, mut bytes: Vec<u8>, origin: &Name, class: &str) -> Option<(Vec<u8>, Records)> {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("zone");
    let apex = origin.to_dotted();
    for _ in 0..12 {
        std::fs::write(&copy, &bytes).unwrap();
        let output = Command::new("named-compilezone")
            .args(["-j", "-i", "none", "-k", "ignore", "-m", "ignore", "-M", "ignore", "-S", "ignore", "-n", "ignore"])
            .args(["-r", "ignore", "-T", "ignore", "-s", "full", "-c", class, "-w"])
            .arg(path.parent().unwrap())
            .args(["-o", "-", &apex])
            .arg(&copy)
            .output()
            .ok()?;
        if output.status.success() {
            return Some((bytes, split(&String::from_utf8_lossy(&output.stdout))));
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        let line = if errors.contains("has 0 SOA records") {
            format!("{apex} 60 {class} SOA ns.invalid. hostmaster.invalid. 1 2 3 4 5")
        } else if errors.contains("has no NS records") {
            format!("{apex} 60 {class} NS ns.invalid.")
        } else if let Some((_, rest)) = errors.split_once("NS '").filter(|(_, rest)| rest.contains("has no address")) {
            format!("{}. 60 {class} A 192.0.2.1", rest.split('\'').next()?)
        } else {
            return None;
        };
        bytes.extend_from_slice(format!("\n{line}\n").as_bytes());
    }
    None
}

/// Splits what BIND writes: one record in each line, every field present.
fn split(text: &str) -> Records {
    let mut records = Records::new();
    for line in text.lines().filter(|line| !line.starts_with(';')) {
        let mut rest = line;
        let mut next = || {
            let trimmed = rest.trim_start();
            let end = trimmed.find([' ', '\t']).unwrap_or(trimmed.len());
            let (word, tail) = trimmed.split_at(end);
            rest = tail;
            word.to_owned()
        };
        let (owner, ttl, _, rtype) = (next(), next(), next(), next());
        let rtype = RecordType::parse(&rtype).map_or(rtype, |known| known.to_string());
        let owner = Name::from_master(owner.as_bytes(), &Name::root()).unwrap();
        records.insert(key(owner.as_str(), ttl.parse().ok(), &rtype, rest.trim()), 1);
    }
    records
}

/// One line per record in which only differences of meaning are left.
fn key(owner: &str, ttl: Option<u32>, rtype: &str, rdata: &str) -> String {
    let ttl = ttl.map_or("-".to_owned(), |ttl| ttl.to_string());
    let rdata = match rtype {
        "TXT" | "SPF" | "HINFO" | "NAPTR" | "CAA" | "URI" | "AVC" => rdata.to_owned(),
        _ if LOOSE.contains(&rtype) => String::new(),
        // Base64 and hexadecimal digits come in pieces, and the case of names does not matter.
        _ => plain(rdata),
    };
    format!("{owner} {ttl} {rtype} {rdata}")
}

fn plain(rdata: &str) -> String {
    let rdata = rdata.split("; ").next().unwrap_or("");
    rdata
        .chars()
        .filter(|character| !matches!(character, ' ' | '\t' | '(' | ')'))
        .collect::<String>()
        .to_ascii_lowercase()
}

fn differences(ours: &Records, theirs: &Records) -> Vec<String> {
    let more = ours.keys().filter(|key| !theirs.contains_key(*key)).map(|key| format!("  only ours:   {key}"));
    let less = theirs.keys().filter(|key| !ours.contains_key(*key)).map(|key| format!("  only BIND's: {key}"));
    more.chain(less).collect()
}
