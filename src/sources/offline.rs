//! Answers from files, as the authoritative server of each zone would give them.
//!
//! What the files say is answered with its place. What they cannot say (names outside every zone, names delegated to
//! others, templates, unreadable lines) is unknown with a reason. The decisions where the RFCs leave room:
//!
//! - An alias loop is unknown for the cause `dns-servfail`: RFC 1034 section 3.6.2 has loops signalled as an error, and
//!   that is what a resolver answers.
//! - A name with a CNAME and other records answers with the records of the type asked, and as an alias for all other
//!   types: name servers refuse such a zone, so both ways stay findable.
//! - Two different CNAMEs at one name are unknown for the cause `conflict`.

use super::names::{MAX_LABELS, ROOT};
use super::record::{Alias, Answer, Incomplete, Outcome, RData, RecordSource, RecordType};
use super::store::{APEX, CUT, DNAME, EXISTS, Entry, MARKED, Mark, Store, UNEVALUATED};
use crate::diag::{Files, Span};
use crate::facts::{Cause, Proof};
use crate::mail::Name;

/// Aliases that are followed at most; resolvers give up at similar numbers.
const ALIAS_LIMIT: usize = 16;

/// The zones of a [`Store`] as a source of records.
#[derive(Debug, Clone, Copy)]
pub struct Offline<'a> {
    store: &'a Store,
    files: &'a Files,
}

impl Store {
    /// The zones as a source of records. [`Store::finish`] must have been called.
    pub fn view<'a>(&'a self, files: &'a Files) -> Offline<'a> {
        Offline { store: self, files }
    }
}

/// What one step of a lookup yields.
enum Step {
    Done { outcome: Outcome, wildcard: bool, incomplete: Option<Box<Incomplete>> },
    Alias { alias: Alias, wildcard: bool },
}

impl Step {
    fn is_absent(&self) -> bool {
        matches!(self, Step::Done { outcome: Outcome::Absent { .. }, .. })
    }
}

/// The nodes from the top down to a name, and the zone that answers for it.
struct Walk {
    path: [u32; MAX_LABELS],
    /// Nodes that were met; the name itself was met when this equals `labels`.
    met: usize,
    labels: usize,
    zone: u32,
    /// Index in `path` of the zone's apex plus one; 0 for the root zone.
    below_apex: usize,
}

impl Walk {
    /// The node with a number of labels.
    fn node(&self, labels: usize) -> u32 {
        if labels == 0 { ROOT } else { self.path[labels - 1] }
    }
}

fn unknown(cause: Cause, note: String, span: Option<Span>) -> Outcome {
    Outcome::Unknown { cause, note: note.into(), span }
}

fn end(outcome: Outcome, wildcard: bool) -> Step {
    Step::Done { outcome, wildcard, incomplete: None }
}

fn done(outcome: Outcome) -> Step {
    end(outcome, false)
}

