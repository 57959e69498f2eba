//! Reading mappings, texts and lists from a [`Node`] with one wording for every mistake.
//!
//! A reader names the keys it knows; everything else is an unknown key with a suggestion. Each function returns `None`
//! after it has said what is wrong, so that a caller can go on and find the next mistake.

use super::yaml::{Entry, Meaning, Node, Spanned, Value, shortened};
use super::{Diagnostic, Span, suggest};

/// Messages found so far.
pub type Problems = Vec<Diagnostic>;

/// A mapping of which only known keys are read.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'n> {
    entries: &'n [Entry],
    what: &'static str,
    /// Place of the mapping.
    pub span: Span,
}

impl<'n> Fields<'n> {
    /// The mapping `node`, which is `what` ("a rule"). Keys that are not among `keys` are errors.
    pub fn read(node: &'n Node, what: &'static str, keys: &[&str], out: &mut Problems) -> Option<Self> {
        let fields = Self::any(node, what, out)?;
        for entry in fields.entries {
            if !keys.contains(&&*entry.key) {
                out.push(unknown_key(entry, what, keys));
            }
        }
        Some(fields)
    }

    /// The mapping `node` with whatever keys it has.
    pub fn any(node: &'n Node, what: &'static str, out: &mut Problems) -> Option<Self> {
        match &node.value {
            Value::Map(entries) => Some(Self { entries, what, span: node.span }),
            Value::Scalar(_) | Value::List(_) => {
                out.push(wrong_type(node, what, "a mapping"));
                None
            }
        }
    }

    /// All entries in the order of the file.
    pub fn entries(&self) -> &'n [Entry] {
        self.entries
    }

    /// The entry of a key.
    pub fn entry(&self, key: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| &*entry.key == key)
    }

    /// The value of a key; an empty value counts as missing.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.value).filter(|node| !node.is_null())
    }

    /// The value of a key that must be there; `help` says what to write.
    pub fn require(&self, key: &str, help: &str, out: &mut Problems) -> Option<&'n Node> {
        let found = self.get(key);
        if found.is_none() {
            let (message, span) = match self.entry(key) {
                Some(entry) => (format!("`{key}` of {} is empty", self.what), entry.key_span),
                None => (format!("{} needs `{key}`", self.what), self.span),
            };
            out.push(Diagnostic::error("missing-key", message).at(span).help(help));
        }
        found
    }

    /// The text of a key that must be there.
    pub fn text(&self, key: &'static str, help: &str, out: &mut Problems) -> Option<Spanned<String>> {
        self.require(key, help, out).and_then(|node| text(node, key, out))
    }

    /// The text of a key that may be left out.
    pub fn optional_text(&self, key: &'static str, out: &mut Problems) -> Option<Spanned<String>> {
        self.get(key).and_then(|node| text(node, key, out))
    }

    /// The items of a key that may be left out; none when it is.
    pub fn items(&self, key: &'static str, out: &mut Problems) -> &'n [Node] {
        self.get(key).and_then(|node| list(node, key, out)).unwrap_or(&[])
    }
}

fn unknown_key(entry: &Entry, what: &str, keys: &[&str]) -> Diagnostic {
    let message = format!("unknown key `{}` in {what}", shortened(&entry.key));
    let help = match suggest(&entry.key, keys.iter().copied()) {
        Some(key) => format!("did you mean `{key}`?"),
        None if &*entry.key == "<<" => "merge keys are not supported; write the keys out".to_owned(),
        None => format!("known keys: {}", keys.join(", ")),
    };
    Diagnostic::error("unknown-key", message).at(entry.key_span).help(help)
}

/// The message that `what` must be `wanted`.
pub fn wrong_type(node: &Node, what: &str, wanted: &str) -> Diagnostic {
    let message = format!("{} must be {wanted}, but is {}", quoted(what), node.describe());
    Diagnostic::error("wrong-type", message).at(node.span)
}

/// A key in backticks; phrases are left as they are.
fn quoted(what: &str) -> String {
    if what.contains(' ') { what.to_owned() } else { format!("`{what}`") }
}

