//! The routes of people, over HTTP.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{
        FromRef, Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
    routing::{get, post},
};
use chassis::{
    Host, Problem,
    auth::{Caller, Credential, forbidden},
    problem::HELD_HERE,
    session::HasPasskey,
};
use domain::{
    ids::{AlertId, CommuneCode, Millis},
    rights::{Asker, Standing},
    values::AlertKind,
};
use futures::{Stream, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Intake,
    application::{AlertDeliveries, Filter, Request, Shown},
    idempotency::{IDEMPOTENCY_KEY, IdempotencyKey, request_sha256},
    look_http::Reading,
    match_http,
    notices::Seen,
    refused::{bad_request, not_found, other_bytes},
    relay_http,
    request::{self, BadRequest, EdgeKnown, NOT_A_COMMUNE, one_of},
    stream::{Scope, watch},
    view,
};

/// A body may have so many bytes.
pub(crate) const BODY_BYTES_MAX: usize = 256 << 10;
/// A larger body is read to its end up to this, so that the answer arrives.
pub(crate) const DRAINED_BYTES_MAX: usize = 16 << 20;
/// Every word that an answer's `state` can have, in the order of the interface.
const STATES: &[&str] = &[
    "deciding",
    "held",
    "awaiting-approval",
    "active",
    "resolved",
    "cancelled",
    "expired",
    "declined",
    "refused",
];
/// What a page's beginning that is no id is told.
pub(crate) const NO_ALERT_ID: &str = "không phải mã của tin báo / is not an alert's id";
/// What a stream's beginning that is no id is told.
pub(crate) const NO_EVENT_ID: &str = "không phải mã của luồng này / is not an id of this stream";

#[derive(Clone)]
pub(crate) struct App(pub(crate) Arc<Intake>);

impl FromRef<App> for Host {
    fn from_ref(app: &App) -> Self {
        app.0.host.clone()
    }
}

pub(crate) fn router(intake: Arc<Intake>) -> Router {
    Router::new()
        .route("/v1/alerts", post(raise).get(list))
        .route("/v1/alerts/{id}", get(one))
        .route("/v1/alerts/{id}/{action}", post(act))
        .route("/v1/alerts/{id}/deliveries", get(deliveries))
        .route("/v1/stream", get(stream))
        .merge(crate::verified::routes())
        .merge(relay_http::routes())
        .merge(match_http::routes())
        .merge(crate::correction_http::routes())
        .merge(crate::preflight_http::routes())
        .merge(crate::freeze_http::router())
        .merge(crate::photo_http::routes())
        .merge(crate::poster_http::routes())
        .merge(crate::drill_http::routes())
        .merge(crate::signed_api::routes())
        .merge(crate::erase_http::routes())
        .merge(crate::look_http::routes())
        .with_state(App(intake))
}

async fn raise(
    State(App(intake)): State<App>,
    Caller(asker): Caller,
    has_passkey: HasPasskey,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body = read(body).await?;
    let request = request_of(&asker, "/v1/alerts", &headers, &body)?;
    let shown = raised(&intake, (&asker, has_passkey), request, &body).await?;
    let status = match (shown.pending, shown.row.state()) {
        (false, "active" | "resolved" | "cancelled" | "expired") => StatusCode::CREATED,
        _ => StatusCode::ACCEPTED,
    };
    Ok(answer(status, &shown))
}

/// Raises what a body asks for.
pub(crate) async fn raised(
    intake: &Arc<Intake>,
    by: (&Asker, HasPasskey),
    request: Request,
    body: &[u8],
) -> Result<Shown, Problem> {
    let asker = by.0;
    if !asker.standing.reads_alerts() {
        return Err(forbidden());
    }
    let known = EdgeKnown { now: intake.host.clock.now(), map: intake.host.map.as_ref() };
    match request::raise(body, &known) {
        Ok(draft) => intake.raise(by, request, draft).await,
        // A good request whose time has passed is answered as it was, for ever.
        Err(bad) => repeated(intake, asker, request, &bad).await,
    }
}

