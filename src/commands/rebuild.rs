//! `mailvet evaluate BUNDLE --from-raw`: facts are rebuilt from what the run received or read, and compared with the stored
//! ones, each to the character: value, place and note.
//!
//! A bundle that was sealed proves that nothing was changed since; that its facts follow from its evidence is proven here.
//! What cannot be rebuilt is taken from the snapshot, and it is said how much that is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::input::LoadedInventory;
use super::jail::Jail;
use super::stored::StoredInput;
use super::{check, live};
use crate::bundle::{self, Opened};
use crate::collectors::{self, Cache, Context, PolicyFile};
use crate::diag::{FileId, Files, visible};
use crate::facts::domain::Time;
use crate::facts::stored::{Header, StoredTarget};
use crate::facts::{ArtefactKind, Method, ServiceFacts, Target, TargetFacts};
use crate::inventory::Inventory;
use crate::sources::live::KeptMessage;
use crate::sources::tree::normalise;
use crate::sources::{self, Store, Tree};

/// Longest value that is printed, in characters.
const MAX_SHOWN: usize = 300;

/// What was rebuilt, and what came to light.
#[derive(Default)]
pub(super) struct Rebuilt {
    /// The targets with their facts, in the order of the snapshot.
    pub(super) targets: Vec<StoredTarget>,
    /// What is not as the snapshot has it.
    pub(super) differences: Vec<Difference>,
    /// Facts that were taken from the snapshot.
    pub(super) taken: usize,
    /// DNS messages that were read again.
    pub(super) messages: usize,
    /// How many of these are questions that nobody answered: their texts say what was tried.
    pub(super) unanswered: usize,
    /// Policies that were read again.
    pub(super) policies: usize,
    /// Chains of certificates that were read again.
    pub(super) chains: usize,
    /// Files that were read again.
    pub(super) files: usize,
}

/// A fact that is not what follows from the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    target: String,
    fact: String,
    stored: String,
    rebuilt: String,
}

impl Difference {
    /// A target that only one side has.
    pub(super) fn of_target(target: &str, stored: &str, rebuilt: &str) -> Difference {
        let (fact, stored, rebuilt) = ("the target".to_owned(), stored.to_owned(), rebuilt.to_owned());
        Difference { target: target.to_owned(), fact, stored, rebuilt }
    }

    /// A piece of evidence that does not fit its text.
    pub(super) fn of_evidence(path: &str, note: &str) -> Difference {
        let (fact, stored) = ("the evidence".to_owned(), "kept".to_owned());
        Difference { target: path.to_owned(), fact, stored, rebuilt: note.to_owned() }
    }
}

/// Rebuilds the facts of a bundle, reports what differs, and puts the rebuilt facts in the place of the stored ones. Whether
/// anything differs.
pub(super) fn from_raw(stored: &mut StoredInput, files: &mut Files, quiet: bool) -> anyhow::Result<bool> {
    let Some(bundle) = &stored.bundle else {
        bail!("--from-raw needs a bundle: a snapshot does not hold what the run read from files");
    };
    let mut targets = Vec::new();
    stored.targets(|target| targets.push(target))?;
    let rebuilt = match stored.coverage.live {
        Some(_) => live::rebuild(bundle, (&stored.header, &stored.coverage), targets, files),
        None => offline(bundle, &stored.header, &targets, files),
    };
    let rebuilt = rebuilt.context("the facts cannot be rebuilt from the raw evidence")?;
    report(&rebuilt, quiet)?;
    stored.rebuilt = Some(rebuilt.targets);
    Ok(!rebuilt.differences.is_empty())
}

