//! Changes: an update or a correction is a JSON merge patch (RFC 7396) on the fields of the alert
//! as it stands; what comes of it must be as good as a new alert.

use serde_json::{Map, Value};
use wire::v1::{AlertText, LastSeenFields, ReachFields};

use super::{
    BadRequest, Draft, EdgeKnown, alert,
    faults::Faults,
    json::{self, Object},
    raw::{RawAlert, RawLastSeen, RawReach, RawSighting, RawWiden},
    reach::reach,
    shown::fields_of,
    time,
};
use domain::{
    alert::{AlertFacts, LastSeen},
    reach::ReachRequest,
};

/// Fields that make an alert what it is: another has others.
const FIXED: [&str; 3] = ["kind", "status", "commune"];
/// The fields of an alert that was asked for.
const FIELDS: [&str; 15] = [
    "kind",
    "status",
    "commune",
    "headline",
    "description",
    "instruction",
    "reported_at",
    "last_seen",
    "travel",
    "person",
    "photos",
    "legal_basis",
    "expires",
    "reach",
    "dont_know",
];
/// Stands in for an expiry that has passed, and is not to be changed.
const LATER_MS: i64 = 3_600_000;

/// An alert as it is to be from now on.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// All of it.
    pub draft: Draft,
    /// The fields that were added or say something else, as `last_seen.lat`; what was only taken
    /// back is not here.
    pub set: Vec<String>,
    /// It stands so already.
    pub is_same: bool,
}

/// The body of `update` and `correct`: the fields that change; `null` takes one back.
///
/// # Errors
/// [`BadRequest`]: not UTF-8, not JSON, nothing to change, a field that does not change, or fields
/// at fault in what would come of it.
pub fn change(
    body: &[u8],
    (facts, text): (&AlertFacts, &AlertText),
    known: &EdgeKnown<'_>,
) -> Result<Changed, BadRequest> {
    // The fields' names and types are those of a new alert.
    json::parse::<RawAlert>(body)?;
    let patch: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    let mut faults = Faults::default();
    for field in FIXED.iter().filter(|field| patch.contains_key(**field)) {
        faults.add(*field, "không đổi được: hãy phát tin mới / does not change: raise another");
    }
    if patch.is_empty() {
        faults.add("", "không có gì thay đổi / nothing changes");
    }
    if !faults.is_empty() {
        return Err(faults.refused());
    }
    let mut fields = Value::Object(fields_of(facts, text));
    let mut set = Vec::new();
    let keeps_expiry = !patch.contains_key("expires") && facts.expires_at <= known.now;
    merge(&mut fields, Value::Object(patch), "", &mut set);
    if keeps_expiry && let Some(fields) = fields.as_object_mut() {
        let later = time::show(known.now.plus_ms(LATER_MS));
        fields.insert("expires".to_owned(), later.into());
    }
    let mut draft = alert::draft(json::parse(fields.to_string().as_bytes())?, known)?;
    if keeps_expiry {
        draft.facts.expires_at = facts.expires_at;
    }
    let is_same = draft.facts == *facts && draft.text == *text;
    Ok(Changed { draft, set, is_same })
}

/// An alert as it stands, from the answer that shows it to who may change it.
///
/// # Errors
/// [`BadRequest::InvalidFields`]: its words are not here, or it has expired.
pub fn standing(shown: &Value, known: &EdgeKnown<'_>) -> Result<Draft, BadRequest> {
    let fields = shown.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, _)| FIELDS.contains(&name.as_str()));
    let fields: Map<String, Value> =
        fields.map(|(name, value)| (name.clone(), value.clone())).collect();
    alert::draft(json::parse(Value::Object(fields).to_string().as_bytes())?, known)
}

/// The patch that makes the one alert the other: the same two have the same patch, whoever makes
/// it.
#[must_use]
pub fn patch(before: (&AlertFacts, &AlertText), after: (&AlertFacts, &AlertText)) -> Vec<u8> {
    let [before, after] = [before, after].map(|(facts, text)| fields_of(facts, text));
    Value::Object(differences(&before, &after)).to_string().into_bytes()
}

fn differences(before: &Map<String, Value>, after: &Map<String, Value>) -> Map<String, Value> {
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    let mut patch: Map<_, _> = gone.map(|name| (name.clone(), Value::Null)).collect();
    for (name, value) in after {
        let changed = match (before.get(name), value) {
            (Some(same), value) if same == value => continue,
            (Some(Value::Object(before)), Value::Object(after)) => {
                Value::Object(differences(before, after))
            }
            (_, value) => value.clone(),
        };
        patch.insert(name.clone(), changed);
    }
    patch
}

