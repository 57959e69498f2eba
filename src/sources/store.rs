//! The compact store of all zones of a run.
//!
//! A record is 32 bytes: its owner by number, its type, its TTL and where its text stands. Data are decoded from the
//! bytes of the file when somebody asks, so that a zone of a million records costs less memory than its text. Records
//! that other formats have parsed already are kept as they are.
//!
//! The store also keeps what is *not* known, in two forms:
//! - A record **not evaluated** is a record of a known name and type whose data are known only when it is deployed.
//!   Every lookup of that type at that name is unknown, because the record set cannot be complete.
//! - A **mark** says that there may be more records at a name, or at and below it: an `$INCLUDE` that could not be
//!   resolved, a line that could not be read, a template in the place of a name. Records that were read are returned;
//!   what was not found there is unknown, never absent.
//!
//! After the last zone, [`Store::finish`] builds the indexes; [`Store::view`] then answers lookups.

use std::collections::HashMap;

use hashbrown::HashMap as FastMap;

use super::bind::rdata::{Position, Raw};
use super::names::{NONE, Names, ROOT, number};
use super::record::{RData, Record, RecordType};
use crate::diag::{Diagnostic, FileId, Files, Span};
use crate::facts::{Cause, Coverage, NotEvaluated, SourceRead};
use crate::mail::Name;

/// Number of a zone in a [`Store`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(pub u32);

/// The name exists in its zone: it or a name below it has records (RFC 4592 section 2.2.2).
pub(super) const EXISTS: u8 = 1;
/// A zone begins here.
pub(super) const APEX: u8 = 2;
/// NS records below the apex: the name is delegated (RFC 1034 section 4.2.1).
pub(super) const CUT: u8 = 4;
/// A DNAME record redirects what is below.
pub(super) const DNAME: u8 = 8;
/// A mark lies on the name.
pub(super) const MARKED: u8 = 16;
/// Mail is configured at the name.
pub(super) const MAIL: u8 = 32;

/// The record's data are known only when it is deployed.
pub(super) const UNEVALUATED: u8 = 1;

/// TTL of a record that states none.
pub(super) const NO_TTL: u32 = u32::MAX;

/// Messages of one kind that [`Store::finish`] adds at most.
const MESSAGE_LIMIT: usize = 1000;

/// One record. `start`, `data` and `end` are places in the text of its context.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) owner: u32,
    pub(super) context: u32,
    pub(super) start: u32,
    pub(super) data: u32,
    pub(super) end: u32,
    pub(super) ttl: u32,
    /// Next record of the same owner, in the order in which they were read.
    pub(super) next: u32,
    pub(super) rtype: RecordType,
    pub(super) flags: u8,
}

/// Where the text of records stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// In a file.
    File(FileId),
    /// In the store's own text, made by the directive at this place.
    Generated(Span),
    /// In the list of parsed records; `data` is the index.
    Parsed,
}

/// What a run of records has in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) zone: u32,
    pub(super) origin: u32,
    pub(super) source: Source,
}

/// One zone as it was added.
#[derive(Debug)]
pub(super) struct ZoneData {
    pub(super) origin: u32,
    format: &'static str,
    path: String,
    pub(super) anchor: Span,
    /// Whether the class is IN. Zones of other classes are kept, but not asked.
    pub(super) internet: bool,
    /// Whether another zone of the same name and other content exists.
    pub(super) conflict: bool,
    /// Whether the DNS provider writes the SOA and NS records of the apex.
    pub(super) managed: bool,
    /// Records read.
    records: u64,
    /// The SOA record.
    pub(super) soa: Option<u32>,
}

/// There may be more records at a name than were read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) zone: u32,
    pub(super) name: u32,
    pub(super) subtree: bool,
    reason: u32,
    pub(super) span: Span,
}

/// Why something is not known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Reason {
    pub(super) cause: Cause,
    pub(super) text: String,
}

