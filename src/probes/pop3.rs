//! Pop3 sessions.

use super::session::Session;
use super::{Endpoint, Opening, Settings};
use crate::facts::Recorder;

/// What was seen of one Pop3 service.
#[derive(Debug, Clone)]
pub struct Pop3Probe {
    /// Connection, greeting and the step into TLS.
    pub opening: Opening,
}

/// Holds the sessions.
pub async fn probe(endpoint: &Endpoint, settings: &Settings, recorder: &Recorder) -> Pop3Probe {
    let deadline = tokio::time::Instant::now() + settings.service_timeout;
    let failure = match Session::open(endpoint, settings, recorder, "pop3", deadline).await {
        Err(failure) => failure,
        Ok(mut session) => {
            let failure = session.failure(crate::facts::Cause::NotCollected, "not built yet");
            session.abandon();
            failure
        }
    };
    Pop3Probe { opening: Opening::failed(&failure) }
}
