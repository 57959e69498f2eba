//! What a file is, told by its content; its name only decides where the content leaves doubt.
//!
//! Detection reads no other file and never fails: what is not recognised gets a reason that a person understands.

use std::path::Path;

use crate::diag::FileId;
use crate::mail::Name;
use crate::sources::named_conf;
use crate::sources::octodns::{config, yaml::NodeId, yaml::NodeKind, yaml::Tag, yaml::Yaml};
use crate::sources::record::RecordType;

/// Logical lines that are looked at to tell zone text from other text.
const LINES: usize = 5000;

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// BIND zone text with an SOA record, or with directives and records.
    Zone(Box<Shape>),
    /// Records without SOA record and directives: a part of a zone.
    Fragment(Box<Shape>),
    /// A `named.conf`.
    NamedConf,
    /// octoDNS records.
    OctodnsZone,
    /// An octoDNS configuration.
    OctodnsConfig,
    /// An empty YAML document, which may be an empty zone.
    EmptyYaml,
    /// YAML that cannot be parsed, with the reason.
    BrokenYaml(String),
    /// One of mailvet's own files.
    Mailvet(&'static str),
    /// Anything else, with the reason why it is ignored.
    Other(String),
}

/// A file with what it is and the files it includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// What it is.
    pub format: Format,
    /// Included paths as written, with their lines.
    pub includes: Vec<(String, u32)>,
}

/// What was counted in zone text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// Whether there is an SOA record.
    pub soa: bool,
    /// Owner of the SOA record, if it can be told without knowing the zone.
    pub soa_owner: Option<Name>,
    /// The first `$ORIGIN` that stands before all records.
    pub leading_origin: Option<Name>,
    directives: usize,
    records: usize,
    others: usize,
}

impl Shape {
    /// Percentage of the lines that are directives or records.
    fn share(&self) -> usize {
        let known = self.directives + self.records;
        (known * 100).checked_div(known + self.others).unwrap_or(0)
    }
}

/// Why a file is ignored for its name alone.
pub fn ignored_by_name(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| lower.ends_with(suffix));
    if lower.ends_with('~') || (lower.starts_with('#') && lower.ends_with('#')) {
        return Some("an editor's backup copy");
    }
    const BACKUPS: &[&str] = &[
        ".bak",
        ".backup",
        ".orig",
        ".old",
        ".rej",
        ".swp",
        ".swo",
        ".tmp",
        ".dpkg-old",
        ".dpkg-dist",
        ".dpkg-new",
        ".rpmsave",
        ".rpmnew",
        ".rpmorig",
    ];
    if ends(BACKUPS) {
        return Some("a backup copy");
    }
    if ends(&[".tmpl", ".j2", ".jinja", ".jinja2", ".erb", ".template", ".tpl", ".mustache", ".gotmpl"]) {
        return Some("a template; its values are known only when it is rendered");
    }
    if ends(&[".jnl", ".jbk", ".signed.jnl"]) {
        return Some("a journal of the name server");
    }
    let hidden = lower.starts_with('.') && lower != ".yaml" && lower != ".yml";
    hidden.then_some("a hidden file")
}

/// Tells what a file is.
pub fn detect(path: &Path, bytes: &[u8]) -> Detected {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let other = |reason: &str| Detected { format: Format::Other(reason.to_owned()), includes: Vec::new() };
    if memchr::memchr(0, &bytes[..bytes.len().min(8192)]).is_some() {
        return other("a binary file");
    }
    if matches!(extension, "yaml" | "yml") {
        return detect_yaml(bytes);
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return other("an empty file");
    }
    if bytes.starts_with(b"#!") {
        return other("a script");
    }
    let shape = shape(bytes);
    let includes = zone_includes(bytes);
    // Files named as prose or program code hold zone text only when hardly anything else is in them.
    let wanted = if doubtful(extension) { 80 } else { 30 };
    if shape.soa && shape.share() >= wanted {
        return Detected { format: Format::Zone(Box::new(shape)), includes };
    }
    if shape.directives > 0 && (shape.records > 0 || !includes.is_empty()) && shape.share() >= wanted.max(50) {
        return Detected { format: Format::Zone(Box::new(shape)), includes };
    }
    if shape.records > 0 && shape.share() >= wanted.max(60) {
        return Detected { format: Format::Fragment(Box::new(shape)), includes };
    }
    if let Some(reason) = unsupported(&name, extension) {
        return other(reason);
    }
    if doubtful(extension) {
        return other("documentation or program code");
    }
    if named_conf::looks_like(bytes) || name.starts_with("named.conf") {
        return Detected { format: Format::NamedConf, includes: Vec::new() };
    }
    if looks_like_yaml(bytes) {
        let detected = detect_yaml(bytes);
        if !matches!(detected.format, Format::BrokenYaml(_) | Format::Other(_)) {
            return detected;
        }
    }
    other("neither zone text nor another format that is read")
}

