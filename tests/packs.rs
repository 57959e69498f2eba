//! The packs that the binary carries: their own tests, evidence that is taken away, identities, and records that mend.

#![allow(clippy::unwrap_used, reason = "a test whose own files cannot be read has nothing to go on with")]

use std::collections::{BTreeMap, BTreeSet};

use mailvet::collectors::{self, Cache, Context};
use mailvet::diag::{Diagnostic, Files};
use mailvet::engine::{self, testing};
use mailvet::facts::{Method, Target};
use mailvet::findings::{AssessedTarget, FilledRecord, Verdict, words};
use mailvet::inventory::Inventory;
use mailvet::mail::Name;
use mailvet::policy::{
    Check, Pack, PackDocument, ParamValues, Policy, Rule, RuleTest, Selection, build_policy, embedded_packs, lint,
    load_profile, resolve, resolve_for_test,
};
use mailvet::sources::{Store, bind};

/// Every rule id that was ever published.
const IDS: &str = include_str!("fixtures/rule-ids.txt");

/// Fewer rules, or fewer pieces of evidence taken away, mean that a test has lost its subject.
const FEWEST_RULES: usize = 180;
const FEWEST_INJECTIONS: usize = 900;

fn rendered(files: &Files, problems: &[Diagnostic]) -> String {
    problems.iter().map(|problem| problem.render(files)).collect()
}

fn documents(files: &mut Files) -> Vec<PackDocument> {
    embedded_packs(files).unwrap_or_else(|problems| panic!("{}", rendered(files, &problems)))
}

fn resolved(document: &PackDocument) -> Pack {
    resolve(document, &ParamValues::new()).unwrap()
}

/// Resolves a rule with the parameters of one of its tests.
fn for_test(document: &PackDocument) -> impl Fn(&Rule, &RuleTest) -> Result<Rule, String> + '_ {
    |rule, test| {
        let written = document.rules.iter().find(|candidate| document.full_id(candidate) == rule.id);
        let written = written.ok_or_else(|| format!("the pack has no rule `{}`", rule.id))?;
        resolve_for_test(document, written, test)
            .map_err(|problems| problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; "))
    }
}

#[test]
fn every_pack_meets_the_gate_and_lints_clean() {
    let mut files = Files::default();
    for document in documents(&mut files) {
        let report = testing::test_pack(&resolved(&document), &for_test(&document));
        assert!(report.meets_gate(), "{}", testing::render(&report));
        assert!(report.results.len() >= 3 * report.rules, "{}: too few tests", report.pack);
        let remarks = lint(&document);
        assert!(remarks.is_empty(), "{}", rendered(&files, &remarks));
    }
}

#[test]
fn no_rule_passes_for_want_of_evidence() {
    let mut injections = 0;
    for document in documents(&mut Files::default()) {
        for rule in &resolved(&document).rules {
            if matches!(rule.check, Check::Manual(_)) {
                continue;
            }
            let broken = testing::broken_evidence(rule, &for_test(&document));
            assert!(broken.injections > 0, "{}: no evidence to take away", rule.id);
            let false_passes: Vec<_> = broken.false_passes().collect();
            assert!(false_passes.is_empty(), "{}: {false_passes:#?}", rule.id);
            // A rule that passes whatever is taken away has no evidence at all.
            assert!(broken.still_passing.len() < broken.injections, "{} passes without any evidence", rule.id);
            injections += broken.injections;
        }
    }
    assert!(injections >= FEWEST_INJECTIONS, "only {injections} pieces of evidence were taken away");
}

