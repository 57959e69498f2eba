//! Which facts of a target changed between two runs.
//!
//! Both trees of facts are walked side by side along their schema, so a new fact is compared without a line here. A fact
//! that was unknown and is known now did not change: we see it now, and that is what is said. Elements of lists are told
//! apart by their label, plain values by themselves; the order of a list means nothing, and neither does the way in
//! which it is known that something is absent.
//!
//! [`VOLATILE`] lists what changes by itself from run to run. Such changes are marked, and no report counts them.

use std::collections::BTreeMap;

use crate::facts::meaning::{self, PolicyChange};
use crate::facts::{FactView, FieldSchema, Group, Node, Observed, Rows, TargetFacts, Values, View};
use crate::findings::difference::{FactChange, FactMove};
use crate::findings::words::duration;

/// Facts that change by themselves: serial numbers, signatures that are renewed, what a cache still has of a TTL, how long
/// something took, and greetings, which often hold a time or the number of a session.
pub const VOLATILE: &[&str] = &[
    "authority.servers[].serial",
    "dns.mail_ttl",
    "dns.soa.serial",
    "dnssec.signatures_expire",
    "greeting.delay",
    "greeting.text",
];

/// Most elements of one label that are compared with each other; more are paired in their order.
const MOST_ALIKE: usize = 32;

/// Most facts of an element that are named when it comes or goes.
const SUMMARY_FACTS: usize = 8;

/// The facts that changed, in the order of the catalogue. Nothing when the targets are of different kinds.
pub fn changes(before: &TargetFacts, after: &TargetFacts) -> Vec<FactChange> {
    let mut walk = Walk::default();
    walk.group("", "", before.group(), after.group());
    remarks(before, after, &mut walk.found);
    walk.found
}

/// Where a fact stands: the path that readers see, and the path in the catalogue.
#[derive(Clone, Copy)]
struct At<'a> {
    path: &'a str,
    plain: &'a str,
    title: &'static str,
}

#[derive(Default)]
struct Walk {
    found: Vec<FactChange>,
}

impl Walk {
    fn group(&mut self, path: &str, plain: &str, before: &dyn Group, after: &dyn Group) {
        if before.schema().name != after.schema().name {
            return;
        }
        for (index, field) in before.schema().fields.iter().enumerate() {
            let (path, plain) = (below(path, field), below(plain, field));
            match (before.node(index), after.node(index)) {
                (Node::Group(before), Node::Group(after)) => self.group(&path, &plain, before, after),
                (Node::Fact(before), Node::Fact(after)) => {
                    self.fact(At { path: &path, plain: &plain, title: field.title }, before, after);
                }
                _ => {}
            }
        }
    }

    fn fact(&mut self, at: At<'_>, before: FactView<'_>, after: FactView<'_>) {
        use Observed::{Absent, Present, Unknown};
        match (before.observed, after.observed) {
            (Unknown(_), Unknown(_)) | (Absent(_), Absent(_)) => {}
            (Unknown(cause), known) => {
                let after = known.present().map(|view| print(*view));
                let change = self.note(at, FactMove::BecameKnown, None, after);
                change.cause = Some(cause);
            }
            (known, Unknown(cause)) => {
                let before = known.present().map(|view| print(*view));
                let change = self.note(at, FactMove::BecameUnknown, before, None);
                change.cause = Some(cause);
            }
            (Present(View::Rows(before)), Present(View::Rows(after))) => self.rows(at, Some(before), Some(after)),
            (Present(View::Rows(before)), Absent(_)) => self.rows(at, Some(before), None),
            (Absent(_), Present(View::Rows(after))) => self.rows(at, None, Some(after)),
            (Present(View::Values(before)), Present(View::Values(after))) => {
                self.values(at, Some(before), Some(after));
            }
            (Present(View::Values(before)), Absent(_)) => self.values(at, Some(before), None),
            (Absent(_), Present(View::Values(after))) => self.values(at, None, Some(after)),
            (Present(before), Present(after)) => {
                let (before, after) = (print(before), print(after));
                if before != after {
                    self.note(at, FactMove::Changed, Some(before), Some(after));
                }
            }
            (Absent(_), Present(after)) => {
                self.note(at, FactMove::Added, None, Some(print(after)));
            }
            (Present(before), Absent(_)) => {
                self.note(at, FactMove::Removed, Some(print(before)), None);
            }
        }
    }

    /// A list of plain values: which came and which went.
    fn values(&mut self, at: At<'_>, before: Option<&dyn Values>, after: Option<&dyn Values>) {
        let mut balance: BTreeMap<String, isize> = BTreeMap::new();
        for (values, step) in [(before, -1), (after, 1)] {
            for index in 0..values.map_or(0, Values::count) {
                let Some(values) = values else { continue };
                *balance.entry(print(values.value(index))).or_default() += step;
            }
        }
        let plain = format!("{}[]", at.plain);
        let path = format!("{}[]", at.path);
        let at = At { path: &path, plain: &plain, ..at };
        for (value, balance) in balance {
            for _ in 0..balance.unsigned_abs() {
                if balance < 0 {
                    self.note(at, FactMove::Removed, Some(value.clone()), None);
                } else {
                    self.note(at, FactMove::Added, None, Some(value.clone()));
                }
            }
        }
    }

