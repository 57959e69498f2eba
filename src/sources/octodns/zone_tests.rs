//! Tests of reading one zone, on texts.

use super::*;
use proptest::prelude::*;

struct Case {
    files: Files,
    store: Store,
}

fn read_with(text: &[u8], settings: Settings) -> Case {
    let mut files = Files::default();
    let file = files.add("example.org.yaml", text);
    let mut store = Store::new();
    let origin = Name::parse("example.org").unwrap();
    let mut include = |_: &mut Files, _: &str, _: FileId| Err("no such file".to_owned());
    read_zone(&mut store, &mut files, &origin, "example.org.yaml", &[ZoneFile { file, settings }], &mut include);
    Case { files, store }
}

fn read(text: &str) -> Case {
    read_with(text.as_bytes(), Settings::default())
}

impl Case {
    fn all(&self) -> Vec<Record> {
        self.store.records(&self.files).map(|(_, record)| record).collect()
    }

    /// Records as `owner type data`.
    fn records(&self) -> Vec<String> {
        self.all().iter().map(|record| self.shown(record)).collect()
    }

    fn shown(&self, record: &Record) -> String {
        let data = match &record.data {
            RData::A(address, _) => address.to_string(),
            RData::Aaaa(address, _) => address.to_string(),
            RData::Cname(name, _) | RData::Ns(name, _) | RData::Ptr(name, _) => name.to_dotted(),
            RData::Mx { preference, exchange, relative, .. } => {
                format!("{preference} {}{}", exchange.to_dotted(), if *relative { " relative" } else { "" })
            }
            RData::Txt(text) => format!("{:?}", text.lossy()),
            RData::Caa { flags, tag, value, .. } => format!("{flags} {tag} {value}"),
            RData::Tlsa { usage, selector, matching_type, data, .. } => {
                format!("{usage} {selector} {matching_type} {}", data_encoding::HEXLOWER.encode(data))
            }
            RData::Other(text) => text.clone(),
            RData::Malformed { reason, .. } => format!("malformed: {reason}"),
            RData::Soa(_) => "soa".to_owned(),
        };
        format!("{} {} {data}", record.owner, record.rtype)
    }

    fn diagnostics(&self) -> Vec<Diagnostic> {
        self.store.coverage().diagnostics
    }

    fn codes(&self) -> Vec<&'static str> {
        self.diagnostics().iter().map(|diagnostic| diagnostic.code).collect()
    }

    /// What is not evaluated, as `name: reason`.
    fn unknown(&self) -> Vec<String> {
        let unknown = self.store.coverage().not_evaluated;
        unknown.into_iter().map(|entry| format!("{}: {}", entry.name, entry.reason)).collect()
    }

    fn slice(&self, span: Span) -> &str {
        std::str::from_utf8(&self.files.get(span.file).bytes[span.start as usize..span.end as usize]).unwrap()
    }
}

