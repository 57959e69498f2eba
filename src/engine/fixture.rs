//! Facts written by hand in the short form of a pack's tests, as facts of a target.
//!
//! A fixture maps dotted paths to values: a bare value is present, `null` is absent, `{ $unknown: cause }` is unknown, a
//! list is a list (of mappings, where elements have fields). `$unknown` and `null` may stand for a whole group. What is
//! not mentioned is not collected. Every path is checked against the catalogue, so a typo cannot make a test pass.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::diag::suggest;
use crate::facts::snapshot::OrganisationFacts;
use crate::facts::{Catalogue, FieldKind, GroupSchema, Kind, Target, TargetFacts};

/// Deepest nesting of a fixture's values that is walked.
const DEPTH: usize = 16;

/// Why a fixture is no set of facts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FixtureError {
    /// A path does not exist.
    #[error("no such fact `{path}`{}", suggestion.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Unknown {
        /// The path as written.
        path: String,
        /// The nearest existing path.
        suggestion: Option<String>,
    },
    /// A value does not have the type of its fact.
    #[error("`{path}`: {message}")]
    Value {
        /// The path as written.
        path: String,
        /// What is wrong with the value.
        message: String,
    },
}

/// Facts in the short form, as nested mappings along the fact structs.
#[derive(Debug, Clone, PartialEq)]
pub struct Fixture {
    /// Kind of target.
    pub target: Target,
    tree: Value,
}

/// One fact that a fixture mentions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// JSON pointer to the value.
    pub pointer: String,
    /// The fact as explanations name it, with the position of the element: `dns.mx[0].host`.
    pub name: String,
    /// The path in the catalogue: `dns.mx[].host`.
    pub path: String,
    /// Type of the fact.
    pub kind: Kind,
}

/// Builds the facts of a target from a test's `facts`.
pub fn target_facts(target: Target, facts: &BTreeMap<String, Value>) -> Result<TargetFacts, FixtureError> {
    Fixture::new(target, facts)?.facts()
}

impl Fixture {
    /// Checks the paths and nests the values.
    pub fn new(target: Target, facts: &BTreeMap<String, Value>) -> Result<Fixture, FixtureError> {
        let mut tree = Map::new();
        // A path sorts before those it is the beginning of, so what is more exact prevails.
        for (path, value) in facts {
            place(target, target.schema(), &mut tree, path, path, value, 0)?;
        }
        let fixture = Fixture { target, tree: Value::Object(tree) };
        // The value with the wrong type is found by reading each path alone.
        if fixture.read().is_err() {
            for (path, value) in facts {
                let mut alone = Map::new();
                place(target, target.schema(), &mut alone, path, path, value, 0)?;
                Fixture { target, tree: Value::Object(alone) }
                    .read()
                    .map_err(|message| FixtureError::Value { path: path.clone(), message })?;
            }
        }
        Ok(fixture)
    }

    /// The facts.
    pub fn facts(&self) -> Result<TargetFacts, FixtureError> {
        self.read().map_err(|message| FixtureError::Value { path: self.target.to_string(), message })
    }

    fn read(&self) -> Result<TargetFacts, String> {
        let tree = self.tree.clone();
        let message = |error: serde_json::Error| error.to_string();
        Ok(match self.target {
            Target::Domain => TargetFacts::Domain(Box::new(serde_json::from_value(tree).map_err(message)?)),
            Target::Service => TargetFacts::Service(Box::new(serde_json::from_value(tree).map_err(message)?)),
            Target::Host => TargetFacts::Host(Box::new(serde_json::from_value(tree).map_err(message)?)),
            Target::Message | Target::System | Target::Organisation => {
                TargetFacts::Organisation(Box::new(serde_json::from_value::<OrganisationFacts>(tree).map_err(message)?))
            }
        })
    }

    /// The facts that are mentioned: lists, and the fields of their elements.
    pub fn slots(&self) -> Vec<Slot> {
        let mut slots = Vec::new();
        let at = Slot { pointer: String::new(), name: String::new(), path: String::new(), kind: Kind::Bool };
        collect(self.target.schema(), &self.tree, &at, &mut slots);
        slots
    }

