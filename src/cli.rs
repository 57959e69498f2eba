//! What people type: the types of the command line, nothing else.
//!
//! Parsing does not do anything: commands turn these values into files, policies and reports.

mod document;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use document::{DocumentArgs, DocumentFormat, Printer};

use crate::policy::Severity;
use crate::reports::{Audience, DifferenceFormat, Format};

/// Judges e-mail infrastructure by rules written as data.
#[derive(Debug, Parser)]
#[command(
    name = "mailvet",
    version,
    about,
    max_term_width = 100,
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub color: Colour,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal that wants it.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge DNS-as-code files offline; exit 1 when a rule fails
    Check(Box<CheckArgs>),
    /// Look at domains, mail hosts and services as the world sees them, and judge
    Audit(Box<AuditArgs>),
    /// Look like `audit`, write a snapshot, and judge nothing
    Collect(Box<CollectArgs>),
    /// Judge a bundle or a snapshot that `audit` or `collect` wrote, without any network
    Evaluate(Box<EvaluateArgs>),
    /// Make one report from a bundle or a snapshot: a page, a PDF, or any other format
    Report(Box<DocumentArgs>),
    /// Say what changed between two stored runs: findings, targets and facts
    Diff(Box<DiffArgs>),
    /// Say whether an evidence bundle is as it was sealed, and if not, which file was changed, added or removed
    Verify(VerifyArgs),
    /// Say what a rule or a fact means, why it matters and how to mend it
    Explain(ExplainArgs),
    /// Work on rule packs
    #[command(subcommand)]
    Pack(PackCommand),
    /// Print a JSON Schema or the fact catalogue
    Schema(SchemaArgs),
    /// Write an inventory and a CI workflow to start from
    Init(InitArgs),
    /// Print shell completions
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all good; 1 a rule failed at or above --fail-on; 2 wrong usage or unreadable input; \
3 nothing failed, but evidence is incomplete or nothing was judged.

Examples:
  Judge every zone below dns/:
    mailvet check dns/
  Report only what this change makes worse:
    mailvet check dns/ --base origin/main
  Also write a report for GitHub code scanning:
    mailvet check dns/ --output sarif-github=out.sarif
  Judge one zone from standard input:
    mailvet check - --origin example.org < zone.db"
)]
pub struct CheckArgs {
    /// Zone files and folders to judge; `-` reads one zone from standard input. Default: the inventory's `dns.files`
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Inventory of domains. Default: mailvet.yaml in the current folder, if there is one
    #[arg(long, short, value_name = "FILE", help_heading = "What to judge")]
    pub inventory: Option<PathBuf>,
    /// Use no inventory, even if there is a mailvet.yaml
    #[arg(long, conflicts_with = "inventory", help_heading = "What to judge")]
    pub no_inventory: bool,
    /// Zone name for zone files that do not state theirs
    #[arg(long, value_name = "NAME", help_heading = "What to judge")]
    pub origin: Option<String>,
    /// Judge only these domains (repeatable)
    #[arg(long, value_name = "NAME", help_heading = "What to judge")]
    pub domain: Vec<String>,
    /// Report only what is new or worse than at this git revision
    #[arg(long, value_name = "REV", help_heading = "What to judge")]
    pub base: Option<String>,
    /// How to judge.
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// How to report.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Arguments of `audit`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all good; 1 a rule failed at or above --fail-on; 2 wrong usage or unreadable input; \
3 nothing failed, but evidence is incomplete, the run was interrupted, or nothing was judged.

Examples:
  Audit a domain, its mail hosts and their services:
    mailvet audit example.com
  Audit everything that the inventory declares, and keep the evidence:
    mailvet audit --inventory mailvet.yaml --out evidence/2026-11
  Tell since when findings are there, and pass that on to the next run:
    mailvet audit example.com --previous evidence/2026-10 --out evidence/2026-11
  Ask DNS only, through a resolver of your own:
    mailvet audit example.com --resolver 192.0.2.53 --no-probe
  Look at submission and IMAP on the mail exchangers too:
    mailvet audit example.com --ports 587,465,143,993"
)]
pub struct AuditArgs {
    /// What to look at.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// How to look.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Bundle or snapshot of an earlier run: findings are told with the day since when they are there
    #[arg(long, value_name = "BUNDLE|SNAPSHOT", help_heading = "Report")]
    pub previous: Option<PathBuf>,
    /// Also write everything that was seen to this file, for `mailvet evaluate` and `mailvet diff`
    #[arg(long, value_name = "FILE", help_heading = "Evidence", conflicts_with = "out")]
    pub snapshot: Option<PathBuf>,
    /// What to keep.
    #[command(flatten)]
    pub out: OutArgs,
    /// How to judge.
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// How to report.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Arguments of `collect`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 what was collected is complete; 2 wrong usage or unreadable input; 3 the run was interrupted: \
what is kept is what was collected until then. With --resume they are those of the run that is gone on with.

Examples:
  Collect now, judge later or elsewhere:
    mailvet collect example.com --out evidence/example
    mailvet evaluate evidence/example
  Go on with a run that was killed:
    mailvet collect --resume evidence/example"
)]
pub struct CollectArgs {
    /// What to look at.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// How to look.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// File to write what was seen to
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Evidence",
        required_unless_present_any = ["out", "resume"],
        conflicts_with = "out"
    )]
    pub snapshot: Option<PathBuf>,
    /// What to keep.
    #[command(flatten)]
    pub out: OutArgs,
    /// Go on with the run that left this bundle incomplete, with the arguments it had
    #[arg(
        long,
        value_name = "DIR",
        help_heading = "Evidence",
        conflicts_with_all = ["domains", "domains_file", "inventory", "snapshot", "out", "sign"]
    )]
    pub resume: Option<PathBuf>,
    /// Print nothing but errors
    #[arg(long, short)]
    pub quiet: bool,
}

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
#[command(
    mut_arg("answers", |arg| arg.help("File of answers to manual rules (repeatable), instead of those of a bundle")),
    after_help = "A bundle is judged by the rules, waivers and answers that it holds and as of the day of its audit, unless others \
are named; it is verified first, and whether the results are the same bytes as those that it holds is told. With the same \
rules, waivers and --as-of, the reports on a snapshot are the same bytes as those of the audit that wrote it.

