use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::answer::{self, Answer};
use super::testing::{
    Authority, Leaf, Old, TODAY, config, endpoint, expired, played, self_signed, settings, tls_server,
};
use super::{Certificates, Handshake, TlsProbe, TrustStore, handshake, probe, suites};
use crate::diag::Files;
use crate::facts::domain::Time;
use crate::facts::service::{Protocol, TlsVersion};
use crate::facts::{Cause, Recorder};
use crate::mail::Name;
use crate::probes::Failure;

fn host() -> Name {
    Name::parse("mx.example.org").unwrap()
}

async fn shaken(leaf: &Leaf, above: &[&[u8]], trust: &TrustStore) -> Handshake {
    let address = tls_server(config(leaf, above, TODAY), b"").await;
    let stream = TcpStream::connect(address).await.unwrap();
    handshake(stream, &host(), trust).await.unwrap().1
}

async fn scanned(
    address: std::net::SocketAddr,
    protocol: Protocol,
    trust: TrustStore,
) -> (Result<TlsProbe, Failure>, Files) {
    let recorder = Recorder::new(Files::default(), true);
    let found = probe(&endpoint(address, protocol), &settings(trust), &recorder).await;
    (found, recorder.finish().0)
}

/// The characters a span points at.
fn at(files: &Files, span: crate::diag::Span) -> String {
    let bytes = &files.get(span.file).bytes;
    String::from_utf8_lossy(&bytes[span.start as usize..span.end as usize]).into_owned()
}

fn accepted(found: &TlsProbe) -> Vec<TlsVersion> {
    found.versions.iter().filter(|(_, seen)| seen.as_ref().unwrap().value).map(|(version, _)| *version).collect()
}

fn names(found: &TlsProbe) -> Vec<String> {
    found.suites.iter().map(|suite| suites::name(suite.number)).collect()
}

#[tokio::test]
async fn every_chain_completes_the_handshake_and_gets_its_verdict() {
    let root = Authority::root("Root");
    let middle = root.below("Middle");
    let other = Authority::root("Other");
    let store = root.store();
    let good = middle.leaf(&["mx.example.org"], |_| {});
    let later = |params: &mut rcgen::CertificateParams| params.not_before = rcgen::date_time_ymd(3000, 1, 2);
    type Case<'a> = (&'a str, Leaf, Vec<&'a [u8]>, Option<&'a str>, bool);
    let cases: Vec<Case<'_>> = vec![
        ("trusted", good.clone(), vec![&middle.der], None, true),
        ("trusted with the root", good.clone(), vec![&middle.der, &root.der], None, true),
        ("in another order", good.clone(), vec![&root.der, &middle.der], None, true),
        ("wrong name", root.leaf(&["other.example"], |_| {}), vec![], None, true),
        ("no name", root.leaf(&[], |_| {}), vec![], None, true),
        (
            "client certificate",
            root.leaf(&["mx.example.org"], |params| {
                params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
            }),
            vec![],
            None,
            true,
        ),
        (
            "intermediate missing",
            good.clone(),
            vec![],
            Some("issuer CN=Middle was not sent and is no trusted authority (incomplete chain)"),
            false,
        ),
        ("self-signed", self_signed(&["mx.example.org"]), vec![], Some("self-signed"), true),
        ("expired", root.leaf(&["mx.example.org"], expired), vec![], Some("expired on 2020-01-02"), true),
        ("later", root.leaf(&["mx.example.org"], later), vec![], Some("not yet valid until 3000-01-02"), true),
        (
            "other root",
            other.leaf(&["mx.example.org"], expired),
            vec![&other.der],
            Some("no trusted authority issued it; the chain ends at CN=Other; expired on 2020-01-02"),
            true,
        ),
    ];
    for (name, leaf, above, distrust, complete) in cases {
        let seen = shaken(&leaf, &above, &store).await;
        assert_eq!((seen.distrust.as_deref(), seen.complete), (distrust, complete), "{name}");
        assert_eq!(seen.version, TlsVersion::TlsV13, "{name}");
        assert_eq!(seen.cipher, "TLS_AES_256_GCM_SHA384", "{name}");
        assert_eq!(seen.chain.len(), 1 + above.len(), "{name}");
        assert_eq!(seen.ocsp.as_deref(), Some(&b"staple"[..]), "{name}");
    }
}

#[tokio::test]
async fn the_time_of_the_verdict_can_be_fixed() {
    let root = Authority::root("Root");
    let leaf = root.leaf(&["mx.example.org"], expired);
    let then = root.store().as_of(Time(1_500_000_000));
    assert_eq!(shaken(&leaf, &[], &then).await.distrust, None);
}

