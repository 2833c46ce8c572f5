//! An envelope: a command that a person's own device made and signed, and what it seals.
//!
//! Only its shape is checked here; what it asks, and who may ask it, is `signed`.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use domain::ids::{KeyId, RecordId};
use event_log::record::RECORD_BYTES_MAX;
use serde::Deserialize;
use serde_json::{Value, json};
use wire::{passkey::ASSERTION_BYTES_MAX, seal::SALT_BYTES, signing::ED25519_BYTES, v1};

use super::{BadRequest, faults::Faults, json};

/// The longest content: with its salt it is one sealed part.
const CONTENT_BYTES_MAX: usize = RECORD_BYTES_MAX - 64;

/// A signed command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The command's id.
    pub id: RecordId,
    /// By which key it is signed.
    pub key: KeyId,
    /// The bytes of a `Command`, exactly as they are to stand in the log.
    pub open: Bytes,
    /// What stands in `open` for the content.
    pub commitment: Bytes,
    /// 32 random bytes.
    pub salt: [u8; SALT_BYTES],
    /// The bytes of a `SealedContent`.
    pub content: Bytes,
    /// Over `open`, by the key: 64 bytes by Ed25519, an `Assertion` by a passkey.
    pub signature: Bytes,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    id: Option<String>,
    key: Option<String>,
    open: Option<String>,
    commitment: Option<String>,
    salt: Option<String>,
    content: Option<String>,
    signature: Option<String>,
}

impl Envelope {
    /// The body of `POST /v1/commands`: ids as text, bytes in base64.
    ///
    /// # Errors
    /// [`BadRequest`]: not UTF-8, not JSON, or fields at fault, all of them.
    pub fn parse(body: &[u8]) -> Result<Self, BadRequest> {
        let raw: Raw = json::parse(body)?;
        let mut faults = Faults::default();
        let mut bytes = |field: &str, given: Option<&str>| {
            let given = faults.required(field, given)?;
            let not = "không phải base64 / is not base64";
            faults.note(field, BASE64_STANDARD.decode(given).map(Bytes::from).map_err(|_| not))
        };
        let said = v1::Envelope {
            open: bytes("open", raw.open.as_deref()).unwrap_or_default(),
            commitment: bytes("commitment", raw.commitment.as_deref()).unwrap_or_default(),
            salt: bytes("salt", raw.salt.as_deref()).unwrap_or_default(),
            content: bytes("content", raw.content.as_deref()).unwrap_or_default(),
            signature: bytes("signature", raw.signature.as_deref()).unwrap_or_default(),
            id: raw.id.unwrap_or_default(),
            key: raw.key.unwrap_or_default(),
        };
        if faults.is_empty() { Self::of_message(said) } else { Err(faults.refused()) }
    }

    /// The same over gRPC.
    ///
    /// # Errors
    /// [`BadRequest::InvalidFields`], with all fields at fault.
    pub fn of_message(said: v1::Envelope) -> Result<Self, BadRequest> {
        let mut faults = Faults::default();
        let not = "không phải mã của lệnh / is not a command's id";
        let id = faults.note("id", said.id.parse::<RecordId>().map_err(|_| not));
        let not = "không phải mã của khóa: 32 chữ số hex / is not a key's id: 32 digits of hex";
        let key = faults.note("key", said.key.parse::<KeyId>().map_err(|_| not));
        let salt = exactly(&mut faults, "salt", &said.salt);
        let sized = [
            ("open", said.open.len(), 1, RECORD_BYTES_MAX),
            ("content", said.content.len(), 0, CONTENT_BYTES_MAX),
            ("commitment", said.commitment.len(), 32, 32),
            ("signature", said.signature.len(), ED25519_BYTES, ASSERTION_BYTES_MAX),
        ];
        for (field, bytes, least, most) in sized {
            if !(least..=most).contains(&bytes) {
                let range =
                    format!("phải có {least} đến {most} byte / must have {least} to {most}");
                faults.add(field, format!("{range} bytes"));
            }
        }
        match (id, key, salt) {
            (Some(id), Some(key), Some(salt)) if faults.is_empty() => Ok(Self {
                id,
                key,
                open: said.open,
                commitment: said.commitment,
                salt,
                content: said.content,
                signature: said.signature,
            }),
            _ => Err(faults.refused()),
        }
    }

    /// As the body of `POST /v1/commands`.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "key": self.key.to_string(),
            "open": BASE64_STANDARD.encode(&self.open),
            "commitment": BASE64_STANDARD.encode(&self.commitment),
            "salt": BASE64_STANDARD.encode(self.salt),
            "content": BASE64_STANDARD.encode(&self.content),
            "signature": BASE64_STANDARD.encode(&self.signature),
        })
    }

    /// Over gRPC.
    #[must_use]
    pub fn message(&self) -> v1::Envelope {
        v1::Envelope {
            id: self.id.to_string(),
            key: self.key.to_string(),
            open: self.open.clone(),
            commitment: self.commitment.clone(),
            salt: Bytes::copy_from_slice(&self.salt),
            content: self.content.clone(),
            signature: self.signature.clone(),
        }
    }
}

fn exactly<const N: usize>(faults: &mut Faults, field: &str, bytes: &[u8]) -> Option<[u8; N]> {
    let wanted = format!("phải có {N} byte / must have {N} bytes");
    faults.note(field, bytes.try_into().map_err(|_| wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            id: RecordId::of_purpose("x"),
            key: KeyId::of(&[7; 32]),
            open: Bytes::from_static(b"open"),
            commitment: Bytes::from_static(&[1; 32]),
            salt: [2; 32],
            content: Bytes::new(),
            signature: Bytes::from_static(&[3; 64]),
        }
    }

    #[test]
    fn an_envelope_comes_back_as_it_was_sent() {
        let sent = envelope();
        assert_eq!(Envelope::parse(sent.json().to_string().as_bytes()), Ok(sent.clone()));
        assert_eq!(Envelope::of_message(sent.message()), Ok(sent));
    }

    #[test]
    fn every_field_at_fault_is_named() {
        let fields = |bad: BadRequest| -> Vec<String> {
            bad.errors().iter().map(|error| error.field.clone()).collect()
        };
        let missing = Envelope::parse(b"{}").unwrap_err();
        assert_eq!(fields(missing), ["open", "commitment", "salt", "content", "signature"]);
        let wrong = v1::Envelope::default();
        let wrong = v1::Envelope { content: vec![0; RECORD_BYTES_MAX].into(), ..wrong };
        let wrong = Envelope::of_message(wrong).unwrap_err();
        let all = ["id", "key", "salt", "open", "content", "commitment", "signature"];
        assert_eq!(fields(wrong), all);
        let mut not_base64 = envelope().json();
        not_base64["open"] = json!("??");
        let wrong = Envelope::parse(not_base64.to_string().as_bytes()).unwrap_err();
        assert_eq!(fields(wrong), ["open"]);
    }
}
