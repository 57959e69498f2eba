//! Replies of SMTP, and the conversation that waits for one after each command (RFC 5321 section 4.2).
//!
//! What a reply means for a fact is not decided here, with one exception: 421 ends a conversation, whatever was asked.

use std::time::Duration;

use crate::diag::Span;
use crate::facts::Cause;
use crate::probes::session::Session;
use crate::probes::{Failure, Noted, Seen};

/// Most lines of one reply that are read.
const MOST_LINES: usize = 200;

/// One reply, of one line or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Reply code, 200 to 599.
    pub code: u16,
    /// Texts of the lines, without the code.
    pub lines: Vec<Noted<String>>,
}

impl Reply {
    /// Whether the command was carried out (2yz, RFC 5321 section 4.2.1).
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// Whether the server asks to try again later (4yz).
    pub fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }

    /// Whether the command was refused for good (5yz).
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// Code and text in one line: `554 5.7.1 relay access denied`.
    pub fn text(&self) -> String {
        let mut text = self.code.to_string();
        for line in &self.lines {
            if !line.value.is_empty() {
                text.push(' ');
                text.push_str(&line.value);
            }
        }
        text
    }

    /// The texts of all lines without the code, in lower case, to look for words.
    pub fn words(&self) -> String {
        self.lines.iter().map(|line| line.value.to_lowercase()).collect::<Vec<_>>().join(" ")
    }

    /// Subject and detail of the enhanced status code, such as `7.1` of `5.7.1` (RFC 3463 section 2), if there is one.
    pub fn enhanced(&self) -> Option<(u16, u16)> {
        let first = self.lines.first()?.value.split(' ').next()?;
        let mut parts = first.split('.');
        let class: u16 = parts.next()?.parse().ok()?;
        let (subject, detail) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        (class == self.code / 100 && parts.next().is_none()).then_some((subject, detail))
    }
}

/// A session in SMTP. Once it has ended, every further command fails for the reason for which it ended.
pub(super) struct Dialogue<'a> {
    session: Session<'a>,
    ended: Option<Failure>,
}

impl<'a> Dialogue<'a> {
    pub(super) fn new(session: Session<'a>) -> Dialogue<'a> {
        Dialogue { session, ended: None }
    }

    /// The session beneath.
    pub(super) fn session(&mut self) -> &mut Session<'a> {
        &mut self.session
    }

    /// Why the conversation ended, if it has.
    pub(super) fn ended(&self) -> Option<&Failure> {
        self.ended.as_ref()
    }

    /// Ends the conversation for a reason; returns the reason.
    pub(super) fn end(&mut self, failure: Failure) -> Failure {
        self.ended.get_or_insert(failure).clone()
    }

