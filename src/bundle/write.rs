//! Writing a bundle, so that a run that is killed at any moment leaves a whole one or one that says it is incomplete.
//!
//! The folder appears with the file `INCOMPLETE` in it, made under another name and renamed. Then the payload grows; the
//! manifests are written when nothing of it changes any more; and `INCOMPLETE` goes away last. What other files rest on
//! is forced to the disk before that: snapshot, custody log, record and manifests. Copies of what the snapshot holds are
//! not, one by one: should the power fail, the manifest says which of them are not as they were.
//!
//! A zip file is made from the folder when all of it is written, in the folder, and renamed out of it; then the folder goes.
//! So there is no file of that name that is not whole, and until there is one, the folder can be gone on with.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::contents::Contents;
use super::custody::{self, Event, Log};
use super::digest::{self, Summed, Summing, sha256};
use super::manifest::{self, Manifest};
use super::place::Place;
use super::record::{Record, Start};
use super::ssh::SigningKey;
use super::{
    BundleError, CUSTODY, DECLARATION, DECLARATION_TEXT, INCOMPLETE, INFO, MANIFEST, Names, RECORD, SIGNATURE,
    SNAPSHOT, STATEMENT, TAG_MANIFEST, dsse, open, zip,
};

/// The zip file while it is written.
const PACKED: &str = "packed.partial";

/// A bundle that is being written.
#[derive(Debug)]
pub struct Bundle {
    place: Place,
    start: Start,
    names: Names,
    /// Digests of the files of the payload that are finished.
    files: Manifest,
    /// Bytes of these files.
    bytes: u64,
    log: Log,
    resumed: Vec<String>,
}

