//! `mailvet evaluate`: judge a stored snapshot, without any network.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::{check, dossier, input, output};
use crate::cli::{EvaluateArgs, PolicyArgs};
use crate::diag::Files;
use crate::engine::{self, Assembler};
use crate::facts::stored;
use crate::findings::Assessment;
use crate::reports::dossier::picture::{Gallery, Part};
use crate::reports::{Audience, Dossier};

/// Reads, judges and reports.
pub(super) fn run(args: &EvaluateArgs) -> anyhow::Result<u8> {
    output::validate(&args.report)?;
    let question = Question {
        snapshot: &args.snapshot,
        inventory: args.inventory.as_deref(),
        no_inventory: args.no_inventory,
        policy: &args.policy,
        audience: args.report.audience,
        pictures: output::has_pictures(&args.report),
    };
    let judged = judge(&question)?;
    // Findings without a place in a file are located where the collecting run located them.
    let home = judged.home().map(Path::new);
    output::write(&args.report, &judged.assessment, &judged.files, home, &judged.dossier)?;
    Ok(output::exit_code(&args.report, &judged.assessment, &[]))
}

/// What is judged, and by what.
pub(super) struct Question<'a> {
    pub(super) snapshot: &'a Path,
    pub(super) inventory: Option<&'a Path>,
    pub(super) no_inventory: bool,
    pub(super) policy: &'a PolicyArgs,
    pub(super) audience: Audience,
    /// Whether a report shows pictures of domains.
    pub(super) pictures: bool,
}

/// A judged snapshot.
pub(super) struct Judged {
    pub(super) assessment: Assessment,
    pub(super) files: Files,
    pub(super) dossier: Dossier,
    /// What is known of the raw artefacts.
    pub(super) artefacts: Vec<stored::ArtefactHead>,
    /// SHA-256 of the snapshot.
    pub(super) sha256: String,
}

impl Judged {
    /// The inventory of the run that collected.
    pub(super) fn home(&self) -> Option<&str> {
        self.dossier.run.as_ref()?.inventory.as_deref()
    }
}

/// Judges a snapshot. It is proven whole before any of it is judged.
pub(super) fn judge(question: &Question<'_>) -> anyhow::Result<Judged> {
    let path = question.snapshot;
    let checked = stored::check(open(path)?).with_context(|| format!("{} cannot be used", path.display()))?;
    // The files come first, because spans in the facts name them by their ids; those of the policy come after them.
    let mut files = checked.files;
    let inventory = input::inventory(&mut files, question.inventory, question.no_inventory)?;
    let policy = input::policy(&mut files, question.policy, inventory.as_ref())?;
    let mut dossier = dossier::dossier(question.audience, inventory.as_ref())?;
    let as_of = question.policy.as_of.unwrap_or_else(check::today);
    let mut targets = Vec::new();
    let mut gallery = Gallery::default();
    stored::targets(open(path)?, |target| {
        let (kind, facts) = (target.facts.kind(), target.facts.group());
        targets.push(engine::assess_target(&policy, kind, &target.name, target.anchor, facts, as_of));
        if question.pictures {
            Part::of(&target.name, &target.facts).into_iter().for_each(|part| gallery.add(part));
        }
    })
    .with_context(|| format!("{} cannot be used", path.display()))?;
    dossier.pictures = gallery.finish();
    dossier.run = Some(checked.header);
    let mut assembler = Assembler::new(policy, as_of);
    assembler.extend(targets);
    let assessment = assembler.finish(checked.coverage.coverage());
    Ok(Judged { assessment, files, dossier, artefacts: checked.artefacts, sha256: checked.sha256 })
}

fn open(path: &Path) -> anyhow::Result<BufReader<File>> {
    // Opening a pipe waits for a writer that may never come, and a snapshot is read twice.
    if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
        bail!("cannot read {}: it is not a regular file", path.display());
    }
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(BufReader::with_capacity(1 << 16, file))
}
