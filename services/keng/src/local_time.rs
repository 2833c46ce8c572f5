//! Times as people read them: in Việt Nam, which has one zone and no summer time.

use domain::ids::Millis;
use jiff::{Timestamp, tz};

/// To the minute.
pub(crate) fn zoned(at: Timestamp) -> String {
    at.to_zoned(tz::TimeZone::fixed(tz::offset(7))).strftime("%Y-%m-%d %H:%M").to_string()
}

/// The same; an instant outside the calendar as its number.
pub(crate) fn local(at: Millis) -> String {
    Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), zoned)
}

/// To the second; what is no time as it stands.
pub(crate) fn clock_of(text: &str) -> String {
    let there = |at: Timestamp| at.to_zoned(tz::TimeZone::fixed(tz::offset(7)));
    let shown = text.parse::<Timestamp>().map(|at| there(at).strftime("%H:%M:%S").to_string());
    shown.unwrap_or_else(|_| text.to_owned())
}
