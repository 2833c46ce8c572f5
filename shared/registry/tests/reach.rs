//! The growing reach on real ground: the built-in map, a map with polygons, the North–South line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use domain::{
    alert::{LastSeen, MilliPoint},
    ids::{CommuneCode, Millis},
    reach::{
        Ground, Measured, ReachRequest, Reached, Subject, Terms,
        corridors::Corridors,
        distance::{DistanceM, Located},
        reach_at,
        table::Terrain,
    },
    values::{AlertKind, Travel},
};
use registry::{Fault, Map, corridors};

const T0: Millis = Millis(1_639_477_800_000);

fn code(text: &str) -> CommuneCode {
    text.parse().unwrap()
}

fn point(lat_millideg: i32, lon_millideg: i32) -> MilliPoint {
    MilliPoint { lat_millideg, lon_millideg }
}

fn subject(own: &str, kind: AlertKind, travel: Travel, point: MilliPoint) -> Subject {
    Subject {
        own: code(own),
        kind,
        age_years: None,
        category: None,
        terrain: None,
        travel: Some(travel),
        last_seen: Some(LastSeen { at: Some(T0), point: Some(point) }),
        reported_at: None,
        raised_at: T0,
    }
}

fn after(subject: &Subject, map: &Map, corridors: &Corridors, minutes: i64) -> Reached {
    let ground = Ground { map, corridors, terms: &Terms::default() };
    reach_at(subject, &ReachRequest::Auto, &ground, T0.plus_ms(minutes * 60_000)).unwrap()
}

fn codes(reached: &Reached) -> BTreeSet<CommuneCode> {
    reached.communes.iter().map(|entered| entered.home.commune).collect()
}

/// The theft of 2021-12-14: from Đạ Tẻh (25126) they fled towards Mỹ Đức (25135).
#[test]
fn who_flees_from_da_teh_is_told_of_in_my_duc() {
    let map = Map::builtin().unwrap();
    let fled = subject("25126", AlertKind::Suspect, Travel::Motorbike, point(11_582, 107_460));
    let start = after(&fled, &map, &Corridors::default(), 0);
    let bordering = ["25057", "25135", "25138", "25159", "25162", "26119"].map(code);
    assert_eq!(start.communes[0].home.commune, code("25126"));
    assert_eq!(codes(&start).len(), 7);
    assert!(bordering.iter().all(|commune| codes(&start).contains(commune)));
    assert_eq!(start.figures.unwrap().measured, Measured::Centroid);

    // Every step comes when it was said to come, until an hour's drive is the limit.
    let mut step = start.next.clone();
    let mut known = codes(&start);
    while let Some(next) = step {
        let minutes_before = next.at.plus_ms(-1);
        let ground =
            Ground { map: &map, corridors: &Corridors::default(), terms: &Terms::default() };
        let before = reach_at(&fled, &ReachRequest::Auto, &ground, minutes_before).unwrap();
        assert_eq!(codes(&before), known);
        let then = reach_at(&fled, &ReachRequest::Auto, &ground, next.at).unwrap();
        known.extend(next.communes.iter().map(|entered| entered.home.commune));
        assert_eq!(codes(&then), known);
        step = then.next;
    }
    assert_eq!(after(&fled, &map, &Corridors::default(), 55).next, None);
    assert!((20..80).contains(&known.len()), "{}", known.len());
}

#[test]
fn a_ward_is_a_town_and_an_island_is_alone() {
    let map = Map::builtin().unwrap();
    let cua_nam = subject("00082", AlertKind::LostChild, Travel::OnFoot, point(21_023, 105_851));
    let figures = after(&cua_nam, &map, &Corridors::default(), 0).figures.unwrap();
    assert_eq!((figures.terrain, figures.r95_m), (Terrain::Urban, 5_800));
    let island = map.communes().find(|commune| commune.neighbours.is_empty()).unwrap();
    let millideg = |degrees: f64| (degrees * 1000.0).round() as i32;
    let at = point(millideg(island.lat), millideg(island.lon));
    let alone = subject(island.code.as_str(), AlertKind::LostChild, Travel::OnFoot, at);
    assert_eq!(codes(&after(&alone, &map, &Corridors::default(), 600)), [island.code].into());
}

