//! Maps: the facts of the built-in one, and each way a file can be wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use domain::{
    ids::{CommuneCode, Home, Millis},
    maps::NotInForce,
};
use proptest::prelude::*;
use registry::{CommuneKind, Fault, Faults, Map, ReadError};

/// 1 July 2025, 00:00 in Viet Nam.
const JULY_2025: Millis = Millis(1_751_302_800_000);
/// A day later.
const NOW: Millis = Millis(1_751_389_200_000);

fn code(text: &str) -> CommuneCode {
    text.parse().unwrap()
}

fn hex(bytes: [u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_built_in_map_is_viet_nam_of_july_2025() {
    let map = Map::builtin().unwrap();
    assert_eq!(map.len(), 3_321);
    assert_eq!(map.provinces().len(), 34);
    assert_eq!(map.communes().filter(|commune| commune.neighbours.is_empty()).count(), 19);
    assert_eq!(map.communes().map(|commune| commune.neighbours.len()).max(), Some(12));
    let borders: usize = map.communes().map(|commune| commune.neighbours.len()).sum();
    assert_eq!(borders, 2 * 9_265);
    // Computed once by another program (Python's json, keys sorted, integers without `.0`).
    let expected = "91cbf88f293eb7ed602498484eb01542a2f6448c5df2b3407d963a00490b3065";
    assert_eq!(hex(map.sha256()), expected);
    let facts = map.facts(NOW);
    assert_eq!((&*facts.name(), facts.communes), ("2025-07-01", 3_321));
    assert_eq!((facts.valid.from(), facts.valid.to()), (Some(JULY_2025), None));
    assert_eq!(map.not_in_force(NOW), None);
    // Who has a clock as wrong as that is not told that the map is.
    assert_eq!(map.not_in_force(Millis(0)), None);
}

#[test]
fn da_teh_has_its_true_neighbours() {
    let map = Map::builtin().unwrap();
    let da_teh = map.commune(code("25126")).unwrap();
    assert_eq!((&*da_teh.name, da_teh.kind), ("Đạ Tẻh", CommuneKind::Commune));
    assert_eq!((da_teh.province.as_str(), &*da_teh.province_name), ("68", "Lâm Đồng"));
    assert_eq!((da_teh.lat, da_teh.lon), (11.58164, 107.45988));
    let neighbours = ["25057", "25135", "25138", "25159", "25162", "26119"].map(code);
    assert_eq!(map.neighbours(code("25126")), neighbours);
    // 26119 lies in another province.
    assert_ne!(map.commune(code("26119")).unwrap().province, da_teh.province);
    let home = Home { province: da_teh.province, commune: da_teh.code };
    assert_eq!(map.home(da_teh.code), Some(home));
    let province: Vec<_> = map.of_province(da_teh.province).collect();
    assert!(province.contains(&da_teh) && province.iter().all(|c| c.province == da_teh.province));
}

#[test]
fn every_commune_belongs_to_one_province() {
    let map = Map::builtin().unwrap();
    let counted: usize = map.provinces().map(|(code, _)| map.of_province(code).count()).sum();
    assert_eq!(counted, map.len());
    assert_eq!(map.commune(code("99999")), None);
    assert_eq!(map.home(code("99999")), None);
    assert!(map.neighbours(code("99999")).is_empty());
}

/// The maps of the reports are used by the acceptance tests of the whole system.
#[test]
fn the_maps_of_the_reports_are_sound() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/acceptance/maps/");
    for (file, commune, count, neighbour) in [
        ("da-teh-2021.jsonl", "25126", 26, "25135"),
        ("hoang-thinh-2025.jsonl", "15958", 13, "15964"),
        ("trung-luong-2024.jsonl", "18121", 20, "18124"),
    ] {
        let map = Map::read(format!("{folder}{file}").as_ref()).unwrap();
        assert_eq!(map.len(), count, "{file}");
        assert!(map.neighbours(code(commune)).contains(&code(neighbour)), "{file}");
    }
}

/// Two communes that border each other, each with its own faults put in.
fn lines(first: &[(&str, &str)], second: &[(&str, &str)]) -> String {
    let line = |changes: &[(&str, &str)], code: &str, neighbour: &str| {
        let mut fields = BTreeMap::from([
            ("code", format!("{code:?}")),
            ("name", "\"Đạ Tẻh\"".to_owned()),
            ("type", "\"xã\"".to_owned()),
            ("province_code", "\"68\"".to_owned()),
            ("province", "\"Lâm Đồng\"".to_owned()),
            ("lat", "11.5".to_owned()),
            ("lon", "107.5".to_owned()),
            ("area_geo_km2", "145.75".to_owned()),
            ("neighbours", format!("[{neighbour:?}]")),
        ]);
        for (field, value) in changes {
            match *value {
                "" => fields.remove(field),
                value => fields.insert(field, value.to_owned()),
            };
        }
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
        format!("{{{}}}\n", fields.join(","))
    };
    line(first, "25126", "25135") + &line(second, "25135", "25126")
}

fn faults(bytes: impl AsRef<[u8]>) -> Vec<Fault> {
    Map::parse(bytes.as_ref()).expect_err("the map is wrong").as_slice().to_vec()
}

/// The only fault of the second line, where `field` has this value.
fn fault(field: &str, value: &str) -> Fault {
    let found = faults(lines(&[], &[(field, value)]));
    assert_eq!(found.len(), 1, "{field} = {value}: {found:?}");
    assert_eq!(found[0].line, 2, "{field} = {value}");
    found[0].clone()
}

#[test]
fn two_communes_are_a_map() {
    let polygon =
        r#"{"type":"Polygon","coordinates":[[[107.5,11],[107.6,11],[107.6,12],[107.5,11]]]}"#;
    let optional = [
        ("ascii", "\"Da Teh\""),
        ("province_type", "\"tỉnh\""),
        ("pt", "\"surface\""),
        ("valid_from", "\"2025-07-01\""),
        ("valid_to", "\"2030-01-01\""),
        ("polygon", polygon),
        ("area_geo_km2", ""),
    ];
    let text = lines(&optional, &[]);
    assert_eq!(Map::parse(text.as_bytes()).unwrap().len(), 2);
    assert_eq!(Map::parse(text.trim_end().as_bytes()).unwrap().len(), 2, "no line end at the end");
    assert_eq!(Map::parse(text.replace('\n', "\r\n").as_bytes()).unwrap().len(), 2);
}

#[test]
fn a_wrong_field_is_named_with_its_line() {
    for (field, value, named, reason) in [
        ("population", "1", "population", "unknown field"),
        ("name", "", "name", "missing field"),
        ("name", "7", "name", "invalid type"),
        ("name", "\" \"", "name", "blank"),
        ("name", "\"a\\u0000b\"", "name", "control character"),
        ("name", "\"Đa\\u0323\"", "name", "normalisation form C"),
        ("name", "\" a\"", "name", "without spaces around"),
        ("province", "\"\"", "province", "is called Lâm Đồng elsewhere"),
        ("province", "7", "province", "invalid type"),
        ("province", "\"Đồng Nai\"", "province", "is called Lâm Đồng elsewhere"),
        ("province_code", "\"680\"", "province_code", "two digits"),
        ("province_code", "\"00\"", "province_code", "no province"),
        ("code", "\"2513\"", "code", "five digits"),
        ("code", "25135", "code", "invalid type"),
        ("code", "\"25126\"", "code", "stands in line 1 already"),
        ("code", "\"00000\"", "code", "no commune"),
        ("type", "\"làng\"", "type", "xã, phường"),
        ("lat", "\"11.5\"", "lat", "invalid type"),
        ("lat", "25.0", "lat", "not a latitude"),
        ("lat", "null", "lat", "invalid type"),
        ("lon", "-107.5", "lon", "not a longitude"),
        ("area_geo_km2", "0", "area_geo_km2", "not an area"),
        ("ascii", "\"Đạ\"", "ascii", "not a line of ASCII"),
        ("ascii", "null", "ascii", "invalid type"),
        ("pt", "\"middle\"", "pt", "surface"),
        ("province_type", "\"xã\"", "province_type", "tỉnh"),
        ("valid_from", "\"1/7/2025\"", "valid_from", "not a date"),
        ("neighbours", "null", "neighbours", "invalid type"),
        ("neighbours", "[25126]", "neighbours[0]", "invalid type"),
        ("neighbours", "[\"25126\",\"2\"]", "neighbours[1]", "five digits"),
        ("neighbours", "[\"25126\",\"25135\"]", "neighbours[1]", "does not border itself"),
        ("neighbours", "[\"25126\",\"25126\"]", "neighbours[1]", "named twice"),
        ("neighbours", "[\"25126\",\"99999\"]", "neighbours[1]", "99999 is not in the map"),
        ("polygon", "{\"type\":\"Point\",\"coordinates\":[107,11]}", "polygon.type", "Point"),
        ("polygon", "[\"Polygon\",[]]", "polygon", "expected an object"),
        ("polygon", "{\"type\":\"Polygon\",\"coordinates\":[]}", "polygon", "without a ring"),
        ("polygon", "{\"type\":\"Polygon\",\"coordinates\":[[[107,11]]]}", "polygon", "not closed"),
    ] {
        let found = fault(field, value);
        assert_eq!(found.field, named, "{field} = {value}: {found}");
        assert!(found.reason.contains(reason), "{field} = {value}: {found}");
        assert!(found.reason.contains(" / "), "{field} = {value}: {found}");
    }
}

#[test]
fn a_province_has_a_name() {
    let blank = [("province", "\" \"")];
    let found = faults(lines(&blank, &blank));
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].to_string(),
        "dòng 1 (line 1), province: không được để trống / must not be blank"
    );
}

