//! Running a reactor: it follows records, and answers each with records of its own.
//!
//! A record is acknowledged when its answer is durable, never after what the answer causes.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    follower::{Follower, Following, Role, Step},
    log::{At, Durable, EventLog},
    record::{Class, Position, Recorded},
};

const RETRY: Duration = Duration::from_secs(1);
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);
/// Records waiting in one lane; beyond this the follower waits.
const LANE_RECORDS_MAX: usize = 64;

/// What became of a record.
#[derive(Debug, Clone)]
pub enum Handled {
    /// It is answered once these are durable.
    Done(Vec<At>),
    /// Not now: trouble, or an entity that is held. It comes again.
    Later,
}

/// Answers records.
pub trait React: Send + Sync + 'static {
    /// Answers one record. Must have the effect of one when it is called again.
    fn react(&self, recorded: Arc<Recorded>) -> BoxFuture<'_, Handled>;
}

/// How a reactor runs.
#[derive(Debug, Clone)]
pub struct Reaction {
    /// The name its instances share.
    pub name: &'static str,
    /// The class it follows.
    pub class: Class,
    /// How many records are answered at once; those of one entity keep their order. One on a
    /// log whose `append` waits for nothing: then command, decision and plan share a sync.
    pub lanes: usize,
}

/// Runs until `stop`. Trouble is retried for ever, with a warning.
pub async fn run(
    log: Arc<dyn EventLog>,
    reaction: Reaction,
    reactor: Arc<dyn React>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let following =
            Following { class: reaction.class, role: Role::Reactor(reaction.name), from: None };
        match log.follow(following).await {
            Ok(follower) => follow(&log, &reaction, &reactor, follower, &stop).await,
            Err(trouble) => {
                tracing::warn!(reactor = reaction.name, %trouble, "cannot follow");
            }
        }
        tokio::select! { () = tokio::time::sleep(RETRY) => {}, () = stop.cancelled() => {} }
    }
}

type Handling = BoxFuture<'static, (Position, bool)>;

async fn follow(
    log: &Arc<dyn EventLog>,
    reaction: &Reaction,
    reactor: &Arc<dyn React>,
    mut follower: Follower,
    stop: &CancellationToken,
) {
    let mut handling: FuturesUnordered<Handling> = FuturesUnordered::new();
    let lanes = Lanes::start(reaction.lanes, reactor);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some((position, done)) = handling.next(), if !handling.is_empty() => {
                settle(&mut follower, position, done);
            }
            step = follower.next() => match step {
                Ok(Step::Record(recorded)) => {
                    let position = recorded.position;
                    let answer = lanes.answer(reactor, recorded).await;
                    handling.push(Box::pin(durable(Arc::clone(log), position, answer)));
                }
                Ok(Step::CaughtUp) => {}
                Err(trouble) => {
                    tracing::warn!(reactor = reaction.name, %trouble, "following ended");
                    break;
                }
            },
        }
    }
    // What is answered already is acknowledged, so that a restart does not repeat it.
    let rest = async {
        while let Some((position, done)) = handling.next().await {
            settle(&mut follower, position, done);
        }
    };
    if tokio::time::timeout(RETRY, rest).await.is_err() {
        tracing::info!(reactor = reaction.name, "answers under way are left to the next start");
    }
}

fn settle(follower: &mut Follower, position: Position, done: bool) {
    if done {
        follower.acknowledge(position);
    } else {
        follower.give_back(position);
    }
}

/// Waits for the answer, and until it is durable.
async fn durable(
    log: Arc<dyn EventLog>,
    position: Position,
    answer: BoxFuture<'static, Handled>,
) -> (Position, bool) {
    let Handled::Done(ats) = answer.await else { return (position, false) };
    for at in ats {
        if log.durable(at, ANSWER_PATIENCE).await != Durable::Stored {
            return (position, false);
        }
    }
    (position, true)
}

/// Records of one entity go through one lane, in order.
struct Lanes(Vec<mpsc::Sender<Job>>);

type Job = (Arc<Recorded>, tokio::sync::oneshot::Sender<Handled>);

impl Lanes {
    fn start(lanes: usize, reactor: &Arc<dyn React>) -> Self {
        if lanes <= 1 {
            return Self(vec![]);
        }
        let start = |_| {
            let (sender, mut jobs) = mpsc::channel::<Job>(LANE_RECORDS_MAX);
            let reactor = Arc::clone(reactor);
            tokio::spawn(async move {
                while let Some((recorded, answer)) = jobs.recv().await {
                    // Whoever asked may be gone: then the record comes again.
                    let _ = answer.send(reactor.react(recorded).await);
                }
            });
            sender
        };
        Self((0..lanes).map(start).collect())
    }

    /// The answer: at once where there is one lane, otherwise when the lane comes to it.
    async fn answer(
        &self,
        reactor: &Arc<dyn React>,
        recorded: Arc<Recorded>,
    ) -> BoxFuture<'static, Handled> {
        let mut hash = DefaultHasher::new();
        recorded.key.entity.hash(&mut hash);
        let many = u64::try_from(self.0.len()).unwrap_or(1).max(1);
        let lane = usize::try_from(hash.finish() % many).unwrap_or(0);
        let Some(lane) = self.0.get(lane) else {
            let handled = reactor.react(recorded).await;
            return Box::pin(async move { handled });
        };
        let (sender, answer) = tokio::sync::oneshot::channel();
        if lane.send((recorded, sender)).await.is_err() {
            return Box::pin(async { Handled::Later });
        }
        Box::pin(async move { answer.await.unwrap_or(Handled::Later) })
    }
}
