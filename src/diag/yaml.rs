//! YAML that people wrote, as a small tree in which every key and value knows its place.
//!
//! Packs, profiles, waivers and inventories are read from this tree by hand, so that every mistake is answered with the
//! characters it is about. The tree keeps scalars as text: whether `12` is a number or a word is decided by who asks.
//! Only `true` and `false` are booleans; `no`, `on` and `yes` are text (YAML 1.2 core schema).
//!
//! Input may be hostile: size, depth and number of nodes are bounded, aliases count each time they are used, and there
//! is no tag that creates anything. Nothing here knows what a document means. The parser behind stays in this file.

use std::collections::BTreeMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, StructureStyle, Tag};

use super::{Diagnostic, FileId, Files, Span};

/// Bounds on one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: usize,
    /// Scalars, lists and mappings, with those that aliases repeat.
    pub nodes: usize,
    /// Lists and mappings inside each other.
    pub depth: usize,
}

impl Limits {
    /// For packs, profiles and waivers.
    pub const POLICY: Limits = Limits { bytes: 4 << 20, nodes: 200_000, depth: 48 };
    /// For inventories, which may list every domain of a large organisation.
    pub const INVENTORY: Limits = Limits { bytes: 64 << 20, nodes: 4_000_000, depth: 16 };
}

/// A value and the characters it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A value at a place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// A scalar, list or mapping with its place. The place of a block list or mapping reaches from its first to its last item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What was written.
    pub value: Value,
    /// Where it was written.
    pub span: Span,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A scalar, as text.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file. No key occurs twice.
    Map(Vec<Entry>),
}

/// One key of a mapping with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Box<str>,
    /// Where the key was written.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

/// The text of a scalar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// The text after escapes and folding.
    pub text: Box<str>,
    /// Whether it was written without quotes, and so may mean something else than text.
    pub plain: bool,
}

/// What an unquoted scalar means in YAML 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing: empty, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that fits 64 bits and has no leading zero.
    Int(i64),
    /// Any other number; no document of this tool has one.
    Number,
    /// Text.
    Text,
}

impl Scalar {
    /// What the scalar means.
    pub fn meaning(&self) -> Meaning {
        if !self.plain {
            return Meaning::Text;
        }
        match &*self.text {
            "" | "~" | "null" | "Null" | "NULL" => Meaning::Null,
            "true" => Meaning::Bool(true),
            "false" => Meaning::Bool(false),
            text => number(text),
        }
    }
}

/// Whether text is a number, and which.
fn number(text: &str) -> Meaning {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.strip_prefix('.').unwrap_or(digits).starts_with(|first: char| first.is_ascii_digit()) {
        return Meaning::Text;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // A leading zero is octal in YAML 1.1 and decimal in YAML 1.2, so it is neither here.
        let leading_zero = digits.len() > 1 && digits.starts_with('0');
        return match text.parse() {
            Ok(value) if !leading_zero => Meaning::Int(value),
            _ => Meaning::Number,
        };
    }
    let other_base = digits.starts_with("0x") || digits.starts_with("0o");
    if other_base || text.parse::<f64>().is_ok() { Meaning::Number } else { Meaning::Text }
}

impl Node {
    /// The scalar, if the node is one.
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Whether the node is empty, `~` or `null`.
    pub fn is_null(&self) -> bool {
        self.scalar().is_some_and(|scalar| scalar.meaning() == Meaning::Null)
    }

    /// The value of a key, if the node is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| &*entry.key == key).map(|entry| &entry.value),
            Value::Scalar(_) | Value::List(_) => None,
        }
    }

    /// What the node is, in words that follow "but is".
    pub fn describe(&self) -> String {
        match &self.value {
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
            Value::Scalar(scalar) => match scalar.meaning() {
                Meaning::Null => "empty".to_owned(),
                Meaning::Bool(value) => format!("`{value}`"),
                Meaning::Int(_) | Meaning::Number => format!("the number `{}`", scalar.text),
                Meaning::Text => format!("the text `{}`", shortened(&scalar.text)),
            },
        }
    }

    fn count(&self) -> usize {
        1 + match &self.value {
            Value::Scalar(_) => 0,
            Value::List(items) => items.iter().map(Node::count).sum(),
            Value::Map(entries) => entries.iter().map(|entry| 1 + entry.value.count()).sum(),
        }
    }

    fn depth(&self) -> usize {
        match &self.value {
            Value::Scalar(_) => 0,
            Value::List(items) => 1 + items.iter().map(Node::depth).max().unwrap_or(0),
            Value::Map(entries) => 1 + entries.iter().map(|entry| entry.value.depth()).max().unwrap_or(0),
        }
    }
}

/// At most forty characters of a text, for messages.
pub fn shortened(text: &str) -> String {
    const LONGEST: usize = 40;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(LONGEST).collect();
    short.push('…');
    short
}

