use super::org;

const SOA: &str = "«@ SOA ns1 host 1 7200 900 1209600 300»";
const MISSING: &str = "unknown not-evaluated: the file \"more.inc\" could not be included: there is no file more.inc";
const HASH: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn case_95_exactly_one_mta_sts_record() {
    org("_mta-sts TXT \"v=STSv1; id=2026\"\n_mta-sts TXT other\nmta-sts A 9.9.9.9\n").check(
        "example.org",
        &[
            ("mta_sts.record_count", "1 «\"v=STSv1; id=2026\"»"),
            ("mta_sts.valid", "true «\"v=STSv1; id=2026\"»"),
            ("mta_sts.id", "2026 «2026»"),
            ("mta_sts.policy_host", "true «9.9.9.9»"),
        ],
    );
    org("").check(
        "example.org",
        &[
            ("mta_sts.record_count", &format!("0 {SOA}")),
            ("mta_sts.valid", &format!("absent nxdomain {SOA}")),
            ("mta_sts.policy_host", &format!("false {SOA}")),
        ],
    );
    org("_mta-sts TXT \"v=STSv1; id=1\"\n_mta-sts TXT \"v=STSv1; id=2\"\n").check(
        "example.org",
        &[
            ("mta_sts.record_count", "2 «\"v=STSv1; id=1\"»"),
            ("mta_sts.valid", "false «\"v=STSv1; id=2\"»"),
            ("mta_sts.error", "2 MTA-STS records at one name «\"v=STSv1; id=2\"»"),
            ("mta_sts.id", "absent not-stated «\"v=STSv1; id=2\"»"),
        ],
    );
    org("_mta-sts CNAME sts.example.net.\nmta-sts CNAME sts.example.net.\n").check(
        "example.org",
        &[
            ("mta_sts.record_count", "unknown not-collected: sts.example.net is outside this repository"),
            ("mta_sts.policy_host", "unknown not-collected: sts.example.net is outside this repository"),
        ],
    );
    org("$INCLUDE more.inc\n_mta-sts TXT \"v=STSv1; id=2026\"\n").check(
        "example.org",
        &[("mta_sts.record_count", MISSING), ("mta_sts.valid", MISSING), ("mta_sts.policy_host", MISSING)],
    );
}

#[test]
fn case_99_a_policy_of_mode_none_is_being_removed() {
    org("@ MX 10 ns1\n").policy("example.org", "version: STSv1\nmode: none\nmax_age: 60\n").check(
        "example.org",
        &[("mta_sts.policy.valid", "true «version: STSv1»"), ("mta_sts.policy.mode", "none «none»")],
    );
}

#[test]
fn the_policy_is_read_from_its_file_or_not_collected() {
    let policy = "version: STSv1\nmode: enforce\nmx: *.example.net\nmax_age: 604800\n";
    org("@ MX 10 ns1\n@ MX 20 mx.example.net.\n").policy("example.org", policy).check(
        "example.org",
        &[
            ("mta_sts.policy.mode", "enforce «enforce»"),
            ("mta_sts.policy.max_age", "604800 «604800»"),
            ("mta_sts.policy.mx", "[*.example.net] «*.example.net»"),
            ("mta_sts.policy.uncovered_mx", "[ns1.example.org] «version: STSv1»"),
        ],
    );
    org("@ MX 10 ns1\n").check(
        "example.org",
        &[(
            "mta_sts.policy.mode",
            "unknown not-collected: the policy is served over HTTPS, which this run does not fetch",
        )],
    );
    // An MX host that cannot be read may be uncovered.
    let world = org("@ MX x mx.example.net.\n").policy("example.org", policy);
    let uncovered = world.line(&world.facts("example.org"), "mta_sts.policy.uncovered_mx");
    assert!(uncovered.starts_with("unknown parse: "), "{uncovered}");
}

#[test]
fn case_111_exactly_one_tls_rpt_record() {
    let text = "\"v=TLSRPTv1; rua=mailto:a@example.org,https://example.org/t\"";
    org(&format!("_smtp._tls TXT {text}\n")).check(
        "example.org",
        &[
            ("tls_rpt.record_count", &format!("1 «{text}»")),
            ("tls_rpt.valid", &format!("true «{text}»")),
            ("tls_rpt.rua", "[mailto:a@example.org, https://example.org/t] «mailto:a@example.org»"),
        ],
    );
    org("_smtp._tls TXT \"v=TLSRPTv1\"\n").check("example.org", &[("tls_rpt.valid", "false «v=TLSRPTv1»")]);
    let world = org("_smtp._tls TXT {{ x }}\n");
    let count = world.line(&world.facts("example.org"), "tls_rpt.record_count");
    assert!(count.starts_with("unknown not-evaluated: "), "{count}");
}

