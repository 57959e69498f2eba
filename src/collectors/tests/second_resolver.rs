//! Two resolvers that agree, differ, or fail.

use super::fake::Fake;
use crate::facts::Cause;
use crate::sources::RecordType;

const FIRST: &str = "example.org MX 10 a.example.org\nexample.org MX 20 b.example.org\nexample.org TXT v=spf1 -all\n\
    example.org TXT other=1\n_dmarc.example.org TXT v=DMARC1; p=none\na.example.org A 9.9.9.9\nb.example.org A 9.9.9.10\n";
const SAME: &str = "example.org MX 20 b.example.org\nexample.org MX 10 a.example.org\nexample.org TXT other=2\n\
    example.org TXT v=spf1 -all\n_dmarc.example.org TXT v=DMARC1; p=none\na.example.org A 9.9.9.9\nb.example.org A 9.9.9.10\n";

fn first() -> Fake {
    Fake::new(&["example.org"], FIRST)
}

#[test]
fn without_a_second_resolver_nothing_is_compared() {
    first().check("example.org", &[("second_resolver.agrees", "unknown not-collected: ")]);
}

#[test]
fn order_and_other_texts_do_not_count() {
    let fake = first().second(SAME);
    fake.check("example.org", &[("second_resolver.agrees", "true «example.org MX 20 b.example.org»")]);
    assert!(fake.line("example.org", "second_resolver.differing").starts_with("0 elements"));
}

#[test]
fn differences_are_shown_from_both_sides() {
    let fake = first().second(&SAME.replace("v=spf1 -all", "v=spf1 +all").replace("a.example.org A 9.9.9.9\n", ""));
    fake.check(
        "example.org",
        &[
            ("second_resolver.agrees", "false «example.org TXT other=2»"),
            ("second_resolver.differing[0].question", "SPF example.org «example.org TXT other=2»"),
            ("second_resolver.differing[0].first", "v=spf1 -all «example.org TXT v=spf1 -all»"),
            ("second_resolver.differing[0].second", "v=spf1 +all «example.org TXT other=2»"),
            ("second_resolver.differing[1].question", "A a.example.org"),
            ("second_resolver.differing[1].second", "no such name"),
            ("second_resolver.differing[2].question", "AAAA a.example.org"),
        ],
    );
}

#[test]
fn an_answer_that_is_missing_is_no_difference() {
    let fake = first().second(SAME).second_fails("example.org", RecordType::MX, Cause::DnsServfail);
    fake.check(
        "example.org",
        &[
            ("second_resolver.agrees", "unknown dns-servfail: example.org MX failed"),
            ("second_resolver.differing", "unknown dns-servfail: example.org MX failed"),
        ],
    );
    let fake = first().second(SAME).fail("a.example.org", RecordType::AAAA, Cause::DnsTimeout);
    fake.check("example.org", &[("second_resolver.agrees", "unknown dns-timeout: a.example.org AAAA failed")]);
    // Another difference is certain all the same.
    let fake = first().second(&SAME.replace("p=none", "p=reject"));
    let fake = fake.second_fails("example.org", RecordType::MX, Cause::DnsServfail);
    assert!(fake.line("example.org", "second_resolver.agrees").starts_with("false "));
}
