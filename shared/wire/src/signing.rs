//! Signatures over the bytes of a command's open part: Ed25519 (RFC 8032), verified strictly, so
//! that one message has one signature by a key; or by a passkey, see [`crate::passkey`].
//!
//! No files: who keeps a secret is the command line's matter, a service's, or an authenticator's.

use bytes::Bytes;
use domain::{ids::KeyId, key::PublicKey};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use prost::Message as _;

use crate::{
    passkey::{ASSERTION_BYTES_MAX, asserted, challenge_of},
    v1::Assertion,
};

/// The bytes of a signature by Ed25519.
pub const ED25519_BYTES: usize = 64;

/// What the proof of a key begins with. No command begins like this.
const PROOF: &[u8] = b"keng.v1.key\0";

/// A secret key. Not shown by `Debug`, and wiped when it goes.
#[derive(Clone)]
pub struct Signer(SigningKey);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.id())
    }
}

impl Signer {
    /// The key of this secret.
    #[must_use]
    pub fn of_secret(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    /// A new key, from the operating system's randomness.
    ///
    /// # Errors
    /// The operating system gives none: a broken assumption.
    pub fn fresh() -> Result<Self, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        Ok(Self::of_secret(&secret))
    }

    /// Its secret, for the file that keeps it.
    #[must_use]
    pub fn secret(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Its public key.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId::of(&self.public())
    }

    /// Signs the bytes of an open part.
    #[must_use]
    pub fn sign(&self, open: &[u8]) -> Bytes {
        Bytes::copy_from_slice(&self.0.sign(open).to_bytes())
    }

    /// Proves that whoever asks for this key, for this holder, has it.
    #[must_use]
    pub fn proof(&self, holder: &str) -> Vec<u8> {
        self.sign(&proof_of(holder, &self.public())).to_vec()
    }
}

/// Whether this key has signed these bytes. Each signature is taken in one spelling.
#[must_use]
pub fn is_signed_by(public: &PublicKey, open: &[u8], value: &[u8]) -> bool {
    match public {
        PublicKey::Ed25519(public) => {
            let (key, signature) = (VerifyingKey::from_bytes(public), Signature::from_slice(value));
            matches!((key, signature), (Ok(key), Ok(signature))
                if key.verify_strict(open, &signature).is_ok())
        }
        PublicKey::Passkey(passkey) => {
            let assertion = Assertion::decode(value).ok().filter(|assertion| {
                value.len() <= ASSERTION_BYTES_MAX && assertion.encode_to_vec() == value
            });
            let challenge = challenge_of(open);
            assertion.is_some_and(|it| asserted(passkey, &challenge, &it).is_ok())
        }
    }
}

/// Whether this is the key's own proof, for this holder.
#[must_use]
pub fn is_proven(public: &PublicKey, holder: &str, proof: &[u8]) -> bool {
    is_signed_by(public, &proof_of(holder, public.bytes()), proof)
}

/// What a key signs to prove that whoever asks for it, for this holder, has it.
#[must_use]
pub fn proof_of(holder: &str, public: &[u8]) -> Vec<u8> {
    [PROOF, holder.as_bytes(), b"\0", public].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_these_bytes_and_this_key() {
        // RFC 8032, section 7.1, test 1.
        let secret =
            domain::hex::unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let signer = Signer::of_secret(&secret.unwrap().try_into().unwrap());
        let signature = signer.sign(b"");
        assert!(domain::hex::hex(&signature).starts_with("e5564300c360ac729086e2cc806e828a"));
        let other = Signer::of_secret(&[2; 32]);
        let (public, others) = (signer.public().into(), other.public().into());
        assert!(is_signed_by(&public, b"", &signature));
        assert!(!is_signed_by(&public, b"x", &signature));
        assert!(!is_signed_by(&public, b"", &signature[1..]));
        assert!(!is_signed_by(&others, b"", &signature));
        // A key of small order would verify anything.
        assert!(!is_signed_by(&[0; 32].into(), b"", &[0; 64]));
        assert_eq!(format!("{signer:?}"), format!("Signer({})", signer.id()));
    }

    #[test]
    fn a_proof_is_for_one_holder() {
        let signer = Signer::fresh().unwrap();
        let (public, proof) = (signer.public().into(), signer.proof("an"));
        assert!(is_proven(&public, "an", &proof));
        assert!(!is_proven(&public, "binh", &proof) && !is_signed_by(&public, b"an", &proof));
        assert_eq!(Signer::of_secret(&signer.secret()).public(), signer.public());
    }
}
