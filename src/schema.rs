//! Every generated file, from one list, in three modes: write, check, print.
//!
//! `mailvet schema NAME` prints; `tests/generated.rs` checks that the committed files are current, and writes them when
//! `UPDATE=1` is set. The shapes of the pack, profile, waiver and answer files are stated here by hand, because their reader is
//! stricter than a JSON Schema can be; a test validates the shipped files against them.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use crate::facts::stored::SnapshotLine;
use crate::facts::{Catalogue, Kind, Target, TargetFacts};
use crate::findings::difference::Difference;
use crate::inventory::Inventory;
use crate::reports;

/// One generated file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Name for `mailvet schema NAME`.
    pub name: &'static str,
    /// Path in the repository.
    pub path: &'static str,
    /// What it describes.
    pub about: &'static str,
    /// Contents, ending in a line feed.
    pub contents: String,
}

/// All generated files.
pub fn generated() -> Vec<Generated> {
    let file = |name, path, about, contents| Generated { name, path, about, contents };
    vec![
        file("inventory", "schemas/inventory.json", "the inventory, mailvet.yaml", pretty(&inventory())),
        file("pack", "schemas/pack.json", "rule packs", pretty(&pack())),
        file("profile", "schemas/profile.json", "profiles", pretty(&profile())),
        file("waivers", "schemas/waivers.json", "waiver files", pretty(&waivers())),
        file("answers", "schemas/answers.json", "files of answers to manual rules", pretty(&answers())),
        file("facts", "schemas/facts.json", "the facts of one target, as snapshots hold them", pretty(&facts())),
        file(
            "snapshot",
            "schemas/snapshot.json",
            "one line of a snapshot, as `audit --snapshot` and `collect` write it",
            pretty(&snapshot()),
        ),
        file("assessment", "schemas/assessment.json", "the JSON report", pretty(&assessment())),
        file("difference", "schemas/difference.json", "the JSON report of `diff`", pretty(&difference())),
        file("catalogue", "schemas/facts.md", "every fact a rule can look at", catalogue()),
    ]
}

fn pretty(value: &Value) -> String {
    // Values without floats and with string keys always serialise.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// Draft 2020-12, for what is read.
fn reading() -> SchemaGenerator {
    SchemaSettings::draft2020_12().into_generator()
}

/// Draft 2020-12, for what is written.
fn writing() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_serialize().into_generator()
}

fn root<T: JsonSchema>(generator: SchemaGenerator, title: &str) -> Value {
    let mut value = generator.into_root_schema_for::<T>().to_value();
    if let Value::Object(map) = &mut value {
        map.insert("title".to_owned(), json!(title));
    }
    value
}

fn inventory() -> Value {
    root::<Inventory>(reading(), "mailvet inventory")
}

fn facts() -> Value {
    root::<TargetFacts>(writing(), "mailvet facts of one target")
}

fn snapshot() -> Value {
    root::<SnapshotLine>(writing(), "mailvet snapshot, one line")
}

fn assessment() -> Value {
    root::<reports::model::AssessmentDocument>(writing(), "mailvet assessment")
}

fn difference() -> Value {
    root::<Difference>(writing(), "mailvet difference")
}

/// Fact paths of every kind of target, and the paths of list elements.
fn fact_path() -> Value {
    let mut paths: Vec<String> =
        Target::ALL.iter().flat_map(|target| Catalogue::entries(*target)).map(|entry| entry.path).collect();
    paths.sort();
    paths.dedup();
    json!({
        "description": "Path of a fact, see facts.md; `it.<field>` inside a quantifier.",
        "anyOf": [ { "enum": paths }, { "type": "string", "pattern": "^it\\.[a-z0-9_.]+(\\[\\])?$" } ]
    })
}

/// Paths of lists, for quantifiers.
fn list_path() -> Value {
    let mut paths: Vec<String> = Target::ALL
        .iter()
        .flat_map(|target| Catalogue::entries(*target))
        .filter(|entry| matches!(entry.kind, Kind::List(_)))
        .map(|entry| entry.path)
        .collect();
    paths.sort();
    paths.dedup();
    json!({ "description": "A list of elements.", "enum": paths })
}

