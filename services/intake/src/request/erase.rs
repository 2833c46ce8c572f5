//! The bodies of an erasure: its basis, and a note.

use domain::{
    erasure::Basis,
    text::{NOTE_CHARS_MAX, Shape},
};
use serde::Deserialize;

use super::{BadRequest, faults::Faults, json};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawErase {
    basis: Option<String>,
    note: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBasis {
    basis: Option<String>,
}

/// The body of `erase`: `{"basis":…}` and perhaps a note.
///
/// # Errors
/// [`BadRequest`]: not UTF-8, not JSON, or fields at fault.
pub fn erase(body: &[u8]) -> Result<(Basis, Option<String>), BadRequest> {
    let raw: RawErase = json::parse(body)?;
    erase_fields(raw.basis, raw.note)
}

/// The same fields as they stand in a gRPC request: empty is absent.
///
/// # Errors
/// [`BadRequest::InvalidFields`], with all fields at fault.
pub fn erase_fields(
    basis: Option<String>,
    note: Option<String>,
) -> Result<(Basis, Option<String>), BadRequest> {
    let mut faults = Faults::default();
    let basis = self::basis(&mut faults, basis);
    let given = note.filter(|note| !note.is_empty());
    let note = faults.text("note", given.as_deref(), Shape::Lines, NOTE_CHARS_MAX);
    match basis.filter(|_| faults.is_empty()) {
        Some(basis) => Ok((basis, given.map(|_| note))),
        None => Err(faults.refused()),
    }
}

/// The body of `erase/confirm`: `{"basis":…}`, the one that was asked for.
///
/// # Errors
/// As [`erase`].
pub fn erase_basis(body: &[u8]) -> Result<Basis, BadRequest> {
    let raw: RawBasis = json::parse(body)?;
    erase_basis_of(raw.basis)
}

/// The same field as it stands in a gRPC request.
///
/// # Errors
/// [`BadRequest::InvalidFields`].
pub fn erase_basis_of(basis: Option<String>) -> Result<Basis, BadRequest> {
    let mut faults = Faults::default();
    self::basis(&mut faults, basis).ok_or_else(|| faults.refused())
}

fn basis(faults: &mut Faults, given: Option<String>) -> Option<Basis> {
    let given = faults.required("basis", given.filter(|given| !given.is_empty()))?;
    faults.word("basis", &given, &Basis::GIVEN, Basis::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basis_is_one_that_a_person_may_give() {
        let body = r#"{"basis":"subject-request","note":"Theo đơn của gia đình."}"#;
        let note = Some("Theo đơn của gia đình.".to_owned());
        assert_eq!(erase(body.as_bytes()), Ok((Basis::SubjectRequest, note)));
        assert_eq!(erase_basis(br#"{"basis":"authority"}"#), Ok(Basis::Authority));
        for (body, named) in [
            ("{}", "basis"),
            (r#"{"basis":""}"#, "basis"),
            (r#"{"basis":"retention"}"#, "basis"),
            (r#"{"basis":"authority","note":"\u0000"}"#, "note"),
            (r#"{"basis":"authority","why":"x"}"#, "why"),
        ] {
            let bad = erase(body.as_bytes()).unwrap_err();
            let fields: Vec<_> = bad.errors().iter().map(|error| error.field.as_str()).collect();
            assert_eq!(fields, [named], "{body}");
        }
        assert!(erase_basis(br#"{"basis":"authority","note":"x"}"#).is_err());
    }
}
