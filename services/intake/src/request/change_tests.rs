use domain::{alert::MilliPoint, ids::Millis};
use serde_json::json;

use super::*;
use crate::request::tests::{KNOWN, NOW, example, raised};

/// The interface's example, as it stands.
fn standing() -> Draft {
    raised(&example()).unwrap()
}

fn changed_at(known: &EdgeKnown<'_>, patch: &Value) -> Result<Changed, BadRequest> {
    let Draft { facts, text, .. } = standing();
    change(patch.to_string().as_bytes(), (&facts, &text), known)
}

fn changed(patch: &Value) -> Changed {
    changed_at(&KNOWN, patch).unwrap_or_else(|bad| panic!("{patch}: {bad:?}"))
}

/// Expects the one fault that names the field and has the fragment in its reason.
fn check(refused: &BadRequest, field: &str, fragment: &str) {
    let [error] = refused.errors() else { panic!("{refused:?}") };
    assert!(error.field == field && error.reason.contains(fragment), "{refused:?}");
}

#[test]
fn what_is_added_or_says_something_else_is_named() {
    for (patch, set) in [
        (json!({ "headline": "Tìm cháu bé 5 tuổi đi lạc" }), vec!["headline"]),
        (json!({ "legal_basis": "nd-56" }), vec!["legal_basis"]),
        (json!({ "person": { "age": 5 } }), vec!["person.age"]),
        (json!({ "person": { "age": 5, "sex": "male" } }), vec!["person.age"]),
        (
            json!({ "last_seen": { "lat": 19.9, "place": "chợ" } }),
            vec!["last_seen.lat", "last_seen.place"],
        ),
        (json!({ "expires": "2026-11-22T18:00:00+07:00" }), vec!["expires"]),
        (json!({ "reach": { "mode": "province" } }), vec!["reach.mode"]),
        (json!({ "photos": [{ "id": "another" }] }), vec!["photos"]),
        // What is added beside what is taken back is still added.
        (json!({ "description": null, "travel": "bicycle" }), vec!["travel"]),
    ] {
        let changed = changed(&patch);
        assert_eq!(changed.set, set, "{patch}");
        assert!(!changed.is_same, "{patch}");
    }
}

#[test]
fn a_patch_alters_what_it_names_and_nothing_else() {
    let before = standing();
    let patch = json!({ "last_seen": { "lat": 19.9 }, "person": { "clothing": "áo đỏ" } });
    let Draft { facts, text, sealed_fields } = changed(&patch).draft;
    let seen = facts.last_seen.unwrap();
    assert_eq!(seen.point, Some(MilliPoint { lat_millideg: 19_900, lon_millideg: 105_839 }));
    assert_eq!(seen.at, before.facts.last_seen.unwrap().at);
    // The exact point stays exact.
    assert_eq!((text.lat, text.lon), (Some(19.9), Some(105.8392)));
    let expected =
        AlertText { lat: Some(19.9), person_clothing: "áo đỏ".to_owned(), ..before.text };
    assert_eq!(text, expected);
    let expected = AlertFacts { last_seen: Some(seen), ..before.facts };
    assert_eq!((facts, sealed_fields), (expected, before.sealed_fields));
}

#[test]
fn what_is_taken_back_is_gone_and_adds_nothing() {
    let back = |patch: Value| {
        let changed = changed(&patch);
        assert_eq!((&changed.set, changed.is_same), (&vec![], false), "{patch}");
        changed.draft
    };
    let draft = back(json!({ "person": null, "photos": null }));
    assert_eq!((draft.facts.person, draft.text.person_name.as_str()), (None, ""));
    assert!(draft.text.photos.is_empty());
    assert!(!draft.sealed_fields.iter().any(|field| field == "photos" || field == "person.name"));

    let draft = back(json!({ "person": { "name": null, "clothing": "" } }));
    assert_eq!((draft.text.person_name.as_str(), draft.text.person_clothing.as_str()), ("", ""));
    assert_eq!(draft.facts.person.unwrap().age_years, Some(4));

    // A person of whom nothing is left is none.
    let all = json!({ "age": null, "sex": null, "name": null, "clothing": null });
    assert_eq!(back(json!({ "person": all })).facts.person, None);
    assert!(back(json!({ "photos": [] })).text.photos.is_empty());
    assert_eq!(back(json!({ "last_seen": { "lat": null, "lon": null } })).text.lat, None);
}

