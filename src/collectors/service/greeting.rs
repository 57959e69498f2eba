//! The greeting of a service, and what DNS and the certificate say of the name in it.

use std::net::IpAddr;

use super::{ServiceInput, observed, seen, unseen};
use crate::collectors::Context;
use crate::facts::domain::Seconds;
use crate::facts::service::{GreetingFacts, Protocol, TlsFacts};
use crate::facts::{Cause, Fact, Method, Observed, Proof};
use crate::mail::{Name, reverse_name};
use crate::probes::{Failure, Greeting, Noted, Seen, SessionProbe};
use crate::sources::{RData, RecordType};

/// Words of a greeting that are no product.
const GENERIC: &[&str] = &[
    "esmtp",
    "smtp",
    "lmtp",
    "mail",
    "email",
    "imap",
    "imap4",
    "imap4rev1",
    "imap4rev2",
    "pop",
    "pop3",
    "server",
    "service",
    "daemon",
    "mta",
    "agent",
    "transport",
    "ready",
];

/// Words that stand between a product and its version.
const FILLERS: &[&str] = &["version", "ver", "release", "rev", "build", "v"];

/// Words before which no product stands: what follows them is a date, an address or prose.
const PROSE: &[&str] = &[
    "at",
    "on",
    "is",
    "id",
    "with",
    "for",
    "by",
    "from",
    "to",
    "of",
    "and",
    "the",
    "date",
    "welcome",
    "hello",
    "using",
    "mon",
    "tue",
    "wed",
    "thu",
    "fri",
    "sat",
    "sun",
    "copyright",
    "tls",
    "ssl",
];

/// Facts about the greeting.
pub(super) fn collect(context: &Context<'_>, input: &ServiceInput<'_>, tls: &TlsFacts) -> GreetingFacts {
    let endpoint = &input.probe.endpoint;
    let greeting = &input.probe.session.opening().greeting;
    let is_smtp = matches!(endpoint.protocol, Protocol::Smtp | Protocol::Submission | Protocol::Submissions);
    // Asked in any case, so that DNS is asked for everything in one round.
    let pointers = context.records(&reverse_name(endpoint.address.ip()), RecordType::PTR);
    let sent_away = sent_away(&input.probe.session);
    let name: Fact<Name> = match greeting {
        Ok(Noted { value, span }) => match (host_name(value).filter(|_| is_smtp), &sent_away) {
            (Some(name), _) => observed(name, *span),
            (None, Some(failure)) => unseen(failure),
            (None, None) => Fact::absent(Proof::NotStated, Method::Session, Some(*span)),
        },
        Err(failure) => unseen(failure),
    };
    GreetingFacts {
        text: seen(greeting, |greeting| greeting.lines.join("\n")),
        code: match greeting {
            Ok(Noted { value, span }) => match value.code {
                Some(code) => observed(i64::from(code), *span),
                None => Fact::absent(Proof::NotStated, Method::Session, Some(*span)),
            },
            Err(failure) => unseen(failure),
        },
        name_resolves: about_name(&name, |name| resolves(context, name, endpoint.address.ip())),
        name_is_ptr: about_name(&name, |name| match &pointers {
            Ok(set) => {
                let is_it = |data: &RData| matches!(data, RData::Ptr(target, _) if target == name);
                match (set.records.iter().any(|record| is_it(&record.data)), set.doubt()) {
                    (false, Some(missing)) => missing.fact(context.method),
                    (is_ptr, _) => context.present(is_ptr, set.first()),
                }
            }
            Err(missing) if missing.cause().is_some() => missing.fact(context.method),
            Err(missing) => context.present(false, missing.span).with_note("the address has no PTR record"),
        }),
        name_in_certificate: about_name(&name, |name| in_certificate(&tls.cert.names, name)),
        delay: seen(greeting, |greeting| Seconds(i64::try_from(greeting.delay.as_secs()).unwrap_or(i64::MAX))),
        version: version(greeting, sent_away.as_ref()),
        name,
    }
}

