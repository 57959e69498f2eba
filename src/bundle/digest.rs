//! SHA-256 of bytes and files, and a writer that computes it on the way.

use std::io::{self, Read, Write};
use std::path::Path;

use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256, digest};

/// SHA-256 in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, bytes).as_ref())
}

/// SHA-256 of a file in hexadecimal digits.
///
/// # Errors
/// Reading failed.
pub fn file_digest(path: &Path) -> io::Result<String> {
    Ok(of(std::fs::File::open(path)?)?.sha256)
}

/// Digest and length of what was read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Summed {
    /// SHA-256 in hexadecimal digits.
    pub(super) sha256: String,
    /// Number of bytes.
    pub(super) bytes: u64,
}

/// Reads everything.
pub(super) fn of(mut input: impl Read) -> io::Result<Summed> {
    let mut summing = Summing::new(io::sink());
    io::copy(&mut input, &mut summing)?;
    Ok(summing.finish().1)
}

/// Passes bytes on and sums them up.
pub(super) struct Summing<W> {
    out: W,
    context: Context,
    bytes: u64,
}

impl<W: Write> Summing<W> {
    pub(super) fn new(out: W) -> Summing<W> {
        Summing { out, context: Context::new(&SHA256), bytes: 0 }
    }

    pub(super) fn finish(self) -> (W, Summed) {
        let sha256 = HEXLOWER.encode(self.context.finish().as_ref());
        (self.out, Summed { sha256, bytes: self.bytes })
    }
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.context.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
