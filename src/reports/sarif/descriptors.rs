//! Rules and control frameworks as SARIF describes them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{escape, plural};
use super::document::{
    ComponentReference, Configuration, Descriptor, Help, LevelWord, Message, Relationship, RuleProperties, Taxa, Taxon,
    TaxonReference, Taxonomy,
};
use super::{Dialect, Writer};
use crate::policy::{Rule, Severity};

/// The rule that an outcome without any judgement fails: an empty list of results would close every alert as fixed.
pub(super) const NOTHING_JUDGED: &str = "mailvet/nothing-judged";
/// The longest description, in characters: GitHub and GitLab take 1,024.
const DESCRIPTION: usize = 900;

impl Writer<'_> {
    pub(super) fn rules(&self) -> Vec<Descriptor> {
        let frameworks = self.frameworks();
        let rules = &self.assessment.policy.rules;
        let mut descriptors: Vec<Descriptor> =
            rules.iter().zip(0u16..).map(|(rule, index)| self.rule(rule, index, &frameworks)).collect();
        if self.nothing_judged.is_some() {
            descriptors.push(nothing_judged());
        }
        descriptors
    }

    fn rule(&self, rule: &Rule, index: u16, frameworks: &BTreeMap<&str, Taxa<'_>>) -> Descriptor {
        let omitted = self.omitted.get(&index).copied().unwrap_or(0);
        let omitted = if omitted > 0 {
            format!(
                "\n\n{} of this rule are not in this log; its reader keeps 5000 results.",
                plural(omitted, "more finding")
            )
        } else {
            String::new()
        };
        let url = rule.references.iter().find_map(|reference| escape::link(reference.url.as_deref()?));
        let full = if rule.why.is_empty() { &rule.title } else { &rule.why };
        let help = format!("{} {}{omitted}", full, rule.fix.text);
        Descriptor {
            id: rule.id.clone(),
            name: pascal_case(&rule.id),
            short_description: description(&rule.title, &rule.id),
            full_description: description(full, &rule.id),
            help: Help { text: description(&help, &rule.id).text, markdown: Some(help_markdown(rule, &omitted)) },
            help_uri: url.map(str::to_owned),
            default_configuration: Some(Configuration { level: level(rule.severity) }),
            properties: Some(self.rule_properties(rule)),
            relationships: self.relationships(rule, frameworks),
        }
    }

    fn rule_properties(&self, rule: &Rule) -> RuleProperties {
        let mut tags = vec!["security".to_owned(), "email".to_owned()];
        // GitLab reads CWE numbers out of tags and would file a plaintext rule as a leaked secret.
        let pack = &rule.pack.name;
        if !pack.is_empty() && !pack.to_ascii_lowercase().starts_with("cwe") {
            tags.push(escape::cut(pack, 100).into_owned());
        }
        RuleProperties {
            tags,
            precision: "very-high",
            problem_severity: match rule.severity {
                Severity::Critical | Severity::High => "error",
                Severity::Medium | Severity::Low => "warning",
                Severity::Info => "recommendation",
            },
            security_severity: match rule.severity {
                Severity::Critical => Some("9.5"),
                Severity::High => Some("8.0"),
                Severity::Medium => Some("5.5"),
                Severity::Low => Some("2.0"),
                Severity::Info => None,
            },
        }
    }

    /// Control identifiers in use, by framework; only the full dialect has them.
    fn frameworks(&self) -> BTreeMap<&str, Taxa<'_>> {
        let mut used: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        if self.dialect == Dialect::Full {
            for (framework, controls) in self.assessment.policy.rules.iter().flat_map(|rule| &rule.maps) {
                used.entry(framework).or_default().extend(controls.iter().map(String::as_str));
            }
        }
        used.into_iter().map(|(framework, controls)| (framework, controls.into_iter().zip(0..).collect())).collect()
    }

    fn framework_name(&self, framework: &str) -> String {
        self.assessment.policy.frameworks.get(framework).map_or(framework, String::as_str).to_owned()
    }

    pub(super) fn supported_taxonomies(&self) -> Vec<ComponentReference> {
        let frameworks = self.frameworks();
        let names = frameworks.keys().map(|framework| self.framework_name(framework));
        names.zip(0..).map(|(name, index)| ComponentReference { name, index }).collect()
    }

    pub(super) fn taxonomies(&self) -> Vec<Taxonomy> {
        self.frameworks()
            .into_iter()
            .map(|(framework, taxa)| Taxonomy {
                name: self.framework_name(framework),
                is_comprehensive: false,
                taxa: taxa.into_keys().map(|id| Taxon { id: id.to_owned() }).collect(),
            })
            .collect()
    }

    fn relationships(&self, rule: &Rule, frameworks: &BTreeMap<&str, Taxa<'_>>) -> Vec<Relationship> {
        let mut relationships = Vec::new();
        for (position, (framework, taxa)) in frameworks.iter().enumerate() {
            let controls: BTreeSet<&str> =
                rule.maps.get(*framework).into_iter().flatten().map(String::as_str).collect();
            for id in controls {
                let Some(index) = taxa.get(id) else { continue };
                let name = self.framework_name(framework);
                relationships.push(Relationship {
                    target: TaxonReference {
                        id: id.to_owned(),
                        index: *index,
                        tool_component: ComponentReference { name, index: position },
                    },
                    kinds: ["relevant"],
                });
            }
        }
        relationships
    }
}