/// All zones of a run.
#[derive(Debug)]
pub struct Store {
    pub(super) names: Names,
    pub(super) entries: Vec<Entry>,
    contexts: Vec<Context>,
    pub(super) zones: Vec<ZoneData>,
    parsed: Vec<(RData, Span)>,
    pub(super) generated: Vec<u8>,
    /// How many records `$GENERATE` made so far.
    pub(super) generated_records: u64,
    reasons: Vec<Reason>,
    reason_numbers: HashMap<Reason, u32>,
    /// Reasons of the records that are not evaluated, in ascending order of records.
    unevaluated: Vec<(u32, u32)>,
    marks: Vec<Mark>,
    diagnostics: Vec<Diagnostic>,
    /// The zone that answers for an apex.
    apexes: FastMap<u32, u32>,
}

/// What [`Store::zones`] tells about a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone<'a> {
    /// Name of the zone.
    pub origin: Name,
    /// Format, such as `bind`.
    pub format: &'static str,
    /// Path of the file or folder.
    pub path: &'a str,
    /// Number of records read.
    pub records: u64,
}

impl Default for Store {
    fn default() -> Store {
        Store::new()
    }
}

impl Store {
    /// A store without zones.
    pub fn new() -> Store {
        Store {
            names: Names::new(),
            entries: Vec::new(),
            contexts: Vec::new(),
            zones: Vec::new(),
            parsed: Vec::new(),
            generated: Vec::new(),
            generated_records: 0,
            reasons: Vec::new(),
            reason_numbers: HashMap::new(),
            unevaluated: Vec::new(),
            marks: Vec::new(),
            diagnostics: Vec::new(),
            apexes: FastMap::new(),
        }
    }

    /// Adds a zone; its records follow. `anchor` is what to point at when the zone has no SOA record.
    ///
    /// A second zone of the same name is allowed. When the two hold different records, [`Store::finish`] says so, and
    /// every lookup in the zone is unknown for the cause `conflict`.
    pub fn add_zone(&mut self, origin: Name, format: &'static str, path: &str, anchor: Span) -> ZoneId {
        let origin = self.names.intern(&origin);
        let id = ZoneId(number(self.zones.len()));
        self.zones.push(ZoneData {
            origin,
            format,
            path: path.to_owned(),
            anchor,
            internet: true,
            conflict: false,
            managed: false,
            records: 0,
            soa: None,
        });
        id
    }

    /// Adds a record that is parsed already. One that does not lie in the zone is not added, with a diagnostic.
    pub fn add_record(&mut self, zone: ZoneId, record: Record) {
        let owner = self.names.intern(&record.owner);
        if !self.names.is_within(owner, self.zones[zone.0 as usize].origin) {
            self.outside(zone.0, owner, record.span);
            return;
        }
        let context = self.context(Context { zone: zone.0, origin: owner, source: Source::Parsed });
        let data = number(self.parsed.len());
        let (ttl, rtype) = (record.ttl.unwrap_or(NO_TTL), record.rtype);
        self.parsed.push((record.data, record.span));
        self.push(Entry { owner, context, start: 0, data, end: 0, ttl, next: NONE, rtype, flags: 0 });
    }

    /// Says that there may be records at `name` (with `subtree`: also below it) that cannot be known from the files.
    /// What was read there is still returned; what was not found is unknown for the cause `not-evaluated`. The origin
    /// with `subtree` is the whole zone.
    pub fn mark_not_evaluated(&mut self, zone: ZoneId, name: Name, subtree: bool, reason: String, span: Span) {
        let name = self.names.intern(&name);
        self.mark(zone.0, name, subtree, Cause::NotEvaluated, reason, span);
    }

    /// Says that a record of this name and type exists whose data cannot be known from the files: every lookup of the
    /// type there is unknown for the cause `not-evaluated`, even when other records of the type were read.
    pub fn mark_record_not_evaluated(
        &mut self,
        zone: ZoneId,
        name: Name,
        rtype: RecordType,
        reason: String,
        span: Span,
    ) {
        let malformed = RData::Malformed { reason: reason.clone(), span };
        let before = self.entries.len();
        self.add_record(zone, Record { owner: name, rtype, ttl: None, data: malformed, span });
        if self.entries.len() > before {
            self.leave_unevaluated(reason);
        }
    }

    /// Says that the DNS provider writes the SOA and NS records of the zone's apex: where the files do not hold them, they
    /// are not collected, instead of absent.
    pub fn mark_provider_managed(&mut self, zone: ZoneId) {
        self.zones[zone.0 as usize].managed = true;
    }

