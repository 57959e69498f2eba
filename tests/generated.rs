//! Generated files are current. `UPDATE=1 cargo test --test generated` writes them anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot read or write the repository has nothing to go on with")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use mailvet::diag::Files;
use mailvet::policy::{ParamValues, embedded_packs, pack_index, packs_index, resolve, rule_page};

/// Where the pages about rules lie.
const RULES: &str = "docs/rules";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Writes the files, or compares them with what is there.
fn hold(generated: &BTreeMap<String, String>) {
    let mut stale = Vec::new();
    for (name, contents) in generated {
        let path = root().join(name);
        if std::env::var_os("UPDATE").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, contents).unwrap();
        } else if fs::read_to_string(&path).ok().as_deref() != Some(contents) {
            stale.push(name);
        }
    }
    assert!(stale.is_empty(), "stale: {stale:?}; write them with `UPDATE=1 cargo test --test generated`");
}

#[test]
fn schemas_and_catalogue_are_current() {
    hold(&mailvet::schema::generated().into_iter().map(|file| (file.path.to_owned(), file.contents)).collect());
}

/// One page for each rule, one for each pack, one above them.
fn rule_pages() -> BTreeMap<String, String> {
    let documents = embedded_packs(&mut Files::default()).unwrap();
    let packs: Vec<_> = documents.iter().map(|document| resolve(document, &ParamValues::new()).unwrap()).collect();
    let mut pages = BTreeMap::from([(format!("{RULES}/README.md"), packs_index(&packs))]);
    for pack in &packs {
        pages.insert(format!("{RULES}/{}/README.md", pack.reference.name), pack_index(pack));
        pages.extend(pack.rules.iter().map(|rule| (format!("{RULES}/{}.md", rule.id), rule_page(rule))));
    }
    pages
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, found) } else { found.push(path) }
    }
}

#[test]
fn rule_pages_are_current_and_belong_to_a_rule() {
    let pages = rule_pages();
    hold(&pages);
    let mut found = Vec::new();
    files_below(&root().join(RULES), &mut found);
    let names = found.iter().map(|path| path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/"));
    let found: BTreeSet<String> = names.collect();
    let orphans: Vec<_> = found.iter().filter(|name| !pages.contains_key(*name)).collect();
    assert!(orphans.is_empty(), "pages of no rule, delete them: {orphans:?}");
}

#[test]
fn the_readme_counts_the_rules() {
    let packs = embedded_packs(&mut Files::default()).unwrap();
    let rules: usize = packs.iter().map(|pack| pack.rules.len()).sum();
    let packs = packs.len();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(&format!("the {rules} rules in {packs} packs")), "the README does not say {rules} rules");
}