/// Parses a registered file that holds one document. `None` after a mistake that leaves no tree; other mistakes
/// (duplicate keys, tags) are added to `out`, and the tree is what remains.
pub fn parse(files: &Files, file: FileId, limits: &Limits, out: &mut Vec<Diagnostic>) -> Option<Node> {
    let result = decode(files, file, limits).and_then(|(text, base)| {
        let builder = Builder {
            files,
            text,
            base,
            file,
            limits: *limits,
            out,
            open: Vec::new(),
            anchors: BTreeMap::new(),
            nodes: 0,
            root: None,
        };
        builder.run()
    });
    match result {
        Ok(node) => Some(node),
        Err(problem) => {
            out.push(*problem);
            None
        }
    }
}

/// The text of a file after its byte order mark, and the length of that mark.
fn decode<'f>(files: &'f Files, file: FileId, limits: &Limits) -> Result<(&'f str, u32), Fatal> {
    let bytes = &files.get(file).bytes;
    if bytes.len() > limits.bytes {
        let message = format!("the file is larger than {} MiB", limits.bytes >> 20);
        return Err(Box::new(Diagnostic::error("yaml-limit", message).at(Span::new(file, 0, 0))));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = u32::try_from(error.valid_up_to()).unwrap_or(u32::MAX - 1);
        let problem = Diagnostic::error("yaml-encoding", "the file is not UTF-8").at(Span::new(file, at, at + 1));
        Box::new(problem.label("this byte").help("save the file as UTF-8"))
    })?;
    Ok(text.strip_prefix('\u{feff}').map_or((text, 0), |rest| (rest, 3)))
}

/// A collection whose end has not been seen.
struct Open {
    anchor: usize,
    block: bool,
    span: Span,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<(Box<str>, Span)>, seen: BTreeMap<Box<str>, Span> },
}

struct Builder<'a> {
    files: &'a Files,
    text: &'a str,
    /// Bytes before `text`: a byte order mark.
    base: u32,
    file: FileId,
    limits: Limits,
    out: &'a mut Vec<Diagnostic>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
}

type Fatal = Box<Diagnostic>;

