//! The snapshot on disk while a run goes on: written beside its name and renamed at the end, so that it is complete or
//! not there.
//!
//! A target is written after the files that its facts point into. So whatever moment a run is killed at, every whole line
//! of the unfinished file can be used, and [`Store::resume`] does that.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::diag::{FileId, Files, SourceFile};
use crate::facts::stored::{
    self, Header, Salvaged, SnapshotError, StoredCoverage, StoredHistory, StoredTarget, Writer,
};
use crate::facts::{Artefact, Recorder};

/// After how many targets, or after which time, what is known is written, so that it does not pile up.
const FLUSH: (usize, Duration) = (64, Duration::from_secs(1));

/// A snapshot that is being written.
pub(super) struct Store {
    writer: Writer<BufWriter<File>>,
    path: PathBuf,
    partial: Partial,
    /// Lines of targets whose files are not all written yet.
    waiting: Vec<Vec<u8>>,
    /// Files before this one are written, or no part of the snapshot.
    next: usize,
    /// Files after that which are written.
    written: BTreeSet<FileId>,
    /// Files that were read before the run.
    read: usize,
    /// Files of the policy, which are no part of the snapshot.
    policy: Range<usize>,
    flushed: Instant,
}

/// The unfinished file. Unless it is to be gone on with later, it is removed if it does not get its name.
struct Partial {
    path: PathBuf,
    stays: bool,
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.stays {
            // Once renamed, there is nothing of that name, and nothing to do.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The name of the unfinished file.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut partial = path.as_os_str().to_owned();
    partial.push(ending);
    PathBuf::from(partial)
}

/// Reads the files of a snapshot that was not finished; `None` when there is nothing to go on with.
pub(super) fn unfinished(path: &Path) -> Option<Files> {
    let partial = Some(beside(path, ".partial")).filter(|partial| partial.exists());
    let input = File::open(partial.as_deref().unwrap_or(path)).ok()?;
    Some(stored::salvage(BufReader::new(input), |_| Ok(())).ok()?.files)
}

impl Store {
    /// Creates the file and writes the header. `read` is the number of files that were read before the run, and `policy`
    /// says which of them are no part of the snapshot. What is there and is no file, such as a device, is not replaced.
    pub(super) fn open(path: PathBuf, header: Header, read: usize, policy: Range<usize>) -> io::Result<Store> {
        if path.metadata().is_ok_and(|there| !there.is_file()) {
            return Err(io::Error::other("it is there already and is no file"));
        }
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent)?;
        }
        let partial = beside(&path, ".partial");
        let file = File::create(&partial)?;
        let partial = Partial { path: partial, stays: false };
        Store::new(file, partial, path, header, read, policy)
    }

    /// The same for a bundle: the unfinished file stays if the run does not come to its end.
    pub(super) fn open_to_stay(path: PathBuf, header: Header, read: usize, policy: Range<usize>) -> io::Result<Store> {
        let mut store = Store::open(path, header, read, policy)?;
        store.partial.stays = true;
        Ok(store)
    }

    /// Goes on with a snapshot that was not finished: every whole line stays, and `each` sees the targets. `before` is the
    /// number of files that [`unfinished`] gave.
    pub(super) fn resume(
        path: PathBuf,
        header: Header,
        before: usize,
        read: usize,
        policy: Range<usize>,
        mut each: impl FnMut(StoredTarget),
    ) -> io::Result<Store> {
        let partial = beside(&path, ".partial");
        let old = match File::open(&partial) {
            Ok(old) => old,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Store::open_to_stay(path, header, read, policy);
            }
            Err(error) => return Err(error),
        };
        let copy = beside(&path, ".partial.new");
        let file = File::create(&copy)?;
        let kept = Partial { path: partial.clone(), stays: true };
        let mut store = Store::new(file, kept, path, header, read, policy)?;
        store.next = before;
        let salvaged = stored::salvage(BufReader::new(old), |line| {
            store.writer.salvaged(&line)?;
            if let Salvaged::Target(target, _) = line {
                each(*target);
            }
            Ok(())
        });
        match salvaged {
            Ok(_) => {}
            Err(SnapshotError::Io(error)) => return Err(error),
            // Not even the header was written; nothing is lost.
            Err(_) => store.next = 0,
        }
        store.sync()?;
        std::fs::rename(&copy, &partial)?;
        Ok(store)
    }

    fn new(
        file: File,
        partial: Partial,
        path: PathBuf,
        header: Header,
        read: usize,
        policy: Range<usize>,
    ) -> io::Result<Store> {
        Ok(Store {
            writer: Writer::new(BufWriter::new(file), header)?,
            path,
            partial,
            waiting: Vec::new(),
            next: 0,
            written: BTreeSet::new(),
            read,
            policy,
            flushed: Instant::now(),
        })
    }

    /// The name that the file gets.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a target, as a line, whose files the snapshot gets at its end: such a snapshot is not gone on with.
    pub(super) fn target(&mut self, line: &[u8]) -> io::Result<()> {
        self.writer.target(line)
    }

    /// Adds a target, as a line, after the files that it points into.
    pub(super) fn target_with_files(&mut self, line: Vec<u8>, recorder: &Recorder) -> io::Result<()> {
        self.waiting.push(line);
        self.write_due(recorder)
    }

    /// Writes what has waited long enough; to be called now and then while nothing is added.
    pub(super) fn write_due(&mut self, recorder: &Recorder) -> io::Result<()> {
        let (count, time) = FLUSH;
        if self.waiting.is_empty() || (self.waiting.len() < count && self.flushed.elapsed() < time) {
            return Ok(());
        }
        // The artefacts are taken first: each belongs to a file that is filled by then.
        let artefacts = recorder.take_artefacts();
        recorder.files(|files| self.files(files, |id, file, read| id < read || file.evidence.is_some()))?;
        self.rest(artefacts)?;
        self.flushed = Instant::now();
        if self.partial.stays { self.sync() } else { Ok(()) }
    }

    /// Writes the files that are ready and not written.
    fn files(&mut self, files: &Files, ready: impl Fn(usize, &SourceFile, usize) -> bool) -> io::Result<()> {
        let mut all_before = true;
        for (id, file) in files.iter().skip(self.next) {
            let index = id.0 as usize;
            let is_part = !self.policy.contains(&index) && !self.written.contains(&id);
            if is_part && !ready(index, file, self.read) {
                all_before = false;
                continue;
            }
            if is_part {
                self.writer.file(id, file)?;
            }
            if all_before {
                self.next = index + 1;
                self.written.remove(&id);
            } else {
                self.written.insert(id);
            }
        }
        Ok(())
    }

    fn rest(&mut self, artefacts: Vec<(FileId, Artefact)>) -> io::Result<()> {
        artefacts.into_iter().try_for_each(|(file, artefact)| self.writer.artefact(file, artefact))?;
        std::mem::take(&mut self.waiting).iter().try_for_each(|line| self.writer.target(line))
    }

    /// Forces what is written to the disk.
    fn sync(&mut self) -> io::Result<()> {
        self.writer.flush()?.get_ref().sync_data()
    }

    /// Adds the rest and gives the file its name.
    pub(super) fn finish(
        mut self,
        files: &Files,
        artefacts: Vec<(FileId, Artefact)>,
        coverage: StoredCoverage,
        history: Option<StoredHistory>,
    ) -> io::Result<()> {
        self.files(files, |_, _, _| true)?;
        self.rest(artefacts)?;
        self.writer.coverage(coverage)?;
        if let Some(history) = history {
            self.writer.history(history)?;
        }
        self.writer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()?;
        std::fs::rename(&self.partial.path, &self.path)
    }
}
