//! The type check: conditions as written become [`Condition`] trees whose paths, operators and literals fit the fact
//! catalogue. Every mistake is found, not only the first.
//!
//! Nothing is evaluated and nothing is guessed: a comparison that does not fit its fact is an error of the pack, because
//! at run time it could only become a verdict that nobody meant.

mod right;

use std::collections::BTreeMap;

use super::document::{
    ConditionDocument, LeafDocument, OperatorWord, PackDocument, ParamValues, QuantifiedDocument, RuleDocument,
};
use super::literal::kind_text;
use super::model::{Condition, IfNone, Leaf, LeafId, Operator, Pattern, Quantifier, UsedParam};
use crate::diag::fields::{Problems, text, word};
use crate::diag::yaml::Spanned;
use crate::diag::{Diagnostic, Span};
use crate::facts::{Catalogue, GroupSchema, Kind, Path, PathError, Target};

/// The most comparisons in one rule.
const MOST_LEAVES: usize = 256;

/// The largest compiled regular expression, in bytes.
const LARGEST_REGEX: usize = 1 << 20;

/// Conditions of one rule with their leaves.
pub(super) struct Checked {
    pub(super) when: Option<Condition>,
    pub(super) check: Option<Condition>,
    pub(super) leaves: Vec<Leaf>,
    pub(super) used: BTreeMap<String, UsedParam>,
}

/// Checks the conditions of a rule with the given values of parameters.
pub(super) fn rule(
    pack: &PackDocument,
    rule: &RuleDocument,
    condition: Option<&ConditionDocument>,
    params: &ParamValues,
    out: &mut Problems,
) -> Checked {
    let mut checker = Checker {
        pack,
        target: rule.applies_to,
        params,
        element: None,
        leaves: Vec::new(),
        used: BTreeMap::new(),
        out,
    };
    let when = rule.when.as_ref().and_then(|when| checker.condition(when));
    let check = condition.and_then(|condition| checker.condition(condition));
    let Checker { leaves, used, out, .. } = checker;
    if leaves.len() > MOST_LEAVES {
        let message = format!("the rule has {} comparisons; {MOST_LEAVES} are the most", leaves.len());
        out.push(Diagnostic::error("rule-size", message).at(rule.id.span).help("divide it into several rules"));
    }
    Checked { when, check, leaves, used }
}

/// The list of the quantifier that is being checked.
#[derive(Clone)]
struct Element {
    list: String,
    group: &'static GroupSchema,
}

struct Checker<'a> {
    pack: &'a PackDocument,
    target: Target,
    params: &'a ParamValues,
    element: Option<Element>,
    leaves: Vec<Leaf>,
    used: BTreeMap<String, UsedParam>,
    out: &'a mut Problems,
}

/// What the left side of a comparison is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// One value.
    One(Kind),
    /// A field of every element of a list.
    Field(Kind),
    /// A list of plain values.
    Values(Kind),
    /// A list of elements.
    Elements,
    /// A list in every element of a list.
    Lists,
}

fn shape(path: &Path) -> Shape {
    match (path.kind, path.item.is_some()) {
        (Kind::List(_) | Kind::ListOf(_), true) => Shape::Lists,
        (Kind::List(_), false) => Shape::Elements,
        (Kind::ListOf(inner), false) => Shape::Values(*inner),
        // `list[]` of plain values and the list itself are the same values.
        (kind, true) if path.item.as_ref().is_some_and(|item| item.is_empty()) => Shape::Values(kind),
        (kind, true) => Shape::Field(kind),
        (kind, false) => Shape::One(kind),
    }
}

