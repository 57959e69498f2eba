//! Verifying a bundle: every file, the manifests, the custody log and the signature, and the name of what does not fit.
//!
//! A digest that does not fit says that one of two files was changed, the one that was hashed or the one that lists it.
//! Which of them is found out from what else is known: the custody log seals the payload a second time, `bag-info.txt`
//! follows from the run record, and `bagit.txt` is always the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use super::contents::{Contents, Kind};
use super::custody::{self, Line};
use super::digest;
use super::manifest::{self, Manifest};
use super::record::Record;
use super::ssh::{self, PublicKey};
use super::write::{entries, info};
use super::{
    BundleError, CUSTODY, DECLARATION, DECLARATION_TEXT, INCOMPLETE, INFO, MANIFEST, RECORD, SIGNATURE, STATEMENT,
    TAG_MANIFEST, dsse, open,
};

/// Largest manifest or log that is read, in bytes: they grow with the payload.
const MAX_TEXT: u64 = 1 << 30;
/// Largest other file beside the payload that is read, in bytes: they do not.
const MAX_TAG: u64 = 1 << 24;

/// What is wrong with one file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file. Untrusted when it was added.
    pub path: String,
    /// What happened to it.
    pub what: What,
    /// How that is known.
    pub note: String,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// It is not as it was sealed.
    Changed,
    /// It was not there when the bundle was sealed.
    Added,
    /// It is missing.
    Removed,
    /// It is there, and not from whom it should be.
    Untrusted,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            What::Changed => "changed",
            What::Added => "added",
            What::Removed => "removed",
            What::Untrusted => "untrusted",
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<9} {}: {}", self.what, self.path, self.note)
    }
}

/// What was found out about a bundle.
#[derive(Debug)]
pub struct Verified {
    /// What is wrong, by path; empty for a bundle that is as it was sealed.
    pub problems: Vec<Problem>,
    /// Files of the payload.
    pub files: usize,
    /// Bytes of the payload.
    pub bytes: u64,
    /// SHA-256 of the manifest; `None` when there is none.
    pub manifest_sha256: Option<String>,
    /// Lines of the custody log.
    pub events: usize,
    /// When it was sealed, as the log says.
    pub sealed: Option<String>,
    /// Who signed; `None` when nobody did, or the signature does not hold.
    pub signer: Option<PublicKey>,
    /// Whether the signer is one of the keys that were given; `None` when none was given.
    pub trusted: Option<bool>,
}

/// Verifies a bundle. With `keys`, it must be signed by one of them.
///
/// # Errors
/// A bundle that is incomplete, or none, or that cannot be read.
pub fn verify(path: &Path, keys: Option<&[PublicKey]>) -> Result<Verified, BundleError> {
    let shown = path.display().to_string();
    let contents = Contents::at(path)?;
    let listed = contents.list().map_err(BundleError::io(shown.clone()))?;
    if listed.iter().any(|entry| entry.name == INCOMPLETE) {
        return Err(BundleError::Incomplete(shown));
    }
    let names: BTreeSet<&str> =
        listed.iter().filter(|entry| entry.kind == Kind::File).map(|entry| entry.name.as_str()).collect();
    if !names.contains(MANIFEST) && !names.contains(DECLARATION) {
        return Err(BundleError::NotABundle(shown, format!("it has neither {MANIFEST} nor {DECLARATION}")));
    }
    let mut verifying = Verifying { contents: &contents, names, problems: BTreeMap::new() };
    for entry in listed.iter().filter(|entry| entry.kind != Kind::File) {
        let is = if entry.kind == Kind::EmptyFolder { "an empty folder" } else { "neither a file nor a folder" };
        verifying.problem(&entry.name, What::Added, format!("it is {is}, which no bundle has"));
    }
    let (payload, unsound) = verifying.payload().map_err(BundleError::io(shown))?;
    verifying.sizes();
    let log = verifying.custody();
    verifying.manifests(&payload, log.as_deref());
    let (signer, trusted) = verifying.signature(keys);
    for name in &unsound {
        verifying.problem(name, What::Changed, "its bytes do not fit the CRC-32 that the archive has of them");
    }
    for (name, note) in contents.odd() {
        verifying.problem(name, What::Changed, note.as_str());
    }
    Ok(Verified {
        problems: verifying.problems.into_values().collect(),
        files: payload.files.len(),
        bytes: payload.bytes,
        manifest_sha256: payload.manifest_sha256,
        events: log.as_ref().map_or(0, Vec::len),
        sealed: log.and_then(|lines| Some(lines.last()?.time.clone())),
        signer,
        trusted,
    })
}

/// The payload as it is.
struct Payload {
    files: Manifest,
    bytes: u64,
    manifest_sha256: Option<String>,
}

