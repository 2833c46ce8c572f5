//! The routes of matches.

use axum::{
    Json, Router,
    body::Body,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chassis::{Problem, auth::Caller, problem::HELD_HERE};
use domain::{
    ids::EntityName,
    matching::decision::{Outcome, Verdict},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    http::{
        App, CommuneQuery, commune_in, commune_of, invalid, read, request_of, scope_of, wrong_query,
    },
    look_http::Reading,
    match_view::{STATES, json_of},
    matches::{Answered, MatchAnswer, no_such_match},
    refused::bad_request,
    request::{self, one_of},
};

/// What a page's beginning that is no id is told.
pub(crate) const NO_MATCH_ID: &str = "không phải mã của đề xuất / is not a proposal's id";

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/matches", get(list))
        .route("/v1/matches/{id}", get(one))
        .route("/v1/matches/{id}/confirm", post(confirm))
        .route("/v1/matches/{id}/dismiss", post(dismiss))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    commune: Option<String>,
    state: Option<String>,
    after: Option<String>,
}

async fn list(
    State(App(intake)): State<App>,
    reading: Reading,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(wrong_query)?;
    let commune = query.commune.as_deref().map(commune_of).transpose()?;
    let state = query.state.as_deref().map(state_of).transpose()?;
    let after = query.after.as_deref().map(after_of).transpose()?;
    let scope = scope_of(&intake, &reading.asker, commune)?;
    let (shown, next) = intake.matches(&reading, scope, state, after.as_ref()).await?;
    let matches: Vec<Value> = shown.iter().map(json_of).collect();
    let next = next.map(|next| next.to_string());
    Ok(Json(json!({ "matches": matches, "next": next })).into_response())
}

async fn one(
    State(App(intake)): State<App>,
    reading: Reading,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| no_such_match())?;
    let id = match_id(&id).ok_or_else(no_such_match)?;
    Ok(Json(json_of(&intake.one_match(&reading, &id).await?)).into_response())
}

/// The state that a filter names: an empty list would hide a slip.
pub(crate) fn state_of(word: &str) -> Result<Outcome, Problem> {
    let known = STATES.iter().find(|(known, _)| *known == word).map(|(_, state)| *state);
    let words = STATES.map(|(word, _)| word).join(", ");
    known.ok_or_else(|| invalid("state", one_of(&words)))
}

pub(crate) fn after_of(id: &str) -> Result<EntityName, Problem> {
    match_id(id).ok_or_else(|| invalid("after", NO_MATCH_ID))
}

/// The proposal that a path or a field names; `None` where it can name none.
pub(crate) fn match_id(id: &str) -> Option<EntityName> {
    id.parse().ok().filter(|name: &EntityName| name.matched().is_some())
}

async fn confirm(
    app: State<App>,
    caller: Caller,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<CommuneQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    answer(app, caller, (id, Verdict::Confirm), query, headers, body).await
}

async fn dismiss(
    app: State<App>,
    caller: Caller,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<CommuneQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    answer(app, caller, (id, Verdict::Dismiss), query, headers, body).await
}

async fn answer(
    State(App(intake)): State<App>,
    Caller(asker): Caller,
    (id, verdict): (Result<Path<String>, PathRejection>, Verdict),
    query: Result<Query<CommuneQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let body = read(body).await?;
    let commune = commune_in(query)?;
    let Path(id) = id.map_err(|_| no_such_match())?;
    let id = match_id(&id).ok_or_else(no_such_match)?;
    let note = request::note(&body, false).map_err(|bad| bad_request(&bad))?;
    let request = request_of(&asker, &path_of(&id, verdict), &headers, &body)?;
    let answer = MatchAnswer { verdict, commune, note };
    let answered = intake.answer_match(&asker, request, &id, answer).await?;
    Ok(answered_with(&answered))
}

pub(crate) fn answered_with(answered: &Answered) -> Response {
    let mut json = json_of(&answered.shown);
    if let (true, Some(json)) = (answered.held, json.as_object_mut()) {
        json.insert("request".into(), json!(HELD_HERE));
    }
    let status = if answered.pending { StatusCode::ACCEPTED } else { StatusCode::OK };
    (status, Json(json)).into_response()
}

/// The route of an answer, also over gRPC, so that one key is one command whichever way it came.
pub(crate) fn path_of(id: &EntityName, verdict: Verdict) -> String {
    let action = match verdict {
        Verdict::Confirm => "confirm",
        Verdict::Dismiss => "dismiss",
    };
    format!("/v1/matches/{id}/{action}")
}

#[cfg(test)]
mod tests {
    use domain::ids::{AlertId, RecordId};

    use super::*;

    #[test]
    fn only_the_name_of_a_match_names_a_proposal() {
        let alert = |name: &str| AlertId::raised_by(RecordId::of_purpose(name));
        let id = EntityName::matching(alert("a"), alert("b"));
        assert_eq!(match_id(id.as_str()), Some(id));
        for wrong in ["", "match-", "match-a-b", EntityName::alert(alert("a")).as_str(), "ờ"] {
            assert_eq!(match_id(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_filter_by_an_unknown_word_names_the_words() {
        for (word, outcome) in STATES {
            assert_eq!(state_of(word), Ok(outcome));
            assert_eq!(outcome.as_str(), word);
        }
        let problem = state_of("done").unwrap_err();
        assert!(problem.errors().first().unwrap().reason.contains("open, confirmed"));
    }
}
