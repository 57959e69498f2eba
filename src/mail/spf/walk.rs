//! The walk behind [`super::reach`]: a graph of domains, each read once, joined by `include` and `redirect`.
//!
//! Bounded by [`LOOKUP_CEILING`] in domains, questions and listed gaps; circles are found, not followed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::evaluation::Reason;
use super::macros::{Letter, MacroString, TooLong};
use super::reach::{
    AllInEffect, Certainty, Gap, GapReason, LOOKUP_CEILING, Network, Place, Reached, ReachedState, Route,
};
use super::record::{Mechanism, Qualifier, Record, Term};
use super::{Lookup, Selection, SpfDns, fit_name, is_queryable, parse, select};

/// One domain of the walk. The first is the record itself.
pub(super) struct Node {
    domain: String,
    depth: u32,
    route: Route,
    /// The term that first led here.
    from: Place,
    state: ReachedState,
    /// Whether the lookup of its record found nothing.
    void: bool,
    /// Its own terms that cause lookups.
    pub(super) lookups: u32,
    /// Its own `a`, `mx` and `exists` that find nothing.
    voids: u32,
    edges: Vec<Edge>,
    /// Whether a mechanism other than `include` can lead to `pass`.
    passes: bool,
    widest_ip4: Option<(u8, Range<usize>)>,
    widest_ip6: Option<(u8, Range<usize>)>,
    ptr: Option<Range<usize>>,
    all: Option<(Qualifier, Range<usize>)>,
}

/// An `include` or the `redirect` of a record.
struct Edge {
    /// Index of the node, or what hides it.
    target: Result<usize, Gap>,
    route: Route,
    /// Whether a `pass` there is a `pass` here.
    passes: bool,
}

#[derive(Clone, Copy)]
enum Progress {
    New,
    Started,
    Done(u32, u32),
}

impl Node {
    fn new(domain: String, depth: u32, route: Route, from: Place) -> Self {
        Node {
            domain,
            depth,
            route,
            from,
            state: ReachedState::Valid,
            void: false,
            lookups: 0,
            voids: 0,
            edges: Vec::new(),
            passes: false,
            widest_ip4: None,
            widest_ip6: None,
            ptr: None,
            all: None,
        }
    }

    fn place(&self, range: Range<usize>) -> Place {
        Place { domain: self.domain.clone(), range }
    }

    /// Why the record here is not seen, if it is not.
    fn obstacle(&self) -> Option<GapReason> {
        match &self.state {
            ReachedState::Valid | ReachedState::Invalid(_) => None,
            ReachedState::TempError(obstacle) => Some(GapReason::TempError(obstacle.clone())),
            ReachedState::NotSeen(obstacle) => Some(GapReason::NotSeen(obstacle.clone())),
            ReachedState::NotFollowed => Some(GapReason::Ceiling),
        }
    }

    /// Whether the evaluation would end in a permanent error here.
    pub(super) fn is_invalid(&self) -> bool {
        matches!(self.state, ReachedState::Invalid(_))
    }

    /// The gap that this node is.
    fn hidden(&self, reason: GapReason) -> Gap {
        Gap { name: self.domain.clone(), place: self.from.clone(), reason, hides_record: true }
    }

    pub(super) fn into_reached(self) -> Reached {
        Reached { domain: self.domain, depth: self.depth, route: self.route, state: self.state }
    }
}

/// A finished walk.
pub(super) struct Walk<'a> {
    dns: &'a dyn SpfDns,
    pub(super) nodes: Vec<Node>,
    /// Index of a domain in lower case.
    known: BTreeMap<String, usize>,
    pub(super) gaps: Vec<Gap>,
    /// Whether gaps were not listed because there were too many.
    pub(super) dropped: bool,
    questions: u32,
}

/// The name of a term depends on the message, or is longer than this tool follows.
struct NotStatic;

impl From<TooLong> for NotStatic {
    fn from(_: TooLong) -> Self {
        NotStatic
    }
}

impl<'a> Walk<'a> {
    fn new(domain: &str, dns: &'a dyn SpfDns) -> Self {
        let domain = domain.strip_suffix('.').unwrap_or(domain).to_owned();
        let from = Place { domain: String::new(), range: 0..0 };
        let nodes = vec![Node::new(domain, 0, Route::Include, from)];
        Walk { dns, nodes, known: BTreeMap::new(), gaps: Vec::new(), dropped: false, questions: 0 }
    }

