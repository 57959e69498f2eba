//! A chain of certificates as a text that people can read, and what it says with the place of each statement in that text.
//!
//! Certificates come from strangers: whatever cannot be read is said to be unreadable, and the rest is still read.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::Oid;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::AlgorithmIdentifier;

use super::super::{Failure, Noted, Seen};
use super::trust::MOST_CERTIFICATES;
use super::{Handshake, TrustStore, UNPROVEN, Verdict};
use crate::diag::{FileId, Span};
use crate::facts::domain::Time;
use crate::facts::service::KeyType;
use crate::facts::{Artefact, ArtefactKind, Cause, Recorder};

/// Most names of a certificate that are kept.
const MOST_NAMES: usize = 1000;

/// A chain of certificates as a server sent it.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The certificates in DER, the server's first.
    pub chain: Vec<Vec<u8>>,
    /// When the chain was judged.
    pub time: Time,
    /// Why the chain is not trusted; `None` when it is.
    pub distrust: Noted<Option<String>>,
    /// Whether it leads up to a trusted authority or a root.
    pub complete: Noted<bool>,
    /// Number of certificates.
    pub length: Noted<usize>,
    /// Whether the certificate or one above it, except a root, is signed with SHA-1 or MD5.
    pub weak_signature: Seen<bool>,
    /// Earliest end of validity in the chain.
    pub earliest_expiry: Seen<Time>,
    /// SHA-256 of the server's certificate, in hexadecimal digits.
    pub fingerprint: Noted<String>,
    /// The server's certificate.
    pub own: Result<Own, Failure>,
}

/// What the server's certificate says.
#[derive(Debug, Clone)]
pub struct Own {
    /// DNS names of the subject alternative name extension; none when there is no such extension.
    pub names: Seen<Option<Vec<String>>>,
    /// Subject.
    pub subject: Noted<String>,
    /// Issuer.
    pub issuer: Noted<String>,
    /// Start of validity.
    pub not_before: Noted<Time>,
    /// End of validity.
    pub not_after: Noted<Time>,
    /// Algorithm of the key.
    pub key_type: Noted<KeyType>,
    /// Size of the key in bits.
    pub key_bits: Seen<u32>,
    /// Signature algorithm.
    pub signature: Noted<String>,
    /// Whether it is signed with its own key.
    pub self_signed: Seen<bool>,
}

impl Certificates {
    /// Registers the chain of a handshake as evidence, and reads it. `name` is that of the service.
    pub fn record(recorder: &Recorder, name: &str, handshake: &Handshake) -> Certificates {
        let verdict = Verdict { distrust: handshake.distrust.clone(), complete: handshake.complete };
        Certificates::record_chain(recorder, name, &handshake.chain, &verdict, handshake.time)
    }

    /// Reads the chain of a handshake that is evidenced by the transcript of its session only.
    pub fn noted_at(handshake: &Handshake, span: Span) -> Certificates {
        let verdict = Verdict { distrust: handshake.distrust.clone(), complete: handshake.complete };
        let mut text = Text { place: At::Whole(span), text: String::new() };
        read(&mut text, &handshake.chain, &verdict, handshake.time)
    }

    /// Registers a chain that was judged at a time, and reads it.
    pub fn record_chain(
        recorder: &Recorder,
        name: &str,
        chain: &[Vec<u8>],
        verdict: &Verdict,
        time: Time,
    ) -> Certificates {
        let file = recorder.reserve(&format!("certificates/{name}"));
        let mut text = Text { place: At::File(file), text: heading(name) };
        let certificates = read(&mut text, chain, verdict, time);
        let title = format!("certificates of {name}");
        let artefact = Artefact { kind: ArtefactKind::Certificates, title, time, raw: chain.concat() };
        recorder.fill(file, text.text.into_bytes(), artefact);
        certificates
    }
}

