//! Profiles: which packs are used, in which version, with which parameters, and which rules are left out or re-rated.
//!
//! A profile selects; it cannot change what a rule checks. Each exclusion and each new severity has a reason, and every
//! rule that is not selected is listed with the reason for it.

use std::collections::{BTreeMap, BTreeSet};

use semver::VersionReq;

use super::document::{PackDocument, ParamValues, SEVERITIES};
use super::load::{param_from_text, read_param, reference, resolve_rule};
use super::model::{NotSelected, Policy, Rule, Severity};
use crate::diag::fields::{Fields, Problems, word};
use crate::diag::yaml::{Entry, Limits, Node, Spanned, parse, shortened};
use crate::diag::{Diagnostic, Files, suggest};

/// The most rules in one policy.
const MOST_RULES: usize = 10_000;

/// A profile as written.
#[derive(Debug, Clone)]
pub struct ProfileDocument {
    /// Name.
    pub name: Spanned<String>,
    /// What the profile is for; empty when not given.
    pub title: String,
    /// The packs in use.
    pub uses: Vec<UsePack>,
    /// Rules of a lower severity are left out.
    pub severity_at_least: Option<Severity>,
    /// Rules that are left out.
    pub exclude: Vec<Exclusion>,
    /// Parameters by pack; read when the packs are known.
    params: Vec<(Spanned<String>, Vec<Entry>)>,
    /// New severities.
    pub overrides: Vec<Override>,
}

impl ProfileDocument {
    /// Adds a pack of any version, unless the profile uses it already.
    pub fn use_pack(&mut self, name: &str) {
        if self.uses.iter().all(|used| used.pack.value != name) {
            let pack = Spanned { value: name.to_owned(), span: self.name.span };
            self.uses.push(UsePack { pack, version: None, sha256: None });
        }
    }
}

/// A pack in use.
#[derive(Debug, Clone)]
pub struct UsePack {
    /// Name of the pack.
    pub pack: Spanned<String>,
    /// Versions that may be used; any when not given.
    pub version: Option<Spanned<VersionReq>>,
    /// The digest that the pack must have.
    pub sha256: Option<Spanned<String>>,
}

/// A rule that is left out.
#[derive(Debug, Clone)]
pub struct Exclusion {
    /// Full id of the rule.
    pub rule: Spanned<String>,
    /// Why.
    pub reason: String,
}

/// A new severity for a rule.
#[derive(Debug, Clone)]
pub struct Override {
    /// Full id of the rule.
    pub rule: Spanned<String>,
    /// The severity.
    pub severity: Severity,
    /// Why.
    pub reason: String,
}

/// What the command line adds to a profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Parameters: pack, name, value. They take precedence over the profile.
    pub params: Vec<(String, String, String)>,
    /// If not empty, only these rules: ids, names of packs, or `pack/*`.
    pub only: Vec<String>,
    /// Not these rules: ids, names of packs, or `pack/*`.
    pub skip: Vec<String>,
}

/// Registers and reads a profile.
pub fn load_profile(files: &mut Files, path: &str, bytes: &[u8]) -> Result<ProfileDocument, Vec<Diagnostic>> {
    let file = files.add(path, bytes);
    let mut out = Problems::new();
    let node = parse(files, file, &Limits::POLICY, &mut out);
    let profile = node.and_then(|node| read(&node, &mut out));
    out.sort_by_key(|problem| problem.span);
    match profile {
        Some(profile) if out.is_empty() => Ok(profile),
        _ => Err(out),
    }
}

fn read(node: &Node, out: &mut Problems) -> Option<ProfileDocument> {
    let keys = ["profile", "title", "use", "select", "params", "override"];
    let fields = Fields::read(node, "a profile", &keys, out)?;
    let name = fields.text("profile", "give the profile a name", out);
    let title = fields.optional_text("title", out).map(|title| title.value).unwrap_or_default();
    fields.require("use", "list the packs: `use: [ { pack: spoofing, version: \"^1\" } ]`", out);
    let uses: Vec<UsePack> = fields.items("use", out).iter().filter_map(|item| use_pack(item, out)).collect();
    for (index, used) in uses.iter().enumerate() {
        if uses.iter().take(index).any(|earlier| earlier.pack.value == used.pack.value) {
            let message = format!("the pack `{}` is used twice", used.pack.value);
            out.push(Diagnostic::error("profile-use", message).at(used.pack.span));
        }
    }
    let (severity_at_least, exclude) = fields.get("select").map(|node| select(node, out)).unwrap_or_default();
    let params = by_key(&fields, "params", out).iter().filter_map(|entry| pack_params(entry, out)).collect();
    let overrides = by_key(&fields, "override", out).iter().filter_map(|entry| override_of(entry, out)).collect();
    Some(ProfileDocument { name: name?, title, uses, severity_at_least, exclude, params, overrides })
}

