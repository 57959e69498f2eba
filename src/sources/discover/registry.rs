//! The files of one discovery: found by the walk or opened because another file names them, each registered once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::detect::Format;
use super::locate::Locator;
use super::walk::{Found, STDIN};
use crate::diag::{FileId, Files};
use crate::sources::tree::{Tree, YAML_LIMIT, ZONE_LIMIT, shown};

/// Files by path and by id.
pub(super) struct Registry<'t> {
    /// Where files are read from.
    pub(super) tree: &'t Tree,
    /// Resolves paths as people wrote them.
    pub(super) locator: Locator<'t>,
    /// Files of the walk, in order.
    pub(super) found: Vec<Found>,
    /// Files that another one includes, with the place of the first inclusion as `path:line`.
    pub(super) included: HashMap<PathBuf, String>,
    index: HashMap<PathBuf, usize>,
    ids: HashMap<PathBuf, FileId>,
    paths: HashMap<FileId, PathBuf>,
    working_folder: Option<PathBuf>,
}

impl<'t> Registry<'t> {
    /// A registry of the files of a walk.
    pub(super) fn new(tree: &'t Tree, roots: &[PathBuf], found: Vec<Found>) -> Self {
        let index = found.iter().enumerate().map(|(index, file)| (file.canonical.clone(), index)).collect();
        Registry {
            tree,
            locator: Locator::new(tree, roots, &found),
            found,
            included: HashMap::new(),
            index,
            ids: HashMap::new(),
            paths: HashMap::new(),
            working_folder: std::env::current_dir().and_then(std::fs::canonicalize).ok(),
        }
    }

    /// Notes which files are included by others.
    pub(super) fn find_includes(&mut self) {
        for file in &self.found {
            let is_dns = matches!(file.detected.format, Format::Zone(_) | Format::Fragment(_) | Format::OctodnsZone);
            if !is_dns {
                continue;
            }
            let folder = self.folder_of(&file.canonical);
            for (written, line) in &file.detected.includes {
                if let Ok(target) = self.locator.file(written, &[&folder])
                    && target != file.canonical
                {
                    self.included.entry(target).or_insert_with(|| format!("{}:{line}", file.shown));
                }
            }
        }
    }

    /// The folder that paths in a file are relative to.
    pub(super) fn folder_of(&self, canonical: &Path) -> PathBuf {
        if canonical.as_os_str() == STDIN {
            return self.working_folder.clone().unwrap_or_default();
        }
        canonical.parent().map(Path::to_owned).unwrap_or_default()
    }

    /// Registers a file of the walk.
    pub(super) fn register_found(&mut self, files: &mut Files, index: usize) -> FileId {
        let file = &mut self.found[index];
        if let Some(id) = self.ids.get(&file.canonical) {
            return *id;
        }
        let id = files.add(file.shown.clone(), std::mem::take(&mut file.bytes));
        self.ids.insert(file.canonical.clone(), id);
        self.paths.insert(id, file.canonical.clone());
        id
    }

    /// Registers a file by its canonical path, reading it if the walk did not.
    pub(super) fn register(&mut self, files: &mut Files, canonical: &Path, limit: u64) -> Result<FileId, String> {
        if let Some(id) = self.ids.get(canonical) {
            return Ok(*id);
        }
        if let Some(index) = self.index.get(canonical) {
            return Ok(self.register_found(files, *index));
        }
        let bytes = self.tree.read(canonical, limit).map_err(|error| error.to_string())?;
        let id = files.add(self.show(canonical), bytes);
        self.ids.insert(canonical.to_owned(), id);
        self.paths.insert(id, canonical.to_owned());
        Ok(id)
    }

    /// Path of a file for people: as the walk shows it, otherwise relative to the working folder.
    pub(super) fn show(&self, canonical: &Path) -> String {
        if let Some(index) = self.index.get(canonical) {
            return self.found[*index].shown.clone();
        }
        // A file beside walked ones is shown in their fashion.
        for file in &self.found {
            let (Some(folder), Some(name)) = (file.canonical.parent(), canonical.file_name()) else { continue };
            if canonical.parent() == Some(folder)
                && let Some((prefix, _)) = file.shown.rsplit_once('/')
            {
                return format!("{prefix}/{}", name.to_string_lossy());
            }
        }
        let inside = self.working_folder.as_ref().and_then(|folder| canonical.strip_prefix(folder).ok());
        shown(inside.unwrap_or(canonical))
    }

    /// Resolves an `$INCLUDE`: near the including file, then near the zone file, then anywhere that is allowed.
    pub(super) fn include_zone(
        &mut self,
        files: &mut Files,
        written: &str,
        from: FileId,
        zone_folder: &Path,
    ) -> Result<FileId, String> {
        let near = self.paths.get(&from).map(|path| self.folder_of(path)).unwrap_or_default();
        let canonical = self.locator.file(written, &[&near, zone_folder])?;
        self.register(files, &canonical, ZONE_LIMIT)
    }

    /// Resolves an `!include`, which is relative to the including file only.
    pub(super) fn include_yaml(&mut self, files: &mut Files, written: &str, from: FileId) -> Result<FileId, String> {
        let near = self.paths.get(&from).map(|path| self.folder_of(path)).unwrap_or_default();
        let canonical = self.locator.file(written, &[&near])?;
        self.register(files, &canonical, YAML_LIMIT)
    }
}
