//! The witness over HTTP (C2SP tlog-witness): `POST /add-checkpoint`, and for everybody the last
//! checkpoint that was cosigned of each log, and the witness's key.
//!
//! Nobody is authenticated: a request counts by the log's signature in it.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chassis::Problem;
use merkle::witness::{REQUEST_BYTES_MAX, Refusal, SIZE_MEDIA_TYPE};

use crate::{NotCosigned, Witness};

/// A request is small; whoever takes longer to send it gives its place to others.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);
const TEXT: &str = "text/plain; charset=utf-8";

/// The routes.
pub fn router(witness: Witness) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{origin}/checkpoint", get(checkpoint))
        .route("/key", get(key))
        .with_state(witness)
}

async fn add_checkpoint(State(witness): State<Witness>, body: Body) -> Result<Response, Problem> {
    let read = tokio::time::timeout(REQUEST_WITHIN, to_bytes(body, REQUEST_BYTES_MAX));
    let body = read.await.map_err(|_| too_slow())?;
    let body = body.map_err(|_| malformed("dài quá hoặc bị ngắt / too long, or cut off"))?;
    match witness.add(&body).await {
        Ok(line) => {
            counted(StatusCode::OK);
            Ok(([(header::CONTENT_TYPE, TEXT)], format!("{line}\n")).into_response())
        }
        Err(NotCosigned::Refused(Refusal::Conflict { last_size })) => {
            counted(StatusCode::CONFLICT);
            let size = ([(header::CONTENT_TYPE, SIZE_MEDIA_TYPE)], format!("{last_size}\n"));
            Ok((StatusCode::CONFLICT, size).into_response())
        }
        Err(why) => {
            let problem = problem(&why);
            counted(problem.status());
            Err(problem)
        }
    }
}

async fn checkpoint(
    State(witness): State<Witness>,
    Path(origin): Path<String>,
) -> Result<Response, Problem> {
    let last = witness.last(&origin).await.ok_or_else(nothing_cosigned)?;
    let headers = [(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, last).into_response())
}

/// The witness's own key, as a vkey. Whoever relies on it has it from elsewhere.
async fn key(State(witness): State<Witness>) -> Response {
    ([(header::CONTENT_TYPE, TEXT)], format!("{}\n", witness.key())).into_response()
}

fn counted(status: StatusCode) {
    metrics::counter!("keng_witness_requests_total", "status" => status.as_u16().to_string())
        .increment(1);
}

fn problem(why: &NotCosigned) -> Problem {
    let refusal = match why {
        NotCosigned::Refused(refusal) => refusal,
        NotCosigned::Unreadable => return unreadable(),
        NotCosigned::NotKept => return not_kept(),
        NotCosigned::Clock(_) => return wrong_clock(),
    };
    let (code, detail) = match refusal {
        Refusal::Malformed(why) => return malformed(&format!("không đọc được / {why}")),
        Refusal::Shrinking => {
            return malformed("old lớn hơn kích thước mới / old is larger than the new size");
        }
        Refusal::UnknownLog(_) => (
            "unknown-log",
            "Nhân chứng này không biết nhật ký đó. / This witness does not know that log.",
        ),
        Refusal::NotSigned(_) => {
            ("not-signed", "Nhật ký đó không ký điểm này. / That log did not sign this checkpoint.")
        }
        Refusal::NotEmpty | Refusal::Inconsistent(_) | Refusal::Conflict { .. } => (
            "inconsistent",
            "Không chứng minh được rằng nhật ký chỉ dài thêm. / \
             It is not shown that the log has only grown.",
        ),
    };
    let status = StatusCode::from_u16(refusal.status());
    Problem::new(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), code, detail)
}

fn malformed(reason: &str) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "malformed",
        "Yêu cầu không đúng dạng. / The request is not well-formed.",
    )
    .with_field("body", reason)
}

fn too_slow() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "too-slow",
        "Yêu cầu đến quá chậm. / The request came too slowly.",
    )
}

fn nothing_cosigned() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not-found",
        "Chưa đồng ký nhật ký này. / Nothing was cosigned of this log.",
    )
}

fn unreadable() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "state-unreadable",
        "Nhân chứng không biết mình đã đồng ký gì gần nhất. / \
         The witness does not know what it cosigned last.",
    )
}

fn not_kept() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "not-stored",
        "Chưa lưu được nên không đồng ký. / It could not be stored, and was not cosigned.",
    )
}

fn wrong_clock() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "wrong-clock",
        "Đồng hồ của nhân chứng sai. / The witness's clock is wrong.",
    )
}
