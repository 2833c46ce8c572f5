//! The key by which links are signed that open one thing for a while: a poster's task, a picture.
//!
//! It stands in the log as a sealed part, the same for every process, and is made once.

use std::fmt;

/// Bytes of the key: as many as SHA-256 gives.
pub const LINK_KEY_BYTES: usize = 32;

/// The key of links. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkKey([u8; LINK_KEY_BYTES]);

impl LinkKey {
    /// A key of these bytes, which must be random.
    #[must_use]
    pub fn of(bytes: [u8; LINK_KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes, for whoever signs and verifies.
    #[must_use]
    pub fn reveal(&self) -> &[u8; LINK_KEY_BYTES] {
        &self.0
    }
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey(…)")
    }
}
