use super::*;

/// The file of a private key without passphrase, as `ssh-keygen` writes it.
fn file(cipher: &str, algorithm: &str) -> String {
    let seed = [7; 32];
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let point = pair.public_key().as_ref();
    let public = [string(algorithm.as_bytes()), string(point)].concat();
    let secret = [&seed[..], point].concat();
    let check = 42u32.to_be_bytes();
    let private = [&check[..], &check, &public, &string(&secret), &string(b"a comment"), &[1, 2, 3]].concat();
    let none = string(cipher.as_bytes());
    let all =
        [KEY_MAGIC, &none, &none, &string(b""), &1u32.to_be_bytes(), &string(&public), &string(&private)].concat();
    let encoded = BASE64.encode(&all);
    let lines = encoded.as_bytes().chunks(70).map(|line| format!("{}\n", String::from_utf8_lossy(line)));
    format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{}-----END OPENSSH PRIVATE KEY-----\n", lines.collect::<String>())
}

#[test]
fn a_signature_holds_for_its_bytes_and_names_its_key() {
    let key = SigningKey::parse(&file("none", "ssh-ed25519")).unwrap();
    let signature = key.sign(b"manifest");
    assert_eq!(verify(b"manifest", signature.as_bytes()).unwrap(), *key.public());
    assert_eq!(verify(b"manifesT", signature.as_bytes()), Err(SignatureError::Wrong));
    assert!(signature.lines().all(|line| line.len() <= WIDTH));
    assert_eq!(public_keys(&key.public().line()).unwrap(), [key.public().clone()]);
    let signers = format!("# who\n\nauditor@example.org namespaces=\"file\" {} a comment\n", key.public().line());
    assert_eq!(public_keys(&signers).unwrap(), [key.public().clone()]);
}

#[test]
fn no_byte_of_a_signature_can_be_changed() {
    let key = SigningKey::parse(&file("none", "ssh-ed25519")).unwrap();
    let signature = key.sign(b"manifest").into_bytes();
    for at in 0..signature.len() {
        for bit in [1, 32] {
            let mut changed = signature.clone();
            changed[at] ^= bit;
            assert!(verify(b"manifest", &changed).is_err(), "byte {at}");
        }
        assert!(at == signature.len() - 1 || verify(b"manifest", &signature[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn a_key_that_cannot_sign_is_refused_with_what_to_do() {
    for (text, error) in [
        (file("aes256-ctr", "ssh-ed25519"), KeyError::Locked),
        (file("none", "ssh-rsa"), KeyError::Kind("ssh-rsa".to_owned())),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----".to_owned(), KeyError::NotAKey),
        (String::new(), KeyError::NotAKey),
        (file("none", "ssh-ed25519").replace("PRIVATE", "PUBLIC"), KeyError::NotAKey),
    ] {
        assert_eq!(SigningKey::parse(&text).unwrap_err(), error);
    }
    assert!(KeyError::Locked.to_string().contains("ssh-keygen -Y sign -n file"));
    for text in ["", "ssh-ed25519", "ssh-ed25519 AAAA", "example.org ssh-ed25519 %%%"] {
        assert_eq!(public_keys(text), Err(KeyError::NotPublic), "{text}");
    }
}
