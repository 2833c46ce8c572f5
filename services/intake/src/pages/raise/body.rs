//! A raise between its form and its body: the very bytes that a program would send.

use domain::ids::{Millis, ProvinceCode};
use registry::Map;
use serde_json::{Map as Object, Value, json};

use super::super::{naming, typed::Typed, when};

/// Fields that are texts, by their paths in the body.
const TEXTS: [&str; 13] = [
    "kind",
    "status",
    "commune",
    "headline",
    "description",
    "instruction",
    "travel",
    "legal_basis",
    "last_seen.place",
    "person.sex",
    "person.name",
    "person.clothing",
    "person.description",
];
/// Fields that are numbers.
const NUMBERS: [&str; 3] = ["person.age", "last_seen.lat", "last_seen.lon"];
/// Fields that are times.
const TIMES: [&str; 2] = ["reported_at", "last_seen.at"];
/// Beside the time itself: how many minutes ago.
pub(super) const AGO: &str = "ago";
/// Beside the expiry: in how many hours.
pub(super) const HOURS: &str = "expires";
/// The ids of pictures that were taken in.
pub(super) const PHOTOS: &str = "photos";
/// Why they may be shown.
pub(super) const PHOTO_BASIS: &str = "photo_basis";
/// Communes that are named in words.
pub(super) const OTHERS: &str = "others";

/// What a form asks for. What cannot be read as what it should be stays as it was typed, so that
/// the one validation tells of it.
pub(super) fn body_of(typed: &Typed, map: &Map, now: Millis) -> Value {
    let mut body = Object::new();
    for path in TEXTS {
        put(&mut body, path, typed.given(path).map(Value::from));
    }
    for path in NUMBERS {
        put(&mut body, path, typed.given(path).map(number));
    }
    for path in TIMES {
        put(&mut body, path, typed.given(path).map(|time| when::rfc3339(time).into()));
    }
    if let (None, Some(ago)) = (typed.given("last_seen.at"), typed.given(AGO)) {
        let minutes = ago.parse().map(|minutes| when::minutes_before(now, minutes));
        put(&mut body, "last_seen.at", minutes.ok().map(|at| when::to_minute(at).into()));
    }
    let hours = typed.given(HOURS).and_then(|hours| hours.parse::<i64>().ok());
    let expires = hours.map(|hours| when::minutes_before(now, -60 * hours));
    put(&mut body, "expires", expires.map(|at| when::to_minute(at).into()));
    let photos = typed.all(PHOTOS).filter(|id| !id.is_empty());
    let photos: Vec<Value> = photos.map(|id| photo(id, typed.given(PHOTO_BASIS))).collect();
    put(&mut body, "photos", Some(photos).filter(|all| !all.is_empty()).map(Value::from));
    let dont_know: Vec<&str> = typed.all("dont_know").collect();
    put(&mut body, "dont_know", Some(dont_know).filter(|all| !all.is_empty()).map(Value::from));
    let home = typed.text("commune").parse().ok().and_then(|code| map.home(code));
    let near = home.map(|home| home.province);
    body.insert("reach".into(), reach(typed, map, near));
    Value::Object(body)
}

fn photo(id: &str, basis: Option<&str>) -> Value {
    match basis {
        Some(basis) => json!({ "id": id, "legal_basis": basis }),
        None => json!({ "id": id }),
    }
}

/// The communes that a form asks for.
pub(in crate::pages) fn reach(typed: &Typed, map: &Map, near: Option<ProvinceCode>) -> Value {
    let mode = typed.given("reach.mode").unwrap_or("auto");
    match mode {
        "rings" => json!({ "mode": mode, "rings": typed.given("reach.rings").map(number) }),
        "communes" => {
            let mut communes: Vec<String> =
                typed.all("reach.communes").map(str::to_owned).collect();
            communes.extend(naming::named(map, near, typed.text(OTHERS)));
            json!({ "mode": mode, "communes": communes })
        }
        mode => json!({ "mode": mode }),
    }
}

/// A number, with a point or a comma; otherwise the text.
pub(in crate::pages) fn number(text: &str) -> Value {
    let point = text.replace(',', ".");
    serde_json::from_str(&point).ok().filter(Value::is_number).unwrap_or_else(|| text.into())
}

