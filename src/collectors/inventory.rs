//! What the inventory declares about a domain, with the SPF result of each sending address.

use crate::facts::domain::{InventoryFacts, List, SenderFacts};
use crate::facts::{Fact, Method, Proof};
use crate::inventory::Role;
use crate::mail::Name;

use super::{Context, spf};

/// Facts from the inventory. Everything is absent where there is no inventory or it does not list the domain.
pub(super) fn collect(context: &Context<'_>, name: &Name) -> InventoryFacts {
    let Some(inventory) = context.inventory else {
        return InventoryFacts {
            listed: undeclared(None),
            mx: undeclared(None),
            dkim_selectors: undeclared(None),
            ns: undeclared(None),
            senders: undeclared(None),
        };
    };
    let entry = inventory.domain(name);
    let span = entry.and_then(|entry| entry.span);
    let declared = |present| Fact::present(present, Method::Inventory, span);
    InventoryFacts {
        listed: declared(entry.is_some()),
        mx: entry
            .and_then(|entry| entry.mx.clone())
            .map_or_else(|| undeclared(span), |mx| Fact::present(mx, Method::Inventory, span)),
        dkim_selectors: entry
            .and_then(|entry| entry.dkim_selectors.clone())
            .map_or_else(|| undeclared(span), |selectors| Fact::present(selectors, Method::Inventory, span)),
        ns: entry
            .and_then(|entry| entry.ns.clone())
            .map_or_else(|| undeclared(span), |ns| Fact::present(ns, Method::Inventory, span)),
        senders: senders(context, name),
    }
}

/// A value that the inventory does not state.
fn undeclared<T>(span: Option<crate::diag::Span>) -> Fact<T> {
    Fact::absent(Proof::NotDeclared, Method::Inventory, span)
}

/// Sending addresses of the domain and those of the whole organisation, with their SPF results.
fn senders(context: &Context<'_>, name: &Name) -> Fact<List<SenderFacts>> {
    let Some((inventory, entry)) = context.inventory.zip(context.entry(name)) else { return undeclared(None) };
    let parked = entry.roles.contains(&Role::Parked);
    let sends = entry.roles.contains(&Role::Sends);
    let shared: &[_] = if sends && !parked { &inventory.senders } else { &[] };
    if entry.senders.is_empty() && shared.is_empty() {
        return undeclared(entry.span);
    }
    let mut addresses: Vec<_> = entry.senders.iter().chain(shared).map(|sender| sender.ip).collect();
    addresses.sort();
    addresses.dedup();
    let rows = addresses
        .into_iter()
        .map(|ip| SenderFacts {
            ip: Fact::present(ip, Method::Inventory, entry.span),
            spf: spf::check_sender(context, name, ip),
        })
        .collect();
    Fact::present(List(rows), Method::Inventory, entry.span)
}
