//! A machine: what outlives its process. Its outbox, the commands it holds for a broker that is
//! away, and whether it can reach the broker at all.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::ids::RecordId;
use event_log::{Class, Key, Kind, Position, Record};
use prost::Message;
use tokio::sync::watch;
use wire::v1;

use crate::broker::Broker;

/// See the module.
#[derive(Debug)]
pub struct Machine {
    /// Which.
    pub number: usize,
    /// Whether it cannot reach the broker.
    pub away: watch::Sender<bool>,
    outbox: Mutex<Outbox>,
}

#[derive(Debug, Default)]
struct Outbox {
    /// What the broker acknowledged to this machine, in order.
    settled: Vec<Record>,
    /// Commands that it did not.
    held: Vec<Record>,
}

/// What became of a lost record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Restored {
    Present,
    Sent,
    /// Commits before it are missing: somebody else said them.
    Gap,
}

impl Machine {
    /// One that has said nothing yet.
    #[must_use]
    pub fn new(number: usize) -> Arc<Self> {
        let away = watch::Sender::new(false);
        Arc::new(Self { number, away, outbox: Mutex::default() })
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The broker acknowledged these.
    pub fn settle(&self, records: &[Record]) {
        self.outbox().settled.extend(records.iter().cloned());
    }

    /// A command is held.
    pub fn hold(&self, command: Record) {
        let mut outbox = self.outbox();
        if !outbox.held.iter().any(|held| held.id == command.id) {
            outbox.held.push(command);
        }
    }

    /// The commands that are held, in order.
    #[must_use]
    pub fn held(&self) -> Vec<Record> {
        self.outbox().held.clone()
    }

    /// A command is held no longer.
    pub fn sent(&self, command: RecordId) {
        self.outbox().held.retain(|held| held.id != command);
    }

    /// Compares the outbox with what the broker has, and says again what it lost. Answers whether
    /// nothing is missing any more.
    pub fn heal(&self, broker: &Arc<Broker>) -> bool {
        let settled = self.outbox().settled.clone();
        let mut whole = true;
        for record in &settled {
            if restore(broker, record, self) == Restored::Gap {
                whole = false;
            }
        }
        whole
    }
}

/// As `event-log-nats` heals: a command as it was; a commit as it was where its version is free
/// and next, otherwise within a commit that recovers it.
fn restore(broker: &Arc<Broker>, record: &Record, machine: &Machine) -> Restored {
    let Kind::Commit { version } = record.kind else {
        let there = !broker.load(&record.key, Some(record.id)).is_empty();
        if there || broker.append(std::slice::from_ref(record)).is_err() {
            return Restored::Present;
        }
        return Restored::Sent;
    };
    let derived = RecordId::of_purpose(&format!("recover/{}", record.id));
    let history = broker.lock().history(&record.key);
    if history.iter().any(|id| *id == record.id || *id == derived) {
        return Restored::Present;
    }
    let next = history.len() as u64 + 1;
    if next < version {
        return Restored::Gap;
    }
    let again = if next == version { record.clone() } else { recovered(record, derived, next) };
    if broker.append(std::slice::from_ref(&again)).is_ok() && next != version {
        machine.settle(&[again]);
    }
    Restored::Sent
}

/// The commit that carries a lost one at a version that is free.
fn recovered(lost: &Record, id: RecordId, version: u64) -> Record {
    let original = v1::Commit::decode(lost.open.clone()).unwrap_or_default();
    let fact = v1::Recovered { original: lost.open.clone() };
    let event = v1::Event { event: Some(v1::event::Event::Recovered(fact)) };
    let commit = v1::Commit {
        id: bytes::Bytes::copy_from_slice(id.0.as_bytes()),
        version,
        causation: bytes::Bytes::copy_from_slice(lost.id.0.as_bytes()),
        outcome: Some(v1::commit::Outcome::Events(v1::Events { events: vec![event] })),
        entity: original.entity,
        correlation: original.correlation,
        actor: original.actor,
        decided_at_ms: original.decided_at_ms,
        ..v1::Commit::default()
    };
    let key: Key = lost.key.clone();
    let open = commit.encode_to_vec().into();
    Record { id, key, kind: Kind::Commit { version }, open, sealed: None }
}

/// How much of the tail of a class some machine has in its outbox and can say again.
pub fn healable(machines: &[Arc<Machine>]) -> impl Fn(RecordId) -> bool {
    let mut settled = BTreeSet::new();
    for machine in machines {
        settled.extend(machine.outbox().settled.iter().map(|record| record.id));
    }
    move |id| settled.contains(&id)
}

/// The classes whose tail may be lost, with what they hold.
#[must_use]
pub fn classes_that_lose(broker: &Broker) -> Vec<(Class, Position)> {
    let state = broker.lock();
    [Class::Command, Class::Alert, Class::Delivery, Class::Receipt]
        .map(|class| (class, state.head(class)))
        .to_vec()
}
