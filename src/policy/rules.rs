//! Rules as written: their texts, remediation, references and mappings. Conditions are read in [`super::read`], tests in
//! [`super::fixtures`].

use std::collections::BTreeMap;

use super::document::{CheckDocument, PackDocument, RuleDocument, SEVERITIES};
use super::fixtures;
use super::literal::duration;
use super::model::{Fix, Manual, RecordFix, Reference};
use super::read::condition;
use crate::diag::fields::{Fields, Problems, text, texts, word, wrong_type};
use crate::diag::yaml::{Node, Scalar, Spanned, shortened};
use crate::diag::{Diagnostic, suggest};
use crate::facts::{Catalogue, Kind, Target};

const RULE_KEYS: [&str; 12] =
    ["id", "title", "severity", "applies_to", "when", "check", "manual", "why", "fix", "references", "maps", "tests"];

/// Types of records that a `fix` may publish.
const RECORD_TYPES: [&str; 11] = ["A", "AAAA", "CAA", "CNAME", "DS", "MX", "NS", "SOA", "SRV", "TLSA", "TXT"];

/// The rules of one file.
pub(super) fn rules(node: &Node, pack: &PackDocument, out: &mut Problems) -> Vec<RuleDocument> {
    let Some(rules) = node.get("rules").filter(|rules| !rules.is_null()) else { return Vec::new() };
    let items = crate::diag::fields::list(rules, "rules", out).unwrap_or(&[]);
    items.iter().filter_map(|item| rule(item, pack, out)).collect()
}

/// A rule. Texts that are missing leave an empty text behind beside their error, so that conditions are still checked.
fn rule(node: &Node, pack: &PackDocument, out: &mut Problems) -> Option<RuleDocument> {
    let fields = Fields::read(node, "a rule", &RULE_KEYS, out)?;
    let nothing = || Spanned::new(String::new(), node.span);
    let id = fields.text("id", "name the smell in kebab case, such as `dmarc-not-enforced`", out);
    if let Some(id) = &id {
        identifier(id, out);
    }
    let title = fields.text("title", "say in one line what is wrong when the rule fails", out);
    let severity = fields.require("severity", "add one of critical, high, medium, low, info", out);
    let severity = severity.and_then(|node| word(node, "severity", SEVERITIES, out));
    let applies_to = applies_to(&fields, out);
    let why = fields.text("why", "say what an attacker does or what breaks", out);
    let fix = fields.require("fix", "say how to mend it", out);
    let fix = fix.and_then(|node| fix_of(node, applies_to, out));
    let references = fields.items("references", out).iter().filter_map(|item| reference(item, out)).collect();
    let maps = maps(&fields, pack, out);
    let when = fields.get("when").map(|when| condition(when, out));
    let check = check(&fields, out);
    let (applies_to, check) = (applies_to?, check?);
    let tests = tests(&fields, &check, applies_to, pack, out);
    let when = match when {
        Some(when) => Some(when?),
        None => None,
    };
    Some(RuleDocument {
        id: id?,
        title: title.unwrap_or_else(nothing),
        severity: severity.map_or(super::model::Severity::Info, |severity| severity.value),
        applies_to,
        when,
        check,
        why: why.unwrap_or_else(nothing),
        fix: fix.unwrap_or_else(|| Spanned::new(Fix::default(), node.span)),
        references,
        maps,
        tests,
    })
}

/// Ids hold letters, digits and hyphens; the pack's name is added by the loader.
pub(super) fn identifier(id: &Spanned<String>, out: &mut Problems) {
    if let Some((_, rest)) = id.value.split_once('/') {
        let problem = Diagnostic::error("rule-id", "the id is written without the name of the pack").at(id.span);
        out.push(problem.help(format!("write `{}`", shortened(rest))));
        return;
    }
    let fits = id.value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') && id.value.len() <= 80;
    if !fits || id.value.starts_with('-') || id.value.ends_with('-') {
        let message = format!("`{}` is not an id", shortened(&id.value));
        let help = "an id has letters, digits and hyphens, at most 80, such as `dmarc-not-enforced`";
        out.push(Diagnostic::error("rule-id", message).at(id.span).help(help));
    }
}

