//! What lies in a bundle: the names of everything in it, and the bytes behind a name.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Most things that are listed: a folder that somebody filled should not fill the memory.
const MAX_ENTRIES: usize = 10_000_000;

/// A bundle that is read.
#[derive(Debug)]
pub(super) struct Contents {
    root: PathBuf,
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
    pub(super) fn new(root: &Path) -> Contents {
        Contents { root: root.to_owned() }
    }

    /// Everything, sorted by name. Links are not followed.
    pub(super) fn list(&self) -> io::Result<Vec<Entry>> {
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
        let path = self.root.join(name);
        if !std::fs::symlink_metadata(&path)?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        Ok(Box::new(File::open(path)?))
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
