//! `mailvet report`: one report from a stored snapshot, as a document to hand over.
//!
//! It is judged as `evaluate` does, and the report says what it was made from, down to the digest. A PDF is the page of
//! the HTML report, printed by a browser that is installed ([`pdf`]).

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::evaluate::{self, Judged, Question};
use super::output::{self, Repository};
use super::{exit, pdf};
use crate::cli::{DocumentFormat, ReportCommandArgs};
use crate::reports::dossier::Origin;
use crate::reports::{self, Format};

/// Judges and writes the document.
pub(super) fn run(args: &ReportCommandArgs) -> anyhow::Result<u8> {
    // What is missing is told before a large snapshot is judged.
    let printer = match args.format {
        DocumentFormat::Pdf if args.output.is_none() => bail!("a PDF needs a file: -o report.pdf"),
        DocumentFormat::Pdf => Some(pdf::Program::find(args.printer)?),
        DocumentFormat::Report(_) => None,
    };
    let question = Question {
        snapshot: &args.snapshot,
        inventory: args.inventory.as_deref(),
        no_inventory: args.no_inventory,
        policy: &args.policy,
        audience: args.audience,
        pictures: matches!(args.format, DocumentFormat::Pdf | DocumentFormat::Report(Format::Html)),
    };
    let mut judged = evaluate::judge(&question)?;
    judged.dossier.origin = Some(origin(&args.snapshot, &judged.sha256));
    judged.dossier.artefacts = std::mem::take(&mut judged.artefacts);
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

fn render(format: Format, judged: &Judged, out: &mut dyn std::io::Write) -> std::io::Result<()> {
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

/// What the report says it was made from. The folder is nobody's business who reads it.
fn origin(path: &Path, sha256: &str) -> Origin {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Origin { kind: "snapshot", check: format!("sha256sum {name}"), name, sha256: sha256.to_owned() }
}