fn applies_to(fields: &Fields<'_>, out: &mut Problems) -> Option<Target> {
    let words: Vec<(&str, Target)> = Target::ALL.iter().map(|target| (target.as_str(), *target)).collect();
    let node = fields.require("applies_to", "add the kind of target, such as `domain`", out)?;
    word(node, "applies_to", &words, out).map(|target| target.value)
}

fn check(fields: &Fields<'_>, out: &mut Problems) -> Option<CheckDocument> {
    match (fields.get("check"), fields.entry("manual")) {
        (Some(check), None) => condition(check, out).map(CheckDocument::Automatic),
        (None, Some(manual)) => self::manual(&manual.value, out).map(CheckDocument::Manual),
        (Some(_), Some(manual)) => {
            let problem = Diagnostic::error("rule-check", "a rule has `check` or `manual`, not both");
            out.push(problem.at(manual.key_span));
            None
        }
        (None, None) => {
            fields.require("check", "add a condition, or `manual:` with a question to a person", out);
            None
        }
    }
}

fn manual(node: &Node, out: &mut Problems) -> Option<Manual> {
    let fields = Fields::read(node, "`manual`", &["ask", "evidence", "valid_for"], out)?;
    let ask = fields.text("ask", "say what a person has to find out", out);
    let evidence = fields.get("evidence").map_or_else(Vec::new, |node| texts(node, "evidence", out));
    let valid_for = fields.text("valid_for", "say how long an answer is good, such as `365d`", out)?;
    const DAY: i64 = 86_400;
    let days = duration(&valid_for.value).filter(|seconds| *seconds >= DAY && seconds % DAY == 0);
    let Some(valid_days) = days.and_then(|seconds| u32::try_from(seconds / DAY).ok()) else {
        let message = format!("`valid_for` must be a number of days, but is `{}`", shortened(&valid_for.value));
        out.push(Diagnostic::error("wrong-type", message).at(valid_for.span).help("write `365d`"));
        return None;
    };
    Some(Manual { ask: ask?.value, evidence: evidence.into_iter().map(|item| item.value).collect(), valid_days })
}

fn tests(
    fields: &Fields<'_>,
    check: &CheckDocument,
    target: Target,
    pack: &PackDocument,
    out: &mut Problems,
) -> Vec<super::model::RuleTest> {
    match check {
        CheckDocument::Automatic(_) => {
            let help = "add at least one case that passes and one that fails";
            let Some(_) = fields.require("tests", help, out) else { return Vec::new() };
            let items = fields.items("tests", out);
            fixtures::tests(items, target, &pack.params, out)
        }
        CheckDocument::Manual(_) => {
            if let Some(entry) = fields.entry("tests") {
                let problem = Diagnostic::error("rule-check", "a manual rule has no tests: nothing is computed");
                out.push(problem.at(entry.key_span));
            }
            Vec::new()
        }
    }
}

fn fix_of(node: &Node, target: Option<Target>, out: &mut Problems) -> Option<Spanned<Fix>> {
    if node.scalar().is_some() {
        let text = text(node, "fix", out)?;
        return Some(Spanned::new(Fix { text: text.value, record: None }, node.span));
    }
    let fields = Fields::read(node, "`fix`", &["text", "record"], out)?;
    let text = fields.text("text", "say how to mend it", out);
    let record = fields.get("record").map(|record| record_fix(record, target, out));
    let record = match record {
        Some(record) => Some(record?),
        None => None,
    };
    Some(Spanned::new(Fix { text: text?.value, record }, node.span))
}

fn record_fix(node: &Node, target: Option<Target>, out: &mut Problems) -> Option<RecordFix> {
    let fields = Fields::read(node, "`record`", &["name", "type", "value"], out)?;
    let name = fields.text("name", "add the owner name, such as `_dmarc.{domain}`", out);
    let rtype = fields.text("type", "add the type, such as `TXT`", out);
    let value = fields.text("value", "add the data of the record", out);
    if let Some(rtype) = &rtype
        && !RECORD_TYPES.contains(&rtype.value.as_str())
    {
        let message = format!("`{}` is not a type of records ({})", shortened(&rtype.value), RECORD_TYPES.join(", "));
        out.push(Diagnostic::error("rule-fix", message).at(rtype.span));
    }
    for text in [&name, &value].into_iter().flatten() {
        placeholders(text, target, out);
    }
    Some(RecordFix { name: name?.value, rtype: rtype?.value, value: value?.value })
}

