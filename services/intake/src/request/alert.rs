//! Raw fields into an alert's facts and words, with every fault noted. Nothing is decided here.

use domain::{
    alert::{AlertFacts, LastSeen, MilliPoint, PersonFacts},
    criteria::Criteria,
    expiry::limit_hours,
    gate::forbidden_in_exercise,
    guard::{names_home_or_family, refused_fields},
    headline::{NotHeadline, headline},
    ids::Millis,
    text::{DESCRIPTION_CHARS_MAX, INSTRUCTION_CHARS_MAX, LINE_CHARS_MAX, NOTE_CHARS_MAX, Shape},
    values::{AlertKind, AlertStatus, Sex, Travel},
};
use wire::v1::{AlertText, PhotoRef};

use super::{
    BadRequest, Draft, EdgeKnown,
    faults::{Faults, told},
    json::Object,
    raw::{RawAlert, RawLastSeen, RawPerson, RawPhoto},
    reach::{on_map, reach},
    time,
};

/// How far ahead an alert of any kind may expire; see `domain::expiry` for each. A forgotten alert
/// must not stand for ever.
pub const EXPIRES_AHEAD_DAYS_MAX: i64 = 30;
/// How far ahead of ours a caller's clock may be.
pub const FUTURE_TOLERANCE_MS_MAX: i64 = 120_000;
/// The most photos of an alert.
pub const PHOTOS_MAX: usize = 10;
/// The longest content id of a photo.
pub const PHOTO_ID_BYTES_MAX: usize = 128;

const DAY_MS: i64 = 86_400_000;
const AGE_YEARS_MAX: u8 = 130;
/// South and north of Việt Nam, its islands and some sea included; degrees.
const LAT: (f64, f64) = (7.0, 24.5);
/// West and east of Việt Nam, its islands and some sea included; degrees.
const LON: (f64, f64) = (101.0, 118.5);
/// Where a latitude is a Vietnamese longitude, and the other way round; degrees.
const SWAPPED: ((f64, f64), (f64, f64)) = ((102.0, 118.0), (8.0, 24.0));
/// The characters of a legal basis that is a code, and may stand in the open part.
const LEGAL_BASIS_CODE_BYTES_MAX: usize = 40;
/// What stands in the open part for a legal basis in free text.
const LEGAL_BASIS_STATED: &str = "stated";

/// The one validation behind HTTP and gRPC.
pub(super) fn draft(raw: RawAlert, known: &EdgeKnown<'_>) -> Result<Draft, BadRequest> {
    let mut faults = Faults::default();
    let mut text = AlertText::default();
    let kind = faults
        .required("kind", raw.kind.as_deref())
        .and_then(|word| faults.word("kind", word, AlertKind::ALL, AlertKind::as_str));
    let status = faults
        .required("status", raw.status.as_deref())
        .and_then(|word| faults.word("status", word, AlertStatus::ALL, AlertStatus::as_str));
    let home = faults
        .required("commune", raw.commune.as_deref())
        .and_then(|code| faults.note("commune", on_map(code, known.map)));
    words(&mut faults, &raw, &mut text);
    let reported_at = past(&mut faults, "reported_at", raw.reported_at.as_deref(), known.now);
    let last_seen = last_seen(&mut faults, raw.last_seen, kind, &mut text, known.now);
    let travel = raw
        .travel
        .as_deref()
        .and_then(|word| faults.word("travel", word, Travel::ALL, Travel::as_str));
    let person = raw.person.map(|Object(raw)| person(&mut faults, &raw, &mut text));
    text.photos = photos(&mut faults, &raw.photos.unwrap_or_default());
    let legal_basis = legal_basis(&mut faults, raw.legal_basis.as_deref(), kind, &mut text);
    let expires_at = faults
        .required("expires", raw.expires.as_deref())
        .and_then(|time| faults.note("expires", expiry(time, kind, known.now)));
    let reach = faults
        .required("reach", raw.reach)
        .and_then(|Object(raw)| reach(&mut faults, &raw, known.map));
    let dont_know = dont_know(&mut faults, raw.dont_know.unwrap_or_default(), kind);
    let sealed_fields = sealed_fields(&text);
    across(&mut faults, (kind, status), legal_basis.as_deref(), &text, &sealed_fields);
    match (kind, status, home, expires_at, reach) {
        (Some(kind), Some(status), Some(home), Some(expires_at), Some(reach))
            if faults.is_empty() =>
        {
            let facts = AlertFacts {
                kind,
                status,
                home,
                reported_at,
                last_seen,
                travel,
                person,
                legal_basis,
                expires_at,
                reach,
                dont_know,
            };
            Ok(Draft { facts, text, sealed_fields })
        }
        _ => Err(faults.refused()),
    }
}

