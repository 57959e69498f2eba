use super::{bare, org};

const SOA: &str = "«@ SOA ns1 host 1 7200 900 1209600 300»";
const MISSING: &str = "unknown not-evaluated: the file \"more.inc\" could not be included: there is no file more.inc";

#[test]
fn exchangers_in_order_with_their_addresses() {
    org("@ MX 20 ns1\n@ MX 10 mx\n@ MX 10 a.example.net.\nmx A 192.0.2.1\nmx AAAA 2606:4700::1\n").check(
        "example.org",
        &[
            ("dns.mx", "3 elements «@ MX 20 ns1»"),
            ("dns.mx[0].host", "a.example.net «a.example.net.»"),
            ("dns.mx[0].addresses", "unknown not-collected: a.example.net is outside this repository"),
            ("dns.mx[0].cname", "unknown not-collected: a.example.net is outside this repository"),
            ("dns.mx[1].host", "mx.example.org «mx»"),
            ("dns.mx[1].preference", "10 «mx»"),
            ("dns.mx[1].cname", "false «mx»"),
            ("dns.mx[1].addresses", "[192.0.2.1, 2606:4700::1] «192.0.2.1»"),
            ("dns.mx[1].special_addresses", "[192.0.2.1] «192.0.2.1»"),
            ("dns.mx[2].special_addresses", "[] «9.9.9.9»"),
            ("dns.null_mx", "false «@ MX 20 ns1»"),
            ("dns.implicit_mx", "false «@ MX 20 ns1»"),
            ("mail.receives", "true «a.example.net.»"),
        ],
    );
}

#[test]
fn case_83_a_null_mx_takes_no_mail() {
    org("@ MX 0 .\n").check(
        "example.org",
        &[
            ("dns.null_mx", "true «@ MX 0 .»"),
            ("dns.null_mx_mixed", "false «@ MX 0 .»"),
            ("dns.mx[0].null", "true «.»"),
            ("dns.mx[0].addresses", "absent not-stated «.»"),
            ("mail.receives", "false «@ MX 0 .»"),
        ],
    );
}

#[test]
fn case_84_a_null_mx_beside_others_is_mixed_whatever_its_preference() {
    org("@ MX 5 .\n@ MX 10 ns1\n").check(
        "example.org",
        &[
            ("dns.null_mx", "true «@ MX 5 .»"),
            ("dns.null_mx_mixed", "true «@ MX 5 .»"),
            ("dns.mx[0].preference", "5 «.»"),
            ("mail.receives", "true «ns1»"),
        ],
    );
}

#[test]
fn case_85_without_mx_the_address_of_the_domain_takes_mail() {
    org("@ A 9.9.9.9\n").check(
        "example.org",
        &[
            ("dns.mx", &format!("absent nodata {SOA}")),
            ("dns.implicit_mx", "true «9.9.9.9»"),
            ("mail.receives", "true «9.9.9.9»"),
        ],
    );
    org("").check(
        "example.org",
        &[
            ("dns.implicit_mx", &format!("false {SOA}")),
            ("dns.null_mx", &format!("false {SOA}")),
            ("mail.receives", &format!("false {SOA}")),
        ],
    );
    org("@ A {{ web }}\n").check("example.org", &[("dns.mx", &format!("absent nodata {SOA}"))]);
    let world = org("@ A {{ web }}\n");
    let facts = world.facts("example.org");
    for path in ["dns.implicit_mx", "mail.receives", "dns.addresses"] {
        assert!(world.line(&facts, path).starts_with("unknown not-evaluated: "), "{path}");
    }
}

#[test]
fn case_86_an_mx_without_address_does_not_fall_back_to_the_domain() {
    org("@ A 9.9.9.9\n@ MX 10 gone\n").check(
        "example.org",
        &[
            ("dns.mx[0].addresses", "absent nxdomain «gone»"),
            ("dns.implicit_mx", "false «@ MX 10 gone»"),
            ("mail.receives", "true «gone»"),
        ],
    );
}

#[test]
fn case_87_an_mx_that_is_an_alias() {
    org("@ MX 10 mail\nmail CNAME ns1\n").check(
        "example.org",
        &[("dns.mx[0].cname", "true «mail CNAME ns1»"), ("dns.mx[0].addresses", "[9.9.9.9] «9.9.9.9»")],
    );
    org("@ MX 10 mail\nmail CNAME host.example.net.\n").check(
        "example.org",
        &[
            ("dns.mx[0].cname", "true «mail CNAME host.example.net.»"),
            ("dns.mx[0].addresses", "unknown not-collected: host.example.net is outside this repository"),
        ],
    );
}

