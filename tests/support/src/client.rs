//! A client of the HTTP interface: one call, one answer, no retry, nothing hidden.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::{
    Method, RequestBuilder,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap},
};
use serde_json::{Value, json};

use crate::stream::Stream;

/// No answer of the interface takes so long.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A client of one server, with or without a token. Cloning shares the connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    /// The body as JSON; null where it is none.
    pub json: Value,
}

/// A problem document of RFC 9457.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// A sentence for people.
    pub detail: String,
    /// The fields at fault, each with the reason.
    pub errors: Vec<(String, String)>,
}

/// A client without proxies, redirects and root certificates: for the loopback, over http.
///
/// # Errors
/// It cannot be set up.
pub fn bare() -> Result<reqwest::Client> {
    // The first in the process wins, and every one of ours is ring's.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .tcp_nodelay(true)
        .tls_certs_only([]);
    Ok(client.build()?)
}

impl Client {
    /// A client of `http://HOST:PORT`, without a token.
    ///
    /// # Errors
    /// It cannot be set up.
    pub fn new(base: &str) -> Result<Self> {
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { http: bare()?, base, token: None })
    }

    /// The same with this token.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// The same for another server, or for one that has other ports after its restart.
    #[must_use]
    pub fn at(mut self, base: &str) -> Self {
        base.trim_end_matches('/').clone_into(&mut self.base);
        self
    }

    /// `GET`.
    ///
    /// # Errors
    /// No answer came.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        send(self.request(Method::GET, path).timeout(ANSWER_WITHIN)).await
    }

    /// `POST /v1/alerts`.
    ///
    /// # Errors
    /// No answer came.
    pub async fn raise(&self, alert: &Value, idempotency_key: &str) -> Result<Answer> {
        self.post("/v1/alerts", alert, idempotency_key).await
    }

    /// `POST /v1/alerts/{alert}/{action}`, as `cancel` with `{"note":"…"}`.
    ///
    /// # Errors
    /// No answer came.
    pub async fn act(
        &self,
        alert: &str,
        action: &str,
        body: &Value,
        idempotency_key: &str,
    ) -> Result<Answer> {
        self.post(&format!("/v1/alerts/{alert}/{action}"), body, idempotency_key).await
    }

    /// `POST` with a JSON body and a key.
    ///
    /// # Errors
    /// No answer came.
    pub async fn post(&self, path: &str, body: &Value, idempotency_key: &str) -> Result<Answer> {
        self.post_bytes(path, body.to_string().into_bytes(), Some(idempotency_key)).await
    }

    /// `POST` with any bytes, sent as JSON, so that a test can send what is none.
    ///
    /// # Errors
    /// No answer came.
    pub async fn post_bytes(
        &self,
        path: &str,
        body: Vec<u8>,
        idempotency_key: Option<&str>,
    ) -> Result<Answer> {
        let mut request = self.request(Method::POST, path).timeout(ANSWER_WITHIN);
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        send(request.header(CONTENT_TYPE, "application/json").body(body)).await
    }

    /// Any request with the token, for what the other calls do not do.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }

    /// `GET /v1/stream`, from after `last_event_id` where there is one.
    ///
    /// # Errors
    /// It was refused.
    pub async fn stream(&self, commune: &str, last_event_id: Option<&str>) -> Result<Stream> {
        let mut request = self.request(Method::GET, &format!("/v1/stream?commune={commune}"));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let answer = tokio::time::timeout(ANSWER_WITHIN, request.send()).await??;
        let status = answer.status().as_u16();
        ensure!(status == 200, "the stream was refused: {status} {}", answer.text().await?);
        Ok(Stream::of(answer))
    }
}

/// Sends a request and reads the answer to its end.
///
/// # Errors
/// No answer came.
pub async fn send(request: RequestBuilder) -> Result<Answer> {
    let answer = request.send().await?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await?;
    let json = serde_json::from_str(&text).unwrap_or_default();
    Ok(Answer { status, headers, text, json })
}

impl Answer {
    /// The answer itself where it has this status.
    ///
    /// # Errors
    /// It has another; the error shows the body.
    pub fn expect(self, status: u16) -> Result<Self> {
        ensure!(self.status == status, "{status} was expected: {} {}", self.status, self.text);
        Ok(self)
    }

    /// The field of the body at a JSON pointer, as `/refusal/code`; null where there is none.
    #[must_use]
    pub fn at(&self, pointer: &str) -> &Value {
        self.json.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// The text of a field of the body; empty where there is none.
    #[must_use]
    pub fn text_at(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or_default()
    }

    /// The problem document.
    ///
    /// # Errors
    /// It is none, or not as RFC 9457 and the interface have it.
    pub fn problem(&self) -> Result<Problem> {
        let media_type = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_problem = media_type.is_some_and(|it| it.starts_with("application/problem+json"));
        ensure!(is_problem, "no problem document: {media_type:?} {} {}", self.status, self.text);
        ensure!(*self.at("/status") == json!(self.status), "another status: {}", self.text);
        let text = |value: &Value, field: &str| {
            let text = value.get(field).and_then(Value::as_str).map(str::to_owned);
            text.with_context(|| format!("no `{field}`: {value}"))
        };
        let errors = self.at("/errors").as_array().map(Vec::as_slice).unwrap_or_default();
        let errors = errors.iter().map(|at| Ok((text(at, "field")?, text(at, "reason")?)));
        Ok(Problem {
            status: self.status,
            code: text(&self.json, "code")?,
            detail: text(&self.json, "detail")?,
            errors: errors.collect::<Result<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(media_type: &str, text: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, media_type.parse().unwrap());
        let json = serde_json::from_str(text).unwrap_or_default();
        Answer { status: 400, headers, text: text.to_owned(), json }
    }

    #[test]
    fn a_problem_is_read_and_what_is_none_is_not() {
        let text = r#"{"status":400,"code":"invalid","detail":"d",
            "errors":[{"field":"last_seen.lat","reason":"swapped"}]}"#;
        let problem = answer("application/problem+json", text).problem().unwrap();
        assert_eq!((problem.code.as_str(), problem.detail.as_str()), ("invalid", "d"));
        assert_eq!(problem.errors, [("last_seen.lat".to_owned(), "swapped".to_owned())]);
        assert!(answer("application/json", text).problem().is_err());
        for wrong in [r#"{"status":400,"detail":"d"}"#, r#"{"status":500,"code":"c","detail":"d"}"#]
        {
            assert!(answer("application/problem+json", wrong).problem().is_err(), "{wrong}");
        }
    }
}