    /// Adds a message about the sources.
    pub fn diagnostic(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Adds a context unless the last one is the same, and returns its number.
    pub(super) fn context(&mut self, context: Context) -> u32 {
        if let Some(last) = self.contexts.last_mut() {
            // Parsed records do not use the origin, so they can share a context.
            if *last == context
                || (last.zone == context.zone && (last.source, context.source) == (Source::Parsed, Source::Parsed))
            {
                return number(self.contexts.len() - 1);
            }
        }
        self.contexts.push(context);
        number(self.contexts.len() - 1)
    }

    pub(super) fn context_of(&self, entry: &Entry) -> &Context {
        &self.contexts[entry.context as usize]
    }

    /// Makes room for about so many more records. What grows step by step leaves the memory of every step behind.
    pub(super) fn expect(&mut self, records: usize) {
        self.entries.reserve(records);
        self.names.expect(records);
    }

    pub(super) fn push(&mut self, entry: Entry) {
        let zone = self.contexts[entry.context as usize].zone as usize;
        self.zones[zone].records += 1;
        self.entries.push(entry);
    }

    /// Turns the record added last into one that is not evaluated.
    pub(super) fn leave_unevaluated(&mut self, reason: String) {
        let reason = self.reason(Cause::NotEvaluated, reason);
        let index = number(self.entries.len().saturating_sub(1));
        if let Some(entry) = self.entries.last_mut() {
            entry.flags |= UNEVALUATED;
            let zone = self.contexts[entry.context as usize].zone as usize;
            self.zones[zone].records -= 1;
            self.unevaluated.push((index, reason));
        }
    }

    fn reason(&mut self, cause: Cause, text: String) -> u32 {
        let reason = Reason { cause, text };
        if let Some(number) = self.reason_numbers.get(&reason) {
            return *number;
        }
        let id = number(self.reasons.len());
        self.reasons.push(reason.clone());
        self.reason_numbers.insert(reason, id);
        id
    }

    pub(super) fn mark(&mut self, zone: u32, name: u32, subtree: bool, cause: Cause, reason: String, span: Span) {
        let reason = self.reason(cause, reason);
        self.marks.push(Mark { zone, name, subtree, reason, span });
    }

    /// The number of marks, and the way back to it: when single marks become too many, one for the zone replaces them.
    pub(super) fn mark_count(&self) -> usize {
        self.marks.len()
    }

    pub(super) fn forget_marks_from(&mut self, count: usize) {
        self.marks.truncate(count);
    }

    pub(super) fn outside(&mut self, zone: u32, owner: u32, span: Span) {
        let message = format!(
            "{} does not lie in the zone {}, so the record is not served",
            self.names.name(owner),
            self.names.name(self.zones[zone as usize].origin)
        );
        self.diagnostic(
            Diagnostic::warning("zone-out-of-zone", message).at(span).help("is a final dot or `$ORIGIN` wrong?"),
        );
    }

    /// The text of a record's data; `None` for parsed records.
    fn raw<'a>(&'a self, entry: &Entry, files: &'a Files) -> Option<Raw<'a>> {
        let context = self.context_of(entry);
        let (bytes, position) = match context.source {
            Source::File(file) => (files.get(file).bytes.as_slice(), Position::File(file)),
            Source::Generated(span) => (self.generated.as_slice(), Position::Fixed(span)),
            Source::Parsed => return None,
        };
        let (start, end) = (entry.data as usize, (entry.end as usize).min(bytes.len()));
        Some(Raw { bytes, start: start.min(end), end, position, names: &self.names, origin: context.origin })
    }

    pub(super) fn data(&self, entry: &Entry, files: &Files) -> RData {
        match self.raw(entry, files) {
            Some(raw) => raw.decode(entry.rtype),
            None => self.parsed[entry.data as usize].0.clone(),
        }
    }

    pub(super) fn span(&self, entry: &Entry) -> Span {
        match self.context_of(entry).source {
            Source::File(file) => Span::new(file, entry.start, entry.end),
            Source::Generated(span) => span,
            Source::Parsed => self.parsed[entry.data as usize].1,
        }
    }

    /// The record of an entry, at the name that was asked when it is synthesised.
    pub(super) fn record(&self, entry: &Entry, owner: Name, files: &Files) -> Record {
        Record {
            owner,
            rtype: entry.rtype,
            ttl: (entry.ttl != NO_TTL).then_some(entry.ttl),
            data: self.data(entry, files),
            span: self.span(entry),
        }
    }

    /// The records at a name, of all zones.
    pub(super) fn at(&self, name: u32) -> impl Iterator<Item = (u32, &Entry)> {
        let mut next = self.names.node(name).first_record;
        std::iter::from_fn(move || {
            let index = next;
            let entry = self.entries.get(index as usize)?;
            next = entry.next;
            Some((index, entry))
        })
    }

    pub(super) fn apex_zone(&self, name: u32) -> Option<u32> {
        self.apexes.get(&name).copied()
    }

    /// Why a record is not evaluated.
    pub(super) fn reason_of_record(&self, index: u32) -> Option<&Reason> {
        let at = self.unevaluated.binary_search_by_key(&index, |(entry, _)| *entry).ok()?;
        self.reasons.get(self.unevaluated[at].1 as usize)
    }

    pub(super) fn reason_of_mark(&self, mark: &Mark) -> &Reason {
        &self.reasons[mark.reason as usize]
    }

    /// The marks on a name; they are in order after [`Store::finish`].
    pub(super) fn marks_on(&self, name: u32) -> &[Mark] {
        let start = self.marks.partition_point(|mark| mark.name < name);
        let end = self.marks.partition_point(|mark| mark.name <= name);
        &self.marks[start..end]
    }

    /// The zones, in the order in which they were added.
    pub fn zones(&self) -> impl Iterator<Item = Zone<'_>> {
        self.zones.iter().map(|zone| Zone {
            origin: self.names.name(zone.origin),
            format: zone.format,
            path: &zone.path,
            records: zone.records,
        })
    }

