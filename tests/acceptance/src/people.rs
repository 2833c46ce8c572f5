//! People of a story, each with a bearer token made by the clerk, and their calls of the
//! interface: real routes, without a port.

use std::sync::atomic::Ordering;

use anyhow::{Context, Result, ensure};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, header},
};
use chassis::Host;
use domain::{
    directory::{TokenFacts, TokenPurpose},
    ids::{CommuneCode, Home, RecordId},
    rights::Standing,
};
use serde::Deserialize;
use serde_json::Value;
use support::{Answer, Stream};
use tokio::time::timeout;
use tower::ServiceExt;
use uuid::Uuid;
use wire::actor;

use crate::timeline::{Timeline, WITHIN};

const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Somebody with a token.
#[derive(Debug, Clone)]
pub struct Person {
    pub(crate) token: String,
}

impl Person {
    /// Somebody with this token, which may be nobody's.
    #[must_use]
    pub fn with_token(token: &str) -> Self {
        Self { token: token.to_owned() }
    }
}

impl Timeline {
    /// An officer of a commune. The same id is the same person.
    ///
    /// # Errors
    /// The token could not be made.
    pub async fn officer(&self, officer: &str, commune: &str) -> Result<Person> {
        self.person(officer, Standing::Officer(self.home(commune)?)).await
    }

    /// The commander of a commune.
    ///
    /// # Errors
    /// The token could not be made.
    pub async fn commander(&self, officer: &str, commune: &str) -> Result<Person> {
        self.person(officer, Standing::Commander(self.home(commune)?)).await
    }

    /// The duty desk of a province.
    ///
    /// # Errors
    /// The token could not be made.
    pub async fn province(&self, officer: &str, province: &str) -> Result<Person> {
        self.person(officer, Standing::Province(province.parse()?)).await
    }

    /// Somebody with any standing.
    ///
    /// # Errors
    /// The token could not be made.
    pub async fn person(&self, officer: &str, standing: Standing) -> Result<Person> {
        let n = self.count.fetch_add(1, Ordering::Relaxed);
        person_at(&self.host, n, officer, standing).await
    }

    fn home(&self, commune: &str) -> Result<Home> {
        let code: CommuneCode = commune.parse()?;
        self.host.map.home(code).with_context(|| format!("{commune} is not on the map"))
    }

    /// `POST /v1/alerts`, under a key of its own.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn raise(&self, person: &Person, alert: &Value) -> Result<Answer> {
        self.post(person, "/v1/alerts", alert).await
    }

    /// As [`Self::raise`]; where it needs a second person, there is one who approves it.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn raise_in_force(&self, person: &Person, alert: &Value) -> Result<Answer> {
        let raised = self.raise(person, alert).await?;
        if raised.text_at("/state") != "awaiting-approval" {
            return Ok(raised);
        }
        let commune = alert.pointer("/commune").and_then(Value::as_str).unwrap_or_default();
        let second = self.commander("second", commune).await?;
        let one = serde_json::json!({ "revision": 1 });
        self.act(&second, raised.text_at("/id"), "approve", &one).await
    }

    /// `POST /v1/alerts/{alert}/{action}`, under a key of its own.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn act(
        &self,
        person: &Person,
        alert: &str,
        action: &str,
        body: &Value,
    ) -> Result<Answer> {
        self.post(person, &format!("/v1/alerts/{alert}/{action}"), body).await
    }

    /// `POST`, under a key of its own.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn post(&self, person: &Person, path: &str, body: &Value) -> Result<Answer> {
        let key = format!("key-{}", self.count.fetch_add(1, Ordering::Relaxed));
        self.post_bytes(person, path, body.to_string().into_bytes(), Some(&key)).await
    }

    /// `POST` of any bytes, with this key or none.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn post_bytes(
        &self,
        person: &Person,
        path: &str,
        body: Vec<u8>,
        key: Option<&str>,
    ) -> Result<Answer> {
        let mut request = request(person, Method::POST, path);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.send(request.header(header::CONTENT_TYPE, "application/json").body(body.into())?).await
    }

    /// `GET`.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn get(&self, person: &Person, path: &str) -> Result<Answer> {
        self.send(request(person, Method::GET, path).body(Body::empty())?).await
    }

    /// The alert as this person sees it.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn alert(&self, person: &Person, alert: &str) -> Result<Answer> {
        self.get(person, &format!("/v1/alerts/{alert}")).await
    }

    /// Any request, and the answer read to its end.
    ///
    /// # Errors
    /// The answer could not be read.
    pub async fn send(&self, request: Request<Body>) -> Result<Answer> {
        ask(&self.router, request).await
    }

    /// The routes that people call, to be called beside those of an instance.
    pub fn routes(&self) -> &Router {
        &self.router
    }
}

