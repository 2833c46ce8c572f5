//! The routes of pictures: sent by officers, seen by a signed link that ends, or with a token by
//! whoever may read an alert that names them.
//!
//! No key is asked for: the id is made of the content, so that a repeat has the effect of one.

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chassis::{
    Problem,
    auth::{Caller, forbidden},
    links::{BadLink, photo_purpose, verify},
};
use domain::{ids::AlertId, looks::What, rights::Asker};
use photos::{PhotoId, Size, UPLOAD_BYTES_MAX};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Intake,
    form::{AROUND_BYTES_MAX, NoFile, file_in},
    http::{App, invalid, wrong_query},
    look_http::Reading,
    looks::Reader,
    photos::{Pictures, no_photo, not_a_picture, not_stored},
    poster_http::link_hash,
    refused::starting,
    request::one_of,
    row::Row,
    uploads,
};

/// The field of the form.
const FIELD: &str = "photo";
/// It never changes, but a link that has ended should soon open nothing.
const CACHE: &str = "private, max-age=300";
/// Whatever a browser makes of it, it runs nothing and calls nobody.
const POLICY: &str = "default-src 'none'; sandbox";

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/v1/photos", post(upload)).route("/v1/photos/{id}", get(photo))
}

async fn upload(
    State(App(intake)): State<App>,
    Caller(asker): Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    if !asker.standing.reads_alerts() {
        return Err(forbidden());
    }
    let pictures = pictures(&intake)?;
    intake.has_room_for_photos()?;
    // Until it is stored: what waits to be drawn is in memory, too.
    let _place = pictures.uploads.place(&asker, intake.host.clock.now()).await?;
    let read = uploads::read(body.into_data_stream(), UPLOAD_BYTES_MAX + AROUND_BYTES_MAX);
    let form = read.await?.ok_or_else(too_large)?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let file = file_in(kind.unwrap_or_default(), &form, FIELD).map_err(no_file)?;
    if file.len() > UPLOAD_BYTES_MAX {
        return Err(too_large());
    }
    let taken = intake.take_photo(pictures, form.slice(file)).await?;
    let told = json!({
        "id": taken.id.as_str(),
        "width": taken.width,
        "height": taken.height,
        "bytes": taken.bytes,
        "url": intake.photo_link(&taken.id),
    });
    Ok((StatusCode::CREATED, Json(told)).into_response())
}

/// Whoever was given a link may have had more put behind it on the way, as by a chat.
#[derive(Deserialize)]
struct PhotoQuery {
    size: Option<String>,
    sig: Option<String>,
    alert: Option<String>,
}

async fn photo(
    State(App(intake)): State<App>,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<PhotoQuery>, QueryRejection>,
    reading: Result<Reading, Response>,
) -> Result<Response, Response> {
    let Query(query) = query.map_err(|why| wrong_query(why).into_response())?;
    let Path(id) = id.map_err(|_| no_photo().into_response())?;
    let word = query.size.as_deref().unwrap_or(Size::Full.as_str());
    if let Some(token) = &query.sig {
        let jpeg = by_link(&intake, (&id, word), token).await;
        return jpeg.map(shown).map_err(Problem::into_response);
    }
    let reading = reading?;
    let alert = query.alert.as_deref().unwrap_or_default();
    let jpeg = by_token(&intake, (&reading).into(), alert, (&id, word)).await;
    jpeg.map(shown).map_err(Problem::into_response)
}

async fn by_link(intake: &Intake, (id, word): (&str, &str), token: &str) -> Result<Bytes, Problem> {
    is_signed(intake, (id, word), token)?;
    let jpeg = read(intake, id, word).await?;
    let id = id.parse().map_err(|_| no_photo())?;
    intake.photo_looked_at(pictures(intake)?, &id, &link_hash(token)).await?;
    Ok(jpeg)
}

async fn by_token(
    intake: &Intake,
    reader: Reader<'_>,
    alert: &str,
    (id, word): (&str, &str),
) -> Result<Bytes, Problem> {
    if !reader.asker.standing.reads_alerts() {
        return Err(forbidden());
    }
    let row = may_see(intake, reader.asker, alert, id).await?;
    let jpeg = read(intake, id, word).await?;
    intake.look(reader, &[(&row, What::Photo)]).await?;
    Ok(jpeg)
}

/// Nobody reads every picture of the country: an alert names it, and the asker may read that. What
/// is kept from somebody is told from what is not there by nothing.
async fn may_see(intake: &Intake, asker: &Asker, alert: &str, id: &str) -> Result<Row, Problem> {
    let alert: AlertId = alert.parse().map_err(|_| no_photo())?;
    intake.shows_photo(asker, alert, id).await?.ok_or_else(no_photo)
}

fn is_signed(intake: &Intake, (id, size): (&str, &str), token: &str) -> Result<(), Problem> {
    let directory = intake.host.directory.read();
    // While the directory is read, nobody can say that a link is no good.
    let key = directory.link_key().ok_or_else(starting)?;
    let verified = verify(key, &photo_purpose(id, size), token, intake.host.clock.now());
    verified.map(|_| ()).map_err(bad_link)
}

/// A link that opens nothing, or nothing any more.
pub(crate) fn bad_link(bad: BadLink) -> Problem {
    let (code, detail) = match bad {
        BadLink::Expired => ("link-expired", "Liên kết đã hết hạn. / The link has expired."),
        BadLink::Forged => ("link-not-good", "Liên kết không đúng. / The link is not a good one."),
    };
    Problem::new(StatusCode::FORBIDDEN, code, detail)
}

async fn read(intake: &Intake, id: &str, word: &str) -> Result<Bytes, Problem> {
    let sizes = Size::ALL.map(Size::as_str).join(", ");
    let size = Size::of(word).ok_or_else(|| invalid("size", one_of(&sizes)))?;
    // What is no id at all is as unknown as any other.
    let id: PhotoId = id.parse().map_err(|_| no_photo())?;
    let found = pictures(intake)?.store.read(&id, size).await.map_err(|_| not_stored())?;
    found.ok_or_else(no_photo)
}

fn shown(jpeg: Bytes) -> Response {
    let fixed = [
        (header::CONTENT_TYPE, "image/jpeg"),
        (header::CACHE_CONTROL, CACHE),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CONTENT_DISPOSITION, "inline"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (fixed.map(|(name, value)| (name, HeaderValue::from_static(value))), jpeg).into_response()
}

/// An intake without a store serves no pictures.
fn pictures(intake: &Intake) -> Result<&Pictures, Problem> {
    intake.pictures.as_ref().ok_or_else(Problem::no_such_path)
}

fn no_file(why: NoFile) -> Problem {
    let reason = match why {
        NoFile::NotAForm => "phải gửi bằng multipart/form-data / must be sent as a form",
        NoFile::NoField => "phải có đúng một ảnh / must be there, once",
    };
    not_a_picture(reason.to_owned())
}

fn too_large() -> Problem {
    let detail = "Ảnh quá lớn (tối đa 10 MiB). / The picture is too large (10 MiB).";
    let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail);
    problem.with_field(FIELD, "tối đa 10485760 byte / at most 10485760 bytes")
}