impl RecordSource for Offline<'_> {
    fn lookup(&self, name: &Name, rtype: RecordType) -> Answer {
        let mut aliases: Vec<Alias> = Vec::new();
        let mut wildcard = false;
        loop {
            let current = aliases.last().map_or(name, |alias| &alias.target);
            match self.step(current, rtype) {
                Step::Done { outcome, wildcard: synthesised, incomplete } => {
                    return Answer { aliases, outcome, wildcard: wildcard || synthesised, incomplete };
                }
                Step::Alias { alias, wildcard: synthesised } => {
                    wildcard |= synthesised;
                    let span = Some(alias.span);
                    let seen = alias.owner == alias.target || aliases.iter().any(|before| before.owner == alias.target);
                    let note = format!("the aliases from {name} lead back to {}", alias.target);
                    aliases.push(alias);
                    // RFC 1034 section 3.6.2: loops are signalled as an error.
                    if seen {
                        return Answer {
                            aliases,
                            outcome: unknown(Cause::DnsServfail, note, span),
                            wildcard,
                            incomplete: None,
                        };
                    }
                    if aliases.len() > ALIAS_LIMIT {
                        let note = format!("more than {ALIAS_LIMIT} aliases follow each other from {name}");
                        return Answer {
                            aliases,
                            outcome: unknown(Cause::LimitReached, note, span),
                            wildcard,
                            incomplete: None,
                        };
                    }
                }
            }
        }
    }

    fn zone_of(&self, name: &Name) -> Option<(Name, Span)> {
        let walk = self.walk(name)?;
        if self.cut_above(&walk, walk.met).is_some() {
            return None;
        }
        let origin = self.store.zones[walk.zone as usize].origin;
        Some((self.store.names.name(origin), self.store.place_of_zone(walk.zone)))
    }

    /// Names without records of their own (empty non-terminals) are left out; wildcards are given as they are written.
    /// `None` when something at or below the name is delegated, redirected, contradictory or not evaluated.
    fn names_below(&self, name: &Name) -> Option<Vec<Name>> {
        let walk = self.walk(name)?;
        let zone = &self.store.zones[walk.zone as usize];
        if zone.conflict || self.cut_above(&walk, walk.met).is_some() || self.dname_above(&walk).is_some() {
            return None;
        }
        if (walk.below_apex..=walk.met).any(|labels| self.mark_on(&walk, walk.node(labels), true).is_some()) {
            return None;
        }
        if walk.met < walk.labels {
            return Some(Vec::new());
        }
        let mut found = Vec::new();
        self.collect_below(walk.node(walk.labels), &mut found)?;
        Some(found)
    }
}