    /// Every record with the name of its zone, in the order in which they were read; without those not evaluated.
    pub fn records<'a>(&'a self, files: &'a Files) -> impl Iterator<Item = (Name, Record)> + 'a {
        self.entries.iter().filter(|entry| entry.flags & UNEVALUATED == 0).map(move |entry| {
            let zone = &self.zones[self.context_of(entry).zone as usize];
            (self.names.name(zone.origin), self.record(entry, self.names.name(entry.owner), files))
        })
    }

    /// What was read and what is not known, for the coverage statement.
    pub fn coverage(&self) -> Coverage {
        let sources = self.zones().map(|zone| SourceRead {
            path: zone.path.to_owned(),
            format: zone.format.to_owned(),
            zone: zone.origin.as_str().to_owned(),
            records: zone.records,
        });
        let records = self.unevaluated.iter().map(|(index, reason)| {
            let entry = &self.entries[*index as usize];
            let name = self.names.name(entry.owner);
            (name.as_str().to_owned(), *reason, self.span(entry))
        });
        let marks = self.marks.iter().map(|mark| {
            let name = self.names.name(mark.name);
            let below = mark.subtree && mark.name != self.zones[mark.zone as usize].origin;
            (if below { format!("*.{name}") } else { name.as_str().to_owned() }, mark.reason, mark.span)
        });
        let mut unknown: Vec<(Span, String, u32)> =
            records.chain(marks).map(|(name, reason, span)| (span, name, reason)).collect();
        unknown.sort();
        unknown.dedup();
        let not_evaluated = unknown.into_iter().map(|(span, name, reason)| NotEvaluated {
            name,
            reason: self.reasons[reason as usize].text.clone(),
            span: Some(span),
        });
        Coverage {
            sources: sources.collect(),
            ignored: Vec::new(),
            not_evaluated: not_evaluated.collect(),
            diagnostics: self.diagnostics.clone(),
            live: None,
        }
    }

