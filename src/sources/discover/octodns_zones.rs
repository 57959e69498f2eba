//! Which octoDNS files make up which zone, and having them read.
//!
//! A configuration says it exactly. Where none is at hand, the layout does: `example.org.yaml`, and folders such as
//! `example.org./` that hold one zone in several files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Finder;
use super::detect::Format;
use super::origin;
use crate::diag::{Diagnostic, FileId, Files, Span};
use crate::mail::Name;
use crate::sources::octodns::config::{self, Config, ConfiguredZone, YamlProvider};
use crate::sources::octodns::load::Loaded;
use crate::sources::octodns::{Settings, ZoneFile, read_zone};
use crate::sources::store::Store;
use crate::sources::tree::{Kind, YAML_LIMIT};

/// A zone and the files it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Composition {
    files: Vec<(PathBuf, Settings)>,
    /// Sources that are no YAML files, with the reason why they are not known.
    unknown: Vec<(String, Span)>,
    /// The place in the configuration.
    span: Span,
}

/// Everything that configurations say.
#[derive(Debug, Default)]
pub(super) struct Composed {
    zones: BTreeMap<Name, Vec<Composition>>,
    /// Folders of YAML providers with their settings.
    folders: BTreeMap<PathBuf, (Settings, Option<String>)>,
    /// Files that belong to a configured zone.
    files: BTreeSet<PathBuf>,
}

/// Reads all configurations of the walk.
pub(super) fn configured(finder: &mut Finder, files: &mut Files, store: &mut Store) -> Composed {
    let mut composed = Composed::default();
    for index in 0..finder.registry.found.len() {
        if finder.registry.found[index].detected.format != Format::OctodnsConfig {
            continue;
        }
        let id = finder.registry.register_found(files, index);
        let Some(config) = load_config(finder, id, files, store) else { continue };
        finder.count("octodns-config", 1);
        let near = finder.registry.folder_of(&finder.registry.found[index].canonical);
        let folders = provider_folders(finder, &config, &near, store);
        for (id, folder) in &folders {
            if let Some(provider) = config.providers.get(id).and_then(|provider| provider.yaml.as_ref()) {
                let known = (provider.settings, provider.split_extension.clone());
                composed.folders.entry(folder.clone()).or_insert(known);
            }
        }
        compose(finder, &config, &folders, &mut composed, store);
    }
    composed
}

fn load_config(finder: &mut Finder, id: FileId, files: &mut Files, store: &mut Store) -> Option<Config> {
    let mut loaded = Loaded::default();
    let registry = &mut finder.registry;
    let mut include = |files: &mut Files, written: &str, from| registry.include_yaml(files, written, from);
    let root = loaded.load(files, id, &mut include).ok()??;
    let mut diagnostics = Vec::new();
    let config = config::read(&loaded.yaml, root, &mut diagnostics);
    diagnostics.into_iter().for_each(|diagnostic| store.diagnostic(diagnostic));
    Some(config)
}

/// The folders of the YAML providers that are the source of a zone.
fn provider_folders(finder: &Finder, config: &Config, near: &Path, store: &mut Store) -> BTreeMap<String, PathBuf> {
    let used: BTreeSet<&str> =
        config.zones.iter().flat_map(|zone| zone.sources.iter().map(|(id, _)| id.as_str())).collect();
    let mut folders = BTreeMap::new();
    for (id, provider) in &config.providers {
        let Some(directory) = provider.yaml.as_ref().and_then(|yaml| yaml.directory.as_deref()) else { continue };
        if !used.contains(id.as_str()) {
            continue;
        }
        match finder.registry.locator.folder(directory, near) {
            Some(folder) => {
                folders.insert(id.clone(), folder);
            }
            None => {
                let message = format!("the folder `{directory}` of the provider `{id}` is not in the given paths");
                store.diagnostic(Diagnostic::warning("octodns-config", message).at(provider.span));
            }
        }
    }
    folders
}

