//! Following the nasty log: behind by a time of its own, standing still, ending in the middle,
//! and, for reactors, handing out again what was acknowledged.

use std::{sync::Arc, time::Duration};

use event_log::{
    Class, FollowError, Follower, Following, Position, Recorded, Role, Step, follower::Follow,
};
use futures::future::BoxFuture;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{faults::Fault, nasty::Process};

/// One follower of one class.
pub(crate) struct NastyFollower {
    process: Arc<Process>,
    class: Class,
    who: Who,
    stirred: watch::Receiver<u64>,
    /// How far behind it is.
    lag: Duration,
    /// It stands still until then.
    stalled: Instant,
    /// Losses of the class when it began.
    losses: usize,
    /// The head as it was when following began.
    until: Position,
    caught_up: bool,
}

enum Who {
    /// The record that it saw last.
    Projection(Option<Arc<Recorded>>),
    Reactor(&'static str),
}

/// What a follower finds when it looks.
enum Found {
    Record(Arc<Recorded>),
    CaughtUp,
    /// Nothing yet; when to look again, where nothing stirs before.
    Nothing(Option<Instant>),
}

impl NastyFollower {
    pub(crate) async fn begin(
        process: Arc<Process>,
        following: Following,
    ) -> Result<Follower, FollowError> {
        process.lives().await;
        let Following { class, role, from } = following;
        let (faults, chance, broker) = (&process.faults, &process.chance, &process.broker);
        let broken = faults.now(Fault::BrokenFollowing) && chance.once_in(4);
        if process.is_away() || broken {
            return Err(FollowError::Unavailable("the broker does not answer".to_owned()));
        }
        let who = match role {
            Role::Projection => {
                let last = from.map(|cursor| broker.on(class, cursor));
                if last.as_ref().is_some_and(Option::is_none) {
                    return Err(FollowError::CursorDoesNotFit);
                }
                Who::Projection(last.flatten())
            }
            Role::Reactor(name) => Who::Reactor(name),
        };
        let lag = match faults.now(Fault::Lags) && chance.once_in(2) {
            true => Duration::from_millis(chance.between(1, 2_500)),
            false => Duration::ZERO,
        };
        let stirred = broker.stirred(class);
        let (losses, until) = (broker.losses_of(class).len(), broker.lock().head(class));
        let stalled = Instant::now();
        Ok(Follower::new(Self {
            who,
            class,
            stirred,
            lag,
            stalled,
            losses,
            until,
            caught_up: false,
            process,
        }))
    }

    async fn step(&mut self) -> Result<Step, FollowError> {
        loop {
            self.process.lives().await;
            if self.process.is_away() {
                let mut killed = self.process.lives.subscribe();
                tokio::select! {
                    biased;
                    _ = killed.wait_for(|lives| !*lives) => {}
                    () = self.process.until_back() => {}
                }
                continue;
            }
            // Taken before looking: what comes after wakes the wait below.
            self.stirred.borrow_and_update();
            let again = match self.look()? {
                Found::Record(recorded) => return Ok(Step::Record(recorded)),
                Found::CaughtUp => return Ok(Step::CaughtUp),
                Found::Nothing(again) => again,
            };
            tokio::select! {
                biased;
                _ = self.stirred.changed() => {}
                () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {}
            }
        }
    }

    fn look(&mut self) -> Result<Found, FollowError> {
        let now = Instant::now();
        if self.stalled > now && self.calm_is_far() {
            return Ok(Found::Nothing(Some(self.stalled)));
        }
        // As a follower notices it that looks when it is connected again.
        let losses = self.process.broker.losses_of(self.class);
        let first_lost = losses.iter().skip(self.losses).min().copied();
        self.losses = losses.len();
        if let (Who::Projection(Some(last)), Some(first_lost)) = (&self.who, first_lost)
            && last.position >= first_lost
        {
            return Err(FollowError::CursorDoesNotFit);
        }
        let process = Arc::clone(&self.process);
        let mut state = process.broker.lock();
        let mut again = None;
        let asked = match &self.who {
            Who::Projection(last) => last.as_ref().map_or(0, |last| last.position),
            Who::Reactor(name) => {
                let place = state.places.entry((name, self.class)).or_default();
                let taken = place.take_again(now);
                let asked = place.asked();
                again = place.next_due();
                if let Some(entry) = taken.and_then(|position| state.at(self.class, position)) {
                    return Ok(Found::Record(Arc::clone(&entry.recorded)));
                }
                asked
            }
        };
        let next = state.at(self.class, asked + 1).cloned();
        if !self.caught_up && next.as_ref().is_none_or(|_| asked >= self.until) {
            self.caught_up = true;
            return Ok(Found::CaughtUp);
        }
        let Some(next) = next else { return Ok(Found::Nothing(again)) };
        let due = next.since + self.lag;
        if due > now && self.calm_is_far() {
            return Ok(Found::Nothing(Some(again.map_or(due, |again| again.min(due)))));
        }
        let trouble = self.trouble(now);
        if let Some(trouble) = trouble {
            return trouble;
        }
        match &mut self.who {
            Who::Projection(last) => *last = Some(Arc::clone(&next.recorded)),
            Who::Reactor(name) => {
                state.places.entry((name, self.class)).or_default().take(asked + 1, now);
            }
        }
        Ok(Found::Record(next.recorded))
    }

    /// Lags and stalls end with the faults; whoever waits for the end of one looks again in time.
    fn calm_is_far(&self) -> bool {
        self.process.faults.now(Fault::Lags) || self.process.faults.now(Fault::Stalls)
    }

    /// What happens instead of the next record.
    fn trouble(&mut self, now: Instant) -> Option<Result<Found, FollowError>> {
        let (faults, chance) = (&self.process.faults, &self.process.chance);
        if faults.now(Fault::BrokenFollowing) && chance.once_in(40) {
            return Some(Err(FollowError::Unavailable("the connection was lost".to_owned())));
        }
        if faults.now(Fault::Stalls) && chance.once_in(40) {
            self.stalled = now + Duration::from_millis(chance.between(500, 15_000));
            return Some(Ok(Found::Nothing(Some(self.stalled))));
        }
        None
    }
}

impl Follow for NastyFollower {
    fn next(&mut self) -> BoxFuture<'_, Result<Step, FollowError>> {
        Box::pin(self.step())
    }

    fn acknowledge(&mut self, position: Position) {
        let Who::Reactor(name) = &self.who else { return };
        let process = &self.process;
        let lost = process.faults.now(Fault::LostAcks) && process.chance.once_in(6);
        // What is on its way when the connection goes never arrives.
        if lost || !*process.lives.borrow() || process.is_away() {
            return;
        }
        let mut state = process.broker.lock();
        state.places.entry((name, self.class)).or_default().acknowledge(position);
    }

    fn give_back(&mut self, position: Position) {
        let Who::Reactor(name) = &self.who else { return };
        if !*self.process.lives.borrow() || self.process.is_away() {
            return;
        }
        let mut state = self.process.broker.lock();
        let place = state.places.entry((name, self.class)).or_default();
        place.give_back(position, Instant::now());
        drop(state);
        self.process.broker.stir(self.class);
    }
}
