//! Corridors: railway stations, coach stops and landings, and how soon one is reached from
//! another. Whoever may be on a train is looked for at the stations ahead, not in a disc.
//!
//! Minutes, no timetable: a train is taken to leave as soon as somebody can be on it, so that an
//! arrival is the earliest there can be.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use crate::{alert::MilliPoint, ids::CommuneCode};

/// The most stations of a set of corridors.
pub const STATIONS_MAX: usize = 5_000;
/// The most stations that one leads on to.
pub const ONWARD_MAX: usize = 64;
/// The longest single ride or wait: a day.
pub const RIDE_MINUTES_MAX: u32 = 1_440;

/// What stops there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StationKind {
    /// Trains.
    Railway,
    /// Coaches.
    Coach,
    /// Ferries.
    Ferry,
}

impl StationKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::Railway, Self::Coach, Self::Ferry];

    /// The kind's word in files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Railway => "railway",
            Self::Coach => "coach",
            Self::Ferry => "ferry",
        }
    }
}

/// Where people get on and off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Station {
    /// The name that edges use: `vinh`.
    pub id: Box<str>,
    /// The name that people use: `Vinh`.
    pub name: Box<str>,
    /// What stops there.
    pub kind: StationKind,
    /// The commune that it lies in.
    pub commune: CommuneCode,
    /// Where it is.
    pub point: MilliPoint,
    /// The next stations, each one way; the way back is an edge of its own.
    pub onward: Vec<Edge>,
}

/// One ride.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The id of the station it leads to.
    pub to: Box<str>,
    /// How long it rides.
    pub travel_minutes: u32,
    /// How long it stands, or is waited for, before it leaves.
    pub wait_minutes: u32,
    /// Whether the minutes are an assumption, from no timetable.
    pub is_assumed: bool,
}

/// Why stations are no corridors: the places of the faulty station and edge, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCorridors {
    /// More than [`STATIONS_MAX`].
    #[error("at most {STATIONS_MAX} stations")]
    TooManyStations,
    /// More than [`ONWARD_MAX`].
    #[error("station {station}: at most {ONWARD_MAX} stations onward")]
    TooManyOnward {
        /// Which.
        station: usize,
    },
    /// Another station has its id.
    #[error("station {station}: station {earlier} has this id")]
    TwiceNamed {
        /// The later one.
        station: usize,
        /// The one that has it first.
        earlier: usize,
    },
    /// An edge leads to a station that is not there.
    #[error("station {station}, edge {edge}: no such station")]
    UnknownStation {
        /// Where it begins.
        station: usize,
        /// Which.
        edge: usize,
    },
    /// An edge leads back to where it begins.
    #[error("station {station}, edge {edge}: leads to itself")]
    ToItself {
        /// Where it begins.
        station: usize,
        /// Which.
        edge: usize,
    },
    /// An edge takes no time, or longer than [`RIDE_MINUTES_MAX`].
    #[error("station {station}, edge {edge}: 1 to {RIDE_MINUTES_MAX} minutes")]
    Minutes {
        /// Where it begins.
        station: usize,
        /// Which.
        edge: usize,
    },
}

/// A commune of a station, and when somebody can be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Which.
    pub commune: CommuneCode,
    /// Minutes after getting on; 0 where somebody gets on.
    pub minutes: u32,
    /// Whether an assumed ride is on the way.
    pub is_assumed: bool,
}

/// Stations and the rides between them. The empty set is a country without any.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Corridors {
    stations: Vec<Station>,
    /// As [`Station::onward`], with places instead of ids: (to, minutes, assumed).
    rides: Vec<Vec<(usize, u32, bool)>>,
}

impl Corridors {
    /// Stations whose edges all lead somewhere.
    ///
    /// # Errors
    /// [`NotCorridors`]: the first fault, by place.
    pub fn new(stations: Vec<Station>) -> Result<Self, NotCorridors> {
        if stations.len() > STATIONS_MAX {
            return Err(NotCorridors::TooManyStations);
        }
        let mut places = BTreeMap::new();
        for (station, known) in stations.iter().enumerate() {
            if let Some(earlier) = places.insert(&*known.id, station) {
                return Err(NotCorridors::TwiceNamed { station, earlier });
            }
        }
        let rides = stations
            .iter()
            .enumerate()
            .map(|(station, known)| rides(station, known, &places))
            .collect::<Result<_, _>>()?;
        Ok(Self { stations, rides })
    }

    /// The stations, in the order they were given.
    #[must_use]
    pub fn stations(&self) -> &[Station] {
        &self.stations
    }

