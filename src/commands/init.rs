//! `mailvet init`: an inventory of the domains that the files hold, and a CI workflow, to start from.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::exit;
use crate::cli::{Ci, InitArgs};
use crate::collectors::{self, Context};
use crate::diag::Files;
use crate::facts::{DomainFacts, Method, Observed};
use crate::mail::Name;
use crate::sources::{self, Store, Tree};

/// Reads the files and writes what was found; nothing that exists is overwritten without `--force`.
pub(super) fn run(args: &InitArgs) -> anyhow::Result<u8> {
    let paths = if args.paths.is_empty() { vec![PathBuf::from(".")] } else { args.paths.clone() };
    let folder = args.out.clone().unwrap_or_else(|| PathBuf::from("."));
    let mut planned = vec![(folder.join(super::input::INVENTORY), inventory(&paths)?)];
    match args.ci {
        Ci::Github => planned.push((folder.join(".github/workflows/mailvet.yml"), github(&paths))),
        Ci::Gitlab => planned.push((folder.join(".gitlab-ci.mailvet.yml"), gitlab(&paths))),
        Ci::None => {}
    }
    if !args.force
        && let Some((path, _)) = planned.iter().find(|(path, _)| path.exists())
    {
        bail!("{} exists; --force overwrites it", path.display());
    }
    let mut stderr = anstream::stderr();
    for (path, text) in planned {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        let _ = std::io::Write::write_fmt(&mut stderr, format_args!("wrote {}\n", path.display()));
    }
    let _ =
        std::io::Write::write_all(&mut stderr, b"next: check the roles in the inventory, then run `mailvet check`\n");
    Ok(exit::GOOD)
}

/// An inventory that says what the files say today.
fn inventory(paths: &[PathBuf]) -> anyhow::Result<String> {
    let mut files = Files::default();
    let mut store = Store::new();
    sources::discover(&Tree::Disk, paths, &sources::Options::default(), &mut files, &mut store)?;
    store.finish(&files);
    let source = store.view(&files);
    let context = Context { source: &source, method: Method::DnsFile, inventory: None, policies: &[] };
    let mut out = String::from(
        "# What the organisation owns and expects. `mailvet schema inventory` prints the schema of this file.\n\
         # Written from what the DNS files say today: check every role, and remove what should not be there.\n\
         format: 1\norganisation: { name: Change Me }\n\ndns:\n  files:\n",
    );
    for path in paths {
        let _ = writeln!(out, "    - {}", quoted(&slashed(path)));
    }
    let domains = store.mail_domains(&files);
    if domains.is_empty() {
        bail!("no zone was found below {}", paths.iter().map(|path| slashed(path)).collect::<Vec<_>>().join(", "));
    }
    out.push_str("\ndomains:\n");
    for (name, _) in domains {
        entry(&mut out, &name, &collectors::domain(&context, &name));
    }
    Ok(out)
}

/// One domain of the inventory.
fn entry(out: &mut String, name: &Name, facts: &DomainFacts) {
    let yes = |observed: &Observed<bool>| observed.present() == Some(&true);
    let mut roles = Vec::new();
    if yes(&facts.mail.parked.observed) {
        roles.push("parked");
    } else {
        if yes(&facts.mail.sends.observed) {
            roles.push("sends");
        }
        if yes(&facts.mail.receives.observed) {
            roles.push("receives");
        }
    }
    let _ = writeln!(out, "  - name: {}\n    roles: [{}]", quoted(name.as_str()), roles.join(", "));
    if let Observed::Present(rows) = &facts.dns.mx.observed {
        let hosts: Vec<String> = rows
            .0
            .iter()
            .filter_map(|row| row.host.observed.present())
            .filter(|host| !host.is_root())
            .map(|host| quoted(host.as_str()))
            .collect();
        if !hosts.is_empty() {
            let _ = writeln!(out, "    mx: [{}]", hosts.join(", "));
        }
    }
    if let Observed::Present(rows) = &facts.dkim.keys.observed {
        let selectors: Vec<String> = rows
            .0
            .iter()
            .filter(|row| !yes(&row.revoked.observed))
            .filter_map(|row| row.selector.observed.present())
            .map(|selector| quoted(selector))
            .collect();
        if !selectors.is_empty() {
            let _ = writeln!(out, "    dkim_selectors: [{}]", selectors.join(", "));
        }
    }
}

/// A YAML scalar: plain where that is safe, else in double quotes with escapes.
fn quoted(text: &str) -> String {
    let plain = text.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '_' | '/' | '.'))
        && text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_' | '/'))
        && !["true", "false", "null", "yes", "no", "on", "off", "."].contains(&text);
    // JSON strings are YAML double-quoted scalars.
    if plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

fn slashed(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

fn github(paths: &[PathBuf]) -> String {
    let triggers: Vec<String> =
        paths.iter().map(|path| quoted(&format!("{}/**", slashed(path).trim_end_matches('/')))).collect();
    format!(
        r#"# Judges the DNS files of every pull request; fails when the change makes something worse.
name: mailvet
on:
  pull_request:
    paths: [{}, mailvet.yaml]
  push:
    branches: [main]
permissions:
  contents: read
  security-events: write
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
        with: {{ fetch-depth: 0 }}
      - name: Install mailvet
        run: cargo install --locked mailvet
      - name: Judge the change
        if: github.event_name == 'pull_request'
        run: mailvet check --base "origin/${{{{ github.base_ref }}}}" --format github --output "markdown=$GITHUB_STEP_SUMMARY"
      - name: Judge everything, for code scanning
        if: always()
        run: mailvet check --format github --exit-zero --output sarif-github=mailvet.sarif
      - uses: github/codeql-action/upload-sarif@v3
        if: always()
        with: {{ sarif_file: mailvet.sarif }}
"#,
        triggers.join(", ")
    )
}

fn gitlab(paths: &[PathBuf]) -> String {
    let triggers: Vec<String> =
        paths.iter().map(|path| quoted(&format!("{}/**/*", slashed(path).trim_end_matches('/')))).collect();
    format!(
        r#"# Include this file from .gitlab-ci.yml. GitLab ingests reports only from jobs that succeed, so the report and the gate
# are two jobs.
mailvet-report:
  image: rust:1-slim
  rules: [ {{ changes: [{0}, mailvet.yaml] }} ]
  script:
    - cargo install --locked mailvet
    - mailvet check --exit-zero --output sarif-gitlab=mailvet.sarif --output gitlab=mailvet.codequality.json
  artifacts:
    reports: {{ sarif: mailvet.sarif, codequality: mailvet.codequality.json }}

mailvet-gate:
  image: rust:1-slim
  rules: [ {{ if: $CI_MERGE_REQUEST_TARGET_BRANCH_NAME, changes: [{0}, mailvet.yaml] }} ]
  script:
    - cargo install --locked mailvet
    - git fetch origin "$CI_MERGE_REQUEST_TARGET_BRANCH_NAME"
    - mailvet check --base "origin/$CI_MERGE_REQUEST_TARGET_BRANCH_NAME"
"#,
        triggers.join(", ")
    )
}
