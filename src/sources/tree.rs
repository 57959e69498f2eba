//! Where files are read from: the disk, one revision of a git repository, or files that were kept of an earlier run.
//!
//! The same paths can be judged as they are now and as they were at another revision, so everything above asks this
//! type and never the file system. Every read is bounded, a symbolic link is followed only where its target can be told,
//! and what cannot be read is an error with a reason, never an empty file. It does not know what the files mean.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Largest zone file: positions are 32-bit.
pub const ZONE_LIMIT: u64 = u32::MAX as u64 - 1;

/// Largest YAML file. The whole tree of nodes is held in memory.
pub const YAML_LIMIT: u64 = 64 << 20;

/// Most symbolic links that are followed for one path.
const LINK_LIMIT: usize = 40;

/// Most bytes that the listing of a revision may have.
const LISTING_LIMIT: u64 = 1 << 30;

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// Nothing exists there.
    #[error("no such file or folder")]
    Missing,
    /// The operating system refused.
    #[error("{0}")]
    Io(io::Error),
    /// The file is larger than it may be.
    #[error("the file is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// A chain of symbolic links does not end.
    #[error("the symbolic link is part of a cycle")]
    Cycle,
    /// A symbolic link points to something that is not in the repository, or not where files may be read.
    #[error("the symbolic link points outside the repository")]
    OutsideRepository,
    /// A folder was read as a file, or the other way round.
    #[error("{0}")]
    Kind(&'static str),
    /// Git is not installed or could not be started.
    #[error("git could not be started: {0}")]
    GitMissing(io::Error),
    /// No repository holds the path.
    #[error("`{0}` is not inside a git repository")]
    NoRepository(String),
    /// The revision does not exist.
    #[error("there is no revision `{revision}` in {repository}: {reason}")]
    NoRevision {
        /// Revision as given.
        revision: String,
        /// The repository.
        repository: String,
        /// What git said.
        reason: String,
    },
    /// Git failed for another reason.
    #[error("git failed: {0}")]
    Git(String),
}

impl From<io::Error> for TreeError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { TreeError::Missing } else { TreeError::Io(error) }
    }
}

/// What stands at a path, after following symbolic links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file and its size in bytes.
    File(u64),
    /// A folder.
    Folder,
    /// A pipe, a device, a socket or a submodule.
    Other,
}

/// Where files are read from.
#[derive(Debug)]
pub enum Tree {
    /// The disk, as it is now.
    Disk,
    /// One revision of a git repository.
    Git(Box<Revision>),
    /// Files that were kept, by their normalised paths.
    Kept(BTreeMap<PathBuf, Vec<u8>>),
}

/// What is kept at a path.
fn kept<'a>(files: &'a BTreeMap<PathBuf, Vec<u8>>, path: &Path) -> Result<&'a [u8], TreeError> {
    files.get(&normalise(path)).map(Vec::as_slice).ok_or(TreeError::Missing)
}

impl Tree {
    /// The tree of a git revision, in the repository that holds `near` (a path as given on the command line).
    pub fn git(near: &Path, revision: &str) -> Result<Tree, TreeError> {
        Revision::open(near, revision).map(|revision| Tree::Git(Box::new(revision)))
    }

    /// What stands at a path.
    pub fn kind(&self, path: &Path) -> Result<Kind, TreeError> {
        match self {
            Tree::Disk => {
                let meta = fs::metadata(path).map_err(link_error)?;
                Ok(if meta.is_dir() {
                    Kind::Folder
                } else if meta.is_file() {
                    Kind::File(meta.len())
                } else {
                    Kind::Other
                })
            }
            Tree::Git(revision) => revision.kind(&revision.resolve(path)?),
            Tree::Kept(files) => match kept(files, path) {
                Ok(bytes) => Ok(Kind::File(bytes.len() as u64)),
                Err(_) if files.keys().any(|file| file.starts_with(normalise(path))) => Ok(Kind::Folder),
                Err(missing) => Err(missing),
            },
        }
    }