#[test]
fn ids_are_unique_stay_and_name_declared_frameworks() {
    let mut seen = BTreeSet::new();
    let mut removed = BTreeSet::new();
    for document in documents(&mut Files::default()) {
        removed.extend(document.removed.keys().map(|id| format!("{}/{id}", document.name.value)));
        for rule in resolved(&document).rules {
            for framework in rule.maps.keys() {
                assert!(document.frameworks.contains_key(framework), "{}: `{framework}` is not declared", rule.id);
            }
            assert!(seen.insert(rule.id.clone()), "{} stands twice", rule.id);
        }
    }
    assert!(seen.len() >= FEWEST_RULES, "only {} rules", seen.len());
    let reused: Vec<_> = seen.intersection(&removed).collect();
    assert!(reused.is_empty(), "removed ids are in use again: {reused:?}");
    let published: BTreeSet<String> = IDS.lines().map(str::to_owned).collect();
    let known: BTreeSet<String> = seen.union(&removed).cloned().collect();
    let vanished: Vec<_> = published.difference(&known).collect();
    assert!(vanished.is_empty(), "vanished; write them into `removed` of their pack: {vanished:?}");
    let unlisted: Vec<_> = known.difference(&published).collect();
    assert!(unlisted.is_empty(), "new; add them to tests/fixtures/rule-ids.txt: {unlisted:?}");
}

/// A zone in which a rule with a record fails: rule, inventory entry of the domain if one is needed, records of the zone.
type MendRow = (&'static str, Option<&'static str>, &'static [(&'static str, &'static str, &'static str)]);

const MENDED: &[MendRow] = &[
    ("mx-inventory/null-mx-preference", None, &[("example.org.", "MX", "10 .")]),
    (
        "parked-domains/parked-dmarc-not-reject",
        Some("[parked]"),
        &[
            ("example.org.", "TXT", "v=spf1 -all"),
            ("_dmarc.example.org.", "TXT", "v=DMARC1; p=quarantine; sp=quarantine"),
        ],
    ),
    ("parked-domains/parked-null-mx-missing", None, &[("example.org.", "TXT", "v=spf1 -all")]),
    (
        "parked-domains/parked-spf-authorises-senders",
        Some("[parked]"),
        &[("example.org.", "TXT", "an unrelated text"), ("example.org.", "TXT", "v=spf1 ip4:192.0.2.0/24 -all")],
    ),
    ("spoofing/dmarc-missing", None, &[("example.org.", "TXT", "v=spf1 -all")]),
    ("spoofing/dmarc-not-enforced", None, &[("_dmarc.example.org.", "TXT", "v=DMARC1; p=none")]),
    (
        "spoofing/spf-missing",
        None,
        &[
            ("example.org.", "MX", "10 mx.example.org."),
            ("example.org.", "TXT", "an unrelated text"),
            ("mx.example.org.", "A", "192.0.2.25"),
        ],
    ),
    ("transport-dns/mta-sts-missing", None, &[("example.org.", "MX", "10 mx.example.org.")]),
    ("transport-dns/tls-rpt-missing", None, &[("example.org.", "MX", "10 mx.example.org.")]),
];

#[derive(Debug, Clone, PartialEq)]
struct ZoneRecord {
    owner: String,
    rtype: String,
    value: String,
}

impl ZoneRecord {
    /// What takes the place of what: TXT records that begin with the same tag, and all records of another type.
    fn replaces(&self, other: &ZoneRecord) -> bool {
        let tag = |record: &ZoneRecord| record.value.split([' ', ';']).next().unwrap().to_owned();
        let same_kind = self.rtype != "TXT" || tag(self) == tag(other);
        self.owner == other.owner && self.rtype == other.rtype && same_kind
    }
}

fn zone_records(records: &[(&str, &str, &str)]) -> Vec<ZoneRecord> {
    let owned = |(owner, rtype, value): &(&str, &str, &str)| ZoneRecord {
        owner: (*owner).to_owned(),
        rtype: (*rtype).to_owned(),
        value: (*value).to_owned(),
    };
    records.iter().map(owned).collect()
}

impl From<&FilledRecord> for ZoneRecord {
    fn from(record: &FilledRecord) -> ZoneRecord {
        ZoneRecord { owner: record.name.clone(), rtype: record.rtype.clone(), value: record.value.clone() }
    }
}