/// Formats that hold DNS data and that this version does not read.
fn unsupported(name: &str, extension: &str) -> Option<&'static str> {
    match (name, extension) {
        ("dnsconfig.js" | "dnsconfig.ts", _) => Some("DNSControl is not supported by this version"),
        (_, "tf") => Some("Terraform is not supported by this version"),
        (_, "tfvars" | "tfstate" | "hcl") => Some("Terraform data is not supported by this version"),
        _ => None,
    }
}

fn doubtful(extension: &str) -> bool {
    matches!(
        extension,
        "md" | "markdown"
            | "rst"
            | "adoc"
            | "html"
            | "htm"
            | "xml"
            | "css"
            | "csv"
            | "json"
            | "json5"
            | "toml"
            | "ini"
            | "py"
            | "rb"
            | "pl"
            | "pm"
            | "php"
            | "js"
            | "ts"
            | "mjs"
            | "go"
            | "rs"
            | "c"
            | "h"
            | "java"
            | "lua"
            | "nix"
            | "sh"
            | "bash"
            | "zsh"
            | "ps1"
            | "bat"
            | "mk"
            | "tf"
            | "tfvars"
            | "tfstate"
            | "hcl"
            | "sql"
            | "log"
            | "svg"
            | "lock"
            | "patch"
            | "diff"
    )
}

/// Whether text without a telling name begins like YAML.
fn looks_like_yaml(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let first = text
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .find(|line| !line.is_empty() && !line.starts_with(b"#"))
        .unwrap_or(b"");
    first == b"---" || first.ends_with(b":") || memchr::memmem::find(first, b": ").is_some() || first.starts_with(b"{")
}

fn detect_yaml(bytes: &[u8]) -> Detected {
    let mut yaml = Yaml::default();
    let root = match yaml.parse(FileId(0), bytes) {
        Ok(root) => root,
        Err(error) => return Detected { format: Format::BrokenYaml(error.message), includes: Vec::new() },
    };
    let mut includes = Vec::new();
    for (id, node) in yaml.nodes().filter(|(_, node)| node.tag == Tag::Include) {
        let line = 1 + memchr::memchr_iter(b'\n', &bytes[..(node.span.start as usize).min(bytes.len())]).count();
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        match &node.kind {
            NodeKind::Sequence(items) => {
                includes.extend(items.iter().filter_map(|item| Some((yaml.text(*item)?.to_owned(), line))));
            }
            _ => includes.extend(yaml.text(id).map(|text| (text.to_owned(), line))),
        }
    }
    let format = match root {
        None => Format::EmptyYaml,
        Some(root) if yaml.is_null(root) => Format::EmptyYaml,
        Some(root) => yaml_format(&yaml, root),
    };
    Detected { format, includes }
}

fn yaml_format(yaml: &Yaml, root: NodeId) -> Format {
    let Some(entries) = yaml.entries(root, &mut |_, _| {}) else {
        return Format::Other("YAML that is not a mapping".to_owned());
    };
    if entries.is_empty() && matches!(&yaml.node(root).kind, NodeKind::Mapping(pairs) if pairs.is_empty()) {
        return Format::EmptyYaml;
    }
    if config::is_config(yaml, root) {
        return Format::OctodnsConfig;
    }
    if entries.iter().any(|entry| is_record(yaml, entry.value)) {
        return Format::OctodnsZone;
    }
    let keys: Vec<&str> = entries.iter().filter_map(|entry| yaml.text(entry.key)).collect();
    match own_file(&keys) {
        Some(what) => Format::Mailvet(what),
        None => Format::Other("YAML without octoDNS records".to_owned()),
    }
}