    /// Names of the entries of a folder, sorted. Names that are not UTF-8 are kept as the system knows them.
    pub fn list(&self, folder: &Path) -> Result<Vec<PathBuf>, TreeError> {
        match self {
            Tree::Disk => {
                let mut names = Vec::new();
                for entry in fs::read_dir(folder)? {
                    names.push(PathBuf::from(entry?.file_name()));
                }
                names.sort();
                Ok(names)
            }
            Tree::Git(revision) => Ok(revision.list(&revision.resolve(folder)?)),
            Tree::Kept(files) => {
                let folder = normalise(folder);
                let below = files.keys().filter_map(|file| file.strip_prefix(&folder).ok()?.components().next());
                let mut names: Vec<PathBuf> = below.map(|name| PathBuf::from(name.as_os_str())).collect();
                names.dedup();
                Ok(names)
            }
        }
    }

    /// The one path under which a file or folder is known, whatever links lead to it.
    pub fn canonical(&self, path: &Path) -> Result<PathBuf, TreeError> {
        match self {
            Tree::Disk => fs::canonicalize(path).map_err(link_error),
            Tree::Git(revision) => {
                let inside = revision.resolve(path)?;
                revision.kind(&inside)?;
                Ok(revision.root.join(inside))
            }
            Tree::Kept(_) => self.kind(path).map(|_| normalise(path)),
        }
    }

    /// Reads a file; more than `limit` bytes is an error.
    pub fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, TreeError> {
        match self {
            Tree::Disk => {
                let file = fs::File::open(path)?;
                let size = file.metadata().map_or(0, |metadata| metadata.len());
                read_sized(file, size, limit)
            }
            Tree::Git(revision) => revision.read(&revision.resolve(path)?, limit),
            Tree::Kept(files) => read_bounded(kept(files, path)?, limit),
        }
    }

    /// Reads at most the first `limit` bytes of a file.
    pub fn read_head(&self, path: &Path, limit: u64) -> Result<Vec<u8>, TreeError> {
        match self {
            Tree::Disk => {
                let mut head = Vec::new();
                fs::File::open(path)?.take(limit).read_to_end(&mut head)?;
                Ok(head)
            }
            Tree::Git(revision) => {
                let mut bytes = revision.read(&revision.resolve(path)?, ZONE_LIMIT)?;
                bytes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
                Ok(bytes)
            }
            Tree::Kept(files) => {
                let bytes = kept(files, path)?;
                Ok(bytes.get(..usize::try_from(limit).unwrap_or(usize::MAX)).unwrap_or(bytes).to_vec())
            }
        }
    }

    /// The root of the repository that holds a canonical path: the nearest folder with a `.git` in it.
    pub fn repository_root(&self, canonical: &Path) -> Option<PathBuf> {
        match self {
            Tree::Disk => {
                canonical.ancestors().find(|folder| folder.join(".git").symlink_metadata().is_ok()).map(Path::to_owned)
            }
            Tree::Git(revision) => canonical.starts_with(&revision.root).then(|| revision.root.clone()),
            Tree::Kept(_) => None,
        }
    }
}

/// A path as people know it: `/` between folders, no `./`, invalid UTF-8 replaced.
pub fn shown(path: &Path) -> String {
    let mut out = String::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::RootDir => out.push('/'),
            Component::Prefix(prefix) => out.push_str(&prefix.as_os_str().to_string_lossy()),
            Component::ParentDir | Component::Normal(_) => {
                if !out.is_empty() && !out.ends_with('/') {
                    out.push('/');
                }
                out.push_str(&component.as_os_str().to_string_lossy());
            }
        }
    }
    if out.is_empty() { ".".to_owned() } else { out }
}

/// Removes `.` and `..` without looking at the disk.
pub fn normalise(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                if !out.pop() {
                    out.push("..");
                }
            }
            other => out.push(other),
        }
    }
    out
}

/// Reads to the end, or fails when there is more than `limit`.
pub fn read_bounded(reader: impl Read, limit: u64) -> Result<Vec<u8>, TreeError> {
    read_sized(reader, 0, limit)
}

/// The same for about `size` bytes, for which room is made at once: growing step by step leaves the memory of every step
/// behind.
fn read_sized(reader: impl Read, size: u64, limit: u64) -> Result<Vec<u8>, TreeError> {
    let mut bytes = Vec::new();
    // Without the room, it grows as it is read.
    let _ = bytes.try_reserve_exact(usize::try_from(size.min(limit)).unwrap_or(0));
    reader.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(TreeError::TooLarge { limit });
    }
    Ok(bytes)
}

