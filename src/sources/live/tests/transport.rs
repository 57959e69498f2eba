//! How replies come, or do not come.

use std::time::Duration;

use crate::facts::Cause;
use crate::sources::RecordType;
use crate::sources::live::Options;
use crate::sources::live::testing::*;
use crate::sources::record::{Answer, Ask, Outcome};

fn cause(answer: &Answer) -> (Cause, &str) {
    let Outcome::Unknown { cause, note, span } = &answer.outcome else { panic!("{answer:?}") };
    assert!(span.is_some(), "what was tried has a text");
    (*cause, note)
}

fn count(answer: &Answer) -> usize {
    let Outcome::Records(records) = &answer.outcome else { panic!("{answer:?}") };
    records.len()
}

fn good(query: &Query) -> Vec<Vec<u8>> {
    vec![Reply::new(query, 0).address(query.name.as_str(), 1).octets()]
}

#[tokio::test]
async fn case_138_truncated_replies_are_asked_for_over_tcp() {
    let server = Server::new(|query| match query.tcp {
        true => (0..100).fold(Reply::new(query, 0), |reply, last| reply.address("a.example.org", last)),
        // What came with TC must not be used.
        false => Reply::new(query, 0).address("a.example.org", 200).flags(0x02, 0),
    })
    .await;
    let live = live(options(&[&server])).await;
    let answer = look_up(&live, "a.example.org", RecordType::A).await;
    assert_eq!((count(&answer), server.transports()), (100, vec!["udp", "tcp"]));
    let Outcome::Records(records) = &answer.outcome else { panic!() };
    assert!(
        page(&live, records[0].span)
            .1
            .starts_with(&format!(";; NOERROR, 100 answers, from {} over TCP\n", server.address))
    );
}

#[tokio::test]
async fn case_138_without_tcp_a_truncated_reply_is_unknown() {
    let server = Server::new(|query| Reply::new(query, 0).address("a.example.org", 1).flags(0x02, 0)).await;
    server.close_tcp().await;
    let live = live(options(&[&server])).await;
    let answer = look_up(&live, "a.example.org", RecordType::A).await;
    assert_eq!(cause(&answer).0, Cause::TcpRefused);
}

#[tokio::test]
async fn case_138_a_connection_closed_early_is_unknown() {
    let server = Server::many(|query| match query.tcp {
        true => Vec::new(),
        false => vec![Reply::new(query, 0).flags(0x02, 0).octets()],
    })
    .await;
    let live = live(options(&[&server])).await;
    let answer = look_up(&live, "a.example.org", RecordType::A).await;
    assert_eq!(cause(&answer).0, Cause::Protocol);
}

#[tokio::test]
async fn case_138_a_connection_that_stays_silent_ends_in_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = Options { authority_port: address.port(), ..options(&[&Server::many(good).await]) };
    let live = live(options).await;
    // Accepted by the system, served by nobody.
    let refused = ask(&live, "a.example.org", RecordType::A, Ask::Transfer).await.unwrap_err();
    assert_eq!(refused.cause, Cause::DnsTimeout);
    assert_eq!(*refused.note, format!("{address} did not answer over TCP within 400 ms"));
    let text = page(&live, refused.span.unwrap()).1;
    assert_eq!(text, format!(";; no answer to the transfer of a.example.org\n;; {}\n", refused.note));
}

#[tokio::test]
async fn lost_packets_are_sent_again() {
    let server = Server::list(vec![Box::new(|_| Vec::new()), Box::new(|_| Vec::new()), Box::new(good)]).await;
    let live = live(Options { attempts: 3, ..options(&[&server]) }).await;
    assert_eq!(count(&look_up(&live, "a.example.org", RecordType::A).await), 1);
    let ids: std::collections::BTreeSet<Vec<u8>> =
        server.queries().iter().map(|query| query.octets[..2].to_vec()).collect();
    assert!(ids.len() > 1, "every attempt has an id of its own: {ids:?}");
}

#[tokio::test]
async fn silence_names_the_attempts() {
    let servers = [Server::many(|_| Vec::new()).await, Server::many(|_| Vec::new()).await];
    let options = Options { attempts: 2, ..options(&[&servers[0], &servers[1]]) };
    let live = live(options).await;
    let answer = look_up(&live, "a.example.org", RecordType::A).await;
    let (cause, note) = cause(&answer);
    assert_eq!(cause, Cause::DnsTimeout);
    assert_eq!(note, format!("{} did not answer over UDP within 400 ms, 4 attempts", servers[1].address));
    let Outcome::Unknown { span: Some(span), .. } = answer.outcome else { panic!() };
    let [first, second] = servers.each_ref().map(|server| server.address);
    let line = |server, wait| format!(";; {server} did not answer over UDP within {wait} ms\n");
    let expected = [
        ";; no answer to A a.example.org\n".to_owned(),
        line(first, 200),
        line(second, 200),
        line(first, 400),
        line(second, 400),
    ];
    assert_eq!(page(&live, span).1, expected.concat());
}

