//! Grammar of POP3 answers (RFC 1939 section 3, RFC 2449 section 8).

/// How a command went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    Err,
}

/// Reads the first line of an answer: status, response code in brackets, text without it.
pub(super) fn parse(line: &str) -> Option<(Status, Option<&str>, &str)> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let status = match word {
        // RFC 1939 section 3: the indicators are in upper case.
        "+OK" => Status::Ok,
        "-ERR" => Status::Err,
        _ => return None,
    };
    // RFC 2449 section 8: a response code stands right after the indicator.
    match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((code, text)) => Some((status, Some(code), text.trim_start())),
        None => Some((status, None, rest)),
    }
}

/// The timestamp for APOP in a greeting, such as `<1896.697170952@mail.example.org>` (RFC 1939 section 7).
pub(super) fn timestamp(text: &str) -> Option<&str> {
    text.match_indices('<').find_map(|(start, _)| {
        let rest = &text[start..];
        let found = &rest[..=rest.find('>')?];
        let (left, right) = found[1..found.len() - 1].split_once('@')?;
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'<');
        (plain(left) && plain(right)).then_some(found)
    })
}

/// A line of an answer of several lines without the dot that was put before a dot; `None` for the end (RFC 1939 section
/// 3).
pub(super) fn unstuffed(line: &str) -> Option<&str> {
    match line.strip_prefix('.') {
        Some("") => None,
        Some(rest) => Some(rest),
        None => Some(line),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn answers_are_told_apart() {
        for (line, expected) in [
            ("+OK ready", Some((Status::Ok, None, "ready"))),
            ("+OK", Some((Status::Ok, None, ""))),
            ("-ERR [IN-USE] locked", Some((Status::Err, Some("IN-USE"), "locked"))),
            ("-ERR [open", Some((Status::Err, None, "[open"))),
            ("+ok ready", None),
            ("+OKready", None),
            ("* OK ready", None),
            ("220 ready", None),
            ("", None),
        ] {
            assert_eq!(parse(line), expected, "{line}");
        }
    }

    #[test]
    fn timestamps_are_message_ids() {
        for (text, expected) in [
            ("ready <1896.69@mail.example.org>", Some("<1896.69@mail.example.org>")),
            ("<ready> <a@b>", Some("<a@b>")),
            ("ready <abc>", None),
            ("ready <a b@c>", None),
            ("ready <@c>", None),
            ("ready a@b", None),
            ("<é@é>", None),
            ("<", None),
        ] {
            assert_eq!(timestamp(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "(\\+OK|-ERR|\\[|\\]|<|>|@|\\.|é|\\PC| ){0,20}") {
            let _ = (parse(&line), timestamp(&line), unstuffed(&line));
        }
    }
}
