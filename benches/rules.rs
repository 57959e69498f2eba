//! Time of the fast pass: five rules of usual shape on facts on which they pass, so that nothing is cut short.
//!
//! `rules/verdict` judges all five once per iteration; the summary at the end gives the mean for one rule. The baselines do the same
//! work in two other ways: hand-written code on the fact structs, which is the least anything could cost, and look-ups
//! by JSON pointer, which is what an interpreter of generic documents would do.

#![expect(clippy::expect_used, reason = "fixed inputs of a benchmark; if they are wrong it cannot run")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use mailvet::diag::{FileId, Span};
use mailvet::engine::fixture::target_facts;
use mailvet::engine::{AsOf, verdict};
use mailvet::facts::domain::{DmarcPolicy, SpfQualifier};
use mailvet::facts::service::TlsVersion;
use mailvet::facts::{Catalogue, DomainFacts, Kind, Path, ServiceFacts, Target, TargetFacts};
use mailvet::findings::Verdict;
use mailvet::policy::model::Bound;
use mailvet::policy::{
    Check, Condition, Fix, IfAbsent, IfNone, Leaf, LeafId, Literal, Operator, PackRef, Quantifier, Right, Rule,
    Severity,
};
use serde_json::{Value, json};

const RULES: u32 = 5;

fn leaf(path: Path, list: Option<&str>, operator: Operator, if_absent: IfAbsent) -> Leaf {
    let span = Span::new(FileId(0), 0, 0);
    Leaf { path, element: list.is_some(), list: list.map(str::to_owned), operator, if_absent, span }
}

fn path(target: Target, text: &str) -> Path {
    Catalogue::resolve(target, text).expect("a fact")
}

fn plain(target: Target, text: &str, operator: Operator) -> Leaf {
    leaf(path(target, text), None, operator, IfAbsent::Fail)
}

fn element(target: Target, list: &str, field: &str, operator: Operator) -> Leaf {
    let Kind::List(schema) = path(target, list).kind else { panic!("{list} is no list of elements") };
    leaf(Catalogue::resolve_in(schema, field).expect("a field"), Some(list), operator, IfAbsent::Fail)
}

fn int(number: i64) -> Right {
    Right::Literal(Literal::Int(number))
}

fn word(target: Target, text: &str, word: &str) -> Right {
    let Kind::Word(words) = path(target, text).kind else { panic!("{text} has no words") };
    let rank = words.words.iter().position(|candidate| *candidate == word).expect("a word");
    Right::Literal(Literal::Word { rank: u8::try_from(rank).expect("a small rank"), words })
}

fn node(leaf: u16) -> Condition {
    Condition::Leaf(LeafId(leaf))
}

fn rule(target: Target, when: Option<Condition>, check: Condition, leaves: Vec<Leaf>) -> Rule {
    Rule {
        id: "bench/rule".to_owned(),
        pack: PackRef { name: "bench".to_owned(), version: "1.0.0".to_owned(), sha256: String::new() },
        title: String::new(),
        severity: Severity::High,
        rerated: None,
        applies_to: target,
        when,
        check: Check::Automatic(check),
        leaves,
        params: BTreeMap::new(),
        why: String::new(),
        fix: Fix::default(),
        references: Vec::new(),
        maps: BTreeMap::new(),
        tests: Vec::new(),
        span: Span::new(FileId(0), 0, 0),
    }
}

/// DMARC rejects; SPF ends in -all within the limit; MX match the inventory; SOA expire lies between two bounds.
fn domain_rules() -> Vec<Rule> {
    let target = Target::Domain;
    let percent = leaf(path(target, "dmarc.percent"), None, Operator::Equals(int(100)), IfAbsent::Pass);
    let dmarc = vec![plain(target, "dmarc.policy", Operator::Equals(word(target, "dmarc.policy", "reject"))), percent];
    let spf = vec![
        plain(target, "spf.all", Operator::Equals(word(target, "spf.all", "fail"))),
        plain(target, "spf.lookups", Operator::AtMost(int(10))),
    ];
    let inventory = Right::Fact(path(target, "inventory.mx[]"));
    let mx = vec![plain(target, "dns.mx[].host", Operator::SameSetAs(inventory))];
    let days = |days: i64| Right::Literal(Literal::Duration(days * 86_400));
    let soa = vec![plain(target, "dns.soa.expire", Operator::Between(days(14), days(28)))];
    vec![
        rule(target, None, Condition::All(vec![node(0), node(1)]), dmarc),
        rule(target, None, Condition::All(vec![node(0), node(1)]), spf),
        rule(target, None, node(0), mx),
        rule(target, None, node(0), soa),
    ]
}