impl<'a> Builder<'a> {
    fn run(mut self) -> Result<Node, Fatal> {
        let mut options = Options::default();
        options.flow_nesting_limit = self.limits.depth;
        options.block_nesting_limit = self.limits.depth;
        options.set_emit_comments(false);
        let mut documents = 0;
        for next in Parser::new_from_str_with_options(self.text, options) {
            let (event, place) = next.map_err(|error| self.syntax(&error))?;
            let span = self.span(place.byte_range());
            let tag_span = self.span(place.tag_span().and_then(|tag| tag.byte_range()));
            match event {
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(Box::new(
                            Diagnostic::error("yaml-documents", "the file holds more than one document")
                                .at(span)
                                .help("put each document into a file of its own"),
                        ));
                    }
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let plain = self.plain(style, tag.as_deref(), tag_span);
                    let scalar = Scalar { text: text.into(), plain };
                    self.place(Node { value: Value::Scalar(scalar), span }, anchor)?;
                }
                Event::SequenceStart(style, anchor, tag) => {
                    self.refuse_tag(tag.as_deref(), tag_span);
                    self.begin(style, anchor, span, Content::List(Vec::new()))?;
                }
                Event::MappingStart(style, anchor, tag) => {
                    self.refuse_tag(tag.as_deref(), tag_span);
                    let content = Content::Map { entries: Vec::new(), key: None, seen: BTreeMap::new() };
                    self.begin(style, anchor, span, content)?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.end(span)?,
                Event::Alias(anchor) => self.alias(anchor, span)?,
                _ => {}
            }
        }
        self.root.take().ok_or_else(|| {
            Box::new(Diagnostic::error("yaml-empty", "the file is empty").at(Span::new(self.file, 0, 0)))
        })
    }

    fn span(&self, range: Option<std::ops::Range<usize>>) -> Span {
        let range = range.unwrap_or(0..0);
        let at =
            |offset: usize| u32::try_from(offset.min(self.text.len())).unwrap_or(u32::MAX).saturating_add(self.base);
        Span::new(self.file, at(range.start), at(range.end))
    }

    fn syntax(&self, error: &granit_parser::ScanError) -> Fatal {
        let start = error.marker().byte_offset().unwrap_or(0);
        let rest = self.text.get(start..).unwrap_or("");
        let width = rest.chars().next().filter(|next| *next != '\n').map_or(0, char::len_utf8);
        let info = error.info();
        let message =
            if info.is_empty() { "the file is not valid YAML".to_owned() } else { format!("not valid YAML: {info}") };
        Box::new(Diagnostic::error("yaml-syntax", message).at(self.span(Some(start..start + width))))
    }

    fn plain(&mut self, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> bool {
        match tag {
            Some(tag) if tag.is_yaml_core_schema_tag("str") => false,
            Some(_) => {
                self.refuse_tag(tag, span);
                false
            }
            None => style == ScalarStyle::Plain,
        }
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, span: Span) {
        if let Some(tag) = tag {
            let message = format!("the tag `{}` has no meaning here", shortened(&tag.original()));
            self.out.push(Diagnostic::error("yaml-tag", message).at(span).help("leave the tag out"));
        }
    }

    fn begin(&mut self, style: StructureStyle, anchor: usize, span: Span, content: Content) -> Result<(), Fatal> {
        if self.open.len() >= self.limits.depth {
            return Err(self.too_deep(span));
        }
        if self.open.last().is_some_and(|open| matches!(&open.content, Content::Map { key: None, .. })) {
            return Err(Box::new(key_must_be_text(span)));
        }
        self.open.push(Open { anchor, block: style == StructureStyle::Block, span, content });
        Ok(())
    }

    fn too_deep(&self, span: Span) -> Fatal {
        let message = format!("lists and mappings are nested more than {} deep", self.limits.depth);
        Box::new(Diagnostic::error("yaml-limit", message).at(span))
    }

    fn end(&mut self, end: Span) -> Result<(), Fatal> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let (value, extent) = match open.content {
            Content::List(items) => {
                let extent = items.first().zip(items.last()).map(|(first, last)| first.span.join(last.span));
                (Value::List(items), extent)
            }
            Content::Map { entries, .. } => {
                let extent =
                    entries.first().zip(entries.last()).map(|(first, last)| first.key_span.join(last.value.span));
                (Value::Map(entries), extent)
            }
        };
        let span = match extent {
            Some(extent) if open.block => extent,
            _ => open.span.join(end),
        };
        self.place(Node { value, span }, open.anchor)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Fatal> {
        let Some(target) = self.anchors.get(&anchor) else {
            let problem = Diagnostic::error("yaml-alias", "the alias names something that contains it").at(span);
            return Err(Box::new(problem));
        };
        self.nodes = self.nodes.saturating_add(target.count());
        self.check_count(span)?;
        if self.open.len() + target.depth() > self.limits.depth {
            return Err(self.too_deep(span));
        }
        let node = Node { value: target.value.clone(), span };
        self.put(node)
    }

    /// Puts a finished node into the collection that is open, and keeps it if it has an anchor.
    fn place(&mut self, node: Node, anchor: usize) -> Result<(), Fatal> {
        self.nodes += 1;
        if anchor != 0 {
            self.nodes = self.nodes.saturating_add(node.count());
        }
        self.check_count(node.span)?;
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.put(node)
    }

    fn check_count(&self, span: Span) -> Result<(), Fatal> {
        if self.nodes <= self.limits.nodes {
            return Ok(());
        }
        let message = format!("the file has more than {} values, repeated ones included", self.limits.nodes);
        Err(Box::new(Diagnostic::error("yaml-limit", message).at(span)))
    }

    fn put(&mut self, node: Node) -> Result<(), Fatal> {
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, key, seen }) => match key.take() {
                Some((key, key_span)) => match seen.get(&key) {
                    Some(first) => {
                        let place = self.files.place(*first);
                        let message = format!("the key `{}` occurs twice", shortened(&key));
                        let problem = Diagnostic::error("yaml-duplicate-key", message)
                            .at(key_span)
                            .label("again here")
                            .help(format!("it was first written on line {}; keep one of them", place.line));
                        self.out.push(problem);
                    }
                    None => {
                        seen.insert(key.clone(), key_span);
                        entries.push(Entry { key, key_span, value: node });
                    }
                },
                None => match node.value {
                    Value::Scalar(scalar) => *key = Some((scalar.text, node.span)),
                    Value::List(_) | Value::Map(_) => return Err(Box::new(key_must_be_text(node.span))),
                },
            },
        }
        Ok(())
    }
}

