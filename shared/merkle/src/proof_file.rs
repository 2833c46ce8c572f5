//! `.tlog-proof` files (C2SP tlog-proof): an entry's place, its inclusion proof and a cosigned
//! checkpoint. With the entry and a policy, nothing else is needed, and no network.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{
    checkpoint::{BadCheckpoint, SignedCheckpoint},
    hash::Hash,
    note::NOTE_BYTES_MAX,
    policy::{Accepted, NotAccepted, Policy},
    text,
    verification::{NotProven, verify_inclusion},
};

/// The most bytes of a proof file: the note, the proof, and as much again for what is extra.
pub const PROOF_FILE_BYTES_MAX: usize = 3 * NOTE_BYTES_MAX;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A proof that an entry is in a log. Prints the bytes that it was parsed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofFile {
    /// What the issuer added; empty where nothing was. Nothing authenticates it.
    pub extra: Vec<u8>,
    /// The number of the entry, from 0.
    pub index: u64,
    /// The inclusion proof, the sibling of the leaf first.
    pub proof: Vec<Hash>,
    /// The tree that the entry is in, as it was signed and cosigned.
    pub checkpoint: SignedCheckpoint,
}

/// Why bytes are no proof file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadProofFile {
    /// More than [`PROOF_FILE_BYTES_MAX`].
    #[error("a proof of {0} bytes, more than {PROOF_FILE_BYTES_MAX}")]
    TooLarge(usize),
    /// The first line is another, or no empty line comes before the checkpoint.
    #[error("not a {FIRST_LINE}")]
    Text,
    /// The extra line is empty or no base64.
    #[error("the extra line is not base64")]
    Extra,
    /// There is no index, or it is no decimal.
    #[error("the index is missing, or not a decimal")]
    Index,
    /// A line of the proof is no hash, or there are more than 63.
    #[error("the inclusion proof is not at most 63 lines of hashes")]
    Proof,
    /// What follows the empty line.
    #[error(transparent)]
    Checkpoint(#[from] BadCheckpoint),
}

/// Why a proof file proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotLogged {
    /// The checkpoint is not one that the policy accepts.
    #[error(transparent)]
    Policy(#[from] NotAccepted),
    /// The entry is not in the tree of the checkpoint.
    #[error(transparent)]
    Proof(#[from] NotProven),
}

impl ProofFile {
    /// Reads a proof file.
    ///
    /// # Errors
    /// The bytes are none, or more than is allowed.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadProofFile> {
        if bytes.len() > PROOF_FILE_BYTES_MAX {
            return Err(BadProofFile::TooLarge(bytes.len()));
        }
        let (mut lines, note) = text::head_and_note(bytes).ok_or(BadProofFile::Text)?;
        if lines.next() != Some(FIRST_LINE) {
            return Err(BadProofFile::Text);
        }
        let mut line = lines.next().ok_or(BadProofFile::Index)?;
        let mut extra = Vec::new();
        if let Some(base64) = line.strip_prefix("extra ") {
            extra = BASE64_STANDARD.decode(base64).map_err(|_| BadProofFile::Extra)?;
            if extra.is_empty() {
                return Err(BadProofFile::Extra);
            }
            line = lines.next().ok_or(BadProofFile::Index)?;
        }
        let index = line.strip_prefix("index ").and_then(text::decimal);
        Ok(Self {
            extra,
            index: index.ok_or(BadProofFile::Index)?,
            proof: text::hashes(lines).ok_or(BadProofFile::Proof)?,
            checkpoint: SignedCheckpoint::parse(note)?,
        })
    }

    /// Verifies that the entry with this leaf hash is in a log that the policy accepts, at this
    /// index, in a tree that the policy's witnesses have seen.
    ///
    /// # Errors
    /// The checkpoint is not accepted, or the entry is not in its tree.
    pub fn verify<'a>(&'a self, leaf: Hash, policy: &'a Policy) -> Result<Accepted<'a>, NotLogged> {
        let accepted = policy.accept(&self.checkpoint)?;
        let tree = self.checkpoint.checkpoint();
        verify_inclusion(leaf, self.index, tree.size(), &self.proof, tree.root())?;
        Ok(accepted)
    }
}

impl fmt::Display for ProofFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if !self.extra.is_empty() {
            writeln!(f, "extra {}", BASE64_STANDARD.encode(&self.extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        text::write_hashes(f, &self.proof)?;
        write!(f, "\n{}", self.checkpoint)
    }
}
