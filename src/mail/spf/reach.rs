//! What can be said about a record without a message: worst-case counts, and what `include` and `redirect` lead to.
//!
//! Every domain is read once, however often it is included; counts still take each occurrence. Where something could
//! not be looked at, a count is a lower bound and the gap is listed. Macros that hold only the domain itself (`%{d}`,
//! `%{o}`) are expanded; what depends on the message is a gap, too.

use std::ops::Range;

use super::evaluation::Reason;
use super::record::{Mechanism, Modifier, Qualifier, Record, TermKind};
use super::walk::{Node, Walk};
use super::{MAX_LOOKUPS, Obstacle, PartKind, SpfDns};

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
    let walk = Walk::run(domain, record, dns);
    let (widest_ip4, widest_ip6, can_pass) = walk.passing();
    let all = walk.all_in_effect();
    let (lookups, void_lookups) = walk.totals();
    let hidden = walk.gaps.iter().any(|gap| gap.hides_record) || walk.dropped;
    let unseen = !walk.gaps.is_empty() || walk.dropped;
    let invalid = walk.nodes.iter().skip(1).any(Node::is_invalid);
    let ends_in_error = invalid || lookups > MAX_LOOKUPS;
    Reach {
        lookups_direct: walk.nodes[0].lookups,
        lookups: Count { at_least: lookups, complete: !hidden || lookups >= LOOKUP_CEILING },
        void_lookups: Count { at_least: void_lookups, complete: !unseen || void_lookups >= LOOKUP_CEILING },
        ptr: first_ptr(record),
        ptr_reached: walk.ptr_reached(),
        terms_after_all: after_all(record),
        redirect: walk.redirect_target(),
        redirect_ignored: record.all().and(record.redirect()).map(|(term, _)| term.range.clone()),
        macros: first_macro(record),
        none_authorised: none_authorised(can_pass, &all, ends_in_error),
        widest_ip4,
        widest_ip6,
        can_pass,
        all,
        reached: walk.nodes.into_iter().skip(1).map(Node::into_reached).collect(),
        gaps: walk.gaps,
    }
}

fn none_authorised(can_pass: Certainty, all: &AllInEffect, ends_in_error: bool) -> Certainty {
    match (can_pass, all) {
        // A permanent error is no `fail` (RFC 7208 section 2.6.7).
        _ if ends_in_error => Certainty::No,
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
        let part = text.parts.iter().find(|part| part.kind != PartKind::Literal)?;
        Some(part.range.clone())
    })
}
