//! Loads the YAML files of one zone into one tree and puts included files where their `!include` stands.
//!
//! Files are resolved by the caller, who also keeps them inside the repository. What cannot be included stays in the tree
//! as a node whose content is not known.

use std::collections::HashMap;

use granit_parser::ScalarStyle;

use super::yaml::{NodeId, NodeKind, Tag, Yaml, YamlError};
use crate::diag::{FileId, Files, Span};

/// Most files that may include one another.
const DEPTH: usize = 16;

/// Most inclusions in one zone.
const INCLUDES: usize = 10_000;

/// Finds and registers an included file: the path as written and the file that includes it.
pub type Include<'a> = &'a mut dyn FnMut(&mut Files, &str, FileId) -> Result<FileId, String>;

/// Parts of the tree whose content is not known, each with the reason.
pub type Unknown = HashMap<NodeId, String>;

/// The tree of one zone.
#[derive(Debug, Default)]
pub struct Loaded {
    /// All documents.
    pub yaml: Yaml,
    /// Nodes whose content is not known.
    pub unknown: Unknown,
    roots: HashMap<FileId, Option<NodeId>>,
    stack: Vec<FileId>,
    includes: usize,
}

impl Loaded {
    /// Parses a file with everything that it includes and returns its root.
    pub fn load(&mut self, files: &mut Files, file: FileId, include: Include) -> Result<Option<NodeId>, YamlError> {
        if let Some(root) = self.roots.get(&file) {
            return Ok(*root);
        }
        let first = self.yaml.len();
        let root = self.yaml.parse(file, &files.get(file).bytes)?;
        self.stack.push(file);
        let tagged: Vec<NodeId> =
            self.yaml.nodes().skip(first).filter(|(_, node)| node.tag != Tag::None).map(|(id, _)| id).collect();
        for id in tagged {
            match self.yaml.node(id).tag.clone() {
                Tag::Include => self.include(files, id, include),
                Tag::Other(tag) => {
                    self.unknown.insert(id, format!("the value of the tag {tag} is computed"));
                }
                Tag::None | Tag::Text => {}
            }
        }
        self.stack.pop();
        self.roots.insert(file, root);
        Ok(root)
    }

    /// Whether any content is not known.
    pub fn is_complete(&self) -> bool {
        self.unknown.is_empty()
    }

    /// The first part below a node that is not known. A walk that is cut short counts as not known.
    pub fn unknown_below(&self, id: NodeId) -> Option<(String, Span)> {
        if self.is_complete() {
            return None;
        }
        let mut pending = vec![id];
        let mut steps = 0;
        while let Some(id) = pending.pop() {
            let node = self.yaml.node(id);
            steps += 1;
            if let Some(reason) = self.unknown.get(&id) {
                return Some((reason.clone(), node.span));
            }
            if steps > 100_000 {
                return Some(("the record is too large to be searched for computed values".to_owned(), node.span));
            }
            match &node.kind {
                NodeKind::Alias(target) => pending.push(*target),
                NodeKind::Sequence(items) => pending.extend(items.iter().rev()),
                NodeKind::Mapping(pairs) => pending.extend(pairs.iter().rev().map(|(_, value)| *value)),
                NodeKind::Scalar(..) => {}
            }
        }
        None
    }

    fn include(&mut self, files: &mut Files, id: NodeId, include: Include) {
        let result = match self.yaml.node(id).kind.clone() {
            NodeKind::Scalar(path, _) => self.include_file(files, &path, id, include).map(|root| match root {
                Some(root) => self.yaml.replace(id, NodeKind::Alias(root)),
                None => self.yaml.replace(id, NodeKind::Scalar("".into(), ScalarStyle::Plain)),
            }),
            NodeKind::Sequence(items) => self.include_list(files, id, &items, include),
            NodeKind::Mapping(_) | NodeKind::Alias(_) => Err("`!include` takes a path or a list of paths".to_owned()),
        };
        if let Err(reason) = result {
            self.unknown.insert(id, reason);
        }
    }

