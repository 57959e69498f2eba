//! Stand-in for the zone store: it only collects what readers hand over.

use crate::diag::{Diagnostic, Files, Span};
use crate::facts::{Coverage, NotEvaluated, SourceRead};
use crate::mail::Name;

use super::{Record, RecordType};

/// Index of a zone in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(pub u32);

/// What the store tells about a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone<'a> {
    /// Name of the zone.
    pub origin: Name,
    /// Format.
    pub format: &'static str,
    /// Path.
    pub path: &'a str,
    /// Number of records.
    pub records: u64,
}

#[derive(Debug)]
struct ZoneData {
    origin: Name,
    format: &'static str,
    path: String,
    records: Vec<Record>,
}

/// What readers handed over.
#[derive(Debug, Default)]
pub struct Store {
    zones: Vec<ZoneData>,
    not_evaluated: Vec<NotEvaluated>,
    diagnostics: Vec<Diagnostic>,
}

impl Store {
    /// An empty store.
    pub fn new() -> Store {
        Store::default()
    }

    /// Adds a zone.
    pub fn add_zone(&mut self, origin: Name, format: &'static str, path: &str, _anchor: Span) -> ZoneId {
        self.zones.push(ZoneData { origin, format, path: path.to_owned(), records: Vec::new() });
        ZoneId(u32::try_from(self.zones.len() - 1).unwrap_or(u32::MAX))
    }

    /// Adds a record.
    pub fn add_record(&mut self, zone: ZoneId, record: Record) {
        self.zones[zone.0 as usize].records.push(record);
    }

    /// Marks a name, or everything from it downwards, as not known.
    pub fn mark_not_evaluated(&mut self, zone: ZoneId, name: Name, subtree: bool, reason: String, span: Span) {
        let below = subtree && name != self.zones[zone.0 as usize].origin;
        let name = if below { format!("*.{name}") } else { name.to_string() };
        self.not_evaluated.push(NotEvaluated { name, reason, span: Some(span) });
    }

    /// Marks a record whose data are not known.
    pub fn mark_record_not_evaluated(&mut self, _: ZoneId, name: Name, _: RecordType, reason: String, span: Span) {
        let entry = NotEvaluated { name: name.to_string(), reason, span: Some(span) };
        if !self.not_evaluated.contains(&entry) {
            self.not_evaluated.push(entry);
        }
    }

    /// Apex SOA and NS belong to the provider.
    pub fn mark_provider_managed(&mut self, _: ZoneId) {}

    /// Keeps a message.
    pub fn diagnostic(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// All zones.
    pub fn zones(&self) -> impl Iterator<Item = Zone<'_>> {
        self.zones.iter().map(|zone| Zone {
            origin: zone.origin.clone(),
            format: zone.format,
            path: &zone.path,
            records: zone.records.len() as u64,
        })
    }

    /// All records with the name of their zone.
    pub fn records<'a>(&'a self, _: &'a Files) -> impl Iterator<Item = (Name, Record)> + 'a {
        self.zones.iter().flat_map(|zone| zone.records.iter().map(|record| (zone.origin.clone(), record.clone())))
    }

    /// What was read and what is not known.
    pub fn coverage(&self) -> Coverage {
        let sources = self.zones().map(|zone| SourceRead {
            path: zone.path.to_owned(),
            format: zone.format.to_owned(),
            zone: zone.origin.to_string(),
            records: zone.records,
        });
        Coverage {
            sources: sources.collect(),
            ignored: Vec::new(),
            not_evaluated: self.not_evaluated.clone(),
            diagnostics: self.diagnostics.clone(),
        }
    }
}
