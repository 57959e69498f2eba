//! One file per subcommand, each a readable pipeline from arguments to an exit code.
//!
//! Results go to standard output or files, everything else to standard error. Errors are told to people here and
//! nowhere else.

pub mod exit;

mod check;
mod completions;
mod diff;
mod dossier;
mod evaluate;
mod explain;
mod init;
mod input;
mod jail;
mod judge;
mod keep;
mod live;
mod output;
mod pack;
mod pdf;
mod rebuild;
mod replay;
mod report;
mod schema;
mod store;
mod stored;
mod verify;

use std::io::Write as _;

use crate::cli::{Cli, Command};
use crate::diag::{self, Diagnostic, Files, Level};

/// Runs the command and returns its exit code.
///
/// # Errors
/// Wrong usage and unreadable input; the caller reports the error and exits with [`exit::USAGE`].
pub fn run(cli: &Cli) -> anyhow::Result<u8> {
    match &cli.command {
        Command::Check(args) => check::run(args),
        Command::Audit(args) => live::audit(args),
        Command::Collect(args) => live::collect(args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Report(args) => report::run(args),
        Command::Diff(args) => diff::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Pack(command) => pack::run(command),
        Command::Schema(args) => schema::run(args),
        Command::Init(args) => init::run(args),
        Command::Completions { shell } => completions::run(*shell),
        Command::Man => completions::man(),
    }
}

/// Input that cannot be used: its diagnostics have been printed already.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InputError(pub String);

/// Prints an error with its chain of causes to standard error. Control characters of untrusted text are made visible.
pub fn report_error(error: &anyhow::Error) {
    let mut stderr = anstream::stderr();
    let _ = writeln!(stderr, "error: {}", diag::visible(&error.to_string()));
    for cause in error.chain().skip(1) {
        let _ = writeln!(stderr, "  because: {}", diag::visible(&cause.to_string()));
    }
}

/// Prints diagnostics to standard error and says whether any is an error.
fn print_diagnostics(diagnostics: &[Diagnostic], files: &Files) -> bool {
    let mut stderr = anstream::stderr();
    for diagnostic in diagnostics {
        let _ = stderr.write_all(diagnostic.render(files).as_bytes());
    }
    diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error)
}
