//! Loads packs: a header, files of rules, and everything checked against the fact catalogue with default parameters.
//!
//! A pack with any mistake is not loaded, and all its mistakes are reported at once. Reading the folder is the caller's.

use std::collections::BTreeMap;

use semver::Version;
use sha2::{Digest, Sha256};

use super::check;
use super::document::{CheckDocument, PackDocument, Param, ParamKind, ParamValue, ParamValues, RuleDocument};
use super::literal::{duration, param_value};
use super::model::{Check, Pack, PackRef, Rule, RuleTest};
use super::rules::{identifier, rules};
use crate::diag::fields::{Fields, Problems, text, texts, wrong_type};
use crate::diag::yaml::{Limits, Meaning, Node, Scalar, Spanned, Value, parse};
use crate::diag::{Diagnostic, FileId, Files, suggest};

/// The format of packs that this version reads.
pub const PACK_FORMAT: i64 = 1;

/// The version of the fact catalogue that this version has.
pub const FACTS_VERSION: &str = "1";

/// The most files of one pack.
const MOST_FILES: usize = 1000;

/// Registers and reads the files of one pack, and checks its rules with the defaults of its parameters.
///
/// One file is the header: the one that has the key `pack`. On failure, everything that is wrong, by place.
pub fn parse_pack(files: &mut Files, sources: &[(String, Vec<u8>)]) -> Result<PackDocument, Vec<Diagnostic>> {
    let mut sorted: Vec<&(String, Vec<u8>)> = sources.iter().collect();
    sorted.sort_by(|a, b| file_name(&a.0).cmp(file_name(&b.0)).then_with(|| a.0.cmp(&b.0)));
    if sorted.len() > MOST_FILES {
        let message = format!("the pack has {} files; {MOST_FILES} are the most", sorted.len());
        return Err(vec![Diagnostic::error("pack-files", message)]);
    }
    let ids: Vec<FileId> = sorted.iter().map(|(path, bytes)| files.add(path.as_str(), bytes.as_slice())).collect();
    let mut out = Problems::new();
    let nodes: Vec<Node> = ids.iter().filter_map(|id| parse(files, *id, &Limits::POLICY, &mut out)).collect();
    let all_read = nodes.len() == ids.len();
    let pack = header(files, sources, &nodes, all_read, &mut out);
    let pack = pack.map(|mut pack| {
        for node in &nodes {
            let read = rules(node, &pack, &mut out);
            pack.rules.extend(read);
        }
        check_ids(files, &pack, &mut out);
        check_rules(&pack, &mut out);
        pack
    });
    out.sort_by(|a, b| a.span.cmp(&b.span).then_with(|| a.message.cmp(&b.message)));
    out.dedup();
    match pack {
        Some(pack) if out.is_empty() => Ok(pack),
        _ => Err(out),
    }
}

