//! Runs that were stored, as a bundle or as a snapshot: what `evaluate`, `diff` and `--previous` read, and how they judge it.
//!
//! [`stored_input`] is the one place that knows what a stored run looks like on disk. A bundle is verified before anything
//! of it is used, and a snapshot is proven whole.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use jiff::civil::Date;

use crate::bundle::{self, Opened};
use crate::diag::Files;
use crate::engine::{self, Assembler};
use crate::facts::domain::Time;
use crate::facts::stored::{self, ArtefactHead, Header, StoredCoverage, StoredTarget};
use crate::findings::history::Past;
use crate::findings::{AssessedTarget, Assessment, Shared};
use crate::policy::Policy;

/// A stored run, proven whole.
pub(super) struct StoredInput {
    path: PathBuf,
    /// The bundle that holds it, when one does.
    pub(super) bundle: Option<Opened>,
    /// Who collected, when, and from where.
    pub(super) header: Header,
    /// The files that spans in its facts name by their ids.
    pub(super) files: Files,
    /// What was looked at, and what was not.
    pub(super) coverage: StoredCoverage,
    /// The day on which its collection started, UTC.
    pub(super) date: Date,
    /// What the run before it had found.
    pub(super) past: Option<Past>,
    /// The raw artefacts without their bytes.
    pub(super) artefacts: Vec<ArtefactHead>,
    /// SHA-256 of the snapshot.
    pub(super) sha256: String,
    /// Its targets with facts that were rebuilt from the raw evidence, which take the place of the stored ones.
    pub(super) rebuilt: Option<Vec<StoredTarget>>,
}

/// Reads a stored run but its facts.
pub(super) fn stored_input(path: &Path) -> anyhow::Result<StoredInput> {
    let bundle = if bundle::is_bundle(path) { Some(bundle::open::open(path)?) } else { None };
    let unusable = || format!("{} cannot be used", path.display());
    let checked = stored::check(open(path, bundle.as_ref())?).with_context(unusable)?;
    let past = checked.history.as_ref().map(Past::from_stored).transpose().with_context(unusable)?;
    let date = day(checked.header.started).with_context(unusable)?;
    let stored::Checked { header, files, coverage, artefacts, sha256, .. } = checked;
    let path = path.to_owned();
    Ok(StoredInput { path, bundle, header, files, coverage, date, past, artefacts, sha256, rebuilt: None })
}

impl StoredInput {
    /// Where it is stored.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Hands over the targets with their facts, one by one.
    pub(super) fn targets(&self, each: impl FnMut(StoredTarget)) -> anyhow::Result<()> {
        if let Some(rebuilt) = &self.rebuilt {
            rebuilt.iter().cloned().for_each(each);
            return Ok(());
        }
        let input = open(&self.path, self.bundle.as_ref())?;
        stored::targets(input, each).with_context(|| format!("{} cannot be used", self.path.display()))
    }

    /// Judges every target as of a date. `each` is given the facts before they are dropped, and what was found.
    pub(super) fn assess(
        &self,
        policy: &Policy,
        as_of: Date,
        mut each: impl FnMut(StoredTarget, &AssessedTarget),
    ) -> anyhow::Result<Assessment> {
        let (mut targets, mut shared) = (Vec::new(), Shared::default());
        self.targets(|target| {
            let (kind, facts) = (target.facts.kind(), target.facts.group());
            let judged = engine::assess_target(policy, kind, &target.name, target.anchor, facts, as_of);
            each(target, &judged);
            targets.push(shared.share(judged));
        })?;
        let mut assembler = Assembler::new(policy.clone(), as_of);
        assembler.extend(targets);
        Ok(assembler.finish(self.coverage.coverage()))
    }
}

/// What an earlier run leaves for one that started on `today`, judged by the rules of now as of the earlier day.
pub(super) fn previous(path: &Path, policy: &Policy, today: Date) -> anyhow::Result<Past> {
    let input = stored_input(path).with_context(|| format!("--previous {}", path.display()))?;
    if input.date > today {
        bail!("--previous {}: it was collected on {}, after this run ({today})", path.display(), input.date);
    }
    let assessment = input.assess(policy, input.date, |_, _| ())?;
    Ok(engine::history::remember(input.past.as_ref(), &assessment, input.date))
}

/// The day of a time, UTC.
pub(super) fn day(time: Time) -> anyhow::Result<Date> {
    let time = jiff::Timestamp::from_second(time.0).map_err(|_| anyhow!("the time of its start is out of range"))?;
    Ok(time.to_zoned(jiff::tz::TimeZone::UTC).date())
}

/// The lines of the snapshot, from their beginning.
fn open(path: &Path, bundle: Option<&Opened>) -> anyhow::Result<impl BufRead + use<>> {
    let input: Box<dyn Read> = match bundle {
        Some(bundle) => Box::new(bundle.snapshot()?),
        // Opening a pipe waits for a writer that may never come, and a snapshot is read twice.
        None if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file()) => {
            bail!("cannot read {}: it is not a regular file", path.display());
        }
        None => Box::new(File::open(path).with_context(|| format!("cannot read {}", path.display()))?),
    };
    Ok(BufReader::with_capacity(1 << 16, input))
}