fn by_key<'n>(fields: &Fields<'n>, key: &'static str, out: &mut Problems) -> &'n [Entry] {
    let what = if key == "params" { "`params`" } else { "`override`" };
    fields.get(key).and_then(|node| Fields::any(node, what, out)).map_or(&[], |fields| fields.entries())
}

fn use_pack(node: &Node, out: &mut Problems) -> Option<UsePack> {
    let fields = Fields::read(node, "an item of `use`", &["pack", "version", "sha256"], out)?;
    let pack = fields.text("pack", "name the pack", out);
    let version = fields.optional_text("version", out).and_then(|written| match VersionReq::parse(&written.value) {
        Ok(version) => Some(Spanned::new(version, written.span)),
        Err(error) => {
            let message = format!("`{}` is not a requirement of versions: {error}", shortened(&written.value));
            let problem = Diagnostic::error("profile-version", message).at(written.span);
            out.push(problem.help("write `^1.2` for 1.2 and later but not 2, or `=1.2.3`"));
            None
        }
    });
    let sha256 = fields.optional_text("sha256", out).and_then(|written| {
        let value = written.value.to_ascii_lowercase();
        if value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some(Spanned::new(value, written.span));
        }
        let problem = Diagnostic::error("profile-sha256", "a SHA-256 digest has 64 hexadecimal digits");
        out.push(problem.at(written.span).help("`mailvet pack list` shows the digest of each pack"));
        None
    });
    Some(UsePack { pack: pack?, version, sha256 })
}

fn select(node: &Node, out: &mut Problems) -> (Option<Severity>, Vec<Exclusion>) {
    let Some(fields) = Fields::read(node, "`select`", &["severity_at_least", "exclude"], out) else {
        return (None, Vec::new());
    };
    let least = fields.get("severity_at_least").and_then(|node| word(node, "severity_at_least", SEVERITIES, out));
    let exclude = fields.items("exclude", out).iter().filter_map(|item| exclusion(item, out)).collect();
    (least.map(|least| least.value), exclude)
}

fn exclusion(node: &Node, out: &mut Problems) -> Option<Exclusion> {
    let fields = Fields::read(node, "an exclusion", &["rule", "reason"], out)?;
    let rule = fields.text("rule", "name the rule with its full id, such as `spoofing/dmarc-not-enforced`", out);
    let reason = fields.text("reason", "say why the rule does not matter here; reports show it", out);
    Some(Exclusion { rule: rule?, reason: reason?.value })
}

fn pack_params(entry: &Entry, out: &mut Problems) -> Option<(Spanned<String>, Vec<Entry>)> {
    let fields = Fields::any(&entry.value, "the parameters of a pack", out)?;
    Some((Spanned::new(entry.key.to_string(), entry.key_span), fields.entries().to_vec()))
}

fn override_of(entry: &Entry, out: &mut Problems) -> Option<Override> {
    let fields = Fields::read(&entry.value, "an override", &["severity", "reason"], out)?;
    let severity = fields.require("severity", "add the new severity", out);
    let severity = severity.and_then(|node| word(node, "severity", SEVERITIES, out));
    let reason = fields.text("reason", "say why the rule weighs more or less here; reports show it", out);
    let rule = Spanned::new(entry.key.to_string(), entry.key_span);
    Some(Override { rule, severity: severity?.value, reason: reason?.value })
}

/// Builds the policy of a run: resolves the rules of the packs in use and leaves out what is not selected.
///
/// Every mistake in the profile and on the command line is reported. A selection without any rule is a mistake too:
/// it would pass everything.
pub fn build_policy(
    packs: &[PackDocument],
    profile: &ProfileDocument,
    options: &Selection,
) -> Result<Policy, Vec<Diagnostic>> {
    let mut builder = Builder { packs: BTreeMap::new(), profile, options, out: Problems::new() };
    builder.choose(packs);
    builder.check_ids();
    let params = builder.params();
    let policy = builder.policy(&params);
    let mut out = builder.out;
    if out.is_empty() && policy.rules.is_empty() {
        let message = format!("no rule is selected by the profile `{}` and the command line", profile.name.value);
        out.push(Diagnostic::error("profile-empty", message).at(profile.name.span));
    }
    if policy.rules.len() > MOST_RULES {
        let message = format!("{} rules are selected; {MOST_RULES} are the most", policy.rules.len());
        out.push(Diagnostic::error("profile-size", message).at(profile.name.span));
    }
    out.sort_by_key(|problem| problem.span);
    out.dedup();
    if out.is_empty() { Ok(policy) } else { Err(out) }
}

