//! A person's authenticator, as a browser would ask it (W3C Web Authentication, level 2): ES256,
//! one passkey for each place.
//!
//! It does what it is told, so that a test can have it lie.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use p256::ecdsa::{Signature, SigningKey, signature::Signer as _};
use serde_json::json;
use sha2::{Digest, Sha256};

/// The person was there, and was verified.
pub const VERIFIED: u8 = 0x05;
/// What is made has a key.
const HAS_KEY: u8 = 0x40;

/// An authenticator with one passkey.
#[derive(Clone)]
pub struct Authenticator {
    secret: SigningKey,
    /// By which it knows the passkey.
    pub credential: Vec<u8>,
}

/// What a browser asks of it, and on whose page.
#[derive(Debug, Clone)]
pub struct Gesture {
    /// `webauthn.get`.
    pub kind: &'static str,
    /// The page's origin.
    pub origin: String,
    /// The place, as the page says it.
    pub rp: String,
    /// What the authenticator says of the person.
    pub flags: u8,
    /// Whether the page stood within somebody else's.
    pub is_cross_origin: bool,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asserted {
    /// The authenticator's data.
    pub authenticator_data: Vec<u8>,
    /// The browser's.
    pub client_data: Vec<u8>,
    /// Over both.
    pub signature: Vec<u8>,
}

impl Gesture {
    /// Somebody lays a finger on it, on a page of this origin.
    ///
    /// # Panics
    /// The origin has no scheme.
    #[must_use]
    pub fn at(origin: &str) -> Self {
        let (_, place) = origin.split_once("://").unwrap_or_default();
        let rp = place.split(':').next().unwrap_or_default().to_owned();
        let (kind, origin) = ("webauthn.get", origin.to_owned());
        Self { kind, origin, rp, flags: VERIFIED, is_cross_origin: false }
    }
}

impl Authenticator {
    /// The authenticator of this seed, which is not 0.
    ///
    /// # Panics
    /// The seed is 0.
    #[must_use]
    #[allow(clippy::expect_used, reason = "a stand-in of a test")]
    pub fn of_seed(seed: u8) -> Self {
        let secret = SigningKey::from_slice(&[seed; 32]).expect("a secret below the order");
        Self { secret, credential: vec![seed; 16] }
    }

    /// Its public key as a `COSE_Key`.
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        let point = self.secret.verifying_key().to_encoded_point(false);
        let of = |number: Option<&p256::FieldBytes>| number.map(|it| it.to_vec());
        let (x, y) = (of(point.x()).unwrap_or_default(), of(point.y()).unwrap_or_default());
        let head = b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20";
        [head.as_slice(), &x, b"\x22\x58\x20", &y].concat()
    }

    /// What it says when its passkey is made.
    #[must_use]
    pub fn made(&self, gesture: &Gesture) -> Vec<u8> {
        let length = u16::try_from(self.credential.len()).unwrap_or_default().to_be_bytes();
        let head = counted(&gesture.rp, gesture.flags | HAS_KEY);
        [head, vec![0; 16], length.to_vec(), self.credential.clone(), self.public()].concat()
    }

    /// Answers to a challenge.
    #[must_use]
    pub fn asserts(&self, challenge: &[u8], gesture: &Gesture) -> Asserted {
        let client_data = json!({
            "type": gesture.kind,
            "challenge": BASE64_URL_SAFE_NO_PAD.encode(challenge),
            "origin": gesture.origin,
            "crossOrigin": gesture.is_cross_origin,
        });
        let client_data = client_data.to_string().into_bytes();
        let authenticator_data = counted(&gesture.rp, gesture.flags);
        let message =
            [authenticator_data.as_slice(), Sha256::digest(&client_data).as_slice()].concat();
        let signature: Signature = self.secret.sign(&message);
        let signature = signature.to_der().as_bytes().to_vec();
        Asserted { authenticator_data, client_data, signature }
    }
}

/// The hash of the place, flags, and a counter that never moves.
fn counted(rp: &str, flags: u8) -> Vec<u8> {
    [Sha256::digest(rp).as_slice(), &[flags, 0, 0, 0, 0]].concat()
}
