//! Stand-in for the BIND reader: it adds the zone and asks for every included file.

use crate::diag::{Diagnostic, FileId, Files, Span};
use crate::mail::Name;

use super::store::{Store, ZoneId};

/// Adds an empty zone and resolves its `$INCLUDE`s.
pub fn read_zone(
    store: &mut Store,
    files: &mut Files,
    file: FileId,
    origin: Option<Name>,
    include: &mut dyn FnMut(&mut Files, &str, FileId) -> Result<FileId, String>,
) -> Option<ZoneId> {
    let path = files.get(file).path.clone();
    let anchor = Span::new(file, 0, 0);
    let zone = store.add_zone(origin.unwrap_or_else(Name::root), "bind", &path, anchor);
    let text = String::from_utf8_lossy(&files.get(file).bytes).into_owned();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("$INCLUDE ") {
            let wanted = rest.split_whitespace().next().unwrap_or("").trim_matches('"');
            if let Err(reason) = include(files, wanted, file) {
                store.diagnostic(Diagnostic::warning("zone-include", reason).at(anchor));
            }
        }
    }
    Some(zone)
}