/// Any scalar but an empty one, as written.
pub fn text(node: &Node, what: &str, out: &mut Problems) -> Option<Spanned<String>> {
    match node.scalar() {
        Some(scalar) if !scalar.text.trim().is_empty() => {
            Some(Spanned::new(scalar.text.trim_end().to_owned(), node.span))
        }
        _ => {
            out.push(wrong_type(node, what, "text"));
            None
        }
    }
}

/// A list.
pub fn list<'n>(node: &'n Node, what: &str, out: &mut Problems) -> Option<&'n [Node]> {
    match &node.value {
        Value::List(items) => Some(items),
        Value::Scalar(_) | Value::Map(_) => {
            let help = "write it as a list: `[a, b]`, or each item on a line of its own after `- `";
            out.push(wrong_type(node, what, "a list").help(help));
            None
        }
    }
}

/// A list of texts.
pub fn texts(node: &Node, what: &str, out: &mut Problems) -> Vec<Spanned<String>> {
    let items = list(node, what, out).unwrap_or(&[]);
    items.iter().filter_map(|item| text(item, &format!("an item of `{what}`"), out)).collect()
}

/// A whole number.
pub fn integer(node: &Node, what: &str, out: &mut Problems) -> Option<Spanned<i64>> {
    match node.scalar().map(|scalar| scalar.meaning()) {
        Some(Meaning::Int(value)) => Some(Spanned::new(value, node.span)),
        _ => {
            out.push(wrong_type(node, what, "a whole number"));
            None
        }
    }
}

/// One of a closed set of words.
pub fn word<T: Copy>(node: &Node, what: &str, words: &[(&str, T)], out: &mut Problems) -> Option<Spanned<T>> {
    let written = text(node, what, out)?;
    let found = words.iter().find(|(word, _)| *word == written.value);
    if found.is_none() {
        out.push(unknown_word(&written, what, words.iter().map(|(word, _)| *word)));
    }
    found.map(|(_, value)| Spanned::new(*value, node.span))
}

fn unknown_word<'w>(written: &Spanned<String>, what: &str, words: impl Iterator<Item = &'w str> + Clone) -> Diagnostic {
    let known = words.clone().collect::<Vec<_>>().join(", ");
    let message = format!("`{}` is not a value of {} ({known})", shortened(&written.value), quoted(what));
    let problem = Diagnostic::error("unknown-word", message).at(written.span);
    match suggest(&written.value, words) {
        Some(word) => problem.help(format!("did you mean `{word}`?")),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::super::yaml::{Limits, parse};
    use super::super::{FileId, Files};
    use super::*;

    #[test]
    fn mistakes_name_the_key_and_what_is_known() {
        let mut files = Files::default();
        let file: FileId = files.add("a.yaml", "titel: x\nlist: 3\nnumber: abc\nkind: rde\nempty:\n");
        let mut out = Problems::new();
        let node = parse(&files, file, &Limits::POLICY, &mut out).unwrap();
        let fields = Fields::read(&node, "a thing", &["title", "list", "number", "kind", "empty"], &mut out).unwrap();
        fields.text("title", "say what it is", &mut out);
        fields.items("list", &mut out);
        integer(fields.get("number").unwrap(), "number", &mut out);
        word(fields.get("kind").unwrap(), "kind", &[("red", 1), ("blue", 2)], &mut out);
        fields.text("empty", "say something", &mut out);
        let lines: Vec<String> = out
            .iter()
            .map(|problem| format!("{} / {}", problem.message, problem.help.as_deref().unwrap_or("-")))
            .collect();
        assert_eq!(
            lines,
            [
                "unknown key `titel` in a thing / did you mean `title`?",
                "a thing needs `title` / say what it is",
                "`list` must be a list, but is the number `3` / write it as a list: `[a, b]`, or each item on a line of its own after `- `",
                "`number` must be a whole number, but is the text `abc` / -",
                "`rde` is not a value of `kind` (red, blue) / did you mean `red`?",
                "`empty` of a thing is empty / say something",
            ]
        );
    }
}
