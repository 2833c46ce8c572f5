//! How fast messages may leave: by account, by target, and how many of them may be repeats.
//!
//! GCRA (`governor`) over the service's own clock. A part of each rate is held back for what goes
//! first. Nothing waits here: whoever may not leave is told when to come again.

use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use chassis::Clock;
use domain::{delivery::Target, ids::Millis};
use governor::{
    Quota, RateLimiter,
    clock::Clock as Timing,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed, keyed::HashMapStateStore},
};

/// Of 100 messages that an account may send, so many are held back for what goes first.
const HELD_BACK_PERCENT: u32 = 30;
/// An account's rate may be used up ahead by this: a twelfth of a minute.
const BURST_OF_MINUTE: u32 = 12;
/// After so many messages the targets that have not been told for a while are forgotten.
const TIDY_AFTER: u32 = 100_000;
/// Repeats that may leave for each first attempt, in percent, and how many are saved up.
const REPEATS_PERCENT: u32 = 20;
const REPEATS_SAVED_MAX: u32 = 20_000;
/// Repeats a second that may leave in any case: nothing waits for ever.
const REPEATS_A_SECOND_MIN: u32 = 10;

/// The service's clock as governor wants it: it never goes back, whatever the wall clock does.
#[derive(Clone)]
pub(crate) struct Monotonic {
    clock: Arc<dyn Clock>,
    /// The wall clock when it was last looked at, and the milliseconds that have passed.
    seen: Arc<Mutex<(Millis, u64)>>,
}

impl Monotonic {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> Self {
        let seen = Arc::new(Mutex::new((clock.now(), 0)));
        Self { clock: Arc::clone(clock), seen }
    }
}

impl Timing for Monotonic {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        seen.1 = seen.1.saturating_add(now.since_ms(seen.0));
        seen.0 = now;
        Nanos::from(seen.1.saturating_mul(1_000_000))
    }
}

type One = RateLimiter<NotKeyed, InMemoryState, Monotonic, NoOpMiddleware<Nanos>>;
type Each = RateLimiter<Target, HashMapStateStore<Target>, Monotonic, NoOpMiddleware<Nanos>>;

/// A rate, and the smaller one of whatever does not go first.
struct Shared<L> {
    all: L,
    others: L,
}

/// The rate of one account.
pub(crate) struct AccountRate {
    rate: Option<Shared<One>>,
    clock: Monotonic,
}

impl AccountRate {
    /// `per_minute`: `None` where no limit is known.
    pub(crate) fn new(per_minute: Option<u32>, clock: &Monotonic) -> Self {
        let one = |quota| RateLimiter::direct_with_clock(quota, clock.clone());
        let rate = per_minute.map(|most| {
            let quota = |most: u32| per_minute_of(most, (most / BURST_OF_MINUTE).max(1));
            Shared { all: one(quota(most)), others: one(quota(less_held_back(most))) }
        });
        Self { rate, clock: clock.clone() }
    }

    /// Whether there is a limit at all.
    pub(crate) fn is_limited(&self) -> bool {
        self.rate.is_some()
    }

    /// Whether one message may leave now, or after how long.
    pub(crate) fn may_leave(&self, goes_first: bool) -> Result<(), Duration> {
        let Some(rate) = &self.rate else { return Ok(()) };
        if !goes_first {
            rate.others.check().map_err(|not| not.wait_time_from(self.clock.now()))?;
        }
        rate.all.check().map_err(|not| not.wait_time_from(self.clock.now()))
    }
}

/// The rates of the targets of one channel: what goes first is untouched below the whole rate,
/// all else below what is left of it.
pub(crate) struct TargetRates {
    rates: Option<Shared<Each>>,
    /// Messages since targets were forgotten.
    since: AtomicU32,
    clock: Monotonic,
}

impl TargetRates {
    /// `per_minute`: `None` where no limit is known.
    pub(crate) fn new(per_minute: Option<u32>, clock: &Monotonic) -> Self {
        let each = |quota| RateLimiter::hashmap_with_clock(quota, clock.clone());
        let rates = per_minute.map(|most| {
            let quota = |most: u32| per_minute_of(most, most);
            Shared { all: each(quota(most)), others: each(quota(less_held_back(most))) }
        });
        Self { rates, since: AtomicU32::new(0), clock: clock.clone() }
    }

