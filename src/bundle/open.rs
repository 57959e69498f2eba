//! Opening a bundle: what a replay needs from a whole one, and what going on needs from one that is not finished.

use std::io::{self, Read};
use std::path::Path;

use super::contents::Contents;
use super::place::Place;
use super::record::{FORMAT, Record, Start};
use super::{BundleError, INCOMPLETE, MANIFEST, RECORD, SNAPSHOT, manifest, verify, zip};

/// Largest record or mark that is read, in bytes.
const MAX_RECORD: u64 = 16 << 20;
/// Largest other file that is read as a whole, in bytes.
const MAX_FILE: u64 = 1 << 30;

/// Whether a path is a bundle rather than a snapshot file.
pub fn is_bundle(path: &Path) -> bool {
    path.is_dir() || zip::is_zip(path) || Place::of(path).is_archive()
}

/// A whole bundle.
#[derive(Debug)]
pub struct Opened {
    contents: Contents,
    /// What its run record says.
    pub record: Record,
    /// SHA-256 of its manifest.
    pub manifest_sha256: String,
}

/// What the mark of an unfinished bundle says.
pub type Incomplete = Start;

/// Opens a bundle once all of it has been verified.
///
/// # Errors
/// A bundle that is incomplete or not as it was sealed, or none.
pub fn open(path: &Path) -> Result<Opened, BundleError> {
    let shown = path.display().to_string();
    let verified = verify::verify(path, None)?;
    if let [first, rest @ ..] = verified.problems.as_slice() {
        let more = if rest.is_empty() { String::new() } else { format!(", and {} more", rest.len()) };
        return Err(BundleError::Changed(shown, format!("{first}{more}")));
    }
    let contents = Contents::at(path)?;
    let record = record(&contents).map_err(|reason| BundleError::NotABundle(shown, reason))?;
    let no_manifest = || BundleError::NotABundle(path.display().to_string(), format!("it has no {MANIFEST}"));
    let manifest_sha256 = verified.manifest_sha256.ok_or_else(no_manifest)?;
    Ok(Opened { contents, record, manifest_sha256 })
}

impl Opened {
    /// The snapshot, as a stream; it may be asked for again.
    ///
    /// # Errors
    /// Reading failed.
    pub fn snapshot(&self) -> io::Result<impl Read + use<>> {
        self.contents.open(SNAPSHOT)
    }

    /// A file that the record names.
    ///
    /// # Errors
    /// Reading failed, or the name leads out of the bundle.
    pub fn read(&self, file: &str) -> io::Result<Vec<u8>> {
        if !manifest::is_inside(file) {
            return Err(io::Error::other("this is no file of the bundle"));
        }
        self.contents.read(file, MAX_FILE)
    }
}

/// The record of a bundle, or what is wrong with it.
pub(super) fn record(contents: &Contents) -> Result<Record, String> {
    let bytes = contents.read(RECORD, MAX_RECORD).map_err(|error| format!("{RECORD}: {error}"))?;
    let value: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(|error| format!("{RECORD} cannot be read: {error}"))?;
    match value.get("format").and_then(serde_json::Value::as_u64) {
        Some(format) if format != u64::from(FORMAT) => {
            Err(format!("its format is {format}, which mailvet {} does not know", env!("CARGO_PKG_VERSION")))
        }
        _ => serde_json::from_value(value).map_err(|error| format!("{RECORD} cannot be read: {error}")),
    }
}

/// What the file `INCOMPLETE` says.
pub(super) fn marker(start: &Start) -> Vec<u8> {
    // Strings, numbers and lists always serialise.
    let mut bytes = serde_json::to_vec_pretty(start).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// The folder that a bundle at a path is written to: the path itself, or beside it for a zip file.
pub fn folder(path: &Path) -> std::path::PathBuf {
    Place::of(path).folder().to_owned()
}

/// Reads the mark of a bundle that is not finished.
///
/// # Errors
/// It is finished, or none.
pub fn incomplete(path: &Path) -> Result<Start, BundleError> {
    let place = Place::of(path);
    let shown = place.shown().display().to_string();
    if place.archive().is_some_and(Path::exists) {
        return Err(BundleError::Complete(shown));
    }
    let contents = Contents::folder(place.folder());
    match contents.read(INCOMPLETE, MAX_RECORD) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| BundleError::NotABundle(shown, format!("{INCOMPLETE} cannot be read: {error}"))),
        Err(_) if place.folder().join(MANIFEST).exists() => Err(BundleError::Complete(shown)),
        Err(error) => Err(BundleError::NotABundle(shown, format!("{INCOMPLETE}: {error}"))),
    }
}
