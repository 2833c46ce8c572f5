//! `GET /v1/audit/words/{record}`: what a record of an alert keeps beside the log, for an auditor
//! who says why: that is on disk before they leave. The audit knows open parts only, and asks the
//! log.
//!
//! Salt and content come as they were committed to: SHA-256 over "keng.v1.sealed", a zero byte and
//! these bytes is what stands in the record.

use axum::{
    Router,
    extract::{FromRef, Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use chassis::{
    Host, Problem,
    auth::{Caller, forbidden},
    looks::NewLook,
};
use domain::{
    ids::{AlertId, RecordId},
    looks::{Duty, What},
    rights::Asker,
};
use event_log::{Recorded, Seal, erasing::alerts_of};
use prost::Message;
use wire::{seal::SALT_BYTES, v1::Sealed};

use crate::{
    Audit, Replayer,
    http::{invalid, unreadable},
    known_http::Parameters,
    tree_http::{no_log, not_found},
};

/// The longest reason that may be given, in characters.
const REASON_CHARS_MAX: usize = 500;

/// The route.
pub(crate) fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Host: FromRef<S>,
    Replayer: FromRef<S>,
{
    Router::new().route("/v1/audit/words/{record}", get(words))
}

async fn words(
    State(host): State<Host>,
    State(replayer): State<Replayer>,
    Caller(asker): Caller,
    Path(record): Path<String>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    if !asker.standing.reads_audit() {
        return Err(forbidden());
    }
    let reason = reason(parameters)?;
    let record: RecordId = record.parse().map_err(|_| not_found())?;
    let Replayer::Audit(audit) = replayer else { return Err(no_log()) };
    let position = audit.position_of(record).ok_or_else(not_found)?;
    let recorded = at(&audit, position).await?;
    let alerts = alerts_of(&recorded.key.entity);
    // What is sealed of groups, contacts and keys is nobody's words.
    if alerts.is_empty() || recorded.seal == Seal::None {
        return Err(not_found());
    }
    let is_erased = alerts.iter().any(|alert| host.erasing.is_ordered(*alert));
    let bytes = match sealed(&host, &recorded).await? {
        Some(bytes) if !is_erased => bytes,
        _ if is_erased => return Err(erased()),
        _ => return Err(missing()),
    };
    look(&audit, &asker, &alerts, &reason).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    Ok((headers, bytes).into_response())
}

/// The record at a position of the audit's journal.
async fn at(audit: &Audit, position: u64) -> Result<Recorded, Problem> {
    let audit = audit.clone();
    let read = tokio::task::spawn_blocking(move || audit.record(position));
    read.await.map_err(|_| missing())?.map_err(unreadable)?.ok_or_else(not_found)
}

/// It is on disk when this returns that these alerts are looked at, and why.
async fn look(
    audit: &Audit,
    asker: &Asker,
    alerts: &[AlertId],
    reason: &str,
) -> Result<(), Problem> {
    let Some(looking) = &audit.looking else { return Err(not_recorded()) };
    let mut looks = Vec::with_capacity(alerts.len());
    for alert in alerts {
        let first = audit.shared.book().of_alert(*alert).first().copied();
        let home = at(audit, first.ok_or_else(not_found)?).await?.key.home;
        let actor = wire::actor::person(asker);
        let (what, duty) = (What::Words, Duty::Audit);
        looks.push(NewLook { actor, of: (*alert, home), what, duty, reason: Some(reason) });
    }
    looking.record(looks).await.map_err(|_| missing())
}

/// The reason, which whoever reads personal data gives.
fn reason(parameters: Parameters) -> Result<String, Problem> {
    let parameters = parameters.map_err(|_| invalid())?;
    let mut reason = None;
    for (name, value) in parameters.iter() {
        if name != "reason" || reason.is_some() {
            let why = "không có tham số này / there is no such parameter";
            return Err(invalid().with_field(name, why));
        }
        reason = Some(value.trim());
    }
    let reason = reason.unwrap_or_default();
    match reason.chars().count() {
        1..=REASON_CHARS_MAX => Ok(reason.to_owned()),
        0 => Err(invalid().with_field("reason", "cần lý do / a reason is needed")),
        _ => Err(invalid().with_field("reason", "dài quá 500 ký tự / more than 500 characters")),
    }
}

/// Salt and content; `None` where they are not here.
async fn sealed(host: &Host, recorded: &Recorded) -> Result<Option<Vec<u8>>, Problem> {
    let found = host.log.load(&recorded.key, Some(recorded.id)).await.map_err(|why| {
        tracing::warn!(%why, "a sealed part cannot be read");
        missing()
    })?;
    let found = found.iter().find(|found| found.id == recorded.id);
    let Some(bytes) = found.and_then(|found| found.seal.bytes()) else { return Ok(None) };
    let part = Sealed::decode(bytes.clone()).ok().filter(|part| part.salt.len() == SALT_BYTES);
    Ok(part.map(|part| [part.salt, part.content].concat()))
}

fn erased() -> Problem {
    Problem::new(
        StatusCode::GONE,
        "erased",
        "Phần này đã bị xóa theo lệnh. / This part was erased by order.",
    )
}

/// Whoever reads words is written down, which a directory that is only read has no place for.
fn not_recorded() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "needs-server",
        "Đọc dữ liệu cá nhân phải được ghi lại: cần một máy chủ đang chạy. / \
         Reading personal data is recorded: a running server is needed.",
    )
}

fn missing() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "Chưa đọc được phần niêm phong; hãy thử lại. / The sealed part cannot be read; try again.",
    )
}