    /// Walks everything that the record of `domain` reaches, nearest first.
    pub(super) fn run(domain: &str, record: &Record<'_>, dns: &'a dyn SpfDns) -> Self {
        let mut walk = Walk::new(domain, dns);
        walk.scan(0, record);
        let mut index = 1;
        while index < walk.nodes.len() {
            walk.visit(index);
            index += 1;
        }
        walk
    }

    /// Reads the record of a node and scans it.
    fn visit(&mut self, index: usize) {
        let domain = self.nodes[index].domain.clone();
        let text = match self.load(&domain, self.nodes[index].route) {
            Ok(text) => text,
            Err((state, void)) => {
                let node = &mut self.nodes[index];
                (node.state, node.void) = (state, void);
                if let Some(reason) = node.obstacle() {
                    let gap = node.hidden(reason);
                    self.list(gap);
                }
                return;
            }
        };
        let record = parse(&text);
        match record.errors.first() {
            Some(error) => {
                self.nodes[index].state = ReachedState::Invalid(Reason::Syntax { domain, error: error.clone() });
            }
            None => self.scan(index, &record),
        }
    }

    /// Looks up the record of a domain; the state and whether the lookup was void when there is none to scan.
    fn load(&mut self, domain: &str, route: Route) -> Result<Vec<u8>, (ReachedState, bool)> {
        let missing = |void| {
            let reason = match route {
                Route::Include => Reason::IncludeWithoutRecord(domain.to_owned()),
                Route::Redirect => Reason::RedirectWithoutRecord(domain.to_owned()),
            };
            (ReachedState::Invalid(reason), void)
        };
        if !is_queryable(domain) {
            return Err(missing(false));
        }
        if !self.may_ask() {
            return Err((ReachedState::NotFollowed, false));
        }
        let mut texts = match self.dns.txt(domain) {
            Lookup::Found(texts) => texts,
            Lookup::NoData | Lookup::NxDomain => return Err(missing(true)),
            Lookup::TempError(obstacle) => return Err((ReachedState::TempError(obstacle), false)),
            Lookup::Unknown(obstacle) => return Err((ReachedState::NotSeen(obstacle), false)),
        };
        match select(&texts) {
            Selection::Nothing => Err(missing(false)),
            Selection::One(at) => Ok(texts.swap_remove(at)),
            Selection::Several { count, .. } => {
                Err((ReachedState::Invalid(Reason::SeveralRecords(domain.to_owned(), count)), false))
            }
        }
    }

    /// Counts a question; `false` at the ceiling.
    fn may_ask(&mut self) -> bool {
        self.questions += 1;
        self.questions <= LOOKUP_CEILING
    }

    /// Takes in the terms of one record that have an effect.
    fn scan(&mut self, index: usize, record: &Record<'_>) {
        for (term, qualifier, mechanism) in record.directives() {
            self.nodes[index].lookups += u32::from(mechanism.causes_lookups());
            let passes = qualifier == Qualifier::Pass;
            match mechanism {
                // RFC 7208 section 5.1: what follows `all` has no effect, and section 6.1: neither has `redirect`.
                Mechanism::All => {
                    self.nodes[index].all = Some((qualifier, term.range.clone()));
                    self.nodes[index].passes |= passes;
                    return;
                }
                Mechanism::Include(spec) => self.follow(index, record, term, spec, Route::Include, passes),
                Mechanism::Ip4(network) if passes => {
                    widen(&mut self.nodes[index].widest_ip4, network.prefix_length(), term);
                    self.nodes[index].passes = true;
                }
                Mechanism::Ip6(network) if passes => {
                    widen(&mut self.nodes[index].widest_ip6, network.prefix_length(), term);
                    self.nodes[index].passes = true;
                }
                Mechanism::Ip4(_) | Mechanism::Ip6(_) => {}
                Mechanism::Ptr(_) => {
                    self.nodes[index].ptr.get_or_insert(term.range.clone());
                    self.nodes[index].passes |= passes;
                }
                Mechanism::A { .. } | Mechanism::Mx { .. } | Mechanism::Exists(_) => {
                    self.nodes[index].passes |= passes;
                    self.count_void(index, record, term, mechanism);
                }
            }
        }
        if let Some((term, spec)) = record.redirect() {
            self.nodes[index].lookups += 1;
            self.follow(index, record, term, spec, Route::Redirect, true);
        }
    }

