//! States of answers from signed, unsigned and spoiled zones.

mod world;

use hickory_proto::op::{Message as WireMessage, ResponseCode};
use hickory_proto::rr::{RData, RecordType as WireType};

use super::{Messages, Validator};
use crate::facts::domain::Security;
use crate::facts::{Cause, Observed};
use crate::mail::Name;
use crate::sources::{RecordType, Validation};
use world::{DAY, NOW, Proofs, TestZone, World, a, cname, mx, ns, signer, wire};

const NSEC3: Proofs = Proofs::Nsec3 { iterations: 0, opt_out: false };

fn validate(validator: &Validator, world: &impl Messages, name: &str, rtype: RecordType) -> Validation {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(validator.judge(world, &Name::parse(name).unwrap(), rtype))
}

/// The state and its reason in one line.
fn line(world: &World, name: &str, rtype: RecordType) -> String {
    let validation = validate(&world.validator(), world, name, rtype);
    let state = match validation.state {
        Observed::Present(state) => state.to_string(),
        Observed::Absent(_) => "absent".to_owned(),
        Observed::Unknown(cause) => format!("unknown {cause}"),
    };
    validation.reason.map_or(state.clone(), |reason| format!("{state}: {reason}"))
}

#[track_caller]
fn check(world: &World, expected: &[(&str, RecordType, &str)]) {
    for (name, rtype, state) in expected {
        assert_eq!(line(world, name, *rtype), *state, "{name} {rtype}");
    }
}

fn usual(proofs: Proofs) -> World {
    World::new(
        proofs,
        vec![
            mx("example.org", "mx.example.org"),
            a("mx.example.org"),
            a("deep.empty.example.org"),
            a("*.wild.example.org"),
            cname("alias.example.org", "mx.example.org"),
        ],
    )
}

fn drop_proofs(message: &mut WireMessage) {
    message.authorities.retain(|record| record.record_type() == WireType::SOA);
}

fn drop_signatures(message: &mut WireMessage) {
    message.answers.retain(|record| record.record_type() != WireType::RRSIG);
    message.authorities.retain(|record| record.record_type() != WireType::RRSIG);
}

#[test]
fn answers_and_proven_absence_are_secure() {
    for proofs in [Proofs::Nsec, NSEC3, Proofs::Nsec3 { iterations: 10, opt_out: false }] {
        check(
            &usual(proofs),
            &[
                ("example.org", RecordType::MX, "secure"),
                ("example.org", RecordType::SOA, "secure"),
                ("example.org", RecordType::DNSKEY, "secure"),
                ("example.org", RecordType::DS, "secure"),
                ("org", RecordType::DS, "secure"),
                (".", RecordType::NS, "secure"),
                // NODATA, and NODATA at a name that exists only because of a name below it.
                ("example.org", RecordType::CAA, "secure"),
                ("empty.example.org", RecordType::A, "secure"),
                // NXDOMAIN, directly and two labels down.
                ("nobody.example.org", RecordType::A, "secure"),
                ("a.b.nobody.example.org", RecordType::A, "secure"),
                // A wildcard, and NODATA at one.
                ("x.wild.example.org", RecordType::A, "secure"),
                ("y.x.wild.example.org", RecordType::A, "secure"),
                ("x.wild.example.org", RecordType::MX, "secure"),
                ("alias.example.org", RecordType::A, "secure"),
                ("alias.example.org", RecordType::TLSA, "secure"),
                ("alias.example.org", RecordType::CNAME, "secure"),
            ],
        );
    }
}

#[test]
fn the_earliest_end_of_validity_and_the_text_are_told() {
    let mut world = usual(Proofs::Nsec);
    let validation = validate(&world.validator(), &world, "example.org", RecordType::MX);
    assert_eq!(validation.expires, Some(NOW + 10 * DAY));
    assert!(validation.span.is_some());
    world.zone("example.org").valid.1 = NOW + DAY;
    let validation = validate(&world.validator(), &world, "nobody.example.org", RecordType::MX);
    assert_eq!((validation.expires, validation.state), (Some(NOW + DAY), Observed::Present(Security::Secure)));
}

#[test]
fn case_108_a_delegation_without_ds_record_is_insecure() {
    let unsigned = || TestZone::new("sub.example.org", Proofs::Unsigned, vec![mx("sub.example.org", "mx.example.org")]);
    for proofs in [Proofs::Nsec, NSEC3] {
        let world = usual(proofs).with(unsigned());
        let why = "insecure: example.org proves that sub.example.org has no DS record";
        check(
            &world,
            &[
                ("sub.example.org", RecordType::MX, why),
                ("sub.example.org", RecordType::TXT, why),
                ("nobody.sub.example.org", RecordType::TXT, why),
                ("a.b.sub.example.org", RecordType::A, why),
                ("sub.example.org", RecordType::DS, "secure"),
            ],
        );
    }
    let world = usual(Proofs::Nsec3 { iterations: 0, opt_out: true }).with(unsigned());
    let why = "insecure: sub.example.org lies in a span of names with opt-out";
    check(&world, &[("sub.example.org", RecordType::MX, why), ("example.org", RecordType::MX, "secure")]);
    assert_eq!(
        line(&world, "nobody.example.org", RecordType::MX),
        "insecure: nobody.example.org lies in a span of names with opt-out"
    );
}

