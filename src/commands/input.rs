//! What the commands read before they judge: inventory, packs, profile, waivers, answers and the files that they name.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};

use super::jail::Jail;
use super::{InputError, print_diagnostics};
use crate::cli::PolicyArgs;
use crate::collectors::PolicyFile;
use crate::diag::{self, Diagnostic, Files};
use crate::inventory::Inventory;
use crate::policy::embedded::PACKS;
use crate::policy::{
    self, AnswersFile, MAX_WAIVER_DAYS, PackDocument, Policy, Selection, Shown, build_policy, embedded_packs,
    load_answers, load_profile, load_waivers, parse_pack,
};

/// Name of the inventory that is used when none is given.
pub(super) const INVENTORY: &str = "mailvet.yaml";

/// Largest file of policy or inventory that is read, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Largest size of all evidence that the answers of a run name, in bytes. A run holds it until its bundle is written.
const MAX_SHOWN: usize = 256 * 1024 * 1024;

/// An inventory and the folder that its paths start from.
pub(super) struct LoadedInventory {
    pub(super) inventory: Inventory,
    pub(super) path: PathBuf,
    /// What its paths must not lead out of.
    pub(super) jail: Jail,
}

impl LoadedInventory {
    /// A path of the inventory, relative to the folder it stands in.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        beside(&self.path, path)
    }
}

/// A path that starts from the folder of a file.
pub(super) fn beside(file: &Path, path: &str) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.join(path),
        _ => PathBuf::from(path),
    }
}

/// Reads the inventory that was named, or `mailvet.yaml` of the current folder.
pub(super) fn inventory(
    files: &mut Files,
    named: Option<&Path>,
    none: bool,
) -> anyhow::Result<Option<LoadedInventory>> {
    let path = match named {
        Some(path) => path.to_owned(),
        None if !none && Path::new(INVENTORY).is_file() => PathBuf::from(INVENTORY),
        None => return Ok(None),
    };
    let jail = Jail::around(path.parent().unwrap_or(Path::new("")))?;
    // Nobody named this file on the command line, so it must not be a link to somewhere else either.
    if named.is_none() {
        jail.check(&path)?;
    }
    let bytes = read(&path)?;
    let inventory = Inventory::load(files, &path.to_string_lossy(), &bytes)
        .map_err(|problems| refuse(&problems, files, &format!("the inventory {} has errors", path.display())))?;
    jail.check_inventory(&inventory, |written| beside(&path, written))?;
    Ok(Some(LoadedInventory { inventory, path, jail }))
}

/// The MTA-STS policy documents that the inventory names.
pub(super) fn policy_files(files: &mut Files, loaded: &LoadedInventory) -> anyhow::Result<Vec<PolicyFile>> {
    let mut policies = Vec::new();
    for domain in &loaded.inventory.domains {
        let Some(path) = &domain.mta_sts_policy else { continue };
        let path = loaded.resolve(path);
        let bytes = read(&path).with_context(|| format!("the MTA-STS policy of {} in the inventory", domain.name))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let file = files.add(path.to_string_lossy(), bytes);
        policies.push(PolicyFile { domain: domain.name.clone(), file, text });
    }
    Ok(policies)
}

/// Everything a policy is built from, byte for byte: a bundle keeps it, so that the same policy can be built again.
#[derive(Debug, Clone, Default)]
pub(super) struct PolicySources {
    /// Packs to choose from, in order; one of the user's own replaces a built-in one of its name.
    pub(super) packs: Vec<PackSource>,
    /// The profile that chooses.
    pub(super) profile: Source,
    /// Whether the profile came with the program; then packs of the user's own are added to it.
    pub(super) built_in_profile: bool,
    /// Parameters, as `PACK.NAME=VALUE`.
    pub(super) params: Vec<String>,
    /// Rules or packs that are judged; empty for all.
    pub(super) only: Vec<String>,
    /// Rules or packs that are left out.
    pub(super) skip: Vec<String>,
    /// Files of waivers.
    pub(super) waivers: Vec<Source>,
    /// Files of answers, with the evidence that they name.
    pub(super) answers: Vec<AnswersFile>,
}

/// A path as the run knows it, and what is there.
pub(super) type Source = (String, Vec<u8>);

/// The files of a pack.
#[derive(Debug, Clone)]
pub(super) struct PackSource {
    /// Whether it is one of the user's own.
    pub(super) own: bool,
    /// Its files, in order.
    pub(super) files: Vec<Source>,
}

/// Files of answers that the inventory names, for a bundle that is judged by nothing yet.
pub(super) fn answers(loaded: &LoadedInventory) -> anyhow::Result<Vec<Source>> {
    let files = answers_files(&[], Some(loaded))?;
    let shown = |file: &AnswersFile| -> Vec<Source> {
        let read = |item: &Shown| Some((item.path.clone(), item.content.as_ref().ok()?.clone()));
        file.shown.iter().filter_map(read).collect()
    };
    Ok(files
        .iter()
        .flat_map(|file| std::iter::once((file.path.clone(), file.bytes.clone())).chain(shown(file)))
        .collect())
}