impl Certificates {
    /// Reads a chain again that a run kept: the certificates one after the other, judged as of the time of the run by the
    /// authorities that are trusted. `text` is the text that was kept of it; the second result is the one that it should be.
    pub fn again(
        file: FileId,
        name: &str,
        (raw, text): (&[u8], &[u8]),
        trust: &TrustStore,
        time: Time,
    ) -> (Certificates, Vec<u8>) {
        let chain = split(raw);
        let mut verdict = trust.judge(&chain, time);
        // What the handshake proved or did not is told by the text alone.
        if String::from_utf8_lossy(text).contains(&format!("\ntrusted: no: {UNPROVEN}\n")) {
            verdict.distrust = Some(UNPROVEN.to_owned());
        }
        let mut text = Text { place: At::File(file), text: heading(name) };
        let certificates = read(&mut text, &chain, &verdict, time);
        (certificates, text.text.into_bytes())
    }
}

fn heading(name: &str) -> String {
    format!("certificates of {name}, the server's first\n")
}

/// Certificates that stand one after the other, by the lengths that they state (X.690 section 8.1.3).
fn split(mut raw: &[u8]) -> Vec<Vec<u8>> {
    let mut chain = Vec::new();
    while !raw.is_empty() {
        let length = match raw {
            [_, short @ 0..=0x7f, ..] => 2 + usize::from(*short),
            [_, 0x81, a, ..] => 3 + usize::from(*a),
            [_, 0x82, a, b, ..] => 4 + usize::from(u16::from_be_bytes([*a, *b])),
            [_, 0x83, a, b, c, ..] => 5 + u32::from_be_bytes([0, *a, *b, *c]) as usize,
            _ => raw.len(),
        };
        let (one, rest) = raw.split_at(length.min(raw.len()));
        chain.push(one.to_vec());
        raw = rest;
    }
    chain
}

/// The text of a chain while it is written.
struct Text {
    place: At,
    text: String,
}

/// Where the statements about a chain stand.
enum At {
    /// In a file, line by line.
    File(FileId),
    /// In a place that shows the chain as a whole.
    Whole(Span),
}

impl Text {
    /// Writes one line and returns the place of what it says.
    fn line(&mut self, label: &str, value: &str) -> Span {
        self.text.push_str(label);
        self.text.push_str(": ");
        let start = self.text.len();
        for character in value.chars() {
            match character {
                '\\' => self.text.push_str("\\\\"),
                control if control.is_control() => self.text.extend(control.escape_default()),
                other => self.text.push(other),
            }
        }
        let end = self.text.len();
        self.text.push('\n');
        let at = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        match self.place {
            At::File(file) => Span::new(file, at(start), at(end)),
            At::Whole(span) => span,
        }
    }

    fn noted<T>(&mut self, label: &str, words: &str, value: T) -> Noted<T> {
        Noted { span: self.line(label, words), value }
    }

    fn unreadable(&mut self, label: &str, why: &str) -> Failure {
        Failure { cause: Cause::Parse, note: why.to_owned(), span: self.line(label, why) }
    }
}

fn read(text: &mut Text, chain: &[Vec<u8>], verdict: &Verdict, time: Time) -> Certificates {
    text.line("judged", &moment(time));
    let words = verdict.distrust.as_ref().map_or_else(|| "yes".to_owned(), |why| format!("no: {why}"));
    let distrust = text.noted("trusted", &words, verdict.distrust.clone());
    let complete = text.noted("complete", yes(verdict.complete), verdict.complete);
    let length = text.noted("certificates sent", &chain.len().to_string(), chain.len());
    let mut own = None;
    let mut summary = Summary::default();
    let mut fingerprint = None;
    for (index, der) in chain.iter().take(MOST_CERTIFICATES).enumerate() {
        text.text.push_str(&format!("\ncertificate {}\n", index + 1));
        let digest = data_encoding::HEXLOWER.encode(&<sha2::Sha256 as sha2::Digest>::digest(der));
        let noted = text.noted("sha256", &digest, digest.clone());
        fingerprint.get_or_insert(noted);
        let parsed = match X509Certificate::from_der(der) {
            Ok(([], certificate)) => Ok(certificate),
            Ok(_) => Err("octets follow the certificate"),
            Err(_) => Err("the certificate breaks the grammar (RFC 5280 section 4.1)"),
        };
        match parsed {
            Ok(certificate) => {
                let one = certificate_lines(text, &certificate);
                summary.take(index, &certificate, &one);
                own.get_or_insert(Ok(one));
            }
            Err(why) => {
                let failure = text.unreadable("unreadable", why);
                summary.unread.get_or_insert(failure.clone());
                own.get_or_insert(Err(failure));
            }
        }
    }
    let empty = |text: &mut Text| text.unreadable("unreadable", "no certificate was sent");
    Certificates {
        chain: chain.to_vec(),
        time,
        distrust,
        complete,
        weak_signature: match (summary.weak, &summary.unread, summary.sound) {
            (Some(span), _, _) => Ok(Noted { value: true, span }),
            (None, Some(failure), _) => Err(failure.clone()),
            (None, None, Some(span)) => Ok(Noted { value: false, span }),
            (None, None, None) => Err(empty(text)),
        },
        earliest_expiry: match (summary.unread, summary.expiry) {
            (Some(failure), _) => Err(failure),
            (None, Some(expiry)) => Ok(expiry),
            (None, None) => Err(empty(text)),
        },
        fingerprint: fingerprint.unwrap_or_else(|| Noted { value: String::new(), span: length.span }),
        own: own.unwrap_or_else(|| Err(empty(text))),
        length,
    }
}