fn put(body: &mut Object<String, Value>, path: &str, value: Option<Value>) {
    let Some(value) = value else { return };
    match path.split_once('.') {
        Some((object, name)) => {
            let object = body.entry(object).or_insert_with(|| json!({}));
            if let Some(object) = object.as_object_mut() {
                object.insert(name.to_owned(), value);
            }
        }
        None => {
            body.insert(path.to_owned(), value);
        }
    }
}

/// The form of a body, to be changed.
pub(super) fn typed_of(body: &Value, now: Millis, nearby: &[String]) -> Typed {
    let mut typed = Typed::default();
    let at = |path: &str| body.pointer(&format!("/{}", path.replace('.', "/")));
    for path in TEXTS.into_iter().chain(NUMBERS).chain(["reach.mode", "reach.rings"]) {
        match at(path) {
            Some(Value::String(text)) => typed.add(path, text),
            Some(Value::Number(number)) => typed.add(path, &number.to_string()),
            _ => {}
        }
    }
    for path in TIMES {
        if let Some(time) = at(path).and_then(Value::as_str) {
            typed.add(path, &when::of_rfc3339(time));
        }
    }
    let expires = at("expires").and_then(Value::as_str);
    if let Some(hours) = expires.and_then(|expires| when::hours_until(now, expires)) {
        typed.add(HOURS, &hours.to_string());
    }
    for photo in texts(at("photos"), |photo| photo.get("id")?.as_str()) {
        typed.add(PHOTOS, photo);
    }
    if let Some(basis) = body.pointer("/photos/0/legal_basis").and_then(Value::as_str) {
        typed.add(PHOTO_BASIS, basis);
    }
    for id in texts(at("dont_know"), Value::as_str) {
        typed.add("dont_know", id);
    }
    let communes = texts(at("reach.communes"), Value::as_str);
    let (near, far): (Vec<&str>, Vec<&str>) =
        communes.partition(|code| nearby.iter().any(|near| near == code));
    near.iter().for_each(|code| typed.add("reach.communes", code));
    typed.add(OTHERS, &far.join(", "));
    typed
}

fn texts<'v>(
    list: Option<&'v Value>,
    text: impl Fn(&'v Value) -> Option<&'v str>,
) -> impl Iterator<Item = &'v str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_795_257_000_000);

    fn typed(pairs: &[(&str, &str)]) -> Typed {
        Typed::of(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn a_form_becomes_the_body_of_a_program_and_the_body_a_form_again() {
        let map = Map::builtin().unwrap_or_else(|faults| panic!("{faults}"));
        let form = typed(&[
            ("kind", "lost-child"),
            ("status", "exercise"),
            ("commune", "25126"),
            ("headline", "Bé trai 4 tuổi"),
            ("description", ""),
            ("person.age", "4"),
            ("last_seen.place", "chợ"),
            ("last_seen.lat", "11,5"),
            ("last_seen.lon", "107.5"),
            ("ago", "30"),
            ("expires", "24"),
            ("photos", "abc"),
            ("photo_basis", "gia đình đồng ý"),
            ("dont_know", "companion"),
            ("dont_know", "danger"),
            ("reach.mode", "communes"),
            ("reach.communes", "25129"),
            ("others", "25132"),
        ]);
        let body = body_of(&form, &map, NOW);
        let wanted = json!({
            "kind": "lost-child", "status": "exercise", "commune": "25126",
            "headline": "Bé trai 4 tuổi",
            "person": { "age": 4 },
            "last_seen": {
                "place": "chợ", "lat": 11.5, "lon": 107.5, "at": "2026-11-21T17:00:00+07:00",
            },
            "expires": "2026-11-22T17:30:00+07:00",
            "photos": [{ "id": "abc", "legal_basis": "gia đình đồng ý" }],
            "dont_know": ["companion", "danger"],
            "reach": { "mode": "communes", "communes": ["25129", "25132"] },
        });
        assert_eq!(body, wanted);
        let again = typed_of(&body, NOW, &["25129".to_owned()]);
        assert_eq!(body_of(&again, &map, NOW), wanted);
        assert_eq!((again.text("expires"), again.text("others")), ("24", "25132"));
    }

    #[test]
    fn what_is_no_number_stays_as_it_was_typed() {
        assert_eq!(number("4"), json!(4));
        assert_eq!(number("bốn"), json!("bốn"));
        assert_eq!(number("[4]"), json!("[4]"));
    }
}
