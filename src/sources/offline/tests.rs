//! Answers of small zones, one line each.

use super::*;
use crate::sources::bind::{presentation, read_zone};
use crate::sources::record::Record;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Zones with their names; a line is one record.
fn read(zones: &[(&str, &str)]) -> (Store, Files) {
    let (mut files, mut store) = (Files::default(), Store::new());
    for (index, (origin, text)) in zones.iter().enumerate() {
        let file = files.add(format!("{index}.zone"), format!("$TTL 1\n{text}"));
        let no_includes = &mut |_: &mut Files, _: &str, _| Err("there are none".to_owned());
        read_zone(&mut store, &mut files, file, Some(name(origin)), no_includes).unwrap();
    }
    store.finish(&files);
    (store, files)
}

const SOA: &str = "@ SOA ns host 1 2 3 4 5\n@ NS ns.example.net.\n";

fn zone(text: &str) -> (Store, Files) {
    read(&[("example.org", &format!("{SOA}{text}"))])
}

/// An answer in one line.
fn ask(zones: &(Store, Files), asked: &str, rtype: RecordType) -> String {
    let answer = zones.0.view(&zones.1).lookup(&name(asked), rtype);
    let mut words: Vec<String> =
        answer.aliases.iter().map(|alias| format!("{}>{}", alias.owner, alias.target)).collect();
    if answer.wildcard {
        words.push("wildcard".to_owned());
    }
    words.push(match answer.outcome {
        Outcome::Records(records) => {
            let all: Vec<String> = records.iter().map(presentation).collect();
            all.join(", ")
        }
        Outcome::Absent { proof, .. } => proof.to_string(),
        Outcome::Unknown { cause, note, .. } => format!("{cause}: {note}"),
    });
    words.join(" ")
}

fn check(zones: &(Store, Files), cases: &[(&str, RecordType, &str)]) {
    for (asked, rtype, expected) in cases {
        assert_eq!(ask(zones, asked, *rtype), *expected, "{asked} {rtype}");
    }
}

#[test]
fn case_135_nxdomain_and_nodata_are_told_apart_with_proof() {
    let zones = zone("a.ent A 192.0.2.1\n");
    check(
        &zones,
        &[
            ("example.org", RecordType::TXT, "nodata"),
            ("ent.example.org", RecordType::TXT, "nodata"),
            ("A.Ent.example.org", RecordType::A, "192.0.2.1"),
            ("a.ent.example.org", RecordType::TXT, "nodata"),
            ("b.ent.example.org", RecordType::TXT, "nxdomain"),
            ("example.com", RecordType::TXT, "not-collected: example.com is outside this repository"),
            ("org", RecordType::TXT, "not-collected: org is outside this repository"),
        ],
    );
    let Outcome::Absent { span, .. } = zones.0.view(&zones.1).lookup(&name("x.example.org"), RecordType::A).outcome
    else {
        panic!()
    };
    assert_eq!(zones.1.place(span.unwrap()).to_string(), "0.zone:2:1");
}

#[test]
fn case_60_a_cname_at_dmarc_is_followed_within_the_repository() {
    let zones = read(&[
        ("example.org", &format!("{SOA}_dmarc CNAME _dmarc.example.com.\n_dmarc.out CNAME d.example.net.\n")),
        ("example.com", &format!("{SOA}_dmarc TXT \"v=DMARC1; p=none\"\n")),
    ]);
    check(
        &zones,
        &[
            ("_dmarc.example.org", RecordType::TXT, "_dmarc.example.org>_dmarc.example.com \"v=DMARC1; p=none\""),
            ("_dmarc.example.org", RecordType::CNAME, "_dmarc.example.com."),
            (
                "_dmarc.out.example.org",
                RecordType::TXT,
                "_dmarc.out.example.org>d.example.net not-collected: d.example.net is outside this repository",
            ),
        ],
    );
}

