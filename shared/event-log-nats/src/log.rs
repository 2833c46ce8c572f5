//! The log: its parts, its tasks, and the port.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use domain::ids::{AlertId, EntityName, RecordId};
use event_log::{
    EraseError,
    follower::{Follower, Following},
    log::{AppendError, Appended, At, Durable, EventLog, FollowError, LoadError, Outgoing},
    record::{Class, Key, Kind, Record, Recorded},
};
use futures::future::BoxFuture;
use merkle::VerifierKey;
use tokio::{sync::watch, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    alarm, append,
    broker::Broker,
    client, follow,
    held::{self, Held},
    keeper,
    message::Raw,
    options::{NatsOptions, OpenError},
    outbox::{Loss, Outbox, Unsettled},
    proving::{self, Proofs, Show},
    read::Unread,
    sealed::Sealed,
    state::State,
    subject::{self, Stream},
    suspicion::Doubts,
    trust::Trust,
    writer::Writer,
};

/// How long opening waits for the broker; it succeeds without one too.
const OPENING_WAIT: Duration = Duration::from_secs(1);
/// How long closing waits for what is under way.
const CLOSING_WAIT: Duration = Duration::from_secs(2);

/// The event log on NATS JetStream. Dropping it ends its tasks; [`NatsLog::close`] also writes
/// out what waits and gives the outbox's directory free.
pub struct NatsLog {
    inner: Arc<Inner>,
}

/// What the tasks share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) options: NatsOptions,
    pub(crate) state: State,
    pub(crate) trust: watch::Sender<Trust>,
    pub(crate) broker: Broker,
    pub(crate) sealed: Arc<Sealed>,
    pub(crate) writer: Writer,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) held: Held,
    pub(crate) proofs: watch::Sender<Proofs>,
    pub(crate) doubts: Doubts,
    /// What the log has no record of yet, the oldest first.
    pub(crate) losses: watch::Sender<VecDeque<Loss>>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Inner {
    /// Runs a task until the log is closed.
    pub(crate) fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = task => {}
            }
        });
    }
}

impl NatsLog {
    /// Opens the outbox and connects in the background. Waits a moment for a broker that is
    /// there, and comes up without one too.
    pub async fn open(options: NatsOptions) -> Result<Arc<Self>, OpenError> {
        let (dir, of_outbox) = (options.data.join("outbox"), options.clone());
        let opened = tokio::task::spawn_blocking(move || Outbox::open(&dir, &of_outbox)).await;
        let (outbox, left) = opened.map_err(|error| OpenError::Client(error.to_string()))??;
        let state = State::new();
        let broker = Broker::new(client::connect(&options, state.clone()).await?);
        let outbox = Arc::new(outbox);
        let sealed = Arc::new(Sealed::new(broker.clone(), Arc::clone(&outbox)));
        let writer = Writer::new(broker.clone(), Arc::clone(&sealed), state.clone());
        let inner = Arc::new(Inner {
            options,
            state,
            trust: watch::Sender::new(Trust::Away),
            broker,
            sealed,
            writer,
            outbox,
            held: Held::default(),
            proofs: watch::Sender::new(Proofs::Unknown),
            doubts: Doubts::default(),
            losses: watch::Sender::new(left.losses.into()),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        // What was promised before the last end is promised still.
        for Unsettled { said, since, record } in left.commands {
            inner.held.hold(said, since, record);
        }
        inner.spawn(keeper::keep(Arc::clone(&inner)));
        inner.spawn(held::send(Arc::clone(&inner)));
        inner.spawn(follow::sealed_parts(Arc::clone(&inner)));
        inner.spawn(alarm::watch(Arc::clone(&inner)));
        inner.spawn(proving::prove(Arc::clone(&inner)));
        // Nothing that a server tells over its ports says it: neither `/varz`, nor a stream's info.
        tracing::info!("whether the broker encrypts at rest is not known: its own log says it");
        let mut trust = inner.trust.subscribe();
        let known = trust.wait_for(|trust| *trust != Trust::Away);
        if tokio::time::timeout(OPENING_WAIT, known).await.is_err() {
            tracing::warn!("the broker is away; commands are held here");
        }
        Ok(Arc::new(Self { inner }))
    }

    /// The commands that are held here.
    #[must_use]
    pub fn outgoing(&self) -> Outgoing {
        self.inner.held.outgoing.clone()
    }

    /// How far the broker is trusted; changes are seen by the receiver.
    #[must_use]
    pub fn trust(&self) -> watch::Receiver<Trust> {
        self.inner.trust.subscribe()
    }

    /// How it stands with the proofs of what this process said.
    #[must_use]
    pub fn proofs(&self) -> watch::Receiver<Proofs> {
        self.inner.proofs.subscribe()
    }

    /// How many records of this process stand in the log, and no proof covers them.
    #[must_use]
    pub fn unproven(&self) -> u64 {
        self.inner.outbox.owed().waiting().0
    }

    /// Waits for a loss that the log has no record of; for ever where there is none. The same one
    /// until [`NatsLog::recorded`] was called with its number.
    pub async fn lost(&self) -> Loss {
        let mut losses = self.inner.losses.subscribe();
        let first = losses.wait_for(|losses| !losses.is_empty()).await;
        // The sender lives in self.
        let Some(loss) = first.ok().and_then(|losses| losses.front().cloned()) else {
            return std::future::pending().await;
        };
        loss
    }

    /// The log has a record of this loss.
    pub fn recorded(&self, loss: &Loss) {
        self.inner.outbox.told(loss.number);
        self.inner.losses.send_modify(|losses| losses.retain(|one| one.number != loss.number));
    }

    /// Shows an audit's tree to whoever asks over the broker, until the log is closed.
    pub fn show_tree(&self, key: VerifierKey, show: Show) {
        self.inner.spawn(proving::show(Arc::clone(&self.inner), key, show));
    }

    /// Ends the tasks, writes out what waits, and gives the outbox free.
    pub async fn close(&self) {
        self.inner.tasks.close();
        self.inner.stop.cancel();
        if tokio::time::timeout(CLOSING_WAIT, self.inner.tasks.wait()).await.is_err() {
            tracing::warn!("tasks of the log did not end in time");
        }
        if self.inner.state.connection().is_some() {
            // Sends what the client still holds; without a connection there is nobody to send to.
            let drained = self.inner.broker.client.drain();
            if tokio::time::timeout(CLOSING_WAIT, drained).await.is_err() {
                tracing::warn!("the connection was not drained in time");
            }
        }
        self.inner.outbox.close().await;
    }
}

impl Drop for NatsLog {
    fn drop(&mut self) {
        self.inner.stop.cancel();
    }
}

impl EventLog for NatsLog {
    /// Runs to its end also where the caller stops waiting, so that what is in the outbox is
    /// either settled or held.
    fn append(&self, records: Vec<Record>) -> BoxFuture<'_, Result<Appended, AppendError>> {
        Box::pin(async move {
            let appending = append::append(Arc::clone(&self.inner), records);
            match self.inner.tasks.spawn(appending).await {
                Ok(appended) => appended,
                Err(error) => Err(AppendError::Unavailable(error.to_string())),
            }
        })
    }

    fn load<'a>(
        &'a self,
        key: &'a Key,
        id: Option<RecordId>,
    ) -> BoxFuture<'a, Result<Vec<Arc<Recorded>>, LoadError>> {
        Box::pin(async move {
            if self.inner.state.connection().is_none() {
                return Err(LoadError::Unavailable("the broker is away".to_owned()));
            }
            self.inner.load(key, id).await.map_err(|unread| LoadError::Unavailable(unread.0))
        })
    }

    fn follow(&self, following: Following) -> BoxFuture<'_, Result<Follower, FollowError>> {
        Box::pin(follow::follow(Arc::clone(&self.inner), following))
    }

    fn durable(&self, at: At, patience: Duration) -> BoxFuture<'_, Durable> {
        Box::pin(self.inner.durable(at, patience))
    }

    fn erase<'a>(
        &'a self,
        alert: AlertId,
        entities: &'a [EntityName],
    ) -> BoxFuture<'a, Result<u64, EraseError>> {
        Box::pin(self.inner.erase(alert, entities))
    }
}

