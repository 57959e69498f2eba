//! The main conversation: greeting, EHLO, the step into TLS, EHLO again, then the questions; and the test whether a
//! command can be smuggled across that step.

use std::time::Duration;

use tokio::time::Instant;

use super::ask::{self, Answers, inapplicable};
use super::hello::{Hello, refusal, say_hello};
use super::reply::Dialogue;
use super::{Run, is_submission};
use crate::diag::Span;
use crate::facts::Cause;
use crate::probes::tls::Handshake;
use crate::probes::{Failure, Greeting, Noted, Opening, Seen};

/// How long an answer to an injected command is waited for. A careful server stays silent until EHLO.
const INJECTION_WAIT: Duration = Duration::from_secs(1);

/// What the main conversation showed.
pub(super) struct Main {
    pub(super) opening: Opening,
    pub(super) plain: Seen<Hello>,
    pub(super) inside: Seen<Hello>,
    pub(super) answers: Answers,
    /// Why nothing more should be asked of the server: it sent us away, or is gone.
    pub(super) sent_away: Option<Failure>,
}

/// What is known of the step into TLS.
struct Step {
    offered: Seen<bool>,
    negotiated: Seen<bool>,
    required: Seen<bool>,
    handshake: Result<(Handshake, Span), Failure>,
}

/// Holds the main conversation. Once it has ended, each further step fails for the reason for which it ended.
pub(super) async fn hold<'a>(run: &mut Run<'a>, mut dialogue: Dialogue<'a>) -> Main {
    let since = Instant::now();
    let reached = Ok(Noted { value: (), span: dialogue.session().connected() });
    let (greeting, plain, step) = if run.is_implicit_tls() {
        let handshake = start_tls(&mut dialogue).await;
        let greeting = greet(&mut dialogue, since).await;
        let failure = inapplicable(&mut dialogue, "the service speaks TLS from the first byte");
        let (offered, negotiated, required) = (Err(failure.clone()), Err(failure.clone()), Err(failure.clone()));
        (greeting, Err(failure), Step { offered, negotiated, required, handshake })
    } else {
        let greeting = greet(&mut dialogue, since).await;
        let plain = say_hello(&mut dialogue).await;
        let step = step_into_tls(run, &mut dialogue, &plain).await;
        (greeting, plain, step)
    };
    let inside = match &step.handshake {
        Ok(_) => say_hello(&mut dialogue).await,
        Err(failure) => Err(failure.clone()),
    };
    let injection = match &step.handshake {
        Ok((_, span)) => {
            Failure { cause: Cause::NotCollected, note: "injection was not tested".to_owned(), span: *span }
        }
        Err(failure) => failure.clone(),
    };
    let opening = Opening {
        reached,
        greeting,
        starttls_offered: step.offered,
        starttls_negotiated: step.negotiated,
        injection: Err(injection),
        tls_required: step.required,
        handshake: step.handshake,
    };
    let mut dialogue = go_on_without_tls(run, dialogue, &opening).await;
    let answers = ask::all(run, &mut dialogue).await;
    let sent_away = dialogue.ended().cloned();
    dialogue.quit().await;
    Main { opening, plain, inside, answers, sent_away }
}

/// Reads the greeting to its last line (RFC 5321 sections 3.1 and 4.2). Anything but 2yz ends the conversation.
async fn greet(dialogue: &mut Dialogue<'_>, since: Instant) -> Seen<Greeting> {
    let reply = match dialogue.any_reply().await {
        Ok(reply) => reply,
        Err(failure) => return Err(dialogue.end(failure)),
    };
    if !reply.value.is_positive() {
        dialogue.end(refusal(&reply));
    }
    let lines = reply.value.lines.iter().map(|line| line.value.clone()).collect();
    let greeting = Greeting { code: Some(reply.value.code), lines, delay: since.elapsed() };
    Ok(Noted { value: greeting, span: reply.span })
}

/// Whether TLS is offered, demanded and, at last, established.
async fn step_into_tls(run: &Run<'_>, dialogue: &mut Dialogue<'_>, plain: &Seen<Hello>) -> Step {
    let hello = match plain {
        Ok(hello) => hello,
        Err(failure) => {
            let failed = || Err(failure.clone());
            return Step {
                offered: failed(),
                negotiated: failed(),
                required: failed(),
                handshake: Err(failure.clone()),
            };
        }
    };
    let keyword = hello.value.keyword("STARTTLS");
    let offered = Ok(Noted { value: keyword.is_some(), span: keyword.map_or(hello.span, |keyword| keyword.span) });
    let required = requires_tls(run, dialogue).await;
    if keyword.is_none() {
        let note = "STARTTLS is not offered".to_owned();
        let failure = Failure { cause: Cause::NotCollected, note, span: hello.span };
        return Step { offered, negotiated: Err(failure.clone()), required, handshake: Err(failure) };
    }
    let (negotiated, handshake) = negotiate(dialogue).await;
    Step { offered, negotiated, required, handshake }
}

