//! What a witness is asked and how it decides (C2SP tlog-witness, `add-checkpoint`).
//!
//! No HTTP and no storage: whoever calls [`decide`] keeps what it answers, in one step with the
//! check and durably, before anything is signed or answered.

use std::fmt;

use crate::{
    checkpoint::{BadCheckpoint, Checkpoint, SignedCheckpoint},
    hash::{EMPTY_ROOT, Hash},
    key::VerifierKey,
    note::{NOTE_BYTES_MAX, NotVerified},
    text,
    verification::{NotProven, verify_consistency},
};

/// The most bytes of a request: the note, and 63 hashes before it.
pub const REQUEST_BYTES_MAX: usize = NOTE_BYTES_MAX + 4096;

/// The media type of the answer to [`Refusal::Conflict`].
pub const SIZE_MEDIA_TYPE: &str = "text/x.tlog.size";

/// Asks a witness to cosign a checkpoint. Prints the bytes that it was parsed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The size that the witness is believed to have cosigned last; 0 if none.
    pub old_size: u64,
    /// The consistency proof from there; empty from 0.
    pub proof: Vec<Hash>,
    /// What is to be cosigned.
    pub checkpoint: SignedCheckpoint,
}

/// Why bytes are no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// More than [`REQUEST_BYTES_MAX`].
    #[error("a request of {0} bytes, more than {REQUEST_BYTES_MAX}")]
    TooLarge(usize),
    /// The first line is not `old` and a decimal, or no empty line comes before the checkpoint.
    #[error("not a request to add a checkpoint")]
    Text,
    /// A line of the proof is no hash, or there are more than 63.
    #[error("the consistency proof is not at most 63 lines of hashes")]
    Proof,
    /// What follows the empty line.
    #[error(transparent)]
    Checkpoint(#[from] BadCheckpoint),
}

/// Why a witness does not cosign; [`Refusal::status`] says it in HTTP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request cannot be read.
    #[error(transparent)]
    Malformed(#[from] BadRequest),
    /// No key is trusted for this origin.
    #[error("the log {0} is not known here")]
    UnknownLog(String),
    /// No trusted key signed, or a trusted key's signature is wrong.
    #[error(transparent)]
    NotSigned(#[from] NotVerified),
    /// The old size is larger than the checkpoint's.
    #[error("the old size is larger than the new one")]
    Shrinking,
    /// The old size is not what was cosigned last. The client proves consistency from this size.
    #[error("the size cosigned last is {last_size}")]
    Conflict {
        /// The size cosigned last, 0 if none; the answer is this number with an LF.
        last_size: u64,
    },
    /// A tree without leaves has not the empty tree's root.
    #[error("a tree of size 0 has another root")]
    NotEmpty,
    /// The new tree is not shown to have grown from the old one. With a good signature of the log,
    /// the request may be proof of its misbehaviour: keep it.
    #[error("the consistency proof: {0}")]
    Inconsistent(#[from] NotProven),
}

impl Request {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// It is none, or larger than is allowed.
    pub fn parse(body: &[u8]) -> Result<Self, BadRequest> {
        if body.len() > REQUEST_BYTES_MAX {
            return Err(BadRequest::TooLarge(body.len()));
        }
        let (mut lines, note) = text::head_and_note(body).ok_or(BadRequest::Text)?;
        let old_size = lines.next().and_then(|line| line.strip_prefix("old "));
        Ok(Self {
            old_size: old_size.and_then(text::decimal).ok_or(BadRequest::Text)?,
            proof: text::hashes(lines).ok_or(BadRequest::Proof)?,
            checkpoint: SignedCheckpoint::parse(note)?,
        })
    }
}

/// Decides a request, in the order of the specification. `last` is the last checkpoint that this
/// witness cosigned for the request's origin; `trusted` are the keys of all logs it knows.
///
/// Returns what is to be kept and cosigned: the checkpoint with the signatures of trusted keys and
/// no other line, so that nobody can smuggle in a line that looks like the witness's own.
///
/// # Errors
/// The witness does not cosign.
pub fn decide(
    last: Option<&Checkpoint>,
    request: &Request,
    trusted: &[VerifierKey],
) -> Result<SignedCheckpoint, Refusal> {
    let new = request.checkpoint.checkpoint();
    let keys = trusted.iter().filter(|key| key.name() == new.origin());
    if keys.clone().next().is_none() {
        return Err(Refusal::UnknownLog(new.origin().to_owned()));
    }
    let verified = request.checkpoint.verify(keys)?;
    if request.old_size > new.size() {
        return Err(Refusal::Shrinking);
    }
    let (last_size, last_root) = last.map_or((0, EMPTY_ROOT), |last| (last.size(), last.root()));
    if request.old_size != last_size {
        return Err(Refusal::Conflict { last_size });
    }
    if new.size() == 0 && new.root() != EMPTY_ROOT {
        return Err(Refusal::NotEmpty);
    }
    if last_size > 0 {
        verify_consistency(last_size, last_root, new.size(), new.root(), &request.proof)?;
    } else if !request.proof.is_empty() {
        return Err(NotProven::Length.into());
    }
    let lines = verified.into_iter().map(|found| found.line.clone()).collect();
    Ok(request.checkpoint.with_signatures(lines))
}

impl Refusal {
    /// The HTTP status of the answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Shrinking => 400,
            Self::UnknownLog(_) => 404,
            Self::NotSigned(_) => 403,
            Self::Conflict { .. } => 409,
            Self::NotEmpty | Self::Inconsistent(_) => 422,
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        text::write_hashes(f, &self.proof)?;
        write!(f, "\n{}", self.checkpoint)
    }
}
