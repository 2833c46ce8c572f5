//! What there is of completeness, review, hold, what waits for a second person, the question before
//! the end, the next step of the reach and the newest sighting, as JSON and over gRPC. What there
//! is not has no field.

use domain::{
    alert::{Alert, ChangeHow, LastSeen, Live, Pending, Review},
    ids::{CommuneCode, Millis},
};
use serde_json::{Map, Value, json};
use wire::v1::{self, AlertText};

use crate::{
    request::{alert_fields, fields_of, reach_fields, reach_json},
    row::Row,
    view::time,
};

/// As JSON.
pub(crate) fn json(row: &Row) -> Map<String, Value> {
    let mut view = Map::new();
    if let Some(content) = row.alert.content() {
        let checked = &content.checked;
        let missing = json!(checked.missing);
        let percent = checked.completeness_percent;
        let checklist = json!({ "completeness_percent": percent, "missing": missing });
        view.insert("checklist".into(), checklist);
    }
    let Some(live) = row.alert.live() else { return view };
    if live.on_hold {
        view.insert("on_hold".into(), json!(true));
    }
    if row.alert.is_expiry_near() {
        view.insert("expiry_near".into(), json!(true));
    }
    if let Some(due) = due(live) {
        let review = json!({ "state": live.review.as_str(), "due": time(due) });
        view.insert("review".into(), review);
    } else if live.review != Review::NotOwed {
        view.insert("review".into(), json!({ "state": live.review.as_str() }));
    }
    if let Some((revision, pending, by)) = &live.pending {
        view.insert("pending".into(), pending_json(*revision, pending, by));
    }
    if let Some((at, communes)) = next(row, live) {
        let next = json!({ "at": time(at), "communes": codes(communes) });
        view.insert("next_widening".into(), next);
    }
    if let Some(assumed) = &live.next.assumed {
        let figures = json!({
            "rule": assumed.rule, "table": assumed.table, "category": assumed.category,
            "terrain": assumed.terrain, "mode": assumed.mode, "speed_m_h": assumed.speed_m_h,
            "reach_m": assumed.reach_m, "r95_m": assumed.r95_m, "measured": assumed.measured,
            "bordering_only": assumed.is_bordering_only,
        });
        view.insert("reach_figures".into(), figures);
    }
    if let Some(seen) = live.sighting {
        let point = point(seen).map(|(lat, lon)| json!({ "lat": lat, "lon": lon }));
        let sighting = json!({ "at": seen.at.map(time), "point": point });
        view.insert("sighting".into(), sighting);
    }
    view
}

/// Over gRPC: the view with these fields filled in.
pub(crate) fn message(row: &Row, view: v1::AlertView) -> v1::AlertView {
    let checklist = row.alert.content().map(|content| v1::ChecklistView {
        completeness_percent: u32::from(content.checked.completeness_percent),
        missing: content.checked.missing.clone(),
    });
    let Some(live) = row.alert.live() else { return v1::AlertView { checklist, ..view } };
    let review = (live.review != Review::NotOwed).then(|| v1::ReviewView {
        state: live.review.as_str().to_owned(),
        due: due(live).map(time).unwrap_or_default(),
    });
    let pending = live.pending.as_ref();
    let next = next(row, live);
    let figures = live.next.assumed.as_ref().map(|assumed| v1::ReachFiguresView {
        rule: assumed.rule.clone(),
        table: assumed.table.clone(),
        category: assumed.category.clone(),
        terrain: assumed.terrain.clone(),
        mode: assumed.mode.clone(),
        speed_m_h: assumed.speed_m_h,
        reach_m: assumed.reach_m,
        r95_m: assumed.r95_m,
        measured: assumed.measured.clone(),
        bordering_only: assumed.is_bordering_only,
    });
    let sighting = live.sighting.map(|seen| {
        let (lat, lon) = point(seen).unzip();
        v1::SightingView { at: seen.at.map(time).unwrap_or_default(), lat, lon }
    });
    v1::AlertView {
        checklist,
        review,
        on_hold: live.on_hold,
        pending: pending.map(|(revision, pending, by)| pending_message(*revision, pending, by)),
        next_widening: next
            .map(|(at, communes)| v1::NextWideningView { at: time(at), communes: codes(communes) }),
        reach_figures: figures,
        sighting,
        expiry_near: row.alert.is_expiry_near(),
        ..view
    }
}

fn due(live: &Live) -> Option<Millis> {
    match live.review {
        Review::Owed { due, .. } => Some(due),
        Review::NotOwed | Review::Done { .. } => None,
    }
}

/// When the reach grows by itself, and by which communes.
fn next<'a>(row: &Row, live: &'a Live) -> Option<(Millis, &'a [CommuneCode])> {
    let grows = matches!(row.alert, Alert::Active(_)) && !live.on_hold;
    live.next.at.filter(|_| grows).map(|at| (at, live.next.communes.as_slice()))
}

fn codes(communes: &[CommuneCode]) -> Vec<String> {
    communes.iter().map(ToString::to_string).collect()
}

/// Degrees north and east.
fn point(seen: LastSeen) -> Option<(f64, f64)> {
    let degrees = |millideg: i32| f64::from(millideg) / 1_000.0;
    seen.point.map(|point| (degrees(point.lat_millideg), degrees(point.lon_millideg)))
}

fn change_word(pending: &Pending) -> &'static str {
    match pending {
        Pending::Change { how: ChangeHow::Update, .. } => "update",
        Pending::Change { how: ChangeHow::Correct, .. } => "correct",
        Pending::Widen(_) => "widen",
        Pending::Reopen { .. } => "reopen",
    }
}

/// What waits for a second person: exactly this revision is approved. The words of a change are
/// shown only with the one alert that somebody asks for.
fn pending_json(revision: u64, pending: &Pending, by: &str) -> Value {
    let mut view = Map::new();
    view.insert("revision".into(), json!(revision));
    view.insert("asked_by".into(), json!(by));
    view.insert("change".into(), json!(change_word(pending)));
    match pending {
        Pending::Change { facts, .. } => {
            view.insert("fields".into(), json!(fields_of(facts, &AlertText::default())));
        }
        Pending::Widen(reach) => {
            view.insert("reach".into(), json!(reach_json(reach)));
        }
        Pending::Reopen { .. } => {}
    }
    view.into()
}

fn pending_message(revision: u64, pending: &Pending, by: &str) -> v1::PendingView {
    let (fields, reach) = match pending {
        Pending::Change { facts, .. } => (Some(alert_fields(facts, &AlertText::default())), None),
        Pending::Widen(reach) => (None, Some(reach_fields(reach))),
        Pending::Reopen { .. } => (None, None),
    };
    let (asked_by, change) = (by.to_owned(), change_word(pending).to_owned());
    v1::PendingView { revision, asked_by, change, fields, reach }
}
