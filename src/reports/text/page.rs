//! Lines of text of a given width. Everything passes the terminal's escaping here, so no caller can forget it.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::super::{Context, escape};
use crate::policy::Severity;

/// The longest text that is shown whole; longer ones are cut and say so.
const LONGEST: usize = 1200;

pub(super) struct Page<'a> {
    out: &'a mut dyn Write,
    width: usize,
    colour: bool,
}

impl<'a> Page<'a> {
    pub(super) fn new(out: &'a mut dyn Write, context: &Context<'_>) -> Self {
        Page { out, width: context.width.max(40), colour: context.colour }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn blank(&mut self) -> io::Result<()> {
        self.out.write_all(b"\n")
    }

    /// A line as it is, whatever its length: places and records must survive being copied.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        let shown = escape::terminal(escape::cut(text, 4 * LONGEST).as_ref()).into_owned();
        writeln!(self.out, "{}", escape::log_line(&shown))
    }

    /// All items of a list with commas between them, wrapped; nothing when there are none.
    pub(super) fn list(&mut self, first: &str, rest: &str, items: &[&str]) -> io::Result<()> {
        if items.is_empty() {
            return Ok(());
        }
        let items: Vec<_> = items.iter().map(|item| escape::cut(item, LONGEST)).collect();
        for line in wrap(self.width, first, rest, &escape::terminal(&items.join(", "))) {
            writeln!(self.out, "{}", escape::log_line(&line))?;
        }
        Ok(())
    }

    /// Text wrapped at words; the first line starts with `first`, the others with `rest`.
    pub(super) fn wrapped(&mut self, first: &str, rest: &str, text: &str) -> io::Result<()> {
        for line in self.wrap(first, rest, text) {
            writeln!(self.out, "{}", escape::log_line(&line))?;
        }
        Ok(())
    }

    pub(super) fn heading(&mut self, text: &str) -> io::Result<()> {
        let style = self.style(Style::new().bold());
        let shown = escape::terminal(text);
        writeln!(self.out, "{style}{shown}{style:#}")
    }

    pub(super) fn alarm(&mut self, text: &str) -> io::Result<()> {
        let style = self.style(AnsiColor::Red.on_default().bold());
        for line in self.wrap("", "  ", text) {
            writeln!(self.out, "{style}{line}{style:#}")?;
        }
        Ok(())
    }

    /// The first line of a finding: the severity in its colour, then `text`.
    pub(super) fn head(&mut self, severity: Severity, text: &str) -> io::Result<()> {
        let word = severity.as_str();
        let style = self.style(match severity {
            Severity::Critical | Severity::High => AnsiColor::Red.on_default().bold(),
            Severity::Medium => AnsiColor::Yellow.on_default().bold(),
            Severity::Low | Severity::Info => AnsiColor::Cyan.on_default(),
        });
        for (index, line) in self.wrap("", "      ", &format!("{word}{text}")).into_iter().enumerate() {
            match line.strip_prefix(word).filter(|_| index == 0) {
                Some(tail) => writeln!(self.out, "{style}{word}{style:#}{tail}")?,
                None => writeln!(self.out, "{}", escape::log_line(&line))?,
            }
        }
        Ok(())
    }

    /// Writes carets in colour after plain text, then more plain text.
    pub(super) fn carets(&mut self, pad: usize, count: usize, label: Option<&str>) -> io::Result<()> {
        let style = self.style(AnsiColor::Red.on_default().bold());
        write!(self.out, "{}{style}{}{style:#}", " ".repeat(pad), "^".repeat(count))?;
        match label {
            Some(label) => writeln!(self.out, " {}", escape::terminal(label)),
            None => self.blank(),
        }
    }

    fn style(&self, style: Style) -> Style {
        if self.colour { style } else { Style::new() }
    }

    fn wrap(&self, first: &str, rest: &str, text: &str) -> Vec<String> {
        let text = escape::cut(text.trim_end(), LONGEST);
        wrap(self.width, first, rest, &escape::terminal(&text))
    }
}

/// Greedy wrapping; words that are longer than a line are broken.
fn wrap(width: usize, first: &str, rest: &str, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut used = first.chars().count();
    let mut indent = used;
    for word in text.split(' ') {
        let mut word = word;
        let mut length = word.chars().count();
        let gap = usize::from(used > indent);
        if used > indent && used + gap + length > width {
            lines.push(line.trim_end().to_owned());
            rest.clone_into(&mut line);
            indent = rest.chars().count();
            used = indent;
        } else if gap == 1 {
            line.push(' ');
            used += 1;
        }
        while used + length > width && length > 0 {
            let room = width.saturating_sub(used).max(1);
            let at = word.char_indices().nth(room).map_or(word.len(), |(at, _)| at);
            line.push_str(&word[..at]);
            word = &word[at..];
            length = word.chars().count();
            if length == 0 {
                break;
            }
            lines.push(std::mem::replace(&mut line, rest.to_owned()));
            indent = rest.chars().count();
            used = indent;
        }
        line.push_str(word);
        used = line.chars().count();
    }
    lines.push(line.trim_end().to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::wrap;

    #[test]
    fn text_wraps_at_words_and_breaks_only_what_is_longer_than_a_line() {
        assert_eq!(wrap(12, "a  ", "   ", "bb ccc dddd"), ["a  bb ccc", "   dddd"]);
        assert_eq!(wrap(6, "", "  ", "abcdefgh ij"), ["abcdef", "  gh", "  ij"]);
        assert_eq!(wrap(20, "", "", "two  spaces stay"), ["two  spaces stay"]);
        assert_eq!(wrap(20, "x ", "", ""), ["x"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_line_is_too_long_and_no_character_is_lost(text in "[a-zä ]{0,200}", width in 10usize..40) {
            let lines = wrap(width, "ab  ", "    ", &text);
            prop_assert!(lines.iter().all(|line| line.chars().count() <= width));
            let squeeze = |text: &str| text.chars().filter(|character| *character != ' ').collect::<String>();
            prop_assert_eq!(squeeze(&lines.concat()), squeeze(&format!("ab{text}")));
        }
    }
}
