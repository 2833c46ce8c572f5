//! Who asks: a program by its bearer token, a person by the session of a browser, or the owner of
//! the server's machine over its Unix socket.
//!
//! A token is looked up by its hash; the token itself is nowhere. Rights are `domain::rights`.

use axum::{
    extract::{ConnectInfo, FromRef, FromRequestParts},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use domain::{
    directory::{TokenFacts, TokenPurpose},
    ids::OfficerId,
    rights::{Asker, Standing},
};

use crate::{Host, Problem, admin::hash_of, session, socket::LocalPeer};

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

/// Why a request is nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnedAway {
    /// Nobody known asks.
    NotKnown,
    /// A page of somebody else would do something in the name of who has signed in here.
    CrossSite,
}

impl IntoResponse for TurnedAway {
    fn into_response(self) -> Response {
        match self {
            Self::NotKnown => NotKnown.into_response(),
            Self::CrossSite => Problem::new(
                StatusCode::FORBIDDEN,
                "cross-site",
                "Yêu cầu không đến từ trang của Kẻng. / \
                 The request does not come from a page of Kẻng.",
            )
            .into_response(),
        }
    }
}

/// By what somebody is known.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A program's token.
    Token(String),
    /// The token in the cookie of a browser.
    Session(String),
}

impl Credential {
    /// What these headers bring; the token, where both.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let session = || session::token_in(headers).map(|token| Self::Session(token.to_owned()));
        match headers.contains_key(header::AUTHORIZATION) {
            true => bearer(headers).map(|token| Self::Token(token.to_owned())),
            false => session(),
        }
    }

    /// Whose it is, now.
    #[must_use]
    pub fn holder(&self, host: &Host) -> Option<Asker> {
        match self {
            Self::Token(token) => token_holder(host, token),
            Self::Session(token) => session::signed_in(host, token).map(|it| it.asker),
        }
    }
}

/// Whose this bearer token is, now. Revoked and expired ones are nobody's, and so is one that is
/// not for programs.
#[must_use]
pub fn token_holder(host: &Host, token: &str) -> Option<Asker> {
    let directory = host.directory.read();
    let facts = directory.token(&hash_of(token), host.clock.now())?;
    (facts.purpose == TokenPurpose::Access).then(|| holder_of(facts))
}

/// Who holds a token.
pub(crate) fn holder_of(facts: &TokenFacts) -> Asker {
    Asker { officer: facts.officer.clone(), standing: facts.standing }
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
    type Rejection = TurnedAway;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, TurnedAway> {
        if let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<LocalPeer>>() {
            return owner_of(*peer).map(Self).ok_or(TurnedAway::NotKnown);
        }
        let credential = Credential::of(&parts.headers);
        let holder = credential.as_ref().and_then(|it| it.holder(&Host::from_ref(state)));
        let holder = holder.ok_or(TurnedAway::NotKnown)?;
        match credential {
            Some(Credential::Session(_)) if !session::is_own(&parts.method, &parts.headers) => {
                Err(TurnedAway::CrossSite)
            }
            _ => Ok(Self(holder)),
        }
    }
}

/// Whoever owns the server's machine.
fn owner_of(peer: LocalPeer) -> Option<Asker> {
    let officer: OfficerId = peer.owner()?.to_string().parse().ok()?;
    Some(Asker { officer, standing: Standing::Local })
}
