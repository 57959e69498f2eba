//! The YAML files of one zone -> records.
//!
//! A record that octoDNS or the provider makes up when it runs (dynamic pools, geo targeting, proxies, ALIAS) and a record
//! that octoDNS leaves alone are not known from the file: their name and type are marked "not evaluated" with the reason,
//! and nothing else of the name is. One bad record does not lose the others; a file that is not YAML loses its zone, which
//! is said.

use std::collections::BTreeMap;

use granit_parser::ScalarStyle;

use super::load::{Include, Loaded};
use super::scalar::TextRules;
use super::value::{ValueError, Values, is_boolean, not_a_text};
use super::yaml::{NodeId, NodeKind, Tag};
use crate::diag::{Diagnostic, FileId, Files, Span};
use crate::mail::Name;
use crate::sources::record::{RData, Record, RecordType};
use crate::sources::store::{Store, ZoneId};

/// Most messages about one zone.
const DIAGNOSTICS: usize = 500;

/// How a YAML provider reads its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// TTL of records without one; `None` where no configuration says it.
    pub default_ttl: Option<u32>,
    /// Whether `\;` stands for a semicolon in texts.
    pub escaped_semicolons: bool,
    /// Whether the settings come from a configuration rather than from octoDNS's defaults.
    pub configured: bool,
    /// Whether a record replaces one of the same name and type from an earlier file.
    pub replace: bool,
    /// Whether a processor fills templates in values.
    pub templated: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { default_ttl: None, escaped_semicolons: true, configured: false, replace: false, templated: false }
    }
}

/// One file that holds records of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZoneFile {
    /// The file.
    pub file: FileId,
    /// How it is read.
    pub settings: Settings,
}

/// Reads a zone from its files, in the order in which octoDNS reads them, and returns it with the number of records.
pub fn read_zone(
    store: &mut Store,
    files: &mut Files,
    origin: &Name,
    path: &str,
    sources: &[ZoneFile],
    include: Include,
) -> Option<(ZoneId, u64)> {
    let anchor = Span::new(sources.first()?.file, 0, 0);
    let mut loaded = Loaded::default();
    let mut roots = Vec::new();
    let mut failed = None;
    for source in sources {
        match loaded.load(files, source.file, include) {
            Ok(root) => roots.extend(root.map(|root| (root, source.settings))),
            Err(error) => {
                failed.get_or_insert(error.span);
                store.diagnostic(
                    Diagnostic::error(
                        "octodns-yaml",
                        format!("the file is not YAML that octoDNS reads: {}", error.message),
                    )
                    .at(error.span)
                    .help("no record of the zone is judged until the file can be read"),
                );
            }
        }
    }
    let mut reader = Reader::new(&loaded, files, origin);
    for (root, settings) in roots {
        reader.settings = settings;
        reader.root(root);
    }
    let first = reader.first_key;
    let zone = store.add_zone(origin.clone(), "octodns", path, first.unwrap_or(anchor));
    // octoDNS does not write SOA records, and leaves the apex NS records to the provider unless they are given.
    store.mark_provider_managed(zone);
    let records = reader.finish(store, zone);
    if let Some(span) = failed {
        let reason = "a file of the zone is not YAML that can be read".to_owned();
        store.mark_not_evaluated(zone, origin.clone(), true, reason, span);
    }
    Some((zone, records))
}

/// All that is known about one name and type.
#[derive(Debug, Default)]
struct Slot {
    records: Vec<Record>,
    unknown: Option<(String, Span)>,
    span: Option<Span>,
}

struct Reader<'a> {
    loaded: &'a Loaded,
    files: &'a Files,
    origin: &'a Name,
    settings: Settings,
    slots: BTreeMap<(Name, String), Slot>,
    unknown_names: Vec<(Name, bool, String, Span)>,
    diagnostics: Vec<Diagnostic>,
    first_key: Option<Span>,
    budget: usize,
}