Examples:
  Prove that a bundle's results follow from its evidence:
    mailvet evaluate evidence/2026-11
  Judge a bundle by another profile, as of another day:
    mailvet evaluate evidence/2026-11 --profile strict --as-of 2027-01-31
  Judge a snapshot as of the day it was taken:
    mailvet evaluate audit.snapshot --as-of 2026-11-21
  Judge it by another profile:
    mailvet evaluate audit.snapshot --profile strict"
)]
pub struct EvaluateArgs {
    /// Bundle or snapshot that `audit` or `collect` wrote
    #[arg(value_name = "BUNDLE|SNAPSHOT")]
    pub snapshot: PathBuf,
    /// Rebuild the facts from the raw evidence that the bundle holds, report every difference, and judge the rebuilt facts
    #[arg(long)]
    pub from_raw: bool,
    /// Bundle or snapshot of an earlier run: findings are told with the day since when they are there [default: what the
    /// snapshot itself holds of it]
    #[arg(long, value_name = "BUNDLE|SNAPSHOT", help_heading = "Report")]
    pub previous: Option<PathBuf>,
    /// Inventory whose profile, waivers and answers apply. Default: for a bundle what it holds, for a snapshot mailvet.yaml in the
    /// current folder, if there is one
    #[arg(long, short, value_name = "FILE", help_heading = "Rules")]
    pub inventory: Option<PathBuf>,
    /// Use no inventory, even if there is a mailvet.yaml
    #[arg(long, conflicts_with = "inventory", help_heading = "Rules")]
    pub no_inventory: bool,
    /// How to judge.
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// How to report.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
#[command(
    mut_arg("as_of", |arg| arg.help("Judge dates of both as of this day, UTC [default: the day of each run]")),
    after_help = "Both runs are judged by the same rules, those of the later bundle unless others are named, each as of the day on which it \
was collected, or both as of --as-of.

Exit codes: 0 nothing new or worse; 1 something new or worse fails at or above --fail-on; 2 wrong usage or unreadable input; \
3 nothing of that, but something can no longer be determined, a run was interrupted, or nothing was judged.

Examples:
  What changed since last week:
    mailvet diff evidence/2026-10 evidence/2026-11
  The same for a merge request or an e-mail:
    mailvet diff evidence/2026-10 evidence/2026-11 --format markdown"
)]
pub struct DiffArgs {
    /// Bundle or snapshot of the earlier run
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// Bundle or snapshot of the later run
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// Inventory whose profile, waivers and answers apply. Default: for a bundle what the later one holds, for a snapshot
    /// mailvet.yaml in the current folder, if there is one
    #[arg(long, short, value_name = "FILE", help_heading = "Rules")]
    pub inventory: Option<PathBuf>,
    /// Use no inventory, even if there is a mailvet.yaml
    #[arg(long, conflicts_with = "inventory", help_heading = "Rules")]
    pub no_inventory: bool,
    /// How to judge.
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// How to report.
    #[command(flatten)]
    pub report: DiffReportArgs,
}

