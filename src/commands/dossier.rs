//! What reports for people say beside the assessment, from the inventory and from what was stored.

use anyhow::Context as _;

use super::input::{self, LoadedInventory};
use crate::reports::dossier::{Audience, Dossier, Logo};

/// What the inventory says about the organisation, with its picture.
pub(super) fn dossier(audience: Audience, inventory: Option<&LoadedInventory>) -> anyhow::Result<Dossier> {
    let logo = match inventory {
        Some(loaded) => logo(loaded)?,
        None => None,
    };
    let inventory = inventory.map(|loaded| loaded.inventory.clone());
    Ok(Dossier { audience, inventory, logo, ..Dossier::default() })
}

fn logo(loaded: &LoadedInventory) -> anyhow::Result<Option<Logo>> {
    let named = loaded.inventory.organisation.as_ref().and_then(|organisation| organisation.logo.as_ref());
    let Some(path) = named.map(|path| loaded.resolve(path)) else { return Ok(None) };
    let bytes = input::read(&path).context("`organisation.logo` of the inventory")?;
    let logo = Logo::png(bytes).with_context(|| format!("{} cannot be the logo of reports", path.display()))?;
    Ok(Some(logo))
}
