//! The routes of posters: the page behind a link, "posted" by the link, and by an officer.
//!
//! No login for the page: the link is the key. Only a POST attests anything.

use axum::{
    Json, Router,
    body::{Body, Bytes as Raw},
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chassis::{
    Problem,
    auth::{Caller, TurnedAway, forbidden},
    problem::HELD_HERE,
};
use domain::{
    hex::hex,
    ids::{AlertId, Home, Millis, RecordId},
};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wire::{actor::link, seal::salt, v1};

use crate::{
    Intake,
    acts::Made,
    application::{READ, Request},
    http::{App, invalid, read, request_of},
    poster_page::{self, Notice},
    posters::{Attested, NotOpened, Task, TaskLink, no_such_delivery},
    refused::{not_stored, starting},
    view::time,
    writing::By,
};

const TASK: &str = "/p/{code}/{commune}/{revision}/{token}";
/// What an actor is called by: nobody makes a token from so much of its hash.
const HASH_CHARS: usize = 8;

type LinkPath = Result<Path<(String, String, String, String)>, PathRejection>;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route(TASK, get(page).post(page_posted))
        .route("/p/copy.js", get(async || poster_page::script()))
        .route("/v1/deliveries/{id}/posted", post(posted))
}

/// The task, or what has become of it. Changes nothing.
async fn page(State(App(intake)): State<App>, path: LinkPath) -> Response {
    let opened = link_in(path).and_then(|link| Ok((intake.task_of_link(&link)?, link.token)));
    match opened {
        Ok((task, token)) => match intake.standing_for(&task, &link_hash(&token)).await {
            Ok(standing) => poster_page::standing(&task, &standing),
            Err(problem) => poster_page::notice(&Notice::Trouble(&problem)),
        },
        Err(not) => not_opened(&not),
    }
}

/// The form of the page: attests, and leads back to it.
async fn page_posted(State(App(intake)): State<App>, path: LinkPath, body: Body) -> Response {
    // Nothing is asked for but the press of the button.
    if let Err(problem) = read(body).await {
        return problem.into_response();
    }
    let link = match link_in(path) {
        Ok(link) => link,
        Err(not) => return not_opened(&not),
    };
    let task = match intake.task_of_link(&link) {
        Ok(task) => task,
        Err(not) => return not_opened(&not),
    };
    match by_link(&intake, &task, &link.token).await {
        Ok(Attested::Posted(_)) => {
            // Back to where it came from, whatever stands in front of intake.
            (StatusCode::SEE_OTHER, [(header::LOCATION, link.token)]).into_response()
        }
        Ok(Attested::Held) => poster_page::notice(&Notice::Held),
        Err(problem) => poster_page::notice(&Notice::Trouble(&problem)),
    }
}

fn link_in(path: LinkPath) -> Result<TaskLink, NotOpened> {
    let Path((code, commune, revision, token)) = path.map_err(|_| NotOpened::NotGood)?;
    Ok(TaskLink { code, commune, revision, token })
}

fn not_opened(not: &NotOpened) -> Response {
    poster_page::notice(&match not {
        NotOpened::Expired => Notice::Expired,
        NotOpened::NotGood => Notice::NotGood,
        NotOpened::NotNow(problem) => Notice::Trouble(problem),
    })
}

/// Whoever has the link attests; pressed twice it is one command.
async fn by_link(intake: &Intake, task: &Task, token: &str) -> Result<Attested, Problem> {
    let (actor, command) = link_command(token, task.home, &task.delivery);
    // Nobody can send other bytes under the key of a link.
    let request = Request { command, sha256: [0; 32] };
    let salt = salt().map_err(|_| not_stored())?;
    let at = intake.host.clock.now();
    let made = Made { actor, at, salt, request_sha256: Raw::new() };
    let record = task.command(request).draft(made).record();
    Ok(intake.attest_posted(task, record).await?.0)
}

/// What whoever has this link is called by.
pub(crate) fn link_hash(token: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    hex(&digest).chars().take(HASH_CHARS).collect()
}

fn link_command(token: &str, home: Home, delivery: &str) -> (v1::Actor, RecordId) {
    let actor = link(&link_hash(token), home);
    let command = RecordId::of_command(&actor.officer, &posted_path(delivery), "posted");
    (actor, command)
}

pub(crate) fn posted_path(delivery: &str) -> String {
    format!("/v1/deliveries/{delivery}/posted")
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Posted {
    token: Option<String>,
}

/// For programs: an officer of the commune attests under a key, or whoever has the link's token.
async fn posted(
    State(App(intake)): State<App>,
    id: Result<Path<String>, PathRejection>,
    caller: Result<Caller, TurnedAway>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Response> {
    let body = read(body).await.map_err(Problem::into_response)?;
    let Posted { token } = posted_in(&body).map_err(Problem::into_response)?;
    let Path(id) = id.map_err(|_| no_such_delivery().into_response())?;
    let attested = match token {
        Some(token) => posted_by_token(&intake, &id, &token).await,
        None => {
            let caller = caller.map_err(TurnedAway::into_response)?;
            posted_by_officer(&intake, &id, caller, (&headers, &body)).await
        }
    };
    attested.map(|attested| answer(&id, attested)).map_err(Problem::into_response)
}

fn posted_in(body: &[u8]) -> Result<Posted, Problem> {
    if body.is_empty() {
        return Ok(Posted::default());
    }
    serde_json::from_slice(body)
        .map_err(|_| invalid("", "phải là {} hoặc {\"token\":…} / must be {} or {\"token\":…}"))
}

async fn posted_by_token(intake: &Intake, id: &str, token: &str) -> Result<Attested, Problem> {
    intake.is_token_of(id, token)?;
    let row = alert_of(id).and_then(|alert| intake.board.row(alert));
    let task = row.and_then(|row| intake.task_of_delivery(&row, id, |_| true));
    by_link(intake, &task.ok_or_else(|| not_found(intake))?, token).await
}

async fn posted_by_officer(
    intake: &Intake,
    id: &str,
    Caller(asker): Caller,
    (headers, body): (&HeaderMap, &[u8]),
) -> Result<Attested, Problem> {
    if !asker.standing.reads_alerts() {
        return Err(forbidden());
    }
    let request = request_of(&asker, &posted_path(id), headers, body)?;
    let row = alert_of(id).and_then(|alert| intake.board.row(alert));
    // A foreign delivery does not exist.
    let own = |home| asker.standing.acts_for(home);
    let task = row.and_then(|row| intake.task_of_delivery(&row, id, own));
    let task = task.ok_or_else(|| not_found(intake))?;
    intake.posted_by(By::from(&asker), &task, request).await
}

fn alert_of(delivery: &str) -> Option<AlertId> {
    delivery.split(':').next()?.parse().ok()
}

/// While something is being read, what is not here may be there.
fn not_found(intake: &Intake) -> Problem {
    let is_read = intake.host.is_caught_up(&READ) && intake.host.is_caught_up(&["directory"]);
    if is_read { no_such_delivery() } else { starting() }
}

pub(crate) fn answer(id: &str, attested: Attested) -> Response {
    let (status, told): (_, Value) = match attested {
        Attested::Posted(at) => {
            let at: Option<String> = at.map(|at: Millis| time(at));
            (StatusCode::OK, json!({ "id": id, "state": "attested-posted", "posted_at": at }))
        }
        Attested::Held => {
            (StatusCode::ACCEPTED, json!({ "id": id, "state": "held", "request": HELD_HERE }))
        }
    };
    (status, Json(told)).into_response()
}
