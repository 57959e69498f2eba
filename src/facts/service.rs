//! Facts about a mail service: one port of one address of one host, as a client on the network meets it.
//!
//! Each fact points into the transcript of the session that showed it. A service that could not be reached has unknown
//! facts, each with its cause: it neither passes nor fails.

use std::net::IpAddr;

use super::Fact;
use super::domain::Security;
use super::value::{List, Seconds, Time};
use crate::inventory::Service;
use crate::mail::Name;

words! {
    /// What a service speaks, and whether TLS comes first (RFC 8314 section 3).
    pub enum Protocol unordered {
        /// SMTP between servers, port 25.
        Smtp = "smtp",
        /// Message submission with STARTTLS, port 587 (RFC 6409).
        Submission = "submission",
        /// Message submission over TLS, port 465 (RFC 8314 section 3.3).
        Submissions = "submissions",
        /// IMAP with STARTTLS, port 143 (RFC 9051).
        Imap = "imap",
        /// IMAP over TLS, port 993.
        Imaps = "imaps",
        /// POP3 with STLS, port 110 (RFC 1939, RFC 2595).
        Pop3 = "pop3",
        /// POP3 over TLS, port 995.
        Pop3s = "pop3s",
    }
}

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

words! {
    /// How strong a cipher suite is, from weakest to strongest.
    pub enum CipherStrength ordered {
        /// No encryption, no authentication, export grade, RC4, DES or MD5: broken.
        Broken = "broken",
        /// Triple DES and other ciphers with blocks of 64 bits (RFC 9325 section 4.2).
        Weak = "weak",
        /// CBC mode, or a key exchange without forward secrecy: to be phased out (RFC 9325 section 4.1).
        Legacy = "legacy",
        /// Authenticated encryption with forward secrecy.
        Strong = "strong",
    }
}

words! {
    /// Algorithm of a certificate's public key.
    pub enum KeyType unordered {
        /// RSA.
        Rsa = "rsa",
        /// Elliptic curve (ECDSA).
        Ec = "ec",
        /// Ed25519 or Ed448.
        Edwards = "eddsa",
        /// DSA.
        Dsa = "dsa",
        /// Another algorithm.
        Other = "other",
    }
}

words! {
    /// How far an attempt to relay through a server came. Acceptance of a recipient is not yet relaying (RFC 5321 section 3.6.3).
    pub enum RelayStatus ordered {
        /// The recipient was refused for good.
        Refused = "refused",
        /// The attempt does not say: the sender was refused already, or the server asked to come back later.
        Inconclusive = "inconclusive",
        /// The recipient was accepted; whether the message would be relayed, bounced or dropped is not known.
        Suspected = "suspected",
    }
}

