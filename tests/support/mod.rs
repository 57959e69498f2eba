//! What integration tests share.

use std::path::{Path, PathBuf};

/// The folder of real inputs, where it exists: `MAILVET_SHARED_DATA`, or `shared/data` beside the repository.
pub(crate) fn shared_data() -> Option<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = std::env::var_os("MAILVET_SHARED_DATA").map(PathBuf::from);
    let candidates = [named, Some(manifest.join("../shared/data")), Some(manifest.join("../../shared/data"))];
    candidates.into_iter().flatten().find(|path| path.is_dir())
}
