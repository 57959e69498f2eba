//! What replies mean: one server says one thing.

use crate::facts::{Cause, Proof};
use crate::mail::Name;
use crate::sources::live::testing::*;
use crate::sources::record::{Answer, Ask, Outcome, RData, RecordSource as _};
use crate::sources::{RecordType, live::Live};

/// Addresses in the answer.
fn addresses(answer: &Answer) -> Vec<u8> {
    let Outcome::Records(records) = &answer.outcome else { panic!("{answer:?}") };
    let last = |data: &RData| if let RData::A(address, _) = data { address.octets()[3] } else { panic!("{data:?}") };
    records.iter().map(|record| last(&record.data)).collect()
}

fn cause(answer: &Answer) -> (Cause, &str) {
    let Outcome::Unknown { cause, note, span } = &answer.outcome else { panic!("{answer:?}") };
    assert!(span.is_some(), "what was tried has a text");
    (*cause, note)
}

fn aliases(answer: &Answer) -> Vec<String> {
    answer.aliases.iter().map(|alias| format!("{} {}", alias.owner, alias.target)).collect()
}

async fn asked(reply: impl Fn(&Query) -> Reply + Send + Sync + 'static) -> (Live, Server, Answer) {
    let server = Server::new(reply).await;
    let live = live(options(&[&server])).await;
    let answer = look_up(&live, "a.example.org", RecordType::A).await;
    (live, server, answer)
}

#[tokio::test]
async fn case_135_outcomes_are_kept_apart() {
    let (live_, _server, answer) = asked(|query| Reply::new(query, 3).soa("example.org")).await;
    let Outcome::Absent { proof: Proof::Nxdomain, span: Some(span) } = answer.outcome else { panic!("{answer:?}") };
    assert!(excerpt(&live_, span).starts_with("example.org. 300 IN SOA ns.example.org. "));

    let (live_, _server, answer) = asked(|query| Reply::new(query, 0).soa("example.org")).await;
    let Outcome::Absent { proof: Proof::Nodata, span: Some(span) } = answer.outcome else { panic!("{answer:?}") };
    assert!(excerpt(&live_, span).starts_with("example.org. 300 IN SOA "));

    // RFC 2308 section 2.2: NODATA without authority section.
    let (live_, _server, answer) = asked(|query| Reply::new(query, 0)).await;
    let Outcome::Absent { proof: Proof::Nodata, span: Some(span) } = answer.outcome else { panic!("{answer:?}") };
    assert!(excerpt(&live_, span).starts_with(";; NOERROR, 0 answers, from 127.0.0.1:"));

    for (rcode, expected) in [
        (1, Cause::Protocol),
        (2, Cause::DnsServfail),
        (4, Cause::Protocol),
        (5, Cause::DnsRefused),
        (9, Cause::Protocol),
    ] {
        let (_live, _server, answer) = asked(move |query| Reply::new(query, rcode)).await;
        assert_eq!(cause(&answer).0, expected, "response code {rcode}");
    }

    let silent = Server::many(|_| Vec::new()).await;
    let live_ = live(options(&[&silent])).await;
    let answer = look_up(&live_, "a.example.org", RecordType::A).await;
    assert_eq!(cause(&answer).0, Cause::DnsTimeout);
}

#[tokio::test]
async fn case_135_text_of_extended_errors_is_kept() {
    let (live_, _server, answer) =
        asked(|query| Reply::new(query, 2).extended(22, "no \u{1b}[31mserver\nof example.org")).await;
    let (cause, note) = cause(&answer);
    assert_eq!(cause, Cause::DnsServfail);
    assert!(
        note.ends_with(
            "answered SERVFAIL; extended error 22 (No Reachable Authority): no \\x1b[31mserver\\nof example.org"
        ),
        "{note}"
    );
    let Outcome::Unknown { span: Some(span), .. } = answer.outcome else { panic!() };
    let (path, text) = page(&live_, span);
    assert_eq!(path, "dns/a.example.org/A");
    assert!(text.contains("\n;; extended error 22 (No Reachable Authority): no \\x1b[31mserver\\nof example.org\n"));
}

