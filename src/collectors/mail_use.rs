//! Whether a domain sends mail, receives mail or is parked: computed once, so that no rule derives it again.
//!
//! What the inventory declares decides; without it, DNS decides where it can, and the rest stays unknown.

use crate::facts::domain::{DkimFacts, DnsFacts, MailFacts, SpfFacts};
use crate::facts::{Cause, Fact, Method, Observed, Provenance};
use crate::inventory::Role;
use crate::mail::Name;

use super::Context;

/// Collects the mail use of a domain from its other facts.
pub(super) fn collect(
    context: &Context<'_>,
    name: &Name,
    dns: &DnsFacts,
    spf: &SpfFacts,
    dkim: &DkimFacts,
) -> MailFacts {
    let sends = declared(context, name, Role::Sends).unwrap_or_else(|| sends_by_dns(spf, dkim));
    let receives = declared(context, name, Role::Receives).unwrap_or_else(|| receives_by_dns(dns));
    MailFacts {
        parked: parked(context, name, &sends, &receives),
        sends,
        receives,
        organisational: organisational(context, name),
        internationalised: derived(Observed::Present(name.is_internationalised()), &Provenance::default()),
    }
}

/// What the inventory says about one role; `None` when it states no role.
fn declared(context: &Context<'_>, name: &Name, role: Role) -> Option<Fact<bool>> {
    let entry = context.entry(name).filter(|entry| !entry.roles.is_empty())?;
    Some(Fact::present(entry.roles.contains(&role), Method::Inventory, entry.span))
}

/// SPF or a usable DKIM key show that somebody sends; `v=spf1 -all` shows that nobody does. Otherwise DNS does not say.
fn sends_by_dns(spf: &SpfFacts, dkim: &DkimFacts) -> Fact<bool> {
    match (&spf.none_authorised.observed, &dkim.usable.observed) {
        (Observed::Present(nobody), _) => derived(Observed::Present(!nobody), &spf.none_authorised.from),
        (_, Observed::Present(true)) => derived(Observed::Present(true), &dkim.usable.from),
        (Observed::Unknown(cause), _) => derived(Observed::Unknown(*cause), &spf.none_authorised.from),
        (Observed::Absent(_), _) => derived(Observed::Unknown(Cause::NotCollected), &spf.none_authorised.from)
            .with_note("DNS does not say whether the domain sends mail; the inventory can"),
    }
}

/// RFC 5321 section 5.1: MX records, or without them the domain's own address; the null MX (RFC 7505) says no.
fn receives_by_dns(dns: &DnsFacts) -> Fact<bool> {
    let rows = match &dns.mx.observed {
        Observed::Present(rows) => &rows.0,
        Observed::Unknown(cause) => return derived(Observed::Unknown(*cause), &dns.mx.from),
        Observed::Absent(_) => return dns.implicit_mx.clone(),
    };
    if let Some(row) = rows.iter().find(|row| row.null.observed.present() == Some(&false)) {
        return derived(Observed::Present(true), &row.null.from);
    }
    // A record that cannot be read may name a host.
    let hidden = rows.iter().find_map(|row| match row.null.observed {
        Observed::Unknown(cause) => Some(derived(Observed::Unknown(cause), &row.null.from)),
        Observed::Present(_) | Observed::Absent(_) => None,
    });
    hidden.unwrap_or_else(|| derived(Observed::Present(false), &dns.null_mx.from))
}

/// Parked is declared, or follows from neither sending nor receiving.
fn parked(context: &Context<'_>, name: &Name, sends: &Fact<bool>, receives: &Fact<bool>) -> Fact<bool> {
    if let Some(fact) = declared(context, name, Role::Parked) {
        return fact;
    }
    match (&sends.observed, &receives.observed) {
        (Observed::Present(true), _) => derived(Observed::Present(false), &sends.from),
        (_, Observed::Present(true)) => derived(Observed::Present(false), &receives.from),
        (Observed::Present(false), Observed::Present(false)) => derived(Observed::Present(true), &receives.from),
        (Observed::Unknown(cause), _) => derived(Observed::Unknown(*cause), &sends.from),
        (_, Observed::Unknown(cause)) => derived(Observed::Unknown(*cause), &receives.from),
        (Observed::Absent(_), _) | (_, Observed::Absent(_)) => {
            derived(Observed::Unknown(Cause::NotCollected), &sends.from)
        }
    }
}

fn organisational(context: &Context<'_>, name: &Name) -> Fact<bool> {
    derived(Observed::Present(context.listed_organisation(name).as_ref() == Some(name)), &Provenance::default())
}

/// A fact computed from another, which lends its position and note.
fn derived<T>(observed: Observed<T>, from: &Provenance) -> Fact<T> {
    let note = if matches!(observed, Observed::Unknown(_)) { from.note.clone() } else { None };
    Fact { observed, from: Provenance { method: Method::Derived, span: from.span, note, evidence: None } }
}
