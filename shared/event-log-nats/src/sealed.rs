//! Sealed parts: found for the records they belong to. Recent ones come by one follower of the
//! stream; others are read. The memory is bounded; what is destroyed at the broker is gone here
//! when the generation passes.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use domain::ids::RecordId;
use event_log::{
    follower::hash_of,
    record::{Record, Recorded, Seal},
};
use tokio::{sync::watch, time::Instant};

use crate::{
    broker::Broker,
    cache::Cache,
    message::Raw,
    outbox::Outbox,
    read::Unread,
    subject::{self, Stream},
};

/// How long a record waits for its sealed part.
const SEALED_WAIT_MAX: Duration = Duration::from_secs(10);
/// The longest pause between two looks.
const LOOK_PAUSE_MAX: Duration = Duration::from_millis(500);
/// A record older than this has waited already; a clock may be wrong by as much.
const WAITED_ALREADY: Duration = Duration::from_secs(60);
/// Bytes of one of the two generations.
const GENERATION_BYTES_MAX: usize = 8 << 20;

type Name = (RecordId, [u8; 32]);

/// Finds sealed parts.
#[derive(Debug)]
pub(crate) struct Sealed {
    broker: Broker,
    /// Knows whose parts were destroyed.
    outbox: Arc<Outbox>,
    recent: Cache<Name, Bytes>,
    /// Changes whenever a recent one has come.
    came: watch::Sender<()>,
    /// Whether recent ones come by themselves.
    followed: AtomicBool,
}

impl Sealed {
    pub(crate) fn new(broker: Broker, outbox: Arc<Outbox>) -> Self {
        Self {
            broker,
            outbox,
            recent: Cache::new(GENERATION_BYTES_MAX),
            came: watch::Sender::new(()),
            followed: AtomicBool::new(false),
        }
    }

    /// Says whether the stream is being followed.
    pub(crate) fn followed(&self, followed: bool) {
        self.followed.store(followed, Ordering::Relaxed);
    }

    /// Parts were destroyed: none is remembered.
    pub(crate) fn forget(&self) {
        self.recent.clear();
    }

    /// A message of the stream has come.
    pub(crate) fn met(&self, raw: &Raw) {
        if let Some(name) = raw.sealed_for() {
            self.keep(name, raw.payload.clone());
        }
    }

    /// This process wrote it, so that its own followers need not ask for it.
    pub(crate) fn wrote(&self, record: &Record) {
        if let Some(sealed) = &record.sealed {
            self.keep((record.id, hash_of(&record.open)), sealed.clone());
        }
    }

    fn keep(&self, name: Name, sealed: Bytes) {
        let weight = sealed.len() + 256;
        self.recent.put(name, sealed, weight);
        self.came.send_replace(());
    }

    /// Whether the part of a record was destroyed.
    pub(crate) fn is_erased(&self, recorded: &Recorded) -> bool {
        self.outbox.is_erased(&recorded.key.entity)
    }

    /// The record with its seal, waiting for it: 10 s where the record is recent, one look where
    /// it is old. `Missing` after that, with an alarm. `Err` while the broker cannot be read.
    pub(crate) async fn complete(
        &self,
        mut recorded: Recorded,
        written: SystemTime,
    ) -> Result<Arc<Recorded>, Unread> {
        if recorded.seal == Seal::Missing {
            let age = SystemTime::now().duration_since(written).unwrap_or_default();
            let patience = if age > WAITED_ALREADY { Duration::ZERO } else { SEALED_WAIT_MAX };
            // What is being written just now comes by itself, sooner than by asking.
            let fresh = age < Duration::from_secs(1) && self.followed.load(Ordering::Relaxed);
            recorded.seal = self.seal(&recorded, patience, fresh).await?;
        }
        Ok(Arc::new(recorded))
    }

    /// The seal of a record that has one.
    pub(crate) async fn seal(
        &self,
        recorded: &Recorded,
        patience: Duration,
        fresh: bool,
    ) -> Result<Seal, Unread> {
        if self.is_erased(recorded) {
            return Ok(Seal::Missing);
        }
        let name = (recorded.id, hash_of(&recorded.open));
        let deadline = Instant::now() + patience;
        let mut came = self.came.subscribe();
        let mut pause = Duration::from_millis(5);
        let mut ask = !fresh;
        loop {
            came.mark_unchanged();
            if let Some(sealed) = self.recent.get(&name) {
                return Ok(Seal::Here(sealed));
            }
            let last = Instant::now() >= deadline;
            if (ask || last)
                && let Some(sealed) = self.find(recorded, &name, last).await?
            {
                self.keep(name, sealed.clone());
                return Ok(Seal::Here(sealed));
            }
            if last {
                metrics::counter!("keng_sealed_missing_total").increment(1);
                tracing::error!(record = %recorded.id, "the sealed part of a record is missing");
                return Ok(Seal::Missing);
            }
            // An arrival of any part ends the pause; asking happens at the pause's end only.
            ask = tokio::time::timeout(pause, came.changed()).await.is_err();
            if ask {
                pause = (pause * 2).min(LOOK_PAUSE_MAX);
            }
        }
    }

    /// Looks for one part; a last look asks the leader.
    async fn find(
        &self,
        recorded: &Recorded,
        name: &Name,
        last: bool,
    ) -> Result<Option<Bytes>, Unread> {
        let subject = subject::of_sealed(&recorded.key);
        let here = |parts: Vec<Raw>| {
            parts.into_iter().find(|raw| raw.seals(name.0, &name.1)).map(|raw| raw.payload)
        };
        let glanced = here(self.broker.glance(Stream::Sealed, &subject).await?);
        if glanced.is_some() || !last {
            return Ok(glanced);
        }
        Ok(here(self.broker.history(Stream::Sealed, &subject).await?))
    }

    /// The seals of an entity's history, read at once: those not there are `Missing`.
    pub(crate) async fn complete_all(
        &self,
        mut recorded: Vec<Recorded>,
    ) -> Result<Vec<Arc<Recorded>>, Unread> {
        self.fill(&mut recorded, &[]);
        let lacking = recorded.iter().find(|record| {
            record.seal == Seal::Missing && !self.outbox.is_erased(&record.key.entity)
        });
        if let Some(subject) = lacking.map(|record| subject::of_sealed(&record.key)) {
            // Any replica first, since that is one request; then the leader.
            let glanced = self.broker.glance(Stream::Sealed, &subject).await?;
            if !self.fill(&mut recorded, &glanced) {
                let parts = self.broker.history(Stream::Sealed, &subject).await?;
                self.fill(&mut recorded, &parts);
            }
        }
        Ok(recorded.into_iter().map(Arc::new).collect())
    }

    /// Fills in what is remembered or among the parts; whether nothing is missing after that.
    fn fill(&self, recorded: &mut [Recorded], parts: &[Raw]) -> bool {
        let by_id: HashMap<RecordId, &Raw> =
            parts.iter().filter_map(|raw| Some((raw.id()?, raw))).collect();
        let mut complete = true;
        for record in recorded.iter_mut().filter(|record| record.seal == Seal::Missing) {
            let name = (record.id, hash_of(&record.open));
            let part = by_id.get(&record.id).copied().filter(|raw| raw.seals(name.0, &name.1));
            // Several parts may lie under one id: the other is found the long way.
            let part = part.or_else(|| parts.iter().find(|raw| raw.seals(name.0, &name.1)));
            let sealed = part.map(|raw| raw.payload.clone()).or_else(|| self.recent.get(&name));
            complete &= sealed.is_some();
            record.seal = sealed.map_or(Seal::Missing, Seal::Here);
        }
        complete
    }
}