fn report(rebuilt: &Rebuilt, quiet: bool) -> anyhow::Result<()> {
    let mut err = anstream::stderr();
    for Difference { target, fact, stored, rebuilt } in &rebuilt.differences {
        let text = format!("warning: {target}: {fact}: stored {stored}, rebuilt {rebuilt}");
        writeln!(err, "{}", visible(&text))?;
    }
    let count = rebuilt.differences.len();
    if count > 0 {
        writeln!(err, "warning: {count} differences between the snapshot and what follows from the raw evidence")?;
    }
    if quiet {
        return Ok(());
    }
    let Rebuilt { targets, messages, unanswered, policies, chains, files, taken, .. } = rebuilt;
    let verdict = if count == 0 { ", without a difference" } else { "" };
    let of = match files {
        0 => format!(
            "{messages} DNS messages ({unanswered} of them say that nobody answered), {policies} MTA-STS policies and {chains} \
             chains of certificates"
        ),
        files => format!("{files} files"),
    };
    writeln!(err, "note: the facts of {} targets were rebuilt from {of}{verdict}", targets.len())?;
    if *taken > 0 {
        writeln!(
            err,
            "note: {taken} facts that sessions with mail services showed were taken from the snapshot: transcripts are kept, \
             and not read again"
        )?;
    }
    Ok(())
}

/// A piece of evidence.
pub(super) struct Piece {
    pub(super) kind: ArtefactKind,
    pub(super) message: KeptMessage,
}

/// The raw evidence of a bundle, in the order of the files of the snapshot.
pub(super) struct Raw {
    pub(super) pieces: Vec<Piece>,
    by_path: BTreeMap<String, Vec<usize>>,
}

/// A line of the index.
#[derive(Deserialize)]
struct Line {
    path: String,
    id: String,
    raw: Option<String>,
    kind: Option<ArtefactKind>,
    title: Option<String>,
    time: Option<Time>,
}

impl Raw {
    /// Reads all of it, and makes sure that it is what the snapshot speaks of.
    pub(super) fn read(bundle: &Opened, files: &Files) -> anyhow::Result<Raw> {
        let index = String::from_utf8(bundle.read(bundle::EVIDENCE_INDEX)?).context(bundle::EVIDENCE_INDEX)?;
        let lines = index.lines().map(serde_json::from_str).collect::<Result<Vec<Line>, _>>();
        let lines = lines.context(bundle::EVIDENCE_INDEX)?;
        let known: Vec<_> = files.iter().filter(|(_, file)| file.evidence.is_some()).collect();
        if known.len() != lines.len() {
            bail!("{} does not list the evidence of the snapshot", bundle::EVIDENCE_INDEX);
        }
        let mut raw = Raw { pieces: Vec::new(), by_path: BTreeMap::new() };
        for ((id, file), line) in known.into_iter().zip(lines) {
            if line.path != file.path || file.evidence.as_deref() != Some(line.id.as_str()) {
                bail!("{}: {} is not what the snapshot speaks of", bundle::EVIDENCE_INDEX, line.path);
            }
            let (Some(name), Some(kind)) = (line.raw, line.kind) else { continue };
            let bytes = bundle.read(&name).with_context(|| name.clone())?;
            if bundle::sha256(&bytes) != line.id {
                bail!("{name} is not the evidence that its id names");
            }
            let (title, time) = (line.title.unwrap_or_default(), line.time.unwrap_or(Time(0)));
            let text = file.bytes.to_vec();
            let message = KeptMessage { file: id, path: line.path, title, time, raw: bytes, text };
            raw.by_path.entry(message.path.clone()).or_default().push(raw.pieces.len());
            raw.pieces.push(Piece { kind, message });
        }
        Ok(raw)
    }

    /// The piece of a name: the one that a target points into, or else the last one.
    pub(super) fn find(&self, path: &str, seen: &BTreeSet<FileId>) -> Option<usize> {
        let places = self.by_path.get(path)?;
        let is_seen = |at: &&usize| self.pieces.get(**at).is_some_and(|piece| seen.contains(&piece.message.file));
        places.iter().find(is_seen).or(places.last()).copied()
    }
}

