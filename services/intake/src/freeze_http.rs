//! The routes of freezes and recalls, over HTTP.

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chassis::{Problem, auth::Caller};
use domain::freeze::Frozen;
use serde_json::{Value, json};

use crate::{
    freezing::{FreezeSeen, Wanted, no_such_freeze},
    http::{App, read, request_of},
    refused::bad_request,
    request, view,
};

pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/v1/freezes", get(list).post(ask))
        .route("/v1/freezes/{id}/confirm", post(confirm))
        .route("/v1/freezes/{id}/lift", post(lift))
        .route("/v1/recalls", post(recall))
}

async fn ask(
    State(App(intake)): State<App>,
    Caller(asker): Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body = read(body).await?;
    let about = request::freeze(&body).map_err(|bad| bad_request(&bad))?;
    let request = request_of(&asker, &asking_path(&about.of), &headers, &body)?;
    let wanted = Wanted::Freeze { until: about.time, note: about.note };
    let seen = intake.freeze(&asker, request, about.of, wanted).await?;
    Ok(answer(StatusCode::CREATED, &seen))
}

/// The path that a request's id is made of: the same key about somebody else is another request.
pub(crate) fn asking_path(of: &Frozen) -> String {
    format!("/v1/freezes/{}", of.name())
}

async fn confirm(
    State(App(intake)): State<App>,
    Caller(asker): Caller,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (of, body) = named(id, body).await?;
    let until = request::until(&body).map_err(|bad| bad_request(&bad))?;
    let path = format!("{}/confirm", asking_path(&of));
    let request = request_of(&asker, &path, &headers, &body)?;
    let seen = intake.freeze(&asker, request, of, Wanted::Confirm { until }).await?;
    Ok(answer(StatusCode::OK, &seen))
}

async fn lift(
    State(App(intake)): State<App>,
    Caller(asker): Caller,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (of, body) = named(id, body).await?;
    let note = request::note(&body, false).map_err(|bad| bad_request(&bad))?;
    let path = format!("{}/lift", asking_path(&of));
    let request = request_of(&asker, &path, &headers, &body)?;
    let seen = intake.freeze(&asker, request, of, Wanted::Lift { note }).await?;
    Ok(answer(StatusCode::OK, &seen))
}

/// The freeze that a path names, and the body.
async fn named(
    id: Result<Path<String>, PathRejection>,
    body: Body,
) -> Result<(Frozen, Bytes), Problem> {
    let body = read(body).await?;
    let Path(id) = id.map_err(|_| no_such_freeze())?;
    let of = Frozen::of_name(&id).ok_or_else(no_such_freeze)?;
    Ok((of, body))
}

async fn list(State(App(intake)): State<App>, Caller(asker): Caller) -> Result<Response, Problem> {
    let freezes = intake.freezes(&asker).await?;
    let freezes: Vec<Value> = freezes.iter().map(FreezeSeen::json).collect();
    Ok(Json(json!({ "freezes": freezes })).into_response())
}

async fn recall(
    State(App(intake)): State<App>,
    Caller(asker): Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body = read(body).await?;
    let about = request::recall(&body).map_err(|bad| bad_request(&bad))?;
    let request = request_of(&asker, "/v1/recalls", &headers, &body)?;
    let recalled = intake.recall(&asker, request, &about).await?;
    let is_pending = recalled.alerts.iter().any(|shown| shown.pending);
    let status = if is_pending { StatusCode::ACCEPTED } else { StatusCode::OK };
    let alerts: Vec<Value> = recalled.alerts.iter().map(view::shown).collect();
    let body = json!({ "alerts": alerts, "remaining": recalled.remaining });
    Ok((status, Json(body)).into_response())
}

pub(crate) fn answer(status: StatusCode, seen: &FreezeSeen) -> Response {
    let status = if seen.held { StatusCode::ACCEPTED } else { status };
    (status, Json(seen.json())).into_response()
}