#[test]
fn each_type_is_read_as_octodns_reads_it() {
    let cases: &[(&str, &[&str])] = &[
        ("'': {type: A, value: 192.0.2.1}", &["example.org A 192.0.2.1"]),
        (
            "www: {type: A, values: [192.0.2.1, 192.0.2.2]}",
            &["www.example.org A 192.0.2.1", "www.example.org A 192.0.2.2"],
        ),
        ("? ''\n: - {type: AAAA, value: '2001:db8::1'}", &["example.org AAAA 2001:db8::1"]),
        ("W.A: {type: CNAME, value: X.example.net.}", &["w.a.example.org CNAME x.example.net."]),
        ("m: {type: MX, value: {preference: 10, exchange: mx.example.net.}}", &["m.example.org MX 10 mx.example.net."]),
        ("m: {type: MX, values: [{priority: '5', value: mx.}]}", &["m.example.org MX 5 mx."]),
        ("m: {type: MX, value: {preference: 0, exchange: .}}", &["m.example.org MX 0 ."]),
        (r"t: {type: TXT, value: 'a\; b'}", &["t.example.org TXT \"a; b\""]),
        (r"t: {type: SPF, value: v=spf1 -all}", &["t.example.org SPF \"v=spf1 -all\""]),
        ("c: {type: CAA, value: {tag: issue, value: ca.example}}", &["c.example.org CAA 0 issue ca.example"]),
        (
            "_25._tcp: {type: TLSA, value: {certificate_usage: 3, selector: 1, matching_type: 1, certificate_association_data: AB cd}}",
            &["_25._tcp.example.org TLSA 3 1 1 abcd"],
        ),
        (
            "s: {type: SRV, value: {priority: 1, weight: 2, port: 3, target: T.example.}}",
            &["s.example.org SRV 1 2 3 t.example."],
        ),
        (
            "h: {type: HTTPS, value: {svcpriority: 1, targetname: ., svcparams: {alpn: [h2, h3], no-default-alpn: }}}",
            &["h.example.org HTTPS 1 . alpn=h2,h3 no-default-alpn"],
        ),
        (
            "'*': {type: NS, values: [a.example., b.example.]}",
            &["*.example.org NS a.example.", "*.example.org NS b.example."],
        ),
        ("münchen: {type: A, value: 192.0.2.1}", &["xn--mnchen-3ya.example.org A 192.0.2.1"]),
        ("12: {type: PTR, values: [a.example.]}", &["12.example.org PTR a.example."]),
        ("---\n", &[]),
        ("{}", &[]),
    ];
    for (text, expected) in cases {
        let case = read(text);
        assert_eq!(case.records(), *expected, "{text}");
        assert!(case.codes().is_empty() && case.unknown().is_empty(), "{text}: {:?}", case.diagnostics());
    }
}

#[test]
fn faults_are_said_and_lose_nothing_else() {
    let good = "zz: {type: A, value: 192.0.2.9}\n";
    let cases: &[(&str, &str, &str)] = &[
        ("a: {type: A, value: 1.2.3}", "octodns-value", "a.example.org A malformed: the value is not an IPv4 address"),
        ("a: {type: A}", "octodns-value", "a.example.org A malformed: the record has no value"),
        (
            "a: {type: TXT, value: 12}",
            "octodns-value",
            "a.example.org TXT malformed: octoDNS reads a number here and refuses it; quote the value",
        ),
        ("a: {type: TXT, value: }", "octodns-value", "a.example.org TXT malformed: the value is empty"),
        (
            "a: {type: MX, value: {preference: 70000, exchange: b.}}",
            "octodns-value",
            "a.example.org MX malformed: the preference must be a whole number in its range",
        ),
        (
            "a: {type: MX, value: {preference: 1}}",
            "octodns-value",
            "a.example.org MX malformed: the field `exchange` is missing",
        ),
        (
            "a: {type: MX, value: {preference: 1, exchange: mx.example.net}}",
            "octodns-final-dot",
            "a.example.org MX 1 mx.example.net. relative",
        ),
        ("a: {type: TXT, value: \"a\\n\"}", "octodns-line-feed", "a.example.org TXT \"a\\n\""),
        ("a: {type: TXT, value: ä}", "octodns-not-ascii", "a.example.org TXT \"ä\""),
        ("a: {type: A, ttl: soon, value: 192.0.2.1}", "octodns-ttl", "a.example.org A 192.0.2.1"),
        ("'@': {type: A, value: 192.0.2.1}", "octodns-name", "example.org A 192.0.2.1"),
        ("no: {type: A, value: 192.0.2.1}", "octodns-name", "false.example.org A 192.0.2.1"),
        ("1.10: {type: A, value: 192.0.2.1}", "octodns-name", "1.1.example.org A 192.0.2.1"),
        (
            "a: {type: A, value: 192.0.2.1}\na: {type: A, value: 192.0.2.2}",
            "octodns-duplicate-key",
            "a.example.org A 192.0.2.2",
        ),
        ("a: {type: A, value: 192.0.2.1, value: 192.0.2.2}", "octodns-duplicate-key", "a.example.org A 192.0.2.2"),
    ];
    for (text, code, record) in cases {
        let case = read(&format!("{text}\n{good}"));
        assert!(case.codes().contains(code), "{text}: {:?}", case.codes());
        assert!(case.records().iter().any(|shown| shown == record), "{text}: {:?}", case.records());
        assert!(case.records().iter().any(|shown| shown == "zz.example.org A 192.0.2.9"), "{text}");
        for diagnostic in case.diagnostics() {
            assert!(diagnostic.span.is_some(), "{text}: {diagnostic:?}");
        }
    }
}

