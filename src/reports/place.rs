//! Where a finding stands, for readers that need a file and a line: paths relative to the repository, never outside it.

use std::collections::BTreeSet;

use super::{Context, escape};
use crate::diag::{Place, Span};
use crate::findings::{Assessment, Finding};

/// The place of a span, if its file is known. A span from stored facts may name a file this run has not read, or end
/// before it starts.
pub(super) fn place(context: &Context<'_>, span: Span) -> Option<Place> {
    if span.file.0 as usize >= context.files.len() {
        return None;
    }
    let span = Span::new(span.file, span.start, span.end);
    let mut place = context.files.place(span);
    // A span that ends with a line feed ends at the start of the next line; readers expect the end of the line itself.
    if place.end_line > place.line && place.end_column == 1 {
        place.end_line -= 1;
        let text = context.files.get(span.file).line_text(place.end_line);
        place.end_column = u32::try_from(text.chars().count()).unwrap_or(u32::MAX - 1) + 1;
    }
    Some(place)
}

/// The id of the artefact that a span points into, when that was observed on the network.
pub(super) fn evidence_id(context: &Context<'_>, span: Span) -> Option<String> {
    let known = (span.file.0 as usize) < context.files.len();
    known.then(|| context.files.get(span.file).evidence.as_deref().map(str::to_owned)).flatten()
}

/// The path from the repository's root, or `None` when the file lies outside or has no name.
pub(super) fn relative(context: &Context<'_>, path: &str) -> Option<String> {
    let joined = match path.strip_prefix('/') {
        Some(_) => {
            let rest = path.strip_prefix(context.root?.trim_end_matches('/'))?;
            rest.strip_prefix('/')?.to_owned()
        }
        None if path.get(1..3).is_some_and(|colon| colon == ":/") => return None,
        None => format!("{}/{path}", context.prefix),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// Something observed on the network that a finding rests on. Its text is named like a file and is none.
pub(super) struct Evidence {
    /// Where in the text.
    pub(super) place: Place,
    /// Id of the artefact behind the text.
    pub(super) id: String,
    /// The line that shows it. Untrusted.
    pub(super) quote: String,
}

/// The longest quote of evidence, in characters.
const QUOTE: usize = 160;

/// How many digits of an id tell one artefact from others.
const SHORT: usize = 12;

impl Evidence {
    /// What a span points at, when that was observed on the network.
    pub(super) fn at(context: &Context<'_>, span: Span) -> Option<Evidence> {
        let place = place(context, span)?;
        let id = evidence_id(context, span)?;
        let quote = escape::cut(&context.files.get(span.file).line_text(place.line), QUOTE).into_owned();
        Some(Evidence { place, id, quote })
    }

    /// The first evidence that a finding rests on.
    pub(super) fn of(context: &Context<'_>, finding: &Finding<'_>) -> Option<Evidence> {
        let blamed = finding.detail.into_iter().flat_map(|detail| &detail.blame).filter_map(|blame| blame.span);
        blamed.chain(finding.target.anchor).find_map(|span| Evidence::at(context, span))
    }

    /// `dns/example.org/MX:2:5 (evidence 0123456789ab): example.org. MX 0 .`
    pub(super) fn sentence(&self) -> String {
        format!("{} (evidence {}): {}", self.place, short(&self.id), self.quote)
    }
}

/// The first digits of an evidence id.
pub(super) fn short(id: &str) -> &str {
    id.get(..SHORT).unwrap_or(id)
}

/// The file at which findings without a position inside the repository are located, when readers insist on one.
pub(super) fn home(assessment: &Assessment, context: &Context<'_>) -> String {
    home_file(assessment, context).unwrap_or_else(|| "mailvet.yaml".to_owned())
}

/// The file at which findings without a position inside the repository are located, if there is one.
pub(super) fn home_file(assessment: &Assessment, context: &Context<'_>) -> Option<String> {
    let known: BTreeSet<&str> = context.files.iter().map(|(_, file)| file.path.as_str()).collect();
    let sources = assessment.coverage.sources.iter().map(|source| source.path.as_str());
    let mut candidates = sources.filter(|path| known.contains(path)).chain(context.home);
    candidates.find_map(|path| relative(context, path))
}

/// A finding's place with its path relative to the repository; line 1 of `home` when it has none there.
///
/// In order: the blamed fact, the target's anchor, the first source file, the file of [`Context::home`]. Evidence is passed
/// over: no reader could open it.
pub(super) fn located(context: &Context<'_>, finding: &Finding<'_>, home: &str) -> Located {
    let blamed = finding.detail.into_iter().flat_map(|detail| &detail.blame).filter_map(|blame| blame.span);
    for span in blamed.chain(finding.target.anchor) {
        if let Some(mut place) = place(context, span)
            && context.files.get(span.file).evidence.is_none()
            && let Some(path) = relative(context, &place.file)
        {
            place.file = path;
            return Located { place, exact: true };
        }
    }
    let place = Place { file: home.to_owned(), line: 1, column: 1, end_line: 1, end_column: 1 };
    Located { place, exact: false }
}

/// A place, and whether the finding really stands there.
pub(super) struct Located {
    pub(super) place: Place,
    pub(super) exact: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{FileId, Files};

    #[test]
    fn paths_are_relative_to_the_repository_or_refused() {
        let files = Files::default();
        let context = Context { root: Some("/src/repo"), prefix: "dns", ..Context::new("1.0.0", &files) };
        let cases = [
            ("a.zone", Some("dns/a.zone")),
            ("./x/../a.zone", Some("dns/a.zone")),
            ("../a.zone", Some("a.zone")),
            ("../../a.zone", None),
            ("/src/repo/b/a.zone", Some("b/a.zone")),
            ("/src/repository/a.zone", None),
            ("/etc/a.zone", None),
            ("C:/a.zone", None),
        ];
        for (path, expected) in cases {
            assert_eq!(relative(&context, path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn a_span_of_an_unknown_file_has_no_place_and_a_line_feed_does_not_reach_into_the_next_line() {
        let mut files = Files::default();
        let id = files.add("a.zone", "ab\ncd\n");
        let context = Context::new("1.0.0", &files);
        assert_eq!(place(&context, Span::new(FileId(7), 0, 1)), None);
        let place = place(&context, Span::new(id, 0, 3)).unwrap();
        assert_eq!((place.line, place.end_line, place.end_column), (1, 1, 3));
    }
}
