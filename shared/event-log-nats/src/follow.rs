//! Following: a pull consumer, made again whenever it ends, for ever. Projections read from their
//! own cursor; the instances of a reactor share one durable consumer. Records pass in order, each
//! with its sealed part.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_nats::jetstream::{
    self,
    consumer::{AckPolicy, Consumer, DeliverPolicy, pull},
};
use event_log::{
    follower::{Cursor, Follow, Follower, Following, Role, Step, hash_of},
    log::FollowError,
    record::{Class, Position, Recorded, Seal},
};
use futures::{
    StreamExt,
    future::{BoxFuture, ready},
    stream::FuturesOrdered,
};
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    acks::{self, Order},
    log::Inner,
    message::Raw,
    read::Unread,
    sealed_ahead::SealedAhead,
    subject::Stream,
};

const ACK_WAIT: Duration = Duration::from_secs(10);
/// How many messages a projection asks for at a time.
pub(crate) const MESSAGES_MAX: usize = 500;
const ACK_PENDING_MAX: i64 = 1_000;
const HEARTBEAT: Duration = Duration::from_secs(2);
const EXPIRES: Duration = Duration::from_secs(6);
/// An ephemeral consumer that nobody reads is forgotten after this.
const INACTIVE_MAX: Duration = Duration::from_secs(30);
/// How many heartbeats may be missing in a row before the consumer is made again.
const HEARTBEATS_MISSED_MAX: u32 = 3;
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How often a reactor that has not caught up asks whether other instances have.
const CAUGHT_UP_EVERY: Duration = Duration::from_millis(500);

/// What is read ahead: much for a projection, little for a reactor, whose instances share.
#[derive(Debug, Clone, Copy)]
struct Ahead {
    batch: usize,
    completing: usize,
    steps: usize,
}

fn ahead(role: &Role) -> Ahead {
    match role {
        Role::Projection => Ahead { batch: MESSAGES_MAX, completing: 64, steps: 128 },
        Role::Reactor(_) => Ahead { batch: 32, completing: 16, steps: 1 },
    }
}

struct NatsFollower {
    steps: mpsc::Receiver<Result<Step, FollowError>>,
    orders: Option<mpsc::UnboundedSender<Order>>,
    _stop: DropGuard,
}

impl Follow for NatsFollower {
    fn next(&mut self) -> BoxFuture<'_, Result<Step, FollowError>> {
        Box::pin(async move {
            let closed = || Err(FollowError::Unavailable("the log is closed".to_owned()));
            let step = self.steps.recv().await.unwrap_or_else(closed)?;
            if let Step::Record(recorded) = &step {
                self.order(Order::HandedOut(recorded.position));
            }
            Ok(step)
        })
    }

    fn acknowledge(&mut self, position: Position) {
        self.order(Order::Acknowledge(position));
    }

    fn give_back(&mut self, position: Position) {
        self.order(Order::GiveBack(position));
    }
}

impl NatsFollower {
    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // Where the log is closed, the broker gives the record to another by itself.
            let _ = orders.send(order);
        }
    }
}

/// See `EventLog::follow`.
pub(crate) async fn follow(
    inner: Arc<Inner>,
    following: Following,
) -> Result<Follower, FollowError> {
    let Following { class, role, from } = following;
    let from = from.filter(|cursor| role == Role::Projection && cursor.position > 0);
    let mut end = None;
    if inner.state.connection().is_some() {
        if let Some(cursor) = from
            && matches!(fits(&inner, class, cursor).await, Ok(false))
        {
            return Err(FollowError::CursorDoesNotFit);
        }
        end = last_sequence(&inner, class).await;
    }
    let ahead = ahead(&role);
    let following_all = role == Role::Projection;
    let (steps, received) = mpsc::channel(ahead.steps);
    let orders = matches!(role, Role::Reactor(_)).then(|| {
        let (orders, given) = mpsc::unbounded_channel();
        // Not ended with the log: it gives back what is left, and ends with its follower.
        tokio::spawn(acks::carry_out(given));
        orders
    });
    let stop = CancellationToken::new();
    let course = Course {
        inner: Arc::clone(&inner),
        class,
        role,
        ahead,
        from,
        handed: None,
        parts: (following_all && from.is_none()).then(SealedAhead::default),
        end,
        told: false,
        steps,
        orders: orders.clone(),
        stop: stop.clone(),
    };
    inner.spawn(course.run());
    Ok(Follower::new(NatsFollower { steps: received, orders, _stop: stop.drop_guard() }))
}

