//! Who looks at a page.

use axum::{
    extract::{FromRef, FromRequestParts, Path, Query, State},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use chassis::{auth::forbidden, session};
use domain::{ids::KeyId, rights::Asker};
use serde::Deserialize;

use crate::{
    Console,
    frame::{Frame, see},
};

/// The cookie of the language. No secret.
const LANGUAGE: &str = "keng-lang";
const YEAR_S: u32 = 31_536_000;

/// A person who has signed in, and the frame of the page. Who has not is sent to sign in.
pub struct Visitor {
    /// Who.
    pub asker: Asker,
    /// The passkey by which this person has signed in, and signs.
    pub key: Option<KeyId>,
    /// The frame.
    pub frame: Frame,
}

/// Anybody, signed in or not.
pub struct Anyone(pub Frame);

impl<S> FromRequestParts<S> for Anyone
where
    S: Send + Sync,
    Console: FromRef<S>,
{
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let console = Console::from_ref(state);
        let signed_in = session::token_in(&parts.headers)
            .and_then(|token| session::signed_in(&console.host, token));
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let language = language_of(&console, &parts.headers);
        Ok(Self(Frame::new((&console.host, &console.texts), language, signed_in, path)))
    }
}

impl<S> FromRequestParts<S> for Visitor
where
    S: Send + Sync,
    Console: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let Ok(Anyone(frame)) = Anyone::from_request_parts(parts, state).await;
        let (Some(asker), key) = (frame.asker.clone(), frame.key) else {
            // What a form held is lost: the page that had it keeps a draft.
            let next = if parts.method == Method::GET { frame.path.as_str() } else { "/" };
            let mut query = String::from("/sign-in?next=");
            query.extend(next.bytes().map(escaped));
            return Err(see(&query));
        };
        match session::is_own(&parts.method, &parts.headers) {
            true => Ok(Self { asker, key, frame }),
            false => Err(frame.trouble(&forbidden())),
        }
    }
}

/// A byte in a query.
fn escaped(byte: u8) -> String {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    }
}

/// The language that somebody has chosen; otherwise Vietnamese.
fn language_of(console: &Console, headers: &HeaderMap) -> usize {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';'));
    let tag = pairs.find_map(|pair| pair.trim().strip_prefix(LANGUAGE)?.strip_prefix('='));
    tag.and_then(|tag| console.texts.place_of(tag)).unwrap_or_default()
}

/// The first page of whoever has signed in: what the role is for.
pub(crate) async fn first(visitor: Visitor) -> Response {
    let first = visitor.frame.ways().first().map_or("/sign-in", |way| way.href);
    see(first)
}

#[derive(Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    pub(crate) next: String,
}

/// Chooses a language, and goes back.
pub(crate) async fn choose(
    State(console): State<Console>,
    Path(tag): Path<String>,
    Query(Next { next }): Query<Next>,
) -> Response {
    if console.texts.place_of(&tag).is_none() {
        return StatusCode::NOT_FOUND.into_response();
    }
    let cookie = format!("{LANGUAGE}={tag}; Path=/; Max-Age={YEAR_S}; SameSite=Lax");
    ([(header::SET_COOKIE, cookie)], see(&next)).into_response()
}
