//! Name servers that agree, differ, are lame, silent or too open; what the parent says about them.

use super::fake::Fake;
use super::name;
use crate::facts::Cause;
use crate::sources::{Ask, RecordType};

const AXFR: RecordType = RecordType(252);
const ZONE: &str = "org SOA 1\norg NS ns.org\nns.org A 198.51.100.1\nexample.org SOA 1\nexample.org NS ns1.example.org\n\
    example.org NS ns2.example.net\nns1.example.org A 192.0.2.1\nns2.example.net A 203.0.113.2\n\
    example.org MX 10 mx.example.org\n";
const ONE: &str = "192.0.2.1";
const TWO: &str = "203.0.113.2";
const REFERRAL: &str = ";example.org NS ns1.example.org|example.org NS ns2.example.net;ns1.example.org A 192.0.2.1";

/// A server that speaks for the zone and is closed to strangers.
fn good(fake: Fake, server: &str, serial: u32, mx: &str) -> Fake {
    fake.reply(server, "example.org", RecordType::SOA, Ask::Iterative, "aa", &format!("example.org SOA {serial}"))
        .reply(server, "example.org", RecordType::MX, Ask::Iterative, "aa", &format!("example.org MX 10 {mx}"))
        .reply(server, "example.org", RecordType::TXT, Ask::Iterative, "aa", "example.org TXT v=spf1 -all")
        .reply(server, "_dmarc.example.org", RecordType::TXT, Ask::Iterative, "aa rcode=3", "")
        .reply(server, "example.com", RecordType::A, Ask::Recursive, "rcode=5", "")
        .reply(server, "example.org", AXFR, Ask::Transfer, "rcode=5", "")
}

fn parent(fake: Fake, reply: &str) -> Fake {
    fake.reply("198.51.100.1", "example.org", RecordType::NS, Ask::Iterative, "", reply)
}

fn zone() -> Fake {
    Fake::new(&["org", "example.org"], ZONE)
}

/// A zone without fault.
fn well() -> Fake {
    parent(good(good(zone(), ONE, 7, "mx.example.org"), TWO, 7, "mx.example.org"), REFERRAL)
}

#[test]
fn a_zone_without_fault() {
    well().check(
        "example.org",
        &[
            ("authority.servers", "2 elements «192.0.2.1 SOA example.org aa»"),
            ("authority.servers[0].host", "ns1.example.org «ns1.example.org A 192.0.2.1»"),
            ("authority.servers[0].address", "192.0.2.1 «ns1.example.org A 192.0.2.1»"),
            ("authority.servers[0].authoritative", "true «192.0.2.1 SOA example.org aa»"),
            ("authority.servers[0].serial", "7 «192.0.2.1 SOA example.org aa»"),
            ("authority.servers[1].recursion", "false «203.0.113.2 A example.com rcode=5»"),
            ("authority.servers[1].transfer", "false «203.0.113.2 TYPE252 example.org rcode=5»"),
            ("authority.lame", "[] «192.0.2.1 SOA example.org aa»"),
            ("authority.parent_ns", "[ns1.example.org, ns2.example.net] «198.51.100.1 NS example.org »"),
            ("authority.parent_agrees", "true «198.51.100.1 NS example.org »"),
            ("authority.stale_glue", "[] «198.51.100.1 NS example.org »"),
            ("authority.serials_agree", "true «192.0.2.1 SOA example.org aa»"),
            ("authority.differing", "[] «192.0.2.1 MX example.org aa»"),
            ("authority.networks", "2 «ns1.example.org A 192.0.2.1»"),
            ("authority.open_recursion", "[] «192.0.2.1 A example.com rcode=5»"),
            ("authority.open_transfer", "[] «192.0.2.1 TYPE252 example.org rcode=5»"),
        ],
    );
}

#[test]
fn a_server_that_does_not_speak_for_the_zone_is_lame() {
    let soa = |flags: &str, text: &str| well().reply(TWO, "example.org", RecordType::SOA, Ask::Iterative, flags, text);
    for (flags, text) in
        [("rcode=5", ""), ("rcode=9", ""), ("", "example.org SOA 7"), ("", ";org NS ns.org"), ("aa", "")]
    {
        let fake = soa(flags, text);
        let said = format!("{TWO} SOA example.org {flags}");
        fake.check(
            "example.org",
            &[
                ("authority.lame", &format!("[ns2.example.net] «{said}»")),
                ("authority.servers[1].authoritative", &format!("false «{said}»")),
                ("authority.servers[1].serial", &format!("absent not-offered «{said}»")),
                ("authority.serials_agree", "true «192.0.2.1 SOA example.org aa»"),
            ],
        );
    }
    // A failure, or silence, is not an answer.
    soa("rcode=2", "")
        .check("example.org", &[("authority.lame", "unknown dns-servfail: the name server fails (SERVFAIL)")]);
    let silent = parent(good(zone(), ONE, 7, "mx.example.org"), REFERRAL);
    let why = "unknown dns-timeout: 203.0.113.2 did not answer";
    silent.check(
        "example.org",
        &[
            ("authority.lame", why),
            ("authority.servers[1].authoritative", why),
            ("authority.serials_agree", why),
            ("authority.open_recursion", why),
            ("authority.open_transfer", why),
            ("authority.networks", "2 «ns1.example.org A 192.0.2.1»"),
        ],
    );
}

