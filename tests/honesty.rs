//! "Could not look" is never a verdict.
//!
//! A record that cannot be read may say anything. So when a rule passes beside such a record, it must pass whatever the
//! record says; and when it fails, it must fail whatever the record says. Each record of a small organisation is made
//! unreadable in turn, and the verdicts are compared with those of the worlds that are then possible: the record as it
//! was, no record at all, and records that say something bad.

#![allow(clippy::unwrap_used, reason = "a test whose own zones cannot be read has nothing to go on with")]

use std::collections::BTreeMap;

use mailvet::collectors::{self, Cache, Context};
use mailvet::diag::Files;
use mailvet::engine::assess_target;
use mailvet::facts::{Cause, FactView, Group, Method, Node, Observed, Target};
use mailvet::findings::{AssessedTarget, BlameValue, Verdict};
use mailvet::mail::Name;
use mailvet::policy::{Policy, Selection, build_policy, embedded_packs, embedded_profile};
use mailvet::sources::Store;
use mailvet::sources::bind::read_zone;

const HEAD: &str = "$TTL 3600\n@ SOA ns1.example.org. host.example.org. 1 7200 900 1209600 300\n";

/// The zones that are not touched: the suffix, so that everything below it is decided, and a partner.
const OTHERS: &[(&str, &str)] = &[
    ("org", "example NS ns1.example\nparked NS ns1.example\n"),
    ("example.com", "example.org._report._dmarc TXT \"v=DMARC1\"\n_spf TXT \"v=spf1 ip4:9.9.9.0/24 ?all\"\n"),
];

/// The zone whose records are made unreadable one by one: owner, type, data.
const RECORDS: &[(&str, &str, &str)] = &[
    ("@", "NS", "ns1"),
    ("@", "NS", "ns2"),
    ("ns1", "A", "9.9.9.1"),
    ("ns2", "A", "9.9.9.2"),
    ("@", "MX", "10 mx1"),
    ("@", "MX", "20 mx2"),
    ("mx1", "A", "9.9.9.10"),
    ("mx1", "AAAA", "2620:fe::10"),
    ("mx2", "A", "9.9.9.11"),
    ("@", "TXT", "\"v=spf1 mx include:_spf.example.com include:_more.example.org -all\""),
    ("_more", "TXT", "\"v=spf1 ip4:9.9.9.9 ?all\""),
    ("@", "TXT", "\"site-verification=1\""),
    ("_dmarc", "TXT", "\"v=DMARC1; p=reject; rua=mailto:d@example.com,mailto:d@example.org\""),
    ("s1._domainkey", "TXT", "\"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\""),
    ("s2._domainkey", "TXT", "\"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\""),
    ("_mta-sts", "TXT", "\"v=STSv1; id=1\""),
    ("mta-sts", "A", "9.9.9.12"),
    ("_smtp._tls", "TXT", "\"v=TLSRPTv1; rua=mailto:t@example.org\""),
    ("_25._tcp.mx1", "TLSA", "3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
    ("_25._tcp.mx2", "TLSA", "3 1 1 fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"),
    ("@", "CAA", "0 issue \"ca.example\""),
    ("@", "CAA", "0 issuemail \";\""),
    ("sub", "MX", "10 mx1"),
    ("sub", "MX", "20 mx2"),
    ("sub", "TXT", "\"v=spf1 redirect=example.org\""),
    ("s1._domainkey.sub", "CNAME", "s1._domainkey"),
    ("_mta-sts.sub", "TXT", "\"v=STSv1; id=1\""),
    ("mta-sts.sub", "CNAME", "mta-sts"),
    ("_smtp._tls.sub", "CNAME", "_smtp._tls"),
];

/// A second zone, of a domain without mail.
const PARKED: &[(&str, &str, &str)] = &[
    ("@", "NS", "ns1.example.org."),
    ("@", "NS", "ns2.example.org."),
    ("@", "MX", "0 ."),
    ("@", "TXT", "\"v=spf1 -all\""),
    ("_dmarc", "TXT", "\"v=DMARC1; p=reject; rua=mailto:d@parked.org\""),
    ("@", "CAA", "0 issue \";\""),
    ("@", "CAA", "0 issuemail \";\""),
];

const TARGETS: &[&str] = &["example.org", "sub.example.org", "parked.org"];

/// What an unreadable record could say that some rule does not like.
fn bad(rtype: &str) -> &'static [&'static str] {
    match rtype {
        "TXT" => &[
            "\"x\"",
            "\"v=spf1 +all\"",
            "\"v=spf1 ~all\"",
            "\"v=spf1 moo -all\"",
            "\"v=spf1 ptr ip4:9.0.0.0/8 -all\"",
            "\"v=spf1 include:gone.example.org -all exists:x.example.org\"",
            "\"v=spf1 a:g1.example.org a:g2.example.org a:g3.example.org -all\"",
            "\"v=spf10 -all\"",
            "\"v=DMARC1; p=none\"",
            "\"v=DMARC1; p=reject; sp=none; pct=10; t=y\"",
            "\"v=DMARC1; p=reject; rua=mailto:d@other.example.com,x\"",
            "\"v=dmarc1; p=reject\"",
            "\"v=DKIM1; t=y; h=sha1; p=\"",
            "\"v=DKIM1; k=ed25519; p=AAAA\"",
            "\"v=STSv1; id=-\"",
            "\"v=TLSRPTv1; rua=x\"",
        ],
        "MX" => &["0 .", "10 gone", "10 alias", "10 9.9.9.1.", "10 mx1.example.org", "10 private", "10 mx1"],
        "A" => &["10.0.0.1"],
        "AAAA" => &["::1"],
        "NS" => &["ns1"],
        "CNAME" => &["gone"],
        "TLSA" => &["0 0 1 00"],
        _ => &[],
    }
}

