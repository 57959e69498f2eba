//! A POP3 server up to the login, which nobody can do.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::imap::Tls;
use super::tls::{Connection, listen};

/// How one POP3 server behaves.
pub(crate) struct Pop3Server {
    /// The text of its greeting.
    pub(crate) greeting: &'static str,
    /// Whether TLS comes first (port 995), and otherwise whether it is offered.
    pub(crate) tls: Tls,
    /// Whether it offers no login before TLS.
    pub(crate) careful: bool,
}

impl Pop3Server {
    pub(crate) async fn start(self) -> io::Result<SocketAddr> {
        let server = Arc::new(self);
        listen(move |connection| {
            let server = Arc::clone(&server);
            async move { server.talk(connection).await }
        })
        .await
    }

    async fn talk(&self, mut connection: Connection) -> io::Result<()> {
        let mut secure = false;
        if let Tls::First(tls) = &self.tls {
            connection = connection.secure(tls).await?;
            secure = true;
        }
        connection.say(&format!("+OK {}", self.greeting)).await?;
        while let Some(line) = connection.hear().await? {
            let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
            match (verb.as_str(), &self.tls) {
                ("CAPA", _) => connection.say(&self.capabilities(secure)).await?,
                ("STLS", Tls::OnRequest(tls)) if !secure => {
                    connection.say("+OK go ahead").await?;
                    connection = connection.secure(tls).await?;
                    secure = true;
                }
                ("NOOP", _) => connection.say("+OK").await?,
                ("QUIT", _) => return connection.say("+OK bye").await,
                ("USER" | "PASS" | "AUTH", _) => {
                    connection.say("-ERR [AUTH] nobody can log in to this example").await?
                }
                _ => connection.say("-ERR command not recognised").await?,
            }
        }
        Ok(())
    }

    fn capabilities(&self, secure: bool) -> String {
        let stls = if matches!(self.tls, Tls::OnRequest(_)) && !secure { "STLS\n" } else { "" };
        let login = if secure || !self.careful { "USER\nSASL PLAIN\n" } else { "" };
        format!("+OK\nTOP\nUIDL\nRESP-CODES\n{stls}{login}.")
    }
}