#[test]
fn a_polygon_with_swapped_axes_is_refused() {
    let ring = "[[11,107],[11,108],[12,108],[11,107]]";
    let found = fault("polygon", &format!("{{\"type\":\"Polygon\",\"coordinates\":[{ring}]}}"));
    assert!(found.reason.contains("longitude, latitude"), "{found}");
}

#[test]
fn swapped_coordinates_are_called_so() {
    let found = faults(lines(&[], &[("lat", "107.5"), ("lon", "11.5")]));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].line, found[0].field.as_str()), (2, "lat"));
    let told = "lat 107.5 và lon 11.5 bị đảo / lat 107.5 and lon 11.5 are swapped";
    assert_eq!(found[0].reason, told);
}

#[test]
fn a_one_sided_border_is_named_where_it_is_claimed() {
    let found = faults(lines(&[], &[("neighbours", "[]")]));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].line, found[0].field.as_str()), (1, "neighbours[0]"));
    assert!(found[0].reason.contains("25135 (line 2) does not name 25126 back"), "{}", found[0]);
}

#[test]
fn validity_does_not_end_before_it_begins() {
    let days = [("valid_from", "\"2025-07-01\""), ("valid_to", "\"2025-06-30\"")];
    let found = faults(lines(&[], &days));
    assert_eq!((found[0].line, found[0].field.as_str()), (2, "valid_to"));
}

