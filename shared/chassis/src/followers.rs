//! Whether those who follow the log keep up: reactors and projections, by the name of the service
//! that they belong to.
//!
//! They are looked at once a second, from outside; a record costs them an atomic or two. How far
//! reading has come at the start is not asked here: each read model has a condition of its own.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::ids::{AlertId, EntityName, Millis};
use event_log::{
    AppendError, Appended, At, Class, Durable, EraseError, EventLog, FollowError, Follower,
    Following, Key, Kind, LoadError, Record, Recorded, Role, Step, follower::Watch,
};
use futures::future::BoxFuture;
use prost::Message;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use wire::v1;

use crate::{Clock, Health};

/// The condition of `/readyz` that says whether every follower keeps up.
pub(crate) const CONDITION: &str = "followers";

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Behind for longer than this, a follower is named.
const BEHIND_MS_MAX: u64 = 10_000;

/// The followers of a process. Cloning shares them.
#[derive(Clone, Default)]
pub(crate) struct Followers(Arc<Mutex<Vec<Weak<Progress>>>>);

impl Followers {
    /// The same log; who follows it by this is watched under that name.
    pub(crate) fn named(&self, name: &'static str, log: Arc<dyn EventLog>) -> Arc<dyn EventLog> {
        Arc::new(NamedLog { log, name, followers: self.clone() })
    }

    /// Says in `/readyz` who is behind, once a second, until `stop`.
    pub(crate) async fn look(self, health: Health, clock: Arc<dyn Clock>, stop: CancellationToken) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = looks.tick() => {
                    health.set(CONDITION, self.keep_up(Instant::now(), clock.now()));
                }
            }
        }
    }

    /// Whether all keep up, or who does not. Says the same for ten seconds, so that the trace is
    /// not filled with it.
    fn keep_up(&self, at: Instant, now: Millis) -> Result<(), String> {
        let mut followers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        followers.retain(|follower| follower.strong_count() > 0);
        let behind = followers.iter().filter_map(Weak::upgrade).filter_map(|progress| {
            let span_s = progress.behind_ms(at, now)? / BEHIND_MS_MAX * (BEHIND_MS_MAX / 1_000);
            let (name, class) = (progress.name, progress.class.as_str());
            Some(format!(
                "{name} ({class}) chậm hơn {span_s} s / {name} ({class}) is over {span_s} s behind"
            ))
        });
        let behind: Vec<String> = behind.collect();
        if behind.is_empty() { Ok(()) } else { Err(behind.join("; ")) }
    }

    fn begin(&self, name: &'static str, class: Class, role: &Role) -> Arc<Progress> {
        let progress = Arc::new(Progress {
            name,
            class,
            is_projection: *role == Role::Projection,
            caught_up: AtomicBool::new(false),
            turns: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            wanted: AtomicBool::new(true),
            sampled: AtomicU64::new(0),
            seen: Mutex::default(),
        });
        let mut followers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        followers.push(Arc::downgrade(&progress));
        progress
    }
}

/// How one follower gets on. Written by its task alone, read by who looks.
struct Progress {
    name: &'static str,
    class: Class,
    is_projection: bool,
    caught_up: AtomicBool,
    /// Even while it waits for a record, odd while it has one in hand.
    turns: AtomicU64,
    /// Records that a reactor has acknowledged or given back.
    settled: AtomicU64,
    /// Whether the next record is to be kept, so that its age can be told.
    wanted: AtomicBool,
    /// The position of the last record that was kept.
    sampled: AtomicU64,
    seen: Mutex<Seen>,
}

/// What was seen of it at the last look.
#[derive(Default)]
struct Seen {
    /// The first new record since then.
    sample: Option<Arc<Recorded>>,
    /// Since when it has been behind.
    since: Option<Instant>,
}

