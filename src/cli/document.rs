//! Arguments of `report`, which makes documents.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use super::{PolicyArgs, seconds};
use crate::reports::{Audience, Format};

/// Arguments of `report`.
#[derive(Debug, Args)]
#[command(
    after_help = "The run is judged as `evaluate` does, and the report names the SHA-256 of what it was made from. A PDF is \
printed by Chromium or WeasyPrint, whichever is installed.

Examples:
  The audit report as one page, and as a PDF:
    mailvet report evidence/2026-11 -o report.html
    mailvet report evidence/2026-11 --format pdf -o report.pdf
  What those who mend it need:
    mailvet report evidence/2026-11 --audience engineer -o engineers.html"
)]
pub struct DocumentArgs {
    /// Bundle or snapshot that `audit` or `collect` wrote
    #[arg(value_name = "BUNDLE|SNAPSHOT")]
    pub input: PathBuf,
    /// Format: `pdf` or one of those of the other commands
    #[arg(long, short, value_parser = formats(), default_value = "html", value_name = "FORMAT")]
    pub format: DocumentFormat,
    /// File to write; a report other than a PDF goes to standard output without it
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// For whom the page or PDF is: executive, auditor, engineer
    #[arg(long, value_parser = audiences(), default_value = "auditor", value_name = "AUDIENCE")]
    pub audience: Audience,
    /// What prints the PDF
    #[arg(long, value_enum, default_value_t = Printer::Any, value_name = "PROGRAM")]
    pub printer: Printer,
    /// How long printing the PDF may take
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    pub timeout: Duration,
    /// Bundle or snapshot of an earlier run: the report says what changed since [default: what the run itself knew of it]
    #[arg(long, value_name = "BUNDLE|SNAPSHOT")]
    pub previous: Option<PathBuf>,
    /// Inventory whose profile, waivers and organisation apply. Default: for a bundle what it holds, for a snapshot
    /// mailvet.yaml in the current folder, if there is one
    #[arg(long, short, value_name = "FILE", help_heading = "Rules")]
    pub inventory: Option<PathBuf>,
    /// Use no inventory, even if there is a mailvet.yaml
    #[arg(long, conflicts_with = "inventory", help_heading = "Rules")]
    pub no_inventory: bool,
    /// How to judge.
    #[command(flatten)]
    pub policy: PolicyArgs,
}

/// The format of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentFormat {
    /// One of the formats of reports.
    Report(Format),
    /// The page of [`Format::Html`], printed.
    Pdf,
}

/// What prints a page as a PDF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Printer {
    /// Whichever is installed, Chromium first.
    Any,
    /// Chromium or Chrome.
    Chromium,
    /// WeasyPrint.
    Weasyprint,
}

/// Audiences by their words.
pub(super) fn audiences() -> impl TypedValueParser<Value = Audience> {
    let words = Audience::ALL.iter().map(|audience| audience.as_str());
    PossibleValuesParser::new(words).try_map(|word| word.parse::<Audience>())
}

/// Formats of documents by their words.
fn formats() -> impl TypedValueParser<Value = DocumentFormat> {
    let words = std::iter::once("pdf").chain(Format::ALL.iter().map(|format| format.as_str()));
    PossibleValuesParser::new(words).try_map(|word| match word.as_str() {
        "pdf" => Ok(DocumentFormat::Pdf),
        word => word.parse().map(DocumentFormat::Report),
    })
}