    /// A list of elements: those of the same label are compared, the others came or went.
    fn rows(&mut self, at: At<'_>, before: Option<&dyn Rows>, after: Option<&dyn Rows>) {
        let mut labels: BTreeMap<String, [Vec<&dyn Group>; 2]> = BTreeMap::new();
        for (rows, side) in [(before, 0), (after, 1)] {
            for index in 0..rows.map_or(0, Rows::count) {
                let Some(rows) = rows else { continue };
                let row = rows.row(index);
                labels.entry(label(row)).or_default()[side].push(row);
            }
        }
        let plain = format!("{}[]", at.plain);
        for (label, [before, after]) in labels {
            let path = format!("{}[{label}]", at.path);
            let at = At { path: &path, plain: &plain, ..at };
            self.alike(at, before, after);
        }
    }

    /// Elements of one label. Those that are the same belong together, the rest in their order.
    fn alike(&mut self, at: At<'_>, mut before: Vec<&dyn Group>, mut after: Vec<&dyn Group>) {
        if before.len() + after.len() > 2 && before.len().max(after.len()) <= MOST_ALIKE {
            before.retain(|row| match after.iter().position(|other| is_same(at.plain, *row, *other)) {
                Some(index) => {
                    // Only what is volatile can differ here.
                    self.group(at.path, at.plain, *row, after.remove(index));
                    false
                }
                None => true,
            });
        }
        let both = before.len().min(after.len());
        for (before, after) in before.iter().zip(&after) {
            self.group(at.path, at.plain, *before, *after);
        }
        for gone in &before[both..] {
            self.note(at, FactMove::Removed, Some(summary(*gone)), None);
        }
        for new in &after[both..] {
            self.note(at, FactMove::Added, None, Some(summary(*new)));
        }
    }

    fn note(&mut self, at: At<'_>, change: FactMove, before: Option<String>, after: Option<String>) -> &mut FactChange {
        let (path, title) = (at.path.to_owned(), at.title.to_owned());
        let volatile = VOLATILE.contains(&at.plain);
        let at = self.found.len();
        self.found.push(FactChange { path, title, change, before, after, cause: None, volatile, remark: None });
        &mut self.found[at]
    }
}

/// The path of a field below a path.
fn below(path: &str, field: &FieldSchema) -> String {
    if path.is_empty() { field.name.to_owned() } else { format!("{path}.{}", field.name) }
}

fn is_same(plain: &str, before: &dyn Group, after: &dyn Group) -> bool {
    let mut walk = Walk::default();
    walk.group("", plain, before, after);
    walk.found.iter().all(|change| change.volatile)
}

/// What tells an element from others; `?` when that is not known.
fn label(row: &dyn Group) -> String {
    let schema = row.schema();
    let field = schema.fields.iter().position(|field| field.name == schema.label);
    match field.map(|index| row.node(index)) {
        Some(Node::Fact(fact)) => fact.observed.present().map_or_else(|| "?".to_owned(), |view| print(*view)),
        _ => "?".to_owned(),
    }
}

/// What is known of an element beside its label: `MX preference 10, addresses of the MX host [192.0.2.1]`.
fn summary(row: &dyn Group) -> String {
    let schema = row.schema();
    let fields = schema.fields.iter().enumerate().filter(|(_, field)| field.name != schema.label);
    let known = fields.filter_map(|(index, field)| match row.node(index) {
        Node::Fact(FactView { observed: Observed::Present(view), .. }) => match view {
            // What is not the case need not be said of something that came or went.
            View::Bool(false) => None,
            View::Bool(true) => Some(field.title.to_owned()),
            View::Values(values) if values.count() == 0 => None,
            view => Some(format!("{} {}", field.title, print(view))),
        },
        _ => None,
    });
    let known: Vec<String> = known.take(SUMMARY_FACTS).collect();
    if known.is_empty() { label(row) } else { known.join(", ") }
}

fn print(view: View<'_>) -> String {
    match view {
        View::Duration(seconds) => duration(seconds),
        View::Rows(rows) => {
            let labels: Vec<String> = (0..rows.count()).map(|index| label(rows.row(index))).collect();
            format!("[{}]", labels.join(", "))
        }
        view => view.to_string(),
    }
}

/// Says what changes mean, where that does not follow from one fact alone.
fn remarks(before: &TargetFacts, after: &TargetFacts, found: &mut [FactChange]) {
    if let (TargetFacts::Domain(before), TargetFacts::Domain(after)) = (before, after) {
        match meaning::policy_change(&before.mta_sts, &after.mta_sts) {
            // RFC 8461 section 3.1: senders compare the id to see whether the policy has changed.
            Some(PolicyChange::Unannounced) => remark(
                found.iter_mut().find(|change| change.path.starts_with("mta_sts.policy.") && change.is_real()),
                "the policy changed and its id did not, so senders keep the old policy until it expires",
            ),
            Some(PolicyChange::Needless) => remark(
                found.iter_mut().find(|change| change.path == "mta_sts.id"),
                "the id changed and the policy did not, so senders fetch again what they have",
            ),
            Some(PolicyChange::None | PolicyChange::Announced) | None => {}
        }
    }
    for change in found.iter_mut().filter(|change| change.change == FactMove::Changed) {
        let is_key = change.path.starts_with("dkim.keys[") && change.path.ends_with("].text");
        let (before, after) = (change.before.as_deref().unwrap_or(""), change.after.as_deref().unwrap_or(""));
        if is_key && meaning::is_another_key(before, after) {
            remark(
                Some(change),
                "another key at the same selector: what was signed with the old one can no longer be verified",
            );
        } else if change.path == "tls.cert.fingerprint" {
            remark(Some(change), "the certificate was replaced");
        }
    }
}

fn remark(change: Option<&mut FactChange>, text: &str) {
    if let Some(change) = change {
        change.remark = Some(text.to_owned());
    }
}

#[cfg(test)]
mod tests;
