//! A commune's page for anyone: what is in force there, whom to call, how to join its groups.
//!
//! Of an alert it says no more than the page of its code does.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chassis::Problem;
use console::{Open, kept, qr};
use domain::{
    alert::Alert,
    ids::{CommuneCode, GroupId, Home},
};
use rendering::text::clock;

use crate::{Intake, refused::not_found, verified::KEPT};

/// So many alerts are shown.
const SHOWN_MAX: usize = 50;
/// Whom to call anywhere in Việt Nam: the number, and the key of who answers. Source: the numbering
/// plan for telecommunications, circular 22/2014/TT-BTTTT.
const HOTLINES: [(&str, &str); 5] = [
    ("113", "hotline-police"),
    ("114", "hotline-fire"),
    ("115", "hotline-ambulance"),
    ("112", "hotline-rescue"),
    ("111", "hotline-children"),
];

#[derive(Template)]
#[template(path = "commune.html")]
struct CommunePage<'a> {
    open: &'a Open,
    code: CommuneCode,
    name: &'a str,
    province: &'a str,
    alerts: Vec<AlertOpen>,
    hotlines: [(&'static str, &'static str); 5],
    groups: Vec<GroupOpen>,
}

/// An alert in force, for anyone.
struct AlertOpen {
    code: String,
    is_live: bool,
    mark: String,
    mark_en: String,
    kind: String,
    kind_en: String,
    from: String,
    sent: String,
}

/// A group that anybody may join.
struct GroupOpen {
    id: GroupId,
    name: String,
}

type CommunePath = Result<Path<String>, PathRejection>;
type GroupPath = Result<Path<(String, String)>, PathRejection>;

pub(super) async fn page(
    State(intake): State<Arc<Intake>>,
    open: Open,
    path: CommunePath,
) -> Response {
    let Ok(home) = home_of(&intake, path.ok().map(|Path(code)| code)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let alerts = match in_force(&intake, &open, home).await {
        Ok(alerts) => alerts,
        Err(problem) => return problem.into_response(),
    };
    let Some(commune) = intake.host.map.commune(home.commune) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let groups = {
        let directory = intake.host.directory.read();
        let open = directory.groups_of(home.commune).iter().filter(|group| group.join.is_some());
        let named = open.filter_map(|group| {
            Some(GroupOpen { id: group.facts.id.clone(), name: group.name.as_deref()?.to_owned() })
        });
        named.collect()
    };
    let page = CommunePage {
        open: &open,
        code: home.commune,
        name: &commune.name,
        province: &commune.province_name,
        alerts,
        hotlines: HOTLINES,
        groups,
    };
    kept(StatusCode::OK, &page, KEPT)
}

/// Alerts in force that concern a commune: the newest first, each durable.
async fn in_force(intake: &Intake, open: &Open, home: Home) -> Result<Vec<AlertOpen>, Problem> {
    intake.has_read().await?;
    let rows: Vec<_> = {
        let board = intake.board.lock();
        let newest = board.order.iter().rev().filter_map(|id| board.get(*id));
        let here = newest.filter(|row| matches!(row.alert, Alert::Active { .. }));
        let here = here.filter(|row| row.communes().any(|it| it.commune == home.commune));
        here.take(SHOWN_MAX).cloned().collect()
    };
    let mut alerts = vec![];
    for row in rows {
        intake.door(&row).await?;
        let Some(facts) = row.facts() else { continue };
        let is_live = facts.status.is_actual();
        let mark = if is_live { "live" } else { "exercise" };
        let kind = format!("kind-{}", facts.kind.as_str());
        let from = intake.host.map.commune(row.home.commune);
        alerts.push(AlertOpen {
            code: row.code(),
            is_live,
            mark: open.vi(mark),
            mark_en: open.en(mark),
            kind: open.vi(&kind),
            kind_en: open.en(&kind),
            from: from.map(|commune| commune.name.to_string()).unwrap_or_default(),
            sent: row.sent.map(clock).unwrap_or_default(),
        });
    }
    Ok(alerts)
}

/// Sends on to where a group is joined: a picture on a wall stays right when the address changes.
pub(super) async fn join(State(intake): State<Arc<Intake>>, path: GroupPath) -> Response {
    let join = path.ok().and_then(|Path((commune, group))| joined(&intake, &commune, &group));
    let Some(location) = join.and_then(|join| HeaderValue::try_from(join).ok()) else {
        return not_found().into_response();
    };
    let kept = HeaderValue::from_static("no-store");
    let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, kept)];
    (StatusCode::FOUND, headers).into_response()
}

/// The same as a camera reads it off a wall.
pub(super) async fn join_code(State(intake): State<Arc<Intake>>, path: GroupPath) -> Response {
    let drawn = path.ok().and_then(|Path((commune, group))| {
        joined(&intake, &commune, &group)?;
        qr(&format!("{}/xa/{commune}/nhom/{group}", intake.public_url))
    });
    drawn.unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}

fn joined(intake: &Intake, commune: &str, group: &str) -> Option<String> {
    let commune: CommuneCode = commune.parse().ok()?;
    let directory = intake.host.directory.read();
    let mut groups = directory.groups_of(commune).iter();
    let group = groups.find(|it| it.facts.id.as_str() == group)?;
    group.join.as_deref().map(str::to_owned)
}

fn home_of(intake: &Intake, code: Option<String>) -> Result<Home, Problem> {
    let code = code.and_then(|code| code.parse().ok());
    code.and_then(|code| intake.host.map.home(code)).ok_or_else(not_found)
}