#[tokio::test]
async fn an_answer_that_the_resolver_made_up_is_none() {
    for code in [4, 15, 16, 17] {
        let (_live, _server, answer) = asked(move |query| Reply::new(query, 3).extended(code, "")).await;
        assert_eq!(cause(&answer).0, Cause::DnsRefused, "extended error {code}");
    }
    let (_live, _server, answer) = asked(|query| Reply::new(query, 3).extended(3, "")).await;
    assert!(matches!(answer.outcome, Outcome::Absent { proof: Proof::Nxdomain, .. }), "a stale answer is one");
}

#[tokio::test]
async fn case_136_a_name_without_data_is_not_a_name_that_does_not_exist() {
    // A server that is wrong about an empty non-terminal is repeated, not corrected: NXDOMAIN above, data below.
    let server = Server::new(|query| match query.name.as_str() {
        "ent.example.org" => Reply::new(query, 3).soa("example.org"),
        _ => Reply::new(query, 0).address("a.ent.example.org", 1),
    })
    .await;
    let live = live(options(&[&server])).await;
    let above = look_up(&live, "ent.example.org", RecordType::A).await;
    assert!(matches!(above.outcome, Outcome::Absent { proof: Proof::Nxdomain, .. }));
    assert_eq!(addresses(&look_up(&live, "a.ent.example.org", RecordType::A).await), [1]);
}

#[tokio::test]
async fn case_137_a_resolver_that_rewrites_nxdomain_is_found_out() {
    let honest = Server::new(|query| Reply::new(query, 3)).await;
    let rewriting = Server::new(|query| Reply::new(query, 0).address(query.name.as_str(), 80)).await;
    assert_eq!(live(options(&[&honest])).await.canary().await, None);
    let sentence = live(options(&[&honest, &rewriting])).await.canary().await.unwrap();
    assert!(sentence.starts_with(&format!("the resolver {} answers names that do not exist", rewriting.address)));
    assert!(sentence.contains(".invalid it gave 192.0.2.80"), "{sentence}");
    assert!(honest.queries().iter().all(|query| query.name.as_str().ends_with(".invalid")));
}

#[tokio::test]
async fn names_of_special_use_are_asked_like_others() {
    for name in ["x.invalid", "localhost", "x.onion", "1.0.0.127.in-addr.arpa"] {
        let server = Server::new(|query| Reply::new(query, 5)).await;
        let live = live(options(&[&server])).await;
        assert_eq!(cause(&look_up(&live, name, RecordType::A).await).0, Cause::DnsRefused);
        assert_eq!(server.queries().len(), 1);
    }
}

#[tokio::test]
async fn case_109_data_that_come_only_unchecked_are_bogus() {
    let (live_, server, answer) = asked(|query| match query.checking_disabled {
        true => Reply::new(query, 0).address("a.example.org", 1),
        false => Reply::new(query, 2).extended(7, "expired"),
    })
    .await;
    let (cause_, note) = cause(&answer);
    assert_eq!(cause_, Cause::DnssecBogus);
    assert!(note.contains("extended error 7 (Signature Expired): expired; it hands the data over"), "{note}");
    assert_eq!(server.queries().iter().map(|query| query.checking_disabled).collect::<Vec<_>>(), [false, true]);
    let paths: Vec<String> = live_.recorder().files(|files| files.iter().map(|(_, file)| file.path.clone()).collect());
    assert_eq!(paths, ["dns/a.example.org/A+cd", "dns/a.example.org/A"]);

    // Absence may be bogus, too.
    let (_live, _server, answer) = asked(|query| match query.checking_disabled {
        true => Reply::new(query, 3).soa("example.org"),
        false => Reply::new(query, 2).extended(6, ""),
    })
    .await;
    assert_eq!(cause(&answer).0, Cause::DnssecBogus);

    // Nothing either way: the server is broken, which says nothing about DNSSEC.
    let (_live, _server, answer) = asked(|query| Reply::new(query, 2)).await;
    assert_eq!(cause(&answer).0, Cause::DnsServfail);
}

