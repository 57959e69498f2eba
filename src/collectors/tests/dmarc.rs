use super::{TOP, bare, org};

const SOA: &str = "«@ SOA ns1 host 1 7200 900 1209600 300»";
const SUFFIX: &str =
    "unknown not-collected: whether the public suffix `org` publishes a DMARC record is not in the files";
const REJECT: &str = "\"v=DMARC1; p=reject; rua=mailto:d@example.org\"";

#[test]
fn the_record_of_the_domain_itself() {
    let whole = format!("«{REJECT}»");
    org(&format!("_dmarc TXT {REJECT}\n")).check(
        "example.org",
        &[
            ("dmarc.record_count", &format!("1 {whole}")),
            ("dmarc.valid", &format!("true {whole}")),
            ("dmarc.policy", "reject «p=reject»"),
            ("dmarc.effective_policy", "reject «p=reject»"),
            ("dmarc.subdomain_policy", "reject «p=reject»"),
            ("dmarc.nonexistent_policy", "reject «p=reject»"),
            ("dmarc.inherited", &format!("false {whole}")),
            ("dmarc.record_domain", &format!("example.org {whole}")),
            ("dmarc.testing", &format!("false {whole}")),
            ("dmarc.percent", &format!("absent not-stated {whole}")),
            ("dmarc.adkim", &format!("relaxed {whole}")),
            ("dmarc.rua[0].uri", "mailto:d@example.org «mailto:d@example.org»"),
            ("dmarc.rua[0].external", "false «mailto:d@example.org»"),
            ("dmarc.rua[0].authorised", "true «mailto:d@example.org»"),
            ("dmarc.ruf", &format!("absent not-stated {whole}")),
            ("dmarc.org_domain", "example.org «_dmarc TXT \"v=DMARC1; p=reject; rua=mailto:d@example.org\"»"),
            ("dmarc.org_domain_psl", "example.org"),
            ("dmarc.org_domains_agree", "true «_dmarc TXT \"v=DMARC1; p=reject; rua=mailto:d@example.org\"»"),
        ],
    );
}

#[test]
fn case_38_a_near_miss_is_named_and_the_record_is_absent() {
    org("_dmarc TXT \"v=dmarc1; p=reject\"\n").check(
        "example.org",
        &[
            ("dmarc.record_count", "0 «_dmarc TXT \"v=dmarc1; p=reject\"»"),
            ("dmarc.near_misses", "[v=dmarc1; p=reject] «\"v=dmarc1; p=reject\"»"),
            ("dmarc.text", SUFFIX),
        ],
    );
}

#[test]
fn without_record_the_suffix_decides_what_applies() {
    org("").check(
        "example.org",
        &[
            ("dmarc.record_count", &format!("0 {SOA}")),
            ("dmarc.near_misses", &format!("[] {SOA}")),
            ("dmarc.text", SUFFIX),
            ("dmarc.policy", SUFFIX),
        ],
    );
    let zones = [("org", "$TTL 1\n@ SOA a b 1 2 3 4 5\nexample NS ns.example.net.\n"), ("example.org", TOP)];
    bare(&zones).check("example.org", &[("dmarc.text", &format!("absent nxdomain {SOA}"))]);
}

#[test]
fn case_44_two_records_are_discarded_and_the_walk_goes_on() {
    org("_dmarc TXT \"v=DMARC1; p=reject; sp=quarantine\"\n_dmarc.a TXT \"v=DMARC1; p=none\"\n_dmarc.a TXT \"v=DMARC1; p=reject\"\n")
        .check(
            "a.example.org",
            &[
                ("dmarc.record_count", "2 «\"v=DMARC1; p=reject\"»"),
                ("dmarc.inherited", "true «\"v=DMARC1; p=reject; sp=quarantine\"»"),
                ("dmarc.policy", "quarantine «sp=quarantine»"),
                ("dmarc.record_domain", "example.org «\"v=DMARC1; p=reject; sp=quarantine\"»"),
            ],
        );
}

#[test]
fn case_49_policies_of_subdomains() {
    org("_dmarc TXT \"v=DMARC1; p=reject; sp=quarantine; np=none\"\na A 9.9.9.9\n").check(
        "a.example.org",
        &[
            ("dmarc.policy", "quarantine «sp=quarantine»"),
            ("dmarc.subdomain_policy", "quarantine «sp=quarantine»"),
            ("dmarc.nonexistent_policy", "none «np=none»"),
            ("dmarc.record_count", &format!("0 {SOA}")),
            ("dmarc.org_domain", "example.org «_dmarc TXT \"v=DMARC1; p=reject; sp=quarantine; np=none\"»"),
        ],
    );
}

#[test]
fn case_50_only_nxdomain_proves_that_a_name_does_not_exist() {
    let world = org("deep.ent A 9.9.9.9\n");
    world.check("ent.example.org", &[("dns.mx", &format!("absent nodata {SOA}"))]);
    world.check("gone.example.org", &[("dns.mx", &format!("absent nxdomain {SOA}"))]);
}

#[test]
fn case_51_test_mode_lowers_the_policy() {
    org("_dmarc TXT \"v=DMARC1; p=reject; t=y\"\n").check(
        "example.org",
        &[
            ("dmarc.policy", "reject «p=reject»"),
            ("dmarc.effective_policy", "quarantine «t=y»"),
            ("dmarc.testing", "true «t=y»"),
        ],
    );
}

