//! `mailvet explain`: what a rule or a fact means.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::bail;

use super::{exit, input};
use crate::cli::ExplainArgs;
use crate::diag::{Files, suggest};
use crate::facts::{Catalogue, Entry, Target};
use crate::policy::{Pack, PackDocument, ParamValues, Rule, pack_index, resolve, rule_explanation};
use crate::schema;

/// Prints the page of a rule or a pack, the definition of a fact with the rules that read it, or the facts of a group.
pub(super) fn run(args: &ExplainArgs) -> anyhow::Result<u8> {
    let mut files = Files::default();
    let packs = packs(&mut files, &args.pack)?;
    let packs: Vec<Pack> = packs.iter().filter_map(|pack| resolve(pack, &ParamValues::default()).ok()).collect();
    let rules: Vec<&Rule> = packs.iter().flat_map(|pack| &pack.rules).collect();
    let mut out = anstream::stdout();
    let by_name =
        |rule: &&&Rule| rule.id == args.name || rule.id.split_once('/').is_some_and(|(_, id)| id == args.name);
    if let Some(rule) = rules.iter().find(by_name) {
        out.write_all(rule_explanation(rule).as_bytes())?;
        return Ok(exit::GOOD);
    }
    if let Some(pack) = packs.iter().find(|pack| pack.reference.name == args.name) {
        out.write_all(pack_index(pack).as_bytes())?;
        return Ok(exit::GOOD);
    }
    let entries: Vec<Entry> = Target::ALL.iter().flat_map(|target| Catalogue::entries(*target)).collect();
    if let Some(entry) = entries.iter().find(|entry| entry.path == args.name) {
        let doc = entry.doc.split_whitespace().collect::<Vec<_>>().join(" ");
        writeln!(out, "# {}\n\n{}\n", entry.path, entry.title)?;
        writeln!(out, "- target: {}\n- type: {}\n\n{doc}", entry.target, schema::type_of(entry.kind))?;
        let readers: Vec<&str> = rules
            .iter()
            .filter(|rule| rule.applies_to == entry.target && reads(rule, &entry.path))
            .map(|rule| rule.id.as_str())
            .collect();
        if !readers.is_empty() {
            writeln!(out, "\nRead by: {}", readers.join(", "))?;
        }
        return Ok(exit::GOOD);
    }
    let prefix = format!("{}.", args.name);
    let group: Vec<&Entry> = entries.iter().filter(|entry| entry.path.starts_with(&prefix)).collect();
    if !group.is_empty() {
        writeln!(out, "# Facts of the group {}\n", args.name)?;
        for entry in group {
            writeln!(out, "- {}: {}", entry.path, entry.title)?;
        }
        return Ok(exit::GOOD);
    }
    let known = rules.iter().map(|rule| rule.id.as_str()).chain(entries.iter().map(|entry| entry.path.as_str()));
    match suggest(&args.name, known) {
        Some(near) => bail!("no rule or fact is called `{}`; did you mean `{near}`?", args.name),
        None => bail!(
            "no rule or fact is called `{}`; `mailvet pack list` lists the rules, `mailvet schema catalogue` the facts",
            args.name
        ),
    }
}

fn packs(files: &mut Files, folders: &[PathBuf]) -> anyhow::Result<Vec<PackDocument>> {
    let mut packs = input::built_in(files)?;
    for folder in folders {
        packs.push(input::pack_folder(files, folder)?);
    }
    Ok(packs)
}

/// Whether a rule reads a fact.
fn reads(rule: &Rule, path: &str) -> bool {
    rule.leaves.iter().any(|leaf| match (&leaf.list, leaf.element) {
        (Some(list), true) => format!("{list}[].{}", leaf.path.text) == path,
        _ => leaf.path.text == path || leaf.path.text.trim_end_matches("[]") == path,
    })
}
