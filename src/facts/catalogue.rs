//! The catalogue: every fact of every kind of target, with its path, type and documentation, derived from the structs.
//!
//! The rule loader resolves and type-checks paths here; `schemas/facts.md` and `mailvet explain` are printed from it.

use super::{FieldKind, FieldSchema, GroupSchema, Kind, Target};
use crate::diag::suggest;

/// One row of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Kind of target it belongs to.
    pub target: Target,
    /// Path as written in rules, such as `dns.mx[].host`.
    pub path: String,
    /// Name in sentences.
    pub title: &'static str,
    /// Definition, unit and source.
    pub doc: &'static str,
    /// Type of one value.
    pub kind: Kind,
    /// Whether the path names many values (it contains `[]`).
    pub many: bool,
}

/// A path resolved to field indices. Steps up to a list, then steps inside its elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The path as written.
    pub text: String,
    /// Field indices from the target's facts to the fact or list.
    pub steps: Box<[u8]>,
    /// For `list[].field`: field indices inside an element; for `list[]` of plain values: empty.
    pub item: Option<Box<[u8]>>,
    /// Name in sentences.
    pub title: &'static str,
    /// Type of one value.
    pub kind: Kind,
}

/// Why a path does not resolve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No fact of that name exists.
    #[error("no such fact `{path}`")]
    Unknown {
        /// The path as written.
        path: String,
        /// The nearest existing path.
        suggestion: Option<String>,
    },
    /// The path names a group of facts, not a fact.
    #[error("`{0}` is a group of facts, not a fact")]
    Group(String),
    /// `[]` follows something that is not a list.
    #[error("`{0}` is not a list")]
    NotAList(String),
}

/// The catalogue of all facts.
pub struct Catalogue;

impl Catalogue {
    /// All entries of a kind of target, in the order of the structs.
    pub fn entries(target: Target) -> Vec<Entry> {
        let mut entries = Vec::new();
        collect(target, target.schema(), "", false, &mut entries);
        entries
    }

    /// Resolves a path for a kind of target.
    pub fn resolve(target: Target, path: &str) -> Result<Path, PathError> {
        Self::resolve_in(target.schema(), path).map_err(|error| match error {
            PathError::Unknown { path, .. } => {
                let entries = Self::entries(target);
                let suggestion = suggest(&path, entries.iter().map(|entry| entry.path.as_str())).map(str::to_owned);
                PathError::Unknown { path, suggestion }
            }
            other => other,
        })
    }

    /// Resolves a path inside a group: an element of a list, for `it.` paths (without the prefix `it.`).
    pub fn resolve_in(group: &'static GroupSchema, path: &str) -> Result<Path, PathError> {
        let unknown = || PathError::Unknown {
            path: path.to_owned(),
            suggestion: suggest(path, group.fields.iter().map(|field| field.name)).map(str::to_owned),
        };
        let mut steps = Vec::new();
        let mut list = None;
        let mut group = group;
        let mut found: Option<(&'static FieldSchema, Kind)> = None;
        for part in path.split('.') {
            if found.is_some() {
                return Err(unknown());
            }
            let (name, is_list) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
            let (index, field) =
                group.fields.iter().enumerate().find(|(_, field)| field.name == name).ok_or_else(unknown)?;
            steps.push(u8::try_from(index).map_err(|_| unknown())?);
            match field.kind {
                FieldKind::Group(_) if is_list => return Err(PathError::NotAList(path.to_owned())),
                FieldKind::Group(inner) => group = inner,
                FieldKind::Fact(Kind::List(inner)) if is_list && list.is_none() => {
                    list = Some(std::mem::take(&mut steps));
                    group = inner;
                }
                FieldKind::Fact(Kind::ListOf(inner)) if is_list && list.is_none() => {
                    list = Some(std::mem::take(&mut steps));
                    found = Some((field, *inner));
                }
                FieldKind::Fact(_) if is_list => return Err(PathError::NotAList(path.to_owned())),
                FieldKind::Fact(kind) => found = Some((field, kind)),
            }
        }
        let Some((field, kind)) = found else { return Err(PathError::Group(path.to_owned())) };
        let (steps, item) = match list {
            Some(list) => (list, Some(steps.into_boxed_slice())),
            None => (steps, None),
        };
        Ok(Path { text: path.to_owned(), steps: steps.into_boxed_slice(), item, title: field.title, kind })
    }
}

/// Adds the entries of a group below `prefix`.
fn collect(target: Target, group: &'static GroupSchema, prefix: &str, many: bool, entries: &mut Vec<Entry>) {
    for field in group.fields {
        let path = if prefix.is_empty() { field.name.to_owned() } else { format!("{prefix}.{}", field.name) };
        let entry = |path: String, kind, many| Entry { target, path, title: field.title, doc: field.doc, kind, many };
        match field.kind {
            FieldKind::Group(inner) => collect(target, inner, &path, many, entries),
            FieldKind::Fact(kind @ Kind::List(inner)) => {
                entries.push(entry(path.clone(), kind, many));
                collect(target, inner, &format!("{path}[]"), true, entries);
            }
            FieldKind::Fact(kind @ Kind::ListOf(inner)) => {
                entries.push(entry(path.clone(), kind, many));
                // Inside elements, a list of plain values is reached as `it.<field>`; paths have one `[]` at most.
                if !many {
                    entries.push(entry(format!("{path}[]"), *inner, true));
                }
            }
            FieldKind::Fact(kind) => entries.push(entry(path, kind, many)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_catalogue_resolve_to_themselves() {
        for target in Target::ALL {
            for entry in Catalogue::entries(*target) {
                let path = Catalogue::resolve(*target, &entry.path).unwrap();
                assert_eq!((path.kind, path.item.is_some()), (entry.kind, entry.many), "{}", entry.path);
                assert!(entry.doc.trim().ends_with('.'), "{} has no full documentation", entry.path);
            }
        }
    }

    #[test]
    fn a_typo_is_answered_with_the_nearest_path() {
        let error = Catalogue::resolve(Target::Domain, "dmarc.polcy").unwrap_err();
        assert_eq!(error, PathError::Unknown { path: "dmarc.polcy".into(), suggestion: Some("dmarc.policy".into()) });
    }
}
