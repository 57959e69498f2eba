//! Keeping a run as an evidence bundle: what goes into it, and the results that it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::dossier;
use super::input::{self, PolicySources, Source};
use crate::bundle::record::{
    FORMAT, Judged, Operator, Stored, StoredAnswers, StoredPack, StoredResult, StoredShown, Tool, redacted,
};
use crate::bundle::ssh::SigningKey;
use crate::bundle::{self, Bundle, Event, Record, Start};
use crate::cli::OutArgs;
use crate::diag::{FileId, Files};
use crate::facts::ArtefactKind;
use crate::facts::stored::{self, ArtefactHead, SnapshotError, Vantage};
use crate::findings::Assessment;
use crate::policy::AnswersFile;
use crate::reports::dossier::Origin;
use crate::reports::{self, Audience, Dossier, Format};

/// The results that a bundle holds, by the files that hold them.
const RESULTS: [(Format, &str); 9] = [
    (Format::Json, "data/results.json"),
    (Format::Jsonl, "data/results.jsonl"),
    (Format::Sarif, "data/results.sarif"),
    (Format::Markdown, "data/results.md"),
    (Format::Junit, "data/results.junit.xml"),
    (Format::Csv, "data/results.csv"),
    (Format::Oscal, "data/results.oscal.json"),
    (Format::Hdf, "data/results.hdf.json"),
    (Format::Html, "data/report.html"),
];

/// What the bundle says to people who open it.
const README: &str = "\
This is an evidence bundle of mailvet: what one run saw, used and said. It is a BagIt folder (RFC 8493).

Check it, in the folder above this one:      sha256sum -c manifest-sha256.txt
Check it and say what was changed:           mailvet verify BUNDLE
Check who signed it, when it is signed:      ssh-keygen -Y verify -f SIGNERS -I NAME -n file -s manifest-sha256.txt.sig < manifest-sha256.txt
Judge it again, to the same bytes:           mailvet evaluate BUNDLE

run.json         who ran what, when, from where, and which files hold what the run used
custody.jsonl    what happened to the evidence; each line holds the SHA-256 of the one before
snapshot.jsonl   the facts, each with its place in the evidence
evidence/        what was received, readable (.txt) and byte for byte; evidence.jsonl is the index
inputs/          inventory, DNS files and other files that the run read
policy/          rule packs, profile, waivers and answers that it judged by
answers/         files that answers of people rest on
results.*        what it said
report.html      the same for people; it prints, and asks for nothing from anywhere
";

/// What a run over files is asked to keep, and what came before it.
#[derive(Default)]
pub(super) struct Wanted<'a> {
    /// The bundle.
    pub(super) out: OutArgs,
    /// The run before.
    pub(super) previous: Option<&'a Path>,
    /// Whether a bundle that was left incomplete is gone on with.
    pub(super) resume: bool,
}

/// A bundle that a run writes.
pub(super) struct Keep {
    bundle: Bundle,
    key: Option<SigningKey>,
}

/// What a run leaves behind, beside its snapshot.
pub(super) struct Left<'a> {
    /// Files and the texts of evidence.
    pub(super) files: &'a Files,
    /// Which of the files are policy.
    pub(super) of_policy: Range<usize>,
    /// Files that were read and are not among these.
    pub(super) inputs: Vec<Source>,
    /// From where and how was looked.
    pub(super) vantage: Vantage,
    /// Where findings without a place are located.
    pub(super) home: Option<String>,
    /// By what was judged, and what came of it.
    pub(super) judged: Option<(&'a PolicySources, &'a Assessment)>,
    /// What the report for people says beside that.
    pub(super) dossier: &'a Dossier,
}

/// A bundle that is complete, as what a report is made from.
pub(super) struct Kept {
    pub(super) origin: Origin,
    /// The raw artefacts in it, without their bytes.
    pub(super) artefacts: Vec<ArtefactHead>,
}

impl Keep {
    /// Reads the key, before anything else is done.
    pub(super) fn key(args: &OutArgs) -> anyhow::Result<Option<SigningKey>> {
        let Some(path) = &args.sign else { return Ok(None) };
        let text = String::from_utf8(input::read(path)?).ok();
        let key = text.ok_or(bundle::ssh::KeyError::NotAKey).and_then(|text| SigningKey::parse(&text));
        key.map(Some).with_context(|| format!("--sign {}", path.display()))
    }

    /// Starts a bundle, or goes on with one, when the arguments ask for it.
    pub(super) fn begin(args: &OutArgs, key: Option<SigningKey>, resume: bool) -> anyhow::Result<Option<Keep>> {
        let Some(root) = &args.out else { return Ok(None) };
        let bundle = if resume { Bundle::resume(root, &now())? } else { Bundle::begin(root, start())? };
        Ok(Some(Keep { bundle, key }))
    }

    /// Where the snapshot is written.
    pub(super) fn snapshot(&self) -> PathBuf {
        self.bundle.path(bundle::SNAPSHOT)
    }

