//! What lies beside a leaf in a bundle of signatures: nothing where nobody signed; else one byte
//! that says who signed, the key's id (16 bytes), and the signature over the leaf: by Ed25519 64
//! bytes, by a passkey an `Assertion` (`proto/keng/v1/key.proto`), which is longer.
//!
//! When it was received is no part of it: nobody outside can check that.

use bytes::Bytes;
use domain::ids::KeyId;
use event_log::{Recorded, Signature};
use wire::{actor, passkey::ASSERTION_BYTES_MAX, signing::ED25519_BYTES, v1::Command};

use crate::leaf::Leaf;

/// Who signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum By {
    /// A person, by an own key.
    Person = 1,
    /// A person, by a passkey, whose signature is over more than the leaf.
    Passkey = 2,
    /// A service, by its own key, for whom it knows.
    Service = 3,
}

/// The bytes beside a leaf are none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("chữ ký không đọc được / what lies beside it is no signature")]
pub struct NotASignature;

impl By {
    /// Who has signed this command.
    #[must_use]
    pub fn of(command: &Command, signature: &Signature) -> Self {
        let is_person = command.actor.as_ref().is_some_and(actor::signs);
        match (is_person, signature.value.len()) {
            (true, ED25519_BYTES) => Self::Person,
            (true, _) => Self::Passkey,
            (false, _) => Self::Service,
        }
    }
}

/// What lies beside a record.
#[must_use]
pub fn beside_of(recorded: &Recorded) -> Vec<u8> {
    match (&recorded.signature, Leaf::read(&recorded.open)) {
        (Some(signature), Ok(Leaf::Command(command))) => {
            said(By::of(&command, signature), signature)
        }
        // A commit is signed by nobody, and what cannot be read has nothing to be signed.
        _ => Vec::new(),
    }
}

/// A signature, as it lies there.
#[must_use]
pub fn said(by: By, signature: &Signature) -> Vec<u8> {
    [&[by as u8], signature.key.as_bytes().as_slice(), &signature.value].concat()
}

/// The signature that lies there; `None` where nobody signed.
///
/// # Errors
/// [`NotASignature`]; each signature has one spelling.
pub fn recalled(bytes: &[u8]) -> Result<Option<(By, Signature)>, NotASignature> {
    let Some((kind, rest)) = bytes.split_first() else { return Ok(None) };
    let (key, value) = rest.split_at_checked(16).ok_or(NotASignature)?;
    let by = match (kind, value.len()) {
        (1, ED25519_BYTES) => By::Person,
        (2, 65..=ASSERTION_BYTES_MAX) => By::Passkey,
        (3, ED25519_BYTES) => By::Service,
        _ => return Err(NotASignature),
    };
    let key = KeyId::from_slice(key).ok_or(NotASignature)?;
    Ok(Some((by, Signature { key, value: Bytes::copy_from_slice(value), received: None })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_comes_back_as_it_was_and_nothing_else_does() {
        let value = Bytes::from_static(&[9; 64]);
        let signature = Signature { key: KeyId::of(&[7; 32]), value, received: None };
        for by in [By::Person, By::Service] {
            let bytes = said(by, &signature);
            assert_eq!(recalled(&bytes), Ok(Some((by, signature.clone()))));
            assert_eq!(recalled(&bytes[..80]), Err(NotASignature));
            assert_eq!(recalled(&[&bytes[..], b"x"].concat()), Err(NotASignature));
        }
        let longer = Signature { value: vec![9; 300].into(), ..signature.clone() };
        let bytes = said(By::Passkey, &longer);
        assert_eq!(recalled(&bytes), Ok(Some((By::Passkey, longer))));
        assert_eq!(recalled(b""), Ok(None));
        for kind in [0, 2, 4, 255] {
            let mut bytes = said(By::Person, &signature);
            bytes[0] = kind;
            assert_eq!(recalled(&bytes), Err(NotASignature), "{kind}");
        }
    }
}
