//! The short bodies: an approval's revision, and the note of an answer or an end.

use domain::text::{NOTE_CHARS_MAX, Shape};

use super::{
    BadRequest,
    faults::Faults,
    json,
    raw::{RawApproval, RawNote, RawNothing},
};

/// The body of `approve`: `{"revision":N}`.
///
/// # Errors
/// [`BadRequest`]: not UTF-8, not JSON, or no revision.
pub fn approve(body: &[u8]) -> Result<u64, BadRequest> {
    let raw: RawApproval = json::parse(body)?;
    let mut faults = Faults::default();
    match faults.required("revision", raw.revision) {
        // A negative one is no more a revision than 0 is.
        Some(given) => revision(u64::try_from(given).unwrap_or(0)),
        None => Err(faults.refused()),
    }
}

/// The revision that somebody approves, as it stands in a gRPC request; the first is 1.
///
/// # Errors
/// [`BadRequest::InvalidFields`] for 0, which over gRPC is also an absent one.
pub fn revision(given: u64) -> Result<u64, BadRequest> {
    if given > 0 {
        return Ok(given);
    }
    let mut faults = Faults::default();
    faults.add("revision", "phải từ 1 trở lên / must be at least 1");
    Err(faults.refused())
}

/// The body of `cancel`, `resolve`, `refuse` and `acknowledge`: `{"note":"…"}`; an empty body
/// counts as `{}`.
///
/// # Errors
/// [`BadRequest`]: not UTF-8, not JSON, not a note, or none where one is required.
pub fn note(body: &[u8], required: bool) -> Result<Option<String>, BadRequest> {
    let raw = match body.trim_ascii() {
        [] => RawNote::default(),
        _ => json::parse(body)?,
    };
    note_text(raw.note.as_deref().unwrap_or_default(), required)
}

/// The body of `review`, `hold` and `release`: none, or `{}`. What would not be recorded is not
/// taken.
///
/// # Errors
/// [`BadRequest`]: not UTF-8, not JSON, or something in it.
pub fn nothing(body: &[u8]) -> Result<(), BadRequest> {
    match body.trim_ascii() {
        [] => Ok(()),
        _ => json::parse(body).map(|RawNothing {}| ()),
    }
}

/// Why somebody reads, as a request's header says it in UTF-8: empty is absent.
///
/// # Errors
/// [`BadRequest::InvalidFields`]: not UTF-8, too long, or no text.
pub fn reason(given: &[u8]) -> Result<Option<String>, BadRequest> {
    let mut faults = Faults::default();
    let not = "không phải UTF-8 / is not UTF-8";
    let given = faults.note("keng-reason", std::str::from_utf8(given).map_err(|_| not));
    let given = given.filter(|text| !text.is_empty());
    let reason = faults.text("keng-reason", given, Shape::Line, NOTE_CHARS_MAX);
    if faults.is_empty() { Ok(given.map(|_| reason)) } else { Err(faults.refused()) }
}

/// The same note as it stands in a gRPC request: empty is absent.
///
/// # Errors
/// [`BadRequest::InvalidFields`]: not a note, or none where one is required.
pub fn note_text(given: &str, required: bool) -> Result<Option<String>, BadRequest> {
    let mut faults = Faults::default();
    let given = Some(given).filter(|text| !text.is_empty());
    if required {
        faults.required("note", given);
    }
    let note = faults.text("note", given, Shape::Lines, NOTE_CHARS_MAX);
    if faults.is_empty() { Ok(given.map(|_| note)) } else { Err(faults.refused()) }
}
