//! The way back: facts and words as the fields of a request, for officers. What was erased, or was
//! never given, is absent. Not what the public sees: names and exact coordinates are here.

use domain::{
    alert::{AlertFacts, LastSeen, PersonFacts},
    reach::ReachRequest,
    values::{Sex, Travel},
};
use serde_json::{Map, Value};
use wire::v1::{AlertFields, AlertText, LastSeenFields, PersonFields, PhotoFields, ReachFields};

use super::time;

/// The fields of the request over gRPC: times with +07:00; the exact point where the words have
/// it, otherwise the rounded one; the legal basis in words, otherwise its code.
#[must_use]
pub fn alert_fields(facts: &AlertFacts, text: &AlertText) -> AlertFields {
    let photos = text
        .photos
        .iter()
        .map(|photo| PhotoFields { id: photo.id.clone(), legal_basis: photo.legal_basis.clone() });
    let legal_basis = Some(&text.legal_basis).filter(|basis| !basis.is_empty());
    AlertFields {
        kind: facts.kind.as_str().to_owned(),
        status: facts.status.as_str().to_owned(),
        commune: facts.home.commune.to_string(),
        headline: text.headline.clone(),
        description: text.description.clone(),
        instruction: text.instruction.clone(),
        reported_at: facts.reported_at.map(time::show).unwrap_or_default(),
        last_seen: facts.last_seen.map(|last_seen| seen_fields(last_seen, text)),
        travel: facts.travel.map(Travel::as_str).unwrap_or_default().to_owned(),
        person: facts.person.map(|person| person_fields(person, text)),
        photos: photos.collect(),
        legal_basis: legal_basis.or(facts.legal_basis.as_ref()).cloned().unwrap_or_default(),
        expires: time::show(facts.expires_at),
        reach: Some(reach_fields(&facts.reach)),
        dont_know: facts.dont_know.clone(),
    }
}

/// Where and when, as the fields of a request over gRPC.
#[must_use]
pub fn seen_fields(last_seen: LastSeen, text: &AlertText) -> LastSeenFields {
    let rounded = last_seen.point.map(|point| {
        (f64::from(point.lat_millideg) / 1000.0, f64::from(point.lon_millideg) / 1000.0)
    });
    let (lat, lon) = text.lat.zip(text.lon).or(rounded).unzip();
    let at = last_seen.at.map(time::show).unwrap_or_default();
    LastSeenFields { at, lat, lon, place: text.place.clone() }
}

fn person_fields(person: PersonFacts, text: &AlertText) -> PersonFields {
    PersonFields {
        age: person.age_years.map(u32::from),
        sex: person.sex.map(Sex::as_str).unwrap_or_default().to_owned(),
        name: text.person_name.clone(),
        clothing: text.person_clothing.clone(),
        description: text.person_description.clone(),
    }
}

/// A reach that was asked for, over gRPC.
#[must_use]
pub fn reach_fields(reach: &ReachRequest) -> ReachFields {
    let (mode, rings, communes) = match reach {
        ReachRequest::Auto => ("auto", None, Vec::new()),
        ReachRequest::Rings(rings) => ("rings", Some(*rings), Vec::new()),
        ReachRequest::Communes(named) => {
            ("communes", None, named.iter().map(ToString::to_string).collect())
        }
        ReachRequest::Province => ("province", None, Vec::new()),
    };
    ReachFields { mode: mode.to_owned(), rings, communes }
}

/// The fields of the request in JSON: as [`alert_fields`], and what is absent has no field.
#[must_use]
pub fn fields_of(facts: &AlertFacts, text: &AlertText) -> Map<String, Value> {
    let fields = alert_fields(facts, text);
    let mut json = Map::new();
    put(&mut json, "kind", fields.kind);
    put(&mut json, "status", fields.status);
    put(&mut json, "commune", fields.commune);
    put(&mut json, "headline", fields.headline);
    put(&mut json, "description", fields.description);
    put(&mut json, "instruction", fields.instruction);
    put(&mut json, "reported_at", fields.reported_at);
    put_some(&mut json, "last_seen", fields.last_seen.map(last_seen_json));
    put(&mut json, "travel", fields.travel);
    put_some(&mut json, "person", fields.person.map(person_json));
    if !fields.photos.is_empty() {
        let photos = fields.photos.into_iter().map(photo_json).collect::<Vec<_>>();
        json.insert("photos".to_owned(), photos.into());
    }
    put(&mut json, "legal_basis", fields.legal_basis);
    put(&mut json, "expires", fields.expires);
    put_some(&mut json, "reach", fields.reach.map(reach_fields_json));
    let dont_know = Some(fields.dont_know).filter(|ids| !ids.is_empty());
    put_some(&mut json, "dont_know", dont_know);
    json
}

fn last_seen_json(fields: LastSeenFields) -> Map<String, Value> {
    let mut json = Map::new();
    put(&mut json, "at", fields.at);
    put_some(&mut json, "lat", fields.lat);
    put_some(&mut json, "lon", fields.lon);
    put(&mut json, "place", fields.place);
    json
}

fn person_json(fields: PersonFields) -> Map<String, Value> {
    let mut json = Map::new();
    put_some(&mut json, "age", fields.age);
    put(&mut json, "sex", fields.sex);
    put(&mut json, "name", fields.name);
    put(&mut json, "clothing", fields.clothing);
    put(&mut json, "description", fields.description);
    json
}

fn photo_json(fields: PhotoFields) -> Value {
    let mut json = Map::new();
    put(&mut json, "id", fields.id);
    put(&mut json, "legal_basis", fields.legal_basis);
    json.into()
}

/// A reach that was asked for, as in a request.
#[must_use]
pub fn reach_json(reach: &ReachRequest) -> Map<String, Value> {
    reach_fields_json(reach_fields(reach))
}

fn reach_fields_json(fields: ReachFields) -> Map<String, Value> {
    let mut json = Map::new();
    put(&mut json, "mode", fields.mode);
    put_some(&mut json, "rings", fields.rings);
    let communes = Some(fields.communes).filter(|communes| !communes.is_empty());
    put_some(&mut json, "communes", communes);
    json
}

fn put(json: &mut Map<String, Value>, name: &str, text: String) {
    put_some(json, name, Some(text).filter(|text| !text.is_empty()));
}

fn put_some(json: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        json.insert(name.to_owned(), value.into());
    }
}
