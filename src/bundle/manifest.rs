//! Manifests (RFC 8493 section 2.1.3): lines with SHA-256, two spaces and the path, as `sha256sum` writes and reads them.
//!
//! Names in a bundle need no escaping ([`super::Names`]), so that the text means the same to every reader. What is read is
//! read strictly: a manifest that another hand wrote in another way is not the one that was sealed.

use std::collections::BTreeMap;

/// Digests by path.
pub(super) type Manifest = BTreeMap<String, String>;

/// The text of a manifest, sorted by path.
pub(super) fn text<'a>(entries: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    entries.map(|(path, sha256)| format!("{sha256}  {path}\n")).collect()
}

/// Reads a manifest; the error names the line.
pub(super) fn parse(bytes: &[u8]) -> Result<Manifest, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut manifest = Manifest::new();
    for (line, number) in text.split_inclusive('\n').zip(1..) {
        let line = line.strip_suffix('\n').ok_or_else(|| format!("line {number} is cut"))?;
        let (sha256, path) = line.split_once("  ").ok_or_else(|| format!("line {number} is not `SHA-256  path`"))?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if sha256.len() != 64 || !sha256.bytes().all(is_digit) {
            return Err(format!("line {number} has no SHA-256"));
        }
        if !is_inside(path) {
            return Err(format!("line {number} names a path that does not belong in a bundle"));
        }
        if manifest.insert(path.to_owned(), sha256.to_owned()).is_some() {
            return Err(format!("line {number} names a file for the second time"));
        }
    }
    Ok(manifest)
}

/// Whether a path stays in the bundle, and is written as bundles are.
pub(super) fn is_inside(path: &str) -> bool {
    let is_usual = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    path.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && path.bytes().all(|byte| is_usual(byte) && !matches!(byte, b'\\' | b'%' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_back_and_a_foreign_one_is_refused() {
        let digest = "0".repeat(64);
        let written = text([("data/a b", digest.as_str()), ("data/c", digest.as_str())].into_iter());
        assert_eq!(parse(written.as_bytes()).unwrap().len(), 2);
        assert!(written.starts_with(&format!("{digest}  data/a b\n")));
        for wrong in [
            format!("{digest}  data/a"),
            format!("{digest} data/a\n"),
            format!("{digest}  ../a\n"),
            format!("{digest}  /a\n"),
            format!("{digest}  data/a%0A\n"),
            format!("{}  data/a\n", "G".repeat(64)),
            format!("{digest}  data/a\n{digest}  data/a\n"),
            "\n".to_owned(),
        ] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
    }
}
