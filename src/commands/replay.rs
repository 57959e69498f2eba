//! Judging a stored run again, for `evaluate` and `report`.
//!
//! A bundle is judged by what it holds unless other rules are named; a snapshot by the rules of now.

use std::path::Path;

use anyhow::Context as _;

use super::input::{self, LoadedInventory, PackSource, PolicySources, Source};
use super::stored::{StoredInput, previous, stored_input};
use super::{check, dossier, rebuild};
use crate::bundle::Opened;
use crate::bundle::record::{Judged, Stored, StoredAnswers};
use crate::cli::PolicyArgs;
use crate::diag::Files;
use crate::engine;
use crate::findings::Assessment;
use crate::policy::{AnswersFile, Policy, Shown};
use crate::reports::dossier::picture::{Gallery, Part};
use crate::reports::{Audience, Dossier};

/// What is judged, by what, and for whom.
pub(super) struct Question<'a> {
    pub(super) input: &'a Path,
    pub(super) inventory: Option<&'a Path>,
    pub(super) no_inventory: bool,
    pub(super) previous: Option<&'a Path>,
    pub(super) policy: &'a PolicyArgs,
    pub(super) audience: Audience,
    /// Whether facts are rebuilt from the raw evidence instead of being taken from the snapshot.
    pub(super) from_raw: bool,
    pub(super) quiet: bool,
}

/// A stored run, judged again.
pub(super) struct Replay {
    pub(super) stored: StoredInput,
    /// Files of the run, and after them those of the policy.
    pub(super) files: Files,
    pub(super) assessment: Assessment,
    /// What the report says beside the assessment.
    pub(super) dossier: Dossier,
    /// Whether facts that were rebuilt are not those of the snapshot.
    pub(super) unlike: bool,
    /// Whether it was judged by exactly what the bundle was judged by.
    is_same: bool,
}

impl Replay {
    /// Judges. What is judged is proven whole before any of it is.
    pub(super) fn of(question: &Question<'_>) -> anyhow::Result<Replay> {
        let mut stored = stored_input(question.input)?;
        // The files come first, because spans in the facts name them by their ids; those of the policy come after them.
        let mut files = std::mem::take(&mut stored.files);
        let unlike = question.from_raw && rebuild::from_raw(&mut stored, &mut files, question.quiet)?;
        let mut dossier = dossier::stored(question.audience, &stored, &files);
        let judged = stored.bundle.as_ref().and_then(|bundle| bundle.record.judged.as_ref());
        let own_rules = own_rules(stored.bundle.as_ref(), question.policy, question.inventory);
        let policy = match own_rules {
            Some((bundle, judged)) => stored_policy(bundle, judged, question.policy, &mut files)?,
            None => {
                let inventory = input::inventory(&mut files, question.inventory, question.no_inventory)?;
                if let Some(named) = &inventory {
                    dossier = Dossier { run: dossier.run, ..named_dossier(question, named)? };
                }
                input::policy(&mut files, question.policy, inventory.as_ref())?
            }
        };
        let as_of = question.policy.as_of.or(judged.map(|judged| judged.as_of)).unwrap_or_else(check::today);
        // A run that knew an earlier one tells the same history again.
        let past = match question.previous {
            Some(path) => Some(previous(path, &policy, stored.date)?),
            None => stored.past.take(),
        };
        let mut gallery = Gallery::default();
        let mut assessment = stored.assess(&policy, as_of, |target, judged| {
            Part::of(&target.name, &target.facts).into_iter().for_each(|part| gallery.add(part, judged));
        })?;
        dossier.pictures = gallery.finish();
        assessment.history = past.map(|past| Box::new(engine::history::history(past, &assessment, stored.date)));
        let chooses = selects(question.policy) || !question.policy.answers.is_empty() || question.previous.is_some();
        let is_same = own_rules.is_some_and(|(_, judged)| judged.as_of == as_of) && !chooses;
        Ok(Replay { stored, files, assessment, dossier, unlike, is_same })
    }