/// What is said of the chain as a whole.
#[derive(Default)]
struct Summary {
    /// A signature with SHA-1 or MD5.
    weak: Option<Span>,
    /// The first other signature.
    sound: Option<Span>,
    expiry: Option<Noted<Time>>,
    unread: Option<Failure>,
}

impl Summary {
    fn take(&mut self, index: usize, certificate: &X509Certificate<'_>, one: &Own) {
        let is_root = index > 0 && certificate.subject().as_raw() == certificate.issuer().as_raw();
        if is_weak(&certificate.signature_algorithm) && !is_root {
            self.weak.get_or_insert(one.signature.span);
        } else {
            self.sound.get_or_insert(one.signature.span);
        }
        if self.expiry.as_ref().is_none_or(|expiry| one.not_after.value < expiry.value) {
            self.expiry = Some(one.not_after.clone());
        }
    }
}

fn certificate_lines(text: &mut Text, certificate: &X509Certificate<'_>) -> Own {
    let subject = certificate.subject().to_string();
    let issuer = certificate.issuer().to_string();
    let not_before = Time(certificate.validity().not_before.timestamp());
    let not_after = Time(certificate.validity().not_after.timestamp());
    let (kind, bits) = key(certificate);
    let algorithm = algorithm_name(&certificate.signature_algorithm);
    Own {
        subject: text.noted("subject", &subject, subject.clone()),
        issuer: text.noted("issuer", &issuer, issuer.clone()),
        names: names(text, certificate),
        not_before: text.noted("not before", &moment(not_before), not_before),
        not_after: text.noted("not after", &moment(not_after), not_after),
        key_type: text.noted("key", kind.as_str(), kind),
        key_bits: match bits {
            Some(bits) => Ok(text.noted("key size", &format!("{bits} bits"), bits)),
            None => Err(text.unreadable("key size", "the size of the key cannot be read")),
        },
        signature: text.noted("signature", &algorithm, algorithm.clone()),
        self_signed: self_signed(text, certificate),
    }
}

/// The DNS names of the subject alternative name extension (RFC 5280 section 4.2.1.6).
fn names(text: &mut Text, certificate: &X509Certificate<'_>) -> Seen<Option<Vec<String>>> {
    match certificate.subject_alternative_name() {
        Ok(Some(extension)) => {
            let dns = extension.value.general_names.iter().filter_map(|name| match name {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                _ => None,
            });
            let names: Vec<String> = dns.take(MOST_NAMES).collect();
            let words = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Ok(text.noted("DNS names", &words, Some(names)))
        }
        Ok(None) if has_unread_names(certificate) => {
            Err(text.unreadable("DNS names", "the subject alternative name extension cannot be read"))
        }
        Ok(None) => Ok(text.noted("DNS names", "none: there is no subject alternative name", None)),
        Err(_) => Err(text.unreadable("DNS names", "the subject alternative name extension cannot be read")),
    }
}

