//! VAPID (RFC 8292): who pushes, signed for each push service, and signed once in hours.
//!
//! The private key is the operator's; another one orphans every subscription. No clock: now is an
//! argument. Neither the key nor a token stands in debug output.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use reqwest::header::HeaderValue;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use serde_json::json;
use web_push_native::p256::{
    SecretKey, elliptic_curve::sec1::ToEncodedPoint, pkcs8::DecodePrivateKey,
};

use crate::secret::Secret;

/// How long a token is good for: half of what RFC 8292 allows, since the other's clock may differ.
const TOKEN_S: i64 = 12 * 60 * 60;
/// How long one is used: half its life, so that none is about to end.
const USED_S_MAX: i64 = TOKEN_S / 2;
/// Whoever subscribes names the host; more than so many are not remembered.
const ORIGINS_MAX: usize = 256;
/// The private scalar of P-256.
const SCALAR_BYTES: usize = 32;

/// The sender's key, and what it has signed.
pub struct Vapid {
    pair: EcdsaKeyPair,
    random: SystemRandom,
    /// Base64url of the uncompressed point: `k`, and a browser's `applicationServerKey`.
    public_key: String,
    subject: String,
    tokens: Mutex<HashMap<Box<str>, Token>>,
}

/// The header for one push service.
struct Token {
    header: HeaderValue,
    signed_s: i64,
}

impl fmt::Debug for Vapid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vapid").field("public_key", &self.public_key).finish_non_exhaustive()
    }
}

impl Vapid {
    /// A sender by this key, as PEM (PKCS#8 or SEC 1) or as 32 bytes in base64url, whom push
    /// services find at `subject`. `None` where the key is none.
    #[must_use]
    pub fn new(key: &Secret, subject: &str) -> Option<Self> {
        let secret = private_key(key.reveal())?;
        let public = secret.public_key().to_encoded_point(false);
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &secret.to_bytes(),
            public.as_bytes(),
            &random,
        );
        Some(Self {
            pair: pair.ok()?,
            random,
            public_key: BASE64URL.encode(public.as_bytes()),
            subject: subject.to_owned(),
            tokens: Mutex::default(),
        })
    }

    /// What browsers subscribe with: base64url of the uncompressed point.
    #[must_use]
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// The header `Authorization` for a push service, as `https://fcm.googleapis.com`. A million
    /// pushes are signed as often as there are push services. `None` where it cannot be signed:
    /// the machine has no randomness.
    #[must_use]
    pub fn authorization(&self, origin: &str, now_s: i64) -> Option<HeaderValue> {
        let mut tokens = self.tokens();
        // One from the future is of a clock that was set back; whether it is good nobody knows.
        let is_good = |token: &&Token| (0..USED_S_MAX).contains(&(now_s - token.signed_s));
        if let Some(token) = tokens.get(origin).filter(is_good) {
            return Some(token.header.clone());
        }
        let header = self.sign(origin, now_s)?;
        if tokens.len() >= ORIGINS_MAX {
            tokens.clear();
        }
        tokens.insert(origin.into(), Token { header: header.clone(), signed_s: now_s });
        Some(header)
    }

    /// The push service does not take its token: the next one is signed anew.
    pub fn forget(&self, origin: &str) {
        self.tokens().remove(origin);
    }

    fn sign(&self, origin: &str, now_s: i64) -> Option<HeaderValue> {
        let head = json!({ "typ": "JWT", "alg": "ES256" }).to_string();
        let claims = json!({ "aud": origin, "exp": now_s + TOKEN_S, "sub": self.subject });
        let signed = format!("{}.{}", BASE64URL.encode(head), BASE64URL.encode(claims.to_string()));
        let signature = self.pair.sign(&self.random, signed.as_bytes()).ok()?;
        let signature = BASE64URL.encode(signature);
        let header = format!("vapid t={signed}.{signature}, k={}", self.public_key);
        let mut header = HeaderValue::try_from(header).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    fn tokens(&self) -> MutexGuard<'_, HashMap<Box<str>, Token>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn private_key(text: &str) -> Option<SecretKey> {
    if text.starts_with("-----BEGIN") {
        let key = SecretKey::from_pkcs8_pem(text).ok();
        return key.or_else(|| SecretKey::from_sec1_pem(text).ok());
    }
    let scalar = BASE64URL.decode(text.trim_end_matches('=')).ok()?;
    SecretKey::from_slice(&scalar).ok().filter(|_| scalar.len() == SCALAR_BYTES)
}
