//! Reading the journal in order, a few entries at a time; only what is on disk.

use std::{
    collections::{BTreeSet, VecDeque},
    pin::pin,
    sync::Arc,
    time::Duration,
    vec,
};

use domain::ids::{AlertId, Millis};
use event_log::{EventLog, Recorded};
use futures::{StreamExt, future::ready, stream::BoxStream};
use history::{
    Asked, Line, Merge, Met, Placed, ReplayError, beside_of, records_of_log, replay_of_log,
};
use merkle::{
    WIDTH_MAX,
    bundle::{self, BundleId},
};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;

use crate::{Audit, entry};

/// So long the audit is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
const READ_ENTRIES: usize = 128;
const READ_BYTES: usize = 1 << 20;
/// Lines that wait for whoever reads them.
const LINES_AHEAD_MAX: usize = 256;

/// Which entries are looked at.
enum Entries {
    /// All of these positions: from the next to the last.
    Run { next: u64, last: u64 },
    /// An alert's.
    Some(vec::IntoIter<u64>),
}

/// Records in their places, up to the end as it was when this was made. Reading blocks.
struct Records {
    audit: Audit,
    entries: Entries,
    read: VecDeque<(u64, Recorded)>,
    failed: bool,
}

/// The lines that were asked for, up to the end as it was when this was made. Reading blocks.
pub struct Replay {
    records: Records,
    asked: Asked,
    lines: VecDeque<Line>,
}

impl Audit {
    /// Replays history, in order. Bounded memory; an alert's records are found by an index, all
    /// else is looked through.
    #[must_use]
    pub fn replay(&self, asked: Asked) -> Replay {
        let last = self.shared.journal.durable_end();
        let entries = match asked.filter.alert {
            Some(alert) => self.of_alerts(&BTreeSet::from([alert]), asked.after),
            None => Entries::Run { next: asked.after.saturating_add(1), last },
        };
        Replay { records: self.records(entries), asked, lines: VecDeque::new() }
    }

    /// What lies beside the entries of a bundle, framed as they are: see [`history::beside`].
    /// Blocks.
    pub(crate) fn signatures(&self, id: BundleId) -> Result<Vec<u8>, ReplayError> {
        let before = id.index() * WIDTH_MAX;
        let entries = Entries::Run { next: before + 1, last: before + u64::from(id.width()) };
        let (mut bytes, mut count) = (Vec::new(), 0);
        for record in self.records(entries) {
            let (_, recorded) = record?;
            bundle::append(&mut bytes, &beside_of(&recorded)).map_err(damaged)?;
            count += 1;
        }
        match count == id.width() {
            true => Ok(bytes),
            false => Err(damaged("the journal has fewer entries than were signed")),
        }
    }

    /// A record in its place; `None` where there is none. Blocks.
    pub(crate) fn record(&self, position: u64) -> Result<Option<Recorded>, ReplayError> {
        let entries = Entries::Some(vec![position].into_iter());
        Ok(self.records(entries).next().transpose()?.map(|(_, recorded)| recorded))
    }

    fn records(&self, entries: Entries) -> Records {
        Records { audit: self.clone(), entries, read: VecDeque::new(), failed: false }
    }

    /// The entries of these alerts behind a position, each once.
    fn of_alerts(&self, alerts: &BTreeSet<AlertId>, after: u64) -> Entries {
        let last = self.shared.journal.durable_end();
        let book = self.shared.book();
        let positions = alerts.iter().flat_map(|alert| book.of_alert(*alert));
        // A match is of two alerts.
        let positions: BTreeSet<u64> =
            positions.filter(|position| *position > after && *position <= last).collect();
        Entries::Some(positions.into_iter().collect::<Vec<_>>().into_iter())
    }
}

impl Records {
    /// Looks at some more entries; false at the end.
    fn read(&mut self) -> Result<bool, ReplayError> {
        let journal = &self.audit.shared.journal;
        let (first, bytes) = match &mut self.entries {
            Entries::Run { next, last } if *next <= *last => {
                let first = *next;
                let left = usize::try_from(*last - first + 1).unwrap_or(READ_ENTRIES);
                let bytes = journal.read_from(first - 1, left.min(READ_ENTRIES), READ_BYTES);
                let bytes = bytes.map_err(damaged)?;
                if bytes.is_empty() {
                    return Ok(false);
                }
                *next += bytes.len() as u64;
                (first, bytes)
            }
            Entries::Run { .. } => return Ok(false),
            Entries::Some(positions) => {
                let Some(first) = positions.next() else { return Ok(false) };
                (first, vec![journal.read(first.saturating_sub(1)).map_err(damaged)?])
            }
        };
        for (position, bytes) in (first..).zip(bytes) {
            self.read.push_back((position, entry::decode(bytes).map_err(damaged)?.recorded));
        }
        Ok(true)
    }
}

