//! What is left of a minute, as Zalo's answers say: its last part is kept for what is urgent.
//! Others may use the account too, so our own rate does not know. Source: `channels.md`, 2 and 11.

use std::sync::{Mutex, PoisonError};

use domain::ids::Millis;

const MINUTE_MS: i64 = 60_000;
/// So much of the minute is kept.
const KEPT_PERCENT: u64 = 30;

/// How many requests a minute has, and how many are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left {
    /// `X-RateLimit-Limit`.
    pub(super) limit: u32,
    /// `X-RateLimit-Remain`.
    pub(super) remain: u32,
}

/// The minute that is running.
#[derive(Default)]
pub(super) struct Minute(Mutex<Option<(Millis, Left)>>);

impl Minute {
    /// Zalo said at `now` what is left.
    pub(super) fn saw(&self, left: Left, now: Millis) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, left));
    }

    /// Until when what is not urgent waits; `None` where it need not.
    pub(super) fn kept_until(&self, now: Millis) -> Option<Millis> {
        let (seen, left) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        let minute = |at: Millis| at.0.div_euclid(MINUTE_MS);
        let is_kept = u64::from(left.remain) * 100 < u64::from(left.limit) * KEPT_PERCENT;
        (is_kept && minute(seen) == minute(now)).then(|| Millis((minute(now) + 1) * MINUTE_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_third_of_a_minute_waits_for_the_next() {
        let minute = Minute::default();
        assert_eq!(minute.kept_until(Millis(5)), None);
        minute.saw(Left { limit: 10, remain: 3 }, Millis(1_000));
        assert_eq!(minute.kept_until(Millis(2_000)), None);
        minute.saw(Left { limit: 10, remain: 2 }, Millis(2_000));
        assert_eq!(minute.kept_until(Millis(59_999)), Some(Millis(60_000)));
        assert_eq!(minute.kept_until(Millis(60_000)), None);
    }
}
