//! Who reads, and why: the header of a request that reads, and the route of who has looked.

use axum::{
    Json, Router,
    extract::{FromRef, FromRequestParts, Path, State, rejection::PathRejection},
    http::request::Parts,
    response::{IntoResponse, Response},
    routing::get,
};
use chassis::{
    Host, Problem,
    auth::{Caller, TurnedAway},
};
use domain::rights::Asker;
use serde_json::{Value, json};
use tonic::metadata::MetadataMap;

use crate::{
    http::{App, alert_in},
    looks::{Reader, Seen},
    refused::bad_request,
    request,
    view::time,
};

/// The header that says why somebody reads, in UTF-8; of gRPC with `-bin` behind it.
const REASON: &str = "keng-reason";
const REASON_BIN: &str = "keng-reason-bin";

/// Somebody who reads, taken from a request.
pub(crate) struct Reading {
    pub(crate) asker: Asker,
    reason: Option<String>,
}

impl Reading {
    fn of(asker: Asker, reason: Option<&[u8]>) -> Result<Self, Problem> {
        let reason = request::reason(reason.unwrap_or_default());
        let reason = reason.map_err(|bad| bad_request(&bad))?;
        Ok(Self { asker, reason })
    }

    /// Over gRPC.
    pub(crate) fn of_metadata(asker: Asker, metadata: &MetadataMap) -> Result<Self, Problem> {
        let reason = metadata.get_bin(REASON_BIN).and_then(|reason| reason.to_bytes().ok());
        Self::of(asker, reason.as_deref())
    }
}

impl<'a> From<&'a Reading> for Reader<'a> {
    fn from(reading: &'a Reading) -> Self {
        Self { asker: &reading.asker, reason: reading.reason.as_deref() }
    }
}

impl<S> FromRequestParts<S> for Reading
where
    S: Send + Sync,
    Host: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let caller = Caller::from_request_parts(parts, state).await;
        let Caller(asker) = caller.map_err(TurnedAway::into_response)?;
        let reason = parts.headers.get(REASON).map(|reason| reason.as_bytes());
        Self::of(asker, reason).map_err(Problem::into_response)
    }
}

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/v1/alerts/{id}/looks", get(looks))
}

async fn looks(
    State(App(intake)): State<App>,
    reading: Reading,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let alert = alert_in(id)?;
    let looks = intake.looks((&reading).into(), alert).await?;
    let looks: Vec<Value> = looks.iter().map(of_look).collect();
    Ok(Json(json!({ "alert": alert.to_string(), "looks": looks })).into_response())
}

fn of_look(Seen { look, reason }: &Seen) -> Value {
    json!({
        "at": time(look.at),
        "reader": look.reader,
        "commune": look.commune.map(|code| code.to_string()),
        "what": look.what.as_str(),
        "duty": look.duty.as_str(),
        "reason": reason,
    })
}
