use super::*;
use crate::diag::Files;
use crate::facts::{DomainFacts, Fact, Method};

fn header() -> Header {
    Header { format: FORMAT, version: "0".into(), started: Time(0), inventory: None, vantage: Vantage::default() }
}

/// A snapshot with one domain, a text of evidence, and a file that is not UTF-8.
fn snapshot() -> Vec<u8> {
    let mut files = Files::default();
    files.add("policy.yaml", "no part of the snapshot");
    let other = files.add("other", vec![0xff, b'x']);
    let seen = files.add("dns/example.org/MX", Vec::new());
    let artefact = Artefact { kind: ArtefactKind::DnsMessage, title: "MX".into(), time: Time(7), raw: vec![1, 2, 3] };
    files.fill(seen, "example.org. MX 0 .\n", artefact.id());
    let mut facts = DomainFacts::default();
    facts.dns.null_mx = Fact::present(true, Method::Dns, Some(Span::new(seen, 0, 4)));
    let target = StoredTarget { name: "example.org".into(), anchor: None, facts: TargetFacts::Domain(Box::new(facts)) };
    let mut writer = Writer::new(Vec::new(), header()).unwrap();
    writer.target(&line(&SnapshotLine::Target(target)).unwrap()).unwrap();
    for id in [other, seen] {
        writer.file(id, files.get(id)).unwrap();
    }
    writer.artefact(seen, artefact).unwrap();
    writer.coverage(StoredCoverage::default()).unwrap();
    writer.finish().unwrap()
}

/// The snapshot with one text replaced and a last line that fits.
fn with(old: &str, new: &str) -> Vec<u8> {
    let text = String::from_utf8(snapshot()).unwrap();
    assert!(text.contains(old), "{old}");
    let text = text.replacen(old, new, 1);
    let at = text.find("{\"end\"").unwrap();
    let mut end: serde_json::Value = serde_json::from_str(&text[at..]).unwrap();
    end["end"]["sha256"] = data_encoding::HEXLOWER.encode(&Sha256::digest(&text.as_bytes()[..at])).into();
    format!("{}{end}\n", &text[..at]).into_bytes()
}

fn refused(bytes: &[u8]) -> String {
    check(bytes).unwrap_err().to_string()
}

#[test]
fn what_is_written_is_read_back_with_the_same_ids() {
    let bytes = snapshot();
    let checked = check(bytes.as_slice()).unwrap();
    assert_eq!(checked.header, header());
    let files: Vec<_> = checked.files.iter().map(|(_, file)| (file.path.as_str(), file.bytes.len())).collect();
    assert_eq!(files, [("", 0), ("other", 2), ("dns/example.org/MX", 20)]);
    assert!(checked.files.get(FileId(2)).evidence.is_some() && checked.files.get(FileId(1)).evidence.is_none());
    let mut read = Vec::new();
    targets(bytes.as_slice(), |target| read.push(target)).unwrap();
    let TargetFacts::Domain(facts) = &read[0].facts else { panic!() };
    assert_eq!(facts.dns.null_mx.from.span, Some(Span::new(FileId(2), 0, 4)));
    assert_eq!(facts.spf, DomainFacts::default().spf);
}

#[test]
fn a_cut_file_is_refused_wherever_it_is_cut() {
    let bytes = snapshot();
    for end in 1..bytes.len() {
        assert!(check(&bytes[..end]).is_err(), "{end}");
    }
    let last = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
    assert_eq!(refused(&bytes[..=last]), "the snapshot ends early: its last line is missing");
    assert_eq!(refused(&bytes[..last - 5]), "the snapshot ends early: its last line is missing");
    assert_eq!(refused(b""), "the snapshot ends early: its last line is missing");
}

#[test]
fn a_changed_file_is_refused() {
    let text = String::from_utf8(snapshot()).unwrap();
    assert!(refused(text.replace("MX 0 .", "MX 1 .").as_bytes()).contains("its SHA-256 is another one"));
    assert!(refused(format!("{text}\n").as_bytes()).contains("something follows"));
    assert!(refused(&with("AQID", "AQIE")).contains("not the SHA-256 of the bytes"));
    assert!(refused(&with("\"id\":2,\"path\"", "\"id\":9,\"path\"")).contains("belongs to no file"));
    assert!(refused(&with("\"id\":1,\"path\"", "\"id\":4000000000,\"path\"")).contains("too far apart"));
    assert!(refused(&with("{\"file\":{\"id\":1", "{\"file\":{\"id\":2")).contains("line"));
}

#[test]
fn another_version_is_named_and_its_keys_are_not_dropped() {
    assert!(refused(&with("\"format\":1", "\"format\":2")).contains("has format 2"));
    let newer = refused(&with("\"path\":\"other\"", "\"path\":\"other\",\"colour\":1"));
    assert!(newer.starts_with("line 3: unknown field `colour`"), "{newer}");
    assert!(newer.contains("a newer version of mailvet may have written"), "{newer}");
    let bytes = with("\"null_mx\":", "\"null_mxx\":");
    check(bytes.as_slice()).unwrap();
    assert!(targets(bytes.as_slice(), |_| ()).unwrap_err().to_string().contains("unknown field `null_mxx`"));
    assert!(refused(b"{\"a\":1}\n").contains("not a mailvet snapshot"));
    assert!(refused(b"zone\n").contains("not a mailvet snapshot"));
}

#[test]
fn a_missing_fact_was_not_collected() {
    let text = r#"{"name":"example.org","facts":{"domain":{}}}"#;
    let target: StoredTarget = serde_json::from_str(text).unwrap();
    assert_eq!(target.facts, TargetFacts::Domain(Box::default()));
}

#[test]
fn what_is_whole_of_an_unfinished_snapshot_is_used() {
    let bytes = snapshot();
    let header = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for end in header..=bytes.len() {
        let (mut copied, mut targets) = (Writer::new(Vec::new(), self::header()).unwrap(), 0);
        let partial = salvage(&bytes[..end], |line| {
            targets += usize::from(matches!(line, Salvaged::Target(..)));
            copied.salvaged(&line)
        })
        .unwrap();
        assert_eq!(partial.header, self::header());
        copied.coverage(StoredCoverage::default()).unwrap();
        let copied = copied.finish().unwrap();
        let whole = bytes[..end].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(targets, usize::from(whole > 1), "{end}");
        check(copied.as_slice()).unwrap_or_else(|error| panic!("{end}: {error}"));
    }
    assert!(salvage(&bytes[..header - 1], |_| Ok(())).is_err());
}

#[test]
fn messages_about_files_are_read_back() {
    let mut coverage = Coverage::default();
    coverage.diagnostics.push(Diagnostic::error("zone-syntax", "x").at(Span::new(FileId(1), 2, 3)).help("y"));
    let stored: StoredCoverage =
        serde_json::from_slice(&serde_json::to_vec(&StoredCoverage::of_files(&coverage)).unwrap()).unwrap();
    assert_eq!(stored.coverage(), coverage);
    let hostile = stored_code("\u{1b}[31m");
    assert_eq!(hostile, "stored-message");
}
