//! A form of an alert: the same request that a program would make, from a form's fields. The body
//! is made of the form alone, so that a form that is sent twice is one request.

use std::sync::Arc;

use axum::{
    Form,
    extract::{Path, Query, State, rejection::PathRejection},
    http::HeaderMap,
    response::Response,
};
use chassis::{Problem, session::HasPasskey};
use console::{Visitor, see};
use domain::{ids::AlertId, rights::Asker};
use registry::Map;
use serde_json::{Map as Object, Value, json};

use super::{
    Pages, alert, naming,
    raise::{number, reach},
    signing::{Asked, Prepare},
    typed::Typed,
    when,
};
use crate::{
    Intake,
    acts::Act,
    application::{Request, Shown},
    http::commune_of,
    idempotency::{IdempotencyKey, request_sha256},
    poster_http::posted_path,
    posters::{Attested, no_such_delivery},
    refused::{bad_request, not_found},
    relay_acts::RelayAct,
    request,
    writing::By,
};

/// The words of an alert that a form changes.
pub(super) const WORDS: [&str; 3] = ["headline", "description", "instruction"];
/// In front of the name of a field: what stood there when the form was drawn.
const WAS: &str = "was.";

pub(super) async fn act(
    State(pages): State<Pages>,
    visitor: Visitor,
    path: Result<Path<(String, String)>, PathRejection>,
    Query(prepare): Query<Prepare>,
    headers: HeaderMap,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let Ok(Path((id, action))) = path else { return visitor.frame.trouble(&not_found()) };
    let typed = Typed::of(fields);
    let intake = &pages.intake;
    if prepare.is_wanted() {
        let asked = to_sign(intake, &visitor.asker, (&id, &action), &typed);
        return pages.prepared(&visitor, &headers, asked).await;
    }
    let Visitor { asker, key, frame } = visitor;
    match done(intake, (&asker, HasPasskey(key.is_some())), (&id, &action), &typed).await {
        Ok(path) => see(&path),
        Err(problem) => {
            alert::refused(intake, (asker, frame), &id, (&action, &typed, &problem)).await
        }
    }
}

/// What a form asks, as a program would, for the person's passkey to sign.
fn to_sign(
    intake: &Intake,
    asker: &Asker,
    (id, action): (&str, &str),
    typed: &Typed,
) -> Result<Asked, Problem> {
    let alert: AlertId = id.parse().map_err(|_| not_found())?;
    Ok(Asked {
        path: match action {
            "posted" => posted_path(typed.text("delivery")),
            "drill" => format!("/v1/drills/{alert}"),
            _ => format!("/v1/alerts/{alert}/{action}"),
        },
        commune: typed.given("commune").map(commune_of).transpose()?,
        body: body_of(action, typed, &intake.host.map, (alert, asker)),
        key: typed.text("key").to_owned(),
        then: Some(at(alert, "")),
    })
}

/// Where an alert is shown after something was asked of it; `said` where that is done.
pub(super) fn shown_at(alert: AlertId, shown: &Shown, said: &str) -> String {
    let said = match (shown.request_held, shown.pending) {
        (true, _) => "held",
        (false, true) => "deciding",
        (false, false) => said,
    };
    at(alert, said)
}

fn at(alert: AlertId, said: &str) -> String {
    match said {
        "" => format!("/alerts/{alert}"),
        said => format!("/alerts/{alert}?said={said}"),
    }
}

/// Does what a form asks for, and says where to go on.
async fn done(
    intake: &Arc<Intake>,
    by: (&Asker, HasPasskey),
    (id, action): (&str, &str),
    typed: &Typed,
) -> Result<String, Problem> {
    let asker = by.0;
    let alert: AlertId = id.parse().map_err(|_| not_found())?;
    let key = IdempotencyKey::of_headers([typed.text("key").as_bytes()]);
    let key = key.map_err(|bad| bad_request(&bad))?;
    let body = body_of(action, typed, &intake.host.map, (alert, asker));
    let request = |path: &str| Request {
        command: key.command_id(&asker.officer, path),
        sha256: request_sha256(&body),
    };
    match action {
        "posted" => {
            let delivery = typed.text("delivery");
            let request = request(&posted_path(delivery));
            return posted(intake, asker, alert, (delivery, request)).await;
        }
        "drill" => {
            let request = request(&format!("/v1/drills/{alert}"));
            let kept = intake.keep_drill(asker, request, alert).await?;
            return Ok(at(alert, if kept.held { "held" } else { "measured" }));
        }
        _ => {}
    }
    let request = request(&format!("/v1/alerts/{id}/{action}"));
    let shown = match asked(intake, asker, alert, (action, &body, typed)).await {
        Ok(act) => intake.act(by, request, alert, act).await?,
        Err(bad) => intake.repeated_act(asker, request, alert, bad).await?,
    };
    Ok(shown_at(alert, &shown, ""))
}

