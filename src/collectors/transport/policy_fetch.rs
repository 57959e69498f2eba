//! The MTA-STS policy: how it was fetched, and what it says, from the fetch or from a file that the inventory names.

use std::borrow::Cow;
use std::ops::Range;

use crate::collectors::Context;
use crate::collectors::context::Missing;
use crate::diag::{FileId, Span};
use crate::facts::domain::{DnsFacts, MtaStsFetchFacts, MtaStsMode, MtaStsPolicyFacts, Seconds};
use crate::facts::{Cause, Fact, Method, Observed, Proof, Provenance};
use crate::mail::{Name, mta_sts};
use crate::probes::Failure;
use crate::probes::https::{PolicyFetch, PolicyResponse};

/// How the policy was fetched. Unknown when this run fetched none.
pub(super) fn fetch(context: &Context<'_>, name: &Name, policy_host: &Fact<bool>) -> MtaStsFetchFacts {
    let Some(fetch) = fetch_of(context, name) else { return MtaStsFetchFacts::default() };
    match &fetch.result {
        Ok(response) => answered(response),
        Err(failure) => failed(failure, policy_host),
    }
}

fn fetch_of<'c>(context: &'c Context<'_>, name: &Name) -> Option<&'c PolicyFetch> {
    context.fetches.iter().find(|fetch| fetch.domain == *name)
}

fn answered(response: &PolicyResponse) -> MtaStsFetchFacts {
    let head = Some(response.head);
    let reason = objection(response);
    // RFC 8461 section 3.3: 3xx are redirects, followed or not.
    let redirected = (300..400).contains(&response.status);
    MtaStsFetchFacts {
        fetchable: Fact::present(reason.is_none(), Method::Https, head),
        error: match reason {
            Some(reason) => Fact::present(reason, Method::Https, head),
            None => Fact::absent(Proof::NotStated, Method::Https, head),
        },
        status: Fact::present(i64::from(response.status), Method::Https, head),
        redirected: Fact::present(redirected, Method::Https, head),
        certificate_valid: Fact::present(response.certificate_error.is_none(), Method::Https, head),
        media_type: match &response.content_type {
            Some(value) => {
                // RFC 9110 section 8.3.1: type and subtype in any case, then parameters.
                let media = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
                Fact::present(media, Method::Https, head)
            }
            None => Fact::absent(Proof::NotStated, Method::Https, head),
        },
        size: if response.cut {
            let note = format!("the document is longer than {} octets", response.body.len());
            Fact::unknown(Cause::LimitReached, Some(note.into()), Some(response.body_span))
        } else {
            Fact::present(octets(response.body.len()), Method::Https, Some(response.body_span))
        },
    }
}

/// Why senders do not take the response as a policy (RFC 8461 section 3.3).
fn objection(response: &PolicyResponse) -> Option<String> {
    if let Some(error) = &response.certificate_error {
        return Some(format!("the certificate is {error}"));
    }
    match (response.status, &response.location) {
        (300..400, Some(target)) => return Some(format!("a redirect to {target}, which must not be followed")),
        (200, _) => {}
        (status, _) => return Some(format!("the status is {status}, not 200")),
    }
    response.cut.then(|| format!("the document is longer than {} octets", response.body.len()))
}

/// Nothing came back. A server that was reached and completes no handshake, and a policy host without addresses, give
/// no sender a policy; everything else is not known.
fn failed(failure: &Failure, policy_host: &Fact<bool>) -> MtaStsFetchFacts {
    let no_host = policy_host.observed == Observed::Present(false);
    let mut facts = MtaStsFetchFacts {
        fetchable: unseen(failure),
        error: unseen(failure),
        status: unseen(failure),
        redirected: unseen(failure),
        certificate_valid: unseen(failure),
        media_type: unseen(failure),
        size: unseen(failure),
    };
    if no_host || failure.cause == Cause::TlsHandshake {
        let span = if no_host { policy_host.from.span.or(Some(failure.span)) } else { Some(failure.span) };
        facts.fetchable = Fact::present(false, Method::Https, span);
        facts.error = Fact::present(failure.note.clone(), Method::Https, span);
    }
    facts
}

fn unseen<T>(failure: &Failure) -> Fact<T> {
    let note = Some(failure.note.as_str().into());
    Fact {
        observed: Observed::Unknown(failure.cause),
        from: Provenance { method: Method::Https, span: Some(failure.span), note, evidence: None },
    }
}

fn octets(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// The text of a policy and where it stands.
struct Document<'t> {
    text: Cow<'t, str>,
    file: FileId,
    /// Where the text begins in the file.
    start: u32,
    method: Method,
}

/// The policy document: as fetched, or from the file that the inventory names where nothing was fetched.
pub(super) fn policy(context: &Context<'_>, name: &Name, dns: &DnsFacts) -> MtaStsPolicyFacts {
    if let Some(fetch) = fetch_of(context, name) {
        return match &fetch.result {
            Ok(response) => fetched(response, dns),
            Err(failure) => unread(&unseen::<()>(failure)),
        };
    }
    if let Some(file) = context.policies.iter().find(|file| file.domain == *name) {
        let text = Cow::Borrowed(file.text.as_str());
        return said(&Document { text, file: file.file, start: 0, method: Method::Inventory }, dns);
    }
    let note = "the policy is served over HTTPS, which this run does not fetch";
    unread(&Fact::unknown(Cause::NotCollected, Some(note.into()), None))
}