#[test]
fn case_37_records_that_differ_between_the_servers() {
    let fake = parent(good(good(zone(), ONE, 7, "mx.example.org"), TWO, 8, "old.example.org"), REFERRAL);
    let fake = fake
        .reply(TWO, "example.org", RecordType::TXT, Ask::Iterative, "aa", "example.org TXT v=spf1 +all")
        .reply(TWO, "_dmarc.example.org", RecordType::TXT, Ask::Iterative, "aa", "_dmarc.example.org TXT v=DMARC1");
    fake.check(
        "example.org",
        &[
            (
                "authority.differing",
                "[MX example.org, SPF example.org, TXT _dmarc.example.org] «203.0.113.2 MX example.org aa»",
            ),
            ("authority.serials_agree", "false «203.0.113.2 SOA example.org aa»"),
        ],
    );
    // What a server refuses to say is not a difference, and what a lame one says does not count.
    let refused = well().reply(TWO, "example.org", RecordType::TXT, Ask::Iterative, "rcode=5", "");
    let line = refused.line("example.org", "authority.differing");
    assert_eq!(line, "unknown dns-refused: the question for SPF example.org is answered with response code 5");
    let lame = fake.reply(TWO, "example.org", RecordType::SOA, Ask::Iterative, "rcode=5", "");
    assert!(lame.line("example.org", "authority.differing").starts_with("[] "));
}

#[test]
fn parent_and_zone_that_name_other_servers() {
    let fake = parent(
        good(good(zone(), ONE, 7, "mx.example.org"), TWO, 7, "mx.example.org"),
        ";example.org NS ns1.example.org|example.org NS gone.example.net;ns1.example.org A 192.0.2.1",
    );
    fake.check(
        "example.org",
        &[
            ("authority.parent_ns", "[gone.example.net, ns1.example.org] «198.51.100.1 NS example.org »"),
            ("authority.parent_agrees", "false «198.51.100.1 NS example.org »"),
        ],
    );
    for (flags, text, why) in [
        ("rcode=2", "", "unknown dns-servfail: the parent's server fails (SERVFAIL)"),
        ("", ";. NS a.root-servers.net", "unknown protocol: the parent's server does not delegate example.org"),
        (
            "aa",
            "example.org NS ns1.example.org",
            "unknown not-collected: the parent's server also serves example.org, and answers for it",
        ),
        ("aa rcode=3", "", "absent nxdomain «198.51.100.1 NS example.org aa rcode=3»"),
    ] {
        let fake = well().reply("198.51.100.1", "example.org", RecordType::NS, Ask::Iterative, flags, text);
        fake.check(
            "example.org",
            &[("authority.parent_ns", why), ("authority.parent_agrees", why), ("authority.stale_glue", why)],
        );
    }
}

#[test]
fn a_server_that_only_the_parent_names_is_asked_too() {
    let records = format!("{ZONE}ns3.example.net A 203.0.114.3\n");
    let fake =
        good(good(Fake::new(&["org", "example.org"], &records), ONE, 7, "m.example.org"), TWO, 7, "m.example.org");
    let fake = parent(fake, ";example.org NS ns1.example.org|example.org NS ns3.example.net").reply(
        "203.0.114.3",
        "example.org",
        RecordType::SOA,
        Ask::Iterative,
        "rcode=5",
        "",
    );
    fake.check(
        "example.org",
        &[
            ("authority.lame", "[ns3.example.net] «203.0.114.3 SOA example.org rcode=5»"),
            ("authority.networks", "3 «ns1.example.org A 192.0.2.1»"),
        ],
    );
}

#[test]
fn glue_that_is_not_what_the_zone_says() {
    let glue = |text: &str| parent(well(), &format!(";example.org NS ns1.example.org;{text}"));
    let at = "«198.51.100.1 NS example.org »";
    for (text, stale) in [
        ("ns1.example.org A 192.0.2.1", "[]"),
        ("ns1.example.org A 192.0.2.9", "[ns1.example.org]"),
        ("ns1.example.org A 192.0.2.1|ns1.example.org AAAA 2001:db8::1", "[ns1.example.org]"),
        ("", "[]"),
    ] {
        glue(text).check("example.org", &[("authority.stale_glue", &format!("{stale} {at}"))]);
    }
    let outside = Fake::new(&["org", "example.org"], &ZONE.replace("example.org NS ns1.example.org\n", ""));
    let outside = parent(outside, ";example.org NS ns2.example.net");
    outside.check("example.org", &[("authority.stale_glue", &format!("absent not-stated {at}"))]);
}

