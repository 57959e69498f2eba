//! Smtp sessions.

use super::{Endpoint, Settings};
use crate::facts::Recorder;

/// What was seen of one Smtp service.
#[derive(Debug, Clone)]
pub struct SmtpProbe {}

/// Holds the sessions.
pub async fn probe(_endpoint: &Endpoint, _settings: &Settings, _recorder: &Recorder) -> SmtpProbe {
    SmtpProbe {}
}
