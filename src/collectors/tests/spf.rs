use super::{TOP, bare, org};

const OUTSIDE: &str = "unknown not-collected: spf.example.net is outside this repository";
const TEMPLATE: &str = "v={{ x }}";

#[test]
fn a_record_and_what_it_says() {
    org("@ TXT \"v=spf1 mx ip4:198.51.0.0/16 ip6:2001:db8::/30 include:_spf ptr -all\"\n_spf TXT \"v=spf1 ?all\"\n@ MX 10 ns1\n")
        .check(
            "example.org",
            &[
                ("spf.record_count", "1 «\"v=spf1 mx ip4:198.51.0.0/16 ip6:2001:db8::/30 include:_spf ptr -all\"»"),
                ("spf.valid", "false «_spf»"),
                ("spf.all", "absent not-stated «_spf»"),
            ],
        );
    org("@ TXT \"v=spf1 mx ip4:198.51.0.0/16 ip6:2001:db8::/30 include:_spf.%{d} ptr -all\"\n_spf TXT \"v=spf1 ip4:9.0.0.0/12 ?all\"\n@ MX 10 ns1\n")
        .check(
            "example.org",
            &[
                ("spf.all", "fail «-all»"),
                ("spf.lookups_direct", "3 «\"v=spf1 mx ip4:198.51.0.0/16 ip6:2001:db8::/30 include:_spf.%{d} ptr -all\"»"),
                ("spf.includes[0].domain", "_spf.example.org «\"v=spf1 mx ip4:198.51.0.0/16 ip6:2001:db8::/30 include:_spf.%{d} ptr -all\"»"),
                ("spf.widest_ip4", "12 «ip4:9.0.0.0/12»"),
                ("spf.widest_ip6", "30 «ip6:2001:db8::/30»"),
                ("spf.ptr", "true «ptr»"),
                ("spf.macros", "true «%{d}»"),
                ("spf.terms_after_all", "false «\"v=spf1 mx ip4:198.51.0.0/16 ip6:2001:db8::/30 include:_spf.%{d} ptr -all\"»"),
            ],
        );
}

#[test]
fn case_35_the_record_of_a_domain_without_mail_authorises_nobody() {
    org("@ TXT \"v=spf1 -all\"\n").check(
        "example.org",
        &[
            ("spf.none_authorised", "true «\"v=spf1 -all\"»"),
            ("spf.lookups", "0 «\"v=spf1 -all\"»"),
            ("spf.widest_ip4", "absent not-stated «\"v=spf1 -all\"»"),
            ("spf.includes", "0 elements «\"v=spf1 -all\"»"),
            ("mail.sends", "false «\"v=spf1 -all\"»"),
        ],
    );
}

#[test]
fn no_record_is_absent_and_what_resembles_one_is_named() {
    org("@ TXT \"v=spf10 -all\"\n@ TXT \"hello\"\n").check(
        "example.org",
        &[
            ("spf.record_count", "0 «\"v=spf10 -all\"»"),
            ("spf.near_misses", "[v=spf10 -all] «\"v=spf10 -all\"»"),
            ("spf.text", "absent not-published «@ TXT \"v=spf10 -all\"»"),
            ("spf.all", "absent not-published «@ TXT \"v=spf10 -all\"»"),
        ],
    );
    org("").check(
        "example.org",
        &[
            ("spf.record_count", "0 «@ SOA ns1 host 1 7200 900 1209600 300»"),
            ("spf.near_misses", "[] «@ SOA ns1 host 1 7200 900 1209600 300»"),
            ("spf.text", "absent nodata «@ SOA ns1 host 1 7200 900 1209600 300»"),
        ],
    );
    org("").check("gone.example.org", &[("spf.text", "absent nxdomain «@ SOA ns1 host 1 7200 900 1209600 300»")]);
    org("").check(
        "example.com",
        &[
            ("spf.text", "unknown not-collected: example.com is outside this repository"),
            ("spf.record_count", "unknown not-collected: example.com is outside this repository"),
        ],
    );
}

#[test]
fn case_03_nothing_follows_from_either_of_two_records() {
    org("@ TXT \"v=spf1 -all\"\n@ TXT \"v=spf1 +all\"\n").check(
        "example.org",
        &[
            ("spf.record_count", "2 «\"v=spf1 +all\"»"),
            ("spf.valid", "false «\"v=spf1 +all\"»"),
            ("spf.error", "2 SPF records at one name «\"v=spf1 +all\"»"),
            ("spf.all", "absent not-stated «\"v=spf1 +all\"»"),
            ("spf.none_authorised", "absent not-stated «\"v=spf1 +all\"»"),
        ],
    );
}