    /// The earliest arrival in each commune of a station that can be reached within `minutes_max`
    /// by whoever gets on at one of these, by commune.
    pub fn ahead(&self, gets_on: impl Fn(&Station) -> bool, minutes_max: u32) -> Vec<Arrival> {
        // Assumed comes after certain, so that of two equally early ways the certain one counts.
        let mut waiting: BinaryHeap<Reverse<(u32, bool, usize)>> = (self.stations.iter())
            .enumerate()
            .filter(|(_, station)| gets_on(station))
            .map(|(place, _)| Reverse((0, false, place)))
            .collect();
        let mut visited = vec![false; self.stations.len()];
        let mut communes: BTreeMap<CommuneCode, Arrival> = BTreeMap::new();
        while let Some(Reverse((minutes, is_assumed, place))) = waiting.pop() {
            let (Some(seen), Some(station), Some(rides)) =
                (visited.get_mut(place), self.stations.get(place), self.rides.get(place))
            else {
                continue;
            };
            if std::mem::replace(seen, true) {
                continue;
            }
            // The first arrival that is taken from the heap is the earliest.
            let commune = station.commune;
            communes.entry(commune).or_insert(Arrival { commune, minutes, is_assumed });
            for (to, ride_minutes, ride_is_assumed) in rides {
                let minutes = minutes.saturating_add(*ride_minutes);
                if minutes <= minutes_max {
                    waiting.push(Reverse((minutes, is_assumed || *ride_is_assumed, *to)));
                }
            }
        }
        communes.into_values().collect()
    }
}

fn rides(
    station: usize,
    known: &Station,
    places: &BTreeMap<&str, usize>,
) -> Result<Vec<(usize, u32, bool)>, NotCorridors> {
    if known.onward.len() > ONWARD_MAX {
        return Err(NotCorridors::TooManyOnward { station });
    }
    let ride = |(edge, leads): (usize, &Edge)| {
        let to = places.get(&*leads.to).copied();
        let to = to.ok_or(NotCorridors::UnknownStation { station, edge })?;
        if to == station {
            return Err(NotCorridors::ToItself { station, edge });
        }
        let fits = (1..=RIDE_MINUTES_MAX).contains(&leads.travel_minutes)
            && leads.wait_minutes <= RIDE_MINUTES_MAX;
        if !fits {
            return Err(NotCorridors::Minutes { station, edge });
        }
        Ok((to, leads.travel_minutes + leads.wait_minutes, leads.is_assumed))
    };
    known.onward.iter().enumerate().map(ride).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A station in the commune of this number, with rides to others: (to, minutes).
    pub(crate) fn station(number: usize, onward: &[(usize, u32)]) -> Station {
        let edge = |(to, minutes): &(usize, u32)| Edge {
            to: format!("s{to}").into(),
            travel_minutes: *minutes,
            wait_minutes: 0,
            is_assumed: false,
        };
        Station {
            id: format!("s{number}").into(),
            name: "Ga".into(),
            kind: StationKind::Railway,
            commune: format!("{number:05}").parse().unwrap(),
            point: MilliPoint { lat_millideg: 0, lon_millideg: 0 },
            onward: onward.iter().map(edge).collect(),
        }
    }

    fn arrivals(stations: Vec<Station>, minutes_max: u32) -> Vec<(String, u32)> {
        let corridors = Corridors::new(stations).unwrap();
        let ahead = corridors.ahead(|station| &*station.id == "s1", minutes_max);
        ahead.iter().map(|arrival| (arrival.commune.to_string(), arrival.minutes)).collect()
    }

    #[test]
    fn the_earliest_way_counts_and_rides_go_one_way() {
        let stations = || {
            vec![
                station(1, &[(2, 30), (3, 90)]),
                station(2, &[(3, 40), (4, 200)]),
                station(3, &[(4, 50), (1, 70)]),
                station(4, &[]),
                station(5, &[(1, 1)]),
            ]
        };
        let (one, two, three, four) = (
            ("00001".into(), 0),
            ("00002".into(), 30),
            ("00003".into(), 70),
            ("00004".into(), 120),
        );
        assert_eq!(arrivals(stations(), 120), [one.clone(), two.clone(), three.clone(), four]);
        assert_eq!(arrivals(stations(), 119), [one, two, three]);
    }

    #[test]
    fn a_wait_counts_and_an_assumption_is_told() {
        let mut first = station(1, &[(2, 30)]);
        first.onward[0].wait_minutes = 12;
        first.onward[0].is_assumed = true;
        let corridors = Corridors::new(vec![first, station(2, &[])]).unwrap();
        let ahead = corridors.ahead(|station| &*station.id == "s1", 100);
        assert_eq!((ahead[0].minutes, ahead[0].is_assumed), (0, false));
        assert_eq!((ahead[1].minutes, ahead[1].is_assumed), (42, true));
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        use NotCorridors as Not;
        let twice = Not::TwiceNamed { station: 1, earlier: 0 };
        let unknown = Not::UnknownStation { station: 0, edge: 1 };
        for (stations, not) in [
            (vec![station(1, &[]), station(1, &[])], twice),
            (vec![station(1, &[(2, 5), (3, 5)]), station(2, &[])], unknown),
            (vec![station(1, &[(1, 5)])], Not::ToItself { station: 0, edge: 0 }),
            (vec![station(1, &[(2, 0)]), station(2, &[])], Not::Minutes { station: 0, edge: 0 }),
            (
                vec![station(1, &[(2, 1_441)]), station(2, &[])],
                Not::Minutes { station: 0, edge: 0 },
            ),
            (vec![station(1, &[(2, 5); 65]), station(2, &[])], Not::TooManyOnward { station: 0 }),
            ((0..5_001).map(|n| station(n, &[])).collect(), Not::TooManyStations),
        ] {
            assert_eq!(Corridors::new(stations), Err(not));
        }
    }

    #[test]
    fn nobody_gets_on_where_there_is_nothing() {
        assert!(Corridors::default().ahead(|_| true, 1_000).is_empty());
    }
}
