//! Evidence bundles: what they hold, that every change to them is named, that they are replayed to the same bytes, that a
//! killed run leaves nothing that looks whole and is not, and that signatures are those of OpenSSH.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mailvet::bundle::{Bundle, BundleError, Event, Record, Start, verify};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::Value;

use super::live::{Server, TXT, Table, arguments, closed_port, text, zone};
use super::{Folder, findings};

/// A folder with DNS files, a profile with a built-in and a pack of its own, waivers, and a key.
fn organisation() -> Folder {
    let folder = Folder::with(&[
        (
            "mailvet.yaml",
            "format: 1\nwaivers: [waivers.yaml]\ndns: { files: [dns/] }\ndomains:\n  - { name: example.com, roles: [sends] }\n",
        ),
        ("dns/example.com.zone", super::BAD),
        ("dns/broken.zone", "$ORIGIN example.net.\n@ IN SOA broken\n@ TXT \"x\"\n"),
        (
            "waivers.yaml",
            "waivers:\n  - id: W-1\n    rule: spoofing/spf-not-enforced\n    target: example.com\n    reason: a list server rewrites \
             it until it is replaced\n    created: 2026-10-01\n    expires: 2026-12-01\n    approved_by: ciso@example.com\n",
        ),
    ]);
    folder.write("key", private_key(7));
    folder
}

/// The file of an Ed25519 key, as OpenSSH writes it.
fn private_key(seed: u8) -> String {
    let seed = [seed; 32];
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let string = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
    let point = pair.public_key().as_ref();
    let public = [string(b"ssh-ed25519"), string(point)].concat();
    let check = 1u32.to_be_bytes();
    let secret = [&seed[..], point].concat();
    let private = [&check[..], &check, &public, &string(&secret), &string(b""), &[1, 2, 3, 4, 5]].concat();
    let none = string(b"none");
    let one = 1u32.to_be_bytes();
    let all =
        [&b"openssh-key-v1\0"[..], &none, &none, &string(b""), &one, &string(&public), &string(&private)].concat();
    let text = data_encoding::BASE64.encode(&all);
    let lines = text.as_bytes().chunks(70).map(|line| format!("{}\n", String::from_utf8_lossy(line)));
    format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{}-----END OPENSSH PRIVATE KEY-----\n", lines.collect::<String>())
}

/// A bundle of an audit of DNS files, signed.
fn signed() -> Folder {
    let folder = organisation();
    folder.run(&["audit", "--out", "b", "--sign", "key", "--as-of", "2026-11-21", "--quiet"]).exits(1);
    folder
}

/// Paths of all files below a folder, with `/`, sorted.
fn files(root: &Path) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

/// What verifying says: `changed data/run.json`.
fn problems(bundle: &Path) -> Vec<String> {
    let verified = verify(bundle, None).unwrap();
    verified.problems.iter().map(|problem| format!("{} {}", problem.what, problem.path)).collect()
}

#[test]
fn every_byte_that_is_flipped_is_reported_by_the_name_of_its_file() {
    let folder = signed();
    let bundle = folder.path("b");
    assert!(problems(&bundle).is_empty());
    let all = files(&bundle);
    assert!(all.len() > 50, "{all:?}");
    for name in &all {
        let path = bundle.join(name);
        let whole = fs::read(&path).unwrap();
        let places =
            [0, whole.len() / 3, whole.len() / 2, whole.len().saturating_sub(2), whole.len().saturating_sub(1)];
        for at in BTreeSet::from(places) {
            let mut changed = whole.clone();
            match changed.get_mut(at) {
                Some(byte) => *byte ^= 1,
                None => changed.push(b'x'),
            }
            fs::write(&path, &changed).unwrap();
            assert_eq!(problems(&bundle), [format!("changed {name}")], "byte {at} of {name}");
        }
        fs::write(&path, &whole).unwrap();
    }
    assert!(problems(&bundle).is_empty());
}

#[test]
fn every_file_that_is_removed_or_added_is_reported_by_name() {
    let folder = signed();
    let bundle = folder.path("b");
    let all = files(&bundle);
    let mut folders = BTreeSet::from([String::new()]);
    for name in &all {
        let path = bundle.join(name);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let found = problems(&bundle);
        assert!(found.contains(&format!("removed {name}")), "{name}: {found:?}");
        // The folder that became empty is reported too, when the file was the only one in it.
        assert!(found.iter().all(|found| found == &format!("removed {name}") || found.ends_with('/')), "{found:?}");
        fs::write(&path, &whole).unwrap();
        folders.extend(name.rsplit_once('/').map(|(folder, _)| format!("{folder}/")));
    }
    for below in &folders {
        for name in ["added", ".hidden", "INCOMPLETE2"] {
            let name = format!("{below}{name}");
            fs::write(bundle.join(&name), "x").unwrap();
            assert_eq!(problems(&bundle), [format!("added {name}")]);
            fs::remove_file(bundle.join(&name)).unwrap();
        }
        let name = format!("{below}new");
        fs::create_dir(bundle.join(&name)).unwrap();
        assert_eq!(problems(&bundle), [format!("added {name}/")]);
        fs::remove_dir(bundle.join(&name)).unwrap();
    }
    #[cfg(unix)]
    {
        let moved = bundle.join("data/run.json");
        fs::rename(&moved, folder.path("elsewhere.json")).unwrap();
        std::os::unix::fs::symlink(folder.path("elsewhere.json"), &moved).unwrap();
        assert!(problems(&bundle).contains(&"added data/run.json".to_owned()), "a link is no file of a bundle");
    }
}