/// Two communes side by side, the western one with a lake cut out of it.
fn two(with_polygons: bool) -> Map {
    let line = |code: &str, neighbour: &str, west: f64, hole: &str| {
        let (east, middle) = (west + 0.1, west + 0.05);
        let polygon = if with_polygons {
            format!(
                r#","polygon":{{"type":"MultiPolygon","coordinates":[[[[{west},11],[{east},11],[{east},11.1],[{west},11.1],[{west},11]]{hole}]]}}"#
            )
        } else {
            String::new()
        };
        format!(
            r#"{{"code":"{code}","name":"A","type":"xã","province_code":"68","province":"B","lat":11.05,"lon":{middle},"neighbours":["{neighbour}"]{polygon}}}"#
        )
    };
    let hole = ",[[107.02,11.02],[107.04,11.02],[107.04,11.04],[107.02,11.04],[107.02,11.02]]";
    let lines = [line("00001", "00002", 107.0, hole), line("00002", "00001", 107.1, "")];
    Map::parse(lines.join("\n").as_bytes()).unwrap()
}

#[test]
fn where_the_map_has_polygons_the_distance_is_to_the_border() {
    let (map, rough) = (two(true), two(false));
    for (from, to, metres) in [
        (point(11_050, 107_050), "00001", 0),
        (point(11_050, 107_050), "00002", 5_456),
        (point(11_050, 107_090), "00002", 1_091),
        (point(11_050, 107_110), "00002", 0),
        // In the lake: a kilometre from its shore.
        (point(11_030, 107_030), "00001", 1_091),
    ] {
        assert_eq!(map.distance_m(from, code(to)), Some(DistanceM::Border(metres)), "{from:?}");
        let roughly = rough.distance_m(from, code(to));
        assert!(matches!(roughly, Some(DistanceM::Centroid(_))), "{roughly:?}");
    }
    assert_eq!(map.distance_m(point(11_050, 107_050), code("00003")), None);
    let east = point(11_050, 107_170);
    assert_eq!(map.located(east), Some(Located::Inside(code("00002"))));
    assert_eq!(rough.located(east), Some(Located::Nearest(code("00002"))));
    assert_eq!(map.located(point(11_050, 107_300)), Some(Located::Nearest(code("00002"))));
    // The hash is of the lines as they were written, polygons included.
    assert_ne!(map.sha256(), rough.sha256());

    let child = subject("00001", AlertKind::LostChild, Travel::OnFoot, point(11_050, 107_050));
    let none = Corridors::default();
    assert_eq!(codes(&after(&child, &map, &none, 0)).len(), 1);
    assert_eq!(codes(&after(&child, &rough, &none, 0)).len(), 2);
    let step = after(&child, &map, &none, 0).next.unwrap();
    // 5,456 m at 4 km/h, less the 5 minutes of the relay.
    assert_eq!((step.at.since_ms(T0) / 60_000, step.reach_m), (76, 5_456));
}

#[test]
fn the_built_in_corridors_lie_on_the_built_in_map() {
    let map = Map::builtin().unwrap();
    let line = corridors::builtin();
    assert_eq!(line.stations().len(), 26);
    for station in line.stations() {
        let commune = map.commune(station.commune).expect(&station.name);
        let Some(DistanceM::Centroid(metres)) = map.distance_m(station.point, station.commune)
        else {
            panic!("{} has no place", commune.name);
        };
        assert!(metres < 10_000, "{}: {metres} m from {}", station.name, commune.name);
        assert_eq!(map.located(station.point), Some(Located::Nearest(station.commune)));
        for ride in &station.onward {
            let back = line.stations().iter().find(|other| other.id == ride.to).unwrap();
            assert!(back.onward.iter().any(|way| way.to == station.id), "{}", station.name);
            assert!(ride.is_assumed);
        }
    }
    let bytes = include_bytes!("../../../deploy/registry/corridors.jsonl");
    assert_eq!(corridors::parse(bytes, &map).unwrap(), *line);
}

