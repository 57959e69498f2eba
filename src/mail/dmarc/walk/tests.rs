//! Tests of the tree walk, by the rows of the protocol cases.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::mail::dmarc::record::Policy;

/// Zone contents: a name that is not there has no data.
#[derive(Default)]
struct Zone(BTreeMap<String, DmarcLookup>);

impl Zone {
    fn record(self, domain: &str, text: &str) -> Zone {
        self.records(domain, &[text])
    }

    fn records(self, domain: &str, texts: &[&str]) -> Zone {
        self.answer(domain, DmarcLookup::Found(texts.iter().map(|text| (*text).to_owned()).collect()))
    }

    fn answer(mut self, domain: &str, answer: DmarcLookup) -> Zone {
        self.0.insert(format!("_dmarc.{domain}"), answer);
        self
    }

    fn broken(self, domain: &str) -> Zone {
        self.answer(domain, DmarcLookup::Unknown("dns-servfail".into()))
    }

    fn discover(&self, domain: &str) -> Discovery {
        discover(&name(domain), self)
    }
}

impl DmarcDns for Zone {
    fn txt(&self, name: &Name) -> DmarcLookup {
        self.0.get(name.as_str()).cloned().unwrap_or(DmarcLookup::NoData)
    }
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn org(text: &str) -> OrgDomain {
    OrgDomain::Known(name(text))
}

fn applied(outcome: &Outcome) -> Option<(&str, usize, bool)> {
    match outcome {
        Outcome::Found { domain, index, inherited, .. } => Some((domain.as_str(), *index, *inherited)),
        _ => None,
    }
}

fn own(discovery: &Discovery) -> &OwnRecords {
    match &discovery.own {
        Own::Known(records) => records,
        Own::Unknown { reason } => panic!("{reason}"),
    }
}

#[test]
fn case_44_two_records_are_discarded_and_the_walk_continues() {
    let zone = Zone::default()
        .records("a.example.org", &["v=DMARC1; p=reject", "v=DMARC1; p=none"])
        .record("example.org", "v=DMARC1; p=quarantine; sp=none");
    let found = zone.discover("a.example.org");
    assert_eq!(own(&found).records, [0, 1]);
    assert_eq!(applied(&found.applied), Some(("example.org", 0, true)));
    assert_eq!(found.org_domain, org("example.org"));
    assert_eq!(found.ambiguous, [name("a.example.org")]);
    let alone = Zone::default().records("example.org", &["v=DMARC1", "v=DMARC1"]).discover("example.org");
    assert_eq!(alone.applied, Outcome::None);
}

#[test]
fn case_45_other_texts_are_discarded() {
    let zone = Zone::default().records("example.org", &["v=spf1 -all", "v=dmarc1; p=none", "v=DMARC1; p=reject"]);
    let found = zone.discover("example.org");
    assert_eq!(applied(&found.applied), Some(("example.org", 2, false)));
    assert_eq!(own(&found).near_misses.iter().map(|near| near.index).collect::<Vec<_>>(), [1]);
}

#[test]
fn case_50_a_missing_name_and_a_name_without_records_are_the_same_to_the_walk() {
    for answer in [DmarcLookup::NoData, DmarcLookup::NxDomain, DmarcLookup::Found(Vec::new())] {
        let zone = Zone::default().answer("a.example.org", answer).record("example.org", "v=DMARC1; p=reject; np=none");
        let found = zone.discover("a.example.org");
        assert_eq!(applied(&found.applied), Some(("example.org", 0, true)));
    }
}

#[test]
fn case_54_psd_ends_the_walk() {
    let below_no = Zone::default()
        .record("b.example.org", "v=DMARC1; p=reject; psd=n")
        .record("example.org", "v=DMARC1; p=none")
        .discover("a.b.example.org");
    assert_eq!(below_no.org_domain, org("b.example.org"));
    assert_eq!(applied(&below_no.applied), Some(("b.example.org", 0, true)));
    assert_eq!(below_no.queries, ["_dmarc.a.b.example.org", "_dmarc.b.example.org"].map(name));

    let suffix = Zone::default().record("gov.example", "v=DMARC1; p=reject; np=reject; psd=y");
    let below_yes = suffix.discover("a.b.gov.example");
    assert_eq!(below_yes.org_domain, org("b.gov.example"));
    // RFC 9989 section 4.10.1: without a record at the organisational domain, that of the public suffix domain.
    assert_eq!(applied(&below_yes.applied), Some(("gov.example", 0, true)));
    assert_eq!(below_yes.queries.len(), 3, "the walk does not ask for `example`");

    let itself = suffix.discover("gov.example");
    assert_eq!(itself.org_domain, org("gov.example"));
    assert_eq!(applied(&itself.applied), Some(("gov.example", 0, false)));
    assert_eq!(applied(&itself.applied_to_subdomains), Some(("gov.example", 0, true)));

    // An intermediate record is not at the organisational domain, so it does not apply.
    let intermediate = Zone::default()
        .record("gov.example", "v=DMARC1; p=none; psd=y")
        .record("b.c.gov.example", "v=DMARC1; p=reject")
        .discover("a.b.c.gov.example");
    assert_eq!(intermediate.org_domain, org("c.gov.example"));
    assert_eq!(applied(&intermediate.applied), Some(("gov.example", 0, true)));
}

#[test]
fn case_55_the_fewest_labels_are_the_organisational_domain() {
    let zone = Zone::default()
        .record("b.c.example.org", "v=DMARC1; p=none")
        .record("c.example.org", "v=DMARC1; p=quarantine")
        .record("example.org", "v=DMARC1; p=reject");
    let found = zone.discover("a.b.c.example.org");
    assert_eq!(found.org_domain, org("example.org"));
    assert_eq!(applied(&found.applied), Some(("example.org", 0, true)));
    let with_own = zone.discover("b.c.example.org");
    assert_eq!(applied(&with_own.applied), Some(("b.c.example.org", 0, false)));
    assert_eq!(with_own.org_domain, org("example.org"));
    assert_eq!(with_own.candidates.len(), 3);
}

#[test]
fn case_56_long_names_jump_to_seven_labels() {
    let long = "a.b.c.d.e.f.g.h.i.j.mail.example.com";
    let found = Zone::default().discover(long);
    let expected = [
        long,
        "g.h.i.j.mail.example.com",
        "h.i.j.mail.example.com",
        "i.j.mail.example.com",
        "j.mail.example.com",
        "mail.example.com",
        "example.com",
        "com",
    ];
    assert_eq!(found.queries, expected.map(|domain| name(&format!("_dmarc.{domain}"))));
    for (domain, queries) in
        [("1.2.3.4.5.6.7", 7), ("1.2.3.4.5.6.7.8", 8), ("1.2.3.4.5.6.7.8.9", 8), ("org", 1), (".", 1)]
    {
        assert_eq!(Zone::default().discover(domain).queries.len(), queries, "{domain}");
    }
    // A record at a name that the walk from below jumps over does not count there.
    let jumped = Zone::default().record("1.2.3.4.5.6.7.8", "v=DMARC1; p=reject").discover("1.2.3.4.5.6.7.8");
    assert_eq!(applied(&jumped.applied), Some(("1.2.3.4.5.6.7.8", 0, false)));
    assert_eq!(jumped.applied_to_subdomains, Outcome::None);
}

#[test]
fn case_57_sp_counts_only_at_the_organisational_domain() {
    let found = Zone::default()
        .record("a.example.org", "v=DMARC1; p=reject; sp=none")
        .record("example.org", "v=DMARC1; p=quarantine; sp=reject")
        .discover("a.example.org");
    assert_eq!(applied(&found.applied), Some(("a.example.org", 0, false)));
    let Outcome::Found { domain, text, .. } = &found.applied_to_subdomains else { panic!() };
    assert_eq!(domain, &name("example.org"));
    let policy = found.applied_to_subdomains.policy(&record::parse(text));
    assert_eq!(policy, Some(Applied::Stated(Policy::Reject)));
}

#[test]
fn case_58_a_failing_server_is_never_an_absent_record() {
    let at_itself =
        Zone::default().broken("a.example.org").record("example.org", "v=DMARC1; p=reject").discover("a.example.org");
    let unknown = |domain: &str| (name(&format!("_dmarc.{domain}")), "dns-servfail".to_owned());
    let (failed, reason) = unknown("a.example.org");
    assert_eq!(at_itself.own, Own::Unknown { reason: reason.clone() });
    assert_eq!(at_itself.applied, Outcome::Unknown { name: failed.clone(), reason: reason.clone() });
    assert_eq!(at_itself.org_domain, OrgDomain::Unknown { name: failed, reason });

    let above =
        Zone::default().record("a.example.org", "v=DMARC1; p=reject").broken("example.org").discover("a.example.org");
    let (failed, reason) = unknown("example.org");
    assert_eq!(applied(&above.applied), Some(("a.example.org", 0, false)), "the own record is known");
    assert_eq!(above.org_domain, OrgDomain::Unknown { name: failed.clone(), reason: reason.clone() });
    assert_eq!(above.applied_to_subdomains, Outcome::Unknown { name: failed, reason });

    let between = Zone::default().record("example.org", "v=DMARC1; p=reject").broken("org").discover("a.example.org");
    assert!(
        matches!(between.applied, Outcome::Unknown { .. }),
        "the record above could be the one with the fewest labels"
    );
    let ended =
        Zone::default().record("example.org", "v=DMARC1; p=reject; psd=n").broken("org").discover("a.example.org");
    assert_eq!(applied(&ended.applied), Some(("example.org", 0, true)));
}

#[test]
fn case_59_walk_and_public_suffix_list_may_disagree() {
    let domain = name("a.b.github.io");
    let found = Zone::default().record("github.io", "v=DMARC1; p=reject").discover("a.b.github.io");
    assert_eq!(found.org_domain, org("github.io"));
    assert_eq!(crate::mail::suffix::organisational_domain(&domain), Some(name("b.github.io")));
}

// Row 60, a CNAME at `_dmarc`, is followed by the source of the answers; a broken target arrives here as row 58.

#[test]
fn case_61_a_wildcard_text_is_discarded() {
    let zone = Zone::default().record("a.example.org", "v=spf1 -all").record("example.org", "v=DMARC1; p=reject");
    let found = zone.discover("a.example.org");
    assert_eq!(own(&found), &OwnRecords::default());
    assert_eq!(applied(&found.applied), Some(("example.org", 0, true)));
}

#[test]
fn case_64_another_host_of_the_same_organisation() {
    let zone = Zone::default().record("example.com", "v=DMARC1; p=reject; rua=mailto:a@mail.example.com");
    assert_eq!(zone.discover("mail.example.com").org_domain, zone.discover("example.com").org_domain);
}

#[test]
fn without_any_record_the_domain_is_its_own_organisational_domain() {
    let found = Zone::default().discover("a.example.org");
    assert_eq!(found.applied, Outcome::None);
    assert_eq!(found.org_domain, org("a.example.org"));
}

#[test]
fn a_name_too_long_for_a_record_is_walked_from_its_parent() {
    let label = "a".repeat(63);
    let domain = format!("{label}.{label}.{label}.{}.org", "a".repeat(57));
    let found = Zone::default().record("org", "v=DMARC1; p=none").discover(&domain);
    assert_eq!(applied(&found.applied), Some(("org", 0, true)));
    assert_eq!(applied(&found.applied_to_subdomains), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_walk_is_short_and_its_result_an_ancestor(depth in 1usize..12, kinds in prop::collection::vec(0u8..8, 12)) {
        let labels: Vec<String> = (0..depth).map(|label| format!("l{label}")).collect();
        let mut zone = Zone::default();
        for (start, kind) in (0..depth).zip(kinds) {
            let domain = labels[start..].join(".");
            zone = match kind {
                0 => zone.record(&domain, "v=DMARC1; p=reject"),
                1 => zone.record(&domain, "v=DMARC1; p=reject; psd=y"),
                2 => zone.record(&domain, "v=DMARC1; p=reject; psd=n"),
                3 => zone.broken(&domain),
                4 => zone.records(&domain, &["v=DMARC1", "v=DMARC1"]),
                _ => zone,
            };
        }
        let domain = name(&labels.join("."));
        let found = discover(&domain, &zone);
        prop_assert!(found.queries.len() <= MAXIMUM_QUERIES);
        if let OrgDomain::Known(org_domain) = &found.org_domain {
            prop_assert!(domain.is_within(org_domain));
        }
        if let Outcome::Found { domain: holder, inherited, .. } = &found.applied {
            prop_assert!(domain.is_within(holder));
            prop_assert_eq!(*inherited, *holder != domain);
        }
        // What the walk from below finds is what it foretold.
        let from_below = discover(&domain.child("x").unwrap(), &zone);
        prop_assert_eq!(applied(&found.applied_to_subdomains), applied(&from_below.applied));
    }
}