/// How a difference is reported.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Report")]
pub struct DiffReportArgs {
    /// Format on standard output
    #[arg(long, short, value_parser = difference_formats(), default_value = "text", value_name = "FORMAT")]
    pub format: DifferenceFormat,
    /// Also write a report to a file (repeatable), for example `markdown=diff.md`
    #[arg(long, short, value_name = "FORMAT=FILE")]
    pub output: Vec<String>,
    /// Lowest severity whose new or worse failure makes the exit code 1
    #[arg(long, value_enum, default_value_t = SeverityArg::Low, value_name = "SEVERITY")]
    pub fail_on: SeverityArg,
    /// Exit 0 whatever changed; wrong usage and unreadable input still exit 2
    #[arg(long)]
    pub exit_zero: bool,
    /// Print at most this many entries of a section as text; 0 prints all
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub limit: usize,
    /// Also print facts that change by themselves, and name every fact that became known or unknown
    #[arg(long, short)]
    pub verbose: bool,
}

/// Formats of a difference by their words.
fn difference_formats() -> impl TypedValueParser<Value = DifferenceFormat> {
    PossibleValuesParser::new(DifferenceFormat::ALL.iter().map(|format| format.as_str()))
        .try_map(|word| word.parse::<DifferenceFormat>())
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 the bundle is as it was sealed; 1 it is not, or it is incomplete; 2 wrong usage, or no bundle.

Without mailvet: `sha256sum -c manifest-sha256.txt` in the folder of the bundle, and for a signed one
`ssh-keygen -Y verify -f SIGNERS -I NAME -n file -s manifest-sha256.txt.sig < manifest-sha256.txt`."
)]
pub struct VerifyArgs {
    /// The bundle
    #[arg(value_name = "BUNDLE")]
    pub bundle: PathBuf,
    /// Public keys of OpenSSH: the bundle must be signed by one of them
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

/// Where evidence is kept.
#[derive(Debug, Clone, Args, Default)]
#[command(next_help_heading = "Evidence")]
pub struct OutArgs {
    /// Write an evidence bundle to this folder, or to this file when its name ends in `.zip`; it must not exist. A bundle
    /// holds inputs, evidence, facts and results, with digests
    #[arg(long, value_name = "DIR|FILE.zip")]
    pub out: Option<PathBuf>,
    /// Sign the bundle with this private key of OpenSSH (Ed25519, without passphrase)
    #[arg(long, value_name = "KEY", requires = "out")]
    pub sign: Option<PathBuf>,
}

/// What a live run looks at.
#[derive(Debug, Args, Default)]
#[command(next_help_heading = "What to look at")]
pub struct ScopeArgs {
    /// Domains to look at. Default: those of the inventory
    #[arg(value_name = "DOMAIN", help_heading = None)]
    pub domains: Vec<String>,
    /// File with domains, one on a line; `#` starts a comment
    #[arg(long, value_name = "FILE")]
    pub domains_file: Option<PathBuf>,
    /// Inventory of domains, hosts and services. Default: mailvet.yaml in the current folder, if there is one
    #[arg(long, short, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
    /// Use no inventory, even if there is a mailvet.yaml
    #[arg(long, conflicts_with = "inventory")]
    pub no_inventory: bool,
    /// Ports to look at on mail exchangers beside 25: 465, 587, 143, 993, 110, 995
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub ports: Vec<u16>,
    /// Ask DNS only; connect to no mail or web server
    #[arg(long)]
    pub no_probe: bool,
    /// Do not ask the name servers of zones directly
    #[arg(long)]
    pub no_authorities: bool,
    /// Do not validate DNSSEC signatures
    #[arg(long, conflicts_with = "trust_anchor")]
    pub no_validate: bool,
    /// Use IPv4 addresses of hosts only
    #[arg(long, conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// Use IPv6 addresses of hosts only
    #[arg(long)]
    pub ipv6: bool,
    /// Also try on hosts that the inventory claims: relaying without data, talking before the greeting
    #[arg(long, conflicts_with = "no_probe")]
    pub active: bool,
}

/// How a live run uses the network.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub struct NetworkArgs {
    /// Resolver to ask (repeatable, tried in order) [default: those of the system]
    #[arg(long, value_name = "IP[:PORT]", value_parser = server)]
    pub resolver: Vec<SocketAddr>,
    /// Resolver for a second opinion: where it differs is a fact
    #[arg(long, value_name = "IP[:PORT]", value_parser = server)]
    pub compare_resolver: Option<SocketAddr>,
    /// Certification authorities to trust, in PEM [default: those of Mozilla's programme]
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// DNSSEC trust anchors: DS or DNSKEY records in zone-file form [default: the root's]
    #[arg(long, value_name = "FILE")]
    pub trust_anchor: Option<PathBuf>,
    /// How long to wait for one reply of a mail or web server; for DNS and connections a third of it, at most 5 and 10 s
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub timeout: Duration,
    /// Domains, and later hosts, to look at at the same time
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: u16,
    /// Connections to one address at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub per_host: u16,
    /// Address to send from
    #[arg(long, value_name = "IP")]
    pub source_address: Option<IpAddr>,
    /// Name to give in EHLO [default: mailvet.invalid]
    #[arg(long, value_name = "NAME")]
    pub ehlo: Option<String>,
    /// Port of name servers that are asked directly
    #[arg(long, hide = true, default_value_t = 53)]
    pub authority_port: u16,
    /// Port of web servers
    #[arg(long, hide = true, default_value_t = 443)]
    pub https_port: u16,
    /// Port that stands for 25
    #[arg(long, hide = true, default_value_t = 25)]
    pub smtp_port: u16,
}