/// What a response says. A document that senders do not get, since its certificate is not valid, is still read: what it
/// says is a fact of its own.
fn fetched(response: &PolicyResponse, dns: &DnsFacts) -> MtaStsPolicyFacts {
    if response.status != 200 {
        let note = format!("no policy came back, but the status {}", response.status);
        return unread(&Fact::unknown(Cause::Protocol, Some(note.into()), Some(response.head)));
    }
    if response.cut {
        let note = format!("the document is longer than {} octets", response.body.len());
        return unread(&Fact::unknown(Cause::LimitReached, Some(note.into()), Some(response.body_span)));
    }
    let text = match std::str::from_utf8(&response.body) {
        Ok(text) => Cow::Borrowed(text),
        // Octet by octet, so that places in the text are places in the body.
        Err(_) => Cow::Owned(
            response.body.iter().map(|octet| if octet.is_ascii() { char::from(*octet) } else { '?' }).collect(),
        ),
    };
    let Span { file, start, .. } = response.body_span;
    said(&Document { text, file, start, method: Method::Https }, dns)
}

/// Facts of a policy that could not be read, all for the reason of `why`.
fn unread(why: &Fact<()>) -> MtaStsPolicyFacts {
    fn missing<T>(why: &Fact<()>) -> Fact<T> {
        let observed = match why.observed {
            Observed::Unknown(cause) => Observed::Unknown(cause),
            Observed::Absent(proof) => Observed::Absent(proof),
            Observed::Present(()) => Observed::Unknown(Cause::NotCollected),
        };
        Fact { observed, from: why.from.clone() }
    }
    MtaStsPolicyFacts {
        valid: missing(why),
        error: missing(why),
        mode: missing(why),
        max_age: missing(why),
        mx: missing(why),
        uncovered_mx: missing(why),
    }
}

fn said(document: &Document<'_>, dns: &DnsFacts) -> MtaStsPolicyFacts {
    let policy = mta_sts::parse_policy(&document.text);
    let span = |range: &Range<usize>| {
        let at = |offset: usize| document.start.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX));
        Some(Span::new(document.file, at(range.start), at(range.end)))
    };
    let whole = span(&(0..document.text.lines().next().map_or(0, str::len)));
    let nothing = Missing::absent(Proof::NotStated, whole);
    let present_at = |range: &Option<Range<usize>>| range.as_ref().and_then(span).or(whole);
    let problem = policy.problems.first();
    let method = document.method;
    MtaStsPolicyFacts {
        valid: Fact::present(problem.is_none(), method, problem.and_then(|problem| span(&problem.range)).or(whole)),
        error: match problem {
            Some(problem) => Fact::present(problem.reason.clone(), method, span(&problem.range)),
            None => nothing.fact(method),
        },
        mode: match policy.mode {
            Some(mode) => Fact::present(mode_word(mode), method, present_at(&policy.mode_range)),
            None => nothing.fact(method),
        },
        max_age: match policy.max_age.and_then(|age| i64::try_from(age).ok()) {
            Some(age) => Fact::present(Seconds(age), method, present_at(&policy.max_age_range)),
            None => nothing.fact(method),
        },
        mx: Fact::present(
            policy.mx.iter().map(|(pattern, _)| pattern.clone()).collect(),
            method,
            policy.mx.first().and_then(|(_, range)| span(range)).or(whole),
        ),
        uncovered_mx: uncovered(&policy, dns, whole),
    }
}

fn mode_word(mode: mta_sts::Mode) -> MtaStsMode {
    match mode {
        mta_sts::Mode::None => MtaStsMode::None,
        mta_sts::Mode::Testing => MtaStsMode::Testing,
        mta_sts::Mode::Enforce => MtaStsMode::Enforce,
    }
}

/// MX hosts that no pattern covers (RFC 8461 section 4.1).
fn uncovered(policy: &mta_sts::Policy, dns: &DnsFacts, whole: Option<Span>) -> Fact<Vec<Name>> {
    match &dns.mx.observed {
        Observed::Unknown(cause) => Fact { observed: Observed::Unknown(*cause), from: dns.mx.from.clone() },
        Observed::Absent(_) => Fact::present(Vec::new(), Method::Derived, whole),
        Observed::Present(rows) => {
            let mut hosts = Vec::new();
            for row in &rows.0 {
                match &row.host.observed {
                    Observed::Present(host) if host.is_root() => {}
                    Observed::Present(host) => {
                        if !policy.mx.iter().any(|(pattern, _)| mta_sts::mx_matches(pattern, host)) {
                            hosts.push(host.clone());
                        }
                    }
                    Observed::Absent(_) => {}
                    Observed::Unknown(cause) => {
                        return Fact { observed: Observed::Unknown(*cause), from: row.host.from.clone() };
                    }
                }
            }
            Fact::present(hosts, Method::Derived, whole)
        }
    }
}