/// Makes a token at this host; the `n`th there.
pub(crate) async fn person_at(
    host: &Host,
    n: u64,
    officer: &str,
    standing: Standing,
) -> Result<Person> {
    let mut secret = [0; 32];
    secret.iter_mut().zip(n.to_be_bytes()).for_each(|(to, from)| *to = from);
    let token = chassis::admin::token_of(&secret);
    let facts = TokenFacts {
        id: chassis::admin::public_id(&token),
        hash: chassis::admin::hash_of(&token),
        officer: officer.parse()?,
        standing,
        expires_at: None,
        purpose: TokenPurpose::Access,
    };
    let id = RecordId(Uuid::now_v7());
    let by = actor::service("acceptance");
    host.clerk.make_token(id, by, facts, host.clock.now()).await.context("making a token")?;
    Ok(Person { token })
}

/// Any request to these routes, and the answer read to its end.
///
/// # Errors
/// The answer could not be read.
pub async fn ask(routes: &Router, request: Request<Body>) -> Result<Answer> {
    let Ok(response) = routes.clone().oneshot(request).await;
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(to_bytes(body, ANSWER_BYTES_MAX).await?.to_vec())?;
    let json = serde_json::from_str(&text).unwrap_or_default();
    Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, text, json })
}

/// `GET /v1/stream` of a commune, from after `last_event_id` where there is one.
///
/// # Errors
/// It was refused.
pub async fn open_stream(
    routes: &Router,
    person: &Person,
    commune: &str,
    last_event_id: Option<&str>,
) -> Result<Stream> {
    let mut request = request(person, Method::GET, &format!("/v1/stream?commune={commune}"));
    if let Some(id) = last_event_id {
        request = request.header("last-event-id", id);
    }
    let Ok(response) = routes.clone().oneshot(request.body(Body::empty())?).await;
    ensure!(response.status() == 200, "the stream was refused: {}", response.status());
    Ok(Stream::of_body(response.into_body()))
}

/// A request with the person's token.
pub fn request(person: &Person, method: Method, path: &str) -> axum::http::request::Builder {
    let bearer = format!("Bearer {}", person.token);
    Request::builder().method(method).uri(path).header(header::AUTHORIZATION, bearer)
}

/// One line of a replay, as an auditor reads it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The record's place in the order.
    pub position: u64,
    /// When.
    pub at: String,
    /// The entity.
    pub entity: String,
    /// The entity's ordinal; 0 for a command.
    pub version: u64,
    /// The name of the message.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who.
    pub actor: String,
    /// How the actor was known.
    pub attested: String,
    /// The key that signed; empty where nobody did.
    pub key: String,
    /// The record that this one answers; empty where a person asked.
    pub causation: String,
    /// The message.
    pub data: Value,
    /// The record's id.
    pub id: String,
}

impl Timeline {
    /// Waits until the audit has come as far as the log is now.
    ///
    /// # Errors
    /// It is behind for too long.
    pub async fn audited(&self) -> Result<()> {
        let records = self.log.records().len();
        let mut on_disk = self.audit.subscribe();
        let caught_up = on_disk.wait_for(|entries| *entries >= records as u64);
        timeout(WITHIN, caught_up).await.context("the audit is behind")??;
        Ok(())
    }

    /// `GET /v1/audit/records` with this query, to the end, once the audit has come as far as
    /// the log is now.
    ///
    /// # Errors
    /// The audit is behind for too long, or was not to be read.
    pub async fn records(&self, auditor: &Person, query: &str) -> Result<Vec<Line>> {
        self.audited().await?;
        let answer = self.get(auditor, &format!("/v1/audit/records{query}")).await?.expect(200)?;
        ensure!(answer.at("/next").is_null(), "more than one page");
        Ok(serde_json::from_value(answer.at("/records").clone())?)
    }
}
