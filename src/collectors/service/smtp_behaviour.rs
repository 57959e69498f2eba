//! What follows from the replies of an SMTP server: VRFY, EXPN, relaying, `postmaster`, greylisting, authentication.
//!
//! A reply is evidence for what it says and for nothing else. A server that turns us away because of who we are, or asks
//! us to come back later, has not said whether it relays or knows `postmaster`.

use super::{observed, unseen};
use crate::facts::domain::List;
use crate::facts::service::{RelayFacts, RelayStatus, VrfyFacts};
use crate::facts::{Cause, Fact};
use crate::probes::smtp::{Attempt, MOST_DOMAINS, Mailbox, Probed, Question, Recipient, Reply, Transaction};
use crate::probes::{Endpoint, Failure, Noted, Seen};

/// Words of refusals that are about the client's address or name, not about what it asked for.
const ABOUT_US: &[&str] = &[
    "blocked using",
    "blocklist",
    "block list",
    "blacklist",
    "dnsbl",
    "rbl",
    "spamhaus",
    "reputation",
    "banned",
    "reverse dns",
    "reverse hostname",
    "ptr record",
    "helo command rejected",
];

/// Words of refusals for want of a permission that a login would give.
const ABOUT_PERMISSION: &[&str] = &["auth", "log in", "login", "logged in", "relay", "access denied", "not permitted"];

/// Answers to VRFY or EXPN, one by one.
pub(super) fn answers(questions: &Probed<Vec<Question>>) -> Fact<List<VrfyFacts>> {
    let questions = match questions {
        Ok(questions) => questions,
        Err(failure) => return unseen(failure),
    };
    let rows = questions.iter().map(|question| VrfyFacts {
        asked: super::seen(&question.reply, |_| question.asked.clone()),
        code: super::seen(&question.reply, |reply| i64::from(reply.code)),
        confirms: match &question.reply {
            Ok(reply) if reply.value.is_transient() => unseen(&later(reply)),
            reply => super::seen(reply, confirms),
        },
    });
    list(rows.collect(), questions.iter().map(|question| &question.reply))
}

/// Whether VRFY tells mailboxes that exist from one that does not (RFC 5321 section 3.5.3).
pub(super) fn vrfy_confirms(questions: &Probed<Vec<Question>>) -> Fact<bool> {
    let questions = match questions {
        Ok(questions) => questions,
        Err(failure) => return unseen(failure),
    };
    let real: Vec<&Question> = questions.iter().filter(|question| !question.is_invented).collect();
    let invented = questions.iter().find(|question| question.is_invented);
    let Some(confirmed) =
        real.iter().find_map(|question| question.reply.as_ref().ok().filter(|reply| confirms(&reply.value)))
    else {
        return none_of(questions.iter().map(|question| &question.reply));
    };
    match invented.map(|question| &question.reply) {
        Some(Ok(reply)) if confirms(&reply.value) => observed(false, confirmed.span)
            .with_note("an invented mailbox gets the same answer, so the answers confirm nothing"),
        Some(Ok(reply)) if !reply.value.is_transient() => observed(true, confirmed.span),
        // Without the answer for an invented mailbox, only an address in the reply shows that a mailbox was looked up.
        _ if confirmed.value.words().contains('@') => observed(true, confirmed.span),
        Some(Ok(reply)) => unseen(&later(reply)),
        Some(Err(failure)) => unseen(failure),
        None => observed(true, confirmed.span),
    }
}

/// Whether EXPN expands any list.
pub(super) fn expn_expands(questions: &Probed<Vec<Question>>) -> Fact<bool> {
    let questions = match questions {
        Ok(questions) => questions,
        Err(failure) => return unseen(failure),
    };
    let mut replies = questions.iter().map(|question| &question.reply);
    match replies.clone().find_map(|reply| reply.as_ref().ok().filter(|reply| confirms(&reply.value))) {
        Some(reply) => observed(true, reply.span),
        None => none_of(&mut replies),
    }
}

/// 250 and 251 confirm; 252 promises to try (RFC 5321 section 3.5.3).
fn confirms(reply: &Reply) -> bool {
    matches!(reply.code, 250 | 251)
}

/// False when every reply says no; unknown when one is missing or asks to come back later.
fn none_of<'a>(replies: impl Iterator<Item = &'a Seen<Reply>>) -> Fact<bool> {
    let mut span = None;
    for reply in replies {
        match reply {
            Err(failure) => return unseen(failure),
            Ok(reply) if reply.value.is_transient() => return unseen(&later(reply)),
            Ok(reply) => span = span.or(Some(reply.span)),
        }
    }
    span.map_or_else(Fact::default, |span| observed(false, span))
}

