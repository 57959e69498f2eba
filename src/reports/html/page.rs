//! The writer of the page. Markup can only be text of this program (`&'static str`), and everything else passes through the
//! escaping of [`escape::html`]: a fact cannot reach the page unescaped, because there is no function that would take it.
//!
//! The writer knows from its own markup whether it stands inside a tag, and escapes quotes there and only there: a record
//! is full of them, and a report may hold a hundred thousand records.
//!
//! End tags that HTML lets out (`</td>`, `</li>`, `</dd>`; HTML Standard section 13.1.2.4) are left out for
//! the same reason.

use super::super::escape;

/// Collects markup. Chapters are taken out of it one by one, so that not the whole report is held.
#[derive(Debug, Default)]
pub(super) struct Page {
    buffer: String,
    /// Whether the last markup opened a tag and did not close it, so that what comes next is a part of an attribute.
    in_tag: bool,
}

impl Page {
    /// Markup of this program.
    pub(super) fn html(&mut self, markup: &'static str) -> &mut Page {
        if let Some(last) = markup.rfind(['<', '>']) {
            self.in_tag = markup[last..].starts_with('<');
        }
        self.buffer.push_str(markup);
        self
    }

    /// Text of anybody, for an element or a quoted attribute.
    pub(super) fn text(&mut self, text: &str) -> &mut Page {
        escape::html(text, self.in_tag, &mut self.buffer);
        self
    }

    /// Text that is cut after `limit` characters and says so.
    pub(super) fn cut(&mut self, text: &str, limit: usize) -> &mut Page {
        self.text(&escape::cut(text, limit))
    }

    /// A name of a target or a rule, which may be broken before its parts where it is too long for its place.
    pub(super) fn name(&mut self, name: &str) -> &mut Page {
        let shown = escape::cut(name, 200);
        let mut written = 0;
        for (at, mark) in shown.match_indices(['[', '/', ']']) {
            let at = if mark == "[" { at } else { at + 1 };
            if at > written && at < shown.len() {
                self.text(&shown[written..at]).html("<wbr>");
                written = at;
            }
        }
        self.text(&shown[written..])
    }

    /// A number.
    pub(super) fn number(&mut self, number: usize) -> &mut Page {
        self.buffer.push_str(&number.to_string());
        self
    }

    /// A coordinate of a drawing.
    pub(super) fn at(&mut self, coordinate: u32) -> &mut Page {
        self.buffer.push_str(&coordinate.to_string());
        self
    }

    /// A count with its noun: `1 target`, `2 targets`.
    pub(super) fn count(&mut self, count: usize, word: &'static str) -> &mut Page {
        self.number(count).html(" ").html(word).html(if count == 1 { "" } else { "s" })
    }

    /// A sentence in which values stand between backticks; they are shown as code.
    pub(super) fn sentence(&mut self, text: &str) -> &mut Page {
        let parts: Vec<&str> = text.split('`').collect();
        // A value may hold backticks of its own. Then it is not clear what is code, and the text stays as it is.
        if parts.len().is_multiple_of(2) {
            return self.text(text);
        }
        for (index, part) in parts.iter().enumerate() {
            match index % 2 {
                1 if part.is_empty() => self.html("``"),
                1 => self.html("<code>").text(part).html("</code>"),
                _ => self.text(part),
            };
        }
        self
    }

    /// One line inside `<pre>`.
    pub(super) fn line(&mut self, text: &str) -> &mut Page {
        escape::html(&escape::log_line(&escape::terminal(text)), false, &mut self.buffer);
        self.buffer.push('\n');
        self
    }

    /// A link to a place outside, if the address may be one; otherwise its title only.
    pub(super) fn link(&mut self, title: &str, url: Option<&str>) -> &mut Page {
        match url.and_then(escape::link) {
            Some(url) => self.html("<a href=\"").text(url).html("\">").text(title).html("</a>"),
            None => self.text(title),
        }
    }

    /// An identifier made of a text: lower-case letters, digits and hyphens, so that it needs no quotes.
    pub(super) fn slug(&mut self, text: &str) -> &mut Page {
        for character in text.chars() {
            match character {
                'a'..='z' | '0'..='9' => self.buffer.push(character),
                'A'..='Z' => self.buffer.push(character.to_ascii_lowercase()),
                _ if self.buffer.ends_with('-') => {}
                _ => self.buffer.push('-'),
            }
        }
        self
    }

    /// The content of a style or script element, which is text of this program too. `css` may hold nothing but rules whose
    /// strings went through [`escape::css`].
    pub(super) fn style(&mut self, css: &Style) -> &mut Page {
        self.buffer.push_str("<style>");
        self.buffer.push_str(&css.0);
        self.buffer.push_str("</style>\n");
        self
    }