impl<'a> Reader<'a> {
    fn new(loaded: &'a Loaded, files: &'a Files, origin: &'a Name) -> Self {
        Reader {
            loaded,
            files,
            origin,
            settings: Settings::default(),
            slots: BTreeMap::new(),
            unknown_names: Vec::new(),
            diagnostics: Vec::new(),
            first_key: None,
            // Every value of an honest zone has a node of its own; only aliases of aliases need more.
            budget: loaded.yaml.len() + 100_000,
        }
    }

    fn span(&self, id: NodeId) -> Span {
        self.loaded.yaml.node(id).span
    }

    fn warn(&mut self, code: &'static str, message: impl Into<String>, span: Span) {
        self.diagnostics.push(Diagnostic::warning(code, message).at(span));
    }

    fn line(&self, span: Span) -> Option<String> {
        line(self.files, self.diagnostics.len(), span)
    }

    fn spend(&mut self, span: Span) -> bool {
        match self.budget.checked_sub(1) {
            Some(left) => {
                self.budget = left;
                true
            }
            None => {
                let reason = "the aliases of the file stand for more records than are read";
                if self.unknown_names.iter().all(|(_, _, known, _)| known != reason) {
                    self.warn("octodns-limit", reason, span);
                    self.unknown_names.push((self.origin.clone(), true, reason.to_owned(), span));
                }
                false
            }
        }
    }

    fn root(&mut self, root: NodeId) {
        let yaml = &self.loaded.yaml;
        let root = yaml.resolve(root);
        if yaml.is_null(root) {
            return;
        }
        let mut lost = Vec::new();
        let entries = yaml.entries(root, &mut |earlier, later| lost.push((earlier, later)));
        let whole_unknown = self.loaded.unknown.get(&root).cloned().or_else(|| self.unknown_merge(root));
        if let Some(reason) = whole_unknown {
            let span = self.span(root);
            self.warn("octodns-not-evaluated", reason.clone(), span);
            self.unknown_names.push((self.origin.clone(), true, reason, span));
        }
        let Some(entries) = entries else {
            let span = self.span(root);
            let message = "an octoDNS zone is a mapping of names to records";
            self.diagnostics.push(Diagnostic::error("octodns-zone", message).at(span));
            self.unknown_names.push((self.origin.clone(), true, message.to_owned(), span));
            return;
        };
        for (earlier, later) in lost {
            let name = yaml.text(later).unwrap_or("");
            let help = match self.line(self.span(later)) {
                Some(place) => format!("only the definition in {place} is used; put both into one list"),
                None => "only the last definition is used; put all into one list".to_owned(),
            };
            let diagnostic = Diagnostic::warning("octodns-duplicate-key", format!("`{name}` is defined twice"))
                .at(self.span(earlier))
                .label("octoDNS drops these records")
                .help(help);
            self.diagnostics.push(diagnostic);
        }
        for entry in entries {
            if self.budget == 0 {
                self.spend(self.span(entry.key));
                return;
            }
            self.name(entry.key, entry.value);
        }
    }

    /// A merge key of the root whose content is not known.
    fn unknown_merge(&self, root: NodeId) -> Option<String> {
        let NodeKind::Mapping(pairs) = &self.loaded.yaml.node(root).kind else { return None };
        pairs
            .iter()
            .filter(|(key, _)| self.loaded.yaml.text(*key) == Some("<<"))
            .find_map(|(_, value)| self.loaded.unknown_below(*value).map(|(reason, _)| reason))
    }

    /// All records of one name.
    fn name(&mut self, key: NodeId, data: NodeId) {
        let span = self.span(key);
        let Some(owner) = self.owner(key, span) else { return };
        self.first_key = Some(self.first_key.unwrap_or(span));
        let yaml = &self.loaded.yaml;
        match yaml.items(data) {
            None => self.record(&owner, span, data, true),
            Some(items) => {
                for item in items {
                    if !self.spend(span) {
                        return;
                    }
                    self.record(&owner, span, yaml.resolve(*item), false);
                }
            }
        }
    }

