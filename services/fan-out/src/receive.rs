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
    At, Class, Durable, Key,
    record::BATCH_RECORDS_MAX,
    shell::{Answers, Ask, ExecuteError, Shell},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::book::BookId;

/// A receipt waits at most so long before it is recorded.
const BATCH: Duration = Duration::from_millis(80);
const DURABLE_PATIENCE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_millis(500);
/// The name under which the process runs [`Batching::run`].
const TASK: &str = "fan-out-receipts";
/// Attempts under way are waited for so long after all else has ended.
const LAST_PATIENCE: Duration = Duration::from_secs(2);
/// Receipts that wait to be recorded; beyond this, attempts wait.
const RECEIPTS_WAITING_MAX: usize = 8_192;

/// One receipt, and where it belongs.
pub(crate) struct Seen {
    pub(crate) book: BookId,
    pub(crate) home: Home,
    /// The plan that it is a receipt of.
    pub(crate) plan: RecordId,
    pub(crate) receipt: Receipt,
    /// Told once it is durable; dropped where it was set aside.
    pub(crate) kept: Option<oneshot::Sender<()>>,
}

/// Records receipts.
pub(crate) struct Batching {
    host: Host,
    shell: Shell<Receipts>,
    seen: mpsc::Receiver<Seen>,
    attempts: TaskTracker,
}

/// A way to hand receipts over, and what records them.
/// `attempts` are the attempts under way; it is closed when the process drains.
pub(crate) fn batching(host: &Host, attempts: &TaskTracker) -> (mpsc::Sender<Seen>, Batching) {
    let (sender, seen) = mpsc::channel(RECEIPTS_WAITING_MAX);
    let shell = Shell::new(Arc::clone(&host.log));
    (sender, Batching { host: host.clone(), shell, seen, attempts: attempts.clone() })
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
            let Some(first) = first else {
                self.attempts.close();
                break;
            };
            batch.push(first);
            tokio::select! { () = tokio::time::sleep(BATCH) => {}, () = stop.cancelled() => {} }
            self.take(&mut batch);
            self.record(&mut batch).await;
        }
        // Attempts that are under way while the process drains are recorded too. What hangs is
        // left: the log has its intent and no receipt, so that the next start tries again.
        let drain = self.host.drain.clone();
        let mut left = std::pin::pin!(async move {
            drain.alone(TASK).await;
            tokio::time::sleep(LAST_PATIENCE).await;
        });
        loop {
            tokio::select! {
                biased;
                Some(seen) = self.seen.recv() => batch.push(seen),
                () = self.attempts.wait() => break,
                () = &mut left => {
                    tracing::warn!(attempts = self.attempts.len(), "left under way");
                    break;
                }
            }
            self.take(&mut batch);
            self.record(&mut batch).await;
        }
        self.take(&mut batch);
        self.record(&mut batch).await;
    }

    fn take(&mut self, batch: &mut Vec<Seen>) {
        while let Ok(seen) = self.seen.try_recv() {
            batch.push(seen);
        }
    }

    /// Records the batch; trouble is retried until it is done, since nothing else knows it.
    async fn record(&self, batch: &mut Vec<Seen>) {
        let mut by_book: BTreeMap<BookId, (Home, RecordId, Vec<Receipt>)> = BTreeMap::new();
        let mut kept = Vec::new();
        for seen in batch.drain(..) {
            kept.extend(seen.kept);
            let empty = (seen.home, seen.plan, vec![]);
            by_book.entry(seen.book).or_insert(empty).2.push(seen.receipt);
        }
        let mut asks: Vec<Ask<Vec<Receipt>>> = Vec::new();
        let mut last = None;
        let mut records = 0;
        for ((alert, commune), (home, plan, receipts)) in by_book {
            records += receipts.len() / RECEIPTS_PER_RECORD_MAX + 1;
            if records > BATCH_RECORDS_MAX {
                last = self.append(std::mem::take(&mut asks)).await.or(last);
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
        last = self.append(asks).await.or(last);
        if !kept.is_empty() {
            let host = self.host.clone();
            // The next batch does not wait for it.
            tokio::spawn(async move { say_kept(&host, last, kept).await });
        }
    }

    /// Trouble is retried until it is done; what is held is put aside, and no other waits for it.
    /// Answers with the last record.
    async fn append(&self, mut asks: Vec<Ask<Vec<Receipt>>>) -> Option<At> {
        while !asks.is_empty() {
            match self.shell.execute_all(asks.clone(), |_, _| ()).await {
                Ok(decided) => {
                    let ats = decided.iter().filter_map(|decided| decided.at);
                    return ats.max_by_key(|at| at.position);
                }
                Err(ExecuteError::Held { entity, why }) => {
                    tracing::error!(%entity, why, "receipts of a held delivery are set aside");
                    metrics::counter!("keng_records_held_total", "class" => "receipt").increment(1);
                    asks.retain(|ask| ask.key.entity != entity);
                }
                Err(ExecuteError::Unavailable(why)) => {
                    tracing::warn!(why, "receipts cannot be recorded yet");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
        None
    }
}

/// Tells whoever waits that their receipts are durable, with the last of their batch. What changed
/// nothing has no record, and needs none.
async fn say_kept(host: &Host, last: Option<At>, kept: Vec<oneshot::Sender<()>>) {
    if let Some(at) = last
        && host.log.durable(at, DURABLE_PATIENCE).await != Durable::Stored
    {
        return;
    }
    for told in kept {
        // Whoever asked may have gone.
        let _ = told.send(());
    }
}