impl Checker<'_> {
    fn fail(&mut self, code: &'static str, message: String, span: Span) -> &mut Diagnostic {
        let at = self.out.len();
        self.out.push(Diagnostic::error(code, message).at(span));
        &mut self.out[at]
    }

    fn condition(&mut self, condition: &ConditionDocument) -> Option<Condition> {
        match condition {
            ConditionDocument::All(parts) => self.parts(parts).map(Condition::All),
            ConditionDocument::Any(parts) => self.parts(parts).map(Condition::Any),
            ConditionDocument::Not(part) => self.condition(part).map(|part| Condition::Not(Box::new(part))),
            ConditionDocument::Quantified(quantified) => self.quantified(quantified),
            ConditionDocument::Leaf(leaf) => self.leaf(leaf).map(Condition::Leaf),
        }
    }

    /// All parts, checked one by one so that the mistakes of each are found.
    fn parts(&mut self, parts: &[ConditionDocument]) -> Option<Vec<Condition>> {
        let checked: Vec<_> = parts.iter().map(|part| self.condition(part)).collect();
        checked.into_iter().collect()
    }

    fn quantified(&mut self, quantified: &QuantifiedDocument) -> Option<Condition> {
        if self.element.is_some() {
            self.fail("rule-nested", "quantifiers cannot be nested".to_owned(), quantified.span).help =
                Some("make the inner list a target of its own, or ask for a fact that is computed from it".to_owned());
            return None;
        }
        let if_none = self.if_none(quantified);
        let list = self.quantified_list(quantified);
        let group = list.as_ref().and_then(|path| match path.kind {
            Kind::List(group) => Some((path.text.clone(), group)),
            _ => None,
        });
        let id = list.map(|path| {
            self.push(Leaf {
                path,
                element: false,
                list: None,
                operator: Operator::Elements,
                if_absent: super::model::IfAbsent::default(),
                span: quantified.list.span,
            })
        });
        // Without a list there is nothing that `it.` could be checked against.
        let (list, group) = group?;
        self.element = Some(Element { list, group });
        let filter = quantified.filter.as_ref().map(|filter| self.condition(filter));
        let body = self.condition(&quantified.body);
        self.element = None;
        let filter = match filter {
            Some(filter) => Some(Box::new(filter?)),
            None => None,
        };
        Some(Condition::Quantified {
            quantifier: quantified.quantifier,
            list: id?,
            filter,
            body: Box::new(body?),
            if_none: if_none?,
        })
    }

    fn if_none(&mut self, quantified: &QuantifiedDocument) -> Option<IfNone> {
        match (&quantified.if_none, quantified.quantifier) {
            (Some(if_none), _) => Some(if_none.value),
            (None, Quantifier::Some) => Some(IfNone::Fail),
            (None, Quantifier::Every | Quantifier::None) => {
                let message = format!("say what `{}` being empty means", quantified.list.value);
                self.fail("rule-if-none", message, quantified.span).help =
                    Some("add `if_none: pass|fail|unknown|not-applicable`".to_owned());
                None
            }
        }
    }

    fn quantified_list(&mut self, quantified: &QuantifiedDocument) -> Option<Path> {
        let written = &quantified.list;
        let path = self.resolve_target(written)?;
        let (message, help) = match shape(&path) {
            Shape::Elements => return Some(path),
            Shape::Values(_) => (
                format!("`{}` is a list of plain values, which have no fields", written.value),
                "use same_set_as, subset_of, contains, count or distinct".to_owned(),
            ),
            Shape::Field(_) | Shape::Lists => {
                let list = written.value.split("[]").next().unwrap_or(&written.value);
                (format!("`{}` is not a list", written.value), format!("quantify over `{list}` and read `it.<field>`"))
            }
            Shape::One(_) => {
                (format!("`{}` is not a list", written.value), "compare it with `fact:` and an operator".to_owned())
            }
        };
        self.fail("rule-list", message, written.span).help = Some(help);
        None
    }

    fn push(&mut self, leaf: Leaf) -> LeafId {
        let id = LeafId(u16::try_from(self.leaves.len()).unwrap_or(u16::MAX));
        self.leaves.push(leaf);
        id
    }

    fn leaf(&mut self, leaf: &LeafDocument) -> Option<LeafId> {
        let (path, list) = match leaf.fact.value.strip_prefix("it.") {
            Some(field) => self.resolve_element(&leaf.fact, field)?,
            None => (self.resolve_target(&leaf.fact)?, None),
        };
        let operator = self.operator(leaf, &path)?;
        Some(self.push(Leaf {
            path,
            element: list.is_some(),
            list,
            operator,
            if_absent: leaf.if_absent.as_ref().map(|if_absent| if_absent.value).unwrap_or_default(),
            span: leaf.span,
        }))
    }

    fn resolve_target(&mut self, written: &Spanned<String>) -> Option<Path> {
        let result = Catalogue::resolve(self.target, &written.value);
        self.resolved(written, result)
    }

    fn resolve_element(&mut self, written: &Spanned<String>, field: &str) -> Option<(Path, Option<String>)> {
        let Some(element) = self.element.clone() else {
            let message = format!("`{}` reads an element, but stands outside every, some and none", written.value);
            self.fail("rule-element", message, written.span);
            return None;
        };
        let result = Catalogue::resolve_in(element.group, field).map_err(|error| match error {
            PathError::Unknown { suggestion, .. } => PathError::Unknown {
                path: written.value.clone(),
                suggestion: suggestion.map(|field| format!("it.{field}")),
            },
            PathError::Group(_) => PathError::Group(written.value.clone()),
            PathError::NotAList(_) => PathError::NotAList(written.value.clone()),
        });
        let path = self.resolved(written, result)?;
        Some((path, Some(element.list)))
    }

    fn resolved(&mut self, written: &Spanned<String>, result: Result<Path, PathError>) -> Option<Path> {
        let error = match result {
            Ok(path) => return Some(path),
            Err(error) => error,
        };
        let help = match &error {
            PathError::Unknown { suggestion: Some(suggestion), .. } => Some(format!("did you mean `{suggestion}`?")),
            PathError::Unknown { path, .. } => self.elsewhere(path),
            PathError::Group(path) => {
                let prefix = format!("{path}.");
                let entries = Catalogue::entries(self.target);
                let inside = entries.iter().map(|entry| entry.path.as_str()).find(|path| path.starts_with(&prefix));
                inside.map(|inside| format!("name one of its facts, such as `{inside}`"))
            }
            PathError::NotAList(path) => Some(format!("write `{}`", path.replace("[]", ""))),
        };
        self.fail("rule-fact", error.to_string(), written.span).help = help;
        None
    }

    /// A fact of that name that another kind of target, or an element, has.
    fn elsewhere(&self, path: &str) -> Option<String> {
        if let Some(element) = &self.element
            && element.group.fields.iter().any(|field| field.name == path)
        {
            return Some(format!("did you mean `it.{path}`?"));
        }
        let target = Target::ALL.iter().find(|target| Catalogue::resolve(**target, path).is_ok())?;
        Some(format!("`{path}` is a fact of a {target}, and this rule applies to a {}", self.target))
    }

    fn operator(&mut self, leaf: &LeafDocument, path: &Path) -> Option<Operator> {
        let operator = leaf.operator.value;
        let right = &leaf.right;
        match (operator, shape(path)) {
            (OperatorWord::Is, Shape::One(_) | Shape::Values(_) | Shape::Elements) => {
                word(right, "is", super::document::EXPECTED, self.out).map(|expected| Operator::Is(expected.value))
            }
            (OperatorWord::Count, Shape::Field(_) | Shape::Values(_) | Shape::Elements) => {
                self.bound("count", right).map(Operator::Count)
            }
            (OperatorWord::Distinct, Shape::Field(_) | Shape::Values(_)) => {
                self.bound("distinct", right).map(Operator::Distinct)
            }
            (OperatorWord::SameSetAs, Shape::Field(kind) | Shape::Values(kind)) => {
                self.set(leaf, kind).map(Operator::SameSetAs)
            }
            (OperatorWord::SubsetOf, Shape::Field(kind) | Shape::Values(kind)) => {
                self.set(leaf, kind).map(Operator::SubsetOf)
            }
            (OperatorWord::Contains, Shape::Field(kind) | Shape::Values(kind) | Shape::One(kind @ Kind::Text)) => {
                self.right(kind, leaf, right).map(Operator::Contains)
            }
            (_, Shape::One(kind)) => self.comparison(leaf, kind),
            (_, shape) => {
                self.many(leaf, shape);
                None
            }
        }
    }

    /// A list is compared with an operator for one value.
    fn many(&mut self, leaf: &LeafDocument, shape: Shape) {
        let path = &leaf.fact.value;
        let (message, help) = match shape {
            Shape::Elements => (format!("`{path}` is a list"), "use every/some/none, count or is".to_owned()),
            Shape::Lists => {
                let (list, field) = path.split_once("[].").unwrap_or((path, ""));
                (
                    format!("`{path}` is a list in every element of `{list}`"),
                    format!("use every/some/none over `{list}` and read `it.{field}`"),
                )
            }
            _ if path.starts_with("it.") => (
                format!("`{path}` is many values"),
                "use same_set_as, subset_of, contains, count, distinct or is".to_owned(),
            ),
            _ => (
                format!("`{path}` is many values"),
                "use every/some/none, same_set_as, subset_of, contains, count or distinct".to_owned(),
            ),
        };
        self.fail("rule-list", message, leaf.fact.span).help = Some(help);
    }

    fn comparison(&mut self, leaf: &LeafDocument, kind: Kind) -> Option<Operator> {
        let right = &leaf.right;
        match leaf.operator.value {
            OperatorWord::Equals => self.right(kind, leaf, right).map(Operator::Equals),
            OperatorWord::NotEquals => self.right(kind, leaf, right).map(Operator::NotEquals),
            OperatorWord::In => self.literals(kind, leaf).map(Operator::In),
            OperatorWord::NotIn => self.literals(kind, leaf).map(Operator::NotIn),
            OperatorWord::AtLeast => {
                self.ordered(leaf, kind)?;
                self.right(kind, leaf, right).map(Operator::AtLeast)
            }
            OperatorWord::AtMost => {
                self.ordered(leaf, kind)?;
                self.right(kind, leaf, right).map(Operator::AtMost)
            }
            OperatorWord::Between => {
                self.ordered(leaf, kind)?;
                let (low, high) = self.between(right, |checker, node| checker.right(kind, leaf, node))?;
                Some(Operator::Between(low, high))
            }
            OperatorWord::Matches => self.matches(leaf, kind),
            OperatorWord::DaysLeft if kind == Kind::Time => self.bound("days_left", right).map(Operator::DaysLeft),
            OperatorWord::OlderThan if kind == Kind::Time => {
                self.right(Kind::Duration, leaf, right).map(Operator::OlderThan)
            }
            operator => {
                self.misfit(leaf, operator, kind);
                None
            }
        }
    }

    fn ordered(&mut self, leaf: &LeafDocument, kind: Kind) -> Option<()> {
        match kind {
            Kind::Int | Kind::Duration | Kind::Time => Some(()),
            Kind::Word(words) if words.ordered => Some(()),
            _ => {
                let message = format!("`{}` has no order", leaf.fact.value);
                self.fail("rule-operator", message, leaf.operator.span).help = Some("use equals or in".to_owned());
                None
            }
        }
    }

    fn misfit(&mut self, leaf: &LeafDocument, operator: OperatorWord, kind: Kind) {
        let needs = match operator {
            OperatorWord::DaysLeft | OperatorWord::OlderThan => "a point in time",
            OperatorWord::Contains => "a text or a list",
            OperatorWord::Matches => "a text or a domain name",
            _ => "a list",
        };
        let message =
            format!("`{}` needs {needs}, but `{}` is {}", operator.as_str(), leaf.fact.value, kind_text(kind));
        self.fail("rule-operator", message, leaf.operator.span);
    }

    fn matches(&mut self, leaf: &LeafDocument, kind: Kind) -> Option<Operator> {
        if !matches!(kind, Kind::Text | Kind::Name) {
            self.misfit(leaf, OperatorWord::Matches, kind);
            return None;
        }
        let written = text(&leaf.right, "matches", self.out)?;
        // The pattern must be complete on its own, or `a)|(b` would escape the anchors.
        let compile = |pattern: &str| regex::RegexBuilder::new(pattern).size_limit(LARGEST_REGEX).build();
        let compiled = compile(&written.value).and_then(|_| compile(&format!("^(?:{})$", written.value)));
        match compiled {
            Ok(regex) => Some(Operator::Matches(Pattern { text: written.value, regex })),
            Err(error) => {
                let reason = match &error {
                    regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
                    error => {
                        let text = error.to_string();
                        text.rsplit("error: ").next().unwrap_or("it cannot be read").trim().to_owned()
                    }
                };
                self.fail("rule-regex", format!("not a regular expression: {reason}"), written.span);
                None
            }
        }
    }
}