#[test]
fn case_108_a_chain_is_as_weak_as_its_weakest_alias() {
    let world =
        usual(Proofs::Nsec).with(TestZone::new("sub.example.org", Proofs::Unsigned, vec![a("x.sub.example.org")]));
    let mut world = world.with(TestZone::new("org2", Proofs::Nsec, vec![a("x.org2")]));
    world.zone("example.org").records.push(cname("there.example.org", "x.sub.example.org"));
    world.zone("sub.example.org").records.push(cname("back.sub.example.org", "mx.example.org"));
    world.zone("example.org").records.push(cname("other.example.org", "x.org2"));
    world.zone("example.org").records.push(cname("nowhere.example.org", "nobody.org2"));
    world.zone("example.org").records.push(cname("round.example.org", "round.example.org"));
    let why = "insecure: example.org proves that sub.example.org has no DS record";
    check(
        &world,
        &[
            ("there.example.org", RecordType::A, why),
            ("back.sub.example.org", RecordType::A, why),
            ("other.example.org", RecordType::A, "secure"),
            ("nowhere.example.org", RecordType::A, "secure"),
            ("round.example.org", RecordType::A, "unknown limit-reached: the chain of aliases is too long"),
        ],
    );
}

#[test]
fn the_end_of_an_alias_is_asked_for_where_the_answer_lacks_it() {
    let only_alias = |message: &mut WireMessage| {
        let keep = message.answers.first().map(|record| record.name.clone());
        message.answers.retain(|record| Some(&record.name) == keep.as_ref());
    };
    let world = usual(Proofs::Nsec).spoil("alias.example.org", RecordType::A, only_alias);
    check(&world, &[("alias.example.org", RecordType::A, "secure")]);
    let world = world.silent("mx.example.org", RecordType::A);
    check(&world, &[("alias.example.org", RecordType::A, "unknown dns-timeout: no answer within 5 s")]);
}

#[test]
fn case_108_an_expired_signature_is_bogus() {
    let mut world = usual(Proofs::Nsec);
    world.zone("example.org").valid = (NOW - 2 * DAY, NOW - DAY);
    let why = "bogus: the signature of DNSKEY example.org expired on 2026-11-20T00:00:00Z";
    check(&world, &[("example.org", RecordType::MX, why)]);
    world.zone("example.org").valid = (NOW + DAY, NOW + 2 * DAY);
    let why = "bogus: the signature of DNSKEY example.org is valid only from 2026-11-22T00:00:00Z on";
    check(&world, &[("nobody.example.org", RecordType::MX, why)]);
}

#[test]
fn case_108_a_ds_record_that_fits_no_key_is_bogus() {
    let mut world = usual(Proofs::Nsec);
    let zone = world.zone("example.org");
    zone.signer = signer("example.org");
    // The zone still publishes its old key, and signs with another one.
    let why = "bogus: no DNSKEY of example.org fits the signature of DNSKEY example.org";
    check(&world, &[("example.org", RecordType::MX, why)]);
    let mut world = usual(Proofs::Nsec);
    let other = TestZone::new("example.org", Proofs::Nsec, vec![mx("example.org", "mx.example.org")]);
    *world.zone("example.org") = other;
    check(&world, &[("example.org", RecordType::MX, "bogus: no DNSKEY of example.org matches its DS record at org")]);
    let mut world = usual(Proofs::Nsec);
    *world.zone("example.org") =
        TestZone::new("example.org", Proofs::Unsigned, vec![mx("example.org", "mx.example.org")]);
    let why = "bogus: org publishes a DS record for example.org, which has no DNSKEY record";
    check(&world, &[("example.org", RecordType::MX, why)]);
}

