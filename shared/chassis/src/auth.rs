//! Who asks: a bearer token, or the owner of the server's machine over its Unix socket.
//!
//! A token is looked up by its hash; the token itself is nowhere. Rights are `domain::rights`.

use axum::{
    extract::{ConnectInfo, FromRef, FromRequestParts},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use domain::{
    ids::OfficerId,
    rights::{Asker, Standing},
};
use sha2::{Digest, Sha256};

use crate::{Host, Problem, socket::LocalPeer};

/// Who asks, taken from a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller(pub Asker);

/// 401: nobody known asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotKnown;

impl NotKnown {
    /// The problem that says so.
    #[must_use]
    pub fn problem(self) -> Problem {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "Cần mã truy cập còn hiệu lực. / A valid bearer token is needed.",
        )
    }
}

impl IntoResponse for NotKnown {
    fn into_response(self) -> Response {
        let mut response = self.problem().into_response();
        let challenge = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        response
    }
}

/// 403: who asks may not.
#[must_use]
pub fn forbidden() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "forbidden",
        "Vai trò này không được làm việc đó. / This role may not do that.",
    )
}

/// Whose this bearer token is, now. Revoked and expired ones are nobody's.
#[must_use]
pub fn token_holder(host: &Host, token: &str) -> Option<Asker> {
    let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    let directory = host.directory.read();
    let token = directory.token(&hash, host.clock.now())?;
    Some(Asker { officer: token.officer.clone(), standing: token.standing })
}

/// The bearer token of these headers.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Host: FromRef<S>,
{
    type Rejection = NotKnown;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, NotKnown> {
        if let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<LocalPeer>>() {
            let owner = peer.owner().ok_or(NotKnown)?;
            let officer: OfficerId = owner.to_string().parse().map_err(|_| NotKnown)?;
            return Ok(Self(Asker { officer, standing: Standing::Local }));
        }
        let host = Host::from_ref(state);
        bearer(&parts.headers)
            .and_then(|token| token_holder(&host, token))
            .map(Self)
            .ok_or(NotKnown)
    }
}
