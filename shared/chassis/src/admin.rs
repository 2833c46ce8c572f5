//! The directory's routes, at every process: tokens and groups.
//!
//! Admins by token, and the owner of the machine through the Unix socket.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRef, Path, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    directory::TokenFacts,
    ids::{CommuneCode, Home, Millis, OfficerId, ProvinceCode, RecordId},
    rights::{Asker, Standing},
    values::Role,
};
use registry::{ClerkError, groups::parse_groups};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use wire::actor::person;

use crate::{
    Host, Problem,
    auth::{Caller, forbidden},
};

/// A groups file may have so many bytes.
const GROUPS_BYTES_MAX: usize = 64 << 20;
/// Visible ASCII of an idempotency key.
const KEY_CHARS_MAX: usize = 255;

/// The routes.
pub fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Host: FromRef<S>,
{
    Router::new()
        .route("/v1/tokens", get(list).post(make))
        .route("/v1/tokens/{id}/revoke", post(revoke))
        .route("/v1/groups", post(groups).layer(DefaultBodyLimit::max(GROUPS_BYTES_MAX)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Make {
    officer: String,
    role: String,
    commune: Option<String>,
    province: Option<String>,
    expires: Option<String>,
}

async fn make(
    State(host): State<Host>,
    Caller(asker): Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    administers(&asker)?;
    let body = body.map_err(|_| too_large())?;
    let id = command_id(&asker, "/v1/tokens", &headers)?;
    let make: Make = serde_json::from_slice(&body)
        .map_err(|why| invalid("malformed-json").with_field("", why.to_string()))?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|_| unavailable("no randomness"))?;
    let token = token_of(&secret);
    let public = public_id(&token);
    let facts = TokenFacts {
        id: public.clone(),
        hash: hash_of(&token),
        officer: field("officer", make.officer.parse::<OfficerId>())?,
        standing: standing(&host, &make)?,
        expires_at: make.expires.as_deref().map(|text| expires(&host, text)).transpose()?,
    };
    let now = host.clock.now();
    host.clerk.make_token(id, person(&asker), facts, now).await.map_err(of_clerk)?;
    tracing::info!(token = public, by = %asker.officer, "token made");
    Ok((StatusCode::CREATED, Json(json!({ "id": public, "token": token }))).into_response())
}

/// A bearer token of 32 random bytes.
#[must_use]
pub fn token_of(secret: &[u8; 32]) -> String {
    format!("keng_{}", URL_SAFE_NO_PAD.encode(secret))
}

/// What is written down of a token: its SHA-256.
#[must_use]
pub fn hash_of(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// A token's public id: the first six bytes of its hash, in hex.
#[must_use]
pub fn public_id(token: &str) -> String {
    hash_of(token).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

fn standing(host: &Host, make: &Make) -> Result<Standing, Problem> {
    let role = field("role", make.role.parse::<Role>())?;
    let no = |field: &str, given: Option<&String>| match given {
        Some(_) => Err(invalid("invalid-fields").with_field(field, "not with this role")),
        None => Ok(()),
    };
    let commune = || -> Result<Home, Problem> {
        let code = make.commune.as_deref().unwrap_or_default();
        let code = field("commune", code.parse::<CommuneCode>())?;
        let unknown = || invalid("invalid-fields").with_field("commune", "not on the map");
        host.map.home(code).ok_or_else(unknown)
    };
    let province = || -> Result<ProvinceCode, Problem> {
        let code = make.province.as_deref().unwrap_or_default();
        let code = field("province", code.parse::<ProvinceCode>())?;
        let unknown = || invalid("invalid-fields").with_field("province", "not on the map");
        host.map.province_name(code).map(|_| code).ok_or_else(unknown)
    };
    match role {
        Role::Officer | Role::Commander => no("province", make.province.as_ref())?,
        Role::Province => no("commune", make.commune.as_ref())?,
        Role::Auditor | Role::Admin => {
            no("commune", make.commune.as_ref())?;
            no("province", make.province.as_ref())?;
        }
    }
    Ok(match role {
        Role::Officer => Standing::Officer(commune()?),
        Role::Commander => Standing::Commander(commune()?),
        Role::Province => Standing::Province(province()?),
        Role::Auditor => Standing::Auditor,
        Role::Admin => Standing::Admin,
    })
}

fn expires(host: &Host, text: &str) -> Result<Millis, Problem> {
    let at = field("expires", text.parse::<jiff::Timestamp>())?;
    let at = Millis(at.as_millisecond());
    if at <= host.clock.now() {
        return Err(invalid("invalid-fields").with_field("expires", "must be in the future"));
    }
    Ok(at)
}

async fn list(State(host): State<Host>, Caller(asker): Caller) -> Result<Response, Problem> {
    administers(&asker)?;
    let now = host.clock.now();
    let directory = host.directory.read();
    let mut tokens: Vec<_> = directory
        .tokens()
        .map(|token| {
            let facts = &token.facts;
            json!({
                "id": facts.id,
                "officer": facts.officer.to_string(),
                "role": facts.standing.role().as_str(),
                "commune": facts.standing.commune().map(|code| code.to_string()),
                "province": facts.standing.province().map(|code| code.to_string()),
                "expires": facts.expires_at.map(time),
                "state": if token.revoked {
                    "revoked"
                } else if facts.expires_at.is_some_and(|at| at <= now) {
                    "expired"
                } else {
                    "valid"
                },
            })
        })
        .collect();
    drop(directory);
    tokens.sort_by_key(|token| token["id"].as_str().unwrap_or_default().to_owned());
    Ok(Json(json!({ "tokens": tokens })).into_response())
}

async fn revoke(
    State(host): State<Host>,
    Caller(asker): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    administers(&asker)?;
    command_id(&asker, "/v1/tokens/revoke", &headers)?;
    if !host.directory.read().tokens().any(|token| token.facts.id == id) {
        return Err(no_such_token());
    }
    let now = host.clock.now();
    host.clerk.revoke_token(person(&asker), &id, now).await.map_err(of_clerk)?;
    tracing::info!(token = id, by = %asker.officer, "token revoked");
    Ok(Json(json!({ "id": id, "state": "revoked" })).into_response())
}

async fn groups(
    State(host): State<Host>,
    Caller(asker): Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    administers(&asker)?;
    let body = body.map_err(|_| too_large())?;
    command_id(&asker, "/v1/groups", &headers)?;
    let entries = parse_groups(&body, &host.map).map_err(|faults| {
        faults.as_slice().iter().fold(invalid("invalid-fields"), |problem, fault| {
            problem.with_field(format!("{}:{}", fault.line, fault.field), fault.reason.clone())
        })
    })?;
    let now = host.clock.now();
    let recorded =
        host.clerk.import_groups(person(&asker), entries, now).await.map_err(of_clerk)?;
    Ok(Json(json!({ "recorded": recorded })).into_response())
}

fn administers(asker: &Asker) -> Result<(), Problem> {
    if asker.standing.administers() { Ok(()) } else { Err(forbidden()) }
}

/// The command's id, from the caller, the path and the `Idempotency-Key`.
fn command_id(asker: &Asker, path: &str, headers: &HeaderMap) -> Result<RecordId, Problem> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let key = key.filter(|key| {
        (1..=KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
    });
    let key = key.ok_or_else(|| {
        invalid("idempotency-key").with_field("Idempotency-Key", "1 to 255 visible characters")
    })?;
    Ok(RecordId::of_command(asker.officer.as_str(), path, key))
}

fn invalid(code: &'static str) -> Problem {
    let detail = "Yêu cầu không hợp lệ. / The request is not valid.";
    Problem::new(StatusCode::BAD_REQUEST, code, detail)
}

fn too_large() -> Problem {
    let detail = "Nội dung quá lớn, hoặc bị cắt ngang. / The body is too large, or was cut.";
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
}

fn no_such_token() -> Problem {
    let detail = "Không có mã này. / There is no such token.";
    Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
}

fn field<T, E: std::fmt::Display>(name: &str, parsed: Result<T, E>) -> Result<T, Problem> {
    parsed.map_err(|why| invalid("invalid-fields").with_field(name, why.to_string()))
}

fn unavailable(why: &str) -> Problem {
    tracing::error!(why, "not stored");
    let detail = "Chưa ghi được vào đĩa. / It could not be stored.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-stored", detail)
}

fn of_clerk(error: ClerkError) -> Problem {
    match error {
        ClerkError::Refused { code, .. } if code == "not-found" => no_such_token(),
        ClerkError::Refused { code, field } => {
            let detail = "Không làm được. / It was refused.";
            Problem::new(StatusCode::CONFLICT, code.clone(), detail).with_field(field, code)
        }
        ClerkError::Unavailable(why) => unavailable(&why),
    }
}

fn time(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at.0).map(|at| at.to_string()).unwrap_or_default()
}