type Verdicts = BTreeMap<(String, String), (Verdict, bool)>;

struct Judge {
    policy: Policy,
}

/// The fact at the end of some steps.
fn read<'a>(group: &'a dyn Group, steps: &[u8]) -> Option<FactView<'a>> {
    match (group.node(usize::from(*steps.first()?)), &steps[1..]) {
        (Node::Group(inner), rest) => read(inner, rest),
        (Node::Fact(fact), []) => Some(fact),
        (Node::Fact(_), _) => None,
    }
}

impl Judge {
    fn new() -> Judge {
        let mut files = Files::default();
        let packs = embedded_packs(&mut files).unwrap();
        let profile = embedded_profile(&mut files, "default").unwrap().unwrap();
        Judge { policy: build_policy(&packs, &profile, &Selection::default()).unwrap() }
    }

    /// The verdict of every rule on every target, and whether it blames something that is absent.
    fn judge(&self, zones: &[(&str, String)]) -> Verdicts {
        self.judge_and(zones, |_, _| {})
    }

    /// Rules that were not checked although files can show what they need: a fact that they lack was looked for.
    fn overlooked(&self, facts: &dyn Group, judged: &AssessedTarget) -> Vec<String> {
        let lacks = judged.not_collected.iter().filter(|(rule, leaf)| {
            let leaf = &self.policy.rules[usize::from(rule.0)].leaves[usize::from(leaf.0)];
            let fact = if leaf.element { None } else { read(facts, &leaf.path.steps) };
            // Whoever looks says how. Facts of live DNS and HTTPS alone are left as they are when files are read.
            !fact.is_some_and(|fact| {
                matches!(fact.observed, Observed::Unknown(Cause::NotCollected)) && fact.from.method == Method::None
            })
        });
        lacks.map(|(rule, _)| self.policy.rules[usize::from(rule.0)].id.clone()).collect()
    }

