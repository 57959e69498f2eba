//! Right sides of comparisons: literals, parameters, other facts, sets and bounds.

use super::{Checker, Shape, shape};
use crate::diag::fields::{Fields, list, text};
use crate::diag::yaml::{Node, Spanned, Value};
use crate::diag::{Span, suggest};
use crate::facts::{Kind, Path};
use crate::policy::document::{LeafDocument, OperatorWord, Param, ParamValue};
use crate::policy::literal::{from_param, kind_text, literal};
use crate::policy::model::{Bound, Literal, Right, UsedParam};

impl Checker<'_> {
    /// A scalar right side: literal, parameter or fact.
    pub(super) fn right(&mut self, kind: Kind, leaf: &LeafDocument, node: &Node) -> Option<Right> {
        if !matches!(node.value, Value::Map(_)) {
            return self.literal(kind, leaf, node).map(Right::Literal);
        }
        let fields = Fields::read(node, "the right side", &["param", "fact"], self.out)?;
        match (fields.get("param"), fields.get("fact")) {
            (Some(_), None) => self.literal(kind, leaf, node).map(Right::Literal),
            (None, Some(fact)) => {
                let path = self.right_fact(fact)?;
                match shape(&path) {
                    Shape::One(other) if other == kind => Some(Right::Fact(path)),
                    Shape::One(other) => {
                        self.different_types(leaf, kind, &path, other, fact.span);
                        None
                    }
                    _ => {
                        self.fail("rule-list", format!("`{}` is many values", path.text), fact.span).help =
                            Some("one value can only be compared with one value".to_owned());
                        None
                    }
                }
            }
            _ => {
                self.fail(
                    "rule-right",
                    "a right side is a value, `{ param: name }` or `{ fact: path }`".to_owned(),
                    node.span,
                );
                None
            }
        }
    }

    fn different_types(&mut self, leaf: &LeafDocument, kind: Kind, path: &Path, other: Kind, span: Span) {
        let (left, right) = (kind_text(kind), kind_text(other));
        let message = format!("`{}` is {left}, but `{}` is {right}", leaf.fact.value, path.text);
        self.fail("rule-type", message, span);
    }

    fn right_fact(&mut self, node: &Node) -> Option<Path> {
        let written = text(node, "fact", self.out)?;
        if written.value.starts_with("it.") {
            let message = format!("`{}` cannot stand on the right side", written.value);
            self.fail("rule-element", message, written.span).help =
                Some("the right side reads facts of the target; put the element on the left".to_owned());
            return None;
        }
        self.resolve_target(&written)
    }

    /// A literal or a parameter.
    fn literal(&mut self, kind: Kind, leaf: &LeafDocument, node: &Node) -> Option<Literal> {
        let path = &leaf.fact.value;
        let result = match node.get("param") {
            None => literal(kind, path, node),
            Some(name) => {
                let (param, value) = self.param(name)?;
                from_param(kind, path, param, value).map_err(|problem| problem.at(name.span))
            }
        };
        result.map_err(|problem| self.out.push(problem)).ok()
    }

    fn param(&mut self, node: &Node) -> Option<(&Param, &ParamValue)> {
        let written = text(node, "param", self.out)?;
        let Some(param) = self.pack.params.get(&written.value) else {
            let near = suggest(&written.value, self.pack.params.keys().map(String::as_str));
            let help = near.map(|near| format!("did you mean `{near}`?"));
            let message = format!("no such parameter `{}`", written.value);
            self.fail("rule-param", message, written.span).help =
                help.or_else(|| Some("declare it under `params:` in pack.yaml".to_owned()));
            return None;
        };
        let value = self.params.get(&written.value).unwrap_or(&param.default);
        self.used.insert(written.value, UsedParam { title: param.title.clone(), value: value.clone() });
        Some((param, value))
    }

    pub(super) fn literals(&mut self, kind: Kind, leaf: &LeafDocument) -> Option<Vec<Literal>> {
        let operator = leaf.operator.value.as_str();
        let items = list(&leaf.right, operator, self.out)?;
        if items.is_empty() {
            let message = format!("the list of `{operator}` is empty, so the answer never changes");
            self.fail("rule-empty", message, leaf.right.span);
            return None;
        }
        let literals: Vec<_> = items.iter().map(|item| self.literal(kind, leaf, item)).collect();
        literals.into_iter().collect()
    }

    /// The right side of `same_set_as` and `subset_of`.
    pub(super) fn set(&mut self, leaf: &LeafDocument, kind: Kind) -> Option<Right> {
        let Some(fact) = leaf.right.get("fact") else {
            let items = list(&leaf.right, leaf.operator.value.as_str(), self.out)?;
            let literals: Vec<_> = items.iter().map(|item| self.literal(kind, leaf, item)).collect();
            return literals.into_iter().collect::<Option<Vec<_>>>().map(Right::Set);
        };
        Fields::read(&leaf.right, "the right side", &["fact"], self.out)?;
        let path = self.right_fact(fact)?;
        match shape(&path) {
            Shape::Field(other) | Shape::Values(other) if other == kind => Some(Right::Fact(path)),
            Shape::Field(other) | Shape::Values(other) => {
                let message = format!(
                    "the values of `{}` are {}, those of `{}` are {}",
                    leaf.fact.value,
                    plural(kind),
                    path.text,
                    plural(other)
                );
                self.fail("rule-type", message, fact.span);
                None
            }
            Shape::One(_) => {
                self.fail("rule-list", format!("`{}` is one value, not a list", path.text), fact.span).help =
                    Some("use contains, or name a list".to_owned());
                None
            }
            Shape::Elements | Shape::Lists => {
                self.fail("rule-list", format!("`{}` has no plain values", path.text), fact.span).help =
                    Some(format!("name a field of its elements: `{}[].<field>`", path.text));
                None
            }
        }
    }

    /// The bound of `count`, `distinct` and `days_left`: exactly one of four words.
    pub(super) fn bound(&mut self, operator: &'static str, node: &Node) -> Option<Bound> {
        const WORDS: [&str; 4] = ["equals", "at_least", "at_most", "between"];
        if let Some(scalar) = node.scalar() {
            let message = format!("`{operator}` needs a bound");
            self.fail("rule-bound", message, node.span).help =
                Some(format!("write `{operator}: {{ equals: {} }}`, or at_least, at_most, between", scalar.text));
            return None;
        }
        let fields = Fields::read(node, "a bound", &WORDS, self.out)?;
        let [entry] = fields.entries() else {
            self.fail("rule-bound", format!("`{operator}` needs exactly one bound"), node.span).help =
                Some(format!("one of {}", WORDS.join(", ")));
            return None;
        };
        if !WORDS.contains(&&*entry.key) {
            return None;
        }
        let number = number_leaf(operator, entry.key_span, &entry.value);
        match &*entry.key {
            "equals" => self.right(Kind::Int, &number, &entry.value).map(Bound::Equals),
            "at_least" => self.right(Kind::Int, &number, &entry.value).map(Bound::AtLeast),
            "at_most" => self.right(Kind::Int, &number, &entry.value).map(Bound::AtMost),
            _ => {
                let between = self.between(&entry.value, |checker, node| checker.right(Kind::Int, &number, node));
                between.map(|(low, high)| Bound::Between(low, high))
            }
        }
    }

    pub(super) fn between(
        &mut self,
        node: &Node,
        mut right: impl FnMut(&mut Self, &Node) -> Option<Right>,
    ) -> Option<(Right, Right)> {
        let items = list(node, "between", self.out)?;
        let [low, high] = items else {
            self.fail("rule-bound", "`between` needs two values: `[low, high]`".to_owned(), node.span);
            return None;
        };
        let (low, high) = (right(self, low), right(self, high));
        let (low, high) = (low?, high?);
        if let (Right::Literal(from), Right::Literal(to)) = (&low, &high)
            && rank(from) > rank(to)
        {
            self.fail("rule-bound", "the bounds of `between` are reversed".to_owned(), node.span).help =
                Some("write the smaller value first".to_owned());
            return None;
        }
        Some((low, high))
    }
}