fn key_must_be_text(span: Span) -> Diagnostic {
    Diagnostic::error("yaml-key", "a key must be text").at(span)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tree(text: &str) -> (Option<Node>, String) {
        let mut files = Files::default();
        let file = files.add("a.yaml", text);
        let mut out = Vec::new();
        let node = parse(&files, file, &Limits { bytes: 1000, nodes: 40, depth: 4 }, &mut out);
        (node, out.iter().map(|problem| problem.render(&files)).collect())
    }

    #[test]
    fn scalars_mean_what_yaml_1_2_says() {
        let cases = [
            ("no", Meaning::Text),
            ("on", Meaning::Text),
            ("True", Meaning::Text),
            ("true", Meaning::Bool(true)),
            ("~", Meaning::Null),
            ("-12", Meaning::Int(-12)),
            ("0", Meaning::Int(0)),
            ("0600", Meaning::Number),
            ("0x1f", Meaning::Number),
            ("1.5", Meaning::Number),
            ("1e3", Meaning::Number),
            ("99999999999999999999", Meaning::Number),
            ("1.2.0", Meaning::Text),
            ("14d", Meaning::Text),
            ("2026-11-21", Meaning::Text),
            ("192.0.2.1", Meaning::Text),
            ("-", Meaning::Text),
            ("inf", Meaning::Text),
        ];
        for (text, meaning) in cases {
            assert_eq!(Scalar { text: text.into(), plain: true }.meaning(), meaning, "{text}");
            assert_eq!(Scalar { text: text.into(), plain: false }.meaning(), Meaning::Text);
        }
    }

    #[test]
    fn every_key_and_value_knows_its_place() {
        let text = "\u{feff}a: 'ä x'\nb:\n  - {c: 1}\n  - two\n";
        let (node, problems) = tree(text);
        assert_eq!(problems, "");
        let node = node.unwrap();
        let slice = |span: Span| &text[span.start as usize..span.end as usize];
        assert_eq!(slice(node.get("a").unwrap().span), "'ä x'");
        let Value::List(items) = &node.get("b").unwrap().value else { panic!() };
        assert_eq!((slice(items[0].span), slice(items[1].span)), ("{c: 1}", "two"));
        assert_eq!(slice(node.get("b").unwrap().span), "{c: 1}\n  - two");
    }

    #[test]
    fn mistakes_are_answered_with_their_place() {
        let cases = [
            (
                "a: 1\nb: 2\na: 3\n",
                "error[yaml-duplicate-key]: the key `a` occurs twice\n  a.yaml:3:1\n  3 | a: 3\n      ^ again here\n  \
                 help: it was first written on line 1; keep one of them\n",
            ),
            (
                "a: !!int 1\n",
                "error[yaml-tag]: the tag `!!int` has no meaning here\n  a.yaml:1:4\n  1 | a: !!int 1\n         ^^^^^\n  help: leave the tag out\n",
            ),
            ("? [a]\n: 1\n", "error[yaml-key]: a key must be text\n  a.yaml:1:3\n  1 | ? [a]\n        ^\n"),
            ("", "error[yaml-empty]: the file is empty\n  a.yaml:1:1\n  1 | \n      ^\n"),
            (
                "a: 1\n---\nb: 1\n",
                "error[yaml-documents]: the file holds more than one document\n  a.yaml:2:1\n  2 | ---\n      ^^^\n  help: \
                 put each document into a file of its own\n",
            ),
            (
                "a: &x [*x]\n",
                "error[yaml-alias]: the alias names something that contains it\n  a.yaml:1:8\n  1 | a: &x [*x]\n             ^^\n",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(tree(text).1, expected, "{text}");
        }
    }

    #[test]
    fn size_depth_and_aliases_are_bounded() {
        for text in [
            "[[[[[1]]]]]".to_owned(),
            "a: &a [1, 2, 3, 4]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]".to_owned(),
            "x: &a [[1]]\ny: &b [[*a]]\nz: [*b]".to_owned(),
            format!("[{}]", "1,".repeat(41)),
            "a".repeat(1001),
            "- ".repeat(300),
            "{".repeat(300),
        ] {
            let (node, problems) = tree(&text);
            assert!(node.is_none() && !problems.is_empty(), "{text}");
        }
        assert_eq!(tree("a: &a [1]\nb: *a\n").1, "");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn no_bytes_panic_and_spans_stay_inside(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            check(bytes);
        }

        #[test]
        fn no_text_that_looks_like_yaml_panics(text in "([a-c]: |- |\\n|  |\\{|\\}|\\[|\\]|, |&a |\\*a|'|\"|ä|#|\\||>|!|%|~|1){0,60}") {
            check(text.into_bytes());
        }
    }

    fn check(bytes: Vec<u8>) {
        let length = u32::try_from(bytes.len()).unwrap();
        let mut files = Files::default();
        let file = files.add("a.yaml", bytes);
        let mut out = Vec::new();
        if let Some(node) = parse(&files, file, &Limits { bytes: 1000, nodes: 100, depth: 8 }, &mut out) {
            inside(&node, length);
        }
        for problem in &out {
            problem.render(&files);
            assert!(problem.span.is_some_and(|span| span.end <= length + 1));
        }
    }

    fn inside(node: &Node, length: u32) {
        assert!(node.span.start <= node.span.end && node.span.end <= length);
        match &node.value {
            Value::Scalar(_) => {}
            Value::List(items) => items.iter().for_each(|item| inside(item, length)),
            Value::Map(entries) => entries.iter().for_each(|entry| inside(&entry.value, length)),
        }
    }
}