#[test]
fn what_is_no_json_lines_is_refused_with_its_line() {
    let good = lines(&[], &[]);
    let non_utf8 = [good.as_bytes(), b"{\"code\":\"\xff\"}\n"].concat();
    let deep = format!("{good}{}", "[".repeat(100_000));
    let doubled = good.replacen("\"lat\":11.5", "\"lat\":11.5,\"lat\":11.5", 1);
    for (bytes, line, field, reason) in [
        (b"".to_vec(), 1, "", "empty"),
        (b"\n".to_vec(), 1, "", "empty"),
        (good.replacen('\n', "\n\n", 1).into_bytes(), 2, "", "the line is empty"),
        (non_utf8, 3, "", "not UTF-8 (byte 10"),
        (format!("\u{FEFF}{good}").into_bytes(), 1, "", "byte order mark"),
        (format!("{good}{{\"code\":").into_bytes(), 3, "", "not JSON"),
        (format!("{good}[\"25126\",\"A\"]").into_bytes(), 3, "", "expected an object"),
        (deep.into_bytes(), 3, "", "expected an object"),
        (good.replacen("}\n", "} {}\n", 1).into_bytes(), 1, "", "trailing characters"),
        (doubled.into_bytes(), 1, "lat", "duplicate field"),
    ] {
        let found = faults(bytes);
        assert_eq!((found[0].line, found[0].field.as_str()), (line, field), "{}", found[0]);
        assert!(found[0].reason.contains(reason), "{}", found[0]);
    }
}

