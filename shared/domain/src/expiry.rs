//! Expiry: every alert ends by itself, within a limit of its kind; the officer is asked before.
//!
//! After it nothing is told late (R11), and nothing is deleted: expiry is a change of state (R31).

use crate::{
    ids::Millis,
    values::{AlertKind, News},
};

/// No kind's limit is shorter: a night and a day, so that nobody has to wake up to prolong.
pub const LIMIT_HOURS_MIN: u32 = 24;

const HOUR_MS: i64 = 3_600_000;
const ASK_BEFORE_MS_MIN: i64 = 30 * 60_000;
const ASK_BEFORE_MS_MAX: i64 = 6 * HOUR_MS;

/// Why an expiry does not fit. The officer names another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnExpiry {
    /// It lies behind.
    #[error("the expiry has passed")]
    Passed,
    /// Further ahead than the kind allows.
    #[error("at most {hours_max} hours ahead for this kind")]
    TooFar {
        /// The limit.
        hours_max: u32,
    },
}

/// How far ahead an alert of this kind may expire, in hours; who needs longer is asked, and
/// prolongs. Ours; no source has a figure. A suspect's is short, for a stale one harms (R22).
#[must_use]
pub fn limit_hours(kind: AlertKind) -> u32 {
    match kind {
        AlertKind::Suspect | AlertKind::FoundChild => 3 * 24,
        AlertKind::LostChild
        | AlertKind::MissingPerson
        | AlertKind::FoundPerson
        | AlertKind::Hazard => 7 * 24,
        AlertKind::LostProperty
        | AlertKind::FoundProperty
        | AlertKind::ScamWarning
        | AlertKind::Notice => 30 * 24,
    }
}

/// What the form proposes, in hours from now.
#[must_use]
pub fn default_hours(kind: AlertKind) -> u32 {
    match kind {
        AlertKind::LostChild | AlertKind::FoundChild | AlertKind::Suspect | AlertKind::Hazard => 24,
        AlertKind::MissingPerson | AlertKind::FoundPerson => 2 * 24,
        AlertKind::Notice => 3 * 24,
        AlertKind::LostProperty | AlertKind::FoundProperty | AlertKind::ScamWarning => 7 * 24,
    }
}

/// The expiry that the form proposes.
#[must_use]
pub fn proposed(kind: AlertKind, now: Millis) -> Millis {
    now.plus_ms(i64::from(default_hours(kind)) * HOUR_MS)
}

/// Checks an expiry that was asked for.
///
/// # Errors
/// [`NotAnExpiry`]: it has passed, or lies beyond the limit of the kind.
pub fn checked(kind: AlertKind, expires_at: Millis, now: Millis) -> Result<(), NotAnExpiry> {
    let hours_max = limit_hours(kind);
    if expires_at <= now {
        Err(NotAnExpiry::Passed)
    } else if expires_at > now.plus_ms(i64::from(hours_max) * HOUR_MS) {
        Err(NotAnExpiry::TooFar { hours_max })
    } else {
        Ok(())
    }
}

/// When the officer is asked whether the alert is to go on: a tenth of its time before the end,
/// at least half an hour and at most six; in a short one, when half of its time has passed.
#[must_use]
pub fn ask_at(in_force_at: Millis, expires_at: Millis) -> Millis {
    let time_ms = expires_at.0.saturating_sub(in_force_at.0).max(0);
    let before_ms = (time_ms / 10).clamp(ASK_BEFORE_MS_MIN, ASK_BEFORE_MS_MAX).min(time_ms / 2);
    expires_at.plus_ms(-before_ms)
}

/// Whether this news may still be told: an alert or an update never after the expiry (R11), what
/// corrects or closes it also then.
#[must_use]
pub fn may_still_be_told(news: News, expires_at: Millis, now: Millis) -> bool {
    news.sets_right() || now < expires_at
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::*;
    use crate::schedule::give_up_at;

    #[test]
    fn no_limit_is_under_a_day_and_each_default_fits() {
        for kind in AlertKind::ALL.iter().copied() {
            assert!(limit_hours(kind) >= LIMIT_HOURS_MIN, "{kind:?}");
            let now = Millis(7);
            assert_eq!(checked(kind, proposed(kind, now), now), Ok(()), "{kind:?}");
            let limit = now.plus_ms(i64::from(limit_hours(kind)) * HOUR_MS);
            assert_eq!(checked(kind, limit, now), Ok(()), "{kind:?}");
            let hours_max = limit_hours(kind);
            let too_far = Err(NotAnExpiry::TooFar { hours_max });
            assert_eq!(checked(kind, limit.plus_ms(1), now), too_far, "{kind:?}");
            assert_eq!(checked(kind, now, now), Err(NotAnExpiry::Passed), "{kind:?}");
        }
    }

    #[test]
    fn the_officer_is_asked_in_time() {
        for (minutes, before_minutes) in [
            (0, 0),
            (10, 5),
            (60, 30),
            (120, 30),
            (300, 30),
            (600, 60),
            (24 * 60, 144),
            (9_000, 360),
        ] {
            let expires_at = Millis(minutes * 60_000);
            let asked = ask_at(Millis(0), expires_at);
            assert_eq!(expires_at.since_ms(asked), before_minutes * 60_000, "{minutes} minutes");
        }
        // A clock that jumped: already over, so asked at the end.
        assert_eq!(ask_at(Millis(9), Millis(5)), Millis(5));
    }

    proptest! {
        #[test]
        fn the_question_lies_within_the_alerts_time(
            from in any::<i64>(),
            time_ms in 0i64..100_000_000_000,
        ) {
            let from = Millis(from / 2);
            let expires_at = from.plus_ms(time_ms);
            let asked = ask_at(from, expires_at);
            prop_assert!(from <= asked && asked <= expires_at);
        }

        /// The schedule of attempts never outlives what may be told.
        #[test]
        fn nothing_is_tried_that_may_not_be_told(
            news in select(News::ALL.to_vec()),
            recorded_at in 0i64..1_000_000_000,
            expires_at in 0i64..1_000_000_000,
            now in 0i64..2_000_000_000,
        ) {
            let give_up = give_up_at(news, Millis(recorded_at), Millis(expires_at));
            if Millis(now) < give_up {
                prop_assert!(may_still_be_told(news, Millis(expires_at), Millis(now)));
            }
        }
    }
}
