//! The `mailvet` program: parse arguments, run the command, map the result to an exit code.

use std::process::ExitCode;

use clap::Parser;
use mailvet::cli::{Cli, Colour};
use mailvet::commands::{self, exit};

/// A run allocates many small things. With the allocator of glibc, a live audit needs two fifths more time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.color {
        Colour::Auto => {}
        Colour::Always => anstream::ColorChoice::Always.write_global(),
        Colour::Never => anstream::ColorChoice::Never.write_global(),
    }
    match commands::run(&cli) {
        Ok(code) => ExitCode::from(code),
        // A reader that closes the pipe early (`| head`) is not an error of ours.
        Err(error) if is_broken_pipe(&error) => ExitCode::from(exit::GOOD),
        Err(error) => {
            commands::report_error(&error);
            ExitCode::from(exit::USAGE)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}
