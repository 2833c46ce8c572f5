//! A machine: what outlives its process. Its outbox, the commands it holds for a broker that is
//! away, and whether it can reach the broker at all.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::ids::RecordId;
use event_log::{
    Class, Kind, Position, Record,
    recovery::{self, Back},
};
use tokio::sync::watch;

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
    let history = broker.load(&record.key, None);
    let said = history.iter().map(|recorded| (recorded.id, &recorded.open));
    match recovery::back(record, version, said, (history.len() as u64, false)) {
        Back::Stands(_) => Restored::Present,
        Back::Gap => Restored::Gap,
        Back::AsItWas => {
            let _ = broker.append(std::slice::from_ref(record));
            Restored::Sent
        }
        Back::Recovered(again) => {
            let again = *again;
            if broker.append(std::slice::from_ref(&again)).is_ok() {
                machine.settle(&[again]);
            }
            Restored::Sent
        }
    }
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
