//! The log over HTTP in C2SP tlog-tiles form, and proofs of single records.
//!
//! Checkpoint and tiles are for everybody: they are hashes, and whoever witnesses needs them. The
//! entries themselves, who signed them, and what is proved of one, are the auditors'.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{FromRef, Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use chassis::{
    Host, Problem,
    auth::{Caller, forbidden},
};
use domain::{ids::RecordId, rights::Asker};
use merkle::{BundleId, ProofFile, SignedCheckpoint, bundle::NotABundle, proof};
use serde_json::json;

use crate::{Replayer, tree::Tree};

const FOR_EVER: &str = "public, max-age=31536000, immutable";
const FOR_ONE: &str = "private, no-store";
const BYTES: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";

/// The routes: `/checkpoint`, `/tile/…`, `/v1/audit/proof/{record}`, `/v1/audit/key`,
/// `/v1/audit/timestamps`.
pub(crate) fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Host: FromRef<S>,
    Replayer: FromRef<S>,
{
    Router::new()
        .route("/checkpoint", get(checkpoint))
        .route("/tile/entries/{*place}", get(entries))
        .route("/tile/signatures/{*place}", get(signatures))
        .route("/tile/{*place}", get(tile))
        .route("/v1/audit/proof/{record}", get(prove))
        .route("/v1/audit/key", get(key))
        .route("/v1/audit/timestamps", get(timestamps))
        .route("/v1/audit/timestamps/{file}", get(timestamp))
}

async fn checkpoint(State(replayer): State<Replayer>) -> Result<Response, Problem> {
    let (_, checkpoint) = signed(&replayer)?;
    let headers = [(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, checkpoint.to_string()).into_response())
}

/// The log's own key, then those of its witnesses. Whoever checks the log has them from elsewhere.
async fn key(State(replayer): State<Replayer>) -> Result<Response, Problem> {
    let tree = tree(&replayer)?;
    Ok(([(header::CONTENT_TYPE, TEXT)], tree.keys()).into_response())
}

/// The sizes of the logs that an authority has stamped (RFC 3161). As hashes, they are everybody's.
async fn timestamps(State(replayer): State<Replayer>) -> Result<Response, Problem> {
    let Replayer::Audit(audit) = replayer else { return Err(no_log()) };
    let sizes = read(move || Ok(audit.stamps.sizes())).await?;
    let headers = [(header::CACHE_CONTROL, "no-cache")];
    Ok((headers, Json(json!({ "sizes": sizes }))).into_response())
}

/// `SIZE.tsr`, an authority's answer, or `SIZE.checkpoint`, the bytes that it is over.
async fn timestamp(
    State(replayer): State<Replayer>,
    Path(file): Path<String>,
) -> Result<Response, Problem> {
    let Replayer::Audit(audit) = replayer else { return Err(no_log()) };
    let bytes = read(move || audit.stamps.file(&file)).await?;
    Ok((headers(FOR_EVER), bytes).into_response())
}

async fn tile(
    State(replayer): State<Replayer>,
    Path(place): Path<String>,
) -> Result<Response, Problem> {
    let (tree, _) = signed(&replayer)?;
    let id = format!("tile/{place}").parse().map_err(|_| not_found())?;
    let bytes = read(move || tree.tile(id)).await?;
    Ok((headers(FOR_EVER), bytes).into_response())
}

async fn entries(
    State(replayer): State<Replayer>,
    Caller(asker): Caller,
    Path(place): Path<String>,
) -> Result<Response, Problem> {
    let (tree, id) = bundle(&replayer, &asker, format!("tile/entries/{place}").parse())?;
    let folder = tree.folder().clone();
    let bytes = read(move || folder.bundle(id)).await?;
    Ok((headers(FOR_ONE), bytes).into_response())
}

