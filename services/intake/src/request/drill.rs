//! Which exercise is to be measured. What was measured is never taken from who asks.

use domain::ids::AlertId;
use serde::Deserialize;

use super::{BadRequest, faults::Faults, json};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDrill {
    alert: Option<String>,
}

/// The body of `POST /v1/drills`: `{"alert":"…"}`.
///
/// # Errors
/// [`BadRequest`]: not UTF-8, not JSON, or fields at fault.
pub fn drill(body: &[u8]) -> Result<AlertId, BadRequest> {
    let raw: RawDrill = json::parse(body)?;
    let mut faults = Faults::default();
    let not_an_id = |_| "phải là mã của tin báo / must be an alert's id";
    let alert = faults
        .required("alert", raw.alert.filter(|text| !text.is_empty()))
        .and_then(|alert| faults.note("alert", alert.parse().map_err(not_an_id)));
    match alert {
        Some(alert) if faults.is_empty() => Ok(alert),
        _ => Err(faults.refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exercise_is_named_and_nothing_else_is_taken() {
        let id = "0191b0c0-0000-8000-8000-000000000001";
        let body = format!(r#"{{"alert":"{id}"}}"#);
        assert_eq!(drill(body.as_bytes()).unwrap().to_string(), id);
        let figures = format!(r#"{{"alert":"{id}","groups":1}}"#);
        for (body, field) in [("{}", "alert"), (r#"{"alert":"x"}"#, "alert"), (&figures, "groups")]
        {
            let bad = drill(body.as_bytes()).unwrap_err();
            let fields: Vec<&str> = bad.errors().iter().map(|error| &*error.field).collect();
            assert_eq!(fields, [field], "{body}");
        }
    }
}
