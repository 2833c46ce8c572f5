//! The route of who has not been corrected yet.

use axum::{
    Json, Router,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use chassis::{Problem, auth::Caller};
use domain::ids::GroupId;
use serde::Deserialize;

use crate::http::{App, alert_in, invalid, wrong_query};

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/v1/alerts/{id}/uncorrected", get(uncorrected))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupQuery {
    group: Option<String>,
}

/// The group that a list is of.
pub(crate) fn group_of(id: &str) -> Result<GroupId, Problem> {
    id.parse().map_err(|_| invalid("group", "phải là mã / must be an id"))
}

async fn uncorrected(
    State(App(intake)): State<App>,
    Caller(asker): Caller,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<GroupQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let alert = alert_in(id)?;
    let Query(GroupQuery { group }) = query.map_err(wrong_query)?;
    let group = group.as_deref().map(group_of).transpose()?;
    let outstanding = intake.uncorrected(&asker, alert, group.as_ref()).await?;
    Ok(Json(outstanding.json()).into_response())
}
