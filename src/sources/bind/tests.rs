//! Tests of the reader as a whole: text in, records and diagnostics out.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::facts::{Cause, Proof};
use crate::sources::record::{Outcome, RData, RecordSource, Text};

/// Reads a zone `example.org` with files that may be included.
fn read(text: &[u8], others: &[(&str, &str)]) -> (Store, Files) {
    let mut files = Files::default();
    let mut store = Store::new();
    let file = files.add("zone", text);
    let mut known: HashMap<String, FileId> = HashMap::from([("zone".to_owned(), file)]);
    let mut include = |files: &mut Files, path: &str, _: FileId| {
        if let Some(known) = known.get(path) {
            return Ok(*known);
        }
        let (_, text) = others.iter().find(|(name, _)| *name == path).ok_or("it is not there")?;
        let id = files.add(path, *text);
        known.insert(path.to_owned(), id);
        Ok(id)
    };
    let origin = Name::parse("example.org").unwrap();
    read_zone(&mut store, &mut files, file, Some(origin), &mut include).unwrap();
    store.finish(&files);
    (store, files)
}

fn lines(store: &Store, files: &Files) -> Vec<String> {
    store
        .records(files)
        .map(|(_, record)| {
            let ttl = record.ttl.map_or("-".to_owned(), |ttl| ttl.to_string());
            format!("{} {ttl} {} {}", record.owner, record.rtype, presentation(&record))
        })
        .collect()
}

/// Records and the codes of diagnostics, without the one that says that the SOA record is missing.
fn summary(text: &str) -> (Vec<String>, Vec<&'static str>) {
    let (store, files) = read(text.as_bytes(), &[]);
    let coverage = store.coverage();
    let codes = coverage.diagnostics.iter().map(|message| message.code);
    (lines(&store, &files), codes.filter(|code| *code != "zone-no-soa").collect())
}

fn lookup(store: &Store, files: &Files, name: &str, rtype: RecordType) -> Outcome {
    store.view(files).lookup(&Name::parse(name).unwrap(), rtype).outcome
}

fn cause(outcome: Outcome) -> Option<Cause> {
    match outcome {
        Outcome::Unknown { cause, .. } => Some(cause),
        _ => None,
    }
}

#[test]
fn case_142_everything_that_may_be_left_out() {
    let cases: &[(&str, &[&str])] = &[
        ("@ IN 300 A 192.0.2.1\n", &["example.org 300 A 192.0.2.1"]),
        (
            "@ 1h30m IN A 192.0.2.1\n\tAAAA 2001:db8::1",
            &["example.org 5400 A 192.0.2.1", "example.org 5400 AAAA 2001:db8::1"],
        ),
        (
            "$TTL 4w\nwww A 192.0.2.1\r\n\t60 TXT x ; y\r\n",
            &["www.example.org 2419200 A 192.0.2.1", "www.example.org 60 TXT \"x\""],
        ),
        (
            "\u{feff}a 1 A 192.0.2.1\n$ORIGIN sub\nb 1 A 192.0.2.2\n",
            &["a.example.org 1 A 192.0.2.1", "b.sub.example.org 1 A 192.0.2.2"],
        ),
        (
            "a 1 TXT ( \"x;y\" ; comment \" (\n  \"\\065\\;(\" ) \nb 1 MX 10 (\n mail )\n",
            &["a.example.org 1 TXT \"x;y\" \"A;(\"", "b.example.org 1 MX 10 mail.example.org."],
        ),
        (
            "a 1 TYPE65280 \\# 2 ab CD\nb 1 CLASS1 TYPE1 \\# 4 C0000201\nc 1 A \\# 4 C0 00 0202\nd 1 TXT \\# 3 02 6869\n",
            &[
                "a.example.org 1 TYPE65280 \\# 2 ABCD",
                "b.example.org 1 A 192.0.2.1",
                "c.example.org 1 A 192.0.2.2",
                "d.example.org 1 TXT \"hi\"",
            ],
        ),
        (
            "@ SOA ns host ( 1 1h 15m\n 1w 5m )\n NS ns.\n",
            &["example.org 300 SOA ns.example.org. host.example.org. 1 3600 900 604800 300", "example.org 300 NS ns."],
        ),
        (
            "a 1 A 192.0.2.1\n$TTL 7\nb A 192.0.2.2\nc 9 A 192.0.2.3\nd A 192.0.2.4",
            &[
                "a.example.org 1 A 192.0.2.1",
                "b.example.org 7 A 192.0.2.2",
                "c.example.org 9 A 192.0.2.3",
                "d.example.org 7 A 192.0.2.4",
            ],
        ),
    ];
    for (text, expected) in cases {
        let (records, codes) = summary(text);
        assert_eq!(records, *expected, "{text}");
        assert!(codes.is_empty(), "{text}: {codes:?}");
    }
}