#[test]
fn case_88_an_address_in_place_of_a_host() {
    org("@ MX 10 192.0.2.1.\n").check(
        "example.org",
        &[
            ("dns.mx[0].address_literal", "true «192.0.2.1.»"),
            ("dns.mx[0].addresses", "absent not-stated «192.0.2.1.»"),
        ],
    );
}

#[test]
fn case_89_special_addresses_are_listed_one_by_one() {
    org("@ MX 10 mx\nmx A 9.9.9.9\nmx A 10.0.0.1\nmx AAAA ::1\n").check(
        "example.org",
        &[
            ("dns.mx[0].addresses", "[9.9.9.9, 10.0.0.1, ::1] «9.9.9.9»"),
            ("dns.mx[0].special_addresses", "[10.0.0.1, ::1] «9.9.9.9»"),
        ],
    );
    // The address that cannot be read may be special.
    let world = org("@ MX 10 mx\nmx A 9.9.9.9\nmx AAAA {{ x }}\n@ MX 20 bad\nbad A 9.9.9.300\n");
    world.check("example.org", &[("dns.mx[0].addresses", "[9.9.9.9] «9.9.9.9»")]);
    let facts = world.facts("example.org");
    assert!(world.line(&facts, "dns.mx[0].special_addresses").starts_with("unknown not-evaluated: "));
    assert!(world.line(&facts, "dns.mx[1].addresses").starts_with("unknown parse: "));
}

#[test]
fn case_143_names_without_final_dot() {
    org("@ MX 10 mail.example.org\n@ MX 20 ns1\n").check(
        "example.org",
        &[
            ("dns.undotted", "[mail.example.org.example.org] «mail.example.org»"),
            ("dns.mx[0].undotted", "true «mail.example.org»"),
            ("dns.mx[1].undotted", "false «ns1»"),
        ],
    );
}

#[test]
fn exchangers_that_cannot_be_read_are_rows_without_facts() {
    let world = org("@ MX ten ns1\n");
    let facts = world.facts("example.org");
    for path in ["dns.mx[0].host", "dns.mx[0].addresses", "dns.null_mx", "dns.undotted", "mail.receives"] {
        assert!(world.line(&facts, path).starts_with("unknown parse: "), "{path} {}", world.line(&facts, path));
    }
    world.check("example.org", &[("dns.null_mx_mixed", "false «@ MX ten ns1»")]);
    let world = org("@ MX ten ns1\n@ MX 10 ns1\n");
    world.check("example.org", &[("dns.mx[0].host", "ns1.example.org «ns1»"), ("mail.receives", "true «ns1»")]);
    let facts = world.facts("example.org");
    for path in ["dns.mx[1].host", "dns.null_mx", "dns.null_mx_mixed"] {
        assert!(world.line(&facts, path).starts_with("unknown parse: "), "{path} {}", world.line(&facts, path));
    }
}

#[test]
fn a_missing_file_may_hold_more_exchangers_and_servers() {
    org("$INCLUDE more.inc\n@ MX 10 ns1\n").check(
        "example.org",
        &[
            ("dns.mx", "2 elements «@ MX 10 ns1»"),
            ("dns.mx[0].host", "ns1.example.org «ns1»"),
            ("dns.mx[1].host", MISSING),
            ("dns.ns[2].host", MISSING),
            ("dns.null_mx", MISSING),
            ("dns.null_mx_mixed", MISSING),
            ("dns.addresses", MISSING),
            ("dns.cname", MISSING),
        ],
    );
    org("$INCLUDE more.inc\n").check("example.org", &[("dns.mx", MISSING), ("dns.implicit_mx", MISSING)]);
}

#[test]
fn case_139_a_cname_at_the_domain_and_beside_others() {
    org("sub CNAME www.example.net.\n").check(
        "sub.example.org",
        &[
            ("dns.cname", "www.example.net «www.example.net.»"),
            ("dns.cname_mixed", "false «www.example.net.»"),
            ("dns.mx", "unknown not-collected: www.example.net is outside this repository"),
        ],
    );
    org("sub CNAME www.example.net.\nsub TXT x\n").check("sub.example.org", &[("dns.cname_mixed", "true «sub TXT x»")]);
    org("sub CNAME a\nsub CNAME b\n").check("sub.example.org", &[("dns.cname_mixed", "true «sub CNAME b»")]);
    let world = org("sub CNAME www.example.net.\nsub TXT {{ x }}\n");
    let mixed = world.line(&world.facts("sub.example.org"), "dns.cname_mixed");
    assert!(mixed.starts_with("unknown not-evaluated: "), "{mixed}");
    org("").check("example.org", &[("dns.cname_mixed", &format!("false {SOA}"))]);
}

