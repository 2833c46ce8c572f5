//! The routes of keys that sign, at every process: asked for by their holder, confirmed by a second
//! person, revoked by either.
//!
//! The secret stays with whoever signs: what comes here is the public key, and its own signature
//! that it is for this holder.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        FromRef, Path, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{
    ids::{KeyId, RecordId},
    key::{Holder, KeyFacts, PublicKey},
    rights::{Asker, Standing},
};
use registry::{ClerkError, SigningKey};
use serde::Deserialize;
use serde_json::{Value, json};
use wire::{
    actor::person,
    signing::{Signer, is_proven},
};

use crate::{
    Host, Problem,
    admin::{Changed, command_id, invalid, of_clerk, too_large},
    auth::{Caller, forbidden},
    problem::HELD_HERE,
};

pub(crate) fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Host: FromRef<S>,
{
    Router::new()
        .route("/v1/keys", get(list).post(register))
        .route("/v1/keys/{id}/confirm", post(confirm))
        .route("/v1/keys/{id}/revoke", post(revoke))
}

/// A key that somebody asks for, in base64. Every field is optional here, so that a missing one is
/// named.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Register {
    public: Option<String>,
    proof: Option<String>,
}

/// The body that asks for this key, for this officer.
#[must_use]
pub fn registration(signer: &Signer, officer: &str) -> Value {
    let (public, proof) = (signer.public(), signer.proof(officer));
    json!({ "public": BASE64_STANDARD.encode(public), "proof": BASE64_STANDARD.encode(proof) })
}

async fn register(
    State(host): State<Host>,
    Caller(asker): Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    if !asker.standing.reads_alerts() {
        return Err(forbidden());
    }
    let body = body.map_err(|_| too_large())?;
    let id = command_id(&asker, "/v1/keys", &headers)?;
    let asked: Register = serde_json::from_slice(&body).map_err(|why| {
        let reason = format!("không đọc được / cannot be read: {why}");
        invalid("malformed-json").with_field("", reason)
    })?;
    let public: [u8; 32] = bytes_of("public", asked.public.as_deref())?;
    let proof: [u8; 64] = bytes_of("proof", asked.proof.as_deref())?;
    let public = PublicKey::Ed25519(public);
    if !is_proven(&public, asker.officer.as_str(), &proof) {
        let reason = "không phải chữ ký của khóa này cho cán bộ này / \
                      is not this key's signature for this officer";
        return Err(invalid("invalid-fields").with_field("proof", reason));
    }
    let facts = KeyFacts { public, holder: Holder::Officer(asker.clone()), proof: proof.into() };
    let now = host.clock.now();
    host.clerk.register_key(id, person(&asker), &facts, now).await.map_err(of_key)?;
    tracing::info!(key = %facts.id(), by = %asker.officer, "a key was asked for");
    let shown = shown(&host, facts.id()).ok_or_else(other_bytes)?;
    Ok((StatusCode::ACCEPTED, Json(shown)).into_response())
}

/// Bytes in base64, exactly so many.
fn bytes_of<const N: usize>(field: &str, given: Option<&str>) -> Result<[u8; N], Problem> {
    let wrong = |reason: String| invalid("invalid-fields").with_field(field, reason);
    let given = given.ok_or_else(|| wrong("bắt buộc phải có / is required".to_owned()))?;
    let bytes = BASE64_STANDARD.decode(given).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| wrong(format!("phải là {N} byte base64 / must be {N} bytes in base64")))
}

async fn confirm(
    State(host): State<Host>,
    Caller(asker): Caller,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = known_key(&host, &asker, id)?;
    let id = command_id(&asker, &confirm_path(key), &headers)?;
    confirm_key(&host, &asker, id, key).await?;
    Ok(Json(shown(&host, key)).into_response())
}

/// Where a key is confirmed.
#[must_use]
pub fn confirm_path(key: KeyId) -> String {
    format!("/v1/keys/{key}/confirm")
}

/// Where a key is revoked.
#[must_use]
pub fn revoke_path(key: KeyId) -> String {
    format!("/v1/keys/{key}/revoke")
}

/// Says, as a second person, that a key is its holder's. It signs when this returns.
///
/// # Errors
/// It was refused, or could not be stored.
pub async fn confirm_key(
    host: &Host,
    asker: &Asker,
    command: RecordId,
    key: KeyId,
) -> Result<(), Problem> {
    let now = host.clock.now();
    host.clerk.confirm_key(command, person(asker), key, now).await.map_err(of_key)?;
    tracing::info!(%key, by = %asker.officer, "a key was confirmed");
    Ok(())
}