/// One of the comparison operators with its right side.
fn comparison() -> Value {
    let operand = json!({ "$ref": "#/$defs/operand" });
    let bound = json!({ "$ref": "#/$defs/bound" });
    let operators: [(&str, Value); 17] = [
        ("equals", operand.clone()),
        ("not_equals", operand.clone()),
        ("in", json!({ "$ref": "#/$defs/operands" })),
        ("not_in", json!({ "$ref": "#/$defs/operands" })),
        ("at_least", operand.clone()),
        ("at_most", operand.clone()),
        ("between", json!({ "type": "array", "items": operand, "minItems": 2, "maxItems": 2 })),
        ("matches", json!({ "type": "string", "description": "Regular expression; must match the whole text." })),
        ("contains", operand.clone()),
        ("same_set_as", json!({ "$ref": "#/$defs/operands" })),
        ("subset_of", json!({ "$ref": "#/$defs/operands" })),
        ("count", bound.clone()),
        ("distinct", bound.clone()),
        ("days_left", bound),
        ("older_than", operand),
        ("is", json!({ "enum": ["present", "absent"] })),
        ("if_absent", json!({ "$ref": "#/$defs/outcome", "default": "fail" })),
    ];
    let mut properties = serde_json::Map::new();
    properties.insert("fact".to_owned(), json!({ "$ref": "#/$defs/fact" }));
    let mut exactly_one = Vec::new();
    for (name, schema) in operators {
        if name != "if_absent" {
            exactly_one.push(json!({ "required": [name] }));
        }
        properties.insert(name.to_owned(), schema);
    }
    json!({
        "type": "object", "additionalProperties": false, "required": ["fact"],
        "properties": properties, "oneOf": exactly_one
    })
}

fn quantifier(word: &str, body: &[&str], needs_if_none: bool) -> Value {
    let mut required = vec![word.to_owned()];
    if needs_if_none {
        required.push("if_none".to_owned());
    }
    let condition = json!({ "$ref": "#/$defs/condition" });
    let mut properties = serde_json::Map::new();
    properties.insert(word.to_owned(), json!({ "$ref": "#/$defs/list" }));
    properties.insert("where".to_owned(), condition.clone());
    for key in body {
        properties.insert((*key).to_owned(), condition.clone());
    }
    properties.insert("if_none".to_owned(), json!({ "$ref": "#/$defs/outcome" }));
    let one_body: Vec<Value> = body.iter().map(|key| json!({ "required": [key] })).collect();
    json!({
        "type": "object", "additionalProperties": false, "required": required,
        "properties": properties, "oneOf": one_body
    })
}

fn connective(word: &str, many: bool) -> Value {
    let condition = json!({ "$ref": "#/$defs/condition" });
    let body = if many { json!({ "type": "array", "items": condition, "minItems": 1 }) } else { condition };
    json!({ "type": "object", "additionalProperties": false, "required": [word], "properties": { word: body } })
}

/// Definitions that packs and tests share.
fn definitions() -> Value {
    let reference = |key: &str| json!({ "type": "object", "additionalProperties": false, "required": [key], "properties": { key: { "type": "string" } } });
    let scalar = json!({ "type": ["string", "number", "boolean"] });
    json!({
        "fact": fact_path(),
        "list": list_path(),
        "outcome": { "enum": ["pass", "fail", "unknown", "not-applicable"] },
        "operand": { "anyOf": [ scalar, reference("param"), reference("fact") ] },
        "operands": { "anyOf": [ { "type": "array", "items": scalar }, reference("param"), reference("fact") ] },
        "bound": {
            "type": "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 1,
            "properties": {
                "equals": { "$ref": "#/$defs/operand" },
                "at_least": { "$ref": "#/$defs/operand" },
                "at_most": { "$ref": "#/$defs/operand" },
                "between": { "type": "array", "items": { "$ref": "#/$defs/operand" }, "minItems": 2, "maxItems": 2 }
            }
        },
        "condition": {
            "oneOf": [
                connective("all", true), connective("any", true), connective("not", false),
                quantifier("every", &["must"], true), quantifier("some", &["must", "match"], false),
                quantifier("none", &["match"], true), comparison()
            ]
        },
        "rule": rule()
    })
}

