//! Who has looked at the alert's personal data, as the records of its looks say.

use domain::{ids::AlertId, looks::Looks};
use event_log::{Kind, Recorded};
use prost::Message;
use wire::{Spoken, commit::events_of, v1};

use super::view::Looked;
use crate::time::Time;

/// The looks at this alert that a record says; none of another record.
pub(super) fn looks_in(alert: AlertId, position: u64, recorded: &Recorded) -> Vec<Looked> {
    let is_meant = recorded.key.entity.looks_of() == Some(alert);
    if !is_meant || !matches!(recorded.kind, Kind::Commit { .. }) {
        return vec![];
    }
    let commit = v1::Commit::decode(recorded.open.clone()).unwrap_or_default();
    let events = events_of(commit).unwrap_or_default();
    let looks = events.iter().filter_map(|event| Looks::recall(event).ok());
    let looked = looks.map(|look| Looked {
        at: Time(look.at),
        reader: look.reader,
        commune: look.commune.map(|code| code.to_string()).unwrap_or_default(),
        what: look.what.as_str().to_owned(),
        duty: look.duty.as_str().to_owned(),
        is_reason_given: look.reason.is_some(),
        position,
        record: recorded.id.to_string(),
    });
    looked.collect()
}