/// Headline, description and instruction.
fn words(faults: &mut Faults, raw: &RawAlert, text: &mut AlertText) {
    // Unlike the optional texts, a headline that was sent empty is told to be blank.
    text.headline = faults
        .required("headline", raw.headline.as_deref())
        .and_then(|line| faults.note("headline", headline(line).map_err(not_a_headline)))
        .unwrap_or_default();
    let description = raw.description.as_deref();
    text.description = faults.text("description", description, Shape::Lines, DESCRIPTION_CHARS_MAX);
    let instruction = raw.instruction.as_deref();
    text.instruction = faults.text("instruction", instruction, Shape::Lines, INSTRUCTION_CHARS_MAX);
}

/// An instant that lies behind us, give or take the callers' clocks. There is no lower limit: a
/// child may be found that was reported missing last year, and the delay is to be seen (R14).
fn past(faults: &mut Faults, field: &str, given: Option<&str>, now: Millis) -> Option<Millis> {
    let at = faults.note(field, time::parse(given?))?;
    if at > now.plus_ms(FUTURE_TOLERANCE_MS_MAX) {
        faults.add(field, "không được ở tương lai / must not be in the future");
    }
    Some(at)
}

fn expiry(given: &str, kind: Option<AlertKind>, now: Millis) -> Result<Millis, String> {
    let at = time::parse(given)?;
    let days = kind.map_or(EXPIRES_AHEAD_DAYS_MAX, |kind| i64::from(limit_hours(kind) / 24));
    if at <= now {
        Err("phải ở tương lai / must be in the future".to_owned())
    } else if at > now.plus_ms(days * DAY_MS) {
        Err(format!("không được quá {days} ngày tới / must be at most {days} days ahead"))
    } else {
        Ok(at)
    }
}

fn not_a_headline(not: NotHeadline) -> String {
    match not {
        NotHeadline::Text(not) => told(not),
        NotHeadline::Markup => format!("chỉ được là chữ thường, không có mã / {not}"),
        NotHeadline::Link => format!("không được có đường dẫn / {not}"),
        NotHeadline::Shouted => format!("không được viết hoa toàn bộ / {not}"),
    }
}

/// What several fields say together: a suspect is guarded (R20), a drill says that it is one (R5).
fn across(
    faults: &mut Faults,
    (kind, status): (Option<AlertKind>, Option<AlertStatus>),
    legal_basis: Option<&str>,
    text: &AlertText,
    sealed_fields: &[String],
) {
    let words = [
        ("headline", &text.headline),
        ("description", &text.description),
        ("instruction", &text.instruction),
        ("person.description", &text.person_description),
    ];
    if status.is_some_and(|status| !status.is_actual()) {
        for (field, words) in words {
            if let Some(phrase) = forbidden_in_exercise(words) {
                let reason = format!(
                    "diễn tập không được nói “{phrase}” / an exercise must not say “{phrase}”"
                );
                faults.add(field, reason);
            }
        }
    }
    let Some(kind @ AlertKind::Suspect) = kind else { return };
    for (field, why) in refused_fields(kind, legal_basis, sealed_fields) {
        // A basis that is missing was told where it is looked for.
        if field != "legal_basis" {
            faults.add(field, why.told());
        }
    }
    for (field, words) in words {
        if let Some(phrase) = names_home_or_family(words) {
            let reason = format!(
                "không nêu nơi ở, gia đình (“{phrase}”) / \
                 must not name a home or family (“{phrase}”)"
            );
            faults.add(field, reason);
        }
    }
}