    /// Builds the indexes. To be called once, after all zones were read.
    pub fn finish(&mut self, files: &Files) {
        self.marks.sort_by_key(|mark| mark.name);
        self.names.link();
        self.find_apexes(files);
        let zone_of = self.zone_of_names();
        let mut aliases = Vec::new();
        for index in (0..self.entries.len()).rev() {
            self.index_entry(index, &zone_of, files, &mut aliases);
        }
        for index in 0..self.marks.len() {
            let Mark { zone, name, subtree, .. } = self.marks[index];
            self.names.node_mut(name).flags |= MARKED;
            if !subtree {
                self.mark_existing(name, zone, &zone_of);
            }
        }
        self.find_mail(&zone_of);
        self.check_aliases(aliases, files);
        for zone in 0..self.zones.len() {
            if self.zones[zone].soa.is_none() && self.zones[zone].format == "bind" {
                let message = format!("the zone {} has no SOA record", self.names.name(self.zones[zone].origin));
                self.diagnostics.push(Diagnostic::warning("zone-no-soa", message).at(self.zones[zone].anchor));
            }
        }
    }

    /// Finds the zone that answers at each apex, and zones that were added twice.
    fn find_apexes(&mut self, files: &Files) {
        self.apexes.clear();
        let mut doubled: Vec<(u32, u32)> = Vec::new();
        for index in 0..self.zones.len() {
            let zone = &self.zones[index];
            if !zone.internet {
                continue;
            }
            let origin = zone.origin;
            self.names.node_mut(origin).flags |= APEX;
            match self.apexes.get(&origin) {
                Some(first) => doubled.push((*first, number(index))),
                None => {
                    self.apexes.insert(origin, number(index));
                }
            }
        }
        if doubled.is_empty() {
            return;
        }
        let mut texts = self.zone_texts(&doubled, files);
        for (first, second) in doubled {
            let same = texts.get(&first) == texts.get(&second) && !self.has_unknown(first) && !self.has_unknown(second);
            texts.remove(&second);
            if same {
                continue;
            }
            self.zones[first as usize].conflict = true;
            let (one, other) = (&self.zones[first as usize], &self.zones[second as usize]);
            let message = format!(
                "the zone {} is also defined, with other records, in {}",
                self.names.name(one.origin),
                one.path
            );
            self.diagnostics.push(Diagnostic::error("zone-conflict", message).at(other.anchor));
        }
    }

    fn has_unknown(&self, zone: u32) -> bool {
        let of_zone = |index: u32| self.context_of(&self.entries[index as usize]).zone == zone;
        self.marks.iter().any(|mark| mark.zone == zone) || self.unevaluated.iter().any(|(index, _)| of_zone(*index))
    }

    /// The sorted canonical records of the zones that were added twice.
    fn zone_texts(&self, doubled: &[(u32, u32)], files: &Files) -> HashMap<u32, Vec<(u32, RecordType, String)>> {
        let mut texts: HashMap<u32, Vec<(u32, RecordType, String)>> =
            doubled.iter().flat_map(|(first, second)| [(*first, Vec::new()), (*second, Vec::new())]).collect();
        for entry in &self.entries {
            if let Some(list) = texts.get_mut(&self.context_of(entry).zone) {
                let record = self.record(entry, Name::root(), files);
                list.push((entry.owner, entry.rtype, super::bind::presentation(&record)));
            }
        }
        texts.values_mut().for_each(|list| list.sort());
        texts
    }

    /// For each name the zone that answers for it: the nearest apex at or above it.
    fn zone_of_names(&self) -> Vec<u32> {
        let mut zone_of = vec![NONE; self.names.len() as usize];
        for id in 0..self.names.len() {
            let node = self.names.node(id);
            zone_of[id as usize] = match self.apexes.get(&id) {
                Some(zone) if node.flags & APEX != 0 => *zone,
                _ if id == ROOT => NONE,
                _ => zone_of[node.parent as usize],
            };
        }
        zone_of
    }

    /// Links a record to its owner and notes what it means for names. Called from the last record to the first, so that
    /// the lists are in order.
    fn index_entry(&mut self, index: usize, zone_of: &[u32], files: &Files, aliases: &mut Vec<u32>) {
        let entry = self.entries[index];
        let zone = self.context_of(&entry).zone;
        let node = self.names.node_mut(entry.owner);
        self.entries[index].next = node.first_record;
        node.first_record = number(index);
        let apex = self.zones[zone as usize].origin == entry.owner;
        if apex && entry.rtype == RecordType::SOA {
            self.zones[zone as usize].soa = Some(number(index));
        }
        if zone_of[entry.owner as usize] == zone {
            match entry.rtype {
                RecordType::NS if !apex => self.names.node_mut(entry.owner).flags |= CUT,
                RecordType::DNAME => self.names.node_mut(entry.owner).flags |= DNAME,
                RecordType::CNAME => aliases.push(entry.owner),
                RecordType::MX => self.names.node_mut(entry.owner).flags |= MAIL,
                RecordType::TXT if self.is_spf(&entry, files) => self.names.node_mut(entry.owner).flags |= MAIL,
                _ => {}
            }
        }
        self.mark_existing(entry.owner, zone, zone_of);
    }

