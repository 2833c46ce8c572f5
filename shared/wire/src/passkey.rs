//! What a passkey signs (W3C Web Authentication, level 2), checked without asking anybody: at the
//! door, by an auditor, and in a court.
//!
//! A browser's authenticator does not sign our bytes but its own, and in them stands what it was
//! asked for: a challenge, from a page of ours, by a person who was there and was verified.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::key::Passkey;
use ed25519_dalek::{Signature, VerifyingKey};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::v1::Assertion;

/// The most bytes of an assertion: with an RSA key they are about 500.
pub const ASSERTION_BYTES_MAX: usize = 2_048;
/// The most bytes of a credential's id (section 4).
const CREDENTIAL_BYTES_MAX: usize = 1_023;

// Authenticator data (section 6.1): the hash of the place, flags, a counter; where a key is made,
// the kind of authenticator, the credential's id with its length, and the key.
const FLAGS_AT: usize = 32;
const COUNTED_BYTES: usize = 37;
const LENGTH_AT: usize = 53;
const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const HAS_KEY: u8 = 0x40;
const HAS_EXTENSIONS: u8 = 0x80;

// A `COSE_Key` has one spelling (section 6.5.1.1, CTAP2 canonical CBOR): what stands before,
// between and behind its numbers.
const ES256: (&[u8], &[u8]) = (b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20", b"\x22\x58\x20");
const EDDSA: &[u8] = b"\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20";
const RS256: (&[u8], &[u8]) = (b"\xa4\x01\x03\x03\x39\x01\x00\x20\x59\x01\x00", b"\x21\x43");

/// The algorithms that are taken, as COSE numbers them; the first is what all phones have.
pub const ALGORITHMS: [i32; 3] = [-7, -8, -257];

/// Why something is no passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAPasskey {
    /// The authenticator's data have another form, or no key.
    #[error("không đọc được / it cannot be read")]
    Unreadable,
    /// The key is of a kind that is not taken.
    #[error("loại khóa không nhận / the kind of key is not taken")]
    OtherAlgorithm,
    /// It is for another place.
    #[error("của trang khác / it is another site's")]
    OtherSite,
    /// The authenticator has not verified its person.
    #[error("máy chưa xác minh người dùng / the person was not verified")]
    NotVerified,
}

/// Why a passkey has not signed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAsserted {
    /// It is no assertion.
    #[error("không đọc được / it cannot be read")]
    Unreadable,
    /// It answers to something else than was asked.
    #[error("trả lời điều khác / it answers to something else")]
    OtherChallenge,
    /// It was made on a page of somebody else's, or within one.
    #[error("làm trên trang khác / it was made at another site")]
    OtherSite,
    /// Nobody was there, or the authenticator has not verified who.
    #[error("máy chưa xác minh người dùng / the person was not verified")]
    NotVerified,
    /// Another key has signed, or other bytes.
    #[error("chữ ký không đúng / the signature is not of these bytes")]
    WrongSignature,
}

/// What a browser says that it was asked for (section 5.8.1); more may stand there.
#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin", default)]
    is_cross_origin: bool,
}

/// The passkey that an authenticator has made for this place, from its data.
///
/// Nothing proves here that it has the key's secret: the key's own signature does, afterwards.
///
/// # Errors
/// [`NotAPasskey`].
pub fn made(authenticator_data: &[u8], rp: &str) -> Result<Passkey, NotAPasskey> {
    let flags = *authenticator_data.get(FLAGS_AT).ok_or(NotAPasskey::Unreadable)?;
    if !is_of(authenticator_data, rp) {
        return Err(NotAPasskey::OtherSite);
    }
    if flags & (PRESENT | VERIFIED) != PRESENT | VERIFIED {
        return Err(NotAPasskey::NotVerified);
    }
    let rest = authenticator_data.get(LENGTH_AT..).filter(|_| flags & HAS_KEY != 0);
    let (length, rest) = rest.and_then(<[u8]>::split_first_chunk).ok_or(NotAPasskey::Unreadable)?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (credential, rest) = rest.split_at_checked(length).ok_or(NotAPasskey::Unreadable)?;
    if !(1..=CREDENTIAL_BYTES_MAX).contains(&length) {
        return Err(NotAPasskey::Unreadable);
    }
    let (key, extensions) = Key::first_in(rest).ok_or(NotAPasskey::OtherAlgorithm)?;
    if extensions.is_empty() != (flags & HAS_EXTENSIONS == 0) {
        return Err(NotAPasskey::Unreadable);
    }
    let public = key.to_vec();
    Ok(Passkey { credential: credential.to_vec(), public, rp: rp.to_owned() })
}

/// What an authenticator is asked to sign for these bytes.
#[must_use]
pub fn challenge_of(message: &[u8]) -> [u8; 32] {
    Sha256::digest(message).into()
}

