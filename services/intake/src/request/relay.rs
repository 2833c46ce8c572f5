//! What a commune adds to an alert that was relayed to it: instructions, and further communes.

use std::collections::BTreeSet;

use domain::{
    ids::CommuneCode,
    reach::Borders,
    relay::protocol::ONWARD_COMMUNES_MAX,
    text::{INSTRUCTION_CHARS_MAX, NOTE_CHARS_MAX, Shape},
};
use serde::Deserialize;

use super::{BadRequest, faults::Faults, json, reach::on_map};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInstruction {
    instruction: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOnward {
    communes: Option<Vec<String>>,
    note: Option<String>,
}

/// Where an alert is to be relayed onward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Onward {
    /// To these; at least one, each once, all on the map.
    pub to: Vec<CommuneCode>,
    /// Why.
    pub note: Option<String>,
}

/// The body of `instructions`: `{"instruction":"…"}`.
///
/// # Errors
/// [`BadRequest`]: not UTF-8, not JSON, or no instruction.
pub fn instruction(body: &[u8]) -> Result<String, BadRequest> {
    let raw: RawInstruction = json::parse(body)?;
    instruction_text(raw.instruction.as_deref().unwrap_or_default())
}

/// The same as it stands in a gRPC request: empty is absent.
///
/// # Errors
/// [`BadRequest::InvalidFields`]: no instruction.
pub fn instruction_text(given: &str) -> Result<String, BadRequest> {
    let mut faults = Faults::default();
    let given = faults.required("instruction", Some(given).filter(|text| !text.is_empty()));
    let text = faults.text("instruction", given, Shape::Lines, INSTRUCTION_CHARS_MAX);
    if faults.is_empty() { Ok(text) } else { Err(faults.refused()) }
}

/// The body of `relay`: `{"communes":["…"],"note":"…"}`.
///
/// # Errors
/// [`BadRequest`]: not UTF-8, not JSON, or fields at fault.
pub fn onward(body: &[u8], map: &dyn Borders) -> Result<Onward, BadRequest> {
    let raw: RawOnward = json::parse(body)?;
    onward_fields(&raw.communes.unwrap_or_default(), raw.note.as_deref().unwrap_or_default(), map)
}

/// The same as it stands in a gRPC request.
///
/// # Errors
/// [`BadRequest::InvalidFields`], with all fields at fault.
pub fn onward_fields(
    communes: &[String],
    note: &str,
    map: &dyn Borders,
) -> Result<Onward, BadRequest> {
    let mut faults = Faults::default();
    if !(1..=ONWARD_COMMUNES_MAX).contains(&communes.len()) {
        let most = ONWARD_COMMUNES_MAX;
        let reason = format!("phải có 1 đến {most} xã / must be 1 to {most} communes");
        faults.add("communes", reason);
    }
    let mut seen = BTreeSet::new();
    let mut to = Vec::new();
    for (place, code) in communes.iter().enumerate().take(ONWARD_COMMUNES_MAX) {
        let field = format!("communes[{place}]");
        let Some(home) = faults.note(&field, on_map(code, map)) else { continue };
        if !seen.insert(home.commune) {
            faults.add(field, "bị ghi hai lần / is named twice");
        }
        to.push(home.commune);
    }
    let given = Some(note).filter(|text| !text.is_empty());
    let note = faults.text("note", given, Shape::Lines, NOTE_CHARS_MAX);
    if !faults.is_empty() {
        return Err(faults.refused());
    }
    Ok(Onward { to, note: given.map(|_| note) })
}

#[cfg(test)]
mod tests {
    use super::{super::tests::Few, *};

    fn fields<T: std::fmt::Debug>(parsed: Result<T, BadRequest>) -> Vec<String> {
        let bad = parsed.unwrap_err();
        bad.errors().iter().map(|error| error.field.clone()).collect()
    }

    #[test]
    fn an_instruction_is_required_and_bounded() {
        let words = instruction(r#"{"instruction":" Tìm ở bờ sông. "}"#.as_bytes());
        assert_eq!(words, Ok("Tìm ở bờ sông.".to_owned()));
        let longest = "ê".repeat(INSTRUCTION_CHARS_MAX);
        assert_eq!(instruction_text(&longest), Ok(longest.clone()));
        for wrong in
            ["{}", r#"{"instruction":""}"#, r#"{"instruction":" "}"#, r#"{"instruction":null}"#]
        {
            assert_eq!(fields(instruction(wrong.as_bytes())), ["instruction"], "{wrong}");
        }
        assert_eq!(fields(instruction_text(&format!("{longest}x"))), ["instruction"]);
        assert_eq!(fields(instruction(br#"{"instruction":"a","note":"b"}"#)), ["note"]);
    }

    #[test]
    fn communes_are_on_the_map_and_named_once() {
        let onward = |body: &str| onward(body.as_bytes(), &Few);
        let to = onward(r#"{"communes":["20001","15961"],"note":"Gần sông."}"#).unwrap();
        assert_eq!(to.to, ["20001".parse().unwrap(), "15961".parse().unwrap()]);
        assert_eq!(to.note.as_deref(), Some("Gần sông."));
        for (wrong, at) in [
            ("{}", "communes"),
            (r#"{"communes":[]}"#, "communes"),
            (r#"{"communes":["2000"]}"#, "communes[0]"),
            (r#"{"communes":["20001","99999"]}"#, "communes[1]"),
            (r#"{"communes":["20001","20001"]}"#, "communes[1]"),
            (r#"{"communes":["20001"],"note":"\u0000"}"#, "note"),
            (r#"{"communes":["20001"],"hops":1}"#, "hops"),
        ] {
            assert_eq!(fields(onward(wrong)), [at], "{wrong}");
        }
        let many: Vec<String> =
            (0..=ONWARD_COMMUNES_MAX).map(|n| (20_000 + n).to_string()).collect();
        assert_eq!(fields(onward_fields(&many, "", &Few)), ["communes"]);
    }
}