/// A file that the run read, from the bundle.
pub(super) fn input(bundle: &Opened, path: &str) -> anyhow::Result<Vec<u8>> {
    let stored = bundle.record.inputs.iter().find(|stored| stored.path == path);
    let stored = stored.ok_or_else(|| anyhow!("the bundle does not hold the file {path}, which the run read"))?;
    Ok(bundle.read(&stored.file)?)
}

/// The inventory of the run, with the ids that the snapshot has of its file.
pub(super) fn inventory(header: &Header, files: &Files) -> anyhow::Result<Option<LoadedInventory>> {
    let Some(path) = &header.inventory else { return Ok(None) };
    let found = files.iter().find(|(_, file)| file.evidence.is_none() && file.path == *path);
    let (id, file) = found.ok_or_else(|| anyhow!("the snapshot does not hold the inventory {path}"))?;
    let mut scratch = Files::default();
    pad(&mut scratch, id);
    let inventory = Inventory::load(&mut scratch, path, &file.bytes);
    let inventory = inventory.map_err(|_| anyhow!("the inventory {path} cannot be read by this version"))?;
    // What it names is taken from the bundle, so it does not matter which folder it must not lead out of.
    Ok(Some(LoadedInventory { inventory, path: path.into(), jail: Jail::around(Path::new(""))? }))
}

/// Gives the next file this id.
fn pad(files: &mut Files, id: FileId) {
    while files.len() < id.0 as usize {
        files.add("", Vec::new());
    }
}

/// Rebuilds the facts of a run over files.
fn offline(bundle: &Opened, header: &Header, stored: &[StoredTarget], files: &mut Files) -> anyhow::Result<Rebuilt> {
    let loaded = inventory(header, files)?.context("the run had no inventory")?;
    let mut again = Files::default();
    let own = loaded.path.to_string_lossy();
    let (id, file) = files.iter().find(|(_, file)| file.path == own).context("the inventory is not there")?;
    pad(&mut again, id);
    again.add(own.clone(), file.bytes.to_vec());
    let mut policies = Vec::new();
    for domain in &loaded.inventory.domains {
        let Some(path) = &domain.mta_sts_policy else { continue };
        let path = loaded.resolve(path).to_string_lossy().into_owned();
        let bytes = input(bundle, &path)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        policies.push(PolicyFile { domain: domain.name.clone(), file: again.add(path, bytes), text });
    }
    let mut kept: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    for stored in &bundle.record.inputs {
        kept.insert(normalise(Path::new(&stored.path)), bundle.read(&stored.file)?);
    }
    let count = kept.len();
    let tree = Tree::Kept(kept);
    let declared = loaded.inventory.dns.as_ref().map(|dns| dns.files.as_slice()).unwrap_or_default();
    let paths: Vec<PathBuf> = declared.iter().map(|path| loaded.resolve(path)).collect();
    let mut store = Store::new();
    sources::discover(&tree, &paths, &sources::Options::default(), &mut again, &mut store)?;
    store.finish(&again);
    let domains = check::mail_domains(&store, &again, Some(&loaded.inventory));
    let source = store.view(&again);
    let context = Context {
        source: &source,
        method: Method::DnsFile,
        inventory: Some(&loaded.inventory),
        policies: &policies,
        fetches: &[],
        cache: Cache::default(),
    };
    let mut rebuilt = Rebuilt { files: count, ..Rebuilt::default() };
    for (name, anchor) in &domains {
        let facts = TargetFacts::Domain(collectors::domain(&context, name));
        rebuilt.targets.push(StoredTarget { name: name.as_str().to_owned(), anchor: *anchor, facts });
    }
    if let Some(named) = &loaded.inventory.organisation {
        let facts = TargetFacts::Organisation(Box::new(collectors::organisation(named)));
        rebuilt.targets.push(StoredTarget { name: named.name.clone(), anchor: None, facts });
    }
    pair(stored, files, &again, &mut rebuilt);
    // Messages about the files name them by the ids of the snapshot, so the facts must, too.
    let mut ids: BTreeMap<FileId, FileId> = BTreeMap::new();
    for target in &mut rebuilt.targets {
        let mut value = serde_json::to_value(&*target)?;
        rename_files(&mut value, &mut |id| *ids.entry(id).or_insert_with(|| stored_id(id, &again, files)));
        *target = serde_json::from_value(value)?;
    }
    Ok(rebuilt)
}