#[test]
fn case_147_servers_on_one_network() {
    let near = ZONE.replace("203.0.113.2", "192.0.2.2");
    let fake = |records: &str| Fake::new(&["org", "example.org"], records);
    let at = "«ns1.example.org A 192.0.2.1»";
    fake(&near).check("example.org", &[("authority.networks", &format!("1 {at}"))]);
    let six = format!("{near}ns1.example.org AAAA 2001:db8:1:1::1\nns2.example.net AAAA 2001:db8:1:2::1\n");
    fake(&six).check("example.org", &[("authority.networks", &format!("2 {at}"))]);
    let hidden = fake(ZONE).fail("ns2.example.net", RecordType::A, Cause::DnsTimeout);
    hidden.check(
        "example.org",
        &[
            ("authority.networks", "unknown dns-timeout: ns2.example.net A failed"),
            ("authority.servers[1].host", "unknown dns-timeout: ns2.example.net A failed"),
        ],
    );
}

#[test]
fn servers_that_recurse_or_hand_over_the_zone() {
    let recursive =
        |flags: &str, text: &str| well().reply(TWO, "example.com", RecordType::A, Ask::Recursive, flags, text);
    for (flags, text, open) in [
        ("ra", "example.com A 9.9.9.9", true),
        ("ra rcode=3", "", true),
        ("ra", "", false),
        ("ra", ";com NS a.gtld-servers.net", false),
        ("", "example.com A 9.9.9.9", false),
        ("ra rcode=5", "", false),
    ] {
        let expected = if open { "[ns2.example.net]" } else { "[]" };
        let line = recursive(flags, text).line("example.org", "authority.open_recursion");
        assert!(line.starts_with(expected), "{flags} {text}: {line}");
    }
    // The records of a message are sorted when it is registered, so the SOA record need not stand first.
    for (records, open) in [
        ("example.org SOA 7|example.org NS ns1.example.org", true),
        ("_dmarc.example.org NS ns1.example.org|example.org SOA 7", true),
        ("example.org NS ns1.example.org", false),
        ("", false),
    ] {
        let transfer = well().reply(TWO, "example.org", AXFR, Ask::Transfer, "aa", records);
        let said = format!("{} «", if open { "[ns2.example.net]" } else { "[]" });
        let line = transfer.line("example.org", "authority.open_transfer");
        assert!(line.starts_with(&said), "{records}: {line}");
    }
    let failed = well().reply(TWO, "example.org", AXFR, Ask::Transfer, "rcode=2", "");
    let line = failed.line("example.org", "authority.open_transfer");
    assert_eq!(line, "unknown dns-servfail: the name server fails (SERVFAIL)");
    // Whoever fails to find out has not said for whom it looks.
    let failed = recursive("ra rcode=2", "").line("example.org", "authority.open_recursion");
    assert_eq!(failed, "unknown dns-servfail: the name server fails (SERVFAIL)");
}

#[test]
fn everything_is_asked_in_one_round() {
    // Nobody answers, and still each server is asked everything.
    let fake = zone();
    fake.facts("example.org");
    let asked = fake.asked.borrow();
    for question in [
        (ONE, "example.org", RecordType::SOA, Ask::Iterative),
        (ONE, "example.org", RecordType::MX, Ask::Iterative),
        (ONE, "_dmarc.example.org", RecordType::TXT, Ask::Iterative),
        (TWO, "example.com", RecordType::A, Ask::Recursive),
        (TWO, "example.org", AXFR, Ask::Transfer),
        ("198.51.100.1", "example.org", RecordType::NS, Ask::Iterative),
    ] {
        let question = (question.0.parse().unwrap(), name(question.1), question.2, question.3);
        assert!(asked.contains(&question), "{question:?}");
    }
}

#[test]
fn without_name_servers_nothing_is_known_about_them() {
    let lost = zone().fail("example.org", RecordType::NS, Cause::DnsServfail);
    let why = "unknown dns-servfail: example.org NS failed";
    lost.check("example.org", &[("authority.servers", why), ("authority.lame", why), ("authority.networks", why)]);
    let nowhere = Fake::new(&[], ZONE).fail("example.org", RecordType::SOA, Cause::DnsTimeout);
    nowhere.check("example.org", &[("authority.servers", "unknown dns-timeout: example.org SOA failed")]);
}
