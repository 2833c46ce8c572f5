//! What people ask, parsed at the edge: bytes or protobuf in, domain values out.
//!
//! Two steps: JSON into raw fields (the first fault ends it), then raw fields into values (all
//! faults at once). JSON and gRPC share the second step. No I/O, no clock, no rights: who may ask
//! is decided by `rights`. Reasons never repeat what was sent, save the name of an unknown field,
//! so that an answer or a trace gives away nothing personal.

mod alert;
mod answer;
mod attest;
mod change;
mod drill;
mod envelope;
mod erase;
mod faults;
mod freeze;
mod json;
mod raw;
mod reach;
mod relay;
mod shown;
mod time;

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;

use domain::{alert::AlertFacts, ids::Millis, reach::Borders};
use wire::v1::{AlertFields, AlertText};

pub use self::{
    alert::{EXPIRES_AHEAD_DAYS_MAX, FUTURE_TOLERANCE_MS_MAX, PHOTO_ID_BYTES_MAX, PHOTOS_MAX},
    answer::{approve, note, note_text, nothing, reason, revision},
    attest::{Attest, attest},
    change::{
        Changed, Sighting, change, patch, sighting, sighting_fields, standing, widen, widen_fields,
    },
    drill::drill,
    envelope::Envelope,
    erase::{erase, erase_basis, erase_basis_of, erase_fields},
    freeze::{About, about, freeze, recall, until, until_text},
    relay::{Onward, instruction, instruction_text, onward, onward_fields},
    shown::{alert_fields, fields_of, reach_fields, reach_json, seen_fields},
};
pub(crate) use self::{faults::one_of, reach::NOT_A_COMMUNE};

/// One field at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field's path, as `last_seen.lat` or `reach.communes[3]`; empty for the body as a whole.
    pub field: String,
    /// Why, in Vietnamese and then in English; both read on from the field:
    /// `phải ở tương lai / must be in the future`.
    pub reason: String,
}

/// A request that is refused before anything was recorded. The caller must act: it is a 400, or
/// `INVALID_ARGUMENT` over gRPC.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// The body is not UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8(FieldError),
    /// The body is not JSON.
    #[error("the body is not JSON")]
    MalformedJson(FieldError),
    /// At least one field is missing, unknown, of the wrong type, or has a value that is not taken.
    #[error("the request has fields that are not taken")]
    InvalidFields(Vec<FieldError>),
    /// The `Idempotency-Key` is missing or not a key.
    #[error("the request has no usable Idempotency-Key")]
    IdempotencyKey(FieldError),
}

impl BadRequest {
    /// The stable machine code of the problem document.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotUtf8(_) => "not-utf8",
            Self::MalformedJson(_) => "malformed-json",
            Self::InvalidFields(_) => "invalid-fields",
            Self::IdempotencyKey(_) => "idempotency-key",
        }
    }

    /// What is at fault; never empty.
    #[must_use]
    pub fn errors(&self) -> &[FieldError] {
        match self {
            Self::NotUtf8(error) | Self::MalformedJson(error) | Self::IdempotencyKey(error) => {
                std::slice::from_ref(error)
            }
            Self::InvalidFields(errors) => errors,
        }
    }
}

/// What the edge knows beside the request.
#[derive(Clone, Copy)]
pub struct EdgeKnown<'a> {
    /// When the request came.
    pub now: Millis,
    /// The map in force.
    pub map: &'a dyn Borders,
}

/// An alert as it was asked for: every value parsed, nothing decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// For the open part; the point is rounded to thousandths of a degree.
    pub facts: AlertFacts,
    /// For the sealed part; the point is exact. An absent text is empty.
    pub text: AlertText,
    /// Which fields of the sealed part are present, for the open part.
    pub sealed_fields: Vec<String>,
}

/// The body of `POST /v1/alerts`.
///
/// `last_seen` is required where a person or thing is missing or was found. Wherever it is given
/// it says where: `place`, or `lat` and `lon`, or both; `at` is optional, for the hour is often
/// not known. `null`, and an empty optional text, count as absent, as over gRPC.
///
/// # Errors
/// [`BadRequest`]: not UTF-8, not JSON, or fields at fault, all of them that parse.
pub fn raise(body: &[u8], known: &EdgeKnown<'_>) -> Result<Draft, BadRequest> {
    alert::draft(json::parse::<raw::RawAlert>(body)?, known)
}

/// The same over gRPC: an empty text is an absent one, the rules are those of [`raise`].
///
/// # Errors
/// [`BadRequest::InvalidFields`], with all fields at fault.
pub fn raise_fields(fields: AlertFields, known: &EdgeKnown<'_>) -> Result<Draft, BadRequest> {
    alert::draft(raw::RawAlert::from(fields), known)
}

/// Which fields of the sealed part are present, by their names in the interface.
#[must_use]
pub fn sealed_fields(text: &AlertText) -> Vec<String> {
    alert::sealed_fields(text)
}
