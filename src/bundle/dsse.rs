//! An in-toto statement about a bundle (in-toto attestation framework, version 1) in a DSSE envelope (DSSE protocol 1.0.2).
//!
//! It names both manifests with their digests, so that it holds what lies beside the payload too, and says which program
//! made the bundle. The envelope is one line of JSON in one form only: nothing in it can be changed without notice.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::digest::sha256;
use super::record::Record;
use super::ssh::{PublicKey, SigningKey};

/// Type of the payload (in-toto attestation framework, envelope layer).
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// Type of the statement.
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// Type of the predicate, which is mailvet's own.
const PREDICATE_TYPE: &str = "https://mailvet.invalid/evidence-bundle/v1";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    keyid: String,
    sig: String,
}

/// What is signed (DSSE protocol, section "Pre-authentication encoding").
fn encoding(payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len()).into_bytes();
    bytes.extend(payload);
    bytes
}

fn subject(subjects: &[(&str, &[u8])]) -> Value {
    subjects.iter().map(|(name, bytes)| json!({ "name": name, "digest": { "sha256": sha256(bytes) } })).collect()
}

fn statement(subjects: &[(&str, &[u8])], record: &Record) -> Value {
    json!({
        "_type": STATEMENT_TYPE,
        "subject": subject(subjects),
        "predicateType": PREDICATE_TYPE,
        "predicate": { "tool": record.tool, "started": record.started, "ended": record.ended },
    })
}

fn written(envelope: &Envelope) -> Vec<u8> {
    // Strings always serialise.
    let mut bytes = serde_json::to_vec(envelope).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// The envelope with the statement about these files.
pub(super) fn envelope(key: &SigningKey, subjects: &[(&str, &[u8])], record: &Record) -> Vec<u8> {
    let payload = statement(subjects, record).to_string().into_bytes();
    let sig = BASE64.encode(&key.sign_raw(&encoding(&payload)));
    written(&Envelope {
        payload_type: PAYLOAD_TYPE.to_owned(),
        payload: BASE64.encode(&payload),
        signatures: vec![Signature { keyid: key.public().fingerprint(), sig }],
    })
}

/// Checks an envelope, and what it says of the run when the record is known to be right; the error says what does not fit.
pub(super) fn verify(
    bytes: &[u8],
    key: &PublicKey,
    subjects: &[(&str, &[u8])],
    record: Option<&Record>,
) -> Result<(), String> {
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|_| "it is no DSSE envelope".to_owned())?;
    let [signature] = envelope.signatures.as_slice() else { return Err("it does not have one signature".to_owned()) };
    if written(&envelope) != bytes || envelope.payload_type != PAYLOAD_TYPE || signature.keyid != key.fingerprint() {
        return Err("its envelope is not the one that was sealed".to_owned());
    }
    let payload = BASE64.decode(envelope.payload.as_bytes()).map_err(|_| "its payload is not base64".to_owned())?;
    let raw = BASE64.decode(signature.sig.as_bytes()).map_err(|_| "its signature is not base64".to_owned())?;
    if !key.verify_raw(&encoding(&payload), &raw) {
        return Err("its signature does not hold".to_owned());
    }
    let stated: Value = serde_json::from_slice(&payload).map_err(|_| "its statement is no JSON".to_owned())?;
    let fits = match record {
        Some(record) => statement(subjects, record) == stated,
        None => stated.get("subject") == Some(&subject(subjects)),
    };
    if fits { Ok(()) } else { Err("its statement is about other files".to_owned()) }
}
