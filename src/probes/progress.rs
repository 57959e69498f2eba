//! How far a session with a mailbox service came: the steps that IMAP and POP3 have in common.
//!
//! A session can end at any step. What it showed until then stays seen; what it did not get to is unknown for the reason
//! that ended it. So every observation starts empty and is filled once.

use std::time::Duration;

use super::session::Session;
use super::tls::Handshake;
use super::{Failure, Greeting, Noted, Opening, Seen};
use crate::diag::Span;
use crate::facts::Cause;

/// Most lines of one reply, so that a server that never comes to an end costs little.
pub(super) const MOST_LINES: usize = 200;

/// What a session showed so far.
#[derive(Default)]
pub(super) struct Progress {
    greeting: Option<Seen<Greeting>>,
    starttls_offered: Option<Seen<bool>>,
    starttls_negotiated: Option<Seen<bool>>,
    injection: Option<Seen<bool>>,
    tls_required: Option<Seen<bool>>,
    handshake: Option<Result<(Handshake, Span), Failure>>,
}

impl Progress {
    /// The greeting was read.
    pub(super) fn greeted(&mut self, text: String, delay: Duration, span: Span) {
        let greeting = Greeting { code: None, lines: vec![text], delay };
        self.greeting = Some(Ok(Noted { value: greeting, span }));
    }

    /// STARTTLS is advertised, or not; then nothing can be negotiated.
    pub(super) fn offered(&mut self, value: bool, span: Span) {
        self.starttls_offered = Some(Ok(Noted { value, span }));
        if !value {
            let note = "STARTTLS is not offered".to_owned();
            self.no_starttls(Failure { cause: Cause::NotCollected, note, span });
        }
    }

    /// Whether nobody can log in without TLS is known, or why not.
    pub(super) fn required(&mut self, required: Seen<bool>) {
        self.tls_required = Some(required);
    }

    /// The server does not take the command.
    pub(super) fn refused(&mut self, session: &mut Session<'_>, span: Span, text: &str) -> Failure {
        self.starttls_negotiated = Some(Ok(Noted { value: false, span }));
        let failure =
            session.failure(Cause::TlsHandshake, &format!("the server refuses STARTTLS: {}", shortened(text)));
        self.no_starttls(failure.clone());
        failure
    }

    /// Nothing follows on STARTTLS, for a reason.
    pub(super) fn no_starttls(&mut self, failure: Failure) {
        self.starttls_negotiated.get_or_insert(Err(failure.clone()));
        self.injection.get_or_insert(Err(failure.clone()));
        self.handshake.get_or_insert(Err(failure));
    }

    /// Steps into TLS after the server took the command.
    pub(super) async fn start_tls(&mut self, session: &mut Session<'_>) -> Result<(), Failure> {
        match session.start_tls().await {
            Ok((handshake, span)) => {
                self.starttls_negotiated = Some(Ok(Noted { value: true, span }));
                self.handshake = Some(Ok((handshake, span)));
                Ok(())
            }
            Err(failure) => {
                // Silence does not say whether the server would have completed the handshake; breaking it off does.
                if failure.cause == Cause::TlsHandshake {
                    self.starttls_negotiated = Some(Ok(Noted { value: false, span: failure.span }));
                }
                Err(failure)
            }
        }
    }

    /// Steps into TLS from the first byte (RFC 8314 section 3).
    pub(super) async fn implicit_tls(&mut self, session: &mut Session<'_>) -> Result<(), Failure> {
        let (handshake, span) = session.start_tls().await?;
        self.handshake = Some(Ok((handshake, span)));
        let failure = tls_comes_first(span);
        self.starttls_offered = Some(Err(failure.clone()));
        self.tls_required = Some(Err(failure.clone()));
        self.no_starttls(failure);
        Ok(())
    }

    /// The session ended; what it did not get to is unknown for the reason that ended it.
    pub(super) fn end(self, connected: Span, end: &Failure) -> Opening {
        fn or<T>(seen: Option<Result<T, Failure>>, end: &Failure) -> Result<T, Failure> {
            seen.unwrap_or_else(|| Err(end.clone()))
        }
        Opening {
            reached: Ok(Noted { value: (), span: connected }),
            greeting: or(self.greeting, end),
            starttls_offered: or(self.starttls_offered, end),
            starttls_negotiated: or(self.starttls_negotiated, end),
            injection: or(self.injection, end),
            tls_required: or(self.tls_required, end),
            handshake: or(self.handshake, end),
        }
    }
}

/// Why nothing is known of a time before TLS.
pub(super) fn tls_comes_first(span: Span) -> Failure {
    Failure { cause: Cause::NotCollected, note: "TLS comes from the first byte".to_owned(), span }
}

/// Whether a response code says that the server would serve at another time: `UNAVAILABLE`, `INUSE` and `LIMIT` (RFC
/// 5530 section 3), `IN-USE` and `LOGIN-DELAY` (RFC 2449 section 8.1), `SYS/TEMP` (RFC 3206 section 4).
pub(super) fn is_transient(code: &str) -> bool {
    ["UNAVAILABLE", "INUSE", "LIMIT", "IN-USE", "LOGIN-DELAY", "SYS/TEMP"]
        .iter()
        .any(|transient| code.eq_ignore_ascii_case(transient))
}

/// A line of the server for a sentence of ours: not too long. Reports escape it.
pub(super) fn shortened(text: &str) -> String {
    const MOST: usize = 80;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}