/// `IP[:PORT]`; an IPv6 address with a port stands in brackets.
fn server(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, 53));
    }
    text.parse()
        .map_err(|_| "expected an IP address, with a port as in 192.0.2.53:5353 or [2001:db8::53]:5353".to_owned())
}

/// A number of seconds, at most an hour.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.01..=3600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "expected a number of seconds from 0.01 to 3600".to_owned())
}

/// Which rules apply.
#[derive(Debug, Clone, Args, Default)]
#[command(next_help_heading = "Rules")]
pub struct PolicyArgs {
    /// Profile: the name of a built-in one or a file [default: the inventory's, else `default`]
    #[arg(long, short, value_name = "NAME|FILE")]
    pub profile: Option<String>,
    /// Folder of a rule pack of your own (repeatable); without a profile of your own, its rules are added
    #[arg(long, value_name = "DIR")]
    pub pack: Vec<PathBuf>,
    /// Set a parameter (repeatable), for example `spoofing.min_rsa_bits=2048`
    #[arg(long, value_name = "PACK.NAME=VALUE")]
    pub param: Vec<String>,
    /// Judge only these rules or packs (repeatable)
    #[arg(long, value_name = "RULE|PACK", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Leave these rules or packs out (repeatable)
    #[arg(long, value_name = "RULE|PACK", value_delimiter = ',')]
    pub skip: Vec<String>,
    /// Waiver file (repeatable), beside the inventory's
    #[arg(long, value_name = "FILE")]
    pub waivers: Vec<PathBuf>,
    /// File of answers to manual rules (repeatable), beside the inventory's
    #[arg(long, value_name = "FILE")]
    pub answers: Vec<PathBuf>,
    /// Judge dates as of this day, UTC [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub as_of: Option<jiff::civil::Date>,
}

