//! Attempts to relay, and talking before the greeting: only with `--active`, only at hosts that the inventory claims.
//!
//! The foreign domains are the IANA's example domains, which take no mail (RFC 2606 section 3, RFC 7505): even a server
//! that would relay could harm nobody, and no message is ever begun.

use std::net::IpAddr;

use super::Run;
use super::ask::{Probed, Transaction, transact};
use super::reply::Dialogue;
use crate::facts::Cause;
use crate::mail::Name;
use crate::probes::{Endpoint, Failure, Noted, Opening, Seen};

/// A sender whom the server does not know.
const FOREIGN_SENDER: &str = "mailvet-probe@example.net";

/// Local part and domain of a recipient for whom the server is not responsible.
const FOREIGN_LOCAL: &str = "mailvet-probe";
const FOREIGN_DOMAIN: &str = "example.com";

/// How many attempts one connection makes: servers lose patience after about ten errors.
const ATTEMPTS: usize = 6;

/// One attempt to relay.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Form of the attempt, such as `percent hack`.
    pub form: &'static str,
    /// What the server said.
    pub transaction: Transaction,
}

/// Form, sender and recipient of an attempt.
type Form = (&'static str, String, String);

/// Tries every form, in two connections.
pub(super) async fn attempts(run: &mut Run<'_>, opening: &Opening) -> Probed<Vec<Attempt>> {
    permitted(run, opening, "relaying")?;
    let forms = forms(run.endpoint, run.own_domain());
    let mut attempts: Vec<Attempt> = Vec::new();
    for (number, part) in forms.chunks(ATTEMPTS).enumerate() {
        let mut dialogue = match run.converse(&format!("smtp-relay-{}", number + 1), opening).await {
            Ok(dialogue) => dialogue,
            Err(failure) if attempts.is_empty() => return Err(failure),
            Err(failure) => {
                attempts.extend(part.iter().map(|form| unmade(form, &failure)));
                continue;
            }
        };
        for (form, sender, recipient) in part {
            attempts.push(Attempt { form, transaction: transact(&mut dialogue, sender, recipient).await });
        }
        dialogue.quit().await;
    }
    Ok(attempts)
}

/// An attempt that could not be made.
fn unmade((form, sender, recipient): &Form, failure: &Failure) -> Attempt {
    let (sender, recipient) = (sender.clone(), recipient.clone());
    Attempt { form, transaction: Transaction { sender, recipient, mail: Err(failure.clone()), rcpt: None } }
}

/// The forms in which servers have been talked into relaying (RFC 5321 sections 3.6.1, 4.1.1.3 and 7.9, appendix F.2).
fn forms(endpoint: &Endpoint, own: &Name) -> Vec<Form> {
    let host = endpoint.host.as_str();
    let literal = match endpoint.address.ip().to_canonical() {
        IpAddr::V4(address) => format!("[{address}]"),
        // RFC 5321 section 4.1.3
        IpAddr::V6(address) => format!("[IPv6:{address}]"),
    };
    let foreign = format!("{FOREIGN_LOCAL}@{FOREIGN_DOMAIN}");
    let percent = format!("{FOREIGN_LOCAL}%{FOREIGN_DOMAIN}");
    let bang = format!("{FOREIGN_DOMAIN}!{FOREIGN_LOCAL}");
    let stranger = || FOREIGN_SENDER.to_owned();
    vec![
        ("foreign to foreign", stranger(), foreign.clone()),
        ("own domain to foreign", format!("{FOREIGN_LOCAL}@{own}"), foreign.clone()),
        ("null sender to foreign", String::new(), foreign.clone()),
        ("postmaster of the address to foreign", format!("postmaster@{literal}"), foreign.clone()),
        ("percent hack at the host", stranger(), format!("{percent}@{host}")),
        ("percent hack at the own domain", stranger(), format!("{percent}@{own}")),
        ("percent hack at the address", stranger(), format!("{percent}@{literal}")),
        ("quoted address at the host", stranger(), format!("\"{foreign}\"@{host}")),
        ("bang path", stranger(), bang.clone()),
        ("bang path at the host", stranger(), format!("{bang}@{host}")),
        ("source route", stranger(), format!("@{host}:{foreign}")),
        ("two at signs", stranger(), format!("{foreign}@{host}")),
    ]
}

/// Whether a server carries out a command that came before its greeting (RFC 5321 section 4.3.1).
pub(super) async fn early_talk(run: &mut Run<'_>, opening: &Opening) -> Seen<bool> {
    permitted(run, opening, "talking before the greeting")?;
    if run.is_implicit_tls() {
        let note = "talking before the greeting is not tried inside TLS".to_owned();
        return Err(Failure { cause: Cause::NotCollected, note, span: opening.reached.clone()?.span });
    }
    let mut dialogue = run.connect("smtp-early").await?;
    let seen = talk_early(run, &mut dialogue).await;
    let dropped = seen.is_err() && dialogue.session().is_ended_by_server();
    dialogue.quit().await;
    match seen {
        Err(failure) if dropped && failure.cause == Cause::Protocol => dropped_for_it(run, failure).await,
        seen => seen,
    }
}

/// To be dropped is the answer that early talkers deserve, but servers drop clients for other reasons, too: it was for
/// talking early where a client that waits is greeted right after.
async fn dropped_for_it(run: &mut Run<'_>, failure: Failure) -> Seen<bool> {
    let mut polite = run.connect("smtp-polite").await?;
    let greeted = polite.reply().await.is_ok_and(|greeting| greeting.value.is_positive());
    polite.quit().await;
    if greeted { Ok(Noted { value: false, span: failure.span }) } else { Err(failure) }
}

async fn talk_early(run: &Run<'_>, dialogue: &mut Dialogue<'_>) -> Seen<bool> {
    if let Err(failure) = dialogue.session().send(&format!("EHLO {}", run.settings.ehlo_name)).await {
        return Err(dialogue.end(failure));
    }
    let mut reply = dialogue.reply().await;
    if reply.as_ref().is_ok_and(|greeting| greeting.value.is_positive()) {
        reply = dialogue.reply().await;
    }
    match reply {
        Ok(reply) => Ok(Noted { value: reply.value.is_positive(), span: reply.span }),
        Err(failure) => Err(failure),
    }
}

/// Whether active probes are allowed here.
fn permitted(run: &Run<'_>, opening: &Opening, what: &str) -> Result<(), Failure> {
    let why = if !run.endpoint.claimed {
        "the inventory does not claim this host"
    } else if !run.settings.active {
        "it needs --active"
    } else {
        return Ok(());
    };
    let note = format!("{what} was not tried: {why}");
    Err(Failure { cause: Cause::NotCollected, note, span: opening.reached.clone()?.span })
}