struct Builder<'a> {
    /// Packs in use, by name.
    packs: BTreeMap<&'a str, &'a PackDocument>,
    profile: &'a ProfileDocument,
    options: &'a Selection,
    out: Problems,
}

impl<'a> Builder<'a> {
    fn choose(&mut self, packs: &'a [PackDocument]) {
        for used in &self.profile.uses {
            let name = used.pack.value.as_str();
            let mut found = packs.iter().filter(|pack| pack.name.value == name);
            let Some(pack) = found.next() else {
                let problem = Diagnostic::error("profile-use", format!("no pack is called `{}`", shortened(name)));
                let known = packs.iter().map(|pack| pack.name.value.as_str());
                self.out.push(with_suggestion(problem.at(used.pack.span), name, known));
                continue;
            };
            if found.next().is_some() {
                let message = format!("two packs are called `{name}`");
                let problem = Diagnostic::error("profile-use", message).at(used.pack.span);
                self.out.push(problem.help("rename one of them: rule ids begin with the name of the pack"));
            }
            check_pins(pack, used, &mut self.out);
            self.packs.insert(name, pack);
        }
    }

    /// Every rule that the profile or the command line names must exist.
    fn check_ids(&mut self) {
        let profile = self.profile;
        let excluded = profile.exclude.iter().map(|exclusion| &exclusion.rule);
        for (kind, rules) in [
            ("excluded", excluded.collect::<Vec<_>>()),
            ("re-rated", profile.overrides.iter().map(|changed| &changed.rule).collect()),
        ] {
            let mut seen = BTreeSet::new();
            for rule in rules {
                if !seen.insert(rule.value.as_str()) {
                    let message = format!("`{}` is {kind} twice", rule.value);
                    self.out.push(Diagnostic::error("profile-rule", message).at(rule.span));
                }
                if let Some(problem) = self.unknown_rule(&rule.value) {
                    self.out.push(problem.at(rule.span));
                }
            }
        }
        for (option, patterns) in [("--only", &self.options.only), ("--skip", &self.options.skip)] {
            for pattern in patterns {
                let pack = pattern.strip_suffix("/*").unwrap_or(pattern);
                if self.packs.contains_key(pack) {
                    continue;
                }
                if let Some(mut problem) = self.unknown_rule(pack) {
                    problem.message = format!("{option}: {}", problem.message);
                    self.out.push(problem);
                }
            }
        }
    }