#[test]
fn case_61_a_wildcard_answers_at_dmarc_of_a_name_that_does_not_exist() {
    let zones = zone("* TXT \"v=spf1 -all\"\nmail A 192.0.2.1\n");
    check(
        &zones,
        &[
            ("_dmarc.sub.example.org", RecordType::TXT, "wildcard \"v=spf1 -all\""),
            ("_dmarc.example.org", RecordType::TXT, "wildcard \"v=spf1 -all\""),
            ("_dmarc.mail.example.org", RecordType::TXT, "nxdomain"),
            ("_dmarc.sub.example.org", RecordType::A, "wildcard nodata"),
        ],
    );
}

#[test]
fn case_80_a_wildcard_below_domainkey_answers_every_selector() {
    let zones = zone("*._domainkey TXT \"v=DKIM1; p=\"\ns1._domainkey CNAME s1.example.net.\n");
    check(&zones, &[("guess._domainkey.example.org", RecordType::TXT, "wildcard \"v=DKIM1; p=\"")]);
    let names = zones.0.view(&zones.1).names_below(&name("_domainkey.example.org")).unwrap();
    assert_eq!(names, [name("*._domainkey.example.org"), name("s1._domainkey.example.org")]);
}

#[test]
fn case_139_records_beside_a_cname_stay_findable() {
    let zones = zone("a CNAME b\na TXT x\nb A 192.0.2.1\nc CNAME b\nc CNAME a\n");
    check(
        &zones,
        &[
            ("a.example.org", RecordType::TXT, "\"x\""),
            ("a.example.org", RecordType::A, "a.example.org>b.example.org 192.0.2.1"),
            ("c.example.org", RecordType::A, "conflict: c.example.org has more than one CNAME record"),
        ],
    );
    let codes: Vec<&str> = zones.0.coverage().diagnostics.iter().map(|message| message.code).collect();
    assert_eq!(codes, ["zone-cname-beside-data", "zone-two-cnames"]);
    let twice = zone("a CNAME b\na CNAME b\nb A 192.0.2.1\n");
    assert!(twice.0.coverage().diagnostics.is_empty(), "the same record twice is one record");
    check(&twice, &[("a.example.org", RecordType::A, "a.example.org>b.example.org 192.0.2.1")]);
    let apex = zone("@ CNAME other\n");
    assert_eq!(apex.0.coverage().diagnostics[0].code, "zone-cname-beside-data");
}

#[test]
fn alias_loops_are_errors() {
    let zones = zone("a CNAME b\nb CNAME a\nc CNAME c\n");
    for asked in ["a.example.org", "b.example.org", "c.example.org"] {
        assert!(ask(&zones, asked, RecordType::A).contains("dns-servfail: the aliases from"), "{asked}");
    }
    let chain: String = (0..40).map(|number| format!("n{number} CNAME n{}\n", number + 1)).collect();
    assert!(ask(&zone(&chain), "n0.example.org", RecordType::A).contains("limit-reached"));
}

/// The zone and the answers of RFC 4592 section 2.2.1.
#[test]
fn case_140_wildcards_as_in_rfc_4592() {
    let zones = read(&[(
        "example",
        "@ SOA ns host 1 2 3 4 5\n@ NS ns.example.com.\n@ NS ns.example.net.\n* TXT \"this is a wildcard\"\n\
             * MX 10 host1\nsub.* TXT \"this is not a wildcard\"\nhost1 A 192.0.2.1\n_ssh._tcp.host1 SRV 0 0 22 host1\n\
             _ssh._tcp.host2 SRV 0 0 22 host2\nsubdel NS ns.example.com.\nsubdel NS ns.example.net.\n",
    )]);
    check(
        &zones,
        &[
            ("host3.example", RecordType::MX, "wildcard 10 host1.example."),
            ("host3.example", RecordType::A, "wildcard nodata"),
            ("foo.bar.example", RecordType::TXT, "wildcard \"this is a wildcard\""),
            ("host1.example", RecordType::MX, "nodata"),
            ("sub.*.example", RecordType::MX, "nodata"),
            ("_telnet._tcp.host1.example", RecordType::SRV, "nxdomain"),
            (
                "host.subdel.example",
                RecordType::A,
                "not-collected: host.subdel.example lies below subdel.example, which is delegated to ns.example.com, ns.example.net",
            ),
            ("ghost.*.example", RecordType::MX, "nxdomain"),
            ("host2.example", RecordType::TXT, "nodata"),
            ("*.example", RecordType::TXT, "\"this is a wildcard\""),
        ],
    );
}

