//! Signed notes (C2SP signed-note): a text, an empty line, and lines of signatures.
//!
//! A note is parsed before it is verified, and its text means nothing until then.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{
    cosignature,
    key::{KeyId, KeyType, LogKey, VerifierKey, is_key_name},
};

/// The most bytes of a note: room for a dozen post-quantum signatures.
pub const NOTE_BYTES_MAX: usize = 64 * 1024;

/// The most signature lines of a note. The specification demands at least 16.
pub const SIGNATURES_MAX: usize = 64;

/// What a signature line begins with: EM DASH and a space.
const DASH: &str = "— ";

/// A note whose signatures nobody has looked at. Prints the bytes that it was parsed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<SignatureLine>,
}

/// A line `— <name> <base64(key id ‖ signature)>`; printed without the LF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLine {
    name: String,
    id: KeyId,
    /// What follows the key id: its form depends on the key's type, which the line does not tell.
    signature: Vec<u8>,
}

/// A signature that was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified<'a> {
    /// The key that made it.
    pub key: &'a VerifierKey,
    /// The line that it stands in.
    pub line: &'a SignatureLine,
    /// When, in POSIX seconds, by the signer's clock; cosignatures alone tell it.
    pub cosigned_s: Option<u64>,
}

/// Why bytes are no note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadNote {
    /// More than [`NOTE_BYTES_MAX`].
    #[error("a note of {0} bytes, more than {NOTE_BYTES_MAX}")]
    TooLarge(usize),
    /// More signature lines than [`SIGNATURES_MAX`].
    #[error("a note with more than {SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// Not UTF-8, a control character, or no empty line after the text.
    #[error("a note is lines of UTF-8 without control characters, an empty line, and signatures")]
    Text,
    /// A line after the empty line is no signature line, or there is none.
    #[error("not the line of a signature")]
    SignatureLine,
}

/// Why a note says nothing to whoever trusts these keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotVerified {
    /// A signature by a known key does not fit the text: the whole note is refused.
    #[error("a signature by {name}+{id} is not one over this note")]
    Wrong {
        /// The name of the key.
        name: String,
        /// The id of the key.
        id: KeyId,
    },
    /// No known key signed it.
    #[error("the note has no signature by a known key")]
    Unknown,
}

impl Note {
    /// Reads a note. It is separated from its signatures at its last empty line.
    ///
    /// # Errors
    /// It is no note, or more than is allowed.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadNote> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(BadNote::TooLarge(bytes.len()));
        }
        let note = std::str::from_utf8(bytes).map_err(|_| BadNote::Text)?;
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(BadNote::Text);
        }
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(BadNote::Text)?;
        Ok(Self { text: format!("{text}\n"), signatures: parse_signatures(signatures)? })
    }

    /// Signs a text, which must be short whole lines without control characters.
    pub(crate) fn sign(text: String, key: &LogKey) -> Self {
        let signature = key.sign_bytes(text.as_bytes()).to_vec();
        Self { text, signatures: vec![SignatureLine::new(key.verifier(), signature)] }
    }

    /// Adds a signature line after the others. It should have been verified.
    ///
    /// # Errors
    /// The note would become larger than is allowed; it is as it was.
    pub fn add(&mut self, line: SignatureLine) -> Result<(), BadNote> {
        if self.signatures.len() == SIGNATURES_MAX {
            return Err(BadNote::TooManySignatures);
        }
        self.signatures.push(line);
        let bytes = self.to_string().len();
        if bytes > NOTE_BYTES_MAX {
            self.signatures.pop();
            return Err(BadNote::TooLarge(bytes));
        }
        Ok(())
    }

    /// The same text with some of its signature lines.
    pub(crate) fn with_signatures(&self, signatures: Vec<SignatureLine>) -> Self {
        Self { text: self.text.clone(), signatures }
    }

    /// The text that is signed, with the LF of its last line.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, verified or not.
    #[must_use]
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// The signatures by these keys, in the order of their lines; a key that signed twice is there
    /// twice. Lines of other keys are passed over, also where they have a known name or a known id.
    ///
    /// # Errors
    /// One of these keys did not make a signature that bears its name and id, or none of them
    /// signed.
    pub fn verify<'a>(
        &'a self,
        keys: impl IntoIterator<Item = &'a VerifierKey> + Clone,
    ) -> Result<Vec<Verified<'a>>, NotVerified> {
        let mut verified = Vec::new();
        for line in &self.signatures {
            for key in keys.clone().into_iter().filter(|key| line.is_by(key)) {
                verified.push(line.verify(&self.text, key)?);
            }
        }
        if verified.is_empty() { Err(NotVerified::Unknown) } else { Ok(verified) }
    }
}

impl SignatureLine {
    pub(crate) fn new(key: &VerifierKey, signature: Vec<u8>) -> Self {
        Self { name: key.name().to_owned(), id: key.id(), signature }
    }

    /// The name that it bears. It proves nothing.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the line bears the name and the id of this key. It proves nothing.
    #[must_use]
    pub fn is_by(&self, key: &VerifierKey) -> bool {
        self.name == key.name() && self.id == key.id()
    }

    /// Verifies that this key made this signature over a note's text.
    ///
    /// # Errors
    /// It did not: always [`NotVerified::Wrong`].
    pub fn verify<'a>(
        &'a self,
        text: &str,
        key: &'a VerifierKey,
    ) -> Result<Verified<'a>, NotVerified> {
        let cosigned_s = match key.key_type() {
            KeyType::Note => key.signed(text.as_bytes(), &self.signature).then_some(None),
            KeyType::Cosignature => cosignature::verify(key, text, &self.signature).map(Some),
        };
        match cosigned_s.filter(|_| self.is_by(key)) {
            Some(cosigned_s) => Ok(Verified { key, line: self, cosigned_s }),
            None => Err(NotVerified::Wrong { name: self.name.clone(), id: self.id }),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let (name, base64) = line.strip_prefix(DASH)?.split_once(' ')?;
        let bytes = BASE64_STANDARD.decode(base64).ok()?;
        let (id, signature) = bytes.split_first_chunk()?;
        (is_key_name(name) && !signature.is_empty()).then(|| Self {
            name: name.to_owned(),
            id: KeyId(*id),
            signature: signature.to_owned(),
        })
    }
}

/// Reads signature lines, each with its LF: the end of a note, or what a witness answers.
///
/// # Errors
/// One of the lines is none, or there is none.
pub fn parse_signatures(text: &str) -> Result<Vec<SignatureLine>, BadNote> {
    let lines = text.strip_suffix('\n').ok_or(BadNote::SignatureLine)?.split('\n');
    let mut signatures = Vec::new();
    for line in lines {
        if signatures.len() == SIGNATURES_MAX {
            return Err(BadNote::TooManySignatures);
        }
        signatures.push(SignatureLine::parse(line).ok_or(BadNote::SignatureLine)?);
    }
    Ok(signatures)
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.id.0.as_slice(), &self.signature].concat();
        write!(f, "{DASH}{} {}", self.name, BASE64_STANDARD.encode(bytes))
    }
}