/// A leaf that stands for the number on which a bound is put, so that messages name the operator.
fn number_leaf(operator: &'static str, span: Span, right: &Node) -> LeafDocument {
    LeafDocument {
        fact: Spanned::new(operator.to_owned(), span),
        operator: Spanned::new(OperatorWord::Equals, span),
        right: right.clone(),
        if_absent: None,
        span,
    }
}

/// Position of an ordered literal on its scale.
fn rank(literal: &Literal) -> i64 {
    match literal {
        Literal::Int(value) | Literal::Duration(value) | Literal::Time(value) => *value,
        Literal::Word { rank, .. } => i64::from(*rank),
        Literal::Bool(_) | Literal::Text(_) | Literal::Name(_) | Literal::Address(_) => 0,
    }
}

fn plural(kind: Kind) -> String {
    match kind {
        Kind::Bool => "booleans".to_owned(),
        Kind::Int => "whole numbers".to_owned(),
        Kind::Duration => "lengths of time".to_owned(),
        Kind::Time => "points in time".to_owned(),
        Kind::Text => "texts".to_owned(),
        Kind::Name => "domain names".to_owned(),
        Kind::Address => "IP addresses".to_owned(),
        Kind::Word(words) => format!("words ({})", words.words.join(", ")),
        Kind::List(_) | Kind::ListOf(_) => "lists".to_owned(),
    }
}
