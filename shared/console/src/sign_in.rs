//! Signing in and out. By a passkey is `passkeys`; here by an access token, where that is taken.

use askama::Template;
use axum::{
    Form, Router,
    extract::{Query, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chassis::{
    Host,
    auth::{NotKnown, forbidden, token_holder},
    session::{self, is_own},
};
use serde::Deserialize;

use crate::{
    Console, Site,
    frame::{Frame, own_path, see, shown},
    visitor::{Anyone, Next},
};

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/sign-in", get(page).post(sign_in)).route("/sign-out", post(sign_out))
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    frame: &'a Frame,
    site: &'a Site,
    next: &'a str,
    is_wrong: bool,
}

async fn page(
    State(console): State<Console>,
    Anyone(frame): Anyone,
    Query(Next { next }): Query<Next>,
) -> Response {
    let (site, next) = (&*console.site, own_path(&next));
    shown(StatusCode::OK, &SignInPage { frame: &frame, site, next, is_wrong: false })
}

#[derive(Deserialize)]
struct SignIn {
    token: String,
    next: String,
}

async fn sign_in(
    State(Console { host, site, .. }): State<Console>,
    Anyone(frame): Anyone,
    headers: HeaderMap,
    Form(SignIn { token, next }): Form<SignIn>,
) -> Response {
    if !site.takes_tokens || !is_own(&Method::POST, &headers) {
        return frame.trouble(&forbidden());
    }
    let next = own_path(&next);
    let Some(asker) = token_holder(&host, token.trim()) else {
        let status = NotKnown.problem().status();
        let page = SignInPage { frame: &frame, site: &site, next, is_wrong: true };
        return shown(status, &page);
    };
    match session::begin(&host, &asker, None).await {
        Ok(cookie) => {
            tracing::info!(by = %asker.officer, "signed in");
            ([(header::SET_COOKIE, cookie)], see(next)).into_response()
        }
        Err(why) => frame.trouble(&why.problem()),
    }
}

async fn sign_out(State(host): State<Host>, Anyone(frame): Anyone, headers: HeaderMap) -> Response {
    if !is_own(&Method::POST, &headers) {
        return frame.trouble(&forbidden());
    }
    match session::end(&host, &headers).await {
        Ok(cookie) => ([(header::SET_COOKIE, cookie)], see("/sign-in")).into_response(),
        Err(why) => frame.trouble(&why.problem()),
    }
}