impl Bundle {
    /// Starts a bundle where nothing is.
    ///
    /// # Errors
    /// Something is there, or writing failed.
    pub fn begin(path: &Path, start: Start) -> Result<Bundle, BundleError> {
        let place = Place::of(path);
        if let Some(archive) = place.archive().filter(|archive| fs::symlink_metadata(archive).is_ok()) {
            return Err(BundleError::Exists(archive.display().to_string()));
        }
        let root = place.folder();
        let shown = root.display().to_string();
        match fs::symlink_metadata(root) {
            Ok(found) if found.is_dir() && is_empty(root) => {
                fs::remove_dir(root).map_err(BundleError::io(shown.clone()))?;
            }
            Ok(_) => return Err(BundleError::Exists(shown)),
            Err(_) => {}
        }
        let io = |source| BundleError::Io { path: shown.clone(), source };
        if let Some(parent) = root.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent).map_err(io)?;
        }
        let mut before = root.as_os_str().to_owned();
        before.push(".starting");
        let before = PathBuf::from(before);
        if before.exists() {
            // A run that was killed in its first moments leaves this; anything else is not ours to remove.
            if !before.join(INCOMPLETE).exists() && !is_empty(&before) {
                return Err(BundleError::Exists(before.display().to_string()));
            }
            fs::remove_dir_all(&before).map_err(io)?;
        }
        fs::create_dir_all(before.join("data")).map_err(io)?;
        let mut log = Log::default();
        let tool = BTreeMap::from([("tool".to_owned(), value(&start.tool)), ("by".to_owned(), value(&start.operator))]);
        let line = log.line(Event::Started, start.started.clone(), tool);
        write_synced(&before.join(CUSTODY), &line).map_err(io)?;
        write_synced(&before.join(INCOMPLETE), &open::marker(&start)).map_err(io)?;
        fs::rename(&before, root).map_err(io)?;
        sync_folder(root.parent());
        Ok(Bundle::new(place.clone(), start, log))
    }

    /// Goes on with a bundle that is incomplete. The snapshot as far as it is written and the custody log stay; all else
    /// is made anew.
    ///
    /// # Errors
    /// It is complete, or no bundle, or reading or writing failed.
    pub fn resume(path: &Path, time: &str) -> Result<Bundle, BundleError> {
        let start = open::incomplete(path)?;
        let place = Place::of(path);
        let root = place.folder();
        let shown = root.display().to_string();
        let io = |source| BundleError::Io { path: shown.clone(), source };
        let partial = format!("{SNAPSHOT}.partial");
        // The snapshot of a run that was killed between its end and the sealing.
        if !root.join(&partial).exists() && root.join(SNAPSHOT).exists() {
            fs::rename(root.join(SNAPSHOT), root.join(&partial)).map_err(io)?;
        }
        let kept = [CUSTODY, partial.as_str(), INCOMPLETE];
        remove_all_but(root, root, &kept).map_err(io)?;
        fs::create_dir_all(root.join("data")).map_err(io)?;
        // A log that cannot be read must not be replaced by one that says nothing of what was before.
        let bytes = fs::read(root.join(CUSTODY)).map_err(BundleError::io(root.join(CUSTODY).display().to_string()))?;
        let (log, whole) = Log::after(&bytes);
        write_synced(&root.join(CUSTODY), bytes.get(..whole).unwrap_or_default()).map_err(io)?;
        let mut bundle = Bundle::new(place.clone(), start, log);
        bundle.resumed.push(time.to_owned());
        bundle.event(Event::Resumed, time, BTreeMap::new())?;
        Ok(bundle)
    }

    fn new(place: Place, start: Start, log: Log) -> Bundle {
        Bundle { place, start, names: Names::default(), files: Manifest::new(), bytes: 0, log, resumed: Vec::new() }
    }

    /// The folder or the file that it will be.
    pub fn shown(&self) -> &Path {
        self.place.shown()
    }

    /// What was known when the run started.
    pub fn start(&self) -> &Start {
        &self.start
    }

    /// When it was gone on with.
    pub fn resumed(&self) -> &[String] {
        &self.resumed
    }

    /// Where a file of the bundle lies on disk.
    pub fn path(&self, file: &str) -> PathBuf {
        self.place.folder().join(file)
    }

    /// A free name for a text that anybody may have written.
    pub fn name(&mut self, folder: &str, text: &str, extension: &str) -> String {
        self.names.assign(folder, text, extension)
    }

    /// Writes a file of the payload.
    ///
    /// # Errors
    /// Writing failed.
    pub fn add(&mut self, file: &str, bytes: &[u8]) -> Result<(), BundleError> {
        self.create(file, |out| out.write_all(bytes))
    }

    /// Writes a file of the payload as a stream.
    ///
    /// # Errors
    /// Writing failed.
    pub fn create(
        &mut self,
        file: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), BundleError> {
        let summed = self.write_file(file, write).map_err(BundleError::io(self.path(file).display().to_string()))?;
        self.count(file, summed);
        Ok(())
    }

    fn write_file(&self, file: &str, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<Summed> {
        let path = self.path(file);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut out = Summing::new(BufWriter::new(File::create(path)?));
        write(&mut out)?;
        out.flush()?;
        Ok(out.finish().1)
    }

    /// Takes in a file of the payload that was written to its place already.
    ///
    /// # Errors
    /// Reading failed.
    pub fn adopt(&mut self, file: &str) -> Result<(), BundleError> {
        let path = self.path(file);
        let summed = File::open(&path).and_then(|input| {
            input.sync_all()?;
            digest::of(input)
        });
        let summed = summed.map_err(BundleError::io(path.display().to_string()))?;
        self.count(file, summed);
        Ok(())
    }

    /// SHA-256 of a file of the payload.
    pub fn digest(&self, file: &str) -> Option<&str> {
        self.files.get(file).map(String::as_str)
    }

    fn count(&mut self, file: &str, summed: Summed) {
        self.bytes += summed.bytes;
        self.files.insert(file.to_owned(), summed.sha256);
    }

    /// Adds a line to the custody log, and forces it to the disk.
    ///
    /// # Errors
    /// Writing failed.
    pub fn event(&mut self, event: Event, time: &str, details: BTreeMap<String, Value>) -> Result<(), BundleError> {
        let line = self.log.line(event, time.to_owned(), details);
        let path = self.path(CUSTODY);
        let append = || {
            let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
            file.write_all(&line)?;
            file.sync_all()
        };
        append().map_err(BundleError::io(path.display().to_string()))
    }

    /// Writes record, custody, manifests and signature, and takes the mark away: from now on nothing changes.
    ///
    /// # Errors
    /// Writing or signing failed.
    pub fn seal(mut self, record: &Record, key: Option<&SigningKey>) -> Result<Sealed, BundleError> {
        self.create(RECORD, |out| {
            serde_json::to_writer_pretty(&mut *out, record)?;
            out.write_all(b"\n")
        })?;
        let seal = custody::seal(entries(&self.files));
        let details =
            BTreeMap::from([("files".to_owned(), self.files.len().into()), ("sha256".to_owned(), seal.into())]);
        self.event(Event::Sealed, &record.ended, details)?;
        self.adopt(CUSTODY)?;
        let manifest = manifest::text(entries(&self.files));
        let info = info(record, self.files.len(), self.bytes);
        let mut tags = Manifest::new();
        for (file, bytes) in [(DECLARATION, DECLARATION_TEXT), (INFO, info.as_bytes()), (MANIFEST, manifest.as_bytes())]
        {
            tags.insert(file.to_owned(), sha256(bytes));
            self.tag(file, bytes)?;
        }
        let tag_manifest = manifest::text(entries(&tags));
        self.tag(TAG_MANIFEST, tag_manifest.as_bytes())?;
        if let Some(key) = key {
            self.tag(SIGNATURE, key.sign(manifest.as_bytes()).as_bytes())?;
            let subjects = [(MANIFEST, manifest.as_bytes()), (TAG_MANIFEST, tag_manifest.as_bytes())];
            self.tag(STATEMENT, &dsse::envelope(key, &subjects, record))?;
        }
        match self.place.archive() {
            Some(archive) => self.pack(archive)?,
            None => {
                sync_folder(Some(&self.path("data")));
                sync_folder(Some(self.place.folder()));
                let marker = self.path(INCOMPLETE);
                fs::remove_file(&marker).map_err(BundleError::io(marker.display().to_string()))?;
                sync_folder(Some(self.place.folder()));
            }
        }
        Ok(Sealed { files: self.files.len(), bytes: self.bytes, manifest_sha256: sha256(manifest.as_bytes()) })
    }

    /// Makes the zip file, and takes the folder away.
    fn pack(&self, archive: &Path) -> Result<(), BundleError> {
        let shown = archive.display().to_string();
        let (folder, packed) = (self.place.folder(), self.path(PACKED));
        let pack = || {
            let file = File::create(&packed)?;
            zip::pack(&Contents::folder(folder), &self.place.top(), &[INCOMPLETE, PACKED], file)?;
            // Renaming would replace what came there in the meantime.
            if fs::symlink_metadata(archive).is_ok() {
                return Err(io::Error::from(io::ErrorKind::AlreadyExists));
            }
            fs::rename(&packed, archive)?;
            sync_folder(archive.parent());
            fs::remove_dir_all(folder)
        };
        pack().map_err(BundleError::io(shown))
    }

    fn tag(&self, file: &str, bytes: &[u8]) -> Result<(), BundleError> {
        let path = self.path(file);
        write_synced(&path, bytes).map_err(BundleError::io(path.display().to_string()))
    }
}