    /// The name of a term, if it does not depend on the message.
    fn target(&self, index: usize, record: &Record<'_>, spec: Option<&MacroString>) -> Result<String, NotStatic> {
        let domain = &self.nodes[index].domain;
        let Some(spec) = spec else { return Ok(domain.clone()) };
        let expanded = spec.expand(record.text, |letter| match letter {
            Letter::Domain => Ok(Cow::Borrowed(domain.as_str())),
            // The sender's domain is the one whose record is walked.
            Letter::SenderDomain => Ok(Cow::Borrowed(self.nodes[0].domain.as_str())),
            _ => Err(NotStatic),
        })?;
        let name = fit_name(&expanded);
        Ok(if name.len() == expanded.len() { expanded } else { name.to_owned() })
    }

    /// Adds the edge of an `include` or `redirect`, and the node when the domain is new.
    fn follow(
        &mut self,
        index: usize,
        record: &Record<'_>,
        term: &Term,
        spec: &MacroString,
        route: Route,
        passes: bool,
    ) {
        let target = match self.target(index, record, Some(spec)) {
            Ok(name) => self.node(index, name, route, term),
            Err(NotStatic) => {
                let name = spec.written(record.text).into_owned();
                Err(self.gap(index, name, term, GapReason::DependsOnMessage, true))
            }
        };
        self.nodes[index].edges.push(Edge { target, route, passes });
    }

    /// The node of a domain. What is not seen there becomes a gap when the node is visited.
    fn node(&mut self, index: usize, name: String, route: Route, term: &Term) -> Result<usize, Gap> {
        let key = name.to_ascii_lowercase();
        if self.known.is_empty() {
            self.known.insert(self.nodes[0].domain.to_ascii_lowercase(), 0);
        }
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        if self.nodes.len() > LOOKUP_CEILING as usize {
            return Err(self.gap(index, name, term, GapReason::Ceiling, true));
        }
        let (next, depth) = (self.nodes.len(), self.nodes[index].depth + 1);
        self.known.insert(key, next);
        let from = self.nodes[index].place(term.range.clone());
        self.nodes.push(Node::new(name, depth, route, from));
        Ok(next)
    }

    /// Lists a gap, each name once.
    fn gap(&mut self, index: usize, name: String, term: &Term, reason: GapReason, hides_record: bool) -> Gap {
        let place = self.nodes[index].place(term.range.clone());
        let gap = Gap { name, place, reason, hides_record };
        self.list(gap.clone());
        gap
    }

    fn list(&mut self, gap: Gap) {
        let listed = |other: &Gap| other.name == gap.name && other.hides_record == gap.hides_record;
        if self.gaps.len() >= LOOKUP_CEILING as usize {
            self.dropped = true;
        } else if !self.gaps.iter().any(listed) {
            self.gaps.push(gap);
        }
    }

    /// Finds out whether the lookup of an `a`, `mx` or `exists` finds nothing (RFC 7208 section 4.6.4).
    fn count_void(&mut self, index: usize, record: &Record<'_>, term: &Term, mechanism: &Mechanism) {
        // What depends on the message is not counted, and is no gap: it is void for some messages only.
        let Ok(name) = self.target(index, record, mechanism.domain()) else { return };
        if !is_queryable(&name) {
            return;
        }
        if !self.may_ask() {
            self.gap(index, name, term, GapReason::Ceiling, false);
            return;
        }
        let void = match mechanism {
            Mechanism::Mx { .. } => is_void(self.dns.mx(&name)),
            Mechanism::Exists(_) => is_void(self.dns.a(&name)),
            // A name with addresses of one family is not void, whichever family the client is of.
            _ => match self.dns.a(&name) {
                Lookup::NoData => is_void(self.dns.aaaa(&name)),
                lookup => is_void(lookup),
            },
        };
        match void {
            Ok(void) => self.nodes[index].voids += u32::from(void),
            Err(reason) => {
                self.gap(index, name, term, reason, false);
            }
        }
    }

    /// The widest networks and whether any sender can pass, over everything whose `pass` is a `pass` of the record.
    pub(super) fn passing(&self) -> (Option<Network>, Option<Network>, Certainty) {
        let (mut ip4, mut ip6) = (None, None);
        let (mut passes, mut hidden) = (false, false);
        let mut seen = vec![false; self.nodes.len()];
        let mut open = vec![0];
        while let Some(index) = open.pop() {
            if std::mem::replace(&mut seen[index], true) {
                continue;
            }
            let node = &self.nodes[index];
            passes |= node.passes;
            hidden |= node.obstacle().is_some();
            wider(&mut ip4, node.widest_ip4.as_ref(), node);
            wider(&mut ip6, node.widest_ip6.as_ref(), node);
            for edge in node.edges.iter().rev().filter(|edge| edge.passes) {
                match &edge.target {
                    Ok(target) => open.push(*target),
                    Err(_) => hidden = true,
                }
            }
        }
        let can_pass = match (passes, hidden) {
            (true, _) => Certainty::Yes,
            (false, true) => Certainty::Unknown,
            (false, false) => Certainty::No,
        };
        (ip4, ip6, can_pass)
    }

