//! A bearer token as the log has recorded it: only its hash is ever written down.

use domain::ids::{CommuneCode, Millis, OfficerId, ProvinceCode};
use wire::v1::{Role, TokenFacts};

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The public id.
    pub id: Box<str>,
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// Whose it is.
    pub officer: OfficerId,
    /// What it allows; `Unspecified`, which allows nothing, where this binary does not know it.
    pub role: Role,
    /// The commune it is for, where the role has one.
    pub commune: Option<CommuneCode>,
    /// The province it is for, where the role has one.
    pub province: Option<ProvinceCode>,
    /// From when on it is no longer good.
    pub expires: Option<Millis>,
    /// Whether it was revoked.
    pub revoked: bool,
}

impl Token {
    /// Whether it is good at this instant.
    #[must_use]
    pub fn is_good(&self, now: Millis) -> bool {
        !self.revoked && self.expires.is_none_or(|expires| now < expires)
    }
}

/// A token from its record.
pub(crate) fn from_record(facts: &TokenFacts) -> Result<Token, String> {
    let id = facts.id.as_str();
    let wrong = |reason: domain::ids::NotAnId| format!("token {id}: {reason}");
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(Token {
        id: id.into(),
        hash: facts
            .hash
            .as_ref()
            .try_into()
            .map_err(|_| format!("token {id}: a hash of {} bytes", facts.hash.len()))?,
        officer: facts.officer.parse().map_err(wrong)?,
        role: facts.role(),
        commune: text(&facts.commune).map(|code| code.parse()).transpose().map_err(wrong)?,
        province: text(&facts.province).map(|code| code.parse()).transpose().map_err(wrong)?,
        expires: (facts.expires_at_ms != 0).then_some(Millis(facts.expires_at_ms)),
        revoked: false,
    })
}