#[test]
fn case_108_changed_or_unsigned_data_are_bogus() {
    let changed = |message: &mut WireMessage| {
        if let Some(record) = message.answers.iter_mut().find(|record| record.record_type() == WireType::MX)
            && let RData::MX(mx) = &mut record.data
        {
            mx.exchange = wire("evil.example.net");
        }
    };
    let world = usual(Proofs::Nsec).spoil("example.org", RecordType::MX, changed);
    let why = "bogus: the signature of MX example.org does not match its data";
    check(&world, &[("example.org", RecordType::MX, why)]);
    let world = usual(Proofs::Nsec).spoil("example.org", RecordType::MX, drop_signatures);
    let why = "bogus: MX example.org has no signature, and example.org is signed";
    check(&world, &[("example.org", RecordType::MX, why)]);
    let borrowed = |message: &mut WireMessage| {
        message.answers.clear();
        message.add_answer(a("mx.example.org"));
    };
    let world = usual(Proofs::Nsec).spoil("mx.example.org", RecordType::A, borrowed);
    let why = "bogus: A mx.example.org has no signature, and example.org is signed";
    check(&world, &[("mx.example.org", RecordType::A, why)]);
}

#[test]
fn case_108_absence_without_proof_is_bogus() {
    for proofs in [Proofs::Nsec, NSEC3] {
        let world = usual(proofs)
            .spoil("nobody.example.org", RecordType::A, drop_proofs)
            .spoil("example.org", RecordType::CAA, drop_proofs)
            .spoil("x.wild.example.org", RecordType::A, |message| message.authorities.clear())
            .spoil("x.wild.example.org", RecordType::MX, drop_signatures);
        check(
            &world,
            &[
                (
                    "nobody.example.org",
                    RecordType::A,
                    "bogus: that nobody.example.org does not exist is not proven: there is no NSEC or NSEC3 record",
                ),
                (
                    "example.org",
                    RecordType::CAA,
                    "bogus: that example.org has no CAA record is not proven: there is no NSEC or NSEC3 record",
                ),
                (
                    "x.wild.example.org",
                    RecordType::A,
                    "bogus: A x.wild.example.org comes from a wildcard, and there is no NSEC or NSEC3 record",
                ),
            ],
        );
        assert!(line(&world, "x.wild.example.org", RecordType::MX).contains("has no signature"));
    }
}

#[test]
fn case_108_denial_of_what_exists_is_bogus() {
    for proofs in [Proofs::Nsec, NSEC3] {
        // The proof of one name is handed over for another, which it does not cover.
        let elsewhere = usual(proofs).respond("mx.example.org", RecordType::MX).authorities;
        let deny = move |message: &mut WireMessage| {
            message.answers.clear();
            message.add_authorities(elsewhere.clone());
        };
        let world = usual(proofs).spoil("example.org", RecordType::MX, deny);
        let found = line(&world, "example.org", RecordType::MX);
        assert!(found.starts_with("bogus: that example.org has no MX record is not proven"), "{found}");
        let nxdomain = |message: &mut WireMessage| message.metadata.response_code = ResponseCode::NXDomain;
        let world = usual(proofs).spoil("example.org", RecordType::CAA, nxdomain);
        let found = line(&world, "example.org", RecordType::CAA);
        assert!(found.starts_with("bogus: that example.org does not exist is not proven"), "{found}");
    }
}

#[test]
fn case_108_a_stripped_ds_record_is_bogus_not_insecure() {
    let strip = |message: &mut WireMessage| message.answers.clear();
    let world = usual(Proofs::Nsec).spoil("example.org", RecordType::DS, strip);
    let why = "bogus: org does not prove that example.org has no DS record: there is no NSEC or NSEC3 record";
    check(&world, &[("example.org", RecordType::MX, why)]);
}

#[test]
fn case_108_without_anchor_or_signatures_nothing_can_be_said() {
    let world = usual(Proofs::Nsec);
    let elsewhere = world.trusting("example.net DS 1 15 2 00");
    let validation = validate(&elsewhere, &world, "example.org", RecordType::MX);
    assert_eq!(validation.state, Observed::Present(Security::Indeterminate));
    assert_eq!(validation.reason.as_deref(), Some("no trust anchor lies above example.org"));
    // A resolver that knows nothing of DNSSEC is no reason to call anything bogus.
    let world = world.spoil(".", RecordType::DNSKEY, drop_signatures);
    let why = "indeterminate: no signed DNSKEY records of . are handed over, so nothing can be validated";
    check(&world, &[("example.org", RecordType::MX, why)]);
}

#[test]
fn an_anchor_below_the_root_is_used_and_a_wrong_one_is_bogus() {
    let world = usual(Proofs::Nsec);
    let RData::DNSSEC(hickory_proto::dnssec::rdata::DNSSECRData::DS(ds)) = world.zones[2].ds().data else { panic!() };
    let digest = data_encoding::HEXUPPER.encode(ds.digest());
    let anchored = world.trusting(&format!("example.org. 300 IN DS {} 15 2 {digest}", ds.key_tag()));
    let validation = validate(&anchored, &world, "mx.example.org", RecordType::A);
    assert_eq!(validation.state, Observed::Present(Security::Secure));
    assert!(!world.asked.lock().unwrap().contains_key(&(Name::root(), RecordType::DNSKEY.0)));
    let wrong = world.trusting(&format!("example.org. DS {} 15 2 {}", ds.key_tag(), "00".repeat(32)));
    let validation = validate(&wrong, &world, "mx.example.org", RecordType::A);
    assert_eq!(validation.reason.as_deref(), Some("no DNSKEY of example.org matches the trust anchor"));
    assert_eq!(validation.state, Observed::Present(Security::Bogus));
}