#[test]
fn one_of_two_photos_is_taken_back() {
    let mut two = example();
    two["photos"] = json!([{ "id": "a" }, { "id": "b" }]);
    let Draft { facts, text, .. } = raised(&two).unwrap();
    let of = |patch: Value| change(patch.to_string().as_bytes(), (&facts, &text), &KNOWN).unwrap();
    assert_eq!(of(json!({ "photos": [{ "id": "b" }] })).set, Vec::<String>::new());
    assert_eq!(of(json!({ "photos": [{ "id": "b" }, { "id": "c" }] })).set, ["photos"]);
}

#[test]
fn what_stands_so_already_changes_nothing() {
    for patch in [
        json!({ "headline": "Tìm cháu bé 4 tuổi đi lạc" }),
        json!({ "person": {} }),
        json!({ "person": { "age": 4, "description": null } }),
        json!({ "legal_basis": null, "dont_know": [] }),
        json!({ "last_seen": { "at": "2026-11-21T17:30:00+07:00" } }),
    ] {
        let changed = changed(&patch);
        assert!(changed.is_same && changed.set.is_empty(), "{patch}: {changed:?}");
        assert_eq!(changed.draft, standing());
    }
    check(&changed_at(&KNOWN, &json!({})).unwrap_err(), "", "nothing changes");
}

#[test]
fn what_makes_an_alert_what_it_is_does_not_change() {
    for field in FIXED {
        for value in [json!("notice"), Value::Null, example()[field].clone()] {
            let refused = changed_at(&KNOWN, &json!({ field: value, "description": null }));
            check(&refused.unwrap_err(), field, "does not change");
        }
    }
    let all = changed_at(&KNOWN, &json!({ "kind": null, "status": null, "commune": null }));
    assert_eq!(all.unwrap_err().errors().len(), FIXED.len());
}

#[test]
fn what_comes_of_it_must_be_as_good_as_a_new_alert() {
    for (patch, field, fragment) in [
        (json!({ "headline": null }), "headline", "is required"),
        (json!({ "headline": "" }), "headline", "is required"),
        (json!({ "expires": null }), "expires", "is required"),
        (json!({ "reach": null }), "reach", "is required"),
        (json!({ "last_seen": null }), "last_seen", "is required for kind lost-child"),
        (json!({ "last_seen": { "lat": null } }), "last_seen.lat", "is required"),
        (json!({ "last_seen": { "lat": 105.8, "lon": 19.8 } }), "last_seen.lat", "swapped"),
        (json!({ "expires": "2026-11-20T00:00:00+07:00" }), "expires", "in the future"),
        // A mode does not drop what went with another.
        (json!({ "reach": { "communes": ["20000"] } }), "reach.communes", "mode communes only"),
        (json!({ "person": { "age": 131 } }), "person.age", "from 0 to 130"),
    ] {
        check(&changed_at(&KNOWN, &patch).unwrap_err(), field, fragment);
    }
}

