//! The fetch of an MTA-STS policy over HTTPS (RFC 8461 section 3.3).

use std::net::SocketAddr;

use super::{Failure, Settings};
use crate::diag::Span;
use crate::facts::Recorder;
use crate::mail::Name;

/// The fetch of one domain's policy.
#[derive(Debug, Clone)]
pub struct PolicyFetch {
    /// The domain whose policy it is.
    pub domain: Name,
    /// What came back, or why nothing did.
    pub result: Result<PolicyResponse, Failure>,
}

/// An HTTP response to the request for a policy.
#[derive(Debug, Clone)]
pub struct PolicyResponse {
    /// Status code.
    pub status: u16,
    /// Target of a redirect, which is not followed.
    pub location: Option<String>,
    /// Value of `Content-Type`.
    pub content_type: Option<String>,
    /// Why the certificate is not valid for the policy host; `None` when it is.
    pub certificate_error: Option<String>,
    /// The body; cut at the limit of RFC 8461 section 3.3 (64 KiB).
    pub body: Vec<u8>,
    /// Whether the body was longer than the limit.
    pub cut: bool,
    /// The head of the response in its file.
    pub head: Span,
    /// The body in its file.
    pub body_span: Span,
}

/// Fetches `https://mta-sts.<domain>/.well-known/mta-sts.txt` from one of the addresses, tried in order.
pub async fn fetch_policy(
    domain: &Name,
    _addresses: &[SocketAddr],
    _settings: &Settings,
    recorder: &Recorder,
) -> PolicyFetch {
    let file = recorder.reserve("https");
    let span = Span::new(file, 0, 0);
    let failure = Failure { cause: crate::facts::Cause::NotCollected, note: "not fetched".to_owned(), span };
    PolicyFetch { domain: domain.clone(), result: Err(failure) }
}
