//! Holds the import table: which module of `src` may use which. No other imports between modules, no cycles.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on panics, and one that skips says so"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Module, and what it may use. `diag` is positions and messages about files, so everybody may use it.
const TABLE: &[(&str, &[&str])] = &[
    ("diag", &[]),
    ("mail", &["diag"]),
    ("inventory", &["mail", "diag"]),
    ("facts", &["mail", "inventory", "diag"]),
    ("sources", &["mail", "facts", "diag"]),
    ("probes", &["mail", "facts", "diag"]),
    ("evidence", &["mail", "inventory", "facts", "diag"]),
    ("collectors", &["mail", "inventory", "facts", "sources", "probes", "diag"]),
    ("policy", &["inventory", "facts", "diag"]),
    ("findings", &["inventory", "facts", "policy", "diag"]),
    ("engine", &["inventory", "facts", "policy", "findings", "diag"]),
    ("bundle", &["facts", "findings", "policy", "inventory", "diag"]),
    ("reports", &["inventory", "facts", "policy", "findings", "diag"]),
    ("schema", &["inventory", "facts", "policy", "findings", "reports", "diag"]),
    ("cli", &["facts", "policy", "findings", "reports", "schema", "diag"]),
    (
        "commands",
        &[
            "diag",
            "mail",
            "inventory",
            "facts",
            "sources",
            "probes",
            "evidence",
            "collectors",
            "policy",
            "findings",
            "engine",
            "bundle",
            "reports",
            "schema",
            "cli",
        ],
    ),
];

#[test]
fn modules_import_only_what_the_table_allows() {
    let table: BTreeMap<&str, BTreeSet<&str>> =
        TABLE.iter().map(|(module, uses)| (*module, uses.iter().copied().collect())).collect();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut violations = Vec::new();
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    assert!(files.len() > 10, "the walk must find the sources");
    for file in files {
        let relative = file.strip_prefix(&src).unwrap();
        let first = relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let module = first.strip_suffix(".rs").unwrap_or(&first).to_owned();
        if module == "lib" || module == "main" {
            continue;
        }
        let Some(allowed) = table.get(module.as_str()) else {
            violations.push(format!("{}: module `{module}` is not in the table", relative.display()));
            continue;
        };
        let text = std::fs::read_to_string(&file).unwrap();
        for used in used_modules(&text) {
            if used != module && table.contains_key(used.as_str()) && !allowed.contains(used.as_str()) {
                violations.push(format!("{}: `{module}` must not use `{used}`", relative.display()));
            }
        }
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn the_table_has_no_cycles() {
    // Each module may use only modules for which the same holds without it: a topological order exists.
    let mut placed: BTreeSet<&str> = BTreeSet::new();
    while placed.len() < TABLE.len() {
        let next = TABLE
            .iter()
            .find(|(module, uses)| !placed.contains(module) && uses.iter().all(|used| placed.contains(used)));
        let Some((module, _)) = next else { panic!("cycle among the modules that are not in {placed:?}") };
        placed.insert(module);
    }
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Names that follow `crate::` outside comments, including inside `crate::{a, b::c}`.
fn used_modules(text: &str) -> BTreeSet<String> {
    let code: String = text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n");
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut item = String::new();
            for character in group.chars() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        used.insert(leading_word(item.trim()));
                        item.clear();
                        continue;
                    }
                    _ => {}
                }
                item.push(character);
            }
            used.insert(leading_word(item.trim()));
        } else {
            used.insert(leading_word(rest));
        }
    }
    used
}

fn leading_word(text: &str) -> String {
    text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}
