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
    Outcome::Unknown { cause, note, span }
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
        match Name::from_canonical(prefix.join(".")).within(&base) {
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
            return Step::Done { outcome: Outcome::Records(records), wildcard, incomplete };
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
        Some(Box::new(Incomplete { cause: reason.cause, note: reason.text.clone(), span: mark.span }))
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
mod tests {
    use super::*;
    use crate::sources::bind::{presentation, read_zone};
    use crate::sources::record::Record;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    /// Zones with their names; a line is one record.
    fn read(zones: &[(&str, &str)]) -> (Store, Files) {
        let (mut files, mut store) = (Files::default(), Store::new());
        for (index, (origin, text)) in zones.iter().enumerate() {
            let file = files.add(format!("{index}.zone"), format!("$TTL 1\n{text}"));
            let no_includes = &mut |_: &mut Files, _: &str, _| Err("there are none".to_owned());
            read_zone(&mut store, &mut files, file, Some(name(origin)), no_includes).unwrap();
        }
        store.finish(&files);
        (store, files)
    }

    const SOA: &str = "@ SOA ns host 1 2 3 4 5\n@ NS ns.example.net.\n";

    fn zone(text: &str) -> (Store, Files) {
        read(&[("example.org", &format!("{SOA}{text}"))])
    }

    /// An answer in one line.
    fn ask(zones: &(Store, Files), asked: &str, rtype: RecordType) -> String {
        let answer = zones.0.view(&zones.1).lookup(&name(asked), rtype);
        let mut words: Vec<String> =
            answer.aliases.iter().map(|alias| format!("{}>{}", alias.owner, alias.target)).collect();
        if answer.wildcard {
            words.push("wildcard".to_owned());
        }
        words.push(match answer.outcome {
            Outcome::Records(records) => {
                let all: Vec<String> = records.iter().map(presentation).collect();
                all.join(", ")
            }
            Outcome::Absent { proof, .. } => proof.to_string(),
            Outcome::Unknown { cause, note, .. } => format!("{cause}: {note}"),
        });
        words.join(" ")
    }

    fn check(zones: &(Store, Files), cases: &[(&str, RecordType, &str)]) {
        for (asked, rtype, expected) in cases {
            assert_eq!(ask(zones, asked, *rtype), *expected, "{asked} {rtype}");
        }
    }

    #[test]
    fn case_135_nxdomain_and_nodata_are_told_apart_with_proof() {
        let zones = zone("a.ent A 192.0.2.1\n");
        check(
            &zones,
            &[
                ("example.org", RecordType::TXT, "nodata"),
                ("ent.example.org", RecordType::TXT, "nodata"),
                ("A.Ent.example.org", RecordType::A, "192.0.2.1"),
                ("a.ent.example.org", RecordType::TXT, "nodata"),
                ("b.ent.example.org", RecordType::TXT, "nxdomain"),
                ("example.com", RecordType::TXT, "not-collected: example.com is outside this repository"),
                ("org", RecordType::TXT, "not-collected: org is outside this repository"),
            ],
        );
        let Outcome::Absent { span, .. } = zones.0.view(&zones.1).lookup(&name("x.example.org"), RecordType::A).outcome
        else {
            panic!()
        };
        assert_eq!(zones.1.place(span.unwrap()).to_string(), "0.zone:2:1");
    }

    #[test]
    fn case_60_a_cname_at_dmarc_is_followed_within_the_repository() {
        let zones = read(&[
            ("example.org", &format!("{SOA}_dmarc CNAME _dmarc.example.com.\n_dmarc.out CNAME d.example.net.\n")),
            ("example.com", &format!("{SOA}_dmarc TXT \"v=DMARC1; p=none\"\n")),
        ]);
        check(
            &zones,
            &[
                ("_dmarc.example.org", RecordType::TXT, "_dmarc.example.org>_dmarc.example.com \"v=DMARC1; p=none\""),
                ("_dmarc.example.org", RecordType::CNAME, "_dmarc.example.com."),
                (
                    "_dmarc.out.example.org",
                    RecordType::TXT,
                    "_dmarc.out.example.org>d.example.net not-collected: d.example.net is outside this repository",
                ),
            ],
        );
    }

    #[test]
    fn case_61_a_wildcard_answers_at_dmarc_of_a_name_that_does_not_exist() {
        let zones = zone("* TXT \"v=spf1 -all\"\nmail A 192.0.2.1\n");
        check(
            &zones,
            &[
                ("_dmarc.sub.example.org", RecordType::TXT, "wildcard \"v=spf1 -all\""),
                ("_dmarc.example.org", RecordType::TXT, "wildcard \"v=spf1 -all\""),
                ("_dmarc.mail.example.org", RecordType::TXT, "nxdomain"),
                ("_dmarc.sub.example.org", RecordType::A, "wildcard nodata"),
            ],
        );
    }

    #[test]
    fn case_80_a_wildcard_below_domainkey_answers_every_selector() {
        let zones = zone("*._domainkey TXT \"v=DKIM1; p=\"\ns1._domainkey CNAME s1.example.net.\n");
        check(&zones, &[("guess._domainkey.example.org", RecordType::TXT, "wildcard \"v=DKIM1; p=\"")]);
        let names = zones.0.view(&zones.1).names_below(&name("_domainkey.example.org")).unwrap();
        assert_eq!(names, [name("*._domainkey.example.org"), name("s1._domainkey.example.org")]);
    }

    #[test]
    fn case_139_records_beside_a_cname_stay_findable() {
        let zones = zone("a CNAME b\na TXT x\nb A 192.0.2.1\nc CNAME b\nc CNAME a\n");
        check(
            &zones,
            &[
                ("a.example.org", RecordType::TXT, "\"x\""),
                ("a.example.org", RecordType::A, "a.example.org>b.example.org 192.0.2.1"),
                ("c.example.org", RecordType::A, "conflict: c.example.org has more than one CNAME record"),
            ],
        );
        let codes: Vec<&str> = zones.0.coverage().diagnostics.iter().map(|message| message.code).collect();
        assert_eq!(codes, ["zone-cname-beside-data", "zone-two-cnames"]);
        let twice = zone("a CNAME b\na CNAME b\nb A 192.0.2.1\n");
        assert!(twice.0.coverage().diagnostics.is_empty(), "the same record twice is one record");
        check(&twice, &[("a.example.org", RecordType::A, "a.example.org>b.example.org 192.0.2.1")]);
        let apex = zone("@ CNAME other\n");
        assert_eq!(apex.0.coverage().diagnostics[0].code, "zone-cname-beside-data");
    }

    #[test]
    fn alias_loops_are_errors() {
        let zones = zone("a CNAME b\nb CNAME a\nc CNAME c\n");
        for asked in ["a.example.org", "b.example.org", "c.example.org"] {
            assert!(ask(&zones, asked, RecordType::A).contains("dns-servfail: the aliases from"), "{asked}");
        }
        let chain: String = (0..40).map(|number| format!("n{number} CNAME n{}\n", number + 1)).collect();
        assert!(ask(&zone(&chain), "n0.example.org", RecordType::A).contains("limit-reached"));
    }

    /// The zone and the answers of RFC 4592 section 2.2.1.
    #[test]
    fn case_140_wildcards_as_in_rfc_4592() {
        let zones = read(&[(
            "example",
            "@ SOA ns host 1 2 3 4 5\n@ NS ns.example.com.\n@ NS ns.example.net.\n* TXT \"this is a wildcard\"\n\
             * MX 10 host1\nsub.* TXT \"this is not a wildcard\"\nhost1 A 192.0.2.1\n_ssh._tcp.host1 SRV 0 0 22 host1\n\
             _ssh._tcp.host2 SRV 0 0 22 host2\nsubdel NS ns.example.com.\nsubdel NS ns.example.net.\n",
        )]);
        check(
            &zones,
            &[
                ("host3.example", RecordType::MX, "wildcard 10 host1.example."),
                ("host3.example", RecordType::A, "wildcard nodata"),
                ("foo.bar.example", RecordType::TXT, "wildcard \"this is a wildcard\""),
                ("host1.example", RecordType::MX, "nodata"),
                ("sub.*.example", RecordType::MX, "nodata"),
                ("_telnet._tcp.host1.example", RecordType::SRV, "nxdomain"),
                (
                    "host.subdel.example",
                    RecordType::A,
                    "not-collected: host.subdel.example lies below subdel.example, which is delegated to ns.example.com, ns.example.net",
                ),
                ("ghost.*.example", RecordType::MX, "nxdomain"),
                ("host2.example", RecordType::TXT, "nodata"),
                ("*.example", RecordType::TXT, "\"this is a wildcard\""),
            ],
        );
    }

    #[test]
    fn case_141_below_a_delegation_nothing_is_known() {
        let zones =
            zone("sub NS ns.sub\nsub DS 1 8 2 AB\nns.sub A 192.0.2.1\nsub MX 10 x\nnods NS ns.example.net.\n* TXT x\n");
        check(
            &zones,
            &[
                (
                    "sub.example.org",
                    RecordType::MX,
                    "not-collected: sub.example.org is delegated to ns.sub.example.org",
                ),
                (
                    "a.sub.example.org",
                    RecordType::TXT,
                    "not-collected: a.sub.example.org lies below sub.example.org, which is delegated to ns.sub.example.org",
                ),
                ("sub.example.org", RecordType::NS, "ns.sub.example.org."),
                ("sub.example.org", RecordType::DS, "1 8 2 AB"),
                ("nods.example.org", RecordType::DS, "nodata"),
            ],
        );
        let view = zones.0.view(&zones.1);
        assert_eq!(view.zone_of(&name("a.sub.example.org")), None);
        assert_eq!(view.zone_of(&name("x.example.org")).unwrap().0, name("example.org"));
        assert_eq!(view.names_below(&name("sub.example.org")), None);
        assert_eq!(zones.0.coverage().diagnostics[0].code, "zone-occluded");
        assert_eq!(zones.0.mail_domains(&zones.1).len(), 1);
    }

    #[test]
    fn a_child_zone_in_the_repository_answers() {
        let zones = read(&[
            ("example.org", &format!("{SOA}sub NS ns.example.net.\nsub DS 1 8 2 AB\nx.y.deep TXT no\n* TXT wild\n")),
            ("sub.example.org", &format!("{SOA}@ TXT child\n")),
            ("a.b.example.org", &format!("{SOA}@ TXT deep\n")),
        ]);
        check(
            &zones,
            &[
                ("sub.example.org", RecordType::TXT, "\"child\""),
                ("x.sub.example.org", RecordType::TXT, "nxdomain"),
                ("sub.example.org", RecordType::DS, "1 8 2 AB"),
                ("example.org", RecordType::DS, "not-collected: the zone above example.org is outside this repository"),
                ("a.b.example.org", RecordType::TXT, "\"deep\""),
                // A zone below does not make names of the zone above exist.
                ("b.example.org", RecordType::TXT, "wildcard \"wild\""),
                ("y.deep.example.org", RecordType::TXT, "nodata"),
            ],
        );
    }

    #[test]
    fn a_dname_redirects_what_is_below() {
        let zones = zone("old DNAME new\nold TXT x\na.new A 192.0.2.1\na.old A 192.0.2.9\n");
        check(
            &zones,
            &[
                ("a.old.example.org", RecordType::A, "a.old.example.org>a.new.example.org 192.0.2.1"),
                ("old.example.org", RecordType::TXT, "\"x\""),
                ("b.old.example.org", RecordType::A, "b.old.example.org>b.new.example.org nxdomain"),
            ],
        );
    }

    #[test]
    fn malformed_data_are_present() {
        let zones = zone("a MX ten mail\nb CNAME b..c\n");
        assert!(ask(&zones, "a.example.org", RecordType::MX).starts_with("<malformed"));
        assert!(ask(&zones, "b.example.org", RecordType::A).starts_with("parse: "));
    }

    #[test]
    fn the_same_zone_twice_is_a_conflict_unless_it_is_the_same() {
        let one = format!("{SOA}a TXT x\n");
        let same = read(&[("example.org", &one), ("example.org", &format!("{one}; comment\n"))]);
        check(&same, &[("a.example.org", RecordType::TXT, "\"x\""), ("b.example.org", RecordType::TXT, "nxdomain")]);
        assert_eq!(same.0.mail_domains(&same.1).len(), 1);
        let other = read(&[("example.org", &one), ("example.org", &format!("{SOA}a TXT y\n"))]);
        let note = "conflict: the zone example.org is defined twice with different records";
        check(&other, &[("a.example.org", RecordType::TXT, note)]);
        assert_eq!(other.0.coverage().diagnostics[0].code, "zone-conflict");
        assert_eq!(other.0.view(&other.1).names_below(&name("example.org")), None);
    }

    #[test]
    fn mail_domains_are_found() {
        let zones = read(&[
            (
                "example.org",
                &format!(
                    "{SOA}mx MX 10 mail\nspf TXT (\n \"V=spf1 -all\" )\ntext TXT x\n_dmarc.policy TXT x\ns._domainkey.key TXT x\n\
                     * MX 10 mail\n*.wild MX 10 mail\n_spf TXT \"v=spf1 -all\"\ncut NS ns\n_dmarc.cut TXT x\nlate MX {{{{ x }}}}\n"
                ),
            ),
            ("2.0.192.in-addr.arpa", SOA),
            ("localhost", SOA),
            ("no-soa.example", "a TXT x\n"),
        ]);
        let found: Vec<String> = zones
            .0
            .mail_domains(&zones.1)
            .into_iter()
            .map(|(name, span)| format!("{name} {}", zones.1.place(span)))
            .collect();
        assert_eq!(
            found,
            [
                "example.org 0.zone:2:1",
                "key.example.org 0.zone:9:1",
                "late.example.org 0.zone:15:1",
                "mx.example.org 0.zone:4:1",
                "no-soa.example 3.zone:1:1",
                "policy.example.org 0.zone:8:1",
                "spf.example.org 0.zone:5:1",
            ]
        );
    }

    #[test]
    fn parsed_records_answer_like_read_ones() {
        let mut files = Files::default();
        let file = files.add("example.org.yaml", "spf: v=spf1 -all");
        let mut store = Store::new();
        let span = Span::new(file, 0, 3);
        let zone = store.add_zone(name("example.org"), "octodns", "example.org.yaml", span);
        let text = crate::sources::Text::plain(b"v=spf1 -all".to_vec(), file, 5);
        let record =
            Record { owner: name("example.org"), rtype: RecordType::TXT, ttl: None, data: RData::Txt(text), span };
        store.add_record(zone, record.clone());
        store.mark_not_evaluated(zone, name("a.example.org"), false, "dynamic".to_owned(), span);
        store.mark_record_not_evaluated(zone, name("b.example.org"), RecordType::A, "computed".to_owned(), span);
        store.finish(&files);
        let zones = (store, files);
        check(
            &zones,
            &[
                ("example.org", RecordType::TXT, "\"v=spf1 -all\""),
                ("a.example.org", RecordType::TXT, "not-evaluated: dynamic"),
                ("b.example.org", RecordType::A, "not-evaluated: computed"),
                ("b.example.org", RecordType::TXT, "nodata"),
                ("c.example.org", RecordType::TXT, "nxdomain"),
            ],
        );
        assert_eq!(zones.0.records(&zones.1).collect::<Vec<_>>(), [(name("example.org"), record)]);
        assert_eq!(zones.0.coverage().not_evaluated.len(), 2);
        assert_eq!(zones.0.zones().next().unwrap().records, 1);
        assert_eq!(zones.0.mail_domains(&zones.1), [(name("example.org"), span)]);
    }

    #[test]
    fn names_below_are_in_canonical_order() {
        let zones = zone("b._domainkey TXT x\na.b._domainkey TXT x\nz._domainkey TXT x\nx.ent._domainkey TXT x\n");
        let names = zones.0.view(&zones.1).names_below(&name("_domainkey.example.org")).unwrap();
        let texts: Vec<&str> =
            names.iter().filter_map(|name| name.as_str().strip_suffix("._domainkey.example.org")).collect();
        assert_eq!(texts, ["b", "a.b", "x.ent", "z"]);
        assert_eq!(zones.0.view(&zones.1).names_below(&name("none.example.org")), Some(Vec::new()));
        assert_eq!(zones.0.view(&zones.1).names_below(&name("example.com")), None);
    }
}
