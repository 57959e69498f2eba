use super::{World, name, org};
use crate::diag::Span;
use crate::facts::Cause;
use crate::probes::Failure;
use crate::probes::https::{PolicyFetch, PolicyResponse};

const GOOD: &str =
    "version: STSv1\r\nmode: enforce\r\nmx: *.example.org\r\nmx: mail.example.net\r\nmax_age: 604800\r\nnew: x\r\n";

impl World {
    /// The fetch of a policy that came back with a status and a body; `change` sets what else matters.
    fn fetched(mut self, status: u16, body: &str, change: impl FnOnce(&mut PolicyResponse)) -> World {
        let file = self.files.add("https", format!("HEAD\n\n{body}"));
        let mut response = PolicyResponse {
            status,
            location: None,
            content_type: Some("Text/Plain; charset=utf-8".to_owned()),
            certificate_error: None,
            body: body.as_bytes().to_vec(),
            cut: false,
            head: Span::new(file, 0, 4),
            body_span: Span::new(file, 6, 6 + u32::try_from(body.len()).unwrap()),
        };
        change(&mut response);
        self.fetches.push(PolicyFetch { domain: name("example.org"), result: Ok(response) });
        self
    }

    fn unfetched(mut self, cause: Cause, note: &str) -> World {
        let file = self.files.add("https", note);
        let span = Span::new(file, 0, u32::try_from(note.len()).unwrap());
        let result = Err(Failure { cause, note: note.to_owned(), span });
        self.fetches.push(PolicyFetch { domain: name("example.org"), result });
        self
    }
}

#[test]
fn case_96_a_fetched_policy_is_read_where_it_stands() {
    org("@ MX 10 ns1\n").fetched(200, GOOD, |_| {}).check(
        "example.org",
        &[
            ("mta_sts.fetch.fetchable", "true «HEAD»"),
            ("mta_sts.fetch.error", "absent not-stated «HEAD»"),
            ("mta_sts.fetch.status", "200 «HEAD»"),
            ("mta_sts.fetch.redirected", "false «HEAD»"),
            ("mta_sts.fetch.certificate_valid", "true «HEAD»"),
            ("mta_sts.fetch.media_type", "text/plain «HEAD»"),
            ("mta_sts.fetch.size", &format!("{} «{GOOD}»", GOOD.len())),
            ("mta_sts.policy.valid", "true «version: STSv1»"),
            ("mta_sts.policy.mode", "enforce «enforce»"),
            ("mta_sts.policy.max_age", "604800 «604800»"),
            ("mta_sts.policy.mx", "[*.example.org, mail.example.net] «*.example.org»"),
        ],
    );
}

#[test]
fn case_97_what_senders_do_not_take_is_no_absent_policy() {
    let redirect = |response: &mut PolicyResponse| response.location = Some("https://other.example/".to_owned());
    org("").fetched(302, "", redirect).check(
        "example.org",
        &[
            ("mta_sts.fetch.fetchable", "false «HEAD»"),
            ("mta_sts.fetch.error", "a redirect to https://other.example/, which must not be followed «HEAD»"),
            ("mta_sts.fetch.redirected", "true «HEAD»"),
            ("mta_sts.policy.valid", "unknown protocol: no policy came back, but the status 302"),
        ],
    );
    org("").fetched(404, "no", |_| {}).check(
        "example.org",
        &[
            ("mta_sts.fetch.fetchable", "false «HEAD»"),
            ("mta_sts.fetch.error", "the status is 404, not 200 «HEAD»"),
            ("mta_sts.policy.mode", "unknown protocol: no policy came back, but the status 404"),
        ],
    );
    let untrusted =
        |response: &mut PolicyResponse| response.certificate_error = Some("not trusted: self-signed".to_owned());
    org("").fetched(200, GOOD, untrusted).check(
        "example.org",
        &[
            ("mta_sts.fetch.fetchable", "false «HEAD»"),
            ("mta_sts.fetch.error", "the certificate is not trusted: self-signed «HEAD»"),
            ("mta_sts.fetch.certificate_valid", "false «HEAD»"),
            ("mta_sts.policy.mode", "enforce «enforce»"),
        ],
    );
    org("").fetched(200, GOOD, |response| response.content_type = None).check(
        "example.org",
        &[("mta_sts.fetch.fetchable", "true «HEAD»"), ("mta_sts.fetch.media_type", "absent not-stated «HEAD»")],
    );
    org("").fetched(200, GOOD, |response| response.cut = true).check(
        "example.org",
        &[
            ("mta_sts.fetch.fetchable", "false «HEAD»"),
            ("mta_sts.policy.valid", "unknown limit-reached: the document is longer than 97 octets"),
        ],
    );
}

#[test]
fn case_97_a_host_that_was_not_reached_leaves_the_policy_unknown() {
    let timeout = "no connection in time";
    org("mta-sts A 9.9.9.9\n").unfetched(Cause::TcpTimeout, timeout).check(
        "example.org",
        &[
            ("mta_sts.fetch.fetchable", "unknown tcp-timeout: no connection in time"),
            ("mta_sts.policy.mode", "unknown tcp-timeout: no connection in time"),
        ],
    );
    let alert = "the TLS handshake failed: alert";
    org("mta-sts A 9.9.9.9\n").unfetched(Cause::TlsHandshake, alert).check(
        "example.org",
        &[
            ("mta_sts.fetch.fetchable", "false «the TLS handshake failed: alert»"),
            ("mta_sts.fetch.error", "the TLS handshake failed: alert «the TLS handshake failed: alert»"),
            ("mta_sts.fetch.status", "unknown tls-handshake: the TLS handshake failed: alert"),
        ],
    );
    org("")
        .unfetched(Cause::Unreachable, "the policy host has no address")
        .check("example.org", &[("mta_sts.fetch.fetchable", "false «@ SOA ns1 host 1 7200 900 1209600 300»")]);
    org("").check("example.org", &[("mta_sts.fetch.fetchable", "unknown not-collected: ")]);
}

#[test]
fn case_98_a_pattern_of_a_fetched_policy_stands_for_one_label() {
    org("@ MX 10 a.mx\n@ MX 20 mx\n@ MX 30 mail.example.net.\n@ MX 40 @\n")
        .fetched(200, GOOD, |_| {})
        .check("example.org", &[("mta_sts.policy.uncovered_mx", "[a.mx.example.org, example.org] «version: STSv1»")]);
}

#[test]
fn case_99_a_fetched_policy_of_mode_none_is_being_removed() {
    org("").fetched(200, "version: STSv1\nmode: none\nmax_age: 60\n", |_| {}).check(
        "example.org",
        &[("mta_sts.policy.valid", "true «version: STSv1»"), ("mta_sts.policy.mode", "none «none»")],
    );
}

#[test]
fn what_was_fetched_stands_before_a_file() {
    org("")
        .policy("example.org", "version: STSv1\nmode: none\nmax_age: 60\n")
        .fetched(200, GOOD, |_| {})
        .check("example.org", &[("mta_sts.policy.mode", "enforce «enforce»")]);
}

#[test]
fn octets_outside_utf_8_do_not_move_the_rest() {
    let change = |response: &mut PolicyResponse| response.body = b"version: STSv1\nmode: \xfftesting\n".to_vec();
    org("")
        .fetched(200, "version: STSv1\nmode: _testing\n", change)
        .check("example.org", &[("mta_sts.policy.valid", "false «_testing»")]);
}
