//! What several integration tests share.

use std::path::{Path, PathBuf};

/// The folder of real inputs, if it is present: `MAILVET_SHARED_DATA`, else `../shared/data`, else `../../shared/data`.
///
/// Says on standard output that a test is skipped when there is none.
#[expect(clippy::print_stdout, reason = "a test that was skipped must say so")]
pub fn shared_data() -> Option<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let candidates = [
        std::env::var_os("MAILVET_SHARED_DATA").map(PathBuf::from),
        Some(manifest.join("../shared/data")),
        Some(manifest.join("../../shared/data")),
    ];
    let found = candidates.into_iter().flatten().find(|folder| folder.is_dir());
    if found.is_none() {
        println!("skipped: real inputs not present");
    }
    found
}