/// A bundle that is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Files of the payload.
    pub files: usize,
    /// Bytes of the payload.
    pub bytes: u64,
    /// SHA-256 of the manifest: who knows it can tell this bundle from any other.
    pub manifest_sha256: String,
}

/// What `bag-info.txt` says (RFC 8493 section 2.2.2); it follows from the record and the payload.
pub(super) fn info(record: &Record, files: usize, bytes: u64) -> String {
    format!(
        "Bag-Software-Agent: {} {}\nBagging-Date: {}\nExternal-Description: Evidence of an audit of mail infrastructure\n\
         Payload-Oxum: {bytes}.{files}\n",
        record.tool.name,
        record.tool.version,
        record.ended.get(..10).unwrap_or_default(),
    )
}

pub(super) fn entries(manifest: &Manifest) -> impl Iterator<Item = (&str, &str)> {
    manifest.iter().map(|(path, sha256)| (path.as_str(), sha256.as_str()))
}

fn value(part: &impl serde::Serialize) -> Value {
    // Structures of strings always serialise.
    serde_json::to_value(part).unwrap_or_default()
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Forces the names in a folder to the disk, where the system can do that.
fn sync_folder(folder: Option<&Path>) {
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

fn remove_all_but(root: &Path, folder: &Path, kept: &[&str]) -> io::Result<()> {
    for item in fs::read_dir(folder)? {
        let item = item?;
        let path = item.path();
        if kept.iter().any(|kept| root.join(kept) == path) {
            continue;
        }
        if item.file_type()?.is_dir() {
            if kept.iter().any(|kept| root.join(kept).starts_with(&path)) {
                remove_all_but(root, &path, kept)?;
            } else {
                fs::remove_dir_all(&path)?;
            }
        } else {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
