//! The first line of a map file, where it says which map this is and when it holds:
//! `{"map":{"version":"2025-07-01","valid_from":"2025-07-01","valid_to":null}}`.
//!
//! It is no part of the map's hash: that is of the communes alone.

use domain::{
    dated::Validity,
    ids::{MapVersion, Millis},
};
use jiff::tz;
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    fault::Collector,
    lines::{NOT_AFTER, OnlyObject, Text, instant, parse, present},
    map_line::is_date,
};

/// Viet Nam keeps one offset and no summer time; a day begins at its midnight.
const OFFSET_H: i8 = 7;

/// Which map, and when it holds; it always says from when on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) version: MapVersion,
    pub(crate) valid: Validity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderLine<'a> {
    #[serde(borrow)]
    map: OnlyObject<Fields<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    #[serde(borrow)]
    version: Text<'a>,
    #[serde(borrow)]
    valid_from: Text<'a>,
    /// Absent or `null`: without an end.
    #[serde(borrow, default)]
    valid_to: Option<Text<'a>>,
}

/// Whether this is such a line, right or wrong. No commune has a field `map`.
pub(crate) fn is_header(line: &str) -> bool {
    #[derive(Deserialize)]
    struct Peek {
        #[serde(default, deserialize_with = "present")]
        map: Option<IgnoredAny>,
    }
    serde_json::from_str::<OnlyObject<Peek>>(line).is_ok_and(|OnlyObject(peek)| peek.map.is_some())
}

/// Reads the line; `None` where something was noted.
pub(crate) fn header(number: usize, line: &str, faults: &mut Collector) -> Option<Header> {
    let OnlyObject(fields) = match parse::<HeaderLine<'_>>(number, line) {
        Ok(line) => line.map,
        Err(fault) => {
            faults.push(fault);
            return None;
        }
    };
    let version =
        fields.version.as_str().parse::<MapVersion>().map_err(|not| {
            format!("không phải phiên bản: 1 đến 32 ký tự A-Z a-z 0-9 - _ : / {not}")
        });
    let version = faults.note(number, "map.version", version);
    let from = faults.note(number, "map.valid_from", beginning(fields.valid_from.as_str()));
    let to = fields.valid_to.as_ref().map(|to| beginning(to.as_str())).transpose();
    let to = faults.note(number, "map.valid_to", to);
    let valid = Validity::of(Some(from?), to?).ok_or(NOT_AFTER);
    let valid = faults.note(number, "map.valid_to", valid);
    Some(Header { version: version?, valid: valid? })
}

/// A day's beginning in Viet Nam, or an instant.
fn beginning(text: &str) -> Result<Millis, String> {
    let wrong = || {
        "phải là ngày như 2025-07-01 hoặc thời điểm RFC 3339 / must be a day as 2025-07-01 or an \
         RFC 3339 time"
            .to_owned()
    };
    if !is_date(text) {
        return instant(text).map_err(|_| wrong());
    }
    let day: jiff::civil::Date = text.parse().map_err(|_| wrong())?;
    let zone = tz::TimeZone::fixed(tz::offset(OFFSET_H));
    let at = day.to_zoned(zone).map_err(|_| wrong())?;
    Ok(Millis(at.timestamp().as_millisecond()))
}
