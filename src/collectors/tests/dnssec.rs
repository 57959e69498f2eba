//! DNSSEC states, keys and signatures; DANE on top of them.

use super::fake::Fake;
use super::org;
use crate::facts::Cause;
use crate::facts::domain::Security;
use crate::sources::RecordType;

const SIGNED: &str = "example.org SOA 1\nexample.org MX 10 mx.example.org\nmx.example.org A 9.9.9.9\n\
    example.org DNSKEY 257 3 13 aaaa\nexample.org DNSKEY 256 3 13 bbbb\nexample.org DNSKEY 256 3 8 cccc\n\
    example.org DS 1 13 2 00\nexample.org DS 1 13 4 00\nexample.org NSEC3PARAM 1 0 5 abcd\n";
const TLSA: &str = "_25._tcp.mx.example.org TLSA 3 1 1\n";

fn signed(more: &str) -> Fake {
    Fake::new(&["example.org"], &format!("{SIGNED}{more}"))
}

#[test]
fn files_say_nothing_about_dnssec() {
    org("@ MX 10 ns1\n_25._tcp.ns1 TLSA 3 1 1 00\n").check(
        "example.org",
        &[
            ("dnssec.status", "unknown not-collected: "),
            ("dnssec.ds", "unknown not-collected: "),
            ("dns.mx[0].security", "unknown not-collected: "),
            ("dane.tlsa[0].security", "unknown not-collected: "),
            ("dane.broken_hosts", "unknown not-collected: "),
            ("dane.insecure_hosts", "unknown not-collected: "),
            ("authority.servers", "unknown not-collected: "),
            ("second_resolver.agrees", "unknown not-collected: "),
        ],
    );
}

#[test]
fn case_108_the_four_states_are_kept_apart() {
    let soa = |state, why| signed("").state("example.org", RecordType::SOA, state, why, None);
    soa(Security::Secure, "").check(
        "example.org",
        &[
            ("dnssec.status", "secure «validated example.org SOA»"),
            ("dnssec.error", "absent not-stated «validated example.org SOA»"),
        ],
    );
    soa(Security::Insecure, "org proves that example.org has no DS record").check(
        "example.org",
        &[
            ("dnssec.status", "insecure «validated example.org SOA»"),
            ("dnssec.error", "absent not-stated «validated example.org SOA»"),
        ],
    );
    for state in [Security::Bogus, Security::Indeterminate] {
        soa(state, "the reason").check(
            "example.org",
            &[
                ("dnssec.status", &format!("{state} «validated example.org SOA»")),
                ("dnssec.error", "the reason «validated example.org SOA»"),
            ],
        );
    }
    signed("").unvalidated("example.org", RecordType::SOA, Cause::DnsServfail).check(
        "example.org",
        &[
            ("dnssec.status", "unknown dns-servfail: no answer"),
            ("dnssec.error", "unknown dns-servfail: no answer"),
            ("dnssec.signatures_expire", "unknown dns-servfail: no answer"),
        ],
    );
}

#[test]
fn case_108_each_record_has_a_state_of_its_own() {
    signed("")
        .state("example.org", RecordType::MX, Security::Bogus, "why", None)
        .state("example.org", RecordType::TXT, Security::Insecure, "", None)
        .unvalidated("_dmarc.example.org", RecordType::TXT, Cause::DnsTimeout)
        .state("mx.example.org", RecordType::AAAA, Security::Insecure, "", None)
        .check(
            "example.org",
            &[
                ("dnssec.mx", "bogus «validated example.org MX»"),
                ("dnssec.spf", "insecure «validated example.org TXT»"),
                ("dnssec.dmarc", "unknown dns-timeout: no answer"),
                // The weaker of both families.
                ("dns.mx[0].security", "insecure «validated mx.example.org AAAA»"),
                ("dnssec.signatures_expire", "unknown dnssec-bogus: why"),
            ],
        );
}

#[test]
fn case_110_algorithms_digests_and_iterations() {
    signed("").check(
        "example.org",
        &[
            ("dnssec.ds", "true «example.org DS 1 13 2 00»"),
            ("dnssec.algorithms", "[8, 13] «example.org DNSKEY 257 3 13 aaaa»"),
            ("dnssec.digests", "[2, 4] «example.org DS 1 13 2 00»"),
            ("dnssec.nsec3_iterations", "5 «example.org NSEC3PARAM 1 0 5 abcd»"),
        ],
    );
    Fake::new(&["example.org"], "example.org SOA 1\n").check(
        "example.org",
        &[
            ("dnssec.ds", "false"),
            ("dnssec.algorithms", "absent nodata"),
            ("dnssec.nsec3_iterations", "absent nodata"),
            ("dnssec.signatures_expire", "absent not-stated"),
        ],
    );
    signed("").fail("example.org", RecordType::DS, Cause::DnsTimeout).check(
        "example.org",
        &[
            ("dnssec.ds", "unknown dns-timeout: example.org DS failed"),
            ("dnssec.digests", "unknown dns-timeout: example.org DS failed"),
        ],
    );
    let odd = signed("example.org DNSKEY 256 3 odd dddd\n").line("example.org", "dnssec.algorithms");
    assert_eq!(odd, "unknown parse: the DNSKEY record cannot be read");
}