/// The id that the snapshot has of a file that was read again.
fn stored_id(id: FileId, again: &Files, files: &mut Files) -> FileId {
    let file = again.get(id);
    let known = files.iter().find(|(_, known)| known.path == file.path && known.bytes == file.bytes);
    known.map(|(id, _)| id).unwrap_or_else(|| files.add(file.path.clone(), file.bytes.to_vec()))
}

/// Compares targets by their kinds and names; the organisation may be called like a domain.
fn pair(stored: &[StoredTarget], before: &Files, after: &Files, rebuilt: &mut Rebuilt) {
    fn named(targets: &[StoredTarget]) -> BTreeMap<(Target, &str), &StoredTarget> {
        targets.iter().map(|target| ((target.facts.kind(), target.name.as_str()), target)).collect()
    }
    let (old, new) = (named(stored), named(&rebuilt.targets));
    let mut found = Vec::new();
    for (key @ (_, name), target) in &old {
        match new.get(key) {
            Some(again) => compare(target, again, before, after, &mut found),
            None => found.push(Difference::of_target(name, "in the snapshot", "does not follow from the evidence")),
        }
    }
    let more = new.keys().filter(|key| !old.contains_key(*key));
    found.extend(more.map(|(_, name)| Difference::of_target(name, "not in the snapshot", "follows from the evidence")));
    rebuilt.differences.extend(found);
}

/// Compares the facts of a target; ids of files mean nothing beyond a run, so places are compared by the names of files.
pub(super) fn compare(
    stored: &StoredTarget,
    rebuilt: &StoredTarget,
    before: &Files,
    after: &Files,
    found: &mut Vec<Difference>,
) {
    let value = |target: &StoredTarget, files: &Files| {
        let mut value = serde_json::to_value(&target.facts).unwrap_or_default();
        name_files(&mut value, files);
        let mut anchor = serde_json::to_value(target.anchor).unwrap_or_default();
        name_files(&mut anchor, files);
        let facts = value.as_object_mut().and_then(|kinds| Some(kinds.iter_mut().next()?.1.take()));
        (facts.unwrap_or_default(), anchor)
    };
    let ((old, old_anchor), (new, new_anchor)) = (value(stored, before), value(rebuilt, after));
    if old_anchor != new_anchor {
        let (old, new) = (shown(&old_anchor), shown(&new_anchor));
        found.push(Difference { target: stored.name.clone(), fact: "its place".to_owned(), stored: old, rebuilt: new });
    }
    walk(&stored.name, "", &old, &new, found);
}

fn walk(target: &str, path: &str, old: &Value, new: &Value, found: &mut Vec<Difference>) {
    if old == new {
        return;
    }
    let differs = |stored, rebuilt| Difference { target: target.to_owned(), fact: path.to_owned(), stored, rebuilt };
    match (old, new) {
        (Value::Object(one), Value::Object(other)) if is_fact(one) && is_fact(other) => {
            if let (Some(Value::Array(rows)), Some(Value::Array(others))) = (one.get("value"), other.get("value"))
                && rows.len() == others.len()
                && rows.iter().chain(others).all(Value::is_object)
                && one.get("from") == other.get("from")
            {
                for (at, (row, other)) in rows.iter().zip(others).enumerate() {
                    walk(target, &format!("{path}[{at}]"), row, other, found);
                }
                return;
            }
            let (is, wanted) = (observed(one), observed(other));
            if is != wanted {
                return found.push(differs(is, wanted));
            }
            let from = |fact: &Map<String, Value>| shown(fact.get("from").unwrap_or(&Value::Null));
            found.push(differs(format!("{is} from {}", from(one)), format!("{wanted} from {}", from(other))));
        }
        (Value::Object(one), Value::Object(other)) => {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for key in keys {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let (old, new) = (one.get(key).unwrap_or(&Value::Null), other.get(key).unwrap_or(&Value::Null));
                walk(target, &below, old, new, found);
            }
        }
        _ => found.push(differs(shown(old), shown(new))),
    }
}

