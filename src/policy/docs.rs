//! Pages about rules in Markdown, for `mailvet pack docs`: one page for each rule, one index for each pack.
//!
//! Packs may come from others, so all their text is escaped: prose keeps its code spans and nothing else of Markdown,
//! and no HTML.

use serde_json::Value;

use super::answers::form;
use super::literal::duration_text;
use super::model::{
    Bound, Check, Condition, Expected, IfAbsent, IfNone, Leaf, LeafId, Literal, Manual, Operator, Pack, Quantifier,
    Right, Rule, RuleTest, TestExpect,
};
use crate::diag::visible;
use crate::facts::View;

/// The page of a rule.
pub fn rule_page(rule: &Rule) -> String {
    let mut page = rule_explanation(rule);
    tests(&rule.tests, &mut page);
    page
}

/// The page of a rule without its tests, for a terminal.
pub fn rule_explanation(rule: &Rule) -> String {
    let mut page = format!("# {}\n\n", prose(&rule.title));
    page.push_str(&format!("| | |\n|---|---|\n| Rule | `{}` |\n", code(&rule.id)));
    page.push_str(&format!("| Severity | {} |\n", rule.severity));
    page.push_str(&format!("| Applies to | {} |\n", rule.applies_to));
    page.push_str(&format!("| Pack | {} {} |\n\n", prose(&rule.pack.name), prose(&rule.pack.version)));
    if let Some((severity, reason)) = &rule.rerated {
        page.push_str(&format!("The profile changed the severity from {severity}: {}\n\n", prose(reason)));
    }
    page.push_str(&format!("## Why\n\n{}\n\n## Fix\n\n{}\n\n", prose(&rule.why), prose(&rule.fix.text)));
    if let Some(record) = &rule.fix.record {
        let line = format!("{} {} {}", record.name, record.rtype, record.value);
        page.push_str(&format!("Record to publish{}:\n\n{}\n", placeholders(&line), block(&line)));
    }
    page.push_str("## Condition\n\n");
    match &rule.when {
        Some(when) => {
            page.push_str("The rule applies when\n\n");
            condition(rule, when, 0, &mut page);
            page.push_str("\nand then it requires\n\n");
        }
        None if matches!(rule.check, Check::Automatic(_)) => page.push_str("The rule requires\n\n"),
        None => {}
    }
    match &rule.check {
        Check::Automatic(check) => condition(rule, check, 0, &mut page),
        Check::Manual(manual) => question(rule, manual, &mut page),
    }
    params(rule, &mut page);
    references(rule, &mut page);
    controls(rule, &mut page);
    page
}

/// The index of a pack. Pages are named after the rules.
pub fn pack_index(pack: &Pack) -> String {
    let mut page = format!("# {}\n\n", prose(&pack.title));
    if !pack.description.is_empty() {
        page.push_str(&format!("{}\n\n", prose(&pack.description)));
    }
    page.push_str(&format!(
        "Pack `{}`, version {}, SHA-256 `{}`\n\n",
        code(&pack.reference.name),
        prose(&pack.reference.version),
        code(&pack.reference.sha256)
    ));
    page.push_str("| Rule | Severity | Applies to | Title |\n|---|---|---|---|\n");
    let mut rules: Vec<&Rule> = pack.rules.iter().collect();
    rules.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.id.cmp(&b.id)));
    for rule in rules {
        let short = rule.id.split_once('/').map_or(rule.id.as_str(), |(_, short)| short);
        page.push_str(&format!(
            "| [`{short}`]({short}.md) | {} | {} | {} |\n",
            rule.severity,
            rule.applies_to,
            prose(&rule.title)
        ));
    }
    if !pack.params.is_empty() {
        page.push_str("\n## Parameters\n\nA profile may set them; the pages of the rules show the defaults.\n\n");
        page.push_str("| Parameter | Default | Meaning |\n|---|---|---|\n");
        for param in pack.params.values() {
            let (name, default) = (code(&param.name.value), code(&param.default.to_string()));
            page.push_str(&format!("| `{name}` | `{default}` | {} |\n", prose(&param.title)));
        }
    }
    if !pack.frameworks.is_empty() {
        page.push_str("\n## Frameworks\n\n");
        for (id, name) in &pack.frameworks {
            page.push_str(&format!("- `{}`: {}\n", code(id), prose(name)));
        }
    }
    page
}

