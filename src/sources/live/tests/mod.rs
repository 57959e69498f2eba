//! The network as a source, against servers in this process that follow a script.

mod engine;
mod outcomes;
mod pages;
mod transport;
