//! `mailvet verify`: whether an evidence bundle is as it was sealed.

use std::io::Write as _;

use anyhow::Context as _;

use super::{exit, input};
use crate::bundle::{self, BundleError, ssh};
use crate::cli::VerifyArgs;
use crate::diag::visible;

/// Verifies, and names every file that is not as it was.
pub(super) fn run(args: &VerifyArgs) -> anyhow::Result<u8> {
    let keys = match &args.key {
        Some(path) => {
            let text = String::from_utf8(input::read(path)?).map_err(|_| ssh::KeyError::NotPublic);
            let keys = text.and_then(|text| ssh::public_keys(&text));
            Some(keys.with_context(|| format!("--key {}", path.display()))?)
        }
        None => None,
    };
    let mut out = anstream::stdout().lock();
    let verified = match bundle::verify(&args.bundle, keys.as_deref()) {
        Err(error @ (BundleError::Incomplete(_) | BundleError::Changed(..))) => {
            writeln!(out, "{}", visible(&error.to_string()))?;
            return Ok(exit::FAILED);
        }
        verified => verified?,
    };
    let shown = args.bundle.display().to_string();
    let shown = visible(&shown);
    if !verified.problems.is_empty() {
        for problem in &verified.problems {
            writeln!(out, "{}", visible(&problem.to_string()))?;
        }
        writeln!(out, "{shown}: not as it was sealed")?;
        return Ok(exit::FAILED);
    }
    writeln!(out, "{shown}: as it was sealed")?;
    writeln!(out, "  payload    {} files, {} bytes", verified.files, verified.bytes)?;
    if let (Some(manifest), Some(sealed)) = (&verified.manifest_sha256, &verified.sealed) {
        writeln!(out, "  manifest   SHA-256 {manifest}")?;
        writeln!(out, "  custody    {} events, sealed {}", verified.events, visible(sealed))?;
    }
    match (&verified.signer, verified.trusted) {
        (None, _) => writeln!(out, "  signature  none")?,
        (Some(signer), Some(true)) => writeln!(out, "  signature  by {}, a key that was given", signer.fingerprint())?,
        (Some(signer), _) => {
            writeln!(out, "  signature  by {}; whose key that is, --key tells", signer.fingerprint())?;
        }
    }
    Ok(exit::GOOD)
}
