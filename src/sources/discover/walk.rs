//! Walks the given files and folders and reads what may be DNS data.
//!
//! The order is that of sorted paths. Each real file is read once whatever links lead to it; a cycle of links ends. What
//! the user named must be readable; what lies deeper and cannot be read is said and left out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::detect::{self, Detected, Format};
use super::{DiscoverError, EXPECTED};
use crate::diag::Diagnostic;
use crate::facts::Ignored;
use crate::sources::tree::{Kind, Tree, TreeError, YAML_LIMIT, ZONE_LIMIT, read_bounded, shown};

/// Deepest folder below a given one.
const DEPTH: usize = 64;

/// Most files that are looked at.
const FILES: usize = 2_000_000;

/// Files up to this size are read before it is known what they are.
const HEAD: u64 = 1 << 20;

/// Path of standard input.
pub(super) const STDIN: &str = "<stdin>";

/// A file that was read.
#[derive(Debug)]
pub(super) struct Found {
    /// Path as people know it.
    pub shown: String,
    /// The one path of the real file.
    pub canonical: PathBuf,
    /// Whether the user named this very file.
    pub given: bool,
    /// What it is.
    pub detected: Detected,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Everything that a walk came across.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Files that were read, in order.
    pub files: Vec<Found>,
    /// What was not read, with the reason.
    pub ignored: Vec<Ignored>,
    /// Messages about files that could not be read.
    pub diagnostics: Vec<Diagnostic>,
    /// Given folders, and folders of given files, as canonical paths.
    pub roots: Vec<PathBuf>,
    seen: BTreeSet<PathBuf>,
    within: Option<PathBuf>,
}

/// Walks the given paths, and follows no link out of `within`; `-` is standard input.
pub(super) fn walk(tree: &Tree, paths: &[PathBuf], within: Option<&Path>) -> Result<Walk, DiscoverError> {
    let mut walk = Walk { within: within.map(Path::to_owned), ..Walk::default() };
    for path in paths {
        if path.as_os_str() == "-" {
            walk.stdin(tree)?;
            continue;
        }
        let unreadable = |reason| DiscoverError::Unreadable { path: shown(path), reason };
        let kind = tree.kind(path).map_err(unreadable)?;
        if kind == Kind::Other {
            // Opening a pipe waits for a writer that may never come, and a device may have no end.
            return Err(unreadable(TreeError::Kind("it is not a regular file; `-` reads standard input")));
        }
        let canonical = tree.canonical(path).map_err(unreadable)?;
        if kind == Kind::Folder {
            tree.list(path).map_err(unreadable)?;
            walk.roots.push(canonical.clone());
            walk.folder(tree, path, canonical);
        } else {
            let parent = canonical.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned);
            walk.roots.push(parent);
            if walk.seen.insert(canonical.clone()) {
                walk.given_file(tree, path, canonical, kind)?;
            }
        }
    }
    Ok(walk)
}

impl Walk {
    fn is_within(&self, canonical: &Path) -> bool {
        self.within.as_ref().is_none_or(|folder| canonical.starts_with(folder))
    }

    fn ignore(&mut self, path: &Path, reason: impl Into<String>) {
        self.ignored.push(Ignored { path: shown(path), reason: reason.into() });
    }

    /// A path below a given folder that could not be read.
    fn unreadable(&mut self, path: &Path, error: &TreeError) {
        let message = format!("{} cannot be read: {error}", shown(path));
        self.diagnostics.push(Diagnostic::warning("unreadable", message));
        self.ignore(path, format!("it cannot be read: {error}"));
    }

    fn stdin(&mut self, tree: &Tree) -> Result<(), DiscoverError> {
        let unreadable = |reason| DiscoverError::Unreadable { path: STDIN.to_owned(), reason };
        if !matches!(tree, Tree::Disk) {
            return Err(unreadable(TreeError::Kind("standard input has no revisions")));
        }
        let canonical = PathBuf::from(STDIN);
        if !self.seen.insert(canonical.clone()) {
            return Ok(());
        }
        let bytes = read_bounded(std::io::stdin().lock(), ZONE_LIMIT).map_err(unreadable)?;
        self.roots.extend(std::env::current_dir().and_then(std::fs::canonicalize).ok());
        self.keep(Path::new(STDIN), canonical, true, bytes)
    }