/// The page above the pages of all packs: one row for each pack. Pages lie in folders named after the packs.
pub fn packs_index(packs: &[Pack]) -> String {
    let mut page = String::from("# Rules\n\n| Pack | Rules | Title |\n|---|---|---|\n");
    for pack in packs {
        let name = code(&pack.reference.name);
        let title = prose(&pack.title);
        page.push_str(&format!("| [`{name}`]({name}/README.md) | {} | {title} |\n", pack.rules.len()));
    }
    page
}

/// What the braces of a record stand for.
fn placeholders(line: &str) -> &'static str {
    match (line.contains("{domain}"), line.matches('{').count() > line.matches("{domain}").count()) {
        (_, true) => ", with the values of the domain in place of the braces",
        (true, false) => ", with the name of the domain in place of `{domain}`",
        (false, false) => "",
    }
}

fn question(rule: &Rule, manual: &Manual, page: &mut String) {
    page.push_str(&format!("A person answers: {}\n\n", prose(&manual.ask)));
    if !manual.evidence.is_empty() {
        page.push_str("Evidence to show:\n\n");
        for item in &manual.evidence {
            page.push_str(&format!("- {}\n", prose(item)));
        }
        page.push('\n');
    }
    page.push_str(&format!("An answer is good for {} days at most.\n\n", manual.valid_days));
    page.push_str(
        "To answer, fill this in and save it as a file that the inventory names under `answers:`, or give it with ",
    );
    page.push_str("`--answers`:\n\n");
    let form = format!("answers:\n{}", form(&rule.id, &["NAME"], "YYYY-MM-DD"));
    for line in form.lines() {
        page.push_str(&format!("    {}\n", visible(line)));
    }
}

fn condition(rule: &Rule, node: &Condition, depth: usize, page: &mut String) {
    let indent = "  ".repeat(depth);
    match node {
        Condition::All(parts) => parts_of(rule, "all of:", parts, depth, page),
        Condition::Any(parts) => parts_of(rule, "at least one of:", parts, depth, page),
        Condition::Not(part) => parts_of(rule, "not:", std::slice::from_ref(part), depth, page),
        Condition::Quantified { quantifier, list, filter, body, if_none } => {
            let list = leaf(rule, *list).map_or_else(String::new, fact);
            let (head, requirement) = match quantifier {
                Quantifier::Every => ("every one of", "must fulfil"),
                Quantifier::Some => ("at least one of", "must fulfil"),
                Quantifier::None => ("none of", "may fulfil"),
            };
            page.push_str(&format!("{indent}- {head} {list}\n"));
            if let Some(filter) = filter {
                page.push_str(&format!("{indent}  - looking only at those that fulfil\n"));
                condition(rule, filter, depth + 2, page);
            }
            page.push_str(&format!("{indent}  - {requirement}\n"));
            condition(rule, body, depth + 2, page);
            page.push_str(&format!("{indent}  - if there is none: {}\n", if_none_text(*if_none)));
        }
        Condition::Leaf(id) => {
            if let Some(leaf) = leaf(rule, *id) {
                let subject = match leaf.operator {
                    Operator::Count(_) => format!("the number of {}", fact(leaf)),
                    Operator::Distinct(_) => format!("the number of different {}", fact(leaf)),
                    Operator::DaysLeft(_) => format!("the number of days until {}", fact(leaf)),
                    _ => fact(leaf),
                };
                page.push_str(&format!("{indent}- {subject} {}{}\n", operator(&leaf.operator), if_absent(leaf)));
            }
        }
    }
}

