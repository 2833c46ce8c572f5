//! The id of a picture: what it is made of.

use std::{fmt, str::FromStr};

use domain::hex::hex;
use sha2::{Digest, Sha256};

/// Letters of an id.
const LETTERS: usize = 64;

/// SHA-256 of the largest of the sizes, as 64 lower-case hexadecimal digits: the same picture has
/// the same id, whoever uploads it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhotoId(String);

/// This is no picture's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a picture")]
pub struct NotAPhotoId;

impl PhotoId {
    pub(crate) fn of(full: &[u8]) -> Self {
        Self(hex(&Sha256::digest(full)))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PhotoId {
    type Err = NotAPhotoId;
    fn from_str(text: &str) -> Result<Self, NotAPhotoId> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let fits = text.len() == LETTERS && text.bytes().all(is_digit);
        fits.then(|| Self(text.to_owned())).ok_or(NotAPhotoId)
    }
}

impl fmt::Display for PhotoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
