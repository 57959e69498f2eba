//! The tree of all names of a run: parent links instead of texts, so that a million owner names stay small.
//!
//! A name is a number. Its label is kept once, its parent by number, and one hash table finds a child by parent and
//! label. Parents are always made before their children, so that a pass over ascending numbers sees parents first.
//! Labels are in the canonical form of [`Name`]. This module knows nothing about records or zones but four flag bits.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::mail::name::octets;
use crate::mail::{Name, NameError};

/// Number of the root.
pub(super) const ROOT: u32 = 0;
/// "No name" and "no record" in links.
pub(super) const NONE: u32 = u32::MAX;
/// Octets that a label has in the middle.
const USUAL_LABEL: usize = 6;
/// Labels that the longest name can have (RFC 1035 section 2.3.4).
pub(super) const MAX_LABELS: usize = 128;

/// One name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    /// The name without its leftmost label; the root is its own parent.
    pub(super) parent: u32,
    label_at: u32,
    /// First child, in the order in which the names were met; set by [`Names::link`].
    pub(super) first_child: u32,
    /// Next child of the same parent.
    pub(super) next_sibling: u32,
    /// First record at the name; the store sets it.
    pub(super) first_record: u32,
    label_length: u8,
    /// Bits of the store.
    pub(super) flags: u8,
}

/// The tree of names.
#[derive(Debug)]
pub(super) struct Names {
    nodes: Vec<Node>,
    labels: Vec<u8>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

/// A name that new names are relative to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Base {
    /// The name.
    pub(super) id: u32,
    /// Its length on the wire.
    pub(super) wire: usize,
}

impl Names {
    pub(super) fn new() -> Names {
        let root = Node {
            parent: ROOT,
            label_at: 0,
            first_child: NONE,
            next_sibling: NONE,
            first_record: NONE,
            label_length: 0,
            flags: 0,
        };
        Names { nodes: vec![root], labels: Vec::new(), table: HashTable::new(), hasher: DefaultHashBuilder::default() }
    }

    pub(super) fn len(&self) -> u32 {
        number(self.nodes.len())
    }

    pub(super) fn node(&self, id: u32) -> &Node {
        &self.nodes[id as usize]
    }

    pub(super) fn node_mut(&mut self, id: u32) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    pub(super) fn label(&self, id: u32) -> &str {
        std::str::from_utf8(self.label_bytes(self.node(id))).unwrap_or("")
    }

    fn label_bytes(&self, node: &Node) -> &[u8] {
        let at = node.label_at as usize;
        self.labels.get(at..at + usize::from(node.label_length)).unwrap_or(&[])
    }

    /// The child with a label, if it was met.
    pub(super) fn child(&self, parent: u32, label: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one((parent, label));
        self.table.find(hash, |id| self.is_child(*id, parent, label)).copied()
    }

    fn is_child(&self, id: u32, parent: u32, label: &[u8]) -> bool {
        let node = self.node(id);
        node.parent == parent && self.label_bytes(node) == label
    }

    /// Makes room for about so many more names.
    pub(super) fn expect(&mut self, names: usize) {
        self.nodes.reserve(names);
        self.labels.reserve(names * USUAL_LABEL);
        let (nodes, labels, hasher) = (&self.nodes, &self.labels, &self.hasher);
        self.table.reserve(names, |id| hasher.hash_one(key(nodes, labels, *id)));
    }

    fn intern_child(&mut self, parent: u32, label: &[u8]) -> u32 {
        let hash = self.hasher.hash_one((parent, label));
        let (nodes, labels, hasher) = (&self.nodes, &self.labels, &self.hasher);
        let key = |id: u32| key(nodes, labels, id);
        let found = self.table.entry(hash, |id| key(*id) == (parent, label), |id| hasher.hash_one(key(*id)));
        let vacant = match found {
            hashbrown::hash_table::Entry::Occupied(entry) => return *entry.get(),
            hashbrown::hash_table::Entry::Vacant(vacant) => vacant,
        };
        let id = number(nodes.len());
        vacant.insert(id);
        self.nodes.push(Node {
            parent,
            label_at: number(self.labels.len()),
            first_child: NONE,
            next_sibling: NONE,
            first_record: NONE,
            label_length: u8::try_from(label.len()).unwrap_or(u8::MAX),
            flags: 0,
        });
        self.labels.extend_from_slice(label);
        id
    }

