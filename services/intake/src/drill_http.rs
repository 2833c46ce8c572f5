//! The routes of measured exercises: as one stands, what is kept, and what was kept last.

use axum::{
    Json, Router,
    body::Body,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use chassis::{Problem, auth::Caller, problem::HELD_HERE};
use serde_json::{Value, json};

use crate::{
    drill_view,
    http::{App, CommuneQuery, alert_in, commune_in, read, request_of},
    measuring::Kept,
    refused::bad_request,
    request,
};

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/v1/drills", get(list).post(keep)).route("/v1/drills/{id}", get(one))
}

/// As it stands now; nothing is written.
async fn one(
    State(App(intake)): State<App>,
    Caller(asker): Caller,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let alert = alert_in(id)?;
    let measured = intake.measure(&asker, alert).await?;
    let communes: Vec<Value> = measured.iter().map(drill_view::measured).collect();
    let done = measured.iter().all(|measured| measured.is_over);
    let view = json!({ "alert": alert.to_string(), "done": done, "communes": communes });
    Ok(Json(view).into_response())
}

async fn keep(
    State(App(intake)): State<App>,
    Caller(asker): Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body = read(body).await?;
    let alert = request::drill(&body).map_err(|bad| bad_request(&bad))?;
    // The same key about another exercise is another request.
    let request = request_of(&asker, &format!("/v1/drills/{alert}"), &headers, &body)?;
    let kept = intake.keep_drill(&asker, request, alert).await?;
    Ok(answer(&kept))
}

pub(crate) fn answer(kept: &Kept) -> Response {
    let mut view = drill_view::result(&kept.result);
    if let (true, Some(view)) = (kept.held, view.as_object_mut()) {
        view.insert("request".into(), json!(HELD_HERE));
    }
    let status = if kept.held { StatusCode::ACCEPTED } else { StatusCode::CREATED };
    (status, Json(view)).into_response()
}

async fn list(
    State(App(intake)): State<App>,
    Caller(asker): Caller,
    query: Result<Query<CommuneQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let drills = intake.last_drills(&asker, commune_in(query)?)?;
    let drills: Vec<Value> = drills.iter().map(drill_view::last).collect();
    Ok(Json(json!({ "drills": drills })).into_response())
}