#[test]
fn all_faults_are_told_up_to_twenty() {
    let two = faults(lines(&[("lat", "0"), ("type", "\"x\"")], &[("name", "\"\"")]));
    let places: Vec<_> = two.iter().map(|fault| (fault.line, fault.field.as_str())).collect();
    assert_eq!(places, [(1, "type"), (1, "lat"), (2, "name")]);
    let many: Faults = Map::parse("{}\n".repeat(100).as_bytes()).unwrap_err();
    assert_eq!(many.as_slice().len(), 20);
    assert!(
        many.to_string()
            .ends_with("(sau 20 lỗi không đọc tiếp / not read further after 20 faults)")
    );
}

#[test]
fn a_file_is_named_in_its_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.jsonl");
    let missing = Map::read(&path).unwrap_err();
    assert!(matches!(&missing, ReadError::Unreadable { path, .. } if path.contains("map.jsonl")));
    std::fs::write(&path, lines(&[], &[("lat", "0")])).unwrap();
    let faulty = Map::read(&path).unwrap_err().to_string();
    assert!(faulty.contains("map.jsonl:\ndòng 2 (line 2), lat: "), "{faulty}");
}

/// Every commune of the map around Đạ Tẻh, its fields in another order.
fn respelled(line: &str, order: usize) -> String {
    let value: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
    let mut fields: Vec<_> =
        value.iter().map(|(name, value)| format!("{name:?} : {value}")).collect();
    let turn = order % fields.len();
    fields.rotate_left(turn);
    // A number may be spelled in many ways, and a letter be escaped.
    format!("{{ {} }}", fields.join(" , ")).replace('Đ', "\\u0110").replace("145.75", "1.4575e2")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn the_hash_knows_no_order_of_lines_nor_spelling(
        shuffled in Just(include_str!("../../../tests/acceptance/maps/da-teh-2021.jsonl")
            .lines().collect::<Vec<_>>()).prop_shuffle(),
        order in 0usize..10,
    ) {
        let plain = include_bytes!("../../../tests/acceptance/maps/da-teh-2021.jsonl");
        let respelled: Vec<_> = shuffled.iter().map(|line| respelled(line, order)).collect();
        let map = Map::parse(respelled.join("\n").as_bytes()).unwrap();
        prop_assert_eq!(map.sha256(), Map::parse(plain).unwrap().sha256());
    }
}

#[test]
fn another_fact_is_another_hash() {
    let plain = Map::parse(lines(&[], &[]).as_bytes()).unwrap().sha256();
    for (field, value) in [("lat", "11.50001"), ("name", "\"Đạ Tẻh 3\""), ("pt", "\"surface\"")]
    {
        let other = Map::parse(lines(&[], &[(field, value)]).as_bytes()).unwrap().sha256();
        assert_ne!(plain, other, "{field}");
    }
}

fn headed(map: &str) -> String {
    format!("{{\"map\":{map}}}\n{}", lines(&[], &[]))
}

