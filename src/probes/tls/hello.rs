//! The first message of a TLS client, written by ourselves: it can offer what no library of today speaks.
//!
//! Only the offer is made; no key is ever agreed on. What the server answers is read in [`super::answer`].

use crate::facts::service::TlsVersion;

/// What is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The highest version; TLS 1.3 is offered alone.
    pub version: TlsVersion,
    /// Suites, in order.
    pub suites: Vec<u16>,
    /// Name to indicate (RFC 6066 section 3).
    pub host: Option<String>,
    /// Whether DEFLATE is offered as compression (RFC 3749).
    pub deflate: bool,
}

/// Signals support of secure renegotiation where extensions do not exist (RFC 5746 section 3.3).
const RENEGOTIATION_SIGNAL: u16 = 0x00ff;

/// Groups for key exchange: x25519, the NIST curves, x448, the Brainpool curves, secp256k1, ffdhe2048 to ffdhe4096.
const GROUPS: [u16; 12] =
    [0x001d, 0x0017, 0x0018, 0x0019, 0x001e, 0x001a, 0x001b, 0x001c, 0x0016, 0x0100, 0x0101, 0x0102];

/// Signature algorithms: ECDSA, EdDSA, RSA-PSS, RSA, DSA, and SHA-1 for old servers.
const SIGNATURES: [u16; 20] = [
    0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, 0x0401, 0x0501, 0x0601,
    0x0402, 0x0502, 0x0602, 0x0203, 0x0201, 0x0202,
];

/// The number of a version on the wire.
pub fn wire(version: TlsVersion) -> u16 {
    match version {
        TlsVersion::SslV3 => 0x0300,
        TlsVersion::TlsV10 => 0x0301,
        TlsVersion::TlsV11 => 0x0302,
        TlsVersion::TlsV12 => 0x0303,
        TlsVersion::TlsV13 => 0x0304,
    }
}

impl Offer {
    /// The message in its record. `random` is the client's random value and its key share.
    pub fn to_record(&self, random: &[u8; 64]) -> Vec<u8> {
        let (random, share) = random.split_at(32);
        let modern = self.version == TlsVersion::TlsV13;
        let mut body = Vec::with_capacity(1024);
        // RFC 8446 section 4.1.2: TLS 1.3 calls itself 1.2 here.
        body.extend(wire(self.version.min(TlsVersion::TlsV12)).to_be_bytes());
        body.extend(random);
        if modern {
            // RFC 8446 appendix D.4: a session id makes it look like a resumption to boxes in between.
            sized8(&mut body, |id| id.extend(share));
        } else {
            body.push(0);
        }
        sized16(&mut body, |list| {
            for suite in &self.suites {
                list.extend(suite.to_be_bytes());
            }
            if self.version == TlsVersion::SslV3 {
                list.extend(RENEGOTIATION_SIGNAL.to_be_bytes());
            }
        });
        sized8(&mut body, |methods| methods.extend(if self.deflate { &[1, 0][..] } else { &[0] }));
        if self.version > TlsVersion::SslV3 {
            sized16(&mut body, |extensions| self.extensions(extensions, share));
        }
        let mut message = vec![1, 0];
        sized16(&mut message, |inner| inner.extend(body));
        // RFC 8446 section 5.1: the record of the first message says TLS 1.0, for old servers.
        let mut record = vec![22];
        record.extend(wire(self.version.min(TlsVersion::TlsV10)).to_be_bytes());
        sized16(&mut record, |inner| inner.extend(message));
        record
    }

    fn extensions(&self, out: &mut Vec<u8>, share: &[u8]) {
        if let Some(host) = &self.host {
            extension(out, 0, |data| {
                sized16(data, |list| {
                    list.push(0);
                    sized16(list, |name| name.extend(host.as_bytes()));
                });
            });
        }
        extension(out, 10, |data| {
            sized16(data, |list| list.extend(GROUPS.iter().flat_map(|group| group.to_be_bytes())))
        });
        if self.version >= TlsVersion::TlsV12 {
            extension(out, 13, |data| {
                sized16(data, |list| list.extend(SIGNATURES.iter().flat_map(|scheme| scheme.to_be_bytes())));
            });
        }
        if self.version == TlsVersion::TlsV13 {
            extension(out, 43, |data| sized8(data, |list| list.extend(wire(TlsVersion::TlsV13).to_be_bytes())));
            // Any 32 octets are a public key of x25519 (RFC 7748 section 5).
            extension(out, 51, |data| {
                sized16(data, |list| {
                    list.extend([0x00, 0x1d]);
                    sized16(list, |key| key.extend(share));
                });
            });
        } else {
            extension(out, 11, |data| sized8(data, |list| list.push(0)));
            extension(out, 23, |_| {});
            // RFC 5746 section 3.4: empty in the first handshake.
            extension(out, 0xff01, |data| data.push(0));
        }
    }
}

fn extension(out: &mut Vec<u8>, number: u16, fill: impl FnOnce(&mut Vec<u8>)) {
    out.extend(number.to_be_bytes());
    sized16(out, fill);
}

/// Appends what `fill` writes after its length in two octets. No message of ours comes near the limit.
fn sized16(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    fill(&mut inner);
    out.extend(u16::try_from(inner.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(inner);
}

/// Appends what `fill` writes after its length in one octet.
fn sized8(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    fill(&mut inner);
    out.push(u8::try_from(inner.len()).unwrap_or(u8::MAX));
    out.extend(inner);
}
