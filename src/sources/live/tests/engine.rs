//! Questions are asked once, not too many at once, and not too fast.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::diag::{Files, Span};
use crate::facts::{Cause, Recorder};
use crate::mail::Name;
use crate::sources::RecordType;
use crate::sources::live::cache::Cache;
use crate::sources::live::testing::*;
use crate::sources::live::{Live, LiveError, Options, View, settle};
use crate::sources::record::{Outcome, RData, RecordSource as _};

fn good(query: &Query) -> Reply {
    Reply::new(query, 0).address(query.name.as_str(), 1)
}

fn names(count: usize) -> Vec<Name> {
    (0..count).map(|number| Name::parse(&format!("n{number}.example.org")).unwrap()).collect()
}

/// Looks names up that nobody has looked up before.
async fn look_up_all(live: &Live, names: &[Name]) {
    let view = live.view();
    names.iter().for_each(|name| _ = view.lookup(name, RecordType::A));
    live.fetch(view.take_missing()).await;
}

fn is_answered(live: &Live, name: &Name) -> bool {
    matches!(live.view().lookup(name, RecordType::A).outcome, Outcome::Records(_))
}

#[tokio::test]
async fn a_question_is_asked_once_however_many_ask() {
    let server = Server::delayed(Duration::from_millis(30), |query| vec![good(query).octets()]).await;
    let live = live(options(&[&server])).await;
    let all = names(1);
    futures_util::future::join_all((0..100).map(|_| look_up_all(&live, &all))).await;
    assert!(is_answered(&live, &all[0]));
    look_up_all(&live, &all).await;
    assert_eq!(server.queries().len(), 1);
}

#[tokio::test]
async fn who_waits_goes_on_when_who_asked_gives_up() {
    let server = Server::delayed(Duration::from_millis(100), |query| vec![good(query).octets()]).await;
    let live = Arc::new(live(options(&[&server])).await);
    let all = names(1);
    let asking = tokio::spawn({
        let (live, all) = (Arc::clone(&live), all.clone());
        async move { look_up_all(&live, &all).await }
    });
    while server.queries().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    asking.abort();
    look_up_all(&live, &all).await;
    assert!(is_answered(&live, &all[0]));
}

#[tokio::test]
async fn rounds_are_as_many_as_the_longest_chain_of_questions() {
    let server = Server::new(|query| match query.rtype {
        RecordType::MX => {
            let exchange = [&[0, 10][..], &name_octets("mx.example.org")].concat();
            Reply::new(query, 0).answer(query.name.as_str(), RecordType::MX, &exchange)
        }
        _ => good(query),
    })
    .await;
    let live = live(options(&[&server])).await;
    let domain = Name::parse("example.org").unwrap();
    let run = |view: &crate::sources::live::View<'_>| {
        let _ = (view.lookup(&domain, RecordType::TXT), view.lookup(&domain, RecordType::NS));
        let Outcome::Records(records) = view.lookup(&domain, RecordType::MX).outcome else { return None };
        let RData::Mx { exchange, .. } = &records[0].data else { panic!("{records:?}") };
        let _ = view.lookup(exchange, RecordType::AAAA);
        matches!(view.lookup(exchange, RecordType::A).outcome, Outcome::Records(_)).then_some(exchange.clone())
    };
    let settled = settle(&live, run).await;
    assert_eq!((settled.rounds, settled.value.unwrap().as_str()), (2, "mx.example.org"));
    assert_eq!(server.queries().len(), 5);
    assert_eq!(settle(&live, run).await.rounds, 0, "everything is known");
}

#[tokio::test]
async fn work_on_the_network_may_move_between_threads() {
    fn small(future: impl Future + Send) -> usize {
        size_of_val(&future)
    }
    let server = Server::new(good).await;
    let live = live(options(&[&server])).await;
    let names = names(1);
    // Thousands of questions are in flight: what one takes must stay small.
    let question = small(live.known(&names[0], RecordType::A, crate::sources::live::resolve::Route::Resolvers));
    assert!(question < 4096, "{question}");
    let all = small(settle(&live, |view| view.lookup(&names[0], RecordType::A).aliases.len()));
    assert!(all < 1024, "{all}");
}

