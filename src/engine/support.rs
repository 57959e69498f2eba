//! Rules for the engine's own tests, written in the shape of packs. No checks: the loader of packs has them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::diag::{FileId, Span};
use crate::facts::{Catalogue, Kind, Path, Target, TargetFacts};
use crate::policy::model::{Bound, Pattern};
use crate::policy::{
    Check, Condition, Expected, Fix, IfAbsent, IfNone, Leaf, LeafId, Literal, Operator, PackRef, Policy, Quantifier,
    Right, Rule, RuleTest, Severity, TestExpect,
};

pub(crate) const SPAN: Span = Span { file: FileId(0), start: 0, end: 0 };

/// A rule from `{ when?, check, tests? }`.
pub(crate) fn rule(target: Target, document: Value) -> Rule {
    let mut draft = Draft { target, leaves: Vec::new(), list: None };
    let when = document.get("when").map(|when| draft.condition(when));
    let check = draft.condition(&document["check"]);
    Rule {
        id: document["id"].as_str().unwrap_or("test/rule").to_owned(),
        pack: pack(),
        title: "Something is wrong".to_owned(),
        severity: Severity::High,
        rerated: None,
        applies_to: target,
        when,
        check: Check::Automatic(check),
        leaves: draft.leaves,
        params: BTreeMap::new(),
        why: "it matters".to_owned(),
        fix: Fix::default(),
        references: Vec::new(),
        maps: BTreeMap::new(),
        tests: document["tests"].as_array().into_iter().flatten().map(test).collect(),
        span: SPAN,
    }
}

pub(crate) fn pack() -> PackRef {
    PackRef { name: "test".to_owned(), version: "1.0.0".to_owned(), sha256: "00".to_owned() }
}

pub(crate) fn policy(mut rules: Vec<Rule>) -> Policy {
    rules.sort_by(|one, two| one.id.cmp(&two.id));
    Policy { profile: "test".to_owned(), rules, ..Policy::default() }
}

pub(crate) fn facts(target: Target, facts: Value) -> TargetFacts {
    super::fixture::target_facts(target, &serde_json::from_value(facts).unwrap()).unwrap()
}

pub(crate) fn test(document: &Value) -> RuleTest {
    RuleTest {
        name: document["name"].as_str().unwrap_or("case").to_owned(),
        facts: serde_json::from_value(document["facts"].clone()).unwrap(),
        now: document["now"].as_str().map(|date| date.parse().unwrap()),
        params: BTreeMap::new(),
        expect: serde_json::from_value::<TestExpect>(document["expect"].clone()).unwrap(),
        because: document.get("because").map(|because| serde_json::from_value(because.clone()).unwrap()),
        span: SPAN,
    }
}

struct Draft {
    target: Target,
    leaves: Vec<Leaf>,
    list: Option<Path>,
}

impl Draft {
    fn condition(&mut self, document: &Value) -> Condition {
        let parts = |draft: &mut Draft, key: &str| -> Vec<Condition> {
            document[key].as_array().unwrap().iter().map(|part| draft.condition(part)).collect()
        };
        if document.get("all").is_some() {
            return Condition::All(parts(self, "all"));
        }
        if document.get("any").is_some() {
            return Condition::Any(parts(self, "any"));
        }
        if let Some(part) = document.get("not") {
            return Condition::Not(Box::new(self.condition(part)));
        }
        for (key, quantifier) in [("every", Quantifier::Every), ("some", Quantifier::Some), ("none", Quantifier::None)]
        {
            if let Some(list) = document.get(key) {
                return self.quantified(document, quantifier, list.as_str().unwrap());
            }
        }
        Condition::Leaf(self.leaf(document))
    }

    fn quantified(&mut self, document: &Value, quantifier: Quantifier, list: &str) -> Condition {
        let path = Catalogue::resolve(self.target, list).unwrap();
        let id = self.push(path.clone(), false, Operator::Elements, IfAbsent::Fail);
        self.list = Some(path);
        let filter = document.get("where").map(|filter| Box::new(self.condition(filter)));
        let body = document.get("must").or_else(|| document.get("match")).unwrap();
        let body = Box::new(self.condition(body));
        self.list = None;
        let if_none = document.get("if_none").cloned().unwrap_or(json!("fail"));
        let if_none: IfNone = serde_json::from_value(if_none).unwrap();
        Condition::Quantified { quantifier, list: id, filter, body, if_none }
    }

