//! DKIM key records (RFC 6376 section 3.6.1, RFC 8301, RFC 8463): what the record says, and the size of the key as
//! decoded from the key itself.
//!
//! Nothing here judges: a short key is a number of bits, a record in test mode is a flag.

use std::borrow::Cow;
use std::ops::Range;

use data_encoding::BASE64;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::tags::{Problem, Tag, tags};

/// Algorithm named by `k=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// RSA, also when `k=` is missing (RFC 6376 section 3.6.1).
    Rsa,
    /// Ed25519 (RFC 8463).
    Ed25519,
    /// Any other value.
    Other,
}

/// A key record as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Algorithm.
    pub key_type: KeyType,
    /// Size of the key in bits; `None` when there is no key or it cannot be decoded.
    pub bits: Option<u32>,
    /// Whether `p=` is empty, which revokes the key.
    pub revoked: bool,
    /// Whether `t=` has the flag `y`.
    pub testing: bool,
    /// Whether `t=` has the flag `s`: the identity must not be a subdomain.
    pub strict_subdomains: bool,
    /// Whether `h=` names `sha1` (RFC 8301 section 3.1 forbids it).
    pub names_sha1: bool,
    /// Whether `s=` includes e-mail: `*`, `email` or no `s=` at all.
    pub for_email: bool,
    /// Whether the key is a bare RSAPublicKey instead of the SubjectPublicKeyInfo that RFC 6376 section 3.6.1 asks for.
    pub bare_rsa: bool,
    /// Byte range of the value of `p=`.
    pub key_range: Option<Range<usize>>,
    /// Byte range of the value of `k=`.
    pub type_range: Option<Range<usize>>,
    /// Byte range of the value of `h=`.
    pub hash_range: Option<Range<usize>>,
    /// Byte range of the value of `t=`.
    pub flags_range: Option<Range<usize>>,
    /// Byte range of the value of `s=`.
    pub service_range: Option<Range<usize>>,
    /// What does not follow the grammar. A record without problems is valid.
    pub problems: Vec<Problem>,
}

/// Whether a text at a selector is meant to be a key: it has a `p=` tag, or states `v=DKIM1`.
pub fn looks_like_key(text: &str) -> bool {
    text.starts_with("v=DKIM1;")
        || tags(text).iter().any(|tag| tag.name == "p" || (tag.name == "v" && tag.value == "DKIM1"))
}

/// Reads a key record.
pub fn parse(text: &str) -> Key {
    let mut key = Key {
        key_type: KeyType::Rsa,
        bits: None,
        revoked: false,
        testing: false,
        strict_subdomains: false,
        names_sha1: false,
        for_email: true,
        bare_rsa: false,
        key_range: None,
        type_range: None,
        hash_range: None,
        flags_range: None,
        service_range: None,
        problems: Vec::new(),
    };
    let list = tags(text);
    for (index, tag) in list.iter().enumerate() {
        if !tag.has_value {
            key.problems.push(Problem::new(format!("`{}` has no value", tag.name), tag.range()));
        } else if !is_tag_name(tag.name) {
            key.problems.push(Problem::new(
                "a tag name is a letter followed by letters, digits and underscores",
                tag.name_range.clone(),
            ));
        } else if list[..index].iter().any(|earlier| earlier.name == tag.name) {
            // RFC 6376 section 3.2: tags with duplicate names must not occur within a single tag-list.
            key.problems.push(Problem::new(format!("`{}` stands twice", tag.name), tag.range()));
        } else {
            key.read(tag, index);
        }
    }
    match key.key_range.clone() {
        None => key.problems.push(Problem::new("the tag `p` is missing", 0..text.len())),
        Some(range) => key.decode(&text[range.clone()], range),
    }
    key
}

