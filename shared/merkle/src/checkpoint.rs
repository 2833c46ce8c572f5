//! Checkpoints (C2SP tlog-checkpoint): a log's origin, size and root, in a signed note.
//!
//! Extension lines are refused: no monitor audits them, and not every cosignature covers them.

use std::fmt;

use crate::{
    hash::Hash,
    key::{LogKey, VerifierKey},
    note::{BadNote, NotVerified, Note, SignatureLine, Verified},
    text,
};

/// What a log says it is: three lines of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
}

/// A checkpoint in its note. That it parses says nothing of its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
}

/// Why bytes are no signed checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    /// They are no note.
    #[error(transparent)]
    Note(#[from] BadNote),
    /// The first line is empty.
    #[error("the checkpoint has no origin")]
    Origin,
    /// The second line is no decimal up to 2^63 − 1, or has leading zeros.
    #[error("the checkpoint has no size")]
    Size,
    /// The third line is no hash.
    #[error("the checkpoint has no root")]
    Root,
    /// There are more lines.
    #[error("the checkpoint has extension lines")]
    Extension,
}

impl Checkpoint {
    /// Reads the text of a note: exactly three lines.
    fn parse(text: &str) -> Result<Self, BadCheckpoint> {
        let mut lines = text.split_terminator('\n');
        let origin = lines.next().filter(|line| !line.is_empty()).ok_or(BadCheckpoint::Origin)?;
        let size = lines.next().and_then(text::decimal).ok_or(BadCheckpoint::Size)?;
        let root = lines.next().and_then(|line| line.parse().ok()).ok_or(BadCheckpoint::Root)?;
        match lines.next() {
            None => Ok(Self { origin: origin.to_owned(), size, root }),
            Some(_) => Err(BadCheckpoint::Extension),
        }
    }

    /// The log's name, which is also the name of its key.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.root
    }
}

impl SignedCheckpoint {
    /// Reads a checkpoint with its signature lines.
    ///
    /// # Errors
    /// The bytes are no note, or its text is no checkpoint.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadCheckpoint> {
        let note = Note::parse(bytes)?;
        Ok(Self { checkpoint: Checkpoint::parse(note.text())?, note })
    }

    /// Signs what the log is now. The origin is the name of the key. The caller answers for it
    /// that this tree has grown from every other that was ever signed.
    #[must_use]
    pub fn sign(key: &LogKey, size: u64, root: Hash) -> Self {
        let checkpoint = Checkpoint { origin: key.verifier().name().to_owned(), size, root };
        Self { note: Note::sign(checkpoint.to_string(), key), checkpoint }
    }

    /// The checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note that it stands in.
    #[must_use]
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// The same checkpoint with these of its signature lines.
    #[must_use]
    pub fn with_signatures(&self, signatures: Vec<SignatureLine>) -> Self {
        let note = self.note.with_signatures(signatures);
        Self { checkpoint: self.checkpoint.clone(), note }
    }

    /// Adds a cosignature: see [`Note::add`].
    ///
    /// # Errors
    /// The note would become larger than is allowed; it is as it was.
    pub fn add(&mut self, line: SignatureLine) -> Result<(), BadNote> {
        self.note.add(line)
    }

    /// The signatures by these keys: see [`Note::verify`].
    ///
    /// # Errors
    /// A known key's signature is wrong, or no known key signed.
    pub fn verify<'a>(
        &'a self,
        keys: impl IntoIterator<Item = &'a VerifierKey> + Clone,
    ) -> Result<Vec<Verified<'a>>, NotVerified> {
        self.note.verify(keys)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.note, f)
    }
}