#[test]
fn one_bad_line_is_a_diagnostic_and_the_rest_is_read() {
    let good = "z 1 A 192.0.2.9\n";
    for (text, code) in [
        ("a 1 XYZ x\n", "zone-type"),
        ("a 1 A\n", "zone-data"),
        ("a 1 A 192.0.2\n", "zone-data"),
        ("a 1 A 192.0.2.1 x\n", "zone-data"),
        ("a 1 MX mail 10\n", "zone-data"),
        ("a 1 TXT \"x\n", "zone-syntax"),
        ("a 1 TXT x )\n", "zone-syntax"),
        ("a..b 1 A 192.0.2.1\n", "zone-owner"),
        ("a.example.com. 1 A 192.0.2.1\n", "zone-out-of-zone"),
        ("a 1 TXT \\300\n", "zone-data"),
        ("$TTL x\n", "zone-ttl"),
        ("$ORIGIN\n$ORIGIN example.org.\n", "zone-origin"),
        ("$GENERATE 5-1 a$ A 192.0.2.$\n", "zone-generate"),
        ("a\n", "zone-type"),
        ("\0\u{1}\u{2}junk\n", "zone-type"),
    ] {
        let (records, codes) = summary(&format!("{text}{good}"));
        assert!(codes.contains(&code), "{text}: {codes:?}");
        assert!(records.contains(&"z.example.org 1 A 192.0.2.9".to_owned()), "{text}: {records:?}");
    }
}

#[test]
fn what_is_not_closed_is_shown_where_it_opens() {
    let (store, files) = read(b"a 1 TXT ( \"x\"\nb 1 A 192.0.2.1\n", &[]);
    let coverage = store.coverage();
    let message = coverage.diagnostics.iter().find(|message| message.code == "zone-syntax").unwrap();
    assert_eq!(files.place(message.span.unwrap()).to_string(), "zone:1:9");
    assert_eq!(lines(&store, &files), ["b.example.org 1 A 192.0.2.1"]);
    assert_eq!(cause(lookup(&store, &files, "a.example.org", RecordType::TXT)), Some(Cause::Parse));
}

#[test]
fn a_line_that_cannot_be_read_is_not_an_absent_record() {
    let (store, files) = read(b"@ 1 TXTT \"v=spf1 -all\"\n@ 1 A 192.0.2.1\n", &[]);
    assert_eq!(cause(lookup(&store, &files, "example.org", RecordType::TXT)), Some(Cause::Parse));
    assert!(matches!(lookup(&store, &files, "example.org", RecordType::A), Outcome::Records(_)));
    let help = store.coverage().diagnostics[0].help.clone();
    assert_eq!(help.as_deref(), Some("did you mean `TXT`?"));
}

#[test]
fn case_144_strings_of_more_than_255_octets_are_kept_with_an_error() {
    let (store, files) = read(format!("a 1 TXT \"{}\"\n", "x".repeat(256)).as_bytes(), &[]);
    let coverage = store.coverage();
    assert_eq!(coverage.diagnostics[0].code, "zone-long-string");
    let Outcome::Records(records) = lookup(&store, &files, "a.example.org", RecordType::TXT) else { panic!() };
    assert!(matches!(&records[0].data, RData::Txt(text) if text.chunks == [256]));
}