#[tokio::test]
async fn the_next_resolver_answers_for_one_that_does_not() {
    let refusing = Server::new(|query| Reply::new(query, 5)).await;
    let silent = Server::many(|_| Vec::new()).await;
    let sound = Server::many(good).await;
    let live = live(options(&[&refusing, &silent, &sound])).await;
    assert_eq!(count(&look_up(&live, "a.example.org", RecordType::A).await), 1);
    assert_eq!([&refusing, &silent, &sound].map(|server| server.queries().len()), [1, 1, 1]);
}

#[tokio::test]
async fn a_refusal_counts_more_than_silence() {
    let refusing = Server::new(|query| Reply::new(query, 5)).await;
    let silent = Server::many(|_| Vec::new()).await;
    let live = live(options(&[&refusing, &silent])).await;
    let answer = look_up(&live, "a.example.org", RecordType::A).await;
    assert_eq!(cause(&answer).0, Cause::DnsRefused);
    let Outcome::Unknown { span: Some(span), .. } = answer.outcome else { panic!() };
    let text = page(&live, span).1;
    assert!(text.contains(&format!("\n;; also: {} did not answer over UDP within 400 ms\n", silent.address)), "{text}");
}

#[tokio::test]
async fn packets_that_are_no_reply_are_ignored() {
    let server = Server::many(|query| {
        let reply = Reply::new(query, 0).address("a.example.org", 1).octets();
        let wrong_id = [&[query.octets[0] ^ 1, query.octets[1]], &reply[2..]].concat();
        let mut wrong_name = reply.clone();
        wrong_name[13] = b'b';
        let mut query_itself = reply.clone();
        query_itself[2] &= 0x7f;
        vec![
            Vec::new(),
            vec![0; 3],
            wrong_id,
            wrong_name,
            query_itself,
            vec![0xff; 600],
            Reply::new(query, 0).address("a.example.org", 9).octets(),
        ]
    })
    .await;
    let live = live(options(&[&server])).await;
    let answer = look_up(&live, "a.example.org", RecordType::A).await;
    let Outcome::Records(records) = &answer.outcome else { panic!("{answer:?}") };
    assert!(excerpt(&live, records[0].span).ends_with("192.0.2.9"));

    let liar = Server::many(|query| {
        let mut reply = good(query).remove(0);
        reply[13] = b'b';
        vec![reply.clone(), reply]
    })
    .await;
    let live = self::live(options(&[&liar])).await;
    let answer = look_up(&live, "a.example.org", RecordType::A).await;
    let (cause, note) = cause(&answer);
    assert_eq!(cause, Cause::DnsTimeout);
    assert!(note.ends_with("packets received that were no reply to the question: 2"), "{note}");
}

#[tokio::test]
async fn the_case_of_the_echoed_question_does_not_matter() {
    let server = Server::many(|query| {
        let mut reply = good(query).remove(0);
        reply[12..27].make_ascii_uppercase();
        vec![reply]
    })
    .await;
    let live = live(options(&[&server])).await;
    assert_eq!(count(&look_up(&live, "a.example.org", RecordType::A).await), 1);
}

#[tokio::test]
async fn garbage_behind_the_question_is_a_protocol_error() {
    for garbage in [&b"\xc0"[..], b"\x3fabc", b"\xc0\x0c\x00\x01", b"\x80\x00", b"\xff\xff\xff\xff\xff\xff"] {
        let server = Server::many(move |query| {
            let mut reply = Reply::new(query, 0).octets();
            reply[7] = 1;
            reply.extend_from_slice(garbage);
            vec![reply]
        })
        .await;
        let live = live(options(&[&server])).await;
        let answer = look_up(&live, "a.example.org", RecordType::A).await;
        assert_eq!(cause(&answer).0, Cause::Protocol, "{garbage:?}");
    }
}