impl Iterator for Records {
    type Item = Result<(u64, Recorded), ReplayError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            if let Some(record) = self.read.pop_front() {
                return Some(Ok(record));
            }
            match self.read() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

fn damaged(error: impl std::fmt::Display) -> ReplayError {
    ReplayError::Journal(error.to_string())
}

impl Iterator for Replay {
    type Item = Result<Line, ReplayError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(Ok(line));
            }
            match self.records.next()? {
                Ok((position, recorded)) => {
                    self.lines.extend(self.asked.filter.lines(position, &recorded));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Where history is read from: the audit's journal, or, in a process without one, the log itself.
#[derive(Clone)]
pub enum Replayer {
    /// The audit of this process.
    Audit(Audit),
    /// The log. It is put in order anew each time, and its positions are those of that replay.
    Log(Arc<dyn EventLog>),
}

impl Audit {
    /// Waits until all that was made by this moment is in the journal.
    async fn comes_to(&self, log: &Arc<dyn EventLog>, at: Millis) {
        let mut on_disk = self.subscribe();
        loop {
            on_disk.borrow_and_update();
            let from = |class| self.shared.book().sequencer.cursor(class);
            let is_read = match Merge::live(Arc::clone(log), from).next(false).await {
                Met::CaughtUp => true,
                Met::Record(reading) => reading.at.is_some_and(|made| made > at),
                Met::Anew(_) | Met::Trouble(_) => false,
            };
            let placed = self.shared.book().sequencer.placed();
            if is_read && on_disk.wait_for(|entries| *entries >= placed).await.is_ok() {
                return;
            }
            // A journal that has stopped comes to nothing any more.
            if on_disk.changed().await.is_err() {
                std::future::pending().await
            }
        }
    }
}

impl Replayer {
    /// Where all that was made by this moment can be read: the audit comes behind the log, and
    /// where it does not come in time the log is read itself.
    pub(crate) async fn complete_to(&self, log: &Arc<dyn EventLog>, at: Millis) -> Self {
        let Self::Audit(audit) = self else { return self.clone() };
        match timeout(PATIENCE, audit.comes_to(log, at)).await {
            Ok(()) => self.clone(),
            Err(_) => {
                tracing::warn!("the audit is behind: the log itself is replayed");
                Self::Log(Arc::clone(log))
            }
        }
    }

    /// The lines that were asked for, up to the end as it is now.
    #[must_use]
    pub fn lines(&self, asked: Asked) -> BoxStream<'static, Result<Line, ReplayError>> {
        match self {
            Self::Audit(audit) => {
                let replay = audit.replay(asked);
                let (lines, receiver) = mpsc::channel(LINES_AHEAD_MAX);
                // Reading blocks. It ends early where nobody listens any more.
                tokio::task::spawn_blocking(move || {
                    for line in replay {
                        if lines.blocking_send(line).is_err() {
                            return;
                        }
                    }
                });
                ReceiverStream::new(receiver).boxed()
            }
            Self::Log(log) => replay_of_log(Arc::clone(log), asked.filter, usize::MAX)
                .filter(move |line| {
                    ready(line.as_ref().map_or(true, |line| line.position > asked.after))
                })
                .boxed(),
        }
    }

    /// Hands every record over, in order, up to the end as it is now: of these alerts, or all.
    ///
    /// # Errors
    /// It cannot be read to the end: nobody takes a part for the whole.
    pub async fn read<T: Send + 'static>(
        &self,
        alerts: Option<BTreeSet<AlertId>>,
        mut into: T,
        look: fn(&mut T, u64, &Recorded),
    ) -> Result<T, ReplayError> {
        let audit = match self {
            Self::Audit(audit) => audit.clone(),
            Self::Log(log) => {
                let mut records = pin!(records_of_log(Arc::clone(log)));
                while let Some(placed) = records.next().await {
                    let Placed { number, recorded, .. } = placed?;
                    let entity = &recorded.key.entity;
                    let is_of = |alerts: &BTreeSet<AlertId>| {
                        alerts.iter().any(|alert| entity.is_of(*alert))
                    };
                    if alerts.as_ref().is_none_or(is_of) {
                        look(&mut into, number, &recorded);
                    }
                }
                return Ok(into);
            }
        };
        let read = tokio::task::spawn_blocking(move || {
            let entries = match alerts {
                Some(alerts) => audit.of_alerts(&alerts, 0),
                None => Entries::Run { next: 1, last: audit.shared.journal.durable_end() },
            };
            for record in audit.records(entries) {
                let (position, recorded) = record?;
                look(&mut into, position, &recorded);
            }
            Ok(into)
        });
        read.await.map_err(damaged)?
    }
}
