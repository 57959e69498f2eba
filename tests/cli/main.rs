//! The program as people run it: arguments and files in, exit code, standard output and standard error out.
//!
//! Every run has an empty environment but `PATH`, a folder of its own, and a time limit, because a hang is a fault too.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a failing test panics, a skipped one says so"
)]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod bad_input;
mod base;
mod bundle;
mod check;
mod commands;
mod diff;
mod document;
mod hostile;
mod inventory;
mod live;
mod reports;
mod shown;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// A domain without mail at which no rule fails.
pub(crate) const GOOD: &str = r#"$ORIGIN example.org.
$TTL 3600
@ IN SOA ns1.example.org. hostmaster.example.org. 1 7200 3600 1209600 3600
@ NS ns1.example.org.
@ NS ns2.example.net.
ns1 A 192.0.2.53
@ MX 0 .
@ TXT "v=spf1 -all"
_dmarc TXT "v=DMARC1; p=reject; sp=reject; rua=mailto:d@example.org"
*._domainkey TXT "v=DKIM1; p="
@ CAA 0 issue ";"
@ CAA 0 issuemail ";"
"#;

/// A domain that sends mail, with a weak SPF and DMARC record.
pub(crate) const BAD: &str = r#"$ORIGIN example.com.
$TTL 3600
@ IN SOA ns1.example.com. hostmaster.example.com. 1 7200 3600 1209600 3600
@ NS ns1.example.com.
@ NS ns2.example.net.
ns1 A 192.0.2.53
@ MX 10 mx1
@ MX 20 mx2
mx1 A 192.0.2.1
mx2 A 192.0.2.2
@ TXT "v=spf1 mx ~all"
_dmarc TXT "v=DMARC1; p=none; rua=mailto:d@example.com"
"#;

/// A folder of its own, removed at the end.
pub(crate) struct Folder {
    root: TempDir,
}

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder { root: TempDir::new().unwrap() }
    }

    /// A folder with these files.
    pub(crate) fn with(files: &[(&str, &str)]) -> Folder {
        let folder = Folder::new();
        for (path, text) in files {
            folder.write(path, text);
        }
        folder
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    /// Runs mailvet here.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        self.run_in("", args, "")
    }

    /// Runs mailvet in a folder below, with text on standard input.
    pub(crate) fn run_in(&self, folder: &str, args: &[&str], stdin: &str) -> Run {
        run(&self.path(folder), args, stdin.as_bytes())
    }

    /// Runs git here, as nobody in particular at a fixed time.
    pub(crate) fn git(&self, args: &[&str]) {
        let output = Command::new("git")
            .args(args)
            .current_dir(self.root.path())
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs([
                ("GIT_AUTHOR_NAME", "A"),
                ("GIT_AUTHOR_EMAIL", "a@example.org"),
                ("GIT_COMMITTER_NAME", "A"),
                ("GIT_COMMITTER_EMAIL", "a@example.org"),
                ("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z"),
                ("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z"),
                ("GIT_CONFIG_GLOBAL", "/dev/null"),
                ("GIT_CONFIG_NOSYSTEM", "1"),
            ])
            .output()
            .unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Makes the folder a repository and commits what is in it.
    pub(crate) fn commit(&self) {
        if !self.path(".git").exists() {
            self.git(&["init", "--quiet", "--initial-branch=main"]);
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "state"]);
    }
}

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    /// Fails unless the exit code is this one.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Run {
        assert_eq!(self.code, code, "\n{}\n{}", self.out, self.err);
        self
    }

    /// Fails unless standard error holds all of these, and never when it tells of a panic.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Run {
        for part in parts {
            assert!(self.err.contains(part), "`{part}` is missing in:\n{}", self.err);
        }
        self
    }

    /// Fails unless standard output holds all of these.
    #[track_caller]
    pub(crate) fn prints(self, parts: &[&str]) -> Run {
        for part in parts {
            assert!(self.out.contains(part), "`{part}` is missing in:\n{}", self.out);
        }
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }
}

/// Runs mailvet in a folder.
#[track_caller]
pub(crate) fn run(folder: &Path, args: &[&str], stdin: &[u8]) -> Run {
    let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_mailvet"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .write_stdin(stdin)
        .timeout(Duration::from_secs(120))
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!err.contains("panicked"), "{args:?}: {err}");
    let code = output.status.code().unwrap_or_else(|| panic!("{args:?} was killed: {err}"));
    Run { code, out: String::from_utf8(output.stdout).expect("reports are UTF-8"), err }
}

/// `rule target verdict` of every finding of a JSON report, sorted.
pub(crate) fn findings(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut findings: Vec<String> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| format!("{} {} {}", text(&item["rule"]), text(&item["target"]), text(&item["verdict"])))
        .collect();
    findings.sort();
    findings
}

/// The words of the report formats.
pub(crate) const FORMATS: [&str; 14] = [
    "text",
    "json",
    "jsonl",
    "sarif",
    "sarif-github",
    "sarif-gitlab",
    "junit",
    "markdown",
    "github",
    "gitlab",
    "csv",
    "oscal",
    "hdf",
    "html",
];