/// On submission ports: TLS is new enough, the certificate holds, and VRFY confirms nobody.
fn service_rule() -> Rule {
    let target = Target::Service;
    let confirmed = Operator::Equals(Right::Literal(Literal::Bool(true)));
    let offered = Operator::Equals(Right::Literal(Literal::Bool(true)));
    let leaves = vec![
        plain(target, "port", Operator::In(vec![Literal::Int(465), Literal::Int(587), Literal::Int(993)])),
        plain(target, "tls.offered", offered),
        plain(target, "tls.version", Operator::AtLeast(word(target, "tls.version", "TLSv1.2"))),
        plain(target, "tls.cert.not_after", Operator::DaysLeft(Bound::AtLeast(int(21)))),
        plain(target, "smtp.vrfy", Operator::Elements),
        element(target, "smtp.vrfy", "code", Operator::Equals(int(250))),
        element(target, "smtp.vrfy", "code", Operator::Equals(int(252))),
        element(target, "smtp.vrfy", "confirms", confirmed),
    ];
    let body = Condition::Any(vec![node(5), Condition::All(vec![node(6), node(7)])]);
    let none = Condition::Quantified {
        quantifier: Quantifier::None,
        list: LeafId(4),
        filter: None,
        body: Box::new(body),
        if_none: IfNone::Unknown,
    };
    rule(target, Some(node(0)), Condition::All(vec![node(1), node(2), node(3), none]), leaves)
}

fn domain_document() -> BTreeMap<String, Value> {
    let document = json!({
        "dmarc.policy": "reject", "dmarc.percent": null, "spf.all": "fail", "spf.lookups": 7,
        "dns.mx": [{ "host": "mx1.example.org" }, { "host": "mx2.example.org" }, { "host": "mx3.example.org" }],
        "inventory.mx": ["mx3.example.org", "mx1.example.org", "mx2.example.org"], "dns.soa.expire": 1_814_400,
    });
    serde_json::from_value(document).expect("a mapping")
}

fn service_document() -> BTreeMap<String, Value> {
    let document = json!({
        "port": 587, "tls.offered": true, "tls.version": "TLSv1.3", "tls.cert.not_after": "2027-06-01",
        "smtp.vrfy": [{ "code": 252, "confirms": false }, { "code": 502, "confirms": false }],
    });
    serde_json::from_value(document).expect("a mapping")
}

/// The same five rules by hand.
fn by_hand(domain: &DomainFacts, service: &ServiceFacts, as_of: i64) -> u32 {
    let mut passed = 0;
    let percent = &domain.dmarc.percent.observed;
    let policy = domain.dmarc.policy.observed.present();
    passed +=
        u32::from(policy == Some(&DmarcPolicy::Reject) && percent.present().is_none_or(|percent| *percent == 100));
    let all = domain.spf.all.observed.present();
    let lookups = domain.spf.lookups.observed.present();
    passed += u32::from(all == Some(&SpfQualifier::Fail) && lookups.is_some_and(|lookups| *lookups <= 10));
    if let (Some(mx), Some(inventory)) = (domain.dns.mx.observed.present(), domain.inventory.mx.observed.present()) {
        let hosts = || mx.0.iter().filter_map(|row| row.host.observed.present());
        let same =
            hosts().all(|host| inventory.contains(host)) && inventory.iter().all(|host| hosts().any(|mx| mx == host));
        passed += u32::from(same);
    }
    let expire = domain.dns.soa.expire.observed.present();
    passed += u32::from(expire.is_some_and(|expire| (1_209_600..=2_419_200).contains(&expire.0)));
    let port = service.port.observed.present();
    let version = service.tls.version.observed.present();
    let days = service.tls.cert.not_after.observed.present().map(|time| (time.0 - as_of).div_euclid(86_400));
    let confirms = service.smtp.vrfy.observed.present().is_some_and(|rows| {
        rows.0.iter().any(|row| {
            let code = row.code.observed.present();
            code == Some(&250) || (code == Some(&252) && row.confirms.observed.present() == Some(&true))
        })
    });
    let good = service.tls.offered.observed.present() == Some(&true)
        && version.is_some_and(|version| *version >= TlsVersion::TlsV12)
        && days.is_some_and(|days| days >= 21)
        && !confirms;
    passed + u32::from(port.is_some_and(|port| [465, 587, 993].contains(port)) && good)
}

