//! A push service's side of VAPID (RFC 8292): whether who pushes is who it says.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;

/// RFC 8292, 2: no token is good for longer than a day.
const LIFE_S_MAX: i64 = 24 * 60 * 60;

/// A token, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The sender's public key, in base64url.
    pub key: String,
    /// For which push service.
    pub audience: String,
    /// Until when, in seconds since 1970.
    pub expires_s: i64,
    /// Where the sender is found.
    pub subject: String,
}

/// Reads and verifies the header `Authorization`, as the push service at `origin`.
///
/// # Errors
/// What is wrong with it.
pub fn verify(header: &str, origin: &str, now_s: i64) -> Result<Token, &'static str> {
    let parameters = header.strip_prefix("vapid ").ok_or("not vapid")?;
    let parameter = |name: &str| {
        let mut all = parameters.split(',').filter_map(|one| one.trim().split_once('='));
        all.find(|(found, _)| *found == name).map(|(_, value)| value)
    };
    let (token, key) = parameter("t").zip(parameter("k")).ok_or("no t or no k")?;
    let (signed, signature) = token.rsplit_once('.').ok_or("no token")?;
    let (head, claims) = signed.split_once('.').ok_or("no token")?;
    let point = BASE64URL.decode(key).map_err(|_| "k is not base64url")?;
    let signature = BASE64URL.decode(signature).map_err(|_| "the signature is not base64url")?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| "the signature does not fit")?;
    let (head, claims) = (json(head).ok_or("no head")?, json(claims).ok_or("no claims")?);
    if text(&head, "alg") != "ES256" {
        return Err("alg");
    }
    let token = Token {
        key: key.to_owned(),
        audience: text(&claims, "aud").to_owned(),
        expires_s: claims.get("exp").and_then(Value::as_i64).ok_or("no exp")?,
        subject: text(&claims, "sub").to_owned(),
    };
    token.check(origin, now_s)?;
    Ok(token)
}

impl Token {
    /// Whether a token that was verified once is still good here.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, origin: &str, now_s: i64) -> Result<(), &'static str> {
        if self.audience != origin {
            return Err("aud");
        }
        if self.expires_s <= now_s || self.expires_s > now_s.saturating_add(LIFE_S_MAX) {
            return Err("exp");
        }
        if !self.subject.starts_with("mailto:") && !self.subject.starts_with("https://") {
            return Err("sub");
        }
        Ok(())
    }
}

fn json(part: &str) -> Option<Value> {
    serde_json::from_slice(&BASE64URL.decode(part).ok()?).ok()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8292, 2.4.
    const HEADER: [&str; 5] = [
        "vapid t=eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBs",
        "ZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xf",
        "xCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA, ",
        "k=BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmCl",
        "BPs",
    ];
    const ENDS_S: i64 = 1_453_523_768;
    const ORIGIN: &str = "https://push.example.net";

    #[test]
    fn the_example_of_the_rfc_is_good_there_and_then_and_nowhere_else() {
        let header = HEADER.concat();
        let token = verify(&header, ORIGIN, ENDS_S - 1).unwrap();
        assert_eq!((token.subject.as_str(), token.expires_s), ("mailto:push@example.com", ENDS_S));
        assert_eq!(verify(&header, "https://push.example.org", ENDS_S - 1), Err("aud"));
        assert_eq!(verify(&header, ORIGIN, ENDS_S), Err("exp"));
        assert_eq!(verify(&header, ORIGIN, ENDS_S - LIFE_S_MAX - 1), Err("exp"));
        let other = header.replace("SHzvoD1oA", "SHzvoD1oB");
        assert_ne!(verify(&other, ORIGIN, ENDS_S - 1), Ok(token));
        assert_eq!(verify("Bearer x", ORIGIN, ENDS_S - 1), Err("not vapid"));
    }
}
