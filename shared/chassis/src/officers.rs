//! The import of officers, contacts and duty rosters, at every process: one file, one answer.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRef, State, rejection::BytesRejection},
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::post,
};
use domain::rights::Asker;
use registry::officers::{OFFICERS_BYTES_MAX, parse_officers};
use serde_json::json;
use wire::actor::person;

use crate::{
    Host, Problem,
    admin::{administers, command_id, of_clerk, of_faults, too_large},
    auth::Caller,
};

/// Where the file is sent to.
pub const OFFICERS_PATH: &str = "/v1/officers";

/// The route.
pub(crate) fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Host: FromRef<S>,
{
    let bytes_max = usize::try_from(OFFICERS_BYTES_MAX).unwrap_or(usize::MAX);
    Router::new().route(OFFICERS_PATH, post(import).layer(DefaultBodyLimit::max(bytes_max)))
}

async fn import(
    State(host): State<Host>,
    Caller(asker): Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    administers(&asker)?;
    let body = body.map_err(|_| too_large())?;
    command_id(&asker, OFFICERS_PATH, &headers)?;
    let recorded = import_officers(&host, &asker, &body).await?;
    Ok(Json(json!({ "recorded": recorded })).into_response())
}

/// Records what is new of an officers file; the same over HTTP and gRPC. Answers with how many
/// officers and places were recorded.
///
/// # Errors
/// The asker does not administer, the file has faults, or it could not be stored.
pub async fn import_officers(host: &Host, asker: &Asker, lines: &[u8]) -> Result<usize, Problem> {
    administers(asker)?;
    let officers = parse_officers(lines, &host.map).map_err(|faults| of_faults(&faults))?;
    let now = host.clock.now();
    host.clerk.import_officers(person(asker), officers, now).await.map_err(of_clerk)
}