#[test]
fn names_and_types_are_those_of_a_new_alert() {
    for (body, field, fragment) in [
        (r#"{"headline":4}"#, "headline", "must be a string"),
        (r#"{"person":"An"}"#, "person", "must be an object"),
        (r#"{"person":{"age":"4"}}"#, "person.age", "must be a whole number"),
        (r#"{"photos":{}}"#, "photos", "must be an array"),
        (r#"{"person":{"face":"x"}}"#, "person.face", "unknown field"),
        (r#"{"headline":"a","headline":"b"}"#, "headline", "is given twice"),
        (r#"[]"#, "", "must be an object"),
        (r#"{"headline":"#, "", "is not JSON"),
    ] {
        let Draft { facts, text, .. } = standing();
        let refused = change(body.as_bytes(), (&facts, &text), &KNOWN).unwrap_err();
        check(&refused, field, fragment);
    }
}

#[test]
fn an_expiry_that_has_passed_stays_where_it_is_untouched() {
    let late = EdgeKnown { now: Millis(NOW.0 + 30 * 86_400_000), ..KNOWN };
    let corrected = changed_at(&late, &json!({ "person": null })).unwrap();
    assert_eq!(corrected.draft.facts.expires_at, standing().facts.expires_at);
    assert_eq!(corrected.set, Vec::<String>::new());
    let same = changed_at(&late, &json!({ "person": {} })).unwrap();
    assert!(same.is_same);
    // Whoever touches it says one that is to come.
    let past = changed_at(&late, &json!({ "expires": "2026-11-22T17:30:00+07:00" })).unwrap_err();
    check(&past, "expires", "in the future");
}

#[test]
fn a_sighting_names_its_fields_where_they_stand() {
    for (body, field, fragment) in [
        ("{}", "", "needs a place"),
        (r#"{"lat":19.8}"#, "lon", "is required"),
        (r#"{"lat":19.8,"lon":2.0}"#, "lon", "outside Viet Nam"),
        (r#"{"at":"2026-11-22T17:30:00+07:00","place":"chợ"}"#, "at", "must not be in the future"),
        (r#"{"place":"chợ","seen":"x"}"#, "seen", "unknown field"),
    ] {
        check(&sighting(body.as_bytes(), &KNOWN).unwrap_err(), field, fragment);
    }
    let body = r#"{"lat":19.8285,"lon":105.8392,"place":"chợ","note":"Đi cùng một người lớn."}"#;
    let over_http = sighting(body.as_bytes(), &KNOWN).unwrap();
    assert_eq!(over_http.text.description, "Đi cùng một người lớn.");
    let seen = LastSeenFields {
        lat: Some(19.8285),
        lon: Some(105.8392),
        place: "chợ".to_owned(),
        ..LastSeenFields::default()
    };
    let over_grpc = sighting_fields(seen.clone(), "Đi cùng một người lớn.", &KNOWN);
    assert_eq!(over_grpc.as_ref(), Ok(&over_http));
    let nowhere = LastSeenFields { lat: Some(f64::NAN), ..seen };
    check(&sighting_fields(nowhere, "", &KNOWN).unwrap_err(), "lat", "outside Viet Nam");
}

#[test]
fn a_wider_reach_is_the_same_over_both() {
    check(&widen(b"{}", &KNOWN).unwrap_err(), "reach", "is required");
    check(&widen_fields(None, &KNOWN).unwrap_err(), "reach", "is required");
    let body = br#"{"reach":{"mode":"communes","communes":["20000","20001"]}}"#;
    let fields = ReachFields {
        mode: "communes".to_owned(),
        rings: None,
        communes: vec!["20000".to_owned(), "20001".to_owned()],
    };
    assert_eq!(widen(body, &KNOWN), widen_fields(Some(fields), &KNOWN));
    let strange = br#"{"reach":{"mode":"communes","communes":["30000"]}}"#;
    check(&widen(strange, &KNOWN).unwrap_err(), "reach.communes[0]", "unknown commune");
}

#[test]
fn what_would_not_be_recorded_is_not_taken() {
    use crate::request::nothing;
    assert_eq!((nothing(b""), nothing(b" {} ")), (Ok(()), Ok(())));
    check(&nothing(br#"{"note":"x"}"#).unwrap_err(), "note", "unknown field");
    check(&nothing(b"[]").unwrap_err(), "", "must be an object");
}