impl Progress {
    /// For how long it has been behind, where that is longer than it may be.
    ///
    /// It is behind while what it gets is old, or, where it gets nothing, while it does not end
    /// what it has in hand.
    fn behind_ms(&self, at: Instant, now: Millis) -> Option<u64> {
        let turns = self.turns.load(Ordering::Relaxed);
        let in_hand = if self.is_projection {
            turns % 2 == 1
        } else {
            turns.div_ceil(2) > self.settled.load(Ordering::Relaxed)
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let sample = seen.sample.take();
        self.wanted.store(true, Ordering::Relaxed);
        let age_ms = sample.and_then(|recorded| written_at(&recorded)).map(|at| now.since_ms(at));
        let is_reading = self.is_projection && !self.caught_up.load(Ordering::Relaxed);
        if is_reading || !age_ms.map_or(in_hand, |age_ms| age_ms > BEHIND_MS_MAX) {
            seen.since = None;
            return None;
        }
        let since = *seen.since.get_or_insert(at);
        let span_ms = u64::try_from((at - since).as_millis()).unwrap_or(u64::MAX);
        (span_ms >= BEHIND_MS_MAX).then(|| span_ms.max(age_ms.unwrap_or(0)))
    }

    fn keep(&self, recorded: &Arc<Recorded>) {
        // What was given back and comes again is old, and says nothing of the others.
        if recorded.position > self.sampled.load(Ordering::Relaxed) {
            self.sampled.store(recorded.position, Ordering::Relaxed);
            self.wanted.store(false, Ordering::Relaxed);
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.sample = Some(Arc::clone(recorded));
        }
    }

    fn turn(&self, odd: u64) {
        let turns = self.turns.load(Ordering::Relaxed);
        if turns % 2 != odd {
            self.turns.store(turns + 1, Ordering::Relaxed);
        }
    }
}

impl Watch for Progress {
    fn asked(&self) {
        self.turn(0);
    }

    fn met(&self, step: &Step) {
        match step {
            Step::Record(recorded) => {
                self.turn(1);
                if self.wanted.load(Ordering::Relaxed) {
                    self.keep(recorded);
                }
            }
            Step::CaughtUp => self.caught_up.store(true, Ordering::Relaxed),
        }
    }

    fn settled(&self) {
        self.settled.fetch_add(1, Ordering::Relaxed);
    }
}

/// When a record was written, by the clock of who wrote it; `None` where it cannot be read.
fn written_at(recorded: &Recorded) -> Option<Millis> {
    let open = recorded.open.clone();
    let at = match recorded.kind {
        Kind::Command => v1::Command::decode(open).ok()?.written_at_ms,
        Kind::Commit { .. } => v1::Commit::decode(open).ok()?.decided_at_ms,
    };
    Some(Millis(at))
}

/// A log whose followers are watched; all else goes to the log itself.
struct NamedLog {
    log: Arc<dyn EventLog>,
    name: &'static str,
    followers: Followers,
}

impl EventLog for NamedLog {
    fn append(&self, records: Vec<Record>) -> BoxFuture<'_, Result<Appended, AppendError>> {
        self.log.append(records)
    }

    fn load<'a>(
        &'a self,
        key: &'a Key,
        id: Option<domain::ids::RecordId>,
    ) -> BoxFuture<'a, Result<Vec<Arc<Recorded>>, LoadError>> {
        self.log.load(key, id)
    }

    fn follow(&self, following: Following) -> BoxFuture<'_, Result<Follower, FollowError>> {
        Box::pin(async move {
            let (class, role) = (following.class, following.role.clone());
            let follower = self.log.follow(following).await?;
            Ok(follower.watched(self.followers.begin(self.name, class, &role)))
        })
    }

    fn durable(&self, at: At, patience: Duration) -> BoxFuture<'_, Durable> {
        self.log.durable(at, patience)
    }

    fn erase<'a>(
        &'a self,
        alert: AlertId,
        entities: &'a [EntityName],
    ) -> BoxFuture<'a, Result<u64, EraseError>> {
        self.log.erase(alert, entities)
    }
}

#[cfg(test)]
#[path = "followers_tests.rs"]
mod tests;