    fn leaf(&mut self, document: &Value) -> LeafId {
        let text = document["fact"].as_str().unwrap();
        let (path, element) = self.path(text);
        let (name, side) = document
            .as_object()
            .unwrap()
            .iter()
            .find(|(key, _)| *key != "fact" && *key != "if_absent")
            .expect("an operator");
        let kind = match path.kind {
            Kind::ListOf(inner) => *inner,
            kind => kind,
        };
        let operator = match name.as_str() {
            "equals" => Operator::Equals(self.right(kind, side)),
            "not_equals" => Operator::NotEquals(self.right(kind, side)),
            "in" => Operator::In(literals(kind, side)),
            "not_in" => Operator::NotIn(literals(kind, side)),
            "at_least" => Operator::AtLeast(self.right(kind, side)),
            "at_most" => Operator::AtMost(self.right(kind, side)),
            "between" => Operator::Between(self.right(kind, &side[0]), self.right(kind, &side[1])),
            "matches" => {
                let text = side.as_str().unwrap();
                let regex = regex::Regex::new(&format!("^(?:{text})$")).unwrap();
                Operator::Matches(Pattern { text: text.to_owned(), regex })
            }
            "contains" => Operator::Contains(self.right(kind, side)),
            "same_set_as" => Operator::SameSetAs(self.right(kind, side)),
            "subset_of" => Operator::SubsetOf(self.right(kind, side)),
            "count" => Operator::Count(self.bound(side)),
            "distinct" => Operator::Distinct(self.bound(side)),
            "days_left" => Operator::DaysLeft(self.bound(side)),
            "older_than" => Operator::OlderThan(Right::Literal(Literal::Duration(side.as_i64().unwrap()))),
            "is" => Operator::Is(serde_json::from_value::<Expected>(side.clone()).unwrap()),
            other => panic!("no operator {other}"),
        };
        let if_absent =
            document.get("if_absent").map_or(IfAbsent::Fail, |word| serde_json::from_value(word.clone()).unwrap());
        self.push(path, element, operator, if_absent)
    }

    fn path(&self, text: &str) -> (Path, bool) {
        match text.strip_prefix("it.") {
            Some(field) => {
                let Some(Path { kind: Kind::List(schema), .. }) = &self.list else { panic!("`it` outside a list") };
                let path = Catalogue::resolve_in(schema, field).unwrap();
                (Path { text: text.to_owned(), ..path }, true)
            }
            None => (Catalogue::resolve(self.target, text).unwrap(), false),
        }
    }

    fn right(&self, kind: Kind, side: &Value) -> Right {
        match side {
            Value::Object(object) => Right::Fact(self.path(object["fact"].as_str().unwrap()).0),
            Value::Array(_) => Right::Set(literals(kind, side)),
            _ => Right::Literal(literal(kind, side)),
        }
    }

    fn bound(&self, side: &Value) -> Bound {
        let (name, value) = side.as_object().unwrap().iter().next().unwrap();
        match name.as_str() {
            "equals" => Bound::Equals(self.right(Kind::Int, value)),
            "at_least" => Bound::AtLeast(self.right(Kind::Int, value)),
            "at_most" => Bound::AtMost(self.right(Kind::Int, value)),
            _ => Bound::Between(self.right(Kind::Int, &value[0]), self.right(Kind::Int, &value[1])),
        }
    }

    fn push(&mut self, path: Path, element: bool, operator: Operator, if_absent: IfAbsent) -> LeafId {
        let list = self.list.as_ref().filter(|_| element).map(|list| list.text.clone());
        self.leaves.push(Leaf { path, element, list, operator, if_absent, span: SPAN });
        LeafId(u16::try_from(self.leaves.len() - 1).unwrap())
    }
}

fn literals(kind: Kind, side: &Value) -> Vec<Literal> {
    side.as_array().unwrap().iter().map(|value| literal(kind, value)).collect()
}

fn literal(kind: Kind, value: &Value) -> Literal {
    match kind {
        Kind::Bool => Literal::Bool(value.as_bool().unwrap()),
        Kind::Int => Literal::Int(value.as_i64().unwrap()),
        Kind::Duration => Literal::Duration(value.as_i64().unwrap()),
        Kind::Time => Literal::Time(crate::facts::domain::Time::parse(value.as_str().unwrap()).unwrap().0),
        Kind::Text => Literal::Text(value.as_str().unwrap().into()),
        Kind::Name => Literal::Name(value.as_str().unwrap().to_ascii_lowercase().into()),
        Kind::Address => Literal::Address(value.as_str().unwrap().parse().unwrap()),
        Kind::Word(words) => {
            let rank = words.words.iter().position(|word| Some(*word) == value.as_str()).expect("a word");
            Literal::Word { rank: u8::try_from(rank).unwrap(), words }
        }
        Kind::List(_) | Kind::ListOf(_) => panic!("no literal lists"),
    }
}