/// SHA-256 over the files of a pack, in hexadecimal.
///
/// For each file, in order of the names without folders: the name, NUL, the bytes with line ends as LF, NUL. YAML has no
/// NUL, so no other set of files has the same bytes; folders and line ends of a checkout do not matter.
pub fn digest(sources: &[(String, Vec<u8>)]) -> String {
    let mut sorted: Vec<(&str, &[u8])> =
        sources.iter().map(|(path, bytes)| (file_name(path), bytes.as_slice())).collect();
    sorted.sort_unstable();
    let mut hash = Sha256::new();
    for (name, bytes) in sorted {
        hash.update(name.as_bytes());
        hash.update([0]);
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if index > 0 {
                hash.update(b"\n");
            }
            hash.update(line.strip_suffix(b"\r").unwrap_or(line));
        }
        hash.update([0]);
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

fn header(
    files: &Files,
    sources: &[(String, Vec<u8>)],
    nodes: &[Node],
    all_read: bool,
    out: &mut Problems,
) -> Option<PackDocument> {
    let mut headers: Vec<&Node> = nodes.iter().filter(|node| is_header(files, node)).collect();
    headers.sort_by_key(|node| file_name(&files.get(node.span.file).path) != "pack.yaml");
    let Some(node) = headers.first() else {
        // A header that could not be parsed has been complained about already.
        if all_read {
            let problem = Diagnostic::error("pack-header", "no file of the pack has the key `pack`");
            let problem = problem.help("add `pack.yaml` with pack, version, format, title and requires");
            out.push(match nodes.first() {
                Some(node) => problem.at(node.span),
                None => problem,
            });
        }
        return None;
    };
    for other in headers.iter().skip(1) {
        let span = other.get("pack").map_or(other.span, |pack| pack.span);
        let problem = Diagnostic::error("pack-header", "the pack has a second header").at(span);
        out.push(problem.help("only pack.yaml has the key `pack`; other files have `rules`"));
    }
    for other in nodes.iter().filter(|other| !is_header(files, other)) {
        Fields::read(other, "a file of rules", &["rules"], out);
    }
    read_header(node, digest(sources), out)
}

fn is_header(files: &Files, node: &Node) -> bool {
    node.get("pack").is_some() || file_name(&files.get(node.span.file).path) == "pack.yaml"
}

fn read_header(node: &Node, sha256: String, out: &mut Problems) -> Option<PackDocument> {
    let keys = [
        "pack",
        "version",
        "format",
        "title",
        "description",
        "license",
        "requires",
        "frameworks",
        "params",
        "removed",
        "rules",
    ];
    let fields = Fields::read(node, "a pack", &keys, out)?;
    let name = fields.text("pack", "give the pack a name in kebab case", out);
    if let Some(name) = &name {
        kebab(name, "the name of a pack", out);
    }
    let version = fields.text("version", "add a version such as `1.0.0`", out);
    check_format(&fields, out);
    check_requires(&fields, out);
    let title = fields.text("title", "say in one line what the pack is about", out);
    // Placeholders stand for what is missing, so that rules are checked in the same run; the error is there already.
    let somewhere = |value: &str| Spanned::new(value.to_owned(), node.span);
    Some(PackDocument {
        version: read_version(version, node, out),
        title: title.unwrap_or_else(|| somewhere("")),
        description: fields.optional_text("description", out).map(|text| text.value).unwrap_or_default(),
        license: fields.optional_text("license", out).map(|text| text.value),
        frameworks: frameworks(&fields, out),
        params: params(&fields, out),
        removed: fields
            .get("removed")
            .map_or_else(Vec::new, |node| texts(node, "removed", out))
            .into_iter()
            .map(|id| (id.value, id.span))
            .collect(),
        name: name.unwrap_or_else(|| somewhere("pack")),
        rules: Vec::new(),
        sha256,
    })
}

fn kebab(name: &Spanned<String>, what: &str, out: &mut Problems) {
    let word =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !name.value.split('-').all(word) || name.value.len() > 64 {
        let message = format!("{what} has lower-case letters, digits and single hyphens");
        out.push(Diagnostic::error("pack-name", message).at(name.span).help("for example `transport-dns`"));
    }
}

fn read_version(written: Option<Spanned<String>>, node: &Node, out: &mut Problems) -> Spanned<Version> {
    let Some(written) = written else { return Spanned::new(Version::new(0, 0, 0), node.span) };
    let version = Version::parse(&written.value).unwrap_or_else(|error| {
        let message = format!("`{}` is not a version: {error}", written.value);
        let problem = Diagnostic::error("pack-version", message).at(written.span);
        out.push(problem.help("write three numbers, such as `1.0.0`"));
        Version::new(0, 0, 0)
    });
    Spanned::new(version, written.span)
}

fn check_format(fields: &Fields<'_>, out: &mut Problems) {
    let Some(node) = fields.require("format", "add `format: 1`", out) else { return };
    let meaning = node.scalar().map(Scalar::meaning);
    if meaning != Some(Meaning::Int(PACK_FORMAT)) {
        let message = format!("the pack has a format that is not supported: it is {}", node.describe());
        let problem = Diagnostic::error("pack-format", message).at(node.span);
        out.push(problem.help(format!("this version reads `format: {PACK_FORMAT}`")));
    }
}

fn check_requires(fields: &Fields<'_>, out: &mut Problems) {
    let help = format!("add `requires: {{ facts: \"{FACTS_VERSION}\" }}`");
    let Some(node) = fields.require("requires", &help, out) else { return };
    let Some(requires) = Fields::read(node, "`requires`", &["facts"], out) else { return };
    let Some(facts) = requires.text("facts", &help, out) else { return };
    if facts.value != FACTS_VERSION {
        let message = format!("the pack needs version {} of the facts", facts.value);
        let problem = Diagnostic::error("pack-requires", message).at(facts.span);
        out.push(problem.help(format!("this version has version {FACTS_VERSION}")));
    }
}

fn frameworks(fields: &Fields<'_>, out: &mut Problems) -> BTreeMap<String, String> {
    let Some(frameworks) = fields.get("frameworks").and_then(|node| Fields::any(node, "`frameworks`", out)) else {
        return BTreeMap::new();
    };
    let read = |entry: &crate::diag::yaml::Entry, out: &mut Problems| {
        text(&entry.value, "the name of a framework", out).map(|name| (entry.key.to_string(), name.value))
    };
    frameworks.entries().iter().filter_map(|entry| read(entry, out)).collect()
}

fn params(fields: &Fields<'_>, out: &mut Problems) -> BTreeMap<String, Param> {
    let Some(params) = fields.get("params").and_then(|node| Fields::any(node, "`params`", out)) else {
        return BTreeMap::new();
    };
    let entries = params.entries().iter();
    entries.filter_map(|entry| param(entry, out).map(|param| (entry.key.to_string(), param))).collect()
}

fn param(entry: &crate::diag::yaml::Entry, out: &mut Problems) -> Option<Param> {
    let name = Spanned::new(entry.key.to_string(), entry.key_span);
    let fields = Fields::read(&entry.value, "a parameter", &["type", "default", "min", "max", "title", "values"], out)?;
    let title = fields.text("title", "say in one line what the parameter means", out);
    let kind = param_kind(&fields, out);
    let default = fields.require("default", "add the value that holds where nobody sets another", out);
    let kind = kind?;
    let default = default.and_then(|node| read_param(&name.value, &kind, node, out))?;
    Some(Param { name, title: title?.value, kind, default })
}

fn param_kind(fields: &Fields<'_>, out: &mut Problems) -> Option<ParamKind> {
    const TYPES: [&str; 5] = ["integer", "duration", "boolean", "text", "word"];
    let written = fields.text("type", "add `type:` with one of integer, duration, boolean, text, word", out)?;
    let bounded = matches!(written.value.as_str(), "integer" | "duration");
    for key in ["min", "max"] {
        if let (false, Some(entry)) = (bounded, fields.entry(key)) {
            let message = format!("`{key}` has no meaning for the type {}", written.value);
            out.push(Diagnostic::error("param-bounds", message).at(entry.key_span));
        }
    }
    if let (true, Some(entry)) = (written.value != "word", fields.entry("values")) {
        let message = format!("`values` has no meaning for the type {}", written.value);
        out.push(Diagnostic::error("param-bounds", message).at(entry.key_span).help("did you mean `type: word`?"));
    }
    match written.value.as_str() {
        "integer" => {
            let (min, max) = bounds(
                fields,
                |scalar| match scalar.meaning() {
                    Meaning::Int(value) => Some(value),
                    _ => None,
                },
                out,
            );
            Some(ParamKind::Integer { min, max })
        }
        "duration" => {
            let (min, max) = bounds(fields, |scalar| duration(&scalar.text), out);
            Some(ParamKind::Duration { min, max })
        }
        "boolean" => Some(ParamKind::Boolean),
        "text" => Some(ParamKind::Text),
        "word" => {
            let values = fields.require("values", "add `values: [..]` with the words to choose from", out)?;
            let values = texts(values, "values", out).into_iter().map(|value| value.value).collect();
            Some(ParamKind::Word { values })
        }
        other => {
            let message = format!("`{other}` is not a type of parameters ({})", TYPES.join(", "));
            let problem = Diagnostic::error("param-type", message).at(written.span);
            out.push(match suggest(other, TYPES) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem,
            });
            None
        }
    }
}

