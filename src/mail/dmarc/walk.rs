//! The DNS tree walk: which DMARC record applies to a domain, and which is its organisational domain (RFC 9989
//! sections 4.10, 4.10.1 and 4.10.2).
//!
//! A pure algorithm over [`DmarcDns`]. An answer that could not be had is never taken for an absent record: from there on
//! the walk knows nothing, because any record there could have ended it.

use super::record::{self, Applied, PublicSuffix, Record};
use crate::mail::Name;

/// The largest number of questions one walk asks (RFC 9989 section 4.10).
pub const MAXIMUM_QUERIES: usize = 8;

/// The number of labels a longer name is cut to (RFC 9989 section 4.10 step 5).
const LABELS_AFTER_JUMP: usize = 7;

/// Where the TXT records come from.
pub trait DmarcDns {
    /// The TXT records at a name, which begins with `_dmarc`. The strings of one record are joined (RFC 9989 section 4.5).
    fn txt(&self, name: &Name) -> DmarcLookup;
}

/// An answer of [`DmarcDns`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DmarcLookup {
    /// The records, in the order in which results refer to them by index.
    Found(Vec<String>),
    /// The name exists without TXT records.
    NoData,
    /// The name does not exist.
    NxDomain,
    /// Nobody knows: a time-out, a failing server, or a name that this source does not cover.
    Unknown(String),
}

/// What the walk found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// What stands at `_dmarc.<domain>`.
    pub own: Own,
    /// The record that applies to the domain.
    pub applied: Outcome,
    /// The record that applies to subdomains without a record of their own. It may differ from `applied`: a record
    /// counts for subdomains only at the organisational domain or public suffix domain (RFC 9989 section 4.7).
    pub applied_to_subdomains: Outcome,
    /// The organisational domain.
    pub org_domain: OrgDomain,
    /// The records found on the way, the domain's own first.
    pub candidates: Vec<Candidate>,
    /// Domains with more than one DMARC record, all of which are discarded (RFC 9989 section 4.10 step 2).
    pub ambiguous: Vec<Name>,
    /// The questions asked, in order.
    pub queries: Vec<Name>,
}

/// The TXT records at the domain itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Own {
    /// The answer.
    Known(OwnRecords),
    /// There was no answer.
    Unknown {
        /// Why.
        reason: String,
    },
}

/// The DMARC records at the domain itself, and what looks like one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnRecords {
    /// Indexes of the DMARC records; other TXT records do not matter (RFC 9989 section 4.10 step 2).
    pub records: Vec<usize>,
    /// Records that were meant as DMARC and are not.
    pub near_misses: Vec<NearMiss>,
}

/// A TXT record that was meant as DMARC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// Its index.
    pub index: usize,
    /// Why it is none.
    pub reason: &'static str,
}

/// A DMARC record that stands alone at its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The domain, without `_dmarc`.
    pub domain: Name,
    /// Index among the TXT records at its name.
    pub index: usize,
    /// Its text.
    pub text: String,
    /// What it says about public suffixes.
    pub psd: PublicSuffix,
}

/// Which record applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// This one.
    Found {
        /// The domain of the record, without `_dmarc`.
        domain: Name,
        /// Index among the TXT records at its name.
        index: usize,
        /// Its text.
        text: String,
        /// Whether it is the record of a parent domain, so that `sp` or `np` decides instead of `p`.
        inherited: bool,
    },
    /// None: DMARC does not apply.
    None,
    /// A question without answer stands between.
    Unknown {
        /// The name that was asked for.
        name: Name,
        /// Why there was no answer.
        reason: String,
    },
}

impl Outcome {
    /// The policy for existing names, given the parsed record: `p` of an own record, `sp` of an inherited one. `None`
    /// when no record was found or nobody knows.
    pub fn policy(&self, record: &Record) -> Option<Applied> {
        match self {
            Outcome::Found { inherited: true, .. } => Some(record.subdomain_policy()),
            Outcome::Found { inherited: false, .. } => Some(record.policy()),
            Outcome::None | Outcome::Unknown { .. } => None,
        }
    }
}

