//! A browser's side of a push: the keys of a subscription, and decryption by RFC 8291 and 8188.
//!
//! By the bare curve and ring, step by step as the RFCs have it: nothing is shared with the crate
//! that encrypts, so that the two do not agree on a mistake.

use anyhow::{Context, Result};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use p256::{
    PublicKey, SecretKey,
    ecdh::diffie_hellman,
    elliptic_curve::sec1::{Coordinates, ToEncodedPoint},
};
use ring::{
    aead, hkdf,
    rand::{SecureRandom, SystemRandom},
};

/// An uncompressed point.
const POINT_BYTES: usize = 65;
/// RFC 8188, 2: a delimiter, and the tag.
const SEAL_BYTES: usize = 17;

/// Why a browser shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotReadable(pub &'static str);

/// What a browser keeps of a subscription.
pub struct Keys {
    secret: SecretKey,
    auth: [u8; 16],
}

impl Keys {
    /// Fresh ones.
    ///
    /// # Errors
    /// The machine has no randomness.
    pub fn random() -> Result<Self> {
        let random = SystemRandom::new();
        let (mut scalar, mut auth) = ([0; 32], [0; 16]);
        random.fill(&mut auth).ok().context("no randomness")?;
        loop {
            random.fill(&mut scalar).ok().context("no randomness")?;
            // One in four thousand million is no scalar of this curve.
            if let Ok(secret) = SecretKey::from_slice(&scalar) {
                return Ok(Self { secret, auth });
            }
        }
    }

    /// These, both in base64url.
    ///
    /// # Errors
    /// They are none.
    pub fn of(secret: &str, auth: &str) -> Result<Self> {
        let secret = SecretKey::from_slice(&BASE64URL.decode(secret)?).ok().context("no scalar")?;
        let auth = BASE64URL.decode(auth)?.try_into().ok().context("not 16 bytes")?;
        Ok(Self { secret, auth })
    }

    /// The public key, as a browser gives it.
    #[must_use]
    pub fn p256dh(&self) -> String {
        BASE64URL.encode(point(&self.secret.public_key()))
    }

    /// The secret beside it, as a browser gives it.
    #[must_use]
    pub fn auth(&self) -> String {
        BASE64URL.encode(self.auth)
    }

    /// What was sent.
    ///
    /// # Errors
    /// It is not by the RFCs, or for somebody else.
    pub fn open(&self, body: &[u8]) -> Result<Vec<u8>, NotReadable> {
        let short = NotReadable("short");
        let (salt, rest) = body.split_first_chunk::<16>().ok_or(short)?;
        let (record_size, rest) = rest.split_first_chunk::<4>().ok_or(short)?;
        let (id_bytes, rest) = rest.split_first().ok_or(short)?;
        if usize::from(*id_bytes) != POINT_BYTES {
            return Err(NotReadable("key id"));
        }
        let (sender, record) = rest.split_at_checked(POINT_BYTES).ok_or(short)?;
        // RFC 8291, 4: one record, and the size greater than it.
        let record_size = usize::try_from(u32::from_be_bytes(*record_size)).unwrap_or(0);
        if record.len() < SEAL_BYTES || record_size <= record.len() {
            return Err(NotReadable("record size"));
        }
        let sender = PublicKey::from_sec1_bytes(sender).map_err(|_| NotReadable("key"))?;
        let input = self.input_key(&sender)?;
        let content = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(&input);
        let key: [u8; 16] = expand(&content, &[b"Content-Encoding: aes128gcm\0"])?;
        let nonce: [u8; 12] = expand(&content, &[b"Content-Encoding: nonce\0"])?;
        let key = aead::UnboundKey::new(&aead::AES_128_GCM, &key);
        let key = aead::LessSafeKey::new(key.map_err(|_| NotReadable("key"))?);
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let mut record = record.to_vec();
        let padded = key
            .open_in_place(nonce, aead::Aad::empty(), &mut record)
            .map_err(|_| NotReadable("not for this subscription"))?;
        let end = padded.iter().rposition(|byte| *byte != 0).ok_or(NotReadable("padding"))?;
        match padded.split_at_checked(end) {
            // The delimiter of the last record.
            Some((plaintext, [2, ..])) => Ok(plaintext.to_vec()),
            _ => Err(NotReadable("padding")),
        }
    }

    /// RFC 8291, 3.4.
    fn input_key(&self, sender: &PublicKey) -> Result<[u8; 32], NotReadable> {
        let shared = diffie_hellman(self.secret.to_nonzero_scalar(), sender.as_affine());
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, &self.auth);
        let (own, senders) = (point(&self.secret.public_key()), point(sender));
        expand(&salt.extract(shared.raw_secret_bytes()), &[b"WebPush: info\0", &own, &senders])
    }
}

/// So many bytes that are wanted of HKDF.
struct Wanted(usize);

impl hkdf::KeyType for Wanted {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand<const N: usize>(from: &hkdf::Prk, info: &[&[u8]]) -> Result<[u8; N], NotReadable> {
    let mut out = [0; N];
    let okm = from.expand(info, Wanted(N)).map_err(|_| NotReadable("key"))?;
    okm.fill(&mut out).map_err(|_| NotReadable("key"))?;
    Ok(out)
}

fn point(key: &PublicKey) -> Vec<u8> {
    let point = key.to_encoded_point(false);
    debug_assert!(matches!(point.coordinates(), Coordinates::Uncompressed { .. }));
    point.as_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8291, 5.
    const SECRET: &str = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";
    const P256DH: &str = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZ\
                          GH6SRpkNtoIAiw4";
    const BODY: &str = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6\
                        e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZ\
                        wbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";

    #[test]
    fn the_vector_of_the_rfc_is_read() {
        let keys = Keys::of(SECRET, AUTH).unwrap();
        assert_eq!((keys.p256dh().as_str(), keys.auth().as_str()), (P256DH, AUTH));
        let body = BASE64URL.decode(BODY).unwrap();
        let plaintext = keys.open(&body).unwrap();
        assert_eq!(plaintext, b"When I grow up, I want to be a watermelon");
    }

    #[test]
    fn what_is_not_by_the_rfc_is_not_read() {
        let keys = Keys::of(SECRET, AUTH).unwrap();
        let body = BASE64URL.decode(BODY).unwrap();
        let changed = |at: usize, to: u8| {
            let mut body = body.clone();
            body[at] = to;
            keys.open(&body).unwrap_err().0
        };
        // A record size of 16 instead of 4,096, and one as long as the record.
        assert_eq!((changed(18, 0), changed(20, 64)), ("record size", "key id"));
        let mut exact = body.clone();
        let record = u32::try_from(body.len() - 86).unwrap();
        exact[16..20].copy_from_slice(&record.to_be_bytes());
        assert_eq!(keys.open(&exact), Err(NotReadable("record size")));
        assert_eq!(changed(0, 0), "not for this subscription");
        assert_eq!(changed(body.len() - 1, 0), "not for this subscription");
        assert_eq!(keys.open(&body[..50]), Err(NotReadable("short")));
        assert!(Keys::random().unwrap().open(&body).is_err());
    }
}