fn rule() -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    let targets: Vec<&str> = Target::ALL.iter().map(|target| target.as_str()).collect();
    json!({
        "type": "object", "additionalProperties": false,
        "required": ["id", "title", "severity", "applies_to", "why", "fix"],
        "oneOf": [
            { "required": ["check", "tests"], "properties": { "manual": false } },
            { "required": ["manual"], "properties": { "check": false, "tests": false } }
        ],
        "properties": {
            "id": { "type": "string", "pattern": "^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$", "description": "Names the smell, in kebab case; never reused." },
            "title": { "type": "string", "minLength": 1, "description": "What is wrong when the rule fails." },
            "severity": { "enum": ["critical", "high", "medium", "low", "info"] },
            "applies_to": { "enum": targets },
            "when": { "$ref": "#/$defs/condition", "description": "Applicability: false is not-applicable, unknown is unknown." },
            "check": { "$ref": "#/$defs/condition" },
            "manual": {
                "type": "object", "additionalProperties": false, "required": ["ask", "valid_for"],
                "properties": {
                    "ask": text, "evidence": { "type": "array", "items": text },
                    "valid_for": { "type": "string", "pattern": "^[0-9]+d$" }
                }
            },
            "why": text,
            "fix": {
                "anyOf": [
                    text,
                    {
                        "type": "object", "additionalProperties": false, "required": ["text"],
                        "properties": {
                            "text": text,
                            "record": {
                                "type": "object", "additionalProperties": false, "required": ["name", "type", "value"],
                                "properties": { "name": text, "type": text, "value": text }
                            }
                        }
                    }
                ]
            },
            "references": {
                "type": "array",
                "items": {
                    "type": "object", "additionalProperties": false, "required": ["title"],
                    "properties": { "title": text, "url": { "type": "string", "format": "uri" } }
                }
            },
            "maps": { "type": "object", "additionalProperties": { "type": "array", "items": text, "minItems": 1 } },
            "tests": {
                "type": "array",
                "items": {
                    "type": "object", "additionalProperties": false, "required": ["name", "facts", "expect"],
                    "properties": {
                        "name": text,
                        "facts": { "type": "object", "description": "Facts by path; null is absent, { $unknown: cause } is unknown, what is not mentioned is not collected." },
                        "now": { "type": "string", "format": "date" },
                        "params": { "type": "object" },
                        "expect": { "enum": ["pass", "fail", "unknown", "not-applicable"] },
                        "because": { "type": "array", "items": text }
                    }
                }
            }
        }
    })
}

fn pack() -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mailvet rule pack",
        "description": "pack.yaml has the header and may have rules; other files of the folder have rules only.",
        "type": "object", "additionalProperties": false,
        "anyOf": [ { "required": ["pack", "version", "format", "title"] }, { "required": ["rules"] } ],
        "properties": {
            "pack": { "type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$" },
            "version": text,
            "format": { "const": 1 },
            "title": text,
            "description": text,
            "license": text,
            "requires": { "type": "object", "additionalProperties": false, "properties": { "facts": text } },
            "frameworks": { "type": "object", "additionalProperties": text },
            "params": {
                "type": "object",
                "additionalProperties": {
                    "type": "object", "additionalProperties": false, "required": ["type", "default", "title"],
                    "properties": {
                        "type": { "enum": ["integer", "duration", "boolean", "text", "word"] },
                        "default": true, "min": true, "max": true, "title": text,
                        "values": { "type": "array", "items": text }
                    }
                }
            },
            "removed": { "type": "array", "items": text },
            "rules": { "type": "array", "items": { "$ref": "#/$defs/rule" } }
        },
        "$defs": definitions()
    })
}

fn profile() -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    let severity = json!({ "enum": ["critical", "high", "medium", "low", "info"] });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mailvet profile",
        "type": "object", "additionalProperties": false, "required": ["profile", "use"],
        "properties": {
            "profile": text,
            "title": text,
            "use": {
                "type": "array", "minItems": 1,
                "items": {
                    "type": "object", "additionalProperties": false, "required": ["pack"],
                    "properties": { "pack": text, "version": text, "sha256": { "type": "string", "pattern": "^[0-9a-f]{64}$" } }
                }
            },
            "select": {
                "type": "object", "additionalProperties": false,
                "properties": {
                    "severity_at_least": severity,
                    "exclude": {
                        "type": "array",
                        "items": {
                            "type": "object", "additionalProperties": false, "required": ["rule", "reason"],
                            "properties": { "rule": text, "reason": text }
                        }
                    }
                }
            },
            "params": { "type": "object", "additionalProperties": { "type": "object" } },
            "override": {
                "type": "object",
                "additionalProperties": {
                    "type": "object", "additionalProperties": false, "required": ["severity", "reason"],
                    "properties": { "severity": severity, "reason": text }
                }
            }
        }
    })
}