#[tokio::test]
async fn stores_add_up_and_a_certificate_may_be_trusted_itself() {
    let (root, own) = (Authority::root("Root"), self_signed(&["mx.example.org"]));
    let leaf = root.leaf(&["mx.example.org"], |_| {});
    let pem =
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", data_encoding::BASE64.encode(&own.der));
    let store = TrustStore::bundled().and(root.store()).and(TrustStore::from_pem(pem.as_bytes()).unwrap());
    assert_eq!(shaken(&leaf, &[], &store).await.distrust, None);
    assert_eq!(shaken(&own, &[], &store).await.distrust, None);
    assert!(TrustStore::from_pem(b"nothing").is_err());
    assert!(TrustStore::from_pem(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_err());
}

#[tokio::test]
async fn case_117_the_name_of_the_mx_host_is_indicated() {
    let root = Authority::root("Root");
    let leaf = root.leaf(&["mx.example.org"], |_| {});
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let keep = std::sync::Arc::clone(&seen);
    let address = played(move |_, mut stream| {
        let keep = std::sync::Arc::clone(&keep);
        async move {
            let mut octets = vec![0; 4096];
            let length = stream.read(&mut octets).await.unwrap_or(0);
            keep.lock().unwrap().push(octets[..length].to_vec());
        }
    })
    .await;
    let stream = TcpStream::connect(address).await.unwrap();
    assert!(handshake(stream, &host(), &root.store()).await.is_err());
    let (found, _) = scanned(address, Protocol::Imaps, root.store()).await;
    assert!(found.is_ok());
    let hellos = seen.lock().unwrap();
    // Extension 0, one name of type 0, without final dot.
    let name = [&[0, 0, 0, 19, 0, 17, 0, 0, 14][..], b"mx.example.org"].concat();
    let with = hellos.iter().filter(|octets| octets.windows(name.len()).any(|part| part == name)).count();
    // SSLv3 alone has no extensions.
    assert_eq!(with + 1, hellos.len());
    assert!(hellos.len() >= 6);
    drop(leaf);
}

#[tokio::test]
async fn a_failed_handshake_is_told_in_words() {
    for (sent, words) in [
        (&b"\x15\x03\x03\x00\x02\x02\x28"[..], "the server sent the alert handshake_failure (40)"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "the server sent the alert protocol_version (70)"),
        (b"220 mx.example.org ESMTP\r\n", "the server sent something that is not TLS"),
        (b"", "the server closed the connection"),
    ] {
        let address = played(move |_, mut stream| async move {
            let mut octets = [0; 4096];
            let _ = stream.read(&mut octets).await;
            let _ = stream.write_all(sent).await;
        })
        .await;
        let stream = TcpStream::connect(address).await.unwrap();
        let failed = handshake(stream, &host(), &TrustStore::bundled()).await.err();
        assert_eq!(failed.map(|failed| failed.text).as_deref(), Some(words));
    }
}

#[tokio::test]
async fn a_server_of_today_is_scanned() {
    let root = Authority::root("Root");
    let leaf = root.leaf(&["mx.example.org"], |_| {});
    let address = tls_server(config(&leaf, &[], TODAY), b"").await;
    let (found, files) = scanned(address, Protocol::Submissions, root.store()).await;
    let found = found.unwrap();
    assert_eq!(accepted(&found), [TlsVersion::TlsV12, TlsVersion::TlsV13]);
    assert_eq!(
        names(&found),
        [
            "TLS_AES_256_GCM_SHA384",
            "TLS_AES_128_GCM_SHA256",
            "TLS_CHACHA20_POLY1305_SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        ]
    );
    assert_eq!((found.more_suites, found.more_weak), (None, None));
    assert_eq!(found.server_preference.unwrap().value, Some(true));
    assert!(!found.compression.unwrap().value);
    assert_eq!(found.secure_renegotiation.unwrap().value, Some(true));
    assert!(found.handshake.is_ok());
    let certificates = found.certificates.unwrap();
    assert_eq!(certificates.distrust.value, None);
    let own = certificates.own.unwrap();
    assert_eq!(at(&files, own.names.unwrap().span), "mx.example.org");
    assert_eq!(at(&files, own.subject.span), "CN=mx.example.org");
    assert_eq!(at(&files, own.signature.span), "ecdsa-with-SHA256");
    assert_eq!((own.key_bits.unwrap().value, own.self_signed.unwrap().value), (256, false));
    let (_, old) = &found.versions[1];
    assert!(at(&files, old.as_ref().unwrap().span).starts_with("TLSv1.0 with "));
}

#[tokio::test]
async fn case_118_versions_and_suites_that_libraries_no_longer_speak() {
    let versions = [TlsVersion::SslV3, TlsVersion::TlsV10];
    let server = Old { deflate: true, ..Old::new(&versions, &[0x0005, 0x002f, 0x000a, 0x0033]) };
    let (found, files) = scanned(server.serve().await, Protocol::Imaps, TrustStore::bundled()).await;
    let found = found.unwrap();
    assert_eq!(accepted(&found), versions);
    assert_eq!(
        names(&found),
        [
            "TLS_RSA_WITH_RC4_128_SHA",
            "TLS_RSA_WITH_AES_128_CBC_SHA",
            "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
            "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"
        ]
    );
    assert!(found.suites.iter().all(|suite| suite.version.as_ref().unwrap().value == TlsVersion::SslV3));
    assert_eq!(found.server_preference.unwrap().value, Some(true));
    assert!(found.compression.unwrap().value);
    assert_eq!(found.secure_renegotiation.unwrap().value, Some(false));
    assert_eq!(found.more_suites, None);
    // The certificate is seen although no client of today gets a session.
    assert!(found.handshake.is_err());
    let certificates = found.certificates.unwrap();
    assert_eq!(certificates.distrust.value.as_deref(), Some("self-signed"));
    assert!(certificates.own.unwrap().self_signed.unwrap().value);
    assert_eq!(
        at(&files, found.suites[0].span),
        "TLSv1.0 with 82 suites: TLSv1.0 TLS_RSA_WITH_RC4_128_SHA, compression 1, certificates: 1"
    );
}

#[tokio::test]
async fn a_server_that_follows_the_client_imposes_no_order() {
    let server =
        Old { imposes_order: false, renegotiation: true, ..Old::new(&[TlsVersion::TlsV12], &[0x002f, 0xc02f]) };
    let (found, _) = scanned(server.serve().await, Protocol::Imaps, TrustStore::bundled()).await;
    let found = found.unwrap();
    assert_eq!(found.server_preference.unwrap().value, Some(false));
    assert_eq!(found.secure_renegotiation.unwrap().value, Some(true));
}

#[tokio::test]
async fn each_suite_has_the_lowest_version_that_takes_it() {
    let server = Old::new(&[TlsVersion::TlsV10, TlsVersion::TlsV12], &[0xc02f, 0x0005, 0xc014]);
    let (found, _) = scanned(server.serve().await, Protocol::Imaps, TrustStore::bundled()).await;
    let found = found.unwrap();
    let versions: Vec<_> =
        found.suites.iter().map(|suite| (suite.number, suite.version.as_ref().unwrap().value)).collect();
    let expected = [(0xc02f, TlsVersion::TlsV12), (0x0005, TlsVersion::TlsV10), (0xc014, TlsVersion::TlsV10)];
    assert_eq!(versions, expected);
    assert_eq!((found.more_suites, found.more_weak), (None, None));
}

#[tokio::test]
async fn a_server_that_cannot_bear_long_offers_gets_short_ones() {
    let server = Old { longest: 250, ..Old::new(&[TlsVersion::TlsV12], &[0xc02f, 0x0003]) };
    let (found, _) = scanned(server.serve().await, Protocol::Imaps, TrustStore::bundled()).await;
    let found = found.unwrap();
    assert_eq!(accepted(&found), [TlsVersion::TlsV12]);
    assert_eq!(names(&found), ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_EXPORT_WITH_RC4_40_MD5"]);
    assert!(found.more_suites.is_none() && found.more_weak.is_none());
}

#[tokio::test]
async fn a_closed_connection_is_a_refusal_only_if_the_server_still_answers() {
    let server = Old { closes: true, ..Old::new(&[TlsVersion::TlsV12], &[0xc02f]) };
    let (found, _) = scanned(server.clone().serve().await, Protocol::Imaps, TrustStore::bundled()).await;
    assert_eq!(accepted(&found.unwrap()), [TlsVersion::TlsV12]);
    // After three connections this one closes all others.
    let address = played(move |count, mut stream| {
        let server = server.clone();
        async move {
            if count < 3 {
                server.answer(&mut stream).await;
            }
        }
    })
    .await;
    let (found, _) = scanned(address, Protocol::Imaps, TrustStore::bundled()).await;
    let found = found.unwrap();
    let seen: Vec<_> = found
        .versions
        .iter()
        .map(|(_, seen)| seen.as_ref().map(|seen| seen.value).map_err(|failure| failure.cause))
        .collect();
    let limited = Err(Cause::RateLimited);
    assert_eq!(seen, [limited, limited, limited, Ok(true), Ok(false)]);
    assert!(found.more_suites.is_some() && found.more_weak.is_some());
}

#[tokio::test]
async fn what_connections_do_not_suffice_for_is_not_known() {
    let suites: Vec<u16> = suites::of_version(TlsVersion::TlsV12).into_iter().take(60).chain([0x0003]).collect();
    let (found, _) =
        scanned(Old::new(&[TlsVersion::TlsV12], &suites).serve().await, Protocol::Imaps, TrustStore::bundled()).await;
    let found = found.unwrap();
    assert_eq!(found.more_suites.map(|failure| failure.cause), Some(Cause::LimitReached));
    // The weak one that would have come last was asked for.
    assert!(found.suites.iter().any(|suite| suite.number == 0x0003));
}

const SMTP: [&str; 3] =
    ["220 mx.example.org ESMTP\r\n", "250-mx.example.org\r\n250-SIZE 1\r\n250 STARTTLS\r\n", "220 go\r\n"];
const IMAP: [&str; 2] = ["* OK ready\r\n", "* CAPABILITY IMAP4rev1\r\na OK go\r\n"];
const POP3: [&str; 2] = ["+OK ready\r\n", "+OK go\r\n"];

/// A server that says lines in clear, one after each line of the client, and then answers a ClientHello.
async fn upgrading(script: &'static [&'static str], server: Old, patience: usize) -> std::net::SocketAddr {
    played(move |count, mut stream| {
        let server = server.clone();
        async move {
            if count >= patience {
                let _ = stream.write_all(b"421 4.7.0 too many connections\r\n").await;
                return;
            }
            for (step, line) in script.iter().enumerate() {
                if step > 0 {
                    let mut octet = [0];
                    while octet != *b"\n" {
                        if !matches!(stream.read(&mut octet).await, Ok(1)) {
                            return;
                        }
                    }
                }
                let _ = stream.write_all(line.as_bytes()).await;
            }
            server.answer(&mut stream).await;
        }
    })
    .await
}

#[tokio::test]
async fn tls_is_reached_through_each_protocol() {
    for (protocol, script) in
        [(Protocol::Smtp, &SMTP[..]), (Protocol::Submission, &SMTP), (Protocol::Imap, &IMAP), (Protocol::Pop3, &POP3)]
    {
        let address = upgrading(script, Old::new(&[TlsVersion::TlsV11], &[0x002f]), usize::MAX).await;
        let (found, _) = scanned(address, protocol, TrustStore::bundled()).await;
        assert_eq!(accepted(&found.unwrap()), [TlsVersion::TlsV11], "{protocol}");
    }
}

#[tokio::test]
async fn a_server_without_starttls_is_asked_once() {
    for (protocol, script, note) in [
        (Protocol::Smtp, &["220 mx\r\n", "250 mx\r\n", "221 bye\r\n"][..], "STARTTLS is not offered"),
        (Protocol::Imap, &["* OK ready\r\n", "a BAD what\r\n"], "the server answers STARTTLS with a BAD what"),
        (Protocol::Pop3, &["+OK ready\r\n", "-ERR what\r\n"], "the server answers STLS with -ERR what"),
        (Protocol::Smtp, &["554 no\r\n"], "the server answers the greeting with 554 no"),
        (Protocol::Smtp, &["SSH-2.0-x\r\n"], "the server does not speak SMTP"),
    ] {
        let address = upgrading(script, Old::new(&[], &[]), usize::MAX).await;
        let (found, files) = scanned(address, protocol, TrustStore::bundled()).await;
        let failure = found.unwrap_err();
        assert_eq!((failure.cause, failure.note.as_str()), (Cause::Protocol, note));
        assert_eq!(at(&files, failure.span), format!("stopped: {note}"));
    }
}

#[tokio::test]
async fn a_server_that_has_had_enough_is_left_alone() {
    let address = upgrading(&SMTP, Old::new(&[TlsVersion::TlsV12], &[0xc02f]), 3).await;
    let (found, _) = scanned(address, Protocol::Smtp, TrustStore::bundled()).await;
    let found = found.unwrap();
    let causes: Vec<_> =
        found.versions.iter().map(|(_, seen)| seen.as_ref().err().map(|failure| failure.cause)).collect();
    let limited = Some(Cause::RateLimited);
    assert_eq!(causes, [limited, limited, limited, None, None]);
    assert_eq!(found.more_weak.map(|failure| failure.cause), limited);
    let first = upgrading(&SMTP, Old::new(&[], &[]), 0).await;
    assert_eq!(scanned(first, Protocol::Smtp, TrustStore::bundled()).await.0.unwrap_err().cause, Cause::RateLimited);
}

#[tokio::test]
async fn silence_ends_in_bounded_time() {
    let address = played(|_, stream| async move {
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(60)).await;
            drop(stream);
        });
    })
    .await;
    let recorder = Recorder::new(Files::default(), true);
    let mut settings = settings(TrustStore::bundled());
    settings.reply_timeout = Duration::from_millis(200);
    let found = probe(&endpoint(address, Protocol::Imaps), &settings, &recorder).await.unwrap();
    assert!(found.versions.iter().all(|(_, seen)| matches!(seen, Err(failure) if failure.cause == Cause::TcpTimeout)));
    assert!(found.certificates.is_err());
}