#[test]
fn case_57_sp_counts_only_at_the_organisational_domain() {
    org("_dmarc TXT \"v=DMARC1; p=reject\"\n_dmarc.a TXT \"v=DMARC1; p=reject; sp=none\"\n").check(
        "a.example.org",
        &[("dmarc.policy", "reject «p=reject»"), ("dmarc.subdomain_policy", "reject «p=reject»")],
    );
}

#[test]
fn case_58_an_unread_record_is_not_an_absent_one() {
    for (line, cause) in [
        ("_dmarc TXT {{ x }}\n", "not-evaluated"),
        ("_dmarc CNAME a\na CNAME _dmarc\n", "dns-servfail"),
        ("_dmarc NS ns.example.net.\n", "not-collected"),
        ("$INCLUDE more.inc\n", "not-evaluated"),
    ] {
        let world = org(line);
        let facts = world.facts("example.org");
        for path in ["dmarc.text", "dmarc.policy", "dmarc.record_count", "dmarc.near_misses", "dmarc.org_domain"] {
            let found = world.line(&facts, path);
            assert!(found.starts_with(&format!("unknown {cause}: ")), "{line}{path} {found}");
        }
        // What stands above is not known to a domain below either.
        let found = world.line(&world.facts("below.example.org"), "dmarc.policy");
        assert!(found.starts_with("unknown "), "{line}{found}");
    }
    org(&format!("$INCLUDE more.inc\n_dmarc TXT {REJECT}\n")).check(
        "example.org",
        &[
            ("dmarc.policy", "reject «p=reject»"),
            (
                "dmarc.record_count",
                "unknown not-evaluated: the file \"more.inc\" could not be included: there is no file more.inc",
            ),
        ],
    );
}

#[test]
fn case_59_both_ways_to_the_organisational_domain_are_reported() {
    let zones = [("github.io", format!("{TOP}_dmarc TXT \"v=DMARC1; p=none; psd=n\"\nuser A 9.9.9.9\n"))];
    bare(&zones.each_ref().map(|(origin, text)| (*origin, text.as_str()))).check(
        "user.github.io",
        &[
            ("dmarc.org_domain_psl", "user.github.io"),
            ("dmarc.org_domain", "github.io «_dmarc TXT \"v=DMARC1; p=none; psd=n\"»"),
            ("dmarc.org_domains_agree", "false «_dmarc TXT \"v=DMARC1; p=none; psd=n\"»"),
        ],
    );
}

#[test]
fn case_60_an_alias_is_followed_and_stays_unknown_outside() {
    let why = "unknown not-collected: dmarc.example.net is outside this repository";
    org("_dmarc CNAME dmarc.example.net.\n").check(
        "example.org",
        &[("dmarc.record_count", why), ("dmarc.near_misses", why), ("dmarc.text", why), ("dmarc.policy", why)],
    );
    org(&format!("_dmarc CNAME d\nd TXT {REJECT}\n")).check("example.org", &[("dmarc.policy", "reject «p=reject»")]);
    // The record of a public suffix that is at hand is not assumed to be absent.
    bare(&[("github.io", &format!("{TOP}_dmarc CNAME dmarc.example.net.\n"))])
        .check("github.io", &[("dmarc.record_count", why), ("dmarc.text", why)]);
}

#[test]
fn case_61_other_text_from_a_wildcard_is_discarded() {
    org("* TXT \"v=spf1 -all\"\n").check(
        "example.org",
        &[("dmarc.record_count", "0 «* TXT \"v=spf1 -all\"»"), ("dmarc.near_misses", "[] «* TXT \"v=spf1 -all\"»")],
    );
}

#[test]
fn case_62_an_address_of_another_organisation_needs_its_consent() {
    let zones = [
        (
            "example.org",
            format!("{TOP}_dmarc TXT \"v=DMARC1; p=none; rua=mailto:d@example.com,mailto:d@example.net\"\n"),
        ),
        ("example.com", format!("{TOP}example.org._report._dmarc TXT \"v=DMARC1\"\n")),
    ];
    bare(&zones.each_ref().map(|(origin, text)| (*origin, text.as_str()))).check(
        "example.org",
        &[
            ("dmarc.rua[0].external", "true «mailto:d@example.com»"),
            ("dmarc.rua[0].authorised", "true «mailto:d@example.com»"),
            ("dmarc.rua[1].external", "true «mailto:d@example.net»"),
            (
                "dmarc.rua[1].authorised",
                "unknown not-collected: example.org._report._dmarc.example.net is outside this repository",
            ),
        ],
    );
    let zones = [("example.org", zones[0].1.as_str()), ("example.com", TOP)];
    bare(&zones).check("example.org", &[("dmarc.rua[0].authorised", "false «mailto:d@example.com»")]);
}

#[test]
fn case_64_another_host_of_the_same_organisation_needs_no_consent() {
    org("_dmarc.a TXT \"v=DMARC1; p=none; rua=mailto:d@mail.example.org\"\n").check(
        "a.example.org",
        &[
            ("dmarc.rua[0].external", "false «mailto:d@mail.example.org»"),
            ("dmarc.rua[0].authorised", "true «mailto:d@mail.example.org»"),
        ],
    );
}

#[test]
fn case_66_an_address_that_is_no_mailto_uri() {
    org("_dmarc TXT \"v=DMARC1; p=none; rua=d@example.org\"\n").check(
        "example.org",
        &[
            ("dmarc.rua[0].valid", "false «d@example.org»"),
            ("dmarc.rua[0].authorised", "absent not-stated «d@example.org»"),
        ],
    );
}