#[tokio::test]
async fn compression_that_leads_in_a_circle_is_a_protocol_error() {
    // The owner starts behind the header and the question: 12 + 15 + 4 octets.
    let at = 31u8;
    for owner in [[0xc0, at], [0xc0, at + 1], [0xff, 0xff]] {
        let server = Server::many(move |query| {
            let mut reply = Reply::new(query, 0).octets();
            assert_eq!(reply.len(), usize::from(at));
            reply[7] = 1;
            reply.extend_from_slice(&owner);
            reply.extend_from_slice(&[0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
            vec![reply]
        })
        .await;
        let live = live(options(&[&server])).await;
        let answer = look_up(&live, "a.example.org", RecordType::A).await;
        assert_eq!(cause(&answer).0, Cause::Protocol);
    }
    // The same in the data of a record.
    let server = Server::many(|query| {
        let reply = Reply::new(query, 0).octets();
        let at = u8::try_from(reply.len()).unwrap() + 15 + 10;
        let circle = [1, b'x', 0xc0, at];
        vec![Reply::new(query, 0).answer("a.example.org", RecordType::CNAME, &circle).octets()]
    })
    .await;
    let live = live(options(&[&server])).await;
    assert_eq!(cause(&look_up(&live, "a.example.org", RecordType::A).await).0, Cause::Protocol);
}

#[tokio::test]
async fn huge_answers_are_read_and_endless_ones_are_not() {
    let text = |size: usize| [&[255u8][..], &[b'x'; 255]].concat().repeat(size);
    let server = Server::new(move |query| match query.tcp {
        false => Reply::new(query, 0).flags(0x02, 0),
        true => Reply::new(query, 0).answer("a.example.org", RecordType::TXT, &text(250)),
    })
    .await;
    let live = live(options(&[&server])).await;
    assert_eq!(count(&look_up(&live, "a.example.org", RecordType::TXT).await), 1);

    // Many records whose owner and target are pointers to one long name.
    let server = Server::many(|query| {
        let mut reply = Reply::new(query, 0).flags(if query.tcp { 0 } else { 0x02 }, 0).octets();
        if query.tcp {
            let records = 4000u16;
            reply[6..8].copy_from_slice(&records.to_be_bytes());
            for number in 0..records {
                reply.extend_from_slice(&[0xc0, 0x0c, 0, 15, 0, 1, 0, 0, 0, 60, 0, 4]);
                reply.extend_from_slice(&number.to_be_bytes());
                reply.extend_from_slice(&[0xc0, 0x0c]);
            }
        }
        vec![reply]
    })
    .await;
    let live = self::live(options(&[&server])).await;
    let label = "x".repeat(60);
    let answer = look_up(&live, &format!("{label}.{label}.{label}.{label}"), RecordType::MX).await;
    assert_eq!(cause(&answer).0, Cause::LimitReached);
}

#[tokio::test]
async fn servers_that_cannot_read_edns_are_asked_without() {
    for rcode in [1, 4] {
        let server = Server::new(move |query| match query.edns {
            true => Reply::new(query, rcode),
            false => Reply::new(query, 0).address("a.example.org", 1),
        })
        .await;
        let live = live(options(&[&server])).await;
        assert_eq!(count(&look_up(&live, "a.example.org", RecordType::A).await), 1);
        assert_eq!(server.queries().iter().map(|query| query.edns).collect::<Vec<_>>(), [true, false]);
    }
    // A bare header without the question is what some of them send.
    let server = Server::many(|query| match query.edns {
        true => vec![[&query.octets[..2], &[0x80, 0x01, 0, 0, 0, 0, 0, 0, 0, 0]].concat()],
        false => good(query),
    })
    .await;
    let live = live(options(&[&server])).await;
    assert_eq!(count(&look_up(&live, "a.example.org", RecordType::A).await), 1);
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unreachable() {
    let gone = Server::many(|_| Vec::new()).await;
    let address = gone.address;
    gone.close().await;
    let options = Options { resolvers: vec![address], attempts: 2, authority_port: address.port(), ..options(&[]) };
    let live = live(options).await;
    let answer = look_up(&live, "a.example.org", RecordType::A).await;
    let (cause, note) = cause(&answer);
    assert_eq!(
        (cause, note),
        (Cause::Unreachable, &*format!("nothing listens on {address} over UDP (ICMP), 2 attempts"))
    );
    let refused = ask(&live, "a.example.org", RecordType::A, Ask::Iterative).await.unwrap_err();
    assert_eq!(refused.cause, Cause::Unreachable);
    let refused = ask(&live, "a.example.org", RecordType::A, Ask::Transfer).await.unwrap_err();
    assert_eq!(refused.cause, Cause::TcpRefused);
}

#[tokio::test]
async fn of_a_zone_transfer_the_first_message_is_read() {
    let server = Server::many(|query| {
        assert!(query.tcp && query.rtype == RecordType(252));
        let soa = Reply::new(query, 0).answer("example.org", RecordType::SOA, &soa_octets());
        vec![soa.clone().address("a.example.org", 1).octets(), soa.octets()]
    })
    .await;
    let live = live(Options { authority_port: server.address.port(), ..options(&[&server]) }).await;
    let reply = ask(&live, "example.org", RecordType::SOA, Ask::Transfer).await.unwrap();
    assert_eq!((reply.rcode, reply.answers.len()), (0, 2));
    assert_eq!(page(&live, reply.span).0, "dns/example.org/AXFR@127.0.0.1");
    let refusing = Server::new(|query| Reply::new(query, 5)).await;
    let live = self::live(Options { authority_port: refusing.address.port(), ..options(&[&refusing]) }).await;
    let reply = ask(&live, "example.org", RecordType::SOA, Ask::Transfer).await.unwrap();
    assert_eq!((reply.rcode, reply.answers.len()), (5, 0));
}

#[tokio::test]
async fn questions_come_from_the_source_address_that_was_chosen() {
    let server = Server::many(good).await;
    let local: std::net::IpAddr = "127.0.0.2".parse().unwrap();
    let options = Options { source_address: Some(local), timeout: Duration::from_secs(2), ..options(&[&server]) };
    let live = live(options).await;
    assert_eq!(count(&look_up(&live, "a.example.org", RecordType::A).await), 1);
    assert_eq!(server.peers(), [local]);
}
