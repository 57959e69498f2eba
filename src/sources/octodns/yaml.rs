//! YAML as a tree in which every node keeps its bytes in the file.
//!
//! The tree is an arena. An alias is an edge to the node it names, so a document of aliases to aliases stays as small as
//! its text; whoever walks the tree counts his steps. It does not know what a record is.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle};

use crate::diag::{FileId, Span};

/// Most nodes that the documents of one zone may have.
const NODE_LIMIT: usize = 8_000_000;

/// Most merge keys (`<<`) that are followed inside one another.
const MERGE_DEPTH: usize = 32;

/// Most entries that one mapping may have after merging.
const ENTRY_LIMIT: usize = 2_000_000;

/// Index of a node in [`Yaml`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

/// One node.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Where it stands; a quoted scalar includes its quotes.
    pub span: Span,
    /// Its explicit tag.
    pub tag: Tag,
}

/// Kinds of nodes.
#[derive(Debug, Clone)]
pub enum NodeKind {
    /// A scalar: its value after YAML's own unescaping, and how it is written.
    Scalar(Box<str>, ScalarStyle),
    /// A list.
    Sequence(Vec<NodeId>),
    /// Keys and values in file order; duplicates are kept.
    Mapping(Vec<(NodeId, NodeId)>),
    /// A reference to another node of the same document.
    Alias(NodeId),
}

/// Explicit tags that matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tag {
    /// None, or one of YAML's own for maps, lists and texts.
    None,
    /// `!!str`.
    Text,
    /// `!include`.
    Include,
    /// Any other.
    Other(Box<str>),
}

/// Why a text is not YAML that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// One sentence.
    pub message: String,
    /// Where.
    pub span: Span,
}

/// Documents of one zone.
#[derive(Debug, Default)]
pub struct Yaml {
    nodes: Vec<Node>,
}

/// Key, value, and whether the entry came through a merge key.
#[derive(Debug, Clone, Copy)]
pub struct MappingEntry {
    /// The key.
    pub key: NodeId,
    /// The value with aliases resolved.
    pub value: NodeId,
    /// Whether it came through `<<`.
    pub merged: bool,
}

impl Yaml {
    /// Parses the one document of a file and returns its root; `None` when the file is empty.
    pub fn parse(&mut self, file: FileId, bytes: &[u8]) -> Result<Option<NodeId>, YamlError> {
        let error = |at: usize, message: &str| {
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            YamlError { message: message.to_owned(), span: Span::new(file, at, at.saturating_add(1)) }
        };
        let text =
            std::str::from_utf8(bytes).map_err(|bad| error(bad.valid_up_to(), "the file is not encoded in UTF-8"))?;
        let (text, shift) = match text.strip_prefix('\u{feff}') {
            Some(rest) => (rest, 3),
            None => (text, 0),
        };
        Builder { yaml: self, file, shift, stack: Vec::new(), anchors: HashMap::new(), root: None }.run(text)
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// The number of nodes of all documents.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing was parsed.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.nodes.iter().enumerate().map(|(index, node)| (NodeId(u32::try_from(index).unwrap_or(u32::MAX)), node))
    }

    /// The node behind any aliases.
    pub fn resolve(&self, mut id: NodeId) -> NodeId {
        // An anchor stands before its alias, and files do not include one another in a circle.
        while let NodeKind::Alias(target) = self.node(id).kind {
            id = target;
        }
        id
    }

    /// Puts other content where an `!include` stands.
    pub fn replace(&mut self, id: NodeId, kind: NodeKind) {
        let node = &mut self.nodes[id.0 as usize];
        node.kind = kind;
        node.tag = Tag::None;
    }

