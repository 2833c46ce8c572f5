//! Times as a form has them: Việt Nam's, to the minute.

use domain::ids::Millis;
use jiff::{Timestamp, civil::DateTime, tz::Offset};

/// Việt Nam's civil time, the whole year.
const HANOI: Offset = Offset::constant(7);
const MINUTE_MS: i64 = 60_000;

/// As `datetime-local` has it: `2026-11-21T17:30`; empty beyond the calendar.
pub(super) fn local(at: Millis) -> String {
    let at = Timestamp::from_millisecond(at.0).map(|at| HANOI.to_datetime(at));
    at.map(|at| at.strftime("%Y-%m-%dT%H:%M").to_string()).unwrap_or_default()
}

/// What `datetime-local` has, as RFC 3339. What is no such time stays as it is, and is told.
pub(super) fn rfc3339(local: &str) -> String {
    let time: Option<DateTime> = local.parse().ok();
    time.map_or_else(
        || local.to_owned(),
        |at| format!("{}+07:00", at.strftime("%Y-%m-%dT%H:%M:%S")),
    )
}

/// An instant as RFC 3339, to the minute below.
pub(super) fn to_minute(at: Millis) -> String {
    rfc3339(&local(at))
}

/// RFC 3339 as `datetime-local` has it.
pub(super) fn of_rfc3339(text: &str) -> String {
    let at = text.parse::<Timestamp>();
    at.map(|at| local(Millis(at.as_millisecond()))).unwrap_or_default()
}

/// So many minutes before.
pub(super) fn minutes_before(now: Millis, minutes: i64) -> Millis {
    now.plus_ms(-minutes.saturating_mul(MINUTE_MS))
}

/// How many hours from now until this instant, rounded up.
pub(super) fn hours_until(now: Millis, rfc3339: &str) -> Option<u64> {
    let at = Millis(rfc3339.parse::<Timestamp>().ok()?.as_millisecond());
    Some(at.since_ms(now).div_ceil(60 * MINUTE_MS.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_the_time_of_viet_nam() {
        let at = Millis(1_795_257_059_000);
        assert_eq!(local(at), "2026-11-21T17:30");
        assert_eq!(rfc3339("2026-11-21T17:30"), "2026-11-21T17:30:00+07:00");
        assert_eq!(rfc3339("half past five"), "half past five");
        assert_eq!(of_rfc3339(&to_minute(at)), "2026-11-21T17:30");
        assert_eq!(hours_until(at, "2026-11-22T17:30:00+07:00"), Some(24));
        assert_eq!(local(minutes_before(at, 30)), "2026-11-21T17:00");
    }
}