#[test]
fn case_08_a_malformed_record_has_no_effect() {
    let world = org("@ TXT \"v=spf1 ip4:1.2.3.4 moo -all\"\n");
    world.check(
        "example.org",
        &[
            ("spf.record_count", "1 «\"v=spf1 ip4:1.2.3.4 moo -all\"»"),
            ("spf.text", "v=spf1 ip4:1.2.3.4 moo -all «\"v=spf1 ip4:1.2.3.4 moo -all\"»"),
            ("spf.valid", "false «moo»"),
            ("spf.all", "absent not-stated «moo»"),
            ("spf.none_authorised", "absent not-stated «moo»"),
            ("spf.lookups", "absent not-stated «moo»"),
            ("spf.widest_ip4", "absent not-stated «moo»"),
            ("spf.widest_ip4_at_most", "absent not-stated «moo»"),
            ("spf.widest_ip6_at_most", "absent not-stated «moo»"),
            ("spf.includes", "absent not-stated «moo»"),
            ("spf.terms_after_all", "false «\"v=spf1 ip4:1.2.3.4 moo -all\"»"),
            ("mail.sends", "unknown not-collected: DNS does not say whether the domain sends mail; the inventory can"),
        ],
    );
}

#[test]
fn case_17_an_include_without_record_breaks_the_evaluation() {
    let whole = "«\"v=spf1 include:none.example.org -all\"»";
    org("@ TXT \"v=spf1 include:none.example.org -all\"\n").check(
        "example.org",
        &[
            ("spf.valid", &format!("true {whole}")),
            ("spf.includes[0].domain", &format!("none.example.org {whole}")),
            ("spf.includes[0].valid", &format!("false {whole}")),
            ("spf.void_lookups", &format!("1 {whole}")),
            ("spf.none_authorised", &format!("false {whole}")),
        ],
    );
}

#[test]
fn case_18_an_include_that_cannot_be_looked_at_stays_unknown() {
    org("@ TXT \"v=spf1 include:spf.example.net -all\"\n").check(
        "example.org",
        &[
            ("spf.all", "fail «-all»"),
            ("spf.includes[0].domain", "spf.example.net «\"v=spf1 include:spf.example.net -all\"»"),
            ("spf.includes[0].valid", OUTSIDE),
            ("spf.lookups", "unknown not-collected: at least 1; spf.example.net is outside this repository"),
            ("spf.lookups_at_least", "1 «\"v=spf1 include:spf.example.net -all\"»"),
            ("spf.none_authorised", OUTSIDE),
            ("spf.widest_ip4", OUTSIDE),
            ("spf.ptr", OUTSIDE),
        ],
    );
    // A loop of aliases is an error of the kind that a receiver would call temporary.
    org("@ TXT \"v=spf1 include:a.example.org -all\"\na CNAME b\nb CNAME a\n").check(
        "example.org",
        &[("spf.includes[0].valid", "unknown dns-servfail: the aliases from a.example.org lead back to a.example.org")],
    );
}

#[test]
fn an_include_that_depends_on_the_message_is_a_row_without_name() {
    org("@ TXT \"v=spf1 include:%{l}.example.net -all\"\n").check(
        "example.org",
        &[
            ("spf.includes", "1 elements «\"v=spf1 include:%{l}.example.net -all\"»"),
            ("spf.includes[0].domain", "unknown not-collected: %{l}.example.net depends on the message"),
            ("spf.includes[0].valid", "unknown not-collected: %{l}.example.net depends on the message"),
        ],
    );
}

#[test]
fn case_21_a_redirect_without_record_is_an_error() {
    org("@ TXT \"v=spf1 redirect=none.example.org\"\n").check(
        "example.org",
        &[
            ("spf.redirect", "none.example.org «redirect=none.example.org»"),
            ("spf.all", "absent not-stated «\"v=spf1 redirect=none.example.org\"»"),
            ("spf.includes[0].valid", "false «\"v=spf1 redirect=none.example.org\"»"),
        ],
    );
}