/// Reads the files of answers that the inventory and the arguments name, and the evidence that they rest on.
pub(super) fn answers_files(
    named: &[PathBuf],
    inventory: Option<&LoadedInventory>,
) -> anyhow::Result<Vec<AnswersFile>> {
    let mut files = Vec::new();
    let mut room = MAX_SHOWN;
    if let Some(loaded) = inventory {
        for path in &loaded.inventory.answers {
            files.push(answers_file(&loaded.resolve(path), &loaded.jail, &mut room)?);
        }
    }
    for path in named {
        let jail = Jail::around_answers(path.parent().unwrap_or(Path::new("")))?;
        files.push(answers_file(path, &jail, &mut room)?);
    }
    Ok(files)
}

fn answers_file(path: &Path, jail: &Jail, room: &mut usize) -> anyhow::Result<AnswersFile> {
    let bytes = read(path)?;
    let shown = policy::answers::evidence_paths(&bytes).into_iter().map(|written| {
        let found = beside(path, &written);
        let content = shown(&found, jail, room);
        Shown { written, path: found.to_string_lossy().into_owned(), content }
    });
    Ok(AnswersFile { path: path.to_string_lossy().into_owned(), shown: shown.collect(), bytes })
}

/// A file that an answer rests on, or why it cannot be read, in words that are the same on every machine.
fn shown(path: &Path, jail: &Jail, room: &mut usize) -> Result<Vec<u8>, String> {
    if !jail.holds(path) {
        return Err(format!("it leads outside {}", jail.is()));
    }
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err("it is not there".to_owned()),
        Ok(meta) if !meta.is_file() => return Err("it is not a regular file".to_owned()),
        Ok(meta) if meta.len() > MAX_FILE => return Err(format!("it is larger than {} MiB", MAX_FILE / 1024 / 1024)),
        _ => {}
    }
    let bytes = read(path).map_err(|_| "it cannot be read".to_owned())?;
    let left = room.checked_sub(bytes.len());
    *room =
        left.ok_or_else(|| format!("the evidence of all answers is larger than {} MiB", MAX_SHOWN / 1024 / 1024))?;
    Ok(bytes)
}

/// Builds the policy of a run from arguments and inventory.
pub(super) fn policy(
    files: &mut Files,
    args: &PolicyArgs,
    inventory: Option<&LoadedInventory>,
) -> anyhow::Result<Policy> {
    build(files, &sources(args, inventory)?)
}

/// Reads what the policy of a run is built from.
pub(super) fn sources(args: &PolicyArgs, inventory: Option<&LoadedInventory>) -> anyhow::Result<PolicySources> {
    let mut packs: Vec<PackSource> = PACKS
        .iter()
        .map(|pack| {
            let files = pack.files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect();
            PackSource { own: false, files }
        })
        .collect();
    for folder in &args.pack {
        packs.push(PackSource { own: true, files: pack_files(folder)? });
    }
    let (profile, built_in_profile) = profile(args, inventory)?;
    let mut waivers = Vec::new();
    let named = inventory.iter().flat_map(|loaded| loaded.inventory.waivers.iter().map(|path| loaded.resolve(path)));
    for path in named.chain(args.waivers.iter().cloned()) {
        waivers.push((path.to_string_lossy().into_owned(), read(&path)?));
    }
    let (params, only, skip) = (args.param.clone(), args.only.clone(), args.skip.clone());
    let answers = answers_files(&args.answers, inventory)?;
    Ok(PolicySources { packs, profile, built_in_profile, params, only, skip, waivers, answers })
}

/// Builds a policy from what was read.
pub(super) fn build(files: &mut Files, sources: &PolicySources) -> anyhow::Result<Policy> {
    let mut packs: Vec<PackDocument> = Vec::new();
    let mut own = Vec::new();
    for source in &sources.packs {
        let pack = parse_pack(files, &source.files).map_err(|problems| {
            let path = Path::new(source.files.first().map_or("", |(path, _)| path));
            let of = if source.files.len() == 1 { path } else { path.parent().unwrap_or(path) };
            refuse(&problems, files, &format!("the pack {} has errors", of.display()))
        })?;
        if source.own {
            own.push(pack.name.value.clone());
            packs.retain(|known| known.name.value != pack.name.value);
        }
        packs.push(pack);
    }
    let (path, bytes) = &sources.profile;
    let mut profile = load_profile(files, path, bytes)
        .map_err(|problems| refuse(&problems, files, &format!("the profile {path} has errors")))?;
    if sources.built_in_profile {
        own.iter().for_each(|pack| profile.use_pack(pack));
    }
    let selection =
        Selection { params: params(&sources.params)?, only: sources.only.clone(), skip: sources.skip.clone() };
    let mut policy = build_policy(&packs, &profile, &selection)
        .map_err(|problems| refuse(&problems, files, "the policy has errors"))?;
    let waivers = load_waivers(files, &sources.waivers, MAX_WAIVER_DAYS);
    // A waiver that cannot be read does not apply, and a run that goes on without it would blame the wrong thing.
    if print_diagnostics(&waivers.diagnostics, files) {
        return Err(InputError("a waiver has errors; nothing was judged".to_owned()).into());
    }
    policy.waivers = waivers.waivers;
    policy.answers = load_answers(files, &sources.answers);
    let known = packs
        .iter()
        .flat_map(|pack| pack.rules.iter().map(move |rule| format!("{}/{}", pack.name.value, rule.id.value)));
    let known: Vec<String> = known.collect();
    policy::answers::check_answers(&mut policy, known.iter().map(String::as_str));
    // Unlike a waiver, an answer that cannot be used accuses nobody: its rule goes on waiting, and the report says so.
    print_diagnostics(&policy.answers.diagnostics, files);
    Ok(policy)
}