fn waivers() -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    let date = json!({ "type": "string", "format": "date" });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mailvet waivers",
        "type": "object", "additionalProperties": false, "required": ["waivers"],
        "properties": {
            "waivers": {
                "type": "array",
                "items": {
                    "type": "object", "additionalProperties": false,
                    "required": ["rule", "reason", "approved_by", "created", "expires"],
                    "oneOf": [ { "required": ["target"] }, { "required": ["targets"] } ],
                    "properties": {
                        "id": text, "rule": text, "target": text,
                        "targets": { "type": "array", "items": text, "minItems": 1 },
                        "reason": text, "approved_by": text, "requested_by": text, "ticket": text,
                        "created": date, "expires": date,
                        "covers": { "type": "array", "items": { "enum": ["fail", "unknown"] }, "minItems": 1 }
                    }
                }
            }
        }
    })
}

fn answers() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mailvet answers",
        "type": "object", "additionalProperties": false, "required": ["answers"],
        "properties": { "answers": { "type": "array", "items": answer() } }
    })
}

fn answer() -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    let date = json!({ "type": "string", "format": "date" });
    let link = json!({ "type": "string", "format": "uri", "pattern": "^https?://" });
    let described = |mut schema: Value, about: &str| {
        schema["description"] = json!(about);
        schema
    };
    let file = json!({
        "type": "object", "additionalProperties": false, "required": ["file"],
        "properties": { "file": text, "sha256": { "type": "string", "pattern": "^[0-9A-Fa-f]{64}$" } }
    });
    let length = json!({ "type": "string", "pattern": "^[0-9]+[dw]$" });
    let evidence = json!({ "type": "array", "maxItems": 50, "items": { "anyOf": [ text, file ] } });
    json!({
        "type": "object", "additionalProperties": false,
        "required": ["rule", "answer", "by", "date"],
        "oneOf": [ { "required": ["target"] }, { "required": ["targets"] } ],
        "not": { "required": ["valid_until", "valid_for"] },
        "if": { "required": ["answer"], "properties": { "answer": { "const": "not-applicable" } } },
        "then": { "required": ["note"] },
        "properties": {
            "id": text,
            "rule": described(json!({ "type": "string", "pattern": "^[^*?/]+/[^*?]+$" }), "Full id of a manual rule."),
            "target": text,
            "targets": { "type": "array", "items": text, "minItems": 1, "maxItems": 100 },
            "answer": { "enum": ["pass", "fail", "not-applicable"] },
            "by": described(text.clone(), "The person who answers."),
            "role": text,
            "date": date,
            "valid_until": described(date.clone(), "Last day on which the answer holds; the rule may allow less."),
            "valid_for": described(length, "How long the answer holds; the rule may allow less."),
            "note": text,
            "evidence": described(evidence, "Files that show it, relative to this one."),
            "links": { "type": "array", "items": link, "maxItems": 50 }
        }
    })
}

/// `schemas/facts.md`.
fn catalogue() -> String {
    let mut out = String::from(
        "# Facts\n\nEverything a rule can look at, by kind of target. `[]` marks the elements of a list. A fact is present, \
         absent (proven), or unknown with a cause; see [writing rules](../docs/writing-rules.md).\n\nThis page is generated; \
         `UPDATE=1 cargo test --test generated` writes it anew.\n",
    );
    for target in Target::ALL {
        let entries = Catalogue::entries(*target);
        // Kinds without facts of their own share the organisation's name; one table for them is enough.
        if matches!(target, Target::Message | Target::System) {
            continue;
        }
        out.push_str(&format!("\n## {target}\n\n| fact | type | meaning |\n|---|---|---|\n"));
        for entry in entries {
            let doc = entry.doc.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
            out.push_str(&format!("| `{}` | {} | {doc} |\n", entry.path, type_of(entry.kind)));
        }
    }
    out
}

/// The type of a fact in words.
pub fn type_of(kind: Kind) -> String {
    match kind {
        Kind::Bool => "boolean".to_owned(),
        Kind::Int => "integer".to_owned(),
        Kind::Duration => "duration".to_owned(),
        Kind::Time => "time".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Name => "name".to_owned(),
        Kind::Address => "address".to_owned(),
        Kind::Word(words) if words.ordered => format!("{} (ordered)", words.words.join(" < ")),
        Kind::Word(words) => words.words.join(", "),
        Kind::List(_) => "list of elements".to_owned(),
        Kind::ListOf(kind) => format!("list of {}s", type_of(*kind)),
    }
}
