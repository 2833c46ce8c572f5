//! The routes of preflight: before a raise, before an approval, and of the installation.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use chassis::{Problem, auth::Caller, auth::forbidden};
use serde_json::{Value, json};

use crate::{
    Intake,
    http::{App, alert_in, read},
    preflight_view,
    refused::bad_request,
    request::{self, EdgeKnown},
};

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/preflight", get(installation).post(of_raise))
        .route("/v1/alerts/{id}/preflight", get(of_alert))
}

/// What the owner of the machine may ask an intake: whether the installation is fit.
pub(crate) fn local_routes(intake: Arc<Intake>) -> Router {
    Router::new().route("/v1/preflight", get(installation)).with_state(App(intake))
}

async fn of_raise(
    State(App(intake)): State<App>,
    Caller(asker): Caller,
    body: Body,
) -> Result<Response, Problem> {
    let body = read(body).await?;
    if !asker.standing.reads_alerts() {
        return Err(forbidden());
    }
    let known = EdgeKnown { now: intake.host.clock.now(), map: intake.host.map.as_ref() };
    let draft = request::raise(&body, &known).map_err(|bad| bad_request(&bad))?;
    let seen = intake.preflight(&asker, draft).await?;
    Ok(fresh(preflight_view::preflight(&intake.host, &seen)))
}

async fn of_alert(
    State(App(intake)): State<App>,
    Caller(asker): Caller,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let alert = alert_in(id)?;
    let (revision, seen) = intake.preflight_of(&asker, alert).await?;
    let mut view = preflight_view::preflight(&intake.host, &seen);
    if let Some(fields) = view.as_object_mut() {
        fields.insert("alert".into(), json!(alert.to_string()));
        fields.insert("revision".into(), json!(revision));
    }
    Ok(fresh(view))
}

async fn installation(
    State(App(intake)): State<App>,
    Caller(asker): Caller,
) -> Result<Response, Problem> {
    Ok(fresh(intake.installation(&asker)?.json()))
}

/// What is seen is true of this moment only.
fn fresh(view: Value) -> Response {
    let mut response = Json(view).into_response();
    let cache = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, cache);
    response
}
