//! `GET /v1/audit/as-known`: what a commune saw at a moment, for auditors and for the owner of the
//! machine.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use chassis::{
    Host, Problem,
    auth::{Caller, forbidden},
};
use history::{AsKnown, AskedKnown, Gathering, ReplayError, Search, WrongParameter};

use crate::{
    http::{invalid, unreadable},
    replay::Replayer,
};

/// What is in the query, in its order.
pub(crate) type Parameters = Result<Query<Vec<(String, String)>>, QueryRejection>;

pub(crate) async fn as_known(
    State(host): State<Host>,
    State(replayer): State<Replayer>,
    Caller(asker): Caller,
    parameters: Parameters,
) -> Result<Json<AsKnown>, Problem> {
    if !asker.standing.reads_audit() {
        return Err(forbidden());
    }
    let parameters = parameters.map_err(|_| invalid())?;
    let pairs = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let asked = AskedKnown::parse(pairs)
        .map_err(|WrongParameter { name, reason }| invalid().with_field(name, reason))?;
    // Nobody knows yet what will be known.
    if asked.at > host.clock.now() {
        return Err(invalid().with_field("at", "chưa tới lúc đó / it has not come yet"));
    }
    Ok(Json(known(&replayer, asked).await.map_err(unreadable)?))
}

async fn known(replayer: &Replayer, asked: AskedKnown) -> Result<AsKnown, ReplayError> {
    let search = replayer.read(None, Search::new(asked), Search::look).await?;
    let alerts = search.alerts().clone();
    let gathering = replayer.read(Some(alerts), search.gathering(), Gathering::look).await?;
    Ok(gathering.known())
}