/// Whoever rewrites a file and all manifests without the key is found out by the custody log, or by the signature.
#[test]
fn manifests_that_were_rewritten_do_not_help() {
    let folder = signed();
    let bundle = folder.path("b");
    let digest = |name: &str| mailvet::bundle::sha256(&fs::read(bundle.join(name)).unwrap());
    let replace = |name: &str, old: &str, new: &str| {
        let text = fs::read_to_string(bundle.join(name)).unwrap();
        assert!(text.contains(old), "{name}");
        fs::write(bundle.join(name), text.replace(old, new)).unwrap();
    };
    let rewrite = |name: &str, old: &str, new: &str| {
        let before = [digest(name), digest("manifest-sha256.txt")];
        replace(name, old, new);
        replace("manifest-sha256.txt", &before[0], &digest(name));
        replace("tagmanifest-sha256.txt", &before[1], &digest("manifest-sha256.txt"));
    };
    rewrite("data/results.md", "fail", "pass");
    let found = problems(&bundle);
    assert!(found.contains(&"changed data/custody.jsonl".to_owned()), "{found:?}");
    assert!(found.contains(&"changed manifest-sha256.txt.sig".to_owned()), "{found:?}");
    let run = folder.run(&["verify", "b"]).exits(1);
    assert!(run.out.contains("it does not seal what manifest-sha256.txt lists"), "{}", run.out);
}

/// One file of a zip: its name, and where its header starts, its data start and both end.
struct Packed {
    name: String,
    header: usize,
    data: usize,
    end: usize,
}

