//! What a message says about a question: the outcomes of RFC 2308 and RFC 8914, never folded into one another.

use super::convert::Shown;
use super::exchange::Heard;
use super::wire::{Message, Section, extended_word, rcode_word};
use crate::diag::Span;
use crate::facts::{Cause, Proof};
use crate::mail::Name;
use crate::sources::record::{Alias, Answer, Outcome, RData, Record, RecordType};

pub(super) const NOERROR: u16 = 0;
pub(super) const SERVFAIL: u16 = 2;
pub(super) const NXDOMAIN: u16 = 3;
const REFUSED: u16 = 5;

/// Most aliases that are followed, as many as common resolvers follow.
const ALIAS_LIMIT: usize = 16;

/// Extended errors by which a resolver says that it made the answer up or holds one back (RFC 8914 sections 4.5, 4.16
/// to 4.18).
const CENSORED: [u16; 4] = [4, 15, 16, 17];

/// Extended errors by which a resolver says that DNSSEC validation failed (RFC 8914 sections 4.6 to 4.13).
const UNVALIDATED: std::ops::RangeInclusive<u16> = 5..=12;

/// What one message says.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) answer: Answer,
    /// The chain of aliases goes on with this name, outside the message.
    pub(super) onward: Option<Name>,
    /// The zone of the name that was asked for, and its SOA record, if that stands in the message.
    pub(super) zone: Option<(Name, Span)>,
}

/// Reads what a message says about the records of a type at a name. `first` is the first line of its text.
pub(super) fn read(
    (heard, message): (&Heard, &Message<'_>),
    shown: Shown,
    (name, rtype): (&Name, RecordType),
    first: Span,
) -> Said {
    let wildcard = shown.wildcard;
    let soa = shown.authority;
    let referral =
        message.records.iter().any(|head| head.section == Section::Authority && head.rtype == RecordType::NS);
    let answers = shown.records.into_iter().filter(|(section, _)| *section == Section::Answer);
    let mut answers: Vec<Record> = answers.map(|(_, record)| record).collect();
    let (aliases, end) = follow(&answers, name, rtype);
    let proof_span = soa.as_ref().map_or(first, |(_, _, span)| *span);
    let proven = soa.as_ref().is_some_and(|(section, owner, _)| *section == Section::Authority && end.is_within(owner));
    let zone = soa.filter(|(_, owner, _)| aliases.is_empty() && name.is_within(owner));
    let zone = zone.map(|(_, owner, span)| (owner, span));
    let absent = |proof| Outcome::Absent { proof, span: Some(proof_span) };
    let unknown = |cause, note: String| Outcome::Unknown { cause, note: note.into(), span: Some(first) };
    let said = |aliases, outcome, onward| Said {
        answer: Answer { aliases, outcome, wildcard, incomplete: None },
        onward,
        zone,
    };
    if let Some((cause, note)) = failure(heard, message) {
        return said(aliases, unknown(cause, note), None);
    }
    if let Some(note) = runs_away(&aliases, &end) {
        return said(aliases, unknown(Cause::Protocol, note), None);
    }
    // RFC 6604 section 3: the response code is that of the last name of the chain.
    if message.rcode == NXDOMAIN {
        return said(aliases, absent(Proof::Nxdomain), None);
    }
    answers.retain(|record| record.owner == end);
    // An alias that could be read would have been followed, so this one cannot, and where it leads is not known.
    if let Some(alias) = answers.iter().find(|record| record.rtype == RecordType::CNAME && rtype != record.rtype) {
        let note = "the alias cannot be read".into();
        return said(aliases, Outcome::Unknown { cause: Cause::Protocol, note, span: Some(alias.span) }, None);
    }
    answers.retain(|record| record.rtype == rtype);
    if !answers.is_empty() {
        return said(aliases, Outcome::Records(answers.into()), None);
    }
    // RFC 1034 section 3.6.2: a chain that leaves what the server knows is followed by asking on.
    if !aliases.is_empty() && !proven {
        return said(aliases, unknown(Cause::NotCollected, "the alias was not followed".to_owned()), Some(end));
    }
    // RFC 2308 section 2.2: without SOA but with NS records, the reply is a referral, not NODATA.
    if !proven && referral && !message.authoritative() && !message.recursion_available() {
        let note = format!("{} refers to other servers instead of answering: it is no resolver", heard.server);
        return said(aliases, unknown(Cause::Protocol, note), None);
    }
    said(aliases, absent(Proof::Nodata), None)
}

/// The chain of aliases in an answer section: its steps, and where it ends.
fn follow(answers: &[Record], name: &Name, rtype: RecordType) -> (Vec<Alias>, Name) {
    let (mut aliases, mut end) = (Vec::<Alias>::new(), name.clone());
    while rtype != RecordType::CNAME && runs_away(&aliases, &end).is_none() {
        let step = answers.iter().find_map(|record| match &record.data {
            RData::Cname(target, _) if record.owner == end => Some((target.clone(), record.span)),
            _ => None,
        });
        let Some((target, span)) = step else { break };
        aliases.push(Alias { owner: end, target: target.clone(), span });
        end = target;
    }
    (aliases, end)
}

/// Why a chain of aliases must not be followed to a next name, if so.
pub(super) fn runs_away(aliases: &[Alias], next: &Name) -> Option<String> {
    if aliases.iter().any(|alias| alias.owner == *next) {
        return Some("the aliases lead in a circle".to_owned());
    }
    (aliases.len() >= ALIAS_LIMIT).then(|| format!("{ALIAS_LIMIT} aliases follow each other, which is too many"))
}

/// Why a message is no answer, if it is none.
pub(super) fn failure(heard: &Heard, message: &Message<'_>) -> Option<(Cause, String)> {
    let extended = message.extended.as_ref();
    let cause = match message.rcode {
        // The resolver says itself that this is not what the zone holds.
        NOERROR | NXDOMAIN if extended.is_some_and(|error| CENSORED.contains(&error.code)) => Cause::DnsRefused,
        NOERROR | NXDOMAIN => return None,
        SERVFAIL => Cause::DnsServfail,
        REFUSED => Cause::DnsRefused,
        _ => Cause::Protocol,
    };
    let mut note = format!("{} answered {}", heard.server, rcode_word(message.rcode));
    if let Some(error) = extended {
        note.push_str("; extended error ");
        note.push_str(&extended_line(error.code, &error.text));
    }
    Some((cause, note))
}

/// Whether a message says that DNSSEC validation failed.
pub(super) fn blames_validation(message: &Message<'_>) -> bool {
    message.extended.as_ref().is_some_and(|error| UNVALIDATED.contains(&error.code))
}

/// An extended error for people: `7 (Signature Expired): since yesterday`.
pub(super) fn extended_line(code: u16, text: &str) -> String {
    match text {
        "" => format!("{code} ({})", extended_word(code)),
        text => format!("{code} ({}): {text}", extended_word(code)),
    }
}
