//! What lies beside a leaf in a bundle of signatures: nothing where nobody signed; else one byte
//! that says who signed, the key's id (16 bytes), and the Ed25519 signature over the leaf (64).
//!
//! When it was received is no part of it: nobody outside can check that.

use domain::ids::KeyId;
use event_log::{Recorded, Signature};
use wire::{actor, v1::Command};

use crate::leaf::Leaf;

/// The bytes of one that is there.
pub const BESIDE_BYTES: usize = 81;

/// Who signed. 2 is kept for a person's passkey, whose signature is over more than the leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum By {
    /// A person, by an own key.
    Person = 1,
    /// A service, by its own key, for whom it knows.
    Service = 3,
}

/// The bytes beside a leaf are none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("chữ ký không đọc được / what lies beside it is no signature")]
pub struct NotASignature;

impl By {
    /// Who must have signed this command, if anybody has.
    #[must_use]
    pub fn of(command: &Command) -> Self {
        match command.actor.as_ref().is_some_and(actor::signs) {
            true => Self::Person,
            false => Self::Service,
        }
    }
}

/// What lies beside a record.
#[must_use]
pub fn beside_of(recorded: &Recorded) -> Vec<u8> {
    match (&recorded.signature, Leaf::read(&recorded.open)) {
        (Some(signature), Ok(Leaf::Command(command))) => said(By::of(&command), signature).into(),
        // A commit is signed by nobody, and what cannot be read has nothing to be signed.
        _ => Vec::new(),
    }
}

/// A signature, as it lies there.
#[must_use]
pub fn said(by: By, signature: &Signature) -> [u8; BESIDE_BYTES] {
    let mut bytes = [0; BESIDE_BYTES];
    let (kind, rest) = bytes.split_at_mut(1);
    let (key, value) = rest.split_at_mut(signature.key.as_bytes().len());
    kind.copy_from_slice(&[by as u8]);
    key.copy_from_slice(signature.key.as_bytes());
    value.copy_from_slice(&signature.value);
    bytes
}

/// The signature that lies there; `None` where nobody signed.
///
/// # Errors
/// [`NotASignature`]; each signature has one spelling.
pub fn recalled(bytes: &[u8]) -> Result<Option<(By, Signature)>, NotASignature> {
    let Some((kind, rest)) = bytes.split_first() else { return Ok(None) };
    let by = match kind {
        1 => By::Person,
        3 => By::Service,
        _ => return Err(NotASignature),
    };
    let (key, value) = rest.split_at_checked(16).ok_or(NotASignature)?;
    let key = KeyId::from_slice(key).ok_or(NotASignature)?;
    let value = value.try_into().map_err(|_| NotASignature)?;
    Ok(Some((by, Signature { key, value, received: None })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_comes_back_as_it_was_and_nothing_else_does() {
        let signature = Signature { key: KeyId::of(&[7; 32]), value: [9; 64], received: None };
        for by in [By::Person, By::Service] {
            let bytes = said(by, &signature);
            assert_eq!(recalled(&bytes), Ok(Some((by, signature.clone()))));
            assert_eq!(recalled(&bytes[..80]), Err(NotASignature));
            assert_eq!(recalled(&[&bytes[..], b"x"].concat()), Err(NotASignature));
        }
        assert_eq!(recalled(b""), Ok(None));
        for kind in [0, 2, 4, 255] {
            let mut bytes = said(By::Person, &signature);
            bytes[0] = kind;
            assert_eq!(recalled(&bytes), Err(NotASignature), "{kind}");
        }
    }
}
