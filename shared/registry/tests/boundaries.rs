//! Boundaries: who borders whom in small drawn countries, and each way a file can be wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::sync::LazyLock;

use domain::ids::CommuneCode;
use proptest::prelude::*;
use registry::{
    Map,
    boundaries::{BorderRule, Boundaries, Contact, FeatureFaults, Homes, Imported, SNAP_M},
    fault::Fault,
};
use serde_json::{Value, json};

/// Metres east and north of 105° E, 20° N.
type Point = (f64, f64);
type Ring = Vec<Point>;

/// Metres of a degree of longitude and of latitude there.
const DEGREE_M: (f64, f64) = (104_647.0, 110_704.0);

fn code(text: &str) -> CommuneCode {
    text.parse().unwrap()
}

fn rectangle((west, south): Point, (east, north): Point) -> Ring {
    vec![(west, south), (east, south), (east, north), (west, north)]
}

/// A polygon's coordinates: each ring closed by its first point.
fn rings(rings: &[Ring]) -> Value {
    let position = |(x, y): &Point| json!([105.0 + x / DEGREE_M.0, 20.0 + y / DEGREE_M.1]);
    rings
        .iter()
        .map(|ring| ring.iter().chain(ring.first()).map(position).collect::<Value>())
        .collect()
}

fn feature(code: &str, geometry: Value) -> Value {
    json!({
        "type": "Feature",
        "properties": {
            "code": code, "name": format!("Xã {code}"), "type": "xã",
            "province_code": "38", "province": "Thanh Hoá",
        },
        "geometry": geometry,
    })
}

fn polygon(code: &str, polygon: &[Ring]) -> Value {
    feature(code, json!({"type": "Polygon", "coordinates": rings(polygon)}))
}

fn square(code: &str, from: Point, to: Point) -> Value {
    polygon(code, &[rectangle(from, to)])
}

fn collection(features: &[Value]) -> Vec<u8> {
    json!({"type": "FeatureCollection", "features": features}).to_string().into_bytes()
}

fn boundaries(features: &[Value]) -> Boundaries {
    Boundaries::parse(&collection(features)).unwrap()
}

/// The pairs that border, as `12` for 00001 and 00002, with whole metres.
#[track_caller]
fn borders(features: &[Value], expected: &[(&str, f64)]) {
    let contacts = boundaries(features).contacts(SNAP_M);
    let found: Vec<(String, f64)> = contacts
        .iter()
        .filter(|contact| contact.length_m > BorderRule::default().min_border_m)
        .map(|Contact { a, b, length_m }| {
            (format!("{}{}", &a.as_str()[4..], &b.as_str()[4..]), *length_m)
        })
        .collect();
    let is_right = found.len() == expected.len()
        && found.iter().zip(expected).all(|((pair, length_m), (expected, about_m))| {
            pair == expected && (length_m - about_m).abs() < 2.0 + 0.005 * about_m
        });
    assert!(is_right, "found {found:?}, expected {expected:?}");
}

#[test]
fn a_shared_edge_is_a_border_as_long_as_it_is() {
    let west = square("00001", (0.0, 0.0), (1000.0, 1000.0));
    let east = square("00002", (1000.0, 0.0), (2000.0, 1000.0));
    borders(&[west, east], &[("12", 1000.0)]);
}

#[test]
fn at_a_t_junction_all_three_border_and_no_common_vertex_is_needed() {
    let south = square("00001", (0.0, 0.0), (2000.0, 1000.0));
    let north_west = square("00002", (0.0, 1000.0), (1200.0, 2000.0));
    let north_east = square("00003", (1200.0, 1000.0), (2000.0, 2000.0));
    borders(&[south, north_west, north_east], &[("12", 1200.0), ("13", 800.0), ("23", 1000.0)]);
}

#[test]
fn communes_that_meet_at_a_corner_do_not_border() {
    let four = [
        square("00001", (0.0, 0.0), (1000.0, 1000.0)),
        square("00002", (1000.0, 0.0), (2000.0, 1000.0)),
        square("00003", (0.0, 1000.0), (1000.0, 2000.0)),
        square("00004", (1000.0, 1000.0), (2000.0, 2000.0)),
    ];
    let sides = [("12", 1000.0), ("13", 1000.0), ("24", 1000.0), ("34", 1000.0)];
    borders(&four, &sides);
    // Nor with nothing in the other two corners.
    borders(&[four[0].clone(), four[3].clone()], &[]);
    // Nor where one ends in line with where the other begins.
    let beyond = square("00004", (1000.0, -1000.0), (2000.0, 0.0));
    borders(&[four[0].clone(), beyond], &[]);
}