/// What lies beside the entries of a bundle: of each its signature.
async fn signatures(
    State(replayer): State<Replayer>,
    Caller(asker): Caller,
    Path(place): Path<String>,
) -> Result<Response, Problem> {
    let named = BundleId::of_signatures(&format!("tile/signatures/{place}"));
    let (_, id) = bundle(&replayer, &asker, named)?;
    let Replayer::Audit(audit) = replayer else { return Err(no_log()) };
    let bytes = read(move || audit.signatures(id).map_err(std::io::Error::other)).await?;
    Ok((headers(FOR_ONE), bytes).into_response())
}

/// A bundle that an auditor asks for, and that the signed log has.
fn bundle(
    replayer: &Replayer,
    asker: &Asker,
    named: Result<BundleId, NotABundle>,
) -> Result<(Tree, BundleId), Problem> {
    if !asker.standing.reads_audit() {
        return Err(forbidden());
    }
    let (tree, checkpoint) = signed(replayer)?;
    let id = named.map_err(|_| not_found())?;
    let widest = BundleId::within(id.index(), checkpoint.checkpoint().size());
    match widest.is_some_and(|widest| id.width() <= widest.width()) {
        true => Ok((tree, id)),
        false => Err(not_found()),
    }
}

/// Where a record is in the log, with all that shows it but the record itself: a `.tlog-proof`.
async fn prove(
    State(replayer): State<Replayer>,
    Caller(asker): Caller,
    Path(record): Path<String>,
) -> Result<Response, Problem> {
    if !asker.standing.reads_audit() {
        return Err(forbidden());
    }
    let (tree, checkpoint) = signed(&replayer)?;
    let record: RecordId = record.parse().map_err(|_| not_found())?;
    let Replayer::Audit(audit) = &replayer else { return Err(no_log()) };
    let index = audit.position_of(record).and_then(|place| place.checked_sub(1));
    let index = index.ok_or_else(not_found)?;
    let size = checkpoint.checkpoint().size();
    if index >= size {
        return Err(not_signed_yet());
    }
    let folder = tree.folder().clone();
    let proof = read(move || {
        proof::inclusion(index, size, |id| folder.tile(id)).map_err(std::io::Error::other)
    });
    let proof = proof.await?;
    let checkpoint = Arc::unwrap_or_clone(checkpoint);
    let file = ProofFile { extra: vec![], index, proof, checkpoint };
    let headers = [(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, FOR_ONE)];
    Ok((headers, file.to_string()).into_response())
}

/// Reads from disk without holding others up.
async fn read<T: Send + 'static>(
    read: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => Err(not_found()),
        Ok(Err(error)) => {
            tracing::error!(%error, "a tile cannot be read");
            Err(unreadable())
        }
        Err(_) => Err(unreadable()),
    }
}

fn tree(replayer: &Replayer) -> Result<Tree, Problem> {
    match replayer {
        Replayer::Audit(audit) => audit.tree().cloned().ok_or_else(no_log),
        Replayer::Log(_) => Err(no_log()),
    }
}

fn signed(replayer: &Replayer) -> Result<(Tree, Arc<SignedCheckpoint>), Problem> {
    let tree = tree(replayer)?;
    let checkpoint = tree.checkpoint().ok_or_else(not_signed_yet)?;
    Ok((tree, checkpoint))
}

fn headers(cache: &'static str) -> [(header::HeaderName, &'static str); 2] {
    [(header::CONTENT_TYPE, BYTES), (header::CACHE_CONTROL, cache)]
}

pub(crate) fn not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not-found",
        "Nhật ký không có mục này. / The log has no such thing.",
    )
}

fn not_signed_yet() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "not-signed-yet",
        "Mục này chưa được ký vào nhật ký; hãy thử lại sau vài giây. / \
         The log has not been signed that far yet; try again in a few seconds.",
    )
}

pub(crate) fn no_log() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "no-signed-log",
        "Ở đây không có nhật ký được ký. / There is no signed log here.",
    )
}

fn unreadable() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "audit-damaged",
        "Nhật ký kiểm toán bị hỏng. / The audit's log is damaged.",
    )
}
