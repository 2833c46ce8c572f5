//! `GET /v1/audit/as-known`, what a commune saw at a moment, and `GET /v1/audit/timeline`, the
//! times of an alert that matter; for auditors and for the owner of the machine.

use std::collections::BTreeSet;

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use chassis::{
    Host, Problem,
    auth::{Caller, forbidden},
};
use domain::rights::Asker;
use history::{
    AsKnown, Asked, AskedKnown, Filter, Gathering, ReplayError, Search, Timeline, Tracing,
    WrongParameter,
};

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
    let pairs = pairs(&asker, parameters)?;
    let asked = AskedKnown::parse(borrowed(&pairs)).map_err(wrong)?;
    // Nobody knows yet what will be known.
    let now = host.clock.now();
    if asked.at > now {
        return Err(invalid().with_field("at", "chưa tới lúc đó / it has not come yet"));
    }
    let replayer = replayer.complete_to(&host.log, now).await;
    Ok(Json(known(&replayer, asked).await.map_err(unreadable)?))
}

pub(crate) async fn timeline(
    State(host): State<Host>,
    State(replayer): State<Replayer>,
    Caller(asker): Caller,
    parameters: Parameters,
) -> Result<Json<Timeline>, Problem> {
    let pairs = pairs(&asker, parameters)?;
    let asked = Asked::parse(borrowed(&pairs)).map_err(wrong)?;
    let of_alert = Filter { alert: asked.filter.alert, ..Filter::default() };
    if asked != (Asked { filter: of_alert, after: 0 }) {
        let other = pairs.iter().find(|(name, _)| name != "alert").map(|(name, _)| name.as_str());
        let reason = "không có tham số này / there is no such parameter";
        return Err(invalid().with_field(other.unwrap_or_default(), reason));
    }
    let Some(alert) = of_alert.alert else {
        return Err(invalid().with_field("alert", "cần mã báo động / an alert is needed"));
    };
    let replayer = replayer.complete_to(&host.log, host.clock.now()).await;
    let tracing = Tracing::new(alert);
    let traced = replayer.read(Some(BTreeSet::from([alert])), tracing, Tracing::look).await;
    let timeline = traced.map_err(unreadable)?.timeline();
    timeline.map(Json).ok_or_else(|| {
        let detail = "Không có báo động này. / There is no such alert.";
        Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
    })
}

fn pairs(asker: &Asker, parameters: Parameters) -> Result<Vec<(String, String)>, Problem> {
    if !asker.standing.reads_audit() {
        return Err(forbidden());
    }
    parameters.map(|Query(pairs)| pairs).map_err(|_| invalid())
}

fn borrowed(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

fn wrong(WrongParameter { name, reason }: WrongParameter) -> Problem {
    invalid().with_field(name, reason)
}

pub(crate) async fn known(replayer: &Replayer, asked: AskedKnown) -> Result<AsKnown, ReplayError> {
    let search = replayer.read(None, Search::new(asked), Search::look).await?;
    let alerts = search.alerts().clone();
    let gathering = replayer.read(Some(alerts), search.gathering(), Gathering::look).await?;
    Ok(gathering.known())
}
