//! What a server answers to a ClientHello: a ServerHello, an alert, or something that is not TLS.
//!
//! The octets come from strangers. They are read again from the start whenever more have arrived; they are few and bounded,
//! and a reader without state cannot get confused.

use crate::facts::service::TlsVersion;

/// Most octets of an answer that are read: a chain of certificates is rarely longer than 16 KiB.
pub const MOST_OCTETS: usize = 128 * 1024;

/// The random value that makes a ServerHello a HelloRetryRequest (RFC 8446 section 4.1.3).
pub(super) const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// What the octets received so far say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// More octets are needed.
    Incomplete,
    /// A ServerHello.
    Hello(ServerHello),
    /// An alert that ends the handshake, by its number.
    Alert(u8),
    /// This is not TLS, or breaks its grammar: why.
    Broken(&'static str),
}

/// What the server chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerHello {
    /// Version.
    pub version: TlsVersion,
    /// Cipher suite.
    pub suite: u16,
    /// Compression method; 0 is none.
    pub compression: u8,
    /// Whether it supports secure renegotiation (RFC 5746 section 3.4).
    pub secure_renegotiation: bool,
    /// Whether it asks for another key share first (RFC 8446 section 4.1.4).
    pub retry: bool,
    /// Certificates of the message that follows, in DER, where they are not encrypted; none before it has arrived.
    pub chain: Option<Vec<Vec<u8>>>,
}

/// Reads an answer. With `certificate`, a ServerHello before TLS 1.3 is complete only with the message that follows it.
pub fn read(octets: &[u8], certificate: bool) -> Answer {
    let mut messages = Vec::new();
    let mut records = Reader(octets);
    let mut alert = None;
    while let Some(&kind) = records.0.first() {
        if !matches!(kind, 20..=23) {
            return Answer::Broken("the server sent something that is not TLS");
        }
        if records.0.get(1).is_some_and(|major| *major != 3) {
            return Answer::Broken("the server sent a record of no known version");
        }
        let Some(content) = records.record() else {
            break;
        };
        match (kind, content) {
            (22, content) => messages.extend_from_slice(content),
            // RFC 5246 section 7.2: a warning does not end the handshake, unless it is close_notify.
            (21, [1, number, ..]) if *number != 0 => {}
            (21, [_, number, ..]) => {
                alert = Some(*number);
                break;
            }
            // What follows is encrypted, but nothing can be before the first message.
            _ if messages.is_empty() => return Answer::Broken("the server does not begin with a ServerHello"),
            _ => break,
        }
    }
    match hello(&messages, certificate) {
        Ok(Some(hello)) => Answer::Hello(hello),
        Err(reason) => Answer::Broken(reason),
        Ok(None) => match alert {
            Some(number) => Answer::Alert(number),
            None => Answer::Incomplete,
        },
    }
}

/// Reads an answer after which the connection ended: a ServerHello counts without what should have followed it.
pub fn ended(octets: &[u8], certificate: bool) -> Answer {
    match read(octets, certificate) {
        Answer::Incomplete if certificate => read(octets, false),
        answer => answer,
    }
}

/// Reads the messages of the handshake as far as they have arrived.
fn hello(messages: &[u8], certificate: bool) -> Result<Option<ServerHello>, &'static str> {
    let mut reader = Reader(messages);
    let Some((kind, body)) = reader.message() else {
        return match messages.first() {
            None | Some(2) => Ok(None),
            Some(_) => Err("the first message of the server is no ServerHello"),
        };
    };
    if kind != 2 {
        return Err("the first message of the server is no ServerHello");
    }
    let mut hello = server_hello(body).ok_or("the ServerHello breaks the grammar")?;
    if !certificate || hello.version == TlsVersion::TlsV13 {
        return Ok(Some(hello));
    }
    match reader.message() {
        Some((11, body)) => {
            hello.chain = certificates(body);
            Ok(Some(hello))
        }
        // No certificate: an anonymous suite.
        Some(_) => Ok(Some(hello)),
        None => Ok(None),
    }
}

fn server_hello(body: &[u8]) -> Option<ServerHello> {
    let mut reader = Reader(body);
    let mut version = reader.number()?;
    let random = reader.take(32)?;
    let id = reader.octet()?;
    reader.take(usize::from(id))?;
    let suite = reader.number()?;
    let compression = reader.octet()?;
    let mut secure_renegotiation = false;
    if !reader.0.is_empty() {
        let mut extensions = Reader(reader.sized()?);
        while !extensions.0.is_empty() {
            let kind = extensions.number()?;
            let data = extensions.sized()?;
            match kind {
                // RFC 8446 section 4.2.1: the version of TLS 1.3 stands here.
                43 => version = Reader(data).number()?,
                0xff01 => secure_renegotiation = true,
                _ => {}
            }
        }
    }
    let version = match version {
        0x0300 => TlsVersion::SslV3,
        0x0301 => TlsVersion::TlsV10,
        0x0302 => TlsVersion::TlsV11,
        0x0303 => TlsVersion::TlsV12,
        0x0304 => TlsVersion::TlsV13,
        _ => return None,
    };
    Some(ServerHello { version, suite, compression, secure_renegotiation, retry: random == RETRY, chain: None })
}

/// The certificates of a Certificate message before TLS 1.3 (RFC 5246 section 7.4.2).
fn certificates(body: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut list = Reader(Reader(body).long()?);
    let mut chain = Vec::new();
    while !list.0.is_empty() && chain.len() < super::trust::MOST_CERTIFICATES {
        chain.push(list.long()?.to_vec());
    }
    Some(chain)
}

/// Octets still to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn octet(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    /// What follows its length in two octets.
    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::from(length))
    }

    /// What follows its length in three octets.
    fn long(&mut self) -> Option<&'a [u8]> {
        let high = usize::from(self.octet()?);
        let low = usize::from(self.number()?);
        self.take(high << 16 | low)
    }

    /// The content of a record (RFC 8446 section 5.1).
    fn record(&mut self) -> Option<&'a [u8]> {
        self.take(3)?;
        self.sized()
    }

    /// Kind and content of a message of the handshake.
    fn message(&mut self) -> Option<(u8, &'a [u8])> {
        let kind = self.octet()?;
        Some((kind, self.long()?))
    }
}
