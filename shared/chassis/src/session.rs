//! A person at a browser: a token in a cookie, for a working day.
//!
//! A session is an entry of the directory like any other token. So every process knows it, it
//! lives through a restart, it ends everywhere at once when it or the key behind it is revoked,
//! and an auditor can say who was signed in when.

use std::convert::Infallible;

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, HeaderValue, Method, header, request::Parts},
};
use domain::{
    directory::{TokenFacts, TokenPurpose},
    ids::{KeyId, RecordId},
    rights::Asker,
};
use registry::{ClerkError, KeyState};
use wire::actor::person;

use crate::{
    Host, Problem,
    admin::{hash_of, of_clerk, public_id, token_of, unavailable},
    auth::{Credential, holder_of},
};

/// The cookie of a session. The prefix has browsers take it over TLS only, for this host alone;
/// they count this machine's own address as such.
const COOKIE: &str = "__Host-keng";
/// So long a person stays signed in: a working day.
const SESSION_MS: i64 = 12 * 3_600_000;

/// Somebody who has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// Who.
    pub asker: Asker,
    /// By which passkey; `None`: by a token.
    pub key: Option<KeyId>,
}

/// Begins a session: the value of the `Set-Cookie` that the browser is to be given. The session
/// is on disk when this returns.
///
/// # Errors
/// [`ClerkError`]; no randomness.
pub async fn begin(
    host: &Host,
    asker: &Asker,
    key: Option<KeyId>,
) -> Result<HeaderValue, NotBegun> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|_| NotBegun::NoRandomness)?;
    let token = token_of(&secret);
    let now = host.clock.now();
    let facts = TokenFacts {
        id: public_id(&token),
        hash: hash_of(&token),
        officer: asker.officer.clone(),
        standing: asker.standing,
        expires_at: Some(now.plus_ms(SESSION_MS)),
        purpose: TokenPurpose::Session { key },
    };
    let id = RecordId::of_purpose(&format!("session/{}", facts.id));
    match host.clerk.make_token(id, person(asker), facts.clone(), now).await {
        // While the broker is away, at this process alone; everywhere when it is back.
        Err(ClerkError::Held) => host.directory.know_token_here(&facts),
        made => made?,
    }
    cookie(&token, SESSION_MS / 1_000)
}

/// Ends the session of these headers, and gives the `Set-Cookie` that takes the cookie away. Where
/// the broker is away it ends here at once, and elsewhere when the broker is back.
///
/// # Errors
/// [`ClerkError`].
pub async fn end(host: &Host, headers: &HeaderMap) -> Result<HeaderValue, NotBegun> {
    let token = token_in(headers);
    if let Some((token, asker)) =
        token.and_then(|token| Some((token, signed_in(host, token)?.asker)))
    {
        let (id, now) = (public_id(token), host.clock.now());
        match host.clerk.revoke_token(person(&asker), &id, now).await {
            Err(ClerkError::Held) => host.directory.revoke_here(&id),
            ended => ended?,
        }
    }
    cookie("", 0)
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum NotBegun {
    /// The operating system gives none.
    #[error("no randomness")]
    NoRandomness,
    /// It could not be written down.
    #[error(transparent)]
    NotWritten(#[from] ClerkError),
}

impl NotBegun {
    /// What the person is told.
    #[must_use]
    pub fn problem(self) -> Problem {
        match self {
            Self::NoRandomness => unavailable("no randomness"),
            Self::NotWritten(why) => of_clerk(why),
        }
    }
}

fn cookie(token: &str, seconds: i64) -> Result<HeaderValue, NotBegun> {
    let value =
        format!("{COOKIE}={token}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict");
    HeaderValue::try_from(value).map_err(|_| NotBegun::NoRandomness)
}

/// Whose session this is, now. One that was ended, has expired, or whose key is no longer good, is
/// nobody's.
#[must_use]
pub fn signed_in(host: &Host, token: &str) -> Option<SignedIn> {
    let directory = host.directory.read();
    let facts = directory.token(&hash_of(token), host.clock.now())?;
    let TokenPurpose::Session { key } = facts.purpose else { return None };
    let is_good =
        |id| directory.signing_key(id).is_some_and(|key| key.state == KeyState::Registered);
    key.is_none_or(is_good).then(|| SignedIn { asker: holder_of(facts), key })
}

/// Whether who asks has signed in by a passkey, and so can sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HasPasskey(pub bool);

impl<S> FromRequestParts<S> for HasPasskey
where
    S: Send + Sync,
    Host: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let Some(Credential::Session(token)) = Credential::of(&parts.headers) else {
            return Ok(Self(false));
        };
        let found = signed_in(&Host::from_ref(state), &token);
        Ok(Self(found.is_some_and(|it| it.key.is_some())))
    }
}

/// The token in the cookie of a session.
#[must_use]
pub fn token_in(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let mut pairs = cookies.filter_map(|value| value.to_str().ok()).flat_map(|it| it.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// Whether a request that brings a cookie and would change something comes from our own pages. A
/// browser says so itself (Fetch Metadata); an older one says `Origin`.
#[must_use]
pub fn is_own(method: &Method, headers: &HeaderMap) -> bool {
    if method.is_safe() {
        return true;
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin"), text("host")) {
        (Some(site), ..) => site == "same-origin",
        (None, Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, place)| place == host)
        }
        _ => false,
    }
}