/// Attempts to relay, one by one.
pub(super) fn relay(attempts: &Probed<Vec<Attempt>>) -> Fact<List<RelayFacts>> {
    let attempts = match attempts {
        Ok(attempts) => attempts,
        Err(failure) => return unseen(failure),
    };
    let rows = attempts.iter().map(|attempt| {
        let last = last_reply(&attempt.transaction);
        RelayFacts {
            form: super::known(attempt.form.to_owned()),
            sender: super::known(attempt.transaction.sender.clone()),
            recipient: super::known(attempt.transaction.recipient.clone()),
            code: super::seen(last, |reply| i64::from(reply.code)),
            status: status(&attempt.transaction),
        }
    });
    list(rows.collect(), attempts.iter().map(|attempt| last_reply(&attempt.transaction)))
}

/// The furthest that any attempt came. What was accepted once is decided, whatever else could not be tried.
pub(super) fn open_relay(attempts: &Probed<Vec<Attempt>>) -> Fact<RelayStatus> {
    let attempts = match attempts {
        Ok(attempts) => attempts,
        Err(failure) => return unseen(failure),
    };
    let mut furthest: Option<Fact<RelayStatus>> = None;
    let mut unknown = None;
    for attempt in attempts {
        let status = status(&attempt.transaction);
        match (status.observed.present(), furthest.as_ref().and_then(|fact| fact.observed.present())) {
            (None, _) => {
                unknown.get_or_insert(status);
            }
            (Some(new), Some(old)) if new <= old => {}
            (Some(_), _) => furthest = Some(status.with_note(format!("by the form {}", attempt.form))),
        }
    }
    match (furthest, unknown) {
        (Some(fact), _) if fact.observed.present() == Some(&RelayStatus::Suspected) => fact,
        (_, Some(unknown)) => unknown,
        (furthest, None) => furthest.unwrap_or_default(),
    }
}

/// How far one attempt came (RFC 5321 sections 3.6.3 and 7.9).
fn status(transaction: &Transaction) -> Fact<RelayStatus> {
    let (reply, at_recipient) = match (&transaction.mail, &transaction.rcpt) {
        (Err(failure), _) | (_, Some(Err(failure))) => return unseen(failure),
        (_, Some(Ok(reply))) => (reply, true),
        (Ok(reply), None) => (reply, false),
    };
    let status = match &reply.value {
        // RFC 4954 section 6: no stranger sends anything here, whoever the sender.
        reply if !at_recipient && reply.code == 530 => RelayStatus::Refused,
        // The sender was refused already, so nobody knows what would have become of the recipient.
        _ if !at_recipient => RelayStatus::Inconclusive,
        reply if reply.is_positive() => RelayStatus::Suspected,
        reply if reply.is_permanent() && !is_about_us(reply) => RelayStatus::Refused,
        _ => RelayStatus::Inconclusive,
    };
    observed(status, reply.span)
}

/// Whether mail for `postmaster` is accepted for every domain that was tried.
pub(super) fn postmaster(endpoint: &Endpoint, recipients: &Probed<Vec<Recipient>>) -> Fact<bool> {
    mailbox(endpoint, recipients, Mailbox::Postmaster)
}

/// Whether mail for `abuse` is accepted for every domain that was tried.
pub(super) fn abuse(endpoint: &Endpoint, recipients: &Probed<Vec<Recipient>>) -> Fact<bool> {
    mailbox(endpoint, recipients, Mailbox::Abuse)
}

fn mailbox(endpoint: &Endpoint, recipients: &Probed<Vec<Recipient>>, mailbox: Mailbox) -> Fact<bool> {
    let recipients = match recipients {
        Ok(recipients) => recipients,
        Err(failure) => return unseen(failure),
    };
    let accepts_everybody = recipients.iter().any(|recipient| {
        recipient.mailbox == Mailbox::Invented && accepted(&recipient.transaction).is_ok_and(|it| it.value)
    });
    let (mut yes, mut unknown) = (None, None);
    for recipient in recipients.iter().filter(|recipient| recipient.mailbox == mailbox) {
        match accepted(&recipient.transaction) {
            Ok(Noted { value: false, span }) => {
                return observed(false, span).with_note(format!("{} is refused", recipient.transaction.recipient));
            }
            Ok(Noted { value: true, span }) => yes = yes.or(Some(span)),
            Err(failure) => unknown = unknown.or(Some(failure)),
        }
    }
    match (unknown, yes) {
        (Some(failure), _) => unseen(&failure),
        (None, None) => Fact::default(),
        (None, Some(span)) if accepts_everybody => observed(true, span)
            .with_note("the server accepts an invented mailbox, too, so that it accepts this one says nothing"),
        (None, Some(span)) if endpoint.domains.len() > MOST_DOMAINS => {
            observed(true, span).with_note(format!("tried for {MOST_DOMAINS} of {} domains", endpoint.domains.len()))
        }
        (None, Some(span)) => observed(true, span),
    }
}