/// How the result is reported.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Report")]
pub struct ReportArgs {
    /// Format on standard output
    #[arg(long, short, value_parser = formats(), default_value = "text", value_name = "FORMAT")]
    pub format: Format,
    /// Also write a report to a file (repeatable), for example `sarif-github=out.sarif`
    #[arg(long, short, value_name = "FORMAT=FILE")]
    pub output: Vec<String>,
    /// Lowest severity whose failure makes the exit code 1
    #[arg(long, value_enum, default_value_t = SeverityArg::Low, value_name = "SEVERITY")]
    pub fail_on: SeverityArg,
    /// Exit 0 whatever the verdicts are; wrong usage and unreadable input still exit 2
    #[arg(long)]
    pub exit_zero: bool,
    /// Print at most this many findings as text; 0 prints all
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub limit: usize,
    /// Also print what passed, and the whole coverage statement
    #[arg(long, short)]
    pub verbose: bool,
    /// For whom the HTML report is: executive, auditor, engineer
    #[arg(long, value_parser = document::audiences(), default_value = "auditor", value_name = "AUDIENCE")]
    pub audience: Audience,
    /// Print nothing but the report
    #[arg(long, short)]
    pub quiet: bool,
}

/// Formats by their words, so that help and completions list them.
fn formats() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.iter().map(|format| format.as_str())).try_map(|word| word.parse::<Format>())
}

/// [`Severity`] as people type it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SeverityArg {
    /// Mail is lost, read or forged now.
    Critical,
    /// A protection is missing.
    High,
    /// A protection is weakened.
    Medium,
    /// Hygiene.
    Low,
    /// Worth knowing.
    Info,
}

impl From<SeverityArg> for Severity {
    fn from(severity: SeverityArg) -> Self {
        match severity {
            SeverityArg::Critical => Severity::Critical,
            SeverityArg::High => Severity::High,
            SeverityArg::Medium => Severity::Medium,
            SeverityArg::Low => Severity::Low,
            SeverityArg::Info => Severity::Info,
        }
    }
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A rule such as `spoofing/dmarc-not-enforced`, a pack such as `spoofing`, a fact such as `dmarc.policy`, or a
    /// group of facts such as `dmarc`
    #[arg(value_name = "RULE|PACK|FACT")]
    pub name: String,
    /// Folder of a rule pack of your own (repeatable)
    #[arg(long, value_name = "DIR")]
    pub pack: Vec<PathBuf>,
}

/// Work on rule packs.
#[derive(Debug, Subcommand)]
pub enum PackCommand {
    /// List packs and their rules
    List(PackArgs),
    /// Say what is wrong or could be better in a pack
    Lint(PackArgs),
    /// Run a pack's tests, and show changes to its rules that no test notices
    Test(PackArgs),
    /// Print an overview of each pack; with --out, write one page per rule
    Docs(PackDocsArgs),
}

/// Which packs.
#[derive(Debug, Args)]
pub struct PackArgs {
    /// Folders of packs, or names of built-in ones; default: all built-in packs
    #[arg(value_name = "PACK")]
    pub packs: Vec<String>,
}

/// Arguments of `pack docs`.
#[derive(Debug, Args)]
pub struct PackDocsArgs {
    /// Which packs.
    #[command(flatten)]
    pub packs: PackArgs,
    /// Write one Markdown page per rule to this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// What to print; without a name, the names are listed
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// DNS-as-code files and folders; default: the current folder
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Which CI workflow to write
    #[arg(long, value_enum, default_value_t = Ci::Github, value_name = "CI")]
    pub ci: Ci,
    /// Overwrite files that exist
    #[arg(long)]
    pub force: bool,
    /// Folder to write to; default: the current folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// A CI system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Ci {
    /// GitHub Actions.
    Github,
    /// GitLab CI.
    Gitlab,
    /// No workflow.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn resolvers_and_times_are_read_or_refused() {
        for (text, wanted) in [
            ("192.0.2.53", Some("192.0.2.53:53")),
            ("192.0.2.53:5353", Some("192.0.2.53:5353")),
            ("2001:db8::53", Some("[2001:db8::53]:53")),
            ("[2001:db8::53]", Some("[2001:db8::53]:53")),
            ("[2001:db8::53]:5353", Some("[2001:db8::53]:5353")),
            ("dns.example.org", None),
            ("192.0.2.53:", None),
        ] {
            assert_eq!(server(text).ok().map(|server| server.to_string()).as_deref(), wanted, "{text}");
        }
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "NaN", "inf", "1e9", "x"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