/// Whether this passkey answers to this challenge, at its own place, with its person verified.
///
/// The counter is not looked at: passkeys that are on several devices have none. An ES256 signature
/// has a twin that is good too, so nothing may derive from a signature's bytes.
///
/// # Errors
/// [`NotAsserted`].
pub fn asserted(
    passkey: &Passkey,
    challenge: &[u8],
    assertion: &Assertion,
) -> Result<(), NotAsserted> {
    let Assertion { authenticator_data: data, client_data, signature } = assertion;
    let asked: ClientData =
        serde_json::from_slice(client_data).map_err(|_| NotAsserted::Unreadable)?;
    let flags = *data.get(..COUNTED_BYTES).and_then(|it| it.get(FLAGS_AT)).ok_or(
        // Shorter than flags and counter.
        NotAsserted::Unreadable,
    )?;
    if asked.kind != "webauthn.get" || asked.challenge != BASE64_URL_SAFE_NO_PAD.encode(challenge) {
        return Err(NotAsserted::OtherChallenge);
    }
    let is_here = is_origin_of(&asked.origin, &passkey.rp) && !asked.is_cross_origin;
    if !is_here || !is_of(data, &passkey.rp) {
        return Err(NotAsserted::OtherSite);
    }
    if flags & (PRESENT | VERIFIED) != PRESENT | VERIFIED {
        return Err(NotAsserted::NotVerified);
    }
    let signed = [data, Sha256::digest(client_data).as_slice()].concat();
    let key = Key::first_in(&passkey.public).filter(|(_, rest)| rest.is_empty());
    match key.is_some_and(|(key, _)| key.has_signed(&signed, signature)) {
        true => Ok(()),
        false => Err(NotAsserted::WrongSignature),
    }
}

fn is_of(authenticator_data: &[u8], rp: &str) -> bool {
    authenticator_data.get(..FLAGS_AT) == Some(Sha256::digest(rp).as_slice())
}

/// Whether pages of this origin are of this place: the same host, over TLS, at whatever port. A
/// browser counts `localhost` as safe without.
#[must_use]
pub fn is_origin_of(origin: &str, rp: &str) -> bool {
    let Some((scheme, place)) = origin.split_once("://") else { return false };
    let (host, port) = place.split_once(':').unwrap_or((place, "0"));
    let is_safe = scheme == "https" || scheme == "http" && host == "localhost";
    is_safe && !host.is_empty() && host == rp && port.parse::<u16>().is_ok()
}

/// A public key of an authenticator.
enum Key<'a> {
    /// Two numbers: a point of P-256.
    Es256 {
        cose: &'a [u8],
        x: &'a [u8],
        y: &'a [u8],
    },
    EdDsa {
        cose: &'a [u8],
        key: &'a [u8; 32],
    },
    /// 2,048 bits: older machines with Windows have no other.
    Rs256 {
        cose: &'a [u8],
        n: &'a [u8],
        e: &'a [u8],
    },
}

impl<'a> Key<'a> {
    /// The key with which these bytes begin, and what stands behind it.
    fn first_in(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let upto = |rest: &[u8]| bytes.get(..bytes.len() - rest.len());
        if let Some(rest) = bytes.strip_prefix(ES256.0) {
            let (x, rest) = rest.split_at_checked(32)?;
            let (y, rest) = rest.strip_prefix(ES256.1)?.split_at_checked(32)?;
            return Some((Self::Es256 { cose: upto(rest)?, x, y }, rest));
        }
        if let Some(rest) = bytes.strip_prefix(EDDSA) {
            let (key, rest) = rest.split_first_chunk()?;
            return Some((Self::EdDsa { cose: upto(rest)?, key }, rest));
        }
        let (n, rest) = bytes.strip_prefix(RS256.0)?.split_at_checked(256)?;
        let (e, rest) = rest.strip_prefix(RS256.1)?.split_at_checked(3)?;
        Some((Self::Rs256 { cose: upto(rest)?, n, e }, rest))
    }

    fn to_vec(&self) -> Vec<u8> {
        match self {
            Self::Es256 { cose, .. } | Self::EdDsa { cose, .. } | Self::Rs256 { cose, .. } => {
                cose.to_vec()
            }
        }
    }

    fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Es256 { x, y, .. } => {
                let point = [&[4], *x, *y].concat();
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
                key.verify(message, signature).is_ok()
            }
            Self::EdDsa { key, .. } => {
                let signature = Signature::from_slice(signature);
                let key = VerifyingKey::from_bytes(key);
                matches!((key, signature), (Ok(key), Ok(signature))
                    if key.verify_strict(message, &signature).is_ok())
            }
            Self::Rs256 { n, e, .. } => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
            }
        }
    }
}

#[cfg(test)]
#[path = "passkey_tests.rs"]
mod tests;
