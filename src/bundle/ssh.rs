//! Signatures as `ssh-keygen -Y sign -n file` makes and `ssh-keygen -Y verify` checks them (OpenSSH, PROTOCOL.sshsig).
//!
//! What is ours is the framing: OpenSSH's files of keys, and the blob around a signature. Signing is Ed25519 with a key
//! that no passphrase locks, because it must work where nobody is asked; verifying also takes ECDSA and RSA. `ring` does
//! the cryptography. Whoever has another kind of key signs the manifest with `ssh-keygen` itself, to the same effect.

use data_encoding::{BASE64, BASE64_NOPAD};
use ring::digest::{SHA256, SHA512, digest};
use ring::signature::{self, Ed25519KeyPair, KeyPair as _, RsaPublicKeyComponents, UnparsedPublicKey};

/// The namespace, which keeps signatures of files apart from those of mails and commits.
pub const NAMESPACE: &str = "file";

const MAGIC: &[u8] = b"SSHSIG";
const KEY_MAGIC: &[u8] = b"openssh-key-v1\0";
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----";
/// Characters on a line of a signature, as OpenSSH writes them.
const WIDTH: usize = 70;

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not the file of a private key.
    #[error("this is no private key of OpenSSH; `ssh-keygen -t ed25519 -N '' -f FILE` makes one")]
    NotAKey,
    /// Locked by a passphrase.
    #[error(
        "the key is locked by a passphrase, which mailvet does not ask for; leave --sign out and run `ssh-keygen -Y sign -n file \
         -f KEY BUNDLE/manifest-sha256.txt` afterwards"
    )]
    Locked,
    /// Not Ed25519.
    #[error(
        "the key is of type {0}, and mailvet signs with ssh-ed25519; leave --sign out and run `ssh-keygen -Y sign -n file -f KEY \
         BUNDLE/manifest-sha256.txt` afterwards"
    )]
    Kind(String),
    /// Not a public key.
    #[error("this is no public key of OpenSSH: expected lines such as `ssh-ed25519 AAAA… comment`")]
    NotPublic,
}

/// Why a signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It cannot be read.
    #[error("it is no signature of OpenSSH")]
    Format,
    /// It is for something else than files.
    #[error("it is for the namespace `{0}`, and files have `file`")]
    Namespace(String),
    /// An algorithm that is not known here.
    #[error("mailvet cannot check signatures of type {0}; `ssh-keygen -Y verify` can")]
    Algorithm(String),
    /// It is for other bytes.
    #[error("it does not fit the manifest")]
    Wrong,
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: String,
    blob: Vec<u8>,
}

impl PublicKey {
    /// The fingerprint, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", BASE64_NOPAD.encode(digest(&SHA256, &self.blob).as_ref()))
    }

    /// The key as a line of a `.pub` file, without a comment.
    pub fn line(&self) -> String {
        format!("{} {}", self.algorithm, BASE64.encode(&self.blob))
    }

    /// Whether a bare Ed25519 signature by this key is over these bytes.
    pub(super) fn verify_raw(&self, message: &[u8], signature: &[u8]) -> bool {
        let mut wire = Wire(&self.blob);
        let is_ed25519 = wire.string() == Some(b"ssh-ed25519");
        let key = wire.string().unwrap_or_default();
        is_ed25519 && UnparsedPublicKey::new(&signature::ED25519, key).verify(message, signature).is_ok()
    }
}

/// Reads public keys, one on a line: `.pub` files, and files of allowed signers, whose lines start with a name.
///
/// # Errors
/// A line without a key, or no line.
pub fn public_keys(text: &str) -> Result<Vec<PublicKey>, KeyError> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Vec<PublicKey> =
        lines.map(|line| public_key(line).ok_or(KeyError::NotPublic)).collect::<Result<_, _>>()?;
    if keys.is_empty() { Err(KeyError::NotPublic) } else { Ok(keys) }
}

fn public_key(line: &str) -> Option<PublicKey> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    words.windows(2).find_map(|pair| {
        let [algorithm, blob] = pair else { return None };
        let blob = BASE64.decode(blob.as_bytes()).ok()?;
        (Wire(&blob).string()? == algorithm.as_bytes()).then(|| PublicKey { algorithm: (*algorithm).to_owned(), blob })
    })
}

/// A private key that can sign.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public.fingerprint()).finish()
    }
}