#[test]
fn case_143_a_missing_final_dot_is_seen() {
    let (store, files) = read(b"@ 1 MX 10 mail.example.org\n@ 1 MX 20 mail.example.org.\n", &[]);
    let seen: Vec<(String, bool)> = store
        .records(&files)
        .filter_map(|(_, record)| match record.data {
            RData::Mx { exchange, relative, span, .. } => {
                assert_eq!(
                    &files.get(span.file).bytes[span.start as usize..span.start as usize + 16],
                    b"mail.example.org"
                );
                Some((exchange.to_string(), relative))
            }
            _ => None,
        })
        .collect();
    assert_eq!(seen, [("mail.example.org.example.org".to_owned(), true), ("mail.example.org".to_owned(), false)]);
}

#[test]
fn case_145_no_serial_number_is_an_error() {
    for serial in ["0", "1", "4294967295", "2024010101", "99"] {
        let (records, codes) = summary(&format!("@ 1 SOA ns host {serial} 1 2 3 4\n"));
        assert!(records[0].contains(serial) && codes.is_empty());
    }
    // What a provider rewrites is not evaluated.
    let (store, files) = read(b"@ 1 SOA ns host 20240101123456 1 2 3 4\n", &[]);
    assert_eq!(cause(lookup(&store, &files, "example.org", RecordType::SOA)), Some(Cause::NotEvaluated));
    assert!(store.coverage().diagnostics.iter().all(|message| message.code != "zone-data"));
}

#[test]
fn includes_keep_the_origin_of_the_including_file() {
    let text = b"$TTL 1\na A 192.0.2.1\n$INCLUDE one sub\n A 192.0.2.2\nb A 192.0.2.3\n";
    let (store, files) =
        read(text, &[("one", " TXT \"inherits the owner\"\n@ A 192.0.2.4\n$ORIGIN deep\nc A 192.0.2.5\n")]);
    assert_eq!(
        lines(&store, &files),
        [
            "a.example.org 1 A 192.0.2.1",
            "a.example.org 1 TXT \"inherits the owner\"",
            "sub.example.org 1 A 192.0.2.4",
            "c.deep.sub.example.org 1 A 192.0.2.5",
            "a.example.org 1 A 192.0.2.2",
            "b.example.org 1 A 192.0.2.3",
        ]
    );
}

#[test]
fn an_include_that_is_not_found_leaves_absence_unknown() {
    let text = b"@ 1 SOA ns host 1 2 3 4 5\n@ 1 TXT x\n$INCLUDE gone sub\nsub 1 A 192.0.2.1\n";
    let (store, files) = read(text, &[]);
    for (name, rtype, expected) in [
        ("sub.example.org", RecordType::TXT, Some(Cause::NotEvaluated)),
        ("a.sub.example.org", RecordType::A, Some(Cause::NotEvaluated)),
        ("sub.example.org", RecordType::A, None),
        ("example.org", RecordType::TXT, None),
        ("other.example.org", RecordType::A, None),
    ] {
        assert_eq!(cause(lookup(&store, &files, name, rtype)), expected, "{name} {rtype}");
    }
    let Outcome::Absent { proof: Proof::Nxdomain, span } = lookup(&store, &files, "other.example.org", RecordType::A)
    else {
        panic!()
    };
    assert_eq!(files.place(span.unwrap()).to_string(), "zone:1:1");
    assert!(store.coverage().not_evaluated[0].reason.contains("\"gone\""));
    assert_eq!(store.coverage().not_evaluated[0].name, "*.sub.example.org");
    assert_eq!(store.view(&files).names_below(&Name::parse("sub.example.org").unwrap()), None);
}

#[test]
fn a_file_that_includes_itself_is_stopped() {
    let (store, files) =
        read(b"$INCLUDE zone\n$INCLUDE one\na 1 A 192.0.2.1\n", &[("one", "$INCLUDE one\nb 1 A 192.0.2.2\n")]);
    assert_eq!(lines(&store, &files).len(), 2);
    let codes: Vec<&str> = store.coverage().diagnostics.iter().map(|message| message.code).collect();
    assert_eq!(codes.iter().filter(|code| **code == "zone-include").count(), 2);
    assert_eq!(cause(lookup(&store, &files, "x.example.org", RecordType::A)), Some(Cause::NotEvaluated));
}