    fn given_file(&mut self, tree: &Tree, path: &Path, canonical: PathBuf, kind: Kind) -> Result<(), DiscoverError> {
        let limit = if is_yaml(path) { YAML_LIMIT } else { ZONE_LIMIT };
        let unreadable = |reason| DiscoverError::Unreadable { path: shown(path), reason };
        if matches!(kind, Kind::File(size) if size > limit) {
            return Err(unreadable(TreeError::TooLarge { limit }));
        }
        let bytes = tree.read(path, limit).map_err(unreadable)?;
        self.keep(path, canonical, true, bytes)
    }

    /// Keeps a file that may be DNS data. A given file that is something else is an error.
    fn keep(&mut self, path: &Path, canonical: PathBuf, given: bool, bytes: Vec<u8>) -> Result<(), DiscoverError> {
        let detected = detect::detect(path, &bytes);
        let reason = match &detected.format {
            Format::Other(reason) => reason.clone(),
            Format::Mailvet(what) => (*what).to_owned(),
            _ => {
                self.files.push(Found { shown: shown(path), canonical, given, detected, bytes });
                return Ok(());
            }
        };
        if given {
            return Err(DiscoverError::Unknown { path: shown(path), reason, expected: EXPECTED });
        }
        self.ignore(path, reason);
        Ok(())
    }

    /// Walks a folder. The work that is left stands on a list of its own, so that depth costs no stack.
    fn folder(&mut self, tree: &Tree, path: &Path, canonical: PathBuf) {
        let mut pending: Vec<(PathBuf, PathBuf, Kind, usize)> = vec![(path.to_owned(), canonical, Kind::Folder, 0)];
        while let Some((path, canonical, kind, depth)) = pending.pop() {
            if !self.seen.insert(canonical.clone()) {
                if depth > 0 && kind == Kind::Folder {
                    self.ignore(&path, "a symbolic link to a folder that is read under another path");
                }
                continue;
            }
            if self.seen.len() > FILES {
                let message = format!("more than {FILES} files; the rest is not looked at");
                self.diagnostics.push(Diagnostic::warning("limit", message.clone()));
                self.ignore(&path, message);
                return;
            }
            match kind {
                Kind::Folder if depth > DEPTH => self.ignore(&path, format!("more than {DEPTH} folders deep")),
                Kind::Folder => self.children(tree, &path, depth, &mut pending),
                Kind::File(size) => self.file(tree, &path, canonical, size),
                Kind::Other => self.ignore(&path, "not a regular file"),
            }
        }
    }

    /// Puts the entries of a folder on the list, last first, so that the first is taken next.
    fn children(&mut self, tree: &Tree, path: &Path, depth: usize, pending: &mut Vec<(PathBuf, PathBuf, Kind, usize)>) {
        let names = match tree.list(path) {
            Ok(names) => names,
            Err(error) => return self.unreadable(path, &error),
        };
        let mut entries = Vec::new();
        for name in names {
            let child = path.join(&name);
            let text = name.to_string_lossy();
            if text == ".git" {
                continue;
            }
            match tree.kind(&child).and_then(|kind| Ok((tree.canonical(&child)?, kind))) {
                Ok((canonical, _)) if !self.is_within(&canonical) => {
                    self.unreadable(&child, &TreeError::OutsideRepository)
                }
                Ok((_, Kind::Folder)) if text == "node_modules" || text.starts_with('.') => {
                    self.ignore(
                        &child,
                        if text == "node_modules" { "a folder of packages" } else { "a hidden folder" },
                    );
                }
                Ok((canonical, kind)) => entries.push((child, canonical, kind, depth + 1)),
                Err(TreeError::Missing) => self.ignore(&child, "a symbolic link to nothing"),
                Err(error) => self.unreadable(&child, &error),
            }
        }
        pending.extend(entries.into_iter().rev());
    }

    fn file(&mut self, tree: &Tree, path: &Path, canonical: PathBuf, size: u64) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some(reason) = detect::ignored_by_name(&name) {
            return self.ignore(path, reason);
        }
        let limit = if is_yaml(path) { YAML_LIMIT } else { ZONE_LIMIT };
        if size > limit {
            return self.unreadable(path, &TreeError::TooLarge { limit });
        }
        if size > HEAD && !is_yaml(path) {
            // A large file is read as a whole only when its beginning may be DNS data.
            match tree.read_head(path, HEAD).map(|head| detect::detect(path, &head).format) {
                Ok(Format::Other(reason)) => return self.ignore(path, reason),
                Ok(_) => {}
                Err(error) => return self.unreadable(path, &error),
            }
        }
        match tree.read(path, limit) {
            Ok(bytes) => {
                // Only a given file makes this fail.
                let _ = self.keep(path, canonical, false, bytes);
            }
            Err(error) => self.unreadable(path, &error),
        }
    }
}

fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml"))
}
