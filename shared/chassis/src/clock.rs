//! The port of time: the system's clock, and a virtual one for timelines.
//!
//! For deciders and reactors, which wait for a time of day (an expiry), not for a span: the wall
//! clock may jump, and what falls due by it must then fall due at once. Time-outs of calls are
//! tokio's matter.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use domain::ids::Millis;
use futures::future::BoxFuture;

/// Time, as an argument to whoever needs it. Any thread may ask; a dropped sleep leaves nothing
/// behind.
pub trait Clock: Send + Sync {
    /// The wall clock. It may go back.
    fn now(&self) -> Millis;

    /// Ends when [`Self::now`] has reached `at`, at once where it has; after a jump of the system's
    /// clock at most a second late.
    fn sleep_until(&self, at: Millis) -> BoxFuture<'_, ()>;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// The longest sleep without a look at the clock, which may have been set meanwhile.
const LOOK_AGAIN_MS_MAX: u64 = 1_000;

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        let ms = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Millis(ms(since)),
            Err(before) => Millis(ms(before.duration()).saturating_neg()),
        }
    }

    fn sleep_until(&self, at: Millis) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            loop {
                let remaining = at.since_ms(self.now());
                if remaining == 0 {
                    return;
                }
                let nap = remaining.min(LOOK_AGAIN_MS_MAX);
                tokio::time::sleep(Duration::from_millis(nap)).await;
            }
        })
    }
}

/// A clock that moves only when it is told to. Needs no runtime. Cloning gives the same clock.
#[derive(Debug, Clone, Default)]
pub struct VirtualClock(Arc<Mutex<Timeline>>);

#[derive(Debug, Default)]
struct Timeline {
    now: Millis,
    /// The waker of each sleep, by due time and then by the order in which they began.
    sleepers: BTreeMap<(Millis, u64), Waker>,
    began: u64,
}

impl VirtualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn at(now: Millis) -> Self {
        let clock = Self::default();
        clock.timeline().now = now;
        clock
    }

    /// Sets the clock, also back, and wakes whoever is due, the earliest first. A timeline that
    /// wants each of them to see its own time steps with [`Self::step`] instead.
    pub fn set(&self, now: Millis) {
        let due = {
            let mut timeline = self.timeline();
            timeline.now = now;
            let later = timeline.sleepers.split_off(&(now.plus_ms(1), 0));
            std::mem::replace(&mut timeline.sleepers, later)
        };
        // Outside of the lock: a waker may run its task at once.
        due.into_values().for_each(Waker::wake);
    }

    /// Moves the clock on and wakes whoever is due.
    pub fn advance_ms(&self, ms: u64) {
        let now = self.now().plus_ms(i64::try_from(ms).unwrap_or(i64::MAX));
        self.set(now);
    }

    /// When the next sleeper is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Millis> {
        self.timeline().sleepers.keys().next().map(|(due, _)| *due)
    }

    /// Moves the clock to the next due time, if that is not after `until`, and wakes those who are
    /// due then; otherwise moves it to `until` and answers `None`. Between two steps the caller
    /// lets the woken do their work.
    pub fn step(&self, until: Millis) -> Option<Millis> {
        let due = self.next_due().filter(|due| *due <= until);
        self.set(due.unwrap_or(until));
        due
    }

    fn timeline(&self) -> MutexGuard<'_, Timeline> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Millis {
        self.timeline().now
    }

    fn sleep_until(&self, at: Millis) -> BoxFuture<'_, ()> {
        Box::pin(VirtualSleep { clock: self, at, place: None })
    }
}

struct VirtualSleep<'a> {
    clock: &'a VirtualClock,
    at: Millis,
    place: Option<u64>,
}

impl Future for VirtualSleep<'_> {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut timeline = self.clock.timeline();
        if timeline.now >= self.at {
            return Poll::Ready(());
        }
        let place = self.place.unwrap_or(timeline.began);
        if self.place.is_none() {
            timeline.began = timeline.began.saturating_add(1);
        }
        timeline.sleepers.insert((self.at, place), context.waker().clone());
        drop(timeline);
        self.place = Some(place);
        Poll::Pending
    }
}

impl Drop for VirtualSleep<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.clock.timeline().sleepers.remove(&(self.at, place));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleepers_wake_in_the_order_of_their_times() {
        let clock = VirtualClock::at(Millis(1_000));
        let woken = Arc::new(Mutex::new(Vec::new()));
        for (name, at) in [("c", 3_000), ("a", 1_500), ("b1", 2_000), ("b2", 2_000)] {
            let (clock, woken) = (clock.clone(), Arc::clone(&woken));
            tokio::spawn(async move {
                clock.sleep_until(Millis(at)).await;
                woken.lock().unwrap().push((name, clock.now().0));
            });
            tokio::task::yield_now().await;
        }
        while let Some(due) = clock.step(Millis(2_500)) {
            assert_eq!(due, clock.now());
            tokio::task::yield_now().await;
        }
        assert_eq!(clock.now(), Millis(2_500));
        clock.advance_ms(10_000);
        tokio::task::yield_now().await;
        let wanted = [("a", 1_500), ("b1", 2_000), ("b2", 2_000), ("c", 12_500)];
        assert_eq!(*woken.lock().unwrap(), wanted);
        assert_eq!(clock.next_due(), None);
    }

    #[tokio::test]
    async fn a_sleep_given_up_leaves_nothing_and_a_past_one_ends_at_once() {
        let clock = VirtualClock::at(Millis(5));
        clock.sleep_until(Millis(5)).await;
        let mut sleep = clock.sleep_until(Millis(6));
        assert!(futures::poll!(&mut sleep).is_pending());
        assert_eq!(clock.next_due(), Some(Millis(6)));
        clock.set(Millis(-10));
        assert!(futures::poll!(&mut sleep).is_pending());
        drop(sleep);
        assert_eq!(clock.next_due(), None);
    }

    #[tokio::test]
    async fn the_systems_clock_sleeps_until_its_time() {
        let clock = SystemClock;
        let at = clock.now().plus_ms(20);
        clock.sleep_until(at).await;
        assert!(clock.now() >= at);
        clock.sleep_until(Millis(0)).await;
    }
}
