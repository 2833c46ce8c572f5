//! A bearer token as the log has recorded it: only its hash is ever written down.

use domain::{directory::TokenFacts, ids::Millis};

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What was recorded when it was made.
    pub facts: TokenFacts,
    /// Whether it was revoked.
    pub revoked: bool,
}

impl Token {
    /// Whether it is good at this instant.
    #[must_use]
    pub fn is_good(&self, now: Millis) -> bool {
        !self.revoked && self.facts.expires_at.is_none_or(|expires| now < expires)
    }
}
