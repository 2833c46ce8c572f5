//! Signatures: Ed25519 (RFC 8032) over the bytes of a command's open part, verified strictly, so
//! that one message has one signature by a key.
//!
//! No files: who keeps a secret is the command line's matter, or a service's.

use domain::ids::KeyId;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

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
    pub fn sign(&self, open: &[u8]) -> [u8; 64] {
        self.0.sign(open).to_bytes()
    }

    /// Proves that whoever asks for this key, for this holder, has it.
    #[must_use]
    pub fn proof(&self, holder: &str) -> [u8; 64] {
        self.sign(&proof_of(holder, &self.public()))
    }
}

/// Whether this key has signed these bytes.
#[must_use]
pub fn is_signed_by(public: &[u8; 32], open: &[u8], signature: &[u8; 64]) -> bool {
    let signature = Signature::from_bytes(signature);
    VerifyingKey::from_bytes(public).is_ok_and(|key| key.verify_strict(open, &signature).is_ok())
}

/// Whether this is the key's own proof, for this holder.
#[must_use]
pub fn is_proven(public: &[u8; 32], holder: &str, proof: &[u8; 64]) -> bool {
    is_signed_by(public, &proof_of(holder, public), proof)
}

fn proof_of(holder: &str, public: &[u8; 32]) -> Vec<u8> {
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
        assert!(is_signed_by(&signer.public(), b"", &signature));
        assert!(!is_signed_by(&signer.public(), b"x", &signature));
        assert!(!is_signed_by(&other.public(), b"", &signature));
        // A key of small order would verify anything.
        assert!(!is_signed_by(&[0; 32], b"", &[0; 64]));
        assert_eq!(format!("{signer:?}"), format!("Signer({})", signer.id()));
    }

    #[test]
    fn a_proof_is_for_one_holder() {
        let signer = Signer::fresh().unwrap();
        let (public, proof) = (signer.public(), signer.proof("an"));
        assert!(is_proven(&public, "an", &proof));
        assert!(!is_proven(&public, "binh", &proof) && !is_signed_by(&public, b"an", &proof));
        assert_eq!(Signer::of_secret(&signer.secret()).public(), public);
    }
}
