//! octoDNS configuration: which zones are composed from which files, and how the files are read.
//!
//! Only the sources of a zone matter here, not the targets. It opens no folder: the caller resolves directories. Nothing is
//! taken from the environment; a setting that is, is not known.

use std::collections::BTreeMap;

use super::yaml::{NodeId, Yaml};
use super::zone::Settings;
use crate::diag::{Diagnostic, Span};

/// A configuration as far as it says where records come from.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Providers by their id.
    pub providers: BTreeMap<String, Provider>,
    /// Zones in file order.
    pub zones: Vec<ConfiguredZone>,
}

/// A provider or source.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its Python class as written.
    pub class: String,
    /// Where it is defined.
    pub span: Span,
    /// Its settings, if it reads YAML files.
    pub yaml: Option<YamlProvider>,
}

/// Settings of a `YamlProvider`.
#[derive(Debug, PartialEq, Eq)]
pub struct YamlProvider {
    /// Folder with the zone files; `None` when it is taken from the environment.
    pub directory: Option<String>,
    /// Extension of folders that hold a zone in several files.
    pub split_extension: Option<String>,
    /// Whether `<zone>.yaml` is not read.
    pub disable_zonefile: bool,
    /// File that belongs to all zones.
    pub shared_filename: Option<String>,
    /// How files are read.
    pub settings: Settings,
}

/// A zone of the configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfiguredZone {
    /// Its name as written: absolute, or beginning with `*` when zones are listed by the sources.
    pub name: String,
    /// Where it is defined.
    pub span: Span,
    /// Ids of its sources, in order.
    pub sources: Vec<(String, Span)>,
    /// The zone whose records it shares.
    pub alias: Option<String>,
    /// Which listed zones are meant.
    pub filter: Filter,
}

/// Which of the zones that the sources list are meant by a dynamic zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// All that are not configured otherwise.
    All,
    /// Those that match a shell pattern.
    Glob(String),
    /// Those that match a regular expression.
    Regex(String),
}

/// Whether a mapping is an octoDNS configuration.
pub fn is_config(yaml: &Yaml, root: NodeId) -> bool {
    let has_class = |id| yaml.get(id, "class").is_some_and(|class| yaml.text(class).is_some());
    let providers = yaml.get(root, "providers").and_then(|id| yaml.entries(id, &mut |_, _| {}));
    providers.is_some_and(|entries| entries.iter().any(|entry| has_class(entry.value)))
        || (yaml.get(root, "zones").is_some() && yaml.get(root, "manager").is_some())
}

/// Reads a configuration.
pub fn read(yaml: &Yaml, root: NodeId, diagnostics: &mut Vec<Diagnostic>) -> Config {
    let mut config = Config::default();
    let templated =
        yaml.get(root, "processors").and_then(|id| yaml.entries(id, &mut |_, _| {})).is_some_and(|entries| {
            entries
                .iter()
                .filter_map(|entry| yaml.text(yaml.get(entry.value, "class")?))
                .any(|class| class.ends_with("Templating"))
        });
    for entry in entries(yaml, root, "providers") {
        let Some(id) = yaml.text(entry.0) else { continue };
        let class = yaml.get(entry.1, "class").and_then(|id| yaml.text(id)).unwrap_or("").to_owned();
        let yaml_provider = provider(yaml, &class, entry.1, templated);
        let provider = Provider { class, span: yaml.node(entry.0).span, yaml: yaml_provider };
        config.providers.insert(id.to_owned(), provider);
    }
    for (key, value) in entries(yaml, root, "zones") {
        let (Some(name), span) = (yaml.text(key), yaml.node(key).span) else { continue };
        if !name.ends_with('.') && !name.starts_with('*') {
            diagnostics.push(
                Diagnostic::warning(
                    "octodns-config",
                    format!("the zone `{name}` has no final dot, which octoDNS refuses"),
                )
                .at(span),
            );
        }
        let text = |field: &str| yaml.get(value, field).and_then(|id| yaml.text(id)).map(str::to_owned);
        let sources = yaml.get(value, "sources").map(|id| list(yaml, id)).unwrap_or_default();
        let filter = match (text("glob"), text("regex")) {
            (Some(glob), _) => Filter::Glob(glob),
            (None, Some(regex)) => Filter::Regex(regex),
            (None, None) => Filter::All,
        };
        config.zones.push(ConfiguredZone { name: name.to_owned(), span, sources, alias: text("alias"), filter });
    }
    config
}

fn entries(yaml: &Yaml, root: NodeId, key: &str) -> Vec<(NodeId, NodeId)> {
    let found = yaml.get(root, key).and_then(|id| yaml.entries(id, &mut |_, _| {})).unwrap_or_default();
    found.into_iter().map(|entry| (entry.key, entry.value)).collect()
}

fn list(yaml: &Yaml, id: NodeId) -> Vec<(String, Span)> {
    let items = yaml.items(id).map_or_else(|| vec![id], <[NodeId]>::to_vec);
    items.into_iter().filter_map(|item| Some((yaml.text(item)?.to_owned(), yaml.node(item).span))).collect()
}

