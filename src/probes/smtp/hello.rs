//! The reply to EHLO: which extensions a server announces (RFC 5321 section 4.1.1.1).

use crate::diag::Span;
use crate::facts::Cause;
use crate::probes::{Failure, Noted, Seen};

use super::reply::{Dialogue, Reply};

/// How a server answered EHLO, or HELO after it refused EHLO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Whether EHLO was accepted; otherwise HELO was (RFC 5321 section 3.2).
    pub is_extended: bool,
    /// The extensions, in the order of the reply; none after HELO.
    pub keywords: Vec<Keyword>,
}

/// One line of the reply to EHLO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyword {
    /// The keyword in upper case, such as `SIZE`.
    pub name: String,
    /// Its parameters as sent.
    pub parameters: Vec<String>,
    /// The line.
    pub span: Span,
}

impl Hello {
    /// The first line with a keyword.
    pub fn keyword(&self, name: &str) -> Option<&Keyword> {
        self.keywords.iter().find(|keyword| keyword.name == name)
    }

    /// SASL mechanisms in upper case, each once (RFC 4954 section 3).
    pub fn mechanisms(&self) -> Vec<String> {
        let mut mechanisms: Vec<String> = Vec::new();
        for keyword in self.keywords.iter().filter(|keyword| keyword.name == "AUTH") {
            for mechanism in &keyword.parameters {
                let mechanism = mechanism.to_ascii_uppercase();
                if !mechanisms.contains(&mechanism) {
                    mechanisms.push(mechanism);
                }
            }
        }
        mechanisms
    }

    /// Where SASL mechanisms are announced.
    pub fn mechanisms_span(&self) -> Option<Span> {
        let lines = self.keywords.iter().filter(|keyword| keyword.name == "AUTH").map(|keyword| keyword.span);
        lines.reduce(Span::join)
    }
}

/// Says EHLO, and HELO when that is refused.
pub(super) async fn say_hello(dialogue: &mut Dialogue<'_>) -> Seen<Hello> {
    let name = dialogue.session().settings().ehlo_name.clone();
    let reply = dialogue.command(&format!("EHLO {name}")).await?;
    if reply.value.is_positive() {
        let keywords = reply.value.lines.iter().skip(1).filter_map(keyword).collect();
        return Ok(Noted { value: Hello { is_extended: true, keywords }, span: reply.span });
    }
    // RFC 5321 section 3.2: a server may not know EHLO.
    let reply = if reply.value.is_permanent() { dialogue.command(&format!("HELO {name}")).await? } else { reply };
    if reply.value.is_positive() {
        return Ok(Noted { value: Hello { is_extended: false, keywords: Vec::new() }, span: reply.span });
    }
    Err(dialogue.end(refusal(&reply)))
}

/// A refusal to talk to us at all. Nothing about the service follows from it but the text.
pub(super) fn refusal(reply: &Noted<Reply>) -> Failure {
    let text = reply.value.text();
    if reply.value.is_transient() {
        Failure {
            cause: Cause::RateLimited,
            note: format!("the server asks to come back later: {text}"),
            span: reply.span,
        }
    } else {
        Failure { cause: Cause::Protocol, note: format!("the server refuses us: {text}"), span: reply.span }
    }
}

/// Reads one line: a keyword, then parameters.
fn keyword(line: &Noted<String>) -> Option<Keyword> {
    let mut words = line.value.split_ascii_whitespace();
    let name = words.next()?.to_ascii_uppercase();
    let mut parameters: Vec<String> = words.map(str::to_owned).collect();
    // Old clients wanted `AUTH=LOGIN PLAIN`, and servers still send it beside the form of RFC 4954.
    let name = match name.split_once('=') {
        Some(("AUTH", mechanism)) => {
            if !mechanism.is_empty() {
                parameters.insert(0, mechanism.to_owned());
            }
            "AUTH".to_owned()
        }
        _ => name,
    };
    Some(Keyword { name, parameters, span: line.span })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;

    fn hello(lines: &[&str]) -> Hello {
        let span = Span::new(FileId(0), 0, 0);
        let lines = lines.iter().map(|line| Noted { value: (*line).to_owned(), span });
        Hello { is_extended: true, keywords: lines.filter_map(|line| keyword(&line)).collect() }
    }

    #[test]
    fn keywords_have_any_case_and_parameters_are_kept() {
        let hello = hello(&["size 1000", "LIMITS RCPTMAX=10 MAILMAX=5", "", "Pipelining"]);
        assert_eq!(hello.keyword("SIZE").unwrap().parameters, ["1000"]);
        assert_eq!(hello.keyword("LIMITS").unwrap().parameters, ["RCPTMAX=10", "MAILMAX=5"]);
        assert!(hello.keyword("PIPELINING").is_some());
        assert_eq!(hello.keywords.len(), 3);
        assert!(hello.mechanisms().is_empty());
    }

    #[test]
    fn case_126_both_forms_of_auth_are_read() {
        assert_eq!(hello(&["AUTH PLAIN login", "AUTH=LOGIN PLAIN"]).mechanisms(), ["PLAIN", "LOGIN"]);
        assert_eq!(hello(&["AUTH=CRAM-MD5"]).mechanisms(), ["CRAM-MD5"]);
        assert_eq!(hello(&["AUTH SCRAM-SHA-256 XOAUTH2"]).mechanisms(), ["SCRAM-SHA-256", "XOAUTH2"]);
    }
}