/// The organisational domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrgDomain {
    /// This one. Without any record it is the domain itself (RFC 9989 section 4.10.2).
    Known(Name),
    /// A question without answer stands between.
    Unknown {
        /// The name that was asked for.
        name: Name,
        /// Why there was no answer.
        reason: String,
    },
}

/// Walks from the domain towards the root.
pub fn discover(domain: &Name, dns: &dyn DmarcDns) -> Discovery {
    let mut walk = Walk { dns, candidates: Vec::new(), ambiguous: Vec::new(), queries: Vec::new() };
    let (own, first_step) = walk.start(domain);
    // RFC 9989 section 4.10 step 5: a walk from a subdomain jumps over a domain of more than seven labels, so what stands
    // at such a domain neither ends that walk nor takes part in it.
    let jumped_from_below = domain.label_count() > LABELS_AFTER_JUMP;
    let own_candidates = walk.candidates.len();
    let goes_on = jumped_from_below || matches!(first_step, Step::Continue);
    let failure_above = if goes_on { walk.climb(domain) } else { None };
    let Walk { candidates, ambiguous, queries, .. } = walk;
    let (seen, failure) = match &first_step {
        Step::Continue => (&candidates[..], failure_above.as_ref()),
        Step::Stop => (&candidates[..own_candidates], None),
        Step::Unknown(failure) => (&[][..], Some(failure)),
    };
    let (applied, org_domain) = conclude(domain, seen, failure);
    let applied_to_subdomains = if jumped_from_below {
        below(domain, &candidates[own_candidates..], failure_above.as_ref())
    } else {
        below(domain, seen, failure)
    };
    Discovery { own, applied, applied_to_subdomains, org_domain, candidates, ambiguous, queries }
}

/// A question without answer.
struct Failure {
    name: Name,
    reason: String,
}

/// How the walk goes on after one name.
enum Step {
    Continue,
    Stop,
    Unknown(Failure),
}

struct Walk<'a> {
    dns: &'a dyn DmarcDns,
    candidates: Vec<Candidate>,
    ambiguous: Vec<Name>,
    queries: Vec<Name>,
}

impl Walk<'_> {
    fn start(&mut self, domain: &Name) -> (Own, Step) {
        let texts = match self.ask(domain) {
            Ok(texts) => texts,
            Err(failure) => return (Own::Unknown { reason: failure.reason.clone() }, Step::Unknown(failure)),
        };
        let near = |(index, text): (usize, &String)| record::near_miss(text).map(|reason| NearMiss { index, reason });
        let near_misses = texts.iter().enumerate().filter_map(near).collect();
        let records = selected(&texts);
        let step = self.take(domain, texts, &records);
        (Own::Known(OwnRecords { records, near_misses }), step)
    }

    /// The names above the domain, until a record with `psd` or the last label.
    fn climb(&mut self, domain: &Name) -> Option<Failure> {
        let mut target = above(domain)?;
        while !target.is_root() && self.queries.len() < MAXIMUM_QUERIES {
            let texts = match self.ask(&target) {
                Ok(texts) => texts,
                Err(failure) => return Some(failure),
            };
            let records = selected(&texts);
            if let Step::Stop = self.take(&target, texts, &records) {
                return None;
            }
            target = target.parent()?;
        }
        None
    }

    fn ask(&mut self, domain: &Name) -> Result<Vec<String>, Failure> {
        // A name that is too long for DNS cannot have a record.
        let Ok(name) = domain.child("_dmarc") else { return Ok(Vec::new()) };
        self.queries.push(name.clone());
        match self.dns.txt(&name) {
            DmarcLookup::Found(texts) => Ok(texts),
            DmarcLookup::NoData | DmarcLookup::NxDomain => Ok(Vec::new()),
            // RFC 9989 section 4.10.1: a transient error does not say that there is no record.
            DmarcLookup::Unknown(reason) => Err(Failure { name, reason }),
        }
    }

    /// RFC 9989 section 4.10 steps 2 and 7: several records are all discarded; `psd=y` and `psd=n` end the walk.
    fn take(&mut self, domain: &Name, mut texts: Vec<String>, records: &[usize]) -> Step {
        let [index] = *records else {
            if !records.is_empty() {
                self.ambiguous.push(domain.clone());
            }
            return Step::Continue;
        };
        let text = texts.swap_remove(index);
        let psd = record::declared_suffix(&text);
        self.candidates.push(Candidate { domain: domain.clone(), index, text, psd });
        if psd == PublicSuffix::Undeclared { Step::Continue } else { Step::Stop }
    }
}

