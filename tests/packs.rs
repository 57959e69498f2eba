//! The packs that the binary carries: their own tests, evidence that is taken away, identities, and records that mend.

#![allow(clippy::unwrap_used, reason = "a test whose own files cannot be read has nothing to go on with")]

use std::collections::{BTreeMap, BTreeSet};

use mailvet::collectors::{self, Context};
use mailvet::diag::{Diagnostic, Files};
use mailvet::engine::{self, testing};
use mailvet::facts::{Method, Target};
use mailvet::findings::{AssessedTarget, FilledRecord, Verdict};
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
const FEWEST_RULES: usize = 80;
const FEWEST_INJECTIONS: usize = 400;

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
    ("parked-domains/parked-dmarc-not-reject", Some("[parked]"), &[
        ("example.org.", "TXT", "v=spf1 -all"),
        ("_dmarc.example.org.", "TXT", "v=DMARC1; p=quarantine; sp=quarantine"),
    ]),
    ("parked-domains/parked-null-mx-missing", None, &[("example.org.", "TXT", "v=spf1 -all")]),
    ("parked-domains/parked-spf-authorises-senders", Some("[parked]"), &[
        ("example.org.", "TXT", "an unrelated text"),
        ("example.org.", "TXT", "v=spf1 ip4:192.0.2.0/24 -all"),
    ]),
    ("spoofing/dmarc-missing", None, &[("example.org.", "TXT", "v=spf1 -all")]),
    ("spoofing/dmarc-not-enforced", None, &[("_dmarc.example.org.", "TXT", "v=DMARC1; p=none")]),
    ("spoofing/spf-missing", None, &[
        ("example.org.", "MX", "10 mx.example.org."),
        ("example.org.", "TXT", "an unrelated text"),
        ("mx.example.org.", "A", "192.0.2.25"),
    ]),
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

/// Collects the facts of example.org from its zone and judges them.
fn judge(policy: &Policy, roles: Option<&str>, records: &[ZoneRecord]) -> AssessedTarget {
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
    let context =
        Context { source: &source, method: Method::DnsFile, inventory: inventory.as_ref(), policies: &[] };
    let name = Name::parse("example.org").unwrap();
    let facts = collectors::domain(&context, &name);
    engine::assess_target(policy, Target::Domain, name.as_str(), None, &facts, jiff::civil::date(2026, 1, 1))
}

/// All rules of all packs, without the exclusions of the profiles.
fn everything() -> Policy {
    let mut files = Files::default();
    let packs = documents(&mut files);
    let uses: String = packs.iter().map(|pack| format!("  - {{ pack: {} }}\n", pack.name.value)).collect();
    let profile = load_profile(&mut files, "all.yaml", format!("profile: all\nuse:\n{uses}").as_bytes()).unwrap();
    build_policy(&packs, &profile, &Selection::default()).unwrap()
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
        let mut records: Vec<ZoneRecord> = records
            .iter()
            .map(|(owner, rtype, value)| ZoneRecord {
                owner: (*owner).to_owned(),
                rtype: (*rtype).to_owned(),
                value: (*value).to_owned(),
            })
            .collect();
        let before = judge(&policy, *roles, &records);
        assert_eq!(before.verdicts[index], Some(Verdict::Fail), "{} before", rule.id);
        let detail = before.details.iter().find(|detail| usize::from(detail.rule.0) == index).unwrap();
        let publish = ZoneRecord::from(detail.record.as_deref().unwrap_or_else(|| panic!("{}: no record", rule.id)));
        records.retain(|record| !publish.replaces(record));
        records.push(publish);
        let after = judge(&policy, *roles, &records);
        assert_eq!(after.verdicts[index], Some(Verdict::Pass), "{} after {}", rule.id, zone_text(&records));
    }
}