    fn judge_and(&self, zones: &[(&str, String)], mut see: impl FnMut(&dyn Group, &AssessedTarget)) -> Verdicts {
        let (mut files, mut store) = (Files::default(), Store::new());
        for (index, (origin, text)) in zones.iter().enumerate() {
            let file = files.add(format!("{index}.zone"), format!("{HEAD}{text}"));
            let include = &mut |_: &mut Files, path: &str, _| Err(format!("there is no file {path}"));
            read_zone(&mut store, &mut files, file, Some(Name::parse(origin).unwrap()), include).unwrap();
        }
        store.finish(&files);
        let source = store.view(&files);
        let context = Context {
            source: &source,
            method: Method::DnsFile,
            inventory: None,
            policies: &[],
            fetches: &[],
            cache: Cache::default(),
        };
        let mut verdicts = BTreeMap::new();
        for target in TARGETS {
            let facts = collectors::domain(&context, &Name::parse(target).unwrap());
            let day = jiff::civil::date(2026, 11, 21);
            let judged = assess_target(&self.policy, Target::Domain, target, None, &*facts, day);
            see(&*facts, &judged);
            for (index, (rule, verdict)) in self.policy.rules.iter().zip(judged.verdicts.iter()).enumerate() {
                let detail = judged.details.iter().find(|detail| usize::from(detail.rule.0) == index);
                let absent = detail.is_some_and(|detail| {
                    detail.blame.iter().any(|blame| matches!(blame.observed, BlameValue::Absent(_)))
                });
                if let Some(verdict) = verdict {
                    verdicts.insert(((*target).to_owned(), rule.id.clone()), (*verdict, absent));
                }
            }
        }
        verdicts
    }
}

fn line((owner, rtype, data): (&str, &str, &str)) -> String {
    format!("{owner} {rtype} {data}\n")
}

/// All zones, with one line of one of them replaced, and text added to that zone.
fn zones(parked: bool, index: usize, replaced: &str, added: &str) -> Vec<(&'static str, String)> {
    let text = |records: &[(&str, &str, &str)], touched: bool| {
        let lines = records.iter().enumerate().map(|(at, record)| match touched && at == index {
            true => replaced.to_owned(),
            false => line(*record),
        });
        // Targets of bad records.
        let bad = "alias CNAME mx1\nprivate A 10.0.0.1\n";
        lines.collect::<String>() + bad + if touched { added } else { "" }
    };
    let mut zones = vec![("example.org", text(RECORDS, !parked)), ("parked.org", text(PARKED, parked))];
    zones.extend(OTHERS.iter().map(|(origin, text)| (*origin, (*text).to_owned())));
    zones
}

fn is_good(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Pass | Verdict::NotApplicable)
}

/// Fewer rules that files can show to pass, on all targets together, and the test has lost its subject.
const FEWEST_PASSES: usize = 120;

#[test]
fn the_organisation_passes_as_it_is() {
    let judge = Judge::new();
    let mut overlooked = Vec::new();
    let verdicts = judge.judge_and(&zones(false, usize::MAX, "", ""), |facts, judged| {
        overlooked.extend(judge.overlooked(facts, judged));
    });
    assert!(overlooked.is_empty(), "files show what these need: {overlooked:#?}");
    // What only the network could tell is not checked, and nothing else.
    let bad: Vec<_> =
        verdicts.iter().filter(|(_, (verdict, _))| !is_good(*verdict) && *verdict != Verdict::NotChecked).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    let passes = verdicts.values().filter(|(verdict, _)| *verdict == Verdict::Pass).count();
    assert!(passes >= FEWEST_PASSES, "only {passes} verdicts are pass");
}