/// Whether MAIL before TLS is refused for the lack of TLS (RFC 3207 section 4).
async fn requires_tls(run: &Run<'_>, dialogue: &mut Dialogue<'_>) -> Seen<bool> {
    let sender = if is_submission(run.endpoint.protocol) { run.probe_address() } else { String::new() };
    let reply = dialogue.command(&format!("MAIL FROM:<{sender}>")).await?;
    if reply.value.is_positive() {
        dialogue.command("RSET").await.ok();
        return Ok(Noted { value: false, span: reply.span });
    }
    let words = reply.value.words();
    // RFC 3207 section 4 gives the code 530 to this refusal and RFC 4954 section 6 gives it to the lack of
    // authentication; only the text tells them apart.
    let says_tls = ["starttls", "tls", "encrypt", "ssl"].iter().any(|word| words.contains(word));
    if says_tls || (reply.value.code == 530 && !words.contains("auth")) {
        return Ok(Noted { value: true, span: reply.span });
    }
    if reply.value.is_transient() {
        return Err(refusal(&reply));
    }
    Ok(Noted { value: false, span: reply.span })
}

/// STARTTLS and the handshake: whether the server did both, and the handshake itself.
async fn negotiate(dialogue: &mut Dialogue<'_>) -> (Seen<bool>, Result<(Handshake, Span), Failure>) {
    let reply = match dialogue.command("STARTTLS").await {
        Ok(reply) => reply,
        Err(failure) => return (Err(failure.clone()), Err(failure)),
    };
    // RFC 3207 section 4: 220 and nothing else.
    if reply.value.code != 220 {
        let note = format!("the server offers STARTTLS and refuses it: {}", reply.value.text());
        let failure = Failure { cause: Cause::TlsHandshake, note, span: reply.span };
        return (Ok(Noted { value: false, span: reply.span }), Err(failure));
    }
    match start_tls(dialogue).await {
        Ok((handshake, span)) => (Ok(Noted { value: true, span }), Ok((handshake, span))),
        Err(failure) if failure.cause == Cause::TlsHandshake => {
            (Ok(Noted { value: false, span: failure.span }), Err(failure))
        }
        Err(failure) => (Err(failure.clone()), Err(failure)),
    }
}

async fn start_tls(dialogue: &mut Dialogue<'_>) -> Result<(Handshake, Span), Failure> {
    match dialogue.session().start_tls().await {
        Ok(established) => Ok(established),
        Err(failure) => Err(dialogue.end(failure)),
    }
}

/// After a handshake that failed, the questions are asked in a new conversation without TLS: a service with broken
/// STARTTLS still takes mail from most servers.
async fn go_on_without_tls<'a>(run: &mut Run<'a>, dialogue: Dialogue<'a>, opening: &Opening) -> Dialogue<'a> {
    let is_broken = dialogue.ended().is_some_and(|failure| failure.cause == Cause::TlsHandshake);
    if !is_broken || run.is_implicit_tls() {
        return dialogue;
    }
    match run.converse("smtp-plain", opening).await {
        Ok(plain) => plain,
        Err(failure) => dialogue.ended_by(failure),
    }
}

/// Whether a command sent in one packet with STARTTLS is answered inside TLS (RFC 3207 section 6, CVE-2011-0411).
pub(super) async fn injection(run: &mut Run<'_>, opening: &Opening) -> Seen<bool> {
    if run.is_implicit_tls() || opening.handshake.is_err() {
        return opening.injection.clone();
    }
    let mut dialogue = run.connect("smtp-injection").await?;
    let seen = inject(&mut dialogue).await;
    dialogue.quit().await;
    seen
}

async fn inject(dialogue: &mut Dialogue<'_>) -> Seen<bool> {
    let greeting = dialogue.reply().await?;
    if !greeting.value.is_positive() {
        return Err(dialogue.end(refusal(&greeting)));
    }
    say_hello(dialogue).await?;
    if let Err(failure) = dialogue.session().send_lines(&["STARTTLS", "NOOP"]).await {
        return Err(dialogue.end(failure));
    }
    let reply = dialogue.reply().await?;
    if reply.value.is_transient() {
        return Err(refusal(&reply));
    }
    if reply.value.code != 220 {
        // It notices that something came too early, which is more than it must.
        return Ok(Noted { value: false, span: reply.span });
    }
    match start_tls(dialogue).await {
        Ok(_) => {}
        // It took the injected command for the beginning of TLS: the handshake worked without.
        Err(failure) if failure.cause == Cause::TlsHandshake => {
            return Ok(Noted { value: false, span: failure.span });
        }
        Err(failure) => return Err(failure),
    }
    if dialogue.session().speaks_within(INJECTION_WAIT).await {
        let reply = dialogue.reply().await?;
        return Ok(Noted { value: true, span: reply.span });
    }
    let span = dialogue.session().note("no answer to the injected NOOP inside TLS within 1 s");
    Ok(Noted { value: false, span })
}
