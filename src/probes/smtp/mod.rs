//! Smtp sessions.

use super::session::Session;
use super::{Endpoint, Opening, Settings};
use crate::facts::Recorder;

/// What was seen of one Smtp service.
#[derive(Debug, Clone)]
pub struct SmtpProbe {
    /// Connection, greeting and the step into TLS.
    pub opening: Opening,
}

/// Holds the sessions.
pub async fn probe(endpoint: &Endpoint, settings: &Settings, recorder: &Recorder) -> SmtpProbe {
    let deadline = tokio::time::Instant::now() + settings.service_timeout;
    let failure = match Session::open(endpoint, settings, recorder, "smtp", deadline).await {
        Err(failure) => failure,
        Ok(mut session) => {
            let failure = session.failure(crate::facts::Cause::NotCollected, "not built yet");
            session.abandon();
            failure
        }
    };
    SmtpProbe { opening: Opening::failed(&failure) }
}
