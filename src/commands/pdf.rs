//! Printing the HTML report as a PDF, by a program that is installed: Chromium, or WeasyPrint.
//!
//! mailvet has no layout engine of its own: the page that people read in a browser is the page that is printed. The
//! program runs in a folder of its own that is removed afterwards, gets only the file, and is ended when it takes too long.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};

use crate::cli::Printer;

/// Names under which Chromium and Chrome are installed.
const CHROMIUM: &[&str] = &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const WEASYPRINT: &[&str] = &["weasyprint"];

/// How often is looked whether the program has ended.
const PAUSE: Duration = Duration::from_millis(50);

/// A program that prints.
pub(super) enum Program {
    Chromium(PathBuf),
    Weasyprint(PathBuf),
}

impl Program {
    /// The program that was asked for, or the first one that is installed.
    pub(super) fn find(printer: Printer) -> anyhow::Result<Program> {
        let chromium = || installed(CHROMIUM).map(Program::Chromium);
        let weasyprint = || installed(WEASYPRINT).map(Program::Weasyprint);
        let (found, what) = match printer {
            Printer::Any => (chromium().or_else(weasyprint), "Chromium or WeasyPrint"),
            Printer::Chromium => (chromium(), "Chromium"),
            Printer::Weasyprint => (weasyprint(), "WeasyPrint"),
        };
        found.ok_or_else(|| {
            anyhow!(
                "a PDF needs {what} in the PATH: install it (`apt install chromium`, `pip install weasyprint`), or write \
                 the page with --format html and print that in any browser"
            )
        })
    }

    /// Prints a page to a file, which is complete or not there.
    pub(super) fn print(&self, page: &[u8], to: &Path, limit: Duration) -> anyhow::Result<()> {
        let folder = Folder::beside(to)?;
        let (html, pdf) = (folder.0.join("report.html"), folder.0.join("report.pdf"));
        std::fs::write(&html, page).with_context(|| format!("cannot write {}", html.display()))?;
        let mut command = self.command(&folder.0, &html, &pdf);
        let log = folder.0.join("log");
        let stderr = std::fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let name = self.path().display();
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let status = wait(child, limit)?
            .ok_or_else(|| anyhow!("{name} did not end within {} s; --timeout gives it more", limit.as_secs()))?;
        let is_pdf = std::fs::read(&pdf).is_ok_and(|bytes| bytes.starts_with(b"%PDF-"));
        if !status.success() || !is_pdf {
            bail!("{name} wrote no PDF ({status}){}", last_line(&log));
        }
        std::fs::rename(&pdf, to).with_context(|| format!("cannot write the report {}", to.display()))
    }

    fn path(&self) -> &Path {
        match self {
            Program::Chromium(path) | Program::Weasyprint(path) => path,
        }
    }

    fn command(&self, folder: &Path, html: &Path, pdf: &Path) -> Command {
        let mut command = Command::new(self.path());
        match self {
            Program::Chromium(_) => {
                // The page asks for nothing from anywhere; the other flags keep the browser itself from doing so.
                command.args([
                    "--headless",
                    "--disable-gpu",
                    "--no-first-run",
                    "--disable-extensions",
                    "--disable-sync",
                ]);
                command.args(["--disable-background-networking", "--disable-component-update", "--disable-quic"]);
                command.args(["--no-pdf-header-footer", "--generate-pdf-document-outline"]);
                if is_root() {
                    // Chromium's sandbox refuses to run for root, as in containers; what it would show is our own page.
                    command.arg("--no-sandbox");
                }
                command.arg(joined("--user-data-dir=", &folder.join("profile")));
                command.arg(joined("--print-to-pdf=", pdf)).arg(html);
            }
            Program::Weasyprint(_) => {
                command.arg(html).arg(pdf).args(["--pdf-variant", "pdf/ua-1"]);
            }
        }
        command
    }
}

fn joined(option: &str, path: &Path) -> std::ffi::OsString {
    let mut text = std::ffi::OsString::from(option);
    text.push(path);
    text
}

/// The first of these programs in the PATH. Relative entries are passed over: the current folder may be anybody's.
fn installed(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|file| file.is_file())
}

/// Waits for the end; `None` when the time is over and the program was ended.
fn wait(mut child: Child, limit: Duration) -> anyhow::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(Some(status)),
            Ok(None) if start.elapsed() < limit => std::thread::sleep(PAUSE),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Ok(None);
            }
            Err(error) => return Err(error).context("cannot wait for the program that prints"),
        }
    }
}

/// What the program said last.
fn last_line(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(|line| format!(": {line}")).unwrap_or_default()
}

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    // The owner of a process's own entry is the user it runs as.
    std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

/// A folder that is removed at the end. It lies beside the file, because packaged browsers often may not read elsewhere.
struct Folder(PathBuf);

impl Folder {
    fn beside(file: &Path) -> anyhow::Result<Folder> {
        let here = std::env::current_dir().context("cannot tell the current folder")?;
        let mut name = here.join(file).into_os_string();
        name.push(".partial");
        let folder = PathBuf::from(name);
        if let Some(parent) = folder.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot write {}", parent.display()))?;
        }
        std::fs::create_dir(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        Ok(Folder(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A browser that is going down may still write to its profile; what is left then is only a cache.
        for _ in 0..20 {
            if std::fs::remove_dir_all(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_takes_too_long_is_ended() {
        let child = Command::new("sleep").arg("600").spawn().unwrap();
        assert!(wait(child, Duration::from_millis(100)).unwrap().is_none());
        let child = Command::new("false").spawn().unwrap();
        assert_eq!(wait(child, Duration::from_secs(60)).unwrap().map(|status| status.success()), Some(false));
    }

    #[test]
    fn nothing_is_left_beside_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("new/report.pdf");
        let program = Program::Weasyprint(PathBuf::from("/bin/false"));
        let error = program.print(b"x", &to, Duration::from_secs(60)).unwrap_err().to_string();
        assert!(error.contains("wrote no PDF"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path().join("new")).unwrap().count(), 0);
    }
}