/// Why the first lines are not those with which the server greets clients that it serves: what they lack, the others may
/// have.
fn sent_away(session: &SessionProbe) -> Option<Failure> {
    let greeting = session.opening().greeting.as_ref().ok()?;
    match session {
        SessionProbe::Smtp(_) => {
            let code = greeting.value.code.filter(|code| !(200..300).contains(code))?;
            let cause = if (400..500).contains(&code) { Cause::RateLimited } else { Cause::Protocol };
            let note = format!("the server sends us away with the code {code}");
            Some(Failure { cause, note, span: greeting.span })
        }
        SessionProbe::Imap(probe) => probe.preauth.as_ref().err().cloned(),
        SessionProbe::Pop3(probe) => probe.apop.as_ref().err().cloned(),
    }
}

/// A fact about the name in the greeting; where there is no name, for the same reason.
fn about_name(name: &Fact<Name>, fact: impl FnOnce(&Name) -> Fact<bool>) -> Fact<bool> {
    match &name.observed {
        Observed::Present(name) => fact(name),
        Observed::Absent(proof) => Fact { observed: Observed::Absent(*proof), from: name.from.clone() },
        Observed::Unknown(cause) => Fact { observed: Observed::Unknown(*cause), from: name.from.clone() },
    }
}

/// The host name at the beginning of an SMTP greeting (RFC 5321 section 4.2). A word without a dot is a name only when
/// the protocol follows it.
fn host_name(greeting: &Greeting) -> Option<Name> {
    let mut words = greeting.lines.first()?.split_ascii_whitespace();
    let first = words.next()?;
    let is_host = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_');
    // RFC 3463 section 2: three numbers are a status code. No top-level domain is a number (RFC 3696 section 2).
    let is_number = first.rsplit('.').next().is_some_and(|last| last.bytes().all(|octet| octet.is_ascii_digit()));
    if !first.bytes().all(is_host) || is_number || first.parse::<IpAddr>().is_ok() {
        return None;
    }
    let is_protocol = |word: &str| word.eq_ignore_ascii_case("esmtp") || word.eq_ignore_ascii_case("smtp");
    if !first.contains('.') && (is_protocol(first) || !words.next().is_some_and(is_protocol)) {
        return None;
    }
    Name::parse(first).ok()
}

/// Whether a name has an address record with this address.
fn resolves(context: &Context<'_>, name: &Name, address: IpAddr) -> Fact<bool> {
    match context.addresses(name) {
        Ok(found) => match (found.list.contains(&address.to_canonical()), found.incomplete) {
            (false, Some(missing)) => missing.fact(context.method),
            (leads_here, _) => context.present(leads_here, found.span),
        },
        Err(missing) if missing.cause().is_some() => missing.fact(context.method),
        Err(missing) => context.present(false, missing.span).with_note(format!("{name} has no address")),
    }
}

/// Whether one of the names of a certificate is this one, or a wildcard for it (RFC 9525 section 6.3).
fn in_certificate(names: &Fact<Vec<String>>, name: &Name) -> Fact<bool> {
    let observed = match &names.observed {
        Observed::Present(names) => Observed::Present(names.iter().any(|pattern| covers(pattern, name))),
        // Without TLS there is no certificate to compare with; a certificate without names is for nobody.
        Observed::Absent(Proof::NotOffered) => Observed::Absent(Proof::NotOffered),
        Observed::Absent(_) => Observed::Present(false),
        Observed::Unknown(cause) => Observed::Unknown(*cause),
    };
    Fact { observed, from: names.from.clone() }
}

fn covers(pattern: &str, name: &Name) -> bool {
    match pattern.strip_prefix("*.") {
        Some(rest) => name.parent().is_some_and(|parent| Name::parse(rest).is_ok_and(|rest| rest == parent)),
        None => Name::parse(pattern).is_ok_and(|pattern| pattern == *name),
    }
}

