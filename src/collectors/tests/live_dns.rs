//! Live questions that are left out because another answer proves theirs, and those that must not be left out.

use super::fake::Fake;
use crate::facts::Cause;
use crate::sources::RecordType;

#[test]
fn a_name_that_does_not_exist_is_not_asked_for_other_types() {
    let fake = Fake::new(&["example.org"], "example.org A 9.9.9.9\n");
    for (at, first, second) in
        [("*.example.org", RecordType::TXT, RecordType::MX), ("mta-sts.example.org", RecordType::A, RecordType::AAAA)]
    {
        assert!(fake.asks("example.org", at, first) && !fake.asks("example.org", at, second), "{at}");
    }
    fake.check("example.org", &[("dns.wildcard_mx", "false"), ("mta_sts.policy_host", "false")]);
}

#[test]
fn other_proofs_are_no_proof_for_other_types() {
    // The name exists; or its target does not, which is another name; or it is not known.
    let records = "*.example.org MX 10 a.example.org\nmta-sts.example.org AAAA 2001:4860::1\n";
    let fake = Fake::new(&["example.org"], records);
    fake.check(
        "example.org",
        &[
            ("dns.wildcard_mx", "true «*.example.org MX 10 a.example.org»"),
            ("mta_sts.policy_host", "true «mta-sts.example.org AAAA 2001:4860::1»"),
        ],
    );
    let alias = Fake::new(&["example.org"], "mta-sts.example.org CNAME gone.example.org\n");
    assert!(alias.asks("example.org", "mta-sts.example.org", RecordType::AAAA));
    let silent = Fake::new(&["example.org"], records).fail("mta-sts.example.org", RecordType::A, Cause::DnsTimeout);
    assert!(silent.asks("example.org", "mta-sts.example.org", RecordType::AAAA));
    // What has not been asked yet is not decided by the second question.
    let early = Fake::new(&["example.org"], records).fail("*.example.org", RecordType::TXT, Cause::NotCollected);
    assert!(!early.asks("example.org", "*.example.org", RecordType::MX));
    assert!(early.line("example.org", "dns.wildcard_mx").starts_with("unknown not-collected"));
}

#[test]
fn a_name_with_answers_of_its_own_is_no_alias() {
    for records in ["example.org A 9.9.9.9\n", "example.org MX 10 a.example.org\n", "a.example.org A 9.9.9.9\n"] {
        let fake = Fake::new(&["example.org"], records);
        assert!(!fake.asks("example.org", "example.org", RecordType::CNAME), "{records}");
        assert!(fake.line("example.org", "dns.cname").starts_with("absent "), "{records}");
        assert!(fake.line("example.org", "dns.cname_mixed").starts_with("false"), "{records}");
    }
    let alias = Fake::new(&["example.org"], "example.org CNAME a.example.net\na.example.net A 9.9.9.9\n");
    assert!(alias.asks("example.org", "example.org", RecordType::CNAME));
    assert!(alias.line("example.org", "dns.cname").starts_with("a.example.net "));
    // A server that gives an address beside the alias still gives itself away by the other type.
    let mixed = Fake::new(&["example.org"], "example.org CNAME a.example.net\nexample.org A 9.9.9.9\n");
    assert!(mixed.line("example.org", "dns.cname_mixed").starts_with("true "));
    let silent = Fake::new(&["example.org"], "example.org MX 10 a.example.org\n");
    let silent = silent.fail("example.org", RecordType::AAAA, Cause::DnsServfail);
    assert!(silent.asks("example.org", "example.org", RecordType::CNAME));
}
