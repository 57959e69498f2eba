//! What lies in a bundle: the names of everything in it, and the bytes behind a name, in a folder or in a zip file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::digest::{self, Summed};
use super::place::Place;
use super::zip::{Archive, Crc, Found, is_zip};
use super::{BundleError, manifest};

/// Most things that are listed: a folder that somebody filled should not fill the memory.
const MAX_ENTRIES: usize = 10_000_000;

/// A bundle that is read.
#[derive(Debug)]
pub(super) struct Contents {
    /// The folder or the file.
    root: PathBuf,
    /// The files in it, for a file.
    packed: Option<BTreeMap<String, Found>>,
    /// What a zip file has otherwise than it would have been written, by the names of files.
    odd: Vec<(String, String)>,
}

/// Something in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// Its path from the root, with `/` between folders.
    pub(super) name: String,
    /// What it is.
    pub(super) kind: Kind,
}

/// What something in a bundle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    File,
    EmptyFolder,
    /// A link, a device, a pipe: nothing that a bundle has.
    Other,
}

impl Contents {
    /// What is at a path, a folder or a zip file.
    ///
    /// # Errors
    /// It cannot be read, it is a zip file that is not finished, or one that another program has made.
    pub(super) fn at(path: &Path) -> Result<Contents, BundleError> {
        let shown = path.display().to_string();
        let place = Place::of(path);
        if !place.is_archive() || path.is_dir() {
            if !is_zip(path) {
                return Ok(Contents::folder(path));
            }
        } else if !path.exists() && place.folder().exists() {
            return Err(BundleError::Incomplete(shown));
        }
        let mut file = File::open(path).map_err(BundleError::io(shown.clone()))?;
        let read = Archive::read(&mut file).map_err(BundleError::io(shown.clone()))?;
        let Some(archive) = read else {
            let reason = "it is cut, or no zip file, so that nothing in it can be read".to_owned();
            return Err(BundleError::Changed(shown, reason));
        };
        // What unzips it can verify it; here every byte is compared with the one form that mailvet writes.
        let foreign = archive.odd.iter().filter(|(name, _)| name.is_some()).count();
        if archive.files.len() > 2 && foreign >= archive.files.len() {
            let reason = "another program has packed it; unzip it, and name the folder".to_owned();
            return Err(BundleError::NotABundle(shown, reason));
        }
        let own = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let odd = archive.odd.into_iter().map(|(name, note)| (name.unwrap_or_else(|| own.clone()), note)).collect();
        let packed = archive.files.into_iter().map(|found| (found.name.clone(), found)).collect();
        Ok(Contents { root: path.to_owned(), packed: Some(packed), odd })
    }

    /// What is in a folder.
    pub(super) fn folder(root: &Path) -> Contents {
        Contents { root: root.to_owned(), packed: None, odd: Vec::new() }
    }

    /// What a zip file has otherwise than it would have been written, by the names of files.
    pub(super) fn odd(&self) -> &[(String, String)] {
        &self.odd
    }

    /// Everything, sorted by name. Links are not followed.
    pub(super) fn list(&self) -> io::Result<Vec<Entry>> {
        if let Some(packed) = &self.packed {
            let kind = |name: &str| match name.ends_with('/') {
                true => Kind::EmptyFolder,
                false if manifest::is_inside(name) => Kind::File,
                false => Kind::Other,
            };
            return Ok(packed.keys().map(|name| Entry { name: name.clone(), kind: kind(name) }).collect());
        }
        let mut entries = Vec::new();
        let mut folders = vec![(self.root.clone(), String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            let mut is_empty = true;
            for item in std::fs::read_dir(&folder)? {
                let item = item?;
                is_empty = false;
                let name = format!("{prefix}{}", item.file_name().to_string_lossy());
                let kind = item.file_type()?;
                if kind.is_dir() {
                    folders.push((item.path(), format!("{name}/")));
                } else {
                    entries.push(Entry { name, kind: if kind.is_file() { Kind::File } else { Kind::Other } });
                }
                if entries.len() + folders.len() > MAX_ENTRIES {
                    return Err(io::Error::other("it holds too many files"));
                }
            }
            if is_empty && !prefix.is_empty() {
                entries.push(Entry { name: prefix, kind: Kind::EmptyFolder });
            }
        }
        entries.sort();
        Ok(entries)
    }

    /// The bytes of a file, as a stream.
    pub(super) fn open(&self, name: &str) -> io::Result<Box<dyn Read>> {
        if let Some(packed) = &self.packed {
            let found = packed.get(name).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
            let mut file = File::open(&self.root)?;
            file.seek(SeekFrom::Start(found.start))?;
            return Ok(Box::new(file.take(found.size)));
        }
        let path = self.root.join(name);
        if !std::fs::symlink_metadata(&path)?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        Ok(Box::new(File::open(path)?))
    }

    /// Number of bytes of a file.
    pub(super) fn size(&self, name: &str) -> io::Result<u64> {
        match &self.packed {
            Some(packed) => packed.get(name).map(|found| found.size).ok_or_else(|| io::ErrorKind::NotFound.into()),
            None => Ok(std::fs::symlink_metadata(self.root.join(name))?.len()),
        }
    }

    /// Digest and length of a file, and whether its bytes fit the checksum that a zip file has of them.
    pub(super) fn sum(&self, name: &str) -> io::Result<(Summed, bool)> {
        let Some(packed) = &self.packed else { return Ok((digest::of(self.open(name)?)?, true)) };
        let mut checked = Checked { input: self.open(name)?, crc: Crc::new() };
        let summed = digest::of(&mut checked)?;
        Ok((summed, packed.get(name).is_some_and(|found| found.crc == checked.crc.value())))
    }

    /// All bytes of a file, if they are not too many.
    pub(super) fn read(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(name)?.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::other(format!("it is larger than {limit} bytes")));
        }
        Ok(bytes)
    }
}

/// Computes a checksum of what is read.
struct Checked<R> {
    input: R,
    crc: Crc,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.crc.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}
