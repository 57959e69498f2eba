//! Tests of rules: their facts are checked against the catalogue like the rules themselves, and brought into one form.
//!
//! A typo in a fixture would otherwise be a fact that is "not collected", and a test that passes for the wrong reason.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::document::{Param, ParamValue};
use super::literal::{kind_text, literal};
use super::load::read_param;
use super::model::{Literal, RuleTest, TestExpect};
use super::rules::date;
use crate::diag::fields::{Fields, Problems, list, texts, word, wrong_type};
use crate::diag::yaml::{Entry, Node, Spanned, Value, shortened};
use crate::diag::{Diagnostic, suggest};
use crate::facts::{Catalogue, Cause, FieldKind, GroupSchema, Kind, PathError, Target};

const EXPECT: &[(&str, TestExpect)] = &[
    ("pass", TestExpect::Pass),
    ("fail", TestExpect::Fail),
    ("unknown", TestExpect::Unknown),
    ("not-applicable", TestExpect::NotApplicable),
];

/// The key that says why a fact is unknown.
const UNKNOWN: &str = "$unknown";

/// Reads the tests of a rule about `target`.
pub(super) fn tests(
    items: &[Node],
    target: Target,
    params: &BTreeMap<String, Param>,
    out: &mut Problems,
) -> Vec<RuleTest> {
    let tests: Vec<RuleTest> = items.iter().filter_map(|item| test(item, target, params, out)).collect();
    for (index, test) in tests.iter().enumerate() {
        if tests.iter().take(index).any(|earlier| earlier.name == test.name) {
            let message = format!("two tests have the name `{}`", shortened(&test.name));
            out.push(Diagnostic::error("test-name", message).at(test.span));
        }
    }
    tests
}

fn test(node: &Node, target: Target, params: &BTreeMap<String, Param>, out: &mut Problems) -> Option<RuleTest> {
    let fields = Fields::read(node, "a test", &["name", "facts", "now", "params", "expect", "because"], out)?;
    let name = fields.text("name", "say in a few words what the case is", out);
    let expect = fields.require("expect", "add one of pass, fail, unknown, not-applicable", out);
    let expect = expect.and_then(|node| word(node, "expect", EXPECT, out));
    let facts = fields.get("facts").map(|node| facts(node, target, out)).unwrap_or_default();
    let now = fields.get("now").and_then(|node| date(node, "now", out));
    let set = fields.get("params").map(|node| self::params(node, params, out)).unwrap_or_default();
    let because = fields.get("because").map(|node| because(node, target, out));
    let name = name?;
    Some(RuleTest {
        facts,
        now: now.map(|now| now.value),
        params: set,
        expect: expect?.value,
        because,
        span: name.span,
        name: name.value,
    })
}

fn params(node: &Node, declared: &BTreeMap<String, Param>, out: &mut Problems) -> BTreeMap<String, Json> {
    let mut set = BTreeMap::new();
    for entry in Fields::any(node, "`params` of a test", out).map_or(&[][..], |fields| fields.entries()) {
        let Some(param) = declared.get(&*entry.key) else {
            let problem = Diagnostic::error("rule-param", format!("no such parameter `{}`", shortened(&entry.key)));
            let near = suggest(&entry.key, declared.keys().map(String::as_str));
            out.push(match near {
                Some(near) => problem.at(entry.key_span).help(format!("did you mean `{near}`?")),
                None => problem.at(entry.key_span),
            });
            continue;
        };
        let value = match read_param(&entry.key, &param.kind, &entry.value, out) {
            Some(ParamValue::Integer(value) | ParamValue::Duration(value)) => Json::from(value),
            Some(ParamValue::Boolean(value)) => Json::from(value),
            Some(ParamValue::Text(text) | ParamValue::Word(text)) => Json::from(text),
            None => continue,
        };
        set.insert(entry.key.to_string(), value);
    }
    set
}

fn facts(node: &Node, target: Target, out: &mut Problems) -> BTreeMap<String, Json> {
    let mut facts = BTreeMap::new();
    for entry in Fields::any(node, "`facts`", out).map_or(&[][..], |fields| fields.entries()) {
        if let Some(value) = fact(entry, target, out) {
            facts.insert(entry.key.to_string(), value);
        }
    }
    facts
}

fn fact(entry: &Entry, target: Target, out: &mut Problems) -> Option<Json> {
    let path = &*entry.key;
    let problem = match Catalogue::resolve(target, path) {
        Ok(found) if found.item.is_some() => {
            let list = path.split("[]").next().unwrap_or(path);
            Diagnostic::error("test-fact", format!("`{path}` is a field of elements"))
                .help(format!("write the list: `{list}: [ {{ … }} ]`"))
        }
        Ok(found) => return value(found.kind, path, &entry.value, out),
        Err(PathError::Group(_)) if entry.value.get(UNKNOWN).is_some() => return unknown(&entry.value, out),
        Err(PathError::Group(_)) => Diagnostic::error("test-fact", format!("`{path}` is a group of facts"))
            .help(format!("name its facts (`{path}.<fact>`), or write `{{ $unknown: <cause> }}` for all of them")),
        Err(error) => {
            let problem = Diagnostic::error("rule-fact", error.to_string());
            match error {
                PathError::Unknown { suggestion: Some(near), .. } => problem.help(format!("did you mean `{near}`?")),
                _ => problem,
            }
        }
    };
    out.push(problem.at(entry.key_span));
    None
}