    /// Follows `redirect` to the `all` in effect (RFC 7208 section 6.1).
    pub(super) fn all_in_effect(&self) -> AllInEffect {
        let mut index = 0;
        for _ in 0..=self.nodes.len() {
            let node = &self.nodes[index];
            if let ReachedState::Invalid(reason) = &node.state {
                return AllInEffect::Broken(reason.clone());
            }
            if let Some(reason) = node.obstacle() {
                return AllInEffect::Unknown(node.hidden(reason));
            }
            if let Some((qualifier, range)) = &node.all {
                let place = node.place(range.clone());
                return AllInEffect::Stated { qualifier: *qualifier, place, redirected: index > 0 };
            }
            match node.edges.iter().find(|edge| edge.route == Route::Redirect) {
                None => return AllInEffect::NotStated { domain: node.domain.clone() },
                Some(Edge { target: Err(gap), .. }) => return AllInEffect::Unknown(gap.clone()),
                Some(Edge { target: Ok(target), .. }) => index = *target,
            }
        }
        // A circle of redirects ends at the limit of lookups.
        AllInEffect::Broken(Reason::LookupLimit)
    }

    pub(super) fn redirect_target(&self) -> Option<String> {
        let edge = self.nodes[0].edges.iter().find(|edge| edge.route == Route::Redirect)?;
        edge.target.as_ref().ok().map(|target| self.nodes[*target].domain.clone())
    }

    /// The first `ptr` in a record other than the first.
    pub(super) fn ptr_reached(&self) -> Option<Place> {
        self.nodes.iter().skip(1).find_map(|node| node.ptr.clone().map(|range| node.place(range)))
    }

    /// Worst-case lookups and void lookups of the whole walk.
    pub(super) fn totals(&self) -> (u32, u32) {
        self.total(0, &mut vec![Progress::New; self.nodes.len()])
    }

    /// Lookups and void lookups of a node and all below it. A circle counts as the ceiling, for it never ends.
    fn total(&self, index: usize, totals: &mut [Progress]) -> (u32, u32) {
        match totals[index] {
            Progress::Done(lookups, voids) => return (lookups, voids),
            Progress::Started => return (LOOKUP_CEILING, 0),
            Progress::New => totals[index] = Progress::Started,
        }
        let node = &self.nodes[index];
        let (mut lookups, mut voids) = (node.lookups, node.voids);
        // RFC 7208 section 4.6.4: each occurrence counts.
        for target in node.edges.iter().filter_map(|edge| edge.target.as_ref().ok()) {
            let below = self.total(*target, totals);
            lookups = lookups.saturating_add(below.0).min(LOOKUP_CEILING);
            voids = voids.saturating_add(below.1 + u32::from(self.nodes[*target].void)).min(LOOKUP_CEILING);
        }
        totals[index] = Progress::Done(lookups, voids);
        (lookups, voids)
    }
}

/// Whether a lookup found nothing; `Err` when that is not known.
fn is_void<T>(lookup: Lookup<T>) -> Result<bool, GapReason> {
    match lookup {
        Lookup::Found(_) => Ok(false),
        Lookup::NoData | Lookup::NxDomain => Ok(true),
        // RFC 7208 section 4.6.4: a failed lookup is not void.
        Lookup::TempError(obstacle) => Err(GapReason::TempError(obstacle)),
        Lookup::Unknown(obstacle) => Err(GapReason::NotSeen(obstacle)),
    }
}

fn widen(widest: &mut Option<(u8, Range<usize>)>, prefix: u8, term: &Term) {
    if widest.as_ref().is_none_or(|(known, _)| prefix < *known) {
        *widest = Some((prefix, term.range.clone()));
    }
}

fn wider(widest: &mut Option<Network>, candidate: Option<&(u8, Range<usize>)>, node: &Node) {
    if let Some((prefix, range)) = candidate
        && widest.as_ref().is_none_or(|known| *prefix < known.prefix)
    {
        *widest = Some(Network { prefix: *prefix, place: node.place(range.clone()) });
    }
}