/// The same five rules by JSON pointer, without states of evidence; dates are numbers already.
fn by_pointer(domain: &Value, service: &Value, as_of: i64) -> u32 {
    let mut passed = 0;
    let percent = domain.pointer("/dmarc/percent").and_then(Value::as_i64);
    let policy = domain.pointer("/dmarc/policy").and_then(Value::as_str);
    passed += u32::from(policy == Some("reject") && percent.is_none_or(|percent| percent == 100));
    let lookups = domain.pointer("/spf/lookups").and_then(Value::as_i64);
    let all = domain.pointer("/spf/all").and_then(Value::as_str);
    passed += u32::from(all == Some("fail") && lookups.is_some_and(|lookups| lookups <= 10));
    if let (Some(mx), Some(inventory)) =
        (domain.pointer("/dns/mx").and_then(Value::as_array), domain.pointer("/inventory/mx").and_then(Value::as_array))
    {
        let hosts = || mx.iter().filter_map(|row| row.pointer("/host"));
        let same =
            hosts().all(|host| inventory.contains(host)) && inventory.iter().all(|host| hosts().any(|mx| mx == host));
        passed += u32::from(same);
    }
    let expire = domain.pointer("/dns/soa/expire").and_then(Value::as_i64);
    passed += u32::from(expire.is_some_and(|expire| (1_209_600..=2_419_200).contains(&expire)));
    let port = service.pointer("/port").and_then(Value::as_i64);
    let version = service.pointer("/tls/version").and_then(Value::as_str);
    let days =
        service.pointer("/tls/cert/not_after").and_then(Value::as_i64).map(|time| (time - as_of).div_euclid(86_400));
    let confirms = service.pointer("/smtp/vrfy").and_then(Value::as_array).is_some_and(|rows| {
        rows.iter().any(|row| {
            let code = row.pointer("/code").and_then(Value::as_i64);
            code == Some(250) || (code == Some(252) && row.pointer("/confirms").and_then(Value::as_bool) == Some(true))
        })
    });
    let good = service.pointer("/tls/offered").and_then(Value::as_bool) == Some(true)
        && matches!(version, Some("TLSv1.2" | "TLSv1.3"))
        && days.is_some_and(|days| days >= 21)
        && !confirms;
    passed + u32::from(port.is_some_and(|port| [465, 587, 993].contains(&port)) && good)
}

fn pointer_documents() -> (Value, Value) {
    let domain = json!({
        "dmarc": { "policy": "reject", "percent": null }, "spf": { "all": "fail", "lookups": 7 },
        "dns": { "mx": [{ "host": "mx1.example.org" }, { "host": "mx2.example.org" }, { "host": "mx3.example.org" }],
                 "soa": { "expire": 1_814_400 } },
        "inventory": { "mx": ["mx3.example.org", "mx1.example.org", "mx2.example.org"] },
    });
    let service = json!({
        "port": 587, "tls": { "offered": true, "version": "TLSv1.3", "cert": { "not_after": 1_811_808_000_i64 } },
        "smtp": { "vrfy": [{ "code": 252, "confirms": false }, { "code": 502, "confirms": false }] },
    });
    (domain, service)
}

fn rules(criterion: &mut Criterion) {
    let as_of = AsOf::date(jiff::civil::date(2026, 11, 21));
    let TargetFacts::Domain(domain) = target_facts(Target::Domain, &domain_document()).expect("facts") else { return };
    let TargetFacts::Service(service) = target_facts(Target::Service, &service_document()).expect("facts") else {
        return;
    };
    let (domain_rules, service_rule) = (domain_rules(), service_rule());
    let judge = || {
        let passes = |verdict: Verdict| u32::from(verdict == Verdict::Pass);
        let domains: u32 =
            domain_rules.iter().map(|rule| passes(verdict(black_box(rule), black_box(domain.as_ref()), as_of))).sum();
        domains + passes(verdict(black_box(&service_rule), black_box(service.as_ref()), as_of))
    };
    let (domain_json, service_json) = pointer_documents();
    let hand = || by_hand(black_box(&domain), black_box(&service), as_of.seconds());
    let pointer = || by_pointer(black_box(&domain_json), black_box(&service_json), as_of.seconds());
    assert_eq!((judge(), hand(), pointer()), (RULES, RULES, RULES), "all rules pass in all three ways");
    let mut group = criterion.benchmark_group("rules");
    group.bench_function("verdict", |bencher| bencher.iter(judge));
    group.bench_function("by_hand", |bencher| bencher.iter(hand));
    group.bench_function("by_json_pointer", |bencher| bencher.iter(pointer));
    group.finish();
    summary([("verdict", mean(judge)), ("by hand", mean(hand)), ("by JSON pointer", mean(pointer))]);
}

/// Nanoseconds for one rule: the mean over a batch too short to be interrupted often, and of many batches the median.
fn mean(judge: impl Fn() -> u32) -> f64 {
    const ROUNDS: u32 = 100;
    let end = Instant::now() + Duration::from_secs(1);
    let mut batches = Vec::new();
    while Instant::now() < end {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            black_box(judge());
        }
        batches.push(start.elapsed());
    }
    batches.sort_unstable();
    batches[batches.len() / 2].as_secs_f64() * 1e9 / f64::from(ROUNDS * RULES)
}

#[expect(clippy::print_stdout, reason = "the result of a benchmark")]
fn summary(means: [(&str, f64); 3]) {
    let engine = means[0].1;
    for (name, mean) in means {
        println!("{name:16} {mean:7.1} ns per rule, ratio of verdict to it {:.2}", engine / mean);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(50).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    targets = rules
}
criterion_main!(benches);