/// RFC 6376 section 3.2: `tag-name = ALPHA *ALNUMPUNC`.
fn is_tag_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl Key {
    fn read(&mut self, tag: &Tag<'_>, index: usize) {
        let range = tag.value_range.clone();
        match tag.name {
            // RFC 6376 section 3.6.1: `v` is recommended; where present it is the first tag and equals DKIM1.
            "v" if tag.value != "DKIM1" => self.problems.push(Problem::new("the version is not DKIM1", range)),
            "v" if index != 0 => {
                self.problems.push(Problem::new("`v` must be the first tag", tag.range()));
            }
            "k" => {
                self.key_type = match tag.value {
                    "rsa" => KeyType::Rsa,
                    // RFC 8463 section 4.
                    "ed25519" => KeyType::Ed25519,
                    _ => KeyType::Other,
                };
                self.type_range = Some(range);
            }
            "h" => {
                self.names_sha1 = list(tag.value).any(|hash| hash == "sha1");
                if !list(tag.value).any(|hash| hash == "sha256") && !self.names_sha1 {
                    self.problems
                        .push(Problem::new("`h` names no hash algorithm that RFC 6376 defines", range.clone()));
                }
                self.hash_range = Some(range);
            }
            "t" => {
                self.testing = list(tag.value).any(|flag| flag == "y");
                self.strict_subdomains = list(tag.value).any(|flag| flag == "s");
                self.flags_range = Some(range);
            }
            "s" => {
                self.for_email = list(tag.value).any(|service| service == "*" || service == "email");
                self.service_range = Some(range);
            }
            "p" => self.key_range = Some(range),
            // RFC 6376 section 3.2: unrecognised tags must be ignored; `n` is a note for people.
            _ => {}
        }
    }

    /// Decodes the key and measures it.
    fn decode(&mut self, value: &str, range: Range<usize>) {
        // RFC 6376 section 3.2: folding white space inside base64 is ignored.
        let packed: Cow<'_, [u8]> = match value.bytes().any(|byte| byte.is_ascii_whitespace()) {
            true => value.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect(),
            false => Cow::Borrowed(value.as_bytes()),
        };
        if packed.is_empty() {
            // RFC 6376 section 3.6.1: an empty value means that the key has been revoked.
            self.revoked = true;
            return;
        }
        let Ok(bytes) = BASE64.decode(&packed) else {
            self.problems.push(Problem::new("the key is not valid base64", range));
            return;
        };
        let size = match self.key_type {
            KeyType::Rsa => self.rsa_bits(&bytes),
            KeyType::Ed25519 => ed25519_bits(&bytes),
            KeyType::Other => return,
        };
        match size {
            Ok(bits) => self.bits = Some(bits),
            Err(reason) => self.problems.push(Problem::new(reason, range)),
        }
    }

    /// Bits of the modulus of an RSA key in SubjectPublicKeyInfo (RFC 5280) or, as seen in the wild, bare PKCS #1 form.
    fn rsa_bits(&mut self, der: &[u8]) -> Result<u32, String> {
        if let Ok((rest, info)) = SubjectPublicKeyInfo::from_der(der) {
            if !rest.is_empty() {
                return Err("octets follow the key".to_owned());
            }
            return match info.parsed() {
                Ok(PublicKey::RSA(rsa)) => modulus_bits(rsa.modulus),
                Ok(_) => Err("the key is not an RSA key, but `k` says rsa".to_owned()),
                Err(_) => Err("the RSA key cannot be decoded".to_owned()),
            };
        }
        match x509_parser::public_key::RSAPublicKey::from_der(der) {
            Ok(([], rsa)) => {
                self.bare_rsa = true;
                modulus_bits(rsa.modulus)
            }
            _ => Err("the RSA key cannot be decoded".to_owned()),
        }
    }
}

/// Bits of an unsigned big-endian number.
fn modulus_bits(modulus: &[u8]) -> Result<u32, String> {
    let digits = modulus.iter().skip_while(|octet| **octet == 0).count();
    let first = modulus.iter().find(|octet| **octet != 0).ok_or("the RSA modulus is zero")?;
    let bits = digits * 8 - first.leading_zeros() as usize;
    u32::try_from(bits).map_err(|_| "the RSA modulus is too large".to_owned())
}

/// RFC 8463 section 4: the key is the 32 octets of the public key, base64-encoded, without any wrapping.
fn ed25519_bits(bytes: &[u8]) -> Result<u32, String> {
    match bytes.len() {
        32 => Ok(256),
        44 => Err("an Ed25519 key is published as 32 octets, not as SubjectPublicKeyInfo".to_owned()),
        other => Err(format!("an Ed25519 key has 32 octets, this one {other}")),
    }
}