#[tokio::test]
async fn case_109_a_failure_that_passes_is_not_bogus() {
    let server = Server::list(vec![
        Box::new(|query| vec![Reply::new(query, 2).octets()]),
        Box::new(|query| vec![Reply::new(query, 0).address("a.example.org", 1).octets()]),
        Box::new(|query| vec![Reply::new(query, 0).address("a.example.org", 2).octets()]),
    ])
    .await;
    let live = live(options(&[&server])).await;
    assert_eq!(addresses(&look_up(&live, "a.example.org", RecordType::A).await), [2]);
    let disabled: Vec<bool> = server.queries().iter().map(|query| query.checking_disabled).collect();
    assert_eq!(disabled, [false, true, false]);
}

#[tokio::test]
async fn case_108_the_word_of_the_resolver_is_not_validation() {
    // AD is set; the state is still for our own validation to find out.
    let server = Server::new(|query| {
        let mut reply = Reply::new(query, 0).address("a.example.org", 1).octets();
        reply[3] |= 0x20;
        Reply::raw(reply)
    })
    .await;
    let live = live(options(&[&server])).await;
    let name = Name::parse("a.example.org").unwrap();
    assert_eq!(addresses(&look_up(&live, "a.example.org", RecordType::A).await), [1]);
    let validation = live.view().validate(&name, RecordType::A);
    assert_eq!(validation.state, crate::facts::Observed::Unknown(Cause::NotCollected));
}

#[tokio::test]
async fn aliases_within_a_message_are_followed() {
    let (live_, server, answer) = asked(|query| {
        // Out of order, with a record of somebody else between.
        Reply::new(query, 0)
            .address("c.example.net", 7)
            .alias("b.example.org", "c.example.net")
            .address("b.example.org", 9)
            .alias("a.example.org", "b.example.org")
    })
    .await;
    assert_eq!(aliases(&answer), ["a.example.org b.example.org", "b.example.org c.example.net"]);
    assert_eq!(excerpt(&live_, answer.aliases[0].span), "a.example.org. 300 IN CNAME b.example.org.");
    assert_eq!(addresses(&answer), [7]);
    assert_eq!(server.queries().len(), 1);
}

#[tokio::test]
async fn case_60_aliases_out_of_a_message_are_asked_on() {
    let (_live, server, answer) = asked(|query| match query.name.as_str() {
        "a.example.org" => Reply::new(query, 0).alias("a.example.org", "b.example.net"),
        "b.example.net" => Reply::new(query, 0).alias("b.example.net", "c.example.com"),
        _ => Reply::new(query, 2),
    })
    .await;
    assert_eq!(aliases(&answer), ["a.example.org b.example.net", "b.example.net c.example.com"]);
    assert_eq!(cause(&answer).0, Cause::DnsServfail);
    let names: Vec<String> = server.queries().iter().map(|query| query.name.to_string()).collect();
    assert_eq!(names, ["a.example.org", "b.example.net", "c.example.com", "c.example.com"], "the last with CD");
}

#[tokio::test]
async fn circles_and_endless_chains_of_aliases_end() {
    let circle = asked(|query| {
        Reply::new(query, 0).alias("a.example.org", "b.example.org").alias("b.example.org", "a.example.org")
    })
    .await;
    assert_eq!(cause(&circle.2), (Cause::Protocol, "the aliases lead in a circle"));
    let over_messages = asked(|query| match query.name.as_str() {
        "a.example.org" => Reply::new(query, 0).alias("a.example.org", "b.example.org"),
        _ => Reply::new(query, 0).alias("b.example.org", "a.example.org"),
    })
    .await;
    assert_eq!(cause(&over_messages.2), (Cause::Protocol, "the aliases lead in a circle"));
    assert_eq!(over_messages.1.queries().len(), 2);
    let endless = asked(|query| {
        let name = query.name.as_str();
        Reply::new(query, 0).alias(name, &format!("{}{name}", if name.len() > 60 { "x." } else { "b" }))
    })
    .await;
    assert_eq!(cause(&endless.2), (Cause::Protocol, "16 aliases follow each other, which is too many"));
    assert_eq!(endless.1.queries().len(), 16);
    let in_one_message = asked(|query| {
        (0..20).fold(Reply::new(query, 0).alias("a.example.org", "0.example.org"), |reply, step| {
            reply.alias(&format!("{step}.example.org"), &format!("{}.example.org", step + 1))
        })
    })
    .await;
    assert_eq!(cause(&in_one_message.2), (Cause::Protocol, "16 aliases follow each other, which is too many"));
}