/// Whether the log has that record at that position.
async fn fits(inner: &Inner, class: Class, cursor: Cursor) -> Result<bool, Unread> {
    let raw = inner.broker.at(Stream::Of(class), cursor.position).await?;
    Ok(raw.is_some_and(|raw| hash_of(&raw.payload) == cursor.hash))
}

/// The end of the stream; `None` where it cannot be read or is not there yet.
async fn last_sequence(inner: &Inner, class: Class) -> Option<u64> {
    let stream = inner.broker.context.get_stream(Stream::Of(class).name());
    let stream = tokio::time::timeout(HEARTBEAT, stream).await.ok()?.ok()?;
    Some(stream.cached_info().state.last_sequence)
}

/// One follower's way through its class.
struct Course {
    inner: Arc<Inner>,
    class: Class,
    role: Role,
    ahead: Ahead,
    /// Where a projection began; `None` at the start.
    from: Option<Cursor>,
    /// The last record handed to a projection.
    handed: Option<Arc<Recorded>>,
    /// While a projection reads its class from the start.
    parts: Option<SealedAhead>,
    /// Where the log ended when it was first read; `None` before, and once it has been passed.
    end: Option<u64>,
    /// Whether the follower was told that it has caught up.
    told: bool,
    steps: mpsc::Sender<Result<Step, FollowError>>,
    orders: Option<mpsc::UnboundedSender<Order>>,
    stop: CancellationToken,
}

/// Why one consumer's time ended.
enum Ended {
    /// Nobody listens any more.
    Left,
    DoesNotFit,
    Trouble(String),
}

impl<E: std::error::Error> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Trouble(error.to_string())
    }
}

type Completed = (Result<Arc<Recorded>, Unread>, u64);

/// A record that came.
enum Came {
    /// With all that belongs to it, and how many come behind it.
    Whole(Recorded, u64),
    /// Its sealed part is to be found; when it was written.
    Parted(Recorded, SystemTime, u64),
}