#[test]
fn tlsa_records_of_the_mx_hosts() {
    org(&format!("@ MX 10 ns1\n@ MX 20 mx\n_25._tcp.ns1 TLSA 3 1 1 {HASH}\n")).check(
        "example.org",
        &[
            ("dane.tlsa[0].owner", &format!("_25._tcp.ns1.example.org «_25._tcp.ns1 TLSA 3 1 1 {HASH}»")),
            ("dane.tlsa[0].usage", &format!("3 «3 1 1 {HASH}»")),
            ("dane.tlsa[0].usable", &format!("true «3 1 1 {HASH}»")),
            ("dane.tlsa[0].error", &format!("absent not-stated «3 1 1 {HASH}»")),
            ("dane.hosts_without", "[mx.example.org] «mx»"),
        ],
    );
    org("@ MX 10 mx.example.net.\n").check(
        "example.org",
        &[
            ("dane.tlsa", "unknown not-collected: _25._tcp.mx.example.net is outside this repository"),
            ("dane.hosts_without", "unknown not-collected: _25._tcp.mx.example.net is outside this repository"),
        ],
    );
    org("").check("example.org", &[("dane.tlsa", &format!("absent nodata {SOA}"))]);
    let world = org("@ MX x ns1\n");
    let tlsa = world.line(&world.facts("example.org"), "dane.tlsa");
    assert!(tlsa.starts_with("unknown parse: "), "{tlsa}");
}

#[test]
fn case_101_the_end_of_the_aliases_is_asked_before_the_name_in_the_mx_record() {
    let lines =
        format!("@ MX 10 mail\nmail CNAME ns1\n_25._tcp.ns1 TLSA 3 1 1 {HASH}\n_25._tcp.mail TLSA 3 0 1 {HASH}\n");
    org(&lines).check(
        "example.org",
        &[
            ("dane.tlsa[0].owner", &format!("_25._tcp.ns1.example.org «_25._tcp.ns1 TLSA 3 1 1 {HASH}»")),
            ("dane.tlsa[1].owner", "no such element"),
        ],
    );
    org(&format!("@ MX 10 mail\nmail CNAME ns1\n_25._tcp.mail TLSA 3 0 1 {HASH}\n")).check(
        "example.org",
        &[("dane.tlsa[0].owner", &format!("_25._tcp.mail.example.org «_25._tcp.mail TLSA 3 0 1 {HASH}»"))],
    );
}

#[test]
fn case_104_unusable_tlsa_records_are_marked() {
    org(&format!("@ MX 10 ns1\n_25._tcp.ns1 TLSA 1 1 1 {HASH}\n"))
        .check("example.org", &[("dane.tlsa[0].usable", &format!("false «1 1 1 {HASH}»"))]);
}

#[test]
fn case_107_both_keys_of_a_rollover_are_kept() {
    let other = HASH.replace('0', "1");
    org(&format!("@ MX 10 ns1\n_25._tcp.ns1 TLSA 3 1 1 {HASH}\n_25._tcp.ns1 TLSA 3 1 1 {other}\n")).check(
        "example.org",
        &[
            ("dane.tlsa", "2 elements «@ MX 10 ns1»"),
            ("dane.tlsa[0].usable", &format!("true «3 1 1 {HASH}»")),
            ("dane.tlsa[1].usable", &format!("true «3 1 1 {other}»")),
        ],
    );
}

#[test]
fn case_82_a_declined_indicator() {
    org("default._bimi TXT \"v=BIMI1; l=; a=;\"\n").check(
        "example.org",
        &[
            ("bimi.declined", "true «\"v=BIMI1; l=; a=;\"»"),
            ("bimi.location", "absent not-stated «\"v=BIMI1; l=; a=;\"»"),
            ("bimi.valid", "true «\"v=BIMI1; l=; a=;\"»"),
        ],
    );
    org("").check("example.org", &[("bimi.record_count", &format!("0 {SOA}"))]);
}

#[test]
fn case_150_only_issuemail_concerns_mail_certificates() {
    org("@ CAA 0 issue \"ca.example.net\"\n").check(
        "example.org",
        &[
            ("caa.issuemail", "false «@ CAA 0 issue \"ca.example.net\"»"),
            ("caa.records[0].tag", "issue «issue \"ca.example.net\"»"),
            ("caa.record_domain", "example.org «@ CAA 0 issue \"ca.example.net\"»"),
        ],
    );
    org("@ CAA 128 ISSUEMAIL \";\"\na A 9.9.9.9\n").check(
        "a.example.org",
        &[
            ("caa.issuemail", "true «ISSUEMAIL \";\"»"),
            ("caa.records[0].critical", "true «ISSUEMAIL \";\"»"),
            ("caa.record_domain", "example.org «@ CAA 128 ISSUEMAIL \";\"»"),
        ],
    );
    org("").check("example.org", &[("caa.issuemail", "unknown not-collected: org is outside this repository")]);
    let world = org("@ CAA x\n");
    let issuemail = world.line(&world.facts("example.org"), "caa.issuemail");
    assert!(issuemail.starts_with("unknown parse: "), "{issuemail}");
}
