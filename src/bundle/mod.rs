//! The evidence bundle on disk: everything one run saw, used and said, so that another auditor can check it a year later.
//!
//! A bundle is a BagIt folder (RFC 8493): the payload lies below `data/`, `manifest-sha256.txt` has the SHA-256 of each of
//! its files, and `sha256sum -c manifest-sha256.txt` checks them without mailvet. The folder may be one zip file,
//! in which case it is a folder beside its name until it is finished. Beside the manifest may stand a signature
//! that `ssh-keygen -Y verify` checks, and an in-toto statement in a DSSE envelope, made by the same key.
//!
//! A run that writes a bundle starts with the file `INCOMPLETE` and takes it away as its last act: a folder either has this
//! file or is a whole bundle. A bundle that was sealed is never written to again. [`write`] makes bundles, [`verify`] says
//! what is wrong with one, [`open`] hands over what a replay needs. Nothing here judges, and there is no cryptography here:
//! digests and signatures are those of `ring`, and what is ours is the framing of OpenSSH and of DSSE.

mod contents;
mod custody;
mod digest;
mod dsse;
mod manifest;
mod names;
pub mod open;
mod place;
pub mod record;
pub mod ssh;
pub mod verify;
pub mod write;
mod zip;

pub use custody::Event;
pub use digest::{file_digest, sha256};
pub use names::Names;
pub use open::{Incomplete, Opened, is_bundle};
pub use place::top;
pub use record::{Record, Start};
pub use verify::{Problem, Verified, verify};
pub use write::Bundle;

/// The file that says that a bundle is not finished.
pub const INCOMPLETE: &str = "INCOMPLETE";
/// The manifest: one line with SHA-256 and path for each file of the payload.
pub const MANIFEST: &str = "manifest-sha256.txt";
/// The manifest of the files beside the payload.
pub const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";
/// The declaration that this is a bag.
pub const DECLARATION: &str = "bagit.txt";
/// What the declaration says (RFC 8493 section 2.1.1).
const DECLARATION_TEXT: &[u8] = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
/// Facts about the bag as a whole.
pub const INFO: &str = "bag-info.txt";
/// The signature over the manifest, where `ssh-keygen -Y sign` puts it.
pub const SIGNATURE: &str = "manifest-sha256.txt.sig";
/// The in-toto statement.
pub const STATEMENT: &str = "attestation.intoto.jsonl";
/// The run record.
pub const RECORD: &str = "data/run.json";
/// The custody log.
pub const CUSTODY: &str = "data/custody.jsonl";
/// The snapshot.
pub const SNAPSHOT: &str = "data/snapshot.jsonl";
/// The list of evidence with the files that hold it.
pub const EVIDENCE_INDEX: &str = "data/evidence.jsonl";

/// Why a bundle cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Reading or writing failed.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// There is something where the bundle would go.
    #[error("{0} exists already; evidence is never overwritten, so name another folder or move this one away")]
    Exists(String),
    /// The run that wrote it was not finished.
    #[error(
        "{0} is incomplete: the run that wrote it was not finished; `mailvet collect --resume {0}` goes on with it"
    )]
    Incomplete(String),
    /// It is finished, so there is nothing to go on with.
    #[error("{0} is a complete bundle; there is nothing to go on with")]
    Complete(String),
    /// It is no bundle.
    #[error("{0} is no evidence bundle: {1}")]
    NotABundle(String, String),
    /// It is not as it was sealed.
    #[error("{0} was changed after it was sealed: {1}")]
    Changed(String, String),
    /// The key cannot sign.
    #[error("{0}")]
    Key(#[from] ssh::KeyError),
}

impl BundleError {
    /// An error of the system about a path.
    fn io(path: impl Into<String>) -> impl FnOnce(std::io::Error) -> BundleError {
        let path = path.into();
        move |source| BundleError::Io { path, source }
    }
}
