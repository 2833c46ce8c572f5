//! The page of an alert: what it says, how it stands with each commune and group, and what can be
//! done with it.

use std::{collections::BTreeMap, sync::Arc};

use askama::Template;
use axum::{
    extract::{Path, Query, State, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use chassis::Problem;
use console::{Frame, Visitor, shown};
use domain::rights::Asker;
use serde::Deserialize;

use super::{map::Drawn, seen::AlertSeen};
use crate::{
    Intake,
    application::AlertDeliveries,
    http::{alert_in, seen},
};

#[derive(Template)]
#[template(path = "alert.html", blocks = ["now"])]
struct AlertPage<'a> {
    frame: &'a Frame,
    seen: AlertSeen<'a>,
    /// How many groups of each commune are in each state, by the commune's code.
    groups: Vec<GroupsSeen>,
    map: Option<Drawn>,
    /// What became of what was asked for last: `held` or `deciding`; otherwise empty.
    said: &'a str,
}

/// The deliveries to a commune's groups in one state.
pub(super) struct GroupsSeen {
    pub(super) place: String,
    pub(super) state: String,
    pub(super) count: usize,
}

#[derive(Deserialize)]
pub(super) struct Said {
    #[serde(default)]
    said: String,
}

pub(super) async fn page(
    State(intake): State<Arc<Intake>>,
    Visitor { asker, frame, .. }: Visitor,
    Query(Said { said }): Query<Said>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    match drawn(&intake, &asker, &frame, (id, &said)).await {
        Ok(page) => shown(StatusCode::OK, &page),
        Err(problem) => frame.trouble(&problem),
    }
}

/// What changes on the page while somebody looks.
pub(super) async fn now(
    State(intake): State<Arc<Intake>>,
    Visitor { asker, frame, .. }: Visitor,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    match drawn(&intake, &asker, &frame, (id, "")).await {
        Ok(page) => shown(StatusCode::OK, &page.as_now()),
        Err(problem) => frame.trouble(&problem),
    }
}

async fn drawn<'a>(
    intake: &'a Intake,
    asker: &'a Asker,
    frame: &'a Frame,
    (id, said): (Result<Path<String>, PathRejection>, &'a str),
) -> Result<AlertPage<'a>, Problem> {
    let alert = alert_in(id)?;
    let found = intake.get(asker, alert).await?;
    let told = intake.deliveries(asker, alert).await?;
    let seen = AlertSeen::new(frame, intake, asker, &found);
    let groups = counted(&told, &seen, intake);
    let map = seen.map();
    Ok(AlertPage { frame, seen, groups, map, said })
}

fn counted(told: &AlertDeliveries, alert: &AlertSeen<'_>, intake: &Intake) -> Vec<GroupsSeen> {
    let mut counts: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for delivery in seen(told, intake.host.clock.now()) {
        let place = alert.place(&delivery.commune.to_string());
        *counts.entry((place, delivery.delivery.state())).or_default() += 1;
    }
    let groups = counts.into_iter().map(|((place, state), count)| GroupsSeen {
        place,
        state: alert.frame.t(&format!("delivery-{state}")),
        count,
    });
    groups.collect()
}