fn zone_text(records: &[ZoneRecord]) -> String {
    let mut text = String::from(
        "$TTL 3600\nexample.org. IN SOA ns1.example.org. admin.example.org. 1 7200 3600 1209600 3600\n\
         example.org. IN NS ns1.example.org.\nns1.example.org. IN A 192.0.2.53\n",
    );
    for ZoneRecord { owner, rtype, value } in records {
        let quote = if rtype == "TXT" { "\"" } else { "" };
        text.push_str(&format!("{owner} IN {rtype} {quote}{value}{quote}\n"));
    }
    text
}

/// Collects the facts of a name from the zone example.org and judges them.
fn judge(policy: &Policy, name: &str, roles: Option<&str>, records: &[ZoneRecord]) -> AssessedTarget {
    let mut files = Files::default();
    let file = files.add("example.org.zone", zone_text(records).into_bytes());
    let mut store = Store::new();
    bind::read_zone(&mut store, &mut files, file, None, &mut |_, _, _| Err("no includes".to_owned())).unwrap();
    store.finish(&files);
    let inventory = roles.map(|roles| {
        let text = format!("format: 1\ndomains:\n  - {{ name: example.org, roles: {roles} }}\n");
        Inventory::load(&mut files, "mailvet.yaml", text.as_bytes())
            .unwrap_or_else(|problems| panic!("{}", rendered(&files, &problems)))
    });
    let source = store.view(&files);
    let context = Context {
        source: &source,
        method: Method::DnsFile,
        inventory: inventory.as_ref(),
        policies: &[],
        fetches: &[],
        cache: Cache::default(),
    };
    let name = Name::parse(name).unwrap();
    let facts = collectors::domain(&context, &name);
    engine::assess_target(policy, Target::Domain, name.as_str(), None, &*facts, jiff::civil::date(2026, 1, 1))
}

/// All rules of all packs, without the exclusions of the profiles.
fn everything() -> Policy {
    with(&Selection::default())
}

fn with(selection: &Selection) -> Policy {
    let mut files = Files::default();
    let packs = documents(&mut files);
    let uses: String = packs.iter().map(|pack| format!("  - {{ pack: {} }}\n", pack.name.value)).collect();
    let profile = load_profile(&mut files, "all.yaml", format!("profile: all\nuse:\n{uses}").as_bytes()).unwrap();
    build_policy(&packs, &profile, selection).unwrap()
}

#[test]
fn the_record_of_a_fix_mends_what_its_rule_finds() {
    let policy = everything();
    let rows: BTreeMap<&str, &MendRow> = MENDED.iter().map(|row| (row.0, row)).collect();
    let with_record: BTreeSet<&str> =
        policy.rules.iter().filter(|rule| rule.fix.record.is_some()).map(|rule| rule.id.as_str()).collect();
    assert_eq!(with_record, rows.keys().copied().collect(), "every rule with a record needs a row, and no other");
    for (index, rule) in policy.rules.iter().enumerate().filter(|(_, rule)| rule.fix.record.is_some()) {
        let (_, roles, records) = rows[rule.id.as_str()];
        let mut records = zone_records(records);
        let before = judge(&policy, "example.org", *roles, &records);
        assert_eq!(before.verdicts[index], Some(Verdict::Fail), "{} before", rule.id);
        let detail = before.details.iter().find(|detail| usize::from(detail.rule.0) == index).unwrap();
        let publish = ZoneRecord::from(detail.record.as_deref().unwrap_or_else(|| panic!("{}: no record", rule.id)));
        records.retain(|record| !publish.replaces(record));
        records.push(publish);
        let after = judge(&policy, "example.org", *roles, &records);
        assert_eq!(after.verdicts[index], Some(Verdict::Pass), "{} after {}", rule.id, zone_text(&records));
    }
}

/// What a zone is judged: name, inventory entry, records, and the verdicts that matter.
type JudgedRow = (&'static str, Option<&'static str>, &'static [(&'static str, &'static str, &'static str)], Verdicts);
type Verdicts = &'static [(&'static str, Verdict)];

