use super::{World, bare, name};
use crate::collectors::{self, Cache, Context, ServiceInput};
use crate::diag::Files;
use crate::facts::domain::Security;
use crate::facts::service::{Protocol, ServiceDaneFacts, ServiceFacts, TlsVersion};
use crate::facts::{Cause, Method, Observed, Proof, Recorder};
use crate::mail::Name;
use crate::probes::tls::testing::{
    Authority, Leaf, Old, TODAY, config, endpoint, expired, self_signed, settings, tls_server,
};
use crate::probes::{self, ServiceProbe};
use crate::sources::{Answer, RecordSource, RecordType, Validation};
use sha2::Digest as _;
use x509_parser::prelude::FromDer as _;

/// Zones whose answers have a DNSSEC state by type.
struct Signed<'a> {
    inner: &'a dyn RecordSource,
    except: Option<(RecordType, Security)>,
}

impl RecordSource for Signed<'_> {
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer {
        self.inner.lookup(name, rtype)
    }
    fn zone_of(&self, name: &Name) -> Option<(Name, crate::diag::Span)> {
        self.inner.zone_of(name)
    }
    fn names_below(&self, name: &Name) -> Option<Vec<Name>> {
        self.inner.names_below(name)
    }
    fn validate(&self, _name: &Name, rtype: RecordType) -> Validation {
        let state = match self.except {
            Some((of, state)) if of == rtype => state,
            _ => Security::Secure,
        };
        Validation { state: Observed::Present(state), reason: None, span: None, expires: None }
    }
}

/// A service over TLS with a certificate, probed.
async fn probed(leaf: &Leaf, above: &[&[u8]], root: &Authority) -> ServiceProbe {
    let address = tls_server(config(leaf, above, TODAY), b"").await;
    let recorder = Recorder::new(Files::default(), false);
    probes::probe(&endpoint(address, Protocol::Submissions), &settings(root.store()), &recorder).await
}

fn facts(probe: &ServiceProbe, zone: &str, except: Option<(RecordType, Security)>) -> ServiceFacts {
    facts_for(probe, zone, except, &[])
}

fn facts_for(
    probe: &ServiceProbe,
    zone: &str,
    except: Option<(RecordType, Security)>,
    mx_for: &[Name],
) -> ServiceFacts {
    let port = probe.endpoint.address.port();
    let zone = format!("$TTL 3600\n@ SOA ns1 host 1 7200 900 1209600 300\n@ NS ns1\nns1 A 9.9.9.9\n{zone}");
    let world: World = bare(&[("example.org", &zone.replace("PORT", &format!("_{port}._tcp")))]);
    let view = world.store.view(&world.files);
    let source = Signed { inner: &view, except };
    let context = Context {
        source: &source,
        method: Method::Dns,
        inventory: None,
        policies: &[],
        fetches: &[],
        cache: Cache::default(),
    };
    collectors::service(&context, &ServiceInput { probe, mx_for })
}

fn dane(probe: &ServiceProbe, zone: &str) -> ServiceDaneFacts {
    facts(probe, &format!("mx A 127.0.0.1\n{zone}"), None).dane
}

fn digest(octets: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(octets))
}

fn key(der: &[u8]) -> Vec<u8> {
    let (_, certificate) = x509_parser::certificate::X509Certificate::from_der(der).unwrap();
    certificate.tbs_certificate.subject_pki.raw.to_vec()
}

fn good(probe: &ServiceProbe, zone: &str) -> bool {
    let facts = dane(probe, zone);
    assert_eq!(facts.error.observed.present().is_none(), facts.matches.observed == Observed::Present(true));
    facts.matches.observed == Observed::Present(true)
}

#[tokio::test]
async fn case_101_the_end_of_the_aliases_comes_before_the_name_itself() {
    let root = Authority::root("Root");
    let leaf = root.leaf(&["mx.example.org"], |_| {});
    let probe = probed(&leaf, &[], &root).await;
    let record = format!("TLSA 3 0 1 {}", digest(&leaf.der));
    let zone = format!("mx CNAME real\nreal A 127.0.0.1\nPORT.real {record}\n");
    let port = probe.endpoint.address.port();
    let owner = |zone: &str| facts(&probe, zone, None).dane.owner.observed.present().cloned();
    assert_eq!(owner(&zone), Some(name(&format!("_{port}._tcp.real.example.org"))));
    let zone = format!("mx CNAME real\nreal A 127.0.0.1\nPORT.mx {record}\n");
    assert_eq!(owner(&zone), Some(name(&format!("_{port}._tcp.mx.example.org"))));
    assert_eq!(facts(&probe, &zone, None).dane.matches.observed, Observed::Present(true));
    let none = facts(&probe, "mx A 127.0.0.1\n", None).dane;
    assert_eq!(none.applies.observed, Observed::Present(false));
    assert_eq!(none.matches.observed, Observed::Absent(Proof::Nxdomain));
}