    /// The owner name of a key, which is always relative to the zone.
    fn owner(&mut self, key: NodeId, span: Span) -> Option<Name> {
        let text = self.key_text(key, span)?;
        if text.is_empty() {
            return Some(self.origin.clone());
        }
        if text == "@" {
            self.warn("octodns-name", "octoDNS refuses the name `@`; it is read as the root of the zone", span);
            return Some(self.origin.clone());
        }
        let parsed = Name::parse(&text);
        if text.ends_with('.') || text.contains([' ', '\t']) {
            let message = format!("`{text}` is not a name relative to the zone, so octoDNS refuses it");
            self.warn("octodns-name", message.clone(), span);
            if let Some(name) = parsed.ok().filter(|name| name.is_within(self.origin)) {
                self.unknown_names.push((name, false, message, span));
            }
            return None;
        }
        match parsed.and_then(|name| name.within(self.origin)) {
            Ok(name) => Some(name),
            Err(error) => {
                self.warn("octodns-name", format!("the records of this name are not read: {error}"), span);
                None
            }
        }
    }

    /// The text of a key as octoDNS sees it: it turns what YAML 1.1 takes for a number or truth value back into text.
    fn key_text(&mut self, key: NodeId, span: Span) -> Option<String> {
        let node = self.loaded.yaml.node(self.loaded.yaml.resolve(key));
        let NodeKind::Scalar(text, style) = &node.kind else {
            self.warn("octodns-name", "a name must be a text", span);
            return None;
        };
        let plain = *style == ScalarStyle::Plain && node.tag == Tag::None;
        let seen = if plain && self.loaded.yaml.is_null(key) {
            "none".to_owned()
        } else if let Some(value) = is_boolean(text).filter(|_| plain) {
            value.to_string()
        } else if not_a_text(text, *style, &node.tag).is_some() {
            match python_number(text) {
                Some(seen) => seen,
                None => {
                    let message = format!("octoDNS reads the name `{text}` as a number of another form; quote it");
                    self.warn("octodns-name", message.clone(), span);
                    if let Ok(name) = Name::parse(text).and_then(|name| name.within(self.origin)) {
                        self.unknown_names.push((name, false, message, span));
                    }
                    return None;
                }
            }
        } else {
            return Some(text.to_string());
        };
        if seen != **text {
            self.warn("octodns-name", format!("octoDNS reads the name `{text}` as `{seen}`; quote it"), span);
        }
        Some(seen)
    }

    /// One record: a mapping with `type` and `value` or `values`.
    fn record(&mut self, owner: &Name, key: Span, data: NodeId, alone: bool) {
        let yaml = &self.loaded.yaml;
        let here = self.span(data);
        let span = if alone { key.join(here) } else { here };
        if let Some((reason, place)) = self.loaded.unknown_below(data) {
            self.warn("octodns-not-evaluated", reason.clone(), place);
            let rtype = yaml.get(data, "type").filter(|id| self.loaded.unknown_below(*id).is_none());
            return match rtype.and_then(|id| yaml.text(id)) {
                Some(rtype) => self.unknown_type(owner, rtype, reason, place),
                None => self.unknown_names.push((owner.clone(), false, reason, place)),
            };
        }
        let mut lost = Vec::new();
        let Some(_) = yaml.entries(data, &mut |earlier, _| lost.push(earlier)) else {
            return self.refuse(owner, "a record is a mapping with `type` and `value` or `values`", here);
        };
        for earlier in lost {
            let place = self.span(earlier);
            let field = yaml.text(earlier).unwrap_or("").to_owned();
            self.warn("octodns-duplicate-key", format!("`{field}` is given twice; octoDNS uses the last one"), place);
        }
        let Some(rtype) = yaml.get(data, "type").and_then(|id| yaml.text(id)).map(str::to_owned) else {
            return self.refuse(owner, "the record has no `type`", here);
        };
        let type_span = yaml.get(data, "type").map_or(here, |id| self.span(id));
        if let Some(reason) = self.not_served(&rtype, data) {
            return self.unknown_type(owner, &rtype, reason, span);
        }
        let Some(number) = RecordType::parse(&rtype) else {
            let reason = format!("the type {rtype} is computed by the provider");
            if !is_provider_type(&rtype) {
                self.warn("octodns-type", format!("the record type `{rtype}` is not known"), type_span);
            }
            return self.unknown_type(owner, &rtype, reason, span);
        };
        let ttl = self.ttl(data);
        let records = self.values(owner, &rtype, number, ttl, data, span);
        self.put(owner, &rtype, records, span);
    }