#[test]
fn case_141_below_a_delegation_nothing_is_known() {
    let zones =
        zone("sub NS ns.sub\nsub DS 1 8 2 AB\nns.sub A 192.0.2.1\nsub MX 10 x\nnods NS ns.example.net.\n* TXT x\n");
    check(
        &zones,
        &[
            ("sub.example.org", RecordType::MX, "not-collected: sub.example.org is delegated to ns.sub.example.org"),
            (
                "a.sub.example.org",
                RecordType::TXT,
                "not-collected: a.sub.example.org lies below sub.example.org, which is delegated to ns.sub.example.org",
            ),
            ("sub.example.org", RecordType::NS, "ns.sub.example.org."),
            ("sub.example.org", RecordType::DS, "1 8 2 AB"),
            ("nods.example.org", RecordType::DS, "nodata"),
        ],
    );
    let view = zones.0.view(&zones.1);
    assert_eq!(view.zone_of(&name("a.sub.example.org")), None);
    assert_eq!(view.zone_of(&name("x.example.org")).unwrap().0, name("example.org"));
    assert_eq!(view.names_below(&name("sub.example.org")), None);
    assert_eq!(zones.0.coverage().diagnostics[0].code, "zone-occluded");
    assert_eq!(zones.0.mail_domains(&zones.1).len(), 1);
}

#[test]
fn a_child_zone_in_the_repository_answers() {
    let zones = read(&[
        ("example.org", &format!("{SOA}sub NS ns.example.net.\nsub DS 1 8 2 AB\nx.y.deep TXT no\n* TXT wild\n")),
        ("sub.example.org", &format!("{SOA}@ TXT child\n")),
        ("a.b.example.org", &format!("{SOA}@ TXT deep\n")),
    ]);
    check(
        &zones,
        &[
            ("sub.example.org", RecordType::TXT, "\"child\""),
            ("x.sub.example.org", RecordType::TXT, "nxdomain"),
            ("sub.example.org", RecordType::DS, "1 8 2 AB"),
            ("example.org", RecordType::DS, "not-collected: the zone above example.org is outside this repository"),
            ("a.b.example.org", RecordType::TXT, "\"deep\""),
            // A zone below does not make names of the zone above exist.
            ("b.example.org", RecordType::TXT, "wildcard \"wild\""),
            ("y.deep.example.org", RecordType::TXT, "nodata"),
        ],
    );
}

#[test]
fn a_dname_redirects_what_is_below() {
    let zones = zone("old DNAME new\nold TXT x\na.new A 192.0.2.1\na.old A 192.0.2.9\n");
    check(
        &zones,
        &[
            ("a.old.example.org", RecordType::A, "a.old.example.org>a.new.example.org 192.0.2.1"),
            ("old.example.org", RecordType::TXT, "\"x\""),
            ("b.old.example.org", RecordType::A, "b.old.example.org>b.new.example.org nxdomain"),
        ],
    );
}

#[test]
fn malformed_data_are_present() {
    let zones = zone("a MX ten mail\nb CNAME b..c\n");
    assert!(ask(&zones, "a.example.org", RecordType::MX).starts_with("<malformed"));
    assert!(ask(&zones, "b.example.org", RecordType::A).starts_with("parse: "));
}

#[test]
fn the_same_zone_twice_is_a_conflict_unless_it_is_the_same() {
    let one = format!("{SOA}a TXT x\n");
    let same = read(&[("example.org", &one), ("example.org", &format!("{one}; comment\n"))]);
    check(&same, &[("a.example.org", RecordType::TXT, "\"x\""), ("b.example.org", RecordType::TXT, "nxdomain")]);
    assert_eq!(same.0.mail_domains(&same.1).len(), 1);
    let other = read(&[("example.org", &one), ("example.org", &format!("{SOA}a TXT y\n"))]);
    let note = "conflict: the zone example.org is defined twice with different records";
    check(&other, &[("a.example.org", RecordType::TXT, note)]);
    assert_eq!(other.0.coverage().diagnostics[0].code, "zone-conflict");
    assert_eq!(other.0.view(&other.1).names_below(&name("example.org")), None);
}

