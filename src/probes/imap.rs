//! Imap sessions.

use super::{Endpoint, Settings};
use crate::facts::Recorder;

/// What was seen of one Imap service.
#[derive(Debug, Clone)]
pub struct ImapProbe {}

/// Holds the sessions.
pub async fn probe(_endpoint: &Endpoint, _settings: &Settings, _recorder: &Recorder) -> ImapProbe {
    ImapProbe {}
}