#[test]
fn a_record_that_cannot_be_read_decides_nothing() {
    let judge = Judge::new();
    let whole = judge.judge(&zones(false, usize::MAX, "", ""));
    let mut wrong = Vec::new();
    for (parked, records) in [(false, RECORDS), (true, PARKED)] {
        for (index, record) in records.iter().enumerate() {
            let (owner, rtype, _) = *record;
            let mut worlds = vec![whole.clone(), judge.judge(&zones(parked, index, "", ""))];
            for data in bad(rtype) {
                worlds.push(judge.judge(&zones(parked, index, &line((owner, rtype, data)), "")));
            }
            let hidden = [
                ("template", line((owner, rtype, "{{ data }}")), ""),
                ("malformed", line((owner, rtype, "\\# 9 00")), ""),
                ("include", String::new(), "$INCLUDE missing.inc\n"),
                ("delegated", format!("{owner} NS ns.example.net.\n"), ""),
            ];
            for (how, replaced, added) in hidden {
                if how == "delegated" && owner == "@" {
                    continue;
                }
                let found = judge.judge(&zones(parked, index, &replaced, added));
                for (key, (verdict, absent)) in &found {
                    let fails = worlds.iter().any(|world| world[key].0 == Verdict::Fail);
                    let good = worlds.iter().any(|world| is_good(world[key].0));
                    // Malformed data are a fault of their own; they are no proof that there is nothing.
                    let blamed = *verdict == Verdict::Fail && good && (how != "malformed" || *absent);
                    if *verdict == Verdict::Pass && fails || blamed {
                        wrong.push(format!("{how} {owner} {rtype}: {} {} is {verdict}", key.0, key.1));
                    }
                }
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}\n{} wrong verdicts", wrong.join("\n"), wrong.len());
}

/// A file that cannot be included may add a record anywhere in the zone.
#[test]
fn a_file_that_cannot_be_included_may_add_any_record() {
    let judge = Judge::new();
    let mut wrong = Vec::new();
    for (parked, records) in [(false, RECORDS), (true, PARKED)] {
        let found = judge.judge(&zones(parked, usize::MAX, "", "$INCLUDE missing.inc\n"));
        for (owner, rtype, _) in records.iter().filter(|(_, rtype, _)| *rtype != "CNAME") {
            for data in bad(rtype) {
                let added = line((owner, rtype, data));
                let world = judge.judge(&zones(parked, usize::MAX, "", &added));
                for (key, (verdict, _)) in &found {
                    if *verdict == Verdict::Pass && world[key].0 == Verdict::Fail {
                        wrong.push(format!("{} {} passes without {added}", key.0, key.1));
                    }
                }
            }
        }
        let blamed = found.iter().filter(|(_, (verdict, _))| *verdict == Verdict::Fail);
        wrong.extend(blamed.map(|(key, _)| format!("{} {} fails\n", key.0, key.1)));
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}{} wrong verdicts", wrong.concat(), wrong.len());
}

#[test]
fn a_zone_that_is_defined_twice_decides_nothing() {
    let judge = Judge::new();
    for (twice, targets) in [("example.org", &TARGETS[..2]), ("parked.org", &TARGETS[2..])] {
        let mut all = zones(false, usize::MAX, "", "");
        all.push((twice, "@ TXT \"v=spf1 +all\"\n".to_owned()));
        let verdicts = judge.judge(&all);
        let decided: Vec<_> = verdicts
            .iter()
            .filter(|((target, _), (verdict, _))| {
                targets.contains(&target.as_str()) && matches!(verdict, Verdict::Pass | Verdict::Fail)
            })
            .collect();
        assert!(decided.is_empty(), "{twice} {decided:#?}");
    }
}

/// Files seldom show what a public suffix publishes; an organisational domain needs a record of its own in any case.
#[test]
fn a_missing_dmarc_record_is_found_without_the_zone_of_the_suffix() {
    let judge = Judge::new();
    let records = RECORDS.iter().filter(|(owner, _, _)| *owner != "_dmarc");
    let text: String = records.map(|record| line(*record)).collect();
    let verdicts = judge.judge(&[("example.org", text)]);
    let verdict = |target: &str| verdicts[&(target.to_owned(), "spoofing/dmarc-missing".to_owned())].0;
    assert_eq!(verdict("example.org"), Verdict::Fail);
    assert_eq!(verdict("sub.example.org"), Verdict::NotChecked);
    assert_eq!(verdict("parked.org"), Verdict::NotChecked);
}

#[test]
fn case_68_the_demand_for_reject_names_mailing_lists_and_its_source() {
    let judge = Judge::new();
    let rule = judge.policy.rules.iter().find(|rule| rule.id == "spoofing/dmarc-not-enforced").unwrap();
    assert!(rule.references.iter().any(|reference| reference.title == "RFC 9989 section 7.4"));
    assert!(rule.fix.text.contains("Mailing lists"), "{}", rule.fix.text);
}