    /// The value of a slot.
    pub fn value(&self, slot: &Slot) -> Option<&Value> {
        self.tree.pointer(&slot.pointer)
    }

    /// The same facts with another value in one slot.
    #[must_use]
    pub fn with(&self, slot: &Slot, value: Value) -> Fixture {
        let mut changed = self.clone();
        if let Some(place) = changed.tree.pointer_mut(&slot.pointer) {
            *place = value;
        }
        changed
    }
}

/// A value that says "could not be determined".
pub fn unknown_value(cause: &str) -> Value {
    serde_json::json!({ "$unknown": cause })
}

fn place(
    target: Target,
    schema: &'static GroupSchema,
    tree: &mut Map<String, Value>,
    path: &str,
    whole: &str,
    value: &Value,
    depth: usize,
) -> Result<(), FixtureError> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let plain = name.strip_suffix("[]").unwrap_or(name);
    let field = schema.fields.iter().find(|field| field.name == plain);
    let Some(field) = field.filter(|_| depth < DEPTH) else { return Err(no_such_fact(target, schema, whole, name)) };
    match (field.kind, rest) {
        (FieldKind::Group(inner), rest) if plain == name => {
            let group = tree.entry(plain).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(group) = group else { return Err(no_such_fact(target, schema, whole, name)) };
            match rest {
                Some(rest) => place(target, inner, group, rest, whole, value, depth + 1),
                None => whole_group(target, inner, group, whole, value, depth + 1),
            }
        }
        (FieldKind::Fact(kind), None) if plain == name || matches!(kind, Kind::ListOf(_)) => {
            tree.insert(plain.to_owned(), fact_value(target, kind, whole, value, depth + 1)?);
            Ok(())
        }
        _ => Err(no_such_fact(target, schema, whole, name)),
    }
}

/// A value for a whole group: every fact of it, or a nested mapping.
fn whole_group(
    target: Target,
    schema: &'static GroupSchema,
    group: &mut Map<String, Value>,
    whole: &str,
    value: &Value,
    depth: usize,
) -> Result<(), FixtureError> {
    match value {
        Value::Object(fields) if !fields.contains_key("$unknown") => {
            for (name, value) in fields {
                place(target, schema, group, name, &format!("{whole}.{name}"), value, depth)?;
            }
            Ok(())
        }
        Value::Object(_) | Value::Null => {
            for field in schema.fields {
                place(target, schema, group, field.name, whole, value, depth)?;
            }
            Ok(())
        }
        _ => Err(FixtureError::Value { path: whole.to_owned(), message: "is a group of facts, not a fact".to_owned() }),
    }
}

fn fact_value(target: Target, kind: Kind, whole: &str, value: &Value, depth: usize) -> Result<Value, FixtureError> {
    Ok(match (kind, value) {
        (Kind::List(inner), Value::Array(elements)) => {
            let mut rows = Vec::with_capacity(elements.len());
            for element in elements {
                let mut row = Map::new();
                whole_group(target, inner, &mut row, &format!("{whole}[]"), element, depth)?;
                rows.push(Value::Object(row));
            }
            Value::Array(rows)
        }
        (Kind::Duration, Value::String(text)) => seconds(text).map_or_else(|| value.clone(), Value::from),
        _ => value.clone(),
    })
}

/// A length of time in the form of packs.
fn seconds(text: &str) -> Option<i64> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    text[..text.len() - 1].parse::<i64>().ok()?.checked_mul(unit)
}

fn no_such_fact(target: Target, schema: &GroupSchema, whole: &str, name: &str) -> FixtureError {
    let entries = Catalogue::entries(target);
    let near = suggest(whole, entries.iter().map(|entry| entry.path.as_str())).map(str::to_owned);
    let beside = || suggest(name, schema.fields.iter().map(|field| field.name)).map(str::to_owned);
    FixtureError::Unknown { path: whole.to_owned(), suggestion: near.or_else(beside) }
}