/// Tells a cycle of links apart from other failures.
fn link_error(error: io::Error) -> TreeError {
    // `ErrorKind::FilesystemLoop` exists but cannot be named yet.
    if format!("{:?}", error.kind()) == "FilesystemLoop" {
        return TreeError::Cycle;
    }
    error.into()
}

/// One revision of a git repository: all its entries, and a `git cat-file` that hands out contents.
#[derive(Debug)]
pub struct Revision {
    root: PathBuf,
    entries: BTreeMap<Vec<u8>, Entry>,
    batch: RefCell<Batch>,
}

/// One file of a revision.
#[derive(Debug)]
struct Entry {
    mode: Mode,
    object: String,
    size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    File,
    Link,
    Submodule,
}

impl Revision {
    fn open(near: &Path, revision: &str) -> Result<Revision, TreeError> {
        let folder = existing_folder(near)?;
        let top = git(&folder, &["rev-parse", "--show-toplevel"], 1 << 16)?
            .map_err(|_| TreeError::NoRepository(shown(near)))?;
        let root = PathBuf::from(String::from_utf8_lossy(&top).trim_end_matches(['\n', '\r']));
        let root = fs::canonicalize(&root).unwrap_or(root);
        let wanted = format!("{revision}^{{commit}}");
        let commit = git(&root, &["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted], 1 << 16)?.map_err(
            |reason| TreeError::NoRevision {
                revision: revision.to_owned(),
                repository: shown(&root),
                reason: if reason.is_empty() { "git does not know it".to_owned() } else { reason },
            },
        )?;
        let commit = String::from_utf8_lossy(&commit).trim().to_owned();
        let listing = git(&root, &["ls-tree", "-r", "-z", "-l", "--full-tree", &commit], LISTING_LIMIT)?
            .map_err(TreeError::Git)?;
        let entries = parse_listing(&listing)?;
        let batch = RefCell::new(Batch::start(&root)?);
        Ok(Revision { root, entries, batch })
    }

    /// The path inside the repository of a path as given, with links resolved.
    fn resolve(&self, path: &Path) -> Result<PathBuf, TreeError> {
        let inside = self.inside(path)?;
        let mut pending: Vec<_> = inside.components().rev().map(|part| part.as_os_str().to_owned()).collect();
        let mut resolved = PathBuf::new();
        let mut links = 0;
        while let Some(part) = pending.pop() {
            if part == ".." {
                if !resolved.pop() {
                    return Err(TreeError::OutsideRepository);
                }
                continue;
            }
            resolved.push(&part);
            let Some(entry) = self.entries.get(&key(&resolved)) else { continue };
            if entry.mode != Mode::Link {
                continue;
            }
            links += 1;
            if links > LINK_LIMIT {
                return Err(TreeError::Cycle);
            }
            let target = self.batch.borrow_mut().read(&entry.object, 1 << 16)?;
            let target = PathBuf::from(String::from_utf8_lossy(&target).into_owned());
            if target.is_absolute() {
                return Err(TreeError::OutsideRepository);
            }
            resolved.pop();
            for component in target.components().rev() {
                match component {
                    Component::CurDir => {}
                    other => pending.push(other.as_os_str().to_owned()),
                }
            }
        }
        Ok(resolved)
    }

    /// Strips the repository root. The path need not exist on the disk, only some folder above it.
    fn inside(&self, path: &Path) -> Result<PathBuf, TreeError> {
        let absolute = if path.is_absolute() { path.to_owned() } else { std::env::current_dir()?.join(path) };
        let absolute = normalise(&absolute);
        if let Ok(inside) = absolute.strip_prefix(&self.root) {
            return Ok(inside.to_owned());
        }
        let existing = absolute.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
        let rest = absolute.strip_prefix(existing).unwrap_or(Path::new(""));
        let real = fs::canonicalize(existing)?.join(rest);
        real.strip_prefix(&self.root).map(Path::to_owned).map_err(|_| TreeError::OutsideRepository)
    }

    fn kind(&self, inside: &Path) -> Result<Kind, TreeError> {
        match self.entries.get(&key(inside)) {
            Some(Entry { mode: Mode::File, size, .. }) => Ok(Kind::File(*size)),
            Some(_) => Ok(Kind::Other),
            None if inside.as_os_str().is_empty() || self.below(inside).next().is_some() => Ok(Kind::Folder),
            None => Err(TreeError::Missing),
        }
    }

    /// Paths below a folder, relative to it.
    fn below<'a>(&'a self, inside: &Path) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut prefix = key(inside);
        if !prefix.is_empty() {
            prefix.push(b'/');
        }
        let length = prefix.len();
        let start = prefix.clone();
        self.entries
            .range(start..)
            .map(|(path, _)| path)
            .take_while(move |path| path.starts_with(&prefix))
            .map(move |path| &path[length..])
    }

    fn list(&self, inside: &Path) -> Vec<PathBuf> {
        let mut names: Vec<PathBuf> = self
            .below(inside)
            .map(|rest| rest.split(|byte| *byte == b'/').next().unwrap_or(rest))
            .map(|name| PathBuf::from(String::from_utf8_lossy(name).into_owned()))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    fn read(&self, inside: &Path, limit: u64) -> Result<Vec<u8>, TreeError> {
        match self.entries.get(&key(inside)) {
            Some(Entry { mode: Mode::File, object, .. }) => self.batch.borrow_mut().read(object, limit),
            Some(_) => Err(TreeError::Kind("a submodule is not part of the revision")),
            None => Err(TreeError::Missing),
        }
    }
}