#[test]
fn a_map_may_say_its_version_and_dates() {
    let plain = Map::parse(lines(&[], &[]).as_bytes()).unwrap();
    let bare = plain.facts(NOW);
    assert_eq!(*bare.name(), hex(plain.sha256())[..12]);
    assert_eq!((bare.valid.from(), bare.valid.to()), (Some(NOW), None));
    assert_eq!(plain.not_in_force(NOW), None);
    let hour = JULY_2025.plus_ms(3_600_000);
    for (header, from, to) in [
        (r#"{"version":"a","valid_from":"2025-07-01","valid_to":null}"#, JULY_2025, None),
        (r#"{"version":"a","valid_from":"2025-07-01"}"#, JULY_2025, None),
        (
            r#"{"version":"a","valid_from":"2025-06-30T17:00:00Z","valid_to":"2025-07-01T01:00:00+07:00"}"#,
            JULY_2025,
            Some(hour),
        ),
    ] {
        let map = Map::parse(headed(header).as_bytes()).unwrap();
        let facts = map.facts(NOW);
        assert_eq!((&*facts.name(), facts.valid.from(), facts.valid.to()), ("a", Some(from), to));
        assert_eq!(map.sha256(), plain.sha256(), "the communes alone are hashed");
        assert_eq!(map.not_in_force(NOW), to.map(NotInForce::NoLonger));
    }
    let later = r#"{ "version":"a", "valid_from":"2025-07-03" }"#;
    let map = Map::parse(headed(later).as_bytes()).unwrap();
    let begins = JULY_2025.plus_ms(2 * 86_400_000);
    assert_eq!(map.not_in_force(NOW), Some(NotInForce::NotYet(begins)));
}

#[test]
fn a_wrong_header_is_named_with_its_field() {
    let from = r#""valid_from":"2025-07-01""#;
    for (header, field, reason) in [
        ("7".to_owned(), "map", "expected an object"),
        ("null".to_owned(), "map", "expected an object"),
        (format!("{{{from}}}"), "map.version", "missing field"),
        (r#"{"version":"a"}"#.to_owned(), "map.valid_from", "missing field"),
        (format!(r#"{{"version":"a",{from},"until":1}}"#), "map.until", "unknown field"),
        (format!(r#"{{"version":"",{from}}}"#), "map.version", "a map's version"),
        (format!(r#"{{"version":"bản 1",{from}}}"#), "map.version", "a map's version"),
        (format!(r#"{{"version":7,{from}}}"#), "map.version", "invalid type"),
        (r#"{"version":"a","valid_from":null}"#.to_owned(), "map.valid_from", "invalid type"),
        (r#"{"version":"a","valid_from":"1/7/2025"}"#.to_owned(), "map.valid_from", "a day as"),
        (r#"{"version":"a","valid_from":"0000-99-01"}"#.to_owned(), "map.valid_from", "a day as"),
        (format!(r#"{{"version":"a",{from},"valid_to":"x"}}"#), "map.valid_to", "a day as"),
        (
            format!(r#"{{"version":"a",{from},"valid_to":"2025-07-01"}}"#),
            "map.valid_to",
            "after the beginning",
        ),
    ] {
        let found = faults(headed(&header));
        assert_eq!(found.len(), 1, "{header}: {found:?}");
        assert_eq!((found[0].line, found[0].field.as_str()), (1, field), "{header}");
        assert!(found[0].reason.contains(reason), "{header}: {}", found[0]);
        assert!(found[0].reason.contains(" / "), "{header}: {}", found[0]);
    }
    let header = format!("{{\"map\":{{\"version\":\"a\",{from}}}}}\n");
    let second = faults(lines(&[], &[]) + &header);
    assert_eq!((second[0].line, second[0].field.as_str()), (3, "map"));
    let alone = faults(&header);
    assert!(alone[0].reason.contains("has no commune"), "{}", alone[0]);
    // The lines after it keep their numbers.
    let wrong = faults(header + &lines(&[], &[("lat", "0")]));
    assert_eq!((wrong[0].line, wrong[0].field.as_str()), (3, "lat"));
}

/// Not a limit of time: it prints what a start pays, for who looks (`--nocapture`).
#[test]
fn reading_the_built_in_map_is_quick() {
    let start = std::time::Instant::now();
    let map = Map::builtin().unwrap();
    println!("{} communes in {:?}", map.len(), start.elapsed());
}
