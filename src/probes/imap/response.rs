//! Grammar of the few IMAP responses that sessions without login meet (RFC 9051 section 9).
//!
//! A line that is none of them is `None`: the server does not speak IMAP, or not to us.

/// How a command went, or what a greeting says (RFC 9051 section 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    No,
    Bad,
    Bye,
    Preauth,
}

/// One response of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Response {
    /// `* OK text`, `a1 NO [code] text` and the like.
    Condition { tag: Option<String>, status: Status, code: Option<String>, text: String },
    /// `* CAPABILITY ...`, in upper case.
    Capabilities(Vec<String>),
    /// `+ ...`: the server waits for more.
    Continuation,
    /// Other untagged data.
    Other,
}

/// Reads one response.
pub(super) fn parse(line: &str) -> Option<Response> {
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    match first {
        "+" => Some(Response::Continuation),
        "*" => {
            let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
            if word.eq_ignore_ascii_case("CAPABILITY") {
                return Some(Response::Capabilities(capabilities(after)));
            }
            match status(word) {
                Some(status) => Some(condition(None, status, after)),
                None if word.is_empty() => None,
                None => Some(Response::Other),
            }
        }
        tag if is_tag(tag) => {
            let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
            let status = status(word).filter(|status| matches!(status, Status::Ok | Status::No | Status::Bad))?;
            Some(condition(Some(tag.to_owned()), status, after))
        }
        _ => None,
    }
}

fn condition(tag: Option<String>, status: Status, after: &str) -> Response {
    let code = after.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (code, text) = match code {
        Some((code, text)) => (Some(code.to_owned()), text.trim_start()),
        None => (None, after),
    };
    Response::Condition { tag, status, code, text: text.to_owned() }
}

fn status(word: &str) -> Option<Status> {
    let words = [
        ("OK", Status::Ok),
        ("NO", Status::No),
        ("BAD", Status::Bad),
        ("BYE", Status::Bye),
        ("PREAUTH", Status::Preauth),
    ];
    words.into_iter().find(|(known, _)| word.eq_ignore_ascii_case(known)).map(|(_, status)| status)
}

/// Characters that a tag may have (RFC 9051 section 9, `tag` and `ASTRING-CHAR`).
fn is_tag(word: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b'+');
    !word.is_empty() && word.bytes().all(allowed)
}

/// Capabilities in upper case, each once.
fn capabilities(text: &str) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        // RFC 9051 section 7.2.2: capabilities are compared without regard to case.
        let word = word.to_ascii_uppercase();
        if !list.contains(&word) {
            list.push(word);
        }
    }
    list
}

/// Length of the literal that a line ends with: `{12}`, `{12+}`, `~{12}` (RFC 9051 section 9).
pub(super) fn literal(line: &str) -> Option<usize> {
    let (_, length) = line.strip_suffix('}')?.rsplit_once('{')?;
    let length = length.strip_suffix('+').unwrap_or(length);
    if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // A number that no machine can count to is as far beyond the limit as one that it can.
    Some(length.parse().unwrap_or(usize::MAX / 2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn responses_are_told_apart() {
        let condition = |tag: Option<&str>, status, code: Option<&str>, text: &str| {
            Some(Response::Condition {
                tag: tag.map(str::to_owned),
                status,
                code: code.map(str::to_owned),
                text: text.to_owned(),
            })
        };
        for (line, expected) in [
            ("* OK ready", condition(None, Status::Ok, None, "ready")),
            ("* ok", condition(None, Status::Ok, None, "")),
            ("* OK [CAPABILITY IMAP4rev1] hi", condition(None, Status::Ok, Some("CAPABILITY IMAP4rev1"), "hi")),
            ("* PREAUTH in", condition(None, Status::Preauth, None, "in")),
            ("* BYE later", condition(None, Status::Bye, None, "later")),
            ("m1 NO [UNAVAILABLE] no", condition(Some("m1"), Status::No, Some("UNAVAILABLE"), "no")),
            ("m1 OK [open", condition(Some("m1"), Status::Ok, None, "[open")),
            (
                "* CAPABILITY imap4rev1  STARTTLS starttls",
                Some(Response::Capabilities(vec!["IMAP4REV1".into(), "STARTTLS".into()])),
            ),
            ("+ go on", Some(Response::Continuation)),
            ("+", Some(Response::Continuation)),
            ("* 3 EXISTS", Some(Response::Other)),
            ("m1 PREAUTH x", None),
            ("220 mx.example.org ESMTP", None),
            ("+OK ready", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(parse(line), expected, "{line}");
        }
    }

    #[test]
    fn literals_end_a_line() {
        for (line, expected) in [
            ("* OK {12}", Some(12)),
            ("x {12+}", Some(12)),
            ("{0}", Some(0)),
            ("{99999999999999999999999}", Some(usize::MAX / 2)),
            ("{}", None),
            ("{-1}", None),
            ("{12} ", None),
            ("}", None),
        ] {
            assert_eq!(literal(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "(\\* |\\+ |a1 |OK|BYE|CAPABILITY|\\[|\\]|\\{|\\}|9|é|\\PC| ){0,20}") {
            let _ = (parse(&line), literal(&line));
        }
    }
}
