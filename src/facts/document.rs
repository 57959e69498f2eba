//! Facts as JSON: how groups are written and read, and their JSON Schema.
//!
//! There are hundreds of facts and one form for all of them, so the form is stated once, over borrowed values and the
//! fields' types, and not derived for every struct anew.

use std::borrow::Cow;

use schemars::{JsonSchema as _, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize as _, Deserializer, Error as _};
use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};
use serde_json::{Map, Value, json};

use super::model::{Cause, Observed, Proof, Provenance};
use super::value::{FactView, Field, FieldKind, Group, GroupSchema, Kind, Node, Time, View, Words};
use crate::mail::Name;

/// A group of facts, to be written: a mapping along its fields.
pub struct Tree<'a>(pub &'a dyn Group);

impl Serialize for Tree<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.0.schema().fields;
        let mut map = serializer.serialize_map(Some(fields.len()))?;
        for (index, field) in fields.iter().enumerate() {
            match self.0.node(index) {
                Node::Group(group) => map.serialize_entry(field.name, &Tree(group))?,
                Node::Fact(fact) => map.serialize_entry(field.name, &Leaf(fact))?,
            }
        }
        map.end()
    }
}

/// A fact, to be written in its full form.
struct Leaf<'a>(FactView<'a>);

impl Serialize for Leaf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.0.observed {
            Observed::Present(value) => {
                map.serialize_entry("state", "present")?;
                map.serialize_entry("value", &Plain(value))?;
            }
            Observed::Absent(proof) => {
                map.serialize_entry("state", "absent")?;
                map.serialize_entry("proof", &proof)?;
            }
            Observed::Unknown(cause) => {
                map.serialize_entry("state", "unknown")?;
                map.serialize_entry("cause", &cause)?;
            }
        }
        map.serialize_entry("from", self.0.from)?;
        map.end()
    }
}

/// The value of a fact, to be written.
struct Plain<'a>(View<'a>);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            View::Bool(value) => serializer.serialize_bool(value),
            View::Int(value) | View::Duration(value) => serializer.serialize_i64(value),
            View::Text(value) | View::Name(value) => serializer.serialize_str(value),
            view @ (View::Time(_) | View::Address(_) | View::Word { .. }) => serializer.collect_str(&view),
            View::Rows(rows) => {
                let mut list = serializer.serialize_seq(Some(rows.count()))?;
                for index in 0..rows.count() {
                    list.serialize_element(&Tree(rows.row(index)))?;
                }
                list.end()
            }
            View::Values(values) => {
                let mut list = serializer.serialize_seq(Some(values.count()))?;
                for index in 0..values.count() {
                    list.serialize_element(&Plain(values.value(index)))?;
                }
                list.end()
            }
        }
    }
}

/// Reads a fact in its full form, or in the short form of a pack's tests: a bare value is present, `null` is absent,
/// `{ $unknown: cause }` is unknown. The value itself is left as it is.
///
/// # Errors
/// What is wrong, in words.
pub fn unpack(value: Value) -> Result<(Observed<Value>, Provenance), String> {
    let words = |error: serde_json::Error| error.to_string();
    match value {
        Value::Null => Ok((Observed::Absent(Proof::Nodata), Provenance::default())),
        Value::Object(map) if map.contains_key("$unknown") => {
            let cause = Cause::deserialize(&map["$unknown"]).map_err(words)?;
            Ok((Observed::Unknown(cause), Provenance::default()))
        }
        Value::Object(map) if map.contains_key("state") => full(map),
        bare => Ok((Observed::Present(bare), Provenance::default())),
    }
}

/// Reads the full form.
fn full(mut map: Map<String, Value>) -> Result<(Observed<Value>, Provenance), String> {
    let words = |error: serde_json::Error| error.to_string();
    let state = map.remove("state").unwrap_or_default();
    let (value, proof, cause) = (map.remove("value"), map.remove("proof"), map.remove("cause"));
    let from = map.remove("from").map(Provenance::deserialize).transpose().map_err(words)?.unwrap_or_default();
    if let Some(key) = map.keys().next() {
        return Err(format!("unknown field `{key}` of a fact"));
    }
    let observed = match state.as_str() {
        Some("present") => Observed::Present(value.ok_or("a present fact needs `value`")?),
        Some("absent") => match proof {
            Some(proof) => Observed::Absent(Proof::deserialize(proof).map_err(words)?),
            None => Observed::Absent(Proof::Nodata),
        },
        Some("unknown") => {
            let cause = cause.ok_or("an unknown fact needs `cause`")?;
            Observed::Unknown(Cause::deserialize(cause).map_err(words)?)
        }
        _ => return Err("`state` is `present`, `absent` or `unknown`".to_owned()),
    };
    Ok((observed, from))
}

/// The fields of a group that is being read.
pub struct Fields(Map<String, Value>);

impl Fields {
    /// The fields of a mapping.
    ///
    /// # Errors
    /// The value is no mapping.
    pub fn of(value: Value, name: &str) -> Result<Fields, String> {
        match value {
            Value::Object(map) => Ok(Fields(map)),
            _ => Err(format!("expected a mapping of {name}")),
        }
    }

