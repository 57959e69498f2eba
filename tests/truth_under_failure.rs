//! No rule passes or fails for lack of an answer.
//!
//! Two organisations on loopback, a careful and a careless one, are judged by every rule while everything answers. Then
//! servers fail: the resolver and the name servers for one question after the other, or half-way through a run for all
//! further ones; mail servers when they are connected to, at their greeting, after the first command, or after some
//! connections. Whatever is found then must be what was found before, or unknown.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test whose own world does not stand has nothing to go on with")]

#[path = "support/world/mod.rs"]
mod world;

use std::collections::BTreeSet;
use std::sync::Arc;

use mailvet::diag::Files;
use mailvet::facts::Recorder;
use mailvet::findings::Verdict;

use world::mail::Mood;
use world::names::{Asked, Failing, Fault};
use world::{Patience, Sessions, Verdicts, World};

/// Fewer rules that pass or fail somewhere, or fewer questions, and the test has lost its subject.
const FEWEST_DECIDED: usize = 170;
const FEWEST_QUESTIONS: usize = 100;

/// Verdicts that came about although what they rest on was not seen.
fn wrong(
    how: &str,
    healthy: &Verdicts,
    found: &Verdicts,
    is_observation: impl Fn(&str, Verdict) -> bool,
) -> Vec<String> {
    let decided = |verdict| !matches!(verdict, Verdict::Unknown | Verdict::NotChecked);
    let differs = |key: &(String, String), verdict: Verdict| healthy.get(key) != Some(&verdict);
    found
        .iter()
        .filter(|(key, verdict)| decided(**verdict) && differs(key, **verdict))
        .filter(|((_, rule), verdict)| !is_observation(rule, **verdict))
        .map(|((target, rule), verdict)| {
            format!("{how}: {rule} {target} is {verdict}, was {:?}", healthy.get(&(target.clone(), rule.clone())))
        })
        .collect()
}

async fn healthy(world: &World) -> (Sessions, Verdicts) {
    let recorder = Recorder::new(Files::default(), false);
    let sessions = world.sessions(Patience::LONG, &recorder).await;
    let verdicts = world.verdicts(Patience::LONG, &sessions).await;
    let is_decided = |verdict: &Verdict| matches!(verdict, Verdict::Pass | Verdict::Fail);
    let decided: BTreeSet<&String> =
        verdicts.iter().filter(|(_, verdict)| is_decided(verdict)).map(|((_, rule), _)| rule).collect();
    assert!(decided.len() >= FEWEST_DECIDED, "{} rules are decided: {decided:#?}", decided.len());
    (sessions, verdicts)
}

fn end(mut wrong: Vec<String>) {
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}\n{} wrong verdicts", wrong.join("\n"), wrong.len());
}

/// Verdicts that a failure justifies, because it is what the rule is about:
/// - Senders that use DANE do not deliver to a host whose TLSA records end in SERVFAIL (RFC 7672 section 2.1.1).
/// - A name server that refuses to speak of the zone that is delegated to it is lame (RFC 1912 section 2.8), and one that
///   refuses to look up foreign names or to hand over the zone is not open to that (RFC 5358 section 4, RFC 5936
///   section 2.2.1). They were asked themselves, and the refusal is their answer; that of a resolver is none.
fn is_about_failure(failing: Failing, asked: Option<&Asked>, rule: &str, verdict: Verdict) -> bool {
    let of_type = |rtype| asked.is_none_or(|asked| u16::from(asked.rtype) == rtype);
    match (rule, failing, verdict) {
        ("transport-dns/tlsa-lookup-broken", Failing::Servfail, Verdict::Fail) => of_type(52),
        ("dns-health/ns-lame", Failing::Refused, Verdict::Fail) => {
            of_type(6) && asked.is_none_or(|asked| !asked.recursion)
        }
        ("dns-health/ns-open-recursion", Failing::Refused, Verdict::Pass) => of_type(1),
        ("dns-health/ns-open-transfer", Failing::Refused, Verdict::Pass) => of_type(252),
        _ => false,
    }
}

/// Rules that need no answer: what they compare stands in the inventory, or is the address of the target itself.
const WITHOUT_ANSWERS: [&str; 6] = [
    "dns-health/wildcard-mx",
    "dns-health/wildcard-txt",
    "spoofing/dkim-wildcard",
    "mx-inventory/domain-not-in-inventory",
    "reputation/address-outside-networks",
    "reputation/sender-address-special",
];

