//! The routes of erasures and legal holds.

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chassis::{Problem, auth::Caller};
use domain::{ids::AlertId, rights::Asker};

use crate::{
    erasures::{ErasureSeen, Wanted},
    http::{App, alert_in, read, request_of},
    look_http::Reading,
    refused::bad_request,
    request,
};

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/alerts/{id}/erasure", get(one))
        .route("/v1/alerts/{id}/erase", post(ask))
        .route("/v1/alerts/{id}/erase/confirm", post(confirm))
        .route("/v1/alerts/{id}/legal-hold", post(hold))
        .route("/v1/alerts/{id}/legal-hold/lift", post(lift))
}

type Named = Result<Path<String>, PathRejection>;

async fn one(
    State(App(intake)): State<App>,
    reading: Reading,
    id: Named,
) -> Result<Response, Problem> {
    let seen = intake.erasure(&reading, alert_in(id)?).await?;
    Ok(Json(seen.json()).into_response())
}

async fn ask(
    State(app): State<App>,
    Caller(asker): Caller,
    id: Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (alert, body) = (alert_in(id)?, read(body).await?);
    let (basis, note) = request::erase(&body).map_err(|bad| bad_request(&bad))?;
    let wanted = Wanted::Ask { basis, note };
    act(&app, &asker, (alert, "erase"), (&headers, &body), wanted).await
}

async fn confirm(
    State(app): State<App>,
    Caller(asker): Caller,
    id: Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (alert, body) = (alert_in(id)?, read(body).await?);
    let basis = request::erase_basis(&body).map_err(|bad| bad_request(&bad))?;
    let wanted = Wanted::Confirm { basis };
    act(&app, &asker, (alert, "erase/confirm"), (&headers, &body), wanted).await
}

async fn hold(
    State(app): State<App>,
    Caller(asker): Caller,
    id: Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (alert, body) = (alert_in(id)?, read(body).await?);
    let note = request::note(&body, false).map_err(|bad| bad_request(&bad))?;
    act(&app, &asker, (alert, "legal-hold"), (&headers, &body), Wanted::Hold { note }).await
}

async fn lift(
    State(app): State<App>,
    Caller(asker): Caller,
    id: Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (alert, body) = (alert_in(id)?, read(body).await?);
    let note = request::note(&body, false).map_err(|bad| bad_request(&bad))?;
    act(&app, &asker, (alert, "legal-hold/lift"), (&headers, &body), Wanted::Lift { note }).await
}

async fn act(
    App(intake): &App,
    asker: &Asker,
    (alert, action): (AlertId, &str),
    (headers, body): (&HeaderMap, &Bytes),
    wanted: Wanted,
) -> Result<Response, Problem> {
    let path = format!("/v1/alerts/{alert}/{action}");
    let request = request_of(asker, &path, headers, body)?;
    let seen = intake.ask_erasure(asker, request, alert, wanted).await?;
    Ok(answer(&seen))
}

pub(crate) fn answer(seen: &ErasureSeen) -> Response {
    let status = if seen.pending { StatusCode::ACCEPTED } else { StatusCode::OK };
    (status, Json(seen.json())).into_response()
}
