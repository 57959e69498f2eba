//! An SMTP server: a mail exchanger on one port, a submission server on another.
//!
//! It takes commands up to RCPT and no message. What is good and bad about it stands in its [`SmtpServer`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::TlsAcceptor;

use super::tls::{Connection, listen};

/// How one SMTP server behaves.
pub(crate) struct SmtpServer {
    /// Its name.
    pub(crate) host: &'static str,
    /// What it says about itself behind its name in the greeting.
    pub(crate) software: &'static str,
    /// The domain that it takes mail for.
    pub(crate) domain: &'static str,
    /// The certificate behind STARTTLS; without one, STARTTLS is not offered.
    pub(crate) starttls: Option<TlsAcceptor>,
    /// Whether it takes mail of users who log in, rather than of servers (RFC 6409).
    pub(crate) submission: bool,
    /// Whether it is careful: it wants TLS and a login where they belong, confirms no mailbox, relays for nobody, and
    /// does not serve clients that talk before its greeting.
    pub(crate) careful: bool,
}

impl SmtpServer {
    pub(crate) async fn start(self) -> io::Result<SocketAddr> {
        let server = Arc::new(self);
        listen(move |connection| {
            let server = Arc::clone(&server);
            async move { server.talk(connection).await }
        })
        .await
    }

    async fn talk(&self, mut connection: Connection) -> io::Result<()> {
        if self.careful && connection.is_impatient(Duration::from_millis(100)).await {
            return connection.say("554 5.5.1 you talked before the greeting").await;
        }
        connection.say(&format!("220 {} {}", self.host, self.software)).await?;
        let mut secure = false;
        while let Some(line) = connection.hear().await? {
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match (verb.to_ascii_uppercase().as_str(), &self.starttls) {
                ("STARTTLS", Some(tls)) if !secure => {
                    connection.say("220 2.0.0 go ahead").await?;
                    connection = connection.secure(tls).await?;
                    secure = true;
                }
                ("QUIT", _) => return connection.say("221 2.0.0 bye").await,
                (verb, _) => connection.say(&self.reply(verb, rest, secure)).await?,
            }
        }
        Ok(())
    }

    fn reply(&self, verb: &str, rest: &str, secure: bool) -> String {
        match verb {
            "EHLO" => self.extensions(secure),
            "HELO" => format!("250 {}", self.host),
            "MAIL" => self.mail(secure).to_owned(),
            "RCPT" => self.rcpt(rest).to_owned(),
            "VRFY" | "EXPN" => self.verify(verb, rest),
            "RSET" | "NOOP" => "250 2.0.0 OK".to_owned(),
            "AUTH" => "535 5.7.8 nobody can log in to this example".to_owned(),
            "DATA" => "554 5.5.1 this example takes no message".to_owned(),
            _ => "500 5.5.2 command not recognised".to_owned(),
        }
    }

    /// The answer to EHLO. A login is offered where TLS protects it; a careless server does not care.
    fn extensions(&self, secure: bool) -> String {
        let starttls = (self.starttls.is_some() && !secure).then_some("STARTTLS");
        let auth = (if self.careful { self.submission && secure } else { true }).then_some("AUTH PLAIN LOGIN");
        let all = ["PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES"].into_iter();
        let all: String = all.chain(starttls).chain(auth).map(|keyword| format!("250-{keyword}\n")).collect();
        format!("250-{}\n{all}250 SMTPUTF8", self.host)
    }

    fn mail(&self, secure: bool) -> &'static str {
        match (self.careful && self.submission, secure) {
            (true, false) => "530 5.7.0 issue STARTTLS first",
            (true, true) => "530 5.7.0 authentication required",
            (false, _) => "250 2.1.0 sender OK",
        }
    }

    fn rcpt(&self, rest: &str) -> &'static str {
        let address = rest.trim_start_matches(|c: char| c != '<').trim_matches(['<', '>']);
        match address.rsplit_once('@') {
            _ if !self.careful => "250 2.1.5 recipient OK",
            Some(("postmaster" | "abuse", domain)) if domain == self.domain => "250 2.1.5 recipient OK",
            Some((local, domain)) if domain == self.domain && !local.contains(['%', '!', '@']) => {
                "550 5.1.1 no such mailbox"
            }
            _ => "554 5.7.1 relay access denied",
        }
    }

    fn verify(&self, verb: &str, name: &str) -> String {
        match (self.careful, verb) {
            (true, "VRFY") => "252 2.5.2 send some mail, and see".to_owned(),
            (true, _) => "502 5.5.1 command not implemented".to_owned(),
            (false, _) if name.starts_with("postmaster") => format!("250 2.1.5 Bob Hope <bob@{}>", self.domain),
            (false, _) => "550 5.1.1 no such mailbox".to_owned(),
        }
    }
}