    /// Whether one message may leave for this target now, or after how long.
    pub(crate) fn may_leave(&self, target: &Target, goes_first: bool) -> Result<(), Duration> {
        let Some(rates) = &self.rates else { return Ok(()) };
        if self.since.fetch_add(1, Ordering::Relaxed) >= TIDY_AFTER {
            self.since.store(0, Ordering::Relaxed);
            rates.all.retain_recent();
            rates.others.retain_recent();
        }
        if !goes_first {
            let not = rates.others.check_key(target);
            not.map_err(|not| not.wait_time_from(self.clock.now()))?;
        }
        rates.all.check_key(target).map_err(|not| not.wait_time_from(self.clock.now()))
    }
}

/// How many repeats may leave: a part of what leaves for the first time, so that an account that
/// fails for everybody is not called many times as often as one that works.
pub(crate) struct RepeatBudget {
    least: One,
    /// In hundredths of a repeat.
    saved: Mutex<u32>,
    clock: Monotonic,
}

impl RepeatBudget {
    pub(crate) fn new(clock: &Monotonic) -> Self {
        let second = NonZeroU32::new(REPEATS_A_SECOND_MIN).unwrap_or(NonZeroU32::MIN);
        let least = RateLimiter::direct_with_clock(Quota::per_second(second), clock.clone());
        Self { least, saved: Mutex::new(0), clock: clock.clone() }
    }

    /// Something leaves for the first time.
    pub(crate) fn first(&self) {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        *saved = saved.saturating_add(REPEATS_PERCENT).min(REPEATS_SAVED_MAX * 100);
    }

    /// Whether a repeat may leave now, or after how long.
    pub(crate) fn repeat(&self) -> Result<(), Duration> {
        {
            let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(left) = saved.checked_sub(100) {
                *saved = left;
                return Ok(());
            }
        }
        self.least.check().map_err(|not| not.wait_time_from(self.clock.now()))
    }
}

fn per_minute_of(most: u32, burst: u32) -> Quota {
    let at_least_one = |count: u32| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
    Quota::per_minute(at_least_one(most)).allow_burst(at_least_one(burst))
}

fn less_held_back(most: u32) -> u32 {
    most.saturating_sub(most.saturating_mul(HELD_BACK_PERCENT) / 100).max(1)
}

#[cfg(test)]
mod tests {
    use chassis::VirtualClock;

    use super::*;

    fn clock() -> (VirtualClock, Monotonic) {
        let clock = VirtualClock::at(Millis(1_000_000));
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        (clock, Monotonic::new(&shared))
    }

    fn target(n: u32) -> Target {
        Target {
            group: format!("g-{n}").parse().unwrap(),
            channel: "webhook-1".parse().unwrap(),
            channel_type: "webhook".into(),
        }
    }

    #[test]
    fn what_goes_first_has_its_part_of_an_account() {
        let (time, clock) = clock();
        let rate = AccountRate::new(Some(120), &clock);
        // A minute in which everything else leaves as fast as it may.
        let (mut others, mut first) = (0, 0);
        for second in 0..60 {
            time.set(Millis(1_000_000 + second * 1_000));
            others += (0..100).filter(|_| rate.may_leave(false).is_ok()).count();
            first += (0..100).filter(|_| rate.may_leave(true).is_ok()).count();
        }
        assert!((80..=95).contains(&others), "{others}");
        assert!(first >= 34, "{first}");
        assert!(others + first <= 132);
    }

    #[test]
    fn below_ten_a_minute_a_target_what_goes_first_is_untouched() {
        let (time, clock) = clock();
        let rates = TargetRates::new(Some(10), &clock);
        assert!((0..10).all(|_| rates.may_leave(&target(1), true).is_ok()));
        let wait = rates.may_leave(&target(1), true).unwrap_err();
        assert!(wait <= Duration::from_secs(6), "{wait:?}");
        assert!(rates.may_leave(&target(2), true).is_ok());
        time.set(Millis(1_000_000 + 6_000));
        assert!(rates.may_leave(&target(1), true).is_ok());
        // News use their part up, and leave the rest.
        assert_eq!((0..20).filter(|_| rates.may_leave(&target(3), false).is_ok()).count(), 7);
        assert_eq!((0..20).filter(|_| rates.may_leave(&target(3), true).is_ok()).count(), 3);
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nobody() {
        let (time, clock) = clock();
        let rate = AccountRate::new(Some(60), &clock);
        while rate.may_leave(true).is_ok() {}
        time.set(Millis(0));
        assert!(rate.may_leave(true).unwrap_err() <= Duration::from_secs(2));
    }

    #[test]
    fn repeats_are_a_part_of_what_leaves() {
        let (_, clock) = clock();
        let budget = RepeatBudget::new(&clock);
        (0..100).for_each(|_| budget.first());
        let repeats = (0..1_000).filter(|_| budget.repeat().is_ok()).count();
        assert_eq!(repeats, 30, "a fifth of the first ones, and the least there is");
    }
}
