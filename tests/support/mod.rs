//! What several integration tests need.

#![allow(dead_code)]

use std::path::{Path, PathBuf};

/// The folder with real inputs, if it is present: `MAILVET_SHARED_DATA`, or `shared/data` beside or above the repository.
pub(crate) fn shared_data() -> Option<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let given = std::env::var_os("MAILVET_SHARED_DATA").map(PathBuf::from);
    [given, Some(manifest.join("../shared/data")), Some(manifest.join("../../shared/data"))]
        .into_iter()
        .flatten()
        .find(|folder| folder.is_dir())
}