/// The product and version that a greeting discloses.
fn version(greeting: &Seen<Greeting>, sent_away: Option<&Failure>) -> Fact<String> {
    match greeting {
        Ok(Noted { value, span }) => match (value.lines.iter().find_map(|line| disclosed(line)), sent_away) {
            (Some(text), _) => observed(text.to_owned(), *span),
            (None, Some(failure)) => unseen(failure),
            (None, None) => Fact::absent(Proof::NotStated, Method::Session, Some(*span)),
        },
        Err(failure) => unseen(failure),
    }
}

/// The part of a line from a product's name to its version number: `Postfix 3.4.13` or
/// `Microsoft ESMTP MAIL Service, Version: 10.0.17763.1697`. Without a product before it, a number is no version.
fn disclosed(line: &str) -> Option<&str> {
    let words = words(line);
    for (index, (start, word)) in words.iter().enumerate() {
        let Some(length) = version_length(word) else { continue };
        let before = words.get(..index).unwrap_or_default();
        if let Some(product) = product(before) {
            let end = start + length;
            let closes = line.get(product..end)?.contains('(') && line.get(end..)?.starts_with(')');
            return line.get(product..end + usize::from(closes));
        }
    }
    None
}

/// The words of a line and where they start. Slashes and brackets part words, too: `Exim/4.94`, `Postfix (3.4.13)`.
fn words(line: &str) -> Vec<(usize, &str)> {
    let parts = |character: char| character.is_whitespace() || matches!(character, '/' | '(' | ')' | '<' | '>' | ';');
    let at = |word: &str| word.as_ptr() as usize - line.as_ptr() as usize;
    line.split(parts).filter(|word| !word.is_empty()).map(|word| (at(word), word)).collect()
}

/// Length of a version number with at least one dot that a word begins with. An address or a date is none.
fn version_length(word: &str) -> Option<usize> {
    let digits = word.strip_prefix(['v', 'V']).unwrap_or(word);
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let trimmed = word.trim_end_matches(|last: char| !last.is_ascii_alphanumeric());
    let digits = digits.get(..trimmed.len().checked_sub(word.len() - digits.len())?)?;
    let number = digits.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
    let parts: Vec<&str> = number.split('.').collect();
    let is_date =
        matches!(parts.as_slice(), [day, month, year] if day.len() <= 2 && month.len() <= 2 && year.len() == 4);
    let is_version = parts.len() >= 2 && parts.iter().all(|part| !part.is_empty());
    // Four numbers may be an address, unless a `v` stands before them.
    let is_address = !word.starts_with(['v', 'V']) && number.parse::<IpAddr>().is_ok();
    (is_version && !is_date && !is_address).then_some(trimmed.len())
}