    /// A record that cannot be told apart: nothing about its name is known.
    fn refuse(&mut self, owner: &Name, message: &str, span: Span) {
        self.warn("octodns-record", message, span);
        self.unknown_names.push((owner.clone(), false, message.to_owned(), span));
    }

    /// Why a record is not served as it is written.
    fn not_served(&self, rtype: &str, data: NodeId) -> Option<String> {
        let yaml = &self.loaded.yaml;
        for key in ["dynamic", "geo"] {
            if yaml.get(data, key).is_some_and(|value| !yaml.is_null(value)) {
                return Some(format!("the answer is computed from `{key}`"));
            }
        }
        let meta = yaml.get(data, "octodns")?;
        if yaml.get(meta, "ignored").is_some_and(|value| yaml.is_true(value)) {
            return Some("the record is marked `ignored`, so octoDNS leaves whatever the provider has".to_owned());
        }
        for key in ["included", "excluded"] {
            if yaml.get(meta, key).is_some_and(|value| !yaml.is_null(value)) {
                return Some(format!("the record is `{key}` for some providers only"));
            }
        }
        let proxied = yaml.get(meta, "cloudflare").and_then(|provider| yaml.get(provider, "proxied"));
        let is_proxy = matches!(rtype, "A" | "AAAA" | "CNAME" | "ALIAS");
        if is_proxy && proxied.is_some_and(|value| yaml.is_true(value)) {
            return Some("the record is proxied, so the provider answers with its own addresses".to_owned());
        }
        None
    }

    fn ttl(&mut self, data: NodeId) -> Option<u32> {
        let Some(id) = self.loaded.yaml.get(data, "ttl") else { return self.settings.default_ttl };
        let ttl = self.loaded.yaml.text(id).and_then(|text| text.trim().parse().ok());
        if ttl.is_none() {
            let span = self.span(id);
            self.warn("octodns-ttl", "the TTL is not a whole number of seconds", span);
        }
        ttl
    }

    fn values(
        &mut self,
        owner: &Name,
        rtype: &str,
        number: RecordType,
        ttl: Option<u32>,
        data: NodeId,
        span: Span,
    ) -> Vec<Record> {
        let loaded = self.loaded;
        let yaml = &loaded.yaml;
        let single = matches!(rtype, "CNAME" | "DNAME");
        let value = match single {
            true => yaml.get(data, "value"),
            false => yaml.get(data, "values").or_else(|| yaml.get(data, "value")),
        };
        let record = |data| Record { owner: owner.clone(), rtype: number, ttl, data, span };
        let Some(value) = value else {
            let reason = "the record has no value".to_owned();
            self.warn("octodns-value", reason.clone(), span);
            return vec![record(RData::Malformed { reason, span })];
        };
        let items: Vec<NodeId> = match yaml.items(value) {
            Some(items) if !single => items.to_vec(),
            _ => vec![value],
        };
        let values = Values {
            yaml,
            files: self.files,
            text: TextRules { escaped_semicolons: self.settings.escaped_semicolons },
            strict_semicolons: self.settings.configured && self.settings.escaped_semicolons,
            templated: self.settings.templated,
        };
        let mut records = Vec::new();
        for item in items {
            if !self.spend(span) {
                // A part of a record set is not the record set.
                self.unknown_type(owner, rtype, "the aliases of the file stand for too many values".to_owned(), span);
                break;
            }
            match values.read(rtype, item, &mut self.diagnostics) {
                Ok(data) => records.push(record(data)),
                Err(ValueError::Malformed(reason, place)) => {
                    self.warn("octodns-value", reason.clone(), place);
                    records.push(record(RData::Malformed { reason, span: place }));
                }
                Err(ValueError::Computed(reason, place)) => self.unknown_type(owner, rtype, reason, place),
            }
        }
        records
    }

