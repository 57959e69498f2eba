//! Finds the zones in the files and folders that a user names, and has each read by the reader of its format.
//!
//! Formats are told by content. What a zone is called comes from `named.conf`, an octoDNS configuration, the zone text or
//! the file name, in this order. A file that belongs to another zone (`$INCLUDE`, `!include`) is no zone of its own. Every
//! file that is not read as DNS data is listed with a reason, so that nothing disappears. Nothing is judged here.

mod bind_zones;
pub mod detect;
mod locate;
mod octodns_zones;
pub mod origin;
mod registry;
mod walk;

use std::collections::BTreeMap;
use std::path::PathBuf;

use self::registry::Registry;
use super::store::Store;
use super::tree::{Tree, TreeError};
use crate::diag::Files;
use crate::facts::Ignored;
use crate::mail::Name;

/// What a given file must be.
const EXPECTED: &str =
    "expected zone text (BIND), octoDNS YAML, an octoDNS configuration, a named.conf, or a folder with such files";

/// What the user said beside the paths.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The zone of a file whose own name and content do not tell it.
    pub origin: Option<Name>,
    /// Canonical folder that files must lie in: links that lead out of it are not followed.
    pub within: Option<PathBuf>,
}

/// What was found. Zones, records and messages are in the store.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// Files that were found and not read as DNS data, by path.
    pub ignored: Vec<Ignored>,
    /// Number of files that were read, by format.
    pub read: BTreeMap<&'static str, u64>,
    /// Number of zones that were handed to a reader.
    pub zones: u64,
}

/// Why the input cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// A given path does not exist or cannot be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The path as given.
        path: String,
        /// Why.
        reason: TreeError,
    },
    /// A given file is nothing that can be judged.
    #[error("{path}: {reason}; {expected}")]
    Unknown {
        /// The path as given.
        path: String,
        /// What it is instead.
        reason: String,
        /// What was expected.
        expected: &'static str,
    },
}

/// Reads all zones below the given paths; `-` is standard input. An error means that a path the user named cannot be
/// used; everything smaller is a message in the store.
pub fn discover(
    tree: &Tree,
    paths: &[PathBuf],
    options: &Options,
    files: &mut Files,
    store: &mut Store,
) -> Result<Discovery, DiscoverError> {
    let walk = walk::walk(tree, paths, options.within.as_deref())?;
    let mut finder = Finder {
        discovery: Discovery { ignored: walk.ignored, ..Discovery::default() },
        override_origin: match &walk.files[..] {
            [only] if only.given && paths.len() == 1 => options.origin.clone(),
            _ => None,
        },
        fallback_origin: options.origin.clone(),
        registry: Registry::new(tree, &walk.roots, walk.files),
    };
    walk.diagnostics.into_iter().for_each(|diagnostic| store.diagnostic(diagnostic));
    finder.registry.find_includes();
    let composed = octodns_zones::configured(&mut finder, files, store);
    bind_zones::read(&mut finder, files, store);
    octodns_zones::read(&mut finder, &composed, files, store);
    let mut discovery = finder.discovery;
    discovery.ignored.sort();
    discovery.ignored.dedup();
    Ok(discovery)
}

/// The state of one discovery.
struct Finder<'t> {
    registry: Registry<'t>,
    discovery: Discovery,
    /// `--origin` for the one given file.
    override_origin: Option<Name>,
    /// `--origin` for files whose zone cannot be told otherwise.
    fallback_origin: Option<Name>,
}

impl Finder<'_> {
    fn ignore(&mut self, path: &str, reason: impl Into<String>) {
        self.discovery.ignored.push(Ignored { path: path.to_owned(), reason: reason.into() });
    }

    fn count(&mut self, format: &'static str, files: usize) {
        *self.discovery.read.entry(format).or_default() += files as u64;
    }
}

#[cfg(test)]
mod tests;