/// Where the name of a product starts that ends a list of words, generic words after it included.
fn product(before: &[(usize, &str)]) -> Option<usize> {
    let mut start = None;
    for (at, word) in before.iter().rev().take(5) {
        let plain = word.trim_matches(|edge: char| !edge.is_ascii_alphanumeric()).to_ascii_lowercase();
        let is_name = plain.len() > 2 && plain.starts_with(|first: char| first.is_ascii_alphabetic());
        if FILLERS.contains(&plain.as_str()) && start.is_none() || GENERIC.contains(&plain.as_str()) {
            continue;
        }
        if !is_name || plain.contains('.') || PROSE.contains(&plain.as_str()) || word.ends_with(',') && start.is_some()
        {
            break;
        }
        start = Some(*at);
        break;
    }
    start
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn versions_are_told_from_names_dates_and_addresses() {
        for (line, expected) in [
            ("mx1.example.org ESMTP Postfix 3.4.13", Some("Postfix 3.4.13")),
            ("mx1.example.org ESMTP Postfix (3.4.13)", Some("Postfix (3.4.13)")),
            ("mx1.example.org ESMTP Postfix (Debian/GNU)", None),
            ("mx1.example.org ESMTP Exim 4.94.2 #2 Mon, 01 Jan 2024 10:11:12 +0100", Some("Exim 4.94.2")),
            ("mx1.example.org ESMTP Sendmail 8.15.2/8.15.2; Mon, 1 Jan 2024 10:11:12 GMT", Some("Sendmail 8.15.2")),
            (
                "mx1.example.org Microsoft ESMTP MAIL Service, Version: 10.0.17763.1697 ready at  Mon, 1 Jan 2024",
                Some("Microsoft ESMTP MAIL Service, Version: 10.0.17763.1697"),
            ),
            ("mx1.example.org Microsoft ESMTP MAIL Service ready at Mon, 1 Jan 2024 10:11:12 +0000", None),
            ("mx1.example.org ESMTP OpenSMTPD/6.8.0p2", Some("OpenSMTPD/6.8.0p2")),
            (
                "[CAPABILITY IMAP4rev1] Cyrus IMAP v2.4.17-Fedora-RPM-2.4.17 server ready",
                Some("Cyrus IMAP v2.4.17-Fedora-RPM-2.4.17"),
            ),
            ("Dovecot (Ubuntu) ready.", None),
            ("Dovecot v2.3.7.2 ready.", Some("Dovecot v2.3.7.2")),
            ("POP3 mail.example.org v2003.83 server ready", None),
            ("mail.example.org POP3 server hMailServer 5.6.8-B2574", Some("hMailServer 5.6.8-B2574")),
            ("mx1.example.org ESMTP 8.14.4", None),
            ("mx1.example.org ESMTP you are 192.0.2.1 at 10.11.2024", None),
            ("mx1.example.org ESMTP ready 10.11.2024 12.30", None),
            ("<1896.697170952@dbc.mtview.ca.us>", None),
            ("The Microsoft Exchange IMAP4 service is ready.", None),
            ("", None),
        ] {
            assert_eq!(disclosed(line), expected, "{line}");
        }
    }

    #[test]
    fn the_name_in_a_greeting_is_a_host_name() {
        for (line, expected) in [
            ("mx1.Example.ORG ESMTP Postfix", Some("mx1.example.org")),
            ("mail ESMTP Postfix", Some("mail")),
            ("localhost SMTP", Some("localhost")),
            ("ESMTP ready", None),
            ("Welcome to our server", None),
            ("[192.0.2.1] ESMTP", None),
            ("192.0.2.1 ESMTP", None),
            ("4.3.2 too busy", None),
            ("mx1.example.org", Some("mx1.example.org")),
            ("***************", None),
            ("", None),
        ] {
            let greeting = Greeting { code: Some(220), lines: vec![line.to_owned()], delay: Duration::ZERO };
            assert_eq!(host_name(&greeting).as_ref().map(Name::as_str), expected, "{line}");
        }
    }

    #[test]
    fn a_wildcard_covers_one_label() {
        let name = Name::parse("mx1.example.org").unwrap();
        for (pattern, expected) in [
            ("mx1.example.org", true),
            ("MX1.example.org.", true),
            ("*.example.org", true),
            ("*.org", false),
            ("example.org", false),
            ("*", false),
        ] {
            assert_eq!(covers(pattern, &name), expected, "{pattern}");
        }
    }

    #[test]
    fn names_that_are_not_known_decide_nothing() {
        let name = Name::parse("mx1.example.org").unwrap();
        let present = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            Fact::present(names, Method::Session, None)
        };
        for (names, expected) in [
            (present(&["example.org", "*.example.org"]), Observed::Present(true)),
            (present(&["example.org"]), Observed::Present(false)),
            (Fact::absent(Proof::NotStated, Method::Session, None), Observed::Present(false)),
            (Fact::absent(Proof::NotOffered, Method::Session, None), Observed::Absent(Proof::NotOffered)),
            (Fact::unknown(Cause::TlsHandshake, None, None), Observed::Unknown(Cause::TlsHandshake)),
        ] {
            assert_eq!(in_certificate(&names, &name).observed, expected, "{names:?}");
        }
    }
}
