//! The interface's own example, and every bad input with the field and the reason it is told.

use domain::{
    alert::{LastSeen, MilliPoint},
    ids::{CommuneCode, Home, ProvinceCode},
    reach::ReachRequest,
    values::{AlertKind, AlertStatus, Sex, Travel},
};
use serde_json::{Value, json};

use super::*;

/// 2026-11-21T17:45:00+07:00.
pub(super) const NOW: Millis = Millis(1_795_257_900_000);

/// Hoằng Hóa (15961) and the communes 20000 to 20999, all in Thanh Hóa (38).
pub(super) struct Few;

impl Borders for Few {
    fn home(&self, commune: CommuneCode) -> Option<Home> {
        let known = commune.as_str() == "15961" || commune.as_str().starts_with("20");
        known.then(|| Home { province: "38".parse().unwrap(), commune })
    }
    fn neighbours(&self, _: CommuneCode) -> &[CommuneCode] {
        &[]
    }
    fn of_province(&self, _: ProvinceCode) -> Vec<CommuneCode> {
        Vec::new()
    }
}

pub(super) const KNOWN: EdgeKnown<'static> = EdgeKnown { now: NOW, map: &Few };

/// `interfaces.md`, word for word.
const EXAMPLE: &str = r#"{"kind":"lost-child","status":"actual","commune":"15961","headline":"Tìm cháu bé 4 tuổi đi lạc","description":"…","instruction":"…",
 "reported_at":"2026-11-21T17:40:00+07:00",
 "last_seen":{"at":"2026-11-21T17:30:00+07:00","lat":19.8285,"lon":105.8392,"place":"thôn Tây Anh Vinh"},
 "travel":"on-foot","person":{"age":4,"sex":"male","name":"…","clothing":"…"},"photos":[{"id":"…","legal_basis":"…"}],
 "expires":"2026-11-22T17:30:00+07:00","reach":{"mode":"auto"}}"#;

/// The example with a photo's id in place of its dots.
pub(super) fn example() -> Value {
    let mut alert: Value = serde_json::from_str(EXAMPLE).unwrap();
    alert["photos"][0]["id"] = json!("sha256-Zm9v_");
    alert
}

/// The example with the value at a path, as `last_seen.lat`, replaced; `null` removes it.
fn with(path: &str, value: Value) -> Value {
    let mut alert = example();
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    let parent = match parent {
        "" => &mut alert,
        parent => alert.pointer_mut(&format!("/{}", parent.replace('.', "/"))).unwrap(),
    };
    let fields = parent.as_object_mut().unwrap();
    match value {
        Value::Null => fields.remove(name),
        value => fields.insert(name.to_owned(), value),
    };
    alert
}

pub(super) fn raised(alert: &Value) -> Result<Draft, BadRequest> {
    raise(alert.to_string().as_bytes(), &KNOWN)
}

/// Field and reason of the only fault.
fn fault(refused: &BadRequest) -> (&str, &str) {
    let [FieldError { field, reason }] = refused.errors() else { panic!("{refused:?}") };
    (field, reason)
}

/// Expects the one fault that names the field and has the fragment in its reason.
fn check(alert: &Value, field: &str, fragment: &str) {
    let refused = raised(alert).unwrap_err();
    let (at, reason) = fault(&refused);
    assert!(at == field && reason.contains(fragment), "{alert}\n{refused:?}");
    assert_eq!(refused.code(), "invalid-fields");
}

