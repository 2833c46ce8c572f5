//! The directory's routes, at every process: tokens, groups, and officers.
//!
//! Admins by token, and the owner of the machine through the Unix socket.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit, FromRef, Path, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    directory::{TokenFacts, TokenPurpose},
    hex::hex,
    ids::{CommuneCode, Home, Millis, OfficerId, ProvinceCode, RecordId},
    rights::{Asker, Standing},
    values::Role,
};
use registry::{ClerkError, Faults, Token, groups::parse_groups};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wire::actor::person;

use crate::{
    Host, Problem,
    auth::{Caller, forbidden},
    keys, officers,
    problem::HELD_HERE,
};

/// Where a token is asked for.
pub const TOKENS_PATH: &str = "/v1/tokens";
/// Where groups are sent to.
pub const GROUPS_PATH: &str = "/v1/groups";
/// A groups file may have so many bytes.
const GROUPS_BYTES_MAX: usize = 64 << 20;
/// So long somebody may ask for a passkey by a link.
pub const ENROLMENT_MS: i64 = 24 * 3_600_000;
/// Visible ASCII of an idempotency key.
const KEY_CHARS_MAX: usize = 255;

// What a field at fault is told.
const KEY_WANTED: &str = "1 đến 255 ký tự nhìn thấy được / 1 to 255 visible characters";
const NOT_AN_OFFICER: &str = "phải có 1 đến 64 ký tự A-Z a-z 0-9 - _ : / \
                              must have 1 to 64 of A-Z a-z 0-9 - _ :";
const NOT_A_COMMUNE: &str = "phải là mã xã gồm năm chữ số / must be a commune code of five digits";
const NOT_A_PROVINCE: &str =
    "phải là mã tỉnh gồm hai chữ số / must be a province code of two digits";
const NOT_ONESELF: &str = "phải là người khác / must be another person";
const NOT_ON_MAP: &str = "không có trên bản đồ / not on the map";
const NOT_A_TIME: &str = "phải là thời điểm RFC 3339 / must be an RFC 3339 time";

/// The routes.
pub fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Host: FromRef<S>,
{
    Router::new()
        .route(TOKENS_PATH, get(list).post(make))
        .route("/v1/tokens/{id}/revoke", post(revoke))
        .route(GROUPS_PATH, post(groups).layer(DefaultBodyLimit::max(GROUPS_BYTES_MAX)))
        .merge(keys::router())
        .merge(officers::router())
}

/// What a token is asked for. Every field is optional here, so that a missing one is named.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenAsked {
    /// Whose it will be: an officer's id.
    pub officer: Option<String>,
    /// The word of a role.
    pub role: Option<String>,
    /// The code of the commune, for the roles of one.
    pub commune: Option<String>,
    /// The code of the province, for the role of one.
    pub province: Option<String>,
    /// RFC 3339; none: an enrolment ends after a day, an access token never.
    pub expires: Option<String>,
    /// `access` or `enrolment`; none: access.
    pub purpose: Option<String>,
}

/// A token that was made. It is shown once, and written down nowhere.
pub struct TokenMade {
    /// Its public id.
    pub id: String,
    /// The token.
    pub token: String,
    /// Where a passkey is asked for by it; `None` for a program's token.
    pub path: Option<String>,
}

/// What became of a change that holds here at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It is written.
    Written,
    /// On this machine's disk; it reaches the others when the broker is back.
    Held,
}

async fn make(
    State(host): State<Host>,
    Caller(asker): Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    administers(&asker)?;
    let body = body.map_err(|_| too_large())?;
    let id = command_id(&asker, TOKENS_PATH, &headers)?;
    let TokenMade { id, token, path } = make_token(&host, &asker, id, &parse(&body)?).await?;
    let mut told = json!({ "id": id, "token": token });
    if let (Some(path), Value::Object(told)) = (path, &mut told) {
        told.insert("path".to_owned(), path.into());
    }
    Ok((StatusCode::CREATED, Json(told)).into_response())
}