/// Nghệ An, 2026-01-17: on a train along the coast, found at Vinh.
#[test]
fn a_train_from_thanh_hoa_is_awaited_at_vinh_before_it_comes() {
    let map = Map::builtin().unwrap();
    let line = corridors::builtin();
    let station =
        |id: &str| line.stations().iter().find(|station| &*station.id == id).unwrap().clone();
    let from = station("thanh-hoa");
    let rider = subject(
        from.commune.as_str(),
        AlertKind::MissingPerson,
        Travel::PublicTransport,
        from.point,
    );
    let (vinh, hue) = (station("vinh").commune, station("hue").commune);
    // 98 + 38 minutes of riding and twice 3 of standing, less the 5 that a relay takes.
    for (minutes, is_told) in [(0, false), (136, false), (137, true), (600, true)] {
        let told = codes(&after(&rider, &map, &line, minutes));
        assert_eq!(told.contains(&vinh), is_told, "{minutes}");
        assert!(minutes > 400 || !told.contains(&hue));
    }
    let late = after(&rider, &map, &line, 6_000);
    assert!(late.next.is_none() && late.figures.unwrap().is_ride_assumed);
    // Twelve hours of riding are followed, no further: Sài Gòn is not told.
    assert!(!codes(&late).contains(&station("sai-gon").commune));
}

fn corridor_faults(lines: &str) -> Vec<Fault> {
    let map = two(false);
    corridors::parse(lines.as_bytes(), &map).expect_err("it is wrong").as_slice().to_vec()
}

#[test]
fn each_fault_of_a_corridors_file_names_line_and_field() {
    let good = r#"{"id":"a","name":"A","kind":"coach","commune":"00001","lat":11.05,"lon":107.05,"onward":[{"to":"b","minutes":30}]}"#;
    let second = r#"{"id":"b","name":"B","kind":"ferry","commune":"00002","lat":11.05,"lon":107.15,"onward":[]}"#;
    let both = format!("{good}\n{second}\n");
    assert_eq!(corridors::parse(both.as_bytes(), &two(false)).unwrap().stations().len(), 2);
    for (from, to, line, field) in [
        (r#""id":"a""#, r#""id":"A b""#, 1, "id"),
        (r#""id":"b""#, r#""id":"a""#, 2, "id"),
        (r#""name":"B""#, r#""name":"""#, 2, "name"),
        (r#""kind":"ferry""#, r#""kind":"plane""#, 2, "kind"),
        (r#""commune":"00002""#, r#""commune":"2""#, 2, "commune"),
        (r#""commune":"00002""#, r#""commune":"00003""#, 2, "commune"),
        (r#""lat":11.05,"lon":107.15"#, r#""lat":107.15,"lon":11.05"#, 2, "lat"),
        (r#""lon":107.15"#, r#""lon":7.15"#, 2, "lon"),
        (r#""to":"b""#, r#""to":"c""#, 1, "onward[0].to"),
        (r#""to":"b""#, r#""to":"a""#, 1, "onward[0].to"),
        (r#""minutes":30"#, r#""minutes":0"#, 1, "onward[0].minutes"),
        (r#""minutes":30"#, r#""minutes":-1"#, 1, "onward[0].minutes"),
        (r#""minutes":30"#, r#""minutes":30,"speed":1"#, 1, "onward[0].speed"),
        (r#""minutes":30"#, r#""minutes":30,"minutes":30"#, 1, "onward[0].minutes"),
        (r#","onward":[]"#, "", 2, "onward"),
        (second, "", 1, "onward[0].to"),
    ] {
        let lines = both.replacen(from, to, 1);
        let lines = if to.is_empty() && from == second { format!("{good}\n") } else { lines };
        let found = corridor_faults(&lines);
        assert_eq!(found.len(), 1, "{from} → {to}: {found:?}");
        assert_eq!((found[0].line, &*found[0].field), (line, field), "{from} → {to}: {found:?}");
        assert!(found[0].reason.contains(" / "), "{found:?}");
    }
}
