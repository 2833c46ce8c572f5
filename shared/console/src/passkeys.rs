//! Signing in by a passkey: nobody types a name or a secret, and a page of somebody else's gets
//! nothing that is of use here.
//!
//! The signature is checked by `wire::passkey`, the same code that checks commands in a court;
//! what the browser says beside it is believed by nobody.

use axum::{
    Json, Router,
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use chassis::{
    Problem,
    auth::forbidden,
    session::{self, SignedIn},
};
use domain::key::Holder;
use registry::KeyState;
use serde::Deserialize;
use serde_json::json;
use wire::{passkey::asserted, v1::Assertion};

use crate::{Console, frame::own_path};

pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/sign-in/challenge", get(challenge))
        .route("/sign-in/passkey", post(sign_in))
}

/// What a browser hands on of its authenticator; bytes in base64url, as they are there.
#[derive(Debug, Deserialize)]
pub(crate) struct Asserted {
    authenticator_data: String,
    client_data: String,
    signature: String,
}

impl Asserted {
    /// As it is verified, and recorded.
    pub(crate) fn read(&self) -> Option<Assertion> {
        Some(Assertion {
            authenticator_data: decoded(&self.authenticator_data)?,
            client_data: decoded(&self.client_data)?,
            signature: decoded(&self.signature)?,
        })
    }
}

pub(crate) fn encoded(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn decoded(text: &str) -> Option<Bytes> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok().map(Bytes::from)
}

/// What a script of ours has sent.
///
/// # Errors
/// It is not what is read here: the field, and why.
pub fn sent<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, Problem> {
    body.map(|Json(sent)| sent).map_err(|why| {
        let detail = format!("Yêu cầu không hợp lệ. / The request is not valid. {why}");
        Problem::new(StatusCode::BAD_REQUEST, "invalid-fields", detail)
            .with_field("", why.body_text())
    })
}

/// What the passkey is to answer to.
async fn challenge(State(console): State<Console>) -> Result<Response, Problem> {
    let ticket = console.tickets.give(console.host.clock.now()).map_err(|why| {
        tracing::error!(%why, "no randomness");
        not(StatusCode::SERVICE_UNAVAILABLE, NotSignedIn::Later)
    })?;
    let told = json!({ "challenge": encoded(&ticket), "rp": console.site.rp() });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(told)).into_response())
}

#[derive(Deserialize)]
struct SignIn {
    challenge: String,
    credential: String,
    #[serde(flatten)]
    asserted: Asserted,
    #[serde(default)]
    next: String,
}

async fn sign_in(
    State(console): State<Console>,
    headers: HeaderMap,
    body: Result<Json<SignIn>, JsonRejection>,
) -> Result<Response, Problem> {
    let asked = sent(body)?;
    if !session::is_own(&Method::POST, &headers) {
        return Err(forbidden());
    }
    let SignedIn { asker, key } = known(&console, &asked)?;
    let cookie = session::begin(&console.host, &asker, key).await.map_err(|why| why.problem())?;
    tracing::info!(by = %asker.officer, "signed in by a passkey");
    let told = json!({ "next": own_path(&asked.next) });
    Ok(([(header::SET_COOKIE, cookie)], Json(told)).into_response())
}

fn starting() -> Problem {
    let detail = "Máy chủ đang đọc lại dữ liệu: thử lại sau. / \
                  The server is still reading what it knows: try again soon.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "starting", detail)
}

/// Who has answered to a ticket of ours. How the key stands is told to its holder alone.
fn known(console: &Console, asked: &SignIn) -> Result<SignedIn, Problem> {
    let forbidden = |why| not(StatusCode::FORBIDDEN, why);
    let bad = || forbidden(NotSignedIn::NotAsserted);
    let ticket = decoded(&asked.challenge).ok_or_else(bad)?;
    let credential = decoded(&asked.credential).ok_or_else(bad)?;
    let assertion = asked.asserted.read().ok_or_else(bad)?;
    let now = console.host.clock.now();
    if !console.tickets.is_good(&ticket, now) {
        return Err(forbidden(NotSignedIn::TooLate));
    }
    let (id, key) = {
        let directory = console.host.directory.read();
        let found = directory.signers().of_credential(&credential);
        let found = found.and_then(|(id, _)| Some((id, directory.signing_key(id)?.clone())));
        // A directory that was not read to its end knows too little to say so.
        let is_read = console.host.is_caught_up(&["directory"]);
        let unknown = || if is_read { forbidden(NotSignedIn::Unknown) } else { starting() };
        found.ok_or_else(unknown)?
    };
    let (Some(passkey), Holder::Officer(asker)) = (key.facts.public.passkey(), key.facts.holder)
    else {
        return Err(forbidden(NotSignedIn::Unknown));
    };
    if let Err(why) = asserted(passkey, &ticket, &assertion) {
        tracing::warn!(key = %id, %why, "not signed in");
        return Err(bad());
    }
    match key.state {
        KeyState::Asked => return Err(forbidden(NotSignedIn::NotConfirmed)),
        KeyState::Revoked => return Err(forbidden(NotSignedIn::Revoked)),
        KeyState::Registered => {}
    }
    match console.tickets.take(&ticket, now) {
        true => Ok(SignedIn { asker, key: Some(id) }),
        false => Err(forbidden(NotSignedIn::TooLate)),
    }
}

/// Why nobody has signed in.
#[derive(Debug, Clone, Copy)]
enum NotSignedIn {
    Unknown,
    NotConfirmed,
    Revoked,
    NotAsserted,
    TooLate,
    Later,
}

fn not(status: StatusCode, not: NotSignedIn) -> Problem {
    let (code, detail) = match not {
        NotSignedIn::Unknown => (
            "key-unknown",
            "Kẻng không biết khóa này. Hãy xin liên kết đăng ký. / \
             This passkey is not known here. Ask for an enrolment link.",
        ),
        NotSignedIn::NotConfirmed => (
            "key-not-confirmed",
            "Khóa này còn chờ người thứ hai xác nhận. / \
             This passkey waits for a second person to confirm it.",
        ),
        NotSignedIn::Revoked => {
            ("key-revoked", "Khóa này đã bị thu hồi. / This passkey was revoked.")
        }
        NotSignedIn::NotAsserted => (
            "bad-signature",
            "Khóa trả lời không đúng. Hãy thử lại. / \
             The passkey's answer is not good here. Try again.",
        ),
        NotSignedIn::TooLate => {
            ("too-late", "Đã quá lâu. Hãy thử lại. / That took too long. Try again.")
        }
        NotSignedIn::Later => ("not-stored", "Hãy thử lại sau. / Try again later."),
    };
    Problem::new(status, code, detail)
}
