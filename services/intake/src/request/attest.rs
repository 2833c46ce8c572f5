//! Who was told another way what a correction or an end says, and how.

use domain::{
    ids::{ChannelId, GroupId},
    text::{NOTE_CHARS_MAX, Shape},
};
use serde::Deserialize;

use super::{BadRequest, faults::Faults, json};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAttest {
    group: Option<String>,
    channel: Option<String>,
    note: Option<String>,
}

/// Whom somebody attests to have told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attest {
    /// The group.
    pub group: GroupId,
    /// One of its channels; all that are on the list where it is `None`.
    pub channel: Option<ChannelId>,
    /// How they were told.
    pub note: String,
}

/// The body of `attest`: `{"group":"…","channel":"…","note":"…"}`; the channel is optional.
///
/// # Errors
/// [`BadRequest`]: not UTF-8, not JSON, or fields at fault.
pub fn attest(body: &[u8]) -> Result<Attest, BadRequest> {
    let raw: RawAttest = json::parse(body)?;
    let mut faults = Faults::default();
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let not_an_id = |_| "phải là mã / must be an id";
    let group = faults
        .required("group", given(raw.group))
        .and_then(|group| faults.note("group", group.parse().map_err(not_an_id)));
    let channel = given(raw.channel)
        .and_then(|channel| faults.note("channel", channel.parse().map_err(not_an_id)));
    let note = given(raw.note);
    let note = faults.required("note", note.as_deref());
    let note = faults.text("note", note, Shape::Lines, NOTE_CHARS_MAX);
    match group {
        Some(group) if faults.is_empty() => Ok(Attest { group, channel, note }),
        _ => Err(faults.refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_and_how_are_required() {
        let whole = attest(r#"{"group":"g-1","note":" đã gọi trưởng thôn "}"#.as_bytes()).unwrap();
        assert_eq!((whole.group.as_str(), whole.channel, &*whole.note), {
            ("g-1", None, "đã gọi trưởng thôn")
        });
        for (body, field) in [
            ("{}", "group note"),
            (r#"{"group":"g 1","note":"a"}"#, "group"),
            (r#"{"group":"g-1","channel":"/","note":"a"}"#, "channel"),
            (r#"{"group":"g-1","note":"a","by":"an"}"#, "by"),
        ] {
            let bad = attest(body.as_bytes()).unwrap_err();
            let fields: Vec<&str> = bad.errors().iter().map(|error| &*error.field).collect();
            assert_eq!(fields.join(" "), field, "{body}");
        }
    }
}
