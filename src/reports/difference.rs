//! What differs between two runs, as text, JSON or Markdown.
//!
//! JSON is [`Difference`] as it is. Text and Markdown show every finding that changed and every fact that changed, up to
//! stated limits, and count the rest: facts that change by themselves, and facts that only our sight of changed.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use super::{Context, escape, markdown, text};
use crate::findings::difference::{Change, Difference, FactMove, FindingState, Side};

/// The formats of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceFormat {
    /// For people at a terminal.
    Text,
    /// The complete difference; the schema is [`Difference`].
    Json,
    /// Markdown for a job summary or an issue.
    Markdown,
}

impl DifferenceFormat {
    /// Every format, in the order in which help lists them.
    pub const ALL: &'static [DifferenceFormat] =
        &[DifferenceFormat::Text, DifferenceFormat::Json, DifferenceFormat::Markdown];

    /// The word that users type.
    pub const fn as_str(self) -> &'static str {
        match self {
            DifferenceFormat::Text => "text",
            DifferenceFormat::Json => "json",
            DifferenceFormat::Markdown => "markdown",
        }
    }
}

impl fmt::Display for DifferenceFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no format of a difference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such format `{0}`; a difference is written as text, json or markdown")]
pub struct UnknownDifferenceFormat(String);

impl FromStr for DifferenceFormat {
    type Err = UnknownDifferenceFormat;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = DifferenceFormat::ALL.iter().copied().find(|format| format.as_str() == word);
        found.ok_or_else(|| UnknownDifferenceFormat(word.to_owned()))
    }
}

/// Writes a difference. The output is buffered here and flushed at the end.
pub fn render_difference(
    format: DifferenceFormat,
    difference: &Difference,
    context: &Context<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut out = io::BufWriter::with_capacity(1 << 16, out);
    match format {
        DifferenceFormat::Text => text::difference::render(difference, context, &mut out)?,
        DifferenceFormat::Json => {
            escape::pretty_json(&mut out, difference)?;
            out.write_all(b"\n")?;
        }
        DifferenceFormat::Markdown => markdown::difference::render(difference, &mut out)?,
    }
    out.flush()
}

/// `2 new, 0 worse, 3 fixed, 1 became unknown, 40 failing as before, …`: what is none is left out but for the first three.
pub(super) fn words(difference: &Difference) -> String {
    let counts = &difference.counts;
    let always = [(Change::New, "new"), (Change::Worse, "worse"), (Change::Fixed, "fixed")];
    let others = [
        (counts.of(Change::Appeared), "new where nothing was judged before"),
        (counts.of(Change::BecameUnknown), "became unknown"),
        (counts.of(Change::BecameKnown), "became known"),
        (counts.of(Change::Better), "better"),
        (counts.of(Change::Gone), "no longer judged"),
        (counts.unchanged, "failing as before"),
        (counts.still_unknown, "still unknown"),
        (counts.good, "good as before"),
        (counts.no_longer_judged, "good before and not judged now"),
        (counts.newly_judged, "good now and not judged before"),
    ];
    let always = always.into_iter().map(|(change, word)| (counts.of(change), word));
    let others = others.into_iter().filter(|(count, _)| *count > 0);
    always.chain(others).map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
}

/// What the old and the new run were: `old: a.snapshot, collected on … by mailvet …, judged as of …, 3 targets`.
pub(super) fn sides(difference: &Difference) -> [String; 2] {
    [("old", &difference.old), ("new", &difference.new)].map(|(word, side)| {
        format!(
            "{word}: {}, collected on {} by mailvet {}, judged as of {}; {}, {} failed, {} unknown",
            side.source,
            side.collected,
            side.version,
            side.as_of,
            super::plural(side.targets, "target"),
            side.counts.fail,
            side.counts.unknown + side.counts.error
        )
    })
}

/// By which rules both were judged.
pub(super) fn policy(difference: &Difference) -> String {
    let packs: Vec<String> = difference.packs.iter().map(|pack| format!("{} {}", pack.name, pack.version)).collect();
    let packs = if packs.is_empty() { "no pack".to_owned() } else { packs.join(", ") };
    let profile = if difference.profile.is_empty() { "default" } else { &difference.profile };
    format!("both judged by profile {profile}; {packs}")
}

/// Why little follows from the comparison: nothing judged, runs that were interrupted or did not look at the same things.
pub(super) fn cautions(difference: &Difference) -> Vec<String> {
    let mut cautions = Vec::new();
    for (word, side) in [("old", &difference.old), ("new", &difference.new)] {
        if let Some(why) = &side.not_judged_because {
            cautions.push(format!("Nothing was judged in the {word} run: {why}"));
        }
        cautions.extend(side.messages.iter().map(|message| format!("About the {word} run: {message}")));
    }
    if difference.old.left_out != difference.new.left_out {
        let words =
            |side: &Side| if side.left_out.is_empty() { "nothing".to_owned() } else { side.left_out.join("; ") };
        let (old, new) = (words(&difference.old), words(&difference.new));
        cautions
            .push(format!("The runs did not look at the same things; the old one left out: {old}; the new one: {new}"));
    }
    cautions
}

/// A state in one line: `fail (waived): sentence; sentence`.
pub(super) fn state(state: Option<&FindingState>) -> String {
    let Some(state) = state else { return "not judged".to_owned() };
    let waived = if state.waived { " (waived)" } else { "" };
    let because = if state.because.is_empty() { String::new() } else { format!(": {}", state.because.join("; ")) };
    format!("{}{waived}{because}", state.verdict)
}

/// How many changes of facts are shown apart: those that change by themselves, that became known, that became unknown.
pub(super) fn apart(difference: &Difference) -> [usize; 3] {
    let mut apart = [0; 3];
    for change in difference.facts.iter().flat_map(|target| &target.changes) {
        match change.change {
            _ if change.volatile => apart[0] += 1,
            FactMove::BecameKnown => apart[1] += 1,
            FactMove::BecameUnknown => apart[2] += 1,
            FactMove::Changed | FactMove::Added | FactMove::Removed => {}
        }
    }
    apart
}

/// What is counted and not shown, in one sentence; nothing when there is nothing.
pub(super) fn apart_words(difference: &Difference) -> Option<String> {
    let [volatile, known, unknown] = apart(difference);
    let counted = [
        (
            volatile,
            "that changes by itself, such as a serial number",
            "that change by themselves, such as serial numbers",
        ),
        (known, "that became known", "that became known"),
        (unknown, "that became unknown", "that became unknown"),
    ];
    let counted = counted.into_iter().filter(|(count, _, _)| *count > 0);
    let words: Vec<String> = counted
        .map(|(count, one, many)| format!("{} {}", super::plural(count, "fact"), if count == 1 { one } else { many }))
        .collect();
    (!words.is_empty()).then(|| format!("Counted apart: {}.", words.join("; ")))
}
