//! Small things that every server gives out: lines, the OpenAPI document, gRPC health.

use std::io::Write;

use axum::{Router, http::header, routing::get};
use chassis::Host;
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