#[test]
fn case_22_the_policy_of_a_redirect_is_that_of_its_target() {
    let zones = [
        ("example.org", format!("{TOP}@ TXT \"v=spf1 redirect=_spf.example.com\"\n")),
        ("example.com", format!("{TOP}_spf TXT \"v=spf1 mx ~all\"\n")),
    ];
    bare(&zones.each_ref().map(|(origin, text)| (*origin, text.as_str()))).check(
        "example.org",
        &[("spf.all", "softfail «~all»"), ("spf.redirect", "_spf.example.com «redirect=_spf.example.com»")],
    );
    org("@ TXT \"v=spf1 redirect=spf.example.net\"\n").check("example.org", &[("spf.all", OUTSIDE)]);
    org("@ TXT \"v=spf1 -all redirect=spf.example.net\"\n").check(
        "example.org",
        &[("spf.redirect_ignored", "true «redirect=spf.example.net»"), ("spf.all", "fail «-all»")],
    );
}

#[test]
fn case_07_a_record_of_type_99_is_not_read() {
    org("@ SPF \"v=spf1 -all\"\n").check(
        "example.org",
        &[
            ("spf.type99", "true «@ SPF \"v=spf1 -all\"»"),
            ("spf.record_count", "0 «@ SOA ns1 host 1 7200 900 1209600 300»"),
        ],
    );
}

#[test]
fn a_malformed_text_beside_the_record_may_be_a_second_one() {
    let malformed = "@ TXT \\# 9 00\n";
    let good = org(&format!("@ TXT \"v=spf1 -all\"\n{malformed}"));
    let facts = good.facts("example.org");
    for path in ["spf.record_count", "spf.valid", "spf.all", "spf.none_authorised", "spf.near_misses"] {
        assert!(good.line(&facts, path).starts_with("unknown parse: "), "{path} {}", good.line(&facts, path));
    }
    good.check("example.org", &[("spf.text", "v=spf1 -all «\"v=spf1 -all\"»")]);
    // A fault of the record that can be read is a fault, whatever the other one says.
    org(&format!("@ TXT \"v=spf1 moo\"\n{malformed}")).check("example.org", &[("spf.valid", "false «moo»")]);
    org(&format!("@ TXT \"v=spf1 -all\"\n@ TXT \"v=spf1 -all\"\n{malformed}"))
        .check("example.org", &[("spf.record_count", "2 «\"v=spf1 -all\"»")]);
}

#[test]
fn case_149_a_computed_record_is_unknown() {
    let world = org(&format!("@ TXT \"v=spf1 -all\"\n@ TXT \"{TEMPLATE}\"\n"));
    let facts = world.facts("example.org");
    for path in ["spf.record_count", "spf.text", "spf.all", "mail.sends"] {
        assert!(world.line(&facts, path).starts_with("unknown not-evaluated: "), "{}", world.line(&facts, path));
    }
}

#[test]
fn a_missing_file_may_hold_the_record_or_another_one() {
    let why = "unknown not-evaluated: the file \"more.inc\" could not be included: there is no file more.inc";
    org("$INCLUDE more.inc\n@ TXT \"hello\"\n").check(
        "example.org",
        &[("spf.record_count", why), ("spf.text", why), ("spf.near_misses", why), ("mail.sends", why)],
    );
    org("$INCLUDE more.inc\n@ TXT \"v=spf1 -all\"\n")
        .check("example.org", &[("spf.record_count", why), ("spf.near_misses", why), ("spf.all", "fail «-all»")]);
}

#[test]
fn results_of_the_senders_of_the_inventory() {
    let inventory = "format: 1\nsenders:\n  - { ip: 192.0.2.9 }\ndomains:\n  - name: example.org\n    roles: [sends]\n    senders: [{ ip: 192.0.2.1 }]\n";
    let spf = "«\"v=spf1 ip4:192.0.2.1 -all\"»";
    org("@ TXT \"v=spf1 ip4:192.0.2.1 -all\"\n").inventory(inventory).check(
        "example.org",
        &[
            ("inventory.senders[0].spf", &format!("pass {spf}")),
            ("inventory.senders[1].spf", &format!("fail {spf}")),
            ("inventory.senders[2].ip", "no such element"),
        ],
    );
    org("@ TXT \"v=spf1 include:spf.example.net -all\"\n")
        .inventory(inventory)
        .check("example.org", &[("inventory.senders[0].spf", OUTSIDE)]);
    // A temporary error on our side is never the result that a receiver gets.
    org("@ TXT \"v=spf1 include:a.example.org -all\"\na CNAME b\nb CNAME a\n").inventory(inventory).check(
        "example.org",
        &[(
            "inventory.senders[0].spf",
            "unknown dns-servfail: the aliases from a.example.org lead back to a.example.org",
        )],
    );
    org("@ TXT \"v=spf1 a -all\"\n@ A {{ address }}\n")
        .inventory(inventory)
        .check("example.org", &[("inventory.senders[1].ip", "192.0.2.9 «example.org»")]);
}