impl Inner {
    async fn load(&self, key: &Key, id: Option<RecordId>) -> Result<Vec<Arc<Recorded>>, Unread> {
        let stream = Stream::Of(key.class);
        let raws = match (key.class, id) {
            (Class::Command, Some(id)) => {
                let last = self.broker.last(stream, &subject::of_command(key, id)).await?;
                last.into_iter().collect()
            }
            (Class::Command, None) => Vec::new(),
            _ => self.broker.history(stream, &subject::of_entity(key)).await?,
        };
        let recorded = raws
            .iter()
            .map(|raw: &Raw| raw.recorded(key.class).ok_or_else(|| foreign(raw)))
            .collect::<Result<Vec<_>, Unread>>()?;
        for (ordinal, recorded) in (1u64..).zip(&recorded) {
            // Nothing is decided on half a history: a replica may have lost its middle.
            if matches!(recorded.kind, Kind::Commit { version } if version != ordinal) {
                return Err(Unread(format!("the history of {} has a gap", key.entity)));
            }
        }
        if let Some(Recorded { kind: Kind::Commit { version }, position, .. }) = recorded.last() {
            self.writer.learn(subject::of_entity(key), *version, *position);
        }
        self.sealed.complete_all(recorded).await
    }

    async fn durable(&self, at: At, patience: Duration) -> Durable {
        let deadline = Instant::now() + patience;
        // The broker's acknowledgement came before the place; the outbox may still be on its way.
        match tokio::time::timeout_at(deadline, self.outbox.durable(at.id)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Durable::Unknown,
        }
        if at.position != At::UNPLACED {
            return Durable::Stored;
        }
        let mut held = self.held.outgoing.subscribe();
        let sent = held.wait_for(|held| !held.contains_key(&at.id));
        match tokio::time::timeout_at(deadline, sent).await {
            Ok(_) => Durable::Stored,
            Err(_elapsed) => Durable::HeldHere,
        }
    }
}

fn foreign(raw: &Raw) -> Unread {
    metrics::counter!("keng_log_foreign_total").increment(1);
    tracing::error!(subject = raw.subject, sequence = raw.sequence, "a message that is not ours");
    Unread(format!("a message that is not ours stands at {}", raw.sequence))
}