#[tokio::test]
async fn a_chain_of_questions_without_end_ends() {
    let server = Server::new(good).await;
    let live = live(options(&[&server])).await;
    let settled = settle(&live, |view| {
        for name in names(200) {
            if let Outcome::Unknown { cause, .. } = view.lookup(&name, RecordType::A).outcome {
                return Some(cause);
            }
        }
        None
    })
    .await;
    assert_eq!((settled.rounds, settled.value), (24, Some(Cause::LimitReached)));
}

#[tokio::test]
async fn not_more_questions_are_in_flight_than_allowed() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counters = (Arc::clone(&now), Arc::clone(&most));
    // The script runs when a query comes; the reply leaves 20 ms later. Queries that come meanwhile are in flight, too.
    let server = Server::delayed(Duration::from_millis(20), move |query| {
        let (now, most) = (Arc::clone(&counters.0), Arc::clone(&counters.1));
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(15)).await;
            now.fetch_sub(1, Ordering::SeqCst);
        });
        vec![good(query).octets()]
    })
    .await;
    let live = live(Options { concurrency: 5, timeout: Duration::from_secs(5), ..options(&[&server]) }).await;
    let all = names(40);
    look_up_all(&live, &all).await;
    assert!(all.iter().all(|name| is_answered(&live, name)));
    assert_eq!(most.load(Ordering::SeqCst), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_questions_are_in_flight_at_once() {
    let server = Server::delayed(Duration::from_millis(20), |query| vec![good(query).octets()]).await;
    let options = Options { concurrency: 10_000, attempts: 4, timeout: Duration::from_secs(8), ..options(&[&server]) };
    let live = live(options).await;
    let all = names(3000);
    look_up_all(&live, &all).await;
    assert!(all.iter().all(|name| is_answered(&live, name)));
}

#[tokio::test]
async fn a_server_is_not_asked_faster_than_allowed() {
    let server = Server::new(good).await;
    let live = live(Options { rate: Some(50), timeout: Duration::from_secs(5), ..options(&[&server]) }).await;
    let (all, begun) = (names(11), Instant::now());
    look_up_all(&live, &all).await;
    // Ten pauses of 20 ms.
    assert!(begun.elapsed() >= Duration::from_millis(195), "{:?}", begun.elapsed());
    assert_eq!(server.queries().len(), 11);
}

#[tokio::test]
async fn source_ports_and_ids_differ() {
    let server = Server::new(good).await;
    let live = live(options(&[&server])).await;
    for together in names(64).chunks(4) {
        look_up_all(&live, together).await;
    }
    let queries = server.queries();
    let ids: BTreeSet<&[u8]> = queries.iter().map(|query| &query.octets[..2]).collect();
    let ports: BTreeSet<u16> = queries.iter().filter_map(|query| query.port).collect();
    assert!(ids.len() > 48 && ports.len() > 1, "{} ids, {} ports", ids.len(), ports.len());
}

#[tokio::test]
async fn messages_are_kept_for_validation_only() {
    let server = Server::new(|query| match query.checking_disabled {
        false if query.name.as_str() == "broken.example.org" => Reply::new(query, 2),
        _ => good(query),
    })
    .await;
    let (sound, broken) = (Name::parse("a.example.org").unwrap(), Name::parse("broken.example.org").unwrap());
    let keeping = live(Options { validate: true, ..options(&[&server]) }).await;
    let message = keeping.message(&sound, RecordType::A, false).await.unwrap();
    assert_eq!(message.heard.octets[2..], good(server.queries().last().unwrap()).octets()[2..]);
    assert!(excerpt(&keeping, message.span).starts_with(";; NOERROR, 1 answer, from "));
    assert_eq!(keeping.message(&broken, RecordType::A, false).await.unwrap_err().cause, Cause::DnssecBogus);
    assert!(keeping.message(&broken, RecordType::A, true).await.is_ok());
    // Data that the resolver hands over anyway are not asked for a second time.
    let before = server.queries().len();
    assert!(keeping.message(&sound, RecordType::A, true).await.is_ok());
    assert_eq!(server.queries().len(), before);
    let plain = live(options(&[&server])).await;
    assert_eq!(plain.message(&sound, RecordType::A, false).await.unwrap_err().cause, Cause::NotCollected);
}

#[tokio::test]
async fn every_message_is_evidence() {
    let server = Server::new(good).await;
    let live = live(options(&[&server])).await;
    look_up_all(&live, &names(3)).await;
    let Live { recorder, .. } = live;
    let (files, artefacts) = Arc::into_inner(recorder).unwrap().finish();
    assert_eq!((files.len(), artefacts.len()), (3, 3));
    for (file, artefact) in artefacts {
        assert_eq!(files.get(file).evidence.as_deref(), Some(artefact.id().as_str()));
        assert!(artefact.title.ends_with(&format!("asked of {} over UDP", server.address)), "{}", artefact.title);
        assert_eq!(artefact.raw[6..8], [0, 1], "one answer");
    }
}

#[tokio::test]
async fn texts_stay_while_answers_or_findings_point_at_them() {
    let server = Server::new(good).await;
    for keep_raw in [false, true] {
        let recorder = Arc::new(crate::facts::Recorder::new(crate::diag::Files::default(), keep_raw));
        let live = Live::new(options(&[&server]), Arc::clone(&recorder)).await.unwrap();
        let all = names(2);
        let look = |name: &Name, view: &View<'_>| match view.lookup(name, RecordType::A).outcome {
            Outcome::Records(records) => Some(records[0].span),
            _ => None,
        };
        let settled = settle(&live, |view| [look(&all[0], view), look(&all[1], view)]).await;
        let [quoted, other] = settled.value.map(Option::unwrap);
        let has_text = |span: Span| recorder.files(|files| !files.get(span.file).bytes.is_empty());
        drop(live);
        settled.used.quote(&recorder, [quoted.file]);
        drop(settled.used);
        assert!(has_text(quoted));
        assert_eq!(has_text(other), keep_raw, "a snapshot has every text");
        assert!(recorder.files(|files| files.iter().all(|(_, file)| file.evidence.is_some())));
    }
}