/// Whether a recipient was accepted. A refusal of the sender, or of us, says nothing about the recipient.
fn accepted(transaction: &Transaction) -> Seen<bool> {
    let reply = match (&transaction.mail, &transaction.rcpt) {
        (Err(failure), _) | (_, Some(Err(failure))) => return Err(failure.clone()),
        (_, Some(Ok(reply))) => reply,
        (Ok(reply), None) if reply.value.is_transient() => return Err(later(reply)),
        (Ok(reply), None) => return Err(elsewhere("the sender was refused already", reply)),
    };
    if reply.value.is_transient() {
        return Err(later(reply));
    }
    if reply.value.is_permanent() && is_about_us(&reply.value) {
        return Err(elsewhere("the server refuses us", reply));
    }
    Ok(Noted { value: reply.value.is_positive(), span: reply.span })
}

/// Whether the server told us to come back later (RFC 6647 section 2).
pub(super) fn greylisting(recipients: &Probed<Vec<Recipient>>) -> Fact<bool> {
    let recipients = match recipients {
        Ok(recipients) => recipients,
        Err(failure) => return unseen(failure),
    };
    let replies = || recipients.iter().map(|recipient| last_reply(&recipient.transaction));
    let later = replies().find_map(|reply| reply.as_ref().ok().filter(|reply| matches!(reply.value.code, 450 | 451)));
    match (later, replies().find_map(|reply| reply.as_ref().err()), replies().find_map(|reply| reply.as_ref().ok())) {
        (Some(reply), ..) => observed(true, reply.span),
        (None, Some(failure), _) => unseen(failure),
        (None, None, Some(reply)) => observed(false, reply.span),
        (None, None, None) => Fact::default(),
    }
}

/// Whether a submission server refuses mail of those who have not logged in (RFC 6409 section 4.3).
pub(super) fn authentication_required(transaction: &Probed<Transaction>) -> Fact<bool> {
    let transaction = match transaction {
        Ok(transaction) => transaction,
        Err(failure) => return unseen(failure),
    };
    let reply = match last_reply(transaction) {
        Ok(reply) => reply,
        Err(failure) => return unseen(failure),
    };
    let words = reply.value.words();
    if reply.value.is_positive() {
        return observed(false, reply.span);
    }
    if reply.value.is_transient() {
        return unseen(&later(reply));
    }
    if is_about_us(&reply.value) {
        return unseen(&elsewhere("the server refuses us", reply));
    }
    if reply.value.code == 530 && words.contains("tls") && !words.contains("auth") {
        return unseen(&elsewhere("the server asks for TLS first", reply));
    }
    // RFC 4954 section 6 gives 530; RFC 3463 section 3.8 gives X.7.z to refusals for want of permission.
    let wants_permission = reply.value.code == 530
        || matches!(reply.value.enhanced(), Some((7, _)))
        || ABOUT_PERMISSION.iter().any(|word| words.contains(word));
    if wants_permission {
        return observed(true, reply.span);
    }
    unseen(&elsewhere("the refusal does not say that it is for want of a login", reply))
}

/// The reply that decided.
fn last_reply(transaction: &Transaction) -> &Seen<Reply> {
    transaction.rcpt.as_ref().unwrap_or(&transaction.mail)
}

fn is_about_us(reply: &Reply) -> bool {
    let words = reply.words();
    ABOUT_US.iter().any(|word| words.contains(word))
}

/// A reply that asks to come back later (RFC 5321 section 4.2.1).
fn later(reply: &Noted<Reply>) -> Failure {
    let note = format!("the server asks to come back later: {}", reply.value.text());
    Failure { cause: Cause::RateLimited, note, span: reply.span }
}

/// A reply that answers another question.
fn elsewhere(what: &str, reply: &Noted<Reply>) -> Failure {
    Failure { cause: Cause::Protocol, note: format!("{what}: {}", reply.value.text()), span: reply.span }
}

/// Rows with the place of the first reply; unknown when there is none.
fn list<'a, T>(rows: Vec<T>, replies: impl Iterator<Item = &'a Seen<Reply>> + Clone) -> Fact<List<T>> {
    let mut replies = replies;
    match replies.clone().find_map(|reply| reply.as_ref().ok()) {
        Some(reply) => observed(List(rows), reply.span),
        None => replies.find_map(|reply| reply.as_ref().err()).map_or_else(Fact::default, unseen),
    }
}
