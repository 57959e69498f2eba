//! `mailvet init`: an inventory of the domains that the files hold, and a CI workflow, to start from.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail};

use super::exit;
use super::jail::Jail;
use crate::cli::{Ci, InitArgs};
use crate::collectors::{self, Cache, Context};
use crate::diag::{Files, visible};
use crate::facts::{DomainFacts, Method, Observed};
use crate::mail::Name;
use crate::sources::tree::normalise;
use crate::sources::{self, Store, Tree};

/// Reads the files and writes what was found; nothing that exists is overwritten without `--force`.
pub(super) fn run(args: &InitArgs) -> anyhow::Result<u8> {
    let paths = if args.paths.is_empty() { vec![PathBuf::from(".")] } else { args.paths.clone() };
    let folder = args.out.clone().unwrap_or_else(|| PathBuf::from("."));
    let written = paths.iter().map(|path| seen_from(&folder, path)).collect::<anyhow::Result<Vec<PathBuf>>>()?;
    let jail = Jail::around(&folder)?;
    for path in &paths {
        jail.check(path).with_context(|| {
            format!("an inventory in {} could not name {}", folder.display(), visible(&path.to_string_lossy()))
        })?;
    }
    let (text, left_out) = inventory(&paths, &written)?;
    let mut planned = vec![(folder.join(super::input::INVENTORY), text)];
    match args.ci {
        Ci::Github => {
            planned.push((folder.join(".github/workflows/mailvet.yml"), github(&triggers(&paths, &written, "**"))))
        }
        Ci::Gitlab => {
            planned.push((folder.join(".gitlab-ci.mailvet.yml"), gitlab(&triggers(&paths, &written, "**/*"))))
        }
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
    for name in left_out {
        let message = format!("left out: {} is not a name that an inventory can hold\n", visible(name.as_str()));
        let _ = std::io::Write::write_all(&mut stderr, message.as_bytes());
    }
    let _ =
        std::io::Write::write_all(&mut stderr, b"next: check the roles in the inventory, then run `mailvet check`\n");
    Ok(exit::GOOD)
}

/// A path as the inventory in `folder` must name it.
fn seen_from(folder: &Path, path: &Path) -> anyhow::Result<PathBuf> {
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    let here = std::env::current_dir().context("cannot tell the current folder")?;
    let (folder, path) = (normalise(&here.join(folder)), normalise(&here.join(path)));
    let shared = folder.components().zip(path.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(shared).map(|_| Component::ParentDir);
    let seen: PathBuf = up.chain(path.components().skip(shared)).collect();
    Ok(if seen.as_os_str().is_empty() { PathBuf::from(".") } else { seen })
}

/// Patterns of the files whose change starts the CI job. What lies outside the repository starts it always.
fn triggers(paths: &[PathBuf], written: &[PathBuf], everything: &str) -> String {
    let pattern = |(path, written): (&PathBuf, &PathBuf)| match written {
        _ if written.is_absolute() || written.starts_with("..") || written == Path::new(".") => quoted(everything),
        _ if path.is_dir() => quoted(&format!("{}/{everything}", slashed(written))),
        _ => quoted(&slashed(written)),
    };
    paths.iter().zip(written).map(pattern).collect::<Vec<_>>().join(", ")
}

/// An inventory that says what the files say today, and the names that it cannot hold.
fn inventory(paths: &[PathBuf], written: &[PathBuf]) -> anyhow::Result<(String, Vec<Name>)> {
    let mut files = Files::default();
    let mut store = Store::new();
    sources::discover(&Tree::Disk, paths, &sources::Options::default(), &mut files, &mut store)?;
    store.finish(&files);
    let source = store.view(&files);
    let context = Context {
        source: &source,
        method: Method::DnsFile,
        inventory: None,
        policies: &[],
        fetches: &[],
        cache: Cache::default(),
    };
    let mut out = String::from(
        "# What the organisation owns and expects. `mailvet schema inventory` prints the schema of this file.\n\
         # Written from what the DNS files say today: check every role, and remove what should not be there.\n\
         format: 1\norganisation: { name: Change Me }\n\ndns:\n  files:\n",
    );
    for path in written {
        let _ = writeln!(out, "    - {}", quoted(&slashed(path)));
    }
    let domains = store.mail_domains(&files);
    if domains.is_empty() {
        bail!("no zone was found below {}", paths.iter().map(|path| slashed(path)).collect::<Vec<_>>().join(", "));
    }
    let (domains, left_out): (Vec<Name>, Vec<Name>) =
        domains.into_iter().map(|(name, _)| name).partition(|name| is_plain(name.as_str()));
    out.push_str(if domains.is_empty() { "\ndomains: []\n" } else { "\ndomains:\n" });
    for name in domains {
        entry(&mut out, &name, &collectors::domain(&context, &name));
    }
    Ok((out, left_out))
}

/// Whether the inventory takes this for the name of a domain, a host or a selector.
fn is_plain(text: &str) -> bool {
    let is_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.bytes().all(is_byte) && text.parse::<IpAddr>().is_err()
}

/// One domain of the inventory.
fn entry(out: &mut String, name: &Name, facts: &DomainFacts) {
    let yes = |observed: &Observed<bool>| observed.present() == Some(&true);
    let mut roles = Vec::new();
    let parked = yes(&facts.mail.parked.observed);
    if parked {
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
    // A parked domain expects neither hosts nor keys; what DNS still has of them is for the rules to name.
    if parked {
        return;
    }
    if let Observed::Present(rows) = &facts.dns.mx.observed {
        let hosts: BTreeSet<&str> = rows
            .0
            .iter()
            .filter_map(|row| row.host.observed.present())
            .filter(|host| !host.is_root())
            .map(Name::as_str)
            .collect();
        // A list that lacks a host would accuse the DNS of it.
        if hosts.iter().all(|host| is_plain(host)) {
            list(out, "mx", &hosts);
        }
    }
    if let Observed::Present(rows) = &facts.dkim.keys.observed {
        let selectors: BTreeSet<&str> = rows
            .0
            .iter()
            .filter(|row| !yes(&row.revoked.observed))
            .filter_map(|row| row.selector.observed.present())
            .map(|selector| selector.as_ref())
            .filter(|selector| is_plain(selector))
            .collect();
        list(out, "dkim_selectors", &selectors);
    }
}

fn list(out: &mut String, key: &str, items: &BTreeSet<&str>) {
    if !items.is_empty() {
        let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
        let _ = writeln!(out, "    {key}: [{}]", items.join(", "));
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

fn github(triggers: &str) -> String {
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
      - uses: github/codeql-action/upload-sarif@v4
        if: always()
        with: {{ sarif_file: mailvet.sarif }}
"#,
        triggers
    )
}

fn gitlab(triggers: &str) -> String {
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
        triggers
    )
}