/// Files never hold everything that receivers see. What they prove is judged, once, and the rest is not called fine.
const JUDGED: &[JudgedRow] = &[
    // The public suffix lies outside the files, and yet a domain without a record of its own has none.
    (
        "example.org",
        None,
        &[("example.org.", "TXT", "v=spf1 -all")],
        &[
            ("spoofing/dmarc-missing", Verdict::Fail),
            ("spoofing/dmarc-invalid", Verdict::NotApplicable),
            ("spoofing/dmarc-not-enforced", Verdict::NotApplicable),
            ("spoofing/dmarc-no-aggregate-reports", Verdict::NotApplicable),
            ("transport-dns/caa-missing", Verdict::Fail),
        ],
    ),
    // What a subdomain inherits is reported at the domain that publishes it.
    (
        "example.org",
        None,
        &[("_dmarc.example.org.", "TXT", "v=DMARC1; p=none")],
        &[("spoofing/dmarc-missing", Verdict::Pass), ("spoofing/dmarc-not-enforced", Verdict::Fail)],
    ),
    (
        "sub.example.org",
        None,
        &[("_dmarc.example.org.", "TXT", "v=DMARC1; p=none"), ("sub.example.org.", "MX", "10 mx.example.net.")],
        &[
            ("spoofing/dmarc-missing", Verdict::Pass),
            ("spoofing/dmarc-not-enforced", Verdict::NotApplicable),
            ("transport-dns/caa-missing", Verdict::NotApplicable),
        ],
    ),
    (
        "sub.example.org",
        None,
        &[("sub.example.org.", "MX", "10 mx.example.net.")],
        &[
            ("spoofing/dmarc-missing", Verdict::NotChecked),
            ("mx-inventory/mx-unresolvable", Verdict::NotChecked),
            ("transport-dns/mta-sts-missing", Verdict::Fail),
            ("transport-dns/mta-sts-not-enforced", Verdict::NotApplicable),
        ],
    ),
    // A network that is too wide is proof, whatever an include outside the files holds; a narrow one is none.
    (
        "example.org",
        None,
        &[("example.org.", "TXT", "v=spf1 ip4:10.0.0.0/8 include:example.net -all")],
        &[("spoofing/spf-too-wide", Verdict::Fail), ("spoofing/spf-too-many-lookups", Verdict::NotChecked)],
    ),
    (
        "example.org",
        None,
        &[("example.org.", "TXT", "v=spf1 ip4:10.0.0.0/24 include:example.net -all")],
        &[("spoofing/spf-too-wide", Verdict::NotChecked)],
    ),
    (
        "example.org",
        None,
        &[(
            "example.org.",
            "TXT",
            "v=spf1 a mx a:a.example.org a:b.example.org a:c.example.org a:d.example.org a:e.example.org a:f.example.org \
         a:g.example.org a:h.example.org include:example.net -all",
        )],
        &[("spoofing/spf-too-many-lookups", Verdict::Fail), ("spoofing/spf-too-many-void-lookups", Verdict::Fail)],
    ),
    // The name of a server has an address and SPF for its greeting; it is no mail domain without MX and DKIM.
    (
        "mx.example.org",
        None,
        &[("mx.example.org.", "A", "192.0.2.25"), ("mx.example.org.", "TXT", "v=spf1 a -all")],
        &[
            ("mx-inventory/mx-implicit", Verdict::NotApplicable),
            ("spoofing/dkim-key-missing", Verdict::NotApplicable),
            ("transport-dns/tls-rpt-missing", Verdict::NotApplicable),
        ],
    ),
    (
        "example.org",
        Some("[sends, receives]"),
        &[("example.org.", "A", "192.0.2.80")],
        &[
            ("mx-inventory/mx-implicit", Verdict::Fail),
            ("mx-inventory/mx-missing", Verdict::NotApplicable),
            ("mx-inventory/domain-not-in-inventory", Verdict::Pass),
            ("spoofing/dkim-key-missing", Verdict::Fail),
        ],
    ),
    (
        "sub.example.org",
        Some("[sends]"),
        &[("sub.example.org.", "MX", "10 mx.example.net.")],
        &[("mx-inventory/domain-not-in-inventory", Verdict::Fail)],
    ),
    // A parked domain revokes all keys and answers for all names with wildcards.
    (
        "example.org",
        Some("[parked]"),
        &[
            ("example.org.", "MX", "0 ."),
            ("example.org.", "TXT", "v=spf1 -all"),
            ("*.example.org.", "TXT", "v=spf1 -all"),
            ("*._domainkey.example.org.", "TXT", "v=DKIM1; p="),
        ],
        &[
            ("spoofing/dkim-wildcard", Verdict::Pass),
            ("dns-health/wildcard-txt", Verdict::Pass),
            ("parked-domains/parked-dkim-key", Verdict::Pass),
            ("parked-domains/parked-null-mx-missing", Verdict::Pass),
            ("mx-inventory/null-mx-preference", Verdict::Pass),
        ],
    ),
    // The records of a parent limit the authorities of a subdomain, and are judged at the parent.
    (
        "example.org",
        None,
        &[("example.org.", "CAA", "128 mistake \"ca.example.net\"")],
        &[
            ("transport-dns/caa-missing", Verdict::Pass),
            ("transport-dns/caa-unknown-critical", Verdict::Fail),
            ("transport-dns/caa-smime-unrestricted", Verdict::Fail),
        ],
    ),
    (
        "sub.example.org",
        None,
        &[("example.org.", "CAA", "128 mistake \"ca.example.net\"")],
        &[("transport-dns/caa-unknown-critical", Verdict::NotApplicable)],
    ),
];