/// Makes a token; the same for a program and at a page. It works when this returns.
///
/// # Errors
/// The asker does not administer, a field is at fault, or it could not be stored.
pub async fn make_token(
    host: &Host,
    asker: &Asker,
    command: RecordId,
    make: &TokenAsked,
) -> Result<TokenMade, Problem> {
    administers(asker)?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|_| unavailable("no randomness"))?;
    let token = token_of(&secret);
    let public = public_id(&token);
    let facts = TokenFacts {
        id: public.clone(),
        hash: hash_of(&token),
        officer: officer(make)?,
        standing: standing(host, make)?,
        expires_at: ends(host, make)?,
        purpose: purpose(make, asker)?,
    };
    let is_enrolment = matches!(facts.purpose, TokenPurpose::Enrolment { .. });
    if is_enrolment && asker.officer == facts.officer {
        return Err(fault("officer", NOT_ONESELF));
    }
    let now = host.clock.now();
    host.clerk.make_token(command, person(asker), facts, now).await.map_err(of_clerk)?;
    tracing::info!(token = public, by = %asker.officer, "token made");
    let path = is_enrolment.then(|| enrolment_path(&token));
    Ok(TokenMade { id: public, token, path })
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
    hex(&hash_of(token)).chars().take(12).collect()
}

fn officer(make: &TokenAsked) -> Result<OfficerId, Problem> {
    let officer = required("officer", make.officer.as_deref())?;
    officer.parse().map_err(|_| fault("officer", NOT_AN_OFFICER))
}

fn standing(host: &Host, make: &TokenAsked) -> Result<Standing, Problem> {
    let role: Role = required("role", make.role.as_deref())?.parse().map_err(|_| {
        let words = Role::ALL.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
        fault("role", format!("phải là một trong: {words} / must be one of: {words}"))
    })?;
    let no = |field: &str, given: Option<&String>| match given {
        Some(_) => Err(fault(field, "không đi với vai trò này / not with this role")),
        None => Ok(()),
    };
    let commune = || -> Result<Home, Problem> {
        let code: CommuneCode = required("commune", make.commune.as_deref())?
            .parse()
            .map_err(|_| fault("commune", NOT_A_COMMUNE))?;
        host.map.home(code).ok_or_else(|| fault("commune", NOT_ON_MAP))
    };
    let province = || -> Result<ProvinceCode, Problem> {
        let code: ProvinceCode = required("province", make.province.as_deref())?
            .parse()
            .map_err(|_| fault("province", NOT_A_PROVINCE))?;
        host.map.province_name(code).map(|_| code).ok_or_else(|| fault("province", NOT_ON_MAP))
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
    let at = text.parse::<jiff::Timestamp>().map_err(|_| fault("expires", NOT_A_TIME))?;
    let at = Millis(at.as_millisecond());
    if at <= host.clock.now() {
        return Err(fault("expires", "phải ở tương lai / must be in the future"));
    }
    Ok(at)
}

/// The page at which a passkey is asked for. Browsers keep what stands behind `#` to themselves,
/// so that no log of a proxy has it.
#[must_use]
pub fn enrolment_path(token: &str) -> String {
    format!("/enrol#{token}")
}

fn purpose(make: &TokenAsked, asker: &Asker) -> Result<TokenPurpose, Problem> {
    match make.purpose.as_deref() {
        None | Some("access") => Ok(TokenPurpose::Access),
        Some("enrolment") => Ok(TokenPurpose::Enrolment { by: asker.clone() }),
        Some(_) => Err(fault("purpose", "phải là / must be access, enrolment")),
    }
}

/// When a token ends; an enrolment does so after a day.
fn ends(host: &Host, make: &TokenAsked) -> Result<Option<Millis>, Problem> {
    match (&make.expires, make.purpose.as_deref()) {
        (Some(text), _) => expires(host, text).map(Some),
        (None, Some("enrolment")) => Ok(Some(host.clock.now().plus_ms(ENROLMENT_MS))),
        (None, _) => Ok(None),
    }
}

/// The word of what a token is for.
#[must_use]
pub fn purpose_word(purpose: &TokenPurpose) -> &'static str {
    match purpose {
        TokenPurpose::Access => "access",
        TokenPurpose::Session { .. } => "session",
        TokenPurpose::Enrolment { .. } => "enrolment",
    }
}