/// Largest size of a file that is read as a whole.
fn limit(name: &str) -> u64 {
    if [MANIFEST, CUSTODY].contains(&name) { MAX_TEXT } else { MAX_TAG }
}

struct Verifying<'a> {
    contents: &'a Contents,
    names: BTreeSet<&'a str>,
    problems: BTreeMap<String, Problem>,
}

impl Verifying<'_> {
    /// One problem for each file: the first that was found says the most.
    fn problem(&mut self, path: &str, what: What, note: impl Into<String>) {
        let problem = || Problem { path: path.to_owned(), what, note: note.into() };
        self.problems.entry(path.to_owned()).or_insert_with(problem);
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        self.names.contains(name).then(|| self.contents.read(name, limit(name)).ok()).flatten()
    }

    /// What is too large to be read cannot be compared with anything, and no bundle has it.
    fn sizes(&mut self) {
        for name in [DECLARATION, INFO, MANIFEST, TAG_MANIFEST, SIGNATURE, STATEMENT, CUSTODY] {
            if self.names.contains(name) && !self.contents.size(name).is_ok_and(|size| size <= limit(name)) {
                self.problem(
                    name,
                    What::Changed,
                    format!("it is larger than {} bytes, and that of no bundle is", limit(name)),
                );
            }
        }
    }

    /// The payload, and the files of which an archive has another checksum.
    fn payload(&self) -> std::io::Result<(Payload, Vec<String>)> {
        let mut payload = Payload { files: Manifest::new(), bytes: 0, manifest_sha256: None };
        let mut unsound = Vec::new();
        for name in &self.names {
            let (summed, is_sound) = self.contents.sum(name)?;
            if !is_sound {
                unsound.push((*name).to_owned());
            }
            if name.starts_with("data/") {
                payload.bytes += summed.bytes;
                payload.files.insert((*name).to_owned(), summed.sha256);
            } else if *name == MANIFEST {
                payload.manifest_sha256 = Some(summed.sha256);
            }
        }
        Ok((payload, unsound))
    }

    fn custody(&mut self) -> Option<Vec<Line>> {
        match custody::check(&self.read(CUSTODY)?) {
            Ok(lines) => Some(lines),
            Err(note) => {
                self.problem(CUSTODY, What::Changed, note);
                None
            }
        }
    }

    fn manifests(&mut self, payload: &Payload, log: Option<&[Line]>) {
        for name in [DECLARATION, INFO, MANIFEST, TAG_MANIFEST] {
            if !self.names.contains(name) {
                self.problem(name, What::Removed, "every bundle has it");
            }
        }
        let known = [DECLARATION, INFO, MANIFEST, TAG_MANIFEST, SIGNATURE, STATEMENT];
        let added: Vec<String> = self.names.iter().copied().map(str::to_owned).collect();
        for name in added.iter().filter(|name| !name.starts_with("data/") && !known.contains(&name.as_str())) {
            self.problem(name, What::Added, "no bundle has it");
        }
        let sealed = log.and_then(|lines| lines.last()?.details.get("sha256")?.as_str());
        let is_sealed = sealed == Some(custody::seal(entries(&payload.files)).as_str());
        let manifest_is_right = self.payload_fits(payload, is_sealed);
        let right = BTreeMap::from([
            (DECLARATION, self.read(DECLARATION).is_some_and(|bytes| bytes == DECLARATION_TEXT)),
            (INFO, self.info_is_right(payload)),
            (MANIFEST, manifest_is_right),
        ]);
        self.tags(&right);
    }

    /// Compares the payload with the manifest; whether the manifest is what was sealed.
    fn payload_fits(&mut self, payload: &Payload, is_sealed: bool) -> bool {
        let Some(bytes) = self.read(MANIFEST) else { return false };
        let listed = manifest::parse(&bytes);
        let written = manifest::text(entries(&payload.files));
        if written.as_bytes() == bytes {
            if !is_sealed {
                self.problem(CUSTODY, What::Changed, format!("it does not seal what {MANIFEST} lists"));
            }
            return is_sealed;
        }
        match listed {
            // The log seals the payload as it is, so it is the manifest that was changed.
            _ if is_sealed => {
                self.problem(MANIFEST, What::Changed, format!("it does not list what {CUSTODY} seals"));
            }
            Err(note) => self.problem(MANIFEST, What::Changed, note),
            Ok(listed) => {
                let mut differ = false;
                for (path, sha256) in &listed {
                    match payload.files.get(path) {
                        None => self.problem(path, What::Removed, format!("{MANIFEST} lists it")),
                        Some(is) if is != sha256 => {
                            self.problem(path, What::Changed, format!("its SHA-256 is {is}, and was {sha256}"));
                        }
                        Some(_) => continue,
                    }
                    differ = true;
                }
                for path in payload.files.keys().filter(|path| !listed.contains_key(*path)) {
                    self.problem(path, What::Added, format!("{MANIFEST} does not list it"));
                    differ = true;
                }
                if !differ {
                    self.problem(MANIFEST, What::Changed, "its lines are not in order");
                }
            }
        }
        false
    }

    fn info_is_right(&self, payload: &Payload) -> bool {
        let expected = open::record(self.contents).map(|record| info(&record, payload.files.len(), payload.bytes));
        self.read(INFO).is_some_and(|bytes| Ok(bytes) == expected.map(String::into_bytes))
    }

    /// Compares the tag files with their manifest. A file that is known to be right does not fit because the line is wrong.
    fn tags(&mut self, right: &BTreeMap<&'static str, bool>) {
        let Some(bytes) = self.read(TAG_MANIFEST) else { return };
        let listed = match manifest::parse(&bytes) {
            Ok(listed) => listed,
            Err(note) => return self.problem(TAG_MANIFEST, What::Changed, note),
        };
        if listed.keys().map(String::as_str).ne(right.keys().copied())
            || manifest::text(entries(&listed)).as_bytes() != bytes
        {
            self.problem(TAG_MANIFEST, What::Changed, "it does not list the files of every bundle in order");
            return;
        }
        for (name, is_right) in right {
            let Some(actual) = self.read(name).map(|bytes| digest::sha256(&bytes)) else { continue };
            let wanted = listed.get(*name).cloned().unwrap_or_default();
            if actual == wanted {
                continue;
            }
            if *is_right {
                self.problem(TAG_MANIFEST, What::Changed, format!("its line on {name} is wrong"));
            } else {
                self.problem(name, What::Changed, format!("its SHA-256 is {actual}, and was {wanted}"));
            }
        }
    }

    /// Checks signature and statement; gives the signer, and whether it is one of the keys.
    fn signature(&mut self, keys: Option<&[PublicKey]>) -> (Option<PublicKey>, Option<bool>) {
        let record: Option<Record> = open::record(self.contents).ok();
        let promised = record.as_ref().and_then(|record| record.signer.as_deref());
        let promised = promised.and_then(|line| ssh::public_keys(line).ok()?.into_iter().next());
        for name in [SIGNATURE, STATEMENT] {
            if promised.is_some() && !self.names.contains(name) {
                self.problem(name, What::Removed, format!("{RECORD} says that the bundle is signed"));
            }
        }
        if keys.is_some() && !self.names.contains(SIGNATURE) {
            self.problem(SIGNATURE, What::Untrusted, "a key was given, and there is no signature");
        }
        let signer = self.signer(promised.as_ref());
        let trusted = keys.map(|keys| signer.as_ref().is_some_and(|signer| keys.contains(signer)));
        if let (Some(signer), Some(false)) = (&signer, trusted) {
            let note = format!("its key is {}, which was not given", signer.fingerprint());
            self.problem(SIGNATURE, What::Untrusted, note);
        }
        // Whatever the reason is that no signer was found: the signature that was asked for is not there.
        if (&signer, trusted) == (&None, Some(false)) {
            self.problem(SIGNATURE, What::Untrusted, "it does not show that a key that was given made it");
        }
        self.statement(promised.as_ref().or(signer.as_ref()), record.as_ref());
        (signer, trusted)
    }

    fn signer(&mut self, promised: Option<&PublicKey>) -> Option<PublicKey> {
        let signature = self.read(SIGNATURE)?;
        let manifest = self.read(MANIFEST)?;
        match ssh::verify(&manifest, &signature) {
            Ok(signer) if promised.is_none_or(|promised| *promised == signer) => Some(signer),
            Ok(signer) => {
                let note = format!("its key is {}, and {RECORD} names another", signer.fingerprint());
                self.problem(SIGNATURE, What::Changed, note);
                None
            }
            // A manifest that was changed fits no signature, and that the signature was changed too is not known.
            Err(_) if self.problems.contains_key(MANIFEST) => None,
            Err(error) => {
                self.problem(SIGNATURE, What::Changed, error.to_string());
                None
            }
        }
    }

    fn statement(&mut self, key: Option<&PublicKey>, record: Option<&Record>) {
        let Some(envelope) = self.read(STATEMENT) else { return };
        let Some(key) = key else {
            return self.problem(STATEMENT, What::Added, "the bundle is not signed, so nobody can have made it");
        };
        let files: Vec<(&str, Vec<u8>)> =
            [MANIFEST, TAG_MANIFEST].into_iter().filter_map(|name| Some((name, self.read(name)?))).collect();
        let subjects: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        let record = record.filter(|_| !self.problems.contains_key(RECORD));
        let Err(note) = dsse::verify(&envelope, key, &subjects, record) else { return };
        if !self.problems.contains_key(MANIFEST) && !self.problems.contains_key(TAG_MANIFEST) {
            self.problem(STATEMENT, What::Changed, note);
        }
    }
}