    /// The text of a scalar.
    pub fn text(&self, id: NodeId) -> Option<&str> {
        match &self.node(self.resolve(id)).kind {
            NodeKind::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// Whether a node is null as YAML 1.1 reads it.
    pub fn is_null(&self, id: NodeId) -> bool {
        let node = self.node(self.resolve(id));
        matches!(&node.kind, NodeKind::Scalar(text, ScalarStyle::Plain)
            if node.tag == Tag::None && matches!(&**text, "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Whether a node is a plain true, as YAML 1.1 reads it.
    pub fn is_true(&self, id: NodeId) -> bool {
        let node = self.node(self.resolve(id));
        matches!(&node.kind, NodeKind::Scalar(text, ScalarStyle::Plain)
            if matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "on"))
    }

    /// The items of a list.
    pub fn items(&self, id: NodeId) -> Option<&[NodeId]> {
        match &self.node(self.resolve(id)).kind {
            NodeKind::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a mapping with its merge keys flattened: an entry of the mapping itself wins over a merged one,
    /// and a later entry over an earlier one. Entries that lose to a later one of the same mapping are handed to
    /// `lost`, since YAML forbids them and octoDNS drops them in silence.
    pub fn entries(&self, id: NodeId, lost: &mut dyn FnMut(NodeId, NodeId)) -> Option<Vec<MappingEntry>> {
        let id = self.resolve(id);
        let NodeKind::Mapping(_) = &self.node(id).kind else { return None };
        let mut found: Vec<MappingEntry> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut budget = ENTRY_LIMIT;
        self.flatten(id, false, 0, &mut budget, &mut found, &mut places, lost);
        Some(found)
    }

    /// The value of a key of a mapping, through merge keys.
    pub fn get(&self, id: NodeId, key: &str) -> Option<NodeId> {
        self.entries(id, &mut |_, _| {})?
            .into_iter()
            .find(|entry| self.text(entry.key) == Some(key))
            .map(|entry| entry.value)
    }

    #[expect(clippy::too_many_arguments, reason = "the state of one walk")]
    fn flatten<'a>(
        &'a self,
        id: NodeId,
        merged: bool,
        depth: usize,
        budget: &mut usize,
        found: &mut Vec<MappingEntry>,
        places: &mut HashMap<&'a str, usize>,
        lost: &mut dyn FnMut(NodeId, NodeId),
    ) {
        let NodeKind::Mapping(pairs) = &self.node(self.resolve(id)).kind else { return };
        let mut merges = Vec::new();
        for (key, value) in pairs {
            let Some(left) = budget.checked_sub(1) else { return };
            *budget = left;
            if self.is_merge_key(*key) {
                merges.push(*value);
                continue;
            }
            let Some(text) = self.text(*key) else { continue };
            let entry = MappingEntry { key: *key, value: self.resolve(*value), merged };
            match places.get(text) {
                None => {
                    places.insert(text, found.len());
                    found.push(entry);
                }
                Some(at) if !merged => {
                    lost(found[*at].key, *key);
                    found[*at] = entry;
                }
                Some(_) => {}
            }
        }
        if depth >= MERGE_DEPTH {
            return;
        }
        for value in merges {
            match &self.node(self.resolve(value)).kind {
                NodeKind::Sequence(items) => {
                    for item in items {
                        self.flatten(*item, true, depth + 1, budget, found, places, lost);
                    }
                }
                _ => self.flatten(value, true, depth + 1, budget, found, places, lost),
            }
        }
    }

    fn is_merge_key(&self, key: NodeId) -> bool {
        matches!(&self.node(key).kind, NodeKind::Scalar(text, ScalarStyle::Plain) if &**text == "<<")
    }
}

/// Builds the arena from events.
struct Builder<'y> {
    yaml: &'y mut Yaml,
    file: FileId,
    shift: usize,
    stack: Vec<Open>,
    anchors: HashMap<usize, NodeId>,
    root: Option<NodeId>,
}

/// A collection whose end was not seen yet.
struct Open {
    id: NodeId,
    key: Option<NodeId>,
}

impl Builder<'_> {
    fn run(mut self, text: &str) -> Result<Option<NodeId>, YamlError> {
        let mut options = granit_parser::Options::default();
        options.set_emit_comments(false);
        let mut documents = 0;
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = event.map_err(|bad| {
                let at = bad.marker().byte_offset().unwrap_or(text.len());
                YamlError { message: bad.info(), span: self.span(at, at + 1, text.len()) }
            })?;
            let range = span.byte_range().unwrap_or(0..0);
            let place = self.span(range.start, range.end, text.len());
            if self.yaml.nodes.len() >= NODE_LIMIT {
                return Err(YamlError { message: format!("more than {NODE_LIMIT} YAML nodes"), span: place });
            }
            match event {
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(YamlError {
                            message: "the file holds more than one YAML document".to_owned(),
                            span: place,
                        });
                    }
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let tag = self.tag(tag.as_deref());
                    let id = self.add(NodeKind::Scalar(text.into(), style), place, tag, anchor);
                    self.attach(id);
                }
                Event::SequenceStart(_, anchor, tag) => {
                    let tag = self.tag(tag.as_deref());
                    let id = self.add(NodeKind::Sequence(Vec::new()), place, tag, anchor);
                    self.attach(id);
                    self.stack.push(Open { id, key: None });
                }
                Event::MappingStart(_, anchor, tag) => {
                    let tag = self.tag(tag.as_deref());
                    let id = self.add(NodeKind::Mapping(Vec::new()), place, tag, anchor);
                    self.attach(id);
                    self.stack.push(Open { id, key: None });
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(place),
                Event::Alias(anchor) => {
                    let Some(target) = self.anchors.get(&anchor).copied() else {
                        return Err(YamlError { message: "the alias names no anchor".to_owned(), span: place });
                    };
                    if self.stack.iter().any(|open| open.id == target) {
                        return Err(YamlError {
                            message: "the alias lies inside the node that it names".to_owned(),
                            span: place,
                        });
                    }
                    let id = self.add(NodeKind::Alias(target), place, Tag::None, 0);
                    self.attach(id);
                }
                _ => {}
            }
        }
        Ok(self.root)
    }

    fn span(&self, start: usize, end: usize, length: usize) -> Span {
        let fit = |at: usize| u32::try_from(at.min(length) + self.shift).unwrap_or(u32::MAX);
        Span::new(self.file, fit(start), fit(end))
    }

    fn tag(&self, tag: Option<&granit_parser::Tag>) -> Tag {
        match tag {
            None => Tag::None,
            Some(tag) if tag.is_yaml_core_schema_tag("str") => Tag::Text,
            Some(tag) if tag.is_yaml_core_schema_tag("map") || tag.is_yaml_core_schema_tag("seq") => Tag::None,
            Some(tag) if tag.original() == "!include" => Tag::Include,
            Some(tag) => Tag::Other(tag.original().into()),
        }
    }

    fn add(&mut self, kind: NodeKind, span: Span, tag: Tag, anchor: usize) -> NodeId {
        let id = NodeId(u32::try_from(self.yaml.nodes.len()).unwrap_or(u32::MAX));
        self.yaml.nodes.push(Node { kind, span, tag });
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        id
    }

    /// Puts a node into the innermost open collection.
    fn attach(&mut self, id: NodeId) {
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(id);
            return;
        };
        match &mut self.yaml.nodes[open.id.0 as usize].kind {
            NodeKind::Sequence(items) => items.push(id),
            NodeKind::Mapping(pairs) => match open.key.take() {
                None => open.key = Some(id),
                Some(key) => pairs.push((key, id)),
            },
            NodeKind::Scalar(..) | NodeKind::Alias(_) => {}
        }
    }