/// However narrow the third commune is, there it lies between them.
#[test]
fn communes_with_a_wedge_between_them_do_not_border() {
    let wedge = polygon("00002", &[vec![(0.0, 0.0), (2000.0, -30.0), (2000.0, 30.0)]]);
    let north =
        polygon("00001", &[vec![(0.0, 0.0), (2000.0, 30.0), (2000.0, 900.0), (0.0, 900.0)]]);
    let south =
        polygon("00003", &[vec![(0.0, 0.0), (2000.0, -30.0), (2000.0, -900.0), (0.0, -900.0)]]);
    borders(&[north, wedge, south], &[("12", 2000.2), ("23", 2000.2)]);
    // Nor with a strip between them that is narrower than the tolerance, drawn with it or apart.
    for gap_m in [0.0, 2.0] {
        let strip = square("00002", (0.0, 0.0), (2000.0, 12.0));
        let above = square("00001", (0.0, 12.0 + gap_m), (2000.0, 900.0));
        let below = square("00003", (0.0, -900.0), (2000.0, -gap_m));
        borders(&[above, strip, below], &[("12", 2000.0), ("23", 2000.0)]);
    }
}

/// Only what lies within the tolerance counts, also where another commune comes near further on.
#[test]
fn where_boundaries_part_the_border_ends() {
    let south = square("00001", (0.0, -900.0), (1000.0, 0.0));
    let parting = vec![(0.0, 15.0), (300.0, 15.0), (800.0, 103.0), (800.0, 900.0), (0.0, 900.0)];
    let coming = square("00003", (900.0, 10.0), (1000.0, 900.0));
    let features = [south, polygon("00002", &[parting]), coming];
    // Some 30 m more where they part: as far as they are no farther apart than the tolerance.
    borders(&features, &[("12", 329.0), ("13", 100.0)]);
}

#[test]
fn a_side_that_a_commune_draws_twice_counts_once() {
    let west = square("00001", (0.0, 0.0), (1000.0, 1000.0));
    let twice =
        [(2000.0, 1000.0), (1500.0, 1000.0)].map(|end| rings(&[rectangle((1000.0, 0.0), end)]));
    let east = feature("00002", json!({"type": "MultiPolygon", "coordinates": twice}));
    // As the west sees it: the east has the border on each of its rings.
    borders(&[west, east], &[("12", 1000.0)]);
}

#[test]
fn a_gap_within_the_tolerance_is_closed_and_a_wider_one_is_not() {
    let west = square("00001", (0.0, 0.0), (1000.0, 1000.0));
    for (gap_m, expected) in
        [(15.0, &[("12", 1000.0)][..]), (-15.0, &[("12", 1030.0)]), (25.0, &[]), (300.0, &[])]
    {
        let east = square("00002", (1000.0 + gap_m, 0.0), (2000.0, 1000.0));
        borders(&[west.clone(), east], expected);
    }
}

/// Two sources draw the same river: other vertices, up to 8 m from the line.
#[test]
fn lines_drawn_twice_are_one_border() {
    let bank = |offset: usize, stray_m: f64| -> Ring {
        let north = (0..=40).map(|step| f64::from(step) * 25.0);
        let stray =
            |place: usize| if (place + offset).is_multiple_of(3) { stray_m } else { -stray_m };
        north.enumerate().map(|(place, y)| (1000.0 + stray(place), y)).collect()
    };
    let mut west = bank(0, 8.0);
    west.extend([(0.0, 1000.0), (0.0, 0.0)]);
    let mut east = bank(1, 6.0);
    east.extend([(2000.0, 1000.0), (2000.0, 0.0)]);
    let found =
        boundaries(&[polygon("00001", &[west]), polygon("00002", &[east])]).contacts(SNAP_M);
    assert_eq!(found.len(), 1);
    assert!((1000.0..1300.0).contains(&found[0].length_m), "{found:?}");
}