fn parts_of(rule: &Rule, head: &str, parts: &[impl std::borrow::Borrow<Condition>], depth: usize, page: &mut String) {
    page.push_str(&format!("{}- {head}\n", "  ".repeat(depth)));
    for part in parts {
        condition(rule, part.borrow(), depth + 1, page);
    }
}

fn leaf(rule: &Rule, id: LeafId) -> Option<&Leaf> {
    rule.leaves.get(usize::from(id.0))
}

/// Path and title of a fact.
fn fact(leaf: &Leaf) -> String {
    let path = match &leaf.list {
        Some(list) => format!("{list}[].{}", leaf.path.text),
        None => leaf.path.text.clone(),
    };
    format!("`{}` ({})", code(&path), prose(leaf.path.title))
}

fn if_absent(leaf: &Leaf) -> &'static str {
    match (&leaf.operator, leaf.if_absent) {
        (Operator::Is(_), _) | (_, IfAbsent::Fail) => "",
        (_, IfAbsent::Pass) => ", or is absent",
        (_, IfAbsent::Unknown) => "; unknown if it is absent",
        (_, IfAbsent::NotApplicable) => "; not applicable if it is absent",
    }
}

fn if_none_text(if_none: IfNone) -> &'static str {
    match if_none {
        IfNone::Pass => "pass",
        IfNone::Fail => "fail",
        IfNone::Unknown => "unknown",
        IfNone::NotApplicable => "not applicable",
    }
}

fn operator(operator: &Operator) -> String {
    match operator {
        Operator::Equals(value) => format!("is {}", right(value)),
        Operator::NotEquals(value) => format!("is not {}", right(value)),
        Operator::In(values) => format!("is one of {}", literals(values)),
        Operator::NotIn(values) => format!("is none of {}", literals(values)),
        Operator::AtLeast(value) => format!("is at least {}", right(value)),
        Operator::AtMost(value) => format!("is at most {}", right(value)),
        Operator::Between(low, high) => format!("is between {} and {}", right(low), right(high)),
        Operator::Matches(pattern) => format!("matches `{}`", code(&pattern.text)),
        Operator::Contains(value) => format!("contains {}", right(value)),
        Operator::SameSetAs(value) => format!("has the same values as {}", right(value)),
        Operator::SubsetOf(value) => format!("has only values of {}", right(value)),
        Operator::Count(number) | Operator::Distinct(number) | Operator::DaysLeft(number) => {
            format!("is {}", bound(number))
        }
        Operator::OlderThan(value) => format!("lies longer ago than {}", right(value)),
        Operator::Is(Expected::Present) => "is present".to_owned(),
        Operator::Is(Expected::Absent) => "is absent".to_owned(),
        Operator::Elements => "has elements".to_owned(),
    }
}

fn bound(bound: &Bound) -> String {
    match bound {
        Bound::Equals(value) => right(value),
        Bound::AtLeast(value) => format!("at least {}", right(value)),
        Bound::AtMost(value) => format!("at most {}", right(value)),
        Bound::Between(low, high) => format!("between {} and {}", right(low), right(high)),
    }
}

fn right(right: &Right) -> String {
    match right {
        Right::Literal(value) => format!("`{}`", code(&literal(value))),
        Right::Set(values) => literals(values),
        Right::Fact(path) => format!("`{}` ({})", code(&path.text), prose(path.title)),
    }
}

fn literals(values: &[Literal]) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("`{}`", code(&literal(value)))).collect();
    if values.is_empty() { "the empty list".to_owned() } else { values.join(", ") }
}

fn literal(value: &Literal) -> String {
    match value {
        Literal::Bool(value) => value.to_string(),
        Literal::Int(value) => value.to_string(),
        Literal::Duration(seconds) => duration_text(*seconds),
        Literal::Time(seconds) => View::Time(*seconds).to_string(),
        Literal::Text(text) | Literal::Name(text) => text.to_string(),
        Literal::Address(address) => address.to_string(),
        Literal::Word { rank, words } => words.words.get(usize::from(*rank)).copied().unwrap_or_default().to_owned(),
    }
}

