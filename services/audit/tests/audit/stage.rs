//! A process around the audit, and records for it.

use std::{path::Path, sync::Arc, time::Duration};

use audit::{Anchors, Audit, OpenError};
use bytes::Bytes;
use chassis::{
    Clock, Drain, Health, Kind,
    clock::SystemClock,
    host::{Host, HostParts},
};
use domain::ids::{AlertId, EntityName, Home, Millis, RecordId};
use event_log::{
    Class, EventLog, Key, Kind as RecordKind, Outgoing, Record, command::Draft, shell::entity_said,
};
use prost::Message;
use registry::Map;
use wire::{
    spoken::id_bytes,
    v1::{self, command::Body, commit::Outcome, event::Event},
};

const PATIENCE: Duration = Duration::from_secs(30);
const MAP: &str = r#"{"code":"25126","name":"Đạ Tẻh","type":"xã","province_code":"68","province":"Lâm Đồng","lat":11.58164,"lon":107.45988,"area_geo_km2":145.75,"neighbours":[]}"#;

pub(crate) struct Stage {
    pub(crate) host: Host,
    pub(crate) audit: Audit,
}

impl Stage {
    pub(crate) fn begin(log: Arc<dyn EventLog>, dir: &Path) -> Self {
        Self::try_begin(log, dir).unwrap()
    }

    pub(crate) fn try_begin(log: Arc<dyn EventLog>, dir: &Path) -> Result<Self, OpenError> {
        Self::begin_with(log, dir, &Anchors::default(), Arc::new(SystemClock))
    }

    pub(crate) fn begin_with(
        log: Arc<dyn EventLog>,
        dir: &Path,
        anchors: &Anchors,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let health = Health::new(&[]);
        let host = Host::start(HostParts {
            log,
            outgoing: Outgoing::default(),
            lanes: 1,
            map: Arc::new(Map::parse(MAP.as_bytes()).unwrap()),
            policies: Arc::default(),
            corridors: registry::corridors::builtin(),
            clock,
            instance: "one".into(),
            kind: Kind::Real,
            local: None,
            erasures: None,
            drain: Drain::new(health.clone()),
            health,
            disk: None,
        });
        let audit = audit::start_with(&host, dir, "keng.example.vn", anchors)?;
        Ok(Self { host, audit })
    }

    pub(crate) async fn caught_up(&self) {
        tokio::time::timeout(PATIENCE, self.host.caught_up()).await.unwrap();
    }

    /// Waits until so many entries are on disk.
    pub(crate) async fn holds(&self, entries: u64) {
        let mut on_disk = self.audit.subscribe();
        let there = on_disk.wait_for(|count| *count >= entries);
        let count = *tokio::time::timeout(PATIENCE, there).await.unwrap().unwrap();
        assert_eq!(count, entries);
    }

    pub(crate) async fn end(self) {
        self.host.drain.begin("the test");
        self.host.drain.finished().await;
    }
}

/// Appends one after the other.
pub(crate) async fn append(log: &dyn EventLog, records: &[Record]) {
    for record in records {
        log.append(vec![record.clone()]).await.unwrap();
    }
}

/// An alert from its command to a receipt: a record of each class, a millisecond apart.
pub(crate) fn case(alert: &str, at: i64) -> Vec<Record> {
    let of = |class, name, cause, at| commit(class, name, 1, cause, at);
    let commune = "25126".parse().unwrap();
    let (told, saw) = (
        EntityName::delivery(self::alert(alert), commune),
        EntityName::receipt(self::alert(alert), commune),
    );
    vec![
        command(alert, at),
        of(Class::Alert, &name(alert), alert, at + 1),
        of(Class::Delivery, &told, "its news", at + 2),
        of(Class::Receipt, &saw, "its plan", at + 3),
    ]
}

pub(crate) fn alert(name: &str) -> AlertId {
    AlertId::raised_by(RecordId::of_purpose(name))
}

pub(crate) fn name(alert: &str) -> EntityName {
    EntityName::alert(self::alert(alert))
}

fn home() -> Home {
    Home { province: "68".parse().unwrap(), commune: "25126".parse().unwrap() }
}

pub(crate) fn command(alert: &str, at: i64) -> Record {
    Draft {
        id: RecordId::of_purpose(alert),
        entity: name(alert),
        home: home(),
        actor: v1::Actor { officer: "an".to_owned(), ..v1::Actor::default() },
        at: Millis(at),
        correlation: Bytes::new(),
        causation: Bytes::new(),
        valid_until: None,
        sealing: None,
        sealed_fields: vec![],
        body: Body::RaiseAlert(v1::RaiseAlert::default()),
    }
    .record()
}

pub(crate) fn commit(
    class: Class,
    entity: &EntityName,
    version: u64,
    cause: &str,
    at: i64,
) -> Record {
    let event = match class {
        Class::Delivery => Event::DeliveriesPlanned(v1::DeliveriesPlanned::default()),
        Class::Receipt => Event::ReceiptsRecorded(v1::ReceiptsRecorded::default()),
        _ => Event::AlertIssued(v1::AlertIssued::default()),
    };
    commit_of(class, entity, version, cause, at, vec![event])
}

pub(crate) fn commit_of(
    class: Class,
    entity: &EntityName,
    version: u64,
    cause: &str,
    at: i64,
    events: Vec<Event>,
) -> Record {
    let key = Key { class, home: home(), entity: entity.clone() };
    let id = RecordId::of_purpose(&format!("{entity}/{version}"));
    let events = events.into_iter().map(|event| v1::Event { event: Some(event) }).collect();
    let commit = v1::Commit {
        id: id_bytes(id.0),
        entity: Some(entity_said(&key)),
        version,
        causation: id_bytes(RecordId::of_purpose(cause).0),
        actor: Some(wire::actor::service("alerting")),
        decided_at_ms: at,
        outcome: Some(Outcome::Events(v1::Events { events })),
        ..v1::Commit::default()
    };
    let open = commit.encode_to_vec().into();
    Record { id, key, kind: RecordKind::Commit { version }, open, sealed: None, signature: None }
}
