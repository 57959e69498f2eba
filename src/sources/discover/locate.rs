//! From a path as somebody wrote it (`$INCLUDE`, `file`, `directory`) to a file that may be read.
//!
//! A name server's paths are those of its machine; in a repository the same files lie elsewhere. A path is tried as it
//! stands, then without its leading folders. Nothing outside the given folders and their repository is ever opened,
//! whatever an included path or a symbolic link says.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::walk::Found;
use crate::sources::tree::{Kind, Tree, normalise};

/// Finds files by the paths people wrote.
#[derive(Debug)]
pub(super) struct Locator<'t> {
    tree: &'t Tree,
    /// Folders inside which files may be read.
    jail: Vec<PathBuf>,
    /// Folders that paths may be relative to.
    bases: Vec<PathBuf>,
    /// Walked files by their last component.
    by_name: HashMap<OsString, Vec<PathBuf>>,
}

/// Longest path that is looked for, in components.
const COMPONENTS: usize = 64;

impl<'t> Locator<'t> {
    /// A locator for the files of a walk.
    pub(super) fn new(tree: &'t Tree, roots: &[PathBuf], files: &[Found]) -> Self {
        let mut bases: Vec<PathBuf> = Vec::new();
        for root in roots {
            let repository = tree.repository_root(root);
            bases.extend(std::iter::once(root.clone()).chain(repository));
        }
        bases.sort();
        bases.dedup();
        let mut by_name: HashMap<OsString, Vec<PathBuf>> = HashMap::new();
        for file in files {
            if let Some(name) = file.canonical.file_name() {
                by_name.entry(name.to_owned()).or_default().push(file.canonical.clone());
            }
        }
        Locator { tree, jail: bases.clone(), bases, by_name }
    }

    /// Makes paths relative to a folder findable, without widening what may be read.
    pub(super) fn add_base(&mut self, folder: PathBuf) {
        if !self.bases.contains(&folder) {
            self.bases.push(folder);
        }
    }

    /// Whether a canonical path may be read.
    pub(super) fn may_read(&self, canonical: &Path) -> bool {
        self.jail.iter().any(|folder| canonical.starts_with(folder))
    }

    /// The file meant by `written` in a file that lies in one of `near`.
    pub(super) fn file(&self, written: &str, near: &[&Path]) -> Result<PathBuf, String> {
        let path = Path::new(written);
        if written.is_empty() || written.contains('\0') || path.components().count() > COMPONENTS {
            return Err("it is not a path".to_owned());
        }
        let mut outside = false;
        let mut try_path = |candidate: &Path| match self.tree.canonical(candidate) {
            Ok(canonical) if !self.may_read(&canonical) => {
                outside = true;
                None
            }
            Ok(canonical) => {
                let is_file = matches!(self.tree.kind(&canonical), Ok(Kind::File(_)));
                is_file.then_some(canonical)
            }
            Err(_) => None,
        };
        let as_written = near.iter().copied().chain(self.bases.iter().map(PathBuf::as_path));
        for base in as_written {
            if let Some(found) = try_path(&base.join(path)) {
                return Ok(found);
            }
        }
        if let Some(found) = self.by_suffix(path, near)? {
            return Ok(found);
        }
        let parts = named_parts(path);
        for skip in 1..parts.len() {
            let rest: PathBuf = parts[skip..].iter().collect();
            for base in near.iter().copied().chain(self.bases.iter().map(PathBuf::as_path)) {
                if let Some(found) = try_path(&base.join(&rest)) {
                    return Ok(found);
                }
            }
        }
        Err(if outside {
            "it lies outside the given folders and their repository".to_owned()
        } else {
            "no such file in the given folders or their repository".to_owned()
        })
    }

    /// The walked file whose path ends like `written`, with the longest common end.
    fn by_suffix(&self, written: &Path, near: &[&Path]) -> Result<Option<PathBuf>, String> {
        let parts = named_parts(written);
        let Some(candidates) = parts.last().and_then(|name| self.by_name.get(name)) else { return Ok(None) };
        for skip in 0..parts.len() {
            let end: PathBuf = parts[skip..].iter().collect();
            let mut matching: Vec<&PathBuf> = candidates.iter().filter(|path| path.ends_with(&end)).collect();
            let shared = |path: &Path| near.iter().map(|folder| common(folder, path)).max().unwrap_or(0);
            let best = matching.iter().map(|path| shared(path)).max().unwrap_or(0);
            matching.retain(|path| shared(path) == best);
            match matching[..] {
                [] => {}
                [only] => return Ok(Some(only.clone())),
                _ => return Err("several files of the repository match it".to_owned()),
            }
        }
        Ok(None)
    }

    /// The folder meant by `written` in a configuration that lies in `near`, which may be run from any folder above.
    pub(super) fn folder(&self, written: &str, near: &Path) -> Option<PathBuf> {
        let path = normalise(Path::new(written));
        let parts = named_parts(&path);
        let above: Vec<&Path> = near.ancestors().take_while(|folder| self.may_read(folder)).collect();
        for skip in 0..parts.len().max(1) {
            let rest: PathBuf = if skip == 0 { path.clone() } else { parts[skip..].iter().collect() };
            for base in above.iter().copied().chain(self.bases.iter().map(PathBuf::as_path)) {
                if let Ok(canonical) = self.tree.canonical(&base.join(&rest))
                    && self.may_read(&canonical)
                    && matches!(self.tree.kind(&canonical), Ok(Kind::Folder))
                {
                    return Some(canonical);
                }
            }
        }
        None
    }
}

/// The named components of a path, with `.` and `..` resolved or dropped.
fn named_parts(path: &Path) -> Vec<OsString> {
    normalise(path)
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            _ => None,
        })
        .collect()
}

/// Number of leading components that two paths share.
fn common(a: &Path, b: &Path) -> usize {
    a.components().zip(b.components()).take_while(|(a, b)| a == b).count()
}