    /// Lets the report say what it was made from.
    pub(super) fn name_origin(&mut self) {
        self.dossier.origin = Some(match &self.stored.bundle {
            Some(bundle) => dossier::of_bundle(self.stored.path(), &bundle.manifest_sha256),
            None => dossier::of_snapshot(self.stored.path(), &self.stored.sha256),
        });
        self.dossier.artefacts = std::mem::take(&mut self.stored.artefacts);
    }

    /// Where the collecting run located findings without a place in a file.
    pub(super) fn home(&self) -> Option<&str> {
        self.stored.header.inventory.as_deref()
    }

    /// The bundle with what it was judged by, if that is what it was judged by again.
    pub(super) fn same_rules(&self) -> Option<(&Opened, &Judged)> {
        let bundle = self.stored.bundle.as_ref().filter(|_| self.is_same)?;
        Some((bundle, bundle.record.judged.as_ref()?))
    }
}

fn named_dossier(question: &Question<'_>, named: &LoadedInventory) -> anyhow::Result<Dossier> {
    dossier::dossier(question.audience, Some(named))
}

/// The bundle with what its run judged by, unless there is none or the arguments name rules of their own.
pub(super) fn own_rules<'a>(
    bundle: Option<&'a Opened>,
    policy: &PolicyArgs,
    inventory: Option<&Path>,
) -> Option<(&'a Opened, &'a Judged)> {
    let names_rules = inventory.is_some()
        || policy.profile.is_some()
        || !policy.pack.is_empty()
        || !policy.param.is_empty()
        || !policy.waivers.is_empty();
    let bundle = bundle.filter(|_| !names_rules)?;
    Some((bundle, bundle.record.judged.as_ref()?))
}

/// Whether the arguments choose some of the rules.
fn selects(policy: &PolicyArgs) -> bool {
    !policy.only.is_empty() || !policy.skip.is_empty()
}

/// The policy that the run of a bundle judged by.
pub(super) fn stored_policy(
    bundle: &Opened,
    judged: &Judged,
    policy: &PolicyArgs,
    files: &mut Files,
) -> anyhow::Result<Policy> {
    let mut sources = sources(bundle, judged).context("the rules of the bundle cannot be read")?;
    if selects(policy) {
        (sources.only, sources.skip) = (policy.only.clone(), policy.skip.clone());
    }
    // Other answers to the same questions are no other rules.
    if !policy.answers.is_empty() {
        sources.answers = input::answers_files(&policy.answers, None)?;
    }
    input::build(files, &sources)
}

/// What the policy of the bundle was built from.
fn sources(bundle: &Opened, judged: &Judged) -> anyhow::Result<PolicySources> {
    let read = |stored: &Stored| -> anyhow::Result<Source> {
        Ok((stored.path.clone(), bundle.read(&stored.file).with_context(|| stored.file.clone())?))
    };
    let all = |stored: &[Stored]| stored.iter().map(read).collect::<anyhow::Result<Vec<Source>>>();
    let packs = judged.packs.iter().map(|pack| Ok(PackSource { own: pack.own, files: all(&pack.files)? }));
    Ok(PolicySources {
        packs: packs.collect::<anyhow::Result<_>>()?,
        profile: read(&judged.profile)?,
        built_in_profile: judged.built_in_profile,
        params: judged.params.clone(),
        only: judged.only.clone(),
        skip: judged.skip.clone(),
        waivers: all(&judged.waivers)?,
        answers: judged.answers.iter().map(|file| answers(bundle, file)).collect::<anyhow::Result<_>>()?,
    })
}

/// A file of answers, with what its answers rest on as it was found then.
fn answers(bundle: &Opened, stored: &StoredAnswers) -> anyhow::Result<AnswersFile> {
    let shown = stored.shown.iter().map(|item| {
        let content = match (&item.file, &item.problem) {
            (Some(file), _) => Ok(bundle.read(file).with_context(|| file.clone())?),
            (None, problem) => Err(problem.clone().unwrap_or_default()),
        };
        Ok(Shown { written: item.written.clone(), path: item.path.clone(), content })
    });
    let bytes = bundle.read(&stored.file).with_context(|| stored.file.clone())?;
    Ok(AnswersFile { path: stored.path.clone(), bytes, shown: shown.collect::<anyhow::Result<_>>()? })
}
