//! Pop3 sessions.

use super::{Endpoint, Settings};
use crate::facts::Recorder;

/// What was seen of one Pop3 service.
#[derive(Debug, Clone)]
pub struct Pop3Probe {}

/// Holds the sessions.
pub async fn probe(_endpoint: &Endpoint, _settings: &Settings, _recorder: &Recorder) -> Pop3Probe {
    Pop3Probe {}
}
