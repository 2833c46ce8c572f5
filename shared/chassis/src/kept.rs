//! What a read model keeps in local state: the open parts of its records, and its cursor, so
//! that a start neither reads the whole log again nor needs the broker.
//!
//! A cache: nothing sealed is in it, and whoever deletes it loses time only.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use event_log::{At, Class, Durable, EventLog, Recorded, follower::Cursor, stored};
use local_state::{Change, LocalState, Model};
use prost::Message;
use tokio::sync::{Notify, mpsc};
use wire::v1::StoredRecord;

use crate::Drain;

/// The schema of what is kept; another one is cleared.
const SCHEMA: u32 = 2;
/// An entry of local state is at most 6 KiB; a longer record is kept in parts.
const PART_BYTES_MAX: usize = 5_000;
/// Records that wait to be kept; beyond this, keeping ends until the next start.
const WAITING_MAX: usize = 100_000;
const BATCH_MAX: usize = 2_000;
const EVERY: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(5);

/// Keeps the records of one read model.
pub struct Kept {
    waiting: Option<mpsc::Sender<Waiting>>,
    hurry: Arc<Notify>,
}

enum Waiting {
    Record { recorded: Arc<Recorded>, keep: bool },
    BeginAnew,
}

/// What was kept, and where to go on.
#[derive(Default)]
pub struct Found {
    /// The records, in order. Their sealed parts are `Missing` where they have one.
    pub records: Vec<Recorded>,
    /// Where to go on.
    pub cursor: Option<Cursor>,
}

impl Kept {
    /// Reads what was kept under this name, and keeps on. Blocks for as long as that takes.
    /// Without local state, or where it fails, nothing is found and nothing kept.
    #[must_use]
    pub fn open(
        local: Option<&LocalState>,
        name: &'static str,
        class: Class,
        log: &Arc<dyn EventLog>,
        drain: &Drain,
    ) -> (Self, Found) {
        let hurry = Arc::<Notify>::default();
        let nothing = |hurry| (Self { waiting: None, hurry }, Found::default());
        let Some(local) = local else { return nothing(hurry) };
        let model = match local.model_with_version(name, SCHEMA) {
            Ok(model) => model,
            Err(why) => {
                tracing::warn!(name, %why, "local state is not used");
                return nothing(hurry);
            }
        };
        let found = read(&model, class);
        let (sender, waiting) = mpsc::channel(WAITING_MAX);
        let log = Arc::clone(log);
        let keeping = Keeping { model, class, log, waiting, hurry: Arc::clone(&hurry) };
        let stop = drain.token();
        drain.spawn("local-state", keeping.run(stop));
        (Self { waiting: Some(sender), hurry }, found)
    }

    /// The read model has taken this record in; `keep` where it is needed at the next start.
    pub fn saw(&mut self, recorded: &Arc<Recorded>, keep: bool) {
        self.hand_over(Waiting::Record { recorded: Arc::clone(recorded), keep });
    }

    /// What was seen is kept at once, not within a second: for what is rare, and must be known at
    /// the next start also while the broker is away.
    pub fn hurry(&self) {
        self.hurry.notify_one();
    }

    /// The read model begins anew.
    pub fn begin_anew(&mut self) {
        self.hand_over(Waiting::BeginAnew);
    }

    fn hand_over(&mut self, waiting: Waiting) {
        let Some(sender) = &self.waiting else { return };
        if sender.try_send(waiting).is_err() {
            tracing::warn!("local state is behind; it is left as it is until the next start");
            self.waiting = None;
        }
    }
}

fn read(model: &Model, class: Class) -> Found {
    let mut records: Vec<(u64, Vec<u8>)> = Vec::new();
    for entry in model.scan() {
        let Ok((key, part)) = entry else { return Found::default() };
        let Some(position) = key.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)) else {
            return Found::default();
        };
        match records.last_mut() {
            Some((last, bytes)) if *last == position => bytes.extend_from_slice(&part),
            _ => records.push((position, part)),
        }
    }
    let recorded = |(position, bytes): (u64, Vec<u8>)| recorded_of(position, bytes, class);
    let Some(records) = records.into_iter().map(recorded).collect() else {
        return Found::default();
    };
    let cursor = model.cursor(class.as_str());
    let cursor = cursor.map(|cursor| Cursor { position: cursor.position, hash: cursor.hash });
    Found { records, cursor }
}

fn recorded_of(position: u64, bytes: Vec<u8>, class: Class) -> Option<Recorded> {
    let stored = StoredRecord::decode(Bytes::from(bytes)).ok()?;
    stored::recorded(stored, position).ok().filter(|recorded| recorded.key.class == class)
}

struct Keeping {
    model: Model,
    class: Class,
    log: Arc<dyn EventLog>,
    waiting: mpsc::Receiver<Waiting>,
    hurry: Arc<Notify>,
}

impl Keeping {
    async fn run(mut self, stop: tokio_util::sync::CancellationToken) {
        let mut batch = Vec::new();
        loop {
            batch.clear();
            let came = tokio::select! {
                came = self.waiting.recv_many(&mut batch, BATCH_MAX) => came,
                () = stop.cancelled() => return,
            };
            if came == 0 {
                return;
            }
            if let Err(why) = self.keep(&batch).await {
                tracing::warn!(why, "local state is not kept; it is rebuilt from the log");
                return;
            }
            if came < BATCH_MAX {
                tokio::select! {
                    () = tokio::time::sleep(EVERY) => {}
                    () = self.hurry.notified() => {}
                    () = stop.cancelled() => {}
                }
            }
        }
    }

    async fn keep(&self, batch: &[Waiting]) -> Result<(), String> {
        let mut change = Change::default();
        let mut last = None;
        for waiting in batch {
            match waiting {
                Waiting::BeginAnew => {
                    self.model.clear().await.map_err(|why| why.to_string())?;
                    change = Change::default();
                }
                Waiting::Record { recorded, keep } => {
                    last = Some(recorded);
                    if *keep {
                        put(&mut change, recorded);
                    }
                }
            }
        }
        let Some(last) = last else { return Ok(()) };
        // What is copied to another file must be durable first.
        let at = At { class: self.class, position: last.position, id: last.id };
        if self.log.durable(at, PATIENCE).await != Durable::Stored {
            return Err("the log does not store".to_owned());
        }
        let cursor = Cursor::on(last);
        let cursor = local_state::Cursor { position: cursor.position, hash: cursor.hash };
        change.cursors.push((self.class.as_str().to_owned(), cursor));
        self.model.commit(change).await.map_err(|why| why.to_string())
    }
}

fn put(change: &mut Change, recorded: &Recorded) {
    let stored = stored::stored(recorded).encode_to_vec();
    for (part, bytes) in stored.chunks(PART_BYTES_MAX).enumerate() {
        let part = u16::try_from(part).unwrap_or(u16::MAX).to_be_bytes();
        let key = [recorded.position.to_be_bytes().as_slice(), &part].concat();
        change.puts.push((key, bytes.to_vec()));
    }
}