#[test]
fn case_146_the_fields_of_the_soa_record() {
    org("").check(
        "example.org",
        &[
            ("dns.soa.mname", "ns1.example.org «ns1»"),
            ("dns.soa.rname", "host.example.org «host»"),
            ("dns.soa.serial", "1 «1»"),
            ("dns.soa.refresh", "7200 «7200»"),
            ("dns.soa.retry", "900 «900»"),
            ("dns.soa.expire", "1209600 «1209600»"),
            ("dns.soa.minimum", "300 «300»"),
        ],
    );
    // A name inside the zone has the SOA record of the zone.
    org("a A 9.9.9.9\n").check("a.example.org", &[("dns.soa.expire", "1209600 «1209600»")]);
    let world = bare(&[("example.org", "$TTL 1\n@ SOA ns1 host 1 2 3\n@ NS ns1\n")]);
    let expire = world.line(&world.facts("example.org"), "dns.soa.expire");
    assert!(expire.starts_with("unknown parse: "), "{expire}");
}

#[test]
fn case_147_the_name_servers_of_the_zone() {
    org("a A 9.9.9.9\n").check(
        "a.example.org",
        &[
            ("dns.ns", "2 elements «@ NS ns1»"),
            ("dns.ns[0].host", "ns.example.net «ns.example.net.»"),
            ("dns.ns[0].addresses", "unknown not-collected: ns.example.net is outside this repository"),
            ("dns.ns[1].host", "ns1.example.org «ns1»"),
            ("dns.ns[1].addresses", "[9.9.9.9] «9.9.9.9»"),
            ("dns.ns[1].cname", "false «ns1»"),
        ],
    );
    let world = org("@ NS {{ x }}\n");
    let servers = world.line(&world.facts("example.org"), "dns.ns");
    assert!(servers.starts_with("unknown not-evaluated: "), "{servers}");
}

#[test]
fn case_141_of_a_delegated_domain_nothing_is_known() {
    let why = "unknown not-collected: sub.example.org is delegated to ns.example.net";
    org("sub NS ns.example.net.\nsub MX 10 ns1\n").check(
        "sub.example.org",
        &[("dns.mx", why), ("dns.soa.expire", why), ("spf.text", why), ("dns.cname", why), ("mail.receives", why)],
    );
}

#[test]
fn case_148_a_zone_that_is_served_in_two_ways_is_a_conflict() {
    let inside = "$TTL 1\n@ SOA ns1 host 1 2 3 4 5\n@ MX 10 inside\n";
    let outside = "$TTL 1\n@ SOA ns1 host 1 2 3 4 5\n@ MX 10 outside\n";
    let why = "unknown conflict: the zone example.org is defined twice with different records";
    bare(&[("example.org", inside), ("example.org", outside)]).check(
        "example.org",
        &[
            ("dns.mx", why),
            ("dns.null_mx", why),
            ("spf.text", why),
            ("dmarc.text", why),
            ("dkim.wildcard", why),
            ("mta_sts.record_count", why),
            ("tls_rpt.record_count", why),
            ("mail.receives", why),
        ],
    );
}

#[test]
fn wildcards_below_the_domain() {
    org("* TXT \"v=spf1 -all\"\n").check(
        "example.org",
        &[("dns.wildcard_txt", "true «* TXT \"v=spf1 -all\"»"), ("dns.wildcard_mx", &format!("false {SOA}"))],
    );
    org("$INCLUDE more.inc\n").check("example.org", &[("dns.wildcard_txt", MISSING), ("dns.wildcard_mx", MISSING)]);
}

#[test]
fn the_smallest_ttl_of_the_mail_records() {
    org("@ 600 MX 10 ns1\n@ 1200 TXT \"v=spf1 -all\"\n@ 60 TXT other\n_dmarc 300 TXT \"v=DMARC1; p=reject\"\n")
        .check("example.org", &[("dns.mail_ttl", "300 «_dmarc 300 TXT \"v=DMARC1; p=reject\"»")]);
    org("").check("example.org", &[("dns.mail_ttl", "absent not-stated")]);
    let world = org("@ 600 MX 10 ns1\n_dmarc 300 TXT {{ x }}\n");
    let ttl = world.line(&world.facts("example.org"), "dns.mail_ttl");
    assert!(ttl.starts_with("unknown not-evaluated: "), "{ttl}");
}
