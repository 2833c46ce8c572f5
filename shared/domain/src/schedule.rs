//! When a delivery is tried again, and when it is given up. Sources: interfaces, Webhooks;
//! `channels.md`, section 11.

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
const NEWS_DELAYS_S: [i64; 6] = [0, 5, 300, 1_800, 7_200, 18_000];
const NEWS_EVERY_S: i64 = 36_000;

/// By which times a delivery is tried again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// After 2, 5, 15, 30, 60, 120, 300 s, then every 10 min, to the second: each target is called
    /// for itself.
    Exact,
    /// By the same times and a fifth more or less, by this chance from 0 to 1: what shares an
    /// account and failed together does not come together again.
    Spread(f64),
    /// News over a shared account, which wait for nobody's life: after 5 s, 5 min, 30 min, 2 h,
    /// 5 h, then every 10 h, with the same fifth.
    News(f64),
}

impl Pace {
    fn delay_ms(self, attempt: u32) -> i64 {
        let (delays_s, every_s) = match self {
            Self::Exact | Self::Spread(_) => (&DELAYS_S[..], EVERY_S),
            Self::News(_) => (&NEWS_DELAYS_S[..], NEWS_EVERY_S),
        };
        let usual_s = usize::try_from(attempt).ok().and_then(|n| delays_s.get(n)).copied();
        let usual_ms = usual_s.unwrap_or(every_s) * 1_000;
        match self {
            Self::Exact => usual_ms,
            Self::Spread(chance) | Self::News(chance) => {
                #[expect(clippy::cast_possible_truncation, reason = "a number from 0 to 400")]
                let more = (chance.clamp(0.0, 1.0) * 400.0) as i64;
                usual_ms * (800 + more) / 1_000
            }
        }
    }
}

/// When attempt `attempt + 1` is due: so long after the end of the attempt before as the pace
/// says, or `retry_after_s`, which the holder asked for and which wins. `None` where that is past
/// `give_up_at`.
#[must_use]
pub fn next_attempt(
    attempt: u32,
    ended_at: Millis,
    retry_after_s: Option<u32>,
    give_up_at: Millis,
    pace: Pace,
) -> Option<Millis> {
    let wanted_ms = retry_after_s.map(|wanted_s| i64::from(wanted_s).saturating_mul(1_000));
    let delay_ms = wanted_ms.unwrap_or_else(|| pace.delay_ms(attempt));
    Some(ended_at.plus_ms(delay_ms)).filter(|next| *next < give_up_at)
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
        let next =
            |attempt, after_s, end, pace| next_attempt(attempt, Millis(0), after_s, end, pace);
        let delays = |pace| {
            let delay_s = |attempt| next(attempt, None, end, pace).unwrap().0 / 1_000;
            (1..10).map(delay_s).collect::<Vec<_>>()
        };
        assert_eq!(delays(Pace::Exact), [2, 5, 15, 30, 60, 120, 300, 600, 600]);
        assert_eq!(delays(Pace::Spread(0.5)), delays(Pace::Exact));
        assert_eq!(delays(Pace::Spread(0.0)), [1, 4, 12, 24, 48, 96, 240, 480, 480]);
        assert_eq!(delays(Pace::Spread(1.0))[3..6], [36, 72, 144]);
        let news = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000, 36_000, 36_000];
        assert_eq!(delays(Pace::News(0.5)), news);
        assert_eq!(next(1, Some(40), end, Pace::News(0.0)), Some(Millis(40_000)));
        assert_eq!(next(1, None, Millis(2_000), Pace::Exact), None);
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