    /// The same conversation, with another reason why nothing more is asked.
    pub(super) fn ended_by(mut self, failure: Failure) -> Dialogue<'a> {
        self.ended = Some(failure);
        self
    }

    /// Sends a command and waits for its reply.
    pub(super) async fn command(&mut self, line: &str) -> Seen<Reply> {
        if let Some(failure) = &self.ended {
            return Err(failure.clone());
        }
        match self.session.send(line).await {
            Ok(_) => self.reply().await,
            Err(failure) => Err(self.last_words(failure).await),
        }
    }

    /// Reads a reply. A server that says 421 is going away (RFC 5321 section 3.8).
    pub(super) async fn reply(&mut self) -> Seen<Reply> {
        let reply = match self.any_reply().await {
            Ok(reply) => reply,
            Err(failure) => return Err(self.end(failure)),
        };
        if reply.value.code == 421 {
            let note = format!("the server ended the session: {}", reply.value.text());
            return Err(self.end(Failure { cause: Cause::RateLimited, note, span: reply.span }));
        }
        Ok(reply)
    }

    /// Reads a reply, whatever it says.
    pub(super) async fn any_reply(&mut self) -> Seen<Reply> {
        if let Some(failure) = &self.ended {
            return Err(failure.clone());
        }
        let mut lines: Vec<Noted<String>> = Vec::new();
        let mut whole: Option<Span> = None;
        loop {
            let line = self.session.line().await?;
            let Some((code, is_last, text)) = split(&line.value) else {
                let note = foreign(&line.value);
                self.session.note(&note);
                return Err(self.end(Failure { cause: Cause::Protocol, note, span: line.span }));
            };
            let span = whole.map_or(line.span, |whole| whole.join(line.span));
            whole = Some(span);
            lines.push(Noted { value: text.to_owned(), span: line.span });
            if is_last {
                return Ok(Noted { value: Reply { code, lines }, span });
            }
            if lines.len() >= MOST_LINES {
                let failure = self.session.failure(Cause::LimitReached, "the server sends a reply without end");
                return Err(self.end(failure));
            }
        }
    }

    /// A server that closed the connection may have said why before that.
    async fn last_words(&mut self, failure: Failure) -> Failure {
        if self.session.is_ended_by_server()
            && self.session.speaks_within(Duration::from_millis(100)).await
            && let Err(said) = self.reply().await
        {
            return said;
        }
        self.end(failure)
    }

    /// Says goodbye (RFC 5321 section 4.1.1.10), unless the conversation has ended already.
    pub(super) async fn quit(self) {
        match self.ended {
            Some(_) => self.session.abandon(),
            None => self.session.close("QUIT").await,
        }
    }
}

/// Code of a line, whether it is the last of its reply, and its text (RFC 5321 section 4.2.1).
fn split(line: &str) -> Option<(u16, bool, &str)> {
    let code: u16 = line.get(..3).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()?;
    if !(200..600).contains(&code) {
        return None;
    }
    match line.as_bytes().get(3) {
        None => Some((code, true, "")),
        Some(b' ') => Some((code, true, line.get(4..).unwrap_or_default())),
        Some(b'-') => Some((code, false, line.get(4..).unwrap_or_default())),
        Some(_) => None,
    }
}

/// What a line that is no reply looks like.
fn foreign(line: &str) -> String {
    let protocol = if line.starts_with("SSH-") {
        " of SSH"
    } else if line.starts_with("HTTP/") {
        " of HTTP"
    } else if line.starts_with("* ") {
        " of IMAP"
    } else if line.starts_with("+OK") || line.starts_with("-ERR") {
        " of POP3"
    } else {
        ""
    };
    let start: String = line.chars().take(60).collect();
    format!("not a reply of SMTP, but a line{protocol}: {start:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;

    #[test]
    fn reply_lines_follow_the_grammar() {
        for (line, expected) in [
            ("220 mx1.example.org ESMTP", Some((220, true, "mx1.example.org ESMTP"))),
            ("220-mx1.example.org", Some((220, false, "mx1.example.org"))),
            ("250", Some((250, true, ""))),
            ("250 ", Some((250, true, ""))),
            ("250-", Some((250, false, ""))),
            ("2500 x", None),
            ("199 x", None),
            ("600 x", None),
            ("25 x", None),
            ("", None),
            ("* OK IMAP4rev1", None),
            ("25\u{e9}", None),
        ] {
            assert_eq!(split(line), expected, "{line:?}");
        }
    }

    #[test]
    fn enhanced_codes_are_read_where_they_are() {
        let span = Span::new(FileId(0), 0, 0);
        for (code, text, expected) in [
            (550, "5.7.1 relay denied", Some((7, 1))),
            (550, "4.7.1 the class does not fit", None),
            (550, "relay denied", None),
            (550, "5.7", None),
            (550, "192.0.2.1 is listed", None),
        ] {
            let reply = Reply { code, lines: vec![Noted { value: text.to_owned(), span }] };
            assert_eq!(reply.enhanced(), expected, "{text}");
        }
    }
}