#[tokio::test]
async fn an_alias_that_cannot_be_read_is_not_absence() {
    let (live_, _server, answer) =
        asked(|query| Reply::new(query, 0).answer("a.example.org", RecordType::CNAME, &[5, b'x']).soa("example.org"))
            .await;
    assert_eq!(cause(&answer), (Cause::Protocol, "the alias cannot be read"));
    let Outcome::Unknown { span: Some(span), .. } = answer.outcome else { panic!() };
    assert_eq!(excerpt(&live_, span), "a.example.org. 300 IN CNAME \\# 2 0578");
}

#[tokio::test]
async fn broken_records_are_present_and_malformed() {
    let (live_, _server, answer) =
        asked(|query| Reply::new(query, 0).answer("a.example.org", RecordType::A, &[192, 0, 2])).await;
    let Outcome::Records(records) = &answer.outcome else { panic!("{answer:?}") };
    let RData::Malformed { span, .. } = &records[0].data else { panic!("{records:?}") };
    assert_eq!(excerpt(&live_, *span), "\\# 3 C00002");
}

#[tokio::test]
async fn an_alias_without_data_at_its_end_is_nodata_there() {
    let (_live, server, answer) =
        asked(|query| Reply::new(query, 0).alias("a.example.org", "b.example.org").soa("example.org")).await;
    assert!(matches!(answer.outcome, Outcome::Absent { proof: Proof::Nodata, .. }), "{answer:?}");
    assert_eq!((aliases(&answer).len(), server.queries().len()), (1, 1));
    // RFC 6604 section 3: NXDOMAIN is about the end of the chain.
    let (_live, _server, answer) =
        asked(|query| Reply::new(query, 3).alias("a.example.org", "b.example.org").soa("example.org")).await;
    assert!(matches!(answer.outcome, Outcome::Absent { proof: Proof::Nxdomain, .. }), "{answer:?}");
    assert_eq!(aliases(&answer).len(), 1);
}

#[tokio::test]
async fn an_alias_made_from_dname_is_an_alias() {
    let (_live, _server, answer) = asked(|query| {
        Reply::new(query, 0)
            .answer("example.org", RecordType::DNAME, &name_octets("example.net"))
            .alias("a.example.org", "a.example.net")
            .address("a.example.net", 5)
    })
    .await;
    assert_eq!((aliases(&answer), addresses(&answer)), (vec!["a.example.org a.example.net".to_owned()], vec![5]));
}

#[tokio::test]
async fn a_referral_is_not_absence() {
    let referral = |query: &Query| {
        let reply = Reply::new(query, 0).authority("org", RecordType::NS, &name_octets("ns.example.org"));
        reply.flags(0, 0x80)
    };
    let (_live, _server, answer) = asked(referral).await;
    let (cause, note) = cause(&answer);
    assert_eq!(cause, Cause::Protocol);
    assert!(note.ends_with("refers to other servers instead of answering: it is no resolver"), "{note}");
}

#[tokio::test]
async fn signatures_tell_that_a_wildcard_answered() {
    let signature = |labels: u8| {
        let fixed = [0, 1, 13, labels, 0, 0, 1, 44, 0x7f, 0, 0, 0, 0x60, 0, 0, 0, 0, 1];
        [&fixed[..], &name_octets("example.org"), &[1; 64]].concat()
    };
    for (labels, expected) in [(2, true), (3, false)] {
        let (_live, _server, answer) = asked(move |query| {
            let reply = Reply::new(query, 0).address("a.example.org", 1);
            reply.answer("a.example.org", RecordType::RRSIG, &signature(labels))
        })
        .await;
        assert_eq!((answer.wildcard, addresses(&answer)), (expected, vec![1]));
    }
}

