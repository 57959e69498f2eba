//! What a report for people says beside the assessment: for whom it is, whose it is, and what was collected when.
//!
//! Everything in it is optional, because an assessment may come from files alone. Nothing in it takes part in the
//! judgement, and nothing in it is taken from a clock: times are those of the run that collected.

pub mod picture;

use std::fmt;
use std::str::FromStr;

pub use picture::Picture;

use crate::diag::suggest;
use crate::facts::stored::{ArtefactHead, Header};
use crate::inventory::Inventory;

/// How deep a report for people goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// What was found and what it means, on a few pages.
    Executive,
    /// Everything that an auditor files: scope, coverage, evidence, controls, waivers, sign-off.
    #[default]
    Auditor,
    /// What those who mend it need: places, facts, records; no sign-off.
    Engineer,
}

impl Audience {
    /// Every audience, from the shortest report.
    pub const ALL: &'static [Audience] = &[Audience::Executive, Audience::Auditor, Audience::Engineer];

    /// The word that users type.
    pub const fn as_str(self) -> &'static str {
        match self {
            Audience::Executive => "executive",
            Audience::Auditor => "auditor",
            Audience::Engineer => "engineer",
        }
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names no audience.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such audience `{word}`{}", .suggestion.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
pub struct UnknownAudience {
    /// The word as typed.
    pub word: String,
    /// The nearest audience.
    pub suggestion: Option<&'static str>,
}

impl FromStr for Audience {
    type Err = UnknownAudience;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let words = Audience::ALL.iter().map(|audience| audience.as_str());
        Audience::ALL
            .iter()
            .copied()
            .find(|audience| audience.as_str() == word)
            .ok_or_else(|| UnknownAudience { word: word.to_owned(), suggestion: suggest(word, words) })
    }
}

/// What a report for people says beside the assessment.
#[derive(Debug, Clone, Default)]
pub struct Dossier {
    /// For whom the report is.
    pub audience: Audience,
    /// What the organisation declares about itself: its name, its domains with their owners.
    pub inventory: Option<Inventory>,
    /// The organisation's picture.
    pub logo: Option<Logo>,
    /// The run that collected, where there was one.
    pub run: Option<Header>,
    /// The stored evidence that was judged, where the report is made from it.
    pub origin: Option<Origin>,
    /// How mail flows to and from each domain, where its facts are at hand.
    pub pictures: Vec<Picture>,
    /// The raw artefacts behind the facts, without their bytes, where the stored evidence is at hand.
    pub artefacts: Vec<ArtefactHead>,
}

/// The stored evidence that a report was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// What it is: `snapshot` or `evidence bundle`.
    pub kind: &'static str,
    /// Its name, without folders.
    pub name: String,
    /// SHA-256 of the file, or of the manifest of a folder, in hexadecimal digits.
    pub sha256: String,
    /// How to compute that digest with an ordinary tool, such as `sha256sum audit.snapshot`.
    pub check: String,
}

/// A PNG picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logo(Vec<u8>);

/// Largest picture that is put into a report, in bytes.
const MAX_LOGO: usize = 512 << 10;

/// Why a file cannot be the picture of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogoError {
    /// Not a PNG file.
    #[error("this is not a PNG file")]
    NotPng,
    /// Too large.
    #[error("it is larger than {} KiB", MAX_LOGO >> 10)]
    TooLarge,
}

impl Logo {
    /// A picture from the bytes of a PNG file.
    ///
    /// # Errors
    /// Bytes that do not begin as a PNG file does, or too many of them.
    pub fn png(bytes: Vec<u8>) -> Result<Logo, LogoError> {
        // RFC 2083 section 12.11: the signature; section 4.1.1: the header comes first.
        let is_png = bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.get(12..16) == Some(b"IHDR");
        match (is_png, bytes.len() > MAX_LOGO) {
            (false, _) => Err(LogoError::NotPng),
            (true, true) => Err(LogoError::TooLarge),
            (true, false) => Ok(Logo(bytes)),
        }
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_audience_is_read_back_and_a_typo_is_answered() {
        for audience in Audience::ALL {
            assert_eq!(audience.as_str().parse(), Ok(*audience));
        }
        assert_eq!(
            "enginer".parse::<Audience>().unwrap_err().to_string(),
            "no such audience `enginer`; did you mean `engineer`?"
        );
    }

    #[test]
    fn only_png_files_of_a_bounded_size_are_pictures() {
        let head = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        assert!(Logo::png(head.clone()).is_ok());
        assert_eq!(Logo::png(b"<svg onload=x>".to_vec()), Err(LogoError::NotPng));
        assert_eq!(Logo::png([head, vec![0; MAX_LOGO]].concat()), Err(LogoError::TooLarge));
    }
}