/// The profile that was asked for, and whether it is a built-in one.
fn profile(args: &PolicyArgs, inventory: Option<&LoadedInventory>) -> anyhow::Result<(Source, bool)> {
    let named = match &args.profile {
        Some(name) => Some(PathBuf::from(name)),
        None => inventory.and_then(|loaded| loaded.inventory.profile.as_ref().map(|path| loaded.resolve(path))),
    };
    let name = named.unwrap_or_else(|| PathBuf::from("default"));
    if name.is_file() || name.extension().is_some() {
        return Ok(((name.to_string_lossy().into_owned(), read(&name)?), false));
    }
    let text = name.to_string_lossy();
    let path = format!("policies/profiles/{text}.yaml");
    let known = policy::embedded::PROFILES.iter().find(|(known, _)| *known == path);
    let (path, bytes) = known.ok_or_else(|| {
        let names = profile_names();
        let hint = diag::suggest(&text, names.iter().map(String::as_str))
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        anyhow!("no profile or file is called `{text}`{hint} (built in: {})", names.join(", "))
    })?;
    Ok((((*path).to_owned(), bytes.to_vec()), true))
}

/// Names of the built-in profiles.
fn profile_names() -> Vec<String> {
    policy::embedded::PROFILES
        .iter()
        .filter_map(|(path, _)| Some(path.strip_prefix("policies/profiles/")?.strip_suffix(".yaml")?.to_owned()))
        .collect()
}

/// The packs that the binary carries.
pub(super) fn built_in(files: &mut Files) -> anyhow::Result<Vec<PackDocument>> {
    embedded_packs(files).map_err(|problems| refuse(&problems, files, "a built-in pack has errors"))
}

/// Reads a pack from a folder: `pack.yaml` and every other YAML file in it; or a single file.
pub(super) fn pack_folder(files: &mut Files, folder: &Path) -> anyhow::Result<PackDocument> {
    parse_pack(files, &pack_files(folder)?)
        .map_err(|problems| refuse(&problems, files, &format!("the pack {} has errors", folder.display())))
}

/// The files of a pack.
fn pack_files(folder: &Path) -> anyhow::Result<Vec<Source>> {
    if folder.is_file() {
        return Ok(vec![(folder.to_string_lossy().into_owned(), read(folder)?)]);
    }
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read the pack {}", folder.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_file() && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        bail!("{} holds no YAML file; a pack is a folder with pack.yaml", folder.display());
    }
    paths.into_iter().map(|path| Ok((path.to_string_lossy().into_owned(), read(&path)?))).collect()
}

/// Reads `pack.name=value`.
fn params(texts: &[String]) -> anyhow::Result<Vec<(String, String, String)>> {
    texts
        .iter()
        .map(|text| {
            let (path, value) =
                text.split_once('=').ok_or_else(|| anyhow!("--param {text}: expected PACK.NAME=VALUE"))?;
            let (pack, name) =
                path.split_once('.').ok_or_else(|| anyhow!("--param {text}: expected PACK.NAME=VALUE"))?;
            Ok((pack.to_owned(), name.to_owned(), value.to_owned()))
        })
        .collect()
}

/// Reads a file that people wrote, within bounds.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    use std::io::Read as _;
    // Opening a pipe waits for a writer that may never come.
    if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        bail!("cannot read {}: it is not a regular file", path.display());
    }
    let file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() as u64 > MAX_FILE {
        bail!("{} is larger than {} MiB", path.display(), MAX_FILE / 1024 / 1024);
    }
    Ok(bytes)
}

/// Prints what is wrong and says that nothing was judged.
fn refuse(problems: &[Diagnostic], files: &Files, message: &str) -> anyhow::Error {
    print_diagnostics(problems, files);
    InputError(format!("{message}; nothing was judged")).into()
}