impl SigningKey {
    /// Reads the file of a private key (OpenSSH, PROTOCOL.key).
    ///
    /// # Errors
    /// No key, a locked one, or one of another kind.
    pub fn parse(text: &str) -> Result<SigningKey, KeyError> {
        let body = text.trim().strip_prefix("-----BEGIN OPENSSH PRIVATE KEY-----");
        let body = body.and_then(|body| body.strip_suffix("-----END OPENSSH PRIVATE KEY-----"));
        let body: String = body.ok_or(KeyError::NotAKey)?.split_ascii_whitespace().collect();
        let bytes = BASE64.decode(body.as_bytes()).map_err(|_| KeyError::NotAKey)?;
        let mut wire = Wire(bytes.strip_prefix(KEY_MAGIC).ok_or(KeyError::NotAKey)?);
        let mut header = || Some((wire.string()?, wire.string()?, wire.string()?, wire.number()?, wire.string()?));
        let (cipher, _, _, keys, public) = header().ok_or(KeyError::NotAKey)?;
        let algorithm = Wire(public).string().ok_or(KeyError::NotAKey)?;
        if algorithm != b"ssh-ed25519" {
            return Err(KeyError::Kind(String::from_utf8_lossy(algorithm).into_owned()));
        }
        if cipher != b"none" {
            return Err(KeyError::Locked);
        }
        let private = wire.string().filter(|_| keys == 1).ok_or(KeyError::NotAKey)?;
        SigningKey::private(private, public).ok_or(KeyError::NotAKey)
    }

    fn private(bytes: &[u8], public: &[u8]) -> Option<SigningKey> {
        let mut wire = Wire(bytes);
        if wire.number()? != wire.number()? || wire.string()? != b"ssh-ed25519" {
            return None;
        }
        let (point, secret) = (wire.string()?, wire.string()?);
        // The secret is the seed, followed by the public key once more.
        let pair = Ed25519KeyPair::from_seed_and_public_key(secret.get(..32)?, point).ok()?;
        let public = PublicKey { algorithm: "ssh-ed25519".to_owned(), blob: public.to_vec() };
        (public.blob == [string(b"ssh-ed25519"), string(pair.public_key().as_ref())].concat())
            .then_some(SigningKey { pair, public })
    }