    fn unknown_type(&mut self, owner: &Name, rtype: &str, reason: String, span: Span) {
        let slot = self.slots.entry((owner.clone(), rtype.to_owned())).or_default();
        slot.unknown.get_or_insert((reason, span));
        slot.span.get_or_insert(span);
    }

    /// Keeps the records of one definition. octoDNS refuses a second definition of the same name and type.
    fn put(&mut self, owner: &Name, rtype: &str, records: Vec<Record>, span: Span) {
        let slot = self.slots.entry((owner.clone(), rtype.to_owned())).or_default();
        let place = slot.span.and_then(|first| line(self.files, self.diagnostics.len(), first));
        match slot.span {
            Some(_) if self.settings.replace => *slot = Slot { records, unknown: None, span: Some(span) },
            Some(_) if !slot.records.is_empty() || slot.unknown.is_none() => {
                let reason = format!("{owner} {rtype} is defined twice, which octoDNS refuses");
                slot.unknown.get_or_insert((reason.clone(), span));
                let mut diagnostic = Diagnostic::warning("octodns-duplicate-record", reason).at(span);
                diagnostic.help = place.map(|place| format!("the first definition is in {place}"));
                self.diagnostics.push(diagnostic);
            }
            _ => {
                slot.records = records;
                slot.span = Some(span);
            }
        }
    }

    /// Hands everything to the store.
    fn finish(self, store: &mut Store, zone: ZoneId) -> u64 {
        let mut count = 0;
        for ((owner, rtype), slot) in self.slots {
            if let Some((reason, span)) = slot.unknown {
                let types = unknown_types(&rtype);
                if types.is_empty() {
                    store.mark_not_evaluated(zone, owner.clone(), false, reason.clone(), span);
                }
                for rtype in types {
                    store.mark_record_not_evaluated(zone, owner.clone(), rtype, reason.clone(), span);
                }
                continue;
            }
            for record in slot.records {
                count += 1;
                store.add_record(zone, record);
            }
        }
        for (name, subtree, reason, span) in self.unknown_names {
            store.mark_not_evaluated(zone, name, subtree, reason, span);
        }
        let more = self.diagnostics.len().saturating_sub(DIAGNOSTICS);
        self.diagnostics.into_iter().take(DIAGNOSTICS).for_each(|diagnostic| store.diagnostic(diagnostic));
        if more > 0 {
            let message = format!("{more} more messages about the zone {} are not shown", self.origin);
            store.diagnostic(Diagnostic::note("octodns-limit", message));
        }
        count
    }
}

/// File and line of a place. Finding them takes time in proportion to the file, so it is done for the messages that are
/// shown, in files that people write.
fn line(files: &Files, messages: usize, span: Span) -> Option<String> {
    if messages >= DIAGNOSTICS || files.get(span.file).bytes.len() > 1 << 20 {
        return None;
    }
    let place = files.place(span);
    Some(format!("{}:{}", place.file, place.line))
}

/// Types of octoDNS that providers turn into other records.
fn is_provider_type(rtype: &str) -> bool {
    matches!(rtype, "ALIAS" | "URLFWD") || rtype.contains('/')
}

/// The types of a name that are not known when a record of `rtype` is not; none when any type may be.
fn unknown_types(rtype: &str) -> Vec<RecordType> {
    match rtype {
        "ALIAS" | "URLFWD" => vec![RecordType::A, RecordType::AAAA],
        _ => RecordType::parse(rtype).into_iter().collect(),
    }
}

/// The text Python prints for a number as YAML 1.1 reads it, where that is simple.
fn python_number(text: &str) -> Option<String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return (digits == "0" || !digits.starts_with('0')).then(|| text.to_owned());
    }
    let (whole, part) = digits.split_once('.')?;
    let simple = |text: &str| !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !simple(whole) || !simple(part) {
        return None;
    }
    let seen = format!("{:?}", digits.parse::<f64>().ok()?);
    (!seen.contains('e')).then(|| if text.starts_with('-') { format!("-{seen}") } else { seen })
}

#[cfg(test)]
#[path = "zone_tests.rs"]
mod tests;