/// The word of how a token stands.
#[must_use]
pub fn state_word(token: &Token, now: Millis) -> &'static str {
    match token.facts.expires_at {
        _ if token.revoked => "revoked",
        Some(at) if at <= now => "expired",
        _ => "valid",
    }
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
                "purpose": purpose_word(&facts.purpose),
                "state": state_word(token, now),
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
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    administers(&asker)?;
    command_id(&asker, "/v1/tokens/revoke", &headers)?;
    let Path(id) = id.map_err(|_| no_such_token())?;
    Ok(match revoke_token(&host, &asker, &id).await? {
        Changed::Written => Json(json!({ "id": id, "state": "revoked" })).into_response(),
        Changed::Held => {
            let body = json!({ "id": id, "state": "revoked", "request": HELD_HERE });
            (StatusCode::ACCEPTED, Json(body)).into_response()
        }
    })
}

/// Ends a token, a session or an enrolment, by its public id.
///
/// # Errors
/// The asker does not administer, there is no such token, or it could not be stored.
pub async fn revoke_token(host: &Host, asker: &Asker, id: &str) -> Result<Changed, Problem> {
    administers(asker)?;
    if !host.directory.read().tokens().any(|token| token.facts.id == id) {
        return Err(no_such_token());
    }
    let now = host.clock.now();
    match host.clerk.revoke_token(person(asker), id, now).await {
        Err(ClerkError::Held) => return Ok(Changed::Held),
        revoked => revoked.map_err(of_clerk)?,
    }
    tracing::info!(token = id, by = %asker.officer, "token revoked");
    Ok(Changed::Written)
}

async fn groups(
    State(host): State<Host>,
    Caller(asker): Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    administers(&asker)?;
    let body = body.map_err(|_| too_large())?;
    command_id(&asker, GROUPS_PATH, &headers)?;
    let recorded = import_groups(&host, &asker, &body).await?;
    Ok(Json(json!({ "recorded": recorded })).into_response())
}

/// Records what is new of a groups file. Answers with how many groups were recorded.
///
/// # Errors
/// The asker does not administer, the file has faults, or it could not be stored.
pub async fn import_groups(host: &Host, asker: &Asker, lines: &[u8]) -> Result<usize, Problem> {
    administers(asker)?;
    let entries = parse_groups(lines, &host.map).map_err(|faults| of_faults(&faults))?;
    let now = host.clock.now();
    host.clerk.import_groups(person(asker), entries, now).await.map_err(of_clerk)
}

/// What is wrong with a file: each fault by line and field.
pub(crate) fn of_faults(faults: &Faults) -> Problem {
    faults.as_slice().iter().fold(invalid("invalid-fields"), |problem, fault| {
        problem.with_field(format!("{}:{}", fault.line, fault.field), fault.reason.clone())
    })
}

/// Whether the asker keeps the directory.
///
/// # Errors
/// 403 for everybody else.
pub fn administers(asker: &Asker) -> Result<(), Problem> {
    if asker.standing.administers() { Ok(()) } else { Err(forbidden()) }
}

/// The id of a command, from who asks, where, and the `Idempotency-Key`.
///
/// # Errors
/// 400 without a key.
pub fn command_id(asker: &Asker, path: &str, headers: &HeaderMap) -> Result<RecordId, Problem> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    command_under(asker, path, key)
}

/// As [`command_id`], where the key stands in a form.
///
/// # Errors
/// 400 without a key.
pub fn command_under(asker: &Asker, path: &str, key: Option<&str>) -> Result<RecordId, Problem> {
    let key = key.filter(|key| {
        (1..=KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
    });
    let key =
        key.ok_or_else(|| invalid("idempotency-key").with_field("Idempotency-Key", KEY_WANTED))?;
    Ok(RecordId::of_command(asker.officer.as_str(), path, key))
}

/// 400: something in the request cannot be taken.
#[must_use]
pub fn invalid(code: &'static str) -> Problem {
    let detail = "Yêu cầu không hợp lệ. / The request is not valid.";
    Problem::new(StatusCode::BAD_REQUEST, code, detail)
}

/// 413: more than is read, or not whole.
#[must_use]
pub fn too_large() -> Problem {
    let detail = "Nội dung quá lớn, hoặc bị cắt ngang. / The body is too large, or was cut.";
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
}

fn no_such_token() -> Problem {
    let detail = "Không có mã này. / There is no such token.";
    Problem::new(StatusCode::NOT_FOUND, "not-found", detail)
}

/// One field at fault.
fn fault(field: &str, reason: impl Into<String>) -> Problem {
    invalid("invalid-fields").with_field(field, reason)
}

fn required<'a>(field: &str, given: Option<&'a str>) -> Result<&'a str, Problem> {
    given.ok_or_else(|| fault(field, "bắt buộc phải có / is required"))
}