async fn revoke(
    State(host): State<Host>,
    Caller(asker): Caller,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = known_key(&host, &asker, id)?;
    let id = command_id(&asker, &revoke_path(key), &headers)?;
    Ok(match revoke_key(&host, &asker, id, key).await? {
        Changed::Written => Json(shown(&host, key)).into_response(),
        Changed::Held => {
            let body = json!({ "id": key.to_string(), "state": "revoked", "request": HELD_HERE });
            (StatusCode::ACCEPTED, Json(body)).into_response()
        }
    })
}

/// Ends a key. At this process it is refused at once, also while the broker is away.
///
/// # Errors
/// It was refused, or could not be stored.
pub async fn revoke_key(
    host: &Host,
    asker: &Asker,
    command: RecordId,
    key: KeyId,
) -> Result<Changed, Problem> {
    let now = host.clock.now();
    match host.clerk.revoke_key(command, person(asker), key, now).await {
        Err(ClerkError::Held) => {
            host.directory.revoke_key_here(key);
            return Ok(Changed::Held);
        }
        revoked => revoked.map_err(of_key)?,
    }
    tracing::info!(%key, by = %asker.officer, "a key was revoked");
    Ok(Changed::Written)
}

async fn list(State(host): State<Host>, Caller(asker): Caller) -> Result<Response, Problem> {
    let directory = host.directory.read();
    let all = directory.signers().all().filter(|(_, key)| sees(&asker, key));
    let keys: Vec<Value> = all.map(|(id, key)| json_of(*id, key)).collect();
    Ok(Json(json!({ "keys": keys })).into_response())
}

/// A key that the asker sees. A foreign one does not exist.
fn known_key(
    host: &Host,
    asker: &Asker,
    id: Result<Path<String>, PathRejection>,
) -> Result<KeyId, Problem> {
    let key = id.ok().and_then(|Path(id)| id.parse().ok()).ok_or_else(no_such_key)?;
    let directory = host.directory.read();
    let seen = directory.signers().get(key).is_some_and(|known| sees(asker, known));
    if seen { Ok(key) } else { Err(no_such_key()) }
}

/// One's own keys, those of one's place, and all for who keeps the directory or audits it.
fn sees(asker: &Asker, key: &SigningKey) -> bool {
    if asker.standing.administers() || asker.standing.reads_audit() {
        return true;
    }
    let Holder::Officer(holder) = &key.facts.holder else { return false };
    holder.officer == asker.officer
        || match holder.standing {
            Standing::Officer(home) | Standing::Commander(home) => asker.standing.acts_for(home),
            standing => asker.standing == standing,
        }
}

fn shown(host: &Host, id: KeyId) -> Option<Value> {
    host.directory.read().signers().get(id).map(|key| json_of(id, key))
}

fn json_of(id: KeyId, key: &SigningKey) -> Value {
    let standing = match &key.facts.holder {
        Holder::Officer(holder) => Some(holder.standing),
        Holder::Service(_) => None,
    };
    json!({
        "id": id.to_string(),
        "state": key.state.as_str(),
        "officer": key.facts.holder.id().to_string(),
        "role": standing.map_or("service", |standing| standing.role().as_str()),
        "commune": standing.and_then(Standing::commune).map(|code| code.to_string()),
        "province": standing.and_then(Standing::province).map(|code| code.to_string()),
        "public": BASE64_STANDARD.encode(key.facts.public.bytes()),
        "kind": if key.facts.public.passkey().is_some() { "passkey" } else { "ed25519" },
    })
}

/// What the asker is told where a key was not written.
pub fn of_key(error: ClerkError) -> Problem {
    let ClerkError::Refused { code, field } = error else { return of_clerk(error) };
    let (status, detail) = match code.as_str() {
        "not-found" => return no_such_key(),
        "same-person" => (
            StatusCode::FORBIDDEN,
            "Người xác nhận phải khác người xin khóa. / Another person must confirm the key.",
        ),
        "role-missing" => return forbidden(),
        "key-revoked" => (StatusCode::CONFLICT, "Khóa này đã bị thu hồi. / This key was revoked."),
        _ => (
            StatusCode::CONFLICT,
            "Khóa này đã có người dùng, hoặc với vai trò khác: hãy tạo khóa mới. / \
             The key is taken, or was asked for with another role: make another one.",
        ),
    };
    let problem = Problem::new(status, code.clone(), detail);
    if field.is_empty() { problem } else { problem.with_field(field, code) }
}

/// 404: no key that the asker sees has this id.
#[must_use]
pub fn no_such_key() -> Problem {
    let detail = "Không có khóa này. / There is no such key.";
    Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
}

fn other_bytes() -> Problem {
    let detail = "Idempotency-Key này đã dùng cho khóa khác. / \
                  This Idempotency-Key was used for another key.";
    Problem::new(StatusCode::CONFLICT, "idempotency-conflict", detail)
}
