//! An instant as it is written in answers: RFC 3339, milliseconds, UTC.

use domain::ids::Millis;
use jiff::{
    Timestamp, Zoned,
    tz::{Offset, TimeZone},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::{
    filter::instant,
    line::{rfc3339_of, timestamp},
};

/// Viet Nam keeps one offset and no summer time.
const OFFSET_H: i8 = 7;

/// An instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub Millis);

impl Time {
    /// An instant as a form gives it: RFC 3339, milliseconds since 1970, or a day and a time in
    /// Việt Nam, as `2026-11-22T14:07`.
    #[must_use]
    pub fn of_field(text: &str) -> Option<Self> {
        let local = || {
            let there = text.parse::<jiff::civil::DateTime>().ok()?;
            let zone = TimeZone::fixed(Offset::from_hours(OFFSET_H).ok()?);
            Some(Millis(there.to_zoned(zone).ok()?.timestamp().as_millisecond()))
        };
        let since = || text.parse().ok().filter(|since| *since >= 0).map(Millis);
        instant(text).or_else(since).or_else(local).map(Self)
    }

    /// The clock in Việt Nam, to the millisecond: what counts is often less than a second.
    #[must_use]
    pub fn clock(self) -> String {
        zoned(self.0).strftime("%H:%M:%S%.3f").to_string()
    }

    /// The same with its day.
    #[must_use]
    pub fn day_and_clock(self) -> String {
        zoned(self.0).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
    }
}

/// The instant in Việt Nam.
pub(crate) fn zoned(at: Millis) -> Zoned {
    let zone = Offset::from_hours(OFFSET_H).map_or(TimeZone::UTC, TimeZone::fixed);
    timestamp(at).to_zoned(zone)
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&rfc3339_of(self.0))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let at: Timestamp = text.parse().map_err(D::Error::custom)?;
        Ok(Self(Millis(at.as_millisecond())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_says_an_instant_in_three_ways() {
        let wanted = Some(Time(Millis(1_795_331_220_000)));
        for said in ["2026-11-22T07:07:00Z", "1795331220000", "2026-11-22T14:07"] {
            assert_eq!(Time::of_field(said), wanted, "{said}");
        }
        for wrong in ["", "14:07", "-5", "2026-13-01T00:00", "x"] {
            assert_eq!(Time::of_field(wrong), None, "{wrong}");
        }
    }
}
