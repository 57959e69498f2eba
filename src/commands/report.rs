//! `mailvet report`: one report from a stored run, as a document to hand over.
//!
//! It is judged as `evaluate` does, and the report says what it was made from, down to the digest. A PDF is the page of
//! the HTML report, printed by a browser that is installed ([`pdf`]).

use std::io::Write as _;

use anyhow::{Context as _, bail};

use super::output::{self, Repository};
use super::replay::{Question, Replay};
use super::{exit, pdf};
use crate::cli::{DocumentArgs, DocumentFormat};
use crate::reports::{self, Format};

/// Judges and writes the document.
pub(super) fn run(args: &DocumentArgs) -> anyhow::Result<u8> {
    // What is missing is told before a large run is judged.
    let printer = match args.format {
        DocumentFormat::Pdf if args.output.is_none() => bail!("a PDF needs a file: -o report.pdf"),
        DocumentFormat::Pdf => Some(pdf::Program::find(args.printer)?),
        DocumentFormat::Report(_) => None,
    };
    let mut judged = Replay::of(&Question {
        input: &args.input,
        inventory: args.inventory.as_deref(),
        no_inventory: args.no_inventory,
        previous: args.previous.as_deref(),
        policy: &args.policy,
        audience: args.audience,
        from_raw: false,
        quiet: false,
    })?;
    judged.name_origin();
    let format = match args.format {
        DocumentFormat::Report(format) => format,
        DocumentFormat::Pdf => Format::Html,
    };
    match (&args.output, printer) {
        (Some(path), Some(printer)) => {
            let mut page = Vec::new();
            render(format, &judged, &mut page)?;
            printer.print(&page, path, args.timeout)?;
        }
        (Some(path), None) => output::write_file(path, |out| render(format, &judged, out))
            .with_context(|| format!("cannot write the report {}", path.display()))?,
        (None, _) => {
            let mut stdout = std::io::stdout().lock();
            match render(format, &judged, &mut stdout).and_then(|()| stdout.flush()) {
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
                written => written?,
            }
        }
    }
    Ok(exit::GOOD)
}

fn render(format: Format, judged: &Replay, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    let repository = Repository::find();
    let home = judged.home().map(|path| path.replace('\\', "/"));
    let context = reports::Context {
        root: repository.as_ref().map(|repository| repository.root.as_str()),
        prefix: repository.as_ref().map_or("", |repository| repository.prefix.as_str()),
        home: home.as_deref(),
        limit: 0,
        verbose: true,
        dossier: Some(&judged.dossier),
        ..reports::Context::new(env!("CARGO_PKG_VERSION"), &judged.files)
    };
    reports::render(format, &judged.assessment, &context, out)
}