fn is_fact(map: &Map<String, Value>) -> bool {
    map.contains_key("state") && map.contains_key("from")
}

/// What was found out, in words.
fn observed(fact: &Map<String, Value>) -> String {
    let word = |key| fact.get(key).and_then(Value::as_str).unwrap_or_default();
    match (word("state"), fact.get("value")) {
        ("present", Some(value)) => shown(value),
        ("absent", _) => format!("absent ({})", word("proof")),
        _ => format!("unknown ({})", word("cause")),
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(MAX_SHOWN) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

/// Puts the names of files in the place of their ids.
fn name_files(value: &mut Value, files: &Files) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(|item| name_files(item, files)),
        Value::Object(map) if is_span(map) => {
            let id = map.get("file").and_then(file_id).filter(|id| (id.0 as usize) < files.len());
            if let (Some(id), Some(file)) = (id, map.get_mut("file")) {
                *file = Value::from(files.get(id).path.as_str());
            }
        }
        Value::Object(map) => map.values_mut().for_each(|item| name_files(item, files)),
        _ => {}
    }
}

fn is_span(map: &Map<String, Value>) -> bool {
    map.len() == 3 && ["file", "start", "end"].iter().all(|key| map.contains_key(*key))
}

fn file_id(value: &Value) -> Option<FileId> {
    Some(FileId(u32::try_from(value.as_u64()?).ok()?))
}

/// Gives the file of every span another id.
fn rename_files(value: &mut Value, name: &mut impl FnMut(FileId) -> FileId) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(|item| rename_files(item, name)),
        Value::Object(map) if is_span(map) => {
            if let Some(file) = map.get_mut("file")
                && let Some(id) = file_id(file)
            {
                *file = Value::from(name(id).0);
            }
        }
        Value::Object(map) => map.values_mut().for_each(|item| rename_files(item, name)),
        _ => {}
    }
}

/// Sees the file of every span.
pub(super) fn spans(value: &Value, see: &mut impl FnMut(FileId)) {
    match value {
        Value::Array(list) => list.iter().for_each(|item| spans(item, see)),
        Value::Object(map) if is_span(map) => map.get("file").and_then(file_id).into_iter().for_each(see),
        Value::Object(map) => map.values().for_each(|item| spans(item, see)),
        _ => {}
    }
}

/// How many facts of a service are not among those that were rebuilt, by how their paths begin. Facts that nobody looks for
/// do not count.
pub(super) fn taken(facts: &ServiceFacts, again: &[&str]) -> usize {
    fn count(path: &str, value: &Value, again: &[&str]) -> usize {
        let is_below =
            |start: &&str| path == *start || path.strip_prefix(*start).is_some_and(|rest| rest.starts_with('.'));
        match value {
            _ if again.iter().any(is_below) => 0,
            Value::Object(fact) if is_fact(fact) => {
                let nobody_looks = fact.get("cause").is_some_and(|cause| cause == "not-collected")
                    && fact.get("from").and_then(|from| from.get("span")).is_none();
                usize::from(!nobody_looks)
            }
            Value::Object(map) => {
                let below = |key: &String| if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                map.iter().map(|(key, value)| count(&below(key), value, again)).sum()
            }
            _ => 0,
        }
    }
    count("", &serde_json::to_value(facts).unwrap_or_default(), again)
}
