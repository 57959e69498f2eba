//! What several integration tests share.

use std::path::{Path, PathBuf};

/// The folder of real inputs: `MAILVET_SHARED_DATA`, else `../shared/data` or `../../shared/data` beside the manifest.
/// `None`, with a note, when there is none.
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
pub(crate) fn shared_data() -> Option<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = [
        std::env::var_os("MAILVET_SHARED_DATA").map(PathBuf::from),
        Some(manifest.join("../shared/data")),
        Some(manifest.join("../../shared/data")),
    ];
    let found = places.into_iter().flatten().find(|place| place.is_dir());
    if found.is_none() {
        eprintln!("skipped: real inputs not present");
    }
    found
}
