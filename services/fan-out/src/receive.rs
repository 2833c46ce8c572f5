//! Receiving: what became of attempts is recorded in batches, within 100 ms.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use chassis::Host;
use domain::{
    ids::{EntityName, Home, RecordId},
    lane::Receipt,
    receipts::{RECEIPTS_PER_RECORD_MAX, Receipts},
};
use event_log::{
    Class, Key,
    record::BATCH_RECORDS_MAX,
    shell::{Answers, Ask, Shell},
};
use tokio::sync::mpsc;

use crate::book::BookId;

/// A receipt waits at most so long before it is recorded.
const BATCH: Duration = Duration::from_millis(50);
const RETRY: Duration = Duration::from_millis(500);
/// Receipts that wait to be recorded; beyond this, attempts wait.
const RECEIPTS_WAITING_MAX: usize = 8_192;

/// One receipt, and where it belongs.
pub(crate) struct Seen {
    pub(crate) book: BookId,
    pub(crate) home: Home,
    /// The plan that it is a receipt of.
    pub(crate) plan: RecordId,
    pub(crate) receipt: Receipt,
}

/// Records receipts.
pub(crate) struct Batching {
    host: Host,
    shell: Shell<Receipts>,
    seen: mpsc::Receiver<Seen>,
}

/// A way to hand receipts over, and what records them.
pub(crate) fn batching(host: &Host) -> (mpsc::Sender<Seen>, Batching) {
    let (sender, seen) = mpsc::channel(RECEIPTS_WAITING_MAX);
    let shell = Shell::new(Arc::clone(&host.log));
    (sender, Batching { host: host.clone(), shell, seen })
}

impl Batching {
    /// Runs until the process drains, and records what has come by then.
    pub(crate) async fn run(mut self) {
        let stop = self.host.drain.token();
        let mut batch = Vec::new();
        loop {
            let first = tokio::select! {
                first = self.seen.recv() => first,
                () = stop.cancelled() => None,
            };
            let Some(first) = first else { break };
            batch.push(first);
            tokio::select! { () = tokio::time::sleep(BATCH) => {}, () = stop.cancelled() => {} }
            self.take(&mut batch);
            self.record(&mut batch).await;
        }
        // Attempts that end while the process drains are recorded too.
        while let Ok(Some(seen)) = tokio::time::timeout(RETRY, self.seen.recv()).await {
            batch.push(seen);
            self.take(&mut batch);
            self.record(&mut batch).await;
        }
    }

    fn take(&mut self, batch: &mut Vec<Seen>) {
        while let Ok(seen) = self.seen.try_recv() {
            batch.push(seen);
        }
    }

    /// Records the batch; trouble is retried until it is done, since nothing else knows it.
    async fn record(&self, batch: &mut Vec<Seen>) {
        let mut by_book: BTreeMap<BookId, (Home, RecordId, Vec<Receipt>)> = BTreeMap::new();
        for seen in batch.drain(..) {
            let empty = (seen.home, seen.plan, vec![]);
            by_book.entry(seen.book).or_insert(empty).2.push(seen.receipt);
        }
        let mut asks: Vec<Ask<Vec<Receipt>>> = Vec::new();
        let mut records = 0;
        for ((alert, commune), (home, plan, receipts)) in by_book {
            records += receipts.len() / RECEIPTS_PER_RECORD_MAX + 1;
            if records > BATCH_RECORDS_MAX {
                self.append(std::mem::take(&mut asks)).await;
                records = receipts.len() / RECEIPTS_PER_RECORD_MAX + 1;
            }
            asks.push(Ask {
                key: Key {
                    class: Class::Receipt,
                    home,
                    entity: EntityName::receipt(alert, commune),
                },
                cause: plan,
                correlation: Bytes::copy_from_slice(alert.0.as_bytes()),
                actor: wire::actor::service("fan-out"),
                command: receipts,
                now: self.host.clock.now(),
                map: Bytes::new(),
                sealing: None,
                answers: Answers::Observation,
                fresh: true,
            });
        }
        self.append(asks).await;
    }

    async fn append(&self, asks: Vec<Ask<Vec<Receipt>>>) {
        if asks.is_empty() {
            return;
        }
        while let Err(why) = self.shell.execute_all(asks.clone(), |_, _| ()).await {
            tracing::warn!(%why, "receipts cannot be recorded yet");
            tokio::time::sleep(RETRY).await;
        }
    }
}
