//! `GET /v1/audit/records`, for auditors and for the owner of the machine; and where the other
//! routes of the audit are put together.

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{FromRef, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use chassis::{
    Host, Problem,
    auth::{Caller, forbidden},
};
use futures::StreamExt;
use history::{Asked, Line, ReplayError, WrongParameter};
use serde::Serialize;

use crate::{
    known_http::{self, Parameters},
    replay::Replayer,
    state_http, tree_http, words_http,
};

/// Lines of one page.
const PAGE_LINES_MAX: usize = 1_000;
const NDJSON: &str = "application/x-ndjson";

/// The routes. They work in a process without an audit too: see [`Replayer::Log`].
pub fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Host: FromRef<S>,
    Replayer: FromRef<S>,
{
    Router::new()
        .route("/v1/audit/records", get(records))
        .route("/v1/audit/as-known", get(known_http::as_known))
        .route("/v1/audit/timeline", get(known_http::timeline))
        .route("/v1/audit/state", get(state_http::state))
        .merge(tree_http::router())
        .merge(words_http::router())
}

#[derive(Serialize)]
struct Page {
    records: Vec<Line>,
    /// To be asked for as `after`; null on the last page.
    next: Option<u64>,
}

async fn records(
    State(replayer): State<Replayer>,
    Caller(asker): Caller,
    parameters: Parameters,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if !asker.standing.reads_audit() {
        return Err(forbidden());
    }
    let parameters = parameters.map_err(|_| invalid())?;
    let pairs = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let asked = Asked::parse(pairs)
        .map_err(|WrongParameter { name, reason }| invalid().with_field(name, reason))?;
    if wants_lines(&headers) {
        return Ok(all(&replayer, asked));
    }
    Ok(Json(page(&replayer, asked).await.map_err(unreadable)?).into_response())
}

fn wants_lines(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).into_iter();
    accepts.filter_map(|value| value.to_str().ok()).any(|value| value.contains(NDJSON))
}

/// Everything, one line a JSON object. Where it cannot be read to the end the connection breaks,
/// so that nobody takes a part for the whole.
fn all(replayer: &Replayer, asked: Asked) -> Response {
    let lines = replayer.lines(asked).map(|line| {
        let mut text = serde_json::to_vec(&line.inspect_err(traced).map_err(axum::Error::new)?)
            .map_err(axum::Error::new)?;
        text.push(b'\n');
        Ok::<_, axum::Error>(Bytes::from(text))
    });
    ([(header::CONTENT_TYPE, NDJSON)], Body::from_stream(lines)).into_response()
}

/// The lines of a record stay together.
async fn page(replayer: &Replayer, asked: Asked) -> Result<Page, ReplayError> {
    let mut lines = replayer.lines(asked);
    let mut records: Vec<Line> = Vec::new();
    while let Some(line) = lines.next().await {
        let line = line?;
        let last = records.last().map(|last| last.position);
        if records.len() >= PAGE_LINES_MAX {
            if last == Some(line.position) {
                let begun = records.partition_point(|other| other.position < line.position);
                // A record of more lines than a page has is a page of its own.
                if begun == 0 {
                    records.push(line);
                    continue;
                }
                records.truncate(begun);
            }
            let next = records.last().map(|last| last.position);
            return Ok(Page { records, next });
        }
        records.push(line);
    }
    Ok(Page { records, next: None })
}

pub(crate) fn invalid() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "invalid-fields",
        "Tham số không đúng. / A parameter is not right.",
    )
}

/// The cause goes to the trace, not to the asker.
pub(crate) fn traced(error: &ReplayError) {
    tracing::error!(%error, "a replay ended early");
}

pub(crate) fn unreadable(error: ReplayError) -> Problem {
    traced(&error);
    match error {
        ReplayError::Log(_) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "Chưa đọc được nhật ký; hãy thử lại. / The log cannot be read now; try again.",
        ),
        ReplayError::Journal(_) => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "audit-damaged",
            "Nhật ký kiểm toán bị hỏng. / The audit's journal is damaged.",
        ),
    }
}