/// The key of a path inside a repository; git separates folders by `/` everywhere.
fn key(inside: &Path) -> Vec<u8> {
    let parts: Vec<_> = inside.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    parts.join("/").into_bytes()
}

/// Reads the records of `git ls-tree -r -z -l`: `mode type object size<TAB>path<NUL>`.
fn parse_listing(listing: &[u8]) -> Result<BTreeMap<Vec<u8>, Entry>, TreeError> {
    let odd = || TreeError::Git("the listing of the revision has an unknown form".to_owned());
    let mut entries = BTreeMap::new();
    for line in listing.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
        let tab = memchr::memchr(b'\t', line).ok_or_else(odd)?;
        let head = std::str::from_utf8(&line[..tab]).map_err(|_| odd())?;
        let mut words = head.split_ascii_whitespace();
        let (Some(mode), Some(_), Some(object), Some(size)) = (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(odd());
        };
        let mode = match mode {
            "120000" => Mode::Link,
            "160000" => Mode::Submodule,
            _ => Mode::File,
        };
        let path = String::from_utf8_lossy(&line[tab + 1..]).into_owned().into_bytes();
        entries.insert(path, Entry { mode, object: object.to_owned(), size: size.parse().unwrap_or(0) });
    }
    Ok(entries)
}

/// The nearest existing folder at or above a path.
fn existing_folder(near: &Path) -> Result<PathBuf, TreeError> {
    let absolute = if near.is_absolute() { near.to_owned() } else { std::env::current_dir()?.join(near) };
    absolute.ancestors().find(|folder| folder.is_dir()).map(Path::to_owned).ok_or(TreeError::Missing)
}

/// Runs git and returns its output, or what it said on failure.
fn git(folder: &Path, arguments: &[&str], limit: u64) -> Result<Result<Vec<u8>, String>, TreeError> {
    let mut child = command(folder, arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(TreeError::GitMissing)?;
    let errors = child.stderr.take();
    // Both pipes are drained at once, so that neither can fill up and block git.
    let listener = std::thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(errors) = errors {
            let _ = errors.take(1 << 16).read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).trim().to_owned()
    });
    let output = match child.stdout.take() {
        Some(output) => read_bounded(output, limit),
        None => Ok(Vec::new()),
    };
    if output.is_err() {
        let _ = child.kill();
    }
    let status = child.wait()?;
    let said = listener.join().unwrap_or_default();
    let output = output?;
    Ok(if status.success() { Ok(output) } else { Err(said) })
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments).env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0");
    command
}