#[test]
fn a_text_that_was_begun_is_not_written_before_it_is_there() {
    let recorder = crate::facts::Recorder::new(crate::diag::Files::default(), true);
    let begun = recorder.begin();
    // A snapshot is written while messages arrive, and takes what has evidence behind it.
    assert!(recorder.files(|files| files.get(begun).evidence.is_none()));
    let (files, artefacts) = recorder.finish();
    assert_eq!(artefacts.len(), 1, "what was begun and never came is told");
    assert!(files.get(begun).evidence.is_some());
}

#[tokio::test]
async fn trust_anchors_that_cannot_be_read_are_an_error() {
    let server = Server::new(good).await;
    let recorder = Arc::new(crate::facts::Recorder::new(crate::diag::Files::default(), false));
    let options = Options { trust_anchors: Some("nonsense".to_owned()), ..options(&[&server]) };
    assert!(matches!(Live::new(options, recorder).await, Err(LiveError::TrustAnchors(_))));
}

#[test]
fn the_memory_forgets_what_was_not_used_for_two_generations() {
    let cache: Cache<u32, u32> = Cache::new(10);
    let fill = |number: u32| cache.cell(&number, || number).claim().unwrap().fill(number);
    (0..10).for_each(fill);
    assert!(cache.known(&3).is_some());
    // Ten more; the number 3 is used in between and stays.
    (10..20).for_each(fill);
    assert_eq!(cache.known(&3).and_then(|cell| cell.get().copied()), Some(3));
    (20..29).for_each(fill);
    assert!(cache.known(&3).is_some() && cache.known(&4).is_none());
}

#[tokio::test]
async fn a_question_that_a_run_did_not_keep_is_unknown_for_that_reason_and_at_once() {
    let recorder = Arc::new(Recorder::new(Files::default(), true));
    let live = Live::replay(Options::default(), recorder).unwrap();
    let name = Name::parse("gone.example.org").unwrap();
    let settled = settle(&live, |view| view.lookup(&name, RecordType::MX)).await;
    let Outcome::Unknown { cause, note, .. } = settled.value.outcome else { panic!("{:?}", settled.value) };
    assert_eq!((cause, &*note), (Cause::NotCollected, "the evidence of the run holds no answer to this question"));
    assert_eq!(settled.rounds, 1);
}
