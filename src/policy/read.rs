//! Conditions as written: which keys stand where. Types are not looked at.

use super::document::{ConditionDocument, IF_ABSENT, IF_NONE, LeafDocument, OperatorWord, QuantifiedDocument};
use super::model::Quantifier;
use crate::diag::fields::{Fields, Problems, list, text, word};
use crate::diag::yaml::{Entry, Node, Spanned, shortened};
use crate::diag::{Diagnostic, suggest};

/// Keys that say what a condition is; each condition has exactly one.
const HEADS: [&str; 7] = ["all", "any", "not", "every", "some", "none", "fact"];

/// Reads a condition.
pub(super) fn condition(node: &Node, out: &mut Problems) -> Option<ConditionDocument> {
    let fields = Fields::any(node, "a condition", out)?;
    let heads: Vec<&Entry> = fields.entries().iter().filter(|entry| HEADS.contains(&&*entry.key)).collect();
    match heads.as_slice() {
        [head] => match &*head.key {
            "fact" => leaf(node, out).map(ConditionDocument::Leaf),
            "every" => quantified(node, head, Quantifier::Every, out),
            "some" => quantified(node, head, Quantifier::Some, out),
            "none" => quantified(node, head, Quantifier::None, out),
            _ => combination(node, head, out),
        },
        [] => {
            out.push(without_head(fields));
            None
        }
        [first, second, ..] => {
            let message = format!("`{}` and `{}` stand side by side", first.key, second.key);
            out.push(
                Diagnostic::error("rule-condition", message)
                    .at(second.key_span)
                    .help("a condition is one thing; put both into the list of an `all:` or `any:`"),
            );
            None
        }
    }
}

fn without_head(fields: Fields<'_>) -> Diagnostic {
    let first = fields.entries().first();
    let problem = Diagnostic::error("rule-condition", format!("a condition needs one of {}", HEADS.join(", ")));
    let problem = problem.at(first.map_or(fields.span, |entry| entry.key_span));
    let operator = |entry: &Entry| OperatorWord::ALL.iter().any(|(word, _)| *word == &*entry.key);
    match first {
        Some(entry) if operator(entry) => problem.help("add `fact: <path>`: what is compared"),
        Some(entry) if entry.key.contains('.') => {
            problem.help(format!("write `{{ fact: {}, equals: … }}`", shortened(&entry.key)))
        }
        Some(entry) => match suggest(&entry.key, HEADS) {
            Some(head) => problem.help(format!("did you mean `{head}`?")),
            None => problem,
        },
        None => problem,
    }
}

fn combination(node: &Node, head: &Entry, out: &mut Problems) -> Option<ConditionDocument> {
    Fields::read(node, "a condition", &[&head.key], out)?;
    if &*head.key == "not" {
        return condition(&head.value, out).map(|part| ConditionDocument::Not(Box::new(part)));
    }
    let items = list(&head.value, &head.key, out)?;
    if items.is_empty() {
        let message = format!("`{}` is empty, and so decides nothing", head.key);
        out.push(Diagnostic::error("rule-empty", message).at(head.value.span).help("list at least one condition"));
        return None;
    }
    let parts: Vec<_> = items.iter().map(|item| condition(item, out)).collect();
    let parts: Vec<_> = parts.into_iter().collect::<Option<_>>()?;
    Some(if &*head.key == "all" { ConditionDocument::All(parts) } else { ConditionDocument::Any(parts) })
}

fn quantified(node: &Node, head: &Entry, quantifier: Quantifier, out: &mut Problems) -> Option<ConditionDocument> {
    let fields = Fields::read(node, "a quantifier", &[&head.key, "where", "must", "match", "if_none"], out)?;
    let list = text(&head.value, &head.key, out);
    let filter = fields.get("where").map(|filter| condition(filter, out));
    // After a wrong word the error is there already; any value keeps it from being reported as missing too.
    let if_none = fields
        .get("if_none")
        .map(|node| word(node, "if_none", IF_NONE, out).unwrap_or(Spanned::new(super::model::IfNone::Fail, node.span)));
    let body = body(&fields, quantifier, out);
    let filter = match filter {
        Some(filter) => Some(filter?),
        None => None,
    };
    let (list, body) = (list?, body?);
    let span = node.span;
    Some(ConditionDocument::Quantified(Box::new(QuantifiedDocument { quantifier, list, filter, body, if_none, span })))
}