    /// RFC 4592 section 2.2.2: a name exists when it or a name below it has records; a zone below another one does not
    /// make names of the upper one exist.
    fn mark_existing(&mut self, name: u32, zone: u32, zone_of: &[u32]) {
        let apex = self.zones[zone as usize].origin;
        let mut at = name;
        loop {
            if zone_of[at as usize] == zone {
                let node = self.names.node_mut(at);
                if node.flags & EXISTS != 0 {
                    return;
                }
                node.flags |= EXISTS;
            }
            if at <= apex {
                return;
            }
            at = self.names.node(at).parent;
        }
    }

    /// Whether the data begin as an SPF record does (RFC 7208 section 4.5).
    fn is_spf(&self, entry: &Entry, files: &Files) -> bool {
        match self.raw(entry, files) {
            Some(raw) => raw.text_begins(b"v=spf1"),
            None => match &self.parsed[entry.data as usize].0 {
                RData::Txt(text) => text.bytes.get(..6).is_some_and(|head| head.eq_ignore_ascii_case(b"v=spf1")),
                _ => false,
            },
        }
    }

    /// Finds names with `_dmarc` or `_domainkey` below, takes delegated names out, and says what is hidden by cuts.
    fn find_mail(&mut self, zone_of: &[u32]) {
        let mut hidden = vec![false; self.names.len() as usize];
        let mut any_cut = false;
        for id in 1..self.names.len() {
            let node = *self.names.node(id);
            let (at, above) = (id as usize, node.parent as usize);
            let same_zone = zone_of[at] == zone_of[above];
            hidden[at] = node.flags & CUT != 0 || (same_zone && hidden[above]);
            any_cut |= hidden[at];
            if hidden[at] {
                self.names.node_mut(id).flags &= !MAIL;
            } else if node.flags & EXISTS != 0
                && same_zone
                && zone_of[above] != NONE
                && matches!(self.names.label(id), "_dmarc" | "_domainkey")
            {
                self.names.node_mut(node.parent).flags |= MAIL;
            }
        }
        if any_cut {
            self.report_hidden(&hidden, zone_of);
        }
    }

    /// RFC 1034 section 4.2.1: data at and below a cut belong to the other zone, except glue.
    fn report_hidden(&mut self, hidden: &[bool], zone_of: &[u32]) {
        let mut found = Vec::new();
        for entry in &self.entries {
            let zone = self.context_of(entry).zone;
            let is_cut = self.names.node(entry.owner).flags & CUT != 0;
            let belongs = match entry.rtype {
                RecordType::A | RecordType::AAAA => true,
                RecordType::NS | RecordType::DS | RecordType::NSEC | RecordType::RRSIG | RecordType::NSEC3 => is_cut,
                _ => false,
            };
            if hidden[entry.owner as usize] && zone_of[entry.owner as usize] == zone && !belongs {
                found.push((self.names.name(entry.owner), self.span(entry)));
            }
            if found.len() >= MESSAGE_LIMIT {
                break;
            }
        }
        for (name, span) in found {
            let message = format!("{name} is delegated to other name servers, so this record is not served");
            self.diagnostics.push(Diagnostic::warning("zone-occluded", message).at(span));
        }
    }