#[test]
fn generated_records_point_at_the_directive() {
    let (store, files) =
        read(b"$TTL 1\n$GENERATE 1-3/2 host-${0,2,d} A 192.0.2.$\n$GENERATE 1-1 t TXT \"\\\"a $\\\" b\"\n", &[]);
    assert_eq!(
        lines(&store, &files),
        [
            "host-01.example.org 1 A 192.0.2.1",
            "host-03.example.org 1 A 192.0.2.3",
            "t.example.org 1 TXT \"\\\"a\" \"1\\\"\" \"b\"",
        ]
    );
    let Outcome::Records(records) = lookup(&store, &files, "t.example.org", RecordType::TXT) else { panic!() };
    let RData::Txt(text) = &records[0].data else { panic!() };
    assert_eq!(text.place(0..1), records[0].span);
    assert_eq!(files.place(records[0].span).to_string(), "zone:3:1");
}

#[test]
fn too_many_generated_records_are_not_evaluated() {
    let (store, files) = read(b"$TTL 1\n$GENERATE 1-2147483646 h$ A 192.0.2.1\n", &[]);
    assert_eq!(store.zones().next().unwrap().records, 1_000_000);
    assert_eq!(cause(lookup(&store, &files, "h2000000.example.org", RecordType::A)), Some(Cause::NotEvaluated));
    assert!(matches!(lookup(&store, &files, "h2.example.org", RecordType::A), Outcome::Records(_)));
}

