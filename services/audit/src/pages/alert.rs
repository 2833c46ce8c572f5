//! An alert's life: its times, a slider through what was known, and its records with their proofs.

use std::collections::BTreeSet;

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
use chassis::{Host, Problem};
use console::{Frame, Visitor, shown};
use domain::ids::{AlertId, Millis};
use futures::StreamExt;
use history::{Asked, AskedKnown, Filter, Line, Missing, Moment, Time, Timeline, Tracing};
use serde::Deserialize;

use super::{for_auditors, known::KnownSeen, list::moment};
use crate::{
    http::unreadable, known_http::known as known_at, replay::Replayer, tree_http::not_found,
};

/// So many records stand on the page; the rest is fetched.
const LINES_MAX: usize = 500;

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    at: String,
}

#[derive(Template)]
#[template(path = "audit_alert.html")]
struct AlertPage<'a> {
    frame: &'a Frame,
    timeline: Timeline,
    /// The issuing commune's name.
    commune: String,
    /// Where the slider begins, ends and stands; milliseconds since 1970.
    from: i64,
    to: i64,
    at: i64,
    seen: KnownSeen<'a>,
    lines: Vec<Line>,
    is_more: bool,
}

impl AlertPage<'_> {
    fn kind(&self) -> String {
        self.frame.t(&format!("kind-{}", self.timeline.kind))
    }

    fn state(&self) -> String {
        self.frame.t(&format!("state-{}", self.timeline.state))
    }

    /// Why a time is missing, in words.
    fn missing(&self, moment: &Moment) -> String {
        let key = match moment.missing {
            Some(Missing::NotSaid) => "missing-not-said",
            Some(Missing::NotNeeded) => "missing-not-needed",
            Some(Missing::Nobody) => "missing-nobody",
            Some(Missing::EndedOtherwise) => "missing-ended-otherwise",
            Some(Missing::NothingToCorrect) => "missing-nothing-to-correct",
            Some(Missing::SomeRemain) => "missing-some-remain",
            Some(Missing::NotConfirmed) => "missing-not-confirmed",
            Some(Missing::NotYet) | None => "missing-not-yet",
        };
        self.frame.t(key)
    }

    /// When a record was made.
    fn made(&self, line: &Line) -> String {
        Time(line.at).day_and_clock()
    }
}

/// What was known at a moment, as a part of the page.
#[derive(Template)]
#[template(path = "audit_known.html")]
struct KnownPart<'a> {
    seen: KnownSeen<'a>,
}

pub(super) async fn page(
    State(host): State<Host>,
    State(replayer): State<Replayer>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Response {
    for_auditors(visitor, async |frame| {
        let alert: AlertId = id.parse().map_err(|_| not_found())?;
        let now = host.clock.now();
        let replayer = replayer.complete_to(&host.log, now).await;
        let of = Some(BTreeSet::from([alert]));
        let traced = replayer.read(of, Tracing::new(alert), Tracing::look).await;
        let timeline = traced.map_err(unreadable)?.timeline().ok_or_else(not_found)?;
        let (lines, is_more) = lines_of(&replayer, alert).await?;
        let from = lines.first().map_or(now, |line| line.at);
        let to = lines.last().map_or(now, |line| line.at).max(from);
        // At first: as it is now.
        let at = moment(&wanted.at)?.unwrap_or(to).min(now);
        let asked = AskedKnown { commune: None, alert: Some(alert), at };
        let known = known_at(&replayer, asked).await.map_err(unreadable)?;
        let page = AlertPage {
            frame,
            commune: host.map.called(&timeline.commune),
            timeline,
            from: from.0,
            to: to.0,
            at: at.0,
            seen: KnownSeen { frame, map: &host.map, known },
            lines,
            is_more,
        };
        Ok(shown(StatusCode::OK, &page))
    })
    .await
}

/// What was known at a moment, for the slider.
pub(super) async fn known(
    State(host): State<Host>,
    State(replayer): State<Replayer>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Response {
    for_auditors(visitor, async |frame| {
        let alert: AlertId = id.parse().map_err(|_| not_found())?;
        let now: Millis = host.clock.now();
        let at = moment(&wanted.at)?.unwrap_or(now).min(now);
        let replayer = replayer.complete_to(&host.log, now).await;
        let asked = AskedKnown { commune: None, alert: Some(alert), at };
        let known = known_at(&replayer, asked).await.map_err(unreadable)?;
        let seen = KnownSeen { frame, map: &host.map, known };
        Ok(shown(StatusCode::OK, &KnownPart { seen }))
    })
    .await
}

async fn lines_of(replayer: &Replayer, alert: AlertId) -> Result<(Vec<Line>, bool), Problem> {
    let filter = Filter { alert: Some(alert), ..Filter::default() };
    let mut read = replayer.lines(Asked { filter, after: 0 });
    let mut lines = vec![];
    while let Some(line) = read.next().await {
        if lines.len() == LINES_MAX {
            return Ok((lines, true));
        }
        lines.push(line.map_err(unreadable)?);
    }
    Ok((lines, false))
}