/// The files of a zip without compression and extra fields, and where its directory starts.
fn packed(zip: &[u8]) -> (Vec<Packed>, usize) {
    let number = |at: usize, count: usize| -> usize {
        zip[at..at + count].iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    let (mut found, mut at) = (Vec::new(), 0);
    while zip[at..].starts_with(b"PK\x03\x04") {
        let data = at + 30 + number(at + 26, 2);
        let name = String::from_utf8(zip[at + 30..data].to_vec()).unwrap();
        let end = data + number(at + 22, 4);
        found.push(Packed { name: name.split_once('/').unwrap().1.to_owned(), header: at, data, end });
        at = end;
    }
    (found, at)
}

#[test]
fn a_zip_is_the_same_bundle_in_one_file() {
    let folder = organisation();
    folder.run(&["audit", "--out", "2026-11.zip", "--sign", "key", "--as-of", "2026-11-21"]).exits(1);
    assert!(!folder.path("2026-11.zip.partial").exists());
    folder.run(&["verify", "2026-11.zip"]).exits(0).prints(&["2026-11.zip: as it was sealed", "signature  by"]);
    let run = folder.run(&["evaluate", "2026-11.zip"]).exits(1);
    assert!(run.err.contains("byte-identical"), "{}", run.err);
    // One of the DNS files cannot be read, which no comparison may hide.
    folder.run(&["diff", "2026-11.zip", "2026-11.zip"]).exits(3).prints(&["0 new, 0 worse"]);
    let run = folder.run(&["audit", "--previous", "2026-11.zip", "--format", "json"]).exits(1);
    assert!(run.json()["previous"].is_object());
    folder.run(&["audit", "--out", "2026-11.zip"]).exits(2).says(&["2026-11.zip exists already"]);
    folder.run(&["collect", "--resume", "2026-11.zip"]).exits(2).says(&["2026-11.zip is a complete bundle"]);
    // What it holds is the folder, as any program unpacks it.
    let unzip = Command::new("unzip").args(["-q", "2026-11.zip"]).current_dir(folder.path("")).status();
    if !unzip.is_ok_and(|status| status.success()) {
        return println!("skipped: there is no unzip");
    }
    folder.run(&["verify", "2026-11"]).exits(0).prints(&["as it was sealed"]);
    let test = Command::new("unzip").args(["-tq", "2026-11.zip"]).current_dir(folder.path("")).output().unwrap();
    assert!(test.status.success(), "{test:?}");
    // Another program packs otherwise; then nobody can say what was put between the files.
    let zip = Command::new("zip").args(["-qr", "other.zip", "2026-11"]).current_dir(folder.path("")).status();
    if zip.is_ok_and(|status| status.success()) {
        folder.run(&["verify", "other.zip"]).exits(2).says(&["another program has packed it; unzip it"]);
    }
}

#[test]
fn every_change_to_a_zip_is_reported_by_the_name_of_its_file() {
    let folder = organisation();
    folder.run(&["audit", "--out", "b.zip", "--sign", "key", "--as-of", "2026-11-21", "--quiet"]).exits(1);
    let path = folder.path("b.zip");
    let whole = fs::read(&path).unwrap();
    let (all, directory) = packed(&whole);
    assert!(all.len() > 50 && problems(&path).is_empty());
    let after = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        match verify(&path, None) {
            Ok(verified) => {
                verified.problems.iter().map(|problem| format!("{} {}", problem.what, problem.path)).collect()
            }
            Err(BundleError::Changed(..)) => vec!["changed b.zip".to_owned()],
            Err(error) => panic!("{error}"),
        }
    };
    let mut line = directory;
    for file in &all {
        let (name, length) = (&file.name, file.data - file.header + 16);
        for at in BTreeSet::from([file.data, (file.data + file.end) / 2, file.end - 1]) {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            if at < file.end && at >= file.data {
                assert_eq!(after(&changed), [format!("changed {name}")], "byte {at}");
            }
        }
        // Any byte of its header, and of its line in the directory. A name that was changed is another file's.
        for at in (file.header..file.data).step_by(23).chain((line..line + length).step_by(29)) {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            let found = after(&changed);
            assert!(found.iter().any(|found| found.ends_with(&format!(" {name}"))), "byte {at} of {name}: {found:?}");
        }
        // Taken out, with all that the directory says of it.
        let gone = file.end - file.header;
        let mut removed = [&whole[..file.header], &whole[file.end..line], &whole[line + length..]].concat();
        let mut at = line - gone;
        while removed[at..].starts_with(b"PK\x01\x02") {
            let offset = u32::from_le_bytes(removed[at + 42..at + 46].try_into().unwrap()) - gone as u32;
            removed[at + 42..at + 46].copy_from_slice(&offset.to_le_bytes());
            at += 46 + usize::from(removed[at + 28]) + 256 * usize::from(removed[at + 29]);
        }
        let count = (all.len() as u16 - 1).to_le_bytes();
        removed[at + 8..at + 12].copy_from_slice(&[count, count].concat());
        let (size, start) = ((at - (directory - gone)) as u32, (directory - gone) as u32);
        removed[at + 12..at + 20].copy_from_slice(&[size.to_le_bytes(), start.to_le_bytes()].concat());
        assert_eq!(after(&removed), [format!("removed {name}")]);
        line += length;
    }
    for at in line..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        assert!(after(&changed).contains(&"changed b.zip".to_owned()), "byte {at} of the end");
    }
    assert!(after(&[&whole[..], b"x"].concat()).contains(&"changed b.zip".to_owned()));
    assert!(after(&[b"x", &whole[..]].concat()).contains(&"changed b.zip".to_owned()));
    assert!(after(&whole[..whole.len() / 2]).contains(&"changed b.zip".to_owned()));
    fs::write(&path, &whole).unwrap();
    fs::create_dir_all(folder.path("b/data")).unwrap();
    folder.write("b/data/added", "x");
    let zip = Command::new("zip").args(["-q", "b.zip", "b/data/added"]).current_dir(folder.path("")).status();
    if zip.is_ok_and(|status| status.success()) {
        let found = problems(&path);
        assert!(found.contains(&"added data/added".to_owned()), "{found:?}");
    }
}

#[test]
fn verify_says_what_it_found_and_exits_accordingly() {
    let folder = signed();
    let said =
        folder.run(&["verify", "b"]).exits(0).prints(&["b: as it was sealed", "custody    4 events", "--key tells"]);
    assert!(said.err.is_empty());
    folder.write("b/data/results.md", "all is well");
    folder
        .run(&["verify", "b"])
        .exits(1)
        .prints(&["changed   data/results.md: its SHA-256 is ", "b: not as it was sealed"]);
    folder.run(&["evaluate", "b"]).exits(2).says(&["b was changed after it was sealed", "data/results.md"]);
    folder.run(&["verify", "dns"]).exits(2).says(&["dns is no evidence bundle"]);
    folder.run(&["verify", "nowhere"]).exits(2).says(&["nowhere"]);
    folder.run(&["evaluate", "dns"]).exits(2).says(&["dns is no evidence bundle"]);
    folder.run(&["audit", "--out", "b"]).exits(2).says(&["b exists already; evidence is never overwritten"]);
    folder.run(&["audit", "--out", "key"]).exits(2).says(&["key exists already"]);
    folder.run(&["collect", "--resume", "b"]).exits(2).says(&["b is a complete bundle"]);
    folder.run(&["collect", "--resume", "dns"]).exits(2).says(&["dns is no evidence bundle"]);
    folder
        .run(&["audit", "--out", "c", "--sign", "mailvet.yaml"])
        .exits(2)
        .says(&["--sign mailvet.yaml", "no private key"]);
    assert!(!folder.path("c").exists());
}