#[tokio::test(flavor = "multi_thread")]
async fn one_question_that_fails_decides_nothing() {
    let world = World::start().await;
    let (sessions, healthy) = healthy(&world).await;
    let mut questions = world.names.asked();
    assert!(questions.len() >= FEWEST_QUESTIONS, "{questions:?}");
    questions.sort();
    let mut found = Vec::new();
    // Each question fails in one way; its neighbours fail in the others.
    let ways = [Failing::Servfail, Failing::Refused, Failing::Silent];
    for (asked, failing) in questions.into_iter().zip(ways.into_iter().cycle()) {
        world.names.fail(Fault::One(failing, asked.clone()));
        let patience = if failing == Failing::Silent { Patience::SHORT } else { Patience::LONG };
        let verdicts = world.verdicts(Patience { attempts: 1, ..patience }, &sessions).await;
        let how = format!("{failing:?} {} {} of {}", asked.rtype, asked.name, asked.server);
        let is_observation = |rule: &str, verdict| is_about_failure(failing, Some(&asked), rule, verdict);
        found.extend(wrong(&how, &healthy, &verdicts, is_observation));
    }
    end(found);
}

#[tokio::test(flavor = "multi_thread")]
async fn dns_that_fails_half_way_decides_nothing() {
    let world = World::start().await;
    let (sessions, healthy) = healthy(&world).await;
    let questions = world.names.asked();
    let mut found = Vec::new();
    for kept in [0, 1, 2, 3, 5, 8, 13, 20, 30, 40, 60, 80, 110, 150, 200, 250] {
        for failing in [Failing::Servfail, Failing::Refused, Failing::Silent] {
            let first: BTreeSet<Asked> = questions.iter().take(kept).cloned().collect();
            world.names.fail(Fault::AllBut(failing, first));
            let verdicts = world.verdicts(Patience { attempts: 1, ..Patience::SHORT }, &sessions).await;
            let how = format!("{failing:?} after {kept} questions");
            found.extend(wrong(&how, &healthy, &verdicts, |rule, verdict| {
                is_about_failure(failing, None, rule, verdict)
            }));
            if kept == 0 {
                let of_dns = |(target, rule): &(String, String)| {
                    !target.contains(' ') && !WITHOUT_ANSWERS.contains(&rule.as_str())
                };
                let decided = verdicts
                    .iter()
                    .filter(|(key, verdict)| of_dns(key) && matches!(verdict, Verdict::Pass | Verdict::Fail));
                found.extend(
                    decided.map(|(key, verdict)| format!("nothing answers, and {} {} is {verdict}", key.1, key.0)),
                );
            }
        }
    }
    end(found);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_servers_that_fail_decide_nothing() {
    let world = World::start().await;
    let (_, healthy) = healthy(&world).await;
    let mut found = Vec::new();
    let moods = [
        Some(Mood::Silent),
        Some(Mood::Busy),
        Some(Mood::Closing),
        Some(Mood::Short),
        Some(Mood::Plain),
        Some(Mood::Tired(1)),
        Some(Mood::Tired(2)),
        Some(Mood::Tired(4)),
        Some(Mood::Tired(9)),
        Some(Mood::Numb(1)),
        Some(Mood::Numb(3)),
        Some(Mood::Numb(9)),
        None,
    ];
    for mood in moods {
        for (_, _, server) in &world.services {
            match mood {
                Some(mood) => server.set(mood),
                None => server.stop().await,
            }
        }
        match mood {
            Some(Mood::Plain) => {}
            Some(mood) => world.web.set(mood),
            None => world.web.stop().await,
        }
        let recorder = Arc::new(Recorder::new(Files::default(), false));
        let sessions = world.sessions(Patience::SHORT, &recorder).await;
        let verdicts = world.verdicts(Patience::LONG, &sessions).await;
        let how = mood.map_or("closed".to_owned(), |mood| format!("{mood:?}"));
        // A server that does not speak TLS where TLS comes first was reached, and that is what the rule is about.
        let is_observation = |rule: &str, verdict| {
            mood == Some(Mood::Plain) && rule == "client-access/implicit-tls-broken" && verdict == Verdict::Fail
        };
        found.extend(wrong(&how, &healthy, &verdicts, is_observation));
    }
    end(found);
}
