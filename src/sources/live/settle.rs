//! Rounds: a plain function is run, what it missed is asked, and it is run again, until it misses nothing.

use super::view::Used;
use super::{Live, View};

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

/// Runs a function until everything that it looks up is known. It must start afresh in every run. What is still missing
/// after the last round is unknown because a limit was reached.
pub async fn settle<T>(live: &Live, run: impl Fn(&View<'_>) -> T) -> Settled<T> {
    for rounds in 0..ROUNDS {
        let missing = {
            let view = live.view();
            let value = run(&view);
            let missing = view.take_missing();
            if missing.is_empty() {
                return Settled { value, used: view.used(), rounds };
            }
            missing
        };
        live.fetch(missing).await;
    }
    let view = live.last_view();
    let value = run(&view);
    Settled { value, used: view.used(), rounds: ROUNDS }
}