fn nothing_judged() -> Descriptor {
    let text = "The run judged nothing, so the absence of results says nothing about any target.";
    Descriptor {
        id: NOTHING_JUDGED.to_owned(),
        name: "NothingJudged".to_owned(),
        short_description: Message::new("Nothing was judged"),
        full_description: Message::new(text),
        help: Help { text: text.to_owned(), markdown: None },
        help_uri: None,
        default_configuration: Some(Configuration { level: LevelWord::Error }),
        properties: None,
        relationships: Vec::new(),
    }
}

/// The level of a failure.
pub(super) fn level(severity: Severity) -> LevelWord {
    match severity {
        Severity::Critical | Severity::High => LevelWord::Error,
        Severity::Medium => LevelWord::Warning,
        Severity::Low | Severity::Info => LevelWord::Note,
    }
}

/// A description that is never empty and never too long, even when every character is escaped.
fn description(text: &str, otherwise: &str) -> Message {
    let text = if text.trim().is_empty() { otherwise } else { text.trim() };
    let message = Message::new(&escape::cut(text, DESCRIPTION));
    if message.text.chars().count() <= 1000 { message } else { Message::new(&escape::cut(text, DESCRIPTION / 10)) }
}

fn help_markdown(rule: &Rule, omitted: &str) -> String {
    let mut out = format!("**{}**\n", escape::markdown(&rule.title));
    for (word, text) in [("Why", &rule.why), ("Fix", &rule.fix.text)] {
        if !text.is_empty() {
            out.push_str(&format!("\n{word}: {}\n", escape::markdown(&escape::cut(text, 4000))));
        }
    }
    for reference in &rule.references {
        let title = escape::markdown(&reference.title);
        match reference.url.as_deref().and_then(escape::link) {
            Some(url) => out.push_str(&format!("\n- [{title}](<{url}>)")),
            None => out.push_str(&format!("\n- {title}")),
        }
    }
    out.push_str(omitted);
    out
}

/// `spoofing/dmarc-not-enforced` is named `DmarcNotEnforced`.
fn pascal_case(id: &str) -> String {
    let smell = id.rsplit('/').next().unwrap_or(id);
    let name: String = smell
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter_map(|word| {
            let mut characters = word.chars();
            Some(characters.next()?.to_ascii_uppercase().to_string() + characters.as_str())
        })
        .collect();
    if name.is_empty() { "Rule".to_owned() } else { name.chars().take(255).collect() }
}