/// A request that is not valid now, but was when it was first made: the same key and body answer
/// with the alert as it stands.
async fn repeated(
    intake: &Arc<Intake>,
    asker: &Asker,
    request: Request,
    bad: &BadRequest,
) -> Result<Shown, Problem> {
    let alert = AlertId::raised_by(request.command);
    let known = intake.get(asker, alert).await;
    let Ok(shown) = known else { return Err(bad_request(bad)) };
    if intake.is_repeat(&shown.row, request).await { Ok(shown) } else { Err(other_bytes()) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommuneQuery {
    commune: Option<String>,
}

/// The commune that a query names, if it names one.
pub(crate) fn commune_in(
    query: Result<Query<CommuneQuery>, QueryRejection>,
) -> Result<Option<CommuneCode>, Problem> {
    let Query(query) = query.map_err(wrong_query)?;
    query.commune.as_deref().map(commune_of).transpose()
}

async fn act(
    State(App(intake)): State<App>,
    Caller(asker): Caller,
    has_passkey: HasPasskey,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<CommuneQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body = read(body).await?;
    let commune = commune_in(query)?;
    let Path((id, action)) = path.map_err(|_| not_found())?;
    let alert: AlertId = id.parse().map_err(|_| not_found())?;
    let path = format!("/v1/alerts/{id}/{action}");
    let request = request_of(&asker, &path, &headers, &body);
    let act = match (intake.asked_act(&asker, alert, &action, (&body, commune)).await, &request) {
        (Ok(act), _) => act,
        (Err(bad), Ok(request)) => {
            let shown = intake.repeated_act(&asker, *request, alert, bad).await?;
            return Ok(answer(StatusCode::OK, &shown));
        }
        (Err(bad), Err(_)) => return Err(bad),
    };
    let shown = intake.act((&asker, has_passkey), request?, alert, act).await?;
    let status = if shown.pending { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok(answer(status, &shown))
}

/// The alert that a path names. One whose path is not UTF-8 is as unknown as any other.
pub(crate) fn alert_in(id: Result<Path<String>, PathRejection>) -> Result<AlertId, Problem> {
    let Path(id) = id.map_err(|_| not_found())?;
    id.parse().map_err(|_| not_found())
}

async fn one(
    State(App(intake)): State<App>,
    reading: Reading,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let alert = alert_in(id)?;
    let shown = intake.get(&reading, alert).await?;
    let mut view = view::shown(&shown);
    let words = intake.read_pending((&reading).into(), &shown.row).await?;
    let pending = view.pointer_mut("/pending").and_then(Value::as_object_mut);
    if let (Some((facts, text)), Some(pending)) = (words, pending) {
        pending.insert("fields".into(), json!(request::fields_of(&facts, &text)));
    }
    Ok(Json(view).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    commune: Option<String>,
    state: Option<String>,
    kind: Option<String>,
    after: Option<String>,
}

async fn list(
    State(App(intake)): State<App>,
    reading: Reading,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(wrong_query)?;
    let filter = Filter {
        commune: query.commune.as_deref().map(commune_of).transpose()?,
        state: query.state,
        kind: query.kind,
        after: query
            .after
            .map(|after| after.parse().map_err(|_| invalid("after", NO_ALERT_ID)))
            .transpose()?,
    };
    known_words(&filter)?;
    let (shown, next) = intake.list(&reading, &filter).await?;
    let alerts: Vec<Value> = shown.iter().map(view::shown).collect();
    let next = next.map(|next| next.to_string());
    let banners = intake.banners_for(&reading.asker).await?;
    Ok(Json(json!({ "alerts": alerts, "next": next, "banners": banners })).into_response())
}

async fn deliveries(
    State(App(intake)): State<App>,
    Caller(asker): Caller,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let alert = alert_in(id)?;
    let told = intake.deliveries(&asker, alert).await?;
    let now = intake.host.clock.now();
    let deliveries: Vec<Value> = seen(&told, now).map(|seen| seen.json()).collect();
    let attested = told.row.asked.as_ref().map(|asked| asked.attested.as_str());
    Ok(Json(json!({ "deliveries": deliveries, "attested": attested })).into_response())
}

/// Every delivery of an alert.
pub(crate) fn seen(
    told: &AlertDeliveries,
    now: Millis,
) -> impl Iterator<Item = view::DeliverySeen<'_>> {
    told.deliveries.iter().flat_map(move |(commune, deliveries)| {
        deliveries.lanes.iter().map(move |(target, delivery)| view::DeliverySeen {
            row: &told.row,
            commune: *commune,
            target,
            delivery,
            now,
        })
    })
}

async fn stream(
    State(App(intake)): State<App>,
    Caller(asker): Caller,
    query: Result<Query<CommuneQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let commune = commune_in(query)?;
    let scope = scope_of(&intake, &asker, commune)?;
    let last = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default().parse());
    let seen: Option<Seen> =
        last.transpose().map_err(|()| invalid("Last-Event-ID", NO_EVENT_ID))?;
    intake.has_come_to(seen).await?;
    let credential = Credential::of(&headers);
    let told = watch(intake, asker, credential, scope, seen).map(|told| {
        let event = Event::default().id(told.id).event(told.event);
        Ok(event.data(told.data.to_string()))
    });
    Ok(Sse::new(told))
}

/// Whose stream an asker may have: the commune named, or the own one, or the own province.
pub(crate) fn scope_of(
    intake: &Intake,
    asker: &Asker,
    commune: Option<CommuneCode>,
) -> Result<Scope, Problem> {
    if !asker.standing.reads_alerts() {
        return Err(forbidden());
    }
    if let Some(commune) = commune {
        return intake.reads_for(asker, commune).map(|home| Scope::Commune(home.commune));
    }
    match asker.standing {
        Standing::Officer(home) | Standing::Commander(home) => Ok(Scope::Commune(home.commune)),
        Standing::Province(province) => Ok(Scope::Province(province)),
        Standing::Auditor | Standing::Admin | Standing::Local => Err(forbidden()),
    }
}

/// Reads a body within its limit; a larger one is read to its end, and refused.
pub(crate) async fn read(body: Body) -> Result<Bytes, Problem> {
    read_up_to(body, BODY_BYTES_MAX).await?.ok_or_else(|| {
        let detail = "Nội dung quá lớn (tối đa 256 KiB). / The body is too large (256 KiB).";
        let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail);
        problem.with_field("", "tối đa 262144 byte / at most 262144 bytes")
    })
}

/// Reads a body; `None` where it has more bytes than that.
async fn read_up_to(body: Body, bytes_max: usize) -> Result<Option<Bytes>, Problem> {
    let mut stream = body.into_data_stream();
    let mut read = Vec::new();
    let mut bytes = 0;
    while let Some(chunk) = stream.next().await {
        let chunk =
            chunk.map_err(|_| invalid("", "nội dung bị cắt ngang / the body ended early"))?;
        bytes += chunk.len();
        if bytes <= bytes_max {
            read.extend_from_slice(&chunk);
        } else if bytes > DRAINED_BYTES_MAX {
            break;
        }
    }
    Ok((bytes <= bytes_max).then(|| read.into()))
}

pub(crate) fn request_of(
    asker: &Asker,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Request, Problem> {
    let values = headers.get_all(IDEMPOTENCY_KEY).iter().map(HeaderValue::as_bytes);
    let key = IdempotencyKey::of_headers(values).map_err(|bad| bad_request(&bad))?;
    let command = key.command_id(&asker.officer, path);
    Ok(Request { command, sha256: request_sha256(body) })
}

pub(crate) fn answer(status: StatusCode, shown: &Shown) -> Response {
    let mut alert = view::shown(shown);
    if let (true, Some(alert)) = (shown.request_held, alert.as_object_mut()) {
        alert.insert("request".into(), json!(HELD_HERE));
    }
    (status, Json(alert)).into_response()
}

pub(crate) fn commune_of(code: &str) -> Result<CommuneCode, Problem> {
    code.parse().map_err(|_| invalid("commune", NOT_A_COMMUNE))
}

/// Refuses a filter by a word that no alert can have: an empty list would hide a slip.
pub(crate) fn known_words(filter: &Filter) -> Result<(), Problem> {
    let kinds: Vec<_> = AlertKind::ALL.iter().map(|kind| kind.as_str()).collect();
    for (name, given, known) in
        [("state", &filter.state, STATES), ("kind", &filter.kind, kinds.as_slice())]
    {
        if given.as_deref().is_some_and(|word| !known.contains(&word)) {
            return Err(invalid(name, one_of(&known.join(", "))));
        }
    }
    Ok(())
}

pub(crate) fn wrong_query(why: QueryRejection) -> Problem {
    invalid("", format!("tham số không hợp lệ / {}", why.body_text()))
}

pub(crate) fn invalid(field: &str, reason: impl Into<String>) -> Problem {
    let detail = "Yêu cầu không hợp lệ. / The request is not valid.";
    Problem::new(StatusCode::BAD_REQUEST, "invalid-fields", detail).with_field(field, reason)
}

#[cfg(test)]
mod tests {
    use axum::extract::FromRequestParts;

    use super::*;

    #[test]
    fn a_filter_by_an_unknown_word_names_the_words() {
        let filter = |state: Option<&str>, kind: Option<&str>| Filter {
            commune: None,
            state: state.map(str::to_owned),
            kind: kind.map(str::to_owned),
            after: None,
        };
        assert_eq!(known_words(&filter(None, None)), Ok(()));
        for state in STATES {
            assert_eq!(known_words(&filter(Some(state), Some("hazard"))), Ok(()));
        }
        for (wrong, field, allowed) in [
            (
                filter(Some("open"), None),
                "state",
                "must be one of: deciding, held, awaiting-approval",
            ),
            (filter(None, Some("")), "kind", "must be one of: lost-child, found-child"),
        ] {
            let problem = known_words(&wrong).unwrap_err();
            assert_eq!(
                (problem.status(), problem.code()),
                (StatusCode::BAD_REQUEST, "invalid-fields")
            );
            let [error] = problem.errors() else { panic!("{problem:?}") };
            assert!(error.field == field && error.reason.contains(allowed), "{error:?}");
            assert!(error.reason.starts_with("phải là một trong: "), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_path_that_is_no_id_is_not_found() {
        // Without a route there are no parameters, which is a rejection like any other.
        let (mut parts, ()) = axum::http::Request::new(()).into_parts();
        let rejected = Path::<String>::from_request_parts(&mut parts, &()).await;
        assert!(rejected.is_err());
        for path in [rejected, Ok(Path("x".to_owned()))] {
            assert_eq!(alert_in(path), Err(not_found()));
        }
    }
}
