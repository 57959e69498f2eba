//! An IMAP server up to the login, which nobody can do.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;

use super::tls::{Connection, listen};

/// How one IMAP server behaves.
pub(crate) struct ImapServer {
    /// The text of its greeting.
    pub(crate) greeting: &'static str,
    /// Whether TLS comes first (port 993), and otherwise whether it is offered.
    pub(crate) tls: Tls,
    /// Whether it refuses logins before TLS (LOGINDISABLED).
    pub(crate) careful: bool,
}

/// When a connection steps into TLS.
pub(crate) enum Tls {
    Never,
    OnRequest(TlsAcceptor),
    First(TlsAcceptor),
}

impl ImapServer {
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
        connection.say(&format!("* OK [CAPABILITY {}] {}", self.capabilities(secure), self.greeting)).await?;
        while let Some(line) = connection.hear().await? {
            let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
            let verb = command.split(' ').next().unwrap_or_default().to_ascii_uppercase();
            match (verb.as_str(), &self.tls) {
                ("CAPABILITY", _) => {
                    let capabilities = self.capabilities(secure);
                    connection.say(&format!("* CAPABILITY {capabilities}\n{tag} OK done")).await?;
                }
                ("STARTTLS", Tls::OnRequest(tls)) if !secure => {
                    connection.say(&format!("{tag} OK go ahead")).await?;
                    connection = connection.secure(tls).await?;
                    secure = true;
                }
                ("NOOP", _) => connection.say(&format!("{tag} OK done")).await?,
                ("LOGOUT", _) => return connection.say(&format!("* BYE bye\n{tag} OK done")).await,
                ("LOGIN" | "AUTHENTICATE", _) => {
                    connection
                        .say(&format!("{tag} NO [AUTHENTICATIONFAILED] nobody can log in to this example"))
                        .await?;
                }
                _ => connection.say(&format!("{tag} BAD command not recognised")).await?,
            }
        }
        Ok(())
    }

    fn capabilities(&self, secure: bool) -> String {
        let starttls = if matches!(self.tls, Tls::OnRequest(_)) && !secure { " STARTTLS" } else { "" };
        let login = if secure || !self.careful { " AUTH=PLAIN" } else { " LOGINDISABLED" };
        format!("IMAP4rev1 ID{starttls}{login}")
    }
}
