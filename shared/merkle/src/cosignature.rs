//! Cosignatures of type 0x04 (C2SP tlog-cosignature): a witness says that at this time this was
//! the largest consistent tree it had seen of the log.

use crate::{
    checkpoint::Checkpoint,
    key::{VerifierKey, WitnessKey},
    note::SignatureLine,
};

/// The time is 0, which no witness signs, or later than 2^63 − 1 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a witness does not sign the time {at_s}")]
pub struct NotATime {
    /// POSIX seconds.
    pub at_s: u64,
}

impl WitnessKey {
    /// The signature line of this witness over a checkpoint, at this time in POSIX seconds. The
    /// caller answers for it that the checkpoint is consistent with all that the witness signed,
    /// and that this is recorded durably: see [`crate::witness::decide`].
    ///
    /// # Errors
    /// The time cannot be signed.
    pub fn cosign(&self, checkpoint: &Checkpoint, at_s: u64) -> Result<SignatureLine, NotATime> {
        if !is_time(at_s) {
            return Err(NotATime { at_s });
        }
        let message = message(&checkpoint.to_string(), at_s);
        let mut signature = at_s.to_be_bytes().to_vec();
        signature.extend_from_slice(&self.sign_bytes(message.as_bytes()));
        Ok(SignatureLine::new(self.verifier(), signature))
    }
}

/// The time of a cosignature in POSIX seconds, if this key made it over this text of a note.
pub(crate) fn verify(key: &VerifierKey, text: &str, signature: &[u8]) -> Option<u64> {
    let (at_s, signature) = signature.split_first_chunk()?;
    let at_s = u64::from_be_bytes(*at_s);
    let is_signed = is_time(at_s) && key.signed(message(text, at_s).as_bytes(), signature);
    is_signed.then_some(at_s)
}

fn is_time(at_s: u64) -> bool {
    (1..=i64::MAX as u64).contains(&at_s)
}

fn message(text: &str, at_s: u64) -> String {
    format!("cosignature/v1\ntime {at_s}\n{text}")
}