#[test]
fn sha256sum_checks_a_bundle() {
    let folder = signed();
    let sum = |file: &str| {
        Command::new("sha256sum").args(["--check", "--strict", "--quiet", file]).current_dir(folder.path("b")).output()
    };
    let Ok(output) = sum("manifest-sha256.txt") else { return println!("skipped: there is no sha256sum") };
    assert!(output.status.success(), "{output:?}");
    assert!(sum("tagmanifest-sha256.txt").unwrap().status.success());
    folder.write("b/data/README.txt", "x");
    assert!(!sum("manifest-sha256.txt").unwrap().status.success());
}

#[test]
fn a_bundle_holds_what_the_run_read_used_and_said() {
    let folder = signed();
    let all = files(&folder.path("b"));
    for name in [
        "bagit.txt",
        "bag-info.txt",
        "manifest-sha256.txt",
        "tagmanifest-sha256.txt",
        "manifest-sha256.txt.sig",
        "attestation.intoto.jsonl",
        "data/README.txt",
        "data/run.json",
        "data/custody.jsonl",
        "data/snapshot.jsonl",
        "data/inputs/mailvet.yaml",
        "data/inputs/dns/example.com.zone",
        "data/policy/waivers.yaml",
        "data/policy/policies/profiles/default.yaml",
        "data/policy/policies/spoofing/spf.yaml",
        "data/results.json",
        "data/results.jsonl",
        "data/results.sarif",
        "data/results.md",
        "data/results.junit.xml",
        "data/results.csv",
        "data/results.oscal.json",
        "data/results.hdf.json",
        "data/report.html",
    ] {
        assert!(all.iter().any(|known| known == name), "{name} is missing in {all:#?}");
    }
    assert_eq!(folder.read("b/data/inputs/dns/example.com.zone"), super::BAD);
    let record: Value = serde_json::from_str(&folder.read("b/data/run.json")).unwrap();
    assert_eq!(record["arguments"][0], "audit");
    assert_eq!(record["tool"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(record["judged"]["as_of"], "2026-11-21");
    let report: Value = serde_json::from_str(&folder.read("b/data/results.json")).unwrap();
    assert!(findings(&report).contains(&"spoofing/spf-not-enforced example.com fail".to_owned()));
}

#[test]
fn a_replay_on_another_day_in_another_folder_gives_the_same_bytes() {
    // The audit has a day that is not today, so a replay that looked at the clock would differ: the waiver has an end.
    let folder = signed();
    let elsewhere = Folder::new();
    fs::rename(folder.path("b"), elsewhere.path("moved")).unwrap();
    elsewhere.write("mailvet.yaml", "this is another inventory, which must not be used");
    drop(folder);
    let run = elsewhere.run(&["evaluate", "moved"]).exits(1);
    assert!(
        run.err.contains(
            "byte-identical to the results of the bundle (json, jsonl, sarif, markdown, junit, csv, oscal, hdf, html)"
        ),
        "{}",
        run.err
    );
    let json = elsewhere.run(&["evaluate", "moved", "--format", "json", "--quiet"]).exits(1);
    assert_eq!(json.out, elsewhere.read("moved/data/results.json"));
    assert_eq!(json.err, "");
    // Another day and other rules are judged, and nothing is said to be the same.
    let later = elsewhere.run(&["evaluate", "moved", "--as-of", "2027-03-01", "--format", "json"]).exits(1);
    assert!(!later.err.contains("identical"), "{}", later.err);
    assert_eq!(later.json()["as_of"], "2027-03-01");
    let strict =
        elsewhere.run(&["evaluate", "moved", "--profile", "strict", "--no-inventory", "--format", "json"]).exits(1);
    assert!(!strict.err.contains("identical"), "{}", strict.err);
    let only = elsewhere.run(&["evaluate", "moved", "--only", "spoofing/dmarc-missing", "--format", "json"]);
    assert_eq!(only.json()["as_of"], "2026-11-21");
    assert!(!only.err.contains("identical"), "{}", only.err);
}

#[test]
fn a_live_audit_is_kept_and_replayed() {
    let server = Server::start(zone("v=spf1 mx ~all"));
    let port = closed_port();
    let folder = Folder::with(&[("list", "example.org\n")]);
    let more = ["--domains-file", "list", "--smtp-port", &port, "--out", "deep/b", "--only", "spoofing,mx-inventory"];
    let run = folder.run(&arguments("audit", &server, &more)).exits(1);
    assert!(run.err.contains("bundle deep/b: "), "{}", run.err);
    assert!(problems(&folder.path("deep/b")).is_empty());
    let all = files(&folder.path("deep/b"));
    let evidence: Vec<&String> = all.iter().filter(|name| name.starts_with("data/evidence/")).collect();
    for wanted in
        ["data/evidence/dns/example.org/MX", ".dns", "data/evidence/smtp/mx1.example.org[127.0.0.1]=3A", ".txt"]
    {
        assert!(evidence.iter().any(|name| name.contains(wanted)), "{wanted}: {evidence:#?}");
    }
    assert!(all.contains(&"data/inputs/list".to_owned()));
    for line in folder.read("deep/b/data/evidence.jsonl").lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let raw = fs::read(folder.path("deep/b").join(entry["raw"].as_str().unwrap())).unwrap();
        assert_eq!(entry["id"], mailvet::bundle::sha256(&raw), "{entry}");
    }
    let again = folder.run(&["evaluate", "deep/b", "--format", "json"]).exits(1);
    assert!(again.err.contains("byte-identical"), "{}", again.err);
    let record: Value = serde_json::from_str(&folder.read("deep/b/data/run.json")).unwrap();
    assert_eq!(record["vantage"]["resolvers"][0], server.address.as_str());
}

#[test]
fn a_collection_is_kept_without_a_verdict_and_judged_later() {
    let server = Server::start(zone("v=spf1 mx ~all"));
    let folder = Folder::new();
    let run =
        folder.run(&arguments("collect", &server, &["example.org", "--no-probe", "--out", "b", "--quiet"])).exits(0);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("", ""));
    assert!(problems(&folder.path("b")).is_empty());
    assert!(!folder.path("b/data/results.json").exists());
    let judged = folder.run(&["evaluate", "b", "--only", "spoofing", "--format", "json"]).exits(1);
    assert!(findings(&judged.json()).contains(&"spoofing/spf-not-enforced example.org fail".to_owned()));
    folder.run(&arguments("collect", &server, &["example.org"])).exits(2).says(&["--snapshot"]);
    folder.run(&arguments("collect", &server, &["example.org", "--out", "x", "--snapshot", "y"])).exits(2);
}