/// The criteria of which nobody knows; of another kind's nobody was asked.
fn dont_know(faults: &mut Faults, given: Vec<String>, kind: Option<AlertKind>) -> Vec<String> {
    let Some(kind) = kind else { return vec![] };
    for (place, id) in given.iter().enumerate() {
        if !Criteria::built_in().of(kind).any(|criterion| criterion.id == *id) {
            let reason = "không phải câu hỏi của loại tin này / is no criterion of this kind";
            faults.add(format!("dont_know[{place}]"), reason);
        }
    }
    given
}

/// What an officer adds to a sighting.
pub(super) fn note(faults: &mut Faults, given: Option<&str>) -> String {
    faults.text("note", given, Shape::Lines, NOTE_CHARS_MAX)
}

pub(super) fn last_seen(
    faults: &mut Faults,
    raw: Option<Object<RawLastSeen>>,
    kind: Option<AlertKind>,
    text: &mut AlertText,
    now: Millis,
) -> Option<LastSeen> {
    let Some(Object(raw)) = raw else {
        if let Some(kind) = kind.filter(|kind| kind.needs_last_seen()) {
            let kind = kind.as_str();
            let reason = format!("bắt buộc với loại {kind} / is required for kind {kind}");
            faults.add("last_seen", reason);
        }
        return None;
    };
    let at = past(faults, "last_seen.at", raw.at.as_deref(), now);
    let given = raw.place.as_deref().filter(|place| !place.is_empty());
    text.place = faults.text("last_seen.place", given, Shape::Line, LINE_CHARS_MAX);
    if given.is_none() && raw.lat.is_none() && raw.lon.is_none() {
        let reason = "cần place, hoặc lat và lon, hoặc cả hai / \
                      needs a place, or lat and lon, or both";
        faults.add("last_seen", reason);
    }
    let point = point(faults, raw.lat, raw.lon).map(|(lat, lon)| {
        (text.lat, text.lon) = (Some(lat), Some(lon));
        MilliPoint { lat_millideg: millideg(lat), lon_millideg: millideg(lon) }
    });
    Some(LastSeen { at, point })
}

fn point(faults: &mut Faults, lat: Option<f64>, lon: Option<f64>) -> Option<(f64, f64)> {
    let (lat, lon) = match (lat, lon) {
        (Some(lat), Some(lon)) => (lat, lon),
        (Some(_), None) => return faults.required("last_seen.lon", None),
        (None, Some(_)) => return faults.required("last_seen.lat", None),
        (None, None) => return None,
    };
    if is_within(lat, SWAPPED.0) && is_within(lon, SWAPPED.1) {
        let reason = "hình như đảo vĩ độ với kinh độ / latitude and longitude seem swapped";
        faults.add("last_seen.lat", reason);
        return None;
    }
    let lat = faults.note("last_seen.lat", degrees(lat, LAT));
    let lon = faults.note("last_seen.lon", degrees(lon, LON));
    lat.zip(lon)
}

/// NaN and the infinities, which gRPC can carry, are within nothing.
fn is_within(value: f64, (least, most): (f64, f64)) -> bool {
    (least..=most).contains(&value)
}

fn degrees(value: f64, bounds: (f64, f64)) -> Result<f64, String> {
    let (least, most) = bounds;
    let outside = || {
        format!(
            "nằm ngoài Việt Nam: phải từ {least} đến {most} độ / \
             lies outside Viet Nam: must be from {least} to {most} degrees"
        )
    };
    if is_within(value, bounds) { Ok(value) } else { Err(outside()) }
}

/// To a thousandth of a degree. The value lies within Việt Nam, so that the cast is exact.
fn millideg(degrees: f64) -> i32 {
    (degrees * 1000.0).round() as i32
}

