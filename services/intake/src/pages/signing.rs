//! A form that is signed before it is given: the server makes the command that a form asks for, by
//! the rules of any device ([`crate::pen`]), and the person's passkey signs its bytes.
//!
//! What comes back goes to `/v1/commands` like what every other device has signed; nothing of what
//! was prepared is remembered.

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, Request, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chassis::Problem;
use console::Visitor;
use domain::ids::{AlertId, CommuneCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use wire::passkey::challenge_of;

use super::Pages;
use crate::{
    http::{commune_of, invalid},
    idempotency::IdempotencyKey,
    pen::{Hand, Pen, Said},
    refused::{bad_request, starting},
    request::EdgeKnown,
    signed::PATH,
};

/// The most bytes of what is seen before something is signed.
const SEEN_BYTES_MAX: usize = 4 << 20;

/// Whether a form is only to be prepared: `?prepare=1`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Prepare {
    prepare: Option<String>,
}

impl Prepare {
    pub(super) fn is_wanted(&self) -> bool {
        self.prepare.is_some()
    }
}

/// What a form asks, as a program would.
#[derive(Debug)]
pub(super) struct Asked {
    /// The path over HTTP.
    pub(super) path: String,
    /// The commune that the query would name.
    pub(super) commune: Option<CommuneCode>,
    /// The body; empty where there is nothing to say.
    pub(super) body: Vec<u8>,
    /// The `Idempotency-Key` of the form.
    pub(super) key: String,
    /// The page that shows what became of it; `None`: that of the alert which this raises.
    pub(super) then: Option<String>,
}

/// The same from a script: the path, the commune and the body that a program would send.
#[derive(Deserialize)]
pub(super) struct Scripted {
    path: String,
    #[serde(default)]
    commune: Option<String>,
    #[serde(default)]
    body: Value,
    key: String,
}

pub(super) async fn prepare(
    State(pages): State<Pages>,
    visitor: Visitor,
    headers: HeaderMap,
    sent: Result<Json<Scripted>, JsonRejection>,
) -> Result<Response, Problem> {
    let Scripted { path, commune, body, key } = console::sent(sent)?;
    let commune = commune.as_deref().map(commune_of).transpose()?;
    let body = if body.is_null() { vec![] } else { body.to_string().into_bytes() };
    let then = path.strip_prefix("/v1/alerts/").and_then(|rest| rest.split('/').next());
    let then = then.map(|alert| format!("/alerts/{alert}"));
    let asked = Asked { path, commune, body, key, then };
    Ok(pages.prepared(&visitor, &headers, Ok(asked)).await)
}

impl Pages {
    /// The command, to be signed by the passkey by which the visitor has signed in.
    pub(super) async fn prepared(
        &self,
        visitor: &Visitor,
        headers: &HeaderMap,
        asked: Result<Asked, Problem>,
    ) -> Response {
        let prepared = match asked {
            Ok(asked) => self.prepare(visitor, headers, &asked).await,
            Err(problem) => Err(problem),
        };
        match prepared {
            Ok(prepared) => ([(header::CACHE_CONTROL, "no-store")], Json(prepared)).into_response(),
            Err(problem) => problem.into_response(),
        }
    }

    async fn prepare(
        &self,
        visitor: &Visitor,
        headers: &HeaderMap,
        asked: &Asked,
    ) -> Result<Value, Problem> {
        let no_passkey = || {
            let reason = "không đăng nhập bằng khóa / is not signed in by a passkey";
            invalid("key", reason)
        };
        let (asker, key) = (&visitor.asker, visitor.key.ok_or_else(no_passkey)?);
        let passkey = {
            let directory = self.intake.host.directory.read();
            let key = directory.signing_key(key);
            key.and_then(|key| key.facts.public.passkey()).cloned().ok_or_else(no_passkey)?
        };
        let idempotency = IdempotencyKey::of_headers([asked.key.as_bytes()]);
        let idempotency = idempotency.map_err(|bad| bad_request(&bad))?;
        let body: &[u8] = if asked.body.is_empty() { b"{}" } else { &asked.body };
        let said = Said { path: &asked.path, commune: asked.commune, body };
        let mut seen = vec![];
        for path in said.needs(asker)? {
            seen.push(self.seen(&path, headers).await?);
        }
        let at = self.intake.host.clock.now();
        let pen = Pen { hand: Hand::Passkey(key), asker, key: &idempotency, at };
        let known = EdgeKnown { now: at, map: self.intake.host.map.as_ref() };
        let envelope = pen.say(said, &seen, &known)?;
        // By the last word the phone knows that the draft is done with.
        let raised = || format!("/alerts/{}?said=raised&new", AlertId::raised_by(envelope.id));
        Ok(json!({
            "challenge": BASE64_URL_SAFE_NO_PAD.encode(challenge_of(&envelope.open)),
            "credential": BASE64_URL_SAFE_NO_PAD.encode(&passkey.credential),
            "rp": passkey.rp,
            "key": idempotency.as_str(),
            "envelope": envelope.json(),
            "give": PATH,
            "then": asked.then.clone().unwrap_or_else(raised),
        }))
    }

    /// What the visitor would see at this path of the interface.
    async fn seen(&self, path: &str, headers: &HeaderMap) -> Result<Value, Problem> {
        let mut request = Request::get(path);
        for cookie in headers.get_all(header::COOKIE) {
            request = request.header(header::COOKIE, cookie);
        }
        let request = request.body(Body::empty()).map_err(|_| Problem::no_such_path())?;
        // Infallible: a router answers.
        let Ok(answer) = crate::router(self.intake.clone()).oneshot(request).await;
        let status = answer.status();
        let body = to_bytes(answer.into_body(), SEEN_BYTES_MAX).await.map_err(|_| starting())?;
        let seen: Value = serde_json::from_slice(&body).map_err(|_| starting())?;
        let text =
            |name: &str| seen.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        match status.is_success() {
            true => Ok(seen),
            false => Err(Problem::new(status, text("code"), text("detail"))),
        }
    }
}
