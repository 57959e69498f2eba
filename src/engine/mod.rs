//! Pure judgement: facts, policy and a date in, verdicts and explanations out.
//!
//! Two passes: [`evaluate`], a fast one that allocates nothing, decides; [`mod@explain`], a tracing one for what did not
//! pass, says why, and asks the fast one about every node, so that the two cannot disagree. [`assess`] puts verdicts,
//! answers of people, waivers and records to publish together; [`mod@compare`] keeps what a change makes worse; [`difference`] and [`changes`]
//! say what became of the findings and the facts of an earlier run, [`history`] since when a finding is there. [`fixture`]
//! and [`testing`] run the tests of packs. No I/O, no clock: the date is an argument.

mod answers;
pub mod assess;
pub mod changes;
pub mod compare;
pub mod difference;
pub mod evaluate;
pub mod explain;
pub mod fixture;
pub mod history;
mod lists;
pub mod mutation;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod support;
pub mod testing;
pub mod truth;

pub use assess::{Assembler, assess_target};
pub use changes::changes;
pub use compare::compare;
pub use evaluate::{AsOf, verdict};
pub use explain::{Explanation, explain};
pub use truth::{Lack, Truth};
