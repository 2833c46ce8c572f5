//! Beginning: on channels where a plan is not the record of the first attempt, each attempt is
//! recorded before it is made. What comes within a moment shares one record and one sync.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chassis::Host;
use domain::{
    delivery::{Begun, Delivery, DeliveryCommand, DeliveryEvent, DeliveryKnown},
    ids::{Home, RecordId},
};
use event_log::{
    Durable,
    shell::{Ask, ExecuteError, Shell},
};
use tokio::sync::{mpsc, oneshot};

use crate::{book::BookId, plan::observation};

/// What comes within this is recorded together.
const TOGETHER: Duration = Duration::from_millis(3);
/// Attempts that wait to be recorded; beyond this, others wait to hand theirs over.
const WAITING_MAX: usize = 1_024;
/// The most that one record holds is bounded by the decider; the most that share an append is this.
const AT_ONCE_MAX: usize = 512;
const DURABLE_PATIENCE: Duration = Duration::from_secs(10);

/// An attempt that is about to be made.
pub(crate) struct Beginning {
    pub(crate) book: BookId,
    pub(crate) home: Home,
    /// The plan that it follows from.
    pub(crate) plan: RecordId,
    pub(crate) begun: Begun,
    /// Told `true` when it may be made: its record is durable.
    pub(crate) may: oneshot::Sender<bool>,
}

/// Records what begins.
pub(crate) struct Begins {
    host: Host,
    shell: Shell<Delivery>,
    waiting: mpsc::Receiver<Beginning>,
}

/// A way to hand beginnings over, and what records them.
pub(crate) fn begins(host: &Host) -> (mpsc::Sender<Beginning>, Begins) {
    let (sender, waiting) = mpsc::channel(WAITING_MAX);
    let shell = Shell::new(Arc::clone(&host.log));
    (sender, Begins { host: host.clone(), shell, waiting })
}

impl Begins {
    /// Runs until the process drains; what has not begun by then does not.
    pub(crate) async fn run(mut self) {
        let stop = self.host.drain.token();
        loop {
            let first = tokio::select! {
                first = self.waiting.recv() => first,
                () = stop.cancelled() => None,
            };
            let Some(first) = first else { return };
            let mut batch = vec![first];
            tokio::select! { () = tokio::time::sleep(TOGETHER) => {}, () = stop.cancelled() => {} }
            while let Ok(next) = self.waiting.try_recv() {
                batch.push(next);
                if batch.len() >= AT_ONCE_MAX {
                    break;
                }
            }
            let mut by_book: BTreeMap<BookId, Vec<Beginning>> = BTreeMap::new();
            for beginning in batch {
                by_book.entry(beginning.book).or_default().push(beginning);
            }
            self.begin(by_book.into_values().collect()).await;
        }
    }

    /// One append and one sync for all. Where the decider lets fewer begin than asked, the others
    /// are told no.
    async fn begin(&self, books: Vec<Vec<Beginning>>) {
        let now = self.host.clock.now();
        let ask = |beginnings: &Vec<Beginning>| {
            let Beginning { book, home, plan, .. } = beginnings.first()?;
            let command = DeliveryCommand::Begin {
                instance: self.host.instance.to_string(),
                attempts: beginnings.iter().map(|one| one.begun.clone()).collect(),
            };
            Some(observation(book.0, *home, *plan, command, now, false))
        };
        let mut asks: Vec<Ask<DeliveryCommand>> = books.iter().filter_map(ask).collect();
        let known = |_: &Delivery, _: &_| DeliveryKnown::at(self.host.clock.now());
        let decided = loop {
            match self.shell.execute_all(asks.clone(), known).await {
                Ok(decided) => break decided,
                // No other book waits for one that is held.
                Err(ExecuteError::Held { entity, .. }) if asks.len() > 1 => {
                    asks.retain(|ask| ask.key.entity != entity);
                }
                Err(why) => {
                    tracing::warn!(%why, "attempts cannot be begun yet");
                    break vec![];
                }
            }
        };
        let last = decided.iter().filter_map(|decided| decided.at).max_by_key(|at| at.position);
        let is_durable = match last {
            Some(at) => self.host.log.durable(at, DURABLE_PATIENCE).await == Durable::Stored,
            None => false,
        };
        let events = decided.iter().flat_map(|decided| &decided.events);
        let begun = events.filter_map(|event| match event {
            DeliveryEvent::Begun(begun) => Some(begun),
            _ => None,
        });
        // Ids of groups are the directory's, and no two books of an alert share one.
        let begun: Vec<&Begun> = begun.flatten().filter(|_| is_durable).collect();
        for one in books.into_iter().flatten() {
            let may = begun.contains(&&one.begun);
            // Whoever asked may have gone: then nothing is made, and the next look finds it begun.
            let _ = one.may.send(may);
        }
    }
}