#[tokio::test]
async fn the_zone_of_a_name_is_the_owner_of_the_soa() {
    let server = Server::new(|query| match query.name.as_str() {
        "example.org" => Reply::new(query, 0).answer("example.org", RecordType::SOA, &soa_octets()),
        "a.example.org" => Reply::new(query, 0).soa("example.org"),
        "alias.example.org" => Reply::new(query, 0).alias("alias.example.org", "example.net").soa("example.net"),
        "liar.example.org" => Reply::new(query, 0).soa("example.net"),
        _ => Reply::new(query, 2),
    })
    .await;
    let live = live(options(&[&server])).await;
    for (name, expected) in [
        ("example.org", Some("example.org")),
        ("a.example.org", Some("example.org")),
        ("alias.example.org", Some("example.org")),
        ("liar.example.org", None),
        ("broken.example.org", None),
    ] {
        let name = Name::parse(name).unwrap();
        let settled = crate::sources::live::settle(&live, |view| view.zone_of(&name)).await;
        let zone = settled.value;
        assert_eq!(zone.as_ref().map(|(zone, _)| zone.as_str()), expected, "{name}");
        if let Some((_, span)) = zone {
            assert!(excerpt(&live, span).starts_with("example.org. 300 IN SOA"));
        }
    }
}

#[tokio::test]
async fn a_single_server_is_asked_for_what_it_knows_itself() {
    let server = Server::new(|query| {
        let reply = Reply::new(query, if query.recursion { 5 } else { 0 }).flags(0x04, 0x80);
        let reply = reply.address("a.example.org", 1);
        reply.authority("example.org", RecordType::NS, &name_octets("ns.example.org"))
    })
    .await;
    let live =
        live(crate::sources::live::Options { authority_port: server.address.port(), ..options(&[&server]) }).await;
    let reply = ask(&live, "a.example.org", RecordType::A, Ask::Iterative).await.unwrap();
    assert!(reply.authoritative && !reply.recursion_available);
    assert_eq!((reply.rcode, reply.answers.len(), reply.authority.len(), reply.additional.len()), (0, 1, 1, 0));
    let (path, text) = page(&live, reply.span);
    assert_eq!(path, "dns/a.example.org/A@127.0.0.1");
    assert!(text.contains("\n;; flags: aa\n"), "{text}");
    let reply = ask(&live, "a.example.org", RecordType::A, Ask::Recursive).await.unwrap();
    assert_eq!((reply.rcode, page(&live, reply.span).0.as_str()), (5, "dns/a.example.org/A@127.0.0.1+recursive"));
    assert_eq!(server.queries().iter().map(|query| query.recursion).collect::<Vec<_>>(), [false, true]);
}

#[tokio::test]
async fn name_servers_are_left_alone_when_told_so() {
    let server = Server::new(|query| Reply::new(query, 0)).await;
    let options = crate::sources::live::Options { authorities: false, ..options(&[&server]) };
    let live = live(options).await;
    let view = live.view();
    let name = Name::parse("example.org").unwrap();
    let refused = view.ask(server.address.ip(), &name, RecordType::NS, Ask::Iterative).unwrap_err();
    assert_eq!(refused.cause, Cause::NotCollected);
    assert!(view.take_missing().is_empty());
}

#[tokio::test]
async fn a_second_resolver_is_asked_the_same() {
    let first = Server::new(|query| Reply::new(query, 0).address("a.example.org", 1)).await;
    let second = Server::new(|query| match query.name.as_str() {
        "a.example.org" => Reply::new(query, 0).alias("a.example.org", "b.example.org"),
        _ => Reply::new(query, 0).address("b.example.org", 2),
    })
    .await;
    let options = crate::sources::live::Options { compare: Some(second.address), ..options(&[&first]) };
    let live = live(options).await;
    let name = Name::parse("a.example.org").unwrap();
    let settled = crate::sources::live::settle(&live, |view| {
        (view.lookup(&name, RecordType::A), view.second_opinion(&name, RecordType::A))
    })
    .await;
    let (one, Some(other)) = settled.value else { panic!("there is a second resolver") };
    assert_eq!((addresses(&one), addresses(&other), settled.rounds), (vec![1], vec![2], 1));
}