/// Whether a value is an octoDNS record or a list that begins with one.
fn is_record(yaml: &Yaml, value: NodeId) -> bool {
    let first = yaml.items(value).map_or(Some(value), |items| items.first().copied());
    let Some(data) = first else { return false };
    let Some(rtype) = yaml.get(data, "type").and_then(|id| yaml.text(id)) else { return false };
    let known = rtype == rtype.to_ascii_uppercase() && RecordType::parse(rtype).is_some();
    let provider = rtype == "ALIAS" || rtype == "URLFWD" || rtype.contains('/');
    let has = |key: &str| yaml.get(data, key).is_some();
    known || (provider && (has("value") || has("values")))
}

/// mailvet's own files by their top-level keys.
fn own_file(keys: &[&str]) -> Option<&'static str> {
    const INVENTORY: &[&str] =
        &["format", "organisation", "domains", "senders", "dns", "profile", "waivers", "answers"];
    let has = |key: &str| keys.contains(&key);
    if (has("domains") || has("organisation")) && keys.iter().all(|key| INVENTORY.contains(key)) {
        Some("an inventory of mailvet")
    } else if has("pack") && (has("rules") || has("format")) {
        Some("a rule pack of mailvet")
    } else if keys == ["rules"] {
        Some("rules of a mailvet pack")
    } else if has("waivers") {
        Some("waivers of mailvet")
    } else if has("profile") && (has("use") || has("select")) {
        Some("a profile of mailvet")
    } else if has("answers") {
        Some("answers of mailvet")
    } else {
        None
    }
}

/// Counts what the lines of a text are, if it is zone text.
fn shape(bytes: &[u8]) -> Shape {
    let mut shape = Shape::default();
    let mut origin: Option<Name> = None;
    let mut depth = 0usize;
    let mut seen = 0;
    for line in bytes.split(|byte| *byte == b'\n') {
        let was_open = depth > 0;
        let tokens = line_tokens(line, &mut depth);
        if was_open || tokens.is_empty() {
            continue;
        }
        seen += 1;
        if seen > LINES && shape.soa {
            break;
        }
        if tokens[0].starts_with(b"$") {
            directive(&tokens, &mut origin, &mut shape);
            continue;
        }
        let owner = (!line.starts_with(b" ") && !line.starts_with(b"\t")).then_some(tokens[0]);
        match record_type(&tokens[usize::from(owner.is_some())..]) {
            Some(found) if owner.is_none_or(plausible_owner) => {
                shape.records += 1;
                if found && !shape.soa {
                    shape.soa = true;
                    shape.soa_owner = match owner {
                        Some(b"@") | None => origin.clone(),
                        Some(text) if text.ends_with(b".") => Name::from_master(text, &Name::root()).ok(),
                        Some(text) => origin.as_ref().and_then(|origin| Name::from_master(text, origin).ok()),
                    };
                }
            }
            _ => {
                shape.others += 1;
                // Whatever a line of prose opens is not a parenthesis of a record.
                depth = 0;
            }
        }
    }
    shape
}

fn directive(tokens: &[&[u8]], origin: &mut Option<Name>, shape: &mut Shape) {
    match tokens[0].to_ascii_uppercase().as_slice() {
        b"$ORIGIN" => {
            shape.directives += 1;
            let Some(text) = tokens.get(1) else { return };
            let base = origin.clone().unwrap_or_else(Name::root);
            *origin = Name::from_master(text, &base).ok();
            if shape.records == 0 && shape.leading_origin.is_none() {
                shape.leading_origin = origin.clone().filter(|name| !name.is_root());
            }
        }
        b"$TTL" | b"$INCLUDE" | b"$GENERATE" if tokens.len() > 1 => shape.directives += 1,
        _ => shape.others += 1,
    }
}

fn plausible_owner(owner: &[u8]) -> bool {
    !owner.iter().any(|byte| matches!(byte, b'{' | b'}' | b'=' | b'"' | b'<' | b'>' | b',' | b'#' | b'`'))
        && !owner.ends_with(b":")
}

