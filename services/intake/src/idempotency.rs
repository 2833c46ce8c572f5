//! The `Idempotency-Key`: what makes a repeated request the same command, through any intake.
//!
//! No memory of keys: the command's id derives from the key, the first record under an id wins,
//! and a repeat is compared by the hash of the request's body.

use domain::ids::{OfficerId, RecordId};
use sha2::{Digest, Sha256};

use crate::request::{BadRequest, FieldError};

/// The name of the HTTP header; in lower case that of the gRPC metadata.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// The longest key.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// A key as it was sent: 1 to [`IDEMPOTENCY_KEY_BYTES_MAX`] visible ASCII characters. Quotation
/// marks, as the IETF's draft has them, are part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads all headers of that name, of which there must be one.
    ///
    /// # Errors
    /// [`BadRequest::IdempotencyKey`]: none, more than one, or not a key.
    pub fn of_headers<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, BadRequest> {
        let mut values = values.into_iter();
        let value =
            values.next().ok_or_else(|| refused("bắt buộc phải có / is required".to_owned()))?;
        if values.next().is_some() {
            return Err(refused("chỉ được gửi một lần / must be sent once".to_owned()));
        }
        let fits = (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&value.len())
            && value.iter().all(u8::is_ascii_graphic);
        std::str::from_utf8(value).ok().filter(|_| fits).map(|key| Self(key.to_owned())).ok_or_else(
            || {
                let most = IDEMPOTENCY_KEY_BYTES_MAX;
                refused(format!(
                    "phải có 1 đến {most} ký tự ASCII nhìn thấy được / \
                     must have 1 to {most} visible ASCII characters"
                ))
            },
        )
    }

    /// A new key, as a form has it; none, so that the form is refused, where the operating system
    /// gives no randomness.
    #[must_use]
    pub fn fresh() -> String {
        wire::seal::salt().map(|salt| domain::hex::hex(&salt)).unwrap_or_default()
    }

    /// The key as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the command that this key stands for. `path` is the route of the HTTP interface,
    /// also over gRPC, so that one key is one command whichever way it came.
    #[must_use]
    pub fn command_id(&self, officer: &OfficerId, path: &str) -> RecordId {
        RecordId::of_command(officer.as_str(), path, &self.0)
    }
}

fn refused(reason: String) -> BadRequest {
    BadRequest::IdempotencyKey(FieldError { field: IDEMPOTENCY_KEY.to_owned(), reason })
}

/// SHA-256 of a request's body, byte for byte: the same key with other bytes is a conflict. It
/// lies in the sealed part, since a short body could be guessed from it.
#[must_use]
pub fn request_sha256(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(values: &[&[u8]]) -> Result<IdempotencyKey, BadRequest> {
        IdempotencyKey::of_headers(values.iter().copied())
    }

    #[test]
    fn a_key_is_one_visible_word() {
        for good in
            [b"k".as_slice(), b"8e03978e-40d5-43dd-bc93-6894a57f9324", b"\"q\"", &[b'x'; 255]]
        {
            assert!(key(&[good]).is_ok(), "{good:?}");
        }
        for (wrong, reason) in [
            ([].as_slice(), "is required"),
            (&[b"a".as_slice(), b"a"], "must be sent once"),
            (&[b"".as_slice()], "must have 1 to 255"),
            (&[b"a b".as_slice()], "visible ASCII"),
            (&["ờ".as_bytes()], "visible ASCII"),
            (&[b"\xFF".as_slice()], "visible ASCII"),
            (&[[b'x'; 256].as_slice()], "must have 1 to 255"),
        ] {
            let refused = key(wrong).unwrap_err();
            assert_eq!(refused.code(), "idempotency-key");
            assert_eq!(refused.errors()[0].field, "Idempotency-Key");
            assert!(refused.errors()[0].reason.contains(reason), "{refused:?}");
        }
    }

    #[test]
    fn one_key_of_one_officer_on_one_path_is_one_command() {
        let (an, binh) = ("an".parse().unwrap(), "binh".parse().unwrap());
        let (one, other) = (key(&[b"k1"]).unwrap(), key(&[b"k2"]).unwrap());
        let id = one.command_id(&an, "/v1/alerts");
        assert_eq!(id, one.clone().command_id(&an, "/v1/alerts"));
        assert_ne!(id, other.command_id(&an, "/v1/alerts"));
        assert_ne!(id, one.command_id(&binh, "/v1/alerts"));
        assert_ne!(id, one.command_id(&an, "/v1/alerts/x/cancel"));
        assert_ne!(request_sha256(b"{}"), request_sha256(b"{ }"));
    }
}