#[test]
fn case_149_computed_values_are_unknown_with_a_reason() {
    let cases: &[(&str, &str)] = &[
        (
            "a: {type: A, value: 192.0.2.1, dynamic: {pools: {}}}",
            "a.example.org: the answer is computed from `dynamic`",
        ),
        ("a: {type: A, value: 192.0.2.1, geo: {EU: [192.0.2.1]}}", "a.example.org: the answer is computed from `geo`"),
        ("'': {type: ALIAS, value: b.example.}", "example.org: the type ALIAS is computed by the provider"),
        ("a: {type: Route53/ALIAS, value: x}", "a.example.org: the type Route53/ALIAS is computed by the provider"),
        (
            "a: {type: CNAME, value: b., octodns: {ignored: true}}",
            "a.example.org: the record is marked `ignored`, so octoDNS leaves whatever the provider has",
        ),
        (
            "a: {type: A, value: 192.0.2.1, octodns: {excluded: [x]}}",
            "a.example.org: the record is `excluded` for some providers only",
        ),
        (
            "a: {type: A, value: 192.0.2.1, octodns: {cloudflare: {proxied: true}}}",
            "a.example.org: the record is proxied, so the provider answers with its own addresses",
        ),
        ("a: {type: MX, value: {preference: 1, exchange: '{host}.example.'}}", "a.example.org: the name is a template"),
        ("a: {type: TXT, value: !env X}", "a.example.org: the value of the tag !env is computed"),
        ("a: !include b.yaml", "a.example.org: `b.yaml` is not included: no such file"),
        ("<<: !include b.yaml", "example.org: `b.yaml` is not included: no such file"),
        ("a: {value: 192.0.2.1}", "a.example.org: the record has no `type`"),
        ("a: text", "a.example.org: a record is a mapping with `type` and `value` or `values`"),
        ("a.example.org.: {type: A, value: 192.0.2.1}", ""),
        ("a: {type: NOPE, value: x}", "a.example.org: the type NOPE is computed by the provider"),
        (
            "a:\n  - {type: A, value: 192.0.2.1}\n  - {type: A, value: 192.0.2.2}",
            "a.example.org: a.example.org A is defined twice, which octoDNS refuses",
        ),
        ("- a", "example.org: an octoDNS zone is a mapping of names to records"),
        ("a: [", "example.org: a file of the zone is not YAML that can be read"),
    ];
    for (text, unknown) in cases {
        let case = read(text);
        if !unknown.is_empty() {
            assert!(case.unknown().iter().any(|shown| shown == unknown), "{text}: {:?}", case.unknown());
        }
        assert!(case.records().is_empty(), "{text}: {:?}", case.records());
        assert!(!case.unknown().is_empty() || !case.codes().is_empty(), "{text}");
    }
}

#[test]
fn what_is_computed_beside_other_types_hides_only_itself() {
    let case = read("'':\n  - {type: ALIAS, value: b.example.}\n  - {type: TXT, value: v=spf1 -all}\n");
    assert_eq!(case.records(), ["example.org TXT \"v=spf1 -all\""]);
    assert!(case.unknown().iter().all(|shown| shown.contains("ALIAS")));
}

#[test]
fn settings_of_the_provider_count() {
    let text = r"t: {type: TXT, value: 'a\; b;c'}";
    let configured = Settings { configured: true, default_ttl: Some(300), ..Settings::default() };
    let case = read_with(text.as_bytes(), configured);
    assert_eq!(
        (case.records(), case.codes()),
        (vec!["t.example.org TXT \"a; b;c\"".to_owned()], vec!["octodns-semicolon"])
    );
    assert_eq!(case.all()[0].ttl, Some(300));
    let case = read_with(text.as_bytes(), Settings { escaped_semicolons: false, ..configured });
    assert_eq!(case.records(), ["t.example.org TXT \"a\\\\; b;c\""]);
    assert!(case.codes().is_empty());
}

