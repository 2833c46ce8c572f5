//! Records for tests.

use std::sync::Arc;

use bytes::Bytes;
use domain::{
    alert::{AlertEvent, AlertFacts, Checked, NextReach},
    ids::{AlertId, EntityName, Home, Millis, RecordId},
    reach::{CommuneReached, ReachRequest},
    values::{AlertKind, AlertStatus},
};
use event_log::{
    Class, Key, Kind, Position, Record, Recorded, Seal, command::Draft, shell::entity_said,
};
use prost::Message;
use wire::{
    spoken::id_bytes,
    v1::{self, command::Body, commit::Outcome, event::Event},
};

pub(crate) fn home() -> Home {
    Home { province: "68".parse().unwrap(), commune: "25126".parse().unwrap() }
}

pub(crate) fn alert(name: &str) -> AlertId {
    AlertId::raised_by(RecordId::of_purpose(name))
}

/// A command of that name to that entity.
pub(crate) fn command(name: &str, entity: &EntityName, at: i64, body: Body) -> Record {
    Draft {
        id: RecordId::of_purpose(name),
        entity: entity.clone(),
        home: home(),
        actor: v1::Actor {
            officer: "an".to_owned(),
            attested: "token".to_owned(),
            ..v1::Actor::default()
        },
        at: Millis(at),
        correlation: Bytes::new(),
        causation: Bytes::new(),
        valid_until: None,
        sealing: None,
        sealed_fields: vec![],
        body,
    }
    .record()
}

/// A commit of that entity. `cause` names the record it answers or observes.
pub(crate) fn commit(
    class: Class,
    entity: &EntityName,
    version: u64,
    cause: &str,
    at: i64,
    outcome: Outcome,
) -> Record {
    let key = Key { class, home: home(), entity: entity.clone() };
    let id = RecordId::of_purpose(&format!("{entity}/{version}/{cause}"));
    let commit = v1::Commit {
        id: id_bytes(id.0),
        entity: Some(entity_said(&key)),
        version,
        causation: id_bytes(RecordId::of_purpose(cause).0),
        actor: Some(wire::actor::service("alerting")),
        decided_at_ms: at,
        outcome: Some(outcome),
        ..v1::Commit::default()
    };
    let open = commit.encode_to_vec().into();
    Record { id, key, kind: Kind::Commit { version }, open, sealed: None, signature: None }
}

pub(crate) fn cancel() -> Body {
    Body::CancelAlert(v1::CancelAlert {})
}

pub(crate) fn true_already() -> Outcome {
    Outcome::AlreadyTrue(v1::AlreadyTrue {})
}

pub(crate) fn events(events: impl IntoIterator<Item = Event>) -> Outcome {
    let events = events.into_iter().map(|event| v1::Event { event: Some(event) }).collect();
    Outcome::Events(v1::Events { events })
}

pub(crate) fn at(position: Position, record: Record) -> Arc<Recorded> {
    let Record { id, key, kind, open, signature, .. } = record;
    Arc::new(Recorded { position, id, key, kind, open, seal: Seal::None, signature })
}

/// What is open of a hazard.
pub(crate) fn facts() -> AlertFacts {
    AlertFacts {
        kind: AlertKind::Hazard,
        status: AlertStatus::Actual,
        home: home(),
        reported_at: None,
        last_seen: None,
        travel: None,
        person: None,
        legal_basis: None,
        expires_at: Millis(1_000_000),
        reach: ReachRequest::Auto,
        dont_know: vec![],
    }
}

/// The alert that this command raised is in force, and put to these.
pub(crate) fn issued_event(
    alert: AlertId,
    raised: &str,
    communes: Vec<CommuneReached>,
) -> AlertEvent {
    AlertEvent::Issued {
        revision: 1,
        facts: facts(),
        code: alert.code(),
        content: RecordId::of_purpose(raised),
        by: "an".to_owned(),
        communes,
        to_follow: vec![],
        checked: Checked::default(),
        next: NextReach::default(),
    }
}