#[test]
fn templates_and_dialects_are_not_evaluated() {
    let soa = "@ 1 SOA ns host 1 2 3 4 5\n@ 1 A 192.0.2.1\n";
    // Text, then lookups with the expected cause.
    type Lookups<'a> = &'a [(&'a str, RecordType, Option<Cause>)];
    let cases: &[(&str, Lookups<'_>)] = &[
        (
            "a 1 TXT \"{{ spf }}\"\na 1 TXT x\n",
            &[("a.example.org", RecordType::TXT, Some(Cause::NotEvaluated)), ("a.example.org", RecordType::A, None)],
        ),
        ("a {{ ttl }} IN MX 10 mail\n", &[("a.example.org", RecordType::MX, Some(Cause::NotEvaluated))]),
        ("a 1 A ${IP}\n", &[("a.example.org", RecordType::A, Some(Cause::NotEvaluated))]),
        ("a 1 A <%= ip %>\n", &[("a.example.org", RecordType::A, Some(Cause::NotEvaluated))]),
        (
            "{{ name }} 1 A 192.0.2.1\n\t1 TXT x\nb 1 A 192.0.2.2\n",
            &[
                ("x.example.org", RecordType::A, Some(Cause::NotEvaluated)),
                ("b.example.org", RecordType::A, None),
                ("b.example.org", RecordType::TXT, Some(Cause::NotEvaluated)),
            ],
        ),
        (
            "{% if prod %}\nb 1 A 192.0.2.2\n{% endif %}\nc 1 A 192.0.2.3\n",
            &[("b.example.org", RecordType::A, Some(Cause::NotEvaluated)), ("c.example.org", RecordType::A, None)],
        ),
        ("a 1 TXT \"v=spf1 exists:%{i}._spf.example.org -all\"\n", &[("a.example.org", RecordType::TXT, None)]),
        ("a 1 A 192.0.2.1 ; {{ comment }}\n{# comment #}\n", &[("b.example.org", RecordType::A, None)]),
        (
            "a 300/30 DYNA geo!x\n",
            &[("a.example.org", RecordType::AAAA, Some(Cause::NotEvaluated)), ("a.example.org", RecordType::MX, None)],
        ),
        ("a DYNC geo!x\n", &[("a.example.org", RecordType::MX, Some(Cause::NotEvaluated))]),
        (
            "a 1 LUA TXT \"x\"\n",
            &[("a.example.org", RecordType::TXT, Some(Cause::NotEvaluated)), ("a.example.org", RecordType::A, None)],
        ),
        (
            "@ 1 ALIAS other.example.\n",
            &[("example.org", RecordType::A, Some(Cause::NotEvaluated)), ("example.org", RecordType::MX, None)],
        ),
        (
            "$ADDLIMIT_V4 1\na 1 A 192.0.2.1\n$ADDLIMIT_V4 0\nb 1 A 192.0.2.1\n",
            &[("a.example.org", RecordType::A, Some(Cause::NotEvaluated)), ("b.example.org", RecordType::A, None)],
        ),
        (
            "$DATE 20240101000000\na 1 A 192.0.2.1\n",
            &[
                ("a.example.org", RecordType::A, Some(Cause::NotEvaluated)),
                ("x.example.org", RecordType::A, Some(Cause::NotEvaluated)),
            ],
        ),
        ("$MAGIC x\n", &[("x.example.org", RecordType::A, Some(Cause::NotEvaluated))]),
        (
            "$ORIGIN {{ x }}\na 1 A 192.0.2.1\n$ORIGIN b.example.org.\n@ 1 A 192.0.2.2\n",
            &[("a.example.org", RecordType::A, Some(Cause::NotEvaluated)), ("b.example.org", RecordType::A, None)],
        ),
        ("$GENERATE 1-2 {{ x }}$ A 192.0.2.1\n", &[("a.example.org", RecordType::A, Some(Cause::NotEvaluated))]),
    ];
    for (text, lookups) in cases {
        let (store, files) = read(format!("{soa}{text}").as_bytes(), &[]);
        for (name, rtype, expected) in *lookups {
            assert_eq!(cause(lookup(&store, &files, name, *rtype)), *expected, "{text} {name} {rtype}");
        }
        let coverage = store.coverage();
        assert!(coverage.diagnostics.iter().all(|message| message.level != crate::diag::Level::Error), "{text}");
        let judged = lookups.iter().all(|(_, _, cause)| cause.is_none());
        assert_eq!(coverage.not_evaluated.is_empty(), judged, "{text}");
    }
}

#[test]
fn zones_of_other_classes_are_kept_and_not_asked() {
    let (store, files) = read(b"@ 1 CH SOA ns host 1 2 3 4 5\nversion 1 CH TXT x\n", &[]);
    assert_eq!(lines(&store, &files).len(), 2);
    assert_eq!(cause(lookup(&store, &files, "version.example.org", RecordType::TXT)), Some(Cause::NotCollected));
    assert!(store.mail_domains(&files).is_empty());
    let (records, codes) = summary("@ 1 IN A 192.0.2.1\nb 1 CH A 192.0.2.2\n");
    assert_eq!((records.len(), codes), (1, vec!["zone-class"]));
}

#[test]
fn the_origin_is_found_in_the_text() {
    for (text, expected) in [
        ("example.org. SOA ns. host. 1 2 3 4 5\n", Some("example.org")),
        ("; x\n$ORIGIN org.\n$TTL 1\nexample 1 IN SOA ns. host. ( 1 2 3 4 5 )\n", Some("example.org")),
        ("$ORIGIN example.org.\n@ A 192.0.2.1\n", Some("example.org")),
        ("$ORIGIN .\nexample.org 1 SOA ns. host. 1 2 3 4 5\n", Some("example.org")),
        ("@ SOA ns. host. 1 2 3 4 5\n", None),
        ("", None),
    ] {
        assert_eq!(find_origin(text.as_bytes()).map(|name| name.to_string()).as_deref(), expected, "{text}");
    }
    let mut store = Store::new();
    let mut files = Files::default();
    let file = files.add("x", "a A 192.0.2.1");
    assert_eq!(read_zone(&mut store, &mut files, file, None, &mut |_, _, _| Err(String::new())), None);
    assert_eq!(store.coverage().diagnostics[0].code, "zone-origin");
}

#[test]
fn a_text_full_of_open_parentheses_is_read_in_linear_time() {
    let text = "a A (\n".repeat(50_000);
    let (store, _) = read(text.as_bytes(), &[]);
    let coverage = store.coverage();
    assert!(coverage.diagnostics.len() < 1_100);
    assert!(coverage.diagnostics.iter().any(|message| message.code == "zone-more-messages"));
}

#[test]
fn a_line_of_many_megabytes_is_read() {
    let text = format!("a 1 TXT {}\nb 1 A 192.0.2.1\n", "\"x\" ".repeat(1_000_000));
    let (store, files) = read(text.as_bytes(), &[]);
    assert_eq!(store.zones().next().unwrap().records, 2);
    assert!(matches!(lookup(&store, &files, "b.example.org", RecordType::A), Outcome::Records(_)));
}

/// Renders octets with the escaping and chunking that `choices` ask for; the second value is the place of each octet.
fn render(octets: &[u8], choices: &[u8]) -> (Vec<u8>, Vec<std::ops::Range<usize>>) {
    let mut text = b"\"".to_vec();
    let mut places = Vec::new();
    for (octet, choice) in octets.iter().zip(choices.iter().cycle()) {
        if choice % 16 == 0 {
            let separators: [&[u8]; 4] = [b"\" \"", b"\"\t(\n) \"", b"\"( ; comment \"\n )\"", b"\"\""];
            text.extend_from_slice(separators[usize::from(choice / 16) % 4]);
        }
        let start = text.len();
        let plain = !matches!(octet, b'"' | b'\\' | b'\n' | b'{' | b'<');
        if plain && choice % 3 != 0 {
            text.push(*octet);
        } else if choice % 2 == 0 && !octet.is_ascii_digit() && *octet != b'\n' && *octet != b'{' && *octet != b'<' {
            text.extend_from_slice(&[b'\\', *octet]);
        } else {
            text.extend_from_slice(format!("\\{octet:03}").as_bytes());
        }
        places.push(start..text.len());
    }
    text.push(b'"');
    (text, places)
}

fn text_of(store: &Store, files: &Files) -> Text {
    let record = store.records(files).next().unwrap().1;
    match record.data {
        RData::Txt(text) => (*text).clone(),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_octet_of_a_text_has_its_place(octets in proptest::collection::vec(any::<u8>(), 1..60), choices in proptest::collection::vec(any::<u8>(), 1..60)) {
        let (rendered, places) = render(&octets, &choices);
        let head = b"a 1 IN TXT ";
        let zone = [&head[..], &rendered, b"\n"].concat();
        let (store, files) = read(&zone, &[]);
        let text = text_of(&store, &files);
        prop_assert_eq!(&text.bytes, &octets);
        for (index, place) in places.iter().enumerate() {
            let span = text.place(index..index + 1);
            prop_assert_eq!((span.start as usize, span.end as usize), (place.start + head.len(), place.end + head.len()));
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        survive(&bytes);
    }

    #[test]
    fn any_text_of_zone_words_is_survived(words in proptest::collection::vec(proptest::sample::select(vec![
        "a", "@", " ", " ", "\t", "\n", "\n", "\r\n", "(", ")", "\"", ";", "\\", "\\0", "\\065", "IN", "CH", "1h", "300", "A", "MX",
        "TXT", "SOA", "CNAME", "NS", "DNAME", "TYPE7", "\\#", "$ORIGIN", "$TTL", "$INCLUDE", "zone", "$GENERATE", "1-9", "$", "${0,3,x}", "{{", "}}",
        "{%", "%}", "<%", "*", ".", "192.0.2.1", "ns.example.org.", "_dmarc", "b.c", "CAA", "TLSA", "NSEC3", "SVCB", "HIP", "LUA", "\u{e9}",
    ]), 0..60)) {
        survive(words.concat().as_bytes());
        survive(words.join(" ").as_bytes());
    }
}

/// Reads, asks and shows everything; all spans lie in their files.
fn survive(bytes: &[u8]) {
    let _ = find_origin(bytes);
    let (store, files) = read(bytes, &[]);
    let view = store.view(&files);
    for (_, record) in store.records(&files) {
        let _ = presentation(&record);
        assert!(record.span.end as usize <= files.get(record.span.file).bytes.len());
        let _ = view.lookup(&record.owner, RecordType::TXT);
        let answer = view.lookup(&record.owner, record.rtype);
        assert!(!matches!(answer.outcome, Outcome::Absent { .. }), "{record:?} {answer:?}");
        let _ = view.names_below(&record.owner);
    }
    let _ = store.mail_domains(&files);
    for message in store.coverage().diagnostics {
        let _ = message.render(&files);
    }
}