#[test]
fn a_name_inside_a_zone_has_the_keys_of_the_zone() {
    signed("sub.example.org MX 10 mx.example.org\n").check(
        "sub.example.org",
        &[
            ("dnssec.ds", "true «example.org DS 1 13 2 00»"),
            ("dnssec.algorithms", "[8, 13] «example.org DNSKEY 257 3 13 aaaa»"),
        ],
    );
    // While the zone is not known, what is true of the name is not said of the zone.
    let lost = Fake::new(&[], SIGNED).fail("sub.example.org", RecordType::SOA, Cause::DnsTimeout);
    lost.check("sub.example.org", &[("dnssec.ds", "unknown dns-timeout: sub.example.org SOA failed")]);
}

#[test]
fn the_earliest_signature_decides() {
    let at = |time: i64| Some(1_795_219_200 + time);
    signed("")
        .state("example.org", RecordType::SOA, Security::Secure, "", at(300))
        .state("example.org", RecordType::MX, Security::Secure, "", at(60))
        .state("example.org", RecordType::DNSKEY, Security::Secure, "", at(900))
        .check("example.org", &[("dnssec.signatures_expire", "2026-11-21T00:01:00Z «validated example.org MX»")]);
}

#[test]
fn case_102_tlsa_records_without_a_secure_chain_have_no_effect() {
    signed(TLSA).check(
        "example.org",
        &[("dane.insecure_hosts", "[] «example.org MX 10 mx.example.org»"), ("dane.tlsa[0].security", "secure")],
    );
    for (at, rtype) in [
        ("example.org", RecordType::MX),
        ("mx.example.org", RecordType::A),
        ("mx.example.org", RecordType::AAAA),
        ("_25._tcp.mx.example.org", RecordType::TLSA),
    ] {
        let fake = signed(TLSA).state(at, rtype, Security::Insecure, "", None);
        let expected = format!("[mx.example.org] «validated {at} {rtype}»");
        fake.check("example.org", &[("dane.insecure_hosts", &expected)]);
        assert!(fake.line("example.org", "dane.broken_hosts").starts_with("[] "));
        let unknown = signed(TLSA).unvalidated(at, rtype, Cause::DnsTimeout);
        unknown.check("example.org", &[("dane.insecure_hosts", "unknown dns-timeout: no answer")]);
        let blind = signed(TLSA).state(at, rtype, Security::Indeterminate, "no anchor", None);
        blind.check("example.org", &[("dane.insecure_hosts", "unknown not-collected: no anchor")]);
    }
    // Without TLSA records there is nothing that could lack effect.
    let without = signed("").state("example.org", RecordType::MX, Security::Insecure, "", None);
    assert!(without.line("example.org", "dane.insecure_hosts").starts_with("[] "));
}

#[test]
fn case_103_a_question_for_tlsa_records_that_fails_stops_delivery() {
    let owner = "_25._tcp.mx.example.org";
    for cause in [Cause::DnsServfail, Cause::DnssecBogus] {
        let fake = signed("").fail(owner, RecordType::TLSA, cause);
        fake.check("example.org", &[("dane.broken_hosts", "[mx.example.org] «example.org MX 10 mx.example.org»")]);
        assert!(fake.line("example.org", "dane.tlsa").starts_with(&format!("unknown {cause}")));
        assert!(fake.line("example.org", "dane.insecure_hosts").starts_with(&format!("unknown {cause}")));
        // Nobody asks for TLSA records of a host whose addresses are not signed.
        let unsigned = fake.state("mx.example.org", RecordType::A, Security::Insecure, "", None);
        assert!(unsigned.line("example.org", "dane.broken_hosts").starts_with("[] "));
    }
    let bogus = signed(TLSA).state(owner, RecordType::TLSA, Security::Bogus, "why", None);
    bogus.check("example.org", &[("dane.broken_hosts", "[mx.example.org] «validated _25._tcp.mx.example.org TLSA»")]);
    let silent = signed("").fail(owner, RecordType::TLSA, Cause::DnsTimeout);
    silent.check("example.org", &[("dane.broken_hosts", "unknown dns-timeout: _25._tcp.mx.example.org TLSA failed")]);
    let blind = signed("").fail(owner, RecordType::TLSA, Cause::DnsServfail).unvalidated(
        "mx.example.org",
        RecordType::A,
        Cause::DnsTimeout,
    );
    blind.check("example.org", &[("dane.broken_hosts", "unknown dns-timeout: no answer")]);
}
