//! Asking what a round has missed, everything at the same time.
//!
//! What nobody has asked yet goes out as one batch to the first resolver. Everything else, and what that resolver did not
//! answer well, goes its own way beside it: attempts, other resolvers, aliases that lead on.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt as _, future};

use super::batch::{self, Batch};
use super::cell::{Cell, Claim};
use super::resolve::{self, Known, Route};
use super::{Live, Request, Validated};
use crate::mail::Name;
use crate::sources::RecordType;

/// Most questions of one batch: a round of one domain has about twenty.
const MOST_TOGETHER: usize = 64;

/// What is to be done in a round.
#[derive(Default)]
struct Work {
    /// What nobody has asked yet.
    questions: Vec<Question>,
    /// What must be asked in another way.
    others: Vec<Request>,
    /// What needs nothing but answers to these questions.
    after: Vec<Request>,
}

/// A question that nobody else asks.
struct Question {
    name: Name,
    rtype: RecordType,
    claim: Claim<Known>,
}

impl Live {
    /// Asks what is not known yet, everything at the same time within the limits of the options. Every request is known
    /// afterwards, if only as unknown with its cause.
    pub(super) async fn fetch(&self, requests: Vec<Request>) {
        let Work { questions, others, after } = self.divide(requests);
        future::join(self.ask_together(questions), self.answer_all(others)).await;
        self.answer_all(after.into_iter().filter(|request| !self.follows_at_once(request)).collect()).await;
    }

    /// Finds out the state of an answer, if it follows from what is known without any question.
    fn follows_at_once(&self, request: &Request) -> bool {
        let Request::Validation { name, rtype, answer, cell } = request else { return false };
        let message = answer.get().filter(|known| known.gives_data()).and_then(|known| known.message.as_ref());
        let Some(validation) = message.and_then(|message| self.validator.at_once(message, name, *rtype)) else {
            return false;
        };
        let Some(claim) = cell.claim() else { return false };
        claim.fill(Validated { validation, answers: [Some(Arc::clone(answer)), None] });
        true
    }

    /// Divides requests by the way in which they are asked.
    fn divide(&self, requests: Vec<Request>) -> Work {
        let mut work = Work::default();
        // Questions to resolvers that are not our own wait for their turn, each for itself; and somebody must be there.
        if !self.pace.is_free() || self.resolvers.is_empty() {
            work.others = requests;
            return work;
        }
        work.questions.reserve(requests.len());
        for request in requests {
            let question = |name: &Name, rtype, cell: &Arc<Cell<Known>>| {
                cell.claim().map(|claim| Question { name: name.clone(), rtype, claim })
            };
            match &request {
                Request::Question { name, rtype, route: Route::Resolvers, cell } => {
                    match question(name, *rtype, cell) {
                        Some(question) => work.questions.push(question),
                        None => work.others.push(request),
                    }
                }
                // Where the chain of keys is known to end above, a validation needs the answer and nothing else.
                Request::Validation { name, rtype, answer, .. } if self.validator.knows_end(name, *rtype) => {
                    work.questions.extend(question(name, *rtype, answer));
                    work.after.push(request);
                }
                _ => work.others.push(request),
            }
        }
        work
    }

    /// Answers requests each for itself. Those that need not wait are done with at once.
    async fn answer_all(&self, requests: Vec<Request>) {
        let mut running = Vec::new();
        for request in requests {
            let mut answer = Box::pin(self.answer(request));
            if future::poll_immediate(&mut answer).await.is_none() {
                running.push(answer);
            }
        }
        all(running).await;
    }

    /// Asks the first resolver all questions, as many at a time as may be in flight. What is not answered well is asked
    /// again, and aliases are followed.
    async fn ask_together(&self, mut questions: Vec<Question>) {
        let Some(resolver) = self.resolvers.first() else { return };
        let most = self.options.concurrency.min(MOST_TOGETHER);
        let (mut running, mut aliases) = (Vec::new(), Vec::new());
        while !questions.is_empty() {
            let later = questions.split_off(questions.len().min(most));
            let mut batch = Batch::new(&resolver.pool, &self.permits, questions.len());
            let Ok(()) = batch.wait_for_turn(questions.len()).await else { return };
            let mut sent = Vec::with_capacity(questions.len());
            for asked in std::mem::replace(&mut questions, later) {
                match batch.send(resolve::question(&asked.name, asked.rtype), &self.random) {
                    true => sent.push(asked),
                    false => running.push(Box::pin(self.go_on(asked, None))),
                }
            }
            for (asked, reply) in sent.into_iter().zip(batch.replies(self.wait(0)).await) {
                match self.take(&asked.name, asked.rtype, reply) {
                    Ok(known) if known.said.onward.is_none() => asked.claim.fill(known),
                    Ok(known) => {
                        let Question { name, rtype, claim } = asked;
                        let cell = claim.cell();
                        claim.fill(known);
                        aliases.push(Request::Question { name, rtype, route: Route::Resolvers, cell });
                    }
                    Err(reply) => running.push(Box::pin(self.go_on(asked, Some(reply)))),
                }
            }
        }
        future::join(self.answer_all(aliases), all(running)).await;
    }

    /// Goes on where the first attempt was not enough, or was not possible.
    async fn go_on(&self, asked: Question, reply: Option<batch::Outcome>) {
        let Question { name, rtype, claim } = asked;
        let cell = claim.cell();
        claim.fill(self.find_out(&name, rtype, Route::Resolvers, reply).await);
        self.look_up(name, rtype, Route::Resolvers, cell).await;
    }
}

/// Waits for all of them. Mostly there are none, and nothing is set up for these.
async fn all<F: Future<Output = ()>>(running: Vec<Pin<Box<F>>>) {
    if running.is_empty() {
        return;
    }
    let mut running: FuturesUnordered<_> = running.into_iter().collect();
    while running.next().await.is_some() {}
}