fn bounds(
    fields: &Fields<'_>,
    read: impl Fn(&Scalar) -> Option<i64>,
    out: &mut Problems,
) -> (Option<i64>, Option<i64>) {
    let mut bound = |key: &'static str| {
        let node = fields.get(key)?;
        let value = node.scalar().and_then(&read);
        if value.is_none() {
            out.push(wrong_type(node, key, "a value of the parameter's type"));
        }
        value.map(|value| Spanned::new(value, node.span))
    };
    let (min, max) = (bound("min"), bound("max"));
    if let (Some(min), Some(max)) = (&min, &max)
        && min.value > max.value
    {
        out.push(Diagnostic::error("param-bounds", "`min` is more than `max`").at(max.span));
    }
    (min.map(|min| min.value), max.map(|max| max.value))
}

/// The value of a parameter from YAML.
pub(super) fn read_param(name: &str, kind: &ParamKind, node: &Node, out: &mut Problems) -> Option<ParamValue> {
    let Value::Scalar(scalar) = &node.value else {
        let what = format!("the parameter `{name}`");
        out.push(wrong_type(node, &what, "one value"));
        return None;
    };
    param_value(name, kind, scalar).map_err(|problem| out.push(problem.at(node.span))).ok()
}

/// The value of a parameter from the command line (`NAME=VALUE`).
pub fn param_from_text(param: &Param, text: &str) -> Result<ParamValue, Diagnostic> {
    let plain = !matches!(param.kind, ParamKind::Text);
    param_value(&param.name.value, &param.kind, &Scalar { text: text.into(), plain })
}