/// Replaces a text in the snapshot of a bundle and seals it anew, as whoever wants to deceive would do.
fn forged(folder: &Folder, bundle: &str, forgery: &str, old: &str, new: &str) {
    let root = folder.path(bundle);
    let record: Record = serde_json::from_slice(&fs::read(root.join("data/run.json")).unwrap()).unwrap();
    // Without the key, there can be no signature.
    let record = Record { signer: None, ..record };
    let Record { format, tool, arguments, operator, started, .. } = record.clone();
    let start = Start { incomplete: String::new(), format, tool, arguments, operator, started };
    let mut written = Bundle::begin(&folder.path(forgery), start).unwrap();
    for name in files(&root) {
        if !name.starts_with("data/") || ["data/run.json", "data/custody.jsonl"].contains(&name.as_str()) {
            continue;
        }
        let mut bytes = fs::read(root.join(&name)).unwrap();
        if name == "data/snapshot.jsonl" {
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.contains(old), "{old} is not in the snapshot");
            let text = text.replacen(old, new, 1);
            let (lines, end) = text.trim_end().rsplit_once('\n').unwrap();
            let mut end: Value = serde_json::from_str(end).unwrap();
            end["end"]["sha256"] = mailvet::bundle::sha256(format!("{lines}\n").as_bytes()).into();
            bytes = format!("{lines}\n{end}\n").into_bytes();
        }
        written.add(&name, &bytes).unwrap();
    }
    written.event(Event::Collected, "2026-11-21T00:00:00Z", Default::default()).unwrap();
    written.seal(&record, None).unwrap();
    assert_eq!(problems(&folder.path(forgery)), [""; 0]);
}

