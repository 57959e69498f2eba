use super::org;

const SOA: &str = "«@ SOA ns1 host 1 7200 900 1209600 300»";
const KEY: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const EXPECTED: &str = "format: 1\ndomains:\n  - name: example.org\n    dkim_selectors: [S1, s2]\n";

#[test]
fn selectors_of_the_zone_and_of_the_inventory() {
    org(&format!("s1._domainkey TXT \"{KEY}\"\nold._domainkey TXT \"v=DKIM1; p=\"\n")).inventory(EXPECTED).check(
        "example.org",
        &[
            ("dkim.keys", "2 elements «old._domainkey TXT \"v=DKIM1; p=\"»"),
            ("dkim.keys[0].selector", "old «old._domainkey TXT \"v=DKIM1; p=\"»"),
            ("dkim.keys[0].revoked", "true «\"v=DKIM1; p=\"»"),
            ("dkim.keys[1].selector", &format!("s1 «s1._domainkey TXT \"{KEY}\"»")),
            ("dkim.keys[1].key_type", "ed25519 «ed25519»"),
            ("dkim.keys[1].record_count", &format!("1 «s1._domainkey TXT \"{KEY}\"»")),
            ("dkim.keys[1].cname", &format!("absent not-stated «\"{KEY}\"»")),
            ("dkim.usable", &format!("true «s1._domainkey TXT \"{KEY}\"»")),
            ("dkim.missing_selectors", "[s2] «old._domainkey TXT \"v=DKIM1; p=\"»"),
            ("dkim.wildcard", &format!("false {SOA}")),
        ],
    );
}

#[test]
fn case_71_a_revoked_key_is_neither_missing_nor_usable() {
    org("s1._domainkey TXT \"v=DKIM1; p=\"\n").check(
        "example.org",
        &[
            ("dkim.keys[0].revoked", "true «\"v=DKIM1; p=\"»"),
            ("dkim.keys[0].valid", "true «\"v=DKIM1; p=\"»"),
            ("dkim.keys[0].bits", "absent not-stated «\"v=DKIM1; p=\"»"),
            ("dkim.usable", "false «s1._domainkey TXT \"v=DKIM1; p=\"»"),
        ],
    );
}

#[test]
fn case_72_a_key_in_test_mode_is_not_usable() {
    let text = KEY.replace("k=", "t=y; k=");
    org(&format!("s1._domainkey TXT \"{text}\"\n")).check(
        "example.org",
        &[("dkim.keys[0].testing", "true «y»"), ("dkim.usable", &format!("false «s1._domainkey TXT \"{text}\"»"))],
    );
}

#[test]
fn case_76_two_records_at_one_selector_protect_nothing() {
    org(&format!("s1._domainkey TXT \"{KEY}\"\ns1._domainkey TXT \"other\"\n")).check(
        "example.org",
        &[
            ("dkim.keys[0].record_count", &format!("2 «s1._domainkey TXT \"{KEY}\"»")),
            ("dkim.usable", &format!("false «s1._domainkey TXT \"{KEY}\"»")),
        ],
    );
}

#[test]
fn case_77_a_selector_that_is_an_alias_is_followed_and_its_target_recorded() {
    org(&format!("s1._domainkey CNAME s1\ns1 TXT \"{KEY}\"\n")).check(
        "example.org",
        &[
            ("dkim.keys[0].cname", "s1.example.org «s1._domainkey CNAME s1»"),
            ("dkim.usable", &format!("true «s1 TXT \"{KEY}\"»")),
        ],
    );
    let why = "unknown not-collected: s1.example.net is outside this repository";
    org("s1._domainkey CNAME s1.example.net.\n").inventory(EXPECTED).check(
        "example.org",
        &[
            ("dkim.keys[0].selector", "s1 «s1._domainkey CNAME s1.example.net.»"),
            ("dkim.keys[0].cname", "s1.example.net «s1._domainkey CNAME s1.example.net.»"),
            ("dkim.keys[0].valid", why),
            ("dkim.keys[0].record_count", why),
            ("dkim.usable", why),
            ("dkim.missing_selectors", "[s2] «s1._domainkey CNAME s1.example.net.»"),
        ],
    );
    org("s1._domainkey CNAME gone\n").check(
        "example.org",
        &[
            ("dkim.keys[0].valid", "false «s1._domainkey CNAME gone»"),
            ("dkim.keys[0].record_count", "0 «s1._domainkey CNAME gone»"),
            ("dkim.keys[0].bits", "absent nxdomain «s1._domainkey CNAME gone»"),
            ("dkim.usable", "false «s1._domainkey CNAME gone»"),
        ],
    );
}

