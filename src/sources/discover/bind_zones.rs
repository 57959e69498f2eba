//! Which zone each file of zone text is, and having it read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Finder;
use super::detect::{Format, Shape};
use super::origin;
use crate::diag::{Diagnostic, Files, Span};
use crate::mail::Name;
use crate::sources::bind;
use crate::sources::named_conf;
use crate::sources::store::Store;

/// What the `named.conf` files say about one file.
#[derive(Debug, Default)]
struct Mapped {
    /// Zones that are served from the file, with the place of their statement.
    zones: BTreeMap<Name, Span>,
    /// Whether it holds the root hints.
    hints: bool,
}

/// Reads every file of zone text that is a zone.
pub(super) fn read(finder: &mut Finder, files: &mut Files, store: &mut Store) {
    let mapped = named_confs(finder, files, store);
    for index in 0..finder.registry.found.len() {
        let found = &finder.registry.found[index];
        let (shape, fragment) = match &found.detected.format {
            Format::Zone(shape) => ((**shape).clone(), false),
            Format::Fragment(shape) => ((**shape).clone(), true),
            _ => continue,
        };
        let (path, canonical, given) = (found.shown.clone(), found.canonical.clone(), found.given);
        if let Some(mapped) = mapped.get(&canonical) {
            if mapped.hints {
                finder.ignore(&path, "hints for the root servers, no zone of its own");
            }
            for (zone, span) in &mapped.zones {
                note_other_origin(&shape, zone, *span, &path, store);
                read_zone(finder, index, zone, files, store);
            }
            continue;
        }
        if let Some(place) = finder.registry.included.get(&canonical) {
            let reason = format!("no zone of its own: read through {place}");
            finder.ignore(&path, reason);
            continue;
        }
        if fragment && !given {
            finder.ignore(&path, "no SOA record: a part of a zone that no zone file includes");
            continue;
        }
        match zone_name(finder, &shape, &path) {
            Some(zone) => read_zone(finder, index, &zone, files, store),
            None => unknown_zone(finder, index, &shape, files, store),
        }
    }
}

/// Where the zones of all `named.conf` files are.
fn named_confs(finder: &mut Finder, files: &mut Files, store: &mut Store) -> BTreeMap<PathBuf, Mapped> {
    let mut confs = Vec::new();
    for index in 0..finder.registry.found.len() {
        if finder.registry.found[index].detected.format != Format::NamedConf {
            continue;
        }
        let id = finder.registry.register_found(files, index);
        let conf = named_conf::parse(id, &files.get(id).bytes);
        let folder = finder.registry.folder_of(&finder.registry.found[index].canonical);
        if let Some(directory) = &conf.directory
            && let Some(located) = finder.registry.locator.folder(directory, &folder)
        {
            finder.registry.locator.add_base(located);
        }
        finder.count("named.conf", 1);
        confs.push((conf, folder));
    }
    let mut mapped: BTreeMap<PathBuf, Mapped> = BTreeMap::new();
    let mut located: BTreeSet<Name> = BTreeSet::new();
    for (conf, folder) in &confs {
        for zone in &conf.zones {
            let Some(written) = &zone.file else { continue };
            let is_hint = zone.kind.as_deref() == Some("hint");
            match finder.registry.locator.file(written, &[folder]) {
                Ok(canonical) => {
                    let entry = mapped.entry(canonical).or_default();
                    entry.hints |= is_hint;
                    if !is_hint {
                        entry.zones.entry(zone.name.clone()).or_insert(zone.span);
                        located.insert(zone.name.clone());
                    }
                }
                Err(reason) if matches!(zone.kind.as_deref(), None | Some("master" | "primary")) => {
                    let message = format!("the file `{written}` of the zone {} is not judged: {reason}", zone.name);
                    store.diagnostic(Diagnostic::warning("zone-file-not-found", message).at(zone.span));
                }
                Err(_) => {}
            }
        }
    }
    mapped
}

/// Says when `named.conf` and the zone text disagree.
fn note_other_origin(shape: &Shape, zone: &Name, span: Span, path: &str, store: &mut Store) {
    let inside = shape.soa_owner.as_ref().or(shape.leading_origin.as_ref());
    let Some(inside) = inside.filter(|inside| *inside != zone && !zone.is_within(inside) && !inside.is_within(zone))
    else {
        return;
    };
    let message = format!("{path} is served as {zone} but written for {inside}; it is read as {zone}");
    store.diagnostic(Diagnostic::note("zone-name", message).at(span));
}

/// The zone of a file that no `named.conf` names.
fn zone_name(finder: &Finder, shape: &Shape, path: &str) -> Option<Name> {
    if let Some(given) = &finder.override_origin {
        return Some(given.clone());
    }
    let inside = shape.soa_owner.as_ref().or(shape.leading_origin.as_ref());
    let file_name = path.rsplit('/').next().unwrap_or(path);
    inside.cloned().or_else(|| origin::from_file_name(file_name)).or_else(|| finder.fallback_origin.clone())
}

/// A file whose zone nobody tells.
fn unknown_zone(finder: &mut Finder, index: usize, shape: &Shape, files: &mut Files, store: &mut Store) {
    let found = &finder.registry.found[index];
    let (path, given) = (found.shown.clone(), found.given);
    if !shape.soa && !given {
        finder.ignore(&path, "no SOA record and no absolute $ORIGIN: a part of a zone that no zone file includes");
        return;
    }
    let id = finder.registry.register_found(files, index);
    let end = u32::from(!files.get(id).bytes.is_empty());
    store.diagnostic(
        Diagnostic::error("zone-unnamed", format!("it cannot be told which zone {path} is, so it is not judged"))
            .at(Span::new(id, 0, end))
            .help("begin the file with `$ORIGIN`, name it after its zone, give its named.conf too, or use --origin"),
    );
    finder.ignore(&path, "it cannot be told which zone it is");
}

/// Has one file read as one zone.
fn read_zone(finder: &mut Finder, index: usize, zone: &Name, files: &mut Files, store: &mut Store) {
    let id = finder.registry.register_found(files, index);
    let folder: PathBuf = finder.registry.folder_of(&finder.registry.found[index].canonical);
    finder.count("bind", 1);
    finder.discovery.zones += 1;
    let registry = &mut finder.registry;
    let folder: &Path = &folder;
    let mut include = |files: &mut Files, written: &str, from| registry.include_zone(files, written, from, folder);
    bind::read_zone(store, files, id, Some(zone.clone()), &mut include);
}
