//! The line a finding stands on, with carets under the characters at fault, within the width of the page.

use std::io;

use super::super::place::{place, short};
use super::super::{Context, escape};
use super::page::Page;
use crate::diag::{Place, Span, visible};

pub(super) struct Snippet {
    place: Place,
    /// First digits of the id of the artefact behind the text, for readers who want every detail.
    evidence: Option<String>,
    /// The characters of the line, each as it is shown.
    characters: Vec<String>,
    /// The characters at fault.
    marked: std::ops::Range<usize>,
}

/// How many characters around the start of the marked ones are looked at. Lines may have millions of them; a page has
/// far fewer.
const REACH: usize = 4096;

/// The characters of a line that a page can show, when `skipped` come before them.
fn near(text: &str, skipped: usize) -> String {
    text.chars().skip(skipped).take(3 * REACH).collect()
}

impl Snippet {
    pub(super) fn new(context: &Context<'_>, span: Span) -> Option<Snippet> {
        let place = place(context, span)?;
        let text = context.files.get(span.file).line_text(place.line);
        let column = place.column as usize - 1;
        let skipped = column.saturating_sub(REACH);
        let characters = pieces(&near(&text, skipped));
        let first = (column - skipped).min(characters.len());
        let last = if place.end_line == place.line {
            (place.end_column as usize - 1).saturating_sub(skipped)
        } else {
            characters.len()
        };
        let marked = first..last.min(characters.len()).max(first);
        let evidence = context.files.get(span.file).evidence.as_deref().filter(|_| context.verbose);
        Some(Snippet { place, evidence: evidence.map(|id| short(id).to_owned()), characters, marked })
    }

    /// Writes place, line and carets; `label` stands beside the carets, or below where it does not fit.
    pub(super) fn write(&self, page: &mut Page<'_>, label: &str) -> io::Result<()> {
        let gutter = format!("  {} | ", self.place.line);
        let room = page.width().saturating_sub(gutter.chars().count()).clamp(20, REACH / 2);
        let shown = self.window(room);
        match &self.evidence {
            Some(id) => page.line(&format!("  {}  evidence {id}", self.place))?,
            None => page.line(&format!("  {}", self.place))?,
        }
        page.line(&format!("{gutter}{}", shown.text))?;
        let pad = gutter.chars().count() + shown.before;
        let fits = pad + shown.carets + 1 + visible(label).chars().count() <= page.width();
        page.carets(pad, shown.carets, fits.then_some(label))?;
        if fits {
            return Ok(());
        }
        let indent = " ".repeat(gutter.chars().count());
        page.wrapped(&indent, &indent, label)
    }

    /// The part of the line that fits: its start if possible, else the characters up to the marked ones.
    fn window(&self, room: usize) -> Window {
        let width = |range: std::ops::Range<usize>| -> usize {
            self.characters[range].iter().map(|piece| piece.chars().count()).sum()
        };
        let all = self.characters.len();
        let (mut from, mut to) = (0, all);
        if width(0..all) > room {
            if width(0..self.marked.end) + 1 > room {
                from = self.start(room - 1);
            }
            let mut used = usize::from(from > 0) + 1;
            to = from;
            while to < all && used + self.characters[to].chars().count() <= room {
                used += self.characters[to].chars().count();
                to += 1;
            }
        }
        let lead = if from > 0 { "…" } else { "" };
        let tail = if to < all { "…" } else { "" };
        let (first, last) = (self.marked.start.clamp(from, to), self.marked.end.clamp(from, to));
        Window {
            text: format!("{lead}{}{tail}", self.characters[from..to].concat()),
            before: usize::from(from > 0) + width(from..first),
            carets: width(first..last).max(1),
        }
    }

    /// The first character to show, so that the marked ones end within `room`, and at most half of it stands before them.
    fn start(&self, room: usize) -> usize {
        let mut used = 0;
        let mut start = self.marked.end;
        while start > 0 {
            let next = used + self.characters[start - 1].chars().count();
            if next + 1 > room {
                break;
            }
            used = next;
            start -= 1;
        }
        start.min(self.marked.start)
    }
}

struct Window {
    text: String,
    before: usize,
    carets: usize,
}

/// Each character of a line as it is shown: hostile ones visible, tabs as one space, log commands broken.
fn pieces(text: &str) -> Vec<String> {
    let mut previous = ' ';
    let mut characters = text.chars().peekable();
    let mut out = Vec::new();
    while let Some(character) = characters.next() {
        let piece = if escape::starts_log_command(previous, character, characters.peek().copied()) {
            "\\x23".to_owned()
        } else if character == '\t' {
            " ".to_owned()
        } else {
            visible(character.encode_utf8(&mut [0; 4])).into_owned()
        };
        out.push(piece);
        previous = character;
    }
    out
}