#[tokio::test]
async fn garbage_is_not_tls() {
    let address = played(|_, mut stream| async move {
        let mut octets = [0; 4096];
        let _ = stream.read(&mut octets).await;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    })
    .await;
    let (found, _) = scanned(address, Protocol::Imaps, TrustStore::bundled()).await;
    assert!(
        found
            .unwrap()
            .versions
            .iter()
            .all(|(_, seen)| matches!(seen, Err(failure) if failure.cause == Cause::Protocol))
    );
}

#[test]
fn a_hello_retry_request_shows_version_and_suite() {
    let mut hello = vec![3, 3];
    hello.extend(answer::RETRY);
    hello.extend([0, 0x13, 0x02, 0, 0, 12, 0, 43, 0, 2, 3, 4, 0, 51, 0, 2, 0, 23]);
    let message = [&[2, 0, 0, u8::try_from(hello.len()).unwrap()][..], &hello].concat();
    let record = [&[22, 3, 3, 0, u8::try_from(message.len()).unwrap()][..], &message].concat();
    let Answer::Hello(seen) = answer::read(&record, true) else { panic!("{:?}", answer::read(&record, true)) };
    assert_eq!((seen.version, seen.suite, seen.retry), (TlsVersion::TlsV13, 0x1302, true));
    // A warning before it does not end the handshake; every part of it is incomplete.
    let warned = [&[21, 3, 3, 0, 2, 1, 112][..], &record].concat();
    assert!(matches!(answer::read(&warned, true), Answer::Hello(_)));
    for length in 0..record.len() {
        assert_eq!(answer::read(&record[..length], true), Answer::Incomplete);
    }
}