/// Reads the body of a token: what is no JSON has no field, all else names its own. The parser's
/// words about a value are left out, since they repeat it.
fn parse(body: &[u8]) -> Result<TokenAsked, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let malformed = |why: &serde_json::Error| {
        let reason = format!("không phải JSON / is not JSON: {why}");
        invalid("malformed-json").with_field("", reason)
    };
    let make = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let (path, why) = (error.path().to_string(), error.inner());
        if !why.is_data() {
            return malformed(why);
        }
        let path = if path == "." { "" } else { path.as_str() };
        let why = why.to_string();
        if why.starts_with("unknown field `") {
            fault(path, "không có trường này / unknown field")
        } else if let Some(rest) = why.strip_prefix("duplicate field `") {
            let name = rest.split('`').next().unwrap_or_default();
            fault(name, "bị ghi hai lần / is given twice")
        } else if path.is_empty() {
            fault(path, "phải là đối tượng / must be an object")
        } else {
            fault(path, "phải là chuỗi / must be a string")
        }
    })?;
    json.end().map_err(|why| malformed(&why))?;
    Ok(make)
}

pub(crate) fn unavailable(why: &str) -> Problem {
    tracing::error!(why, "not stored");
    let detail = "Chưa ghi được vào đĩa. / It could not be stored.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-stored", detail)
}

/// What the asker is told where the directory was not written.
pub fn of_clerk(error: ClerkError) -> Problem {
    match error {
        ClerkError::Refused { code, .. } if code == "not-found" => no_such_token(),
        ClerkError::Refused { code, field } => {
            let detail = "Không làm được. / It was refused.";
            Problem::new(StatusCode::CONFLICT, code.clone(), detail).with_field(field, code)
        }
        ClerkError::Unavailable(why) => unavailable(&why),
        ClerkError::Held => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "held",
            "Giữ tại đây, chưa gửi: mất kết nối NATS. / Held here, not yet sent: the broker is away.",
        ),
    }
}

fn time(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at.0).map(|at| at.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field and code of what is wrong with a body, up to what needs no map.
    fn fault_of(body: &str) -> (String, String, String) {
        let make = parse(body.as_bytes());
        let made = make.and_then(|make| {
            officer(&make)?;
            required("role", make.role.as_deref()).map(str::to_owned)
        });
        let problem = made.unwrap_err();
        let [error] = problem.errors() else { panic!("{problem:?}") };
        (problem.code().to_owned(), error.field.clone(), error.reason.clone())
    }

    #[test]
    fn what_is_wrong_with_a_token_names_its_field() {
        for (body, code, field, reason) in [
            ("", "malformed-json", "", "không phải JSON / is not JSON: "),
            ("{} {}", "malformed-json", "", "không phải JSON / is not JSON: "),
            ("7", "invalid-fields", "", "phải là đối tượng / must be an object"),
            ("{}", "invalid-fields", "officer", "bắt buộc phải có / is required"),
            (r#"{"officer":"an"}"#, "invalid-fields", "role", "bắt buộc phải có / is required"),
            (r#"{"officer":"a b"}"#, "invalid-fields", "officer", "phải có 1 đến 64 "),
            (r#"{"officer":7}"#, "invalid-fields", "officer", "phải là chuỗi / must be a string"),
            (r#"{"rôle":"a"}"#, "invalid-fields", "rôle", "không có trường này / unknown field"),
            (r#"{"role":"a","role":"a"}"#, "invalid-fields", "role", "bị ghi hai lần / is given "),
        ] {
            let (at_code, at, told) = fault_of(body);
            assert_eq!((at_code.as_str(), at.as_str()), (code, field), "{body}: {told}");
            assert!(told.starts_with(reason), "{body}: {told}");
        }
    }
}
