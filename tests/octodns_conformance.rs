//! Reads octoDNS repositories that nobody of this project wrote, and compares them with octoDNS where it is installed.
//!
//! `MAILVET_PYTHON` names the Python that can import octoDNS; without it, `python3` is tried.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a failing test panics, a skipped one says so")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use mailvet::diag::Files;
use mailvet::sources::discover::{Discovery, Options, discover};
use mailvet::sources::tree::Tree;
use mailvet::sources::{RData, Record, Store};

struct Read {
    files: Files,
    store: Store,
    discovery: Discovery,
}

fn read(path: &Path) -> Read {
    let (mut files, mut store) = (Files::default(), Store::new());
    let paths = [path.to_owned()];
    let discovery = discover(&Tree::Disk, &paths, &Options::default(), &mut files, &mut store).unwrap();
    Read { files, store, discovery }
}

/// Records by owner and type: TTL and sorted values as octoDNS shows them.
type Sets = BTreeMap<(String, String), (Option<u32>, Vec<String>)>;

fn sets(records: impl Iterator<Item = Record>) -> Sets {
    let mut sets = Sets::new();
    for record in records {
        let key = (record.owner.to_dotted(), record.rtype.to_string());
        let set = sets.entry(key).or_default();
        set.0 = record.ttl;
        set.1.push(shown(&record.data));
        set.1.sort();
    }
    sets
}

fn shown(data: &RData) -> String {
    match data {
        RData::A(address, _) => address.to_string(),
        RData::Aaaa(address, _) => address.to_string(),
        RData::Cname(name, _) | RData::Ns(name, _) | RData::Ptr(name, _) => name.to_dotted(),
        RData::Mx { preference, exchange, .. } => format!("{preference} {}", exchange.to_dotted()),
        RData::Txt(text) => text.lossy().into_owned(),
        RData::Caa { flags, tag, value, .. } => format!("{flags} {tag} \"{value}\""),
        RData::Tlsa { usage, selector, matching_type, data, .. } => {
            format!("{usage} {selector} {matching_type} {}", data_encoding::HEXLOWER.encode(data))
        }
        RData::Other(text) => text.clone(),
        RData::Soa(_) | RData::Malformed { .. } => format!("{data:?}"),
    }
}

/// What octoDNS reads: known sets, and owner and type of those it computes. `None` when octoDNS is not installed.
fn oracle(folder: &Path, zone: &str, extension: &str, ttl: u32) -> Option<(Sets, BTreeSet<(String, String)>)> {
    let python = std::env::var("MAILVET_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/octodns_dump.py");
    let output =
        Command::new(python).arg(script).arg(folder).args([zone, extension, &ttl.to_string()]).output().ok()?;
    if output.status.code() == Some(3) {
        return None;
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut sets, mut computed) = (Sets::new(), BTreeSet::new());
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| record[key].as_str().unwrap().to_owned();
        let key = (text("name"), text("type"));
        if record["computed"].as_bool().unwrap() {
            computed.insert(key);
            continue;
        }
        let values = record["values"].as_array().unwrap();
        let values = values.iter().map(|value| value.as_str().unwrap().to_owned()).collect();
        sets.insert(key, (record["ttl"].as_u64().and_then(|ttl| u32::try_from(ttl).ok()), values));
    }
    Some((sets, computed))
}

fn compare(read: &Read, folder: &Path, zone: &str, extension: &str, ttl: u32) -> bool {
    let Some((expected, computed)) = oracle(folder, zone, extension, ttl) else {
        println!("skipped: octoDNS is not installed");
        return false;
    };
    let origin = zone.trim_end_matches('.');
    let records = read.store.records(&read.files);
    let ours = sets(records.filter(|(found, _)| found.as_str() == origin).map(|(_, record)| record));
    // Without a configuration the default TTL is not known to us.
    let ours: Sets = ours.into_iter().map(|(key, (found, values))| (key, (found.or(Some(ttl)), values))).collect();
    assert_eq!(ours, expected, "{zone}");
    let unknown = read.store.coverage().not_evaluated;
    for (name, rtype) in computed {
        let bare = name.trim_end_matches('.');
        assert!(unknown.iter().any(|entry| entry.name == bare), "{name} {rtype} is computed, and not marked");
    }
    true
}

