//! What reports for people say beside the assessment, from the inventory and from what was stored.

use std::path::Path;

use anyhow::Context as _;

use super::input::{self, LoadedInventory, Source};
use super::stored::StoredInput;
use crate::bundle;
use crate::diag::Files;
use crate::inventory::Inventory;
use crate::reports::dossier::{Audience, Dossier, Logo, Origin};

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
    let Some(path) = named_logo(&loaded.inventory).map(|path| loaded.resolve(path)) else { return Ok(None) };
    let bytes = input::read(&path).context("`organisation.logo` of the inventory")?;
    let logo = Logo::png(bytes).with_context(|| format!("{} cannot be the logo of reports", path.display()))?;
    Ok(Some(logo))
}

fn named_logo(inventory: &Inventory) -> Option<&str> {
    inventory.organisation.as_ref()?.logo.as_deref()
}

/// What a stored run says about itself: its header, the inventory that it holds, and in a bundle the picture beside it.
pub(super) fn stored(audience: Audience, input: &StoredInput, files: &Files) -> Dossier {
    let run = Some(input.header.clone());
    let plain = Dossier { audience, run, ..Dossier::default() };
    let Some(home) = input.header.inventory.as_deref() else { return plain };
    let found = files.iter().find(|(_, file)| file.evidence.is_none() && file.path.replace('\\', "/") == home);
    let inventory = found.and_then(|(_, file)| Inventory::load(&mut Files::default(), home, &file.bytes).ok());
    let logo = inventory.as_ref().and_then(|inventory| {
        let path = logo_path(home, inventory)?;
        let bundle = input.bundle.as_ref()?;
        let stored = bundle.record.inputs.iter().find(|stored| stored.path == path)?;
        Logo::png(bundle.read(&stored.file).ok()?).ok()
    });
    Dossier { inventory, logo, ..plain }
}

/// The picture as a bundle keeps it.
pub(super) fn logo_source(dossier: &Dossier, home: Option<&str>) -> Option<Source> {
    let path = logo_path(home?, dossier.inventory.as_ref()?)?;
    Some((path, dossier.logo.as_ref()?.bytes().to_vec()))
}

fn logo_path(home: &str, inventory: &Inventory) -> Option<String> {
    Some(input::beside(Path::new(home), named_logo(inventory)?).to_string_lossy().into_owned())
}

/// A snapshot as what a report was made from. The folder is nobody's business who reads it.
pub(super) fn of_snapshot(path: &Path, sha256: &str) -> Origin {
    let name = last(path);
    Origin { kind: "snapshot", check: format!("sha256sum {name}"), name, sha256: sha256.to_owned() }
}

/// A bundle as what a report was made from.
pub(super) fn of_bundle(path: &Path, manifest_sha256: &str) -> Origin {
    let unpacked = "sha256sum manifest-sha256.txt && sha256sum --quiet -c manifest-sha256.txt";
    let check = match bundle::top(path) {
        Some(folder) => format!("unzip {} && cd {folder} && {unpacked}", last(path)),
        None => unpacked.to_owned(),
    };
    Origin { kind: "evidence bundle", check, name: last(path), sha256: manifest_sha256.to_owned() }
}

/// The name of a file or folder, however the path to it is written.
fn last(path: &Path) -> String {
    let absolute = path.canonicalize();
    let path = absolute.as_deref().unwrap_or(path);
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
