//! Commands that lie on this machine's disk and that the broker has not confirmed: in order, sent
//! when records may leave again, under the same ids.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::ids::{AlertId, Millis, RecordId};
use event_log::{
    log::{At, Outgoing},
    record::{Record, Recorded, Seal},
};
use tokio::{sync::Notify, time::Instant};

use crate::{
    cache::lock,
    log::Inner,
    outbox::Settled,
    writer::{NotPut, Over, Put},
};

/// The most commands that are held; they are kept in memory, to be shown.
const HELD_MAX: usize = 10_000;
/// The most that are sent as one batch.
const LOT_MAX: usize = 100;
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(200);

/// A command that is held.
#[derive(Debug)]
struct Waiting {
    since: Millis,
    record: Record,
}

/// What is held.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) outgoing: Outgoing,
    /// By index in the outbox.
    waiting: Mutex<BTreeMap<u64, Waiting>>,
    more: Notify,
}

impl Held {
    /// Whether so many more may be held.
    pub(crate) fn has_room(&self, more: usize) -> bool {
        lock(&self.waiting).len().saturating_add(more) <= HELD_MAX
    }

    /// How many are held.
    pub(crate) fn count(&self) -> usize {
        lock(&self.waiting).len()
    }

    /// Since when the first of them waits: the clock may have been put back since.
    pub(crate) fn oldest(&self) -> Option<Millis> {
        lock(&self.waiting).values().map(|waiting| waiting.since).min()
    }

    /// The command, if it is held.
    pub(crate) fn on_the_way(&self, id: RecordId) -> Option<Arc<Recorded>> {
        self.outgoing.subscribe().borrow().get(&id).cloned()
    }

    /// Holds a command. `false` where its id is held already.
    pub(crate) fn hold(&self, said: u64, since: Millis, record: Record) -> bool {
        let mut waiting = lock(&self.waiting);
        if self.outgoing.contains(record.id) {
            return false;
        }
        self.outgoing.hold(Arc::new(unplaced(&record)));
        waiting.insert(said, Waiting { since, record });
        drop(waiting);
        self.more.notify_one();
        true
    }

    /// Takes the sealed parts off what is held of the alert.
    pub(crate) fn erase(&self, alert: AlertId) {
        let mut waiting = lock(&self.waiting);
        let held = waiting.values_mut().map(|waiting| &mut waiting.record);
        for record in held.filter(|record| record.key.entity.is_of(alert)) {
            record.sealed = None;
            self.outgoing.hold(Arc::new(unplaced(record)));
        }
    }

    fn release(&self, said: u64, record: &Record) {
        lock(&self.waiting).remove(&said);
        self.outgoing.sent(record.id);
    }

    async fn lot(&self) -> Vec<(u64, Record)> {
        loop {
            let lot: Vec<_> = lock(&self.waiting)
                .iter()
                .take(LOT_MAX)
                .map(|(said, waiting)| (*said, waiting.record.clone()))
                .collect();
            if !lot.is_empty() {
                return lot;
            }
            self.more.notified().await;
        }
    }
}

/// A command without a place at the broker.
fn unplaced(record: &Record) -> Recorded {
    Recorded {
        position: At::UNPLACED,
        id: record.id,
        key: record.key.clone(),
        kind: record.kind,
        open: record.open.clone(),
        seal: record.sealed.clone().map_or(Seal::None, Seal::Here),
        signature: record.signature.clone(),
    }
}

/// Sends what is held, for ever.
pub(crate) async fn send(inner: Arc<Inner>) {
    loop {
        let lot = inner.held.lot().await;
        inner.state.passage_opens().await;
        // A lot that cannot be put is put one by one, so that a bad one stops no other.
        if let Err(error) = send_lot(&inner, &lot).await {
            tracing::warn!(?error, held = lot.len(), "held commands were not sent yet");
            for single in lot.chunks(1) {
                match send_lot(&inner, single).await {
                    Err(NotPut::Conflict(why) | NotPut::Refused(why)) => {
                        give_up(&inner, single, &why)
                    }
                    Err(NotPut::Unknown(_)) => break,
                    Ok(()) => {}
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn send_lot(inner: &Inner, lot: &[(u64, Record)]) -> Result<(), NotPut> {
    let records: Vec<Record> = lot.iter().map(|(_, record)| record.clone()).collect();
    let puts = inner.writer.put(&records, Over::Open, Instant::now() + PATIENCE).await?;
    let settled = lot.iter().zip(&puts).map(|((said, record), put)| settled(*said, record, put));
    inner.outbox.settle(settled.collect());
    for (said, record) in lot {
        inner.held.release(*said, record);
    }
    metrics::counter!("keng_outbox_sent_total").increment(lot.len() as u64);
    tracing::info!(commands = lot.len(), "held commands were sent");
    Ok(())
}

/// The log will never take it: it stays in the outbox, and is no longer shown as on its way.
fn give_up(inner: &Inner, lot: &[(u64, Record)], why: &str) {
    for (said, record) in lot {
        metrics::counter!("keng_outbox_given_up_total").increment(1);
        tracing::error!(record = %record.id, why, "a held command is refused by the log");
        inner.outbox.settle(vec![Settled::dropped(*said, record)]);
        inner.held.release(*said, record);
    }
}

/// What the outbox keeps of a record that was put.
pub(crate) fn settled(said: u64, record: &Record, put: &Put) -> Settled {
    match put {
        Put::Stored { sequence, sealed } => Settled::new(said, record, *sequence, *sealed),
        Put::Repeat { first, sealed } if first.open == record.open => {
            Settled::new(said, record, first.position, *sealed)
        }
        Put::Repeat { .. } => Settled::dropped(said, record),
    }
}