#[test]
fn records_have_places() {
    let text = "---\n'':\n  - ttl: 60\n    type: MX\n    values:\n      - exchange: mx.example.net.\n        preference: 10\nwww:\n  type: A\n  value: 192.0.2.1\n";
    let case = read(text);
    let records = case.all();
    assert!(case.slice(records[0].span).starts_with("ttl: 60"));
    assert!(case.slice(records[1].span).starts_with("www:"));
    assert!(case.slice(records[1].span).ends_with("192.0.2.1"));
    let RData::Mx { span, .. } = &records[0].data else { panic!() };
    assert_eq!((case.slice(*span), records[0].ttl, records[1].ttl), ("mx.example.net.", Some(60), None));
}

#[test]
fn anchors_and_merges_give_records_at_their_definition() {
    let text = "a: &a\n  type: TXT\n  values: &v [one]\nb:\n  <<: *a\n  ttl: 5\nc: {type: TXT, values: *v}\nd: *a\n";
    let case = read(text);
    assert_eq!(case.records().len(), 4);
    for record in case.all() {
        let RData::Txt(text) = &record.data else { panic!() };
        assert_eq!(case.slice(text.place(0..3)), "one");
    }
}

#[test]
fn a_later_file_replaces_records_only_where_the_provider_says_so() {
    for (replace, expected) in [(true, vec!["a.example.org A 192.0.2.2"]), (false, vec![])] {
        let mut files = Files::default();
        let settings = Settings { replace, ..Settings::default() };
        let sources = ["a: {type: A, value: 192.0.2.1}", "a: {type: A, value: 192.0.2.2}"]
            .map(|text| ZoneFile { file: files.add("x.yaml", text), settings });
        let mut store = Store::new();
        let origin = Name::parse("example.org").unwrap();
        read_zone(&mut store, &mut files, &origin, "x", &sources, &mut |_, _, _| Err(String::new()));
        let case = Case { files, store };
        assert_eq!(case.records(), expected);
        assert_eq!(case.unknown().is_empty(), replace);
    }
}

#[test]
fn a_bomb_of_aliases_ends_with_a_message() {
    let list = format!("a0: &a0 [{}]\n", vec!["{type: A, value: 192.0.2.1}"; 2000].join(", "));
    let values = format!("v: &v {{type: TXT, values: [{}]}}\n", vec!["x"; 2000].join(", "));
    let mut text = list + &values;
    for index in 0..2000 {
        text.push_str(&format!("n{index}: *v\n"));
    }
    let case = read(&text);
    assert!(case.codes().contains(&"octodns-limit"), "{:?}", case.codes());
    assert!(case.unknown().iter().any(|shown| shown.starts_with("example.org")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn any_bytes_end_in_records_or_messages(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "(([a-z.*@\"']{0,4}|a|''): ?(\\{type: (A|MX|TXT|CNAME|ALIAS), values?: [^\n]{0,20}\\}|&x|\\*x|!include y|\\[\\])?\n){0,6}"
                .prop_map(String::into_bytes),
        ]
    ) {
        let case = read_with(&bytes, Settings::default());
        for record in case.all() {
            prop_assert!(record.span.end as usize <= bytes.len());
            if let RData::Txt(text) = &record.data {
                prop_assert!(text.place(0..text.bytes.len()).end as usize <= bytes.len());
            }
        }
        for diagnostic in case.diagnostics() {
            let _ = diagnostic.render(&case.files);
        }
    }
}

#[test]
fn large_files_on_one_line_are_read_promptly() {
    let size = 200_000;
    for text in [
        format!("a: {{type: TXT, value: \"{}\"}}", "\\\\;".repeat(size / 3)),
        format!("{{{}}}", "a: 1, ".repeat(size / 6)),
        format!("a: [{}]", "x, ".repeat(size / 3)),
        "a: b\r".repeat(size / 5),
        "[".repeat(size),
        "- ".repeat(size),
    ] {
        let start = std::time::Instant::now();
        read(&text);
        // Far above what it takes, far below what anything quadratic takes.
        assert!(start.elapsed().as_secs() < 20, "{}", &text[..20]);
    }
}