    fn include_file(
        &mut self,
        files: &mut Files,
        path: &str,
        at: NodeId,
        include: Include,
    ) -> Result<Option<NodeId>, String> {
        self.includes += 1;
        if self.stack.len() >= DEPTH || self.includes > INCLUDES {
            return Err(format!("`{path}` is not included: too many files include one another"));
        }
        let from = self.yaml.node(at).span.file;
        let file = include(files, path, from).map_err(|reason| format!("`{path}` is not included: {reason}"))?;
        if self.stack.contains(&file) {
            return Err(format!("`{path}` is not included: the files include one another in a circle"));
        }
        self.load(files, file, include).map_err(|error| format!("`{path}` is not included: {}", error.message))
    }

    /// A list of files: lists are joined, mappings are merged and a later file wins.
    fn include_list(
        &mut self,
        files: &mut Files,
        id: NodeId,
        items: &[NodeId],
        include: Include,
    ) -> Result<(), String> {
        let mut joined = Vec::new();
        let mut pairs: Vec<(NodeId, NodeId)> = Vec::new();
        for item in items {
            let path = self.yaml.text(*item).ok_or("`!include` takes a path or a list of paths")?.to_owned();
            let Some(root) = self.include_file(files, &path, id, include)? else { continue };
            match &self.yaml.node(self.yaml.resolve(root)).kind {
                NodeKind::Sequence(items) => joined.extend_from_slice(items),
                NodeKind::Mapping(more) => {
                    for (key, value) in more {
                        let text = self.yaml.text(*key);
                        pairs.retain(|(known, _)| self.yaml.text(*known) != text);
                        pairs.push((*key, *value));
                    }
                }
                NodeKind::Scalar(..) | NodeKind::Alias(_) => {
                    return Err(format!("`{path}` holds neither a list nor a mapping"));
                }
            }
        }
        match (joined.is_empty(), pairs.is_empty()) {
            (false, false) => return Err("`!include` mixes lists and mappings".to_owned()),
            (_, true) => self.yaml.replace(id, NodeKind::Sequence(joined)),
            (true, false) => self.yaml.replace(id, NodeKind::Mapping(pairs)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(texts: &[(&str, &str)]) -> (Loaded, NodeId) {
        let mut files = Files::default();
        let ids: Vec<(String, FileId)> =
            texts.iter().map(|(path, text)| ((*path).to_owned(), files.add(*path, *text))).collect();
        let mut loaded = Loaded::default();
        let mut include = |_: &mut Files, path: &str, _: FileId| {
            ids.iter().find(|(name, _)| name == path).map(|(_, id)| *id).ok_or_else(|| "no such file".to_owned())
        };
        let root = loaded.load(&mut files, ids[0].1, &mut include).unwrap().unwrap();
        (loaded, root)
    }

    #[test]
    fn files_are_put_where_their_include_stands() {
        let (loaded, root) = load(&[
            ("main", "a: !include list\nb:\n  <<: !include map\n  z: 2\nc: !include [list, list]\nd: !include empty\n"),
            ("list", "- 1\n- 2\n"),
            ("map", "y: 1\nz: 1\n"),
            ("empty", "---\n"),
        ]);
        let yaml = &loaded.yaml;
        assert!(loaded.is_complete(), "{:?}", loaded.unknown);
        assert_eq!(yaml.items(yaml.get(root, "a").unwrap()).unwrap().len(), 2);
        assert_eq!(yaml.text(yaml.get(yaml.get(root, "b").unwrap(), "y").unwrap()), Some("1"));
        assert_eq!(yaml.items(yaml.get(root, "c").unwrap()).unwrap().len(), 4);
        assert!(yaml.is_null(yaml.get(root, "d").unwrap()));
    }

    #[test]
    fn what_cannot_be_included_is_unknown_and_nothing_else_is() {
        for (main, part) in [
            ("a: {values: !include none}\nb: 1\n", "no such file"),
            ("a: [!include self]\nb: 1\n", "in a circle"),
            ("a: !include [list, map]\nb: 1\n", "mixes"),
            ("a: !env X\nb: 1\n", "computed"),
        ] {
            let (loaded, root) = load(&[("main", main), ("self", "!include main"), ("list", "[1]"), ("map", "{a: 1}")]);
            let yaml = &loaded.yaml;
            let reason = loaded.unknown_below(yaml.get(root, "a").unwrap());
            if part == "in a circle" {
                assert!(loaded.unknown.values().any(|reason| reason.contains(part)), "{:?}", loaded.unknown);
            } else {
                assert!(reason.unwrap().0.contains(part));
            }
            assert_eq!(loaded.unknown_below(yaml.get(root, "b").unwrap()), None);
        }
    }
}