#[test]
fn an_enclave_borders_what_surrounds_it() {
    let hole = rectangle((400.0, 400.0), (600.0, 600.0));
    let around = polygon("00001", &[rectangle((0.0, 0.0), (1000.0, 1000.0)), hole.clone()]);
    let enclave = polygon("00002", &[hole]);
    let beside = square("00003", (1000.0, 0.0), (2000.0, 1000.0));
    borders(&[around, enclave, beside], &[("12", 800.0), ("13", 1000.0)]);
}

#[test]
fn each_part_of_a_commune_counts_and_an_island_borders_nothing() {
    let parts = json!([
        rings(&[rectangle((0.0, 0.0), (1000.0, 1000.0))]),
        rings(&[rectangle((5000.0, 0.0), (5500.0, 500.0))]),
    ]);
    let two_parts = feature("00001", json!({"type": "MultiPolygon", "coordinates": parts}));
    let beside_one = square("00002", (1000.0, 0.0), (2000.0, 1000.0));
    let beside_other = square("00003", (5500.0, 0.0), (6000.0, 500.0));
    let island = square("00004", (9000.0, 9000.0), (9900.0, 9900.0));
    let features = [two_parts, beside_one, beside_other, island];
    borders(&features, &[("12", 1000.0), ("13", 500.0)]);
    let imported = import(&features);
    assert!(imported.map.neighbours(code("00004")).is_empty());
    assert_eq!(imported.map.neighbours(code("00001")), ["00002", "00003"].map(code));
}

#[test]
fn a_border_must_be_long_enough() {
    let west = square("00001", (0.0, 0.0), (1000.0, 1000.0));
    let east = square("00002", (1000.0, 960.0), (2000.0, 2000.0));
    let third = square("00003", (1000.0, 0.0), (2000.0, 960.0));
    let features = [west, east, third];
    borders(&features, &[("13", 960.0), ("23", 1000.0)]);
    let imported = import(&features);
    let [touching] = imported.touching.as_slice() else { panic!("{imported:?}") };
    assert_eq!((touching.a, touching.b), (code("00001"), code("00002")));
    assert!((touching.length_m - 40.0).abs() < 0.5, "{touching:?}");
    let rule = BorderRule { min_border_m: 30.0, ..BorderRule::default() };
    let imported = boundaries(&features).to_map(rule, homes(known()), false).unwrap();
    assert!(imported.touching.is_empty());
    assert_eq!(imported.map.neighbours(code("00002")), ["00001", "00003"].map(code));
}

fn known() -> &'static Map {
    static KNOWN: LazyLock<Map> = LazyLock::new(|| Map::builtin().unwrap());
    &KNOWN
}

fn homes(known: &Map) -> Homes<'_> {
    Homes { province: None, known }
}

fn import(features: &[Value]) -> Imported {
    boundaries(features).to_map(BorderRule::default(), homes(known()), false).unwrap()
}

#[test]
fn the_map_has_every_field_and_is_read_as_it_was_written() {
    let mut east = square("00002", (1000.0, 0.0), (2000.0, 1000.0));
    east["properties"]["ascii"] = json!("Xa 00002");
    east["properties"]["valid_from"] = json!("2025-07-01");
    east["properties"]["SHAPE_Area"] = json!(12.5);
    let west = square("00001", (0.0, 0.0), (1000.0, 1000.0));
    let imported = import(&[east, west]);
    let expected = concat!(
        r#"{"code":"00001","name":"Xã 00001","type":"xã","province_code":"38","#,
        r#""province":"Thanh Hoá","lat":20.00452,"lon":105.00478,"area_geo_km2":1.0,"#,
        r#""neighbours":["00002"]}"#,
        "\n",
        r#"{"code":"00002","name":"Xã 00002","ascii":"Xa 00002","type":"xã","#,
        r#""province_code":"38","province":"Thanh Hoá","lat":20.00452,"lon":105.01433,"#,
        r#""area_geo_km2":1.0,"valid_from":"2025-07-01","neighbours":["00001"]}"#,
        "\n",
    );
    assert_eq!(imported.text, expected);
    assert_eq!(Map::parse(imported.text.as_bytes()).unwrap().sha256(), imported.map.sha256());
    assert_eq!(imported.homes_found, 0);
}

