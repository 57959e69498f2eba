//! Advice for authors of packs: what is allowed, and yet makes a rule harder to use, to explain or to trust.
//!
//! Everything here is a warning. What makes a pack wrong is an error of the loader.

use std::collections::BTreeSet;

use super::document::{CheckDocument, ConditionDocument, LeafDocument, OperatorWord, PackDocument, RuleDocument};
use super::model::{IfAbsent, TestExpect};
use crate::diag::fields::Problems;
use crate::diag::yaml::{Node, Value};
use crate::diag::{Diagnostic, Span};

/// The longest title that fits one line of a report.
const LONGEST_TITLE: usize = 80;

/// Shorter explanations leave the reader alone.
const SHORTEST_TEXT: usize = 25;

/// Warnings about a pack, by place.
pub fn lint(pack: &PackDocument) -> Vec<Diagnostic> {
    let mut out = Problems::new();
    if pack.description.is_empty() {
        warn(
            &mut out,
            "lint-description",
            "the pack has no description",
            pack.name.span,
            "add one paragraph for people who choose packs",
        );
    }
    if pack.license.is_none() {
        warn(
            &mut out,
            "lint-license",
            "the pack names no licence",
            pack.name.span,
            "add `license:` with an SPDX expression",
        );
    }
    let mut used = BTreeSet::new();
    for rule in &pack.rules {
        identity(rule, &mut out);
        texts(rule, pack, &mut out);
        conditions(rule, &mut used, &mut out);
        tests(rule, &mut out);
    }
    for param in pack.params.values().filter(|param| !used.contains(param.name.value.as_str())) {
        let message = format!("no rule uses the parameter `{}`", param.name.value);
        warn(&mut out, "lint-param", &message, param.name.span, "remove it, or use it with `{ param: … }`");
    }
    out.sort_by_key(|problem| problem.span);
    out
}

fn warn(out: &mut Problems, code: &'static str, message: &str, span: Span, help: &str) {
    out.push(Diagnostic::warning(code, message).at(span).help(help));
}

fn identity(rule: &RuleDocument, out: &mut Problems) {
    let id = &rule.id.value;
    let word =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let numbered = id.rsplit_once('-').is_some_and(|(_, last)| last.bytes().all(|byte| byte.is_ascii_digit()));
    if !id.split('-').all(word) {
        let message = format!("the rule id `{id}` is not in kebab case");
        warn(out, "lint-id", &message, rule.id.span, "name the smell in lower case, such as `dmarc-not-enforced`");
    } else if numbered || !id.contains('-') {
        let message = format!("the rule id `{id}` does not name a smell");
        warn(out, "lint-id", &message, rule.id.span, "say what is wrong, so that it reads well after \"waive\"");
    }
}

fn texts(rule: &RuleDocument, pack: &PackDocument, out: &mut Problems) {
    let title = &rule.title;
    if title.value.ends_with('.') {
        warn(out, "lint-title", "the title ends with a full stop", title.span, "leave the full stop out");
    }
    if title.value.chars().count() > LONGEST_TITLE {
        let message = format!("the title has more than {LONGEST_TITLE} characters");
        warn(out, "lint-title", &message, title.span, "shorten it to one line; details go into `why`");
    }
    if rule.why.value.chars().count() < SHORTEST_TEXT {
        warn(
            out,
            "lint-why",
            "`why` is too short to convince",
            rule.why.span,
            "say what an attacker does or what breaks",
        );
    }
    if rule.fix.value.text.chars().count() < SHORTEST_TEXT {
        warn(
            out,
            "lint-fix",
            "`fix` is too short to follow",
            rule.fix.span,
            "say where to change what, and what to check before",
        );
    }
    if rule.references.is_empty() {
        warn(
            out,
            "lint-references",
            "the rule has no reference",
            rule.id.span,
            "cite the section the requirement comes from",
        );
    }
    if !pack.frameworks.is_empty() && rule.maps.is_empty() {
        warn(
            out,
            "lint-maps",
            "the rule is mapped to no control",
            rule.id.span,
            "add `maps:` for the pack's frameworks",
        );
    }
}

/// What the conditions of a rule use, and leaves whose answer to an absent fact surprises.
fn conditions<'p>(rule: &'p RuleDocument, used: &mut BTreeSet<&'p str>, out: &mut Problems) {
    let mut leaves = Vec::new();
    if let Some(when) = &rule.when {
        collect(when, &mut leaves);
    }
    if let CheckDocument::Automatic(check) = &rule.check {
        collect(check, &mut leaves);
    }
    for leaf in leaves {
        params(&leaf.right, used);
        let negative = matches!(leaf.operator.value, OperatorWord::NotEquals | OperatorWord::NotIn);
        if negative && leaf.if_absent.is_none() {
            let message = format!("`{}` fails when `{}` is absent", leaf.operator.value.as_str(), leaf.fact.value);
            warn(
                out,
                "lint-if-absent",
                &message,
                leaf.span,
                "say so with `if_absent: fail`, or choose `if_absent: pass`",
            );
        }
        if let (OperatorWord::Is, Some(if_absent)) = (leaf.operator.value, &leaf.if_absent)
            && if_absent.value != IfAbsent::Fail
        {
            let message = "`if_absent` stands beside `is`, which asks for absence itself";
            warn(out, "lint-if-absent", message, if_absent.span, "leave `if_absent` out");
        }
    }
}

fn collect<'p>(condition: &'p ConditionDocument, leaves: &mut Vec<&'p LeafDocument>) {
    match condition {
        ConditionDocument::All(parts) | ConditionDocument::Any(parts) => {
            parts.iter().for_each(|part| collect(part, leaves));
        }
        ConditionDocument::Not(part) => collect(part, leaves),
        ConditionDocument::Quantified(quantified) => {
            if let Some(filter) = &quantified.filter {
                collect(filter, leaves);
            }
            collect(&quantified.body, leaves);
        }
        ConditionDocument::Leaf(leaf) => leaves.push(leaf),
    }
}

fn params<'p>(node: &'p Node, used: &mut BTreeSet<&'p str>) {
    match &node.value {
        Value::Scalar(_) => {}
        Value::List(items) => items.iter().for_each(|item| params(item, used)),
        Value::Map(entries) => {
            for entry in entries {
                match entry.value.scalar() {
                    Some(scalar) if &*entry.key == "param" => {
                        used.insert(&scalar.text);
                    }
                    _ => params(&entry.value, used),
                }
            }
        }
    }
}

fn tests(rule: &RuleDocument, out: &mut Problems) {
    if matches!(rule.check, CheckDocument::Manual(_)) {
        return;
    }
    let has = |wanted: &[TestExpect]| rule.tests.iter().any(|test| wanted.contains(&test.expect));
    for (wanted, message, help) in [
        (&[TestExpect::Pass][..], "no test of the rule expects `pass`", "add the smallest facts that satisfy it"),
        (&[TestExpect::Fail][..], "no test of the rule expects `fail`", "add the facts of the smell it is named after"),
        (
            &[TestExpect::Unknown, TestExpect::NotApplicable][..],
            "no test of the rule expects `unknown` or `not-applicable`",
            "add a case with `{ $unknown: dns-servfail }`",
        ),
    ] {
        if !has(wanted) {
            warn(out, "lint-tests", message, rule.id.span, help);
        }
    }
    for test in rule.tests.iter().filter(|test| test.expect == TestExpect::Fail && test.because.is_none()) {
        let message = "the test does not say which facts are to blame";
        warn(
            out,
            "lint-because",
            message,
            test.span,
            "add `because: [..]` with exactly the facts that explain the failure",
        );
    }
}