#[test]
fn case_78_where_selectors_cannot_be_listed_none_is_missing() {
    let why = "unknown not-collected: selectors cannot be enumerated, and the inventory names none that is published";
    org("").check("example.com", &[("dkim.keys", why), ("dkim.usable", why)]);
    org("_domainkey NS ns.example.net.\n").check("example.org", &[("dkim.keys", why), ("dkim.usable", why)]);
    // The files hide selectors beside the one that was expected.
    org(&format!("$INCLUDE more.inc\ns1._domainkey TXT \"{KEY}\"\n")).inventory(EXPECTED).check(
        "example.org",
        &[
            ("dkim.keys[0].selector", &format!("s1 «s1._domainkey TXT \"{KEY}\"»")),
            ("dkim.keys[2].selector", why),
            (
                "dkim.usable",
                "unknown not-evaluated: the file \"more.inc\" could not be included: there is no file more.inc",
            ),
        ],
    );
}

#[test]
fn case_79_a_zone_whose_names_are_known_proves_that_there_is_no_selector() {
    for lines in ["", "_domainkey TXT x\n"] {
        org(lines).check(
            "example.org",
            &[("dkim.keys", &format!("0 elements {SOA}")), ("dkim.usable", &format!("false {SOA}"))],
        );
    }
}

#[test]
fn case_80_a_wildcard_answers_for_every_selector() {
    let star = format!("*._domainkey TXT \"{KEY}\"");
    org(&format!("{star}\n")).inventory(EXPECTED).check(
        "example.org",
        &[
            ("dkim.wildcard", &format!("true «{star}»")),
            ("dkim.keys", &format!("2 elements «{star}»")),
            ("dkim.missing_selectors", &format!("[] «{star}»")),
        ],
    );
}

#[test]
fn case_81_a_key_for_another_service_is_not_usable() {
    let text = KEY.replace("k=", "s=other; k=");
    org(&format!("s1._domainkey TXT \"{text}\"\n")).check(
        "example.org",
        &[("dkim.keys[0].email", "false «other»"), ("dkim.usable", &format!("false «s1._domainkey TXT \"{text}\"»"))],
    );
}

#[test]
fn a_selector_that_cannot_be_read_is_neither_missing_nor_usable() {
    for (line, cause) in [("s2._domainkey TXT {{ x }}", "not-evaluated"), ("s2._domainkey TXT \"x", "parse")] {
        let world = org(&format!("s1._domainkey TXT \"{KEY}\"\n{line}\n")).inventory(EXPECTED);
        let facts = world.facts("example.org");
        let missing = world.line(&facts, "dkim.missing_selectors");
        assert!(missing.starts_with("unknown "), "{missing}");
        let lines: Vec<String> = (0..3).map(|row| world.line(&facts, &format!("dkim.keys[{row}].valid"))).collect();
        assert!(lines.iter().any(|line| line.starts_with(&format!("unknown {cause}"))), "{lines:?}");
    }
    // One that nobody expects does not make the expected ones uncertain.
    let both = format!("s1._domainkey TXT \"{KEY}\"\ns2._domainkey TXT \"{KEY}\"\ns3._domainkey TXT {{{{ x }}}}\n");
    org(&both)
        .inventory(EXPECTED)
        .check("example.org", &[("dkim.missing_selectors", &format!("[] «s1._domainkey TXT \"{KEY}\"»"))]);
}
