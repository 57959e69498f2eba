//! What can be said about a record without a message: worst-case counts, and what `include` and `redirect` lead to.
//!
//! Every domain is read once, however often it is included; counts still take each occurrence. Where something could
//! not be looked at, a count is a lower bound and the gap is listed. Macros that hold only the domain itself (`%{d}`,
//! `%{o}`) are expanded; what depends on the message is a gap, too.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::evaluate::Reason;
use super::macros::{Letter, MacroString, TooLong};
use super::record::{Mechanism, Modifier, Qualifier, Record, Term, TermKind};
use super::{Lookup, Obstacle, Selection, SpfDns, fit_name, is_queryable, parse, select};

/// Counts stop here: the number stands for "this many or more". Also the most questions and domains of one walk.
pub const LOOKUP_CEILING: u32 = 1000;

/// What a record reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Terms of the record itself that cause lookups (RFC 7208 section 4.6.4).
    pub lookups_direct: u32,
    /// Worst-case number of terms that cause lookups, each occurrence counted, through every `include` and `redirect`.
    pub lookups: Count,
    /// Number of terms whose lookup finds nothing, among those that do not depend on the message.
    pub void_lookups: Count,
    /// Every domain reached, each once, nearest first.
    pub reached: Vec<Reached>,
    /// What could not be looked at, in the order of the walk.
    pub gaps: Vec<Gap>,
    /// Shortest prefix among the `ip4` networks that can lead to `pass`.
    pub widest_ip4: Option<Network>,
    /// Shortest prefix among the `ip6` networks that can lead to `pass`.
    pub widest_ip6: Option<Network>,
    /// The first `ptr` in the record itself.
    pub ptr: Option<Range<usize>>,
    /// The first `ptr` in a record that is reached.
    pub ptr_reached: Option<Place>,
    /// The `all` that ends the evaluation.
    pub all: AllInEffect,
    /// Directives of the record itself after `all`, where they are ignored (RFC 7208 section 5.1).
    pub terms_after_all: Option<Range<usize>>,
    /// Target of the `redirect` of the record itself, if it has an effect and does not depend on the message.
    pub redirect: Option<String>,
    /// The `redirect` of the record itself, if `all` makes it ignored (RFC 7208 section 6.1).
    pub redirect_ignored: Option<Range<usize>>,
    /// The first macro of the record itself.
    pub macros: Option<Range<usize>>,
    /// Whether any sender can get `pass`.
    pub can_pass: Certainty,
    /// Whether the record authorises nobody: no sender can get `pass`, and everybody gets `fail` or `softfail`.
    pub none_authorised: Certainty,
}

/// A worst-case count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// At least this many; [`LOOKUP_CEILING`] stands for itself and all above.
    pub at_least: u32,
    /// Whether everything was seen, so that the number is the number.
    pub complete: bool,
}

/// Yes, no, or not known because something was not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// Yes, whatever was not seen.
    Yes,
    /// No, and everything was seen that matters.
    No,
    /// It depends on what was not seen.
    Unknown,
}

/// How a domain is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// By `include`.
    Include,
    /// By `redirect`.
    Redirect,
}

/// A domain whose record is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The domain, without final dot.
    pub domain: String,
    /// Smallest number of steps from the record itself; 1 for a domain that it names.
    pub depth: u32,
    /// How it is reached on that way.
    pub route: Route,
    /// What stands there.
    pub state: ReachedState,
}

/// What stands at a domain that is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReachedState {
    /// Exactly one valid record.
    Valid,
    /// No record, several, or a broken one: the evaluation would be a permanent error.
    Invalid(Reason),
    /// The lookup failed for the time being.
    TempError(Obstacle),
    /// The domain is not collected by this run.
    NotSeen(Obstacle),
    /// The walk had reached its ceiling.
    NotFollowed,
}

/// Something that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The name that would have to be asked for, or the term's domain as written when it depends on the message.
    pub name: String,
    /// The term that names it.
    pub place: Place,
    /// Why.
    pub reason: GapReason,
    /// Whether a whole record is hidden, so that terms, networks and lookups may be missing; otherwise it is only not
    /// known whether one lookup is void.
    pub hides_record: bool,
}

/// Why something could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GapReason {
    /// This run does not collect the name.
    NotSeen(Obstacle),
    /// The lookup failed for the time being.
    TempError(Obstacle),
    /// The name depends on the message.
    DependsOnMessage,
    /// The walk had reached its ceiling.
    Ceiling,
}

/// A range in the record of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Where the record stands.
    pub domain: String,
    /// Range in that record.
    pub range: Range<usize>,
}

/// A network and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Length of its prefix.
    pub prefix: u8,
    /// The term.
    pub place: Place,
}

/// The `all` that ends an evaluation in which nothing else matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllInEffect {
    /// It stands in the record itself, or in one that `redirect` leads to.
    Stated {
        /// What it says.
        qualifier: Qualifier,
        /// Where it stands.
        place: Place,
        /// Whether `redirect` leads to it.
        redirected: bool,
    },
    /// There is none: the result is `neutral` (RFC 7208 section 4.7). `domain` holds the last record.
    NotStated {
        /// Where the last record stands.
        domain: String,
    },
    /// `redirect` leads to a permanent error.
    Broken(Reason),
    /// `redirect` leads to something that could not be looked at.
    Unknown(Gap),
}