#[test]
fn polygons_are_written_where_wanted_and_the_map_takes_them() {
    let hole = rectangle((400.0, 400.0), (600.0, 600.0));
    let around = polygon("00001", &[rectangle((0.0, 0.0), (1000.0, 1000.0)), hole.clone()]);
    let parts = json!([rings(&[hole]), rings(&[rectangle((3000.0, 0.0), (4000.0, 900.0))])]);
    let within = feature("00002", json!({"type": "MultiPolygon", "coordinates": parts}));
    let features = [around, within];
    let known = known();
    let read = boundaries(&features);
    let with = read.to_map(BorderRule::default(), homes(known), true).unwrap();
    let without = read.to_map(BorderRule::default(), homes(known), false).unwrap();
    for (line, feature) in with.text.lines().zip(&features) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["polygon"], feature["geometry"]);
    }
    assert_ne!(with.map.sha256(), without.map.sha256());
    for (one, other) in with.map.communes().zip(without.map.communes()) {
        assert_eq!((one.code, &one.neighbours), (other.code, &other.neighbours));
    }
}

#[test]
fn a_crescent_has_its_place_on_its_surface_and_its_hole_is_no_area() {
    let crescent = polygon(
        "00001",
        &[vec![
            (0.0, 0.0),
            (3000.0, 0.0),
            (3000.0, 300.0),
            (300.0, 300.0),
            (300.0, 2700.0),
            (3000.0, 2700.0),
            (3000.0, 3000.0),
            (0.0, 3000.0),
        ]],
    );
    let hole = rectangle((11_000.0, 1000.0), (12_000.0, 2000.0));
    // Drawn the other way round: the area is what it is.
    let mut outside = rectangle((10_000.0, 0.0), (13_000.0, 3000.0));
    outside.reverse();
    let ring = polygon("00002", &[outside, hole]);
    let imported = import(&[crescent, ring]);
    let lines: Vec<Value> =
        imported.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (line, area) in lines.iter().zip([2.52, 8.0]) {
        assert_eq!(line["pt"], "surface");
        assert!((line["area_geo_km2"].as_f64().unwrap() - area).abs() < 0.011, "{line}");
    }
    let east_m = (lines[0]["lon"].as_f64().unwrap() - 105.0) * DEGREE_M.0;
    assert!((0.0..=300.0).contains(&east_m), "{east_m}");
}

#[test]
fn the_province_is_the_features_or_the_one_told_or_that_of_the_known_map() {
    let mut bare = square("25126", (0.0, 0.0), (1000.0, 1000.0));
    for field in ["province_code", "province"] {
        bare["properties"].as_object_mut().unwrap().remove(field);
    }
    let known = known();
    let home = |feature: &Value, told: Option<&str>| {
        let homes = Homes { province: told.map(|told| told.parse().unwrap()), known };
        let read = boundaries(std::slice::from_ref(feature));
        let imported = read.to_map(BorderRule::default(), homes, false).unwrap();
        let commune = imported.map.commune(code("25126")).unwrap();
        (commune.province.to_string(), commune.province_name.to_string(), imported.homes_found)
    };
    let is = |code: &str, name: &str, found| (code.to_owned(), name.to_owned(), found);
    assert_eq!(home(&bare, None), is("68", "Lâm Đồng", 1));
    assert_eq!(home(&bare, Some("42")), is("42", "Hà Tĩnh", 1));
    let mut half = bare.clone();
    half["properties"]["province_code"] = json!("38");
    assert_eq!(home(&half, Some("42")), is("38", "Thanh Hoá", 0));
    half["properties"]["province"] = json!("Xứ Thanh");
    assert_eq!(home(&half, None), is("38", "Xứ Thanh", 0));
}

/// The only fault of the second of two features, after the change.
#[track_caller]
fn fault(change: impl FnOnce(&mut Value)) -> Fault {
    let west = square("00001", (0.0, 0.0), (1000.0, 1000.0));
    let mut east = square("00002", (1000.0, 0.0), (2000.0, 1000.0));
    change(&mut east);
    let found = faults(&collection(&[west, east]));
    assert_eq!(found.as_slice().len(), 1, "{found}");
    let fault = &found.as_slice()[0];
    assert!(fault.reason.contains(" / "), "{fault:?}");
    fault.clone()
}

