//! Sealing: personal data and free text beside the log, a salted commitment in it.

use bytes::Bytes;
use prost::Message;
use sha2::{Digest, Sha256};

use crate::{NotDecodable, v1};

/// Bytes of salt: so many that a short name cannot be found by trying.
pub const SALT_BYTES: usize = 32;

/// A sealed part, and what stands for it in the open part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealing {
    /// The bytes of `Sealed`.
    pub sealed: Bytes,
    /// SHA-256("keng.v1.sealed\0" ‖ salt ‖ content).
    pub commitment: Bytes,
}

/// Seals `content` under this salt.
#[must_use]
pub fn seal(content: &v1::SealedContent, salt: [u8; SALT_BYTES]) -> Sealing {
    let content = Bytes::from(content.encode_to_vec());
    let commitment = commit(&salt, &content);
    let sealed = v1::Sealed { salt: Bytes::copy_from_slice(&salt), content };
    Sealing { sealed: sealed.encode_to_vec().into(), commitment }
}

/// Fresh salt from the operating system.
///
/// # Errors
/// The operating system gives no randomness: a broken assumption.
pub fn salt() -> Result<[u8; SALT_BYTES], getrandom::Error> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt)?;
    Ok(salt)
}

/// Opens a sealed part, if it is the one that was committed to.
///
/// # Errors
/// The bytes do not decode, or they are other bytes than those committed to.
pub fn open(sealed: &[u8], commitment: &[u8]) -> Result<v1::SealedContent, NotDecodable> {
    let sealed = v1::Sealed::decode(sealed).map_err(|_| NotDecodable("a sealed part"))?;
    if commit(&sealed.salt, &sealed.content) != commitment {
        return Err(NotDecodable("a sealed part: it is not what was committed to"));
    }
    v1::SealedContent::decode(sealed.content).map_err(|_| NotDecodable("a sealed content"))
}

/// What stands in the open part for this salt and this content.
#[must_use]
pub fn commit(salt: &[u8], content: &[u8]) -> Bytes {
    let mut hash = Sha256::new();
    hash.update(b"keng.v1.sealed\0");
    hash.update(salt);
    hash.update(content);
    Bytes::copy_from_slice(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_committed_to_opens() {
        let note = v1::NoteText { note: "tìm thấy".into() };
        let content = v1::SealedContent {
            request_sha256: Bytes::new(),
            content: Some(v1::sealed_content::Content::Note(note)),
        };
        let sealing = seal(&content, [1; 32]);
        assert_eq!(open(&sealing.sealed, &sealing.commitment).unwrap(), content);
        let other = seal(&content, [2; 32]);
        assert!(open(&other.sealed, &sealing.commitment).is_err());
        assert_ne!(other.commitment, sealing.commitment);
    }

    /// A vector of our own: salt 00 01 … 1f.
    #[test]
    fn a_commitment_is_a_hash_of_label_salt_and_content() {
        let salt: [u8; SALT_BYTES] = std::array::from_fn(|place| place as u8);
        let commitment = "48d528a2fe9d16f25c5886138b15abaabd47634a86444fc6d60ebc818aa38249";
        assert_eq!(domain::hex::hex(&commit(&salt, "Tìm bé An".as_bytes())), commitment);
    }
}