/// Whether there is an extension of alternative names that the parser could not read.
fn has_unread_names(certificate: &X509Certificate<'_>) -> bool {
    certificate.extensions().iter().any(|extension| extension.oid.to_id_string() == "2.5.29.17")
}

fn self_signed(text: &mut Text, certificate: &X509Certificate<'_>) -> Seen<bool> {
    if certificate.subject().as_raw() != certificate.issuer().as_raw() {
        return Ok(text.noted("self-signed", "no", false));
    }
    use x509_parser::error::X509Error;
    match certificate.verify_signature(None) {
        Ok(()) => Ok(text.noted("self-signed", "yes", true)),
        Err(X509Error::SignatureVerificationError) => {
            Ok(text.noted("self-signed", "no: another key of the same name signed it", false))
        }
        Err(_) => {
            Err(text.unreadable("self-signed", "issuer and subject are the same; the signature cannot be verified"))
        }
    }
}

/// Algorithm and size of the key.
fn key(certificate: &X509Certificate<'_>) -> (KeyType, Option<u32>) {
    let info = certificate.public_key();
    match info.algorithm.algorithm.to_id_string().as_str() {
        "1.3.101.112" => return (KeyType::Edwards, Some(256)),
        "1.3.101.113" => return (KeyType::Edwards, Some(456)),
        _ => {}
    }
    match info.parsed() {
        Ok(PublicKey::RSA(key)) => (KeyType::Rsa, bits(key.modulus)),
        Ok(PublicKey::EC(point)) => {
            let curve = info.algorithm.parameters.as_ref().and_then(|any| Oid::try_from(any).ok());
            let known = match curve.map(|oid| oid.to_id_string()).as_deref() {
                Some("1.2.840.10045.3.1.7") => Some(256),
                Some("1.3.132.0.34") => Some(384),
                Some("1.3.132.0.35") => Some(521),
                _ => u32::try_from(point.key_size()).ok().filter(|bits| *bits > 0),
            };
            (KeyType::Ec, known)
        }
        // The size of a DSA key is that of its prime, which stands among the parameters (RFC 3279 section 2.3.2).
        Ok(PublicKey::DSA(_)) => (KeyType::Dsa, None),
        _ => (KeyType::Other, None),
    }
}

/// Number of significant bits of an unsigned number.
fn bits(number: &[u8]) -> Option<u32> {
    let start = number.iter().position(|octet| *octet != 0)?;
    let significant = number.get(start..)?;
    let all = u32::try_from(significant.len()).ok()?.checked_mul(8)?;
    Some(all - significant.first()?.leading_zeros())
}

fn algorithm_name(algorithm: &AlgorithmIdentifier<'_>) -> String {
    let registry = x509_parser::objects::oid_registry();
    match x509_parser::objects::oid2sn(&algorithm.algorithm, registry) {
        Ok(name) => name.to_owned(),
        Err(_) => algorithm.algorithm.to_id_string(),
    }
}

/// Whether a signature is made with SHA-1, MD5 or MD2.
fn is_weak(algorithm: &AlgorithmIdentifier<'_>) -> bool {
    match algorithm.algorithm.to_id_string().as_str() {
        // RSA with MD2, MD4, MD5 and SHA-1 (RFC 8017 appendix C), and the older number of the last.
        "1.2.840.113549.1.1.2"
        | "1.2.840.113549.1.1.3"
        | "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.3.14.3.2.29" => true,
        // DSA and ECDSA with SHA-1 (RFC 3279 section 2.2).
        "1.2.840.10040.4.3" | "1.2.840.10045.4.1" => true,
        // RFC 4055 section 3.1: without parameters, the hash is SHA-1.
        "1.2.840.113549.1.1.10" => algorithm
            .parameters
            .as_ref()
            .and_then(|any| RsaSsaPssParams::try_from(any).ok())
            .is_none_or(|params| params.hash_algorithm_oid().to_id_string() == "1.3.14.3.2.26"),
        _ => false,
    }
}

fn yes(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

fn moment(time: Time) -> String {
    jiff::Timestamp::from_second(time.0).map_or_else(|_| format!("{} s after 1970", time.0), |time| time.to_string())
}