#[test]
fn the_example_of_the_interface_is_taken() {
    // Three dots are no content id; everything else stands as it is written there.
    let dots = raise(EXAMPLE.as_bytes(), &KNOWN).unwrap_err();
    assert_eq!(fault(&dots).0, "photos[0].id");

    let draft = raise(EXAMPLE.replace(r#""id":"…""#, r#""id":"p_1""#).as_bytes(), &KNOWN).unwrap();
    let facts = &draft.facts;
    assert_eq!((facts.kind, facts.status), (AlertKind::LostChild, AlertStatus::Actual));
    assert_eq!(facts.home.commune.as_str(), "15961");
    assert_eq!(facts.home.province.as_str(), "38");
    assert_eq!(facts.reported_at, Some(NOW.plus_ms(-5 * 60_000)));
    let point = Some(MilliPoint { lat_millideg: 19_829, lon_millideg: 105_839 });
    assert_eq!(facts.last_seen, Some(LastSeen { at: Some(NOW.plus_ms(-15 * 60_000)), point }));
    assert_eq!(facts.travel, Some(Travel::OnFoot));
    let person = facts.person.unwrap();
    assert_eq!((person.age_years, person.sex), (Some(4), Some(Sex::Male)));
    assert_eq!(facts.legal_basis, None);
    assert_eq!(facts.reach, ReachRequest::Auto);
    assert_eq!((draft.text.lat, draft.text.lon), (Some(19.8285), Some(105.8392)));
    assert_eq!(draft.text.headline, "Tìm cháu bé 4 tuổi đi lạc");
    assert_eq!(draft.text.photos[0].legal_basis, "…");
    assert_eq!(
        draft.sealed_fields,
        [
            "headline",
            "description",
            "instruction",
            "last_seen.place",
            "last_seen.point",
            "person.name",
            "person.clothing",
            "photos"
        ]
    );
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    let deep = [b"{\"headline\":".to_vec(), vec![b'['; 250_000]].concat();
    for (body, code, field, fragment) in [
        (b"".as_slice(), "malformed-json", "", "line 1 column 0"),
        (b"{\"kind\":\n \"notice\",}", "malformed-json", "", "line 2 column 11"),
        (b"{\"kind\":\"notice\"", "malformed-json", "", "EOF while parsing"),
        (b"{} {}", "malformed-json", "", "trailing characters at line 1 column 4"),
        (b"{\"headline\":\"\\ud800\"}", "malformed-json", "", "is not JSON"),
        (b"{\"last_seen\":{\"lat\":1e999}}", "malformed-json", "", "number out of range"),
        (b"{\"last_seen\":{\"lat\":NaN}}", "malformed-json", "", "is not JSON"),
        (b"{\"headline\":\"\xC3\x28\"}", "not-utf8", "", "byte offset 13"),
        (b"\xEF\xBB\xBF{}", "malformed-json", "", "line 1 column 1"),
        (b"[]", "invalid-fields", "", "must be an object"),
        (b"\"lost-child\"", "invalid-fields", "", "must be an object"),
        (b"null", "invalid-fields", "", "must be an object"),
        (&[b'['; 250_000], "invalid-fields", "", "must be an object"),
        (&deep, "invalid-fields", "headline", "must be a string"),
        (b"{\"kind\":\"notice\",\"kind\":\"hazard\"}", "invalid-fields", "kind", "is given twice"),
        (
            b"{\"last_seen\":{\"lat\":1,\"lat\":1}}",
            "invalid-fields",
            "last_seen.lat",
            "is given twice",
        ),
        (b"{\"photos\":[{\"id\":\"a\",\"id\":\"a\"}]}", "invalid-fields", "photos[0].id", "twice"),
    ] {
        let refused = raise(body, &KNOWN).unwrap_err();
        let (at, reason) = fault(&refused);
        let body = String::from_utf8_lossy(&body[..body.len().min(80)]);
        assert_eq!((refused.code(), at), (code, field), "{body}: {reason}");
        assert!(reason.contains(fragment), "{body}: {reason}");
    }
}

#[test]
fn unknown_fields_and_wrong_types_name_their_path() {
    for (path, value, field, fragment) in [
        ("urgent", json!(true), "urgent", "unknown field"),
        ("a`b", json!(1), "a`b", "unknown field"),
        ("person.shoe_size", json!(42), "person.shoe_size", "unknown field"),
        ("person.person", json!({}), "person.person", "unknown field"),
        ("last_seen.alt", json!([[[]]]), "last_seen.alt", "unknown field"),
        ("reach.ring", json!(1), "reach.ring", "unknown field"),
        ("photos", json!([{"id": "a"}, {"url": "b"}]), "photos[1].url", "unknown field"),
        ("kind", json!(1), "kind", "must be a string"),
        ("headline", json!(["a"]), "headline", "must be a string"),
        ("expires", json!(1_795_257_900), "expires", "must be a string"),
        ("commune", json!(15961), "commune", "must be a string"),
        ("last_seen", json!(["2026-11-21T17:30:00+07:00"]), "last_seen", "must be an object"),
        ("last_seen.lat", json!("19.8, expected a string"), "last_seen.lat", "must be a number"),
        ("last_seen.lon", json!([105.8]), "last_seen.lon", "must be a number"),
        ("person", json!("Nguyễn Văn An"), "person", "must be an object"),
        ("person.age", json!("bốn"), "person.age", "must be a whole number"),
        ("person.age", json!(4.5), "person.age", "must be a whole number"),
        ("person.age", json!(u64::MAX), "person.age", "must be a whole number"),
        ("photos", json!({"id": "a"}), "photos", "must be an array"),
        ("photos", json!(["a"]), "photos[0]", "must be an object"),
        ("photos", json!([null]), "photos[0]", "must be an object"),
        ("reach", json!("auto"), "reach", "must be an object"),
        ("reach.rings", json!(true), "reach.rings", "must be a whole number"),
        ("reach.communes", json!("15961"), "reach.communes", "must be an array"),
        ("reach.communes", json!(["15961", null]), "reach.communes[1]", "must be a string"),
    ] {
        check(&with(path, value), field, fragment);
    }
    let long = raised(&with(&"x".repeat(9_999), json!(1))).unwrap_err();
    assert_eq!(fault(&long).0.len(), 200);
}

#[test]
fn words_texts_and_the_commune_are_looked_at() {
    let chars = |count: usize| json!("ờ".repeat(count));
    for (field, value, fragment) in [
        ("kind", json!(null), "is required"),
        ("kind", json!("lost-dog"), "must be one of: lost-child, found-child, missing-person"),
        ("kind", json!("Lost-Child"), "must be one of"),
        ("status", json!(null), "is required"),
        ("status", json!("real"), "must be one of: actual, exercise, test"),
        ("travel", json!("boat"), "must be one of: on-foot, bicycle, motorbike, car"),
        ("person.sex", json!("nam"), "must be one of: male, female, unknown"),
        ("commune", json!(null), "is required"),
        ("commune", json!("99999"), "unknown commune"),
        ("commune", json!("1596"), "must be a commune code of five digits"),
        ("commune", json!("１５９６１"), "must be a commune code of five digits"),
        ("headline", json!(null), "is required"),
        ("headline", json!(""), "must not be blank"),
        ("headline", json!(" \u{200B}\t "), "must not be blank"),
        ("headline", json!("a\0b"), "control characters"),
        ("headline", json!("a\nb"), "control characters"),
        ("headline", chars(161), "at most 160 characters"),
        ("headline", json!("<b>Tìm</b>"), "without markup"),
        ("description", json!("  "), "must not be blank"),
        ("description", json!("a\0"), "control characters"),
        ("description", chars(4_001), "at most 4000 characters"),
        ("instruction", chars(501), "at most 500 characters"),
        ("last_seen.place", json!("a\nb"), "control characters"),
        ("last_seen.place", chars(301), "at most 300 characters"),
        ("person.name", json!("a\0"), "control characters"),
        ("person.clothing", chars(301), "at most 300 characters"),
        ("person.description", json!("\u{202E}a"), "control characters"),
        ("person.age", json!(-1), "must be from 0 to 130"),
        ("person.age", json!(131), "must be from 0 to 130"),
        ("legal_basis", chars(301), "at most 300 characters"),
        ("legal_basis", json!("a\nb"), "control characters"),
    ] {
        check(&with(field, value), field, fragment);
    }
    for (field, value) in [
        ("headline", chars(160)),
        ("headline", json!("Tìm & \"gọi\" ở km 5 < 6")),
        ("description", chars(4_000)),
        ("description", json!("một\r\n\thai")),
        ("instruction", json!("")),
        ("person.age", json!(0)),
        ("person.age", json!(130)),
        ("person", json!({})),
    ] {
        assert!(raised(&with(field, value)).is_ok(), "{field}");
    }
}

#[test]
fn times_are_behind_or_ahead_of_now() {
    for (field, value, fragment) in [
        ("reported_at", "2026-11-21T17:47:01+07:00", "must not be in the future"),
        ("reported_at", "2026-11-21T17:40:00", "must be an RFC 3339 time with its offset"),
        ("last_seen.at", "2026-11-21T17:47:01+07:00", "must not be in the future"),
        ("last_seen.at", "17:30", "must be an RFC 3339 time"),
        ("expires", "2026-11-21T17:45:00+07:00", "phải ở tương lai / must be in the future"),
        ("expires", "2025-11-22T17:30:00+07:00", "must be in the future"),
        ("expires", "2026-11-28T17:45:01+07:00", "must be at most 7 days ahead"),
        ("expires", "tomorrow", "must be an RFC 3339 time"),
    ] {
        check(&with(field, json!(value)), field, fragment);
    }
    check(&with("expires", json!(null)), "expires", "is required");
    for (field, value) in [
        ("reported_at", "2026-11-21T17:47:00+07:00"),
        ("reported_at", "1999-01-01T00:00:00Z"),
        ("last_seen.at", "2026-11-21T10:47:00Z"),
        ("expires", "2026-11-21T17:45:00.001+07:00"),
        ("expires", "2026-11-28T17:45:00+07:00"),
    ] {
        assert!(raised(&with(field, json!(value))).is_ok(), "{field} {value}");
    }
}

#[test]
fn a_place_lies_in_viet_nam_the_right_way_round() {
    let seen = |lat: f64, lon: f64| with("last_seen", json!({"lat": lat, "lon": lon}));
    check(&seen(105.8392, 19.8285), "last_seen.lat", "latitude and longitude seem swapped");
    check(&seen(6.9, 105.8), "last_seen.lat", "outside Viet Nam");
    check(&seen(24.6, 105.8), "last_seen.lat", "outside Viet Nam");
    check(&seen(-19.8, 105.8), "last_seen.lat", "outside Viet Nam");
    check(&seen(19.8, 100.9), "last_seen.lon", "outside Viet Nam");
    check(&seen(19.8, 118.6), "last_seen.lon", "outside Viet Nam");
    check(&with("last_seen.lat", json!(null)), "last_seen.lat", "is required");
    check(&with("last_seen.lon", json!(null)), "last_seen.lon", "is required");
    check(&with("last_seen", json!({})), "last_seen", "needs a place");
    let hour = json!({"at": "2026-11-21T17:30:00+07:00", "place": ""});
    check(&with("last_seen", hour), "last_seen", "needs a place");
    assert!(raised(&seen(7.0, 101.0)).is_ok());
    assert!(raised(&seen(24.5, 118.5)).is_ok());
    assert!(raised(&with("last_seen", json!({"place": "chợ"}))).is_ok());

    for kind in AlertKind::ALL {
        let mut alert = with("last_seen", json!(null));
        alert["kind"] = json!(kind.as_str());
        alert["legal_basis"] = json!("truy-na");
        if kind.needs_last_seen() {
            check(&alert, "last_seen", &format!("is required for kind {}", kind.as_str()));
        } else {
            assert!(raised(&alert).is_ok(), "{kind:?}");
        }
    }
}

#[test]
fn a_suspect_needs_a_legal_basis_and_its_code_is_open() {
    // Without a wanted decision a suspect has neither name nor face.
    let mut suspect = with("person.name", json!(null));
    suspect["kind"] = json!("suspect");
    suspect["photos"] = json!([]);
    check(&suspect, "legal_basis", "is required for kind suspect");
    for (given, code) in [
        ("qd-truy-na-12", "qd-truy-na-12"),
        ("Quyết định truy nã số 12", "stated"),
        ("-a", "stated"),
        (&"a".repeat(40), &"a".repeat(40)),
        (&"a".repeat(41), "stated"),
    ] {
        let mut alert = suspect.clone();
        alert["legal_basis"] = json!(given);
        let draft = raised(&alert).unwrap();
        assert_eq!(draft.facts.legal_basis.as_deref(), Some(code));
        assert_eq!(draft.text.legal_basis, given);
        assert_eq!(draft.sealed_fields.last().unwrap(), "legal_basis");
    }
}

#[test]
fn photos_are_few_and_named() {
    let ids = |count: usize| json!(vec![json!({"id": "a"}); count]);
    check(&with("photos", ids(11)), "photos", "must be at most 10");
    for (photo, field, fragment) in [
        (json!({}), "photos[0].id", "is required"),
        (json!({"id": ""}), "photos[0].id", "must have 1 to 128"),
        (json!({"id": "../etc"}), "photos[0].id", "must have 1 to 128"),
        (json!({"id": "a".repeat(129)}), "photos[0].id", "must have 1 to 128"),
        (json!({"id": "a", "legal_basis": "a\nb"}), "photos[0].legal_basis", "control"),
    ] {
        check(&with("photos", json!([photo])), field, fragment);
    }
    assert_eq!(raised(&with("photos", ids(10))).unwrap().text.photos.len(), 10);
    let none = raised(&with("photos", json!([]))).unwrap();
    assert!(!none.sealed_fields.contains(&"photos".to_owned()));
}

#[test]
fn a_reach_is_one_of_four() {
    let many = |count: usize| (0..count).map(|n| format!("{}", 20_000 + n)).collect::<Vec<_>>();
    for (reach, field, fragment) in [
        (json!({}), "reach.mode", "is required"),
        (json!({"mode": "all"}), "reach.mode", "must be one of: auto, rings, communes, province"),
        (json!({"mode": "rings"}), "reach.rings", "is required"),
        (json!({"mode": "rings", "rings": 6}), "reach.rings", "must be from 0 to 5"),
        (json!({"mode": "rings", "rings": -1}), "reach.rings", "must be from 0 to 5"),
        (json!({"mode": "auto", "rings": 1}), "reach.rings", "goes with mode rings only"),
        (json!({"mode": "province", "communes": []}), "reach.communes", "mode communes only"),
        (json!({"mode": "communes"}), "reach.communes", "is required"),
        (json!({"mode": "communes", "communes": []}), "reach.communes", "must be 1 to 256"),
        (json!({"mode": "communes", "communes": many(257)}), "reach.communes", "must be 1 to 256"),
        (
            json!({"mode": "communes", "communes": ["15961", "99999"]}),
            "reach.communes[1]",
            "unknown commune",
        ),
        (
            json!({"mode": "communes", "communes": ["15961", "20000", "15961"]}),
            "reach.communes[2]",
            "is named twice",
        ),
    ] {
        check(&with("reach", reach), field, fragment);
    }
    check(&with("reach", json!(null)), "reach", "is required");
    let asked = |reach: Value| raised(&with("reach", reach)).unwrap().facts.reach;
    assert_eq!(asked(json!({"mode": "rings", "rings": 0})), ReachRequest::Rings(0));
    assert_eq!(asked(json!({"mode": "province"})), ReachRequest::Province);
    let named = asked(json!({"mode": "communes", "communes": many(256)}));
    assert!(matches!(named, ReachRequest::Communes(named) if named.len() == 256));
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_the_interface() {
    let fields = |refused: &BadRequest| {
        refused.errors().iter().map(|error| error.field.clone()).collect::<Vec<_>>()
    };
    let nothing = raise(b"{}", &KNOWN).unwrap_err();
    assert_eq!(fields(&nothing), ["kind", "status", "commune", "headline", "expires", "reach"]);
    let mut alert = example();
    alert["kind"] = json!("suspect");
    alert["headline"] = json!("");
    alert["last_seen"] = json!({"lat": 1, "lon": 1, "at": "?"});
    alert["person"]["age"] = json!(200);
    alert["reach"] = json!({"mode": "rings", "rings": 9});
    let many = [
        "headline",
        "last_seen.at",
        "last_seen.lat",
        "last_seen.lon",
        "person.age",
        "legal_basis",
        "reach.rings",
        // What several fields say together comes last.
        "person.name",
        "photos",
    ];
    assert_eq!(fields(&raised(&alert).unwrap_err()), many);
}

#[test]
fn a_reason_repeats_nothing_that_was_sent() {
    let secret = "Nguyễn Thị Bình";
    for path in ["kind", "commune", "expires", "person.age", "person", "photos", "reach.mode"] {
        let refused = raised(&with(path, json!(secret))).unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains(secret), "{path}: {refused:?}");
    }
}

#[test]
fn over_grpc_the_rules_are_the_same() {
    let draft = raised(&example()).unwrap();
    let fields = alert_fields(&draft.facts, &draft.text);
    assert!(raise_fields(fields.clone(), &KNOWN).unwrap() == draft);

    let nothing = raise_fields(AlertFields::default(), &KNOWN).unwrap_err();
    assert_eq!(nothing, raise(b"{}", &KNOWN).unwrap_err());

    let mut nowhere = fields;
    nowhere.last_seen.as_mut().unwrap().lat = Some(f64::NAN);
    nowhere.person.as_mut().unwrap().age = Some(u32::MAX);
    let refused = raise_fields(nowhere, &KNOWN).unwrap_err();
    let at = refused.errors().iter().map(|error| error.field.as_str()).collect::<Vec<_>>();
    assert_eq!(at, ["last_seen.lat", "person.age"]);
}

#[test]
fn an_approval_names_its_revision() {
    assert_eq!(approve(br#"{"revision":3}"#), Ok(3));
    for (body, field, fragment) in [
        ("{}", "revision", "is required"),
        (r#"{"revision":0}"#, "revision", "must be at least 1"),
        (r#"{"revision":-1}"#, "revision", "must be at least 1"),
        (r#"{"revision":"1"}"#, "revision", "must be a whole number"),
        (r#"{"revision":1,"note":"a"}"#, "note", "unknown field"),
        ("", "", "is not JSON"),
    ] {
        let refused = approve(body.as_bytes()).unwrap_err();
        let (at, reason) = fault(&refused);
        assert!(at == field && reason.contains(fragment), "{body}: {refused:?}");
    }
    assert!(revision(0).is_err());
}

#[test]
fn a_note_is_optional_unless_it_is_required() {
    for body in ["", " \n", "{}", r#"{"note":null}"#, r#"{"note":""}"#] {
        assert_eq!(note(body.as_bytes(), false), Ok(None), "{body}");
        let refused = note(body.as_bytes(), true).unwrap_err();
        assert_eq!(fault(&refused), ("note", "bắt buộc phải có / is required"), "{body}");
    }
    let lines = Some("đã thấy\nở chợ".to_owned());
    assert_eq!(note(r#"{"note":" đã thấy\nở chợ "}"#.as_bytes(), true), Ok(lines));
    let long = json!({"note": "ờ".repeat(1_001)}).to_string();
    for (body, field, fragment) in [
        (r#"{"note":" "}"#, "note", "must not be blank"),
        (r#"{"note":"\u0000"}"#, "note", "control characters"),
        (&long, "note", "at most 1000 characters"),
        (r#"{"note":1}"#, "note", "must be a string"),
        (r#"{"reason":"a"}"#, "reason", "unknown field"),
        ("[]", "", "must be an object"),
    ] {
        let refused = note(body.as_bytes(), false).unwrap_err();
        let (at, reason) = fault(&refused);
        assert!(at == field && reason.contains(fragment), "{body}: {refused:?}");
    }
}

#[test]
fn after_erasure_the_open_part_is_still_shown() {
    let mut alert = with("legal_basis", json!("truy-na"));
    alert["kind"] = json!("suspect");
    let draft = raised(&alert).unwrap();
    let shown = Value::from(fields_of(&draft.facts, &AlertText::default()));
    assert_eq!(shown["last_seen"]["lat"], json!(19.829));
    assert_eq!(shown["person"], json!({"age": 4, "sex": "male"}));
    assert_eq!(shown["legal_basis"], json!("truy-na"));
    assert!(shown.get("headline").is_none() && shown.get("photos").is_none());
}