    /// Writes everything else, and completes the bundle.
    pub(super) fn finish(mut self, left: &Left<'_>, quiet: bool) -> anyhow::Result<Kept> {
        let bundle = &mut self.bundle;
        bundle.adopt(bundle::SNAPSHOT)?;
        let snapshot = json!({ "sha256": bundle.digest(bundle::SNAPSHOT) });
        bundle.event(Event::Collected, &now(), details(snapshot))?;
        bundle.add("data/README.txt", README.as_bytes())?;
        let inputs = inputs(bundle, left)?;
        let artefacts = evidence(bundle, left.files)?;
        let snapshot = bundle.digest(bundle::SNAPSHOT).unwrap_or_default().to_owned();
        let dossier = dossier(left.dossier, &snapshot, artefacts);
        let judged = |(sources, assessment)| judged(bundle, sources, assessment, left, &dossier);
        let judged = left.judged.map(judged).transpose()?;
        let Start { tool, arguments, operator, started, .. } = bundle.start().clone();
        let record = Record {
            format: FORMAT,
            tool,
            arguments,
            operator,
            started,
            ended: now(),
            resumed: bundle.resumed().to_vec(),
            clock: "the clock of the collecting machine, UTC, compared with no other".to_owned(),
            vantage: left.vantage.clone(),
            inputs,
            judged,
            signer: self.key.as_ref().map(|key| key.public().line()),
        };
        let path = self.bundle.shown().to_owned();
        let sealed = self.bundle.seal(&record, self.key.as_ref())?;
        if !quiet {
            let shown = path.display();
            let text = format!(
                "bundle {shown}: {} files, manifest {}; `mailvet verify {shown}` checks it",
                sealed.files, sealed.manifest_sha256,
            );
            let _ = writeln!(anstream::stderr(), "{}", crate::diag::visible(&text));
        }
        Ok(Kept { origin: dossier::of_bundle(&path, &sealed.manifest_sha256), artefacts: dossier.artefacts })
    }
}

/// The moment, UTC, to the second.
fn now() -> String {
    let now = jiff::Timestamp::now();
    jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

fn start() -> Start {
    let of = |names: &[&str]| names.iter().find_map(|name| std::env::var(name).ok()).filter(|text| !text.is_empty());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|text| text.trim().to_owned());
    Start {
        incomplete: "This run was not finished. `mailvet collect --resume FOLDER` goes on with it.".to_owned(),
        format: FORMAT,
        tool: Tool {
            name: "mailvet".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sha256: std::env::current_exe().ok().and_then(|path| bundle::file_digest(&path).ok()),
            platform: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        },
        arguments: redacted(std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned())),
        operator: Operator {
            user: of(&["USER", "LOGNAME", "USERNAME"]),
            host: host.or_else(|| of(&["HOSTNAME", "COMPUTERNAME"])),
        },
        started: now(),
    }
}

fn details(value: Value) -> BTreeMap<String, Value> {
    match value {
        Value::Object(map) => map.into_iter().collect(),
        _ => BTreeMap::new(),
    }
}

/// The files that the run read, each once.
fn inputs(bundle: &mut Bundle, left: &Left<'_>) -> anyhow::Result<Vec<Stored>> {
    let is_input = |(id, file): &(FileId, &crate::diag::SourceFile)| {
        file.evidence.is_none() && !file.path.is_empty() && !left.of_policy.contains(&(id.0 as usize))
    };
    let read = left.files.iter().filter(is_input).map(|(_, file)| (file.path.as_str(), file.bytes.as_slice()));
    let others = left.inputs.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()));
    let logo = dossier::logo_source(left.dossier, left.home.as_deref());
    let mut stored = Vec::new();
    let mut seen = BTreeSet::new();
    for (path, bytes) in read.chain(others).chain(logo.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))) {
        // A run that was gone on with has read its files twice.
        if seen.insert((path, bundle::sha256(bytes))) {
            stored.push(keep(bundle, "data/inputs", path, bytes)?);
        }
    }
    Ok(stored)
}

fn keep(bundle: &mut Bundle, folder: &str, path: &str, bytes: &[u8]) -> anyhow::Result<Stored> {
    let file = bundle.name(folder, path, "");
    bundle.add(&file, bytes)?;
    Ok(Stored { path: path.to_owned(), file })
}