#[test]
fn what_files_prove_is_judged_once_and_the_rest_is_not_called_fine() {
    let policy = everything();
    let mut wrong = Vec::new();
    for (name, roles, records, verdicts) in JUDGED {
        let target = judge(&policy, name, *roles, &zone_records(records));
        for (rule, expected) in *verdicts {
            let index = policy.rules.iter().position(|candidate| candidate.id == *rule).unwrap();
            if target.verdicts[index] != Some(*expected) {
                wrong.push(format!("{name} {records:?}: {rule} is {:?}, not {expected:?}", target.verdicts[index]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The sentences of a failure.
fn sentences(policy: &Policy, target: &AssessedTarget, rule: &str) -> Vec<String> {
    let index = policy.rules.iter().position(|candidate| candidate.id == rule).unwrap();
    let detail = target.details.iter().find(|detail| usize::from(detail.rule.0) == index).unwrap();
    detail.blame.iter().map(|blame| words::sentence(&policy.rules[index], blame)).collect()
}

#[test]
fn explanations_are_sentences() {
    let policy = everything();
    let records = zone_records(&[
        ("example.org.", "MX", "10 mx.example.net."),
        ("example.org.", "TXT", "v=spf1 ~all"),
        ("_dmarc.example.org.", "TXT", "v=DMARC1; p=none"),
    ]);
    let target = judge(&policy, "example.org", None, &records);
    let said = |rule| sentences(&policy, &target, rule);
    // Nothing is above the highest word, so "at least" would only puzzle.
    assert_eq!(said("spoofing/spf-not-enforced"), ["SPF `all` qualifier is `softfail`; expected `fail`"]);
    assert_eq!(said("spoofing/dmarc-not-enforced"), ["DMARC policy is `none`; expected `reject`"]);
    assert_eq!(said("transport-dns/mta-sts-missing"), ["MTA-STS records: `0`; expected at least `1`"]);
    assert_eq!(
        said("spoofing/dmarc-no-aggregate-reports"),
        ["there are no aggregate report addresses; expected at least 1"]
    );
    assert_eq!(said("mx-inventory/mx-single"), ["MX host: 1 distinct; expected at least 2"]);
    let lenient = Selection {
        params: vec![("spoofing".to_owned(), "dmarc_policy".to_owned(), "quarantine".to_owned())],
        ..Selection::default()
    };
    let policy = with(&lenient);
    let target = judge(&policy, "example.org", None, &records);
    assert_eq!(
        sentences(&policy, &target, "spoofing/dmarc-not-enforced"),
        ["DMARC policy is `none`; expected at least `quarantine`"]
    );
}