async fn asked(
    intake: &Intake,
    asker: &Asker,
    alert: AlertId,
    (action, body, typed): (&str, &[u8], &Typed),
) -> Result<Act, Problem> {
    let commune = typed.given("commune").map(commune_of).transpose()?;
    let bad = |bad| bad_request(&bad);
    Ok(match action {
        "instructions" => {
            let instruction = request::instruction(body).map_err(bad)?;
            Act::OfRelay(RelayAct::Instruct { commune, instruction })
        }
        "relay" => {
            let onward = request::onward(body, intake.host.map.as_ref()).map_err(bad)?;
            let request::Onward { to, note } = onward;
            Act::OfRelay(RelayAct::Onward { commune, to, note })
        }
        action => intake.asked_act(asker, alert, action, (body, commune)).await?,
    })
}

/// A poster has posted, says an officer of the commune.
async fn posted(
    intake: &Intake,
    asker: &Asker,
    alert: AlertId,
    (delivery, request): (&str, Request),
) -> Result<String, Problem> {
    let row = intake.readable(asker, alert)?;
    let own = |home| asker.standing.acts_for(home);
    let task = intake.task_of_delivery(&row, delivery, own).ok_or_else(no_such_delivery)?;
    let attested = intake.posted_by(By::from(asker), &task, request).await?;
    Ok(at(alert, if attested == Attested::Held { "held" } else { "" }))
}

/// The body that a program would send; empty where there is nothing to say.
fn body_of(action: &str, typed: &Typed, map: &Map, (alert, asker): (AlertId, &Asker)) -> Vec<u8> {
    let texts = |names: &[&str]| -> Object<String, Value> {
        let given = |name: &&str| Some(((*name).to_owned(), typed.given(name)?.into()));
        names.iter().filter_map(given).collect()
    };
    let near = asker.standing.province();
    let body = match action {
        "approve" => {
            typed.given("revision").map(|it| ("revision".into(), number(it))).into_iter().collect()
        }
        "update" | "correct" => patch(typed),
        "widen" => [("reach".to_owned(), reach(typed, map, near))].into_iter().collect(),
        "sighting" => {
            let mut body = texts(&["place", "note"]);
            let points = ["lat", "lon"].into_iter();
            body.extend(points.filter_map(|it| Some((it.into(), number(typed.given(it)?)))));
            body.extend(typed.given("at").map(|at| ("at".into(), when::rfc3339(at).into())));
            body
        }
        "attest" => texts(&["group", "channel", "note"]),
        "instructions" => texts(&["instruction"]),
        "relay" => {
            let mut body = texts(&["note"]);
            body.insert("communes".into(), naming::named(map, near, typed.text("communes")).into());
            body
        }
        "drill" => [("alert".to_owned(), json!(alert.to_string()))].into_iter().collect(),
        "review" | "hold" | "release" | "posted" => Object::new(),
        _ => texts(&["note"]),
    };
    if body.is_empty() { vec![] } else { Value::Object(body).to_string().into_bytes() }
}

/// The fields of a form that say something else than when it was drawn; what was emptied is taken
/// back.
fn patch(typed: &Typed) -> Object<String, Value> {
    let was = |name: &str| typed.text(&format!("{WAS}{name}")).to_owned();
    let names = WORDS.into_iter().chain(["expires"]);
    let changed = names.filter(|name| typed.has(name) && typed.text(name) != was(name));
    let value = |name: &str| match (name, typed.given(name)) {
        (_, None) => Value::Null,
        ("expires", Some(time)) => when::rfc3339(time).into(),
        (_, Some(text)) => text.into(),
    };
    changed.map(|name| (name.to_owned(), value(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(pairs: &[(&str, &str)]) -> Typed {
        Typed::of(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn only_what_was_changed_is_in_the_patch() {
        let form = typed(&[
            ("headline", "Bé trai 5 tuổi"),
            ("was.headline", "Bé trai 4 tuổi"),
            ("description", "áo đỏ\r\nquần xanh"),
            ("was.description", "áo đỏ\nquần xanh"),
            ("instruction", ""),
            ("was.instruction", "Gọi 113."),
            ("expires", "2026-11-22T17:30"),
            ("was.expires", "2026-11-22T17:00"),
        ]);
        let wanted = json!({
            "headline": "Bé trai 5 tuổi",
            "instruction": null,
            "expires": "2026-11-22T17:30:00+07:00",
        });
        assert_eq!(Value::Object(patch(&form)), wanted);
        assert!(patch(&typed(&[])).is_empty());
    }
}
