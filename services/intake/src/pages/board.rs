//! The board of a place: what was put to it and waits for its answer, what it has issued, and what
//! is over.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use console::{Frame, Visitor, shown};
use domain::rights::Asker;

use super::seen::AlertSeen;
use crate::{Intake, application::Filter, http::alert_in};

#[derive(Template)]
#[template(path = "board.html")]
struct BoardPage<'a> {
    frame: &'a Frame,
    /// Whose board it is: a commune, or a province.
    place: String,
    to_answer: Vec<AlertSeen<'a>>,
    open: Vec<AlertSeen<'a>>,
    over: Vec<AlertSeen<'a>>,
}

/// One alert on the board, to be put in the place of itself.
#[derive(Template)]
#[template(path = "card.html")]
struct Card<'a> {
    seen: AlertSeen<'a>,
}

pub(super) async fn page(
    State(intake): State<Arc<Intake>>,
    Visitor { asker, frame, .. }: Visitor,
) -> Response {
    let alerts = match intake.list(&asker, &Filter::default()).await {
        Ok((alerts, _)) => alerts,
        Err(problem) => return frame.trouble(&problem),
    };
    let place = place_of(&intake, &asker);
    let mut page =
        BoardPage { frame: &frame, place, to_answer: vec![], open: vec![], over: vec![] };
    for alert in &alerts {
        let seen = AlertSeen::new(&frame, &intake, &asker, alert);
        if !seen.to_answer().is_empty() {
            page.to_answer.push(seen);
        } else if seen.is_over() {
            page.over.push(seen);
        } else {
            page.open.push(seen);
        }
    }
    shown(StatusCode::OK, &page)
}

/// The name of the place that somebody stands for.
fn place_of(intake: &Intake, asker: &Asker) -> String {
    let map = &intake.host.map;
    let commune = asker.standing.commune().and_then(|code| map.commune(code));
    let commune = commune.map(|commune| commune.name.to_string());
    let province = asker.standing.province().and_then(|code| map.province_name(code));
    commune.or_else(|| province.map(ToString::to_string)).unwrap_or_default()
}

pub(super) async fn card(
    State(intake): State<Arc<Intake>>,
    Visitor { asker, frame, .. }: Visitor,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let found = match alert_in(id) {
        Ok(alert) => intake.get(&asker, alert).await,
        Err(problem) => Err(problem),
    };
    match found {
        Ok(alert) => {
            let seen = AlertSeen::new(&frame, &intake, &asker, &alert);
            shown(StatusCode::OK, &Card { seen })
        }
        Err(problem) => frame.trouble(&problem),
    }
}