/// Ids are used once, and never again after a rule was removed.
fn check_ids(files: &Files, pack: &PackDocument, out: &mut Problems) {
    let mut first: BTreeMap<&str, &RuleDocument> = BTreeMap::new();
    for rule in &pack.rules {
        let id = rule.id.value.as_str();
        if let Some(earlier) = first.get(id) {
            let place = files.place(earlier.id.span);
            let problem = Diagnostic::error("rule-id", format!("the rule id `{id}` is used twice")).at(rule.id.span);
            out.push(problem.help(format!("it is also at {place}")));
        } else {
            first.insert(id, rule);
        }
        if let Some(removed) = pack.removed.get(id) {
            let line = files.place(*removed).line;
            let problem = Diagnostic::error("rule-id", format!("the rule id `{id}` belonged to a removed rule"));
            let help = format!("ids are never used again (`removed`, line {line}); choose another");
            out.push(problem.at(rule.id.span).help(help));
        }
    }
    for (id, span) in &pack.removed {
        identifier(&Spanned::new(id.clone(), *span), out);
    }
}

fn check_rules(pack: &PackDocument, out: &mut Problems) {
    let defaults = ParamValues::new();
    for rule in &pack.rules {
        resolve_rule(pack, rule, &defaults, out);
        for test in rule.tests.iter().filter(|test| !test.params.is_empty()) {
            resolve_rule(pack, rule, &test_params(pack, test), out);
        }
    }
}

/// The rules of a pack with the given values of parameters; parameters that are not given have their default.
pub fn resolve(pack: &PackDocument, params: &ParamValues) -> Result<Pack, Vec<Diagnostic>> {
    let mut out = Problems::new();
    let rules = pack.rules.iter().filter_map(|rule| resolve_rule(pack, rule, params, &mut out)).collect();
    out.dedup();
    if !out.is_empty() {
        return Err(out);
    }
    Ok(Pack {
        reference: reference(pack),
        title: pack.title.value.clone(),
        description: pack.description.clone(),
        frameworks: pack.frameworks.clone(),
        params: pack.params.clone(),
        rules,
    })
}

/// A rule with the parameters of one of its tests.
pub fn resolve_for_test(pack: &PackDocument, rule: &RuleDocument, test: &RuleTest) -> Result<Rule, Vec<Diagnostic>> {
    let mut out = Problems::new();
    let resolved = resolve_rule(pack, rule, &test_params(pack, test), &mut out);
    match resolved {
        Some(rule) if out.is_empty() => Ok(rule),
        _ => Err(out),
    }
}

/// Values of parameters as a test has them; they were checked when the test was read.
fn test_params(pack: &PackDocument, test: &RuleTest) -> ParamValues {
    let value = |name: &String, value: &serde_json::Value| {
        let param = pack.params.get(name)?;
        Some(match (&param.kind, value) {
            (ParamKind::Integer { .. }, value) => ParamValue::Integer(value.as_i64()?),
            (ParamKind::Duration { .. }, value) => ParamValue::Duration(value.as_i64()?),
            (ParamKind::Boolean, value) => ParamValue::Boolean(value.as_bool()?),
            (ParamKind::Text, value) => ParamValue::Text(value.as_str()?.to_owned()),
            (ParamKind::Word { .. }, value) => ParamValue::Word(value.as_str()?.to_owned()),
        })
    };
    test.params.iter().filter_map(|(name, set)| Some((name.clone(), value(name, set)?))).collect()
}

/// Which pack, version and bytes.
pub(super) fn reference(pack: &PackDocument) -> PackRef {
    PackRef { name: pack.name.value.clone(), version: pack.version.value.to_string(), sha256: pack.sha256.clone() }
}

/// One rule with the given values of parameters; `None` after a mistake.
pub(super) fn resolve_rule(
    pack: &PackDocument,
    rule: &RuleDocument,
    params: &ParamValues,
    out: &mut Problems,
) -> Option<Rule> {
    let before = out.len();
    let condition = match &rule.check {
        CheckDocument::Automatic(condition) => Some(condition),
        CheckDocument::Manual(_) => None,
    };
    let checked = check::rule(pack, rule, condition, params, out);
    if out.len() > before {
        return None;
    }
    let check = match &rule.check {
        CheckDocument::Automatic(_) => Check::Automatic(checked.check?),
        CheckDocument::Manual(manual) => Check::Manual(manual.clone()),
    };
    Some(Rule {
        id: pack.full_id(rule),
        pack: reference(pack),
        title: rule.title.value.clone(),
        severity: rule.severity,
        rerated: None,
        applies_to: rule.applies_to,
        when: checked.when,
        check,
        leaves: checked.leaves,
        params: checked.used,
        why: rule.why.value.clone(),
        fix: rule.fix.value.clone(),
        references: rule.references.clone(),
        maps: rule.maps.clone(),
        tests: rule.tests.clone(),
        span: rule.id.span,
    })
}
