//! The officers file, as people write it, and as it is refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use domain::{
    directory::RosterFacts,
    ids::{Home, Millis},
    roster::{DAY_MIN, Hours, Weekday},
    values::Role,
};
use registry::{Directory, Map, Officers, officers::parse_officers};

/// 2026-01-01 is a Thursday.
const THURSDAY_19: &str = "2026-01-01T19:00:00+07:00";

fn map() -> Map {
    let line = |code: &str, neighbour: &str| {
        format!(
            r#"{{"code":"{code}","name":"Xã","type":"xã","province_code":"68","province":"Lâm Đồng","lat":11.5,"lon":107.4,"area_geo_km2":10,"neighbours":["{neighbour}"]}}"#
        )
    };
    Map::parse(format!("{}\n{}\n", line("25126", "25135"), line("25135", "25126")).as_bytes())
        .unwrap()
}

fn officers(lines: &[&str]) -> Result<Officers, Vec<(usize, String)>> {
    parse_officers(lines.join("\n").as_bytes(), &map()).map_err(|faults| {
        faults.as_slice().iter().map(|fault| (fault.line, fault.field.clone())).collect()
    })
}

fn at(text: &str) -> Millis {
    let at: jiff::Timestamp = text.parse().unwrap();
    Millis(at.as_millisecond())
}

const AN: &str = r#"{"officer":"an","name":"Nguyễn Văn An","phone":"+84 912.345-678"}"#;
const BINH: &str = r#"{"officer":"binh","name":"Trần Thị Bình","email":"binh@xa.example.vn"}"#;
const CHI: &str = r#"{"officer":"chi","name":"Lê Chi","phone":"113"}"#;

#[test]
fn officers_contacts_and_duties_become_rosters() {
    let read = officers(&[
        r#"{"contact":"binh","commune":"25126","order":2,"valid_from":"2026-01-01T00:00:00+07:00"}"#,
        r#"{"contact":"an","commune":"25126","role":"commander","order":1}"#,
        r#"{"duty":"binh","commune":"25126","days":["thursday","friday"],"from":"18:00","to":"06:00"}"#,
        r#"{"contact":"chi","province":"68","order":1}"#,
        r#"{"duty":"chi","province":"68","from":"2026-01-01T18:00:00+07:00","to":"2026-01-02T06:00:00+07:00"}"#,
        AN,
        BINH,
        CHI,
    ])
    .unwrap();
    assert_eq!(read.contacts.len(), 3);
    assert_eq!(read.contacts[0].text.phone, "+84912345678");
    assert!(!format!("{read:?}").contains("912345678"), "a number shows in debug output");
    let [commune, desk]: [RosterFacts; 2] = {
        let mut rosters = read.rosters.clone();
        rosters.sort_by_key(|roster| roster.contacts.len());
        rosters.reverse();
        rosters.try_into().unwrap()
    };
    let asked: Vec<_> = commune.contacts.iter().map(|it| (it.officer.as_str(), it.role)).collect();
    assert_eq!(asked, [("an", Role::Commander), ("binh", Role::Officer)]);
    assert_eq!(commune.duties.len(), 2);
    let first = Hours::Weekly { day: Weekday::Thursday, from_min: 18 * 60, minutes: 12 * 60 };
    assert_eq!(commune.duties[0].hours, first);
    assert_eq!(desk.place, Home::of_province("68".parse().unwrap()));
    assert!(desk.duties[0].covers(at(THURSDAY_19)));
    let news = read.clone().news(&Directory::default());
    assert_eq!(news, read);
}

#[test]
fn a_whole_day_and_the_end_of_a_day_are_hours_too() {
    let minutes = |from: &str, to: &str| {
        let duty = format!(
            r#"{{"duty":"an","commune":"25126","days":["monday"],"from":"{from}","to":"{to}"}}"#
        );
        let contact = r#"{"contact":"an","commune":"25126","order":1}"#;
        let read = officers(&[AN, contact, &duty]).unwrap();
        match read.rosters[0].duties[0].hours {
            Hours::Weekly { minutes, .. } => minutes,
            Hours::Whole => panic!("not weekly"),
        }
    };
    assert_eq!(minutes("07:00", "07:00"), DAY_MIN);
    assert_eq!(minutes("00:00", "24:00"), DAY_MIN);
    assert_eq!(minutes("18:00", "24:00"), 6 * 60);
    assert_eq!(minutes("23:59", "00:00"), 1);
}

#[test]
fn each_fault_names_line_and_field() {
    let contact = r#"{"contact":"an","commune":"25126","order":1}"#;
    for (line, field) in [
        (r#"{"officer":"x"}"#, "name"),
        (r#"{"officer":"x","name":"X"}"#, "phone"),
        (r#"{"officer":"x","name":"X","phone":"12"}"#, "phone"),
        (r#"{"officer":"x","name":"X","phone":"0912x45"}"#, "phone"),
        (r#"{"officer":"x","name":"X","email":"x"}"#, "email"),
        (r#"{"officer":"a b","name":"X","phone":"113"}"#, "officer"),
        (r#"{"officer":"an","name":"X","phone":"113"}"#, "officer"),
        (r#"{"officer":"x","name":"X","phone":"113","order":1}"#, "order"),
        (r#"{"contact":"x","commune":"25126","order":2}"#, "contact"),
        (r#"{"contact":"an","commune":"25126","order":2}"#, "contact"),
        (r#"{"contact":"an","commune":"99999","order":2}"#, "commune"),
        (r#"{"contact":"an","commune":"25126","province":"68","order":2}"#, "province"),
        (r#"{"contact":"an","commune":"25135"}"#, "order"),
        (r#"{"contact":"an","commune":"25135","order":65}"#, "order"),
        (r#"{"contact":"an","commune":"25135","order":1,"role":"province"}"#, "role"),
        (r#"{"contact":"an","province":"68","order":1,"role":"officer"}"#, "role"),
        (r#"{"contact":"an","commune":"25135","order":1,"valid_from":"2026"}"#, "valid_from"),
        (
            r#"{"duty":"an","commune":"25135","days":["monday"],"from":"07:00","to":"19:00"}"#,
            "duty",
        ),
        (
            r#"{"duty":"an","commune":"25126","days":["mon"],"from":"07:00","to":"19:00"}"#,
            "days[0]",
        ),
        (r#"{"duty":"an","commune":"25126","days":[],"from":"07:00","to":"19:00"}"#, "days"),
        (r#"{"duty":"an","commune":"25126","days":["monday"],"from":"7:00","to":"19:00"}"#, "from"),
        (r#"{"duty":"an","commune":"25126","days":["monday"],"from":"07:00"}"#, "to"),
        (r#"{"duty":"an","commune":"25126","from":"07:00","to":"2026-01-01T00:00:00Z"}"#, "from"),
        (
            r#"{"duty":"an","commune":"25126","from":"2026-01-01T01:00:00Z","to":"2026-01-01T00:00:00Z"}"#,
            "to",
        ),
        (r#"{"officer":"x","contact":"x","name":"X"}"#, ""),
        (r#"{"tel":"113"}"#, "tel"),
    ] {
        let faults = officers(&[AN, contact, line]).unwrap_err();
        assert!(faults.contains(&(3, field.to_owned())), "{line}: {faults:?}");
    }
    let twice = officers(&[AN, CHI, contact, r#"{"contact":"chi","commune":"25126","order":1}"#]);
    assert_eq!(twice.unwrap_err(), [(4, "order".to_owned())]);
}