#[tokio::test]
async fn case_102_and_103_dane_needs_security_all_the_way() {
    let root = Authority::root("Root");
    let leaf = root.leaf(&["mx.example.org"], |_| {});
    let probe = probed(&leaf, &[], &root).await;
    let zone = format!("mx A 127.0.0.1\nPORT.mx TLSA 3 0 1 {}\n", digest(&leaf.der));
    for (except, expected) in [
        (None, Observed::Present(true)),
        (Some((RecordType::A, Security::Insecure)), Observed::Present(false)),
        (Some((RecordType::AAAA, Security::Insecure)), Observed::Present(false)),
        (Some((RecordType::TLSA, Security::Insecure)), Observed::Present(false)),
        (Some((RecordType::TLSA, Security::Bogus)), Observed::Unknown(Cause::DnssecBogus)),
        // MX records play no part in submission.
        (Some((RecordType::MX, Security::Insecure)), Observed::Present(true)),
    ] {
        assert_eq!(facts(&probe, &zone, except).dane.applies.observed, expected, "{except:?}");
    }
}

#[tokio::test]
async fn case_102_and_103_mail_between_servers_starts_from_secure_mx_records() {
    let root = Authority::root("Root");
    let leaf = root.leaf(&["mx.example.org"], |_| {});
    let mut probe = probed(&leaf, &[], &root).await;
    probe.endpoint.protocol = Protocol::Smtp;
    let zone = format!("mx A 127.0.0.1\nPORT.mx TLSA 3 0 1 {}\n", digest(&leaf.der));
    let domains = [name("example.org")];
    let not_secure = Some((RecordType::MX, Security::Insecure));
    let bogus = Some((RecordType::MX, Security::Bogus));
    for (except, domains, expected) in [
        (None, &domains[..], Observed::Present(true)),
        (not_secure, &domains, Observed::Present(false)),
        (bogus, &domains, Observed::Unknown(Cause::DnssecBogus)),
        (None, &[], Observed::Unknown(Cause::NotCollected)),
    ] {
        assert_eq!(facts_for(&probe, &zone, except, domains).dane.applies.observed, expected, "{except:?}");
    }
}

#[tokio::test]
async fn case_118_old_versions_and_weak_suites_are_facts() {
    let server = Old::new(&[TlsVersion::SslV3, TlsVersion::TlsV10], &[0x0005, 0x002f, 0x000a]);
    let address = server.serve().await;
    let recorder = Recorder::new(Files::default(), false);
    let endpoint = endpoint(address, Protocol::Submissions);
    let probe = probes::probe(&endpoint, &settings(Authority::root("Root").store()), &recorder).await;
    let tls = facts(&probe, "", None).tls;
    assert_eq!(tls.offered.observed, Observed::Present(true));
    assert_eq!(tls.version.observed, Observed::Present(TlsVersion::SslV3));
    assert_eq!(tls.negotiated.observed, Observed::Unknown(Cause::TlsHandshake));
    let weak = ["TLS_RSA_WITH_RC4_128_SHA", "TLS_RSA_WITH_3DES_EDE_CBC_SHA"].map(str::to_owned).to_vec();
    assert_eq!(tls.weak_ciphers.observed, Observed::Present(weak));
    assert_eq!(tls.forward_secrecy.observed, Observed::Present(false));
    assert_eq!(tls.cert.error.observed, Observed::Present("self-signed".to_owned()));
    assert_eq!(tls.cert.self_signed.observed, Observed::Present(true));
}

#[tokio::test]
async fn case_104_usages_0_and_1_match_nothing() {
    let root = Authority::root("Root");
    let leaf = root.leaf(&["mx.example.org"], |_| {});
    let probe = probed(&leaf, &[], &root).await;
    let facts = dane(&probe, &format!("PORT.mx TLSA 1 0 1 {}\n", digest(&leaf.der)));
    assert_eq!(facts.applies.observed, Observed::Present(false));
    assert_eq!(facts.matches.observed, Observed::Absent(Proof::NotPublished));
    assert_eq!(facts.matching.observed, Observed::Absent(Proof::NotPublished));
}

#[tokio::test]
async fn case_105_the_servers_key_matches_whatever_its_dates_and_names() {
    let root = Authority::root("Root");
    for leaf in [self_signed(&["other.example"]), root.leaf(&["mx.example.org"], expired), root.leaf(&[], |_| {})] {
        let probe = probed(&leaf, &[], &root).await;
        assert!(good(&probe, &format!("PORT.mx TLSA 3 1 1 {}\n", digest(&key(&leaf.der)))));
        assert!(good(&probe, &format!("PORT.mx TLSA 3 0 0 {}\n", data_encoding::HEXLOWER.encode(&leaf.der))));
        assert!(!good(&probe, &format!("PORT.mx TLSA 3 0 1 {}\n", digest(&key(&leaf.der)))));
    }
}