#[test]
fn the_facts_of_a_live_audit_are_rebuilt_from_what_was_received() {
    let server = Server::start(zone("v=spf1 mx ~all"));
    let port = closed_port();
    let folder = Folder::with(&[
        ("mailvet.yaml", "format: 1\ndomains:\n  - { name: example.org, mx: [mx1.example.org] }\n"),
        ("list", "example.org\nsilent.example.org # is not answered\n"),
    ]);
    // The last of a flag counts, so the short time is for the name that is not answered.
    let more = ["--domains-file", "list", "--smtp-port", &port, "--out", "b", "--as-of", "2026-11-21", "--quiet"];
    let mut args = arguments("audit", &server, &more);
    args.retain(|argument| *argument != "--quiet");
    let run = folder.run(&args);
    let code = run.code;
    let again = folder.run(&["evaluate", "b", "--from-raw"]).exits(code);
    assert!(again.err.contains("chains of certificates, without a difference"), "{}", again.err);
    assert!(again.err.contains("say that nobody answered"), "{}", again.err);
    assert!(again.err.contains("byte-identical to the results of the bundle"), "{}", again.err);
    // A fact that was changed by hand is told by its name, and the rebuilt one is judged.
    forged(&folder, "b", "forged.zip", "v=spf1 mx ~all\",\"from", "v=spf1 mx -all\",\"from");
    // Without that, only the page of the report betrays it: it names the digest of the snapshot it was made from.
    let plain = folder.run(&["evaluate", "forged.zip", "--quiet", "--exit-zero"]).exits(3);
    assert!(plain.err.contains(": html differ"), "{}", plain.err);
    let told = folder.run(&["evaluate", "forged.zip", "--from-raw", "--only", "spoofing/dmarc-missing"]).exits(3);
    let wanted = "warning: example.org: spf.text: stored \"v=spf1 mx -all\", rebuilt \"v=spf1 mx ~all\"";
    assert!(told.err.contains(wanted), "{}", told.err);
    assert!(told.err.contains("warning: 1 differences between the snapshot and what follows"), "{}", told.err);
    // So is a text that is not what the message says.
    forged(&folder, "b", "text", "IN TXT \\\"v=spf1 mx ~all", "IN TXT \\\"v=spf1 mx -all");
    let told = folder.run(&["evaluate", "text", "--from-raw", "--quiet"]);
    assert!(told.err.contains("its text is not what the message says"), "{}", told.err);
    let snapshot = fs::read(folder.path("b/data/snapshot.jsonl")).unwrap();
    folder.write("alone.jsonl", snapshot);
    folder.run(&["evaluate", "alone.jsonl", "--from-raw"]).exits(2).says(&["--from-raw needs a bundle"]);
}

/// A file that is too large to be read is no file that is fine, whichever it is.
#[test]
fn a_file_that_is_too_large_to_be_read_is_reported_by_name() {
    let folder = signed();
    for name in ["manifest-sha256.txt.sig", "attestation.intoto.jsonl", "bag-info.txt", "tagmanifest-sha256.txt"] {
        let path = folder.path(&format!("b/{name}"));
        let kept = fs::read(&path).unwrap();
        fs::write(&path, vec![b'x'; (1 << 24) + 1]).unwrap();
        folder.run(&["verify", "b"]).exits(1).prints(&[name, "larger than 16777216 bytes"]);
        fs::write(&path, kept).unwrap();
    }
    folder.run(&["verify", "b"]).exits(0);
}

#[test]
fn a_difference_is_judged_by_the_rules_of_the_later_bundle_unless_others_are_named() {
    let folder = organisation();
    folder.run(&["audit", "--as-of", "2026-11-21", "--out", "one", "--quiet", "--exit-zero"]).exits(0);
    let strict = ["audit", "--as-of", "2026-11-21", "--profile", "strict", "--out", "two", "--quiet", "--exit-zero"];
    folder.run(&strict).exits(0);
    for (args, profile) in [
        (&["one", "two"][..], "strict"),
        (&["two", "one"], "default"),
        (&["one", "two", "--profile", "default"], "default"),
    ] {
        let run = folder.run(&[&["diff", "--format", "json", "--exit-zero"], args].concat()).exits(0);
        assert_eq!(run.json()["profile"], profile, "{args:?}");
    }
}

#[test]
fn the_facts_of_an_audit_of_files_are_rebuilt_from_these_files() {
    let folder = signed();
    let run = folder.run(&["evaluate", "b", "--from-raw"]).exits(1);
    assert!(run.err.contains("the facts of 2 targets were rebuilt from"), "{}", run.err);
    assert!(run.err.contains("files, without a difference"), "{}", run.err);
    assert!(run.err.contains("byte-identical"), "{}", run.err);
    let count = "\"record_count\":{\"state\":\"present\",\"value\":";
    forged(&folder, "b", "forged", count, &format!("{count}4"));
    let run = folder.run(&["evaluate", "forged", "--from-raw"]).exits(1);
    assert!(run.err.contains("record_count: stored 4"), "{}", run.err);
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    /// From 0 to 1.
    fn throw(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % 10_000) as f64 / 10_000.0
    }
}

