//! Quiet hours: what is not urgent waits for the morning. They hold notices only; everything else
//! goes at once, at any hour.

use crate::{ids::Millis, values::AlertKind};

/// Việt Nam is seven hours ahead of UTC, all year.
pub const VIETNAM_OFFSET_MS: i64 = 7 * 60 * MINUTE_MS;

const MINUTE_MS: i64 = 60_000;
const DAY_MINUTES: u16 = 24 * 60;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// From when until when, in minutes after midnight, Việt Nam's time; over midnight where the end
/// is not after the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    from_minute: u16,
    until_minute: u16,
}

impl Default for QuietHours {
    /// 22:00 to 06:00.
    fn default() -> Self {
        Self { from_minute: 22 * 60, until_minute: 6 * 60 }
    }
}

impl QuietHours {
    /// No hour is quiet.
    pub const NONE: Self = Self { from_minute: 0, until_minute: 0 };

    /// From and until, in minutes after midnight; none where they are the same. `None` where
    /// either is no minute of a day.
    #[must_use]
    pub fn of(from_minute: u16, until_minute: u16) -> Option<Self> {
        let are_of_day = from_minute < DAY_MINUTES && until_minute < DAY_MINUTES;
        are_of_day.then_some(Self { from_minute, until_minute })
    }

    /// Minutes after midnight: from, until.
    #[must_use]
    pub fn minutes(self) -> (u16, u16) {
        (self.from_minute, self.until_minute)
    }

    /// When an alert of this kind may go, where it has to wait: the end of the quiet hours that
    /// `now` lies in. The first minute is quiet, the last is not.
    #[must_use]
    pub fn quiet_until(self, kind: AlertKind, now: Millis) -> Option<Millis> {
        if !kind.heeds_quiet_hours() {
            return None;
        }
        let of_day_ms = now.0.saturating_add(VIETNAM_OFFSET_MS).rem_euclid(DAY_MS);
        let minute_ms = |minute: u16| i64::from(minute) * MINUTE_MS;
        let length_ms =
            (minute_ms(self.until_minute) - minute_ms(self.from_minute)).rem_euclid(DAY_MS);
        let since_ms = (of_day_ms - minute_ms(self.from_minute)).rem_euclid(DAY_MS);
        (since_ms < length_ms).then(|| now.plus_ms(length_ms - since_ms))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An instant of 2 January 1970 in Việt Nam.
    fn at(hour: i64, minute: i64) -> Millis {
        Millis(DAY_MS - VIETNAM_OFFSET_MS + (hour * 60 + minute) * MINUTE_MS)
    }

    #[test]
    fn a_notice_waits_for_the_morning() {
        let usual = QuietHours::default();
        let noon = QuietHours::of(12 * 60, 13 * 60 + 30).unwrap();
        let tomorrow = |hour: i64, minute| at(24 + hour, minute);
        for (quiet, now, until) in [
            (usual, at(21, 59), None),
            (usual, at(22, 0), Some(tomorrow(6, 0))),
            (usual, at(23, 59), Some(tomorrow(6, 0))),
            (usual, at(0, 0), Some(at(6, 0))),
            (usual, at(5, 59), Some(at(6, 0))),
            (usual, at(6, 0), None),
            (noon, at(11, 59), None),
            (noon, at(12, 0), Some(at(13, 30))),
            (noon, at(13, 30), None),
            (QuietHours::NONE, at(0, 0), None),
        ] {
            assert_eq!(quiet.quiet_until(AlertKind::Notice, now), until, "{quiet:?} {now:?}");
            for kind in AlertKind::ALL.iter().copied().filter(|kind| *kind != AlertKind::Notice) {
                assert_eq!(quiet.quiet_until(kind, now), None, "{kind:?}");
            }
        }
        assert_eq!(QuietHours::of(0, DAY_MINUTES), None);
    }

    proptest! {
        #[test]
        fn who_waits_waits_less_than_a_day_and_only_once(
            from in 0u16..DAY_MINUTES,
            until in 0u16..DAY_MINUTES,
            now in -4_000_000_000_000i64..4_000_000_000_000,
        ) {
            let quiet = QuietHours::of(from, until).unwrap();
            if let Some(then) = quiet.quiet_until(AlertKind::Notice, Millis(now)) {
                prop_assert!(then.0 > now && then.0 - now <= DAY_MS);
                prop_assert_eq!(quiet.quiet_until(AlertKind::Notice, then), None);
                prop_assert_eq!((then.0 + VIETNAM_OFFSET_MS).rem_euclid(DAY_MS),
                    i64::from(until) * MINUTE_MS);
            }
        }
    }
}
