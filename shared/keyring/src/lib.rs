//! Encryption at rest: the keys of a key file, and bytes that are encrypted under one of them.
//!
//! It knows neither what is encrypted nor where that lies. Whoever has the disk without the key
//! file reads nothing; whoever has both reads everything.

mod file;
mod locked;

use std::{fmt, str::FromStr, sync::Arc};

use domain::hex::{hex, unhex};
use ring::{
    aead::{CHACHA20_POLY1305, LessSafeKey, UnboundKey},
    digest::{Context, SHA256},
};

pub use crate::{
    file::NotAKeyFile,
    locked::{Locked, NotLocked, NotOpened},
};

/// The length of a key.
const KEY_BYTES: usize = 32;

/// Which key it is: the beginning of a hash of the key, which says nothing of the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 8]);

impl KeyId {
    fn of(secret: &[u8; KEY_BYTES]) -> Self {
        let mut hashed = Context::new(&SHA256);
        hashed.update(b"keng key id\0");
        hashed.update(secret);
        let mut id = [0; 8];
        id.iter_mut().zip(hashed.finish().as_ref()).for_each(|(to, from)| *to = *from);
        Self(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex(&self.0))
    }
}

impl FromStr for KeyId {
    type Err = NotAKeyId;

    fn from_str(text: &str) -> Result<Self, NotAKeyId> {
        unhex(text).and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NotAKeyId)
    }
}

/// It has not 16 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no key's id")]
pub struct NotAKeyId;

/// The keys of an installation; the first is the one that everything new is encrypted under. None
/// by default: then nothing is encrypted. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Keyring(Arc<Vec<Key>>);

#[derive(Debug)]
struct Key {
    id: KeyId,
    cipher: LessSafeKey,
}

impl Key {
    /// `None` never happens: the length is right.
    fn of(secret: &[u8; KEY_BYTES]) -> Option<Self> {
        let cipher = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, secret).ok()?);
        Some(Self { id: KeyId::of(secret), cipher })
    }
}

impl Keyring {
    /// The key that everything new is encrypted under; `None` where nothing is.
    #[must_use]
    pub fn newest(&self) -> Option<KeyId> {
        self.0.first().map(|key| key.id)
    }

    /// Whether the key is here.
    #[must_use]
    pub fn has(&self, id: KeyId) -> bool {
        self.key(id).is_some()
    }

    fn key(&self, id: KeyId) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }
}