fn params(rule: &Rule, page: &mut String) {
    if rule.params.is_empty() {
        return;
    }
    page.push_str(
        "\n## Parameters\n\nThe condition is shown with these values; a profile or `--param` may set others.\n\n",
    );
    page.push_str("| Parameter | Value | Meaning |\n|---|---|---|\n");
    for (name, param) in &rule.params {
        let name = format!("{}.{name}", rule.pack.name);
        let (name, value) = (code(&name), code(&param.value.to_string()));
        page.push_str(&format!("| `{name}` | `{value}` | {} |\n", prose(&param.title)));
    }
}

fn references(rule: &Rule, page: &mut String) {
    if rule.references.is_empty() {
        return;
    }
    page.push_str("\n## References\n\n");
    for reference in &rule.references {
        match &reference.url {
            Some(url) => page.push_str(&format!("- [{}](<{}>)\n", prose(&reference.title), address(url))),
            None => page.push_str(&format!("- {}\n", prose(&reference.title))),
        }
    }
}

fn controls(rule: &Rule, page: &mut String) {
    if rule.maps.is_empty() {
        return;
    }
    page.push_str("\n## Controls\n\n");
    for (framework, controls) in &rule.maps {
        let controls: Vec<String> = controls.iter().map(|control| prose(control)).collect();
        page.push_str(&format!("- `{}`: {}\n", code(framework), controls.join(", ")));
    }
}

fn tests(tests: &[RuleTest], page: &mut String) {
    if tests.is_empty() {
        return;
    }
    page.push_str("\n## Tests\n\n| Case | Facts | Verdict |\n|---|---|---|\n");
    for test in tests {
        let mut facts: Vec<String> = test
            .facts
            .iter()
            .map(|(path, value)| format!("`{}`", code(&format!("{path}: {}", shown(value)))))
            .collect();
        let params = test.params.iter();
        facts.extend(params.map(|(name, value)| format!("parameter `{}`", code(&format!("{name}: {}", shown(value))))));
        let verdict = match test.expect {
            TestExpect::Pass => "pass",
            TestExpect::Fail => "fail",
            TestExpect::Unknown => "unknown",
            TestExpect::NotApplicable => "not applicable",
        };
        page.push_str(&format!("| {} | {} | {verdict} |\n", prose(&test.name), facts.join("<br>")));
    }
}

/// A value of a test as people say it: "absent", "unknown (cause)", and lists and elements without quotes around keys.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "absent".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => match fields.get("$unknown") {
            Some(Value::String(cause)) => format!("unknown ({cause})"),
            _ => {
                let fields = fields.iter().map(|(name, value)| format!("{name}: {}", shown(value)));
                format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
            }
        },
        Value::String(text) if text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/@".contains(c)) => text.clone(),
        other => other.to_string(),
    }
}

/// Prose of a pack: code spans stay, everything else that Markdown or HTML would read is escaped, lines are joined.
fn prose(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = visible(&text);
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = &*text;
    while let Some((before, after)) = rest.split_once('`') {
        out.push_str(&escaped(before));
        match after.split_once('`') {
            Some((inside, after)) if !inside.trim().is_empty() => {
                out.push_str(&format!("`{}`", code(inside)));
                rest = after;
            }
            _ => {
                out.push_str("\\`");
                rest = after;
            }
        }
    }
    out.push_str(&escaped(rest));
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '*' | '_' | '[' | ']' | '#' | '|' | '!' | '~' | '$' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    // A bare address would become a link.
    out.replace("://", "&#58;//").replace("www.", "www&#46;")
}

/// The inside of a code span: no backtick ends it, and no pipe leaves its table cell.
fn code(text: &str) -> String {
    visible(text).replace('`', "'").replace('|', "\\|")
}

/// A code block of one line.
fn block(line: &str) -> String {
    format!("```text\n{}\n```\n", visible(line).replace("```", "'''"))
}

/// The inside of `<…>`; the loader has refused white space and everything but https.
fn address(url: &str) -> String {
    url.replace('<', "%3C").replace('>', "%3E").replace('\\', "%5C")
}