fn provider(yaml: &Yaml, class: &str, data: NodeId, templated: bool) -> Option<YamlProvider> {
    let name = class.rsplit('.').next().unwrap_or(class);
    let old_split = name == "SplitYamlProvider";
    if name != "YamlProvider" && !old_split {
        return None;
    }
    let text = |field: &str| {
        let id = yaml.get(data, field)?;
        yaml.text(id).filter(|text| !yaml.is_null(id) && !text.eq_ignore_ascii_case("false")).map(str::to_owned)
    };
    let is_true = |field: &str| yaml.get(data, field).is_some_and(|id| yaml.is_true(id));
    let is_false = |field: &str| {
        yaml.get(data, field)
            .and_then(|id| yaml.text(id))
            .is_some_and(|text| matches!(text.to_ascii_lowercase().as_str(), "false" | "no" | "off"))
    };
    let extension = if old_split { "extension" } else { "split_extension" };
    let default_ttl = match text("default_ttl") {
        None => Some(3600),
        Some(ttl) => ttl.trim().parse().ok(),
    };
    Some(YamlProvider {
        directory: text("directory").filter(|directory| !directory.starts_with("env/")),
        split_extension: text(extension).or_else(|| old_split.then(|| ".".to_owned())),
        disable_zonefile: old_split || is_true("disable_zonefile"),
        shared_filename: text("shared_filename"),
        settings: Settings {
            default_ttl,
            escaped_semicolons: !is_false("escaped_semicolons"),
            configured: true,
            replace: is_true("populate_should_replace"),
            templated,
        },
    })
}

/// Whether a zone name matches a filter. A broken pattern matches nothing.
pub fn matches(filter: &Filter, name: &str) -> bool {
    let expression = match filter {
        Filter::All => return true,
        Filter::Glob(glob) => glob_expression(glob),
        Filter::Regex(regex) => regex.clone(),
    };
    regex::RegexBuilder::new(&expression).size_limit(1 << 20).build().is_ok_and(|regex| regex.is_match(name))
}

/// A shell pattern as a regular expression.
fn glob_expression(glob: &str) -> String {
    let mut out = "^".to_owned();
    let mut characters = glob.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => {
                out.push('[');
                if characters.next_if_eq(&'!').is_some() {
                    out.push('^');
                }
                for inner in characters.by_ref() {
                    match inner {
                        ']' => break,
                        '-' => out.push('-'),
                        other => out.push_str(&regex::escape(&other.to_string())),
                    }
                }
                out.push(']');
            }
            other => out.push_str(&regex::escape(&other.to_string())),
        }
    }
    out.push('$');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;

    fn config(text: &str) -> (Config, Vec<Diagnostic>) {
        let mut yaml = Yaml::default();
        let root = yaml.parse(FileId(0), text.as_bytes()).unwrap().unwrap();
        assert!(is_config(&yaml, root), "{text}");
        let mut diagnostics = Vec::new();
        (read(&yaml, root, &mut diagnostics), diagnostics)
    }

    #[test]
    fn sources_and_settings_are_read() {
        let (config, diagnostics) = config(
            "providers:\n  a: {class: octodns.provider.yaml.YamlProvider, directory: ./zones, split_extension: .zone, \
             default_ttl: 300, escaped_semicolons: false, populate_should_replace: true}\n  b: {class: \
             octodns.provider.yaml.SplitYamlProvider, directory: env/DIR}\n  c: {class: x.Other}\nzones:\n  \
             example.org.: {sources: [a, b], targets: [c]}\n  '*': {sources: [a], glob: '*.org.'}\n  bad: {alias: \
             example.org.}\n",
        );
        let a = config.providers["a"].yaml.as_ref().unwrap();
        assert_eq!((a.directory.as_deref(), a.split_extension.as_deref()), (Some("./zones"), Some(".zone")));
        let settings = Settings {
            default_ttl: Some(300),
            escaped_semicolons: false,
            configured: true,
            replace: true,
            templated: false,
        };
        assert_eq!(a.settings, settings);
        let b = config.providers["b"].yaml.as_ref().unwrap();
        assert_eq!((b.directory.as_deref(), b.split_extension.as_deref(), b.disable_zonefile), (None, Some("."), true));
        assert!(config.providers["c"].yaml.is_none());
        assert_eq!(config.zones[0].sources.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(config.zones[1].filter, Filter::Glob("*.org.".to_owned()));
        assert_eq!(config.zones[2].alias.as_deref(), Some("example.org."));
        assert_eq!(diagnostics.len(), 1);
    }

    #[test]
    fn filters_match_as_the_shell_does() {
        for (glob, name, expected) in [
            ("*.org.", "example.org.", true),
            ("*.org.", "example.com.", false),
            ("a?c.", "abc.", true),
            ("[!a]bc.", "abc.", false),
            ("a+b.", "aab.", false),
        ] {
            assert_eq!(matches(&Filter::Glob(glob.to_owned()), name), expected, "{glob} {name}");
        }
        assert!(!matches(&Filter::Regex("(".to_owned()), "a."));
    }
}
