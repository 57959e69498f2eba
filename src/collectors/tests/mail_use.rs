use super::{TOP, bare, org};

#[test]
fn the_inventory_decides_before_dns() {
    let world = org("@ TXT \"v=spf1 -all\"\n@ MX 0 .\n")
        .inventory("format: 1\ndomains:\n  - name: example.org\n    roles: [sends]\n");
    world.check(
        "example.org",
        &[
            ("mail.sends", "true «example.org»"),
            ("mail.receives", "false «example.org»"),
            ("mail.parked", "false «example.org»"),
            ("inventory.listed", "true «example.org»"),
            ("inventory.mx", "absent not-declared «example.org»"),
            ("inventory.ns", "absent not-declared «example.org»"),
            ("inventory.senders", "absent not-declared «example.org»"),
        ],
    );
    world.check("example.com", &[("inventory.listed", "false"), ("inventory.mx", "absent not-declared")]);
    org("").check("example.org", &[("inventory.listed", "absent not-declared")]);
}

#[test]
fn parked_follows_from_neither_sending_nor_receiving() {
    let parked = |lines: &str| {
        let world = org(lines);
        world.line(&world.facts("example.org"), "mail.parked").chars().take(7).collect::<String>()
    };
    for (lines, expected) in [
        ("@ TXT \"v=spf1 -all\"\n@ MX 0 .\n", "true «@"),
        ("@ TXT \"v=spf1 -all\"\n", "true «@"),
        ("@ TXT \"v=spf1 -all\"\n@ MX 10 ns1\n", "false «"),
        ("@ TXT \"v=spf1 mx -all\"\n@ MX 0 .\n", "false «"),
        ("@ MX 0 .\n", "unknown"),
        ("@ TXT \"v=spf1 include:spf.example.net -all\"\n@ MX 0 .\n", "unknown"),
        ("@ TXT \"v=spf1 moo -all\"\n@ MX 0 .\n", "unknown"),
        ("@ TXT \"v=spf1 -all\"\n@ MX x .\n", "unknown"),
        ("@ TXT \"v=spf1 -all\"\n@ MX {{ x }}\n", "unknown"),
        ("@ TXT {{ x }}\n@ MX 0 .\n", "unknown"),
    ] {
        assert_eq!(parked(lines), expected, "{lines}");
    }
}

#[test]
fn organisational_domains_and_public_suffixes() {
    for (domain, expected, walk) in [
        ("example.co.uk", "true", "example.co.uk"),
        ("a.example.co.uk", "false", "absent"),
        ("co.uk", "false", "absent"),
        ("user.github.io", "true", "user.github.io"),
        ("github.io", "false", "absent"),
    ] {
        let world = bare(&[(domain, TOP)]);
        let facts = world.facts(domain);
        assert_eq!(world.line(&facts, "mail.organisational"), expected, "{domain}");
        let list = world.line(&facts, "dmarc.org_domain_psl");
        assert!(walk == "absent" && expected == "false" || list == walk, "{domain} {list}");
    }
    bare(&[("co.uk", TOP)]).check("co.uk", &[("dmarc.org_domain_psl", "absent not-stated")]);
}

#[test]
fn case_90_an_internationalised_domain_is_kept_in_its_a_label_form() {
    let world = bare(&[("xn--bcher-kva.example", TOP)]);
    let facts = world.facts("bücher.example");
    assert_eq!(world.line(&facts, "mail.internationalised"), "true");
    assert_eq!(world.line(&facts, "dns.soa.serial"), "1 «1»");
    org("").check("example.org", &[("mail.internationalised", "false")]);
}

#[test]
fn case_91_case_and_final_dot_do_not_matter() {
    org("@ MX 10 NS1.Example.ORG.\n")
        .check("EXAMPLE.org.", &[("dns.mx[0].host", "ns1.example.org «NS1.Example.ORG.»")]);
}

#[test]
fn case_136_below_a_name_that_does_not_exist_nothing_exists() {
    let world = org("deep.ent A 9.9.9.9\n");
    for (domain, proof) in [("a.gone.example.org", "nxdomain"), ("ent.example.org", "nodata")] {
        let line = world.line(&world.facts(domain), "dns.mx");
        assert!(line.starts_with(&format!("absent {proof}")), "{domain} {line}");
    }
}
