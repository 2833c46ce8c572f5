//! Small things that every server gives out: lines, the OpenAPI document, gRPC health, and a
//! replay of the log where this process keeps no audit.

use std::{convert::Infallible, io::Write};

use axum::{
    Router,
    body::Body,
    extract::{Query, State},
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use chassis::{
    Host, Problem,
    auth::{Caller, forbidden},
};
use futures::StreamExt;
use history::Filter;
use tonic_health::server::HealthReporter;

/// The interface, for programs.
const OPEN_API: &str = include_str!("../openapi.json");

/// Prints a line of the answer to standard output, at once.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    // Whoever read it may be gone; there is nobody else to tell.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// `/openapi.json`.
pub(crate) fn open_api() -> Router {
    let document = ([(header::CONTENT_TYPE, "application/json")], OPEN_API);
    Router::new().route("/openapi.json", get(async move || document))
}

/// Tells gRPC's health service what `/readyz` tells.
pub(crate) fn report_health(reporter: HealthReporter, host: &Host) {
    let (health, stop) = (host.health.clone(), host.drain.token());
    host.drain.spawn("grpc-health", async move {
        let mut changes = health.subscribe();
        loop {
            let status = if health.readiness().ready {
                tonic_health::ServingStatus::Serving
            } else {
                tonic_health::ServingStatus::NotServing
            };
            reporter.set_service_status("", status).await;
            tokio::select! {
                () = changes.changed() => {}
                () = stop.cancelled() => return,
            }
        }
    });
}

/// The owner's replay at a process that keeps no audit: the log itself, put in order.
pub(crate) fn router(host: Host) -> Router {
    Router::new().route("/v1/audit/records", get(records)).with_state(host)
}

async fn records(
    State(host): State<Host>,
    Caller(asker): Caller,
    Query(query): Query<history::FilterText>,
) -> Result<Response, Problem> {
    if !asker.standing.reads_audit() {
        return Err(forbidden());
    }
    let filter = Filter::parse(&query).map_err(|wrong| {
        let detail = "Yêu cầu không hợp lệ. / The request is not valid.";
        let status = axum::http::StatusCode::BAD_REQUEST;
        Problem::new(status, "invalid-fields", detail).with_field(wrong.field, wrong.reason)
    })?;
    let lines = history::replay_of_log(host.log, filter).map(|line| {
        let mut json = line.json().to_string();
        json.push('\n');
        Ok::<_, Infallible>(json)
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines))
        .into_response())
}