/// Starts an audit, kills it after some time, and says what it has left.
fn killed(folder: &Folder, args: &[&str], after: Duration) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mailvet"))
        .args(args)
        .current_dir(folder.path(""))
        .env_clear()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(after);
    // It may have ended by itself.
    let _ = child.kill();
    child.wait().unwrap();
}

/// Kills an audit at 20 moments; each time there is nothing, a whole bundle, or one that says it is incomplete and is gone
/// on with to the same findings. Gives how often it was incomplete.
fn kill_at_20_moments(folder: &Folder, args: &[&str], seed: u64) -> usize {
    let all = [args, &["--out", "whole", "--quiet"]].concat();
    let started = Instant::now();
    let code = folder.run(&all).code;
    let takes = started.elapsed();
    let wanted = judged(&folder.path("whole"));
    let (mut dice, mut incomplete) = (Dice(seed), 0);
    for number in 0..20 {
        let name = format!("b{number}{}", ["", ".zip"][number % 2]);
        let bundle = folder.path(&name);
        let all = [args, &["--out", &name, "--quiet"]].concat();
        killed(folder, &all, takes.mul_f64(dice.throw() * 1.1));
        if !bundle.exists() && !folder.path(&format!("{name}.partial")).exists() {
            continue;
        }
        if let Err(error) = verify(&bundle, None) {
            assert!(matches!(error, BundleError::Incomplete(_)), "{error}");
            if incomplete == 0 {
                folder.run(&["verify", &name]).exits(1).prints(&["is incomplete", "mailvet collect --resume"]);
                folder.run(&["evaluate", &name]).exits(2).says(&["is incomplete"]);
            }
            folder.run(&["collect", "--resume", &name, "--quiet"]).exits(code);
            incomplete += 1;
        }
        assert_eq!(problems(&bundle), [""; 0], "{name}");
        assert_eq!(judged(&bundle), wanted, "{name}");
    }
    incomplete
}

fn judged(bundle: &Path) -> Vec<String> {
    let file = "data/results.json";
    let bytes = match bundle.is_dir() {
        true => fs::read(bundle.join(file)).unwrap(),
        false => {
            let zip = fs::read(bundle).unwrap();
            let (all, _) = packed(&zip);
            let found = all.iter().find(|found| found.name == file).unwrap();
            zip[found.data..found.end].to_vec()
        }
    };
    findings(&serde_json::from_slice(&bytes).unwrap())
}

#[test]
fn a_killed_audit_of_files_leaves_nothing_that_looks_whole_and_is_not() {
    let folder = organisation();
    kill_at_20_moments(&folder, &["audit", "--as-of", "2026-11-21"], 0x9e37_79b9);
}

#[test]
fn a_killed_live_audit_is_gone_on_with() {
    let mut table = Table::new();
    let mut names = Vec::new();
    for number in 0..30 {
        let name = format!("d{number}.example.org");
        table.insert((name.clone(), TXT), vec![text("v=spf1 -all")]);
        names.push(name);
    }
    table.extend(zone("v=spf1 mx ~all"));
    let server = Server::start(table);
    let folder = Folder::with(&[("list", &names.join("\n"))]);
    folder.write("mailvet.yaml", "format: 1\ndomains:\n  - { name: example.org }\n");
    let more = ["example.org", "--domains-file", "list", "--no-probe", "--concurrency", "2", "--only", "spoofing"];
    let args = arguments("audit", &server, &[&more[..], &["--as-of", "2026-11-21"]].concat());
    assert!(kill_at_20_moments(&folder, &args, 0x2545_f491) > 0, "no moment lay in the run");
}