#[test]
fn mail_domains_are_found() {
    let zones = read(&[
        (
            "example.org",
            &format!(
                "{SOA}mx MX 10 mail\nspf TXT (\n \"V=spf1 -all\" )\ntext TXT x\n_dmarc.policy TXT x\ns._domainkey.key TXT x\n\
                     * MX 10 mail\n*.wild MX 10 mail\n_spf TXT \"v=spf1 -all\"\ncut NS ns\n_dmarc.cut TXT x\nlate MX {{{{ x }}}}\n"
            ),
        ),
        ("2.0.192.in-addr.arpa", SOA),
        ("localhost", SOA),
        ("no-soa.example", "a TXT x\n"),
    ]);
    let found: Vec<String> = zones
        .0
        .mail_domains(&zones.1)
        .into_iter()
        .map(|(name, span)| format!("{name} {}", zones.1.place(span)))
        .collect();
    assert_eq!(
        found,
        [
            "example.org 0.zone:2:1",
            "key.example.org 0.zone:9:1",
            "late.example.org 0.zone:15:1",
            "mx.example.org 0.zone:4:1",
            "no-soa.example 3.zone:1:1",
            "policy.example.org 0.zone:8:1",
            "spf.example.org 0.zone:5:1",
        ]
    );
}

#[test]
fn parsed_records_answer_like_read_ones() {
    let mut files = Files::default();
    let file = files.add("example.org.yaml", "spf: v=spf1 -all");
    let mut store = Store::new();
    let span = Span::new(file, 0, 3);
    let zone = store.add_zone(name("example.org"), "octodns", "example.org.yaml", span);
    let text = crate::sources::Text::plain(b"v=spf1 -all".to_vec(), file, 5);
    let record =
        Record { owner: name("example.org"), rtype: RecordType::TXT, ttl: None, data: RData::Txt(text.into()), span };
    store.add_record(zone, record.clone());
    store.mark_not_evaluated(zone, name("a.example.org"), false, "dynamic".to_owned(), span);
    store.mark_record_not_evaluated(zone, name("b.example.org"), RecordType::A, "computed".to_owned(), span);
    store.finish(&files);
    let zones = (store, files);
    check(
        &zones,
        &[
            ("example.org", RecordType::TXT, "\"v=spf1 -all\""),
            ("a.example.org", RecordType::TXT, "not-evaluated: dynamic"),
            ("b.example.org", RecordType::A, "not-evaluated: computed"),
            ("b.example.org", RecordType::TXT, "nodata"),
            ("c.example.org", RecordType::TXT, "nxdomain"),
        ],
    );
    assert_eq!(zones.0.records(&zones.1).collect::<Vec<_>>(), [(name("example.org"), record)]);
    assert_eq!(zones.0.coverage().not_evaluated.len(), 2);
    assert_eq!(zones.0.zones().next().unwrap().records, 1);
    assert_eq!(zones.0.mail_domains(&zones.1), [(name("example.org"), span)]);
}

#[test]
fn names_below_are_in_canonical_order() {
    let zones = zone("b._domainkey TXT x\na.b._domainkey TXT x\nz._domainkey TXT x\nx.ent._domainkey TXT x\n");
    let names = zones.0.view(&zones.1).names_below(&name("_domainkey.example.org")).unwrap();
    let texts: Vec<&str> =
        names.iter().filter_map(|name| name.as_str().strip_suffix("._domainkey.example.org")).collect();
    assert_eq!(texts, ["b", "a.b", "x.ent", "z"]);
    assert_eq!(zones.0.view(&zones.1).names_below(&name("none.example.org")), Some(Vec::new()));
    assert_eq!(zones.0.view(&zones.1).names_below(&name("example.com")), None);
}
