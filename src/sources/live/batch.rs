//! Many questions to one resolver at the same time, with one deadline and one wake-up for all of them.
//!
//! Nearly every question is answered at once and well by the first resolver. For these a question costs a place in the
//! table of a socket and a place here, and no task, no timer and no channel. What is not answered, or not well, is handed
//! on to where attempts and transports are decided ([`super::exchange`]), which goes on as if it had asked itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{AcquireError, Notify, Semaphore};

use super::pool::{Pool, Silence};
use super::random::Random;
use super::wire::Question;

/// What came of one question.
pub(super) type Outcome = Result<Vec<u8>, Silence>;

/// Where the readers of sockets put replies.
#[derive(Debug)]
pub(super) struct Replies {
    places: Mutex<Places>,
    all: Notify,
    /// A question in flight has a permit of these, which its reply gives back.
    permits: Arc<Semaphore>,
}

#[derive(Debug)]
struct Places {
    outcomes: Vec<Option<Outcome>>,
    /// How many are still to come.
    open: usize,
}

impl Replies {
    fn with<T>(&self, act: impl FnOnce(&mut Places) -> T) -> T {
        act(&mut self.places.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes in what came of the question at a place.
    pub(super) fn put(&self, place: usize, outcome: Outcome) {
        let open = self.with(|places| match places.outcomes.get_mut(place) {
            Some(empty @ None) => {
                *empty = Some(outcome);
                places.open -= 1;
                Some(places.open)
            }
            _ => None,
        });
        if open.is_some() {
            self.permits.add_permits(1);
        }
        if open == Some(0) {
            self.all.notify_one();
        }
    }
}

/// Questions that are under way.
pub(super) struct Batch<'p> {
    pool: &'p Pool,
    replies: Arc<Replies>,
    /// Permits for questions that are not sent yet.
    spare: usize,
    /// Socket and id of each question.
    seats: Vec<(usize, u16)>,
    /// The socket for all of them, once one was sent.
    socket: Option<usize>,
}

impl<'p> Batch<'p> {
    /// A batch of so many questions.
    pub(super) fn new(pool: &'p Pool, permits: &Arc<Semaphore>, questions: usize) -> Batch<'p> {
        let places = Mutex::new(Places { outcomes: Vec::with_capacity(questions), open: 0 });
        let replies = Replies { places, all: Notify::new(), permits: Arc::clone(permits) };
        Batch { pool, replies: Arc::new(replies), spare: 0, seats: Vec::with_capacity(questions), socket: None }
    }

    /// Waits until so many questions may be in flight.
    ///
    /// # Errors
    /// The run has ended.
    pub(super) async fn wait_for_turn(&mut self, questions: usize) -> Result<(), AcquireError> {
        let count = u32::try_from(questions).unwrap_or(u32::MAX);
        // The permits are given back one by one, as replies come.
        self.replies.permits.acquire_many(count).await?.forget();
        self.spare += questions;
        Ok(())
    }

    /// Sends a question, when it is its turn; whether that was possible without waiting.
    pub(super) fn send(&mut self, question: Question, random: &Random) -> bool {
        let Some(socket) = self.socket.or_else(|| self.pool.choose(random).ok()) else { return false };
        self.socket = Some(socket);
        let place = self.seats.len();
        self.replies.with(|places| {
            places.outcomes.push(None);
            places.open += 1;
        });
        let Some(seat) = self.pool.send(question, (random, socket), (&self.replies, place)) else {
            self.replies.with(|places| {
                places.outcomes.pop();
                places.open -= 1;
            });
            return false;
        };
        self.spare = self.spare.saturating_sub(1);
        self.seats.push(seat);
        true
    }

    /// Waits for all replies, but no longer than a time. What came of each question, in the order in which they were sent.
    pub(super) async fn replies(mut self, wait: Duration) -> Vec<Outcome> {
        let all = async {
            while self.replies.with(|places| places.open > 0) {
                self.replies.all.notified().await;
            }
        };
        let _ = tokio::time::timeout(wait, all).await;
        self.end()
    }

    /// Ends the wait: gives all seats up and all permits back.
    fn end(&mut self) -> Vec<Outcome> {
        let outcomes = self.replies.with(|places| std::mem::take(&mut places.outcomes));
        let missing = outcomes.iter().filter(|outcome| outcome.is_none()).count();
        self.replies.permits.add_permits(missing + std::mem::take(&mut self.spare));
        let silence = |seat| Err(Silence::Timeout { ignored: self.pool.leave(seat, &self.replies) });
        let seats = std::mem::take(&mut self.seats).into_iter();
        seats.zip(outcomes).map(|(seat, outcome)| outcome.unwrap_or_else(|| silence(seat))).collect()
    }
}

/// Who loses interest gives everything back, too.
impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.end();
    }
}
