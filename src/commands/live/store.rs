//! The snapshot on disk while a run goes on: written beside its name and renamed at the end, so that it is complete or
//! not there.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use crate::diag::{FileId, Files};
use crate::facts::Artefact;
use crate::facts::stored::{Header, StoredCoverage, StoredHistory, Writer};

/// A snapshot that is being written.
pub(super) struct Store {
    writer: Writer<BufWriter<File>>,
    path: PathBuf,
    partial: Partial,
}

/// The unfinished file; removed unless it gets its name.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // Once renamed, there is nothing of that name, and nothing to do.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Store {
    /// Creates the file and writes the header. What is there and is no file, such as a device, is not replaced.
    pub(super) fn open(path: PathBuf, header: Header) -> io::Result<Store> {
        if path.metadata().is_ok_and(|there| !there.is_file()) {
            return Err(io::Error::other("it is there already and is no file"));
        }
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent)?;
        }
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let file = File::create(&partial)?;
        let partial = Partial(partial);
        Ok(Store { writer: Writer::new(BufWriter::new(file), header)?, path, partial })
    }

    /// The name that the file gets.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a target, as a line.
    pub(super) fn target(&mut self, line: &[u8]) -> io::Result<()> {
        self.writer.target(line)
    }

    /// Adds artefacts.
    pub(super) fn artefacts(&mut self, artefacts: Vec<(FileId, Artefact)>) -> io::Result<()> {
        artefacts.into_iter().try_for_each(|(file, artefact)| self.writer.artefact(file, artefact))
    }

    /// Adds the rest and gives the file its name.
    pub(super) fn finish(
        mut self,
        files: &Files,
        artefacts: Vec<(FileId, Artefact)>,
        coverage: StoredCoverage,
        history: Option<StoredHistory>,
        is_part: impl Fn(FileId) -> bool,
    ) -> io::Result<()> {
        self.artefacts(artefacts)?;
        for (id, file) in files.iter().filter(|(id, _)| is_part(*id)) {
            self.writer.file(id, file)?;
        }
        self.writer.coverage(coverage)?;
        if let Some(history) = history {
            self.writer.history(history)?;
        }
        drop(self.writer.finish()?);
        std::fs::rename(&self.partial.0, &self.path)
    }
}