fn faults(bytes: &[u8]) -> FeatureFaults {
    let known = known();
    let made = Boundaries::parse(bytes)
        .and_then(|read| read.to_map(BorderRule::default(), homes(known), false));
    made.map(|imported| imported.text).expect_err("the file is wrong")
}

#[test]
fn a_fault_names_feature_and_field() {
    let ring = "geometry.coordinates[0]";
    type Change = fn(&mut Value);
    let cases: &[(&str, &str, Change)] = &[
        ("type", "must be Feature", |f| f["type"] = json!("Point")),
        ("properties.code", "stands in feature 1 already", |f| {
            f["properties"]["code"] = json!("00001");
        }),
        ("properties.code", "five digits", |f| f["properties"]["code"] = json!("2")),
        ("properties.code", "00000 is no commune", |f| f["properties"]["code"] = json!("00000")),
        ("properties.code", "expected a string", |f| f["properties"]["code"] = json!(2)),
        ("properties.name", "missing field", |f| {
            f["properties"].as_object_mut().unwrap().remove("name");
        }),
        ("properties.name", "normalisation form C", |f| {
            f["properties"]["name"] = json!("Thanh Ho\u{61}\u{301}");
        }),
        ("properties.type", "xã, phường", |f| f["properties"]["type"] = json!("commune")),
        ("properties.province_code", "two digits", |f| {
            f["properties"]["province_code"] = json!("8");
        }),
        ("properties.province_code", "no commune 00002", |f| {
            f["properties"].as_object_mut().unwrap().remove("province_code");
        }),
        ("properties.valid_from", "not a date", |f| {
            f["properties"]["valid_from"] = json!("1/7/2025");
        }),
        ("properties", "expected an object", |f| f["properties"] = json!(null)),
        ("geometry", "cannot be read", |f| f["geometry"] = json!(null)),
        ("geometry", "cannot be read", |f| f["geometry"]["coordinates"] = json!([[["x", 1]]])),
        ("geometry.type", "must be Polygon or MultiPolygon", |f| {
            f["geometry"] = json!({"type": "Point", "coordinates": [105, 20]});
        }),
        ("geometry.coordinates", "has no ring", |f| f["geometry"]["coordinates"] = json!([])),
        ("geometry.coordinates", "has no polygon", |f| {
            f["geometry"] = json!({"type": "MultiPolygon", "coordinates": []});
        }),
        ("geometry.coordinates[1]", "has no ring", |f| {
            let polygon = f["geometry"]["coordinates"].clone();
            f["geometry"] = json!({"type": "MultiPolygon", "coordinates": [polygon, []]});
        }),
        (ring, "fewer than four points", |f| {
            f["geometry"]["coordinates"] = json!([[[105, 20], [105, 21], [105, 20]]]);
        }),
        (ring, "not closed", |f| {
            f["geometry"]["coordinates"][0].as_array_mut().unwrap().pop();
            f["geometry"]["coordinates"][0].as_array_mut().unwrap().push(json!([105.5, 20.5]));
        }),
        ("geometry.coordinates[0][0]", "is swapped", |f| {
            for point in f["geometry"]["coordinates"][0].as_array_mut().unwrap() {
                point.as_array_mut().unwrap().reverse();
            }
        }),
        ("geometry.coordinates[0][2]", "lies outside", |f| {
            f["geometry"]["coordinates"][0][2] = json!([505_000.0, 2_211_000.0]);
        }),
        ("area_geo_km2", "not an area", |f| {
            f["geometry"]["coordinates"] = json!([[[105, 20], [105, 20], [105, 20], [105, 20]]]);
        }),
    ];
    for (field, reason, change) in cases {
        let found = fault(change);
        assert_eq!((found.line, found.field.as_str()), (2, *field), "{reason}: {found:?}");
        assert!(found.reason.contains(reason), "{field}: {found:?}");
    }
}

