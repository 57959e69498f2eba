//! What several test binaries share.

#![allow(dead_code)]

use std::path::{Path, PathBuf};

/// The folder of real inputs, where it exists: `MAILVET_SHARED_DATA`, else beside the checkout. Tests that read it print
/// "skipped: real inputs not present" and pass where it does not.
pub(crate) fn shared_data() -> Option<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = std::env::var_os("MAILVET_SHARED_DATA")
        .map(PathBuf::from)
        .into_iter()
        .chain([manifest.join("../shared/data"), manifest.join("../../shared/data")])
        .find(|path| path.is_dir());
    if found.is_none() {
        println!("skipped: real inputs not present");
    }
    found
}
