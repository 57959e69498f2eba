//! Rounds: a plain function is run, what it missed is asked, and it is run again, until it misses nothing.

use super::Live;
use super::view::{Used, View};

/// Most rounds of waiting; a target whose questions depend on each other further than that is not followed.
const ROUNDS: u32 = 24;

/// What a function gave when it missed nothing.
#[derive(Debug)]
pub struct Settled<T> {
    /// What it gave.
    pub value: T,
    /// Keeps the texts that the value points at.
    pub used: Used,
    /// How often the network was waited for.
    pub rounds: u32,
}

/// Runs a function until everything that it looks up is known. It may keep from one run to the next what it found while
/// nothing was missing ([`RecordSource::missed`]). What is still missing after the last round is unknown because a limit
/// was reached.
///
/// [`RecordSource::missed`]: crate::sources::RecordSource::missed
pub async fn settle<T>(live: &Live, mut run: impl FnMut(&View<'_>) -> T) -> Settled<T> {
    let view = live.view();
    for rounds in 0..ROUNDS {
        let value = run(&view);
        let missing = view.take_missing();
        if missing.is_empty() {
            return Settled { value, used: view.used(), rounds };
        }
        drop(value);
        live.fetch(missing).await;
    }
    view.end();
    let value = run(&view);
    Settled { value, used: view.used(), rounds: ROUNDS }
}