fn selected(texts: &[String]) -> Vec<usize> {
    texts.iter().enumerate().filter(|(_, text)| record::is_dmarc(text)).map(|(index, _)| index).collect()
}

/// RFC 9989 section 4.10 steps 4 and 5: the parent, or the last seven labels of a name with eight or more.
fn above(domain: &Name) -> Option<Name> {
    let surplus = domain.label_count().saturating_sub(LABELS_AFTER_JUMP).max(1);
    let mut target = domain.clone();
    for _ in 0..surplus {
        target = target.parent()?;
    }
    Some(target)
}

fn conclude(start: &Name, candidates: &[Candidate], failure: Option<&Failure>) -> (Outcome, OrgDomain) {
    // RFC 9989 section 4.10.1: the author domain's own record comes first, whatever lies above.
    let own = candidates.first().filter(|candidate| candidate.domain == *start);
    if let Some(failure) = failure {
        let unknown = OrgDomain::Unknown { name: failure.name.clone(), reason: failure.reason.clone() };
        return (own.map_or_else(|| failure.outcome(), |own| own.outcome(start)), unknown);
    }
    let (org_domain, inherited) = settle(start, candidates);
    let applied = own.or(inherited).map_or(Outcome::None, |candidate| candidate.outcome(start));
    (applied, OrgDomain::Known(org_domain))
}

/// The record for any subdomain: what a walk from one label below concludes from the names it meets.
fn below(domain: &Name, candidates: &[Candidate], failure: Option<&Failure>) -> Outcome {
    if let Some(failure) = failure {
        return failure.outcome();
    }
    // A name too long for a subdomain has none.
    let Ok(subdomain) = domain.child("*") else { return Outcome::None };
    settle(&subdomain, candidates).1.map_or(Outcome::None, |candidate| candidate.outcome(&subdomain))
}

/// RFC 9989 section 4.10.2: the organisational domain, and the record there or, failing that, at the public suffix
/// domain (section 4.10.1). Candidates are ordered from longest to shortest.
fn settle<'a>(start: &Name, candidates: &'a [Candidate]) -> (Name, Option<&'a Candidate>) {
    for candidate in candidates {
        match candidate.psd {
            // Step 1: `psd=n` is the organisational domain.
            PublicSuffix::No => return (candidate.domain.clone(), Some(candidate)),
            // Step 2: one label below `psd=y`, unless the walk started there.
            PublicSuffix::Yes if candidate.domain != *start => {
                let org_domain = one_below(start, &candidate.domain);
                let own = candidates.iter().find(|other| other.domain == org_domain);
                return (org_domain, Some(own.unwrap_or(candidate)));
            }
            PublicSuffix::Yes | PublicSuffix::Undeclared => {}
        }
    }
    // Step 3: the fewest labels; without any record, the name where the walk started.
    match candidates.last() {
        Some(candidate) => (candidate.domain.clone(), Some(candidate)),
        None => (start.clone(), None),
    }
}

/// The ancestor of `start`, or `start` itself, that is one label longer than `suffix`.
fn one_below(start: &Name, suffix: &Name) -> Name {
    let mut name = start.clone();
    while let Some(parent) = name.parent().filter(|parent| parent != suffix && !parent.is_root()) {
        name = parent;
    }
    name
}

impl Candidate {
    fn outcome(&self, start: &Name) -> Outcome {
        Outcome::Found {
            domain: self.domain.clone(),
            index: self.index,
            text: self.text.clone(),
            inherited: self.domain != *start,
        }
    }
}

impl Failure {
    fn outcome(&self) -> Outcome {
        Outcome::Unknown { name: self.name.clone(), reason: self.reason.clone() }
    }
}

#[cfg(test)]
mod tests;