#[tokio::test]
async fn case_106_an_authority_must_be_sent_and_hold_for_the_name() {
    let root = Authority::root("Root");
    let middle = root.below("Middle");
    let record = |der: &[u8]| format!("PORT.mx TLSA 2 0 1 {}\n", digest(der));
    let leaf = middle.leaf(&["mx.example.org"], |_| {});
    let probe = probed(&leaf, &[&middle.der, &root.der], &root).await;
    assert!(good(&probe, &record(&middle.der)));
    assert!(good(&probe, &record(&root.der)));
    assert!(good(&probe, &format!("PORT.mx TLSA 2 1 1 {}\n", digest(&key(&middle.der)))));
    // The server's own certificate is no authority.
    assert!(!good(&probe, &record(&leaf.der)));
    let error = |probe: &ServiceProbe, zone: &str| dane(probe, zone).error.observed.present().cloned().unwrap();
    let short = probed(&leaf, &[&middle.der], &root).await;
    assert_eq!(error(&short, &record(&root.der)), "no certificate sent above the server's has this certificate");
    let other = probed(&middle.leaf(&["other.example"], |_| {}), &[&middle.der], &root).await;
    assert_eq!(
        error(&other, &record(&middle.der)),
        "the authority is in the chain, but the certificate is not for mx.example.org"
    );
    let late = probed(&middle.leaf(&["mx.example.org"], expired), &[&middle.der], &root).await;
    assert!(error(&late, &record(&middle.der)).ends_with("expired on 2020-01-02"));
    let stray = probed(&root.leaf(&["mx.example.org"], |_| {}), &[&middle.der], &root).await;
    assert!(error(&stray, &record(&middle.der)).contains("no valid path"));
}

#[tokio::test]
async fn case_107_in_a_rollover_one_match_suffices() {
    let root = Authority::root("Root");
    let leaf = root.leaf(&["mx.example.org"], |_| {});
    let probe = probed(&leaf, &[], &root).await;
    let next = "ab".repeat(32);
    let facts = dane(&probe, &format!("PORT.mx TLSA 3 1 1 {next}\nPORT.mx TLSA 3 1 1 {}\n", digest(&key(&leaf.der))));
    assert_eq!(facts.applies.observed, Observed::Present(true));
    assert_eq!(facts.matches.observed, Observed::Present(true));
    assert_eq!(facts.matching.observed, Observed::Present(1));
    assert_eq!(facts.unmatched.observed, Observed::Present(vec!["3 1 1 abababababababab...".to_owned()]));
    assert_eq!(facts.error.observed, Observed::Absent(Proof::NotStated));
}

#[tokio::test]
async fn case_119_the_certificate_facts_know_no_common_name() {
    let root = Authority::root("Root");
    for (leaf, matches, only_common, wildcard) in [
        (root.leaf(&["mx.example.org"], |_| {}), true, false, Observed::Present(false)),
        (root.leaf(&["*.example.org"], |_| {}), true, false, Observed::Present(true)),
        (root.leaf(&["*.org"], |_| {}), false, false, Observed::Absent(Proof::NotStated)),
        (root.leaf(&[], |_| {}), false, true, Observed::Absent(Proof::NotStated)),
    ] {
        let cert = facts(&probed(&leaf, &[], &root).await, "", None).tls.cert;
        assert_eq!(cert.name_matches.observed, Observed::Present(matches));
        assert_eq!(cert.common_name_only.observed, Observed::Present(only_common));
        assert_eq!(cert.wildcard.observed, wildcard);
        assert_eq!(cert.trusted.observed, Observed::Present(true));
        assert_eq!(cert.fingerprint.observed, Observed::Present(digest(&leaf.der)));
    }
}

#[tokio::test]
async fn a_service_of_today_has_all_its_tls_facts() {
    let root = Authority::root("Root");
    let leaf = root.leaf(&["mx.example.org"], |_| {});
    let tls = facts(&probed(&leaf, &[], &root).await, "", None).tls;
    assert_eq!(tls.offered.observed, Observed::Present(true));
    assert_eq!(tls.version.observed, Observed::Present(TlsVersion::TlsV12));
    assert_eq!(tls.versions.observed, Observed::Present(vec![TlsVersion::TlsV12, TlsVersion::TlsV13]));
    assert_eq!(tls.negotiated.observed, Observed::Present(TlsVersion::TlsV13));
    assert_eq!(tls.cipher.observed, Observed::Present("TLS_AES_256_GCM_SHA384".to_owned()));
    assert_eq!(tls.ciphers.observed.present().map(|rows| rows.0.len()), Some(6));
    assert_eq!(tls.weak_ciphers.observed, Observed::Present(Vec::new()));
    assert_eq!(tls.forward_secrecy.observed, Observed::Present(true));
    assert_eq!(tls.server_preference.observed, Observed::Present(true));
    assert_eq!(tls.compression.observed, Observed::Present(false));
    assert_eq!(tls.ocsp_stapled.observed, Observed::Present(true));
    assert_eq!(tls.cert.error.observed, Observed::Absent(Proof::NotStated));
    assert_eq!(tls.cert.chain_length.observed, Observed::Present(1));
    assert!(tls.cert.chain_not_after.from.span.is_some() && tls.weak_ciphers.from.span.is_some());
}