impl Offline<'_> {
    /// Names with records below a node in canonical order (RFC 4034 section 6.1).
    fn collect_below(&self, top: u32, found: &mut Vec<Name>) -> Option<()> {
        let names = &self.store.names;
        let mut stack = vec![top];
        while let Some(id) = stack.pop() {
            let node = names.node(id);
            if node.flags & (MARKED | CUT | DNAME) != 0 {
                return None;
            }
            if node.flags & APEX != 0
                && self.store.apex_zone(id).is_some_and(|zone| self.store.zones[zone as usize].conflict)
            {
                return None;
            }
            if id != top && self.store.at(id).next().is_some() {
                found.push(names.name(id));
            }
            let first = stack.len();
            stack.extend(names.children(id).filter(|child| names.node(*child).flags & (EXISTS | MARKED) != 0));
            // The stack gives the last one first.
            stack[first..].sort_by(|one, other| names.label(*other).cmp(names.label(*one)));
        }
        Some(())
    }

    /// Walks down to the name and finds the nearest zone at or above it.
    fn walk(&self, name: &Name) -> Option<Walk> {
        let mut walk = Walk { path: [0; MAX_LABELS], met: 0, labels: 0, zone: 0, below_apex: 0 };
        (walk.met, walk.labels) = self.store.names.walk(name.as_str(), &mut walk.path);
        let is_apex = |labels: &usize| self.store.names.node(walk.node(*labels)).flags & APEX != 0;
        walk.below_apex = (0..=walk.met).rev().find(is_apex)?;
        walk.zone = self.store.apex_zone(walk.node(walk.below_apex))?;
        Some(walk)
    }

    /// RFC 4035 section 3.1.4.1: DS records of an apex are in the zone above.
    fn walk_above(&self, walk: &mut Walk) -> bool {
        let is_apex = |labels: &usize| self.store.names.node(walk.node(*labels)).flags & APEX != 0;
        let Some(above) = (0..walk.below_apex).rev().find(is_apex) else { return false };
        let Some(zone) = self.store.apex_zone(walk.node(above)) else { return false };
        (walk.below_apex, walk.zone) = (above, zone);
        true
    }

    fn step(&self, name: &Name, rtype: RecordType) -> Step {
        let Some(mut walk) = self.walk(name) else {
            return done(unknown(Cause::NotCollected, format!("{name} is outside this repository"), None));
        };
        if rtype == RecordType::DS && walk.labels == walk.below_apex && !name.is_root() && !self.walk_above(&mut walk) {
            let note = format!("the zone above {name} is outside this repository");
            return done(unknown(Cause::NotCollected, note, None));
        }
        let zone = &self.store.zones[walk.zone as usize];
        if zone.conflict {
            let note =
                format!("the zone {} is defined twice with different records", self.store.names.name(zone.origin));
            return done(unknown(Cause::Conflict, note, Some(zone.anchor)));
        }
        if let Some(labels) = self.dname_above(&walk)
            && self.cut_above(&walk, labels).is_none()
        {
            return self.redirect(name, &walk, labels);
        }
        if let Some(cut) = self.cut_above(&walk, walk.met) {
            let at_cut = walk.met == walk.labels && cut == walk.node(walk.labels);
            if !(at_cut && matches!(rtype, RecordType::NS | RecordType::DS)) {
                return done(self.delegated(name, &walk, cut));
            }
        }
        let node = walk.node(walk.met);
        if walk.met == walk.labels && (self.store.names.node(node).flags & EXISTS != 0 || walk.met == walk.below_apex) {
            let step = self.answer_at(name, rtype, &walk, node, false);
            let at_apex = walk.labels == walk.below_apex;
            if zone.managed && at_apex && matches!(rtype, RecordType::SOA | RecordType::NS) && step.is_absent() {
                let note = format!("the DNS provider writes the {rtype} record of {name}");
                return done(unknown(Cause::NotCollected, note, Some(zone.anchor)));
            }
            return step;
        }
        self.wildcard(name, rtype, &walk)
    }

    /// The uppermost delegated name below the apex, among the first `met` labels.
    fn cut_above(&self, walk: &Walk, met: usize) -> Option<u32> {
        (walk.below_apex + 1..=met)
            .map(|labels| walk.node(labels))
            .find(|id| self.store.names.node(*id).flags & CUT != 0 && self.has_in_zone(*id, walk.zone, RecordType::NS))
    }

    /// The number of labels of the uppermost DNAME strictly above the name.
    fn dname_above(&self, walk: &Walk) -> Option<usize> {
        (walk.below_apex..walk.labels.min(walk.met + 1)).find(|labels| {
            let id = walk.node(*labels);
            self.store.names.node(id).flags & DNAME != 0 && self.has_in_zone(id, walk.zone, RecordType::DNAME)
        })
    }

    fn in_zone(&self, id: u32, zone: u32) -> impl Iterator<Item = (u32, &Entry)> {
        self.store.at(id).filter(move |(_, entry)| self.store.context_of(entry).zone == zone)
    }

    fn has_in_zone(&self, id: u32, zone: u32, rtype: RecordType) -> bool {
        self.in_zone(id, zone).any(|(_, entry)| entry.rtype == rtype)
    }

    fn delegated(&self, name: &Name, walk: &Walk, cut: u32) -> Outcome {
        let servers: Vec<&Entry> = self
            .in_zone(cut, walk.zone)
            .map(|(_, entry)| entry)
            .filter(|entry| entry.rtype == RecordType::NS)
            .collect();
        let mut words: Vec<String> = servers
            .iter()
            .take(4)
            .filter_map(|entry| match self.store.data(entry, self.files) {
                RData::Ns(server, _) if entry.flags & UNEVALUATED == 0 => Some(server.to_string()),
                _ => None,
            })
            .collect();
        if servers.len() > 4 {
            words.push("...".to_owned());
        }
        let to = if words.is_empty() { "other name servers".to_owned() } else { words.join(", ") };
        let note = if *name == self.store.names.name(cut) {
            format!("{name} is delegated to {to}")
        } else {
            format!("{name} lies below {}, which is delegated to {to}", self.store.names.name(cut))
        };
        unknown(Cause::NotCollected, note, servers.first().map(|entry| self.store.span(entry)))
    }

    /// RFC 6672 section 3.2: a name below a DNAME is an alias for the same labels below its target.
    fn redirect(&self, name: &Name, walk: &Walk, labels: usize) -> Step {
        let id = walk.node(labels);
        let Some((index, entry)) = self.in_zone(id, walk.zone).find(|(_, entry)| entry.rtype == RecordType::DNAME)
        else {
            return done(unknown(Cause::NotCollected, format!("{name} is redirected"), None));
        };
        let span = self.store.span(entry);
        if entry.flags & UNEVALUATED != 0 {
            return done(self.not_evaluated(index, entry));
        }
        let data = match self.store.data(entry, self.files) {
            RData::Other(text) => Name::parse(&text).ok(),
            _ => None,
        };
        let Some(base) = data else {
            let note = format!("the DNAME record above {name} is malformed");
            return done(unknown(Cause::Parse, note, Some(span)));
        };
        let prefix: Vec<&str> = name.labels().take(walk.labels - labels).collect();
        match Name::from_canonical(&prefix.join(".")).within(&base) {
            Ok(target) => Step::Alias { alias: Alias { owner: name.clone(), target, span }, wildcard: false },
            // RFC 6672 section 2.2: a name that becomes too long is answered with YXDOMAIN.
            Err(error) => done(unknown(Cause::DnsServfail, format!("{name} is redirected, but {error}"), Some(span))),
        }
    }

    fn not_evaluated(&self, index: u32, entry: &Entry) -> Outcome {
        let (cause, note) = match self.store.reason_of_record(index) {
            Some(reason) => (reason.cause, reason.text.clone()),
            None => (Cause::NotEvaluated, "the record is not evaluated".to_owned()),
        };
        unknown(cause, note, Some(self.store.span(entry)))
    }

    /// The answer at a node that exists: `node` is the name itself, or the wildcard it is synthesised from.
    /// Whether two CNAME records of a name say the same: then they are one record (RFC 2181 section 5).
    fn is_same_alias(&self, name: &Name, one: &Entry, other: &Entry) -> bool {
        let target = |entry: &Entry| match self.store.record(entry, name.clone(), self.files).data {
            RData::Cname(target, _) if entry.flags & UNEVALUATED == 0 => Some(target),
            _ => None,
        };
        target(one).is_some_and(|target_of_one| target(other) == Some(target_of_one))
    }

    fn answer_at(&self, name: &Name, rtype: RecordType, walk: &Walk, node: u32, wildcard: bool) -> Step {
        let mut records = Vec::new();
        let mut alias: Option<(u32, &Entry)> = None;
        let mut contradiction = false;
        for (index, entry) in self.in_zone(node, walk.zone) {
            if entry.rtype == rtype {
                if entry.flags & UNEVALUATED != 0 {
                    return end(self.not_evaluated(index, entry), wildcard);
                }
                records.push(self.store.record(entry, name.clone(), self.files));
            } else if entry.rtype == RecordType::CNAME {
                let (_, first) = alias.get_or_insert((index, entry));
                contradiction |= !std::ptr::eq(*first, entry) && !self.is_same_alias(name, first, entry);
            }
        }
        if !records.is_empty() {
            let incomplete = self.incomplete(walk, node);
            return Step::Done { outcome: Outcome::Records(records.into()), wildcard, incomplete };
        }
        match alias {
            Some((index, entry)) if !contradiction => self.follow(name, index, entry, wildcard),
            Some((_, entry)) => {
                let note = format!("{name} has more than one CNAME record");
                end(unknown(Cause::Conflict, note, Some(self.store.span(entry))), wildcard)
            }
            None => end(self.absent(walk, node, Proof::Nodata), wildcard),
        }
    }

    fn follow(&self, name: &Name, index: u32, entry: &Entry, wildcard: bool) -> Step {
        let span = self.store.span(entry);
        if entry.flags & UNEVALUATED != 0 {
            return end(self.not_evaluated(index, entry), wildcard);
        }
        match self.store.data(entry, self.files) {
            RData::Cname(target, _) => Step::Alias { alias: Alias { owner: name.clone(), target, span }, wildcard },
            _ => {
                let note = format!("the CNAME record at {name} is malformed");
                end(unknown(Cause::Parse, note, Some(span)), wildcard)
            }
        }
    }

    /// RFC 4592 section 3.3.1: the source of synthesis is `*` below the closest encloser, the lowest name above the
    /// asked one that exists, be it an empty non-terminal.
    fn wildcard(&self, name: &Name, rtype: RecordType, walk: &Walk) -> Step {
        let exists = |labels: &usize| {
            *labels == walk.below_apex || self.store.names.node(walk.node(*labels)).flags & EXISTS != 0
        };
        let top = walk.met.min(walk.labels.saturating_sub(1));
        let encloser = (walk.below_apex..=top).rev().find(exists).unwrap_or(walk.below_apex);
        // More records may exist at the name itself or on the way to it, which would block the wildcard.
        let marked = (walk.below_apex..=walk.met).find_map(|labels| self.mark_on(walk, walk.node(labels), true));
        if let Some(mark) = marked {
            return done(self.marked(mark));
        }
        let star = self.store.names.child(walk.node(encloser), b"*");
        let Some(star) = star.filter(|id| self.store.names.node(*id).flags & (EXISTS | APEX) == EXISTS) else {
            return done(self.absent(walk, walk.node(encloser), Proof::Nxdomain));
        };
        if self.store.names.node(star).flags & CUT != 0 {
            return done(self.delegated(name, walk, star));
        }
        self.answer_at(name, rtype, walk, star, true)
    }

    /// Why there may be more records at `node` than were read.
    fn incomplete(&self, walk: &Walk, node: u32) -> Option<Box<Incomplete>> {
        let mark = self.mark_about(walk, node)?;
        let reason = self.store.reason_of_mark(mark);
        Some(Box::new(Incomplete { cause: reason.cause, note: reason.text.as_str().into(), span: mark.span }))
    }

    /// A mark that is about `node`: on itself, or on a name above and about all below.
    fn mark_about(&self, walk: &Walk, node: u32) -> Option<&Mark> {
        let above = || (walk.below_apex..=walk.met).find_map(|labels| self.mark_on(walk, walk.node(labels), true));
        self.mark_on(walk, node, false).or_else(above)
    }

    /// No record was found at `node`, or none at all below it: absent, unless a mark says that there may be more.
    fn absent(&self, walk: &Walk, node: u32, proof: Proof) -> Outcome {
        let exact = if proof == Proof::Nodata { self.mark_on(walk, node, false) } else { None };
        let above = || (walk.below_apex..=walk.met).find_map(|labels| self.mark_on(walk, walk.node(labels), true));
        match exact.or_else(above) {
            Some(mark) => self.marked(mark),
            None => Outcome::Absent { proof, span: Some(self.store.place_of_absence(walk.zone, node)) },
        }
    }

    /// A mark of the zone on a node; with `subtree` only one that is also about the names below.
    fn mark_on(&self, walk: &Walk, node: u32, subtree: bool) -> Option<&Mark> {
        if self.store.names.node(node).flags & MARKED == 0 {
            return None;
        }
        self.store.marks_on(node).iter().find(|mark| mark.zone == walk.zone && (mark.subtree || !subtree))
    }

    fn marked(&self, mark: &Mark) -> Outcome {
        let reason = self.store.reason_of_mark(mark);
        unknown(reason.cause, reason.text.clone(), Some(mark.span))
    }
}

#[cfg(test)]
mod tests;
