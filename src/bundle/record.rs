//! The run record: who collected, with what, from where, when, and which files of the bundle hold what the run used.

use serde::{Deserialize, Serialize};

use crate::facts::stored::Vantage;

/// Version of the layout of bundles. It changes when a reader of the old one would misread the new one.
pub const FORMAT: u32 = 1;

/// What is known when a run starts; the file `INCOMPLETE` holds it, so that the run can be gone on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// For people who find the file.
    pub incomplete: String,
    /// Version of the layout.
    pub format: u32,
    /// The program.
    pub tool: Tool,
    /// The arguments, without the name of the program, secrets replaced.
    pub arguments: Vec<String>,
    /// Who ran it, and where.
    pub operator: Operator,
    /// When it started, UTC, by the clock of the machine.
    pub started: String,
}

/// The program that wrote a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the executable, when it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Processor and system it runs on.
    pub platform: String,
}

/// Who ran the program, as the environment says: a statement, not a proof.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// Name of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Name of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// The run record, complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Version of the layout.
    pub format: u32,
    /// The program.
    pub tool: Tool,
    /// The arguments, without the name of the program, secrets replaced.
    pub arguments: Vec<String>,
    /// Who ran it, and where.
    pub operator: Operator,
    /// When it started, UTC.
    pub started: String,
    /// When it ended, UTC.
    pub ended: String,
    /// When it was gone on with, UTC.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed: Vec<String>,
    /// Which clock gave the times.
    pub clock: String,
    /// From where and how was looked; without a resolver when DNS came from files.
    pub vantage: Vantage,
    /// Files that the run read, beside those of its policy.
    pub inputs: Vec<Stored>,
    /// By what was judged; absent when the run only collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Judged>,
    /// The public key that signed the bundle, as a line of OpenSSH; absent when the run did not sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
}

/// A file and where the bundle keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// Path as the run knew it.
    pub path: String,
    /// File of the bundle.
    pub file: String,
}

/// By what was judged, and with what result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judged {
    /// The date for which dates were judged.
    pub as_of: jiff::civil::Date,
    /// The packs that were there to choose from, in order.
    pub packs: Vec<StoredPack>,
    /// The profile that chose.
    pub profile: Stored,
    /// Whether the profile came with the program; then packs of the user's own are added to it.
    pub built_in_profile: bool,
    /// Parameters of the command line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<String>,
    /// Rules that the command line chose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    /// Rules that the command line left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<String>,
    /// Files of waivers, in order.
    pub waivers: Vec<Stored>,
    /// Files of answers, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<StoredAnswers>,
    /// The results.
    pub results: Vec<StoredResult>,
}

/// A pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredPack {
    /// Whether it is one of the user's own.
    pub own: bool,
    /// Its files, in order.
    pub files: Vec<Stored>,
}

/// A file of answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredAnswers {
    /// Path as the run knew it.
    pub path: String,
    /// File of the bundle.
    pub file: String,
    /// The files that its answers rest on, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<StoredShown>,
}

/// A file that an answer rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredShown {
    /// Path as the file of answers has it.
    pub written: String,
    /// Path as the run knew it.
    pub path: String,
    /// File of the bundle; absent when the run could not read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Why the run could not read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredResult {
    /// Its format.
    pub format: String,
    /// File of the bundle.
    pub file: String,
}

/// Arguments as they may be kept: the password of a URL is replaced. mailvet has no option that takes a secret.
pub fn redacted(arguments: impl IntoIterator<Item = String>) -> Vec<String> {
    arguments
        .into_iter()
        .map(|argument| {
            let Some((scheme, rest)) = argument.split_once("://") else { return argument };
            let authority = rest.split('/').next().unwrap_or_default();
            let Some((user, host)) = authority.rsplit_once('@') else { return argument };
            let Some((user, _)) = user.split_once(':') else { return argument };
            format!("{scheme}://{user}:redacted@{host}{}", &rest[authority.len()..])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_is_not_kept() {
        for (given, kept) in [
            ("--output=json=x", "--output=json=x"),
            ("https://u:secret@example.org/a@b", "https://u:redacted@example.org/a@b"),
            ("https://example.org/u:x@y", "https://example.org/u:x@y"),
        ] {
            assert_eq!(redacted([given.to_owned()]), [kept]);
        }
    }
}