fn data(path: &str) -> Option<PathBuf> {
    let found = support::shared_data().map(|data| data.join(path)).filter(|path| path.is_dir());
    if found.is_none() {
        println!("skipped: real inputs not present");
    }
    found
}

#[test]
fn a_real_repository_with_split_zones_is_read_as_octodns_reads_it() {
    let Some(root) = data("dns-repos/python-discord-octodns-split") else { return };
    let read = read(&root);
    let zones: Vec<String> = read.store.zones().map(|zone| zone.origin.to_string()).collect();
    assert_eq!(zones, ["pydis.com", "pydis.org", "pydis.wtf", "pythondiscord.com", "pythondiscord.org"]);
    let diagnostics = read.store.coverage().diagnostics;
    let shown: String = diagnostics.iter().map(|diagnostic| diagnostic.render(&read.files)).collect();
    assert!(diagnostics.is_empty(), "{shown}");
    for zone in zones {
        if !compare(&read, &root.join("dns/zones"), &format!("{zone}."), ".zone", 300) {
            return;
        }
    }
}

#[test]
fn the_test_zones_of_octodns_are_read_as_octodns_reads_them() {
    let Some(root) = data("conformance/octodns/config") else { return };
    for (path, zone, extension) in [
        ("unit.tests.yaml", "unit.tests.", "-"),
        ("dynamic.tests.yaml", "dynamic.tests.", "-"),
        ("subzone.unit.tests.yaml", "subzone.unit.tests.", "-"),
    ] {
        if !compare(&read(&root.join(path)), &root, zone, extension, 3600) {
            return;
        }
    }
    let split = root.join("split/unit.tests.tst");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("unit.tests.tst")).unwrap();
    for entry in std::fs::read_dir(split).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join("unit.tests.tst").join(entry.file_name())).unwrap();
    }
    compare(&read(folder.path()), folder.path(), "unit.tests.", ".tst", 3600);
}

#[test]
fn every_position_of_a_text_points_at_its_octet() {
    let Some(root) = data("dns-repos/python-discord-octodns-split") else { return };
    let read = read(&root);
    let mut texts = 0;
    for (_, record) in read.store.records(&read.files) {
        let RData::Txt(text) = &record.data else { continue };
        texts += 1;
        for (index, byte) in text.bytes.iter().enumerate() {
            let place = text.place(index..index + 1);
            let written = &read.files.get(place.file).bytes[place.start as usize..place.end as usize];
            assert_eq!(written.last(), Some(byte), "{:?}", String::from_utf8_lossy(written));
        }
    }
    assert!(texts > 10);
}

#[test]
fn all_configurations_of_octodns_end_in_zones_or_messages() {
    let Some(root) = data("conformance/octodns") else { return };
    let read = read(&root);
    assert!(read.discovery.read["octodns-config"] > 20);
    for diagnostic in read.store.coverage().diagnostics {
        let _ = diagnostic.render(&read.files);
    }
    for entry in std::fs::read_dir(root.join("config")).unwrap() {
        let path = entry.unwrap().path();
        let (mut files, mut store) = (Files::default(), Store::new());
        let _ = discover(&Tree::Disk, &[path], &Options::default(), &mut files, &mut store);
    }
}

#[test]
fn a_real_bind_repository_is_found_by_its_named_conf() {
    let Some(root) = data("dns-repos/ocf-bind") else { return };
    let read = read(&root);
    let zones: BTreeSet<String> = read.store.zones().map(|zone| format!("{} {}", zone.origin, zone.format)).collect();
    for zone in ["ocf.io", "ocf.berkeley.edu", "226.229.169.in-addr.arpa", "letsencrypt.ocf.io"] {
        assert!(zones.contains(&format!("{zone} bind")), "{zone}: {zones:?}");
    }
    assert_eq!(zones.len(), 9);
    let ignored: Vec<String> =
        read.discovery.ignored.iter().map(|file| format!("{}: {}", file.path, file.reason)).collect();
    for part in ["etc/db.ocf: no zone of its own: read through", "db.ocf.tmpl: a template", "check-zones: "] {
        assert!(ignored.iter().any(|line| line.contains(part)), "{part}: {ignored:#?}");
    }
    let codes: Vec<_> = read.store.coverage().diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    assert!(!codes.contains(&"zone-include"), "{codes:?}");
}