facts! {
    /// Everything that is known about one service.
    pub struct ServiceFacts {
        /// Name of the host.
        "host" host: Fact<Name>,
        /// Address of the host that was connected to. Each address of a host is a target of its own (RFC 5321 section 5.1).
        "address" address: Fact<IpAddr>,
        /// TCP port.
        "port" port: Fact<i64>,
        /// What the service is expected to speak, by its port or by the inventory.
        "protocol" protocol: Fact<Protocol>,
        /// Whether the inventory claims the host.
        "host is in the inventory" claimed: Fact<bool>,
        /// Domains of this run that name the host in an MX record. Empty when no domain does.
        "domains that use the host as MX" mx_for: Fact<Vec<Name>>,
        /// Whether a TCP connection was made. Never false: a service that cannot be reached is unknown, with the cause.
        "service was reached" reached: Fact<bool>,
        /// The first lines that the server sends.
        "greeting" greeting: GreetingFacts,
        /// STARTTLS (RFC 3207, RFC 9051 section 6.2.1, RFC 2595 section 4).
        "STARTTLS" starttls: StarttlsFacts,
        /// TLS, from the first byte or after STARTTLS.
        "TLS" tls: TlsFacts,
        /// DANE for this service (RFC 7672).
        "DANE" dane: ServiceDaneFacts,
        /// Authentication of users (RFC 4954, RFC 9051 section 6.2, RFC 5034).
        "authentication" auth: AuthFacts,
        /// SMTP behaviour. Not collected for other protocols.
        "SMTP" smtp: SmtpFacts,
        /// IMAP behaviour. Not collected for other protocols.
        "IMAP" imap: ImapFacts,
        /// POP3 behaviour. Not collected for other protocols.
        "POP3" pop3: Pop3Facts,
    }

    /// The first lines that a server sends.
    pub struct GreetingFacts {
        /// Text of the greeting, lines joined by line feeds, without the reply code.
        "greeting" text: Fact<String>,
        /// Reply code of an SMTP greeting (RFC 5321 section 3.1). Absent for IMAP and POP3.
        "reply code of the greeting" code: Fact<i64>,
        /// Host name that the server gives itself in an SMTP greeting (RFC 5321 section 4.2). Absent when it gives none.
        "name in the greeting" name: Fact<Name>,
        /// Whether the name in the greeting has an address record with the server's address (RFC 5321 section 4.1.4 asks clients for as much).
        "name in the greeting leads to the server" name_resolves: Fact<bool>,
        /// Whether the name in the greeting is one of the PTR names of the server's address.
        "name in the greeting is the PTR name" name_is_ptr: Fact<bool>,
        /// Whether the name in the greeting is one that the certificate is for.
        "name in the greeting is in the certificate" name_in_certificate: Fact<bool>,
        /// Whole seconds until the greeting was complete (RFC 5321 section 4.5.3.2.1 lets clients wait 5 minutes).
        "delay of the greeting" delay: Fact<Seconds>,
        /// Product and version that the greeting discloses, such as `Postfix 3.4.13`. Absent when no version is disclosed.
        "version disclosed" version: Fact<String>,
    }

    /// STARTTLS of a service. Offered, negotiated and trusted are three facts (RFC 3207 section 4); the third is `tls.cert.trusted`.
    pub struct StarttlsFacts {
        /// Whether the service advertises STARTTLS (STLS in POP3). Absent for services that speak TLS from the first byte.
        "STARTTLS offered" offered: Fact<bool>,
        /// Whether the command was accepted and the TLS handshake completed. False when the server refused the command or broke the handshake off although a client of today's standards asked. Absent when it is not offered.
        "STARTTLS negotiated" negotiated: Fact<bool>,
        /// Whether a command sent in one packet with STARTTLS was answered after the handshake, so that an attacker can inject commands (RFC 3207 section 6, CVE-2011-0411).
        "commands can be injected before TLS" injection: Fact<bool>,
        /// Whether the service refuses to go on without TLS (SMTP reply 530, RFC 3207 section 4).
        "TLS is required" required: Fact<bool>,
    }

    /// TLS of a service.
    pub struct TlsFacts {
        /// Whether a TLS handshake completed, from the first byte or after STARTTLS.
        "TLS offered" offered: Fact<bool>,
        /// Lowest protocol version that the service accepts (RFC 8996).
        "lowest TLS version accepted" version: Fact<TlsVersion>,
        /// Every protocol version that the service accepts.
        "TLS versions accepted" versions: Fact<Vec<TlsVersion>>,
        /// Version that a client of today's standards gets.
        "TLS version negotiated" negotiated: Fact<TlsVersion>,
        /// Cipher suite that a client of today's standards gets, by its IANA name.
        "cipher suite negotiated" cipher: Fact<String>,
        /// Cipher suites that the service accepts, in the order in which it chooses them.
        "cipher suites accepted" ciphers: Fact<List<CipherFacts>>,
        /// Names of the accepted suites that are broken or weak.
        "weak cipher suites accepted" weak_ciphers: Fact<Vec<String>>,
        /// Whether every accepted suite gives forward secrecy (RFC 9325 section 4.1).
        "every suite has forward secrecy" forward_secrecy: Fact<bool>,
        /// Whether the server imposes its own order of suites. Absent when it accepts fewer than two below TLS 1.3.
        "server chooses the suite" server_preference: Fact<bool>,
        /// Whether TLS compression is accepted (RFC 7457 section 2.6, CRIME).
        "TLS compression" compression: Fact<bool>,
        /// Whether secure renegotiation is supported (RFC 5746). Absent when only TLS 1.3 is spoken.
        "secure renegotiation" secure_renegotiation: Fact<bool>,
        /// Whether an OCSP response was stapled (RFC 6066 section 8).
        "OCSP response stapled" ocsp_stapled: Fact<bool>,
        /// The server's certificate.
        "certificate" cert: CertificateFacts,
    }

    /// One cipher suite.
    pub struct CipherFacts label name {
        /// IANA name, or its number as `0x1234` when it has none here.
        "cipher suite" name: Fact<String>,
        /// Lowest protocol version with which it was accepted.
        "protocol version of the suite" version: Fact<TlsVersion>,
        /// Its strength.
        "strength of the suite" strength: Fact<CipherStrength>,
        /// Whether its key exchange gives forward secrecy.
        "suite has forward secrecy" forward_secrecy: Fact<bool>,
    }

    /// The server's certificate and the chain it sent.
    pub struct CertificateFacts {
        /// Whether a path to a trusted authority was found now, whatever the name and the purpose (RFC 5280 section 6). An expired certificate is not trusted.
        "certificate is trusted" trusted: Fact<bool>,
        /// Why the certificate is not trusted. Absent when it is.
        "reason of distrust" error: Fact<String>,
        /// Whether the certificate is for the host's name, by its subject alternative names only (RFC 9525 section 6.3).
        "certificate is for the host" name_matches: Fact<bool>,
        /// DNS names in the subject alternative name extension.
        "names in the certificate" names: Fact<Vec<String>>,
        /// Whether there is no subject alternative name, so that only the common name could match (RFC 9525 section 6.3 forbids that).
        "certificate has only a common name" common_name_only: Fact<bool>,
        /// Whether the name that matches is a wildcard.
        "certificate matches by a wildcard" wildcard: Fact<bool>,
        /// Subject.
        "certificate subject" subject: Fact<String>,
        /// Issuer.
        "certificate issuer" issuer: Fact<String>,
        /// Start of validity (RFC 5280 section 4.1.2.5).
        "start of validity" not_before: Fact<Time>,
        /// End of validity (RFC 5280 section 4.1.2.5).
        "certificate expiry" not_after: Fact<Time>,
        /// Whole days from start to end of validity.
        "days of validity" lifetime_days: Fact<i64>,
        /// Algorithm of the key.
        "certificate key type" key_type: Fact<KeyType>,
        /// Size of the key in bits.
        "certificate key size" key_bits: Fact<i64>,
        /// Signature algorithm, such as `sha256WithRSAEncryption`.
        "signature algorithm" signature: Fact<String>,
        /// Whether the certificate or an intermediate that was sent is signed with SHA-1 or MD5. A root signs itself and does not count.
        "signed with SHA-1 or MD5" sha1: Fact<bool>,
        /// Whether issuer and subject are the same and the certificate signed itself.
        "certificate is self-signed" self_signed: Fact<bool>,
        /// Number of certificates sent.
        "certificates sent" chain_length: Fact<i64>,
        /// Whether the certificates sent lead up to a certificate that a trust anchor issued, or to a root, without help from elsewhere (RFC 5246 section 7.4.2).
        "chain is complete" chain_complete: Fact<bool>,
        /// Earliest end of validity in the chain that was sent.
        "earliest expiry in the chain" chain_not_after: Fact<Time>,
        /// SHA-256 of the certificate, in hexadecimal digits.
        "certificate fingerprint" fingerprint: Fact<String>,
    }

    /// DANE for one service: the TLSA records against the chain that was sent (RFC 7672).
    pub struct ServiceDaneFacts {
        /// Whether DANE applies: MX and address records are secure, and a usable TLSA record is published and secure (RFC 7672 section 2.2).
        "DANE applies" applies: Fact<bool>,
        /// Name of the TLSA records that apply (RFC 7672 section 2.2.2).
        "name of the TLSA records" owner: Fact<Name>,
        /// DNSSEC state of the TLSA records.
        "DNSSEC state of the TLSA records" security: Fact<Security>,
        /// Whether at least one usable record matches the chain (RFC 7671 section 5). Absent when no usable record is published.
        "TLSA record matches the certificate" matches: Fact<bool>,
        /// Usable records that match nothing of the chain: a rollover under way (RFC 7671 section 8.1), or a stale record.
        "TLSA records that match nothing" unmatched: Fact<Vec<String>>,
        /// Number of usable records that match.
        "TLSA records that match" matching: Fact<i64>,
        /// Why nothing matches. Absent when something does.
        "reason of the DANE mismatch" error: Fact<String>,
    }

    /// How users prove who they are, before and after TLS.
    pub struct AuthFacts {
        /// SASL mechanisms offered without TLS, in upper case; `LOGIN` and `USER` stand for the plaintext commands of IMAP and POP3. Absent for services that speak TLS from the first byte.
        "mechanisms without TLS" before_tls: Fact<Vec<String>>,
        /// SASL mechanisms offered inside TLS, in upper case.
        "mechanisms inside TLS" after_tls: Fact<Vec<String>>,
        /// Whether a password may be sent without TLS: PLAIN, LOGIN, or the plaintext login commands are allowed before TLS (RFC 4954 section 4, RFC 8314 section 4.1, RFC 9051 section 11). Absent for services that speak TLS from the first byte.
        "password may be sent without TLS" cleartext: Fact<bool>,
        /// Whether a message needs authentication: MAIL or RCPT without it is refused with 530 or 550 (RFC 6409 section 4.3). Absent for IMAP and POP3, which always need it.
        "authentication is required" required: Fact<bool>,
    }

    /// SMTP behaviour of a service.
    pub struct SmtpFacts {
        /// Whether EHLO was accepted (RFC 5321 section 3.2). False when only HELO was.
        "EHLO accepted" ehlo: Fact<bool>,
        /// Keywords of the EHLO reply before TLS, in upper case.
        "EHLO keywords before TLS" keywords: Fact<Vec<String>>,
        /// Keywords of the EHLO reply inside TLS, in upper case.
        "EHLO keywords inside TLS" keywords_tls: Fact<Vec<String>>,
        /// Largest message that the server says it takes, in octets (RFC 1870). Absent when it does not say, zero when there is no limit.
        "SIZE" size: Fact<i64>,
        /// Whether PIPELINING is advertised (RFC 2920).
        "PIPELINING" pipelining: Fact<bool>,
        /// Whether the server took a command that was sent before its greeting was complete; careful servers refuse or drop such clients (RFC 5321 section 4.3.1). Tested with `--active` only.
        "early talker is served" early_talk: Fact<bool>,
        /// Replies to VRFY, one for each mailbox asked (RFC 5321 section 3.5).
        "VRFY answers" vrfy: Fact<List<VrfyFacts>>,
        /// Whether VRFY confirms mailboxes: an existing one is answered differently from an invented one, with 250 or 251. Reply 252 confirms nothing (RFC 5321 section 3.5.3).
        "VRFY confirms mailboxes" vrfy_confirms: Fact<bool>,
        /// Replies to EXPN, one for each list asked (RFC 5321 section 3.5).
        "EXPN answers" expn: Fact<List<VrfyFacts>>,
        /// Whether EXPN expands: an answer of 250 or 251.
        "EXPN expands" expn_expands: Fact<bool>,
        /// Attempts to relay, one for each form of sender and recipient. Only for hosts that the inventory claims, with `--active`.
        "relay attempts" relay: Fact<List<RelayFacts>>,
        /// The furthest that any attempt to relay came.
        "open relay" open_relay: Fact<RelayStatus>,
        /// Whether mail for `postmaster` of a domain that the host receives for is accepted (RFC 5321 section 4.5.1).
        "postmaster is accepted" postmaster: Fact<bool>,
        /// Whether mail for `abuse` of a domain that the host receives for is accepted (RFC 2142 section 2).
        "abuse is accepted" abuse: Fact<bool>,
        /// Whether the server told an unknown client to come back later (RFC 6647 section 2).
        "greylisting" greylisting: Fact<bool>,
        /// Recipients in one message that the server says it takes (RFC 9422). Absent when it does not say.
        "recipient limit" recipient_limit: Fact<i64>,
    }

    /// Reply to one VRFY or EXPN command.
    pub struct VrfyFacts label asked {
        /// Mailbox or list asked.
        "address asked" asked: Fact<String>,
        /// Reply code.
        "reply code" code: Fact<i64>,
        /// Whether the reply confirms the mailbox.
        "reply confirms the mailbox" confirms: Fact<bool>,
    }

    /// One attempt to relay.
    pub struct RelayFacts label form {
        /// Form of the attempt, such as `foreign to foreign` or `percent hack`.
        "form of the attempt" form: Fact<String>,
        /// Sender in MAIL.
        "sender of the attempt" sender: Fact<String>,
        /// Recipient in RCPT.
        "recipient of the attempt" recipient: Fact<String>,
        /// Reply code that decided.
        "reply code" code: Fact<i64>,
        /// How far it came.
        "outcome of the attempt" status: Fact<RelayStatus>,
    }

    /// IMAP behaviour of a service.
    pub struct ImapFacts {
        /// Capabilities before TLS, in upper case (RFC 9051 section 6.1.1).
        "IMAP capabilities before TLS" capabilities: Fact<Vec<String>>,
        /// Capabilities inside TLS, in upper case.
        "IMAP capabilities inside TLS" capabilities_tls: Fact<Vec<String>>,
        /// Whether LOGINDISABLED is announced before TLS (RFC 9051 section 6.2.3). Absent for IMAP over TLS.
        "LOGINDISABLED before TLS" login_disabled: Fact<bool>,
        /// Whether the server greets unknown clients as authenticated already (PREAUTH, RFC 9051 section 7.1.4).
        "PREAUTH greeting" preauth: Fact<bool>,
    }

    /// POP3 behaviour of a service.
    pub struct Pop3Facts {
        /// Capabilities before TLS, in upper case (RFC 2449). Absent when CAPA is not known to the server.
        "POP3 capabilities before TLS" capabilities: Fact<Vec<String>>,
        /// Capabilities inside TLS, in upper case.
        "POP3 capabilities inside TLS" capabilities_tls: Fact<Vec<String>>,
        /// Whether the greeting holds a timestamp for APOP, which rests on MD5 (RFC 1939 section 7, RFC 6151).
        "APOP offered" apop: Fact<bool>,
    }
}

impl From<Service> for Protocol {
    fn from(service: Service) -> Protocol {
        match service {
            Service::Smtp => Protocol::Smtp,
            Service::Submission => Protocol::Submission,
            Service::Submissions => Protocol::Submissions,
            Service::Imap => Protocol::Imap,
            Service::Imaps => Protocol::Imaps,
            Service::Pop3 => Protocol::Pop3,
            Service::Pop3s => Protocol::Pop3s,
        }
    }
}