/// The evidence: readable texts, the bytes as received where they are others, and an index.
fn evidence(bundle: &mut Bundle, files: &Files) -> anyhow::Result<Vec<ArtefactHead>> {
    let mut index: BTreeMap<FileId, Value> = BTreeMap::new();
    for (id, file) in files.iter() {
        let Some(evidence) = &file.evidence else { continue };
        let text = bundle.name("data/evidence", &file.path, ".txt");
        bundle.add(&text, &file.bytes)?;
        index.insert(id, json!({ "path": file.path, "id": evidence, "text": text }));
    }
    let mut heads: BTreeMap<FileId, ArtefactHead> = BTreeMap::new();
    let snapshot = std::fs::File::open(bundle.path(bundle::SNAPSHOT))?;
    stored::artefacts(BufReader::new(snapshot), |artefact| {
        heads.insert(artefact.file, ArtefactHead::from(&artefact));
        let Some(Value::Object(entry)) = index.get_mut(&artefact.file) else { return Ok(()) };
        let file = files.get(artefact.file);
        let raw = if *file.bytes == artefact.raw {
            entry.get("text").cloned().unwrap_or_default()
        } else {
            let extension = match artefact.kind {
                ArtefactKind::DnsMessage => ".dns",
                ArtefactKind::Transcript => ".raw",
                ArtefactKind::Certificates => ".der",
                ArtefactKind::HttpResponse => ".http",
            };
            let name = bundle.name("data/evidence", &file.path, extension);
            bundle.add(&name, &artefact.raw).map_err(|error| SnapshotError::Io(std::io::Error::other(error)))?;
            Value::from(name)
        };
        entry.insert("raw".to_owned(), raw);
        entry.insert("kind".to_owned(), json!(artefact.kind));
        entry.insert("title".to_owned(), json!(artefact.title));
        entry.insert("time".to_owned(), json!(artefact.time));
        Ok(())
    })?;
    let index = index.into_values();
    bundle.create(bundle::EVIDENCE_INDEX, |out| index.into_iter().try_for_each(|entry| writeln!(out, "{entry}")))?;
    Ok(heads.into_values().collect())
}

fn judged(
    bundle: &mut Bundle,
    sources: &PolicySources,
    assessment: &Assessment,
    left: &Left<'_>,
    dossier: &Dossier,
) -> anyhow::Result<Judged> {
    const FOLDER: &str = "data/policy";
    let mut packs = Vec::new();
    for pack in &sources.packs {
        let files = pack.files.iter().map(|(path, bytes)| keep(bundle, FOLDER, path, bytes));
        packs.push(StoredPack { own: pack.own, files: files.collect::<anyhow::Result<_>>()? });
    }
    let (path, bytes) = &sources.profile;
    let profile = keep(bundle, FOLDER, path, bytes)?;
    let waivers = sources.waivers.iter().map(|(path, bytes)| keep(bundle, FOLDER, path, bytes));
    let waivers = waivers.collect::<anyhow::Result<_>>()?;
    let answers = sources.answers.iter().map(|file| answers(bundle, FOLDER, file));
    let answers = answers.collect::<anyhow::Result<_>>()?;
    let mut results = Vec::new();
    for (format, file) in RESULTS {
        let context = context(left.files, left.home.as_deref(), dossier);
        bundle.create(file, |out| reports::render(format, assessment, &context, out))?;
        results.push(StoredResult { format: format.as_str().to_owned(), file: file.to_owned() });
    }
    let digests: BTreeMap<&str, Option<&str>> =
        results.iter().map(|result| (result.file.as_str(), bundle.digest(&result.file))).collect();
    let event = json!({ "as_of": assessment.as_of, "results": digests });
    bundle.event(Event::Judged, &now(), details(event))?;
    let PolicySources { built_in_profile, params, only, skip, .. } = sources.clone();
    let as_of = assessment.as_of;
    Ok(Judged { as_of, packs, profile, built_in_profile, params, only, skip, waivers, answers, results })
}

/// A file of answers and what its answers rest on.
fn answers(bundle: &mut Bundle, folder: &str, file: &AnswersFile) -> anyhow::Result<StoredAnswers> {
    let mut shown = Vec::new();
    for item in &file.shown {
        let kept = match &item.content {
            Ok(bytes) => Some(keep(bundle, "data/answers", &item.path, bytes)?.file),
            Err(_) => None,
        };
        let (written, path, problem) = (item.written.clone(), item.path.clone(), item.content.as_ref().err().cloned());
        shown.push(StoredShown { written, path, file: kept, problem });
    }
    let Stored { path, file } = keep(bundle, folder, &file.path, &file.bytes)?;
    Ok(StoredAnswers { path, file, shown })
}

/// How the results of a bundle are rendered: nothing of it depends on where or when.
pub(super) fn context<'a>(files: &'a Files, home: Option<&'a str>, dossier: &'a Dossier) -> reports::Context<'a> {
    reports::Context { home, dossier: Some(dossier), ..reports::Context::new(env!("CARGO_PKG_VERSION"), files) }
}

/// What the report inside a bundle says beside the assessment. It cannot name the digest of the bundle that it is a part
/// of, so it names that of the snapshot.
pub(super) fn dossier(of_run: &Dossier, snapshot_sha256: &str, artefacts: Vec<ArtefactHead>) -> Dossier {
    let name = Path::new(bundle::SNAPSHOT);
    let origin = Some(dossier::of_snapshot(name, snapshot_sha256));
    Dossier { audience: Audience::Auditor, origin, artefacts, ..of_run.clone() }
}

/// The path of an inventory, as snapshots and reports have it.
pub(super) fn home(path: Option<&Path>) -> Option<String> {
    path.map(|path| path.to_string_lossy().replace('\\', "/"))
}