#[test]
fn a_file_that_is_no_collection_is_refused_as_a_whole() {
    let point = json!({"type": "Point", "coordinates": [105, 20]}).to_string();
    for (bytes, told) in [
        (&b""[..], "tệp (file): không phải FeatureCollection / is no FeatureCollection: EOF"),
        (b"[]", "tệp (file): không phải FeatureCollection"),
        (b"{\"type\":\"FeatureCollection\",\n\"features\":[}", "line 2"),
        (
            b"{\"type\":\"FeatureCollection\",\"features\":[]}",
            "tệp (file), features: không có xã nào",
        ),
        (
            b"{\"type\":\"Topology\",\"features\":[{}]}",
            "tệp (file), type: phải là FeatureCollection",
        ),
        (b"\xFF", "tệp (file): không phải UTF-8 / is not UTF-8 (byte 1)"),
        (point.as_bytes(), "missing field `features`"),
    ] {
        let found = faults(bytes).to_string();
        assert!(found.contains(told), "{found}");
    }
}

#[test]
fn all_faults_are_told_up_to_a_limit() {
    let wrong = |number: usize| feature(&format!("{number:05}"), json!(null));
    let found = faults(&collection(&(1..=3).map(wrong).collect::<Vec<_>>()));
    assert_eq!(found.as_slice().iter().map(|fault| fault.line).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(
        found.to_string().starts_with("đối tượng 1 (feature 1), geometry: không đọc được / "),
        "{found}"
    );
    let found = faults(&collection(&(1..=30).map(wrong).collect::<Vec<_>>()));
    assert_eq!(found.as_slice().len(), 20);
    assert!(found.to_string().ends_with("not read further after 20 faults)"), "{found}");
}

/// A country of 4 by 3 communes, each about a kilometre wide, each corner drawn by each of its
/// communes on its own: up to 4 m beside where it is.
fn noisy_country() -> impl Strategy<Value = Vec<Value>> {
    let stray = prop::collection::vec((-4.0..4.0, -4.0..4.0), 48);
    let bend = prop::collection::vec((-200.0..200.0, -200.0..200.0), 20);
    (stray, bend).prop_map(|(stray, bend)| {
        let corner = |(column, row): (usize, usize), drawn: usize| -> Point {
            let (bend, stray): (Point, Point) = (bend[row * 5 + column], stray[drawn]);
            let at = |place: usize, bend: f64, stray: f64| place as f64 * 1000.0 + bend + stray;
            (at(column, bend.0, stray.0), at(row, bend.1, stray.1))
        };
        let commune = |place: usize| {
            let (column, row) = (place % 4, place / 4);
            let corners = [(0, 0), (1, 0), (1, 1), (0, 1)];
            let drawn = |(nth, (x, y)): (usize, (usize, usize))| {
                corner((column + x, row + y), place * 4 + nth)
            };
            let ring = corners.into_iter().enumerate().map(drawn).collect();
            polygon(&format!("{:05}", place + 1), &[ring])
        };
        (0..12).map(commune).collect()
    })
}

fn shuffled() -> impl Strategy<Value = (Vec<Value>, Vec<Value>)> {
    noisy_country().prop_flat_map(|country| (Just(country.clone()), Just(country).prop_shuffle()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The neighbours are those of the grid, each names the other, and neither the order of the
    /// features nor where a ring begins changes a byte of who borders whom.
    #[test]
    fn the_order_of_features_does_not_matter(
        (country, mut other) in shuffled(),
        turn in 0usize..4,
    ) {
        let imported = import(&country);
        prop_assert_eq!(&imported.text, &import(&other).text);
        for place in 0..12 {
            let (column, row) = (place % 4, place / 4);
            let mut expected = Vec::new();
            if row > 0 { expected.push(place - 4); }
            if column > 0 { expected.push(place - 1); }
            if column < 3 { expected.push(place + 1); }
            if row < 2 { expected.push(place + 4); }
            let name = |place: usize| code(&format!("{:05}", place + 1));
            let expected: Vec<_> = expected.into_iter().map(name).collect();
            prop_assert_eq!(imported.map.neighbours(name(place)), expected);
        }
        for feature in &mut other {
            let ring = feature["geometry"]["coordinates"][0].as_array_mut().unwrap();
            ring.pop();
            ring.rotate_left(turn);
            ring.push(ring[0].clone());
        }
        for (one, other) in imported.map.communes().zip(import(&other).map.communes()) {
            prop_assert_eq!(&one.neighbours, &other.neighbours);
        }
    }
}