fn unknown(node: &Node, out: &mut Problems) -> Option<Json> {
    let fields = Fields::read(node, "an unknown fact", &[UNKNOWN], out)?;
    let causes: Vec<(&str, Cause)> = Cause::ALL.iter().map(|cause| (cause.as_str(), *cause)).collect();
    let cause = word(fields.require(UNKNOWN, "add a cause", out)?, "the causes", &causes, out)?;
    Some(serde_json::json!({ UNKNOWN: cause.value.as_str() }))
}

/// The value of a fact: absent, unknown, or of the type of the fact.
fn value(kind: Kind, path: &str, node: &Node, out: &mut Problems) -> Option<Json> {
    if node.is_null() {
        return Some(Json::Null);
    }
    if node.get(UNKNOWN).is_some() {
        return unknown(node, out);
    }
    match kind {
        Kind::List(group) => {
            let items = list(node, path, out)?;
            let rows: Vec<_> = items.iter().map(|item| element(group, path, item, out)).collect();
            rows.into_iter().collect::<Option<Vec<Json>>>().map(Json::Array)
        }
        Kind::ListOf(inner) => {
            let items = list(node, path, out)?;
            let values: Vec<_> = items.iter().map(|item| plain(*inner, path, item, out)).collect();
            values.into_iter().collect::<Option<Vec<Json>>>().map(Json::Array)
        }
        kind => plain(kind, path, node, out),
    }
}

fn element(group: &'static GroupSchema, list: &str, node: &Node, out: &mut Problems) -> Option<Json> {
    let Value::Map(entries) = &node.value else {
        let what = format!("an element of `{list}`");
        let known = group.fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", ");
        out.push(wrong_type(node, &what, "a mapping").help(format!("its fields: {known}")));
        return None;
    };
    let names: Vec<&str> = group.fields.iter().map(|field| field.name).collect();
    Fields::read(node, "an element", &names, out);
    let mut row = serde_json::Map::new();
    for entry in entries {
        let field = group.fields.iter().find(|field| field.name == &*entry.key)?;
        let FieldKind::Fact(kind) = field.kind else { continue };
        row.insert(entry.key.to_string(), value(kind, &format!("{list}[].{}", entry.key), &entry.value, out)?);
    }
    Some(Json::Object(row))
}

/// A scalar of the type of the fact, in the form in which snapshots hold it.
fn plain(kind: Kind, path: &str, node: &Node, out: &mut Problems) -> Option<Json> {
    if node.scalar().is_none() || node.is_null() {
        let what = format!("a value of `{path}`");
        out.push(wrong_type(node, &what, &kind_text(kind)));
        return None;
    }
    let converted = literal(kind, path, node).map_err(|mut problem| {
        problem.message = problem.message.replace("but is compared with", "but the test has");
        out.push(problem);
    });
    Some(match converted.ok()? {
        Literal::Bool(value) => Json::from(value),
        Literal::Int(value) | Literal::Duration(value) => Json::from(value),
        Literal::Time(_) => Json::from(&*node.scalar()?.text),
        Literal::Text(text) | Literal::Name(text) => Json::from(&*text),
        Literal::Address(address) => Json::from(address.to_string()),
        Literal::Word { rank, words } => Json::from(*words.words.get(usize::from(rank))?),
    })
}

/// Blamed paths: as in rules, with the label of an element between brackets.
fn because(node: &Node, target: Target, out: &mut Problems) -> Vec<String> {
    let paths = texts(node, "because", out);
    for path in &paths {
        blamed(path, target, out);
    }
    paths.into_iter().map(|path| path.value).collect()
}

fn blamed(path: &Spanned<String>, target: Target, out: &mut Problems) {
    let general = match (path.value.find('['), path.value.rfind(']')) {
        (Some(open), Some(close)) if open < close => {
            format!("{}[]{}", &path.value[..open], &path.value[close + 1..])
        }
        _ => path.value.clone(),
    };
    if let Err(error) = Catalogue::resolve(target, &general) {
        let message = match &error {
            PathError::Unknown { .. } => format!("no such fact `{}`", path.value),
            other => other.to_string(),
        };
        let problem = Diagnostic::error("rule-fact", message).at(path.span);
        out.push(match error {
            PathError::Unknown { suggestion: Some(near), .. } => problem.help(format!("did you mean `{near}`?")),
            _ => problem,
        });
    }
}
