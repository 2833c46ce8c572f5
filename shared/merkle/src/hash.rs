//! SHA-256 as a tree uses it: leaves, nodes and the empty tree (RFC 9162 section 2.1.1).

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_STANDARD};
use sha2::{Digest, Sha256};

/// The size of a hash.
pub const HASH_BYTES: usize = 32;

/// The root of the tree without leaves: SHA-256 of nothing.
pub const EMPTY_ROOT: Hash = Hash([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// Says that a byte string is a leaf, so that no leaf has the hash of a node.
const LEAF: [u8; 1] = [0];
/// Says that a byte string is a node.
const NODE: [u8; 1] = [1];

/// A hash of a tree, always 32 bytes. As text it is padded base64 (RFC 4648 section 4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; HASH_BYTES]);

/// What was read is no hash: it has not 32 bytes, or its base64 is not the one spelling of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is {HASH_BYTES} bytes, in text as padded base64")]
pub struct NotAHash;

impl Hash {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }
}

/// The hash of a leaf, from the bytes of its entry.
#[must_use]
pub fn leaf(entry: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update(LEAF).chain_update(entry).finalize().into())
}

/// The hash of a node, from those of its children.
#[must_use]
pub fn node(left: Hash, right: Hash) -> Hash {
    Hash(
        Sha256::new()
            .chain_update(NODE)
            .chain_update(left.0)
            .chain_update(right.0)
            .finalize()
            .into(),
    )
}

impl From<[u8; HASH_BYTES]> for Hash {
    fn from(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<&[u8]> for Hash {
    type Error = NotAHash;

    fn try_from(bytes: &[u8]) -> Result<Self, NotAHash> {
        bytes.try_into().map(Self).map_err(|_| NotAHash)
    }
}

impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| NotAHash)?;
        bytes.as_slice().try_into()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