fn person(faults: &mut Faults, raw: &RawPerson, text: &mut AlertText) -> PersonFacts {
    let age = |age: i64| u8::try_from(age).ok().filter(|age| *age <= AGE_YEARS_MAX);
    let age_years = raw.age.and_then(|given| {
        let most = AGE_YEARS_MAX;
        let range = format!("phải từ 0 đến {most} / must be from 0 to {most}");
        faults.note("person.age", age(given).ok_or(range))
    });
    let sex =
        raw.sex.as_deref().and_then(|word| faults.word("person.sex", word, Sex::ALL, Sex::as_str));
    let mut line = |field, value: &Option<String>| {
        faults.text(field, value.as_deref(), Shape::Line, LINE_CHARS_MAX)
    };
    text.person_name = line("person.name", &raw.name);
    text.person_clothing = line("person.clothing", &raw.clothing);
    text.person_description = line("person.description", &raw.description);
    PersonFacts { age_years, sex }
}

fn photos(faults: &mut Faults, raw: &[Object<RawPhoto>]) -> Vec<PhotoRef> {
    if raw.len() > PHOTOS_MAX {
        let most = PHOTOS_MAX;
        faults.add("photos", format!("không được quá {most} / must be at most {most}"));
        return Vec::new();
    }
    let mut photos = Vec::with_capacity(raw.len());
    for (place, Object(raw)) in raw.iter().enumerate() {
        let field = format!("photos[{place}].id");
        let id = faults.required(&field, raw.id.as_deref()).unwrap_or_default();
        if raw.id.is_some() && !is_photo_id(id) {
            let most = PHOTO_ID_BYTES_MAX;
            let reason = format!(
                "phải có 1 đến {most} ký tự A-Z a-z 0-9 _ - / \
                 must have 1 to {most} of A-Z a-z 0-9 _ -"
            );
            faults.add(field, reason);
        }
        let field = format!("photos[{place}].legal_basis");
        let given = raw.legal_basis.as_deref();
        let legal_basis = faults.text(&field, given, Shape::Line, LINE_CHARS_MAX);
        photos.push(PhotoRef { id: id.to_owned(), legal_basis });
    }
    photos
}

fn is_photo_id(id: &str) -> bool {
    let is_id_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=PHOTO_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(is_id_byte)
}

/// Stored in words in the sealed part; the open part has its code, or that it was stated (R20,
/// R32).
fn legal_basis(
    faults: &mut Faults,
    given: Option<&str>,
    kind: Option<AlertKind>,
    text: &mut AlertText,
) -> Option<String> {
    let given = given.filter(|line| !line.is_empty());
    if given.is_none() && kind == Some(AlertKind::Suspect) {
        let reason = "bắt buộc với loại suspect / is required for kind suspect";
        faults.add("legal_basis", reason);
    }
    text.legal_basis = faults.text("legal_basis", given, Shape::Line, LINE_CHARS_MAX);
    given.map(|_| {
        let is_code = is_legal_basis_code(&text.legal_basis);
        (if is_code { text.legal_basis.as_str() } else { LEGAL_BASIS_STATED }).to_owned()
    })
}

fn is_legal_basis_code(text: &str) -> bool {
    let is_code_byte =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LEGAL_BASIS_CODE_BYTES_MAX).contains(&text.len())
        && text.bytes().all(is_code_byte)
        && !text.starts_with('-')
}

/// The sealed fields that are present, by their names in the interface; `last_seen.point` is the
/// exact one.
pub(super) fn sealed_fields(text: &AlertText) -> Vec<String> {
    [
        ("headline", !text.headline.is_empty()),
        ("description", !text.description.is_empty()),
        ("instruction", !text.instruction.is_empty()),
        ("last_seen.place", !text.place.is_empty()),
        ("last_seen.point", text.lat.is_some() && text.lon.is_some()),
        ("person.name", !text.person_name.is_empty()),
        ("person.clothing", !text.person_clothing.is_empty()),
        ("person.description", !text.person_description.is_empty()),
        ("photos", !text.photos.is_empty()),
        ("legal_basis", !text.legal_basis.is_empty()),
    ]
    .into_iter()
    .filter(|(_, is_present)| *is_present)
    .map(|(name, _)| name.to_owned())
    .collect()
}
