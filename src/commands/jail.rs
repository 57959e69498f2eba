//! The folder that the paths of an inventory must stay in.
//!
//! A pull request may change the inventory, and a report shows lines of the files that it names. So those files must lie
//! in the git repository that holds the inventory, or without one in the inventory's folder, whatever links lead to them.
//! Paths on the command line come from the person who runs the program and are not looked at here.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::diag::visible;
use crate::inventory::Inventory;
use crate::sources::Tree;
use crate::sources::tree::normalise;

/// Folder that paths must not lead out of.
pub(super) struct Jail {
    folder: PathBuf,
    /// What the folder is, for messages.
    is: &'static str,
}

impl Jail {
    /// The git repository that holds a folder, or that folder. It need not exist yet.
    pub(super) fn around(folder: &Path) -> anyhow::Result<Jail> {
        let folder = real(folder)?;
        Ok(match Tree::Disk.repository_root(&folder) {
            Some(root) => Jail { folder: root, is: "the git repository that holds the inventory" },
            None => Jail { folder, is: "the folder of the inventory, which no git repository holds" },
        })
    }

    /// The same for the evidence of a file of answers that the command line names.
    pub(super) fn around_answers(folder: &Path) -> anyhow::Result<Jail> {
        let folder = real(folder)?;
        Ok(match Tree::Disk.repository_root(&folder) {
            Some(root) => Jail { folder: root, is: "the git repository that holds the answers" },
            None => Jail { folder, is: "the folder of the answers, which no git repository holds" },
        })
    }

    /// Whether a path stays inside, whatever links lead to it.
    pub(super) fn holds(&self, path: &Path) -> bool {
        real(path).is_ok_and(|real| real.starts_with(&self.folder))
    }

    /// What the folder is, for messages.
    pub(super) fn is(&self) -> &'static str {
        self.is
    }

    /// The canonical path of the folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Refuses a path that leads out, be it through a link.
    pub(super) fn check(&self, path: &Path) -> anyhow::Result<()> {
        if real(path)?.starts_with(&self.folder) {
            return Ok(());
        }
        bail!("{} leads outside {}", visible(&path.to_string_lossy()), self.is)
    }

    /// Refuses an inventory with a path that leads out, before anything of the file behind it is read.
    pub(super) fn check_inventory(
        &self,
        inventory: &Inventory,
        resolve: impl Fn(&str) -> PathBuf,
    ) -> anyhow::Result<()> {
        let lists = [("waivers", &inventory.waivers), ("answers", &inventory.answers)];
        let lists = lists.into_iter().flat_map(|(key, paths)| paths.iter().map(move |path| (key, path)));
        let files = inventory.dns.iter().flat_map(|dns| dns.files.iter().map(|path| ("dns.files", path)));
        let profile = inventory.profile.iter().map(|path| ("profile", path));
        let policies = inventory.domains.iter().filter_map(|domain| domain.mta_sts_policy.as_ref());
        let policies = policies.map(|path| ("mta_sts_policy", path));
        let logo = inventory.organisation.iter().filter_map(|organisation| organisation.logo.as_ref());
        let logo = logo.map(|path| ("organisation.logo", path));
        for (key, path) in lists.chain(files).chain(profile).chain(policies).chain(logo) {
            self.check(&resolve(path)).with_context(|| {
                format!("`{key}` of the inventory names a file that it may not; nothing was judged")
            })?;
        }
        Ok(())
    }
}

/// The path without links. What does not exist has none, so only the folders above it are looked at.
fn real(path: &Path) -> anyhow::Result<PathBuf> {
    let here = std::env::current_dir().context("cannot tell the current folder")?;
    let path = here.join(path);
    for existing in path.ancestors() {
        if let Ok(real) = existing.canonicalize() {
            return Ok(normalise(&real.join(path.strip_prefix(existing).unwrap_or(Path::new("")))));
        }
    }
    Ok(normalise(&path))
}