    fn unknown_rule(&self, id: &str) -> Option<Diagnostic> {
        let ids = || self.packs.values().flat_map(|pack| pack.rules.iter().map(|rule| pack.full_id(rule)));
        if ids().any(|known| known == id) {
            return None;
        }
        let problem = Diagnostic::error("profile-rule", format!("no rule in use is called `{}`", shortened(id)));
        if let Some((pack, rule)) = id.split_once('/')
            && self.packs.get(pack).is_some_and(|pack| pack.removed.contains_key(rule))
        {
            return Some(problem.help("the pack has removed this rule"));
        }
        // Somebody who leaves out the pack is understood before somebody who mistypes.
        let ids: Vec<String> = ids().collect();
        let full = ids.iter().find(|known| known.split_once('/').is_some_and(|(_, rule)| rule == id));
        Some(match full {
            Some(full) => problem.help(format!("did you mean `{full}`?")),
            None => match suggest(id, ids.iter().map(String::as_str).chain(self.packs.keys().copied())) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                // A dozen of many rules would look like all of them.
                None => problem.help("`mailvet pack list` lists them"),
            },
        })
    }

    /// Values of parameters by pack: the profile's, then those of the command line.
    fn params(&mut self) -> BTreeMap<&'a str, ParamValues> {
        let mut values: BTreeMap<&'a str, ParamValues> = BTreeMap::new();
        let profile = self.profile;
        for (name, entries) in &profile.params {
            let Some((name, pack)) = self.packs.get_key_value(name.value.as_str()).map(|(name, pack)| (*name, *pack))
            else {
                let problem = Diagnostic::error("profile-params", format!("no pack in use is called `{}`", name.value));
                let problem = with_suggestion(problem.at(name.span), &name.value, self.packs.keys().copied());
                self.out.push(problem);
                continue;
            };
            for entry in entries {
                let Some(param) = pack.params.get(&*entry.key) else {
                    self.out.push(unknown_param(pack, &entry.key).at(entry.key_span));
                    continue;
                };
                if let Some(value) = read_param(&entry.key, &param.kind, &entry.value, &mut self.out) {
                    values.entry(name).or_default().insert(entry.key.to_string(), value);
                }
            }
        }
        for (name, param, text) in &self.options.params {
            match self.param_of_option(name, param, text) {
                Ok((pack, value)) => {
                    values.entry(pack).or_default().insert(param.clone(), value);
                }
                Err(problem) => self.out.push(problem),
            }
        }
        values
    }

    fn param_of_option(
        &self,
        name: &str,
        param: &str,
        text: &str,
    ) -> Result<(&'a str, super::document::ParamValue), Diagnostic> {
        let Some((name, pack)) = self.packs.get_key_value(name) else {
            let problem =
                Diagnostic::error("profile-params", format!("no pack in use is called `{}`", shortened(name)));
            return Err(with_suggestion(problem, name, self.packs.keys().copied()));
        };
        let declared = pack.params.get(param).ok_or_else(|| unknown_param(pack, param))?;
        Ok((name, param_from_text(declared, text)?))
    }

    fn policy(&mut self, params: &BTreeMap<&str, ParamValues>) -> Policy {
        let mut policy = Policy { profile: self.profile.name.value.clone(), ..Policy::default() };
        let defaults = ParamValues::new();
        for (name, pack) in self.packs.clone() {
            policy.packs.push(reference(pack));
            for (framework, title) in &pack.frameworks {
                policy.frameworks.entry(framework.clone()).or_insert_with(|| title.clone());
            }
            let values = params.get(name).unwrap_or(&defaults);
            for written in &pack.rules {
                let Some(rule) = resolve_rule(pack, written, values, &mut self.out) else { continue };
                let rule = self.rerated(rule);
                match self.not_selected(&rule) {
                    Some(reason) => policy.not_selected.push(NotSelected { rule: rule.id, reason }),
                    None => policy.rules.push(rule),
                }
            }
        }
        policy.rules.sort_by(|a, b| a.id.cmp(&b.id));
        policy.not_selected.sort_by(|a, b| a.rule.cmp(&b.rule));
        policy
    }

    fn rerated(&self, mut rule: Rule) -> Rule {
        if let Some(changed) = self.profile.overrides.iter().find(|changed| changed.rule.value == rule.id) {
            rule.rerated = Some((rule.severity, changed.reason.clone()));
            rule.severity = changed.severity;
        }
        rule
    }

    /// Why a rule is left out.
    fn not_selected(&self, rule: &Rule) -> Option<String> {
        let profile = &self.profile.name.value;
        if let Some(exclusion) = self.profile.exclude.iter().find(|exclusion| exclusion.rule.value == rule.id) {
            return Some(format!("excluded by the profile `{profile}`: {}", exclusion.reason));
        }
        if let Some(least) = self.profile.severity_at_least.filter(|least| rule.severity < *least) {
            return Some(format!(
                "its severity {} is below {least}, the least of the profile `{profile}`",
                rule.severity
            ));
        }
        if !self.options.only.is_empty() && !self.options.only.iter().any(|pattern| covers(pattern, rule)) {
            return Some(format!("not among --only {}", self.options.only.join(", ")));
        }
        let skip = self.options.skip.iter().find(|pattern| covers(pattern, rule))?;
        Some(format!("left out by --skip {skip}"))
    }
}

/// Whether a pattern of the command line covers a rule: its id, its pack, or `pack/*`.
fn covers(pattern: &str, rule: &Rule) -> bool {
    pattern == rule.id || pattern.strip_suffix("/*").unwrap_or(pattern) == rule.pack.name
}

fn check_pins(pack: &PackDocument, used: &UsePack, out: &mut Problems) {
    let name = &used.pack.value;
    if let Some(version) = &used.version
        && !version.value.matches(&pack.version.value)
    {
        let message = format!("`{name}` has version {}, which `{}` excludes", pack.version.value, version.value);
        out.push(Diagnostic::error("profile-version", message).at(version.span));
    }
    if let Some(sha256) = &used.sha256
        && sha256.value != pack.sha256
    {
        let message = format!("`{name}` is not the pack that was pinned");
        let problem = Diagnostic::error("profile-sha256", message).at(sha256.span);
        let help = format!("it has the digest {}; review its changes, then pin that", pack.sha256);
        out.push(problem.label("expected digest").help(help));
    }
}

fn unknown_param(pack: &PackDocument, name: &str) -> Diagnostic {
    let message = format!("the pack `{}` has no parameter `{}`", pack.name.value, shortened(name));
    let problem = Diagnostic::error("profile-params", message);
    with_suggestion(problem, name, pack.params.keys().map(String::as_str))
}

fn with_suggestion<'c>(problem: Diagnostic, word: &str, known: impl Iterator<Item = &'c str> + Clone) -> Diagnostic {
    match suggest(word, known.clone()) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => {
            let known: Vec<&str> = known.take(12).collect();
            if known.is_empty() { problem } else { problem.help(format!("known: {}", known.join(", "))) }
        }
    }
}
