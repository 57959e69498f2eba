//! Pure judgement: facts, policy and a date in, verdicts and explanations out.
//!
//! Two passes: a fast one that allocates nothing, and a tracing one for what did not pass. No I/O, no clock.