/// Walks everything that the record of `domain` reaches. Readable terms of a broken record are walked, too.
pub fn reach(domain: &str, record: &Record<'_>, dns: &dyn SpfDns) -> Reach {
    let mut walk = Walk::new(domain, dns);
    walk.scan(0, record);
    let mut index = 1;
    while index < walk.nodes.len() {
        walk.visit(index);
        index += 1;
    }
    let (widest_ip4, widest_ip6, can_pass) = walk.passing();
    let all = walk.all_in_effect();
    let mut totals = vec![Progress::New; walk.nodes.len()];
    let (lookups, void_lookups) = walk.total(0, &mut totals);
    let hidden = walk.gaps.iter().any(|gap| gap.hides_record) || walk.dropped;
    let unseen = !walk.gaps.is_empty() || walk.dropped;
    let ptr_reached = walk.nodes.iter().skip(1).find_map(|node| node.ptr.clone().map(|range| node.place(range)));
    Reach {
        lookups_direct: walk.nodes[0].lookups,
        lookups: Count { at_least: lookups, complete: !hidden || lookups >= LOOKUP_CEILING },
        void_lookups: Count { at_least: void_lookups, complete: !unseen || void_lookups >= LOOKUP_CEILING },
        ptr: first_ptr(record),
        ptr_reached,
        terms_after_all: after_all(record),
        redirect: walk.redirect_target(),
        redirect_ignored: record.all().and(record.redirect()).map(|(term, _)| term.range.clone()),
        macros: first_macro(record),
        none_authorised: none_authorised(can_pass, &all),
        widest_ip4,
        widest_ip6,
        can_pass,
        all,
        reached: walk.nodes.drain(1..).map(Node::into_reached).collect(),
        gaps: walk.gaps,
    }
}

fn none_authorised(can_pass: Certainty, all: &AllInEffect) -> Certainty {
    match (can_pass, all) {
        (Certainty::Yes, _) => Certainty::No,
        (_, AllInEffect::Stated { qualifier: Qualifier::Pass | Qualifier::Neutral, .. }) => Certainty::No,
        (_, AllInEffect::NotStated { .. } | AllInEffect::Broken(_)) => Certainty::No,
        (Certainty::Unknown, _) | (_, AllInEffect::Unknown(_)) => Certainty::Unknown,
        (Certainty::No, AllInEffect::Stated { .. }) => Certainty::Yes,
    }
}

fn first_ptr(record: &Record<'_>) -> Option<Range<usize>> {
    record
        .directives()
        .find(|(_, _, mechanism)| matches!(mechanism, Mechanism::Ptr(_)))
        .map(|(term, _, _)| term.range.clone())
}

/// The directives after `all`, from the first to the last.
fn after_all(record: &Record<'_>) -> Option<Range<usize>> {
    let (all, _) = record.all()?;
    let mut after = record.directives().filter(|(term, _, _)| term.range.start > all.range.start);
    let first = after.next()?.0;
    let last = after.last().map_or(first, |(term, _, _)| term);
    Some(first.range.start..last.range.end)
}

fn first_macro(record: &Record<'_>) -> Option<Range<usize>> {
    record.terms.iter().find_map(|term| {
        let text = match &term.kind {
            TermKind::Directive { mechanism, .. } => mechanism.domain()?,
            // The explanation does not decide the result.
            TermKind::Modifier(Modifier::Redirect(domain)) => domain,
            TermKind::Modifier(Modifier::Exp(_) | Modifier::Unknown(_)) | TermKind::Broken => return None,
        };
        let part = text.parts.iter().find(|part| part.kind != super::PartKind::Literal)?;
        Some(part.range.clone())
    })
}

/// One domain of the walk. The first is the record itself.
struct Node {
    domain: String,
    depth: u32,
    route: Route,
    /// The term that first led here.
    from: Place,
    state: ReachedState,
    /// Whether the lookup of its record found nothing.
    void: bool,
    /// Its own terms that cause lookups.
    lookups: u32,
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

    /// The gap that this node is.
    fn hidden(&self, reason: GapReason) -> Gap {
        Gap { name: self.domain.clone(), place: self.from.clone(), reason, hides_record: true }
    }

    fn into_reached(self) -> Reached {
        Reached { domain: self.domain, depth: self.depth, route: self.route, state: self.state }
    }
}

struct Walk<'a> {
    dns: &'a dyn SpfDns,
    nodes: Vec<Node>,
    /// Index of a domain in lower case.
    known: BTreeMap<String, usize>,
    gaps: Vec<Gap>,
    /// Whether gaps were not listed because there were too many.
    dropped: bool,
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
    fn passing(&self) -> (Option<Network>, Option<Network>, Certainty) {
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
    fn all_in_effect(&self) -> AllInEffect {
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

    fn redirect_target(&self) -> Option<String> {
        let edge = self.nodes[0].edges.iter().find(|edge| edge.route == Route::Redirect)?;
        edge.target.as_ref().ok().map(|target| self.nodes[*target].domain.clone())
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
