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

use world::{Patience, World};

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

async fn looked_at() -> (World, Vec<(String, TargetFacts)>, Files, Vec<(mailvet::diag::FileId, Artefact)>) {
    let world = World::start().await;
    let mut files = Files::default();
    files.add("mailvet.yaml", world::INVENTORY);
    let recorder = Arc::new(Recorder::new(files, true));
    let sessions = world.sessions(Patience::LONG, &recorder).await;
    let live = world.live(Patience::LONG, &recorder).await;
    let facts = world.facts(&live, &sessions).await;
    let (files, artefacts) = recorder.close();
    (world, facts, files, artefacts)
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
