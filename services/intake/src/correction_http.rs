//! The route of who has not been corrected yet.

use axum::{
    Json, Router,
    extract::{Path, State, rejection::PathRejection},
    response::{IntoResponse, Response},
    routing::get,
};
use chassis::{Problem, auth::Caller};

use crate::http::{App, alert_in};

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/v1/alerts/{id}/uncorrected", get(uncorrected))
}

async fn uncorrected(
    State(App(intake)): State<App>,
    Caller(asker): Caller,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let alert = alert_in(id)?;
    let outstanding = intake.uncorrected(&asker, alert).await?;
    Ok(Json(outstanding.json()).into_response())
}
