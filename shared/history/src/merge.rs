//! All classes of a log as one stream: while catching up by the times that the records bear,
//! then as they come.
//!
//! Times only make the order pleasant to read; the rules are the sequencer's. A cause lies in an
//! earlier class or earlier in its own, so effects are looked for first: then their causes are
//! there too.

use std::{sync::Arc, time::Duration};

use domain::ids::Millis;
use event_log::{Class, EventLog, FollowError, Follower, Following, Role, Step, follower::Cursor};
use futures::{
    FutureExt,
    future::{BoxFuture, select_all},
};
use tokio::time::{Instant, sleep_until};

use crate::reading::Reading;

const RETRY: Duration = Duration::from_secs(1);

/// What comes next.
#[derive(Debug, Clone)]
pub enum Met {
    /// A record; those of a class come in the order of their positions.
    Record(Reading),
    /// Every class has passed the end of the log as it was at the start. Comes once.
    CaughtUp,
    /// The cursor of a class did not fit: it comes again from its start.
    Anew(Class),
    /// Only [`Merge::to_the_end`]: the log cannot be read. The end.
    Trouble(FollowError),
}

/// The classes of a log, followed as projections. Bounded: it holds one record a class.
pub struct Merge {
    log: Arc<dyn EventLog>,
    sources: Vec<Source>,
    /// Goes on after the end, and through every trouble.
    live: bool,
    told: bool,
}

struct Source {
    class: Class,
    /// The last record taken from the follower.
    at: Option<Cursor>,
    follower: Option<Follower>,
    head: Option<Reading>,
    caught_up: bool,
    retry_at: Option<Instant>,
}

impl Merge {
    /// Follows every class for ever, each from where `cursor` says. Trouble is retried, with a
    /// warning.
    pub fn live(log: Arc<dyn EventLog>, cursor: impl Fn(Class) -> Option<Cursor>) -> Self {
        Self::new(log, cursor, true)
    }

    /// Reads every class from its start to the end as it is now. The same log gives the same
    /// order.
    #[must_use]
    pub fn to_the_end(log: Arc<dyn EventLog>) -> Self {
        Self::new(log, |_| None, false)
    }

    fn new(log: Arc<dyn EventLog>, cursor: impl Fn(Class) -> Option<Cursor>, live: bool) -> Self {
        let source = |class| Source {
            class,
            at: cursor(class),
            follower: None,
            head: None,
            caught_up: false,
            retry_at: None,
        };
        Self { log, sources: Class::ALL.map(source).into(), live, told: false }
    }

    /// What comes next; waits for it. Dropping the future loses nothing. With `commands_only`
    /// the records of other classes stay where they are.
    pub async fn next(&mut self, commands_only: bool) -> Met {
        loop {
            if let Some(met) = self.follow().await {
                return met;
            }
            if let Some(met) = self.look() {
                return met;
            }
            if let Some(met) = self.choose(commands_only) {
                return met;
            }
            if let Some(met) = self.wait().await {
                return met;
            }
        }
    }

    /// Begins to follow the classes that nobody follows and that are due.
    async fn follow(&mut self) -> Option<Met> {
        for source in &mut self.sources {
            let due = source.retry_at.is_none_or(|at| at <= Instant::now());
            if source.follower.is_some() || !due || source.is_done(self.live) {
                continue;
            }
            let following =
                Following { class: source.class, role: Role::Projection, from: source.at };
            match self.log.follow(following).await {
                Ok(follower) => source.follower = Some(follower),
                Err(error) => return source.failed(error, self.live),
            }
        }
        None
    }

    /// Takes what is there, without waiting.
    fn look(&mut self) -> Option<Met> {
        for source in self.sources.iter_mut().rev() {
            while source.head.is_none() && !source.is_done(self.live) {
                let Some(follower) = &mut source.follower else { break };
                // Were a ready cause hidden by tokio's budget, its effect would come first.
                let step = tokio::task::unconstrained(follower.next()).now_or_never();
                let Some(step) = step else { break };
                if let Some(met) = source.take(step, self.live) {
                    return Some(met);
                }
            }
        }
        None
    }

    /// The earliest of the records at hand, unless one that is still to be read may be earlier.
    fn choose(&mut self, commands_only: bool) -> Option<Met> {
        if !self.told && self.sources.iter().all(|source| source.caught_up) {
            self.told = true;
            return Some(Met::CaughtUp);
        }
        let ended = |source: &Source| source.class == Class::Command && source.is_done(self.live);
        if commands_only && self.sources.iter().any(ended) {
            let why = "too much waits for commands that are not in the log".to_owned();
            return Some(Met::Trouble(FollowError::Unavailable(why)));
        }
        let wanted = |source: &Source| !commands_only || source.class == Class::Command;
        let unread = |source: &Source| !source.caught_up && source.head.is_none();
        if self.sources.iter().any(|source| wanted(source) && unread(source)) {
            return None;
        }
        self.sources
            .iter_mut()
            .filter(|source| wanted(source) && source.head.is_some())
            .min_by_key(|source| (source.time(), source.class))
            .and_then(|source| source.head.take())
            .map(Met::Record)
    }

    /// Waits until there is something to look at again.
    async fn wait(&mut self) -> Option<Met> {
        let live = self.live;
        let mut retry_at: Option<Instant> = None;
        let mut steps: Vec<BoxFuture<'_, (usize, Result<Step, FollowError>)>> = Vec::new();
        for (index, source) in self.sources.iter_mut().enumerate() {
            if source.head.is_some() || source.is_done(live) {
                continue;
            }
            match &mut source.follower {
                Some(follower) => {
                    steps.push(Box::pin(async move { (index, follower.next().await) }))
                }
                None => retry_at = [retry_at, source.retry_at].into_iter().flatten().min(),
            }
        }
        let step = async {
            if steps.is_empty() { std::future::pending().await } else { select_all(steps).await.0 }
        };
        let (index, step) = tokio::select! {
            step = step => step,
            () = sleep_until(retry_at.unwrap_or_else(Instant::now)), if retry_at.is_some() => {
                return None;
            }
        };
        self.sources.get_mut(index).and_then(|source| source.take(step, live))
    }
}

impl Source {
    /// Nothing more is read of it.
    fn is_done(&self, live: bool) -> bool {
        self.caught_up && !live
    }

    fn time(&self) -> Option<Millis> {
        self.head.as_ref().and_then(|reading| reading.at)
    }

    fn take(&mut self, step: Result<Step, FollowError>, live: bool) -> Option<Met> {
        match step {
            Ok(Step::Record(recorded)) => {
                self.at = Some(Cursor::on(&recorded));
                self.head = Some(Reading::of(recorded));
                None
            }
            Ok(Step::CaughtUp) => {
                self.caught_up = true;
                None
            }
            Err(error) => self.failed(error, live),
        }
    }

    fn failed(&mut self, error: FollowError, live: bool) -> Option<Met> {
        self.follower = None;
        if !live {
            return Some(Met::Trouble(error));
        }
        tracing::warn!(class = self.class.as_str(), %error, "following again");
        match error {
            FollowError::CursorDoesNotFit => {
                self.at = None;
                // What is at hand comes again, from the start.
                self.head = None;
                Some(Met::Anew(self.class))
            }
            FollowError::Unavailable(_) => {
                self.retry_at = Some(Instant::now() + RETRY);
                None
            }
        }
    }
}
