//! Raising an alert: its kind, one form, what will happen, and one deliberate confirmation.
//!
//! Every step is a page of its own and keeps nothing here: the confirmation brings the very body
//! that was looked at, and is the request that a program would make.

mod body;
mod check;
mod drawn;

use std::sync::Arc;

use axum::{
    Form as Fields,
    body::Body,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use chassis::{Problem, auth::forbidden, session::HasPasskey};
use console::{Frame, Visitor, see, shown};
use domain::{rights::Asker, values::AlertKind};
use photos::UPLOAD_BYTES_MAX;
use serde::Deserialize;
use serde_json::Value;

pub(super) use self::body::{number, reach};
pub(super) use self::check::{counted, missing, warned};
use self::{
    check::{CheckPage, checked},
    drawn::{KindsPage, RaisePage},
};
use super::{
    Pages, acting,
    signing::{Asked, Prepare},
    typed::Typed,
};
use crate::{
    Intake,
    application::Request,
    form::{AROUND_BYTES_MAX, fields_in},
    http::{BODY_BYTES_MAX, invalid, raised, read},
    idempotency::{IdempotencyKey, request_sha256},
    refused::bad_request,
    request::{self, EdgeKnown},
    uploads,
};

/// The field of the form that has a picture.
const PHOTO: &str = "photo";

#[derive(Deserialize)]
pub(super) struct Begin {
    #[serde(default)]
    kind: String,
}

/// The kinds; or the form of one.
pub(super) async fn begin(
    State(intake): State<Arc<Intake>>,
    Visitor { asker, frame, .. }: Visitor,
    Query(Begin { kind }): Query<Begin>,
) -> Response {
    if !asker.standing.reads_alerts() {
        return frame.trouble(&forbidden());
    }
    match kind.parse() {
        Ok(kind) => {
            let typed = drawn::proposed(&frame, &asker, kind);
            shown(StatusCode::OK, &RaisePage::new((&intake, &asker), &frame, &typed, None))
        }
        Err(_) => shown(StatusCode::OK, &KindsPage { frame: &frame }),
    }
}

/// What will happen; or the form, with what is wrong.
pub(super) async fn check(
    State(intake): State<Arc<Intake>>,
    Visitor { asker, frame, .. }: Visitor,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let typed = match typed_in(&intake, &asker, &headers, body).await {
        Ok((typed, None)) => typed,
        Ok((typed, Some(problem))) => return again((&intake, &asker), &frame, &typed, &problem),
        Err(problem) => return frame.trouble(&problem),
    };
    let now = intake.host.clock.now();
    let body = body::body_of(&typed, &intake.host.map, now).to_string();
    match looked_at(&intake, &asker, &body).await {
        Ok(seen) => shown(StatusCode::OK, &CheckPage::new(&intake, &frame, &typed, (body, seen))),
        Err(problem) => again((&intake, &asker), &frame, &typed, &problem),
    }
}

#[derive(Deserialize)]
pub(super) struct Confirmed {
    /// The `Idempotency-Key`.
    #[serde(default)]
    key: String,
    /// The body, as a program would send it.
    #[serde(default)]
    alert: String,
}

/// The form once more, with what it said.
pub(super) async fn edit(
    State(intake): State<Arc<Intake>>,
    Visitor { asker, frame, .. }: Visitor,
    Fields(Confirmed { alert, .. }): Fields<Confirmed>,
) -> Response {
    if !asker.standing.reads_alerts() {
        return frame.trouble(&forbidden());
    }
    let typed = typed_again(&intake, &alert);
    shown(StatusCode::OK, &RaisePage::new((&intake, &asker), &frame, &typed, None))
}

/// Raises what was looked at.
pub(super) async fn confirm(
    State(pages): State<Pages>,
    visitor: Visitor,
    Query(prepare): Query<Prepare>,
    headers: HeaderMap,
    Fields(Confirmed { key, alert }): Fields<Confirmed>,
) -> Response {
    if prepare.is_wanted() {
        let (path, body) = ("/v1/alerts".to_owned(), alert.into_bytes());
        let asked = Asked { path, commune: None, body, key, then: None };
        return pages.prepared(&visitor, &headers, Ok(asked)).await;
    }
    let (intake, Visitor { asker, key: passkey, frame }) = (pages.intake, visitor);
    let by = (&asker, HasPasskey(passkey.is_some()));
    let request = IdempotencyKey::of_headers([key.as_bytes()]).map(|key| Request {
        command: key.command_id(&asker.officer, "/v1/alerts"),
        sha256: request_sha256(alert.as_bytes()),
    });
    let done = match request {
        Ok(request) => raised(&intake, by, request, alert.as_bytes()).await,
        Err(bad) => Err(bad_request(&bad)),
    };
    match done {
        // By the last word the phone knows that the draft is done with.
        Ok(shown) => see(&format!("{}&new", acting::shown_at(shown.row.id, &shown, "raised"))),
        Err(problem) if !asker.standing.reads_alerts() => frame.trouble(&problem),
        Err(problem) => {
            let typed = typed_again(&intake, &alert);
            again((&intake, &asker), &frame, &typed, &problem)
        }
    }
}

/// The form with what is wrong; nothing that was typed is lost.
fn again(
    (intake, asker): (&Intake, &Asker),
    frame: &Frame,
    typed: &Typed,
    problem: &Problem,
) -> Response {
    shown(problem.status(), &RaisePage::new((intake, asker), frame, typed, Some(problem)))
}

fn typed_again(intake: &Intake, alert: &str) -> Typed {
    let body: Value = serde_json::from_str(alert).unwrap_or_default();
    let commune = body.get("commune").and_then(Value::as_str).unwrap_or_default();
    let nearby: Vec<String> =
        drawn::nearby(&intake.host.map, commune).into_iter().map(|(code, _)| code).collect();
    body::typed_of(&body, intake.host.clock.now(), &nearby)
}

/// What a body would do.
async fn looked_at(intake: &Intake, asker: &Asker, body: &str) -> Result<check::Checked, Problem> {
    let known = EdgeKnown { now: intake.host.clock.now(), map: intake.host.map.as_ref() };
    let draft = request::raise(body.as_bytes(), &known).map_err(|bad| bad_request(&bad))?;
    checked(intake, asker, draft).await
}

/// What a form brings; a picture is taken in on the way. Where that fails, what was typed is
/// here all the same, with the reason.
async fn typed_in(
    intake: &Intake,
    asker: &Asker,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Typed, Option<Problem>), Problem> {
    if !asker.standing.reads_alerts() {
        return Err(forbidden());
    }
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let length = header(header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    let is_small = length.is_some_and(|length| length <= BODY_BYTES_MAX);
    let kind = header(header::CONTENT_TYPE).unwrap_or_default();
    let now = intake.host.clock.now();
    // Only what has a picture in it waits for a place among the uploads.
    let (form, place) = match &intake.pictures {
        Some(pictures) if !is_small => {
            let place = pictures.uploads.place(asker, now).await?;
            let bytes_max = UPLOAD_BYTES_MAX + AROUND_BYTES_MAX;
            let form = uploads::read(body.into_data_stream(), bytes_max).await?;
            (form.ok_or_else(too_large)?, Some(place))
        }
        _ => (read(body).await?, None),
    };
    let fields = fields_in(kind, &form).map_err(|_| not_a_form())?;
    let (photos, texts): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(it, _)| it == PHOTO);
    let text = |place| String::from_utf8_lossy(form.get(place).unwrap_or_default()).into_owned();
    let mut typed = Typed::of(texts.into_iter().map(|(name, place)| (name, text(place))));
    let photo = photos.into_iter().map(|(_, place)| form.slice(place)).find(|it| !it.is_empty());
    let Some(photo) = photo else { return Ok((typed, None)) };
    let _place = match (place, &intake.pictures) {
        (None, Some(pictures)) => Some(pictures.uploads.place(asker, now).await?),
        (place, _) => place,
    };
    match taken(intake, photo).await {
        Ok(id) => {
            typed.add(body::PHOTOS, &id);
            Ok((typed, None))
        }
        Err(problem) => Ok((typed, Some(problem))),
    }
}

async fn taken(intake: &Intake, photo: Bytes) -> Result<String, Problem> {
    let pictures = intake.pictures.as_ref().ok_or_else(Problem::no_such_path)?;
    intake.has_room_for_photos()?;
    Ok(intake.take_photo(pictures, photo).await?.id.as_str().to_owned())
}

fn not_a_form() -> Problem {
    invalid("", "phải gửi bằng multipart/form-data / must be sent as a form")
}

fn too_large() -> Problem {
    let detail = "Ảnh quá lớn (tối đa 10 MiB). / The picture is too large (10 MiB).";
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail).with_field(PHOTO, detail)
}

/// The kinds in the order of the buttons: what is most urgent first.
const KINDS: [AlertKind; 10] = [
    AlertKind::LostChild,
    AlertKind::MissingPerson,
    AlertKind::Hazard,
    AlertKind::Suspect,
    AlertKind::FoundChild,
    AlertKind::FoundPerson,
    AlertKind::LostProperty,
    AlertKind::FoundProperty,
    AlertKind::ScamWarning,
    AlertKind::Notice,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_button() {
        let mut kinds = KINDS.to_vec();
        kinds.sort_unstable();
        assert_eq!(kinds, AlertKind::ALL);
    }
}
