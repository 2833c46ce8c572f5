//! The bodies of freezes and recalls. Whether a time has passed is the decider's matter, so that
//! a repeat is answered as it stands also later.

use domain::{
    freeze::Frozen,
    ids::Millis,
    text::{NOTE_CHARS_MAX, Shape},
};
use serde::Deserialize;

use super::{BadRequest, NOT_A_COMMUNE, faults::Faults, json, time};

const NOT_AN_OFFICER: &str = "phải có 1 đến 64 ký tự A-Z a-z 0-9 - _ : / \
                              must have 1 to 64 of A-Z a-z 0-9 - _ :";
const ONE_OF_BOTH: &str = "hãy ghi officer hoặc commune, không phải cả hai / \
                           name an officer or a commune, not both";

/// Whom it is about, a time, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Whom.
    pub of: Frozen,
    /// The end of a freeze; the beginning of what is recalled.
    pub time: Millis,
    /// Why.
    pub note: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFreeze {
    officer: Option<String>,
    commune: Option<String>,
    until: Option<String>,
    note: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRecall {
    officer: Option<String>,
    commune: Option<String>,
    since: Option<String>,
    note: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUntil {
    until: Option<String>,
}

/// The body of `POST /v1/freezes`: `{"officer":…}` or `{"commune":…}`, `until`, and a note.
///
/// # Errors
/// [`BadRequest`]: not UTF-8, not JSON, or fields at fault.
pub fn freeze(body: &[u8]) -> Result<About, BadRequest> {
    let raw: RawFreeze = json::parse(body)?;
    about((raw.officer, raw.commune), ("until", raw.until), raw.note)
}

/// The body of `POST /v1/recalls`: `{"officer":…}` or `{"commune":…}`, `since`, and a note.
///
/// # Errors
/// As [`freeze`].
pub fn recall(body: &[u8]) -> Result<About, BadRequest> {
    let raw: RawRecall = json::parse(body)?;
    about((raw.officer, raw.commune), ("since", raw.since), raw.note)
}

/// The body of `confirm`: `{"until":…}`, the end that was asked for.
///
/// # Errors
/// As [`freeze`].
pub fn until(body: &[u8]) -> Result<Millis, BadRequest> {
    let raw: RawUntil = json::parse(body)?;
    until_text(raw.until.as_deref().unwrap_or_default())
}

/// The same time as it stands in a gRPC request: empty is absent.
///
/// # Errors
/// [`BadRequest::InvalidFields`]: none, or no time.
pub fn until_text(given: &str) -> Result<Millis, BadRequest> {
    let mut faults = Faults::default();
    instant(&mut faults, "until", Some(given.to_owned())).ok_or_else(|| faults.refused())
}

/// The same fields as they stand in a gRPC request: empty is absent. `time` is the field's name
/// and its text.
///
/// # Errors
/// [`BadRequest::InvalidFields`], with all fields at fault.
pub fn about(
    (officer, commune): (Option<String>, Option<String>),
    (name, text): (&str, Option<String>),
    note: Option<String>,
) -> Result<About, BadRequest> {
    let mut faults = Faults::default();
    let of = frozen(&mut faults, given(officer), given(commune));
    let time = instant(&mut faults, name, text);
    let given_note = given(note);
    let note = faults.text("note", given_note.as_deref(), Shape::Lines, NOTE_CHARS_MAX);
    match (of, time) {
        (Some(of), Some(time)) if faults.is_empty() => {
            Ok(About { of, time, note: given_note.map(|_| note) })
        }
        _ => Err(faults.refused()),
    }
}

fn frozen(faults: &mut Faults, officer: Option<String>, commune: Option<String>) -> Option<Frozen> {
    match (officer, commune) {
        (Some(_), Some(_)) => {
            faults.add("commune", ONE_OF_BOTH);
            None
        }
        (Some(id), None) => {
            let id = id.parse().map_err(|_| NOT_AN_OFFICER);
            faults.note("officer", id).map(Frozen::Officer)
        }
        (None, Some(code)) => {
            let code = code.parse().map_err(|_| NOT_A_COMMUNE);
            faults.note("commune", code).map(Frozen::Commune)
        }
        (None, None) => faults.required("officer", None),
    }
}

fn instant(faults: &mut Faults, name: &str, text: Option<String>) -> Option<Millis> {
    let text = faults.required(name, given(text))?;
    faults.note(name, time::parse(&text))
}

fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-11-21T17:30:00+07:00";

    #[test]
    fn whom_until_when_and_why() {
        let body = format!(r#"{{"commune":"25126","until":"{TIME}","note":"Lộ mã truy cập."}}"#);
        let asked = freeze(body.as_bytes()).unwrap();
        assert_eq!(asked.of, Frozen::Commune("25126".parse().unwrap()));
        assert_eq!(asked.note.as_deref(), Some("Lộ mã truy cập."));
        assert_eq!(until(format!(r#"{{"until":"{TIME}"}}"#).as_bytes()), Ok(asked.time));
        let body = format!(r#"{{"officer":"x:1","since":"{TIME}"}}"#);
        let asked = recall(body.as_bytes()).unwrap();
        assert_eq!(asked.of, Frozen::Officer("x:1".parse().unwrap()));
        assert_eq!(asked.note, None);
    }

    #[test]
    fn all_that_is_wrong_is_named() {
        for (body, fields) in [
            ("{}", &["officer", "until"][..]),
            (r#"{"officer":"a","commune":"25126","until":"x"}"#, &["commune", "until"]),
            (r#"{"officer":"a b","until":""}"#, &["officer", "until"]),
            (r#"{"commune":"2512","until":"2026-11-21T17:30:00Z"}"#, &["commune"]),
            (r#"{"officer":"a","since":"2026-11-21T17:30:00Z"}"#, &["since"]),
        ] {
            let bad = freeze(body.as_bytes()).unwrap_err();
            let named: Vec<_> = bad.errors().iter().map(|error| error.field.as_str()).collect();
            assert_eq!(named, fields, "{body}");
        }
        assert_eq!(until(b"{}").unwrap_err().errors()[0].field, "until");
    }
}