fn collect(schema: &'static GroupSchema, tree: &Value, at: &Slot, slots: &mut Vec<Slot>) {
    let Value::Object(fields) = tree else { return };
    for field in schema.fields {
        let Some(value) = fields.get(field.name) else { continue };
        let joined = |text: &str| match text {
            "" => field.name.to_owned(),
            text => format!("{text}.{}", field.name),
        };
        let slot = |kind| Slot {
            pointer: format!("{}/{}", at.pointer, field.name),
            name: joined(&at.name),
            path: joined(&at.path),
            kind,
        };
        match field.kind {
            FieldKind::Group(inner) => collect(inner, value, &slot(Kind::Bool), slots),
            FieldKind::Fact(kind) => {
                let list = slot(kind);
                if let (Kind::List(inner), Value::Array(rows)) = (kind, value) {
                    for (index, row) in rows.iter().enumerate() {
                        let element = Slot {
                            pointer: format!("{}/{index}", list.pointer),
                            name: format!("{}[{index}]", list.name),
                            path: format!("{}[]", list.path),
                            kind,
                        };
                        collect(inner, row, &element, slots);
                    }
                }
                slots.push(list);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Cause, Fact, Method, Observed};
    use serde_json::json;

    fn facts(value: Value) -> BTreeMap<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    fn domain(value: Value) -> Box<crate::facts::DomainFacts> {
        match target_facts(Target::Domain, &facts(value)).unwrap() {
            TargetFacts::Domain(domain) => domain,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_absence_and_unknown_are_kept_apart() {
        let domain = domain(json!({
            "dmarc.policy": "reject", "dmarc.percent": null, "dns.soa": { "$unknown": "dns-servfail" },
            "dns.soa.expire": "14d", "inventory.mx[]": ["MX.Example.org."], "dns.mx": [{ "host": "mx.example.org" }],
        }));
        assert_eq!(domain.dmarc.policy.observed, Observed::Present(crate::facts::domain::DmarcPolicy::Reject));
        assert!(matches!(domain.dmarc.percent.observed, Observed::Absent(_)));
        assert_eq!(domain.dns.soa.retry.observed, Observed::Unknown(Cause::DnsServfail));
        assert_eq!(domain.dns.soa.expire, Fact::present(crate::facts::domain::Seconds(1_209_600), Method::None, None));
        assert_eq!(domain.spf.all.observed, Observed::Unknown(Cause::NotCollected));
        let rows = domain.dns.mx.observed.present().unwrap();
        assert_eq!(rows.0[0].host.observed.present().unwrap().as_str(), "mx.example.org");
        assert_eq!(domain.inventory.mx.observed.present().unwrap()[0].as_str(), "mx.example.org");
    }

    #[test]
    fn mistakes_name_the_path() {
        let cases = [
            (json!({ "dmarc.polcy": "none" }), "no such fact `dmarc.polcy`; did you mean `dmarc.policy`?"),
            (json!({ "dns.mx": [{ "hots": "a.b" }] }), "no such fact `dns.mx[].hots`; did you mean `dns.mx[].host`?"),
            (json!({ "dmarc": "reject" }), "`dmarc`: is a group of facts, not a fact"),
            (
                json!({ "spf.lookups": 3, "dmarc.policy": "rejct" }),
                "`dmarc.policy`: unknown variant `rejct`, expected one of `none`, `quarantine`, `reject`",
            ),
        ];
        for (value, message) in cases {
            assert_eq!(Fixture::new(Target::Domain, &facts(value)).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn slots_name_elements_and_can_be_replaced() {
        let fixture =
            Fixture::new(Target::Service, &facts(json!({ "port": 25, "smtp.vrfy": [{ "code": 250 }] }))).unwrap();
        let slots = fixture.slots();
        let names: Vec<(&str, &str)> = slots.iter().map(|slot| (slot.name.as_str(), slot.path.as_str())).collect();
        assert_eq!(names, [("port", "port"), ("smtp.vrfy[0].code", "smtp.vrfy[].code"), ("smtp.vrfy", "smtp.vrfy")]);
        let changed = fixture.with(&slots[1], unknown_value("tcp-timeout")).facts().unwrap();
        let TargetFacts::Service(service) = changed else { panic!() };
        let rows = service.smtp.vrfy.observed.present().unwrap();
        assert_eq!(rows.0[0].code.observed, Observed::Unknown(Cause::TcpTimeout));
    }
}