/// The colon-separated words of a value.
fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(':').map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 1024 bits, in SubjectPublicKeyInfo form.
    const RSA_1024: &str = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB";
    /// The example of RFC 8463 appendix A.
    const ED25519: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    fn reasons(text: &str) -> Vec<String> {
        parse(text).problems.into_iter().map(|problem| problem.reason).collect()
    }

    #[test]
    fn case_70_version_and_type_may_be_missing_but_version_comes_first() {
        let key = parse(&format!("p={RSA_1024}"));
        assert_eq!((key.key_type, key.bits, key.problems), (KeyType::Rsa, Some(1024), vec![]));
        assert_eq!(reasons(&format!("k=rsa; v=DKIM1; p={RSA_1024}")), ["`v` must be the first tag"]);
        assert_eq!(reasons(&format!("v=DKIM2; p={RSA_1024}")), ["the version is not DKIM1"]);
    }

    #[test]
    fn case_71_an_empty_key_is_revoked_not_missing_and_not_broken() {
        for text in ["v=DKIM1; p=", "v=DKIM1; p= ;", "p="] {
            let key = parse(text);
            assert!(key.revoked && key.bits.is_none() && key.problems.is_empty(), "{text}");
        }
        assert_eq!(reasons("v=DKIM1; k=rsa"), ["the tag `p` is missing"]);
    }

    #[test]
    fn case_72_flags_say_testing_and_no_subdomains() {
        let key = parse(&format!("v=DKIM1; t=y:s; p={RSA_1024}"));
        assert!(key.testing && key.strict_subdomains);
        let key = parse(&format!("v=DKIM1; t=s; p={RSA_1024}"));
        assert!(!key.testing && key.strict_subdomains);
    }

    #[test]
    fn case_73_hash_list_and_size_are_read_from_the_record() {
        let key = parse(&format!("v=DKIM1; h=sha1; p={RSA_1024}"));
        assert!(key.names_sha1 && key.problems.is_empty());
        assert_eq!(key.bits, Some(1024));
        assert!(!parse(&format!("v=DKIM1; h=sha256; p={RSA_1024}")).names_sha1);
    }

    #[test]
    fn case_74_an_ed25519_key_has_32_octets() {
        let key = parse(&format!("v=DKIM1; k=ed25519; p={ED25519}"));
        assert_eq!((key.key_type, key.bits, key.problems), (KeyType::Ed25519, Some(256), vec![]));
        assert_eq!(reasons("v=DKIM1; k=ed25519; p=AAAA"), ["an Ed25519 key has 32 octets, this one 3"]);
    }

    #[test]
    fn case_75_white_space_inside_the_key_is_ignored() {
        let (front, back) = RSA_1024.split_at(60);
        assert_eq!(parse(&format!("v=DKIM1; p={front} \t\r\n {back}")).bits, Some(1024));
        let text = "v=DKIM1; p=MIG!";
        let key = parse(text);
        assert_eq!(&text[key.problems[0].range.clone()], "MIG!");
    }

    #[test]
    fn case_81_the_service_list_may_leave_mail_out() {
        assert!(parse(&format!("s=*; p={RSA_1024}")).for_email);
        assert!(parse(&format!("s=email:x; p={RSA_1024}")).for_email);
        assert!(!parse(&format!("s=tlsrpt; p={RSA_1024}")).for_email);
    }

    #[test]
    fn duplicate_tags_and_undecodable_keys_are_problems() {
        assert_eq!(reasons(&format!("p={RSA_1024}; p={RSA_1024}")), ["`p` stands twice"]);
        assert_eq!(reasons("p=AAAA"), ["the RSA key cannot be decoded"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn any_text_is_read_with_ranges_inside(text in "[vkpths=;: DKIM1rsaA-Za-z0-9+/é]{0,80}") {
            let key = parse(&text);
            for problem in key.problems {
                prop_assert!(text.get(problem.range).is_some());
            }
        }
    }
}
