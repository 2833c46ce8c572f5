//! Writing: what the log has made durable is put in order and appended to the audit's journal.
//!
//! The one writer of that journal. An incident here stops the audit, never the process; only a
//! sync that failed ends the process, as everywhere.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chassis::{Host, disk::Disk, host::ReadModel};
use event_log::{At, Class, Durable};
use futures::FutureExt;
use history::{Merge, Met, Reading};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    Audit, BANNER,
    entry::{self, Link},
    say_stopped,
};

/// Records put in order at once.
const BATCH_RECORDS_MAX: usize = 256;
const BATCH_BYTES_MAX: usize = 4 << 20;
/// What waits for its command, or for the version before, longer than this is alarmed.
const LATE_MS: u64 = 60_000;
const LATE_EVERY: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(5);
/// Once it has caught up, the audit lets so much time pass before it takes what has come: while an
/// alert is on its way to thousands, the processors are needed elsewhere.
const BEHIND: Duration = Duration::from_millis(250);

/// Why the audit stopped.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the audit's journal takes nothing: {0}")]
    Journal(#[from] journal::AppendError),
    #[error(transparent)]
    Stopped(#[from] journal::Stopped),
    /// Somebody else wrote to the journal. A mistake of the program.
    #[error("entry {0} came to stand elsewhere")]
    Misplaced(u64),
}

/// The writer.
pub(crate) struct Writing {
    host: Host,
    audit: Audit,
    merge: Merge,
    /// The link to the last entry.
    tip: Link,
    read: ReadModel,
    began: Instant,
    stop: CancellationToken,
}

impl Writing {
    pub(crate) fn new(host: &Host, audit: &Audit, tip: Link) -> Self {
        let book = audit.shared.book();
        let merge = Merge::live(Arc::clone(&host.log), |class| book.sequencer.cursor(class));
        drop(book);
        Self {
            host: host.clone(),
            audit: audit.clone(),
            merge,
            tip,
            read: host.read_model("audit"),
            began: Instant::now(),
            stop: host.drain.token(),
        }
    }

    /// Runs until the process drains. What is in order by then is brought to disk.
    pub(crate) async fn run(mut self) {
        if let Err(trouble) = self.follow().await {
            // Who waits for this read model must not wait for ever: the process is ready without.
            self.read.caught_up();
            say_stopped(&self.host, &trouble);
        }
        let journal = &self.audit.shared.journal;
        if let Some(last) = journal.end().checked_sub(1) {
            let _ = journal.durable(last).await;
        }
    }

    async fn follow(&mut self) -> Result<(), Trouble> {
        let mut live = false;
        while let Some(first) = self.next().await {
            if live {
                tokio::select! { () = self.stop.cancelled() => {}, () = sleep(BEHIND) => {} }
            }
            let (batch, then) = self.gather(first);
            self.show_lag(batch.len());
            if !self.durable(&batch).await || !self.room().await {
                return Ok(());
            }
            self.write(batch).await?;
            self.show_lag(0);
            // While catching up nothing above may have waited; others have work to do, too.
            tokio::task::yield_now().await;
            match then {
                Some(Met::CaughtUp) => {
                    live = true;
                    self.read.caught_up();
                }
                Some(Met::Anew(class)) => self.begin_anew(class),
                Some(Met::Record(_) | Met::Trouble(_)) | None => {}
            }
        }
        Ok(())
    }

    /// What comes next; `None` where the process drains.
    async fn next(&mut self) -> Option<Met> {
        loop {
            let (full, waiting) = {
                let book = self.audit.shared.book();
                (book.sequencer.is_full(), book.sequencer.waiting())
            };
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                met = self.merge.next(full) => return Some(met),
                () = sleep(LATE_EVERY), if waiting > 0 => self.tell_late(),
            }
        }
    }

    /// What else is there already, and what came behind it that is no record.
    fn gather(&mut self, first: Met) -> (Vec<Reading>, Option<Met>) {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut next = Some(first);
        let full = self.audit.shared.book().sequencer.is_full();
        while let Some(met) = next {
            let Met::Record(reading) = met else { return (batch, Some(met)) };
            bytes += reading.bytes();
            batch.push(reading);
            let is_enough = batch.len() >= BATCH_RECORDS_MAX || bytes >= BATCH_BYTES_MAX;
            next = if is_enough { None } else { self.merge.next(full).now_or_never() };
        }
        (batch, None)
    }

    /// Waits until the log has made the batch durable: a write to another file is a door. False
    /// where the process drains.
    async fn durable(&mut self, batch: &[Reading]) -> bool {
        for class in Class::ALL {
            let of_class = |reading: &&Reading| reading.recorded.key.class == class;
            let Some(last) = batch.iter().rev().find(of_class) else { continue };
            let at = At { class, position: last.recorded.position, id: last.recorded.id };
            loop {
                let durable = tokio::select! {
                    () = self.stop.cancelled() => return false,
                    durable = self.host.log.durable(at, PATIENCE) => durable,
                };
                if durable == Durable::Stored {
                    break;
                }
                tracing::warn!(class = class.as_str(), id = %at.id, "not durable yet");
            }
        }
        true
    }

    /// Waits for room: the last of the disk is for corrections, and the log keeps what waits
    /// here. False where the process drains.
    async fn room(&mut self) -> bool {
        let Some(mut disk) = self.host.disk.clone().filter(|disk| !Disk::raising_allowed(disk))
        else {
            return true;
        };
        self.read.caught_up();
        let text = "ổ đĩa gần đầy: nhật ký kiểm toán tạm dừng / \
                    the disk is nearly full: the audit pauses";
        self.host.health.banner(BANNER, Some(text.to_owned()));
        tracing::error!("the disk is nearly full: the audit pauses");
        let has_room = tokio::select! {
            () = self.stop.cancelled() => false,
            () = disk.wait_until(true) => true,
        };
        self.host.health.banner(BANNER, None);
        has_room
    }

    async fn write(&mut self, batch: Vec<Reading>) -> Result<(), Trouble> {
        let now_ms = self.now_ms();
        let mut first = None;
        let mut entries: Vec<Bytes> = Vec::with_capacity(batch.len());
        {
            let mut book = self.audit.shared.book();
            for reading in batch {
                if reading.at.is_none() {
                    let id = reading.recorded.id;
                    tracing::error!(%id, "this program cannot read a record; it is kept as it is");
                    metrics::counter!("keng_audit_unreadable_total").increment(1);
                }
                for placed in book.sequencer.offer(reading, now_ms) {
                    first = first.or(Some(placed.number));
                    let entry = entry::encode(&placed, &self.tip);
                    self.tip = entry::link_to(&entry);
                    book.index(placed.number, &placed.recorded);
                    entries.push(entry);
                }
            }
        }
        let Some(mut position) = first else { return Ok(()) };
        for some in entries.chunks(BATCH_RECORDS_MAX) {
            let index = self.append(some.to_vec()).await?;
            if index + 1 != position {
                return Err(Trouble::Misplaced(position));
            }
            position += some.len() as u64;
        }
        metrics::counter!("keng_audit_records_total").increment(entries.len() as u64);
        Ok(())
    }

    /// Appends; where too much waits for the disk, after some of it is there.
    async fn append(&mut self, entries: Vec<Bytes>) -> Result<u64, Trouble> {
        let journal = &self.audit.shared.journal;
        loop {
            match journal.append_all(entries.clone()) {
                Ok(index) => return Ok(index),
                Err(journal::AppendError::Full) => {
                    journal.durable(journal.end().saturating_sub(1)).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn begin_anew(&self, class: Class) {
        tracing::error!(
            class = class.as_str(),
            "the log is not the one that was followed: it is read again, what is here stays"
        );
        metrics::counter!("keng_audit_begun_anew_total").increment(1);
        self.audit.shared.book().sequencer.begin_anew(class);
    }

    fn tell_late(&self) {
        let now_ms = self.now_ms();
        for late in self.audit.shared.book().sequencer.late(now_ms, LATE_MS) {
            tracing::error!(id = %late.id, entity = %late.entity, why = late.why, "a record waits");
            metrics::counter!("keng_audit_late_total").increment(1);
        }
    }

    /// Records seen, and not yet in the journal: read just now, or waiting for others.
    fn show_lag(&self, read: usize) {
        let waiting = self.audit.shared.book().sequencer.waiting();
        metrics::gauge!("keng_audit_lag_records").set((read + waiting) as f64);
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
