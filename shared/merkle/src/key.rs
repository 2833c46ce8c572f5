//! Keys of signed notes: names, ids, and their texts (C2SP signed-note). Ed25519 alone, for notes
//! (type 0x01) and for cosignatures (type 0x04).

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_STANDARD};
use ed25519_dalek::{SECRET_KEY_LENGTH, Signature, Signer, VerifyingKey};
use sha2::{Digest, Sha256};

/// The most bytes of a key's name: what a cosignature of type 0x06 can cover.
pub const KEY_NAME_BYTES_MAX: usize = 255;

/// What a key file of Go's note package begins with.
const SECRET: &str = "PRIVATE+KEY+";

/// What the signatures of a key are over (C2SP signed-note, signature types).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum KeyType {
    /// The text of a note: a log's key.
    Note = 0x01,
    /// A time and a checkpoint: a witness's key.
    Cosignature = 0x04,
}

/// The key of a log: signs notes.
pub type LogKey = SigningKey<{ KeyType::Note as u8 }>;

/// The key of a witness: signs a checkpoint together with the time.
pub type WitnessKey = SigningKey<{ KeyType::Cosignature as u8 }>;

/// The first bytes of SHA-256(name ‖ LF ‖ type ‖ public key): tells keys of one name apart and is
/// no proof of anything. As text it is lower-case hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 4]);

/// A key that signatures are verified with. As text it is a vkey,
/// `<name>+<id>+<base64(type ‖ public key)>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: KeyId,
    key_type: KeyType,
    public: VerifyingKey,
}

/// A key that signs, for one type of signatures. The secret is wiped from memory when it is
/// dropped, and `Debug` shows the public key alone.
#[derive(Clone)]
pub struct SigningKey<const TYPE: u8> {
    verifier: VerifierKey,
    secret: ed25519_dalek::SigningKey,
}

/// Why a text or bytes are no key. Whoever configured the key must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// It has not the parts of a key, or spells them otherwise than they are printed; or the id is
    /// that of another key.
    #[error("not the text of a key, or its id is another key's")]
    Text,
    /// Empty, longer than [`KEY_NAME_BYTES_MAX`], or with a space, a plus or a control character.
    #[error("not the name of a key")]
    Name,
    /// Signatures of this type are not known here, or not wanted.
    #[error("a key of type {0:#04x}")]
    Type(u8),
    /// No point of the curve, or one of small order: anybody could sign for it.
    #[error("not a public key")]
    Point,
}

impl KeyType {
    fn of(byte: u8) -> Result<Self, BadKey> {
        [Self::Note, Self::Cosignature]
            .into_iter()
            .find(|key_type| *key_type as u8 == byte)
            .ok_or(BadKey::Type(byte))
    }
}

impl VerifierKey {
    /// A key from its parts.
    ///
    /// # Errors
    /// The name is none, or the bytes are no public key.
    pub fn new(name: &str, key_type: KeyType, public: &[u8; 32]) -> Result<Self, BadKey> {
        if !is_key_name(name) || name.len() > KEY_NAME_BYTES_MAX {
            return Err(BadKey::Name);
        }
        let public = VerifyingKey::from_bytes(public).map_err(|_| BadKey::Point)?;
        if public.is_weak() {
            return Err(BadKey::Point);
        }
        let hash = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', key_type as u8])
            .chain_update(public.as_bytes())
            .finalize();
        let [a, b, c, d, ..] = <[u8; 32]>::from(hash);
        Ok(Self { name: name.to_owned(), id: KeyId([a, b, c, d]), key_type, public })
    }

    /// The name; a log's is its origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What its signatures are over.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The public key itself, which may serve under several names.
    #[must_use]
    pub fn public(&self) -> &[u8; 32] {
        self.public.as_bytes()
    }

    /// Whether this key made this Ed25519 signature over this message (RFC 8032; without second
    /// spellings of one signature).
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.public.verify_strict(message, &signature).is_ok())
    }
}

impl<const TYPE: u8> SigningKey<TYPE> {
    /// A key from its seed: 32 bytes that nobody can guess.
    ///
    /// # Errors
    /// The name is none.
    pub fn from_seed(name: &str, seed: &[u8; SECRET_KEY_LENGTH]) -> Result<Self, BadKey> {
        let secret = ed25519_dalek::SigningKey::from_bytes(seed);
        let public = secret.verifying_key().to_bytes();
        let verifier = VerifierKey::new(name, KeyType::of(TYPE)?, &public)?;
        Ok(Self { verifier, secret })
    }

    /// Reads `PRIVATE+KEY+<name>+<id>+<base64(type ‖ seed)>`, the text of Go's note package.
    ///
    /// # Errors
    /// The text is no such key, or one of another type.
    pub fn from_secret_text(text: &str) -> Result<Self, BadKey> {
        let (name, key_type, seed) = parts(text.strip_prefix(SECRET).ok_or(BadKey::Text)?)?;
        if key_type as u8 != TYPE {
            return Err(BadKey::Type(key_type as u8));
        }
        let key = Self::from_seed(name, &seed)?;
        if key.secret_text() == text { Ok(key) } else { Err(BadKey::Text) }
    }

    /// The text that [`SigningKey::from_secret_text`] reads. It is the secret: it belongs into a
    /// key file and nowhere else.
    #[must_use]
    pub fn secret_text(&self) -> String {
        let VerifierKey { name, id, key_type, .. } = &self.verifier;
        format!("{SECRET}{name}+{id}+{}", encode(*key_type, self.secret.as_bytes()))
    }

    /// The public side of the key.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    pub(crate) fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.secret.sign(message).to_bytes()
    }
}

/// Whether a text may name a key: not empty, no Unicode space, no plus, nothing that a note may
/// not contain.
pub(crate) fn is_key_name(name: &str) -> bool {
    let is_allowed = |c: char| !(c.is_whitespace() || c < ' ' || c == '+');
    !name.is_empty() && name.chars().all(is_allowed)
}

/// Name, type and key of `<name>+<id>+<base64(type ‖ key)>`. The id is not looked at: callers
/// print the key again and compare.
fn parts(text: &str) -> Result<(&str, KeyType, [u8; 32]), BadKey> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(_id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(BadKey::Text);
    };
    let key = BASE64_STANDARD.decode(key).map_err(|_| BadKey::Text)?;
    let (key_type, key) = key.split_first().ok_or(BadKey::Text)?;
    let key_type = KeyType::of(*key_type)?;
    Ok((name, key_type, key.try_into().map_err(|_| BadKey::Text)?))
}

fn encode(key_type: KeyType, key: &[u8; 32]) -> String {
    let mut bytes = vec![key_type as u8];
    bytes.extend_from_slice(key);
    BASE64_STANDARD.encode(bytes)
}

impl FromStr for VerifierKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let (name, key_type, public) = parts(text)?;
        let key = Self::new(name, key_type, &public)?;
        if key.to_string() == text { Ok(key) } else { Err(BadKey::Text) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, self.id, encode(self.key_type, self.public.as_bytes()))
    }
}

impl<const TYPE: u8> fmt::Debug for SigningKey<TYPE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.verifier)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}
