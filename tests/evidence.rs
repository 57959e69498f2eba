//! Behind every fact stands what was received.
//!
//! A live look at two organisations on loopback keeps everything. Then every fact of every target is taken: it points
//! into a text, the text has an evidence id, and the artefact with that id was kept and is what the id says. DNS messages
//! among them are read again and ask the question that their path names.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test whose own world does not stand has nothing to go on with")]

#[path = "support/world/mod.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hickory_proto::op::Message;
use mailvet::diag::Files;
use mailvet::facts::{
    Artefact, ArtefactKind, Cause, FactView, Group, Method, Node, Observed, Recorder, TargetFacts, View,
};

use mailvet::probes::https::PolicyFetch;
use mailvet::probes::tls::Certificates;
use mailvet::sources::Live;
use mailvet::sources::live::KeptMessage;
use world::names::{Failing, Fault};
use world::{Patience, Sessions, World};

/// Fewer facts with evidence and the test has lost its subject.
const FEWEST: usize = 2000;

/// Facts that may have no evidence, because they follow from the request or from the inventory, by how their path begins.
const WITHOUT: &[(&str, &str)] = &[
    // What was looked at, and why: the target itself.
    ("domain name", "the request"),
    ("domain dmarc.org_domain_psl", "the name and the public suffix list"),
    ("domain mail.organisational", "the name and the public suffix list"),
    ("domain mail.internationalised", "the name"),
    ("host host", "the request"),
    ("host address", "the request"),
    ("host special", "the address"),
    ("host inbound", "the request"),
    ("host outbound", "the inventory"),
    ("host claimed", "the inventory"),
    ("host in_networks", "the inventory"),
    ("service host", "the request"),
    ("service address", "the request"),
    ("service port", "the request"),
    ("service protocol", "the request"),
    ("service claimed", "the inventory"),
    ("service mx_for", "the request"),
];