/// Whether tokens after the owner are a record: `None` if not, otherwise whether it is an SOA record.
fn record_type(tokens: &[&[u8]]) -> Option<bool> {
    let is_ttl = |text: &[u8]| {
        text.first().is_some_and(u8::is_ascii_digit)
            && text.iter().all(|byte| byte.is_ascii_digit() || b"smhdwSMHDW".contains(byte))
    };
    let is_class = |text: &[u8]| [&b"IN"[..], b"CH", b"HS"].iter().any(|class| text.eq_ignore_ascii_case(class));
    let skip = tokens.iter().take(2).take_while(|text| is_ttl(text) || is_class(text)).count();
    let rtype = RecordType::parse(std::str::from_utf8(tokens.get(skip)?).ok()?)?;
    let data = &tokens[skip + 1..];
    if rtype != RecordType::SOA {
        return (!data.is_empty()).then_some(false);
    }
    // RFC 1035 section 3.3.13: two names, then numbers, perhaps on the next lines.
    let third = data.get(2).is_none_or(|text| text.iter().all(u8::is_ascii_digit));
    (data.len() >= 2 && third).then_some(true)
}

/// Tokens of one line without comment and parentheses; keeps count of open parentheses.
fn line_tokens<'a>(line: &'a [u8], depth: &mut usize) -> Vec<&'a [u8]> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < line.len() && tokens.len() < 16 {
        match line[at] {
            b';' => break,
            b'(' => {
                *depth += 1;
                at += 1;
            }
            b')' => {
                *depth = depth.saturating_sub(1);
                at += 1;
            }
            byte if byte.is_ascii_whitespace() => at += 1,
            b'"' => {
                let length = memchr::memchr(b'"', &line[at + 1..]).unwrap_or(line.len() - at - 1);
                tokens.push(&line[at..=(at + length).min(line.len() - 1)]);
                at += length + 2;
            }
            _ => {
                let length = line[at..]
                    .iter()
                    .position(|byte| byte.is_ascii_whitespace() || matches!(byte, b';' | b'(' | b')' | b'"'))
                    .unwrap_or(line.len() - at);
                tokens.push(&line[at..at + length]);
                at += length;
            }
        }
    }
    // The rest of a long line can still close or open a parenthesis.
    for byte in line.get(at..).unwrap_or(&[]).iter().take_while(|byte| **byte != b';') {
        match byte {
            b'(' => *depth += 1,
            b')' => *depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    tokens
}

/// Paths of `$INCLUDE` directives with their lines.
fn zone_includes(bytes: &[u8]) -> Vec<(String, u32)> {
    let mut includes = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let is_include = line.len() > 9 && line[..8].eq_ignore_ascii_case(b"$INCLUDE") && line[8].is_ascii_whitespace();
        if !is_include {
            continue;
        }
        if let Some(path) = line_tokens(&line[8..], &mut 0).first() {
            let path = String::from_utf8_lossy(path).trim_matches('"').to_owned();
            includes.push((path, u32::try_from(index + 1).unwrap_or(u32::MAX)));
        }
    }
    includes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn word(format: &Format) -> &str {
        match format {
            Format::Zone(_) => "zone",
            Format::Fragment(_) => "fragment",
            Format::NamedConf => "named.conf",
            Format::OctodnsZone => "octodns",
            Format::OctodnsConfig => "octodns config",
            Format::EmptyYaml => "empty yaml",
            Format::BrokenYaml(_) => "broken yaml",
            Format::Mailvet(what) => what,
            Format::Other(reason) => reason,
        }
    }

    #[test]
    fn content_decides() {
        let soa = "@ IN SOA ns.example.org. root.example.org. (\n 1 2 3\n 4 5 )\n@ MX 10 mail\n";
        let code = "documentation or program code";
        let other = "neither zone text nor another format that is read";
        let cases: &[(&str, &str, &str)] = &[
            ("db.example", soa, "zone"),
            ("example.md", soa, "zone"),
            ("README.md", &format!("# Title\n\nSome words here.\nMore words.\n\n    {soa}\nEnd of it.\n"), code),
            ("x", "$ORIGIN example.org.\nwww A 192.0.2.1\n", "zone"),
            ("x", "$TTL 1h\n$INCLUDE base\n", "zone"),
            ("x", "www 1h IN A 192.0.2.1\n  IN AAAA ::1\n", "fragment"),
            ("x", "The MX record is a thing\nand so is this line\n", other),
            ("x.zone", "", "an empty file"),
            ("x.zone", "#!/bin/sh\nA A A\n", "a script"),
            ("x", "a\0b", "a binary file"),
            ("x.tf", "resource \"a\" \"b\" {\n}\n", "Terraform is not supported by this version"),
            ("dnsconfig.js", "D('a');\n", "DNSControl is not supported by this version"),
            ("x.conf", "zone \"a\" { file \"b\"; };", "named.conf"),
            ("a.yaml", "www: {type: A, value: 192.0.2.1}", "octodns"),
            ("a.yaml", "www: [{type: ALIAS, value: a.}]", "octodns"),
            ("stdin", "---\nwww:\n  type: A\n", "octodns"),
            ("a.yaml", "spec: {type: ClusterIP}", "YAML without octoDNS records"),
            ("a.yaml", "- a", "YAML that is not a mapping"),
            ("a.yaml", "---\n", "empty yaml"),
            ("a.yaml", "a: [", "broken yaml"),
            ("p.yaml", "providers: {a: {class: x.Y}}\nzones: {}", "octodns config"),
            ("m.yaml", "domains: [{name: a}]", "an inventory of mailvet"),
            ("m.yaml", "format: 1\nwaivers: [w.yaml]\ndomains: [{name: a}]", "an inventory of mailvet"),
            ("m.yaml", "pack: x\nformat: 1\n", "a rule pack of mailvet"),
            ("m.yaml", "waivers: []", "waivers of mailvet"),
            ("m.yaml", "rules: []", "rules of a mailvet pack"),
        ];
        for (name, text, expected) in cases {
            assert_eq!(word(&detect(Path::new(name), text.as_bytes()).format), *expected, "{name}: {text}");
        }
    }

    #[test]
    fn the_zone_is_told_by_its_soa_record() {
        for (text, expected) in [
            ("$ORIGIN .\nexample.org 60 IN SOA a. b. 1 2 3 4 5\n", Some("example.org")),
            ("$ORIGIN org.\nexample SOA a. b. 1 2 3 4 5\n", Some("example.org")),
            ("example.org. SOA a. b. (\n1 2 3 4 5)\n", Some("example.org")),
            ("$TTL 5\n@ SOA a. b. ( 1 2 3 4 5 )\n", None),
        ] {
            let Format::Zone(shape) = detect(Path::new("x"), text.as_bytes()).format else { panic!("{text}") };
            assert_eq!(shape.soa_owner.as_ref().map(Name::as_str), expected, "{text}");
        }
    }

    #[test]
    fn includes_have_lines() {
        let text = "$TTL 5\n@ A 192.0.2.1\n$include \"../a b\" sub ; x\n";
        assert_eq!(detect(Path::new("x"), text.as_bytes()).includes, [("../a b".to_owned(), 3)]);
        let text = "a: {type: A}\nb: !include x.yaml\nc:\n  !include [y, z]\n";
        let includes = detect(Path::new("x.yaml"), text.as_bytes()).includes;
        assert_eq!(includes.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["x.yaml", "y", "z"]);
    }

    #[test]
    fn backups_and_templates_are_known_by_name() {
        for (name, ignored) in [
            ("db.a.bak", true),
            ("db.a~", true),
            ("#db.a#", true),
            ("a.tmpl", true),
            (".x", true),
            (".yaml", false),
            ("db.a", false),
        ] {
            assert_eq!(ignored_by_name(name).is_some(), ignored, "{name}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_bytes_are_something(bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..100),
            "(@|\\$ORIGIN|\\$INCLUDE|a\\.|SOA|MX|IN|10|\\(|\\)|\"|;| |\n|\t){0,40}".prop_map(String::into_bytes),
        ], yaml in any::<bool>()) {
            detect(Path::new(if yaml { "a.yaml" } else { "a" }), &bytes);
        }
    }
}
