//! The back matter: the profile with its packs, the files that were read, and the evidence that observations rest on.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::document::{Hash, Markup, Property, Resource, ResourceLink};
use crate::diag::{FileId, Span};
use crate::findings::{Assessment, Finding};
use crate::policy::AnswerEvidence;
use crate::reports::identity::uuid;
use crate::reports::place::relative;
use crate::reports::{Context, escape};

/// What the document refers to.
pub(super) struct Resources<'a> {
    assessment: &'a Assessment,
    context: &'a Context<'a>,
    profile: String,
    /// UUID by file. A file that was read twice is one resource.
    files: BTreeMap<FileId, String>,
    /// Files that answers rest on, by path and digest.
    shown: BTreeMap<Entry, &'a AnswerEvidence>,
    /// Sorted by path and digest, so that the order in which files were read does not show.
    entries: BTreeMap<Entry, FileId>,
}

/// A file or a piece of evidence.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    path: String,
    sha256: String,
}

impl Entry {
    fn uuid(&self) -> String {
        uuid(&[b"resource", self.path.as_bytes(), self.sha256.as_bytes()])
    }
}

/// UUID of a file that an answer rests on.
pub(super) fn shown_uuid(item: &AnswerEvidence) -> Option<String> {
    Some(shown_entry(item)?.uuid())
}

fn shown_entry(item: &AnswerEvidence) -> Option<Entry> {
    Some(Entry { path: item.path.clone(), sha256: item.sha256.clone()? })
}

/// The places a finding rests on: those of its facts, else that of its target.
pub(super) fn spans(finding: &Finding<'_>) -> impl Iterator<Item = Span> {
    let blame = finding.detail.into_iter().flat_map(|detail| detail.blame.iter().chain(&detail.also));
    blame.filter_map(|blame| blame.span).chain(finding.target.anchor)
}

impl<'a> Resources<'a> {
    pub(super) fn of(assessment: &'a Assessment, context: &'a Context<'a>) -> Resources<'a> {
        let used: BTreeSet<FileId> = assessment
            .findings()
            .flat_map(|finding| spans(&finding).map(|span| span.file).collect::<Vec<_>>())
            .collect();
        let (mut files, mut entries) = (BTreeMap::new(), BTreeMap::new());
        let known = context.files.iter().filter(|(_, file)| !file.path.is_empty());
        for (id, file) in known.filter(|(id, file)| file.evidence.is_none() || used.contains(id)) {
            let digest = || data_encoding::HEXLOWER.encode(&Sha256::digest(file.bytes.as_slice()));
            let sha256 = file.evidence.as_deref().map_or_else(digest, str::to_owned);
            let entry = Entry { path: file.path.clone(), sha256 };
            files.insert(id, entry.uuid());
            entries.entry(entry).or_insert(id);
        }
        let policy = &assessment.policy;
        let mut parts: Vec<&[u8]> = vec![b"profile", policy.profile.as_bytes()];
        parts.extend(policy.packs.iter().map(|pack| pack.sha256.as_bytes()));
        let rested_on = assessment.findings().filter_map(|finding| assessment.answer(&finding));
        let shown = rested_on.flat_map(|answer| &answer.evidence);
        let shown = shown.filter_map(|item| Some((shown_entry(item)?, item)));
        // A file that the run read as well is one resource.
        let shown = shown.filter(|(entry, _)| !entries.contains_key(entry)).collect();
        Resources { assessment, context, profile: uuid(&parts), files, shown, entries }
    }

    /// UUID of the profile.
    pub(super) fn profile(&self) -> &str {
        &self.profile
    }

    /// UUID of a file.
    pub(super) fn get(&self, file: FileId) -> Option<&str> {
        self.files.get(&file).map(String::as_str)
    }

    /// All resources, one by one.
    pub(super) fn documents(&self) -> impl Iterator<Item = Resource> {
        let read = self.entries.iter().map(|(entry, id)| self.document(*id, entry));
        let shown = self.shown.iter().map(|(entry, item)| self.shown_document(item, entry));
        std::iter::once(self.profile_document()).chain(read).chain(shown)
    }

    fn profile_document(&self) -> Resource {
        let policy = &self.assessment.policy;
        let packs = policy.packs.iter().map(|pack| {
            // The digest is that of the whole pack, which is no file that could be linked.
            Property::new("pack", &format!("{} {} sha256:{}", pack.name, pack.version, pack.sha256))
        });
        Resource {
            uuid: self.profile.clone(),
            title: Markup::new(&format!("mailvet profile {}", policy.profile)),
            description: Markup::new("The rules that were assessed, by pack with its digest."),
            props: packs.collect(),
            rlinks: Vec::new(),
        }
    }

    fn shown_document(&self, item: &AnswerEvidence, entry: &Entry) -> Resource {
        let path = relative(self.context, &item.path).map(|path| escape::uri_path(&path));
        let href = path.unwrap_or_else(|| named_by_hash(&entry.sha256));
        Resource {
            uuid: entry.uuid(),
            title: Markup::new(&item.path),
            description: Markup::new("A file that an answer of a person rests on."),
            props: Vec::new(),
            rlinks: vec![ResourceLink { href, hashes: [Hash { algorithm: "SHA-256", value: entry.sha256.clone() }] }],
        }
    }

    fn document(&self, id: FileId, entry: &Entry) -> Resource {
        let file = self.context.files.get(id);
        let (what, href) = match &file.evidence {
            Some(id) => ("Evidence: what was received, byte for byte.", named_by_hash(id)),
            // A path outside the repository says nothing to others and too much about this machine.
            None => {
                let path = relative(self.context, &file.path).map(|path| escape::uri_path(&path));
                ("A file that was read.", path.unwrap_or_else(|| named_by_hash(&entry.sha256)))
            }
        };
        Resource {
            uuid: entry.uuid(),
            title: Markup::new(&file.path),
            description: Markup::new(what),
            props: Vec::new(),
            rlinks: vec![ResourceLink { href, hashes: [Hash { algorithm: "SHA-256", value: entry.sha256.clone() }] }],
        }
    }
}

/// RFC 6920 section 3: `ni:///sha-256;…`, in base64url without padding.
fn named_by_hash(sha256: &str) -> String {
    let digest = data_encoding::HEXLOWER_PERMISSIVE.decode(sha256.as_bytes()).unwrap_or_default();
    format!("ni:///sha-256;{}", data_encoding::BASE64URL_NOPAD.encode(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_that_of_rfc_6920() {
        // RFC 6920 section 8.1: "Hello World!".
        let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(b"Hello World!"));
        assert_eq!(named_by_hash(&digest), "ni:///sha-256;f4OxZX_x_FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk");
    }
}
