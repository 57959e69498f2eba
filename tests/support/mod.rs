//! Helpers that several test binaries share.

use std::path::PathBuf;

/// The folder of real inputs, when this machine has it: `MAILVET_SHARED_DATA`, else beside the repository.
#[allow(dead_code)]
pub fn shared_data() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("MAILVET_SHARED_DATA") {
        let folder = PathBuf::from(folder);
        return folder.is_dir().then_some(folder);
    }
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    ["../shared/data", "../../shared/data"].iter().map(|path| manifest.join(path)).find(|folder| folder.is_dir())
}
