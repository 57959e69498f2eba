//! The bar on a terminal. Elsewhere nothing is shown: a log is read afterwards.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How far a run is.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar on standard error, where that is a terminal and the user wants one.
    pub(super) fn new(quiet: bool) -> Progress {
        let shown = !quiet && std::io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template("{msg:9} {wide_bar} {pos}/{len}  {elapsed}") {
            bar.set_style(style);
        }
        Progress { bar }
    }

    /// A new part of the run, with a number of steps.
    pub(super) fn start(&self, what: &'static str, steps: usize) {
        self.bar.reset();
        self.bar.set_length(u64::try_from(steps).unwrap_or(u64::MAX));
        self.bar.set_message(what);
    }

    /// One step is done.
    pub(super) fn step(&self) {
        self.bar.inc(1);
    }

    /// Nothing more is shown.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
