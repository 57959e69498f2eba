//! Facts about a mail service: one port of one host.
//!
//! Only what the rule language needs to be exercised on services stands here; no collector of this version fills these
//! facts, so rules about them are `not-checked`.

use super::Fact;
use super::value::{List, Time};

words! {
    /// TLS protocol versions, from oldest to newest.
    pub enum TlsVersion ordered {
        /// SSL 3.0 (RFC 6101).
        SslV3 = "SSLv3",
        /// TLS 1.0 (RFC 2246).
        TlsV10 = "TLSv1.0",
        /// TLS 1.1 (RFC 4346).
        TlsV11 = "TLSv1.1",
        /// TLS 1.2 (RFC 5246).
        TlsV12 = "TLSv1.2",
        /// TLS 1.3 (RFC 8446).
        TlsV13 = "TLSv1.3",
    }
}

facts! {
    /// Everything that is known about one service.
    pub struct ServiceFacts {
        /// TCP port.
        "port" port: Fact<i64>,
        /// TLS as negotiated.
        "TLS" tls: TlsFacts,
        /// STARTTLS (RFC 3207, RFC 9051, RFC 2595).
        "STARTTLS" starttls: StarttlsFacts,
        /// SMTP behaviour.
        "SMTP" smtp: SmtpFacts,
    }

    /// TLS of a service.
    pub struct TlsFacts {
        /// Whether a TLS handshake is offered from the first byte or after STARTTLS.
        "TLS offered" offered: Fact<bool>,
        /// Lowest protocol version that the service accepts (RFC 8996).
        "lowest TLS version accepted" version: Fact<TlsVersion>,
        /// The server's certificate.
        "certificate" cert: CertificateFacts,
    }

    /// The server's certificate.
    pub struct CertificateFacts {
        /// End of validity (RFC 5280 section 4.1.2.5).
        "certificate expiry" not_after: Fact<Time>,
    }

    /// STARTTLS of a service.
    pub struct StarttlsFacts {
        /// Whether the service advertises STARTTLS.
        "STARTTLS offered" offered: Fact<bool>,
    }

    /// SMTP behaviour of a service.
    pub struct SmtpFacts {
        /// Replies to VRFY, one for each mailbox asked (RFC 5321 section 3.5).
        "VRFY answers" vrfy: Fact<List<VrfyFacts>>,
    }

    /// Reply to one VRFY command.
    pub struct VrfyFacts label asked {
        /// Mailbox asked.
        "address asked" asked: Fact<String>,
        /// Reply code.
        "reply code" code: Fact<i64>,
        /// Whether the reply confirms the mailbox.
        "reply confirms the mailbox" confirms: Fact<bool>,
    }
}