    /// Reads one field; what is not mentioned is not collected.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn take<F: Field>(&mut self, name: &str) -> Result<F, String> {
        match self.0.remove(name) {
            Some(value) => F::read(value),
            None => Ok(F::default()),
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// A field that the group does not have.
    pub fn end(self, schema: &GroupSchema) -> Result<(), String> {
        let Some(key) = self.0.keys().next() else { return Ok(()) };
        let known: Vec<String> = schema.fields.iter().map(|field| format!("`{}`", field.name)).collect();
        Err(format!("unknown field `{key}`, expected one of {}", known.join(", ")))
    }
}

/// The JSON Schema of a group in its full form. Groups inside it become definitions.
pub fn group_schema(group: &'static GroupSchema, generator: &mut SchemaGenerator) -> Schema {
    let mut properties = Map::new();
    for field in group.fields {
        let mut schema = match field.kind {
            FieldKind::Group(inner) => reference(inner.name, generator, |generator| group_schema(inner, generator)),
            FieldKind::Fact(kind) => fact_schema(kind, generator),
        };
        schema.insert("description".to_owned(), sentence(field.doc).into());
        properties.insert(field.name.to_owned(), schema.to_value());
    }
    json_schema!({
        "type": "object",
        "description": sentence(group.doc),
        "properties": properties,
        "additionalProperties": false,
    })
}

/// The JSON Schema of a fact in its full form, by the type of its value.
fn fact_schema(kind: Kind, generator: &mut SchemaGenerator) -> Schema {
    reference(&format!("{}Fact", kind_name(kind)), generator, |generator| {
        let (value, from) = (kind_schema(kind, generator), generator.subschema_for::<Provenance>());
        let (proof, cause) = (generator.subschema_for::<Proof>(), generator.subschema_for::<Cause>());
        json_schema!({
            "type": "object",
            "properties": {
                "state": { "enum": ["present", "absent", "unknown"] },
                "value": value,
                "proof": proof,
                "cause": cause,
                "from": from,
            },
            "required": ["state"],
            "additionalProperties": false,
        })
    })
}

/// The JSON Schema of a value.
fn kind_schema(kind: Kind, generator: &mut SchemaGenerator) -> Schema {
    match kind {
        Kind::Bool => json_schema!({ "type": "boolean" }),
        Kind::Int => json_schema!({ "type": "integer" }),
        Kind::Duration => json_schema!({ "type": "integer", "description": "Whole seconds." }),
        Kind::Time => Time::json_schema(generator),
        Kind::Text => json_schema!({ "type": "string" }),
        Kind::Name => generator.subschema_for::<Name>(),
        Kind::Address => json_schema!({ "type": "string", "format": "ip" }),
        Kind::Word(words) => reference(words.name, generator, |_| words_schema(words)),
        Kind::List(group) => {
            let items = reference(group.name, generator, |generator| group_schema(group, generator));
            json_schema!({ "type": "array", "items": items })
        }
        Kind::ListOf(inner) => {
            let items = kind_schema(*inner, generator);
            json_schema!({ "type": "array", "items": items })
        }
    }
}

/// The JSON Schema of an enum.
pub fn words_schema(words: &Words) -> Schema {
    let one = |(word, doc): (&&str, &&str)| json!({ "const": word, "description": sentence(doc) });
    let all: Vec<Value> = words.words.iter().zip(words.docs).map(one).collect();
    json_schema!({ "type": "string", "description": sentence(words.doc), "oneOf": all })
}

/// Reads a word of an enum; the result is its position.
pub fn rank<'de, D: Deserializer<'de>>(deserializer: D, words: &Words) -> Result<usize, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    words.words.iter().position(|word| *word == text).ok_or_else(|| {
        let known: Vec<String> = words.words.iter().map(|word| format!("`{word}`")).collect();
        D::Error::custom(format!("unknown variant `{text}`, expected one of {}", known.join(", ")))
    })
}

/// The name of a type in definitions.
fn kind_name(kind: Kind) -> String {
    match kind {
        Kind::Bool => "Bool".to_owned(),
        Kind::Int => "Int".to_owned(),
        Kind::Duration => "Seconds".to_owned(),
        Kind::Time => "Time".to_owned(),
        Kind::Text => "Text".to_owned(),
        Kind::Name => "Name".to_owned(),
        Kind::Address => "Address".to_owned(),
        Kind::Word(words) => words.name.to_owned(),
        Kind::List(group) => format!("{}List", group.name),
        Kind::ListOf(inner) => format!("{}List", kind_name(*inner)),
    }
}

/// A reference to a definition, which is made on first use.
fn reference(name: &str, generator: &mut SchemaGenerator, make: impl FnOnce(&mut SchemaGenerator) -> Schema) -> Schema {
    if !generator.definitions().contains_key(name) {
        // The place is taken before the definition is made: groups may refer to each other.
        generator.definitions_mut().insert(name.to_owned(), Value::Bool(true));
        let schema = make(generator);
        generator.definitions_mut().insert(name.to_owned(), schema.to_value());
    }
    json_schema!({ "$ref": format!("#/$defs/{name}") })
}

/// Documentation as one paragraph.
fn sentence(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}