    pub(super) fn intern(&mut self, name: &Name) -> u32 {
        let labels: Vec<&str> = name.labels().collect();
        labels.iter().rev().fold(ROOT, |parent, label| self.intern_child(parent, label.as_bytes()))
    }

    /// The name as a base for relative names.
    pub(super) fn base(&self, id: u32) -> Base {
        let (mut at, mut wire) = (id, 1);
        while at != ROOT {
            let node = self.node(at);
            wire += 1 + octets(self.label_bytes(node));
            at = node.parent;
        }
        Base { id, wire }
    }

    /// The name of a token of a master file, relative to `base` unless it ends in a dot (RFC 1035 section 5.1).
    pub(super) fn intern_master(&mut self, token: &[u8], base: Base) -> Result<u32, NameError> {
        if token == b"@" {
            return Ok(base.id);
        }
        match self.intern_plain(token, base) {
            Some(id) => Ok(id),
            None => {
                let name = Name::from_master(token, &self.name(base.id))?;
                Ok(self.intern(&name))
            }
        }
    }

    /// The common case: no escapes and no unusual octets; `None` when the careful way must decide.
    fn intern_plain(&mut self, token: &[u8], base: Base) -> Option<u32> {
        let (text, base) = match token.strip_suffix(b".") {
            Some(text) => (text, Base { id: ROOT, wire: 1 }),
            None => (token, base),
        };
        // RFC 1035 section 2.3.4: 255 octets on the wire, of which each label takes one more than its text.
        if text.is_empty() || text.len() + 1 + base.wire > 255 {
            return None;
        }
        let mut lower = [0u8; 255];
        for (to, from) in lower.iter_mut().zip(text) {
            if !matches!(*from, 0x21..=0x5b | 0x5d..=0x7e) {
                return None;
            }
            *to = from.to_ascii_lowercase();
        }
        let mut rest = &lower[..text.len()];
        if rest.len() > 63 || memchr::memchr(b'.', rest).is_some() {
            let mut labels = rest.split(|byte| *byte == b'.');
            if labels.any(|label| label.is_empty() || label.len() > 63) {
                return None;
            }
        }
        let mut id = base.id;
        while let Some(dot) = memchr::memrchr(b'.', rest) {
            id = self.intern_child(id, &rest[dot + 1..]);
            rest = &rest[..dot];
        }
        Some(self.intern_child(id, rest))
    }

    /// Fills `path` with the nodes from the root's child down to the name, as far as they were met, and says how many
    /// were met and how many labels the name has.
    pub(super) fn walk(&self, name: &str, path: &mut [u32; MAX_LABELS]) -> (usize, usize) {
        let (mut id, mut met, mut labels, mut lost) = (ROOT, 0, 0, false);
        let mut step = |label: &[u8]| {
            labels += 1;
            if lost {
                return;
            }
            match self.child(id, label) {
                Some(child) if met < MAX_LABELS => {
                    path[met] = child;
                    met += 1;
                    id = child;
                }
                _ => lost = true,
            }
        };
        if name == "." {
            return (0, 0);
        }
        if name.contains('\\') {
            let parsed = Name::from_canonical(name);
            let all: Vec<&str> = parsed.labels().collect();
            all.iter().rev().for_each(|label| step(label.as_bytes()));
        } else {
            let mut rest = name.as_bytes();
            while let Some(dot) = memchr::memrchr(b'.', rest) {
                step(&rest[dot + 1..]);
                rest = &rest[..dot];
            }
            step(rest);
        }
        (met, labels)
    }

