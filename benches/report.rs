//! Measures the audit report over 2,000 domains of which each fails 30 rules: how long it takes to render, and how large it
//! is. `tests/browser/run` measures the same in a browser. Run with `cargo bench --bench report`.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "../tests/support/assessment.rs"]
mod assessment;

use std::time::{Duration, Instant};

use mailvet::reports::{Context, Dossier, Format, render};

fn main() {
    let (files, assessment) = assessment::wide(2_000, 30);
    let dossier = Dossier::default();
    let context = Context { dossier: Some(&dossier), ..Context::new("1.0.0", &files) };
    let mut best = Duration::MAX;
    let mut size = 0;
    for _ in 0..5 {
        let mut page = Vec::new();
        let start = Instant::now();
        render(Format::Html, &assessment, &context, &mut page).unwrap();
        best = best.min(start.elapsed());
        size = page.len();
    }
    let findings = assessment.counts().fail;
    println!(
        "2,000 domains, {findings} findings: {:.1} MB in {} ms, best of five",
        size as f64 / 1e6,
        best.as_millis()
    );
}