/// Composes the zones of one configuration.
fn compose(
    finder: &Finder,
    config: &Config,
    folders: &BTreeMap<String, PathBuf>,
    composed: &mut Composed,
    store: &mut Store,
) {
    let mut names: BTreeSet<String> =
        config.zones.iter().filter(|zone| !zone.name.starts_with('*')).map(|zone| zone.name.to_lowercase()).collect();
    for zone in &config.zones {
        if !zone.name.starts_with('*') {
            let source = match &zone.alias {
                Some(alias) => config.zones.iter().find(|other| other.name == *alias && other.alias.is_none()),
                None => Some(zone),
            };
            let Some(source) = source else {
                let message = format!("`{}` is an alias of a zone that is not configured", zone.name);
                store.diagnostic(Diagnostic::warning("octodns-config", message).at(zone.span));
                continue;
            };
            add(finder, config, folders, &zone.name, &source.name, source, zone.span, composed, store);
            continue;
        }
        let mut listed: BTreeSet<String> = BTreeSet::new();
        for (id, _) in &zone.sources {
            let provider = config.providers.get(id).and_then(|provider| provider.yaml.as_ref());
            if let (Some(provider), Some(folder)) = (provider, folders.get(id)) {
                listed.extend(list_zones(finder, provider, folder));
            }
        }
        for name in listed {
            if !names.contains(&name) && config::matches(&zone.filter, &name) {
                add(finder, config, folders, &name, &name, zone, zone.span, composed, store);
                names.insert(name);
            }
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "what one zone of one configuration consists of")]
fn add(
    finder: &Finder,
    config: &Config,
    folders: &BTreeMap<String, PathBuf>,
    name: &str,
    stored_as: &str,
    source: &ConfiguredZone,
    span: Span,
    composed: &mut Composed,
    store: &mut Store,
) {
    let Ok(origin) = Name::parse(name) else {
        store.diagnostic(Diagnostic::warning("octodns-config", format!("`{name}` is not a domain name")).at(span));
        return;
    };
    let mut composition = Composition { files: Vec::new(), unknown: Vec::new(), span };
    for (id, place) in &source.sources {
        let Some(provider) = config.providers.get(id) else {
            let reason = format!("its source `{id}` is not in the configuration");
            composition.unknown.push((reason, *place));
            continue;
        };
        match (&provider.yaml, folders.get(id)) {
            (Some(yaml), Some(folder)) => {
                let paths = zone_files(finder, yaml, folder, stored_as);
                composition.files.extend(paths.into_iter().map(|path| (path, yaml.settings)));
            }
            (Some(yaml), None) if yaml.directory.is_none() => {
                composition
                    .unknown
                    .push((format!("the folder of its source `{id}` is taken from the environment"), *place));
            }
            (Some(_), None) => {
                composition
                    .unknown
                    .push((format!("the folder of its source `{id}` is not in the given paths"), *place));
            }
            (None, _) => {
                let reason = format!("its source `{id}` ({}) is not a YAML file", provider.class);
                composition.unknown.push((reason, *place));
            }
        }
    }
    composed.files.extend(composition.files.iter().map(|(path, _)| path.clone()));
    if composition.files.is_empty() {
        let message = format!("no file of the zone {origin} was found, so it is not judged");
        store.diagnostic(Diagnostic::warning("octodns-config", message).at(span));
        return;
    }
    // A zone that is composed in two ways, for example for two views, is read in both: the store sees whether they differ.
    let known = composed.zones.entry(origin).or_default();
    if !known
        .iter()
        .any(|first| first.files == composition.files && first.unknown.is_empty() == composition.unknown.is_empty())
    {
        known.push(composition);
    }
}

/// Names of the entries of a folder.
fn names_in(finder: &Finder, folder: &Path) -> Vec<String> {
    let names = finder.registry.tree.list(folder).unwrap_or_default();
    names.iter().map(|name| name.to_string_lossy().into_owned()).collect()
}

fn kind(finder: &Finder, path: &Path) -> Option<Kind> {
    finder.registry.tree.kind(path).ok()
}

/// The zones for which a provider has files.
fn list_zones(finder: &Finder, provider: &YamlProvider, folder: &Path) -> BTreeSet<String> {
    let mut zones = BTreeSet::new();
    for name in names_in(finder, folder) {
        let path = folder.join(&name);
        if let Some(extension) = &provider.split_extension
            && let Some(zone) = name.strip_suffix(extension.as_str())
            && kind(finder, &path) == Some(Kind::Folder)
        {
            zones.insert(format!("{zone}.").to_lowercase());
        }
        if !provider.disable_zonefile
            && name.matches('.').count() >= 2
            && let Some(zone) = name.strip_suffix("yaml")
            && zone.ends_with('.')
            && matches!(kind(finder, &path), Some(Kind::File(_)))
        {
            zones.insert(zone.to_lowercase());
        }
    }
    zones
}

/// The files of a zone in a provider's folder, in the order in which octoDNS reads them.
fn zone_files(finder: &Finder, provider: &YamlProvider, folder: &Path, name: &str) -> Vec<PathBuf> {
    let written = name.trim_end_matches('.').to_lowercase();
    let mut spellings = vec![written.clone()];
    if let Ok(parsed) = Name::parse(&written) {
        spellings.extend([parsed.as_str().to_owned(), parsed.to_unicode()]);
    }
    spellings.dedup();
    let mut paths: BTreeSet<PathBuf> = BTreeSet::new();
    for spelling in spellings {
        if let Some(extension) = &provider.split_extension {
            let split = folder.join(format!("{spelling}{extension}"));
            if kind(finder, &split) == Some(Kind::Folder) {
                let inside = names_in(finder, &split).into_iter().filter(|name| name.ends_with(".yaml"));
                paths.extend(inside.map(|name| split.join(name)));
            }
        }
        let flat = folder.join(format!("{spelling}.yaml"));
        if !provider.disable_zonefile && matches!(kind(finder, &flat), Some(Kind::File(_))) {
            paths.insert(flat);
        }
    }
    paths.extend(provider.shared_filename.as_ref().map(|name| folder.join(name)));
    let canonical = paths.into_iter().filter_map(|path| finder.registry.tree.canonical(&path).ok());
    canonical.filter(|path| finder.registry.locator.may_read(path)).collect()
}

/// Reads all octoDNS zones: the configured ones, then those that only the layout tells.
pub(super) fn read(finder: &mut Finder, composed: &Composed, files: &mut Files, store: &mut Store) {
    for (origin, compositions) in &composed.zones {
        for composition in compositions {
            read_composition(finder, origin, composition, files, store);
        }
    }
    for (origin, paths) in by_layout(finder, composed, files, store) {
        let settings = |path: &Path| {
            let folder = composed.folders.iter().find(|(folder, _)| path.starts_with(folder));
            folder.map_or_else(Settings::default, |(_, (settings, _))| *settings)
        };
        if let Some((folder, _)) = composed.folders.iter().find(|(folder, _)| paths[0].starts_with(folder)) {
            let message =
                format!("the zone {origin} lies in {} but is in no configuration", finder.registry.show(folder));
            store.diagnostic(Diagnostic::note("octodns-config", message));
        }
        let composed_files = paths.iter().map(|path| (path.clone(), settings(path))).collect();
        let span = Span::new(FileId(0), 0, 0);
        let composition = Composition { files: composed_files, unknown: Vec::new(), span };
        read_composition(finder, &origin, &composition, files, store);
    }
}

fn read_composition(
    finder: &mut Finder,
    origin: &Name,
    composition: &Composition,
    files: &mut Files,
    store: &mut Store,
) {
    let path = match &composition.files[..] {
        [(only, _)] => finder.registry.show(only),
        several => common_folder(finder, several),
    };
    finder.discovery.zones += 1;
    let mut sources = Vec::new();
    let mut unknown = composition.unknown.clone();
    for (file, settings) in &composition.files {
        match finder.registry.register(files, file, YAML_LIMIT) {
            Ok(id) => sources.push(ZoneFile { file: id, settings: *settings }),
            Err(reason) => {
                let message = format!("{} cannot be read: {reason}", finder.registry.show(file));
                store.diagnostic(Diagnostic::warning("unreadable", message.clone()));
                unknown.push((message, composition.span));
            }
        }
    }
    finder.count("octodns", sources.len());
    let registry = &mut finder.registry;
    let mut include = |files: &mut Files, written: &str, from| registry.include_yaml(files, written, from);
    let Some((zone, _)) = read_zone(store, files, origin, &path, &sources, &mut include) else { return };
    for (reason, span) in unknown {
        store.diagnostic(Diagnostic::warning("octodns-not-evaluated", format!("{origin}: {reason}")).at(span));
        store.mark_not_evaluated(zone, origin.clone(), true, reason, span);
    }
}

/// The folder that all files of a zone lie in, as people know it.
fn common_folder(finder: &Finder, files: &[(PathBuf, Settings)]) -> String {
    let shown: Vec<String> = files.iter().map(|(path, _)| finder.registry.show(path)).collect();
    let folder = |path: &String| path.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
    let first = shown.first().map(folder).unwrap_or_default();
    let same = shown.iter().all(|path| folder(path) == first);
    if same && !first.is_empty() { first } else { shown.into_iter().next().unwrap_or_default() }
}

/// Zones told by the layout of the files that no configuration claims.
fn by_layout(
    finder: &mut Finder,
    composed: &Composed,
    files: &mut Files,
    store: &mut Store,
) -> Vec<(Name, Vec<PathBuf>)> {
    let mut zones: BTreeMap<(PathBuf, Name), Vec<PathBuf>> = BTreeMap::new();
    for index in 0..finder.registry.found.len() {
        let found = &finder.registry.found[index];
        let reason = match &found.detected.format {
            Format::OctodnsZone => None,
            Format::EmptyYaml => Some("an empty YAML file".to_owned()),
            Format::BrokenYaml(reason) => Some(format!("not YAML that can be read: {reason}")),
            _ => continue,
        };
        let (path, canonical, given) = (found.shown.clone(), found.canonical.clone(), found.given);
        if composed.files.contains(&canonical) {
            continue;
        }
        if let Some(place) = finder.registry.included.get(&canonical) {
            let reason = format!("no zone of its own: read through {place}");
            finder.ignore(&path, reason);
            continue;
        }
        match layout(finder, &canonical, reason.is_none(), composed) {
            Some((base, zone)) => zones.entry((base, zone)).or_default().push(canonical),
            None if reason.is_none() || given => unknown_zone(finder, index, files, store),
            None => finder.ignore(&path, reason.unwrap_or_default()),
        }
    }
    zones
        .into_iter()
        .map(|((_, zone), mut paths)| {
            paths.sort();
            (zone, paths)
        })
        .collect()
}

/// The zone of a file by its place, and the folder that holds all files of that zone.
fn layout(finder: &Finder, path: &Path, has_records: bool, composed: &Composed) -> Option<(PathBuf, Name)> {
    let folder = path.parent()?.to_owned();
    if let Some(given) = &finder.override_origin {
        return Some((folder, given.clone()));
    }
    let file_name = path.file_name()?.to_string_lossy().to_lowercase();
    let stem = file_name.strip_suffix(".yaml").or_else(|| file_name.strip_suffix(".yml")).unwrap_or(&file_name);
    let folder_name = folder.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let base = folder.parent().map(Path::to_owned).unwrap_or_default();
    if let Some(zone) = split_zone(finder, &folder, &folder_name, stem, composed) {
        return Some((base, zone));
    }
    let flat =
        if has_records { stem.contains('.').then(|| Name::parse(stem).ok()).flatten() } else { origin::domain(stem) };
    let fallback = || finder.fallback_origin.clone().filter(|_| has_records);
    flat.or_else(fallback).map(|zone| (folder, zone))
}

/// The zone of a file in a folder that holds one zone in several files.
fn split_zone(finder: &Finder, folder: &Path, folder_name: &str, stem: &str, composed: &Composed) -> Option<Name> {
    let parent = folder.parent()?;
    if let Some((_, Some(extension))) = composed.folders.get(parent)
        && let Some(zone) = folder_name.strip_suffix(extension.as_str())
    {
        return Name::parse(zone).ok();
    }
    let catch_all = names_in(finder, folder).into_iter().find_map(|name| {
        let zone = name.strip_prefix('$')?.strip_suffix(".yaml")?.to_owned();
        Name::parse(&zone).ok()
    });
    let plain = || origin::domain(folder_name).filter(|_| origin::domain(stem).is_none());
    catch_all.or_else(|| origin::from_split_folder(folder_name)).or_else(plain)
}

/// octoDNS records whose zone nobody tells.
fn unknown_zone(finder: &mut Finder, index: usize, files: &mut Files, store: &mut Store) {
    let path = finder.registry.found[index].shown.clone();
    let id = finder.registry.register_found(files, index);
    let end = u32::from(!files.get(id).bytes.is_empty());
    store.diagnostic(
        Diagnostic::error("zone-unnamed", format!("it cannot be told which zone {path} is, so it is not judged"))
            .at(Span::new(id, 0, end))
            .help("name the file after its zone (`example.org.yaml`), give the octoDNS configuration too, or use --origin"),
    );
    finder.ignore(&path, "it cannot be told which zone it is");
}
