//! Records as lines: one for each command, one for each event of a commit.
//!
//! A commit without events is one line too: `AlreadyTrue` or `Refused`. What this program cannot
//! read is shown as such, never left out.

use domain::ids::Millis;
use event_log::{Kind, Recorded};
use jiff::Timestamp;
use prost::Message;
use prost_reflect::{DynamicMessage, ReflectMessage, Value as Dynamic};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wire::v1::{Actor, Command, Commit};

use crate::json::{self, bytes_said};

/// The type of a record whose bytes, or of an event whose kind, this program does not know.
pub const UNREADABLE: &str = "Unreadable";

/// One command, or one event, as people and programs read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The record's place in the order; 1 for the first. All events of a commit share it.
    pub position: u64,
    /// When it was written down or decided: RFC 3339, milliseconds, UTC.
    #[serde(with = "rfc3339")]
    pub at: Millis,
    /// The entity.
    pub entity: String,
    /// The entity's ordinal; 0 for a command.
    pub version: u64,
    /// The name of the protobuf message, as `RaiseAlert` or `AlertIssued`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who asked, or which service observed: an officer's id, `local:<uid>`, `service:<name>`.
    pub actor: String,
    /// The id of the record that this one answers; empty where a person asked.
    pub causation: String,
    /// The message.
    pub data: Value,
    /// The record's id: what the `causation` of another names.
    pub id: String,
    /// How the actor was known: `key` (signed by the person), `token`, `local`, `service`, `link`.
    pub attested: String,
    /// The key that signed: the person's, or the service's that took it; empty where nobody did.
    pub key: String,
}

/// The lines of a record at this position.
#[must_use]
pub fn lines_of(position: u64, recorded: &Recorded) -> Vec<Line> {
    let lines = match recorded.kind {
        Kind::Command => of_command(recorded),
        Kind::Commit { .. } => of_commit(recorded),
    };
    let mut lines = lines.unwrap_or_else(|| vec![unreadable(recorded)]);
    lines.iter_mut().for_each(|line| line.position = position);
    lines
}

fn of_command(recorded: &Recorded) -> Option<Vec<Line>> {
    let command = Command::decode(recorded.open.clone()).ok()?;
    let envelope = Line {
        at: Millis(command.written_at_ms),
        causation: cause(&command.causation),
        ..by(command.actor, recorded)
    };
    let message = json::decode("Command", &recorded.open)?;
    let body = message.fields().find_map(|(field, value)| {
        field.containing_oneof().filter(|oneof| oneof.name() == "body")?;
        value.as_message().map(said)
    });
    Some(vec![with(&envelope, body)])
}

fn of_commit(recorded: &Recorded) -> Option<Vec<Line>> {
    let commit = Commit::decode(recorded.open.clone()).ok()?;
    let envelope = Line {
        at: Millis(commit.decided_at_ms),
        causation: cause(&commit.causation),
        ..by(commit.actor, recorded)
    };
    let message = json::decode("Commit", &recorded.open)?;
    let outcome = message.fields().find_map(|(field, value)| {
        field.containing_oneof().filter(|oneof| oneof.name() == "outcome")?;
        value.as_message()
    });
    let Some(outcome) = outcome else { return Some(vec![with(&envelope, None)]) };
    if outcome.descriptor().name() != "Events" {
        return Some(vec![with(&envelope, Some(said(outcome)))]);
    }
    let events = outcome.get_field_by_name("events");
    let events = events.as_deref().and_then(Dynamic::as_list).unwrap_or_default();
    if events.is_empty() {
        return Some(vec![with(&envelope, None)]);
    }
    let of_event = |event: &Dynamic| {
        let event = event.as_message()?;
        event.fields().find_map(|(_, value)| value.as_message().map(said))
    };
    Some(events.iter().map(|event| with(&envelope, of_event(event))).collect())
}

fn said(message: &DynamicMessage) -> (String, Value) {
    (message.descriptor().name().to_owned(), json::json(message))
}

fn with(envelope: &Line, said: Option<(String, Value)>) -> Line {
    let (kind, data) = said.unwrap_or_else(|| (UNREADABLE.to_owned(), json!({})));
    Line { kind, data, ..envelope.clone() }
}

fn unreadable(recorded: &Recorded) -> Line {
    let open = event_log::follower::hash_of(&recorded.open);
    let data = json!({ "bytes": recorded.open.len(), "open_sha256": bytes_said(&open) });
    Line { data, ..blank(recorded) }
}

fn blank(recorded: &Recorded) -> Line {
    Line {
        position: 0,
        at: Millis(0),
        entity: recorded.key.entity.to_string(),
        version: match recorded.kind {
            Kind::Command => 0,
            Kind::Commit { version } => version,
        },
        kind: UNREADABLE.to_owned(),
        actor: String::new(),
        attested: String::new(),
        key: recorded.signature.as_ref().map(|by| by.key.to_string()).unwrap_or_default(),
        causation: String::new(),
        data: Value::Null,
        id: recorded.id.to_string(),
    }
}

fn by(actor: Option<Actor>, recorded: &Recorded) -> Line {
    let Actor { officer, attested, .. } = actor.unwrap_or_default();
    Line { actor: officer, attested, ..blank(recorded) }
}

fn cause(id: &[u8]) -> String {
    if id.is_empty() { String::new() } else { bytes_said(id) }
}

/// The instant as RFC 3339 with milliseconds, UTC; what lies beyond the years of that notation is
/// shown as its first or last.
#[must_use]
pub fn rfc3339_of(at: Millis) -> String {
    timestamp(at).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

pub(crate) fn timestamp(at: Millis) -> Timestamp {
    let beyond = if at.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(at.0).unwrap_or(beyond)
}

mod rfc3339 {
    use domain::ids::Millis;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(at: &Millis, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::rfc3339_of(*at))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Millis, D::Error> {
        let text = String::deserialize(from)?;
        let at: jiff::Timestamp = text.parse().map_err(D::Error::custom)?;
        Ok(Millis(at.as_millisecond()))
    }
}