/// What was collected before the run was killed is not asked for again.
#[cfg(unix)]
#[test]
fn going_on_looks_only_at_what_is_missing() {
    let server = Server::start(zone("v=spf1 mx -all"));
    let folder = Folder::with(&[("mailvet.yaml", "format: 1\ndomains:\n  - { name: example.org }\n")]);
    // Names that hold `silent` are not answered, so this run stands still with one domain done and one to do.
    let more = ["example.org", "silent.example.org", "--no-probe", "--out", "b", "--only", "spoofing", "--quiet"];
    let args = [&["audit", "--resolver", &server.address, "--no-authorities", "--no-validate"][..], &more].concat();
    let mut child = Command::new(env!("CARGO_BIN_EXE_mailvet"))
        .args([&args[..], &["--timeout", "20"]].concat())
        .current_dir(folder.path(""))
        .env_clear()
        .spawn()
        .unwrap();
    let partial = folder.path("b/data/snapshot.jsonl.partial");
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until && !fs::read_to_string(&partial).is_ok_and(|text| text.contains("{\"target\"")) {
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let partial = fs::read_to_string(&partial).unwrap();
    assert_eq!(partial.lines().filter(|line| line.starts_with("{\"target\"")).count(), 1, "{partial}");
    // Going on is refused when the inventory is another one by now.
    folder.write("mailvet.yaml", "format: 1\ndomains:\n  - { name: example.net }\n");
    folder.run(&["collect", "--resume", "b"]).exits(2).says(&["mailvet.yaml is not as it was when the run started"]);
    folder.write("mailvet.yaml", "format: 1\ndomains:\n  - { name: example.org }\n");
    server.forget();
    let moved = folder.path("moved");
    fs::rename(folder.path("b"), &moved).unwrap();
    let run = folder.run(&["collect", "--resume", "moved"]);
    assert!(run.err.contains("note: goes on with: mailvet audit"), "{}", run.err);
    assert!(problems(&moved).is_empty());
    let asked = server.forget();
    assert!(asked.iter().any(|name| name.contains("silent")), "{asked:?}");
    assert!(!asked.contains(&"_dmarc.example.org".to_owned()), "example.org was done: {asked:?}");
    let report: Value = serde_json::from_slice(&fs::read(moved.join("data/results.json")).unwrap()).unwrap();
    let names: Vec<&str> =
        report["targets"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["example.org", "silent.example.org", "mx1.example.org[127.0.0.1]"]);
    assert_eq!(report["coverage"]["live"]["domains"], 2);
    let again = folder.run(&["evaluate", "moved"]);
    assert!(again.err.contains("byte-identical"), "{}", again.err);
}

/// `ssh-keygen` with these arguments and this input; `None` when there is none.
fn ssh_keygen(folder: &Folder, args: &[&str], input: Option<&Path>) -> Option<(bool, String)> {
    let input = input.map_or(Stdio::null(), |path| Stdio::from(fs::File::open(path).unwrap()));
    let output = Command::new("ssh-keygen").args(args).current_dir(folder.path("")).stdin(input).output();
    let Ok(output) = output else {
        println!("skipped: there is no ssh-keygen");
        return None;
    };
    Some((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[cfg(unix)]
fn private(path: &PathBuf) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[cfg(unix)]
#[test]
fn a_signature_of_mailvet_is_one_of_openssh_and_the_other_way_round() {
    let folder = signed();
    private(&folder.path("key"));
    let record: Value = serde_json::from_str(&folder.read("b/data/run.json")).unwrap();
    let public = record["signer"].as_str().unwrap();
    folder.write("signers", format!("auditor@example.com {public}\n"));
    let manifest = folder.path("b/manifest-sha256.txt");
    let check =
        ["-Y", "verify", "-f", "signers", "-I", "auditor@example.com", "-n", "file", "-s", "b/manifest-sha256.txt.sig"];
    let Some((good, said)) = ssh_keygen(&folder, &check, Some(&manifest)) else { return };
    assert!(good, "{said}");
    folder.run(&["verify", "b", "--key", "signers"]).exits(0).prints(&["a key that was given"]);
    // The other way round: bundles that mailvet did not sign, with the kinds of keys that people have.
    for kind in [&["ed25519"][..], &["ecdsa", "-b", "256"], &["ecdsa", "-b", "384"], &["rsa", "-b", "2048"]] {
        let name = format!("{}{}", kind[0], kind.last().unwrap());
        folder.run(&["audit", "--out", &name, "--quiet"]).exits(1);
        ssh_keygen(&folder, &[&["-q", "-N", "", "-f", &format!("id_{name}"), "-t"], kind].concat(), None);
        let sign =
            ["-q", "-Y", "sign", "-n", "file", "-f", &format!("id_{name}"), &format!("{name}/manifest-sha256.txt")];
        let (good, said) = ssh_keygen(&folder, &sign, None).unwrap();
        assert!(good, "{name}: {said}");
        let key = format!("id_{name}.pub");
        folder.run(&["verify", &name, "--key", &key]).exits(0).prints(&["a key that was given"]);
        folder.run(&["verify", &name, "--key", "signers"]).exits(1).prints(&["untrusted manifest-sha256.txt.sig"]);
    }
    let mail = ["-q", "-Y", "sign", "-n", "mail", "-f", "id_ed25519ed25519", "whole"];
    folder.write("whole", "x");
    ssh_keygen(&folder, &mail, None);
    fs::copy(folder.path("whole.sig"), folder.path("ed25519ed25519/manifest-sha256.txt.sig")).unwrap();
    folder.run(&["verify", "ed25519ed25519"]).exits(1).prints(&["for the namespace `mail`"]);
    // A key that is locked, as ssh-keygen locks it.
    ssh_keygen(&folder, &["-q", "-N", "secret", "-t", "ed25519", "-f", "locked"], None);
    let run = folder.run(&["audit", "--out", "locked-bundle", "--sign", "locked"]).exits(2);
    run.says(&["locked by a passphrase", "ssh-keygen -Y sign -n file"]);
}