/// `every` says what elements must be, `none` what must not match; `some` reads well with both.
fn body(fields: &Fields<'_>, quantifier: Quantifier, out: &mut Problems) -> Option<ConditionDocument> {
    let (must, matching) = (fields.entry("must"), fields.entry("match"));
    let (entry, wanted) = match quantifier {
        Quantifier::Every => (must, "must"),
        Quantifier::None => (matching, "match"),
        Quantifier::Some => (must.or(matching), "must"),
    };
    let other = if wanted == "must" { matching } else { must };
    let other = if quantifier == Quantifier::Some && (must.is_none() || matching.is_none()) { None } else { other };
    if let Some(other) = other {
        let message = match quantifier {
            Quantifier::Every => "`every` takes `must`, not `match`",
            Quantifier::None => "`none` takes `match`, not `must`",
            Quantifier::Some => "`must` and `match` stand side by side",
        };
        out.push(Diagnostic::error("rule-quantifier", message).at(other.key_span).help(format!("write `{wanted}:`")));
        return None;
    }
    match entry {
        Some(entry) => condition(&entry.value, out),
        None => {
            let help = match quantifier {
                Quantifier::None => "add `match:` with a condition that no element may satisfy",
                Quantifier::Every | Quantifier::Some => "add `must:` with a condition on `it.<field>`",
            };
            let message = format!("the quantifier needs `{wanted}`");
            out.push(Diagnostic::error("missing-key", message).at(fields.span).help(help));
            None
        }
    }
}

fn leaf(node: &Node, out: &mut Problems) -> Option<LeafDocument> {
    let fields = Fields::any(node, "a condition", out)?;
    let mut operators: Vec<(&Entry, OperatorWord)> = Vec::new();
    let mut unknown = false;
    for entry in fields.entries().iter().filter(|entry| !matches!(&*entry.key, "fact" | "if_absent")) {
        match OperatorWord::ALL.iter().find(|(word, _)| *word == &*entry.key) {
            Some((_, operator)) => operators.push((entry, *operator)),
            None => {
                out.push(unknown_operator(entry));
                unknown = true;
            }
        }
    }
    let fact = fields.text("fact", "name a fact", out);
    let if_absent = fields.get("if_absent").and_then(|if_absent| word(if_absent, "if_absent", IF_ABSENT, out));
    match operators.as_slice() {
        [(entry, operator)] => Some(LeafDocument {
            fact: fact?,
            operator: Spanned::new(*operator, entry.key_span),
            right: entry.value.clone(),
            if_absent,
            span: node.span,
        }),
        [] if unknown => None,
        [] => {
            let words = OperatorWord::ALL.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
            let message = "the comparison has no operator";
            out.push(Diagnostic::error("rule-operator", message).at(node.span).help(format!("add one of {words}")));
            None
        }
        [(first, _), (second, _), ..] => {
            let message = format!("two operators, `{}` and `{}`, in one comparison", first.key, second.key);
            let help = "write two comparisons under `all:`, or use between";
            out.push(Diagnostic::error("rule-operator", message).at(second.key_span).help(help));
            None
        }
    }
}

fn unknown_operator(entry: &Entry) -> Diagnostic {
    let words: Vec<&str> = OperatorWord::ALL.iter().map(|(word, _)| *word).chain(["if_absent"]).collect();
    let problem = Diagnostic::error("rule-operator", format!("unknown operator `{}`", shortened(&entry.key)));
    let help = match suggest(&entry.key, words.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => match &*entry.key {
            "exists" | "absent" | "present" => "write `is: present` or `is: absent`".to_owned(),
            "regex" | "regexp" | "pattern" => "did you mean `matches`?".to_owned(),
            "if_none" | "where" | "must" | "match" => "that belongs to every, some and none".to_owned(),
            _ => format!("operators: {}", words.join(", ")),
        },
    };
    problem.at(entry.key_span).help(help)
}