/// RFC 7396, and the paths of what was added or says something else. As in a new alert, an empty
/// text is an absent one; so is an object of which nothing is left.
fn merge(target: &mut Value, patch: Value, path: &str, set: &mut Vec<String>) {
    let Value::Object(patch) = patch else {
        if !only_takes_back(target, &patch) {
            set.push(path.to_owned());
        }
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(fields) = target.as_object_mut() else { return };
    for (name, value) in patch {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if is_absent(&value) {
            fields.remove(&name);
            continue;
        }
        let field = fields.entry(name.clone()).or_insert(Value::Null);
        merge(field, value, &path, set);
        if field.as_object().is_some_and(Map::is_empty) {
            fields.remove(&name);
        }
    }
}

fn is_absent(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

/// Whether nothing comes in: the same, or a list of some of what stood there.
fn only_takes_back(before: &Value, after: &Value) -> bool {
    match (before.as_array(), after.as_array()) {
        (Some(before), Some(after)) => after.iter().all(|one| before.contains(one)),
        (None, Some(after)) => after.is_empty(),
        _ => before == after,
    }
}

/// The body of `widen`: `{"reach":…}`.
///
/// # Errors
/// [`BadRequest`]: not UTF-8, not JSON, or no reach.
pub fn widen(body: &[u8], known: &EdgeKnown<'_>) -> Result<ReachRequest, BadRequest> {
    let raw: RawWiden = json::parse(body)?;
    widened(raw.reach, known)
}

/// The same over gRPC.
///
/// # Errors
/// [`BadRequest::InvalidFields`]: no reach.
pub fn widen_fields(
    fields: Option<ReachFields>,
    known: &EdgeKnown<'_>,
) -> Result<ReachRequest, BadRequest> {
    widened(fields.map(|fields| Object(fields.into())), known)
}

fn widened(
    raw: Option<Object<RawReach>>,
    known: &EdgeKnown<'_>,
) -> Result<ReachRequest, BadRequest> {
    let mut faults = Faults::default();
    let wanted = faults
        .required("reach", raw)
        .and_then(|Object(raw): Object<RawReach>| reach(&mut faults, &raw, known.map));
    wanted.filter(|_| faults.is_empty()).ok_or_else(|| faults.refused())
}

/// What was seen, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// For the open part.
    pub seen: LastSeen,
    /// For the sealed part: the place, the exact point, and what was seen as the description.
    pub text: AlertText,
}

/// The body of `sighting`: `{"at":…,"lat":…,"lon":…,"place":…,"note":…}`.
///
/// # Errors
/// [`BadRequest`]: not UTF-8, not JSON, or nobody can tell where.
pub fn sighting(body: &[u8], known: &EdgeKnown<'_>) -> Result<Sighting, BadRequest> {
    let RawSighting { at, lat, lon, place, note } = json::parse(body)?;
    sighted(RawLastSeen { at, lat, lon, place }, note.as_deref(), known).map_err(from_the_top)
}

/// The same over gRPC.
///
/// # Errors
/// [`BadRequest::InvalidFields`]: nobody can tell where.
pub fn sighting_fields(
    seen: LastSeenFields,
    note: &str,
    known: &EdgeKnown<'_>,
) -> Result<Sighting, BadRequest> {
    sighted(seen.into(), Some(note), known).map_err(from_the_top)
}

fn sighted(
    raw: RawLastSeen,
    note: Option<&str>,
    known: &EdgeKnown<'_>,
) -> Result<Sighting, BadRequest> {
    let mut faults = Faults::default();
    let mut text = AlertText::default();
    let seen = alert::last_seen(&mut faults, Some(Object(raw)), None, &mut text, known.now);
    text.description = alert::note(&mut faults, note);
    match seen.filter(|_| faults.is_empty()) {
        Some(seen) => Ok(Sighting { seen, text }),
        None => Err(faults.refused()),
    }
}

/// A sighting has its place and time at the top, where an alert has them in `last_seen`.
fn from_the_top(mut bad: BadRequest) -> BadRequest {
    if let BadRequest::InvalidFields(errors) = &mut bad {
        for error in errors {
            let field = error.field.strip_prefix("last_seen").unwrap_or(&error.field);
            error.field = field.trim_start_matches('.').to_owned();
        }
    }
    bad
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