impl Course {
    async fn run(mut self) {
        let mut pause = PAUSE_MIN;
        loop {
            let began = tokio::time::Instant::now();
            let ended = self.pass().await;
            match ended {
                Err(Ended::Left) | Ok(()) => return,
                Err(Ended::DoesNotFit) => {
                    let _ = self.steps.send(Err(FollowError::CursorDoesNotFit)).await;
                    return;
                }
                Err(Ended::Trouble(why)) => {
                    let stream = Stream::Of(self.class).name();
                    tracing::warn!(stream, role = ?self.role, why, "following again");
                }
            }
            if began.elapsed() > PAUSE_MAX {
                pause = PAUSE_MIN;
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Follows over one consumer. Ends well only where nobody listens any more.
    async fn pass(&mut self) -> Result<(), Ended> {
        let inner = Arc::clone(&self.inner);
        let connection = tokio::select! {
            () = self.stop.cancelled() => return Err(Ended::Left),
            connection = inner.state.connection_within(Duration::from_secs(3600)) => {
                connection.ok_or_else(|| Ended::Trouble("the broker is away".to_owned()))?
            }
        };
        if let Some(cursor) = self.place()
            && !fits(&inner, self.class, cursor).await?
        {
            return Err(Ended::DoesNotFit);
        }
        let consumer = self.consumer().await?;
        // A broker that was away at the start has an end too, and only behind it is what is
        // known the whole.
        if self.end.is_none() && !self.told {
            let end = last_sequence(&inner, self.class).await;
            self.end = Some(end.ok_or_else(|| Ended::Trouble("no end of the stream".to_owned()))?);
        }
        let at = self.place().map(|place| place.position);
        let passed = self.end.is_some_and(|end| at.is_some_and(|at| at >= end));
        if consumer.cached_info().num_pending == 0 || passed {
            self.caught_up().await?;
        }
        let mut messages = consumer
            .stream()
            .max_messages_per_batch(self.ahead.batch)
            .heartbeat(HEARTBEAT)
            .expires(EXPIRES)
            .messages()
            .await?;
        let flowed = self.flow(&consumer, &mut messages, connection).await;
        // What the client has and nobody looked at is given back with the rest.
        while let Some(Some(Ok(message))) = futures::FutureExt::now_or_never(messages.next()) {
            if let Ok(info) = message.info() {
                let position = info.stream_sequence;
                self.order(Order::Received(position, Box::new(message.split().1)));
            }
        }
        self.order(Order::Abandon);
        flowed
    }

    /// The place to go on from.
    fn place(&self) -> Option<Cursor> {
        self.handed.as_deref().map(Cursor::on).or(self.from)
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // Only the end of the process ends who carries them out before those who give them.
            let _ = orders.send(order);
        }
    }

    async fn flow(
        &mut self,
        consumer: &Consumer<pull::Config>,
        messages: &mut pull::Stream,
        connection: u64,
    ) -> Result<(), Ended> {
        let inner = Arc::clone(&self.inner);
        let stop = self.stop.clone();
        let mut left = std::pin::pin!(inner.state.left(connection));
        let first = tokio::time::Instant::now() + CAUGHT_UP_EVERY;
        let mut asks = tokio::time::interval_at(first, CAUGHT_UP_EVERY);
        asks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut completing: FuturesOrdered<BoxFuture<'static, Completed>> = FuturesOrdered::new();
        let (mut delivered, mut missed) = (0, 0);
        // What had been delivered when it was last asked whether other instances caught up.
        let mut before = None;
        // Set when no more is read: what was read is still passed on.
        let mut over: Option<Ended> = None;
        loop {
            if completing.is_empty()
                && let Some(ended) = over.take()
            {
                return Err(ended);
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Ended::Left),
                Some((recorded, pending)) = completing.next(), if !completing.is_empty() => {
                    self.hand_out(recorded?, pending).await?;
                }
                () = &mut left, if over.is_none() => {
                    over = Some(Ended::Trouble("the connection was lost".to_owned()));
                }
                message = messages.next(),
                    if over.is_none() && completing.len() < self.ahead.completing =>
                {
                    match self.received(message, &mut delivered, &mut missed) {
                        Ok(Some(came)) => match self.whole(came).await {
                            Ok((whole, pending)) if completing.is_empty() => {
                                self.hand_out(whole, pending).await?;
                            }
                            Ok((whole, pending)) => {
                                completing.push_back(Box::pin(ready((Ok(whole), pending))));
                            }
                            Err(work) => completing.push_back(work),
                        },
                        Ok(None) => {}
                        Err(ended) => over = Some(ended),
                    }
                }
                _ = asks.tick(), if self.waits_for_others(over.is_none()) => {
                    // Where nothing has come for a while, nothing is on its way to here either.
                    let quiet = before.replace(delivered) == Some(delivered);
                    if quiet
                        && completing.is_empty()
                        && consumer.get_info().await.is_ok_and(|info| info.num_pending == 0)
                    {
                        self.caught_up().await?;
                    }
                }
            }
        }
    }

    fn waits_for_others(&self, reads: bool) -> bool {
        reads && self.end.is_some() && self.orders.is_some()
    }

    /// What to do with what came: `None` where it was not a record.
    fn received(
        &self,
        message: Option<Result<jetstream::Message, pull::MessagesError>>,
        delivered: &mut u64,
        missed: &mut u32,
    ) -> Result<Option<Came>, Ended> {
        let message = match message {
            Some(Ok(message)) => message,
            Some(Err(error)) if error.kind() == pull::MessagesErrorKind::MissingHeartbeat => {
                *missed += 1;
                if *missed > HEARTBEATS_MISSED_MAX {
                    return Err(error.into());
                }
                return Ok(None);
            }
            Some(Err(error)) => return Err(error.into()),
            None => return Err(Ended::Trouble("the consumer has ended".to_owned())),
        };
        *missed = 0;
        let info = message.info().map_err(|error| Ended::Trouble(error.to_string()))?;
        let (sequence, pending) = (info.stream_sequence, info.pending);
        let written = SystemTime::from(info.published);
        *delivered += 1;
        if self.orders.is_none() && info.consumer_sequence != *delivered {
            return Err(Ended::Trouble("a message was lost on the way".to_owned()));
        }
        let (message, acker) = message.split();
        let raw = Raw::of(message, sequence);
        self.order(Order::Received(sequence, Box::new(acker)));
        let Some(recorded) = raw.recorded(self.class) else {
            // Set aside for good: it has no entity that could wait for it.
            metrics::counter!("keng_log_foreign_total").increment(1);
            tracing::error!(subject = raw.subject, sequence, "a message that is not ours");
            self.order(Order::Acknowledge(sequence));
            return Ok(None);
        };
        Ok(Some(match recorded.seal {
            Seal::Missing => Came::Parted(recorded, written, pending),
            Seal::None | Seal::Here(_) => Came::Whole(recorded, pending),
        }))
    }

    /// The record with its sealed part, where that is at hand; otherwise the way to it.
    async fn whole(
        &mut self,
        came: Came,
    ) -> Result<(Arc<Recorded>, u64), BoxFuture<'static, Completed>> {
        let (mut recorded, written, pending) = match came {
            Came::Whole(recorded, pending) => return Ok((Arc::new(recorded), pending)),
            Came::Parted(recorded, written, pending) => (recorded, written, pending),
        };
        let sealed = Arc::clone(&self.inner.sealed);
        if let Some(parts) = &mut self.parts
            && !sealed.is_erased(&recorded)
            && let Some(part) = parts.part(&self.inner, &recorded, written).await
        {
            recorded.seal = Seal::Here(part);
            return Ok((Arc::new(recorded), pending));
        }
        Err(Box::pin(async move { (sealed.complete(recorded, written).await, pending) }))
    }

