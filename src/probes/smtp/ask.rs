//! Questions to a server that talks to us: VRFY, EXPN, mail without authentication, mail for `postmaster` and `abuse`.

use super::reply::{Dialogue, Reply};
use super::{Run, is_submission};
use crate::facts::Cause;
use crate::facts::service::Protocol;
use crate::probes::{Failure, Seen};

/// A mailbox that nobody has.
const INVENTED: &str = "mailvet-no-such-user";

/// Most domains of one host for which mail to `postmaster` and `abuse` is tried.
pub const MOST_DOMAINS: usize = 3;

/// The answers to questions, or why none was asked.
pub type Probed<T> = Result<T, Failure>;

/// One VRFY or EXPN command.
#[derive(Debug, Clone)]
pub struct Question {
    /// Mailbox or list asked.
    pub asked: String,
    /// Whether it is an invented one.
    pub is_invented: bool,
    /// The reply.
    pub reply: Seen<Reply>,
}

/// MAIL and RCPT. The transaction ends there, with RSET: no message follows.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// Address in MAIL; empty for the null sender.
    pub sender: String,
    /// Address in RCPT.
    pub recipient: String,
    /// Reply to MAIL.
    pub mail: Seen<Reply>,
    /// Reply to RCPT; `None` when MAIL was not accepted.
    pub rcpt: Option<Seen<Reply>>,
}

/// Whom a trial of mail for a domain is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mailbox {
    /// `postmaster` (RFC 5321 section 4.5.1).
    Postmaster,
    /// `abuse` (RFC 2142 section 2).
    Abuse,
    /// A mailbox that nobody has: a server that accepts it says nothing by accepting the others.
    Invented,
}

/// Mail for a mailbox of a domain that the host takes mail for.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// The mailbox.
    pub mailbox: Mailbox,
    /// What the server said.
    pub transaction: Transaction,
}

/// The answers to all questions of one conversation.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    pub(super) vrfy: Probed<Vec<Question>>,
    pub(super) expn: Probed<Vec<Question>>,
    pub(super) submission: Probed<Transaction>,
    pub(super) recipients: Probed<Vec<Recipient>>,
}

/// Asks everything that may be asked. What matters most comes first, in case the server loses patience.
pub(super) async fn all(run: &Run<'_>, dialogue: &mut Dialogue<'_>) -> Answers {
    let submission = submission(run, dialogue).await;
    let recipients = recipients(run, dialogue).await;
    let domain = run.own_domain().as_str();
    let named = format!("postmaster@{domain}");
    let vrfy = questions(run, dialogue, "VRFY", &["postmaster", &named, INVENTED]).await;
    let expn = questions(run, dialogue, "EXPN", &["postmaster", "staff"]).await;
    Answers { vrfy, expn, submission, recipients }
}

/// Whether mail without authentication is accepted by a submission server (RFC 6409 section 4.3).
async fn submission(run: &Run<'_>, dialogue: &mut Dialogue<'_>) -> Probed<Transaction> {
    if !is_submission(run.endpoint.protocol) {
        return Err(inapplicable(dialogue, "not a submission server: it takes mail of others"));
    }
    alive(dialogue)?;
    let recipient = format!("postmaster@{}", run.own_domain());
    Ok(transact(dialogue, &run.probe_address(), &recipient).await)
}

/// Mail for the mailboxes that every domain must have, and for one that it has not.
async fn recipients(run: &Run<'_>, dialogue: &mut Dialogue<'_>) -> Probed<Vec<Recipient>> {
    if run.endpoint.protocol != Protocol::Smtp {
        return Err(inapplicable(dialogue, "not a server that takes mail from other servers"));
    }
    claimed(run, dialogue, "mail for postmaster and abuse")?;
    if run.endpoint.domains.is_empty() {
        return Err(inapplicable(dialogue, "no domain of this run has its mail here"));
    }
    alive(dialogue)?;
    let mut tried = Vec::new();
    for domain in run.endpoint.domains.iter().take(MOST_DOMAINS) {
        for (mailbox, local) in
            [(Mailbox::Postmaster, "postmaster"), (Mailbox::Abuse, "abuse"), (Mailbox::Invented, INVENTED)]
        {
            // The null sender is the one that every server must take (RFC 5321 section 4.5.5).
            let transaction = transact(dialogue, "", &format!("{local}@{domain}")).await;
            tried.push(Recipient { mailbox, transaction });
        }
    }
    Ok(tried)
}

/// VRFY or EXPN for several names (RFC 5321 section 3.5).
async fn questions(run: &Run<'_>, dialogue: &mut Dialogue<'_>, command: &str, names: &[&str]) -> Probed<Vec<Question>> {
    claimed(run, dialogue, command)?;
    alive(dialogue)?;
    let mut answers = Vec::new();
    for name in names {
        let reply = dialogue.command(&format!("{command} {name}")).await;
        answers.push(Question { asked: (*name).to_owned(), is_invented: *name == INVENTED, reply });
    }
    Ok(answers)
}

/// MAIL, RCPT when MAIL was accepted, RSET.
pub(super) async fn transact(dialogue: &mut Dialogue<'_>, sender: &str, recipient: &str) -> Transaction {
    let mail = dialogue.command(&format!("MAIL FROM:<{sender}>")).await;
    let rcpt = match &mail {
        Ok(reply) if reply.value.is_positive() => {
            let rcpt = dialogue.command(&format!("RCPT TO:<{recipient}>")).await;
            dialogue.command("RSET").await.ok();
            Some(rcpt)
        }
        _ => None,
    };
    Transaction { sender: sender.to_owned(), recipient: recipient.to_owned(), mail, rcpt }
}

/// Whether the inventory claims the host. Others are not asked what a visitor has no business with.
pub(super) fn claimed(run: &Run<'_>, dialogue: &mut Dialogue<'_>, what: &str) -> Result<(), Failure> {
    if run.endpoint.claimed {
        return Ok(());
    }
    let note = format!("{what} was not tried: the inventory does not claim this host");
    Err(inapplicable(dialogue, &note))
}

/// Why something was not asked at all. There is nothing to point at but the connection.
pub(super) fn inapplicable(dialogue: &mut Dialogue<'_>, note: &str) -> Failure {
    Failure { cause: Cause::NotCollected, note: note.to_owned(), span: dialogue.session().connected() }
}

fn alive(dialogue: &Dialogue<'_>) -> Result<(), Failure> {
    dialogue.ended().map_or(Ok(()), |failure| Err(failure.clone()))
}
