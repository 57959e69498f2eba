//! A live audit without a network: two organisations in this process, on loopback, and mailvet looking at them.
//!
//! The **well-run** organisation publishes SPF, DKIM, DMARC, MTA-STS and TLS-RPT, its servers want TLS and a login where
//! they belong, and relay for nobody. The **careless** one does next to nothing of that. Both are small descriptions in
//! [`organisations`]; the servers that play them are a page of code each: [`dns`], [`smtp`], [`imap`], [`pop3`], and
//! [`tls`] with the example's own certification authority. They listen on ports of 127.0.0.1 that the system chooses.
//!
//! mailvet then runs as it always does, as a program of its own: `audit` connects to the servers over real sockets, and
//! `evaluate` judges its snapshot again without any. Three options that outside tests nobody needs lead it to the ports
//! that stand for 53, 25 and 443. At the end the findings are compared with what was planted: nothing at the one
//! organisation, every fault at the other.
//!
//! What it cannot show: the zones are not signed, so DNSSEC is not looked at; and there is one address, so rules about
//! two of anything are left out in `profile.yaml`, with their reasons.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the tour is told on the terminal")]

mod dns;
mod imap;
mod organisations;
mod pop3;
mod smtp;
mod tls;

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::Parser as _;
use mailvet::cli::Cli;
use mailvet::commands;
use organisations::Organisation;
use serde_json::Value;

type Failed = Box<dyn Error>;

/// Says that this process is to be mailvet and not the tour.
const AS_MAILVET: &str = "mailvet";

/// Where everything is written.
const FOLDER: &str = "out/live";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().map(String::as_str) == Some(AS_MAILVET) {
        return mailvet_itself(&arguments);
    }
    match tour() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the example went wrong: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the program `mailvet` does with the same arguments.
fn mailvet_itself(arguments: &[String]) -> ExitCode {
    match commands::run(&Cli::parse_from(arguments)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            commands::report_error(&error);
            ExitCode::from(commands::exit::USAGE)
        }
    }
}

fn tour() -> Result<(), Failed> {
    // The servers run beside the tour until it ends.
    let servers = tokio::runtime::Runtime::new()?;
    let authority = tls::Authority::new("Authority of the live example")?;
    let well_run = servers.block_on(organisations::well_run(&authority))?;
    let careless = servers.block_on(organisations::careless(&authority))?;
    for (organisation, code) in [(well_run, commands::exit::GOOD), (careless, commands::exit::FAILED)] {
        visit(&organisation, &authority, code)?;
    }
    Ok(())
}

/// Audits one organisation, replays the snapshot, and compares what was found with what was planted.
fn visit(organisation: &Organisation, authority: &tls::Authority, code: u8) -> Result<(), Failed> {
    let folder = Path::new(FOLDER).join(organisation.domain);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("mailvet.yaml"), organisation.inventory())?;
    std::fs::write(folder.join("profile.yaml"), include_str!("profile.yaml"))?;
    std::fs::write(folder.join("ca.pem"), &authority.pem)?;

    println!("== {}, which lives on these ports of 127.0.0.1:", organisation.domain);
    for (name, address) in &organisation.services {
        println!("   {name:<10}  {}", address.port());
    }
    println!("   DNSSEC is not looked at, because the zones are not signed.\n");
    let files = Files::below(&folder);
    let mut audit = files.audit(organisation);
    let status = audit.status()?;
    expect(status.code() == Some(code.into()), &format!("audit exits with {code}, not with {status}"))?;

    let replay = files.evaluate().stdout(Stdio::piped()).output()?;
    let report = std::fs::read(&files.json)?;
    expect(replay.stdout == report, "evaluate gives the same report, byte by byte")?;
    compare(organisation, &serde_json::from_slice(&report)?)?;

    let found = match organisation.faults.len() {
        0 => "nothing was planted here, and nothing was found".to_owned(),
        planted => format!("all {planted} planted faults were found"),
    };
    println!("\n   As it should be: {found}.");
    println!("   The snapshot, judged again, gives the same report, byte by byte.");
    for (what, file) in [
        ("report", &files.markdown),
        ("SARIF", &files.sarif),
        ("JSON", &files.json),
        ("snapshot", &files.snapshot),
        ("inventory", &files.inventory),
    ] {
        println!("   {what:<10}  {}", file.display());
    }
    println!();
    Ok(())
}

/// The files and the day of one visit.
struct Files {
    inventory: PathBuf,
    authority: PathBuf,
    markdown: PathBuf,
    sarif: PathBuf,
    json: PathBuf,
    snapshot: PathBuf,
    /// The day of the visit, so that midnight between audit and replay changes nothing.
    today: String,
}

impl Files {
    fn below(folder: &Path) -> Files {
        let file = |name: &str| folder.join(name);
        Files {
            inventory: file("mailvet.yaml"),
            authority: file("ca.pem"),
            markdown: file("report.md"),
            sarif: file("results.sarif"),
            json: file("results.json"),
            snapshot: file("snapshot.jsonl"),
            today: jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string(),
        }
    }

    /// `mailvet audit`, as an administrator would call it, but for the ports and `--no-validate`.
    fn audit(&self, organisation: &Organisation) -> Command {
        let mut command = mailvet("audit");
        command.arg("--inventory").arg(&self.inventory).arg("--ca-file").arg(&self.authority);
        command.arg("--snapshot").arg(&self.snapshot);
        for (format, file) in [("markdown", &self.markdown), ("sarif", &self.sarif), ("json", &self.json)] {
            command.arg("--output").arg(format!("{format}={}", file.display()));
        }
        command.arg("--resolver").arg(organisation.resolver.to_string());
        command.arg("--authority-port").arg(organisation.name_server.port().to_string());
        if let Some((_, exchanger)) = organisation.services.first() {
            command.arg("--smtp-port").arg(exchanger.port().to_string());
        }
        if let Some(web) = organisation.web {
            command.arg("--https-port").arg(web.port().to_string());
        }
        command.args(["--active", "--no-validate", "--timeout", "10", "--as-of", &self.today]);
        command
    }

    /// `mailvet evaluate`, which needs no network.
    fn evaluate(&self) -> Command {
        let mut command = mailvet("evaluate");
        command.arg(&self.snapshot).arg("--inventory").arg(&self.inventory);
        command.args(["--format", "json", "--as-of", &self.today]);
        command
    }
}

/// This program once more, as mailvet.
fn mailvet(command: &str) -> Command {
    let this = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("live"));
    let mut process = Command::new(this);
    process.args([AS_MAILVET, command]);
    process
}

/// Compares the findings with what was planted: nothing may be undecided, every planted fault must be there, and where
/// none was planted there may be none.
fn compare(organisation: &Organisation, report: &Value) -> Result<(), Failed> {
    let findings = report["findings"].as_array().ok_or("the report has no findings")?;
    let mut failed = BTreeSet::new();
    for finding in findings {
        let word = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        expect(word("verdict") == "fail", &format!("{} is decided at {}", word("rule"), word("target")))?;
        failed.insert((word("target"), word("rule")));
    }
    for (place, rule) in organisation.faults {
        let fault = (organisation.target(place), (*rule).to_owned());
        expect(failed.contains(&fault), &format!("{rule} fails at {}", fault.0))?;
    }
    let surplus = failed.first().filter(|_| organisation.faults.is_empty());
    match surplus {
        Some((target, rule)) => Err(format!("expected nothing, and {rule} fails at {target}").into()),
        None => Ok(()),
    }
}

fn expect(holds: bool, what: &str) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(format!("it should be so that {what}, and it is not").into()) }
}