/// A running `git cat-file --batch`.
#[derive(Debug)]
struct Batch {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Batch {
    fn start(root: &Path) -> Result<Batch, TreeError> {
        let mut child = command(root, &["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(TreeError::GitMissing)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(TreeError::Git("git has no input or output".to_owned()));
        };
        Ok(Batch { child, input: Some(input), output: BufReader::new(output) })
    }

    fn read(&mut self, object: &str, limit: u64) -> Result<Vec<u8>, TreeError> {
        let input = self.input.as_mut().ok_or_else(|| TreeError::Git("git has ended".to_owned()))?;
        writeln!(input, "{object}").and_then(|()| input.flush()).map_err(|error| TreeError::Git(error.to_string()))?;
        let mut header = String::new();
        (&mut self.output).take(4096).read_line(&mut header)?;
        let size: u64 = header
            .trim_end()
            .rsplit(' ')
            .next()
            .and_then(|size| size.parse().ok())
            .ok_or_else(|| TreeError::Git(format!("object {object} cannot be read")))?;
        if size > limit {
            io::copy(&mut (&mut self.output).take(size + 1), &mut io::sink())?;
            return Err(TreeError::TooLarge { limit });
        }
        let mut bytes = Vec::new();
        (&mut self.output).take(size).read_to_end(&mut bytes)?;
        let mut end = [0];
        self.output.read_exact(&mut end)?;
        if bytes.len() as u64 != size {
            return Err(TreeError::Git(format!("object {object} ends early")));
        }
        Ok(bytes)
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // Closing its input ends git; waiting leaves no zombie behind.
        self.input = None;
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(folder: &Path, arguments: &[&str]) -> bool {
        Command::new("git")
            .arg("-C")
            .arg(folder)
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    #[test]
    fn paths_are_shown_with_slashes_and_without_dots() {
        for (path, expected) in [("./a/b", "a/b"), (".", "."), ("/a//b/", "/a/b"), ("../a", "../a")] {
            assert_eq!(shown(Path::new(path)), expected);
        }
    }

    #[test]
    fn a_file_over_the_limit_is_an_error_and_not_a_shorter_file() {
        assert!(matches!(read_bounded(&b"12345"[..], 4), Err(TreeError::TooLarge { limit: 4 })));
        assert_eq!(read_bounded(&b"1234"[..], 4).unwrap(), b"1234");
    }

    #[cfg(unix)]
    #[test]
    fn a_revision_is_read_as_it_was_with_its_links() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        if !run(&root, &["init", "-q"]) {
            println!("skipped: git is not installed");
            return;
        }
        fs::create_dir(root.join("dns")).unwrap();
        fs::write(root.join("dns/a.zone"), "old").unwrap();
        std::os::unix::fs::symlink("dns", root.join("link")).unwrap();
        std::os::unix::fs::symlink("loop", root.join("loop")).unwrap();
        std::os::unix::fs::symlink("/etc", root.join("out")).unwrap();
        assert!(run(&root, &["add", "-A"]) && run(&root, &["commit", "-qm", "one"]));
        fs::remove_dir_all(root.join("dns")).unwrap();

        let tree = Tree::git(&root.join("dns/a.zone"), "HEAD").unwrap();
        assert_eq!(tree.read(&root.join("dns/a.zone"), 10).unwrap(), b"old");
        assert_eq!(tree.read(&root.join("link/a.zone"), 10).unwrap(), b"old");
        assert_eq!(tree.canonical(&root.join("link/a.zone")).unwrap(), root.join("dns/a.zone"));
        assert_eq!(tree.list(&root).unwrap(), ["dns", "link", "loop", "out"].map(PathBuf::from));
        assert_eq!(tree.kind(&root.join("link")).unwrap(), Kind::Folder);
        assert!(matches!(tree.kind(&root.join("loop")), Err(TreeError::Cycle)));
        assert!(matches!(tree.kind(&root.join("out/passwd")), Err(TreeError::OutsideRepository)));
        assert!(matches!(tree.kind(&root.join("none")), Err(TreeError::Missing)));
        assert!(matches!(tree.read(&root.join("dns/a.zone"), 2), Err(TreeError::TooLarge { .. })));
        assert_eq!(tree.read(&root.join("dns/a.zone"), 3).unwrap(), b"old");
        let error = Tree::git(&root, "no-such").unwrap_err().to_string();
        assert!(error.contains("no revision `no-such`"), "{error}");
        assert!(matches!(Tree::git(&root, "--help"), Err(TreeError::NoRevision { .. })));
    }
}
