//! Encrypted bytes: a word, the key's id (8), a nonce (12), the ciphertext, a tag (16).
//!
//! ChaCha20-Poly1305 (RFC 8439) with a nonce by chance for each: below 2³² pieces a key, far more
//! than an installation ever has, two have the same one with a chance of less than 2⁻³³. What is
//! written over gets another nonce, or zeros. What a piece is of, its record's id or its object's
//! name, is authenticated with it, so that none can stand in another's place.

use bytes::{Bytes, BytesMut};
use ring::{
    aead::{Aad, NONCE_LEN, Nonce},
    rand::{SecureRandom, SystemRandom},
};

use crate::{KeyId, Keyring};

/// No protobuf message of ours begins like this, nor does a picture.
const WORD: &[u8; 5] = b"keng1";
/// Behind it comes the nonce.
const HEAD_BYTES: usize = WORD.len() + 8;

/// How many more bytes an encrypted piece has.
const MORE_BYTES: usize = HEAD_BYTES + NONCE_LEN + 16;

/// The system gave no chance, without which nothing is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it cannot be encrypted: the system gives no chance")]
pub struct NotLocked;

/// Why a piece cannot be read. The operator must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// The key file does not hold its key.
    #[error("it is encrypted under key {0}, which the key file does not hold")]
    NoKey(KeyId),
    /// It is not what was written, or not here.
    #[error("it was changed since it was encrypted, or stands in another's place")]
    Changed,
}

/// A piece that is encrypted, as its first bytes say.
#[derive(Debug, Clone, Copy)]
pub struct Locked<'a> {
    /// Under which key.
    pub key: KeyId,
    nonce: [u8; NONCE_LEN],
    rest: &'a [u8],
}

impl<'a> Locked<'a> {
    /// `None` where the bytes were never encrypted.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (key, rest) = bytes.strip_prefix(WORD)?.split_first_chunk::<8>()?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>()?;
        Some(Self { key: KeyId(*key), nonce: *nonce, rest })
    }
}

impl Keyring {
    /// Encrypts a piece of this record or object; leaves it as it is where there is no key.
    ///
    /// # Errors
    /// [`NotLocked`].
    pub fn lock(&self, of: &[u8], plain: &Bytes) -> Result<Bytes, NotLocked> {
        let Some(key) = self.0.first() else { return Ok(plain.clone()) };
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| NotLocked)?;
        let mut locked = BytesMut::with_capacity(plain.len() + MORE_BYTES);
        for part in [WORD.as_slice(), &key.id.0, &nonce, plain] {
            locked.extend_from_slice(part);
        }
        let nonce = Nonce::assume_unique_for_key(nonce);
        let (_, secret) = locked.split_at_mut(HEAD_BYTES + NONCE_LEN);
        let tag = key.cipher.seal_in_place_separate_tag(nonce, Aad::from(of), secret);
        locked.extend_from_slice(tag.map_err(|_| NotLocked)?.as_ref());
        Ok(locked.freeze())
    }

    /// What was encrypted; what never was, as it is.
    ///
    /// # Errors
    /// [`NotOpened`].
    pub fn open(&self, of: &[u8], bytes: Bytes) -> Result<Bytes, NotOpened> {
        let Some(locked) = Locked::parse(&bytes) else { return Ok(bytes) };
        let key = self.key(locked.key).ok_or(NotOpened::NoKey(locked.key))?;
        let nonce = Nonce::assume_unique_for_key(locked.nonce);
        let mut plain = BytesMut::from(locked.rest);
        let opened = key.cipher.open_in_place(nonce, Aad::from(of), &mut plain);
        let bytes = opened.map_err(|_| NotOpened::Changed)?.len();
        plain.truncate(bytes);
        Ok(plain.freeze())
    }

    /// The key of these bytes, where they are encrypted and it is not here.
    #[must_use]
    pub fn lacks(&self, bytes: &[u8]) -> Option<KeyId> {
        Locked::parse(bytes).map(|locked| locked.key).filter(|key| !self.has(*key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Bytes = Bytes::from_static("Tìm cháu bé 4 tuổi".as_bytes());

    #[test]
    fn what_is_locked_opens_under_its_key_in_its_place_and_nowhere_else() {
        let (keys, others) = (Keyring::fresh().unwrap(), Keyring::fresh().unwrap());
        let locked = keys.lock(b"record", &WORDS).unwrap();
        assert_eq!(locked.len(), WORDS.len() + MORE_BYTES);
        assert_eq!(keys.open(b"record", locked.clone()), Ok(WORDS));
        assert_eq!(keys.open(b"other", locked.clone()), Err(NotOpened::Changed));
        let id = keys.newest().unwrap();
        assert_eq!(others.open(b"record", locked.clone()), Err(NotOpened::NoKey(id)));
        assert_eq!(others.lacks(&locked), Some(id));
        assert_eq!((keys.lacks(&locked), others.lacks(&WORDS)), (None, None));
        assert_ne!(keys.lock(b"record", &WORDS).unwrap(), locked, "each has its own nonce");
        for word in WORDS.windows(8) {
            assert!(!locked.windows(8).any(|found| found == word));
        }
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let keys = Keyring::fresh().unwrap();
        let locked = keys.lock(b"record", &WORDS).unwrap();
        for bit in WORD.len() * 8..locked.len() * 8 {
            let mut changed = locked.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(keys.open(b"record", changed.into()).is_err(), "bit {bit}");
        }
        let cut = locked.slice(..locked.len() - 1);
        assert_eq!(keys.open(b"record", cut), Err(NotOpened::Changed));
        let end = locked.slice(..HEAD_BYTES + NONCE_LEN);
        assert_eq!(keys.open(b"record", end), Err(NotOpened::Changed));
    }

    #[test]
    fn without_a_key_everything_stays_as_it_is() {
        let none = Keyring::default();
        assert_eq!(none.lock(b"record", &WORDS), Ok(WORDS));
        assert_eq!(Keyring::fresh().unwrap().open(b"record", WORDS), Ok(WORDS));
    }
}
