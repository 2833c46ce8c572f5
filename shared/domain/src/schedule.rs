//! When a delivery is tried again, and when it is given up. Source: interfaces, Webhooks.

use crate::{
    ids::Millis,
    values::{AlertKind, News},
};

/// One attempt may take this long.
pub const ATTEMPT_MS_MAX: u64 = 10_000;
/// Corrections and closings are tried until so long after they were recorded.
pub const FOLLOW_UP_MS_MAX: i64 = 7 * 24 * 60 * 60 * 1_000;

const DELAYS_S: [i64; 8] = [0, 2, 5, 15, 30, 60, 120, 300];
const EVERY_S: i64 = 600;

/// When attempt `attempt + 1` is due, counted from the first attempt's beginning at `planned_at`:
/// after 2, 5, 15, 30, 60, 120, 300 s, each from the end of the attempt before, then every
/// 10 min. `retry_after_s` is what the holder asked for, and wins. `None` where that is past
/// `give_up_at`.
#[must_use]
pub fn next_attempt(
    attempt: u32,
    ended_at: Millis,
    retry_after_s: Option<u32>,
    give_up_at: Millis,
) -> Option<Millis> {
    let usual_s = usize::try_from(attempt).ok().and_then(|n| DELAYS_S.get(n)).copied();
    let delay_s = retry_after_s.map_or_else(|| usual_s.unwrap_or(EVERY_S), i64::from);
    Some(ended_at.plus_ms(delay_s.saturating_mul(1_000))).filter(|next| *next < give_up_at)
}

/// How long after an attempt whose end is unknown, on a channel where a repeat shows twice,
/// somebody looks what became of it: 20 to 30 s, by `chance` from 0 to 1. An echo comes within
/// 10 s. Source: `channels.md`, section 10.
#[must_use]
pub fn settle_ms(chance: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a number from 0 to 10,000")]
    let more_ms = (chance.clamp(0.0, 1.0) * 10_000.0) as i64;
    20_000 + more_ms
}

/// How often a person who posts by hand is reminded; after that another way is tried.
const REMINDERS_MAX: u32 = 1;

/// When a person who has a message in hand is reminded of it, where they have not said that it was
/// posted: after 2 minutes where a life may hang on it, otherwise after 10. `times` is how often it
/// was handed over. `None` where they were reminded already.
#[must_use]
pub fn remind_at(times: u32, kind: AlertKind, handed_over_at: Millis) -> Option<Millis> {
    let minutes = if kind.life_threatening() { 2 } else { 10 };
    (times <= REMINDERS_MAX).then(|| handed_over_at.plus_ms(minutes * 60_000))
}

/// After this no attempt is made: an alert that has expired is never shown late (R11), and a
/// follow-up is tried for a week.
#[must_use]
pub fn give_up_at(news: News, recorded_at: Millis, expires_at: Millis) -> Millis {
    if news.sets_right() { recorded_at.plus_ms(FOLLOW_UP_MS_MAX) } else { expires_at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_follow_the_schedule_until_the_end() {
        let end = Millis(i64::MAX);
        let delay_s = |attempt| next_attempt(attempt, Millis(0), None, end).unwrap().0 / 1_000;
        let delays: Vec<_> = (1..10).map(delay_s).collect();
        assert_eq!(delays, [2, 5, 15, 30, 60, 120, 300, 600, 600]);
        assert_eq!(next_attempt(1, Millis(0), Some(40), end), Some(Millis(40_000)));
        assert_eq!(next_attempt(1, Millis(0), None, Millis(2_000)), None);
    }

    #[test]
    fn an_alert_ends_with_its_expiry_and_a_correction_after_a_week() {
        assert_eq!(give_up_at(News::Issued, Millis(5), Millis(9)), Millis(9));
        assert_eq!(give_up_at(News::Updated, Millis(5), Millis(9)), Millis(9));
        let week = Millis(5).plus_ms(FOLLOW_UP_MS_MAX);
        for news in [News::Cancelled, News::Corrected, News::Resolved, News::Expired] {
            assert_eq!(give_up_at(news, Millis(5), Millis(9)), week);
        }
    }
}