    /// RFC 1034 section 3.6.2, RFC 2181 section 10.1: beside a CNAME there is no other data and no second CNAME.
    fn check_aliases(&mut self, mut owners: Vec<u32>, files: &Files) {
        owners.sort_unstable();
        owners.dedup();
        let mut found = Vec::new();
        for owner in owners {
            let mut aliases = self.at(owner).filter(|(_, entry)| entry.rtype == RecordType::CNAME);
            let Some((_, alias)) = aliases.next() else { continue };
            let zone = self.context_of(alias).zone;
            let same_zone = |entry: &Entry| self.context_of(entry).zone == zone;
            // The same record written twice is one record (RFC 2181 section 5).
            let data = |entry: &Entry| match self.record(entry, self.names.name(owner), files).data {
                RData::Cname(target, _) => Some(target),
                _ => None,
            };
            let second = aliases.any(|(_, entry)| same_zone(entry) && data(entry) != data(alias));
            let beside = self.at(owner).any(|(_, entry)| {
                let allowed = [
                    RecordType::CNAME,
                    RecordType::RRSIG,
                    RecordType::NSEC,
                    RecordType::KEY,
                    RecordType::SIG,
                    RecordType::NXT,
                ];
                same_zone(entry) && !allowed.contains(&entry.rtype)
            });
            if (second || beside) && found.len() < MESSAGE_LIMIT {
                found.push((self.names.name(owner), self.span(alias), beside));
            }
        }
        for (name, span, beside) in found {
            let (code, text) = if beside {
                ("zone-cname-beside-data", format!("{name} has a CNAME record and other records"))
            } else {
                ("zone-two-cnames", format!("{name} has more than one CNAME record"))
            };
            self.diagnostics.push(Diagnostic::error(code, text).at(span).help("name servers refuse such a zone"));
        }
    }

    /// The mail domains of the files: the apex of every zone (but reverse zones and names of one label), and every name
    /// with MX records, an SPF record, or a `_dmarc` or `_domainkey` below it; sorted, each with the place to point at.
    ///
    /// Wildcards, names that begin with `_`, and names that are delegated to others are none.
    pub fn mail_domains(&self, files: &Files) -> Vec<(Name, Span)> {
        let _ = files;
        let mut domains = Vec::new();
        for id in 1..self.names.len() {
            let flags = self.names.node(id).flags;
            if flags & (MAIL | APEX) == 0 || (flags & MAIL == 0 && self.names.node(id).parent == ROOT) {
                continue;
            }
            let label = self.names.label(id);
            if label == "*" || label.starts_with('_') {
                continue;
            }
            let name = self.names.name(id);
            let reverse = [".in-addr.arpa", ".ip6.arpa"].iter().any(|zone| name.as_str().ends_with(zone))
                || matches!(name.as_str(), "in-addr.arpa" | "ip6.arpa");
            if reverse {
                continue;
            }
            if let Some(span) = self.place_of(id) {
                domains.push((name, span));
            }
        }
        domains.sort();
        domains
    }

    /// The SOA record of a zone, else the first record of its apex, else its anchor.
    pub(super) fn place_of_zone(&self, zone: u32) -> Span {
        let (origin, anchor) = (self.zones[zone as usize].origin, self.zones[zone as usize].anchor);
        if let Some(soa) = self.zones[zone as usize].soa {
            return self.span(&self.entries[soa as usize]);
        }
        let mut of_apex = self.at(origin).map(|(_, entry)| entry);
        of_apex.find(|entry| self.context_of(entry).zone == zone).map_or(anchor, |entry| self.span(entry))
    }

    /// What shows that something is not there: the SOA record, as name servers prove it. Where the provider writes that
    /// record, the first record of the name at which the search ended.
    pub(super) fn place_of_absence(&self, zone: u32, name: u32) -> Span {
        if self.zones[zone as usize].soa.is_some() || name == self.zones[zone as usize].origin {
            return self.place_of_zone(zone);
        }
        self.place_of(name).unwrap_or_else(|| self.place_of_zone(zone))
    }

    /// What to point at for a name: the SOA of its zone's apex, else its first record, else the first one below it.
    pub(super) fn place_of(&self, name: u32) -> Option<Span> {
        if let Some(zone) = self.apex_zone(name) {
            return Some(self.place_of_zone(zone));
        }
        let mut at = name;
        // Down the first branch that leads to records; the number of labels bounds it.
        loop {
            if let Some((_, entry)) = self.at(at).next() {
                return Some(self.span(entry));
            }
            if let Some(mark) = self.marks_on(at).iter().find(|mark| !mark.subtree) {
                return Some(mark.span);
            }
            at = self.names.children(at).find(|child| self.names.node(*child).flags & EXISTS != 0)?;
        }
    }
}
