//! The rate at which one server is asked: a question waits for its turn, turns are spread evenly.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hashbrown::HashMap;
use tokio::time::{Instant, sleep_until};

/// Servers that are remembered; beyond, those whose turn is free are forgotten.
const SERVERS: usize = 10_000;

/// Turns of all servers.
#[derive(Debug)]
pub(super) struct Pace {
    /// Between two questions; `None` without limit.
    interval: Option<Duration>,
    next: Mutex<HashMap<SocketAddr, Instant>>,
}

impl Pace {
    /// At most `rate` questions in a second to each server.
    pub(super) fn new(rate: Option<u32>) -> Pace {
        let interval = rate.map(|rate| Duration::from_secs(1) / rate.max(1));
        Pace { interval, next: Mutex::default() }
    }

    /// Whether nobody ever waits.
    pub(super) fn is_free(&self) -> bool {
        self.interval.is_none()
    }

    /// Waits for the next turn of a server.
    pub(super) async fn turn(&self, server: SocketAddr) {
        let Some(interval) = self.interval else { return };
        let (now, turn) = (Instant::now(), self.take(server, interval));
        if turn > now {
            sleep_until(turn).await;
        }
    }

    fn take(&self, server: SocketAddr, interval: Duration) -> Instant {
        let now = Instant::now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.len() >= SERVERS {
            next.retain(|_, turn| *turn > now);
        }
        let free = next.entry(server).or_insert(now);
        let turn = (*free).max(now);
        *free = turn + interval;
        turn
    }
}
