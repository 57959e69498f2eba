//! `mailvet completions` and `mailvet man`: generated from the types of the command line.

use std::io::Write as _;

use clap::CommandFactory;

use super::exit;
use crate::cli::Cli;

/// Prints completions for a shell.
pub(super) fn run(shell: clap_complete::Shell) -> anyhow::Result<u8> {
    // The generator panics when it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mailvet", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(exit::GOOD)
}

/// Prints the manual page.
pub(super) fn man() -> anyhow::Result<u8> {
    clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?;
    Ok(exit::GOOD)
}
