//! Where reports go: standard output in one format, and any number of files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};

use crate::cli::ReportArgs;
use crate::diag::{Diagnostic, Files, Level};
use crate::findings::{Assessment, Verdict};
use crate::policy::Severity;
use crate::reports::{self, Dossier, Format, UnknownFormat};

use super::exit;

/// Columns of a text report that goes to no terminal.
const WIDTH: usize = 80;

/// One report to write to a file.
struct Target {
    format: Format,
    path: PathBuf,
}

/// Checks the report arguments before any work is done.
pub(super) fn validate(args: &ReportArgs) -> anyhow::Result<()> {
    targets(args).map(|_| ())
}

/// Whether one of the reports is for people, with pictures of domains.
pub(super) fn has_page(args: &ReportArgs) -> bool {
    let files = args.output.iter().filter_map(|text| text.split_once('=')).map(|(format, _)| format.parse());
    files.chain([Ok(args.format)]).any(|format| format == Ok(Format::Html))
}

/// Writes all reports that were asked for. `home` is where findings without any position are located.
pub(super) fn write(
    args: &ReportArgs,
    assessment: &Assessment,
    files: &Files,
    home: Option<&Path>,
    dossier: &Dossier,
) -> anyhow::Result<()> {
    let repository = Repository::find();
    let home = home.map(|path| path.to_string_lossy().replace('\\', "/"));
    let context = |colour, width| reports::Context {
        colour,
        verbose: args.verbose,
        width,
        limit: args.limit,
        root: repository.as_ref().map(|repository| repository.root.as_str()),
        prefix: repository.as_ref().map_or("", |repository| repository.prefix.as_str()),
        home: home.as_deref(),
        dossier: Some(dossier),
        ..reports::Context::new(env!("CARGO_PKG_VERSION"), files)
    };
    for target in targets(args)? {
        write_file(&target.path, |out| reports::render(target.format, assessment, &context(false, file_width()), out))
            .with_context(|| format!("cannot write the report {}", target.path.display()))?;
    }
    write_stdout(|colour, width, out| reports::render(args.format, assessment, &context(colour, width), out))
}

/// Octets of a report that are written at once.
const BUFFER: usize = 1 << 16;

/// Writes to standard output, told whether it takes colour and how many columns it has.
pub(super) fn write_stdout(
    render: impl FnOnce(bool, usize, &mut dyn Write) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    let stdout = std::io::stdout();
    let colour = match anstream::AutoStream::choice(&stdout) {
        anstream::ColorChoice::Never => false,
        anstream::ColorChoice::Always | anstream::ColorChoice::AlwaysAnsi => true,
        anstream::ColorChoice::Auto => stdout.is_terminal(),
    };
    let width = columns().or_else(|| terminal_width(&stdout)).unwrap_or(WIDTH);
    let mut out = BufWriter::with_capacity(BUFFER, stdout.lock());
    match render(colour, width, &mut out).and_then(|()| out.flush()) {
        // A reader that has seen enough (`| head`) does not change the verdict.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// The columns of text that goes to a file.
pub(super) fn file_width() -> usize {
    columns().unwrap_or(WIDTH)
}

/// The git repository that the current folder lies in, so that reports can name files from its root.
pub(super) struct Repository {
    pub(super) root: String,
    pub(super) prefix: String,
}

impl Repository {
    pub(super) fn find() -> Option<Repository> {
        let here = std::env::current_dir().ok()?;
        let root = here.ancestors().find(|folder| folder.join(".git").exists())?;
        let slashed = |path: &Path| path.to_string_lossy().replace('\\', "/");
        Some(Repository { root: slashed(root), prefix: slashed(here.strip_prefix(root).ok()?) })
    }
}

/// The exit code that the verdicts ask for. Errors of the sources that are `known` from the base do not count again.
pub(super) fn exit_code(args: &ReportArgs, assessment: &Assessment, known: &[Diagnostic]) -> u8 {
    if args.exit_zero {
        return exit::GOOD;
    }
    let threshold: Severity = args.fail_on.into();
    let (now, before) = (errors(&assessment.coverage.diagnostics), errors(known));
    let mut incomplete = now.iter().any(|(message, count)| *count > before.get(message).copied().unwrap_or(0));
    for finding in assessment.findings() {
        match finding.verdict {
            Verdict::Fail if !finding.is_waived() && finding.severity() >= threshold => return exit::FAILED,
            Verdict::Unknown | Verdict::Error if !finding.is_waived() && finding.severity() >= threshold => {
                incomplete = true;
            }
            _ => {}
        }
    }
    // An answer that was meant to count and cannot is missing evidence.
    incomplete |= assessment.answer_problems.iter().any(|problem| problem.level == Level::Error);
    // A gate that looked at nothing must not be green, for instance because the folder was misspelt.
    incomplete |= reports::nothing_judged(assessment).is_some();
    if incomplete { exit::INCOMPLETE } else { exit::GOOD }
}

/// How often each error occurs. Lines do not matter: what moves is nothing new.
fn errors(diagnostics: &[Diagnostic]) -> BTreeMap<(&str, &str), usize> {
    let mut errors = BTreeMap::new();
    for diagnostic in diagnostics.iter().filter(|diagnostic| diagnostic.level == Level::Error) {
        *errors.entry((diagnostic.code, diagnostic.message.as_str())).or_default() += 1;
    }
    errors
}

/// Reads `FORMAT=FILE` arguments.
fn targets(args: &ReportArgs) -> anyhow::Result<Vec<Target>> {
    args.output
        .iter()
        .map(|text| {
            let Some((format, path)) = text.split_once('=') else {
                bail!("--output {text}: expected FORMAT=FILE, for example sarif-github=out.sarif");
            };
            let format = format.parse().map_err(|error: UnknownFormat| anyhow!("--output {text}: {error}"))?;
            if path.is_empty() {
                bail!("--output {text}: the file name is missing");
            }
            Ok(Target { format, path: PathBuf::from(path) })
        })
        .collect()
}

/// Writes beside the target first and renames, so that a report is complete or not there. What is there and is no file, such
/// as `/dev/null` or a pipe, is written into, never replaced.
pub(super) fn write_file(
    path: &Path,
    render: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> std::io::Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent)?;
    }
    if path.metadata().is_ok_and(|there| !there.is_file()) {
        let mut out = BufWriter::new(File::options().write(true).open(path)?);
        return render(&mut out).and_then(|()| out.flush());
    }
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let mut out = BufWriter::new(File::create(&partial)?);
    let result = render(&mut out).and_then(|()| out.flush());
    drop(out);
    let result = result.and_then(|()| std::fs::rename(&partial, path));
    if result.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    result
}

/// The columns that the environment asks for.
fn columns() -> Option<usize> {
    std::env::var("COLUMNS").ok()?.parse().ok().filter(|columns| *columns >= 40)
}

/// Columns of the terminal that standard output is, within what reads well.
fn terminal_width(stdout: &std::io::Stdout) -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(stdout)?;
    Some(usize::from(width.0).clamp(60, 120))
}