/// Every fact of a group, with its path.
fn walk(group: &dyn Group, prefix: &str, see: &mut dyn FnMut(&str, FactView<'_>)) {
    for (index, field) in group.schema().fields.iter().enumerate() {
        let path = if prefix.is_empty() { field.name.to_owned() } else { format!("{prefix}.{}", field.name) };
        match group.node(index) {
            Node::Group(inner) => walk(inner, &path, see),
            Node::Fact(fact) => {
                see(&path, fact);
                if let Observed::Present(View::Rows(rows)) = fact.observed {
                    (0..rows.count()).for_each(|row| walk(rows.row(row), &format!("{path}[]"), see));
                }
            }
        }
    }
}

/// What is wrong with the provenance of a fact.
fn problem(kind: &str, path: &str, fact: FactView<'_>, files: &Files, kept: &BTreeSet<String>) -> Option<String> {
    // Nobody looked, so there is nothing to show: the fact belongs to another kind of service, or to files only.
    if matches!(fact.observed, Observed::Unknown(Cause::NotCollected)) {
        return None;
    }
    if fact.from.method == Method::Inventory {
        return None;
    }
    let Some(span) = fact.from.span else {
        let known = format!("{kind} {path}");
        return (!WITHOUT.iter().any(|(listed, _)| *listed == known)).then(|| "no span".to_owned());
    };
    let file = files.get(span.file);
    if span.start > span.end || span.end as usize > file.bytes.len() {
        return Some(format!("the span lies outside of {}", file.path));
    }
    match &file.evidence {
        None if file.path == "mailvet.yaml" => None,
        None => Some(format!("{} has no evidence", file.path)),
        Some(id) if kept.contains(&**id) => None,
        Some(id) => Some(format!("the artefact {id} of {} was not kept", file.path)),
    }
}

type Seen<W> = (W, Vec<(String, TargetFacts)>, Files, Vec<(mailvet::diag::FileId, Artefact)>);

async fn looked_at() -> Seen<World> {
    let ((world, _), facts, files, artefacts) = looked_at_with_sessions().await;
    (world, facts, files, artefacts)
}

async fn looked_at_with_sessions() -> Seen<(World, Sessions)> {
    let world = World::start().await;
    let mut files = Files::default();
    files.add("mailvet.yaml", world::INVENTORY);
    let recorder = Arc::new(Recorder::new(files, true));
    let sessions = world.sessions(Patience::LONG, &recorder).await;
    let live = world.live(Patience::LONG, &recorder).await;
    let facts = world.facts(&live, &sessions).await;
    let (files, artefacts) = recorder.close();
    ((world, sessions), facts, files, artefacts)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_or_a_transcript_stands_behind_every_fact() {
    let (_, facts, files, artefacts) = looked_at().await;
    let kept: BTreeSet<String> = artefacts.iter().map(|(_, artefact)| artefact.id()).collect();
    let (mut seen, mut wrong) = (0, BTreeMap::<String, (usize, String)>::new());
    for (name, facts) in &facts {
        let kind = facts.kind().as_str();
        walk(facts.group(), "", &mut |path, fact| {
            seen += usize::from(fact.from.span.is_some());
            if let Some(problem) = problem(kind, path, fact, &files, &kept) {
                let example = format!(
                    "{problem}: {name}, {:?} by {:?}, note {:?}",
                    fact.observed, fact.from.method, fact.from.note
                );
                wrong.entry(format!("{kind} {path}")).or_insert((0, example)).0 += 1;
            }
        });
    }
    assert!(wrong.is_empty(), "{wrong:#?}\n{} facts lack evidence", wrong.len());
    assert!(seen >= FEWEST, "only {seen} facts with a span");
}

#[tokio::test(flavor = "multi_thread")]
async fn artefacts_are_what_their_texts_say() {
    let (_, _, files, artefacts) = looked_at().await;
    let mut messages = 0;
    for (file, artefact) in &artefacts {
        let file = files.get(*file);
        assert_eq!(file.evidence.as_deref(), Some(artefact.id().as_str()), "{}", file.path);
        if artefact.kind != ArtefactKind::DnsMessage {
            continue;
        }
        let message = Message::from_vec(&artefact.raw).unwrap_or_else(|error| panic!("{}: {error}", file.path));
        let [question] = message.queries.as_slice() else { panic!("{}: {:?}", file.path, message.queries) };
        // `dns/example.org/MX`, and what comes after the type says whom else it was asked of.
        let (name, rest) = file.path.strip_prefix("dns/").unwrap().rsplit_once('/').unwrap();
        let rtype = rest.split(['@', '+']).next().unwrap();
        let asked = question.name().to_lowercase().to_string();
        assert_eq!(asked.trim_end_matches('.'), name.trim_end_matches('.'), "{}", file.path);
        // RFC 7208 section 3.1 retired the type SPF, which the library has no word for any more.
        let number = u16::from(question.query_type());
        let word = if number == 99 { "SPF".to_owned() } else { question.query_type().to_string() };
        assert_eq!(word, rtype, "{}", file.path);
        messages += 1;
    }
    assert!(messages > 100, "{messages} messages");
}

/// What was kept, as a bundle has it.
fn kept(files: &Files, artefacts: &[(mailvet::diag::FileId, Artefact)]) -> Vec<(ArtefactKind, KeptMessage)> {
    let one = |(id, artefact): &(mailvet::diag::FileId, Artefact)| {
        let (path, text) = (files.get(*id).path.clone(), files.get(*id).bytes.to_vec());
        let Artefact { kind, title, time, raw } = artefact.clone();
        (kind, KeptMessage { file: *id, path, title, time, raw, text })
    };
    artefacts.iter().map(one).collect()
}

/// The same facts, read again from what was kept, without any network.
async fn again(
    world: &World,
    sessions: &Sessions,
    files: Files,
    kept: &[(ArtefactKind, KeptMessage)],
) -> Vec<(String, TargetFacts)> {
    let recorder = Arc::new(Recorder::new(files, true));
    let live = Live::replay(world.options(Patience::LONG), Arc::clone(&recorder)).unwrap();
    let of_kind = |wanted| kept.iter().filter(move |(kind, _)| *kind == wanted).map(|(_, kept)| kept);
    let (unchecked, others): (Vec<_>, Vec<_>) =
        of_kind(ArtefactKind::DnsMessage).partition(|kept| kept.path.ends_with("+cd"));
    for message in unchecked.into_iter().chain(others) {
        live.remember(message).unwrap_or_else(|error| panic!("{}: {error}", message.path));
    }
    let certificates = |name: &str| {
        let path = format!("certificates/{name}");
        let chain = of_kind(ArtefactKind::Certificates).find(|kept| kept.path == path)?;
        let (certificates, text) =
            Certificates::again(chain.file, name, (&chain.raw, &chain.text), world.trust(), chain.time);
        assert_eq!(String::from_utf8(text), String::from_utf8(chain.text.clone()), "{path}");
        Some(certificates)
    };
    let fetch = |fetch: &PolicyFetch| {
        let path = format!("https/mta-sts.{}/.well-known/mta-sts.txt", fetch.domain);
        let page = of_kind(ArtefactKind::HttpResponse).find(|kept| kept.path == path).unwrap();
        PolicyFetch::again(&fetch.domain, page.file, &page.raw, certificates)
    };
    let mut sessions =
        Sessions { services: sessions.services.clone(), fetches: sessions.fetches.iter().map(fetch).collect() };
    for service in &mut sessions.services {
        if let (Ok(tls), Some(again)) = (&mut service.tls, certificates(&service.endpoint.name())) {
            tls.certificates = Ok(again);
        }
    }
    let before = recorder.files(Files::len);
    let facts = world.facts(&live, &sessions).await;
    let asked: Vec<String> =
        recorder.files(|files| files.iter().skip(before).map(|(_, file)| file.path.clone()).collect());
    assert_eq!(asked, [""; 0], "these questions were asked, and nothing was kept of them");
    facts
}

fn same(before: &[(String, TargetFacts)], after: &[(String, TargetFacts)]) {
    assert_eq!(before.len(), after.len());
    for ((name, one), (_, other)) in before.iter().zip(after) {
        let text = |facts| serde_json::to_string_pretty(facts).unwrap();
        let (one, other) = (text(one), text(other));
        if let Some((at, (was, is))) = one.lines().zip(other.lines()).enumerate().find(|(_, (was, is))| was != is) {
            let near: Vec<&str> = one.lines().skip(at.saturating_sub(40)).take(44).collect();
            panic!("{name}: line {at}: was {was}, is {is}\n{}", near.join("\n"));
        }
        assert_eq!(one.len(), other.len(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_facts_follow_from_what_was_kept() {
    let (world, facts, files, artefacts) = looked_at_with_sessions().await;
    let kept = kept(&files, &artefacts);
    same(&facts, &again(&world.0, &world.1, files, &kept).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_answered_follows_from_what_was_kept_too() {
    let ((world, sessions), ..) = looked_at_with_sessions().await;
    let questions = world.names.asked();
    for failing in [Failing::Servfail, Failing::Refused, Failing::Silent] {
        for first in [0, 5, 40, 150] {
            world.names.fail(Fault::AllBut(failing, questions.iter().take(first).cloned().collect()));
            let recorder = Arc::new(Recorder::new(Files::default(), true));
            let live = world.live(Patience { attempts: 2, ..Patience::SHORT }, &recorder).await;
            let only_dns = Sessions { services: sessions.services.clone(), fetches: Vec::new() };
            let facts = world.facts(&live, &only_dns).await;
            let (files, artefacts) = recorder.close();
            let kept: Vec<_> = kept(&files, &artefacts);
            same(&facts, &again(&world, &only_dns, files, &kept).await);
        }
    }
}

/// A message that was put in the place of another is found out.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_under_another_name_is_not_taken() {
    let (world, _, files, artefacts) = looked_at().await;
    let kept = kept(&files, &artefacts);
    let live = Live::replay(world.options(Patience::LONG), Arc::new(Recorder::new(files, true))).unwrap();
    let message = |path: &str| kept.iter().find(|(_, kept)| kept.path == path).unwrap().1.clone();
    let (one, other) = (message("dns/good.org/TXT"), message("dns/bad.org/TXT"));
    assert_eq!(live.remember(&one), Ok(()));
    let swapped = KeptMessage { raw: other.raw, ..one.clone() };
    assert!(live.remember(&swapped).unwrap_err().contains("does not answer the question"));
    let retold = KeptMessage { text: other.text, ..one.clone() };
    assert!(live.remember(&retold).unwrap_err().contains("its text is not what the message says"));
    let nameless = KeptMessage { path: "dns/good.org".to_owned(), ..one };
    assert!(live.remember(&nameless).unwrap_err().contains("does not say what was asked"));
}