fn read_chain(chain: &[Vec<u8>]) -> Certificates {
    let recorder = Recorder::new(Files::default(), true);
    let store = TrustStore::bundled();
    let verdict = store.judge(chain, Time(0));
    Certificates::record_chain(&recorder, "mx", chain, &verdict, Time(0))
}

#[test]
fn a_broken_certificate_is_unreadable_and_the_rest_is_read() {
    let leaf = self_signed(&["mx.example.org"]);
    let mut long = leaf.der.clone();
    long.push(0);
    for broken in [b"nothing".to_vec(), Vec::new(), leaf.der[..100].to_vec(), long] {
        let read = read_chain(std::slice::from_ref(&broken));
        assert_eq!(read.own.unwrap_err().cause, Cause::Parse);
        assert_eq!(read.weak_signature.unwrap_err().cause, Cause::Parse);
        assert_eq!(read.earliest_expiry.unwrap_err().cause, Cause::Parse);
        assert!(read.distrust.value.is_some());
        let read = read_chain(&[leaf.der.clone(), broken]);
        assert!(read.own.is_ok() && read.weak_signature.is_err());
    }
    assert!(read_chain(&[]).own.is_err());
}

proptest! {
    #[test]
    fn no_octets_of_a_server_cause_a_panic(octets in proptest::collection::vec(any::<u8>(), 0..400), kind in 20u8..24) {
        for certificate in [false, true] {
            let _ = answer::read(&octets, certificate);
            let length = u16::try_from(octets.len()).unwrap().to_be_bytes();
            let _ = answer::ended(&[&[kind, 3, 3][..], &length, &octets].concat(), certificate);
            let message = [&[2, 0][..], &length, &octets].concat();
            let length = u16::try_from(message.len()).unwrap().to_be_bytes();
            let _ = answer::ended(&[&[22, 3, 3][..], &length, &message].concat(), certificate);
        }
    }

    #[test]
    fn no_certificate_causes_a_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        random in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        static LEAF: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| self_signed(&["mx.example.org"]).der);
        let mut der = LEAF.clone();
        for (index, octet) in changes {
            let at = index.index(der.len());
            der[at] = octet;
        }
        let _ = read_chain(&[der, random]);
    }
}
