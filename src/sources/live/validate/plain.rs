//! Answers that need no closer look: nothing in them is signed, and there is nothing but what was asked for.
//!
//! Most domains are unsigned. Where the chain of keys is known to end above such an answer, its state is that of the chain;
//! what this takes is found when a message is first read, so that nobody has to read it again.

use crate::mail::Name;
use crate::sources::RecordType;

use super::super::outcome::{NOERROR, NXDOMAIN};
use super::super::wire::{CLASS_IN, Message, Section};

/// An answer without signatures, by zones that may be below the end of a chain.
#[derive(Debug)]
pub(in crate::sources::live) struct Plain {
    /// The owner of the SOA record that stands beside it.
    authority: Option<Name>,
}

impl Plain {
    /// Whether an answer is plain: records of the wanted type at the name or none, at most one SOA record, no signature.
    pub(in crate::sources::live) fn of(message: &Message<'_>, name: &Name, rtype: RecordType) -> Option<Plain> {
        let mut authority = None;
        for head in &message.records {
            match (head.section, head.rtype) {
                (Section::Additional, _) => {}
                (_, RecordType::RRSIG) => return None,
                (Section::Answer, found) if found == rtype && head.owner == *name && head.class == CLASS_IN => {}
                (Section::Answer, _) => return None,
                (Section::Authority, RecordType::SOA) if authority.is_some() => return None,
                (Section::Authority, RecordType::SOA) => authority = Some(head.owner.clone()),
                (Section::Authority, _) => {}
            }
        }
        matches!(message.rcode, NOERROR | NXDOMAIN).then_some(Plain { authority })
    }

    /// Whether the zones that gave the answer are at or below the name `cut`, at which the chain of keys ends.
    pub(super) fn is_below(&self, cut: &Name) -> bool {
        self.authority.as_ref().is_none_or(|owner| owner.is_within(cut))
    }
}