    /// Its public key.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// A bare Ed25519 signature.
    pub(super) fn sign_raw(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    /// A signature of a file, as `ssh-keygen -Y sign -n file` writes it.
    pub fn sign(&self, message: &[u8]) -> String {
        let signed = signed_data(NAMESPACE.as_bytes(), b"", b"sha512", digest(&SHA512, message).as_ref());
        let signature = [string(b"ssh-ed25519"), string(&self.sign_raw(&signed))].concat();
        let blob = [
            MAGIC,
            &1u32.to_be_bytes(),
            &string(&self.public.blob),
            &string(NAMESPACE.as_bytes()),
            &string(b""),
            &string(b"sha512"),
            &string(&signature),
        ]
        .concat();
        let encoded = BASE64.encode(&blob);
        let lines = encoded.as_bytes().chunks(WIDTH).map(|line| format!("{}\n", String::from_utf8_lossy(line)));
        format!("{BEGIN}{}{END}\n", lines.collect::<String>())
    }
}

/// What is signed in place of the file (PROTOCOL.sshsig, section 3).
fn signed_data(namespace: &[u8], reserved: &[u8], hash: &[u8], digest: &[u8]) -> Vec<u8> {
    [MAGIC, &string(namespace), &string(reserved), &string(hash), &string(digest)].concat()
}

/// Checks the signature of a file, and gives the key that made it. Whose key that is, is not known here.
///
/// # Errors
/// What does not hold.
pub fn verify(message: &[u8], armoured: &[u8]) -> Result<PublicKey, SignatureError> {
    let blob = unarmoured(armoured).ok_or(SignatureError::Format)?;
    let parts = Parts::read(&blob).ok_or(SignatureError::Format)?;
    if parts.namespace != NAMESPACE.as_bytes() {
        return Err(SignatureError::Namespace(String::from_utf8_lossy(parts.namespace).into_owned()));
    }
    let hashed = match parts.hash {
        b"sha512" => digest(&SHA512, message),
        b"sha256" => digest(&SHA256, message),
        _ => return Err(SignatureError::Format),
    };
    let signed = signed_data(parts.namespace, parts.reserved, parts.hash, hashed.as_ref());
    let mut signature = Wire(parts.signature);
    let (algorithm, bytes) = signature.string().zip(signature.string()).ok_or(SignatureError::Format)?;
    if !signature.0.is_empty() {
        return Err(SignatureError::Format);
    }
    let key = Wire(parts.key).string().ok_or(SignatureError::Format)?;
    let holds = match (key, algorithm) {
        (b"ssh-ed25519", b"ssh-ed25519") => ed25519(parts.key, &signed, bytes),
        (b"ecdsa-sha2-nistp256", b"ecdsa-sha2-nistp256") => {
            ecdsa(&signature::ECDSA_P256_SHA256_FIXED, 32, parts.key, &signed, bytes)
        }
        (b"ecdsa-sha2-nistp384", b"ecdsa-sha2-nistp384") => {
            ecdsa(&signature::ECDSA_P384_SHA384_FIXED, 48, parts.key, &signed, bytes)
        }
        (b"ssh-rsa", b"rsa-sha2-256") => rsa(&signature::RSA_PKCS1_2048_8192_SHA256, parts.key, &signed, bytes),
        (b"ssh-rsa", b"rsa-sha2-512") => rsa(&signature::RSA_PKCS1_2048_8192_SHA512, parts.key, &signed, bytes),
        (_, other) => return Err(SignatureError::Algorithm(String::from_utf8_lossy(other).into_owned())),
    };
    if holds != Some(true) {
        return Err(SignatureError::Wrong);
    }
    Ok(PublicKey { algorithm: String::from_utf8_lossy(key).into_owned(), blob: parts.key.to_vec() })
}

fn ed25519(key: &[u8], signed: &[u8], bytes: &[u8]) -> Option<bool> {
    let key = PublicKey { algorithm: String::new(), blob: key.to_vec() };
    Some(key.verify_raw(signed, bytes))
}

/// RFC 5656 section 3.1: the point of the key, and a signature of two numbers.
fn ecdsa(
    algorithm: &'static signature::EcdsaVerificationAlgorithm,
    width: usize,
    key: &[u8],
    signed: &[u8],
    bytes: &[u8],
) -> Option<bool> {
    let mut wire = Wire(key);
    let (_, _, point) = (wire.string()?, wire.string()?, wire.string()?);
    let mut numbers = Wire(bytes);
    let fixed = [padded(numbers.string()?, width)?, padded(numbers.string()?, width)?].concat();
    Some(UnparsedPublicKey::new(algorithm, point).verify(signed, &fixed).is_ok())
}

/// RFC 4253 section 6.6 and RFC 8332: exponent and modulus.
fn rsa(algorithm: &'static signature::RsaParameters, key: &[u8], signed: &[u8], bytes: &[u8]) -> Option<bool> {
    let mut wire = Wire(key);
    let (_, e, n) = (wire.string()?, wire.string()?, wire.string()?);
    let key = RsaPublicKeyComponents { n: unsigned(n), e: unsigned(e) };
    Some(key.verify(algorithm, signed, bytes).is_ok())
}

/// A number without the zeros in front (RFC 4251 section 5, `mpint`).
fn unsigned(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn padded(number: &[u8], width: usize) -> Option<Vec<u8>> {
    let number = unsigned(number);
    let mut padded = vec![0; width.checked_sub(number.len())?];
    padded.extend(number);
    Some(padded)
}

fn unarmoured(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?.strip_prefix(BEGIN)?;
    let text = text.strip_suffix('\n').unwrap_or(text).strip_suffix(END)?;
    let encoded: String = text.split('\n').collect();
    BASE64.decode(encoded.as_bytes()).ok()
}

/// The blob of a signature (PROTOCOL.sshsig, section 2).
struct Parts<'a> {
    key: &'a [u8],
    namespace: &'a [u8],
    reserved: &'a [u8],
    hash: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(blob: &'a [u8]) -> Option<Parts<'a>> {
        let mut wire = Wire(blob.strip_prefix(MAGIC)?);
        if wire.number()? != 1 {
            return None;
        }
        let parts = Parts {
            key: wire.string()?,
            namespace: wire.string()?,
            reserved: wire.string()?,
            hash: wire.string()?,
            signature: wire.string()?,
        };
        wire.0.is_empty().then_some(parts)
    }
}

/// Reads the data types of SSH (RFC 4251 section 5).
struct Wire<'a>(&'a [u8]);

impl<'a> Wire<'a> {
    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(string)
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

#[cfg(test)]
mod tests;
