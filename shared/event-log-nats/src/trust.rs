//! How far the broker is trusted, as every answer and `/readyz` show it.

/// Whether this broker's acknowledgement means "on disk".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// It syncs before it acknowledges, and its streams are as they must be.
    Verified,
    /// That is not known, or not so: nothing is published.
    Unverified {
        /// What is wrong, or cannot be read.
        why: String,
    },
    /// That is not known, and the operator accepted it (`--accept-unverified-broker`).
    Accepted {
        /// What is wrong, or cannot be read.
        why: String,
    },
    /// There is no connection.
    Away,
}

impl Trust {
    /// Whether records may be published.
    #[must_use]
    pub fn publishes(&self) -> bool {
        matches!(self, Self::Verified | Self::Accepted { .. })
    }
}