    /// The number of a name, if it was met.
    #[cfg(test)]
    pub(super) fn find(&self, name: &Name) -> Option<u32> {
        let mut path = [0; MAX_LABELS];
        let (met, labels) = self.walk(name.as_str(), &mut path);
        if met < labels { None } else { Some(if met == 0 { ROOT } else { path[met - 1] }) }
    }

    /// The text of a name.
    pub(super) fn name(&self, id: u32) -> Name {
        if id == ROOT {
            return Name::root();
        }
        let mut text = String::with_capacity(64);
        let mut at = id;
        while at != ROOT {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(self.label(at));
            at = self.node(at).parent;
        }
        Name::from_canonical(&text)
    }

    /// Whether `id` equals `ancestor` or lies below it.
    pub(super) fn is_within(&self, mut id: u32, ancestor: u32) -> bool {
        // Children have greater numbers than their parents, so the walk can stop early.
        while id > ancestor {
            id = self.node(id).parent;
        }
        id == ancestor
    }

    /// Links children to their parents, in the order in which they were met, and forgets records and flags.
    pub(super) fn link(&mut self) {
        for node in &mut self.nodes {
            (node.first_child, node.next_sibling, node.first_record, node.flags) = (NONE, NONE, NONE, 0);
        }
        for id in (1..self.nodes.len()).rev() {
            let parent = self.nodes[id].parent as usize;
            self.nodes[id].next_sibling = self.nodes[parent].first_child;
            self.nodes[parent].first_child = number(id);
        }
    }

    pub(super) fn children(&self, id: u32) -> impl Iterator<Item = u32> {
        let mut next = self.node(id).first_child;
        std::iter::from_fn(move || {
            let child = next;
            if child == NONE {
                return None;
            }
            next = self.node(child).next_sibling;
            Some(child)
        })
    }
}

/// Numbers are 32 bits wide; memory ends long before they do.
pub(super) fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// What the table finds a name by: its parent and its label.
fn key<'a>(nodes: &[Node], labels: &'a [u8], id: u32) -> (u32, &'a [u8]) {
    let node = &nodes[id as usize];
    let at = node.label_at as usize;
    (node.parent, labels.get(at..at + usize::from(node.label_length)).unwrap_or(&[]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_found_again() {
        let mut names = Names::new();
        let org = names.intern(&Name::parse("example.org").unwrap());
        let base = names.base(org);
        assert_eq!(base.wire, 13);
        let www = names.intern_master(b"WWW", base).unwrap();
        assert_eq!(names.name(www).as_str(), "www.example.org");
        assert_eq!(names.intern_master(b"www.Example.org.", base), Ok(www));
        assert_eq!(names.intern_master(b"@", base), Ok(org));
        assert_eq!(names.find(&Name::parse("www.example.org").unwrap()), Some(www));
        assert_eq!(names.find(&Name::parse("x.example.org").unwrap()), None);
        assert!(names.is_within(www, org) && !names.is_within(org, www) && names.is_within(www, ROOT));
    }

    #[test]
    fn children_come_in_order() {
        let mut names = Names::new();
        for text in ["b.org", "a.org", "c.a.org"] {
            names.intern(&Name::parse(text).unwrap());
        }
        names.link();
        let org = names.find(&Name::parse("org").unwrap()).unwrap();
        let labels: Vec<&str> = names.children(org).map(|id| names.label(id)).collect();
        assert_eq!(labels, ["b", "a"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        /// The quick way and the careful way agree on every token.
        #[test]
        fn quick_and_careful_agree(token in r#"[a-cA-C.\\0-9@* é-]{0,80}"#, deep in any::<bool>()) {
            let mut names = Names::new();
            let origin = Name::parse(&if deep { ["x".repeat(63), "y".repeat(63), "z".repeat(50)].join(".") } else { "org".into() }).unwrap();
            let id = names.intern(&origin);
            let base = names.base(id);
            let expected = Name::from_master(token.as_bytes(), &origin);
            let got = names.intern_master(token.as_bytes(), base).map(|id| names.name(id));
            prop_assert_eq!(got, expected);
        }
    }
}