#[test]
fn case_109_a_question_without_answer_leaves_the_state_unknown() {
    let servfail = |message: &mut WireMessage| message.metadata.response_code = ResponseCode::ServFail;
    let refused = |message: &mut WireMessage| message.metadata.response_code = ResponseCode::Refused;
    let world = usual(Proofs::Nsec)
        .silent("mx.example.org", RecordType::A)
        .spoil("example.org", RecordType::MX, servfail)
        .spoil("example.org", RecordType::TXT, refused);
    check(&world, &[("mx.example.org", RecordType::A, "unknown dns-timeout: no answer within 5 s")]);
    assert!(line(&world, "example.org", RecordType::MX).starts_with("unknown dns-servfail: "));
    assert!(line(&world, "example.org", RecordType::TXT).starts_with("unknown dns-refused: "));
    for rtype in [RecordType::DS, RecordType::DNSKEY] {
        let world = usual(Proofs::Nsec).silent("example.org", rtype);
        check(&world, &[("mx.example.org", RecordType::A, "unknown dns-timeout: no answer within 5 s")]);
    }
}

#[test]
fn case_110_too_many_iterations_prove_nothing_and_unknown_algorithms_are_unsigned() {
    let world = usual(Proofs::Nsec3 { iterations: 151, opt_out: false });
    let why = "insecure: NSEC3 with 151 iterations is not evaluated (RFC 9276 section 3.2)";
    check(
        &world,
        &[
            ("nobody.example.org", RecordType::A, why),
            ("example.org", RecordType::CAA, why),
            ("example.org", RecordType::MX, "secure"),
        ],
    );
    check(
        &usual(Proofs::Nsec3 { iterations: 150, opt_out: false }),
        &[("nobody.example.org", RecordType::A, "secure")],
    );
    let mut world = usual(Proofs::Nsec);
    let org = world.zone("org");
    org.records.retain(|record| record.record_type() != WireType::DS);
    use hickory_proto::dnssec::rdata::{DNSSECRData, DS};
    use hickory_proto::dnssec::{Algorithm, DigestType};
    let ds = DS::new(1, Algorithm::Unknown(16), DigestType::SHA256, vec![0; 32]);
    org.records.push(hickory_proto::rr::Record::from_rdata(
        wire("example.org"),
        300,
        RData::DNSSEC(DNSSECRData::DS(ds)),
    ));
    let why = "insecure: no DS record of example.org has an algorithm and a digest type that can be checked";
    check(&world, &[("example.org", RecordType::MX, why)]);
}

#[test]
fn all_keys_are_asked_for_at_the_start_and_once() {
    let world = usual(Proofs::Nsec);
    let validator = world.validator();
    validate(&validator, &world, "example.org", RecordType::MX);
    let asked = std::mem::take(&mut *world.asked.lock().unwrap());
    assert_eq!(asked.len(), 6, "the answer, the root's keys, and DS and DNSKEY of two zones: {asked:?}");
    assert!(asked.values().all(|before| *before == 0), "{asked:?}");
    let validation = validate(&validator, &world, "mx.example.org", RecordType::A);
    assert_eq!(validation.state, Observed::Present(Security::Secure));
    assert_eq!(world.asked.lock().unwrap().len(), 1);
    // Keys that could not be asked for are asked for again.
    let world = usual(Proofs::Nsec).silent("org", RecordType::DNSKEY);
    let validator = world.validator();
    let validation = validate(&validator, &world, "example.org", RecordType::MX);
    assert_eq!(validation.state, Observed::Unknown(Cause::DnsTimeout));
    let mut world = world;
    world.silent.clear();
    let validation = validate(&validator, &world, "example.org", RecordType::MX);
    assert_eq!(validation.state, Observed::Present(Security::Secure));
}

#[test]
fn unsigned_delegations_above_end_the_chain_for_everything_below() {
    let world = usual(Proofs::Nsec).with(TestZone::new("net", Proofs::Unsigned, vec![ns("example.net")]));
    let mut world = world;
    world.zones.push(TestZone::new("example.net", Proofs::Nsec, vec![mx("example.net", "mx.example.org")]));
    check(&world, &[("example.net", RecordType::MX, "insecure: . proves that net has no DS record")]);
}
