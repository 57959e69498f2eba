//! `mailvet pack list | lint | test | docs`: for authors of rule packs.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::{exit, input, print_diagnostics};
use crate::cli::{PackArgs, PackCommand, PackDocsArgs};
use crate::diag::{Files, Level};
use crate::engine::testing;
use crate::policy::{
    self, Pack, PackDocument, ParamValues, pack_index, packs_index, resolve, resolve_for_test, rule_page,
};

/// Runs a subcommand of `pack`.
pub(super) fn run(command: &PackCommand) -> anyhow::Result<u8> {
    match command {
        PackCommand::List(args) => list(args),
        PackCommand::Lint(args) => lint(args),
        PackCommand::Test(args) => test(args),
        PackCommand::Docs(args) => docs(args),
    }
}

fn list(args: &PackArgs) -> anyhow::Result<u8> {
    let mut files = Files::default();
    let mut out = anstream::stdout();
    for document in documents(&mut files, args)? {
        let pack = resolved(&document, &files)?;
        writeln!(out, "{} {}  {}", pack.reference.name, pack.reference.version, pack.title)?;
        writeln!(out, "  sha256 {}", pack.reference.sha256)?;
        for rule in &pack.rules {
            writeln!(out, "  {:<8}  {:<44}  {}", rule.severity, rule.id, rule.title)?;
        }
        writeln!(out)?;
    }
    Ok(exit::GOOD)
}

fn lint(args: &PackArgs) -> anyhow::Result<u8> {
    let mut files = Files::default();
    let mut out = anstream::stdout();
    let mut findings = 0;
    let documents = documents(&mut files, args)?;
    for document in &documents {
        for diagnostic in policy::lint(document) {
            if diagnostic.level != Level::Note {
                findings += 1;
            }
            out.write_all(diagnostic.render(&files).as_bytes())?;
        }
    }
    let rules: usize = documents.iter().map(|document| document.rules.len()).sum();
    let (packs, rules, remarks) = (plural(documents.len(), "pack"), plural(rules, "rule"), plural(findings, "remark"));
    writeln!(out, "{packs}, {rules}: {remarks}")?;
    Ok(if findings == 0 { exit::GOOD } else { exit::FAILED })
}

fn test(args: &PackArgs) -> anyhow::Result<u8> {
    let mut files = Files::default();
    let mut out = anstream::stdout();
    let mut good = true;
    for document in documents(&mut files, args)? {
        let pack = resolved(&document, &files)?;
        let report = testing::test_pack(&pack, &|rule, test| {
            let id = rule.id.split_once('/').map_or(rule.id.as_str(), |(_, id)| id);
            let written = document
                .rules
                .iter()
                .find(|candidate| candidate.id.value == id)
                .ok_or_else(|| format!("the pack has no rule `{id}`"))?;
            resolve_for_test(&document, written, test).map_err(|problems| {
                problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; ")
            })
        });
        out.write_all(testing::render(&report).as_bytes())?;
        good &= report.meets_gate();
    }
    Ok(if good { exit::GOOD } else { exit::FAILED })
}

fn docs(args: &PackDocsArgs) -> anyhow::Result<u8> {
    let mut files = Files::default();
    let mut out = anstream::stdout();
    let mut packs = Vec::new();
    for document in documents(&mut files, &args.packs)? {
        let pack = resolved(&document, &files)?;
        match &args.out {
            None => out.write_all(pack_index(&pack).as_bytes())?,
            Some(folder) => write_pages(folder, &pack)?,
        }
        packs.push(pack);
    }
    if let Some(folder) = &args.out {
        let path = folder.join("README.md");
        std::fs::write(&path, packs_index(&packs)).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(exit::GOOD)
}

/// Writes the index of a pack and one page for each rule.
fn write_pages(folder: &Path, pack: &Pack) -> anyhow::Result<()> {
    let folder = folder.join(&pack.reference.name);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let write = |path: &Path, text: &str| {
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    write(&folder.join("README.md"), &pack_index(pack))?;
    for rule in &pack.rules {
        let id = rule.id.split_once('/').map_or(rule.id.as_str(), |(_, id)| id);
        write(&folder.join(format!("{id}.md")), &rule_page(rule))?;
    }
    Ok(())
}

/// `1 rule`, `2 rules`.
fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

/// The packs that were named, by folder or by the name of a built-in one; all built-in packs when none was.
fn documents(files: &mut Files, args: &PackArgs) -> anyhow::Result<Vec<PackDocument>> {
    let built_in = input::built_in(files)?;
    if args.packs.is_empty() {
        return Ok(built_in);
    }
    let mut documents = Vec::new();
    for name in &args.packs {
        if let Some(pack) = built_in.iter().find(|pack| pack.name.value == *name) {
            documents.push(pack.clone());
        } else if Path::new(name).exists() {
            documents.push(input::pack_folder(files, Path::new(name))?);
        } else {
            let names: Vec<&str> = built_in.iter().map(|pack| pack.name.value.as_str()).collect();
            bail!("`{name}` is neither a folder nor a built-in pack ({})", names.join(", "));
        }
    }
    Ok(documents)
}

/// A pack with the defaults of its parameters.
fn resolved(document: &PackDocument, files: &Files) -> anyhow::Result<Pack> {
    resolve(document, &ParamValues::default()).map_err(|problems| {
        print_diagnostics(&problems, files);
        super::InputError(format!("the pack `{}` has errors", document.name.value)).into()
    })
}
