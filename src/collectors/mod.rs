//! From sources to facts; one file per family of facts.
//!
//! A collector never says good or bad, and never turns "could not look" into a value.
