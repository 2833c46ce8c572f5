//! The corridors file: JSON Lines, one station a line with the rides that leave from it. What
//! they mean for a reach is `domain`'s.

use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

use domain::{
    alert::MilliPoint,
    reach::corridors::{Corridors, Edge, NotCorridors, Station, StationKind},
};
use serde::Deserialize;

use crate::{
    fault::{Collector, Fault, Faults, ReadError, none_of, read},
    lines::{OnlyObject, Text, numbered, parse as parse_line},
    map::{Map, not_in_map},
    map_line::{check_name, check_place, commune},
};

/// The largest corridors file that is read.
pub const CORRIDORS_BYTES_MAX: u64 = 16 << 20;
/// The most characters of a station's id.
pub const STATION_ID_CHARS_MAX: usize = 64;

/// The North–South railway (`deploy/registry/README.md` says what is assumed in it).
const BUILTIN: &[u8] = include_bytes!("../../../deploy/registry/corridors.jsonl");

/// A station, as a line has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    commune: Text<'a>,
    lat: f64,
    lon: f64,
    #[serde(borrow)]
    onward: Vec<OnlyObject<Ride<'a>>>,
}

/// One way; the way back stands in the other station's line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ride<'a> {
    #[serde(borrow)]
    to: Text<'a>,
    minutes: u32,
    #[serde(default)]
    wait_minutes: u32,
    #[serde(default)]
    assumed: bool,
}

/// The corridors that are built in. A test holds that they have no faults, and that every commune
/// they name is on the built-in map; on another map, stations of unknown communes reach nobody.
#[must_use]
pub fn builtin() -> Arc<Corridors> {
    static READ: LazyLock<Arc<Corridors>> =
        LazyLock::new(|| Arc::new(parse_with(BUILTIN, None).unwrap_or_default()));
    Arc::clone(&READ)
}

/// Reads a corridors file whose communes are all on this map.
///
/// # Errors
/// The file cannot be read, or is wrong: each fault with line and field.
pub fn read_corridors(path: &Path, map: &Map) -> Result<Corridors, ReadError> {
    read(path, CORRIDORS_BYTES_MAX, |bytes| parse(bytes, map))
}

/// Reads corridors from JSON Lines, in any order; every commune must be on this map.
///
/// # Errors
/// Each fault with line and field.
pub fn parse(bytes: &[u8], map: &Map) -> Result<Corridors, Faults> {
    parse_with(bytes, Some(map))
}

fn parse_with(bytes: &[u8], map: Option<&Map>) -> Result<Corridors, Faults> {
    let mut faults = Collector::default();
    let lines = numbered(bytes, &mut faults);
    faults.check()?;
    let mut stations = Vec::new();
    for (number, text) in lines {
        if faults.is_full() {
            break;
        }
        match parse_line::<Line<'_>>(number, text) {
            Err(fault) => faults.push(fault),
            Ok(line) => stations.extend(station(number, &line, map, &mut faults)),
        }
    }
    faults.check()?;
    // Every line is a station now: the line of a station is its place and one.
    Corridors::new(stations).map_err(refused)
}

fn station(
    number: usize,
    line: &Line<'_>,
    map: Option<&Map>,
    faults: &mut Collector,
) -> Option<Station> {
    let before = faults.len();
    faults.note(number, "id", check_id(line.id.as_str()));
    faults.note(number, "name", check_name(line.name.as_str()));
    let kind = faults.note(number, "kind", kind(line.kind.as_str()));
    let on_map = |code| match map.is_none_or(|map| map.commune(code).is_some()) {
        true => Ok(code),
        false => Err(not_in_map(code.as_str())),
    };
    let commune = faults.note(number, "commune", commune(&line.commune).and_then(on_map));
    check_place((line.lat, line.lon), number, faults);
    if faults.len() > before || faults.is_full() {
        return None;
    }
    let onward = line.onward.iter().map(|OnlyObject(ride)| Edge {
        to: ride.to.as_str().into(),
        travel_minutes: ride.minutes,
        wait_minutes: ride.wait_minutes,
        is_assumed: ride.assumed,
    });
    Some(Station {
        id: line.id.as_str().into(),
        name: line.name.as_str().into(),
        kind: kind?,
        commune: commune?,
        point: MilliPoint { lat_millideg: millideg(line.lat), lon_millideg: millideg(line.lon) },
        onward: onward.collect(),
    })
}

/// Why stations that are right by themselves are no corridors, by line and field.
fn refused(not: NotCorridors) -> Faults {
    use domain::reach::corridors::{ONWARD_MAX, RIDE_MINUTES_MAX, STATIONS_MAX};
    let (station, field, reason) = match not {
        NotCorridors::TooManyStations => (
            STATIONS_MAX,
            String::new(),
            format!("có tối đa {STATIONS_MAX} ga, bến / at most {STATIONS_MAX} stations"),
        ),
        NotCorridors::TooManyOnward { station } => (
            station,
            "onward".to_owned(),
            format!("nhiều hơn {ONWARD_MAX} / are more than {ONWARD_MAX}"),
        ),
        NotCorridors::TwiceNamed { station, earlier } => {
            let line = earlier + 1;
            let reason = format!("đã có ở dòng {line} / stands in line {line} already");
            (station, "id".to_owned(), reason)
        }
        NotCorridors::UnknownStation { station, edge } => (
            station,
            format!("onward[{edge}].to"),
            "không có ga, bến này trong tệp / no such station in this file".to_owned(),
        ),
        NotCorridors::ToItself { station, edge } => {
            (station, format!("onward[{edge}].to"), "dẫn về chính nó / leads to itself".to_owned())
        }
        NotCorridors::Minutes { station, edge } => (
            station,
            format!("onward[{edge}].minutes"),
            format!(
                "phải từ 1 đến {RIDE_MINUTES_MAX} phút / must be 1 to {RIDE_MINUTES_MAX} minutes"
            ),
        ),
    };
    Faults::one(Fault { line: station + 1, field, reason })
}

fn check_id(id: &str) -> Result<(), String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !id.is_empty() && id.len() <= STATION_ID_CHARS_MAX && id.bytes().all(fits) {
        return Ok(());
    }
    let most = STATION_ID_CHARS_MAX;
    Err(format!("phải gồm 1 đến {most} ký tự a-z 0-9 - / must be 1 to {most} of a-z 0-9 -"))
}

fn kind(word: &str) -> Result<StationKind, String> {
    let known = StationKind::ALL.iter().find(|kind| kind.as_str() == word);
    known.copied().ok_or_else(|| none_of("railway, coach, ferry"))
}

/// Degrees of a place in Việt Nam, rounded to the nearest thousandth.
fn millideg(degrees: f64) -> i32 {
    (degrees * 1000.0).round() as i32
}