    async fn hand_out(&mut self, recorded: Arc<Recorded>, pending: u64) -> Result<(), Ended> {
        let position = recorded.position;
        self.order(Order::Ready(position));
        self.step(Step::Record(Arc::clone(&recorded))).await?;
        if self.role == Role::Projection {
            self.handed = Some(recorded);
        }
        if self.end.is_some_and(|end| position >= end || pending == 0) {
            self.caught_up().await?;
        }
        Ok(())
    }

    async fn caught_up(&mut self) -> Result<(), Ended> {
        match self.end.take() {
            Some(_) => {
                self.told = true;
                self.parts = None;
                self.step(Step::CaughtUp).await
            }
            None => Ok(()),
        }
    }

    async fn step(&self, step: Step) -> Result<(), Ended> {
        tokio::select! {
            () = self.stop.cancelled() => Err(Ended::Left),
            sent = self.steps.send(Ok(step)) => sent.map_err(|_closed| Ended::Left),
        }
    }

    async fn consumer(&self) -> Result<Consumer<pull::Config>, Ended> {
        let config = match self.role {
            Role::Projection => ephemeral(self.place().map_or(DeliverPolicy::All, |cursor| {
                DeliverPolicy::ByStartSequence { start_sequence: cursor.position + 1 }
            })),
            Role::Reactor(name) => pull::Config {
                durable_name: Some(format!("{name}-{}", Stream::Of(self.class).name())),
                ack_policy: AckPolicy::Explicit,
                ack_wait: ACK_WAIT,
                max_ack_pending: ACK_PENDING_MAX,
                deliver_policy: DeliverPolicy::All,
                ..pull::Config::default()
            },
        };
        let context = &self.inner.broker.context;
        Ok(context.create_consumer_on_stream(config, Stream::Of(self.class).name()).await?)
    }
}

/// A consumer for one reader, forgotten soon after.
pub(crate) fn ephemeral(deliver_policy: DeliverPolicy) -> pull::Config {
    pull::Config {
        ack_policy: AckPolicy::None,
        deliver_policy,
        memory_storage: true,
        num_replicas: 1,
        inactive_threshold: INACTIVE_MAX,
        ..pull::Config::default()
    }
}

/// Follows the sealed parts that are being written, so that records need not ask for them.
pub(crate) async fn sealed_parts(inner: Arc<Inner>) {
    let mut pause = PAUSE_MIN;
    loop {
        let Some(connection) = inner.state.connection_within(Duration::from_secs(3600)).await
        else {
            continue;
        };
        let ended = tokio::select! {
            () = inner.state.left(connection) => Ended::Left,
            ended = recent_sealed_parts(&inner) => ended,
        };
        inner.sealed.followed(false);
        if let Ended::Trouble(why) = ended {
            tracing::debug!(why, "following sealed parts again");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

async fn recent_sealed_parts(inner: &Inner) -> Ended {
    let consumer = inner
        .broker
        .context
        .create_consumer_on_stream(ephemeral(DeliverPolicy::New), Stream::Sealed.name())
        .await;
    let consumer: Consumer<pull::Config> = match consumer {
        Ok(consumer) => consumer,
        Err(error) => return error.into(),
    };
    let messages = consumer
        .stream()
        .max_messages_per_batch(MESSAGES_MAX)
        .heartbeat(HEARTBEAT)
        .expires(EXPIRES)
        .messages()
        .await;
    let mut messages = match messages {
        Ok(messages) => messages,
        Err(error) => return error.into(),
    };
    inner.sealed.followed(true);
    let mut missed = 0;
    while let Some(message) = messages.next().await {
        match message {
            Ok(message) => {
                missed = 0;
                inner.sealed.met(&Raw::of(message.split().0, 0));
            }
            Err(error)
                if error.kind() == pull::MessagesErrorKind::MissingHeartbeat
                    && missed < HEARTBEATS_MISSED_MAX =>
            {
                missed += 1;
            }
            Err(error) => return error.into(),
        }
    }
    Ended::Trouble("the consumer has ended".to_owned())
}
