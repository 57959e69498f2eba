//! Markers of template languages in zone text: Jinja and Go (`{{ }}`, `{% %}`), shell and Terraform (`${NAME}`), ERB
//! (`<% %>`).
//!
//! A text with markers says something only when it is deployed, so what it touches is "not evaluated". Nothing is
//! expanded here.

/// Whether a marker opens at `at`, which holds `{` or `<`.
pub(super) fn is_marker(bytes: &[u8], at: usize) -> bool {
    match (bytes.get(at), bytes.get(at + 1)) {
        (Some(b'{'), Some(b'{' | b'%')) | (Some(b'<'), Some(b'%')) => true,
        // `%{d}` is an SPF macro, `${d}` is a variable.
        (Some(b'{'), _) => at > 0 && bytes[at - 1] == b'$',
        _ => false,
    }
}

/// The first marker in `bytes[start..end]`.
pub(super) fn find(bytes: &[u8], start: usize, end: usize) -> Option<usize> {
    let end = end.min(bytes.len());
    let mut from = start;
    while from < end {
        let at = from + memchr::memchr2(b'{', b'<', &bytes[from..end])?;
        if is_marker(bytes, at) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// The place behind the marker that opens at `at`, at most `end`.
pub(super) fn close(bytes: &[u8], at: usize, end: usize) -> usize {
    let closing: &[u8] = match (bytes.get(at), bytes.get(at + 1)) {
        (_, Some(b'{')) => b"}}",
        (Some(b'<'), _) => b"%>",
        (_, Some(b'%')) => b"%}",
        _ => b"}",
    };
    let from = (at + 1).min(end);
    memchr::memmem::find(&bytes[from..end], closing).map_or(end, |found| from + found + closing.len())
}

/// How many blocks the markers of a line open, less those they close: what stands inside a block may be served or not.
pub(super) fn block_change(bytes: &[u8], start: usize, end: usize) -> i32 {
    let (mut change, mut from) = (0, start);
    while let Some(at) = find(bytes, from, end) {
        from = close(bytes, at, end).max(at + 1);
        let inside = &bytes[at..from];
        let text = String::from_utf8_lossy(inside.get(2..).unwrap_or(&[]));
        let text = text.trim_start_matches(['-', '+', '~', ' ', '\t']);
        let word: String =
            text.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '#' | '/' | '_')).collect();
        let tail = text.trim_end_matches(['>', '%', '}', '-', ' ', '\t']);
        match word.as_str() {
            "if" | "for" | "unless" | "each" | "range" | "with" | "block" | "define" | "macro" | "while" | "case"
            | "foreach" | "filter" | "call" => change += 1,
            "end" => change -= 1,
            word if word.starts_with("end") || word.starts_with('/') => change -= 1,
            word if word.starts_with('#') => change += 1,
            _ if tail.ends_with(" do") || tail.ends_with('|') && tail.contains(" do ") => change += 1,
            _ => {}
        }
    }
    change
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_told_from_spf_macros() {
        for (text, expected) in [
            ("{{ x }}", true),
            ("{% if %}", true),
            ("${X}", true),
            ("<%= x %>", true),
            ("%{i}._spf", false),
            ("{x}", false),
        ] {
            assert_eq!(find(text.as_bytes(), 0, text.len()).is_some(), expected, "{text}");
        }
    }

    #[test]
    fn blocks_are_counted() {
        let change = |text: &str| block_change(text.as_bytes(), 0, text.len());
        for text in [
            "{% if prod %}",
            "{%- for x in y -%}",
            "<% if x %>",
            "<% hosts.each do |h| -%>",
            "{{ range .X }}",
            "{{#each x}}",
        ] {
            assert_eq!(change(text), 1, "{text}");
        }
        for text in ["{% endif %}", "<% end %>", "{{ end }}", "{{/each}}", "{%- endfor -%}"] {
            assert_eq!(change(text), -1, "{text}");
        }
        for text in ["{{ x }}", "{% set a = 1 %}", "{% else %}", "{% if a %}x{% endif %}", "<%= x %>", "${X}"] {
            assert_eq!(change(text), 0, "{text}");
        }
    }
}