/// `{domain}` stands for the target, `{fact.path}` for one value of it.
fn placeholders(text: &Spanned<String>, target: Option<Target>, out: &mut Problems) {
    let Some(target) = target else { return };
    let mut problem = |message: String, help: Option<String>| {
        let mut problem = Diagnostic::error("rule-fix", message).at(text.span);
        problem.help = help;
        out.push(problem);
    };
    for (at, _) in text.value.match_indices('{') {
        // `%{i}` is an SPF macro (RFC 7208 section 7.1), not a placeholder.
        if text.value[..at].ends_with('%') {
            continue;
        }
        let Some(name) = text.value[at + 1..].split_once('}').map(|(name, _)| name) else {
            problem("`{` is not closed".to_owned(), None);
            return;
        };
        if name == "domain" {
            continue;
        }
        match Catalogue::resolve(target, name) {
            Ok(path) if path.item.is_none() && !matches!(path.kind, Kind::List(_) | Kind::ListOf(_)) => {}
            Ok(_) => problem(format!("`{{{name}}}` is many values"), Some("name a fact with one value".to_owned())),
            Err(_) => {
                let entries = Catalogue::entries(target);
                let near = suggest(name, entries.iter().map(|entry| entry.path.as_str()).chain(["domain"]));
                let help = near.map(|near| format!("did you mean `{{{near}}}`?"));
                problem(format!("`{{{}}}` is neither `{{domain}}` nor a fact", shortened(name)), help);
            }
        }
    }
}

fn reference(node: &Node, out: &mut Problems) -> Option<Reference> {
    let fields = Fields::read(node, "a reference", &["title", "url"], out)?;
    let title = fields.text("title", "say what is cited, such as `RFC 7208 section 4.6.4`", out);
    let url = fields.optional_text("url", out);
    if let Some(url) = &url
        && (!url.value.starts_with("https://") || url.value.contains(|c: char| c.is_whitespace() || c.is_control()))
    {
        let message = format!("`{}` is not an https address", shortened(&url.value));
        out.push(Diagnostic::error("rule-reference", message).at(url.span));
    }
    Some(Reference { title: title?.value, url: url.map(|url| url.value) })
}

fn maps(fields: &Fields<'_>, pack: &PackDocument, out: &mut Problems) -> BTreeMap<String, Vec<String>> {
    let Some(maps) = fields.get("maps").and_then(|node| Fields::any(node, "`maps`", out)) else {
        return BTreeMap::new();
    };
    let mut read = BTreeMap::new();
    for entry in maps.entries() {
        let framework = entry.key.to_string();
        if !pack.frameworks.contains_key(&framework) {
            let message = format!("the framework `{}` is not declared", shortened(&framework));
            let problem = Diagnostic::error("rule-maps", message).at(entry.key_span);
            out.push(problem.help(match suggest(&framework, pack.frameworks.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "declare it under `frameworks:` in pack.yaml".to_owned(),
            }));
        }
        let controls: Vec<String> = texts(&entry.value, &entry.key, out).into_iter().map(|text| text.value).collect();
        read.insert(framework, controls);
    }
    read
}

/// A date `YYYY-MM-DD`, nothing more and nothing less.
pub(super) fn date(node: &Node, what: &str, out: &mut Problems) -> Option<Spanned<jiff::civil::Date>> {
    let text = node.scalar().map(|scalar: &Scalar| &*scalar.text);
    // Other forms that the date parser knows carry a time or a zone, which would be dropped silently.
    let date = text.filter(|text| text.len() == 10).and_then(|text| text.parse().ok());
    if date.is_none() {
        out.push(wrong_type(node, what, "a date").help("write year, month and day, such as `2027-01-31`"));
    }
    date.map(|date| Spanned::new(date, node.span))
}
