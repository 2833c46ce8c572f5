//! The routes of what a commune adds to an alert that was relayed to it.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Body,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chassis::{Problem, auth::Caller};
use domain::{ids::AlertId, rights::Asker};
use serde_json::{Value, json};

use crate::{
    Intake,
    acts::Act,
    http::{App, CommuneQuery, alert_in, answer, commune_in, read, request_of},
    look_http::Reading,
    refused::bad_request,
    relay_acts::RelayAct,
    request,
    view::time,
};

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/alerts/{id}/instructions", get(list).post(instruct))
        .route("/v1/alerts/{id}/relay", post(onward))
}

async fn instruct(
    State(App(intake)): State<App>,
    Caller(asker): Caller,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<CommuneQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body = read(body).await?;
    let commune = commune_in(query)?;
    let alert = alert_in(id)?;
    let instruction = request::instruction(&body).map_err(|bad| bad_request(&bad))?;
    let act = RelayAct::Instruct { commune, instruction };
    add(&intake, &asker, (alert, "instructions"), (&headers, &body), act).await
}

async fn onward(
    State(App(intake)): State<App>,
    Caller(asker): Caller,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<CommuneQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body = read(body).await?;
    let commune = commune_in(query)?;
    let alert = alert_in(id)?;
    let onward = request::onward(&body, intake.host.map.as_ref());
    let request::Onward { to, note } = onward.map_err(|bad| bad_request(&bad))?;
    let act = RelayAct::Onward { commune, to, note };
    add(&intake, &asker, (alert, "relay"), (&headers, &body), act).await
}

async fn add(
    intake: &Arc<Intake>,
    asker: &Asker,
    (alert, action): (AlertId, &str),
    (headers, body): (&HeaderMap, &[u8]),
    act: RelayAct,
) -> Result<Response, Problem> {
    let path = format!("/v1/alerts/{alert}/{action}");
    let request = request_of(asker, &path, headers, body)?;
    let shown = intake.act(asker, request, alert, Act::OfRelay(act)).await?;
    let status = if shown.pending { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok(answer(status, &shown))
}

async fn list(
    State(App(intake)): State<App>,
    reading: Reading,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let alert = alert_in(id)?;
    let all = intake.instructions(&reading, alert).await?.into_iter().map(|one| {
        json!({
            "commune": one.commune.to_string(),
            "instruction": one.text,
            "officer": one.officer,
            "at": time(one.at),
        })
    });
    let all: Vec<Value> = all.collect();
    Ok(Json(json!({ "instructions": all })).into_response())
}