    /// A picture from bytes, as an address of its own.
    pub(super) fn png(&mut self, bytes: &[u8]) -> &mut Page {
        self.buffer.push_str("data:image/png;base64,");
        data_encoding::BASE64.encode_append(bytes, &mut self.buffer);
        self
    }

    /// The start of a table that can be scrolled by keyboard.
    pub(super) fn table(&mut self, caption: &str, columns: &[Column]) -> &mut Page {
        self.html("<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"").text(caption);
        self.html("\"><table><caption>").text(caption).html("</caption><colgroup>");
        for Column(_, width) in columns {
            self.html("<col class=w").number(usize::from(*width)).html(">");
        }
        self.html("</colgroup><thead><tr>");
        for Column(title, _) in columns {
            match title.strip_suffix('#') {
                Some(title) => self.html("<th scope=col class=n>").html(title),
                None => self.html("<th scope=col>").html(title),
            };
        }
        self.html("</thead><tbody>\n")
    }

    /// The end of a table.
    pub(super) fn end_table(&mut self) -> &mut Page {
        self.html("</tbody></table></div>\n")
    }

    /// A row that is headed by a text.
    pub(super) fn row(&mut self, head: &str) -> &mut Page {
        self.html("<tr><th scope=row>").text(head)
    }

    /// A cell with a text.
    pub(super) fn cell(&mut self, text: &str) -> &mut Page {
        self.html("<td>").text(text)
    }

    /// A cell with a number.
    pub(super) fn cell_number(&mut self, number: usize) -> &mut Page {
        self.html("<td class=n>").number(number)
    }

    /// An entry of a definition list, if there is anything to say.
    pub(super) fn entry(&mut self, term: &'static str, text: &str) -> &mut Page {
        if text.is_empty() {
            return self;
        }
        self.html("<dt>").html(term).html("<dd>").sentence(text).html("\n")
    }

    /// A paragraph.
    pub(super) fn paragraph(&mut self, text: &str) -> &mut Page {
        self.html("<p>").sentence(text).html("</p>\n")
    }

    /// What was written since the last time.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.buffer)
    }
}

/// A column of a table: its title, and its width in hundredths, one of those that the style knows. A title that ends in
/// `#` heads numbers.
pub(super) struct Column(pub(super) &'static str, pub(super) u8);

/// Rules of style whose strings are escaped.
pub(super) struct Style(String);

impl Style {
    /// Rules of this program with texts in their strings: `parts` alternate between rules and texts.
    pub(super) fn of(parts: &[Part<'_>]) -> Style {
        let mut out = String::new();
        for part in parts {
            match part {
                Part::Rule(rule) => out.push_str(rule),
                Part::Text(text) => out.push_str(&escape::css(text)),
            }
        }
        Style(out)
    }

    /// The rules, for their hash.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A part of a [`Style`].
pub(super) enum Part<'a> {
    /// Rules of this program.
    Rule(&'static str),
    /// Text of anybody, inside a string.
    Text(&'a str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_markup_of_this_program_is_markup() {
        let evil = "<script>\"'&`</style>\u{202e}";
        let mut page = Page::default();
        page.text(evil)
            .sentence(evil)
            .line(evil)
            .cell(evil)
            .entry("x", evil)
            .slug(evil)
            .link(evil, Some("javascript:x"));
        let out = page.take();
        assert!(!out.contains("<script") && !out.contains("</style") && !out.contains('\u{202e}'), "{out}");
        assert!(!out.contains("href"), "{out}");
        page.html("<a title=\"").text(evil).cut(evil, 3).html("\">").text(evil).html("</a>");
        let out = page.take();
        let (tag, text) = out.split_once('>').unwrap();
        assert_eq!(tag.matches('"').count(), 2, "{tag}");
        assert!(text.starts_with("&lt;script&gt;\"'&amp;"), "{text}");
    }

    #[test]
    fn strings_of_style_end_nowhere() {
        let style = Style::of(&[Part::Rule("@top{content:\""), Part::Text("a\"}\\</style>\n::x"), Part::Rule("\"}")]);
        assert_eq!(style.as_str(), "@top{content:\"a\\22 \\7d \\5c \\3c \\2f style\\3e \\5c n\\3a \\3a x\"}");
    }

    #[test]
    fn values_between_backticks_are_code_unless_they_hold_some() {
        let mut page = Page::default();
        page.sentence("`all` is `~all`; `` x");
        assert_eq!(page.take(), "<code>all</code> is <code>~all</code>; `` x");
        page.sentence("a ` b");
        assert_eq!(page.take(), "a ` b");
    }
}