    /// Ends the innermost collection. A block collection has no closing character: it ends with its last node.
    fn close(&mut self, end: Span) {
        let Some(open) = self.stack.pop() else { return };
        let last = match &self.yaml.nodes[open.id.0 as usize].kind {
            NodeKind::Sequence(items) => items.last().copied(),
            NodeKind::Mapping(pairs) => pairs.last().map(|(_, value)| *value),
            NodeKind::Scalar(..) | NodeKind::Alias(_) => None,
        };
        let first = match &self.yaml.nodes[open.id.0 as usize].kind {
            NodeKind::Mapping(pairs) => pairs.first().map(|(key, _)| *key),
            _ => None,
        };
        let inner_start = first.map(|id| self.yaml.node(id).span.start);
        let inner_end = last.map(|id| self.yaml.node(id).span.end);
        let span = &mut self.yaml.nodes[open.id.0 as usize].span;
        let is_flow = end.end > end.start;
        span.end = if is_flow { end.end } else { inner_end.unwrap_or(span.end) };
        if let (false, Some(start)) = (is_flow, inner_start) {
            span.start = start.min(span.end);
        }
        span.end = span.end.max(span.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> (Yaml, Option<NodeId>) {
        let mut yaml = Yaml::default();
        let root = yaml.parse(FileId(0), text.as_bytes()).unwrap();
        (yaml, root)
    }

    fn shown(text: &str, yaml: &Yaml, id: NodeId) -> String {
        let span = yaml.node(id).span;
        text[span.start as usize..span.end as usize].to_owned()
    }

    #[test]
    fn nodes_know_their_bytes() {
        let text = "---\n'': # apex\n  - type: MX\n    values: [{a: 1}, {b: 'ä'}]\n  - x\n\nwww: \"q\"\n";
        let (yaml, root) = parse(text);
        let entries = yaml.entries(root.unwrap(), &mut |_, _| {}).unwrap();
        assert_eq!(shown(text, &yaml, entries[0].key), "''");
        assert_eq!(shown(text, &yaml, entries[1].value), "\"q\"");
        let items = yaml.items(entries[0].value).unwrap();
        assert_eq!(shown(text, &yaml, items[0]), "type: MX\n    values: [{a: 1}, {b: 'ä'}]");
    }

    #[test]
    fn merge_keys_lose_to_keys_of_the_mapping_itself() {
        let (yaml, root) = parse("base: &b {x: 1, y: 2}\nmain:\n  <<: *b\n  y: 3\n");
        let main = yaml.get(root.unwrap(), "main").unwrap();
        let value = |key: &str| yaml.text(yaml.get(main, key).unwrap()).unwrap().to_owned();
        assert_eq!((value("x"), value("y")), ("1".to_owned(), "3".to_owned()));
    }

    #[test]
    fn duplicate_keys_are_reported_and_the_last_one_wins() {
        let (yaml, root) = parse("a: 1\na: 2\n");
        let mut lost = 0;
        let entries = yaml.entries(root.unwrap(), &mut |_, _| lost += 1).unwrap();
        assert_eq!((entries.len(), lost, yaml.text(entries[0].value)), (1, 1, Some("2")));
    }

    #[test]
    fn broken_and_hostile_documents_are_errors_with_a_place() {
        let deep = "[".repeat(100_000);
        let cases: &[(&str, &str)] = &[
            ("a: [", ""),
            ("a: *b", "anchor"),
            ("a: &a [*a]", "inside the node"),
            ("a: 1\n---\nb: 2\n", "more than one"),
            (&deep, ""),
        ];
        for (text, part) in cases {
            let error = Yaml::default().parse(FileId(0), text.as_bytes()).unwrap_err();
            assert!(error.message.contains(part), "{}", error.message);
            assert!(error.span.end as usize <= text.len(), "{error:?}");
        }
        assert!(Yaml::default().parse(FileId(0), b"a: \xff").is_err());
    }

    #[test]
    fn an_alias_bomb_stays_as_small_as_its_text() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..200 {
            let list = vec![format!("*a{}", level - 1); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{list}]\n"));
        }
        let (yaml, _) = parse(&text);
        assert!(yaml.len() < 5000);
        let merges = "a0: &a0 {k: v}\n".to_owned()
            + &(1..60)
                .map(|level| {
                    format!("a{level}: &a{level} {{<<: [{}]}}\n", vec![format!("*a{}", level - 1); 9].join(", "))
                })
                .collect::<String>();
        let (yaml, root) = parse(&merges);
        let last = yaml.get(root.unwrap(), "a59").unwrap();
        assert!(yaml.entries(last, &mut |_, _| {}).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_text_gives_nodes_inside_the_file_or_an_error(text in "[-a:{}\\[\\],'\"&*|>#?!\n \\\\ä<]{0,60}") {
            let mut yaml = Yaml::default();
            if let Ok(Some(root)) = yaml.parse(FileId(0), text.as_bytes()) {
                for (_, node) in yaml.nodes() {
                    prop_assert!(node.span.end as usize <= text.len());
                    prop_assert!(text.is_char_boundary(node.span.start as usize));
                }
                let _ = yaml.entries(root, &mut |_, _| {});
            }
        }
    }
}
